"""The command: what it prints, and the status it ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import open_lab
from tests.conftest import DATA, table_of, write_eval
from tests.ship.test_freeze import lab as spent_lab


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aiops_lab", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def test_from_nothing_to_a_lab_with_logs(tmp_path: Path) -> None:
    lab = tmp_path / "my lab"
    assert run("init", lab).returncode == 0
    assert (lab / "lab.toml").is_file()
    assert (lab / "notebooks" / "ship_compare_runs.ipynb").is_file()
    done = run("ingest", DATA / "inspect-0.3.285", "--lab", lab, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["added"] == 6
    told = json.loads(run("status", "--lab", lab, "--json").stdout)
    assert told["sources"] == 6
    assert len(told["runs"]) == 4
    assert "2 sources hold only runs" in run("status", "--lab", lab).stdout


def test_what_cannot_be_read_is_told_and_exits_0(tmp_path: Path) -> None:
    run("init", tmp_path / "lab")
    (tmp_path / "bad.eval").write_bytes(b"PK\x03\x04 _journal/start.json")
    done = run("ingest", tmp_path / "bad.eval", "--lab", tmp_path / "lab")
    assert done.returncode == 0
    assert "1 things could not be read" in done.stdout
    assert "not a complete ZIP file" in run("status", "--lab", tmp_path / "lab").stdout


def test_columns_are_mapped_on_the_command_line(tmp_path: Path) -> None:
    run("init", tmp_path / "lab")
    (tmp_path / "t.csv").write_text("q,good,kind\n1,1,x\n2,0,y\n")
    mapping = ["--columns", "sample_id=q", "--columns", "value=good"]
    assert run("ingest", tmp_path / "t.csv", "--lab", tmp_path / "lab", *mapping).returncode == 0
    assert open_lab(tmp_path / "lab").scores("t")["metric"].unique().to_list() == ["good"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["status", "--lab", "{tmp}/none"], 2, "there is no lab in"),
        (["ingest", "{tmp}/none.csv", "--lab", "{tmp}/lab"], 2, "there is no file or folder"),
        (["ingest", "{tmp}", "--lab", "{tmp}/lab", "--format", "x"], 2, "no format 'x'"),
        (["ingest", "{tmp}", "--lab", "{tmp}/lab", "--columns", "x"], 2, "canonical=theirs"),
        (["ingest", "{tmp}", "--lab", "{tmp}/lab", "--columns", "vlaue=x"], 2, "did you mean"),
        (["report", "nothing", "--lab", "{tmp}/lab"], 2, "there is no notebook 'nothing'"),
        (["report", "--lab", "{tmp}/lab", "-p", "margni", "1"], 2, "did you mean margin"),
        (["report", "--lab", "{tmp}/lab", "-p", "margin", "x"], 2, "cannot be read as that"),
        (
            ["report", "--lab", "{tmp}/lab", "--fail-on", "bad"],
            2,
            "is not one of 'inconclusive', 'warn'",
        ),
        (["gat"], 2, "No such command"),
    ],
)
def test_mistakes_end_with_a_sentence_and_a_status(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    open_lab(tmp_path / "lab")
    done = run(*(text.format(tmp=tmp_path) for text in arguments))
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_control_characters_in_foreign_text_do_not_reach_the_terminal(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    lab.ingest(table_of({"\x1b[31mred\x07[bold]": [1.0]}))
    told = run("status", "--lab", tmp_path / "lab").stdout
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "[bold]" in told.replace("\n", "")


def test_foreign_text_in_an_error_does_not_act_either(tmp_path: Path) -> None:
    run("init", tmp_path / "lab")
    done = run("report", "\x1b]0;owned\x07", "--lab", tmp_path / "lab")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_a_parameter_needs_a_value(tmp_path: Path) -> None:
    run("init", tmp_path / "lab")
    assert run("report", "--lab", tmp_path / "lab", "-p", "margin").returncode == 2


def test_help_tells_how_to_start() -> None:
    told = run("--help").stdout
    assert "aiops-lab demo" in told
    assert "Exit status" in told


@pytest.mark.slow
def test_reports_end_with_0_4_or_as_asked(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    run("init", lab)
    empty = run("report", "--lab", lab, "--out", out)
    assert empty.returncode == 0 and "left out" in empty.stderr
    assert run("report", "ship_compare_runs", "--lab", lab, "--out", out).returncode == 4
    assert "holds no runs" in (out / "latest" / "ship_compare_runs.html").read_text()
    for name in "ab":
        run("ingest", write_eval(tmp_path / f"{name}.eval", name), "--lab", lab)
    given = ["-p", "baseline", "a", "-p", "candidate", "b"]
    done = run("report", "ship_compare_runs", "--lab", lab, "--out", out, *given, "--json")
    assert done.returncode == 0
    [report] = json.loads(done.stdout)["reports"]
    assert report["verdict"]["status"] == "inconclusive"
    asked = run("report", "--lab", lab, "--out", out, *given, "--fail-on", "inconclusive")
    assert asked.returncode == 1
    assert "latest/ship_compare_runs.html" in (out / "index.html").read_text()
    verdicts = open_lab(lab).table("verdicts")
    assert verdicts["status"].to_list() == ["inconclusive"] * 6, "failed runs are some too"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with a baseline, a good and a bad candidate, and a policy."""
    lab = open_lab(tmp_path_factory.mktemp("gate") / "lab")
    good, bad = [1.0] * 190 + [0.0] * 10, [1.0] * 120 + [0.0] * 80
    lab.ingest(table_of({"base": good, "good": good, "bad": bad, "few": good[:20]}))
    (lab.path / "lab.toml").write_text("[gate.metrics.score]\nmargin = 0.05\n")
    return lab.path


