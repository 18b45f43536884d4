"""Bad days and moves within a baseline: are they named, and does leaving out bring power back?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aiops_lab.stats.baseline import means, rates
from aiops_lab.stats.sequential import watch
from aiops_lab.stats.unfit import moved, odd_days
from aiops_lab.watch.shifts import MOVED, ODD, ODD_DAYS
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.stats import simulate_days as days
from tests.stats.test_false_alarms import clean, delay, exceeds, quantiles, weekdays

pytestmark = pytest.mark.slow
RUNS = 4000 if WHOLE else 1500
BASELINE = days.BASELINE


def named(kind: Callable[..., Any], *figures: np.ndarray) -> np.ndarray:
    """Which days are odd, of the sums (and squares) and n of some series."""
    *sums, n = figures

    def without(left: np.ndarray) -> Any:
        size, length = np.where(left, np.nan, n), BASELINE - int(left.sum(1).max())
        same = {"baseline_days": length, "none_seen": True}
        return kind(*sums, size, weekdays(n.shape[1]), **same)

    whole = without(np.zeros(n.shape, bool))
    return odd_days(whole, without, most=ODD_DAYS, likely=ODD / BASELINE)[0]


@pytest.mark.parametrize("n", [50, 500, 2000])
@pytest.mark.parametrize("rho", [0, 0.0005, 0.002])
@pytest.mark.parametrize("swing", [0, 0.4])
def test_no_usual_day_of_a_rate_is_odd(n: int, rho: float, swing: float) -> None:
    """At most 1 % of baselines in which nothing happened."""
    random = np.random.default_rng([11, n, int(rho * 1e4), int(swing * 10)])
    level = clean(random, RUNS, 0.002, 0.3)[:, :BASELINE]
    odd = named(rates, *days.counts(random, level, n, rho, swing)).any(1)
    print(f"n {n} rho {rho} week {swing:.0%}: {odd.mean():.4f} of {RUNS} have an odd day")
    assert not exceeds(int(odd.sum()), 0.01, RUNS)


@pytest.mark.parametrize("swing", [0, 0.3])
def test_no_usual_day_of_a_mean_is_odd(swing: float) -> None:
    random = np.random.default_rng([12, int(swing * 10)])
    level = np.full((RUNS, BASELINE), 3.0)
    rows = {"normal": days.sums(random, level, 300, 0.1, swing),
            "skewed": days.skewed(random, RUNS, BASELINE, 200, 1.2)}  # fmt: skip
    for name, figures in rows.items():
        odd = named(means, *figures).any(1)
        print(f"{name} values, week {swing:.0%}: {odd.mean():.4f} of {RUNS} have an odd day")
        assert not exceeds(int(odd.sum()), 0.01, RUNS)


def test_an_outage_is_named_and_left_out() -> None:
    """Days of 20 % among days of 3 %: steps to 5 % are found as soon as if they had not been."""
    caption = (
        f"A rate of 3 % at 500 answers a day whose baseline of {BASELINE} days has an outage of "
        f"20 %, {RUNS:,} runs: how often its days and no others are named, and the days until a "
        "step to 5 % is found (median / 95 %)"
    )
    table = Table("odd-days", caption)
    table.columns("days of outage", "named", "without one", "with it", "left out")
    for length in (1, 2, 3):
        random = np.random.default_rng([13, length])
        events, n, outage, bad = struck(random, length)
        odd = named(rates, bad, n)
        right = (odd == outage).all(1)
        usual, hidden = found(events, n, BASELINE), found(bad, n, BASELINE)
        left_out = found(bad, np.where(outage, np.nan, n), BASELINE - length)
        delays = ("{:.0f} / {:.0f}".format(*each) for each in (usual, hidden, left_out))
        table.row(length, f"{right.mean():.3f}", *(each.replace("inf", "never") for each in delays))
        assert odd[outage].mean() >= 0.99 and right.mean() >= 0.95
        assert left_out[0] <= usual[0] + 1
        assert hidden[0] > 2 * usual[0]
    if WHOLE:
        table.write()


def struck(random: np.random.Generator, length: int) -> tuple[np.ndarray, ...]:
    """Events and n of a step, the days of an outage before it, and the events with it."""
    level = days.step(RUNS, BASELINE + 60, 0.03, 0.05, BASELINE + 10)
    events, n = days.counts(random, level, 500, 0.0005)
    place = np.arange(n.shape[1]) - random.integers(0, BASELINE - length, (RUNS, 1))
    outage = (place >= 0) & (place < length)
    return events, n, outage, np.where(outage, random.binomial(n.astype(int), 0.2), events)


def found(events: np.ndarray, n: np.ndarray, based: int) -> tuple[float, float]:
    """The median and 95 % of the days until the step is found."""
    series = rates(events, n, weekdays(n.shape[1]), baseline_days=based, none_seen=True)
    return quantiles(delay(watch(series).alarm, BASELINE + 10))


@pytest.mark.parametrize("n", [50, 2000])
@pytest.mark.parametrize("rho", [0, 0.002])
@pytest.mark.parametrize("swing", [0, 0.4])
def test_no_steady_baseline_moved(n: int, rho: float, swing: float) -> None:
    """At most 1 % where nothing happened."""
    random = np.random.default_rng([14, n, int(rho * 1e4), int(swing * 10)])
    level = clean(random, RUNS, 0.002, 0.3)[:, :BASELINE]
    events, size = days.counts(random, level, n, rho, swing)
    series = rates(events, size, weekdays(BASELINE), baseline_days=BASELINE, none_seen=True)
    false = int((moved(series)[1] < MOVED).sum())
    print(f"n {n} rho {rho} week {swing:.0%}: {false / RUNS:.4f} of {RUNS} moved")
    assert not exceeds(false, 0.01, RUNS)


def test_a_release_within_the_baseline_is_found() -> None:
    caption = (
        f"A rate at 500 answers a day that steps from 3 to 5 % within its baseline of {BASELINE} "
        f"days, weekdays of 20 %, {RUNS:,} runs a row"
    )
    table = Table("moved-baselines", caption)
    table.columns("days before the step", "found", "of them dated within three days")
    for at in (8, 15, 22):
        random = np.random.default_rng([15, at])
        level = days.step(RUNS, BASELINE, 0.03, 0.05, at)
        events, size = days.counts(random, level, 500, 0.0005, 0.2)
        day, chance = moved(rates(events, size, weekdays(BASELINE), baseline_days=BASELINE))
        told = chance < MOVED
        near = np.abs(day[told] - at) <= 3
        table.row(at, f"{told.mean():.3f}", f"{near.mean():.3f}")
        assert told.mean() >= 0.6 and near.mean() >= 0.9
    if WHOLE:
        table.write()
