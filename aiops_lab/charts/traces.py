"""Requests step by step: a waterfall in time, and what each step was given and gave."""

from __future__ import annotations

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Case, Cases, note
from aiops_lab.charts.intervals import Chart
from aiops_lab.charts.theme import BASELINE, BETTER, CANDIDATE, WORSE

STEPS = {
    "prompt": "#cc79a7", "retrieval": "#56b4e9", "tool": "#e69f00", "model": CANDIDATE,
    "parse": BETTER, "agent": "#9aa0a6", "other": BASELINE,
}  # fmt: skip
LONGEST = 600
FAILED = {"error": " (failed)"}
NOTHING = "No request to show: the lab holds no spans of these days."


def waterfall(steps: pl.DataFrame) -> Chart | Cases:
    """Each picked request by its steps in time; another is picked below the chart."""
    if not steps.height:
        return note(NOTHING)
    names = [
        f"{kind}: {trace[:12]}"
        for trace, kind in steps.select("trace_id", "kind").unique(maintain_order=True).rows()
    ]
    rows = steps.with_columns(
        request=pl.format("{}: {}", "kind", pl.col("trace_id").str.head(12)),
        order=pl.int_range(pl.len()).over("trace_id"),
        what=pl.concat_str(
            pl.lit("  ").repeat_by(pl.col("depth")).list.join(""), pl.col("name").fill_null("?")
        ).str.head(60),
    ).with_columns(
        row=pl.format("{}. {}", pl.col("order") + 1, "what"),
        failed=pl.col("status") == "error",
        shown=pl.max_horizontal("ends", pl.col("begins") + 1e-3),
    ).select(
        "request", "row", "order", "step", "status", "begins", "ends", "shown", "failed"
    )  # fmt: skip
    pick = alt.param(
        name="request", value=names[0], bind=alt.binding_select(options=names, name="Request  ")
    )
    base = alt.Chart(rows).transform_filter("datum.request === request")
    present = [step for step in STEPS if step in rows["step"]]
    y = alt.Y("row:N", sort=alt.SortField("order"), title=None, axis=alt.Axis(labelLimit=240))
    bars = base.mark_bar(height=16).encode(
        x=alt.X("begins:Q", title="seconds since the request began"), x2="shown:Q", y=y,
        color=alt.Color("step:N", legend=alt.Legend(columns=4), scale=alt.Scale(
            domain=present, range=[STEPS[step] for step in present])),
        tooltip=[alt.Tooltip("row:N", title="step"), "step:N", "status:N",
                 alt.Tooltip("begins:Q", format=".3f"), alt.Tooltip("ends:Q", format=".3f")],
    ).add_params(pick)  # fmt: skip
    failed = base.mark_text(
        text="failed", align="left", dx=4, color=WORSE, fontWeight="bold"
    ).encode(
        x=alt.X("shown:Q", title="seconds since the request began"), y=y,
        opacity=alt.condition("datum.failed", alt.value(1), alt.value(0)),
    )  # fmt: skip
    most = rows.group_by("request").len()["len"].max()
    return alt.layer(bars, failed).properties(
        width="container", height=max(120, 26 * int(most or 1)),  # pyright: ignore[reportArgumentType]
        title=alt.TitleParams("Where the time of a request goes",
                              subtitle="Pick a typical, slow, failing or refused request below"),
    )  # fmt: skip


def viewer(steps: pl.DataFrame) -> Cases:
    """Each picked request with what its steps were given and gave."""
    if not steps.height:
        return note(NOTHING)
    cases = []
    for (trace, kind), own in steps.group_by("trace_id", "kind", maintain_order=True):
        told = {
            f"{number}. {row['step']} {row['name'] or ''}{FAILED.get(row['status'], '')}":
            _short(row["output"] or row["input"] or "nothing was logged")
            for number, row in enumerate(own.to_dicts(), 1)
            if row["output"] or row["input"] or row["status"] == "error"
        }  # fmt: skip
        seconds = own["ends"].max()
        cases.append(
            Case(f"{trace}: {own.height} steps, {seconds:.2f} s", str(kind), told,
                 {"asked": _first(own, "input"), "answered": _last(own, "output")})
        )  # fmt: skip
    return Cases("Requests to look at: what each step gave", cases, len(cases))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _first(own: pl.DataFrame, column: str) -> str:
    known = own[column].drop_nulls()
    return _short(known[0]) if known.len() else "no text was logged"


def _last(own: pl.DataFrame, column: str) -> str:
    answers = own.filter(pl.col("step").is_in(["agent", "model"]))[column].drop_nulls()
    return _short(answers[0]) if answers.len() else "no text was logged"
