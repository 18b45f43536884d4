"""Bootstrap intervals against SciPy's, which draws row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aiops_lab.stats import bootstrap
from aiops_lab.stats.bootstrap import paired_bootstrap, quantile_bootstrap

RANDOM = np.random.default_rng(12)
MANY = 40_000
LATENCY = RANDOM.lognormal(size=700)
SLOWER = LATENCY * RANDOM.lognormal(0.05, 0.3, 700)
SHAPES = {
    "few values": RANDOM.integers(0, 2, (2, 300)) * 1.0,
    "many values": RANDOM.normal([[0.0], [0.2]], 1, (2, 300)),
    "one block and a bit": RANDOM.exponential([[1.0], [1.1]], (2, 257)),
    "small": RANDOM.normal(size=(2, 12)),
}


def scipy_interval(data: tuple, statistic, paired: bool = True, resamples: int = MANY):
    found = stats.bootstrap(
        data, statistic, paired=paired, vectorized=True, batch=500, n_resamples=resamples,
        method="percentile", random_state=3,
    )  # fmt: skip
    return tuple(found.confidence_interval), found.standard_error


def assert_same(
    found: bootstrap.Resampled, data: tuple, statistic, paired: bool = True, step: float = 0.0
) -> None:
    interval, error = scipy_interval(data, statistic, paired)
    assert found.estimate == pytest.approx(statistic(*data, axis=-1))
    assert (found.low, found.high) == pytest.approx(interval, abs=max(0.06 * error, step))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_difference_equals_scipy(shape: str) -> None:
    a, b = SHAPES[shape]
    found = paired_bootstrap(a, b, resamples=MANY)
    step = 1.01 / a.size if shape == "few values" else 0.0
    assert_same(found, (a, b), lambda x, y, axis: np.mean(y - x, axis=axis), step=step)
    assert found.method.endswith(f"{MANY} resamples of {a.size} questions")


def test_the_ratio_of_means_equals_scipy() -> None:
    found = paired_bootstrap(LATENCY, SLOWER, statistic="ratio", resamples=MANY)
    assert_same(found, (LATENCY, SLOWER), lambda x, y, axis: y.mean(axis) / x.mean(axis))


def test_whole_clusters_are_drawn() -> None:
    sizes = RANDOM.integers(1, 9, 60)
    index = np.repeat(np.arange(60), sizes)
    a = RANDOM.normal(size=index.size)
    b = a + RANDOM.normal(size=60)[index] + RANDOM.normal(size=index.size)
    sums = np.bincount(index, weights=b - a)
    found = paired_bootstrap(a, b, index, resamples=MANY)
    together = (sums, sizes)
    assert_same(found, together, lambda s, n, axis: s.sum(axis) / n.sum(axis))
    alone = paired_bootstrap(a, b)
    assert found.high - found.low > 1.3 * (alone.high - alone.low)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_quantiles_equal_scipy(q: float, paired: bool) -> None:
    def difference(x, y, axis):
        return np.quantile(y, q, axis=axis) - np.quantile(x, q, axis=axis)

    other = SLOWER if paired else SLOWER[:450]
    found = quantile_bootstrap(LATENCY, other, q, paired=paired, resamples=MANY)
    assert_same(found, (LATENCY, other), difference, paired)


def test_the_ratio_of_quantiles_equals_scipy() -> None:
    def ratio(x, y, axis):
        return np.quantile(y, 0.95, axis=axis) / np.quantile(x, 0.95, axis=axis)

    found = quantile_bootstrap(LATENCY, SLOWER, statistic="ratio", resamples=MANY)
    assert_same(found, (LATENCY, SLOWER), ratio)


def test_quantiles_of_rounded_values_equal_scipy() -> None:
    a, b = LATENCY.round(1), SLOWER.round(1)

    def difference(x, y, axis):
        return np.quantile(y, 0.8, axis=axis) - np.quantile(x, 0.8, axis=axis)

    found = quantile_bootstrap(a, b, 0.8, resamples=MANY)
    interval, _ = scipy_interval((a, b), difference)
    assert (found.low, found.high) == pytest.approx(interval, abs=0.051)


def test_quantiles_of_clusters_are_those_of_the_rows_drawn() -> None:
    """Against drawing clusters one by one and putting their rows together."""
    index = np.repeat(np.arange(40), RANDOM.integers(1, 8, 40))
    a = RANDOM.lognormal(size=40)[index] * RANDOM.lognormal(0, 0.3, index.size)
    b = a * RANDOM.lognormal(0.1, 0.2, index.size)
    rows, drawn = [np.flatnonzero(index == g) for g in range(40)], []
    for _ in range(4000):
        own = np.concatenate([rows[g] for g in RANDOM.integers(0, 40, 40)])
        drawn.append(np.quantile(b[own], 0.75) - np.quantile(a[own], 0.75))
    found = quantile_bootstrap(a, b, 0.75, index, resamples=MANY)
    expected = np.quantile(drawn, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(expected, abs=0.15 * np.std(drawn))


def test_only_draws_near_the_quantile_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a = RANDOM.lognormal(size=5000)
    b = a * RANDOM.lognormal(0.02, 0.3, 5000)
    near = quantile_bootstrap(a, b, 0.95)
    monkeypatch.setattr(bootstrap, "FAR", 1e9)
    every = quantile_bootstrap(a, b, 0.95)
    error = (every.high - every.low) / 4
    assert (near.low, near.high) == pytest.approx((every.low, every.high), abs=0.1 * error)


def test_a_seed_gives_the_same_interval_again() -> None:
    a, b = SHAPES["many values"]
    assert paired_bootstrap(a, b, seed=4) == paired_bootstrap(a, b, seed=4)
    assert paired_bootstrap(a, b, seed=4) != paired_bootstrap(a, b, seed=5)
    assert quantile_bootstrap(a, b, seed=4) == quantile_bootstrap(a, b, seed=4)


@pytest.mark.parametrize(
    ("a", "b", "clusters", "why"),
    [
        ([], [], None, "fewer than two"),
        ([0.3], [0.4], None, "fewer than two"),
        ([1.0, np.nan, 3.0], [2.0, 3.0, 4.5], None, "missing"),
        ([1.0, 2.0, 3.0], [2.0, 3.0, 4.5], [0, 0, 1], "2 clusters are too few"),
    ],
)
def test_what_has_no_interval_says_so(a: list, b: list, clusters: list | None, why: str) -> None:
    for found in (paired_bootstrap(a, b, clusters), quantile_bootstrap(a, b, 0.5, clusters)):
        assert found.low is None and found.high is None
        assert why in found.method


def test_moving_alike_is_no_certainty() -> None:
    for found in (
        paired_bootstrap([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]),
        quantile_bootstrap([1.0] * 9, [2.0] * 9),
    ):
        assert (found.estimate, found.low, found.high) == (1.0, None, None)
        assert "alike" in found.method


def test_a_ratio_to_nothing_is_refused() -> None:
    zeros, ones = np.zeros(9), np.arange(9.0)
    for found in (
        paired_bootstrap(zeros, ones, statistic="ratio"),
        quantile_bootstrap(zeros, ones, statistic="ratio"),
    ):
        assert found.estimate is None and "no ratio" in found.method
    sparse = np.r_[np.zeros(8), 1.0]
    assert "zero or less" in paired_bootstrap(sparse, ones, statistic="ratio").method


def test_a_quantile_with_little_beyond_it_says_so() -> None:
    assert "read with care" in quantile_bootstrap(LATENCY[:80], SLOWER[:80], 0.99).method
    assert "read with care" not in quantile_bootstrap(LATENCY, SLOWER, 0.99).method


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=40))
def test_ends_lie_within_what_was_seen(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    found = paired_bootstrap(a, b, resamples=50)
    if found.low is not None and found.high is not None:
        assert (b - a).min() - 1e-9 <= found.low <= found.high <= (b - a).max() + 1e-9
    found = quantile_bootstrap(a, b, 0.7, resamples=50)
    if found.low is not None and found.high is not None:
        assert b.min() - a.max() - 1e-9 <= found.low <= found.high <= b.max() - a.min() + 1e-9
