"""Has a daily series left its baseline? Evidence that is looked at anew every day.

A Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2023, "E-detectors", arXiv 2203.03532): for
each alternative ``M <- (M + 1) * likelihood ratio``, and an alarm once the mean over alternatives
reaches the threshold. The mean time to a false alarm is then at least the threshold in days, by
proof while the true level lies inside the band and days differ no more than was estimated;
as both come from a baseline, what holds in practice is shown by simulation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from aiops_lab.errors import BadSettings
from aiops_lab.stats.baseline import Bools, Floats, Integers, Means, Rates
from aiops_lab.stats.clear import first_clear


@dataclass(frozen=True)
class Watched:
    """What was seen after the baseline.

    `log_evidence` (series, days) is -inf until the first watched day, and stays as it was on days
    without traffic; `alarm` is the first day on which it is at the threshold and the shift is clear
    of what days do that follow each other (`aiops_lab.stats.clear`), or -1, and `side` where to the
    evidence points then: 1 up, -1 down.
    """

    log_evidence: Floats
    alarm: Integers
    side: Integers


def watch(series: Rates | Means, threshold: float = 1000.0) -> Watched:
    """Gather evidence of a shift from the end of the baseline on.

    Parameters
    ----------
    series
        Daily values with their baseline (`aiops_lab.stats.baseline`).
    threshold
        The run length: days to a false alarm, times the number of series watched together.

    Raises
    ------
    BadSettings
        A threshold that is no number above 1.

    Examples
    --------
    >>> from aiops_lab.stats.baseline import rates
    >>> events = [15, 14, 16, 15, 13, 17, 15] * 4 + [15, 16, 40, 41]
    >>> found = watch(rates(events, [500] * 32, [d % 7 for d in range(32)], baseline_days=28))
    >>> found.alarm, found.side
    (array([30]), array([1]))
    """
    limit = _log(threshold)
    watched = series.known & ~series.based
    sides, count = {1: np.array(-np.inf), -1: np.array(-np.inf)}, 0
    for side, ratio in series.ratios():
        sides[side] = np.logaddexp(sides[side], recursion(ratio, watched))
        count += 1
    log = np.logaddexp(sides[1], sides[-1]) - math.log(count)
    hit = log >= limit
    up = sides[1] >= sides[-1]
    alarm = first_clear(series, hit & series.known, up)
    side = np.where(np.take_along_axis(up, alarm[:, None], 1)[:, 0], 1, -1)
    return Watched(log, alarm, side)


def recursion(log_ratio: Floats, watched: Bools) -> Floats:
    """The logarithm of ``M <- (M + 1) * ratio`` from M = 0, on the watched days only.

    As a sum over the days on which the change may have begun: M of day t is the sum over s of the
    product of the ratios of days s to t.

    Examples
    --------
    >>> np.exp(recursion(np.log([[2.0, 3.0, 0.5]]), np.array([[True, True, True]])))
    array([[2., 9., 5.]])
    """
    total = np.cumsum(np.where(watched, log_ratio, 0.0), axis=1)
    begun = np.where(watched, np.where(watched, log_ratio, 0.0) - total, -np.inf)
    return total + np.logaddexp.accumulate(begun, axis=1)


def days_to_find(
    series: Rates | Means, level: Floats, threshold: float = 1000.0, *, most: int = 365
) -> Floats:
    """Days, about, until a shift to `level` is found: those of days that all are as expected.

    Parameters
    ----------
    series
        The series as they are; what is taken is the traffic of the baseline's middle day.
    level
        The level after the shift, of shape (series,).
    threshold, most
        As in `watch`; inf where it takes more than `most` days.
    """
    n = np.nanmedian(np.where(series.based, series.n, np.nan), axis=1)[:, None]
    day = series.take(slice(None), slice(1))
    sure = np.ones_like(day.known)
    neutral = np.full_like(n, 1.0 if isinstance(series, Rates) else 0.0)
    day = replace(day, value=level[:, None], n=n, known=sure, based=sure, effect=neutral)
    ratios = np.stack([ratio[:, 0] for _, ratio in day.ratios()], axis=1)[:, :, None]
    grown = np.cumsum(np.broadcast_to(ratios, (*ratios.shape[:2], most)), axis=2)
    # M of day t, of t equal ratios
    sums = np.logaddexp.reduce(np.logaddexp.accumulate(grown, axis=2), axis=1)
    hit = sums - math.log(ratios.shape[1]) >= _log(threshold)
    return np.where(hit.any(1), hit.argmax(1) + 1.0, np.inf)


def _log(threshold: float) -> float:
    if not 1 < threshold < math.inf:
        raise BadSettings(f"a run length is a number of days above 1, not {threshold}")
    return math.log(threshold)
