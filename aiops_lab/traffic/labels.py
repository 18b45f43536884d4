"""Scores that are a label: how many of each there are, and the rates that this makes."""

from __future__ import annotations

import polars as pl

LABELS, LABEL = "labels", "label of "
"""Strata of a score that is a label: all its labels, and one of them."""
MOST_LABELS = 12
"""So many labels of a score, the most frequent, are rates of their own."""
IS_LABEL = (pl.col("stratum") == LABELS) | pl.col("stratum").str.starts_with(LABEL)


def label_strata(counts: pl.DataFrame) -> pl.DataFrame:
    """The strata of counts by hour, metric, slice and label; what has no label is in the total."""
    found = counts.with_columns(pl.col("label").str.head(40), pl.col("events").cast(pl.Int64))
    own = ["hour", "metric", "slice"]
    totals = found.group_by(own).agg(pl.col("events").sum())
    labels = found.drop_nulls("label").group_by(*own, "label").agg(
        pl.col("events").sum()
    ).with_columns(
        stratum=pl.format(f"{LABEL}{{}}", "metric"), metric=pl.format("{}: {}", "metric", "label")
    )  # fmt: skip
    both = pl.concat([totals.with_columns(stratum=pl.lit(LABELS)), labels.drop("label")],
                     how="diagonal")  # fmt: skip
    return both.select(
        "hour", "metric", "slice", "stratum", "events", n="events", evaluated="events",
        weight=pl.col("events").cast(pl.Float64),
    )  # fmt: skip


def label_rates(rows: pl.DataFrame) -> pl.DataFrame:
    """The share of each of the usual labels in all labels of its day: none is 0, not missing."""
    of = pl.col("stratum").str.strip_prefix(LABEL)
    totals = rows.filter(pl.col("stratum") == LABELS).group_by("day", "metric", "slice").agg(
        pl.col("n").sum()
    )  # fmt: skip
    told = rows.filter(pl.col("stratum").str.starts_with(LABEL)).with_columns(of=of)
    usual = told.group_by("of", "metric").agg(pl.col("n").sum()).sort(
        "n", "metric", descending=[True, False]
    ).group_by("of", maintain_order=True).head(MOST_LABELS)  # fmt: skip
    counts = told.group_by("day", "of", "metric", "slice").agg(events=pl.col("n").sum())
    every = totals.rename({"metric": "of"}).join(usual.select("of", "metric"), on="of")
    return every.join(counts, on=["day", "of", "metric", "slice"], how="left").select(
        "day", "metric", "slice", "n", pl.col("events").fill_null(0), evaluated="n",
        measure_version=pl.lit(1, pl.Int64),
    )  # fmt: skip
