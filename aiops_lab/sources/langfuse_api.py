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
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from aiops_lab.errors import BadSettings, LabError
from aiops_lab.sources.jsonio import compact
from aiops_lab.sources.server import LONGEST_WAIT, Record, Server, quoted, write
from aiops_lab.tables import digest

MARK = b'{"aiops_lab":"langfuse 1"'
TRACES = 50
"""Traces asked about at once."""
LONG_AGO = "2000-01-01T00:00:00Z"
ITEMS = "core,dataset,io,itemMetadata"
OBSERVATIONS = "core,basic,io,metadata,model,usage,prompt,metrics"


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
    server = serving(folder / ".partial", name, wait)
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


def serving(folder: Path, name: str, wait: Callable[[float], None]) -> Server:
    """The server that the environment names, asked by the package's HTTP client without tracing."""
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
    http = client._client_wrapper.httpx_client

    def send(path: str, asked: Record) -> Any:
        options = {"max_retries": 0}
        return http.request(
            f"api/public/{path}", method="GET", params=asked, request_options=options
        )

    return Server("Langfuse", url, send, folder / digest(compact([url, keys[0], name])), wait)


def _dataset(server: Server, name: str) -> tuple[Record, str]:
    """The dataset, and the run named behind it; both may have slashes in their names."""
    end = len(name)
    while end > 0:
        own = quoted(name[:end])
        found = server.get(f"v2/datasets/{own}") or server.get(f"datasets/{own}")
        if found:
            return found, name[end + 1 :]
        end = name.rfind("/", 0, end)
    raise BadSettings(f"there is no dataset {name!r} in this project on {server.url}")


def _runs(server: Server, dataset: Record) -> list[tuple[Record, Callable[..., Iterator[Record]]]]:
    """The runs of a dataset, and how to read the answers of each."""
    asked = {"datasetId": dataset["id"], "fromStartTime": LONG_AGO}
    experiments = server.listing("experiments", fields="core,metadata", **asked) or []
    path = f"datasets/{quoted(dataset['name'])}/runs"
    older = server.listing(path, numbered=True)
    if older is None:  # the first servers only name them
        named = (server.get(f"{path}/{quoted(name)}") for name in dataset.get("runs") or [])
        older = [run for run in named if run]
    found = {run["id"]: (run, _of_run) for run in older}
    return list((found | {run["id"]: (run, _of_experiment) for run in experiments}).values())


def _of_experiment(server: Server, dataset: Record, run: Record) -> Iterator[Record]:
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
                yield {**line, "trace": server.get(f"traces/{quoted(trace)}")}
            else:
                yield {**line, "observations": seen[trace], "scores": judged[trace]}


def _observations(server: Server, traces: list[str]) -> list[Record] | None:
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


def _of_run(server: Server, dataset: Record, run: Record) -> Iterator[Record]:
    """The answers of a dataset run of an older server: items of the dataset and their traces."""
    listed = server.listing("dataset-items", numbered=True, datasetName=dataset["name"])
    items = {item["id"]: item for item in listed or dataset.get("items") or []}
    whole = server.get(f"datasets/{quoted(dataset['name'])}/runs/{quoted(run['name'])}") or {}
    answers = whole.get("datasetRunItems") or []
    answers.sort(key=lambda answer: (str(answer.get("createdAt")), str(answer["id"])))
    for answer in answers:
        if not answer.get("traceId"):  # the first servers knew only the observation
            observation = server.get(f"observations/{quoted(answer['observationId'])}") or {}
            answer["traceId"] = observation.get("traceId")
    roots = _grouped(answers, lambda answer: answer["traceId"])
    for answer in answers:
        own, trace = answer["datasetItemId"], answer["traceId"]
        item = items.get(own) or server.get(f"dataset-items/{quoted(own)}")
        yield {
            "answer": answer,
            # their addresses are signed anew with each request
            "item": item and {k: v for k, v in item.items() if k != "mediaReferences"},
            "trace": trace and server.get(f"traces/{quoted(trace)}"),
            "roots": [one["observationId"] for one in roots[trace] if one.get("observationId")],
        }


def _snapshot(
    server: Server, dataset: Record, run: Record, answers: Iterator[Record], folder: Path
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
    write(path, content(), server.kept)
    return path


def _scores_of_run(server: Server, run: Record) -> list[Record]:
    fields = "details,subject,annotation"
    scores = server.listing("v3/scores", experimentId=run["id"], fields=fields)
    if scores is None:
        # servers that do not know this filter would list every score they have
        first = server.get("v2/scores", (400, 404), limit=1, datasetRunId=run["id"]) or {}
        if any(score.get("datasetRunId") == run["id"] for score in first.get("data") or []):
            scores = server.listing("v2/scores", numbered=True, datasetRunId=run["id"])
    return sorted(scores or [], key=lambda s: (str(s.get("timestamp")), str(s["id"])), reverse=True)


def _prompt(server: Server, name: str, version: int) -> Record:
    """A prompt without what changes beside its text (labels, times); only its name if deleted."""
    found = server.get(f"v2/prompts/{quoted(name)}", version=version)
    found = found or server.get("prompts", name=name, version=version) or {}
    kept = {k: v for k, v in found.items() if k in ("type", "prompt", "config", "commitMessage")}
    return {"name": name, "version": version, **kept}


def _grouped(records: list[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups
