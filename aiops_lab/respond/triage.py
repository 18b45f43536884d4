"""Which artefact caused an incident? Suspects, their evidence, and what to run next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.respond.experiments import experiment
from aiops_lab.respond.incident import Incident, incident
from aiops_lab.respond.panel import SEGMENTS, Panel, panel
from aiops_lab.respond.replayed import Replayed, replayed
from aiops_lab.respond.signatures import chance_of
from aiops_lab.respond.split import SPLIT, mix_and_within
from aiops_lab.respond.suspects import Lineup, Suspect, lineup
from aiops_lab.respond.weigh import moved, weighed
from aiops_lab.respond.words import size_words, verdict_of
from aiops_lab.result import Result
from aiops_lab.stats.exposure import Evidence
from aiops_lab.tables import empty, schema_of
from aiops_lab.verdict import Verdict

SUSPECTS = schema_of(
    "artefact name version from_version change_id at:time logged:bool probability:float evidence "
    "next_experiment n:int cost_usd:float"
)
EVIDENCE = schema_of(
    "suspect:int artefact method figure difference:float low:float high:float log_bayes:float "
    "share:bool"
)
SERIES = schema_of("at:time exposed:bool n:int value:float low:float high:float")
POINTS = 40
"""So many moments of the series at most."""
STANDARD = 1.96
CLEAR = 2.0
"""A figure is told to have moved where that is e to this power times likelier than not."""
LEAST = 0.001
"""Suspects below it are left out but for the first three and those that were replayed."""


@dataclass(frozen=True)
class Triage(Result):
    """Who may have done it; see `triage`.

    Attributes
    ----------
    verdict
        warn: somebody is named; inconclusive: undecided, or nothing that changed explains it, with
        the cheapest experiment that would settle it.
    suspects
        artefact, name, version, from_version, change_id, at, logged, probability (they add up to
        1 but for what is left out), evidence (in words), next_experiment, n and cost_usd (of it);
        the likeliest first.
    evidence
        suspect (its place), artefact, method (outcome, figure, mix, replay), figure, difference
        (exposed less not, of the same segment; of a replay new less old), low, high (95 %),
        log_bayes (how much likelier a step is than none, logarithm), share.
    split
        The move by slices: dimension, slice, share_before, share_after, before, after, mix, within;
        of a dimension mix and within add up to the move.
    series
        at (the middle), exposed (to what the first suspect did), n, value, low, high: the figure
        over time, of those exposed and of the others.
    changes
        The change log around it, logged and seen.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    suspects: pl.DataFrame
    evidence: pl.DataFrame
    split: pl.DataFrame
    series: pl.DataFrame
    changes: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def since(self) -> date | None:
        """The day it began."""
        began = self.settings.get("window")
        return datetime.fromisoformat(began[0]).date() if began else None


