"""May this change be released? A policy's rules against two runs, each ok, fail or inconclusive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from aiops_lab.errors import NotComputable
from aiops_lab.frames import CACHED, Evals, evals
from aiops_lab.measures import MEASURES
from aiops_lab.result import Result
from aiops_lab.settings import Gate as Policy
from aiops_lab.settings import Settings
from aiops_lab.ship import gate_words as words
from aiops_lab.ship.behaviour import USED, measured
from aiops_lab.ship.compare import Comparison, compare_runs
from aiops_lab.ship.freeze import freeze
from aiops_lab.ship.judge import Labels
from aiops_lab.ship.pairs import columns, paired, questions
from aiops_lab.ship.policy import (
    Rule,
    loosened,
    plain,
    policy_digest,
    read_policy,
    read_promises,
    rules_of,
)
from aiops_lab.ship.preflight import preflight, way_on
from aiops_lab.ship.rules import ALPHA, Sides, Tested, tested
from aiops_lab.ship.spending import budget_rules
from aiops_lab.stats.multiple import holm
from aiops_lab.tables import schema_of
from aiops_lab.verdict import Evidence, Status, Verdict

MISSING = 0.02
"""Nothing passes when more of the baseline's scored questions have no score in the candidate."""
BLOCKING = (
    "same questions",
    "same inputs",
    "same targets",
    "same scorers",
    "both finished",
    "rows read",
)
"""Checks whose warning is enough for a gate to say that it cannot tell."""
VERSION = 1
ROW = schema_of(
    "rule metric role scale direction:int baseline:float candidate:float difference:float "
    "value:float low:float high:float limit:float n:int status settle shown p_ok:float "
    "p_fail:float p_fail_adjusted:float share:bool method"
)


