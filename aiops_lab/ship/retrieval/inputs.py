"""What an experiment is given: documents, questions with their gold, chunks and hits.

Gold is a span of characters in a document, so it survives any way of dividing it. Characters are
Unicode code points, as Python counts them; in files a Windows line end counts as one.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.shipped import shipped
from aiops_lab.sources.flat import polars_frame
from aiops_lab.tables import conform, empty

SUFFIXES = (".md", ".markdown", ".mdx", ".txt", ".text", ".rst", ".adoc", ".org")
QUARANTINE = {"place": pl.String, "reason": pl.String}
GOLD = {
    **dict.fromkeys(("question", "start", "end"), pl.Int64),
    "doc_id": pl.String,
    "relevance": pl.Float64,
}
IDS = {"question_id": ("question_id", "id", "qid", "_id"), "text": ("text", "question", "query")}
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError, OSError)
QUOTES = ("quote", "content", "text")
STARTS, ENDS = ("start", "start_index"), ("end", "end_index")
DOCUMENTS = ("doc_id", "corpus_id", "document", "document_id", "source")
DEMO = ""
"""Stands for the handbook of a ferry line that comes with the library, and its questions."""
FARTHEST = 2**40
"""No document is so long; places behind it are mistakes."""
NAMED = {*IDS["question_id"], *IDS["text"], "gold", "references", "corpus_id"}


@dataclass(frozen=True)
class Corpus:
    """Documents by their id, and what could not be read.

    `documents` has doc_id and text, sorted by id; `quarantined` place and reason.
    """

    documents: pl.DataFrame
    quarantined: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE))
    notes: tuple[str, ...] = ()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each document's id and text, one held at a time."""
        yield from self.documents.select("doc_id", "text").iter_rows()

    def text(self, doc_id: str) -> str:
        """The text of one document."""
        found = self.documents.filter(pl.col("doc_id") == doc_id)["text"]
        if not found.len():
            raise BadSettings(f"the corpus has no document {doc_id!r}")
        return found.item()


@dataclass(frozen=True)
class Questions:
    """Questions, their gold, and the questions whose gold cannot be placed.

    `table` has question_id, text and whatever else came with them; `gold` a row a span: question
    (a row of `table`), doc_id, start, end (null: the whole document is meant), relevance.
    """

    table: pl.DataFrame
    gold: pl.DataFrame
    quarantined: pl.DataFrame
    notes: tuple[str, ...] = ()


def read_corpus(source: Any) -> Corpus:
    """Documents out of a folder, a table or a mapping.

    Parameters
    ----------
    source
        A folder of text or Markdown files (ids are paths in it), a file that is a table (CSV,
        Parquet, JSON lines), a data frame with doc_id and text, a mapping of ids to texts, or
        "" for the handbook that comes with the library.

    Raises
    ------
    BadSource
        It is not there, holds no document, or gives one id to two texts.

    Examples
    --------
    >>> read_corpus({"a.md": "Nine ferries sail."}).text("a.md")
    'Nine ferries sail.'
    """
    if isinstance(source, Corpus):
        return source
    if isinstance(source, str) and source == DEMO:
        source = shipped("handbook")
    notes: list[str] = []
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        given: Iterator[tuple[str, str | bytes | None]] = _files(Path(source))
    elif isinstance(source, Mapping):
        given = ((str(name), text) for name, text in source.items())
    else:
        table = _table(source, "give a folder of documents, a table, or a mapping of ids to texts")
        lacking = [name for name in ("doc_id", "text") if name not in table.columns]
        if lacking:
            raise BadSource(f"documents have doc_id and text; {lacking[0]} is missing")
        given = table.select(pl.col("doc_id").cast(pl.String), "text").iter_rows()
    kept: dict[str, str] = {}
    bad, windows = [], 0
    for name, raw in given:
        try:
            _decoded(name)
            text = _decoded(raw)
        except ValueError as error:
            bad.append((_printable(name), str(error)))
            continue
        if isinstance(raw, bytes) and "\r" in text:
            text, windows = text.replace("\r\n", "\n").replace("\r", "\n"), windows + 1
        if kept.get(name, text) != text:
            raise BadSource(f"document {name!r} is given twice with different texts")
        kept[name] = text
    if not kept:
        why = f": {bad[0][0]}: {bad[0][1]}" if bad else ""
        raise BadSource(f"no document was found{why}; files end in {', '.join(SUFFIXES)}")
    if windows:
        notes.append(f"{windows} documents have Windows line ends, each counted as one character")
    if hollow := sum(not text.strip() for text in kept.values()):
        notes.append(f"{hollow} documents are empty")
    documents = pl.DataFrame(
        {"doc_id": list(kept), "text": list(kept.values())},
        schema={"doc_id": pl.String, "text": pl.String},
    ).sort("doc_id")
    return Corpus(documents, pl.DataFrame(bad, schema=QUARANTINE, orient="row"), tuple(notes))


