"""The index of a folder of reports: the latest verdict of each."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from aiops_lab.lab import Lab
from aiops_lab.reports.page import templates, write_text


def write_index(lab: Lab, out: Path) -> Path:
    """Write ``index.html`` beside the pages; returns its path."""
    latest = (
        lab.table("verdicts")
        .sort("at")
        .unique("report", keep="last", maintain_order=True)
        .select("report", "status", "headline", "at")
    )
    pages = sorted(page.stem for page in out.glob("*.html") if page.stem != "index")
    shown = pl.DataFrame({"report": pages}, schema={"report": pl.String}).join(
        latest, on="report", how="left", maintain_order="left"
    )
    index = out / "index.html"
    text = (
        templates()
        .get_template("index.html")
        .render(
            lab=lab.path.resolve().name,
            version=lab.version,
            reports=shown.to_dicts(),
            nonce=secrets.token_urlsafe(16),
            made=datetime.now(UTC),
        )
    )
    write_text(index, text)
    return index
