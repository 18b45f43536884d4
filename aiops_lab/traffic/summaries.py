"""Requests rolled up by the hour, and hours by the day: counts, sums and histograms that add up.

Written with Narwhals: the same lines run on Polars, DuckDB and PySpark. Only the summaries, which
are small, come back as a Polars frame.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.measures.measure import MEASURES
from aiops_lab.tables import conform, schema_of
from aiops_lab.traffic.histograms import added_bins, bin_of
from aiops_lab.traffic.labels import IS_LABEL, label_rates, label_strata

RATES = (
    "refusal", "json_valid", "yaml_valid", "truncated", "tool_error", "parse_error", "error",
    "incomplete", "json_repaired", "yaml_repaired", "refusal_learned", "refusal_disagreement",
)  # fmt: skip
MEANS = ("words", "tokens_in", "tokens_out", "latency_s", "cost_usd", "retrieval_score")
LEARNED = ("refusal_learned", "refusal_disagreement")
WHOLE = ("json_repaired", "yaml_repaired", *LEARNED)
"""Rates of the whole only: each series watched raises the threshold of all others."""
CLASSES = {"json_defect": "json_valid", "yaml_defect": "yaml_valid"}
"""Columns that tell a class, and those that are known where it was looked for; of the whole too."""
SLICES = ("slice", "language", "tenant", "model_served")
ALL = "all"
PART_OF_WHOLE = pl.col("slice").str.contains("=", literal=True)
DIMENSION = pl.col("slice").str.splitn("=", 2).struct.field("field_0")
"""Of a slice called ``column=value``: whether it is one, and its column."""
LARGEST = 1e15
"""A score or a sampling weight beyond that, or none at all, is missing."""
OBJECTIVE = "objective:"
"""Metrics that `traffic.counts` keeps among the summaries: objectives, by what they count."""
OF_OBJECTIVE = pl.col("metric").str.contains(f"^{OBJECTIVE}[0-9a-f]{{12}}$")
KEY = ("hour", "metric", "slice", "stratum")


def hourly_of(
    traffic: Any, evaluations: Any = None, slices: Sequence[str] = SLICES, *,
    metrics: Sequence[str] | None = None, every: str = "1h",
) -> pl.DataFrame:  # fmt: skip
    """Summaries by hour, metric, slice and stratum.

    Parameters
    ----------
    traffic
        The canonical table, of any library that Narwhals knows; lazy ones are read where they are.
    evaluations
        The canonical table, of the same library: online scores of these requests. A score's
        stratum is its sampling weight.
    slices
        Columns of the requests by which they are told apart, one at a time.
    metrics
        Columns that are summed up: of truth values as rates, of numbers as means. Default: what
        the lab measures of each request.
    every
        The length of an "hour": whole days are summed up in one go by ``1d``.

    Raises
    ------
    BadSettings
        No time `at`, no such metric, or one that is neither true or false nor a number.

    Returns
    -------
    pl.DataFrame
        The canonical table ``hourly``. slice is ``all`` or ``column=value``. A rate has events, a
        mean sum and sum_squares (of values, unweighted) and bins; `weight` is the sum of sampling
        weights of what was evaluated.

    Examples
    --------
    >>> from datetime import datetime
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1, 9, 30)] * 2, "refusal": [True, False]})
    >>> hourly_of(rows).select("metric", "n", "events").row(0)
    ('refusal', 2, 1)
    """
    requests = told_requests(nw.from_native(traffic), every).lazy()
    schema = requests.collect_schema()
    have = schema.names()
    rates, means = _kinds(schema, metrics)
    by = [None, *(name for name in slices if name in have)]
    parts = [
        part for column in by
        for part in (_counted(requests, column, rates, means), *_binned(requests, column, means))
    ]  # fmt: skip
    parts += [
        _classed(requests, name, known)
        for name, known in CLASSES.items()
        if metrics is None and {name, known} <= {*have}
    ]
    if evaluations is not None:
        scored = nw.from_native(evaluations).lazy()
        columns = ["trace_id", "hour", *by[1:]]
        scored = scored.join(requests.select(columns), on="trace_id", how="inner")
        for column in by:
            parts += _scored(scored, column)
    counts = pl.concat([part for part in parts if "bin" not in part.columns], how="diagonal")
    bins = [part for part in parts if "bin" in part.columns]
    if bins:
        nested = (
            pl.concat(bins)
            .sort("sign", "bin")
            .group_by(KEY, maintain_order=True)
            .agg(bins=pl.struct("sign", "bin", "n"))
        )
        counts = counts.join(nested, on=KEY, how="left")
    versions = {name: measure.version for name, measure in MEASURES.items()}
    version = pl.col("metric").replace_strict(versions, default=1, return_dtype=pl.Int64)
    if "trained" in counts.columns:
        version = pl.coalesce(pl.col("trained").cast(pl.Int64), version)
    counts = counts.filter(pl.col("evaluated") > 0).with_columns(measure_version=version)
    return conform(counts, "hourly").sort(KEY)


def told_requests(requests: Any, every: str = "1h") -> Any:
    """Requests with their hour, and what follows from their columns: error, incomplete ...

    Raises
    ------
    BadSettings
        They have no time `at`.
    """
    have = requests.collect_schema().names()
    if "at" not in have:
        raise BadSettings(f"requests need a time, at; the columns are {', '.join(have)}")
    extra = {
        "error": ({"status"}, nw.col("status") == "error"),
        "incomplete": ({"complete"}, ~nw.col("complete")),
        "refusal_disagreement": (
            {"refusal", "refusal_learned"}, nw.col("refusal") != nw.col("refusal_learned"),
        ),
    }  # fmt: skip
    return requests.with_columns(
        hour=nw.col("at").dt.truncate(every),
        **{name: rule for name, (needs, rule) in extra.items() if needs <= {*have}},
    )


def _kinds(schema: nw.Schema, metrics: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The columns that are summed up as rates, and as means."""
    if metrics is None:
        return [n for n in RATES if n in schema], [n for n in MEANS if n in schema]
    for name in metrics:
        if name not in schema or not (schema[name].is_numeric() or schema[name] == nw.Boolean):
            why = f"is {schema[name]}" if name in schema else "is not there"
            raise BadSettings(f"a metric is a column of numbers or truth values; {name!r} {why}")
    rates = [name for name in metrics if schema[name] == nw.Boolean]
    return rates, [name for name in metrics if name not in rates]


