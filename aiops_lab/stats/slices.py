"""How many slices of time were bad, or how good they were on average, from what was evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.stats.score import exact_share_interval
from aiops_lab.stats.spent import (
    BadShare,
    Floats,
    Judge,
    Stratum,
    imputed,
    rates,
    share_interval,
    why_not,
)

NEAR = 1e-9
"""A share this little over its limit is at it."""
CUTS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""Of p-values; see `_true_at_most`."""
AT_ONCE = 2_000_000
"""So many terms of hypergeometric sums are held at a time."""


@dataclass(frozen=True)
class SliceShare(BadShare):
    """The share of bad slices, or the mean over slices of the share of bad answers.

    `slices` have answers, of which `unseen` have none that was evaluated: each may be good or bad.
    """

    slices: int = 0
    unseen: int = 0


@dataclass(frozen=True)
class _Cells:
    """What is known of each slice and stratum; `place` numbers the slices."""

    place: NDArray[np.intp]
    answers: Floats
    evaluated: Floats
    flagged: Floats
    missing: Floats
    slices: int

    def per_slice(self, values: Any) -> Floats:
        own = np.broadcast_to(values, self.place.shape).astype(float)
        return np.asarray(np.bincount(self.place, own, self.slices), float)

    def kept(self, which: NDArray[np.bool_]) -> _Cells:
        columns = (self.answers, self.evaluated, self.flagged, self.missing)
        return _Cells(self.place[which], *(c[which] for c in columns), slices=self.slices)  # pyright: ignore[reportCallIssue]


def mean_over_slices(
    cells: ArrayLike, judge: Judge | None = None, *, level: float = 0.95
) -> SliceShare:
    """The mean over slices of the share of answers that are bad.

    Parameters
    ----------
    cells
        Of shape (cells, 5): for each slice and stratum the number of the slice, answers,
        evaluated, flagged and missing, as of `spent.Stratum`. Slices without answers have none.
    judge, level
        As of `spent.bad_share`.

    Notes
    -----
    Each slice is a stratum that weighs as much as any other, in `spent.share_interval`; strata of
    one evaluated answer, whose variance nothing tells, are put together. Slices of which none was
    evaluated may be all good or all bad.

    Examples
    --------
    >>> found = mean_over_slices([[0, 10, 10, 1, 0], [1, 100, 100, 30, 0]])
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.2, 0.2, 0.2)
    """
    own, found = _read(cells, judge, level)
    if found.method:
        return found
    weight = own.answers / own.per_slice(own.answers)[own.place] / own.slices
    seen = own.evaluated > 0
    lost = float(weight[~seen].sum())
    own, weight = own.kept(seen), weight[seen] / (1 - lost)
    share = float(weight @ (own.flagged / own.evaluated))
    fp, power = rates(judge)
    low, high = _ends(own, own.evaluated, own.flagged, weight, judge, level)
    value, wide = float(np.clip((share - fp) / power, low, high)), (low, high)
    if own.missing.any():
        rows = np.column_stack([own.answers, own.evaluated, own.flagged, own.missing])
        tried, as_good, as_bad = imputed(rows, judge)
        low = min(low, _ends(own, tried, as_good, weight, judge, level)[0])
        high = max(high, _ends(own, tried, as_bad, weight, judge, level)[1])
    return replace(
        found, value=value, low=low * (1 - lost), high=high * (1 - lost) + lost, seen_low=wide[0],
        seen_high=wide[1], judge_only=share, method="score interval over slices",
    )  # fmt: skip


