"""What an incident is judged on: requests in cells of an hour, a segment and its versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.stats.exposure import Cells
from aiops_lab.watch.changes import ARTEFACTS

SEGMENTS = ("slice", "tenant", "language")
MOST = 40
"""Segments told apart; the smaller ones are one."""
NEVER = frozenset(
    {"trace_id", "at", "day", "complete", "status", "refusal_model", "outcome", *SEGMENTS,
     *ARTEFACTS}
)  # fmt: skip
"""Columns that are no figures."""


@dataclass(frozen=True)
class Panel:
    """Cells of requests: hour, segment, versions, and of each figure its mean and count.

    `figures` holds the names, the outcome first; `expected`, the mean outcome of a request's
    segment before the incident, is the last where there are segments.
    """

    cells: pl.DataFrame
    figures: tuple[str, ...]
    variance: dict[str, float]
    segments: tuple[str, ...]

    def of(self, figure: str) -> Cells:
        """One figure of all cells."""
        group = np.zeros(self.cells.height, np.int64) if figure == "expected" else (
            self.cells["segment"].to_numpy()
        )  # fmt: skip
        return Cells(
            self.cells[f"mean:{figure}"].fill_null(0).to_numpy(),
            self.cells[f"n:{figure}"].cast(pl.Float64).to_numpy(),
            group, self.cells["day"].to_numpy(), self.variance[figure],
        )  # fmt: skip


def panel(requests: pl.DataFrame, began: datetime) -> Panel:
    """The cells of some requests.

    Parameters
    ----------
    requests
        at, outcome (a number or a truth value, null where not known), and what else is known:
        dimensions, versions, figures (all other numbers and truth values).
    began
        The incident's first moment, as far as known.
    """
    names = _figures(requests)
    part = [name for name in SEGMENTS if name in requests.columns]
    versions = [name for name in ARTEFACTS if name in requests.columns]
    values = [_value(requests, name).alias(name) for name in ("outcome", *names)]
    rows = requests.select(
        "at", *versions, *values, segment=pl.struct(part) if part else pl.lit(0)
    ).filter(pl.col("at").is_not_null())
    rows = rows.with_columns(segment=_numbered(rows["segment"]))
    if part:
        known = rows.filter(pl.col("at") < began).group_by("segment").agg(
            expected=pl.col("outcome").mean()
        )  # fmt: skip
        rows = rows.join(known, on="segment", how="left", maintain_order="left")
        names.append("expected")
    every = ["outcome", *names]
    first = rows["at"].min()
    hour = (pl.col("at") - first).dt.total_hours()
    cells = rows.group_by("segment", *versions, hour=hour).agg(
        *(pl.col(name).mean().alias(f"mean:{name}") for name in every),
        *(pl.col(name).count().alias(f"n:{name}") for name in every),
        *(((pl.col(name) - pl.col(name).mean()) ** 2).sum().alias(f"square:{name}")
          for name in every),
    ).sort("hour", "segment", *versions)  # fmt: skip
    cells = cells.with_columns(
        day=pl.col("hour") // 24, at=pl.lit(first) + pl.duration(hours=pl.col("hour")) + HALF
    )
    variance = {name: _variance(cells, name) for name in every}
    kept = tuple(name for name in every if variance[name] > 0)
    return Panel(cells, kept, variance, tuple(part))


HALF = timedelta(minutes=30)


def _figures(requests: pl.DataFrame) -> list[str]:
    return [
        name for name, dtype in requests.schema.items()
        if name not in NEVER and (dtype.is_numeric() or dtype == pl.Boolean)
    ]  # fmt: skip


def _value(requests: pl.DataFrame, name: str) -> pl.Expr:
    """As a number; amounts that are never below 0 and have a long tail by their logarithm."""
    dtype = requests.schema[name]
    if not (dtype.is_numeric() or dtype == pl.Boolean):
        raise BadSettings(f"{name} is {dtype}: a number or a truth value is wanted")
    value = pl.col(name).cast(pl.Float64)
    value = pl.when(value.is_finite()).then(value)
    known: Any = requests.select(value.alias("x")).to_series().drop_nulls()
    if name == "outcome" or dtype == pl.Boolean or not len(known) or known.min() < 0:
        return value
    tailed = known.max() > 4 * known.mean() and known.n_unique() > 2
    return value.log1p() if tailed else value


def _numbered(segments: pl.Series) -> pl.Series:
    """Segments as numbers, the largest first; the small ones are one."""
    frame = pl.DataFrame({"s": segments})
    most = frame.group_by("s").len().sort("len", "s", descending=[True, False]).head(MOST)
    numbers = most.select("s", number=pl.int_range(pl.len(), dtype=pl.Int64))
    found = frame.join(numbers, on="s", how="left", nulls_equal=True, maintain_order="left")
    return found["number"].fill_null(numbers.height)


def _variance(cells: pl.DataFrame, name: str) -> float:
    """That of single answers of the same segment; of an expected outcome, of all."""
    n, mean, square = (pl.col(f"{what}:{name}") for what in ("n", "mean", "square"))
    by = [] if name == "expected" else ["segment"]
    level = ((n * mean).sum() / n.sum()).over(by) if by else (n * mean).sum() / n.sum()
    total = cells.filter(n > 0).select((square + n * (mean - level) ** 2).sum() / (n.sum() - 1))
    found = total.item() if total.height else None
    return float(found) if found is not None and np.isfinite(found) else 0.0
