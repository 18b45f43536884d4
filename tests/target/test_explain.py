"""Objectives in words: what they allow, and what of them cannot work."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.objectives.grammar import read_criterion, read_exclusion
from aiops_lab.objectives.objective import Alert, Duration, Judge, Objective, Part, Window, composed
from aiops_lab.target.explain import Explained, Traffic, explain, explained, traffic_of

GOAL = Objective("grounded", 0.98, "grounded", read_criterion(">= 0.8"))
PAGE = Alert("fast", 14.4, Duration(1, "h"), "page")


def flags(found: Explained) -> dict[str, str]:
    return {flag.check: flag.status for flag in found.flags}


def test_a_sentence_says_what_is_allowed_a_day() -> None:
    told = explain(GOAL, Traffic(1000))
    assert told.bad_a_day == pytest.approx(20)
    assert told.sentence == (
        "Over any 28 days, at least 98 % of answers have grounded of at least 0.8. At 1,000 "
        "answers a day, 20.0 bad ones a day are allowed, 560 in 28 days."
    )
    assert "20.0 bad answers in 1,000" in explain(GOAL).sentence


def test_each_way_of_counting_has_its_sentence() -> None:
    hour = Duration(1, "h")
    sliced = replace(GOAL, budgeting="timeslices", timeslice_target=0.9, timeslice_window=hour)
    assert (
        "in at least 98 % of slices of 1 hour at least 90 % of answers" in explain(sliced).sentence
    )
    assert "13.4 in 28 days; a quiet slice counts" in explain(sliced).sentence
    mean = replace(GOAL, budgeting="ratio_timeslices", timeslice_window=hour)
    assert "the mean over slices of 1 hour" in explain(mean).sentence
    parts = [Part(GOAL, 3), Part(replace(GOAL, name="kind", target=0.94))]
    whole = composed(Objective("all", 0.0), parts)
    assert "grounded (weight 3) and kind (weight 1) is at least 97 %" in explain(whole).sentence
    month = replace(GOAL, window=Window(Duration(1, "M"), False, timezone="Europe/Berlin"))
    assert explain(month).sentence.startswith("Over each month of the calendar (Europe/Berlin), ")
    foreign = replace(GOAL, metric=None, criterion=None, why="it is Prometheus's")
    assert "not computed here: it is Prometheus's." in explain(foreign).sentence
    refusals = replace(GOAL, metric="refusal", criterion=read_criterion(bad=True), filter="a=b")
    assert "answers in a=b have refusal false" in explain(refusals).sentence
    labels = replace(GOAL, criterion=read_criterion(bad=["invented", "stale"]))
    assert 'a grounded other than "invented" or "stale"' in explain(labels).sentence


@pytest.mark.parametrize(("target", "least"), [(0.90, 10), (0.93, 14.3), (0.95, 20), (0.98, 50)])
def test_a_page_beyond_the_largest_burn_rate_can_never_fire(target: float, least: float) -> None:
    for rate, fires in ((least * 1.01, False), (least * 0.99, True)):
        goal = replace(GOAL, target=target, alerts=(replace(PAGE, burn_rate=rate),))
        found = explain(goal)
        assert (flags(found).get("alert") != "fail") is fires
        assert len(found.alerts) == fires


def test_the_usual_page_means_what_the_table_says() -> None:
    goal = replace(GOAL, alerts=(PAGE,))
    assert explain(goal).alerts[0].startswith("page when over 28.8 % of answers in 1 hour are bad")
    at_95 = replace(goal, target=0.95)
    assert "over 72 % of answers" in explain(at_95).alerts[0]
    assert flags(explain(replace(goal, target=0.93))) == {"alert": "fail"}


def test_an_alert_above_all_that_can_be_is_strict_about_it() -> None:
    every = replace(PAGE, burn_rate=50.0)
    assert flags(explain(replace(GOAL, alerts=(every,)))) == {}
    assert flags(explain(replace(GOAL, alerts=(replace(every, strict=True),)))) == {"alert": "fail"}


def test_an_alert_on_little_burn_and_one_that_comes_too_late_are_told() -> None:
    assert flags(explain(replace(GOAL, alerts=(replace(PAGE, quiet=True),)))) == {"alert": "warn"}
    late = replace(PAGE, burn_rate=14.4, window=Duration(7, "d"))
    assert flags(explain(replace(GOAL, alerts=(late,)))) == {"alert": "warn"}


@pytest.mark.parametrize(("target", "least"), [(0.98, 4), (0.99, 7), (0.999, 70)])
def test_one_bad_answer_pages_below_so_many_in_the_window(target: float, least: int) -> None:
    goal = replace(GOAL, target=target, alerts=(PAGE,))
    quiet, busy = (explain(goal, Traffic(24.0 * n)) for n in (least - 1, least))
    assert any("one bad answer sets off" in flag.told for flag in quiet.flags)
    assert not any("one bad answer sets off" in flag.told for flag in busy.flags)


def test_a_budget_that_one_answer_exhausts() -> None:
    assert flags(explain(GOAL, Traffic(1)))["budget"] == "fail"
    assert "budget" not in flags(explain(GOAL, Traffic(2)))
    assert flags(explain(replace(GOAL, sampling=0.1), Traffic(10)))["budget"] == "fail"
    day = Duration(1, "d")
    sliced = replace(GOAL, budgeting="timeslices", timeslice_target=0.9, timeslice_window=day)
    assert flags(explain(sliced))["budget"] == "fail"


@pytest.mark.parametrize(
    ("negatives", "right", "status"),
    [(1000, 950, "fail"), (200, 196, "inconclusive"), (200, 200, None), (4000, 3990, None)],
)
def test_a_judge_whose_false_flags_exceed_the_limit(
    negatives: int, right: int, status: str | None
) -> None:
    found = flags(explain(replace(GOAL, judge=Judge(90, 100, right, negatives))))
    assert found.get("judge") == status


def test_what_would_settle_a_judge_is_told() -> None:
    (flag,) = explain(replace(GOAL, judge=Judge(90, 100, 99, 100))).flags
    assert "about" in flag.told and "labelled good answers would settle it" in flag.told
    (flag,) = explain(replace(GOAL, judge=Judge(90, 100, 97, 100))).flags
    assert "fewer false flags" in flag.told


def test_a_judge_without_labels_or_power() -> None:
    assert flags(explain(replace(GOAL, judge=Judge(0, 0, 0, 0)))) == {
        "judge labels": "inconclusive"
    }
    few = flags(explain(replace(GOAL, judge=Judge(20, 20, 400, 400))))
    assert few == {"judge labels": "inconclusive"}
    assert flags(explain(replace(GOAL, judge=Judge(30, 100, 80, 100)))) == {"judge": "fail"}


def test_sampling_too_thin_to_judge_a_period() -> None:
    assert flags(explain(replace(GOAL, sampling=0.01), Traffic(1000)))["sampling"] == "inconclusive"
    assert flags(explain(replace(GOAL, sampling=0.1), Traffic(1000))) == {}
    assert flags(explain(GOAL, Traffic(1000, 0.0)))["sampling"] == "inconclusive"


def test_a_range_of_what_is_true_or_false_is_flagged() -> None:
    assert flags(explain(replace(GOAL, metric="refusal"))) == {"metric": "fail"}


def daily(days: int = 40) -> pl.DataFrame:
    first = date(2026, 5, 1)
    rows = [
        {"day": first + timedelta(days=i), "metric": metric, "slice": part, "n": n, "evaluated": e}
        for i in range(days)
        for metric, part, n, e in (
            ("refusal", "all", 300, 300), ("grounded", "all", 40, 30),
            ("refusal", "language=de", 100, 100), ("topic: bikes", "all", 50, 50),
        )
    ]  # fmt: skip
    return pl.DataFrame(rows)


def test_traffic_is_that_of_the_last_days_of_the_slice() -> None:
    assert traffic_of(daily(), GOAL) == (Traffic(300, 30), [])
    assert traffic_of(daily(3), GOAL) == (Traffic(300, 30), [])
    german = replace(
        GOAL, metric="refusal", criterion=read_criterion(bad=True), filter="language=de"
    )
    assert traffic_of(daily(), german) == (Traffic(100, 100), [])
    bikes = replace(GOAL, metric="topic", criterion=read_criterion(["bikes"]))
    assert traffic_of(daily(), bikes) == (Traffic(300, 50), [])


def test_what_a_lab_lacks_is_told() -> None:
    (found,) = explained([replace(GOAL, metric="ground")], daily())
    assert "no metric 'ground' there; did you mean 'grounded'?" in found.flags[0].told
    (found,) = explained([replace(GOAL, filter="language=xx")], daily())
    assert "no answers in the slice language=xx" in found.flags[0].told
    (found,) = explained([GOAL], pl.DataFrame(schema=daily().schema))
    assert "no answers in production" in found.flags[0].told


SHARES = st.floats(0, 1, exclude_max=True)
COUNTS = st.integers(0, 10**6)
JUDGES = st.tuples(COUNTS, COUNTS, COUNTS, COUNTS).map(
    lambda n: Judge(min(n[:2]), max(n[:2]), min(n[2:]), max(n[2:]))
)
LENGTHS = st.builds(Duration, st.integers(1, 90), st.sampled_from("mhdwMQY"))
ALERTS = st.builds(Alert, st.just("a"), st.floats(1e-6, 1e9), LENGTHS, strict=st.booleans())


@given(SHARES, st.none() | JUDGES, st.lists(ALERTS, max_size=2), LENGTHS, st.floats(0, 1e9))
def test_whatever_may_be_promised_can_be_told(
    target: float, judge: Judge | None, alerts: list[Alert], length: Duration, answers: float
) -> None:
    goal = replace(GOAL, target=target, judge=judge, alerts=tuple(alerts), window=Window(length))
    for traffic in (None, Traffic(answers), Traffic(answers, answers / 10)):
        found = explain(goal, traffic)
        assert found.sentence.count(".") >= 2
        assert all(flag.told and "nan" not in flag.told for flag in found.flags)
        assert json.loads(json.dumps(found.to_dict()))["name"] == "grounded"


def test_what_is_left_out_is_told_with_its_reason() -> None:
    left_out = read_exclusion("2026-05-01T10:00", "2026-05-01T14:00", "load <b>" + "x" * 99)
    sentence = explain(replace(GOAL, exclusions=(left_out,))).sentence
    assert "Left out, by whole hours: 2026-05-01 10:00 to 2026-05-01 14:00 UTC" in sentence
    assert len(sentence) < 300
