"""One picture for every set of estimates: a row each, its figures in words above its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt
import polars as pl

from aiops_lab.charts.theme import BASELINE, BETTER, CANDIDATE, WORSE
from aiops_lab.tables import schema_of

Chart: TypeAlias = alt.LayerChart | alt.FacetChart
ROW_HEIGHT = 50
STILL = "no clear change"
MOVES = {
    "better": (BETTER, "triangle-up"),
    STILL: (BASELINE, "circle"),
    "worse": (WORSE, "square"),
}
RULED = {
    "ok": (BETTER, "circle"),
    "inconclusive": (BASELINE, "diamond"),
    "fail": (WORSE, "square"),
}
PLAIN = {"candidate": (CANDIDATE, "circle")}
ROW = schema_of("name told state method value:float low:float high:float limit:float questions:int")


def intervals(
    rows: Sequence[Mapping[str, Any]],
    title: str,
    subtitle: str,
    *,
    axis: str,
    states: Mapping[str, tuple[str, str]] = MOVES,
    rules: Mapping[float, str] | None = None,
    kept: tuple[float, float] | None = None,
) -> Chart:
    """Draw estimates with their intervals.

    Parameters
    ----------
    rows
        name, told (the figures in words), value, low, high, limit (or None), state, questions
        and method of each.
    axis
        What the axis shows, with its unit.
    states
        The colour and shape of each state.
    rules
        Vertical lines over all rows and what is written on them; zero without a word by default.
    kept
        The part of the axis that is shaded as good.
    """
    shown = pl.DataFrame([{k: row.get(k) for k in ROW} for row in rows], schema=ROW)
    shown = shown.with_row_index("row").with_columns(caption=pl.format("{}: {}", "name", "told"))
    y = alt.Y("row:O", axis=None)
    domain, looks = list(states), list(zip(*states.values(), strict=True))
    legend = alt.Legend() if len(states) > 1 else None
    colour = alt.Color("state:N", scale=alt.Scale(domain=domain, range=looks[0]), legend=legend)
    shape = alt.Shape("state:N", scale=alt.Scale(domain=domain, range=looks[1]), legend=legend)
    told = {"name": "what", "told": "figures", "questions": "questions", "method": "method"}
    tooltip = [alt.Tooltip(f"{name}:N", title=title) for name, title in told.items()]
    picked = alt.selection_point(name="picked", fields=["state"], bind="legend")
    seen = alt.condition(picked, alt.value(1), alt.value(0.15)) if legend else alt.value(1)
    scale = alt.Scale(zero=False, padding=12, nice=kept is None)
    few = alt.Axis(tickCount=7, labelOverlap=True)
    x = alt.X("low:Q", title=axis, scale=scale, axis=few)
    base = alt.Chart(shown).encode(y=y)
    drawn = base.encode(color=colour, tooltip=tooltip, opacity=seen)
    layers: list[Any] = []
    if kept is not None:
        band = alt.Chart(pl.DataFrame({"low": [kept[0]], "high": [kept[1]]}))
        layers.append(band.mark_rect(color=BETTER, opacity=0.09).encode(x=x, x2="high:Q"))
    for at, label in (rules or {0.0: ""}).items():
        layers += _rule(base, at, label, axis)
    lines = drawn.mark_rule(strokeWidth=2.5, yOffset=9).encode(x=x, x2="high:Q")
    layers += [
        lines.add_params(picked) if legend else lines,
        drawn.mark_point(filled=True, size=90, opacity=1, yOffset=9).encode(
            x="value:Q", shape=shape
        ),
        base.mark_text(align="left", dy=-10, limit=alt.expr("width")).encode(
            x=alt.value(0), text="caption:N", tooltip=tooltip, opacity=seen
        ),
    ]
    if (limited := shown.drop_nulls("limit")).height:
        layers += _limits(alt.Chart(limited).encode(x="limit:Q", y=y))
    return alt.layer(
        *layers,
        width="container",
        height=max(2, shown.height) * ROW_HEIGHT,
        title=alt.TitleParams(title, subtitle=subtitle),
    )


def _rule(base: alt.Chart, at: float, label: str, axis: str) -> list[alt.Chart]:
    """A vertical line, a piece a row so that none runs through the words, and its label."""
    look: dict[str, Any] = {"color": BASELINE}
    if label == "limit":
        look = {"color": WORSE, "strokeDash": [4, 3]}
    line = base.transform_calculate(at=str(at)).encode(x=alt.X("at:Q", title=axis))
    drawn = line.encode(y2="row:O").mark_rule(yOffset=-4, y2Offset=22, **look)
    if not label:
        return [drawn]
    place = alt.Chart(pl.DataFrame({"at": [at]})).encode(
        x="at:Q", y=alt.value(-7), text=alt.value(label)
    )
    side = "right" if label == "limit" else "left"
    return [drawn, place.mark_text(align=side, color=look["color"])]


def _limits(limit: alt.Chart) -> list[alt.Chart]:
    """The limit of each row that has one."""
    return [
        limit.encode(y2="row:O").mark_rule(
            color=WORSE, strokeWidth=2, strokeDash=[4, 3], yOffset=-4, y2Offset=22
        ),
        limit.mark_text(dy=17, dx=5, align="left", color=WORSE).encode(text=alt.value("limit")),
    ]