def triage(
    lab: Any, window: Any = None, alarm: Any = None, *, metric: str | None = None,
    where: str | None = None, changes: Any = None, before_days: float = 14,
) -> Triage:  # fmt: skip
    """Rank what may have caused an incident.

    Parameters
    ----------
    lab
        A Lab, or the table ``traffic`` of any library that Narwhals knows: at, dimensions, versions
        of artefacts, figures.
    window
        When it was: (begin, end), times or days; without an end, until the last request. Default:
        that of `alarm`.
    alarm
        A row of `Shifts.alarms` or `Behaviour.events`; by default the newest event that
        `watch_behaviour` finds.
    metric
        The figure that moved: a column of the traffic, an online score, or as an alarm names it.
    where
        The slice it moved in, ``language=de``; default: all.
    changes
        A change log (at, artefact, name, from_version, to_version); default: the lab's.
    before_days
        So many days before it are looked at.

    Notes
    -----
    Bayes' rule over the changes near by, one that nobody logged of each kind of artefact, what
    users ask, and nothing. For each the outcome and all other figures are regressed, within
    segments, on who was exposed: by the version that requests tell, else since when. Runs that
    answered the same requests with both versions of a suspect are weighed too. See
    ``docs/triage.md``.

    Raises
    ------
    BadSettings
        A window, alarm or figure that cannot be.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> at = [datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(480)]
    >>> new = [n >= 300 and n % 2 == 0 for n in range(480)]
    >>> rows = pl.DataFrame({"at": at, "prompt_version": ["v2" if x else "v1" for x in new],
    ...                      "refusal": [x and n % 8 > 0 for n, x in enumerate(new)]})
    >>> found = triage(rows, (at[300], at[-1]), metric="refusal")
    >>> found.suspects.select("artefact", "version").row(0)
    ('prompt', 'v2')
    """
    if not 1 <= before_days <= 366:
        raise BadSettings(f"before_days is 1 to 366, not {before_days:g}")
    asked = incident(lab, window, alarm, metric, where, changes, timedelta(days=before_days))
    if asked is None:
        return _nothing()
    cells = panel(asked.requests, asked.began)
    if "outcome" not in cells.figures:
        return _nothing(asked)
    found = lineup(cells, asked.changes, asked.began, asked.ended, asked.metric, asked.judged)
    move, error = moved(cells, asked.began)
    was = dict(asked.changes.select("change_id", "from_version").iter_rows())
    replays = replayed(lab, found.suspects, was, asked.metric)
    log, evidence, again = weighed(cells, found, asked.began, move, error, replays)
    order = np.argsort(-log, kind="stable")
    kept = [k for place, k in enumerate(order)
            if place < 3 or np.exp(log[k]) >= LEAST or k in replays]  # fmt: skip
    share = _is_share(asked.requests["outcome"])
    told = {
        "metric": asked.metric, "where": asked.where, "share": share, "move": move,
        "replayed": again.get(kept[0], 0.0) > CLEAR,
        "low": move - STANDARD * error, "high": move + STANDARD * error,
    }  # fmt: skip
    shares = _shares(asked.requests, cells)
    rows = _evidence(kept, found, evidence, shares)
    for place, k in enumerate(kept, 1):
        if k in again:
            rows.append(_again(place, found.suspects[k], replays[k], again[k], share))
    suspects = _suspects(kept, log, found, rows, asked, cells, move, was, replays)
    split = mix_and_within(
        asked.requests, asked.began, [n for n in SEGMENTS if n in asked.requests.columns]
    )
    settings = {
        "window": [asked.began.isoformat(), asked.ended.isoformat()], "metric": asked.metric,
        "where": asked.where, "before_days": before_days,
    }  # fmt: skip
    return Triage(
        verdict_of(suspects, told), pl.DataFrame(suspects, schema=SUSPECTS),
        pl.DataFrame(rows, schema=EVIDENCE), split, _series(cells, found, kept[0], evidence),
        asked.changes.filter(pl.col("at") >= asked.began - timedelta(days=before_days)), settings,
    )  # fmt: skip


def incident_of(lab: Any, found: Triage) -> Incident | None:
    """The incident that was triaged, with its requests; None where there was none."""
    told = found.settings
    if "window" not in told:
        return None
    before = timedelta(days=told["before_days"])
    return incident(lab, told["window"], None, told["metric"], told["where"], None, before)


def _nothing(asked: Incident | None = None) -> Triage:
    """Where there is no incident, or nothing is known of one."""
    suspects, evidence, split, series = (
        pl.DataFrame(schema=schema) for schema in (SUSPECTS, EVIDENCE, SPLIT, SERIES)
    )
    if asked is None:
        verdict = Verdict(
            "inconclusive", "There is no incident to triage: nothing alarmed.",
            next_step="Name one: window=(begin, end) and metric.",
        )  # fmt: skip
        return Triage(verdict, suspects, evidence, split, series, empty("changes"), {})
    verdict = Verdict(
        "inconclusive", f"Cannot tell who did it: {asked.metric} is not known, or never differs.",
        next_step="Score some requests of before and of after with it, or name another figure.",
    )  # fmt: skip
    told = {"metric": asked.metric, "where": asked.where}
    return Triage(verdict, suspects, evidence, split, series, asked.changes, told)


def _likeliest(suspect: Suspect, evidence: dict[str, Evidence]) -> int | None:
    """The exposure that speaks most for a suspect; None where it has none."""
    if not len(suspect.columns):
        return None
    figure = "expected" if suspect.artefact == "traffic" else "outcome"
    log = evidence.get(figure, evidence["outcome"]).log_bayes[suspect.columns]
    return int(suspect.columns[np.argmax(log)])


