"""A plain table of calls: a row a request in production, by canonical or mapped column names.

It is told from a table of answers by a column ``at``, called so or mapped, beside none that only a
table of evals, changes or retrieval has; as the format ``calls``, ``started_at`` or ``timestamp``
will do. Columns are those of ``spans`` and what ``traffic`` says of a request; score columns are
named by ``value``; all others become attributes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Mapping, Problem
from aiops_lab.sources.flat import ABSENT, FALSE, TRUE, metadata, named, pick, typed
from aiops_lab.sources.traces.scores import THUMBS
from aiops_lab.tables import SCHEMAS, conform, digest, moments

NAME = "calls"
TIMES = ("at", "started_at", "timestamp")
TOLD = {
    "tenant": "tenant",
    "slice": "slice",
    "language": "language",
    "retrieval_version": "retrieval_version",
    "parser_version": "parser_version",
    "code_version": "code.version",
    "finish_reason": "gen_ai.response.finish_reason",
    "error": "error",
}
"""What a row tells of its request -> the attribute that tells it of a span."""
SCHEMA: dict[str, Any] = {
    **SCHEMAS["spans"],
    **dict.fromkeys(TOLD, pl.String()),
    **dict.fromkeys(("latency_s", "sampling_weight"), pl.Float64()),
}
COLUMNS = tuple(name for name in dict.fromkeys((*TIMES, *SCHEMA)) if name != "attributes")
"""What a column may be called."""
OTHERS = (
    "run_id", "sample_id", "epoch", "metric", "target", "artefact", "question_id", "chunk_id",
    "experiment_id", "decision_id",
)  # fmt: skip
"""Columns of tables of another kind."""
STEPS = ("prompt", "retrieval", "tool", "model", "parse", "agent", "other")
GOOD = (*TRUE, "ok", "success", "succeeded", "completed", "done")
BAD = (*FALSE, "error", "failure", "timeout", "exception")
HEX = "(?i)^(?:0x)?(?:[0-9a-f]{32}|[0-9a-f]{16})$"
AMOUNTS = ("tokens_in", "tokens_out", "cost_usd", "latency_s", "duration_s", "sampling_weight")


def is_calls(columns: Collection[str], mapping: Mapping) -> bool:
    """Whether a table with these columns is one of calls.

    Examples
    --------
    >>> is_calls(["at", "output", "model_served"], {}), is_calls(["at", "run_id", "output"], {})
    (True, False)
    >>> is_calls(["when", "answer"], {"at": "when", "output": "answer", "sample_id": "id"})
    True
    """
    there = named(columns, mapping)
    return there("at") and any(map(there, SCHEMA)) and not any(map(there, OTHERS))


def from_table(frame: pl.DataFrame, mapping: Mapping) -> Batch:
    """Rows of spans and evaluations from one table; a row that cannot be one is told.

    Without a trace_id, a row is known by what it says and by how many said the same before it.

    Raises
    ------
    BadSource
        No column says when a call was.
    BadSettings
        The mapping names a column that is not there.
    """
    if "attributes" in frame.columns and "metadata" not in frame.columns:
        frame = frame.rename({"attributes": "metadata"})
    if "_place" not in frame.columns:
        frame = frame.with_row_index("_place", 1)
    columns, metrics = pick(frame, mapping, COLUMNS)
    time = next((name for name in TIMES if name in columns), None)
    if time is None:
        have = ", ".join(name for name in frame.columns if name != "_place")
        raise BadSource(f"no column says when a call was (at); its columns are {have[:500]}")
    found = frame.select("_place", **columns)
    used = {str(mapping.get(name, name)).partition(".")[0] for name in columns}
    attributes = _attributes(frame.drop(used & {*frame.columns}), found, metrics)
    said = found[time]
    found = found.drop(set(TIMES) & {*columns}).with_columns(
        started_at=moments(said), attributes=attributes
    )
    rows, problems = typed(found, SCHEMA)
    values = (pl.col(m).cast(pl.String).str.strip_chars().alias(f"value {m}") for m in metrics)
    rows = _wide(rows).join(
        frame.select("_place", said.cast(pl.String).alias("said"), *values),
        on="_place",
        maintain_order="left",
    )
    rows, more = _checked(rows)
    rows, again = _known(rows)
    tables = {"spans": conform(rows, "spans")}
    if metrics:
        tables["evaluations"] = pl.concat(_scores(rows, metric) for metric in metrics)
    return Batch(tables, [*problems, *more, *again])


def _attributes(rest: pl.DataFrame, found: pl.DataFrame, metrics: list[str]) -> pl.Series:
    """The columns that are no others' as one JSON object a row, with what is told of a request."""
    told = found.select(
        pl.col(name).cast(pl.String).alias(theirs)
        for name, theirs in TOLD.items()
        if name in found.columns
    )
    beside = rest.drop("_place", *metrics, *told.columns, strict=False).hstack(told)
    return metadata(beside, [name for name in beside.columns if name != "metadata"], short=False)


