"""How much of each error budget is spent, and can it be told?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.objective import Objective
from aiops_lab.objectives.short import objectives_in
from aiops_lab.result import Result
from aiops_lab.stats.settling import settles
from aiops_lab.stats.slices import SliceShare, bad_slices, mean_over_slices
from aiops_lab.stats.spent import BadShare, bad_share
from aiops_lab.target import budget_words as words
from aiops_lab.target.explain import FEWEST_LABELS
from aiops_lab.traffic.counts import HOUR, REQUESTS, counted, counts_of, left_out
from aiops_lab.verdict import Verdict

OBJECTIVES = pl.Schema(
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
LEVEL = 0.95
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


@dataclass(frozen=True)
class Budget(Result):
    """How each objective stands; see `error_budget`.

    Attributes
    ----------
    verdict
        fail where a budget is spent for sure, ok where none is; else inconclusive.
    objectives
        name, status (ok: not spent; fail: spent; inconclusive: the interval covers it, or it
        cannot be computed, or its judge has too few labels), target, begin and end of the period,
        answers (in it so far), evaluated, missing (sampled without a result), excluded (answers
        that do not count), good (the share, put right for sampling and judge), good_low,
        good_high, allowed (bad answers, or slices, in the period), spent (share of these), low,
        high (95 % interval of it), naive (spent, had the judge's word on what it saw been the truth
        for all), why (it cannot be computed, or told): those nearest to the end of their budget
        first.
    counts
        hour, objective, stratum, n, evaluated, bad, answers: what it was computed from; see
        `traffic.counts.counted`.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    objectives: pl.DataFrame
    counts: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def error_budget(
    data: Any, objectives: Iterable[Objective] | None = None, *, at: datetime | None = None,
    level: float = LEVEL,
) -> Budget:  # fmt: skip
    """How much of the error budget of each objective is spent.

    Parameters
    ----------
    data
        A Lab, whose counts are those of its hourly summaries where they have them; or requests,
        the canonical table ``traffic`` of any library that Narwhals knows; or these and the table
        ``evaluations`` as a pair.
    objectives
        Those of the lab's ``lab.toml`` by default.
    at
        When; by default the end of the last hour that has answers.
    level
        Of the intervals.

    Raises
    ------
    BadSettings
        No objectives, or data that cannot be used.

    Examples
    --------
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1, h) for h in range(20)],
    ...                      "refusal": [True] + [False] * 19})
    >>> goal = Objective("answers", 0.8, "refusal", read_criterion(bad=True))
    >>> found = error_budget(rows, [goal])
    >>> found.objectives.select("name", "answers", pl.col("spent").round(6)).row(0)
    ('answers', 20, 0.25)
    """
    goals = _goals(data, objectives)
    counts = _counts(data, _plain(goals))
    if at is None:
        last = counts["hour"].dt.truncate("1h").max()
        at = last + HOUR if isinstance(last, datetime) else datetime.now(UTC)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    rows = [_row(goal, counts, at, level) for goal in goals]
    found = pl.DataFrame(rows, schema=OBJECTIVES).sort(
        "spent", "name", descending=[True, False], nulls_last=True
    )
    settings = {"at": at.isoformat(), "level": level, "objectives": [goal.name for goal in goals]}
    slices = {goal.name for goal in goals if goal.budgeting == "timeslices"}
    return Budget(words.verdict(found.to_dicts(), slices), found, counts, settings)


def _goals(data: Any, objectives: Iterable[Objective] | None) -> list[Objective]:
    own = objectives is None and hasattr(data, "relations")
    goals = objectives_in(data.settings) if own else list(objectives or ())
    if not goals:
        raise BadSettings("there are no objectives: write [[slo]] in lab.toml, or give some")
    return goals


def _counts(data: Any, goals: Sequence[Objective]) -> pl.DataFrame:
    if hasattr(data, "relations"):
        return counts_of(data, goals)
    traffic, evaluations = data if isinstance(data, tuple) else (data, None)
    return counted(traffic, evaluations, goals)


def _plain(goals: Sequence[Objective]) -> list[Objective]:
    """The objectives that are counted: of composites, the parts."""
    every = [part.objective for goal in goals for part in goal.parts]
    every += [goal for goal in goals if not goal.parts]
    known = {goal.name: goal for goal in every}
    if twice := [goal.name for goal in every if known[goal.name] != goal]:
        raise BadSettings(f"two objectives are called {twice[0]!r}")
    return list(known.values())


def _row(goal: Objective, counts: pl.DataFrame, at: datetime, level: float) -> dict[str, Any]:
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


def strata_of(counts: pl.DataFrame) -> list[tuple[int, int, float, int]]:
    """Answers, evaluated, bad and missing of each stratum, whatever the hour.

    An answer that was sampled stands for as many as its weight says; so many there were at least
    as were looked at.
    """
    sums = counts.group_by("stratum", maintain_order=True).agg(
        pl.col("n", "evaluated", "bad", "answers").sum()
    )
    return [
        (max(round(row["answers"]), row["n"]), row["evaluated"], row["bad"],
         row["n"] - row["evaluated"])
        for row in sums.sort("stratum").to_dicts()
    ]  # fmt: skip


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
