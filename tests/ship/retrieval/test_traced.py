"""Hits out of traces, whatever convention they speak."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, score_retrieval
from aiops_lab.errors import LabError
from aiops_lab.ship.retrieval.traced import traced_hits
from tests.conftest import DATA


def test_the_demos_three_conventions_all_tell_three_documents(demo: Lab) -> None:
    hits = traced_hits(demo)
    requests = demo.table("traffic").height
    each = hits.group_by("question_id").agg(pl.len(), pl.col("rank").max())
    assert each.height > 0.95 * requests
    assert each["len"].value_counts().sort("count")["len"][-1] == 3
    best = hits.sort("rank").group_by("question_id", maintain_order=True).agg(pl.col("score"))
    assert best["score"].list.eval(pl.element().diff().drop_nulls() <= 0).list.all().all()


def test_traced_hits_are_scored_by_documents(demo: Lab) -> None:
    text = "Wo ist die Sammelstelle auf Brisa?"
    asked = [{"question_id": "q", "text": text, "gold": [{"doc_id": "safety-on-board.md"}]},
             {"question_id": "never asked", "text": "?", "gold": [{"doc_id": "x"}]}]  # fmt: skip
    hits = traced_hits(demo, asked)
    assert set(hits["question_id"]) == {"q"}
    whole = hits.with_columns(pl.col("chunk_id").str.replace("#.*", "")).unique("chunk_id")
    found = score_retrieval(asked, None, whole)
    assert found.per_question.filter(question_id="q")["mrr"].item() > 0


@pytest.mark.parametrize(
    "name", ["traces-openinference-0.1.66/traces.jsonl.zst", "traces-openllmetry-0.62.4/traces.pb"]
)
def test_real_retrieval_spans_are_read(lab: Lab, name: str) -> None:
    lab.ingest(DATA / name)
    assert traced_hits(lab)["chunk_id"].len() > 0


def test_no_lab_and_an_empty_one(lab: Lab, tmp_path: Path) -> None:
    assert traced_hits(lab).height == 0
    with pytest.raises(LabError, match="Lab"):
        traced_hits(tmp_path)