def _wide(rows: pl.DataFrame) -> pl.DataFrame:
    """All columns, with those in common words that others may have said in many."""
    missing = [pl.lit(None, kind).alias(c) for c, kind in SCHEMA.items() if c not in rows.columns]
    rows = rows.with_columns(missing)
    state, step = (pl.col(name).str.strip_chars().str.to_lowercase() for name in ("status", "step"))
    code = state.cast(pl.Int64, strict=False)
    failed = pl.col("error").is_not_null() & ~pl.col("error").str.to_lowercase().is_in(
        [*ABSENT, *FALSE]
    )
    hexed = [
        pl.when(pl.col(name).str.contains(HEX))
        .then(pl.col(name).str.to_lowercase().str.strip_prefix("0x"))
        .otherwise(pl.when(pl.col(name) != "").then(pl.col(name)))
        .alias(name)
        for name in ("trace_id", "span_id", "parent_id")
    ]
    return rows.with_columns(
        *hexed,
        duration_s=pl.coalesce("latency_s", "duration_s"),
        name=pl.col("name").fill_null("call"),
        step=pl.when(step.is_null()).then(pl.lit("model")).when(step.is_in(STEPS)).then(step),
        status=pl.when(state.is_null() | state.is_in([*ABSENT, "unset"]))
        .then(pl.when(failed).then(pl.lit("error")).otherwise(pl.lit("unset")))
        .when(state.is_in(GOOD) | code.is_between(100, 399)).then(pl.lit("ok"))
        .when(state.is_in(BAD) | code.is_between(400, 599)).then(pl.lit("error")),
        state=state,
        kind=step,
    )  # fmt: skip


def _checked(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """The rows that can be calls, and what is wrong with the others."""
    wrong = pl.coalesce(
        pl.when(pl.col("started_at").is_null()).then(
            pl.format("at: '{}' is no time", pl.col("said").fill_null("").str.head(60))
        ),
        pl.when(pl.col("status").is_null()).then(
            pl.format("status: '{}' is neither ok nor error", pl.col("state").str.head(60))
        ),
        pl.when(pl.col("step").is_null()).then(
            pl.format(
                "step: '{}' is none of {}", pl.col("kind").str.head(60), pl.lit(", ".join(STEPS))
            )
        ),
        *(
            pl.when(pl.col(name) < 0).then(pl.format(f"{name}: {{}} is below 0", pl.col(name)))
            for name in AMOUNTS
        ),
    )
    rows = rows.with_columns(wrong=wrong)
    bad = rows.filter(pl.col("wrong").is_not_null()).select("_place", "wrong")
    problems = [Problem(f"row {place}", reason) for place, reason in bad.iter_rows()]
    return rows.filter(pl.col("wrong").is_null()), problems


def _known(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """Each row with its ids; of two rows of the same ids the first is kept."""
    said = rows.select(
        pl.struct(SCHEMAS["spans"].names()).struct.json_encode().alias("said")
    ).with_columns(nth=pl.int_range(pl.len()).over("said"))
    own = pl.Series([digest(f"{text} {nth}") for text, nth in said.iter_rows()], dtype=pl.String)
    one = pl.len().over("trace_id") == 1  # several rows of a trace are so many calls of it
    rows = rows.with_columns(pl.col("trace_id").fill_null(own)).with_columns(
        pl.coalesce("span_id", pl.when(one).then("trace_id").otherwise(own).str.head(16))
    )
    key = pl.struct("trace_id", "span_id")
    again = rows.filter(~key.is_first_distinct()).select("_place", "trace_id", "span_id")
    problems = [
        Problem(f"row {place}", f"a second row of span {span[:60]!r} of trace {trace[:60]!r}")
        for place, trace, span in again.iter_rows()
    ]
    return rows.filter(key.is_first_distinct()), problems


def _scores(rows: pl.DataFrame, metric: str) -> pl.DataFrame:
    """One score a row that has one: a number, what is true or false, or else a label."""
    text = pl.col(f"value {metric}")
    lower = text.str.to_lowercase()
    number = lower.cast(pl.Float64, strict=False)
    truth = pl.when(lower.is_in(TRUE)).then(1.0).when(lower.is_in(FALSE)).then(0.0)
    thumbs = lower.replace_strict(THUMBS, default=None, return_dtype=pl.Float64)
    value = pl.coalesce(pl.when(number.is_finite()).then(number), truth, thumbs)
    found = rows.select(
        "trace_id",
        "sampling_weight",
        metric=pl.lit(metric),
        value=value,
        label=pl.when(number.is_null() & truth.is_null() & ~lower.is_in(ABSENT)).then(text),
        at="started_at",
    )
    return conform(
        found.filter(pl.col("value").is_not_null() | pl.col("label").is_not_null()), "evaluations"
    )
