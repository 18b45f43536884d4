"""Pictures of a share that follows a calendar: its days, and its days laid over each other."""

from __future__ import annotations

import datetime as dt
from typing import Any

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.retrieval import Picture
from aiops_lab.charts.table import Table, table
from aiops_lab.charts.theme import BASELINE, CANDIDATE, WORSE
from aiops_lab.charts.watch import MIDNIGHT
from aiops_lab.watch.routing.find import RoutingShifts
from aiops_lab.watch.routing.patterns import HOUR, MONTH, MONTH_END, WEEK, WEEKDAYS
from aiops_lab.wording import change, day_words, figure, interval, listing, short_name

WEEKS = 104
"""So many weeks are drawn, the last ones."""
DAYS = 60
"""Days whose hours are drawn, the last ones."""
FEATURES = 6
"""Features drawn, those that matter most."""
SHORT = [day[:3] for day in WEEKDAYS]
PALE = "#deebf7"
NO_PATTERN = "No calendar was found in the shares."
NOT_LOGGED = "No attributions were logged, and no model was given to compute them."
Row = dict[str, Any]


def heat(result: RoutingShifts, option: str | None = None) -> Picture:
    """A calendar of one option's share: a column a week, a row a weekday.

    Parameters
    ----------
    option
        Whose share; by default that of the largest pattern, else of the option chosen most.
    """
    option, days = _days(result, option)
    if (nothing := _undrawn(result, option, days)) is not None:
        return nothing
    own = patterns_of(result, option)
    seen = days.drop_nulls("share")
    weekday = pl.col("day").dt.weekday()
    monday = pl.col("day") - pl.duration(days=weekday - 1)
    weeks = seen.select(monday.n_unique()).item()
    shown = seen.filter(monday > monday.max() - pl.duration(weeks=WEEKS))
    framed = bool(own) and own[0]["calendar"] not in (WEEK, HOUR)
    rows = shown.select(
        monday.dt.strftime(MIDNIGHT).alias("week"), pl.col("day").dt.strftime(MIDNIGHT), "n",
        weekday=weekday.replace_strict(dict(enumerate(SHORT, 1)), return_dtype=pl.String),
        share=(pl.col("share") * 100).round(2),
        framed=_phases(days, own[0]).is_in(cells_of(own)) if framed else pl.lit(False),
    )  # fmt: skip
    weeks_drawn = days.filter(monday >= shown.select(monday.min()).item()).select(monday)
    columns = weeks_drawn.to_series().unique().sort().dt.strftime(MIDNIGHT).to_list()
    low, high = rows["share"].min(), rows["share"].max()
    title = f"No calendar was found in the share of {short_name(option)}"
    if own:
        title = f"{short_name(option)} gets {_ends(own[0])} {when(own[0])}"
    if own and own[0]["calendar"] == HOUR:
        title = f"{short_name(option)} by the day; its pattern is by the hour"
    subtitle = "A column is a week, a cell a day; blank: no decisions that day"
    subtitle += "; framed: the pattern's days" if framed else ""
    subtitle += f". The last {WEEKS} of {weeks} weeks" if weeks > WEEKS else ""
    colour = alt.Color(
        "share:Q", scale=alt.Scale(domain=[low, max(high, low + 1)], range=[PALE, CANDIDATE]),  # pyright: ignore[reportOperatorIssue, reportArgumentType]
        legend=alt.Legend(title="share of decisions (%)", gradientLength=200),
    )  # fmt: skip
    axis = alt.Axis(labelExpr="timeFormat(toDate(datum.value), '%-d %b')", labelAngle=0,
                    labelOverlap="greedy", labelSeparation=14, ticks=False)  # fmt: skip
    return alt.Chart(rows).mark_rect().encode(
        x=alt.X("week:O", title="week from", axis=axis,
                scale=alt.Scale(domain=columns, paddingInner=0.12)),
        y=alt.Y("weekday:O", title=None, sort=SHORT, axis=alt.Axis(ticks=False),
                scale=alt.Scale(domain=SHORT, paddingInner=0.08)),
        color=colour,
        stroke=alt.condition("datum.framed", alt.value(WORSE), alt.value(None)),
        strokeWidth=alt.condition("datum.framed", alt.value(2), alt.value(0)),
        tooltip=[alt.Tooltip("day:T", format="%A %-d %b %Y"),
                 alt.Tooltip("share:Q", title="share (%)", format=".1f"),
                 alt.Tooltip("n:Q", title="decisions", format=",")],
    ).properties(width="container", height=26 * 7, title=alt.TitleParams(
        title, subtitle=subtitle))  # fmt: skip


