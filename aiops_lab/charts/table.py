"""A frame as a table that a notebook and a page can both show, every cell text."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.verdict import SIGNS
from aiops_lab.wording import figure, visible

MIME = "application/vnd.aiops-lab.table+json"
MOST_ROWS = 1_000
NOTHING = "–"
FIGURE = re.compile(
    r"([+−-]?)\$?((?:\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.\d+)?)"
    r"(?: (?:%|points|times))?(?: \([^()]*\))?"
)
"""A figure as people write it, with its unit and its interval."""
SIGNED = {status: f"{sign} {status}" for status, sign in SIGNS.items()}


@dataclass(frozen=True)
class Table:
    """A frame ready to be shown; make one with `table`."""

    title: str
    columns: list[str]
    rows: list[list[tuple[str, Any]]]
    total: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data: each cell its text, and a number to sort by where there is one."""
        return {
            "title": self.title,
            "columns": self.columns,
            "rows": [[list(cell) for cell in row] for row in self.rows],
            "total": self.total,
        }

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            MIME: json.loads(json.dumps(self.to_dict())),
            "text/html": self._html(),
            "text/plain": f"Table: {self.title} ({self.total} rows)",
        }

    def _html(self) -> str:
        """A plain table, for JupyterLab."""
        head = "".join(
            f'<th style="text-align:left">{html.escape(visible(c))}</th>' for c in self.columns
        )
        body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in self.rows)
        return (
            f"<p>{html.escape(visible(self.title))}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


def _html_cell(cell: tuple[str, Any]) -> str:
    text, order = cell
    side = "left" if order is None else "right"
    return f'<td style="white-space:pre-wrap;text-align:{side}">{html.escape(visible(text))}</td>'


def table(
    frame: pl.DataFrame,
    *,
    title: str = "",
    columns: Sequence[str] | Mapping[str, str] | None = None,
) -> Table:
    """Show a frame: numbers to three digits, missing values as a dash, at most 1,000 rows.

    Parameters
    ----------
    frame
        Any Polars frame.
    title
        What the table shows.
    columns
        The columns to show, or column -> heading.

    Examples
    --------
    >>> table(pl.DataFrame({"n": [1200], "mean": [0.123456]})).rows
    [[('1,200', 1200), ('0.123', 0.123456)]]
    """
    if columns is None:
        columns = frame.columns
    names = (
        dict(columns) if isinstance(columns, Mapping) else {c: c.replace("_", " ") for c in columns}
    )
    shown = frame.select(list(names)).head(MOST_ROWS)
    rows = [[cell(value) for value in row] for row in shown.iter_rows()]
    return Table(title, list(names.values()), rows, frame.height)


def checks(preflight: pl.DataFrame, asks: str = "May these runs be compared?") -> Table | Cases:
    """What was checked before anything was believed; what is in doubt first."""
    if not preflight.height:
        return note("Nothing had to be checked.")
    order = {"inconclusive": 0, "fail": 1, "warn": 2, "ok": 3}
    doubts = preflight.filter(pl.col("status") != "ok").height
    rows = preflight.sort(pl.col("status").replace_strict(order), maintain_order=True)
    several = "candidate_run" in rows.columns and rows["candidate_run"].n_unique() > 1
    return table(
        rows.with_columns(pl.col("status").replace_strict(SIGNED)),
        title=f"{asks} {doubts or 'None'} of {rows.height} checks in doubt",
        columns=["status", "check", "detail", *(["candidate_run"] if several else [])],
    )


def cell(value: Any) -> tuple[str, Any]:
    """The text of a value, and what to sort it by (None: by its text)."""
    match value:
        case None:
            return NOTHING, None
        case bool():
            return ("yes" if value else "no"), None
        case int():
            return f"{value:,}", value
        case float():
            return (figure(value), value) if math.isfinite(value) else (NOTHING, None)
        case datetime():
            return f"{value.day} {value:%b %Y %H:%M}", value.timestamp()
        case date():
            return f"{value.day} {value:%b %Y}", value.toordinal()
        case str():
            return value, _figure(value)
        case pl.Series() | list():
            return ", ".join(cell(item)[0] for item in value), None
    return str(value), None


def _figure(text: str) -> float | None:
    found = FIGURE.fullmatch(text)
    if found is None:
        return None
    return float(found[2].replace(",", "")) * (-1 if found[1] in ("−", "-") else 1)
