"""Has behaviour in production shifted, since when, in which part, and next to which change?"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.result import Result
from aiops_lab.tables import empty, schema_of
from aiops_lab.traffic.summaries import ALL, DIMENSION, PART_OF_WHOLE
from aiops_lab.verdict import Verdict
from aiops_lab.watch.changes import SEEN, change_log, version_days
from aiops_lab.watch.daily import as_date, whole_frame, without
from aiops_lab.watch.dating import likeliest
from aiops_lab.watch.event_words import event_words, verdict_of_events
from aiops_lab.watch.mix import explained, mix_shares, rest_moved
from aiops_lab.watch.shifts import detect_shifts
from aiops_lab.watch.tails import restarts, with_tails

STEPS = {
    "retrieval_score": "retrieval", "tool_error": "tool", "parse_error": "parse",
    "yaml_valid": "model", "json_valid": "model", "yaml_defect": "model", "json_defect": "model",
    "yaml_repaired": "model", "json_repaired": "model", "refusal": "model", "words": "model",
    "refusal_learned": "model", "refusal_disagreement": "model", "tokens_out": "model",
    "truncated": "model", "tokens_in": "prompt or retrieval",
    "cost_usd": "model", "latency_s": "any", "error": "any", "incomplete": "any",
    "cost_usd_p95": "model", "latency_s_p95": "any",
}  # fmt: skip
"""Metric -> the step of a request that makes it."""
BEFORE, AFTER = dt.timedelta(days=2), dt.timedelta(days=1)
"""A change counts as beside a shift if it was so long before its first possible day, or after its
last: people write down a day late."""
SLACK = dt.timedelta(days=10)
"""Slow moves are dated so roughly that what lies so near may be the same."""
AT_ONCE = dt.timedelta(days=2)
"""Steps of different metrics that lie nearer are one event."""
SPOKEN = 0.5
"""A format in which fewer answers are valid is not the one that is meant."""
FORMAT = r"^(.*)_(?:valid|repaired|defect: .*)$"
"""A metric of a format: of json_valid, json_repaired and each json_defect it is json."""
DIMENSIONS = ("slice", "language", "tenant")
TAILS = ("latency_s", "cost_usd")
"""Means of which the requests above the first days' p95 are watched too."""
EVENTS = schema_of(
    "event:int metric slice since:date since_low:date since_high:date day:date kind step headline "
    "beside alarms:int"
)


@dataclass(frozen=True)
class Behaviour(Result):
    """What behaviour did; see `watch_behaviour`.

    Attributes
    ----------
    verdict
        warn where behaviour shifted, else as `Shifts` has it; a mix that changed is told.
    events
        Alarms that began together are one event: event, metric and slice (of the clearest),
        since (the likeliest first day, given the change log too), since_low, since_high, day (of
        the first alarm), kind (shift, or mix: only the shares of slices changed), step, headline,
        beside (the change next to it, if any), alarms.
    alarms, onsets, series, power, checks
        As `Shifts` has them; alarms with their event.
    changes
        The change log: what was written down (logged) and what was seen in the traffic.
    mix
        dimension, slice, day, share: how the traffic is made up.
    versions
        Who served it, and what: see `version_days`.
    daily
        What was watched; of histograms, those of latency and of what has tails.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    events: pl.DataFrame
    alarms: pl.DataFrame
    onsets: pl.DataFrame
    series: pl.DataFrame
    power: pl.DataFrame
    checks: pl.DataFrame
    changes: pl.DataFrame
    mix: pl.DataFrame
    versions: pl.DataFrame
    daily: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def newest(self) -> dict[str, Any]:
        """The newest event; empty where there is none."""
        return self.events.row(-1, named=True) if self.events.height else {}

    @property
    def since(self) -> dt.date | None:
        """The likeliest first day of the newest event."""
        return self.newest.get("since")

    @property
    def where(self) -> str:
        """The slice in which the newest event is clearest."""
        return self.newest.get("slice", ALL)


def watch_behaviour(
    lab: Any,
    *,
    metrics: Sequence[str] | None = None,
    by: Sequence[str] = DIMENSIONS,
    tails: Sequence[str] = TAILS,
    baseline_days: int = 30,
    run_length_days: float = 1000,
    restart: Mapping[str, Any] | None = None,
    leave_out: Sequence[Any] = (),
    until: Any = None,
) -> Behaviour:
    """Watch all daily figures of a lab's traffic, and lay each shift beside the change log.

    Parameters
    ----------
    lab
        A Lab, or the table ``daily`` of any library that Narwhals knows (`summarise` makes it).
    metrics
        Those watched; all by default.
    by
        Dimensions whose slices are watched beside the whole.
    tails
        Means whose 95 % quantile is watched too: as a rate of its own, ``latency_s_p95``, of the
        requests above what it was in the baseline.
    baseline_days, run_length_days, restart, leave_out
        As `detect_shifts` takes them.
    until
        The last day looked at: what would have been said then.

    Raises
    ------
    BadSettings
        No such metric, or a table that cannot be used.

    Examples
    --------
    >>> days = pl.date_range(pl.date(2026, 4, 1), pl.date(2026, 5, 14), eager=True)
    >>> events = [15, 14, 16, 15, 13, 17, 15] * 6 + [44, 41]
    >>> daily = pl.DataFrame({"day": days, "metric": "refusal", "slice": "all", "n": 500,
    ...                       "events": events})
    >>> watch_behaviour(daily).events["beside"].to_list()
    [None]
    """
    daily, log, versions = _given(lab, tails)
    until = None if until is None else as_date(until, "until")
    daily = without(daily, leave_out)
    daily = with_tails(daily, tails, baseline_days, restart)
    daily = _chosen(daily, metrics, by, until, baseline_days)
    shifts = detect_shifts(
        daily,
        baseline_days=baseline_days,
        run_length_days=run_length_days,
        restart=restarts(daily, restart),
    )
    if until is not None:
        log = log.filter(pl.col("at").dt.date() <= until)
        versions = versions.filter(pl.col("day") <= until)
    alarms = _clustered(shifts.alarms, daily)
    events = _events(alarms, shifts.onsets, daily, log)
    return Behaviour(
        verdict_of_events(events, alarms, shifts.verdict),
        events, alarms, shifts.onsets, shifts.series, shifts.power, shifts.checks, log,
        mix_shares(daily, DIMENSIONS), versions, daily,
        {**shifts.settings, "metrics": sorted(set(daily["metric"])), "by": list(by),
         "tails": list(tails), "leave_out": sorted(map(str, leave_out)),
         "until": None if until is None else str(until)},
    )  # fmt: skip


def _given(lab: Any, tails: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The daily figures, the change log, and the versions in use by day."""
    if callable(scan := getattr(lab, "scan", None)):
        versions = version_days(scan("traffic"))
        return (
            lab.daily({"latency_s", *tails}),
            change_log(versions, lab.table("changes")),
            versions,
        )
    versions = version_days(empty("traffic"))
    return whole_frame(lab), change_log(versions), versions


