"""The search for a calendar: 50 series of a year in 20 periods, bare and from decisions."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import find_routing_shifts
from aiops_lab.stats.calendar import PERMUTATIONS
from aiops_lab.watch.routing.patterns import calendars_of_days, find_patterns
from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
SERIES, DAYS, PER_DAY, ROUNDS = 50, 365, 2_000, 3
PERIODS = range(2, 22)
FIRST = dt.datetime(2025, 1, 6)
PLANTED, LOST = 9, 0.5


def decisions() -> pl.DataFrame:
    """A year of choices among fifty options; every ninth day one of them loses half of its own."""
    random = np.random.default_rng(1)
    day = np.repeat(np.arange(DAYS), PER_DAY)
    option = random.integers(0, SERIES, len(day))
    odd = (day % PLANTED == 4) & (option == 0) & (random.random(len(day)) < LOST)
    option = np.where(odd, random.integers(1, SERIES, len(day)), option)
    minutes = day * 1440 + random.integers(0, 1440, len(day))
    return pl.DataFrame({"minutes": minutes, "option": option}).select(
        at=FIRST + pl.duration(minutes="minutes"),
        chosen=pl.col("option").cast(pl.String).str.zfill(2),
    )


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    """The median of some rounds, and what was found."""
    taken, found = [], None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), found


def test_calendars_of_fifty_series() -> None:
    series = np.random.default_rng(0).normal(size=(SERIES, DAYS)) * 0.01 + 0.02
    series[0, 4::PLANTED] -= 0.02
    days = [FIRST.date() + dt.timedelta(days=n) for n in range(DAYS)]
    calendars = calendars_of_days(days, PERIODS)
    assert len(calendars) == len(PERIODS)
    bare, found = seconds(lambda: find_patterns(series, None, calendars, alpha=0.02))
    assert {(one.place, one.calendar.length) for one in found} == {(0, PLANTED)}
    given = decisions()
    whole, result = seconds(lambda: find_routing_shifts(given, periods=PERIODS))
    assert (result.top["option"], result.top["period_days"]) == ("00", PLANTED)
    assert len(result.settings["options"]) == SERIES
    made = Table("calendar", f"{SERIES} series of {DAYS} days looked at in {len(PERIODS)} periods "
                 f"({min(PERIODS)} to {max(PERIODS)} days) with {PERMUTATIONS:,} permutations of "
                 f"each; medians of {ROUNDS} runs")  # fmt: skip
    made.columns("what", "seconds")
    made.row("find_patterns, the series as they are", f"{bare:.1f}")
    made.row(f"find_routing_shifts, {given.height:,} decisions among {SERIES} options",
             f"{whole:.1f}")  # fmt: skip
    made.write()
