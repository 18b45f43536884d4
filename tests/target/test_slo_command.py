"""``aiops-lab slo check``: what it prints, and the status it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aiops_lab import Lab
from tests.objectives import documents
from tests.test_cli import run


def test_understood_exits_0_with_warnings_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(documents.ALL)
    (tmp_path / "b.yaml").write_text(documents.FOREIGN)
    done = run("slo", "check", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert done.returncode == 0
    assert "grounded: Over any 28 days, at least 95 % of answers in language=de" in done.stdout
    assert "page when over 28 % of answers in 6 hours are bad" in done.stdout
    assert "b.yaml:14: warning: understood, not computed here" in done.stdout
    assert "understood: 7 objectives, 0 errors, 3 warnings" in done.stdout


def test_refused_exits_1_with_file_line_and_reason(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(documents.RAW.replace("0.98", "98"))
    done = run("slo", "check", tmp_path / "a.yaml")
    assert done.returncode == 1
    assert f"{tmp_path / 'a.yaml'}:22: error: target is a share" in done.stdout
    assert "refused: 0 objectives, 1 errors" in done.stdout
    assert "Traceback" not in done.stderr


def test_json_is_one_object(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(documents.SLO + "---\n" + documents.ALERTS)
    told = json.loads(run("slo", "check", tmp_path / "a.yaml", "--json").stdout)
    assert told["refused"] is False and told["problems"] == []
    (objective,) = told["objectives"]
    assert objective["name"] == "grounded" and objective["flags"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "name files with objectives, or a lab"),
        (["check", "{tmp}/none.yaml"], "there is no file"),
        (["check", "{tmp}"], "there is no file"),
        (["check", "{tmp}/a.yaml", "--lab", "{tmp}/none"], "there is no lab"),
        (["chek", "{tmp}/a.yaml"], "No such command"),
    ],
)
def test_wrong_usage_exits_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "a.yaml").write_text(documents.RAW)
    done = run("slo", *(text.format(tmp=tmp_path) for text in arguments))
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


def test_a_labs_own_objectives_at_its_traffic(lab: Lab) -> None:
    settings = lab.path / "lab.toml"
    settings.write_text('[[slo]]\nname = "a"\nmetric = "refusal"\nbad = true\ntarget = 0.97\n')
    done = run("slo", "check", "--lab", lab.path)
    assert done.returncode == 0
    assert "◇ inconclusive: the lab has no answers in production" in done.stdout
    settings.write_text(settings.read_text().replace("0.97", "97"))
    done = run("slo", "check", "--lab", lab.path)
    assert done.returncode == 1 and "lab.toml:1: error: slo 'a': target" in done.stdout


def test_what_hides_or_colours_does_not_reach_the_terminal(tmp_path: Path) -> None:
    name = 'displayName: "\\e[31mred\\u202e"'
    (tmp_path / "a.yaml").write_text(documents.SLICED.replace("displayName: inside", name))
    (tmp_path / "b.yaml").write_text(documents.REST)
    done = run("slo", "check", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout
    assert "red" in done.stdout


def test_the_demo_promises_what_can_be_kept(demo: Lab) -> None:
    done = run("slo", "check", "--lab", demo.path)
    assert done.returncode == 0
    assert "grounded answers: Over any 28 days, at least 90 % of answers" in done.stdout
    assert "understood: 4 objectives, 0 errors, 0 warnings" in done.stdout
    assert "fail:" not in done.stdout
