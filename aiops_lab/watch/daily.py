"""A table of daily figures: read, checked, and laid out as arrays of its series."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.stats.baseline import Floats, Integers
from aiops_lab.tables import polars_frame

KEY = ["metric", "slice"]
NUMBERS = ("n", "evaluated", "events", "sum", "sum_squares")
ROUND = 1e-9
MONDAY = 3
"""The first day of 1970 was a Thursday."""


@dataclass(frozen=True)
class Grid:
    """Daily figures of the series `names` (metric, slice) as arrays (series, days), NaN if none.

    Days on which no series has a row are left out.
    """

    names: pl.DataFrame
    days: NDArray[np.datetime64]
    n: Floats
    value: Floats
    squares: Floats

    @property
    def weekdays(self) -> Integers:
        return (self.days.astype(np.int64) + MONDAY) % 7


def read_daily(daily: Any) -> pl.DataFrame:
    """Day, metric, slice, n, share (it is a rate), value (events or sum) and squares, in order.

    Where there is a column `evaluated`, n is that. What is missing is null.

    Raises
    ------
    BadSettings
        It is no such table, or holds what cannot be: two rows of one day, more events than n.
    """
    frame = polars_frame(daily, "daily figures are a table")
    have = set(frame.columns)
    sums = {"sum", "sum_squares"} <= have
    lacking = [name for name in ("day", "metric") if name not in have]
    lacking += [] if have & {"n", "evaluated"} else ["n"]
    lacking += [] if sums or "events" in have else ["events (or sum and sum_squares)"]
    if lacking:
        there = ", ".join(frame.columns) or "none"
        raise BadSettings(f"daily figures need a column {lacking[0]}; the columns are {there}")
    counted = "evaluated" if "evaluated" in have else "n"
    nothing = [pl.lit(None).alias(name) for name in (*NUMBERS, "slice") if name not in have]
    number = pl.col(*NUMBERS).cast(pl.Float64, strict=False)
    share = pl.col("events").is_not_null().any().over(KEY)
    rows = (
        frame.with_columns(nothing)
        .with_columns(number, pl.col(KEY).cast(pl.String), day=_day(frame.schema["day"]))
        .with_columns(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in NUMBERS)
        .select(
            "day", *KEY, share.alias("share"), n=counted,
            value=pl.when(share).then("events").otherwise("sum"),
            squares=pl.when(share).then(0.0).otherwise("sum_squares"),
        )
        .sort(*KEY, "day")
    )  # fmt: skip
    _refuse(rows)
    return rows


def whole_frame(daily: Any) -> pl.DataFrame:
    """The table as it is given, in plain types, a day a date and without slices "all".

    Raises
    ------
    BadSettings
        `read_daily` refuses it.
    """
    read_daily(daily)
    frame = polars_frame(daily, "daily figures are a table")
    counted = "n" if "n" in frame.columns else "evaluated"
    number = [pl.col(c).cast(pl.Float64, strict=False) for c in NUMBERS if c in frame.columns]
    part = pl.col("slice").cast(pl.String) if "slice" in frame.columns else pl.lit("all")
    return frame.with_columns(
        *number, pl.col("metric").cast(pl.String), part.fill_null("all").alias("slice"),
        day=_day(frame.schema["day"]),
    ).with_columns(n=pl.col(counted))  # fmt: skip


def _day(dtype: pl.DataType) -> pl.Expr:
    match dtype:
        case pl.String():
            return pl.col("day").str.slice(0, 10).str.to_date(strict=False)
        case pl.Datetime():
            return pl.col("day").dt.date()
        case pl.Date() | pl.Null():
            return pl.col("day").cast(pl.Date)
    raise BadSettings(f"day is a date, or a text such as 2026-05-12, not {dtype}")


def _refuse(rows: pl.DataFrame) -> None:
    """Refuse what cannot be."""
    n, value = pl.col("n"), pl.col("value")
    too_small = ~pl.col("share") & (pl.col("squares") * n * (1 + ROUND) < value**2)
    for what, wrong in (
        ("no day or no metric", pl.col("day").is_null() | pl.col("metric").is_null()),
        ("two rows of one day", pl.struct("day", *KEY).is_duplicated()),
        ("a count below 0", (n < 0) | (pl.col("share") & (value < 0))),
        ("more events than answers", pl.col("share") & (value > n)),
        ("sum_squares below what sum and n allow", too_small),
    ):
        if (bad := rows.filter(wrong)).height:
            day, metric, part = bad.row(0)[:3]
            where = f"{metric} in {part}" if part else metric
            raise BadSettings(f"daily figures with {what}: {where} on {day}")


def starts(names: pl.DataFrame, since: Any, restart: Mapping[str, Any] | None) -> pl.DataFrame:
    """The series, each with the day from which it is watched (null: from its first).

    Raises
    ------
    BadSettings
        A series to start anew is not there, or its day is no date.
    """
    first = None if since is None else as_date(since, "baseline_from")
    days = dict.fromkeys(names.rows(), first)
    if restart is not None and not isinstance(restart, Mapping):
        raise BadSettings('restart names metrics and days: {"refusal": "2026-05-20"}')
    for metric, given in (restart or {}).items():
        _known(metric, names["metric"].to_list(), "metric")
        parts = names.filter(metric=metric)["slice"].to_list()
        own = given if isinstance(given, Mapping) else dict.fromkeys(parts, given)
        for part, day in own.items():
            _known(part, parts, f"slice of {metric}")
            days[metric, part] = as_date(day, f"restart of {metric}")
    return names.with_columns(start=pl.Series(list(days.values()), dtype=pl.Date))


def _known(name: Any, known: Collection[Any], what: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(str(name), [str(each) for each in known], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadSettings(f"restart: there is no {what} {name!r}{hint}")


def as_date(value: Any, what: str) -> dt.date:
    """A date out of a date, a time, or a text such as 2026-05-12."""
    try:
        found = value if isinstance(value, dt.date) else dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadSettings(f"{what} is a date such as 2026-05-12, not {value!r}") from None
    return found.date() if isinstance(found, dt.datetime) else found


def without(daily: pl.DataFrame, leave_out: Any) -> pl.DataFrame:
    """The rows of all other days than those to be left out.

    Raises
    ------
    BadSettings
        It is no list of days that are there.
    """
    if isinstance(leave_out, str) or not isinstance(leave_out, Sequence):
        raise BadSettings(f"leave_out is a list of days, not {leave_out!r}")
    days = {as_date(day, "leave_out") for day in leave_out}
    if lacking := sorted(days - set(daily["day"])):
        raise BadSettings(f"leave_out: there are no figures of {lacking[0]}")
    return daily.filter(pl.col("day").is_in(days).not_()) if days else daily


def grid(rows: pl.DataFrame, names: pl.DataFrame) -> Grid:
    """The rows of some series as arrays."""
    own = rows.join(names.with_row_index("place"), on=KEY, nulls_equal=True)
    days, day = np.unique(own["day"].to_numpy().astype("datetime64[D]"), return_inverse=True)
    at = own["place"].to_numpy(), day
    arrays = []
    for column in ("n", "value", "squares"):
        array = np.full((names.height, days.size), np.nan)
        array[at] = own[column].to_numpy()
        arrays.append(array)
    return Grid(names, days, *arrays)
