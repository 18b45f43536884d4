"""Paired differences against independent sources of the same figures."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from aiops_lab.stats.clustered import cr2, sign_flips
from aiops_lab.stats.multiple import holm
from aiops_lab.stats.paired import moves, paired_difference
from aiops_lab.stats.ratios import ratio
from aiops_lab.stats.unpaired import unpaired_difference

RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize("n", [2, 3, 10, 300])
def test_equals_scipy(n: int) -> None:
    a, b = RANDOM.normal(size=n), RANDOM.normal(0.2, size=n)
    found, reference = paired_difference(a, b), stats.ttest_rel(b, a)
    interval = reference.confidence_interval(0.95)
    assert found.difference == pytest.approx(np.mean(b - a), abs=1e-9)
    assert found.p_value == pytest.approx(reference.pvalue, abs=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(interval), abs=1e-9)
    assert found.standard_error == pytest.approx(stats.sem(b - a), abs=1e-9)


def test_clusters_equal_statsmodels() -> None:
    clusters = np.repeat(np.arange(30), 4)
    a = RANDOM.normal(size=120)
    b = a + RANDOM.normal(size=30)[clusters] + RANDOM.normal(size=120)
    model = sm.OLS(b - a, np.ones(120))
    kind = {"groups": clusters, "use_correction": True, "df_correction": True}
    reference = model.fit(cov_type="cluster", cov_kwds=kind, use_t=True)
    found = paired_difference(a, b, clusters)
    # statsmodels adds the factor (n - 1) / (n - k), which is 1 for a mean
    assert found.standard_error == pytest.approx(reference.bse[0], rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(reference.conf_int()[0]), rel=1e-9)
    assert found.method == "paired t on 30 clusters (CR2, 29 df): numbers"


def test_cr2_of_unequal_clusters_equals_its_matrix_form() -> None:
    """Bell and McCaffrey's definition: residuals times (I - H) ** -1/2, cluster by cluster."""
    sizes = RANDOM.integers(1, 9, 12)
    index = np.repeat(np.arange(12), sizes)
    n, y = len(index), RANDOM.normal(size=sizes.sum()) + index / 5
    hat = np.full((n, n), 1 / n)
    contrasts = []
    for cluster in range(12):
        own = index == cluster
        values, vectors = np.linalg.eigh(np.eye(own.sum()) - hat[np.ix_(own, own)])
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        contrasts.append((np.eye(n) - hat)[:, own] @ root @ np.full(own.sum(), 1 / n))
    gamma = np.array(contrasts) @ np.array(contrasts).T
    reference = sum(float(c @ y) ** 2 for c in contrasts) ** 0.5
    error, freedom = cr2(y, index)
    assert error == pytest.approx(reference)
    assert freedom == pytest.approx(np.trace(gamma) ** 2 / (gamma**2).sum())


