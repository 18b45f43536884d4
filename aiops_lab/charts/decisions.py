"""Pictures of watched decisions, of what drives all of them, and of one."""

from __future__ import annotations

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.recurring import FEATURES, NOT_LOGGED, multiples
from aiops_lab.charts.retrieval import OTHER, Picture
from aiops_lab.charts.series import watched
from aiops_lab.charts.table import SIGNED, Table, table
from aiops_lab.charts.theme import BASELINE, CANDIDATE, MOST_ROWS
from aiops_lab.charts.watch import MIDNIGHT
from aiops_lab.watch.routing.monitor import DecisionShifts
from aiops_lab.watch.routing.monitor_words import ATTRIBUTION, name, sentence
from aiops_lab.wording import day_words, figure, short_name

SURE = 1.96
VALUES = 10
"""Segments drawn, those with most decisions."""
KINDS = {"step": "step", "drift": "slow drift", "day": "a single day", "wander": "wandered"}


def events(result: DecisionShifts) -> Table | Cases:
    """What moved: early warnings first, then what needs a look, then what is small."""
    if not result.events.height:
        return note(result.verdict.headline)
    rows = [
        {
            "status": SIGNED["ok" if row["minor"] or row["kind"] == "day" else "warn"],
            "what": sentence(row),
            "how": "early warning" if row["early"] else KINDS[row["kind"]],
            "found on": day_words(row["day"]),
        }
        for row in result.events.to_dicts()
    ]
    early = int(result.events["early"].sum())
    worth = result.events.filter(~pl.col("minor"), pl.col("kind") != "day").height
    title = f"{worth} of {len(rows)} need a look"
    title += f", {early} of them early warnings" if early else ""
    return table(pl.DataFrame(rows), title=title)


def moved(result: DecisionShifts) -> Picture:
    """The days of what moved, each against what was expected of it."""
    own = result.events.filter(pl.col("kind") != "day")
    own = own.filter(~pl.col("minor")) if not own["minor"].all() else own
    if not own.height:
        return note("Nothing moved that could be drawn.")
    names = [f"{_title(name(row))}{' (%)' if row['share'] else ''}" for row in own.to_dicts()]
    shown = own.with_columns(name=pl.Series(names)).head(FEATURES)
    rest = own.height - shown.height
    subtitle = "Grey: where 95 % of days lie while nothing changes. Vermilion: the alarm, and the "
    subtitle += "days it may have begun" + (f". {rest} more stand in the table" if rest else "")
    title = f"{_title(name(own.row(0, named=True)))} moved"
    title += f", and {own.height - 1} more" if own.height > 1 else ""
    return multiples(
        _days(_of(result, shown)), "name", names[: shown.height], 92, title, subtitle,
        y="independent",
    )  # fmt: skip


def attributed(result: DecisionShifts, option: str | None, feature: str | None) -> Picture:
    """The daily mean attribution of one feature to one option, against what was expected of it."""
    known = ["what", "option", "feature"]
    key = pl.DataFrame(
        [[ATTRIBUTION, option, feature]], dict.fromkeys(known, pl.String), orient="row"
    )
    found = result.events.filter(pl.col("kind") != "day")
    own = key.join(found, on=known, how="left").with_columns(
        name=pl.lit(feature or ""), share=pl.lit(False)
    )
    rows = _of(result, own)
    if not rows.drop_nulls("value").height:
        return note("No attributions of this input to this option are known.")
    title = f"What {short_name(str(feature))} adds for {short_name(str(option))}, day by day"
    subtitle = "Grey: where 95 % of days lie while nothing changes; vermilion: an alarm"
    return _days(rows).properties(
        width="container", height=160, title=alt.TitleParams(title, subtitle=subtitle)
    )


