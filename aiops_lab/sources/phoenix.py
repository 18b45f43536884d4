"""Phoenix: the spans and annotations of a project, fetched from its server into snapshots.

``phoenix:PROJECT`` is a project by name or id, ``phoenix:PROJECT?since=2026-10-01`` what of it
began then or later. The server and its key are those of Phoenix's own client: ``PHOENIX_ENDPOINT``
(or ``PHOENIX_COLLECTOR_ENDPOINT``), ``PHOENIX_API_KEY``, ``PHOENIX_CLIENT_HEADERS``.

A server lists spans by when it got them, the newest first, so that a fetch reads down to where the
last one began, however late a span is. Snapshots are numbered, the oldest first, and what they hold
is all that is known of former fetches. Beside each is one of the annotations of its spans and their
traces. Annotations come at any time, so these are asked for anew, and replaced where they changed.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from aiops_lab.errors import BadSettings, LabError
from aiops_lab.sources.contract import Source
from aiops_lab.sources.jsonio import compact, decode, lines
from aiops_lab.sources.rows import when
from aiops_lab.sources.server import LONGEST_WAIT, Record, Server, quoted, write
from aiops_lab.sources.traces import sdk
from aiops_lab.tables import digest

PAGE, PART, PART_CHARACTERS = 200, 10_000, 64 * 2**20
"""Spans asked for at once, and in a snapshot: about so many, or so long."""
OVERLAP = 1_000
"""So many numbers of spans below the newest known are read again: a number may come late."""
SCORED = timedelta(days=60)
"""Annotations are asked for while a snapshot's newest span began within so long."""
ASKED = {"span": 250, "trace": 150}
"""So many are asked about at once: longer addresses are refused on the way, above 8 KiB."""
ANNOTATIONS = 1_000
"""Annotations asked for at once."""
SPAN = msgspec.json.Decoder(Record)


def fetch(
    name: str,
    folder: Path,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    wait: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """Fetch what is new of a project into snapshots in `folder`; returns these and the former.

    Killed, it goes on from the last page that was complete.

    Raises
    ------
    BadSettings
        The key is refused, there is no such project, or `since` is no time.
    LabError
        The package is not installed, or the server does not answer.
    """
    from filelock import FileLock

    name = name.encode("utf-8", "replace").decode()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        server = _serving(folder / ".partial", name, wait)
        try:
            project, asked = _project(server, name)
        except BadSettings:
            server.forget()
            raise
        title, path = str(project.get("name")), f"projects/{quoted(str(project['id']))}"
        words = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:40]
        stem = f"{words}-{digest(compact([server.url, path, asked]))[:12]}"
        if progress:
            progress(f"{title} spans", 0, 1)
        _add_spans(server, path, folder, stem, asked)
        parts = _parts(folder, stem)
        for number, part in enumerate(parts):
            if progress:
                progress(f"{title} annotations", number, len(parts))
            _add_annotations(server, path, part)
        server.forget()
        return sorted(folder.glob(f"{stem}-*.jsonl"))


def _serving(folder: Path, name: str, wait: Callable[[float], None]) -> Server:
    """The server that the environment names, asked by the package's HTTP client."""
    try:
        from phoenix.client import Client

        http = Client()._client
    except ImportError:
        raise LabError(
            "reading from Phoenix needs its client: pip install aiops-lab[phoenix]"
        ) from None
    except Exception as error:  # what the environment says of it may be anything
        raise BadSettings(
            f"Phoenix's client does not take what the environment says: {type(error).__name__}"
        ) from None
    http.timeout = LONGEST_WAIT
    url = str(http.base_url).rstrip("/")

    def send(path: str, asked: Record) -> Any:
        return http.get(f"v1/{path}", params=asked)

    return Server("Phoenix", url, send, folder / digest(compact([url, name])), wait)


def _project(server: Server, name: str) -> tuple[Record, Record]:
    """The project of that name or id, and what limits its spans."""
    found = [one for one in server.listing("projects") or [] if one.get("id")]
    projects = {str(one.get(key)): one for key in ("name", "id") for one in found}
    asked: Record = {}
    if name not in projects and (parts := name.rpartition("?since="))[1]:
        name, since = parts[0], when(parts[2])
        if since is None:
            raise BadSettings(f"since={parts[2]!r} is no time; write it as 2026-10-01")
        asked = {"start_time": since.isoformat()}
    if name not in projects:
        names = ", ".join(repr(one.get("name")) for one in found[:20]) or "none"
        raise BadSettings(f"there is no project {name!r} on {server.url}; projects: {names}")
    return projects[name], asked


