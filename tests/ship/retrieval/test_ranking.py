"""Measures of whole documents: each question's as trec_eval itself counts them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import pytrec_eval

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.ship.retrieval.ranking import document_metrics

NAMES = {
    "mrr": "recip_rank", "map": "map", "ndcg": "ndcg", "recall@5": "recall_5",
    "recall@10": "recall_10", "precision@5": "P_5", "precision@10": "P_10",
    "ndcg@5": "ndcg_cut_5", "ndcg@10": "ndcg_cut_10",
}  # fmt: skip


def nested(frame: pl.DataFrame, value: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for question, document, number in frame.select("question_id", "doc_id", value).iter_rows():
        found.setdefault(question, {})[document] = number
    return found


def rankings(questions: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Many ties, unjudged and irrelevant documents, questions without an answer."""
    chance = np.random.default_rng(seed)
    hits = chance.integers(0, 40, questions)
    q = np.repeat(np.arange(questions), hits)
    names = np.array([f"d{n}" for n in range(60)] + ["é", "Z", "zz", "日本"])
    few = chance.random(questions) < 0.5
    scores = np.where(few[q], chance.integers(0, 4, q.size), chance.normal(size=q.size) * 10)
    run = pl.DataFrame(
        {
            "question_id": np.char.add("q", q.astype(str)),
            "doc_id": names[chance.integers(0, names.size, q.size)],
            "score": scores + np.where(chance.random(q.size) < 0.2, 1e-9, 0.0),
        }
    ).unique(["question_id", "doc_id"], maintain_order=True)
    judged = chance.integers(1, 12, questions)
    j = np.repeat(np.arange(questions), judged)
    qrels = pl.DataFrame(
        {
            "question_id": np.char.add("q", j.astype(str)),
            "doc_id": names[chance.integers(0, names.size, j.size)],
            "relevance": chance.integers(0, 4, j.size),
        }
    ).unique(["question_id", "doc_id"], maintain_order=True)
    return qrels, run


def check(questions: int, seed: int) -> None:
    qrels, run = rankings(questions, seed)
    found = document_metrics(qrels, run, (5, 10))
    measures = {"recip_rank", "map", "ndcg", "recall.5,10", "P.5,10", "ndcg_cut.5,10"}
    oracle = pytrec_eval.RelevanceEvaluator(nested(qrels, "relevance"), measures)
    theirs = oracle.evaluate(nested(run, "score"))
    for ours, name in NAMES.items():
        wanted = np.array([theirs.get(q, {}).get(name, 0.0) for q in found["question_id"]])
        assert np.abs(found[ours].to_numpy() - wanted).max() <= 1e-12, name


@pytest.mark.parametrize("seed", range(3))
def test_measures_are_those_of_trec_eval(seed: int) -> None:
    check(2_000, seed)


@pytest.mark.slow
def test_measures_are_those_of_trec_eval_on_fifty_thousand_questions() -> None:
    check(50_000, 7)


def test_equal_scores_are_ranked_by_document_the_last_first() -> None:
    qrels = pl.DataFrame({"question_id": ["q"], "doc_id": ["b"], "relevance": [1]})
    run = pl.DataFrame({"question_id": ["q"] * 3, "doc_id": ["a", "b", "c"], "score": [1.0] * 3})
    assert document_metrics(qrels, run)["mrr"].item() == 1 / 2


def test_a_question_without_a_hit_counts_as_0() -> None:
    qrels = pl.DataFrame({"question_id": ["q", "r"], "doc_id": ["b", "b"], "relevance": [1, 1]})
    run = pl.DataFrame({"question_id": ["q"], "doc_id": ["b"], "score": [1.0]})
    assert document_metrics(qrels, run)["map"].to_list() == [1.0, 0.0]


def test_a_document_twice_in_a_ranking_or_a_score_of_nan_is_refused() -> None:
    qrels = pl.DataFrame({"question_id": ["q"], "doc_id": ["b"], "relevance": [1]})
    run = pl.DataFrame({"question_id": ["q"] * 2, "doc_id": ["b"] * 2, "score": [1.0, 2.0]})
    with pytest.raises(BadSource, match="ranked twice"):
        document_metrics(qrels, run)
    with pytest.raises(BadSource, match="NaN"):
        document_metrics(qrels, run.head(1).with_columns(score=float("nan")))
    with pytest.raises(BadSettings, match="cut"):
        document_metrics(qrels, run.head(1), [0])


def test_less_than_nothing_is_not_relevant() -> None:
    qrels = pl.DataFrame(
        {"question_id": ["q"] * 3, "doc_id": ["a", "b", "c"], "relevance": [-1, 0, 2]}
    )
    run = pl.DataFrame({"question_id": ["q"] * 3, "doc_id": ["a", "b", "c"], "score": [3.0, 2, 1]})
    found = document_metrics(qrels, run).row(0, named=True)
    assert (found["mrr"], found["map"], found["recall@5"]) == (1 / 3, 1 / 3, 1.0)
