"""What a comparison rests on: what could be seen, what else changed, the runs themselves."""

from __future__ import annotations

import polars as pl

from aiops_lab.charts.cases import Cases, case, note
from aiops_lab.charts.compare import SIDES, Row, labels, names
from aiops_lab.charts.table import Table, cell, table
from aiops_lab.ship.compare import Comparison
from aiops_lab.wording import change, figure


def power(result: Comparison) -> Table:
    """What these questions could have shown, and what would settle the rest."""
    known = ["candidate_run", "metric", "difference", "share"]
    joined = result.power.join(result.metrics.select(known), on=known[:2], maintain_order="left")
    rows = [
        {
            "score": row["name"],
            "questions": row["n"],
            "change seen": change(row["difference"], share=row["share"]),
            "smallest change seen 4 times in 5": _smallest(row),
            "questions that would show the change seen": _needed(row),
            "more questions or more answers to each?": row["advice"],
        }
        for row in joined.with_columns(name=names(result, "metric")).to_dicts()
    ]
    first = joined.row(0, named=True)
    title = (
        f"{first['n']:,} questions show a change of {_smallest(first)} in {first['metric']} "
        "4 times in 5; smaller ones mostly go unseen"
    )
    return table(pl.DataFrame(rows), title=title)


def _smallest(row: Row) -> str:
    return change(row["smallest_seen"], share=row["share"], sign=False)


def _needed(row: Row) -> str:
    needed, price = row["needed"], row["cost_of_question"]
    if needed is None:
        return "not known"
    if (more := needed - row["n"]) <= 0:
        return f"{needed:,}; these are enough"
    cost = f" (${figure(more * price, digits=2)})" if price else ""
    return f"about {figure(more, digits=2)} more{cost}"


def flaky(result: Comparison) -> Table | Cases:
    """Questions that one run answers now right, now wrong."""
    if not result.flaky.height and (result.power["epochs"] <= 1).all():
        return note(
            "Each run answered each question once: whether it would do so again is unknown."
        )
    if not result.flaky.height:
        return note("No question was answered now right, now wrong by the same run.")
    count = result.flaky["sample_id"].n_unique()
    most = result.metrics["n"].max()
    return table(
        result.flaky.with_columns(right=pl.format("{} %", (100 * pl.col("mean")).round(0))),
        title=f"{count} of {most} questions are answered now right, now wrong by the same run",
        columns={
            "sample_id": "question",
            "side": "run",
            "metric": "score",
            "epochs": "answers",
            "right": "right",
        },
    )


def unmatched(result: Comparison) -> Table | Cases:
    """Questions that only one run answered."""
    if not result.unmatched.height:
        return note("Every question was answered by all runs.")
    rows = result.unmatched.with_columns(question=names(result, "sample_id"))
    title = "Questions that only one run answered, left out above"
    return table(rows, title=title, columns={"question": "question", "side": "only in the"})


def prompts(result: Comparison) -> Cases:
    """What differs in the prompts, word by word."""
    rows = result.changes.filter(pl.col("what") == "prompt")
    if not rows.height:
        return note("No difference between the prompts' texts is known; the logs may hold none.")
    found = rows.with_columns(name=names(result, "what")).to_dicts()
    cases = [case(r["name"], "changed", {}, *(r[side] for side in SIDES)) for r in found]
    return Cases("What differs between the prompts, word by word", cases, len(cases))


def changes(result: Comparison) -> Table | Cases:
    """What differs in the runs' configuration; the prompts' texts are in `prompts`."""
    rows = result.changes.filter(pl.col("what") != "prompt").with_columns(
        what=names(result, "what")
    )
    if not rows.height:
        return note("The logs name no difference in configuration.")
    return table(rows, title="What differs in configuration", columns=["what", *SIDES])


def runs(result: Comparison) -> Table:
    """The runs side by side: what they were and where they came from."""
    base, short = result.settings["baseline"], labels(result)
    named = result.runs.with_columns(
        pl.col("source_uri").str.split("/").list.last(), pl.col("source_digest").str.head(12)
    )
    found = {row["run_id"]: row for row in named.to_dicts()}
    several = len(short) > 1
    heads = {base: SIDES[0], **{r: f"candidate {short[r]}" if several else SIDES[1] for r in short}}
    shown = {
        "run": "run_id", "task": "task", "model": "model", "prompt": "prompt_version",
        "started (UTC)": "started_at", "tags": "tags", "status": "status", "log": "source_uri",
        "sha256": "source_digest",
    }  # fmt: skip
    rows = [
        {"what": what, **{head: cell(found[run][column] or None)[0] for run, head in heads.items()}}
        for what, column in shown.items()
    ]
    return table(pl.DataFrame(rows), title="The runs compared")
