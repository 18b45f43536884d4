"""A page: whole, self-contained, and foreign text in it only ever text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import polars as pl
import pytest

from aiops_lab import Lab, Verdict
from aiops_lab.charts import table
from aiops_lab.charts.cases import Case, Cases
from aiops_lab.charts.theme import MIME as CHART
from aiops_lab.reports.page import executed_verdict, render, script_json, write_text
from tests.browser.payloads import PAYLOADS


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
    assert page.index("It got worse.") < page.index("<main>")
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
