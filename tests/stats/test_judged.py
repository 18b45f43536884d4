"""What a judge says put right: published figures, other libraries, coverage."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from aiops_lab.stats.judged import corrected_rate, error_rates_differ, ppi_mean
from aiops_lab.stats.paired import paired_difference
from aiops_lab.stats.single import single_mean

RANDOM = np.random.default_rng(9)


def known_example() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Unlabelled and labelled scores of the judge, labels, and the truth of all 2000."""
    random = np.random.default_rng(7)
    truth = (random.random(2000) < 0.7) * 1.0
    judge = np.where(random.random(2000) < 0.85, truth, 1 - truth)
    return judge[200:], judge[:200], truth[:200], truth


def test_figures_of_the_known_example() -> None:
    others, judge, labels, truth = known_example()
    plain = ppi_mean(others, judge, labels, tuned=False, interval="normal")
    tuned = ppi_mean(others, judge, labels, interval="normal")
    assert plain.judge_only == pytest.approx(0.637)
    assert (labels.mean(), truth.mean()) == pytest.approx((0.715, 0.697))
    figures = (plain.value, plain.low, plain.high)
    assert figures == pytest.approx((0.695, 0.639192, 0.750808), abs=5e-7)
    figures = (tuned.value, tuned.low, tuned.high)
    assert figures == pytest.approx((0.703588, 0.655910, 0.751265), abs=5e-7)
    score = ppi_mean(others, judge, labels)
    assert score.value == tuned.value
    assert (score.low, score.high) == pytest.approx((tuned.low, tuned.high), abs=0.003)


def test_the_mean_agrees_with_evalstats() -> None:
    import evalstats

    others, judge, labels, _ = known_example()
    scores = np.concatenate([judge, others])
    people = np.concatenate([labels, np.full(others.size, np.nan)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = evalstats.judge_debias_mean_ci(scores, people, rng=1)
    found = ppi_mean(others, judge, labels)
    error = found.standard_error
    assert found.value == pytest.approx(reference.mean, abs=0.15 * error)
    interval = (reference.ci_low, reference.ci_high)
    assert (found.low, found.high) == pytest.approx(interval, abs=0.3 * error)


def test_a_judge_that_says_nothing_leaves_the_labels() -> None:
    labels = RANDOM.integers(0, 2, 300) * 1.0
    found = ppi_mean(np.ones(500), np.ones(300), labels)
    alone = single_mean(labels)
    assert found.judge_weight == 0
    assert found.value == pytest.approx(alone.mean)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=3e-4)


def test_numbers_and_differences_have_students_interval() -> None:
    labels = RANDOM.normal(5, 1, 80)
    found = ppi_mean(np.full(500, 3.0), np.full(80, 3.0), labels)
    half = stats.t.ppf(0.975, 79) * labels.std() / math.sqrt(80)
    assert (found.low, found.high) == pytest.approx((labels.mean() - half, labels.mean() + half))
    moved = RANDOM.integers(-1, 2, 80) * 1.0
    found = ppi_mean(np.zeros(500), np.zeros(80), moved, paired=True)
    alone = paired_difference(np.zeros(80), moved, bounded=False)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=3e-3)


def test_clusters_widen_the_interval() -> None:
    others, judge, labels, _ = known_example()
    ids = np.arange(2000)
    alone = ppi_mean(others, judge, labels)
    single = ppi_mean(others, judge, labels, clusters=(ids[200:], ids[:200]))
    assert (single.low, single.high) == pytest.approx((alone.low, alone.high), abs=2e-4)
    # everything five times over is nothing new
    five = [np.repeat(x, 5) for x in (others, judge, labels, ids[200:], ids[:200])]
    together = ppi_mean(*five[:3], clusters=(five[3], five[4]))
    assert together.standard_error == pytest.approx(single.standard_error, rel=0.01)
    few = ppi_mean(others, judge, labels, clusters=(ids[200:] % 4, ids[:200] % 4))
    assert few.low is None and "too few" in few.method


@pytest.mark.parametrize(
    ("others", "judge", "labels"),
    [([], [], []), ([1.0, 0.0], [1.0], [1.0]), ([1.0], [1, 0, 1], [1, 1, 1]),
     ([1.0, np.nan], [1, 0, 1], [1, 1, 1])],
)  # fmt: skip
def test_too_little_is_said(others: list, judge: list, labels: list) -> None:
    for found in (ppi_mean(others, judge, labels), ppi_mean(others, judge, labels, paired=True)):
        assert (found.value, found.low, found.high) == (None, None, None)
        assert "fewer than two answers" in found.method


