"""The slow and the dear end of what is measured: a quantile watched as a rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from aiops_lab.traffic.histograms import GAMMA
from aiops_lab.watch.daily import KEY, starts

SHARE = 0.95
ENDING = "_p95"


def with_tails(
    daily: pl.DataFrame, metrics: Sequence[str], baseline_days: int,
    restart: Any = None,
) -> pl.DataFrame:  # fmt: skip
    """Daily figures with, for some means, the share of requests above their first days' p95.

    A mean hides a tail. The 95 % quantile of the baseline, from the days' histograms (within 1 %),
    is a fixed limit; how many requests lie above it is a rate, 5 % at first, which is watched like
    every other.

    Parameters
    ----------
    daily
        As `aiops_lab.summarise` makes it; series without bins have no tail.
    metrics
        The means.
    restart
        As `aiops_lab.detect_shifts` takes it: the limit is taken anew from that day on.

    Examples
    --------
    >>> import datetime as dt
    >>> day = [dt.date(2026, 5, d) for d in (1, 2)]
    >>> bins = [[{"sign": 1, "bin": b, "n": 1} for b in own] for own in (range(20), range(10, 30))]
    >>> daily = pl.DataFrame({"day": day, "metric": "latency_s", "slice": "all", "n": 20,
    ...                       "events": None, "bins": bins})
    >>> with_tails(daily, ["latency_s"], 1).filter(metric="latency_s_p95")["events"].to_list()
    [1, 11]
    """
    if "bins" not in daily.columns or daily.schema["bins"] == pl.Null:
        return daily
    own = daily.filter(pl.col("metric").is_in(list(metrics)), pl.col("bins").list.len() > 0)
    own = own.select("day", *KEY, "bins")
    begun = starts(own.select(KEY).unique(maintain_order=True), None, _of(own, restart))
    sign, number = pl.col("sign"), pl.col("bin")
    values = own.explode("bins").unnest("bins").select(
        "day", *KEY, "n", value=sign * 2 * pl.lit(GAMMA).pow(number) / (GAMMA + 1)
    )  # fmt: skip
    values = values.join(begun, on=KEY)
    first = pl.col("day").rank("dense").over(KEY) <= baseline_days  # of those that are used
    used = pl.col("start").is_null() | (pl.col("day") >= pl.col("start"))
    based = values.filter(used).filter(first).group_by(*KEY, "value").agg(pl.col("n").sum())
    reached = pl.col("n").cum_sum().over(KEY) >= SHARE * pl.col("n").sum().over(KEY)
    limits = based.sort("value").filter(reached).group_by(KEY).agg(limit=pl.col("value").min())
    above = pl.when(pl.col("value") > pl.col("limit")).then(pl.col("n")).otherwise(0).sum()
    rates = values.join(limits, on=KEY).group_by("day", *KEY).agg(pl.col("n").sum(), events=above)
    rates = rates.with_columns(pl.col("metric") + ENDING, evaluated="n").sort(*KEY, "day")
    return pl.concat([daily, rates], how="diagonal_relaxed")


def _of(own: pl.DataFrame, restart: Any) -> dict[str, Any]:
    """The days from which tails start anew: their own, or those of what they are tails of."""
    given = restart if isinstance(restart, Mapping) else {}
    days = {name: given.get(name + ENDING, given.get(name)) for name in own["metric"].unique()}
    return {name: day for name, day in days.items() if day is not None}


def restarts(daily: pl.DataFrame, restart: Any) -> Any:
    """What to start anew, with the tail of each metric that is."""
    if not isinstance(restart, Mapping):
        return restart
    tails = {f"{name}{ENDING}": day for name, day in restart.items()}
    known = set(daily["metric"])
    return {name: day for name, day in tails.items() if name in known} | dict(restart)
