"""When did a shift begin, and how large is it? The likelihood of each day it may have begun."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from aiops_lab.stats.baseline import Bools, Floats, Integers, Means, Rates

LEVEL = 0.9
ROUNDS = 3
"""Times the weights are found again from the fit."""
GRADUAL = 1.0
"""A slope must be so much likelier (logarithm) than a step to be told instead of it."""
CELLS = 1_000_000
"""Values held at once."""


@dataclass(frozen=True)
class Onset:
    """When a shift began, as days' numbers, and the levels; arrays of shape (series,).

    `likelihood` (series, days) is that of each first day, of the likeliest 1.

    `since` is the likeliest first day, `first` to `last` the days that the likelihood allows;
    `before` is the level until then, `after` the mean level from then to the alarm, of an average
    weekday, and `low` to `high` holds their difference. `gradual`: a slope fits better than a step.
    """

    since: Integers
    first: Integers
    last: Integers
    gradual: Bools
    before: Floats
    after: Floats
    low: Floats
    high: Floats
    likelihood: Floats


def onset(
    series: Rates | Means, alarm: ArrayLike, side: ArrayLike, *, level: float = LEVEL
) -> Onset:
    """Date the shifts behind alarms, with all that was seen up to them.

    Each day from the end of the baseline to the alarm may be the first: the level stepped then, or
    goes on changing by as much each day. All of both that is likely enough is the answer, so that
    it holds for a sudden change and for a slow one.

    Parameters
    ----------
    series, alarm, side
        Series with an alarm, its day and its side, as `aiops_lab.stats.sequential.watch` has them.
    level
        Coverage of the days, of a step; the difference is inside its interval more often.

    Notes
    -----
    The log-likelihood may fall by ``-log(1 - sqrt(level))`` from its greatest (Siegmund 1988, Int.
    Stat. Rev. 56:31: to either side of a change it falls like a random walk whose maximum is
    exponential). The difference may be whatever lies in the same region.

    Examples
    --------
    >>> from aiops_lab.stats.baseline import rates
    >>> events = [15, 14, 16, 15, 13, 17, 15] * 4 + [15, 16, 40, 41]
    >>> series = rates(events, [500] * 32, [d % 7 for d in range(32)], baseline_days=28)
    >>> found = onset(series, [31], [1])
    >>> found.since, found.first, found.last, found.before.round(3), found.after.round(3)
    (array([30]), array([29]), array([30]), array([0.03]), array([0.081]))
    """
    ends, sides = np.asarray(alarm), np.asarray(side)
    days = int(ends.max(initial=0)) + 1
    most = max(1, CELLS // (2 * days * days))
    parts = [
        _dated(series.take(rows, slice(days)), ends[rows], sides[rows], level)
        for rows in (slice(at, at + most) for at in range(0, max(len(ends), 1), most))
    ]
    names = (field.name for field in fields(Onset))
    return Onset(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _dated(series: Rates | Means, alarm: Integers, side: Integers, level: float) -> Onset:
    """The same for as many series as fit: arrays of shape (series, step or slope, first day)."""
    count, days = series.value.shape
    day = np.arange(days)
    into = day - day[:, None] + 1.0
    shape = np.stack([(into > 0) * 1.0, np.maximum(into, 0.0)])[None]
    seen = (series.known & (day <= alarm[:, None]))[:, None, None]
    base, slope, error, log = _fitted(series, shape, seen)
    start = np.where(series.based, day, -1).max(1)
    may = series.known & (day > start[:, None]) & (day <= alarm[:, None])
    right = may[:, None] & (slope * side[:, None, None] > 0)
    right = np.where(right.any((1, 2), keepdims=True), right, may[:, None])
    log = np.where(right, log, -np.inf)
    traffic = series.n[:, None, None] * seen * (shape > 0)
    reach = (traffic * shape).sum(-1) / np.maximum(traffic.sum(-1), 1)
    fall = log.max((1, 2), keepdims=True) - log
    most = -math.log(1 - math.sqrt(level))
    likely = fall <= most
    half = np.where(likely, np.sqrt(2 * np.maximum(most - fall, 0.0)) * error * reach, 0.0)
    change = np.where(likely, slope * reach, np.nan)
    either = likely.any(1)
    told = log - np.array([0.0, GRADUAL])[:, None]
    kind, since = np.divmod(told.reshape(count, 2 * days).argmax(1), days)
    at = np.arange(count), kind, since
    return Onset(
        since=since,
        first=either.argmax(1),
        last=days - 1 - either[:, ::-1].argmax(1),
        gradual=kind == 1,
        before=base[at],
        after=base[at] + (slope * reach)[at],
        low=np.nanmin(change - half, axis=(1, 2)),
        high=np.nanmax(change + half, axis=(1, 2)),
        likelihood=np.exp(told.max(1) - told.max((1, 2))[:, None]),
    )


def _fitted(
    series: Rates | Means, shape: Floats, seen: Bools
) -> tuple[Floats, Floats, Floats, Floats]:
    """Level and slope along each shape by weighted least squares, the slope's error, the fit."""
    x, zero = series.value[:, None, None], np.zeros((len(series.level), 1, 1, 1))
    effect = series.effect[:, None, None]
    x, factor = (x, effect) if isinstance(series, Rates) else (x - effect, np.ones_like(x))
    expected = series.expected(series.level[:, None, None, None]) + 0 * shape
    base = slope = error = zero[..., 0]
    for _ in range(ROUNDS):
        weight = np.where(seen, factor / series.variance(expected), 0.0)
        one, mixed, both = ((weight * factor * shape**power).sum(-1) for power in (0, 1, 2))
        left, right = (weight * x).sum(-1), (weight * x * shape).sum(-1)
        spare = one * both - mixed**2
        room = np.where(spare > 1e-9 * one * both, spare, np.inf)
        base, slope = (both * left - mixed * right) / room, (one * right - mixed * left) / room
        error = np.sqrt(one / room)
        expected = series.expected(base[..., None] + slope[..., None] * shape)
    return base, slope, error, np.where(seen, series.likelihood(expected), 0.0).sum(-1)
