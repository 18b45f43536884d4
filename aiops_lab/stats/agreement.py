"""How far two raters agree beyond chance, with bootstrap intervals over the items they rated.

Each measure is a formula of sums over items, so resamples are drawn as counts of distinct items
(or clusters) and the formula takes them all at once.

One item more, spread evenly over all pairs of categories, is drawn from along with those seen.
Without it the percentile interval of 50 items covers as little as 81 % (kappa .8 at prevalence .9)
and is a point where raters never differed; with it at least 92 % in every case simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiops_lab.stats.clustered import FEWEST_CLUSTERS

RESAMPLES = 2_000
MOST = 32
"""Categories; more are numbers."""
PICKED = 16
"""Categories whose pairs make the added item."""
ROOM = 4_000_000
Floats = NDArray[np.float64]
Formula = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Agreement:
    """A measure of agreement on n items with its interval; what cannot be computed is None."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str


def cohen_kappa(
    a: ArrayLike,
    b: ArrayLike,
    weights: Literal["linear", "quadratic"] | None = None,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Cohen's kappa of two raters (Cohen 1960; weighted: Cohen 1968).

    Parameters
    ----------
    a, b
        One label an item, of shape (n,): texts, numbers or booleans; items that miss one (None
        or NaN) are left out.
    weights
        For ordered categories (numbers, or texts that sort as meant): disagreement by the distance
        of their ranks, or by its square.
    clusters
        The cluster of each item: whole clusters are resampled.

    Examples
    --------
    >>> found = cohen_kappa([1, 1, 0, 0, 1, 0] * 10, [1, 1, 0, 1, 1, 0] * 10)
    >>> round(found.value, 3), round(found.low, 2), round(found.high, 2)
    (0.667, 0.45, 0.83)
    """
    power = {None: 0, "linear": 1, "quadratic": 2}[weights]

    def formula(tables: Floats) -> Floats:
        ranks = np.arange(tables.shape[1])
        apart = np.abs(ranks[:, None] - ranks)
        cost = (apart > 0) if power == 0 else apart**power
        expected = np.einsum("ri,ij,rj->r", tables.sum(2), cost, tables.sum(1))
        return 1 - (tables * cost).sum((1, 2)) * tables.sum((1, 2)) / expected

    named = "Cohen's kappa" if weights is None else f"Cohen's kappa, {weights} weights"
    return _two_raters(a, b, clusters, formula, named, level, seed)


def gwet_ac1(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Gwet's AC1 of two raters: steadier than kappa where one category is rare.

    Parameters as those of `cohen_kappa`. Source: Gwet 2008, Br. J. Math. Stat. Psychol. 61:29.

    Examples
    --------
    >>> round(gwet_ac1([1] * 18 + [0, 1], [1] * 18 + [1, 0]).value, 3)
    0.89
    """

    def formula(tables: Floats) -> Floats:
        n = tables.sum((1, 2))
        share = (tables.sum(1) + tables.sum(2)) / (2 * n[:, None])
        chance = (share * (1 - share)).sum(1) / (tables.shape[1] - 1)
        return (np.trace(tables, axis1=1, axis2=2) / n - chance) / (1 - chance)

    return _two_raters(a, b, clusters, formula, "Gwet's AC1", level, seed)


def krippendorff_alpha(
    ratings: ArrayLike,
    scale: Literal["nominal", "ordinal", "interval"] = "nominal",
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Krippendorff's alpha of any number of raters, some ratings missing.

    Parameters
    ----------
    ratings
        Of shape (raters, items), missing ones None or NaN; items rated once are left out.
    scale
        What a difference means: any is as large, by rank, or by squared distance.
    clusters
        The cluster of each item: whole clusters are resampled.

    Notes
    -----
    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability". The ordinal distance
    of two categories is that of their mean ranks.

    Examples
    --------
    >>> round(krippendorff_alpha([[1, 1, 0, 0, None], [1, 1, 0, 1, 0]]).value, 3)
    0.533
    """
    named = f"Krippendorff's alpha, {scale}"
    codes, labels = _codes(ratings)
    if codes.ndim != 2:
        raise ValueError(f"ratings have {codes.ndim} dimensions; expected raters by items")
    kept = (codes >= 0).sum(0) > 1
    codes = codes[:, kept]
    used = np.unique(codes[codes >= 0])
    if why := _unfit(codes.shape[1], used.size, scale != "interval"):
        return Agreement(None, None, None, codes.shape[1], f"{named}: {why}")
    codes = np.where(codes >= 0, np.searchsorted(used, codes), -1)
    picked = np.linspace(0, used.size - 1, min(used.size, PICKED)).round().astype(int)
    added = np.array([picked.repeat(picked.size), np.tile(picked, picked.size)])
    if scale == "interval":
        values = np.array([labels[code] for code in used], float)
        rows, more = (_moments(c, values - values.mean()) for c in (codes, added))
        formula = _interval_alpha
    else:
        rows, more = (_coincidences(c, used.size) for c in (codes, added))
        formula = partial(_alpha, size=used.size, ordinal=scale == "ordinal")
    distinct, item = np.unique(rows, axis=0, return_inverse=True)
    groups = None if clusters is None else np.asarray(clusters)[kept]
    return _resampled(item.ravel(), distinct, more, groups, formula, named, level, seed)


def _codes(values: ArrayLike) -> tuple[NDArray[np.intp], list]:
    """Labels as places in their sorted list, missing ones as -1."""
    given = np.asarray(values, object)
    flat = [None if v is None or v != v else v for v in given.ravel().tolist()]
    labels = sorted({v for v in flat if v is not None}, key=lambda v: (isinstance(v, str), v))
    place = {label: index for index, label in enumerate(labels)}
    codes = np.array([-1 if v is None else place[v] for v in flat], np.intp)
    return codes.reshape(given.shape), labels


def _unfit(n: int, used: int, limited: bool = True) -> str:
    if n < 2:
        return f"{n} items rated twice, at least two are needed"
    if used < 2:
        return "only one category was used, so nothing can be said beyond chance"
    return f"more than {MOST} categories: use an interval alpha" if limited and used > MOST else ""


def _two_raters(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike | None,
    formula: Formula,
    named: str,
    level: float,
    seed: int,
) -> Agreement:
    one, other = np.asarray(a, object), np.asarray(b, object)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"labels of shapes {one.shape} and {other.shape}; expected one an item")
    codes, _ = _codes(np.stack([one, other]))
    kept = (codes >= 0).all(0)
    used, pairs = np.unique(codes[:, kept], return_inverse=True)
    size = used.size
    if why := _unfit(int(kept.sum()), size):
        return Agreement(None, None, None, int(kept.sum()), f"{named}: {why}")
    pairs = pairs.reshape(2, -1)
    cells, groups = np.eye(size * size), None if clusters is None else np.asarray(clusters)[kept]

    def of_rows(rows: Floats) -> Floats:
        return formula(rows.reshape(-1, size, size))

    return _resampled(pairs[0] * size + pairs[1], cells, cells, groups, of_rows, named, level, seed)


def _coincidences(codes: NDArray, size: int) -> Floats:
    """Each item's coincidence matrix, flattened: its pairs of ratings, each with 1 / (m - 1)."""
    chosen = (codes.T[:, :, None] == np.arange(size)).sum(1).astype(float)
    pairs = chosen[:, :, None] * (chosen[:, None, :] - np.eye(size))
    return (pairs / (chosen.sum(1) - 1)[:, None, None]).reshape(len(pairs), -1)


def _alpha(rows: Floats, size: int, ordinal: bool) -> Floats:
    seen = rows.reshape(-1, size, size)
    used = seen.sum(2)
    rank = used.cumsum(1) - used / 2
    apart = (rank[:, :, None] - rank[:, None, :]) ** 2 if ordinal else 1 - np.eye(size)
    expected = (used[:, :, None] * used[:, None, :] * apart).sum((1, 2))
    return 1 - (used.sum(1) - 1) * (seen * apart).sum((1, 2)) / expected


def _moments(codes: NDArray, values: Floats) -> Floats:
    """Disagreement, number, sum and sum of squares of each item's ratings."""
    known = codes >= 0
    x = np.where(known, values[codes], 0)
    m, s, squares = known.sum(0), x.sum(0), np.square(x).sum(0)
    return np.stack([2 * (m * squares - s * s) / (m - 1), m, s, squares], 1)


def _interval_alpha(sums: Floats) -> Floats:
    within, n, s, squares = sums.T
    return 1 - (n - 1) * within / (2 * (n * squares - s * s))


def _resampled(
    item: NDArray,
    distinct: Floats,
    added: Floats,
    clusters: NDArray | None,
    formula: Formula,
    named: str,
    level: float,
    seed: int,
) -> Agreement:
    """The measure and its interval: items are rows of `distinct`, `added` makes one item more."""
    counts = np.bincount(item, minlength=len(distinct)).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        [value] = formula(counts @ distinct[None])
    if not np.isfinite(value):
        return Agreement(None, None, None, item.size, f"{named}: cannot be computed")
    told, units = f"{item.size} items", item.size
    if clusters is not None:
        group = np.unique(clusters, return_inverse=True)[1]
        units = int(group.max()) + 1
        told = f"{units} clusters"
        if units < FEWEST_CLUSTERS:
            why = f"{named}; {told} are too few to honour: no interval"
            return Agreement(float(value), None, None, item.size, why)
        sums = np.zeros((units, distinct.shape[1]))
        np.add.at(sums, group, distinct[item])
        distinct, counts, added = sums, np.ones(units), added * (item.size / units)
    rows = np.concatenate([distinct, added])
    shares = np.concatenate([counts, np.full(len(added), 1 / len(added))]) / (units + 1)
    found, rng = np.empty(RESAMPLES), np.random.default_rng(seed)
    step = max(1, ROOM // max(rows.shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        for start in range(0, RESAMPLES, step):
            part = found[start : start + step]
            part[:] = formula(rng.multinomial(units, shares, part.size) @ rows)
    low, high = np.quantile(found[np.isfinite(found)], [(1 - level) / 2, (1 + level) / 2])
    told = f"{named}; smoothed percentile bootstrap, {RESAMPLES} resamples of {told}"
    return Agreement(float(value), float(min(low, value)), float(max(high, value)), item.size, told)