def _of(result: DecisionShifts, shown: pl.DataFrame) -> pl.DataFrame:
    """Days of some events, with their `name`; and the days each may have begun."""
    keys = ["metric", "option", "feature"]
    filled = pl.col("option", "feature").fill_null("")
    slices = result.daily.select("metric", "slice", filled).unique()
    keyed = shown.select(
        pl.col("what").alias("metric"), filled, "name", pl.col("day").alias("fired"), "since_low",
        "since_high", scale=pl.when("share").then(100.0).otherwise(1.0),
    ).join(slices, on=keys, maintain_order="left")  # fmt: skip
    figures = [
        (pl.col(each) * pl.col("scale")).round_sig_figs(4) for each in ("value", "low", "high")
    ]
    fired = (pl.col("day") == pl.col("fired")).fill_null(False)
    days = result.series.join(keyed, on=["metric", "slice"]).select(
        "name", *figures, pl.col("day").dt.strftime(MIDNIGHT), fired=fired
    )
    begun = keyed.drop_nulls("since_low").select(
        "name", begun=pl.col("since_low").dt.strftime(MIDNIGHT),
        ended=(pl.col("since_high") + pl.duration(days=1)).dt.strftime(MIDNIGHT),
    )  # fmt: skip
    return pl.concat([days, begun], how="diagonal")


