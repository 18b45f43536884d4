"""What a change costs of a budget, in words a person can act on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiops_lab.objectives.objective import Objective
from aiops_lab.stats.weighted import Rise
from aiops_lab.verdict import Evidence, Status, Verdict
from aiops_lab.wording import MINUS, figure, listing, short_name

Ends = tuple[float | None, float | None, float | None]


def percent(value: float | None) -> str:
    """A share of a budget.

    Examples
    --------
    >>> percent(0.2612), percent(-0.0312), percent(31.4), percent(0.0)
    ('26 %', '−3.1 %', '3,140 %', '0 %')
    """
    return "not known" if value is None else f"{_number(value)} %"


def _number(value: float) -> str:
    hundred = 100 * value
    text = f"{hundred:,.0f}" if abs(hundred) >= 9.95 else f"{hundred:.2g}"
    text = text if abs(hundred) >= 0.01 else "0"
    return text.replace("-", MINUS)


def between(low: float | None, high: float | None) -> str:
    """An interval of such a share.

    Examples
    --------
    >>> between(0.09, 0.44)
    '(9 to 44 %)'
    """
    if low is None or high is None:
        return "(no interval)"
    return f"({_number(low)} to {_number(high)} %)"


def short(goal: Objective) -> str:
    return short_name(goal.name)


def spends(name: str, share: float | None, low: float | None, high: float | None) -> str:
    """What a change does, as it stands after "this change".

    Examples
    --------
    >>> spends("grounded answers", 0.26, 0.09, 0.44)
    'spends 26 % of the budget of grounded answers (9 to 44 %)'
    """
    what = f"of the budget of {short_name(name)}"
    if share is not None and share < 0:
        ends = between(None if high is None else -high, None if low is None else -low)
        return f"saves {percent(-share)} {what} {ends}"
    return f"spends {percent(share)} {what} {between(low, high)}"


def unasked(share: float, by: str, values: Iterable[str]) -> str:
    """What part of the traffic no question is about."""
    return (
        f"{percent(share)} of the traffic has no question ({by} {listing(map(short_name, values))})"
    )


def unknown(goal: Objective, why: str) -> Verdict:
    """The verdict where nothing can be told."""
    step = "Mend that, and compare the runs again."
    if "has no question" in why:
        step = "Ask questions of that part of the traffic too, or weight by another column."
    headline = f"Cannot tell what this change costs of the budget of {short(goal)}: {why}."
    return Verdict("inconclusive", headline, (_evidence(goal, (None, None, None), "inconclusive"),),
                   step)  # fmt: skip


def verdict(
    goal: Objective, rise: Rise, ends: Ends, visible: float | None, told: dict[str, Any]
) -> Verdict:
    """What a change costs, and what would settle it."""
    share, low, high = ends
    name, n = short(goal), rise.moves.n
    seen = f"{n:,} questions show {percent(visible)} of it 4 times in 5"
    status: Status = "inconclusive"
    step = f"{seen}: ask more to see less."
    if low is None or high is None:
        headline = f"Cannot tell what this change costs of the budget of {name}"
        return Verdict(status, f"{headline}: {n} questions are too few.", (), "Ask more questions.")
    if rise.moves.up == rise.moves.down == 0:
        headline = (
            f"No question turned good or bad: at most {percent(high)} of the budget of {name} "
            f"can be spent by this change."
        )
    elif low > 0:
        status, headline = "warn", f"This change {spends(goal.name, *ends)}."
        step = "Read the questions that turned bad; release it only if that is worth its price."
    elif high < 0:
        status, headline = "ok", f"This change {spends(goal.name, *ends)}."
        step = "Nothing of this budget speaks against a release."
    else:
        headline = (
            f"Cannot tell whether this change spends of the budget of {name} or saves: "
            f"{percent(share)} {between(low, high)}."
        )
        if rise.needed:
            so_many = f"About {figure(rise.needed, digits=2)} questions"
            step = f"{so_many} would tell if it is as it seems; {seen}."
    if status == "inconclusive":
        thin = [note for note in told["notes"] if note.endswith("ask more there first")]
        step += "".join(f" Mind that {note}." for note in thin)
    notes = [note for note in told["notes"] if "of the traffic has no question" in note]
    if notes:
        alone = percent(told["unasked"] * told["remaining"] / goal.budget)
        step += f" Mind that {notes[0]}: were all of it to turn bad, that alone spends {alone}."
    return Verdict(status, headline, (_evidence(goal, ends, status),), step)


def _evidence(goal: Objective, ends: Ends, status: Status) -> Evidence:
    return Evidence(f"share of the budget of {short(goal)}", *ends, status=status)
