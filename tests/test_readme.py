"""What the README says works; its commands, settings and links are in test_docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aiops_lab import open_lab
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
