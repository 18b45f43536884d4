"""How often is an alarm false, how soon is a true one, and is its date right? By simulation.

Days of delay: 1 is caught on the first bad day. WHOLE=1 runs more and prints every figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from aiops_lab.stats.baseline import Means, Rates, means, rates
from aiops_lab.stats.onset import onset
from aiops_lab.stats.sequential import watch
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.stats import simulate_days as days

pytestmark = pytest.mark.slow
RUNS = 5000 if WHOLE else 1500
FOUND = 2000 if WHOLE else 600
CLEAN, BASELINE = 90, days.BASELINE
TWENTY = 20


def exceeds(count: int, bound: float, runs: int) -> bool:
    """Does the one-sided 99 % binomial bound exclude a share of `bound` or less?"""
    return bool(stats.binom.sf(count - 1, runs, bound) < 0.01)


def falls_short(count: int, bound: float, runs: int) -> bool:
    return bool(stats.binom.cdf(count, runs, bound) < 0.01)


def weekdays(length: int) -> np.ndarray:
    return np.arange(length) % 7


def watched_rates(events: np.ndarray, n: np.ndarray, **settings: Any) -> Rates:
    return rates(events, n, weekdays(n.shape[1]), none_seen=True, **settings)


def watched_means(sums: np.ndarray, squares: np.ndarray, n: np.ndarray, **settings: Any) -> Means:
    return means(sums, squares, n, weekdays(n.shape[1]), **settings)


def clean(random: np.random.Generator, runs: int, low: float = 0.02, high: float = 0.06):
    """Levels that stay as they are, a different one in each run."""
    level = np.exp(random.uniform(np.log(low), np.log(high), (runs, 1)))
    return level * np.ones(BASELINE + CLEAN)


def delay(alarm: np.ndarray, at: int) -> np.ndarray:
    """Days until the alarm: what was never found, or alarmed before, is infinite."""
    return np.where(alarm >= at, alarm - at + 1.0, np.inf)


def quantiles(delays: np.ndarray) -> tuple[float, float]:
    middle, late = np.quantile(delays, [0.5, 0.95], method="inverted_cdf")
    return float(middle), float(late)


@pytest.mark.parametrize("n", [200, 500, 2000])
@pytest.mark.parametrize("rho", [0, 0.0005, 0.002])
@pytest.mark.parametrize("swing", [0, 0.2, 0.4])
def test_false_alarms_of_one_rate(n: int, rho: float, swing: float) -> None:
    """At most 2 % in 90 clean days."""
    random = np.random.default_rng([1, n, int(rho * 1e4), int(swing * 10)])
    events, size = days.counts(random, clean(random, RUNS), n, rho, swing)
    false = int((watch(watched_rates(events, size)).alarm >= 0).sum())
    told = f"n {n} rho {rho} week {swing:.0%}: {false / RUNS:.4f} of {RUNS}"
    if WHOLE:
        others = (days.daily_test(events, size), days.three_sigma(events, size))
        told += "; daily p < .05 {:.3f}, 3 sigma {:.3f}".format(*((o >= 0).mean() for o in others))
    print(told)
    assert not exceeds(false, 0.02, RUNS)


@pytest.mark.parametrize(
    ("low", "high", "n", "rho"),
    [(0.0005, 0.002, 2000, 0.0), (0.001, 0.003, 500, 0.0005), (0.001, 0.003, 2000, 0.002),
     (0.94, 0.98, 500, 0.002), (0.3, 0.7, 200, 0.002), (0.05, 0.2, 50, 0.002)],
)  # fmt: skip
def test_false_alarms_of_rare_and_common_events(
    low: float, high: float, n: int, rho: float
) -> None:
    random = np.random.default_rng([2, n, int(low * 1e4)])
    events, size = days.counts(random, clean(random, RUNS, low, high), n, rho, 0.0)
    false = int((watch(watched_rates(events, size)).alarm >= 0).sum())
    print(f"rates of {low} to {high}, n {n} rho {rho}: {false / RUNS:.4f} of {RUNS}")
    assert not exceeds(false, 0.02, RUNS)


@pytest.mark.parametrize("baseline", [14, 28, 60])
def test_false_alarms_after_other_baselines(baseline: int) -> None:
    random = np.random.default_rng([3, baseline])
    level = clean(random, RUNS)[:, :1] * np.ones(baseline + CLEAN)
    events, size = days.counts(random, level, 500, 0.0005, 0.2)
    found = watch(watched_rates(events, size, baseline_days=baseline))
    false = int((found.alarm >= 0).sum())
    print(f"baseline of {baseline} days: {false / RUNS:.4f} of {RUNS}")
    assert not exceeds(false, 0.02, RUNS)


@pytest.mark.parametrize("rho", [0, 0.0005, 0.002])
def test_false_alarms_of_twenty_metrics(rho: float) -> None:
    """At most 5 % of quarters with any, where days differ little; told where they differ much."""
    random = np.random.default_rng([4, int(rho * 1e4)])
    families = 1000 if WHOLE else 300
    false = 0
    for _ in range(families // 50):
        n = random.choice([200, 500, 2000], (50 * TWENTY, 1))
        events, size = days.counts(random, clean(random, 50 * TWENTY, 0.01, 0.3), n, rho, 0.2)
        alarm = watch(watched_rates(events, size), 1000 * TWENTY).alarm
        false += int((alarm.reshape(50, TWENTY) >= 0).any(1).sum())
    print(f"20 metrics rho {rho}: {false / families:.4f} of {families}")
    assert rho > 0.0005 or not exceeds(false, 0.05, families)


@pytest.mark.parametrize(
    ("traffic", "factor"), [(0.015, 1.0), (1.0, 0.0), (1.0, 5.0)],
    ids=["little traffic", "no events", "many events"],
)  # fmt: skip
def test_weekends_hide_no_shift(traffic: float, factor: float) -> None:
    """A step from 3 to 5 % is found as soon where weekends are unlike all other days."""
    random = np.random.default_rng([9, int(100 * traffic), int(factor)])
    at, length = BASELINE + 10, BASELINE + CLEAN
    weekend = weekdays(length) > 4
    level = days.step(FOUND, length, 0.03, 0.05, at) * np.where(weekend, factor, 1.0)
    n = np.where(weekend, 2000 * traffic, 2000.0) * np.ones((FOUND, 1))
    series = watched_rates(random.binomial(n.astype(int), level).astype(float), n)
    middle, late = quantiles(delay(watch(series).alarm, at))
    print(f"weekends of {traffic} traffic, {factor} events: {middle:.0f} / {late:.0f} days")
    assert middle <= 5 and late <= 12


@pytest.mark.skipif(not WHOLE, reason="a table, without a bound")
def test_days_that_follow_each_other() -> None:
    """What the promise does not hold for: a bad day makes the next one bad."""
    caption = (
        f"A rate from 2 to 6 %, whose level goes up and down by so much (standard deviation) from "
        f"day to day, and each day's is correlated with the last: the share of {CLEAN} clean days "
        f"with an alarm, {RUNS:,} runs each"
    )
    table = Table("following-days", caption)
    table.columns("days differ by", "correlation", *(f"{n} a day" for n in (200, 500, 2000)))
    for differ in (0.1, 0.2):
        for correlation in (0.0, 0.3, 0.5, 0.7, 0.9):
            random = np.random.default_rng([8, int(10 * differ), int(10 * correlation)])
            level = clean(random, RUNS) * np.exp(
                days.following(random, RUNS, BASELINE + CLEAN, differ, correlation)
            )
            drawn = (watched_rates(*days.counts(random, level, n, 0)) for n in (200, 500, 2000))
            false = (f"{(watch(each).alarm >= 0).mean():.3f}" for each in drawn)
            table.row(f"{differ:.0%}", correlation, *false)
    table.write()


def found_after(after: float, swing: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Delays of a rate of 3 % at 500 a day that steps, and what was drawn."""
    random = np.random.default_rng([5, seed])
    at = BASELINE + 10
    level = days.step(FOUND, BASELINE + CLEAN, 0.03, after, at)
    events, size = days.counts(random, level, 500, 0.0005, swing)
    return delay(watch(watched_rates(events, size)).alarm, at), events, size


