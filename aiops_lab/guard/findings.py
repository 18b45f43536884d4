"""Single things in the logs that are proof, or near to it: each with the request it stands in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl

from aiops_lab.guard.logs import Logs
from aiops_lab.measures.leaks import find_canaries, prompt_runs
from aiops_lab.redact import MARK, MAYBE, redact
from aiops_lab.tables import schema_of, shaped

FINDINGS = schema_of("risk finding status trace_id day:date tenant detail")
QUOTED_WORDS = 12
"""So many words of a prompt in a row are no chance."""
ACTIVE = (
    ("script", r"(?i)<script[\s>/]|<iframe[\s>/]|<object[\s>/]|<embed[\s>/]|<svg[^>]{0,200}\son\w"
               r"|<[a-z]{1,12}\s[^>]{0,300}\bon(?:error|load|click|mouseover|focus)\s*="),
    ("script link", r"(?i)(?:\]\(|href\s*=\s*[\"']?|src\s*=\s*[\"']?)\s*(?:javascript|vbscript"
                    r"|data:text/html)[^\s]{0,3}:?"),
    ("picture that carries data away",
     r"(?i)(?:!\[[^\]\n]{0,300}\]\(\s*<?|<img\s[^>]{0,200}\bsrc\s*=\s*[\"']?)(?:https?:)?//"
     r"[^)\s\"'>]{0,500}\?[^)\s\"'>]{0,500}="),
    ("picture from elsewhere",
     r"(?i)(?:!\[[^\]\n]{0,300}\]\(\s*<?|<img\s[^>]{0,200}\bsrc\s*=\s*[\"']?)(?:https?:)?//"),
)  # fmt: skip
PERSONAL = ("email", "phone", "card", "iban", "ssn", "ip")
PUBLIC = 10
"""An address or number that so many requests are given is the house's own."""
MOST = 20_000
"""So many texts that may hold a secret are looked at, the latest first."""


def findings(logs: Logs) -> pl.DataFrame:
    """What stands in the logs that should not.

    Returns
    -------
    pl.DataFrame
        risk, finding (canary, prompt, tool, model, document, secret, personal data, active
        content), status (fail: proof; warn: to be looked at), trace_id, day, tenant, detail (what
        and how, never the secret itself): the worst first, then the latest. A finding is of a
        request, however often it stands there.
    """
    parts = [_canaries(logs), *_prompts(logs), *_tools(logs), _documents(logs), *_active(logs),
             _private(logs)]  # fmt: skip
    found = pl.concat(shaped(part, FINDINGS) for part in parts)
    worst = pl.col("status") != "fail"
    return found.unique().sort(
        worst, "day", "risk", "finding", "trace_id", "detail",
        descending=[False, True, False, False, False, False], nulls_last=True,
    )  # fmt: skip


def _found(
    rows: pl.DataFrame, risk: str, finding: str, status: str, detail: pl.Expr
) -> pl.DataFrame:
    told = {"risk": pl.lit(risk), "finding": pl.lit(finding), "status": pl.lit(status)}
    return rows.select("trace_id", "day", "tenant", **told, detail=detail)


