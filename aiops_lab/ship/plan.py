"""Before anyone runs anything: can this policy pass, with how many questions, at what price?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.frames import Evals, evals
from aiops_lab.result import Result
from aiops_lab.settings import Settings
from aiops_lab.ship.gate import sides_of
from aiops_lab.ship.gate_words import perfect, required
from aiops_lab.ship.operating import chances, simulated
from aiops_lab.ship.policy import Rule, plain, policy_digest, read_policy, rules_of
from aiops_lab.ship.rules import Sides, Tested, tested
from aiops_lab.verdict import Evidence, Status, Verdict
from aiops_lab.wording import figure, listing

POWER = 0.8
REPLICATES = 2_000
MUCH = 0.4
"""Of a margin above this twice the loss cannot be: only the chance to pass is planned for."""
MOST = 20_000
"""Above so many questions the formula stands without simulation."""
ROW = {
    "rule": pl.String,
    "metric": pl.String,
    "role": pl.String,
    "limit": pl.Float64,
    "n": pl.Int64,
    "perfect": pl.Int64,
    "planned": pl.Int64,
    "pass_now": pl.Float64,
    "cost_usd": pl.Float64,
    "status": pl.String,
    "note": pl.String,
}


@dataclass(frozen=True)
class Plan(Result):
    """What a policy needs; see `plan_gate`.

    Attributes
    ----------
    verdict
        ok: these questions are enough; fail: some rule cannot pass even with a perfect record;
        inconclusive: it can, but less than 4 times in 5.
    rules
        A row a rule: n questions at hand, `perfect` (the fewest with which a perfect record
        passes), `planned` (with which nothing changed passes, and a loss of two margins fails, 4
        times in 5), `pass_now` (the chance to pass with n when nothing changed), `cost_usd` of
        planned questions in the candidate, status.
    settings
        All that is needed to do it again; `variation` says where the variation between two runs
        was taken from.
    """

    verdict: Verdict
    rules: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def plan_gate(
    lab: Any,
    *,
    baseline: str,
    candidate: str | None = None,
    policy: Any = None,
    seed: int = 0,
) -> Plan:
    """How many questions a policy needs.

    How much two runs differ when nothing changed is taken from an earlier candidate, else from
    the baseline's own epochs, else from two runs that have nothing in common but their mean
    (which needs the most questions).
    """
    given = read_policy(policy, getattr(lab, "settings", None) or Settings())
    names = [baseline] if candidate is None else [baseline, candidate]
    data, variation = _two_runs(evals(lab, *names), seed)
    asked = rules_of(given, data.better)
    sides = sides_of(data, asked, given.cluster)
    price = _price(data)
    rows = [_row(rule, sides[rule.name], price, seed) for rule in asked]
    return Plan(
        verdict=_verdict([row for row in rows if row["role"] != "info"]),
        rules=pl.DataFrame(rows, schema=ROW),
        settings={
            "baseline": data.run_ids[0],
            "candidate": None if candidate is None else data.run_ids[1],
            "variation": variation,
            "policy": plain(given),
            "policy_digest": policy_digest(given),
            "seed": seed,
            **data.origin,
        },
    )


def _two_runs(data: Evals, seed: int) -> tuple[Evals, str]:
    """Two runs that differ as runs do; made out of one where there is only one."""
    if len(data.run_ids) > 1:
        return data, "an earlier candidate"
    run = data.run_ids[0]
    twin = f"{run} again"
    epochs = data.samples.group_by("sample_id").agg(pl.col("epoch").n_unique())["epoch"].to_list()
    again = pl.lit(twin).alias("run_id")
    if epochs and min(epochs) > 1:
        frames = {}
        for name in ("samples", "scores"):
            frame = getattr(data, name)
            half = pl.col("epoch").rank("dense").over("sample_id") % 2 == 0
            frames[name] = pl.concat([frame.filter(~half), frame.filter(half).with_columns(again)])
        return data.with_runs([run, twin], frames), "the baseline's own epochs"
    ids = data.samples["sample_id"].unique(maintain_order=True)
    shuffled = dict(zip(ids, ids.sample(fraction=1, shuffle=True, seed=seed), strict=True))
    frames = {
        name: pl.concat(
            [
                getattr(data, name),
                getattr(data, name).with_columns(
                    again, pl.col("sample_id").replace_strict(shuffled, return_dtype=pl.String)
                ),
            ]
        )
        for name in ("samples", "scores")
    }
    return data.with_runs([run, twin], frames), "nothing: two unrelated runs, the worst case"


def _row(rule: Rule, sides: Sides, price: float | None, seed: int) -> dict[str, Any]:
    found = tested(rule, sides)
    least, n = perfect(rule) if found.least is not None else None, found.n
    planned = _planned(rule, sides, found, least, seed)
    now = _chances(rule, sides, n, seed)[0] if n > 1 and simulated(rule, sides) else None
    status: Status = "inconclusive"
    if n < 2 or (least is not None and n < least):
        status = "fail"
    elif now is not None and now >= POWER:
        status = "ok"
    return {
        "rule": rule.name,
        "metric": rule.metric,
        "role": rule.role,
        "limit": rule.limit,
        "n": n,
        "perfect": least,
        "planned": planned,
        "pass_now": now,
        "cost_usd": None if price is None or planned is None else price * planned,
        "status": status,
        "note": found.note or ("" if n else f"no question has {rule.metric}"),
    }


def _planned(rule: Rule, sides: Sides, found: Tested, least: int | None, seed: int) -> int | None:
    """The fewest questions with which both chances are at least 4 in 5, by bisection."""
    none = 1.0 if rule.scale == "ratio" else 0.0
    if rule.scale == "mean" or rule.limit == none or not simulated(rule, sides):
        return None
    guess = required(rule, found).get("nothing changed") or least or 30
    if guess > MOST:
        return guess
    low, high = max(2, least or 2), max(4, guess, least or 2)
    while min(_chances(rule, sides, high, seed)) < POWER:
        low, high = high, int(high * 1.5) + 1
        if high > MOST:
            return None
    while high > low * 1.02 + 1:
        middle = (low + high) // 2
        enough = min(_chances(rule, sides, middle, seed)) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def _chances(rule: Rule, sides: Sides, n: int, seed: int) -> tuple[float, float]:
    """The chance to pass when nothing changed, and to fail at a loss of two margins."""
    alone, rng = [(rule, sides)], np.random.default_rng([seed, n])
    ok, _ = chances(alone, n, 0.0, REPLICATES, rng)
    if rule.scale == "mean" or (rule.scale == "difference" and abs(rule.limit) > MUCH):
        return ok, 1.0
    return ok, chances(alone, n, 2.0, REPLICATES, rng, worst=True)[1]


def _price(data: Evals) -> float | None:
    costs = data.samples.filter(pl.col("run_id") == data.run_ids[0])
    whole = costs.group_by("sample_id").agg(pl.col("cost_usd").sum(), n=pl.col("cost_usd").count())
    mean = whole.filter(pl.col("n") > 0)["cost_usd"].mean()
    return float(mean) if isinstance(mean, float) else None


def _verdict(rows: list[dict[str, Any]]) -> Verdict:
    evidence = tuple(
        Evidence(row["rule"], row["pass_now"], limit=POWER, status=row["status"]) for row in rows
    )
    if not rows:
        step = "Add [gate.metrics.NAME] with a margin or a floor to lab.toml."
        return Verdict("inconclusive", "The policy has no rule that decides.", (), step)
    never = [row for row in rows if row["status"] == "fail"]
    weak = [
        row
        for row in rows
        if row["status"] == "inconclusive" and (row["pass_now"] is not None or row["note"])
    ]
    needed = max((row["planned"] or row["perfect"] or 0 for row in rows), default=0)
    step = f"Ask {figure(needed, digits=2)} questions, or accept a wider margin."
    if not needed:
        step = "Accept a wider margin, or ask more questions."
    if never:
        told = listing(
            f"{row['rule']} "
            f"({row['note'] or 'now {}, at least {}'.format(row['n'], row['perfect'] or 'two')})"
            for row in never
        )
        return Verdict("fail", f"Cannot pass even with a perfect record: {told}.", evidence, step)
    if weak:
        told = listing(
            f"{row['rule']} ({row['note'] or figure(row['pass_now'], share=True)})" for row in weak
        )
        headline = f"A change that changes nothing passes less than 4 times in 5: {told}."
        return Verdict("inconclusive", headline, evidence, step)
    headline = f"{rows[0]['n']} questions are enough: a change that changes nothing passes 4 in 5."
    return Verdict("ok", headline, evidence, "Run the candidate on the same questions.")