def _files(folder: Path) -> Iterator[tuple[str, str | bytes | None]]:
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        outside = not path.resolve().is_relative_to(inside)
        yield name.as_posix(), None if outside else path.read_bytes()


def _printable(name: Any) -> str:
    return str(name).encode("utf-8", "replace").decode()


def _decoded(raw: Any) -> str:
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


def _table(source: Any, wanted: str) -> pl.DataFrame:
    """A table out of a frame, a list of records, or a file."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not path.is_file():
            raise BadSource(f"there is no file or folder {str(source)!r}")
        try:
            return _read(path)
        except (pl.exceptions.PolarsError, *UNREADABLE) as error:
            raise BadSource(f"{path.name} cannot be read as a table: {error}") from None
    if isinstance(source, Sequence) and not isinstance(source, bytes):
        try:
            return pl.DataFrame(list(source), strict=False, infer_schema_length=None)
        except (UnicodeEncodeError, TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            raise BadSource(f"these records are no table: {error}") from None
    return polars_frame(source, wanted)


def _read(path: Path) -> pl.DataFrame:
    match path.suffix.lower():
        case ".parquet":
            return pl.read_parquet(path)
        case ".csv" | ".tsv":
            between = "\t" if path.suffix.lower() == ".tsv" else ","
            return pl.read_csv(path, infer_schema=False, separator=between)
        case ".json" | ".jsonl" | ".ndjson":
            return pl.DataFrame(_records(path), strict=False, infer_schema_length=None)
    raise BadSource(f"{path.name} is no table: CSV, TSV, JSON, JSON lines and Parquet are read")


def _records(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if path.suffix.lower() == ".json":
        found = msgspec.json.decode(data)
        found = found.get("questions", found) if isinstance(found, dict) else found
    else:
        found = [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadSource(f"{path.name} is no list of objects")
    return found


def read_questions(source: Any, corpus: Corpus | None = None) -> Questions:
    """Questions with gold spans, gold texts or gold documents.

    Parameters
    ----------
    source
        A frame, a list of records or a file (JSON lines, JSON, CSV, Parquet; TREC qrels).
        question_id, text and gold: a list of {doc_id, start, end}, of {doc_id, quote} with `nth`
        where the quote occurs more than once, or of {doc_id} for the whole document; JSON text is
        read too, and so is Chroma's shape (question, references, corpus_id). Other columns stay.
    corpus
        Where given, spans are checked against its texts, and quotes are located in them.

    Returns
    -------
    Questions
        A question of which any gold cannot be placed is quarantined whole: what was found of it
        would not be known.

    Examples
    --------
    >>> corpus = read_corpus({"a": "Nine ferries sail. Two rest."})
    >>> rows = [{"question_id": 1, "text": "How many rest?",
    ...          "gold": [{"doc_id": "a", "quote": "Two rest."}]}]
    >>> read_questions(rows, corpus).gold.select("doc_id", "start", "end").row(0)
    ('a', 19, 28)
    """
    if isinstance(source, Questions):
        return source
    if isinstance(source, str) and source == DEMO:
        source = shipped("handbook") / "questions.jsonl"
    if isinstance(source, str | os.PathLike) and (rows := trec(source, 4)) is not None:
        return _from_qrels(rows)
    records = _question_records(source)
    if not records:
        raise BadSource("there are no questions")
    texts = dict(corpus.texts()) if corpus is not None else None
    table: list[dict[str, Any]] = []
    gold: list[dict[str, Any]] = []
    bad: list[tuple[str, str]] = []
    seen: set[str] = set()
    moved = 0
    for number, record in enumerate(records, 1):
        name = _first(record, IDS["question_id"])
        name = f"row {number}" if name is None else str(name)
        try:
            _decoded(name)
            if name in seen:
                raise ValueError("a second question of this id")
            found, shifted = _placed(record, texts)
            text = _first(record, IDS["text"])
            asked = {"question_id": name, "text": None if text is None else _decoded(text)}
        except ValueError as error:
            bad.append((_printable(name), str(error)))
            continue
        seen.add(name)
        gold += [{"question": len(table), **each} for each in found]
        table.append({**asked, **_others(record)})
        moved += shifted
    notes = [f"{moved} gold spans were found again at another place"] if moved else []
    frame = pl.DataFrame(table, strict=False, infer_schema_length=None)
    if not table:
        frame = pl.DataFrame(schema={"question_id": pl.String, "text": pl.String})
    return Questions(
        frame.with_columns(pl.col("text").cast(pl.String)),
        pl.DataFrame(gold, schema=GOLD),
        pl.DataFrame(bad, schema=QUARANTINE, orient="row"),
        tuple(notes),
    )


def _question_records(source: Any) -> list[dict[str, Any]]:
    if isinstance(source, Sequence) and not isinstance(source, str | bytes):
        if not all(isinstance(row, Mapping) for row in source):
            raise BadSettings("questions are records: question_id, text, gold")
        return [dict(row) for row in source]
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in (
        ".json", ".jsonl", ".ndjson",
    ):  # fmt: skip
        try:
            return _records(Path(source))
        except FileNotFoundError:
            raise BadSource(f"there is no file {str(source)!r}") from None
        except UNREADABLE as error:
            raise BadSource(f"{Path(source).name} cannot be read: {error}") from None
    return _table(source, "give questions as a frame, a list of records or a file").to_dicts()


def _first(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((record[name] for name in names if record.get(name) is not None), None)


def _others(record: Mapping[str, Any]) -> dict[str, Any]:
    plain = (str, int, float, bool, np.generic)
    return {
        _printable(name): value.item() if isinstance(value, np.generic) else value
        for name, value in record.items()
        if name not in NAMED and isinstance(value, plain)
        and not (isinstance(value, str) and _broken(value))
    }  # fmt: skip


def _broken(text: str) -> bool:
    try:
        _decoded(text)
    except ValueError:
        return True
    return False


def _placed(
    record: Mapping[str, Any], texts: Mapping[str, str] | None
) -> tuple[list[dict[str, Any]], int]:
    """The gold of one question, placed; and how much of it was not where it was said to be."""
    given = _first(record, ("gold", "references"))
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
    found, moved = [], 0
    for each in given:
        doc_id = _first(each, DOCUMENTS)
        doc_id = record.get("corpus_id") if doc_id is None else doc_id
        start, end = (_whole(_first(each, names)) for names in (STARTS, ENDS))
        quote = _first(each, QUOTES)
        doc_id = None if doc_id is None else _decoded(str(doc_id))
        quote = None if quote is None else _decoded(quote)
        if texts is None:
            if quote is not None and start is None:
                raise ValueError("its gold is a text: give the corpus, so that it can be placed")
            place = _unchecked(doc_id, start, end)
        else:
            place = _located(texts, doc_id, start, end, quote, _whole(each.get("nth")))
        moved += start is not None and place[1] is not None and place[1:] != (start, end)
        relevance = _relevance(each.get("relevance"))
        if start is not None and relevance <= 0:
            continue  # a passage judged to be beside the point
        names = ("doc_id", "start", "end", "relevance")
        found.append(dict(zip(names, (*place, relevance), strict=True)))
    if len({each["start"] is None for each in found}) > 1:
        raise ValueError("its gold mixes spans and whole documents")
    return found, moved


def _relevance(value: Any) -> float:
    try:
        number = 1.0 if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no relevance")
    return number


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


def _unchecked(doc_id: str | None, start: int | None, end: int | None) -> tuple[str, Any, Any]:
    if doc_id is None:
        raise ValueError("its gold names no document")
    if (start is None) != (end is None):
        raise ValueError("its gold has a start or an end only")
    if start is not None and end is not None and not 0 <= start < end:
        raise ValueError(f"gold from {start} to {end} holds no text")
    return doc_id, start, end


def _located(
    texts: Mapping[str, str], doc_id: str | None, start: int | None, end: int | None,
    quote: Any, nth: int | None,
) -> tuple[str, int | None, int | None]:  # fmt: skip
    """Where a piece of gold is: as said if the text there is the quote, else where the quote is."""
    if doc_id is not None and doc_id not in texts:
        raise ValueError(f"its gold lies in {doc_id!r}, which is not in the corpus")
    if quote is None or not str(quote):
        doc_id, start, end = _unchecked(doc_id, start, end)
        if end is not None and end > len(texts[doc_id]):
            length = len(texts[doc_id])
            raise ValueError(f"gold ends at {end}; {doc_id!r} has {length} characters")
        return doc_id, start, end
    quote = str(quote)
    if doc_id and start is not None and start >= 0 and texts[doc_id][start:end] == quote:
        return doc_id, start, start + len(quote)
    within = texts if doc_id is None else {doc_id: texts[doc_id]}
    for occurrences in (_exactly, _loosely):
        spans = [(name, *at) for name, text in within.items() for at in occurrences(text, quote)]
        if 1 <= (nth or 1) <= len(spans) and (nth or len(spans) == 1):
            return spans[(nth or 1) - 1]
        if spans:
            raise ValueError(
                f"its gold text occurs {len(spans)} times"
                + (f", not {nth}" if nth else "; say which with nth, or give start and end")
            )
    raise ValueError(f"its gold text is not in {doc_id or 'any document'}: {quote[:60]!r}")


def _exactly(text: str, quote: str) -> Iterator[tuple[int, int]]:
    at = text.find(quote)
    while at >= 0:
        yield at, at + len(quote)
        at = text.find(quote, at + 1)


def _loosely(text: str, quote: str) -> Iterator[tuple[int, int]]:
    """Where the words of a quote stand, however they are spaced."""
    if words := quote.split():
        yield from (hit.span() for hit in re.finditer(r"\s+".join(map(re.escape, words)), text))


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


def _from_qrels(rows: list[list[str]]) -> Questions:
    try:
        table = pl.DataFrame(
            [(q, d, _relevance(r)) for q, _, d, r in rows],
            schema={"question_id": pl.String, "doc_id": pl.String, "relevance": pl.Float64},
            orient="row",
        )
    except ValueError as error:
        raise BadSource(f"a relevance is no number: {error}") from None
    known = table.select("question_id").unique(maintain_order=True)
    names = known.with_columns(text=pl.lit(None, pl.String))
    gold = table.join(known.with_row_index("question"), on="question_id", how="left")
    spans = gold.with_columns(start=pl.lit(None), end=pl.lit(None)).cast({"question": pl.Int64})
    return Questions(names, spans.select(pl.col(c).cast(t) for c, t in GOLD.items()),
                     pl.DataFrame(schema=QUARANTINE))  # fmt: skip


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
        if column in frame.columns:
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
    given = _table(source, f"give {table} as a frame, a list of records or a file")
    lacking = [name for name in needed if name not in given.columns]
    if lacking:
        have = ", ".join(given.columns) or "none"
        raise BadSource(f"{table} need a column {lacking[0]}; there are {have}")
    if "experiment_id" not in given.columns:
        given = given.with_columns(experiment_id=pl.lit("experiment"))
    for name in ("start", "end", "rank"):
        if name in given.columns and given.schema[name].is_float():
            part = given[name].fill_nan(None).drop_nulls()
            if (part != part.round()).any() or part.is_infinite().any():
                raise BadSource(f"a {name} of the {table} is no whole number")
    extra = [name for name in ("seen", "tokens") if name in given.columns and table == "chunks"]
    try:
        frame = conform(given, table).with_columns(
            given[name].cast(pl.Float64).alias(name) for name in extra
        )
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
