"""What a published comparison says when only its margins are known: a worked example.

A study that reports each system's mean and rate, but not which questions each got right, leaves
its paired test open. It is bounded all the same: every table that fits the margins can be listed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.stats.score import mcnemar

SOURCE = "Gomez-Cabello et al. 2025, Bioengineering 12(11):1194"
"""30 questions after rhinoplasty, four ways of chunking, scores of 1 to 3 given by physicians."""
N = 30
ADAPTIVE, BASELINE = (2.37, 0.72), (1.63, 0.72)
"""Mean and standard deviation of accuracy as printed; the rest is arithmetic."""


def counts_of(
    mean: float, deviation: float, n: int, scores: tuple[int, ...] = (1, 2, 3), digits: int = 2
) -> list[tuple[int, ...]]:
    """All counts of each score whose mean and sample standard deviation round to those printed.

    Examples
    --------
    >>> counts_of(2.37, 0.72, 30)
    [(4, 11, 15)]
    """
    if n < 2 or len(scores) < 2:
        raise BadSettings("two answers and two scores are the least")
    values = np.asarray(scores, float)
    found = []
    for counts in _splits(n, len(scores)):
        each = np.asarray(counts, float)
        middle = float(each @ values) / n
        spread = math.sqrt(float(each @ (values - middle) ** 2) / (n - 1))
        if round(middle, digits) == mean and round(spread, digits) == deviation:
            found.append(counts)
    return found


def _splits(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in _splits(n - first, parts - 1):
            yield (first, *rest)


def pairings(n: int, first: int, second: int) -> pl.DataFrame:
    """Every paired table that fits two margins: `first` and `second` of n questions right.

    Returns
    -------
    pl.DataFrame
        both, only_first, only_second, neither, p_value (McNemar's exact test), the fewest
        disagreements first.

    Examples
    --------
    >>> pairings(30, 26, 15).select("only_first", "only_second", "p_value").row(0)
    (11, 0, 0.0009765625)
    """
    if not 0 <= min(first, second) <= max(first, second) <= n:
        raise BadSettings(f"of {n} questions {first} and {second} cannot be right")
    least = max(0, first + second - n)
    rows = [
        (both, first - both, second - both, n - first - second + both,
         mcnemar(first - both, second - both))
        for both in range(min(first, second), least - 1, -1)
    ]  # fmt: skip
    names = ["both", "only_first", "only_second", "neither", "p_value"]
    return pl.DataFrame(rows, schema=names, orient="row")


def rhinoplasty() -> pl.DataFrame:
    """What the study counted, strictly and leniently, and every pairing that fits.

    "87 % against 50 %" counts scores of 2 or 3; "93 % relevance" counts 3 only: two cut-offs. Both
    readings of accuracy hold at 5 % under every pairing.

    Returns
    -------
    pl.DataFrame
        counted (score 2 or 3, score 3), adaptive, baseline (right of 30), only_adaptive,
        only_baseline, p_value: a row a pairing.
    """
    (adaptive,), (baseline,) = (counts_of(*printed, N) for printed in (ADAPTIVE, BASELINE))
    frames = []
    for counted, take in (("score 2 or 3", 1), ("score 3", 2)):
        right = sum(adaptive[take:]), sum(baseline[take:])
        frames.append(
            pairings(N, *right).select(
                pl.lit(counted).alias("counted"),
                pl.lit(right[0]).alias("adaptive"),
                pl.lit(right[1]).alias("baseline"),
                pl.col("only_first").alias("only_adaptive"),
                pl.col("only_second").alias("only_baseline"),
                "p_value",
            )
        )
    return pl.concat(frames)
