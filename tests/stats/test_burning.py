"""Alerts on a burning budget: they ask for evidence, whatever the weights and the judge."""

from __future__ import annotations

import numpy as np
import pytest

from aiops_lab.objectives.objective import Judge
from aiops_lab.stats.burning import SUSTAINED, Rule, began, fires, scale_of, seen
from aiops_lab.stats.paging import Service, false_pages
from aiops_lab.stats.spent import share_interval
from tests.stats.test_false_alarms import falls_short

ONE = np.ones((1, 24))
FAST = Rule(6, 6.0)
KEEN = Judge(90, 100, 1900, 2000)


def steady(evaluated: float, bad: float, hours: int = 24) -> tuple[np.ndarray, np.ndarray]:
    return np.full((1, hours), evaluated), np.full((1, hours), bad)


def test_one_bad_answer_of_three_wakes_nobody() -> None:
    bad = np.zeros((1, 24))
    bad[0, -1] = 1
    assert not fires(Rule(1, 14.4), ONE * 3, bad, 0.02).any()
    assert fires(Rule(1, 14.4), ONE * 6, bad * 6, 0.02).nonzero()[0].tolist() == [23]


def test_what_has_stopped_fires_no_longer() -> None:
    n, bad = steady(100, 0)
    bad[0, 5:15] = 40
    found = fires(FAST, n, bad, 0.02)
    assert found[6:15].all() and not found[15:].any()


def test_what_must_last_has_to_last() -> None:
    n, bad = steady(100, 0)
    bad[0, 5:15] = 40
    found = fires(Rule(6, 6.0, after=3), n, bad, 0.02)
    assert found.nonzero()[0].tolist() == list(range(9, 15))


def test_a_strict_alert_does_not_fire_at_its_own_rate() -> None:
    n, bad = steady(100, 100)
    assert fires(Rule(6, 10, strict=False), n, bad, 0.1).all()
    assert not fires(Rule(6, 10, strict=True), n, bad, 0.1).any()


@pytest.mark.parametrize("rule", [FAST, SUSTAINED])
def test_one_weight_is_none(rule: Rule) -> None:
    random = np.random.default_rng(1)
    n, bad = random.poisson(10, (50, 2, 200)), random.poisson(1, (50, 2, 200))
    bad = np.minimum(n, bad)
    plain = fires(rule, n.sum(1, keepdims=True), bad.sum(1, keepdims=True), 0.02)
    assert (fires(rule, n, bad, 0.02, weight=(7.0, 7.0)) == plain).mean() > 0.995
    assert plain.any()


def test_the_effective_number_is_that_of_the_interval() -> None:
    """The variance in strata is that behind `share_interval`, where much was evaluated."""
    n, m, w = np.array([400.0, 900.0]), np.array([80.0, 9.0]), np.array([1.0, 20.0])
    found = seen(n[:, None], m[:, None], w, 1)
    share, size = float(found.share[0]), float(found.effective[0])
    assert share == pytest.approx((w @ m) / (w @ n))
    low, high = share_interval(w * n * 1000, n, m)
    assert 2 * 1.96 * np.sqrt(share * (1 - share) / size) == pytest.approx(high - low, rel=0.1)


def test_disliked_answers_that_are_all_evaluated_are_no_burn() -> None:
    """A fifth of these is bad, as always; pooled, they look like six times the budget."""
    random = np.random.default_rng(2)
    n = random.poisson([[10.0], [9.5]], (20, 2, 500))
    bad = random.binomial(n, [[0.2], [0.005]])
    pooled = fires(FAST, n.sum(1, keepdims=True), bad.sum(1, keepdims=True), 0.02)
    weighed = fires(FAST, n, bad, 0.02, weight=(1.0, 20.0))
    assert began(pooled).sum() > 100 and began(weighed).sum() <= 2
    assert began(fires(SUSTAINED, n, bad, 0.02, weight=(1.0, 20.0))).sum() <= 20


