"""What two runs say of one metric answer by answer, beside what the questions can be told by."""

from __future__ import annotations

import polars as pl

from aiops_lab.frames import Evals
from aiops_lab.measures import MEASURES
from aiops_lab.ship.behaviour import USED, measured
from aiops_lab.ship.pairs import metadata, questions

OWN = ("side", "sample_id", "epoch", "value", "label", "cluster")


def per_answer(data: Evals, metric: str, cluster: str | None = None) -> pl.DataFrame:
    """A row an answer of both runs: the value of a metric, null where it has none.

    Returns
    -------
    pl.DataFrame
        side (baseline, candidate), sample_id, epoch, value, label, cluster, and a text column for
        each key of the questions' metadata: what either run knows. What the lab measures of
        every answer comes before a score of the same name.
    """
    sides = dict(zip(data.run_ids, ("baseline", "candidate"), strict=True))
    samples = questions(data.samples, cluster)
    if metric in MEASURES:
        samples = measured(samples, (metric,))
    keys = metadata(samples)
    keys = keys.select(name for name in keys.columns if name not in OWN)
    known = pl.col(["cluster", *keys.columns]).drop_nulls().first()
    of = samples.select("sample_id", "cluster").hstack(keys).group_by("sample_id").agg(known)
    row = ["run_id", "sample_id", "epoch"]
    if metric in USED and metric in samples.columns and samples[metric].count():
        own = samples.select(*row, value=metric, label=pl.lit(None, pl.String))
    else:
        scores = data.scores.filter(pl.col("metric") == metric).select(*row, "value", "label")
        own = samples.select(row).join(scores, on=row, how="left")
    return (
        own.select(
            pl.col("run_id").replace_strict(sides, return_dtype=pl.String).alias("side"),
            pl.col("sample_id").cast(pl.String), "epoch",
            pl.col("value").cast(pl.Float64), "label",
        )
        .join(of.with_columns(pl.col("sample_id").cast(pl.String)), on="sample_id", how="left")
        .sort("sample_id", "epoch", "side")
    )  # fmt: skip
