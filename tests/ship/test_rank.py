"""Leaderboards: what is told apart is apart, and what cannot be told is said."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from scipy import stats

from aiops_lab.errors import BadSettings, NotComputable, UnknownRun
from aiops_lab.lab import Lab
from aiops_lab.ship.rank import ahead, pairwise, rank_runs
from tests.conftest import WHOLE, table_of


def made(*rates: float, n: int = 200, seed: int = 0) -> pl.DataFrame:
    """Runs named a, b, ... that pass at these rates, harder questions harder for all."""
    hard = np.random.default_rng(seed).random((n, 1))
    own = np.random.default_rng(seed + 1).random((n, len(rates)))
    passed = (0.5 * hard + 0.5 * own < np.array(rates)) * 1.0
    return table_of(dict(zip("abcdefgh", passed.T.tolist(), strict=False)))


def priced(table: pl.DataFrame, **costs: float) -> pl.DataFrame:
    cost = pl.col("run_id").replace_strict(costs, return_dtype=pl.Float64)
    return table.with_columns(cost_usd=cost * (1 + 0.01 * (pl.col("sample_id").cast(int) % 7)))


def test_runs_far_apart_have_one_rank_each() -> None:
    found = rank_runs(made(0.2, 0.8, 0.5), ["a", "b", "c"])
    assert found.board.select("run_id", "rank", "rank_low", "rank_high").rows() == [
        ("b", 1, 1, 1),
        ("c", 2, 2, 2),
        ("a", 3, 3, 3),
    ]
    assert found.verdict.status == "ok"
    assert found.verdict.headline.startswith("b is best: score ")


def test_equal_runs_share_all_ranks_and_more_questions_are_asked_for() -> None:
    found = rank_runs(priced(made(0.6, 0.62, 0.1), a=1.0, b=2.0, c=0.5), ["a", "b", "c"])
    assert found.board["rank_low"].to_list() == [1, 1, 3]
    assert found.board["rank_high"].to_list() == [2, 2, 3]
    assert found.verdict.status == "inconclusive"
    assert "1 clearly worse" in found.verdict.headline
    assert "more questions" in found.verdict.next_step
    assert found.verdict.next_step.endswith("the cheapest of them is a.")


def test_intervals_and_p_values_are_those_of_the_pairs() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(40, 3)) * 5 + [0, 1, 4]
    found = pairwise(values)
    for row in found.to_dicts():
        reference = stats.ttest_rel(values[:, row["first"]], values[:, row["second"]])
        ends = reference.confidence_interval(1 - 0.05 / 3)
        assert (row["low"], row["high"]) == pytest.approx(tuple(ends))
        assert row["p_value"] == pytest.approx(reference.pvalue)
    assert (found["p_adjusted"] >= found["p_value"]).all()


def test_lower_is_better_by_the_settings(lab: Lab) -> None:
    (lab.path / "lab.toml").write_text('[directions]\nscore = "lower"\n', "utf-8")
    lab.ingest(made(0.2, 0.8))
    found = rank_runs(Lab(lab.path), ["a", "b"])
    assert found.board["run_id"].to_list() == ["a", "b"]
    assert found.board["rank_high"].to_list() == [1, 2]


def test_the_front_keeps_what_is_clear_and_says_what_is_not() -> None:
    table = made(0.9, 0.5, 0.5, 0.1)
    found = rank_runs(priced(table, a=2.0, b=1.0, c=3.0, d=1.5), list("abcd"))
    front = dict(found.pareto.select("run_id", "on_front").rows())
    assert front == {"a": True, "b": True, "c": False, "d": False}
    # of two that cannot be told apart on the score the dearer may still be the better
    found = rank_runs(priced(made(0.5, 0.5), a=1.0, b=3.0), ["a", "b"])
    assert dict(found.pareto.select("run_id", "on_front").rows()) == {"a": True, "b": None}
    found = rank_runs(made(0.9, 0.1), ["a", "b"])
    assert found.pareto["on_front"].to_list() == [None, None]


def test_only_questions_that_all_answered_count() -> None:
    table = made(0.5, 0.6, n=50)
    short = table.filter((pl.col("run_id") == "a") | (pl.col("sample_id").cast(int) < 20))
    found = rank_runs(short, ["a", "b"])
    assert found.settings["questions"] == 20
    own = table.filter(pl.col("sample_id").cast(int) < 20).group_by("run_id").agg(pl.mean("value"))
    assert dict(found.board.select("run_id", "mean").rows()) == pytest.approx(dict(own.rows()))


def test_identical_and_single_questions_decide_nothing() -> None:
    same = [1.0, 0.0] * 10
    found = rank_runs(table_of({"a": same, "b": same}), ["a", "b"])
    assert found.board["rank_high"].to_list() == [2, 2]
    found = rank_runs(table_of({"a": [1.0], "b": [0.0]}), ["a", "b"])
    assert found.verdict.status == "inconclusive"
    assert found.board["rank"].to_list() == [1, 2]
    assert found.board["rank_low"].to_list() == [1, 1]


def test_few_clusters_decide_nothing() -> None:
    table = made(0.9, 0.1).with_columns(topic=pl.col("sample_id").cast(int) % 3)
    found = rank_runs(table, ["a", "b"], cluster="topic")
    assert found.board["rank_low"].to_list() == [1, 1]


def test_errors_say_what_to_do() -> None:
    table = made(0.5, 0.6)
    with pytest.raises(UnknownRun):
        rank_runs(table, ["a", "zz"])
    with pytest.raises(BadSettings, match="two runs"):
        rank_runs(table, ["a"])
    with pytest.raises(BadSettings, match="named twice"):
        rank_runs(table, ["a", "a"])
    with pytest.raises(NotComputable, match="'nothing'"):
        rank_runs(table, ["a", "b"], metric="nothing")
    with pytest.raises(NotComputable, match="no question"):
        other = table.with_columns(pl.concat_str("run_id", "sample_id").alias("sample_id"))
        rank_runs(other, ["a", "b"])


def test_on_the_demo_it_is_deterministic_and_plain_data(demo: Lab) -> None:
    runs = ["latest~1", "latest"]
    one, two = (rank_runs(demo, runs, metric="correct") for _ in range(2))
    assert json.dumps(one.to_dict()) == json.dumps(two.to_dict())
    assert one.board["tokens"].null_count() == 0
    assert one._repr_mimebundle_()["text/plain"] == str(one.verdict)


def simulated(kind: str, n: int, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scores of shape (n, runs) with these true means, correlated by the questions' difficulty."""
    mix = rng.uniform(0, 0.9)
    shared = rng.normal(size=(n, 1))
    own = rng.normal(size=(n, truth.size))
    level = stats.norm.cdf(np.sqrt(mix) * shared + np.sqrt(1 - mix) * own)
    if kind == "binary":
        return (level < truth) * 1.0
    a = rng.choice([0.5, 2.0, 5.0])
    return stats.beta.ppf(level, a * truth, a * (1 - truth))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "continuous"])
