"""Reports in real Chromium with the network off."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from aiops_lab import Lab, compare_runs
from aiops_lab.charts import compare, table
from aiops_lab.charts.cases import Case, Cases
from aiops_lab.reports.page import render
from aiops_lab.reports.run import notebook_named, run_report
from aiops_lab.reports.site import write_index
from tests.conftest import table_of
from tests.reports.test_page import hostile_notebook, notebook_of

pytestmark = pytest.mark.slow


POLICY = """
[gate.metrics.correct]
margin = 0.05
[gate.metrics.relevance]
floor = 0.4
[gate.caps]
tokens = "+20%"
"""
CHARTS = {"ship_compare_runs": 5, "ship_release_gate": 3}


@pytest.fixture(scope="module")
def report(demo: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reports")
    done = run_report(notebook_named("ship_compare_runs", demo), demo, out)
    assert done.error is None
    write_index(demo, out)
    return done.latest


@pytest.fixture(scope="module")
def pages(report: Path, demo: Lab) -> dict[str, Path]:
    """The pages of both notebooks of the stage; the gate's fails for its tokens."""
    gate = notebook_named("ship_release_gate", demo)
    done = run_report(gate, demo, report.parents[1], {"policy": POLICY})
    assert done.error is None
    assert done.verdict is not None and done.verdict.status == "fail"
    return {"ship_compare_runs": report, "ship_release_gate": done.latest}


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_every_chart_is_drawn_and_nothing_complains(visit, pages, name, dark, width) -> None:
    report = pages[name]
    opened = visit(report, dark=dark, width=width)
    page = opened.page
    figures = page.locator("figure.chart")
    assert figures.count() == CHARTS[name]
    for i in range(figures.count()):
        box = figures.nth(i).locator("svg.marks").bounding_box()
        assert box and box["width"] > 200 and box["height"] > 80
        assert box["x"] + box["width"] <= width + 1, "a chart is wider than the page"
    assert opened.complaints == []
    assert opened.requests == [report.resolve().as_uri()]
    status = {"ship_compare_runs": "▲ warn", "ship_release_gate": "■ fail"}
    assert page.locator(".banner .status").inner_text() == status[name]
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, "the page scrolls sideways"


def test_tables_sort_texts_unfold_and_code_shows(visit, report) -> None:
    page = visit(report).page
    table = page.locator(".table table").first
    names = table.locator("tbody tr td:first-child")
    table.locator("th").first.click()
    page.wait_for_timeout(300)
    ascending = names.all_inner_texts()
    assert ascending == sorted(ascending)
    table.locator(".dt-column-order").first.press("Enter")  # the keyboard sorts too
    page.wait_for_timeout(300)
    assert names.all_inner_texts() == ascending[::-1]
    table.locator("th", has_text="change").click()
    page.wait_for_timeout(300)
    changes = table.locator("tbody tr td:nth-child(4)").all_inner_texts()
    assert changes[0].startswith("−0.4") and changes[-1].startswith("+6.6"), "as numbers"
    assert page.locator("pre.code").first.is_hidden()
    page.get_by_role("button", name="Show code").click()
    assert page.locator("pre.code").first.is_visible()
    case = page.locator("details.case").nth(5)
    case.locator("summary").click()
    assert case.locator(".answers").is_visible()


@pytest.mark.parametrize("name", CHARTS)
def test_cases_are_filtered_searched_and_opened_without_python(visit, pages, name) -> None:
    opened = visit(pages[name])
    page = opened.page
    cases, bar = page.locator(".cases details.case"), page.locator(".filter").first
    shown = cases.locator("visible=true").and_(cases)
    whole = cases.count()
    assert cases.first.locator(".turned").inner_text() == "▼ lost"
    counts = {}
    for kind in ("lost", "gained"):
        bar.get_by_role("button", name=kind).click()
        counts[kind] = shown.count()
        assert {one.get_attribute("data-turned") for one in shown.all()} == {kind}
    assert sum(counts.values()) == whole
    bar.get_by_role("button", name="all", exact=False).first.click()
    bar.locator("input").fill("delivery-12")
    assert shown.count() == 1
    bar.locator("input").fill("")
    bar.get_by_role("button", name="open all").click()
    assert page.locator(".cases details.case:not([open])").count() == 0
    assert opened.complaints == []