def _parts(folder: Path, stem: str) -> list[Path]:
    """The snapshots of spans, the oldest first."""
    return sorted(folder.glob(f"{stem}-{'[0-9]' * 6}.jsonl"))


def _add_spans(server: Server, path: str, folder: Path, stem: str, asked: Record) -> None:
    """Write the spans that no snapshot holds."""
    parts = _parts(folder, stem)
    newest, held = _held(parts)
    drafts, fresh = list[Path](), list[str]()
    last: float = inf
    for page in server.pages(f"{path}/spans", limit=PAGE, sort="id", order="desc", **asked):
        if page is None:
            raise LabError(f"{server.url} lists no spans: this Phoenix is too old")
        fresh += [_written(span) for span in page if _ids(span) not in held]
        if len(fresh) >= PART or sum(map(len, fresh)) >= PART_CHARACTERS:
            drafts.append(_draft(server, fresh))
            fresh = []
        numbers = [last, *map(_number, page)]
        begun_anew = last == inf and numbers[1:] and numbers[1] < newest
        if begun_anew or 0 in numbers or numbers != sorted(numbers, reverse=True):
            newest = 0  # then all are read
        last = numbers[-1]
        if last <= newest - OVERLAP:
            break
    if fresh:
        drafts.append(_draft(server, fresh))
    # the oldest first, so that whenever this is killed nothing is missing below the newest
    first = int(parts[-1].stem[-6:]) + 1 if parts else 0
    for number, draft in enumerate(reversed(drafts), first):
        draft.replace(folder / f"{stem}-{number:06d}.jsonl")


def _written(record: Record) -> str:
    """A record with its keys as the server has them: what it is shows at its beginning."""
    return msgspec.json.encode(record).decode()


def _draft(server: Server, texts: list[str]) -> Path:
    path = server.kept / f"{digest(texts[0])}.jsonl"
    write(path, texts)
    return path


def _held(parts: list[Path]) -> tuple[int, set[tuple[str, str]]]:
    """The number of the newest span of the last snapshot, and the spans within reach below it."""
    newest, held = 0, set[tuple[str, str]]()
    for part in reversed(parts):
        numbers = []
        for span in _spans(part):
            numbers.append(_number(span))
            held.add(_ids(span))
        newest = newest or max(numbers, default=0)
        if min(numbers, default=0) <= newest - OVERLAP:
            break
    return newest, held


def _spans(part: Path) -> Iterator[Record]:
    for place, line in lines(part):
        yield decode(line, SPAN, f"line {place}")


def _number(span: Record) -> int:
    """What counts the spans of a server, out of the id it gave one; 0 where there is none."""
    try:
        return int(base64.b64decode(span["id"]).rpartition(b":")[2])
    except (KeyError, TypeError, ValueError):
        return 0


def _ids(span: Record) -> tuple[str, str]:
    context = span.get("context")
    context = context if isinstance(context, dict) else span
    return str(context.get("trace_id")), str(context.get("span_id"))


def _add_annotations(server: Server, path: str, part: Path) -> None:
    """Write the annotations of a snapshot's spans and of their traces, the oldest first."""
    traces, newest = dict[str, str](), None
    for span in _spans(part):
        trace_id, span_id = _ids(span)
        traces[span_id] = trace_id
        begun = when(span.get("start_time"))
        newest = max(filter(None, (begun, newest)), default=None)
    if newest is not None and newest < datetime.now(UTC) - SCORED:
        return
    found = list[Record]()
    for kind, ids in (("span", list(traces)), ("trace", sorted(set(traces.values())))):
        for start in range(0, len(ids), ASKED[kind]):
            some: Record = {f"{kind}_ids": ids[start : start + ASKED[kind]], "limit": ANNOTATIONS}
            for one in server.listing(f"{path}/{kind}_annotations", **some) or []:
                # those of spans do not name the trace
                trace_id = one.get("trace_id") or traces.get(str(one.get("span_id")))
                found.append({**one, "trace_id": trace_id})
    if found:
        found.sort(key=lambda one: (str(one.get("updated_at")), str(one.get("id"))))
        write(part.with_name(f"{part.stem}-annotations.jsonl"), map(_written, found), server.kept)


def sniff(path: Path, head: bytes) -> bool:
    """Never: the snapshots are what Phoenix gives, which the reader of spans knows."""
    return False


SOURCE = Source("phoenix", sdk.SOURCE.version, sniff, sdk.read, fetch=fetch)
