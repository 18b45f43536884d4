"""What to know of a retrieval experiment before believing its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import polars as pl

from aiops_lab.ship.retrieval.inputs import Corpus, Questions

NEVER = 0.05
"""More of the gold outside of all chunks is told."""
Check: TypeAlias = tuple[str, str, str]
"""What was checked, its status, and what was found."""


def checks_of(
    asked: Questions, corpus: Corpus | None, per: pl.DataFrame, known: pl.DataFrame,
    lost: pl.DataFrame, quarantined: pl.DataFrame, strays: pl.DataFrame, told: Sequence[Check],
) -> pl.DataFrame:  # fmt: skip
    """The checks made before, and those of what was scored."""
    gone, total = asked.quarantined.height, asked.table.height + asked.quarantined.height
    placed = f"the gold of all {total} questions is placed"
    left = f"{gone} of {total} questions have gold that cannot be placed and are left out"
    rows: list[Check] = [("gold", "warn" if gone else "ok", left if gone else placed), *told]
    if gone == total:
        first = asked.quarantined["reason"][0] if gone else "there are no questions"
        rows[0] = ("gold", "inconclusive", f"no question is left: {first}")
    without = asked.table.height - asked.gold["question"].n_unique()
    if without:
        said = f"{without} questions have no gold: no recall, counted in distractors only"
        rows.append(("unanswerable", "ok", said))
    if speechless := asked.table["text"].null_count():
        rows.append(("questions", "warn", f"{speechless} questions have no text to search with"))
    if strays.height:
        rows.append(("hits", "warn", "; ".join(f"{p}: {r}" for p, r in strays.iter_rows())))
    silent = per.filter(pl.col("hits") == 0).group_by("experiment_id", maintain_order=True).len()
    for experiment, count in silent.iter_rows():
        status = "inconclusive" if count == asked.table.height else "warn"
        rows.append(("hits", status, f"{experiment}: {count} questions have no hit, counted as 0"))
    shares = lost.group_by("experiment_id", maintain_order=True).agg(
        pl.col("characters").filter(pl.col("loss") == "never indexed").sum()
        / pl.col("characters").sum()
    )
    for experiment, share in shares.iter_rows():
        if share > NEVER:
            said = f"{experiment}: {share:.0%} of the gold lies in no chunk"
            said += "; do the documents' ids agree?" if share == 1 else ""
            rows.append(("index", "inconclusive" if share == 1 else "warn", said))
    for experiment, unseen in known.select("experiment_id", "unseen").iter_rows():
        if unseen is not None and unseen > 0.01:
            said = f"{experiment}: the embedder never saw {unseen:.0%} of the chunks' text"
            rows.append(("embedder", "warn", said))
    notes = [*(corpus.notes if corpus is not None else ()), *asked.notes]
    rows += [("corpus", "ok", note) for note in notes]
    if count := quarantined.height - gone - strays.height:
        rows.append(("corpus", "warn", f"{count} documents could not be read and are left out"))
    if not known["n"].sum() and not (per["mrr"] > 0).any():
        rows.append(("questions", "inconclusive", "no question found any of its gold"))
    return pl.DataFrame(rows, schema=["check", "status", "detail"], orient="row")
