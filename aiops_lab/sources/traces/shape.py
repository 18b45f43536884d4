"""The shape of a request of OTLP, as msgspec decodes it from JSON in one step.

Fields that are not here are skipped; texts stand for numbers where JSON has them so. `Request` is
generic over what a span is: decoded, or raw bytes where a document is long.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Raw, Struct, field

from aiops_lab.sources.traces.values import LATEST, AnyValue, KeyValue, plain

S = TypeVar("S")
Id = str | int | None
Moment = Annotated[int, Meta(ge=0, le=LATEST)] | None


Attributes = list[KeyValue] | dict[str, Any]
"""As OTLP has them, or as plain values by name, where a reader knows them so."""


class Event(Struct, rename="camel", gc=False):
    name: str = ""
    time_unix_nano: Moment = None
    attributes: Attributes = []


class Status(Struct, gc=False):
    code: int | str | None = None
    message: str | None = None


class Span(Struct, rename="camel", gc=False):
    trace_id: Id = None
    span_id: Id = None
    parent_span_id: Id = None
    trace_state: str | None = None
    name: str = ""
    kind: int | str | None = None
    start_time_unix_nano: Moment = None
    end_time_unix_nano: Moment = None
    attributes: Attributes = []
    events: list[Event] | None = None
    links: list[Any] | None = None
    status: Status | None = None


class LogRecord(Struct, rename="camel", gc=False):
    trace_id: Id = None
    event_name: str | None = None
    time_unix_nano: Moment = None
    observed_time_unix_nano: Moment = None
    attributes: Attributes = []
    body: AnyValue | None = None


class Scope(Struct, gc=False):
    name: str | None = None
    version: str | None = None


class Group(Struct, Generic[S], rename="camel"):
    """What one instrumentation made."""

    scope: Scope | None = None
    instrumentation_library: Scope | None = None
    spans: list[S] = []
    log_records: list[LogRecord] = []


class Resource(Struct, gc=False):
    attributes: Attributes = []


class Resourced(Struct, Generic[S], rename="camel"):
    """What one process sent; long ago its groups were called libraries."""

    resource: Raw = field(default_factory=Raw)
    scope_spans: list[Group[S]] = []
    instrumentation_library_spans: list[Group[S]] = []
    scope_logs: list[Group[S]] = []

    @property
    def groups(self) -> list[Group[S]]:
        """All of them."""
        return [*self.scope_spans, *self.instrumentation_library_spans, *self.scope_logs]


class Request(Struct, Generic[S], rename="camel"):
    resource_spans: list[Resourced[S]] | None = None
    resource_logs: list[Resourced[S]] | None = None

    @property
    def senders(self) -> list[Resourced[S]]:
        """All of them."""
        return [*(self.resource_spans or ()), *(self.resource_logs or ())]


def plain_attributes(given: Attributes) -> dict[str, Any]:
    """Plain values by name; of a name that comes twice the last.

    Raises
    ------
    BadSource
        One is nested too deeply, or no value of OTLP.
    """
    if isinstance(given, dict):
        return given
    return {
        pair.key: value.string_value
        if (value := pair.value).string_value is not None
        else plain(value)
        for pair in given
    }


def plain_events(given: list[Event] | None) -> list[tuple[str, int | None, dict[str, Any]]]:
    """The name, the moment and the plain attributes of each."""
    return [(one.name, one.time_unix_nano, plain_attributes(one.attributes)) for one in given or ()]
