"""Two requests side by side, step by step: by default one that fails and a good one of before."""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.respond.difference import aligned
from aiops_lab.respond.replay import STRATA, VERSIONS
from aiops_lab.respond.triage import Triage, incident_of
from aiops_lab.tables import SCHEMAS, schema_of, shaped
from aiops_lab.watch.changes import ARTEFACTS, bare_version
from aiops_lab.watch.traces import pick_traces, steps_of

PICKED = schema_of("trace_id at:time side outcome:float")
TEXTS = ("name", "status", *STRATA, *VERSIONS)
NUMBERS = ("duration_s", "tokens_in", "tokens_out", "cost_usd")
OF_SPANS = [name for name in (*VERSIONS, *NUMBERS) if name in SCHEMAS["spans"]]
SEEN = {
    **dict.fromkeys(TEXTS, pl.String), "duration_s": pl.Float64, "tokens_in": pl.Int64,
    "tokens_out": pl.Int64, "cost_usd": pl.Float64,
    **dict.fromkeys(("input", "output"), pl.String),
}  # fmt: skip
STEPS = {
    "step": pl.String,
    **{f"{name}_{side}": kind for name, kind in SEEN.items() for side in ("first", "second")},
    "differs": pl.List(pl.String),
}
MOST_STEPS = 500
"""So many steps of a request at most."""
FAR, SHORT = 2.0, 0.1
"""Numbers so many times apart differ, times only if by more than so many seconds."""


def failing_and_good(lab: Any, result: Triage | None = None, most: int = 20) -> pl.DataFrame:
    """Requests that fail within an incident, and good ones of before, most alike first.

    Parameters
    ----------
    lab
        A Lab.
    result
        A triage; without an incident, requests of the last four weeks are picked.
    most
        So many of each.

    Returns
    -------
    pl.DataFrame
        trace_id, at, side (``before``: near the median of before, of the same slice as the first
        that fails; ``within``: furthest where the figure moved to, the first suspect's version
        first), outcome.
    """
    asked = None if result is None else incident_of(lab, result)
    if result is None or asked is None:
        kinds = pl.col("kind") == "typical"
        picked = pick_traces(lab, most=most).unique("trace_id", maintain_order=True)
        side = pl.when(kinds).then(pl.lit("before")).otherwise(pl.lit("within"))
        rows = picked.sort(pl.col("kind") == "slow", maintain_order=True).with_columns(side=side)
        return shaped(rows.with_columns(at=None, outcome=None), PICKED)
    rows, outcome = asked.requests.drop_nulls("outcome"), pl.col("outcome")
    inside = pl.col("at") >= asked.began
    was, now = rows.filter(~inside), rows.filter(inside)
    means = [side["outcome"].mean() or 0.0 for side in (was, now)]
    up = 1 if means[1] >= means[0] else -1  # pyright: ignore[reportOperatorIssue]
    now = now.with_columns(exposed=_exposed(result.suspects, rows.columns), moved=outcome * up)
    failing = now.sort("exposed", "moved", "at", descending=[True, True, False]).head(most)
    first = failing.row(0, named=True) if failing.height else {}
    same = [pl.col(n).eq_missing(pl.lit(first[n], pl.String)) for n in STRATA if n in first]
    away = (outcome - was["outcome"].median()).abs()
    good = (
        was.with_columns(
            far=away > was["outcome"].std(), alike=pl.sum_horizontal(pl.lit(0), *same), away=away
        )
        .sort("far", "alike", "away", "at", descending=[False, True, False, True])
        .head(most)
    )
    sides = {"before": good, "within": failing}
    return pl.concat(shaped(each.with_columns(side=pl.lit(name)), PICKED)
                     for name, each in sides.items())  # fmt: skip


def _exposed(suspects: pl.DataFrame, columns: list[str]) -> pl.Expr:
    """Whether requests had the first suspect's version."""
    artefact, version = suspects.select("artefact", "version").row(0)
    known = [name for name, kind in ARTEFACTS.items() if kind == artefact and name in columns]
    own = [bare_version(name) == pl.lit(version.rpartition(":")[2]) for name in known if version]
    return pl.any_horizontal(pl.lit(False), *own).fill_null(False)


def requests_side_by_side(lab: Any, first: str, second: str) -> pl.DataFrame:
    """Two requests step by step.

    Parameters
    ----------
    lab
        A Lab.
    first, second
        Ids of traces.

    Returns
    -------
    pl.DataFrame
        step (``request`` is the whole, as the traffic has it; steps, the first 500, follow
        where there are spans),
        of each what it was in the first and in the second (``duration_s_first`` ...): name, status,
        what was asked about, versions, seconds, tokens, dollars, input and output; and differs:
        the texts that are not the same and the numbers that are two times apart or more, or
        ``step`` where only one has it.

    Raises
    ------
    BadSettings
        There is no such request.
    """
    known = pl.DataFrame({"trace_id": [first, second]}).unique().with_columns(kind=pl.lit(""))
    own = pl.col("trace_id").is_in([first, second])
    whole = lab.scan("traffic").filter(own).collect().with_columns(
        step=pl.lit("request"), duration_s="latency_s"
    )  # fmt: skip
    steps = steps_of(lab, known, (whole["day"].min(), whole["day"].max()), OF_SPANS)
    sides = []
    for name in (first, second):
        rows = [shaped(each.filter(trace_id=name), {"step": pl.String, **SEEN}).to_dicts()
                for each in (whole, steps)]  # fmt: skip
        sides.append([*rows[0], *rows[1]][: MOST_STEPS + 1])
        if not sides[-1]:
            raise BadSettings(f"no request is called {name!r}")
    pairs = aligned(*sides, lambda row: (row["step"], row["name"]), lambda row: row["step"])
    return pl.DataFrame([_pair(*pair) for pair in pairs], schema=STEPS)


def _pair(first: dict[str, Any] | None, second: dict[str, Any] | None) -> dict[str, Any]:
    one, two = first or {}, second or {}
    row: dict[str, Any] = {"step": (first or two)["step"]}
    for name in SEEN:
        row |= {f"{name}_first": one.get(name), f"{name}_second": two.get(name)}
    texts = [name for name in (*TEXTS, "input", "output") if one.get(name) != two.get(name)]
    numbers = [name for name in NUMBERS if _apart(one.get(name), two.get(name), name)]
    alone = first is None or second is None
    return row | {"differs": ["step"] if alone else [*texts, *numbers]}


def _apart(one: float | None, two: float | None, name: str) -> bool:
    if one is None or two is None:
        return one is not two
    low, high = sorted((one, two))
    return high >= FAR * low and high > low + (SHORT if name == "duration_s" else 0)
