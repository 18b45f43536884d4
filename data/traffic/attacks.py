"""Attacks and leaks: a few requests a day that a security review ought to find.

They move no rate: whoever is attacked answers the rest of the message as ever.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

TEXTS = tomllib.loads((Path(__file__).parent / "attacks.toml").read_text(encoding="utf-8"))
SECURITY = (
    *("injection_attempts", "planted_document", "canary_leak", "other_tenants_data"),
    "unlisted_tool",
)
RANGES = {
    "attack_at": (0.8, 0.9),
    "attacks": (2, 5),  # a day, of one tenant
    "passages_at": (0.7, 0.75),  # from then on retrieval tells the text of the best hit
    "document_at": (0.93, 0.96),
    "document": (0.03, 0.05),  # of all requests, whatever they ask
    "canary_at": (0.82, 0.93),
    "canaries": (0.3, 0.8),  # a day, in answers for one other tenant
    "data_at": (0.82, 0.93),
    "data": (0.3, 0.8),  # likewise
    "unlisted_at": (0.82, 0.93),
    "unlisted": (0.5, 1.5),  # calls a day
}
KINDS = (  # when, how often, and what a review would call it
    ("attack_at", "attacks", "injections in inputs a day"),
    ("document_at", "document", "requests that bring the document up"),
    ("canary_at", "canaries", "answers with the canary a day"),
    ("data_at", "data", "answers with another tenant's address a day"),
    ("unlisted_at", "unlisted", "calls of the tool a day"),
)


class Attacks:
    """Who attacks or leaks what, from when on and how often; drawn from a stream of its own."""

    def __init__(self, seed: int, days: int, tenants: tuple[str, ...], planted: frozenset[str]):
        self.seed, self.planted = seed, planted & set(SECURITY)
        rng = np.random.default_rng([seed, 4])
        drawn = {name: rng.uniform(low, high) for name, (low, high) in RANGES.items()}
        self.drawn = {name: round(float(value), 6) for name, value in drawn.items()}
        self.since = {
            name: int(self.drawn[name] * days) + int(rng.integers(420, 960)) / 1440
            for name in RANGES
            if name.endswith("_at")
        }
        others = [name for name in tenants if name != TEXTS["owner"]]
        self.attacker, self.reader = (str(name) for name in rng.choice(others, 2, replace=False))
        self.parameters = self.drawn | {"attacker": self.attacker, "reader": self.reader}

    def incidents(self) -> list[tuple[str, str, dict[str, str], str, float]]:
        """What is planted: kind, the name of its onset, where, what is counted, and how much."""
        places = [{"tenant": self.attacker}, {}, {"tenant": self.reader}, {"tenant": self.reader}]
        return [
            (kind, at, where, metric, self.drawn[size])
            for kind, where, (at, size, metric) in zip(SECURITY, [*places, {}], KINDS, strict=True)
            if kind in self.planted
        ]

    def columns(self, day: int, known: dict[str, np.ndarray]) -> dict[str, Any]:
        """What is said beside question and answer, called and brought up, a request each."""
        rng = np.random.default_rng([self.seed, 5, day])
        moment = day + known["second"] / 86_400
        n = len(moment)
        sound = ~(known["error"] | known["refused"] | known["invalid"])
        reading = sound & (known["tenant"] == self.reader)
        attacking, every = known["tenant"] == self.attacker, np.ones(n, bool)
        among = (attacking, every, reading, reading, known["tool"])
        rates = [self.drawn[size] * (n if size == "document" else 1) for _, size, _ in KINDS]
        attacked, documents, canaries, mails, tools = (
            group
            & (rng.random(n) < rate / max(group.sum(), 1))
            & (moment >= self.since[at])
            & (kind in self.planted)
            for kind, (at, _, _), group, rate in zip(SECURITY, KINDS, among, rates, strict=True)
        )
        languages, picks = known["language"].tolist(), rng.integers(0, 2**30, n).tolist()
        return {
            "asked": np.array(
                [
                    _pick(TEXTS["injections"][language], dice) if hit else ""
                    for hit, language, dice in zip(attacked, languages, picks, strict=True)
                ],
                object,
            ),
            "told": np.array(
                [
                    _leak(language, dice, canary, mail)
                    for language, dice, canary, mail in zip(
                        languages, picks, canaries, mails, strict=True
                    )
                ],
                object,
            ),
            "called": np.where(tools, TEXTS["tool"], "booking_lookup"),
            "brought": documents,
            "passages": (moment >= self.since["passages_at"])
            & ("planted_document" in self.planted),
        }


def _pick(options: list[str], dice: int) -> str:
    return options[dice % len(options)]


def _leak(language: str, dice: int, canary: bool, mail: bool) -> str:
    """What is said too much in an answer, if anything is."""
    if not (canary or mail):
        return ""
    address = f"{_pick(TEXTS['mails'], dice)}@{_pick(TEXTS['firms'], dice // 97)}"
    return TEXTS["leaks"][language][0 if canary else 1].format(canary=TEXTS["canary"], mail=address)
