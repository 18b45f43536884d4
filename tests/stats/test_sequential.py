"""Baselines, evidence and onsets, against loops written out and other libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from aiops_lab.errors import BadSettings
from aiops_lab.stats.baseline import BAND, FREEDOM, LEAST, MOST, means, rates
from aiops_lab.stats.onset import onset
from aiops_lab.stats.sequential import days_to_find, recursion, watch
from tests.stats import simulate_days as days

RANDOM = np.random.default_rng(12)
FLOATS = st.floats(-20, 20)


def weekdays(length: int) -> np.ndarray:
    return np.arange(length) % 7


def some(series: int = 3, length: int = 60, rho: float = 0.001, seed: int = 1, swing: float = 0.2):
    random = np.random.default_rng(seed)
    return days.counts(random, np.full((series, length), 0.04), 400, rho, swing)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(FLOATS, st.booleans()), min_size=1, max_size=12))
def test_the_recursion_is_what_a_loop_does(path: list[tuple[float, bool]]) -> None:
    ratios, watched = (np.array(x) for x in zip(*path, strict=True))
    told = recursion(ratios[None], watched[None])[0]
    state = 0.0
    for at, (log, on) in enumerate(path):
        state = (state + 1) * np.exp(log) if on else state
        # digits are lost only as far below the largest so far as doubles reach
        assert np.exp(told[at]) == pytest.approx(state, rel=1e-6, abs=1e-300)


def test_evidence_is_the_mean_over_alternatives_and_the_alarm_needs_it() -> None:
    events, n = some(length=80)
    events[:, 60:] = np.round(events[:, 60:] * 1.6)
    series = rates(events, n, weekdays(80))
    found = watch(series, 500)
    for row in range(3):
        ratios = [np.exp(log[row]) for _, log in series.ratios()]
        state, alarm = np.zeros(len(ratios)), -1
        for day in range(30, 80):
            state = (state + 1) * [ratio[day] for ratio in ratios]
            assert np.exp(found.log_evidence[row, day]) == pytest.approx(state.mean())
            alarm = day if alarm < 0 and state.mean() >= 500 else alarm
        assert (found.log_evidence[row] >= np.log(500)).argmax() == alarm > 30
        assert found.alarm[row] >= alarm


def test_ratios_of_rates_are_those_of_beta_binomials() -> None:
    events, n = some(1)
    series = rates(events, n, weekdays(60))
    both = 1 / series.spread[0] - 1
    for side, end in ((1, series.high[0]), (-1, series.low[0])):
        p = end * series.effect[0]
        for odds, log in zip(
            (1.15, 1.3, 1.6, 2.0, 2.7, 3.6) if side > 0 else (0.85, 0.7, 0.55, 0.4),
            (each for of, each in series.ratios() if of == side),
            strict=True,
        ):
            q = odds * p / (1 - p + odds * p)
            expected = [
                stats.betabinom(n[0], x * both, (1 - x) * both).logpmf(events[0]) for x in (q, p)
            ]
            assert log[0] == pytest.approx(expected[0] - expected[1], abs=1e-6)


def test_ratios_of_means_are_those_of_students_t() -> None:
    series = means(*days.sums(RANDOM, np.full((1, 50), 3.0), 100, 0.05), weekdays(50))
    scale = np.sqrt(series.variance(series.value))[0]
    typical = np.median(scale[:30])
    for side, end in ((1, series.high[0]), (-1, series.low[0])):
        mean = end + series.effect[0]
        for at, log in enumerate(each for of, each in series.ratios() if of == side):
            moved = stats.t(FREEDOM, mean + side * 0.5 * 2**at * typical, scale)
            there = stats.t(FREEDOM, mean, scale)
            expected = moved.logpdf(series.value[0]) - there.logpdf(series.value[0])
            assert log[0] == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_ratio_has_a_mean_of_at_most_1_inside_the_band(level: float) -> None:
    """Exactly, over every count: the proof of the run length stands on it."""
    n, events = 200, np.arange(201.0)
    series = rates(*some(1, seed=3, swing=0), weekdays(60))
    series = series.take(slice(None), slice(1))
    rows = replace(
        series, value=events[None] / n, n=np.full((1, 201), n), known=np.full((1, 201), True),
        based=np.full((1, 201), False), effect=np.ones((1, 201)),
    )  # fmt: skip
    p, both = series.low + level * (series.high - series.low), 1 / series.spread - 1
    chance = stats.betabinom(n, p * both, (1 - p) * both).pmf(events)
    for _, log in rows.ratios():
        assert (chance * np.exp(log)).sum() <= 1 + 1e-9


def test_the_band_is_wilsons_where_days_do_not_differ() -> None:
    events, n = np.tile([15.0, 14, 16, 15, 15], 4), np.full(20, 500.0)
    series = rates(events, n, weekdays(20), baseline_days=20)
    assert series.spread == LEAST
    low, high = proportion_confint(events.sum(), n.sum(), 2 * stats.norm.sf(BAND), "wilson")
    assert (series.low[0], series.high[0]) == pytest.approx((low, high), rel=0.01)


def test_the_dispersion_is_the_upper_bound_of_pearsons_chi_square() -> None:
    events, n = days.counts(RANDOM, np.full((1, 20), 0.05), 400, 0.01)
    n[:] = 400.0
    series = rates(events, n, weekdays(20), baseline_days=20)
    p = events.sum() / n.sum()
    square = ((events - 400 * p) ** 2 / (400 * p * (1 - p))).sum()
    bound = (square / stats.chi2.ppf(0.2, 19) - 1) / 399
    assert LEAST < bound < MOST
    assert series.spread[0] == pytest.approx(bound, rel=1e-4)


def test_rare_events_have_a_floor_of_dispersion() -> None:
    rare, often = np.tile([2.0, 1, 2, 3, 2], 6), np.tile([30.0, 31, 29, 30, 30], 6)
    n = np.full(30, 1000.0)
    assert rates(rare, n, weekdays(30)).spread >= 5e-4
    assert rates(often, n, weekdays(30)).spread < 5e-4


def test_weekdays_are_told_apart_as_far_as_they_differ() -> None:
    flat = rates(*days.counts(RANDOM, np.full((200, 30), 0.05), 500, 0), weekdays(30))
    assert np.abs(flat.effect - 1).mean() < 0.05
    factor = 1 + 0.4 * np.sin(2 * np.pi * np.arange(30) / 7)
    level = 0.05 * factor * np.ones((200, 1))
    cyclic = rates(*days.counts(RANDOM, level, 500, 0), weekdays(30))
    # the rest is the error of some 100 events a weekday
    assert np.abs(cyclic.effect - factor).mean() < 0.09
    short = rates(*days.counts(RANDOM, level, 500, 0), weekdays(30), baseline_days=27)
    assert (short.effect == 1).all()


def test_series_do_not_change_each_other() -> None:
    events, n = some(5)
    found = watch(rates(events, n, weekdays(60)))
    for row in range(5):
        own = watch(rates(events[row], n[row], weekdays(60)))
        assert own.log_evidence[0] == pytest.approx(found.log_evidence[row])


def test_an_event_and_its_absence_are_the_same_evidence() -> None:
    events, n = some(length=80)
    events[:, 50:] *= 2
    one, other = (watch(rates(k, n, weekdays(80))) for k in (events, n - events))
    assert one.log_evidence == pytest.approx(other.log_evidence)
    series = rates(n - events, n, weekdays(80))
    assert series.turned.all() and (series.level < 0.1).all() and (one.alarm >= 50).all()


@pytest.mark.parametrize("gap", [np.nan, 0.0])
def test_days_without_traffic_are_no_evidence(gap: float) -> None:
    events, n = some(length=70)
    open_ = np.arange(100) % 10 < 7
    wide, size = np.full((3, 100), np.nan), np.full((3, 100), gap)
    wide[:, open_], size[:, open_] = events, n
    of_day = np.zeros(100, int)
    of_day[open_] = weekdays(70)
    one, other = watch(rates(events, n, weekdays(70))), watch(rates(wide, size, of_day))
    assert other.log_evidence[:, open_] == pytest.approx(one.log_evidence)
    after = other.log_evidence[:, np.flatnonzero(~open_)[-1] - 3 :]
    assert (after[:, 1:] == after[:, :-1])[:, :3].all()


def test_nothing_overflows() -> None:
    events = np.where(np.arange(2000) < 1000, 30_000.0, 900_000.0) + np.arange(2000) % 13
    found = watch(rates(events, np.full(2000, 1e6), weekdays(2000)))
    assert found.alarm == [1000] and np.isfinite(found.log_evidence[0, 30:]).all()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_unit_of_a_mean_does_not_matter(scale: float) -> None:
    total, squares, n = days.sums(RANDOM, np.full((2, 60), 3.0), 50, 0.1, 0.2)
    one = watch(means(total, squares, n, weekdays(60)))
    other = watch(means(total * scale, squares * scale**2, n, weekdays(60)))
    assert other.log_evidence == pytest.approx(one.log_evidence)


def test_single_values_a_day_have_a_mean_too() -> None:
    x = RANDOM.normal(5, 1, 60)
    series = means(x, x**2, np.ones(60), weekdays(60), baseline_days=20)
    assert series.within == 0 and series.spread > 0
    t = np.var(x[:20], ddof=1) * 19 / stats.chi2.ppf(0.5, 19)
    assert series.spread[0] == pytest.approx(t, rel=1e-4)
    assert (series.high - series.low)[0] / 2 == pytest.approx(BAND * np.sqrt(t / 20), rel=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"events": [501.0] + [9.0] * 39}, "more events"), ({"events": [-1.0] + [9.0] * 39}, "fewer"),
     ({"events": [0.0] * 40}, "alike"), ({"events": [500.0] * 40}, "alike"),
     ({"events": [0.0] * 30 + [9.0] * 10}, "alike"),
     ({"events": [0.0] * 40, "n": [0.0] * 40}, "has 0 days"),
     ({"n": [np.nan] * 20 + [500.0] * 20}, "20 days"), ({"n": [500.0] * 39}, "fit together"),
     ({"weekdays": [0] * 39}, "fit together"), ({"weekdays": [7] * 40}, "0 to 6"),
     ({"baseline_days": 5}, "14 or more"),
     ({"baseline_days": 41}, "40 days")],
)  # fmt: skip
def test_what_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    given = {"events": [15.0, 14, 16, 15] * 10, "n": [500.0] * 40, "weekdays": weekdays(40)}
    with pytest.raises(BadSettings, match=said):
        rates(**(given | change))


def test_means_of_one_value_are_refused() -> None:
    for value in (0.0, 0.1, 1e9):
        total = np.full(40, value * 7)
        with pytest.raises(BadSettings, match="alike"):
            means(total, total * value, [7.0] * 40, weekdays(40))
        flat = means(total, total * value, [7.0] * 40, weekdays(40), none_seen=True)
        assert np.isinf(flat.spread)


@pytest.mark.parametrize("threshold", [1, 0, -5, np.nan, np.inf])
def test_a_threshold_is_a_run_length(threshold: float) -> None:
    with pytest.raises(BadSettings, match="above 1"):
        watch(rates(*some(), weekdays(60)), threshold)


def test_one_answer_a_day_is_a_rate_too() -> None:
    events = np.where(np.arange(200) < 100, np.arange(200) % 10 == 0, 1.0) * 1.0
    found = watch(rates(events, np.ones(200), weekdays(200), baseline_days=60))
    assert 103 <= found.alarm[0] <= 115 and np.isfinite(found.log_evidence[0, 60:]).all()


def test_a_baseline_without_events_is_watched_where_that_is_asked() -> None:
    events = np.where(np.arange(60) < 50, 0.0, 6.0)
    found = watch(rates(events, [500.0] * 60, weekdays(60), none_seen=True))
    assert 50 <= found.alarm[0] <= 52 and found.side == [1]
    none = watch(rates(np.zeros(400), [500.0] * 400, weekdays(400), none_seen=True))
    assert none.alarm == [-1]


def test_the_delay_foretold_is_that_of_days_as_expected() -> None:
    events, n = np.full((1, 150), 15.0), np.full((1, 150), 500.0)
    events[:, :30] += np.tile([-6.0, 6, 0, 3, -3], 6)
    for level in (0.05, 0.08, 0.01):
        series = rates(np.where(np.arange(150) < 30, events, level * 500), n, weekdays(150))
        series = replace(series, effect=np.ones((1, 150)))
        enough = int((watch(series).log_evidence[0] >= np.log(1000)).argmax())
        assert days_to_find(series, np.array([level])) == [enough - 30 + 1]
    assert days_to_find(series, series.level) == [np.inf]


def test_the_likely_days_are_those_of_likelihoods_found_one_by_one() -> None:
    """Binomial likelihoods maximised by SciPy, for a step and a slope on each day."""
    random = np.random.default_rng(2)
    level = days.step(1, 45, 0.03, 0.055, 38)
    events, n = days.counts(random, level, 500, 0)
    series = rates(events, n, weekdays(45), baseline_days=20)
    series = replace(series, spread=np.full(1, 1e-12), effect=np.ones((1, 45)))
    found = onset(series, [44], [1])

    def most(shape: np.ndarray) -> float:
        def cost(x: np.ndarray) -> float:
            p = np.clip(x[0] + x[1] * shape, 1e-9, 1 - 1e-9)
            return -stats.binom.logpmf(events[0], n[0], p).sum()

        return -optimize.minimize(cost, [0.03, 0.001], method="Nelder-Mead", tol=1e-9).fun

    into = np.arange(45) - np.arange(20, 45)[:, None] + 1.0
    best = np.array([[most((each > 0) * 1.0), most(np.maximum(each, 0))] for each in into])
    likely = np.flatnonzero((best >= best.max() + np.log(1 - np.sqrt(0.9))).any(1)) + 20
    assert (found.first[0], found.last[0]) == (likely[0], likely[-1])
    assert found.first[0] <= found.since[0] <= found.last[0]
    assert found.low[0] < found.after[0] - found.before[0] < found.high[0]


@pytest.mark.parametrize("up", [True, False])
def test_steps_and_slopes_are_told_apart(up: bool) -> None:
    n = np.full((2, 90), 5000.0)
    level = np.concatenate([
        days.step(1, 90, 0.05, 0.08 if up else 0.03, 60),
        days.slope(1, 90, 0.05, 0.003 if up else -0.002, 60),
    ])  # fmt: skip
    level = level.clip(0.01)
    events = level * n + np.tile([-9.0, 9, 3, -3, 0], 18)
    found = onset(rates(events, n, weekdays(90)), [70, 70], [1 if up else -1] * 2)
    assert found.gradual.tolist() == [False, True]
    assert found.since.tolist() == [60, 60]
    assert ((found.low > 0) if up else (found.high < 0)).all()
    assert found.before == pytest.approx(0.05, abs=0.001)
    after = level[:, 60:71].mean(1)
    assert found.after == pytest.approx(after, rel=0.03)


def test_onsets_of_many_series_are_those_of_each() -> None:
    random = np.random.default_rng(4)
    level = days.step(40, 300, 0.03, 0.06, 220)
    series = rates(*days.counts(random, level, 500, 0.0005), weekdays(300))
    found = watch(series)
    own = np.flatnonzero(found.alarm >= 220)
    together = onset(series.take(own), found.alarm[own], found.side[own])
    for at in (0, len(own) - 1):
        row = own[at : at + 1]
        alone = onset(series.take(row), found.alarm[row], found.side[row])
        assert alone.since == together.since[[at]]
        assert alone.high == pytest.approx(together.high[[at]])
    assert onset(series.take(slice(0)), [], []).since.size == 0
