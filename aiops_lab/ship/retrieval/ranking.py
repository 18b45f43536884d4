"""Whole documents ranked: recall, precision, MRR, MAP and nDCG as trec_eval counts them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aiops_lab.errors import BadSettings, BadSource

MEASURES = ("mrr", "map", "ndcg")


def document_metrics(
    qrels: pl.DataFrame, run: pl.DataFrame, ks: Sequence[int] = (5, 10)
) -> pl.DataFrame:
    """The measures of each question of `qrels`.

    Parameters
    ----------
    qrels
        question_id, doc_id, relevance (0 or less: not relevant).
    run
        question_id, doc_id, score; one row a question and document.
    ks
        Where the ranking is cut.

    Returns
    -------
    pl.DataFrame
        question_id, mrr, map, ndcg and recall@k, precision@k, ndcg@k for each k, in the order of
        `qrels`. A question without a hit has 0, one without a relevant document too (trec_eval's
        rule); equal scores (in single precision) are ranked by doc_id, the last first.

    Raises
    ------
    BadSource
        A document is there twice in one ranking or one question's judgements, or a score is NaN.

    Notes
    -----
    nDCG is linear in the gain: ``sum relevance / log2(rank + 1)`` over that of the ideal order.

    Examples
    --------
    >>> qrels = pl.DataFrame({"question_id": ["q", "q"], "doc_id": ["a", "b"], "relevance": [1, 1]})
    >>> run = pl.DataFrame({"question_id": ["q"] * 2, "doc_id": ["c", "a"], "score": [2.0, 1.0]})
    >>> document_metrics(qrels, run, [1]).select("mrr", "map", "recall@1").row(0)
    (0.5, 0.25, 0.0)
    """
    if any(k < 1 for k in ks):
        raise BadSettings("a ranking is cut at 1 or later")
    questions = qrels.select("question_id").unique(maintain_order=True)
    code = pl.Enum(questions["question_id"])
    judged = qrels.select(
        pl.col("question_id").cast(code), "doc_id", pl.col("relevance").cast(pl.Float64)
    )
    for frame, what in ((judged, "judged"), (run, "ranked")):
        if frame.select(pl.struct("question_id", "doc_id").is_duplicated().any()).item():
            raise BadSource(f"a document is {what} twice for one question")
    if run["score"].is_null().any() or run["score"].cast(pl.Float64).is_nan().any():
        raise BadSource("a score of the ranking is missing or NaN")
    relevant = judged.filter(pl.col("relevance") > 0)
    found = _ranks(run, code).join(relevant, on=["question_id", "doc_id"])
    found = found.sort("question_id", "rank")
    return _measured(questions.cast(code), relevant, found, ks).with_columns(
        pl.col("question_id").cast(pl.String)
    )


def _ranks(run: pl.DataFrame, code: pl.Enum) -> pl.DataFrame:
    """Each row's place in its ranking."""
    own = run.lazy().select(
        pl.col("question_id").cast(code, strict=False), "doc_id", pl.col("score").cast(pl.Float32)
    )
    ordered = own.drop_nulls("question_id").sort(
        "question_id", "score", "doc_id", descending=[False, True, True]
    )
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    return ordered.with_columns(rank=place.over("question_id")).collect()


def _measured(
    questions: pl.DataFrame, relevant: pl.DataFrame, found: pl.DataFrame, ks: Sequence[int]
) -> pl.DataFrame:
    """Sums over the relevant documents that came back, over those that should have."""
    rank, gain = pl.col("rank"), pl.col("relevance")
    gained = gain / (rank + 1).log(2)
    nth = pl.int_range(1, pl.len() + 1).over("question_id")
    sums = (
        found.with_columns(nth=nth)
        .group_by("question_id")
        .agg(
            (1 / rank).max().alias("mrr"),
            (pl.col("nth") / rank).sum().alias("map"),
            gained.sum().alias("ndcg"),
            *((rank <= k).sum().alias(f"found@{k}") for k in ks),
            *(gained.filter(rank <= k).sum().alias(f"ndcg@{k}") for k in ks),
        )
    )
    ideal = relevant.sort("question_id", "relevance", descending=[False, True]).with_columns(
        rank=nth
    )
    best = ideal.group_by("question_id").agg(
        pl.len().alias("relevant"),
        gained.sum().alias("best"),
        *(gained.filter(rank <= k).sum().alias(f"best@{k}") for k in ks),
    )
    joined = questions.join(best, on="question_id", how="left", maintain_order="left").join(
        sums, on="question_id", how="left", maintain_order="left"
    )

    def over(above: str, below: str | int) -> pl.Expr:
        under = pl.lit(below) if isinstance(below, int) else pl.col(below)
        return (pl.col(above) / under).fill_null(0.0)

    return joined.select(
        "question_id",
        pl.col("mrr").fill_null(0.0),
        over("map", "relevant").alias("map"),
        over("ndcg", "best").alias("ndcg"),
        *(over(f"found@{k}", "relevant").alias(f"recall@{k}") for k in ks),
        *(over(f"found@{k}", k).alias(f"precision@{k}") for k in ks),
        *(over(f"ndcg@{k}", f"best@{k}").alias(f"ndcg@{k}") for k in ks),
    )
