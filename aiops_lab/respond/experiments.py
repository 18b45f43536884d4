"""What would settle who did it: which replay, of how many requests, at what cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aiops_lab.respond.suspects import Suspect
from aiops_lab.wording import short_name

POWER = 0.84 + 1.96
"""Normal quantiles of a power of 80 % at a level of 5 %."""
FEWEST, MOST = 20, 5_000
REPLAYS = {
    "prompt": "answer {n} logged requests with prompt {old} and with {new}",
    "model": "answer {n} logged requests with model {old} and with {new}",
    "provider": "answer {n} logged requests at the provider now, and with a model that is pinned "
    "or another provider's",
    "index": "retrieve for {n} logged requests from index {old} and from {new}, and answer both",
    "retrieval": "retrieve for {n} logged requests with settings {old} and with {new}, and answer "
    "both",
    "parser": "parse the raw answers of {n} logged requests with parser {old} and with {new}",
    "tool": "make the tool calls of {n} logged requests again and compare the results with those "
    "logged",
    "code": "answer {n} logged requests with release {old} and with {new}",
    "scorer": "score {n} logged answers with scorer {old} and with {new}",
}
FREE = frozenset({"parser", "tool"})
"""They need no call of a model."""
OTHERWISE = {
    "traffic": "none needs to be run: the split by slice tells how much of the move is the traffic",
    "nothing": "wait for as many requests again and look anew",
}


@dataclass(frozen=True)
class Experiment:
    """What to run to tell whether a suspect did it: `n` requests an arm, `cost_usd` of both."""

    text: str
    n: int | None
    cost_usd: float | None


def experiment(
    suspect: Suspect, was: str | None, move: float, variance: float, cost: float | None
) -> Experiment:
    """The replay that would tell whether a suspect did it.

    Parameters
    ----------
    suspect
        Whom.
    was
        Its version before.
    move, variance
        By how much the outcome moved, and its variance among single answers.
    cost
        Of one request, dollars; None where not known.

    Notes
    -----
    So many requests in each of two arms show the whole move at a power of 80 % (two-sided, 5 %);
    the same requests in both arms tell more, so this is enough.
    """
    if suspect.artefact in OTHERWISE:
        return Experiment(OTHERWISE[suspect.artefact], None, 0.0)
    n = math.ceil(2 * variance * (POWER / move) ** 2) if move else MOST
    n = min(max(n, FEWEST), MOST)
    old, new = short_name(was or "of before"), short_name(suspect.version or "of now")
    text = REPLAYS[suspect.artefact].format(n=f"{n:,}", old=old, new=new)
    price = 0.0 if suspect.artefact in FREE else None if cost is None else 2 * n * cost
    told = "" if price is None else ", no model call" if not price else f", about ${price:,.2f}"
    return Experiment(f"{text}{told}", n, price)
