"""Which files are there, and which reader is theirs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from aiops_lab.errors import BadSettings, LabError
from aiops_lab.sources.contract import Source

HEAD = 2**20
DATA_SUFFIXES = {".eval", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".zst", ".pb"}
ORDER = {"otlp": -1, "spans": -1, "table": 1}
"""Traces are told by the first keys alone, so they are asked first; the generic reader last."""


@cache
def sources() -> dict[str, Source]:
    """All readers by name, in the order in which they are asked."""
    found = {entry.name: entry.load() for entry in entry_points(group="aiops_lab.sources")}
    if "table" not in found:
        raise LabError("aiops-lab is not installed completely: no reader is registered")
    return dict(sorted(found.items(), key=lambda item: ORDER.get(item[0], 0)))


def source_named(name: str) -> Source:
    """The reader called `name`."""
    if name not in sources():
        raise BadSettings(f"no format {name!r}; the formats are {', '.join(sources())}")
    return sources()[name]


def fetcher(address: str) -> tuple[Source, str] | None:
    """The source that fetches ``SOURCE:NAME``, and the name, unless a file is called that."""
    scheme, _, name = address.partition(":")
    source = sources().get(scheme) if name and not os.path.lexists(address) else None
    return (source, name) if source and source.fetch else None


def recognise(path: Path) -> Source | None:
    """The reader whose format the content of `path` is in, if any."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "ignore").encode()
    return next((source for source in sources().values() if source.sniff(path, head)), None)


def walk(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and those that look like data in the folders named, each once.

    Hidden folders, Delta tables and links to folders are passed over.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise BadSettings(f"there is no file or folder {str(path)!r}")
        if not (path.is_dir() or path.is_file()):
            raise BadSettings(f"{str(path)!r} is neither a file nor a folder")
        for file in _inside(path) if path.is_dir() else [path]:
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file


def _inside(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        if "_delta_log" in folders:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(here, name)
            if file.suffix.lower() in DATA_SUFFIXES and file.is_file():
                yield file
