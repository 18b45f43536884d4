"""Is a shift clear of what days do that follow each other?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aiops_lab.stats.baseline import Bools, Floats, Integers, Means, Rates
from aiops_lab.stats.onset import onset

CLEAR = 4.5
"""Standard errors by which a shift has to lie apart before it is an alarm: more of them cost days
of delay, fewer let days that follow each other raise alarms."""
FIRST, MOST = 1, 30
"""Days looked at before a shift is dated anew: at first, then ever more."""
ROUND = 1e-12


def clear_by(
    values: Floats, shapes: ArrayLike, beside: Floats, ends: ArrayLike
) -> tuple[Floats, Floats]:
    """Standard errors that a step (or slope) lies from none, and the squares it leaves.

    Ordinary least squares; the variance is that of independent days times
    (1 + r) / (1 - r), with r the correlation of neighbouring days put right for its bias
    (Marriott and Pope 1954).

    Parameters
    ----------
    values
        Of each day, shape (days,).
    shapes
        What is fitted, one at a time, shape (shapes, days).
    beside
        What is fitted beside each: a level, or one of each weekday, shape (days, levels).
    ends
        The last day used: its place, of shape (ends,).

    Returns
    -------
    tuple
        Two arrays of shape (ends, shapes); 0 and inf where the days do not tell.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 1.0, 2.0] * 6 + [5.0, 6.0, 5.0, 6.0])
    >>> errors, _ = clear_by(values, [np.arange(28) >= 24], np.ones((28, 1)), [24, 27])
    >>> [round(float(x)) for x in errors[:, 0]]
    [7, 14]
    """
    design = np.stack([np.column_stack([shape, beside]) for shape in np.asarray(shapes, float)])
    seen = (np.arange(len(values)) <= np.asarray(ends)[:, None]).astype(float)
    cross = np.einsum("et,sti,stj->esij", seen, design, design, optimize=True)
    right = np.einsum("et,sti,t->esi", seen, design, values, optimize=True)
    roots = np.linalg.eigvalsh(cross)
    count = seen.sum(1)[:, None] - design.shape[2]
    told = (roots[..., 0] > ROUND * roots[..., -1]) & (count >= 2)
    inverse = np.linalg.inv(np.where(told[..., None, None], cross, np.eye(design.shape[2])))
    fitted = np.einsum("esij,esj->esi", inverse, right)
    rest = (values - np.einsum("sti,esi->est", design, fitted)) * seen[:, None]
    size = (rest**2).sum(-1)
    exact = size <= ROUND * (seen @ values**2)[:, None]
    r = (rest[..., 1:] * rest[..., :-1]).sum(-1) / np.where(exact, 1.0, size)
    r = np.clip(r + (1 + 3 * r) / seen.sum(1)[:, None], 0.0, 0.95)
    variance = inverse[..., 0, 0] * size / np.maximum(count, 1) * (1 + r) / (1 - r)
    step = np.abs(fitted[..., 0])
    errors = step / np.sqrt(np.where(exact, 1.0, variance))
    moved = step > ROUND * (np.abs(values) * seen).max(1)[:, None]
    errors = np.where(exact, np.where(moved, np.inf, 0.0), errors)
    return np.where(told, errors, 0.0), np.where(told, size, np.inf)


def first_clear(series: Rates | Means, hit: Bools, up: Bools) -> Integers:
    """The first day of each series on which its shift is clear, or -1.

    Parameters
    ----------
    hit, up
        On which days there is evidence enough of a shift, and whether of one upwards.
    """
    alarm, length = np.full(len(hit), -1), FIRST
    begin = np.where(hit.any(1), hit.argmax(1), -1)
    while len(left := np.flatnonzero(begin >= 0)):
        days = begin[left]
        dated = onset(series.take(left), days, np.where(up[left, days], 1, -1)).since
        for place, day, since in zip(*map(np.ndarray.tolist, (left, days, dated)), strict=True):
            own = np.flatnonzero(hit[place, day : day + length]) + day
            clear = own[_clear(series, place, own, since)]
            later = np.flatnonzero(hit[place, day + length :]) + day + length
            alarm[place] = clear[0] if len(clear) else -1
            begin[place] = later[0] if len(later) and not len(clear) else -1
        length = min(3 * length, MOST)
    return alarm


def _clear(series: Rates | Means, place: int, ends: Integers, since: int) -> Bools:
    """On which of some days a shift since a day is clear, as what fits better: step or slope."""
    days = np.flatnonzero(series.known[place, : ends[-1] + 1])
    own = series.take([place])
    expected = own.expected(own.level[:, None])
    weight = own.variance(expected)[0, days] ** -0.5  # days of little traffic say little
    values = weight * (own.value - expected)[0, days]
    if isinstance(own, Rates):  # whose weekdays are factors of a step too
        weight = weight * own.effect[0, days]
    into = days - since + 1.0
    shapes = [weight * (into > 0), weight * np.maximum(into, 0.0)]
    errors, left = clear_by(values, shapes, weight[:, None], np.searchsorted(days, ends))
    return np.take_along_axis(errors, left.argmin(1)[:, None], 1)[:, 0] >= CLEAR
