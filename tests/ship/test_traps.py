"""Traps that comparisons and gates fell into elsewhere; each must be seen here."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import stats

from aiops_lab import compare_runs, release_gate
from aiops_lab.stats.paired import moves, paired_difference
from tests.conftest import table_of

ASKED = {"gate": {"metrics": {"score": {"margin": 0.02}}}}


def test_the_rank_test_is_no_test_of_the_mean() -> None:
    """Wilcoxon can say p < .01 where the mean moved nowhere: we follow the mean."""
    d = np.concatenate([np.full(80, 0.02), np.full(20, -0.075)])
    a = np.full(100, 0.5)
    assert stats.wilcoxon(d).pvalue < 0.01
    found = paired_difference(a, a + d)
    assert found.p_value is not None and found.p_value > 0.5


def test_runs_that_go_against_each_other_are_said_to() -> None:
    chance = np.random.default_rng(2)
    a = chance.integers(0, 2, 80)
    b = np.where(chance.random(80) < 0.7, 1 - a, a)
    assert "go against each other" in moves(a, b).summary().method
    assert "go against" not in moves(a, a[::-1]).summary().method


def test_a_collapse_hides_in_no_mean_of_the_answers() -> None:
    """Half of the targets are yes: to answer always no keeps the mean and is seen."""
    chance = np.random.default_rng(3)
    target = np.where(np.arange(200) % 2, "yes", "no")
    honest = np.where(chance.random(200) < 0.5, target, np.where(target == "yes", "no", "yes"))
    rows = [
        {"run_id": run, "sample_id": str(i), "output": answer, "target": right}
        | {"metric": "score", "value": float(answer == right)}
        for run, answers in (("a", honest), ("b", np.full(200, "no")))
        for i, (answer, right) in enumerate(zip(answers, target, strict=True))
    ]
    found = compare_runs(pl.DataFrame(rows), baseline="a", candidate="b")
    assert found.metrics["moved"][0] == "no clear change"
    check = found.preflight.filter(check="same answers")
    assert check["status"][0] == "warn"
    assert "the answer" in check["detail"][0]


def test_the_tails_are_the_right_way_round() -> None:
    """Inverted one-sided tests pass losses and fail gains."""
    worse = table_of({"a": [1.0] * 300, "b": [0.0] * 40 + [1.0] * 260})
    better = table_of({"a": [0.0] * 40 + [1.0] * 260, "b": [1.0] * 300})
    assert release_gate(worse, baseline="a", candidate="b", policy=ASKED).verdict.status == "fail"
    assert release_gate(better, baseline="a", candidate="b", policy=ASKED).verdict.status == "ok"


def test_questions_that_only_one_side_answered_are_missed() -> None:
    """The candidate gave up on what it would have got wrong: a perfect score on the rest."""
    hard = [1.0, 0.0] * 100
    easy: list[float | None] = [1.0 if v else None for v in hard]
    table = table_of({"a": hard, "b": easy})
    found = release_gate(table, baseline="a", candidate="b", policy=ASKED)
    assert found.verdict.status == "inconclusive"
    assert "have no score" in found.verdict.headline


def test_mixed_scales_are_not_taken_for_shares() -> None:
    table = table_of({"a": [1.0, 5.0, 3.0, 2.0] * 10, "b": [0.2, 0.5, 0.9, 0.1] * 10})
    row = compare_runs(table, baseline="a", candidate="b").metrics.row(0, named=True)
    assert not row["share"]
    assert "numbers" in row["method"]


def test_the_same_id_twice_in_a_run_is_quarantined_not_counted_twice() -> None:
    table = pl.concat([table_of({"a": [1.0, 0.0], "b": [1.0, 1.0]})] * 2)
    found = compare_runs(table, baseline="a", candidate="b")
    assert found.metrics["n"][0] == 2
