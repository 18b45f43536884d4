"""Fetching dataset runs from a Langfuse server into snapshots, a file each.

``langfuse:DATASET`` is all runs of a dataset, ``langfuse:DATASET/RUN`` one of them, by name or id;
the prompts they used come along. The server and its keys are those of the package:
``LANGFUSE_BASE_URL`` (or ``LANGFUSE_HOST``), ``LANGFUSE_PUBLIC_KEY``, ``LANGFUSE_SECRET_KEY``.

Servers that have experiments (Langfuse 4) are read through these, with observations v2 and
scores v3; what answers 404 there is read as older servers have it: dataset runs, and traces with
all that belongs to them. The package's client carries the requests, but its models do not read
the answers: they refuse those of servers older or newer than themselves.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec

from aiops_lab.errors import BadSettings, BadSource, LabError
from aiops_lab.sources.jsonio import compact, decode
from aiops_lab.tables import digest

Record = dict[str, Any]
MARK = b'{"aiops_lab":"langfuse 1"'
PAGE, TRACES = 100, 50
"""Records asked for at once, and traces asked about at once."""
TRIES, LONGEST_WAIT = 6, 60.0
READINGS = 5
"""How often a listing that changes while it is read is read again."""
RESUMABLE = 86_400
"""Seconds for which the pages of a fetch that was killed are used."""
LONG_AGO = "2000-01-01T00:00:00Z"
ITEMS = "core,dataset,io,itemMetadata"
OBSERVATIONS = "core,basic,io,metadata,model,usage,prompt,metrics"
ANSWERS = msgspec.json.Decoder(dict[str, Any])


def fetch(
    name: str,
    folder: Path,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    wait: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """Fetch a dataset's runs, or one, into snapshots in `folder`; again, and they are the same.

    Killed, it goes on from the last page that was complete.

    Raises
    ------
    BadSettings
        Keys are missing or refused, or there is no such dataset or run.
    LabError
        The package is not installed, or the server does not answer.
    """
    name = name.encode("utf-8", "replace").decode()
    server = _Server(folder / ".partial", name, wait)
    try:
        dataset, wanted = _dataset(server, name)
        runs = _runs(server, dataset)
        chosen = [r for r in runs if not wanted or wanted in (r[0]["name"], r[0]["id"])]
        if not chosen:
            names = ", ".join(repr(run["name"]) for run, _ in runs[:10]) or "none"
            raise BadSettings(f"no run {wanted!r} of dataset {dataset['name']!r}; runs: {names}")
    except BadSettings:
        server.forget()
        raise
    paths = []
    for number, (run, answers) in enumerate(chosen):
        if progress:
            progress(f"{dataset['name']} {run['name']}", number, len(chosen))
        paths.append(_snapshot(server, dataset, run, answers(server, dataset, run), folder))
    server.forget()
    return paths


class _Server:
    """The public API, page by page; each answer is kept until the fetch is complete."""

    def __init__(self, folder: Path, name: str, wait: Callable[[float], None]) -> None:
        self.url, key, self._http = _client()
        self.kept = folder / digest(compact([self.url, key, name]))
        self._wait = wait
        if self.kept.is_dir() and time.time() - self.kept.stat().st_mtime > RESUMABLE:
            self.forget()
        self.kept.mkdir(parents=True, exist_ok=True)

    def forget(self) -> None:
        shutil.rmtree(self.kept, ignore_errors=True)

    def get(
        self, path: str, absent: Collection[int] = (404,), turn: int = 0, **asked: Any
    ) -> Record | None:
        """An answer, or None where there is none; `turn` asks for the same a further time."""
        file = self.kept / f"{digest(compact([path, asked, turn]))}.json"
        if file.is_file():
            return decode(file.read_bytes(), ANSWERS)
        answer = self._ask(path, absent, asked)
        if answer is not None:
            _write(file, [compact(answer)])
        return answer

    def _ask(self, path: str, absent: Collection[int], asked: Record) -> Record | None:
        from httpx import TransportError

        told, options = "", {"max_retries": 0}
        for attempt in range(TRIES):
            pause = 2.0**attempt
            try:
                answer = self._http.request(
                    f"api/public/{path}", method="GET", params=asked, request_options=options
                )
            except TransportError as error:
                told = f"{type(error).__name__}: {error}"
            else:
                told = f"{answer.status_code} {answer.text[:200]}"
                if answer.status_code == 200:
                    try:
                        return decode(answer.content, ANSWERS)
                    except BadSource as error:
                        raise LabError(f"{self.url} is no Langfuse: {path}: {error}") from None
                if answer.status_code in absent:
                    return None
                if answer.status_code in (401, 403):
                    raise BadSettings(f"{self.url} refuses the keys for {path}: {told}")
                if answer.status_code not in (408, 429) and answer.status_code < 500:
                    raise LabError(f"{self.url} refuses {path}: {told}")
                after = answer.headers.get("retry-after", "")
                pause = float(after) if re.fullmatch(r"\d{1,6}(\.\d+)?", after) else pause
            if attempt < TRIES - 1:
                self._wait(min(pause, LONGEST_WAIT))
        raise LabError(f"{self.url} did not answer {path}: {told}; run it again to go on from here")

    def listing(
        self, path: str, pages: bool = False, absent: Collection[int] = (404,), **asked: Any
    ) -> list[Record] | None:
        """All records of a listing, each once; None where the server has no such listing.

        A cursor goes on behind the record it names. Numbered `pages` shift when records come or
        go meanwhile, so that more than one are read until two readings agree.
        """
        before: list[str] | None = None
        for turn in range(READINGS):
            found, count = dict[str, Record](), 0
            position: Record | None = {"page": 1} if pages else {}
            while position is not None:
                answer = self.get(path, absent, turn, limit=PAGE, **position, **asked)
                if answer is None:
                    return None
                data, meta = answer.get("data"), answer.get("meta") or {}
                if not isinstance(data, list):
                    raise LabError(f"{self.url} is no Langfuse: {path} lists nothing")
                found |= {str(record.get("id")): record for record in data}
                count += 1
                position = _next(position, meta, bool(data))
            if not pages or count == 1 or list(found) == before:
                return list(found.values())
            before = list(found)
        self.forget()
        raise LabError(f"{path} on {self.url} keeps changing while it is read; try again later")


def _next(position: Record, meta: Record, more: bool) -> Record | None:
    """Where the next page is, if there is one."""
    if "page" in position:
        last = position["page"] >= (meta.get("totalPages") or 0)
        return None if last or not more else {"page": position["page"] + 1}
    cursor = meta.get("cursor")
    return {"cursor": cursor} if cursor and {"cursor": cursor} != position else None


def _client() -> tuple[str, str, Any]:
    """The server's address, the public key, and the package's HTTP client, without tracing."""
    try:
        from langfuse import api
    except ImportError:
        raise LabError(
            "reading from Langfuse needs its package: pip install aiops-lab[langfuse]"
        ) from None
    keys = [os.environ.get(name) for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")]
    if not all(keys):
        raise BadSettings("set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to the project's keys")
    url = os.environ.get("LANGFUSE_BASE_URL") or os.environ.get("LANGFUSE_HOST")
    url = (url or "https://cloud.langfuse.com").rstrip("/")
    # the class was renamed with SDK 4
    make = getattr(api, "LangfuseAPI", None) or api.client.FernLangfuse  # type: ignore[attr-defined]
    client = make(base_url=url, username=keys[0], password=keys[1], timeout=LONGEST_WAIT)
    return url, str(keys[0]), client._client_wrapper.httpx_client


def _dataset(server: _Server, name: str) -> tuple[Record, str]:
    """The dataset, and the run named behind it; both may have slashes in their names."""
    end = len(name)
    while end > 0:
        own = _quoted(name[:end])
        found = server.get(f"v2/datasets/{own}") or server.get(f"datasets/{own}")
        if found:
            return found, name[end + 1 :]
        end = name.rfind("/", 0, end)
    raise BadSettings(f"there is no dataset {name!r} in this project on {server.url}")


def _runs(server: _Server, dataset: Record) -> list[tuple[Record, Callable[..., Iterator[Record]]]]:
    """The runs of a dataset, and how to read the answers of each."""
    asked = {"datasetId": dataset["id"], "fromStartTime": LONG_AGO}
    experiments = server.listing("experiments", fields="core,metadata", **asked) or []
    path = f"datasets/{_quoted(dataset['name'])}/runs"
    older = server.listing(path, pages=True)
    if older is None:  # the first servers only name them
        named = (server.get(f"{path}/{_quoted(name)}") for name in dataset.get("runs") or [])
        older = [run for run in named if run]
    found = {run["id"]: (run, _of_run) for run in older}
    return list((found | {run["id"]: (run, _of_experiment) for run in experiments}).values())


def _of_experiment(server: _Server, dataset: Record, run: Record) -> Iterator[Record]:
    """The answers of an experiment with their observations and scores."""
    asked: Record = {"experimentId": run["id"], "fromStartTime": LONG_AGO, "fields": ITEMS}
    items = server.listing("experiment-items", **asked) or []
    items.sort(key=lambda item: (str(item.get("startTime")), str(item["id"])))
    roots = _grouped(items, lambda item: item["traceId"])
    for start in range(0, len(items), TRACES):
        batch = items[start : start + TRACES]
        traces = sorted({str(item["traceId"]) for item in batch})
        observations = _observations(server, traces)
        fields = "details,subject,annotation"
        scores = server.listing("v3/scores", traceId=",".join(traces), fields=fields)
        seen = _grouped(observations or [], lambda record: record["traceId"])
        judged = _grouped(scores or [], partial(_trace_of, observations or []))
        for item in batch:
            trace = str(item["traceId"])
            line = {"answer": item, "roots": [one["id"] for one in roots[trace]]}
            if observations is None or scores is None:
                yield {**line, "trace": server.get(f"traces/{_quoted(trace)}")}
            else:
                yield {**line, "observations": seen[trace], "scores": judged[trace]}


def _observations(server: _Server, traces: list[str]) -> list[Record] | None:
    """The observations of traces, asked for at once where the server filters by a list."""
    column = {"type": "stringOptions", "column": "traceId", "operator": "any of", "value": traces}
    asked: Record = {"filter": compact([column]), "fields": OBSERVATIONS}
    found = server.listing("v2/observations", absent=(400, 404), **asked)
    if found is not None:
        return found
    found = []
    for trace in traces:
        part = server.listing("v2/observations", traceId=trace, fields=OBSERVATIONS)
        if part is None:
            return None
        found += part
    return found


def _trace_of(observations: list[Record], score: Record) -> str | None:
    subject = score.get("subject") or {}
    if subject.get("kind") == "trace":
        return subject["id"]
    of = (o["traceId"] for o in observations if o["id"] == subject.get("id"))
    return subject.get("traceId") or next(of, None)


def _of_run(server: _Server, dataset: Record, run: Record) -> Iterator[Record]:
    """The answers of a dataset run of an older server: items of the dataset and their traces."""
    listed = server.listing("dataset-items", pages=True, datasetName=dataset["name"])
    items = {item["id"]: item for item in listed or dataset.get("items") or []}
    whole = server.get(f"datasets/{_quoted(dataset['name'])}/runs/{_quoted(run['name'])}") or {}
    answers = whole.get("datasetRunItems") or []
    answers.sort(key=lambda answer: (str(answer.get("createdAt")), str(answer["id"])))
    for answer in answers:
        if not answer.get("traceId"):  # the first servers knew only the observation
            observation = server.get(f"observations/{_quoted(answer['observationId'])}") or {}
            answer["traceId"] = observation.get("traceId")
    roots = _grouped(answers, lambda answer: answer["traceId"])
    for answer in answers:
        own, trace = answer["datasetItemId"], answer["traceId"]
        item = items.get(own) or server.get(f"dataset-items/{_quoted(own)}")
        yield {
            "answer": answer,
            # their addresses are signed anew with each request
            "item": item and {k: v for k, v in item.items() if k != "mediaReferences"},
            "trace": trace and server.get(f"traces/{_quoted(trace)}"),
            "roots": [one["observationId"] for one in roots[trace] if one.get("observationId")],
        }


def _snapshot(
    server: _Server, dataset: Record, run: Record, answers: Iterator[Record], folder: Path
) -> Path:
    """Write the snapshot of one run; a name on the server never becomes a path."""

    def content() -> Iterator[str]:
        about = {k: dataset.get(k) for k in ("id", "name", "description", "metadata")}
        own = {k: v for k, v in run.items() if k != "datasetRunItems"}
        yield compact({"aiops_lab": "langfuse 1", "dataset": about, "run": own})
        prompts = set()
        for line in answers:
            for part in ("observations", "scores"):
                records = line.get(part) or (line.get("trace") or {}).get(part) or []
                records.sort(key=lambda r: (str(r.get("startTime")), str(r["id"])))
                named = [r for r in records if r.get("promptName")]
                prompts |= {(r["promptName"], r["promptVersion"]) for r in named}
            yield compact(line)
        yield from (compact({"score": score}) for score in _scores_of_run(server, run))
        yield from (compact({"prompt": _prompt(server, *prompt)}) for prompt in sorted(prompts))

    words = [re.sub(r"[^A-Za-z0-9]+", "-", each["name"]).strip("-")[:40] for each in (dataset, run)]
    path = folder / f"{'-'.join(words)}-{digest(compact([dataset['id'], run['id']]))[:12]}.jsonl"
    _write(path, content(), server.kept)
    return path


def _scores_of_run(server: _Server, run: Record) -> list[Record]:
    fields = "details,subject,annotation"
    scores = server.listing("v3/scores", experimentId=run["id"], fields=fields)
    if scores is None:
        # servers that do not know this filter would list every score they have
        first = server.get("v2/scores", (400, 404), limit=1, datasetRunId=run["id"]) or {}
        if any(score.get("datasetRunId") == run["id"] for score in first.get("data") or []):
            scores = server.listing("v2/scores", pages=True, datasetRunId=run["id"])
    return sorted(scores or [], key=lambda s: (str(s.get("timestamp")), str(s["id"])), reverse=True)


def _prompt(server: _Server, name: str, version: int) -> Record:
    """A prompt without what changes beside its text (labels, times); only its name if deleted."""
    found = server.get(f"v2/prompts/{_quoted(name)}", version=version)
    found = found or server.get("prompts", name=name, version=version) or {}
    kept = {k: v for k, v in found.items() if k in ("type", "prompt", "config", "commitMessage")}
    return {"name": name, "version": version, **kept}


def _grouped(records: list[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups


def _quoted(name: str) -> str:
    """A name as one part of a path; dots too, which would climb it."""
    return quote(name, safe="").replace(".", "%2E")


def _write(path: Path, texts: Any, scratch: Path | None = None) -> None:
    """Write lines to a file that is whole or not there."""
    scratch = scratch or path.parent
    scratch.mkdir(parents=True, exist_ok=True)
    draft = scratch / f"{uuid4().hex}.tmp"
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{text}\n" for text in texts)
    draft.replace(path)
