"""Reports made beside papermill and nbconvert, one after another; rendering; sizes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from aiops_lab import Lab
from aiops_lab.files import write_text
from aiops_lab.reports.page import prepare, render
from aiops_lab.reports.run import reports_of
from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
LARGEST = 3_000_000


def run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True,
                   env=environment)  # fmt: skip


def test_report_speed(demo: Lab, tmp_path: Path) -> None:
    table = Table(
        "reports",
        "Seconds for whole processes: papermill, then nbconvert --to html, one notebook after "
        "another; and one `aiops-lab report`. The eight are copies of the same notebooks.",
    )
    table.columns("notebooks", "papermill + nbconvert", "aiops-lab report", "times faster")
    environment = {**os.environ, "AIOPS_LAB": str(demo.path), "JUPYTER_PREFER_ENV_PATH": "1"}
    today = reports_of(demo)[0]
    eight = tmp_path / "eight"
    eight.mkdir()
    for i in range(8):
        shutil.copy(today[i % len(today)], eight / f"copy{i}.ipynb")
    ratios = []
    for name, notebooks in ((f"today's {len(today)}", today), ("8", sorted(eight.glob("*")))):
        began = time.perf_counter()
        for path in notebooks:
            done = tmp_path / "papermill" / path.name
            done.parent.mkdir(exist_ok=True)
            run(["papermill", str(path), str(done)], environment)
            run(["jupyter", "nbconvert", "--to", "html", str(done)], environment)
        theirs = time.perf_counter() - began
        began = time.perf_counter()
        arguments = ["--lab", str(demo.path), "--out", str(tmp_path / "ours")]
        run(["aiops_lab", "report", *map(str, notebooks), *arguments], environment)
        ours = time.perf_counter() - began
        ratios.append(theirs / ours)
        table.row(name, f"{theirs:.1f}", f"{ours:.1f}", f"{ratios[-1]:.1f}")
    table.write()
    assert ratios[-1] >= 4


def test_rendering_speed_and_size(demo: Lab, tmp_path: Path) -> None:
    table = Table(
        "pages",
        "Rendering and writing one page of an executed notebook, and its size. What all pages "
        "share (Vega, tables, templates) is made ready once a process, while the notebooks run.",
    )
    table.columns("page", "first, seconds", "again, seconds", "kB")
    began = time.perf_counter()
    prepare()
    table.row("what all share", f"{time.perf_counter() - began:.2f}", "0.00", "")
    out = tmp_path / "out"
    run(["aiops_lab", "report", "--lab", str(demo.path), "--out", str(out)], dict(os.environ))
    for path in reports_of(demo)[0]:
        (executed,) = (out / path.stem).glob("*.ipynb")
        notebook = nbformat.read(executed, as_version=4)
        taken = []
        for _ in range(2):
            began = time.perf_counter()
            text = render(notebook, name=path.stem, lab=demo, parameters={})
            write_text(tmp_path / "page.html", text)
            taken.append(time.perf_counter() - began)
        size = (tmp_path / "page.html").stat().st_size
        table.row(path.stem, *(f"{t:.2f}" for t in taken), size // 1000)
        assert size < LARGEST
    table.write()