def test_no_difference_seen_is_no_certainty() -> None:
    found = ppi_mean(np.zeros(900), np.zeros(50), np.zeros(50), paired=True)
    assert (found.value, found.low, found.high) == (0, None, None)
    assert "no interval" in found.method
    assert ppi_mean(np.ones(900), np.ones(50), np.ones(50)).low < 0.94


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=30),
    st.lists(st.integers(0, 1), min_size=2, max_size=30),
)
def test_ends_are_in_order_and_within_bounds(pairs: list[tuple], others: list[int]) -> None:
    judge, labels = zip(*pairs, strict=True)
    found = ppi_mean(others, judge, labels)
    assert 0 - 1e-12 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1 + 1e-12


def test_the_corrected_rate_by_hand() -> None:
    """Lang and Reiczigel 2014, section 2, written out for 46 of 1000, 85 of 100, 194 of 200."""
    z = stats.norm.ppf(0.975)
    p = (46 + z**2 / 2) / (1000 + z**2)
    se, sp = 86 / 102, 195 / 202
    middle = (p + sp - 1) / (se + sp - 1)
    terms = (
        p * (1 - p) / (1000 + z**2),
        middle**2 * se * (1 - se) / 102,
        (1 - middle) ** 2 * sp * (1 - sp) / 202,
    )
    shift = middle * se * (1 - se) / 102 - (1 - middle) * sp * (1 - sp) / 202
    half = z * math.sqrt(sum(terms)) / (se + sp - 1)
    found = corrected_rate(
        46, 1000, true_positives=85, positives=100, true_negatives=194, negatives=200
    )
    assert found.value == pytest.approx((0.046 - 0.03) / 0.82)
    assert found.low == max(0.0, middle + 2 * z**2 * shift - half)
    assert found.high == pytest.approx(middle + 2 * z**2 * shift + half)


def test_a_perfect_judge_corrects_nothing() -> None:
    known = {"positives": 10**6, "negatives": 10**6}
    found = corrected_rate(30, 1000, true_positives=10**6, true_negatives=10**6, level=0.9, **known)
    assert found.value == pytest.approx(0.03)
    wald = proportion_confint(30 + 1.3528, 1000 + 2.7055, alpha=0.1)
    assert (found.low, found.high) == pytest.approx(wald, abs=1e-4)


@pytest.mark.parametrize(
    ("right", "of", "passed", "n"), [(60, 100, 60, 100), (10, 100, 10, 100), (0, 0, 5, 5)]
)
def test_a_useless_judge_is_refused(right: int, of: int, passed: int, n: int) -> None:
    found = corrected_rate(
        50, 100, true_positives=right, positives=of, true_negatives=passed, negatives=n
    )
    assert (found.value, found.low, found.high) == (None, None, None)
    assert "too little" in found.method or "no correction" in found.method


def test_error_rates_equal_fisher_and_wilson() -> None:
    people = np.repeat([1, 0], [60, 40])
    judge = np.where(RANDOM.random(100) < 0.9, people, 1 - people)
    lenient = np.where(RANDOM.random(100) < 0.6, people, 1)
    found = error_rates_differ(judge, people, lenient, people)
    wrong = [int((x[60:] == 1).sum()) for x in (judge, lenient)]
    p = stats.fisher_exact([[wrong[0], 40 - wrong[0]], [wrong[1], 40 - wrong[1]]]).pvalue
    positive = found.false_positive
    assert positive.p_value == pytest.approx(p)
    assert positive.adjusted == pytest.approx(min(1, 2 * p))
    assert found.differ == (positive.adjusted < 0.05 or found.false_negative.adjusted < 0.05)
    wilson = proportion_confint(wrong[1], 40, method="wilson")
    assert (positive.candidate.low, positive.candidate.high) == pytest.approx(wilson)


