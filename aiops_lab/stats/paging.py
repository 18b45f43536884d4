"""How often an alert fires for nothing, and how soon for something, on a service's own traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from aiops_lab.stats.burning import Bools, Rule, began, fires, scale_of
from aiops_lab.stats.spent import Floats, Judge

WEEK = 168
TIMES = (2.0, 6.0, 15.0)
"""Times the allowed share, at which it is told how soon an alert fires."""
RUNS, FEWEST, DAYS, FOUND_IN = 60, 20, 35, 7 * 24
"""Runs, the fewest of them, days of each while all is well, and hours in which what is not is
looked for."""
MOST_BEFORE = 7 * 24
"""Hours, at most, that go before: as long as the longest window."""


@dataclass(frozen=True)
class Service:
    """The traffic that alerts are simulated on, an hour a step.

    Parameters
    ----------
    evaluated
        Answers evaluated in each hour of the week, of shape (strata, 168).
    weight, share
        For how many answers one stands, and the bad share at which all is well, of each stratum.
    judge
        Its true errors are drawn from what its labelled answers leave open.
    """

    evaluated: Floats
    weight: Floats
    share: Floats
    allowed: float
    judge: Judge | None = None

    def drawn(self, times: Floats, runs: int, random: np.random.Generator) -> tuple[Floats, Floats]:
        """Counts of shape (runs, strata, hours), at so many times the healthy share each hour."""
        hours = (np.arange(times.shape[-1]) + random.integers(0, WEEK, (runs, 1))) % WEEK
        n = random.poisson(np.moveaxis(self.evaluated[:, hours], 0, 1))
        bad = np.minimum(self.share[:, None] * times, 1.0)
        if self.judge is not None:
            j = self.judge
            wrong, missed = j.negatives - j.true_negatives, j.positives - j.true_positives
            false = random.beta(wrong + 0.5, j.true_negatives + 0.5, (runs, 1, 1))
            power = random.beta(j.true_positives + 0.5, missed + 0.5, (runs, 1, 1)) - false
            bad = np.clip(false + bad * power, 0, 1)
        return n.astype(float), random.binomial(n, bad).astype(float)


@dataclass(frozen=True)
class Pages:
    """How an alert does on a service's traffic; None: it did not fire, or in less than half.

    `every_days`: mean time between false ones, with its interval of 95 %. Where none was seen in
    `simulated_days`, only `low` is known. `hours`: median time until it fires, at each multiple.
    """

    every_days: float | None
    low: float
    high: float | None
    simulated_days: float
    hours: tuple[float | None, ...] = ()


def false_pages(service: Service, rules: Sequence[Rule], *, seed: int = 0) -> list[Pages]:
    """Mean time between false alerts while all is well, and time to find what is not.

    Notes
    -----
    60 runs of five weeks each, of several strata fewer, after as long as the longest window; what
    is found is looked for in a week from a random hour on, at 2, 6 and 15 times the allowed share
    (at most all answers).

    Examples
    --------
    >>> from aiops_lab.stats.burning import SUSTAINED
    >>> quiet = Service(np.full((1, 168), 5.0), np.ones(1), np.array([0.01]), 0.02)
    >>> found = false_pages(quiet, [Rule(1, 14.4), SUSTAINED])
    >>> [page.every_days is None or page.every_days > 20 for page in found]
    [True, True]
    """
    scale = scale_of(service.judge)
    if scale is None:
        raise ValueError("such a judge tells too little: no alert can be simulated")
    random = np.random.default_rng(seed)
    lead = min(max(72, *(round(rule.hours) for rule in rules)), MOST_BEFORE)
    whole, runs = np.ones(lead + 24 * DAYS), max(RUNS // len(service.weight), FEWEST)

    def run(times: Floats, count: int) -> list[Bools]:
        n, m = service.drawn(times, count, random)
        known = {"weight": service.weight, "scale": scale}
        return [fires(rule, n, m, service.allowed, **known) for rule in rules]  # type: ignore[arg-type]

    counted = [int(began(found)[:, lead:].sum()) for found in run(whole, runs)]
    healthy = _pooled(service)
    hours: list[list[float | None]] = [[] for _ in rules]
    for multiple in TIMES:
        bad = multiple * service.allowed / healthy
        later = np.where(np.arange(lead + FOUND_IN) < lead, 1.0, bad)
        for known, found in zip(hours, run(later, 2 * runs), strict=True):
            after = found[~found[:, lead - 1], lead:]
            first = np.where(after.any(1), after.argmax(1) + 1.0, np.inf)
            middle = float(np.median(first)) if len(first) else np.inf
            known.append(middle if np.isfinite(middle) else None)
    days = float(runs * DAYS)
    return [
        Pages(
            days / count if count else None,
            days / float(special.gammaincinv(count + 1, 0.975 if count else 0.95)),
            days / float(special.gammaincinv(count, 0.025)) if count else None,
            days, tuple(each),
        )
        for count, each in zip(counted, hours, strict=True)
    ]  # fmt: skip


def _pooled(service: Service) -> float:
    weight = service.weight * service.evaluated.sum(1)
    return float(weight @ service.share / weight.sum())
