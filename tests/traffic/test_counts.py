"""Objectives are counted exactly, whatever the engine, and as one answer at a time would be."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Criterion, Duration, Objective, Part
from aiops_lab.traffic.counts import COUNTS, counted

AT = datetime(2026, 5, 1, 9, 30)


def requests(**columns: Any) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    at = [AT + timedelta(minutes=20 * n) for n in range(count)]
    return pl.DataFrame({"trace_id": [f"t{n}" for n in range(count)], "at": at, **columns})


def scores(values: Any, weights: Any = None, **columns: Any) -> pl.DataFrame:
    return pl.DataFrame({
        "trace_id": [f"t{n}" for n in range(len(values))], "metric": "grounded", "value": values,
        "label": pl.Series([None] * len(values), dtype=pl.String),
        "sampling_weight": pl.Series(weights or [1.0] * len(values), dtype=pl.Float64),
    }).with_columns(**columns)  # fmt: skip


def goal(metric: str = "grounded", good: Any = None, bad: Any = None, **more: Any) -> Objective:
    return Objective("goal", 0.95, metric, read_criterion(good, bad), **more)


ENDS = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5, 1.0]))


@given(
    st.builds(
        Criterion, kind=st.just("range"), low=ENDS, high=ENDS, above=st.booleans(),
        below=st.booleans(), bad=st.booleans(),
    ),
    st.lists(st.one_of(st.none(), st.sampled_from([-2.0, -1.0, 0.0, 0.5, 0.7, 1.0])), min_size=1),
)  # fmt: skip
def test_ranges_are_counted_as_single_answers_are(rule: Criterion, values: list[Any]) -> None:
    found = counted(
        requests(latency_s=pl.Series(values, dtype=pl.Float64)), None,
        [Objective("goal", 0.9, "latency_s", rule)],
    )  # fmt: skip
    told = [rule.is_good(value) for value in values]
    assert found["n"].sum() == len(values)
    assert found["evaluated"].sum() == sum(each is not None for each in told)
    assert found["bad"].sum() == sum(each is False for each in told)


def test_truths_labels_and_shares() -> None:
    rows = requests(refusal=[True, False, None], error=[0, 1, 1])
    assert counted(rows, None, [goal("refusal", bad=True)])["bad"].sum() == 1
    assert counted(rows, None, [goal("refusal", good=True)])["bad"].sum() == 1
    labelled = scores([None] * 3, label=pl.Series(["ok", "invented", None]))
    found = counted(rows, labelled, [goal(good=["ok", "fine"])])
    assert found.select("n", "evaluated", "bad").sum().row(0) == (3, 2, 1.0)
    found = counted(rows, labelled, [goal(bad=["invented"])])
    assert found["bad"].sum() == 1
    share = Objective("goal", 0.9, "grounded", Criterion("ratio"))
    assert math.isclose(counted(rows, scores([0.25, 1.0, None]), [share])["bad"].sum(), 0.75)


def test_scores_count_by_their_hour_and_sampling_weight() -> None:
    rows = requests(slice=["de", "de", "en", "de"])
    told = scores([0.9, 0.1, 0.1, None], [1.0, 10.0, 10.0, 10.0])
    found = counted(rows, told, [goal(good=">= 0.8"), goal(good=">= 0.8", filter="slice=de")])
    assert found.schema == COUNTS
    whole = found.filter(pl.len().over("objective") > 0)
    assert whole["hour"].dt.hour().unique().sort().to_list() == [9, 10]
    own = counted(rows, told, [goal(good=">= 0.8", filter="slice=de")])
    by = {row["stratum"]: row for row in own.group_by("stratum").agg(
        pl.col("n", "evaluated", "bad", "answers").sum()).to_dicts()}  # fmt: skip
    assert (by["1.0"]["n"], by["1.0"]["bad"], by["1.0"]["answers"]) == (1, 0, 1)
    assert (by["10.0"]["n"], by["10.0"]["evaluated"], by["10.0"]["answers"]) == (2, 1, 20)


def test_what_is_not_there_has_no_counts() -> None:
    rows = requests(refusal=[True])
    part = goal("refusal", bad=True)
    for one in (
        goal(good=">= 0.8"), goal("refusal", bad=True, filter="tenant=a"),
        Objective("whole", 0.9, parts=(Part(part),)), Objective("foreign", 0.9, why="elsewhere"),
    ):  # fmt: skip
        assert not counted(rows, None, [one]).height


@pytest.mark.parametrize("library", ["lazy", "pandas", "duckdb"])
def test_libraries_agree(library: str) -> None:
    rows = requests(refusal=[True, False, None, True], status=["ok", "error", "ok", "ok"])
    told = scores([0.9, 0.1, None, 0.5], [1.0, 10.0, 10.0, 1.0])
    sliced: dict[str, Any] = {
        "budgeting": "ratio_timeslices", "timeslice_window": Duration(15, "m")
    }  # fmt: skip
    goals = [goal("refusal", bad=True), goal(good=">= 0.8"), goal("error", bad=True),
             goal("refusal", bad=True, **sliced), goal(good=">= 0.8", **sliced)]  # fmt: skip
    with duckdb.connect() as connection:
        connection.register("rows", rows.to_arrow())
        connection.register("told", told.to_arrow())
        of: dict[str, Any] = {
            "lazy": lambda: (rows.lazy(), told.lazy()),
            "pandas": lambda: (rows.to_pandas(), told.to_pandas()),
            "duckdb": lambda: (connection.table("rows"), connection.table("told")),
        }
        given = of[library]()
        for one in goals:
            assert counted(given[0], given[1], [one]).equals(counted(rows, told, [one]))


def test_the_demo_is_counted_as_its_summaries_are(demo: Any) -> None:
    goals = [goal("refusal", bad=True), goal("yaml_valid", good=True)]
    traffic, scored = (demo.scan(name) for name in ("traffic", "evaluations"))
    days = demo.daily([]).filter(slice="all")
    for one in goals:
        found = counted(traffic, scored, [one])
        same = days.filter(metric=one.metric)
        events = int(found["bad"].sum())
        good = one.metric == "yaml_valid"
        assert found["evaluated"].sum() == same["evaluated"].sum()
        assert (
            events == (same["evaluated"] - same["events"]).sum() if good else same["events"].sum()
        )
