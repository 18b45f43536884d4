"""When a burning error budget should wake someone: at any traffic, on evidence, rarely for nothing.

A rule looks at counts in equal steps of time, of shape (..., strata, steps): answers evaluated, and
of these flagged as bad. Answers of a stratum stand for `weight` answers each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.stats.judged import LEAST_POWER
from aiops_lab.stats.spent import Floats, Judge, rates

Bools = NDArray[np.bool_]
EVIDENCE = 0.003
"""The lower bound of the bad share that an alert asks for is one-sided at this level."""
SURE = 0.05
"""One-sided, of the upper bound of a judge's false flags."""
SHORT = 12
"""A long window has a short one of this part, which says that it is still so."""
MULTIPLES = (2.5, 10.0)
"""Times the allowed share; for each, evidence is gathered."""
MOST = 0.9
"""The largest bad share for which evidence is gathered."""
LARGEST = 600.0
"""Of a step, the logarithm of its evidence: more would be no number."""
STANDS = 24.0
"""Hours for which an alert by gathered evidence stands."""


class Rule(NamedTuple):
    """An alert: the budget burns `burn` times as fast as it may, over the last `hours`.

    Without a burn rate it is one by gathered evidence that more is bad than may be, and `hours` are
    the least mean time between two while exactly what may be bad is. `after`: hours for which it
    must last. `strict`: exceeds, not only reaches.
    """

    hours: float
    burn: float | None = None
    after: float = 0.0
    strict: bool = False


SUSTAINED = Rule(6 * 24.0)


class Scale(NamedTuple):
    """From shares of bad answers to shares of flags: flags = false + power times bad.

    As the judge's labelled answers have it, and on the safe side: with as many false flags as they
    may stand for.
    """

    false: float = 0.0
    power: float = 1.0
    safe_false: float = 0.0
    safe_power: float = 1.0

    def flags(self, bad: ArrayLike) -> Floats:
        """The share of flags at most, at a share of bad answers."""
        return self.safe_false + np.asarray(bad, float) * self.safe_power


PLAIN = Scale()


def scale_of(judge: Judge | None) -> Scale | None:
    """How a judge's flags are to be read; None where it tells too little."""
    if judge is None:
        return PLAIN
    if min(judge.positives, judge.negatives) < 1:
        return None
    false, power = (float(x) for x in rates(judge))
    wrong = judge.negatives - judge.true_negatives
    most = 1.0 if wrong == judge.negatives else float(
        special.betaincinv(wrong + 1, judge.negatives - wrong, 1 - SURE)
    )  # fmt: skip
    safe = false + power - most
    return Scale(false, power, most, safe) if safe > LEAST_POWER else None


class Seen(NamedTuple):
    """The share of flags in trailing windows, and how many answers drawn alike would tell as much;
    `evaluated` and `flagged` are as counted. Each of shape (..., steps)."""

    share: Floats
    effective: Floats
    evaluated: Floats
    flagged: Floats

    def above(self, share: float, asked: Bools) -> Bools:
        """Where it is asked, whether the lower bound is above a share of flags."""
        found = asked & (self.flagged > 0)
        n, m = self.effective[found], self.share[found]
        found[found] = special.betainc(n * m, n - n * m + 1, share) < EVIDENCE
        return found

    @property
    def low(self) -> Floats:
        """The one-sided lower bound of the share of flags (Clopper and Pearson)."""
        n, m = self.effective, self.effective * self.share
        low = special.betaincinv(np.maximum(m, 1e-9), n - m + 1, EVIDENCE)
        return np.where(self.flagged > 0, low, 0.0)


def trailing(counts: ArrayLike, steps: int) -> Floats:
    """Sums over the last so many steps, fewer at the beginning.

    Examples
    --------
    >>> trailing([1, 2, 3, 4], 2)
    array([1., 3., 5., 7.])
    """
    total = np.cumsum(np.asarray(counts, float), -1)
    found = total.copy()
    found[..., steps:] -= total[..., :-steps]
    return found


def seen(evaluated: ArrayLike, bad: ArrayLike, weight: ArrayLike, steps: int) -> Seen:
    """Trailing windows of counts of shape (..., strata, steps), whose strata weigh differently.

    Notes
    -----
    The share is Hájek's ratio, the effective number that of its linearised variance. A stratum of
    which nothing was evaluated, though something should have been, counts as one good answer.
    """
    n, m = trailing(evaluated, steps), trailing(bad, steps)
    w = np.asarray(weight, float)[:, None]
    if len(w) == 1:  # one weight is none
        n, m = n[..., 0, :], m[..., 0, :]
        return Seen(m / np.maximum(n, 1), np.maximum(n, 1), n, m)
    expected = np.minimum(np.asarray(evaluated, float).mean(-1, keepdims=True) * steps, 1)
    held = np.where(n > 0, n, expected)
    answers = np.maximum((w * held).sum(-2), 1e-9)
    share = (w * m).sum(-2) / answers
    square = (w * w * held).sum(-2)
    variance = (w * w * m).sum(-2) * (1 - 2 * share) + square * share**2
    some = (share > 0) & (share < 1)
    effective = answers**2 * np.where(
        some, share * (1 - share) / np.where(some, variance, 1), 1 / np.maximum(square, 1e-9)
    )
    return Seen(share, effective, n.sum(-2), m.sum(-2))


