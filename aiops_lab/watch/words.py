"""The verdict on daily figures, in words a person can repeat."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl

from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import day_words, figure, listing

Row = dict[str, Any]
WHOLE = (None, "", "all")
"""What a slice is called that is everything."""


def verdict(
    alarms: pl.DataFrame, power: pl.DataFrame, checks: pl.DataFrame, baseline_days: int
) -> Verdict:
    """One verdict over all series: what shifted, else what would have been found."""
    if alarms.height:
        return _shifted(alarms, checks)
    if (unsettled := checks.filter(check="unsettled")).height:
        return _unsettled(unsettled, checks)
    if power.height:
        return _unshifted(power, checks)
    open_ = checks.filter(status="inconclusive")
    why = [f" ({_name(row)}: {row['detail']})" for row in open_.head(1).to_dicts()]
    headline = f"Cannot tell whether anything shifted: no series could be watched{''.join(why)}."
    step = f"Give {baseline_days} days with traffic and at least one more."
    return Verdict("inconclusive", headline, next_step=step)


def _shifted(alarms: pl.DataFrame, checks: pl.DataFrame) -> Verdict:
    rows = alarms.sort("evidence", descending=True, maintain_order=True).to_dicts()
    first, year = rows[0], max(row["day"] for row in rows).year
    others = f"; {listing(map(_name, rows[1:]))} shifted too" if rows[1:] else ""
    when = _span(first["since_low"], first["since_high"], year)
    at = "on" if first["since_low"] == first["since_high"] else "from"
    meant = anew(first["metric"], first["slice"], first["since"])
    step = f"Look for what changed {at} {when}; {meant}"
    evidence = (
        Evidence(_name(row), row["after"] - row["before"], row["low"], row["high"], None, "warn",
                 row["share"])
        for row in rows
    )  # fmt: skip
    headline = f"{_sentence(first, year)}{others}."
    return Verdict("warn", headline, tuple(evidence), step + _limits(checks))


def _unsettled(unsettled: pl.DataFrame, checks: pl.DataFrame) -> Verdict:
    names = listing(map(_name, unsettled.to_dicts()))
    headline = f"Cannot tell whether {names} shifted, or went no further than such days do."
    step = "Wait a week or two: a shift that stays becomes clear, days like the last turn back."
    return Verdict("inconclusive", headline, (), step + _limits(checks.filter(status="warn")))


def _unshifted(power: pl.DataFrame, checks: pl.DataFrame) -> Verdict:
    rows = power.sort("n", descending=True, maintain_order=True).to_dicts()
    able = [row for row in rows if row["seen"]]
    over = _days(max(row["watched"] for row in rows))
    evidence = tuple(
        Evidence(f"{_name(row)}: evidence of a shift", row["evidence"], limit=1.0,
                 status="ok" if row["seen"] else "inconclusive")
        for row in rows
    )  # fmt: skip
    if not able:
        first = min(rows, key=lambda row: row["days"] or float("inf"))
        headline = (
            f"Cannot tell whether anything shifted: in {over} not even {_change(first)} would "
            "have been found."
        )
        step = "There are too few answers a day: watch fewer, larger slices."
        if first["days"]:
            step = f"Wait: such a shift would be found in about {_days(first['days'])}."
        return Verdict(
            "inconclusive", headline, evidence, step + _limits(checks.filter(status="warn"))
        )
    where = f"of {_name(rows[0])}" if len(rows) == 1 else f"in {len(able)} series"
    where += f" (of {len(rows)} watched)" if len(able) < len(rows) else ""
    first, least = able[0], max(able, key=_size)
    headline = f"No shift {where} over {over}: {_found(first)}"
    if _size(least) > _size(first):
        headline += f", {_found(least)} (the least visible)"
    return Verdict("ok", f"{headline}.", evidence, f"Nothing is to be done.{_limits(checks)}")


def _name(row: Row) -> str:
    whole = row["slice"] in WHOLE
    return row["metric"] if whole else f"{row['metric']} in {row['slice']}"


def _sentence(row: Row, year: int) -> str:
    since, low, high = row["since"], row["since_low"], row["since_high"]
    moved = "rose" if row["direction"] == "up" else "fell"
    slowly = " gradually" if row["gradual"] else ""
    days = "" if low == high else f" ({_span(low, high, year)})"
    where = f", in slice {row['slice']}" if row["slice"] not in WHOLE else ""
    return (
        f"{row['metric']} {moved}{slowly} {_ends(row)} since {day_words(since, year)}{days}{where}"
    )


def _found(row: Row) -> str:
    return f"{_change(row)} would be found in about {_days(row['days'])}"


def _change(row: Row) -> str:
    what = "rise" if row["after"] > row["before"] else "fall"
    return f"a {what} of {_name(row)} {_ends(row)}"


def _ends(row: Row) -> str:
    before, after = (figure(row[side], share=row["share"]) for side in ("before", "after"))
    return f"from {before} to {after}"


def _size(row: Row) -> float:
    """How large a change is, beside what it started from (a rate: beside its rarer side)."""
    start = min(row["before"], 1 - row["before"]) if row["share"] else abs(row["before"])
    return abs(row["after"] - row["before"]) / (start or 1.0)


def _days(count: float) -> str:
    return "1 day" if round(count) == 1 else f"{round(count):,} days"


def _span(first: dt.date, last: dt.date, year: int) -> str:
    if first == last:
        return day_words(first, year)
    same = (first.year, first.month) == (last.year, last.month)
    return f"{first.day if same else day_words(first, year)} to {day_words(last, year)}"


def anew(metric: str, part: Any, since: dt.date) -> str:
    """What to set where a shift was meant.

    Examples
    --------
    >>> anew("refusal", "slice=bookings", dt.date(2026, 10, 20))
    'if it was meant, start anew: restart {"refusal": {"slice=bookings": "2026-10-20"}}.'
    """
    day = str(since)
    given = json.dumps({metric: day if part in WHOLE else {part: day}}, ensure_ascii=False)
    return f"if it was meant, start anew: restart {given}."


def odd_day(day: dt.date, value: float, others: float, share: bool) -> str:
    """What a day of the baseline is that the others do not expect."""
    was, usual = (figure(each, share=share) for each in (value, others))
    told = f"{was} where the other days are about {usual}"
    return f"{day_words(day)} is {told}, which hides smaller shifts: leave it out if you know why"


def moved(day: dt.date, before: float, after: float, share: bool) -> str:
    """How the level of a baseline moved within it."""
    was, is_ = (figure(each, share=share) for each in (before, after))
    told = f"it went from {was} to {is_} about {day_words(day)}"
    return f"{told}, within the baseline, which hides smaller shifts: start anew then (restart)"


def _limits(checks: pl.DataFrame) -> str:
    """Of how many series nothing can be told, and of how many less than could be."""
    told = {
        "Nothing can be told of {} series: see checks.": pl.col("status") == "inconclusive",
        "An odd day in the baseline of {} series hides smaller shifts: see checks, and leave_out.":
        pl.col("check") == "odd day",
        "The baseline of {} series moved itself: see checks, and restart.":
        pl.col("check") == "moved",
    }  # fmt: skip
    counts = {said: checks.filter(own).n_unique(["metric", "slice"]) for said, own in told.items()}
    return "".join(f" {said.format(count)}" for said, count in counts.items() if count)
