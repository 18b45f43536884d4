"""Demos of other seeds: a lab that has their true daily counts, and their change log."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tests.conftest import WHOLE

PROGRAM = Path(__file__).parents[2] / "data" / "traffic" / "simulate.py"
RATES = {
    "refusal": ("refusals", pl.col("requests") - pl.col("errors")),
    "yaml_valid": ("valid", pl.col("requests") - pl.col("errors")),
    "grounded": ("judged_grounded", pl.col("judged")),
    "thumbs_up": ("up", pl.col("up") + pl.col("down")),
}  # fmt: skip


VERSIONS = {
    "model": "model_served", "provider": "fingerprint", "prompt": "prompt_version",
    "index": "index_version", "retrieval": "retrieval_version", "parser": "parser_version",
}  # fmt: skip


@dataclass(frozen=True)
class Demo:
    """What `watch_behaviour` asks of a lab."""

    days: pl.DataFrame
    traffic: pl.DataFrame
    changes: pl.DataFrame

    def daily(self, bins: object = None) -> pl.DataFrame:
        return self.days

    def scan(self, _: str) -> pl.LazyFrame:
        return self.traffic.lazy()

    def table(self, _: str) -> pl.DataFrame:
        return self.changes


COUNTED = """
import sys
import simulate
class Silent:
    written = waiting = 0
    files = ()
    def __init__(self, *_): ...
    begin = add = end = close = __init__
simulate.Exporter = Silent
simulate.main()
"""
"""The program without its spans, which take most of its time: a day's requests are drawn
before its spans, and the next day draws anew."""


def simulated(folder: Path, seed: int, incidents: str | None = None, *, spans: bool) -> None:
    program = [str(PROGRAM)] if spans else ["-c", COUNTED]
    command = [sys.executable, *program, str(folder), "--seed", str(seed)]
    if incidents is not None:
        command += ["--incidents", incidents]
    env = {**os.environ, "PYTHONPATH": str(PROGRAM.parent)}
    subprocess.run(command, check=True, capture_output=True, env=env)


def written(folder: Path, seed: int, incidents: str | None = None) -> tuple[Demo, Any]:
    """A demo, and what was planted in it; with WHOLE=1 its spans are written as well."""
    simulated(folder, seed, incidents, spans=WHOLE)
    counts = pl.read_csv(folder / "expected.csv", try_parse_dates=True)
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    for path in folder.glob("*.zst"):
        path.unlink()
    known = pl.read_csv(folder / "changes.csv", try_parse_dates=True, infer_schema=False)
    changes = known.with_columns(pl.col("at").str.to_datetime(time_zone="UTC", time_unit="us"))
    return Demo(pl.concat(_daily(counts)), _traffic(truth), changes), truth


def _traffic(truth: dict[str, Any]) -> pl.DataFrame:
    """A request an hour, each with the versions that served it then."""
    start, end = (dt.datetime.fromisoformat(truth[name]) for name in ("start", "end"))
    hours = pl.datetime_range(start, end + dt.timedelta(hours=23), "1h", time_zone="UTC",
                              eager=True).alias("at")  # fmt: skip
    rows = hours.to_frame()
    for artefact, column in VERSIONS.items():
        own = [c for c in truth["changes"] if c["artefact"] == artefact]
        if own:
            steps = pl.DataFrame(
                {"at": [start.replace(tzinfo=dt.UTC), *map(_moment, own)],
                 column: [own[0]["from_version"], *(c["to_version"] for c in own)]}
            ).with_columns(pl.col("at").dt.cast_time_unit("us"))  # fmt: skip
            rows = rows.join_asof(steps, on="at")
    return rows


def _moment(change: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(change["at"])


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
