"""Pictures of a retrieval experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.intervals import Chart, intervals
from aiops_lab.charts.table import Table, table
from aiops_lab.charts.theme import BASELINE, BETTER, CANDIDATE, HEIGHT, MOST_ROWS, WORSE
from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.losses import LOSSES
from aiops_lab.ship.retrieval.published import SOURCE, rhinoplasty
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.wording import figure, interval, listing

Picture: TypeAlias = Chart | alt.Chart | Cases
GOLD, OTHER = "#cc79a7", "#e69f00"
STANDING = {"may be the best": (CANDIDATE, "circle"), "finds less": (BASELINE, "square")}
COLOURS = (CANDIDATE, OTHER, BETTER, WORSE, GOLD, "#56b4e9")
DRAWERS = (BETTER, GOLD, "#f0c27b", OTHER, WORSE, "#56b4e9", "#000000")


def compared_by(result: Retrieval) -> tuple[str, str, str, str]:
    """What configurations are compared by: its column, both ends, and what it is called."""
    context = result.settings["context"]
    if context is None:
        return "recall", "low", "high", f"gold found {hits_of(result)}"
    unit = result.settings["unit"]
    called = f"gold found within {figure(context)} {unit}"
    return "at_context", "at_context_low", "at_context_high", called


def hits_of(result: Retrieval) -> str:
    """How many hits the figures at k are about, in words."""
    k = result.settings["k"]
    return "in all hits" if k in (None, -1) else f"in {k} hits"


def _ordered(result: Retrieval) -> pl.DataFrame:
    column, *_ = compared_by(result)
    return result.configurations.drop_nulls(column).sort(
        column, descending=True, maintain_order=True
    )


def board(result: Retrieval) -> Table:
    """At a glance: every configuration, the best first."""
    column, low, high, called = compared_by(result)
    told = [
        {
            "configuration": row["experiment_id"],
            called: f"{figure(row[column], share=True)} {interval(row[low], row[high], share=True)}"
            if row[column] is not None
            else None,
            "may be best": row["may_be_best"],
            f"recall {hits_of(result)}": _percent(row["recall"]),
            "context of these": round(row["context"]) if row["context"] is not None else None,
            "precision": _percent(row["precision"]),
            "its ceiling": _percent(row["precision_omega"]),
            "gold cut": _percent(row["cut"]),
            "chunks": row["chunks"],
            "mean length": round(row["chunk_length"]) if row["chunk_length"] else None,
            "MRR of documents": row["mrr"],
        }
        for row in result.configurations.sort(
            column, descending=True, nulls_last=True, maintain_order=True
        ).to_dicts()
    ]
    return table(
        pl.DataFrame(told, infer_schema_length=None),
        title="The ceiling is the precision of these chunks if every one with gold came back",
    )


def _percent(value: float | None) -> str | None:
    return None if value is None else figure(value, share=True)


def standing(result: Retrieval) -> Picture:
    """Which configurations may be the best, at equal context."""
    column, low, high, called = compared_by(result)
    found = _ordered(result)
    if not found.height:
        return note("No question has a gold span: nothing to compare.")
    rows = [
        {
            "name": row["experiment_id"],
            "told": f"{figure(row[column], share=True)} "
            f"{interval(row[low], row[high], share=True)}",
            "value": row[column] * 100,
            "low": row[low] * 100 if row[low] is not None else row[column] * 100,
            "high": row[high] * 100 if row[high] is not None else row[column] * 100,
            "state": "may be the best" if row["may_be_best"] else "finds less",
            "questions": row["n"],
            "method": "mean over questions; compared as pairs",
        }
        for row in found.head(MOST_ROWS).to_dicts()
    ]
    best = found["may_be_best"].sum()
    rest = found.height - len(rows)
    title = f"{best} of {found.height} configurations may be the best"
    subtitle = "Each with its own interval; which finds less is decided on pairs of questions"
    subtitle += f"; {rest} more found less than these" if rest > 0 else ""
    return intervals(
        rows,
        title,
        subtitle,
        axis=f"{called} (%)",
        states=STANDING,
        rules={rows[0]["value"]: "the first"},
    )


def chosen(result: Retrieval, experiments: Sequence[str] | None, most: int) -> list[str]:
    """The configurations asked for; else the best of each chunker, the others after them."""
    known = result.configurations["experiment_id"].to_list()
    if experiments is not None:
        for name in experiments:
            if name not in known:
                raise BadSettings(f"no experiment {name!r}; there are {listing(known)}")
        return list(experiments)
    found = _ordered(result)
    if "chunker" in found.columns:
        first = found.unique("chunker", keep="first", maintain_order=True)
        found = pl.concat([first, found.join(first, on="experiment_id", how="anti")])
    return found["experiment_id"].to_list()[:most] or known[:most]


def curve(result: Retrieval, experiments: Sequence[str] | None = None) -> Picture:
    """Recall against context: what each configuration finds when all may say as much."""
    names = chosen(result, experiments, len(COLOURS))
    shown = result.curve.filter(pl.col("experiment_id").is_in(names))
    if not shown.height:
        return note("No configuration has hits enough for a curve; fetch more of them.")
    unit = result.settings["unit"]
    base = alt.Chart(
        shown.with_columns(pl.col("recall", "low", "high") * 100).rename(
            {"experiment_id": "configuration"}
        )
    )
    order = [name for name in names if name in shown["experiment_id"]]
    picked = alt.selection_point(name="picked", fields=["configuration"], bind="legend")
    legend = alt.Legend(columns=2, labelLimit=320, symbolOpacity=1)
    colour = alt.Color(
        "configuration:N",
        scale=alt.Scale(domain=order, range=list(COLOURS[: len(order)])),
        legend=legend,
    )
    shape = alt.Shape("configuration:N", scale=alt.Scale(domain=order), legend=legend)
    x = alt.X("context:Q", title=f"context ({unit}, each step doubles)",
              scale=alt.Scale(type="log", base=2, nice=False, padding=8),
              axis=alt.Axis(values=shown["context"].unique().sort().to_list(), format=",d",
                            labelOverlap=True))  # fmt: skip
    seen = alt.condition(picked, alt.value(1), alt.value(0.1))
    tooltip = [
        alt.Tooltip("configuration:N"), alt.Tooltip("context:Q", format=",d"),
        alt.Tooltip("recall:Q", title="recall (%)", format=".1f"),
        alt.Tooltip("low:Q", format=".1f"), alt.Tooltip("high:Q", format=".1f"),
    ]  # fmt: skip
    y = alt.Y("recall:Q", title="gold found (%)", scale=alt.Scale(domain=[0, 100]))
    lines = base.encode(x=x, y=y, color=colour, opacity=seen, tooltip=tooltip)
    layers = [
        base.mark_area(opacity=0.12).encode(
            x=x, y=alt.Y("low:Q", title="gold found (%)"), y2="high:Q", color=colour,
            opacity=alt.condition(picked, alt.value(0.12), alt.value(0.02)),
        ),
        lines.mark_line(strokeWidth=2).add_params(picked),
        lines.mark_point(filled=True, size=60).encode(shape=shape),
    ]  # fmt: skip
    rest = result.configurations.height - len(order)
    subtitle = "Bands: 95 % intervals of each by itself. Click a name to see it alone"
    subtitle += f"; {rest} more are in the table above" if rest else ""
    return alt.layer(
        *layers, width="container", height=HEIGHT,
        title=alt.TitleParams("What is found when all get the same context", subtitle=subtitle),
    )  # fmt: skip


def turned(result: Retrieval) -> Picture:
    """Ranks at equal hits beside ranks at equal context: where a lead was only more text."""
    if result.settings["context"] is None:
        return note("There are no hits enough to compare at equal context.")
    found = _ordered(result).select("experiment_id", "recall", "at_context", "context")
    names = chosen(result, None, MOST_ROWS)
    found = found.filter(pl.col("experiment_id").is_in(names))
    many, wide = hits_of(result), f"within {figure(result.settings['context'])}"
    by_hits = found.sort("recall", descending=True).row(0, named=True)
    by_text = found.sort("at_context", descending=True).row(0, named=True)
    same = by_hits["experiment_id"] == by_text["experiment_id"]
    title = f"{by_text['experiment_id']} leads both ways"
    if not same:
        title = (
            f"{by_hits['experiment_id']} leads {many}, {by_text['experiment_id']} with as much text"
        )
    rows = [
        {"configuration": row["experiment_id"], "at": at, "recall": row[column] * 100,
         "lead": row["experiment_id"] in (by_hits["experiment_id"], by_text["experiment_id"]),
         "context": row["context"]}
        for row in found.to_dicts()
        for at, column in ((many, "recall"), (wide, "at_context"))
    ]  # fmt: skip
    base = alt.Chart(pl.DataFrame(rows)).encode(
        x=alt.X("at:N", sort=[many, wide], title=None,
                axis=alt.Axis(labelAngle=0, orient="top"), scale=alt.Scale(padding=0.4)),
        y=alt.Y("recall:Q", title="gold found (%)", scale=alt.Scale(zero=False)),
        detail="configuration:N",
        color=alt.condition("datum.lead", alt.value(CANDIDATE), alt.value(BASELINE)),
        opacity=alt.condition("datum.lead", alt.value(1), alt.value(0.45)),
        tooltip=["configuration", "at", alt.Tooltip("recall:Q", format=".1f"),
                 alt.Tooltip("context:Q", title="characters of these hits", format=",.0f")],
    )  # fmt: skip
    named = base.transform_filter("datum.lead").encode(text="configuration:N")
    layers = [
        base.mark_line(),
        base.mark_point(filled=True, size=60),
        named.transform_filter(alt.datum.at == wide).mark_text(
            align="left", dx=8, limit=alt.expr("width / 4")
        ),
    ]
    subtitle = "Left: so many hits, however long they are. Right: the same amount of text for all"
    return alt.layer(
        *layers, width="container", height=HEIGHT,
        title=alt.TitleParams(title, subtitle=subtitle),
    )  # fmt: skip


def sizes(result: Retrieval) -> Picture:
    """A map over size and overlap of chunks, one for each way of finding."""
    column, _, _, called = compared_by(result)
    found = result.configurations
    if "size" not in found.columns or found["size"].drop_nulls().n_unique() < 2:
        return note("Only chunkers with a size are on this map, and here are not two sizes.")
    cells = found.drop_nulls(["size", column]).with_columns(
        way=pl.format("{}, {}", "retriever", "kind"), value=pl.col(column) * 100
    )
    best = cells.sort("value", descending=True).row(0, named=True)
    base = alt.Chart(cells.select("way", "size", "overlap", "value", "chunks")).encode(
        x=alt.X("size:O", title="size", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("overlap:O", title="overlap", sort="descending"),
        tooltip=["way", "size", "overlap", alt.Tooltip("value:Q", title=called, format=".1f"),
                 "chunks"],
    )  # fmt: skip
    low, high = (float(cells["value"].min() or 0), float(cells["value"].max() or 1))  # pyright: ignore[reportArgumentType]
    tint = alt.Opacity("value:Q", scale=alt.Scale(domain=[low, high], range=[0.05, 0.6]),
                       legend=None)  # fmt: skip
    pair = alt.layer(
        base.mark_rect(color=CANDIDATE).encode(opacity=tint),
        base.mark_text().encode(text=alt.Text("value:Q", format=".0f")),
    ).properties(width=170, height=90)
    ways = cells["way"].n_unique()
    return pair.facet(
        facet=alt.Facet("way:N", title=None), columns=min(3, ways),
        title=alt.TitleParams(
            f"Most is found by {best['experiment_id']}: {best['value']:.0f} %",
            subtitle=f"{called}, in %; the deeper the blue the more",
        ),
    )  # fmt: skip


def losses(result: Retrieval) -> Picture:
    """Where the gold was lost, in characters that add up to 100 %."""
    if not result.losses.height:
        return note("No question has a gold span: nothing can be lost.")
    names = chosen(result, None, MOST_ROWS)
    shares = (
        result.losses.filter(pl.col("experiment_id").is_in(names))
        .group_by("experiment_id", "loss")
        .agg(pl.col("characters").sum())
        .with_columns(
            share=pl.col("characters") / pl.col("characters").sum().over("experiment_id") * 100,
            order=pl.col("loss").to_physical(),
            loss=pl.col("loss").cast(pl.String),
        )
    )
    lost = shares.filter(pl.col("loss") != LOSSES[0])
    title = "Nothing of the gold was lost"
    if lost.height:
        worst = lost.group_by("loss").agg(pl.col("characters").sum()).sort("characters")
        title = f"Most of the lost gold: {worst['loss'][-1]}"
    present = [name for name in LOSSES if name in shares["loss"]]
    colours = dict(zip(LOSSES, DRAWERS, strict=True))
    picked = alt.selection_point(name="picked", fields=["loss"], bind="legend")
    bars = (
        alt.Chart(shares.sort("order").rename({"experiment_id": "configuration"}))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="characters of gold (%)", scale=alt.Scale(domain=[0, 100])),
            y=alt.Y("configuration:N", sort=names, title=None),
            color=alt.Color("loss:N", sort=present, legend=alt.Legend(columns=2, labelLimit=260),
                            scale=alt.Scale(domain=present,
                                            range=[colours[name] for name in present])),
            order="order:Q",
            opacity=alt.condition(picked, alt.value(1), alt.value(0.15)),
            tooltip=["configuration", "loss", alt.Tooltip("share:Q", title="%", format=".1f"),
                     alt.Tooltip("characters:Q", format=",d")],
        )
        .add_params(picked)
    )  # fmt: skip
    subtitle = f"What became of each character of gold, {hits_of(result)}"
    return bars.properties(
        width="container", height=len(names) * 26 + 10,
        title=alt.TitleParams(title, subtitle=subtitle),
    )  # fmt: skip


def unanswered(result: Retrieval) -> Table | Cases:
    """The questions that no configuration finds: what to mend in the documents or the questions."""
    column, _, _, called = compared_by(result)
    best = (
        result.per_question.drop_nulls(column)
        .group_by("question_id", maintain_order=True)
        .agg(pl.col(column).max().alias("best"), pl.len().alias("tried"))
        .filter(pl.col("best") < 0.5)
    )
    if not best.height:
        return note("Every question is found at least by half by some configuration.")
    where = result.gold.group_by("question_id", maintain_order=True).agg(
        pl.col("doc_id").unique(maintain_order=True).str.join(", ").alias("gold in")
    )
    shown = (
        best.sort("best", maintain_order=True)
        .join(result.questions, on="question_id", how="left", maintain_order="left")
        .join(where, on="question_id", how="left", maintain_order="left")
        .with_columns(pl.col("best").map_elements(_percent, pl.String))
    )
    others = [c for c in result.questions.columns if c not in ("question_id", "text")][:3]
    headings = {"question_id": "question", "text": "asks", "gold in": "gold in",
                "best": f"at best {called}", **{c: c for c in others}}  # fmt: skip
    title = f"{best.height} questions of which no configuration finds half"
    return table(shown, title=title, columns=headings)


def study() -> Table:
    """Every pairing that fits what a published study printed; see `published.rhinoplasty`."""
    found = rhinoplasty()
    worst = found["p_value"].max()
    title = f"{SOURCE}: every pairing that fits its figures; the largest p-value is {worst:.3f}"
    headings = {
        "counted": "counts as accurate",
        "adaptive": "adaptive, of 30",
        "baseline": "baseline, of 30",
        "only_adaptive": "right only with adaptive",
        "only_baseline": "right only with the baseline",
        "p_value": "McNemar's p",
    }
    return table(found, title=title, columns=headings)
