"""Spans as SDKs print them and as Phoenix gives them, one by one or in a list, with annotations.

The Python SDK prints each span, and each record of a log, as a JSON object over many lines. Phoenix
has lists of spans, of annotations of spans and of traces, and data frames of either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Mapping, Source
from aiops_lab.sources.jsonio import decode
from aiops_lab.sources.rows import noting
from aiops_lab.sources.traces.records import Note, beginning, first_keys, records, salvaged
from aiops_lab.sources.traces.scores import weight
from aiops_lab.sources.traces.shape import LogRecord, Span
from aiops_lab.sources.traces.spans import PART_BYTES, Spans, rest
from aiops_lab.sources.traces.values import identity, nanoseconds

Item = dict[str, Any]
ANYTHING = msgspec.json.Decoder()
START = re.compile(r'\{\s*"(?:id|name|body|context\.span_id)"')
STATE = re.compile(r"\{key=([^,{}]*), value=([^{}]*)\}")
HOLDERS = ("data", "spans", "annotations")
KINDS = ("UNKNOWN", None)


def sniff(path: Path, head: bytes) -> bool:
    """Whether these are spans, records of logs, or annotations, by the keys of the first."""
    head = beginning(head)
    keys = first_keys(head)
    span = {"name", "context", "start_time"} <= keys and re.search(
        rb'"context"\s*:\s*\{\s*"(?:trace|span)_id"', head
    )
    frame = {"context.trace_id", "context.span_id"} <= keys
    record = {"trace_id", "span_id", "severity_number"} <= keys
    annotation = {"annotator_kind", "result"} <= keys
    return bool(span or frame or record or annotation)


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read one file.

    Annotations of spans do not name the trace: the spans they are of are looked for in the same
    file, in a second pass.
    """
    spans, held = Spans(texts), 0
    waiting: dict[str, list[tuple[str, Item]]] = {}
    for place, item, size in _items(path, spans.problem):
        held += size
        with noting(spans.problem, place, "a span or an annotation"):
            _take(spans, place, item, waiting)
        if held > PART_BYTES:
            spans.digest()
            held = 0
        if spans.full:
            yield spans.batch()
    for _, item, _ in _items(path, lambda *_: None) if waiting else ():
        context = item.get("context")
        if isinstance(context, dict) and (span_id := identity(context.get("span_id"))):
            for place, scored in waiting.pop(span_id, ()):
                _annotate(spans, place, scored, context.get("trace_id"))
    for span_id, left in waiting.items():
        for place, _ in left:
            spans.problem(place, f"scores span {span_id}, which is not in this file: join the two")
    yield spans.last()


def _items(path: Path, note: Note) -> Iterator[tuple[str, Item, int]]:
    """The objects of a file, those of a list one by one, each with its place and about its size."""
    for place, data in records(path, note):
        try:
            found = decode(data, ANYTHING, place)
        except BadSource as error:
            found, left = salvaged(data, START)
            if left or not found:
                saved = f"; {len(found)} whole objects in it were read" if found else ""
                note(error.place, error.reason + saved)
        if isinstance(found, dict):
            lists = [found[key] for key in HOLDERS if isinstance(found.get(key), list)]
            found = [item for items in lists for item in items] if lists else [found]
        items = found if isinstance(found, list) else [found]
        for number, item in enumerate(items):
            at = f"{place} item {number}" if len(items) > 1 else place
            if isinstance(item, dict):
                yield at, _whole(item), len(data) // len(items)
            else:
                note(at, "not an object")


def _whole(item: Item) -> Item:
    """A row of a data frame as the object that it was made of."""
    if "context.span_id" not in item and "annotation_name" not in item:
        return item
    found: Item = {"name": item.get("annotation_name")}
    for key, value in item.items():
        outer, dot, inner = key.partition(".")
        if dot and outer in ("context", "attributes", "result"):
            if value is not None:
                found.setdefault(outer, {})[inner] = value
        else:
            found[key] = value
    return found


def _take(spans: Spans, place: str, item: Item, waiting: dict[str, list[tuple[str, Item]]]) -> None:
    if "context" in item:
        resource = (item.get("resource") or {}).get("attributes")
        spans.add(place, [_span(item)], rest({"otel.resource": resource} if resource else {}))
    elif "annotator_kind" in item:
        if item.get("trace_id"):
            _annotate(spans, place, item, item["trace_id"])
        else:
            waiting.setdefault(identity(item.get("span_id")) or "", []).append((place, item))
    elif "trace_id" in item:
        body = item.get("body")
        plain = {
            "traceId": item["trace_id"],
            "eventName": item.get("event_name"),
            "timeUnixNano": nanoseconds(item.get("timestamp") or item.get("observed_timestamp")),
            "attributes": {
                **(body if isinstance(body, dict) else {}),
                **(item.get("attributes") or {}),
            },
        }
        spans.log(place, msgspec.convert(plain, LogRecord, strict=False))
    else:
        spans.problem(place, f"neither a span nor an annotation: {', '.join(item)[:200]}")


def _annotate(spans: Spans, place: str, item: Item, trace_id: Any) -> None:
    names = ("name", "annotator_kind", "identifier", "user_id")
    told = {**{name: item.get(name) for name in names}, **(item.get("result") or {})}
    at = nanoseconds(item.get("updated_at") or item.get("created_at"))
    spans.score(place, trace_id, told, at, weight(item.get("metadata") or {}))


def _span(item: Item) -> Span:
    context, state = item["context"], item.get("status")
    if not isinstance(state, dict):
        state = {"status_code": item.get("status_code"), "description": item.get("status_message")}
    attributes = _flat(item.get("attributes") or {})
    if item.get("span_kind") not in KINDS:
        attributes.setdefault("openinference.span.kind", item["span_kind"])
    pairs = STATE.findall(str(context.get("trace_state")))
    plain = {
        "traceId": context.get("trace_id"),
        "spanId": context.get("span_id"),
        "parentSpanId": item.get("parent_id"),
        "traceState": ",".join(f"{key}={value}" for key, value in pairs) or None,
        "name": item.get("name") or "",
        "kind": item.get("kind"),
        "startTimeUnixNano": nanoseconds(item.get("start_time")),
        "endTimeUnixNano": nanoseconds(item.get("end_time")),
        "attributes": attributes,
        "events": [
            {
                "name": event.get("name"),
                "timeUnixNano": nanoseconds(event.get("timestamp")),
                "attributes": event.get("attributes") or {},
            }
            for event in item.get("events") or []
        ],
        "links": item.get("links"),
        "status": {"code": state.get("status_code"), "message": state.get("description")},
    }
    return msgspec.convert(plain, Span, strict=False)


def _flat(attributes: Item, within: str = "") -> Item:
    """Attributes under dotted names, also where they are nested objects; lists stay lists."""
    found: Item = {}
    for key, value in attributes.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{within}{key}.")
        else:
            found[within + key] = value
    return found


SOURCE = Source("spans", 1, sniff, read)