def folded(result: RoutingShifts, option: str | None = None, period: int | None = None) -> Picture:
    """One option's share laid over the pattern's period: a dot a day, or hour, a bar the mean.

    Parameters
    ----------
    option
        Whose share; by default that of the largest pattern, else of the option chosen most.
    period
        Another period, in days.
    """
    option, days = _days(result, option)
    if (nothing := _undrawn(result, option, days)) is not None:
        return nothing
    own = patterns_of(result, option)
    key = own[0] if own else {"calendar": WEEK, "period_days": 7.0}
    if period is not None:
        own = result.patterns.filter(pl.col("option") == option, period_days=period).to_dicts()
        key = {"calendar": WEEK if period == 7 else "period", "period_days": float(period)}
    hourly = key["calendar"] == HOUR
    times = result.hours.filter(pl.col("option") == option) if hourly else days
    axis = f"hour of the day ({result.settings['timezone']})" if hourly else _axis(key, days)
    share, cells = pl.col("share"), cells_of(own)
    times = times.with_columns(share * 100, phase=_phases(times, key)).drop_nulls("share")
    times = times.with_columns(on=pl.col("phase").is_in(cells))
    subtitle = "Dot: a day; bar: the mean of its days"
    last = times["day"] > times["day"].max() - dt.timedelta(days=DAYS)  # pyright: ignore[reportOperatorIssue]
    if hourly:  # shares of few decisions: each counts by how many there were
        of = "days" if last.all() else f"last {DAYS} days"
        subtitle = f"Dot: a day's hour, the {of} from left to right; bar: all days together"
    mean = (share * pl.col("n")).sum() / pl.col("n").sum() if hourly else share.mean()
    shown = times.filter(last) if hourly else times
    if own and (own[0]["since"] - days["day"].min()).days >= key["period_days"]:
        times, shown = (part.filter(pl.col("day") >= own[0]["since"]) for part in (times, shown))
        subtitle += f" since {day_words(own[0]['since'])}"
    span = "the week" if key["calendar"] == WEEK else f"{key['period_days']:.0f} days"
    title = f"No day of {span} lies apart for {short_name(option)}"
    if own:
        title = f"{short_name(option)}: {listing(map(_apart, own[: len(cells)]))}"
        each = "hour" if hourly else "day"
        subtitle += f"; blue: {f'its {each}' if len(cells) == 1 else f'their {each}s'}"
    means = times.group_by("phase", "on", maintain_order=True).agg(mean.round(2), days=pl.len())
    return _laid(shown, means, key, axis).properties(
        width="container", height=260, title=alt.TitleParams(title, subtitle=subtitle)
    )


def _laid(
    times: pl.DataFrame, means: pl.DataFrame, key: Row, title: str | None
) -> alt.LayerChart | alt.FacetChart:
    """Times by their phase, with the mean of each."""
    axis = alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False)
    if key["calendar"] == WEEK:
        axis["labelExpr"] = f"{SHORT}[datum.value]"
    x = alt.X("phase:O", title=title, axis=axis, sort=(
        "descending" if key["calendar"] == MONTH_END else "ascending"))  # fmt: skip
    y = alt.Y(
        "share:Q",
        title="share of decisions (%)",
        scale=alt.Scale(zero=False, nice=False, padding=12),
    )
    colour = alt.condition("datum.on", alt.value(CANDIDATE), alt.value(BASELINE))
    rows = times.select(
        "phase", "n", pl.col("day").dt.strftime(MIDNIGHT), pl.col("share").round(2), "on"
    )
    size, opacity, beside = 36, 0.6, alt.Undefined
    if key["calendar"] == HOUR:  # side by side: an hour's shares are often the same
        size, opacity = 14, 0.4
        beside = alt.XOffset("day:T", scale=alt.Scale(paddingOuter=0.2))
    layers = [
        alt.Chart(rows).mark_circle(size=size, opacity=opacity).encode(
            x=x, y=y, color=colour, xOffset=beside,
            tooltip=[alt.Tooltip("day:T", format="%A %-d %b %Y"),
                     alt.Tooltip("share:Q", title="share (%)", format=".1f"),
                     alt.Tooltip("n:Q", title="decisions", format=",")],
        ),
        alt.Chart(means).mark_tick(thickness=3, orient="horizontal", opacity=1).encode(
            x=x, y=y, color=colour, size=alt.value(36 if len(means) <= 10 else 12),
            tooltip=[alt.Tooltip("share:Q", title="mean share (%)", format=".1f"), "days:Q"],
        ),
    ]  # fmt: skip
    return alt.layer(*layers)


