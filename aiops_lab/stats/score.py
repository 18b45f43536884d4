"""Score tests and intervals of shares: one mean, and the difference of two on the same questions.

All functions take arrays and counts that need not be whole: a share whose variance is smaller or
larger than that of pass or fail (graded scores, epochs, clusters) is one of pass or fail on an
*effective* number of questions (Korn and Graubard 1998 for one share; used here for pairs too).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
HALVINGS = 36
LEFT_OUT = 1e-4
"""What an exact test gives away to look only at likely discordances (Berger and Boos 1994)."""


def wilson(share: ArrayLike, n: ArrayLike, quantile: ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's interval of one share on n (effective) questions; `quantile` of z or t."""
    p, n, z = (np.asarray(x, float) for x in (share, n, quantile))
    middle = p + z * z / (2 * n)
    half = z * np.sqrt(np.maximum(p * (1 - p), 0) / n + (z / (2 * n)) ** 2)
    scale = 1 + z * z / n
    return (middle - half) / scale, (middle + half) / scale


def tango(up: ArrayLike, down: ArrayLike, n: ArrayLike, limit: ArrayLike) -> Floats:
    """Tango's score statistic for "the difference is `limit`" (Tango 1998, Statist. Med. 17:891).

    Parameters
    ----------
    up, down
        Shares of the n questions that only the candidate, only the baseline got right.
    n
        Questions, or an effective number of them.
    limit
        The difference that is tested, between -1 and 1.

    Examples
    --------
    >>> round(float(tango(0.1, 0.02, 100, 0.0)), 4)
    2.3094
    """
    b, c, n, x = (np.asarray(v, float) for v in (up, down, n, limit))
    slope = (2 - b + c) * x - b - c
    only_down = (np.sqrt(np.maximum(slope**2 + 8 * c * x * (1 - x), 0)) - slope) / 4
    variance = np.maximum(2 * only_down + x * (1 - x), 0)
    away = b - c - x
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.sqrt(n) * away / np.sqrt(variance)
    return np.where(np.abs(away) < 1e-15, 0.0, found)


