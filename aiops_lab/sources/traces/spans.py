"""Spans and the scores among them, gathered while a file is read, as frames."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Problem
from aiops_lab.sources.traces.scores import is_score, of_attributes, of_event, score, weight
from aiops_lab.sources.traces.semantics import columns
from aiops_lab.sources.traces.shape import LogRecord, Span, plain_attributes, plain_events
from aiops_lab.sources.traces.texts import Attributes, Event
from aiops_lab.sources.traces.values import identity, plain, status
from aiops_lab.tables import SCHEMAS

BATCH_SPANS, BATCH_BYTES = 2_000, 16 * 2**20
PART_SPANS, PART_BYTES = 1_000, 8 * 2**20
"""Spans put into columns together, and about how many bytes of a file they may come from."""
USUAL_STATE = 512
"""Longest trace state that its standard allows, in characters."""
NO_EVENTS: list[Event] = []
NO_PARENT, SIZES = "0" * 16, {0, 16, 32}
STORED = {"started_at": pl.Int64, "at": pl.Int64, "attributes": pl.Binary}
"""Columns that are gathered as something else."""
KINDS: dict[Any, str] = {
    key: name
    for number, name in ((2, "server"), (3, "client"), (4, "producer"), (5, "consumer"))
    for key in (number, f"SPAN_KIND_{name.upper()}", f"SpanKind.{name.upper()}")
}
"""The kinds worth telling."""
ENCODER = msgspec.json.Encoder()


class Spans:
    """Rows of ``spans`` and ``evaluations``, made into frames a batch at a time.

    Parameters
    ----------
    texts
        Whether `input` and `output` are kept.
    """

    def __init__(self, texts: bool = True) -> None:
        self._texts = texts
        self._gathered: tuple[list[Span], list[str], list[bytes]] = [], [], []
        self._frames: list[pl.DataFrame] = []
        self._scores: list[tuple[Any, ...]] = []
        self._problems: list[Problem] = []
        self._rows = self._bytes = self._passed_over = 0

    def problem(self, place: str, reason: str) -> None:
        """Note what could not be read, or cannot be true."""
        self._problems.append(Problem(place, reason))

    def add(self, place: str, spans: list[Span], others: bytes = b"}") -> None:
        """Add spans, which are this object's from here on.

        Parameters
        ----------
        others
            What goes beside their attributes into the column, see `rest`.
        """
        gathered, places, beside = self._gathered
        gathered += spans
        places += [place] * len(spans)
        beside += [others] * len(spans)
        if len(gathered) >= PART_SPANS:
            self.digest()

    def log(self, place: str, record: LogRecord, scope: str | None = None) -> None:
        """Add a record of a log if it is a score, else count it."""
        try:
            told = plain_attributes(record.attributes)
            if record.body and isinstance(body := plain(record.body), dict):
                told = {**body, **told}
        except BadSource as error:
            return self.problem(place, error.reason)
        name = record.event_name or told.get("event.name")
        if isinstance(name, str) and (found := of_event(name, told)) is not None:
            at = record.time_unix_nano or record.observed_time_unix_nano
            self.score(place, record.trace_id, found, at, weight(told), scope)
        else:
            self._passed_over += 1
        return None

    def score(
        self,
        place: str,
        trace_id: Any,
        told: Attributes,
        at: int | None,
        weight: float | None,
        scorer: str | None = None,
    ) -> None:
        """Add one score of a trace; one without a metric or a trace is noted."""
        found = score(told, scorer)
        if found.metric is None or not trace_id:
            lack = "name" if found.metric is None else "trace"
            self.problem(place, f"a score without a {lack}: {told!s:.200}")
        else:
            self._scores.append((trace_id, *found, at // 1000 if at else None, weight))

    @property
    def full(self) -> bool:
        """Whether it is time to hand over a batch."""
        rows = max(self._rows, len(self._scores))
        return rows >= BATCH_SPANS or self._bytes >= BATCH_BYTES

    def batch(self) -> Batch:
        """Hand over what was gathered and start again."""
        self.digest()
        tables = {}
        if self._frames:
            tables["spans"] = pl.concat(self._frames)
        if self._scores:
            rows = map(list, zip(*self._scores, strict=True))
            found = dict(zip(SCHEMAS["evaluations"], rows, strict=True))
            found["trace_id"] = _ids(found["trace_id"])
            tables["evaluations"] = _frame("evaluations", found)
        batch = Batch(tables, self._problems)
        self._frames, self._scores, self._problems = [], [], []
        self._rows = self._bytes = 0
        return batch

    def last(self) -> Batch:
        """Hand over the rest."""
        if self._passed_over:
            self.problem("records of logs", f"{self._passed_over} are no scores of answers")
        return self.batch()

    def digest(self) -> None:
        """Put the spans gathered into columns, with the scores that they carry."""
        spans, places, others = self._gathered
        self._gathered = [], [], []
        if not spans:
            return None
        try:
            attributes = [plain_attributes(span.attributes) for span in spans]
            events = [plain_events(span.events) if span.events else NO_EVENTS for span in spans]
        except BadSource:
            return self._one_by_one(spans, places, others)
        if not all([span.trace_id and span.span_id for span in spans]):  # noqa: C419 (faster)
            return self._one_by_one(spans, places, others)
        order, found = columns([span.name for span in spans], attributes, events)
        spans, places = [spans[i] for i in order], [places[i] for i in order]
        others, events = [others[i] for i in order], [events[i] for i in order]
        attributes = [attributes[i] for i in order]
        for i, span in enumerate(spans):
            if span.kind in KINDS or span.trace_state:
                kept = _kept if len(span.trace_state or "") <= USUAL_STATE else _kept.__wrapped__
                others[i] = kept(span.kind, span.trace_state) + others[i]
            if events[i] or span.links or _said(span):
                others[i] = _beside(span, events[i]) + others[i]
            if found["scored"][i] is not None or (events[i] and any(map(_is_score, events[i]))):
                self._told(places[i], span, attributes[i], events[i])
        found["attributes"] = [
            row[:-1] + (other if len(row) > 2 else other.removeprefix(b","))
            for row, other in zip(map(ENCODER.encode, attributes), others, strict=True)
        ]
        found |= _own(spans, found["error"])
        for i, duration in enumerate(found["duration_s"]):
            if duration is None:
                self._late(places[i], spans[i])
        if not self._texts:
            found["input"] = found["output"] = [None] * len(spans)
        self._frames.append(_frame("spans", found))
        self._rows += len(spans)
        self._bytes += sum(map(len, found["attributes"]))
        return None

    def _one_by_one(self, spans: list[Span], places: list[str], others: list[bytes]) -> None:
        """Put those spans into columns that can be; the rest is noted."""
        for number, (span, place, other) in enumerate(zip(spans, places, others, strict=True)):
            reason = None if span.trace_id and span.span_id else "no id of its trace or of its own"
            try:
                span.attributes = plain_attributes(span.attributes)
                plain_events(span.events)
            except BadSource as error:
                reason = error.reason
            if reason is None:
                self._gathered = [span], [place], [other]
                self.digest()
            else:
                name = span.span_id or f"number {number}, {span.name!r:.100}"
                self.problem(f"{place} span {name}", reason)

    def _late(self, place: str, span: Span) -> None:
        """Note a span that ends before it starts."""
        start, end = span.start_time_unix_nano, span.end_time_unix_nano
        if start and end:
            late = f"ends {(start - end) / 1e9:g} s before it starts: it has no duration"
            self.problem(f"{place} span {span.span_id}", late)

    def _told(self, place: str, span: Span, attributes: Attributes, events: list[Event]) -> None:
        """Add the scores that a span carries; they were sampled as it was."""
        state, end = span.trace_state, span.end_time_unix_nano
        for name, at, told in events:
            if (found := of_event(name, told)) is not None:
                own = weight({**attributes, **told}, state)
                self.score(place, span.trace_id, found, at or end, own)
        for found in of_attributes(attributes):
            self.score(place, span.trace_id, found, end, weight(attributes, state))


def rest(others: Attributes) -> bytes:
    """What follows the attributes of some spans in their column: the rest of a JSON object."""
    return b"," + ENCODER.encode(others)[1:] if others else b"}"


@lru_cache(256)
def _kept(kind: Any, trace_state: str | None) -> bytes:
    found = {"otel.kind": KINDS.get(kind), "otel.trace_state": trace_state}
    return b"," + ENCODER.encode({name: value for name, value in found.items() if value})[1:-1]


def _beside(span: Span, events: list[Event]) -> bytes:
    found = {
        "otel.status_description": _said(span),
        "otel.links": span.links,
        "otel.events": [{"name": n, "at": at, "attributes": told} for n, at, told in events],
    }
    return b"," + ENCODER.encode({name: value for name, value in found.items() if value})[1:-1]


def _is_score(event: Event) -> bool:
    return is_score(event[0])


def _said(span: Span) -> str | None:
    return span.status.message if span.status else None


def _own(spans: list[Span], errors: list[Any]) -> dict[str, list[Any]]:
    """The columns that attributes do not tell."""
    starts = [span.start_time_unix_nano for span in spans]
    ends = [span.end_time_unix_nano for span in spans]
    codes = [span.status and span.status.code for span in spans]
    known = {code: status(code) for code in set(codes)}
    return {
        "trace_id": _ids([span.trace_id for span in spans]),
        "span_id": _ids([span.span_id for span in spans]),
        "parent_id": _ids([span.parent_span_id or None for span in spans], nothing=NO_PARENT),
        "name": [span.name or None for span in spans],
        "started_at": [start // 1000 if start else None for start in starts],
        "duration_s": [
            (end - start) / 1e9 if start and end and end >= start else None
            for start, end in zip(starts, ends, strict=True)
        ],
        "status": [
            known[code] if error is None else status(code, failed=True)
            for code, error in zip(codes, errors, strict=True)
        ],
    }


def _ids(values: list[Any], nothing: str | None = None) -> list[str | None]:
    """Ids as `identity` has them; a look at all of them tells whether there is work to do."""
    with suppress(TypeError, UnicodeEncodeError):
        texts = [value or "" for value in values]
        odd = "".join(texts).encode().translate(None, b"0123456789abcdef")
        if not odd and SIZES.issuperset(map(len, texts)) and nothing not in values:
            return values
    return [None if (found := identity(value)) == nothing else found for value in values]


def _frame(table: str, found: dict[str, list[Any]]) -> pl.DataFrame:
    """Gathered columns as the table."""
    columns = {}
    for name, dtype in SCHEMAS[table].items():
        column = _series(found[name], STORED.get(name, dtype))
        columns[name] = column.cast(dtype) if name in STORED else column
    return pl.DataFrame(columns)


def _series(values: Sequence[Any], dtype: Any) -> pl.Series:
    """A column; where texts are wanted, what is none is as it is written."""
    try:
        return pl.Series(values, dtype=dtype)
    except TypeError:
        texts = [v if v is None else f"{v:g}" if isinstance(v, float) else str(v) for v in values]
        return pl.Series(texts, dtype=dtype)
