"""The documents behind a question: chunks by what became of them, gold, and the texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import altair as alt
import polars as pl

from aiops_lab.charts.cases import MOST, Case, Cases, note
from aiops_lab.charts.retrieval import GOLD, OTHER, Picture, chosen, compared_by, hits_of
from aiops_lab.charts.theme import BETTER, WORSE
from aiops_lab.diff import Parts
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.wording import figure

IDLE, FOUND, BESIDE, MISSED = (
    "not retrieved", "retrieved, holds gold", "retrieved, no gold", "holds gold, not retrieved",
)  # fmt: skip
STATES = {FOUND: BETTER, BESIDE: OTHER, MISSED: WORSE, IDLE: "#9aa0a6"}
ROW_HEIGHT = 46
STRIPS = 10
"""So many questions can be picked on a page."""
WINDOW = 40_000
"""So many characters of a document are drawn, around the gold."""
WHOLE, HALF = 0.99, 0.5
PLACE = ["question", "doc_id", "experiment_id"]
AROUND = 240
"""So many characters are shown on each side of a gold passage."""


def telling(result: Retrieval, experiments: Sequence[str], most: int = STRIPS) -> list[str]:
    """The questions that tell most: where these configurations differ, then what all miss."""
    column, *_ = compared_by(result)
    own = result.per_question.filter(
        pl.col("experiment_id").is_in(list(experiments)) & pl.col(column).is_not_null()
    )
    by = own.group_by("question_id", maintain_order=True).agg(
        apart=pl.col(column).max() - pl.col(column).min(), most=pl.col(column).max()
    )
    ranked = by.sort("apart", "most", descending=[True, False], maintain_order=True)
    return ranked["question_id"].to_list()[:most]


def strip(
    result: Retrieval,
    questions: Sequence[str] | str | None = None,
    experiments: Sequence[str] | None = None,
) -> Picture:
    """The document behind a question: its chunks by what became of them, its gold, the hits.

    Parameters
    ----------
    questions
        Those that can be picked; by default the ten that tell most.
    experiments
        The configurations, one above the other; by default the best of up to four chunkers.
    """
    names = chosen(result, experiments, 4)
    asked = [questions] if isinstance(questions, str) else questions
    asked = telling(result, names) if asked is None else list(asked)
    blocks, gold, cuts = strip_frames(result, asked, names)
    if not blocks.height:
        return note("No question has a gold span in a document that was divided.")
    texts = dict(result.questions.select("question_id", "text").iter_rows())
    present = [q for q in asked if q in gold["question"]]
    labels = [f"{q}: {(texts.get(q) or '')[:90]}" for q in present]
    pick = alt.param(
        name="question",
        value=present[0],
        bind=alt.binding_select(options=present, labels=labels, name="Question  "),
    )
    rows = blocks["row"].unique(maintain_order=True).to_list()
    y = alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(labelLimit=230))
    x = alt.X("start:Q", title="character of the document",
              scale=alt.Scale(zero=False, nice=False))  # fmt: skip
    own = "datum.question === question"
    colour = alt.Color("state:N", scale=alt.Scale(domain=list(STATES), range=list(STATES.values())),
                       legend=alt.Legend(columns=2, labelLimit=260))  # fmt: skip
    chunk = alt.Chart(blocks).transform_filter(own)
    marked = alt.Chart(gold).transform_filter(own)
    tooltip = [alt.Tooltip(f"{name}:N") for name in ("row", "state", "rank", "start", "end")]
    layers = [
        chunk.mark_rect(opacity=0.62, height=20, yOffset=6, stroke="white", strokeWidth=1.2).encode(
            x=x, x2="end:Q", y=y, color=colour, tooltip=tooltip
        ),
        chunk.transform_filter("isValid(datum.rank)")
        .transform_calculate(middle="(datum.start + datum.end) / 2")
        .mark_text(fontSize=11, fontWeight="bold", yOffset=6)
        .encode(x=alt.X("middle:Q", title="character of the document"), y=y, text="rank:Q"),
        marked.mark_rect(height=6, yOffset=-12).encode(
            x=x, x2="end:Q", y=y,
            fill=alt.condition("datum.found", alt.value(GOLD), alt.value(WORSE)),
            tooltip=[alt.Tooltip("told:N", title="gold"), "start", "end"],
        ),
        alt.Chart(cuts).transform_filter(own).mark_tick(
            thickness=2, size=16, yOffset=-12, color="black"
        ).encode(x=alt.X("at:Q", title="character of the document"), y=y,
                 opacity=alt.condition("datum.real", alt.value(1), alt.value(0)),
                 tooltip=[alt.Tooltip("told:N", title="boundary")]),
    ]  # fmt: skip
    layers[0] = layers[0].add_params(pick)
    return alt.layer(
        *layers, width="container", height=len(rows) * ROW_HEIGHT,
        title=alt.TitleParams(
            "What became of each chunk, and of the gold above it",
            subtitle=[
                f"Numbers: rank, {hits_of(result)}. Bar above: gold, purple where it was found, "
                "vermilion where missed.",
                "A black tick: a boundary cuts the gold. Pick another question below.",
            ],
        ),
    )  # fmt: skip


def strip_frames(
    result: Retrieval, questions: Sequence[str], experiments: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Blocks, gold and cuts of some questions, a row each."""
    marked = (
        result.gold.rename({"question_id": "question"})
        .filter(
            pl.col("question").is_in(pl.Series(list(questions), dtype=pl.String).implode())
            & pl.col("start").is_not_null()
        )
        .select("question", "doc_id", pl.col("start").alias("low"), pl.col("end").alias("high"))
    )
    blocks, held = _blocks(result, marked, list(experiments))
    rows = blocks.select(*PLACE, "row").unique(maintain_order=True)
    gold = _gold(marked, held, rows)
    drawn = blocks.select("question", "row", "start", "end", "rank", "state")
    return drawn, gold, _cuts(held, rows, gold)


