"""What an incident is: a figure that moved, since when, where, and the requests around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.tables import SCHEMAS, TIME, conform, empty, in_utc, polars_frame
from aiops_lab.traffic.summaries import ALL, in_slice
from aiops_lab.watch.changes import change_log, version_days
from aiops_lab.wording import day_words

LONGEST = timedelta(days=14)
"""So much of an incident is looked at, unless its alarm took longer."""
RENAMED = {"error": "failed"}
FORMS = frozenset({"json", "yaml", "refusal"})
"""Figures whose names begin so are parts of one."""


@dataclass(frozen=True)
class Incident:
    """An incident and its requests.

    `requests` are the canonical traffic with `outcome`, the figure that moved; `changes` the
    change log, logged and seen; `judged` tells that the figure is somebody's score.
    """

    metric: str
    where: str
    began: datetime
    ended: datetime
    requests: pl.DataFrame
    changes: pl.DataFrame
    judged: bool


def incident(
    lab: Any, window: Any, alarm: Any, metric: str | None, where: str | None, changes: Any,
    before: timedelta,
) -> Incident | None:  # fmt: skip
    """What is asked for; None where nothing is: no alarm is there.

    Raises
    ------
    BadSettings
        A window that ends before it begins, an alarm without metric and day, no such figure, or
        no requests.
    """
    scan = getattr(lab, "scan", None)
    if isinstance(window, (tuple, list)) and len(window) == 2 and window[0] is window[1] is None:
        window = None
    if window is None and alarm is None:
        if scan is None:
            raise BadSettings("requests without a lab need window=(begin, end) and metric")
        alarm = _newest(lab)
        if alarm is None:
            return None
    if alarm is not None:
        metric, where, window = _of_alarm(alarm, metric, where, window)
    if metric is None:
        raise BadSettings("name the figure that moved: metric='refusal', or give an alarm")
    if scan is not None:
        traffic = scan("traffic")
        names = [metric, metric.partition(": ")[0]]
        scores = scan("evaluations").filter(pl.col("metric").is_in(names)).collect()
        changes = lab.table("changes") if changes is None else changes
    else:
        traffic, scores = polars_frame(lab, "requests are a table, or a lab").lazy(), None
    have = traffic.collect_schema()
    if "at" not in have.names():
        raise BadSettings(f"requests need a column at; the columns are {', '.join(have.names())}")
    traffic = traffic.with_columns(pl.col("at").cast(TIME) if have["at"] != TIME else pl.col("at"))
    began, ended = _window(window, traffic)
    ended = min(ended, began + max(LONGEST, _found_after(alarm)))
    own = pl.col("at").is_between(began - before, ended)
    rows = in_slice(traffic.filter(own), where).collect()
    rows = with_outcome(rows, metric, scores)
    if not rows.height:
        raise BadSettings(f"there are no requests between {day_words(began - before)} and "
                          f"{day_words(ended)}{f' in {where}' if where else ''}")  # fmt: skip
    written = empty("changes") if changes is None else _changes(changes)
    log = change_log(version_days(traffic.filter(own)), written)
    judged = metric not in SCHEMAS["traffic"] and metric not in RENAMED and not _by_users(scores)
    return Incident(metric, where or ALL, began, ended, rows, log, judged)


def _found_after(alarm: Any) -> timedelta:
    """How long an alarm took from the likeliest first day."""
    if isinstance(alarm, Mapping) and alarm.get("day") and alarm.get("since"):
        return timedelta(days=(alarm["day"] - alarm["since"]).days + 7)
    return timedelta(0)


def _by_users(scores: pl.DataFrame | None) -> bool:
    """Whether a score is what users said, not what a judge did."""
    if scores is None or not scores.height:
        return False
    return bool((scores["scorer_kind"] == "human").any())


def _changes(given: Any) -> pl.DataFrame:
    frame = polars_frame(given, "changes are a table")
    if missing := {"at", "artefact"} - set(frame.columns):
        raise BadSettings(f"a change log has at and artefact; {min(missing)} is missing")
    if "change_id" not in frame.columns:
        frame = frame.with_row_index("change_id")
    return conform(frame, "changes")


def _newest(lab: Any) -> Mapping[str, Any] | None:
    from aiops_lab.watch.behaviour import watch_behaviour

    return watch_behaviour(lab).newest or None


def _of_alarm(
    alarm: Any, metric: str | None, where: str | None, window: Any
) -> tuple[str, str | None, Any]:
    """The figure, the slice and the window that an alarm or event tells."""
    row = alarm.row(-1, named=True) if isinstance(alarm, pl.DataFrame) and alarm.height else alarm
    if not isinstance(row, Mapping) or not {"metric", "since"} <= set(row):
        raise BadSettings("an alarm is a row of Shifts.alarms or Behaviour.events: metric, slice, "
                          "since, day")  # fmt: skip
    if window is None:
        window = (row["since"], None)
    return metric or row["metric"], where or row.get("slice"), window


def _window(window: Any, traffic: pl.LazyFrame) -> tuple[datetime, datetime]:
    """Begin and end; without an end, that of the requests."""
    if isinstance(window, (str, date)):
        window = (window, None)
    if not isinstance(window, (tuple, list)) or len(window) != 2 or window[0] is None:
        raise BadSettings("a window is (begin, end): times, days or texts such as 2026-05-12")
    last = traffic.select(pl.col("at").max()).collect().item()
    if last is None:
        raise BadSettings("no request tells when it was")
    began, ended = (None if x is None else moment(x) for x in window)
    if isinstance(window[1], date) and not isinstance(window[1], datetime) and ended:
        ended += timedelta(days=1)
    ended = min(ended or last, last)
    assert began is not None
    if ended <= began:
        raise BadSettings(
            f"the window ends {day_words(ended)} {ended:%H:%M}, not after it begins "
            f"{day_words(began)} {began:%H:%M} (the last request: {day_words(last)} {last:%H:%M})"
        )
    return began, ended


def moment(value: Any) -> datetime:
    """A time out of a time, a day, or a text; without a zone it is UTC.

    Raises
    ------
    BadSettings
        It is none.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise BadSettings(
                f"{value!r} is no time such as 2026-05-12 or 2026-05-12T10:00"
            ) from None
    if isinstance(value, datetime):
        return in_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise BadSettings(f"{value!r} is no time")


