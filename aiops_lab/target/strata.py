"""An objective's counts as arrays: strata by hours, without a gap, up to a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from aiops_lab.objectives.objective import Objective
from aiops_lab.stats.spent import Floats

HOUR = timedelta(hours=1)
MOST = 4
"""Strata; where there are more, those whose weights are within a factor of two are one."""


@dataclass(frozen=True)
class Strata:
    """Counts of shape (strata, hours), the first of which begins at `start`.

    `answers` are those of all strata, of shape (hours,). `weight` is for how many of them one that
    was evaluated stands, of shape (strata,): those that are missing are taken to be as the rest of
    their stratum.
    """

    start: datetime
    answers: Floats
    evaluated: Floats
    bad: Floats
    weight: Floats

    def moment(self, hour: int) -> datetime:
        """The end of an hour."""
        return self.start + HOUR * (hour + 1)


def strata(goal: Objective, counts: pl.DataFrame, begin: datetime, at: datetime) -> Strata | None:
    """The counts of an objective from one moment to another, None where nothing was evaluated.

    Parameters
    ----------
    counts
        hour, objective, stratum, n, evaluated, bad, answers.
    begin, at
        Whole hours are taken: those that begin at `begin` or later, and before `at`.
    """
    own = counts.filter(
        pl.col("objective") == goal.name, pl.col("hour") >= begin, pl.col("hour") < at
    )
    if not own["evaluated"].sum():
        return None
    stratum = pl.col("stratum")
    if own["stratum"].n_unique() > MOST:
        share = pl.col("answers").sum() / pl.col("n").sum().clip(1)
        stratum = share.over("stratum").log(2).round().cast(pl.String)
    end = _whole(at)
    hours = max(math.ceil((end - begin) / HOUR), 1)
    start = end - HOUR * hours
    own = own.with_columns(
        at=((pl.col("hour") - start).dt.total_seconds() / 3600).floor().cast(pl.Int64),
        kind=stratum.rank("dense") - 1,
    )
    shape = (int(own["kind"].max()) + 1, hours)  # type: ignore[arg-type]
    sums = []
    for name in ("answers", "evaluated", "bad"):
        total = np.zeros(shape)
        np.add.at(total, (own["kind"].to_numpy(), own["at"].to_numpy()), own[name].to_numpy())
        sums.append(total)
    answers, evaluated, bad = sums
    n = evaluated.sum(1)
    kept = n > 0
    weight = np.maximum(answers.sum(1)[kept] / n[kept], 1.0)
    return Strata(start, answers.sum(0), evaluated[kept], bad[kept], weight)


def _whole(at: datetime) -> datetime:
    """The end of the hour that a moment is in."""
    whole = at.replace(minute=0, second=0, microsecond=0)
    return whole if whole == at else whole + HOUR


def why_not(goal: Objective) -> str:
    """Why neither alerts nor a forecast are computed of an objective; empty where they are."""
    if goal.why:
        return goal.why
    if goal.parts:
        return "it is made of parts: look at each of them"
    if goal.budget >= 1:
        return "every answer may be bad: there is no budget to burn"
    if goal.budgeting != "occurrences":
        return "alerts and forecasts are of answers, not of slices of time"
    if goal.criterion and goal.criterion.kind == "ratio":
        return "alerts and forecasts are of answers that are good or bad, not of shares"
    return ""


def windows(
    counts: pl.DataFrame, spans: Sequence[tuple[datetime, datetime]]
) -> list[list[tuple[int, int, float, int]]]:
    """Of each span of time what `traffic.counts.strata_of` says of its hours.

    From running sums of each stratum: spans may overlap, and are many.
    """
    ends = np.array([[_us(moment) for moment in span] for span in spans]).T
    found: list[list[tuple[int, int, float, int]]] = [[] for _ in spans]
    for _, own in counts.sort("stratum", "hour").group_by("stratum", maintain_order=True):
        place = np.searchsorted(own["hour"].dt.epoch("us").to_numpy(), ends)
        sums = own.select("n", "evaluated", "bad", "answers").to_numpy().cumsum(0)
        sums = np.vstack([np.zeros((1, 4)), sums])
        for rows, (n, evaluated, bad, answers) in zip(
            found, sums[place[1]] - sums[place[0]], strict=True
        ):
            if n:
                rows.append((max(round(answers), int(n)), int(evaluated), bad, int(n - evaluated)))
    return found


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
