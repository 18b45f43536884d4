"""How many answers were good and bad, hour by hour, for each objective: exactly, from no bins.

Written with Narwhals, as summaries are: the same lines run on Polars, DuckDB and PySpark, and only
the counts come back. No count depends on the order of the rows, so what was counted hour by hour
as traffic came is what counting it all again gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import polars as pl

from aiops_lab.objectives.objective import Criterion, Objective
from aiops_lab.tables import digest, schema_of
from aiops_lab.traffic.summaries import ALL, LARGEST, OBJECTIVE, told_requests

COUNTS = schema_of("hour:time objective stratum n:int evaluated:int bad:float answers:float")
KEY = ("objective", "hour", "stratum")
REQUESTS = "requests"
"""The stratum that says how many requests a slice had, where scores are of some of them."""
FINEST = 2.0**30
"""Shares are rounded to this part of one: their sums are exact, in whatever order."""
HOUR = timedelta(hours=1)


def counted(
    traffic: Any, evaluations: Any, objectives: Iterable[Objective],
    between: tuple[datetime, datetime] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Good and bad answers of each objective by hour and stratum.

    Parameters
    ----------
    traffic, evaluations
        The canonical tables, both of one library that Narwhals knows; evaluations may be None.
    objectives
        Those that cannot be computed here are left out, as composites are: their parts count.
    between
        Only requests from the first moment to before the second.

    Returns
    -------
    pl.DataFrame
        hour, objective (its name), stratum (the sampling weight of online scores, else ``all``), n
        (rows), evaluated (those of which it is known), bad (of shares of good: the sum of the
        shares that are bad), answers (how many the rows stand for: n times the sampling weight).

        Of objectives with slices that divide an hour, hour is the start of a slice. Of those with
        slices and online scores, the stratum ``requests`` has in answers how many requests there
        were, scored or not, and 0 else: it is no part of the sums of the others.

    Examples
    --------
    >>> from datetime import datetime
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> goal = Objective("answered", 0.95, "refusal", read_criterion(bad=True))
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1, 9)] * 3, "refusal": [True, False, None]})
    >>> counted(rows, None, [goal]).select("n", "evaluated", "bad").row(0)
    (3, 2, 1.0)
    """
    requests = told_requests(nw.from_native(traffic)).lazy().filter(~nw.col("at").is_null())
    if between is not None:
        requests = requests.filter(nw.col("at") >= between[0], nw.col("at") < between[1])
    schema = requests.collect_schema()
    scores = None if evaluations is None else nw.from_native(evaluations).lazy()
    parts = [pl.DataFrame(schema=COUNTS)]
    for goal in objectives:
        if (
            goal.metric is None
            or not _countable(goal)
            or (rows := _within(requests, schema, goal.filter)) is None
        ):
            continue
        minute = nw.col("at").dt.minute()
        rows = rows.with_columns(minute=minute - minute % goal.grain)
        if goal.metric in schema:
            if not _fits(goal, schema[goal.metric]):
                continue
            own = rows.select("hour", "minute", value=nw.col(goal.metric), weight=nw.lit(1.0))
            parts.append(_counts(own.with_columns(stratum=nw.lit(ALL)), goal))
        elif scores is not None:
            parts.append(_counts(_scored(rows, scores, goal), goal))
            parts += [_requests(rows, goal)] if goal.sliced else []
    return pl.concat(parts).sort(KEY)


def digest_of(goal: Objective) -> str:
    """What decides an objective's counts, as 12 hexadecimal digits; not its name or its target."""
    criterion = asdict(goal.criterion) if goal.criterion else None
    told = [goal.metric, criterion, goal.filter, goal.grain if goal.sliced else None]
    return digest(json.dumps(told))[:12]