def fires(
    rule: Rule, evaluated: ArrayLike, bad: ArrayLike, allowed: float, *,
    weight: ArrayLike = (1.0,), scale: Scale = PLAIN, step_hours: float = 1.0,
) -> Bools:  # fmt: skip
    """At which steps an alert fires.

    Parameters
    ----------
    evaluated, bad
        Counts of shape (..., strata, steps): answers evaluated in a step, and those flagged.
    allowed
        The share of answers that may be bad, above 0.
    weight
        Of shape (strata,): for how many answers one stands.
    scale
        How flags are to be read (`scale_of`).
    step_hours
        The length of a step.

    Returns
    -------
    Array of shape (..., steps).

    Notes
    -----
    A burn rate fires where the long window and one of a twelfth (of at least a step) reach it, the
    lower bound of the long one's bad share is above what is allowed, and something in the short one
    is bad. Without a burn rate, see `gathered`.

    Examples
    --------
    >>> bad = np.zeros((1, 12))
    >>> bad[0, 9:] = 3
    >>> fires(Rule(6, 6), np.full((1, 12), 5), bad, 0.02).nonzero()[0]
    array([10, 11])
    """
    if rule.burn is None:
        return gathered(
            evaluated, bad, allowed, weight=weight, scale=scale, step_hours=step_hours,
            hours=rule.hours,
        )  # fmt: skip
    long, short = windows(rule, step_hours)
    limit = scale.false + min(rule.burn * allowed, 1.0) * scale.power
    limit = limit * (1 + 1e-9) if rule.strict else limit * (1 - 1e-9)
    now, before = seen(evaluated, bad, weight, short), seen(evaluated, bad, weight, long)
    found = (before.share > limit) & (now.share > limit) & (now.flagged >= 1)
    found = before.above(float(scale.flags(allowed)), found)
    lasting = round(rule.after / step_hours)
    return trailing(found, lasting + 1) > lasting + 0.5 if lasting else found


def windows(rule: Rule, step_hours: float = 1.0) -> tuple[int, int]:
    """The steps of a rule's long and short window."""
    return (max(round(rule.hours / part / step_hours), 1) for part in (1, SHORT))  # type: ignore[return-value]


def gathered(
    evaluated: ArrayLike, bad: ArrayLike, allowed: float, *, weight: ArrayLike = (1.0,),
    scale: Scale = PLAIN, step_hours: float = 1.0, hours: float = SUSTAINED.hours,
) -> Bools:  # fmt: skip
    """Evidence that more is bad than may be, however slowly the budget burns; as `fires`.

    Notes
    -----
    A Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2023, arXiv 2203.03532) in which every
    hour may be the one from which on more was bad: R <- (R + hours of the step) times the product
    over its answers of 1 + b w (y - p), where p is the allowed share of flags, w the answer's
    weight over the largest, and b bets on a share of `MULTIPLES` times the allowed one
    (Waudby-Smith and Ramdas 2024, J. R. Stat. Soc. B 86:1); with equal weights a likelihood ratio.
    While no more than allowed is bad, the mean of R over the bets grows by an hour an hour at most,
    so that the mean time until it reaches `hours` is at least as long, at any traffic and in any
    strata. Then it begins anew, and the alert stands for a day.

    Bernoulli CUSUMs (h from 4 to 7, shares of 2 to 15 times the allowed one, alone and together)
    had more false pages at equal delays, and need another h at another traffic. Five bets from 2
    to 32 times find 5 % bad of 2 % later, and nothing earlier.
    """
    n, m = np.asarray(evaluated, float), np.asarray(bad, float)
    w = np.asarray(weight, float)
    w = (w / w.max())[:, None, None]
    p = float(scale.flags(allowed))
    rest = scale.flags(np.minimum(np.array(MULTIPLES) * allowed, max(MOST, (1 + allowed) / 2)))
    bet = (rest - p) / (p * (1 - p))
    log_growth = np.einsum("...st,sa->...ta", m, np.log1p(bet * w * (1 - p))[:, 0])
    log_growth += np.einsum("...st,sa->...ta", n - m, np.log1p(-bet * w * p)[:, 0])
    growth = np.exp(np.minimum(log_growth, LARGEST))
    found = np.zeros(growth.shape[:-1], bool)
    evidence = np.zeros((*growth.shape[:-2], len(bet)))
    for step in range(growth.shape[-2]):  # each step begins where the one before ended
        evidence = (evidence + step_hours) * growth[..., step, :]
        found[..., step] = evidence.mean(-1) >= hours
        evidence[found[..., step]] = 0.0
    return trailing(found, round(STANDS / step_hours)) > 0.5


def began(found: Bools) -> Bools:
    """The steps at which an alert begins to fire, of shape (..., steps)."""
    before = np.concatenate([np.zeros_like(found[..., :1]), found[..., :-1]], -1)
    return found & ~before