def _chosen(
    daily: pl.DataFrame, metrics: Sequence[str] | None, by: Sequence[str], until: dt.date | None,
    baseline_days: int,
) -> pl.DataFrame:  # fmt: skip
    for name, given in (("metrics", metrics or ()), ("by", by)):
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise BadSettings(f"{name} is a list of names, not {given!r}")
    daily = daily.filter(pl.col("day").is_not_null())
    if until is not None:
        daily = daily.filter(pl.col("day") <= until)
    known = daily["metric"].unique().sort().to_list()
    for name in metrics or ():
        if name not in known:
            raise BadSettings(f"no metric {name!r}; there are {', '.join(known) or 'none'}")
    if metrics is None:
        of_format = pl.col("metric").str.extract(FORMAT).is_in(_not_meant(daily, baseline_days))
        daily = daily.filter(~of_format.fill_null(False))
    else:
        daily = daily.filter(pl.col("metric").is_in(list(metrics)))
    return daily.filter(~PART_OF_WHOLE | DIMENSION.is_in(list(by)))


def _not_meant(daily: pl.DataFrame, baseline_days: int) -> list[str]:
    """Formats that the first answers are not written in: JSON where they are YAML."""
    if "events" not in daily.columns or not daily.height:
        return []
    first = pl.col("day") < pl.col("day").min() + pl.duration(days=int(baseline_days))
    rows = daily.filter(pl.col("metric").str.ends_with("_valid"), first)
    valid = rows.group_by("metric").agg(pl.col("events").sum() / pl.col("n").sum())
    return valid.filter(pl.col("events") < SPOKEN)["metric"].str.strip_suffix("_valid").to_list()


def _clustered(alarms: pl.DataFrame, daily: pl.DataFrame) -> pl.DataFrame:
    """Alarms with the number of their event.

    First the slices of one metric that moved the same way are joined where the days they may have
    begun on are near each other; then, in the same slice or of the whole, metrics of one format,
    and metrics whose clearest alarms may have begun on one day. There a slow move and a step are
    never one event.
    """
    rows = alarms.with_row_index("place").sort("evidence", descending=True, maintain_order=True)
    groups: list[list[dict[str, Any]]] = []
    for row in rows.to_dicts():
        near = [g for g in groups if any(_same_course(row, other) for other in g)]
        for group in near[1:]:
            near[0] += group
            groups.remove(group)
        if near:
            near[0].append(row)
        else:
            groups.append([row])
    events: list[list[list[dict[str, Any]]]] = []
    firsts: list[list[dict[str, Any]]] = []
    for group in groups:
        first = _clearest(group, daily)
        fits = next(
            (n for same in (_of_one_format, _together) for n, event in enumerate(firsts)
             if any(same(first, other) for other in event)), None,
        )  # fmt: skip
        if fits is None:
            events.append([group])
            firsts.append([first])
        else:
            events[fits].append(group)
            firsts[fits].append(first)
    numbers = {row["place"]: n for n, event in enumerate(events) for g in event for row in g}
    order = [numbers[place] for place in rows["place"]]
    return rows.with_columns(event=pl.Series(order, dtype=pl.Int64)).drop("place").sort(
        "event", "evidence", descending=[False, True], maintain_order=True
    )  # fmt: skip


