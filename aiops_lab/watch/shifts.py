"""Did a daily rate or mean leave its baseline, since when, and by how much?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.result import Result
from aiops_lab.stats.baseline import (
    BAND,
    FEWEST,
    Bools,
    Floats,
    Means,
    Rates,
    means,
    rates,
)
from aiops_lab.stats.onset import onset
from aiops_lab.stats.sequential import Watched, days_to_find, watch
from aiops_lab.stats.unfit import moved, odd_days
from aiops_lab.verdict import Verdict
from aiops_lab.watch import words
from aiops_lab.watch.daily import KEY, Grid, grid, read_daily, starts, without

SOON = 14
"""Days in which a shift should be found; the power told is of the least that is."""
ODDS, MOVES = (1.25, 1.5, 2.0, 3.0), (0.1, 0.25, 0.5, 1.0)
"""Rises that power is told of: of a rate's odds; of a mean, in standard deviations of one value.
Where not even the largest would have been found, nothing useful would."""
ODD, ODD_DAYS = 0.005, 3
"""One in a hundred baselines in which nothing happened has an odd day; so many are looked for."""
MOVED = 0.01
"""A baseline moved where so large a move within it is less likely."""
WIDE = 1.96
MOST = 700.0
Schema = dict[Any, Any]
NAMED: Schema = dict.fromkeys(KEY, pl.String)
ALARMS: Schema = {
    **NAMED, **dict.fromkeys(("day", "since", "since_low", "since_high"), pl.Date),
    "direction": pl.String,
    **dict.fromkeys(("before", "after", "low", "high", "evidence"), pl.Float64),
    "gradual": pl.Boolean, "share": pl.Boolean,
}  # fmt: skip
ONSETS: Schema = {**NAMED, "day": pl.Date, "likelihood": pl.Float64}
EXPECTED = dict.fromkeys(("low", "high", "expected", "evidence"), pl.Float64)
POWER: Schema = {
    **NAMED, "n": pl.Float64, "watched": pl.Int64,
    **dict.fromkeys(("before", "after", "days", "evidence"), pl.Float64),
    "seen": pl.Boolean, "share": pl.Boolean,
}  # fmt: skip
CHECKS = {**NAMED, **dict.fromkeys(("check", "status", "detail"), pl.String)}


@dataclass(frozen=True)
class Shifts(Result):
    """What shifted; see `detect_shifts`.

    Attributes
    ----------
    verdict
        warn where anything shifted; ok where nothing did, and a shift worth knowing would have
        been found; else inconclusive.
    alarms
        The first shift of each series: metric, slice, day (of the alarm), since (its likeliest
        first day; since_low to since_high holds it in 90 %), direction (up, down), before, after
        (the level until then, and the mean level from then to the alarm, of an average weekday),
        low, high (95 % interval of after less before), evidence (the most so far), gradual (a
        slope fits better than a step), share (it is a rate).
    onsets
        metric, slice, day, likelihood: of each day on which an alarm's shift may have begun, that
        of the likeliest being 1.
    series
        metric, slice, day, value, low, high (where a day's value lies in 95 % while nothing
        changes), expected, evidence (an alarm needs 1; null in the baseline).
    power
        For each watched series a rise (of a rate above one half, a fall) that would have been
        found: metric, slice, n (a day), watched (days), before, after, days (about, to find it),
        evidence (now), seen (False: not even this one would have been), share.
    checks
        What could not be watched, or not well: metric, slice, check, status, detail.
    settings
        All that is needed to do it again, and the threshold that it came to.
    """

    verdict: Verdict
    alarms: pl.DataFrame
    onsets: pl.DataFrame
    series: pl.DataFrame
    power: pl.DataFrame
    checks: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def detect_shifts(
    daily: Any,
    *,
    baseline_days: int = 30,
    run_length_days: float = 1000,
    baseline_from: Any = None,
    restart: Mapping[str, Any] | None = None,
    leave_out: Sequence[Any] = (),
) -> Shifts:
    """Watch daily figures for a shift away from their own first days.

    The baseline never moves by itself, as a rolling one hides a slow decline; after a change that
    is meant, name its day in `restart`. The run length is a theorem where the true level lies in
    the band of the baseline, days differ no more than it shows, and do not follow each other; where
    they do, an alarm waits until the shift is clear of that. With baselines of 30 days at most 2 %
    of unchanged quarters had an alarm, in simulations.

    Parameters
    ----------
    daily
        A table with day, metric, slice (it may be absent), n, and events (a rate) or sum and
        sum_squares (a mean). Where there is a column `evaluated`, figures are of so many. A day
        without traffic is no evidence; what is missing is not 0.
    baseline_days
        The first days with traffic of each series: 14 or more; from 28 on weekdays are told apart.
    run_length_days
        Days to a false alarm, over all series watched together.
    baseline_from
        The day before which all is left out.
    restart
        Days from which the baseline of some is new: ``{"refusal": "2026-05-20"}``, or of slices
        ``{"refusal": {"German": "2026-05-20"}}``.
    leave_out
        Days that say nothing: an outage in the baseline makes days seem to differ more than they
        do, which hides smaller shifts. The checks name such a day.

    Raises
    ------
    BadSettings
        The table or a setting cannot be used as it is.

    Examples
    --------
    >>> days = pl.date_range(pl.date(2026, 4, 1), pl.date(2026, 5, 14), eager=True)
    >>> events = [15, 14, 16, 15, 13, 17, 15] * 6 + [44, 41]
    >>> daily = pl.DataFrame({"day": days, "metric": "refusal", "n": 500, "events": events})
    >>> print(detect_shifts(daily).verdict.headline)
    refusal rose from 3.0 % to 8.8 % since 13 May.
    """
    _check(baseline_days, run_length_days)
    rows = without(read_daily(daily), leave_out)
    begun = starts(rows.select(KEY).unique(maintain_order=True), baseline_from, restart)
    rows = rows.join(begun, on=KEY, nulls_equal=True, maintain_order="left").with_columns(
        used=(pl.col("day") >= pl.col("start")).fill_null(True),
        known=pl.all_horizontal(pl.col("n", "value", "squares").is_not_null()),
    )
    checks, ready = _ready(rows, baseline_days)
    groups = [
        _group(rows.filter("used"), own, baseline_days)
        for _, own in ready.group_by("share", maintain_order=True)
    ]
    watched = sum(group.names.height for group in groups)
    threshold = float(run_length_days) * max(watched, 1)
    told = [_watched(group, threshold) for group in groups if group.names.height]
    alarms, onsets, days, power = (
        pl.concat([pl.DataFrame(schema=schema), *(each[part] for each in told)]).sort(order)
        for part, schema, order in (
            (0, ALARMS, ["day", *KEY]), (1, ONSETS, [*KEY, "day"]),
            (2, {**NAMED, "day": pl.Date, **EXPECTED}, [*KEY, "day"]), (3, POWER, KEY),
        )
    )  # fmt: skip
    checks = pl.concat(
        [checks, *(g.checks for g in groups), _blind(power), _unsettled(power, alarms)]
    ).sort(*KEY, "check")
    value = rows.filter("known", pl.col("n") > 0).select(
        *KEY, "day", value=pl.col("value") / pl.col("n")
    )
    series = value.join(days, on=[*KEY, "day"], how="left", nulls_equal=True, maintain_order="left")
    settings = {
        "baseline_days": baseline_days, "run_length_days": run_length_days,
        "baseline_from": None if baseline_from is None else str(baseline_from),
        "restart": _plain(restart or {}), "leave_out": sorted(map(str, leave_out)),
        "watched": watched, "threshold": threshold,
    }  # fmt: skip
    verdict = words.verdict(alarms, power, checks, baseline_days)
    return Shifts(verdict, alarms, onsets, series, power, checks, settings)


def _check(baseline_days: Any, run_length_days: Any) -> None:
    for name, value, least, kind in (
        ("baseline_days", baseline_days, FEWEST, int),
        ("run_length_days", run_length_days, 2, int | float),
    ):
        number = isinstance(value, kind) and not isinstance(value, bool)
        if not number or not least <= value < math.inf:
            raise BadSettings(f"{name} is a number of days, {least} or more, not {value!r}")


def _plain(restart: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _plain(v) if isinstance(v, Mapping) else str(v) for k, v in restart.items()}


def _ready(rows: pl.DataFrame, baseline_days: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is missing of the series, and those that can be watched."""
    counts = rows.group_by([*KEY, "share"], maintain_order=True).agg(
        traffic=(pl.col("used") & pl.col("known") & (pl.col("n") > 0)).sum(),
        lost=(pl.col("used") & ~pl.col("known")).sum(),
    )  # fmt: skip
    short = counts.filter(pl.col("traffic") <= baseline_days)
    said = f"{{}} days with traffic: the baseline is {baseline_days}, and one more is watched"
    lost = "{} days whose n or figures are missing are left out, not taken as 0"
    checks = [
        _checks(short, "baseline", "inconclusive", pl.format(said, "traffic")),
        _checks(counts.filter(pl.col("lost") > 0), "missing", "warn", pl.format(lost, "lost")),
    ]
    return pl.concat(checks), counts.filter(pl.col("traffic") > baseline_days)


