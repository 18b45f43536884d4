"""How objectives are written: durations, shares, ranges and windows, out of texts and numbers.

The same in ``lab.toml`` and in OpenSLO. What cannot be understood is a ValueError whose message
says what would be; who reads a file adds the place.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiops_lab.objectives.objective import (
    UNITS,
    Criterion,
    Duration,
    Exclusion,
    Judge,
    Window,
)
from aiops_lab.tables import in_utc

LONGEST = 36525
"""Days: what is longer is a slip of the finger, and would overflow dates."""
SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,12})?)\s*%")
NUMBER = r"([-+]?(?:\d{1,15}(?:\.\d{1,15})?|\.\d{1,15})(?:[eE][-+]?\d{1,2})?)"
COMPARED = re.compile(rf"(>=|<=|>|<|≥|≤)\s*{NUMBER}")
BETWEEN = re.compile(rf"{NUMBER}\s*(?:to|\.\.|–)\s*{NUMBER}")
SLICE = re.compile(r"[^=\s][^=]*=.+")
GRAMMAR = '">= 0.8", "0.2 to 0.8", [0.2, 0.8], true, false, or a list of labels'


def read_duration(text: Any) -> Duration:
    """A duration as OpenSLO writes it: a number and one letter, whose case matters.

    Raises
    ------
    ValueError
        It is none; the message says what would be.

    Examples
    --------
    >>> read_duration("5m").told, read_duration("5M").told
    ('5 minutes', '5 months')
    """
    found = re.fullmatch(r"(\d{1,6})([a-zA-Z])", text, re.ASCII) if isinstance(text, str) else None
    if found and found[2] in UNITS:
        duration = Duration(int(found[1]), found[2])
        if duration.days > LONGEST:
            raise ValueError(f"{text} is longer than a hundred years")
        return duration
    known = ", ".join(f"{unit} {name}s" for unit, (name, _) in UNITS.items())
    raise ValueError(f"{shown(text)} is no duration: a whole number and one of {known}")


def read_share(given: Any, what: str, *, whole: bool = False) -> float:
    """A share from 0 to below 1, or to 1 where that is the `whole`: 0.95, or "95 %".

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> read_share("99.5 %", "target"), read_share(0.95, "target")
    (0.995, 0.95)
    """
    value = given
    if isinstance(given, str):
        found = SHARE.fullmatch(given.strip())
        value = round(float(found[1]) / 100, 14) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f'{what} is a share such as 0.95 or "95 %", not {shown(given)}')
    if 0 <= value < 1 or (whole and value == 1):
        return float(value)
    ends = "from 0 to 1" if whole else "from 0 to below 1"
    if 1 < value < 100 and not isinstance(given, str):
        raise ValueError(f'{what} is a share {ends}, not {value:g}; did you mean "{value:g} %"?')
    raise ValueError(f"{what} is a share {ends}, not {shown(given)}")


def read_criterion(good: Any = None, bad: Any = None) -> Criterion:
    """What makes an answer good, or what makes it bad.

    Parameters
    ----------
    good, bad
        One of the two: a comparison (``">= 0.8"``), a range with both ends in it (``"0.2 to 0.8"``,
        ``[0.2, 0.8]``), true or false of a metric that is one, or a list of labels.

    Raises
    ------
    ValueError
        It cannot be understood.

    Examples
    --------
    >>> read_criterion("> 0.8").told("grounded"), read_criterion(bad=True).told("refusal")
    ('have grounded above 0.8', 'have refusal false')
    """
    if (good is None) == (bad is None):
        raise ValueError(f"say either what is good or what is bad: {GRAMMAR}")
    return _criterion(good) if bad is None else turned(_criterion(bad))


def turned(criterion: Criterion) -> Criterion:
    """What is good, of a criterion that says what is bad."""
    if criterion.kind == "range" and (criterion.low is None) != (criterion.high is None):
        low, high, above, below = criterion.high, criterion.low, criterion.below, criterion.above
        return Criterion(low=low, high=high, above=not above, below=not below)
    return replace(criterion, bad=not criterion.bad)


def _criterion(given: Any) -> Criterion:
    if isinstance(given, bool):
        return Criterion("events", bad=not given)
    if isinstance(given, list | tuple) and given:
        if all(isinstance(item, str) for item in given):
            return Criterion("labels", labels=tuple(given))
        if len(given) == 2 and all(_is_number(item) for item in given):
            return _range(float(given[0]), float(given[1]))
    if isinstance(given, str):
        text = given.strip()
        if found := COMPARED.fullmatch(text):
            return compared({"≥": ">=", "≤": "<="}.get(found[1], found[1]), float(found[2]))
        if found := BETWEEN.fullmatch(text):
            return _range(float(found[1]), float(found[2]))
    raise ValueError(f"{shown(given)} does not say which values are meant: {GRAMMAR}")


def compared(operator: str, value: float) -> Criterion:
    """The range on one side of a value; `operator` is >=, <=, > or <."""
    if operator[0] == ">":
        return Criterion(low=value, above=operator == ">")
    return Criterion(high=value, below=operator == "<")


def both(one: Criterion, other: Criterion) -> Criterion:
    """The range in which two ranges overlap.

    Raises
    ------
    ValueError
        Nothing is in both.
    """
    low = max((-math.inf if c.low is None else c.low, c.above) for c in (one, other))
    high = min((math.inf if c.high is None else c.high, not c.below) for c in (one, other))
    if low[0] > high[0] or (low[0] == high[0] and (low[1] or not high[1])):
        raise ValueError("no value is both in the range and on the right side of the value")
    ends = (None if math.isinf(end) else end for end in (low[0], high[0]))
    return Criterion("range", *ends, above=low[1], below=not high[1])


def read_window(
    length: Any, *, rolling: bool = True, start: Any = None, timezone: str = "UTC"
) -> Window:
    """A window out of its texts; `start` is a local time, ``2026-01-01`` or with ``12:30:00``.

    Raises
    ------
    ValueError
        A duration, time or time zone that is none.
    """
    duration, first = read_duration(length), None
    if duration.count < 1:
        raise ValueError("a window is longer than nothing")
    if start is not None:
        try:
            if not re.fullmatch(
                r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}:\d{2})?", str(start), re.ASCII
            ):
                raise ValueError
            first = datetime.fromisoformat(str(start))
        except ValueError:
            told = "a local time such as 2026-01-01 00:00:00"
            raise ValueError(f"{shown(start)} is not {told}") from None
        if not 1900 <= first.year <= 2200:
            raise ValueError(f"a calendar starts between 1900 and 2200, not in {first.year}")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{shown(timezone)} is no time zone such as Europe/Berlin") from None
    return Window(duration, rolling, first if not rolling else None, timezone)


def read_sampling(given: Any) -> float:
    """The share of answers that is evaluated: above 0, at most 1."""
    share = read_share(given, "sampling", whole=True)
    if share == 0:
        raise ValueError("sampling is above 0: a share of the answers is evaluated")
    return share


def read_judge(given: dict[str, Any]) -> Judge:
    """A judge's calibration out of its four counts."""
    if not all(type(value) is int for value in given.values()):
        raise ValueError("a judge's calibration is four counts of labelled answers")
    return Judge(**given)


