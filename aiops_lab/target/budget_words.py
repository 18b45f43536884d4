"""The verdict on error budgets, in words a person can act on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from aiops_lab.stats.settling import Settles
from aiops_lab.stats.slices import SliceShare
from aiops_lab.stats.spent import BadShare, Judge
from aiops_lab.verdict import BADNESS, Evidence, Verdict
from aiops_lab.wording import day_words, figure, interval, listing, short_name

Row = dict[str, Any]


def verdict(rows: Sequence[Row], slices: Collection[str] = ()) -> Verdict:
    """One verdict over all budgets: the worst first; those called `slices` are of slices."""
    if not rows:
        step = "Write what you promise as [[slo]] in lab.toml (docs/objectives.md)."
        return Verdict(
            "inconclusive", "Nothing is promised yet: there are no objectives.", (), step
        )
    evidence = tuple(
        Evidence(f"spent of {short_name(row['name'])}", row["spent"], row["low"], row["high"], 1.0,
                 row["status"])
        for row in rows
    )  # fmt: skip
    ranked = sorted(rows, key=lambda row: (-BADNESS.index(row["status"]), -(row["spent"] or 0)))
    worst, status = ranked[0], ranked[0]["status"]
    told = _told(worst, "slices" if worst["name"] in slices else "answers")
    names = listing((short_name(row["name"]) for row in ranked[1:] if row["status"] == status), 4)
    name = short_name(worst["name"])
    if status == "fail":
        step = "Stop risky releases until it is back within its budget; ship fixes alone."
        others = f" So is that of {names}." if names else ""
        return Verdict("fail", f"The budget of {name} is spent: {told}{others}", evidence, step)
    if status == "inconclusive":
        others = f" Nor of {names}." if names else ""
        if worst["spent"] is None:
            headline = f"Cannot tell how {name} stands: {worst['why']}."
            step = "Evaluate some of its answers, or mend what is missing."
            return Verdict("inconclusive", f"{headline}{others}", evidence, step)
        step = f"{worst['why'][:1].upper()}{worst['why'][1:]}."
        headline = f"Cannot tell whether the budget of {name} is spent: {told}{others}"
        return Verdict("inconclusive", headline, evidence, step)
    headline = f"No budget is spent. {name} is nearest to it: {told}"
    return Verdict("ok", headline, evidence, _soon(ranked))


def _soon(rows: Sequence[Row]) -> str:
    """What to do while no budget is spent: something where one is foreseen to run out."""
    soon = [row for row in rows if row.get("exhausted_on") is not None]
    if not soon:
        return "Nothing is to be done."
    first = min(soon, key=lambda row: row["exhausted_on"])
    day = first["exhausted_on"]
    chance = figure(first["p_exhausted"], share=True)
    return (
        f"Find out what spends it: {short_name(first['name'])} is foreseen to run out on "
        f"{day_words(day)} (before the period ends with a chance of {chance})."
    )


def undecided(share: BadShare, settled: Settles | None) -> str:
    """What would tell whether a budget is spent."""
    seen = f"{share.evaluated:,} evaluated answers cannot tell"
    if isinstance(share, SliceShare):
        return _undecided_slices(share, seen)
    if settled is None:
        return f"{seen}: look at its parts"
    more = sum(settled.evaluations or ())
    if settled.evaluations is not None and more:
        return f"{seen}; about {figure(more, digits=2)} more would, if it stands as it seems"
    if settled.labels:
        return (
            f"{seen}, and more of them would not: about {figure(settled.labels, digits=2)} more "
            f"{settled.label} answers that people labelled would, by what they tell of the judge"
        )
    if share.missing:
        return f"{seen}: {share.missing:,} evaluations are missing, each good or bad"
    return f"{seen}, nor would more: it is too near to the limit"


def few_labels(judge: Judge, fewest: int) -> str:
    """How many labelled answers a judge lacks; empty where it has enough."""
    lacks = [
        f"{fewest - have} more {what}"
        for what, have in (("bad", judge.positives), ("good", judge.negatives)) if have < fewest
    ]  # fmt: skip
    if not lacks:
        return ""
    return (
        f"the judge was checked on {judge.positives} labelled bad and {judge.negatives} good "
        f"answers, which hardly tells its errors: label {listing(lacks)} ones"
    )


def _undecided_slices(share: SliceShare, seen: str) -> str:
    if share.judge is not None:
        return f"{seen}: evaluate more of each slice, or label more answers for the judge"
    if share.evaluated + share.missing < share.answers:
        unseen = f", and in {share.unseen:,} there is none" if share.unseen else ""
        return f"{seen} in {share.slices:,} slices{unseen}; all {share.answers:,} evaluated would"
    return f"{seen}: {share.missing:,} evaluations are missing, each good or bad"


def _told(row: Row, what: str) -> str:
    if row["spent"] is None:
        return ""
    return (
        f"{figure(row['spent'], share=True)} {interval(row['low'], row['high'], share=True)}; "
        f"{figure(row['good'], share=True)} of {what} are good where "
        f"{100 * row['target']:.8g} % are promised."
    )
