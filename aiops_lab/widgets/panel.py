"""What every widget here is made of: a labelled panel, a search box, a drop-down, safe HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import altair as alt
import ipywidgets
import polars as pl

from aiops_lab.charts.cases import Cases
from aiops_lab.charts.retrieval import Picture
from aiops_lab.charts.theme import BASELINE
from aiops_lab.verdict import WIDGET_MIME
from aiops_lab.wording import visible

WIDE, WIDER = "min(100%, 26em)", "min(100%, 52em)"
WIDTH = 560
EMBED = {"renderer": "svg", "actions": False}
"""SVG takes the text colour of JupyterLab's theme; the actions menu would lead outside."""
INK = "currentColor"
CSS = """<style>
.aiops-lab { color: var(--jp-ui-font-color1); }
.aiops-lab .quiet { color: var(--jp-ui-font-color2); }
.aiops-lab .wrong { color: var(--jp-error-color1, #d55e00); font-weight: 600; }
.aiops-lab .widget-html-content, .aiops-lab .jupyter-widgets-html-content {
  line-height: 1.45; white-space: normal; }
.aiops-lab table { border-collapse: collapse; margin: 4px 0; }
.aiops-lab th, .aiops-lab td { padding: 4px 10px; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--jp-border-color2); overflow-wrap: anywhere; }
.aiops-lab th { overflow-wrap: break-word; }
.aiops-lab details table { width: 100%; table-layout: fixed; }
.aiops-lab summary { font-weight: 600; }
.aiops-lab pre { white-space: pre-wrap; overflow-wrap: anywhere; color: inherit; }
.aiops-lab del, .aiops-lab ins { color: inherit; }
.aiops-lab table.sides { width: 100%; table-layout: fixed; }
.aiops-lab .sides td { white-space: pre-wrap; }
.aiops-lab .role { font-weight: 600; }
</style>"""


class Panel(ipywidgets.VBox):
    """A column of controls; where there is no Python, its sentence `told` stands for it."""

    told: ClassVar[str] = "This is a widget; use it in JupyterLab: aiops-lab open --lab LAB"

    def __init__(self, *children: ipywidgets.Widget) -> None:
        super().__init__([ipywidgets.HTML(CSS, layout={"display": "none"}), *children])
        self.add_class("aiops-lab")

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**options) or {}
        return {**bundle, "text/plain": self.told, WIDGET_MIME: {"told": self.told}}


class Stepper(Panel):
    """A panel that goes through many things one by one."""

    at = 0

    def buttons(self) -> ipywidgets.Box:
        """To go back and on, and at which of how many one is."""
        self.previous = ipywidgets.Button(description="Previous", icon="arrow-left")
        self.next = ipywidgets.Button(description="Next", icon="arrow-right")
        self.counter = ipywidgets.HTML()
        self.previous.on_click(lambda _: self._show(self.at - 1))
        self.next.on_click(lambda _: self._show(self.at + 1))
        return row(self.previous, self.next, self.counter)

    def step(self, at: int, count: int) -> None:
        """Go to a place, or to the nearest there is."""
        self.at = max(0, min(at, count - 1))
        self.previous.disabled, self.next.disabled = self.at == 0, self.at >= count - 1
        self.counter.value = sentence(f"{self.at + 1 if count else 0} of {count}")

    def _show(self, at: int) -> None:
        raise NotImplementedError


class Place(ipywidgets.VBox):
    """Where a chart is drawn, or a sentence stands in its place."""

    def __init__(self) -> None:
        self.text = ipywidgets.HTML()
        self.chart = alt.JupyterChart(alt.Chart().mark_point(), embed_options=EMBED)
        super().__init__([self.text, self.chart])

    def show(self, picture: Picture) -> None:
        if isinstance(picture, Cases):
            self.text.value, self.chart.layout.display = shown(picture), "none"
            return
        drawn = picture.configure(background="transparent").configure_axis(
            labelColor=INK, titleColor=INK, gridColor=BASELINE, gridOpacity=0.35
        )
        drawn = drawn.configure_title(color=INK, subtitleColor=INK)
        drawn = drawn.configure_legend(labelColor=INK, titleColor=INK)
        self.text.value, self.chart.layout.display = "", None
        self.chart.chart = drawn.properties(width=WIDTH)

    def say(self, text: str) -> None:
        self.text.value, self.chart.layout.display = sentence(text, "wrong"), "none"


def search(placeholder: str, changed: Callable[[Any], None]) -> ipywidgets.Text:
    """A search box that calls `changed` with every letter."""
    box = ipywidgets.Text(description="Search", placeholder=placeholder, layout={"width": WIDE})
    box.observe(changed, "value")
    return box


def facet(
    name: str, values: Iterable[Any], changed: Callable[[Any], None], *, every: bool = True
) -> ipywidgets.Dropdown:
    """A drop-down of values, first all of them (None); hidden where there is nothing to choose."""
    known = [value for value in dict.fromkeys(values) if value is not None]
    names = ((visible(str(value)), value) for value in known)
    options = [*([(f"all {len(known)}", None)] if every else []), *names]
    box = ipywidgets.Dropdown(description=name, options=options, index=0 if options else None)
    box.layout = {"width": WIDE, "display": None if len(known) > 1 else "none"}
    box.observe(changed, "value")
    return box


def offered(
    box: ipywidgets.Dropdown, names: Mapping[Any, str], changed: Callable[[Any], None],
    value: Any = None,
) -> None:  # fmt: skip
    """Give a drop-down other values by their names, the first one chosen, and call nobody."""
    box.unobserve(changed, "value")
    box.options = [(visible(name), each) for each, name in names.items()]
    box.value = value if value in names else next(iter(names), None)
    box.observe(changed, "value")


def followed(source: Any, changed: Callable[[Any], None]) -> Any:
    """A result, or that of a widget, whose every further one is given to `changed`."""
    if not isinstance(source, Panel):
        return source
    source.observe(lambda change: changed(change["new"]), "result")
    return source.result  # pyright: ignore[reportAttributeAccessIssue]


def scrolled() -> ipywidgets.HTML:
    """A place for long HTML."""
    return ipywidgets.HTML(layout={"max_height": "32em", "overflow": "auto"})


def row(*children: ipywidgets.Widget) -> ipywidgets.Box:
    """Controls side by side, wrapped where the window is narrow."""
    look = {"display": "flex", "flex_flow": "row wrap", "align_items": "center"}
    return ipywidgets.Box(children, layout=look)


def sentence(text: str = "", look: str = "quiet") -> str:
    """A text as HTML, whatever it holds."""
    return f'<span class="{look}">{html.escape(visible(text))}</span>'


def shown(value: Any) -> str:
    """The HTML of a table, verdict or case; they escape what is not theirs."""
    return value._repr_mimebundle_()["text/html"]


def matching(text: str, *columns: str) -> pl.Expr:
    """Rows in which every word of `text` occurs in one of the columns, in either case."""
    texts = pl.concat_str(columns, separator="\n", ignore_nulls=True).str.to_lowercase()
    words = text.lower().split()
    return pl.all_horizontal(
        pl.lit(True), *(texts.str.contains(word, literal=True) for word in words)
    )
