"""What an experiment is given: documents, questions with their gold, chunks and hits.

Gold is a span of characters in a document, so it survives any way of dividing it. Characters are
Unicode code points, as Python counts them; in files a Windows line end counts as one.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.shipped import shipped
from aiops_lab.sources.retrieval import (
    decoded,
    printable,
    qrels,
    read_asked,
    read_table,
)
from aiops_lab.tables import schema_of

SUFFIXES = (".md", ".markdown", ".mdx", ".txt", ".text", ".rst", ".adoc", ".org")
QUARANTINE = schema_of("place reason")
GOLD = schema_of("question:int start:int end:int doc_id relevance:float")
DEMO = ""
"""Stands for the handbook of a ferry line that comes with the library, and its questions."""
HANDBOOK = "demo:handbook"
"""The same, where "" would be a lab's own."""
PYTHON = "python:topics"
"""Stands for the documentation that Python itself carries, and questions about it."""
LONGEST = 4_000
"""No gold passage between two anchors is longer, in characters."""


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


def outside(chunks: pl.DataFrame, corpus: Corpus) -> pl.DataFrame:
    """The chunks that lie in no document (length null), or end behind theirs."""
    lengths = corpus.documents.select("doc_id", length=pl.col("text").str.len_chars())
    rows = chunks.join(lengths, on="doc_id", how="left", maintain_order="left")
    return rows.filter(pl.col("length").is_null() | (pl.col("end") > pl.col("length")))


class Passages(Sequence[str]):
    """Spans of documents as texts, cut out when asked for: a large corpus is not held twice."""

    def __init__(self, corpus: Corpus, doc_ids: list[str], spans: list[tuple[int, int]]) -> None:
        self._texts = corpus.documents["text"]
        rows = {name: row for row, name in enumerate(corpus.documents["doc_id"])}
        self._rows = np.array([rows[name] for name in doc_ids], np.int64)
        self._spans = np.array(spans, np.int64).reshape(-1, 2)
        self._open: tuple[int, str] = (-1, "")

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One text, or some; the document it was cut from stays open for the next."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        row = int(self._rows[index])
        if row != self._open[0]:
            self._open = row, self._texts[row]
        start, end = self._spans[index]
        return self._open[1][start:end]


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

    def named_gold(self) -> pl.DataFrame:
        """The gold with the questions' own ids."""
        ids = self.table["question_id"].gather(self.gold["question"])
        return self.gold.with_columns(ids).select(
            "question_id", "doc_id", "start", "end", "relevance"
        )


def read_corpus(source: Any) -> Corpus:
    """Documents out of a folder, a table or a mapping.

    Parameters
    ----------
    source
        A folder of text or Markdown files (ids are paths in it), a file that is a table (CSV,
        Parquet, JSON lines), a data frame with doc_id and text, a mapping of ids to texts, or
        "" for the handbook that comes with the library, "python:topics" for the documentation that
        Python itself carries.

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
    notes: list[str] = []
    if is_demo(source):
        source = shipped("handbook")
    if isinstance(source, str) and source == PYTHON:
        from pydoc_data.topics import topics

        source = topics
        notes.append(f"the documentation that Python {platform.python_version()} carries")
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        given: Iterator[tuple[str, str | bytes | None]] = _files(Path(source))
    elif isinstance(source, Mapping):
        given = ((str(name), text) for name, text in source.items())
    else:
        table = read_table(
            source, "give a folder of documents, a table, or a mapping of ids to texts"
        )
        lacking = [name for name in ("doc_id", "text") if name not in table.columns]
        if lacking:
            raise BadSource(f"documents have doc_id and text; {lacking[0]} is missing")
        given = table.select(pl.col("doc_id").cast(pl.String), "text").iter_rows()
    kept: dict[str, str] = {}
    bad, windows = [], 0
    for name, raw in given:
        try:
            decoded(name)
            text = decoded(raw)
        except ValueError as error:
            bad.append((printable(name), str(error)))
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


def read_questions(source: Any, corpus: Corpus | None = None) -> Questions:
    """Questions with gold spans, gold texts or gold documents.

    Parameters
    ----------
    source
        A frame, a list of records or a file (JSON lines, JSON, CSV, Parquet; TREC qrels).
        question_id, text and gold: a list of {doc_id, start, end}, of {doc_id, quote} with `nth`
        where the quote occurs more than once, of {doc_id, first, last} for the passage between
        these words, or of {doc_id} for the whole document; JSON text is read too, and so is
        Chroma's shape (question, references, corpus_id). Other columns stay.
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
    if isinstance(source, str) and source in (DEMO, PYTHON):
        source = shipped("handbook" if is_demo(source) else "python_topics") / "questions.jsonl"
    if isinstance(source, str | os.PathLike) and (judged := qrels(source)) is not None:
        return _from_qrels(judged)
    texts = dict(corpus.texts()) if corpus is not None else None
    table: list[dict[str, Any]] = []
    gold: list[dict[str, Any]] = []
    asked, bad = read_asked(source)
    moved = reworded = 0
    for each in asked:
        try:
            found, away, other = _placed(each.gold, texts)
        except ValueError as error:
            bad.append((printable(each.question_id), str(error)))
            continue
        gold += [{"question": len(table), **piece} for piece in found]
        table.append({"question_id": each.question_id, "text": each.text, **each.others})
        moved, reworded = moved + away, reworded + other
    notes = [
        note for count, note in (
            (moved, f"{moved} gold spans were found again at another place"),
            (reworded, f"{reworded} gold passages read otherwise than when they were noted"),
        ) if count
    ]  # fmt: skip
    frame = pl.DataFrame(table, strict=False, infer_schema_length=None)
    if not table:
        frame = pl.DataFrame(schema={"question_id": pl.String, "text": pl.String})
    return Questions(
        frame.with_columns(pl.col("text").cast(pl.String)),
        pl.DataFrame(gold, schema=GOLD),
        pl.DataFrame(bad, schema=QUARANTINE, orient="row"),
        tuple(notes),
    )


