"""Changes whose cost is known: questions of strata, pairs that turn, a judge that errs.

Every seed draws its own shares of the traffic, shares of pairs that turn, target and judge. Imports
nothing from the analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

Floats = np.ndarray
QUESTIONS = (60, 120, 250, 600, 2000)
CHANGED = ((0.01, 0.03), (0.03, 0.06), (0.06, 0.12))
MIXES = ("one", "two", "three", "five", "halves", "few of one")
"""Strata asked alike: one; two, three or five of a traffic drawn at random; five of which each is
half as large as the one before; four, of one of which only five questions were asked."""
STRATA = {"one": 1, "two": 2, "three": 3, "five": 5, "halves": 5, "few of one": 4}


@dataclass(frozen=True)
class Design:
    """Questions asked, the range of the share of pairs that turn, the strata, whether judged."""

    n: int
    changed: tuple[float, float]
    mix: str
    judged: bool

    @property
    def asked(self) -> Floats:
        strata = STRATA[self.mix]
        n = np.full(strata, self.n // strata)
        n[0] += self.n % strata
        if self.mix == "few of one":
            n = np.array([5, *([(self.n - 5) // 3] * 3)])
        return n


@dataclass(frozen=True)
class Labelled:
    true_positives: Floats
    positives: Floats
    true_negatives: Floats
    negatives: Floats


@dataclass(frozen=True)
class Drawn:
    """Changes, one a row: what was seen of each stratum, and the true rise over the traffic."""

    weight: Floats
    up: Floats
    down: Floats
    truth: Floats
    judge: Labelled | None
    power: Floats
    alike: Floats
    """How many questions, drawn from all traffic alike, would tell as much; by the truth."""


def designs() -> list[Design]:
    return [Design(*each) for each in product(QUESTIONS, CHANGED, MIXES, (False, True))]


def draw(design: Design, count: int, random: np.random.Generator) -> Drawn:
    n, strata = design.asked, design.asked.size
    if design.mix == "halves":
        weight = 0.5 ** np.arange(strata) * (1 + 0.3 * random.random((count, strata)))
        weight = random.permuted(weight, axis=1)
    else:
        weight = random.dirichlet(np.full(strata, 1.5), count)
    weight = weight / weight.sum(1, keepdims=True)
    bad = random.uniform(0.01, 0.1, (count, 1)) * random.uniform(0.3, 1.5, (count, strata))
    whole = random.uniform(*design.changed, (count, 1))
    changed = np.minimum(whole * np.exp(random.normal(0, 0.5, (count, strata))), 0.9)
    better = np.minimum(changed * random.uniform(0, 0.7, (count, strata)), 0.9 * bad)
    worse = changed - better
    truth = (weight * (worse - better)).sum(1)
    judge, power = None, np.ones(count)
    seen = worse, better
    if design.judged:
        se, sp = random.uniform(0.8, 0.98, count), random.uniform(0.9, 0.995, count)
        labels = [random.integers(50, 500, count) for _ in range(2)]
        judge = Labelled(
            random.binomial(labels[0], se), labels[0], random.binomial(labels[1], sp), labels[1]
        )
        power = se + sp - 1
        seen = flagged(bad, worse, better, se[:, None], sp[:, None])
    rest = np.maximum(1 - seen[0] - seen[1], 0)
    cells = random.multinomial(n, np.stack([*seen, rest], -1))
    rise = seen[0] - seen[1]
    spread = (weight * (seen[0] + seen[1])).sum(1) - (weight * rise).sum(1) ** 2
    variance = (weight**2 * (seen[0] + seen[1] - rise**2) / n).sum(1)
    return Drawn(
        weight, cells[..., 0], cells[..., 1], truth, judge, power, spread / variance
    )  # fmt: skip


def flagged(
    bad: Floats, worse: Floats, better: Floats, se: Floats, sp: Floats
) -> tuple[Floats, Floats]:
    """How often a judge that errs by chance sees a question turn bad, and turn good."""
    both, neither = bad - better, 1 - bad - worse
    chance = both * se * (1 - se) + neither * sp * (1 - sp)
    right, wrong = se * sp, (1 - se) * (1 - sp)
    return chance + worse * right + better * wrong, chance + better * right + worse * wrong
