"""Score and exact tests of shares against published figures and other libraries."""

from __future__ import annotations

import evalstats
import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from aiops_lab.stats.score import (
    exact_loss,
    exact_share,
    exact_share_interval,
    mcnemar,
    tango,
    tango_interval,
    wilson,
)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (9, 10), (47, 100), (300, 300)])
def test_single_shares_equal_statsmodels(hits: int, n: int) -> None:
    ours = wilson(hits / n, n, stats.norm.ppf(0.975))
    assert ours == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-9)
    exact = exact_share_interval(hits, n, 0.95)
    assert exact == pytest.approx(proportion_confint(hits, n, method="beta"), abs=1e-9)
    assert exact_share(hits, n, 0.9, above=False) == pytest.approx(stats.binom.cdf(hits, n, 0.9))
    assert exact_share(hits, n, 0.9, above=True) == pytest.approx(stats.binom.sf(hits - 1, n, 0.9))


@pytest.mark.parametrize(
    ("n", "p", "coverage"),
    [(10, 0.9, 0.930), (10, 0.97, 0.965), (30, 0.9, 0.974), (100, 0.97, 0.969), (300, 0.97, 0.941)],
)
def test_coverage_of_wilson_is_the_published_one(n: int, p: float, coverage: float) -> None:
    hits = np.arange(n + 1)
    low, high = wilson(hits / n, n, stats.norm.ppf(0.975))
    inside = (low <= p) & (p <= high)
    assert stats.binom.pmf(hits, n, p)[inside].sum() == pytest.approx(coverage, abs=6e-4)


@pytest.mark.parametrize(("up", "down"), [(6, 0), (1, 9), (0, 0), (30, 41), (5, 5)])
def test_mcnemar_equals_statsmodels(up: int, down: int) -> None:
    assert mcnemar(up, down) == pytest.approx(
        reference_mcnemar([[0, up], [down, 0]], exact=True).pvalue
    )


def test_six_changed_pairs_cannot_go_below_their_floor() -> None:
    assert min(mcnemar(k, 6 - k) for k in range(7)) == 0.03125


def test_tango_is_zero_at_the_estimate_and_equals_mcnemar_at_none() -> None:
    assert tango(0.1, 0.02, 50, 0.08) == 0
    assert tango(0.2, 0.04, 50, 0.0) == pytest.approx((10 - 2) / np.sqrt(12))


@pytest.mark.parametrize(("up", "down", "n"), [(12, 2, 100), (3, 9, 40), (40, 40, 300)])
def test_tango_equals_evalstats(up: int, down: int, n: int) -> None:
    sides = np.repeat([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [up, down, n - up - down], axis=0)
    theirs = evalstats.pairwise_differences(sides.T, 1, 0, method="tango")
    low, high = tango_interval(up / n, down / n, n, stats.norm.ppf(0.975))
    assert (low, high) == pytest.approx((theirs.ci_low, theirs.ci_high), abs=1e-6)


@pytest.mark.parametrize("n", [5, 20, 59, 149])
def test_no_changed_pair_has_the_exact_bound(n: int) -> None:
    bound = 1 - 0.05 ** (1 / n)
    assert exact_loss(0, 0, n, -bound) == pytest.approx(0.05)


@pytest.mark.parametrize(("n", "margin"), [(300, 0.02), (100, 0.05), (1000, 0.01), (40, 0.1)])
def test_the_exact_rule_keeps_its_size(n: int, margin: float) -> None:
    """At a loss of the margin itself at most 5 % pass, whatever the share of changed pairs."""
    for changed in margin * np.array([1.0, 1.1, 1.3, 1.7, 2.5]):
        gain, loss = (changed - margin) / 2, (changed + margin) / 2
        passed = 0.0
        for up in range(10):
            for down in range(10 - up):
                if exact_loss(up, down, n, -margin) <= 0.05:
                    counts = [up, down, n - up - down]
                    passed += stats.multinomial.pmf(counts, n, [gain, loss, 1 - changed])
        assert passed <= 0.05
