"""A rise between two runs over the same questions, weighted to the mix of the traffic.

Post-stratified: D = Σ W d over the strata, W their shares of the traffic, taken as known, and d the
mean differences of n questions each. A question weighs w = W / n, and Tango's score interval is put
on the effective number of questions whose pairs vary as much: (Σ w |x| - D² + Σ W e) /
(Σ w² (x - D)² + Σ W w e), where x are the differences. Few questions often show no pair that
changed where many would, so a stratum that shows fewer than all, of whom two more did, is drawn
towards them as if by 50 questions: by e = 50 (p - own) / (50 + n), never down. With even weights it
is Tango's interval itself.

Others that were tried, by least coverage or width over Tango's on Kish's effective number, where
weights are Dirichlet's, 60 to 2,000 questions, 1 to 12 % of pairs changed:
the score interval with the maximum likelihood of all strata under the difference tested 1.24 times
as wide (2.0 with a stratum of five questions); MOVER of the strata's Tango intervals 1.54 times;
pairs weighed by Σ w³ / Σ w² 1.21 times (2.2); one pair more that changed where it weighs most 1.6
times with a stratum of five questions that has a quarter of the traffic, half a pair 1.2; drawn up
and down .94. Where a thin stratum changes five times as often as the rest, those drawn to the rest
cover .83 to .99, one pair more .95 and above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.stats.clustered import FEWEST_CLUSTERS
from aiops_lab.stats.paired import FEW, Moves, moves
from aiops_lab.stats.score import skewness, tango_interval
from aiops_lab.stats.spent import Judge, rates, reach

Floats = NDArray[np.float64]
PRIOR, TURNED = 50.0, 2.0
"""So many questions draw a stratum to the others; so many pairs more are taken to have changed."""
SEEN = (special.ndtri(0.975) + special.ndtri(0.8)) ** 2
"""n Δ² / d with which a rise Δ is told from none 4 times in 5, where a share d of pairs changed."""
LEAST_SEEN = 5.52
"""So many pairs must be expected to turn one way that four do, 4 times in 5: fewer show nothing."""
NEAREST = 1e-9


def unseen(weight: Floats, n: Floats, turned: Floats) -> tuple[Floats, Floats]:
    """What strata that show few changed pairs add to the spread and the variance; strata last."""
    share = turned / n
    whole = (turned.sum(-1) + TURNED) / (n.sum(-1) + 2 * TURNED)
    more = PRIOR / (PRIOR + n) * np.maximum(whole[..., None] - share, 0)
    return (weight * more).sum(-1), (weight**2 / n * more).sum(-1)


def rise_interval(
    weight: ArrayLike, n: ArrayLike, up: ArrayLike, down: ArrayLike, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """The interval of a weighted rise of pass or fail, of counts with the strata last.

    Parameters
    ----------
    weight, n, up, down
        Of each stratum its share of the traffic, questions, and those that turned: of shape
        (..., strata).

    Examples
    --------
    >>> low, high = rise_interval([0.8, 0.2], [100, 100], [5, 1], [1, 1])
    >>> round(float(low), 4), round(float(high), 4)
    (-0.0081, 0.0815)
    """
    share, size, b, c = (np.asarray(x, float) for x in (weight, n, up, down))
    w = share / size
    above, below = (w * b).sum(-1), (w * c).sum(-1)
    d = above - below
    variance = (w * w * (b + c - 2 * d[..., None] * (b - c) + d[..., None] ** 2 * size)).sum(-1)
    more, wider = unseen(share, size, b + c)
    known = (above + below - d * d + more) / (variance + wider)
    return tango_interval(above, below, known, float(special.ndtri((1 + level) / 2)))


def weighted_moves(
    baseline: ArrayLike, candidate: ArrayLike, strata: ArrayLike, weight: ArrayLike,
    clusters: ArrayLike | None = None,
) -> Moves:  # fmt: skip
    """`aiops_lab.stats.paired.moves` of values between 0 and 1, each stratum at its weight.

    Parameters
    ----------
    baseline, candidate
        One value a question, of shape (n,), in the same order.
    strata
        The number of each question's stratum, from 0, of shape (n,); all of them occur.
    weight
        Of each stratum its share of the traffic; together 1.
    clusters
        The cluster of each question, where questions belong together.

    Examples
    --------
    >>> found = weighted_moves([0] * 8, [1, 0, 0, 0, 0, 0, 0, 0], [0] * 4 + [1] * 4, [0.9, 0.1])
    >>> round(found.difference, 3), [round(end, 3) for end in found.interval()]
    (0.225, [-0.302, 0.642])
    """
    b, c, index = np.asarray(baseline, float), np.asarray(candidate, float), np.asarray(strata)
    n, share = np.bincount(index), np.asarray(weight, float)
    w = (share / n)[index]
    if np.ptp(w) <= NEAREST * w.max():
        return moves(b, c, clusters)
    x = c - b
    up, down = float(w @ np.maximum(x, 0)), float(w @ np.maximum(-x, 0))
    more, wider = unseen(share, n.astype(float), np.bincount(index, np.abs(x)).astype(float))
    d, freedom, units = up - down, math.inf, float(x.size)
    variance, note, trusted, skew = float(w * w @ (x - d) ** 2), "", True, 0.0
    if not np.isin(x, (-1, 0, 1)).all():
        freedom = 1 / float(w @ w) - 1
        variance *= 1 + 1 / freedom
        skew = skewness(x.size * w * (x - d))
    if clusters is not None:
        names, group = np.unique(np.asarray(clusters), return_inverse=True)
        if names.size < FEWEST_CLUSTERS:
            note, trusted = f"; {names.size} clusters are too few to honour", False
        elif names.size < x.size:
            sums, sizes = (np.bincount(group, v).astype(float) for v in (w * (x - d), w))
            variance, freedom = _cr2(sums, sizes)
            units, skew = float(names.size), skewness(sums)
            moved = float((np.bincount(group, x != 0) > 0).sum())  # of few, a whole cluster may
            whole = float(sizes.max()) * max(0.0, 1 - moved / min(FEW, units))
            more, wider = max((more, wider), (whole, whole**2), key=lambda each: each[1])
    spread = up + down - d * d
    known = float((spread + more) / (variance + wider))
    alike = np.ptp(x) <= NEAREST
    return Moves(
        kind="alike" if alike else "share", n=x.size, units=round(known if alike else units),
        baseline=float(w @ b), candidate=float(w @ c), up=up, down=down,
        error=math.sqrt(variance), wide=math.sqrt(max(spread, 0.0) / known), freedom=freedom,
        note=f", weighted to the traffic{note}", trusted=trusted, bounded=True, skew=skew,
    )  # fmt: skip


def _cr2(sums: Floats, sizes: Floats) -> tuple[float, float]:
    """`aiops_lab.stats.clustered.cr2`, squared, of clusters with weights that add up to 1."""
    rest = 1 - sizes
    spread = sizes**2 / rest
    freedom = 1 / (np.square(sizes).sum() + spread.sum() ** 2 - np.square(spread).sum())
    return float((sums**2 / rest).sum()), float(freedom)


@dataclass(frozen=True)
class Rise:
    """A rise of the share of bad answers, put right for the errors of a judge that saw them.

    The judge is taken to err as often on both sides: the rise that it saw is the true one times
    J = sensitivity + specificity - 1. A rise t is inside where D - t J may be 0: the ends of D and
    J are added as squares (MOVER; Zou, Huang and Zhang 2009, CSDA 53:1080).

    Examples
    --------
    >>> seen = moves([0] * 200, [1] * 10 + [0] * 190)
    >>> round(Rise(seen).value, 3), [round(end, 3) for end in Rise(seen).interval()]
    (0.05, [0.027, 0.09])
    """

    moves: Moves
    judge: Judge | None = None

    @property
    def power(self) -> float:
        """Of a rise the judge sees so much: sensitivity + specificity - 1."""
        return float(rates(self.judge)[1])

    @property
    def value(self) -> float:
        return self.moves.difference / self.power

    def interval(
        self, level: float = 0.95, *, exact: bool = False
    ) -> tuple[float | None, float | None]:
        """Its ends; `exact`: those that `p_above` and `p_below` agree with."""
        if self.judge is None:
            return self.moves.exact_interval(level) if exact else self.moves.interval(level)
        low, high = self.moves.interval(level)
        if low is None or high is None:
            return None, None
        ends = put_right(self.moves.difference, low, high, self.judge, level=level)
        return float(ends[0]), float(ends[1])

    def p_above(self, limit: float) -> float | None:
        """One-sided p-value against "the true rise is `limit` or less"."""
        return self._p(limit, 0) if self.judge else self.moves.p_above(limit)

    def p_below(self, limit: float) -> float | None:
        """One-sided p-value against "the true rise is `limit` or more"."""
        return self._p(limit, 1) if self.judge else self.moves.p_below(limit)

    def _p(self, limit: float, end: int) -> float | None:
        """The smallest tail whose interval leaves the limit out; 1 where none below a half does."""
        low, high = math.log(1e-12), math.log(0.5)
        for tail in (high, *[0.0] * 30):
            tail = tail or (low + high) / 2
            found = self.interval(1 - 2 * min(math.exp(tail), 0.4999))[end]
            if found is None:
                return None
            out = found > limit if end == 0 else found < limit
            if not out and tail == high:
                return 1.0
            low, high = (low, tail) if out else (tail, high)
        return math.exp(high)

    @property
    def questions(self) -> float:
        """The effective number of questions."""
        found = self.moves
        if found.kind == "alike":
            return float(found.units)
        return found.n if found.kind == "binary" else found.effective()

    @property
    def visible(self) -> float | None:
        """The smallest rise that as many questions tell from none, 4 times in 5 at 5 %."""
        if self.moves.kind in ("none", "one", "unknown"):
            return None
        n, changed = self.questions, self.moves.up + self.moves.down
        seen = max(math.sqrt(SEEN * changed / n), LEAST_SEEN / n)
        return min(seen / self.power, 1.0)

    @property
    def needed(self) -> int | None:
        """Questions in all, of the same mix, that tell the rise seen from none 4 times in 5."""
        found = self.moves
        if found.kind in ("none", "one", "unknown") or not found.difference:
            return None
        needed = SEEN * (found.up + found.down) / found.difference**2 / self.questions
        return math.ceil(needed * found.n)


def put_right(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, judge: Judge, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """The interval of a rise whose judged figure has this value and these ends; see `Rise`."""
    d, power, tail = np.asarray(value, float), np.asarray(rates(judge)[1], float), (1 - level) / 2
    more_se, less_se = reach(judge.true_positives / judge.positives, judge.positives, tail)
    more_sp, less_sp = reach(judge.true_negatives / judge.negatives, judge.negatives, tail)
    above, below = np.hypot(more_se, more_sp), np.hypot(less_se, less_sp)
    ends = []
    for side, end in ((-1, low), (1, high)):
        away = np.abs(np.asarray(end, float) - d)
        weaker = side * (d + side * away) > 0  # beyond 0 on its own side, a weaker judge reaches on
        of = np.where(weaker, below, above)
        a = power**2 - of**2
        root = np.sqrt(np.maximum((d * power) ** 2 - a * (d * d - away**2), 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (d * power + side * root) / a
        ends.append(np.where((a <= 0) & weaker, float(side), np.clip(found, -1, 1)))
    return ends[0], ends[1]
