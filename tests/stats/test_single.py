"""Single means: the method that suits the values, and its test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from aiops_lab.stats.single import p_mean, single_mean

RANDOM = np.random.default_rng(8)


@pytest.mark.parametrize(
    ("n", "share", "error"),
    [(5000, 0.655, 0.00672), (5000, 0.630, 0.00683), (164, 0.836, 0.02891), (164, 0.867, 0.02652)],
)
def test_errors_of_the_published_table(n: int, share: float, error: float) -> None:
    """Miller 2024, the example table: Bernoulli standard errors."""
    hits = round(n * share)
    found = single_mean(np.repeat([1, 0], [hits, n - hits]))
    assert found.standard_error == pytest.approx(error, abs=2e-4)


def test_epochs_are_not_rows() -> None:
    """Four questions of three epochs each: the error of their means, not that of twelve rows."""
    means = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0]]).mean(1)
    assert single_mean(means).standard_error == pytest.approx(0.215166, abs=1e-6)


def test_numbers_have_students_interval() -> None:
    x = RANDOM.normal(3, 2, 25)
    found = single_mean(x)
    reference = stats.ttest_1samp(x, 3).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(reference))
    # what decides takes the skewness out
    t = stats.ttest_1samp(x - 9, -7.0).statistic
    a = stats.skew(x) / 5
    unskewed = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    larger = max(stats.t.sf(unskewed, 24), stats.t.sf(t, 24))
    assert p_mean(x - 9, -7.0, above=True) == pytest.approx(larger)


@pytest.mark.parametrize("shape", ["share", "clusters", "binary"])
def test_the_test_and_the_interval_agree(shape: str) -> None:
    x = RANDOM.beta(5, 1, 60) if shape == "share" else RANDOM.integers(0, 2, 60) * 1.0
    groups = np.arange(60) // 4 if shape == "clusters" else None
    found = single_mean(x, groups, level=0.9, exact=True)
    assert found.low is not None and found.high is not None
    assert p_mean(x, found.low, groups, above=True) == pytest.approx(0.05, abs=1e-6)
    assert p_mean(x, found.high, groups, above=False) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(("values", "n"), [([], 0), ([0.3], 1), ([7.0, 7.0, 7.0], 3)])
def test_what_has_no_interval_says_so(values: list[float], n: int) -> None:
    found = single_mean(values)
    assert (found.n, found.low, found.high) == (n, None, None)
    assert found.method
    assert p_mean(values, 0.5, above=True) is None


def test_a_perfect_record_is_no_certainty() -> None:
    found = single_mean(np.ones(5), level=0.9, exact=True)
    assert found.low == pytest.approx(0.549, abs=1e-3)
    assert found.high == 1.0


@pytest.mark.parametrize(("halves", "n"), [(3, 100), (5, 60), (12, 300)])
def test_halves_are_decided_nearly_as_well_as_by_their_count(halves: int, n: int) -> None:
    """Scores of a half and one are pass or fail on another scale: Clopper and Pearson know them."""
    x = np.ones(n)
    x[:halves] = 0.5
    found = single_mean(x, level=0.9, exact=True)
    seen = stats.binomtest(halves, n)
    bold, exact = (seen.proportion_ci(0.9, method).high for method in ("wilson", "exact"))
    assert found.mean is not None and found.low is not None and found.high is not None
    assert found.low <= 1 - bold / 2
    assert found.mean - found.low < 1.5 * (found.mean - (1 - exact / 2))
