"""Months of an error budget whose end is known; imports nothing of what it is used to test.

Answers come by the hour, fewer at night and at weekends, in noisy numbers; each is bad by the day's
share, which is constant, drifts, differs from day to day, or has changed in a step; some are
evaluated, of two strata at two rates in a third of the worlds, by a judge that errs in half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
KINDS = ("constant", "drift", "days differ", "step")
BEFORE, AFTER = 28, 28
DAY = 24


@dataclass(frozen=True)
class World:
    """One month, by the hour from the first day of its history on.

    `begin`, `at` and `end` are hours: of the period, of the forecast, and of what it is about.
    `exhausted` is the day on which the true budget is, inf where not by `end`. Counts are of
    shape (strata, hours); `labels` true positives, positives, true negatives, negatives.
    """

    kind: str
    rolling: bool
    allowed: float
    begin: int
    at: int
    end: int
    sampling: tuple[float, ...]
    evaluated: Floats
    bad: Floats
    labels: tuple[int, int, int, int] | None
    exhausted: float


def world(seed: int, least: float = 0.7) -> World:
    """A month in which from `least` to four times the allowed share is bad."""
    random = np.random.default_rng([23, seed])
    kind, rolling = KINDS[seed % 4], bool(seed // 4 % 2)
    allowed = float(random.choice([0.02, 0.05, 0.1]))
    length = AFTER if rolling else int(random.integers(28, 32))
    burn = float(np.exp(random.uniform(np.log(least), np.log(4))))
    begin = BEFORE
    if rolling:
        at, end = begin + length, begin + 2 * length
    else:
        at = begin + int(random.integers(4, max(5, min(25, length / burn)) + 1))
        end = begin + length
    level = _levels(random, kind, rolling, allowed, burn, begin, at, end)
    answers = _traffic(random, end)
    bad = random.binomial(answers, np.repeat(level, DAY))
    sampling, evaluated, flagged, labels = _evaluated(random, answers, bad)
    known = at * DAY
    return World(
        kind, rolling, allowed, begin * DAY, known, end * DAY, sampling,
        evaluated[:, :known], flagged[:, :known], labels,
        exhausted(bad, answers, allowed, begin * DAY, known, length * DAY, rolling),
    )  # fmt: skip


def _levels(random, kind: str, rolling: bool, allowed: float, burn: float, begin: int, at: int,
            end: int) -> Floats:  # fmt: skip
    """The bad share of each day."""
    before = np.full(end, np.log(burn))
    since = None
    if rolling:  # it was well, and is not since some days
        since = at - int(random.integers(3, 21))
        before[:since] = np.log(random.uniform(0.3, 0.9))
    elif kind == "step":
        since = int(random.integers(begin, at - 1))
        before[:since] -= np.log(random.uniform(1.5, 5)) * (1 if random.random() < 0.75 else -0.5)
    logit = special.logit(np.minimum(allowed * np.exp(before), 0.9))
    if kind == "drift":
        phi, spread = random.uniform(0.85, 0.97), random.uniform(0.15, 0.5)
        walk = np.empty(end)
        walk[0] = random.normal(0, spread)
        for day in range(1, end):
            walk[day] = phi * walk[day - 1] + random.normal(0, spread * np.sqrt(1 - phi**2))
        logit = logit + walk
    share = special.expit(logit)
    if kind == "days differ":
        size = (1 - share) / share / random.uniform(0.2, 0.7) ** 2 - 1
        share = random.beta(share * size, (1 - share) * size)
    return share


def _traffic(random, days: int) -> NDArray[np.int64]:
    """Answers by the hour."""
    weekday = np.arange(days) + random.integers(7)
    daily = np.exp(random.uniform(np.log(200), np.log(6000)))
    daily = daily * np.where(weekday % 7 < 5, 1.0, random.uniform(0.3, 1))
    daily = daily * np.exp(random.normal(0, random.uniform(0.05, 0.3), days))
    hours = 1 + 0.7 * np.sin(2 * np.pi * np.arange(DAY) / DAY)
    return random.poisson((daily[:, None] * hours / DAY).ravel())


def _evaluated(random, answers, bad) -> tuple:
    """What was sampled and flagged, in one stratum, or in two of which the first has more bad."""
    first = np.zeros_like(answers), np.zeros_like(bad)
    rate = float(np.exp(random.uniform(np.log(0.05), 0)))
    sampling: tuple[float, ...] = (rate,)
    strata = [(answers, bad)]
    if random.random() < 1 / 3:  # disliked answers are all evaluated
        disliked = random.binomial(bad, 0.3), random.binomial(answers - bad, 0.04)
        first = disliked[0] + disliked[1], disliked[0]
        strata = [first, (answers - first[0], bad - first[1])]
        sampling = (1.0, rate)
    labels, se, sp = None, 1.0, 1.0
    if random.random() < 0.5:
        se, sp = random.uniform(0.75, 0.98), random.uniform(0.95, 0.995)
        of = (int(random.integers(60, 400)), int(random.integers(100, 600)))
        labels = (random.binomial(of[0], se), of[0], random.binomial(of[1], sp), of[1])
    evaluated, flagged = [], []
    for (all_, wrong), share in zip(strata, sampling, strict=True):
        met = random.binomial(wrong, share), random.binomial(all_ - wrong, share)
        evaluated.append(met[0] + met[1])
        flagged.append(random.binomial(met[0], se) + random.binomial(met[1], 1 - sp))
    return sampling, np.array(evaluated, float), np.array(flagged, float), labels


def exhausted(bad, answers, allowed: float, begin: int, at: int, length: int, rolling: bool):
    """The day on which the budget is exhausted; of a window, at the end of which it is so first, or
    since when at the end of each."""
    if not rolling:
        inside = slice(begin, begin + length)
        spent = np.cumsum(bad[inside]) / (answers[inside].sum() * allowed)
        return (begin + np.argmax(spent >= 1)) // DAY if spent[-1] >= 1 else np.inf
    total = np.cumsum(np.array([bad, answers]).reshape(2, -1, DAY).sum(2), 1).astype(float)
    days, now = length // DAY, at // DAY - 1
    total[:, days:] -= total[:, :-days].copy()
    over = total[0] >= total[1] * allowed
    if over[now]:
        return 0 if over[: now + 1].all() else int(now - np.argmin(over[now::-1]) + 1)
    return int(now + np.argmax(over[now:])) if over[now:].any() else np.inf
