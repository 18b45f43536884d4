"""Widgets used by hand in real JupyterLab: what is clicked, typed and brushed reaches Python."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError

from tests.browser.conftest import Notebook
from tests.browser.payloads import PAYLOADS

pytestmark = pytest.mark.slow
CELLS = 6
"""Code cells of the notebook."""
TROUBLE = "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type*='error']"


def picture(opened: Notebook, name: str) -> None:
    if folder := os.environ.get("AIOPS_LAB_PICTURES"):
        opened.page.screenshot(path=Path(folder, f"widgets-{name}.png"))


def test_every_widget_reaches_python_and_runs_again_after_a_restart(notebook) -> None:
    opened = notebook("explore_runs")
    page = opened.page
    opened.menu("Run", "Run All Cells")
    opened.wait(CELLS)
    picker, browser, explorer, form = (page.locator(".aiops-lab").nth(i) for i in range(4))
    pick(opened, picker)
    browse(opened, browser)
    brush(opened, explorer)
    opened.menu("Settings", "Theme", "JupyterLab Dark")
    run_report(opened, form)
    assert page.locator(TROUBLE).count() == 0
    opened.menu("Kernel", "Restart Kernel and Run All Cells…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.locator(".jp-InputPrompt", has_text="[*]").first.wait_for()
    assert opened.ask("print(picker.value, browser.value['metric'])").startswith("() correct")
    assert page.locator(TROUBLE).count() == 0


def pick(opened: Notebook, picker) -> None:
    runs = picker.locator("select[multiple]")
    assert runs.locator("option").count() == 10
    picker.get_by_label("Search").press_sequentially("support")
    runs.locator("option").nth(2).wait_for(state="detached")
    runs.select_option(index=[0, 1])
    picker.get_by_text("2 chosen").wait_for()
    picture(opened, "picker")
    support = "opened.runs().filter(task='support_answers')['run_id']"
    assert opened.ask(f"print([*{support}] == [*picker.value])") == "True"


def browse(opened: Notebook, browser) -> None:
    browser.get_by_label("Turned").select_option("gained")
    browser.get_by_text("1 of 13").wait_for()
    browser.get_by_role("button", name="Next").press("Enter")
    browser.get_by_text("2 of 13").wait_for()
    browser.get_by_label("Whole log").select_option("candidate")
    browser.locator("pre", has_text="messages").wait_for()
    picture(opened, "browser")
    assert (
        opened.ask("print(browser.value['sample_id'])") in browser.locator("summary").inner_text()
    )
    browser.get_by_label("Whole log").select_option("hidden")


def brush(opened: Notebook, explorer) -> None:
    dots = explorer.locator("svg.marks .mark-symbol.role-mark path")
    dots.nth(8).wait_for(timeout=20_000)
    chosen = explorer.get_by_text("3 of 9 slices")
    for _ in range(4):  # JupyterLab may scroll to the cell asked last, and the drag is lost
        explorer.locator("svg.marks").evaluate("e => e.scrollIntoView({block: 'center'})")
        first, last = at_rest(opened, dots.nth(0)), at_rest(opened, dots.nth(2))
        mouse = opened.page.mouse
        mouse.move(first["x"] - 15, first["y"] - 5)
        mouse.down()
        mouse.move(last["x"] + 15, last["y"] + 15, steps=9)
        mouse.up()
        with suppress(TimeoutError):
            chosen.wait_for(timeout=10_000)
            break
    chosen.wait_for()
    assert explorer.locator("tbody tr").count() == 3
    picture(opened, "explorer")
    assert opened.ask("print(explorer.value.height)") == "3"
    explorer.locator("svg.marks").dblclick(position={"x": 400, "y": 200})
    explorer.get_by_text("9 of 9 slices").wait_for()
    explorer.get_by_label("Score").select_option("relevance")
    explorer.locator("svg.marks text", has_text="relevance by slice").wait_for()


def test_days_are_brushed_down_to_single_requests(notebook) -> None:
    opened = notebook("explore_behaviour")
    opened.menu("Run", "Run All Cells")
    opened.wait(3)
    explorer = opened.page.locator(".aiops-lab").first
    explorer.get_by_label("Figure", exact=True).select_option("yaml_valid")
    explorer.get_by_label("Slice", exact=True).select_option("all")
    days = explorer.locator("svg.marks .mark-symbol.role-mark path")
    days.nth(100).wait_for(timeout=20_000)
    every = explorer.get_by_text("112 of 112 days")
    every.wait_for()
    for _ in range(4):
        explorer.locator("svg.marks").evaluate("e => e.scrollIntoView({block: 'center'})")
        first, last = at_rest(opened, days.nth(90)), at_rest(opened, days.nth(100))
        mouse = opened.page.mouse
        mouse.move(first["x"] + 3, first["y"])
        mouse.down()
        mouse.move(last["x"] + 3, last["y"], steps=9)
        mouse.up()
        with suppress(TimeoutError):
            every.wait_for(state="detached", timeout=10_000)
            break
    picture(opened, "days")
    count = int(opened.ask("print(explorer.value.height)"))
    assert 9 <= count <= 12
    assert opened.ask("print(explorer.value['day'].is_sorted(), explorer.days[0])").startswith(
        "True"
    )
    explorer.get_by_role("button", name="Show requests").click()
    explorer.get_by_text("Requests to look at").wait_for(timeout=30_000)
    picture(opened, "requests")
    assert opened.page.locator(TROUBLE).count() == 0


def test_a_routers_decisions_are_picked_one_by_one(notebook) -> None:
    opened = notebook("explore_attribution")
    opened.menu("Run", "Run All Cells")
    opened.wait(3)
    explorer = opened.page.locator(".aiops-lab").first
    title = explorer.locator("svg.marks text")
    title.filter(has_text="harbour: −25").first.wait_for(timeout=60_000)
    picture(opened, "decisions")
    explorer.get_by_label("Period", exact=True).select_option("5 days")
    title.filter(has_text="No day of 5 days lies apart for harbour").first.wait_for()
    explorer.get_by_label("Option", exact=True).select_option("north")
    title.filter(has_text="No day of 5 days lies apart for north").first.wait_for()
    explorer.get_by_label("Input", exact=True).select_option("amount")
    title.filter(has_text="What amount adds for north").first.wait_for()
    explorer.get_by_label("Decision", exact=True).fill("d000123")
    explorer.get_by_label("Decision", exact=True).press("Enter")
    title.filter(has_text="Decision d000123").first.wait_for(timeout=30_000)
    picture(opened, "one decision")
    assert opened.ask("print(explorer.value['decision_id'][0])") == "d000123"
    assert opened.page.locator(TROUBLE).count() == 0


def test_an_objective_is_supposed_otherwise(notebook) -> None:
    opened = notebook("target_error_budget")
    opened.ask(
        "import aiops_lab as al\n"
        "from aiops_lab.widgets.budget import explore_budget\n"
        "explorer = explore_budget(al.error_budget(al.open_lab('')))\n"
        "explorer"
    )
    explorer = opened.page.locator(".aiops-lab").first
    title = explorer.locator("svg.marks text")
    title.first.wait_for(timeout=60_000)
    before = float(opened.ask("print(explorer.value.target)"))
    slider = explorer.locator(".noUi-handle").first
    slider.scroll_into_view_if_needed()
    slider.press("ArrowLeft")
    assert float(opened.ask("print(explorer.value.target)")) < before
    picture(opened, "supposed")
    assert opened.page.locator(TROUBLE).count() == 0


def at_rest(opened: Notebook, mark) -> dict[str, float]:
    """Where a mark is once nothing around it moves any more."""
    place, since = mark.bounding_box(), 0
    while since < 5:
        opened.page.wait_for_timeout(200)
        now = mark.bounding_box()
        place, since = now, since + 1 if now == place else 0
    return place


def run_report(opened: Notebook, form) -> None:
    button = form.get_by_role("button", name="Run as report")
    form.get_by_label("margin").fill("much")
    form.get_by_label("margin").press("Tab")
    form.get_by_text("'much' cannot be read").wait_for()
    assert button.is_disabled()
    picture(opened, "form-error")
    form.get_by_label("margin").fill("0.05")
    form.get_by_label("margin").press("Tab")
    assert opened.ask("print(form.value)") == "{'margin': 0.05}"
    verdicts = int(opened.ask("print(opened.table('verdicts').height)"))
    button.dblclick()
    form.get_by_text("cell ").wait_for(timeout=60_000)
    picture(opened, "form-runs")
    form.get_by_role("link", name="ship_compare_runs").wait_for(timeout=120_000)
    status = form.locator("strong").inner_text()
    picture(opened, "form-done")
    # cells asked run again after the restart, when there is no report yet
    report = opened.ask("r = form.report; print(r and (r.verdict.status, r.page.is_file()))")
    assert report == f"('{status.split()[-1]}', True)"
    once = int(opened.ask("print(opened.table('verdicts').height)"))
    assert once == verdicts + 1, "a double click runs it once"


def test_hostile_text_runs_nowhere(notebook) -> None:
    """The fixture says so if a dialog opens, anything is asked for, or the console complains."""
    opened = notebook("explore_runs")
    text = PAYLOADS[2]
    code = (
        "import polars as pl, aiops_lab as al\n"
        "from aiops_lab import widgets\n"
        "from IPython.display import display\n"
        f"bad, worse = {PAYLOADS!r}, {text!r}\n"
        "rows = [dict(run_id=run + worse, sample_id=f'{i}{one}', metric=worse, input=one,\n"
        "    value=(i + (run == 'a')) % 2, target=one, output=one + run, task=one + run,\n"
        "    kind=worse[i % 2:]) for run in 'ab' for i, one in enumerate(bad)]\n"
        "lab = al.open_lab('hostile')\n"
        "lab.ingest(pl.DataFrame(rows))\n"
        "result = al.compare_runs(lab, baseline='a' + worse, candidate='b' + worse)\n"
        "form = widgets.parameter_form('ship_compare_runs', lab)\n"
        "form.fields['baseline'].value = worse\n"
        "days = pl.date_range(pl.date(2026, 4, 1), pl.date(2026, 5, 14), eager=True)\n"
        "daily = pl.DataFrame(dict(day=days, metric=worse, slice='tenant=' + worse, n=500,\n"
        "    events=[15, 14, 16, 15, 13, 17, 15] * 6 + [44, 41]))\n"
        "display(widgets.pick_runs(lab), widgets.browse_flips(result, lab),\n"
        "    widgets.explore_slices(result), form,\n"
        "    widgets.explore_behaviour(al.watch_behaviour(daily)))\n"
        "print('made')"
    )
    opened.ask(code)
    opened.page.get_by_text("made", exact=True).wait_for(timeout=30_000)
    shown = opened.page.locator(".aiops-lab")
    shown.nth(1).get_by_role("button", name="Next").click()
    for place in (2, 4):
        shown.nth(place).locator("svg.marks .mark-symbol.role-mark path").first.hover()
    opened.page.wait_for_timeout(1500)
    picture(opened, "hostile")
    assert shown.locator("img, iframe, object, embed").count() == 0
