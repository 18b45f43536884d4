"""What the README says works."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aiops_lab import open_lab
from aiops_lab.cli import app
from aiops_lab.settings import Settings
from aiops_lab.sources.flat import check_mapping
from tests.conftest import write_eval

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    for name in "ab":
        write_eval(tmp_path / "logs" / f"{name}.eval", name)
    for source in blocks("python"):
        exec(compile(source, "README", "exec"), {})
    assert open_lab("my-lab").runs().height == 2


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_are_valid(text: str) -> None:
    settings = Settings(**tomllib.loads(text))
    check_mapping(settings.columns)


def test_commands_exist_with_their_options() -> None:
    lines = re.findall(r"^    (aiops-lab .*?)(?:  +#.*)?$", README, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        command, *arguments = shlex.split(line.split(" #")[0])[1:]
        told = CliRunner().invoke(app, [command, "--help"]).output
        for option in (a for a in arguments if a.startswith("-")):
            assert option in told, line


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
