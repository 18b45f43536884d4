"""Percentile bootstrap intervals: questions (or whole clusters) drawn again with replacement.

A resample is known once it is known how often each value was drawn, so rows are never drawn where
counts will do: few distinct values take one multinomial draw a resample; many are drawn in blocks
of 256, two at a time, through a table of the sums of all pairs. Quantiles need only the draws near
them. All of it is exact resampling; only the order of the draws differs from the textbook.

Below about 50 questions these intervals cover less than they say: decide with `paired`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiops_lab.stats.clustered import FEWEST_CLUSTERS

BLOCK = 256
"""NDArray a block: the sums of their pairs (512 kB) stay in a processor's second cache."""
ROOM = 2_000_000
"""Numbers held at once."""
FAR = 8.0
"""Standard deviations: no resampled quantile lies further away (once in 10**15)."""
FEW_BEYOND = 5
Floats = NDArray[np.float64]
Draw = Callable[[int], NDArray]


@dataclass(frozen=True)
class Resampled:
    """An estimate with its bootstrap interval over n questions; what cannot be computed is None.

    `beyond` is the share of the resamples above the limit that was asked about.
    """

    n: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = "fewer than two questions"
    beyond: float | None = None


def paired_bootstrap(
    baseline: ArrayLike,
    candidate: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    statistic: Literal["mean", "ratio"] = "mean",
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Resampled:
    """The mean paired difference, or the ratio of the means, with its percentile interval.

    Parameters
    ----------
    baseline, candidate
        One value a question, of shape (n,), in the same order; no missing values.
    clusters
        The cluster of each question: whole clusters are drawn.
    statistic
        "mean": the mean of candidate less baseline; "ratio": the candidate's mean over the
        baseline's.
    resamples, level, seed
        Resamples drawn, coverage of the interval, and what makes it the same each time.

    Examples
    --------
    >>> paired_bootstrap([0, 0, 1, 1, 0] * 20, [1, 0, 1, 1, 0] * 20).estimate
    0.2
    """
    b, c = np.asarray(baseline, float), np.asarray(candidate, float)
    groups = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    units = b.size if groups is None else int(groups.max(initial=-1)) + 1
    if (why := _unfit(b, c)) or b.size < 2:
        return Resampled(b.size, method=why or Resampled.method)
    over, under = (c - b, np.ones(b.size)) if statistic == "mean" else (c, b)
    if groups is not None:
        over, under = (np.bincount(groups, weights=x) for x in (over, under))
    if statistic == "ratio" and b.mean() <= 0:
        return Resampled(b.size, method="the baseline's mean is not positive: no ratio")
    estimate, rng = float(over.sum() / under.sum()), np.random.default_rng(seed)
    if groups is not None and units < FEWEST_CLUSTERS:
        return Resampled(b.size, estimate, method=f"{units} clusters are too few to honour")
    if np.ptp(under) == 0:
        drawn = _resampled_sums(over, resamples, rng) / (units * under[0])
    else:
        sums = _resampled_sums(over + 1j * under, resamples, rng)
        drawn = np.real(sums) / np.where(np.imag(sums) > 0, np.imag(sums), np.nan)
    what = "clusters" if groups is not None else "questions"
    return _percentiles(drawn, b.size, estimate, level, f"{resamples} resamples of {units} {what}")


def quantile_bootstrap(
    baseline: ArrayLike,
    candidate: ArrayLike,
    quantile: float = 0.95,
    clusters: ArrayLike | None = None,
    *,
    statistic: Literal["difference", "ratio"] = "difference",
    paired: bool = True,
    limit: float | None = None,
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Resampled:
    """The difference (or ratio) of two quantiles, candidate to baseline, with its interval.

    Quantiles are numpy's default, between two neighbours. Parameters as those of
    `paired_bootstrap`; not `paired`, the two sides have their own questions (then n is the
    smaller number of them) and are drawn independently, and clusters are not honoured.

    Examples
    --------
    >>> quantile_bootstrap(range(100), range(2, 102), 0.5).estimate
    2.0
    """
    b, c = np.asarray(baseline, float), np.asarray(candidate, float)
    n, q, rng = min(b.size, c.size), quantile, np.random.default_rng(seed)
    if (why := _unfit(b, c)) or n < 2:
        return Resampled(n, method=why or Resampled.method)
    at, told = (float(np.quantile(b, q)), float(np.quantile(c, q))), f"{n} questions"
    if statistic == "ratio" and at[0] <= 0:
        return Resampled(n, method="the baseline's quantile is not positive: no ratio")
    estimate = at[1] / at[0] if statistic == "ratio" else at[1] - at[0]
    if not paired:
        sides = [_order_statistics(np.sort(x), q, resamples, rng) for x in (b, c)]
        told += ", not paired"
    elif clusters is None:
        first, second, draw = _cells(_near(b, q), _near(c, q), rng)
        sides = _drawn_quantiles(first, second, np.arange(first.size), draw, q, resamples)
    else:
        groups = np.unique(np.asarray(clusters), return_inverse=True)[1]
        units = int(groups.max()) + 1
        if units < FEWEST_CLUSTERS:
            return Resampled(n, estimate, method=f"{units} clusters are too few to honour")
        told = f"{units} clusters"

        def together(rows: int) -> NDArray:
            return _counts(np.full(rows, units), units, rng)

        sides = _drawn_quantiles(b, c, groups, together, q, resamples)
    if n * min(q, 1 - q) < FEW_BEYOND:
        told += f"; fewer than {FEW_BEYOND} values lie beyond the quantile, read with care"
    first, second = sides
    ratio = statistic == "ratio"
    drawn = second / np.where(first > 0, first, np.nan) if ratio else second - first
    found = _percentiles(drawn, n, estimate, level, f"{resamples} resamples of {told}")
    return found if limit is None else replace(found, beyond=float((drawn > limit).mean()))


def _unfit(b: Floats, c: Floats) -> str:
    whole = bool(np.isfinite(b).all() and np.isfinite(c).all())
    return "" if whole else "missing or infinite values: leave those questions out"


def _percentiles(drawn: Floats, n: int, estimate: float, level: float, told: str) -> Resampled:
    if np.isnan(drawn).any():
        return Resampled(n, estimate, method="the baseline may be zero or less: no interval")
    if np.ptp(drawn) <= 1e-12 * np.abs(drawn).max():
        return Resampled(n, estimate, method="all resamples are alike: no interval")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Resampled(n, estimate, float(low), float(high), f"percentile bootstrap, {told}")


def _resampled_sums(values: NDArray, resamples: int, rng: np.random.Generator) -> NDArray:
    """The sums of `resamples` samples of values.size values, drawn with replacement."""
    n, total = values.size, np.zeros(resamples, values.dtype)
    distinct, counts = np.unique(values, return_counts=True)
    few = distinct.size * 64 <= n
    blocks = [values[start : start + BLOCK] for start in range(0, n, BLOCK)]
    shares = (counts if few else np.array([block.size for block in blocks])) / n
    step = max(1, min(resamples, ROOM // shares.size))
    for start in range(0, resamples, step):
        part = total[start : start + step]
        times = rng.multinomial(n, shares, part.size).T.copy()
        if few:
            part += distinct @ times
        else:
            for block, own in zip(blocks, times, strict=True):
                _add_draws(part, block, own, rng)
    return total


def _add_draws(total: NDArray, block: NDArray, times: NDArray, rng: np.random.Generator) -> None:
    """Add to each total the sum of so many draws from a block of at most 256 values."""
    pair_sums = np.add.outer(block, block).ravel()
    odd = times % 2 == 1
    total[odd] += block[rng.integers(0, block.size, int(odd.sum()))]
    for start in range(0, times.size, 1000):
        pairs = times[start : start + 1000] // 2
        ends = np.cumsum(pairs)
        drawn = np.zeros(ends[-1] + 1, block.dtype)
        which = _pairs(int(ends[-1]), block.size, rng).astype(np.intp)
        # no index is outside, but "raise" would copy `out` first
        np.take(pair_sums, which, out=drawn[:-1], mode="clip")
        total[start : start + 1000] += np.where(pairs > 0, np.add.reduceat(drawn, ends - pairs), 0)


def _pairs(count: int, size: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    if size < BLOCK:
        return rng.integers(0, size * size, count, dtype=np.uint16)
    whole = rng.integers(0, 2**64 - 1, -(-count // 4), dtype=np.uint64, endpoint=True)
    return whole.view(np.uint16)[:count]


def _order_statistics(x: Floats, q: float, resamples: int, rng: np.random.Generator) -> Floats:
    """Resampled quantiles of sorted values: order statistics of uniform draws are beta."""
    place = (x.size - 1) * q
    rank = math.floor(place)
    lower = rng.beta(rank + 1, x.size - rank, resamples)
    low = x[np.minimum((x.size * lower).astype(np.intp), x.size - 1)]
    if place == rank:
        return low
    upper = lower + (1 - lower) * rng.beta(1, x.size - rank - 1, resamples)
    high = x[np.minimum((x.size * upper).astype(np.intp), x.size - 1)]
    return low + (place - rank) * (high - low)


def _near(values: Floats, q: float) -> Floats:
    """The values, with those too far from a quantile to ever be it sent to infinity."""
    n, ordered = values.size, np.sort(values)
    reach = FAR * math.sqrt(n * q * (1 - q)) + FAR
    low = ordered[max(0, math.floor(n * q - reach))]
    high = ordered[min(n - 1, math.ceil(n * q + reach))]
    return np.where(values < low, -np.inf, np.where(values > high, np.inf, values))


def _cells(b: Floats, c: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, Draw]:
    """The distinct pairs, and how often each of them is drawn; those seen once come last."""
    pairs: NDArray[np.complex128] = np.empty(b.size, complex)
    pairs.real, pairs.imag = b, c
    cells, counts = np.unique(pairs, return_counts=True)
    cells, single = cells[np.argsort(counts == 1, kind="stable")], int((counts == 1).sum())
    shares = np.append(counts[counts > 1], single) / b.size

    def draw(rows: int) -> NDArray:
        times = rng.multinomial(b.size, shares, rows)
        return np.hstack([times[:, :-1], _counts(times[:, -1], single, rng)])

    return cells.real, cells.imag, draw


def _counts(times: NDArray, size: int, rng: np.random.Generator) -> NDArray:
    """How often each of `size` things came up in so many draws, a row each."""
    row = np.repeat(np.arange(times.size) * size, times)
    drawn = rng.integers(0, max(size, 1), row.size) + row
    return np.bincount(drawn, minlength=times.size * size).reshape(times.size, size)


def _drawn_quantiles(
    values: Floats, other: Floats, unit: NDArray, draw: Draw, q: float, resamples: int
) -> list[Floats]:
    """Quantiles of both columns where `draw` says how often each unit came up."""
    sides, step = [np.empty(resamples), np.empty(resamples)], max(1, ROOM // values.size)
    for start in range(0, resamples, step):
        times = draw(min(step, resamples - start))
        for side, column in zip(sides, (values, other), strict=True):
            order = np.argsort(column)
            ordered, reached = column[order], times[:, unit[order]].cumsum(1)
            last = reached[:, -1:] - 1
            rank = np.floor(last * q)
            low = ordered[np.count_nonzero(reached <= rank, axis=1)]
            high = ordered[np.count_nonzero(reached <= np.minimum(rank + 1, last), axis=1)]
            side[start : start + step] = low + (last * q - rank).ravel() * (high - low)
    return sides
