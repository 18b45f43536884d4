"""The day a budget is exhausted in draws, and draws of what was and will be bad."""

from __future__ import annotations

import numpy as np
import pytest

from aiops_lab.objectives.objective import Judge
from aiops_lab.stats.exhaustion import exhaustion, traffic
from aiops_lab.stats.levels import Days, levels

ENDS = np.arange(1.0, 11)
ANSWERS = np.full((1, 10), 100.0)


def days(bad: list[float], evaluated: float = 1000, counted: float = 1.0) -> Days:
    n = len(bad)
    return Days(np.full(n, 1000.0), np.full(n, evaluated), np.array(bad, float), counted)


def test_the_day_is_that_within_which_the_sum_reaches_the_budget() -> None:
    bad = np.array([[4.0] * 10, [1.0] * 10, [30.0] + [0.0] * 9])
    found = exhaustion(np.repeat(ANSWERS, 3, 0), bad, 0.02, ENDS, now=2)
    assert found.day.tolist() == pytest.approx([5, np.inf, 2 / 3])
    assert found.spent[0, -1] == pytest.approx(2)


def test_where_too_many_draws_are_open_the_end_is() -> None:
    bad = np.repeat([[4.0] * 10, [1.0] * 10], [6, 4], 0)
    found = exhaustion(np.repeat(ANSWERS, 10, 0), bad, 0.02, ENDS, now=2)
    assert found.quantile(0.5) == 5 and found.quantile(0.6) == 5
    assert found.quantile(0.61) == np.inf


def test_of_a_rolling_window_only_the_last_days_count() -> None:
    bad = np.array([[0, 0, 9, 0, 0, 0, 0, 0, 5, 0.0]])
    past = exhaustion(ANSWERS, bad, 0.02, ENDS, rolling=3, now=3)
    assert 2 < past.day[0] <= 3  # 9 of 6 allowed, from the third day on, until it falls out
    later = exhaustion(ANSWERS, bad, 0.02, ENDS, rolling=2, now=5)
    assert 8 < later.day[0] <= 9
    never = exhaustion(ANSWERS, bad, 0.05, ENDS, rolling=2, now=5)
    assert never.day[0] == np.inf


def test_traffic_keeps_its_weekdays() -> None:
    week = np.array([5.0, 5, 5, 5, 5, 1, 1])
    random = np.random.default_rng(0)
    many = traffic(np.concatenate([week * k for k in (1, 2, 3)]), 14, 500, random)
    assert many.shape == (500, 14) and set(many[:, 0] / many[:, 5]) == {5.0}
    assert set(traffic(week, 3, 500, random).ravel()) == {5.0, 1.0}


def test_what_was_counted_whole_is_known() -> None:
    found = levels(days([20] * 20), 0.02, random=np.random.default_rng(0))
    assert found.bad == pytest.approx(20)
    part = levels(days([2] * 20, 100, 0.1), 0.02, random=np.random.default_rng(0))
    assert 10 < part.bad.sum(1).std() < 150


def test_only_days_like_the_last_are_looked_back_on() -> None:
    found = levels(days([10] * 30 + [60] * 4), 0.02, random=np.random.default_rng(0))
    ahead = found.ahead(5, np.random.default_rng(1)).mean(1)
    assert 0.045 < np.median(ahead) < 0.075


def test_days_that_differ_widen_what_is_to_come() -> None:
    random = np.random.default_rng(2)
    same = levels(days([30] * 30), 0.02, random=random)
    apart = levels(days([5, 60, 25, 10, 50] * 6), 0.02, random=random)
    assert np.median(apart.spread) > np.median(same.spread)
    assert apart.ahead(1, random).std() > 3 * same.ahead(1, random).std()


def test_a_day_without_evaluations_says_nothing() -> None:
    n = np.array([1000.0, 0, 0, 0, 0, 0, 0, 0, 0, 1000])
    seen = Days(np.full(10, 1000.0), n, n * 0.03, 0.0)
    found = levels(seen, 0.02, random=np.random.default_rng(3)).bad
    assert found[:, 5].std() > 1.5 * found[:, 0].std()


def test_a_judges_errors_are_drawn_once_for_all_days() -> None:
    judge = Judge(45, 50, 190, 200)
    seen = days([60] * 20, 1000, 0.0)
    found = levels(seen, 0.02, judge, random=np.random.default_rng(4)).bad
    assert 0 < np.median(found.mean(1)) < 60
    assert np.corrcoef(found[:, 0], found[:, -1])[0, 1] > 0.5
