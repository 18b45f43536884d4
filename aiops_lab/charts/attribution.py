"""Pictures of what carries decisions that follow a calendar, and of where it was learned."""

from __future__ import annotations

from typing import TypeAlias

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.recurring import (
    FEATURES,
    NO_PATTERN,
    Row,
    by_weekday,
    folded,
    heat,
    multiples,
    p_words,
    patterns,
    when,
)
from aiops_lab.charts.retrieval import OTHER, Picture
from aiops_lab.charts.series import DAY_AXIS
from aiops_lab.charts.table import Table, table
from aiops_lab.charts.theme import BASELINE, CANDIDATE
from aiops_lab.charts.watch import MIDNIGHT, ROW
from aiops_lab.watch.routing.find import RoutingShifts
from aiops_lab.wording import change, day_words, figure, interval, listing, short_name

__all__ = [
    "beliefs",
    "by_weekday",
    "carriers",
    "counterfactual",
    "folded",
    "heat",
    "origin",
    "patterns",
    "waterfall",
]

VALUES = 8
"""Values drawn of a feature with names for values."""
SMALL = 0.001
"""A contribution of less is no bar of its own."""
CLEAR = 0.05
SURE = 1.96
Step: TypeAlias = tuple[str, float, str]
"""What, by how much, and of which kind."""


def carriers(result: RoutingShifts) -> Table | Cases:
    """What each feature adds to the patterns that are explained."""
    if not result.carriers.height:
        return note(_unexplained(result))
    logged = _logged_only(result.carriers)
    told = result.carriers["attribution"].is_not_null().any() and not logged
    rows = []
    for row in result.carriers.to_dicts():
        spread = SURE * (row["error"] or 0)
        ends = (row["contribution"] - spread, row["contribution"] + spread)
        adds = (
            f"{change(row['contribution'], share=not logged)} {interval(*ends, share=not logged)}"
        )
        beside = {
            "logged attribution": change(row["attribution"]),
            "its p": p_words(row["attribution_p"]),
        }
        rows.append(
            {"feature": row["feature"], "carries it": row["carries"],
             "logged attribution (95 % interval)" if logged else "adds (95 % interval)": adds,
             "part of the whole": figure(round(row["share"] or 0, 3), share=True),
             "p": p_words(row["p_value"]),
             **(beside if told else {}), "option": row["option"], "when": when(row)}
        )  # fmt: skip
    count = result.carriers.filter("carries").height
    return table(pl.DataFrame(rows), title=f"{count} of {len(rows)} features carry a pattern")


def waterfall(result: RoutingShifts) -> Picture:
    """The largest pattern from the share at other times to its own, feature by feature."""
    own = _of_top(result, result.carriers)
    if not own.height:
        return note(_unexplained(result))
    top, logged = result.top, _logged_only(own)
    steps = _steps(own, logged)
    if logged:
        bars = [_bar(name, 0.0, by, kind, change(by)) for name, by, kind in steps]
        axis = "mean logged attribution then, minus that of other times (in its own unit)"
        subtitle = "Blue: what carries the pattern"
    else:
        bars = _stairs(steps, top)
        axis = f"share of {short_name(top['option'])} (%)"
        subtitle = (
            f"From the share otherwise to the share {when(top)}, in points. Blue: carries it; "
            "amber: seen in the decisions, but not in the model"
        )
    for place, bar in enumerate(bars):
        if any(bar["name"] == other["name"] for other in bars[:place]):
            bar["name"] += "\u00a0"  # a feature that is called as an end is
    ends = [0.0, *(bar[side] for bar in bars for side in ("low", "high"))]
    room = 0.22 * (max(ends) - min(ends) or 1.0)
    domain = [min(ends) * 1.02, max(ends) + room]
    kinds = {"end": BASELINE, "carries": CANDIDATE, "other": "#b9b9b9", "left": OTHER}
    order = [bar["name"] for bar in bars]
    base = alt.Chart(pl.DataFrame(bars)).encode(
        y=alt.Y("name:N", sort=order, title=None, axis=alt.Axis(ticks=False)))  # fmt: skip
    x = alt.X("low:Q", title=axis, scale=alt.Scale(domain=domain, nice=False),
              axis=alt.Axis(tickCount=6))  # fmt: skip
    layers = [
        base.mark_bar().encode(
            x=x, x2="high:Q", tooltip=[alt.Tooltip("name:N", title="what"),
                                       alt.Tooltip("told:N", title="figure")],
            color=alt.Color("kind:N", legend=None, scale=alt.Scale(
                domain=list(kinds), range=list(kinds.values()))),
        ),
        base.mark_text(align="left", dx=5).encode(
            x=alt.X("high:Q", title=axis), text="told:N"),
    ]  # fmt: skip
    return alt.layer(*layers).properties(
        width="container", height=26 * len(bars),
        title=alt.TitleParams(_carried(own), subtitle=subtitle),
    )  # fmt: skip


