"""A rise weighted to the traffic: what it comes to where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from aiops_lab.objectives.objective import Judge
from aiops_lab.stats.clustered import cr2
from aiops_lab.stats.paired import moves
from aiops_lab.stats.score import tango_interval
from aiops_lab.stats.weighted import SEEN, Rise, _cr2, put_right, rise_interval, weighted_moves


def turned(n: int, up: int, down: int = 0) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.zeros(n), np.zeros(n)
    before[:down], after[down : down + up] = 1, 1
    return before, after


def test_with_even_weights_it_is_tangos_interval() -> None:
    sides = turned(300, 9, 4)
    strata = np.arange(300) % 3
    assert weighted_moves(*sides, strata, [1 / 3] * 3) == moves(*sides)
    low, high = rise_interval([1.0], [300], [9], [4])
    assert (low, high) == pytest.approx(tango_interval(9 / 300, 4 / 300, 300, 1.959964))


def test_one_question_at_a_time_and_many_counts_agree() -> None:
    strata = np.repeat([0, 1], [150, 50])
    before, after = np.zeros(200), np.zeros(200)
    after[[1, 2, 3, 160, 161]], before[[10, 170]] = 1, 1
    found = weighted_moves(before, after, strata, [0.3, 0.7])
    low, high = rise_interval([0.3, 0.7], [150, 50], [3, 2], [1, 1])
    assert found.interval() == pytest.approx((float(low), float(high)))
    assert found.difference == pytest.approx(0.3 * 2 / 150 + 0.7 * 1 / 50)
    assert found.p_above(0.0) is not None and found.trusted


def test_five_questions_of_which_none_turned_leave_much_open() -> None:
    """A stratum of five questions may turn bad by a half and show nothing: .5 ** 5 is .03."""
    low, high = rise_interval([0.7, 0.3], [400, 5], [0, 0], [0, 0])
    assert high >= 0.3 * (1 - 0.025 ** (1 / 5)) * 0.8 and low == pytest.approx(-high)
    seen = rise_interval([0.7, 0.3], [400, 5], [8, 0], [2, 0])
    alone = rise_interval([1.0], [400], [8], [2])
    assert seen[1] - seen[0] > 3 * (alone[1] - alone[0])


def test_clusters_are_those_of_bell_and_mccaffrey_where_all_weigh_the_same() -> None:
    random = np.random.default_rng(2)
    d, groups = random.normal(size=60), np.sort(random.integers(0, 12, 60))
    sums, sizes = (
        np.bincount(groups, x).astype(float) for x in ((d - d.mean()) / 60, [1 / 60] * 60)
    )
    variance, freedom = _cr2(sums, sizes)
    assert (variance**0.5, freedom) == pytest.approx(cr2(d, groups))
    few = weighted_moves(*turned(40, 5), np.arange(40) % 2, [0.8, 0.2], np.arange(40) // 10)
    assert not few.trusted


def test_a_judges_errors_are_put_right_and_widen() -> None:
    seen = moves(*turned(1000, 60, 20))
    plain, keen = Rise(seen), Rise(seen, Judge(10**7, 10**7, 10**7, 10**7))
    assert keen.interval() == pytest.approx(plain.interval(), abs=1e-5)
    rough = Rise(seen, Judge(80, 100, 190, 200))
    assert rough.value == pytest.approx(0.04 / 0.75)
    (low, high), (least, most) = plain.interval(), rough.interval()
    assert low and high and least and most
    assert least < low / 0.75 and most > high / 0.75 and least > 0
    mirror = Rise(moves(*turned(1000, 20, 60)), Judge(80, 100, 190, 200)).interval()
    assert mirror == pytest.approx((-most, -least))


def test_a_judge_that_may_tell_nothing_leaves_all_open() -> None:
    poor = Judge(14, 20, 14, 20)
    low, high = put_right(0.04, 0.02, 0.06, poor, level=0.9999)
    assert float(high) == 1.0 and 0 < float(low) < 0.06


@pytest.mark.parametrize("judge", [None, Judge(180, 200, 390, 400)])
def test_p_values_agree_with_the_ends(judge: Judge | None) -> None:
    strata = np.repeat([0, 1], [300, 100])
    before, after = np.zeros(400), np.zeros(400)
    after[np.r_[0:15, 310:318]] = 1
    found = Rise(weighted_moves(before, after, strata, [0.5, 0.5]), judge)
    low, high = found.interval(0.90, exact=True)
    assert low is not None and high is not None
    assert found.p_above(low) == pytest.approx(0.05, rel=0.02)
    assert found.p_below(high) == pytest.approx(0.05, rel=0.02)
    assert (found.p_above(0.0) or 1) < 0.01 and (found.p_below(0.0) or 0) > 0.9


@pytest.mark.parametrize(
    ("changed", "share", "items"),
    [
        (0.02, 0.25, 6280), (0.02, 0.5, 1570), (0.02, 1.0, 393),
        (0.03, 0.25, 9419), (0.03, 0.5, 2355), (0.03, 1.0, 589),
        (0.06, 0.25, 18838), (0.06, 0.5, 4710), (0.06, 1.0, 1178),
    ],
)  # fmt: skip
def test_items_that_a_share_of_a_2_percent_budget_takes(changed, share, items) -> None:
    """n = 7.85 d / Δ²: 200 questions cannot see a quarter of a budget, whatever they show."""
    rise = share * 0.02
    assert SEEN * changed / rise**2 == pytest.approx(items, abs=1.5)
    up = round(items * (changed + rise) / 2)
    found = Rise(moves(*turned(items, up, round(items * changed) - up)))
    assert found.visible == pytest.approx(rise, rel=0.05)
    assert found.needed == pytest.approx(items, rel=0.2)  # counts are whole
    golden = Rise(moves(*turned(200, 0))).visible
    assert golden is not None and golden / 0.02 > 1