def test_shifts_are_found_soon() -> None:
    large, small, cyclic = (
        quantiles(found_after(after, swing, 7)[0])
        for after, swing in ((0.08, 0.0), (0.05, 0.0), (0.05, 0.4))
    )
    print(f"3 to 8 %: {large}; 3 to 5 %: {small}, with a week of 40 %: {cyclic} (median, 95 %)")
    assert large[0] <= 3 and large[1] <= 6
    assert small[0] <= 13
    assert cyclic[0] <= 1.5 * small[0]


@pytest.mark.skipif(not WHOLE, reason="a table")
def test_table_of_delays() -> None:
    print(
        "\nn rho week change | median, 95 % | daily p < .05 | 3 sigma (of those not false before)"
    )
    at = BASELINE + 10
    for n in (200, 500, 2000):
        for rho in (0, 0.0005, 0.002):
            for swing in (0, 0.4):
                for after in (0.08, 0.05, 0.04, 0.015):
                    random = np.random.default_rng([6, n, int(rho * 1e4), int(after * 1e3)])
                    level = days.step(FOUND, BASELINE + CLEAN, 0.03, after, at)
                    events, size = days.counts(random, level, n, rho, swing)
                    ours = quantiles(delay(watch(watched_rates(events, size)).alarm, at))
                    others = [
                        quantiles(delay(alarm[alarm >= at], at))
                        for rule in (days.daily_test, days.three_sigma)
                        if (alarm := rule(events, size)).max() >= at
                    ]
                    print(n, rho, f"{swing:.0%} 3 to {after:.1%}", ours, *others)


