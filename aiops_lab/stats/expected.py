"""What each leaf of a table of sums was expected to have, and how far it may be from that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
ROUNDS = 8
PULL = 5.0
"""A value of a dimension is pulled to the whole as if so many more answers had been like it."""
LIGHT = 5.0
LEAST_BETWEEN = 1e-6
FEWEST_ROWS = 20
ODD = 0.001
TRIMMED = 0.98
MOST_DRIFT = 4.0


@dataclass(frozen=True)
class Sums:
    """Leaves before and after.

    Attributes
    ----------
    codes
        Of shape (leaves, dimensions): which value, a number from 0 on.
    x0, n0, x1, n1
        Sums and counts before and after, one a leaf.
    leaf, period, x, n
        The rows before: which leaf, which period, sum and count.
    """

    codes: Ints
    x0: Floats
    n0: Floats
    x1: Floats
    n1: Floats
    leaf: Ints
    period: Ints
    x: Floats
    n: Floats

    @property
    def share(self) -> bool:
        """Whether sums can be events: whole, none below 0, hardly any above its count."""
        sums = np.concatenate([self.x, self.x1])
        counts = np.concatenate([self.n, self.n1])
        whole = np.abs(sums - np.round(sums)) <= 1e-6 * np.maximum(np.abs(sums), 1e-3)
        some = sums.max(initial=0) >= 0.5 or not sums.any()
        return bool(some and np.all(whole & (sums >= 0)) and np.mean(sums > counts) <= ODD)


@dataclass(frozen=True)
class Expected:
    """Rates that leaves were expected to have, and the noise of their sums after.

    `share` as of `Sums`; `least`, the least share that leaves can be said to have; `rate` of each
    leaf; `move`, x1 - n1 rate, with its `variance` while nothing changed; `plain`, the same against
    the leaf's own rate before, which is noisier but nowhere biased. Of the rows before: `residual`,
    sums less what their leaf had, and `wobble`, its variance.
    """

    share: bool
    least: float
    rate: Floats
    move: Floats
    variance: Floats
    plain: Floats
    plain_variance: Floats
    residual: Floats
    wobble: Floats


def expected(sums: Sums) -> Expected:
    """Expected rates by shrinkage, with variances as rows before show them.

    A leaf's rate before is pulled to what the values of its dimensions have on average (main
    effects, fitted one after the other), the more so the fewer answers it had; how strongly follows
    from how much leaves differ from that (method of moments). A leaf that is new has this
    average. The variance of a sum is that of its answers, times their overdispersion, plus what a
    leaf's rate wobbles from period to period, plus that of the expected rate.
    """
    share = sums.share
    prior = _main_effects(sums, share)
    first = (sums.x0 + LIGHT * prior) / (sums.n0 + LIGHT)
    one, slope = _of_one(first, sums, share)
    much, wobble = _spread(sums, one, slope, share)
    n0, periods = np.maximum(sums.n0, 1e-300), np.maximum(_periods(sums), 1)
    raw = np.where(sums.n0 > 0, sums.x0 / n0, prior)
    raw = np.clip(raw, 0, 1) if share else raw
    noise = much * one / n0 + wobble * slope**2 / periods
    between = _between(raw - prior, noise, slope, sums.n0) * slope**2
    pull = noise / (noise + between)
    rate = raw + np.clip(pull * (prior - raw), -np.sqrt(noise), np.sqrt(noise))
    if share:
        least = 0.1 * prior.min()
        rate = np.clip(rate, least, 1 - min(least, 0.1 * (1 - prior.max())))
    own = sums.n1 * one * much + sums.n1**2 * wobble * slope**2
    known = np.where(sums.n0 > 0, noise, between)
    variance = own + sums.n1**2 * np.minimum(known, between)
    move = sums.x1 - sums.n1 * rate
    drift = _drift(sums, variance, move)
    row, n = sums.leaf, sums.n
    left = np.maximum(1 - n / n0[row], 0)
    return Expected(
        share=share, least=_least(sums) if share else 0.0, rate=rate, move=move,
        variance=np.maximum(variance * drift, 1e-300),
        plain=sums.x1 - sums.n1 * raw,
        plain_variance=np.maximum((own + sums.n1**2 * known) * drift, 1e-300),
        residual=n * (sums.x / n - raw[row]),
        wobble=(n * one[row] * much + n**2 * wobble * slope[row] ** 2) * left,
    )  # fmt: skip


def _main_effects(sums: Sums, share: bool) -> Floats:
    """The rate that a leaf's values have on average, pulled to the whole where they are rare."""
    n, total = sums.n0, sums.n0.sum()
    level = sums.x0.sum() / total if total else sums.x1.sum() / max(sums.n1.sum(), 1e-300)
    effects = [np.zeros(int(codes.max(initial=0)) + 1) for codes in sums.codes.T]
    fitted = np.full(n.shape, level)
    for _ in range(ROUNDS if total else 0):
        for at, codes in enumerate(sums.codes.T):
            fitted -= effects[at][codes]
            over = np.bincount(codes, sums.x0 - n * fitted, effects[at].size)
            effects[at] = over / (np.bincount(codes, n, effects[at].size) + PULL)
            fitted += effects[at][codes]
    if share:
        level = np.clip(level, 0.5 / (total + 1), 1 - 0.5 / (total + 1))
        return np.clip(fitted, 0.02 * level, 1 - 0.02 * (1 - level))
    return np.maximum(fitted, 0.05 * level) if _no_debts(sums) else fitted


