"""The budgets of a year: from the hourly counts, and from the requests themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab, open_lab
from aiops_lab.ingest import Unit, ingest
from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Duration, Objective
from aiops_lab.sources.contract import Batch
from aiops_lab.tables import conform
from aiops_lab.target.budget import error_budget
from aiops_lab.traffic.counts import counts_of
from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
FIRST = datetime(2025, 6, 1, tzinfo=UTC)
AN_HOUR = 24
PARTS = ("billing", "returns", "delivery", "account")


def goals() -> list[Objective]:
    """Twenty: of what is measured and of online scores, whole and by slice, one in slices."""
    found = []
    for filter in (None, *(f"slice={part}" for part in PARTS)):
        for metric, criterion in (
            ("latency_s", read_criterion("<= 4")), ("refusal", read_criterion(bad=True)),
            ("grounded", read_criterion(">= 0.5")),
        ):  # fmt: skip
            found.append(Objective(f"{metric} {filter}", 0.95, metric, criterion, filter=filter))
    for n in range(4):
        found.append(Objective(f"kind {n}", 0.9, "kind", read_criterion(f">= 0.{n + 1}")))
    slices = {"timeslice_target": 0.9, "timeslice_window": Duration(15, "m")}
    found.append(Objective("quarters", 0.9, "refusal", read_criterion(bad=True),
                           budgeting="timeslices", **slices))  # fmt: skip
    return found


def month(number: int, hours: int) -> Batch:
    """Requests of so many hours; of the scores one stratum is whole and one a tenth."""
    chance, count = np.random.default_rng(number), hours * AN_HOUR
    start = FIRST + timedelta(hours=hours * number)
    micros = np.sort(chance.integers(0, hours * 3_600_000_000, count))
    refused = chance.random(count) < 0.04
    spans = pl.DataFrame({
        "trace_id": [f"{number}-{n}" for n in range(count)], "span_id": "r", "step": "model",
        "started_at": start + pl.Series(micros).cast(pl.Duration("us")), "status": "ok",
        "duration_s": chance.lognormal(0.4, 0.4, count),
        "output": np.where(refused, "I'm sorry, I can't help with that.", "It is on its way."),
        "attributes": [f'{{"app.slice": "{PARTS[n % 4]}"}}' for n in range(count)],
    })  # fmt: skip
    down = chance.random(count) < 0.05
    kept = down | (chance.random(count) < 0.1)
    scores = spans.filter(pl.Series(kept)).select(
        "trace_id", pl.col("started_at").alias("at"),
        sampling_weight=pl.Series(np.where(down[kept], 1.0, 10.0)),
        value=pl.Series(chance.random(int(kept.sum()))),
    )  # fmt: skip
    scores = pl.concat([scores.with_columns(metric=pl.lit(m)) for m in ("grounded", "kind")])
    return Batch({"spans": conform(spans, "spans"), "evaluations": conform(scores, "evaluations")})


def filled(path: Path, months: int, hours: int) -> Lab:
    lab = open_lab(path)
    for number in range(months):

        def read(number: int = number) -> Iterator[Batch]:
            yield month(number, hours)

        name = f"month-{number}"
        unit = Unit(name, f"file:///{name}", name, "otlp", 1, read)
        ingest(lab._store, [unit], names={"slice": ["app.slice"]}, objectives=goals())
    return lab


def seconds(
    lab: Lab,
    objectives: list[Objective],
    asked: Callable[[Lab, list[Objective]], object] = error_budget,
) -> float:
    took = []
    for _ in range(5):
        began = time.perf_counter()
        asked(lab, objectives)
        took.append(time.perf_counter() - began)
    return min(took)


def uncounted(objectives: list[Objective]) -> list[Objective]:
    """The same with a filter that all requests meet: nothing of these was summed up."""
    return [
        Objective(g.name, g.target, g.metric, g.criterion, filter=g.filter or "status=ok")
        for g in objectives
        if g.filter is None
    ]


def test_the_budgets_of_a_year(tmp_path: Path) -> None:
    made = Table("target-year", f"`error_budget(lab)` of 20 objectives, forecasts too, {AN_HOUR} "
                 "requests an hour whose scores are of two strata, from an open lab; of counting "
                 "alone, `counts_of`; best of five")  # fmt: skip
    made.columns("lab", "what", "objectives", "seconds")
    year = filled(tmp_path / "year", 12, 730)
    whole = seconds(year, goals())
    made.row("a year, 8,760 hours", "error_budget", len(goals()), f"{whole:.2f}")
    small = filled(tmp_path / "small", 1, 730)
    fresh = uncounted(goals())
    same = [goal for goal in goals() if goal.name in {each.name for each in fresh}]
    counts, requests = (seconds(small, each, counts_of) for each in (same, fresh))
    made.row("a month, 730 hours", "counts that ingest made", len(same), f"{counts:.3f}")
    made.row("a month, 730 hours", "counts from requests", len(fresh), f"{requests:.3f}")
    made.write()
    assert requests > 2 * counts
