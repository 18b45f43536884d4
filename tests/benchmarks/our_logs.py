"""Read all logs of a folder with our reader: python our_logs.py FOLDER scores|texts."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import polars as pl

from aiops_lab.sources.inspect_logs import SOURCE


def read(folder: Path, texts: bool) -> dict[str, pl.DataFrame]:
    """The canonical tables of all logs in a folder."""
    found: dict[str, list[pl.DataFrame]] = {}
    for path in sorted(folder.glob("*.eval")):
        for batch in SOURCE.read(path, texts=texts):
            assert not batch.problems
            for name, frame in batch.tables.items():
                found.setdefault(name, []).append(frame)
    return {name: pl.concat(frames) for name, frames in found.items()}


if __name__ == "__main__":
    began = time.perf_counter()
    tables = read(Path(sys.argv[1]), sys.argv[2] == "texts")
    print(time.perf_counter() - began, tables["samples"].height)
