"""The notebook in real JupyterLab: opened, run from top to bottom, drawn offline."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from aiops_lab import Lab
from aiops_lab.reports.run import shipped_notebooks

pytestmark = pytest.mark.slow
TOKEN = "only-for-this-test"


@pytest.fixture
def jupyterlab(demo: Lab, tmp_path: Path) -> Iterator[str]:
    """A JupyterLab server on loopback with a copy of the notebooks; yields its address."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for path in shipped_notebooks():
        shutil.copy(path, notebooks)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "AIOPS_LAB": str(demo.path),
        "JUPYTER_PREFER_ENV_PATH": "1",
        **{f"JUPYTER_{what}_DIR": str(tmp_path / what) for what in ("CONFIG", "DATA", "RUNTIME")},
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        f"--IdentityProvider.token={TOKEN}", f"--notebook-dir={notebooks}",
    ]  # fmt: skip
    log = (tmp_path / "server.log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token={TOKEN}")
            break
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    yield address
    server.terminate()
    server.wait(30)
    log.close()


def test_run_all_draws_verdict_charts_and_tables(browser: Browser, jupyterlab: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    outside: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"{jupyterlab}/lab/tree/ship_compare_runs.ipynb?token={TOKEN}&reset")
    page.locator(".jp-NotebookPanel").wait_for(timeout=60_000)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(timeout=60_000)
    page.wait_for_timeout(2000)
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()
    # the last cell has run; JupyterLab draws only the cells in view, so start at the top
    page.locator(".jp-InputPrompt", has_text="[10]").wait_for(timeout=120_000)
    panel = page.locator(".jp-WindowedPanel-outer").first
    panel.evaluate("e => e.scrollTo(0, 0)")
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
    assert len(told) < 50, "a chart that redraws itself without end floods the console"
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert [
        url for url in outside if not url.startswith((jupyterlab, "data:", "blob:", "ws"))
    ] == []
    page.close()
