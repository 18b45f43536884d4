"""Gold noted by its first and last words is found again in whatever Python carries."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from aiops_lab import run_retrieval
from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.inputs import PYTHON, read_corpus, read_questions

TEXT = "Nine ferries sail.  Two of them\nrest at night. Nine more are built. They sail later."
ANCHOR = {"doc_id": "a", "first": "Two of them", "last": "at night."}


def place(gold: dict[str, object], text: str = TEXT) -> tuple[object, ...] | str:
    found = read_questions([{"question_id": 1, "gold": [gold]}], read_corpus({"a": text}))
    if found.quarantined.height:
        return found.quarantined["reason"][0]
    return found.gold.select("start", "end").row(0)


def test_anchors_are_found_however_the_words_are_spaced() -> None:
    start, end = place(ANCHOR)
    assert TEXT[start:end] == "Two of them\nrest at night."
    assert place(ANCHOR, TEXT.replace("\n", "   ")) == (start, end + 2)


@pytest.mark.parametrize(
    ("gold", "why"),
    [
        ({**ANCHOR, "first": "Nine"}, "begins 2 times"),
        ({**ANCHOR, "first": "Ten ferries"}, "begins 0 times"),
        ({**ANCHOR, "last": "ferries sail."}, "no end"),
        ({**ANCHOR, "last": None}, "first and last"),
        ({**ANCHOR, "last": "  "}, "first and last"),
        ({**ANCHOR, "doc_id": "b"}, "a document that is there"),
        ({**ANCHOR, "first": 5}, "a text is wanted"),
    ],
)
def test_anchors_that_mean_no_passage_are_quarantined(gold: dict[str, object], why: str) -> None:
    assert why in str(place(gold))


def test_a_passage_that_reads_otherwise_is_kept_and_told() -> None:
    corpus = read_corpus({"a": TEXT})
    asked = [{"question_id": 1, "gold": [{**ANCHOR, "digest": "0" * 16}]}]
    found = read_questions(asked, corpus)
    assert found.gold.height == 1
    assert found.notes == ("1 gold passages read otherwise than when they were noted",)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("exception", "error"),
        lambda text: text.replace("\n", "\n   "),
        lambda text: text[: len(text) // 2],
    ],
)
def test_every_question_is_placed_or_reported_in_any_version(change: Callable[[str], str]) -> None:
    corpus = read_corpus({name: change(text) for name, text in read_corpus(PYTHON).texts()})
    found = read_questions(PYTHON, corpus)
    assert found.table.height + found.quarantined.height == 80
    texts = dict(corpus.texts())
    for doc_id, start, end in found.gold.select("doc_id", "start", "end").iter_rows():
        assert 40 <= len(" ".join(texts[doc_id][start:end].split())) <= 1_000


def test_this_python_carries_nearly_all_of_the_gold() -> None:
    found = read_questions(PYTHON, read_corpus(PYTHON))
    assert found.table.height >= 72
    assert found.table["trap"].n_unique() == 5


def test_a_sweep_over_the_documentation_takes_its_own_questions() -> None:
    found = run_retrieval(PYTHON, "", ["markdown-800"], retrievers=["bm25"])
    assert found.configurations["n"].item() > 60
    assert found.questions["question_id"][0] == "py-01"
    assert any("Python 3" in told for told in found.checks["detail"])


def test_questions_of_the_demo_are_refused_for_other_documents() -> None:
    with pytest.raises(BadSettings, match="give questions about yours"):
        run_retrieval({"a": TEXT}, "")


def test_no_passage_of_the_documentation_is_kept_in_the_repository() -> None:
    rows = read_questions(PYTHON, read_corpus(PYTHON)).table
    assert set(rows.columns) == {"question_id", "text", "trap"}
    kept = pl.read_ndjson("data/python_topics/questions.jsonl").explode("gold").unnest("gold")
    assert kept["first"].drop_nulls().str.split(" ").list.len().max() <= 8  # pyright: ignore[reportOperatorIssue]
