"""The share of bad answers day by day, and what it may be in days to come: draws of both.

The level is a random walk on the logit with a jump now and then, and days differ around it; how
fast it walks and how much days differ is drawn too, so that as many days are looked back on as are
like the last ones. Exact on a grid (forward filtering, backward sampling; Frühwirth-Schnatter 1994,
J. Time Ser. Anal. 15:183).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from aiops_lab.stats.spent import Floats, Judge

POINTS = 120
WALKS = ((0.0, 0.002), (0.0, 0.02), (0.06, 0.01), (0.12, 0.01), (0.25, 0.01))
"""How a level may move: standard deviations a day of its logit, and jumps a day."""
JUMP = 1.0
"""The standard deviation of a jump on the logit."""
SPREADS = (0.0, 0.2, 0.4, 0.8)
"""Standard deviations of days' shares around the level, over the level."""
JUDGES, JUDGED = 24, 2400
"""Draws of a judge's errors, and days times draws; of long histories there are fewer, but 8."""
LOWEST = 1 / 30
"""Of the allowed share: less bad is not told apart."""
BEYOND = 1.5
"""How far the grid goes on beyond the shares of weeks, on the logit."""


@dataclass(frozen=True)
class Days:
    """What was seen of days, each of shape (days,).

    `evaluated` and `bad` (flagged) are numbers of answers drawn alike that would tell as much; a
    day may be without. `counted` is the share of the answers that are known themselves, 0 with a
    judge that errs.
    """

    answers: Floats
    evaluated: Floats
    bad: Floats
    counted: float = 0.0


@dataclass(frozen=True)
class Levels:
    """Draws of the bad answers of past days, of shape (draws, days), and of the level after them.

    `walk` and `jumps` are as in `WALKS`, `spread` as in `SPREADS`; `logit` is that of the level of
    the last day.
    """

    bad: Floats
    logit: Floats
    walk: Floats
    jumps: Floats
    spread: Floats

    def ahead(self, days: int, random: np.random.Generator) -> Floats:
        """Draws of the bad shares of days to come, of shape (draws, days)."""
        shape = (len(self.logit), days)
        step = random.normal(size=shape) * self.walk[:, None]
        step += random.normal(0, JUMP, shape) * (random.random(shape) < self.jumps[:, None])
        share = special.expit(self.logit[:, None] + np.cumsum(step, 1))
        size = _size(share, self.spread[:, None])
        finite = np.where(np.isfinite(size), size, 1.0)
        drawn = random.beta(share * finite, (1 - share) * finite)
        return np.where(np.isfinite(size), drawn, share)


