"""Pairs with a known difference; imports nothing of what it is used to test.

A question has one of four outcomes: both right, only the baseline, only the candidate, none. In
an epoch or a cluster each answer repeats what its question or cluster drew with probability
`alike`, else draws anew: the difference is exact whatever `alike` is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
BASELINE, CANDIDATE = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])


def outcomes(baseline: float, candidate: float, correlation: float) -> Floats | None:
    """Probabilities of the four outcomes; None where no such correlation exists."""
    spread = np.sqrt(baseline * (1 - baseline) * candidate * (1 - candidate))
    both = baseline * candidate + correlation * spread
    p = np.array([both, baseline - both, candidate - both, 1 - baseline - candidate + both])
    return p.clip(0) if p.min() >= -1e-12 else None


def every_count(n: int, p: Floats) -> tuple[Floats, Floats, Floats]:
    """Counts of "only candidate" and "only baseline" with their probability (all but 1e-12)."""

    def likely(share: float) -> Floats:
        reach = 8 * np.sqrt(n * share * (1 - share)) + 10
        return np.arange(max(0, int(n * share - reach)), min(n, int(n * share + reach)) + 1.0)

    up, down = (x.ravel() for x in np.meshgrid(likely(p[2]), likely(p[1]), indexing="ij"))
    up, down = up[up + down <= n], down[up + down <= n]
    rest = n - up - down
    log_p = (
        special.gammaln(n + 1)
        - special.gammaln(np.stack([up, down, rest]) + 1).sum(0)
        + special.xlogy(up, p[2])
        + special.xlogy(down, p[1])
        + special.xlogy(rest, max(1 - p[1] - p[2], 1e-300))
    )
    return up, down, np.exp(log_p)


def draw(p: Floats, shape: tuple[int, ...], chance: np.random.Generator) -> NDArray[np.intp]:
    return chosen(p, chance.random(shape))


def chosen(p: Floats, drawn: Floats) -> NDArray[np.intp]:
    """The outcome of each uniform number."""
    return (drawn[..., None] > np.cumsum(p)[:3]).sum(-1)


def epochs(
    n: int, k: int, p: Floats, alike: float, chance: np.random.Generator
) -> tuple[Floats, Floats]:
    """Means over k epochs of n questions, both sides."""
    baseline, candidate = many_epochs(1, n, k, p, alike, chance)
    return baseline[0], candidate[0]


def many_epochs(
    replicates: int, n: int, k: int, p: Floats, alike: float, chance: np.random.Generator
) -> tuple[Floats, Floats]:
    """What so many calls of `epochs` draw, a replicate a row."""
    drawn = chance.random((replicates, n * (1 + 4 * k)))
    first = chosen(p, drawn[:, :n])[..., None]
    rolls, sides = drawn[:, n:].reshape(replicates, 2, 2, n, k), []
    for i, (side, share) in enumerate(((BASELINE, p[0] + p[1]), (CANDIDATE, p[0] + p[2]))):
        again, anew = rolls[:, i, 0] < alike, rolls[:, i, 1] < share
        sides.append(np.where(again, side[first], anew).mean(-1))
    return sides[0], sides[1]


def clusters(
    groups: int, largest: int, p: Floats, alike: float, chance: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Questions in clusters of 1 to `largest`, both sides, and the cluster of each."""
    sizes = chance.integers(1, largest + 1, groups)
    index = np.repeat(np.arange(groups), sizes)
    shared = draw(p, (groups,), chance)[index]
    found = np.where(chance.random(index.size) < alike, shared, draw(p, index.shape, chance))
    return BASELINE[found], CANDIDATE[found], index


def grid(
    rates: tuple[float, ...], changes: tuple[float, ...], correlations: tuple[float, ...]
) -> Iterator[tuple[float, float, float, Floats]]:
    """Baseline rate, change, correlation and outcomes, where they exist."""
    for rate in rates:
        for change in changes:
            for correlation in correlations:
                if not 0.01 < rate + change < 0.99:
                    continue
                p = outcomes(rate, rate + change, correlation)
                if p is not None:
                    yield rate, change, correlation, p