def _checks(
    series: pl.DataFrame, check: str, status: str, detail: str | pl.Expr | pl.Series
) -> pl.DataFrame:
    detail = pl.lit(detail) if isinstance(detail, str) else detail
    return series.select(*KEY, check=pl.lit(check), status=pl.lit(status), detail=detail)


def _blind(power: pl.DataFrame) -> pl.DataFrame:
    said = "not even a large shift would have been found so far"
    return _checks(power.filter(~pl.col("seen")), "power", "inconclusive", said)


def _unsettled(power: pl.DataFrame, alarms: pl.DataFrame) -> pl.DataFrame:
    said = "it moved, but no further than days that follow each other do: the next weeks settle it"
    own = power.filter(pl.col("evidence") >= 1).join(alarms, on=KEY, how="anti", nulls_equal=True)
    return _checks(own, "unsettled", "inconclusive", said)


@dataclass(frozen=True)
class _Group:
    """The series of one kind that are watched."""

    names: pl.DataFrame
    days: NDArray[np.datetime64]
    series: Rates | Means
    checks: pl.DataFrame

    @property
    def share(self) -> bool:
        return isinstance(self.series, Rates)


def _group(rows: pl.DataFrame, ready: pl.DataFrame, baseline_days: int) -> _Group:
    """Series of one kind with their baselines; those that have one value only are left out."""
    table = grid(rows, ready.select(KEY))

    def made(left: Bools) -> Rates | Means:
        n = np.where(left, np.nan, table.n)
        same = {"baseline_days": baseline_days - int(left.sum(1).max()), "none_seen": True}
        if ready["share"][0]:
            return rates(table.value, n, table.weekdays, **same)
        return means(table.value, table.squares, n, table.weekdays, **same)

    series = made(np.zeros(table.n.shape, bool))
    unfit = pl.concat([_odd(table, series, made, baseline_days), _moved(table, series)])
    if isinstance(series, Rates):
        said = "all answers in the baseline are alike: only a move away from it can be seen"
        checks = _checks(table.names.filter(series.level == 0), "baseline", "ok", said)
        return _Group(table.names, table.days, series, pl.concat([checks, unfit]))
    flat = np.isinf(series.spread)
    said = "one value only in the baseline: what a change would be is not known"
    checks = pl.concat([_checks(table.names.filter(flat), "constant", "inconclusive", said), unfit])
    names, series = table.names.filter(~flat), series.take(~flat)
    return _Group(names, table.days, series, checks)


