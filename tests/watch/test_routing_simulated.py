"""Simulated routers: is the calendar named, carried and dated, and is nothing named without one?

WHOLE=1 takes 200 routers, half of them with a model that was fitted, and 500 clean histories.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiops_lab.watch.routing.find import find_routing_shifts
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.stats.test_false_alarms import exceeds, falls_short
from tests.watch.test_routing import simulator

pytestmark = pytest.mark.slow
SEEDS = range(5000, 5200) if WHOLE else range(5000, 5012)
FITTED = 2 if WHOLE else 4
"""Every so many models are fitted ones; the others are formulas."""
CLEAN = 100 if WHOLE else 10
FEW = 100
Row = dict[str, Any]


def named(result: Any, truth: Any) -> bool:
    """Is the first pattern the one planted?"""
    top = result.top
    return (top.get("option"), top.get("calendar"), top.get("phase")) == (
        truth.route, "week", truth.weekday,
    )  # fmt: skip


def missed(result: Any) -> float:
    """How far the contributions are from the model's change."""
    if not result.counterfactual.height:
        return 0.0
    own = result.carriers.filter(option=result.top["option"], phase=result.top["phase"])
    return abs(own["contribution"].sum() - result.counterfactual["before"][0])


@pytest.fixture(scope="module")
def routers() -> list[Row]:
    """What was said of each router."""
    program, rows = simulator(), []
    for seed in SEEDS:
        model = "fitted" if seed % FITTED == 0 else "formula"
        given = program.simulate(seed, model=model)
        asked = {"model": given.predict_choice, "features": given.features, "context": ("at",)}
        result = find_routing_shifts(given.decisions, training=given.training, **asked)
        random = np.random.default_rng(seed)
        others = [name for name in given.features if name not in given.truth.carriers]
        wrong = find_routing_shifts(
            given.decisions, carriers=random.choice(others, 2, replace=False).tolist(),
            periods=[7], **asked,
        )  # fmt: skip
        right = named(result, given.truth)
        rows.append({
            "seed": seed, "model": model, "named": right,
            "carriers": right and set(result.carriers["feature"].head(2).to_list())
            == set(given.truth.carriers),
            "origin": result.origin.height > 0
            and str(result.origin["day"][0]) == given.truth.origin,
            "removed": result.counterfactual["removed"][0] if result.counterfactual.height else 0.0,
            "withdrawn": wrong.counterfactual.height > 0 and not wrong.counterfactual["holds"][0],
            "sum": missed(result),
        })  # fmt: skip
    return rows


def count(rows: list[Row], name: str) -> int:
    return sum(bool(row[name]) for row in rows)


def test_the_right_option_and_weekday_are_named(routers: list[Row]) -> None:
    assert not falls_short(count(routers, "named"), 0.95, len(routers)), routers


def test_both_carriers_come_first(routers: list[Row]) -> None:
    assert not falls_short(count(routers, "carriers"), 0.9, len(routers)), routers


def test_contributions_add_up(routers: list[Row]) -> None:
    assert max(row["sum"] for row in routers) < 1e-9


def test_the_origin_comes_first(routers: list[Row]) -> None:
    assert not falls_short(count(routers, "origin"), 0.9, len(routers)), routers


def test_the_right_carriers_take_the_pattern_along_and_random_ones_do_not(
    routers: list[Row],
) -> None:
    gone = sum(row["removed"] >= 0.8 for row in routers)
    assert not falls_short(gone, 0.9, len(routers)), routers
    assert not falls_short(count(routers, "withdrawn"), 0.9, len(routers)), routers


@pytest.fixture(scope="module")
def clean() -> dict[str, list[bool]]:
    """Is anything named, by kind of history?"""
    program, found = simulator(), {}
    for kind in program.KINDS:
        told = []
        for seed in range(7000, 7000 + CLEAN):
            random = np.random.default_rng([seed, 4])
            days, per_day = int(random.integers(56, 183)), int(random.integers(60, 300))
            history = program.clean_history(seed, days, per_day, kind)
            told.append(find_routing_shifts(history, least=1.0).patterns.height > 0)
        found[kind] = told
    return found


def test_nothing_is_named_where_there_is_no_calendar(clean: dict[str, list[bool]]) -> None:
    told = [each for kind in clean.values() for each in kind]
    assert not exceeds(sum(told), 0.05, len(told)), clean


@pytest.mark.skipif(not WHOLE, reason="the whole table is made by make proof")
def test_the_table(routers: list[Row], clean: dict[str, list[bool]]) -> None:
    program = simulator()
    made = Table("routing", "Simulated routers of 8 to 26 weeks (200 decisions a day and more), "
                 "and histories without a calendar")  # fmt: skip
    made.columns("what", "of", "share")
    for model in ("formula", "fitted"):
        own = [row for row in routers if row["model"] == model]
        for name in ("named", "carriers", "origin", "withdrawn"):
            made.row(f"{model}: {name}", len(own), f"{count(own, name) / max(len(own), 1):.3f}")
        gone = [row["removed"] for row in own]
        made.row(f"{model}: part of the pattern that goes with the carriers, least and median",
                 len(own), f"{min(gone):.3f}, {np.median(gone):.3f}")  # fmt: skip
    for per_day in (50, 30):
        right = 0
        for seed in range(6000, 6000 + FEW):
            given = program.simulate(seed, model="formula", per_day=per_day)
            right += named(find_routing_shifts(given.decisions, least=1.0), given.truth)
        made.row(f"named at {per_day} decisions a day", FEW, f"{right / FEW:.2f}")
    for kind, told in clean.items():
        made.row(f"anything named: {kind}", len(told), f"{sum(told) / len(told):.3f}")
    made.write()
