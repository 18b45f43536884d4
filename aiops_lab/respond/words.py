"""What a triage says, in sentences that can be acted on."""

from __future__ import annotations

from typing import Any

from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import change, interval, listing, short_name

ROLLBACK = {
    "prompt": "go back to prompt {old}", "model": "route to model {old}",
    "provider": "pin the model's version or fail over to another provider",
    "index": "serve index {old}", "retrieval": "go back to retrieval settings {old}",
    "parser": "go back to parser {old}", "tool": "turn the tool off or go back to {old}",
    "code": "roll back to release {old}", "scorer": "score again with scorer {old}",
    "traffic": "answer the slices that grew better, or set their own target",
    "nothing": "watch on",
}  # fmt: skip
LOW, APART = 0.6, 0.2
"""Below so much, or so near to the second, nobody is named."""
SURE = 0.9
"""Below so much, who is named is called likely, and asked before anything is undone."""


def name_of(row: dict[str, Any]) -> str:
    """A suspect in a sentence."""
    if row["artefact"] == "traffic":
        return "the traffic (what users ask)"
    if row["artefact"] == "nothing":
        return "nothing that changed (chance)"
    if row["at"] is None:
        return f"a change of the {row['artefact']} that nobody logged"
    own = short_name(row["name"]) if row["name"] not in (None, row["artefact"]) else ""
    version = short_name(row["version"]) if row["version"] else ""
    what = " ".join(filter(None, [row["artefact"], own, version]))
    return f"{what} of {row['at'].day} {row['at']:%b}{'' if row['logged'] else ' (not logged)'}"


def verdict_of(rows: list[dict[str, Any]], told: dict[str, Any]) -> Verdict:
    """The verdict: who did it, or between whom it is undecided.

    Parameters
    ----------
    rows
        Suspects, the likeliest first.
    told
        metric, where, share (it is a rate), move, low, high, replayed (which showed the first).
    """
    first, second = rows[0], rows[1]
    what = short_name(told["metric"])
    part = "" if told["where"] == "all" else f" in {short_name(told['where'].replace('=', ' ', 1))}"
    move = f"{what}{part} moved by {change(told['move'], share=told['share'])} "
    move += interval(told["low"], told["high"], share=told["share"])
    evidence = tuple(
        Evidence(name_of(row), round(row["probability"], 4), limit=LOW) for row in rows[:5]
    )
    if told["low"] <= 0 <= told["high"]:
        return Verdict(
            "inconclusive", f"Cannot tell who did it: {move}, which may be nothing.", evidence,
            "Widen the window, or wait for more requests.",
        )  # fmt: skip
    if first["probability"] < LOW or first["probability"] - second["probability"] < APART:
        likely = [f"{name_of(row)} ({percent(row['probability'])})" for row in rows[:3]]
        cheap = _cheapest(rows)
        return Verdict(
            "inconclusive", f"Undecided: {move}; it may be {listing(likely)}.", evidence,
            f"To settle it, {cheap}.",
        )  # fmt: skip
    sure = first["probability"] >= SURE or told["replayed"]
    did = f"{'' if sure else 'most likely '}did it ({percent(first['probability'])})"
    headline = f"{_capital(name_of(first))} {did}: {move}."
    if first["artefact"] == "nothing":
        return Verdict("inconclusive", f"Nothing that changed explains it: {move}.", evidence,
                       f"To settle it, {first['next_experiment']}.")  # fmt: skip
    undo = ROLLBACK[first["artefact"]].format(old=short_name(first["from_version"] or "of before"))
    if told["replayed"]:
        return Verdict("warn", f"{headline} A replay shows it too.", evidence, f"{_capital(undo)}.")
    asked = first["next_experiment"]
    step = f"{undo}; to be sure, {asked}" if sure else f"{asked}; if that shows it, {undo}"
    return Verdict("warn", headline, evidence, f"{_capital(step)}.")


def _cheapest(rows: list[dict[str, Any]]) -> str:
    """The experiment on one of the likeliest two that costs least."""
    likely = [row for row in rows[:2] if row["artefact"] not in ("traffic", "nothing")] or rows[:1]
    cost = [row["cost_usd"] if row["cost_usd"] is not None else float("inf") for row in likely]
    return likely[cost.index(min(cost))]["next_experiment"]


def size_words(row: dict[str, Any]) -> str:
    """A row of evidence: how far a figure stepped, with its interval."""
    ends = interval(row["low"], row["high"], share=row["share"])
    return f"{change(row['difference'], share=row['share'])} {ends}"


def percent(value: float) -> str:
    """A probability in a sentence."""
    return "over 99 %" if value > 0.99 else "under 1 %" if value < 0.01 else f"{100 * value:.0f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
