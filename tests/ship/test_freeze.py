"""A gate while an error budget is spent: it fails, but for a fix."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import aiops_lab as al
from aiops_lab.errors import BadSettings

START = datetime(2026, 5, 1, tzinfo=UTC)
SLO = """
[budget_policy]
[gate.metrics.accuracy]
margin = 0.1
[[slo]]
name = "answers"
metric = "latency_s"
good = "<= 4"
target = 0.95
"""


def lab(folder: Path, slow: int, answers: int = 200, settings: str = SLO) -> al.Lab:
    """A lab whose two runs are alike, and so many of whose answers in production are slow."""
    home = al.open_lab(folder)
    (folder / "lab.toml").write_text(settings)
    home = al.open_lab(folder)
    home.ingest(
        pl.DataFrame(
            {"run_id": ["a"] * 300 + ["b"] * 300, "sample_id": [*range(300)] * 2,
             "metric": "accuracy", "value": 1.0}
        )
    )  # fmt: skip
    if answers:
        (folder / "spans.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{
            "spans": [span(i, slow=i < slow) for i in range(answers)]}]}]}))  # fmt: skip
        home.ingest(folder / "spans.jsonl")
    return home


def span(number: int, *, slow: bool) -> dict[str, Any]:
    begin = round((START + timedelta(minutes=10 * number)).timestamp())
    return {
        "traceId": f"{number + 1:032x}", "spanId": f"{number + 1:016x}", "name": "chat",
        "startTimeUnixNano": f"{begin}000000000",
        "endTimeUnixNano": f"{begin + (9 if slow else 1)}000000000",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
    }  # fmt: skip


def gate(home: al.Lab, fix: str | None = None) -> al.Gate:
    return al.release_gate(home, baseline="a", candidate="b", fix=fix)


def test_a_spent_budget_fails_the_gate_and_says_what_may_go_out(tmp_path: Path) -> None:
    found = gate(lab(tmp_path, 40)).verdict
    assert found.status == "fail"
    assert found.headline.startswith("Releases are frozen: 400.0 %")
    assert "--fix" in found.next_step


def test_a_fix_goes_out_and_says_why(tmp_path: Path) -> None:
    found = gate(lab(tmp_path, 40), fix="INC-42: the index was cold")
    assert found.verdict.status == "ok"
    assert "as a fix (INC-42" in found.verdict.headline
    assert found.settings["fix"].startswith("INC-42")


def test_within_its_budget_nothing_is_held_up(tmp_path: Path) -> None:
    assert gate(lab(tmp_path, 2)).verdict.status == "ok"


def test_nearly_spent_is_minded(tmp_path: Path) -> None:
    found = gate(lab(tmp_path, 8)).verdict
    assert found.status == "ok" and "80.0 %" in found.next_step


def test_without_answers_it_cannot_be_told(tmp_path: Path) -> None:
    found = gate(lab(tmp_path, 0, answers=0)).verdict
    assert found.status == "inconclusive" and "frozen" in found.headline


def test_without_a_policy_on_budgets_the_gate_looks_at_none(tmp_path: Path) -> None:
    found = gate(lab(tmp_path, 40, settings=SLO.replace("[budget_policy]", "")))
    assert found.verdict.status == "ok"


@pytest.mark.parametrize("why", ["", " ", "x" * 201])
def test_a_fix_says_why(tmp_path: Path, why: str) -> None:
    with pytest.raises(BadSettings, match="says why"):
        gate(lab(tmp_path, 2), fix=why)