def _grouped(frame: nw.LazyFrame[Any], column: str | None, *more: str) -> tuple[Any, list[str]]:
    """A frame without the rows that have no such slice, and what it is grouped by."""
    keys = ["hour", *([column] if column else []), *more]
    return (frame.filter(~nw.col(column).is_null()) if column else frame), keys


def _named(rows: pl.DataFrame, column: str | None) -> pl.DataFrame:
    slices = pl.lit(ALL) if column is None else pl.format("{}={}", pl.lit(column), column)
    hour = pl.col("hour").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if rows.schema["hour"] == pl.Datetime("us", "UTC"):
        hour = pl.col("hour")
    return rows.with_columns(hour=hour, slice=slices)


def _collected(frame: Any) -> pl.DataFrame:
    return frame.collect("polars").to_native()


def _counted(
    requests: nw.LazyFrame[Any], column: str | None, rates: Sequence[str], means: Sequence[str]
) -> pl.DataFrame:
    """A row an hour, metric and slice: all metrics in one pass over the requests."""
    rates = rates if column is None else [name for name in rates if name not in WHOLE]
    rows, keys = _grouped(requests, column)
    values = {f"{name} f": nw.col(name).cast(nw.Float64) for name in means}
    values |= {f"{name} f": nw.col(name).cast(nw.Int64) for name in rates}
    squares = {f"{name} s": nw.col(f"{name} f") ** 2 for name in means}
    rows = rows.with_columns(one=nw.lit(1), **values).with_columns(one=nw.lit(1), **squares)
    trained = "refusal_model" in rows.collect_schema().names()
    found = _collected(
        rows.group_by(keys).agg(
            nw.len().alias("n"), *([nw.col("refusal_model").max()] if trained else []),
            *(nw.col(f"{name} f").count().alias(f"{name} n") for name in (*rates, *means)),
            *(nw.col(f"{name} f").sum().alias(f"{name} sum") for name in (*rates, *means)),
            *(nw.col(f"{name} s").sum().alias(f"{name} squares") for name in means),
        )
    )  # fmt: skip
    found = _named(found, column)
    return pl.concat(
        [
            found.select(
                "hour", pl.lit(name).alias("metric"), "slice", pl.lit(ALL).alias("stratum"),
                pl.col("n").cast(pl.Int64),
                pl.col(f"{name} n").cast(pl.Int64).alias("evaluated"),
                pl.col(f"{name} n").cast(pl.Float64).alias("weight"),
                pl.col(f"{name} sum").cast(pl.Int64 if rate else pl.Float64)
                .alias("events" if rate else "sum"),
                *([pl.col("refusal_model").alias("trained")]
                  if trained and name in LEARNED else []),
                *([] if rate else [pl.col(f"{name} squares").cast(pl.Float64)
                                   .alias("sum_squares")]),
            )
            for names, rate in ((rates, True), (means, False)) for name in names
        ],
        how="diagonal",
    )  # fmt: skip


