"""Pictures of decisions that follow a calendar: all can be drawn, and show the result's figures."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest
import vl_convert

from aiops_lab import RoutingShifts, find_routing_shifts
from aiops_lab.charts import attribution, checks
from aiops_lab.charts.cases import Cases
from aiops_lab.charts.recurring import when
from aiops_lab.charts.table import Table
from aiops_lab.charts.theme import MIME
from aiops_lab.wording import visible
from tests.watch.test_routing import simulator as loaded

simulator: Any = loaded()
CHARTS = ("heat", "folded", "waterfall", "by_weekday", "beliefs", "origin", "counterfactual")
EVERY = (*CHARTS, "patterns", "carriers")
EVIL = "</script><img src=x onerror=alert(1)>"
QUOTES = "'\\ \"]+alert(1)+[ {{x}} ${x} \u202e"
QUICK: dict[str, Any] = {"permutations": 199, "seed": 1}


@pytest.fixture(scope="module")
def payments() -> Any:
    return simulator.simulate(7, weeks=8, per_day=150, model="formula")


@pytest.fixture(scope="module")
def result(payments: Any) -> RoutingShifts:
    def fit(rows: Any) -> Any:
        predict = simulator.fit(pl.DataFrame(rows), payments.routes)
        return lambda frame: payments.predict_choice(frame, predict)

    return find_routing_shifts(
        payments.decisions, model=payments.predict_choice, training=payments.training, fit=fit,
        features=payments.features, context=("at",), **QUICK,
    )  # fmt: skip


@pytest.fixture(scope="module")
def logged(payments: Any) -> RoutingShifts:
    told = payments.decisions.select(
        "decision_id", pl.col("batch_share") * -0.3, pl.col("amount") * 0.001,
        pl.col("queue_depth") * -0.01, option=pl.lit("harbour"),
    )  # fmt: skip
    return find_routing_shifts(payments.decisions, told, features=payments.features, **QUICK)


@pytest.fixture(scope="module")
def clean() -> RoutingShifts:
    return find_routing_shifts(simulator.clean_history(3, 40, 60, "plain"), **QUICK)


def drawn(chart: Any) -> dict[str, Any]:
    """A chart's specification as a page gets it, drawn once."""
    bundle = chart._repr_mimebundle_()
    spec = (bundle[0] if isinstance(bundle, tuple) else bundle)[MIME]
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    assert svg.startswith("<svg") and "NaN" not in svg and "<img" not in svg
    assert all(isinstance(rows, list) for rows in spec["datasets"].values())
    return spec


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for rows in spec["datasets"].values() for row in rows]


def said(shown: Any) -> str:
    assert isinstance(shown, Cases) and not shown.cases
    return shown.title


def cells(shown: Any) -> list[dict[str, str]]:
    assert isinstance(shown, Table)
    return [dict(zip(shown.columns, (text for text, _ in row), strict=True)) for row in shown.rows]


def test_the_calendar_has_a_cell_a_day(result: RoutingShifts) -> None:
    spec = drawn(attribution.heat(result))
    rows = rows_of(spec)
    assert len(rows) == 56
    assert {row["weekday"] for row in rows if row["share"] < 36} == {"Tue"}
    assert sum(row["n"] for row in rows) == result.settings["decisions"]
    assert "harbour gets 22.8 % instead of 49.0 % on Tuesdays" in spec["title"]["text"]
    other = drawn(attribution.heat(result, "meadow"))
    assert other["title"]["text"].startswith("meadow gets 24.0 %")
    assert "known: harbour, island, meadow and north" in said(attribution.heat(result, "none"))


def test_a_day_without_decisions_is_blank(payments: Any) -> None:
    kept = payments.decisions.filter(pl.col("at").dt.date() != date(2026, 10, 7))
    found = find_routing_shifts(kept.select("at", "chosen", "batch_share"), **QUICK)
    spec = drawn(attribution.heat(found))
    assert not [row for row in rows_of(spec) if row["day"].startswith("2026-10-07")]
    assert len(rows_of(spec)) == 55
    drawn(attribution.folded(found))


def test_days_are_laid_over_each_other(result: RoutingShifts) -> None:
    spec = drawn(attribution.folded(result))
    means = [row for row in rows_of(spec) if "days" in row]
    assert [row["phase"] for row in means if row["on"]] == [1]
    own = result.series.filter(pl.col("option") == "harbour", pl.col("day").dt.weekday() == 2)
    told = next(row["share"] for row in means if row["on"])
    assert told == pytest.approx(100 * float(own["share"].to_numpy().mean()), abs=0.02)
    assert len(rows_of(spec)) == 56 + 7


