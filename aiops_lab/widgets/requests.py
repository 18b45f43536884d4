"""What is different in the request that fails? Two requests side by side, step by step."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts.table import cell
from aiops_lab.errors import LabError
from aiops_lab.respond.contrast import SEEN, failing_and_good, requests_side_by_side
from aiops_lab.respond.difference import text_difference
from aiops_lab.respond.triage import Triage
from aiops_lab.widgets.panel import WIDE, Panel, followed, offered, row, scrolled, sentence
from aiops_lab.widgets.texts import side_by_side
from aiops_lab.wording import visible

HINT = "First: a good request of before. Second: one that fails. Any other id can be typed."
LEGEND = (
    "≠ marks what is not the same: other words, or seconds, tokens and dollars that are two times "
    "apart or more."
)
NOTHING = "No request to show: the lab holds no traffic of these days."
FORMS = {
    "duration_s": "{} s", "tokens_in": "{} tokens in", "tokens_out": "{} tokens out",
    "cost_usd": "${}", "model_requested": "asked for {}", "model_served": "served by {}",
    "fingerprint": "fingerprint {}", "status": "{}", "name": "{}",
}  # fmt: skip
ID = "min(100%, 32em)"
"""Wide enough for a trace's id."""
QUIET = (None, "unset")


class RequestComparer(Panel):
    """Two requests side by side; make one with `compare_requests`.

    Attributes
    ----------
    value
        What `requests_side_by_side` says of both: a row a step.
    """

    told = "Lay two requests side by side in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Instance(pl.DataFrame, ())

    def __init__(
        self, lab: Any, result: Any = None, first: str | None = None, second: str | None = None
    ) -> None:
        self.lab = lab
        self.first, self.second = (
            ipywidgets.Combobox(description=name, value=given or "", placeholder="id of a trace",
                                continuous_update=False, layout={"width": ID})
            for name, given in (("First", first), ("Second", second))
        )  # fmt: skip
        for box in (self.first, self.second):
            box.observe(self._draw, "value")
        self.step = ipywidgets.Dropdown(description="Step", layout={"width": WIDE})
        self.step.observe(self._say, "value")
        self.hint, self.table = ipywidgets.HTML(sentence(HINT)), scrolled()
        self.texts = scrolled()
        super().__init__(row(self.first, self.second), self.hint, self.table, self.step, self.texts)
        self._begin(followed(result, self._begin), first, second)

    def _begin(
        self, result: Triage | None, first: str | None = None, second: str | None = None
    ) -> None:
        """Other requests to choose from, and of each side the first."""
        try:
            picked = failing_and_good(self.lab, result)
        except LabError as error:
            self.hint.value = sentence(f"✕ {error}", "wrong")
            return
        self.hint.value = sentence(HINT)
        sides = ((self.first, "before", first), (self.second, "within", second))
        for box, side, given in sides:
            box.unobserve(self._draw, "value")
            box.options = picked.filter(side=side)["trace_id"].to_list()
            box.value = given or next(iter(box.options), "")
            box.observe(self._draw, "value")
        self._draw()

    def _draw(self, _: Any = None) -> None:
        names = [box.value.strip() for box in (self.first, self.second)]
        self.value, told = pl.DataFrame(), NOTHING if not any(names) else "Name two requests."
        if all(names):
            try:
                self.value = requests_side_by_side(self.lab, names[0], names[1])
            except LabError as error:
                told = f"✕ {error}"
        steps = {n: f"{n}. {each['step']} {each['name_first'] or each['name_second'] or ''}"
                 for n, each in enumerate(self.value.to_dicts())}  # fmt: skip
        offered(self.step, steps, self._say, self._telling())
        self.step.layout.display = None if steps else "none"
        self.table.value = _table(self.value) if steps else sentence(told)
        self._say()

    def _telling(self) -> int | None:
        """The last step whose output is not the same."""
        if not self.value.height:
            return None
        places = self.value.select(pl.col("differs").list.contains("output").arg_true())
        return places.to_series().max()  # pyright: ignore[reportReturnType]

    def _say(self, _: Any = None) -> None:
        """What the chosen step was given and gave, in both."""
        if self.step.value is None:
            self.texts.value = ""
            return
        own, told = self.value.row(self.step.value, named=True), []
        for name in ("input", "output"):
            found = text_difference(own[f"{name}_first"], own[f"{name}_second"])
            texts = side_by_side(found, (f"− {name}, first", f"+ {name}, second"))
            told.append(f"<p><b>{name}</b></p>{texts}")
        self.texts.value = "".join(told)


def _table(steps: pl.DataFrame) -> str:
    rows = "".join(
        f"<tr><td>{n}. {html.escape(visible(each['step']))}</td>{_cell(each, 'first')}"
        f"{_cell(each, 'second')}</tr>"
        for n, each in enumerate(steps.to_dicts())
    )
    heads = '<th style="width:8em">step</th><th>first</th><th>second</th>'
    return f'{sentence(LEGEND)}<table class="steps"><tr>{heads}</tr>{rows}</table>'


def _cell(step: dict[str, Any], side: str) -> str:
    """What a step was, what differs first."""
    values = {name: step[f"{name}_{side}"] for name in SEEN if name not in ("input", "output")}
    alone = "step" in step["differs"]
    if alone and not any(values.values()):
        return f"<td>{sentence('≠ not there', 'role')}</td>"
    marked = [name for name in values if name in step["differs"]]
    told = [sentence("≠ only here", "role")] if alone else []
    told += [sentence(f"≠ {_told(name, values[name])}", "role") for name in marked]
    told += [
        sentence(_told(name, value), "")
        for name, value in values.items() if name not in marked and value not in QUIET
    ]  # fmt: skip
    return f"<td>{' · '.join(told)}</td>"


def _told(name: str, value: Any) -> str:
    form = FORMS.get(name, f"{name.removesuffix('_version')} {{}}")
    return form.format("none" if value is None else cell(value)[0])


def compare_requests(
    lab: Any, result: Any = None, first: str | None = None, second: str | None = None
) -> RequestComparer:
    """Lay two requests side by side: what differs in their steps, and in what these gave.

    Parameters
    ----------
    lab
        A Lab.
    result
        A `Triage`, or the widget `pick_incident` gives, which is followed: whose incident tells
        which requests are offered.
    first, second
        Ids of traces; default: a good one of before, and one that fails in the incident.

    Examples
    --------
    >>> import tempfile
    >>> from aiops_lab import open_lab
    >>> compare_requests(open_lab(tempfile.mkdtemp())).value.height
    0
    """
    return RequestComparer(lab, result, first, second)
