"""Chunks and questions on a plane."""

from __future__ import annotations

import altair as alt
import polars as pl

from aiops_lab.charts.cases import note
from aiops_lab.charts.retrieval import GOLD, Picture, chosen
from aiops_lab.charts.theme import BETTER, HEIGHT, WORSE
from aiops_lab.ship.retrieval.landscape import landscape as placed
from aiops_lab.ship.retrieval.score import Retrieval

KINDS = {
    ("chunk", "other"): "chunk",
    ("chunk", "gold"): "chunk with gold",
    ("question", "found"): "question, found",
    ("question", "missed"): "question, missed",
}
LOOKS = {
    "chunk": ("#9aa0a6", "square", 0.35),
    "chunk with gold": (GOLD, "square", 0.55),
    "question, found": (BETTER, "circle", 0.9),
    "question, missed": (WORSE, "cross", 0.95),
}


def landscape(result: Retrieval, experiment: str | None = None) -> Picture:
    """Chunks and questions on a plane: what is asked near its passages, and what is not."""
    if result.corpus is None:
        return note("The texts are not known here: give the corpus to place them.")
    name = experiment or chosen(result, None, 1)[0]
    points = placed(result, name)
    asked = points.filter(kind="question")
    if not asked.height:
        return note("No question has gold and words: nothing to place.")
    missed = asked.filter(state="missed")
    astray = missed.filter((pl.col("own") < pl.col("nearest") - 1e-9).fill_null(True))
    title = f"All {asked.height} questions found their gold"
    if missed.height:
        title = f"{astray.height} of {missed.height} missed questions lie nearer to other passages"
    drawn = points.with_columns(
        what=pl.struct("kind", "state").map_elements(
            lambda row: KINDS[row["kind"], row["state"]], pl.String
        ),
        order=pl.col("kind").eq("question").cast(pl.Int8)
        + pl.col("state").eq("missed").cast(pl.Int8),
    ).sort("order")  # fmt: skip
    names = [what for what in KINDS.values() if what in drawn["what"]]
    scales = [alt.Scale(domain=names, range=[LOOKS[n][i] for n in names]) for i in range(2)]
    drawn = drawn.with_columns(
        strength=pl.col("what").replace_strict({name: look[2] for name, look in LOOKS.items()})
    )
    picked = alt.selection_point(name="picked", fields=["what"], bind="legend")
    legend = alt.Legend(columns=2, labelLimit=200, title=None, symbolOpacity=1)
    chart = (
        alt.Chart(
            drawn.select("what", "id", "text", "x", "y", "own", "nearest", "nearest_id", "strength")
        )
        .mark_point(filled=True, size=48)
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(zero=False, padding=12)),
            y=alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False, padding=12)),
            color=alt.Color("what:N", scale=scales[0], legend=legend),
            shape=alt.Shape("what:N", scale=scales[1], legend=legend),
            opacity=alt.condition(
                picked, alt.Opacity("strength:Q", scale=None, legend=None), alt.value(0.04)
            ),
            tooltip=["what:N", "id:N", "text:N",
                     alt.Tooltip("own:Q", title="likeness to its gold", format=".2f"),
                     alt.Tooltip("nearest:Q", title="to the nearest chunk", format=".2f"),
                     alt.Tooltip("nearest_id:N", title="which is")],
        )
        .add_params(picked)
    )  # fmt: skip
    subtitle = (
        f"{name}: near points are alike in their words; directions and wide gaps mean nothing"
    )
    return chart.properties(
        width="container", height=HEIGHT + 60, title=alt.TitleParams(title, subtitle=subtitle)
    )
