"""Notebooks are thin, committed without outputs, and run as they are."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from aiops_lab.reports.page import executed_verdict
from aiops_lab.reports.parameters import parameters_of
from aiops_lab.reports.run import shipped_notebooks

NOTEBOOKS = shipped_notebooks()
FOUND = {
    "explore_attribution": "warn",
    "explore_behaviour": "warn",
    "explore_incident": "warn",
    "guard_security": "fail",
    "respond_triage": "warn",
    "target_error_budget": "fail",
    "explore_runs": "warn",
    "ship_chunking_retrieval": "inconclusive",
    "watch_attribution": "warn",
    "watch_behaviour": "warn",
    "ship_compare_runs": "warn",
    "ship_release_gate": "ok",
    "tutorial_explore": "warn",
    "tutorial_gate": "ok",
    "tutorial_schedule": "warn",
}
"""What each says of the demo lab."""
AGAIN = "ship_compare_runs"
"""The notebook that nbconvert executes itself; of the others it shows what papermill ran."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_no_logic(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert parameters_of(notebook)["lab"].default == ""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].metadata.tags == ["parameters"]
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.If | ast.For | ast.While | ast.FunctionDef | ast.Try)
    assert all(parameter.help for parameter in parameters_of(notebook).values())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_reads_every_parameter_with_its_help(path: Path) -> None:
    found = papermill.inspect_notebook(str(path))
    ours = parameters_of(nbformat.read(path, as_version=4))
    assert {name: each["help"] for name, each in found.items()} == {
        name: parameter.help for name, parameter in ours.items()
    }


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first notebook that runs builds the demo lab, and the others find it."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_with_plain_papermill_and_nbconvert(
    path: Path, cache: Path, tmp_path: Path
) -> None:
    """No parameter given: the demo lab, wherever the environment puts its cache."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "JUPYTER_PREFER_ENV_PATH": "1"}
    environment.pop("AIOPS_LAB", None)
    out = tmp_path / "out.ipynb"
    again = ["--execute", str(path)] if path.stem == AGAIN else [str(out)]
    to = ["--to", "html", "--output", path.stem, f"--output-dir={tmp_path}"]
    for command in (["papermill", str(path), str(out)], ["jupyter", "nbconvert", *to, *again]):
        done = subprocess.run(
            [sys.executable, "-m", *command], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]
    verdict = executed_verdict(nbformat.read(out, as_version=4))
    assert verdict is not None
    assert verdict.status == FOUND[path.stem]
    assert (cache / "aiops-lab" / "demo" / "lab.toml").exists()
    assert (tmp_path / f"{path.stem}.html").stat().st_size > 100_000
