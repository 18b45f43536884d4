"""When was the incident? A figure over time to brush, and a triage of what lies under the brush."""

from __future__ import annotations

import datetime as dt
from typing import Any

import altair as alt
import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts import triage as pictures
from aiops_lab.errors import BadSettings, LabError
from aiops_lab.respond.incident import moment
from aiops_lab.respond.triage import Triage, triage
from aiops_lab.traffic.summaries import ALL
from aiops_lab.watch.event_words import label
from aiops_lab.widgets.brush import BRUSH, Ends, brushable, brushed, series
from aiops_lab.widgets.panel import WIDE, Panel, facet, row, scrolled, sentence, shown

DAY, PAD = dt.timedelta(days=1), dt.timedelta(hours=8)
DRAG = "Drag over the incident, or write when it was (UTC): 2026-10-15 or 2026-10-15T09:00."
NOTHING = "The lab holds no traffic yet; ingest traces: aiops-lab ingest TRACES --lab LAB"


class IncidentPicker(Panel):
    """A figure over time, the window of the incident, and its triage; see `pick_incident`.

    Attributes
    ----------
    value
        What `triage(lab, **value)` takes: window, metric and where; empty while it is in error.
    result
        The last triage; None before. Widgets that are given the picker follow it.
    """

    told = "Brush the window of the incident in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Dict()
    result = traitlets.Any()

    def __init__(self, lab: Any, result: Triage | None = None) -> None:
        alt.JupyterChart.enable_offline()
        self.lab, self.days, self.dragging, self.drawn = lab, lab.daily(()), False, set[Any]()
        asked = result.settings if result is not None else {}
        metrics, parts = (self.days[name].unique().sort() for name in ("metric", "slice"))
        self.metric = facet("Figure", [asked.get("metric"), *metrics], self._draw, every=False)
        self.part = facet("Slice", [asked.get("where", ALL), ALL, *parts], self._draw, every=False)
        self.chart = brushable()
        self.began, self.ended = (
            ipywidgets.Text(description=name, value=text, placeholder="the last request",
                            continuous_update=False, layout={"width": WIDE})
            for name, text in zip(("Began", "Ended"), self._first(asked), strict=True)
        )  # fmt: skip
        for box in (self.began, self.ended):
            box.observe(self._typed, "value")
        self.button = ipywidgets.Button(
            description="Find suspects", icon="search", button_style="primary"
        )
        self.button.on_click(self.run)
        self.hint, self.verdict, self.ranking = ipywidgets.HTML(), ipywidgets.HTML(), scrolled()
        super().__init__(
            row(self.metric, self.part), self.chart, row(self.began, self.ended),
            row(self.button, self.hint), self.verdict, self.ranking,
        )  # fmt: skip
        self.observe(self._tell, "result")
        self.result = result
        self._draw()

    def _first(self, asked: dict[str, Any]) -> list[str]:
        """The window of a triage, else the last week."""
        if "window" in asked:
            ends = [dt.datetime.fromisoformat(end) for end in asked["window"]]
            return [_written(ends[0]), _written(ends[1], last=True)]
        last = self.days["day"].max()
        if not isinstance(last, dt.date):
            return ["", ""]
        return [str(max(self.days["day"].min(), last - 6 * DAY)), str(last)]

    def _draw(self, _: Any = None) -> None:
        self._read()
        metric, part = str(self.metric.value), str(self.part.value)
        rows = self.days.filter(pl.col("evaluated") > 0, metric=metric, slice=part).sort("day")
        self.chart.layout.display = None if rows.height else "none"
        if rows.height:
            nothing = pl.lit(None, pl.Float64)
            value = pl.coalesce("events", "sum") / pl.col("evaluated")
            window = self._ends()
            self.drawn |= {window}
            self.chart.chart = series(
                rows.select("day", value=value, low=nothing, high=nothing, fired=False),
                f"{label(metric)}, {part}", "", window=window,
                share=rows["events"].count() > 0,
            )  # fmt: skip
            self.chart.selections.observe(self._brush, BRUSH)

    def _ends(self) -> Ends | None:
        """The window as the brush shows it, around the days that are in it."""
        if not self.value:
            return None
        low, high = self.value["window"]
        high = self.days["day"].max() if high is None else high
        first, last = (
            (moment(end), dt.timedelta(0) if isinstance(end, dt.datetime) else PAD)
            for end in (low, high)
        )
        return first[0] - first[1], max(last[0] + last[1], first[0])

    def _brush(self, _: Any) -> None:
        """The days under the brush; a window that was drawn, which comes back, changes nothing."""
        ends = brushed(self.chart)
        if ends is None or ends in self.drawn:
            return
        low, high = ends[0] + DAY - dt.timedelta(microseconds=1), ends[1]
        days = sorted(each.date() for each in (low, high))  # none under it: both beside it
        self.dragging = True
        self.began.value, self.ended.value = map(str, days)
        self.dragging = False

    def _typed(self, _: Any) -> None:
        if self.dragging:
            self._read()
        else:
            self._draw()

    def _read(self) -> None:
        """The value, out of the controls; why there is none."""
        try:
            began, ended = (_moment(box.value.strip()) for box in (self.began, self.ended))
            if began is None:
                raise BadSettings("write when it began")
            if ended is not None and moment(ended) < moment(began):
                raise BadSettings("it ends before it begins")
            where = None if self.part.value == ALL else self.part.value
            self.value = {"window": (began, ended), "metric": self.metric.value, "where": where}
            self.hint.value = sentence(DRAG)
        except LabError as error:
            self.value = {}
            known = self.days.height
            self.hint.value = sentence(f"✕ {error}", "wrong") if known else sentence(NOTHING)
        self.button.disabled = not self.value

    def run(self, _: Any = None) -> None:
        """Triage the window."""
        self.button.disabled = True
        self.hint.value = sentence("Weighing who may have done it …")
        try:
            self.result = triage(self.lab, **self.value)
            self.hint.value = sentence(DRAG)
        except LabError as error:
            self.hint.value = sentence(f"✕ {error}", "wrong")
        finally:
            self.button.disabled = False

    def _tell(self, _: Any = None) -> None:
        told = self.result
        self.verdict.value = shown(told.verdict) if told else ""
        self.ranking.value = shown(pictures.board(told)) if told and told.suspects.height else ""


def _moment(text: str) -> dt.date | None:
    """A day where the text is one, else a time; None of an empty text."""
    at = moment(text) if text else None
    return at.date() if at is not None and len(text) == len("2026-10-15") else at


def _written(end: dt.datetime, last: bool = False) -> str:
    """A window's end as one writes it; the last whole day is in it."""
    if end.time() == dt.time():
        return str((end - DAY * last).date())
    return end.strftime("%Y-%m-%dT%H:%M")


def pick_incident(lab: Any, result: Triage | None = None) -> IncidentPicker:
    """Brush the window of an incident and rank who may have done it.

    Parameters
    ----------
    lab
        A Lab with traffic.
    result
        A triage to begin with; without one the last week is the window, and nothing is weighed yet.

    Examples
    --------
    >>> import tempfile
    >>> from aiops_lab import open_lab
    >>> picker = pick_incident(open_lab(tempfile.mkdtemp()))
    >>> picker.value, picker.button.disabled
    ({}, True)
    """
    return IncidentPicker(lab, result)