def test_the_waterfall_ends_at_the_share_that_was_seen(result: RoutingShifts) -> None:
    rows = rows_of(drawn(attribution.waterfall(result)))
    first, *steps, last = rows
    assert first["high"] == pytest.approx(100 * result.top["otherwise"])
    assert last["high"] == pytest.approx(100 * result.top["on"])
    assert [row["kind"] for row in steps[:2]] == ["carries", "carries"]
    assert steps[-1]["name"] == "not explained"
    at = first["high"]
    for row in steps:  # each begins where the one before it ended
        ends = [row["low"], row["high"]]
        nearest = min(ends, key=lambda end: abs(end - at))
        assert nearest == pytest.approx(at)
        at = sum(ends) - nearest
    assert at == pytest.approx(last["high"])
    assert len(rows) <= 10


def test_origin_names_the_day(result: RoutingShifts, payments: Any) -> None:
    assert isinstance(checks(result.checks, "May this be believed?"), Table)
    spec = drawn(attribution.origin(result))
    told = [row["told"] for row in rows_of(spec) if row["first"]]
    assert told == ["Tuesday 15 Sep 2026: failed 64.7 % against 3.6 %"]
    assert payments.truth.origin == "2026-09-15"
    assert spec["title"]["text"] == "Learned on Tuesday 15 Sep 2026"
    assert len(rows_of(spec)) == result.origin.height


def test_origin_is_that_of_the_largest_pattern(result: RoutingShifts) -> None:
    other = result.origin.with_columns(phase=pl.lit("Friday"), z=pl.col("z") + 9)
    both = replace(result, origin=pl.concat([other, result.origin]))
    spec = drawn(attribution.origin(both))
    assert spec["title"]["text"] == "Learned on Tuesday 15 Sep 2026"
    assert len(rows_of(spec)) == result.origin.height


def test_what_was_tried_stands_with_its_interval(result: RoutingShifts) -> None:
    spec = drawn(attribution.counterfactual(result))
    tried = result.counterfactual.to_dicts()
    assert [row["what"] for row in rows_of(spec)] == [row["what"] for row in tried]
    assert spec["title"]["text"].startswith("Carriers as at other times: ")
    assert len(tried) == 2 and "fitted again without Tuesday" in tried[1]["what"]
    for row, own in zip(rows_of(spec), tried, strict=True):
        assert row["before"] == pytest.approx(100 * own["before"], abs=0.01)
        assert row["after"] == pytest.approx(100 * own["after"], abs=0.01)
        assert f"({100 * own['low']:.1f} to {100 * own['high']:.1f} %)" in row["label"]


def test_beliefs_have_the_values_common_then(result: RoutingShifts) -> None:
    rows = rows_of(drawn(attribution.beliefs(result)))
    assert {row["feature"] for row in rows} == {"batch_share", "queue_depth"}
    for name in ("batch_share", "queue_depth"):
        own = [row for row in rows if row["feature"] == name]
        assert own[0]["share"] > own[-1]["share"] and own[0]["often"] < own[-1]["often"]
        assert 90 <= sum(row["often"] for row in own) <= 100.5
        assert all(len(row["value"]) <= 6 for row in own)


def test_tables_say_it_as_people_do(result: RoutingShifts) -> None:
    first = cells(attribution.patterns(result))[0]
    assert (first["option"], first["when"]) == ("harbour", "on Tuesdays")
    assert first["difference (95 % interval)"].startswith("−26.3 points (−")
    carried = cells(attribution.carriers(result))
    assert [row["feature"] for row in carried if row["carries it"] == "yes"] == [
        "batch_share", "queue_depth",
    ]  # fmt: skip
    assert all(row["adds (95 % interval)"].count("points") == 1 for row in carried)


def test_logged_attributions_are_in_their_own_unit(logged: RoutingShifts) -> None:
    rows = rows_of(drawn(attribution.waterfall(logged)))
    assert {row["kind"] for row in rows} <= {"carries", "other"}
    assert all(row["low"] == 0 or row["high"] == 0 for row in rows)
    spec = drawn(attribution.by_weekday(logged))
    assert len(rows_of(spec)) == 3 * 7
    assert {row["day"] for row in rows_of(spec) if row["on"]} == {"Tuesday"}
    own = logged.attributions.filter(
        pl.col("feature") == "amount", pl.col("day").dt.weekday() == 1
    ).sum()
    mean = next(row for row in rows_of(spec) if (row["feature"], row["weekday"]) == ("amount", 0))
    assert mean["value"] == pytest.approx(own["sum"][0] / own["n"][0], rel=1e-3)
    assert "points" not in cells(attribution.carriers(logged))[0].popitem()[1]
    assert "logged attribution (95 % interval)" in attribution.carriers(logged).columns  # pyright: ignore[reportAttributeAccessIssue]


