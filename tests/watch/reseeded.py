"""Demos of other seeds: their true daily counts as the table that is watched."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

PROGRAM = Path(__file__).parents[2] / "data" / "traffic" / "simulate.py"
RATES = {
    "refusal": ("refusals", pl.col("requests") - pl.col("errors")),
    "yaml_valid": ("valid", pl.col("requests") - pl.col("errors")),
    "grounded": ("judged_grounded", pl.col("judged")),
    "thumbs_up": ("up", pl.col("up") + pl.col("down")),
}  # fmt: skip


def written(folder: Path, seed: int, incidents: str | None = None) -> tuple[pl.DataFrame, Any]:
    """The true daily counts of a demo, and what was planted in it."""
    command = [sys.executable, str(PROGRAM), str(folder), "--seed", str(seed)]
    if incidents is not None:
        command += ["--incidents", incidents]
    subprocess.run(command, check=True, capture_output=True)
    counts = pl.read_csv(folder / "expected.csv", try_parse_dates=True)
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    for path in folder.glob("*.zst"):
        path.unlink()
    return pl.concat(_daily(counts)), truth


def _daily(counts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    counts = counts.filter(root="written").with_columns(
        valid=pl.col("requests") - pl.col("errors") - pl.col("yaml_invalid"),
        judged_grounded=pl.col("judged") - pl.col("judged_ungrounded"),
    )
    for by in (None, "slice", "language"):
        where = pl.lit("all") if by is None else pl.format("{}={}", pl.lit(by), pl.col(by))
        named = counts.with_columns(where=where)
        for metric, (events, n) in RATES.items():
            yield (
                named.group_by("day", "where")
                .agg(events=pl.col(events).sum(), n=n.sum())
                .select(
                    "day", pl.lit(metric).alias("metric"), slice="where", n="n", events="events"
                )
            )


def day(incident: dict[str, Any]) -> dt.date:
    """The day on which an incident began."""
    return dt.datetime.fromisoformat(incident["since"]).date()