def _steps(own: pl.DataFrame, logged: bool) -> list[Step]:
    """What each feature adds, the largest first, and all small ones together."""
    rows = own.sort(pl.col("contribution").abs(), descending=True).to_dicts()
    unit = 1.0 if logged else 100.0
    worth = [row for row in rows if row["carries"] or logged or abs(row["contribution"]) >= SMALL]
    steps = [(row["feature"], unit * row["contribution"], "carries" if row["carries"] else "other")
             for row in worth[:FEATURES]]  # fmt: skip
    if count := len(rows) - len(steps):
        rest = unit * sum(row["contribution"] for row in rows) - sum(by for _, by, _ in steps)
        steps.append((f"{count} other feature{'s' if count > 1 else ''}", rest, "other"))
    return steps


def _stairs(steps: list[Step], top: Row) -> list[Row]:
    """The bars from the share at other times to the pattern's own, step by step."""
    at = 100 * top["otherwise"]
    bars = [_bar("otherwise", 0.0, at, "end", figure(at / 100, share=True))]
    left = 100 * top["effect"] - sum(by for _, by, _ in steps)
    for name, by, kind in (*steps, ("not explained", left, "left")):
        bars.append(_bar(name, at, at + by, kind, _points(by)))
        at += by
    return [*bars, _bar(when(top), 0.0, 100 * top["on"], "end", figure(top["on"], share=True))]


def _carried(own: pl.DataFrame) -> str:
    names = own.filter("carries")["feature"].to_list()
    if not names:
        return "No feature carries it clearly"
    part = min(float(own.filter("carries")["share"].sum()), 1.0)
    return (f"{listing(map(short_name, names))} {'carries' if len(names) == 1 else 'carry'} "
            f"{figure(round(part, 3), share=True)} of it")  # fmt: skip


def beliefs(result: RoutingShifts) -> Picture:
    """What the model makes of the carriers: the share if every decision had one value."""
    own = _of_top(result, result.beliefs)
    if not own.height:
        return note("No model was there to ask, or no feature carries a pattern clearly.")
    names = own["feature"].unique(maintain_order=True).to_list()[:FEATURES]
    parts = []
    for name in names:
        rows = own.filter(pl.col("feature") == name).with_columns(often=pl.col("on"))
        if rows["on"].sum() > 1.001:  # of numbers: how many lie at the value or below
            short = [_short(float(value)) for value in rows["value"]]
            rows = rows.with_columns(often=pl.col("on").diff().fill_null(pl.col("on")))
            if len(set(short)) == len(short):
                rows = rows.with_columns(value=pl.Series(short))
        elif rows.height > VALUES:
            away = (pl.col("share") - rows["share"].median()).abs()
            rows = rows.filter(away.rank("ordinal", descending=True) <= VALUES)
        parts.append(rows.with_row_index("place"))
    rows = pl.concat(parts).select(
        "feature", "value", "place", (pl.col("share") * 100).round(2),
        often=(pl.col("often") * 100).round(1),
    )  # fmt: skip
    base = alt.Chart(rows).encode(
        x=alt.X("value:N", title=None, sort=alt.EncodingSortField("place", op="min"),
                axis=alt.Axis(labelAngle=0, labelLimit=70, labelOverlap="greedy", ticks=False)),
        y=alt.Y("share:Q", title="share (%)", axis=alt.Axis(tickCount=3),
                scale=alt.Scale(zero=False, nice=False, padding=10)),
    )  # fmt: skip
    layers = [
        base.mark_line(color=BASELINE, strokeWidth=1.2),
        base.mark_circle(color=CANDIDATE, opacity=1).encode(
            size=alt.Size("often:Q", legend=None, scale=alt.Scale(range=[20, 320])),
            tooltip=["feature:N", "value:N",
                     alt.Tooltip("share:Q", title="share (%)", format=".1f"),
                     alt.Tooltip("often:Q", title="of the pattern's decisions (%)", format=".1f")],
        ),
    ]  # fmt: skip
    top = result.top
    span = rows.filter(pl.col("feature") == names[0])["share"]
    least, most = (figure(end / 100, share=True) for end in (span.min(), span.max()))  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    title = (
        f"{short_name(names[0])} alone moves {short_name(top['option'])} between {least} and {most}"
    )
    subtitle = (
        f"Share of {short_name(top['option'])} (%) if every decision had the value below; "
        f"the larger the dot, the more common the value is {when(top)}"
    )
    return multiples(alt.layer(*layers), "feature", names, ROW, title, subtitle, x="independent")


