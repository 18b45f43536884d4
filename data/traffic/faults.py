"""Short faults: a change of a retrieval setting, a parser, a tool or a service, soon undone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from wording import TEXTS

FAULTS = ("retrieval_fault", "parser_fault", "tool_fault", "code_fault")
RANGES = {
    "fault_hours": (6, 48),
    "retrieval_score": (0.1, 0.2),  # lost by the best hit
    "retrieval_ungrounded": (0.2, 0.35),  # added to the rate
    "parser_errors": (0.15, 0.4),  # of answers that are valid
    "tool_failures": (0.3, 0.6),  # added to the rate
    "tool_seconds": (4, 9),  # added where the tool fails
    "code_errors": (0.15, 0.35),  # of the requests of one service
    "code_refusals": (0.2, 0.4),  # likewise, in place of errors
}
SPAN = (0.1, 0.36)
"""Within which part of the time they all are, one after another."""
LOGGED = 0.75
SERVICES = ("lotte-web", "lotte-app")
SEARCHES = ("de", "da", "sv")
"""Languages with a search of their own."""


class Fault(NamedTuple):
    """One fault: from when to when in days, where, what moved by how much, and who wrote it down.

    `moved` are names of `RANGES` with what they are counted as.
    """

    kind: str
    since: float
    until: float
    where: dict[str, str]
    moved: tuple[tuple[str, str], ...]
    logged: bool
    change: dict[str, str]


class Faults:
    """The faults of a seed, drawn from a stream of their own."""

    def __init__(self, seed: int, days: int, planted: frozenset[str]) -> None:
        self.seed, rng = seed, np.random.default_rng([seed, 2])
        drawn = {name: rng.uniform(low, high) for name, (low, high) in RANGES.items()}
        self.drawn = {name: round(float(value), 6) for name, value in drawn.items()}
        self.service = SERVICES[int(rng.integers(2))]
        self.effect = ("code_errors", "code_refusals")[int(rng.integers(2))]
        self.language = SEARCHES[int(rng.integers(len(SEARCHES)))]
        places = {"code_fault": {"service": self.service}}
        places["retrieval_fault"] = {"language": self.language}
        moved = {
            "retrieval_fault": (
                ("retrieval_score", "top_score"),
                ("retrieval_ungrounded", "ungrounded"),
            ),
            "parser_fault": (("parser_errors", "parse_errors"),),
            "tool_fault": (("tool_failures", "tool_failures"), ("tool_seconds", "seconds_added")),
            "code_fault": ((self.effect, self.effect.removeprefix("code_")),),
        }
        width = (SPAN[1] - SPAN[0]) * days / len(FAULTS)
        every = []
        for place, number in enumerate(rng.permutation(len(FAULTS))):
            kind = FAULTS[number]
            hours = min(rng.uniform(*RANGES["fault_hours"]), width * 12)
            begun = int(SPAN[0] * days + width * place + rng.uniform(0, max(width - 3, 0)))
            since = begun + int(rng.integers(420, 960)) / 1440
            where = places.get(kind, {})
            change = {"name": self.service, **TEXTS["faults"][kind]}
            logged = bool(rng.random() < LOGGED)
            until = since + round(hours * 60) / 1440
            every.append(Fault(kind, since, until, where, moved[kind], logged, change))
        self.planted = [each for each in every if each.kind in planted]

    def columns(self, day: int, known: dict[str, np.ndarray]) -> dict[str, Any]:
        """What each request of a day is like with the faults of that day."""
        rng, p = np.random.default_rng([self.seed, 3, day]), self.drawn
        moment = day + known["second"] / 86_400
        dice = rng.random((len(RANGES), len(moment)))
        chance = dict(zip(RANGES, dice, strict=True))
        on = {each.kind: (moment >= each.since) & (moment < each.until) for each in self.planted}
        never = np.zeros(len(moment), bool)
        if "retrieval_fault" in on:
            on["retrieval_fault"] &= known["language"] == self.language

        def hit(kind: str, name: str) -> np.ndarray:
            return on.get(kind, never) & (chance[name] < p[name])

        answered = ~known["error"]
        ours = answered & (known["service"] == self.service)
        crashed, refused = (
            ours & hit("code_fault", name) & (self.effect == name)
            for name in ("code_errors", "code_refusals")
        )
        refused |= known["refused"]
        failed = known["tool"] & hit("tool_fault", "tool_failures")
        ungrounded = known["ungrounded"] | (
            answered & hit("retrieval_fault", "retrieval_ungrounded")
        )
        lost = p["retrieval_score"] * on.get("retrieval_fault", never)
        return {
            "score": np.maximum(known["score"] - lost, 0.2).round(4),
            "ungrounded": ungrounded & ~refused,
            "refused": refused,
            "crashed": crashed,
            "unparsed": answered
            & ~crashed
            & ~known["invalid"]
            & hit("parser_fault", "parser_errors"),
            "tool_failed": known["tool_failed"] | failed,
            "latency": (known["latency"] + p["tool_seconds"] * failed).round(6),
        }