def patterns(result: RoutingShifts) -> Table | Cases:
    """Every pattern: whose share, when, how far it lies apart, since when."""
    if not result.patterns.height:
        return note(NO_PATTERN)
    rows = [
        {"option": row["option"], "when": when(row), "share then": figure(row["on"], share=True),
         "share otherwise": figure(row["otherwise"], share=True),
         "difference (95 % interval)": f"{change(row['effect'], share=True)} "
                                       f"{interval(row['low'], row['high'], share=True)}",
         "p": p_words(row["p_value"]), "times seen": row["repetitions"],
         "since": day_words(row["since"]),
         "may have begun": _span(row["since_low"], row["since_high"])}
        for row in result.patterns.to_dicts()
    ]  # fmt: skip
    least = change(result.settings["least"], share=True, sign=False)
    count = result.patterns.filter(pl.col("effect").abs() >= result.settings["least"]).height
    return table(pl.DataFrame(rows), title=f"{count} of {len(rows)} patterns move a share by "
                                           f"{least} or more")  # fmt: skip


def by_weekday(result: RoutingShifts, daily: pl.DataFrame | None = None) -> Picture:
    """Attributions by weekday, of the features that differ most between weekdays.

    Parameters
    ----------
    daily
        Daily attributions of a model, where none were logged: `DecisionShifts.daily`.
    """
    rows = result.attributions
    if daily is not None:
        rows = daily.filter(pl.col("metric") == "attribution")
    if not rows.height:
        return note(NOT_LOGGED)
    options = rows["option"].unique().sort().to_list()
    option = result.top.get("option") if result.top.get("option") in options else options[0]
    means = (
        rows.filter(pl.col("option") == option)
        .group_by("feature", weekday=pl.col("day").dt.weekday() - 1)
        .agg(value=pl.col("sum").sum() / pl.col("n").sum(), n=pl.col("n").sum())
    )
    value = pl.col("value")
    size = means.group_by("feature").agg(size=value.max() - value.min())
    order = size.sort("size", "feature", descending=[True, False])["feature"].to_list()
    shown = order[:FEATURES]
    top = patterns_of(result, str(option))
    on = cells_of(top) if top and top[0]["calendar"] == WEEK else []
    rows = means.filter(pl.col("feature").is_in(shown)).sort("weekday").select(
        "feature", "weekday", "n", value.round_sig_figs(4), on=pl.col("weekday").is_in(on),
        day=pl.col("weekday").replace_strict(dict(enumerate(WEEKDAYS)), return_dtype=pl.String),
    )  # fmt: skip
    axis = alt.Axis(labelExpr=f"{SHORT}[datum.value]", labelAngle=0, ticks=False)
    x = alt.X("weekday:O", title=None, axis=axis)
    y = alt.Y("value:Q", title="attribution", axis=alt.Axis(tickCount=3))
    base = alt.Chart(rows).encode(x=x, y=y)
    layers = [
        base.mark_line(color=BASELINE, strokeWidth=1.2),
        base.mark_circle(size=60, opacity=1).encode(
            color=alt.condition("datum.on", alt.value(CANDIDATE), alt.value(BASELINE)),
            tooltip=["feature:N", "day:N", alt.Tooltip("value:Q", title="mean", format=".3~g"),
                     alt.Tooltip("n:Q", title="attributions", format=",")],
        ),
    ]  # fmt: skip
    subtitle = f"Mean attribution to {short_name(str(option))} by weekday, in its own unit"
    subtitle += "; blue: the pattern's day" if on else ""
    subtitle += f". {len(order) - FEATURES} more features vary less" if order[FEATURES:] else ""
    title = f"{short_name(order[0])} varies most over the week"
    return multiples(alt.layer(*layers), "feature", shown, 70, title, subtitle)


