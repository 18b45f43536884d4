"""Does the interval of the day on which a budget is exhausted hold it, at every kind of month?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from scipy import stats

from aiops_lab.objectives.objective import Criterion, Duration, Judge, Objective, Window
from aiops_lab.target.forecast import forecast
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.stats import simulate_budgets as budgets

pytestmark = pytest.mark.slow
MONTHS = 1000 if WHOLE else 96
MORE = range(5000, 5000 + MONTHS // 2)
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Month(NamedTuple):
    """A month and what was forecast of it, in days; inf: not by its end."""

    world: budgets.World
    low: float
    high: float
    chance: float

    @property
    def covered(self) -> bool:
        return self.low <= self.world.exhausted <= self.high

    @property
    def length(self) -> float:
        """Days from the first to the last of the interval, to the end where that is open."""
        return min(self.high, self.world.end / 24) - min(self.low, self.world.end / 24)


def goal_of(world: budgets.World) -> Objective:
    if world.rolling:
        window = Window(Duration(28, "d"))
    else:
        days = (world.end - world.begin) // 24
        first = (START + HOUR * world.begin).replace(tzinfo=None)
        window = Window(Duration(days, "d"), rolling=False, start=first)
    judge = None if world.labels is None else Judge(*map(int, world.labels))
    return Objective("kind", 1 - world.allowed, "kind", Criterion(low=0.5), window, judge=judge)


def counts_of(world: budgets.World) -> pl.DataFrame:
    rows = []
    for n, bad, share in zip(world.evaluated, world.bad, world.sampling, strict=True):
        some = n > 0
        hours = [START + HOUR * int(hour) for hour in np.flatnonzero(some)]
        row = {
            "hour": hours,
            "n": n[some].astype(int),
            "bad": bad[some],
            "answers": n[some] / share,
        }
        rows.append(pl.DataFrame(row).with_columns(
            pl.col("hour").cast(pl.Datetime("us", "UTC")), objective=pl.lit("kind"),
            stratum=pl.lit(str(round(1 / share, 6))), evaluated="n",
        ))  # fmt: skip
    return pl.concat(rows)


@cache
def month(seed: int, least: float = 0.7) -> Month:
    world = budgets.world(seed, least)
    found = forecast(goal_of(world), counts_of(world), START + HOUR * world.at, seed=seed)
    assert found.p_exhausted is not None
    low, high = (
        np.inf if end is None else (end - START) // timedelta(days=1)
        for end in (found.exhausted_low, found.exhausted_high)
    )
    return Month(world, low, high, found.p_exhausted)


def test_the_interval_holds_the_day_and_the_chance_is_one() -> None:
    months = [month(seed) for seed in range(MONTHS)]
    covered, n = sum(each.covered for each in months), len(months)
    assert stats.binom.cdf(covered, n, 0.75) >= 0.01, covered / n
    assert stats.binom.sf(covered - 1, n, 0.9) >= 0.01, covered / n
    if WHOLE:
        _write(months, [month(seed, 0.2) for seed in MORE])


def test_of_budgets_told_to_be_exhausted_for_sure_all_are() -> None:
    months = [month(seed, 0.2) for seed in MORE]
    for low, high in ((0.0, 0.05), (0.95, 1.0)):
        told = [each for each in months if low <= each.chance <= high]
        hits = sum(np.isfinite(each.world.exhausted) for each in told)
        print(f"{low:.2f} to {high:.2f}: {hits} of {len(told)} are exhausted")
        if low == 0:
            assert stats.binom.sf(hits - 1, len(told), 0.1) >= 0.01
        else:
            assert stats.binom.cdf(hits, len(told), 0.9) >= 0.01


GROUPS = {
    "all": lambda each: True,
    "calendar": lambda each: not each.world.rolling,
    "rolling window": lambda each: each.world.rolling,
    **{kind: lambda each, kind=kind: each.world.kind == kind for kind in budgets.KINDS},
    "no judge": lambda each: each.world.labels is None,
    "a judge that errs": lambda each: each.world.labels is not None,
    "one stratum": lambda each: len(each.world.sampling) == 1,
    "two strata": lambda each: len(each.world.sampling) == 2,
    "under a fifth evaluated": lambda each: each.world.sampling[-1] < 0.2,
    "exhausted already": lambda each: each.world.exhausted < each.world.at // 24,
    "exhausted later": lambda each: each.world.at // 24 <= each.world.exhausted < np.inf,
    "not exhausted": lambda each: each.world.exhausted == np.inf,
}


def _write(months: list[Month], healthy: list[Month]) -> None:
    table = Table(
        "forecast",
        f"The day on which an error budget is exhausted, forecast with an interval of 80 %, in "
        f"{len(months)} simulated months: allowed 2, 5 or 10 %; 0.7 to 4 times as much bad; 200 to "
        "6,000 answers a day, fewer at weekends, in noisy numbers; 5 to 100 % evaluated; a share "
        "that is constant, drifts (AR(1) on the logit), differs from day to day (by 20 to 70 %), "
        "or has changed in a step within the period; four weeks of history; from the fourth day "
        "on. Rolling windows were well until 3 to 20 days ago. "
        "Covered: the true day is one of the interval; where it is open, not to be exhausted is "
        "covered. Days count as wholes, which adds to what short intervals cover. The chance to be "
        f"exhausted is of {len(healthy)} months more, with 0.2 to 4 times as much bad.",
    )
    table.columns(
        "months", "number", "covered", "earlier", "later", "exhausted", "chance told, mean",
        "interval, median days",
    )  # fmt: skip
    bins = {
        f"told a chance of {low} to {low + 20} %": [
            each for each in healthy if low <= 100 * each.chance < low + 20 + (low == 80)
        ]
        for low in range(0, 100, 20)
    }
    groups = {name: [m for m in months if inside(m)] for name, inside in GROUPS.items()}
    for name, own in (groups | bins).items():
        if not own:
            continue
        shares = (
            np.mean([test(each) for each in own])
            for test in (
                lambda each: each.covered, lambda each: each.world.exhausted < each.low,
                lambda each: each.world.exhausted > each.high,
                lambda each: np.isfinite(each.world.exhausted), lambda each: each.chance,
            )
        )  # fmt: skip
        table.row(
            name, len(own), *(f"{share:.3f}" for share in shares),
            f"{np.median([each.length for each in own]):.1f}",
        )  # fmt: skip
    table.write()
