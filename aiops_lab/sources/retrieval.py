"""Questions with their gold, chunks and hits, as whoever made them wrote them down."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.sources.flat import as_object, separator_of
from aiops_lab.tables import conform, empty, polars_frame

T = TypeVar("T")
IDS = {"question_id": ("question_id", "id", "qid", "_id"), "text": ("text", "question", "query")}
QUOTES = ("quote", "content", "text")
STARTS, ENDS = ("start", "start_index"), ("end", "end_index")
DOCUMENTS = ("doc_id", "corpus_id", "document", "document_id", "source")
GOLDS = ("gold", "references")
NAMED = {*IDS["question_id"], *IDS["text"], *GOLDS, "corpus_id", "metadata"}
FARTHEST = 2**40
"""No document is so long; places behind it are mistakes."""
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError, OSError)


class Asked(NamedTuple):
    """A question as it was written down, its gold not placed yet: see `gold_of`."""

    question_id: str
    text: str | None
    gold: list[dict[str, Any]]
    others: dict[str, Any]


def read_asked(source: Any, *, apart: bool = False) -> tuple[list[Asked], list[tuple[str, str]]]:
    """Questions out of records, a frame or a file; and which cannot be read, and why.

    One id may mean a question in each experiment if they are kept `apart`.

    Raises
    ------
    BadSource, BadSettings
        The source is no table of questions, or holds none.
    """
    records = _question_records(source)
    if not records:
        raise BadSource("there are no questions")
    found: dict[tuple[str, Any], Asked] = {}
    bad: list[tuple[str, str]] = []
    for number, record in enumerate(records, 1):
        name = _first(record, IDS["question_id"])
        name = f"row {number}" if name is None else str(name)
        try:
            text = _first(record, IDS["text"])
            text = None if text is None else decoded(text)
            asked = Asked(decoded(name), text, gold_of(record), _others(record))
            key = (name, record.get("experiment_id") if apart else None)
            if found.setdefault(key, asked)[:3] != asked[:3]:
                raise ValueError("a second question of this id")
        except ValueError as error:
            bad.append((printable(name), str(error)))
    return list(found.values()), bad


def gold_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pieces of gold of a question, as they were written down.

    Returns
    -------
    list of dict
        doc_id, start, end, quote, nth, first, last, digest, relevance; what was not said is None.

    Raises
    ------
    ValueError
        It is no list of places.
    """
    given = _first(record, GOLDS)
    if isinstance(given, str):
        try:
            given = msgspec.json.decode(given)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise ValueError("its gold is neither a list nor JSON") from None
    given = [given] if isinstance(given, Mapping) else given
    if given is None:
        given = []
    if not isinstance(given, Sequence) or not all(isinstance(each, Mapping) for each in given):
        raise ValueError("its gold is no list of {doc_id, start, end}")
    return [_piece(each, record.get("corpus_id")) for each in given]


def _piece(each: Mapping[str, Any], document: Any) -> dict[str, Any]:
    doc_id, quote = _first(each, DOCUMENTS), _first(each, QUOTES)
    doc_id = document if doc_id is None else doc_id
    return {
        "doc_id": None if doc_id is None else decoded(str(doc_id)),
        "start": _whole(_first(each, STARTS)),
        "end": _whole(_first(each, ENDS)),
        "quote": None if quote is None else decoded(quote),
        "nth": _whole(each.get("nth")),
        **{name: _said(each.get(name)) for name in ("first", "last", "digest")},
        "relevance": _relevance(each.get("relevance")),
    }


def _said(value: Any) -> str | None:
    return None if value is None else decoded(value)


def qrels(path: str | os.PathLike[str]) -> pl.DataFrame | None:
    """Judged documents out of a TREC file: question_id, doc_id, relevance; None for others."""
    if (rows := trec(path, 4)) is None:
        return None
    try:
        return pl.DataFrame(
            [(q, d, _relevance(r)) for q, _, d, r in rows],
            schema={"question_id": pl.String, "doc_id": pl.String, "relevance": pl.Float64},
            orient="row",
        )
    except ValueError as error:
        raise BadSource(f"a relevance is no number: {error}") from None


