"""The retrieval notebook by hand: in real JupyterLab its browser steps, on its page one picks."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from aiops_lab.shipped import shipped

pytestmark = pytest.mark.slow
NAME = "ship_chunking_retrieval"


def test_the_browser_of_questions_steps_in_jupyterlab(notebook) -> None:
    opened = notebook(NAME)
    page = opened.page
    opened.menu("Run", "Run All Cells")
    cells = nbformat.read(shipped("notebooks") / f"{NAME}.ipynb", as_version=4).cells
    opened.wait(sum(cell.cell_type == "code" for cell in cells))
    browser = page.locator(".aiops-lab").first
    browser.scroll_into_view_if_needed()
    browser.get_by_text("1 of 196").wait_for()
    browser.get_by_role("button", name="Next").press("Enter")
    browser.get_by_text("2 of 196").wait_for()
    browser.get_by_label("Questions").select_option("all")
    browser.get_by_label("Search").press_sequentially("E1205")
    browser.get_by_text("1 of 1", exact=True).wait_for()
    browser.get_by_text("E1205").first.wait_for()  # the position is told before the texts arrive
    browser.locator("[title^='gold ']").nth(1).wait_for()
    browser.get_by_label("First").select_option("markdown-800-200/bm25")
    browser.get_by_text("as markdown-800-200/bm25 divides it").wait_for()
    if folder := os.environ.get("AIOPS_LAB_PICTURES"):
        page.screenshot(path=Path(folder, "retrieval-browser.png"))
    assert opened.ask("print(browser.value['configurations'][0])") == "markdown-800-200/bm25"
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
