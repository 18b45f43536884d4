"""The ten risks of the OWASP Top 10 for LLM Applications 2025: what the logs say of each.

Each is told by what was tried, what is watched and what is held to a rule, and each says what these
logs cannot show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from aiops_lab.guard.consumption import concentration
from aiops_lab.guard.logs import Logs
from aiops_lab.stats.score import exact_share_interval
from aiops_lab.tables import schema_of
from aiops_lab.verdict import BADNESS, Status
from aiops_lab.wording import figure, listing, short_name, visible

NAMES = {
    "LLM01": "Prompt Injection",
    "LLM02": "Sensitive Information Disclosure",
    "LLM03": "Supply Chain",
    "LLM04": "Data and Model Poisoning",
    "LLM05": "Improper Output Handling",
    "LLM06": "Excessive Agency",
    "LLM07": "System Prompt Leakage",
    "LLM08": "Vector and Embedding Weaknesses",
    "LLM09": "Misinformation",
    "LLM10": "Unbounded Consumption",
}
UNSEEN = {
    "LLM01": "attacks worded as no rule knows, and most that hide in documents",
    "LLM02": "what is private but has no form: names, figures, trade secrets without a canary",
    "LLM03": "where weights, adapters and packages come from: only what was served is logged",
    "LLM04": "what a model was trained on, and a page that is planted for one kind of question",
    "LLM05": "what becomes of an output behind the model: pages and databases are not logged",
    "LLM06": "what a tool was allowed to do, and whether a person confirmed it",
    "LLM07": "a prompt that is told in other words, in another language or encoded",
    "LLM08": "who may read a document, unless the retrieval spans say whose it is",
    "LLM09": "whether an answer is true: that takes a judge or a person",
    "LLM10": "who sent a request: no user or address is logged, only tenants",
}
SCHEMA = schema_of("risk scanned:bool watched:bool gated:bool answered status evidence unseen")
GROUNDED = r"(?i)ground|faith|support|citation|hallucin|factual|correct"

PARTS = " · "
"""Stands between what the evidence of a risk rests on."""
Said = tuple[Status, str, str]
"""A status, what it rests on, and what to do next."""


def risks(
    logs: Logs, attacks: pl.DataFrame, signals: pl.DataFrame, found: pl.DataFrame,
    documents: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """A row a risk, in order; see `aiops_lab.guard.review.SecurityReview`."""
    rows = []
    for code, name in NAMES.items():
        own = attacks.filter(pl.col("risk") == code)
        tried = own.filter(pl.col("n") > 0)
        said = [*_attacks(own), *_findings(found.filter(pl.col("risk") == code))]
        watched = WATCH[code](logs, signals, documents)
        said += watched
        if code == "LLM01" and not own.height:
            said.append(("inconclusive", "no attack was tried", SETTLE[code]))
        said.sort(key=lambda one: -BADNESS.index(one[0]))
        status = said[0][0]
        answered = said[0][2] if status != "ok" else "Nothing is to be done."
        rows.append(
            {
                "risk": f"{code} {name}",
                "scanned": tried.height > 0,
                "watched": any(one[0] != "inconclusive" for one in watched),
                "gated": GATED[code](logs),
                "answered": answered,
                "status": status,
                "evidence": PARTS.join(one[1] for one in said),
                "unseen": UNSEEN[code],
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def _attacks(own: pl.DataFrame) -> list[Said]:
    """What was tried: the worst probe speaks for all."""
    if not own.height:
        return []
    worst = own.row(0, named=True)
    status: Status = worst["status"]
    told = visible(worst["told"]).rstrip(".")
    if not own["n"].sum():
        return [(status, told, "Mend what keeps the probes from being loaded, and run them again.")]
    step = {
        "fail": f"Read the {worst['hits']} attacks that succeeded, and close the way in.",
        "inconclusive": "Run more prompts and generations of the probe before you rely on it.",
    }.get(status, "Run the probes again with each release.")
    return [(status, f"attacks tried: {told}", step)]


def _findings(found: pl.DataFrame) -> list[Said]:
    """What was found, a kind at a time."""
    said: list[Said] = []
    for kind in found["finding"].unique(maintain_order=True):
        own = found.filter(pl.col("finding") == kind)
        worst = own.row(0, named=True)
        count = own.filter(pl.col("status") == worst["status"])["trace_id"].n_unique()
        before = f", for tenant {short_name(worst['tenant'])}" if worst["tenant"] else ""
        on = f", last on {worst['day']}" if worst["day"] else ""
        requests = "request" if count == 1 else "requests"
        told = f"{kind} in {count:,} {requests}: {visible(worst['detail'])}{before}{on}"
        said.append((worst["status"], told, STEPS[kind]))
    return said


STEPS = {
    "canary": "Stop what shares data between tenants or tells the prompt, and tell its owner; "
    "findings has the requests.",
    "prompt": "Read these outputs: did they tell the prompt, or quote what customers may know?",
    "tool": "Take the tool away from the model, or add it to allowed_tools in lab.toml.",
    "model": "Find out who changed the model, or add it to allowed_models in lab.toml.",
    "document": "Filter retrieval by tenant before anything else, and tell its owner.",
    "secret": "Change the secret, then find out how it came into an output.",
    "personal data": "Read these outputs: whose data are they, and who asked?",
    "active content": "Escape outputs and allow links and pictures of known hosts alone.",
}
"""Kind of finding -> what to do."""


def _injections(logs: Logs, signals: pl.DataFrame, _: Any) -> list[Said]:
    said: list[Said] = []
    for row in signals.filter(pl.col("day").is_null()).iter_rows(named=True):
        days = signals.filter(pl.col("signal") == row["signal"], pl.col("status") == "warn")
        if not row["n"]:
            if row["signal"] == "injection in inputs":
                said.append(("inconclusive", "no inputs are logged", SETTLE["LLM01"]))
            continue
        told = f"{row['signal']}: {row['events']:,} of {row['n']:,} requests"
        if row["events"]:
            share = figure(row["expected_precision"], share=True)
            told += f", of which about {share} are expected to be attacks"
        if days.height:
            first = days.sort("day")["day"][0]
            what = row["signal"].removeprefix("injection in ")
            step = f"Read the {what} of {first}: twice as much as on other days looks like attacks."
            said.append(("warn", f"{told}; {days.height} days stand out", step))
        else:
            said.append(("ok", told, "Watch the rate; no single message is proof."))
    return said


def _clean(what: str, risk: str) -> Callable[[Logs, pl.DataFrame, Any], list[Said]]:
    """Outputs were looked through: how rare what was not found can be."""

    def say(logs: Logs, signals: pl.DataFrame, _: Any) -> list[Said]:
        n = logs.outputs["trace_id"].n_unique()
        if not n:
            return [("inconclusive", "no outputs are logged", SETTLE[risk])]
        high = exact_share_interval(0, n, 0.95)[1]
        told = f"{n:,} requests' outputs were looked through for {what}"
        return [("ok", f"{told} (what none holds is in under {figure(high, share=True)})",
                 "Nothing is to be done.")]  # fmt: skip

    return say


def _disclosed(logs: Logs, signals: pl.DataFrame, documents: Any) -> list[Said]:
    said = _clean("secrets and personal data that were not asked with", "LLM02")(logs, signals, 0)
    if not logs.guard.canaries.tenants:
        said.append(("inconclusive", "no tenant has a canary", SETTLE["LLM02"]))
    return said


def _leaked(logs: Logs, signals: pl.DataFrame, documents: Any) -> list[Said]:
    used = set(logs.requests["prompt_version"].drop_nulls())
    if not logs.guard.canaries.prompts and not used & set(logs.prompts):
        told = "no prompt has a canary, and the text of those in production is not known"
        return [("inconclusive", told, SETTLE["LLM07"])]
    return _clean("runs of words of known prompts and their canaries", "LLM07")(logs, signals, 0)


def _supplied(logs: Logs, *_: Any) -> list[Said]:
    served = logs.served
    if not served.height:
        return [("inconclusive", "no request tells which model was served", SETTLE["LLM03"])]
    names = listing(map(short_name, served["model_served"]))
    told = f"{served['requests'].sum():,} requests were served by {names}"
    if logs.guard.allowed_models is not None:
        return [("ok", f"{told}, held against allowed_models", "Nothing is to be done.")]
    known = set(logs.changes["to_version"].drop_nulls()) | set(logs.changes["name"].drop_nulls())
    new = served.filter(pl.col("first") > pl.col("first").min())
    odd = [(name, day) for name, day in new.select("model_served", "first").rows()
           if name not in known]  # fmt: skip
    if odd:
        names = listing(f"{short_name(name)} since {day}" for name, day in odd)
        return [("warn", f"served without a change in the log: {names}",
                 "Ask who changed the model, and list allowed_models in lab.toml.")]  # fmt: skip
    return [("inconclusive", f"{told}; no list says which may be", SETTLE["LLM03"])]


def _poisoned(logs: Logs, _: Any, documents: pl.DataFrame) -> list[Said]:
    if not documents.height or documents["p_value"].count() == 0:
        return [("inconclusive", "no retrieval with a history is logged", SETTLE["LLM04"])]
    odd = documents.filter(pl.col("status") == "warn")
    told = f"{documents.height:,} documents were brought up"
    if odd.height:
        worst = odd.row(0, named=True)
        told = (
            f"{odd.height} of {documents.height:,} documents are suddenly brought up by unrelated "
            f"questions: {listing(map(short_name, odd['doc_id']))} ({worst['window_hits']:,} times "
            f"lately, {figure(worst['expected'], digits=2)} expected)"
        )
        return [("warn", told, "Read these documents, and who added them; take them out of the "
                 "index until you know.")]  # fmt: skip
    unknown = documents.filter(pl.col("status") == "inconclusive").height
    if unknown:
        return [("inconclusive", f"{told}; of {unknown} the questions are not known",
                 SETTLE["LLM04"])]  # fmt: skip
    return [("ok", f"{told}, none suddenly by unrelated questions", "Nothing is to be done.")]


def _agency(logs: Logs, *_: Any) -> list[Said]:
    if not logs.tools.height:
        return [("inconclusive", "no tool call is logged", SETTLE["LLM06"])]
    names = listing(map(short_name, sorted(logs.tools["tool"].drop_nulls().unique())))
    if logs.guard.allowed_tools is None:
        return [("inconclusive", f"{logs.tools.height:,} calls of {names}; no list says which may "
                 "be called", SETTLE["LLM06"])]  # fmt: skip
    return [("ok", f"{logs.tools.height:,} calls of {names}", "Nothing is to be done.")]


def _labelled(logs: Logs, *_: Any) -> list[Said]:
    owned = logs.documents.filter(pl.col("owner").list.len() > 0)["trace_id"].n_unique()
    if not owned:
        return [("inconclusive", "no retrieved document says whose it is", SETTLE["LLM08"])]
    return [("ok", f"{owned:,} requests brought up documents that say whose they are",
             "Nothing is to be done.")]  # fmt: skip


def _grounded(logs: Logs, *_: Any) -> list[Said]:
    judged = logs.evaluations.filter(pl.col("metric").str.contains(GROUNDED)).drop_nulls("value")
    if not judged.height:
        return [("inconclusive", "no answer was judged for being grounded", SETTLE["LLM09"])]
    names = listing(judged["metric"].unique().sort())
    told = f"{judged['trace_id'].n_unique():,} answers were judged ({names})"
    step = "See the error budget: it says how many answers may be ungrounded, and how many are."
    return [("inconclusive", f"{told}; a rate is held against its objective, not here", step)]


def _consumed(logs: Logs, *_: Any) -> list[Said]:
    found = concentration(logs.requests)
    if found is None:
        return [("inconclusive", "no request tells its tokens or cost", SETTLE["LLM10"])]
    status: Status = "warn" if found.unusual else "ok"
    step = "Cap tokens and requests for a tenant; read the dearest requests."
    return [(status, found.told, step)]


WATCH: dict[str, Callable[[Logs, pl.DataFrame, Any], list[Said]]] = {
    "LLM01": _injections,
    "LLM02": _disclosed,
    "LLM03": _supplied,
    "LLM04": _poisoned,
    "LLM05": _clean("scripts and pictures from elsewhere", "LLM05"),
    "LLM06": _agency,
    "LLM07": _leaked,
    "LLM08": _labelled,
    "LLM09": _grounded,
    "LLM10": _consumed,
}
SETTLE = {
    "LLM01": "Log inputs, and run garak or a red team of Promptfoo against it.",
    "LLM02": "Plant a random token in what is each tenant's alone: [guard.canaries.tenants].",
    "LLM03": "List the models that may be served: allowed_models in [guard].",
    "LLM04": "Log retrieval with document ids and questions for some weeks.",
    "LLM05": "Log outputs.",
    "LLM06": "Trace tool calls, and list those that may be made: allowed_tools in [guard].",
    "LLM07": "Plant a random token in each system prompt: [guard.canaries.prompts].",
    "LLM08": "Log the tenant of each document in its metadata (tenant).",
    "LLM09": "Judge a sample of the answers for being grounded, and promise a rate: [[slo]].",
    "LLM10": "Log tokens or cost of each request.",
}
"""What would tell, where nothing does."""


def _budgeted(logs: Logs) -> bool:
    caps = logs.settings.gate.caps
    return any(str(name).startswith(("tokens", "cost", "characters")) for name in caps)


def _promised(logs: Logs) -> bool:
    named: Iterable[str] = [slo.metric or "" for slo in logs.settings.slo]
    return any(re.search(GROUNDED, name) for name in [*named, *logs.settings.gate.metrics])


def _rated(logs: Logs) -> bool:
    return logs.guard.max_attack_rate is not None


GATED: dict[str, Callable[[Logs], bool]] = {
    **dict.fromkeys(NAMES, lambda logs: False),
    "LLM01": _rated,
    "LLM02": lambda logs: bool(logs.guard.canaries.tenants),
    "LLM03": lambda logs: logs.guard.allowed_models is not None,
    "LLM06": lambda logs: logs.guard.allowed_tools is not None,
    "LLM07": lambda logs: bool(logs.guard.canaries.prompts),
    "LLM09": _promised,
    "LLM10": _budgeted,
}
"""Whether ``lab.toml`` has a rule that would stop it."""
