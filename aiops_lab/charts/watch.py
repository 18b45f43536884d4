"""Pictures of behaviour over time: small multiples, who served, slices, what old alerts saw."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.retrieval import OTHER, Picture
from aiops_lab.charts.series import DAY_AXIS, DAYS, WHEN, watched
from aiops_lab.charts.table import SIGNED, Table, table
from aiops_lab.charts.theme import BASELINE, BETTER, CANDIDATE, MOST_ROWS, WORSE
from aiops_lab.stats.texts import TextShift
from aiops_lab.traffic.histograms import quantile
from aiops_lab.traffic.summaries import ALL
from aiops_lab.watch.behaviour import Behaviour
from aiops_lab.watch.event_words import label
from aiops_lab.wording import day_words, figure, interval

ROW = 92
COLOURS = (BASELINE, CANDIDATE, OTHER, BETTER, WORSE, "#56b4e9", "#cc79a7")
LATELY = 7
"""So many days are what is told as now."""
MOST_CHANGES = 12
CLASS = pl.col("metric").str.contains("_defect: ", literal=True)
"""A class of defect: a part of what the valid answers of a format tell already."""
UNWRITTEN = "only seen in the traffic"
MIDNIGHT = "%Y-%m-%dT00:00:00"
"""A day as Vega reads it: in the reader's own time."""
WORDS = 16
CLEAR = 0.05


def board(result: Behaviour) -> Table | Cases:
    """At a glance: each metric of the whole traffic now, against its baseline."""
    whole = result.series.filter(pl.col("slice") == ALL)
    if not whole.height:
        return note("No day of traffic could be summed up.")
    return _board(result, whole.filter(~CLASS), "metrics")


def defects(result: Behaviour) -> Table | Cases:
    """What is wrong with answers that break their format: each class now, and at first."""
    own = result.series.filter(pl.col("slice") == ALL, CLASS)
    if not own.height:
        return note("No answer that was meant as JSON or YAML was broken.")
    return _board(result, own, "classes of defect")


def _board(result: Behaviour, whole: pl.DataFrame, what: str) -> Table | Cases:
    """A row a metric: its last days, its baseline, and since when it shifted."""
    alarmed = {row["metric"]: row for row in result.alarms.to_dicts() if row["slice"] == ALL}
    inside = set(result.alarms.filter(pl.col("slice") != ALL)["metric"])
    share = _shares(result)
    rows = []
    for (metric,), own in whole.group_by("metric", maintain_order=True):
        last = own.sort("day").tail(LATELY)
        expected = own["expected"].drop_nulls()
        alarm = alarmed.get(metric)
        state = "warn" if alarm or metric in inside else "ok"
        watched = expected.len() > 0
        rows.append(
            {
                "status": SIGNED[state if watched else "inconclusive"],
                "metric": label(str(metric)),
                f"last {LATELY} days": _mean(last["value"], metric in share),
                "baseline": _mean(expected, metric in share) if watched else "not watched",
                "since": day_words(alarm["since"])
                if alarm
                else "in a slice"
                if metric in inside
                else "–",
            }
        )  # fmt: skip
    rows.sort(key=lambda row: row["since"] == "–")
    count = sum(row["since"] != "–" for row in rows)
    return table(pl.DataFrame(rows), title=f"{count or 'None'} of {len(rows)} {what} shifted")


def _mean(values: pl.Series, share: bool) -> str:
    return figure(float(np.mean(values.to_numpy())), share=share)


def _shares(result: Behaviour) -> set[str]:
    return (
        set(result.daily.drop_nulls("events")["metric"])
        if "events" in result.daily.columns
        else set()
    )