def summarised(
    traffic: pl.DataFrame, evaluations: pl.DataFrame, objectives: Iterable[Objective],
    hours: pl.Series,
) -> pl.DataFrame:  # fmt: skip
    """What `counted` finds in these hours, for the canonical table ``hourly``.

    The metric is ``objective:`` and the `digest_of` each; sum is bad and weight answers. The
    minute at which a slice within the hour starts stands behind its stratum (``1.0@15``). An hour
    without such answers has a row of zeros: it was looked at.
    """
    named = {name: goal for goal in objectives if _countable(goal)
             for name in [OBJECTIVE + digest_of(goal)]}  # fmt: skip
    goals = [replace(goal, name=name) for name, goal in named.items()]
    found = counted(traffic.lazy(), evaluations.lazy(), goals)
    hour = pl.col("hour").dt.truncate("1h").alias("hour")
    minute = pl.col("hour").dt.minute().cast(pl.String).str.zfill(2)
    fine = [name for name, goal in named.items() if goal.grain < 60]
    stratum = pl.when(pl.col("objective").is_in(fine)).then(pl.format("{}@{}", "stratum", minute))
    rows = found.select(
        hour, "n", "evaluated", metric="objective", stratum=stratum.otherwise("stratum"),
        weight="answers", sum="bad",
    )  # fmt: skip
    looked = pl.DataFrame({"metric": list(named)}, schema={"metric": pl.String}).join(
        hours.alias("hour").to_frame(), how="cross"
    )
    marks = looked.join(rows, on=["hour", "metric"], how="anti").with_columns(
        stratum=pl.lit(ALL), n=pl.lit(0), evaluated=pl.lit(0), weight=pl.lit(0.0), sum=pl.lit(0.0)
    )
    return pl.concat([rows, marks], how="diagonal_relaxed").with_columns(slice=pl.lit(ALL))


def counts_of(lab: Any, objectives: Sequence[Objective]) -> pl.DataFrame:
    """What `counted` finds in a lab: from its hourly summaries, and where these lack an objective
    (it is newer than they are, or counts something else since) from its requests.
    """
    named = [(goal.name, OBJECTIVE + digest_of(goal)) for goal in objectives if _countable(goal)]
    names = pl.DataFrame(named, schema={"objective": pl.String, "metric": pl.String}, orient="row")
    table = lab.scan("hourly")
    own = table.filter(pl.col("metric").is_in(names["metric"].implode())).select(
        "hour", "metric", "stratum", "n", "evaluated", bad="sum", answers="weight"
    )
    rows, hours = pl.collect_all([own, table.select("hour").unique()])
    told = rows.join(names, on="metric")
    lacking = hours.join(names, how="cross").join(told, on=["hour", "objective"], how="anti")
    place = pl.col("stratum").str.splitn("@", 2).struct
    minutes = pl.duration(minutes=place.field("field_1").cast(pl.Int64).fill_null(0))
    found = [
        told.filter(pl.col("answers") > 0)
        .with_columns(pl.col("hour") + minutes, place.field("field_0").alias("stratum"))
        .select(pl.col(name).cast(dtype) for name, dtype in COUNTS.items())
    ]
    if lacking.height:
        found.append(_recounted(lab, objectives, lacking))
    return pl.concat(found).sort(KEY)


def _recounted(lab: Any, objectives: Sequence[Objective], lacking: pl.DataFrame) -> pl.DataFrame:
    goals = [goal for goal in objectives if goal.name in lacking["objective"]]
    first, last = lacking["hour"].min(), lacking["hour"].max()
    assert isinstance(first, datetime) and isinstance(last, datetime)
    traffic, evaluations = lab.relations("traffic", "evaluations")
    found = counted(traffic, evaluations, goals, (first, last + HOUR))
    wanted = lacking.select("objective", whole="hour")
    found = found.with_columns(whole=pl.col("hour").dt.truncate("1h"))
    return found.join(wanted, on=["objective", "whole"], how="semi").drop("whole")


def left_out(goal: Objective) -> pl.Expr:
    """Whether a row of counts is of an hour that an exclusion overlaps."""
    hour = pl.col("hour").dt.truncate("1h")
    outs = [(hour < each.end) & (hour + HOUR > each.begin) for each in goal.exclusions]
    return pl.any_horizontal(pl.lit(False), *outs)


def _countable(goal: Objective) -> bool:
    known = goal.metric is not None and goal.criterion is not None and goal.grain > 0
    return known and not goal.parts and goal.computable


def _fits(goal: Objective, dtype: Any) -> bool:
    """Whether a column holds what a criterion asks of it."""
    labels = goal.criterion is not None and goal.criterion.kind == "labels"
    return labels or dtype.is_numeric() or dtype in (nw.Boolean, nw.Object)


