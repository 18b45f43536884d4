"""How much of a move is what users ask, and how much is how they are answered?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from aiops_lab.tables import schema_of
from aiops_lab.watch.mix import two_fold

SPLIT = schema_of(
    "dimension slice share_before:float share_after:float before:float after:float mix:float "
    "within:float"
)
UNKNOWN = "not told"


def mix_and_within(
    requests: pl.DataFrame, began: datetime, dimensions: Sequence[str]
) -> pl.DataFrame:
    """The move of an outcome by slices: that of their shares, and that within each.

    Parameters
    ----------
    requests
        at, outcome and the dimensions; requests without an outcome are left out.
    began
        What is before it is compared with what is after.
    dimensions
        Columns.

    Returns
    -------
    pl.DataFrame
        dimension, slice, share_before, share_after, before, after (mean outcomes), mix, within.
        Of each dimension, mix and within add up to the move of the whole.

    Notes
    -----
    The two-fold decomposition of `aiops_lab.watch.mix.two_fold`. A slice that is new, or gone, has
    no level on one side; all of what it adds is mix.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = [datetime(2026, 5, d, tzinfo=UTC) for d in (1, 1, 1, 1, 2, 2, 2, 2)]
    >>> rows = pl.DataFrame({"at": day, "slice": list("aaababbb"),
    ...                      "outcome": [0.0, 0, 1, 1, 0, 1, 1, 1]})
    >>> mix_and_within(rows, day[4], ["slice"]).select(pl.col("mix", "within").sum()).row(0)
    (0.4166666666666667, -0.16666666666666666)
    """
    parts = [pl.DataFrame(schema=SPLIT)]
    requests = requests.with_columns(pl.col("outcome").cast(pl.Float64))
    known = requests.filter(pl.col("outcome").is_finite())
    for name in dimensions:
        side = known.group_by(
            pl.col(name).cast(pl.String).fill_null(UNKNOWN).alias("slice"),
            after=pl.col("at") >= began,
        ).agg(pl.len().alias("n"), x=pl.col("outcome").mean())  # fmt: skip
        sides = {True: side.filter("after"), False: side.filter(~pl.col("after"))}
        if not (sides[True].height and sides[False].height):
            continue
        both = sides[False].drop("after").join(
            sides[True].drop("after"), on="slice", how="full", coalesce=True, suffix="1"
        ).with_columns(
            pl.lit(name).alias("dimension"),
            share_before=pl.col("n").fill_null(0) / pl.col("n").sum(),
            share_after=pl.col("n1").fill_null(0) / pl.col("n1").sum(),
            before=pl.col("x"), after=pl.col("x1"),
        )  # fmt: skip
        levels = {"r0": pl.coalesce("x", "x1"), "r1": pl.coalesce("x1", "x")}
        parts.append(
            both.with_columns(p0="share_before", p1="share_after", **levels)
            .with_columns(**two_fold()).select(SPLIT.keys()).sort("slice")
        )  # fmt: skip
    return pl.concat(parts)
