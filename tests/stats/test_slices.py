"""Shares of bad slices: exact where all was seen, and as exact sums say where not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aiops_lab.objectives.objective import Judge
from aiops_lab.stats.slices import (
    _hypergeometric,
    _true_at_most,
    bad_slices,
    mean_over_slices,
)
from aiops_lab.stats.spent import bad_share

COUNTS = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(st.lists(COUNTS, min_size=1, max_size=30), st.sampled_from([0.0, 0.1, 0.3, 1.0]))
def test_slices_that_were_seen_whole_are_known(counts: list[tuple[int, int]], limit: float) -> None:
    cells = [(k, n, n, bad, 0) for k, (n, bad) in enumerate(counts)]
    shares = np.array([bad / n for n, bad in counts])
    found = bad_slices(cells, limit)
    assert found.low == found.value == found.high == np.mean(shares > limit + 1e-9)
    mean = mean_over_slices(cells)
    assert (mean.low, mean.value, mean.high) == pytest.approx((shares.mean(),) * 3)


def test_one_slice_is_a_period() -> None:
    one, same = mean_over_slices([(0, 500, 100, 7, 0)]), bad_share([(500, 100, 7)])
    assert (one.low, one.value, one.high) == pytest.approx((same.low, same.value, same.high))
    judge = Judge(90, 100, 190, 200)
    one, same = mean_over_slices([(0, 500, 100, 7, 3)], judge), bad_share([(500, 100, 7, 3)], judge)
    assert (one.low, one.value, one.high) == pytest.approx((same.low, same.value, same.high))


def test_a_slice_of_which_none_was_evaluated_may_be_good_or_bad() -> None:
    cells = [(k, 10, 10, 0, 0) for k in range(9)] + [(9, 10, 0, 0, 0)]
    for found in (bad_slices(cells, 0.1), mean_over_slices(cells)):
        assert (found.low, found.high) == pytest.approx((0.0, 0.1))
        assert (found.slices, found.unseen, found.value) == (10, 1, 0.0)


def test_slices_without_answers_and_without_evaluations() -> None:
    assert bad_slices([], 0.1).method == "there are no answers"
    assert bad_slices([(0, 10, 0, 0, 0)], 0.1).value is None
    assert mean_over_slices([(0, 0, 0, 0, 0), (1, 4, 4, 1, 0)]).value == 0.25
    assert "labelled" in mean_over_slices([(1, 4, 4, 1, 0)], Judge(0, 0, 9, 9)).method


def test_what_is_sure_is_never_given_up() -> None:
    cells = [(0, 10, 8, 5, 0), (1, 10, 9, 0, 0), (2, 10, 1, 0, 0), (2, 10, 1, 0, 0)]
    found = bad_slices(cells, 0.2)
    assert found.low == 1 / 3 and found.high == 2 / 3


@given(st.integers(1, 60), st.data())
def test_hypergeometric_tails_are_those_of_scipy(size: int, data: st.DataObject) -> None:
    n, bad = data.draw(st.integers(0, size)), data.draw(st.integers(0, size))
    x = data.draw(st.integers(0, n))
    x_, n_, bad_, size_ = (np.array([float(value)]) for value in (x, n, bad, size))
    law = stats.hypergeom(size, bad, n)
    assert _hypergeometric(1, x_, n_, bad_, size_)[0] == pytest.approx(law.sf(x - 1), abs=1e-9)
    assert _hypergeometric(-1, x_, n_, bad_, size_)[0] == pytest.approx(law.cdf(x), abs=1e-9)


@pytest.mark.parametrize("true", [0, 1, 30, 300])
@pytest.mark.parametrize("strength", [0.02, 0.3, 1.0])
def test_at_most_so_many_hypotheses_are_true(true: int, strength: float) -> None:
    random, runs, short = np.random.default_rng(3), 1000, 0
    for _ in range(runs):
        p = np.append(random.random(true), random.random(100) * strength)
        short += _true_at_most(p, 0.05) < true
    assert short <= stats.binom.ppf(0.99, runs, 0.05)