def is_demo(given: Any) -> bool:
    """Whether documents, questions or answers are not named: those of the demo are meant."""
    return isinstance(given, str) and given == DEMO


def own_questions(corpus: Any, questions: Any) -> Any:
    """The questions meant: those of a corpus that comes with the library where none are given."""
    if not is_demo(questions):
        return questions
    if isinstance(corpus, str) and corpus in (DEMO, PYTHON):
        return corpus
    raise BadSettings(
        "the questions of the demo are about its own documents; give questions about yours"
    )


def _placed(
    gold: list[dict[str, Any]], texts: Mapping[str, str] | None
) -> tuple[list[dict[str, Any]], int, int]:
    """The gold of one question, placed; how much of it lies elsewhere, and reads otherwise."""
    found, moved, reworded = [], 0, 0
    for each in gold:
        doc_id, start, end, quote = (each[name] for name in ("doc_id", "start", "end", "quote"))
        if each["first"] is not None:
            place, same = _anchored(texts, each)
            reworded += not same
        elif texts is None:
            if quote is not None and start is None:
                raise ValueError("its gold is a text: give the corpus, so that it can be placed")
            place = _unchecked(doc_id, start, end)
        else:
            place = _located(texts, doc_id, start, end, quote, each["nth"])
        moved += start is not None and place[1] is not None and place[1:] != (start, end)
        relevance = 1.0 if each["relevance"] is None else each["relevance"]
        if place[1] is not None and relevance <= 0:
            continue  # a passage judged to be beside the point
        names = ("doc_id", "start", "end", "relevance")
        found.append(dict(zip(names, (*place, relevance), strict=True)))
    if len({each["start"] is None for each in found}) > 1:
        raise ValueError("its gold mixes spans and whole documents")
    return found, moved, reworded


def _anchored(
    texts: Mapping[str, str] | None, each: Mapping[str, Any]
) -> tuple[tuple[str, int, int], bool]:
    """The passage between two anchors, and whether its words are those that were noted."""
    doc_id, first, last = each["doc_id"], each["first"], each["last"]
    if texts is None or doc_id not in texts or not (first.split() and (last or "").split()):
        raise ValueError(f"its gold needs a document that is there, first and last: {doc_id!r}")
    text = texts[doc_id]
    opens = list(_loosely(text, first))
    if len(opens) != 1:
        raise ValueError(f"its gold begins {len(opens)} times in {doc_id!r}: {first[:60]!r}")
    start, behind = opens[0]
    closes = next(_loosely(text[behind : start + LONGEST], last), None)
    if closes is None:
        raise ValueError(f"its gold has no end in {doc_id!r}: {last[:60]!r}")
    end = behind + closes[1]
    words = " ".join(text[start:end].split())
    known = hashlib.sha256(words.encode()).hexdigest()[:16]
    return (doc_id, start, end), each["digest"] in (None, known)


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


def _from_qrels(table: pl.DataFrame) -> Questions:
    known = table.select("question_id").unique(maintain_order=True)
    names = known.with_columns(text=pl.lit(None, pl.String))
    gold = table.join(known.with_row_index("question"), on="question_id", how="left")
    spans = gold.with_columns(start=pl.lit(None), end=pl.lit(None)).cast({"question": pl.Int64})
    return Questions(names, spans.select(pl.col(c).cast(t) for c, t in GOLD.items()),
                     pl.DataFrame(schema=QUARANTINE))  # fmt: skip
