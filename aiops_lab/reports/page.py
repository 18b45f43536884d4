"""An executed notebook as one self-contained HTML page.

Only known MIME types reach the page: verdicts, charts, tables, PNG pictures and text. Raw HTML of
an output never does; every text is escaped by the template.
"""

from __future__ import annotations

import base64
import binascii
import json
import platform
import re
import secrets
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from markdown_it import MarkdownIt
from markupsafe import Markup

from aiops_lab import verdict as verdicts
from aiops_lab.charts.cases import MIME as CASES_MIME
from aiops_lab.charts.figures import figures
from aiops_lab.charts.table import MIME as TABLE_MIME
from aiops_lab.charts.theme import MIME as CHART_MIME
from aiops_lab.errors import LabError
from aiops_lab.files import write_text
from aiops_lab.lab import Lab, cache_folder
from aiops_lab.reports.playbook import anchor, entries
from aiops_lab.verdict import SIGNS, WIDGET_MIME, Evidence, Verdict
from aiops_lab.wording import all_visible, visible

PACKAGES = ("aiops-lab", "polars", "altair", "scipy", "deltalake")
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
VEGA_LITE = "6.4"
VIEW_MIME = "application/vnd.jupyter.widget-view+json"
LIVE = "This is live in JupyterLab: aiops-lab open --lab LAB"
OWN_IDS = ("computed-from", "main")
SOURCES = 10
"""So many sources are named at first sight."""


def render(
    notebook: nbformat.NotebookNode,
    *,
    name: str,
    lab: Lab,
    parameters: Mapping[str, Any],
    link: str | None = None,
    as_of: str | None = None,
) -> str:
    """The page of an executed notebook; `link` leads from the page to the notebook."""
    blocks = list(_blocks(notebook))
    verdict = executed_verdict(notebook)
    kinds = {output["kind"] for block in blocks for output in block.get("outputs", [])}
    return (
        templates()
        .get_template("page.html")
        .render(
            title=title(notebook, name),
            name=name,
            verdict=verdict,
            blocks=blocks,
            contents=[b for b in blocks if b["kind"] == "heading" and b["level"] == 2],
            failed="error" in kinds,
            nonce=secrets.token_urlsafe(16),
            vega=_vega() if "chart" in kinds else "",
            datatables=_datatables() if kinds & {"table", "chart"} else "",
            cases=_case_places(blocks),
            computed=_computed(lab, parameters),
            sources=_sources(lab),
            first=SOURCES,
            again=_again(name, parameters),
            link=link or f"{name}.ipynb",
            as_of=as_of,
            entries=entries(verdict) if link and verdict else [],
            made=datetime.now(UTC),
        )
    )


def document(text: str) -> str:
    """A Markdown text of ours as a page of its own; what it quotes was made plain before."""
    blocks = list(_prose(text))
    for block in blocks:
        if block["kind"] == "heading":
            block["html"] = Markup(_markdown().renderInline(block["text"]))
    page = templates().get_template("document.html")
    return page.render(title=_heading(text), blocks=blocks, nonce=secrets.token_urlsafe(16))


def write_document(text: str, path: Path) -> list[Path]:
    """Write a Markdown text of ours, and the same as a page beside it; returns both."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = path.with_suffix(".html")
    write_text(path, text)
    write_text(page, document(text))
    return [path, page]


def _heading(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ").replace("\\", "")


def executed_verdict(notebook: nbformat.NotebookNode) -> Verdict | None:
    """The first verdict among a notebook's outputs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if found := output.get("data", {}).get(verdicts.MIME):
                evidence = tuple(Evidence(**row) for row in found.get("evidence", ()))
                return Verdict(**{**found, "evidence": evidence})
    return None


def _blocks(notebook: nbformat.NotebookNode) -> Iterator[dict[str, Any]]:
    shown, anchors = False, Counter(OWN_IDS)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for block in _prose(cell.source):
                if block["kind"] == "heading":
                    anchors[block["id"]] += 1
                    if (count := anchors[block["id"]]) > 1:
                        block["id"] += f"-{count}"
                yield block
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
            yield {"kind": "prose", "html": Markup(_markdown().render(unbroken("\n".join(text))))}
        text = []
        if heading[2]:
            yield {"kind": "heading", "level": len(heading[1]), "text": heading[2],
                   "id": anchor(heading[2])}  # fmt: skip


