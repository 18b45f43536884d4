"""Ratios of the amounts of two runs that answered the same questions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aiops_lab.stats.paired import Moves, Paired, moves


def ratio(
    baseline: ArrayLike,
    candidate: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Paired:
    """The ratio of geometric means, candidate over baseline, with its interval.

    `difference` holds the ratio, `low` and `high` its interval (t on the differences of
    logarithms), `baseline` and `candidate` the geometric means. Pairs that are not both positive
    are left out; `n` says how many were kept.
    """
    logs = log_moves(baseline, candidate, clusters).summary(level)

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


def log_moves(
    baseline: ArrayLike, candidate: ArrayLike, clusters: ArrayLike | None = None
) -> Moves:
    """`moves` of the logarithms of the pairs that are both positive."""
    b, c = np.asarray(baseline, float), np.asarray(candidate, float)
    positive = (b > 0) & (c > 0)
    kept = None if clusters is None else np.asarray(clusters)[positive]
    return moves(np.log(b[positive]), np.log(c[positive]), kept, bounded=False)
