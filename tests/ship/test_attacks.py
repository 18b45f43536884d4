"""What was thrown at the gate on purpose, and must not pass or break."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aiops_lab import LabError, compare_runs, release_gate
from aiops_lab.errors import BadSettings
from aiops_lab.reports.gate import inert
from aiops_lab.settings import Settings
from aiops_lab.ship.plan import plan_gate
from aiops_lab.ship.policy import loosened, read_policy
from tests.conftest import table_of
from tests.ship.test_gate import policy, wide

ONE = ([1.0] * 200, [1.0] * 200)


def decided(table: pl.DataFrame, asked: dict[str, Any]) -> Any:
    found = release_gate(table, baseline="a", candidate="b", policy=asked)
    json.dumps(found.to_dict(), allow_nan=False)
    return found


@pytest.mark.parametrize("cap", [{"latency_p95": 3.0}, {"latency": 3.0}, {"latency": "+20%"}])
@pytest.mark.parametrize("value", [math.nan, math.inf, -100.0, None])
def test_impossible_amounts_are_missing_and_pass_nothing(cap: dict, value: float | None) -> None:
    table = wide(200, score=ONE, latency_s=([1.0] * 200, [1.0] * 150 + [value] * 50))
    assert decided(table, policy(margin=0.05, caps=cap)).verdict.status == "inconclusive"


def test_directions_beside_a_policy_are_honoured() -> None:
    table = wide(200, score=([0.0] * 180 + [1.0] * 20, [0.0] * 80 + [1.0] * 120))
    asked = {"directions": {"score": "lower"}, **policy(margin=0.02)}
    assert decided(table, asked).verdict.status == "fail"


def test_epochs_without_a_score_are_missing_too() -> None:
    rows = [
        {"run_id": run, "sample_id": str(i), "epoch": e, "metric": "score"}
        | {"value": None if run == "b" and e == 6 else 1.0}
        for run in "ab"
        for i in range(200)
        for e in range(1, 7)
    ]
    found = decided(pl.DataFrame(rows), policy(margin=0.05))
    assert found.verdict.status == "inconclusive"
    assert "16.7 %" in found.verdict.headline


@pytest.mark.parametrize("metric", ["words", "tone", "latency_s", "tokens", "tokens cap"])
def test_a_score_may_be_called_like_an_amount(metric: str) -> None:
    table = table_of({"a": [1.0] * 3, "b": [1.0] * 3}, metric)
    found = decided(table, policy(metric, floor=0.85))
    assert found.verdict.status == "inconclusive"
    assert metric in found.verdict.headline


def test_rounding_above_one_is_one() -> None:
    table = table_of({"a": [1.0] * 3, "b": [1.0, 1.0000000001, 1.0000000002]})
    assert decided(table, policy(floor=0.85)).verdict.status == "inconclusive"


def test_every_way_to_loosen_is_seen() -> None:
    def policies(**changed: Any) -> Any:
        rule = {"floor": 0.1, "direction": "lower", "human": "people"} | changed.pop("rule", {})
        gate = {"metrics": {"score": rule}, "cluster": "topic", "inconclusive": "fail"} | changed
        return read_policy({"gate": gate}, Settings())

    def told(**changed: Any) -> list[str]:
        return list(loosened(policies(), policies(**changed), lambda _: 1))

    assert told() == []
    assert told(rule={"floor": 0.05}) == []
    assert told(rule={"floor": 0.5}) == ["the limit of score ceiling was 0.1, now 0.5"]
    assert "people no longer" in told(rule={"human": None})[0]
    assert "together no longer" in told(cluster=None)[0]
    assert "failure no longer" in told(inconclusive="inconclusive")[0]


def test_a_plan_ends_and_does_not_promise_what_it_cannot_know() -> None:
    table = wide(60, score=([1.0, 0.0] * 30, 1.0), latency_s=([1.0] * 60, 1.0))
    slow = plan_gate(table, baseline="a", policy=policy(caps={"latency_p99": "+10%"}))
    assert slow.verdict.status == "inconclusive"
    for margin in (0.0, 1.0, 1e-9):
        found = plan_gate(table, baseline="a", policy=policy(margin=margin))
        assert "Ask 0 " not in found.verdict.next_step
    unknown = plan_gate(table, baseline="a", policy=policy("zz", margin=0.1))
    assert "no question has zz" in unknown.verdict.headline


@pytest.mark.parametrize("huge", [1e300, -1e308])
def test_huge_figures_break_nothing(huge: float) -> None:
    table = table_of({"a": [1.0, 2.0, huge] * 10, "b": [1.0, 3.0, 2.0] * 10})
    compare_runs(table, baseline="a", candidate="b")
    decided(table, policy(margin=0.1))


@pytest.mark.parametrize("floor", [-1.0, 2.0, 0.0, 1.0])
def test_a_floor_may_lie_anywhere(floor: float) -> None:
    table = table_of({"a": [1.0, 0.0] * 50, "b": [1.0, 0.0] * 50})
    status = decided(table, policy(floor=floor)).verdict.status
    assert status == {-1.0: "ok", 0.0: "ok", 1.0: "fail", 2.0: "fail"}[floor]


def test_what_is_no_question_is_refused_in_words(tmp_path: Path) -> None:
    table = table_of({"a": [1.0], "b": [1.0]})
    with pytest.raises(LabError):
        compare_runs(table.clear(), baseline="a", candidate="b")
    for wrong in ({"by": "sample_id"}, {"margin": "x"}, {"margin": True}, {"metrics": 3}):
        with pytest.raises(BadSettings):
            compare_runs(table, baseline="a", candidate="b", **wrong)
    with pytest.raises(BadSettings, match="a floor is a number"):
        release_gate(table, baseline="a", candidate="b", policy=policy(floor=math.nan))
    (tmp_path / "p.toml").write_bytes(b"\xef\xbb\xbf[gate.metrics.score]\nmargin = 0.5\n")
    path = tmp_path / "p.toml"
    assert release_gate(table, baseline="a", candidate="b", policy=path).rules.height == 1


def test_shortcodes_of_emoji_stay_text() -> None:
    assert ":+1:" not in inert("well done :+1: :smile:")