def origin(result: RoutingShifts) -> Picture:
    """The days the model learned from, by how much each speaks for the pattern."""
    own = _of_top(result, result.origin).drop_nans("z")
    if not own.height:
        return note("Where it was learned is not known: no training rows with outcomes were given, "
                    "or there is nothing to explain.")  # fmt: skip
    first, option = own.row(0, named=True), short_name(result.top["option"])
    day = first["day"]
    told = (f"{day:%A} {day_words(day)}: failed {figure(first['failed'], share=True)} "
            f"against {figure(first['failed_otherwise'], share=True)}")  # fmt: skip
    left = (own["day"] <= day).sum() * 2 < own.height
    rows = own.select(
        "n", "z", first=pl.col("day") == day, day=pl.col("day").dt.strftime(MIDNIGHT),
        failed=(pl.col("failed") * 100).round(2), alike=(pl.col("alike") * 100).round(1),
    ).with_columns(pl.col("z").round(2), told=pl.when("first").then(pl.lit(told)))  # fmt: skip
    top = max(float(own["z"].max()), 1.0)  # pyright: ignore[reportArgumentType]
    bottom = min(float(own["z"].min()), 0.0)  # pyright: ignore[reportArgumentType]
    y = alt.Y("z:Q", title="evidence (standard errors)",
              scale=alt.Scale(domain=[bottom, top * 1.18], nice=False))  # fmt: skip
    colour = alt.condition("datum.first", alt.value(CANDIDATE), alt.value(BASELINE))
    base = alt.Chart(rows).encode(x=DAY_AXIS, y=y)
    layers = [
        base.mark_rule(strokeWidth=2, opacity=0.6).encode(y2=alt.datum(0), color=colour),
        base.mark_circle(opacity=1).encode(
            color=colour,
            size=alt.condition("datum.first", alt.value(90), alt.value(36)),
            tooltip=[alt.Tooltip("day:T", format="%A %-d %b %Y"),
                     alt.Tooltip("failed:Q", title="failed (%)", format=".1f"),
                     alt.Tooltip("n:Q", title="decisions for it", format=","),
                     alt.Tooltip("alike:Q", title="like the pattern's times (%)", format=".0f"),
                     alt.Tooltip("z:Q", title="standard errors", format=".1f")],
        ),
        base.transform_filter("datum.first").mark_text(
            align="left" if left else "right", dx=-4 if left else 4, dy=-14,
        ).encode(text="told:N"),
    ]  # fmt: skip
    sure = first["p_value"] <= CLEAR
    title = f"Learned on {day:%A} {day_words(day)}" if sure else "No training day stands out"
    subtitle = (
        f"A day counts where {option} failed otherwise than usual while the carriers were as "
        f"{when(result.top)}. p {p_words(first['p_value'])} for the first of {own.height} days"
    )
    return alt.layer(*layers).properties(
        width="container", height=220, title=alt.TitleParams(title, subtitle=subtitle)
    )


