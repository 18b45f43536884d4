"""The verdict on a model's decisions, in words a person can repeat."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl

from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import change, day_words, figure, interval, listing, short_name

Row = dict[str, Any]
AS_OTHERS = "carriers as at other times"
WEEKS = 4
POINT = 0.005
CLOSE = (0.7, 1.3)


def without(day: dt.date) -> str:
    """What was tried: the model fitted again."""
    return f"fitted again without {day:%A} {day_words(day)}"


def nothing(why: str) -> Verdict:
    """What is said of a lab without decisions."""
    return Verdict(
        "inconclusive", f"Cannot tell whether decisions follow a calendar: {why}.",
        next_step="Ingest a table with the columns at and chosen, a row a decision.",
    )  # fmt: skip


def reproduced(key: Row, modelled: float, seen: float) -> tuple[str, str, str]:
    """A check: how much of a pattern the model makes at all."""
    part = modelled / seen if seen else 0.0
    made, whole = change(modelled, share=True), change(seen, share=True)
    option = short_name(key["option"])
    said = f"the model makes {made} of the {whole} seen for {option} in {key['phase']}"
    return "model", "ok" if CLOSE[0] <= part <= CLOSE[1] else "warn", said


def verdict(
    patterns: pl.DataFrame, carriers: pl.DataFrame, origin: pl.DataFrame,
    counterfactual: pl.DataFrame, settings: Row,
) -> Verdict:  # fmt: skip
    """One verdict: the largest pattern with what carries it, else what would have been found."""
    large = patterns.filter(pl.col("effect").abs() >= settings["least"])
    evidence = tuple(
        Evidence(f"{row['option']}, {row['phase']}", row["effect"], row["low"], row["high"], None,
                 "warn" if abs(row["effect"]) >= settings["least"] else "ok", True)
        for row in patterns.to_dicts()
    )  # fmt: skip
    if large.height:
        return _pattern(large.to_dicts(), carriers, origin, counterfactual, evidence)
    return _none(patterns, evidence, settings)


def _pattern(
    rows: list[Row], carriers: pl.DataFrame, origin: pl.DataFrame, tried: pl.DataFrame,
    evidence: tuple[Evidence, ...],
) -> Verdict:  # fmt: skip
    first = rows[0]
    mine = pl.lit(True)
    for name in ("option", "calendar", "phase"):
        mine &= pl.col(name) == first[name]
    own, tests = carriers.filter(mine), tried.filter(mine)
    names = [short_name(name) for name in own.filter("carries")["feature"]]
    lost = tests.filter(~pl.col("holds"))
    sentences = [_sentence(first)]
    rest = [f"{short_name(row['option'])} {change(row['effect'], share=True)}" for row in rows[1:]
            if (row["calendar"], row["phase"]) == (first["calendar"], first["phase"])]  # fmt: skip
    if rest:
        sentences.append(f"Beside it: {listing(rest)}.")
    step = "Look at what differs then: log the features of these decisions, or give the model."
    if names and not lost.height:
        share = min(float(own.filter("carries")["share"].sum()), 1.0)
        carry = "carries" if len(names) == 1 else "carry"
        sentences.append(f"{listing(names)} {carry} {figure(share, share=True)} of it.")
        step = f"Fit the model again without {listing(names)}, or with more weeks, and look again."
    if lost.height:
        row = lost.row(0, named=True)
        removed = figure(max(row["removed"], 0), share=True)
        sentences.append(f"What carries it is not known: {row['what']}, only {removed} of it goes.")
        step = "Look for an input that the model uses and that was not logged."
    known = origin.filter(mine, pl.col("p_value") <= 0.05)
    if known.height and names and not lost.height:
        row = known.row(0, named=True)
        day = row["day"]
        sentences.append(
            f"Learned from {day:%A} {day_words(day)}, when {short_name(row['option'])} failed "
            f"{figure(row['failed'], share=True)} against "
            f"{figure(row['failed_otherwise'], share=True)}."
        )
        step = f"Fit the model again without {day:%A} {day_words(day)}, then look again."
    return Verdict("warn", " ".join(sentences), evidence, step)


def _sentence(row: Row) -> str:
    when = {"week": f"On {row['phase']}s", "hour": f"From {row['phase']} on, for an hour,",
            "month": f"On {row['phase']} of the month",
            "month end": f"On the month's day {row['phase']}"}.get(
        row["calendar"], f"Every {row['period_days']:.0f} days (day {row['phase']})"
    )  # fmt: skip
    since = row["since"]
    return (
        f"{when} {short_name(row['option'])} gets {figure(row['on'], share=True)} of the decisions "
        f"instead of {figure(row['otherwise'], share=True)}: {change(row['effect'], share=True)} "
        f"{interval(row['low'], row['high'], share=True)}, since {day_words(since)}."
    )


def _none(patterns: pl.DataFrame, evidence: tuple[Evidence, ...], settings: Row) -> Verdict:
    days, visible, margin = settings["days"], settings["visible"], settings["margin"]
    options = settings["options"]
    if len(options) < 2:
        return Verdict(
            "inconclusive", f"Cannot tell: {short_name(options[0])} was always chosen.", evidence,
            "Give decisions among two options or more.",
        )  # fmt: skip
    asked, each = _looked_for(settings["periods"])
    if visible is None:
        last = max(settings["periods"] or [7])
        weeks = max(1, math.ceil((WEEKS * last - days) / 7))
        pattern, takes = f"a pattern of {last} days", f"{WEEKS * last} days"
        if last == 7:
            pattern, takes = "a weekly pattern", f"{WEEKS} weeks"
        return Verdict(
            "inconclusive",
            f"Cannot tell yet: {days} {_plural(days, 'day')} of decisions, and {pattern} takes "
            f"{takes} or more.",
            evidence, f"Look again after {weeks} more {_plural(weeks, 'week')}.",
        )  # fmt: skip
    least = change(settings["least"], share=True, sign=False)
    small = f"; the {patterns.height} found move less than {least}" if patterns.height else ""
    seen = change(max(visible, POINT), share=True, sign=False)
    if visible > margin:
        weeks = max(1, math.ceil(days / 7 * ((visible / margin) ** 2 - 1)))
        return Verdict(
            "inconclusive",
            f"Cannot tell yet whether a share follows {asked}: in {days} days only {each} "
            f"that lies {seen} apart would have been found{small}.",
            evidence,
            f"Look again after {weeks} more {_plural(weeks, 'week')}: then "
            f"{change(margin, share=True, sign=False)} can be seen.",
        )  # fmt: skip
    return Verdict(
        "ok",
        f"No share follows {asked} in {days} days: {each} that lies {seen} apart would "
        f"have been found{small}.",
        evidence, "Nothing is to be done.",
    )  # fmt: skip


def _looked_for(periods: list[int] | None) -> tuple[str, str]:
    """What a share may follow, and the day that has to be visible in it, in words."""
    if periods is None:
        return "the calendar", "a weekday"
    if periods == [7]:
        return "the week", "a weekday"
    first, last = periods[0], periods[-1]
    told = f"{first} to {last}"
    if len(periods) < 3 or len(periods) <= last - first:
        told = " or ".join(filter(None, [", ".join(map(str, periods[:-1])), str(last)]))
    return f"a period of {told} days", f"one day in {last}"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
