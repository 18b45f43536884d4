"""Spans and evaluations as lines of OTLP/JSON, in the files that a collector would write.

Tenant, product area, language and the versions without a convention are ``app.*`` attributes,
whatever vocabulary the rest of a span is written in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard
from vocabularies import Request, genai, openinference, openllmetry
from wording import Said

BATCH = 48
"""How many spans a service sends at once; a request at the end of a batch stands on two lines."""
PARTS = {  # from where to where each step takes of a request's time
    "prompt": (0.0, 0.01),
    "retrieval": (0.01, 0.12),
    "tool": (0.12, 0.3),
    "model": (0.3, 0.98),
    "parse": (0.98, 0.99),
    "root": (0.0, 1.0),
}
SCOPES = {
    "openinference": {"name": "openinference.instrumentation.openai", "version": "0.1.41"},
    "openllmetry": {"name": "opentelemetry.instrumentation.openai.v1", "version": "0.33.12"},
    "genai": {"name": "opentelemetry.instrumentation.openai_v2", "version": "2.3b0"},
}
VOCABULARIES = {each.__name__: each for each in (openinference, openllmetry, genai)}
TIMEOUT = ("TimeoutError", "booking core did not answer within 10 s")
UNAVAILABLE = ("InternalServerError", "503: the model is overloaded")
CRASHED = ("KeyError", "no session of this name")
BROKEN = ("ParserError", "sources is no list of file names")
UNREADABLE = "the answer is no YAML mapping"


def vocabulary(r: Request) -> str:
    """Which of the vocabularies the service of a request speaks at the time."""
    if r.service == "lotte-web":
        return "openinference"
    return "genai" if r.upgraded else "openllmetry"


def spans(r: Request, said: Said, trace: str, midnight: int) -> dict[str, dict[str, Any]]:
    """The spans of a request by step, children first; ids are cut from 128 hex digits."""
    steps = VOCABULARIES[vocabulary(r)](r, said, trace[:16])
    steps["root"][2].update({"app.tenant": r.tenant, "app.slice": r.area})
    steps["root"][2]["app.language"] = r.language
    steps["retrieval"][2].update({"app.index.version": r.built})
    steps["retrieval"][2]["app.retrieval.version"] = r.retrieval
    steps["tool"][2]["app.tool.version"] = r.lookup
    parse = {"app.step": "parse", "app.parser.version": r.parser}
    parse["app.parse.result"] = "error" if r.invalid or r.unparsed else "ok"
    if r.invalid or r.unparsed:
        parse["app.parse.error"] = UNREADABLE if r.invalid else BROKEN[1]
    steps["parse"][2].update(parse)
    left_out = {"tool"} if not r.tool else set()
    left_out |= {"parse"} if r.error or r.crashed else set()
    failed = {"model": UNAVAILABLE, "root": UNAVAILABLE} if r.error else {}
    failed |= {"root": CRASHED} if r.crashed else {}
    failed |= {"tool": TIMEOUT} if r.tool_failed else {}
    failed |= {"parse": BROKEN} if r.unparsed else {}
    begun = midnight + round(r.second * 1e6) * 1000
    length = round(r.latency * 1e6)
    found = {}
    for at, (step, (name, kind, attributes, events)) in enumerate(steps.items()):
        if step in left_out:
            continue
        low, high = PARTS[step]
        zero = begun + round(r.skew * 1e6) * 1000 if step == "model" else begun
        start, end = (zero + int(length * part) * 1000 for part in (low, high))
        status: dict[str, Any] = {}
        if step in failed:
            error, message = failed[step]
            status = {"code": 2, "message": message}
            attributes["error.type"] = error
            told = {"exception.type": error, "exception.message": message}
            events = [*events, ("exception", told)]
        span = {
            "traceId": trace[:32],
            "spanId": trace[32 + 16 * at : 48 + 16 * at],
            "parentSpanId": "" if step == "root" else trace[112:128],
            "flags": 256,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(end),
            "attributes": _attributes(attributes),
        }
        if events:
            span["events"] = [
                {"timeUnixNano": str(end), "name": event, "attributes": _attributes(values)}
                for event, values in events
            ]
        found[step] = span | {"status": status}
    return found


def evaluation(r: Request, span: dict[str, Any], trace: str) -> dict[str, Any]:
    """What the judge says of an answer, minutes later and on the same day, as a log record."""
    dice = r.picks[-6]
    score = dice % 46 / 100 if r.ungrounded else 0.7 + dice % 31 / 100
    disliked = r.feedback == "down"
    values = {
        "gen_ai.evaluation.name": "grounded",
        "gen_ai.evaluation.score.value": round(score, 2),
        "gen_ai.evaluation.score.label": "ungrounded" if r.ungrounded else "grounded",
        "gen_ai.response.id": f"chatcmpl-{trace[:16]}",
        "aiops.sampling_weight": 1.0 if disliked else 10.0,
        "app.judge.stratum": "thumbs_down" if disliked else "others",
        "app.scorer.version": r.scorer,
    }
    at = str(int(span["endTimeUnixNano"]) + (20 + dice % 220) * 10**9)
    return {
        "timeUnixNano": at,
        "observedTimeUnixNano": at,
        "severityNumber": 9,
        "eventName": "gen_ai.evaluation.result",
        "body": {},
        "attributes": _attributes(values),
        "traceId": span["traceId"],
        "spanId": span["spanId"],
    }


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"kvlistValue": {"values": _attributes(value)}}


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


class Exporter:
    """Writes lines into a file a week, with what arrives late or twice.

    `written` counts different spans that have arrived, `waiting` those that have not.
    """

    def __init__(self, folder: Path, duplicated: float) -> None:
        self.folder, self.duplicated = folder, duplicated
        self.written, self.files = 0, []
        self._encode = msgspec.json.Encoder().encode
        self._open: dict[str, tuple[Path, Any, Any]] = {}
        self._batches: dict[tuple[str, ...], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        self._records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._late: dict[date, list[tuple[Request, str, dict[str, Any]]]] = defaultdict(list)
        self._again: list[bytes] = []

    @property
    def waiting(self) -> int:
        return sum(map(len, self._late.values()))

    def begin(self, day: date, rng: np.random.Generator) -> None:
        """Begin a day with what is late from the days before."""
        self._day, self._rng = day, rng
        for line in self._again:
            self._line("traces", line)
        self._again = []
        for r, step, span in self._late.pop(day, []):
            self._add(r, step, span)

    def add(self, r: Request, said: Said) -> None:
        """Take the spans of a request, and its evaluation if there is one."""
        trace = self._rng.bytes(64).hex()
        found = spans(r, said, trace, _nanoseconds(self._day))
        if r.judged:
            self._records[r.scorer].append(evaluation(r, found["model"], trace))
        if r.rootless:
            del found["root"]
        slow = list(found)[r.picks[-7] % len(found)] if r.late else None
        for step, span in found.items():
            if step == slow:
                self._late[self._day + timedelta(days=r.late)].append((r, step, span))
            else:
                self._add(r, step, span)

    def end(self) -> None:
        """Send all that is still open at the end of a day."""
        for key in list(self._batches):
            self._flush(key)
        for version, records in self._records.items():
            scope = {"scope": {"name": "lotte.judge", "version": version}, "logRecords": records}
            resource = _resource("lotte-judge", version)
            line = {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}
            self._line("evaluations", self._encode(line))
        self._records.clear()

    def close(self) -> None:
        for kind in list(self._open):
            self._shut(kind)

    def _add(self, r: Request, step: str, span: dict[str, Any]) -> None:
        key = (r.service, r.code, vocabulary(r))
        self._batches[key].append((step, span))
        self.written += 1
        if len(self._batches[key]) >= BATCH:
            self._flush(key)

    def _flush(self, key: tuple[str, ...]) -> None:
        service, code, words = key
        batch = self._batches.pop(key)
        own = [span for step, span in batch if step != "model"]
        calls = [span for step, span in batch if step == "model"]
        scopes = [({"name": "lotte", "version": code}, own), (SCOPES[words], calls)]
        parts = [{"scope": scope, "spans": part} for scope, part in scopes if part]
        line = {"resourceSpans": [{"resource": _resource(service, code), "scopeSpans": parts}]}
        text = self._encode(line)
        self._line("traces", text)
        dice = self._rng.random() / self.duplicated
        if dice < 0.7:
            self._line("traces", text)
        elif dice < 1:
            self._again.append(text)

    def _line(self, kind: str, text: bytes) -> None:
        year, week, _ = self._day.isocalendar()
        path = self.folder / f"{kind}-{year}-W{week:02}.jsonl.zst"
        if kind not in self._open or self._open[kind][0] != path:
            self._shut(kind)
            file = path.open("wb")
            packed = zstandard.ZstdCompressor(level=9).stream_writer(file)
            self._open[kind] = (path, file, packed)
            self.files.append(path.name)
        self._open[kind][2].write(text + b"\n")

    def _shut(self, kind: str) -> None:
        if kind in self._open:
            self._open.pop(kind)[2].close()


def _resource(service: str, code: str) -> dict[str, Any]:
    values = {"service.name": service, "service.version": code, "telemetry.sdk.language": "python"}
    values["deployment.environment.name"] = "production"
    if service == "lotte-web":
        values["openinference.project.name"] = "lotte"
    return {"attributes": _attributes(values)}


def _nanoseconds(day: date) -> int:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(start.timestamp()) * 10**9
