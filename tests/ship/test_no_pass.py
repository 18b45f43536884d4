"""What must never pass a gate, or be called best: each passed once."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab, compare_runs, plan_gate, release_gate
from aiops_lab.errors import BadSettings
from aiops_lab.reports.gate import to_junit, to_markdown
from aiops_lab.ship.iterate import prompt_loop
from aiops_lab.ship.operating import left_out, operating_curve
from aiops_lab.ship.rank import rank_runs
from aiops_lab.stats.paired import moves
from aiops_lab.stats.ratios import log_moves
from tests.conftest import table_of
from tests.ship.test_gate import policy, wide
from tests.ship.test_gate_promises import more_than

ALL, N = [1.0] * 200, 200


def status(table: Any, **rule: Any) -> str:
    found = release_gate(table, baseline="a", candidate="b", policy=policy(**rule))
    return found.verdict.status


SIDES = {
    "another dataset": {"dataset_version": ("v1", "v2")},
    "another judge": {"scorer": ("large-judge", "small-judge")},
    "a model for a person": {"scorer_kind": ("human", "model")},
    "another task": {"task": ("billing", "faq")},
}


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
def test_runs_that_were_not_made_alike(sides: dict[str, Any]) -> None:
    table = wide(N, score=(ALL, ALL), **sides)
    assert status(table, margin=0.05) == "inconclusive"


def test_another_dataset_of_the_same_inputs_is_only_a_name() -> None:
    asked = [f"question {i}" for i in range(N)]
    table = wide(N, score=(ALL, ALL), input=(asked, asked), dataset_version=("v1", "v2"))
    assert status(table, margin=0.05) == "ok"


def test_shares_beside_percentages() -> None:
    table = wide(N, score=([0.9, 0.8] * 100, [85.0, 80.0] * 100))
    assert status(table, margin=0.05) == "inconclusive"
    assert status(table, floor=0.85) == "inconclusive"


@pytest.mark.parametrize("top", [1.0, 5.0, 100.0])
def test_a_perfect_record_is_as_little_on_any_scale(top: float) -> None:
    few = table_of({"a": [top] * 60, "b": [top] * 59 + [0.0]})
    assert status(few, margin=0.05 * top) == "inconclusive"
    six = table_of({"a": [top] * 6, "b": [top] * 6})
    assert status(six, margin=0.02 * top) == "inconclusive"


def test_two_questions() -> None:
    assert status(table_of({"a": [10.0, 20.0], "b": [30.0, 45.0]}), margin=0.5) == "inconclusive"
    assert status(table_of({"a": [90.0, 91.0], "b": [90.0, 91.0]}), floor=85) == "inconclusive"


def test_a_margin_that_no_loss_can_break() -> None:
    table = table_of({"a": [1.0] * 190 + [0.0] * 10, "b": [0.0] * 195 + [1.0] * 5})
    assert status(table, margin=2) == "inconclusive"
    with pytest.raises(BadSettings, match="refusal"):
        status(table, caps={"refusal": "+200 points"})


def test_questions_missing_on_either_side() -> None:
    mine = [1.0] * 850 + [None] * 150
    told = wide(1000, score=(mine, [1.0] * 850 + [0.0] * 150))
    assert status(told, margin=0.05) == "inconclusive", "the baseline has no score of what was lost"
    fewer = told.drop_nulls("value")
    assert status(fewer, margin=0.05) == "inconclusive", "the baseline never asked them"
    some = wide(10_000, score=([1.0] * 10_000, [1.0] * 9_800 + [None] * 200)).drop_nulls("value")
    assert status(some, margin=0.005) == "inconclusive", "more is missing than may be lost"


def test_failed_epochs_that_left_no_row() -> None:
    rows = [
        {"run_id": run, "sample_id": str(i), "epoch": epoch, "value": float((i + epoch) % 5 > 0)}
        for run in "ab"
        for i in range(100)
        for epoch in range(1, 6)
    ]
    table = pl.DataFrame(rows).with_columns(metric=pl.lit("score"))
    kept = table.filter((pl.col("run_id") == "a") | (pl.col("value") == 1))
    assert status(kept, margin=0.02) == "inconclusive"


def test_rows_that_a_lab_could_not_read(lab: Lab) -> None:
    bad = pl.when(pl.col("sample_id").cast(pl.Int64) < 3).then(pl.lit("inf"))
    texts = table_of({"a": ALL, "b": ALL}).with_columns(pl.col("value").cast(pl.String))
    table = texts.with_columns(
        pl.when(pl.col("run_id") == "b").then(bad).otherwise(None).fill_null(pl.col("value"))
        .alias("value")
    )  # fmt: skip
    assert status(table, margin=0.05) == "inconclusive"
    lab.ingest(table)
    assert status(lab, margin=0.05) == "inconclusive"


def test_answers_out_of_a_cache() -> None:
    table = wide(N, score=(ALL, ALL), latency_s=(1.0, 0.001), cached=(False, True))
    assert status(table, caps={"latency": "+10%"}) == "inconclusive"


def test_a_cap_on_a_tenth_of_the_pairs() -> None:
    table = wide(
        N, score=(ALL, ALL), cost_usd=([0.1] * 20 + [None] * 180, [0.1] * 20 + [5.0] * 180)
    )
    assert status(table, caps={"cost": "+20%"}) == "inconclusive"


def test_an_error_that_is_empty_or_false_is_none() -> None:
    for nothing in ("", False):
        table = wide(N, score=(ALL, ALL), error=(nothing, nothing))
        assert status(table, caps={"error": 0.05}) == "ok"


def test_four_clusters_keep_no_margin() -> None:
    table = wide(N, score=(ALL, [*ALL[:-1], 0.0]), document=([i % 4 for i in range(N)],) * 2)
    found = compare_runs(table, baseline="a", candidate="b", margin=0.3, cluster="document")
    assert found.verdict.status == "inconclusive"


def test_the_best_of_runs_with_half_of_the_answers() -> None:
    chance = np.random.default_rng(2)
    runs = {f"r{i}": (chance.random(150) < 0.7) * 1.0 for i in range(3)}
    table = table_of({run: list(values) for run, values in runs.items()})
    half = table_of({"cheat": [1.0] * 75 + [None] * 75})
    both = pl.concat([table, half])
    assert rank_runs(both, [*runs, "cheat"]).verdict.status == "inconclusive"
    assert prompt_loop(both, target=0.8).verdict.status == "inconclusive"


def test_arithmetic_is_no_gamed_judge() -> None:
    """300 answers that differ in their numbers, as what was wanted does."""
    told = [f"The final answer to the question is {i}." for i in range(N)]
    wanted = [str(i) for i in range(N)]
    table = wide(N, score=(ALL, ALL), output=(told, told[::-1]), target=(wanted, wanted))
    assert status(table, margin=0.05) == "ok"


def test_a_plan_needs_two_runs() -> None:
    with pytest.raises(BadSettings, match="same run"):
        plan_gate(table_of({"a": ALL}), baseline="a", candidate="a", policy=policy(margin=0.02))


def test_a_rule_without_figures_never_passes_and_the_curve_says_so() -> None:
    table = wide(N, score=(ALL, ALL))
    asked = policy(margin=0.05, caps={"tokens": "+20%"})
    found = release_gate(table, baseline="a", candidate="b", policy=asked)
    assert "tokens cap" in left_out(found)
    assert set(operating_curve(found, replicates=100)["ok"]) == {0.0}


def test_what_surely_changed_is_no_part_of_nothing_changed() -> None:
    """A candidate that clearly gained makes its gate no worse at passing what changes nothing."""
    chance = np.random.default_rng(6)
    before = np.clip(chance.normal(0.5, 0.2, 150), 0, 1)
    noise = chance.normal(0, 0.05, 150)
    ok = []
    for gain in (0.0, 0.2):
        after = np.clip(before + noise + gain, 0, 1)
        table = table_of({"a": list(before), "b": list(after)})
        found = release_gate(table, baseline="a", candidate="b", policy=policy(margin=0.02))
        ok.append(operating_curve(found, effects=(0.0,), replicates=2000)["ok"][0])
    assert ok[1] > ok[0] - 0.1


def test_results_with_times_are_json() -> None:
    table = wide(N, score=(ALL, ALL), started_at=("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"))
    found = compare_runs(table, baseline="a", candidate="b")
    assert "2026-01-01" in json.dumps(found.to_dict())


def test_classes_called_by_numbers_are_no_gamed_judge() -> None:
    for classes, warned in ((4, False), (N, True)):
        told = [f"bin {i % classes}" for i in range(N)]
        table = wide(N, score=(ALL, ALL), output=(told, told))
        checks = compare_runs(table, baseline="a", candidate="b").preflight
        told = checks.filter(pl.col("detail").str.contains("numbers only"))
        assert bool(told.height) == warned


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 300])
def test_a_loss_in_a_few_large_pieces_seldom_passes(n: int) -> None:
    """Epochs of which a few questions collapse; tokens of which a few answers explode."""
    chance = np.random.default_rng(n)
    epochs = tokens = 0
    for _ in range(2000):
        right = chance.beta(4, 0.5, n)
        then = np.where(chance.random(n) < 0.05 * 4.5 / 4, 0, right)
        sides = (chance.binomial(10, p) / 10 for p in (right, then))
        above = moves(*sides).p_above(-0.05)
        epochs += above is not None and above <= 0.05
        used = np.exp(chance.normal(5, 1, n))
        grown = np.log(10) * ((chance.random(n) < 0.05) - 0.05) + chance.normal(0, 0.2, n)
        below = log_moves(used, used * 1.2 * np.exp(grown)).p_below(float(np.log(1.2)))
        tokens += below is not None and below <= 0.05
    assert not more_than(epochs, 0.065), epochs
    assert not more_than(tokens, 0.065), tokens


def test_outputs_name_the_policy_and_what_would_settle_each_rule() -> None:
    table = wide(20, score=([1.0] * 20, [1.0] * 20), tokens_out=(10, 10))
    asked = policy(margin=0.05, caps={"tokens": "+20%", "tokens_out": "+20%"})
    found = release_gate(table, baseline="a", candidate="b", policy=asked)
    told = to_markdown(found)
    assert "even with a perfect record: ask at least 59" in found.verdict.next_step
    assert "the runs have tokens_out" in " ".join(found.rules["settle"])
    assert "**What would settle it**" in told
    assert found.settings["policy_digest"] in told
    assert found.settings["policy_digest"] in to_junit(found)
    assert len(told.splitlines()) <= 60


def test_the_baseline_is_held_against_itself_by_its_own_epochs() -> None:
    chance = np.random.default_rng(9)
    hard = chance.random(300)
    rows = [
        {"run_id": "a", "sample_id": str(i), "epoch": epoch, "metric": "score"}
        | {"value": float(chance.random() < hard[i])}
        for i in range(300)
        for epoch in (1, 2, 3, 4)
    ]
    found = plan_gate(pl.DataFrame(rows), baseline="a", policy=policy(margin=0.05))
    [again] = found.repeated.to_dicts()
    assert again["fail"] <= 0.05
    assert again["ok"] + again["fail"] + again["inconclusive"] == pytest.approx(1)
    once = plan_gate(table_of({"a": ALL}), baseline="a", policy=policy(margin=0.05))
    assert not once.repeated.height
