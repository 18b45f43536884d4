"""Which slices moved, and by how much?"""

from __future__ import annotations

from typing import Any

import altair as alt
import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts import compare, table
from aiops_lab.charts.intervals import MOVES, Chart
from aiops_lab.charts.theme import BASELINE, CANDIDATE
from aiops_lab.errors import BadSettings
from aiops_lab.ship.compare import Comparison
from aiops_lab.widgets.panel import (
    EMBED,
    INK,
    Panel,
    facet,
    matching,
    row,
    scrolled,
    search,
    sentence,
    shown,
)
from aiops_lab.wording import change, figure, interval, listing, visible

BRUSH = "brush"
MOST = 40
"""So many slices are drawn, those that moved most; the table has all."""
DRAWN = {"at": "difference", "from": "low", "to": "high"}
"""What is drawn, in points where a score is a share."""
DRAG = "Drag over the dots to keep those; double-click the chart to see all again."


class SliceExplorer(Panel):
    """Slices in a chart to brush and a table that follows; make one with `explore_slices`.

    Attributes
    ----------
    value
        The rows of `Comparison.slices` that are brushed and searched for: a Polars frame.
    """

    told = "Brush the slices in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Instance(pl.DataFrame, ())

    def __init__(self, result: Comparison, metric: str | None = None) -> None:
        alt.JupyterChart.enable_offline()
        unit = pl.when("share").then(100.0).otherwise(1.0)
        self.slices = result.slices.with_columns(
            pl.format("{} ({})", compare.names(result, "by", "slice"), "n")
            .map_elements(visible, pl.String)
            .alias("name"),
            *((pl.col(column) * unit).alias(drawn) for drawn, column in DRAWN.items()),
        )
        lost_first = pl.col("difference") * pl.col("direction") >= 0
        ranked = self.slices.sort(lost_first, "p_value", nulls_last=True)["metric"].unique(
            maintain_order=True
        )
        if metric not in (None, *ranked):
            raise BadSettings(f"no slices of a score {metric!r}; there are {listing(ranked)}")
        self.metric = facet("Score", [metric, *ranked], self._draw, every=False)
        self.search = search("words of a slice's name", self._draw)
        self.chart = alt.JupyterChart(alt.Chart().mark_point(), embed_options=EMBED)
        self.count, self.table = ipywidgets.HTML(), scrolled()
        super().__init__(row(self.metric, self.search), self.chart, self.count, self.table)
        self._draw()

    def _draw(self, _: Any = None) -> None:
        own = pl.col("metric").eq_missing(self.metric.value)
        self.found = self.slices.filter(own, matching(self.search.value, "name"))
        drawn = self.found.drop_nulls("difference").sort("p_value", nulls_last=True).head(MOST)
        self.chart.layout.display = None if drawn.height else "none"
        if drawn.height:
            self.chart.chart = _chart(drawn)
            self.chart.selections.observe(self._filter, BRUSH)
        self._filter()

    def _filter(self, _: Any = None) -> None:
        selection = getattr(self.chart.selections, BRUSH, None)
        rows = self.found
        for field, ends in (selection.value if selection else {}).items():
            column, name = pl.col(field), field == "name"
            kept = column.is_in(ends) if name else column.is_between(min(ends), max(ends))
            rows = rows.filter(kept)
        self.value = rows.drop("name", *DRAWN)
        told = f"{rows.height} of {self.found.height} slices. {DRAG}"
        if self.found.height > MOST:
            told += f" The {MOST} that moved most clearly are drawn."
        if not self.slices.height:
            told = "There are no slices: no metadata key has 2 to 12 values."
        self.count.value = sentence(told)
        self.table.value = shown(table(_told(rows))) if rows.height else ""


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in words."""
    told = [
        {
            "slice": each["name"],
            **{side: figure(each[side], share=each["share"]) for side in compare.SIDES},
            "change": f"{change(each['difference'], share=each['share'])} "
            f"{interval(each['low'], each['high'], share=each['share'])}",
            "moved": each["moved"],
        }
        for each in rows.sort("p_value", nulls_last=True).iter_rows(named=True)
    ]
    return pl.DataFrame(told)


def _chart(found: pl.DataFrame) -> Chart:
    """A dot and its 95 % interval a slice, the largest loss on top."""
    rows = found.sort(pl.col("at") * pl.col("direction")).select("name", "moved", *DRAWN)
    title = f"candidate less baseline{', points' if found['share'].all() else ''}"
    x = alt.X("at:Q", title=title)
    look = alt.BrushConfig(fill=CANDIDATE, fillOpacity=0.2, stroke=CANDIDATE)
    brush = alt.selection_interval(name=BRUSH, encodings=["x", "y"], mark=look)
    domain, (colours, shapes) = list(MOVES), zip(*MOVES.values(), strict=True)
    zero = alt.Chart(pl.DataFrame({"at": [0]})).mark_rule(color=BASELINE).encode(x)
    base = alt.Chart(rows).encode(
        y=alt.Y("name:N", sort=None, title=None),
        color=alt.Color("moved:N", scale=alt.Scale(domain=domain, range=colours)),
        opacity=alt.when(brush).then(alt.value(1)).otherwise(alt.value(0.25)),
        tooltip=[
            "name",
            "moved",
            *(alt.Tooltip(f"{k}:Q", title=title, format=".2f") for k, title in DRAWN.items()),
        ],
    )
    lines = base.mark_rule(strokeWidth=2.5).encode(alt.X("from:Q", title=title), x2="to:Q")
    shape = alt.Shape("moved:N", scale=alt.Scale(domain=domain, range=shapes))
    points = base.mark_point(filled=True, size=90).encode(x, shape=shape).add_params(brush)
    heading = alt.TitleParams(
        f"{found['metric'][0]} by slice",
        subtitle="(number of questions); line: 95 % interval; coloured where clear",
        color=INK,
        subtitleColor=INK,
    )
    return (
        alt.layer(zero, lines, points)
        .properties(width=520, height=max(90, 26 * rows.height), title=heading)
        .configure(background="transparent")
        .configure_axis(labelColor=INK, titleColor=INK, gridColor=BASELINE, labelLimit=320)
        .configure_legend(labelColor=INK)
    )


def explore_slices(result: Comparison, metric: str | None = None) -> SliceExplorer:
    """Brush the slices of a score in a chart; a table below shows what is in the brush.

    Parameters
    ----------
    result
        A comparison.
    metric
        The score to begin with.

    Examples
    --------
    >>> import polars as pl
    >>> from aiops_lab import compare_runs
    >>> table = pl.DataFrame({
    ...     "run_id": ["a"] * 10 + ["b"] * 10,
    ...     "sample_id": [*range(10)] * 2,
    ...     "topic": ["tea"] * 5 + ["milk"] * 5 + ["tea"] * 5 + ["milk"] * 5,
    ...     "value": [1, 0] * 5 + [1, 1] * 5,
    ... })
    >>> explorer = explore_slices(compare_runs(table, baseline="a", candidate="b"))
    >>> explorer.value["slice"].to_list()
    ['milk', 'tea']
    """
    return SliceExplorer(result, metric)
