"""Which series follow which calendar: weekday, hour, day of the month or a period nobody named."""

from __future__ import annotations

import calendar as months
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiops_lab.stats.calendar import (
    PERMUTATIONS,
    Calendar,
    Contrast,
    Floats,
    Integers,
    chance,
    contrast,
    detrended,
    every,
    folded,
)
from aiops_lab.tables import schema_of

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
KEYS = schema_of("option calendar period_days:float phase")
"""What a pattern is known by, in every frame that tells of one."""
FEWEST = 4
"""Repetitions that a calendar needs to be looked at."""
LONGEST = 31
WEEK, MONTH, MONTH_END, HOUR = "week", "month", "month end", "hour"
MONTH_DAYS = 30.4
MULTIPLE = 0.85
"""A divisor of a period is told instead if its clearest cell stands out so much as the period's.

A cell stands out most in its own period: 0.71 times as much in twice that and in half of it.
"""
MOST = 3
"""Patterns and calendars told of one series."""


@dataclass(frozen=True)
class Pattern:
    """A cell of a calendar in which a series lies apart from the others; `place` its series."""

    place: int
    calendar: Calendar
    cell: int
    p_value: float
    contrast: Contrast


def calendars_of_days(
    days: Sequence[dt.date], periods: Sequence[int] | None = None
) -> list[Calendar]:
    """The calendars that so many days can tell.

    Parameters
    ----------
    days
        All days in a row.
    periods
        Periods in days; by default 2 to 31 and those of the month.
    """
    count = len(days)
    wanted = range(2, LONGEST + 1) if periods is None else periods
    found = []
    for period in wanted:
        start = days[0].weekday() if period == 7 else 0
        if (count + start) // period >= FEWEST and count >= FEWEST * period:
            found.append(every(count, period, WEEK if period == 7 else None, start))
    month = np.array([each.year * 12 + each.month for each in days])
    last = np.array([months.monthrange(each.year, each.month)[1] for each in days])
    number = np.array([each.day for each in days])
    if periods is None and count >= FEWEST * MONTH_DAYS:
        found.append(Calendar(MONTH, 31, number - 1, month, 30))
        found.append(Calendar(MONTH_END, 31, last - number, month, 30))
    return found


def calendars_of_hours(days: int) -> list[Calendar]:
    """The hour of the day, of so many days in a row with 24 hours each."""
    return [every(24 * days, 24, HOUR)] if days >= FEWEST else []


def phase(calendar: Calendar, cell: int) -> str:
    """A cell in words: Tuesday, 14:00, day 15, last day; of any other period its number."""
    if calendar.name == WEEK:
        return WEEKDAYS[cell]
    if calendar.name == HOUR:
        return f"{cell:02}:00"
    if calendar.name == MONTH:
        return f"day {cell + 1}"
    if calendar.name == MONTH_END:
        return "last day" if cell == 0 else f"{cell} before the last day"
    return str(cell)


def period_days(calendar: Calendar) -> float:
    """How many days a repetition has."""
    if calendar.name in (MONTH, MONTH_END):
        return MONTH_DAYS
    return 1.0 if calendar.name == HOUR else float(calendar.length)


def find_patterns(
    values: Floats, n: Integers | None, calendars: Sequence[Calendar], *, alpha: float,
    permutations: int = PERMUTATIONS, seed: int = 0, families: int = 1,
) -> list[Pattern]:  # fmt: skip
    """The patterns of some series in some calendars, with one error rate for all of them.

    Parameters
    ----------
    values
        Shape (series, times); NaN where nothing was seen.
    n
        Decisions behind each time, where the values are shares: a share of few says less.
    alpha
        The chance that anything is named where there is no calendar.
    families
        How many such searches share the error rate.
    """
    if not calendars or not len(values):
        return []
    scale = _scale(values, n)
    largest = np.zeros(permutations)
    for each in calendars:
        moved = detrended(values, each.window) / scale
        largest = np.maximum(largest, chance(moved, each, permutations, seed))
    largest.sort()
    found: list[Pattern] = []
    for place in range(len(values)):
        own, left = values[[place]].copy(), list(calendars)
        for _ in range(MOST):
            best = _clearest(own, scale[[place]], left, largest, alpha / families)
            if best is None:
                break
            cells, each, p_values = best
            for cell, p_value in zip(cells, p_values, strict=True):
                found.append(Pattern(place, each, cell, min(1.0, p_value * families),
                                     _contrasted(values[place], each, cell, cells)))  # fmt: skip
            own = _without(own, each, cells)
            left.remove(each)
    return found


def _scale(values: Floats, n: Integers | None) -> Floats:
    """What a time's surprise is measured in: of shares, more where few were decided."""
    if n is None:
        return np.ones_like(values)
    mean = np.nanmean(values, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        counted = np.maximum(mean * (1 - mean), 1e-12) / np.where(n > 0, n, np.nan)
        beyond = np.nanmean((values - mean) ** 2 - counted, axis=1, keepdims=True)
    return np.sqrt(np.maximum(beyond, 0) + counted)


def _clearest(
    own: Floats, scale: Floats, calendars: Sequence[Calendar], largest: Floats, alpha: float
) -> tuple[list[int], Calendar, list[float]] | None:
    """The calendar that tells most of one series, and its cells; None where chance would do."""
    told: list[tuple[float, Calendar, Floats]] = []
    for each in calendars:
        fold = folded(detrended(own, each.window) / scale, each)
        clear = float(np.nanmax(np.abs(fold.t)))
        if _p(clear, largest) <= alpha:
            told.append((clear, each, fold.t[0]))
    if not told:
        return None
    top = max(told, key=lambda one: one[0])
    # a pattern of 7 days is one of 14 and of 21 too
    parts = [one for one in told if one[1].length < top[1].length
             and top[1].length % one[1].length == 0 and one[0] >= MULTIPLE * top[0]]  # fmt: skip
    _, each, t = min(parts, key=lambda one: one[1].length, default=top)
    cells, p_values = [], []
    for _ in range(MOST):
        cell = int(np.nanargmax(np.abs(t)))
        p_value = _p(abs(t[cell]), largest)
        if p_value > alpha:
            break
        cells.append(cell)
        p_values.append(p_value)
        if len(cells) * 2 >= each.length:  # the rest would be those that lie apart
            break
        rest = np.where(np.isin(each.cells, cells), np.nan, own)
        t = folded(detrended(rest, each.window) / scale, each).t[0]
        t[cells] = np.nan
    return cells, each, p_values


def _p(t: float, largest: Floats) -> float:
    above = len(largest) - np.searchsorted(largest, t, side="left")
    return float(1 + above) / (len(largest) + 1)


def _contrasted(values: Floats, each: Calendar, cell: int, cells: Sequence[int]) -> Contrast:
    others = np.isin(each.cells, [other for other in cells if other != cell])
    return contrast(np.where(others, np.nan, values), each, cell)


def _without(own: Floats, each: Calendar, cells: Sequence[int]) -> Floats:
    """A series without what these cells add to it."""
    moved = own.copy()
    for cell in cells:
        here = each.cells == cell
        moved[:, here] -= _contrasted(own[0], each, cell, cells).effect
    return moved
