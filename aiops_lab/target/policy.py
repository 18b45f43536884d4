"""What follows from how much of a budget is spent: note, restrict, freeze; and postmortems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.objectives.objective import Objective
from aiops_lab.settings import BudgetPolicy
from aiops_lab.stats.spent import bad_share
from aiops_lab.target import policy_words as words
from aiops_lab.traffic.counts import kept, strata_of
from aiops_lab.verdict import Status

TIME = pl.Datetime("us", "UTC")
STANDING = pl.Schema(
    {
        "name": pl.String, "status": pl.String, "level": pl.String, "seems": pl.String,
        **dict.fromkeys(("spent", "low", "high"), pl.Float64), "follows": pl.String,
    }
)  # fmt: skip
INCIDENTS = pl.Schema(
    {
        "name": pl.String, "begin": TIME, "end": TIME, "answers": pl.Int64, "evaluated": pl.Int64,
        **dict.fromkeys(("spent", "low", "high", "limit"), pl.Float64), "status": pl.String,
    }
)  # fmt: skip
FREEZES = pl.Schema({"name": pl.String, "begin": pl.Date, "end": pl.Date, "days": pl.Int64})
NONE = "none"
OF_LEVEL: dict[str, Status] = {NONE: "ok", "note": "ok", "restrict": "warn", "freeze": "fail"}
APART = timedelta(hours=24)
"""Alerts that fire again within it are of one incident."""


def standing(objectives: pl.DataFrame, policy: BudgetPolicy) -> pl.DataFrame:
    """Which level of the policy each objective has reached, and what follows.

    Parameters
    ----------
    objectives
        Of a `Budget`: name, spent, low, high.

    Returns
    -------
    pl.DataFrame
        name, status, level (none, note, restrict, freeze: reached for sure, by the near end of the
        interval), seems (by what is most likely; null where nothing is known), spent, low, high,
        follows (what to do). Where what seems to follow is more than what surely does, the status
        is inconclusive.

    Examples
    --------
    >>> rows = pl.DataFrame({"name": ["a", "b"], "spent": [1.6, 1.1], "low": [1.4, 0.8],
    ...                      "high": [1.8, 1.4]})
    >>> standing(rows, BudgetPolicy()).select("name", "status", "level", "seems").rows()
    [('a', 'fail', 'freeze', 'freeze'), ('b', 'inconclusive', 'restrict', 'freeze')]
    """
    rows = [_stands(row, policy) for row in objectives.to_dicts()]
    return pl.DataFrame(rows, schema=STANDING)


def _stands(row: Mapping[str, Any], policy: BudgetPolicy) -> dict[str, Any]:
    known = {name: row[name] for name in ("name", "spent", "low", "high")}
    if row["spent"] is None or row["low"] is None:
        follows = words.FOLLOWS["unknown"]
        return {**known, "status": "inconclusive", "level": NONE, "follows": follows}
    level, seems = _reached(row["low"], policy), _reached(row["spent"], policy)
    status = OF_LEVEL[level]
    if OF_LEVEL[seems] != status:
        status = "inconclusive"
    follows = words.follows(level, seems, policy)
    return {**known, "status": status, "level": level, "seems": seems, "follows": follows}


def _reached(spent: float, policy: BudgetPolicy) -> str:
    """The highest level that so much of a budget reaches."""
    return max(
        ((limit, name) for name, limit in policy.levels.items() if spent >= limit),
        default=(0.0, NONE),
    )[1]


def freezes(burn_down: pl.DataFrame, policy: BudgetPolicy) -> pl.DataFrame:
    """The days on which a budget was surely so far spent that releases were frozen, as spells.

    Parameters
    ----------
    burn_down
        objective, day (its end), low: the near end of the share that was spent by then.

    Returns
    -------
    pl.DataFrame
        name, begin, end (the last frozen day), days.
    """
    ended = pl.col("day").dt.offset_by("-1us").dt.date()
    frozen = burn_down.filter(pl.col("low") >= policy.levels["freeze"]).select(
        "objective", day=ended
    ).sort("objective", "day")  # fmt: skip
    gap = pl.col("day").diff().over("objective") != timedelta(days=1)
    spells = frozen.with_columns(spell=gap.fill_null(True).cum_sum().over("objective"))
    found = spells.group_by("objective", "spell", maintain_order=True).agg(
        begin=pl.col("day").min(), end=pl.col("day").max(), days=pl.len().cast(pl.Int64)
    )
    return found.select(pl.col("objective").alias("name"), "begin", "end", "days")


def incidents(
    goals: Iterable[Objective], counts: pl.DataFrame, fired: pl.DataFrame,
    objectives: pl.DataFrame, policy: BudgetPolicy,
) -> pl.DataFrame:  # fmt: skip
    """What each incident spent of its budget; one that spent much asks for a postmortem.

    An incident is the time around alerts that fired less than a day apart. It began where bad
    answers beyond what is allowed began to add up, and ended where they ceased to (Page 1954,
    Biometrika 41:100).

    Parameters
    ----------
    counts, fired, objectives
        Of a `Budget`.

    Returns
    -------
    pl.DataFrame
        name, begin, end, answers, evaluated, spent (share of the period's budget) with its 95 %
        interval, limit, status: warn (a postmortem is asked for), inconclusive or ok. The dearest
        first.
    """
    allowed = dict(objectives.select("name", "allowed").iter_rows())
    rows = []
    for goal in goals:
        own = kept(goal, counts)
        moments = fired.filter(pl.col("objective") == goal.name).sort("begin")
        if goal.parts or not own.height or not moments.height or not allowed.get(goal.name):
            continue
        for begin, end in _around(goal, own, _merged(moments)):
            if spent := spent_between(goal, own, allowed[goal.name], begin, end):
                status = _asked(spent, policy.asks)
                rows.append({**spent, "limit": policy.asks, "status": status})
    found = pl.DataFrame(rows, schema=INCIDENTS)
    return found.sort("spent", "begin", descending=[True, False])


def spent_between(
    goal: Objective, counts: pl.DataFrame, allowed: float, begin: datetime, end: datetime
) -> dict[str, Any] | None:
    """What some hours spent of a budget of so many `allowed` bad answers, with its 95 % interval;
    None where nothing is known of them."""
    part = kept(goal, counts).filter(pl.col("hour").is_between(begin, end, closed="left"))
    share = bad_share(strata_of(part), goal.judge)
    if share.value is None or share.low is None or share.high is None:
        return None
    of = share.answers / allowed
    return {
        "name": goal.name, "begin": begin, "end": end, "answers": share.answers,
        "evaluated": share.evaluated, "spent": share.value * of, "low": share.low * of,
        "high": share.high * of,
    }  # fmt: skip


def _asked(spent: Mapping[str, Any], limit: float) -> Status:
    if spent["low"] >= limit:
        return "warn"
    return "inconclusive" if spent["spent"] >= limit else "ok"


def _merged(moments: pl.DataFrame) -> list[tuple[datetime, datetime]]:
    """Spells in which alerts fired; those less than a day apart are one."""
    found: list[tuple[datetime, datetime]] = []
    ended = pl.col("end").fill_null(pl.col("begin") + APART)  # it fires still
    for begin, end in moments.select("begin", ended).iter_rows():
        if found and begin - found[-1][1] < APART:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _around(
    goal: Objective, counts: pl.DataFrame, spells: Sequence[tuple[datetime, datetime]]
) -> Iterable[tuple[datetime, datetime]]:
    """From where what is bad beyond what is allowed began to add up, to where it ceased to."""
    rate = pl.col("answers") / pl.col("evaluated")
    bad = pl.when(pl.col("evaluated") > 0).then(pl.col("bad") * rate).otherwise(0.0)
    known = pl.when(pl.col("evaluated") > 0).then("answers").otherwise(0.0)
    hours = (
        counts.with_columns(excess=bad - goal.budget * known)
        .group_by("hour").agg(pl.col("excess").sum()).sort("hour")
    )  # fmt: skip
    at = hours["hour"].dt.epoch("us").to_numpy()
    after = hours["excess"].cum_sum().to_numpy()
    before, free = after - hours["excess"].to_numpy(), 0
    for begin, end in spells:
        alarm, over = np.searchsorted(at, [_us(begin), _us(end)])
        first = max(np.searchsorted(at, _us(begin - _reach_back(goal))), free)
        if first >= over:
            continue
        first += int(before[first : max(alarm, first) + 1].argmin())
        late = min(max(alarm - 1, first), over - 1)
        last = late + int(after[late:over].argmax())
        free = last + 1
        yield hours["hour"][int(first)], hours["hour"][int(last)] + timedelta(hours=1)


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _reach_back(goal: Objective) -> timedelta:
    """How long before an alert an incident may have begun: the longest window that it looks at."""
    days = max((alert.window.days for alert in goal.alerts if not alert.quiet), default=3.0)
    return timedelta(days=min(days, 7.0))