def read_chunks(source: Any) -> pl.DataFrame:
    """The chunks that some system made, in the canonical columns; ``seen`` and ``tokens`` stay.

    Raises
    ------
    BadSource
        A column is missing, a span holds less than nothing, or one id means two spans.
    """
    frame = _canonical(source, "chunks", ("chunk_id", "doc_id", "start", "end"))
    outside = (pl.col("start") < 0) | (pl.col("end") > FARTHEST)
    off = frame.filter(outside | (pl.col("end") < pl.col("start")))
    if off.height:
        name, start, end = off.select("chunk_id", "start", "end").row(0)
        raise BadSource(f"{off.height} chunks are no spans of a text: {name!r}, {start} to {end}")
    for column in ("tokens", "seen"):
        if not frame[column].count():
            frame = frame.drop(column)
        else:
            value = pl.col(column) if column == "tokens" else pl.col(column).fill_null(0)
            wrong = frame.filter(~(value.is_finite() & (value >= 0)).fill_null(False))
            if wrong.height:
                told = f"{wrong[column][0]} for {wrong['chunk_id'][0]!r}"
                raise BadSource(f"{wrong.height} chunks have no usable {column}: {told}")
    frame = frame.unique(maintain_order=True)
    return _once(frame, ["experiment_id", "chunk_id"], "chunk")


def read_hits(source: Any) -> pl.DataFrame:
    """What was retrieved: experiment_id, question_id, rank, chunk_id, score.

    A TREC run file is read too (its tag names the experiment). Ranks count from 1 in the order
    given by rank; where that is missing, by score, ties by chunk_id, the last first (trec_eval's
    rule). A chunk that came back twice counts once, at its better rank.
    """
    if isinstance(source, str | os.PathLike) and (rows := trec(source, 6)) is not None:
        try:
            source = pl.DataFrame(
                [(tag, q, None, d, float(score)) for q, _, d, _, score, tag in rows],
                schema=dict(empty("hits").schema),
                orient="row",
            )
        except ValueError as error:
            raise BadSource(f"a score is no number: {error}") from None
    frame = _canonical(source, "hits", ("question_id", "chunk_id"))
    unranked = frame.filter(
        pl.col("rank").is_null() & (pl.col("score").is_null() | pl.col("score").is_nan())
    )
    if unranked.height:
        raise BadSource(f"{unranked.height} hits have neither rank nor score")
    by = ["experiment_id", "question_id"]
    return (
        frame.sort(
            [*by, "rank", "score", "chunk_id"],
            descending=[False, False, False, True, True],
            nulls_last=True,
            maintain_order=True,
        )
        .unique([*by, "chunk_id"], keep="first", maintain_order=True)
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over(by))
    )


def _canonical(source: Any, table: str, needed: Sequence[str]) -> pl.DataFrame:
    if isinstance(source, Sequence) and not len(source):
        return empty(table)
    given = read_table(source, f"give {table} as a frame, a list of records or a file")
    lacking = [name for name in needed if name not in given.columns]
    if lacking:
        have = ", ".join(given.columns) or "none"
        raise BadSource(f"{table} need a column {lacking[0]}; there are {have}")
    if "experiment_id" not in given.columns:
        given = given.with_columns(experiment_id=pl.lit("experiment"))
    for name in ("start", "end", "rank"):
        if name in given.columns and given.schema[name] == pl.String:
            number = given[name].cast(pl.Float64, strict=False)
            if number.null_count() == given[name].null_count():
                given = given.with_columns(number.alias(name))
        if name in given.columns and given.schema[name].is_float():
            part = given[name].fill_nan(None).drop_nulls()
            if (part != part.round()).any() or part.is_infinite().any():
                raise BadSource(f"a {name} of the {table} is no whole number")
    try:
        frame = conform(given, table)
    except pl.exceptions.PolarsError as error:
        raise BadSource(f"a value of the {table} does not fit its column: {error}") from None
    for name in ("experiment_id", *needed):
        if count := frame[name].null_count():
            raise BadSource(f"{count} of the {table} have no {name}")
    return frame


def _once(frame: pl.DataFrame, key: list[str], what: str) -> pl.DataFrame:
    again = frame.filter(frame.select(key).is_duplicated())
    if again.height:
        name = again[key[-1]][0]
        raise BadSource(f"{what} {name!r} of {again[key[0]][0]!r} is given twice, differently")
    return frame


