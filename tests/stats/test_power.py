"""Power and the split of variance against Miller's figures (arXiv 2411.00640)."""

from __future__ import annotations

import numpy as np
import pytest

from aiops_lab.stats.power import smallest_seen, variance_split


@pytest.mark.parametrize(
    ("n", "epochs", "effect"),
    [(198, 1, 0.132733), (198, 10, 0.075670), (1000, 1, 0.059063), (1000, 10, 0.033671)],
)
def test_smallest_effect_seen(n: int, epochs: int, effect: float) -> None:
    error = np.sqrt((1 / 9 + 2 / 6 / epochs) / n)
    assert smallest_seen(error) == pytest.approx(effect, abs=1e-6)


def test_variance_split_of_twelve_answers() -> None:
    answers = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0]])
    found = variance_split(answers.ravel(), np.repeat(np.arange(4), 3))
    assert found.mean == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(0.215166, abs=1e-6)
    assert found.within == pytest.approx(0.166667, abs=1e-6)
    assert found.between == pytest.approx(0.129630, abs=1e-6)
    assert found.gain == pytest.approx((1 / 18) / (1 / 18 + 0.129630), abs=1e-5)


@pytest.mark.parametrize(("epochs", "left"), [(2, 2 / 3), (3, 5 / 9), (4, 1 / 2), (5, 7 / 15)])
def test_epochs_cut_the_variance_as_published(epochs: int, left: float) -> None:
    """Binary scores of questions whose difficulty is uniform: (1 + 2 / K) / 3 of one epoch's."""
    assert (1 / 12 + 1 / 6 / epochs) / (1 / 12 + 1 / 6) == pytest.approx(left)
    assert left == pytest.approx((1 + 2 / epochs) / 3)


@pytest.mark.parametrize("answers", [[], [1.0], [1.0, 0.0]])
def test_without_epochs_there_is_nothing_to_split(answers: list[float]) -> None:
    found = variance_split(answers, list(range(len(answers))))
    assert found.within is found.between is found.gain is None
