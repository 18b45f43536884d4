"""What is drawn of every watched figure, day by day."""

from __future__ import annotations

from typing import Any

import altair as alt

from aiops_lab.charts.theme import BASELINE, CANDIDATE, WORSE

DAYS = alt.Axis(format="%-d %b", labelAngle=0, tickCount=6)
DAY_AXIS = alt.X("day:T", title=None, axis=DAYS)
WHEN = alt.Tooltip("day:T", format="%-d %b %Y")


def watched(days: alt.Chart, alarm: alt.Chart, fired: Any, name: str) -> list[alt.Chart]:
    """A watched figure: what was expected of each day, when its alarm may have begun, its days.

    `alarm` has its places along the axis; `fired` holds of the days of alarms, and the field `name`
    says whose figure it is.
    """
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=3))
    return [
        days.mark_area(opacity=0.16, color=BASELINE).encode(
            x=DAY_AXIS, y=alt.Y("low:Q", title=None, scale=alt.Scale(zero=False)), y2="high:Q"
        ),
        alarm.mark_rect(opacity=0.25, color=WORSE),
        days.mark_line(color=CANDIDATE, strokeWidth=1.3).encode(x=DAY_AXIS, y=y),
        days.mark_point(filled=True).encode(
            x=DAY_AXIS, y=y,
            size=alt.condition(fired, alt.value(90), alt.value(10)),
            shape=alt.condition(fired, alt.value("triangle-up"), alt.value("circle")),
            color=alt.condition(fired, alt.value(WORSE), alt.value(CANDIDATE)),
            tooltip=[f"{name}:N", WHEN, alt.Tooltip("value:Q", format=".3~g"),
                     alt.Tooltip("low:Q", title="expected from", format=".3~g"),
                     alt.Tooltip("high:Q", title="to", format=".3~g")],
        ),
    ]  # fmt: skip
