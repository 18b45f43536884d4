"""The worked example: what can be known of a study from what it printed."""

from __future__ import annotations

import pytest

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.published import counts_of, pairings, rhinoplasty


@pytest.mark.parametrize(
    ("mean", "deviation", "counts"),
    [(2.37, 0.72, (4, 11, 15)), (1.63, 0.72, (15, 11, 4)), (2.90, 0.40, (1, 1, 28))],
)
def test_the_printed_means_fit_one_set_of_counts(
    mean: float, deviation: float, counts: tuple[int, ...]
) -> None:
    assert counts_of(mean, deviation, 30) == [counts]


def test_the_finding_holds_under_every_pairing_strict_or_lenient() -> None:
    found = rhinoplasty()
    by = found.group_by("counted", maintain_order=True).agg(
        adaptive="adaptive", baseline="baseline", worst="p_value"
    )
    assert [row[0] for row in by["adaptive"].to_list()] == [26, 15]
    assert [row[0] for row in by["baseline"].to_list()] == [15, 4]
    assert found["p_value"].max() == pytest.approx(0.0192, abs=5e-5)
    assert found["p_value"].min() == pytest.approx(0.00098, abs=5e-6)
    ends = pairings(30, 26, 15).select("only_first", "only_second").rows()
    assert (ends[0], ends[-1]) == ((11, 0), (15, 4))


def test_margins_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadSettings):
        pairings(10, 11, 3)
    with pytest.raises(BadSettings):
        counts_of(1.0, 0.0, 1)
