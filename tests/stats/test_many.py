"""Many replicates at once decide as one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from aiops_lab.stats.many import tails_of_difference, tails_of_mean
from aiops_lab.stats.paired import moves
from aiops_lab.stats.single import p_mean

RANDOM = np.random.default_rng(6)


@pytest.mark.parametrize("shape", ["binary", "rare", "share", "number"])
def test_replicates_are_decided_alike(shape: str) -> None:
    b = RANDOM.integers(0, 2, (40, 60)) * 1.0
    flip = RANDOM.random(b.shape) < (0.05 if shape == "rare" else 0.3)
    c = np.where(flip, 1 - b, b)
    if shape == "share":
        b, c = (b + RANDOM.random(b.shape)) / 2, (c + RANDOM.random(c.shape)) / 2
    elif shape == "number":
        b, c = b * 7, c * 7 + RANDOM.normal(size=c.shape)
    above, below = tails_of_difference(b, c, -0.05)
    for row, p_above, p_below in zip(range(40), above, below, strict=True):
        one = moves(b[row], c[row])
        assert one.p_above(-0.05) == pytest.approx(p_above)
        assert one.p_below(-0.05) == pytest.approx(p_below)
    above, below = tails_of_mean(c, 0.6)
    for row, p_above, p_below in zip(range(40), above, below, strict=True):
        assert p_mean(c[row], 0.6, above=True) == pytest.approx(p_above)
        assert p_mean(c[row], 0.6, above=False) == pytest.approx(p_below)
