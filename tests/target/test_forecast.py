"""When a budget is exhausted: forecast from counts, and cannot be told where they are too few."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Duration, Judge, Objective, Part, Window
from aiops_lab.target.forecast import burn_down, forecast

FIRST = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = Window(Duration(1, "M"), rolling=False)


def goal(window: Window = MONTH, **more: Any) -> Objective:
    return Objective("kind", 0.98, "kind", read_criterion(">= 0.5"), window, **more)


def counts(bad: Sequence[float], first: datetime = FIRST, evaluated: int = 1000) -> pl.DataFrame:
    """A thousand answers a day at noon, of which so many evaluated, with so many bad each day."""
    return pl.DataFrame({
        "hour": [first + DAY * i + DAY / 2 for i in range(len(bad))], "bad": bad,
    }).with_columns(
        pl.col("hour").cast(pl.Datetime("us", "UTC")), pl.col("bad").cast(pl.Float64),
        objective=pl.lit("kind"), stratum=pl.lit("all"), n=pl.lit(evaluated, pl.Int64),
        evaluated=pl.lit(evaluated, pl.Int64), answers=1000.0,
    )  # fmt: skip


def test_a_steady_burn_is_exhausted_when_it_adds_up() -> None:
    found = forecast(goal(), counts([40] * 10), FIRST + 10 * DAY)
    assert found.exhausted_on is not None and found.exhausted_low is not None
    assert abs(found.exhausted_on - (FIRST + 15.5 * DAY)) < 1 * DAY  # 620 of 31,000 are allowed
    assert found.exhausted_low <= found.exhausted_on
    assert found.p_exhausted is not None and found.p_exhausted > 0.97
    assert found.until == FIRST + 31 * DAY and not found.why


def test_little_evaluated_widens_the_interval() -> None:
    few = forecast(goal(), counts([2] * 10, evaluated=50), FIRST + 10 * DAY)
    many = forecast(goal(), counts([40] * 10), FIRST + 10 * DAY)

    def width(found: Any) -> timedelta:
        return (found.exhausted_high or found.until) - found.exhausted_low

    assert width(few) > 2 * width(many)


def test_what_is_well_is_not_exhausted() -> None:
    found = forecast(goal(), counts([5] * 10), FIRST + 10 * DAY)
    assert found.exhausted_on is None and found.exhausted_high is None
    assert found.p_exhausted is not None and found.p_exhausted < 0.1
    assert found.fan["middle"].is_sorted() and found.fan["day"][-1] == found.until
    assert (found.fan["low"] <= found.fan["high"]).all()


def test_it_looks_back_on_as_many_days_as_are_like_the_last() -> None:
    worse = forecast(goal(), counts([5] * 15 + [60] * 5), FIRST + 20 * DAY)
    better = forecast(goal(), counts([60] * 5 + [5] * 15), FIRST + 20 * DAY)
    assert worse.p_exhausted is not None and better.p_exhausted is not None
    assert worse.p_exhausted > 0.9 and better.p_exhausted < 0.2


def test_exhausted_already_is_the_day_it_happened() -> None:
    found = forecast(goal(), counts([80] * 12), FIRST + 12 * DAY)
    assert found.exhausted_on is not None and found.exhausted_high is not None
    assert abs(found.exhausted_on - (FIRST + 7.75 * DAY)) < 1 * DAY
    assert found.p_exhausted == 1


def test_of_a_rolling_window_what_was_bad_falls_out() -> None:
    """An incident four weeks ago leaves the window: as much is spent now, less tomorrow."""
    window, start = Window(Duration(28, "d")), FIRST - 56 * DAY
    incident = [10] * 28 + [200, 200] + [10] * 26
    found = forecast(goal(window), counts(incident, start), FIRST)
    assert found.exhausted_on is not None and found.exhausted_on < FIRST
    fan = found.fan["middle"]
    assert fan[0] > 1.1 and fan[2] < 0.7


def test_at_the_begin_of_a_period_nothing_of_it_is_spent() -> None:
    found = forecast(goal(), counts([40] * 30, FIRST - 30 * DAY), FIRST)
    assert found.exhausted_on is not None
    assert abs(found.exhausted_on - (FIRST + 15.5 * DAY)) < 1.5 * DAY
    assert found.fan["low"][0] < 0.1


def test_a_period_of_a_time_zone_begins_at_its_own_midnight() -> None:
    window = Window(Duration(1, "M"), rolling=False, timezone="Asia/Kolkata")
    rows = counts([40] * 60, FIRST - 40 * DAY)
    found = forecast(goal(window), rows, FIRST + 10.3 * DAY)
    assert found.until == FIRST + 31 * DAY - timedelta(hours=5.5)
    assert found.exhausted_on is not None
    assert abs(found.exhausted_on - (FIRST + 15.5 * DAY)) < 1.5 * DAY


def test_a_judges_false_flags_are_not_burnt() -> None:
    flags = counts([60] * 10)  # 5 % of the good ones, and 1 % bad
    judge = Judge(90, 100, 1900, 2000)
    told = forecast(goal(judge=judge), flags, FIRST + 10 * DAY)
    naive = forecast(goal(), flags, FIRST + 10 * DAY)
    assert told.p_exhausted is not None and naive.p_exhausted == 1
    assert told.p_exhausted < 0.6


@pytest.mark.parametrize(("days", "told"), [(0, "nothing was evaluated"), (2, "2 days with")])
def test_too_few_days_are_told(days: int, told: str) -> None:
    found = forecast(goal(), counts([5] * days), FIRST + max(days, 1) * DAY)
    assert told in found.why and found.p_exhausted is None and found.fan.is_empty()


def test_what_cannot_be_forecast_says_why() -> None:
    rows, at = counts([5] * 10), FIRST + 10 * DAY
    of = Objective("both", 0.98, parts=(Part(goal()),))
    assert "parts" in forecast(of, rows, at).why
    assert "too little" in forecast(goal(judge=Judge(3, 10, 8, 10)), rows, at).why
    assert "slices" in forecast(goal(budgeting="timeslices"), rows, at).why
    assert forecast(goal(why="no such metric"), rows, at).why == "no such metric"


def test_days_without_evaluations_are_no_good_days() -> None:
    rows = counts([40] * 10)
    gap = pl.col("hour").is_between(FIRST + 4 * DAY, FIRST + 7 * DAY)
    lost = rows.with_columns(
        bad=pl.when(gap).then(0.0).otherwise("bad"),
        evaluated=pl.when(gap).then(0).otherwise("evaluated"),
    )
    found, whole = (forecast(goal(), each, FIRST + 10 * DAY) for each in (lost, rows))
    assert found.exhausted_on is not None and whole.exhausted_on is not None
    assert abs(found.exhausted_on - whole.exhausted_on) < 2 * DAY


def test_the_same_seed_tells_the_same() -> None:
    rows, at = counts([15] * 10), FIRST + 10 * DAY
    assert forecast(goal(), rows, at).p_exhausted == forecast(goal(), rows, at).p_exhausted


def test_the_burn_down_ends_with_what_is_spent() -> None:
    found = burn_down(goal(), counts([40] * 10), FIRST + 10 * DAY)
    assert found.columns == ["objective", "day", "spent", "low", "high"] and found.height == 10
    assert found["spent"].to_list() == pytest.approx([40 * (i + 1) / 620 for i in range(10)])
    assert found["day"][-1] == FIRST + 10 * DAY


def test_the_burn_down_of_a_rolling_window_is_one_of_windows() -> None:
    window, start = Window(Duration(7, "d")), FIRST - 14 * DAY
    found = burn_down(goal(window), counts([0] * 7 + [20] * 7, start), FIRST)
    assert found["spent"].to_list() == pytest.approx([(i + 1) / 7 for i in range(7)])


def test_a_day_that_cannot_be_told_is_null_in_the_burn_down() -> None:
    rows = counts([5] * 4).with_columns(evaluated=pl.lit(0, pl.Int64), bad=0.0)
    assert burn_down(goal(), rows, FIRST + 4 * DAY)["spent"].null_count() == 4
    assert burn_down(goal(), rows.clear(), FIRST + DAY).is_empty()