def _binned(
    requests: nw.LazyFrame[Any], column: str | None, means: Sequence[str]
) -> list[pl.DataFrame]:
    parts = []
    for name in means:
        rows, keys = _grouped(requests, column, "sign", "bin")
        sign, place = bin_of(nw.col(name).cast(nw.Float64))
        rows = rows.filter(~nw.col(name).is_null()).with_columns(sign=sign, bin=place)
        found = _named(_collected(rows.group_by(keys).agg(nw.len().alias("n"))), column)
        parts.append(_bins(found.with_columns(metric=pl.lit(name), stratum=pl.lit(ALL))))
    return parts


def _bins(found: pl.DataFrame) -> pl.DataFrame:
    return found.select(
        *KEY, pl.col("sign").cast(pl.Int8), pl.col("bin").cast(pl.Int32), pl.col("n").cast(pl.Int64)
    )


def _scored(scored: nw.LazyFrame[Any], column: str | None) -> list[pl.DataFrame]:
    """Online scores: by their own metric, and by what share of requests was asked."""
    rows, keys = _grouped(scored, column, "metric", "stratum")
    given = nw.col("sampling_weight")
    weight = nw.when((given > 0) & (given < LARGEST)).then(given).otherwise(1.0)
    measured = nw.col("metric").is_in([*RATES, *MEANS])
    for own in (*CLASSES, OBJECTIVE):
        measured |= nw.col("metric").str.starts_with(own)
    name = nw.when(measured).then(nw.concat_str(nw.col("metric"), nw.lit(" (score)"))).otherwise(
        nw.col("metric")
    )  # fmt: skip
    known = nw.when(nw.col("value").abs() < LARGEST).then(nw.col("value"))
    rows = rows.with_columns(metric=name, value=known)
    value = nw.col("value")
    sign, place = bin_of(value)
    rows = rows.with_columns(w=weight, square=value**2, sign=sign, bin=place)
    rows = rows.with_columns(stratum=nw.col("w").round(6).cast(nw.String))
    found = _collected(
        rows.group_by(keys).agg(
            nw.len().alias("n"), value.count().alias("evaluated"),
            nw.col("w").sum().alias("weight"), value.sum().alias("sum"),
            nw.col("square").sum().alias("sum_squares"),
        )
    )  # fmt: skip
    bins = _collected(
        rows.filter(~value.is_null()).group_by([*keys, "sign", "bin"]).agg(nw.len().alias("n"))
    )
    counts = _named(found, column).select(
        *KEY, *(pl.col(name).cast(pl.Int64) for name in ("n", "evaluated")), "weight", "sum",
        "sum_squares",
    )  # fmt: skip
    return [counts, _labelled(rows, column, keys), _bins(_named(bins, column))]


def _labelled(rows: Any, column: str | None, keys: list[str]) -> pl.DataFrame:
    """Scores of which some are a label and no number: how many, and how many of each label.

    They are counted without their weights. `daily_of` makes rates of them.
    """
    rows = rows.filter(~nw.col("label").is_null())
    bare = rows.filter(nw.col("value").is_null()).select("metric").unique()
    rows = rows.join(bare, on="metric", how="semi")
    counts = _collected(rows.group_by([*keys, "label"]).agg(nw.len().alias("events")))
    return label_strata(_named(counts, column))


def _classed(requests: nw.LazyFrame[Any], name: str, known: str) -> pl.DataFrame:
    """Of all answers of an hour that were looked at, how many are of each class; most are none."""
    rows = requests.filter(~nw.col(known).is_null()).group_by(["hour", name])
    counts = _named(_collected(rows.agg(nw.len().alias("events"))), None)
    return label_strata(counts.rename({name: "label"}).with_columns(metric=pl.lit(name)))


