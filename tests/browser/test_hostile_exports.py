"""Hostile text in charts, exports and on terminals: it is never more than text."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
import vl_convert
from markdown_it import MarkdownIt

from aiops_lab import compare_runs, open_lab, release_gate
from aiops_lab.charts import compare, gate
from aiops_lab.reports.gate import to_junit, to_markdown
from aiops_lab.reports.page import VEGA_LITE
from aiops_lab.ship.operating import operating_curve
from aiops_lab.widgets import explore_slices
from aiops_lab.widgets.slices import _chart as widget_chart
from tests.browser.payloads import EVERY
from tests.reports.test_page import Elements

pytestmark = pytest.mark.slow
BATCHES = [EVERY[n::4] for n in range(4)]
HIDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066\u2067]")
SHOWN = {
    *("p", "strong", "b", "br", "del", "ins", "code", "h2", "ul", "li", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def texts_in(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each text of a specification by the key it stands under."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name != "datasets":
                yield from texts_in(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item, key)
    elif isinstance(value, str):
        yield key, value


def expressions(vega: Any, inside: str = "") -> Iterator[str]:
    """Every expression of a Vega specification, as Vega-Lite compiled it."""
    if isinstance(vega, dict):
        for name, item in vega.items():
            if name in ("expr", "signal", "update", "test") and isinstance(item, str):
                yield item
            elif name != "values":
                yield from expressions(item, name)
    elif isinstance(vega, list):
        for item in vega:
            yield from expressions(item)


def test_no_chart_takes_a_text_for_an_expression_or_an_address() -> None:
    """Nor does what Vega-Lite makes of it: it quotes titles badly."""
    mark = "\\" + '": window.alert(1), \\"MARK\n\u2028'
    rows = [
        {
            "run_id": run, "sample_id": f"{i}{mark}", "metric": metric + mark, "cost_usd": 0.01 * i,
            "value": float((i + (run > "a") * (i % 3 == 0) + k) % 2), "output": mark + run,
            "latency_s": 1.0 + (i + k) % 7 + (run > "a"), "tokens_out": i,
            f"by{mark}": f"{i % 3}{mark}",
        }
        for run in (mark, "b" + mark, "c" + mark) for i in range(1, 40)
        for k, metric in enumerate(("x", "y"))
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    runs: dict[str, Any] = {"baseline": mark, "candidate": "b" + mark}
    both = {**runs, "candidate": ["b" + mark, "c" + mark]}
    policy = {"gate": {"metrics": {"x" + mark: {"margin": 0.1}}, "caps": {"tokens_out": "+20%"}}}
    gated = release_gate(frame, **runs, policy=policy)
    results = [compare_runs(frame, **runs), compare_runs(frame, **both)]
    draw = [compare.forest, compare.heat, compare.slices, compare.behaviour, compare.pareto,
            compare.answers]  # fmt: skip
    charts: list[Any] = [make(result) for result in results for make in draw]
    charts += [
        gate.limits(gated),
        gate.slices(gated),
        gate.operating(gated, operating_curve(gated)),
    ]
    charts += [widget_chart(explore_slices(results[0]).slices.drop_nulls("low"))]
    drawn = [chart.to_dict() for chart in charts if hasattr(chart, "to_dict")]
    assert len(drawn) > 12
    for spec in drawn:
        assert not {key for key, _ in texts_in(spec)} & {"href", "url"}
        for key, text in texts_in(spec):
            assert key in ("text", "title", "subtitle") or "MARK" not in text, (key, text)
        compiled = vl_convert.vegalite_to_vega(spec, vl_version=VEGA_LITE)
        assert [e for e in expressions(compiled) if "MARK" in e] == []
        vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)


def test_no_export_acts(tmp_path) -> None:
    rows = [
        {"run_id": run + EVERY[40], "sample_id": text, "metric": metric, "value": float(run == "a"),
         "input": text, "output": text + run, "task": text, **dict.fromkeys(EVERY[:9], text)}
        for run in "ab" for i, text in enumerate(EVERY)
        for metric in (EVERY[i * 7 % len(EVERY)], "m")
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    runs: dict[str, Any] = {"baseline": "a" + EVERY[40], "candidate": "b" + EVERY[40]}
    for texts in BATCHES:
        metrics = {text: {"margin": 0.1} for text in [*texts, "m"]}
        gated = release_gate(frame, **runs, policy={"gate": {"metrics": metrics}})
        markdown, junit = to_markdown(gated), to_junit(gated)
        elements = Elements(
            MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(markdown)
        )
        assert {tag for tag, _ in elements.found} <= SHOWN
        assert not [given for _, given in elements.found if given]
        assert re.findall(r"(?<!\\)`([^`]*)`", markdown) == [gated.settings["policy_digest"]]
        assert not re.findall(r"[@#](?=\w)|\bGH-\d|://", markdown)
        assert len(ElementTree.fromstring(junit.split("\n", 1)[1])) > len(texts)
        for text in (markdown, junit):
            assert HIDING.search(text) is None
        for bundle in (gated, gate.rules(gated), gate.lost(gated), gate.policy(gated)):
            page = bundle._repr_mimebundle_()["text/html"]
            assert HIDING.search(page) is None
            found = Elements(page).found
            assert {tag for tag, _ in found} <= SHOWN
            assert {name for _, given in found for name in given} <= {"style"}
    for path in compare_runs(frame, **runs).to_csv(tmp_path):
        for row in csv.reader(path.open(newline="", encoding="utf-8")):
            for cell in row:
                bare = unicodedata.normalize("NFKC", HIDING.sub("", cell)).strip("\u034f\u17b4 \t")
                assert bare[:1] not in tuple("=+-@") or re.fullmatch(r"[+-]?[\d.]+(e.*)?", cell), (
                    cell
                )


def test_a_terminal_shows_text_only(tmp_path) -> None:
    lab = open_lab(tmp_path / "lab")
    rows = [{"run_id": f"{n}{text}", "sample_id": text, "value": 1.0, "task": text, "model": text,
             "prompt_version": text, "tags": [text]} for n, text in enumerate(EVERY)]  # fmt: skip
    lab.ingest(pl.DataFrame(rows))
    (tmp_path / "\x1b[31m\u202ebad.json").write_text("{")
    for command in (["status"], ["status", "--json"], ["ingest", str(tmp_path)],
                    ["gate", "--baseline", f"40{EVERY[40]}", "--candidate", f"{len(EVERY) - 1}"],
                    ["gate", "--baseline", "\x1b[2J", "--candidate", "x"]):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "aiops_lab", *command, "--lab", str(lab.path)],
            capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert HIDING.search(done.stdout + done.stderr) is None, command
        if "--json" in command:
            assert len(json.loads(done.stdout)["runs"]) == len(EVERY)
