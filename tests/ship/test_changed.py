"""After a change: what must be run again, and which verdicts stand."""

from __future__ import annotations

import polars as pl

from aiops_lab import Lab, release_gate
from aiops_lab.ship.changed import changed_tasks


def run(task: str, name: str, dataset: str, at: str, model: str = "m") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "run_id": name,
            "task": task,
            "model": model,
            "dataset_version": dataset,
            "started_at": at,
            "sample_id": [str(i) for i in range(60)],
            "metric": "score",
            "value": [1.0] * 60,
            "cost_usd": 0.01,
        }
    )


def test_what_was_replaced_elsewhere_must_be_run_again(lab: Lab) -> None:
    lab.ingest(run("quiz", "q1", "d1", "2026-05-01T10:00:00Z"))
    lab.ingest(run("chat", "c1", "d1", "2026-05-01T11:00:00Z"))
    assert changed_tasks(lab).verdict.status == "ok"
    gate = release_gate(lab, baseline="q1", candidate="c1", policy={"gate": {}})
    lab.record("gate", gate.verdict, gate.settings)
    lab.ingest(run("quiz", "q2", "d2", "2026-05-02T10:00:00Z"))
    found = changed_tasks(lab)
    assert found.verdict.status == "warn"
    assert found.verdict.headline == "Run again: chat (60 answers, about $0.60 at the last price)."
    states = dict(found.tasks.select("task", "status").iter_rows())
    assert states == {"quiz": "ok", "chat": "warn"}
    chat = found.tasks.filter(task="chat").row(0, named=True)
    assert "dataset d1 was replaced by d2 in quiz" in chat["reason"]
    assert chat["last_gate"] == "inconclusive, stands no longer: a part was replaced"


def test_an_empty_lab_has_nothing_to_run(lab: Lab) -> None:
    assert changed_tasks(lab).verdict.status == "inconclusive"