def tango_interval(
    up: ArrayLike,
    down: ArrayLike,
    n: ArrayLike,
    quantile: ArrayLike,
    other: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """The differences that `tango` does not refuse: at `quantile` below, at `other` above.

    Examples
    --------
    >>> low, high = tango_interval(0.1, 0.02, 100, 1.959964)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0143, 0.158)
    """
    given = (up, down, n, quantile, quantile if other is None else other)
    b, c, n, *ends = np.broadcast_arrays(*(np.asarray(x, float) for x in given))
    seen = b - c
    sign = np.array([-1.0, 1.0]).reshape(2, *([1] * seen.ndim))
    inner = np.broadcast_to(seen, (2, *seen.shape))
    outer, z = np.broadcast_to(sign, inner.shape), np.stack(ends)
    for _ in range(HALVINGS):
        middle = (inner + outer) / 2
        kept = -sign * tango(b, c, n, middle) <= z
        inner, outer = np.where(kept, middle, inner), np.where(kept, outer, middle)
    return inner[0], inner[1]


def unskewed(away: ArrayLike, skew: ArrayLike) -> Floats:
    """A t statistic with the skewness of what was averaged taken out (Hall 1992, JRSS B 54:221).

    Rare large losses make a mean look better than it is, and its error smaller, as long as few of
    them were seen; `skew` is the skewness divided by the root of the number averaged.

    Examples
    --------
    >>> round(float(unskewed(2.0, -0.3)), 3), round(float(unskewed(2.0, 0.0)), 3)
    (1.577, 2.0)
    """
    t, a = np.asarray(away, float), np.asarray(skew, float)
    known = np.where(np.isfinite(t), t, 0.0)
    return np.where(np.isfinite(t), t + a * known**2 / 3 + a**2 * known**3 / 27 + a / 6, t)


def skewed(quantile: float, skew: float) -> tuple[float, float]:
    """How many errors below and above an estimate its interval reaches.

    Each is the statistic whose `unskewed` value is `quantile`, or that itself where larger: few
    large values are drawn out, but none is relied on.
    """
    if abs(skew) < 1e-9:
        return quantile, quantile
    ends = (quantile, -quantile)
    below, above = (3 / skew * (np.cbrt(1 + skew * (q - skew / 6)) - 1) for q in ends)
    return max(quantile, float(below)), max(quantile, -float(above))


def excess_skew(skew: ArrayLike, up: ArrayLike, down: ArrayLike, n: ArrayLike) -> Floats:
    """The skewness of scores beyond that of pass or fail, which `tango` and `wilson` know already.

    Parameters
    ----------
    skew
        As `skewness` tells it, of the differences.
    up, down
        The means of their positive and negative parts; of one run its mean, and 0.
    n
        The number of pass-or-fail questions that would vary as much.

    Examples
    --------
    >>> [round(float(excess_skew(skew, 0.0, 0.01, 400)), 3) for skew in (-0.6, 0.2)]
    [-0.108, 0.2]
    """
    a, b, c, size = (np.asarray(x, float) for x in (skew, up, down, n))
    d, changed = b - c, b + c
    third = d - 3 * d * changed + 2 * d**3
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.nan_to_num(third / (changed - d * d) ** 1.5 / np.sqrt(size))
    return np.sign(a) * np.maximum(np.abs(a) - np.maximum(np.sign(a) * known, 0), 0)


def tails(away: ArrayLike, skew: ArrayLike, freedom: float) -> tuple[Floats, Floats]:
    """P-values against "no more than this" and "no less", by t and without the skewness."""
    each = (np.asarray(away, float), unskewed(away, skew))
    above, below = (
        np.maximum(*(special.stdtr(freedom, sign * t) for t in each)) for sign in (-1, 1)
    )
    return above, below


def skewness(x: Floats) -> float:
    """Skewness divided by the root of how many values there are."""
    away = x - x.mean()
    square = np.square(away)
    spread = float(square.mean())
    return float((square * away).mean() / spread**1.5 / np.sqrt(x.size)) if spread > 0 else 0.0


def exact_share(hits: float, n: int, limit: float, *, above: bool) -> float:
    """One-sided exact p-value against "the share is at most (`above`), at least `limit`"."""
    if above:
        return 1.0 if hits <= 0 else float(special.bdtrc(hits - 1, n, limit))
    return 1.0 if hits >= n else float(special.bdtr(hits, n, limit))


def exact_share_interval(hits: float, n: int, level: float) -> tuple[float, float]:
    """Clopper and Pearson's interval.

    Examples
    --------
    >>> low, high = exact_share_interval(0, 59, 0.90)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.0495)
    """
    tail = (1 - level) / 2
    low = 0.0 if hits <= 0 else float(special.bdtri(hits - 1, n, 1 - tail))
    high = 1.0 if hits >= n else float(special.bdtri(hits, n, tail))
    return low, high


def mcnemar(up: int, down: int) -> float:
    """Exact two-sided p-value for "as many went up as down" (McNemar 1947).

    Examples
    --------
    >>> mcnemar(6, 0)
    0.03125
    """
    changed = up + down
    return min(1.0, 2 * float(special.bdtr(min(up, down), changed, 0.5))) if changed else 1.0


@lru_cache(maxsize=4096)
def exact_loss(up: int, down: int, n: int, limit: float) -> float:
    """Exact one-sided p-value for "the difference is `limit` or less", from few changed pairs.

    The probability under the most favourable discordance, among those that the data leave open,
    of a `tango` statistic at least as large (Sidik 2003; Berger and Boos 1994). With no pair
    changed it is ``(1 + limit) ** n``. For "`limit` or more" swap up and down, and the sign.

    Examples
    --------
    >>> exact_loss(0, 0, 59, -0.05) < 0.05 < exact_loss(0, 0, 58, -0.05)
    True
    """
    if up == down == 0:
        return float((1 + limit) ** n) if limit < 0 else 1.0
    if limit <= -1:
        return 0.0
    least, most = exact_share_interval(up + down, n, 1 - 2 * LEFT_OUT)
    changed = np.linspace(max(least, abs(limit)), max(most, abs(limit)), 64)
    reach = int(min(n, n * changed[-1] + 6 * np.sqrt(n * changed[-1]) + 10))
    ups, downs = np.indices((reach + 1, reach + 1)).reshape(2, -1)
    ups, downs = ups[ups + downs <= reach], downs[ups + downs <= reach]
    seen = tango(up / n, down / n, n, limit)
    extreme = tango(ups / n, downs / n, n, limit) >= seen - 1e-9
    b, c = ups[extreme], downs[extreme]
    ways = special.gammaln(n + 1) - special.gammaln([b + 1, c + 1, n - b - c + 1]).sum(0)
    going_up, going_down = (changed + limit) / 2, (changed - limit) / 2
    log_p = (
        ways
        + special.xlogy(b, np.maximum(going_up, 0)[:, None])
        + special.xlogy(c, np.maximum(going_down, 0)[:, None])
        + special.xlogy(n - b - c, np.maximum(1 - changed, 0)[:, None])
    )
    return float(min(1.0, np.exp(log_p).sum(1).max() + LEFT_OUT))
