"""Daily series and what their first days say: the level, the weekdays, how much days differ.

Nothing is taken as known: the level has a band, days differ by more than chance (by an upper bound
of it), and weekdays are told apart as far as the baseline shows that they differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.errors import BadSettings

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.integer[Any]]
BAND = 1.645
"""Standard errors from the level to each end of its band."""
SURE, LIKELY = 0.8, 0.5
"""Confidence of the upper bound of how much days differ: of rates; of means, whose likelihood has
heavy tails instead."""
FEWEST, WEEKS = 14, 28
"""Days of a baseline; of one that tells weekdays apart."""
LEAST, MOST = 1e-6, 0.5
"""Correlation of one day's answers: with less a beta-binomial is a binomial."""
RARE, FLOOR = 5.0, 5e-4
"""Where a day has fewer events, 30 days cannot show a correlation below the floor. It halves the
false alarms of rates of 0.05 to 0.2 % whose days differ, and costs up to three days of delay."""
FLAT = 1e-12
TINY = 1e-9
ODDS = {1: (1.15, 1.3, 1.6, 2.0, 2.7, 3.6), -1: (0.85, 0.7, 0.55, 0.4)}
"""Alternatives to a rate on each side: its odds times these."""
STEPS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Alternatives to a mean: standard deviations of a day."""
FREEDOM = 6.0
"""Daily means are taken to have Student's t with so few degrees of freedom: raw seconds and dollars
are so skewed that with a normal likelihood up to a fifth of clean quarters had an alarm."""
S = TypeVar("S", bound="Series")


@dataclass(frozen=True)
class Series:
    """Daily values and their baseline: arrays of shape (series, days), from `level` on (series,).

    Attributes
    ----------
    value, n
        What was seen, of how many; 0 on days that are not `known`.
    known, based
        Days with traffic, and those of them that are the baseline.
    effect
        What the weekday does: a factor of a rate, a summand of a mean.
    level, low, high
        The level of an average weekday, and its band.
    spread
        How much days differ beyond chance, or a bound of it: the correlation of one day's answers
        (rates), the variance of the true daily means (means).
    """

    value: Floats
    n: Floats
    known: Bools
    based: Bools
    effect: Floats
    level: Floats
    low: Floats
    high: Floats
    spread: Floats

    def take(self: S, rows: Any, days: slice = slice(None)) -> S:
        """Some of the series, some of the days."""
        own = {f.name: getattr(self, f.name)[rows] for f in fields(self)}
        return replace(self, **{k: a[:, days] if a.ndim == 2 else a for k, a in own.items()})


@dataclass(frozen=True)
class Rates(Series):
    """Daily rates of the rarer outcome; those of the series `turned` are of "no event"."""

    turned: Bools

    def expected(self, level: Floats) -> Floats:
        """Each day's rate at levels of shape (series, ..., 1), as (series, ..., days)."""
        return np.clip(level * _like(self.effect, level), TINY, 1 - TINY)

    def variance(self, expected: Floats) -> Floats:
        """The variance of each day's rate (beta-binomial)."""
        return expected * (1 - expected) / np.maximum(_like(self._effective(), expected), TINY)

    def likelihood(self, expected: Floats) -> Floats:
        """Log-likelihood of each day: a binomial's with the effective number of answers."""
        x = _like(self.value, expected)
        log = special.xlogy(x, expected) + special.xlog1py(1 - x, -expected)
        return _like(self._effective(), expected) * log

    def ratios(self) -> Iterator[tuple[int, Floats]]:
        """Log-likelihood ratios of each alternative to the near end of the band, with its side.

        Between two beta-binomials of one correlation; as they rise with the events, their mean
        (not of the logarithm) is at most 1 wherever the level is inside the band.
        """
        size = (1 / self.spread - 1)[:, None]
        events, others = self.value * self.n, (1 - self.value) * self.n

        def log(p: Floats) -> Floats:
            a, b = p * size, (1 - p) * size
            gamma = special.gammaln
            return gamma(events + a) - gamma(a) + gamma(others + b) - gamma(b)

        for side, end in ((1, self.high), (-1, self.low)):
            p = self.expected(end[:, None])
            of_band = log(p)
            for odds in ODDS[side]:
                yield side, log(odds * p / (1 - p + odds * p)) - of_band

    def as_given(self, x: Floats) -> Floats:
        """Rates of shape (series, ...) as they were given, those of "no event" turned back."""
        return np.where(self.turned.reshape(-1, *(1,) * (x.ndim - 1)), 1 - x, x)

    def unlike(self, value: Floats, n: Floats, at: tuple[Integers, Integers]) -> Floats:
        """How likely a day (as given) is so far outside of the band: one (series, day) each."""
        size = n / (1 + np.maximum(n - 1, 0) * self.spread)
        seen = self.as_given(value) * size
        low, high = (self.expected(end[:, None])[at] for end in (self.low, self.high))
        above = np.where(seen > 0, special.betainc(seen, size - seen + 1, high), 1.0)
        below = np.where(seen < size, special.betaincc(seen + 1, size - seen, low), 1.0)
        return np.minimum(2 * np.minimum(above, below), 1.0)

    def _effective(self) -> Floats:
        return self.n / (1 + np.maximum(self.n - 1, 0) * self.spread[:, None])


