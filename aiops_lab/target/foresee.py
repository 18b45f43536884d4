"""What if? The figures of one objective with another traffic, target, sampling or judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aiops_lab.objectives.objective import Judge
from aiops_lab.stats.spent import BadShare, bad_share, rates

if TYPE_CHECKING:
    from aiops_lab.target.budget import Budget

LABELS = 200
"""Labelled answers of a kind, where an objective has none."""


@dataclass(frozen=True)
class Supposed:
    """One objective in six figures that may be supposed otherwise.

    `bad`: the share of bad answers that was seen; `daily`: answers a day; `days`: of the period;
    `rate`: the share that is evaluated; `sensitivity` and `specificity` of the judge, who was
    checked on so many `labels` of each kind.
    """

    name: str
    bad: float
    target: float
    days: float
    daily: float
    rate: float
    sensitivity: float = 1.0
    specificity: float = 1.0
    labels: int = LABELS

    def share(self, *, level: float = 0.95) -> BadShare:
        """The share of bad answers that would be seen, with its interval.

        Examples
        --------
        >>> found = Supposed("a", 0.02, 0.95, 28, 1000, 0.1).share()
        >>> found.evaluated, round(found.value, 3), round(found.high, 3)
        (2800, 0.02, 0.026)
        """
        answers = max(round(self.daily * self.days), 1)
        n = min(max(round(answers * self.rate), 1), answers)
        good = (1 - self.bad) * (1 - self.specificity)
        flagged = round(n * (self.bad * self.sensitivity + good))
        perfect = self.sensitivity == self.specificity == 1
        labelled = Judge(
            round(self.labels * self.sensitivity), self.labels,
            round(self.labels * self.specificity), self.labels,
        )  # fmt: skip
        return bad_share([(answers, n, flagged)], None if perfect else labelled, level=level)


def supposed(result: Budget, name: str | None) -> Supposed | None:
    """One objective of a budget as it stands; None where nothing is known of it."""
    goal = next((goal for goal in result.goals if goal.name == name), None)
    rows = result.objectives.filter(name=pl.lit(name, pl.String))
    if goal is None or not rows.height or rows["good"][0] is None or not rows["answers"][0]:
        return None
    row = rows.row(0, named=True)
    whole = (row["end"] - row["begin"]).total_seconds() / 86_400
    first = result.counts.filter(pl.col("objective") == name)["hour"].min()
    seen = (min(result.at, row["end"]) - max(first, row["begin"])).total_seconds() / 86_400
    fp, power = rates(goal.judge)
    labels = LABELS if goal.judge is None else min(goal.judge.positives, goal.judge.negatives)
    return Supposed(
        goal.name, 1 - row["good"], goal.target, whole, row["answers"] / max(seen, 1 / 24),
        min(max(row["evaluated"] / row["answers"], 0.005), 1.0), float(power + fp), float(1 - fp),
        labels,
    )  # fmt: skip
