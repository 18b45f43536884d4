"""The error of a mean over clusters, and chance as the flipping of their signs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FEWEST_CLUSTERS = 5
"""Below this a clustered error cannot be trusted and is not computed."""
FLIPPED = 16
"""Up to this many units that moved all sign flips are tried."""
Floats = NDArray[np.float64]


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


def cr2(d: ArrayLike, clusters: ArrayLike) -> tuple[float, float]:
    """The CR2 standard error of a mean over clusters, and Satterthwaite's degrees of freedom.

    Bell and McCaffrey 2002, for a mean: each cluster's summed deviation is divided by
    ``sqrt(1 - its share of the questions)``.

    Examples
    --------
    >>> error, freedom = cr2([1, 1, 0, 0, 1, 0], ["a", "a", "b", "c", "d", "e"])
    >>> round(error, 4), round(freedom, 2)
    (0.2739, 3.57)
    """
    values = np.asarray(d, float)
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    n, sizes = values.size, np.bincount(index).astype(float)
    sums = np.bincount(index, weights=values - values.mean())
    rest = 1 - sizes / n
    error = float(np.sqrt((sums**2 / rest).sum()) / n)
    spread = sizes**2 / rest / n
    freedom = n**2 / (np.square(sizes).sum() + spread.sum() ** 2 - np.square(spread).sum())
    return error, float(freedom)


def sign_flips(sums: ArrayLike) -> float:
    """Exact two-sided p-value for "each unit was as likely to move the other way".

    Parameters
    ----------
    sums
        The summed difference of each question or cluster. Where more than 16 moved, the normal
        approximation of the same distribution.

    Examples
    --------
    >>> sign_flips([1, 1, 1, 1, 1, 1])
    0.03125
    """
    values = np.asarray(sums, float)
    values = values[values != 0]
    if values.size > FLIPPED:
        return float(2 * special.ndtr(-abs(values.sum()) / np.sqrt(np.square(values).sum())))
    # each total is one of the first half's sums plus one of the rest's: 2**8 of each at most
    middle = values.size // 2
    first, rest = _every_sum(values[:middle]), np.sort(_every_sum(values[middle:]))
    least = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    if least <= 0:
        return 1.0
    below = int(np.searchsorted(rest, least - first).sum())
    return 2 * (1 - below / 2.0**values.size)  # as many totals lie beyond the other end


def _every_sum(values: Floats) -> Floats:
    """The sums of the values under each choice of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
