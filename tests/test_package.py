"""The package: light to import, whole when installed, nothing in it that should not be."""

from __future__ import annotations

import doctest
import json
import pkgutil
import re
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import aiops_lab

ROOT = Path(__file__).parents[1]
HEAVY = (
    "polars",
    "altair",
    "pandas",
    "numpy",
    "scipy",
    "sklearn",
    "deltalake",
    "papermill",
    "rich",
)
MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(aiops_lab.__path__, "aiops_lab.")
    if "__main__" not in name
)
SHAREABLE = set(
    subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
)


@pytest.mark.parametrize(
    "statement",
    ["import aiops_lab", "import sys; sys.argv = ['x', '--help']; from aiops_lab.cli import main"],
    ids=["import", "command"],
)
def test_nothing_heavy_is_imported_before_it_is_used(statement: str) -> None:
    script = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(json.loads(done.stdout))


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    for name in aiops_lab.__all__:
        assert getattr(aiops_lab, name).__doc__, name
    with pytest.raises(AttributeError, match="has no 'nothing'"):
        _ = aiops_lab.nothing


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = import_module(name)
    assert module.__doc__, "a module says what it is for"
    assert doctest.testmod(module).failed == 0


@pytest.mark.slow
def test_the_wheel_holds_the_notebooks_and_the_demo(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    assert any(name.endswith("notebooks/ship_compare_runs.ipynb") for name in names)
    assert any(name.endswith(".eval") for name in names)
    assert any(name.endswith("templates/page.html") for name in names)
    assert not any(name.startswith("tests/") for name in names)
    # installed elsewhere, it finds what it shipped
    script = (
        "import aiops_lab, sys; from aiops_lab.shipped import shipped; "
        "print(aiops_lab.__file__, shipped('logs'), shipped('notebooks'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(str(tmp_path) in found for found in done.stdout.split())


def test_the_lock_has_hashes_and_no_addresses() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9][\w.-]*==", text, re.MULTILINE)
    assert len(pins) > 50
    assert text.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"https?://|--index|--find-links|--extra", text)


def test_no_file_holds_a_path_of_a_machine() -> None:
    home = re.compile(rb"/(?:home/\w+|root|Users/\w+|work)/")
    for name in SHAREABLE:
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            found = home.search(path.read_bytes())
            assert found is None, f"{name}: {found}"
