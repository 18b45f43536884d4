"""Pictures of gates: every gate can be drawn, and the pictures show its figures."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
import vl_convert

from aiops_lab import Gate, Lab, release_gate
from aiops_lab.charts import checks, gate
from aiops_lab.charts.cases import Cases
from aiops_lab.ship.operating import operating_curve
from aiops_lab.ship.plan import plan_gate
from tests.browser.payloads import PAYLOADS
from tests.conftest import table_of

POLICY = """
[gate.metrics.correct]
margin = 0.05
[gate.metrics.relevance]
margin = 0.02
floor = 0.4
[gate.caps]
tokens = "+20%"
latency_p95 = "+60%"
refusal = 0.05
"""
RUNS: dict[str, Any] = {"baseline": "latest~1", "candidate": "latest"}


@pytest.fixture(scope="module")
def result(demo: Lab) -> Gate:
    return release_gate(demo, **RUNS, policy=POLICY)


def rows_of(spec: dict) -> list[dict]:
    return [row for rows in spec["datasets"].values() for row in rows]


def drawn(chart: Any) -> dict:
    spec = chart.to_dict()
    svg = vl_convert.vegalite_to_svg(json.dumps({**spec, "width": 500}))
    assert svg.startswith("<svg") and "NaN" not in svg
    return spec


def test_rules_lie_right_of_the_limit_where_they_are_kept(result: Gate) -> None:
    spec = drawn(gate.limits(result))
    rows = {row["name"]: row for row in rows_of(spec) if "name" in row}
    assert len(rows) == result.rules.height
    for row in result.rules.to_dicts():
        shown = rows[row["rule"]]
        assert shown["state"] == row["status"]
        if row["status"] == "ok":
            assert min(shown["low"], shown["high"]) > 0
        if row["status"] == "fail":
            assert max(shown["low"], shown["high"]) < 0
    correct = result.rules.row(0, named=True)
    assert rows["correct margin"]["value"] == pytest.approx((correct["value"] + 0.05) / 0.05)
    assert rows["refusal cap"]["value"] == pytest.approx(1)
    assert spec["title"]["text"] == "4 of 6 rules clear their limit"


def test_rules_that_fail_come_first_with_sign_and_word(result: Gate) -> None:
    shown = gate.rules(result)
    assert shown.rows[0][:2] == [("■ fail", None), ("tokens cap", None)]
    assert shown.rows[1][0][0] == "◇ inconclusive"
    assert "more questions" in shown.rows[1][-1][0]


def test_the_operating_curve_says_what_it_shows(result: Gate) -> None:
    curve = operating_curve(result, effects=(0.0, 1.0, 2.0), replicates=200)
    spec = drawn(gate.operating(result, curve))
    passing = [row["share"] for row in rows_of(spec) if row.get("state") == "ok"]
    assert set(passing) == {100 * share for share in curve["ok"]}
    told = f"A change that changes nothing passes {100 * curve['ok'][0]:.1f} % of the time"
    assert spec["title"]["text"] == told
    assert "fails" in spec["title"]["subtitle"][0]
    assert "latency_p95 cap (a quantile)" in spec["title"]["subtitle"][1]


def test_a_gate_without_rules_says_what_to_add(demo: Lab) -> None:
    empty = {"gate": {"metrics": {}}}
    result = release_gate(demo, **RUNS, policy=empty)
    plan = gate.plan(plan_gate(demo, **RUNS, policy=empty))
    drawn(gate.slices(result))
    shown = [gate.rules(result), gate.limits(result), plan]
    for note in shown:
        assert isinstance(note, Cases)
        assert "[gate.metrics.NAME]" in note.title
    assert isinstance(gate.operating(result, operating_curve(result)), Cases)
    assert gate.policy(result).title.startswith("Policy ")


def test_the_policy_and_the_command_can_be_used_again(result: Gate) -> None:
    shown = gate.policy(result)
    assert result.settings["policy_digest"] in shown.title
    assert ["gate.metrics.correct", "margin", "0.05"] in [[c[0] for c in r] for r in shown.rows]
    told = gate.command(result, POLICY)
    assert told.endswith("--candidate " + result.settings["candidate"] + " --policy POLICY.toml")
    assert gate.command(result).startswith("aiops-lab gate --lab LAB --baseline ")


def test_only_questions_of_ruled_scores_are_shown(demo: Lab) -> None:
    result = release_gate(demo, **RUNS, policy={"gate": {"metrics": {"correct": {"margin": 0.1}}}})
    assert len(gate.lost(result).cases) == 26
    other = release_gate(demo, **RUNS, policy={"gate": {"metrics": {"relevance": {"margin": 0.1}}}})
    assert gate.lost(other).title == "No question turned."


@pytest.mark.parametrize("metric", PAYLOADS[:6])
def test_foreign_names_stay_data(metric: str) -> None:
    runs = table_of({"a": [1.0, 0.0] * 20, "b": [0.0, 1.0] * 20}, metric)
    policy = {"gate": {"metrics": {metric: {"margin": 0.1, "floor": 0.2}}}}
    result = release_gate(runs, baseline="a", candidate="b", policy=policy)
    names = {row.get("name") for row in rows_of(drawn(gate.limits(result)))}
    assert f"{metric} margin" in names
    for shown in (gate.rules(result), gate.policy(result), gate.lost(result)):
        text = shown._repr_mimebundle_()["text/html"]
        assert "<script" not in text and "<svg" not in text and "<img" not in text


def test_odd_gates_can_be_drawn() -> None:
    policy = {
        "gate": {"metrics": {"score": {"margin": 0.0, "floor": 0.5}}, "caps": {"tokens": "+10%"}}
    }
    for sides in ({"a": [1.0], "b": [0.0]}, {"a": [0.5] * 4, "b": [0.5] * 4}):
        frame = table_of(sides).with_columns(tokens_in=pl.lit(0), tokens_out=pl.lit(0))
        result = release_gate(frame, baseline="a", candidate="b", policy=policy)
        drawn(gate.limits(result))
        assert gate.rules(result)._repr_mimebundle_()
        assert checks(result.preflight).rows
