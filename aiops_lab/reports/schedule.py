"""What ``[[reports]]`` of ``lab.toml`` says is due: run once each, whoever asks and however often.

Nothing here keeps a clock: cron, a timer or CI calls ``aiops-lab report --due``. The ``verdicts``
table remembers what was done; a lock a report keeps two callers apart and ends with its process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from threading import Event

import polars as pl
from filelock import FileLock, Timeout

from aiops_lab.errors import BadSettings, LabError
from aiops_lab.files import write_text
from aiops_lab.lab import Lab
from aiops_lab.reports.notify import Undelivered, news, tell
from aiops_lab.reports.parameters import checked, read_notebook
from aiops_lab.reports.run import (
    TIME_LIMIT,
    Progress,
    Report,
    Request,
    notebook_named,
    run_reports,
    side_by_side,
)  # fmt: skip
from aiops_lab.settings import ReportRule

MOST_MISSED = 366
"""So many missed runs of a report are made up, the newest."""
LOOK_BACK = (timedelta(days=2), timedelta(days=40), timedelta(days=4 * 366 + 1))
"""How far back to look for the last time a report was due, before it ever ran."""


@dataclass(frozen=True)
class Due:
    """A run that is due: its report, the time it is for, and until when it was the newest."""

    rule: ReportRule
    at: datetime
    until: datetime


def due(rule: ReportRule, done: Sequence[datetime], now: datetime) -> list[Due]:
    """The runs of a report that are due by `now` and not done, the oldest first.

    Of a report that never ran, only the last one is due: nobody missed the others.
    """
    past = sorted(time for time in done if time <= now)
    times = _between(rule, past[-1], now) if past else _last(rule, now)
    # the run for a time sees all that came before the next one was due
    return [Due(rule, at, until) for at, until in pairwise(times) if at <= now and at not in done][
        -MOST_MISSED:
    ]


def _between(rule: ReportRule, after: datetime, now: datetime) -> list[datetime]:
    """The times due after one moment until another, and the next one then."""
    times = []
    for time in rule.after(after):
        times.append(time)
        if time > now:
            break
    return times


def _last(rule: ReportRule, now: datetime) -> list[datetime]:
    """The last time that was due, and the next one."""
    for span in LOOK_BACK:
        if len(times := _between(rule, now - span, now)) > 1:
            return times[-2:]
    return []


def next_due(rule: ReportRule, now: datetime) -> datetime | None:
    """When it is due next."""
    return next(iter(islice(rule.after(now), 1)), None)


def run_due(
    lab: Lab,
    out: Path,
    *,
    now: datetime | None = None,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
    progress: Progress | None = None,
) -> list[Report]:
    """Run every report that is due, missed ones for their own time, the oldest first.

    A report that another process is at is left to it. Killed, it goes on where it was when called
    again. Who is to be told of a verdict is told after its page is there.

    Parameters
    ----------
    lab, out, jobs, time_limit, progress
        As in `run_reports`; `progress` is told the number of the rule.
    now
        The moment to look from; by default now, and so never in a test.

    Raises
    ------
    BadSettings
        A notebook that does not exist, a parameter it does not have, or ``tell`` without what it
        needs.
    Undelivered
        Someone could not be told; all reports were made.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    rules = lab.settings.reports
    notebooks = [notebook_named(rule.notebook, lab) for rule in rules]
    for rule, notebook in zip(rules, notebooks, strict=True):
        tell(rule.tell, None)
        try:
            checked(read_notebook(notebook), rule.parameters)
        except BadSettings as error:
            raise BadSettings(f"[[reports]] {rule.name}: {error}") from None
    problems: list[str] = []
    locks = lab.path / ".schedule"
    locks.mkdir(exist_ok=True)

    def one(number: int, stopped: Event) -> list[Report]:
        rule, made = rules[number], []

        def step(_: int, cell: int, cells: int) -> None:
            if progress:
                progress(number, cell, cells)

        try:
            with FileLock(locks / f"{rule.name}.lock", timeout=0):
                for each in due(rule, _done(lab, rule.name), moment):
                    if stopped.is_set():
                        break
                    then = lab.at(each.until) if each.until <= moment else lab
                    if not then.version:  # there was nothing to report on
                        continue
                    request = Request(
                        notebooks[number], rule.parameters, rule.name, each.at, rule.kept
                    )
                    made += run_reports(
                        [request], then, out,
                        time_limit=time_limit, progress=step, stopped=stopped,
                    )  # fmt: skip
                try:
                    _tell_news(lab, rule, locks / f"{rule.name}.json", out)
                except LabError as error:  # the others are told, and this one the next time
                    problems.append(str(error))
        except Timeout:
            pass
        return made

    reports = [report for made in side_by_side(one, len(rules), jobs) for report in made]
    if problems:
        raise Undelivered(problems, reports)
    return reports


def _done(lab: Lab, name: str) -> list[datetime]:
    rows = lab.scan("verdicts").filter(pl.col("report") == name).select("as_of").unique().collect()
    return rows["as_of"].to_list()


def _tell_news(lab: Lab, rule: ReportRule, state: Path, out: Path) -> None:
    """Tell whoever wants to know what changed since they were last told."""
    rows = lab.scan("verdicts").filter(pl.col("report") == rule.name).sort("as_of", "at").collect()
    if not rule.tell or not rows.height:
        return
    last = rows.row(-1, named=True)
    before = json.loads(state.read_text())["status"] if state.exists() else "ok"
    if message := news(rule.name, before, last, out):
        tell(rule.tell, message)
    # after it was told: killed in between it is told again rather than never
    write_text(state, json.dumps({"status": last["status"], "as_of": str(last["as_of"])}))