@dataclass(frozen=True)
class Means(Series):
    """Daily means; `within` is the variance of single values in a day, of shape (series,)."""

    within: Floats

    def expected(self, level: Floats) -> Floats:
        """Each day's mean at levels of shape (series, ..., 1), as (series, ..., days)."""
        return level + _like(self.effect, level)

    def variance(self, expected: Floats) -> Floats:
        """The variance of each day's mean."""
        return np.broadcast_to(_like(self._variance(), expected), expected.shape)

    def likelihood(self, expected: Floats) -> Floats:
        """Log-likelihood of each day."""
        away = _like(self.value, expected) - expected
        return -(away**2) / (2 * _like(self._variance(), expected))

    def ratios(self) -> Iterator[tuple[int, Floats]]:
        """Log-likelihood ratios of each alternative to the near end of the band, with its side."""
        day = np.sqrt(self._variance())
        typical = np.nanmedian(np.where(self.based, day, np.nan), axis=1)[:, None]

        def log(away: Floats) -> Floats:
            return -(FREEDOM + 1) / 2 * np.log1p((away / day) ** 2 / FREEDOM)

        for side, end in ((1, self.high), (-1, self.low)):
            away = self.value - self.expected(end[:, None])
            of_band = log(away)
            for step in STEPS:
                yield side, log(away - side * step * typical) - of_band

    def as_given(self, x: Floats) -> Floats:
        """Means are as they were given."""
        return x

    def unlike(self, value: Floats, n: Floats, at: tuple[Integers, Integers]) -> Floats:
        """How likely a day is so far outside of the band: one (series, day) each."""
        low, high = (self.expected(end[:, None])[at] for end in (self.low, self.high))
        away = np.maximum(np.maximum(value - high, low - value), 0.0)
        error = np.sqrt(self.within / np.maximum(n, 1) + self.spread)
        return 2 * special.stdtr(FREEDOM, -away / error)

    def _variance(self) -> Floats:
        return self.within[:, None] / np.maximum(self.n, 1) + self.spread[:, None]


