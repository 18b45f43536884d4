"""Does a series follow a calendar? The same weekday, hour or day of the month, time after time.

Each block of a calendar (a week, say) is one repetition of it. What the blocks have in common is a
pattern; if there were none, the days of a block could change places, and that is the test: labels
are permuted within blocks, for all series at once, and the largest figure of all series, cells and
calendars together is what a pattern has to exceed (Westfall and Young 1993, max-T). So it holds
whatever the series' noise is, and however many are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
PERMUTATIONS = 2000
CLIP = 5.0
"""Robust standard deviations beyond which a single day's surprise counts no more."""
CELLS = 4_000_000
"""Permuted sums held at once."""


@dataclass(frozen=True)
class Calendar:
    """A way to tell times apart.

    `cells` (times,) is the place of each time in its repetition, 0 to `length` - 1; `blocks`
    (times,) is the repetition that it lies in; `window` is how many times in a row are one
    repetition, over which trends are removed.
    """

    name: str
    length: int
    cells: Integers
    blocks: Integers
    window: int


def every(times: int, period: int, name: str | None = None, start: int = 0) -> Calendar:
    """A calendar that repeats after `period` times; the first one is in cell `start`."""
    at = np.arange(times) + start
    return Calendar(name or f"every {period}", period, at % period, at // period, period)


def detrended(values: Floats, window: int) -> Floats:
    """Series without what moves slowly: minus the centred moving average of a repetition.

    Parameters
    ----------
    values
        Shape (series, times); NaN where nothing was seen, in all series.
    window
        Times in a row; of an even number the two ends count half. Half a window from either end
        the average goes on as straight as it was.
    """
    times = values.shape[1]
    half = window // 2
    if times <= 2 * half + 1:
        return values - np.nanmean(values, axis=1, keepdims=True)
    weight = np.ones(2 * half + 1)
    if window % 2 == 0:
        weight[[0, -1]] = 0.5
    seen = ~np.isnan(values)
    sums = _moving(np.where(seen, values, 0.0), weight)
    counts = _moving(seen.astype(float), weight)
    at = np.broadcast_to(np.arange(times, dtype=float), values.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = sums / counts
        lever = _moving(np.where(seen, at, 0.0), weight) / counts
    found = np.full(values.shape, np.nan)
    found[:, half : times - half] = middle
    for edge, inner, step in ((0, 0, 1), (times - 1, middle.shape[1] - 1, -1)):
        other = int(np.clip(inner + step * window, 0, middle.shape[1] - 1))
        run = lever[:, other] - lever[:, inner]
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.where(run != 0, (middle[:, other] - middle[:, inner]) / run, 0.0)
        places = np.arange(half) if step > 0 else np.arange(times - half, times)
        distance = places[None, :] - lever[:, [inner]]
        found[:, places] = middle[:, [inner]] + slope[:, None] * distance
        assert edge in (0, times - 1)
    level = np.nanmean(values, axis=1, keepdims=True)
    return values - np.where(np.isnan(found), level, found)


def _moving(values: Floats, weight: Floats) -> Floats:
    """Weighted sums of len(weight) times in a row, shape (series, times - len(weight) + 1)."""
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    whole = total[:, len(weight) :] - total[:, : -len(weight)]
    lost = 1 - weight[0]
    if lost:
        size = len(weight)
        first, last = values[:, : values.shape[1] - size + 1], values[:, size - 1 :]
        whole = whole - lost * (first + last)
    return whole


@dataclass(frozen=True)
class Folded:
    """Series laid one repetition over the other.

    `t` (series, cells) is each cell's distance from the others in its own standard errors, NaN
    where a cell was seen less than twice; `f` (series,) how much the cells differ at all, as the F
    of an analysis of variance with the blocks taken out.
    """

    t: Floats
    f: Floats


def folded(values: Floats, calendar: Calendar) -> Folded:
    """Lay detrended series over themselves; shapes as in `Folded`."""
    prepared = _prepared(values, calendar)
    sums = np.zeros((len(values), calendar.length))
    np.add.at(sums.T, prepared.cells, prepared.values.T)
    means, within = _means(sums, prepared)
    counts = prepared.counts
    with np.errstate(invalid="ignore", divide="ignore"):
        t = means / np.sqrt(within[:, None] / counts * prepared.left)
        between = (counts * means**2).sum(axis=1) / max((counts > 0).sum() - 1, 1)
        f = np.where(within > 0, between / within, 0.0)
    return Folded(np.where(counts > 1, np.where(np.isfinite(t), t, 0.0), np.nan), f)


def chance(
    values: Floats, calendar: Calendar, permutations: int = PERMUTATIONS, seed: int = 0,
    cells: Sequence[int] | None = None,
) -> Floats:  # fmt: skip
    """The largest |t| of all series and cells when the times of each block change places.

    Parameters
    ----------
    values
        Detrended series, shape (series, times); NaN in all series where nothing was seen.
    cells
        Only these cells are looked at; all by default.

    Returns
    -------
    array
        Shape (permutations,).
    """
    prepared = _prepared(values, calendar)
    random = np.random.default_rng([seed, calendar.length, len(calendar.cells)])
    looked = np.zeros(calendar.length, bool)
    looked[list(range(calendar.length) if cells is None else cells)] = True
    looked &= prepared.counts > 1
    largest = np.zeros(permutations)
    if not looked.any():
        return largest
    at_once = max(1, CELLS // (calendar.length * max(len(values), 1)))
    for first in range(0, permutations, at_once):
        count = min(at_once, permutations - first)
        sums = _permuted(prepared, count, calendar.length, random)
        means, within = _means(sums, prepared)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(means) / np.sqrt(within[..., None] / prepared.counts * prepared.left)
        t = np.where(np.isfinite(t) & looked, t, 0.0)
        largest[first : first + count] = t.max(axis=(0, 2))
    return largest


@dataclass(frozen=True)
class _Prepared:
    """Values of the times seen, each block's mean taken out; what permuting does not change."""

    values: Floats
    cells: Integers
    blocks: Integers
    counts: Integers
    total: Floats
    degrees: int
    left: Floats


def _prepared(values: Floats, calendar: Calendar) -> _Prepared:
    seen = ~np.isnan(values).any(axis=0) & (calendar.cells >= 0)
    numbers, blocks = np.unique(calendar.blocks[seen], return_inverse=True)
    sizes = np.bincount(blocks, minlength=len(numbers))
    alone = sizes[blocks] > 1  # a block of one time says nothing of its place
    times = np.flatnonzero(seen)[alone]
    cells = calendar.cells[times]
    _, blocks = np.unique(calendar.blocks[times], return_inverse=True)
    own = _clipped(values[:, times])
    sizes = np.bincount(blocks)
    sums = np.zeros((len(values), len(sizes)))
    np.add.at(sums.T, blocks, own.T)
    own = own - (sums / np.maximum(sizes, 1))[:, blocks]
    counts = np.bincount(cells, minlength=calendar.length)
    degrees = len(times) - len(sizes) - max(int((counts > 0).sum()) - 1, 0)
    shares = np.zeros(calendar.length)
    np.add.at(shares, cells, 1 - 1 / np.maximum(sizes[blocks], 1))
    left = shares / np.maximum(counts, 1)
    return _Prepared(own, cells, blocks, counts, (own**2).sum(axis=1), max(degrees, 1), left)


def _clipped(values: Floats) -> Floats:
    """Without single surprises: no further from the median than `CLIP` robust deviations."""
    if not values.shape[1]:
        return values
    middle = np.median(values, axis=1, keepdims=True)
    spread = 1.4826 * np.median(np.abs(values - middle), axis=1, keepdims=True)
    limit = np.where(spread > 0, CLIP * spread, np.inf)
    return np.clip(values, middle - limit, middle + limit)


def _means(sums: Floats, prepared: _Prepared) -> tuple[Floats, Floats]:
    """Means of cells and the variance within them: of sums of shape (series, ..., cells)."""
    means = sums / np.maximum(prepared.counts, 1)
    between = (prepared.counts * means**2).sum(axis=-1)
    total = prepared.total.reshape(-1, *([1] * (between.ndim - 1)))
    within = np.maximum(total - between, 1e-12 * np.maximum(total, 1e-300))
    return means, within / prepared.degrees


def _permuted(prepared: _Prepared, count: int, length: int, random: np.random.Generator) -> Floats:
    """Sums of cells after permuting within blocks, shape (series, count, length)."""
    from scipy.sparse import csr_array

    times = len(prepared.cells)
    order = np.argsort(prepared.blocks, kind="stable")
    drawn = np.argsort(prepared.blocks[order] + random.random((count, times)), axis=1)
    moved = order[drawn]  # what stands at the places `order` now
    rows = np.arange(count)[:, None] * length + prepared.cells[order]
    index = np.argsort(rows, axis=1, kind="stable")
    pointers = np.concatenate([[0], np.cumsum(np.bincount(rows.ravel(), minlength=count * length))])
    columns = np.take_along_axis(moved, index, axis=1).ravel()
    chosen = csr_array((np.ones(count * times), columns, pointers), shape=(count * length, times))
    sums = chosen @ prepared.values.T
    return np.moveaxis(sums.reshape(count, length, -1), 2, 0)


@dataclass(frozen=True)
class Contrast:
    """A cell against the others of its block, block by block.

    `values` and `blocks` (repetitions,) of those in which the cell and another were seen; `effect`
    is their mean, `low` to `high` its interval (Student's), `since` the first repetition with the
    pattern and `since_low` to `since_high` those that the likelihood allows, as places in `values`.
    """

    values: Floats
    blocks: Integers
    effect: float
    low: float
    high: float
    since: int
    since_low: int
    since_high: int


def contrast(values: ArrayLike, calendar: Calendar, cell: int, level: float = 0.95) -> Contrast:
    """How much one cell of a calendar lies above the others, and since when.

    Parameters
    ----------
    values
        One series, shape (times,), as it is: trends cancel within a block.
    level
        Coverage of the intervals.
    """
    from scipy import special

    own = np.asarray(values, float)
    seen = ~np.isnan(own) & (calendar.cells >= 0)
    numbers, blocks = np.unique(calendar.blocks[seen], return_inverse=True)
    mine = calendar.cells[seen] == cell
    sums = [np.bincount(blocks, np.where(part, own[seen], 0.0), len(numbers)) for part in
            (mine, ~mine)]  # fmt: skip
    counts = [np.bincount(blocks, part, len(numbers)) for part in (mine, ~mine)]
    both = (counts[0] > 0) & (counts[1] > 0)
    found = sums[0][both] / counts[0][both] - sums[1][both] / counts[1][both]
    if not len(found):
        nothing = float("nan")
        return Contrast(found, numbers[both], nothing, nothing, nothing, 0, 0, 0)
    effect, half = float(found.mean()), float("inf")
    if len(found) > 1:
        error = found.std(ddof=1) / np.sqrt(len(found))
        half = float(special.stdtrit(len(found) - 1, 0.5 + level / 2) * error)
    return Contrast(found, numbers[both], effect, effect - half, effect + half,
                    *_began(found, level))  # fmt: skip


def _began(values: Floats, level: float) -> tuple[int, int, int]:
    """The first repetition of a level that was nil before: the likeliest, and those allowed.

    Each may be the first; before it the mean is nil, from it on whatever it is, with one variance
    (profile likelihood, Wilks; Hinkley 1970 for its use at a change).
    """
    from scipy import special

    count = len(values)
    if count < 3:
        return 0, 0, 0
    squares = np.concatenate([[0.0], np.cumsum(values**2)])[:-1]
    tail, left = np.cumsum(values[::-1])[::-1], np.arange(count, 0, -1)
    rest = np.cumsum((values**2)[::-1])[::-1] - tail**2 / left
    likelihood = -count / 2 * np.log(np.maximum(squares + rest, 1e-300))
    best = int(likelihood.argmax())
    # the likelihood of a change is no parabola: 1.5 times what Wilks allows covers it
    allowed = np.flatnonzero(
        likelihood >= likelihood[best] - 1.5 * special.chdtri(1, 1 - level) / 2
    )
    return best, int(allowed[0]), int(allowed[-1])
