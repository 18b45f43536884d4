"""What a new edition of the documents did: gold by what became of it, and the texts."""

from __future__ import annotations

import altair as alt
import polars as pl

from aiops_lab.charts.cases import MOST, Case, Cases, note
from aiops_lab.charts.retrieval import GOLD, OTHER, Picture
from aiops_lab.charts.table import Table, table
from aiops_lab.charts.theme import BETTER, WORSE
from aiops_lab.diff import word_diff
from aiops_lab.ship.retrieval.drift import IndexDrift
from aiops_lab.wording import figure

STATUS = {"in place": BETTER, "moved": GOLD, "changed": OTHER, "lost": WORSE}
AMISS = ("lost", "changed")


def headline(drift: IndexDrift | None) -> Cases:
    """In a sentence, and what to do."""
    if drift is None:
        return note("No next edition of these documents was given.")
    return note(f"{drift.verdict.headline} {drift.verdict.next_step}")


def gold_places(drift: IndexDrift | None) -> Picture:
    """The gold of each document: in place, moved, changed or lost."""
    if drift is None or not drift.gold.height:
        return note("No question has gold in these documents.")
    counts = drift.gold.group_by("doc_id", "status", maintain_order=True).len("spans").with_columns(
        order=pl.col("status").replace_strict({s: n for n, s in enumerate(STATUS)}, default=9)
    )  # fmt: skip
    amiss = counts.filter(pl.col("status").is_in(AMISS))
    worst = amiss.group_by("doc_id").agg(pl.col("spans").sum()).sort("spans", "doc_id")
    rows = (
        counts.join(worst.rename({"spans": "amiss"}), on="doc_id", how="left")
        .with_columns(pl.col("amiss").fill_null(0), moved=pl.col("status").ne("in place"))
        .group_by("doc_id")
        .agg(pl.col("amiss").max(), pl.col("spans").filter("moved").sum())
        .sort("amiss", "spans", "doc_id", descending=[True, True, False])["doc_id"]
        .to_list()
    )
    title = f"All {drift.gold.height} gold spans still read as they did"
    if amiss.height:
        title = f"{amiss['spans'].sum()} of {drift.gold.height} gold spans are lost or read anew"
    present = [name for name in STATUS if name in counts["status"]]
    return alt.Chart(counts).mark_bar().encode(
        x=alt.X("spans:Q", title="gold spans", axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("doc_id:N", sort=rows, title=None, axis=alt.Axis(labelLimit=220)),
        color=alt.Color("status:N", legend=alt.Legend(columns=2, title=None), scale=alt.Scale(
            domain=present, range=[STATUS[name] for name in present])),
        order="order:Q",
        tooltip=["doc_id", "status", "spans"],
    ).properties(
        width="container", height=len(rows) * 22 + 10,
        title=alt.TitleParams(title, subtitle="By the document that held them before"),
    )  # fmt: skip


def gold_amiss(drift: IndexDrift | None) -> Cases:
    """The gold that is lost or reads anew: as it was, and as it is now."""
    if drift is None:
        return note("No gold to compare.")
    rows = drift.gold.filter(pl.col("status").is_in(AMISS)).sort(
        pl.col("status") != "lost", maintain_order=True
    )
    if not rows.height:
        return note("No gold is lost or reads otherwise.")
    old, new = dict(drift.was.texts()), dict(drift.now.texts())
    cases = []
    for row in rows.head(MOST).iter_rows(named=True):
        was = old[row["doc_id"]][row["start"] : row["end"]]
        now = "nowhere in these documents"
        if row["now_doc_id"] is not None:
            now = new[row["now_doc_id"]][row["now_start"] : row["now_end"]]
        shown = word_diff(was, now) if row["status"] == "changed" else None
        texts = {"document": row["doc_id"]}
        if row["now_doc_id"] not in (None, row["doc_id"]):
            texts["now in"] = row["now_doc_id"]
        cases.append(
            Case(row["question_id"], row["status"], texts,
                 dict(zip(("before", "after"), shown or (was, now), strict=True)))
        )  # fmt: skip
    return Cases("Gold to be marked anew or read again", cases, rows.height)


def documents(drift: IndexDrift | None) -> Table | Cases:
    """Each document: what became of it, and what of its text no chunk holds any more."""
    if drift is None:
        return note("No documents to compare.")
    gone = drift.unreachable.group_by("doc_id").agg(pl.col("characters").sum().alias("out"))
    shown = (
        drift.documents.join(gone, on="doc_id", how="left")
        .sort(pl.col("status") == "same", "doc_id")
        .with_columns(
            pl.col("similarity").map_elements(lambda value: figure(value, share=True), pl.String)
        )
    )
    count = drift.documents.filter(pl.col("status") != "same").height
    title = f"{count} of {drift.documents.height} documents differ"
    if drift.questions.height:
        title += (
            f"; other texts come back for {drift.questions['changed'].sum()} of "
            f"{drift.questions.height} questions"
        )
    headings = {"doc_id": "document", "status": "became", "renamed_from": "was called",
                "similarity": "text kept", "characters_before": "characters before",
                "characters_after": "after", "out": "held before, in no chunk now"}  # fmt: skip
    return table(shown, title=title, columns=headings)