@pytest.mark.parametrize("runs", [3, 8, 20] if WHOLE else [3, 8])
@pytest.mark.parametrize("n", [50, 200, 1000] if WHOLE else [50, 200])
def test_all_true_ranks_are_covered_at_once(n: int, runs: int, kind: str) -> None:
    """Half of the replicates all tied, half in groups of ties; no order is ever called wrongly."""
    replicates, right = {3: 2000, 8: 600, 20: 200}[runs] // (1 if WHOLE else 5), 0
    for seed in range(replicates):
        rng = np.random.default_rng((seed, n, runs))
        groups = 1 if seed % 2 else rng.integers(2, runs + 1)
        truth = rng.uniform(0.05, 0.95, groups)[rng.integers(0, groups, runs)]
        values = simulated(kind, n, truth, rng)
        better = ahead(pairwise(values), runs)
        low, high = 1 + better.sum(0), runs - better.sum(1)
        above = (truth[:, None] > truth).sum(0)
        below = (truth[:, None] < truth).sum(0)
        right += bool((low <= 1 + above).all() and (high >= runs - below).all())
    print(f"ranks {kind} n={n} k={runs}: all covered {right / replicates:.4f}")
    assert stats.binom.cdf(right, replicates, 0.94) >= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "continuous"])
@pytest.mark.parametrize(("n", "gap"), [(50, 0.4), (200, 0.2), (1000, 0.1)])
def test_separated_runs_get_single_ranks(n: int, gap: float, kind: str) -> None:
    truth, single = 0.1 + gap * np.arange(3), 0
    replicates = 400 if WHOLE else 100
    for seed in range(replicates):
        values = simulated(kind, n, truth, np.random.default_rng((seed, n)))
        better = ahead(pairwise(values), 3)
        single += bool((better.sum() == 3) and (better.sum(0) == [2, 1, 0]).all())
    print(f"power {kind} n={n} gap={gap}: single ranks {single / replicates:.3f}")
    assert single >= 0.9 * replicates
