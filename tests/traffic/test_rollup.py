"""Spans to requests, requests to hours: late, twice and out of order the lab ends the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aiops_lab import Lab
from aiops_lab.errors import LabError
from aiops_lab.ingest import Unit, ingest
from aiops_lab.measures.learned import learn_refusals
from aiops_lab.sources.contract import Batch
from aiops_lab.tables import SCHEMAS, conform
from aiops_lab.traffic.requests import requests_of
from aiops_lab.traffic.summaries import KEY, daily_of, hourly_of

START = datetime(2026, 5, 1, 8, tzinfo=UTC)


def request(
    number: int, at: datetime, text: str = "Of course.", **told: Any
) -> list[dict[str, Any]]:
    """A root with a model and a tool below it."""
    trace = f"t{number:04d}"
    root = {
        "trace_id": trace, "span_id": "r", "step": "agent", "started_at": at, "duration_s": 2.0,
        "status": "ok", "output": text,
        "attributes": json.dumps({"app.language": told.get("language", "en")}),
    }  # fmt: skip
    model = {
        "trace_id": trace, "span_id": "m", "parent_id": "r", "step": "model", "status": "ok",
        "started_at": at + timedelta(seconds=0.5), "duration_s": 1.0, "model_served": "large-2",
        "tokens_in": 100, "tokens_out": 20, "cost_usd": 0.01, "output": text,
        "attributes": json.dumps({"gen_ai.response.finish_reasons": ["stop"]}),
    }  # fmt: skip
    tool = {
        "trace_id": trace, "span_id": "t", "parent_id": "m", "step": "tool", "duration_s": 0.1,
        "status": told.get("tool", "ok"), "started_at": at + timedelta(seconds=0.9),
        "attributes": "{}",
    }  # fmt: skip
    return [root, model, tool]


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows), infer_schema_length=None), "spans")


def put(
    lab: Lab, name: str, spans: pl.DataFrame | None, scores: pl.DataFrame | None = None
) -> None:
    def read() -> Iterator[Batch]:
        tables = {"spans": spans, "evaluations": scores}
        yield Batch({name: rows for name, rows in tables.items() if rows is not None})

    ingest(lab._store, [Unit(name, f"file:///{name}", name, "otlp", 1, read)])


def traffic(days: int, seed: int = 0) -> list[dict[str, Any]]:
    chance = np.random.default_rng(seed)
    rows = []
    for number in range(days * 20):
        at = START + timedelta(hours=float(chance.uniform(0, 24 * days)))
        refused = chance.random() < 0.2
        text = "I'm sorry, I can't help with that." if refused else "The kiosk opens at six."
        rows += request(number, at, text, language=chance.choice(["en", "de"]))
    return rows


def scores(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    traces = sorted({row["trace_id"] for row in rows})[::3]
    found = pl.DataFrame({"trace_id": traces, "metric": "grounded", "value": 1.0, "at": START})
    return conform(found.with_columns(sampling_weight=pl.lit(10.0)), "evaluations")


def test_a_request_is_told_by_its_root_its_model_and_its_tools() -> None:
    rows = requests_of(frame(request(1, START, tool="error", language="da")))
    assert rows.select("at", "language", "model_served", "tokens_in", "latency_s").row(0) == (
        START, "da", "large-2", 100, 2.0,
    )  # fmt: skip
    told = rows.select("status", "tool_error", "truncated", "complete", "refusal", "parse_error")
    assert told.row(0) == ("ok", True, False, True, False, None)


def test_tokens_told_by_a_span_and_again_by_the_one_above_count_once() -> None:
    rows = request(1, START)
    rows[0] |= {"tokens_in": 100, "tokens_out": 20, "cost_usd": 0.01}
    assert requests_of(frame(rows)).select("tokens_in", "cost_usd").row(0) == (100, 0.01)


def test_a_request_without_its_root_is_there_and_says_so() -> None:
    rows = requests_of(frame(request(1, START)[1:]))
    assert rows.select("complete", "status", "latency_s").row(0) == (False, "ok", 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_late_doubled_and_shuffled_spans_end_in_the_same_summaries(lab: Lab, seed: int) -> None:
    rows = traffic(3, seed)
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(rows))
    parts = np.array_split(order, 5)
    for number, part in enumerate(parts):
        own = [rows[i] for i in (*part, *chance.choice(order, 10))]
        put(lab, f"part-{number}", frame(own), scores(rows) if number == 2 else None)
    whole = requests_of(frame(rows))
    assert lab.table("traffic").sort("trace_id").equals(whole.sort("trace_id"))
    expected = hourly_of(whole, scores(rows))
    found = lab.table("hourly").filter(pl.col("evaluated") > 0).sort(KEY)
    assert_frame_equal(found, expected, rel_tol=1e-12)
    days = daily_of(lab.table("hourly")).filter(pl.col("evaluated") > 0)
    assert_frame_equal(days, daily_of(expected), rel_tol=1e-12)


def test_a_late_trace_corrects_its_own_hour_and_no_other(lab: Lab) -> None:
    rows = traffic(2)
    put(lab, "first", frame(rows))
    before = lab.table("hourly")
    put(lab, "late", frame(request(9999, START + timedelta(hours=5, minutes=3))))
    after = lab.table("hourly")
    changed = after.join(before, on=after.columns, how="anti", nulls_equal=True)
    assert changed["hour"].unique().to_list() == [START + timedelta(hours=5)]
    assert lab.at(1).table("hourly").equals(before)


def test_a_root_that_came_late_moves_its_request_out_of_the_wrong_hour(lab: Lab) -> None:
    at = START + timedelta(minutes=59, seconds=59.8)
    root, model, tool = request(1, at)
    put(lab, "children", frame([model, tool]))
    assert lab.table("traffic")["at"].item() == at + timedelta(seconds=0.5)
    put(lab, "root", frame([root]))
    words = lab.table("hourly").filter(metric="words", slice="all").sort("hour")
    assert words.select("hour", "n").rows() == [(START, 1), (START + timedelta(hours=1), 0)]


def test_a_request_that_moved_is_not_counted_where_it_was_when_others_come(lab: Lab) -> None:
    root, model, tool = request(1, START + timedelta(minutes=59, seconds=59.8))
    put(lab, "children", frame([model, tool]))
    put(lab, "root", frame([root]))
    put(lab, "late", frame(request(2, START + timedelta(hours=1, minutes=5))))
    words = lab.table("hourly").filter(metric="words", slice="all").sort("hour")
    assert words["n"].to_list() == [1, 1]
    assert daily_of(lab.table("hourly")).filter(metric="words", slice="all")["n"].item() == 2


def test_scores_that_come_later_join_their_requests_hour(lab: Lab) -> None:
    rows = traffic(1)
    put(lab, "spans", frame(rows))
    late = scores(rows).with_columns(at=pl.lit(START + timedelta(days=9)))
    put(lab, "scores", None, late)
    days = daily_of(lab.table("hourly")).filter(metric="grounded", slice="all")
    assert days["evaluated"].sum() == late.height
    again = late.with_columns(value=pl.lit(0.0))
    put(lab, "corrected", None, again)
    days = daily_of(lab.table("hourly")).filter(metric="grounded", slice="all")
    assert (days["evaluated"].sum(), days["events"].sum()) == (late.height, 0)


def test_a_lab_older_than_a_column_is_read_and_added_to(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, added = traffic(2), ("yaml_defect", "yaml_repaired")
    with monkeypatch.context() as before:
        before.setitem(
            SCHEMAS,
            "traffic",
            pl.Schema({k: t for k, t in SCHEMAS["traffic"].items() if k not in added}),
        )
        put(lab, "old", frame(rows[:60]))
    pytest.importorskip("duckdb")
    assert lab.table("traffic")["yaml_repaired"].null_count() == 20
    assert lab.relation("traffic", "duckdb").count("*").fetchall() == [(20,)]
    put(lab, "new", frame(rows[60:]))
    assert lab.table("traffic")["yaml_repaired"].null_count() == 20
    assert lab.table("traffic").height == 40
    assert lab.relation("traffic", "duckdb").count("yaml_repaired").fetchall() == [(20,)]


def test_spans_without_a_time_are_kept_as_requests_and_counted_in_no_hour(lab: Lab) -> None:
    rows = [{**row, "started_at": None} for row in request(1, START)]
    put(lab, "timeless", frame(rows))
    assert lab.table("traffic").select("at", "tokens_in").row(0) == (None, 100)
    assert lab.table("hourly").height == 0


def test_strata_are_weighted_and_told_by_how_much_they_are_worth() -> None:
    whole = requests_of(frame(traffic(1)))
    ids = whole["trace_id"]
    rated = pl.DataFrame(
        {"trace_id": ids, "metric": "ok", "value": [0.0] * 10 + [1.0] * 10,
         "sampling_weight": [1.0] * 10 + [9.0] * 10}
    )  # fmt: skip
    days = daily_of(hourly_of(whole, conform(rated, "evaluations"), ())).filter(metric="ok")
    mean = days["sum"].sum() / days["evaluated"].sum()
    assert 0.8 < mean < 0.95
    assert days["evaluated"].sum() < 20


def test_a_detector_of_the_labs_own_stands_beside_the_rule(lab: Lab) -> None:
    model = learn_refusals(
        pl.DataFrame(
            {"output": [f"{said} {n}." for n in range(20) for said in ("The kiosk", "Nope")],
             "refusal": [False, True] * 20}
        )
    )  # fmt: skip
    model.save(lab.path / "own.json")
    rows = [*request(1, START, "Nope."), *request(2, START, "The kiosk is open."),
            *request(3, START, "I'm sorry, I can't help with that.")]  # fmt: skip
    whole = requests_of(frame(rows), refusals=model)
    assert whole.sort("trace_id")["refusal_learned"].to_list() == [True, False, False]
    days = daily_of(hourly_of(whole)).filter(
        pl.col("metric").str.starts_with("refusal"), slice="all"
    )
    assert dict(days.select("metric", "events").rows()) == {
        "refusal": 1, "refusal_learned": 1, "refusal_disagreement": 2,
    }  # fmt: skip
    assert days.filter(metric="refusal_learned")["measure_version"].item() == model.version
    assert (
        not daily_of(hourly_of(whole))
        .filter(pl.col("metric").str.starts_with("refusal_"), slice="language=en")
        .height
    )


def test_a_detector_that_is_not_there_stops_an_ingest_before_it_begins(lab: Lab) -> None:
    (lab.path / "lab.toml").write_text('[traffic]\nrefusals = "own.json"\n')
    with pytest.raises(LabError, match=r"'own.json' holds no detector"):
        lab.ingest(frame(request(1, START)))
    assert lab.version == 0
