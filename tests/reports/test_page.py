"""A page: whole, self-contained, and foreign text in it only ever text."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import polars as pl
import pytest

from aiops_lab import Lab, Verdict
from aiops_lab.charts import table
from aiops_lab.charts.cases import Case, Cases
from aiops_lab.charts.figures import figures
from aiops_lab.charts.theme import MIME as CHART
from aiops_lab.files import write_text
from aiops_lab.reports.page import VIEW_MIME, executed_verdict, render, script_json
from aiops_lab.verdict import WIDGET_MIME
from tests.browser.payloads import PAYLOADS
from tests.conftest import table_of


def notebook_of(*values: object, source: str = "x", heading: str = "# T") -> nbformat.NotebookNode:
    """An executed notebook that displays the values given."""
    outputs = [
        nbformat.v4.new_output(
            "display_data",
            data=v if isinstance(v, dict) else v._repr_mimebundle_(),  # type: ignore[attr-defined]
        )
        for v in values
    ]
    code = nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(heading), code])


def hostile_notebook() -> nbformat.NotebookNode:
    """Every payload in every place where foreign text comes to a page."""
    values: list[object] = []
    for payload in PAYLOADS:
        values += [
            Verdict("warn", payload, next_step=payload),
            table(pl.DataFrame({payload or "c": [payload, payload * 40]}), title=payload),
            Cases(payload, [Case(payload, payload, {payload: payload}, {payload: payload})], 1),
            {"text/html": payload, "text/plain": payload},
            {WIDGET_MIME: {"told": payload}},
            {CHART: {"title": payload, "data": {"values": [{"a": payload, "b": 1}]},
                     "mark": "bar", "encoding": {"x": {"field": "a", "type": "nominal"},
                     "y": {"field": "b", "type": "quantitative"},
                     "tooltip": {"field": "a", "type": "nominal"}}}},
        ]  # fmt: skip
    notebook = notebook_of(*values, source=PAYLOADS[0])
    notebook.cells += [
        nbformat.v4.new_markdown_cell(f"## {payload}\n\n{payload}\n\n[x]({payload})")
        for payload in PAYLOADS
    ]
    error = nbformat.v4.new_output(
        "error", ename=PAYLOADS[0], evalue=PAYLOADS[1], traceback=PAYLOADS
    )
    stream = nbformat.v4.new_output("stream", text="\x1b[31m" + PAYLOADS[0])
    notebook.cells.append(nbformat.v4.new_code_cell("y", outputs=[stream, error]))
    return notebook


@pytest.fixture
def hostile_page(lab: Lab) -> str:
    return render(hostile_notebook(), name="hostile", lab=lab, parameters={"a": PAYLOADS[0]})


class Elements(HTMLParser):
    """Every element of a page with its attributes, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_foreign_text_makes_no_element(hostile_page: str) -> None:
    """No payload's tag, handler or address is left as markup."""
    elements = Elements(hostile_page).found
    tags = {tag for tag, _ in elements}
    assert not tags & {"iframe", "svg", "img", "object", "embed", "math", "base", "form", "link"}
    attributes = {name for _, given in elements for name in given}
    assert not {name for name in attributes if name.startswith("on") or name == "srcdoc"}
    for tag, given in elements:
        address = (given.get("href") or "").strip().lower()
        assert not re.match(r"(javascript|data|vbscript):", address), address
        if tag in ("script", "style"):
            assert given["nonce"], "no script without our nonce"
    nonces = {given.get("nonce") for tag, given in elements if tag in ("script", "style")}
    assert len(nonces) == 1


