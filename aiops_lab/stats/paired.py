"""Differences between two runs that answered the same questions.

The question is the unit: average epochs first. What the differences look like picks the method:

- pass or fail, one answer each: Tango's score interval, McNemar's exact test; where fewer than
  ten pairs changed a limit is tested exactly;
- anything else between 0 and 1 (graded scores, means over epochs, clusters): the same interval on
  an effective number of questions, with t instead of z;
- other numbers: Student's t; what decides a gate is tested on the scale (0 to 5, 10, 100) that
  holds the scores, see `scale`;
- clusters: CR2 errors with Satterthwaite's degrees of freedom (Bell and McCaffrey 2002), and the
  exact sign-flip test where clusters are few;
- all questions moved alike: an exact bound.

The one-sided tests of all but pass or fail take the skewness out (`stats.score.unskewed`).
Where fewer than ten questions (or clusters) moved, and not all of them, the variance they show is
drawn towards the largest that their size allows: a large rare change may not have been seen yet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.stats.clustered import FEWEST_CLUSTERS, FLIPPED, cr2, sign_flips
from aiops_lab.stats.score import (
    exact_loss,
    excess_skew,
    mcnemar,
    skewed,
    skewness,
    tails,
    tango,
    tango_interval,
)

FEWEST = 5
"""Fewer questions that are not pass or fail decide nothing."""
SCALES = (1.0, 5.0, 10.0, 100.0)
"""Scores of 0 or more are taken to go up to the next of these."""
FEW_CLUSTERS = 20
FEW = 10
"""Fewer questions that moved than this say little about the variance."""
AGAINST = 1.05
"""Pairing widens an interval when the variance of differences is so many times that of both."""
NORMAL = 1e9
"""Degrees of freedom with which t is normal."""
Kind = Literal["binary", "share", "number", "alike", "unknown", "one", "none"]
Floats = NDArray[np.float64]


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


@dataclass(frozen=True)
class Moves:
    """What the differences of n questions come down to; see `moves`.

    `span` is the range of the values: that of their scale, else what was seen; `up` and `down` are
    the means of the differences' positive and negative parts, as shares of it. `error` is the
    standard error that they show, `wide` the one that intervals use, `units` the questions or
    clusters. `trusted` is False where there are too few of them to honour; `against` is True where
    the runs go against each other, so that pairing widens the interval; `bounded`: all values lie
    between 0 and 1;
    `skew` is what `aiops_lab.stats.score.unskewed` takes out.
    """

    kind: Kind
    n: int
    units: int
    baseline: float = math.nan
    candidate: float = math.nan
    up: float = 0.0
    down: float = 0.0
    error: float | None = None
    wide: float = 0.0
    freedom: float = math.inf
    p_value: float | None = None
    note: str = ""
    trusted: bool = True
    span: float = 1.0
    bounded: bool = False
    against: bool = False
    unknown: bool = False
    skew: float = 0.0

    @property
    def difference(self) -> float:
        return self.candidate - self.baseline

    @property
    def changed(self) -> int:
        """Pairs that differ, of pass or fail scores."""
        return round((self.up + self.down) * self.n)

    def interval(self, level: float = 0.95) -> tuple[float | None, float | None]:
        """The ends of the interval of the difference; None where there is none."""
        return intervals([self], level)[0]

    def _simple(self, tail: float) -> tuple[float | None, float | None] | None:
        """The interval where it is no score interval."""
        d = self.difference
        match self.kind:
            case "none" | "one" | "unknown":
                return None, None
            case "alike":
                share = 1 - tail ** (1 / self.units)
                return d - share * (self.span + d), d + share * (self.span - d)
        if self.kind == "number" and self.error is not None:
            quantile = t_quantile(self.freedom, 1 - tail)
            return d - quantile * self.error, d + quantile * self.error
        return None

    def _scored(self, below: float, above: float) -> tuple[float, float]:
        low, high = tango_interval(self.up, self.down, self.effective(), below, above)
        return float(low) * self.span, float(high) * self.span

    def exact_interval(self, level: float = 0.90) -> tuple[float | None, float | None]:
        """The limits that `p_above` and `p_below` do not refuse, for what decides.

        Exact where few pairs changed; of all but pass or fail with the skewness taken out.
        """
        if self.kind in ("none", "one", "unknown", "alike"):
            return self.interval(level)
        d, tail = self.difference, (1 - level) / 2
        if self._exact():
            return (
                _crossing(self.p_above, -self.span, d, tail),
                _crossing(self.p_below, self.span, d, tail),
            )
        quantile = t_quantile(self.freedom, 1 - tail)
        below, above = skewed(quantile, self._skew())
        if self.unknown:
            return d - below * self.wide, d + above * self.wide
        return self._scored(below, above)

    def p_above(self, limit: float) -> float | None:
        """One-sided p-value against "the true difference is `limit` or less"."""
        return self._tail(limit, 1)

    def p_below(self, limit: float) -> float | None:
        """One-sided p-value against "the true difference is `limit` or more"."""
        return self._tail(limit, -1)

    def _tail(self, limit: float, side: int) -> float | None:
        d = self.difference
        match self.kind:
            case "none" | "one" | "unknown":
                return None
            case "alike":
                reach = self.span + side * d
                room = side * (d - limit) / reach if reach > 0 else 0.0
                return float((1 - min(max(room, 0.0), 1.0)) ** self.units)
        if self._exact():
            up, down = round(self.up * self.n), round(self.down * self.n)
            ends = (up, down) if side > 0 else (down, up)
            return exact_loss(*ends, self.n, side * limit / self.span)
        if self.unknown:
            away = (d - limit) / self.wide
        else:  # the scale's end: beyond it lies nothing
            within = min(max(limit / self.span, -1.0), 1.0)
            away = float(tango(self.up, self.down, self.effective(), within))
        freedom = self.freedom if math.isfinite(self.freedom) else NORMAL
        above, below = tails(away, self._skew(), freedom)
        return float(above if side > 0 else below)

    def _exact(self) -> bool:
        return self.kind == "binary" and self.changed < FEW

    def effective(self) -> float:
        """The number of pass-or-fail questions that would have this standard error."""
        if self.kind == "binary":
            return float(self.n)
        spread = self.up + self.down - (self.difference / self.span) ** 2
        return spread / (self.wide / self.span) ** 2

    def _skew(self) -> float:
        if self.unknown:
            return self.skew
        return float(excess_skew(self.skew, self.up, self.down, self.effective()))

    def summary(self, level: float = 0.95) -> Paired:
        """The difference with its interval, and the method in a sentence."""
        if self.kind == "none":
            return Paired(0)
        low, high = self.interval(level)
        return Paired(
            n=self.n,
            baseline=self.baseline,
            candidate=self.candidate,
            difference=self.difference,
            standard_error=self.error,
            low=low,
            high=high,
            p_value=self.p_value,
            method=self._method(),
        )

    def _method(self) -> str:
        match self.kind:
            case "one":
                return "one question has no interval"
            case "unknown":
                return "all values are equal and their range is not known: no interval"
            case "alike":
                seen = ", values no further apart than those seen"
                return f"exact bound: every question moved alike{seen if self.unknown else ''}"
            case "binary":
                told = "Tango's score interval, McNemar's exact test: pairs of pass or fail"
                return told + self._against()
        clustered = self.units != self.n
        of = f"{self.units} clusters (CR2, {self.freedom:.0f} df)" if clustered else "questions"
        told = "paired t" if self.kind == "number" else "score interval with t"
        why = "numbers" if self.kind == "number" else "values between 0 and 1"
        return f"{told} on {of}: {why}{self.note}{self._against()}"

    def _against(self) -> str:
        return "; the runs go against each other, pairing widens this" if self.against else ""


def intervals(
    found: Sequence[Moves], level: float = 0.95
) -> list[tuple[float | None, float | None]]:
    """The interval of each of several differences; many at once are much faster than one by one."""
    tail = (1 - level) / 2
    ends = [each._simple(tail) for each in found]
    scored = [each for each, known in zip(found, ends, strict=True) if known is None]
    low, high = tango_interval(
        [each.up for each in scored],
        [each.down for each in scored],
        [each.effective() for each in scored],
        [t_quantile(each.freedom, 1 - tail) for each in scored],
    )
    spans = (each.span for each in scored)
    rest = iter([(float(a) * s, float(b) * s) for a, b, s in zip(low, high, spans, strict=True)])
    return [next(rest) if known is None else known for known in ends]


def moves(
    baseline: ArrayLike,
    candidate: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    bounded: bool | None = None,
) -> Moves:
    """Sum up the differences of some questions, and pick the method that suits them.

    Parameters
    ----------
    baseline, candidate
        One value a question, of shape (n,), in the same order; no missing values.
    clusters
        The cluster of each question, where questions belong together (of one document, say).
    bounded
        Whether values cannot leave 0 to 1; by default they are scores, and lie on the smallest
        `scale` that holds them all.
    """
    b, c = np.asarray(baseline, float), np.asarray(candidate, float)
    n, d = b.size, c - b
    if n == 0:
        return Moves("none", 0, 0)
    top = scale(b, c)
    if bounded is not None:
        top = 1.0 if bounded and top == 1 else None
    seen = float(max(b.max(), c.max()) - min(b.min(), c.min()))
    span = top or seen or 1.0
    found = Moves(
        kind="share" if top == 1 else "number",
        n=n,
        units=n,
        baseline=float(b.mean()),
        candidate=float(c.mean()),
        up=float(np.maximum(d, 0).mean()) / span,
        down=float(np.maximum(-d, 0).mean()) / span,
        freedom=n - 1,
        span=span,
        bounded=top == 1,
        unknown=top is None,
    )
    groups = _groups(clusters)
    if n == 1:
        return replace(found, kind="one")
    separate = (float(b.var()) + float(c.var())) / n
    if n >= FEW and float(d.var()) / n > AGAINST * separate > 0:
        found = replace(found, against=True)
    if np.ptp(d) <= 1e-12 * max(1.0, float(np.abs(d).max())):
        units = n if groups is None else int(groups.max()) + 1
        return replace(found, kind="alike" if top or seen else "unknown", units=units)
    if groups is None and top and _pass_or_fail(b / top) and _pass_or_fail(c / top):
        up, down = int((d > 0).sum()), int((d < 0).sum())
        error = float(d.std(ddof=1) / math.sqrt(n))
        return replace(
            found, kind="binary", error=error, freedom=math.inf, p_value=mcnemar(up, down)
        )
    return _with_error(found, d, groups)


def scale(*values: Floats) -> float | None:
    """The end of the smallest usual scale from 0 that holds all scores; None where none does.

    A perfect record seen on a scale of 0 to 100 leaves as much open as one on 0 to 1: the range
    must not be taken from what was seen.

    Examples
    --------
    >>> scale(np.array([0.2, 1.0])), scale(np.array([3.0, 4.0])), scale(np.array([-1.0]))
    (1.0, 5.0, None)
    """
    if min(float(x.min()) for x in values) < 0:
        return None
    most = max(float(x.max()) for x in values)
    return next((top for top in SCALES if most <= top), None)


def paired_difference(
    baseline: ArrayLike,
    candidate: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    bounded: bool | None = None,
) -> Paired:
    """The mean difference over questions with its interval; parameters as those of `moves`.

    Examples
    --------
    >>> found = paired_difference([1, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 0])
    >>> round(found.difference, 3), round(found.low, 3), round(found.high, 3)
    (-0.333, -0.7, 0.187)
    """
    return moves(baseline, candidate, clusters, bounded=bounded).summary(level)


def _with_error(found: Moves, d: Floats, groups: NDArray[np.intp] | None) -> Moves:
    n, note, trusted = d.size, "", True
    error, freedom, units = float(d.std(ddof=1) / math.sqrt(n)), float(n - 1), n
    sizes = np.ones(n)
    if groups is not None:
        count = int(groups.max()) + 1
        if count < FEWEST_CLUSTERS:
            note, trusted, groups = f"; {count} clusters are too few to honour", False, None
        else:
            robust, robust_freedom = cr2(d, groups)
            if robust <= 1e-9 * error:
                note, groups = "; the clusters balance out", None
            else:
                error, freedom, units = robust, robust_freedom, count
                sizes = np.bincount(groups)
                note = "; few clusters, read with care" if count < FEW_CLUSTERS else ""
    sums = d if groups is None else np.bincount(groups, weights=d)
    if units < FEWEST:
        note, trusted = f"; {units} questions are too few to decide", False
    wide = error
    if not found.unknown:
        moved = d != 0 if groups is None else np.bincount(groups, weights=d != 0) > 0
        largest = (found.up + found.down) * found.span**2 - found.difference**2
        largest *= np.square(sizes).sum() / n**2
        pull = max(0.0, 1 - float(moved.sum()) / min(FEW, units))
        wide = math.sqrt(error**2 + pull * max(0.0, float(largest) - error**2))
    found = replace(
        found, units=units, error=error, wide=wide, freedom=freedom, note=note, trusted=trusted,
        skew=skewness(np.asarray(sums - sizes * d.mean(), float)),
    )  # fmt: skip
    if found.kind == "share" or (groups is not None and units <= FLIPPED):
        return replace(found, p_value=sign_flips(sums))
    plain = replace(found, skew=0.0)  # of "no change" at all, symmetric
    both = [tail for tail in (plain.p_above(0.0), plain.p_below(0.0)) if tail is not None]
    return replace(found, p_value=min(1.0, 2 * min(both)))


def _groups(clusters: ArrayLike | None) -> NDArray[np.intp] | None:
    """An index a cluster; None where every question is a cluster of its own."""
    if clusters is None:
        return None
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    return None if names.size == index.size else index


def _pass_or_fail(x: Floats) -> bool:
    return bool(((x == 0) | (x == 1)).all())


def t_quantile(freedom: float, p: float) -> float:
    """A quantile of Student's t; of the normal distribution where freedom is infinite."""
    return float(special.ndtri(p) if math.isinf(freedom) else special.stdtrit(freedom, p))


def _crossing(p, outer: float, inner: float, tail: float) -> float:
    """The limit at which the one-sided p-value is `tail`."""
    for _ in range(20):
        middle = (outer + inner) / 2
        outer, inner = (middle, inner) if p(middle) <= tail else (outer, middle)
    return outer
