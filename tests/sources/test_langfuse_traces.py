"""Langfuse's traces of production: fetched by the day, at two ages of the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, LabError, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.sources.find import recognise
from aiops_lab.sources.langfuse_traces import fetch
from tests.sources.langfuse_server import Server, at, score, world
from tests.sources.test_langfuse import HOSTILE, serve, whole

__all__ = ["serve"]
NOW = datetime(2026, 5, 3, 12, 30, tzinfo=UTC)
"""Two days after the world began."""


def ingested(folder: Path, now: datetime = NOW, lab: Lab | None = None) -> Lab:
    lab = lab or open_lab(folder / "lab")
    lab.ingest(*fetch("2026-05-01", folder / "fetched", now=now))
    return lab


@pytest.mark.parametrize("age", ["new", "old"])
def test_observations_become_spans_and_scores_evaluations(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    made = world()
    answer = made.runs[0]["answers"][1]
    answer |= {"level": "ERROR", "message": "timed out"}
    serve(made, age)
    lab = ingested(tmp_path)
    assert lab.table("quarantine").rows() == []
    trace = lab.table("spans").filter(pl.col("trace_id") == answer["trace"])
    rows = {row["span_id"].removeprefix(f"{answer['trace']}-"): row for row in trace.to_dicts()}
    generation, task = rows["generation"], rows["task"]
    assert generation | {"attributes": None, "started_at": None} == {
        "trace_id": answer["trace"],
        "span_id": f"{answer['trace']}-generation",
        "parent_id": f"{answer['trace']}-task",
        "step": "model",
        "name": "generation",
        "started_at": None,
        "duration_s": 2.0,
        "status": "ok",
        "model_requested": None,
        "model_served": "m/answers",
        "fingerprint": None,
        "prompt_version": "support-answer:1",
        "index_version": None,
        "tokens_in": 15,
        "tokens_out": 7,
        "cost_usd": 0.002,
        "input": None,
        "output": None,
        "attributes": None,
    }
    assert task["status"] == "error" and task["output"] == "answer 1"
    assert json.loads(task["attributes"])["otel.status_description"] == "timed out"
    requests = lab.table("traffic")
    assert requests.height == 16 and requests["complete"].all()
    scores = lab.table("evaluations").filter(pl.col("trace_id") == answer["trace"]).sort("metric")
    assert scores.select("metric", "value", "label", "scorer_kind").rows() == [
        ("correctness", 1.0, None, "code"), ("helpful", 0.0, None, "model"),
        ("tone", None, "dry", "human"),
    ]  # fmt: skip


@pytest.mark.parametrize("age", ["new", "old"])
def test_a_recent_day_is_asked_for_again_and_an_old_one_is_not(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    made = world(120)
    server = serve(made, age)
    first = fetch("2026-05-01", tmp_path / "fetched", now=NOW)
    assert [path.name[-16:-6] for path in first] == [f"2026-05-0{day}" for day in (1, 2, 3)]
    lab = ingested(tmp_path)
    assert ingested(tmp_path, lab=lab).sources().height == 3
    spans, scores = lab.table("spans").height, lab.table("evaluations").height
    assert (spans, scores) == (240 * (5 if age == "new" else 6), 240 * 3)
    made.runs[1]["answers"][0]["scores"].append(score("late", "late", 0.5, at=20_000))
    ingested(tmp_path, lab=lab)
    assert (lab.table("spans").height, lab.table("evaluations").height) == (spans, scores + 1)
    made.runs[1]["answers"][1]["scores"].append(score("later", "later", 0.5, at=180_000))
    for days in (12, 13):
        server.log.clear()
        later = fetch("2026-05-01", tmp_path / "fetched", now=NOW + timedelta(days=days))
        asked = {v[:10] for a in server.log for k, v in a[1].items() if k.startswith("from")}
        # days that were read while they were recent are asked for once more
        assert ("2026-05-01" in asked) == (days == 12) and "2026-05-10" in asked
        assert len(later) == days + 3
    lab.ingest(*later)
    assert "later" in lab.table("evaluations")["metric"].to_list() or age == "old"


def test_what_began_lately_waits_until_it_is_finished(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    serve(world())
    early = datetime.fromisoformat(at(0)) + timedelta(minutes=59)
    assert ingested(tmp_path, early).table("spans").height == 0
    assert ingested(tmp_path, early + timedelta(hours=1, minutes=1)).table("spans").height == 8 * 5


def test_failures_are_waited_out_and_gone_on_from(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(world(120))
    calm = whole(fetch("2026-05-01", tmp_path / "calm", now=NOW))
    server.faults = [("v2/observations", 429, {"Retry-After": "7"}), ("v3/scores", 503, {})]
    waits: list[float] = []
    found = fetch("2026-05-01", tmp_path / "busy", now=NOW, wait=waits.append)
    assert whole(found) == calm and waits == [7.0, 1.0]
    server.faults = [("v3/scores", 500, {})] * 6
    server.log.clear()
    with pytest.raises(LabError, match="run it again to go on"):
        fetch("2026-05-01", tmp_path / "again", now=NOW, wait=waits.append)
    assert whole(fetch("2026-05-01", tmp_path / "again", now=NOW)) == calm
    answered = [(path, str(asked)) for path, asked, status in server.log if status == 200]
    assert len(answered) == len(set(answered))


def test_odd_records_and_hostile_texts_cost_only_themselves(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = world(2)
    made.runs[0]["answers"][0] |= {"output": HOSTILE, "message": HOSTILE}
    made.runs[0]["answers"][0]["scores"] += [
        score("c", "output", "better", type="CORRECTION"), score("n", "nothing", None),
        score("h", HOSTILE, HOSTILE),
    ]  # fmt: skip
    serve(made)
    [path, *_] = fetch("2026-05-01", tmp_path / "fetched", now=NOW)
    found = recognise(path)
    assert found and found.name == "langfuse-traces"
    odd: list[dict] = [
        {"observation": 7}, {"observation": {"id": "x"}}, {"trace": []}, {"trace": {"id": "t"}}, {},
        {"score": {"name": "s", "value": 1, "subject": {"kind": "session", "id": "s"}}},
        {"observation": {"id": "o", "traceId": "t", "metadata": [1], "usageDetails": []}},
    ]  # fmt: skip
    with path.open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in odd)
        file.write("{broken\n")
    lab = open_lab(tmp_path / "lab")
    lab.ingest(path)
    reasons = lab.table("quarantine")["reason"].to_list()
    assert len(reasons) == 8, reasons
    assert HOSTILE in lab.table("spans")["output"].to_list()
    assert HOSTILE in lab.table("evaluations")["label"].to_list()
    assert {"o", "t"} <= set(lab.table("spans")["span_id"])


def test_a_name_that_is_no_day_is_refused_and_a_dataset_may_be_called_anything(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = world(2)
    made.dataset = "traces"
    serve(made)
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest("langfuse:traces").rows["samples"] == 4
    for name in ("yesterday", "2026-13-01", "../x"):
        with pytest.raises(BadSettings, match="names no day; write langfuse-traces:2026-10-01"):
            lab.ingest(f"langfuse-traces:{name}")
