"""How traffic is made up, and how much of a move of the whole its make-up explains."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from aiops_lab.traffic.summaries import DIMENSION, PART_OF_WHOLE

CLEAR = 1.64
DAYS = 28
"""So many days before and after are compared."""


def mix_shares(daily: pl.DataFrame, dimensions: Sequence[str]) -> pl.DataFrame:
    """The share of each slice in the requests of its day: dimension, slice, day, share."""
    schema = {"dimension": pl.String, "slice": pl.String, "day": pl.Date, "share": pl.Float64}
    rows = daily.filter(PART_OF_WHOLE, DIMENSION.is_in(list(dimensions)))
    return (
        rows.group_by("day", "slice", dimension=DIMENSION)
        .agg(pl.col("n").max())
        .with_columns(share=pl.col("n") / pl.col("n").sum().over("day", "dimension"))
        .select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        .sort("dimension", "slice", "day")
    )


def _around(daily: pl.DataFrame, metric: str, since: dt.date) -> pl.DataFrame:
    """A metric's slices in the days around a day: slice, dimension, after, n, x, xx.

    x is events or sums, xx the sum of squares of what was added up.
    """
    columns, span = daily.columns, dt.timedelta(days=DAYS)
    truth, total, squares = (
        pl.col(name).cast(pl.Float64) if name in columns else pl.lit(None, pl.Float64)
        for name in ("events", "sum", "sum_squares")
    )
    return daily.filter(
        pl.col("metric") == metric, PART_OF_WHOLE,
        pl.col("day").is_between(since - span, since + span),
    ).select(
        "slice", dimension=DIMENSION, after=pl.col("day") >= since,
        n=pl.col("evaluated" if "evaluated" in columns else "n"),
        x=pl.coalesce(truth, total), xx=pl.coalesce(truth, squares),
    )  # fmt: skip


def rest_moved(daily: pl.DataFrame, metric: str, where: str, since: dt.date) -> bool:
    """Whether the other slices of a slice's dimension moved too since a day.

    Their pooled level of the days before and since is compared; z is halved, as days differ by
    more than chance alone.
    """
    rows = _around(daily, metric, since).filter(
        pl.col("dimension") == where.partition("=")[0], pl.col("slice") != where
    )
    sides = rows.group_by("after").agg(pl.col("n", "x", "xx").sum()).filter(pl.col("n") > 0)
    if sides.height < 2:
        return not sides.height  # without others it is the whole
    mean = pl.col("x") / pl.col("n")
    told = sides.select(mean.alias("m"), v=(pl.col("xx") / pl.col("n") - mean**2) / pl.col("n"))
    error = float(told["v"].clip(0).sum()) ** 0.5
    move = abs(told["m"][0] - told["m"][1])
    return move > 0 and (error == 0 or move / error / 2 > CLEAR)


def two_fold() -> dict[str, pl.Expr]:
    """What each slice adds to a move: by its share, and within it (Kitagawa 1955, JASA 50:1168).

    Of columns p0 and p1 (shares before and after) and r0 and r1 (levels); over slices mix and
    within add up to the move.
    """
    p0, p1, r0, r1 = (pl.col(name) for name in ("p0", "p1", "r0", "r1"))
    return {"mix": (p1 - p0) * (r0 + r1) / 2, "within": (r1 - r0) * (p0 + p1) / 2}


def explained(daily: pl.DataFrame, metric: str, since: dt.date) -> tuple[float, str | None]:
    """How much of the move of a metric since a day the shares of slices explain, and in words.

    That is of the mix of `two_fold`, for the dimension that explains most.
    """
    rows = _around(daily, metric, since)
    best, told = 0.0, None
    for _, own in rows.group_by("dimension", maintain_order=True):
        sides = own.group_by("slice", "after").agg(pl.col("x", "n").sum())
        wide = sides.pivot("after", index="slice", values=["x", "n"]).fill_null(0)
        if not {"x_true", "x_false"} <= set(wide.columns):
            continue
        wide = wide.with_columns(
            p0=pl.col("n_false") / pl.col("n_false").sum(),
            p1=pl.col("n_true") / pl.col("n_true").sum(),
            r0=pl.when(pl.col("n_false") > 0).then(pl.col("x_false") / pl.col("n_false")),
            r1=pl.when(pl.col("n_true") > 0).then(pl.col("x_true") / pl.col("n_true")),
        ).with_columns(
            pl.coalesce("r0", "r1").alias("r0"), pl.coalesce("r1", "r0").alias("r1")
        )  # fmt: skip
        mix = two_fold()["mix"].sum()
        move = (pl.col("p1") * pl.col("r1")).sum() - (pl.col("p0") * pl.col("r0")).sum()
        share = wide.select(pl.when(move != 0).then(mix / move)).item()
        if share is not None and share > best:
            grown = wide.sort(pl.col("p1") - pl.col("p0"), descending=True).row(0, named=True)
            best = share
            told = (f"{grown['slice']} grew from {grown['p0']:.0%} to {grown['p1']:.0%} of the "
                    "traffic")  # fmt: skip
    return best, told
