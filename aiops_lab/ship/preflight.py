"""May two runs be compared? Checked before any figure is believed."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from aiops_lab.frames import Evals
from aiops_lab.wording import figure, listing

ENOUGH_MATCHED = 0.5
"""Below this share of matched questions the comparison answers another question."""
WELL_MATCHED = 0.95
MANY_LOST, TOO_MANY_LOST = 0.02, 0.2
"""Shares of answers without a score from which a comparison is doubtful, and cannot be made."""
SCHEMA = {"check": pl.String, "status": pl.String, "detail": pl.String}


def preflight(data: Evals, baseline: str, candidate: str) -> pl.DataFrame:
    """A row a check: check, status (ok, warn or inconclusive), detail."""
    rows = [
        _matched(data, baseline, candidate),
        *_unchanged(data, baseline, candidate),
        *_same(data),
        _finished(data),
        _shared(data),
        *_lost(data),
        *([("rows read", "warn", f"left out: {listing(data.unread)}")] if data.unread else []),
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _matched(data: Evals, baseline: str, candidate: str) -> tuple[str, str, str]:
    ids = [
        set(data.samples.filter(pl.col("run_id") == run)["sample_id"])
        for run in (baseline, candidate)
    ]
    both, either = len(ids[0] & ids[1]), len(ids[0] | ids[1])
    share = both / either if either else 0.0
    status = (
        "ok" if share >= WELL_MATCHED else "warn" if share >= ENOUGH_MATCHED else "inconclusive"
    )
    detail = f"{both} of {either} questions were answered by both runs"
    return "same questions", status, detail


def _unchanged(data: Evals, baseline: str, candidate: str) -> Iterator[tuple[str, str, str]]:
    """The same id must mean the same question and the same target."""
    first = data.samples.sort("epoch").unique(["run_id", "sample_id"], keep="first")
    left = first.filter(pl.col("run_id") == baseline)
    both = left.join(first.filter(pl.col("run_id") == candidate), on="sample_id", suffix="_then")
    for what, column in (("input", "input_digest"), ("target", "target_digest")):
        known = both.drop_nulls([column, f"{column}_then"])
        changed = known.filter(pl.col(column) != pl.col(f"{column}_then")).height
        if not known.height:
            yield f"same {what}s", "ok", f"not known: the log keeps no {what}s"
        else:
            detail = f"{changed} of {known.height} {what}s changed under the same id"
            many = changed > (1 - ENOUGH_MATCHED) * known.height
            yield f"same {what}s", "inconclusive" if many else "warn" if changed else "ok", detail


def _same(data: Evals) -> Iterator[tuple[str, str, str]]:
    for what, column in (("scorers", "scorer_version"), ("dataset", "dataset_version")):
        versions = data.runs[column].drop_nulls().unique(maintain_order=True).to_list()
        if data.runs[column].null_count():
            yield f"same {what}", "ok", f"not known: a log names no {what}"
        elif len(versions) > 1:
            yield f"same {what}", "warn", f"the {what} differ: {listing(versions)}"
        else:
            yield f"same {what}", "ok", f"both {versions[0]}"


def _finished(data: Evals) -> tuple[str, str, str]:
    states = data.runs.filter(pl.col("status").fill_null("success") != "success")
    if not states.height:
        return "both finished", "ok", "no log says otherwise"
    told = listing(f"{run} is {status}" for run, status in states.select("run_id", "status").rows())
    return "both finished", "warn", told


def _lost(data: Evals) -> Iterator[tuple[str, str, str]]:
    """Answers that failed or that no scorer judged are missing from every figure: how many?"""
    for side, run in zip(("baseline", "candidate"), data.run_ids, strict=True):
        answers = data.samples.filter(pl.col("run_id") == run).select("sample_id", "epoch", "error")
        scored = data.scores.filter(pl.col("run_id") == run).drop_nulls("value")
        judged = answers.join(scored, on=["sample_id", "epoch"], how="semi").height
        failed, n = answers["error"].count(), max(answers.height, 1)
        lost = 1 - judged / n
        status = "ok" if lost <= MANY_LOST else "warn" if lost <= TOO_MANY_LOST else "inconclusive"
        yield (
            f"{side} scored",
            status,
            f"{answers.height - judged} of {answers.height} answers of the {side} have no score "
            f"({figure(lost, share=True)}), {failed} of them or others are errors",
        )


def _shared(data: Evals) -> tuple[str, str, str]:
    """Scores that only one run has cannot be compared."""
    scored = data.scores.drop_nulls("value")
    sides = [set(scored.filter(pl.col("run_id") == run)["metric"]) for run in data.run_ids]
    alone = sorted(sides[0] ^ sides[1])
    if not alone:
        return "same scores", "ok", "both runs have the same scores"
    return "same scores", "warn", f"only one run has {listing(alone)}"
