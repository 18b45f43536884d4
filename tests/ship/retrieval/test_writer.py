"""Did the retriever or the writer fail?"""

from __future__ import annotations

from typing import Any

import pytest

from aiops_lab import Retrieval, retriever_or_writer, run_retrieval
from aiops_lab.charts import retrieval
from aiops_lab.errors import LabError
from aiops_lab.ship.retrieval.writer import GOOD, ODD, RETRIEVER, UNJUDGED, WRITER

TEXT = "Tea is served at four in the saloon. " + "The crew paints the rails in May. " * 20


@pytest.fixture(scope="module")
def found() -> Retrieval:
    gold = [{"doc_id": "d", "start": 0, "end": 36}]
    asked = [
        {"question_id": name, "text": text, "gold": gold}
        for name, text in (("a", "tea saloon"), ("b", "crew rails"), ("c", "tea"), ("d", "rails"))
    ] + [{"question_id": "e", "text": "sauna", "gold": []}]
    return run_retrieval({"d": TEXT}, asked, {"own": lambda t: [(0, 36), (37, 71), (71, 105)]},
                         retrievers=["bm25"], k=1)  # fmt: skip


def test_each_answer_falls_into_its_case(found: Retrieval) -> None:
    rows = [
        {"question_id": q, "answer": "?", "grounded": grounded}
        for q, grounded in (("a", 0.9), ("b", 0.1), ("c", 0.2), ("d", 1.0), ("e", 1.0))
    ] + [{"question_id": "f", "answer": "?", "grounded": None}]
    cases = dict(retriever_or_writer(found, rows).select("question_id", "case").iter_rows())
    assert cases == {"a": GOOD, "b": RETRIEVER, "c": WRITER, "d": ODD, "e": UNJUDGED, "f": UNJUDGED}
    shown = retrieval.failures(found, rows)
    assert shown.total == 6
    assert "1 found and grounded" in shown.title


def test_a_judge_that_gave_no_score_is_counted_and_not_dropped(found: Retrieval) -> None:
    rows = [{"question_id": "a", "answer": "x", "grounded": float("nan")}]
    assert retriever_or_writer(found, rows)["case"].to_list() == [UNJUDGED]


def test_without_a_judge_the_words_stand_in(found: Retrieval) -> None:
    rows = [
        {"question_id": "a", "answer": "Tea is served at four in the saloon."},
        {"question_id": "c", "answer": "Coffee costs nine crowns on deck seven."},
    ]
    told = retriever_or_writer(found, rows)
    assert told["case"].to_list() == [GOOD, WRITER]
    assert told["by"].to_list() == ["words", "words"]


@pytest.mark.parametrize(
    "rows",
    [
        5,
        [{"question_id": "a"}],
        [{"question_id": "a", "answer": "x"}] * 2,
        [{"question_id": "a", "answer": "x", "grounded": 7.0}],
        [{"question_id": "a", "answer": "\ud800"}],
    ],
)
def test_answers_that_are_none_are_refused(found: Retrieval, rows: Any) -> None:
    with pytest.raises(LabError):
        retriever_or_writer(found, rows)


def test_of_several_experiments_one_is_named(found: Retrieval) -> None:
    with pytest.raises(LabError, match="name the experiment"):
        retriever_or_writer(found, [{"question_id": "a", "answer": "x"}], "no such")
