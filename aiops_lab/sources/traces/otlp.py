"""OTLP traces in files: JSON lines or documents, protobuf with or without lengths, zstd around it.

Logs are read for the scores among them. A record is decoded in one step; one that is not of the
usual shape (snake_case, values of a wrong type, damaged) is read again with patience, and what of
it cannot be read is noted span by span.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Mapping, Source
from aiops_lab.sources.jsonio import decode
from aiops_lab.sources.traces import protobuf
from aiops_lab.sources.traces.patience import MOMENTS, SIGNALS, patient
from aiops_lab.sources.traces.records import (
    ZSTD,
    Note,
    beginning,
    begins,
    first_keys,
    is_bare,
    records,
    salvaged,
)
from aiops_lab.sources.traces.shape import (
    Group,
    LogRecord,
    Request,
    Resource,
    Resourced,
    Scope,
    Span,
    plain_attributes,
)
from aiops_lab.sources.traces.spans import PART_BYTES, Spans, rest

LARGE, PART = 8 * 2**20, 1_000
"""Records longer than this, in bytes, are decoded so many spans at a time."""
USUAL = 2**14
"""Resources up to this size, in bytes, are kept to be recognised."""
FAST = msgspec.json.Decoder(Request[Span], strict=False)
LARGE_FAST = msgspec.json.Decoder(Request[Raw], strict=False)
RESOURCE = msgspec.json.Decoder(Resource, strict=False)
SPANS = msgspec.json.Decoder(list[Span], strict=False)
ANYTHING = msgspec.json.Decoder()
NOT_THIS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
NO_SCOPE = Scope()
REQUEST = re.compile(r'\{\s*"resource_?(?:[sS]pans|[lL]ogs)"')
SPAN = re.compile(r'\{\s*"traceId"')


def sniff(path: Path, head: bytes) -> bool:
    """Whether these are requests of OTLP, by the first keys or by how the messages begin."""
    packed, head = head[:4] == ZSTD, beginning(head)
    if keys := first_keys(head):
        begun = {"startTimeUnixNano", "start_time_unix_nano"} & keys
        return bool(SIGNALS & keys or (begun and {"traceId", "trace_id"} & keys))
    if is_bare(head, math.inf if packed else path.stat().st_size):
        return True
    if len(head) < 8 or head[0] > 15:
        return False
    length = int.from_bytes(head[:4], "big")
    return bool(SIGNALS & first_keys(head[4:])) or begins(head[4:], length)


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read one file of traces or logs."""
    spans, size = Spans(texts), 0
    for place, data in records(path, spans.problem):
        size += len(data)
        for request in _requests(place, data, spans.problem):
            for sender in request.senders:
                _take(spans, place, sender)
            if size > PART_BYTES:
                spans.digest()
                size = 0
            if spans.full:
                yield spans.batch()
    yield spans.last()


def _requests(place: str, data: bytes, note: Note) -> Iterator[Request[Span]]:
    """The requests in a record, in parts where it is long."""
    try:
        if data[:1] == b"\n":
            yield protobuf.parsed(data, place)
        elif len(data) > LARGE:
            yield from _in_parts(place, data, note)
        else:
            yield _fast(data) or patient(decode(data, ANYTHING, place), place, note)
    except BadSource as error:
        whole, left = salvaged(data, REQUEST)
        for number, request in enumerate(whole):
            yield patient(request, f"{place} request {number}", note)
        if left or not whole:
            spans, _ = salvaged(left, SPAN)
            spans = [span for span in spans if MOMENTS[0] in span]
            saved = f"; {len(spans)} whole spans in it were read" if spans else ""
            note(error.place, error.reason + saved)
            yield patient(spans, f"{place} rest", note)


def _fast(data: bytes) -> Request[Span] | None:
    try:
        request = FAST.decode(data)
    except NOT_THIS:
        return None
    return request if request.senders else None


def _in_parts(place: str, data: bytes, note: Note) -> Iterator[Request[Span]]:
    """A long record some spans at a time; those that do not decode together, with patience."""
    try:
        request = LARGE_FAST.decode(data)
    except NOT_THIS:
        request = Request[Raw]()
    if not request.senders:
        yield patient(decode(data, ANYTHING, place), place, note)
    for number, sender in enumerate(request.senders):
        for group in sender.groups:
            yield _request(sender, group, [], group.log_records)
            for start in range(0, len(group.spans), PART):
                part = b"[" + b",".join(map(bytes, group.spans[start : start + PART])) + b"]"
                try:
                    spans = SPANS.decode(part)
                except NOT_THIS:
                    at = f"{place} part {number}.{start}"
                    held = patient(decode(part, ANYTHING, at), at, note)
                    spans = held.senders[0].groups[0].spans
                yield _request(sender, group, spans)


def _request(
    sender: Resourced[Raw],
    group: Group[Raw],
    spans: list[Span],
    logs: list[LogRecord] | None = None,
) -> Request[Span]:
    scope = group.scope or group.instrumentation_library
    return Request(
        [Resourced(sender.resource, [Group(scope, spans=spans, log_records=logs or [])])]
    )


def _take(spans: Spans, place: str, sender: Resourced[Span]) -> None:
    """Add what a process sent."""
    resource = bytes(sender.resource)
    others = _usual_others if len(resource) < USUAL else _others
    for group in sender.groups:
        scope = group.scope or group.instrumentation_library or NO_SCOPE
        if group.spans:
            spans.add(place, group.spans, others(resource, scope.name, scope.version))
        for number, record in enumerate(group.log_records):
            spans.log(f"{place} record {number}", record, scope.name)


def _others(resource: bytes, scope: str | None, version: str | None) -> bytes:
    """What the spans of an instrumentation have in common, to follow their attributes.

    A resource that is none of OTLP is left as it is, or as a text.
    """
    held: Any = None
    if resource:
        try:
            held = plain_attributes(RESOURCE.decode(resource).attributes)
        except (*NOT_THIS, BadSource):
            held = resource.decode("utf-8", "replace")
            with suppress(BadSource):
                held = decode(resource, ANYTHING)
    found = {"otel.resource": held} if held else {}
    found |= {"otel.scope.name": scope, "otel.scope.version": version} if scope else {}
    return rest(found)


_usual_others = lru_cache(256)(_others)


SOURCE = Source("otlp", 1, sniff, read)