def test_a_clean_history_has_days_and_notes(clean: RoutingShifts) -> None:
    assert "No calendar was found" in drawn(attribution.heat(clean))["title"]["text"]
    drawn(attribution.folded(clean))
    for name in EVERY[2:]:
        assert said(getattr(attribution, name)(clean)).endswith(".")
    assert not clean.checks.height
    assert said(checks(clean.checks, "May this be believed?")) == "Nothing had to be checked."


def test_one_option_is_a_note(payments: Any) -> None:
    only = payments.decisions.select("at", "amount", chosen=pl.lit("a"))
    found = find_routing_shifts(only, **QUICK)
    assert said(attribution.heat(found)) == "a was always chosen: there is no share to draw."
    for name in EVERY:
        said(getattr(attribution, name)(found))


def test_other_calendars() -> None:
    history = simulator.clean_history(3, 70, 60, "plain")
    day = (pl.col("at").dt.date() - history["at"].dt.date().min()).dt.total_days()
    place = pl.int_range(pl.len())
    route = pl.when((day % 10 == 3) & (place % 3 > 0)).then(pl.lit("ferry"))
    tens = history.select("at", chosen=route.otherwise("chosen"))
    found = find_routing_shifts(tens, **QUICK)
    assert (found.top["option"], found.top["phase"]) == ("ferry", "3")
    framed = [row for row in rows_of(drawn(attribution.heat(found))) if row["framed"]]
    assert len(framed) == 7 and min(row["share"] for row in framed) > 40
    spec = drawn(attribution.folded(found))
    assert {row["phase"] for row in rows_of(spec) if row["on"]} == {3}
    assert "No feature was logged" in said(attribution.waterfall(found))
    route = pl.when((pl.col("at").dt.hour() == 14) & (place % 3 > 0)).then(pl.lit("ferry"))
    hours = history.select("at", chosen=route.otherwise("chosen"))
    found = find_routing_shifts(hours, **QUICK)
    assert found.top["phase"] == "14:00"
    spec = drawn(attribution.folded(found))
    means = [row for row in rows_of(spec) if "days" in row]
    assert len(means) == 24 and [row["phase"] for row in means if row["on"]] == [14]
    told = next(row["share"] for row in means if row["on"])
    own = found.hours.filter(option="ferry", hour=14)
    gone = hours.filter(pl.col("at").dt.hour() == 14)["chosen"] == "ferry"
    assert told == pytest.approx(100 * float(gone.to_numpy().mean()), abs=0.01)
    dots = [row for row in rows_of(spec) if "days" not in row and row["on"]]
    assert len(dots) == own.tail(60)["share"].count() <= 60 < own.height
    assert "last 60 days" in spec["title"]["subtitle"] and "blue: its hour" in json.dumps(spec)
    assert "by the hour" in drawn(attribution.heat(found))["title"]["text"]


@pytest.mark.parametrize(
    "calendar, phase, told",
    [
        ("week", "Friday", "on Fridays"),
        ("hour", "09:00", "at 09:00"),
        ("month", "day 15", "on day 15 of the month"),
        ("month end", "last day", "on the last day of the month"),
        ("month end", "2 before the last day", "2 before the last day of the month"),
        ("every 10", "3", "every 10 days (day 3)"),
    ],
)
def test_when(calendar: str, phase: str, told: str) -> None:
    assert when({"calendar": calendar, "phase": phase, "period_days": 10.0}) == told


def test_hostile_names_are_text(result: RoutingShifts) -> None:
    new = {"harbour": EVIL + QUOTES, "batch_share": QUOTES + "x" * 3000, "queue_depth": EVIL}
    named = {
        name: frame.with_columns(
            pl.col(key).replace(new)
            for key in ("option", "feature", "first", "second")
            if key in frame.columns and frame.schema[key] == pl.String
        )
        for name, frame in result.frames.items()
    }
    hostile = RoutingShifts(result.verdict, **named, settings=result.settings)
    for name in CHARTS:
        shown = getattr(attribution, name)(hostile)
        if name == "by_weekday":
            said(shown)
            continue
        spec = drawn(shown)
        names = {row.get("feature", row.get("name")) for row in rows_of(spec)} - {None}
        assert name not in ("beliefs", "waterfall") or visible(new["batch_share"]) in names
        assert len(spec["title"]["text"]) < 250
        assert "\u202e" not in json.dumps(spec, ensure_ascii=False)
    for shown in (attribution.patterns(hostile), attribution.carriers(hostile)):
        html = shown._repr_mimebundle_()["text/html"]
        assert "<img" not in html and "&lt;img" in html