def bad_slices(
    cells: ArrayLike, limit: float, judge: Judge | None = None, *, level: float = 0.95
) -> SliceShare:
    """The share of slices of which more than a share of `limit` of the answers is bad.

    Parameters
    ----------
    cells, judge, level
        As of `mean_over_slices`.

    Notes
    -----
    A slice has an exact p-value for "it is good" and one for "it is bad": hypergeometric, with a
    judge binomial at the end of a Clopper and Pearson interval of its rates, and Hoeffding's bound
    (1963, JASA 58:13) where strata were sampled at several rates. How many are good at most, and
    bad at most, follows from all of them at once (`_true_at_most`). Half of an error goes to the
    judge's rates, where there is a judge.

    Examples
    --------
    >>> found = bad_slices([[0, 10, 10, 1, 0], [1, 100, 100, 30, 0], [2, 50, 20, 0, 0]], 0.1)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.333, 0.333, 0.667)
    """
    own, found = _read(cells, judge, level)
    if found.method:
        return found
    fp, power = rates(judge)
    answers, seen = own.per_slice(own.answers), own.per_slice(own.evaluated) > 0
    part = own.answers / answers[own.place]
    share = own.per_slice(part * own.flagged / np.maximum(own.evaluated, 1))
    known = own.per_slice(part * (own.evaluated > 0))
    share = share / np.where(known > 0, known, 1)
    sure_bad = sure_good = np.zeros(own.slices, bool)
    open_ = seen
    if judge is None:
        unknown = own.per_slice(own.answers - own.evaluated)
        flagged, may_be = own.per_slice(own.flagged), limit * answers + NEAR
        sure_bad, sure_good = flagged > may_be, flagged + unknown <= may_be
        open_ = seen & (unknown > 0)  # whatever was found in them: a choice by that would mislead
    tail = (1 - level) / (2 if judge is None else 4)
    bad, good = _p_values(own, answers, limit, judge, tail)
    bad[sure_bad], good[sure_good] = 0.0, 0.0
    least = int((sure_bad & ~open_).sum() + open_.sum()) - _true_at_most(bad[open_], tail)
    most = int((sure_bad & ~open_).sum()) + _true_at_most(good[open_], tail)
    least = max(least, int(sure_bad.sum()))
    most = min(most, int((seen & ~sure_good).sum()))
    unseen = int((~seen & ~sure_bad).sum())
    told = own.slices - unseen
    value = ((share - fp) / power > limit + NEAR)[seen].mean()
    wide = least / told, most / told
    return replace(
        found, value=float(np.clip(value, *wide)), low=least / own.slices,
        high=(most + unseen) / own.slices, seen_low=wide[0], seen_high=wide[1],
        judge_only=float((share > limit + NEAR)[seen].mean()),
        method="closed testing over slices" if open_.any() else "all slices are known",
    )  # fmt: skip


def _read(cells: ArrayLike, judge: Judge | None, level: float) -> tuple[_Cells, SliceShare]:
    """The cells, and what is known without an interval: its method says why there can be none."""
    table = np.asarray(cells, float).reshape(-1, 5)
    table = table[table[:, 1] > 0]
    names, place = np.unique(table[:, 0], return_inverse=True)
    own = _Cells(place, *table[:, 1:].T, slices=names.size)
    whole = Stratum(*(float(column.sum()) for column in table[:, 1:].T))  # type: ignore[arg-type]
    unseen = int((own.per_slice(own.evaluated) == 0).sum()) if names.size else 0
    why = why_not((whole,) if names.size else (), judge)
    return own, SliceShare(
        round(whole.answers), round(whole.evaluated), round(whole.missing), judge=judge,
        level=level, method=why, slices=names.size, unseen=unseen,
    )  # fmt: skip


def _ends(
    own: _Cells, n: Floats, flags: Floats, weight: Floats, judge: Judge | None, level: float
) -> tuple[float, float]:
    """The interval of the mean; strata of one answer, of which others are not known, are one."""
    single = (n == 1) & ((own.answers > 1) | (judge is not None))
    answers = own.answers
    if single.sum() > 1:
        of = weight[single].sum()
        count = of**2 / (weight[single] ** 2).sum()
        share = weight[single] @ flags[single] / of
        answers, n, flags, weight = (
            np.append(column[~single], one)
            for column, one in ((answers, np.inf), (n, count), (flags, share * count), (weight, of))
        )
    low, high = share_interval(answers, n, flags, judge, level=level, weight=weight)
    return float(low), float(high)


