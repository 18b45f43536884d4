"""Simulate the production traffic of Lotte, the assistant of Nordhafen Ferries, as OTLP/JSON.

    python data/traffic/simulate.py FOLDER --seed 7 --weeks 16 --per-day 300

A week has a file of spans and one of evaluations, as a collector's file exporter writes them.
What was planted is in ``truth.json``; ``expected.csv`` counts it while it is written.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from attacks import SECURITY
from faults import FAULTS
from otlp import Exporter
from plan import ALL, LANGUAGES, LAST, SLICES, TENANTS, Change, Incident, World
from vocabularies import Request
from wording import Said, say

EVERY = (*ALL, *FAULTS, *SECURITY)
"""All that can be planted; `ALL` is what lasts and moves a rate, which is planted by default."""
JUDGED = 0.1
"""The share judged of answers without a thumb down; those with one are all judged."""


@dataclass(frozen=True)
class Truth:
    """What was drawn, planted and, until the last day written, sent."""

    seed: int
    weeks: int
    per_day: int
    start: str
    end: str
    until: str
    parameters: dict[str, Any]
    incidents: list[Incident]
    changes: list[Change]
    requests: int
    spans: int
    undelivered: int
    files: list[str]


def simulate(
    folder: Path | str,
    seed: int = 7,
    weeks: int = 16,
    per_day: int = 300,
    incidents: Collection[str] = ALL,
    until: date | str | None = None,
) -> Truth:
    """Write traffic into a folder; the same arguments write the same bytes.

    Parameters
    ----------
    incidents
        Which of `EVERY` to plant. All parameters are drawn whatever is chosen here.
    until
        The last day, as a collector has it that evening: spans that come later are missing, and
        the weeks before are the same bytes as in a longer run. Default: the last Sunday.

    Raises
    ------
    ValueError
        An incident that is not known, or `until` outside of the weeks simulated.
    """
    if unknown := sorted(set(incidents) - set(EVERY)):
        raise ValueError(f"no incidents {unknown}; there are {', '.join(EVERY)}")
    world = World(seed, weeks, per_day, frozenset(incidents))
    end = date.fromisoformat(until) if isinstance(until, str) else until or LAST
    if not world.start <= end <= LAST:
        raise ValueError(f"until {end}: the traffic goes from {world.start} to {LAST}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    exporter = Exporter(folder, world.drawn["duplicated"])
    expected: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for day in range((end - world.start).days + 1):
        today = world.start + timedelta(days=day)
        requests, rng = draw(world, day)
        exporter.begin(today, rng)
        for r in requests:
            said = say(r.area, r.language, r.refused, r.invalid, r.picks, r.asked, r.told)
            exporter.add(r, said)
            key = (today.isoformat(), r.area, r.language, "missing" if r.rootless else "written")
            expected[key].update(_counted(r, said))
        exporter.end()
    exporter.close()
    keys = ("day", "slice", "language", "root")
    counted = list(next(iter(expected.values()), ()))
    rows = [
        [*key, *(f"{expected[key][name]:.10g}" for name in counted)] for key in sorted(expected)
    ]
    _write(folder / "expected.csv", [*keys, *counted], rows)
    names = ("at", "artefact", "name", "from_version", "to_version", "author", "note")
    known = [each for each in world.changes if each.logged and each.at[:10] <= end.isoformat()]
    _write(folder / "changes.csv", names, [[getattr(c, name) for name in names] for c in known])
    truth = Truth(
        *(seed, weeks, per_day, world.start.isoformat(), LAST.isoformat(), end.isoformat()),
        *(world.parameters, world.incidents, world.changes),
        requests=sum(counts["requests"] for counts in expected.values()),
        spans=exporter.written,
        undelivered=exporter.waiting,
        files=sorted(exporter.files),
    )
    text = msgspec.json.format(msgspec.json.encode(truth), indent=1)
    (folder / "truth.json").write_bytes(text + b"\n")
    return truth


def _write(path: Path, names: Collection[str], rows: list[list[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([names, *rows])


def _counted(r: Request, said: Said) -> dict[str, float]:
    """What a request adds to the columns of ``expected.csv``; scores and seconds are sums."""
    weight = r.judged * (1 if r.feedback == "down" else 1 / JUDGED)
    thumbs = {kind: r.feedback == kind for kind in ("up", "down", "retry", "abandon")}
    return {
        "requests": 1,
        "errors": r.error or r.crashed,
        "refusals": r.refused,
        "yaml_invalid": r.invalid,
        "ungrounded": r.ungrounded,
        **thumbs,
        "judged": r.judged,
        "judged_ungrounded": r.judged and r.ungrounded,
        "weight": weight,
        "weight_ungrounded": weight * r.ungrounded,
        "tool_calls": r.tool,
        "tool_failures": r.tool_failed,
        "tokens_in": 0 if r.error else r.tokens_in,
        "tokens_out": 0 if r.error else r.tokens_out(said)[0],
        "top_score": r.score,
        "latency_s": r.latency,
    }


def draw(world: World, day: int) -> tuple[list[Request], np.random.Generator]:
    """The requests of one day in the order of time, and what draws whatever else the day needs."""
    rng = np.random.default_rng([world.seed, 1, day])
    columns = _arrivals(world, day, rng)
    columns |= _outcomes(world, day, rng, columns)
    columns |= world.faults.columns(day, columns)
    columns |= world.attacks.columns(day, columns)
    columns |= _versions(world, day + columns["second"] / 86_400, columns["service"])
    columns["picks"] = rng.integers(0, 2**30, (len(columns["second"]), 40))
    rows = zip(*(columns[name].tolist() for name in Request._fields), strict=True)
    return [Request._make(row) for row in rows], rng


def _arrivals(world: World, day: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """When who asks about what, and what happens to the spans."""
    p = world.drawn
    ramp = np.clip((day - int(world.since["mix_at"])) / p["mix_ramp"], 0, 1)
    more = (p["mix_growth"] - 1) * ramp * ("mix_change" in world.planted)
    growth = np.where(np.array(SLICES) == world.growing, 1 + more, 1)
    volume = world.per_day * world.cycle("volume", day) * np.exp(rng.normal(0, p["volume_noise"]))
    counts = rng.poisson(volume * world.shares * growth)
    n = int(counts.sum())
    tenant = rng.choice(TENANTS, n, p=world.tenants)
    rootless, late = rng.random(n) < p["rootless"], rng.random(n) < p["late"]
    skewed = (rng.random(n) < p["skewed"]) & ~rootless
    return {
        "second": np.sort(300 + 85_000 * rng.beta(2.6, 2.1, n)),
        "area": rng.permutation(np.repeat(SLICES, counts)),
        "language": rng.choice(LANGUAGES, n, p=world.languages),
        "tenant": tenant,
        "service": np.where(np.isin(tenant, ("web", "kiosk")), "lotte-web", "lotte-app"),
        "rootless": rootless,
        "late": np.minimum(rng.integers(1, 10, n) * late, world.days - 1 - day),
        "skew": rng.uniform(-3, 3, n).round(6) * skewed,
        "latency": rng.lognormal(np.log(p["latency"]), p["latency_spread"], n).round(6),
        "tokens_in": rng.lognormal(7.1, 0.2, n).astype(int),
    }


def _outcomes(
    world: World, day: int, rng: np.random.Generator, arrivals: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """How each request ends, and what its customer and its judge make of it."""
    p, planted, area = world.drawn, world.planted, arrivals["area"]
    moment = day + arrivals["second"] / 86_400
    rate_cycle = world.cycle("rate", day)

    def happens(rate: Any) -> np.ndarray:
        return rng.random(len(area)) < np.minimum(rate, 0.97)

    def today(rate: Any, usual: float) -> np.ndarray:
        """A rate with the cycle, and with the day's own deviation, the same for all requests."""
        odds = 1 / max(p["rho"], 1e-6) - 1
        return happens(rate * rate_cycle * rng.beta(usual * odds, (1 - usual) * odds) / usual)

    error = happens(p["error"])
    dimension, value = world.hit
    hit = arrivals["area" if dimension == "slice" else dimension] == value
    hit &= (area != world.growing) & (moment >= world.since["swap_at"])
    refusal = np.where(area == world.growing, p["refusal_high"], p["refusal"])
    refusal = np.where(hit & ("silent_swap" in planted), p["swap_refusal"], refusal)
    refused = today(refusal, p["refusal"]) & ~error
    broken = (moment >= world.since["prompt_at"]) & ("prompt_change" in planted)
    invalid = np.where(broken, p["prompt_yaml_invalid"], p["yaml_invalid"])
    invalid = today(invalid, p["yaml_invalid"]) & ~error
    aged = world.progress("ageing_index", "ageing_at", moment)
    ungrounded = today(p["ungrounded"] + p["ageing_ungrounded"] * aged, p["ungrounded"])
    ungrounded &= ~error & ~refused
    score = np.clip(rng.normal(p["top_score"] - p["ageing_score"] * aged, 0.05), 0.2, 0.99)
    slow = world.progress("slow_decline", "slow_at", moment)
    down = 1 - p["up"] + p["slow_up"] * slow * (world.slow == "thumbs_up")
    thumb = np.where(today(down + 0.35 * (refused | ungrounded), 1 - p["up"]), "down", "up")
    upto = np.cumsum([p["thumbs"], p["retry"], p["abandon"]])
    act = np.where(error, 2, np.searchsorted(upto, rng.random(len(area))))  # no answer: they leave
    feedback = np.where(act == 0, thumb, np.array(["", "retry", "abandon", ""])[act])
    tool = happens(p["tool_share"]) & np.isin(area, ("bookings", "refunds"))
    wordy = 1 + p["slow_tokens"] * slow * (world.slow == "tokens_out")
    return {
        "error": error,
        "refused": refused,
        "invalid": invalid,
        "ungrounded": ungrounded,
        "score": score.round(4),
        "feedback": feedback,
        "judged": ((feedback == "down") | happens(JUDGED)) & ~error,
        "tool": tool,
        "tool_failed": tool & happens(p["tool_failure"]),
        "wordiness": (1 + p["reasoning"]) * wordy,
    }


