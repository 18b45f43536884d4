"""What a retrieval system logged: files of questions, chunks and hits, and TREC files.

A table is known by its columns: chunk_id, doc_id, start and end make chunks, question_id and
chunk_id hits, a question and its gold (or references) questions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Mapping, Problem, Source
from aiops_lab.sources.jsonio import compact
from aiops_lab.sources.retrieval import (
    GOLDS,
    qrels,
    read_asked,
    read_chunks,
    read_hits,
    read_table,
)
from aiops_lab.sources.table import json_rows
from aiops_lab.tables import SCHEMAS, conform

NAME = "retrieval"
JSON = (".json", ".jsonl", ".ndjson")
TABLES = (".parquet", ".csv", ".tsv", *JSON)
ANSWERS = {"input", "output", "value", "passed", "answer", "score"}
"""A table of questions with these is one of answers and their scores."""
EVALS = {"run_id", "sample_id", "metric"}
KEY = re.compile(rb'"(\w+)"\s*:')
COLUMNS = {name for table in ("questions", "chunks", "hits") for name in SCHEMAS[table]}
"""What a mapping can name."""
LINES = 20
"""So many lines of a file are looked at to tell what it is."""


def kind_of(columns: Sequence[str], mapping: Mapping | None = None) -> str | None:
    """Which table of a retrieval experiment has these columns, if any."""
    have = {*columns, *_named(columns, mapping).values()}
    if have & EVALS:
        return None
    if {"chunk_id", "doc_id", "start", "end"} <= have:
        return "chunks"
    if {"question_id", "chunk_id"} <= have:
        return "hits"
    asks = have & set(GOLDS) and have & {"question_id", "question"}
    return "questions" if asks and not have & ANSWERS else None


def _named(columns: Sequence[str], mapping: Mapping | None) -> dict[str, str]:
    """Their names and the canonical ones, of the columns that are there."""
    return {
        theirs: ours
        for ours, theirs in (mapping or {}).items()
        if ours in COLUMNS and isinstance(theirs, str) and theirs in columns
    }


def sniff(path: Path, head: bytes) -> bool:
    """Whether these are questions, chunks or hits."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:4] == b"PAR1":
        try:
            return kind_of(list(pl.read_parquet_schema(path))) is not None
        except (pl.exceptions.PolarsError, OSError):
            return False
    if start[:1] in (b"{", b"["):
        return kind_of(_keys(start)) is not None
    lines = [line for line in start.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return False
    named = re.split(r"[,\t;]", lines[0])
    if kind_of([name.strip(' "') for name in named]) is not None:
        return True
    return path.suffix.lower() not in TABLES and bool(_trec(lines[: -1 if lines[1:] else 1]))


def _keys(start: bytes) -> list[str]:
    """The keys of the first object, those inside it left out."""
    start = start[1:].lstrip() if start[:1] == b"[" else start
    try:
        first, _ = json.JSONDecoder().raw_decode(start.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return [key.decode() for key in KEY.findall(start[: 2**16])]
    inner = first.get("questions") if isinstance(first, dict) else None
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        first = inner[0]
    return list(first) if isinstance(first, dict) else []


def _trec(lines: Sequence[str]) -> int:
    """How many columns of a TREC file these lines have: 4 are qrels, 6 a run, 0 neither."""
    rows = [line.split() for line in lines[:LINES]]
    width = len(rows[0]) if rows else 0
    if width not in (4, 6) or any(len(row) != width for row in rows):
        return 0
    try:
        for row in rows:
            int(row[3])
            float(row[4] if width == 6 else 0)
    except ValueError:
        return 0
    return width


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """The rows of one file; an experiment without a name is called after its folder."""
    experiment = path.resolve().parent.name or "experiment"
    if path.suffix.lower() in JSON:
        problems: list[Problem] = []
        rows = [row for _, row in json_rows(path, {}, problems)]
        if len(rows) == 1 and isinstance(inner := rows[0].get("questions"), list):
            rows = [row for row in inner if isinstance(row, dict)]
        batch = from_rows(rows, experiment, mapping)
        yield Batch(batch.tables, [*problems, *batch.problems])
        return
    if path.suffix.lower() in TABLES:
        yield from_table(read_table(path, "a table is wanted"), experiment, mapping)
        return
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip()), "")
    if _trec([first]) == 6:
        yield Batch({"hits": conform(read_hits(path), "hits")})
    elif (judged := qrels(path)) is not None:
        gold = pl.struct("doc_id", "relevance")
        asked = judged.group_by("question_id", maintain_order=True).agg(gold=gold)
        yield from_table(asked, experiment)


def from_rows(rows: list[dict[str, Any]], experiment: str, mapping: Mapping | None = None) -> Batch:
    """A batch of what these objects are; the gold of questions may have any shape."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if kind_of(keys) == "questions":
        return _questions(rows, experiment)
    return from_table(read_table(rows, "rows are wanted"), experiment, mapping)


def from_table(frame: pl.DataFrame, experiment: str, mapping: Mapping | None = None) -> Batch:
    """A batch of what this table is.

    Raises
    ------
    BadSource
        Its columns are those of none, or a value does not fit.
    """
    frame = frame.rename(_named(frame.columns, mapping))
    kind = kind_of(frame.columns)
    if kind is None:
        have = ", ".join(frame.columns)
        raise BadSource(f"these columns are no questions, chunks or hits: {have}")
    if "experiment_id" not in frame.columns:
        frame = frame.with_columns(experiment_id=pl.lit(experiment))
    match kind:
        case "chunks":
            return Batch({kind: conform(read_chunks(frame), kind)})
        case "hits":
            return Batch({kind: conform(read_hits(frame), kind)})
    return _questions(frame, experiment)


def _questions(source: Any, experiment: str) -> Batch:
    asked, bad = read_asked(source, apart=True)
    rows: list[dict[str, Any]] = []
    for each in asked:
        named = str(each.others.pop("experiment_id", experiment))
        metadata = compact(each.others) if each.others else None
        rows.append({**each._asdict(), "experiment_id": named, "metadata": metadata})
    questions = pl.DataFrame(rows, schema=SCHEMAS["questions"])
    return Batch({"questions": questions}, [Problem(f"question {p}", reason) for p, reason in bad])


SOURCE = Source(NAME, 1, sniff, read)
