"""A Phoenix server on the loopback, after the interface that it publishes."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote

KEY = "loopback-key"
Record = dict[str, Any]
Asked = dict[str, list[str]]
NOW = datetime.now(UTC).replace(microsecond=250_000)
"""Annotations are asked for of what is recent."""


def coded(kind: str, number: int) -> str:
    """An id as the server gives one."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def span(number: int, trace: int | None = None, **more: Any) -> Record:
    """A call of a model in a trace of its own, a minute after the one before."""
    begun = NOW - timedelta(days=2) + timedelta(minutes=number)
    own = {
        "name": f"call {number}",
        "context": {
            "trace_id": f"{number if trace is None else trace:032x}",
            "span_id": f"{number + 1:016x}",
        },
        "span_kind": "LLM",
        "parent_id": None,
        "start_time": begun.isoformat(),
        "end_time": (begun + timedelta(seconds=1.5)).isoformat(),
        "status_code": "OK",
        "status_message": "",
        "attributes": {"llm.model_name": "m-1", "llm.token_count.prompt": number},
        "events": [],
    }
    return {**own, **more}


class Server:
    """Serves projects; keeps a log, and fails where it is told to.

    Attributes
    ----------
    faults
        (part of a path, status, headers), each once.
    before
        Called with each request before it is answered.
    """

    authorization = f"Bearer {KEY}"

    def __init__(self) -> None:
        self.projects: dict[str, list[Record]] = {}
        self.annotations: dict[str, list[Record]] = {"span": [], "trace": []}
        self.log: list[tuple[str, Asked, int]] = []
        self.faults: list[tuple[str, int, dict[str, str]]] = []
        self.before: Callable[[str, Asked], None] = lambda path, asked: None
        self.spoiled: Any = None
        self.url = ""
        self._numbers = itertools.count(1)

    def add(self, project: str, *spans: Record) -> None:
        """Take spans, which are numbered as they come."""
        held = self.projects.setdefault(project, [])
        held += [{"id": coded("Span", next(self._numbers)), **one} for one in spans]

    def annotate(self, kind: str, subject: str, name: str, score: float, **more: Any) -> Record:
        """Annotate a span or a trace."""
        number = len(self.annotations["span"]) + len(self.annotations["trace"]) + 1
        own = {
            "id": coded(f"{kind.capitalize()}Annotation", number),
            "created_at": NOW.isoformat(),
            "updated_at": (NOW + timedelta(seconds=number)).isoformat(),
            "source": "API",
            "user_id": None,
            "name": name,
            "annotator_kind": "LLM",
            "result": {"label": None, "score": score, "explanation": None},
            "metadata": {},
            "identifier": "",
            f"{kind}_id": subject,
        }
        self.annotations[kind].append({**own, **more})
        return self.annotations[kind][-1]

    def asked(self, part: str) -> list[Asked]:
        """What was asked of the paths with `part` and answered."""
        return [asked for path, asked, status in self.log if part in path and status == 200]

    def parse(self, query: str) -> Asked:
        return parse_qs(query)

    def answer(self, path: str, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        self.before(path, asked)
        for fault in self.faults:
            if fault[0] in path:
                self.faults.remove(fault)
                return fault[1], {"detail": "as told"}, fault[2]
        if self.spoiled is not None:
            return 200, self.spoiled, {}
        names = list(self.projects)
        if path == "/v1/projects":
            listed = [{"id": coded("Project", n), "name": name} for n, name in enumerate(names, 1)]
            return 200, behind(listed[::-1], asked), {}
        _, _, _, project, listing = map(unquote, path.split("/"))
        number = int(base64.b64decode(project).rpartition(b":")[2]) - 1
        held = self.projects[names[number]]
        if listing == "spans":
            since = asked.get("start_time", [""])[0]
            found = [one for one in held[::-1] if not since or later(one["start_time"], since)]
            return 200, behind(found, asked), {}
        kind = listing.partition("_")[0]
        wanted = asked[f"{kind}_ids"]
        known = {str(one["context"]) for one in held if one.get("context")}
        if not any(one in text for text in known for one in wanted):
            return 404, {"detail": "none of them exists"}, {}
        found = [one for one in self.annotations[kind][::-1] if one[f"{kind}_id"] in wanted]
        return 200, behind(found, asked), {}


def later(text: str, since: str) -> bool:
    return datetime.fromisoformat(text) >= datetime.fromisoformat(since)


def behind(records: list[Record], asked: Asked) -> Record:
    """A page, from the record that the cursor names on."""
    limit = int(asked.get("limit", ["100"])[0])
    cursor = asked.get("cursor", [None])[0]
    start = next((n for n, one in enumerate(records) if one["id"] == cursor), 0)
    page = records[start : start + limit]
    more = records[start + limit : start + limit + 1]
    return {"data": page, "next_cursor": more[0]["id"] if more else None}