def test_validity_that_falls_is_found() -> None:
    random = np.random.default_rng(8)
    at = BASELINE + 10
    level = days.step(FOUND, BASELINE + CLEAN, 0.97, 0.90, at)
    events, size = days.counts(random, level, 500, 0.0005)
    found = watch(watched_rates(events, size))
    middle, late = quantiles(delay(found.alarm, at))
    print(f"97 to 90 %: {middle}, {late}")
    assert middle <= 2 and late <= 4


STEPS = [(0.08, 0), (0.05, 0), (0.05, 0.4), (0.04, 0), (0.015, 0)]
SLOPES = [(0.0002, 0), (0.0005, 0), (0.0005, 0.4), (0.001, 0), (0.004, 0)]


def dated(series: Rates | Means, level: np.ndarray, at: int) -> tuple[int, int, int, int]:
    """Alarms; sets with the true day, intervals with the true difference; the median width."""
    found = watch(series)
    own = found.alarm >= at
    told = onset(series.take(own), found.alarm[own], found.side[own])
    inside = (told.first <= at) & (at <= told.last)
    total = np.concatenate([[0.0], np.cumsum(level[0] - level[0, 0])])
    alarm = found.alarm[own]
    truth = (total[alarm + 1] - total[told.since]) / (alarm + 1 - told.since)
    right = (told.low <= truth) & (truth <= told.high)
    width = int(np.median(told.last - told.first + 1))
    return int(own.sum()), int(inside.sum()), int(right.sum()), width


def check_dates(series: Rates | Means, level: np.ndarray, at: int, what: str) -> None:
    alarms, inside, right, width = dated(series, level, at)
    print(f"{what}: {alarms} alarms, the day in {inside / alarms:.3f} (median {width} days), "
          f"the difference in {right / alarms:.3f}")  # fmt: skip
    assert not falls_short(inside, 0.9, alarms)
    assert not falls_short(right, 0.95, alarms)


