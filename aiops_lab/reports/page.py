"""An executed notebook as one self-contained HTML page.

Only known MIME types reach the page: verdicts, charts, tables, PNG pictures and text. Raw HTML of
an output never does; every text is escaped by the template.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import platform
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from markdown_it import MarkdownIt
from markupsafe import Markup

from aiops_lab import verdict as verdicts
from aiops_lab.charts.cases import MIME as CASES_MIME
from aiops_lab.charts.table import MIME as TABLE_MIME
from aiops_lab.charts.theme import MIME as CHART_MIME
from aiops_lab.lab import Lab
from aiops_lab.verdict import SIGNS, Evidence, Verdict

PACKAGES = ("aiops-lab", "polars", "altair", "scipy", "deltalake")
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
VEGA_LITE = "6.4"


def render(
    notebook: nbformat.NotebookNode, *, name: str, lab: Lab, parameters: Mapping[str, Any]
) -> str:
    """The page of an executed notebook."""
    blocks = list(_blocks(notebook))
    kinds = {output["kind"] for block in blocks for output in block.get("outputs", [])}
    return (
        templates()
        .get_template("page.html")
        .render(
            title=_title(notebook, name),
            name=name,
            verdict=executed_verdict(notebook),
            blocks=blocks,
            contents=[b for b in blocks if b["kind"] == "heading" and b["level"] == 2],
            failed="error" in kinds,
            nonce=secrets.token_urlsafe(16),
            vega=_vega() if "chart" in kinds else "",
            datatables=_datatables() if "table" in kinds else "",
            computed=_computed(lab, parameters),
            again=_again(name, parameters),
            made=datetime.now(UTC),
        )
    )


def executed_verdict(notebook: nbformat.NotebookNode) -> Verdict | None:
    """The first verdict among a notebook's outputs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if found := output.get("data", {}).get(verdicts.MIME):
                evidence = tuple(Evidence(**row) for row in found.get("evidence", ()))
                return Verdict(**{**found, "evidence": evidence})
    return None


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step, so that nobody sees half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8", "xmlcharrefreplace")
    beside.replace(path)


def _blocks(notebook: nbformat.NotebookNode) -> Iterator[dict[str, Any]]:
    shown = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from _prose(cell.source)
        elif cell.cell_type == "code" and cell.source.strip():
            outputs = [found for output in cell.outputs if (found := _output(output))]
            if not shown and any(o["kind"] == "verdict" for o in outputs):
                # the banner shows it
                outputs = [o for o in outputs if o["kind"] != "verdict"]
                shown = True
            yield {"kind": "code", "source": visible(cell.source), "outputs": outputs}


def _prose(source: str) -> Iterator[dict[str, Any]]:
    """Headings on their own, for the table of contents; the rest as HTML made of Markdown."""
    text: list[str] = []
    for line in [*visible(source).splitlines(), "## "]:
        heading = re.match(r"(#{1,4}) *(.*)", line)
        if heading is None:
            text.append(line)
            continue
        if "\n".join(text).strip():
            markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
            yield {"kind": "prose", "html": Markup(markdown.render("\n".join(text)))}
        text = []
        if heading[2]:
            anchor = re.sub(r"\W+", "-", heading[2].lower()).strip("-")
            yield {"kind": "heading", "level": len(heading[1]), "text": heading[2], "id": anchor}


def _output(output: Mapping[str, Any]) -> dict[str, Any] | None:
    if output["output_type"] == "stream":
        return {"kind": "text", "text": visible(output["text"])}
    if output["output_type"] == "error":
        trace = "\n".join(output.get("traceback", []))
        return {
            "kind": "error",
            "text": visible(f"{output['ename']}: {output['evalue']}"),
            "trace": visible(trace),
        }
    data = output.get("data", {})
    if verdicts.MIME in data:
        return {"kind": "verdict"}
    if CHART_MIME in data:
        spec = data[CHART_MIME]
        return {"kind": "chart", "spec": script_json(spec), "alt": _alternative(spec)}
    if TABLE_MIME in data:
        return {"kind": "table", **data[TABLE_MIME]}
    if CASES_MIME in data:
        return {"kind": "cases", **data[CASES_MIME]}
    if "image/png" in data and (picture := _png(data["image/png"])):
        return {"kind": "picture", "src": f"data:image/png;base64,{picture}"}
    text = data.get("text/plain")
    return {"kind": "text", "text": visible(text)} if text else None


def _png(text: str) -> str | None:
    try:
        content = base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(content).decode() if content[:4] == b"\x89PNG" else None


def _alternative(spec: Mapping[str, Any]) -> str:
    title = spec.get("title", "")
    parts = [title.get("text"), title.get("subtitle")] if isinstance(title, Mapping) else [title]
    return ". ".join(str(part) for part in parts if part) or "Chart"


def visible(text: str) -> str:
    """Text without terminal codes; characters that hide or turn text shown as what they are."""
    text = ANSI.sub("", text.replace("\r\n", "\n"))
    return HIDDEN.sub(lambda m: f"[U+{ord(m[0]):04X}]", text)


def unbroken(text: str) -> str:
    """Figures kept on one line with their unit."""
    return re.sub(r"(?<=\d) (?=%|points|times)", "\u00a0", text)


def script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _title(notebook: nbformat.NotebookNode, name: str) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0][2:]
    return name


def _computed(lab: Lab, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    given = ", ".join(f"{key} = {value!r}" for key, value in parameters.items())
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        ("lab", f"{lab.path.resolve().name}, version {lab.version}"),
        ("parameters", given or "the defaults"),
        ("packages", f"Python {platform.python_version()}, {packages}"),
    ]


def _again(name: str, parameters: Mapping[str, Any]) -> str:
    given = [
        part
        for key, value in parameters.items()
        for part in ("-p", key, value if isinstance(value, str) else json.dumps(value))
    ]
    return shlex.join(["aiops-lab", "report", name, "--lab", "LAB", *given])


@cache
def templates() -> jinja2.Environment:
    """The page templates: autoescaped, undefined names refused."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("aiops_lab.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals |= {"signs": SIGNS, "css": _asset("page.css"), "js": _asset("page.js")}
    environment.filters |= {"visible": visible, "unbroken": unbroken}
    return environment


def _asset(name: str) -> Markup:
    return Markup(files("aiops_lab.reports").joinpath("templates", name).read_text("utf-8"))


@cache
def _vega() -> Markup:
    """Vega, Vega-Lite and vega-embed, to draw without a network."""
    import vl_convert

    bundle = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # pyright: ignore[reportCallIssue]
    return _in_script(bundle)


@cache
def _datatables() -> Markup:
    """DataTables, from the module that itables carries."""
    text = files("itables").joinpath("html", "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"export\s*\{([^}]*)\}", text)
    name = exported and re.search(r"([\w$]+) as (?:default|DataTable)\b", exported[1])
    if not exported or not name:
        return Markup("")
    body = text[: exported.start()] + f"window.DataTable={name[1]};" + text[exported.end() :]
    return _in_script(body)


def _in_script(source: str) -> Markup:
    return Markup(re.sub(r"</(script)", r"<\\/\1", source, flags=re.IGNORECASE))
