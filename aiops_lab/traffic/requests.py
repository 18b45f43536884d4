"""Spans put together to requests: what was asked of which versions, and what came of it.

A request is all spans of one trace, whichever file they came in and in whatever order. Its root is
the earliest span without a parent among them; where the root is missing (late, or lost) the request
is there all the same, and `complete` is false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import polars as pl

from aiops_lab.measures.learned import RefusalModel
from aiops_lab.measures.measure import measure
from aiops_lab.tables import conform, empty

LONGEST = timedelta(days=7)
"""The spans of one trace begin within so long of each other."""
MEASURED = (
    "words", "refusal", "json_valid", "yaml_valid", "json_repaired", "yaml_repaired",
    "json_defect", "yaml_defect",
)  # fmt: skip
FINISHED = (
    "gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason",
    "gen_ai.completion.0.finish_reason",
)  # fmt: skip
CUT = "length|max_tokens"
SCORES = ("retrieval.documents.0.document.score", "retrieval.documents.0.score")
DIMENSIONS: Mapping[str, Sequence[str]] = {
    "tenant": ("tenant.id", "app.tenant", "tenant", "user.tenant", "metadata.tenant"),
    "slice": ("app.slice", "slice", "app.feature", "feature", "metadata.slice"),
    "language": ("app.language", "language", "user.language", "metadata.language"),
    "retrieval_version": ("retrieval.version", "app.retrieval.version", "retrieval_version"),
    "parser_version": ("parser.version", "app.parser.version", "parser_version"),
    "code_version": ("service.version", "app.version", "code.version", "release"),
}
"""Column of a request -> attributes that tell it, the best first; of its spans or their sender."""


def requests_of(
    spans: pl.DataFrame, names: Mapping[str, Sequence[str]] | None = None,
    refusals: RefusalModel | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The requests that some spans make.

    Parameters
    ----------
    spans
        The canonical table: all known spans of each trace.
    names
        Attributes that tell a dimension, asked before those of `DIMENSIONS`.
    refusals
        A detector of the team's own, beside the phrase rule.

    Returns
    -------
    pl.DataFrame
        The canonical table ``traffic``, the oldest first. Tokens and costs are those of all spans
        that tell some and have no child that does; versions those of the first span that tells
        one, of models the last.

    Examples
    --------
    >>> from aiops_lab.tables import conform
    >>> row = {"trace_id": "a", "span_id": "1", "step": "model", "status": "ok", "tokens_in": 7}
    >>> requests_of(conform(pl.DataFrame([row]), "spans")).select("tokens_in", "status").row(0)
    (7, 'ok')
    """
    if not spans.height:
        return empty("traffic")
    spans = spans.sort(
        "started_at", "duration_s", "trace_id", "span_id",
        descending=[False, True, False, False], nulls_last=True,
    )  # fmt: skip
    spans = _with_roots(spans)
    spans = spans.with_columns(**_told(spans["attributes"], names or {}))
    known = spans.group_by("trace_id", maintain_order=True).agg(_columns())
    texts = known.select(pl.coalesce("root_output", "model_output")).to_series()
    rows = known.with_columns(day=pl.col("at").dt.date()).hstack(measure(texts, MEASURED))
    if refusals is not None:
        own = refusals.of(texts)
        rows = rows.with_columns(refusal_learned=own, refusal_model=pl.lit(refusals.version))
    return conform(rows, "traffic").sort("at", "trace_id", nulls_last=True)


def _with_roots(spans: pl.DataFrame) -> pl.DataFrame:
    """Marks the root of each trace, and spans below which another tells tokens or cost."""
    ids = spans.select("trace_id", parent_id="span_id").with_columns(held=True)
    spans = spans.join(
        ids.unique(["trace_id", "parent_id"]), on=["trace_id", "parent_id"], how="left",
        maintain_order="left",
    )  # fmt: skip
    tops = pl.col("held").is_null()
    spans = spans.with_columns(
        root=tops & tops.cum_sum().over("trace_id").eq(1) & pl.col("parent_id").is_null(),
    )
    for name in ("tokens_in", "tokens_out", "cost_usd"):
        telling = spans.filter(pl.col(name).is_not_null()).select(
            "trace_id", span_id="parent_id"
        ).unique().with_columns(below=True)  # fmt: skip
        spans = spans.join(telling, on=["trace_id", "span_id"], how="left", maintain_order="left")
        spans = spans.with_columns(
            pl.when(pl.col("below").is_null()).then(pl.col(name)).alias(name)
        ).drop("below")
    return spans


