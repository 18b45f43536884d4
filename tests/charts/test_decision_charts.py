"""Pictures of watched decisions and of one: all can be drawn, and show the result's figures."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import aiops_lab as al
from aiops_lab import widgets
from aiops_lab.charts import decisions as pictures
from aiops_lab.charts import recurring
from aiops_lab.charts.table import Table
from tests.charts.test_attribution_charts import EVIL, QUICK, QUOTES, drawn, rows_of, said
from tests.watch.test_monitor import DAYS, attributions, decisions


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    share = np.where(np.arange(DAYS) < 70, 0.4, 0.6)
    share[50] = 0.05
    region = pl.Series(["north", None, "south", "south", "north"] * (DAYS * 30))
    return decisions(share).with_columns(region=region)


@pytest.fixture(scope="module")
def told(rows: pl.DataFrame) -> pl.DataFrame:
    return attributions(rows, 70, 0.8)


@pytest.fixture(scope="module")
def watched(rows: pl.DataFrame, told: pl.DataFrame) -> al.DecisionShifts:
    return al.watch_decisions(rows, told)


def test_events_are_told_in_sentences(watched: al.DecisionShifts) -> None:
    shown = pictures.events(watched)
    assert isinstance(shown, Table)
    text = str(shown)
    assert "Share of a rose from" in text and "a single day" in text and "need a look" in text


def test_what_moved_is_drawn_with_its_alarm(watched: al.DecisionShifts) -> None:
    spec = drawn(pictures.moved(watched))
    found = rows_of(spec)
    names = {row["name"] for row in found}
    assert "Share of a (%)" in names and "What x adds for a" in names
    assert sum(bool(row.get("fired")) for row in found) == len(names)
    value = next(row["value"] for row in found if row["name"] == "Share of a (%)" and row["value"])
    assert 20 < value < 60


def test_where_nothing_moved_a_sentence_says_so() -> None:
    quiet = al.watch_decisions(decisions(0.4))
    assert said(pictures.moved(quiet)) == "Nothing moved that could be drawn."
    assert said(pictures.events(quiet)) == quiet.verdict.headline
    assert "No attributions" in said(pictures.attributed(quiet, "a", "x"))
    assert "No attributions" in said(pictures.attributed(quiet, None, None))


def test_a_feature_is_drawn_by_the_day(watched: al.DecisionShifts) -> None:
    found = rows_of(drawn(pictures.attributed(watched, "a", "x")))
    assert len([row for row in found if row["value"] is not None]) == DAYS
    assert len(rows_of(drawn(pictures.attributed(watched, "a", "z")))) == DAYS


def test_what_drives_all_decisions_and_each_segment(rows: pl.DataFrame, told: pl.DataFrame) -> None:
    whole = drawn(pictures.overall(al.mean_attributions(told, rows, by=[])))
    assert [row["feature"] for row in rows_of(whole)][-1] == "z"
    parts = rows_of(drawn(pictures.segments(al.mean_attributions(told, rows, by=["region"]))))
    assert {row["segment"] for row in parts} == {"north", "south", "not known"}
    spec = drawn(pictures.segments(al.mean_attributions(told, rows, by=["chosen"])))
    assert "what was chosen" in spec["title"]["subtitle"]
    one = al.mean_attributions(told, rows.with_columns(same=pl.lit(1)), by=["same"])
    assert "nothing to hold apart" in said(pictures.segments(one))
    assert "No attributions" in said(pictures.segments(one.clear()))
    assert "No attributions" in said(pictures.overall(one.clear()))


def test_one_decision_is_drawn_with_its_values(rows: pl.DataFrame, told: pl.DataFrame) -> None:
    explained = al.explain_decision(rows, "d3", told)
    spec = drawn(pictures.one_decision(explained, "a"))
    assert spec["title"]["text"].split(" spoke most ")[0] == explained["feature"][0]
    assert {row["label"] for row in rows_of(spec)} == {f"{c} = not known" for c in "xyz"}
    assert "Nothing is known of q" in said(pictures.one_decision(explained, "q"))
    assert "No attributions" in said(pictures.one_decision(explained.clear()))


@pytest.mark.parametrize("evil", [EVIL, QUOTES])
def test_names_are_text(rows: pl.DataFrame, told: pl.DataFrame, evil: str) -> None:
    own = rows.with_columns(pl.col("chosen").replace("a", evil), **{evil: pl.lit(evil)})
    logged = told.with_columns(
        pl.col("option").replace("a", evil), pl.col("feature").replace("x", evil)
    )
    watched = al.watch_decisions(own, logged)
    one = al.explain_decision(own, "d3", logged)
    for chart in (
        pictures.moved(watched), pictures.attributed(watched, evil, evil),
        pictures.overall(al.mean_attributions(logged, own, by=[])),
        pictures.segments(al.mean_attributions(logged, own, by=[evil, "chosen"][1:])),
        pictures.one_decision(one), recurring.by_weekday(found(own), watched.daily),
    ):  # fmt: skip
        drawn(chart)
    assert "<img" not in watched._repr_html_()


def found(rows: pl.DataFrame) -> al.RoutingShifts:
    return al.find_routing_shifts(rows, features=["region"], periods=[7], **QUICK)


def test_a_share_is_laid_over_any_period(rows: pl.DataFrame) -> None:
    result = found(rows)
    spec = drawn(recurring.folded(result, "a", 5))
    assert spec["title"]["text"] == "No day of 5 days lies apart for a"
    assert {row["phase"] for row in rows_of(spec)} == {*range(5)}


def test_option_period_input_and_decision_are_picked(
    rows: pl.DataFrame, told: pl.DataFrame, watched: al.DecisionShifts
) -> None:
    def model(frame: pl.DataFrame) -> np.ndarray:
        first = np.where((frame["region"] == "north").fill_null(False).to_numpy(), 0.6, 0.3)
        return np.column_stack([first, (1 - first) / 2, (1 - first) / 2])

    explorer = widgets.explore_decisions(found(rows), watched, rows, model)
    assert explorer.value["decision_id"][0] == rows["decision_id"][-1]
    assert explorer.option.value in ("a", "b", "c") and {*explorer.feature.options} >= {("x", "x")}
    explorer.option.value = "b"
    explorer.period.value = 5
    assert "5 days lies apart for b" in str(explorer.folded.chart.spec)
    explorer.decision.value = "d3"
    assert explorer.value["decision_id"].unique().to_list() == ["d3"]
    explorer.decision.value = EVIL
    assert "no decision is called" in explorer.one.text.value
    assert "<img" not in explorer.one.text.value
    assert explorer.one.chart.layout.display == "none"