def read_exclusion(begin: Any, until: Any, reason: Any) -> Exclusion:
    """Time that does not count: two moments, in UTC where they name no zone, and why.

    Raises
    ------
    ValueError
        They are none, in the wrong order, or there is no reason.

    Examples
    --------
    >>> read_exclusion("2026-05-01T10:00", "2026-05-01T14:00", "load test").told
    '2026-05-01 10:00 to 2026-05-01 14:00 UTC (load test)'
    """
    first, last = (_moment(given) for given in (begin, until))
    if first >= last:
        raise ValueError(f"an exclusion ends after it begins, not {shown(until)}")
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError("an exclusion has a reason, a text")
    return Exclusion(first, last, reason.strip())


def _moment(given: Any) -> datetime:
    try:
        found = datetime.fromisoformat(given)
        if not 1900 <= found.year <= 2200:
            raise ValueError
    except (TypeError, ValueError):
        told = f"{shown(given)} is no moment such as 2026-05-01T10:00"
        raise ValueError(told) from None
    return in_utc(found)


def read_filter(given: Any) -> str | None:
    """A slice of traffic, ``column=value``; None where none is given.

    Raises
    ------
    ValueError
        It is no such thing.
    """
    if given is None or (isinstance(given, str) and SLICE.fullmatch(given)):
        return given
    raise ValueError(f'a filter is a slice of traffic such as "language=de", not {shown(given)}')


def shown(value: Any) -> str:
    """A foreign value in a message: quoted, and not at any length."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _range(low: float, high: float) -> Criterion:
    if low > high:
        raise ValueError(f"a range goes from low to high, not from {low:g} to {high:g}")
    return Criterion(low=low, high=high)
