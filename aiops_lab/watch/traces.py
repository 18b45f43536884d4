"""Single requests worth looking at: typical, slow, failing and refused ones, step by step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl

from aiops_lab.tables import SCHEMAS, schema_of
from aiops_lab.traffic.requests import LONGEST
from aiops_lab.traffic.summaries import in_slice

KINDS = ("typical", "slow", "failing", "refused")
STEPS = schema_of(
    "kind trace_id span_id depth:int step name begins:float ends:float status input output"
)
DEEPEST = 20
RECENT = dt.timedelta(days=28)
LAST = dt.date(9999, 12, 1)
"""So late that days can be added."""


def pick_traces(
    lab: Any,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    where: str | None = None,
    most: int = 2,
) -> pl.DataFrame:
    """Some requests of each kind, with their steps in order.

    Parameters
    ----------
    lab
        A Lab.
    since, until
        The days to look at; by default the last four weeks.
    where
        A slice, ``language=de``.
    most
        So many of each kind: the ones nearest to the median latency; the slowest; the latest that
        failed (the request, a tool or its parser); the latest that were refused.

    Returns
    -------
    pl.DataFrame
        kind, trace_id, span_id, depth, step, name, begins and ends (seconds from the request's
        first span), status, input, output: a row a span.
    """
    rows = in_slice(requests_between(lab, since, until), where)
    known = rows.select(
        "trace_id", "at", "latency_s", "refusal",
        failed=pl.any_horizontal(
            pl.col("status") == "error", pl.col("tool_error"), pl.col("parse_error")
        ),
    ).collect()  # fmt: skip
    picked = pl.concat(
        [known.select("trace_id", kind=pl.lit(None, pl.String)).clear()]
        + [
            own.head(most).select("trace_id", kind=pl.lit(kind))
            for kind, own in zip(KINDS, _ranked(known), strict=True)
        ]
    ).unique("trace_id", keep="first", maintain_order=True)
    days = known.join(picked, on="trace_id", how="semi")["at"].dt.date()
    return steps_of(lab, picked, (days.min(), days.max()))


def requests_between(lab: Any, since: dt.date | None, until: dt.date | None) -> pl.LazyFrame:
    """The requests of some days, both included; without a first day of the last four weeks."""
    day = pl.col("day")
    within = None if since is None else days_of_spans(since, until or dt.date.max, "at")
    rows = lab.scan("traffic", within).filter(day.is_not_null())
    if until is not None:
        rows = rows.filter(day <= until)
    return rows.filter(day > day.max() - RECENT if since is None else day >= since)


def days_of_spans(
    first: Any, last: Any, column: str = "started_at"
) -> tuple[str, dt.datetime, dt.datetime] | None:
    """When the spans of the requests of some days began, as `Lab.scan` takes it."""
    if first is None:
        return None
    # a request moves by no more than that when an earlier span of it arrives
    low = dt.datetime.combine(first, dt.time(), dt.UTC) - LONGEST
    high = dt.datetime.combine(min(last, LAST), dt.time(), dt.UTC) + LONGEST
    return column, low, high


def _ranked(known: pl.DataFrame) -> list[pl.DataFrame]:
    timed = known.drop_nulls("latency_s")
    median = timed["latency_s"].median()
    good = timed.filter(~pl.col("failed").fill_null(False) & ~pl.col("refusal").fill_null(False))
    away = (pl.col("latency_s") - (median or 0)).abs()  # pyright: ignore[reportOperatorIssue]
    latest = known.sort("at", descending=True)
    return [
        good.sort(away, "trace_id"),
        timed.sort("latency_s", "trace_id", descending=[True, False]),
        latest.filter("failed"),
        latest.filter("refusal"),
    ]


def steps_of(
    lab: Any, picked: pl.DataFrame, days: tuple[Any, Any], more: Sequence[str] = ()
) -> pl.DataFrame:
    """The steps of some requests (trace_id, kind) of these days, with more columns of spans."""
    own = pl.col("trace_id").is_in(picked["trace_id"].implode())
    spans = (
        lab.scan("spans", days_of_spans(*days)).filter(own).collect().join(picked, on="trace_id")
    )
    if not spans.height:
        return pl.DataFrame(schema=STEPS | {name: SCHEMAS["spans"][name] for name in more})
    first = pl.col("started_at").min().over("trace_id")
    begins = (pl.col("started_at") - first).dt.total_microseconds() / 1e6
    spans = spans.with_columns(begins=begins.fill_null(0.0), depth=_depth(spans)).with_columns(
        ends=pl.col("begins") + pl.col("duration_s").fill_null(0.0)
    )
    order = pl.col("trace_id").replace_strict(
        dict(zip(picked["trace_id"], range(picked.height), strict=True)), return_dtype=pl.Int64
    )
    rows = spans.sort(order, "begins", "depth", "span_id")
    return rows.select(*(pl.col(name).cast(dtype) for name, dtype in STEPS.items()), *more)


def _depth(spans: pl.DataFrame) -> pl.Series:
    """How many known spans stand above each; a circle ends."""
    parents = {
        (t, s): (t, p) for t, s, p in spans.select("trace_id", "span_id", "parent_id").rows()
    }
    depths = []
    for key in spans.select("trace_id", "span_id").rows():
        depth, above = 0, parents.get(key)
        while above in parents and depth < DEEPEST:
            depth, above = depth + 1, parents[above]
        depths.append(depth)
    return pl.Series(depths, dtype=pl.Int64)
