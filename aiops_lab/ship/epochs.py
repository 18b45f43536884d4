"""What the questions and epochs at hand can show, and what would settle what they cannot."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from aiops_lab.stats.power import questions_needed, smallest_seen, variance_split
from aiops_lab.tables import schema_of
from aiops_lab.wording import change, figure

FLAKY = (0.2, 0.8)
"""A question is flaky when the mean of its pass-or-fail epochs lies between."""
FEW_EPOCHS = 0.2
"""Below this share of the variance, more epochs are not worth their price."""
SCHEMA = schema_of(
    "metric n:int epochs:float within:float between:float gain_of_epochs:float "
    "smallest_seen:float needed:int cost_of_question:float advice"
)


def power(
    scores: pl.DataFrame,
    samples: pl.DataFrame,
    rows: list[dict[str, Any]],
    baseline: str,
    candidate: str,
) -> pl.DataFrame:
    """A row a metric: what could be seen, what would be needed, whether epochs would help.

    `epochs` is answers a question, `within` and `between` the variance of the *difference* within
    questions (both runs' answers) and between them, `gain_of_epochs` the share of the variance
    that endless epochs would remove, `smallest_seen` the effect found 4 times in 5, `needed` the
    questions that would show the change seen, `cost_of_question` US dollars for one more question
    in both runs at the mean cost in the log (null where no cost is known).
    """
    price = _price(samples, baseline, candidate)
    own = scores.drop_nulls("value")
    if repeated := scores["epoch"].n_unique() > 1:
        own = own.sort("sample_id", "epoch")
    found = []
    for row in rows:
        part = own.filter(pl.col("metric") == row["metric"])
        splits = [
            variance_split(side["value"].to_numpy(), side["sample_id"].rank("dense").to_numpy())
            for side in (part.filter(pl.col("run_id") == run) for run in (baseline, candidate))
            if repeated
        ]
        error, n = row["standard_error"], row["n"]
        within = between = gain = None
        if error and splits and all(split.within is not None for split in splits):
            noise = sum((split.within or 0.0) / split.epochs for split in splits)
            total = error**2 * n
            within, between = sum(s.within or 0.0 for s in splits), max(0.0, total - noise)
            gain = min(1.0, noise / total)
        found.append(
            {
                "metric": row["metric"],
                "n": n,
                "epochs": sum(split.epochs for split in splits) / 2 if splits else 1.0,
                "within": within,
                "between": between,
                "gain_of_epochs": gain,
                "smallest_seen": smallest_seen(error),
                "needed": questions_needed(error, n, row["difference"] or 0.0),
                "cost_of_question": price,
                "advice": _advice(gain, row, sum(s.epochs for s in splits) / 2, price),
            }
        )
    return pl.DataFrame(found, schema=SCHEMA)


def _price(samples: pl.DataFrame, baseline: str, candidate: str) -> float | None:
    """Dollars for one question more in both runs, all epochs."""
    costs = [
        samples.filter(pl.col("run_id") == run)
        .group_by("sample_id", maintain_order=True)
        .agg(pl.col("cost_usd").sum(), known=pl.col("cost_usd").count())
        .filter(pl.col("known") > 0)["cost_usd"]
        .mean()
        for run in (baseline, candidate)
    ]
    known = [float(cost) for cost in costs if isinstance(cost, float) and math.isfinite(cost)]
    return sum(known) if len(known) == 2 else None


def _advice(gain: float | None, row: dict[str, Any], epochs: float, price: float | None) -> str:
    """More questions or more answers to each? Twice the answers, with what they cost and show."""
    if gain is None:
        return "one answer a question: whether more answers to each would help is not known"
    if gain < FEW_EPOCHS:
        return "more questions: answers to one question hardly vary"

    def shown(left: float) -> str:
        seen = smallest_seen((row["standard_error"] or 0.0) * math.sqrt(left))
        return change(seen, share=row["share"], sign=False)

    paid = "" if price is None else f" (about ${figure(row['n'] * price, digits=2)})"
    return (
        f"new questions help most; without them {2 * epochs:.0f} answers each{paid} would show "
        f"changes from {shown(1 - gain / 2)} on, endless ones from {shown(1 - gain)}"
    )


def flaky(scores: pl.DataFrame, baseline: str, candidate: str) -> pl.DataFrame:
    """Pass-or-fail questions that one run answers now right, now wrong, the least certain first."""
    sides = {baseline: "baseline", candidate: "candidate"}
    if scores["epoch"].n_unique() < 2:
        scores = scores.clear()
    binary = pl.col("value").is_in([0.0, 1.0]).all().over("metric")
    return (
        scores.drop_nulls("value")
        .filter(binary)
        .group_by("run_id", "metric", "sample_id", maintain_order=True)
        .agg(epochs=pl.len(), mean=pl.col("value").mean())
        .filter(pl.col("mean").is_between(*FLAKY), pl.col("epochs") > 1)
        .sort((pl.col("mean") - 0.5).abs(), "metric", "sample_id", "run_id")
        .select(
            pl.col("run_id").replace_strict(sides, return_dtype=pl.String).alias("side"),
            "sample_id",
            "metric",
            "epochs",
            "mean",
        )
    )
