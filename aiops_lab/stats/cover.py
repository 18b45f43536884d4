"""Which few slices of a table of leaves cover those that moved, and moved alike."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, log

import numpy as np
from numpy.typing import NDArray

from aiops_lab.stats.expected import Expected, Floats, Ints, Sums

Ratios = NDArray[np.float32]
FREEDOM = 4.0
"""Of the t distribution of a leaf's move: its tails forgive a few leaves that are out of line."""
UNEVEN = 0.4
"""By how much of itself an effect differs between leaves."""
UNSURE = 0.25
"""Added to the variance of a count of events: a leaf with one event says little."""
PARTS, TIMES = np.geomspace(0.02, 1.0, 12), np.geomspace(0.05, 20.0, 12)
"""Effects tried: this part of the answers goes over; the rate grows by so many times itself."""
KEPT, WIDTH, MOST = 150, 8, 5
"""Slices that sets are made of; sets that are gone on with; slices in a set."""
LEAST_SHARE, LEAST_GAIN = 0.02, 0.05
"""Of the change that a slice has, and of the evidence that a further slice brings."""
START, PER_LEAF = 2.0, 0.5
CELLS = 20_000_000
"""Slices are made less deep where leaves times combinations of dimensions were more."""


@dataclass(frozen=True)
class Slices:
    """Slices, numbered; the first is all.

    Attributes
    ----------
    dimensions
        The combinations of dimensions that slices are of (cuboids).
    member
        Of shape (cuboids, leaves): the slice that a leaf is in.
    cuboid, example
        Of each slice: where its dimensions stand, and one of its leaves.
    price
        What naming it costs, in nats: which dimensions, and which of their values.
    same
        Equal for slices that have the same leaves after.
    leaves
        How many leaves with answers after it has.
    """

    dimensions: list[tuple[int, ...]]
    member: Ints
    cuboid: Ints
    example: Ints
    price: Floats
    same: Ints
    leaves: Floats

    def inside(self, number: int) -> NDArray[np.bool_]:
        """Which leaves are in a slice."""
        return self.member[self.cuboid[number]] == number

    def depth(self, number: int) -> int:
        """How many dimensions a slice names."""
        return len(self.dimensions[self.cuboid[number]])

    def total(self, values: Floats) -> Floats:
        """The sum over the leaves of each slice."""
        rows = [np.bincount(own, values, self.cuboid.size) for own in self.member]
        return np.sum(rows, axis=0)


@dataclass(frozen=True)
class Cover:
    """Slices that moved one way (`side` 1: up), and the log-likelihood that they gain."""

    slices: tuple[int, ...]
    side: int
    gain: float
    score: float


def slices_of(sums: Sums, depth: int) -> Slices:
    """Number the slices of all combinations of up to `depth` dimensions."""
    leaves, width = sums.codes.shape
    depth = min(depth, width)
    while depth > 1 and leaves * sum(comb(width, k) for k in range(depth + 1)) > CELLS:
        depth -= 1
    sizes = sums.codes.max(0, initial=0) + 1
    dimensions = [d for k in range(depth + 1) for d in combinations(range(width), k)]
    member = np.zeros((len(dimensions), leaves), np.intp)
    cuboid, example, price, start = [], [], [], 0
    for at, dims in enumerate(dimensions):
        key = member[dimensions.index(dims[:-1])] * sizes[dims[-1]] + sums.codes[:, dims[-1]] \
            if dims else np.zeros(leaves, np.intp)  # fmt: skip
        _, first, number = np.unique(key, return_index=True, return_inverse=True)
        member[at] = number + start
        start += first.size
        cuboid.append(np.full(first.size, at))
        example.append(first)
        nats = sum(log(sizes[d]) for d in dims) + log(comb(width, len(dims)))
        price.append(np.full(first.size, nats))
    found = Slices(
        dimensions, member, np.concatenate(cuboid), np.concatenate(example),
        np.concatenate(price), np.zeros(start, np.intp), np.zeros(start),
    )  # fmt: skip
    seen = (sums.n1 > 0).astype(float)
    mark = np.random.default_rng(0).integers(1, 2**31, leaves) * seen
    same = np.unique(found.total(mark), return_inverse=True)[1]
    return Slices(
        dimensions, member, found.cuboid, found.example, found.price, same, found.total(seen)
    )


def gains(found: Expected, n1: Floats, side: int) -> list[Ratios]:
    """Log-likelihood ratios of "moved" against "did not", of shape (leaves, effects), a kind each.

    Kinds of an effect: a part of the answers goes over to the other side; the rate is multiplied;
    of amounts also: all means move by as much.
    """
    rate = found.rate[:, None]
    if found.share and side > 0:
        means = [(1 - rate) * PARTS, np.minimum(rate * TIMES, 1 - rate)]
    elif found.share:
        means = [-rate * PARTS, np.maximum(-(1 - rate) * TIMES, -rate)]
    else:
        steps = TIMES if side > 0 else PARTS
        level = np.full_like(rate, np.abs(rate).mean())
        means = [side * np.abs(rate) * steps, side * level * steps]
    still = (found.variance + (UNSURE if found.share else 0.0))[:, None]
    rest = np.log1p(found.move[:, None] ** 2 / still / FREEDOM)
    told = []
    for mean in means:
        shift = n1[:, None] * mean
        moved = still + (UNEVEN * shift) ** 2
        away = np.log1p((found.move[:, None] - shift) ** 2 / moved / FREEDOM)
        ratio = (FREEDOM + 1) / 2 * (rest - away) - 0.5 * np.log(moved / still)
        told.append(np.where(n1[:, None] > 0, ratio, 0).astype(np.float32))
    return told


