"""How an error budget was spent day by day, and when it will be exhausted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from aiops_lab.objectives.objective import Objective
from aiops_lab.stats.burning import scale_of, seen
from aiops_lab.stats.exhaustion import Exhaustion, exhaustion, traffic
from aiops_lab.stats.levels import Days, levels
from aiops_lab.stats.spent import Floats, bad_share
from aiops_lab.target.strata import HOUR, Strata, strata, why_not, windows

TIME = pl.Datetime("us", "UTC")
SPENT = pl.Schema({"day": TIME, **dict.fromkeys(("low", "middle", "high"), pl.Float64)})
DOWN = pl.Schema(
    {"objective": pl.String, "day": TIME, **dict.fromkeys(("spent", "low", "high"), pl.Float64)}
)
DRAWS, FEW, LONG = 1000, 400, 150
"""Draws, and those where there are more days."""
BEFORE, WINDOW_BEFORE = timedelta(days=56), timedelta(days=28)
"""How far back at most, before the period, days may tell what is to come; of a rolling window, its
own length or this."""
FEWEST = 3
"""Days with evaluations; with fewer nothing is forecast."""
DAY = 24


@dataclass(frozen=True)
class Forecast:
    """When a budget will be exhausted, or was; see `forecast`.

    Attributes
    ----------
    exhausted_on
        The median moment; None where in more than half of the draws it is not, before `until`.
    exhausted_low, exhausted_high
        The ends of the interval; None: not before `until`.
    p_exhausted
        The chance that it is by `until`.
    until
        The end of the period; of a rolling window, so long from now.
    fan
        day (its end), low, middle, high: the share of the budget spent by then.
    why
        Why there is none.
    """

    exhausted_on: datetime | None = None
    exhausted_low: datetime | None = None
    exhausted_high: datetime | None = None
    p_exhausted: float | None = None
    until: datetime | None = None
    fan: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SPENT))
    level: float = 0.8
    why: str = ""


def forecast(
    goal: Objective, counts: pl.DataFrame, at: datetime, *, level: float = 0.8, seed: int = 0
) -> Forecast:
    """When the budget of an objective will be exhausted.

    Parameters
    ----------
    goal
        Kept over a calendar's period or a rolling window.
    counts
        hour, objective, stratum, n, evaluated, bad, answers (`traffic.counts.counted`).
    at
        When, with its time zone.
    level
        Of the interval and of the fan.
    seed
        Of the draws.

    Notes
    -----
    Draws of what was bad on each day and of what will be are of `stats.levels`, where a judge's
    errors are drawn too; whole weeks of traffic are drawn of those before. Evaluations that are
    missing are taken to be as the rest of their stratum. It takes the level to move on as it has
    moved; what is to come, such as a release, it does not know.

    Examples
    --------
    >>> from datetime import UTC
    >>> from aiops_lab.objectives.objective import Duration, Window
    >>> month = Window(Duration(1, "M"), rolling=False)
    >>> days = [datetime(2026, 5, d, tzinfo=UTC) for d in range(1, 11)]
    >>> counts = pl.DataFrame({"hour": days}).with_columns(
    ...     objective=pl.lit("kind"), stratum=pl.lit("all"), n=1000, evaluated=1000,
    ...     answers=1000.0, bad=40.0)
    >>> found = forecast(Objective("kind", 0.98, window=month), counts, days[-1] + HOUR * 24)
    >>> found.exhausted_on.date(), round(found.p_exhausted, 2)
    (datetime.date(2026, 5, 16), 1.0)
    """
    why = why_not(goal)
    if not why and scale_of(goal.judge) is None:
        why = "such a judge tells too little, or has no labels"
    begin, end = goal.window.period(at)
    length = end - begin
    if length < timedelta(days=1):
        why = why or "periods of less than a day are not forecast"
    since = begin - (max(length, WINDOW_BEFORE) if goal.window.rolling else BEFORE)
    first = counts.filter(pl.col("objective") == goal.name)["hour"].min()
    known = None
    if isinstance(first, datetime) and not why:
        known = strata(goal, counts, max(since, first), at)
    if known is None:
        return Forecast(why=why or "nothing was evaluated", level=level)
    until = at + length if goal.window.rolling else end
    edges = _edges(known, None if goal.window.rolling else begin)
    days = _days(known, edges, goal.judge is not None)
    if (count := int((days.evaluated > 0).sum())) < FEWEST:
        told = f"{count} day{'s' if count != 1 else ''} with evaluations: it takes {FEWEST}"
        return Forecast(until=until, why=told, level=level)
    found = _drawn(goal, known, days, edges, begin, until, np.random.default_rng(seed))
    tail = (1 - level) / 2
    now = known.moment(int(edges[-1]) - 1)
    on, low, high = (_moment(now, found.quantile(q), until) for q in (0.5, tail, 1 - tail))
    return Forecast(
        on, low, high, float(np.mean(found.day <= (until - now) / timedelta(days=1))), until,
        _fan(found, now, tail), level,
    )  # fmt: skip


def _drawn(
    goal: Objective, known: Strata, days: Days, edges: Floats, begin: datetime, until: datetime,
    random: np.random.Generator,
) -> Exhaustion:  # fmt: skip
    """The draws; days are told from the last edge on."""
    ahead = max((until - known.moment(int(edges[-1]) - 1)) / timedelta(days=1), 0.0)
    future = np.append(np.arange(1.0, np.ceil(ahead)), ahead) if ahead > 0 else np.empty(0)
    draws = FEW if len(days.bad) > LONG else DRAWS
    found = levels(days, goal.budget, goal.judge, draws=draws, random=random)
    answers = (
        known.answers[len(known.answers) % DAY :] if len(known.answers) > DAY else days.answers
    )
    daily = answers.reshape(-1, DAY).sum(1) if len(known.answers) > DAY else answers
    more = traffic(daily, len(future), draws, random) * np.diff(future, prepend=0.0)
    bad = random.poisson(more * found.ahead(len(future), random)).astype(float)
    past = np.broadcast_to(days.answers, found.bad.shape)
    kept, rolling = slice(None), round((until - begin) / timedelta(days=2))
    if not goal.window.rolling:
        cut = round((begin - known.start) / HOUR)
        kept, rolling = slice(int(np.searchsorted(edges[:-1], cut)), None), None
    ends = np.append(((edges[1:] - edges[-1]) / DAY)[kept], future)
    return exhaustion(
        np.concatenate([past[:, kept], more], 1), np.concatenate([found.bad[:, kept], bad], 1),
        goal.budget, ends, rolling=rolling, now=len(ends) - len(future) - 1,
    )  # fmt: skip


def _edges(known: Strata, cut: datetime | None) -> Floats:
    """Where days begin and end, in hours: days back from the last hour, one cut at a moment."""
    hours = known.evaluated.shape[1]
    at = 0 if cut is None else round((cut - known.start) / HOUR)
    edges = np.append(np.arange(hours, 0, -DAY), [0, at if 0 < at < hours else 0])
    return np.unique(edges).astype(float)


def _days(known: Strata, edges: Floats, judged: bool) -> Days:
    """What was seen of each day, as of answers drawn alike."""
    starts = edges[:-1].astype(int)
    n, m = known.weight @ known.evaluated, known.weight @ known.bad
    whole = seen(known.evaluated, known.bad, known.weight, len(n))
    each = n.sum() / float(whole.effective[-1])  # for how many answers one stands
    answers, n, m = (np.add.reduceat(x, starts) for x in (known.answers, n, m))
    return Days(answers, n / each, m / each, 0.0 if judged else _counted(known, each))


def _counted(known: Strata, each: float) -> float:
    """The share c of answers that are known themselves, as of one stratum with the same error: the
    variance of what is bad, Σ w (w - 1) m, is that of each (1 - c)² + (1 - c) for each of Σ w m."""
    found, w = known.bad.sum(1), known.weight
    m = found if found.any() else known.evaluated.sum(1)
    left = float((w * (w - 1)) @ m / (w @ m))
    return float(np.clip(1 - (np.sqrt(1 + 4 * each * left) - 1) / (2 * each), 0, 1))


def _moment(now: datetime, days: float, until: datetime) -> datetime | None:
    """So many days from now; None where that is after the end."""
    if not np.isfinite(days):
        return None
    return min(now + timedelta(days=days), until)


def _fan(found: Exhaustion, now: datetime, tail: float) -> pl.DataFrame:
    ahead = found.ends >= 0
    ends = np.quantile(found.spent[:, ahead], [tail, 0.5, 1 - tail], axis=0)
    day = [now + timedelta(days=float(end)) for end in found.ends[ahead]]
    return pl.DataFrame([day, *ends], schema=SPENT)


def burn_down(
    goal: Objective, counts: pl.DataFrame, at: datetime, *, level: float = 0.95
) -> pl.DataFrame:
    """The share of a period's budget that was spent by the end of each day of it so far.

    Returns
    -------
    objective, day (its end), spent, low, high: null where it cannot be computed (`bad_share`). Of a
    rolling window, what was spent of the window that ended then.

    Examples
    --------
    >>> from datetime import UTC
    >>> days = [datetime(2026, 5, d, tzinfo=UTC) for d in range(1, 29)]
    >>> counts = pl.DataFrame({"hour": days}).with_columns(
    ...     objective=pl.lit("kind"), stratum=pl.lit("all"), n=1000, evaluated=1000,
    ...     answers=1000.0, bad=10.0)
    >>> burn_down(Objective("kind", 0.98), counts, days[-1] + HOUR * 24).height
    28
    """
    begin, end = goal.window.period(at)
    rolling = goal.window.rolling
    since = begin - (end - begin) if rolling else begin
    own = counts.filter(
        pl.col("objective") == goal.name, pl.col("hour") >= since, pl.col("hour") < min(at, end)
    )
    if why_not(goal) or own.is_empty():
        return pl.DataFrame(schema=DOWN)
    step = timedelta(days=1)
    count = int(np.ceil((min(at, end) - begin) / step))
    ends = [at - step * i for i in range(count)][::-1] if rolling else [
        min(begin + step * (i + 1), at) for i in range(count)
    ]  # fmt: skip
    spans = [(moment - (end - begin) if rolling else begin, moment) for moment in ends]
    rows = []
    for (_, moment), found in zip(spans, windows(own, spans), strict=True):
        share = bad_share(found, goal.judge, level=level)
        of = (1.0 if rolling else (moment - begin) / (end - begin)) / goal.budget
        ends_of = (share.value, share.low, share.high)
        rows.append((goal.name, moment, *(None if x is None else x * of for x in ends_of)))
    return pl.DataFrame(rows, DOWN, orient="row")