def _series(cells: Panel, found: Lineup, k: int, evidence: dict[str, Evidence]) -> pl.DataFrame:
    """The outcome over time, of those exposed to the first suspect and of the others."""
    best = _likeliest(found.suspects[k], evidence)
    hours = int(cells.cells["hour"].max() or 0) + 1  # pyright: ignore[reportArgumentType]
    width = next(w for w in (1, 2, 3, 6, 12, 24, 48, 96, 192, hours) if hours / w <= POINTS)
    exposed = np.zeros(cells.cells.height) if best is None else found.exposed[:, best]
    n, mean = pl.col("n:outcome"), pl.col("mean:outcome")
    start = cells.cells["at"].min()
    place = (pl.col("hour") // width) * width
    value = (n * mean).sum() / n.sum()
    half = STANDARD * (cells.variance["outcome"] / n.sum()) ** 0.5
    return (
        cells.cells.with_columns(exposed=pl.Series(exposed > 0.5)).filter(n > 0)
        .group_by("exposed", place=place)
        .agg(n=n.sum(), value=value, low=value - half, high=value + half)
        .with_columns(at=pl.lit(start) + pl.duration(hours=pl.col("place") + width / 2))
        .select(pl.col(name).cast(dtype) for name, dtype in SERIES.items()).sort("at", "exposed")
    )  # fmt: skip


def _is_share(outcome: pl.Series) -> bool:
    return bool(outcome.drop_nulls().is_between(0, 1).all())


def _shares(requests: pl.DataFrame, cells: Panel) -> dict[str, bool]:
    """Which figures are rates."""
    return {
        name: name == "expected" or _is_share(requests[name].cast(pl.Float64))
        for name in cells.figures
    }  # fmt: skip


def _evidence(
    kept: list[int], found: Lineup, evidence: dict[str, Evidence], shares: dict[str, bool]
) -> list[dict[str, Any]]:
    """What each suspect's exposure says of each figure; of a moment not known, of the likeliest."""
    rows = []
    for place, k in enumerate(kept, 1):
        suspect = found.suspects[k]
        best = _likeliest(suspect, evidence)
        if best is None:
            continue
        for name, each in evidence.items():
            value, error = float(each.difference[best]), float(each.error[best])
            if not np.isfinite([value, error]).all():
                continue
            method = {"outcome": "outcome", "expected": "mix"}.get(name, "figure")
            rows.append(
                {"suspect": place, "artefact": suspect.artefact, "method": method, "figure": name,
                 "difference": value, "low": value - STANDARD * error,
                 "high": value + STANDARD * error, "log_bayes": float(each.log_bayes[best]),
                 "share": shares[name]}
            )  # fmt: skip
    return rows


def _again(
    place: int, suspect: Suspect, one: Replayed, log_bayes: float, share: bool
) -> dict[str, Any]:
    """What the replay of a suspect says, as a row of evidence."""
    half = STANDARD * one.error
    return {
        "suspect": place, "artefact": suspect.artefact, "method": "replay", "figure": "outcome",
        "difference": one.difference, "low": one.difference - half, "high": one.difference + half,
        "log_bayes": log_bayes, "share": share,
    }  # fmt: skip


def _suspects(
    kept: list[int], log: np.ndarray, found: Lineup, rows: list[dict[str, Any]], asked: Incident,
    cells: Panel, move: float, was: dict[str, str | None], replays: dict[int, Replayed],
) -> list[dict[str, Any]]:  # fmt: skip
    costs = asked.requests["cost_usd"] if "cost_usd" in asked.requests.columns else None
    cost: Any = None if costs is None else costs.cast(pl.Float64).mean()
    made = []
    for place, k in enumerate(kept, 1):
        each = found.suspects[k]
        own = [row for row in rows if row["suspect"] == place]
        old = was.get(each.change_id) if each.change_id else None
        asks = experiment(each, old, move, cells.variance["outcome"], cost)
        made.append(
            {"artefact": each.artefact, "name": each.name, "version": each.version,
             "from_version": old, "change_id": each.change_id, "at": each.at,
             "logged": each.logged, "probability": float(np.exp(log[k])),
             "evidence": _told(each, own, replays.get(k)), "next_experiment": asks.text,
             "n": asks.n, "cost_usd": asks.cost_usd}
        )  # fmt: skip
    return made


def _told(suspect: Suspect, rows: list[dict[str, Any]], again: Replayed | None) -> str:
    """The evidence in words: the outcome, what else moved that speaks for such an artefact, and
    what its replay says."""
    by = {row["figure"]: row for row in rows if row["method"] != "replay"}
    if suspect.artefact == "nothing" or not rows:
        return "no change is needed to explain it" if suspect.artefact == "nothing" else ""
    parts = []
    if suspect.artefact == "traffic":
        row = by.get("expected")
        if row is None:
            return "nothing tells how requests are made up"
        return (f"what segments' levels of before make of today's requests: "
                f"{size_words(row)}; within segments {size_words(by['outcome'])}")  # fmt: skip
    row = by.get("outcome")
    if row is None:
        return "no request tells the figure both before and after it"
    how = "requests with the version against others of the same day" if suspect.versions else (
        "since then" if suspect.at else "since about then")  # fmt: skip
    parts.append(f"{size_words(row)}, {how}")
    others = [
        row for row in rows
        if row["method"] == "figure" and row["log_bayes"] > CLEAR
        and chance_of(row["figure"], suspect.artefact) > 0.1
    ]  # fmt: skip
    others.sort(key=lambda row: -row["log_bayes"])
    if others:
        parts.append("with it moved " + ", ".join(row["figure"] for row in others[:3]))
    if again is not None:
        row = next(row for row in rows if row["method"] == "replay")
        parts.append(f"{size_words(row)} when {again.n:,} requests were answered with both")
    return "; ".join(parts)