def _p_values(
    own: _Cells, answers: Floats, limit: float, judge: Judge | None, tail: float
) -> tuple[Floats, Floats]:
    """Of each slice, for "it is good" and for "it is bad"."""
    fp, se = (0.0, 0.0), (1.0, 1.0)
    if judge is not None:
        fp, se = (
            exact_share_interval(hits, of, 1 - tail)
            for hits, of in (
                (judge.negatives - judge.true_negatives, judge.negatives),
                (judge.true_positives, judge.positives),
            )
        )
    whole = not (own.flagged % 1).any()  # shares add up to anything
    tried = own.evaluated + own.missing
    unsure = own.answers > tried if judge is None else own.answers > 0
    found = []
    for side, flags in ((1, own.flagged), (-1, own.flagged + own.missing)):
        end = 1 if side > 0 else 0
        bad = np.floor(limit * answers + NEAR) + (side < 0) if whole else limit * answers
        flagged = fp[end] + (se[end] - fp[end]) * (limit if side > 0 else bad / answers)
        part = own.answers / answers[own.place]
        rate = np.where(tried > 0, flags / np.maximum(tried, 1), 0.0 if side > 0 else 1.0)
        over = side * (own.per_slice(part * rate) - flagged)
        spread = own.per_slice(np.where(unsure, part**2 / np.maximum(tried, 1), 0.0))
        p = np.exp(-2 * np.maximum(over, 0) ** 2 / np.where(spread > 0, spread, np.inf))
        p[own.per_slice(unsure & (tried == 0)) > 0] = 1.0
        one = unsure & (own.per_slice(unsure)[own.place] == 1) & (tried > 0) & whole
        k = own.place[one]
        n, x, size = tried[one], flags[one], own.answers[one]
        if judge is None:
            known = own.per_slice(np.where(unsure, 0.0, flags))[k]
            left = np.floor(bad[k] - known + NEAR) if side > 0 else np.ceil(bad[k] - known - NEAR)
            p[k] = _hypergeometric(side, x, n, np.clip(left, 0, size), size)
        else:
            share = bad[k] / size
            q = np.clip(fp[end] + (se[end] - fp[end]) * share, 0, 1)
            p[k] = _binomial(side, x, n, np.maximum(q, fp[1]) if side > 0 else np.minimum(q, se[0]))
        found.append(p)
    return found[0], found[1]


def _binomial(side: int, x: Floats, n: Floats, q: Floats) -> Floats:
    """The chance of as many as x, or of as few, among n whose mean chance is q, at most.

    Hoeffding 1956 (Ann. Math. Statist. 27:713): from one away from the mean on, chances that
    differ make it no larger; nor that none, or all, are.
    """
    if side < 0:
        x, q = n - x, 1 - q
    p = np.where(x > 0, special.betainc(np.maximum(x, 1), n - x + 1, q), 1.0)
    return np.where((x >= n * q + 1) | (x == n), p, 1.0)


def _hypergeometric(side: int, x: Floats, n: Floats, bad: Floats, size: Floats) -> Floats:
    """The chance of as many bad as x, or as few, among n of `size` answers."""
    rows, back = np.unique(np.column_stack([x, n, bad, size]), axis=0, return_inverse=True)
    found = np.empty(len(rows))
    step = max(1, int(AT_ONCE / (rows[:, 1].max(initial=0) + 1)))
    for start in range(0, len(rows), step):
        x, n, bad, size = (column[:, None] for column in rows[start : start + step].T)
        i = np.arange(n.max() + 1)
        ways = _ways(bad, i) + _ways(size - bad, n - i) - _ways(size, n)
        tail = (i >= x) if side > 0 else (i <= x)
        found[start : start + step] = np.where(tail, np.exp(ways), 0.0).sum(1)
    return np.minimum(found, 1.0)[back.ravel()]


def _ways(of: Floats, some: Floats) -> Floats:
    """The logarithm of in how many ways some of them can be chosen."""
    able = (some >= 0) & (some <= of)
    k = np.where(able, some, 0.0)
    ways = special.gammaln(of + 1) - special.gammaln(k + 1) - special.gammaln(of - k + 1)
    return np.where(able, ways, -np.inf)


def _true_at_most(p: Floats, level: float) -> int:
    """How many of the hypotheses are true at most, by independent p-values.

    The most of the largest p-values that Simes's test does not reject together (closed testing;
    Goeman and Solari 2011, Statist. Sci. 26:584), which finds a few clear cases; and for each of
    `CUTS` the largest number of which so many could be above it, which finds many unclear ones:
    of b that are true at least Binomial(b, 1 - cut) are. Each has its part of the level.
    """
    level /= 1 + len(CUTS)
    p, low, high = np.sort(p), 0, p.size
    while low < high:
        some = (low + high + 1) // 2
        if (p[p.size - some :] > np.arange(1, some + 1) * level / some).all():
            low = some
        else:
            high = some - 1
    for cut in CUTS:
        above = int((p > cut).sum())
        more = np.arange(above + 1, p.size + 1)
        chance = special.betaincc(above + 1, more - above, 1 - cut)
        low = min(low, above + int((chance > level).sum()))
    return low
