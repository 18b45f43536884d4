"""Reports in real Chromium with the network off."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiops_lab import Lab
from aiops_lab.reports.page import render
from aiops_lab.reports.run import notebook_named, run_report
from aiops_lab.reports.site import write_index
from tests.reports.test_page import hostile_notebook

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(demo: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reports")
    done = run_report(notebook_named("ship_compare_runs", demo), demo, out)
    assert done.error is None
    write_index(demo, out)
    return done.page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_every_chart_is_drawn_and_nothing_complains(visit, report, dark, width) -> None:
    opened = visit(report, dark=dark, width=width)
    page = opened.page
    figures = page.locator("figure.chart")
    assert figures.count() == 3
    for i in range(figures.count()):
        box = figures.nth(i).locator("svg.marks").bounding_box()
        assert box and box["width"] > 200 and box["height"] > 80
        assert box["x"] + box["width"] <= width + 1, "a chart is wider than the page"
    assert opened.complaints == []
    assert opened.requests == [report.resolve().as_uri()]
    assert page.locator(".banner .status").inner_text().endswith("warn")
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, "the page scrolls sideways"


def test_tables_sort_texts_unfold_and_code_shows(visit, report) -> None:
    page = visit(report).page
    table = page.locator(".table table").first
    first = table.locator("tbody tr td:first-child").first
    table.locator("th").first.click()
    assert first.inner_text() == "correct" or page.wait_for_timeout(300) is None
    ascending = table.locator("tbody tr td:first-child").all_inner_texts()
    table.locator("th").first.click()
    page.wait_for_timeout(300)
    assert table.locator("tbody tr td:first-child").all_inner_texts() == ascending[::-1]
    assert page.locator("pre.code").first.is_hidden()
    page.get_by_role("button", name="Show code").click()
    assert page.locator("pre.code").first.is_visible()
    case = page.locator("details.case").nth(5)
    case.locator("summary").click()
    assert case.locator(".answers").is_visible()


def test_a_chart_tells_more_on_hovering(visit, report) -> None:
    opened = visit(report)
    opened.page.locator("figure.chart").nth(1).locator("svg .mark-symbol path").first.hover()
    tip = opened.page.locator("#vg-tooltip-element")
    assert "points" in tip.inner_text()
    assert tip.is_visible()
    assert opened.complaints == []


def test_the_index_leads_to_the_report(visit, report) -> None:
    opened = visit(report.with_name("index.html"))
    opened.page.get_by_role("link", name="ship compare runs").click()
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
