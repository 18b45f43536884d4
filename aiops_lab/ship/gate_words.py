"""What a gate says: each rule in a clause, the verdict in a sentence, and what would settle it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from aiops_lab.ship.behaviour import USED
from aiops_lab.ship.policy import Rule
from aiops_lab.ship.rules import ALPHA, Tested
from aiops_lab.stats.power import questions_needed
from aiops_lab.target.cost_words import percent, spends
from aiops_lab.wording import change, figure, interval, listing, short_name, times

Row = dict[str, Any]


def name(row: Row) -> str:
    """The metric of a rule for people, with its quantile; of a budget, the budget."""
    if row["scale"] == "budget":
        return f"the {short_name(row['rule'])}"
    cap = row["rule"].endswith(" cap") and row["metric"] in USED
    label = USED[row["metric"]].label if cap else row["metric"]
    quantile = row["rule"].removesuffix(" cap").rpartition("_p")[2]
    return f"{label} p{quantile}" if row["scale"].startswith("quantile") else label


def told(row: Row) -> str:
    """A rule's figures: from, to, the value that decides with its interval, the limit."""
    share, limit = row["share"], row["limit"]
    if row["value"] is None:
        return f"not known, limit {_limit(row)}"
    match row["scale"]:
        case "difference":
            ends = " to ".join(figure(row[side], share=share) for side in ("baseline", "candidate"))
            moved = change(row["value"], share=share)
            around = interval(row["low"], row["high"], share=share)
            return f"{ends}, {moved} {around}, limit {_limit(row)}"
        case "ratio" | "quantile ratio":
            around = interval(row["low"], row["high"], digits=3)
            return f"{times(row['value'])} {around} the baseline's, limit {times(limit)}"
        case "budget":
            return f"the change {spent(row)}, limit {_limit(row)}"
    around = interval(row["low"], row["high"], share=share, digits=3)
    return f"{figure(row['value'], share=share)} {around}, limit {_limit(row)}"


def spent(row: Row) -> str:
    """What a change spends of a budget."""
    if row["value"] is None:
        return "not known"
    goal = row["rule"].removeprefix("budget of ")
    return spends(goal, row["value"], row["low"], row["high"])


def told_slice(row: Row) -> str:
    """A slice and how it moved."""
    moved = change(row["difference"], share=row["share"])
    ends = interval(row["low"], row["high"], share=row["share"])
    return f"{row['metric']} in {row['by']} {row['slice']}, {moved} {ends},"


def margins(row: Row, value: float | None) -> float | None:
    """The way from the limit to a value, right of it where kept; from limit to no change is 1."""
    if value is None:
        return None
    limit, ideal = row["limit"], 0.0
    if "ratio" in row["scale"]:
        if value <= 0:
            return None
        value, limit = math.log(value), math.log(limit)
    elif row["scale"] == "mean" and row["direction"] > 0:
        ideal = 1.0 if row["share"] else 2 * limit
    return row["direction"] * (value - limit) / (abs(ideal - limit) or 1.0)


def _room(row: Row) -> float:
    """How far the near end of a rule's interval lies from its limit, in margins."""
    found = margins(row, row["low"] if row["direction"] > 0 else row["high"])
    return math.inf if found is None else found


def told_again(repeated: pl.DataFrame) -> str:
    """How the gate would decide on the baseline asked again (A/A); nothing where not known."""
    if not repeated.height:
        return ""
    row = repeated.row(0, named=True)
    ok, fail = (figure(row[key], share=True) for key in ("ok", "fail"))
    ends = interval(row["low"], row["high"], share=True)
    return f" The baseline asked again passes its own gate in {ok}, fails in {fail} {ends}."


def _limit(row: Row) -> str:
    if row["scale"] == "difference":
        return change(row["limit"], share=row["share"])
    if row["scale"] in ("ratio", "quantile ratio"):
        return times(row["limit"])
    if row["scale"] == "budget":
        return percent(row["limit"])
    return figure(row["limit"], share=row["share"])


