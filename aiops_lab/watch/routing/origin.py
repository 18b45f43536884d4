"""On which day did the model learn a pattern: where an option failed and the carriers lined up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from aiops_lab.stats.calendar import Floats
from aiops_lab.watch.routing.carriers import Pairs
from aiops_lab.watch.routing.decisions import DAY, Decisions
from aiops_lab.watch.routing.patterns import KEYS

ORIGIN = pl.Schema(
    {
        "day": pl.Date, **KEYS, "failed": pl.Float64, "failed_otherwise": pl.Float64,
        "n": pl.Int64, "alike": pl.Float64, "z": pl.Float64, "p_value": pl.Float64,
    }
)  # fmt: skip
GROUPS = 10
"""Parts of a carrier's values that are told apart."""
SPREAD = 1.0
"""Added to each part's counts (Laplace)."""


def origin_days(
    training: Decisions, key: Mapping[str, Any], carriers: Sequence[str], pairs: Pairs, *,
    worse: bool = True,
) -> pl.DataFrame:  # fmt: skip
    """Rank the days a model learned from by what they say of an option in the pattern's light.

    A day ranks high where decisions for the option failed more (less, if not `worse`) than the
    option's usual and those that did have carriers as at the pattern's times. How alike a decision
    is, is its chance to be of the pattern's times by its carriers alone.

    Parameters
    ----------
    training
        Older decisions with their outcome.
    key
        The pattern's option, whose outcome it is, with its calendar, period_days and phase.
    carriers
        The features that carry the pattern.
    pairs
        Decisions of the pattern's times beside others.

    Returns
    -------
    pl.DataFrame
        day, the columns of `key`, failed and failed_otherwise (shares of the day's and the other
        days' decisions for the option), n, alike (mean), z, p_value (corrected for the number of
        days); the likeliest day first.
    """
    rows = training.rows.filter(pl.col("chosen") == key["option"], pl.col("outcome").is_not_null())
    if not rows.height or not len(carriers):
        return pl.DataFrame(schema=ORIGIN)
    alike = likeness(rows, carriers, pairs)
    failed = 1 - rows["outcome"].to_numpy().clip(0, 1)
    days, place = np.unique(rows[DAY].to_numpy(), return_inverse=True)
    n = np.bincount(place)
    counts = np.bincount(place, failed)
    usual = failed.mean()
    surprise = (failed - usual) * alike
    sums = np.bincount(place, surprise)
    # of every decision, alike or not: a day that is unlike the pattern's says little
    spread = n * max(usual * (1 - usual), 1e-9)
    z = sums / np.sqrt(np.maximum(spread, 1e-9))
    ordinary = 1.4826 * np.median(np.abs(z - np.median(z)))  # days differ more than counts say
    z = z / max(ordinary, 1.0)
    side = z if worse else -z
    others = (counts.sum() - counts) / np.maximum(n.sum() - n, 1)
    p_value = np.minimum(special.ndtr(-side) * len(days), 1)
    return pl.DataFrame(
        {
            "day": days, **{name: [key[name]] * len(days) for name in KEYS}, "failed": counts / n,
            "failed_otherwise": others, "n": n, "alike": np.bincount(place, alike) / n,
            "z": side, "p_value": p_value,
        },
        schema=ORIGIN,
    ).sort("z", descending=True)  # fmt: skip


def likeness(rows: pl.DataFrame, carriers: Sequence[str], pairs: Pairs) -> Floats:
    """The chance of each row to be of the pattern's times by its carriers (naive Bayes), 0 to 1."""
    odds = np.zeros(rows.height)
    for name in carriers:
        values = pl.concat([pairs.high[name], pairs.low[name]], rechunk=True)
        if values.dtype.is_numeric() or values.dtype == pl.Boolean:
            numbers = values.cast(pl.Float64)
            edges = np.unique(np.nanquantile(numbers.drop_nulls().to_numpy(),
                                             np.linspace(0, 1, GROUPS + 1)[1:-1]))  # fmt: skip
            high, low, own = (
                np.searchsorted(edges, part[name].cast(pl.Float64).fill_null(-np.inf).to_numpy())
                for part in (pairs.high, pairs.low, rows)
            )
            size = len(edges) + 1
        else:
            known = {value: i for i, value in enumerate(values.cast(pl.String).unique().sort())}
            size = len(known) + 1
            high, low, own = (
                part[name].cast(pl.String).replace_strict(known, default=size - 1,
                                                          return_dtype=pl.Int64).to_numpy()
                for part in (pairs.high, pairs.low, rows)
            )  # fmt: skip
        mine = np.bincount(high, minlength=size) + SPREAD
        others = np.bincount(low, minlength=size) + SPREAD
        odds += np.log(mine / mine.sum() / (others / others.sum()))[own]
    return special.expit(odds)
