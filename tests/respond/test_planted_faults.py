"""Short faults of the demo's traffic: who did it is named first, likely, or left undecided."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy.stats import poisson_binom

from aiops_lab import Lab, open_lab, triage
from aiops_lab.respond.words import SURE
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.traffic.test_simulator import simulate

from faults import FAULTS  # isort: skip

pytestmark = pytest.mark.slow
SEEDS = range(1, 13) if WHOLE else range(1, 4)
FIGURES = {
    "top_score": "retrieval_score", "ungrounded": "grounded", "parse_errors": "parse_error",
    "tool_failures": "tool_error", "errors": "error", "refusals": "refusal",
}  # fmt: skip
"""What is planted -> the figure whose alarm it would be."""


def triaged(lab: Lab, truth: dict[str, Any]) -> pl.DataFrame:
    """A row a fault and figure that it moves."""
    changes = {each["id"]: each for each in truth["changes"]}
    rows = []
    for each in truth["incidents"]:
        if each["kind"] not in FAULTS or each["metric"] not in FIGURES:
            continue
        window = (each["since"], each["until"])
        language = each["where"].get("language")
        where = f"language={language}" if language else None
        found = triage(lab, window, metric=FIGURES[each["metric"]], where=where)
        first, cause = found.suspects.row(0, named=True), changes[each["cause"]]
        rows.append(
            {"kind": each["kind"], "metric": each["metric"], "logged": cause["logged"],
             "first": first["artefact"] == cause["artefact"],
             "change": first["version"] == cause["to_version"],
             "probability": first["probability"], "named": found.verdict.status == "warn"}
        )  # fmt: skip
    return pl.DataFrame(rows)


def test_of_the_demo_each_is_named_by_a_figure(demo: Lab) -> None:
    found = triaged(demo, json.loads((demo.path / "traffic" / "truth.json").read_text("utf-8")))
    named = found.filter("named")
    assert set(named["kind"]) == set(FAULTS)
    assert named["first"].all(), "by the other figures nobody is named"
    assert named.filter("logged")["change"].all()


def test_of_other_seeds_who_is_named_did_it(tmp_path: Path) -> None:
    parts = []
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        end = dt.date(2026, 9, 20)  # the last fault is over by then
        simulate(folder, seed=seed, incidents=FAULTS, until=end)
        lab = open_lab(folder / "lab")
        lab.ingest(*sorted(folder.glob("*.zst")), folder / "changes.csv")
        parts.append(triaged(lab, json.loads((folder / "truth.json").read_text("utf-8"))))
    found = pl.concat(parts)
    caption = (
        f"Faults of 6 to 48 hours in the simulated traffic of {len(SEEDS)} seeds, 300 requests a "
        "day, three of four logged, each triaged in its own window by the figures that it moves"
    )
    made = Table("triage-of-faults", caption)
    made.columns("fault", "triaged", "first right", "named", "right of those named")
    for kind in FAULTS:
        own = found.filter(kind=kind)
        named = own.filter("named")
        made.row(kind, own.height, own["first"].sum(), named.height, named["first"].sum())
    if WHOLE:
        made.write()
    print(found.group_by("kind").agg(pl.len(), pl.col("first", "named").sum()))
    named = found.filter("named")
    wrong = named.height - named["first"].sum()
    print(f"{wrong} of {named.height} named did not; told: {(1 - named['probability']).sum():.1f}")
    assert named.filter(pl.col("probability") >= SURE)["first"].all()
    assert poisson_binom(1 - named["probability"].to_numpy()).sf(wrong - 1) > 0.01