def _odd(
    table: Grid, series: Rates | Means, without: Callable[[Bools], Any], baseline_days: int
) -> pl.DataFrame:
    """The days of baselines that are so unlike their others that they hide what comes later."""
    most = min(ODD_DAYS, baseline_days - FEWEST)
    odd, usual = odd_days(series, without, most=most, likely=ODD / baseline_days)
    at, day = np.nonzero(odd)
    was, others = series.as_given(series.value)[odd], usual[odd]
    said = [
        words.odd_day(*each, isinstance(series, Rates))
        for each in zip(table.days[day].tolist(), was.tolist(), others.tolist(), strict=True)
    ]
    return _checks(table.names[at], "odd day", "warn", pl.Series(said, dtype=pl.String))


def _moved(table: Grid, series: Rates | Means) -> pl.DataFrame:
    """The baselines whose level moved, so that what comes later has two levels to leave."""
    day, chance = moved(series)
    own = np.flatnonzero(chance < MOVED)
    after = np.arange(len(table.days)) >= day[:, None]
    given, n = series.as_given(series.value)[own], (series.n * series.based)[own]
    before, since = (
        ((given * n * part[own]).sum(1) / (n * part[own]).sum(1)).tolist()
        for part in (~after, after)
    )
    said = [
        words.moved(date, was, is_, isinstance(series, Rates))
        for date, was, is_ in zip(table.days[day[own]].tolist(), before, since, strict=True)
    ]
    return _checks(table.names[own], "moved", "warn", pl.Series(said, dtype=pl.String))