def _told(attributes: pl.Series, names: Mapping[str, Sequence[str]]) -> dict[str, pl.Expr]:
    """The dimensions and how an answer ended, out of the attributes and those of the sender."""
    wanted = {column: [*names.get(column, ()), *usual] for column, usual in DIMENSIONS.items()}
    every = {f'"{key}"': key for keys in (*wanted.values(), FINISHED, SCORES) for key in keys}
    # only names that occur at all are looked for in each span
    marks = attributes.str.extract_many(list(every)).explode().unique()
    there = {every[mark] for mark in marks.drop_nulls()}

    def first(keys: Sequence[str], *within: str | None) -> pl.Expr:
        held = [_attribute(key, part) for part in within for key in keys if key in there]
        return pl.coalesce(*held, pl.lit(None, pl.String))

    found = {column: first(keys, None, "otel.resource") for column, keys in wanted.items()}
    found["finish"] = pl.when(pl.col("step") == "model").then(first(FINISHED, None))
    score = first(SCORES, None).cast(pl.Float64, strict=False)
    retrieval = pl.col("step") == "retrieval"
    found["score"] = pl.when(retrieval & score.is_finite()).then(score)
    return found


def _attribute(name: str, within: str | None = None) -> pl.Expr:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    path = f'$["{within}"]["{quoted}"]' if within else f'$["{quoted}"]'
    value = pl.col("attributes").str.json_path_match(path)
    return pl.when(value != "").then(value)


def _columns() -> list[pl.Expr]:
    model, tool = pl.col("step") == "model", pl.col("step") == "tool"
    parse, failed = pl.col("step") == "parse", pl.col("status") == "error"
    root = pl.col("root")
    end = (pl.col("started_at") + pl.duration(seconds=pl.col("duration_s"))).max()
    span = (end - pl.col("started_at").min()).dt.total_microseconds() / 1e6

    def last(name: str) -> pl.Expr:
        own = pl.col(name).filter(model).drop_nulls().last()
        return pl.coalesce(own, pl.col(name).drop_nulls().last()).alias(name)

    def first(name: str) -> pl.Expr:
        return pl.col(name).drop_nulls().first()

    def total(name: str) -> pl.Expr:
        return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)

    def any_of(kind: pl.Expr, what: pl.Expr) -> pl.Expr:
        """Null where there is no span of the kind."""
        return pl.when(kind.any()).then((kind & what).any())

    return [
        pl.coalesce(pl.col("started_at").filter(root).first(), pl.col("started_at").min()).alias(
            "at"
        ),
        pl.when(root.any()).then(pl.col("duration_s").filter(root).first()).otherwise(span).alias(
            "latency_s"
        ),
        root.any().alias("complete"),
        pl.when(pl.when(root.any()).then((root & failed).any()).otherwise((model & failed).any()))
        .then(pl.lit("error")).otherwise(pl.lit("ok")).alias("status"),
        *(first(name) for name in ("prompt_version", "index_version", *DIMENSIONS)),
        *(last(name) for name in ("model_requested", "model_served", "fingerprint")),
        *(total(name) for name in ("tokens_in", "tokens_out", "cost_usd")),
        any_of(model & pl.col("finish").is_not_null(), pl.col("finish").str.contains(CUT)).alias(
            "truncated"
        ),
        any_of(tool, failed).alias("tool_error"),
        any_of(parse, failed).alias("parse_error"),
        pl.col("score").max().alias("retrieval_score"),
        pl.col("output").filter(root).first().alias("root_output"),
        pl.col("output").filter(model).drop_nulls().last().alias("model_output"),
    ]  # fmt: skip
