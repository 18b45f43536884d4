"""What an ingest changes in the requests and their hourly summaries: those, and no others.

A trace is looked at again when any of its spans or scores arrive, and so is every hour that held or
holds one of its requests: so a late trace corrects its own hour, and a new day costs a day's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from aiops_lab.measures.learned import RefusalModel
from aiops_lab.objectives.objective import Objective
from aiops_lab.store import BEGUN, Store, Within
from aiops_lab.tables import conform, empty
from aiops_lab.traffic.counts import summarised
from aiops_lab.traffic.requests import LONGEST, requests_of
from aiops_lab.traffic.summaries import KEY, OF_OBJECTIVE, SLICES, hourly_of

LATEST = timedelta(days=60)
"""A score comes at most so long before or after its request."""
PART = 100_000
"""So many traces are put together at once."""


def rolled_up(
    store: Store,
    listed: pl.DataFrame,
    fresh: Sequence[str],
    attempt: str,
    names: Mapping[str, Sequence[str]] | None = None,
    refusals: RefusalModel | None = None,
    objectives: Sequence[Objective] = (),
) -> dict[str, int]:
    """Append the requests and hours that some new attempts change, under an attempt of their own.

    Parameters
    ----------
    listed
        The ingests to be seen beside the new ones.
    fresh
        The new attempts, whose rows are appended and not listed yet.
    attempt
        Under which the rows are appended.
    names, refusals
        Attributes that tell a dimension, and a detector; see `requests_of`.
    objectives
        What is counted of each hour beside its summaries.

    Returns
    -------
    dict
        How many rows were added to ``traffic`` and ``hourly``.
    """
    seen = [*listed.sort("at")["attempt"], *fresh]
    new = ("attempt", min(fresh)[:BEGUN], max(fresh))
    spans = _of(store, "spans", fresh, new).select("trace_id", "started_at").collect()
    scores = _of(store, "evaluations", fresh, new).select("trace_id", "at").collect()
    requests = _requests(store, seen, spans, names or {}, refusals)
    former = _former(store, seen, requests, scores)
    hours = pl.concat([requests["at"], former["at"]]).drop_nulls().dt.truncate("1h").unique()
    found = _hours(store, seen, requests, hours.sort(), objectives)
    for table, rows in (("traffic", requests), ("hourly", found)):
        store.append(table, rows.with_columns(attempt=pl.lit(attempt)))
    return {"traffic": requests.height, "hourly": found.height}


def _of(store: Store, table: str, attempts: Sequence[str], within: Within = None) -> pl.LazyFrame:
    rows = store.appended(table, within)
    order = pl.DataFrame({"attempt": attempts}, schema={"attempt": pl.String}).with_row_index("nth")
    return rows.join(order.lazy(), on="attempt", how="inner", maintain_order="left")


def _window(moments: pl.Series, before: timedelta, after: timedelta) -> tuple[datetime, datetime]:
    low, high = moments.min(), moments.max()
    assert isinstance(low, datetime) and isinstance(high, datetime)
    return low - before, high + after


def _requests(
    store: Store, seen: Sequence[str], touched: pl.DataFrame, names: Mapping[str, Sequence[str]],
    refusals: RefusalModel | None,
) -> pl.DataFrame:  # fmt: skip
    """The requests of these traces, of all their spans."""
    traces = touched.group_by("trace_id").agg(pl.col("started_at").min()).sort("started_at")
    parts = [empty("traffic")]
    for start in range(0, traces.height, PART):
        some = traces.slice(start, PART)
        within = None
        if not some["started_at"].null_count():
            within = ("started_at", *_window(some["started_at"], LONGEST, LONGEST))
        own = _of(store, "spans", seen, within).join(
            some.lazy().select("trace_id"), on="trace_id", how="semi", maintain_order="left"
        )
        spans = own.sort("nth", maintain_order=True).unique(
            ["trace_id", "span_id"], keep="first", maintain_order=True
        )
        spans = spans.drop("attempt", "nth").collect()
        parts.append(requests_of(spans, names, refusals))
    return pl.concat(parts)


def _former(
    store: Store, seen: Sequence[str], requests: pl.DataFrame, scores: pl.DataFrame
) -> pl.DataFrame:
    """When the requests of these traces and scores were, as far as that is known already."""
    traces = pl.concat([requests.select("trace_id"), scores.select("trace_id")]).unique()
    moments = pl.concat([requests["at"], scores["at"]])
    within = None
    if moments.count() and not scores["at"].null_count():
        # scores of requests that came with them need no longer look
        late = scores.join(requests, on="trace_id", how="anti").height > 0
        around = LATEST if late else LONGEST
        within = ("at", *_window(moments, around, around))
    rows = _of(store, "traffic", seen, within).select("trace_id", "at")
    return rows.join(traces.lazy(), on="trace_id", how="semi").collect()


def _hours(
    store: Store, seen: Sequence[str], requests: pl.DataFrame, hours: pl.Series,
    objectives: Sequence[Objective],
) -> pl.DataFrame:  # fmt: skip
    """The summaries of these hours: all their requests, the new ones in place of the old."""
    if not hours.len():
        return empty("hourly")
    hour = pl.col("at").dt.truncate("1h")
    low, high = _window(hours, timedelta(0), timedelta(hours=1))
    # a request may have moved out of these hours since: its newest row is asked, wherever it is
    known = _of(store, "traffic", seen, ("at", low - LONGEST, high + LONGEST))
    newest = known.sort("nth", maintain_order=True).unique(
        "trace_id", keep="last", maintain_order=True
    )
    old = newest.filter(
        hour.is_in(hours.implode()), ~pl.col("trace_id").is_in(requests["trace_id"].implode())
    ).drop("attempt", "nth").collect()  # fmt: skip
    whole = pl.concat([old, requests.filter(hour.is_in(hours.implode()))])
    scores = _of(store, "evaluations", seen, ("at", low - LATEST, high + LATEST)).join(
        whole.lazy().select("trace_id"), on="trace_id", how="semi", maintain_order="left"
    )
    scores = scores.sort("nth", maintain_order=True).unique(
        ["trace_id", "metric"], keep="last", maintain_order=True
    )
    scores = scores.drop("attempt", "nth").collect()
    found = hourly_of(whole.lazy(), scores.lazy(), SLICES)
    known = _of(store, "hourly", seen, ("hour", low, high)).filter(
        pl.col("hour").is_in(hours.implode()), ~OF_OBJECTIVE
    )
    gone = known.select(KEY).unique().collect().join(found, on=list(KEY), how="anti")
    zero = gone.with_columns(n=pl.lit(0), evaluated=pl.lit(0))
    counts = summarised(whole, scores, objectives, hours)
    return pl.concat([found, *(conform(rows, "hourly") for rows in (zero, counts))])