def _watched(group: _Group, threshold: float) -> tuple[pl.DataFrame, ...]:
    """Alarms, their onsets, days and power of a group."""
    found = watch(group.series, threshold)
    evidence = np.exp(np.minimum(found.log_evidence - math.log(threshold), MOST))
    alarms = _alarms(group, found, evidence)
    return *alarms, _days(group, evidence), _power(group, evidence[:, -1], threshold)


def _alarms(
    group: _Group, found: Watched, evidence: Floats
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    own = found.alarm >= 0
    if not own.any():
        return pl.DataFrame(schema=ALARMS), pl.DataFrame(schema=ONSETS)
    alarm, side = found.alarm[own], found.side[own]
    series = group.series.take(own)
    dated = onset(series, alarm, side)
    turned = series.turned if isinstance(series, Rates) else np.zeros(len(alarm), bool)
    ends = np.where(turned, -dated.high, dated.low), np.where(turned, -dated.low, dated.high)
    before, after = series.as_given(dated.before), series.as_given(dated.after)
    names = group.names.filter(own)
    day = np.arange(dated.likelihood.shape[1])
    held = (dated.first[:, None] <= day) & (day <= dated.last[:, None]) & (dated.likelihood > 0)
    at, may = np.nonzero(held)
    onsets = names[at].with_columns(day=group.days[may], likelihood=dated.likelihood[at, may])
    alarms = names.with_columns(
        day=group.days[alarm], since=group.days[dated.since], since_low=group.days[dated.first],
        since_high=group.days[dated.last],
        direction=np.where((side > 0) != turned, "up", "down"),
        before=before, after=after, low=ends[0], high=ends[1], evidence=evidence[own].max(1),
        gradual=dated.gradual, share=pl.lit(group.share),
    )  # fmt: skip
    return alarms.cast(ALARMS), onsets.cast(ONSETS)


def _days(group: _Group, evidence: Floats) -> pl.DataFrame:
    """What was expected of each day, and the evidence at its end."""
    series = group.series
    expected = series.expected(series.level[:, None])
    error = (series.high - series.low)[:, None] / 2 / BAND
    half = WIDE * np.sqrt(series.variance(expected) + error**2)
    ends = np.sort([series.as_given(expected - half), series.as_given(expected + half)], axis=0)
    low, high = np.clip(ends, 0, 1) if group.share else ends
    at, day = np.nonzero(series.known)
    shown = np.where(series.based, np.nan, evidence)[at, day]
    return group.names[at].with_columns(
        day=group.days[day], low=low[at, day], high=high[at, day],
        expected=series.as_given(expected)[at, day], evidence=pl.Series(shown).fill_nan(None),
    )  # fmt: skip


def _power(group: _Group, evidence: Floats, threshold: float) -> pl.DataFrame:
    """The least rise that would have been found soon, else at all, else the largest tried."""
    series = group.series
    if isinstance(series, Rates):
        p = np.where(series.level > 0, series.level, series.high)
        levels = np.stack([odds * p / (1 - p + odds * p) for odds in ODDS], axis=1)
    else:
        one = np.sqrt(series.within + series.spread)[:, None]
        levels = series.level[:, None] + np.array(MOVES) * one
    days = np.stack([days_to_find(series, level, threshold) for level in levels.T], axis=1)
    watched = (series.known & ~series.based).sum(1)
    soon, ever = days <= np.minimum(watched, SOON)[:, None], days <= watched[:, None]
    fits = np.where(soon.any(1, keepdims=True), soon, ever)
    seen, at = fits.any(1), np.arange(len(fits))
    pick = np.where(seen, fits.argmax(1), levels.shape[1] - 1)
    needed = days[at, pick]
    return group.names.with_columns(
        n=np.nanmedian(np.where(series.based, series.n, np.nan), axis=1), watched=watched,
        before=series.as_given(series.level), after=series.as_given(levels)[at, pick],
        days=np.where(np.isfinite(needed), needed, np.nan), evidence=evidence, seen=seen,
        share=pl.lit(group.share),
    ).cast(POWER).with_columns(pl.col("days").fill_nan(None))  # fmt: skip