def _within(requests: Any, schema: Any, where: str | None) -> Any:
    """The requests of a slice; None where they have no such column."""
    if where is None:
        return requests
    column, _, value = where.partition("=")
    if column not in schema:
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
    own = own.join(rows.select("trace_id", "hour", "minute"), on="trace_id", how="inner")
    return own.with_columns(stratum=nw.col("weight").round(6).cast(nw.String))


def _requests(rows: Any, goal: Objective) -> pl.DataFrame:
    """How many requests each slice had."""
    own = rows.group_by("hour", "minute").agg(nw.len().alias("answers"))
    none = dict.fromkeys(("n", "evaluated", "bad"), pl.lit(0))
    found = own.collect("polars").to_native().with_columns(stratum=pl.lit(REQUESTS), **none)
    return _named(found, goal)


def _counts(rows: Any, goal: Objective) -> pl.DataFrame:
    assert goal.criterion is not None
    found = (
        rows.with_columns(bad=bad_of(goal.criterion, nw.col("value")))
        .group_by("hour", "minute", "stratum")
        .agg(
            nw.len().alias("n"), nw.col("bad").count().alias("evaluated"), nw.col("bad").sum(),
            nw.col("weight").max(),
        )
        .collect("polars").to_native()
    )  # fmt: skip
    return _named(found.with_columns(answers=pl.col("n") * pl.col("weight")), goal)


def _named(found: pl.DataFrame, goal: Objective) -> pl.DataFrame:
    hour = pl.col("hour").cast(pl.Datetime("us"))
    zoned = found.schema["hour"] == COUNTS["hour"]
    hour = pl.col("hour") if zoned else hour.dt.replace_time_zone("UTC")
    if goal.grain < 60:
        hour += pl.duration(minutes="minute")
    return found.select(
        hour, pl.lit(goal.name).alias("objective"),
        *(pl.col(each).cast(COUNTS[each]) for each in COUNTS.names()[2:]),
    )  # fmt: skip


def bad_of(criterion: Criterion, value: nw.Expr) -> nw.Expr:
    """1 where an answer is bad, 0 where it is good, null where it is not known; of a ratio, the
    share that is bad. As `Criterion.is_good` says it."""
    if criterion.kind == "labels":
        meets = value.cast(nw.String).is_in(list(criterion.labels))
        told = meets if criterion.bad else ~meets
        return nw.when(~value.is_null()).then(told.cast(nw.Float64))
    number = value.cast(nw.Float64)
    known = ~number.is_null() & ~number.is_nan()
    if criterion.kind == "ratio":
        share = ((number if criterion.bad else 1.0 - number) * FINEST).round() / FINEST
        return nw.when(known & (number >= 0) & (number <= 1)).then(share)
    if criterion.kind == "events":
        meets = number != 0.0
    else:
        meets = nw.lit(True)
        if criterion.low is not None:
            meets &= number > criterion.low if criterion.above else number >= criterion.low
        if criterion.high is not None:
            meets &= number < criterion.high if criterion.below else number <= criterion.high
    told = meets if criterion.bad else ~meets
    return nw.when(known).then(told.cast(nw.Float64))


def kept(goal: Objective, counts: pl.DataFrame) -> pl.DataFrame:
    """The counts of one objective that count: those of its answers, outside what is excluded."""
    own = (pl.col("objective") == goal.name) & (pl.col("stratum") != REQUESTS)
    return counts.filter(own, ~left_out(goal))


def strata_of(counts: pl.DataFrame) -> list[tuple[int, int, float, int]]:
    """Answers, evaluated, bad and missing of each stratum, whatever the hour.

    An answer that was sampled stands for as many as its weight says; so many there were at least
    as were looked at.
    """
    sums = counts.group_by("stratum", maintain_order=True).agg(
        pl.col("n", "evaluated", "bad", "answers").sum()
    )
    return [
        (max(round(row["answers"]), row["n"]), row["evaluated"], row["bad"],
         row["n"] - row["evaluated"])
        for row in sums.sort("stratum").to_dicts()
    ]  # fmt: skip