def rates(
    events: ArrayLike,
    n: ArrayLike,
    weekdays: ArrayLike,
    *,
    baseline_days: int = 30,
    none_seen: bool = False,
) -> Rates:
    """Daily rates, and the baseline that their first days are.

    Parameters
    ----------
    events, n
        Counts of shape (days,) or (series, days); NaN, or an n of 0, is a day without traffic.
    weekdays
        The weekday of each day, 0 to 6, of shape (days,).
    baseline_days
        So many first days with traffic are the baseline.
    none_seen
        Whether a baseline without any event (or without anything else) will do.

    Raises
    ------
    BadSettings
        More events than answers, too few days with traffic, no event in the baseline.

    Notes
    -----
    The band is Wilson's interval on the effective number of answers. How much days differ is the
    upper 80 % bound that Pearson's chi-square allows (Q-profile: Viechtbauer 2007, Statist. Med.
    26:37). Weekdays are shrunk to their mean by empirical Bayes; the error of what is left counts
    as a difference of days.

    Examples
    --------
    >>> found = rates([3, 2, 4, 3, 2, 4, 3] * 4, [100] * 28, list(range(7)) * 4, baseline_days=28)
    >>> found.level.round(3), found.low.round(3), found.high.round(3)
    (array([0.03]), array([0.025]), array([0.036]))
    """
    k, size, days = _arrays(events, n, weekdays)
    if bool((k > size).any() or (k < 0).any()):
        raise BadSettings("some day has more events than answers, or fewer than none")
    known, based = _baseline(np.isfinite(k) & (size > 0), baseline_days)
    k, size = np.where(known, k, 0.0), np.where(known, size, 0.0)
    total, seen = (size * based).sum(1), (k * based).sum(1)
    bare = (seen == 0) | (seen == total)
    if bare.any() and not none_seen:
        raise BadSettings(f"the answers in the baseline of {_first(bare)} are all alike")
    turned = seen > total / 2
    k = np.where(turned[:, None], size - k, k)
    share = ((k * based).sum(1) / total)[:, None]
    x, n1, chance = k / np.maximum(size, 1), np.maximum(size, 1), share * (1 - share) + TINY
    level, effect, rho = _estimate(x, chance / n1, chance * (1 - 1 / n1), based, days, SURE)
    factor = 1 + effect / np.maximum(level, TINY)[:, None]
    rare = share[:, 0] * total < RARE * baseline_days
    rho = np.clip(rho, np.where(rare, FLOOR, LEAST), MOST)
    effective = (size * based / (1 + (n1 - 1) * rho[:, None])).sum(1)
    return Rates(x, size, known, based, factor, level, *_wilson(level, effective), rho, turned)


def means(
    sums: ArrayLike,
    sum_squares: ArrayLike,
    n: ArrayLike,
    weekdays: ArrayLike,
    *,
    baseline_days: int = 30,
    none_seen: bool = False,
) -> Means:
    """Daily means, and the baseline that their first days are; arguments as those of `rates`.

    Raises
    ------
    BadSettings
        Too few days with traffic, or a baseline of one value; with `none_seen` the spread of such
        a series is infinite.

    Examples
    --------
    >>> x = [5.0, 5.2, 4.9, 5.1, 5.0, 4.8, 5.0] * 2
    >>> found = means(x, [v * v for v in x], [1] * 14, [*range(7)] * 2, baseline_days=14)
    >>> found.level.round(2), found.low.round(2), found.high.round(2)
    (array([5.]), array([4.94]), array([5.06]))
    """
    total, size, days = _arrays(sums, n, weekdays)
    squares, _, _ = _arrays(sum_squares, n, weekdays)
    usable = np.isfinite(total) & np.isfinite(squares) & (size > 0)
    known, based = _baseline(usable, baseline_days)
    size, n1 = np.where(known, size, 0.0), np.where(known, size, 1.0)
    x = np.where(known, total, 0.0) / n1
    inner = np.where(based, np.maximum(squares - n1 * x * x, 0.0), 0.0).sum(1)
    within = inner / np.maximum((size * based).sum(1) - baseline_days, 1)
    middle = _mean(x, based)
    flat = within + _mean((x - middle[:, None]) ** 2, based) <= FLAT * middle**2
    if flat.any() and not none_seen:
        raise BadSettings(f"the values in the baseline of {_first(flat)} are all alike")
    chance = within[:, None] / n1
    level, effect, spread = _estimate(x, chance, np.ones_like(x), based, days, LIKELY)
    variance = chance + np.where(flat, 1.0, spread)[:, None]
    error = (based / variance).sum(1) ** -0.5
    low, high, spread = level - BAND * error, level + BAND * error, np.where(flat, np.inf, spread)
    return Means(x, size, known, based, effect, level, low, high, spread, within)