@pytest.mark.parametrize(("candidate", "status"), [("good", 0), ("bad", 1), ("few", 3)])
def test_a_gate_ends_with_its_verdict(
    ready: Path, tmp_path: Path, candidate: str, status: int
) -> None:
    files = {name: tmp_path / name for name in ("gate.md", "gate.xml", "summary.md")}
    done = run(
        "gate", "--lab", ready, "--baseline", "base", "--candidate", candidate,
        "--markdown", files["gate.md"], "--junit", files["gate.xml"], "--json",
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(files["summary.md"])},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    answer = json.loads(done.stdout)
    assert answer["verdict"]["status"] == ("ok", "fail", "", "inconclusive")[status]
    assert files["gate.md"].read_text("utf-8") == files["summary.md"].read_text("utf-8")
    kind = ("", "<failure", "", "<skipped")[status]
    assert kind in files["gate.xml"].read_text("utf-8")


def test_a_gate_that_cannot_run_is_no_pass(ready: Path) -> None:
    assert run("gate", "--lab", ready, "--baseline", "base", "--candidate", "zz").returncode == 2
    assert run("gate", "--lab", ready, "--baseline", "base").returncode == 2
    missing = ("gate", "--lab", ready, "--baseline", "base", "--candidate", "good")
    assert run(*missing, "--policy", ready / "none.toml").returncode == 2


def test_a_policy_loosened_between_two_gates_is_pointed_out(ready: Path, tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    for name in ("base", "good"):
        lab.ingest(open_lab(ready).scores(name).select("run_id", "sample_id", "metric", "value"))
    asked = ("gate", "--lab", tmp_path / "lab", "--baseline", "base", "--candidate", "good")
    for margin in (0.02, 0.2):
        policy = tmp_path / f"{margin}.toml"
        metric = open_lab(ready).scores("base")["metric"][0]
        policy.write_text(f"[gate.metrics.{metric}]\nmargin = {margin}\n", "utf-8")
        told = run(*asked, "--policy", policy).stdout
    assert "was loosened" in told


def test_a_spent_budget_stops_all_but_a_fix(tmp_path: Path) -> None:
    home = spent_lab(tmp_path / "lab", 40)
    asked = ("gate", "--lab", home.path, "--baseline", "a", "--candidate", "b")
    stopped = run(*asked)
    assert stopped.returncode == 1 and "Releases are frozen" in stopped.stdout
    fixed = run(*asked, "--fix", "INC-42")
    assert fixed.returncode == 0 and "as a fix (INC-42" in fixed.stdout
    assert run(*asked, "--fix", " ").returncode == 2
    written = run("export", "policy", home.path, cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "answers" in (tmp_path / written.stdout.split()[0]).read_text("utf-8")
    again = run("export", "policy", "--lab", home.path, cwd=tmp_path)
    assert again.stdout == written.stdout, "a lab is named as everywhere else, too"
    for asked in (("policy",), ("formats",), ("nothing",), ("tables", home.path, "--format", "x")):
        assert run("export", *asked, cwd=tmp_path).returncode == 2, asked


def test_a_release_waits_for_its_attacks(ready: Path, tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    for name in ("base", "good"):
        lab.ingest(open_lab(ready).scores(name).select("run_id", "sample_id", "metric", "value"))
    metric = open_lab(ready).scores("base")["metric"][0]
    rules = f"[gate.metrics.{metric}]\nmargin = 0.2\n[guard]\nmax_attack_rate = 0.05\n"
    (lab.path / "lab.toml").write_text(rules, "utf-8")
    asked = ("gate", "--lab", lab.path, "--baseline", "base", "--candidate", "good")
    untried = run(*asked)
    assert untried.returncode == 3 and "No attack was tried" in untried.stdout, untried.stdout
    for hits, code in ((0, 0), (40, 1)):
        rows = [
            {"run_id": f"attacks {hits}", "sample_id": str(n), "probe": "dan.Dan",
             "metric": "attack_success/dan", "value": float(n < hits)} for n in range(100)
        ]  # fmt: skip
        lab.ingest(pl.DataFrame(rows))
        done = run(*asked, "--json")
        assert done.returncode == code, done.stdout
        evidence = json.loads(done.stdout)["verdict"]["evidence"]
        assert any(row["name"].startswith("dan.Dan") for row in evidence)


def test_plans_and_curves_are_printed(ready: Path) -> None:
    asked = ("gate", "--lab", ready, "--baseline", "base")
    plan = json.loads(run(*asked, "--plan", "--json").stdout)
    assert plan["rules"][0]["perfect"] == 59
    curve = json.loads(run(*asked, "--candidate", "good", "--curve", "--json").stdout)
    assert curve["operating_curve"][0]["effect"] == 0
    assert "has to be run again" in run("gate", "--lab", ready, "--changed").stdout


def test_a_prompt_is_written_in_other_formats(tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("Question: {input}\nAnswer:\n")
    done = run("export", "formats", tmp_path / "prompt.md", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(list((tmp_path / "out").iterdir())) > 3


def test_the_version_is_told() -> None:
    done = run("--version")
    assert done.returncode == 0 and done.stdout.startswith("aiops-lab 0.")