def when(row: Row) -> str:
    """The phase of a pattern in words: on Tuesdays, at 14:00, on day 15 of the month."""
    phase = row["phase"]
    return {
        WEEK: f"on {phase}s", HOUR: f"at {phase}", MONTH: f"on {phase} of the month",
        MONTH_END: f"on the {phase} of the month" if phase == "last day" else
                   f"{phase} of the month",
    }.get(row["calendar"], f"every {row['period_days']:.0f} days (day {phase})")  # fmt: skip


def _days(result: RoutingShifts, option: str | None) -> tuple[str, pl.DataFrame]:
    if option is None:
        most = result.series.group_by("option").agg((pl.col("share") * pl.col("n")).sum())
        most = most.sort("share", "option", descending=[True, False])["option"]
        option = str(result.top.get("option", most[0] if most.len() else ""))
    return option, result.series.filter(pl.col("option") == option).sort("day")


def _undrawn(result: RoutingShifts, option: str, days: pl.DataFrame) -> Cases | None:
    """What is said where a share cannot be drawn, or is always the same."""
    if not days.drop_nulls("share").height:
        known = listing(map(short_name, result.series["option"].unique().sort()))
        return note(
            f"No decision could have gone to {short_name(option) or 'any option'}; known: {known}."
        )
    if result.series["option"].n_unique() < 2:
        return note(f"{short_name(option)} was always chosen: there is no share to draw.")
    return None


def patterns_of(result: RoutingShifts, option: str) -> list[Row]:
    """An option's patterns in the calendar of its largest one, the largest first."""
    rows = result.patterns.filter(pl.col("option") == option).to_dicts()
    return [row for row in rows if row["calendar"] == rows[0]["calendar"]]


def _phases(days: pl.DataFrame, key: Row) -> pl.Series:
    """The phase of each day in a pattern's calendar, as a number."""
    day = days["day"]
    if key["calendar"] == HOUR:
        return days["hour"]
    if key["calendar"] == WEEK:
        return (day.dt.weekday() - 1).cast(pl.Int64)
    if key["calendar"] == MONTH:
        return day.dt.day().cast(pl.Int64)
    if key["calendar"] == MONTH_END:
        return (day.dt.month_end() - day).dt.total_days()
    return (day - day.min()).dt.total_days() % round(key["period_days"])


def cells_of(own: list[Row]) -> list[int]:
    """The phases of patterns as the numbers that `_phases` gives."""
    words = {name: place for place, name in enumerate(WEEKDAYS)} | {"last day": 0}
    return [words[p] if p in words else int("".join(filter(str.isdigit, p.removesuffix(":00"))))
            for p in (row["phase"] for row in own)]  # fmt: skip


def _apart(row: Row) -> str:
    return f"{change(row['effect'], share=True)} {when(row)}"


def _axis(key: Row, days: pl.DataFrame) -> str | None:
    if key["calendar"] == WEEK:
        return None
    known = {MONTH: "day of the month", MONTH_END: "days before the last of the month"}
    first = day_words(days["day"].min())  # pyright: ignore[reportArgumentType]
    every = f"day of {key['period_days']:.0f}, from {first} on"
    return known.get(key["calendar"], every)


def _ends(row: Row) -> str:
    return f"{figure(row['on'], share=True)} instead of {figure(row['otherwise'], share=True)}"


def p_words(value: float | None) -> str:
    return "–" if value is None else "below 0.01" if value < 0.01 else f"{value:.2f}"


def _span(low: dt.date, high: dt.date) -> str:
    return day_words(low) if low == high else f"{day_words(low)} to {day_words(high)}"


def multiples(
    layer: alt.LayerChart | alt.FacetChart, field: str, order: list[str], height: int,
    title: str, subtitle: str, x: Any = "shared", y: Any = "shared",
) -> alt.FacetChart:  # fmt: skip
    """Small multiples below each other, as wide as the page."""
    header = alt.Header(labelAngle=0, labelOrient="top", labelAnchor="start", labelLimit=330)
    row = alt.Row(f"{field}:N", sort=order, title=None, header=header)
    return layer.properties(width=600, height=height).facet(row=row, spacing=8).resolve_scale(
        x=x, y=y
    ).properties(
        title=alt.TitleParams(title, subtitle=subtitle), usermeta={"width": "rows"}
    )  # fmt: skip
