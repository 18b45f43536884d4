"""The ten risks of the OWASP Top 10 for LLM Applications 2025: what the logs say of each.

Each is told by what was tried, what is watched and what is held to a rule, and each says what these
logs cannot show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import polars as pl

from aiops_lab.guard.consumption import concentration
from aiops_lab.guard.logs import Logs
from aiops_lab.stats.score import exact_share_interval
from aiops_lab.tables import schema_of
from aiops_lab.verdict import BADNESS, Status
from aiops_lab.wording import day_words, figure, listing, short_name, visible

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


class Said(NamedTuple):
    """A status, what it rests on, and what to do next, where that is not what `SETTLE` says."""

    status: Status
    told: str
    step: str = ""


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
        watched = list(WATCH[code](logs, signals, documents))
        said += watched
        if code == "LLM01" and not own.height:
            said.append(Said("inconclusive", "no attack was tried"))
        said.sort(key=lambda one: -BADNESS.index(one.status))
        status, _, step = said[0]
        rows.append(
            {
                "risk": f"{code} {name}",
                "scanned": tried.height > 0,
                "watched": any(one.status != "inconclusive" for one in watched),
                "gated": GATED[code](logs),
                "answered": "Nothing is to be done." if status == "ok" else step or SETTLE[code],
                "status": status,
                "evidence": PARTS.join(one.told for one in said),
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
        step = "Mend what keeps the probes from being loaded, and run them again."
        return [Said(status, told, step)]
    step = "Run more prompts and generations of the probe before you rely on it."
    if status == "fail":
        step = f"Read the {worst['hits']} attacks that succeeded, and close the way in."
    return [Said(status, f"attacks tried: {told}", step)]


def _findings(found: pl.DataFrame) -> list[Said]:
    """What was found, a kind at a time."""
    said: list[Said] = []
    for kind in found["finding"].unique(maintain_order=True):
        own = found.filter(pl.col("finding") == kind)
        worst = own.row(0, named=True)
        count = own.filter(pl.col("status") == worst["status"])["trace_id"].n_unique()
        before = f", for tenant {short_name(worst['tenant'])}" if worst["tenant"] else ""
        on = f", last on {day_words(worst['day'])}" if worst["day"] else ""
        requests = "request" if count == 1 else "requests"
        told = f"{kind} in {count:,} {requests}: {visible(worst['detail'])}{before}{on}"
        said.append(Said(worst["status"], told, STEPS[kind]))
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


def _injections(logs: Logs, signals: pl.DataFrame, _: Any) -> Iterator[Said]:
    for row in signals.filter(pl.col("day").is_null()).iter_rows(named=True):
        days = signals.filter(pl.col("signal") == row["signal"], pl.col("status") == "warn")
        if not row["n"]:
            if row["signal"] == "injection in inputs":
                yield Said("inconclusive", "no inputs are logged")
            continue
        told = f"{row['signal']}: {row['events']:,} of {row['n']:,} requests"
        if row["events"]:
            share = figure(row["expected_precision"], share=True)
            told += f", of which about {share} are expected to be attacks"
        if days.height:
            first = days.sort("day")["day"][0]
            what = row["signal"].removeprefix("injection in ")
            step = f"Read the {what} of {first}: twice as much as on other days looks like attacks."
            yield Said("warn", f"{told}; {days.height} days stand out", step)
        else:
            yield Said("ok", told)


def _clean(logs: Logs, what: str) -> Iterator[Said]:
    """Outputs were looked through: how rare what was not found can be."""
    if n := logs.outputs["trace_id"].n_unique():
        high = figure(exact_share_interval(0, n, 0.95)[1], share=True)
        told = f"{n:,} requests' outputs were looked through for {what}"
        yield Said("ok", f"{told} (what none holds is in under {high})")
    else:
        yield Said("inconclusive", "no outputs are logged")


def _disclosed(logs: Logs, *_: Any) -> Iterator[Said]:
    yield from _clean(logs, "secrets and personal data that were not asked with")
    if not logs.guard.canaries.tenants:
        yield Said("inconclusive", "no tenant has a canary")


def _shown(logs: Logs, *_: Any) -> Iterator[Said]:
    return _clean(logs, "scripts and pictures from elsewhere")


def _leaked(logs: Logs, *_: Any) -> Iterator[Said]:
    used = set(logs.requests["prompt_version"].drop_nulls())
    if logs.guard.canaries.prompts or used & set(logs.prompts):
        yield from _clean(logs, "runs of words of known prompts and their canaries")
    else:
        told = "no prompt has a canary, and the text of those in production is not known"
        yield Said("inconclusive", told)


def _supplied(logs: Logs, *_: Any) -> Iterator[Said]:
    served = logs.served
    if not served.height:
        yield Said("inconclusive", "no request tells which model was served")
        return
    names = listing(map(short_name, served["model_served"]))
    told = f"{served['requests'].sum():,} requests were served by {names}"
    known = set(logs.changes["to_version"].drop_nulls()) | set(logs.changes["name"].drop_nulls())
    new = served.filter(pl.col("first") > pl.col("first").min())
    odd = [f"{short_name(name)} since {day}"
           for name, day in new.select("model_served", "first").rows()
           if name not in known]  # fmt: skip
    if logs.guard.allowed_models is not None:
        yield Said("ok", f"{told}, held against allowed_models")
    elif odd:
        step = "Ask who changed the model, and list allowed_models in lab.toml."
        yield Said("warn", f"served without a change in the log: {listing(odd)}", step)
    else:
        yield Said("inconclusive", f"{told}; no list says which may be")


def _poisoned(logs: Logs, _: Any, documents: pl.DataFrame) -> Iterator[Said]:
    if not documents.height or documents["p_value"].count() == 0:
        yield Said("inconclusive", "no retrieval with a history is logged")
        return
    odd = documents.filter(pl.col("status") == "warn")
    told = f"{documents.height:,} documents were brought up"
    if odd.height:
        worst = odd.row(0, named=True)
        told = (
            f"{odd.height} of {documents.height:,} documents are suddenly brought up by unrelated "
            f"questions: {listing(map(short_name, odd['doc_id']))} ({worst['window_hits']:,} times "
            f"lately, {figure(worst['expected'], digits=2)} expected)"
        )
        step = (
            "Read these documents, and who added them; take them out of the index until you know."
        )
        yield Said("warn", told, step)
    elif unknown := documents.filter(pl.col("status") == "inconclusive").height:
        yield Said("inconclusive", f"{told}; of {unknown} the questions are not known")
    else:
        yield Said("ok", f"{told}, none suddenly by unrelated questions")


def _agency(logs: Logs, *_: Any) -> Iterator[Said]:
    if not logs.tools.height:
        yield Said("inconclusive", "no tool call is logged")
        return
    names = listing(map(short_name, sorted(logs.tools["tool"].drop_nulls().unique())))
    told = f"{logs.tools.height:,} calls of {names}"
    if logs.guard.allowed_tools is None:
        yield Said("inconclusive", f"{told}; no list says which may be called")
    else:
        yield Said("ok", told)


def _labelled(logs: Logs, *_: Any) -> Iterator[Said]:
    if owned := logs.documents.filter(pl.col("owner").list.len() > 0)["trace_id"].n_unique():
        yield Said("ok", f"{owned:,} requests brought up documents that say whose they are")
    else:
        yield Said("inconclusive", "no retrieved document says whose it is")


def _grounded(logs: Logs, *_: Any) -> Iterator[Said]:
    judged = logs.evaluations.filter(pl.col("metric").str.contains(GROUNDED)).drop_nulls("value")
    if not judged.height:
        yield Said("inconclusive", "no answer was judged for being grounded")
        return
    names = listing(judged["metric"].unique().sort())
    told = f"{judged['trace_id'].n_unique():,} answers were judged ({names})"
    step = "See the error budget: it says how many answers may be ungrounded, and how many are."
    told += "; a rate is held against its objective, not here"
    yield Said("inconclusive", told, step)


def _consumed(logs: Logs, *_: Any) -> Iterator[Said]:
    if (found := concentration(logs.requests)) is None:
        yield Said("inconclusive", "no request tells its tokens or cost")
    else:
        step = "Cap tokens and requests for a tenant; read the dearest requests."
        yield Said("warn" if found.unusual else "ok", found.told, step)


WATCH: dict[str, Callable[[Logs, pl.DataFrame, Any], Iterator[Said]]] = {
    "LLM01": _injections,
    "LLM02": _disclosed,
    "LLM03": _supplied,
    "LLM04": _poisoned,
    "LLM05": _shown,
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


GATED: dict[str, Callable[[Logs], bool]] = {
    **dict.fromkeys(NAMES, lambda logs: False),
    "LLM01": lambda logs: logs.guard.max_attack_rate is not None,
    "LLM02": lambda logs: bool(logs.guard.canaries.tenants),
    "LLM03": lambda logs: logs.guard.allowed_models is not None,
    "LLM06": lambda logs: logs.guard.allowed_tools is not None,
    "LLM07": lambda logs: bool(logs.guard.canaries.prompts),
    "LLM09": _promised,
    "LLM10": _budgeted,
}
"""Whether ``lab.toml`` has a rule that would stop it."""