def _days(rows: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(rows)
    since = base.encode(x=alt.X("begun:T", title=None), x2="ended:T")
    return alt.layer(*watched(base, since, alt.datum.fired, "name"))


def overall(means: pl.DataFrame, option: str | None = None) -> Picture:
    """What drives decisions: how far each feature moves them on average, in either direction.

    Parameters
    ----------
    means
        What `aiops_lab.mean_attributions` says by nothing: ``by=()``.
    option
        Decisions for it; by default the mean of all options.
    """
    own = means if option is None else means.filter(pl.col("option") == option)
    if not own.height:
        return note(NOT_LOGGED)
    sizes = own.group_by("feature").agg(pl.col("size").mean(), pl.col("n").max())
    sizes = sizes.sort("size", "feature", descending=[True, False])
    rows = sizes.head(MOST_ROWS).with_columns(
        told=pl.col("size").map_elements(figure, return_dtype=pl.String)
    )
    base = alt.Chart(rows).encode(
        x=alt.X("size:Q", title="mean size",
                axis=alt.Axis(tickCount=5)),
        y=alt.Y("feature:N", sort=rows["feature"].to_list(), title=None,
                axis=alt.Axis(ticks=False)),
        tooltip=["feature:N", alt.Tooltip("told:N", title="mean size"),
                 alt.Tooltip("n:Q", title="decisions", format=",")],
    )  # fmt: skip
    rest = sizes.height - rows.height
    subtitle = f"Over all decisions{'' if option is None else f' for {short_name(option)}'}, "
    subtitle += "whatever the sign, in log-odds (or as logged)"
    subtitle += f"; {rest} more features move them less" if rest else ""
    title = f"{short_name(rows['feature'][0])} moves decisions most"
    return alt.layer(
        base.mark_bar(color=CANDIDATE), base.mark_text(align="left", dx=5).encode(text="told:N")
    ).properties(
        width="container", height=26 * rows.height,
        title=alt.TitleParams(title, subtitle=subtitle),
    )  # fmt: skip


def segments(means: pl.DataFrame, option: str | None = None) -> Picture:
    """What drives decisions in each segment: the features that differ most between segments.

    Parameters
    ----------
    means
        What `aiops_lab.mean_attributions` says by one column.
    option
        Decisions for it; by default the option whose attributions differ most.
    """
    if not means.height:
        return note(NOT_LOGGED)
    by, mean = means.columns[0], pl.col("mean")
    rows = means.with_columns(segment=pl.col(by).cast(pl.String).fill_null("not known"))
    spread = rows.group_by("option", "feature").agg(apart=mean.max() - mean.min())
    spread = spread.sort("apart", "feature", descending=[True, False])
    option = option or str(spread["option"][0])
    order = spread.filter(pl.col("option") == option)["feature"].to_list()
    counts = rows.group_by("segment").agg(pl.col("n").max())
    counts = counts.sort("n", "segment", descending=[True, False])
    kept = sorted(counts["segment"].head(VALUES))
    if len(kept) < 2 or not order:
        return note(f"All decisions are of one {short_name(by)}: there is nothing to hold apart.")
    error = pl.col("error").fill_nan(0).fill_null(0) * SURE
    shown = rows.filter(
        pl.col("option") == option, pl.col("segment").is_in(kept),
        pl.col("feature").is_in(order[:FEATURES]),
    ).select(
        "feature", "segment", "n", mean.round_sig_figs(4),
        low=(mean - error).round_sig_figs(4), high=(mean + error).round_sig_figs(4),
    )  # fmt: skip
    base = alt.Chart(shown).encode(
        x=alt.X("segment:N", sort=kept, title=None, axis=alt.Axis(
            labelAngle=0, labelLimit=90, labelOverlap="greedy", ticks=False)),
    )  # fmt: skip
    y = alt.Y("mean:Q", title="attribution", axis=alt.Axis(tickCount=3))
    tooltip = [
        "feature:N", alt.Tooltip("segment:N", title="segment"),
        alt.Tooltip("mean:Q", format=".3~g"), alt.Tooltip("low:Q", format=".3~g"),
        alt.Tooltip("high:Q", format=".3~g"), alt.Tooltip("n:Q", title="decisions", format=","),
    ]  # fmt: skip
    layers = [
        base.mark_rule(color=BASELINE, strokeWidth=2).encode(
            y=alt.Y("low:Q", title="attribution"), y2="high:Q"
        ),
        base.mark_circle(size=60, opacity=1, color=CANDIDATE).encode(y=y, tooltip=tooltip),
    ]
    called = "what was chosen" if by == "chosen" else short_name(by)
    subtitle = f"Mean attribution to {short_name(option)} by {called}; line: 95 % interval"
    left = counts.height - len(kept)
    subtitle += f". {left} more with fewer decisions are left out" if left else ""
    title = f"{short_name(order[0])} differs most by {called}"
    return multiples(alt.layer(*layers), "feature", order[:FEATURES], 70, title, subtitle)


def one_decision(explained: pl.DataFrame, option: str | None = None) -> Picture:
    """One decision: what each feature added to an option's score, the largest first.

    Parameters
    ----------
    explained
        What `aiops_lab.explain_decision` says.
    option
        For or against it; by default what was chosen.
    """
    if not explained.height:
        return note(NOT_LOGGED)
    first = explained.row(0, named=True)
    options = explained["option"].unique().sort().to_list()
    chosen = first["chosen"] if first["chosen"] in options else options[0]
    option = str(chosen if option is None else option)
    own = explained.filter(pl.col("option") == option)
    if not own.height:
        return note(f"Nothing is known of {short_name(option)}; there are {', '.join(options)}.")
    value, error = pl.col("attribution"), pl.col("error").fill_null(0) * SURE
    rows = own.head(MOST_ROWS).select(
        label=pl.format("{} = {}", pl.col("feature").str.head(40),
                        pl.col("value").str.head(24).fill_null("not known")),
        value=value.round_sig_figs(4), low=(value - error).round_sig_figs(4),
        high=(value + error).round_sig_figs(4),
        side=pl.when(value > 0).then(pl.lit("for")).otherwise(pl.lit("against")),
    )  # fmt: skip
    base = alt.Chart(rows).encode(
        y=alt.Y("label:N", sort=rows["label"].to_list(), title=None,
                axis=alt.Axis(ticks=False, labelLimit=330)),
    )  # fmt: skip
    title_x = f"added to {short_name(option)}"
    colour = alt.Color(
        "side:N", legend=None,
        scale=alt.Scale(domain=["for", "against"], range=[CANDIDATE, OTHER]),
    )  # fmt: skip
    tooltip = ["label:N", *(alt.Tooltip(f"{c}:Q", format=".3~g") for c in ("value", "low", "high"))]
    layers = [
        base.mark_bar().encode(x=alt.X("value:Q", title=title_x), color=colour, tooltip=tooltip)
    ]
    if own["error"].null_count() < own.height:
        layers.append(
            base.mark_rule(color=BASELINE, strokeWidth=2).encode(
                x=alt.X("low:Q", title=title_x), x2="high:Q"
            )
        )
    top = own.row(0, named=True)
    told = (
        f"{short_name(top['feature'])} spoke most {'for' if top['attribution'] > 0 else 'against'}"
    )
    at = first["at"]
    subtitle = (
        f"Decision {short_name(first['decision_id'])} of {at.day} {at:%b %Y %H:%M}: "
        f"{short_name(first['chosen'])} was chosen. Blue: for {short_name(option)}, amber: "
        "against, in log-odds (or as logged)"
    )
    rest = own.height - rows.height
    subtitle += f". {rest} more added less" if rest else ""
    return alt.layer(*layers).properties(
        width="container", height=26 * rows.height,
        title=alt.TitleParams(f"{told} {short_name(option)}", subtitle=subtitle),
    )  # fmt: skip


def _title(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
