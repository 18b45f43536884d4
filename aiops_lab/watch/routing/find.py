"""Does what a model decides follow a calendar, which inputs carry it, and where was it learned?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from aiops_lab.errors import BadSettings
from aiops_lab.result import Result
from aiops_lab.stats.calendar import PERMUTATIONS, chance, detrended
from aiops_lab.tables import polars_frame
from aiops_lab.verdict import Verdict
from aiops_lab.watch.routing import words
from aiops_lab.watch.routing.attributions import (
    DAILY,
    additivity,
    daily_attributions,
    logged_attributions,
)
from aiops_lab.watch.routing.decisions import (
    HOURS,
    SERIES,
    TRAIN,
    Decisions,
    Shares,
    by_day,
    by_hour,
    daily_shares,
    decisions_if_any,
    hourly_shares,
    read_decisions,
)
from aiops_lab.watch.routing.explained import (
    Explained,
    explain,
    key_of,
)
from aiops_lab.watch.routing.model import Chances, chances_of, imitation
from aiops_lab.watch.routing.patterns import (
    HOUR,
    KEYS,
    Pattern,
    calendars_of_days,
    calendars_of_hours,
    find_patterns,
    period_days,
)

ALPHA = 0.02
LEAST = 0.02
"""A pattern that moves a share by less is told, but nothing is to be done about it."""
MARGIN = 0.1
"""A pattern of this size has to be visible for its absence to be told."""
EXPLAINED = 3
"""Phases explained, those of the largest patterns."""
PATTERNS = pl.Schema(
    {
        **KEYS, "effect": pl.Float64, "low": pl.Float64, "high": pl.Float64, "p_value": pl.Float64,
        "on": pl.Float64, "otherwise": pl.Float64, "repetitions": pl.Int64, "since": pl.Date,
        "since_low": pl.Date, "since_high": pl.Date,
    }
)  # fmt: skip
CHECKS = pl.Schema({"check": pl.String, "status": pl.String, "detail": pl.String})


@dataclass(frozen=True)
class RoutingShifts(Result):
    """What a model's decisions follow; see `find_routing_shifts`.

    Attributes
    ----------
    verdict
        warn where a share follows a calendar by `least` or more; ok where none does and one of
        `margin` would have been found; else inconclusive, with the weeks that would settle it.
    patterns
        option, calendar, period_days, phase, effect (share in that phase minus the others'), low,
        high, p_value (corrected for all options, calendars and phases), on and otherwise (the two
        shares), repetitions, since, since_low, since_high; the largest first.
    carriers
        option, ..., phase, feature, contribution (to the model's change in share; with logged
        attributions and no model, in their unit), error, share (of the whole), p_value (corrected),
        attribution and attribution_p (mean attribution in the phase minus the others'), carries.
    interactions
        option, ..., first, second, amount: what two features add only together.
    origin
        day, option, ..., phase, failed, failed_otherwise, n, alike, z, p_value: the days that each
        pattern may have been learned on, the likeliest first.
    counterfactual
        option, ..., what, before, after, removed, low, high, holds.
    beliefs
        option, ..., feature, value, share (what the model makes of everyone with that value), on
        (how often that value is there in the phase).
    series
        day, option, n, share.
    hours
        day, hour (0 to 23, of the time zone), option, n, share (null where none was decided); only
        of options with a pattern of the hour.
    attributions
        day, metric, slice, option, feature, n, sum, sum_squares: give them to `detect_shifts`.
    checks
        check, status, detail.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    patterns: pl.DataFrame
    carriers: pl.DataFrame
    interactions: pl.DataFrame
    origin: pl.DataFrame
    counterfactual: pl.DataFrame
    beliefs: pl.DataFrame
    series: pl.DataFrame
    hours: pl.DataFrame
    attributions: pl.DataFrame
    checks: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def top(self) -> dict[str, Any]:
        """The largest pattern; empty where there is none."""
        return self.patterns.row(0, named=True) if self.patterns.height else {}


def find_routing_shifts(
    decisions: Any, attributions: Any = None, model: Any = None, *, training: Any = None,
    fit: Callable[[Any], Any] | None = None, features: Sequence[str] | None = None,
    context: Sequence[str] = (), carriers: Sequence[str] | None = None,
    periods: Sequence[int] | None = None, timezone: str = "UTC", alpha: float = ALPHA,
    least: float = LEAST, margin: float = MARGIN, permutations: int = PERMUTATIONS, seed: int = 0,
) -> RoutingShifts:  # fmt: skip
    """Find the calendar in a model's decisions, and the inputs that carry it.

    Parameters
    ----------
    decisions
        A Lab, or a table of any library that Narwhals knows: at, chosen, and if known decision_id,
        score, outcome (1 as wanted, 0 not) and ``score_OPTION``; every other column is a feature.
        A lab without decisions, but with traffic of several models, is asked what its router chose.
    attributions
        Logged ones: decision_id, feature, attribution (and option), or a column for each feature.
        Without option they explain the first option in sort order. A Lab's own by default.
    model
        Any object with ``predict_proba`` or ``predict``, or a function of a frame of features that
        returns a number for each option. It is never unpickled. Without it and attributions, a
        model of our own that imitates the choices stands for it.
    training
        The rows the model learned from: at, chosen, outcome and the features. A lab's rows whose
        ``split`` is ``train`` by default.
    fit
        Takes training rows, returns a model: then the model is fitted again without the origin.
    features, context
        Columns that are features, if not all; columns the model needs that are none.
    carriers
        Features to take for the carriers, instead of those found.
    periods
        Periods looked for, in whole days; by default 2 to 31, the days of the month and the hours.
        The verdict is only ok if a pattern of the longest one given would have been found.
    timezone
        In which days, weekdays and hours are meant, as ``Europe/Berlin``.
    alpha
        The chance that anything is named where there is no calendar, all looks together.
    least, margin
        A pattern smaller than `least` is told and needs no action; the verdict is only ok if one of
        `margin` would have been found.

    Raises
    ------
    BadSettings
        A table that cannot be used, or a model that does not answer.
    NotComputable
        No decision can be used.

    Notes
    -----
    The test permutes labels within repetitions after removing trends (`aiops_lab.stats.calendar`);
    contributions are Shapley values over the features' columns (`aiops_lab.stats.shapley`), between
    decisions of the phase and others of the same week; they add up to the model's change exactly.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> rows = [{"at": datetime(2026, 3, 2) + timedelta(hours=h), "batch": h // 24 % 7 == 1,
    ...          "chosen": "b" if h % 3 == 0 or h // 24 % 7 == 1 else "a"} for h in range(24 * 70)]
    >>> found = find_routing_shifts(pl.DataFrame(rows))
    >>> found.patterns.row(0)[:4]
    ('a', 'week', 7.0, 'Tuesday')
    >>> found.carriers.row(0, named=True)["feature"]
    'batch'
    """
    _check(alpha, least, margin, permutations)
    periods = _periods(periods)
    known = decisions_if_any(decisions, features=features, context=context, timezone=timezone)
    if isinstance(known, str):
        return _nothing(known)
    told = list(known.checks)
    logged = logged_attributions(decisions, attributions, known)
    days = pl.DataFrame(schema=DAILY)
    if logged is not None:
        days = daily_attributions(logged, known)
        if (said := additivity(logged, _scores(decisions), known.options)) is not None:
            told.append(said)
    found, blind = _found(known, periods, alpha, permutations, seed)
    patterns = _told(found, known)
    explained = Explained()
    large = _largest(found, least)
    if large and known.features:
        chances = _chances(model, known, logged, told, seed)
        learned = _training(decisions, training, known, timezone)
        with threadpool_limits(1):  # a model is asked for a thousand rows at a time
            for one in large:
                explained.add(
                    explain(one, found, known, chances, days, learned, fit, carriers, told, seed)
                )
    elif large:
        told.append(("features", "warn", "no feature was logged: nothing can be said of carriers"))
    carrying, between, origin, tried, beliefs = explained.frames()
    checks = pl.DataFrame(told, schema=CHECKS, orient="row")
    settings = {
        "options": list(known.options), "features": list(known.features), "timezone": timezone,
        "alpha": alpha, "least": least, "margin": margin, "permutations": permutations,
        "periods": periods, "seed": seed, "visible": blind,
        "days": len(known.days), "decisions": known.rows.height,
    }  # fmt: skip
    return RoutingShifts(
        words.verdict(patterns, carrying, origin, tried, settings), patterns, carrying, between,
        origin, tried, beliefs, by_day(known), _hours(known, patterns), days, checks, settings,
    )  # fmt: skip


def _nothing(why: str) -> RoutingShifts:
    """A lab without decisions is no error: a report of it says so."""
    carrying, between, origin, tried, beliefs = Explained().frames()
    return RoutingShifts(
        words.nothing(why), pl.DataFrame(schema=PATTERNS), carrying, between, origin, tried,
        beliefs, pl.DataFrame(schema=SERIES), pl.DataFrame(schema=HOURS),
        pl.DataFrame(schema=DAILY), pl.DataFrame(schema=CHECKS), {"options": [], "decisions": 0},
    )  # fmt: skip


def _largest(found: Sequence[Pattern], least: float) -> list[Pattern]:
    """The largest pattern of each phase: what one option loses then, others gain."""
    large = [one for one in found if abs(one.contrast.effect) >= least]
    first = {(one.calendar.name, one.cell): one for one in reversed(large)}
    return [one for one in large if first[one.calendar.name, one.cell] is one][:EXPLAINED]


def _check(alpha: float, least: float, margin: float, permutations: int) -> None:
    for name, value, low, high in (
        ("alpha", alpha, 0, 0.5), ("least", least, 0, 1), ("margin", margin, 0, 1),
        ("permutations", permutations, 99, 1_000_000),
    ):  # fmt: skip
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value <= high or (value <= 0 and name == "alpha"):
            raise BadSettings(f"{name} is a number between {low} and {high}, not {value!r}")


def _periods(periods: Any) -> list[int] | None:
    """Periods asked for as whole numbers, the shortest first; None if they are the usual ones."""
    if periods is None:
        return None
    given = list(periods) if isinstance(periods, Iterable) else []
    if not given or not all(
        isinstance(each, int | np.integer) and not isinstance(each, bool) and each >= 2
        for each in given
    ):
        raise BadSettings(f"periods are a list of whole days, each 2 or more, not {periods!r}")
    return sorted({int(each) for each in given})


def _scores(decisions: Any) -> pl.DataFrame:
    if callable(getattr(decisions, "scan", None)):
        return decisions.table("decisions").select("decision_id", "score")
    frame = polars_frame(decisions, "decisions are a table")
    if not {"decision_id", "score"} <= set(frame.columns):
        return pl.DataFrame()
    return frame.select(pl.col("decision_id").cast(pl.String),
                        pl.col("score").cast(pl.Float64, strict=False))  # fmt: skip


def _found(
    known: Decisions, periods: Sequence[int] | None, alpha: float, permutations: int, seed: int
) -> tuple[list[Pattern], float | None]:
    """The patterns, the largest first, and the least effect that would have been found.

    It is that of a weekday, or of a day in the longest of the periods asked for: None where there
    are too few days for it.
    """
    if len(known.options) < 2:
        return [], None
    shares = daily_shares(known)
    calendars = calendars_of_days(known.days, periods)
    hours = calendars_of_hours(len(known.days)) if periods is None else []
    families = 2 if hours else 1
    same = {"alpha": alpha, "permutations": permutations, "seed": seed, "families": families}
    found = find_patterns(shares.values, shares.n, calendars, **same)
    if hours:
        fine = hourly_shares(known)
        found += find_patterns(fine.values, fine.n, hours, **same)
    order = sorted(found, key=lambda one: (one.calendar.name == HOUR, -abs(one.contrast.effect)))
    judged = 7 if periods is None else max(periods)
    each = next((one for one in calendars if period_days(one) == judged), None)
    if each is None:
        return order, None
    # what the share of such a day has to lie apart by, in the noisiest of the options
    moved = detrended(shares.values, each.window)
    limit = np.quantile(chance(moved, each, permutations, seed), 1 - alpha / families)
    repetitions = len(known.days) / judged
    visible = (limit + 1.3) * np.nanstd(moved, axis=1).max() / np.sqrt(repetitions)
    return order, float(visible)


def _told(found: Sequence[Pattern], known: Decisions) -> pl.DataFrame:
    shares = {
        hourly: hourly_shares(known) if hourly else daily_shares(known)
        for hourly in {one.calendar.name == HOUR for one in found}
    }
    rows = []
    for one in found:
        row = key_of(one, known)
        c = one.contrast
        kept = c.values[c.since :]
        own = _otherwise(one, shares)
        first = [_day(one, known, int(c.blocks[place])) for place in
                 (c.since, c.since_low, c.since_high)]  # fmt: skip
        effect = float(kept.mean()) if c.since else c.effect
        shift = effect - c.effect
        rows.append({
            **row, "effect": effect, "low": c.low + shift, "high": c.high + shift,
            "p_value": one.p_value, "on": min(max(own + effect, 0.0), 1.0), "otherwise": own,
            "repetitions": len(c.values), **dict(zip(("since", "since_low", "since_high"), first,
                                                     strict=True)),
        })  # fmt: skip
    return pl.DataFrame(rows, schema=PATTERNS)


def _hours(known: Decisions, patterns: pl.DataFrame) -> pl.DataFrame:
    """Single hours, of the options that follow them."""
    own = patterns.filter(pl.col("calendar") == HOUR)["option"]
    return by_hour(known, own.unique().sort().to_list())


def _otherwise(one: Pattern, of: dict[bool, Shares]) -> float:
    """The share outside of the pattern's cell."""
    hourly = one.calendar.name == HOUR
    shares = of[hourly]
    rest = (one.calendar.cells != one.cell) & (shares.n > 0)
    return float(np.average(shares.values[one.place, rest], weights=None if not hourly else
                            shares.n[rest]))  # fmt: skip


def _day(one: Pattern, known: Decisions, block: int) -> Any:
    """The day of the pattern's cell in one repetition."""
    per_day = len(one.calendar.cells) // len(known.days)
    there = np.flatnonzero((one.calendar.blocks == block) & (one.calendar.cells == one.cell))
    return known.days[int(there[0]) // per_day]


def _chances(
    model: Any, known: Decisions, logged: pl.DataFrame | None, told: list[Any], seed: int
) -> Chances | None:
    if model is not None:
        return chances_of(model, known)
    if logged is not None:
        return None
    chances, explained = imitation(known, seed)
    told.append((
        "model", "ok",
        "no model was given: one of our own that imitates the choices stands for it, and explains "
        f"{explained:.0%} of what the options' shares leave open",
    ))  # fmt: skip
    return chances


def _training(
    decisions: Any, training: Any, known: Decisions, timezone: str
) -> tuple[Decisions, Any] | None:
    """The rows learned from, read and as they were given."""
    if training is None:
        if not callable(getattr(decisions, "scan", None)):
            return None
        if not decisions.table("decisions").filter(pl.col("split") == TRAIN).height:
            return None
    source = decisions if training is None else training
    read = read_decisions(source, features=known.features, timezone=timezone,
                          split=TRAIN if training is None else None)  # fmt: skip
    return read, None if training is None else training
