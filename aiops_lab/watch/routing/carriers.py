"""Which features carry a pattern: the change in share between two sets of times, shared among them.

Decisions of the pattern's days, or hours, are paired with others of the same repetition (of the
same week, say). A model says what would be chosen if some features came from one side and the
others from the other; Shapley values of that add up to the whole change the model makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from aiops_lab.stats.calendar import Bools, Calendar, Floats, Integers
from aiops_lab.stats.shapley import Shared, Worth, shared, together
from aiops_lab.watch.routing.decisions import DAY, Decisions
from aiops_lab.watch.routing.model import LARGEST, Chances

PAIRS = 1_000
ORDERS = 12
FLIPS = 4_000
PROMISING = 4
"""So many of the largest features are looked at in pairs."""


@dataclass(frozen=True)
class Pairs:
    """Decisions of a pattern's times beside those of others, and the repetition of each pair."""

    high: pl.DataFrame
    low: pl.DataFrame
    blocks: Integers


@dataclass(frozen=True)
class Carried:
    """A pattern by feature.

    `features` in order of size; `contribution` and `error` (features,) in share, `p_value`
    corrected for all of them; `total` is what the model makes of the pattern; `interactions`
    (first, second, amount).
    """

    features: tuple[str, ...]
    contribution: Floats
    error: Floats
    p_value: Floats
    total: float
    interactions: tuple[tuple[str, str, float], ...]


def times_of(decisions: Decisions, calendar: Calendar) -> Integers:
    """The time of each decision among those of a calendar: its day, or its hour."""
    day = (decisions.rows[DAY] - decisions.days[0]).dt.total_days().to_numpy()
    if len(calendar.cells) == len(decisions.days):
        return day
    return day * 24 + decisions.rows["at"].dt.hour().cast(pl.Int64).to_numpy()


def paired(
    decisions: Decisions, calendar: Calendar, cell: int, *, pairs: int = PAIRS, seed: int = 0,
    others: Sequence[int] = (), since: int = 0,
) -> Pairs:  # fmt: skip
    """Draw decisions of a cell, and beside each one of another cell of the same repetition.

    Parameters
    ----------
    others
        Cells with patterns of their own, which nothing is compared with.
    since
        The first block used.
    """
    random = np.random.default_rng([seed, cell])
    times = times_of(decisions, calendar)
    cells, blocks = calendar.cells[times], calendar.blocks[times]
    mine = (cells == cell) & (blocks >= since)
    rest = (cells != cell) & ~np.isin(cells, others) & (blocks >= since)
    both = np.intersect1d(blocks[mine], blocks[rest])
    if not len(both):
        nothing = decisions.rows.clear()
        return Pairs(nothing, nothing, np.zeros(0, np.int64))
    share = -(-pairs // len(both))
    high, low = [], []
    for block in both:  # blocks count alike, whatever their volume
        for taken, part in ((high, mine), (low, rest)):
            places = np.flatnonzero(part & (blocks == block))
            taken.append(random.choice(places, share, replace=len(places) < share))
    chosen = np.concatenate(high), np.concatenate(low)
    return Pairs(decisions.rows[chosen[0]], decisions.rows[chosen[1]], np.repeat(both, share))


def worth_of(chances: Chances, pairs: Pairs, features: Sequence[str], option: int) -> Worth:
    """The chance of an option where a mask's features are those of the pattern's times.

    All else, the context too, is as at other times.
    """
    at_once = max(LARGEST // max(pairs.low.height, 1), 1)

    def mixed(mask: Bools) -> pl.DataFrame:
        moved = [name for name, there in zip(features, mask, strict=True) if there]
        return pairs.low.with_columns(pairs.high[name] for name in moved)

    def worth(masks: Bools) -> Floats:
        parts = [masks[start : start + at_once] for start in range(0, len(masks), at_once)]
        said = [chances(pl.concat(map(mixed, part)))[:, option] for part in parts]
        return np.concatenate(said).reshape(len(masks), -1)

    return worth


def carried(
    chances: Chances, pairs: Pairs, decisions: Decisions, option: int, *, orders: int = ORDERS,
    seed: int = 0,
) -> Carried:  # fmt: skip
    """Share the change that a model makes of a pattern among its features."""
    names = decisions.features
    worth = worth_of(chances, pairs, names, option)
    found = shared(worth, len(names), orders, seed)
    blocks = _by_block(found, pairs.blocks)
    means = found.means
    order = np.argsort(-np.abs(means), kind="stable")
    top = [int(place) for place in order[:PROMISING]]
    between = [
        (names[a], names[b], together(worth, len(names), (a, b)))
        for i, a in enumerate(top) for b in top[i + 1 :]
    ]  # fmt: skip
    errors = (
        blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks)) if len(blocks) > 1 else means * np.nan
    )
    return Carried(
        tuple(names[place] for place in order), means[order], errors[order],
        flipped(blocks, seed)[order], float(found.total.mean()),
        tuple(sorted(between, key=lambda one: -abs(one[2]))),
    )  # fmt: skip