@cache
def _markdown() -> MarkdownIt:
    """No HTML, and no picture, which would be asked for."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def _output(output: Mapping[str, Any]) -> dict[str, Any] | None:
    if output["output_type"] == "stream":
        return {"kind": "text", "text": printed(output["text"])}
    if output["output_type"] == "error":
        trace = "\n".join(output.get("traceback", []))
        return {
            "kind": "error",
            "text": printed(f"{output['ename']}: {output['evalue']}"),
            "trace": printed(trace),
        }
    data = output.get("data", {})
    if verdicts.MIME in data:
        return {"kind": "verdict"}
    if CHART_MIME in data:
        spec = data[CHART_MIME]
        table = figures(spec)
        return {
            "kind": "chart",
            "spec": script_json(all_visible(spec)),
            "alt": _alternative(spec),
            "hint": _hint(spec),
            "figures": table and table.to_dict(),
        }
    if TABLE_MIME in data:
        return {"kind": "table", **data[TABLE_MIME]}
    if CASES_MIME in data:
        return {"kind": "cases", **data[CASES_MIME]}
    if "image/png" in data and (picture := _png(data["image/png"])):
        return {"kind": "picture", "src": f"data:image/png;base64,{picture}"}
    if WIDGET_MIME in data:
        return {"kind": "live", "text": str(data[WIDGET_MIME].get("told") or LIVE)}
    if VIEW_MIME in data:
        return {"kind": "live", "text": LIVE}
    text = data.get("text/plain")
    return {"kind": "text", "text": printed(text)} if text else None


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


def _hint(spec: Mapping[str, Any]) -> str:
    """What a reader can do with a chart."""
    params = [p for p in spec.get("params") or [] if isinstance(p, Mapping)]
    if any(p.get("bind") == "legend" for p in params):
        return "Click a name in the legend to pick it out."
    if any("interval" in str(p.get("select")) for p in params):
        return "Drag over points to pick them out; double-click to let go."
    return ""


def _case_places(blocks: list[dict[str, Any]]) -> dict[str, str]:
    """Where on the page each question's case is; named before the colon of its title."""
    found: dict[str, str] = {}
    shown = [o for block in blocks for o in block.get("outputs", []) if o["kind"] == "cases"]
    for n, case in enumerate((case for output in shown for case in output["cases"]), 1):
        case["id"] = f"case-{n}"
        found.setdefault(case["title"].partition(": ")[0], case["id"])
    return found


def printed(text: str) -> str:
    """What was printed to a terminal, without its codes."""
    return visible(ANSI.sub("", text))


def unbroken(text: str) -> str:
    """Figures kept on one line with their unit."""
    return re.sub(r"(?<=\d) (?=%|points|times)", "\u00a0", text)


def script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def title(notebook: nbformat.NotebookNode, name: str) -> str:
    """The first heading of a notebook, else its name."""
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


def _sources(lab: Lab) -> list[str]:
    """Short digests of the sources that the lab shows."""
    return lab.sources()["digest"].unique(maintain_order=True).str.head(12).to_list()


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
    environment.filters["whole"] = partial(visible, alone=True)
    return environment


def prepare() -> None:
    """Make what all pages share ready: a second, once in a process."""
    for make in (templates, _vega, _datatables):
        make()


def _asset(name: str) -> Markup:
    return Markup(files("aiops_lab.reports").joinpath("templates", name).read_text("utf-8"))


@cache
def _vega() -> Markup:
    """Vega, Vega-Lite and vega-embed, to draw without a network; bundled once on a machine."""
    kept = cache_folder() / f"vega-{version('vl-convert-python')}-{VEGA_LITE}.js"
    with suppress(OSError, UnicodeError):
        return _in_script(kept.read_text("utf-8"))
    import vl_convert

    bundle = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # pyright: ignore[reportCallIssue]
    with suppress(OSError, LabError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, bundle)
    return _in_script(bundle)


@cache
def _datatables() -> Markup:
    """DataTables, from the module that itables carries."""
    package = find_spec("itables")  # importing it takes a second
    assert package and package.origin
    text = Path(package.origin).with_name("html").joinpath("dt_bundle.js").read_text("utf-8")
    exported = re.search(r"export\s*\{([^}]*)\}", text)
    name = exported and re.search(r"([\w$]+) as (?:default|DataTable)\b", exported[1])
    if not exported or not name:
        return Markup("")
    body = text[: exported.start()] + f"window.DataTable={name[1]};" + text[exported.end() :]
    return _in_script(body)


def _in_script(source: str) -> Markup:
    return Markup(re.sub(r"</(script)", r"<\\/\1", source, flags=re.IGNORECASE))
