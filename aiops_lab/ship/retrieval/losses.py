"""Where gold was lost: each character of it in one drawer, so that they add up to 100 %."""

from __future__ import annotations

import numpy as np
import polars as pl

from aiops_lab.ship.retrieval.coverage import Scene, touches
from aiops_lab.ship.retrieval.spans import Ints, first_cover

LOSSES: tuple[str, ...] = (
    "retrieved",
    "other half of a cut span",
    "ranked just below k",
    "ranked lower",
    "not among the hits",
    "not seen by the embedder",
    "never indexed",
)
BELOW, AWAY, UNSEEN = 2, np.iinfo(np.int64).max - 1, np.iinfo(np.int64).max


def losses(it: Scene, k: int | None) -> pl.DataFrame:
    """The characters of gold of each question by what became of them.

    Parameters
    ----------
    k
        So many hits count; all if None. "Just below" is up to rank 2 k.

    Returns
    -------
    pl.DataFrame
        experiment, question (numbers), loss, characters; the characters of a question add up to
        its gold. A span counts as cut where some of it came back and some did not; what only lies
        in the part of a chunk behind the embedder's limit was not seen by it.
    """
    cut = AWAY - 1 if k is None else k
    found = touches(it, it.gold)
    sight = (it.chunk_start + np.minimum(it.seen, it.chunk_length)).astype(np.int64)[found.chunk]
    came = found.rank > 0
    order = np.where(came, found.rank, AWAY)
    # a piece that came back came back whole; of another, what the embedder saw, then the rest
    seen_end = np.where(came & (found.rank <= cut), found.end, np.minimum(found.end, sight))
    rest_start = np.maximum(found.start, seen_end)
    span = found.cell // it.questions * max(it.gold.start.size, 1) + found.span
    group = np.concatenate((span, span))
    start = np.concatenate((found.start, rest_start))
    end = np.concatenate((np.maximum(seen_end, found.start), found.end))
    rank = np.concatenate((order, np.full(order.size, UNSEEN)))
    low, high, of, piece = first_cover(group, start, end, rank)
    at = rank[piece]
    retrieved = at <= cut
    spans = len(it.experiments) * it.gold.start.size
    halves = np.bincount(of[retrieved], weights=(high - low)[retrieved], minlength=spans) > 0
    drawer = _drawer(at, cut, halves[of])
    cells = it.cells_of(it.gold)
    indexed = np.bincount(of, weights=high - low, minlength=spans)
    missing = np.tile(it.gold.length, len(it.experiments)) - indexed
    cell = np.concatenate((cells[of], cells))
    which = np.concatenate((drawer, np.full(spans, len(LOSSES) - 1)))
    lengths = np.concatenate((high - low, missing))
    sums = np.bincount(
        cell * len(LOSSES) + which, weights=lengths, minlength=it.cells * len(LOSSES)
    )
    kept = np.flatnonzero(sums)
    return pl.DataFrame(
        {
            "experiment": kept // len(LOSSES) // it.questions,
            "question": kept // len(LOSSES) % it.questions,
            "loss": pl.Series(LOSSES)[kept % len(LOSSES)],
            "characters": sums[kept].astype(np.int64),
        },
        schema_overrides={"loss": pl.Enum(LOSSES)},
    )


def _drawer(rank: Ints, k: int, half: np.ndarray) -> Ints:
    below = rank <= min(k * BELOW, AWAY - 1)
    return np.select(
        [rank <= k, rank == UNSEEN, half, below, rank < AWAY], [0, 5, 1, 2, 3], default=4
    )
