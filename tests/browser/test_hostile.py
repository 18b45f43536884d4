"""Hostile text in every field of a log: none of it runs in any report, and it can still be read."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import polars as pl
import pytest
from markupsafe import Markup
from playwright.sync_api import Browser, Dialog, Page

from aiops_lab import Lab, Verdict, open_lab
from aiops_lab.charts import table
from aiops_lab.reports import page as pages
from aiops_lab.reports.run import Request, notebook_named, run_reports
from aiops_lab.reports.site import write_index
from aiops_lab.wording import visible
from tests.browser.payloads import EVERY
from tests.reports.test_page import notebook_of

pytestmark = pytest.mark.slow
LABS = 4
BATCHES = [EVERY[n::LABS] for n in range(LABS)]
HIDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066\u2067]")
NONCE = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")


def write_log(path: Path, texts: list[str], side: str, day: int) -> None:
    """A log in Inspect's shape with a text in each of its fields; `side` makes two of them."""
    own, score = texts[day], {"value": "P", "explanation": texts[0]}
    options = {text: text + side for text in texts}
    spec = {
        "eval_id": own + side, "run_id": own, "task_id": own, "task": texts[1], "model": own,
        "created": f"2026-05-0{day}T10:00:00+00:00", "tags": [f"{side}{text}" for text in texts],
        "dataset": {"name": texts[2], "samples": len(texts), "location": own, **options},
        "scorers": [{"name": text, "options": {text: text}} for text in texts],
        "task_args": options, "model_args": options, "config": options, "packages": options,
        "metadata": options, "revision": {"commit": own},
    }  # fmt: skip
    plan = {"steps": [{"solver": text, "params": {text: text + side}} for text in texts]}
    extra = [f"{text} only {side}" for text in texts[:12]]
    members: dict[str, Any] = {}
    for epoch in (1, 2):
        for i, text in enumerate([*texts, *extra]):
            right = (i % 2 == 0) == (side == "a")
            scores = dict.fromkeys(texts, score)
            scores |= {texts[3]: {"value": "C" if right else "I", "explanation": text}}
            scores |= {texts[4]: {"value": "CI"[epoch - 1], "answer": text, "explanation": text}}
            said = f"{text}\n{side} said {text[::-1] if text.isascii() else text}"
            message = {"role": "assistant", "content": said}
            members[f"samples/{i}_epoch_{epoch}.json"] = {
                "id": text, "epoch": epoch, "input": f"asked: {text}", "target": text,
                "metadata": {
                    text: text, texts[5]: texts[6 + i % 6], texts[12]: texts[13 + i % 6],
                    "unsliced": text,
                },
                "scores": scores, "total_time": 1.5 + i,
                "model_usage": {own: {"input_tokens": 10 + i, "output_tokens": 5 + i % (3 + day),
                                      "total_cost": (day + i % 3) / 9}},
                "messages": [{"role": "system", "content": text + side},
                             {"role": "user", "content": text}, message],
                "output": {"model": text, "completion": said,
                           "choices": [{"message": message, "stop_reason": text}]},
            }  # fmt: skip
            if i == 5:
                members[f"samples/{i}_epoch_{epoch}.json"]["error"] = {"message": text}
    header = {"version": 2, "status": "success", "eval": spec, "plan": plan}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": spec}))
        archive.writestr("summaries.json", "[]")
        archive.writestr("header.json", json.dumps(header))
        for name, member in members.items():
            archive.writestr(name, json.dumps(member))