def with_outcome(
    rows: pl.DataFrame, metric: str, scores: pl.DataFrame | None
) -> pl.DataFrame:  # fmt: skip
    """The requests with the figure that moved, and without what it is made of."""
    if "status" in rows.columns:
        rows = rows.with_columns(failed=pl.col("status") == "error")
    base, between, label = metric.partition(": ")
    name = RENAMED.get(metric, metric.removesuffix("_p95"))
    same: set[str] = set()
    if name in rows.columns:
        same = {name, *(c for c in rows.columns if c.split("_")[0] == name.split("_")[0] in FORMS)}
        rows = rows.with_columns(outcome=pl.col(name).cast(pl.Float64, strict=False))
    elif between and base in rows.columns:
        same = {c for c in rows.columns if c.split("_")[0] == base.split("_")[0] in FORMS}
        rows = rows.with_columns(outcome=(pl.col(base) == label).cast(pl.Float64))
    elif scores is not None and scores.height:
        exact = scores.filter(metric=metric)
        if exact.height:
            told = exact.group_by("trace_id").agg(outcome=pl.col("value").last())
        else:
            is_label = (pl.col("label") == label).cast(pl.Float64)
            told = scores.group_by("trace_id").agg(outcome=is_label.max())
        rows = rows.join(told, on="trace_id", how="left", maintain_order="left")
    else:
        known = [n for n, d in rows.schema.items() if d.is_numeric() or d == pl.Boolean]
        raise BadSettings(f"no figure {metric!r}; there are {', '.join(sorted(known))}")
    return rows.drop(same)
