"""What tests share: labs, and logs of the shapes the tools write."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, demo_lab, open_lab

DATA = Path(__file__).parent / "data"
WHOLE = bool(os.environ.get("WHOLE"))
"""Whether costly simulations run in full (make proof), not on a part of their cells."""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """An empty lab."""
    return open_lab(tmp_path / "lab")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Lab:
    """The demo lab, built once: of several workers the first builds it, each has a copy."""
    own = tmp_path_factory.mktemp("demo")
    if not hasattr(request.config, "workerinput"):
        return demo_lab(own)
    shared = tmp_path_factory.getbasetemp().parent / "demo"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever waits for it takes no processor time
        demo_lab(shared)
    shutil.copytree(shared, own, dirs_exist_ok=True)
    return open_lab(own)


def table_of(runs: dict[str, list[float | None]], metric: str = "score") -> pl.DataFrame:
    """A flat canonical table: one score a question for each run."""
    return pl.DataFrame(
        [
            {"run_id": run, "sample_id": str(i), "metric": metric, "value": value}
            for run, values in runs.items()
            for i, value in enumerate(values)
        ],
        schema={
            "run_id": pl.String,
            "sample_id": pl.String,
            "metric": pl.String,
            "value": pl.Float64,
        },
    )


def write_eval(
    path: Path,
    run: str,
    *,
    samples: int = 5,
    status: str = "success",
    values: list | None = None,
    journal_only: bool = False,
    text: str = "an answer",
) -> Path:
    """A small log in the shape of Inspect's, for what the fixtures of the real tool do not have."""
    spec = {"eval_id": run, "run_id": run, "task_id": run, "task": "made", "model": "m/m"}
    spec |= {"created": "2026-05-01T10:00:00+00:00", "dataset": {"samples": samples}}
    summaries, members = [], {}
    for i in range(samples):
        value = values[i % len(values)] if values else "C" if i % 3 else "I"
        common = {
            "id": i,
            "epoch": 1,
            "target": "t",
            "metadata": {"topic": "ab"[i % 2]},
            "scores": {"made": {"value": value, "explanation": "why"}},
            "model_usage": {"m/m": {"input_tokens": 10 + i, "output_tokens": 5}},
            "total_time": 1.5,
        }
        summaries.append({**common, "input": f"question {i}"})
        members[f"samples/{i}_epoch_1.json"] = {
            **common,
            "input": f"question {i}",
            "messages": [
                {"role": "user", "content": f"question {i}"},
                {"role": "assistant", "content": text},
            ],
            "output": {
                "model": "m/m",
                "choices": [
                    {"message": {"role": "assistant", "content": text}, "stop_reason": "stop"}
                ],
                "completion": text,
            },
        }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": spec}))
        for name, content in members.items():
            archive.writestr(name, json.dumps(content))
        if journal_only:
            for k, summary in enumerate(summaries, 1):
                archive.writestr(f"_journal/summaries/{k}.json", json.dumps([summary]))
        else:
            header = {"version": 2, "status": status, "eval": spec}
            archive.writestr("summaries.json", json.dumps(summaries))
            archive.writestr("header.json", json.dumps(header))
    return path


def contents(lab: Lab) -> dict[str, list[tuple]]:
    """All that a lab shows, in an order of its own, without what names an attempt or a moment."""
    found = {}
    for name in ("runs", "samples", "scores", "artefacts", "quarantine", "ingests"):
        frame = lab.table(name)
        frame = frame.drop([c for c in ("attempt", "at") if c in frame.columns])
        rows = [json.dumps(row, sort_keys=True, default=str) for row in frame.to_dicts()]
        found[name] = sorted(rows)
    return found


TOGETHER = {
    f"tests/{module}.py"
    for module in ("browser/test_hostile", "watch/test_reseeded", "watch/test_routing_simulated")
}
"""Modules whose costly set-up is made once: one worker takes all their tests."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """One test at a time, but for those that share a set-up; the largest parts first."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.split("::")[0]
            return module if module in TOGETHER else nodeid

    return Together(config, log) if config.option.dist == "loadscope" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The time of each suite, where the slow ones run."""
    if terminalreporter.config.option.markexpr != "slow":
        return
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                suite = report.nodeid.split("::")[0]
                seconds[suite] = seconds.get(suite, 0.0) + report.duration
    terminalreporter.section("seconds per suite")
    for suite, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        terminalreporter.write_line(f"{taken:8.1f} {suite}")