def toml(text: str) -> str:
    """A key or value of TOML."""
    return re.sub(
        "[\x7f-\x9f\ud800-\udfff]",
        lambda m: f"\\u{ord(m[0]):04x}",
        json.dumps(text, ensure_ascii=False),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def labs(folder: Path) -> list[Lab]:
    """Labs with an Inspect log of either side, called by what a file may be called."""
    made = []
    for n, texts in enumerate(BATCHES):
        name = visible(texts[n]).translate({ord(c): "_" for c in '/\0[]%"'})[:60]
        lab = open_lab(folder / f"{n} {name}")
        for day, side in enumerate("ab", 1):
            name = texts[20 + day].replace("/", "_").replace("\0", "_")[:80]
            write_log(folder / f"{n}{side} {name}.eval", texts, side, day)
            done = lab.ingest(folder / f"{n}{side} {name}.eval")
            assert done.added == 1 and not done.quarantined.height, done.quarantined
        rules = "".join(f"[gate.metrics.{toml(t)}]\nmargin = 0.1\n" for t in texts[:12])
        (lab.path / "lab.toml").write_text(rules + '[gate.caps]\ntokens = "+20%"\n', "utf-8")
        made.append(lab)
    return made


@pytest.fixture(scope="module")
def reports(labs: list[Lab], folder: Path) -> list[tuple[Lab, Any]]:
    made = []
    for lab, texts in zip(labs, BATCHES, strict=True):
        asked = [
            Request(notebook_named("ship_compare_runs", lab), {"baseline": texts[1] + "a"}),
            Request(notebook_named("ship_release_gate", lab), {"candidate": texts[2] + "b"}),
        ]
        done = run_reports(asked, lab, folder / "out" / lab.path.name[0], jobs=2)
        assert [report.error for report in done] == [None, None]
        write_index(lab, folder / "out" / lab.path.name[0])
        made += [(lab, report) for report in done]
    return made


WORK = """() => {
  if (window.DataTable) window.DataTable.tables({api: true}).page.len(-1).draw();
  const all = (what) => [...document.querySelectorAll(what)];
  for (const one of all('details')) one.open = true;
  for (const one of all(
    'button, summary, th, input, object, marquee, b, main a[href*="#"], a[href*=script]'
  )) {
    one.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
  }
  for (const one of all('input')) {
    one.value = '<img src=x onerror=top.pwned=1>&';
    one.dispatchEvent(new Event('input', {bubbles: true}));
    one.dispatchEvent(new Event('keyup', {bubbles: true}));
  }
  for (const one of all('body :not(svg, svg *)')) {
    for (const kind of 'mouseover pointerover focus toggle animationend error load'.split(' ')) {
      one.dispatchEvent(new MouseEvent(kind, {bubbles: true}));
    }
  }
  for (const one of all('input')) {
    one.value = '';
    one.dispatchEvent(new Event('input', {bubbles: true}));
    one.dispatchEvent(new Event('keyup', {bubbles: true}));
  }
  for (const one of all('details, .cases > *')) { one.open = true; one.hidden = false; }
}"""


class Attack:
    """One browser window that counts all that text in a page ever did."""

    def __init__(self, browser: Browser) -> None:
        self.context = browser.new_context(offline=True, viewport={"width": 1280, "height": 1600})
        self.ran: list[str] = []
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.led: list[str] = []
        self.page.route(
            re.compile("^http"), lambda route: (self.led.append(route.request.url), route.abort())
        )
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type != "log" else None
        )

    def _dialog(self, dialog: Dialog) -> None:
        self.ran.append(dialog.message)
        dialog.dismiss()

    def open(self, path: Path, wait: int = 400) -> Page:
        """The page, worked through as a reader would, and quickly."""
        self.asked.clear()
        self.complaints.clear()
        self.page.goto(path.as_uri())
        self.page.wait_for_timeout(wait)
        self.page.evaluate(WORK)
        for label in self.page.locator("svg .role-legend-label").all()[:2] if wait > 100 else ():
            label.dispatch_event("click")
        for figure in self.page.locator("figure.chart").all() if wait > 100 else ():
            for mark in figure.locator("svg .mark-symbol path, svg .mark-rect path").all()[:1]:
                mark.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
                if box := mark.bounding_box():
                    self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
        self.page.wait_for_timeout(wait // 4)
        if self.page.evaluate("window.pwned"):
            self.ran.append(f"{path.name}: pwned")
        assert self.page.url.split("#")[0] == path.as_uri(), "it led elsewhere"
        return self.page


@pytest.fixture
def attack(browser: Browser) -> Iterator[Attack]:
    opened = Attack(browser)
    yield opened
    opened.context.close()


@pytest.fixture
def bare(browser: Browser) -> Iterator[Attack]:
    """A second window, so that what a page without a policy asks for late is its own."""
    opened = Attack(browser)
    yield opened
    opened.context.close()


def plain(text: str) -> str:
    """A text as it can be read, wherever it breaks."""
    return re.sub(r"\s|[\u2060\u2068\u2069]", "", visible(text))


def unread(page: Page, where: str, texts: list[str]) -> list[str]:
    shown = plain(" ".join(page.locator(where).all_inner_texts()))
    return [text for text in texts if plain(text) not in shown]


def test_no_report_runs_any_of_it_and_each_text_can_be_read(attack, reports) -> None:
    for n, (lab, report) in enumerate(reports):
        texts = BATCHES[n // 2]
        page = attack.open(report.page, 1500)
        assert attack.ran == attack.complaints == []
        assert [url for url in attack.asked if url.split("#")[0] != report.page.as_uri()] == []
        assert page.locator("main :is(img, iframe, object, embed, base, image)").count() == 0
        assert page.locator("form:not(.vega-bindings)").count() == 0
        assert page.locator("svg a, [href^=javascript], [onerror], [onload]").count() == 0
        assert page.locator("figure.chart.failed").count() == 0
        assert page.locator("figure.chart svg.marks").count() == page.locator("figure").count() > 1
        assert unread(page, ".cases", texts) == [], "questions and answers"
        compared = n % 2 == 0
        assert unread(page, ".table", texts if compared else texts[:12]) == [], "metrics"
        if compared:
            main = plain(page.inner_text("main"))
            found = [text for text in texts if plain(f"{text} only b") in main]
            assert found and all(plain(f"{text} only a") in main for text in found)
            assert unread(page, ".figures", texts[6:12] + texts[13:19]) == [], "slices"
        out = report.page.parents[1]
        for other in (out / "index.html", report.latest):
            attack.open(other)
            assert attack.ran == attack.complaints == []
            assert plain(lab.path.name) in plain(attack.page.inner_text("body"))


def test_without_the_policy_nothing_runs_either(attack, reports) -> None:
    for _, report in reports:
        open_text = NONCE.sub("", report.page.read_text("utf-8"))
        assert "Content-Security-Policy" not in open_text
        path = report.page.with_name("open.html")
        path.write_text(open_text, "utf-8")
        attack.open(path, 800)
        assert attack.ran == attack.complaints == []
        assert [url for url in attack.asked if url.split("#")[0] != path.as_uri()] == []


@pytest.fixture
def unescaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test build whose templates and data let everything through."""
    own = pages.templates()
    bare = jinja2.Environment(loader=own.loader, trim_blocks=True, lstrip_blocks=True)
    bare.globals |= own.globals
    bare.filters |= {**own.filters, "visible": str, "whole": str, "unbroken": str}
    monkeypatch.setattr(pages, "templates", lambda: bare)
    monkeypatch.setattr(pages, "script_json", lambda value: Markup(json.dumps(value)))
    monkeypatch.setattr(pages, "visible", str)


def test_with_escaping_off_the_policy_still_stops_all(
    attack, bare, reports, unescaped, folder, lab, monkeypatch
) -> None:
    for used, report in reports[:2]:
        notebook = nbformat.read(report.notebook, as_version=4)
        path = report.page.with_name("bare.html")
        path.write_text(
            pages.render(notebook, name="bare", lab=used, parameters={}),
            "utf-8",
            "xmlcharrefreplace",
        )
        attack.open(path, 1000)
        assert attack.ran == []
    path, live, away = folder / "one.html", 0, 0
    monkeypatch.setattr(pages, "_datatables", str)
    for n, text in enumerate(EVERY):
        page = pages.render(
            notebook_of(
                Verdict("warn", text),
                table(pl.DataFrame({text: [text]}), title=text),
                {"text/plain": text},
            ),
            name="one",
            lab=lab,
            parameters={},
        )
        path.write_text(page, "utf-8", "xmlcharrefreplace")
        attack.open(path, 40)
        assert attack.ran == [], text
        assert attack.led == [], f"{text} reached the network"
        if n % 3:
            continue
        path.write_text(NONCE.sub("", page), "utf-8", "xmlcharrefreplace")
        bare.open(path, 40)
        live += bool(bare.ran)
        away += bool(bare.led)
        bare.ran.clear()
        bare.led.clear()
    assert live > 25 and away > 10, "with neither, they do run: the test can see it"