def counterfactual(result: RoutingShifts) -> Picture:
    """Each thing tried: how far the share lies apart before it, and after."""
    own = result.counterfactual.drop_nulls("after").drop_nans(["after", "removed"])
    if not own.height:
        return note("Nothing could be tried: it takes a model and features that carry a pattern.")
    several = own.select("option", "phase").n_unique() > 1
    rows = []
    for row in own.to_dicts():
        part = f"{figure(round(row['removed'], 3), share=True)} of it goes"
        part = part if row["holds"] else f"only {part}"
        ends = f"{interval(row['low'], row['high'], share=True)[:-1]} %)"
        before, after = 100 * row["before"], 100 * row["after"]
        lead = f"{short_name(row['option'])} {when(row)}: " if several else ""
        rows.append({"what": lead + row["what"], "before": round(before, 2),
                     "after": round(after, 2), "middle": round((before + after) / 2, 2),
                     "told": part, "ends": ends, "label": f"{part} {ends}"})  # fmt: skip
    base = alt.Chart(pl.DataFrame(rows))
    tooltip = [
        alt.Tooltip("what:N", title="tried"),
        alt.Tooltip("before:Q", title="before (points)", format="+.1f"),
        alt.Tooltip("after:Q", title="after (points)", format="+.1f"),
        alt.Tooltip("told:N", title="so much"), alt.Tooltip("ends:N", title="95 % interval"),
    ]  # fmt: skip
    ends = [0.0, *(row[side] for row in rows for side in ("before", "after"))]
    room = 0.06 * (max(ends) - min(ends) or 1.0)
    scale = alt.Scale(domain=[min(ends) - room, max(ends) + room], nice=False)
    x = alt.X("before:Q", scale=scale, title="share then, minus the share otherwise (points)",
              axis=alt.Axis(tickCount=6))  # fmt: skip
    layers = [
        base.mark_rule(strokeDash=[4, 4], color=BASELINE).encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=2, color=CANDIDATE).encode(x=x, x2="after:Q", tooltip=tooltip),
        base.mark_point(size=80, color=BASELINE, strokeWidth=2).encode(x=x, tooltip=tooltip),
        base.mark_circle(size=110, color=CANDIDATE, opacity=1).encode(
            x=alt.X("after:Q", scale=scale), tooltip=tooltip),
        base.mark_text(dy=-14).encode(
            x=alt.X("middle:Q", scale=scale), text="label:N"),
    ]  # fmt: skip
    first = own.row(0, named=True)
    title = f"{first['what'][0].upper()}{first['what'][1:]}: {rows[0]['told']}"
    subtitle = ("Ring: as the model decides; dot: decided again; dashed: no pattern. In "
                "parentheses the 95 % interval of what goes")  # fmt: skip
    return multiples(alt.layer(*layers), "what", [r["what"] for r in rows], 54, title, subtitle)


def _bar(name: str, low: float, high: float, kind: str, told: str) -> Row:
    """A bar, its ends in order."""
    return {"name": name, "low": min(low, high), "high": max(low, high), "kind": kind, "told": told}


def _of_top(result: RoutingShifts, frame: pl.DataFrame) -> pl.DataFrame:
    keys = ("option", "calendar", "phase")
    return frame.filter(*(pl.col(key) == result.top.get(key, "") for key in keys))


def _logged_only(rows: pl.DataFrame) -> bool:
    """Whether contributions are logged attributions, as no model was there."""
    return (rows["contribution"] == rows["attribution"]).fill_null(False).all()


def _unexplained(result: RoutingShifts) -> str:
    if not result.patterns.height:
        return f"{NO_PATTERN} There is nothing to explain."
    if not result.settings["features"]:
        return "No feature was logged: what carries it cannot be told."
    least = change(result.settings["least"], share=True, sign=False)
    return f"No pattern of {least} or more has features to explain it."


def _short(value: float) -> str:
    told = figure(value)
    return told.rstrip("0").rstrip(".") if "." in told else told


def _points(by: float) -> str:
    told = change(by / 100, share=True).split()[0]
    return "0.0" if told[1:] == "0.0" else told