def _versions(world: World, moment: np.ndarray, service: np.ndarray) -> dict[str, np.ndarray]:
    """The versions that serve each request."""
    names = {"prompt": "lotte-answer", "index": "handbook", "retrieval": "handbook-search"}
    names |= {"parser": "yaml-parser", "tool": "booking-lookup", "scorer": "grounded"}
    names |= {"model": "kite-2", "provider": "kite-2"}
    found = {artefact: world.version(artefact, name, moment) for artefact, name in names.items()}
    code = [world.version("code", name, moment) for name in ("lotte-web", "lotte-app")]
    found["code"] = np.where(service == "lotte-web", *code)
    renamed = {"index": "built", "tool": "lookup", "model": "served", "provider": "fingerprint"}
    found = {renamed.get(artefact, artefact): versions for artefact, versions in found.items()}
    return found | {"upgraded": moment >= world.since["upgrade_at"]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write simulated traffic of a help desk.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--weeks", type=int, default=16)
    parser.add_argument("--per-day", type=int, default=300)
    parser.add_argument("--incidents", nargs="*", choices=EVERY, default=ALL)
    every = {"action": "store_const", "const": EVERY, "dest": "incidents"}
    parser.add_argument("--every", **every, help="plant short faults and attacks too")
    parser.add_argument("--until", type=date.fromisoformat, help="the last day to write")
    given = parser.parse_args()
    truth = simulate(**vars(given))
    print(f"{truth.requests:,} requests, {truth.spans:,} spans, {len(truth.files)} files")


if __name__ == "__main__":
    main()
