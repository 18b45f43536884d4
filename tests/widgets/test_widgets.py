"""Widgets, driven as a reader would: what is typed and chosen changes what Python sees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import nbformat
import polars as pl
import pytest

from aiops_lab import Comparison, Lab, Verdict, compare_runs, widgets
from aiops_lab.errors import BadSettings
from aiops_lab.verdict import WIDGET_MIME
from tests.conftest import table_of

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def result(demo: Lab) -> Comparison:
    return compare_runs(demo, baseline="latest~1", candidate="latest")


def told(html: str) -> str:
    return re.sub("<[^>]*>", "", html)


def test_a_search_and_facets_narrow_the_runs(demo: Lab) -> None:
    picker = widgets.pick_runs(demo)
    whole = len(picker.list.options)
    assert whole == demo.runs().height
    picker.search.value = "V2 support"
    assert len(picker.list.options) == 1
    picker.search.value = "@prod"
    prod = {run for _, run in picker.list.options}
    assert prod == set(demo.runs().filter(pl.col("tags").list.contains("prod"))["run_id"])
    picker.search.value = ""
    picker.facets["task"].value = "policy_quiz"
    assert {label.split()[0] for label, _ in picker.list.options} == {"policy_quiz"}
    picker.facets["task"].value = None
    assert len(picker.list.options) == whole


def test_chosen_runs_stay_in_the_labs_order_whatever_is_hidden(demo: Lab) -> None:
    picker, runs = widgets.pick_runs(demo), demo.runs()["run_id"].to_list()
    picker.list.value = (runs[-1],)
    picker.search.value = "policy_quiz v1"
    picker.list.value = (picker.list.options[0][1],)
    assert len(picker.value) == 2
    assert list(picker.value) == [run for run in runs if run in picker.value]
    picker.none.click()
    assert picker.value == picker.list.value == ()


def test_facets_of_one_value_are_hidden(lab: Lab) -> None:
    lab.ingest(table_of({"a": [1, 0], "b": [0, 1]}))
    picker = widgets.pick_runs(lab)
    assert {box.layout.display for box in picker.facets.values()} == {"none"}


def test_flips_are_gone_through_one_by_one(demo: Lab, result: Comparison) -> None:
    browser = widgets.browse_flips(result, demo)
    assert browser.value == result.flips.row(0, named=True)
    assert browser.previous.disabled and not browser.next.disabled
    browser.next.click()
    assert browser.value == result.flips.row(1, named=True)
    assert told(browser.counter.value) == f"2 of {result.flips.height}"
    browser.turned.value = "gained"
    assert browser.value["difference"] > 0
    assert told(browser.counter.value).startswith("1 of")
    browser.search.value = "no question has these words"
    assert browser.value is None
    assert told(browser.case.value) == "No flip is like that."
    assert browser.previous.disabled and browser.next.disabled
    browser.search.value, browser.turned.value = "delivery-12", None
    assert browser.value["sample_id"] == "delivery-12"
    assert "<del" in browser.case.value and "<ins" in browser.case.value
    browser.whole.value = "baseline"
    assert "messages" in told(browser.trace.value)


def test_of_several_candidates_one_is_chosen(demo: Lab) -> None:
    quiz = demo.runs().filter(pl.col("task") == "policy_quiz")["run_id"].to_list()
    browser = widgets.browse_flips(compare_runs(demo, baseline=quiz[0], candidate=quiz[1:]))
    browser.candidate.value = "v2"
    assert browser.value["candidate_run"] == quiz[1]
    assert browser.whole.layout.display == "none", "without a lab there is no log to open"


def test_the_brush_filters_the_table(result: Comparison) -> None:
    explorer = widgets.explore_slices(result, "correct")
    own = result.slices.filter(pl.col("metric") == "correct")
    assert explorer.value.equals(own)
    brushed = {"at": [0, -40], "name": ["topic: delivery (30)", "topic: returns (30)"]}
    explorer.chart._vl_selections = {"brush": {"value": brushed, "store": []}}
    assert explorer.value["slice"].to_list() == ["delivery"]
    assert "delivery" in explorer.table.value and "returns" not in explorer.table.value
    assert explorer.value.columns == result.slices.columns
    explorer.metric.value = "relevance"
    assert explorer.value.height == own.height, "another score, nothing brushed yet"
    explorer.search.value = "topic"
    assert set(explorer.value["by"]) == {"topic"}
    with pytest.raises(BadSettings, match="there are correct"):
        widgets.explore_slices(result, "nothing")


def made(path: Path) -> Path:
    source = (
        'lab: str = ""  # the lab\nrun: str = "latest"  # a run\nn: int = 3  # how many\n'
        "share: float = 0.5  # of it\nlimit: float = None  # at most\nwhole: bool = False  # all\n"
        'names: list[str] = ["a", "b"]  # which\nmore: dict = {}  # the rest'
    )
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_each_type_has_its_control_and_what_differs_is_the_value(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(table_of({"a": [1, 0], "b": [0, 1]}))
    form = widgets.parameter_form(made(tmp_path / "made.ipynb"), lab)
    assert {name: type(field).__name__ for name, field in form.fields.items()} == {
        "run": "Combobox",
        "n": "IntText",
        "share": "FloatText",
        "limit": "Text",
        "whole": "Checkbox",
        "names": "Text",
        "more": "Text",
    }
    assert form.value == {}
    assert {"a", "b", "latest"} <= set(form.fields["run"].options)
    new = {"run": "a", "n": 4, "share": 0.1, "limit": "2", "whole": True, "names": "c, d"}
    for name, value in {**new, "more": '{"k": 1}'}.items():
        form.fields[name].value = value
    assert form.value == {**new, "limit": 2, "names": ["c", "d"], "more": {"k": 1}}
    assert not form.button.disabled


def test_an_error_is_said_beside_the_field_and_nothing_runs(demo: Lab, monkeypatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr("aiops_lab.reports.run_report", lambda *a, **k: started.append(a))
    form = widgets.parameter_form("ship_compare_runs", demo)
    form.fields["margin"].value = "much"
    form.fields["baseline"].value = "nobody"
    assert "'much' cannot be read" in told(form.hints["margin"].value).replace("&#x27;", "'")
    assert "no run is called" in form.hints["baseline"].value
    assert form.button.disabled and form.value == {}
    form.run()
    assert started == []
    form.fields["margin"].value, form.fields["baseline"].value = "0.1", "@prod"
    assert form.value == {"margin": 0.1, "baseline": "@prod"}
    assert not form.button.disabled


@pytest.mark.parametrize("beside", [True, False])
def test_a_report_runs_once_in_the_background(demo, tmp_path, monkeypatch, beside) -> None:
    started, go = [], Event()

    def run_report(notebook, lab, out, parameters, progress):
        started.append((notebook.stem, parameters))
        progress(2, 5)
        go.wait(10)
        return SimpleNamespace(page=out / "a b.html", verdict=Verdict("warn", HOSTILE), error=None)

    monkeypatch.setattr("aiops_lab.reports.run_report", run_report)
    monkeypatch.chdir(tmp_path)
    form = widgets.parameter_form("ship_compare_runs", demo, "out" if beside else "/elsewhere")
    form.fields["margin"].value = "0.1"
    done = Event()
    form.observe(lambda _: done.set(), "report")
    form.button.click()
    form.button.click()
    form.fields["margin"].value = "0.2"
    assert form.button.disabled, "also where a field is edited meanwhile"
    go.set()
    assert done.wait(10)
    assert started == [("ship_compare_runs", {"margin": 0.1})]
    assert form.progress.value == 2 and form.progress.max == 5
    assert "▲ warn" in form.verdict.value and HOSTILE not in form.verdict.value
    data = form.page.outputs[0]["data"]
    if beside:
        assert 'href="out/a%20b.html"' in data["text/html"]
    else:
        assert data == {"text/plain": "/elsewhere/a b.html"}


def test_what_a_report_raises_is_said(demo: Lab, monkeypatch) -> None:
    def run_report(*_: Any, **__: Any) -> None:
        raise OSError(f"the disk is full {HOSTILE}")

    monkeypatch.setattr("aiops_lab.reports.run_report", run_report)
    form = widgets.parameter_form("ship_compare_runs", demo)
    said = Event()
    form.button.observe(lambda change: said.set() if not change.new else None, "disabled")
    form.button.click()
    assert said.wait(10)
    assert "the disk is full" in form.verdict.value and HOSTILE not in form.verdict.value


def test_what_is_missing_is_a_sentence(lab: Lab) -> None:
    picker = widgets.pick_runs(lab)
    assert "holds no runs" in told(picker.chosen.value)
    form = widgets.parameter_form("ship_compare_runs", lab)
    assert form.button.disabled and "holds no runs" in form.hints["baseline"].value
    same = compare_runs(table_of({"a": [1, 0], "b": [1, 0]}), baseline="a", candidate="b")
    assert told(widgets.browse_flips(same).case.value) == "No question turned."
    explorer = widgets.explore_slices(same)
    assert "There are no slices" in told(explorer.count.value)
    assert explorer.value.height == 0


def hostile() -> pl.DataFrame:
    """Runs, a score, questions, answers and slices all named by a text that a browser would run."""
    rows = [
        {"run_id": HOSTILE + run, "sample_id": f"{HOSTILE}{i}", "metric": HOSTILE, "value": value,
         "input": HOSTILE, "target": HOSTILE, "output": f"{HOSTILE} {run} {i}", "task": HOSTILE,
         HOSTILE: HOSTILE + "xy"[i % 2]}
        for run, values in {"a": [1, 1, 0] * 4, "b": [0, 1, 1] * 4}.items()
        for i, value in enumerate(values)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def test_hostile_text_is_only_ever_text(lab: Lab) -> None:
    lab.ingest(hostile())
    found = compare_runs(lab, baseline=HOSTILE + "a", candidate=HOSTILE + "b")
    browser, explorer = widgets.browse_flips(found, lab), widgets.explore_slices(found)
    browser.whole.value = "candidate"
    picker, form = widgets.pick_runs(lab), widgets.parameter_form("ship_compare_runs", lab)
    picker.list.value = [HOSTILE + "a"]
    form.fields["baseline"].value = HOSTILE
    assert browser.value is not None and explorer.value.height == 2
    boxes = [browser.counter, browser.case, browser.trace, explorer.count, explorer.table]
    for box in [*boxes, picker.chosen, *form.hints.values()]:
        assert "<img" not in box.value
    assert sum("&lt;img" in box.value for box in boxes) == 3


def test_a_page_is_told_what_to_run(demo: Lab, result: Comparison) -> None:
    for widget in (
        widgets.pick_runs(demo),
        widgets.browse_flips(result),
        widgets.explore_slices(result),
        widgets.parameter_form("ship_compare_runs", demo),
    ):
        bundle = json.loads(json.dumps(widget._repr_mimebundle_()))
        assert "aiops-lab open" in bundle[WIDGET_MIME]["told"]
        assert bundle["text/plain"] == bundle[WIDGET_MIME]["told"]
        assert "application/vnd.jupyter.widget-view+json" in bundle
