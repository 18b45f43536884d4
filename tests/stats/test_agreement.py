"""Agreement against scikit-learn, statsmodels, the krippendorff package, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from aiops_lab.stats.agreement import Agreement, cohen_kappa, gwet_ac1, krippendorff_alpha

RANDOM = np.random.default_rng(6)
MISSING = np.nan
# Krippendorff 2011, section C: four observers, twelve units
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, MISSING, MISSING, MISSING],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, MISSING, 3],
    [MISSING, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, MISSING],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, MISSING],
]


def raters(n: int, categories: int, same: float) -> tuple[np.ndarray, np.ndarray]:
    a = RANDOM.integers(0, categories, n)
    return a, np.where(RANDOM.random(n) < same, a, RANDOM.integers(0, categories, n))


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
@pytest.mark.parametrize("categories", [2, 3, 7])
def test_kappa_equals_scikit_learn(categories: int, weights: str | None) -> None:
    a, b = raters(90, categories, 0.6)
    found = cohen_kappa(a, b, weights)
    assert found.value == pytest.approx(cohen_kappa_score(a, b, weights=weights))
    assert found.n == 90


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_the_interval_of_kappa_is_near_the_asymptotic_one(weights: str | None) -> None:
    a, b = raters(3000, 3, 0.6)
    table = np.bincount(a * 3 + b, minlength=9).reshape(3, 3)
    reference = cohens_kappa(table, wt=weights)
    found = cohen_kappa(a, b, weights)
    expected = (reference.kappa_low, reference.kappa_upp)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(
    ("scale", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_the_published_example(scale: str, value: float) -> None:
    found = krippendorff_alpha(PUBLISHED, scale)
    assert round(found.value, 3) == value
    assert found.n == 11
    assert found.low < value < found.high


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_alpha_equals_the_package(scale: str, missing: float) -> None:
    a, b = raters(120, 5, 0.5)
    ratings = np.stack([a, b, RANDOM.permutation(a), a]) * 1.0
    ratings[RANDOM.random(ratings.shape) < missing] = MISSING
    found = krippendorff_alpha(ratings, scale)
    reference = krippendorff.alpha(ratings, level_of_measurement=scale)
    assert found.value == pytest.approx(reference)


def test_alpha_of_many_numbers_equals_the_package() -> None:
    ratings = RANDOM.normal(size=30) + RANDOM.normal(size=(3, 30))
    found = krippendorff_alpha(ratings, "interval")
    reference = krippendorff.alpha(ratings, level_of_measurement="interval")
    assert found.value == pytest.approx(reference)
    assert "more than 32 categories" in krippendorff_alpha(ratings).method


def test_ac1_by_its_definition() -> None:
    a, b = raters(70, 3, 0.7)
    agreed = np.mean(a == b)
    share = [(np.mean(a == k) + np.mean(b == k)) / 2 for k in range(3)]
    chance = sum(p * (1 - p) for p in share) / 2
    assert gwet_ac1(a, b).value == pytest.approx((agreed - chance) / (1 - chance))


def test_ac1_holds_where_kappa_collapses() -> None:
    """120 of 125 agreed; by chance 2 x .964 x .036 (AC1), .984 x .944 + .016 x .056 (kappa)."""
    a = np.repeat([1, 1, 0], [118, 5, 2])
    b = np.repeat([1, 0, 0], [118, 5, 2])
    assert gwet_ac1(a, b).value == pytest.approx((0.96 - 0.069408) / (1 - 0.069408))
    assert cohen_kappa(a, b).value == pytest.approx((0.96 - 0.929792) / (1 - 0.929792))


@pytest.mark.parametrize("measure", [cohen_kappa, gwet_ac1])
def test_labels_may_be_anything_and_missing(measure: Callable[..., Agreement]) -> None:
    texts = measure(["b", "a", None, "a", "b"], ["b", "a", "a", "b", "b"])
    numbers = measure([1, 0, MISSING, 0, 1], [True, False, False, True, True])
    assert texts == numbers
    assert texts.n == 4


@pytest.mark.parametrize(
    ("a", "b", "n", "why"),
    [
        ([], [], 0, "at least two"),
        ([1], [1], 1, "at least two"),
        ([1, None], [None, 1], 0, "at least two"),
        ([None] * 3, [MISSING] * 3, 0, "at least two"),
        ([1, 1, 1, None], [1, 1, 1, 0], 3, "only one category"),
    ],
)
def test_nothing_to_say_is_said(a: list, b: list, n: int, why: str) -> None:
    found = [cohen_kappa(a, b), gwet_ac1(a, b)]
    found += [krippendorff_alpha([a, b], scale) for scale in ("nominal", "ordinal", "interval")]
    for one in found:
        assert (one.value, one.low, one.high, one.n) == (None, None, None, n)
        assert why in one.method


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one an item"):
        cohen_kappa([1, 0], [1])
    with pytest.raises(ValueError, match="expected raters by items"):
        krippendorff_alpha([1, 0])


def test_a_perfect_record_is_no_certainty() -> None:
    found = cohen_kappa([1, 0] * 10, [1, 0] * 10)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.85


def test_clusters_widen_the_interval() -> None:
    a, b = raters(60, 2, 0.7)
    alone = cohen_kappa(a, b)
    five_times = [np.repeat(x, 5) for x in (a, b, np.arange(60))]
    together = cohen_kappa(*five_times[:2], clusters=five_times[2])
    assert together.value == pytest.approx(alone.value)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.1)
    few = cohen_kappa(a, b, clusters=np.arange(60) % 4)
    assert few.low is None and "4 clusters are too few" in few.method


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_never_nan(pairs: list[tuple[int, int]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    found = [cohen_kappa(a, b), gwet_ac1(a, b)]
    found += [krippendorff_alpha([a, b], scale) for scale in ("nominal", "ordinal", "interval")]
    for one in found:
        if one.value is None:
            assert one.low is None and one.high is None
        else:
            assert one.low <= one.value <= one.high


CELLS = [(n, share, kappa) for n in (50, 200) for share in (0.5, 0.9) for kappa in (0.4, 0.8)]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "share", "kappa"), CELLS)
def test_intervals_cover(n: int, share: float, kappa: float) -> None:
    both = share**2 + kappa * share * (1 - share)
    one = share * (1 - share) * (1 - kappa)
    cells = np.array([1 - both - 2 * one, one, one, both])
    chance = 2 * share * (1 - share)
    true = {cohen_kappa: kappa, gwet_ac1: (1 - 2 * one - chance) / (1 - chance)}
    true[krippendorff_alpha] = kappa
    random, hits, widths = (
        np.random.default_rng(1),
        dict.fromkeys(true, 0),
        dict.fromkeys(true, 0.0),
    )
    rounds = 1500

    @lru_cache(None)
    def measured(measure: Callable[..., Agreement], counts: tuple[int, ...]) -> Agreement:
        """Of the same items in any order: only how many there are of each pair of labels counts."""
        pair = np.repeat([[0, 0, 1, 1], [0, 1, 0, 1]], counts, axis=1)
        return measure(pair) if measure is krippendorff_alpha else measure(*pair)

    for done in range(rounds):
        cell = random.choice(4, n, p=cells)
        counts = tuple(np.bincount(cell, minlength=4).tolist())
        for measure, value in true.items():
            found = measured(measure, counts)
            if done < 20:
                pair = (cell // 2, cell % 2)
                drawn = measure(pair) if measure is krippendorff_alpha else measure(*pair)
                assert drawn == found
            low, high = (-1.0, 1.0) if found.low is None else (found.low, found.high)
            hits[measure] += low <= value <= high
            widths[measure] += (high - low) / rounds
    for measure, count in hits.items():
        print(f"{measure.__name__:18} {n=} {share=} {kappa=} "
              f"covers {count / rounds:.3f}, width {widths[measure]:.3f}")  # fmt: skip
        assert count / rounds >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_alpha_of_three_raters_covers(scale: str) -> None:
    """Against the alpha of a hundred thousand items of the same raters; a fifth is missing."""
    random = np.random.default_rng(2)

    def rated(n: int) -> np.ndarray:
        truth = random.choice(4, n, p=[0.6, 0.2, 0.15, 0.05])
        near = np.clip(truth + random.integers(-1, 2, (3, n)), 0, 3)
        ratings = np.where(random.random((3, n)) < 0.8, truth, near) * 1.0
        return np.where(random.random((3, n)) < 0.2, np.nan, ratings)

    true = krippendorff_alpha(rated(100_000), scale).value
    for n in (50, 200):
        found = [krippendorff_alpha(rated(n), scale) for _ in range(800)]
        covered = np.mean([one.low <= true <= one.high for one in found])
        print(f"alpha {scale} {n=} covers {covered:.3f}")
        assert covered >= 0.92
