"""What each configuration comes to, with intervals, and which can be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from aiops_lab.ship.rank import ahead, corrected, pairwise
from aiops_lab.ship.retrieval.checks import Check
from aiops_lab.ship.retrieval.coverage import Floats, Scene, curve
from aiops_lab.ship.retrieval.inputs import Questions
from aiops_lab.ship.retrieval.ranking import document_metrics
from aiops_lab.stats.single import single_mean
from aiops_lab.wording import figure

CONTEXTS = (250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
USUAL = 4000
"""Context, in characters or tokens, that configurations are compared at where all reach it."""
REACHED = 0.95
"""The share of questions that must have so much context for a point of the curve."""
Points: TypeAlias = dict[float, tuple[Floats, np.ndarray]]
"""The recall of every cell at each point of the curve, and which experiments reach it."""
SHARES = ("recall", "precision", "iou", "precision_omega")
DOCUMENTS = ("mrr", "map", "ndcg@10", "document_recall@10", "document_precision@10")


def contexts(
    it: Scene, parts: pl.DataFrame, rows: pl.DataFrame, context: float | None,
    depths: Mapping[str, int] | None,
) -> tuple[Points, Floats | None, float | None, str, list[Check]]:  # fmt: skip
    """The recall of every cell at each point of the curve, and who reaches it."""
    unit = "tokens" if "tokens" in parts.columns else "characters"
    if not it.cells:
        return {}, None, context, unit, []
    wanted: list[float] = sorted({float(size) for size in (*CONTEXTS, context or USUAL)})
    recall, had = curve(it, wanted)
    shape = (len(it.experiments), it.questions)
    cost = it.chunk_length * it.density
    whole = np.bincount(it.chunk_experiment, weights=cost, minlength=len(it.experiments))
    asked, had = rows["asked"].to_numpy().reshape(shape), had.reshape(shape)
    # who was asked for more hits than it gave has no more
    asked_for = np.array([(depths or {}).get(name, np.inf) for name in it.experiments])
    ended = it.sums(it.hit_cell).reshape(shape) < asked_for[:, None]
    ended &= np.isfinite(asked_for)[:, None]
    points = {}
    for column, size in enumerate(wanted):
        enough = (had >= size - 1e-6) | (had >= whole[:, None] - 1e-6) | ended
        share = (enough & asked).sum(1) / np.maximum(asked.sum(1), 1)
        points[size] = (recall[:, column], (share >= REACHED) & (had.max(1) > 0))
    by_all = [size for size, (_, reach) in points.items() if reach.all()]
    if context is not None:
        compared: float | None = float(context)
    else:
        compared = max([size for size in by_all if size <= USUAL], default=None)
    at = None if compared is None else points[compared][0]
    reach = points[compared][1] if compared is not None else np.ones(len(it.experiments), bool)
    short = [
        ("context", "inconclusive", f"{name} has hits for {figure(mean)} {unit} on average, not "
         f"for {figure(compared)}: fetch more, or compare within less")
        for name, enough, mean in zip(it.experiments, reach, had.mean(1), strict=True)
        if not enough and asked.any()
    ]  # fmt: skip
    return points, at, compared, unit, short


def configurations(
    it: Scene, per: pl.DataFrame, parts: pl.DataFrame, pairs: pl.DataFrame,
    groups: pl.Series | None, level: float,
) -> pl.DataFrame:  # fmt: skip
    place = {name: number for number, name in enumerate(it.experiments)}
    numbered = pairs.with_columns(
        pl.col("experiment_id")
        .replace_strict(place, default=None, return_dtype=pl.Int64)
        .alias("first"),
        pl.col("other").replace_strict(place, default=None, return_dtype=pl.Int64).alias("second"),
    )
    beaten = ahead(numbered.with_columns(clear=_beats(numbered, len(place), level)), len(place))
    rows = []
    for experiment, own in zip(it.experiments, _each(per, len(it.experiments)), strict=True):
        row: dict[str, Any] = {"experiment_id": experiment, "n": own["recall"].count()}
        for name in (*SHARES, "at_context"):
            known = own[name].is_not_null()
            clusters = None if groups is None else groups.filter(known).to_numpy()
            mean = single_mean(own[name].drop_nulls().to_numpy(), clusters, level=level)
            low, high = ("low", "high") if name == "recall" else (f"{name}_low", f"{name}_high")
            row |= {name: mean.mean, low: mean.low, high: mean.high}
        row |= {
            "context": own["context"].mean(),
            "redundancy": own["redundancy"].mean(),
            "distractors": own["distractors"].mean(),
            "cut": own.select(pl.col("cut").sum() / pl.col("spans").sum()).item(),
            **{name: own[name].mean() for name in DOCUMENTS},
        }
        rows.append(row)
    schema = {"experiment_id": pl.String, "n": pl.Int64}
    names = [name for name in rows[0] if name not in schema] if rows else []
    frame = pl.DataFrame(rows, schema={**schema, **dict.fromkeys(names, pl.Float64)})
    length = pl.col("end") - pl.col("start")
    seen = pl.col("seen").fill_null(float("inf")) if "seen" in parts.columns else length
    sizes = parts.group_by("experiment_id").agg(
        pl.len().cast(pl.Int64).alias("chunks"),
        length.mean().alias("chunk_length"),
        (1 - pl.min_horizontal(seen, length).sum() / length.sum()).fill_nan(0.0).alias("unseen"),
    )
    return frame.with_columns(
        may_be_best=pl.Series(np.logical_not(beaten.any(axis=0))) & frame["n"].gt(0)
    ).join(sizes, on="experiment_id", how="left", maintain_order="left")


def _each(per: pl.DataFrame, experiments: int) -> list[pl.DataFrame]:
    size = per.height // max(experiments, 1)
    return [per.slice(number * size, size) for number in range(experiments)]


def all_pairs(it: Scene, per: pl.DataFrame, groups: pl.Series | None, level: float) -> pl.DataFrame:
    names = pl.Series(it.experiments, dtype=pl.String)
    frames = []
    for by, column in (("context", "at_context"), ("k", "recall")):
        values = per[column].to_numpy().reshape(len(it.experiments), it.questions).T
        kept = np.isfinite(values).all(1)
        clusters = None if groups is None else groups.to_numpy()[kept]
        if not kept.any():
            values, kept = np.zeros((0, 0)), np.zeros(0, bool)
        found = pairwise(values[kept], clusters, level=level)
        frames.append(
            found.select(
                pl.lit(by).alias("by"),
                names.gather(found["first"]).alias("experiment_id"),
                names.gather(found["second"]).alias("other"),
                pl.exclude("first", "second"),
            )
        )
    return pl.concat(frames)


def with_baseline(pairs: pl.DataFrame, baseline: str, level: float) -> pl.DataFrame:
    """The pairs with the baseline only, corrected for as many tests as these are."""
    own = pairs.filter((pl.col("experiment_id") == baseline) | (pl.col("other") == baseline))
    each = own.partition_by("by", maintain_order=True)
    return pl.concat(corrected(some, level) for some in each) if each else own


def _beats(pairs: pl.DataFrame, experiments: int, level: float) -> pl.Series:
    """Whether one of a pair is surely not the best, because the other finds more.

    For the best to be kept it is enough that none of the others beats it: so many tests are
    corrected for (Bonferroni), not all pairs. Source: Mogstad, Romano, Shaikh and Wilhelm 2024,
    "Inference for ranks", section 3, the confidence set of the first.
    """
    by_test = pl.col("p_value") * max(experiments - 1, 1) <= 1 - level
    return pairs.select(by_test.fill_null(pl.col("clear"))).to_series().rename("clear")


def curves(
    it: Scene, points: Points, rows: pl.DataFrame,
    groups: pl.Series | None, level: float,
) -> pl.DataFrame:  # fmt: skip
    found = []
    for size, (recall, reach) in points.items():
        by = recall.reshape(len(it.experiments), -1)
        for number, experiment in enumerate(it.experiments):
            known = np.isfinite(by[number])
            if not reach[number] or not known.any():
                continue
            clusters = None if groups is None else groups.filter(known).to_numpy()
            mean = single_mean(by[number][known], clusters, level=level)
            found.append((experiment, size, mean.mean, mean.low, mean.high))
    figures = dict.fromkeys(("context", "recall", "low", "high"), pl.Float64)
    schema = {"experiment_id": pl.String, **figures}
    return pl.DataFrame(found, schema=schema, orient="row").sort(
        pl.col("experiment_id").cast(pl.Enum(it.experiments)), "context"
    )


def documents(
    it: Scene, asked: Questions, parts: pl.DataFrame, ranked: pl.DataFrame
) -> pl.DataFrame:
    """The measures of whole documents: each stands where its first chunk does."""
    n = asked.table.height
    judged = asked.gold.group_by("question", "doc_id").agg(pl.col("relevance").max())
    cells = pl.DataFrame({"cell": np.arange(it.cells)}).with_columns(question=pl.col("cell") % n)
    qrels = cells.join(judged, on="question").select(
        pl.col("cell").cast(pl.String).alias("question_id"), "doc_id", "relevance"
    )
    order = {name: number for number, name in enumerate(it.experiments)}
    run = (
        ranked.join(
            parts.select("experiment_id", "chunk_id", "doc_id"), on=["experiment_id", "chunk_id"]
        )
        .join(asked.table.select("question_id").with_row_index("question"), on="question_id")
        .group_by("experiment_id", "question", "doc_id")
        .agg(score=-pl.col("rank").min().cast(pl.Float64))
        .select(
            (pl.col("experiment_id").replace_strict(order, default=None, return_dtype=pl.Int64) * n
             + pl.col("question")).cast(pl.String).alias("question_id"),
            "doc_id", "score",
        )
    )  # fmt: skip
    found = document_metrics(qrels, run, (10,)).rename(
        {f"{name}@10": f"document_{name}@10" for name in ("recall", "precision")}
    )
    every = pl.DataFrame({"question_id": np.arange(it.cells).astype(str)})
    return every.join(found, on="question_id", how="left", maintain_order="left").select(DOCUMENTS)
