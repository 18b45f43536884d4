"""What is settled before the first request: parameters, incidents, changes and versions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from attacks import Attacks
from faults import Faults
from wording import LANGUAGES, TEXTS

LAST = date(2026, 11, 22)
"""The Sunday on which traffic ends, however many weeks there are."""
ALL = ("silent_swap", "prompt_change", "ageing_index", "slow_decline", "mix_change", "weekly_cycle")
SLICES = ("fares", "vehicles", "safety", "bookings", "refunds", "timetables")
TENANTS = ("web", "kiosk", "app", "partners")
RANGES = {
    # days
    "volume_cycle": (0, 0.4),  # relative amplitude of a sine over the days of the week
    "volume_phase": (0, 7),  # in days
    "volume_noise": (0, 0.08),  # standard deviation of a day's log volume
    "rate_cycle": (0, 0.4),  # likewise of refusals, invalid YAML, ungrounded answers, thumbs down
    "rate_phase": (0, 7),
    "rho": (0, 0.002),  # beta-binomial overdispersion of each of these rates from day to day
    # requests
    "english": (0.42, 0.5),
    "german": (0.22, 0.28),
    "danish": (0.12, 0.16),  # the rest is Swedish
    "refusal": (0.025, 0.035),
    "refusal_high": (0.08, 0.12),  # in the one product area that will grow
    "yaml_invalid": (0.01, 0.02),
    "ungrounded": (0.05, 0.09),  # of answers that are no refusals
    "top_score": (0.78, 0.86),  # mean score of the best hit
    "thumbs": (0.15, 0.25),  # share of answers with a thumb
    "up": (0.8, 0.88),  # of these; .35 less where the answer is ungrounded or a refusal
    "retry": (0.03, 0.05),
    "abandon": (0.04, 0.08),
    "reasoning": (0.2, 0.4),  # tokens of reasoning for each token of text
    "tool_share": (0.5, 0.7),  # of requests on bookings and refunds
    # flat throughout
    "tool_failure": (0.02, 0.05),
    "error": (0.004, 0.01),  # the provider answers nothing
    "latency": (1.2, 2.2),  # median, s
    "latency_spread": (0.35, 0.5),  # standard deviation of its logarithm
    # incidents: when (as a share of the time simulated) and how large
    "swap_at": (0.4, 0.75),
    "swap_refusal": (0.07, 0.09),  # the rate afterwards
    "prompt_at": (0.4, 0.8),
    "prompt_yaml_invalid": (0.08, 0.12),  # the rate afterwards
    "ageing_at": (0.35, 0.5),
    "ageing_ungrounded": (0.12, 0.2),  # added by the end, linearly
    "ageing_score": (0.1, 0.18),  # lost by the end, linearly
    "slow_at": (0.35, 0.5),
    "slow_up": (0.2, 0.3),  # share of thumbs up lost by the end, linearly
    "slow_tokens": (0.25, 0.45),  # relative growth of tokens written by the end, linearly
    "mix_at": (0.4, 0.75),
    "mix_growth": (2, 3),  # factor on the area's volume
    "mix_ramp": (2, 10),  # days until it is reached
    "upgrade_at": (0.2, 0.8),  # a decoy: lotte-app's tracing library, and so its attributes' names
    "fingerprint_at": (0.1, 0.35),  # a decoy that nobody logged
    # transport
    "late": (0.002, 0.006),  # requests of which a span arrives days later
    "rootless": (0.001, 0.003),
    "skewed": (0.005, 0.015),  # requests whose model has a clock of its own, up to 3 s off
    "duplicated": (0.002, 0.006),  # lines
}
ONSETS = ("swap_at", "prompt_at", "ageing_at", "slow_at", "mix_at")
APART = 0.04
"""The least distance of any two of them."""
BACK = "back"
FIRST = {"prompt": "12", "retrieval": "r7", "parser": "p3", "tool": "t5", "scorer": "g2"} | {
    "code": "3.41",
    "model": "kite-2-0518",
}


@dataclass(frozen=True)
class Incident:
    """Something planted: `metric` goes from `before` to `after` from `since` on.

    It holds for requests that match `where` and do not match `outside`. `cause` is the id of a
    change. `alarm` is whether a watch by slice ought to find it.
    """

    kind: str
    since: str
    where: dict[str, str]
    outside: dict[str, str]
    metric: str
    before: float
    after: float
    course: str
    direction: str
    cause: str | None
    alarm: bool


@dataclass(frozen=True)
class Passing(Incident):
    """One that ends."""

    until: str


@dataclass(frozen=True)
class Change:
    """One change of an artefact; `logged` ones are in ``changes.csv``, `effect` is an incident."""

    id: str
    at: str
    artefact: str
    name: str
    from_version: str
    to_version: str
    author: str
    note: str
    logged: bool
    effect: str | None


class _Planned(NamedTuple):
    """A change before its versions are known; without `to` they are counted on, and `BACK` is the
    version before the change of the same effect."""

    moment: float
    artefact: str
    name: str
    author: str
    note: str
    effect: str | None = None
    to: str = ""
    logged: bool = True


class World:
    """Everything that is settled before the first request; moments are days since the start."""

    def __init__(self, seed: int, weeks: int, per_day: int, planted: frozenset[str]) -> None:
        self.seed, self.per_day, self.planted, self.days = seed, per_day, planted, 7 * weeks
        self.start = LAST - timedelta(days=self.days - 1)
        rng = np.random.default_rng([seed, 0])
        drawn = {name: rng.uniform(low, high) for name, (low, high) in RANGES.items()}
        while np.diff(sorted(drawn[name] for name in ONSETS)).min() < APART:
            drawn |= {name: rng.uniform(*RANGES[name]) for name in ONSETS}
        self.drawn = {name: round(float(value), 6) for name, value in drawn.items()}
        growing = int(rng.integers(len(SLICES)))
        weights = rng.uniform(0.9, 1.5, len(SLICES))
        weights[growing] = rng.uniform(0.5, 0.8)
        self.growing, self.shares = SLICES[growing], weights / weights.sum()
        places = [("slice", name) for name in SLICES if name != self.growing]
        places += [("language", "de"), ("language", "da")]
        self.hit = places[int(rng.integers(len(places)))]
        self.slow = ("thumbs_up", "tokens_out")[int(rng.integers(2))]
        first = [self.drawn[name] for name in ("english", "german", "danish")]
        self.languages = np.array([*first, 1 - sum(first)])
        self.tenants = rng.dirichlet([60, 8, 35, 12])
        self.since = {
            name: int(self.drawn[name] * self.days) + int(rng.integers(420, 960)) / 1440
            for name in RANGES
            if name.endswith("_at")
        }
        self.faults = Faults(seed, self.days, planted)
        self.attacks = Attacks(seed, self.days, TENANTS, planted)
        self.timeline: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
        self.changes = self._changes(self._planned(rng))
        self.incidents = [each for each in self._incidents() if each.kind in planted]
        self.parameters = self.drawn | {
            "shares": dict(zip(SLICES, self.shares.round(5).tolist(), strict=True)),
            "languages": dict(zip(LANGUAGES, self.languages.round(5).tolist(), strict=True)),
            "tenants": dict(zip(TENANTS, self.tenants.round(5).tolist(), strict=True)),
            "growing": self.growing,
            "hit": dict([self.hit]),
            "slow": self.slow,
        }
        if self.faults.planted:
            self.parameters |= self.faults.drawn
        if self.attacks.planted:
            self.parameters |= self.attacks.parameters

    def version(self, artefact: str, name: str, moments: np.ndarray) -> np.ndarray:
        """The version of an artefact at each moment."""
        steps = self.timeline[artefact, name]
        versions = np.array([version for _, version in steps])
        return versions[np.searchsorted([at for at, _ in steps[1:]], moments, "right")]

    def cycle(self, which: str, day: int) -> float:
        """The factor of the weekday on volumes or rates."""
        wave = np.sin(2 * np.pi * (day + self.drawn[f"{which}_phase"]) / 7)
        return 1 + self.drawn[f"{which}_cycle"] * wave * ("weekly_cycle" in self.planted)

    def progress(self, kind: str, at: str, moments: np.ndarray) -> np.ndarray:
        """How far a slow incident has gone: 0 before its onset, 1 at the end."""
        since = self.since[at]
        return np.clip((moments - since) / (self.days - since), 0, 1) * (kind in self.planted)

    def _planned(self, rng: np.random.Generator) -> list[_Planned]:
        since, stops = self.since, float(self.days)
        prints = [f"fp_{rng.bytes(5).hex()}" for _ in range(3)]
        planned = [_Planned(since["fingerprint_at"], "provider", "kite-2", "", "", None, prints[1])]
        note = "Tracing library updated"
        planned += [_Planned(since["upgrade_at"], "code", "lotte-app", "a.eriksen", note)]
        for decoy in TEXTS["decoys"]:
            moment = int(rng.uniform(0.05, 0.95) * self.days) + int(rng.integers(420, 960)) / 1440
            planned.append(_Planned(moment, **decoy))
        if "silent_swap" in self.planted:
            about = ("kite-2", "", "", "silent_swap")
            planned.append(_Planned(since["swap_at"], "model", *about, "kite-2-0903"))
            planned.append(_Planned(since["swap_at"], "provider", *about, prints[2]))
        if "prompt_change" in self.planted:
            about = ("lotte-answer", "k.lind", "Answers may have several paragraphs")
            planned.append(_Planned(since["prompt_at"], "prompt", *about, "prompt_change"))
        if "ageing_index" in self.planted:
            stops, note = since["ageing_at"], "Night jobs moved to the new scheduler"
            planned.append(_Planned(stops, "code", "night-jobs", "j.brandt", note, "ageing_index"))
        for each in self.faults.planted:
            about = {name: text for name, text in each.change.items() if name != "back"}
            about |= {"effect": each.kind, "logged": each.logged}
            planned.append(_Planned(each.since, **about))
            about |= {"note": each.change["back"], "to": BACK}
            planned.append(_Planned(each.until, **about))
        for day in range(-1, self.days, 7):
            moment, built = day + 1 / 16, f"{self.start + timedelta(days=day):%Y%m%d}"
            if day < 0:
                self.timeline["index", "handbook"] = [(moment, built)]
            elif moment < stops:
                about = ("handbook", "night-jobs", "Full build")
                planned.append(_Planned(moment, "index", *about, None, built))
        self.timeline["provider", "kite-2"] = [(0, prints[0])]
        return sorted(planned)

    def _changes(self, planned: list[_Planned]) -> list[Change]:
        """The changes, each from the version that the one before it left."""
        for each in planned:
            self.timeline.setdefault(
                (each.artefact, each.name), [(0, FIRST.get(each.artefact, ""))]
            )
        changes: list[Change] = []
        for number, each in enumerate(planned, 1):
            steps = self.timeline[each.artefact, each.name]
            before = steps[-1][1]
            if each.to == BACK:
                after = next(c.from_version for c in changes if c.effect == each.effect)
            else:
                after = each.to or _next([version for _, version in steps])
            steps.append((each.moment, after))
            logged = each.logged and each.artefact not in ("model", "provider")
            versions = (each.artefact, each.name, before, after)
            about = (each.author, each.note, logged, each.effect)
            changes.append(Change(f"c{number:02}", self._time(each.moment), *versions, *about))
        self.timeline.setdefault(("model", "kite-2"), [(0, FIRST["model"])])
        return changes

    def _incidents(self) -> list[Incident]:
        p, share = self.drawn, float(self.shares[SLICES.index(self.growing)])
        grown = share * p["mix_growth"] / (1 - share + share * p["mix_growth"])
        up = (p["up"], p["up"] - p["slow_up"])
        slow = up if self.slow == "thumbs_up" else (1.0, 1 + p["slow_tokens"])
        worse = (p["ungrounded"], p["ungrounded"] + p["ageing_ungrounded"])
        lower = (p["top_score"], p["top_score"] - p["ageing_score"])
        broken = (p["yaml_invalid"], p["prompt_yaml_invalid"])
        refused, growing = (p["refusal"], p["swap_refusal"]), {"slice": self.growing}
        causes = {each.effect: each.id for each in reversed(self.changes)}
        found = []
        for kind, at, where, metric, (before, after), course in (
            ("silent_swap", "swap_at", dict([self.hit]), "refusals", refused, "step"),
            ("prompt_change", "prompt_at", {}, "yaml_invalid", broken, "step"),
            ("ageing_index", "ageing_at", {}, "ungrounded", worse, "linear until the end"),
            ("ageing_index", "ageing_at", {}, "top_score", lower, "linear until the end"),
            ("slow_decline", "slow_at", {}, self.slow, slow, "linear until the end"),
            ("mix_change", "mix_at", growing, "share", (share, grown), "linear over mix_ramp days"),
            ("weekly_cycle", "", {}, "requests", (0.0, p["volume_cycle"]), "sine of 7 days"),
            ("weekly_cycle", "", {}, "rates", (0.0, p["rate_cycle"]), "sine of 7 days"),
        ):
            outside = growing if kind == "silent_swap" else {}
            sizes = (metric, round(before, 5), round(after, 5), course)
            way = "both" if not at else "up" if after > before else "down"
            told = (way, causes.get(kind), kind not in ("mix_change", "weekly_cycle"))
            since = self._time(self.since.get(at, 0))
            found.append(Incident(kind, since, where, outside, *sizes, *told))
        return found + self._passing(causes) + self._attacked()

    def _passing(self, causes: dict[str | None, str]) -> list[Incident]:
        """The faults; before is what is usual."""
        usual = {"ungrounded": "ungrounded", "refusals": "refusal", "errors": "error"}
        usual |= {"top_score": "top_score", "tool_failures": "tool_failure"}
        found: list[Incident] = []
        for each in self.faults.planted:
            since, until = self._time(each.since), self._time(each.until)
            for name, metric in each.moved:
                before = self.drawn[usual[metric]] if metric in usual else 0.0
                size = self.faults.drawn[name]
                after = before - size if metric == "top_score" else before + size
                way = "up" if after > before else "down"
                sizes = (metric, round(before, 5), round(after, 5), "step", way)
                told = (*sizes, causes[each.kind], False, until)
                found.append(Passing(each.kind, since, each.where, {}, *told))
        return found

    def _attacked(self) -> list[Incident]:
        found = []
        for kind, at, where, metric, size in self.attacks.incidents():
            sizes = (metric, 0.0, round(size, 5), "step", "up")
            since = self._time(self.attacks.since[at])
            found.append(Incident(kind, since, where, {}, *sizes, None, False))
        return found

    def _time(self, moment: float) -> str:
        start = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)
        return (start + timedelta(minutes=round(moment * 1440))).isoformat()


def _next(versions: list[str]) -> str:
    """The version after all of them."""
    stem = versions[-1].rstrip("0123456789")
    return f"{stem}{max(int(version[len(stem) :]) for version in versions) + 1}"