def multiples(result: Behaviour, where: str = ALL, metrics: Sequence[str] | None = None) -> Picture:
    """Metrics below each other on one line of time: days, what was expected, alarms, changes.

    Parameters
    ----------
    where
        The slice shown; the whole by default.
    metrics
        Those shown; by default up to 12, those that shifted first.
    """
    own = result.series.filter(pl.col("slice") == where)
    own = own if metrics else own.filter(~CLASS)
    if not own.height:
        return note(f"No metric was watched in {where}.")
    shifted = result.alarms["metric"].unique(maintain_order=True).to_list()
    known = own["metric"].unique(maintain_order=True).to_list()
    first = [m for m in shifted if m in known]
    if where != ALL and metrics is None:  # of a slice only what moved there
        metrics = result.alarms.filter(slice=where)["metric"].unique(maintain_order=True).to_list()
    names = list(metrics or [*first, *(m for m in known if m not in first)])
    shown, rest = names[:MOST_ROWS], len(names) - MOST_ROWS
    alarms = result.alarms.filter(pl.col("metric").is_in(shown) & (pl.col("slice") == where))
    data, order = _rows(result, own.filter(pl.col("metric").is_in(shown)), alarms, shown)
    count = alarms["metric"].n_unique()
    title = f"{count} of {len(shown)} metrics shifted" if count else "Nothing shifted"
    title += "" if where == ALL else f" in {where.replace('=', ' ', 1)}"
    subtitle = (
        "Line: a day's figure. Grey: where 95 % of days lie while nothing changes. Vermilion: the "
        "alarm, and the days it may have begun. Dashed: changes, amber where only the traffic "
        "tells of them"
    )
    if rest > 0:
        subtitle += f". {rest} more metrics stand in the table above"
    header = alt.Header(labelAngle=0, labelOrient="top", labelAnchor="start")
    return (
        alt.layer(*_layers(alt.Chart(data)))
        .properties(width=600, height=ROW)
        .facet(row=alt.Row("row:N", sort=order, title=None, header=header), spacing=8)
        .resolve_scale(y="independent")
        .properties(title=alt.TitleParams(title, subtitle=subtitle), usermeta={"width": "rows"})
    )


def _layers(base: alt.Chart) -> list[alt.Chart]:
    """A metric's changes, what was expected, its alarm, and its days."""
    day, alarm, change = (
        base.transform_filter(alt.FieldOneOfPredicate("kind", kinds))
        for kinds in (["day", "fired"], ["alarm"], ["logged", "seen"])
    )
    changes = change.mark_rule(strokeDash=[3, 3], opacity=0.7).encode(
        x=DAY_AXIS, tooltip=[alt.Tooltip("told:N", title="change"), WHEN],
        color=alt.condition(alt.datum.kind == "logged", alt.value(BASELINE), alt.value(OTHER)),
    )  # fmt: skip
    since = alarm.transform_calculate(last="toDate(datum.told)").encode(
        x=alt.X("day:T", title=None), x2="last"
    )
    return [changes, *watched(day, since, alt.datum.kind == "fired", "row")]


def inside(result: Behaviour) -> Picture:
    """What moved in the slice where the newest event is clearest."""
    if result.where == ALL:
        known = "The newest event is of the whole traffic: see above."
        return note(known if result.events.height else "Nothing shifted in a slice.")
    return multiples(result, result.where)


def _rows(
    result: Behaviour, days: pl.DataFrame, alarms: pl.DataFrame, shown: Sequence[str]
) -> tuple[pl.DataFrame, list[str]]:
    """What small multiples draw: a row a day (it may have fired), an alarm's days (`told` is the
    last), or a change (logged, or only seen); and the order of the small multiples.
    """
    share = _shares(result)
    called = {name: label(name) + (" (%)" if name in share else "") for name in shown}
    scale = pl.when(pl.col("metric").is_in(list(share))).then(100.0).otherwise(1.0)
    fired = alarms.select("metric", "day", fired=pl.lit(True))
    figures = [(pl.col(name) * scale).round_sig_figs(4) for name in ("value", "low", "high")]
    parts = [
        days.join(fired, on=["metric", "day"], how="left").select(
            "metric", "day", *figures,
            kind=pl.when("fired").then(pl.lit("fired")).otherwise(pl.lit("day")),
        ),
        alarms.select(
            "metric", pl.col("since_low").alias("day"), kind=pl.lit("alarm"),
            told=(pl.col("since_high") + pl.duration(days=1)).dt.strftime(MIDNIGHT),
        ),
        pl.DataFrame({"metric": list(shown)}).join(_changes(result), how="cross"),
    ]  # fmt: skip
    data = pl.concat(parts, how="diagonal").with_columns(
        row=pl.col("metric").replace_strict(called, return_dtype=pl.String)
    )
    local = pl.col("day").dt.strftime(MIDNIGHT)
    return data.drop("metric").with_columns(local), list(called.values())


