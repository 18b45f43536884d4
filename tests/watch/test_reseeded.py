"""Demos of other seeds: is what was planted found, where and when? WHOLE=1 takes fifty.

The demo has about 300 requests a day, so a slice has some fifty of them: three more refusals a day
do not tell the day on which they began, and the change log has to help.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aiops_lab import watch_behaviour
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.stats.test_false_alarms import exceeds, falls_short
from tests.watch.reseeded import day, simulated, written

pytestmark = pytest.mark.slow
SEEDS = range(301, 351) if WHOLE else range(301, 309)
METRICS = {"refusals": "refusal", "yaml_invalid": "yaml_valid", "ungrounded": "grounded",
           "thumbs_up": "thumbs_up"}  # fmt: skip
STEPS, SLOW = ("silent_swap", "prompt_change"), ("ageing_index", "slow_decline")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What became of every planted incident."""
    rows = []
    for seed in SEEDS:
        demo, truth = written(tmp_path_factory.mktemp("demo"), seed)
        result = watch_behaviour(demo)
        for incident in truth["incidents"]:
            where = "=".join(next(iter(incident["where"].items()), ("all",)))
            metric = METRICS.get(incident["metric"])
            own = result.alarms.filter(metric=metric or "", slice=where).to_dicts()
            events = result.events.filter(metric=metric or "", slice=where).to_dicts()
            began = day(incident)
            rows.append(
                {
                    "seed": seed, "kind": incident["kind"], "known": metric is not None,
                    "found": bool(own),
                    "held": any(r["since_low"] <= began <= r["since_high"] for r in own),
                    "near": any(abs((r["since"] - began).days) <= 2 for r in events),
                    "alone": any(abs((r["since"] - began).days) <= 2 for r in own),
                    "mixed": result.alarms.filter(
                        pl.col("metric") == "refusal",
                        pl.col("slice") == f"slice={truth['parameters']['growing']}",
                    ).height > 0,
                }
            )  # fmt: skip
    return rows


def test_without_its_spans_a_demo_counts_the_same(tmp_path: Path) -> None:
    with_spans, without = tmp_path / "spans", tmp_path / "counts"
    for folder in (with_spans, without):
        simulated(folder, SEEDS[0], spans=folder is with_spans)
    for name in ("expected.csv", "changes.csv"):
        assert (with_spans / name).read_bytes() == (without / name).read_bytes()
    told, other = (json.loads((f / "truth.json").read_text()) for f in (with_spans, without))
    own = {"spans", "undelivered", "files"}
    assert {k: v for k, v in told.items() if k not in own} == {
        k: v for k, v in other.items() if k not in own
    }
    assert len(told["files"]) == len(list(with_spans.glob("*.zst"))) and not other["files"]


def test_steps_are_found_in_their_place_and_their_days_held(found: list[dict[str, Any]]) -> None:
    steps = [row for row in found if row["kind"] in STEPS]
    count = {name: sum(r[name] for r in steps) for name in ("found", "held", "near", "alone")}
    for kind in STEPS:
        near = [row["near"] for row in steps if row["kind"] == kind]
        print(f"{kind}: dated within two days {sum(near)} of {len(near)}")
    print(f"{len(steps)} steps: {count}")
    assert not falls_short(count["found"], 0.9, len(steps))
    assert not falls_short(count["held"], 0.9, len(steps))
    assert not falls_short(count["near"], 0.9, len(steps))


def test_what_was_found_is_told(found: list[dict[str, Any]]) -> None:
    """With WHOLE=1 as a table of its own."""
    if not WHOLE:
        pytest.skip("WHOLE=1 writes docs/proof/reseeded.md")
    told = (
        f"What was planted in {len(SEEDS)} demos of other seeds, about 300 requests a day. Held: "
        "since_low to since_high hold its first day. Within two days: since of the event, which "
        "knows the change log; and of the alarm, which does not."
    )
    made = Table("reseeded", told)
    made.columns("incident", "planted", "found", "held", "event within two days", "alarm")
    for kind in (*STEPS, *SLOW):
        own = [row for row in found if row["kind"] == kind and row["known"]]
        counts = (sum(row[name] for row in own) for name in ("found", "held", "near", "alone"))
        made.row(kind.replace("_", " "), len(own), *counts)
    made.write()


def test_the_days_of_slow_declines_are_held(found: list[dict[str, Any]]) -> None:
    slow = [row for row in found if row["kind"] in SLOW and row["known"] and row["found"]]
    held = sum(row["held"] for row in slow)
    print(f"{held} of {len(slow)} slow declines held")
    assert slow
    assert not falls_short(held, 0.9, len(slow))


def test_a_slice_that_only_grows_does_not_alarm(found: list[dict[str, Any]]) -> None:
    mixes = [row for row in found if row["kind"] == "mix_change"]
    alarms = sum(row["mixed"] for row in mixes)
    print(f"{alarms} of {len(mixes)} growing slices alarmed")
    assert not exceeds(alarms, 0.05, len(mixes))


def test_clean_histories_keep_the_promise(tmp_path: Path) -> None:
    alarms = 0
    for seed in SEEDS:
        demo, _ = written(tmp_path / str(seed), seed + 1_000, "weekly_cycle")
        alarms += watch_behaviour(demo).alarms.height > 0
    print(f"{alarms} of {len(SEEDS)} clean demos of 44 series alarmed")
    assert not exceeds(alarms, 0.05, len(SEEDS))
