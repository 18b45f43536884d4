"""Periods cut into slices with known bad answers, judged in part; imports nothing of what it tests.

Slices differ in how many answers they have and in how good they are: busy hours may be the worse
ones, and an outage makes some slices bad throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLICES = (24, 100, 500)
SIZES = ((2, 10), (5, 40), (50, 200))
SAMPLING = (0.1, 0.3, 0.7, 1.0)
JUDGES = (None, (0.85, 0.97), (0.95, 0.9))
KINDS = ("alike", "busy", "outage")


@dataclass(frozen=True)
class Design:
    """So many slices, answers in each, the share evaluated, and how the judge errs, if it does."""

    slices: int
    sizes: tuple[int, int]
    sampling: float
    judge: tuple[float, float] | None
    kind: str
    share: float
    limit: float
    labels: tuple[int, int]
    strata: bool

    @property
    def told(self) -> str:
        return f"{self.slices} slices of {self.sizes}, {self.sampling} evaluated, {self.kind}"


class Labels(NamedTuple):
    """How the judge did on labelled answers."""

    true_positives: int
    positives: int
    true_negatives: int
    negatives: int


@dataclass(frozen=True)
class Drawn:
    """One period: its cells, the labelled answers, and what is true of it."""

    cells: NDArray[np.int64]
    labelled: Labels | None
    bad: float
    mean: float


def designs(seed: int = 0) -> Iterator[Design]:
    """One of every cell of the grid, with what is left open drawn anew for each seed."""
    grid = product(SLICES, SIZES, SAMPLING, JUDGES, KINDS)
    for number, (slices, sizes, sampling, judge, kind) in enumerate(grid):
        random = np.random.default_rng([seed, number])
        labels = np.exp(random.uniform(np.log(50), np.log(500), 2)).round().astype(int)
        yield Design(
            slices, sizes, sampling, judge, kind, float(np.exp(random.uniform(-5, -1.6))),
            float(random.choice([0.01, 0.05, 0.1, 0.2])), (int(labels[0]), int(labels[1])),
            bool(random.random() < 0.3),
        )  # fmt: skip


def draw(design: Design, random: np.random.Generator) -> Drawn:
    """A period: each answer is bad by the share of its slice, and evaluated by its stratum's."""
    low, high = design.sizes
    size = np.exp(random.uniform(np.log(low), np.log(high), design.slices)).round().astype(int)
    share = np.full(design.slices, design.share)
    if design.kind == "busy":
        share = share * size / size.mean()
    if design.kind == "outage":
        share = np.where(random.random(design.slices) < 0.03, 0.9, share / 2)
    parts = [(size, design.sampling, share)]
    if design.strata:  # thumbed down: all evaluated, and worse
        down = random.binomial(size, 0.05)
        parts = [(down, 1.0, share * 4), (size - down, design.sampling, share)]
    cells, whole = [], np.zeros(design.slices)
    se, sp = design.judge or (1.0, 1.0)
    for answers, rate, own in parts:
        bad = random.binomial(answers, np.clip(own, 0, 1))
        n = random.binomial(answers, rate)
        met = random.hypergeometric(bad, answers - bad, n)
        flagged = random.binomial(met, se) + random.binomial(n - met, 1 - sp)
        place = np.arange(design.slices)
        cells.append(np.column_stack([place, answers, n, flagged, np.zeros_like(n)]))
        whole += bad
    labelled = None
    if design.judge is not None:
        bad, good = design.labels
        labelled = Labels(random.binomial(bad, se), bad, random.binomial(good, sp), good)
    truth = whole / size
    return Drawn(
        np.concatenate(cells), labelled, float((truth > design.limit + 1e-9).mean()),
        float(truth.mean()),
    )  # fmt: skip
