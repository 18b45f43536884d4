"""What two tables of leaves hold: sums and counts before and after, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, NotComputable
from aiops_lab.stats.expected import Sums
from aiops_lab.tables import polars_frame

LARGEST = 1e30
"""No sum is so large: powers of it would be infinite."""
NAMES = ("_value", "_count", "_period", "_leaf")


@dataclass(frozen=True)
class Leaves:
    """Leaves as numbers, and the text of each value: `values[dimension][code]`, None for null."""

    sums: Sums
    dimensions: list[str]
    values: list[list[str | None]]


def read_leaves(
    before: Any, after: Any, value: str, count: str, dimensions: Sequence[str] | None,
    time: str | None,
) -> Leaves:  # fmt: skip
    """The leaves of both tables.

    Raises
    ------
    BadSettings
        A column is not there, or is not of a kind that can be used.
    NotComputable
        A table has no row that counts.
    """
    frames = {
        "before": polars_frame(before, "before is a table of leaves"),
        "after": polars_frame(after, "after is a table of leaves"),
    }
    for side, frame in frames.items():
        _numbers(frame, side, value, count)
    moving = [name for name in frames["before"].columns if _says_when(frames, name)]
    names = _dimensions(frames, value, count, dimensions, time, moving)
    period = time if time is not None else next((n for n in moving if n not in names), None)
    if period is not None and period not in frames["before"].columns:
        raise BadSettings(_absent("before", frames["before"], period))
    first = _rows(frames["before"], "before", value, count, names, period)
    last = _rows(frames["after"], "after", value, count, names, None)
    first, last = _alike(first, last, names)
    return _numbered(first, last, names)


def _absent(side: str, frame: pl.DataFrame, name: str) -> str:
    there = ", ".join(frame.columns[:12]) or "none"
    return f"{side} has no column {name!r}; its columns are {there}"


def _numbers(frame: pl.DataFrame, side: str, value: str, count: str) -> None:
    if value == count:
        raise BadSettings(f"value and count are both {value!r}: name the sums and their counts")
    for name in (value, count):
        if name not in frame.columns:
            raise BadSettings(_absent(side, frame, name))
        dtype = frame.schema[name]
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
            raise BadSettings(f"{name} of {side} is {dtype}: a sum and a count are numbers")


def _says_when(frames: dict[str, pl.DataFrame], name: str) -> bool:
    """Whether a column says when: its type does, or no value of it is on both sides."""
    first, last = frames["before"][name], frames["after"].get_column(name, default=None)
    if first.dtype.is_temporal():
        return True
    if last is None:
        return False
    if first.dtype.is_nested() or last.dtype.is_nested():
        return False
    if first.dtype.is_numeric() and last.dtype.is_numeric():
        first, last = first.cast(pl.Float64), last.cast(pl.Float64)
    one, two = (each.drop_nulls().unique().cast(pl.String) for each in (first, last))
    return bool(one.len() and two.len() and not one.is_in(two.implode()).any())


def _dimensions(
    frames: dict[str, pl.DataFrame], value: str, count: str, named: Sequence[str] | None,
    time: str | None, moving: list[str],
) -> list[str]:  # fmt: skip
    """The columns that say which leaf: those named, else those of both tables but times."""
    if named is None:
        names = [
            name for name, dtype in frames["before"].schema.items()
            if name not in {value, count, time, *moving}
            and name in frames["after"].columns and not dtype.is_temporal()
        ]  # fmt: skip
    else:
        names = [named] if isinstance(named, str) else list(dict.fromkeys(named))
    if not names:
        raise BadSettings(
            "no column says which leaf a row is of: name some of those in both tables as dimensions"
        )
    for side, frame in frames.items():
        for name in names:
            if name not in frame.columns:
                raise BadSettings(_absent(side, frame, name))
            if name in (value, count):
                raise BadSettings(f"{name!r} is a sum or a count, not a dimension")
            if frame.schema[name].is_nested():
                raise BadSettings(f"{name} of {side} is {frame.schema[name]}: a value is a text, "
                                  "a number or a date")  # fmt: skip
    return names


def _rows(
    frame: pl.DataFrame, side: str, value: str, count: str, names: list[str], period: str | None
) -> pl.DataFrame:
    """The rows that count: with a finite sum and a finite count above 0."""
    x, n = (pl.col(name).cast(pl.Float64) for name in (value, count))
    when = pl.lit(None) if period is None else pl.col(period)
    which = [pl.col(name).alias(f"d{at}") for at, name in enumerate(names)]
    rows = frame.select(*which, _period=when, _value=x, _count=n).filter(
        pl.col("_value").abs() < LARGEST, pl.col("_count") > 0, pl.col("_count") < LARGEST
    )
    if not rows.height:
        raise NotComputable(
            f"{side} has no row with a sum in {value!r} and a count above 0 in {count!r}"
        )
    return rows


def _alike(
    first: pl.DataFrame, last: pl.DataFrame, names: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """With values as texts, the same value on both sides being the same text."""
    for at in range(len(names)):
        name = f"d{at}"
        kinds = first.schema[name], last.schema[name]
        numbers = kinds[0] != kinds[1] and all(kind.is_numeric() for kind in kinds)
        text = pl.col(name).cast(pl.Float64) if numbers else pl.col(name)
        first, last = (rows.with_columns(text.cast(pl.String)) for rows in (first, last))
    return first, last


def _numbered(first: pl.DataFrame, last: pl.DataFrame, names: list[str]) -> Leaves:
    keys = [f"d{at}" for at in range(len(names))]
    leaves = pl.concat([first.select(keys), last.select(keys)]).unique().sort(keys)
    leaves = leaves.with_row_index("_leaf")
    first, last = (
        rows.join(leaves, on=keys, nulls_equal=True, maintain_order="left")
        for rows in (first, last)
    )
    nth = pl.int_range(pl.len()).over("_leaf")  # without times the n-th row is of the n-th period
    when = nth if first.schema["_period"] == pl.Null else pl.col("_period").rank("dense") - 1
    first = (
        first.with_columns(_period=when.fill_null(0)).group_by("_leaf", "_period")
        .agg(pl.col("_value", "_count").sum()).sort("_leaf", "_period")
    )  # fmt: skip
    codes, values = [], []
    for key in keys:
        known = leaves[key].unique().sort(nulls_last=True)
        codes.append(leaves[key].rank("dense").fill_null(known.len()).to_numpy() - 1)
        values.append(known.to_list())
    leaf, x, n = (first[name].to_numpy() for name in ("_leaf", "_value", "_count"))
    size = leaves.height
    late = last["_leaf"].to_numpy()
    x0, n0 = (np.bincount(leaf, part, size).astype(float) for part in (x, n))
    x1, n1 = (
        np.bincount(late, last[part].to_numpy(), size).astype(float)
        for part in ("_value", "_count")
    )
    period = first["_period"].to_numpy().astype(np.intp)
    x, n = x.astype(float), n.astype(float)
    coded = np.stack(codes, 1).astype(np.intp)
    sums = Sums(coded, x0, n0, x1, n1, leaf.astype(np.intp), period, x, n)
    return Leaves(sums, names, values)
