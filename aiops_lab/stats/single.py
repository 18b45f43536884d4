"""The mean of one run, with an interval that holds for rates and skewed scores too."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.stats.paired import FEW, FEWEST_CLUSTERS, cr2
from aiops_lab.stats.score import exact_share, exact_share_interval, wilson

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
    """What the values come down to; `effective` is None for values that may leave 0 to 1."""

    mean: float
    error: float
    freedom: float
    effective: float | None
    binary: bool
    told: str


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
        Clopper and Pearson's interval for pass or fail, for decisions; else Wilson's.
    bounded
        Whether values between 0 and 1 cannot leave them: False for seconds or dollars.

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
    if x.size == 0:
        return Mean(0)
    if x.size == 1:
        return Mean(1, float(x[0]), method="one question has no interval")
    shape, tail = _shape(x, clusters, bounded), (1 - level) / 2
    known = {"n": x.size, "mean": shape.mean, "standard_error": shape.error or None}
    if shape.binary and exact:
        low, high = exact_share_interval(float(x.sum()), x.size, level)
        return Mean(**known, low=low, high=high, method="Clopper and Pearson's exact interval")
    quantile = float(special.stdtrit(shape.freedom, 1 - tail))
    if shape.binary:
        quantile = float(special.ndtri(1 - tail))
    if shape.effective is not None:
        low, high = (float(end) for end in wilson(shape.mean, shape.effective, quantile))
        return Mean(**known, low=low, high=high, method=shape.told)
    if shape.error == 0:
        return Mean(**known, method="all values are equal: no interval")
    half = quantile * shape.error
    return Mean(**known, low=shape.mean - half, high=shape.mean + half, method=shape.told)


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
    if shape.effective is not None and not 0 <= limit <= 1:
        return 0.0 if (limit < 0) == above else 1.0
    if shape.binary:
        return exact_share(float(x.sum()), x.size, limit, above=above)
    if shape.effective is None:
        scale = shape.error
    else:
        scale = math.sqrt(max(limit * (1 - limit), 0.0) / shape.effective)
    if scale == 0:
        outside = shape.effective is not None and not 0 < limit < 1
        cleared = shape.mean > limit if above else shape.mean < limit
        return None if not outside else 0.0 if cleared else 1.0
    away = (shape.mean - limit) / scale
    return float(special.stdtr(shape.freedom, -away if above else away))


def _shape(x: NDArray[np.float64], clusters: ArrayLike | None, bounded: bool) -> _Shape:
    n, told = x.size, "questions"
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
    mean = float(x.mean())
    if not bounded or x.min() < 0 or x.max() > 1:
        return _Shape(mean, error, freedom, None, False, f"Student's t on {told}: numbers")
    if not clustered and bool(((x == 0) | (x == 1)).all()):
        return _Shape(mean, error, math.inf, n, True, "Wilson's interval: pass or fail")
    most = mean * (1 - mean)
    effective = 1 / alone
    if most > 0:
        pull = max(0.0, 1 - min((x > 0).sum(), (x < 1).sum()) / min(FEW, n))
        variance = error**2 + pull * max(0.0, most * alone - error**2)
        effective = most / ((units * variance + PRIOR * most * alone) / (units + PRIOR))
    told = f"score interval with t on {told}: values between 0 and 1"
    return _Shape(mean, error, freedom, effective, False, told)
