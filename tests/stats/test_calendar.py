"""Calendars in series: trends leave nothing, chance is what it says, patterns are dated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.stats.calendar import chance, contrast, detrended, every, folded


@given(
    st.integers(2, 31), st.integers(40, 120), st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 9)
)
def test_a_straight_line_leaves_nothing(
    window: int, times: int, slope: float, level: float, seed: int
) -> None:
    line = level + slope * np.arange(times, dtype=float)[None]
    assert np.abs(detrended(line, window)).max() < 1e-8 * (1 + abs(slope) * times) or (
        times <= 2 * (window // 2) + 1
    )


def test_a_pattern_of_the_window_stays_whole() -> None:
    week = np.array([3.0, 0, 0, 0, 0, 0, 0])
    moved = detrended(np.tile(week, 12)[None] + np.arange(84) * 0.5, 7)
    assert moved[0] == pytest.approx(np.tile(week - week.mean(), 12), abs=1e-9)


def test_folding_is_the_analysis_of_variance_with_blocks() -> None:
    random = np.random.default_rng(2)
    values = random.normal(size=(1, 70))
    fold = folded(values, every(70, 7))
    table = values.reshape(10, 7) - values.reshape(10, 7).mean(axis=1, keepdims=True)
    means = table.mean(axis=0)
    within = ((table - means) ** 2).sum() / (70 - 10 - 6)
    assert fold.f[0] == pytest.approx(10 * (means**2).sum() / 6 / within)
    assert fold.t[0] == pytest.approx(means / np.sqrt(within / 10 * 6 / 7))


def test_permuted_sums_are_those_of_permuted_series() -> None:
    """The largest of a series with one outlier is the same whatever changes places."""
    values = np.zeros((1, 28))
    values[0, 9] = 1.0
    largest = chance(values, every(28, 7), 200)
    fold = folded(values, every(28, 7))
    assert largest == pytest.approx(np.abs(fold.t).max())


def test_missing_times_are_left_out() -> None:
    random = np.random.default_rng(5)
    values = random.normal(size=(3, 84)) - 3.0 * (np.arange(84) % 7 == 3)
    values[:, [3, 20, 21, 55]] = np.nan
    fold = folded(detrended(values, 7), every(84, 7))
    assert np.abs(fold.t).argmax(axis=1).tolist() == [3, 3, 3]
    assert (np.abs(fold.t).max(axis=1) > np.quantile(chance(values, every(84, 7), 500), 0.99)).all()


def test_a_pattern_that_began_later_is_dated() -> None:
    random = np.random.default_rng(6)
    values = random.normal(0, 0.3, 140)
    values[70:][np.arange(70, 140) % 7 == 1] -= 2.0
    found = contrast(values, every(140, 7), 1)
    assert found.since_low <= 10 <= found.since_high and abs(found.since - 10) <= 1
    whole = contrast(random.normal(0, 0.3, 140) - 2.0 * (np.arange(140) % 7 == 1), every(140, 7), 1)
    assert whole.since == 0 and whole.low <= -2.0 <= whole.high
