"""How much was asked, and how much would have to be: variance over epochs, power, required n.

Formulas: Miller 2024, "Adding error bars to evals" (arXiv 2411.00640), sections 3 to 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

TOO_MANY = 1e9
"""Nobody asks so many questions: then no number is told."""


@dataclass(frozen=True)
class Split:
    """The variance of scores: between questions, and within a question from answer to answer.

    `epochs` is the mean number of answers a question (harmonic), `gain` the share of the variance
    of the mean that endless epochs would remove; None where no question has two answers.
    """

    questions: int
    epochs: float
    mean: float | None = None
    standard_error: float | None = None
    within: float | None = None
    between: float | None = None
    gain: float | None = None


def variance_split(values: ArrayLike, questions: ArrayLike) -> Split:
    """Split the variance of scores over epochs (one-way analysis of variance).

    Parameters
    ----------
    values, questions
        The score of each answer and the question it answers, of shape (answers,).

    Examples
    --------
    >>> scores = [1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0]
    >>> found = variance_split(scores, [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3)
    >>> round(found.standard_error, 6), round(found.within, 6), round(found.between, 6)
    (0.215166, 0.166667, 0.12963)
    """
    x = np.asarray(values, float)
    _, index = np.unique(np.asarray(questions), return_inverse=True)
    if x.size == 0:
        return Split(0, 0.0)
    counts = np.bincount(index)
    means = np.bincount(index, weights=x) / counts
    n, epochs = counts.size, float(1 / np.mean(1 / counts))
    error = float(means.std(ddof=1) / math.sqrt(n)) if n > 1 else None
    repeated = counts > 1
    if not repeated.any() or n < 2:
        return Split(n, epochs, float(means.mean()), error)
    squares = np.bincount(index, weights=(x - means[index]) ** 2)
    within = float((squares[repeated] / (counts[repeated] - 1)).mean())
    between = max(0.0, float(means.var(ddof=1)) - within / epochs)
    total = between + within / epochs
    gain = within / epochs / total if total else None
    return Split(n, epochs, float(means.mean()), error, within, between, gain)


def smallest_seen(error: float | None, *, power: float = 0.8, sides: int = 2) -> float | None:
    """The smallest effect that a difference with this standard error would show at 5 %."""
    return None if error is None else _reach(power, sides) * error


def questions_needed(
    error: float | None, n: int, effect: float, *, power: float = 0.8, sides: int = 2
) -> int | None:
    """How many questions in all would show `effect` at 5 %, when n gave this standard error.

    Examples
    --------
    >>> questions_needed(0.02, 100, 0.05)
    126
    """
    if not error or not effect:
        return None
    needed = n * (_reach(power, sides) * (error / abs(effect))) ** 2
    return math.ceil(needed) if needed < TOO_MANY else None


def _reach(power: float, sides: int) -> float:
    return float(special.ndtri(1 - 0.05 / sides) + special.ndtri(power))