def _changes(result: Behaviour) -> pl.DataFrame:
    """The changes that are drawn: those nearest to what happened."""
    days = result.events["since"].to_list()
    away = [
        min((abs((at.date() - day).days) for day in days), default=0) for at in result.changes["at"]
    ]
    rows = result.changes.with_columns(away=pl.Series(away, dtype=pl.Int64))
    rows = rows.sort("away", "at", maintain_order=True).head(MOST_CHANGES)
    known = {name: pl.col(name).fill_null("") for name in ("name", "author", "note")}
    what = pl.format(
        "{} {}: {} to {}; {} {}", "artefact", known["name"], pl.col("from_version").fill_null("?"),
        pl.col("to_version").fill_null("?"), known["author"], known["note"],
    )  # fmt: skip
    kind = pl.when("logged").then(pl.lit("logged")).otherwise(pl.lit("seen"))
    return rows.select(day=pl.col("at").dt.date(), kind=kind, told=what)


def events(result: Behaviour) -> Table | Cases:
    """What happened, the newest first: what moved, since when, in which step, beside what."""
    if not result.events.height:
        return note("Nothing happened that the detectors are sure of.")
    rows = [
        {"since": day_words(row["since"]), "found on": day_words(row["day"]),
         "what": row["headline"],
         "step": row["step"], "alarms": row["alarms"]}
        for row in result.events.sort("since", descending=True).to_dicts()
    ]  # fmt: skip
    return table(pl.DataFrame(rows), title=f"{len(rows)} event{'s' if len(rows) > 1 else ''}")


def changes(result: Behaviour) -> Table | Cases:
    """The change log: what was written down, and what only the traffic tells of."""
    if not result.changes.height:
        return note("No change was written down, and no version changed in the traffic.")
    rows = result.changes.sort("at", descending=True).select(
        pl.col("at").dt.strftime("%-d %b %Y %H:%M UTC").alias("at"), "artefact", "name",
        pl.col("from_version").alias("from"), pl.col("to_version").alias("to"),
        pl.when("logged").then(pl.coalesce("author", pl.lit("written down"))).otherwise(
            pl.lit(UNWRITTEN)).alias("by"), "note",
    )  # fmt: skip
    unseen = result.changes.filter(~pl.col("logged")).height
    return table(rows, title=f"{rows.height} changes; {unseen} of them nobody wrote down")


def served(result: Behaviour, name: str = "model_served") -> Picture:
    """Who answered: the share of each version by day."""
    own = result.versions.filter(name=name)
    if not own.height:
        return note(f"The traffic does not tell {name.replace('_', ' ')}.")
    top = own.group_by("version").agg(pl.col("share").sum()).sort("share", descending=True)
    names = top["version"].head(len(COLOURS) - 1).to_list()
    shown = own.with_columns(
        version=pl.when(pl.col("version").is_in(names)).then("version").otherwise(pl.lit("others"))
    ).group_by("day", "version").agg(
        (pl.col("share").sum() * 100).round(2)
    ).sort("day", "version")  # fmt: skip
    present = [n for n in [*names, "others"] if n in shown["version"]]
    first = own.group_by("version").agg(pl.col("day").min()).sort("day")
    newest, day = first.row(-1)
    what = name.replace("_", " ").capitalize()
    title = f"{what}: {newest} since {day_words(day)}"
    if first.height == 1:
        return note(f"{what}: {newest} all the time.")
    return alt.Chart(shown).mark_bar().encode(
        x=alt.X("day:T", title=None, axis=DAYS,
                timeUnit="yearmonthdate", bandPosition=0),
        y=alt.Y("share:Q", title="requests (%)", scale=alt.Scale(domain=[0, 100])),
        color=alt.Color("version:N", scale=alt.Scale(
                            domain=present, range=list(COLOURS[:len(present)])),
                        legend=alt.Legend(columns=2, labelLimit=300)),
        tooltip=[alt.Tooltip("day:T", format="%-d %b %Y"), "version:N",
                 alt.Tooltip("share:Q", format=".1f")],
    ).properties(width="container", height=150, title=alt.TitleParams(
        title, subtitle="The share of each version in a day's requests"))  # fmt: skip


