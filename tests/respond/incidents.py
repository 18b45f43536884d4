"""Simulated incidents: one cause, some changes near by that did no harm, and what else moved.

Imports nothing from the library. Every size, time, ramp and signature is drawn by seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

CAUSES = ("prompt", "model", "provider", "index", "retrieval", "traffic", "parser", "tool")
OTHERS = (*CAUSES[:5], *CAUSES[6:], "code")
"""What a harmless change may be of."""
COLUMN = {
    "prompt": "prompt_version", "model": "model_requested", "provider": "fingerprint",
    "index": "index_version", "retrieval": "retrieval_version", "parser": "parser_version",
    "code": "code_version",
}  # fmt: skip
SIGNATURE = {
    "prompt": ("tokens_in", "tokens_out", "json_valid"),
    "model": ("latency_s", "tokens_out", "refusal", "truncated"),
    "provider": ("latency_s", "refusal", "tokens_out", "truncated"),
    "index": ("retrieval_score", "tokens_in"),
    "retrieval": ("retrieval_score", "tokens_in", "latency_s"),
    "parser": ("parse_error", "json_valid"),
    "tool": ("tool_error", "latency_s"),
    "traffic": ("tokens_in", "tokens_out"),
    "code": ("latency_s", "parse_error"),
}
RATES = ("json_valid", "refusal", "truncated", "parse_error", "tool_error")
MEANS = ("tokens_in", "tokens_out", "latency_s", "retrieval_score")
SLICES = np.array(["fares", "bookings", "refunds", "timetables", "safety"])
FIRST = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 14


@dataclass(frozen=True)
class Incident:
    """What a team would see, and the truth."""

    traffic: pl.DataFrame
    changes: pl.DataFrame
    began: datetime
    cause: str
    logged: bool
    change: str | None
    """The id of the change that did it."""


@dataclass
class _Release:
    artefact: str
    at: float
    """In days."""
    ramp: float
    """Days from the first request to all of them; 0: all at once."""
    share: float
    """Of the requests, at first."""
    harm: float
    moves: dict[str, float]
    seen: bool = True
    logged: bool = True


def incident(
    seed: int, per_day: int = 200, *, fault: float | None = None, canaries: float = 0.6,
    unlogged: float = 0.15, decoys: int = 4, cause: str | None = None,
) -> Incident:  # fmt: skip
    """One incident; `fault` is what is added to the share of bad answers (drawn: .08 to .16)."""
    rng = np.random.default_rng([seed, per_day, decoys])
    cause = cause or str(rng.choice(CAUSES))
    fault = fault or rng.uniform(0.08, 0.16)
    began = rng.uniform(8, 11)
    releases = []
    logged = cause != "traffic" and rng.random() >= unlogged
    if cause != "traffic":
        releases.append(_release(rng, cause, began, canaries, fault, rng.uniform(0.5, 0.95)))
        releases[0].logged = logged
        releases[0].seen = logged or bool(rng.random() < 0.3)
        if not logged and not releases[0].seen:
            releases[0].ramp = 0.0
    for _ in range(decoys):
        at = began + rng.uniform(-2, 2)
        releases.append(
            _release(rng, str(rng.choice(OTHERS)), at, canaries, 0.0, rng.uniform(0, 0.4))
        )
    traffic = _requests(rng, per_day, cause, began, fault, releases)
    rows = [
        {"change_id": f"c{i}", "at": FIRST + timedelta(days=each.at), "artefact": each.artefact,
         "name": f"{each.artefact}-main", "from_version": "v1", "to_version": f"v{i + 2}"}
        for i, each in enumerate(releases) if each.logged
    ]  # fmt: skip
    schema = {"change_id": pl.String, "at": pl.Datetime("us", "UTC"), "artefact": pl.String,
              "name": pl.String, "from_version": pl.String, "to_version": pl.String}  # fmt: skip
    changes = pl.DataFrame(rows, schema=schema).sort("at")
    was = pl.col("to_version").shift().over("artefact").fill_null("v1")
    changes = changes.with_columns(from_version=was)
    change = "c0" if cause != "traffic" and logged else None
    return Incident(traffic, changes, FIRST + timedelta(days=began), cause, logged, change)


def _release(
    rng: np.random.Generator, artefact: str, at: float, canaries: float, harm: float, moved: float
) -> _Release:
    ramp = rng.uniform(0.5, 3) if rng.random() < canaries and artefact in COLUMN else 0.0
    own = SIGNATURE[artefact]
    chance = {name: moved if name in own else 0.08 for name in (*RATES, *MEANS)}
    moves = {
        name: rng.uniform(0.15, 0.7) * rng.choice([-1, 1])
        for name, p in chance.items() if rng.random() < p
    }  # fmt: skip
    return _Release(artefact, at, ramp, rng.uniform(0.05, 0.3), harm, moves)


def _requests(
    rng: np.random.Generator, per_day: int, cause: str, began: float, fault: float,
    releases: list[_Release],
) -> pl.DataFrame:  # fmt: skip
    when = np.sort(rng.uniform(0, DAYS, rng.poisson(per_day * DAYS)))
    n, day = len(when), when.astype(int)
    shares, levels = rng.dirichlet(np.full(5, 3.0)), rng.uniform(0.03, 0.25, 5)
    after = shares
    if cause == "traffic":
        levels[rng.integers(5)] = rng.uniform(0.4, 0.6)
        worst = int(np.argmax(levels))
        shares = np.where(np.arange(5) == worst, 0.4 * shares, shares)
        shares /= shares.sum()
        rest = (levels @ shares - levels[worst] * shares[worst]) / (1 - shares[worst])
        more = min(fault / (levels[worst] - rest), 0.9 - shares[worst])
        grown = shares[worst] + more
        after = np.where(np.arange(5) == worst, grown, shares * (1 - grown) / (1 - shares[worst]))
    part = np.where(
        when < began, rng.choice(5, n, p=shares), rng.choice(5, n, p=after / after.sum())
    )
    noise = rng.uniform(0, 0.25)  # of the odds of a day
    bad = levels[part] * np.exp(rng.normal(0, noise, DAYS)[day])
    own = {name: rng.normal(0, 1, n) + rng.normal(0, 0.08, DAYS)[day] for name in MEANS}
    base = {name: rng.uniform(0.02, 0.12) for name in RATES}
    columns: dict[str, np.ndarray] = {c: np.full(n, "v1", object) for c in COLUMN.values()}
    rates = {name: np.full(n, base[name]) for name in RATES}
    before: dict[str, np.ndarray] = {}
    for i, each in sorted(enumerate(releases), key=lambda pair: pair[1].at):
        into = (when - each.at) / each.ramp if each.ramp else np.full(n, 1.0)
        share = np.where(when < each.at, 0, np.clip(each.share + (1 - each.share) * into, 0, 1))
        exposed = rng.random(n) < (share if each.ramp else when >= each.at)
        if each.seen:  # a version has what the one before it had
            exposed &= before.get(each.artefact, True)
            before[each.artefact] = exposed
        bad += each.harm * exposed
        for name, size in each.moves.items():
            if name in MEANS:
                own[name] += size * exposed
            else:
                rates[name] = np.clip(
                    rates[name] + abs(size) * 0.25 * exposed * (1 if base[name] < 0.5 else -1), 0, 1
                )
        if each.artefact in COLUMN and each.seen:
            columns[COLUMN[each.artefact]][exposed] = f"v{i + 2}"
    flags = {name: rng.random(n) < p for name, p in rates.items()}
    return pl.DataFrame(
        {
            "trace_id": [f"t{i}" for i in range(n)],
            "at": FIRST + pl.Series((when * 86_400e6).astype(np.int64)).cast(
                pl.Duration("us")),
            "slice": SLICES[part],
            **columns, **flags,
            "json_valid": ~flags["json_valid"],
            "tokens_in": np.exp(6 + 0.5 * own["tokens_in"]).astype(int),
            "tokens_out": np.exp(5 + 0.6 * own["tokens_out"]).astype(int),
            "latency_s": np.exp(0.5 + 0.4 * own["latency_s"]),
            "retrieval_score": 0.8 + 0.05 * own["retrieval_score"],
            "cost_usd": 0.002,
            "bad": rng.random(n) < np.clip(bad, 0, 0.98),
        }
    )  # fmt: skip
