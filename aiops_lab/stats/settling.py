"""What would tell on which side of a limit a share of bad answers is: evaluations, or labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from aiops_lab.stats.spent import BadShare, Floats, Judge, ends, imputed, rates, spread

MOST_LABELS = 10_000_000
"""Nobody labels so many answers: then no number is told."""
HALVINGS = 50


@dataclass(frozen=True)
class Settles:
    """What would tell on which side of a limit a share is, if it is where it seems to be.

    Parameters
    ----------
    settled
        Whether the interval excludes the limit already.
    evaluations
        How many more of each stratum, without more labels; None where no number is enough.
    label, labels
        Which labelled answers add most to the variance, and how many more of them would do without
        more evaluations; None where the judge is taken to be perfect or no number is enough.
    low, high
        The interval if every answer were evaluated.
    from_evaluations, from_bad_labels, from_good_labels
        Where the variance comes from: shares of it.
    """

    settled: bool
    evaluations: tuple[int, ...] | None = None
    label: Literal["bad", "good"] | None = None
    labels: int | None = None
    low: float | None = None
    high: float | None = None
    from_evaluations: float | None = None
    from_bad_labels: float | None = None
    from_good_labels: float | None = None


def settles(share: BadShare, limit: float, *, power: float = 0.8) -> Settles:
    """What would tell whether a share of bad answers is above or below a limit.

    Parameters
    ----------
    share
        As of `bad_share`. The true shares of flags and the judge's errors are taken to be those
        seen, and as large a part of further evaluations to be missing.
    limit
        The share that may be bad.
    power
        How often the interval is to exclude the limit then.

    Notes
    -----
    Evaluations are allotted as by Neyman 1934: of each stratum in proportion to its answers times
    the standard deviation of a verdict, as far as there are answers.

    Examples
    --------
    >>> from aiops_lab.stats.spent import bad_share
    >>> seen = bad_share([(1_000, 1_000, 30), (19_000, 380, 4)])
    >>> round(seen.low, 4), round(seen.high, 4), settles(seen, 0.02).evaluations
    (0.0041, 0.0272, (0, 1128))
    """
    if share.value is None or share.low is None or share.high is None:
        return Settles(False)
    if not share.low <= limit <= share.high:
        return Settles(True)
    side = 1 if limit > share.value else -1
    judge, level = share.judge, share.level
    answers = np.array([row.answers for row in share.strata], float)
    tried, as_good, as_bad = imputed(share.strata, judge)
    p, luck = (as_bad if side > 0 else as_good) / tried, side * float(special.ndtri(power))
    smooth = (tried * p + 1) / (tried + 2)
    wanted = answers * np.sqrt(smooth * (1 - smooth))

    def clears(n: Floats, flags: Floats, judge: Judge | None) -> bool:
        low, high = ends(answers, n, flags, judge, level)
        return high < limit if side > 0 else low > limit

    def allotted(rate: float) -> Floats:
        return np.clip(np.ceil(rate * wanted), tried, answers)

    def evaluated(rate: float) -> bool:
        n = allotted(rate)
        return clears(n, _unlucky(p, n, answers, judge, luck), judge)

    rate = _least(evaluated, 0.0, float((answers / wanted).max()))
    more = None if rate is None else tuple(int(x) for x in allotted(rate) - tried)
    low, high = (
        ends(answers, answers, x / tried * answers, judge, level) for x in (as_good, as_bad)
    )
    parts = _parts(share, smooth, tried, answers)
    found = Settles(False, more, None, None, low[0], high[1], *parts)
    if judge is None:
        return found
    label: Literal["bad", "good"] = "bad" if parts[1] > parts[2] else "good"
    have = judge.positives if label == "bad" else judge.negatives
    labels = _least(
        lambda n: clears(tried, tried * p, _relabelled(judge, label, n, luck)), have, MOST_LABELS
    )
    return replace(found, label=label, labels=None if labels is None else math.ceil(labels - have))


class _Labelled(NamedTuple):
    true_positives: float
    positives: float
    true_negatives: float
    negatives: float


def _relabelled(judge: Judge, label: str, n: float, luck: float) -> _Labelled:
    """The judge on n labels of a kind, which by bad luck draw the share towards the limit."""
    tp, bad, tn, good = judge.true_positives, judge.positives, judge.true_negatives, judge.negatives
    right = tp / bad if label == "bad" else tn / good
    away = luck * math.sqrt(right * (1 - right) / n)
    right = min(max(right + (-away if label == "bad" else away), 0.0), 1.0)
    return _Labelled(right * n, n, tn, good) if label == "bad" else _Labelled(tp, bad, right * n, n)


def _unlucky(p: Floats, n: Floats, answers: Floats, judge: Judge | None, luck: float) -> Floats:
    """The flags of n evaluations that by bad luck draw the share towards the limit."""
    weight = answers / answers.sum()
    variance = weight**2 * spread(p, n / answers, judge) / n
    whole = math.sqrt(variance.sum()) or 1.0
    return n * np.clip(p + luck * variance / weight / whole, 0, 1)


def _parts(share: BadShare, p: Floats, n: Floats, answers: Floats) -> tuple[float, float, float]:
    """Of the variance the shares that come from evaluations, bad and good labelled answers."""
    weight = answers / answers.sum()
    parts = np.array([(weight**2 * spread(p, n / answers, share.judge) / n).sum(), 0.0, 0.0])
    if share.judge is not None and share.value is not None:
        fp, power = rates(share.judge, 1)
        se, bad, good = fp + power, share.judge.positives + 2, share.judge.negatives + 2
        parts[1] = share.value**2 * se * (1 - se) / bad
        parts[2] = (1 - share.value) ** 2 * fp * (1 - fp) / good
    first, second, third = (parts / (parts.sum() or 1.0)).tolist()
    return first, second, third


def _least(enough: Callable[[float], bool], low: float, high: float) -> float | None:
    """The least number that is enough, by halving; None where the highest is not."""
    if not enough(high):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
