"""Did the distribution of answers shift? A mean can hide that one is given ever more often."""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.ship.pairs import difference, paired, parts
from aiops_lab.ship.preflight import SCHEMA as CHECK
from aiops_lab.stats.multiple import holm
from aiops_lab.tables import schema_of
from aiops_lab.wording import figure

MOST = 12
"""Answers are taken for labels when this many different ones cover most of them."""
COVERED = 0.9
LONGEST = 60
"""Characters of an answer that may be a label."""
CLEAR, MUCH = 0.05, 0.1
SCHEMA = schema_of(
    "answer n:int baseline:float candidate:float difference:float low:float high:float "
    "p_adjusted:float"
)


def answers(
    samples: pl.DataFrame, scores: pl.DataFrame, baseline: str, candidate: str
) -> pl.DataFrame:
    """A row an answer, the largest shift first; none where answers are free text.

    Answers are the labels of the scores, else short outputs; `p_adjusted` is Holm's.
    """
    given = samples.select("run_id", "sample_id", "cluster", answer=_short(pl.col("output")))
    if not _few(given["answer"]):
        labels = scores.select("run_id", "sample_id", answer=_short(pl.col("label")))
        if not _few(labels["answer"]):
            return pl.DataFrame(schema=SCHEMA)
        given = labels.with_columns(cluster=pl.lit(None, pl.String))
    most = given["answer"].drop_nulls().value_counts(sort=True).head(MOST)["answer"]
    told = given.drop_nulls("answer")
    long = pl.concat(
        told.select(
            "run_id",
            "sample_id",
            metric=pl.lit(answer),
            value=(pl.col("answer") == answer).cast(pl.Float64),
        )
        for answer in most.sort()
    )
    pairs = paired(long, samples, baseline, candidate)
    rows: list[dict[str, Any]] = [
        {"answer": answer} | difference(part, bounded=True)
        for answer, part in parts(pairs, "metric")
    ]
    adjusted = holm([row["p_value"] for row in rows])
    found = [{**row, "p_adjusted": p} for row, p in zip(rows, adjusted, strict=True)]
    kept = [{name: row[name] for name in SCHEMA} for row in found]
    return pl.DataFrame(kept, schema=SCHEMA).sort(
        pl.col("difference").abs(), descending=True, maintain_order=True
    )


def shifted(found: pl.DataFrame) -> pl.DataFrame:
    """A preflight row: is one answer now given clearly more or less often?"""
    rows = []
    if found.height:
        clear = (pl.col("p_adjusted") < CLEAR) & (pl.col("difference").abs() >= MUCH)
        status, detail = "ok", "no answer is given clearly more or less often"
        for row in found.filter(clear).head(1).to_dicts():
            sides = (figure(row[side], share=True) for side in ("baseline", "candidate"))
            status, detail = (
                "warn",
                "the answer {!r} went from {} to {}".format(row["answer"], *sides),
            )
        rows.append(("same answers", status, detail))
    return pl.DataFrame(rows, schema=CHECK, orient="row")


def _short(texts: pl.Expr) -> pl.Expr:
    stripped = texts.str.strip_chars(" \t\r\n.!\"'`*").str.to_lowercase()
    short = stripped.str.len_chars().is_between(1, LONGEST)
    return pl.when(short).then(stripped)


def _few(values: pl.Series) -> bool:
    """At least two different values, of which a dozen cover most."""
    counts = values.drop_nulls().value_counts(sort=True)
    if counts.height < 2 or not values.len():
        return False
    return counts.head(MOST)["count"].sum() >= COVERED * values.len()
