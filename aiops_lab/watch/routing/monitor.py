"""Did shares, outcomes or attributions of decisions leave their baseline, and which moved first?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from aiops_lab.result import Result
from aiops_lab.stats.calendar import Bools, Floats, Integers
from aiops_lab.stats.clear import clear_by
from aiops_lab.verdict import Verdict
from aiops_lab.watch.daily import KEY
from aiops_lab.watch.routing import monitor_words as words
from aiops_lab.watch.routing.attributions import (
    DAILY,
    attributions_of,
    daily_attributions,
    logged_attributions,
)
from aiops_lab.watch.routing.decisions import DAY, Decisions, daily_shares, decisions_if_any
from aiops_lab.watch.shifts import CHECKS, Shifts, detect_shifts

Row = dict[str, Any]

SHARE, OUTCOME, ATTRIBUTION = words.SHARE, words.OUTCOME, words.ATTRIBUTION
PER_DAY = 30
LEAST = {SHARE: 0.02, OUTCOME: 0.02, ATTRIBUTION: 0.1}
"""A shift of less is told and needs no action: of a share; of an attribution, in `size`."""
SETTLED = 4.0
"""Standard errors by which a shift has to lie apart where days follow each other; else it is a
wander, which the next weeks will settle."""
SINGLE = 0.01
"""The chance that any single day is named where none lies apart."""
AROUND = 4
"""A day is held against those of its weekday in so many weeks before and after it."""
FEWEST = 4
"""So many of them have to be there."""
TAIL = 20
"""Days have heavier tails than the normal distribution: Student's t with so many degrees."""
WIDE = 1.96
LATELY = 7
"""So many days are what is told as now."""
EVENTS = pl.Schema(
    {
        **dict.fromkeys(("what", "option", "feature", "kind"), pl.String),
        **dict.fromkeys(("day", "since", "since_low", "since_high"), pl.Date),
        **dict.fromkeys(("before", "after", "low", "high", "now", "evidence", "size"), pl.Float64),
        **dict.fromkeys(("share", "minor", "early"), pl.Boolean),
    }
)  # fmt: skip
DAILY_DECISIONS = pl.Schema({**DAILY, "events": pl.Int64})


