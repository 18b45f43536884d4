"""What shifts of decisions say in a sentence, and what all of them say together."""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.watch.words import anew
from aiops_lab.wording import change, day_words, figure, interval, short_name

Row = dict[str, Any]
SHARE, OUTCOME, ATTRIBUTION = "share", "outcome", "attribution"


def nothing(why: str) -> Verdict:
    """What is said of a lab without decisions."""
    return Verdict(
        "inconclusive", f"Cannot tell whether decisions shifted: {why}.",
        next_step="Ingest a table with the columns at and chosen, a row a decision.",
    )  # fmt: skip


def verdict(events: pl.DataFrame, watched: Verdict) -> Verdict:
    """One verdict: early warnings first, then what shifted, else what would have been found."""
    rows = events.filter(pl.col("kind") != "day", ~pl.col("minor")).to_dicts()
    days = events.filter(pl.col("kind") == "day").to_dicts()
    minor = events.filter("minor", pl.col("kind") != "day").height
    single = f" {sentence(days[0])}" if len(days) == 1 else ""
    if days[1:]:
        single = f" On {len(days)} single days a share lay apart."
    if not rows and minor:
        headline = f"Nothing shifted by much; {minor} small shift{'s' * (minor > 1)} can be seen."
        return Verdict("ok", headline + single, watched.evidence, "Nothing is to be done.")
    if not rows:
        return Verdict(
            watched.status, watched.headline + single, watched.evidence, watched.next_step
        )
    evidence = tuple(
        Evidence(name(row), row["after"] - row["before"], row["low"], row["high"], None,
                 "ok" if row["kind"] == "day" else "warn", row["share"])
        for row in (*rows, *days)
    )  # fmt: skip
    first = rows[0]
    part = f"option={first['option']}"
    part += f", feature={first['feature']}" if first["feature"] else ""
    meant = anew(first["what"], part, first["since"])
    told = [sentence(first), f"{len(rows) - 1} more shifted."][: len(rows)]
    step = (
        f"Look for what changed on {day_words(first['since'])}: a release of the model, another "
        f"mix of requests; {meant}"
    )
    if first["early"]:
        told[0] = f"Early warning: {told[0][0].lower()}{told[0][1:-1]}, and neither its share nor "
        told[0] += "its outcomes moved."
        step = (
            f"Look at {short_name(first['feature'])} from {day_words(first['since'])} on: its "
            f"source, its unit, what is missing of it; {meant}"
        )
    return Verdict("warn", " ".join(told) + single, evidence, step)


def name(row: Row) -> str:
    """What moved, in a few words."""
    option = short_name(row["option"])
    if row["what"] == ATTRIBUTION:
        return f"what {short_name(row['feature'])} adds for {option}"
    return f"{'share' if row['what'] == SHARE else 'outcomes'} of {option}"


def sentence(row: Row) -> str:
    """An event: what moved, how, how far and since when."""
    ends = [figure(row[side], share=row["share"]) for side in ("before", "after")]
    size = (
        f"{change(row['after'] - row['before'], share=row['share'])} "
        f"{interval(row['low'], row['high'], share=row['share'])}"
    )
    what = name(row)
    what = f"{what[0].upper()}{what[1:]}"
    if row["what"] == OUTCOME and row["share"]:
        what = f"Success of {short_name(row['option'])}"
    if row["kind"] == "day":
        when = day_words(row["day"])
        return f"{what} was {ends[1]} instead of {ends[0]} on {when} alone: {size}."
    verb = "rose" if row["after"] > row["before"] else "fell"
    slowly = " slowly" if row["kind"] == "drift" else ""
    low, high = row["since_low"], row["since_high"]
    span = "" if low == high else f" ({day_words(low, high.year)} to {day_words(high)})"
    since = day_words(row["since"])
    now = ""
    if row["now"] is not None and row["kind"] == "drift":
        now = f"; it is {figure(row['now'], share=row['share'])} now"
    return f"{what} {verb}{slowly} from {ends[0]} to {ends[1]}, {size}, since {since}{span}{now}."
