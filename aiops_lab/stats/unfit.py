"""Is a baseline one? Days that do not belong to it, and levels that moved within it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.stats import rankdata

from aiops_lab.stats.baseline import Bools, Floats, Integers, Means, Rates

LEAST = 5
"""Days on either side of a move: a shorter one is some odd days."""
ORDERS = 9_999


def odd_days(
    series: Rates | Means, without: Callable[[Bools], Rates | Means], *, most: int, likely: float
) -> tuple[Bools, Floats]:
    """Days of each baseline that the others do not expect, so far away that they hide a shift.

    The day that is least like the others is taken out, and again; those taken out are odd up to the
    last one that is unlikely where all of them are gone (as Rosner 1983, Technometrics 25:165: two
    bad days must not hide each other).

    Parameters
    ----------
    without
        Gives the series anew, their baselines without some days (True, of shape (series, days)).
    most
        So many days are tried.
    likely
        An odd day is one less likely than this.

    Returns
    -------
    tuple
        Which days are odd, and what the others expect of them: both of shape (series, days).
    """
    left, odd = np.zeros_like(series.based), np.zeros_like(series.based)
    usual, rest = np.full(left.shape, np.nan), series
    for _ in range(most):
        expected = rest.expected(rest.level[:, None])
        away = np.abs(rest.value - expected) / np.sqrt(rest.variance(expected))
        at = np.arange(len(left)), np.where(rest.based, away, -1.0).argmax(1)
        left[at] = True
        rest = without(left)
        hit = rest.unlike(series.as_given(series.value)[at], series.n[at], at) < likely
        odd[hit] = left[hit]
        usual[hit] = rest.as_given(rest.expected(rest.level[:, None]))[hit]
    return odd, usual


def moved(series: Rates | Means) -> tuple[Integers, Floats]:
    """Where each baseline's level moved, if it did.

    The largest of Wilcoxon's statistics of all the ways to part its days, less what weekdays do, in
    two (Pettitt 1979, Appl. Statist. 28:126, each in its own standard errors), beside those of days
    in a random order: no distribution is asked for, and a bad day moves nothing.

    Returns
    -------
    tuple
        The place of the first day after the likeliest move, and how likely so large a one is in
        days that do not follow each other.

    Examples
    --------
    >>> from aiops_lab.stats.baseline import rates
    >>> events = [3, 2, 4, 3, 2, 4, 3] * 2 + [6, 5, 7, 6, 5, 7, 6] * 2
    >>> day, chance = moved(rates(events, [100] * 28, list(range(7)) * 4, baseline_days=28))
    >>> int(day[0]), bool(chance[0] < 0.001)
    (14, True)
    """
    days = np.nonzero(series.based)[1].reshape(len(series.based), -1)
    left = series.value - series.expected(series.level[:, None])
    apart = _apart(rankdata(np.take_along_axis(left, days, axis=1), axis=1))
    # what weekdays take of the days' differences, a move keeps
    apart *= np.sqrt(1 - (np.ptp(series.effect, axis=1) > 0) * 6 / days.shape[1])[:, None]
    by_chance = _largest(days.shape[1])
    above = len(by_chance) - np.searchsorted(by_chance, apart.max(1) * (1 - 1e-9))
    first = apart.argmax(1) + LEAST
    return np.take_along_axis(days, first[:, None], axis=1)[:, 0], (1 + above) / (1 + ORDERS)


def _apart(ranks: Floats) -> Floats:
    """How far the days before and after each day from `LEAST` on differ, in standard errors."""
    n = ranks.shape[1]
    before = np.arange(LEAST, n - LEAST + 1)
    sums = np.cumsum(ranks - (n + 1) / 2, axis=1)[:, before - 1]
    return np.abs(sums) / np.sqrt(before * (n - before) * (n + 1) / 12)


@cache
def _largest(n: int) -> Floats:
    """The largest of `_apart` where `n` days are in random orders, sorted."""
    orders = np.tile(np.arange(1.0, n + 1), (ORDERS, 1))
    return np.sort(_apart(np.random.default_rng(n).permuted(orders, axis=1)).max(1))