@dataclass(frozen=True)
class DecisionShifts(Result):
    """What left its baseline; see `watch_decisions`.

    Attributes
    ----------
    verdict
        warn where a share, an outcome or an attribution shifted; ok where none did and a shift
        worth knowing would have been found; else inconclusive. Single days are told, no more.
    events
        what (share, outcome, attribution), option, feature, kind (step, drift, day; wander: no more
        than days that follow each other do of themselves), day (of the alarm), since, since_low,
        since_high, before, after (until the alarm), low, high (95 % interval of after less before),
        now (the mean of the last 7 days), evidence, size (of after less before; of attributions in
        standard deviations of what all features together add to a decision), share (it is one),
        minor (too small to act on, or a wander), early (an attribution moved by no minor size, and
        neither the share nor the outcomes of its option did). Early warnings first, then the
        clearest.
    series
        metric, slice, day, value, low, high, expected, evidence: as `detect_shifts` has them.
    power, checks
        As `detect_shifts` has them.
    daily
        day, metric, slice, option, feature, n, events, sum, sum_squares: what was watched.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    events: pl.DataFrame
    series: pl.DataFrame
    power: pl.DataFrame
    checks: pl.DataFrame
    daily: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def watch_decisions(
    decisions: Any, attributions: Any = None, model: Any = None, *,
    features: Sequence[str] | None = None, context: Sequence[str] = (), timezone: str = "UTC",
    baseline_days: int = 30, run_length_days: float = 1000,
    restart: Mapping[str, Any] | None = None, leave_out: Sequence[Any] = (),
    per_day: int = PER_DAY, seed: int = 0,
) -> DecisionShifts:  # fmt: skip
    """Watch each option's share and outcomes, and each feature's daily mean attribution.

    An attribution that shifts while shares and outcomes do not is an early warning: the inputs
    changed, or the model does for other reasons what it did before.

    Parameters
    ----------
    decisions, attributions, model, features, context, timezone
        As `aiops_lab.find_routing_shifts` takes them. Where no attributions are logged, `per_day`
        decisions of each day are attributed by the model; without one, shares and outcomes alone
        are watched.
    baseline_days, run_length_days, restart, leave_out
        As `aiops_lab.detect_shifts` takes them, over all series watched together. In `restart` the
        metrics are share, outcome and attribution, the slices read ``option=a`` and
        ``option=a, feature=x``.

    Raises
    ------
    BadSettings
        A table that cannot be used, or a model that does not answer.
    NotComputable
        No decision of a table can be used; a lab without decisions has an inconclusive verdict.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> start = datetime(2026, 3, 2)
    >>> rows = [{"at": start + timedelta(hours=h), "chosen": "ab"[h % (3 if h < 1200 else 2) > 0]}
    ...         for h in range(24 * 80)]
    >>> found = watch_decisions(pl.DataFrame(rows))
    >>> found.events.select("what", "option", "kind", "since").row(0)
    ('share', 'a', 'step', datetime.date(2026, 4, 21))
    """
    known = decisions_if_any(decisions, features=features, context=context, timezone=timezone)
    if isinstance(known, str):
        return _nothing(known)
    logged = logged_attributions(decisions, attributions, known)
    if logged is None and model is not None:
        logged = attributions_of(model, known, per_day=per_day, seed=seed)
    daily = daily_decisions(known, logged)
    singles = _single_days(known)
    shifts = detect_shifts(
        _without(daily, singles), baseline_days=baseline_days, run_length_days=run_length_days,
        restart=restart, leave_out=leave_out,
    )  # fmt: skip
    events = _events(shifts, daily, singles, _spreads(logged))
    checks = _checks(known, logged, shifts)
    settings = {
        **shifts.settings, "timezone": timezone, "options": list(known.options),
        "per_day": per_day, "seed": seed, "attributed": logged is not None,
    }  # fmt: skip
    verdict = words.verdict(events, shifts.verdict)
    return DecisionShifts(verdict, events, shifts.series, shifts.power, checks, daily, settings)


def _nothing(why: str) -> DecisionShifts:
    return DecisionShifts(
        words.nothing(why), pl.DataFrame(schema=EVENTS), pl.DataFrame(), pl.DataFrame(),
        pl.DataFrame(schema=CHECKS), pl.DataFrame(schema=DAILY_DECISIONS), {"options": []},
    )  # fmt: skip


def daily_decisions(known: Decisions, attributions: pl.DataFrame | None = None) -> pl.DataFrame:
    """Shares, outcomes and mean attributions by the day, as the table ``daily`` has them.

    Of two options the share of one says all; so do its attributions.

    Returns
    -------
    pl.DataFrame
        day, metric (share, outcome, attribution), slice (option=..., feature=...), option,
        feature, n, sum, sum_squares, events.
    """
    told = known.options if len(known.options) > 2 else known.options[:1]
    shares = daily_shares(known)
    counted = shares.n > 0
    days = pl.Series(known.days).filter(pl.Series(counted))
    parts = [
        pl.DataFrame(
            {"day": days, "metric": SHARE, "option": option,
             "n": shares.n[counted],
             "events": np.rint(shares.values[place] * shares.n)[counted].astype(np.int64)}
        )
        for place, option in enumerate(known.options)
        if option in told
    ]  # fmt: skip
    parts.append(_outcomes(known))
    if attributions is not None:
        own = attributions.filter(pl.col("option").is_in(told))
        parts.append(daily_attributions(own if own.height else attributions, known))
    rows = pl.concat(parts, how="diagonal_relaxed")
    missing = [pl.lit(None).alias(name) for name in DAILY_DECISIONS if name not in rows.columns]
    named = rows.with_columns(missing).with_columns(
        slice=pl.coalesce("slice", pl.format("option={}", "option"))
    )
    return named.select(pl.col(c).cast(kind) for c, kind in DAILY_DECISIONS.items())


def _outcomes(known: Decisions) -> pl.DataFrame:
    """How decisions for each option ended: as a rate where all are 0 or 1, else as a mean."""
    rows = known.rows.filter(pl.col("outcome").is_finite())
    value = pl.col("outcome")
    truth = rows.select(value.is_in([0.0, 1.0]).all()).item()
    days = rows.group_by(day=DAY, option="chosen").agg(
        n=pl.len(), sum=value.sum(), sum_squares=(value**2).sum()
    )
    events = pl.col("sum") if truth else pl.lit(None)
    return days.sort("option", "day").with_columns(
        events=events.cast(pl.Int64), metric=pl.lit(OUTCOME)
    )


def _without(daily: pl.DataFrame, singles: Sequence[Row]) -> pl.DataFrame:
    """Without the shares of single days, told as such: one odd day is no step."""
    odd = pl.DataFrame(singles, schema={"day": pl.Date, "option": pl.String})
    share = pl.col("metric") == SHARE
    kept = daily.filter(share).join(odd, on=["day", "option"], how="anti", maintain_order="left")
    return pl.concat([kept, daily.filter(~share)])


def _spreads(attributions: pl.DataFrame | None) -> dict[str, float]:
    """How far decisions differ in what all features together add for an option."""
    if attributions is None:
        return {}
    each = attributions.group_by("option", "decision_id").agg(pl.col("attribution").sum())
    return dict(each.group_by("option").agg(pl.col("attribution").std()).iter_rows())


def _events(
    shifts: Shifts, daily: pl.DataFrame, singles: Sequence[Row], spreads: Mapping[str, float]
) -> pl.DataFrame:
    names = daily.select("metric", "slice", "option", "feature").unique()
    rows = (
        shifts.alarms.join(names, on=KEY, how="left", maintain_order="left")
        .join(_lately(shifts), on=KEY, how="left", maintain_order="left")
        .with_columns(what=pl.col("metric"))
        .to_dicts()
    )
    kinds = _kinds(shifts)
    for row in rows:
        row["kind"] = kinds[row["metric"], row["slice"]]
        rate = 1.0 if row["share"] else None
        spread = spreads.get(row["option"]) if row["what"] == ATTRIBUTION else rate
        row["size"] = abs(row["after"] - row["before"]) / spread if spread else None
        small = row["size"] is not None and row["size"] < LEAST[row["what"]]
        row["minor"] = small or row["kind"] == "wander"
    moved = {row["option"] for row in rows if row["what"] != ATTRIBUTION}
    for row in rows:
        own = row["what"] == ATTRIBUTION and row["option"] not in moved
        row["early"] = own and not row["minor"]
    rows += singles
    found = pl.DataFrame([{name: row.get(name) for name in EVENTS} for row in rows], schema=EVENTS)
    order = [~pl.col("early"), pl.col("minor"), pl.col("kind") == "day", -pl.col("evidence")]
    return found.sort(*order, -pl.col("size"), nulls_last=True, maintain_order=True)


def _lately(shifts: Shifts) -> pl.DataFrame:
    """What each series is now: the mean of its last days."""
    days = shifts.series.sort("day").group_by(KEY, maintain_order=True)
    return days.agg(now=pl.col("value").tail(LATELY).mean())


def _kinds(shifts: Shifts) -> dict[tuple[str, str], str]:
    """What each alarm's shift is by all days seen since: a step, a drift, or a mere wander."""
    days = shifts.series.select("metric", "slice", "day", "value")
    told = shifts.alarms.select("metric", "slice", "since")
    rows = days.join(told, on=KEY, maintain_order="left").drop_nulls("value")
    found = {}
    for (metric, where), own in rows.group_by(KEY, maintain_order=True):
        since = (own["day"] - own["since"]).dt.total_days().to_numpy()
        weekday, values = own["day"].dt.weekday().to_numpy(), own["value"].to_numpy()
        weekdays = (weekday[:, None] == np.unique(weekday)).astype(float)
        shapes = [since >= 0, np.clip(since + 1, 0, None)]
        (all_errors,), (left,) = clear_by(values, shapes, weekdays, [len(values) - 1])
        errors, kind = all_errors[left.argmin()], ("step", "drift")[left.argmin()]
        found[metric, where] = kind if errors >= SETTLED else "wander"
    return found


