"""One rule against the answers of both runs: its interval, and the two tests that decide it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from aiops_lab.ship.behaviour import USED
from aiops_lab.ship.judge import Labels, heard
from aiops_lab.ship.policy import Rule
from aiops_lab.ship.preflight import OTHER_SCALE
from aiops_lab.stats.bootstrap import FEW_BEYOND, quantile_bootstrap
from aiops_lab.stats.paired import Moves, moves
from aiops_lab.stats.ratios import log_moves
from aiops_lab.stats.single import p_mean, single_mean

Values = NDArray[np.float64]
ALPHA = 0.05
FEW = "too few clusters or questions to honour: five are the least"
ALIKE = 3
"""From so many on, amounts that are all the same are taken at their word."""
LEVEL = 0.90
"""Both ends of this interval are one-sided bounds of 5 %."""


@dataclass(frozen=True)
class Sides:
    """What both runs scored on the same questions, and all that the candidate scored.

    `clusters` and `own_clusters` name the cluster of each question, or are None; `labels` are
    those of people, where the policy names them.
    """

    baseline: Values
    candidate: Values
    clusters: Values | None
    own: Values
    own_clusters: Values | None
    labels: Labels | None = None


@dataclass(frozen=True)
class Tested:
    """A rule's value on its scale with its 90 % interval and one-sided p-values.

    `p_ok` is against "the limit is broken", `p_fail` against "the limit is kept"; None where
    nothing can be said. `least` is the p_ok of a perfect record on as many questions, `error` the
    standard error of the value on `n` questions (of its logarithm for ratios).
    """

    n: int
    baseline: float | None = None
    candidate: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_ok: float | None = None
    p_fail: float | None = None
    error: float | None = None
    least: float | None = None
    share: bool = False
    note: str = ""
    method: str = "nothing was evaluated"


def tested(rule: Rule, sides: Sides) -> Tested:
    """Test a rule; where the policy names human labels, on what people would have said."""
    found = _by_scale(rule, sides)
    if sides.labels is None or found.n == 0 or rule.scale not in ("difference", "mean"):
        return found
    said = heard(rule, sides.labels, LEVEL)
    return replace(found, **asdict(said), least=None)


def _by_scale(rule: Rule, sides: Sides) -> Tested:
    match rule.scale:
        case "difference":
            return _difference(rule, sides)
        case "ratio":
            return _ratio(rule, sides)
        case "mean":
            return _mean(rule, sides)
        case "quantile":
            return _quantile(rule, sides)
    return _quantile_ratio(rule, sides)


def _difference(rule: Rule, sides: Sides) -> Tested:
    found = moves(sides.baseline, sides.candidate, sides.clusters)
    if found.kind == "none":
        return Tested(0)
    low, high = found.exact_interval(LEVEL)
    least = None
    if found.bounded and found.kind in ("binary", "alike"):
        least = (1 - min(abs(rule.limit), 1.0)) ** found.units
    return _of_moves(rule, found, rule.limit, low, high, found.difference, least)


def _ratio(rule: Rule, sides: Sides) -> Tested:
    found = log_moves(sides.baseline, sides.candidate, sides.clusters)
    n = len(sides.baseline)
    if found.n < n:
        what = "no question has both" if not n else f"{n - found.n} of {n} pairs have a 0"
        return Tested(found.n, *_means(sides), note=f"a ratio needs figures above 0: {what}")
    if found.kind == "none":
        return Tested(0)
    if found.kind == "unknown" or (found.kind == "alike" and found.error is None):
        value = math.exp(found.difference)
        p_ok, p_fail = _certain(rule, value) if found.n >= ALIKE else (None, None)
        end = value if found.n >= ALIKE else None
        told = "every question changed by the same factor"
        certain = Tested(found.n, *_means(sides), value, end, end, p_ok, p_fail)
        return replace(certain, method=told)
    low, high = found.exact_interval(LEVEL)
    low, high = (None if end is None else math.exp(end) for end in (low, high))
    limit, value = math.log(rule.limit), math.exp(found.difference)
    return _of_moves(rule, found, limit, low, high, value, None, _means(sides))


def _certain(rule: Rule, value: float) -> tuple[float, float]:
    """P-values of an amount that never varied: it is on one side of the limit or the other."""
    kept = rule.direction * (value - rule.limit) >= 0
    return (0.0, 1.0) if kept else (1.0, 0.0)


def _of_moves(
    rule: Rule,
    found: Moves,
    limit: float,
    low: float | None,
    high: float | None,
    value: float,
    least: float | None,
    means: tuple[float, float] | None = None,
) -> Tested:
    above, below = found.p_above(limit), found.p_below(limit)
    baseline, candidate = means or (found.baseline, found.candidate)
    return Tested(
        n=found.n,
        baseline=baseline,
        candidate=candidate,
        value=value,
        low=low,
        high=high,
        p_ok=above if rule.direction > 0 else below,
        p_fail=below if rule.direction > 0 else above,
        error=found.wide or found.error,
        least=least,
        share=found.bounded,
        note=_doubt(found, abs(limit)) if rule.scale == "difference" else _few(found),
        method=found.summary(LEVEL).method,
    )


def _few(found: Moves) -> str:
    return "" if found.trusted else FEW


def _doubt(found: Moves, margin: float) -> str:
    """Why this rule cannot decide: too little to go by, or a margin that no loss can break."""
    if found.bounded and margin >= 1:
        return f"no score between 0 and 1 can lose {margin:g} (two points are 0.02)"
    return _few(found)


def _mean(rule: Rule, sides: Sides) -> Tested:
    x, groups = sides.own, sides.own_clusters
    amount = rule.cap and not USED[rule.metric].rate
    found = single_mean(x, groups, level=LEVEL, exact=True, bounded=not amount)
    inside = bool(x.size and x.min() >= 0 and x.max() <= 1) and not amount
    p_ok, p_fail = (
        p_mean(x, rule.limit, groups, above=above, bounded=not amount)
        for above in (rule.direction > 0, rule.direction < 0)
    )
    if amount and x.size >= ALIKE and np.ptp(x) <= 1e-9 * abs(x.mean()):
        found = replace(found, low=found.mean, high=found.mean, method="all amounts are the same")
        p_ok, p_fail = _certain(rule, float(x.mean()))
    least = None
    if inside and 0 < rule.limit < 1 and np.isin(x, (0, 1)).all():
        least = (rule.limit if rule.direction > 0 else 1 - rule.limit) ** found.n
    note = FEW if "too few to honour" in found.method else ""
    if not amount and 0 < rule.limit <= 1 and x.size and x.max() >= OTHER_SCALE:
        note = f"the limit {rule.limit:g} is one of shares, and scores go up to {x.max():g}"
    return Tested(
        n=found.n,
        baseline=_mean_of(sides.baseline),
        candidate=found.mean,
        value=found.mean,
        low=found.low,
        high=found.high,
        p_ok=p_ok,
        p_fail=p_fail,
        error=found.standard_error,
        least=least,
        share=inside,
        note=note,
        method=found.method,
    )


def _quantile(rule: Rule, sides: Sides) -> Tested:
    """A quantile of the candidate: exact, by how many answers lie beyond the limit."""
    q, x = rule.quantile or 0.5, np.sort(sides.own)
    if x.size == 0:
        return Tested(0)
    beyond, rare = (sides.own > rule.limit) * 1.0, 1 - q
    ranks = special.bdtr(np.arange(x.size + 1), x.size, q)
    tail = (1 - LEVEL) / 2
    low, high = np.searchsorted(ranks, [tail, 1 - tail])
    return Tested(
        n=x.size,
        candidate=float(np.quantile(x, q)),
        value=float(np.quantile(x, q)),
        low=float(x[low]) if low < x.size else None,
        high=float(x[high]) if high < x.size else None,
        p_ok=p_mean(beyond, rare, sides.own_clusters, above=False),
        p_fail=p_mean(beyond, rare, sides.own_clusters, above=True),
        least=q**x.size,
        method="exact: the share of answers beyond the limit",
    )


def _quantile_ratio(rule: Rule, sides: Sides) -> Tested:
    """The ratio of two quantiles; p-values from the width of the bootstrap interval."""
    q, b, c = rule.quantile or 0.5, sides.baseline, sides.candidate
    found = quantile_bootstrap(
        b, c, q, sides.clusters, statistic="ratio", level=LEVEL, limit=rule.limit
    )
    if b.size == 0:
        return Tested(0)
    known = {
        "n": b.size,
        "baseline": float(np.quantile(b, q)),
        "candidate": float(np.quantile(c, q)),
        "value": found.estimate,
        "method": found.method,
    }
    few = b.size * (1 - q) < FEW_BEYOND
    if few or found.estimate is None or not found.low or found.high is None:
        told = f"needs {math.ceil(FEW_BEYOND / (1 - q))} questions" if few else found.method
        return Tested(**known, note=f"the ratio of {100 * q:.0f} % quantiles: {told}")
    width = math.log(found.high / found.low) / (2 * float(special.ndtri(0.95)))
    away = rule.direction * math.log(found.estimate / rule.limit) / width
    above = found.beyond or 0.0  # a cap is kept below it
    return Tested(
        **known,
        low=found.low,
        high=found.high,
        p_ok=max(float(special.ndtr(-away)), above),
        p_fail=max(float(special.ndtr(away)), 1 - above),
        error=width,
    )


def _means(sides: Sides) -> tuple[float, float]:
    return float(sides.baseline.mean()), float(sides.candidate.mean())


def _mean_of(x: Values) -> float | None:
    return float(x.mean()) if x.size else None
