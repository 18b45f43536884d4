"""Daily series that shift, or do not; imports nothing of what it is used to test.

A day's true rate is its level times the weekday's factor, then drawn anew each day from a beta
distribution of correlation `rho`; the week is a sine or has two quiet days, from a weekday of its
own in each series. Traffic goes up and down by a tenth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
BASELINE = 30


def week(random: np.random.Generator, series: int, days: int, swing: float) -> Floats:
    """Factors of mean 1 that repeat every seven days."""
    at = (np.arange(days) + random.integers(0, 7, (series, 1))) % 7
    sine = np.sin(2 * np.pi * at / 7)
    two = np.where(at < 5, 2 / 7, -5 / 7) * 1.4
    return 1 + swing * np.where(random.random((series, 1)) < 0.5, sine, two)


def traffic(random: np.random.Generator, series: int, days: int, n: ArrayLike) -> Floats:
    busy = np.asarray(n) * np.exp(random.normal(0, 0.1, (series, days)))
    return np.maximum(random.poisson(busy), 1).astype(float)


def counts(
    random: np.random.Generator, level: Floats, n: ArrayLike, rho: ArrayLike, swing: float = 0.0
) -> tuple[Floats, Floats]:
    """Events and n at levels of shape (series, days)."""
    size = traffic(random, *level.shape, n)
    rate = np.clip(level * week(random, *level.shape, swing), 1e-6, 1 - 1e-6)
    spread = np.broadcast_to(np.asarray(rho, float), rate.shape)
    both = 1 / np.maximum(spread, 1e-6) - 1
    drawn = random.beta(rate * both, (1 - rate) * both)
    rate = np.where(spread > 0, drawn, rate)
    return random.binomial(size.astype(int), rate).astype(float), size


def sums(
    random: np.random.Generator,
    level: Floats,
    n: int,
    between: float,
    swing: float = 0.0,
    within: float = 0.8,
) -> tuple[Floats, Floats, Floats]:
    """Sum, sum of squares and n of normal values whose daily mean is `level` and noise."""
    size = traffic(random, *level.shape, n)
    mean = level + week(random, *level.shape, swing) - 1 + random.normal(0, between, level.shape)
    mean = mean + random.normal(0, within / np.sqrt(size))
    return mean * size, within**2 * random.chisquare(size) + size * mean**2, size


def skewed(random: np.random.Generator, series: int, days: int, n: int, spread: float):
    """The same of lognormal values, as seconds and dollars are."""
    values = np.exp(random.normal(0, spread, (series, days, n)))
    values *= np.exp(random.normal(0, 0.05, (series, days, 1)))
    return values.sum(2), (values**2).sum(2), np.full((series, days), float(n))


def following(
    random: np.random.Generator, series: int, days: int, spread: float, correlation: float
) -> Floats:
    """Normal deviations, each correlated with the day before."""
    drawn = random.normal(0, spread, (series, days))
    for day in range(1, days):
        drawn[:, day] *= np.sqrt(1 - correlation**2)
        drawn[:, day] += correlation * drawn[:, day - 1]
    return drawn


def step(series: int, days: int, before: float, after: float, at: int) -> Floats:
    return np.where(np.arange(days) < at, before, after) * np.ones((series, 1))


def slope(series: int, days: int, before: float, a_day: float, at: int) -> Floats:
    return before + a_day * np.maximum(np.arange(days) - at + 1, 0) * np.ones((series, 1))


def daily_test(events: Floats, n: Floats) -> NDArray[np.int64]:
    """First day, from the baseline's end on, on which a two-sided z-test has p < 0.05; else -1."""
    return _first(np.abs(_deviation(events, n)) > stats.norm.ppf(0.975))


def three_sigma(events: Floats, n: Floats) -> NDArray[np.int64]:
    """The same for three standard deviations."""
    return _first(np.abs(_deviation(events, n)) > 3)


def _deviation(events: Floats, n: Floats) -> Floats:
    total = n[:, :BASELINE].sum(1, keepdims=True)
    p = events[:, :BASELINE].sum(1, keepdims=True) / total
    return (events / n - p) / np.sqrt(p * (1 - p) / n)


def _first(hit: NDArray[np.bool_]) -> NDArray[np.int64]:
    hit = hit[:, BASELINE:]
    return np.where(hit.any(1), hit.argmax(1) + BASELINE, -1)
