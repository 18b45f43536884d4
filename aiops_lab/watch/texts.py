"""What answers say now that they did not say before, and the other way round."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from aiops_lab.stats.texts import FEWEST, TextShift, text_shift
from aiops_lab.traffic.summaries import in_slice
from aiops_lab.watch.traces import days_of_spans, requests_between

DAYS = 14
SKIPPED = 3
"""So many days before a shift are passed over: it may have begun by then."""


def changed_texts(
    lab: Any, since: dt.date | None = None, where: str | None = None, *, days: int = DAYS,
    seed: int = 0,
) -> TextShift | None:  # fmt: skip
    """Answers of the days before a day against those since: can they be told apart, and how?

    Parameters
    ----------
    lab
        A Lab.
    since
        The first day of the new ones; by default the last 14 days are new.
    where
        A slice, ``language=de``.
    days
        So many days of each side; the three before `since` are passed over.

    Returns
    -------
    TextShift or None
        None where there are fewer than 20 answers on a side.
    """
    if since is None:
        last = lab.scan("traffic").select(pl.col("day").max()).collect().item()
        if last is None:
            return None
        since = last - dt.timedelta(days=days - 1)
    assert isinstance(since, dt.date)
    first, end = since - dt.timedelta(days=days + SKIPPED), since + dt.timedelta(days=days - 1)
    old = pl.col("day").is_between(first, since - dt.timedelta(days=SKIPPED + 1))
    new = pl.col("day").is_between(since, end)
    rows = in_slice(requests_between(lab, first, end), where)
    picked = rows.filter(old | new).select("trace_id", new=pl.col("day") >= since)
    answers = (
        lab.scan("spans", days_of_spans(first, end))
        .filter(pl.col("step") == "model", pl.col("output").is_not_null())
        .select("trace_id", "started_at", "output")
        .join(picked, on="trace_id")
        .sort("started_at", "trace_id")
        .unique("trace_id", keep="last", maintain_order=True)
        .collect()
    )
    before, after = (
        answers.filter(pl.col("new") == side)["output"].to_list() for side in (False, True)
    )
    if min(len(before), len(after)) < FEWEST:
        return None
    return text_shift(before, after, seed=seed)