def test_foreign_text_is_still_readable(hostile_page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in hostile_page
    assert "[U+202E]" in hostile_page
    assert "\x1b" not in hostile_page


def test_json_cannot_end_its_script() -> None:
    value = {"a": "</script><script>alert(1)</script><!-- & \u2028"}
    text = script_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_raw_html_of_an_output_never_reaches_the_page(lab: Lab) -> None:
    page = render(
        notebook_of({"text/html": "<b>raw</b>", "text/plain": "plain"}),
        name="n", lab=lab, parameters={},
    )  # fmt: skip
    assert "<b>raw</b>" not in page
    assert "plain" in page


def test_the_verdict_comes_first_and_back(lab: Lab) -> None:
    verdict = Verdict("fail", "It got worse.", next_step="Stop.")
    notebook = notebook_of(verdict)
    assert executed_verdict(notebook) == verdict
    page = render(notebook, name="n", lab=lab, parameters={"margin": 0.1})
    assert page.index("It got worse.") < page.index("<main ")
    assert page.count("It got worse.") == 1
    assert "aiops-lab report n --lab LAB -p margin 0.1" in page


def test_a_failed_cell_gives_a_page_that_says_so(lab: Lab) -> None:
    notebook = notebook_of(Verdict("ok", "Found before."))
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="bad", traceback=["tb"])
    notebook.cells.append(nbformat.v4.new_code_cell("boom()", outputs=[error]))
    page = render(notebook, name="n", lab=lab, parameters={})
    assert "could not be computed" in page
    assert "ValueError: bad" in page


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "one")
    write_text(path, "two \ud800")
    assert path.read_text() == "two &#55296;"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_nothing_is_included_that_the_page_does_not_need(lab: Lab) -> None:
    assert len(render(notebook_of(Verdict("ok", "x")), name="n", lab=lab, parameters={})) < 30_000


def page_of(lab: Lab, *values: object, heading: str = "# T", **options: str) -> str:
    notebook = notebook_of(*values, heading=heading)
    return render(notebook, name="n", lab=lab, parameters={}, **options)  # type: ignore[arg-type]


def chart(rows: list[dict], **spec: object) -> dict:
    """A chart's output, with a tooltip."""
    told = [{"field": "a", "title": "what"}, {"field": "b"}, {"field": "c_d"}]
    whole = {"mark": "bar", "data": {"values": rows}, "encoding": {"tooltip": told}, **spec}
    return {CHART: whole}


def test_the_figures_of_a_chart_are_a_table_under_it(lab: Lab) -> None:
    page = page_of(lab, chart([{"a": "<b>x", "b": 0.123456}, {"a": "y", "b": None}], title="Up"))
    assert 'role="img" aria-label="Up"' in page
    assert "The figures of this chart" in page
    assert '<th scope="col">what</th><th scope="col">b</th></tr>' in page, "no row has c_d"
    assert '<td data-order="&lt;b&gt;x">&lt;b&gt;x</td>' in page
    assert '<td class="number" data-order="0.123456">0.123</td>' in page
    many = page_of(lab, chart([{"a": i} for i in range(300)]))
    assert "The first 200 of 300 rows; the result in the notebook has them all." in many


def test_of_layers_the_one_with_the_most_to_tell_is_told() -> None:
    tips = {"tooltip": [{"field": "a"}], "x": {"field": "b"}}
    layered = {
        "datasets": {"one": [{"a": 1, "b": 2}], "two": [{"a": 3}, {"a": 4}, {"a": 4}]},
        "encoding": tips,
        "layer": [
            {"mark": "rule", "data": {"name": "one"}},
            {"mark": {"type": "text"}, "data": {"name": "two"}},
        ],
    }
    found = figures(layered)
    assert found and (found.columns, found.total) == (["a"], 2), "equal rows are one"
    plain = figures(
        {"mark": "bar", "data": {"values": [{"p_q": 1}]}, "encoding": {"x": {"field": "p_q"}}}
    )
    assert plain and plain.columns == ["p q"]


@pytest.mark.parametrize(
    "spec",
    [
        {}, {"mark": "bar"}, {"layer": 5}, {"layer": [None, 5, {"mark": "x"}]}, {"data": []},
        {"mark": "bar", "data": {"values": "text"}, "encoding": {"x": {"field": "a"}}},
        {"mark": "bar", "data": {"values": [1, None]}, "encoding": {"x": {"field": "a"}}},
        {"mark": "bar", "data": {"name": ["x"]}, "encoding": {"x": 5}},
        {"mark": "bar", "data": {"values": [{"a": 1}]}, "encoding": {"tooltip": {"content": "x"}}},
        {"params": [None, 5, {"select": None}, {"bind": {}}]}, {"title": None},
        {"spec": {"spec": {}}},
    ],
)  # fmt: skip
def test_a_chart_without_figures_has_no_table(lab: Lab, spec: dict) -> None:
    assert figures(spec) is None
    assert "The figures" not in page_of(lab, {CHART: spec})