def test_the_words_that_differ_are_marked_by_ground_and_sign(visit, report) -> None:
    page = visit(report).page
    answers = page.locator("details.case").first.locator(".answers > div")
    gone, new = answers.nth(0).locator("del"), answers.nth(1).locator("ins")
    assert gone.count() and new.count()
    assert answers.nth(0).locator("ins").count() == answers.nth(1).locator("del").count() == 0
    for marks, sign in ((gone, "−"), (new, "+")):
        assert all(text.startswith(sign) for text in marks.all_inner_texts())
        ground = marks.first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert ground != "rgba(0, 0, 0, 0)"
    page.emulate_media(media="print")
    line = gone.first.evaluate("e => getComputedStyle(e).textDecorationLine")
    assert line == "underline", "marked without its colour too"


def test_a_chart_tells_more_on_hovering(visit, report) -> None:
    opened = visit(report)
    opened.page.locator("figure.chart").nth(2).locator("svg .mark-symbol path").first.hover()
    tip = opened.page.locator("#vg-tooltip-element")
    assert "points" in tip.inner_text()
    assert tip.is_visible()
    assert opened.complaints == []


def test_the_index_leads_to_the_report(visit, report) -> None:
    opened = visit(report.parents[1] / "index.html")
    opened.page.locator("a[href='latest/ship_compare_runs.html']").first.click()
    opened.page.wait_for_url("**/ship_compare_runs.html")
    assert opened.complaints == []


@pytest.mark.parametrize("policy", [True, False], ids=["with the policy", "without it"])
def test_hostile_text_runs_nowhere(visit, lab, tmp_path, policy) -> None:
    text = render(hostile_notebook(), name="hostile", lab=lab, parameters={})
    if not policy:
        text = text.replace("Content-Security-Policy", "X-Nothing")
    path = tmp_path / "hostile.html"
    path.write_text(text, "utf-8")
    opened = visit(path)
    opened.page.wait_for_timeout(2000)
    protocols = opened.page.eval_on_selector_all("a", "links => links.map(a => a.protocol)")
    assert set(protocols) <= {"file:", "http:", "https:"}
    assert opened.dialogs == []
    assert [url for url in opened.requests if not url.startswith(path.as_uri())] == []
    assert "<script>alert(1)</script>" in opened.page.inner_text("main")


