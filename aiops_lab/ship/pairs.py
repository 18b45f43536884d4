"""Two runs as pairs: one row a question, epochs averaged, with what questions can be sliced by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.stats.paired import moves
from aiops_lab.stats.unpaired import unpaired_difference

DENSE = 4
"""So many cells a row are counted one by one; of more, only those that are there."""


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
    own = scores.drop_nulls("value")
    metrics, metric = _coded(own["metric"])
    ids, question = _coded(own["sample_id"])
    cell, size = metric.astype(np.int64) * len(ids) + question, len(metrics) * len(ids)
    cells = np.arange(size)
    if size > DENSE * cell.size:
        cells, cell = np.unique(cell, return_inverse=True)
    values, run = own["value"].to_numpy(), own["run_id"]
    if np.count_nonzero(np.bincount(cell, minlength=cells.size)) * 4 < values.size:
        # sums of several epochs must not depend on the order of the rows
        order = np.lexsort((values, cell))
        values, cell, run = values[order], cell[order], run.gather(order)
    means, there = [], np.ones(cells.size, bool)
    for name in (baseline, candidate):
        mine = (run == name).to_numpy()
        counts = np.bincount(cell[mine], minlength=cells.size)
        there &= counts > 0
        means.append(np.bincount(cell[mine], values[mine], cells.size) / np.maximum(counts, 1))
    pairs = pl.DataFrame(
        {
            "metric": metrics.gather(cells[there] // max(len(ids), 1)),
            "sample_id": ids.gather(cells[there] % max(len(ids), 1)),
            "baseline": means[0][there],
            "candidate": means[1][there],
        }
    )
    if not samples["cluster"].count():
        return pairs.with_columns(cluster=pl.lit(None, pl.UInt32))
    known = samples.select("sample_id", "cluster").sort("cluster", nulls_last=True)
    clusters = known.unique("sample_id", keep="first", maintain_order=True)
    # a question without a cluster is one of its own
    alone = pl.format("a question of its own: {}", "sample_id")
    clusters = clusters.with_columns(pl.col("cluster").fill_null(alone).rank("dense"))
    return pairs.join(clusters, on="sample_id", how="left", maintain_order="left")


def _coded(names: pl.Series) -> tuple[pl.Series, NDArray[np.uint32]]:
    """The different names in an order that rows do not change, and the place of each."""
    if isinstance(names.dtype, pl.Enum):
        distinct = pl.Series(names.dtype.categories, dtype=names.dtype)
    else:
        distinct = names.unique().sort()
    return distinct, names.cast(pl.Enum(distinct.cast(pl.String))).to_physical().to_numpy()


def parts(frame: pl.DataFrame, *keys: str) -> Iterator[tuple[Any, pl.DataFrame]]:
    for key, part in frame.group_by(keys, maintain_order=True):
        yield (key if len(keys) > 1 else key[0]), part


def columns(part: pl.DataFrame) -> tuple[Any, Any, Any]:
    """Both sides of some pairs and their clusters (None where they have none)."""
    clustered = part.height > 0 and part["cluster"].null_count() == 0
    return (
        part["baseline"].to_numpy(),
        part["candidate"].to_numpy(),
        part["cluster"].to_numpy() if clustered else None,
    )


def difference(part: pl.DataFrame, *, bounded: bool | None = None) -> dict[str, Any]:
    """The paired difference of some questions, and whether their values are shares."""
    found = moves(*columns(part), bounded=bounded)
    return {**asdict(found.summary()), "share": found.bounded, "trusted": found.trusted}


def apart(scores: pl.DataFrame, baseline: str, candidate: str) -> list[dict[str, Any]]:
    """The difference of each metric over different questions, not as pairs."""
    means = (
        scores.drop_nulls("value")
        .group_by("run_id", "metric", "sample_id", maintain_order=True)
        .agg(pl.col("value").mean())
    )
    rows = []
    for metric, part in parts(means, "metric"):
        sides = [part.filter(pl.col("run_id") == run)["value"] for run in (baseline, candidate)]
        if all(side.len() for side in sides):
            found = unpaired_difference(sides[0].to_numpy(), sides[1].to_numpy())
            share = bool(part["value"].is_between(0, 1).all())
            rows.append({"metric": metric, **asdict(found), "share": share})
    return rows


def unmatched(samples: pl.DataFrame, baseline: str, candidate: str) -> pl.DataFrame:
    """Questions that only one side answered: sample_id, side."""
    ids = {
        side: samples.filter(pl.col("run_id") == run)
        .select("sample_id")
        .unique(maintain_order=True)
        for side, run in (("baseline", baseline), ("candidate", candidate))
    }
    return pl.concat(
        ids[side]
        .join(ids[other], on="sample_id", how="anti", maintain_order="left")
        .with_columns(side=pl.lit(side))
        for side, other in (("baseline", "candidate"), ("candidate", "baseline"))
    )
