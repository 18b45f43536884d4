"""Pictures of a triage: the suspects, the figure over time, the slices, and what else moved."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Cases, case, note
from aiops_lab.charts.compare import Picture
from aiops_lab.charts.table import Table, table
from aiops_lab.charts.theme import BASELINE, CANDIDATE, MOST_ROWS, WORSE
from aiops_lab.respond.difference import prompt_pair
from aiops_lab.respond.signatures import chance_of
from aiops_lab.respond.triage import CLEAR, Triage
from aiops_lab.respond.words import name_of, percent, size_words
from aiops_lab.wording import change, figure, short_name

MOST = 8
TYPICAL = 0.2
"""From this chance on a figure is typical of an artefact."""
NOBODY = "There is no incident to look into."


def suspects(result: Triage) -> Picture:
    """How likely each suspect is."""
    rows = result.suspects.head(MOST).to_dicts()
    if not rows:
        return note(NOBODY)
    data = pl.DataFrame(
        {
            "place": range(len(rows)),
            "name": [name_of(row) for row in rows],
            "told": [f"{name_of(row)}: {percent(row['probability'])}" for row in rows],
            "probability": [round(100 * row["probability"], 1) for row in rows],
            "evidence": [row["evidence"] for row in rows],
            "first": [place == 0 for place in range(len(rows))],
        }
    )
    tooltip = [alt.Tooltip("name:N", title="suspect"), alt.Tooltip("probability:Q", title="%"),
               alt.Tooltip("evidence:N")]  # fmt: skip
    base = alt.Chart(data).encode(y=alt.Y("place:O", axis=None))
    bars = base.mark_bar(height=7, yOffset=9).encode(
        x=alt.X("probability:Q", title="how likely it did it (%)",
                scale=alt.Scale(domain=[0, 100])),
        color=alt.condition(alt.datum.first, alt.value(WORSE), alt.value(BASELINE)),
        tooltip=tooltip,
    )  # fmt: skip
    words = base.mark_text(align="left", dy=-8, limit=alt.expr("width")).encode(
        x=alt.value(0), text="told:N", tooltip=tooltip
    )
    rest = 1 - result.suspects.head(MOST)["probability"].sum()
    title = result.verdict.headline.split(":")[0]
    subtitle = "All suspects add up to 100 %" + (f"; {rest:.0%} is others'" if rest > 0.01 else "")
    return alt.layer(bars, words).properties(
        width="container", height=max(2, len(rows)) * 38,
        title=alt.TitleParams(title, subtitle=subtitle),
    )  # fmt: skip


def board(result: Triage) -> Table | Cases:
    """Each suspect with its evidence and what would settle it."""
    if not result.suspects.height:
        return note(NOBODY)
    rows = [
        {
            "suspect": name_of(row),
            "how likely": percent(row["probability"]),
            "evidence": row["evidence"] or "–",
            "what would settle it": row["next_experiment"],
        }
        for row in result.suspects.head(MOST_ROWS).to_dicts()
    ]
    return table(pl.DataFrame(rows), title=f"{len(rows)} of {result.suspects.height} suspects")


def over_time(result: Triage) -> Picture:
    """The figure over time, of requests exposed to the first suspect and of the others."""
    if not result.series.height:
        return note(NOBODY)
    first = result.suspects.row(0, named=True)
    share = bool(result.series["value"].is_between(0, 1).all())
    scale, unit = (100.0, " (%)") if share else (1.0, "")
    what = result.settings["metric"] + unit
    sides = {True: "exposed", False: "not exposed"}
    data = result.series.with_columns(
        pl.col("value") * scale,
        *((pl.col(name).clip(0, 1) if share else pl.col(name)) * scale for name in ("low", "high")),
        side=pl.col("exposed").replace_strict(sides, return_dtype=pl.String),
    ).with_columns(pl.col("value", "low", "high").round_sig_figs(4))
    colour = alt.Color("side:N", scale=alt.Scale(
        domain=["not exposed", "exposed"], range=[BASELINE, CANDIDATE]))  # fmt: skip
    shape = alt.Shape("side:N", scale=alt.Scale(
        domain=["not exposed", "exposed"], range=["circle", "triangle-up"]))  # fmt: skip
    x = alt.X("at:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=7, labelAngle=0))
    y = alt.Y("value:Q", title=what, scale=alt.Scale(zero=False))
    tooltip = ["side:N", alt.Tooltip("at:T", format="%-d %b %Y %H:%M"),
               alt.Tooltip("value:Q", format=".3~g"), alt.Tooltip("low:Q", format=".3~g"),
               alt.Tooltip("high:Q", format=".3~g"), alt.Tooltip("n:Q", title="requests"),
              ]  # fmt: skip
    base = alt.Chart(data).encode(x=x, color=colour, tooltip=tooltip)
    layers: list[Any] = [
        base.mark_rule(opacity=0.6).encode(
            y=alt.Y("low:Q", title=what, scale=alt.Scale(zero=False)), y2="high:Q"
        ),
        base.mark_point(filled=True, size=45, opacity=1).encode(y=y, shape=shape),
    ]
    near = result.suspects.filter(pl.col("at").is_not_null()).head(4).to_dicts()
    if near:
        marks = pl.DataFrame(
            {"at": [row["at"] for row in near], "change": [name_of(row) for row in near]}
        )
        layers.insert(0, alt.Chart(marks).mark_rule(strokeDash=[3, 3], color=WORSE).encode(
            x=x, tooltip=["change:N", alt.Tooltip("at:T", format="%-d %b %Y %H:%M")]))  # fmt: skip
    return alt.layer(*layers).properties(
        width="container", height=300,
        title=alt.TitleParams(
            f"{short_name(result.settings['metric'])}, exposed to {name_of(first)} or not",
            subtitle="Line: 95 % interval of requests alone. Dashed: changes near by, the likeliest"
            " four",
        ),
    )  # fmt: skip


def split(result: Triage) -> Picture:
    """How much of the move is the shares of slices, and how much is within them."""
    if not result.split.height:
        return note("Requests tell no slice, language or tenant, so the move cannot be split.")
    sums = result.split.group_by("dimension").agg(pl.col("mix").sum().abs())
    dimension = sums.sort("mix", "dimension", descending=[True, False])["dimension"][0]
    own = result.split.filter(dimension=dimension)
    share = _rates(own)
    scale, unit = (100.0, " (points)") if share else (1.0, "")
    size = pl.max_horizontal(pl.col("mix").abs(), pl.col("within").abs())
    shown = own.sort(size, descending=True).head(MOST_ROWS)
    data = shown.unpivot(on=["mix", "within"], index=["slice", "before", "after"]).with_columns(
        (pl.col("value") * scale).round(3).alias("added"),
        part=pl.col("variable").replace_strict({"mix": "more or less of it", "within": "answered "
                                                "otherwise"}),
    )  # fmt: skip
    parts = ["more or less of it", "answered otherwise"]
    total = {name: own[name].sum() for name in ("mix", "within")}
    bars = alt.Chart(data).mark_bar().encode(
        x=alt.X("added:Q", title=f"adds to the move{unit}"),
        y=alt.Y("slice:N", title=dimension, sort=shown["slice"].to_list()),
        yOffset=alt.YOffset("part:N", sort=parts),
        color=alt.Color("part:N", scale=alt.Scale(domain=parts, range=[BASELINE, CANDIDATE])),
        tooltip=["slice:N", "part:N", "added:Q"],
    )  # fmt: skip
    told = [change(float(total[name]), share=share) for name in ("mix", "within")]
    return alt.layer(bars).properties(
        width="container", height=max(3, shown.height) * 34,
        title=alt.TitleParams(
            f"What is asked makes {told[0]}, how it is answered {told[1]}",
            subtitle="Bars add up to the move; the first kind is a slice's share of the requests",
        ),
    )  # fmt: skip


def _rates(rows: pl.DataFrame) -> bool:
    """Whether what is in before and after is shares."""
    return bool(
        rows.select(pl.col("before", "after").fill_null(0).is_between(0, 1).all()).row(0)[0]
    )


def slices(found: pl.DataFrame) -> Table | Cases:
    """The slices that explain the move, as `aiops_lab.respond.where.where_moved` finds them."""
    if not found.height:
        return note("No slice stands out, nor all together, from what may be chance.")
    share = _rates(found)
    rows = [
        {
            "slices": row["slice"].replace(" | ", " or "),
            "before": figure(row["before"], share=share),
            "after": figure(row["after"], share=share),
            "moved by": size_words({**row, "share": share}),
            "of the move": percent(min(row["share"], 1.0)),
            "how likely it is the whole": percent(row["score"]),
        }
        for row in found.to_dicts()
    ]
    first = short_name(found["slice"][0].replace(" | ", " or "))
    everywhere = found["slice"][0] == "all"
    title = "It moved alike everywhere" if everywhere else f"It moved most likely in {first}"
    return table(pl.DataFrame(rows), title=title)


def moved(result: Triage) -> Table | Cases:
    """What else moved with the first suspect, and whether that is typical of it."""
    own = result.evidence.filter(suspect=1, method="figure")
    if not own.height:
        return note("No other figure is known of these requests.")
    first = result.suspects.row(0, named=True)
    rows = []
    for row in own.sort("log_bayes", descending=True).to_dicts():
        typical = chance_of(row["figure"], first["artefact"]) >= TYPICAL
        rows.append(
            {
                "figure": row["figure"].replace("_", " "),
                "moved": "yes" if row["log_bayes"] > CLEAR else "not to be told",
                "by": size_words(row),
                f"typical of a broken {first['artefact']}": "yes" if typical else "no",
            }
        )  # fmt: skip
    count = sum(row["moved"] == "yes" for row in rows)
    return table(pl.DataFrame(rows), title=f"{count or 'None'} of {len(rows)} other figures moved")


def changes(result: Triage) -> Table | Cases:
    """The change log around the incident."""
    if not result.changes.height:
        return note("Nothing is in the change log, and no version appeared in the traffic.")
    names = {"at": "when (UTC)", "artefact": "artefact", "name": "name", "from_version": "from",
             "to_version": "to", "author": "by", "note": "note"}  # fmt: skip
    return table(result.changes, title=f"{result.changes.height} changes", columns=names)


def reworded(result: Triage, artefacts: pl.DataFrame) -> Cases:
    """What differs between both versions of the first suspect, where the lab knows their texts.

    Parameters
    ----------
    artefacts
        The canonical table.
    """
    if not result.suspects.height:
        return note(NOBODY)
    row = result.suspects.row(0, named=True)
    texts = dict(
        artefacts.filter(artefact=row["artefact"]).select("version", "content").iter_rows()
    )
    old, new = (texts.get(name) for name in prompt_pair(artefacts, row))
    if old is None or new is None:
        return note(f"The texts of both versions of {name_of(row)} are not in the lab.")
    return Cases(f"What changed in {name_of(row)}", [case(row["name"], "±", {}, old, new)], 1)
