"""What a reader promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import polars as pl

Mapping: TypeAlias = dict[str, Any]
"""A column mapping: canonical name -> their name, a dotted path, or a list of either."""

RED_TEAM = "red-team"
"""The tag of runs that attack: ``@red-team`` is the newest, and ``latest`` passes over them."""


class Problem(NamedTuple):
    """One thing that could not be read: where in the file, and why."""

    place: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Some rows of canonical tables and what could not be turned into rows.

    Each of `runs` (see `rows.run_summary`) has `complete`, which ranks several files of one run:
    the number of its answers, negative while it is not finished; the highest is shown. Null
    where files of one run add up.
    """

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    runs: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Source:
    """A reader of one format.

    Parameters
    ----------
    name
        What ``--format`` and ``runs.source`` call it.
    version
        Raised when the reader learns to read more; what an older one could not read is tried
        again.
    sniff
        ``sniff(path, head) -> bool``: is it this format, by content? `head` is the first MiB.
    read
        ``read(path, *, texts=True, mapping=None) -> Iterator[Batch]``; raises `BadSource` when
        nothing can be read. An archive is read an answer at a time; JSON documents are mapped and
        tables held whole.
    parts
        The files that belong to one source with `path` itself first; for most, only itself.
        A file that is a part of another source gives an empty list.
    fetch
        ``fetch(name, folder, progress=None) -> list[Path]``: brings what the address
        ``SOURCE:NAME`` stands for into files of this format; none where it is only read.
    """

    name: str
    version: int
    sniff: Callable[[Path, bytes], bool]
    read: Callable[..., Iterator[Batch]]
    parts: Callable[[Path], list[Path]] = lambda path: [path]
    fetch: Callable[..., list[Path]] | None = None
