"""Logged requests to run again: a fresh or a failing sample, weighted to stand for all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.respond.incident import moment, with_outcome
from aiops_lab.tables import schema_of
from aiops_lab.traffic.summaries import in_slice

STRATA = ("slice", "language", "tenant")
VERSIONS = (
    "prompt_version", "model_requested", "model_served", "fingerprint", "index_version",
    "retrieval_version", "parser_version", "code_version",
)  # fmt: skip
SET = schema_of(
    "trace_id at:time stratum weight:float input output context tools versions outcome:float"
)
PASSES = 0.5
GOOD = ("valid", "grounded", "correct", "pass", "up")
"""Figures whose names end so are good where they are high."""


def replay_set(
    lab: Any, *, since: Any = None, until: Any = None, where: str | None = None,
    failing: str | None = None, n: int = 100, strata: Sequence[str] = STRATA, seed: int = 0,
) -> pl.DataFrame:  # fmt: skip
    """Draw logged requests to run again.

    Parameters
    ----------
    lab
        A Lab with traces.
    since, until
        Times, days or texts such as 2026-05-12; default: all there is.
    where
        A slice, ``language=de``.
    failing
        Only requests that fail a figure: one that is true where it is bad (``refusal``,
        ``parse_error``), false (``json_valid``), or a score below .5.
    n
        So many; all where there are fewer.
    strata
        Columns; each combination is drawn from by its share, each with at least one. The last ones
        are left out where there are more combinations than half of `n`.
    seed
        Of the choice, which does not depend on the order of requests.

    Returns
    -------
    pl.DataFrame
        trace_id, at, stratum, weight (so many requests of the traffic it stands for), input,
        output, context (passages that were found), tools (JSON: name, input, output of each call),
        versions (JSON), outcome (of `failing`).

    Raises
    ------
    BadSettings
        No requests are like this, or none of them tells what was asked.
    """
    if n < 1:
        raise BadSettings(f"a sample has one request or more, not {n}")
    traffic = in_slice(lab.scan("traffic"), where)
    for edge, given in ((1, since), (-1, until)):
        if given is not None:
            at: datetime = moment(given)
            traffic = traffic.filter(pl.col("at") >= at if edge > 0 else pl.col("at") < at)
    rows = traffic.collect()
    if failing is not None:
        scores = lab.scan("evaluations").filter(metric=failing).collect()
        rows = with_outcome(rows, failing, scores)
        good = failing.endswith(GOOD) or scores.height
        bad = pl.col("outcome") < PASSES if good else pl.col("outcome") > PASSES
        rows = rows.filter(bad)
    else:
        rows = rows.with_columns(outcome=pl.lit(None, pl.Float64))
    rows = rows.filter(pl.col("trace_id").is_in(_asked(lab, rows["trace_id"]).implode()))
    if not rows.height:
        what = f" that fail {failing}" if failing else ""
        raise BadSettings(f"there are no requests{what} in that time that tell what was asked")
    drawn = _drawn(rows, [name for name in strata if name in rows.columns], n, seed)
    said = _said(lab, drawn["trace_id"])
    drawn = drawn.join(said, on="trace_id", how="left", maintain_order="left")
    versions = pl.struct(*VERSIONS).map_elements(
        lambda row: json.dumps({k: v for k, v in row.items() if v is not None}),
        return_dtype=pl.String,
    )
    return drawn.with_columns(versions=versions).select(
        pl.col(name).cast(dtype) for name, dtype in SET.items()
    )


def prompt_texts(lab: Any, names: Sequence[str]) -> dict[str, str]:
    """Prompts by name: each a file, or the version (or its beginning) of one that a lab knows.

    Raises
    ------
    BadSettings
        It is neither, or is no UTF-8 text.
    """
    known = lab.table("artefacts").filter(artefact="prompt").drop_nulls(["version", "content"])
    found = {}
    for name in names:
        path = Path(name)
        if path.is_file():
            try:
                found[path.stem] = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise BadSettings(f"the prompt {name} cannot be read: {error}") from None
            continue
        own = known.filter(pl.col("version").str.starts_with(name)) if name else known.clear()
        if own["version"].n_unique() != 1:
            there = ", ".join(known["version"].unique().sort()) or "none"
            raise BadSettings(f"{name!r} is no file and no prompt of the lab; it knows {there}")
        found[own["version"][0]] = own["content"][0]
    return found


def _drawn(rows: pl.DataFrame, strata: list[str], n: int, seed: int) -> pl.DataFrame:
    """So many of each stratum, by its share (largest remainders), with at least one of each."""
    strata = [name for name in strata if rows[name].n_unique() > 1]
    while strata and rows.n_unique(strata) > max(n // 2, 1):
        strata = strata[:-1]
    parts = [pl.col(name).fill_null("–") for name in strata]
    rows = rows.with_columns(
        stratum=pl.concat_str(parts, separator=" / ") if parts else pl.lit("all")
    )
    size = rows.group_by("stratum").len().sort("len", "stratum", descending=[True, False])
    share = size["len"].to_numpy() / rows.height * n
    take = np.maximum(np.floor(share), 1).astype(int)
    while take.sum() > n:
        take[np.argmax(np.where(take > 1, take - share, -np.inf))] -= 1
    for place in np.argsort(-(share - take))[: n - take.sum()]:
        take[place] += 1
    size = size.with_columns(take=pl.Series(np.minimum(take, size["len"].to_numpy())))
    order = (pl.col("trace_id") + f"#{seed}").hash(0)
    own = rows.join(size, on="stratum").sort(order, "trace_id")
    nth = pl.int_range(pl.len()).over("stratum")
    kept = own.filter(nth < pl.col("take")).with_columns(weight=pl.col("len") / pl.col("take"))
    return kept.sort("at", "trace_id")


def _asked(lab: Any, ids: pl.Series) -> pl.Series:
    """Those requests that tell what was asked."""
    own = pl.col("parent_id").is_null() | (pl.col("step") == "model")
    spans = lab.scan("spans").filter(
        pl.col("trace_id").is_in(ids.implode()), own, pl.col("input").is_not_null()
    )
    return spans.select(pl.col("trace_id").unique()).collect()["trace_id"]


def _said(lab: Any, ids: pl.Series) -> pl.DataFrame:
    """What was asked and answered, what was found, and which tools were called, of each request."""
    spans = lab.scan("spans").filter(pl.col("trace_id").is_in(ids.implode())).select(
        "trace_id", "parent_id", "step", "name", "started_at", "input", "output"
    ).collect().sort("started_at", "trace_id", nulls_last=True)  # fmt: skip
    root, model = pl.col("parent_id").is_null(), pl.col("step") == "model"
    tool, found = pl.col("step") == "tool", pl.col("step") == "retrieval"

    def text(name: str, which: pl.Expr, last: bool = False) -> pl.Expr:
        own = pl.col(name).filter(which).drop_nulls()
        return own.last() if last else own.first()

    calls = pl.struct("name", "input", "output").filter(tool)
    return spans.group_by("trace_id", maintain_order=True).agg(
        input=pl.coalesce(text("input", root), text("input", model)),
        output=pl.coalesce(text("output", root), text("output", model, last=True)),
        context=pl.col("output").filter(found).drop_nulls().str.join("\n\n"),
        calls=calls,
    ).with_columns(
        tools=pl.col("calls").map_elements(
            lambda rows: json.dumps(list(rows), ensure_ascii=False), return_dtype=pl.String
        ),
        context=pl.when(pl.col("context") != "").then(pl.col("context")),
    ).drop("calls")  # fmt: skip