def daily_of(hourly: pl.DataFrame, bins: Collection[str] | None = None) -> pl.DataFrame:
    """Summaries by day out of those by hour: the canonical table ``daily``.

    Where a score was sampled at different rates, each stratum counts by its weight
    (Horvitz-Thompson), and `evaluated` is the number of equally weighted scores that would tell as
    much (Kish's effective sample size): sum / evaluated is the weighted mean. A score that is only
    ever 0 or 1 has events too. The histograms are those of the metrics `bins`; all by default.

    Examples
    --------
    >>> from datetime import datetime
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1, h) for h in (9, 9, 11)],
    ...                      "refusal": [True, False, False]})
    >>> daily_of(hourly_of(rows)).select("day", "n", "events").row(0)
    (datetime.date(2026, 5, 1), 3, 1)
    """
    key = ["day", "metric", "slice"]
    rows = hourly.filter(~OF_OBJECTIVE).with_columns(day=pl.col("hour").dt.date())
    rates = label_rates(rows)
    rows = rows.filter(~IS_LABEL)
    numbers = ["n", "events", "evaluated", "weight", "sum", "sum_squares"]
    strata = rows.group_by(*key, "stratum", maintain_order=True).agg(
        *(pl.when(pl.col(c).count() > 0).then(pl.col(c).sum()).alias(c) for c in numbers),
        pl.col("measure_version").max(),
    )
    each = pl.col("weight") / pl.col("evaluated")
    total, squares = pl.col("weight").sum(), (pl.col("weight") * each).sum()
    effective = (total**2 / squares).round()
    several = pl.len() > 1

    def weighted(name: str) -> pl.Expr:
        exact = pl.when(pl.col(name).count() > 0).then(pl.col(name).sum())
        mean = (pl.col(name) * each).sum() / total
        return pl.when(several).then(mean * effective).otherwise(exact).alias(name)

    days = strata.group_by(key, maintain_order=True).agg(
        pl.col("n").sum(), pl.col("events").sum(),
        pl.when(several).then(effective).otherwise(pl.col("evaluated").sum()).alias("evaluated"),
        weighted("sum"), weighted("sum_squares"),
        events_given=pl.col("events").count() > 0,
        measure_version=pl.col("measure_version").max(),
    )  # fmt: skip
    drawn = rows if bins is None else rows.filter(pl.col("metric").is_in(list(bins)))
    days = days.join(added_bins(drawn, key), on=key, how="left", maintain_order="left")
    truth = _only_truth(days)
    events = pl.when("events_given").then(pl.col("events")).when(
        pl.col("metric").is_in(truth)
    ).then(pl.col("sum").round())  # fmt: skip
    days = pl.concat([days.with_columns(events=events), rates], how="diagonal_relaxed")
    return days.select(pl.col(c).cast(t) for c, t in DAILY.items()).sort(key)


def _only_truth(days: pl.DataFrame) -> pl.Series:
    """Scores that are only ever 0 or 1: their squares add up to what they do."""
    means = days.filter(pl.col("sum").is_not_null() & ~pl.col("metric").is_in(MEANS))
    even = means.group_by("metric").agg(
        ((pl.col("sum") - pl.col("sum_squares")).abs() <= 1e-9 * pl.col("sum").abs()).all()
    )
    return even.filter("sum")["metric"].implode()


DAILY = schema_of(
    "day:date metric slice n:int events:int evaluated:int sum:float sum_squares:float bins:bins "
    "measure_version:int"
)


def in_slice(traffic: pl.LazyFrame, where: str | None) -> pl.LazyFrame:
    """The requests of a slice, ``column=value``; all where it is None or ``all``.

    Raises
    ------
    BadSettings
        It is no slice, or no column is called so.
    """
    if where is None or where == ALL:
        return traffic
    column, between, value = where.partition("=")
    if not between or column not in traffic.collect_schema().names():
        raise BadSettings(f"a slice reads column=value, not {where!r}")
    return traffic.filter(pl.col(column).cast(pl.String) == value)


def summarise(
    traffic: Any, evaluations: Any = None, slices: Sequence[str] = SLICES, *,
    metrics: Sequence[str] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Summaries by day of any requests: see `hourly_of` and `daily_of`.

    Parameters
    ----------
    traffic
        The canonical table of any library that Narwhals knows, or a Lab: its traffic and online
        scores are then summed up by the engine that ``lab.toml`` names.
    metrics
        As `hourly_of` has it: a table of your own, with a time `at`, may have any.

    Examples
    --------
    >>> from datetime import datetime
    >>> mine = pl.DataFrame({"at": [datetime(2026, 5, 1)] * 2, "score": [0.25, 0.75]})
    >>> summarise(mine, metrics=["score"]).select("metric", "n", "sum").row(0)
    ('score', 2, 1.0)
    """
    relations: Any = getattr(traffic, "relations", None)
    if relations is not None:
        traffic, evaluations = relations("traffic", "evaluations")
        if traffic is None:
            return pl.DataFrame(schema=DAILY)
    every = "1d" if relations is None else "1h"
    return daily_of(hourly_of(traffic, evaluations, slices, metrics=metrics, every=every))
