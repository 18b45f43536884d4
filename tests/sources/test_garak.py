"""garak's reports: rows are what the tool itself counted, and nothing tested is nothing passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aiops_lab import Lab
from aiops_lab.errors import BadSource
from aiops_lab.frames import evals
from aiops_lab.sources.garak import SOURCE
from tests.conftest import DATA

REAL = DATA / "garak-0.17.1"


def read(path: Path, **options: Any) -> tuple[dict[str, pl.DataFrame], list[str]]:
    tables: dict[str, list[pl.DataFrame]] = {}
    problems = []
    for batch in SOURCE.read(path, **options):
        problems += [f"{place}: {reason}" for place, reason in batch.problems]
        for name, frame in batch.tables.items():
            tables.setdefault(name, []).append(frame)
    return {name: pl.concat(frames) for name, frames in tables.items()}, problems


def counted(tables: dict[str, pl.DataFrame]) -> dict[tuple[str, str], tuple[int, int, int]]:
    probe = pl.col("metadata").str.json_path_match("$.probe")
    key = ["run_id", "sample_id", "epoch"]
    rows = tables["scores"].join(tables["samples"].select(*key, probe=probe), on=key)
    value = pl.col("value")
    found = rows.group_by("probe", "scorer").agg(
        value.eq(0).sum(), fails=value.eq(1).sum(), nones=value.is_null().sum()
    )
    return {(probe, scorer): tuple(row) for probe, scorer, *row in found.rows()}


def attempt(
    uuid: str, scores: dict[str, list[Any]] | None, status: int = 2, **more: Any
) -> dict[str, Any]:
    row = {"entry_type": "attempt", "uuid": uuid, "seq": 0, "status": status,
           "probe_classname": "made.Probe", "prompt": f"say {uuid}",
           "outputs": ["no", "yes"], "detector_results": scores or {}}  # fmt: skip
    return row | more


def write(path: Path, *rows: dict[str, Any], finished: bool = True) -> Path:
    frame = [{"entry_type": "start_run setup", "run.eval_threshold": 0.5,
              "plugins.model_type": "made", "plugins.model_name": "m"},
             {"entry_type": "init", "garak_version": "0.9", "run": "r1",
              "start_time": "2026-05-01T10:00:00"}]  # fmt: skip
    end = [{"entry_type": "completion", "run": "r1"}] if finished else []
    path.write_text("\n".join(json.dumps(row) for row in [*frame, *rows, *end]), "utf-8")
    return path


@pytest.mark.parametrize("name", ["blank", "repeat"])
def test_rows_of_a_real_report_are_what_it_counts_itself(name: str) -> None:
    path = REAL / f"{name}.report.jsonl"
    own = [json.loads(line) for line in path.read_text().splitlines()]
    told = {
        (row["probe"], row["detector"]): (row["passed"], row["fails"], row["nones"])
        for row in own
        if row["entry_type"] == "eval"
    }
    tables, problems = read(path)
    assert problems == [] and told
    assert counted(tables) == told
    uuids = {row["uuid"] for row in own if row["entry_type"] == "attempt"}
    assert tables["samples"].height == 2 * len(uuids), "each attempt once, with two outputs"


def test_a_lab_takes_a_folder_of_reports_and_knows_that_lower_is_better(lab: Lab) -> None:
    done = lab.ingest(REAL)
    assert done.added == 5
    assert lab.runs()["source"].unique().to_list() == ["garak"]
    assert sorted(lab.runs()["status"]) == ["error", "error", "started", "success", "success"]
    run = lab.runs().filter(pl.col("model") == "test.Repeat")["run_id"].item()
    assert evals(lab, run).better("attack_success/always.Fail") == -1


@pytest.mark.parametrize("name", ["empty", "unfinished"])
def test_a_report_without_attempts_is_a_run_of_nothing_and_says_so(name: str) -> None:
    tables, problems = read(REAL / f"{name}.report.jsonl")
    assert tables["runs"].height == 1 and "samples" not in tables
    assert tables["runs"]["status"].item() != "success"
    assert "nothing passed" in problems[0]


def test_outputs_that_never_came_are_not_resisted_attacks() -> None:
    tables, problems = read(REAL / "nones.report.jsonl")
    assert tables["scores"]["value"].null_count() == 16 == tables["scores"].height
    assert tables["samples"]["error"].unique().to_list() == ["no output"]
    assert "16 answers without an output" in problems[0]


def test_what_was_not_evaluated_is_null_and_the_last_status_counts(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.report.jsonl",
        attempt("a", None, 1),
        attempt("b", None, 1),
        attempt("a", {"d.One": [0.4999, 0.5], "d.Two": [None, 1]}),
        attempt("a", None, 1),
        {"entry_type": "eval", "probe": "made.Probe", "detector": "detector.d.One",
         "passed": 1, "total": 2},
        {"entry_type": "eval", "probe": "made.Probe", "detector": "d.Two",
         "passed": 0, "fails": 1, "nones": 1, "total_evaluated": 1},
    )  # fmt: skip
    tables, problems = read(path)
    assert problems == []
    assert counted(tables) == {
        ("made.Probe", "d.One"): (1, 1, 2),
        ("made.Probe", "d.Two"): (0, 1, 3),
    }
    assert tables["runs"]["model"].item() == "made/m"
    assert tables["samples"]["input"].unique().sort().to_list() == ["say a", "say b"]
    one = tables["scores"].filter(pl.col("scorer") == "d.One").drop_nulls("value")
    assert one["passed"].to_list() == [True, False]


def test_a_report_that_counts_otherwise_is_told(tmp_path: Path) -> None:
    row = attempt("a", {"d.One": [0, 1]})
    wrong = {"entry_type": "eval", "probe": "made.Probe", "detector": "d.One", "passed": 7,
             "fails": 1, "nones": 0, "total_evaluated": 8}  # fmt: skip
    lost = {"entry_type": "eval", "probe": "gone.Probe", "detector": "d.One", "passed": 3,
            "total": 3}  # fmt: skip
    _, problems = read(write(tmp_path / "a.report.jsonl", row, wrong, lost))
    assert "passed 7, but its attempts have 1" in problems[0]
    assert "passed 3, but its attempts have 0" in problems[1]
    _, problems = read(write(tmp_path / "b.report.jsonl", row))
    assert problems == ["made.Probe d.One: the report counts nothing of it"]


def test_turns_are_one_prompt_and_the_same_one_has_the_same_name(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": {"text": "be kind"}},
             {"role": "user", "content": {"text": "hello"}}]  # fmt: skip
    rows = [attempt(u, {"d": [0]}, prompt={"turns": turns}, outputs=[{"text": "x"}]) for u in "ab"]
    tables, _ = read(write(tmp_path / "a.report.jsonl", *rows))
    first, second = tables["samples"]["sample_id"]
    assert second == f"{first}-2"
    assert tables["samples"]["input"][0] == "system: be kind\n\nuser: hello"
    again, _ = read(write(tmp_path / "b.report.jsonl", attempt("z", {"d": [1]}, prompt={
        "turns": turns})))  # fmt: skip
    assert again["samples"]["sample_id"][0] == first
    bare, _ = read(tmp_path / "a.report.jsonl", texts=False)
    assert bare["samples"]["input"].null_count() == 2


def test_what_is_no_attempt_at_all_is_survived(tmp_path: Path) -> None:
    odd = [
        attempt("a", {"d": "high"}), attempt("b", {"d": ["x", True, float("nan")]}),
        attempt("c", {"d": [1]}, outputs=None, prompt=None, probe_classname=7),
        attempt("d", None, outputs=3, prompt={"turns": ["x", {"content": 3}]}),
        {"entry_type": "attempt", "uuid": ["x"], "status": "2"}, {"entry_type": "eval"},
    ]  # fmt: skip
    path = write(tmp_path / "a.report.jsonl", *odd)
    path.write_bytes(path.read_bytes() + b'\n{"entry_type": "atte')
    tables, problems = read(path)
    assert tables["runs"].height == 1
    assert tables["scores"]["value"].drop_nulls().to_list() == [1.0]
    assert any(problem.startswith("line 10") for problem in problems)


def test_a_log_of_hits_says_nothing_alone(lab: Lab, tmp_path: Path) -> None:
    hit = {"goal": "g", "prompt": "p", "output": "o", "score": 1, "run_id": "r", "attempt_id": "a",
           "probe": "p", "detector": "d"}  # fmt: skip
    path = tmp_path / "x.hitlog.jsonl"
    path.write_text(json.dumps(hit) + "\n")
    assert SOURCE.sniff(path, path.read_bytes())
    with pytest.raises(BadSource, match="ingest the report"):
        list(SOURCE.read(path))
    write(tmp_path / "x.report.jsonl", attempt("a", {"d": [0, 0]}))
    assert lab.ingest(tmp_path).added == 1
