"""Which days, which slice, which requests? A series to brush, and what lies under the brush."""

from __future__ import annotations

import datetime as dt
from typing import Any

import altair as alt
import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts import table, traces
from aiops_lab.errors import BadSettings
from aiops_lab.watch.behaviour import Behaviour
from aiops_lab.watch.event_words import label
from aiops_lab.watch.traces import pick_traces
from aiops_lab.widgets.brush import BRUSH, brushable, brushed, series
from aiops_lab.widgets.panel import Panel, facet, row, scrolled, sentence, shown
from aiops_lab.wording import figure, listing

DRAG = "Drag over days to keep those; double-click the chart to see all again."
TOLD = "Grey: where 95 % of days lie while nothing changes; large: the alarm"


class BehaviourExplorer(Panel):
    """One figure of one slice by day, to brush; make one with `explore_behaviour`.

    Attributes
    ----------
    value
        The rows of `Behaviour.series` under the brush: a Polars frame.
    """

    told = "Brush the days in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Instance(pl.DataFrame, ())

    def __init__(self, result: Behaviour, lab: Any = None, metric: str | None = None) -> None:
        alt.JupyterChart.enable_offline()
        self.result, self.lab = result, lab
        shifted = result.alarms["metric"].unique(maintain_order=True).to_list()
        known = [*shifted, *result.series["metric"].unique(maintain_order=True)]
        if metric not in (None, *known):
            raise BadSettings(f"no figure {metric!r}; there are {listing(dict.fromkeys(known))}")
        parts = [result.where, *result.series["slice"].unique(maintain_order=True)]
        self.metric = facet("Figure", [metric, *known], self._draw, every=False)
        self.part = facet("Slice", parts, self._draw, every=False)
        self.chart = brushable()
        self.count, self.table, self.requests = ipywidgets.HTML(), scrolled(), scrolled()
        self.pick = ipywidgets.Button(description="Show requests", icon="search")
        self.pick.layout.display = None if lab is not None else "none"
        self.pick.on_click(self._pick)
        super().__init__(
            row(self.metric, self.part), self.chart, self.count, self.table, self.pick,
            self.requests,
        )  # fmt: skip
        self._draw()

    def _draw(self, _: Any = None) -> None:
        own = pl.col("metric").eq(pl.lit(self.metric.value, pl.String))
        self.slices = self.result.series.filter(own)
        self.found = self.slices.filter(slice=self.part.value).sort("day")
        self.chart.layout.display = None if self.found.height else "none"
        if self.found.height:
            alarms = self.result.alarms.filter(own, slice=self.part.value)
            name = label(str(self.metric.value))
            self.chart.chart = series(
                self.found.with_columns(fired=pl.col("day").is_in(alarms["day"].implode())),
                f"{name}, {self.part.value}", TOLD, share=self._share,
            )  # fmt: skip
            self.chart.selections.observe(self._filter, BRUSH)
        self._filter()

    @property
    def _share(self) -> bool:
        known = self.result.power.filter(metric=self.metric.value)["share"]
        return bool(known.len() and known[0])

    @property
    def days(self) -> tuple[dt.date, dt.date] | None:
        """The first and the last day under the brush; None where all are."""
        ends = brushed(self.chart)
        return ends and (ends[0].date(), ends[1].date())

    def _filter(self, _: Any = None) -> None:
        inside = pl.col("day").is_between(*self.days) if self.days else pl.lit(True)
        self.value, self.requests.value = self.found.filter(inside), ""
        told = f"{self.value.height} of {self.found.height} days. {DRAG}"
        self.count.value = sentence(told if self.found.height else "This slice was not watched.")
        rows = self.slices.filter(inside).group_by("slice").agg(pl.col("value", "expected").mean())
        self.table.value = shown(table(_told(rows, self._share))) if rows.height else ""

    def _pick(self, _: Any = None) -> None:
        since, until = self.days or (None, None)
        steps = pick_traces(self.lab, since=since, until=until, where=self.part.value)
        self.requests.value = shown(traces.viewer(steps))


def _told(rows: pl.DataFrame, share: bool) -> pl.DataFrame:
    """What each slice was in these days, those furthest from what was expected first."""
    away = (pl.col("value") - pl.col("expected")).abs()
    ordered = rows.sort(away, "slice", descending=[True, False], nulls_last=True)
    return pl.DataFrame(
        [
            {"slice": each["slice"], "these days": figure(each["value"], share=share),
             "expected": figure(each["expected"], share=share)}
            for each in ordered.iter_rows(named=True)
        ]
    )  # fmt: skip


def explore_behaviour(
    result: Behaviour, lab: Any = None, metric: str | None = None
) -> BehaviourExplorer:
    """Brush the days of a figure; tables below tell every slice and, of a lab, single requests.

    Parameters
    ----------
    result
        What `aiops_lab.watch_behaviour` found.
    lab
        The lab, whose requests of the brushed days are shown when asked for.
    metric
        The figure to begin with; by default the one that shifted most clearly.

    Examples
    --------
    >>> from aiops_lab import watch_behaviour
    >>> days = pl.date_range(pl.date(2026, 4, 1), pl.date(2026, 5, 14), eager=True)
    >>> daily = pl.DataFrame({"day": days, "metric": "refusal", "slice": "all", "n": 500,
    ...                       "events": [15, 14, 16, 15, 13, 17, 15] * 6 + [44, 41]})
    >>> explore_behaviour(watch_behaviour(daily)).value.height
    44
    """
    return BehaviourExplorer(result, lab, metric)