@pytest.mark.parametrize(("after", "swing"), STEPS)
@pytest.mark.parametrize("rho", [0.0005, 0.002])
def test_dates_of_steps(after: float, swing: float, rho: float) -> None:
    random = np.random.default_rng([9, int(after * 1e3), int(rho * 1e4), int(swing * 10)])
    at = int(random.integers(BASELINE + 2, BASELINE + 40))
    level = days.step(FOUND, BASELINE + CLEAN + 20, 0.03, after, at)
    events, size = days.counts(random, level, 500, rho, swing)
    what = f"3 to {after:.1%} rho {rho} week {swing:.0%}"
    check_dates(watched_rates(events, size), level, at, what)


@pytest.mark.parametrize(("a_day", "swing"), SLOPES)
@pytest.mark.parametrize("rho", [0.0005, 0.002])
def test_dates_of_slow_declines(a_day: float, swing: float, rho: float) -> None:
    random = np.random.default_rng([10, int(a_day * 1e4), int(rho * 1e4), int(swing * 10)])
    at = int(random.integers(BASELINE + 2, BASELINE + 40))
    level = days.slope(FOUND, BASELINE + CLEAN + 20, 0.03, a_day, at)
    events, size = days.counts(random, level, 500, rho, swing)
    what = f"{a_day * 100:g} points a day rho {rho} week {swing:.0%}"
    check_dates(watched_rates(events, size), level, at, what)


@pytest.mark.parametrize("n", [200, 2000])
@pytest.mark.parametrize("between", [0, 0.03, 0.06])
@pytest.mark.parametrize(("swing", "baseline"), [(0, 30), (0.2, 30), (0, 14)])
def test_false_alarms_of_one_mean(n: int, between: float, swing: float, baseline: int) -> None:
    random = np.random.default_rng([11, n, int(between * 100), int(swing * 10), baseline])
    level = random.normal(0, 2, (RUNS, 1)) * np.ones(baseline + CLEAN)
    drawn = days.sums(random, level, n, between, swing)
    found = watch(watched_means(*drawn, baseline_days=baseline))
    false = int((found.alarm >= 0).sum())
    told = f"mean n {n} between {between} week {swing}, baseline of {baseline} days"
    print(f"{told}: {false / RUNS:.4f} of {RUNS}")
    assert not exceeds(false, 0.02, RUNS)


@pytest.mark.parametrize("n", [20, 50, 200])
def test_false_alarms_of_one_skewed_mean(n: int) -> None:
    random = np.random.default_rng([12, n])
    runs, false = RUNS // 100 * 100, 0
    for _ in range(runs // 100):
        drawn = days.skewed(random, 100, BASELINE + CLEAN, n, 1.0)
        false += int((watch(watched_means(*drawn)).alarm >= 0).sum())
    print(f"lognormal mean n {n}: {false / runs:.4f} of {runs}")
    assert not exceeds(false, 0.02, runs)


@pytest.mark.parametrize("between", [0, 0.06])
def test_shifts_of_means_are_found_and_dated(between: float) -> None:
    """At 200 a day, values of standard deviation 0.8."""
    random = np.random.default_rng([13, int(between * 100)])
    at = BASELINE + 10
    for factor, most in ((1.5, 3), (1.2, 13)):
        level = days.step(FOUND, BASELINE + CLEAN, 0.0, np.log(factor), at)
        series = watched_means(*days.sums(random, level, 200, between, 0.2))
        middle, late = quantiles(delay(watch(series).alarm, at))
        print(f"mean x {factor} between {between}: {middle}, {late}")
        assert middle <= most
        check_dates(series, level, at, f"mean x {factor}")
    level = days.slope(FOUND, BASELINE + CLEAN, 0.0, 0.01, at)
    series = watched_means(*days.sums(random, level, 200, between))
    check_dates(series, level, at, "mean, 0.01 a day")
