"""Did the retriever or the writer fail?"""

from __future__ import annotations

from typing import Any

import pytest

from aiops_lab import Retrieval, retriever_or_writer, run_retrieval
from aiops_lab.charts import answers
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
    shown = answers.failures(found, rows)
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


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"user_input": "tea saloon", "response": "Tea", "faithfulness": 0.9}, None),  # Ragas
        ({"input": "tea saloon", "output": "Tea", "Groundedness": 1.0}, None),  # TruLens
        ({"attributes.input.value": "tea saloon", "attributes.output.value": "Tea", "score": 1,
          "label": "factual"}, {"grounded": "label"}),  # Phoenix
        ({"question_id": "a", "answer": "Tea", "judge": "Yes"}, {"grounded": "judge"}),
    ],
)  # fmt: skip
def test_what_judges_write_is_read_by_their_names(
    found: Retrieval, row: dict[str, Any], columns: dict[str, str] | None
) -> None:
    told = retriever_or_writer(found, [row], columns=columns)
    assert told.select("question_id", "by", "case").row(0) == ("a", "judge", GOOD)


@pytest.mark.parametrize(
    "columns", [{"grounded": "nowhere"}, {"verdict": "answer"}, {"answer": "grounded", "x": "y"}]
)
def test_a_column_that_is_not_there_is_refused(found: Retrieval, columns: dict[str, str]) -> None:
    rows = [{"question_id": "a", "answer": "x", "grounded": 1.0}]
    with pytest.raises(LabError, match="there are question_id, answer, grounded"):
        retriever_or_writer(found, rows, columns=columns)


def test_a_judges_word_that_means_nothing_is_refused(found: Retrieval) -> None:
    rows = [{"question_id": "a", "answer": "x", "grounded": "perhaps"}]
    with pytest.raises(LabError, match="perhaps"):
        retriever_or_writer(found, rows)


def test_the_demos_answers_fall_into_all_cases_and_are_only_for_its_own_hits() -> None:
    demo = run_retrieval("", "", ["markdown-800"], retrievers=["bm25"])
    rows = retriever_or_writer(demo, answers.answers_to(demo, ""))
    assert rows.height == 120
    assert rows["case"].n_unique() == 5
    title = answers.quarters(demo).to_dict()["title"]["text"]
    assert title == "Where answers failed it was mostly the retriever: 42 of 102"
    assert answers.failures(demo).cases
    other = run_retrieval("", "", ["characters-400"], retrievers=["bm25"])
    assert "No answers" in answers.quarters(other).title
