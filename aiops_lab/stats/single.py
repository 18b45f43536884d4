"""The mean of one run, with an interval that holds for rates and skewed scores too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.stats.clustered import FEWEST_CLUSTERS, cr2
from aiops_lab.stats.paired import FEW, FEWEST, scale
from aiops_lab.stats.score import (
    exact_share,
    exact_share_interval,
    excess_skew,
    skewed,
    skewness,
    tails,
    wilson,
)

NUMBERS = ("Student's t", "numbers")
PRIOR = 0.5
"""Questions of the largest possible variance that are added to what was seen."""


@dataclass(frozen=True)
class Mean:
    """A mean with its interval; what cannot be computed is None."""

    n: int
    mean: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = "nothing was evaluated"


@dataclass(frozen=True)
class _Shape:
    """What the values come down to, as shares of `top`; `effective` is None for other numbers."""

    mean: float
    error: float
    freedom: float
    effective: float | None
    binary: bool
    told: str
    top: float = 1.0
    skew: float = 0.0


def single_mean(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    exact: bool = False,
    bounded: bool = True,
) -> Mean:
    """The mean over questions with its interval.

    Parameters
    ----------
    values
        One value a question, of shape (n,); means over epochs where there are several.
    clusters
        The cluster of each question.
    level
        Coverage of the interval.
    exact
        For decisions: Clopper and Pearson's interval for pass or fail, else one with the
        skewness taken out (`stats.score.unskewed`), scores on the scale that holds them.
    bounded
        Whether values are scores, on the smallest usual scale that holds them (0 to 1, 5, 10 or
        100): False for seconds or dollars.

    Returns
    -------
    Mean
        Pass or fail: Wilson's interval. Other values between 0 and 1: the same on an effective
        number of questions, with t instead of z and half a question more of the largest variance
        that their mean allows (plain t covers as little as 91 % of 30 skewed scores). Other
        numbers: Student's t. With clusters: CR2 errors.

    Examples
    --------
    >>> found = single_mean([1] * 9 + [0])
    >>> round(found.mean, 2), round(found.low, 3), round(found.high, 3)
    (0.9, 0.596, 0.982)
    """
    x = np.asarray(values, float)
    if (n := int(x.size)) == 0:
        return Mean(0)
    if x.size == 1:
        return Mean(1, float(x[0]), method="one question has no interval")
    shape, tail = _shape(x, clusters, bounded), (1 - level) / 2
    top, error = shape.top, shape.error * shape.top
    known: dict[str, Any] = {"n": n, "mean": float(x.mean())}
    known["standard_error"] = error or None
    if shape.binary and exact:
        low, high = exact_share_interval(float(x.sum() / top), n, level)
        told = "Clopper and Pearson's exact interval"
        return Mean(**known, low=low * top, high=high * top, method=told)
    quantile = float(special.stdtrit(shape.freedom, 1 - tail))
    if shape.binary:
        quantile = float(special.ndtri(1 - tail))
    below = above = quantile
    if exact:
        below, above = skewed(quantile, shape.skew)
    if shape.effective is not None and (exact or shape.binary or top == 1):
        low = float(wilson(shape.mean, shape.effective, below)[0]) * top
        high = float(wilson(shape.mean, shape.effective, above)[1]) * top
        return Mean(**known, low=low, high=high, method=shape.told)
    if shape.error == 0:
        return Mean(**known, method="all values are equal: no interval")
    low, high = float(x.mean()) - below * error, float(x.mean()) + above * error
    return Mean(**known, low=low, high=high, method=shape.told)


def p_mean(
    values: ArrayLike,
    limit: float,
    clusters: ArrayLike | None = None,
    *,
    above: bool,
    bounded: bool = True,
) -> float | None:
    """One-sided p-value against "the mean is `limit` or less" (`above`), or "or more".

    Exact for pass or fail; else the test behind the interval of `single_mean`. None where there
    is no interval.

    Examples
    --------
    >>> round(p_mean([1] * 59, 0.95, above=True), 4)
    0.0485
    """
    x = np.asarray(values, float)
    if x.size < 2:
        return None
    shape = _shape(x, clusters, bounded)
    limit /= shape.top
    if shape.effective is not None and not 0 <= limit <= 1:
        return 0.0 if (limit < 0) == above else 1.0
    if shape.binary:
        return exact_share(float(x.sum() / shape.top), x.size, limit, above=above)
    if x.size < FEWEST:
        return None
    if shape.effective is None:
        scale = shape.error
    else:
        scale = math.sqrt(max(limit * (1 - limit), 0.0) / shape.effective)
    if scale == 0:
        outside = shape.effective is not None and not 0 < limit < 1
        cleared = shape.mean > limit if above else shape.mean < limit
        return None if not outside else 0.0 if cleared else 1.0
    found = tails((shape.mean - limit) / scale, shape.skew, shape.freedom)
    return float(found[0] if above else found[1])


def _shape(x: NDArray[np.float64], clusters: ArrayLike | None, bounded: bool) -> _Shape:
    n, told = x.size, "questions"
    top = scale(x) if bounded else None
    if top != 1 and np.ptp(x) == 0:  # how far apart they could lie is not known
        top = None
    x = x / (top or 1.0)
    error, freedom, units, alone = float(x.std(ddof=1) / math.sqrt(n)), n - 1.0, n, 1 / n
    index = np.arange(n)
    if clusters is not None:
        index = np.unique(np.asarray(clusters), return_inverse=True)[1]
    count = int(index.max()) + 1
    clustered = count < n
    if clustered and count < FEWEST_CLUSTERS:
        told = f"questions; {count} clusters are too few to honour"
    elif clustered:
        (error, freedom), units = cr2(x, index), count
        alone = float(np.square(np.bincount(index)).sum()) / n**2
        told = f"{count} clusters (CR2, {freedom:.0f} df)"
    mean, skew = float(x.mean()), skewness(x - x.mean())
    if clustered and count >= FEWEST_CLUSTERS:
        skew = skewness(np.asarray(np.bincount(index, weights=x - mean), float))
    if top is None:
        told = f"{NUMBERS[0]} on {told}: {NUMBERS[1]}"
        return _Shape(mean, error, freedom, None, False, told, skew=skew)
    if not clustered and bool(((x == 0) | (x == 1)).all()):
        return _Shape(mean, error, math.inf, n, True, "Wilson's interval: pass or fail", top)
    most = mean * (1 - mean)
    effective = 1 / alone
    if most > 0:
        pull = max(0.0, 1 - min((x > 0).sum(), (x < 1).sum()) / min(FEW, n))
        variance = error**2 + pull * max(0.0, most * alone - error**2)
        effective = most / ((units * variance + PRIOR * most * alone) / (units + PRIOR))
        skew = float(excess_skew(skew, mean, 0.0, effective))  # Wilson's variance knows the rest
    how = ("score interval with t", "values between 0 and 1") if top == 1 else NUMBERS
    told = f"{how[0]} on {told}: {how[1]}"
    return _Shape(mean, error, freedom, effective, False, told, top, skew)