def _single_days(known: Decisions) -> list[Row]:
    """Days on which a share lay apart from its own weekday, and from the days beside it."""
    if len(known.options) < 2:
        return []
    shares = daily_shares(known)
    usual, z, scale = apart(shares.values, shares.n)
    rows = []
    for place, at in zip(*np.nonzero(single(z)), strict=True):
        day, value = known.days[at], float(shares.values[place, at])
        by, half = value - usual[place, at], WIDE * scale[place, at]
        rows.append({
            "what": SHARE, "option": known.options[place], "kind": "day", "day": day, "since": day,
            "since_low": day, "since_high": day, "before": float(usual[place, at]), "after": value,
            "low": float(by - half), "high": float(by + half), "evidence": None,
            "size": float(abs(by)), "share": True, "minor": bool(abs(by) < LEAST[SHARE]),
            "early": False,
        })  # fmt: skip
    return rows


def apart(values: Floats, n: Integers) -> tuple[Floats, Floats, Floats]:
    """What each day's share is expected to be, how far it lies apart in deviations, and those.

    Expected is the median of the same weekday in the weeks before and after. The deviation is that
    of counting, or where days differ more the median of what is seen.
    """
    weeks = [w for w in range(-AROUND, AROUND + 1) if w]
    beside = np.stack([_later(values, 7 * w) for w in weeks])
    enough = (~np.isnan(beside)).sum(axis=0) >= FEWEST
    usual = np.full(values.shape, np.nan)
    usual[enough] = np.nanmedian(beside[:, enough], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # a share that is never seen is one of half a decision
        p = np.clip(usual, 0.5 / np.maximum(n, 1), 1 - 0.5 / np.maximum(n, 1))
        counting = np.sqrt(p * (1 - p) / np.where(n > 0, n, np.nan))
    z = (values - usual) / counting
    seen = ~np.isnan(z)
    wide = np.ones(len(z))
    for place in np.flatnonzero(seen.any(axis=1)):
        middle = np.median(np.abs(z[place, seen[place]]))
        wide[place] = max(1.0, middle / stats.norm.ppf(0.75))
    return usual, z / wide[:, None], counting * wide[:, None]


def single(z: Floats) -> Bools:
    """Which days lie apart from their weekday and from both neighbours, all looks together."""
    seen = ~np.isnan(z)
    if not seen.any():
        return seen
    limit = stats.t.isf(SINGLE / 2 / seen.sum(), TAIL)
    sign = np.sign(z)
    neighbours = np.stack([sign * _later(z, by) for by in (-1, 1)])
    nearest = np.nan_to_num(np.maximum(neighbours, 0), nan=0.0).max(axis=0)
    return seen & (np.abs(z) - nearest >= limit)


def _later(values: Floats, by: int) -> Floats:
    """Values of so many days later; NaN beyond the ends."""
    moved = np.full(values.shape, np.nan)
    if by > 0:
        moved[:, :-by] = values[:, by:]
    else:
        moved[:, -by:] = values[:, :by]
    return moved


def _checks(known: Decisions, logged: pl.DataFrame | None, shifts: Shifts) -> pl.DataFrame:
    told = [(None, None, *each) for each in known.checks]
    if logged is None:
        told.append((None, None, "attributions", "inconclusive",
                     "none were logged and no model was given: only shares and outcomes are "
                     "watched"))  # fmt: skip
    return pl.concat([pl.DataFrame(told, schema=CHECKS, orient="row"), shifts.checks])
