"""Sharing a difference among the columns that make it: Shapley values, exact in their sum.

A set of players is a mask; its worth for each row is what a model says of rows that have the
players' columns from one side and all others from the other. Orders of the players are drawn, each
with its reverse; along an order the worths' differences add up to the whole, so any number of
orders is exact in the sum, and more of them settle only who gets what (Strumbelj and Kononenko
2014; Castro, Gomez and Tejada 2009).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Worth = Callable[[Bools], Floats]
"""Takes a mask of players, returns the worth of each row, shape (rows,) or (rows, outputs)."""


@dataclass(frozen=True)
class Shared:
    """A difference by player.

    `rows` (rows, players, ...) is each row's; `total` (rows, ...) its sum over the players, the
    worth of all players minus that of none.
    """

    rows: Floats
    total: Floats

    @property
    def means(self) -> Floats:
        """Mean over the rows, shape (players, ...)."""
        return self.rows.mean(axis=0)

    @property
    def errors(self) -> Floats:
        """Standard errors of `means` for rows drawn independently, shape (players, ...)."""
        return self.rows.std(axis=0, ddof=1) / np.sqrt(len(self.rows))


def shared(worth: Worth, players: int, orders: int = 12, seed: int = 0) -> Shared:
    """Share the worth of all players among them.

    Parameters
    ----------
    worth
        Called once for each mask met.
    players
        How many there are.
    orders
        How many orders are drawn; rounded up to an even number.

    Examples
    --------
    >>> both = lambda mask: np.array([float(mask[0] and mask[1]) + mask[2]])
    >>> [float(x) for x in shared(both, 3).means]
    [0.5, 0.5, 1.0]
    """
    random = np.random.default_rng(seed)
    known: dict[bytes, Floats] = {}

    def of(mask: Bools) -> Floats:
        key = mask.tobytes()
        if key not in known:
            known[key] = np.asarray(worth(mask), float)
        return known[key]

    none, every = of(np.zeros(players, bool)), of(np.ones(players, bool))
    found = np.zeros((none.shape[0], players, *none.shape[1:]))
    pairs = -(-orders // 2)
    for _ in range(pairs):
        drawn = random.permutation(players)
        for order in (drawn, drawn[::-1]):
            mask, before = np.zeros(players, bool), none
            for player in order:
                mask = mask.copy()
                mask[player] = True
                after = every if mask.all() else of(mask)
                found[:, player] += after - before
                before = after
    return Shared(found / (2 * pairs), every - none)


def sampled(worth: Worth, rows: int, players: int, orders: int = 2, seed: int = 0) -> Shared:
    """Share each row's worth with orders of its own, so that means of rows average them too.

    Parameters
    ----------
    worth
        Takes a mask of shape (rows, players).
    orders
        Orders for each row; rounded up to an even number.

    Examples
    --------
    >>> found = sampled(lambda mask: mask @ np.array([1.0, 2.0]), 3, 2)
    >>> found.rows.tolist()
    [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    """
    random = np.random.default_rng(seed)
    place = np.arange(rows)
    none = np.asarray(worth(np.zeros((rows, players), bool)), float)
    every = np.asarray(worth(np.ones((rows, players), bool)), float)
    found = np.zeros((rows, players, *none.shape[1:]))
    pairs = -(-orders // 2)
    for _ in range(pairs):
        drawn = np.argsort(random.random((rows, players)), axis=1)
        for order in (drawn, drawn[:, ::-1]):
            mask, before = np.zeros((rows, players), bool), none
            for step in range(players):
                mask[place, order[:, step]] = True
                after = every if step == players - 1 else np.asarray(worth(mask), float)
                found[place, order[:, step]] += after - before
                before = after
    return Shared(found / (2 * pairs), every - none)


def together(worth: Worth, players: int, pair: tuple[int, int]) -> float:
    """What two players add beyond what each adds alone, half with none of the others there, half
    with all (a Shapley interaction of two orders): above 0 they need each other."""
    added = []
    for others in (False, True):
        masks = []
        for first, second in ((0, 0), (0, 1), (1, 0), (1, 1)):
            mask = np.full(players, others)
            mask[pair[0]], mask[pair[1]] = bool(first), bool(second)
            masks.append(float(np.mean(worth(mask))))
        added.append(masks[3] - masks[2] - masks[1] + masks[0])
    return float(np.mean(added))
