"""Answers beside what was retrieved for them: did the retriever or the writer fail?"""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Case, Cases, note
from aiops_lab.charts.passages import in_text
from aiops_lab.charts.retrieval import OTHER, Picture, hits_of
from aiops_lab.charts.theme import BETTER, CANDIDATE, WORSE
from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.ship.retrieval.writer import (
    CASES,
    GOOD,
    ODD,
    RETRIEVER,
    UNJUDGED,
    WRITER,
    answers_to,
    retriever_or_writer,
)
from aiops_lab.wording import figure, listing

UNANSWERED = "No answers to these questions were given: a file with question_id and answer."
FOUND_GOLD = ["gold found", "gold not found"]
EACH = 8
"""So many answers of each case are shown."""
GROUNDED = ["grounded", "not grounded"]


def _judged(
    result: Retrieval, answers: Any, experiment: str | None, told: str
) -> pl.DataFrame | Cases:
    """Each answer in its case, or a sentence where that cannot be."""
    answers = answers_to(result, answers)
    if answers is None:
        return note(UNANSWERED)
    try:
        return retriever_or_writer(result, answers, experiment)
    except BadSettings as error:
        return note(told.format(error))


def quarters(result: Retrieval, answers: Any = "", experiment: str | None = None) -> Picture:
    """Did the retriever or the writer fail? How many answers fall into each of the four cases."""
    rows = _judged(result, answers, experiment, "The answers cannot be laid beside the hits: {}.")
    if isinstance(rows, Cases):
        return rows
    counts = dict(rows["case"].value_counts().iter_rows())
    judged = rows.height - counts.get(UNJUDGED, 0)
    if not judged:
        return note(f"None of {rows.height} answers was judged: no case can be told.")
    tiles = pl.DataFrame(
        [
            {"found": found, "grounded": grounded, "case": case, "n": counts.get(case, 0),
             "told": f"{counts.get(case, 0)} answers", "then": then}
            for case, found, grounded, then in (
                (GOOD, FOUND_GOLD[0], GROUNDED[0], "as it should be"),
                (WRITER, FOUND_GOLD[0], GROUNDED[1], "the writer failed"),
                (ODD, FOUND_GOLD[1], GROUNDED[0], "doubt judge or gold"),
                (RETRIEVER, FOUND_GOLD[1], GROUNDED[1], "the retriever failed"),
            )
        ]
    )  # fmt: skip
    base = alt.Chart(tiles).encode(
        x=alt.X("found:N", sort=FOUND_GOLD, title=None,
                axis=alt.Axis(orient="top", labelAngle=0, labelLimit=0)),
        y=alt.Y("grounded:N", sort=GROUNDED, title=None, axis=alt.Axis(labelLimit=0)),
        tooltip=[alt.Tooltip("case:N"), alt.Tooltip("n:Q", title="answers")],
    )  # fmt: skip
    colours = alt.Scale(
        domain=[GOOD, WRITER, ODD, RETRIEVER], range=[BETTER, OTHER, CANDIDATE, WORSE]
    )
    layers = [
        base.mark_rect(stroke="white", strokeWidth=3, opacity=0.3).encode(
            color=alt.Color("case:N", scale=colours, legend=None)
        ),
        base.mark_text(dy=-8, fontSize=16, fontWeight="bold").encode(text="told:N"),
        base.mark_text(dy=12).encode(text="then:N"),
    ]
    fault, failed = max(("retriever", counts.get(RETRIEVER, 0)), ("writer", counts.get(WRITER, 0)),
                        key=lambda pair: pair[1])  # fmt: skip
    title = f"Where answers failed it was mostly the {fault}: {failed} of {judged}"
    if not failed:
        title = f"None of {judged} answers failed"
    by = rows["by"][0]
    subtitle = f"Gold found: half of it or more {hits_of(result)}. Grounded: "
    subtitle += "a judge's score of one half or more" if by == "judge" else "by words in common"
    if rest := counts.get(UNJUDGED, 0):
        subtitle += f". {rest} more have no score or no gold"
    return alt.layer(*layers, width="container", height=190,
                     title=alt.TitleParams(title, subtitle=subtitle))  # fmt: skip


def failures(result: Retrieval, answers: Any = "", experiment: str | None = None) -> Cases:
    """Did the retriever or the writer fail? Each answer beside the passage it should rest on."""
    told = "Give the answers a column experiment_id: whose hits they were written from."
    rows = _judged(result, answers, experiment, told)
    if isinstance(rows, Cases):
        return rows
    name = rows["experiment_id"][0] if rows.height else ""
    texts = dict(result.questions.select("question_id", "text").iter_rows())
    ranked = rows.to_dicts()
    counts = rows["case"].value_counts()
    told = dict(counts.iter_rows())
    cases = [
        Case(
            f"{row['question_id']}: {texts.get(row['question_id']) or ''}",
            row["case"],
            {
                "gold found": figure(row["found"], share=True),
                f"grounded, by {row['by']}": figure(row["grounded"], share=True),
            },
            {
                "answer": row["answer"] or "no text was logged",
                "gold": in_text(result, row["question_id"], name) if result.corpus else "",
            },
        )
        for case in CASES
        for row in [row for row in ranked if row["case"] == case][:EACH]
    ]
    parts = listing([f"{told[case]} {case}" for case in CASES if case in told], 5)
    return Cases(f"Of {rows.height} answers {parts}", cases, rows.height)
