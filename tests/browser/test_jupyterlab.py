"""The notebook in real JupyterLab: opened, run from top to bottom, drawn offline."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from aiops_lab.shipped import shipped

pytestmark = pytest.mark.slow


def test_run_all_draws_verdict_charts_and_tables(notebook) -> None:
    opened = notebook("ship_compare_runs")
    page, panel = opened.page, opened.panel
    opened.menu("Run", "Run All Cells")
    cells = nbformat.read(shipped("notebooks") / "ship_compare_runs.ipynb", as_version=4).cells
    opened.wait(sum(cell.cell_type == "code" for cell in cells))
    page.locator(".jp-OutputArea-output strong", has_text="warn").wait_for(timeout=20_000)
    charts = page.locator(".jp-OutputArea-output .vega-embed").locator("canvas, svg.marks")
    drawn = 0
    for _ in range(40):
        drawn = max(drawn, charts.count())
        panel.evaluate("e => e.scrollBy(0, 300)")
        page.wait_for_timeout(250)
    if picture := os.environ.get("AIOPS_LAB_PICTURES"):
        page.screenshot(path=Path(picture, "jupyterlab.png"))
    assert drawn >= 2
    assert len(opened.told) < 50, "a chart that redraws itself without end floods the console"
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
