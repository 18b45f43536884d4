"""A series over time to drag over: its picture, and what lies under the brush."""

from __future__ import annotations

import datetime as dt

import altair as alt
import polars as pl

from aiops_lab.charts.intervals import Chart
from aiops_lab.charts.theme import BASELINE, CANDIDATE, WORSE
from aiops_lab.widgets.panel import EMBED, INK, WIDTH

BRUSH = "days"
Ends = tuple[dt.datetime, dt.datetime]


def brushable() -> alt.JupyterChart:
    """A place for such a picture."""
    return alt.JupyterChart(alt.Chart().mark_point(), embed_options=EMBED)


def brushed(chart: alt.JupyterChart) -> Ends | None:
    """The first and the last moment under the brush; None where nothing is brushed."""
    selection = getattr(chart.selections, BRUSH, None)
    ends = (selection.value if selection else {}).get("day")
    if not ends:
        return None
    low, high = (dt.datetime.fromtimestamp(at / 1000, dt.UTC) for at in sorted(ends))
    return low, high


def series(
    rows: pl.DataFrame, title: str, subtitle: str, *, share: bool, window: Ends | None = None
) -> Chart:  # fmt: skip
    """A line of points; times are UTC, as the brush tells them.

    Parameters
    ----------
    rows
        day, value, low, high (a band; null where there is none), fired (to be
        told apart).
    window
        What is brushed at first.
    """
    scale = 100.0 if share else 1.0
    data = rows.select(
        pl.col("day").dt.timestamp("ms"), "fired",
        *((pl.col(name) * scale).round_sig_figs(4) for name in ("value", "low", "high")),
    ).to_dicts()  # fmt: skip
    x = alt.X("day:T", title=None, scale=alt.Scale(type="utc"),
              axis=alt.Axis(format="%-d %b", labelAngle=0, tickCount=6))  # fmt: skip
    y = alt.Y("value:Q", title="%" if share else None, scale=alt.Scale(zero=False))
    base = alt.Chart(alt.InlineData(values=data))
    told = [end.timestamp() * 1000 for end in window or ()]
    look = alt.BrushConfig(fill=CANDIDATE, fillOpacity=0.2, stroke=CANDIDATE)
    brush = alt.selection_interval(
        name=BRUSH, encodings=["x"], mark=look, value={"x": told} if told else alt.Undefined
    )
    hit = alt.datum.fired
    points = base.mark_point(filled=True).encode(
        x=x, y=y, color=alt.condition(hit, alt.value(WORSE), alt.value(CANDIDATE)),
        size=alt.condition(hit, alt.value(110), alt.value(22)),
        opacity=alt.when(brush).then(alt.value(1)).otherwise(alt.value(0.25)),
        tooltip=[alt.Tooltip("day:T", format="%-d %b %Y"),
                 alt.Tooltip("value:Q", format=".3~g")],
    ).add_params(brush)  # fmt: skip
    heading = alt.TitleParams(title, color=INK, subtitleColor=INK, subtitle=subtitle)
    band = base.mark_area(opacity=0.2, color=BASELINE).encode(x=x, y="low:Q", y2="high:Q")
    line = base.mark_line(color=CANDIDATE, strokeWidth=1.3).encode(x=x, y=y)
    return (
        alt.layer(*([band] if rows["low"].count() else []), line, points)
        .properties(width=WIDTH, height=180, title=heading)
        .configure(background="transparent")
        .configure_axis(labelColor=INK, titleColor=INK, gridColor=BASELINE)
    )
