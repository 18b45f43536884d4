"""Simulated incidents: who did it, how often that is right, and whether the probabilities hold."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from aiops_lab import triage
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.respond.incidents import Incident, incident

pytestmark = pytest.mark.slow
COUNT = 400 if WHOLE else 60
FIRST = 50_000
"""Seeds below it were looked at while the method was made."""


def nearest(case: Incident, began: pl.Expr | object) -> str | None:
    """What everybody does: the change nearest to the moment."""
    log = case.changes.sort((pl.col("at") - pl.lit(began)).abs())
    return log["artefact"][0] if log.height else None


def judged(per_day: int, seed: int) -> dict[str, object]:
    """One incident, whose moment is known to within half a day or so."""
    case = incident(seed, per_day)
    began = case.began + timedelta(hours=float(np.random.default_rng(seed).normal(0, 8)))
    end = case.traffic["at"].max()
    found = triage(case.traffic, (began, end), metric="bad", changes=case.changes)
    first = found.suspects.row(0, named=True)
    ranked = found.suspects["artefact"].unique(maintain_order=True).to_list()
    return {
        "right": first["artefact"] == case.cause,
        "exact": first["artefact"] == case.cause
        and (case.change is None or first["change_id"] == case.change),
        "three": case.cause in ranked[:3],
        "p": first["probability"],
        "named": found.verdict.status == "warn",
        "nearest": nearest(case, began) == case.cause,
        "logged": case.logged,
    }


def calibration_error(rows: pl.DataFrame) -> float:
    """The expected calibration error in ten bins of the stated probability."""
    bins = rows.group_by((pl.col("p") * 10).floor().clip(0, 9)).agg(
        pl.len(), off=(pl.col("p").mean() - pl.col("right").mean()).abs()
    )
    return float((bins["len"] * bins["off"]).sum()) / rows.height


@pytest.fixture(scope="module")
def incidents() -> dict[int, pl.DataFrame]:
    return {
        per_day: pl.DataFrame([judged(per_day, FIRST + seed) for seed in range(COUNT)])
        for per_day in (200, 1000)
    }


def at_least(share: float, rows: pl.Series) -> bool:
    """Whether a share is reached, but for chance in few cases (99 %)."""
    slack = 0 if WHOLE else 2.33 * (share * (1 - share) / len(rows)) ** 0.5
    return float(rows.mean()) >= share - slack  # pyright: ignore[reportArgumentType]


def test_who_did_it_is_found_and_probabilities_hold(incidents) -> None:
    made = Table("triage", f"{COUNT} simulated incidents each over eight causes, four harmless "
                 "changes near by, 15 % of the causes unlogged")  # fmt: skip
    made.columns("requests a day", "first right", "and the right change", "among first three",
                 "surest half right", "calibration error", "named", "right of those named",
                 "nearest change right")  # fmt: skip
    for per_day, rows in incidents.items():
        half = rows.sort("p", descending=True).head(COUNT // 2)["right"]
        named = rows.filter("named")["right"]
        error = calibration_error(rows)
        shares = [rows["right"], rows["exact"], rows["three"], half]
        made.row(per_day, *(f"{x.mean():.3f}" for x in shares), f"{error:.3f}",
                 f"{rows['named'].mean():.3f}", f"{named.mean():.3f}",
                 f"{rows['nearest'].mean():.3f}")  # fmt: skip
        assert at_least(0.80, rows["right"]), per_day
        assert at_least(0.93, rows["three"]), per_day
        assert at_least(0.94, half), per_day
        assert error <= 0.08 + (0 if WHOLE else 0.07), per_day
        assert rows["right"].sum() > rows["nearest"].sum()
    if WHOLE:
        made.write()