def slices(result: Behaviour) -> Table | Cases:
    """Every slice that was watched, those that shifted first."""
    share = _shares(result)
    rows = []
    alarmed = {(row["metric"], row["slice"]): row for row in result.alarms.to_dicts()}
    recent = (
        result.series.sort("day").group_by("metric", "slice", maintain_order=True)
        .agg(pl.col("value").tail(LATELY).mean(), pl.col("expected").mean())
    )  # fmt: skip
    for row in recent.to_dicts():
        alarm = alarmed.get((row["metric"], row["slice"]))
        size = "–"
        if alarm:
            size = interval(alarm["low"], alarm["high"], share=alarm["share"])
        rows.append(
            {"status": SIGNED["warn" if alarm else
                              "inconclusive" if row["expected"] is None else "ok"],
             "metric": label(row["metric"]), "slice": row["slice"],
             "baseline": figure(row["expected"], share=row["metric"] in share),
             f"last {LATELY} days": figure(row["value"], share=row["metric"] in share),
             "change": size, "since": day_words(alarm["since"]) if alarm else "–"}
        )  # fmt: skip
    if not rows:
        return note("No slice was watched.")
    rows.sort(key=lambda row: row["since"] == "–")
    return table(pl.DataFrame(rows), title=f"{len(alarmed)} of {len(rows)} series shifted")


def old_alerts(result: Behaviour) -> Picture:
    """Latency and errors, which classic alerts watch: what they would have said meanwhile."""
    own = result.daily.filter(pl.col("slice") == ALL)
    if "bins" not in own.columns:
        return note("Latency is not known by day.")
    late = own.filter(pl.col("metric") == "latency_s", pl.col("bins").is_not_null())
    failed = own.filter(pl.col("metric") == "error", pl.col("evaluated") > 0)
    rows = [
        {"day": row["day"], "what": "latency, 95 % of requests below (s)",
         "value": float(f"{quantile(row['bins'], 0.95):.4g}")}
        for row in late.to_dicts()
    ] + [
        {"day": row["day"], "what": "requests that failed (%)",
         "value": round(100 * (row["events"] or 0) / row["evaluated"], 2)}
        for row in failed.to_dicts()
    ]  # fmt: skip
    if not rows:
        return note("Neither latency nor errors are known by day.")
    data = pl.DataFrame(rows).sort("day")
    usual = data.group_by("what").agg(high=pl.col("value").head(30).max() * 1.5)
    silent = data.join(usual, on="what").filter(pl.col("value") > pl.col("high")).height == 0
    title = (
        "Alerts on latency and errors would have stayed silent"
        if silent
        else "Latency or errors rose too"
    )
    layer = alt.layer(
        alt.Chart(data).mark_line(color=BASELINE).encode(
            x=DAY_AXIS,
            y=alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=3)),
            tooltip=[alt.Tooltip("day:T", format="%-d %b %Y"), "what:N",
                     alt.Tooltip("value:Q", format=".3~g")],
        )
    ).properties(width=600, height=ROW)  # fmt: skip
    subtitle = "Silent: never above one and a half times the worst of the first 30 days"
    return layer.facet(
        row=alt.Row("what:N", title=None, header=alt.Header(
            labelAngle=0, labelOrient="top", labelAnchor="start")),
        spacing=8,
    ).resolve_scale(y="independent").properties(
        title=alt.TitleParams(title, subtitle=subtitle), usermeta={"width": "rows"}
    )  # fmt: skip


