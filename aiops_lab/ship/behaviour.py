"""What answers show and use beside their scores: tokens, cost, latency, length, refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.measures import MEASURES, measure
from aiops_lab.ship.pairs import columns, difference, paired, parts
from aiops_lab.stats.bootstrap import FEW_BEYOND, quantile_bootstrap
from aiops_lab.stats.ratios import ratio
from aiops_lab.tables import schema_of

SHOWN = ("characters", "refusal", "json_valid")
"""Measures of every answer; others where a policy names them."""
STRUCTURED = 0.5
"""A format is compared when at least this share of one side's answers has it."""
SPREAD, QUANTILES = ["latency_s", "tokens_out", "cost_usd"], (0.5, 0.95, 0.99)
MANY_PAIRS = 20_000
QUANTILE = schema_of(
    "metric quantile:float n:int baseline:float candidate:float ratio:float ratio_low:float "
    "ratio_high:float"
)
SCHEMA = schema_of(
    "metric direction:int n:int baseline:float candidate:float difference:float "
    "standard_error:float low:float high:float p_value:float method share:bool ratio:float "
    "ratio_low:float ratio_high:float"
)


@dataclass(frozen=True)
class Used:
    """A figure of an answer: its name for people, its unit, and whether it is a yes or no."""

    label: str
    unit: str
    rate: bool = False


USED: dict[str, Used] = {
    "tokens": Used("tokens", "tokens"),
    "tokens_in": Used("input tokens", "tokens"),
    "tokens_out": Used("output tokens", "tokens"),
    "cost_usd": Used("cost", "US dollars"),
    "latency_s": Used("latency", "seconds"),
    "error": Used("errors", "share", rate=True),
    **{name: Used(m.label, m.unit, m.rate) for name, m in MEASURES.items()},
    "invalid_json": Used("answers that are no JSON", "share", rate=True),
    "invalid_yaml": Used("answers that are no YAML", "share", rate=True),
}


def measured(samples: pl.DataFrame, names: tuple[str, ...] = SHOWN) -> pl.DataFrame:
    """Samples with a column for each measure of their outputs."""
    if not names:
        return samples
    found = measure(samples["output"], list(names)).select(pl.all().cast(pl.Float64))
    return samples.with_columns(found)


def behaviour(samples: pl.DataFrame, baseline: str, candidate: str) -> pl.DataFrame:
    """A row a measure, as pairs; those that no answer shows are left out."""
    there = [name for name in USED if name in samples.columns]
    cast = samples.with_columns(pl.col(there).cast(pl.Float64))
    long = cast.unpivot(on=there, index=["run_id", "sample_id"], variable_name="metric")
    pairs = paired(long.cast({"metric": pl.Enum(there)}), samples, baseline, candidate)
    rows = [_row(metric, part) for metric, part in parts(pairs, "metric") if _shown(metric, part)]
    return pl.DataFrame(rows, schema=SCHEMA)


def quantiles(samples: pl.DataFrame, baseline: str, candidate: str) -> pl.DataFrame:
    """p50, p95 and p99 of latency, output tokens and cost: both, and their ratio's 95 % interval.

    By bootstrap over the questions that both runs answered, epochs averaged; null where too few
    answers lie beyond the quantile.
    """
    long = samples.select("run_id", "sample_id", pl.col(SPREAD).cast(pl.Float64))
    long = long.unpivot(on=SPREAD, index=["run_id", "sample_id"], variable_name="metric")
    pairs = paired(long.cast({"metric": pl.Enum(SPREAD)}), samples, baseline, candidate)
    rows = []
    for metric, part in parts(pairs, "metric"):
        b, c, clusters = columns(part)
        resamples = 4_000 if part.height < MANY_PAIRS else 400
        for q in QUANTILES:
            found = quantile_bootstrap(b, c, q, clusters, statistic="ratio", resamples=resamples)
            enough = found.low is not None and part.height * (1 - q) >= FEW_BEYOND
            ends = (found.low, found.high) if enough else (None, None)
            sides = (float(np.quantile(side, q)) for side in (b, c))
            rows.append((metric, q, part.height, *sides, found.estimate, *ends))
    return pl.DataFrame(rows, schema=QUANTILE, orient="row")


def _shown(metric: str, part: pl.DataFrame) -> bool:
    most = float(part.select("baseline", "candidate").to_numpy().mean(0).max())
    return most >= STRUCTURED if metric.endswith("_valid") else most > 0


def _row(metric: str, part: pl.DataFrame) -> dict[str, Any]:
    rate = USED[metric].rate
    better = 1 if metric.endswith("_valid") else -1
    found = {"metric": metric, "direction": better, **difference(part, bounded=rate), "share": rate}
    times = ratio(*columns(part))
    known = not rate and times.n == part.height
    ends = (times.difference, times.low, times.high) if known else (None, None, None)
    return found | dict(zip(("ratio", "ratio_low", "ratio_high"), ends, strict=True))
