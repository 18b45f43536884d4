"""How likely each set of slices is the whole cause of a change, and whether chance did it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from aiops_lab.stats.cover import Cover, Slices, covers
from aiops_lab.stats.expected import Expected, Floats, Sums

POOL, SINGLE, SIBLINGS = 80, 20, 40
"""Sets that are weighed: the best of all, of one slice, and of slices of the same dimensions."""
STANDS_OUT = 1.5
"""Standard deviations from which on a leaf counts as moved."""
WEIGHTS = (4.5, 6.5, 8.0, 0.5, -0.7, -1.8, -2.8)
"""Of the log posterior: of the logarithms of evidence and share, of how many leaves moved, the
logarithm of leaves, dimensions named, slices, and combinations of dimensions. Fitted by
conditional logit on simulated incidents."""
PRIOR_PERIODS, ALONE = 10.0, 4.0
"""Degrees of freedom besides periods; those of amounts of which there is one period only."""
BEYOND, UNBIASED = 1.5, 2.5
"""By how much a sum of amounts is beyond what was before; a slice's own rates are used where their
variance is no more than so many times that of shrunken ones."""
VARIANTS, GROUPS = 12, 60
"""Descriptions of the same leaves that are listed; periods before that are told apart."""


@dataclass(frozen=True)
class Told:
    """A set of slices that may be the cause.

    `probability` among those told; `p_value` of the least certain of its slices, times the number
    of slices looked at; `error` is the standard error of its move.
    """

    slices: tuple[int, ...]
    side: int
    probability: float
    p_value: float
    error: float


def explanations(
    slices: Slices, found: Expected, sums: Sums, *, alpha: float, limit: int
) -> list[Told]:
    """Sets of slices by their probability of being the whole cause; none where all may be chance.

    Each is weighed by its evidence (the logarithm of its log-likelihood ratio, as the scale of the
    noise is known only about), the share of the moves that it holds, how many of its leaves moved,
    and its length.
    """
    pool = _with_variants(slices, _pool(slices, covers(slices, found, sums.n1)))
    if not pool:
        return []
    single = sorted({s for each in pool for s in each.slices})
    chance = dict(zip(single, _chances(slices, found, sums, single), strict=True))
    if min(p for p, _ in chance.values()) > alpha:
        return []
    kept = _shortest(slices, pool, sums.n1 > 0)
    weight = np.array([_weight(slices, found, sums.n1, each) for each in kept])
    probability = special.softmax(weight)
    order = np.lexsort((np.arange(len(kept)), -np.round(weight, 6)))[:limit]
    told = []
    for at in order:
        each = kept[at]
        p = max(chance[s][0] for s in each.slices)
        error = float(np.sqrt(sum(chance[s][1] for s in each.slices)))
        told.append(Told(each.slices, each.side, float(probability[at]), p, error))
    return told


def _pool(slices: Slices, found: list[Cover]) -> list[Cover]:
    """The best of all, with the best of the simple ones."""
    one = [each for each in found if len(each.slices) == 1][:SINGLE]
    alike = [
        each for each in found
        if len(each.slices) > 1 and np.ptp(slices.cuboid[list(each.slices)]) == 0
    ]  # fmt: skip
    pool = {(each.slices, each.side): each for each in [*found[:POOL], *one, *alike[:SIBLINGS]]}
    return list(pool.values())


def _with_variants(slices: Slices, pool: list[Cover]) -> list[Cover]:
    """With other descriptions, as short, of the same leaves: nothing in the data parts them."""
    depth = np.array([len(d) for d in slices.dimensions])[slices.cuboid]
    found = {(each.slices, each.side): each for each in pool}
    for each in pool:
        choices: list[tuple[int, ...]] = [()]
        for one in each.slices:
            alike = np.flatnonzero((slices.same == slices.same[one]) & (depth == depth[one]))
            choices = [(*c, int(s)) for c in choices for s in alike[:VARIANTS]][: VARIANTS**2]
        for choice in choices:
            key = tuple(sorted(choice))
            found.setdefault((key, each.side), replace(each, slices=key))
    return list(found.values())


def _shortest(slices: Slices, pool: list[Cover], seen: NDArray[np.bool_]) -> list[Cover]:
    """Without those whose leaves others name in fewer words."""
    held = [_union(slices, each.slices)[seen].tobytes() for each in pool]
    words = [len(each.slices) + sum(slices.depth(s) for s in each.slices) for each in pool]
    least: dict[bytes, int] = {}
    for key, count in zip(held, words, strict=True):
        least[key] = min(count, least.get(key, count))
    return [e for e, key, count in zip(pool, held, words, strict=True) if count == least[key]]


def _union(slices: Slices, numbers: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.any([slices.inside(s) for s in numbers], axis=0)


def _weight(slices: Slices, found: Expected, n1: Floats, each: Cover) -> float:
    """The log posterior, up to what is the same for all."""
    covered = _union(slices, each.slices)
    move = each.side * found.move
    up = np.maximum(move, 0)
    share = move[covered].sum() / max(up.sum(), 1e-300)
    size = np.sqrt(n1[covered])
    stands = (move > STANDS_OUT * np.sqrt(found.variance))[covered]
    moved = size @ stands / max(size.sum(), 1e-300)
    chosen = list(each.slices)
    traits = (
        np.log(max(each.gain, 1.0)), np.log(np.clip(share, 0.01, 1.0)), moved,
        np.log(np.maximum(slices.leaves[chosen], 1)).sum(), sum(slices.depth(s) for s in chosen),
        len(chosen), len(set(slices.cuboid[chosen].tolist())),
    )  # fmt: skip
    return float(np.dot(WEIGHTS, traits))


def _chances(
    slices: Slices, found: Expected, sums: Sums, numbers: list[int]
) -> list[tuple[float, float]]:
    """P-values of slices, times the number looked at, and the variances of their moves.

    A slice's noise is that of its leaves, times by how much more it went up and down between the
    periods before than they alone would have it do.
    """
    inside = np.stack([slices.inside(s) for s in numbers]).astype(float)
    variance, move = inside @ found.variance, inside @ found.move
    plain, own = inside @ found.plain_variance, inside @ found.plain
    large = plain <= UNBIASED * variance
    variance, move = np.where(large, plain, variance), np.where(large, own, move)
    more, periods = _more(found, sums, inside)
    variance = variance * more
    n, mean = inside @ sums.n1, inside @ sums.x1 - move
    far = np.abs(move) / np.sqrt(variance)
    freedom = periods + PRIOR_PERIODS
    if found.share:
        z = _of_events(mean, np.clip(mean + move, 0, n), n, variance, found.least)
    else:
        freedom = freedom if periods else ALONE
        z = _of_amounts(mean, move, variance) if (sums.x >= 0).all() else far
        usual = _usual(slices, found, sums)[slices.cuboid[numbers]]
        z = np.where(far * np.sqrt(more) > BEYOND * usual, z, 0.0)
    looked = np.unique(slices.same[slices.leaves > 0]).size
    looked = np.where(np.array(numbers) == 0, 1, looked)
    p = np.minimum(4 * stats.t.sf(z, freedom) * looked, 1.0)
    return list(zip(p.tolist(), variance.tolist(), strict=True))


def _of_events(mean: Floats, x: Floats, n: Floats, variance: Floats, least: float) -> Floats:
    """The root of the binomial deviance, as a count that is small is far from normal."""
    level = np.clip(mean, n * least, n * (1 - least))
    far = special.rel_entr(x, level) + special.rel_entr(n - x, n - level)
    alone = np.maximum(level * (1 - level / np.maximum(n, 1e-300)), 1e-300)
    z = np.sqrt(2 * np.maximum(far, 0) * alone / np.maximum(variance, alone))
    return np.where((x - level) * (x - mean) > 0, z, 0.0)


def _of_amounts(mean: Floats, move: Floats, variance: Floats) -> Floats:
    """The cube root that makes a gamma variable normal (Wilson and Hilferty 1931, PNAS 17:684)."""
    mean = np.maximum(mean, 1e-300)
    shape = np.maximum(mean**2 / variance, 1e-12)
    ratio = np.maximum(1 + move / mean, 0)
    return 3 * np.sqrt(shape) * np.abs(np.cbrt(ratio) - 1 + 1 / (9 * shape))


def _usual(slices: Slices, found: Expected, sums: Sums) -> Floats:
    """How far the farthest slice of a cuboid was in any period: heavy tails go far by chance."""
    periods = int(sums.period.max(initial=-1)) + 1
    groups, size = min(periods, GROUPS), sums.n0.size
    most = np.zeros(len(slices.dimensions))
    group = sums.period * groups // max(periods, 1)
    for at in range(groups if groups > 1 else 0):
        own = group == at
        over, room = (
            slices.total(np.bincount(sums.leaf[own], values[own], size).astype(float))
            for values in (found.residual, found.wobble)
        )
        z = np.divide(np.abs(over), np.sqrt(room), out=np.zeros_like(over), where=room > 0)
        np.maximum.at(most, slices.cuboid, z)
    return most


def _more(found: Expected, sums: Sums, inside: Floats) -> tuple[Floats, int]:
    """How much more slices vary between periods than their leaves do, and of how many periods."""
    periods = int(sums.period.max(initial=-1)) + 1
    if periods < 2:
        return np.ones(len(inside)), 0
    leaves, groups = sums.n0.size, min(periods, GROUPS)
    at = sums.leaf * groups + sums.period * groups // periods
    grids = (
        np.bincount(at, values, leaves * groups).reshape(leaves, groups)
        for values in (found.residual, found.wobble)
    )
    over, room = (inside @ grid for grid in grids)
    square = np.divide(over**2, room, out=np.zeros_like(over), where=room > 0)
    seen = (room > 0).sum(1)
    pooled = max(float(square.sum() / max(seen.sum(), 1)), 1.0)
    own = (square.sum(1) + PRIOR_PERIODS * pooled) / (seen + PRIOR_PERIODS)
    return np.maximum(own, 1.0), groups
