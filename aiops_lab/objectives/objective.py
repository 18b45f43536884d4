"""What an objective is: which answers are good, how many must be, in which window."""

from __future__ import annotations

import math
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from aiops_lab.wording import listing, short_name

Budgeting = Literal["occurrences", "timeslices", "ratio_timeslices"]
Level = Literal["error", "warning"]
UNITS = {
    "m": ("minute", 1 / 1440), "h": ("hour", 1 / 24), "d": ("day", 1.0), "w": ("week", 7.0),
    "M": ("month", 365.2425 / 12), "Q": ("quarter", 365.2425 / 4), "Y": ("year", 365.2425),
}  # fmt: skip
"""Units of a duration, which differ by case: their names, and their mean length in days."""
MONTHS = {"M": 1, "Q": 3, "Y": 12}
FIRST = datetime(2024, 1, 1)
"""A Monday, and the first of a month, a quarter and a year."""


@dataclass(frozen=True)
class Problem:
    """Something in a file that is wrong (error) or only loose or unknown (warning)."""

    file: str
    line: int
    reason: str
    level: Level = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.level}: {self.reason}"


@dataclass(frozen=True)
class Duration:
    """So many units: m minutes, h hours, d days, w weeks, M months, Q quarters, Y years."""

    count: int
    unit: str

    @property
    def days(self) -> float:
        """Its length in days; of months, quarters and years the mean length."""
        return self.count * UNITS[self.unit][1]

    @property
    def told(self) -> str:
        """As a person says it."""
        return f"{self.count} {UNITS[self.unit][0]}{'s' if self.count != 1 else ''}"

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    def after(self, moment: datetime, times: int = 1) -> datetime:
        """The moment so many of these durations later; the end of a month stays in its month."""
        if self.unit not in MONTHS:
            return moment + timedelta(days=1) * (self.days * times)
        months = moment.year * 12 + moment.month - 1 + self.count * MONTHS[self.unit] * times
        year, month = divmod(months, 12)
        last = monthrange(year, month + 1)[1]
        return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


@dataclass(frozen=True)
class Window:
    """The time over which an objective is kept: the last so many days, or a calendar's periods.

    `start` is the local time at which a calendar's first period began.
    """

    length: Duration = Duration(28, "d")
    rolling: bool = True
    start: datetime | None = None
    timezone: str = "UTC"

    def period(self, at: datetime) -> tuple[datetime, datetime]:
        """The window that holds a moment, or of a rolling one that which ends with it; in UTC.

        Examples
        --------
        >>> months = Window(Duration(1, "M"), False, datetime(2026, 1, 1), "Europe/Berlin")
        >>> print(*months.period(datetime(2026, 5, 20, tzinfo=UTC)))
        2026-04-30 22:00:00+00:00 2026-05-31 22:00:00+00:00
        """
        if self.rolling:
            return self.length.after(at, -1).astimezone(UTC), at.astimezone(UTC)
        zone, first = ZoneInfo(self.timezone), self.start or FIRST
        if self.length.unit in "mh":  # hours go on where clocks change, days follow the clock
            zone, first = UTC, first.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
        local = at.astimezone(zone).replace(tzinfo=None)
        number = math.floor((local - first) / timedelta(days=self.length.days))
        while self.length.after(first, number) > local:
            number -= 1
        while self.length.after(first, number + 1) <= local:
            number += 1
        begin, end = (self.length.after(first, n) for n in (number, number + 1))
        return tuple(t.replace(tzinfo=zone).astimezone(UTC) for t in (begin, end))  # type: ignore[return-value]

    @property
    def told(self) -> str:
        """As it stands after "over" in a sentence."""
        if self.rolling:
            return f"any {self.length.told}"
        own = self.length.told if self.length.count > 1 else UNITS[self.length.unit][0]
        zone = f" ({self.timezone})" if self.timezone != "UTC" else ""
        return f"each {own} of the calendar{zone}"


@dataclass(frozen=True)
class Criterion:
    """What makes an answer good: its score in a range, its label, or that something is true.

    `kind` "events": the metric is true or false; "ratio": it is a share of good already. What
    meets it is good, or where `bad` is set, bad.
    """

    kind: Literal["range", "labels", "events", "ratio"] = "range"
    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False
    labels: tuple[str, ...] = ()
    bad: bool = False

    def is_good(self, value: float | str | None) -> bool | None:
        """Whether a value is good; None where there is none, which is neither good nor bad.

        Examples
        --------
        >>> [Criterion(low=0.8).is_good(value) for value in (0.8, 0.79, None)]
        [True, False, None]
        """
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if self.kind == "labels" or isinstance(value, str):
            return (str(value) in self.labels) != self.bad
        if self.kind == "events":
            return bool(value) != self.bad
        high_enough = self.low is None or (value > self.low if self.above else value >= self.low)
        low_enough = self.high is None or (value < self.high if self.below else value <= self.high)
        return (high_enough and low_enough) != self.bad

    def told(self, metric: str) -> str:
        """What good answers have, as it stands in a sentence."""
        if self.kind == "events":
            return f"have {metric} {'false' if self.bad else 'true'}"
        if self.kind == "ratio":
            return f"are good, by {metric}, the share that is {'bad' if self.bad else 'good'}"
        if self.kind == "labels":
            names = listing((f'"{label}"' for label in self.labels), 6).replace(" and ", " or ")
            return f"have a {metric} {'other than ' if self.bad else 'of '}{names}"
        low, high = (None if end is None else f"{end:.12g}" for end in (self.low, self.high))
        over, under = (
            "above" if self.above else "of at least",
            "below" if self.below else "of at most",
        )
        if low is None or high is None:
            return f"have {metric} {f'{under} {high}' if low is None else f'{over} {low}'}"
        return f"have {metric} {'not ' if self.bad else ''}between {low} and {high}"


