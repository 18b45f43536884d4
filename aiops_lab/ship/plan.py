"""Before anyone runs anything: can this policy pass, with how many questions, at what price?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.frames import Evals, evals
from aiops_lab.result import Result
from aiops_lab.settings import Settings
from aiops_lab.ship.gate import sides_of
from aiops_lab.ship.gate_words import first_rule, perfect, required
from aiops_lab.ship.operating import chances, levelled, simulated
from aiops_lab.ship.policy import (
    Rule,
    plain,
    policy_digest,
    read_policy,
    read_promises,
    rules_of,
)
from aiops_lab.ship.rules import Sides, Tested, tested
from aiops_lab.ship.spending import budget_rules
from aiops_lab.stats.score import exact_share_interval
from aiops_lab.tables import schema_of
from aiops_lab.verdict import Evidence, Status, Verdict
from aiops_lab.wording import figure, listing

POWER = 0.8
REPLICATES = 2_000
MUCH = 0.4
"""Of a margin above this twice the loss cannot be: only the chance to pass is planned for."""
OWN_EPOCHS = "the baseline's own epochs"
MOST = 20_000
"""Above so many questions the formula stands without simulation."""
REPEATED = pl.Schema((name, pl.Float64) for name in ("ok", "fail", "low", "high", "inconclusive"))
ROW = schema_of(
    "rule metric role limit:float n:int perfect:int planned:int pass_now:float cost_usd:float "
    "status note"
)


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
        times in 5; of a floor: with which the score seen passes, of a budget: with which nothing
        changed passes), `pass_now` (the chance to pass
        with n when nothing changed), `cost_usd` of planned questions in the candidate, status.
    repeated
        The baseline asked again and held against itself (A/A), by its own epochs: ok, fail (with
        its 99 % interval low, high), inconclusive; no row where it answers each question once.
    settings
        All that is needed to do it again; `variation` says where the variation between two runs
        was taken from.
    """

    verdict: Verdict
    rules: pl.DataFrame
    repeated: pl.DataFrame
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
    settings = getattr(lab, "settings", None) or Settings()
    given = read_policy(policy, settings)
    names = [baseline] if candidate is None else [baseline, candidate]
    whole = evals(lab, *names)
    if candidate == baseline:
        raise BadSettings(f"baseline and candidate are the same run, {whole.run_ids[0]}")
    if candidate is not None and len({*whole.run_ids}) == 1:  # there is no other run yet
        whole, candidate = whole.only(whole.run_ids[0]), None
    data, variation = _two_runs(whole, seed)
    asked = rules_of(given, data.better)
    sides = sides_of(data, asked, given.cluster)
    again, source = _two_runs(whole.only(whole.run_ids[0]), seed)
    repeats = sides_of(again, asked, given.cluster) if source == OWN_EPOCHS else {}
    repeats = {name: _of_all_epochs(own) for name, own in repeats.items()}
    sides = repeats if variation == OWN_EPOCHS else sides
    price = _price(data)
    rows = [_row(rule, sides[rule.name], price, seed) for rule in asked]
    if given.max_budget_share is not None:
        goals, traffic = read_promises(policy, settings), lab if hasattr(lab, "relations") else None
        found, _ = budget_rules(data, goals, given.max_budget_share, traffic, given.cluster)
        rows += [_budget_row(rule, told, price) for rule, _, told in found]
    return Plan(
        verdict=_verdict([row for row in rows if row["role"] != "info"]),
        rules=pl.DataFrame(rows, schema=ROW),
        repeated=_repeated([(r, repeats[r.name]) for r in asked if r.name in repeats], seed),
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


def _of_all_epochs(sides: Sides) -> Sides:
    """Differences of runs with all epochs, out of those between the two halves of one."""
    b, c = sides.baseline, sides.candidate
    return replace(sides, candidate=b + (c - b) / np.sqrt(2))


def _repeated(pairs: list[tuple[Rule, Sides]], seed: int) -> pl.DataFrame:
    drawn = [pair for pair in pairs if simulated(*pair)]
    if not drawn:
        return pl.DataFrame(schema=REPEATED)
    n = max(len(sides.baseline) for _, sides in drawn)
    ok, fail = chances(drawn, n, 0.0, REPLICATES, np.random.default_rng(seed))
    ends = exact_share_interval(round(fail * REPLICATES), REPLICATES, 0.99)
    return pl.DataFrame([(ok, fail, *ends, 1 - ok - fail)], schema=REPEATED, orient="row")


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
        return data.with_runs([run, twin], frames), OWN_EPOCHS
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
    found, sides = tested(rule, sides), levelled(rule, sides)
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


def _budget_row(rule: Rule, found: Tested, price: float | None) -> dict[str, Any]:
    """What a share of an error budget takes, by the formula: it is not simulated."""
    least, n = perfect(rule) if found.least is not None else None, found.n
    planned = max(required(rule, found).get("nothing changed") or 0, least or 0) or None
    status: Status = "ok" if planned is not None and n >= planned else "inconclusive"
    note = found.note or (f"{n} questions, {planned} would decide" if status != "ok" else "")
    return {
        "rule": rule.name, "metric": rule.metric, "role": rule.role, "limit": rule.limit, "n": n,
        "perfect": least, "planned": planned, "pass_now": None, "note": note,
        "cost_usd": None if price is None or planned is None else price * planned,
        "status": "fail" if least is not None and n < least else status,
    }  # fmt: skip


def _planned(rule: Rule, sides: Sides, found: Tested, least: int | None, seed: int) -> int | None:
    """The fewest questions with which both chances are at least 4 in 5, by bisection."""
    none = 1.0 if rule.scale == "ratio" else 0.0
    if rule.scale == "mean" and found.value is not None and _kept(rule, found.value):
        needed = required(rule, found).get("the change seen is true") or 0
        return max(needed, least or 0) or None
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


def _kept(rule: Rule, value: float) -> bool:
    return rule.direction * (value - rule.limit) > 0


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
        return Verdict("inconclusive", "The policy has no rule that decides.", (), first_rule([]))
    never = [row for row in rows if row["status"] == "fail"]
    weak = [
        row
        for row in rows
        if row["status"] == "inconclusive" and (row["pass_now"] is not None or row["note"])
    ]
    needed = max(row["planned"] or row["perfect"] or 0 for row in never or weak or rows)
    other = "accept a wider margin"
    if all(row["rule"].endswith((" floor", " ceiling")) for row in never or weak):
        other = "move the floor"
    elif all(row["rule"].endswith(" cap") for row in never or weak):
        other = "raise the cap"
    elif all(row["rule"].startswith("budget") for row in never or weak):
        other = "allow a larger share of the budget"
    step = f"Ask {figure(needed, digits=3)} questions, or {other}."
    if not needed:
        step = f"{other.capitalize()}, or ask more questions."
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
    n = min(row["n"] for row in rows)
    headline = f"{n} questions are enough: what changes nothing passes each rule 4 times in 5."
    step = "Run the candidate on the same questions."
    if needed > n:
        told = figure(needed, digits=3)
        step += f" To find a loss of two margins as often, ask {told}."
    return Verdict("ok", headline, evidence, step)
