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
"""Takes masks of shape (masks, players), returns the worth of each row, (masks, rows, ...)."""


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
        Called once, with all masks that are met.
    players
        How many there are.
    orders
        How many orders are drawn; rounded up to an even number.

    Examples
    --------
    >>> both = lambda masks: (masks[:, :1] & masks[:, 1:2]) * 1.0 + masks[:, 2:]
    >>> [float(x) for x in shared(both, 3).means]
    [0.5, 0.5, 1.0]
    """
    random = np.random.default_rng(seed)
    drawn = np.array([random.permutation(players) for _ in range(-(-orders // 2))], int)
    both = np.concatenate([drawn, drawn[:, ::-1]])
    # who is there after each step of each order, the first being that of nobody
    steps = np.argsort(both, axis=1)[:, None, :] < np.arange(players + 1)[:, None]
    masks, met = np.unique(steps.reshape(-1, players), axis=0, return_inverse=True)
    met = met.reshape(len(both), players + 1)
    shares = np.zeros((players, len(masks)))
    np.add.at(shares, (both, met[:, 1:]), 1)
    np.add.at(shares, (both, met[:, :-1]), -1)
    worths = np.asarray(worth(masks), float)
    rows = np.moveaxis(np.tensordot(shares, worths, axes=1), 0, 1) / len(both)
    return Shared(rows, worths[met[0, -1]] - worths[met[0, 0]])


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
    masks = np.repeat([[False], [True]], 4, axis=0) & np.ones(players, bool)
    masks[:, list(pair)] = [(False, False), (False, True), (True, False), (True, True)] * 2
    means = np.asarray(worth(masks), float).reshape(len(masks), -1).mean(axis=1)
    return float((means * ([1, -1, -1, 1] * 2)).sum() / 2)