def _came(result: Retrieval) -> pl.DataFrame:
    """The hits that are counted."""
    k = result.settings["k"]
    return result.hits if k in (None, -1) else result.hits.filter(pl.col("rank") <= k)


def _blocks(
    result: Retrieval, marked: pl.DataFrame, experiments: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Chunks near the gold with what became of them, and each with every gold it holds."""
    middle = (pl.col("low").min() + pl.col("high").max()) // 2
    windows = marked.group_by("question", "doc_id", maintain_order=True).agg(
        opens=middle - WINDOW // 2, closes=middle + WINDOW // 2
    )
    several = windows.group_by("question").len().filter(pl.col("len") > 1)["question"]
    key = ["experiment_id", "question", "chunk_id"]
    hits = _came(result).rename({"question_id": "question"}).select(*key, "rank")
    blocks = (
        result.chunks.filter(pl.col("experiment_id").is_in(experiments))
        .join(windows, on="doc_id")
        .filter((pl.col("end") > pl.col("opens")) & (pl.col("start") < pl.col("closes")))
        .join(hits, on=key, how="left")
    )
    held = blocks.join(marked, on=["question", "doc_id"]).filter(
        (pl.col("start") < pl.col("high")) & (pl.col("end") > pl.col("low"))
    )
    blocks = blocks.join(held.select(key).unique().with_columns(gold=True), on=key, how="left")
    came, gold = pl.col("rank").is_not_null(), pl.col("gold").fill_null(False)
    row = pl.when(pl.col("question").is_in(several.implode())).then(
        pl.format("{} · {}", "experiment_id", "doc_id")
    )
    blocks = blocks.with_columns(
        state=pl.when(came & gold).then(pl.lit(FOUND)).when(came).then(pl.lit(BESIDE))
        .when(gold).then(pl.lit(MISSED)).otherwise(pl.lit(IDLE)),
        row=row.otherwise("experiment_id"),
        place=pl.col("experiment_id").cast(pl.Enum(experiments)),
    ).sort("place", "question", "doc_id", "start")  # fmt: skip
    return blocks, held


def _gold(marked: pl.DataFrame, held: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Every gold as missed, and above it the pieces that came back."""
    pieces = held.filter(pl.col("rank").is_not_null()).select(
        *PLACE,
        pl.max_horizontal("start", "low").alias("start"),
        pl.min_horizontal("end", "high").alias("end"), found=pl.lit(True),
    )  # fmt: skip
    whole = rows.join(marked, on=["question", "doc_id"]).select(
        *PLACE, pl.col("low").alias("start"), pl.col("high").alias("end"), found=pl.lit(False)
    )
    told = pl.when("found").then(pl.lit("found")).otherwise(pl.lit("missed"))
    return (
        pl.concat([whole, pieces])
        .join(rows, on=PLACE)
        .select("question", "row", "start", "end", "found", told=told)
    )


def _cuts(held: pl.DataFrame, rows: pl.DataFrame, gold: pl.DataFrame) -> pl.DataFrame:
    """Where a boundary of a chunk cuts the gold."""
    cuts = (
        held.with_columns(at=pl.concat_list("start", "end"))
        .explode("at")
        .filter((pl.col("at") > pl.col("low")) & (pl.col("at") < pl.col("high")))
        .join(rows, on=PLACE)
        .select(
            "question", "row", "at", told=pl.format("cuts the gold at {}", "at"), real=pl.lit(True)
        )
        .unique(maintain_order=True)
    )
    # a scale without any value complains: one that is not drawn for each row
    unreal = gold.select("question", "row", pl.col("start").alias("at"), told=pl.lit(""),
                         real=pl.lit(False))  # fmt: skip
    return pl.concat([cuts, unreal.unique(["question", "row"], maintain_order=True)])


def passages(
    result: Retrieval,
    questions: Sequence[str] | None = None,
    experiments: Sequence[str] | None = None,
) -> Cases:
    """The gold in its text: what two configurations brought back of it and what they missed."""
    if result.corpus is None:
        return note("The texts are not known here: give the corpus to see the passages.")
    names = chosen(result, experiments, 2)[:2]
    asked = telling(result, names, MOST) if questions is None else list(questions)
    texts = {row["question_id"]: row for row in result.questions.to_dicts()}
    column, *_ = compared_by(result)
    found = {
        (row["experiment_id"], row["question_id"]): row[column]
        for row in result.per_question.select("experiment_id", "question_id", column).to_dicts()
    }
    cases = []
    for question in asked:
        shares = [found.get((name, question)) or 0.0 for name in names]
        known = " and ".join(figure(share, share=True) for share in shares)
        row = texts.get(question, {})
        others = {k: str(v) for k, v in row.items() if k not in ("question_id", "text") and v}
        answers = {name: in_text(result, question, name) for name in names}
        others = {"found": known, **others}
        asks = f"{question}: {row.get('text') or ''}"
        cases.append(Case(asks, _turned(shares), others, answers))
    title = (
        "Gold passages as both configurations brought them back: + came back, − was missed, the "
        f"rest is the text around it; {' and '.join(names)}"
    )
    return Cases(title, cases, len(asked))


def _turned(shares: Sequence[float]) -> str:
    """Who found the gold of a question."""
    if min(shares) > WHOLE:
        return "found by all"
    if max(shares) <= 1 - WHOLE:
        return "found by none"
    if len(shares) == 2 and abs(shares[0] - shares[1]) > HALF:
        return "only by the first" if shares[0] > shares[1] else "only by the second"
    return "in part"


def in_text(result: Retrieval, question: str, experiment: str) -> Parts:
    """The text around the gold of a question, its pieces marked as found or missed."""
    assert result.corpus is not None
    gold = result.gold.filter(
        (pl.col("question_id") == question) & pl.col("start").is_not_null()
    ).sort("doc_id", "start")
    hits = _came(result).filter(
        (pl.col("question_id") == question) & (pl.col("experiment_id") == experiment)
    )
    own = result.chunks.filter(pl.col("experiment_id") == experiment)
    came = own.join(hits.select("chunk_id"), on="chunk_id", how="semi")
    parts: Parts = []
    for doc_id, low, high in gold.select("doc_id", "start", "end").iter_rows():
        text = result.corpus.text(doc_id)
        spans = came.filter(pl.col("doc_id") == doc_id).select("start", "end").rows()
        edges = sorted({low, high, *(e for span in spans for e in span if low < e < high)})
        parts.append(("", f"[{doc_id}] … {text[max(0, low - AROUND) : low]}"))
        for start, end in pairwise(edges):
            here = any(s <= start and end <= e for s, e in spans)
            parts.append(("+" if here else "-", text[start:end]))
        parts.append(("", f"{text[high : high + AROUND]} …\n\n"))
    return parts
