"""Langfuse's traces of production, fetched a day at a time, and read from these snapshots.

``langfuse-traces:2026-10-01`` is all that began on that day (UTC) or later. A day is asked for
again while it is recent, as observations come late and scores later still; an observation counts
as finished an hour after it began. Servers without observations v2 and scores v3 are read trace
by trace. After a first line, each line is an observation, a score, or a trace with both, as given.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.sources.contract import Batch, Mapping, Source
from aiops_lab.sources.jsonio import compact, decode, lines
from aiops_lab.sources.langfuse import (
    OBJECTS,
    first,
    kind_of,
    subject_of,
    text_of,
    times_of,
    tokens_of,
    usd_of,
    value_of,
    version_of,
)
from aiops_lab.sources.langfuse_api import OBSERVATIONS, serving
from aiops_lab.sources.rows import Rows, noting, number, when
from aiops_lab.sources.server import Record, Server, quoted, write
from aiops_lab.sources.traces.names import KINDS, WORDS
from aiops_lab.tables import digest

MARK = b'{"aiops_lab":"langfuse-traces 1"'
SETTLED = timedelta(hours=1)
"""So long after its beginning an observation is taken to be finished."""
RECENT = timedelta(days=7)
"""A day is asked for again until so long after its end."""
STEPS = {**KINDS, "GENERATION": "model", "EVENT": "other"}
"""Types of observations that tell a step; of the others the name does."""
TOLD = {
    "type": "langfuse.observation.type",
    "environment": "deployment.environment.name",
    "release": "release",
    "version": "langfuse.version",
    "userId": "user.id",
    "sessionId": "session.id",
    "tags": "tag.tags",
    "traceName": "langfuse.trace.name",
    "modelParameters": "llm.invocation_parameters",
    "statusMessage": "otel.status_description",
}
"""Field of a record -> the attribute that it becomes."""


def fetch(
    name: str,
    folder: Path,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    wait: Callable[[float], None] = time.sleep,
    now: datetime | None = None,
) -> list[Path]:
    """Fetch the days from `name` on into snapshots in `folder`; those long past only once.

    Raises
    ------
    BadSettings
        The name is no day, or keys are missing or refused.
    LabError
        The package is not installed, or the server does not answer.
    """
    from filelock import FileLock

    try:
        begun = date.fromisoformat(name)
    except ValueError:
        raise BadSettings(
            f"langfuse-traces:{name} names no day; write langfuse-traces:2026-10-01"
        ) from None
    until = ((now or datetime.now(UTC)) - SETTLED).replace(minute=0, second=0, microsecond=0)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        server = serving(folder / ".partial", f"traces {begun}", wait)
        project = digest(compact([server.url, os.environ["LANGFUSE_PUBLIC_KEY"]]))[:12]
        paths, days = [], (until.date() - begun).days + 1
        for nth in range(days):
            start = datetime.combine(begun + timedelta(days=nth), datetime.min.time(), UTC)
            end = min(start + timedelta(days=1), until)
            path = folder / f"traces-{project}-{start:%Y-%m-%d}.jsonl"
            if progress:
                progress(f"traces of {start:%Y-%m-%d}", nth, days)
            if start < end and not _is_final(path):
                write(path, _day(server, start, end, until - end >= RECENT), server.kept)
            if path.exists():
                paths.append(path)
        server.forget()
    return paths


def _is_final(path: Path) -> bool:
    """Whether a snapshot was made when its day was long past."""
    return path.exists() and decode(next(lines(path), (1, b"{}"))[1], OBJECTS).get("final") is True


def _day(server: Server, start: datetime, end: datetime, final: bool) -> Iterator[str]:
    """The lines of one snapshot."""
    yield compact({"aiops_lab": "langfuse-traces 1", "day": f"{start:%Y-%m-%d}", "final": final})
    low, high = (moment.isoformat().replace("+00:00", "Z") for moment in (start, end))
    asked: Record = {"fromStartTime": low, "toStartTime": high, "fields": OBSERVATIONS}
    for page in server.pages("v2/observations", **asked):
        if page is None:
            yield from _older(server, fromTimestamp=low, toTimestamp=high)
            return
        yield from (compact({"observation": one}) for one in page)
    asked = {"fromTimestamp": low, "toTimestamp": high, "fields": "details,subject,annotation"}
    scores = server.listing("v3/scores", **asked)
    if scores is None:
        del asked["fields"]
        scores = server.listing("v2/scores", numbered=True, **asked) or []
    scores.sort(key=lambda one: (str(one.get("timestamp")), str(one.get("id"))))
    yield from (compact({"score": one}) for one in scores)  # of two of one name the last counts


def _older(server: Server, **asked: Any) -> Iterator[str]:
    listed = server.listing("traces", numbered=True, orderBy="timestamp.asc", **asked) or []
    for one in listed:
        if trace := server.get(f"traces/{quoted(str(one.get('id')))}"):
            yield compact({"trace": trace})


def sniff(path: Path, head: bytes) -> bool:
    """Whether this is a snapshot of traces."""
    return head.startswith(MARK)


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read the snapshot of one day."""
    rows, traces = Rows(), dict[str, str]()
    for at, raw in lines(path):
        with noting(rows.problem, f"line {at}", "a Langfuse record"):
            line = decode(raw, OBJECTS, f"line {at}")
            if not line.keys() & {"aiops_lab", "observation", "score", "trace"}:
                raise BadSource("neither an observation, a score nor a trace")
            for kind, record in _records(line):
                if kind == "score":
                    rows.add("evaluations", **_evaluation(record, traces))
                else:
                    span = _span(record, texts)
                    traces[span["span_id"]] = span["trace_id"]
                    rows.add("spans", **span)
        if rows.full:
            yield rows.batch()
    yield rows.batch()