def test_error_rates_without_labels_of_a_kind() -> None:
    found = error_rates_differ([1, 0, 1], [1, 1, 1], [1, 1], [1, np.nan])
    assert found.false_positive.p_value is None and found.false_positive.baseline.n == 0
    assert found.false_negative.candidate.n == 1
    assert found.differ is False
    assert error_rates_differ([], [], [], []).differ is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "se", "sp", "positives", "negatives"),
    [(0.02, 0.85, 0.97, 100, 200), (0.015, 0.8, 0.95, 60, 300), (0.02, 0.7, 0.9, 50, 50),
     (0.02, 0.95, 0.995, 200, 2000), (0.1, 0.9, 0.9, 100, 100), (0.3, 0.85, 0.95, 100, 200)],
)  # fmt: skip
def test_the_corrected_rate_covers(
    rate: float, se: float, sp: float, positives: int, negatives: int
) -> None:
    random, rounds, n = np.random.default_rng(3), 6000, 1000
    flagged = random.binomial(n, rate * se + (1 - rate) * (1 - sp), rounds)
    right, passed = random.binomial(positives, se, rounds), random.binomial(negatives, sp, rounds)
    found = [
        corrected_rate(
            int(m), n, true_positives=int(a), positives=positives, true_negatives=int(b),
            negatives=negatives,
        )
        for m, a, b in zip(flagged, right, passed, strict=True)
    ]  # fmt: skip
    told = [one for one in found if one.low is not None]
    covered = np.mean([one.low <= rate <= one.high for one in told])
    width = np.mean([one.high - one.low for one in told])
    judge_only = proportion_confint(flagged, n, method="wilson")
    naive = np.mean((judge_only[0] <= rate) & (rate <= judge_only[1]))
    print(f"{rate=} {se=} {sp=} {positives}/{negatives}: covers {covered:.3f}, "
          f"width {width:.4f}; judge alone covers {naive:.3f}")  # fmt: skip
    assert covered >= 0.94


def judged(random: np.random.Generator, truth: np.ndarray, right: float) -> np.ndarray:
    return np.where(random.random(truth.shape) < right, truth, 1 - truth)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize(
    ("rate", "right"), [(0.7, 0.85), (0.5, 0.85), (0.9, 0.95), (0.95, 0.95), (0.7, 0.55)]
)
def test_the_powered_mean_covers_and_is_narrower(rate: float, right: float, n: int) -> None:
    random, rounds = np.random.default_rng(4), 3000
    covered, width, alone = 0, 0.0, 0.0
    for _ in range(rounds):
        truth = (random.random(2000 + n) < rate) * 1.0
        judge = judged(random, truth, right)
        found, labels = ppi_mean(judge[n:], judge[:n], truth[:n]), single_mean(truth[:n])
        covered += found.low <= rate <= found.high
        width += found.high - found.low
        alone += labels.high - labels.low
    print(f"mean {rate=} {right=} {n=}: covers {covered / rounds:.3f}, "
          f"width {width / rounds:.4f}, of labels only {alone / rounds:.4f}")  # fmt: skip
    assert covered / rounds >= 0.94
    assert width <= 1.02 * alone
    assert right < 0.8 or width < 0.9 * alone


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200, 500])
@pytest.mark.parametrize(
    ("up", "down", "right"),
    [(0.05, 0.05, 0.9), (0.08, 0.03, 0.97), (0.02, 0.02, 0.97), (0.15, 0.1, 0.95), (0.1, 0.1, 0.6)],
)
def test_the_powered_difference_covers(up: float, down: float, right: float, n: int) -> None:
    random, rounds = np.random.default_rng(5), 3000
    covered, width, alone, told = 0, 0.0, 0.0, 0
    for _ in range(rounds):
        baseline = (random.random(2000 + n) < 0.8) * 1.0
        chance = random.random(2000 + n)
        candidate = np.where(baseline == 1, chance >= down / 0.8, chance < up / 0.2) * 1.0
        first = judged(random, baseline, right)
        # the judge mostly repeats itself on answers that did not change
        same = (baseline == candidate) & (random.random(2000 + n) < 0.6)
        judge = np.where(same, first, judged(random, candidate, right)) - first
        moved = candidate - baseline
        found = ppi_mean(judge[n:], judge[:n], moved[:n], paired=True)
        labels = paired_difference(baseline[:n], candidate[:n])
        if found.low is None:
            continue
        told += 1
        covered += found.low <= up - down <= found.high
        width += found.high - found.low
        alone += labels.high - labels.low
    print(f"difference {up=} {down=} {right=} {n=}: covers {covered / told:.3f}, "
          f"width {width / told:.4f}, of labels only {alone / told:.4f}, "
          f"none {1 - told / rounds:.4f}")  # fmt: skip
    assert covered / told >= 0.94
    assert width <= 1.02 * alone
    assert right < 0.9 or width < 0.95 * alone