def covers(slices: Slices, found: Expected, n1: Floats) -> list[Cover]:
    """Sets of slices that may explain the moves, best first.

    A beam search over unions of slices, with every kind and size of effect; a set's score is its
    log-likelihood ratio less what naming its slices and effects costs (minimum description length).
    """
    best: dict[tuple[tuple[int, ...], int], Cover] = {}
    for side in (1, -1):
        for ratio in gains(found, n1, side):
            for cover in _search(slices, found, ratio, side):
                key = (cover.slices, side)
                if key not in best or best[key].score < cover.score:
                    best[key] = cover
    return sorted(best.values(), key=lambda each: (-each.score, each.slices, -each.side))


def _search(slices: Slices, found: Expected, ratio: Ratios, side: int) -> list[Cover]:
    summed = np.stack([slices.total(own) for own in ratio.T], 1).max(1)
    move = side * found.move
    reach = max(abs(move.sum()), 0.3 * move[move > 0].sum())
    least = LEAST_SHARE * reach
    cost = slices.price + START + PER_LEAF * np.log(np.maximum(slices.leaves, 1))
    able = (slices.total(move) >= max(least, 1e-300)) & (slices.leaves > 0)
    kept = _distinct(slices, np.where(able, summed - cost, -np.inf))
    if not kept.size:
        return []
    inside = np.stack([slices.inside(s) for s in kept]).astype(np.float32)
    beam = [(0.0, 0.0, (), np.ones(move.size, np.float32))]
    told: list[Cover] = []
    for _ in range(MOST):
        grown: dict[tuple[int, ...], tuple[float, float, Ratios]] = {}
        for score, gain, chosen, free in beam:
            for at, more in _further(inside, ratio, move, free, chosen, cost[kept], least, score):
                key = tuple(sorted((*chosen, at)))
                sum_ = float(score + more - cost[kept[at]])
                if key not in grown or grown[key][0] < sum_:
                    grown[key] = (sum_, gain + more, free * (1 - inside[at]))
        ranked = sorted(grown.items(), key=lambda each: (-each[1][0], each[0]))
        told += [
            Cover(tuple(sorted(int(kept[at]) for at in key)), side, gain, score)
            for key, (score, gain, _) in ranked
        ]
        beam = [(score, gain, key, free) for key, (score, gain, free) in ranked[:WIDTH]]
    return told + _of_one_cuboid(slices, kept, summed, cost, side)


def _distinct(slices: Slices, worth: Floats) -> Ints:
    """The best slices; of those with the same leaves the shortest, as it is the cheapest."""
    order = np.lexsort((np.arange(worth.size), np.round(slices.price, 6), -np.round(worth, 3)))
    order = order[np.isfinite(worth[order])]
    _, first = np.unique(slices.same[order], return_index=True)
    return order[np.sort(first)][:KEPT]


def _further(
    inside: Ratios, ratio: Ratios, move: Floats, free: Ratios, chosen: tuple[int, ...],
    cost: Floats, least: float, score: float,
) -> list[tuple[int, float]]:  # fmt: skip
    """Slices that may join those chosen, with what they gain on the leaves that are still free."""
    gain = (inside @ (ratio * free[:, None])).max(1).astype(float)
    net = np.where(inside @ (move * free) >= least, gain - cost, -np.inf)
    if chosen:
        held = inside[list(chosen)]
        both = inside @ held.T
        sizes = inside.sum(1)
        nested = (both >= np.minimum(sizes[:, None], held.sum(1)[None, :])).any(1)
        net[nested | (net <= LEAST_GAIN * np.maximum(score + net, 0))] = -np.inf
        width = 2 * WIDTH
    else:
        width = net.size
    order = np.argsort(-net, kind="stable")[:width]
    return [(int(at), float(gain[at])) for at in order if np.isfinite(net[at])]


def _of_one_cuboid(
    slices: Slices, kept: Ints, gain: Floats, cost: Floats, side: int
) -> list[Cover]:
    """The best slices of each combination of dimensions together: two, three, ..."""
    told = []
    for cuboid in np.unique(slices.cuboid[kept]):
        own = [int(s) for s in kept[slices.cuboid[kept] == cuboid] if gain[s] > cost[s]][:MOST]
        for size in range(2, len(own) + 1):
            some = own[:size]
            told.append(
                Cover(tuple(sorted(some)), side, float(gain[some].sum()),
                      float((gain - cost)[some].sum()))
            )  # fmt: skip
    return told
