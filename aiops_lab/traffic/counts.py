"""How many answers were good and bad, hour by hour, for each objective: exactly, from no bins.

Written with Narwhals, as summaries are: the same lines run on Polars, DuckDB and PySpark, and only
the counts come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import narwhals as nw
import polars as pl

from aiops_lab.objectives.objective import Criterion, Objective
from aiops_lab.traffic.summaries import ALL, LARGEST, told_requests

COUNTS = pl.Schema(
    {
        "hour": pl.Datetime("us", "UTC"), "objective": pl.String, "stratum": pl.String,
        "n": pl.Int64, "evaluated": pl.Int64, "bad": pl.Float64, "answers": pl.Float64,
    }
)  # fmt: skip
KEY = ("objective", "hour", "stratum")


def counted(traffic: Any, evaluations: Any, objectives: Iterable[Objective]) -> pl.DataFrame:
    """Good and bad answers of each objective by hour and stratum.

    Parameters
    ----------
    traffic, evaluations
        The canonical tables, both of one library that Narwhals knows; evaluations may be None.
    objectives
        Those that cannot be computed here are left out, as composites are: their parts count.

    Returns
    -------
    pl.DataFrame
        hour, objective (its name), stratum (the sampling weight of online scores, else ``all``), n
        (rows), evaluated (those of which it is known), bad, answers (how many the rows stand for:
        n, or the sum of their sampling weights).

    Examples
    --------
    >>> from datetime import datetime
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> goal = Objective("answered", 0.95, "refusal", read_criterion(bad=True))
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1, 9)] * 3, "refusal": [True, False, None]})
    >>> counted(rows, None, [goal]).select("n", "evaluated", "bad").row(0)
    (3, 2, 1.0)
    """
    requests = told_requests(nw.from_native(traffic)).lazy()
    columns = requests.collect_schema().names()
    scores = None if evaluations is None else nw.from_native(evaluations).lazy()
    parts = [pl.DataFrame(schema=COUNTS)]
    for goal in objectives:
        if goal.parts or not goal.computable or goal.metric is None or goal.criterion is None:
            continue
        if (rows := _within(requests, columns, goal.filter)) is None:
            continue
        if goal.metric in columns:
            own = rows.select("hour", value=nw.col(goal.metric), weight=nw.lit(1.0))
            own = own.with_columns(stratum=nw.lit(ALL))
        elif scores is not None:
            own = _scored(rows, scores, goal)
        else:
            continue
        parts.append(_counts(own, goal.name, goal.criterion))
    return pl.concat(parts).sort(KEY)


def _within(requests: Any, columns: list[str], where: str | None) -> Any:
    """The requests of a slice; None where they have no such column."""
    if where is None:
        return requests
    column, _, value = where.partition("=")
    if column not in columns:
        return None
    return requests.filter(nw.col(column).cast(nw.String) == value)


def _scored(rows: Any, scores: Any, goal: Objective) -> Any:
    """Online scores of a metric with their sampling weight, by the hour of their request."""
    given = nw.col("sampling_weight")
    weight = nw.when((given > 0) & (given < LARGEST)).then(given).otherwise(1.0)
    value = "label" if goal.criterion and goal.criterion.kind == "labels" else "value"
    own = scores.filter(nw.col("metric") == goal.metric).select(
        "trace_id", value=nw.col(value), weight=weight
    )
    own = own.join(rows.select("trace_id", "hour"), on="trace_id", how="inner")
    return own.with_columns(stratum=nw.col("weight").round(6).cast(nw.String))


def _counts(rows: Any, name: str, criterion: Criterion) -> pl.DataFrame:
    bad = bad_of(criterion, nw.col("value"))
    found = (
        rows.with_columns(bad=bad)
        .group_by("hour", "stratum")
        .agg(
            nw.len().alias("n"), nw.col("bad").count().alias("evaluated"), nw.col("bad").sum(),
            nw.col("weight").sum().alias("answers"),
        )
        .collect("polars").to_native()
    )  # fmt: skip
    hour = pl.col("hour").cast(pl.Datetime("us"))
    zoned = found.schema["hour"] == COUNTS["hour"]
    hour = pl.col("hour") if zoned else hour.dt.replace_time_zone("UTC")
    return found.select(
        hour, pl.lit(name).alias("objective"),
        *(pl.col(each).cast(COUNTS[each]) for each in COUNTS.names()[2:]),
    )  # fmt: skip


def bad_of(criterion: Criterion, value: nw.Expr) -> nw.Expr:
    """1 where an answer is bad, 0 where it is good, null where it is not known; of a ratio, the
    share that is bad. As `Criterion.is_good` says it."""
    if criterion.kind == "ratio":
        share = value.cast(nw.Float64)
        return share if criterion.bad else 1.0 - share
    if criterion.kind == "labels":
        meets = value.is_in(list(criterion.labels))
    elif criterion.kind == "events":
        meets = value.cast(nw.Float64) != 0.0
    else:
        number = value.cast(nw.Float64)
        meets = nw.lit(True)
        if criterion.low is not None:
            meets &= number > criterion.low if criterion.above else number >= criterion.low
        if criterion.high is not None:
            meets &= number < criterion.high if criterion.below else number <= criterion.high
    told = meets if criterion.bad else ~meets
    return nw.when(~value.is_null()).then(told.cast(nw.Float64))


def strata_of(counts: pl.DataFrame) -> list[tuple[int, int, int, int]]:
    """Answers, evaluated, bad and missing of each stratum, whatever the hour.

    An answer that was sampled stands for as many as its weight says; so many there were at least
    as were looked at.
    """
    sums = counts.group_by("stratum", maintain_order=True).agg(
        pl.col("n", "evaluated", "bad", "answers").sum()
    )
    return [
        (max(round(row["answers"]), row["n"]), row["evaluated"], round(row["bad"]),
         row["n"] - row["evaluated"])
        for row in sums.sort("stratum").to_dicts()
    ]  # fmt: skip
