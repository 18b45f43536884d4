"""OTLP's protobuf messages in the same shape as its JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from aiops_lab.errors import BadSource, LabError
from aiops_lab.sources.traces import shape
from aiops_lab.sources.traces.shape import Group, Request, Resourced, Span
from aiops_lab.sources.traces.values import LATEST, AnyValue, ArrayValue, KeyValue, KeyValues


def parsed(data: bytes, place: str) -> Request[Span]:
    """The request in a message: spans, or records of logs where it holds no span with an id.

    Raises
    ------
    BadSource
        Neither of them.
    LabError
        The package that knows the messages is not installed.
    """
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
        from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
    except ImportError:
        raise LabError(
            "OTLP in protobuf is read with opentelemetry-proto: pip install opentelemetry-proto"
        ) from None
    try:  # another kind of message has other things at the same places
        senders = TracesData.FromString(data).resource_spans
        groups = [group for sender in senders for group in sender.scope_spans]
        if not senders or any(len(span.span_id) == 8 for group in groups for span in group.spans):
            return _request(senders, traces=True)
    except DecodeError:
        pass
    try:
        senders = LogsData.FromString(data).resource_logs
    except DecodeError:
        raise BadSource("no message of traces or logs", place) from None
    return _request(senders, traces=False)


def _request(senders: Any, traces: bool) -> Request[Span]:
    return Request(
        [
            Resourced(
                Raw(msgspec.json.encode(shape.Resource(_pairs(sender.resource.attributes)))),
                [
                    Group(
                        shape.Scope(group.scope.name, group.scope.version),
                        spans=list(map(_span, group.spans)) if traces else [],
                        log_records=[] if traces else list(map(_record, group.log_records)),
                    )
                    for group in (sender.scope_spans if traces else sender.scope_logs)
                ],
            )
            for sender in senders
        ]
    )


def _span(span: Any) -> Span:
    links = [{"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()} for link in span.links]
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        trace_state=span.trace_state,
        name=span.name,
        kind=span.kind,
        start_time_unix_nano=_moment(span.start_time_unix_nano),
        end_time_unix_nano=_moment(span.end_time_unix_nano),
        attributes=_pairs(span.attributes),
        events=[
            shape.Event(event.name, _moment(event.time_unix_nano), _pairs(event.attributes))
            for event in span.events
        ],
        links=links,
        status=shape.Status(span.status.code, span.status.message),
    )


def _record(record: Any) -> shape.LogRecord:
    return shape.LogRecord(
        record.trace_id.hex(),
        record.event_name,
        _moment(record.time_unix_nano),
        _moment(record.observed_time_unix_nano),
        _pairs(record.attributes),
        _value(record.body),
    )


def _pairs(pairs: Iterable[Any]) -> list[KeyValue]:
    return [KeyValue(pair.key, _value(pair.value)) for pair in pairs]


def _value(value: Any) -> AnyValue:
    match value.WhichOneof("value"):
        case None:
            return AnyValue()
        case "bytes_value":
            return AnyValue(bytes_value=base64.b64encode(value.bytes_value).decode())
        case "array_value":
            return AnyValue(array_value=ArrayValue([*map(_value, value.array_value.values)]))
        case "kvlist_value":
            return AnyValue(kvlist_value=KeyValues(_pairs(value.kvlist_value.values)))
        case name:
            return AnyValue(**{name: getattr(value, name)})


def _moment(nanoseconds: int) -> int | None:
    return nanoseconds if nanoseconds <= LATEST else None