def _no_debts(sums: Sums) -> bool:
    return min(sums.x.min(initial=0), sums.x1.min(initial=0)) >= 0


def _of_one(rate: Floats, sums: Sums, share: bool) -> tuple[Floats, Floats]:
    """The variance of one answer, and what a leaf's rate wobbles in proportion to.

    Of an event; of an amount whose spread is like its mean; of one that may be below 0, a constant.
    """
    total = sums.n0.sum() + sums.n1.sum()
    if share:
        one = np.maximum(rate * (1 - rate), _least(sums))
        return one, one
    size = (np.abs(sums.x).sum() + np.abs(sums.x1).sum()) / total
    least = max(0.1 * size, 1e-150) if _no_debts(sums) else max(size, 1e-150)
    slope = np.maximum(np.abs(rate), least) if _no_debts(sums) else np.full(rate.shape, least)
    return slope**2, slope


def _least(sums: Sums) -> float:
    """The rate of events that a leaf has at least, as it had so few answers."""
    total = sums.n0.sum() + sums.n1.sum()
    level = float(np.clip((sums.x0.sum() + sums.x1.sum()) / total, 0, 1))
    return float(min(0.5 / total + 0.02 * level * (1 - level), 0.25))


def _between(away: Floats, noise: Floats, slope: Floats, n: Floats) -> float:
    """The variance of leaves about the average of their values, as a part of slope squared."""
    seen = n > 0
    if seen.sum() < 5:
        return 1.0
    square, noise, scale = away[seen] ** 2, noise[seen], slope[seen] ** 2
    weight = scale / (noise + np.median(square) + 1e-150) ** 2
    told = float(weight @ (square - noise)) / max(float(weight @ scale), 1e-300)
    return max(told, LEAST_BETWEEN)


def _drift(sums: Sums, variance: Floats, move: Floats) -> float:
    """By how much leaves vary more after than rows before say, most of them being as they were."""
    told = (sums.n0 > 0) & (sums.n1 > 0) & (variance > 1)
    if told.sum() < 20:
        return 1.0
    z = move[told] / np.sqrt(variance[told])
    away = np.median(np.abs(z - np.median(z))) / 0.6745
    return float(np.clip(away**2, 1, MOST_DRIFT))


def _periods(sums: Sums) -> Floats:
    return np.bincount(sums.leaf, minlength=sums.n0.size).astype(float)


def _spread(sums: Sums, one: Floats, slope: Floats, share: bool) -> tuple[float, float]:
    """How overdispersed answers are, and the squared wobble of a leaf's rate between periods.

    From rows before against their leaf's own rate; without several rows a leaf, from the leaves
    after, of which most are taken to have stayed as they were.
    """
    row = sums.leaf
    left = 1 - sums.n / np.maximum(sums.n0[row], 1e-300)
    use = (left > 1e-9) & (sums.n > 0)
    if use.sum() >= FEWEST_ROWS:
        raw = sums.x0[row] / np.maximum(sums.n0[row], 1e-300)
        x, n, left = (sums.x - sums.n * raw)[use], sums.n[use], left[use]
        one, slope, typical = one[row][use], slope[row][use], _trimmed
    else:
        both = (sums.n0 > 0) & (sums.n1 > 0)
        if both.sum() < (FEWEST_ROWS if share else 5):
            return 1.0, 0.0
        n, n0, one, slope = sums.n1[both], sums.n0[both], one[both], slope[both]
        x, left, typical = sums.x1[both] - n * sums.x0[both] / n0, 1 + n / n0, _middle
    square, size = x**2 / (n * one * left), n * slope**2 / one
    told = size >= min(1.0, float(np.median(size))) if share else np.ones(n.size, bool)
    square, size = square[told], size[told]
    half = float(np.median(size))
    much = typical(square[size <= half])
    much = float(np.clip(much, 1.0, 50.0)) if share else max(much, 1e-9)
    over = (square - much)[size >= half] / size[size >= half]
    return much, max(typical(over), 0.0)


def _trimmed(values: Floats) -> float:
    """The mean without the largest."""
    return float(values[values <= np.quantile(values, TRIMMED)].mean())


def _middle(values: Floats) -> float:
    """The mean that squares of normal deviates with this median have."""
    return float(np.median(values)) / 0.455
