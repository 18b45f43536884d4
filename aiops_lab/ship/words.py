"""The verdict of a comparison, in words a person can repeat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from aiops_lab.ship import decide
from aiops_lab.ship.behaviour import USED
from aiops_lab.ship.preflight import way_on
from aiops_lab.stats.power import questions_needed, smallest_seen
from aiops_lab.verdict import BADNESS, Evidence, Status, Verdict
from aiops_lab.wording import change, figure, interval, listing, times

Row = dict[str, Any]
COSTS = ("tokens_out", "cost_usd", "latency_s")
CAUSES = ("model", "prompt_version")
MUCH = 0.1
"""A change of cost or tokens by more than this share is pointed out."""


def verdict_of_several(candidates: dict[str, dict[str, pl.DataFrame]]) -> Verdict:
    """The verdict of the one candidate, or of the best of several."""
    verdicts = {
        run: verdict(
            own["metrics"], own["slices"], own["behaviour"], own["preflight"], own["changes"]
        )
        for run, own in candidates.items()
    }
    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    first = next(iter(candidates.values()))["metrics"]["metric"][0]
    gain = pl.col("direction") * pl.col("difference")
    gains = {
        run: own["metrics"].filter(metric=first).select(gain).to_series().sum()
        for run, own in candidates.items()
    }
    best = min(verdicts, key=lambda run: (BADNESS.index(verdicts[run].status), -gains[run]))
    told = verdicts[best]
    step = " How surely it is the best of them, rank_runs tells."
    return Verdict(
        told.status,
        f"Of {len(verdicts)} candidates {best} looks best. {told.headline}",
        tuple(
            replace(each, name=f"{run}: {each.name}")
            for run, found in verdicts.items()
            for each in found.evidence
        ),
        told.next_step + step,
    )


def verdict(
    metrics: pl.DataFrame,
    slices: pl.DataFrame,
    behaviour: pl.DataFrame,
    checks: pl.DataFrame,
    changes: pl.DataFrame,
) -> Verdict:
    """One verdict over all metrics.

    Without a margin a slice that clearly lost makes it warn: a collapse can hide in a mean that
    did not move. A preflight check that is inconclusive overrides everything.
    """
    rows = metrics.to_dicts()
    worst = _worst(rows)
    overall = {row["metric"]: row["moved"] for row in rows}
    clear = _clear(slices)
    apart = [s for s in clear if s["moved"] != overall[s["metric"]]]
    lost = [s for s in apart if s["moved"] == "worse"] or _steeper(clear, worst)
    if (margin := worst["limit"]) is not None:
        lost = [s for s in clear if decide.status(s, abs(margin)) == "fail"]
    blocked = checks.filter(pl.col("status") == "inconclusive")["detail"].to_list()
    status: Status = "inconclusive" if blocked else worst["status"]
    if worst["limit"] is None and lost and not blocked:
        status = "warn"
    if blocked:
        headline = f"These runs cannot be compared: {blocked[0]}."
        usual = "Run both over the same questions with the same targets, then compare again."
        step = way_on(checks, usual)
    else:
        headline = "; ".join(_clauses(rows, worst, apart)) + "."
        step = _next(status, worst, lost) + _doubts(checks) + _price(behaviour)
        step += _cause(changes) if status in ("warn", "fail") else ""
    evidence = (
        Evidence(
            r["metric"], r["difference"], r["low"], r["high"], r["limit"], r["status"], r["share"]
        )
        for r in rows
    )
    return Verdict(status, headline, tuple(evidence), step)


def _worst(rows: list[Row]) -> Row:
    """The metric that decides: a loss first, then (with a margin) what is open, then a gain."""
    with_margin = ("fail", "inconclusive", "ok")
    order = ("warn", "ok", "inconclusive") if rows[0]["limit"] is None else with_margin
    return min(rows, key=lambda row: order.index(row["status"]))


def _clear(slices: pl.DataFrame) -> list[Row]:
    clear = slices.filter(pl.col("moved") != "no clear change")
    return clear.sort("p_adjusted", nulls_last=True, maintain_order=True).to_dicts()


def _steeper(clear: list[Row], whole: Row) -> list[Row]:
    """The slices that lost clearly more than the whole did, the steepest first."""
    own = [s for s in clear if s["moved"] == "worse" and s["metric"] == whole["metric"]]
    found = [s for s in own if not s["low"] <= whole["difference"] <= s["high"]]
    return sorted(found, key=lambda s: s["difference"] * s["direction"])


def _clauses(rows: list[Row], worst: Row, apart: list[Row]) -> list[str]:
    """The loss that matters most first, then the whole, then what else moved."""
    lost = [s for s in apart if s["moved"] == "worse"]
    gained = [s for s in apart if s["moved"] == "better"]
    whole = worst
    if worst["limit"] is None and worst["status"] != "warn" and lost:
        first = lost.pop(0)
        whole = next(row for row in rows if row["metric"] == first["metric"])
        clauses = [f"{_name(first)} got worse: {_told(first)}", f"overall {_brief(whole)}"]
    else:
        clauses = [_sentence(worst)]
    others = [row for row in rows if row is not whole and row["moved"] != "no clear change"]
    return clauses + [f"{_name(row)} {_brief(row)}" for row in lost[:1] + gained[:1] + others[:1]]


def _sentence(row: Row) -> str:
    name, told = row["metric"], _told(row)
    if row["limit"] is not None:
        match row["status"]:
            case "fail":
                return f"{name} got worse by more than is accepted: {told}"
            case "ok":
                return f"No metric lost more than is accepted; {name}: {told}"
        return f"Cannot tell whether {name} lost more than is accepted: {told}"
    if row["moved"] == "no clear change":
        return f"Cannot tell whether {name} changed: {told}"
    return f"{name} got {row['moved']}: {told}"


def _name(row: Row) -> str:
    return f"{row['metric']} in {row['by']} {row['slice']}" if "slice" in row else row["metric"]


def _told(row: Row) -> str:
    """From, to, difference, interval, limit."""
    share = row["share"]
    ends = [figure(row[side], share=share) for side in ("baseline", "candidate")]
    text = f"{ends[0]} to {ends[1]}, {_brief(row)}"
    if row.get("limit") is not None:
        text += f", limit {change(row['limit'], share=share, sign=False)}"
    return text


def _brief(row: Row) -> str:
    ends = interval(row["low"], row["high"], share=row["share"])
    return f"{change(row['difference'], share=row['share'])} {ends}"


def _next(status: Status, worst: Row, lost: list[Row]) -> str:
    if status in ("warn", "fail"):
        where = f" Start with {_name(lost[0])}" if lost else ""
        if lost and worst["moved"] == "worse":  # the headline is about the whole
            where += f": {_brief(lost[0])}"
        where += "." if lost else ""
        return f"Do not release yet: read the questions whose score turned.{where}"
    if status == "ok" and lost:
        return f"The whole is within the margin, but look at {_name(lost[0])} before releasing."
    if status == "ok":
        return "Nothing here speaks against a release."
    if worst["n"] == 1:
        return "One question settles nothing: ask more."
    n, error = worst["n"], worst["standard_error"]
    if worst["standard_error"] is None:
        return f"Ask more questions: {worst['n']} that all moved alike leave too much open."
    if worst["limit"] is None and not worst["difference"]:
        least = change(smallest_seen(error), share=worst["share"], sign=False)
        return f"With {worst['n']} questions only changes from about {least} on would show."
    if worst["limit"] is None:
        needed = questions_needed(error, n, worst["difference"])
        return _more(worst["n"], {"the change seen is true": needed})
    away = (worst["difference"] or 0.0) - worst["limit"]
    return _more(
        worst["n"],
        {
            "nothing changed": questions_needed(error, n, worst["limit"]),
            "the change seen is true": questions_needed(error, n, away),
        },
    )


def _more(n: int, needed: dict[str, int | None]) -> str:
    """How many questions would settle it, under each assumption."""
    told = [
        f"about {figure(max(count - n, 1), digits=2)} more questions if {what}"
        for what, count in needed.items()
        if count is not None
    ]
    return f"To settle it (now {n}): {', or '.join(told)}."


def _doubts(checks: pl.DataFrame) -> str:
    """The first warning of the preflight, which every figure rests on."""
    doubts = checks.filter(pl.col("status") == "warn")["detail"].to_list()
    return f" First make sure of this: {doubts[0]}." if doubts else ""


def _cause(changes: pl.DataFrame) -> str:
    """What the logs say was changed, where it is short enough to say."""
    rows = changes.drop_nulls().filter(pl.col("what").is_in(CAUSES))
    told = [f"{what.removesuffix('_version')} {old} to {new}" for *_, what, old, new in rows.rows()]
    return f" What was changed: {listing(told)}." if told else ""


def _price(behaviour: pl.DataFrame) -> str:
    """What the change does to tokens, cost and latency, where it is large and certain."""
    large = (pl.col("ratio_low") > 1 + MUCH) | (pl.col("ratio_high") < 1 - MUCH)
    rows = behaviour.filter(pl.col("metric").is_in(COSTS) & large)
    told = [
        f"{USED[metric].label} {times(by)}" for metric, by in rows.select("metric", "ratio").rows()
    ]
    return f" Note {listing(told)} as before." if told else ""
