"""How much more likely are some figures if what was exposed to something moved, than if not?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIZES = (0.1, 0.25, 0.6)
"""How far something moves, in standard deviations of single answers: each as likely."""
WINSOR = 6.0
"""A day's difference to the next counts at most so many times what chance allows."""
NEUTRAL = 4
"""So many days without noise of their own are added to those seen."""


@dataclass(frozen=True)
class Cells:
    """One figure of some cells (hour, segment, versions): all arrays have the shape (cells,).

    `mean` is that of `n` answers (0: none, and it counts for nothing), `group` the number of the
    segment, `day` that of the day; `variance` is that of single answers within a cell.
    """

    mean: Floats
    n: Floats
    group: NDArray[np.int64]
    day: NDArray[np.int64]
    variance: float


@dataclass(frozen=True)
class Evidence:
    """Of each exposure, shape (exposures,).

    `log_bayes` is the logarithm of how many times likelier the figures are with a step than
    without, `difference` the step (exposed less not, of the same segment), `error` its standard
    error. Where nothing is exposed, or all is, they are 0, NaN and infinite.
    """

    log_bayes: Floats
    difference: Floats
    error: Floats


def step_evidence(cells: Cells, exposed: Floats) -> Evidence:
    """What speaks for each exposure having moved a figure.

    Parameters
    ----------
    cells
        The figure.
    exposed
        The share of each cell's answers that were exposed, of shape (cells, exposures).

    Notes
    -----
    A linear model with a level for each segment, an effect of each day that is drawn, and one step
    for the exposure: so old and new versions at the same time are compared within their day, and
    what differs from one day to the next by itself does not pass for a step. The step is normal
    around 0 with one of `SIZES`; its Bayes factor is exact given the variances (Wakefield 2009,
    Genet. Epidemiol. 33:79). How much days differ comes of the differences of days that follow each
    other (von Neumann 1941, Ann. Math. Stat. 12:367).

    Examples
    --------
    >>> day = np.arange(40) // 4
    >>> new = (np.arange(40) % 4 == 0) & (day > 4)
    >>> cells = Cells(np.where(new, 0.3, 0.1), np.full(40, 50.0), np.zeros(40, int), day, 0.1)
    >>> found = step_evidence(cells, np.stack([new, day > 7], 1).astype(float))
    >>> found.log_bayes.round(), found.difference.round(2)
    (array([40.,  0.]), array([0.2 , 0.03]))
    """
    some = cells.n > 0
    if cells.variance <= 0 or not some.any():
        count = exposed.shape[1]
        return Evidence(np.zeros(count), np.full(count, np.nan), np.full(count, np.inf))
    y, x, n = cells.mean[some], exposed[some].astype(float), cells.n[some]
    group, day = cells.group[some], cells.day[some]
    y, x = _less_means(y[:, None], n, group), _less_means(x, n, group)
    between = _day_variance(y[:, 0], n, day, cells.variance)
    y, x = (_quasi(each, n, day, between / cells.variance) for each in (y, x))
    information = n @ (x * x) / cells.variance
    some = information > 1e-9
    safe = np.where(some, information, 1.0)
    difference = np.where(some, (n * y[:, 0]) @ x / cells.variance / safe, np.nan)
    error = np.where(some, safe**-0.5, np.inf)
    fit = np.where(some, difference**2 * safe, 0.0)
    prior = np.array(SIZES)[:, None] ** 2 * cells.variance * np.where(some, information, 0.0)
    each = 0.5 * (fit * prior / (1 + prior) - np.log1p(prior))
    return Evidence(np.logaddexp.reduce(each, 0) - np.log(len(SIZES)), difference, error)


def _less_means(values: Floats, n: Floats, group: NDArray[np.int64]) -> Floats:
    """The values less the mean of their group."""
    return values - _means(values, n, group)[0][group]


def _means(values: Floats, n: Floats, group: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The mean of each group, and its number."""
    count = int(group.max()) + 1
    size = np.bincount(group, n, count).astype(float)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sums = np.zeros((count, values.shape[1]))
    sums[group[order][starts]] = np.add.reduceat((n[:, None] * values)[order], starts)
    return sums / np.maximum(size, 1e-300)[:, None], size


def _quasi(values: Floats, n: Floats, day: NDArray[np.int64], ratio: float) -> Floats:
    """Less a part of the mean of their day: all of it where days differ by much."""
    if ratio <= 0:
        return values
    mean, size = _means(values, n, day)
    part = 1 - 1 / np.sqrt(1 + size * ratio)
    return values - part[day, None] * mean[day]


def _day_variance(y: Floats, n: Floats, day: NDArray[np.int64], variance: float) -> float:
    """By how much the level of days differs by itself."""
    mean, size = _means(y[:, None], n, day)
    mean, size = mean[size > 0, 0], size[size > 0]
    if len(size) < 3:
        return 0.0
    chance = variance * (1 / size[1:] + 1 / size[:-1])
    excess = np.minimum(np.diff(mean) ** 2 / chance, WINSOR)
    more = (excess.sum() + NEUTRAL) / (len(excess) + NEUTRAL) - 1
    return float(max(more, 0.0) * np.median(chance) / 2)