def first_rule(metrics: list[str]) -> str:
    """What to write where a policy has no rule, with a metric that there is.

    Examples
    --------
    >>> first_rule(["word match", "accuracy"])
    'Add [gate.metrics.accuracy] with margin = 0.02, say, to lab.toml.'
    >>> first_rule([])
    'Add [gate.metrics.NAME] with a margin or a floor to lab.toml.'
    """
    bare = [each for each in metrics if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", each)]
    if not bare:
        return "Add [gate.metrics.NAME] with a margin or a floor to lab.toml."
    return f"Add [gate.metrics.{bare[0]}] with margin = 0.02, say, to lab.toml."


def verdict(
    status: str, rows: list[Row], blocked: list[str], metrics: list[str]
) -> tuple[str, str]:
    """Headline and next step; `metrics` are those that a rule could be about."""
    if blocked:
        headline = f"These runs cannot be compared: {blocked[0]}."
        return headline, "Mend that and run both again; nothing passes until then."
    if not rows:
        return "Nothing was decided: the policy has no rule that decides.", first_rule(metrics)
    by = {s: [r for r in rows if r["status"] == s] for s in ("fail", "inconclusive", "ok")}
    if status == "fail":
        clauses = "; ".join(
            told(row) if row["scale"] == "budget" else f"{name(row)} {told(row)}"
            for row in by["fail"][:2]
        )
        more = f" and {len(by['fail']) - 2} more" if len(by["fail"]) > 2 else ""
        broken = f"{len(by['fail'])} of {len(rows)} rules {'is' if len(by['fail']) == 1 else 'are'}"
        step = "Read the questions whose score turned, mend it, and run the gate again."
        if all(row["rule"].endswith(" cap") for row in by["fail"]):
            step = (
                "Bring it back under its limit, or raise that on purpose, in a change of its own."
            )
        return f"Do not release: {broken} broken: {clauses}{more}.", step
    if status == "inconclusive":
        # one with figures says more than one without
        worst = max(by["inconclusive"], key=lambda r: (r["value"] is not None, r["p_ok"] or 1.0))
        others = [name(row) for row in by["inconclusive"] if row is not worst]
        more = f" Nor whether {listing(others)} {_keep(others)}." if others else ""
        headline = f"Cannot tell whether {name(worst)} keeps its limit: {told(worst)}.{more}"
        return headline, worst["settle"] or "Ask more questions."
    nearest = min(rows, key=_room)
    kept = f"all {len(rows)} rules are kept; the nearest to its limit is"
    headline = f"Release: {'the rule is kept:' if len(rows) == 1 else kept} {name(nearest)}"
    headline += f"{'' if len(rows) == 1 else ':'} {told(nearest)}."
    return headline, "Nothing in the policy speaks against a release."


def _keep(names: list[str]) -> str:
    return "keeps its own" if len(names) == 1 else "keep theirs"


def settle(rule: Rule, found: Tested, price: float | None, there: Sequence[str] = ()) -> str:
    """What would settle a rule that is inconclusive; `there` is what the runs have figures for."""
    if found.note:
        return f"This cannot be decided: {found.note}."
    if found.n == 0:
        near = difflib.get_close_matches(rule.metric, there, 1)
        hint = f"; the runs have {near[0]}" if near else ""
        return f"Nothing was evaluated: no question has {rule.metric} in both runs{hint}."
    if found.n == 1:
        return "One question settles nothing: ask more."
    if found.least is not None and found.least > ALPHA:
        needed = perfect(rule)
        so_many = f": ask at least {figure(needed, digits=2)}" if needed else ""
        gains = " (fewer do where answers are gained)" if rule.scale == "difference" else ""
        return f"Cannot pass with {found.n} questions even with a perfect record{so_many}{gains}."
    needs = required(rule, found)
    clauses = [
        f"about {figure(n - found.n, digits=2)} more questions if {what}{_cost(n - found.n, price)}"
        for what, n in needs.items()
        if n is not None and n > found.n
    ]
    if not clauses:
        return "Ask more questions: this is close to the limit."
    return f"To settle it (now {found.n}): {' or '.join(clauses)}."


def required(rule: Rule, found: Tested) -> dict[str, int | None]:
    """Questions in all, 4 times in 5 enough: if nothing changed; if the change seen is true."""
    scale = math.log if "ratio" in rule.scale else float
    if found.value is None or found.error is None:
        return {}
    away = {"the change seen is true": scale(found.value) - scale(rule.limit)}
    if rule.scale in ("difference", "ratio", "quantile ratio", "budget"):
        away = {"nothing changed": -scale(rule.limit), **away}
    return {
        what: questions_needed(found.error, found.n, far, sides=1) for what, far in away.items()
    }


def perfect(rule: Rule) -> int | None:
    """The fewest questions with which a perfect record would pass."""
    margin = abs(rule.limit) * (1.0 if rule.budget is None else rule.budget)
    if rule.scale in ("difference", "budget") and 0 < margin < 1:
        return math.floor(math.log(ALPHA) / math.log1p(-margin)) + 1
    share = rule.limit if rule.direction > 0 else 1 - rule.limit
    if rule.scale == "quantile":
        share = rule.quantile or 0.5
    if rule.scale in ("mean", "quantile") and 0 < share < 1:
        return math.floor(math.log(ALPHA) / math.log(share)) + 1
    return None


def _cost(questions: int, price: float | None) -> str:
    return "" if not price else f" (about ${figure(questions * price, digits=2)})"