def violations(page: Page) -> list[str]:
    """What axe finds that shuts people out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html']}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_nobody_is_shut_out(visit, pages, dark, width) -> None:
    index = pages["ship_compare_runs"].parents[1] / "index.html"
    for path in (*pages.values(), index):
        page = visit(path, dark=dark, width=width).page
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.wait_for_timeout(300)
        assert violations(page) == []


def opacities(marks: Locator) -> list[str | None]:
    return [mark.get_attribute("opacity") for mark in marks.all()]


def test_a_name_in_the_legend_picks_it_out(visit, report) -> None:
    page = visit(report).page
    figure = page.locator("figure.chart").nth(2)
    marks = figure.locator(".mark-symbol.role-mark path")
    assert set(opacities(marks)) == {"1"}
    name = figure.locator(".role-legend text", has_text="worse").first
    name.scroll_into_view_if_needed()
    box = name.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(300)
    assert opacities(marks) == ["1"] + ["0.15"] * 8
    assert figure.locator(".hint").inner_text().startswith("Click a name")


def test_points_can_be_picked_out_of_many(visit, lab, tmp_path) -> None:
    runs = {"a": [0.0, 1.0] * 9, "b": [1.0] * 18, "c": [0.0] * 18}
    priced = [
        table_of({run: v}).with_columns(cost_usd=k) for k, (run, v) in enumerate(runs.items())
    ]
    lab.ingest(*(rows.with_columns(cost_usd=(rows["cost_usd"] + 1) / 1000) for rows in priced))
    result = compare_runs(lab, baseline="a", candidate=["b", "c"])
    path = tmp_path / "page.html"
    page_text = render(notebook_of(compare.pareto(result)), name="n", lab=lab, parameters={})
    path.write_text(page_text, "utf-8")
    opened = visit(path)
    marks = opened.page.locator("figure.chart .mark-symbol.role-mark path")
    assert opacities(marks) == ["1"] * 3
    first, mouse = marks.first.bounding_box(), opened.page.mouse
    mouse.move(first["x"] - 12, first["y"] - 20)
    mouse.down()
    mouse.move(first["x"] + 30, first["y"] + 30, steps=5)
    mouse.up()
    opened.page.wait_for_timeout(300)
    assert sorted(opacities(marks)) == ["0.15", "0.15", "1"]
    assert opened.complaints == []


def test_hovering_over_the_operating_curve_reads_all_three(visit, pages) -> None:
    opened = visit(pages["ship_release_gate"])
    figure = opened.page.locator("figure.chart").nth(2)
    figure.locator(".mark-symbol.role-mark path").nth(3).hover(force=True)
    tip = opened.page.locator("#vg-tooltip-element").inner_text()
    assert all(outcome in tip for outcome in ("passes, %", "cannot tell, %", "fails, %"))
    assert "undefined" not in tip
    assert opened.complaints == []


def test_the_figures_of_every_chart_unfold(visit, pages) -> None:
    for path in pages.values():
        page = visit(path).page
        for figure in page.locator("figure.chart").all():
            summary = figure.get_by_text("The figures of this chart")
            summary.focus()
            summary.press("Enter")
            assert figure.locator("tbody tr").first.is_visible()
            assert figure.locator("thead th").count() >= 3


def test_the_keyboard_reaches_everything(visit, lab, tmp_path) -> None:
    long = Case("q: correct", "lost", {"asked": "word " * 900}, {"baseline": "short"})
    wide = table(table_of({"a": [1.0] * 3}).with_columns(**{f"column_{k}": 1 for k in range(30)}))
    path = tmp_path / "page.html"
    text = render(notebook_of(Cases("t", [long], 1), wide), name="n", lab=lab, parameters={})
    path.write_text(text, "utf-8")
    page = visit(path, width=375).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    more = page.get_by_role("button", name="show all")
    assert more.count() == 1, "only what is cut gets a button"
    cut = page.locator(".long").first.bounding_box()["height"]
    more.press("Enter")
    less = page.get_by_role("button", name="show less")
    assert less.get_attribute("aria-expanded") == "true"
    assert page.locator(".long").first.bounding_box()["height"] > 2 * cut
    region = page.locator(".table")
    assert region.get_attribute("tabindex") == "0" and region.get_attribute("aria-label")


def test_a_question_leads_to_its_case_past_a_filter(visit, report) -> None:
    page = visit(report).page
    page.locator(".filter input").first.fill("nothing of the kind")
    page.locator("td a[href^='#case-']").first.click()
    page.wait_for_timeout(300)
    shown = page.locator("details.case:visible")
    assert shown.count() == 1 and shown.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_command_is_copied_or_else_selected(visit, report) -> None:
    page = visit(report).page
    command = page.locator(".again code").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == command
    page.evaluate("() => { navigator.clipboard.writeText = async () => { throw Error('no') } }")
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Press Ctrl+C").wait_for()
    assert page.evaluate("getSelection().toString()") == command


def test_a_dark_page_prints_dark_on_white(visit, report) -> None:
    page = visit(report, dark=True).page
    words = page.locator("figure.chart svg text").first
    ink = "e => getComputedStyle(e).fill"
    assert words.evaluate(ink) == "rgb(230, 233, 236)"
    page.emulate_media(color_scheme="light", media="print")  # as browsers print
    assert words.evaluate(ink) == "rgb(27, 31, 35)"
    assert page.locator("nav").first.is_hidden() and page.locator(".hint").first.is_hidden()
