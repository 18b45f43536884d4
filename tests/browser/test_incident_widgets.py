"""An incident explored by hand in real JupyterLab: window, suspects, requests, attacks."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Locator, TimeoutError

from tests.browser.conftest import Notebook
from tests.browser.test_widgets import TROUBLE, at_rest
from tests.conftest import DATA

pytestmark = pytest.mark.slow
CELLS = 6
"""Code cells of the notebook."""
HOSTILE = "\u202e<img src=x onerror=alert(1)></script>\x1b[31m {{7*7}}\u200b\u00a0 \U000e0068i"
NEXT = "Next"
REPORT = DATA / "garak-0.17.1" / "repeat.report.jsonl"


def seen(opened: Notebook, label: str) -> Locator:
    """The widget with such a control; cells out of view are not drawn."""
    control = opened.page.get_by_label(label, exact=True)
    if label == NEXT:  # of a control that is hidden there is no role
        control = opened.page.get_by_role("button", name=label)
    widget = opened.page.locator(".aiops-lab", has=control).last
    for n in range(40):
        opened.panel.evaluate("(e, n) => e.scrollTo(0, n % 20 * 400)", n)
        with suppress(TimeoutError):
            widget.wait_for(timeout=700)
            return widget
    raise AssertionError(f"no widget has {label}")


def picture(opened: Notebook, widget, name: str) -> None:
    if folder := os.environ.get("AIOPS_LAB_PICTURES"):
        widget.evaluate("e => e.scrollIntoView({block: 'start'})")
        opened.page.wait_for_timeout(700)
        opened.page.screenshot(path=Path(folder, f"incident-{name}.png"))


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_an_incident_is_explored_from_its_window_to_single_texts(notebook, theme: str) -> None:
    opened = notebook("explore_incident")
    if theme == "Dark":
        opened.menu("Settings", "Theme", "JupyterLab Dark")
    opened.menu("Run", "Run All Cells")
    opened.wait(CELLS)
    look_at_suspects(opened, theme)
    lay_side_by_side(opened, theme)
    walk_through(opened, theme)
    brush(opened, theme)
    seen(opened, "Step").get_by_text("≠ prompt 14").first.wait_for()
    assert opened.page.locator(TROUBLE).count() == 0


def look_at_suspects(opened: Notebook, theme: str) -> None:
    explorer = seen(opened, "Suspect")
    suspect = explorer.get_by_label("Suspect", exact=True)
    names = suspect.locator("option").all_text_contents()
    prompt = next(n for n, name in enumerate(names) if "prompt" in name)
    suspect.select_option(index=prompt)
    explorer.get_by_label("Before", exact=True).select_option("bdaf7ac7342f")
    explorer.get_by_label("After", exact=True).select_option("41988380d6d7")
    explorer.locator("ins", has_text="friendly").wait_for()
    explorer.locator("del", has_text="briefly").wait_for()
    picture(opened, explorer, f"suspects-{theme}")
    assert opened.ask("print(explorer.value['artefact'])") == "prompt"


def lay_side_by_side(opened: Notebook, theme: str) -> None:
    requests = seen(opened, "Step")
    requests.get_by_text("≠ fingerprint fp_ca7bf1013c").first.wait_for()
    step = requests.get_by_label("Step", exact=True)
    step.select_option(label="5. model ChatCompletion")
    requests.locator("ins").first.wait_for()
    picture(opened, requests, f"requests-{theme}")
    requests.get_by_label("Second", exact=True).fill("no such trace")
    requests.get_by_label("Second", exact=True).press("Enter")
    requests.get_by_text("no request is called 'no such trace'").wait_for()
    assert opened.ask("print(requests.value.height)") == "0"


def walk_through(opened: Notebook, theme: str) -> None:
    """The lab's own; those of another report, and one that would act on whoever reads it."""
    seen(opened, NEXT).get_by_text("1 of 72").wait_for()
    opened.ask(
        "import polars; other = al.open_lab('attacks')\n"
        f"other.ingest({str(REPORT)!r})\n"
        f"row = dict(run_id='r', probe='dan.Dan', input={HOSTILE!r}, output={HOSTILE[::-1]!r})\n"
        "row |= {'sample_id': 'a', 'metric': 'attack_success/mitigation', 'value': 1.0}\n"
        "other.ingest(polars.DataFrame([row]))\n"
        "attacks = widgets.browse_attacks(other)\n"
        "attacks"
    )
    opened.page.get_by_text("1 of 33").wait_for()
    attacks = seen(opened, NEXT)
    attacks.get_by_label("Outcome", exact=True).select_option("succeeded")
    attacks.get_by_text("1 of 25").wait_for()
    attacks.get_by_role("button", name=NEXT).press("Enter")
    attacks.get_by_text("2 of 25").wait_for()
    attacks.get_by_label("Probe", exact=True).select_option("dan.Dan")
    attacks.get_by_text("✕ succeeded · dan.Dan").wait_for()
    assert "[U+202E]" in attacks.locator("pre").first.inner_text()
    picture(opened, attacks, f"attacks-{theme}")
    assert opened.ask("print(attacks.value['value'])") == "True"


def brush(opened: Notebook, theme: str) -> None:
    """Other days of another figure are weighed, and the widgets below follow."""
    picker = seen(opened, "Began")
    picture(opened, picker, f"picker-{theme}")
    picker.get_by_label("Figure", exact=True).select_option("yaml_valid")
    picker.get_by_label("Slice", exact=True).select_option("all")
    picker.locator("svg.marks text", has_text="valid").first.wait_for()
    days = picker.locator("svg.marks .mark-symbol.role-mark path")
    days.nth(100).wait_for(timeout=20_000)
    was = opened.ask("print(picker.value['window'])")
    for _ in range(4):
        picker.locator("svg.marks").evaluate("e => e.scrollIntoView({block: 'center'})")
        first, last = at_rest(opened, days.nth(72)), at_rest(opened, days.nth(80))
        mouse = opened.page.mouse
        mouse.move(first["x"], first["y"] + 40)
        mouse.down()
        mouse.move(last["x"] + 5, last["y"] + 40, steps=9)
        mouse.up()
        opened.page.wait_for_timeout(500)
        if opened.ask("print(picker.value['window'])") != was:
            break
        seen(opened, "Began")
    else:
        raise AssertionError("no drag reaches Python")
    assert opened.ask("print(picker.value['metric'], picker.value['where'])") == "yaml_valid None"
    seen(opened, "Began")
    picker.get_by_label("Began", exact=True).fill("2026-10-15T10:00")
    picker.get_by_label("Began", exact=True).press("Enter")
    picker.get_by_label("Ended", exact=True).fill("2026-10-21")
    picker.get_by_label("Ended", exact=True).press("Enter")
    picker.get_by_role("button", name="Find suspects").click()
    picker.get_by_text("prompt lotte-answer 14 of 15 Oct", exact=False).first.wait_for(
        timeout=60_000
    )
    picture(opened, picker, f"weighed-{theme}")
