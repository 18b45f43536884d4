"""Periods of answers with known bad ones, judged in part; imports nothing of what it tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
TARGETS = (0.90, 0.95, 0.98, 0.99)
TIMES = (0.1, 0.3, 1.0, 3.0)
EVALUATED = (100, 300, 1000, 5000, 20_000)
JUDGES = (
    None, (1.0, 1.0), (1.0, 0.95), (0.95, 0.99), (0.95, 0.9), (0.85, 0.97), (0.8, 0.95),
    (0.7, 1.0), (0.7, 0.9),
)  # fmt: skip
"""Sensitivity and specificity; None: it does not err and is known not to."""
DESIGNS = ("one", "thumbs", "three", "four")


@dataclass(frozen=True)
class Design:
    """A period: answers, evaluated and true bad share of each stratum, and how it is judged."""

    answers: Ints
    evaluated: Ints
    bad: NDArray[np.float64]
    judge: tuple[float, float] | None = None
    labels: tuple[int, int] = (100, 200)
    told: str = ""

    @property
    def weight(self) -> NDArray[np.float64]:
        return self.answers / self.answers.sum()

    @property
    def share(self) -> float:
        return float(self.weight @ self.bad)


@dataclass(frozen=True)
class Labelled:
    """How the judge did on labelled answers, in each of many periods."""

    true_positives: Ints
    positives: int
    true_negatives: Ints
    negatives: int


@dataclass(frozen=True)
class Drawn(Labelled):
    """Periods drawn, one a row: the share that is bad, flags by stratum, labelled answers."""

    truth: NDArray[np.float64]
    flagged: Ints


def designs(seed: int = 0) -> Iterator[Design]:
    """One of every cell of the grid, with what is left open drawn anew for each seed."""
    grid = product(TARGETS, TIMES, EVALUATED, JUDGES, DESIGNS)
    for number, (target, times, n, judge, kind) in enumerate(grid):
        random = np.random.default_rng([seed, number])
        yield _design(random, target, times, n, judge, kind)


def _design(
    random: np.random.Generator, target: float, times: float, n: int,
    judge: tuple[float, float] | None, kind: str,
) -> Design:  # fmt: skip
    if kind == "one":
        share, relative = np.ones(1), np.ones(1)
        rate = np.array([random.choice([0.01, 0.1, 0.5, 1.0])])
    elif kind == "thumbs":  # answers that users thumbed down, all or most, and some of the rest
        down = random.uniform(0.02, 0.1)
        share, relative = np.array([down, 1 - down]), np.array([random.uniform(3, 20), 1.0])
        rate = np.array([random.choice([0.5, 1.0]), random.choice([0.02, 0.05])])
    else:
        strata = 3 if kind == "three" else 4
        share = random.dirichlet(np.full(strata, 4.0)).clip(0.05)
        relative = np.exp(random.uniform(-1.5, 1.5, strata))
        rate = np.exp(random.uniform(np.log(0.02), np.log(0.5), strata))
    share = share / share.sum()
    answers = np.maximum(np.round(n / (share @ rate) * share), 20).astype(int)
    evaluated = np.clip(np.round(answers * rate), 20, answers).astype(int)
    wanted = times * (1 - target)
    bad = relative * wanted / (answers @ relative / answers.sum())
    for _ in range(20):  # none is all bad, and the whole is as wanted
        bad = np.minimum(bad * wanted / (answers @ bad / answers.sum()), 0.9)
    labels = np.exp(random.uniform(np.log(50), np.log(500), 2)).round().astype(int)
    if random.random() < 0.3:
        labels[random.integers(2)] = 50
    told = f"target {target} x {times} {kind} judge {judge} labels {labels} {evaluated}/{answers}"
    return Design(answers, evaluated, bad, judge, (int(labels[0]), int(labels[1])), told)


def draw(design: Design, periods: int, random: np.random.Generator) -> Drawn:
    """Periods with their bad answers, of which some are evaluated, without replacement."""
    answers, n = design.answers, design.evaluated
    bad = random.binomial(answers, design.bad, (periods, answers.size))
    met = random.hypergeometric(bad, answers - bad, n)
    se, sp = design.judge or (1.0, 1.0)
    flagged = random.binomial(met, se) + random.binomial(n - met, 1 - sp)
    positives, negatives = design.labels
    return Drawn(
        random.binomial(positives, se, periods), positives,
        random.binomial(negatives, sp, periods), negatives,
        bad.sum(1) / answers.sum(), flagged,
    )  # fmt: skip
