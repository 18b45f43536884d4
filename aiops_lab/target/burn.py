"""Which alerts on an error budget fire, what they mean, and how often they fire for nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from aiops_lab.objectives.objective import Alert, Duration, Objective
from aiops_lab.stats.burning import (
    EVIDENCE,
    SUSTAINED,
    Bools,
    Rule,
    Scale,
    began,
    fires,
    scale_of,
    seen,
)
from aiops_lab.stats.paging import TIMES, WEEK, Pages, Service, false_pages
from aiops_lab.target.explain import unreachable
from aiops_lab.target.strata import Strata, strata, why_not
from aiops_lab.wording import figure

TIME = pl.Datetime("us", "UTC")
ALERTS = pl.Schema(
    {
        **dict.fromkeys(("objective", "alert", "severity", "window"), pl.String),
        **dict.fromkeys(("burn_rate", "spends", "bad_rate"), pl.Float64),
        "capped": pl.Boolean, "rate": pl.Float64, "low": pl.Float64, "evaluated": pl.Int64,
        "status": pl.String, "since": TIME, "fired": pl.Int64,
        **dict.fromkeys(("false_every_days", "false_every_low"), pl.Float64),
        **{f"hours_at_{times:g}": pl.Float64 for times in TIMES}, "why": pl.String,
    }
)  # fmt: skip
MOMENTS = pl.Schema({"objective": pl.String, "alert": pl.String, "begin": TIME, "end": TIME})
DEFAULT = (
    ("page", 0.02, Duration(1, "h")),
    ("page", 0.05, Duration(6, "h")),
    ("ticket", 0.1, Duration(3, "d")),
)
"""Share of the budget spent in a window, as of the SRE Workbook (2018), chapter 5."""
GATHERED = "more bad than may be"
TICKETS = ("ticket", "warn", "warning", "info", "low", "minor")
"""Severities for which nobody is woken."""
RECENT = timedelta(days=28)
HOUR = timedelta(hours=1)
LEAST_SHARE = 0.02
"""Of the allowed share: what is bad at least while all is well, where less was seen."""


class Derived(NamedTuple):
    """An alert of an objective with the rule that it comes down to, and why that is not all."""

    name: str
    severity: str
    window: str
    rule: Rule
    capped: bool = False
    why: str = ""
    never: bool = False


@dataclass(frozen=True)
class Burning:
    """The alerts of an objective.

    Attributes
    ----------
    alerts
        objective, alert (its name), severity, window, burn_rate (from which on it fires), spends
        (the share of the budget that burns in its window then), bad_rate (the share of answers that
        is bad then), capped (its burn rate was more than there can be), rate (bad share in the
        window now), low (its lower bound, one-sided 99.7 %), evaluated (answers in the window),
        status (ok: does not fire; fail: fires, and is a page; warn: fires, and is a ticket;
        inconclusive: cannot fire, or too little was evaluated), since (it fires), fired (how often
        it began to in the period), false_every_days (mean time between two for nothing at this
        traffic, null where none was in the simulation), false_every_low (its lower bound, 97.5 %;
        95 % where none was), hours_at_2, hours_at_6, hours_at_15 (median hours until it fires at so
        many times the allowed bad share, null where more than half take over a week), why.
    moments
        objective, alert, begin, end (null: it fires still) of each time an alert fired.
    """

    alerts: pl.DataFrame
    moments: pl.DataFrame


def burning(goal: Objective, counts: pl.DataFrame, at: datetime, *, seed: int = 0) -> Burning:
    """Which alerts of an objective fire, and how far they are to be believed.

    Parameters
    ----------
    goal
        Where it has no alerts, those are taken that spend 2 % of its budget in an hour, 5 % in six
        and 10 % in three days; besides, one by gathered evidence (`stats.burning.gathered`).
    counts
        hour, objective, stratum, n, evaluated, bad, answers (`traffic.counts.counted`).
    at
        When, with its time zone.
    seed
        Of the simulation of false alerts.

    Examples
    --------
    >>> from datetime import UTC
    >>> hours = [datetime(2026, 5, 1 + d, h, tzinfo=UTC) for d in range(14) for h in range(24)]
    >>> counts = pl.DataFrame({"hour": hours}).with_columns(
    ...     objective=pl.lit("kind"), stratum=pl.lit("all"), n=20, evaluated=20, answers=20.0,
    ...     bad=pl.when(pl.col("hour") >= hours[-4]).then(8.0).otherwise(0.0))
    >>> found = burning(Objective("kind", 0.98), counts, datetime(2026, 5, 15, tzinfo=UTC))
    >>> found.alerts.select("alert", pl.col("bad_rate").round(3), "status").rows()[:2]
    [('2 % in 1 hour', 0.269, 'fail'), ('5 % in 6 hours', 0.112, 'fail')]
    """
    begin, end = goal.window.period(at)
    until = min(at, end)
    derived = alerts_of(goal)
    longest = max((timedelta(hours=each.rule.hours) for each in derived), default=RECENT)
    since = min(begin - longest, until - RECENT)
    first = counts.filter(pl.col("objective") == goal.name)["hour"].min()
    if isinstance(first, datetime):
        since = max(since, first)
    scale = scale_of(goal.judge)
    why = why_not(goal) or ("" if scale else "such a judge tells too little, or has no labels")
    known = None if why else strata(goal, counts, since, until)
    if known is None or scale is None:
        why = why or "nothing was evaluated"
        rows = [_row(goal, each) | {"status": "inconclusive", "why": why} for each in derived]
        return Burning(pl.DataFrame(rows, ALERTS), pl.DataFrame(schema=MOMENTS))
    can = [each for each in derived if not each.never]
    pages = false_pages(_service(goal, known, scale), [each.rule for each in can], seed=seed)
    simulated = dict(zip((each.name for each in can), pages, strict=True))
    rows, moments = [], []
    for each in derived:
        row = _row(goal, each)
        found = np.zeros(known.evaluated.shape[1], bool)
        if not each.never:
            found = fires(
                each.rule, known.evaluated, known.bad, goal.budget, weight=known.weight, scale=scale
            )
            row |= _simulated(simulated[each.name])
        own = _moments(goal, each, found, known)
        row |= _now(goal, each, known, scale, bool(found[-1]))
        row["since"] = own[-1]["begin"] if found[-1] else None
        row["fired"] = sum(moment["begin"] > begin for moment in own)
        rows.append(row)
        moments += [moment for moment in own if moment["end"] is None or moment["end"] > begin]
    return Burning(pl.DataFrame(rows, ALERTS), pl.DataFrame(moments, MOMENTS))


def alerts_of(goal: Objective) -> list[Derived]:
    """The alerts of an objective, or those derived where it has none, and one by evidence."""
    period, most = goal.window.length.days, 1 / goal.budget
    found = [_own(alert, goal) for alert in goal.alerts]
    for severity, share, window in () if goal.alerts else DEFAULT:
        if window.days >= period:
            continue
        needed = share * period / window.days
        burn, why = min(max(needed, 1.0), most), ""
        if needed > most:
            why = (
                f"at most the budget burns {figure(most)} times as fast as it may, and "
                f"{figure(needed)} times would spend {100 * share:g} % in {window.told}: it fires "
                "where every answer is bad"
            )
        name = f"{100 * share:g} % in {window.told}"
        rule = Rule(window.days * 24, burn)
        found.append(Derived(name, severity, window.told, rule, needed > most, why))
    return [*found, Derived(GATHERED, "page", "", SUSTAINED)]


def _own(alert: Alert, goal: Objective) -> Derived:
    rule = Rule(alert.window.days * 24, alert.burn_rate, alert.after.days * 24, alert.strict)
    known = Derived(alert.name, alert.severity, alert.window.told, rule)
    if alert.quiet:
        why = "it fires while little is burnt, which is all the time: use gt or gte"
    elif unreachable(alert, goal):
        why = (
            f"it can never fire: with every answer bad the burn rate is {1 / goal.budget:.3g}, "
            f"and it needs {alert.burn_rate:.3g}"
        )
    else:
        return known
    return known._replace(why=why, never=True)


def _row(goal: Objective, each: Derived) -> dict[str, Any]:
    row: dict[str, Any] = {
        "objective": goal.name, "alert": each.name, "severity": each.severity,
        "window": each.window or None, "capped": each.capped, "why": each.why,
    }  # fmt: skip
    if each.rule.burn is None:
        return row
    return row | {
        "burn_rate": each.rule.burn,
        "spends": each.rule.burn * each.rule.hours / 24 / goal.window.length.days,
        "bad_rate": None if each.never else min(each.rule.burn * goal.budget, 1.0),
    }


def _simulated(pages: Pages) -> dict[str, Any]:
    hours = {f"hours_at_{times:g}": h for times, h in zip(TIMES, pages.hours, strict=True)}
    return {"false_every_days": pages.every_days, "false_every_low": pages.low} | hours


def _now(
    goal: Objective, each: Derived, known: Strata, scale: Scale, firing: bool
) -> dict[str, Any]:
    """How the window of an alert stands at the end, and what it comes to."""
    hours = max(round(each.rule.hours), 1)
    last = seen(known.evaluated, known.bad, known.weight, hours)
    n, share, effective = (float(x[-1]) for x in (last.evaluated, last.share, last.effective))
    row: dict[str, Any] = {"evaluated": round(n), "status": "ok"}
    if n > 0:
        row["rate"] = min(max((share - scale.false) / scale.power, 0.0), 1.0)
        low = (float(last.low[-1]) - scale.safe_false) / scale.safe_power
        row["low"] = min(max(low, 0.0), 1.0)
    allowed = float(scale.flags(goal.budget))
    if each.never:
        return row | {"status": "inconclusive"}
    if firing:
        return row | {"status": "warn" if each.severity.lower() in TICKETS else "fail"}
    window = each.window or f"{each.rule.hours / 24:g} days"
    if n == 0:
        why = f"nothing was evaluated in the last {window}"
        return row | {"status": "inconclusive", "why": why}
    if each.rule.burn and allowed**effective >= EVIDENCE:
        least = math.ceil(math.log(EVIDENCE) / math.log(allowed)) if allowed < 1 else math.inf
        why = (
            f"{round(n)} evaluated in the last {window} could not tell, were they all bad: it "
            f"takes {least:,.0f}"
        )
        return row | {"status": "inconclusive", "why": why}
    return row


def _moments(goal: Objective, each: Derived, found: Bools, known: Strata) -> list[dict[str, Any]]:
    begins, ends = (np.flatnonzero(began(own)).tolist() for own in (found, ~found))
    ends = [hour for hour in ends if begins and hour > begins[0]]
    return [
        {"objective": goal.name, "alert": each.name, "begin": known.moment(begin),
         "end": known.moment(ends[i]) if i < len(ends) else None}
        for i, begin in enumerate(begins)
    ]  # fmt: skip


def _service(goal: Objective, known: Strata, scale: Scale) -> Service:
    """The traffic of the last four weeks, and the bad share at which all is well."""
    recent = slice(-round(RECENT / HOUR), None)
    n, m = known.evaluated[:, recent], known.bad[:, recent]
    flags = (m.sum(1) + 0.5) / (n.sum(1) + 1)
    each = np.clip((flags - scale.false) / scale.power, LEAST_SHARE * goal.budget, 1.0)
    answers = known.weight * np.maximum(n.sum(1), 1)
    overall = float(answers @ (m.sum(1) / np.maximum(n.sum(1), 1))) / answers.sum()
    share = max((overall - scale.false) / scale.power, LEAST_SHARE * goal.budget)
    well = share if share <= goal.budget else goal.budget / 2
    each = np.minimum(each * well / (answers @ each / answers.sum()), 1.0)
    return Service(_profile(n), known.weight, each, goal.budget, goal.judge)


def _profile(evaluated: np.ndarray) -> np.ndarray:
    """Mean evaluations of each hour of the week; of the day, or of all, where weeks are few."""
    hours = evaluated.shape[1]
    cycle = WEEK if hours >= 2 * WEEK else 24 if hours >= 48 else 1
    whole = evaluated[:, hours % cycle :] if hours >= cycle else evaluated
    mean = whole.reshape(len(evaluated), -1, cycle).mean(1)
    return np.tile(mean, WEEK // cycle)
