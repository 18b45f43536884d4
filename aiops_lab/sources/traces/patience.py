"""OTLP not written as usual, object by object: what does not fit is noted, the rest read."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from aiops_lab.errors import BadSource
from aiops_lab.sources.jsonio import compact
from aiops_lab.sources.traces.records import Note
from aiops_lab.sources.traces.shape import Group, LogRecord, Request, Resourced, Scope, Span
from aiops_lab.sources.traces.values import AnyValue, KeyValue, nanoseconds

T = TypeVar("T")
SIGNALS = {"resourceSpans", "resource_spans", "resourceLogs", "resource_logs"}
GROUPS = ("scopeSpans", "instrumentationLibrarySpans", "scopeLogs")
MOMENTS = ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano")
SNAKE = re.compile("_([a-z])")


def patient(found: Any, place: str, note: Note) -> Request[Span]:
    """A request out of plain data in any spelling, or out of a mere list of spans.

    Raises
    ------
    BadSource
        It is nested too deeply.
    """
    try:
        found = _camel(found)
    except RecursionError:
        raise BadSource("nested too deeply", place) from None
    if isinstance(found, dict) and not SIGNALS & found.keys():
        found = found.get("data") or found.get("spans") or [found]
    if isinstance(found, list):
        found = {"resourceSpans": [{"scopeSpans": [{"spans": found}]}]}
    read = _Patience(place, note)
    senders = [
        Resourced(
            Raw(msgspec.json.encode(sender.get("resource") or {})),
            [
                Group(
                    read.one(group.get("scope") or group.get("instrumentationLibrary"), Scope),
                    spans=read.all(group.get("spans"), Span),
                    log_records=read.all(group.get("logRecords"), LogRecord),
                )
                for name in GROUPS
                for group in read.objects(sender.get(name), name)
            ],
        )
        for signal in ("resourceSpans", "resourceLogs")
        for sender in read.objects(found.get(signal), signal)
    ]
    return Request(senders)


class _Patience:
    """Turns plain data into the shapes of OTLP one by one, and notes what does not fit."""

    def __init__(self, place: str, note: Note) -> None:
        self._place, self._tell = place, note
        self._number = 0

    def objects(self, value: Any, name: str) -> list[dict[str, Any]]:
        """The objects of a list."""
        items = value if isinstance(value, list) else []
        found = [item for item in items if isinstance(item, dict)]
        if len(found) < len(items) or not isinstance(value, list | None):
            self._note(f"{name} that is no list of objects: {value!s:.100}")
        return found

    def all(self, value: Any, shape: type[T]) -> list[T]:
        """Spans, or records of logs."""
        found = (self.one(item, shape) for item in self.objects(value, shape.__name__))
        return [one for one in found if one is not None]

    def one(self, item: Any, shape: type[T]) -> T | None:
        """One object; values that are none of OTLP become the texts they are."""
        if item is None:
            return None
        try:
            if isinstance(item, dict):
                item = {
                    **item,
                    **{name: nanoseconds(item[name]) for name in MOMENTS if name in item},
                }
                if isinstance(pairs := item.get("attributes"), list):
                    item["attributes"] = [_pair(pair) for pair in self.objects(pairs, "attributes")]
            return msgspec.convert(item, shape, strict=False)
        except msgspec.ValidationError as error:
            self._note(f"not the shape of a {shape.__name__} of OTLP: {error}")
        return None

    def _note(self, reason: str) -> None:
        self._number += 1
        self._tell(f"{self._place} problem {self._number}", reason)


def _pair(pair: dict[str, Any]) -> KeyValue:
    try:
        return msgspec.convert(pair, KeyValue, strict=False)
    except msgspec.ValidationError:
        return KeyValue(str(pair.get("key")), AnyValue(compact(pair.get("value"))))


def _camel(value: Any) -> Any:
    """Keys in camelCase, and without those that are null; attributes by name stay as they are."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if isinstance(value, dict):
        return {
            (name := SNAKE.sub(lambda m: m[1].upper(), key)): item
            if name == "attributes" and isinstance(item, dict)
            else _camel(item)
            for key, item in value.items()
            if item is not None
        }
    return value
