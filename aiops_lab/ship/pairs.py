"""Two runs as pairs: one row a question, epochs averaged, with what questions can be sliced by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import msgspec
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.stats.paired import paired_difference


def questions(samples: pl.DataFrame, cluster: str | None) -> pl.DataFrame:
    """Samples with their error as a figure, and the cluster asked for."""
    samples = samples.with_columns(
        tokens=pl.col("tokens_in") + pl.col("tokens_out"),
        error=pl.col("error").is_not_null().cast(pl.Float64),
    )
    if cluster is None:
        return samples
    return samples.with_columns(key(samples, cluster).alias("cluster"))


def key(samples: pl.DataFrame, name: str) -> pl.Series:
    """A column of the samples or a key of their metadata, as text."""
    if name in samples.columns and name != "metadata":
        return samples[name].cast(pl.String)
    values = metadata(samples)
    if name not in values.columns:
        known = ", ".join(values.columns) or "none"
        raise BadSettings(f"no column or metadata key {name!r}; the metadata keys are {known}")
    return values[name]


def metadata(samples: pl.DataFrame) -> pl.DataFrame:
    """A text column for each metadata key whose values are plain."""
    texts = samples["metadata"]
    parsed = {text: msgspec.json.decode(text) for text in texts.unique() if text}
    keys = {k: None for found in parsed.values() for k, v in found.items() if _plain(v) is not None}
    columns = {
        key: texts.replace_strict(
            {text: _plain(found.get(key)) for text, found in parsed.items()},
            default=None,
            return_dtype=pl.String,
        )
        for key in keys
    }
    return pl.DataFrame(columns)


def _plain(value: Any) -> str | None:
    """A plain value as text; None for what is no plain value."""
    if isinstance(value, bool | int | float):
        return msgspec.json.encode(value).decode()
    return value if isinstance(value, str) else None


def paired(
    scores: pl.DataFrame, samples: pl.DataFrame, baseline: str, candidate: str
) -> pl.DataFrame:
    """A row a metric and question that both runs scored: both means over epochs, the cluster."""
    means = (
        scores.drop_nulls("value")
        .group_by("run_id", "metric", "sample_id", maintain_order=True)
        .agg(pl.col("value").mean())
    )
    left, right = (
        means.filter(pl.col("run_id") == run).select(
            "metric", "sample_id", pl.col("value").alias(side)
        )
        for run, side in ((baseline, "baseline"), (candidate, "candidate"))
    )
    known = samples.select("sample_id", "cluster").sort("cluster", nulls_last=True)
    clusters = known.unique("sample_id", keep="first", maintain_order=True)
    if clusters["cluster"].count():
        # a question without a cluster is one of its own
        alone = pl.format("a question of its own: {}", "sample_id")
        clusters = clusters.with_columns(pl.col("cluster").fill_null(alone))
    pairs = left.join(right, on=["metric", "sample_id"], maintain_order="left")
    return pairs.join(clusters, on="sample_id", how="left", maintain_order="left")


def parts(frame: pl.DataFrame, *keys: str) -> Iterator[tuple[Any, pl.DataFrame]]:
    for key, part in frame.group_by(keys, maintain_order=True):
        yield (key if len(keys) > 1 else key[0]), part


def difference(part: pl.DataFrame) -> dict[str, Any]:
    """The paired difference of some questions, and whether their values are shares."""
    clustered = part["cluster"].null_count() == 0
    sides = part.select("baseline", "candidate").to_numpy()
    found = paired_difference(
        sides[:, 0], sides[:, 1], part["cluster"].to_numpy() if clustered else None
    )
    return {**asdict(found), "share": bool(sides.min() >= 0 and sides.max() <= 1)}
