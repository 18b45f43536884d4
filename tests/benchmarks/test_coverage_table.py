"""Coverage and width of the 95 % intervals, in a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from aiops_lab.stats.paired import moves
from aiops_lab.stats.score import tango_interval
from aiops_lab.stats.single import single_mean
from tests.benchmarks.proof import Table
from tests.stats import simulate
from tests.stats.test_coverage import RATES, Z, covers

pytestmark = pytest.mark.proof
REPLICATES = 1000


def simulated(draw: Callable[[], tuple], change: float) -> tuple[float, float]:
    """Coverage and median width over replicates."""
    found = [moves(*draw()) for _ in range(REPLICATES)]
    widths = [high - low for low, high in (each.interval() for each in found[:200])]  # type: ignore
    return sum(covers(each, change) for each in found) / REPLICATES, float(np.median(widths))


def test_coverage() -> None:
    table = Table(
        "coverage",
        "Coverage of 95 % intervals of paired differences of pass-or-fail scores: the least and "
        "the mean over cells of base rates, changes and correlations, and the median width. "
        "Single answers exactly; epochs and clusters by 1,000 simulations a cell.",
    )
    table.columns("data", "cells", "least", "mean", "width")
    for n in (10, 30, 100, 300, 1000):
        cells = []
        for _, change, _, p in simulate.grid(
            RATES, (0.0, 0.02, 0.05, 0.1, -0.05, -0.2), (-0.3, 0.0, 0.3, 0.6, 0.9)
        ):
            up, down, chance = simulate.every_count(n, p)
            low, high = tango_interval(up / n, down / n, n, Z)
            bound = np.where(up + down == 0, 1 - 0.025 ** (1 / n), np.nan)
            low, high = np.fmin(low, -bound), np.fmax(high, bound)
            inside = (low <= change + 1e-12) & (change - 1e-12 <= high)
            order = np.argsort(high - low)
            middle = np.searchsorted(np.cumsum(chance[order]), 0.5)
            cells.append((chance[inside].sum(), (high - low)[order][middle]))
        _add(table, f"{n} questions, one answer", cells)
    chance = np.random.default_rng(1)
    rates = ((0.02, 0.1, 0.3, 0.5, 0.9), (0.0, 0.05), (0.0, 0.6))
    for n in (10, 30, 100):
        for k in (2, 10):
            cells = [
                simulated(lambda n=n, k=k, p=p, a=a: simulate.epochs(n, k, p, a, chance), change)
                for _, change, _, p in simulate.grid(*rates)
                for a in (0.0, 0.5)
            ]
            _add(table, f"{n} questions, {k} epochs", cells)
    for groups in (5, 8, 10, 14, 15, 30, 100):
        cells = [
            simulated(lambda g=groups, m=m, p=p, a=a: simulate.clusters(g, m, p, a, chance), change)
            for _, change, _, p in simulate.grid(*rates)
            for m in (5, 20)
            for a in (0.0, 0.5)
        ]
        _add(table, f"{groups} clusters of up to 20", cells)
    table.write()


def test_coverage_of_single_means() -> None:
    table = Table("coverage-single", "Coverage of 95 % intervals of one mean of skewed scores.")
    table.columns("scores", "questions", "coverage", "coverage of plain t")
    for a, b in ((5, 1), (8, 0.5), (0.2, 2)):
        for n in (10, 30, 100, 300):
            chance, truth = np.random.default_rng(n), a / (a + b)
            drawn = chance.beta(a, b, (4000, n))
            ours = np.array([(f.low, f.high) for f in map(single_mean, drawn)], float)
            half = _t(n) * drawn.std(1, ddof=1) / np.sqrt(n)
            plain = np.abs(drawn.mean(1) - truth) <= half
            held = (ours[:, 0] <= truth) & (truth <= ours[:, 1])
            table.row(f"Beta({a}, {b})", n, f"{held.mean():.3f}", f"{plain.mean():.3f}")
    table.write()


def _t(n: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, n - 1))


def _add(table: Table, name: str, cells: list[tuple[float, float]]) -> None:
    coverage, width = np.array(cells).T
    least, mean = f"{coverage.min():.4f}", f"{coverage.mean():.4f}"
    table.row(name, len(cells), least, mean, f"{np.median(width):.3f}")