def _by_block(found: Shared, blocks: Integers) -> Floats:
    """Mean of each player in each block, shape (blocks, players)."""
    numbers, place = np.unique(blocks, return_inverse=True)
    sums = np.zeros((len(numbers), found.rows.shape[1]))
    np.add.at(sums, place, found.rows)
    return sums / np.bincount(place)[:, None]


def flipped(blocks: Floats, seed: int = 0, flips: int = FLIPS) -> Floats:
    """p-values of columns that are as often above 0 as below it, corrected for all columns.

    Signs of whole rows (repetitions) are flipped; a column's t is held against the largest of all
    columns (Westfall and Young 1993).
    """
    count = len(blocks)
    if count < 2:
        return np.ones(blocks.shape[1])
    random = np.random.default_rng([seed, 3])
    squares = (blocks**2).sum(axis=0)

    def t(sums: Floats) -> Floats:
        left = np.maximum(squares - sums**2 / count, 1e-12 * np.maximum(squares, 1e-300))
        return np.abs(sums) / np.sqrt(left * count / (count - 1))

    signs = random.choice([-1.0, 1.0], (flips, count))
    largest = t(signs @ blocks).max(axis=1)
    own = t(blocks.sum(axis=0))
    return (1 + (largest[:, None] >= own * (1 - 1e-9)).sum(axis=0)) / (flips + 1)


@dataclass(frozen=True)
class Removed:
    """What is left of a pattern when some features are as at other times.

    `before` and `after` are the model's effect with and without them, `removed` the part that is
    gone, `low` to `high` its 95 % interval over the repetitions.
    """

    before: float
    after: float
    removed: float
    low: float
    high: float


def counterfactual(
    chances: Chances, pairs: Pairs, decisions: Decisions, option: int, carriers: Sequence[str],
    *, seed: int = 0, again: Chances | None = None,
) -> Removed:  # fmt: skip
    """Decide a pattern's times again with the carriers' values of others, or by another model.

    Parameters
    ----------
    carriers
        The features set to what they are at other times.
    again
        A model fitted anew, say without the rows of the origin: then nothing is set.
    """
    names = decisions.features
    everything = pairs.low.with_columns(pairs.high[name] for name in names)
    usual = chances(pairs.low)[:, option]
    before = chances(everything)[:, option] - usual
    if again is None:
        back = everything.with_columns(pairs.low[name] for name in carriers)
        after = chances(back)[:, option] - usual
    else:
        after = again(everything)[:, option] - again(pairs.low)[:, option]
    numbers, place = np.unique(pairs.blocks, return_inverse=True)
    sums = np.stack([np.bincount(place, part) for part in (before, after)])
    whole = sums.sum(axis=1)
    removed = _gone(whole[0], whole[1])
    random = np.random.default_rng([seed, 9])
    drawn = random.integers(0, len(numbers), (1000, len(numbers)))
    again_ = _gone(sums[0][drawn].sum(axis=1), sums[1][drawn].sum(axis=1))
    low, high = np.quantile(again_, [0.025, 0.975])
    n = len(pairs.blocks)
    return Removed(
        float(whole[0]) / n, float(whole[1]) / n, float(removed), float(low), float(high)
    )


def _gone(before: Floats | float, after: Floats | float) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - np.asarray(after) / np.where(np.asarray(before) == 0, np.nan, before)
