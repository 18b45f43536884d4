"""A failing request and a good one of before, step by step."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from aiops_lab import Lab, triage
from aiops_lab.errors import BadSettings
from aiops_lab.respond.contrast import MOST_STEPS, failing_and_good, requests_side_by_side
from aiops_lab.tables import conform
from aiops_lab.traffic.requests import requests_of


class Frames:
    """Spans and their requests, scanned as a lab is."""

    def __init__(self, spans: pl.DataFrame) -> None:
        spans = conform(spans, "spans")
        self.tables = {"spans": spans, "traffic": requests_of(spans)}

    def scan(self, name: str, within: Any = None) -> pl.LazyFrame:
        return self.tables[name].lazy()


def test_by_default_one_fails_and_the_other_was_good_in_the_same_slice(demo: Lab) -> None:
    found = triage(demo, ("2026-10-15", "2026-10-22"), metric="yaml_valid")
    picked = failing_and_good(demo, found, most=5)
    assert picked.height == 10
    began = dt.datetime(2026, 10, 15, tzinfo=dt.UTC)
    for side, value in (("before", 1.0), ("within", 0.0)):
        own = picked.filter(side=side)
        assert own["outcome"].to_list() == [value] * 5
        assert ((own["at"] >= began) == (side == "within")).all()
    traffic = demo.table("traffic")
    good, bad = (traffic.row(by_predicate=pl.col("trace_id") == picked.filter(side=side)[
        "trace_id"][0], named=True) for side in ("before", "within"))  # fmt: skip
    assert [good[n] == bad[n] for n in ("slice", "language", "tenant")] == [True] * 3
    assert good["prompt_version"].endswith("13") and bad["prompt_version"].endswith("14")


def test_a_number_is_furthest_where_it_moved_to(demo: Lab) -> None:
    found = triage(demo, ("2026-10-15", "2026-10-22"), metric="latency_s")
    picked = failing_and_good(demo, found, most=5)
    assert picked.filter(side="within")["outcome"].min() is not None
    good, bad = (picked.filter(side=side)["outcome"][0] for side in ("before", "within"))
    assert abs(good - 2) < 1.5 and bad != pytest.approx(good, rel=0.5)


def test_without_an_incident_some_are_picked(demo: Lab, lab: Lab) -> None:
    sides = failing_and_good(demo)["side"].value_counts()
    assert set(sides["side"]) == {"before", "within"}
    assert failing_and_good(lab).is_empty()


def test_steps_are_paired_and_what_differs_is_told() -> None:
    lab = Frames(pair_of_requests())
    found = requests_side_by_side(lab, "a", "b")
    assert found["step"].to_list() == ["request", "agent", "retrieval", "tool", "model"]
    told = dict(found.select("step", "differs").iter_rows())
    assert told["retrieval"] == ["step"], "only the first has it"
    assert told["tool"] == ["step"], "only the second has it"
    assert set(told["model"]) == {"model_served", "output", "duration_s", "tokens_out"}
    assert "input" not in told["agent"]
    assert found.filter(step="model")["duration_s_first"].item() == pytest.approx(0.2)
    with pytest.raises(BadSettings, match="no request is called 'c'"):
        requests_side_by_side(lab, "a", "c")
    same = requests_side_by_side(lab, "a", "a")
    assert same["differs"].list.len().sum() == 0


def test_without_spans_the_whole_requests_are_compared() -> None:
    lab = Frames(pair_of_requests())
    lab.tables["spans"] = lab.tables["spans"].clear()
    found = requests_side_by_side(lab, "a", "b")
    assert found["step"].to_list() == ["request"]
    assert found["differs"].to_list() == [["model_served", "tokens_out"]]


def test_of_endless_requests_the_first_steps_are_compared() -> None:
    at = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)
    rows = [{"trace_id": name, "span_id": f"{n}", "step": "tool", "name": "x", "started_at": at}
            for name in "ab" for n in range(3_000)]  # fmt: skip
    found = requests_side_by_side(Frames(pl.DataFrame(rows)), "a", "b")
    assert found.height == MOST_STEPS + 1


def pair_of_requests() -> pl.DataFrame:
    """Spans of two requests: the second calls a tool, retrieves nothing, and is slow."""
    at = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)
    rows = []
    for name, extra, seconds, tokens in (("a", "retrieval", 0.2, 10), ("b", "tool", 0.9, 30)):
        common = {"trace_id": name, "started_at": at, "status": "ok"}
        rows += [
            common | {"span_id": f"{name}0", "step": "agent", "input": "When?", "duration_s": 1.0},
            common | {"span_id": f"{name}1", "parent_id": f"{name}0", "step": extra, "name": "x",
                      "duration_s": 0.1, "started_at": at + dt.timedelta(seconds=0.1)},
            common | {"span_id": f"{name}2", "parent_id": f"{name}0", "step": "model",
                      "started_at": at + dt.timedelta(seconds=0.3), "duration_s": seconds,
                      "tokens_in": 100, "tokens_out": tokens, "model_served": f"m-{name}",
                      "input": "When?", "output": f"At noon, {name}."},
        ]  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)
