"""Differences between two runs that answered the same questions.

The question is the unit: average epochs first. Formulas: Miller 2024, "Adding error bars to evals"
(arXiv 2411.00640), sections 2 to 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FEWEST_CLUSTERS = 5
"""Below this a clustered error cannot be trusted and is not computed."""
FEW_CLUSTERS = 20


@dataclass(frozen=True)
class Paired:
    """A paired difference, candidate less baseline; what cannot be computed is None."""

    n: int
    baseline: float | None = None
    candidate: float | None = None
    difference: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    method: str = "no question in common"


def paired_difference(
    baseline: ArrayLike,
    candidate: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Paired:
    """The mean difference over questions with its interval.

    Parameters
    ----------
    baseline, candidate
        One value a question, of shape (n,), in the same order; no missing values.
    clusters
        The cluster of each question, where questions belong together (of one document, say).
    level
        Coverage of the interval.

    Returns
    -------
    Paired
        Student's t on the differences with n - 1 degrees of freedom; with clusters, the
        cluster-robust error with t on G - 1, refused below 5 clusters. Differences that are all
        equal have no variance to estimate: then the exact bound on the share of questions that
        could have gone another way.

    Examples
    --------
    >>> found = paired_difference([1, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 0])
    >>> round(found.difference, 3), round(found.low, 3), round(found.high, 3)
    (-0.333, -0.875, 0.209)
    """
    b, c = np.asarray(baseline, float), np.asarray(candidate, float)
    n = b.size
    if n == 0:
        return Paired(0)
    d = c - b
    difference = float(d.mean())
    known = {"n": n, "baseline": float(b.mean()), "candidate": float(c.mean())}
    if n == 1:
        return Paired(**known, difference=difference, method="one question has no interval")
    if np.ptp(d) <= 1e-12 * max(1.0, float(np.abs(d).max())):
        low, high, method = _no_variance(b, c, difference, level)
        return Paired(**known, difference=difference, low=low, high=high, method=method)
    error, freedom, method = _error(d, clusters)
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    return Paired(
        **known,
        difference=difference,
        standard_error=error,
        low=difference - half,
        high=difference + half,
        p_value=float(2 * special.stdtr(freedom, -abs(difference) / error)),
        method=method,
    )


def clustered_error(d: ArrayLike, clusters: ArrayLike) -> tuple[float, int]:
    """The cluster-robust standard error of a mean, and the number of clusters.

    The square of each cluster's summed deviations, with the finite-sample factor G / (G - 1).
    """
    values = np.asarray(d, float)
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    groups = int(index.max()) + 1
    if groups < 2:
        return math.nan, groups
    sums = np.bincount(index, weights=values - values.mean())
    return float(np.sqrt(groups / (groups - 1) * np.square(sums).sum()) / values.size), groups


def _error(d: NDArray[np.float64], clusters: ArrayLike | None) -> tuple[float, int, str]:
    n = d.size
    simple, freedom = float(d.std(ddof=1) / np.sqrt(n)), n - 1
    if clusters is None:
        return simple, freedom, "paired t on questions"
    error, groups = clustered_error(d, clusters)
    if groups == n:
        return simple, freedom, "paired t on questions"
    if groups < FEWEST_CLUSTERS:
        return simple, freedom, f"paired t on questions; {groups} clusters are too few to honour"
    if error <= 1e-9 * simple:
        return simple, freedom, "paired t on questions; the clusters balance out"
    few = "; few clusters, read with care" if groups < FEW_CLUSTERS else ""
    return error, groups - 1, f"paired t on {groups} clusters{few}"


def _no_variance(
    b: NDArray[np.float64], c: NDArray[np.float64], difference: float, level: float
) -> tuple[float | None, float | None, str]:
    """All n questions moved alike: each other way has a share of at most 1 - alpha ** (1 / n)."""
    values = np.concatenate([b, c])
    span = 1.0 if values.min() >= 0 and values.max() <= 1 else float(np.ptp(values))
    if span == 0:
        return None, None, "all values are equal and their range is not known: no interval"
    share = 1 - ((1 - level) / 2) ** (1 / b.size)
    low, high = difference - share * (span + difference), difference + share * (span - difference)
    return float(low), float(high), "exact bound: every question moved alike"


def ratio(baseline: ArrayLike, candidate: ArrayLike, *, level: float = 0.95) -> Paired:
    """The ratio of geometric means, candidate over baseline, with its interval.

    `difference` holds the ratio, `low` and `high` its interval (t on the differences of
    logarithms), `baseline` and `candidate` the geometric means. Pairs that are not both positive
    are left out; `n` says how many were kept.
    """
    b, c = np.asarray(baseline, float), np.asarray(candidate, float)
    positive = (b > 0) & (c > 0)
    logs = paired_difference(np.log(b[positive]), np.log(c[positive]), level=level)

    def back(value: float | None) -> float | None:
        return None if value is None else float(np.exp(value))

    constant = logs.standard_error is None
    return Paired(
        n=logs.n,
        baseline=back(logs.baseline),
        candidate=back(logs.candidate),
        difference=back(logs.difference),
        low=None if constant else back(logs.low),
        high=None if constant else back(logs.high),
        p_value=logs.p_value,
        method="ratio of geometric means, t on logarithms",
    )


def questions_needed(found: Paired, effect: float, *, power: float = 0.8) -> int | None:
    """How many questions in all would show a change of `effect`: two-sided 5 %, given power."""
    if not found.standard_error or not effect:
        return None
    return int(np.ceil(found.n * ((smallest_seen(found, power=power) or 0) / abs(effect)) ** 2))


def smallest_seen(found: Paired, *, power: float = 0.8) -> float | None:
    """The smallest effect these questions would show: two-sided 5 %, given power (Miller 2024)."""
    if found.standard_error is None:
        return None
    return float(special.ndtri(0.975) + special.ndtri(power)) * found.standard_error
