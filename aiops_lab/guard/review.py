"""Which security risks show up in tests and in traffic, and which cannot be told from the logs?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from msgspec import to_builtins

from aiops_lab.guard.attacks import LIMIT, attacks
from aiops_lab.guard.findings import findings
from aiops_lab.guard.logs import logs_of
from aiops_lab.guard.poisoning import poisoning
from aiops_lab.guard.risks import PARTS, risks
from aiops_lab.guard.signals import signals
from aiops_lab.result import Result
from aiops_lab.settings import Guard
from aiops_lab.verdict import BADNESS, Evidence, Status, Verdict
from aiops_lab.wording import listing, short_name

DAYS = 28


@dataclass(frozen=True)
class SecurityReview(Result):
    """What tests and traffic say of each risk; see `security_review`.

    Attributes
    ----------
    verdict
        The worst of the ten risks, and what to do about it.
    risks
        risk (of the OWASP Top 10 for LLM Applications 2025), scanned (an attack of its kind was
        tried and evaluated), watched (traffic was looked through for it), gated (``lab.toml`` has a
        rule), answered (what to do next), status, evidence, unseen (what these logs cannot show):
        ten rows, in order. inconclusive: nothing was evaluated, or too little.
    attacks
        run_id, model, probe, detector, risk, n, hits, not_evaluated, prompts, rate, low, high,
        corrected, corrected_low, corrected_high, limit, status, told; see
        `aiops_lab.guard.attacks.attacks`.
    signals
        signal, risk, day (null: all days), n, events, rate, low, high, expected_precision, p_value,
        status; see `aiops_lab.guard.signals.signals`.
    findings
        risk, finding, status, trace_id, day, tenant, detail; see
        `aiops_lab.guard.findings.findings`.
    documents
        How often and by how like questions each document was brought up; see
        `aiops_lab.guard.poisoning.poisoning`.
    settings
        All that is needed to do it again; canaries by their names alone.
    """

    verdict: Verdict
    risks: pl.DataFrame
    attacks: pl.DataFrame
    signals: pl.DataFrame
    findings: pl.DataFrame
    documents: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def security_review(
    lab: Any, *, settings: Guard | Mapping[str, Any] | None = None, days: int | None = DAYS,
    recent_days: int = 7, seed: int = 0,
) -> SecurityReview:  # fmt: skip
    """Which security risks show up in tests and in traffic.

    Parameters
    ----------
    lab
        A Lab; or frames by the names of canonical tables, ``{"spans": ..., "scores": ...}``, of any
        library that Narwhals knows; or one frame of spans, requests or scores.
    settings
        What ``[guard]`` of ``lab.toml`` says (canaries, allowed_tools, allowed_models,
        max_attack_rate, prevalence, detectors), else the lab's.
    days
        So many days of traffic up to the last; None for all. Attacks are those of the latest run of
        each.
    recent_days
        So many of them are held against the others, where documents are.
    seed
        Of the random questions that those of a document are compared with.

    Raises
    ------
    BadSettings
        An unknown setting, a canary that is too short, or data that are none.

    Examples
    --------
    >>> rows = pl.DataFrame([{"run_id": "r", "sample_id": str(i), "metric": "attack_success/dan",
    ...                       "value": 0.0, "probe": "dan.Dan"} for i in range(8)])
    >>> found = security_review(rows)
    >>> print(found.attacks["told"].item())
    dan.Dan, dan: 8 of 8 resisted; up to 36.9 % may still succeed. 72 in a row would show 5.0 %.
    """
    logs = logs_of(lab, settings, days=days)
    guard = logs.guard
    tried = attacks(logs.runs, logs.samples, logs.scores, guard.detectors, guard.max_attack_rate)
    daily, found = signals(logs), findings(logs)
    documents = poisoning(logs.documents, window=recent_days, seed=seed)
    rows = risks(logs, tried, daily, found, documents)
    said = to_builtins(guard)
    said["canaries"] = {kind: sorted(named) for kind, named in said["canaries"].items()}
    first, last = logs.window
    known = {
        **logs.origin, "days": days, "recent_days": recent_days, "seed": seed, "guard": said,
        "from": first and first.isoformat(), "until": last and last.isoformat(),
    }  # fmt: skip
    return SecurityReview(_verdict(rows, tried), rows, tried, daily, found, documents, known)


def _verdict(rows: pl.DataFrame, tried: pl.DataFrame) -> Verdict:
    """The worst risk first, and how many cannot be told."""
    ranked = sorted(rows.to_dicts(), key=lambda row: -BADNESS.index(row["status"]))
    worst = ranked[0]
    status: Status = worst["status"]
    same = [row["risk"] for row in ranked[1:] if row["status"] == status]
    evidence = tuple(_evidence(row, tried) for row in ranked)
    unknown = sum(row["status"] == "inconclusive" for row in ranked)
    if status == "ok":
        return Verdict("ok", "None of the ten risks shows up in these logs.", evidence,
                       "Read in risks what these logs cannot show.")  # fmt: skip
    told = worst["evidence"].partition(PARTS)[0]
    if status == "inconclusive":
        seen = len(ranked) - unknown
        show = "shows" if seen == 1 else "show"
        headline = f"Cannot tell of {unknown} of the ten risks; {seen} {show} nothing. "
        if not seen:
            headline = "These logs tell of none of the ten risks. "
        return Verdict("inconclusive", f"{headline}{worst['risk']}: {told}.", evidence,
                       worst["answered"])  # fmt: skip
    also = f" Also {listing(same)}." if same else ""
    rest = f" {unknown} of the ten cannot be told." if unknown else ""
    return Verdict(status, f"{worst['risk']}: {told}.{also}{rest}", evidence, worst["answered"])


def _evidence(row: dict[str, Any], tried: pl.DataFrame) -> Evidence:
    """A risk with the rate of its worst probe, where one was tried."""
    own = tried.filter(pl.col("risk") == row["risk"][:5], pl.col("n") > 0)
    if not own.height:
        return Evidence(row["risk"], None, status=row["status"])
    worst = own.row(0, named=True)
    name = f"{row['risk']}: {short_name(worst['probe'])}"
    limit = worst["limit"] if worst["limit"] is not None else LIMIT
    return Evidence(name, worst["rate"], worst["low"], worst["high"], limit, row["status"])