def _at(outputs: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """What was found in each row of the outputs, with the request of that row."""
    rows = outputs.drop("text").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    return hits.join(rows, on="row", maintain_order="left")


def _canaries(logs: Logs) -> pl.DataFrame:
    """A tenant's token before another tenant, or a prompt's before anyone, is proof."""
    planted = logs.guard.canaries
    named = {f"tenant {k}": v for k, v in planted.tenants.items()}
    named |= {f"prompt {k}": v for k, v in planted.prompts.items()}
    hits = _at(logs.outputs, find_canaries(logs.outputs["text"], named))
    parts = pl.col("canary").str.splitn(" ", 2).struct
    kind, owner = parts.field("field_0"), parts.field("field_1")
    prompt = kind == "prompt"
    other = pl.col("tenant").is_not_null() & (pl.col("tenant") != owner)
    whose = (
        pl.when(prompt).then(pl.lit("the prompt's own"))
        .when(other).then(pl.lit("another tenant's"))
        .otherwise(pl.lit("the tenant's own, or not known whose"))
    )  # fmt: skip
    return hits.select(
        "trace_id", "day", "tenant",
        risk=pl.when(prompt).then(pl.lit("LLM07")).otherwise(pl.lit("LLM02")),
        finding=pl.lit("canary"),
        status=pl.when(prompt | other).then(pl.lit("fail")).otherwise(pl.lit("warn")),
        detail=pl.format("canary of {} in an output ({}): {}", "canary", "transform", whose),
    )  # fmt: skip


def _prompts(logs: Logs) -> Iterator[pl.DataFrame]:
    if logs.prompts:
        runs = prompt_runs(logs.outputs["text"], logs.prompts)
        long = _at(logs.outputs, runs.filter(pl.col("words") >= QUOTED_WORDS))
        said = pl.format("{} words of prompt {} in a row", "words", "prompt")
        yield _found(long, "LLM07", "prompt", "warn", said)


def _tools(logs: Logs) -> Iterator[pl.DataFrame]:
    """Calls and models that no list allows; where there is no list, nothing can be said."""
    for risk, what, allowed, rows in (
        ("LLM06", "tool", logs.guard.allowed_tools, logs.tools),
        ("LLM03", "model", logs.guard.allowed_models,
         logs.requests.select("trace_id", "day", "tenant", model="model_served")),
    ):  # fmt: skip
        if allowed is not None:
            other = rows.drop_nulls(what).filter(~pl.col(what).is_in(allowed))
            said = pl.format(f"{what} {{}}, which lab.toml does not allow", what)
            yield _found(other, risk, what, "fail", said)


def _documents(logs: Logs) -> pl.DataFrame:
    owned = logs.documents.select("trace_id", "day", "tenant", "owner").unique()
    owned = owned.explode("owner", empty_as_null=False, keep_nulls=False).unique()
    other = owned.filter(pl.col("tenant").is_not_null(), pl.col("owner") != pl.col("tenant"))
    other = other.filter(
        ~pl.col("owner").str.to_lowercase().is_in(["public", "shared", "all", "*"])
    )
    said = pl.format("a document of tenant {} was brought up for {}", "owner", "tenant")
    return _found(other, "LLM08", "document", "fail", said)


def _active(logs: Logs) -> Iterator[pl.DataFrame]:
    left = logs.outputs
    for what, pattern in ACTIVE:
        held = pl.col("text").str.contains(pattern)
        yield _found(left.filter(held), "LLM05", "active content", "warn", pl.lit(what))
        left = left.filter(~held)


def _private(logs: Logs) -> pl.DataFrame:
    """Secrets and personal data of outputs that the same request did not ask with."""
    maybe = logs.outputs.filter(pl.col("text").str.contains(MAYBE))
    maybe = maybe.sort("day", descending=True, nulls_last=True).head(MOST)
    asked = logs.inputs.group_by("trace_id").agg(asked=pl.col("text").str.join("\n"))
    brought = logs.read.group_by("trace_id").agg(read=pl.col("text").str.join("\n"))
    rows = maybe.join(asked, on="trace_id", how="left").join(brought, on="trace_id", how="left")
    found: list[dict[str, Any]] = []
    known: dict[str, frozenset[str]] = {}
    new = [
        _marks(row["text"], logs.key, known) - _marks(row["asked"], logs.key, known)
        for row in rows.iter_rows(named=True)  # few texts may hold any
    ]
    often = Counter(mark for own in new for mark in own)
    public = {mark for mark, n in often.items() if n >= PUBLIC and _kind(mark) in PERSONAL}
    for row, own in zip(rows.iter_rows(named=True), (own - public for own in new), strict=True):
        given = _marks(row["read"], logs.key, known) if own else frozenset()
        for kind in sorted({_kind(mark) for mark in own}):
            secret = kind not in PERSONAL
            from_read = all(mark in given for mark in own if _kind(mark) == kind)
            source = ", as a tool or document said" if from_read else ""
            found.append(
                {k: row[k] for k in ("trace_id", "day", "tenant")}
                | {
                    "risk": "LLM02", "status": "warn",
                    "finding": "secret" if secret else "personal data",
                    "detail": f"{kind} in an output that the request did not hold{source}",
                }
            )  # fmt: skip
    return pl.DataFrame(found, schema=FINDINGS)


def _marks(text: str | None, key: bytes, known: dict[str, frozenset[str]]) -> frozenset[str]:
    if not text:
        return frozenset()
    if text not in known:
        known[text] = frozenset(re.findall(MARK, redact(text, key))) - frozenset(
            re.findall(MARK, text)
        )
    return known[text]


def _kind(mark: str) -> str:
    return mark[1:-1].rpartition("-")[0]
