"""The folder of reports: their pages by name and time, and an index of the latest verdicts.

::

    index.html
    playbook.html
    latest/NAME.html                    the newest page of each report
    NAME/2026-05-12T060000Z.html        its history, each with the executed notebook beside it

A page that is no longer kept leaves a short one that leads to the newest, so old links stay valid.
Files are replaced in one step: nobody ever sees half of one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
from filelock import FileLock

from aiops_lab.errors import BadSettings
from aiops_lab.files import replacing, write_text
from aiops_lab.lab import Lab
from aiops_lab.reports.page import document, templates, title
from aiops_lab.reports.parameters import read_notebook
from aiops_lab.reports.playbook import playbook
from aiops_lab.settings import REPORT_NAME
from aiops_lab.verdict import BADNESS
from aiops_lab.wording import change, figure

STAMP = "%Y-%m-%dT%H%M%SZ"
KEEP = 30
DAYS = 14
"""Columns of the index's grid, the newest days on which something was reported."""
TREND = (160, 36)
"""Width and height of a trend, in pixels."""

Kept: TypeAlias = int | timedelta
"""So many pages, or those of so long."""


@dataclass(frozen=True)
class Place:
    """Where a report's files are, for one time."""

    out: Path
    name: str
    as_of: datetime

    def __post_init__(self) -> None:
        if not REPORT_NAME.fullmatch(self.name):
            raise BadSettings(f"a report cannot be called {self.name!r}: letters, digits, . + - _")

    @property
    def folder(self) -> Path:
        """The folder of this report's history."""
        return self.out / self.name

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / f"{self.as_of:{STAMP}}.html"

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.page.with_suffix(".ipynb")

    @property
    def latest(self) -> Path:
        """The page's address while it is the newest."""
        return self.out / "latest" / f"{self.name}.html"

    @property
    def link(self) -> str:
        """The notebook as seen from either address of the page."""
        return f"../{self.name}/{self.notebook.name}"


def publish(place: Place, page: str, notebook: str, keep: Kept = KEEP) -> None:
    """Write a page and its notebook, point ``latest`` to the newest, drop what is not kept."""
    for folder in (place.folder, place.latest.parent):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(place.notebook, notebook)
    write_text(place.page, page)
    newest = pages_of(place.folder)[-1]
    with replacing(place.latest) as beside:
        try:
            beside.hardlink_to(newest)
        except OSError:  # a file system without links
            beside.write_bytes(newest.read_bytes())
    _prune(place.folder, keep)


def pages_of(folder: Path) -> list[Path]:
    """The pages of a report that are still kept, the oldest first."""
    return sorted(p for p in folder.glob("[0-9]*.html") if p.with_suffix(".ipynb").exists())


def _prune(folder: Path, keep: Kept) -> None:
    pages = pages_of(folder)
    if isinstance(keep, timedelta):
        newest = _time(pages[-1])
        old = [page for page in pages if _time(page) < newest - keep]
    else:
        old = pages[: -max(1, keep)]
    for page in old:
        gone = templates().get_template("gone.html")
        text = gone.render(name=folder.name, at=_time(page), nonce=secrets.token_urlsafe(16))
        write_text(page, text)
        page.with_suffix(".ipynb").unlink()


def _time(page: Path) -> datetime:
    return datetime.strptime(page.stem, STAMP).replace(tzinfo=UTC)


def write_index(lab: Lab, out: Path) -> Path:
    """Write ``index.html`` (the latest verdict of each report, a grid by day, trends) and
    ``playbook.html``, to which alarms lead."""
    out.mkdir(parents=True, exist_ok=True)
    index = out / "index.html"
    # read and written under one lock, or of two processes the slower would win with older news
    with FileLock(out / ".lock"):
        cards, days = _cards(lab, out)
        text = (
            templates()
            .get_template("index.html")
            .render(
                lab=lab.path.resolve().name,
                version=lab.version,
                reports=cards,
                days=days,
                nonce=secrets.token_urlsafe(16),
                made=datetime.now(UTC),
            )
        )
        write_text(index, text)
        write_text(out / "playbook.html", document(playbook(lab)))
    return index


def _cards(lab: Lab, out: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """What the index says of each report, those to look at first; and the grid's days."""
    told = (
        lab.table("verdicts")
        .sort("at")
        .unique(["report", "as_of"], keep="last", maintain_order=True)
        .with_columns(page=pl.format("{}/{}.html", "report", pl.col("as_of").dt.to_string(STAMP)))
        .sort("as_of")
    )
    shown = told.filter(
        pl.Series([(out / page).is_file() for page in told["page"]], dtype=pl.Boolean)
    ).with_columns(day=pl.col("as_of").dt.to_string("%d %b").str.strip_chars_start("0"))
    days = shown["as_of"].dt.date().unique().sort().tail(DAYS)
    recent = shown.filter(pl.col("as_of").dt.date().is_in(days.implode()))
    cards = []
    for (name,), rows in shown.group_by("report", maintain_order=True):
        last = rows.row(-1, named=True)
        mine = recent.filter(pl.col("report") == name)
        grid = {row["day"]: row for row in mine.to_dicts()}
        given = ", ".join(f"{k} = {v}" for k, v in json.loads(last["parameters"]).items())
        asked = _question(out / last["page"], name)
        cards.append(
            {**last, "asked": asked, "given": given, "grid": grid, "trend": trend(rows.to_dicts())}
        )
    cards.sort(key=lambda card: (-BADNESS.index(card["status"]), card["report"]))
    newest = recent.sort("as_of", descending=True)
    return cards, newest["day"].unique(maintain_order=True).to_list()


def _question(page: Path, name: str) -> str:
    """What a report's notebook asks; its name where the notebook is no longer kept."""
    try:
        return title(read_notebook(page.with_suffix(".ipynb")), name)
    except BadSettings:
        return name


def trend(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The first figure of the latest verdict over time, as lines to draw; None for under two."""
    evidence = [json.loads(row["evidence"] or "[]") for row in rows]
    if not evidence[-1]:
        return None
    name = evidence[-1][0]["name"]
    found = [next((e for e in each if e["name"] == name), None) for each in evidence]
    points = [e for e in found if e and e["value"] is not None]
    if len(points) < 2:
        return None
    ends = [[p["value"] if p[end] is None else p[end] for p in points] for end in ("low", "high")]
    low, high = min(ends[0]), max(ends[1])
    width, height = TREND

    def line(values: Sequence[float]) -> list[str]:
        step = (width - 8) / (len(values) - 1)
        scale = (height - 8) / ((high - low) or 1)
        return [
            f"{4 + i * step:.1f},{height - 4 - (v - low) * scale:.1f}" for i, v in enumerate(values)
        ]

    middle = line([p["value"] for p in points])
    band = [*line(ends[0]), *reversed(line(ends[1]))]
    return {
        "name": name,
        "line": " ".join(middle),
        "band": " ".join(band),
        "end": middle[-1].split(","),
        "told": " to ".join(
            change(p["value"], share=True) if p.get("share") else figure(p["value"])
            for p in (points[0], points[-1])
        ),
        "count": len(points),
    }
