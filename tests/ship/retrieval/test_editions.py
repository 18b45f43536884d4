"""The next edition of the documents, and where questions lie among chunks."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from aiops_lab import Retrieval, next_edition, run_retrieval
from aiops_lab.charts import editions
from aiops_lab.charts import landscape as drawn
from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.landscape import landscape


@pytest.fixture(scope="module")
def demo() -> Retrieval:
    return run_retrieval("", "", ["markdown-800"], retrievers=["bm25", "lsa"])


def test_the_next_edition_tells_what_is_lost_changed_and_moved(demo: Retrieval) -> None:
    drift = next_edition(demo)
    assert drift is not None
    counts = dict(drift.gold["status"].value_counts().iter_rows())
    assert (counts["lost"], counts["changed"]) == (4, 2)
    assert drift.documents.filter(status="renamed")["renamed_from"].to_list() == ["it-runbook.md"]
    assert drift.questions["changed"].any()
    assert editions.gold_amiss(drift).total == 6
    assert "6 of 233" in editions.gold_places(drift).to_dict()["title"]["text"]
    assert "5 of 12 documents differ" in editions.documents(drift).title


def test_the_same_documents_again_change_nothing(demo: Retrieval) -> None:
    drift = next_edition(demo, demo.corpus)
    assert drift is not None
    assert drift.verdict.status == "ok"
    assert not drift.questions["changed"].any()
    assert drift.unreachable.height == 0


def test_other_documents_have_no_next_edition_until_one_is_given() -> None:
    asked = [{"question_id": 1, "text": "tea", "gold": [{"doc_id": "a", "quote": "Tea"}]}]
    found = run_retrieval({"a": "Tea at four."}, asked, ["windows-20"], retrievers=["bm25"])
    assert next_edition(found) is None
    for draw in (editions.headline, editions.gold_places, editions.gold_amiss, editions.documents):
        assert not draw(None).cases  # pyright: ignore[reportAttributeAccessIssue]
    drift = next_edition(found, {"a": "Coffee at five."})
    assert drift is not None
    assert drift.gold["status"].to_list() == ["lost"]


def test_only_what_can_be_run_again_is_compared(demo: Retrieval) -> None:
    with pytest.raises(BadSettings, match="run again"):
        next_edition(demo, experiment="theirs")


def test_places_are_the_same_each_time_and_hold_every_question(demo: Retrieval) -> None:
    one, two = (landscape(demo, "markdown-800/bm25") for _ in range(2))
    assert one.equals(two)
    asked = one.filter(kind="question")
    assert asked.height == demo.configurations["n"][0]
    assert (asked["own"].drop_nulls() <= asked["nearest"].max() + 1e-9).all()  # pyright: ignore[reportOperatorIssue]
    own = asked.filter(pl.col("own") >= pl.col("nearest") - 1e-9)
    assert own.filter(state="found").height > own.filter(state="missed").height
    assert "lie nearer to other passages" in drawn.landscape(demo).to_dict()["title"]["text"]


@pytest.mark.parametrize("embed", [
    lambda texts: [[1.0, 0.0]] * len(texts), lambda texts: [[len(text)] * 8 for text in texts],
])  # fmt: skip
def test_any_embedder_places_them(demo: Retrieval, embed: Any) -> None:
    assert landscape(demo, "markdown-800/bm25", embed)["x"].is_finite().all()


def test_few_points_and_texts_without_words_are_placed_too() -> None:
    asked = [{"question_id": 1, "text": "?", "gold": [{"doc_id": "a", "start": 0, "end": 1}]}]
    found = run_retrieval({"a": "! !! ..."}, asked, ["windows-4"], retrievers=["bm25"])
    assert drawn.landscape(found) is not None
