"""How much of all tokens or cost a few requests take."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from aiops_lab.wording import figure, short_name

FEWEST = 100
USUAL = 0.25
"""The dearest hundredth of requests takes less of all tokens where nothing is wrong: 2 % where all
are alike, about 8 % where the log of their sizes spreads as much as one."""
TENANT = 0.5
"""A tenant that takes so much more of the tokens than of the requests stands out."""


@dataclass(frozen=True)
class Concentration:
    """What the dearest hundredth of requests takes, and how far the dearest is from the usual.

    `share` of all; `largest` and `median` in the unit; `unusual` asks for a look.
    """

    unit: str
    n: int
    share: float
    largest: float
    median: float
    unusual: bool
    told: str


def concentration(requests: pl.DataFrame) -> Concentration | None:
    """The share of all cost, else tokens, that the dearest hundredth of requests takes.

    None where fewer than 100 requests tell theirs.

    Examples
    --------
    >>> rows = pl.DataFrame({"tokens_in": [100] * 199 + [50_000], "tokens_out": [50] * 200,
    ...                      "cost_usd": [None] * 200, "tenant": ["a"] * 200})
    >>> concentration(rows).told
    'the dearest 1 % of 200 requests takes 62.8 % of all tokens (the largest 50,000, usually 150)'
    """
    tokens = pl.col("tokens_in").fill_null(0) + pl.col("tokens_out").fill_null(0)
    told = pl.any_horizontal(pl.col("tokens_in", "tokens_out").is_not_null())
    known = requests.select(
        "tenant", cost=pl.col("cost_usd").cast(pl.Float64),
        tokens=pl.when(told).then(tokens).cast(pl.Float64),
    )  # fmt: skip
    unit = "tokens" if known["tokens"].count() >= known["cost"].count() else "cost"
    rows = known.select("tenant", amount=unit).drop_nulls("amount").filter(pl.col("amount") >= 0)
    n, total = rows.height, float(rows["amount"].sum())
    if n < FEWEST or not total:
        return None
    top = rows.sort("amount", descending=True).head(math.ceil(n / 100))["amount"]
    share, median = float(top.sum()) / total, float(rows["amount"].median() or 0)  # type: ignore
    text = (
        f"the dearest 1 % of {n:,} requests takes {figure(share, share=True)} of all {unit} "
        f"(the largest {figure(float(top[0]))}, usually {figure(median)})"
    )
    by = rows.drop_nulls("tenant").group_by("tenant").agg(
        of=pl.len() / n, takes=pl.col("amount").sum() / total
    )  # fmt: skip
    greedy = by.filter(pl.col("takes") - pl.col("of") > TENANT).sort("takes", descending=True)
    if greedy.height:
        name, of, takes = greedy.row(0)
        text += (
            f"; tenant {short_name(name)} takes {figure(takes, share=True)} with "
            f"{figure(of, share=True)} of the requests"
        )
    unusual = share > USUAL or greedy.height > 0
    return Concentration(unit, n, share, float(top[0]), median, unusual, text)
