"""Which slices of the traffic explain that a rate or a mean changed?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.respond.leaves import Leaves, read_leaves
from aiops_lab.stats.cover import Slices, slices_of
from aiops_lab.stats.expected import Expected, expected
from aiops_lab.stats.explain import Told, explanations

WIDE = 1.96
PART = pl.Struct({"dimension": pl.String, "value": pl.String})
EXPLANATIONS = pl.Schema(
    {
        "rank": pl.Int64, "slice": pl.String, "slices": pl.List(pl.List(PART)),
        **dict.fromkeys(("share", "before", "after", "difference", "low", "high"), pl.Float64),
        **dict.fromkeys(("n_before", "n_after", "score", "p_value"), pl.Float64),
    }
)  # fmt: skip


def find_slices(
    before: Any,
    after: Any,
    *,
    value: str,
    count: str,
    dimensions: Sequence[str] | None = None,
    time: str | None = None,
    depth: int = 3,
    limit: int = 10,
    alpha: float = 0.05,
) -> pl.DataFrame:
    """Rank sets of slices by how likely each is the whole cause of a change.

    Parameters
    ----------
    before, after
        Tables of leaves, of any library that Narwhals knows: a row has a sum and a count of one
        combination of values. Of `before` a leaf may have several rows (minutes, days): they tell
        how much is usual. Rows without a finite sum or a count above 0 are left out. A leaf that is
        new is compared with what its values had elsewhere; one without answers after tells nothing.
    value, count
        The columns of sums (of events, or of an amount such as seconds) and of their counts.
    dimensions
        The columns that say which leaf; by default those of both tables, but for times: columns of
        dates or times, and those of which no value is on both sides. Null is a value.
    time
        The column of `before` that says which period; by default its first column of times, else
        the n-th row of each leaf is of the n-th period.
    depth
        How many dimensions a slice may name.
    limit
        How many explanations are listed.
    alpha
        The chance that anything is listed where nothing changed, at most; it needs several rows a
        leaf before, as one row does not show what is usual.

    Returns
    -------
    polars.DataFrame
        An explanation a row, empty where all may be chance: rank, slice ("region=A, isp=B"; slices
        of a set parted by " | "; "all" where leaves moved alike everywhere), slices (the same as a
        list of slices, each a list of dimension and value), share (of the change within leaves),
        before, after (rates), difference, low, high (its 95 % interval), n_before, n_after, score
        (the probability among all explanations weighed), p_value (of the least certain of its
        slices, times the number of slices looked at).

    Raises
    ------
    BadSettings
        A column is not there or of no use, or a setting cannot be used.
    NotComputable
        A table has no row that counts.

    Notes
    -----
    ``docs/slices.md`` has the model: shrunken leaf rates, an effect that is alike within a slice
    (ripple effect, Sun et al. 2018, IEEE Access 6:10909), sets by beam search.

    Examples
    --------
    >>> leaves = pl.DataFrame({"region": [*"AABBCC"], "isp": ["x", "y"] * 3, "answers": 1000})
    >>> before = leaves.with_columns(errors=pl.Series([20, 22, 18, 19, 21, 20]))
    >>> after = leaves.with_columns(errors=pl.Series([21, 20, 160, 149, 19, 22]))
    >>> found = find_slices(before, after, value="errors", count="answers")
    >>> found.select("slice", "before", "after").row(0)
    ('region=B', 0.0185, 0.1545)
    """
    _check(depth, limit, alpha)
    leaves = read_leaves(before, after, value, count, dimensions, time)
    sums = leaves.sums
    slices, usual = slices_of(sums, depth), expected(sums)
    told = explanations(slices, usual, sums, alpha=alpha, limit=limit)
    rows = [_row(leaves, slices, usual, each) for each in told]
    return pl.DataFrame(rows, schema=EXPLANATIONS, orient="row").with_columns(
        rank=pl.int_range(1, pl.len() + 1)
    )


def _check(depth: Any, limit: Any, alpha: Any) -> None:
    for name, number in (("depth", depth), ("limit", limit)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise BadSettings(f"{name} is a whole number, 1 or more, not {number!r}")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not 0 < alpha <= 1:
        raise BadSettings(f"alpha is a chance between 0 and 1, not {alpha!r}")


def _row(leaves: Leaves, slices: Slices, usual: Expected, told: Told) -> tuple[Any, ...]:
    sums = leaves.sums
    order = sorted(told.slices, key=lambda s: (-told.side * usual.move[slices.inside(s)].sum(), s))
    parts = [_named(leaves, slices, s) for s in order]
    inside = np.any([slices.inside(s) for s in order], axis=0)
    x0, n0, x1, n1 = (float(part[inside].sum()) for part in (sums.x0, sums.n0, sums.x1, sums.n1))
    total = float(usual.move.sum())
    share = float(usual.move[inside].sum()) / total if total else None
    was, now = (x0 / n0 if n0 else None), (x1 / n1 if n1 else None)
    change = None if was is None or now is None else now - was
    half = WIDE * told.error / n1 if n1 else math.inf
    ends = (None, None) if change is None else (change - half, change + half)
    return (0, _text(parts), parts, share, was, now, change, *ends, n0, n1, told.probability,
            told.p_value)  # fmt: skip


def _named(leaves: Leaves, slices: Slices, number: int) -> list[dict[str, str | None]]:
    codes = leaves.sums.codes[slices.example[number]]
    return [
        {"dimension": leaves.dimensions[d], "value": leaves.values[d][codes[d]]}
        for d in slices.dimensions[slices.cuboid[number]]
    ]


def _text(parts: list[list[dict[str, str | None]]]) -> str:
    """The slices as a text; what values hold stays as it is."""
    told = [
        ", ".join(
            f"{each['dimension']}={'null' if each['value'] is None else each['value']}"
            for each in part
        )
        for part in parts
    ]
    return " | ".join(each or "all" for each in told)
