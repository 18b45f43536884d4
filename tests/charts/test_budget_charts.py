"""Pictures of error budgets: all can be drawn, and show the result's figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab, error_budget
from aiops_lab.charts import budget as pictures
from aiops_lab.charts.table import Table
from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Objective
from aiops_lab.ship.spending import COSTS
from aiops_lab.target.budget import Budget
from aiops_lab.target.foresee import supposed
from aiops_lab.widgets.budget import explore_budget
from tests.charts.test_attribution_charts import EVIL, drawn, rows_of, said

START = datetime(2026, 5, 1, tzinfo=UTC)


def requests(bad: float, days: int = 28, per_day: int = 200) -> pl.DataFrame:
    at = [START + timedelta(days=n / per_day) for n in range(days * per_day)]
    refused = np.random.default_rng(1).random(len(at)) < bad
    schema = {"at": pl.Datetime("us", "UTC"), "refusal": pl.Boolean}
    return pl.DataFrame({"at": at, "refusal": refused}, schema=schema)


def goal(name: str = "answers", target: float = 0.95) -> Objective:
    return Objective(name, target, "refusal", read_criterion(bad=True))


@pytest.fixture(scope="module")
def spent() -> Budget:
    goals = [goal(EVIL, 0.98), goal("calm", 0.8)]
    return error_budget(requests(0.04), goals)


@pytest.fixture(scope="module")
def empty() -> Budget:
    return error_budget(requests(0.0, 0), [goal()])


def test_the_board_tells_each_budget_with_its_interval(spent: Budget) -> None:
    shown = pictures.board(spent)
    assert isinstance(shown, Table)
    assert shown.title == "1 of 2 budgets spent"
    assert [row[0][0] for row in shown.rows] == ["■ fail", "● ok"]
    assert shown.rows[0][6][0].startswith("since ")


def test_the_worst_budget_is_drawn_with_what_is_foreseen(spent: Budget) -> None:
    found = rows_of(drawn(pictures.burn_down(spent)))
    assert {row["objective"] for row in found} == {EVIL}
    assert {row["kind"] for row in found} == {"day", "ahead"}
    last = [row for row in found if row["kind"] == "day"][-1]
    row = spent.objectives.row(by_predicate=pl.col("name") == EVIL, named=True)
    assert last["left"] == pytest.approx(100 * (1 - row["spent"]), abs=0.02)
    others = rows_of(drawn(pictures.others(spent)))
    assert {row["objective"] for row in others} == {"calm"}


def test_alerts_say_what_they_mean_and_incidents_what_they_spent(spent: Budget) -> None:
    alerts, policy = pictures.alerts(spent), pictures.policy(spent)
    assert isinstance(alerts, Table) and isinstance(policy, Table)
    assert "over 26.9 %" in str(alerts.rows)
    assert policy.title.startswith("Only fixes are released")
    assert isinstance(pictures.freezes(spent), Table)


def test_where_nothing_is_known_sentences_say_so(empty: Budget) -> None:
    assert "nothing to draw" in said(pictures.burn_down(empty))
    assert "no other objectives" in said(pictures.others(empty))
    assert "No alert fired" in said(pictures.fired(empty))
    assert "On no day" in said(pictures.freezes(empty))
    assert "Nothing is known" in said(pictures.what_if(empty))
    assert "Name two runs" in said(pictures.costs(pl.DataFrame(schema=COSTS)))
    assert isinstance(pictures.board(empty), Table)
    assert "Nothing is known" in explore_budget(empty).text.value


def test_what_a_change_costs_is_drawn_or_said_in_words() -> None:
    known = pl.DataFrame(
        [[EVIL, "warn", 0.26, 0.09, 0.44, 0.2, f"spends 26 % of {EVIL}"],
         ["b", "inconclusive", None, None, None, None, "cannot tell"]], COSTS, orient="row",
    )  # fmt: skip
    assert [row["share"] for row in rows_of(drawn(pictures.costs(known))) if "share" in row] == [26]
    shown = pictures.costs(known.tail(1))
    assert isinstance(shown, Table) and "cannot tell" in str(shown.rows)


def test_what_is_supposed_starts_from_what_is(spent: Budget) -> None:
    found = supposed(spent, EVIL)
    assert found and found.target == 0.98 and found.rate == 1
    assert found.daily == pytest.approx(200, rel=0.01)
    spec = drawn(pictures.what_if(spent))
    names = {each["name"]: each["value"] for each in spec["params"] if "bind" in each}
    assert names["target"] == 0.98 and names["se"] == names["sp"] == 1


def test_the_explorer_tells_what_could_be_told_otherwise(spent: Budget) -> None:
    explorer = explore_budget(spent)
    assert "That could be told: it is spent" in explorer.text.value
    explorer.target.value = 0.95
    assert "not spent" in explorer.text.value
    explorer.rate.value, explorer.sp.value, explorer.labels.value = 0.02, 0.9, 50
    assert "could not be told" in explorer.text.value


def test_the_demos_changes_stand_in_its_picture(demo: Lab) -> None:
    found = error_budget(demo)
    rows = rows_of(drawn(pictures.burn_down(found)))
    marks = [row for row in rows if row["kind"] == "change"]
    assert {mark["label"] for mark in marks} == {"code", "tool"}
    incidents = pictures.fired(found)
    assert isinstance(incidents, Table) and "asks for a postmortem" in incidents.title
