"""When an error budget is exhausted, from draws of what was bad and of what will be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiops_lab.stats.burning import trailing
from aiops_lab.stats.spent import Floats

WEEK = 7


@dataclass(frozen=True)
class Exhaustion:
    """Draws of the share of a budget that is spent, and of the day it is exhausted.

    `spent` is of shape (draws, days), at the end of each day; `day` of shape (draws,), with a part
    of a day, inf where it is not exhausted. `ends` are the days' ends, by the same clock.
    """

    spent: Floats
    day: Floats
    ends: Floats

    def quantile(self, share: float) -> float:
        """The day by which a share of the draws are exhausted; inf where so many are not."""
        return float(np.quantile(self.day, share, method="inverted_cdf"))


def exhaustion(
    answers: Floats, bad: Floats, allowed: float, ends: Floats, *, rolling: int | None = None,
    now: int,
) -> Exhaustion:  # fmt: skip
    """When a budget is exhausted in each draw.

    Parameters
    ----------
    answers, bad
        Of past and future days, of shape (draws, days).
    allowed
        The share of a period's answers that may be bad.
    ends
        The end of each day, of shape (days,).
    rolling
        The days of the window; None: all days are one period.
    now
        The index of the last day that is over. A rolling budget that is exhausted by then is so
        since the end of the last day on which it was not.

    Examples
    --------
    >>> found = exhaustion(np.full((1, 10), 100.0), np.full((1, 10), 4.0), 0.02,
    ...                    np.arange(1.0, 11), now=2)
    >>> found.day
    array([5.])
    """
    if rolling is None:
        spent = np.cumsum(bad, 1) / np.maximum(answers.sum(1, keepdims=True) * allowed, 1e-9)
    else:
        spent = trailing(bad, rolling) / np.maximum(trailing(answers, rolling) * allowed, 1e-9)
    over = spent >= 1
    first = np.where(over.any(1), over.argmax(1), -1)
    if rolling is not None:
        ahead = np.where(over[:, now:].any(1), over[:, now:].argmax(1) + now, -1)
        back = np.argmin(over[:, now::-1], 1)  # days since it was not
        since = np.where(over[:, : now + 1].all(1), 0, now - back + 1)
        first = np.where(over[:, now], since, ahead)
    row, at = np.arange(len(spent)), np.maximum(first, 0)
    before = np.where(at > 0, spent[row, at - 1], 0.0 if rolling is None else 1.0)
    began = np.where(at > 0, ends[at - 1], ends[0] - 1)
    rise = np.maximum(spent[row, at] - before, 1e-12)
    part = np.clip((1 - before) / rise, 0, 1)
    return Exhaustion(spent, np.where(first >= 0, began + part * (ends[at] - began), np.inf), ends)


def traffic(answers: Floats, days: int, draws: int, random: np.random.Generator) -> Floats:
    """Answers of days to come, of shape (draws, days): whole weeks are drawn of those there were.

    Of less than two weeks, single days are drawn, whatever weekday.

    Examples
    --------
    >>> week = np.array([1.0, 2, 3, 4, 5, 6, 7])
    >>> traffic(np.tile(week, 3), 9, 1, np.random.default_rng(0))[0]
    array([1., 2., 3., 4., 5., 6., 7., 1., 2.])
    """
    weeks = len(answers) // WEEK
    if weeks < 2:
        return answers[random.integers(0, len(answers), (draws, days))]
    known = answers[-weeks * WEEK :].reshape(weeks, WEEK)
    chosen = random.integers(0, weeks, (draws, -(-days // WEEK)))
    return known[chosen].reshape(draws, -1)[:, :days]