@dataclass(frozen=True)
class Judge:
    """How a judge did on answers that people labelled; positive: a bad answer, which it flags."""

    true_positives: int
    positives: int
    true_negatives: int
    negatives: int

    def __post_init__(self) -> None:
        for found, of, what in (
            (self.true_positives, self.positives, "positives"),
            (self.true_negatives, self.negatives, "negatives"),
        ):
            if not 0 <= found <= of:
                raise ValueError(f"a judge's true_{what} are 0 to {what}, not {found} of {of}")


@dataclass(frozen=True)
class Alert:
    """Someone is told when the budget burns so many times as fast as it may.

    `quiet`: it fires while the burn rate is below, not above. `after` is how long that must last.
    """

    name: str
    burn_rate: float
    window: Duration
    severity: str = ""
    after: Duration = Duration(0, "m")
    quiet: bool = False
    strict: bool = False
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exclusion:
    """Time that does not count, in UTC, and why; every hour that overlaps it is left out."""

    begin: datetime
    end: datetime
    reason: str

    @property
    def told(self) -> str:
        """As it stands in a sentence."""
        begin, end = (moment.strftime("%Y-%m-%d %H:%M") for moment in (self.begin, self.end))
        return f"{begin} to {end} UTC ({short_name(self.reason)})"


@dataclass(frozen=True)
class Part:
    """An objective that counts in a composite one."""

    objective: Objective
    weight: float = 1.0


@dataclass(frozen=True)
class Objective:
    """So large a share of answers must be good over a window.

    Parameters
    ----------
    metric, criterion
        What of an answer decides, and which values are good; None in a composite, and where `why`
        says why it cannot be computed here.
    target
        The share that must be good, from 0 to below 1: of answers (occurrences), of slices of time
        in which a share of `timeslice_target` was good (timeslices), or on average over slices
        (ratio_timeslices). Of a composite, the weighted mean of its parts' targets.
    filter
        The slice of traffic it is about, ``column=value``; all where None.
    sampling
        The share of answers that is evaluated.
    parts
        A composite's share of good is the mean of its parts' by weight.
    exclusions
        Times of which answers do not count at all.
    place
        Where it was read: file and line.

    Examples
    --------
    >>> goal = Objective("kind", 0.95, "tone", Criterion(low=0))
    >>> round(goal.budget, 3), goal.computable, str(goal.window.length)
    (0.05, True, '28d')
    """

    name: str
    target: float
    metric: str | None = None
    criterion: Criterion | None = None
    window: Window = Window()
    budgeting: Budgeting = "occurrences"
    timeslice_target: float | None = None
    timeslice_window: Duration | None = None
    filter: str | None = None
    sampling: float = 1.0
    judge: Judge | None = None
    alerts: tuple[Alert, ...] = ()
    parts: tuple[Part, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    display: str = ""
    description: str = ""
    service: str = ""
    why: str = ""
    place: str = ""

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return 1 - self.target

    @property
    def computable(self) -> bool:
        """Whether the lab can say how it stands."""
        if self.parts:
            return all(part.objective.computable for part in self.parts)
        return self.metric is not None and not self.why

    @property
    def sliced(self) -> bool:
        """Whether slices of time count, not answers."""
        return self.budgeting != "occurrences"

    @property
    def grain(self) -> int:
        """Minutes that are counted together: 60, or those of a slice that divides an hour.

        0 where a slice neither divides an hour nor is whole hours: then it cannot be counted.
        """
        if not self.sliced:
            return 60
        if self.timeslice_window is None or self.timeslice_window.unit in MONTHS:
            return 0
        minutes = round(self.timeslice_window.days * 1440)
        return 60 if minutes % 60 == 0 else minutes if 60 % minutes == 0 else 0


def composed(common: Objective, parts: list[Part]) -> Objective:
    """The objective that parts come to: its target is the mean of theirs by weight."""
    total = sum(part.weight for part in parts) or 1.0
    target = sum(part.weight * part.objective.target for part in parts) / total
    return replace(common, target=min(round(target, 12), 1 - 1e-12), parts=tuple(parts))
