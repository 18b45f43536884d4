"""Durations, shares, ranges and windows mean what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiops_lab.objectives.grammar import (
    both,
    read_criterion,
    read_duration,
    read_share,
    read_window,
)
from aiops_lab.objectives.objective import UNITS, Duration, Window

DURATIONS = st.builds(Duration, st.integers(1, 99), st.sampled_from(list(UNITS)))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


@given(DURATIONS)
def test_a_duration_is_read_as_it_is_written(duration: Duration) -> None:
    assert read_duration(str(duration)) == duration
    assert duration.told.startswith(str(duration.count))


@given(st.text(max_size=6))
def test_nothing_else_is_a_duration(text: str) -> None:
    assume(not (text[:-1].isascii() and text[:-1].isdigit() and text[-1:] in UNITS))
    with pytest.raises(ValueError, match="no duration"):
        read_duration(text)


def test_case_tells_minutes_from_months() -> None:
    assert read_duration("5m").days * 24 * 60 == pytest.approx(5)
    assert read_duration("12M").days == pytest.approx(365.2425)
    for wrong in ("28D", "1 d", "-1d", "1.5d", "d", "P28D", "1s", "1y", 28, None, True, "٣d"):
        with pytest.raises(ValueError, match="no duration"):
            read_duration(wrong)
    with pytest.raises(ValueError, match="hundred years"):
        read_duration("999999Y")


@given(DURATIONS, MOMENTS, st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))
def test_a_period_of_a_calendar_holds_its_moment_and_meets_the_next(
    length: Duration, at: datetime, zone: str
) -> None:
    window = Window(length, False, datetime(2024, 1, 1), zone)
    begin, end = window.period(at)
    slack = timedelta(hours=1) if length.unit in "mhd" else timedelta()  # a doubled hour
    assert begin - slack <= at < end + slack
    if length.unit not in "mh":
        assert window.period(end)[0] == end


def test_periods_follow_the_clock_of_their_zone() -> None:
    window = read_window("1d", rolling=False, start="2026-01-01", timezone="Europe/Berlin")
    begin, end = window.period(datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert end - begin == timedelta(hours=23)
    month = read_window("1M", rolling=False, start="2026-01-31 00:00:00")
    assert month.period(datetime(2026, 3, 1, tzinfo=UTC))[0] == datetime(2026, 2, 28, tzinfo=UTC)
    rolling = read_window("1M")
    assert rolling.period(datetime(2026, 3, 31, tzinfo=UTC))[0] == datetime(2026, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("good", "bad", "inside", "outside"),
    [
        (">= 0.8", None, [0.8, 1.0], [0.79]),
        ("> 0.8", None, [0.81], [0.8]),
        (None, "> 2", [2.0, 1.0], [2.1]),
        ("0.2 to 0.8", None, [0.2, 0.5, 0.8], [0.1, 0.9]),
        ([0.2, 0.8], None, [0.2], [0.19]),
        (None, [0.2, 0.8], [0.1, 0.9], [0.2, 0.8]),
        (["yes", "partly"], None, ["yes"], ["no", ""]),
        (None, ["invented"], ["fine"], ["invented"]),
        (True, None, [True, 1.0], [False, 0.0]),
        (None, True, [False], [True]),
        (False, None, [0], [1]),
    ],
)
def test_which_answers_are_good(good: object, bad: object, inside: list, outside: list) -> None:
    criterion = read_criterion(good, bad)
    assert all(criterion.is_good(value) is True for value in inside)
    assert all(criterion.is_good(value) is False for value in outside)
    assert criterion.is_good(None) is None and criterion.is_good(float("nan")) is None


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_comparison_and_its_opposite_share_no_value(
    limit: float, low: float, value: float
) -> None:
    for sign in (">=", "<=", ">", "<"):
        text = f"{sign} {limit:.6f}"
        assert read_criterion(text).is_good(value) != read_criterion(bad=text).is_good(value)
    one, other = read_criterion(f">= {low:.6f}"), read_criterion(f"<= {limit:.6f}")
    if low <= limit:
        met = one.is_good(value) and other.is_good(value)
        assert both(one, other).is_good(value) == met
    else:
        with pytest.raises(ValueError, match="no value"):
            both(one, other)


@pytest.mark.parametrize("given_", ["0.8", ">= x", [], [1], [2, 1], [1, "a"], "1 to", 0.8, {}])
def test_what_says_nothing_of_values_is_refused(given_: object) -> None:
    with pytest.raises(ValueError, match=r"which values|from low to high"):
        read_criterion(given_)


@pytest.mark.parametrize("given_", [95, 1, 1.0, -0.1, "100 %", "95", "abc", True, None, "1000 %"])
def test_what_is_no_target_is_refused(given_: object) -> None:
    with pytest.raises(ValueError, match="target is a share"):
        read_share(given_, "target")