def _estimate(
    x: Floats, chance: Floats, extra: Floats, based: Bools, days: Integers, sure: float
) -> tuple[Floats, Floats, Floats]:
    """Level, effect of weekdays and bound of t, of values of variance ``chance + t * extra``."""
    floor = FLAT * _mean((x - _mean(x, based)[:, None]) ** 2, based) + TINY**30
    chance, count = np.maximum(chance, floor[:, None]), based.sum(1)
    weekly = int(count.min()) >= WEEKS
    # one group, where weekdays cannot be told apart
    week = np.eye(7)[days] if weekly else np.ones((x.shape[1], 1))
    groups = (based @ week > 0).sum(1)
    own = _by_weekday(x, based / chance, week)
    t = _dispersion(x - own @ week.T, chance, extra, based, np.maximum(count - groups, 1))
    weight = based / (chance + t[:, None] * extra)
    level = _mean(x, weight)
    own, precision = _by_weekday(x, weight, week), weight @ week
    there = precision > 0
    error = np.where(there, 1 / np.maximum(precision, TINY**30), 0.0)
    away = np.where(there, own - _mean(own, there)[:, None], 0.0)
    between = (away**2).sum(1) / np.maximum(groups - 1, 1) - error.sum(1) / groups
    between = np.where(groups > 1, np.maximum(between, 0.0), 0.0)[:, None]
    kept = between / np.where(there, between + error, 1.0) * there
    effect = (kept * np.where(there, own - level[:, None], 0.0)) @ week.T
    # each weekday takes a day's worth of freedom as far as it is kept
    spent = (1 - 1 / groups) * (there * (1 - (1 - kept) ** 2)).sum(1)
    target = special.chdtri(count - 1 - spent, sure)
    t = _dispersion(x - level[:, None] - effect, chance, extra, based, target)
    noise = (kept**2 * error).sum(1) / groups
    return level, effect, t + noise / np.maximum(_mean(extra, weight), TINY)


def _dispersion(x: Floats, chance: Floats, extra: Floats, based: Bools, target: Any) -> Floats:
    """The least t, 0 or more, at which ``sum(x² / (chance + t * extra))`` is at most the target."""
    square = np.where(based, x**2, 0.0)
    low = np.zeros(len(x))
    high = (square / np.maximum(extra, TINY)).sum(1) / target
    for _ in range(50):
        middle = (low + high) / 2
        above = (square / (chance + middle[:, None] * extra)).sum(1) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where((square / chance).sum(1) > target, high, 0.0)


def _mean(x: Floats, weight: Any) -> Floats:
    return (weight * x).sum(1) / weight.sum(1)


def _by_weekday(x: Floats, weight: Floats, week: Floats) -> Floats:
    return (weight * x) @ week / np.maximum(weight @ week, TINY**30)


def _wilson(p: Floats, n: Floats) -> tuple[Floats, Floats]:
    middle, half = p + BAND**2 / 2 / n, BAND * np.sqrt(p * (1 - p) / n + BAND**2 / 4 / n**2)
    return (middle - half) / (1 + BAND**2 / n), (middle + half) / (1 + BAND**2 / n)


def _arrays(value: ArrayLike, n: ArrayLike, weekdays: ArrayLike) -> tuple[Floats, Floats, Integers]:
    x, size = (np.atleast_2d(np.asarray(each, float)) for each in (value, n))
    days = np.asarray(weekdays)
    if x.shape != size.shape or days.shape != x.shape[1:]:
        shapes = f"{x.shape} values, {size.shape} counts and {days.shape} weekdays"
        raise BadSettings(f"{shapes} do not fit together; give (series, days) twice and (days,)")
    if not np.isin(days, range(7)).all():
        raise BadSettings("weekdays are whole numbers from 0 to 6")
    return x, size, days.astype(int)


def _baseline(known: Bools, days: int) -> tuple[Bools, Bools]:
    if days < FEWEST:
        raise BadSettings(f"baseline_days is {FEWEST} or more, not {days}")
    based = known & (np.cumsum(known, axis=1) <= days)
    if (short := based.sum(1) < days).any():
        least = int(based.sum(1)[short][0])
        raise BadSettings(f"{_first(short)} has {least} days with traffic; the baseline is {days}")
    return known, based


def _first(which: Bools) -> str:
    return f"series {int(np.flatnonzero(which)[0])}"


def _like(own: Floats, other: Floats) -> Floats:
    """An array (series, days) with as many dimensions as another, those between of length 1."""
    return own.reshape(own.shape[0], *(1,) * (other.ndim - 2), own.shape[1])
