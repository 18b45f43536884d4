"""How figures read."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.wording import change, figure, interval, listing


@given(st.floats())
def test_every_figure_is_short_and_readable(value: float) -> None:
    text = figure(value)
    assert "e" not in text
    assert len(text) <= 17


def test_figures() -> None:
    assert figure(0.00000001234) == "0.00000001"
    assert figure(-1.795e308) == "−1.79 × 10^308"
    assert figure(999.96) == "1,000"
    assert figure(-0.5) == "−0.500"
    assert change(math.nan) == "not known"
    assert interval(None, 1) == "(no interval)"
    assert listing([]) == ""