def test_a_chart_says_what_can_be_done_with_it(lab: Lab) -> None:
    rows = [{"a": 1}]
    assert "Click a name" in page_of(lab, chart(rows, params=[{"bind": "legend"}]))
    brush = [{"name": "b", "select": {"type": "interval"}}]
    assert "Drag over" in page_of(lab, chart(rows, params=brush))
    assert 'class="note hint' not in page_of(lab, chart(rows))


def test_figures_in_words_sort_as_numbers() -> None:
    texts = [
        "−23.3 points (−39.1 to −11.7)",
        "77.1 %",
        "1,200",
        "$0.015",
        "2.14 times",
        "+6.6 points",
    ]
    others = [
        "gpt-4o",
        "2026-05-12",
        "120 of 240",
        "3.11.7",
        "12 May 2026",
        "b236833087aa",
        "not known",
    ]
    frame = pl.DataFrame({"x": [*texts, *others]})
    assert [row[0][1] for row in table(frame).rows] == [-23.3, 77.1, 1200, 0.015, 2.14, 6.6] + [
        None
    ] * 7


def test_a_widget_is_a_sentence_on_the_page(lab: Lab) -> None:
    view = {VIEW_MIME: {"model_id": "x"}, "text/plain": "IntSlider(value=3)"}
    page = page_of(lab, {**view, WIDGET_MIME: {"told": "Opens a <b>trace</b>."}}, view)
    assert "Opens a &lt;b&gt;trace&lt;/b&gt;." in page
    assert page.count("This is live in JupyterLab: aiops-lab open --lab LAB") == 1
    assert "IntSlider" not in page


def test_the_page_says_what_it_was_computed_from(lab: Lab) -> None:
    for k in range(12):
        lab.ingest(table_of({f"run-{k}": [1.0, 0.0]}))
    digests = {digest[:12] for digest in lab.runs()["source_digest"]}
    page = page_of(lab, as_of="12 May 2026", link="../n/2026.ipynb")
    assert all(digest in page for digest in digests) and len(digests) == 12
    assert "<dd>12, by the first digits" in page
    assert "and 2 more</summary>" in page
    assert "12 May 2026" in page
    assert 'href="../n/2026.ipynb"' in page
    assert 'href="javascript%3Aalert%281%29"' in page_of(lab, link="javascript:alert(1)")


def test_every_heading_has_an_address_of_its_own(lab: Lab) -> None:
    page = page_of(lab, heading="## Why\n\n## Why\n\n## ???\n\n## Computed from\n\n## Main")
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert {"why", "why-2", "part", "computed-from", "computed-from-2", "main-2"} <= set(ids)


def test_a_cell_that_names_a_case_leads_to_it(lab: Lab) -> None:
    cases = Cases("t", [Case(f"q-{i}: correct", "lost", {}, {}) for i in (1, 1, 2)], 3)
    page = page_of(lab, table(pl.DataFrame({"question": ["q-2", "q-3"]})), cases)
    assert '<a href="#case-3">q-2</a>' in page
    assert ">q-3</td>" in page
    assert re.findall(r'id="(case-\d)"', page) == ["case-1", "case-2", "case-3"]


def test_thousands_of_cases_are_rendered_in_a_second(lab: Lab) -> None:
    one = Case("q: correct", "lost", {"asked": "x" * 500}, {"baseline": [["-", "word "]] * 50})
    notebook = notebook_of(Cases("t", [one] * 2000, 2000))
    render(notebook_of(), name="n", lab=lab, parameters={})
    begun = time.perf_counter()
    render(notebook, name="n", lab=lab, parameters={})
    assert time.perf_counter() - begun < 4


def test_a_day_is_told_without_its_midnight() -> None:
    spec = {
        "data": {"values": [{"day": "2026-05-01T00:00:00", "n": 3}]},
        "mark": "bar",
        "encoding": {"x": {"field": "day"}, "y": {"field": "n"}},
    }
    table = figures(spec)
    assert table and table.rows[0][0][0] == "2026-05-01"
