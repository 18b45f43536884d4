"""The share of bad answers of a period, and what would settle it: claims that hold exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from aiops_lab.objectives.objective import Judge
from aiops_lab.stats.settling import settles
from aiops_lab.stats.spent import PART, bad_share, share_interval
from tests.stats import simulate_judged as periods

JUDGE = Judge(85, 100, 194, 200)
MANY = 10**9


def test_of_all_answers_and_a_judge_that_does_not_err_nothing_is_left_to_estimate() -> None:
    found = bad_share([(1000, 1000, 37), (50, 50, 0)])
    assert found.value == found.low == found.high == pytest.approx(37 / 1050)


def test_a_judge_that_errs_leaves_an_interval_where_all_was_evaluated() -> None:
    found = bad_share([(1000, 1000, 60)], JUDGE)
    assert found.low < found.value - 0.01 and found.high > found.value + 0.01


def test_what_was_found_bad_is_bad() -> None:
    found = bad_share([(100, 90, 3)])
    assert found.low >= 0.03 and found.high <= 0.13


@pytest.mark.parametrize("flagged", [0, 1, 5, 40, 500])
def test_one_stratum_has_wilsons_upper_end_and_agresti_and_coulls_lower(flagged: int) -> None:
    found = bad_share([(MANY, 1000, flagged)])
    low = proportion_confint(flagged, 1000, method="agresti_coull")[0]
    high = proportion_confint(flagged, 1000, method="wilson")[1]
    assert (found.low, found.high) == pytest.approx(
        (max(low - PART / 1000, 0), high + PART / 1000), abs=2e-5
    )


def test_strata_count_by_their_answers_not_by_what_was_evaluated() -> None:
    found = bad_share([(1000, 1000, 300), (19_000, 380, 4)])
    assert found.value == pytest.approx((300 + 200) / 20_000)
    assert found.judge_only == pytest.approx(304 / 1380)


def test_strata_sampled_alike_tell_what_they_tell_together() -> None:
    apart = bad_share([(50_000, 500, 10), (50_000, 500, 10)], JUDGE)
    whole = bad_share([(100_000, 1000, 20)], JUDGE)
    assert (apart.low, apart.high) == pytest.approx((whole.low, whole.high), rel=0.01)


def test_a_stratum_without_a_flag_is_not_taken_to_be_without_bad_answers() -> None:
    found = bad_share([(1000, 1000, 0), (9000, 30, 0)])
    assert found.low == 0 and 0.09 < found.high < 0.13  # the rule of three says 0.9 x 0.1


def test_the_interval_holds_missing_ones_all_good_and_all_bad() -> None:
    found = bad_share([(1000, 900, 90, 100)])
    assert (found.low, found.high) == pytest.approx((0.09, 0.19))
    assert found.low < found.seen_low < found.value < found.seen_high < found.high
    judged = bad_share([(1000, 900, 90, 100)], JUDGE)
    apart = bad_share([(1000, 900, 90)], JUDGE)
    assert judged.high - judged.low > apart.high - apart.low + 0.05
    assert (judged.seen_low, judged.seen_high) == (apart.low, apart.high)


@pytest.mark.parametrize(
    ("strata", "judge", "why"),
    [
        ([], None, "no answers"),
        ([(0, 0, 0)], None, "no answers"),
        ([(100, 50, 1), (100, 0, 0)], None, "none was evaluated"),
        ([(100, 0, 0, 9)], None, "none was evaluated"),
        ([(100, 50, 1)], Judge(0, 0, 194, 200), "no labelled answers of one kind"),
        ([(100, 50, 1)], Judge(30, 100, 180, 200), "0.20: such a judge tells too little"),
        ([(100, 50, 1)], Judge(1, 4, 1, 1), "such a judge tells too little"),
    ],
)
def test_what_cannot_be_told_says_why(strata, judge: Judge | None, why: str) -> None:
    found = bad_share(strata, judge)
    assert found.value is found.low is found.high is None
    assert why in found.method
    assert settles(found, 0.02).settled is False


@pytest.mark.parametrize("n", [100, 150, 300])
def test_coverage_of_one_stratum_is_exactly_94_percent_or_more(n: int) -> None:
    flags = np.arange(n + 1)
    low, high = share_interval([10**13], [n], flags[:, None])
    for p in np.exp(np.linspace(np.log(0.001), np.log(0.3), 300)):
        inside = (low <= p) & (p <= high)
        assert stats.binom.pmf(flags, n, p)[inside].sum() >= 0.94, p


@pytest.mark.parametrize("row", [(10, 5, 6), (10, 8, 1, 3), (10, -1, 0), (10, 5, 1, -1)])
def test_impossible_counts_are_refused(row: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="are part of"):
        bad_share([row])


@given(
    st.lists(
        st.tuples(*[st.integers(0, 400)] * 4).map(
            lambda x: (x[0] + x[1] + x[2] + x[3] + 1, x[0] + x[1] + 1, x[1], x[2])
        ),
        min_size=1,
        max_size=4,
    ),
    st.none() | st.tuples(*[st.integers(0, 60)] * 4),
    st.randoms(),
)
def test_shares_lie_between_0_and_1_in_order_whatever_the_order_of_strata(
    rows, judged, mix
) -> None:
    judge = judged and Judge(judged[0], sum(judged[:2]), judged[2], sum(judged[2:]))
    found = bad_share(rows, judge)
    mixed = list(rows)
    mix.shuffle(mixed)
    if found.value is not None:
        whole = [found.low, found.seen_low, found.value, found.seen_high, found.high]
        assert whole == sorted(whole) and whole[0] >= 0 and whole[-1] <= 1
        again = bad_share(mixed, judge)
        assert (again.low, again.high) == pytest.approx((found.low, found.high), abs=1e-9)


def test_many_periods_at_once_are_as_one_by_one() -> None:
    design = periods.Design(
        np.array([1000, 9000]), np.array([500, 300]), np.array([0.2, 0.01]), (0.85, 0.97)
    )
    drawn = periods.draw(design, 20, np.random.default_rng(1))
    low, high = share_interval(design.answers, design.evaluated, drawn.flagged, drawn)
    for i in range(20):
        rows = zip(
            *(x.tolist() for x in (design.answers, design.evaluated, drawn.flagged[i])), strict=True
        )
        judge = Judge(int(drawn.true_positives[i]), 100, int(drawn.true_negatives[i]), 200)
        found = bad_share(rows, judge)
        assert (found.low, found.high) == pytest.approx((low[i], high[i]))


def test_a_limit_outside_the_interval_is_settled() -> None:
    found = bad_share([(20_000, 1000, 12)])
    assert settles(found, 0.05).settled and settles(found, 0.001).settled
    assert not settles(found, 0.02).settled


def test_evaluations_asked_for_are_those_of_the_power_of_one_share() -> None:
    """A tenth against a limit of 8 %, of a score test: (1.96 x 0.2713 + 0.8416 x 0.3)² / 0.02²."""
    asked = settles(bad_share([(MANY, 200, 20)]), 0.08).evaluations
    assert asked is not None and asked[0] + 200 == pytest.approx(1537, rel=0.03)


def test_evaluations_go_where_answers_are_many_and_vary() -> None:
    asked = settles(bad_share([(1_000_000, 300, 30), (3_000_000, 900, 9)]), 0.034)
    assert asked.evaluations is not None
    first, second = (asked.evaluations[0] + 300, asked.evaluations[1] + 900)
    assert second / first == pytest.approx(3 * (0.01 * 0.99 / (0.1 * 0.9)) ** 0.5, rel=0.1)


def test_evaluations_alone_never_settle_what_the_judge_cannot_tell() -> None:
    found = settles(bad_share([(20_000, 1000, 60)], JUDGE), 0.02)
    assert found.evaluations is None and found.low < 0.02 < found.high
    assert found.label == "good" and found.labels is not None and found.labels > 1000
    assert found.from_good_labels > found.from_bad_labels
    total = found.from_evaluations + found.from_bad_labels + found.from_good_labels
    assert total == pytest.approx(1)


def test_of_frequent_bad_answers_the_labelled_bad_ones_matter() -> None:
    found = settles(bad_share([(MANY, 20_000, 6000)], Judge(35, 50, 495, 500)), 0.4)
    assert found.label == "bad" and found.from_bad_labels > 0.8


def test_missing_evaluations_can_keep_it_open_for_ever() -> None:
    found = settles(bad_share([(20_000, 1000, 12, 50)]), 0.02)
    assert found.evaluations is None and found.low < 0.02 < found.high
