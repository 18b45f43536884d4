"""A change log as a table: at, artefact, name, from_version, to_version, author, note."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Mapping, Problem, Source
from aiops_lab.sources.retrieval import read_table
from aiops_lab.tables import conform, digest, moments

NEEDED = {"at", "artefact"}
VERSIONS = {"from_version", "to_version"}


def is_log(columns: set[str]) -> bool:
    """Whether a table with these columns is a change log."""
    return columns >= NEEDED and bool(columns & VERSIONS)


def sniff(path: Path, head: bytes) -> bool:
    """Whether the header of a CSV or TSV is that of a change log."""
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace")
    return any(is_log({name.strip(' "\r') for name in first.split(between)}) for between in ",;\t")


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """The rows of one file; a row whose time cannot be read is told."""
    yield from_table(read_table(path, "a change log is wanted"))


def from_table(frame: pl.DataFrame) -> Batch:
    """A batch of a change log; without ids of their own, rows are known by what they say.

    Raises
    ------
    BadSource
        It has no column at or artefact.
    """
    if not is_log(set(frame.columns)):
        raise BadSource("a change log has at, artefact and to_version")
    rows = frame.with_columns(at=moments(frame["at"])).with_row_index("_place", 1)
    bad = rows.filter(pl.col("at").is_null())
    problems = [
        Problem(f"row {row}", f"at: {str(value)[:60]!r} is no time")
        for row, value in zip(bad["_place"], frame["at"].gather(bad["_place"] - 1), strict=True)
    ]
    rows = rows.filter(pl.col("at").is_not_null())
    if "change_id" not in rows.columns:
        said = rows.select(pl.struct(pl.exclude("_place")).struct.json_encode()).to_series()
        rows = rows.with_columns(
            change_id=pl.Series([digest(text)[:16] for text in said], dtype=pl.String)
        )
    return Batch({"changes": conform(rows, "changes")}, problems)


SOURCE = Source("changes", 1, sniff, read)
