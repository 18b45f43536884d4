"""Many tests at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment, for what decides; a missing p-value counts as no test.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    Examples
    --------
    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    given, order, p = _sorted(p_values)
    steps = p[order] * (given.size - np.arange(given.size))
    return _placed(p_values, given[order], np.maximum.accumulate(steps))


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's adjustment (1995), for what explores: the false discovery rate.

    Examples
    --------
    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    [0.03, None, 0.04, 0.04]
    """
    given, order, p = _sorted(p_values)
    steps = p[order] * given.size / np.arange(1, given.size + 1)
    return _placed(p_values, given[order], np.minimum.accumulate(steps[::-1])[::-1])


def _sorted(p_values: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    given = np.array([i for i, p in enumerate(p_values) if p is not None], dtype=int)
    p = np.array([p for p in p_values if p is not None], dtype=float)
    return given, np.argsort(p, kind="stable"), p


def _placed(
    p_values: Sequence[float | None], places: np.ndarray, adjusted: np.ndarray
) -> list[float | None]:
    found: list[float | None] = [None] * len(p_values)
    for place, p in zip(places, np.minimum(adjusted, 1.0), strict=True):
        found[int(place)] = float(np.round(p, 15))
    return found