def levels(
    days: Days, allowed: float, judge: Judge | None = None, *, draws: int = 1000,
    random: np.random.Generator,
) -> Levels:  # fmt: skip
    """Draws of what was bad on each day, all that was evaluated being known.

    Parameters
    ----------
    days
        In order, without a gap.
    allowed
        The share that may be bad.
    judge
        As of `stats.spent.bad_share`.

    Examples
    --------
    >>> seen = Days(np.full(20, 1000.0), np.full(20, 100.0), np.full(20, 4.0))
    >>> found = levels(seen, 0.05, random=np.random.default_rng(0))
    >>> bool(600 < np.median(found.bad.sum(1)) < 1000), found.bad.shape
    (True, (1000, 20))
    """
    false, power = _errors(judge, max(8, min(JUDGES, JUDGED // len(days.bad))))
    x = _grid(days, allowed, false, power)
    share = special.expit(x)
    flags = false[:, None] + share * power[:, None]  # (judges, points)
    seen = np.stack([_log_chance(days, flags, share, power, each) for each in SPREADS], 1)
    moves = np.stack([_moves(x, *each) for each in WALKS])
    kept, evidence = _filtered(seen, moves, np.sqrt(share))
    weight = np.exp(evidence - evidence.max()).ravel()
    chosen = random.choice(weight.size, draws, p=weight / weight.sum())
    j, spread, walk = np.unravel_index(chosen, evidence.shape)
    at = _sampled(kept[:, j, spread, walk], moves, walk, random)
    found = _realised(
        days, share[at], flags[j[:, None], at], false[j], power[j],
        np.array(SPREADS)[spread], random,
    )  # fmt: skip
    steps, jumps = np.array(WALKS)[walk].T
    return Levels(found, x[at[:, -1]], steps, jumps, np.array(SPREADS)[spread])


def _errors(judge: Judge | None, draws: int) -> tuple[Floats, Floats]:
    """A judge's false flags and power as they may be, at even quantiles of both (the neutral prior
    of Kerman 2011, Electron. J. Stat. 5:1450)."""
    if judge is None:
        return np.zeros(1), np.ones(1)
    even = (np.arange(draws) + 0.5) / draws
    wrong, missed = judge.negatives - judge.true_negatives, judge.positives - judge.true_positives
    false = special.betaincinv(wrong + 1 / 3, judge.true_negatives + 1 / 3, even)
    mixed = even[np.random.default_rng(0).permutation(draws)]  # in another order
    finds = special.betaincinv(judge.true_positives + 1 / 3, missed + 1 / 3, mixed)
    return false, np.maximum(finds - false, 0.05)


def _grid(days: Days, allowed: float, false: Floats, power: Floats) -> Floats:
    """Logits, as far as the shares of weeks and of all days reach, and beyond."""
    n, m = np.append(days.evaluated, 0), np.append(days.bad, 0)
    starts = np.arange(0, len(n), 7)
    weeks = (np.add.reduceat(m, starts) + 0.5) / (np.add.reduceat(n, starts) + 1)
    likely = np.add.reduceat(n, starts) > 0
    weeks = np.append(weeks[likely], (m.sum() + 0.5) / (n.sum() + 1))
    ends = (weeks.min() - false.max()) / power.max(), (weeks.max() - false.min()) / power.min()
    low, high = np.clip(ends, LOWEST * allowed, 1 - 1e-3)
    least = special.logit(LOWEST * allowed)
    low, high = max(special.logit(low) - BEYOND, least), special.logit(high) + BEYOND
    return np.linspace(low, max(high, low + 2 * BEYOND), POINTS)


def _size(share: Floats, spread: Floats | float) -> Floats:
    """The number of answers that a beta distribution of days' shares weighs; inf: no spread."""
    excess = np.minimum(np.asarray(spread) ** 2 * share / (1 - share), 0.5)
    with np.errstate(divide="ignore"):
        return 1 / excess - 1


def _flag_size(share: Floats, flags: Floats, power: Floats, spread: Floats | float) -> Floats:
    """The same for flags, which vary by the judge's power times as much."""
    with np.errstate(divide="ignore"):
        excess = power**2 * share * (1 - share) / (flags * (1 - flags)) / (1 + _size(share, spread))
        return 1 / excess - 1


def _log_chance(days: Days, flags: Floats, share: Floats, power: Floats, spread: float) -> Floats:
    """Log-chances of each day's flags at each point, of shape (judges, days, points)."""
    n, m = days.evaluated[:, None], days.bad[:, None]
    p = np.clip(flags, 1e-9, 1 - 1e-9)[:, None]
    if spread == 0:
        return m * np.log(p) + (n - m) * np.log1p(-p)
    size = _flag_size(share, p, power[:, None, None], spread)
    a, b = p * size, (1 - p) * size
    return special.betaln(m + a, n - m + b) - special.betaln(a, b)


def _moves(x: Floats, walk: float, jumps: float) -> Floats:
    """The chance to go from each point to each other in a day."""
    step, away = x[1] - x[0], x[:, None] - x
    jump = np.exp(-0.5 * (away / JUMP) ** 2)
    times = max(1, int(np.ceil((walk / step) ** 2 / 0.5)))
    near = np.eye(len(x))
    if walk > 0:
        part = (walk / step) ** 2 / 2 / times
        one = near * (1 - 2 * part) + part * (np.eye(len(x), k=1) + np.eye(len(x), k=-1))
        one[0, 0] += part
        one[-1, -1] += part
        near = np.linalg.matrix_power(one, times)
    return (1 - jumps) * near + jumps * jump / jump.sum(1, keepdims=True)


def _filtered(seen: Floats, moves: Floats, before: Floats) -> tuple[NDArray[np.float32], Floats]:
    """The chance of each point given the days so far, of shape (days, judges, spreads, walks,
    points), and the log-evidence of each of the three; from the chance of each before (Jeffreys's).
    """
    judges, spreads, days, points = seen.shape
    now = np.broadcast_to(before / before.sum(), (judges, spreads, len(moves), points))
    evidence, kept = np.zeros(now.shape[:-1]), np.empty((days, *now.shape), np.float32)
    for day in range(days):  # each rests on the one before
        if day:
            now = np.einsum("jswg,wgh->jswh", now, moves, optimize=True)
        top = seen[:, :, day].max(-1, keepdims=True)
        now = now * np.exp(seen[:, :, day] - top)[:, :, None]
        total = now.sum(-1, keepdims=True)
        now = now / total
        evidence += np.log(total[..., 0]) + top
        kept[day] = now
    return kept, evidence


def _sampled(
    kept: NDArray[np.float32], moves: Floats, walk: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Paths over the grid, of shape (draws, days), from the last day back to the first."""
    days, draws, points = kept.shape
    at, back = np.empty((draws, days), int), moves.transpose(0, 2, 1).astype(np.float32, order="C")
    upper = np.triu(np.ones((points, points), np.float32))  # a product is faster than a running sum
    for day in range(days - 1, -1, -1):
        chance = kept[day] if day == days - 1 else kept[day] * back[walk, at[:, day + 1]]
        total = chance @ upper
        at[:, day] = (total < random.random((draws, 1), np.float32) * total[:, -1:]).sum(1)
    return np.minimum(at, points - 1)


def _realised(
    days: Days, share: Floats, flags: Floats, false: Floats, power: Floats, spread: Floats,
    random: np.random.Generator,
) -> Floats:  # fmt: skip
    """What was bad on each day: counted, and drawn for the rest."""
    n, m, left = days.evaluated, days.bad, 1 - days.counted
    p = np.clip(flags, 1e-9, 1 - 1e-9)
    size = _flag_size(share, p, power[:, None], spread[:, None])
    some = np.isfinite(size)
    finite = np.where(some, size, 1.0)
    drawn = random.beta(p * finite + m, (1 - p) * finite + n - m)
    rate = np.where(some, (drawn - false[:, None]) / power[:, None], share)
    noise = np.sqrt(np.maximum(rate * (1 - rate), 0) / np.maximum(days.answers * left, 1))
    rate_left = rate + random.normal(size=rate.shape) * noise
    known = np.where(n > 0, m / np.maximum(n, 1e-9), rate)
    return days.answers * np.where(n > 0, days.counted * known + left * rate_left, rate_left)
