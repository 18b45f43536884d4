"""Histograms that add up, and their quantiles.

They have bins of equal ratio: a value v of one sign lies in bin k = ceil(log(|v|) / log(g))
with g = 1.01 / 0.99, so the middle of a bin, 2 g^k / (g + 1), is within 1 % of every value in it
(DDSketch; Masson, Rim and Lee 2019, section 2.1). Zeros have the sign 0 and the bin 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import narwhals as nw
import numpy as np
import polars as pl

GAMMA = 1.01 / 0.99


def bin_of(value: nw.Expr) -> tuple[nw.Expr, nw.Expr]:
    """Sign and bin of a value."""
    sign = nw.when(value > 0).then(1).when(value < 0).then(-1).otherwise(0).cast(nw.Int8)
    size = nw.when(value == 0).then(1.0).otherwise(value.abs())
    return sign, (size.log() / math.log(GAMMA)).ceil().cast(nw.Int32)


def added_bins(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The histograms of the same key, added up."""
    own = rows.filter(pl.col("bins").is_not_null()).select(
        *key, "bins", place=pl.struct(key).rank("dense")
    )  # fmt: skip
    added = (
        own.select("place", "bins").explode("bins").unnest("bins")
        .group_by("place", "sign", "bin").agg(pl.col("n").sum()).sort("place", "sign", "bin")
        .group_by("place", maintain_order=True).agg(bins=pl.struct("sign", "bin", "n"))
    )  # fmt: skip
    named = own.select("place", *key).unique("place")
    return named.join(added, on="place").drop("place")


def quantile(bins: Sequence[Mapping[str, int]], share: float) -> float | None:
    """A quantile of a histogram, within 1 % of a value there.

    Examples
    --------
    >>> round(quantile([{"sign": 1, "bin": 0, "n": 5}, {"sign": 1, "bin": 70, "n": 5}], 0.9), 1)
    4.0
    """
    if not len(bins):
        return None
    ends = [(row["sign"], row["sign"] * row["bin"], row["n"], row["bin"]) for row in bins]
    ordered = sorted(ends)
    counts = np.cumsum([n for *_, n, _ in ordered])
    place = int(np.searchsorted(counts, share * (counts[-1] - 1) + 1))
    sign, _, _, number = ordered[min(place, len(ordered) - 1)]
    return sign * 2 * GAMMA**number / (GAMMA + 1)
