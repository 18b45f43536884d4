"""Did the retriever or the writer fail? What was found, against what the answer rests on."""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.measures.support import lexical_support
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.sources.flat import polars_frame

GOOD, WRITER, RETRIEVER, ODD, UNJUDGED = (
    "found and grounded",
    "found, not grounded: look at the writer",
    "not found, not grounded: look at the retriever",
    "grounded without the gold: look at the judge or the gold",
    "not judged",
)
CASES = (WRITER, RETRIEVER, ODD, UNJUDGED, GOOD)
HALF = 0.5


def retriever_or_writer(
    result: Retrieval, answers: Any, experiment: str | None = None
) -> pl.DataFrame:
    """Each answered question in one of four cases, or not judged.

    Parameters
    ----------
    result
        The experiment whose hits the answers were written from.
    answers
        question_id and answer; ``grounded`` where a judge scored it (0 to 1, or a truth value;
        missing ones are counted, not dropped). Without that column lexical support stands in for
        it, which negation defeats and paraphrase lowers.
    experiment
        The configuration; needed where there are several.

    Returns
    -------
    pl.DataFrame
        question_id, answer, found (recall of the hits at k), grounded (the judge's or lexical
        support), by (judge or words), case: found and grounded at one half or more each.

    Raises
    ------
    BadSource, BadSettings
        A column is missing, a judge's score lies outside of 0 to 1, or no experiment is named.

    Examples
    --------
    >>> from aiops_lab import run_retrieval
    >>> asked = [{"question_id": 1, "text": "When is tea?", "gold": [{"doc_id": "a",
    ...           "quote": "Tea is at four."}]}]
    >>> found = run_retrieval({"a": "Tea is at four."}, asked, ["windows-80"], retrievers=["bm25"])
    >>> rows = [{"question_id": 1, "answer": "Lunch was served by nobody."}]
    >>> retriever_or_writer(found, rows)["case"].item()
    'found, not grounded: look at the writer'
    """
    known = result.configurations["experiment_id"].to_list()
    name = experiment or (known[0] if len(known) == 1 else None)
    if name is None or name not in known:
        raise BadSettings(f"name the experiment whose hits were used: {', '.join(known)}")
    given = _answers(answers)
    own = result.per_question.filter(experiment_id=name).select("question_id", found="recall")
    rows = given.join(own, on="question_id", how="left", maintain_order="left")
    if "grounded" not in rows.columns:
        contexts = [_context(result, name, question) for question in rows["question_id"]]
        support = lexical_support(rows["answer"], contexts)["support"]
        rows = rows.with_columns(support.alias("grounded"), by=pl.lit("words"))
    else:
        rows = rows.with_columns(by=pl.lit("judge"))
    found, grounded = pl.col("found") >= HALF, pl.col("grounded") >= HALF
    case = (
        pl.when(pl.any_horizontal(pl.col("found", "grounded").is_null()))
        .then(pl.lit(UNJUDGED))
        .when(found & grounded).then(pl.lit(GOOD))
        .when(found).then(pl.lit(WRITER))
        .when(grounded).then(pl.lit(ODD))
        .otherwise(pl.lit(RETRIEVER))
    )  # fmt: skip
    return rows.select("question_id", "answer", "found", "grounded", "by", case=case)


def _answers(source: Any) -> pl.DataFrame:
    try:
        frame = (
            pl.DataFrame(source) if isinstance(source, list) else polars_frame(source, "answers")
        )
    except (TypeError, UnicodeEncodeError, pl.exceptions.PolarsError) as error:
        raise BadSource(f"the answers are no table: {error}") from None
    for name in ("question_id", "answer"):
        if name not in frame.columns:
            raise BadSource(f"answers have question_id and answer; {name} is missing")
    frame = frame.with_columns(pl.col("question_id", "answer").cast(pl.String))
    if frame["question_id"].is_duplicated().any():
        raise BadSource("a question is answered twice; give the answers of one configuration")
    if "grounded" in frame.columns:
        frame = frame.with_columns(pl.col("grounded").cast(pl.Float64).fill_nan(None))
        if not frame["grounded"].drop_nulls().is_between(0, 1).all():
            raise BadSource("grounded lies between 0 and 1")
    return frame


def _context(result: Retrieval, experiment: str, question: str) -> list[str]:
    """The texts that the answer was written from."""
    if result.corpus is None:
        raise BadSettings("lexical support needs the texts: give the corpus, or a judge's scores")
    k = result.settings["k"]
    hits = result.hits.filter(experiment_id=experiment, question_id=question)
    hits = hits if k in (None, -1) else hits.filter(pl.col("rank") <= k)
    parts = hits.join(result.chunks, on=["experiment_id", "chunk_id"], maintain_order="left")
    spans = parts.select("doc_id", "start", "end").iter_rows()
    return [result.corpus.text(doc_id)[start:end] for doc_id, start, end in spans]