@dataclass(frozen=True)
class Gate(Result):
    """The answer of a release gate; see `release_gate`.

    Attributes
    ----------
    verdict
        The answer: ok, fail or inconclusive.
    rules
        A row a rule: rule, metric, role, `scale` (what value, interval and limit are of: the
        difference, the candidate's mean or quantile, a ratio, a share of an error budget), both
        means, difference, value with its 90 % interval, limit, n, status, `settle` (what would
        settle it), `shown`
        (better, equivalent within the margin, or neither), p_ok, p_fail and
        p_fail_adjusted (Holm over the deciding rules), method.
    preflight
        May these runs be compared? check, status, detail.
    comparison
        The runs compared in full; None where they share no score.
    settings
        The runs, the policy and its digest: all that is needed to do it again.
    tested
        The rules with what each run scored on each question, for `operating_curve`.
    """

    verdict: Verdict
    rules: pl.DataFrame
    preflight: pl.DataFrame
    comparison: Comparison | None
    settings: dict[str, Any] = field(default_factory=dict)
    tested: tuple[tuple[Rule, Sides], ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; beside each rule's figures what they say in words."""
        plain = super().to_dict()
        rules = [row | {"told": words.told(row)} for row in plain["rules"]]
        return {"schema": "aiops-lab/gate", "schema_version": VERSION, **plain, "rules": rules}


def release_gate(
    lab: Any,
    *,
    baseline: str,
    candidate: str,
    policy: Any = None,
    policy_before: Any = None,
    fix: str | None = None,
) -> Gate:
    """Decide on a release by a policy.

    A rule is ok when its one-sided 5 % bound clears the limit, fails by the opposite test (Holm
    over all deciding rules), and is inconclusive else. Every rule of role gate or guardrail must
    be ok; one that fails fails the gate. A gate that evaluated nothing never passes. With
    `max_budget_share` what the change spends of each error budget is a rule too. With
    ``[budget_policy]`` it fails while an error budget is spent, unless the change is a fix.

    Parameters
    ----------
    lab
        A Lab, or one flat table with canonical columns.
    baseline, candidate
        Runs, by any name that `Lab.find_run` knows.
    policy
        Path, TOML text or dict with the keys of ``lab.toml``; by default the lab's own.
    policy_before
        The policy that held before, to point out what was loosened.
    fix
        Why this change is a fix, which is released while an error budget is spent too.

    Raises
    ------
    BadSettings
        The policy cannot be understood.
    UnknownRun
        A run is not there.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({
    ...     "run_id": ["a"] * 200 + ["b"] * 200,
    ...     "sample_id": [*range(200)] * 2,
    ...     "metric": "accuracy",
    ...     "value": [1] * 399 + [0],
    ... })
    >>> policy = {"gate": {"metrics": {"accuracy": {"margin": 0.05}}}}
    >>> release_gate(table, baseline="a", candidate="b", policy=policy).verdict.status
    'ok'
    """
    settings = getattr(lab, "settings", None) or Settings()
    given = read_policy(policy, settings)
    data = evals(lab, baseline, candidate)
    base_run, cand_run = data.run_ids
    asked = rules_of(given, data.better)
    whole: Comparison | None
    try:
        whole = compare_runs(data, baseline=baseline, candidate=candidate, cluster=given.cluster)
        checks = whole.preflight.drop("candidate_run")
    except NotComputable:
        whole, checks = None, preflight(data, base_run, cand_run)
    sides = sides_of(data, asked, given.cluster)
    found = [(rule, sides[rule.name], _whole(rule, sides[rule.name], data)) for rule in asked]
    if given.max_budget_share is not None:
        goals, traffic = read_promises(policy, settings), lab if hasattr(lab, "relations") else None
        budgets, check = budget_rules(data, goals, given.max_budget_share, traffic, given.cluster)
        found += budgets
        checks = checks.vstack(pl.DataFrame([check], schema=checks.schema, orient="row"))
    checks = _checked(checks, data, [rule for rule, _, _ in found], given, policy_before)
    frozen = freeze(lab, settings.budget_policy, fix)
    if frozen:
        checks = checks.vstack(pl.DataFrame([frozen.check], schema=checks.schema, orient="row"))
    blocked = _blocked(checks)
    rows = _decided(found, _price(whole), blocked, _there(data))
    rules = pl.DataFrame(rows, schema=ROW)
    metrics = sorted(data.scores["metric"].unique().drop_nulls())
    verdict = _verdict(rows, blocked, given, checks, _lost_slice(whole, rows), metrics)
    return Gate(
        verdict=frozen.on(verdict) if frozen else verdict,
        rules=rules,
        preflight=checks,
        comparison=whole,
        settings={
            "baseline": base_run,
            "candidate": cand_run,
            "policy": plain(given),
            "policy_digest": policy_digest(given),
            **({"fix": frozen.fix} if frozen and frozen.fix else {}),
            **data.origin,
        },
        tested=tuple((rule, own) for rule, own, _ in found),
    )


def sides_of(data: Evals, rules: list[Rule], cluster: str | None) -> dict[str, Sides]:
    """For each rule what both runs scored, question by question."""
    base_run, cand_run = data.run_ids
    caps = {rule.metric for rule in rules if rule.cap}
    wanted = {name.replace("invalid_", "") + "_valid" for name in caps if "invalid" in name}
    wanted |= caps & MEASURES.keys()
    samples = measured(questions(data.samples, cluster), tuple(sorted(wanted)))
    samples = samples.with_columns(
        (1 - pl.col(f"{kind}_valid")).alias(f"invalid_{kind}")
        for kind in ("json", "yaml")
        if f"{kind}_valid" in samples.columns
    )
    used = samples.with_columns(pl.col(sorted(caps)).cast(pl.Float64)) if caps else samples
    values = {
        True: used.unpivot(on=sorted(caps), index=["run_id", "sample_id"], variable_name="metric"),
        False: data.scores,
    }
    found = {}
    for rule in rules:
        own = values[rule.metric in caps and rule.cap]
        own = own.filter(pl.col("metric") == rule.metric)
        pairs = paired(own, samples, base_run, cand_run)
        alone = paired(own, samples, cand_run, cand_run)
        _, candidate, clusters = columns(alone)
        labels = _labels(pairs, data, rule.human, samples)
        found[rule.name] = Sides(*columns(pairs), candidate, clusters, labels)
    return found


def _whole(rule: Rule, sides: Sides, data: Evals) -> Tested:
    """A rule tested; a cap decides nothing when many answers have no figure to hold against it."""
    found = tested(rule, sides)
    if not rule.cap or not found.n or found.note:
        return found
    fresh = ~pl.col("metadata").str.contains(CACHED).fill_null(False)
    candidate, baseline = (
        set(data.samples.filter(pl.col("run_id") == run, fresh)["sample_id"])
        for run in reversed(data.run_ids)
    )
    alone = rule.scale in ("mean", "quantile")
    asked = len(candidate if alone else candidate & baseline)
    lost = asked - len(sides.own if alone else sides.baseline)
    if lost <= MISSING * asked:
        return found
    which = "the candidate" if alone else "both runs"
    return replace(found, note=f"{lost} of {asked} questions have no figure for it in {which}")


def _labels(
    pairs: pl.DataFrame, data: Evals, human: str | None, samples: pl.DataFrame
) -> Labels | None:
    """The judge's scores beside those of people; None where the policy names no labels."""
    if human is None:
        return None
    said = paired(data.scores.filter(pl.col("metric") == human), samples, *data.run_ids)
    said = said.select("sample_id", human_baseline="baseline", human_candidate="candidate")
    both = pairs.join(said, on="sample_id", how="left", maintain_order="left")
    people = both.select("human_baseline", "human_candidate").to_numpy().astype(float)
    judge = both.select("baseline", "candidate").to_numpy()
    return Labels(judge, people, columns(pairs)[2])


def _price(whole: Comparison | None) -> float | None:
    """Dollars for one more question in both runs."""
    if whole is None or not whole.power.height:
        return None
    return whole.power["cost_of_question"][0]


def _there(data: Evals) -> list[str]:
    """Scores and amounts that the runs have figures for."""
    amounts = [name for name in USED if name in data.samples.columns]
    known = [name for name in amounts if data.samples[name].count()]
    return [*data.scores.drop_nulls("value")["metric"].unique(maintain_order=True), *known]


def _decided(
    found: list[tuple[Rule, Sides, Tested]],
    price: float | None,
    blocked: list[str],
    there: list[str],
) -> list[dict[str, Any]]:
    deciding = [t.p_fail if rule.decides and not t.note else None for rule, _, t in found]
    adjusted = [
        p if rule.decides else t.p_fail
        for (rule, _, t), p in zip(found, holm(deciding), strict=True)
    ]
    rows = []
    for (rule, _, t), p_fail in zip(found, adjusted, strict=True):
        status: Status = "inconclusive"
        if not t.note and t.p_ok is not None and t.p_ok <= ALPHA:
            status = "ok"
        elif not t.note and p_fail is not None and p_fail <= ALPHA:
            status = "fail"
        settle = words.settle(rule, t, price, there) if status == "inconclusive" else ""
        if blocked:
            status, settle = "inconclusive", f"Nothing is decided: {blocked[0]}."
        known = t.baseline is not None and t.candidate is not None
        rows.append(
            {
                "rule": rule.name,
                "metric": rule.metric,
                "role": rule.role,
                "scale": rule.scale,
                "direction": rule.direction,
                "baseline": t.baseline,
                "candidate": t.candidate,
                "difference": (t.candidate or 0.0) - (t.baseline or 0.0) if known else None,
                "value": t.value,
                "low": t.low,
                "high": t.high,
                "limit": rule.limit,
                "n": t.n,
                "status": status,
                "settle": settle,
                "shown": _shown(rule, t),
                "p_ok": t.p_ok,
                "p_fail": t.p_fail,
                "p_fail_adjusted": p_fail,
                "share": t.share,
                "method": t.method,
            }
        )
    return rows


def _shown(rule: Rule, found: Tested) -> str:
    """What the 90 % interval of a difference shows beside: better (superiority), or equivalent
    within the margin on both sides (two one-sided tests)."""
    if rule.scale != "difference" or found.low is None or found.high is None:
        return ""
    worst, best = sorted(rule.direction * end for end in (found.low, found.high))
    if worst > 0:
        return "better"
    return "equivalent" if -abs(rule.limit) < worst and best < abs(rule.limit) else ""


def _checked(
    checks: pl.DataFrame, data: Evals, rules: list[Rule], policy: Policy, before: Any
) -> pl.DataFrame:
    """The preflight with what a gate asks beside: complete scores, an unchanged policy."""
    rows = [_complete(data, [rule for rule in rules if not rule.cap])]
    if before is not None:
        looser = list(loosened(read_policy(before, Settings()), policy, data.better))
        told = "the policy was loosened: " + "; ".join(looser) if looser else "not loosened"
        rows.append(("policy", "warn" if looser else "ok", told))
    extra = pl.DataFrame(rows, schema=checks.schema, orient="row")
    return pl.concat([checks, extra])


def _complete(data: Evals, rules: list[Rule]) -> tuple[str, str, str]:
    """Questions that one side has a score for and the other has not are not passed over.

    So many as a quarter of a margin may be missing, and at most 2 %.
    """
    base_run, cand_run = data.run_ids
    metrics = sorted({rule.metric for rule in rules})
    scored = data.scores.drop_nulls("value").filter(pl.col("metric").is_in(metrics))
    margins = [abs(r.limit) for r in rules if r.scale == "difference" and r.limit and r.decides]
    missing = min([MISSING, *(margin / 4 for margin in margins)])
    ids = ["metric", "sample_id"]
    baseline, candidate = (
        scored.filter(pl.col("run_id") == run).select(ids).unique() for run in (base_run, cand_run)
    )
    lost, n = baseline.join(candidate, on=ids, how="anti").height, baseline.height
    detail = f"{lost} of {n} scores of the baseline are missing in the candidate"
    if n and lost > missing * n:
        return "complete", "inconclusive", detail
    asked = data.samples.filter(pl.col("run_id") == base_run)["sample_id"]
    dark = candidate.join(baseline, on=ids, how="anti")
    dark = dark.filter(pl.col("sample_id").is_in(asked.unique().implode())).height
    if candidate.height and dark > missing * candidate.height:
        told = f"{dark} of {candidate.height} scores of the candidate are missing in the baseline"
        return "complete", "inconclusive", told
    for metric in sorted(set(scored["metric"])):
        before, now = (_unscored(data, scored, metric, run) for run in (base_run, cand_run))
        if now > before + MISSING:
            told = (
                f"{100 * now:.1f} % of the candidate's answers have no {metric}, "
                f"{100 * before:.1f} % before"
            )
            return "complete", "inconclusive", told
    return "complete", "ok", detail


def _unscored(data: Evals, scored: pl.DataFrame, metric: str, run: str) -> float:
    asked = data.samples.filter(pl.col("run_id") == run)
    answers = asked["sample_id"].n_unique() * asked["epoch"].n_unique()
    own = scored.filter(pl.col("run_id") == run, pl.col("metric") == metric).height
    return max(0.0, 1 - own / answers) if answers else 0.0


def _blocked(checks: pl.DataFrame) -> list[str]:
    """Why nothing may pass."""
    barred = pl.col("check").is_in(BLOCKING) & (pl.col("status") == "warn")
    return checks.filter((pl.col("status") == "inconclusive") | barred)["detail"].to_list()


def _lost_slice(whole: Comparison | None, rows: list[dict[str, Any]]) -> str:
    """The slice that lost most clearly in a metric of the policy; a mean can hide it."""
    if whole is None:
        return ""
    ruled = [row["metric"] for row in rows]
    worse = (pl.col("moved") == "worse") & pl.col("metric").is_in(ruled)
    found = whole.slices.filter(worse).sort("p_adjusted", nulls_last=True)
    return words.told_slice(found.row(0, named=True)) if found.height else ""


def _verdict(
    rows: list[dict[str, Any]],
    blocked: list[str],
    policy: Policy,
    checks: pl.DataFrame,
    lost: str,
    metrics: list[str],
) -> Verdict:
    deciding = [row for row in rows if row["role"] != "info"]
    states = {row["status"] for row in deciding}
    status: Status = "ok"
    if blocked or not deciding or "inconclusive" in states:
        status = "inconclusive"
    if "fail" in states and not blocked:
        status = "fail"
    headline, step = words.verdict(status, deciding, blocked, metrics)
    if blocked:
        step = way_on(checks, step)
    if status == "inconclusive" and policy.inconclusive == "fail":
        status, headline = "fail", f"{headline} The policy counts that as a failure."
    if status == "ok" and lost:
        step = f"The policy is kept, but look at {lost} before releasing."
    looser = pl.col("check") == "policy"
    for row in checks.filter(status="warn").sort(looser, descending=True).head(1).to_dicts():
        step = f"{step} Mind that {row['detail']}." if not blocked else step
    evidence = tuple(
        Evidence(
            r["rule"], r["value"], r["low"], r["high"], r["limit"], r["status"],
            bool(r["share"] and r["scale"] == "difference"),
        )
        for r in rows
    )  # fmt: skip
    return Verdict(status, headline, evidence, step)