def _same_course(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two alarms of one metric may be the same move."""
    same = all(one[name] == two[name] for name in ("metric", "direction"))
    return same and _gap(one, two) <= SLACK


def _of_one_format(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two metrics are parts of one: what is valid, repaired, and of a class of defect."""
    found = [re.match(FORMAT, row["metric"]) for row in (one, two)]
    same = found[0] and found[1] and found[0][1] == found[1][1]
    return bool(same) and one["slice"] == two["slice"] and _gap(one, two) <= SLACK


def _together(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two metrics may have moved at once."""
    if one["gradual"] != two["gradual"] or one["slice"] != two["slice"]:
        return False
    if one["gradual"]:
        return _gap(one, two) <= SLACK
    return not _gap(one, two) and abs(one["since"] - two["since"]) <= AT_ONCE


def _gap(one: Mapping[str, Any], two: Mapping[str, Any]) -> dt.timedelta:
    """The days between the days that two alarms may have begun on; none where they overlap."""
    apart = max(one["since_low"], two["since_low"]) - min(one["since_high"], two["since_high"])
    return max(apart, dt.timedelta(0))


def _events(
    alarms: pl.DataFrame, onsets: pl.DataFrame, daily: pl.DataFrame, log: pl.DataFrame
) -> pl.DataFrame:  # fmt: skip
    rows = []
    for _, own in alarms.group_by("event", maintain_order=True):
        first = _clearest(own.to_dicts(), daily)
        kind, why = _kind(own, first, daily)
        may = onsets.filter(metric=first["metric"], slice=first["slice"])
        if not first["gradual"]:
            first["since"] = likeliest(may, log)
        beside = _beside(first, log)
        rows.append(
            {**first, "day": own["day"].min(), "alarms": own.height, "kind": kind, "beside": beside,
             "step": STEPS.get(first["metric"].partition(": ")[0], "model or retrieval"),
             "headline": event_words(first, own, beside, why)}
        )  # fmt: skip
    events = pl.DataFrame(rows, schema_overrides=EVENTS) if rows else pl.DataFrame(schema=EVENTS)
    return events.select(EVENTS.keys()).sort("since", "day", "event")


def _clearest(own: Sequence[dict[str, Any]], daily: pl.DataFrame) -> dict[str, Any]:
    """The alarm that tells most: of the strongest metric the whole, or the slice it moved in.

    A slice stands for it where it alone of its dimension moved, and the others did not.
    """
    rows = sorted(own, key=lambda row: -row["evidence"])
    rows = [row for row in rows if row["metric"] == rows[0]["metric"]]
    whole = [row for row in rows if row["slice"] == ALL]
    parts = [row for row in rows if row["slice"] != ALL]
    dimensions = [row["slice"].partition("=")[0] for row in parts]
    for row, dimension in zip(parts, dimensions, strict=True):
        alone = dimensions.count(dimension) == 1
        if alone and not rest_moved(daily, row["metric"], row["slice"], row["since"]):
            return row
    return (whole or rows)[0]


def _kind(
    own: pl.DataFrame, first: Mapping[str, Any], daily: pl.DataFrame
) -> tuple[str, str | None]:
    """A shift, or a mix: the whole moved, no slice did, and their shares explain most of it."""
    if first["slice"] != ALL or own["slice"].ne(ALL).any():
        return "shift", None
    share, told = explained(daily, first["metric"], first["since"])
    return ("mix", told) if share >= 0.5 else ("shift", None)


def _beside(first: Mapping[str, Any], log: pl.DataFrame) -> str | None:
    """The changes whose day fits, the nearest first, in words; None where nothing changed."""
    day = pl.col("at").dt.date()
    fits = log.filter(day.is_between(first["since_low"] - BEFORE, first["since_high"] + AFTER))
    away = (day - pl.lit(first["since"])).dt.total_days().abs()
    told = []
    nearest = fits.sort(away, "at", "name", descending=[False, False, True], maintain_order=True)
    for row in nearest.head(3).to_dicts():
        name = row["name"] or ""
        what = f"{row['artefact']} {name}".strip() if row["logged"] else name.replace("_", " ")
        was = f" {row['from_version']} to" if row["from_version"] else ""
        who = SEEN if not row["logged"] else row["author"] or "in the change log"
        told.append(f"{what}{was} {row['to_version']} on {row['at'].day} {row['at']:%b} ({who})")
    return "; ".join(told) or None
