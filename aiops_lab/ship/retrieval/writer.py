"""Did the retriever or the writer fail? What was found, against what the answer rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.measures.support import lexical_support
from aiops_lab.ship.retrieval.inputs import is_demo
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.shipped import shipped
from aiops_lab.sources.retrieval import read_table

GOOD, WRITER, RETRIEVER, ODD, UNJUDGED = (
    "found and grounded",
    "found, not grounded: look at the writer",
    "not found, not grounded: look at the retriever",
    "grounded without the gold: look at the judge or the gold",
    "not judged",
)
CASES = (WRITER, RETRIEVER, ODD, UNJUDGED, GOOD)
HALF = 0.5
KNOWN = {
    "question_id": ("question_id", "qid"),
    "text": ("user_input", "question", "input", "query", "attributes.input.value"),
    "answer": ("answer", "response", "output", "attributes.output.value"),
    "grounded": ("grounded", "groundedness", "Groundedness", "faithfulness"),
}
"""What these columns are called by those who judge: Ragas, TruLens, Phoenix."""
YES = ("true", "yes", "1", "pass", "passed", "grounded", "supported", "factual")
NO = ("false", "no", "0", "fail", "failed", "ungrounded", "unsupported", "hallucinated")


def retriever_or_writer(
    result: Retrieval,
    answers: Any,
    experiment: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Each answered question in one of four cases, or not judged.

    Parameters
    ----------
    result
        The experiment whose hits the answers were written from.
    answers
        A frame, records or a file: question_id (or the question's text) and answer; ``grounded``
        where a judge scored it (0 to 1, or a verdict in words; missing ones are counted, not
        dropped). Without that column lexical support stands in for it, which negation defeats and
        paraphrase lowers. Frames of Ragas, TruLens and Phoenix are read by their own names.
    experiment
        The configuration, where there are several and no column ``experiment_id`` names it.
    columns
        Names of other columns: question_id, text, answer or grounded, and theirs.

    Returns
    -------
    pl.DataFrame
        experiment_id, question_id, answer, found (recall of the hits at k), grounded (the judge's
        or lexical support), by (judge or words), case: found and grounded at one half or more each.

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
    given = _answers(answers, result, columns or {})
    name = _written_from(result, given, experiment)
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
    return rows.select(
        pl.lit(name).alias("experiment_id"), "question_id", "answer", "found", "grounded", "by",
        case=case,
    )  # fmt: skip


def answers_to(result: Retrieval, source: Any) -> Any:
    """The answers meant: "" stands for those that come with the library, of its own questions.

    None where they answer none of these questions, or from hits that are not there.
    """
    if not is_demo(source):
        return source
    rows = read_table(shipped("handbook") / "answers.jsonl", "answers")
    known = rows["experiment_id"][0] in result.configurations["experiment_id"]
    rows = rows.filter(pl.col("question_id").is_in(result.questions["question_id"].implode()))
    return rows if known and rows.height else None


def _written_from(result: Retrieval, given: pl.DataFrame, experiment: str | None) -> str:
    known = result.configurations["experiment_id"].to_list()
    said = given["experiment_id"].unique() if "experiment_id" in given.columns else []
    name = experiment or (said[0] if len(said) == 1 else known[0] if len(known) == 1 else None)
    if name is None or name not in known:
        raise BadSettings(f"name the experiment whose hits were used: {', '.join(known)}")
    return name


def _answers(source: Any, result: Retrieval, columns: Mapping[str, str]) -> pl.DataFrame:
    frame = read_table(source, "give answers as a frame, a list of records or a file")
    for name, theirs in columns.items():
        if name not in KNOWN or theirs not in frame.columns:
            have = ", ".join(frame.columns)
            raise BadSettings(f"columns: {name} = {theirs!r}; there are {have}")
    for name, spellings in KNOWN.items():
        theirs = columns.get(name) or next((s for s in spellings if s in frame.columns), None)
        if theirs is not None and (name in columns or name not in frame.columns):
            frame = frame.with_columns(pl.col(theirs).alias(name))
    if "question_id" not in frame.columns and "text" in frame.columns:
        asked = result.questions.drop_nulls("text")
        ids = asked.select(pl.col("text").str.strip_chars(), "question_id").unique("text")
        text = pl.col("text").cast(pl.String).str.strip_chars().str.strip_chars('"')
        frame = frame.with_columns(text.str.strip_chars())
        frame = frame.join(ids, on="text", how="left", maintain_order="left")
        unknown = pl.format("no question: {}", pl.col("text").str.head(60))
        frame = frame.with_columns(pl.coalesce("question_id", unknown))
    for name in ("question_id", "answer"):
        if name not in frame.columns:
            have = ", ".join(frame.columns)
            raise BadSource(f"answers have question_id and answer; {name} is missing from {have}")
    if frame.schema["answer"].is_nested() or frame.schema["question_id"].is_nested():
        raise BadSource("question_id and answer are texts, not lists or objects")
    whole = pl.col("question_id").cast(pl.String).str.strip_suffix(".0")
    ids = whole if frame.schema["question_id"].is_float() else pl.col("question_id")
    frame = frame.with_columns(ids.cast(pl.String), pl.col("answer").cast(pl.String))
    if frame["question_id"].is_duplicated().any():
        raise BadSource("a question is answered twice; give the answers of one configuration")
    return frame if "grounded" not in frame.columns else frame.with_columns(_judged(frame))


def _judged(frame: pl.DataFrame) -> pl.Series:
    """Scores from 0 to 1, or words for them."""
    if frame.schema["grounded"].is_nested():
        raise BadSource("grounded is a number from 0 to 1, or yes or no; not a list or an object")
    if isinstance(frame.schema["grounded"], pl.Categorical | pl.Enum):
        frame = frame.with_columns(pl.col("grounded").cast(pl.String))
    given = frame["grounded"]
    if given.dtype == pl.String:
        text = pl.col("grounded").str.strip_chars().str.to_lowercase()
        number = text.cast(pl.Float64, strict=False)
        word = pl.when(text.is_in(YES)).then(1.0).when(text.is_in(NO)).then(0.0)
        scores = frame.select(pl.coalesce(number, word).alias("grounded")).to_series()
        unread = given.filter(
            scores.is_null() & given.is_not_null() & (given.str.strip_chars() != "")
        )
        if unread.len():
            raise BadSource(f"grounded is a number from 0 to 1, or yes or no; not {unread[0]!r}")
    else:
        scores = given.cast(pl.Float64, strict=False)
    scores = scores.fill_nan(None)
    if not scores.drop_nulls().is_between(0, 1).all():
        raise BadSource("grounded lies between 0 and 1")
    return scores


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