def test_a_judges_false_flags_are_no_burn() -> None:
    n, flags = steady(200, 200 * (0.05 + 0.01 * 0.85), 100)
    scale = scale_of(KEEN)
    assert scale is not None
    assert fires(SUSTAINED, n, flags, 0.02).any()
    assert not fires(SUSTAINED, n, flags, 0.02, scale=scale).any()
    _, more = steady(200, 200 * (0.05 + 0.2 * 0.85), 100)
    assert fires(SUSTAINED, n, more, 0.02, scale=scale).any()
    assert fires(FAST, n, more, 0.02, scale=scale).all()


def test_a_judge_that_tells_too_little_has_no_scale() -> None:
    assert scale_of(Judge(30, 100, 80, 100)) is None
    assert scale_of(Judge(0, 0, 80, 100)) is None
    plain = scale_of(None)
    assert plain is not None and plain.flags(0.25) == 0.25


def test_gathered_evidence_begins_anew_and_stands_for_a_day() -> None:
    n, bad = steady(50, 0, 120)
    bad[0, 10:12] = 25
    found = fires(SUSTAINED, n, bad, 0.02)
    hours = found.nonzero()[0]
    assert hours[0] in (10, 11) and hours[-1] <= hours[0] + 25 and np.diff(hours).max() == 1


@pytest.mark.parametrize("weight", [(1.0,), (1.0, 20.0)])
@pytest.mark.parametrize("rate", [2.0, 30.0])
def test_at_the_allowed_share_evidence_takes_at_least_six_days(weight, rate: float) -> None:
    """The theorem, in strata too: the mean time to the first alert is 144 hours or more."""
    random = np.random.default_rng(3)
    strata = len(weight)
    n = random.poisson(rate, (400, strata, 1000))
    shares = [[0.02]] if strata == 1 else [[0.2], [0.011]]
    found = fires(SUSTAINED, n, random.binomial(n, shares), 0.02, weight=weight)
    first = np.where(found.any(1), found.argmax(1) + 1.0, found.shape[1])
    error = first.std() / np.sqrt(len(first))
    print(f"weights {weight}, {rate} an hour: {first.mean():.0f} hours, or more")
    assert first.mean() + 2.33 * error >= 144


def test_pages_are_told_with_their_interval() -> None:
    quiet = Service(np.full((1, 168), 5.0), np.ones(1), np.array([0.01]), 0.02)
    fast, slow, never = false_pages(quiet, [Rule(1, 14.4), SUSTAINED, Rule(1, 50.0)])
    assert fast.every_days is not None and fast.high is not None
    assert fast.low < fast.every_days < fast.high
    assert slow.hours[0] is not None and slow.hours[2] is not None and slow.hours[2] <= 3
    assert never.every_days is None and never.low == pytest.approx(never.simulated_days / 3, 0.01)
    assert never.hours[0] is None
    assert false_pages(quiet, [Rule(1, 14.4)], seed=0) == false_pages(quiet, [Rule(1, 14.4)])


def test_pages_of_a_judge_are_simulated_with_its_errors() -> None:
    service = Service(np.full((1, 168), 20.0), np.ones(1), np.array([0.01]), 0.02, KEEN)
    fast, slow = false_pages(service, [FAST, SUSTAINED])
    assert fast.low > 30 and slow.low > 30
    with pytest.raises(ValueError, match="tells too little"):
        false_pages(Service(ONE, np.ones(1), np.ones(1), 0.02, Judge(1, 9, 1, 9)), [FAST])


def test_no_count_of_all_hours_is_below_the_bound() -> None:
    """The lower bound is Clopper and Pearson's: it is above the truth in 0.3 % at most."""
    random, wrong = np.random.default_rng(4), 0
    for share in (0.01, 0.05, 0.3):
        bad = random.binomial(40, share, (4000, 1, 1))
        low = seen(np.full((4000, 1, 1), 40), bad, (1.0,), 1).low
        wrong = int((low > share).sum())
        assert not falls_short(4000 - wrong, 0.997, 4000), (share, wrong)
