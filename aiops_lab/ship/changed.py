"""After a change: which tasks must be run again, at what price, which verdicts still stand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aiops_lab.result import Result
from aiops_lab.ship.policy import policy_digest
from aiops_lab.tables import schema_of
from aiops_lab.verdict import Evidence, Status, Verdict
from aiops_lab.wording import figure, listing

PARTS = {
    "prompt": "prompt_version",
    "model": "model",
    "dataset": "dataset_version",
    "scorer": "scorer_version",
}
SCHEMA = schema_of("task run_id status reason answers:int cost_usd:float last_gate")


@dataclass(frozen=True)
class Changed(Result):
    """What a change leaves standing; see `changed_tasks`.

    Attributes
    ----------
    verdict
        ok: every task's newest run uses the newest of everything; warn: some must run again.
    tasks
        A row a task: its newest run, status (ok: it stands; warn: run it again), reason, answers
        and dollars of that run (what another would take), and the last gate's verdict on it.
    """

    verdict: Verdict
    tasks: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def changed_tasks(lab: Any) -> Changed:
    """Which tasks must be run again.

    A prompt, model, dataset or scorer was replaced when a task's later run uses another than its
    run before. Every other task whose newest run still uses the replaced one (the same digest)
    must be run again. A gate's verdict stands while its candidate is the task's newest run, the
    policy is the same and nothing in that run was replaced.
    """
    runs = _with_digests(lab.runs(), lab.table("artefacts"))
    replaced = _replaced(runs)
    newest = runs.group_by("task", maintain_order=True).last()
    used = _used(lab.scan("samples"), newest["run_id"].to_list())
    gates = _gates(lab.table("verdicts"))
    current = policy_digest(lab.settings.gate)
    rows = []
    for run in newest.to_dicts():
        old = [
            f"{part} {_short(run[part])} was replaced by {_short(by)} in {task}"
            for part in PARTS
            for by, task in replaced.get((part, run[part]), [])
            if task != run["task"]
        ]
        answers, cost = used.get(run["run_id"], (0, None))
        rows.append(
            {
                "task": run["task"],
                "run_id": run["run_id"],
                "status": "warn" if old else "ok",
                "reason": "; ".join(old) or "its newest run uses the newest of everything",
                "answers": answers,
                "cost_usd": cost,
                "last_gate": _standing(gates.get(run["run_id"]), current, bool(old)),
            }
        )
    tasks = pl.DataFrame(rows, schema=SCHEMA)
    return Changed(_verdict(rows), tasks, {"lab": lab.path.name, "lab_version": lab.version})


def _with_digests(runs: pl.DataFrame, artefacts: pl.DataFrame) -> pl.DataFrame:
    """Runs in the order of time with what tells their parts apart; null where not known."""
    known = artefacts.group_by("artefact", "version").agg(pl.col("digest").n_unique(), d="digest")
    digests = {
        (row["artefact"], row["version"]): row["d"][0]
        for row in known.to_dicts()
        if row["digest"] == 1
    }
    ordered = runs.sort("started_at", nulls_last=False, maintain_order=True)
    rows = [
        {"task": run["task"], "run_id": run["run_id"]}
        | {
            part: digests.get((part, run[column]), None if part == "prompt" else run[column])
            for part, column in PARTS.items()
        }
        for run in ordered.filter(pl.col("status").fill_null("success") == "success").to_dicts()
    ]
    schema = dict.fromkeys(("task", "run_id", *PARTS), pl.String)
    return pl.DataFrame(rows, schema=schema)


def _replaced(runs: pl.DataFrame) -> dict[tuple[str, str | None], list[tuple[str, str]]]:
    """(part, old) -> what replaced it, in which task."""
    found: dict[tuple[str, str | None], list[tuple[str, str]]] = {}
    for (task,), own in runs.group_by("task", maintain_order=True):
        for part in PARTS:
            last = own[part][-1]
            earlier = set(own[part].drop_nulls()) - {last}
            for old in sorted(earlier) if last is not None else ():
                found.setdefault((part, old), []).append((str(last), str(task)))
    return found


def _used(samples: pl.LazyFrame, runs: list[str]) -> dict[str, tuple[int, float | None]]:
    own = samples.filter(pl.col("run_id").is_in(runs)).group_by("run_id")
    costs = own.agg(n=pl.len(), cost=pl.col("cost_usd").sum(), known=pl.col("cost_usd").count())
    return {
        run: (n, cost if known else None) for run, n, cost, known in costs.collect().iter_rows()
    }


def _gates(verdicts: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """candidate run -> status and policy digest of its last gate."""
    own = verdicts.filter(report="gate").sort("at")
    found = {}
    for status, parameters in own.select("status", "parameters").iter_rows():
        settings = json.loads(parameters)
        found[settings["candidate"]] = (status, settings["policy_digest"])
    return found


def _standing(gate: tuple[str, str] | None, current: str, replaced: bool) -> str:
    if gate is None:
        return "none"
    status, digest = gate
    if replaced:
        return f"{status}, stands no longer: a part was replaced"
    return f"{status}, stands" if digest == current else f"{status}, by another policy"


def _short(digest: str | None) -> str:
    return (digest or "")[:12]


def _verdict(rows: list[dict[str, Any]]) -> Verdict:
    again = [row for row in rows if row["status"] == "warn"]
    status: Status = "warn" if again else "ok" if rows else "inconclusive"
    evidence = tuple(Evidence(row["task"], row["cost_usd"], status=row["status"]) for row in rows)
    if not rows:
        return Verdict(status, "There are no finished runs.", (), "Ingest some logs.")
    if not again:
        return Verdict(status, "No task has to be run again.", evidence, "Every verdict stands.")
    known = [row["cost_usd"] for row in again]
    cost = "" if None in known else f", about ${figure(sum(known), digits=2)} at the last price"
    answers = sum(row["answers"] for row in again)
    headline = f"Run again: {listing(row['task'] for row in again)} ({answers:,} answers{cost})."
    return Verdict(status, headline, evidence, f"Because {again[0]['reason']}.")
