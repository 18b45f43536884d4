"""The difference of two runs that answered different questions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from aiops_lab.stats.paired import Paired, t_quantile
from aiops_lab.stats.single import single_mean

Floats = NDArray[np.float64]


def unpaired_difference(
    baseline: ArrayLike, candidate: ArrayLike, *, level: float = 0.95
) -> Paired:
    """The difference of two means over different questions: Newcombe's interval, or Welch's.

    Source: Newcombe 1998, Statist. Med. 17:873, method 10; between 0 and 1 on effective numbers
    of questions.
    """
    b, c = np.asarray(baseline, float), np.asarray(candidate, float)
    known = {"n": int(min(b.size, c.size)), "baseline": _mean(b), "candidate": _mean(c)}
    if min(b.size, c.size) < 2:
        return Paired(**known, method="too few questions on one side")
    d = float(c.mean() - b.mean())
    errors = [float(x.var(ddof=1) / x.size) for x in (b, c)]
    total = sum(errors)
    freedom = math.inf
    if total > 0:
        freedom = total**2 / sum(e**2 / (x.size - 1) for e, x in zip(errors, (b, c), strict=True))
    z = t_quantile(freedom, (1 + level) / 2)
    if min(b.min(), c.min()) >= 0 and max(b.max(), c.max()) <= 1:
        (bl, bh), (cl, ch) = (_own_interval(x, level) for x in (b, c))
        low = d - math.hypot(c.mean() - cl, bh - b.mean())
        high = d + math.hypot(ch - c.mean(), b.mean() - bl)
        told = "Newcombe's interval"
    elif total == 0:
        return Paired(**known, difference=d, method="all values are equal: no interval")
    else:
        low, high, told = d - z * math.sqrt(total), d + z * math.sqrt(total), "Welch's t"
    p = float(2 * _below(freedom, -abs(d) / math.sqrt(total))) if total else None
    return Paired(
        **known,
        difference=d,
        standard_error=math.sqrt(total) or None,
        low=low,
        high=high,
        p_value=p,
        method=f"{told} on different questions: not paired",
    )


def _own_interval(x: Floats, level: float) -> tuple[float, float]:
    found = single_mean(x, level=level)
    return found.low or 0.0, 1.0 if found.high is None else found.high


def _mean(x: Floats) -> float | None:
    return float(x.mean()) if x.size else None


def _below(freedom: float, x: float) -> float:
    return float(special.ndtr(x) if math.isinf(freedom) else special.stdtr(freedom, x))
