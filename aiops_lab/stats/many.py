"""The one-sided tests of `Moves` and `single_mean` for many replicates at once, for simulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from aiops_lab.stats.paired import FEW, scale
from aiops_lab.stats.score import exact_loss, excess_skew, tails, tango
from aiops_lab.stats.single import PRIOR

Floats = NDArray[np.float64]


def tails_of_difference(
    b: Floats, c: Floats, limit: float, *, scores: bool = True
) -> tuple[Floats, Floats]:
    """P-values against "the difference is `limit` or less" and "or more", a replicate a row.

    Parameters
    ----------
    b, c
        Values of shape (replicates, questions): baseline and candidate, without clusters.
    scores
        Whether they are scores, on a scale, or other numbers.
    """
    top = scale(b, c) if scores else None
    inside, top = top is not None, top or 1.0
    b, c, limit = b / top, c / top, limit / top
    d, n = c - b, b.shape[1]
    mean, ups, downs = d.mean(1), np.maximum(d, 0).mean(1), np.maximum(-d, 0).mean(1)
    variance = d.var(1, ddof=1) / n if n > 1 else np.zeros(len(d))
    skew = _skewness(d)
    span = 1.0 if inside else float(max(b.max(), c.max()) - min(b.min(), c.min()))
    alike = np.ptp(d, axis=1) <= 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        if not inside:
            above, below = tails((mean - limit) / np.sqrt(variance), skew, n - 1)
        elif np.isin(b, (0, 1)).all() and np.isin(c, (0, 1)).all():
            above, below = _of_pairs(ups, downs, n, limit)
        else:
            largest = ups + downs - mean**2
            pull = np.clip(1 - (d != 0).sum(1) / min(FEW, n), 0, 1)
            wide = variance + pull * np.maximum(largest / n - variance, 0)
            known = largest / wide
            away = tango(ups, downs, known, np.clip(limit, -1, 1))
            above, below = tails(away, excess_skew(skew, ups, downs, known), n - 1)
    for tail, side in ((above, 1), (below, -1)):
        reach = np.maximum(span + side * mean, 1e-300)
        room = np.clip(side * (mean - limit) / reach, 0, 1)
        tail[alike] = ((1 - room) ** n)[alike]
    return above, below


def _skewness(x: Floats) -> Floats:
    """`skewness` of each row."""
    away = x - x.mean(1, keepdims=True)
    square = np.square(away)
    spread = square.mean(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((square * away).mean(1) / spread**1.5 / np.sqrt(x.shape[1]))


def _of_pairs(ups: Floats, downs: Floats, n: int, limit: float) -> tuple[Floats, Floats]:
    away = tango(ups, downs, n, limit)
    above, below = special.ndtr(-away), special.ndtr(away)
    counts = np.rint(np.stack([ups, downs], 1) * n).astype(int)
    few = counts.sum(1) < FEW
    for up, down in np.unique(counts[few], axis=0):
        same = few & (counts == (up, down)).all(1)
        above[same] = exact_loss(int(up), int(down), n, limit)
        below[same] = exact_loss(int(down), int(up), n, -limit)
    return above, below


def tails_of_mean(x: Floats, limit: float) -> tuple[Floats, Floats]:
    """P-values against "the mean is `limit` or less" and "or more", a replicate a row."""
    top = scale(x) or 1.0
    x, limit = x / top, limit / top
    n, mean = x.shape[1], x.mean(1)
    if np.isin(x, (0, 1)).all():
        hits = np.rint(x.sum(1))
        above = np.where(hits > 0, special.bdtrc(hits - 1, n, limit), 1.0)
        return above, np.where(hits < n, special.bdtr(hits, n, limit), 1.0)
    variance, skew = x.var(1, ddof=1) / n, _skewness(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        if x.min() >= 0 and x.max() <= 1:
            most = mean * (1 - mean)
            seen = np.minimum((x > 0).sum(1), (x < 1).sum(1))
            pull = np.clip(1 - seen / min(FEW, n), 0, 1)
            variance = variance + pull * np.maximum(most / n - variance, 0)
            effective = most / ((n * variance + PRIOR * most / n) / (n + PRIOR))
            effective = np.where(most > 0, effective, n)
            skew = excess_skew(skew, mean, 0.0, effective)
            away = (mean - limit) / np.sqrt(limit * (1 - limit) / effective)
        else:
            away = (mean - limit) / np.sqrt(variance)
    return tails(away, skew, n - 1)