def trec(path: str | os.PathLike[str], columns: int) -> list[list[str]] | None:
    """The rows of a TREC file (qrels have 4 columns, runs 6); None where it is none."""
    place = Path(path)
    if place.suffix.lower() in (".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".tsv"):
        return None
    if not place.is_file():
        raise BadSource(f"there is no file {str(path)!r}")
    try:
        lines = place.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadSource(f"{place.name} is not UTF-8 from byte {error.start} on") from None
    rows = [line.split() for line in lines if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != columns:
            raise BadSource(
                f"{place.name} was taken for TREC {'qrels' if columns == 4 else 'run'}: row "
                f"{number} has {len(row)} columns, not {columns}; other files end in .csv, .jsonl, "
                ".json or .parquet",
                f"row {number}",
            )
    return rows


def _relevance(value: Any) -> float:
    try:
        number = 1.0 if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no relevance")
    return number


def read_table(source: Any, wanted: str) -> pl.DataFrame:
    """A table out of a frame, a list of records, or a file."""
    if isinstance(source, str | os.PathLike):
        return _opened(Path(source), _read)
    if isinstance(source, Sequence) and not isinstance(source, bytes):
        try:
            return pl.DataFrame(list(source), strict=False, infer_schema_length=None)
        except (UnicodeEncodeError, TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            raise BadSource(f"these records are no table: {error}") from None
    return polars_frame(source, wanted)


def _opened(path: Path, read: Callable[[Path], T]) -> T:
    """What a file holds."""
    if not path.is_file():
        raise BadSource(f"there is no file or folder {str(path)!r}")
    try:
        return read(path)
    except (pl.exceptions.PolarsError, *UNREADABLE) as error:
        raise BadSource(f"{path.name} cannot be read as a table: {error}") from None


def _read(path: Path) -> pl.DataFrame:
    match path.suffix.lower():
        case ".parquet":
            return pl.read_parquet(path)
        case ".csv" | ".tsv":
            with path.open("rb") as file:
                first = file.readline(2**16).decode("utf-8", "replace")
            return pl.read_csv(path, infer_schema=False, separator=separator_of(first))
        case ".json" | ".jsonl" | ".ndjson":
            return pl.DataFrame(records_in(path), strict=False, infer_schema_length=None)
    raise BadSource(f"{path.name} is no table: CSV, TSV, JSON, JSON lines and Parquet are read")


def records_in(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if path.suffix.lower() == ".json":
        found = msgspec.json.decode(data)
        found = found.get("questions", found) if isinstance(found, dict) else found
    else:
        found = [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadSource(f"{path.name} is no list of objects")
    return found


def _question_records(source: Any) -> list[dict[str, Any]]:
    if isinstance(source, Sequence) and not isinstance(source, str | bytes):
        if not all(isinstance(row, Mapping) for row in source):
            raise BadSettings("questions are records: question_id, text, gold")
        return [dict(row) for row in source]
    json = (".json", ".jsonl", ".ndjson")  # whose gold may have any shape
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in json:
        return _opened(Path(source), records_in)
    return read_table(source, "give questions as a frame, a list of records or a file").to_dicts()


def _first(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((record[name] for name in names if record.get(name) is not None), None)


def _others(record: Mapping[str, Any]) -> dict[str, Any]:
    own = record.get("metadata")
    record = {**(own if isinstance(own, Mapping) else as_object(own)), **record}
    plain = (str, int, float, bool, np.generic)
    return {
        printable(name): value.item() if isinstance(value, np.generic) else value
        for name, value in record.items()
        if name not in NAMED and isinstance(value, plain)
        and not (isinstance(value, str) and _broken(value))
    }  # fmt: skip


def _broken(text: str) -> bool:
    try:
        decoded(text)
    except ValueError:
        return True
    return False


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    try:
        number = int(value)
        whole = number == float(value)
    except (TypeError, ValueError, OverflowError):
        whole, number = False, 0
    if not whole or abs(number) > FARTHEST:
        raise ValueError(f"{value!r} is no place in a text")
    return number


def decoded(raw: Any) -> str:
    if raw is None:
        raise ValueError("no text or id, or a link out of the folder")
    try:
        if isinstance(raw, bytes):
            return raw.decode("utf-8-sig")
        if not isinstance(raw, str):
            raise ValueError(f"a text is wanted, not a {type(raw).__name__}")
        raw.encode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 from byte {error.start} on; save it as UTF-8") from None
    except UnicodeEncodeError as error:
        raise ValueError(f"half a surrogate pair at character {error.start}") from None
    return raw


def printable(name: Any) -> str:
    return str(name).encode("utf-8", "replace").decode()
