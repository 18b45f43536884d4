"""Pictures and the browser of a retrieval experiment: what they show is what was found."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aiops_lab import Retrieval, run_retrieval, score_retrieval, widgets
from aiops_lab.charts import passages, retrieval
from aiops_lab.charts.figures import figures

CHARTS = (
    retrieval.standing, retrieval.curve, retrieval.losses, retrieval.sizes, retrieval.turned,
)  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)> </script> \u202e {{7*7}} datum.state"


@pytest.fixture(scope="module")
def demo() -> Retrieval:
    chunkers = ["characters-400", "characters-1600", "markdown-800-200"]
    return run_retrieval("", "", chunkers, retrievers=["bm25", "lsa"], context=2000)


def rows(chart: Any) -> list[list[str]]:
    table = figures(chart.to_dict())
    assert table is not None
    return [[text for text, _ in row] for row in table.rows]


def test_every_configuration_is_on_the_board_the_best_first(demo: Retrieval) -> None:
    board = retrieval.board(demo)
    assert board.total == 6
    order = demo.configurations.sort("at_context", descending=True)["experiment_id"].to_list()
    assert [row[0][0] for row in board.rows] == order


def test_the_turned_chart_names_both_leaders(demo: Retrieval) -> None:
    title = retrieval.turned(demo).to_dict()["title"]["text"]
    at_k = demo.configurations.sort("recall", descending=True)["experiment_id"][0]
    at_context = demo.configurations.sort("at_context", descending=True)["experiment_id"][0]
    assert title.startswith(f"{at_k} leads in 5 hits")
    assert at_context in title


@pytest.mark.parametrize("draw", CHARTS)
def test_each_chart_has_figures_for_who_cannot_see_it(demo: Retrieval, draw: Any) -> None:
    assert rows(draw(demo))


def test_the_losses_of_each_configuration_are_drawn_to_a_hundred(demo: Retrieval) -> None:
    spec = retrieval.losses(demo).to_dict()
    data = next(iter(spec["datasets"].values()))
    sums: dict[str, float] = {}
    for row in data:
        sums[row["configuration"]] = sums.get(row["configuration"], 0.0) + row["share"]
    assert all(total == pytest.approx(100) for total in sums.values())


def test_the_strip_holds_what_came_back_and_what_was_missed(demo: Retrieval) -> None:
    names = ["characters-400/bm25", "characters-1600/bm25"]
    for question in passages.telling(demo, names, 12):
        blocks, gold, _ = passages.strip_frames(demo, [question], names)
        for name in names:
            own = demo.per_question.filter(question_id=question, experiment_id=name)
            held = blocks.filter(row=name)
            if not held.height:
                continue  # gold in several documents: its rows are named after them too
            found = held.filter(state=passages.FOUND)
            assert bool(found.height) == bool(own["covered"].item())
            missed = (
                gold.filter(row=name, found=False)["end"]
                - gold.filter(row=name, found=False)["start"]
            )
            assert missed.sum() == own["gold"].item()


def test_a_passage_shows_all_of_its_gold_as_found_or_missed(demo: Retrieval) -> None:
    names = ["characters-400/bm25", "markdown-800-200/bm25"]
    for case in passages.passages(demo, experiments=names).cases:
        question = case.title.partition(": ")[0]
        for name in names:
            own = demo.per_question.filter(question_id=question, experiment_id=name)
            came = sum(len(text) for sign, text in case.answers[name] if sign == "+")
            lost = sum(len(text) for sign, text in case.answers[name] if sign == "-")
            assert (came, came + lost) == (own["covered"].item(), own["gold"].item())


def hostile() -> Retrieval:
    texts = {f"{HOSTILE} {n}": f"{HOSTILE} tea {n}. " * 30 for n in range(3)}
    asked = [
        {"question_id": f"{HOSTILE} {n}", "text": f"{HOSTILE} tea {n}", "trap": HOSTILE,
         "gold": [{"doc_id": f"{HOSTILE} {n}", "start": 20, "end": 90}]}
        for n in range(3)
    ]  # fmt: skip
    chunkers = {HOSTILE: lambda t: [(s, s + 40) for s in range(0, len(t) - 40, 40)],
                "windows-90": "windows-90"}  # fmt: skip
    return run_retrieval(texts, asked, chunkers, retrievers=["bm25"], context=90)


def test_hostile_names_and_texts_stay_text() -> None:
    found = hostile()
    for draw in (retrieval.standing, retrieval.curve, retrieval.losses, retrieval.turned,
                 passages.strip):  # fmt: skip
        bundle = draw(found)._repr_mimebundle_()
        spec = bundle[0] if isinstance(bundle, tuple) else bundle
        assert "\u202e" not in json.dumps(spec, ensure_ascii=False)
    for shown in (retrieval.board(found), passages.passages(found), retrieval.unanswered(found)):
        assert "<img" not in shown._repr_mimebundle_()["text/html"]
    browser = widgets.browse_questions(found)
    for part in (browser.strip.value, browser.text.value):
        assert "<img" not in part
        assert "\u202e" not in part


def test_what_cannot_be_drawn_is_told() -> None:
    questions = [{"question_id": "q", "text": "?", "gold": []}]
    chunks = [{"chunk_id": 1, "doc_id": "d", "start": 0, "end": 5}]
    found = score_retrieval(questions, chunks, [{"question_id": "q", "rank": 1, "chunk_id": 1}])
    for draw in (*CHARTS, passages.strip, passages.passages, retrieval.board):
        assert draw(found)._repr_mimebundle_()
    assert widgets.browse_questions(found).value is None


def test_the_browser_steps_through_what_is_asked_for(demo: Retrieval) -> None:
    browser = widgets.browse_questions(demo)
    assert browser.value is not None
    first = browser.value["question"]
    browser.next.click()
    assert browser.value["question"] != first
    assert ">2 of " in browser.counter.value
    browser.previous.click()
    assert browser.value["question"] == first
    assert browser.previous.disabled
    browser.order.value = "found by none"
    assert 0 < int(re.findall(r"\d+", browser.counter.value)[-1]) < 100
    browser.order.value = "all"
    browser.search.value = "E1205"
    assert browser.value["question"].startswith("api-")
    assert "E1205" in browser.text.value
    browser.first.value = "markdown-800-200/bm25"
    assert browser.value["configurations"][0] == "markdown-800-200/bm25"
    assert "markdown-800-200/bm25" in browser.strip.value
