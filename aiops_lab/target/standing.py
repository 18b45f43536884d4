"""How one objective stands: what is bad of its period, and how much of its budget that spends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from aiops_lab.objectives.objective import Objective
from aiops_lab.stats.settling import settles
from aiops_lab.stats.slices import SliceShare, bad_slices, mean_over_slices
from aiops_lab.stats.spent import BadShare, bad_share
from aiops_lab.target import budget_words as words
from aiops_lab.target.explain import FEWEST_LABELS
from aiops_lab.traffic.counts import REQUESTS, left_out, strata_of

STANDS = pl.Schema(
    {
        "name": pl.String, "status": pl.String, "target": pl.Float64,
        **dict.fromkeys(("begin", "end"), pl.Datetime("us", "UTC")),
        **dict.fromkeys(("answers", "evaluated", "missing", "excluded"), pl.Int64),
        **dict.fromkeys(
            ("good", "good_low", "good_high", "allowed", "spent", "low", "high", "naive"),
            pl.Float64,
        ),
        "why": pl.String,
    }
)  # fmt: skip
WHOLE = 0.999
"""A period counts as over from here on."""


@dataclass(frozen=True)
class _Period:
    """A window, and the moment up to which it is looked at."""

    begin: datetime
    end: datetime
    at: datetime

    @property
    def inside(self) -> pl.Expr:
        return (pl.col("hour") >= self.begin) & (pl.col("hour") < min(self.at, self.end))


def stands(
    goal: Objective, counts: pl.DataFrame, at: datetime, level: float = 0.95
) -> dict[str, Any]:
    """How an objective stands at a moment: a row of `STANDS`; see `Budget.objectives`."""
    begin, end = goal.window.period(at)
    row = {"name": goal.name, "target": goal.target, "begin": begin, "end": end,
           "status": "inconclusive"}  # fmt: skip
    if why := _not_computed(goal):
        return {**row, "why": why}
    period = _Period(begin, end, at)
    share, few = _share(goal, counts, period, level), _few_labels(goal)
    row |= {"answers": share.answers, "evaluated": share.evaluated, "missing": share.missing,
            "excluded": _excluded(goal, counts, period)}  # fmt: skip
    passed = 1.0 if goal.window.rolling else min((at - begin) / (end - begin), 1.0)
    passed = 1.0 if passed > WHOLE else passed
    units = share.slices if isinstance(share, SliceShare) else share.answers
    row["allowed"] = units / passed * goal.budget if passed > 0 else None
    if share.value is None:
        return {**row, "why": few or share.method}
    row |= _spent(goal, share, passed)
    return {**row, "status": "inconclusive", "why": few} if few else row


def _not_computed(goal: Objective) -> str:
    if goal.why:
        return goal.why
    if goal.parts:
        return next(filter(None, (_not_computed(part.objective) for part in goal.parts)), "")
    if not goal.grain:
        told = goal.timeslice_window.told if goal.timeslice_window else "no length"
        return f"a slice of {told} neither divides an hour nor is whole hours"
    if goal.budgeting == "timeslices" and goal.timeslice_target is None:
        return "nothing says how much of a slice must be good: a timeslice_target"
    return ""


def _few_labels(goal: Objective) -> str:
    """What is lacking where a judge was checked on so few answers that it may mislead."""
    goals = [part.objective for part in goal.parts] or [goal]
    few = (words.few_labels(each.judge, FEWEST_LABELS) for each in goals if each.judge)
    return next(filter(None, few), "")


def _excluded(goal: Objective, counts: pl.DataFrame, period: _Period) -> int:
    if goal.parts:
        return max(_excluded(part.objective, counts, period) for part in goal.parts)
    own = counts.filter(
        pl.col("objective") == goal.name, pl.col("stratum") != REQUESTS, period.inside,
        left_out(goal),
    )  # fmt: skip
    return sum(row[0] for row in strata_of(own))


def _share(goal: Objective, counts: pl.DataFrame, period: _Period, level: float) -> BadShare:
    """The share of bad answers of a period; of a composite, the mean of its parts' by weight.

    How its parts go together is not known, so a composite's ends are as far away as the parts' ends
    together.
    """
    if not goal.parts:
        own = counts.filter(pl.col("objective") == goal.name, ~left_out(goal))
        if not goal.sliced:
            return bad_share(strata_of(own.filter(period.inside)), goal.judge, level=level)
        cells = _cells(own, goal, period)
        if goal.budgeting == "ratio_timeslices" or goal.timeslice_target is None:
            return mean_over_slices(cells, goal.judge, level=level)
        return bad_slices(cells, 1 - goal.timeslice_target, goal.judge, level=level)
    shares = [_share(part.objective, counts, period, level) for part in goal.parts]
    found = BadShare(
        max(each.answers for each in shares), sum(each.evaluated for each in shares),
        sum(each.missing for each in shares), level=level,
    )  # fmt: skip
    if lost := [each for each in shares if each.value is None]:
        return replace(found, method=lost[0].method)
    total = sum(part.weight for part in goal.parts)
    weights = [part.weight / total for part in goal.parts]
    means = {
        name: sum(w * getattr(each, name) for w, each in zip(weights, shares, strict=True))
        for name in ("value", "low", "high", "judge_only")
    }
    return replace(found, **means, method=f"mean of {len(shares)} parts")


def _spent(goal: Objective, share: BadShare, passed: float) -> dict[str, Any]:
    """What is spent of the budget of the whole period, of which so much has passed."""
    assert share.value is not None and share.low is not None and share.high is not None
    of = passed / goal.budget
    low, high = share.low * of, share.high * of
    status, why = "ok", ""
    if low >= 1:
        status = "fail"
    elif high >= 1:
        status = "inconclusive"
        why = words.undecided(share, settles(share, 1 / of) if share.strata else None)
    return {
        "good": 1 - share.value, "good_low": 1 - share.high, "good_high": 1 - share.low,
        "spent": share.value * of, "low": low, "high": high, "status": status, "why": why,
        "naive": None if share.judge_only is None else share.judge_only * of,
    }  # fmt: skip


def _cells(counts: pl.DataFrame, goal: Objective, period: _Period) -> pl.DataFrame:
    """Answers, evaluated, bad and missing by slice and stratum, as `stats.slices` takes them.

    Of the slices that start in the period and are over. Where answers are sampled, a slice has as
    many as it has requests; those that are not told of by a score are a stratum that nobody saw.
    """
    assert goal.timeslice_window is not None
    start = pl.col("hour").dt.truncate(str(goal.timeslice_window)).alias("slice")
    over = pl.col("slice") <= period.at - timedelta(days=goal.timeslice_window.days)
    rows = counts.with_columns(start).filter(
        pl.col("slice") >= period.begin, pl.col("slice") < period.end, over
    )
    sums = rows.group_by("slice", "stratum").agg(pl.col("n", "evaluated", "bad", "answers").sum())
    asked = sums.filter(stratum=REQUESTS).select("slice", asked="answers")
    cells = sums.filter(pl.col("stratum") != REQUESTS)
    every = pl.col("answers") <= pl.col("n") * (1 + 1e-6)
    weighted = not cells.select(every.all()).item()
    if asked.height and (weighted or goal.sampling < 1):
        every = every & weighted
        known = pl.col("n").filter(every).sum().over("slice")
        whole = cells.join(asked, on="slice").with_columns(rest=pl.col("asked") - known)
        others = pl.col("answers").filter(~every).sum().over("slice")
        part = pl.when(every).then("n").otherwise(pl.col("rest") * pl.col("answers") / others)
        told = whole.filter(~every).select("slice")
        unseen = asked.join(told, on="slice", how="anti").join(
            whole.select("slice", "rest").unique(), on="slice", how="left"
        )
        cells = pl.concat(
            [whole.with_columns(answers=part),
             unseen.select("slice", answers=pl.coalesce("rest", "asked"))], how="diagonal"
        ).fill_null(0)  # fmt: skip
    return cells.select(
        pl.col("slice").rank("dense"), pl.max_horizontal(pl.col("answers").round(), "n"),
        "evaluated", "bad", pl.col("n") - pl.col("evaluated"),
    ).sort("slice")  # fmt: skip
