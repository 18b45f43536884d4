"""What every result has: its verdict shown, its frames to take away."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.files import replacing
from aiops_lab.verdict import BADNESS, Verdict

if TYPE_CHECKING:
    import pandas as pd

FORMULA = r"^[\s\p{C}\p{M}\u115f\u1160\u3164\uffa0]*[=+\-@＝＋－＠﹦﹢﹣﹫]"
"""What a spreadsheet may take for a formula, whatever invisible characters stand before it."""
NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"


class Result:
    """A frozen dataclass with a `verdict`, `settings` and Polars frames.

    In a notebook it shows its verdict, to whatever reads the notebook too.
    """

    verdict: Verdict
    settings: dict[str, Any]

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        """Its frames by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}  # pyright: ignore[reportArgumentType]
        return {name: each for name, each in found.items() if isinstance(each, pl.DataFrame)}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; times as ISO 8601."""
        rows = {name: _timeless(frame).to_dicts() for name, frame in self.frames.items()}
        return {"verdict": self.verdict.to_dict(), **rows, "settings": self.settings}

    def to_pandas(self) -> dict[str, pd.DataFrame]:
        """Its frames by name, as pandas has them."""
        import pandas as pd

        # without PyArrow, which Polars' own conversion would ask for
        return {name: pd.DataFrame(f.to_dict(as_series=False)) for name, f in self.frames.items()}

    def to_parquet(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write each frame as ``NAME.parquet``; returns the files."""
        return write_frames(self.frames, folder, "parquet")

    def to_csv(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write each frame as ``NAME.csv``, safe to open in a spreadsheet; returns the files."""
        return write_frames(self.frames, folder, "csv")

    def _repr_html_(self) -> str:
        return self.verdict._repr_html_()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return self.verdict._repr_mimebundle_(**options)


def _timeless(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Datetime).dt.to_string("iso:strict"))


def badness(column: str = "status") -> pl.Expr:
    """How bad the status in a column is, from 0 for ok on.

    Examples
    --------
    >>> pl.DataFrame({"status": ["fail", "ok"]}).select(badness()).to_series().to_list()
    [3, 0]
    """
    order = {status: place for place, status in enumerate(BADNESS)}
    return pl.col(column).replace_strict(order, return_dtype=pl.Int8)


def write_frames(
    frames: Mapping[str, pl.DataFrame], folder: str | os.PathLike[str], format: str
) -> list[Path]:
    """Write each frame as ``NAME.csv`` or ``NAME.parquet`` into a folder, made if need be.

    Raises
    ------
    BadSettings
        Another format.
    """
    if format not in ("csv", "parquet"):
        raise BadSettings(f"frames are written as csv or parquet, not {format!r}")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in frames.items():
        path = place / f"{name}.{format}"
        with replacing(path) as beside:
            if format == "csv":
                harmless(frame).write_csv(beside)
            else:
                frame.write_parquet(beside)
        written.append(path)
    return written


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame for CSV: lists and structs as text; no text that a spreadsheet takes for a formula.

    Such a text gets a ``'`` in front, as spreadsheets write it themselves; numbers stay.

    Examples
    --------
    >>> harmless(pl.DataFrame({"text": ["=1+1", "-2.5", "plain"], "list": [["a", "b"], [], None]}))
    shape: (3, 2)
    ┌───────┬──────┐
    │ text  ┆ list │
    │ ---   ┆ ---  │
    │ str   ┆ str  │
    ╞═══════╪══════╡
    │ '=1+1 ┆ a, b │
    │ -2.5  ┆      │
    │ plain ┆ null │
    └───────┴──────┘
    """
    safe = frame.select(_plain(pl.col(name), dtype) for name, dtype in frame.schema.items())
    text = pl.col(pl.String)
    meant = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    safe = safe.with_columns(pl.when(meant).then(pl.format("'{}", text)).otherwise(text))
    names: list[str] = []
    for name in frame.columns:
        formula = pl.Series([name]).str.contains(FORMULA).item()
        names.append(f"'{name}" if formula else name)
        while names[-1] in names[:-1]:
            names[-1] = f"'{names[-1]}"
    return safe.rename(dict(zip(safe.columns, names, strict=True)))


def _plain(column: pl.Expr, dtype: Any) -> pl.Expr:
    """A column as CSV can hold it: numbers, dates, or text; durations in seconds."""
    match dtype:
        case pl.Array():
            return _plain(column.arr.to_list(), pl.List(dtype.inner))
        case pl.Struct():
            return pl.when(column.is_not_null()).then(column.struct.json_encode())
        case pl.List(inner=pl.Struct()):
            return column.list.eval(pl.element().struct.json_encode()).list.join(", ")
        case pl.List(inner=inner) if not (inner.is_nested() or inner == pl.Duration):
            return column.list.eval(pl.element().cast(pl.String)).list.join(", ")
        case pl.Duration():
            return column.dt.total_microseconds() / 1e6
        case pl.Categorical() | pl.Enum():
            return column.cast(pl.String)
        case pl.List() | pl.Binary() | pl.Object():
            return column.map_elements(_text, return_dtype=pl.String)
    return column


def _text(value: Any) -> str:
    return str(value.to_list() if isinstance(value, pl.Series) else value)