def test_the_sign_flip_test_equals_scipy() -> None:
    d = RANDOM.normal(0.4, size=9)
    reference = stats.permutation_test(
        (d,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flips(d) == pytest.approx(reference.pvalue)


def test_the_interval_and_the_one_sided_tests_agree() -> None:
    for shape in ("binary", "share", "number", "clusters", "alike"):
        a = RANDOM.integers(0, 2, 150) * 1.0
        b = np.where(RANDOM.random(150) < 0.7, a, RANDOM.integers(0, 2, 150))
        groups = None
        if shape == "share":
            a, b = (a + 0.25) / 2, (b + RANDOM.random(150) / 2) / 2
        elif shape == "number":
            a, b = a * 9, b * 9 + RANDOM.normal(size=150)
        elif shape == "clusters":
            groups = np.arange(150) // 3
        elif shape == "alike":
            b = a
        found = moves(a, b, groups)
        low, high = found.exact_interval(0.9)
        assert low is not None and high is not None
        assert found.p_above(low) == pytest.approx(0.05, abs=1e-6), shape
        assert found.p_below(high) == pytest.approx(0.05, abs=1e-6), shape


def test_the_scale_does_not_matter() -> None:
    """The same answers out of 1, 5 or 100 points are decided alike, with the margin in points."""
    a = RANDOM.integers(0, 2, 80) * 1.0
    graded = np.round(RANDOM.random(80) * 4) / 4
    for b in (np.where(RANDOM.random(80) < 0.06, 0.0, a), np.append(graded[:79], 1.0)):
        first = moves(a, b)
        for top in (5, 100):
            found = moves(a * top, b * top)
            for limit in (-0.05, 0.0, 0.02):
                assert found.p_above(limit * top) == pytest.approx(first.p_above(limit)), top
                assert found.p_below(limit * top) == pytest.approx(first.p_below(limit)), top


def test_few_changed_pairs_are_decided_exactly() -> None:
    a = np.ones(300)
    b = np.where(np.arange(300) < 2, 0.0, 1.0)
    found = moves(a, b)
    low, high = found.exact_interval(0.9)
    assert low is not None and high is not None
    assert found.p_above(low) == pytest.approx(0.05, abs=1e-3)
    # with no gain a loss has the exact bound of Clopper and Pearson, to what is given away
    assert found.p_above(-0.03) == pytest.approx(stats.binom.cdf(2, 300, 0.03), abs=2e-4)


def test_the_skewness_of_pass_or_fail_is_not_taken_out_twice() -> None:
    """Three of 200 that lost a half cannot stand for more than three that lost all."""
    half, whole = np.ones((2, 200))
    half[:3], whole[:3] = 0.5, 0.0
    low, high = moves(np.ones(200), half).exact_interval()
    least = moves(np.ones(200), whole).exact_interval()[0]
    assert low is not None and high is not None and least is not None
    assert least <= low < -0.0075 < high < 0.005


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rate"), [(60, 0.1), (200, 0.03), (200, 0.1), (600, 0.03)])
def test_losses_in_equal_pieces_are_seldom_beyond_the_end(n: int, rate: float) -> None:
    random, beyond, runs = np.random.default_rng([n, round(100 * rate)]), 0, 4000
    for _ in range(runs):
        after = np.where(random.random(n) < rate, 0.25, 0.5)
        low = moves(np.full(n, 0.5), after).exact_interval()[0]
        beyond += low is not None and -0.25 * rate < low
    assert stats.binom.sf(beyond - 1, runs, 0.05) >= 0.01, beyond


def test_different_questions_are_compared_as_newcombe_does() -> None:
    """Newcombe 1998, example (a): 56 of 70 and 48 of 80, method 10."""
    first, second = np.repeat([1, 0], [56, 14]), np.repeat([1, 0], [48, 32])
    found = unpaired_difference(second, first)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    welch = unpaired_difference(RANDOM.normal(size=20), RANDOM.normal(size=30) * 3)
    assert "not paired" in welch.method


def test_few_clusters_are_refused_and_said() -> None:
    found = paired_difference([0, 1, 0, 1, 1, 0], [1, 1, 1, 1, 0, 0], [1, 1, 2, 2, 3, 3])
    assert "3 clusters are too few" in found.method


@pytest.mark.parametrize(("n", "bound"), [(5, 0.451), (20, 0.139), (59, 0.0495), (149, 0.0199)])
def test_no_variance_gives_the_exact_bound_and_no_p_value(n: int, bound: float) -> None:
    found = paired_difference(np.ones(n), np.ones(n), level=0.9)
    assert found.p_value is None
    assert found.standard_error is None
    assert found.high == pytest.approx(bound, abs=6e-4)
    assert found.low == pytest.approx(-bound, abs=6e-4)


def test_five_of_five_lost_is_clear_but_five_of_five_alike_is_not() -> None:
    lost = paired_difference(np.ones(5), np.zeros(5))
    assert lost.high is not None and lost.high < 0.05
    alike = paired_difference(np.ones(5), np.ones(5))
    assert alike.low is not None and alike.low < -0.4


@pytest.mark.parametrize("values", [[], [0.3]])
def test_too_few_questions_have_no_interval(values: list[float]) -> None:
    found = paired_difference(values, values)
    assert found.n == len(values)
    assert found.low is found.high is found.p_value is None


def test_ratio_of_geometric_means() -> None:
    a = RANDOM.lognormal(size=400)
    found = ratio(a, 2 * a * RANDOM.lognormal(0, 0.1, size=400))
    assert found.difference == pytest.approx(2, rel=0.02)
    assert found.low is not None and found.high is not None
    assert found.low < 2 < found.high


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_holm_equals_statsmodels(p_values: list[float | None]) -> None:
    found = [p for p in holm(p_values) if p is not None]
    given_p = [p for p in p_values if p is not None]
    reference = list(multipletests(given_p, method="holm")[1]) if given_p else []
    assert found == pytest.approx(reference)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40),
    st.floats(-10, 10),
)
def test_swapping_the_runs_turns_the_sign(pairs: list[tuple[float, float]], shift: float) -> None:
    a, b = np.array(pairs).T
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert one.difference == pytest.approx(-other.difference, abs=1e-12)
    if one.p_value is not None:
        assert one.p_value == pytest.approx(other.p_value)
        assert one.low == pytest.approx(-other.high, abs=1e-9)
