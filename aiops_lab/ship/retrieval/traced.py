"""What a system in production retrieved, out of the retrieval spans of its traces."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.inputs import read_questions
from aiops_lab.tables import SCHEMAS, empty

FLAT = "retrieval.documents.{}.document."
LISTS = ("retrieval.documents", "gen_ai.retrieval.documents")
DATABASE = "db.query.result"
ANYTHING = msgspec.json.Decoder()


def traced_hits(lab: Any, questions: Any = None, *, experiment: str = "traffic") -> pl.DataFrame:
    """The hits that traces tell, to be scored against gold documents or chunks.

    Parameters
    ----------
    lab
        A Lab with traces.
    questions
        Questions to look for, as `read_questions` takes them: requests that ask the same text are
        theirs, of several the latest. Without them each request is a question of its own.
    experiment
        What the hits are called.

    Returns
    -------
    pl.DataFrame
        The canonical table ``hits``: chunk_id is the document's id as it was traced, in the order
        that the span tells.

    Raises
    ------
    BadSettings
        No lab is given.

    Examples
    --------
    >>> import tempfile
    >>> from aiops_lab import open_lab
    >>> traced_hits(open_lab(tempfile.mkdtemp())).height
    0
    """
    scan: Any = getattr(lab, "scan", None)
    if scan is None:
        raise BadSettings("hits are traced in a Lab")
    spans = scan("spans").filter(pl.col("step") == "retrieval")
    rows = spans.select("trace_id", "started_at", "input", "attributes").collect()
    asked = _asked(scan, rows, questions)
    rows = asked.join(rows.drop("input"), on="trace_id", maintain_order="left")
    found = [
        {"experiment_id": experiment, "question_id": question, "rank": rank, "chunk_id": name,
         "score": score}
        for question, attributes in rows.select("question_id", "attributes").iter_rows()
        for rank, (name, score) in enumerate(_documents(attributes), 1)
    ]  # fmt: skip
    if not found:
        return empty("hits")
    hits = pl.DataFrame(found, schema=SCHEMAS["hits"])
    return hits.unique(["question_id", "chunk_id"], keep="first", maintain_order=True)


def _asked(scan: Any, rows: pl.DataFrame, questions: Any) -> pl.DataFrame:
    """Which request asked which question: trace_id and question_id."""
    own = rows.select("trace_id", "started_at").unique("trace_id", maintain_order=True)
    if questions is None:
        return own.select("trace_id", question_id="trace_id")
    known = read_questions(questions).table.drop_nulls("text")
    text = pl.col("text").str.strip_chars()
    told = scan("spans").filter(pl.col("input").is_not_null()).select(
        "trace_id", text=pl.col("input").str.strip_chars()
    )  # fmt: skip
    ids = known.select("question_id", text)
    same = told.join(ids.lazy(), on="text").select("trace_id", "question_id").collect()
    found = own.join(same.unique(), on="trace_id").sort("started_at", "trace_id")
    return found.unique("question_id", keep="last", maintain_order=True).drop("started_at")


def _documents(attributes: str) -> Iterator[tuple[str, float | None]]:
    """Ids and scores of a span's documents, in any of the conventions."""
    told = ANYTHING.decode(attributes)
    listed = next((told[name] for name in LISTS if name in told), None)
    if isinstance(listed, str):
        try:
            listed = ANYTHING.decode(listed)
        except msgspec.DecodeError:
            listed = None
    if isinstance(listed, list):
        for one in listed:
            one = one.get("document", one) if isinstance(one, dict) else {}
            yield from _one(one.get("id", one.get("document.id")),
                            one.get("score", one.get("document.score")))  # fmt: skip
        return
    for event in told.get("otel.events") or []:
        own = event.get("attributes") or {}
        if event.get("name") == DATABASE:
            yield from _one(own.get(f"{DATABASE}.id"), own.get(f"{DATABASE}.score"))
    for number in count():
        at = FLAT.format(number)
        if f"{at}id" not in told and f"{at}content" not in told:
            return
        yield from _one(told.get(f"{at}id"), told.get(f"{at}score"))


def _one(name: Any, score: Any) -> Iterator[tuple[str, float | None]]:
    if name is not None:
        number = isinstance(score, int | float) and not isinstance(score, bool)
        yield str(name), float(score) if number else None