def fired(result: Behaviour) -> Table | Cases:
    """What would have fired, had all this been watched from the end of the baseline on."""
    days = result.series.filter(pl.col("evidence").is_not_null())["day"].n_unique()
    run = result.settings["run_length_days"]
    title = (f"{result.events.height} events in {days} days of watching, where chance alone would "
             f"raise {figure(days / run, digits=1)} at most")  # fmt: skip
    rows = [
        {"alarm": day_words(row["day"]), "since": day_words(row["since"]),
         "after": f"{(row['day'] - row['since']).days + 1} days", "metric": label(row["metric"]),
         "slice": row["slice"]}
        for row in result.events.sort("day", "event").to_dicts()
    ]  # fmt: skip
    if not rows:
        return note(f"{title}.")
    return table(pl.DataFrame(rows), title=title)


def words(shift: TextShift | None) -> Picture:
    """The words that answers hold more or less often than before."""
    if shift is None:
        return note("There are too few answers with texts on both sides to compare.")
    told = f"told apart with an AUC of {shift.auc:.2f} (p {_p(shift.p_value)})"
    counts = f"{shift.n_before:,} answers before, {shift.n_after:,} since"
    clear = shift.words.filter(pl.col("p_adjusted") < CLEAR).head(WORDS)
    if shift.p_value >= CLEAR or not clear.height:
        return note(f"The texts of answers did not clearly change: {told}; {counts}.")
    rows = clear.with_columns(
        pl.col("before", "after") * 100, more=pl.col("difference") > 0
    ).sort("difference", descending=True)  # fmt: skip
    order = rows["word"].to_list()
    y = alt.Y("word:N", sort=order, title=None)
    base = alt.Chart(rows).encode(
        y=y,
        tooltip=["word:N", alt.Tooltip("before:Q", title="before (%)", format=".1f"),
                 alt.Tooltip("after:Q", title="since (%)", format=".1f")],
    )  # fmt: skip
    colour = alt.condition("datum.more", alt.value(CANDIDATE), alt.value(BASELINE))
    layers = [
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("before:Q", title="answers that hold the word (%)"), x2="after:Q", color=colour
        ),
        base.mark_point(filled=False, color=BASELINE, size=50).encode(x="before:Q"),
        base.mark_point(filled=True, size=60).encode(x="after:Q", color=colour),
    ]
    title = f"Answers read otherwise: {told}"
    return alt.layer(*layers).properties(
        width="container", height=22 * rows.height + 20,
        title=alt.TitleParams(title, subtitle=f"Ring: before; dot: since. {counts}"),
    )  # fmt: skip


def _p(value: float) -> str:
    return "below 0.01" if value < 0.01 else f"{value:.2f}"


def power(result: Behaviour) -> Table | Cases:
    """What would have been found of each metric, and what could not be watched."""
    whole = pl.col("slice") == ALL
    rows = [
        {"status": SIGNED["ok" if row["seen"] else "inconclusive"], "metric": label(row["metric"]),
         "a day": figure(row["n"]),
         "a move": f"{figure(row['before'], share=row['share'])} to "
                   f"{figure(row['after'], share=row['share'])}",
         "would be found in": f"{row['days']:,.0f} days" if row["seen"] and row["days"] else
                              "not so far"}
        for row in result.power.filter(whole).to_dicts()
    ]  # fmt: skip
    if not rows:
        return note("Nothing could be watched.")
    parts = result.power.filter(~whole)
    title = "What would have been found of the whole traffic"
    if parts.height:
        title += f"; of {parts['seen'].sum()} of {parts.height} slices a large shift would be"
    return table(pl.DataFrame(rows), title=title)


def unwatched(result: Behaviour) -> Table | Cases:
    """What could not be watched, or not well."""
    rows = result.checks.filter(pl.col("status") != "ok", pl.col("check") != "power")
    if not rows.height:
        return note("Every series with traffic was watched.")
    named = pl.col("metric").map_elements(label, pl.String)
    return table(
        rows.select(named, "slice", "check", "detail"),
        title=f"{rows.height} not watched, or not well",
    )