def _records(line: Record) -> Iterator[tuple[str, Record]]:
    """The observations and scores of a line; a trace is the parent of those that have none."""
    for kind in ("observation", "score"):
        if kind in line:
            yield kind, line[kind]
    if "trace" in line:
        trace = line["trace"]
        observations = trace.get("observations") or []
        ends = [end for one in observations if (end := times_of(one)[1])]
        whole = {
            **{
                name: value
                for name, value in trace.items()
                if name not in ("observations", "scores")
            },
            "traceId": trace["id"],
            "startTime": trace.get("timestamp"),
            "endTime": max(ends).isoformat() if ends else None,
        }
        yield "observation", whole
        for one in observations:
            parent = first(one.get("parentObservationId"), trace["id"])
            yield "observation", {"traceId": trace["id"], **one, "parentObservationId": parent}
        for one in trace.get("scores") or []:
            yield "score", {"traceId": trace["id"], **one}


def _span(record: Record, texts: bool) -> Record:
    begun, ended = times_of(record)
    if not record.get("traceId") or not record.get("id"):
        raise BadSource("an observation without an id of its own or of its trace")
    name = text_of(record.get("name"))
    spoken = (step for step, word in WORDS if word.search((name or "").lower()))
    return {
        "trace_id": str(record["traceId"]),
        "span_id": str(record["id"]),
        "parent_id": text_of(record.get("parentObservationId")),
        "step": STEPS.get(str(record.get("type"))) or next(spoken, "other"),
        "name": name,
        "started_at": begun,
        "duration_s": (ended - begun).total_seconds()
        if begun and ended and ended >= begun
        else None,
        "status": "error" if record.get("level") == "ERROR" else "ok",
        "model_served": text_of(record.get("model")),
        "prompt_version": version_of(record) if record.get("promptName") else None,
        "tokens_in": tokens_of([record], "input"),
        "tokens_out": tokens_of([record], "output"),
        "cost_usd": usd_of(record) or None,
        "attributes": compact(_attributes(record)),
        **({side: text_of(record.get(side)) for side in ("input", "output")} if texts else {}),
    }


def _attributes(record: Record) -> dict[str, Any]:
    """What there is beside the columns; of metadata that OpenTelemetry wrote what it held."""
    metadata = record.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {"metadata": metadata}
    inner, sender = metadata.pop("attributes", None), metadata.pop("resourceAttributes", None)
    metadata |= inner if isinstance(inner, dict) else {"attributes": inner}
    told = {theirs: record.get(name) for name, theirs in TOLD.items()}
    found = {**metadata, **told, "otel.resource": sender}
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def _evaluation(score: Record, traces: dict[str, str]) -> Record:
    """A score as a row; one of something that is no trace is refused."""
    subject = score.get("subject") or {}
    if subject.get("kind") == "trace":
        trace_id = subject["id"]
    else:
        trace_id = first(
            score.get("traceId"), subject.get("traceId"), traces.get(str(subject_of(score)))
        )
    told = f"score {score.get('name')!r}: {text_of(score.get('value'))!s:.100}"
    if score.get("dataType") == "CORRECTION":
        raise BadSource(f"a correction is not a score; {told}")
    if not trace_id or not score.get("name"):
        raise BadSource(f"it is of no trace in this snapshot, or has no name; {told}")
    found = value_of(score)
    if found["value"] is None and found.get("label") is None:
        raise BadSource(f"no value; {told}")
    return {
        "trace_id": str(trace_id),
        "metric": str(score["name"]),
        "value": number(found["value"]),
        "label": text_of(found.get("label")),
        "scorer": text_of(score.get("authorUserId")),
        "scorer_kind": kind_of(score),
        "at": when(first(score.get("timestamp"), score.get("createdAt"))),
    }


SOURCE = Source("langfuse-traces", 1, sniff, read, fetch=fetch)
