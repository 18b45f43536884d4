"""A Langfuse server on the loopback, after the shapes its API definition publishes.

Three ages of the API over the same facts: ``new`` has experiments, observations v2 and scores v3
(all the published client still knows); ``old`` has dataset runs, traces and scores v2; ``first``
knows no v2 at all. What an age does not have answers 404.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

KEYS = ("pk-lf-loopback", "sk-lf-loopback")
BEGUN = datetime(2026, 5, 1, 10, tzinfo=UTC)
Record = dict[str, Any]


def at(seconds: float) -> str:
    """An instant as the server writes it."""
    return (BEGUN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")[:23] + "Z"


@dataclass
class World:
    """What a project holds."""

    dataset: str = "support"
    items: list[Record] = field(default_factory=list)
    runs: list[Record] = field(default_factory=list)
    prompts: dict[tuple[str, int], Any] = field(default_factory=dict)
    links: str | None = "task"
    """What the items of older runs point at within their traces."""
    others: list[Record] = field(default_factory=list)
    """Scores of other projects' runs, which an unknown filter would list."""

    def add_run(self, name: str, right: Callable[[int], float], prompt: int = 1) -> Record:
        """A run over all items, with three scores an answer."""
        number = len(self.runs)
        run = {"id": f"run-{number}-{name}", "name": name, "answers": [], "scores": []}
        run |= {"metadata": {"git_commit": f"c0ffee{number}"}, "start": number * 10_000.0}
        for i, item in enumerate(self.items):
            run["answers"].append(self.answer(run, item, i, right(i), prompt))
        self.runs.append(run)
        return run

    def answer(self, run: Record, item: Record, i: int, right: float, prompt: int = 1) -> Record:
        """One answer: its trace has a task with a generation, and an evaluator with its own."""
        trace = f"{run['id']}-t{len(run['answers']):05d}"
        start = run["start"] + i
        return {
            "trace": trace,
            "item": item,
            "start": start,
            "seconds": 1.0 + i % 3,
            "output": f"answer {i}",
            "level": "DEFAULT",
            "message": None,
            "prompt": prompt,
            "scores": [
                score(f"{trace}-s1", "correctness", right, at=start + 5, comment="by rule"),
                score(f"{trace}-s2", "helpful", i % 2 == 0, source="EVAL", at=start + 6),
                score(f"{trace}-s3", "tone", "dry", source="ANNOTATION", at=start + 7),
            ],
        }


def score(id: str, name: str, value: Any, source: str = "API", **more: Any) -> Record:
    """A score as a fact; `of` says what was scored: trace (else), task, generation, root."""
    kind = "BOOLEAN" if isinstance(value, bool) else "NUMERIC"
    kind = "CATEGORICAL" if isinstance(value, str) else kind
    return {"id": id, "name": name, "value": value, "source": source, "type": kind, **more}


def world(items: int = 8) -> World:
    """Two runs over a dataset; the second answers more of it right, with another prompt."""
    made = World()
    for i in range(items):
        made.items.append(
            {"id": f"item-{i:04d}", "input": {"question": f"q{i}"}, "target": f"t{i}"}
        )
    made.prompts = {("support-answer", n): f"Answer {n}: {{{{question}}}}" for n in (1, 2)}
    made.add_run("base", lambda i: float(i % 2))
    made.add_run("cand", lambda i: float(i % 2 or i % 8 == 0), prompt=2)
    return made


class Server:
    """Serves a world at one age of the API; keeps a log, and fails where it is told to."""

    authorization = f"Basic {base64.b64encode(':'.join(KEYS).encode()).decode()}"

    def __init__(self, world: World, age: str = "new") -> None:
        self.world, self.age = world, age
        self.log: list[tuple[str, dict[str, str], int]] = []
        self.faults: list[tuple[str, int, dict[str, str]]] = []
        """(part of a path, status, headers), each once."""
        self.before: Callable[[str, dict[str, str]], None] = lambda path, asked: None
        self.filters = True
        self.url = ""

    def asked(self, part: str) -> list[dict[str, str]]:
        """What was asked of the paths with `part` and answered."""
        return [asked for path, asked, status in self.log if part in path and status == 200]

    def parse(self, query: str) -> dict[str, str]:
        return dict(parse_qsl(query))

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        self.before(path, asked)
        for fault in self.faults:
            if fault[0] in path:
                self.faults.remove(fault)
                return fault[1], {"message": "as told"}, fault[2]
        routes = {"new": NEW, "old": OLD, "first": FIRST}[self.age]
        parts = path.removeprefix("/api/public/").split("/")
        for pattern, route in routes.items():
            names = pattern.split("/")
            if len(names) == len(parts) and all(
                n == "*" or n == p for n, p in zip(names, parts, strict=True)
            ):
                wild = [unquote(p) for n, p in zip(names, parts, strict=True) if n == "*"]
                found = route(self, asked, *wild)
                if isinstance(found, int):
                    return found, {"message": "refused"}, {}
                return (
                    (404, {"error": "LangfuseNotFoundError"}, {})
                    if found is None
                    else (200, found, {})
                )
        return 404, "<!DOCTYPE html><title>404: This page could not be found</title>", {}


# --- how records look -----------------------------------------------------------------------


def times(seconds: float = 0.0) -> Record:
    return {"createdAt": at(seconds), "updatedAt": at(seconds)}


def dataset(server: Server) -> Record:
    own = {"id": "dataset-1", "name": server.world.dataset, "description": None, "metadata": None}
    return {**own, "projectId": "project", **times()}


def item(server: Server, fact: Record) -> Record:
    media = {"url": f"https://media.invalid/{len(server.log)}", "urlExpiry": str(len(server.log))}
    media |= {"mediaId": "m", "contentType": "image/png", "contentLength": 1}
    reference = {"field": "input", "referenceString": "r", "jsonPath": "$", "media": media}
    return {
        "id": fact["id"],
        "status": "ACTIVE",
        "input": fact["input"],
        "expectedOutput": fact["target"],
        "metadata": fact.get("metadata", {"topic": "ab"[len(fact["id"]) % 2]}),
        "sourceTraceId": None,
        "sourceObservationId": None,
        "datasetId": "dataset-1",
        "datasetName": server.world.dataset,
        "mediaReferences": [reference],
        **times(),
    }


def observations(answer: Record) -> list[Record]:
    trace, start, seconds = answer["trace"], answer["start"], answer["seconds"]

    def one(name: str, parent: str | None, kind: str, end: float, **more: Any) -> Record:
        return {
            "id": f"{trace}-{name}",
            "traceId": trace,
            "parentObservationId": parent and f"{trace}-{parent}",
            "type": kind,
            "name": name,
            "startTime": at(start),
            "endTime": at(start + end),
            "level": "DEFAULT",
            "statusMessage": None,
            "input": None,
            "output": None,
            "metadata": {},
            "environment": "sdk-experiment",
            "projectId": "project",
            **more,
        }

    generation = {
        "model": "m/answers",
        "promptName": "support-answer",
        "promptVersion": answer["prompt"],
    }
    failed = {"level": answer["level"], "statusMessage": answer["message"]}
    usage = {"input": 10, "input_cached_tokens": 5, "output": 7, "total": 22}
    return [
        one("root", None, "SPAN", seconds + 9, output=answer["output"]),
        one("task", "root", "SPAN", seconds, output=answer["output"], **failed),
        one("generation", "task", "GENERATION", seconds, usageDetails=usage, totalCost=0.002,
            **generation),
        one("evaluator", "root", "EVALUATOR", seconds + 9),
        one("judge", "evaluator", "GENERATION", seconds + 9, model="m/judge", totalCost=0.5,
            usageDetails={"input": 900, "output": 90, "total": 990}),
    ]  # fmt: skip


def subject(answer: Record | None, run: Record, fact: Record) -> Record:
    if answer is None:
        return {"kind": "experiment", "id": run["id"]}
    if "of" not in fact:
        return {"kind": "trace", "id": answer["trace"]}
    own = {"kind": "observation", "id": f"{answer['trace']}-{fact['of']}"}
    return own if fact.get("orphan") else {**own, "traceId": answer["trace"]}


def score_v3(answer: Record | None, run: Record, fact: Record) -> Record:
    own = {"id": fact["id"], "name": fact["name"], "value": fact["value"], "source": fact["source"]}
    own |= {
        "dataType": fact["type"],
        "timestamp": at(fact.get("at", 0)),
        "comment": fact.get("comment"),
    }
    own |= {"projectId": "project", "environment": "default", "configId": fact.get("config")}
    own |= {"metadata": {}, "authorUserId": None, "queueId": None, **times()}
    return {**own, "subject": subject(answer, run, fact)}


def score_v1(answer: Record | None, run: Record, fact: Record) -> Record:
    value, text = fact["value"], None
    if fact["type"] == "BOOLEAN":
        value, text = float(value), str(value)
    elif isinstance(value, str):
        value, text = fact.get("mapped", 0), value
    own = {"id": fact["id"], "name": fact["name"], "value": value, "source": fact["source"]}
    own |= {
        "dataType": fact["type"],
        "timestamp": at(fact.get("at", 0)),
        "comment": fact.get("comment"),
    }
    own |= {"configId": fact.get("config"), "authorUserId": None, "queueId": None, **times()}
    if text is not None:
        own["stringValue"] = text
    if answer is None:
        return {**own, "datasetRunId": run["id"], "traceId": None, "observationId": None}
    of = f"{answer['trace']}-{fact['of']}" if "of" in fact else None
    return {**own, "traceId": answer["trace"], "observationId": of}


def all_answers(server: Server) -> Iterator[tuple[Record, Record]]:
    yield from ((run, answer) for run in server.world.runs for answer in run["answers"])


# --- paging ---------------------------------------------------------------------------------


def paged(records: list[Record], asked: dict[str, str]) -> Record:
    page, limit = int(asked.get("page", 1)), int(asked.get("limit", 50))
    pages = -(-len(records) // limit)
    meta = {"page": page, "limit": limit, "totalItems": len(records), "totalPages": pages}
    return {"data": records[(page - 1) * limit : page * limit], "meta": meta}


def behind(records: list[Record], asked: dict[str, str], most: int = 100) -> Record | int:
    """A page behind a cursor; what the definition refuses is refused."""
    limit = int(asked.get("limit", 50))
    if limit > most or "page" in asked:
        return 400
    last = base64.b64decode(asked["cursor"]).decode() if "cursor" in asked else None
    start = 1 + next((n for n, r in enumerate(records) if r["id"] == last), -1)
    page = records[start : start + limit]
    more = start + limit < len(records)
    cursor = {"cursor": base64.b64encode(page[-1]["id"].encode()).decode()} if more else {}
    return {"data": page, "meta": {"limit": limit, **cursor}}


# --- experiments, observations v2, scores v3 --------------------------------------------------


def experiments(server: Server, asked: dict[str, str]) -> Record | int:
    if "fromStartTime" not in asked:
        return 400
    found = [
        {
            "id": run["id"],
            "name": run["name"],
            "description": None,
            "startTime": at(run["start"]),
            "endTime": at(run["start"] + 5_000),
            "itemCount": len(run["answers"]),
            "datasetId": "dataset-1",
            "metadata": run["metadata"],
        }
        for run in server.world.runs
    ]
    return behind(found[::-1] if asked.get("datasetId") == "dataset-1" else [], asked)


def experiment_items(server: Server, asked: dict[str, str]) -> Record | int:
    if "fromStartTime" not in asked:
        return 400
    found = []
    for run, answer in all_answers(server):
        if run["id"] == asked["experimentId"]:
            own = item(server, answer["item"])
            found.append(
                {
                    "id": f"{answer['trace']}-task",
                    "traceId": answer["trace"],
                    "startTime": at(answer["start"]),
                    "endTime": at(answer["start"] + answer["seconds"]),
                    "level": answer["level"],
                    "environment": "sdk-experiment",
                    "experimentId": run["id"],
                    "experimentName": run["name"],
                    "experimentItemId": own["id"],
                    "experimentDatasetId": "dataset-1",
                    "experimentItemVersion": at(0),
                    "input": json.dumps(own["input"], indent=1),
                    "output": answer["output"],
                    "expectedOutput": own["expectedOutput"],
                    "experimentItemMetadata": own["metadata"],
                }
            )
    return behind(found[::-1], asked)


def observations_v2(server: Server, asked: dict[str, str]) -> Record | int:
    traces = [asked["traceId"]] if "traceId" in asked else []
    if "filter" in asked:
        if not server.filters:
            return 400
        [condition] = json.loads(asked["filter"])
        assert condition["column"] == "traceId" and condition["operator"] == "any of"
        traces = condition["value"]
    found = [
        o
        for _, a in all_answers(server)
        if (a["trace"] in traces or "fromStartTime" in asked) and not a.get("gone")
        for o in observations(a)
        if between(o["startTime"], asked, "StartTime")
    ]
    return behind(found[::-1], asked, 1000)


def scores_v3(server: Server, asked: dict[str, str]) -> Record | int:
    if "experimentId" in asked:
        runs = [run for run in server.world.runs if run["id"] == asked["experimentId"]]
        return behind([score_v3(None, run, fact) for run in runs for fact in run["scores"]], asked)
    traces = asked.get("traceId", "").split(",")
    found = [
        score_v3(a, run, f)
        for run, a in all_answers(server)
        if a["trace"] in traces or "fromTimestamp" in asked
        for f in a["scores"]
    ]
    return behind([s for s in found if between(s["timestamp"], asked, "Timestamp")][::-1], asked)


def between(moment: str, asked: dict[str, str], what: str) -> bool:
    """Whether a moment is within what is asked for, if anything."""
    return asked.get(f"from{what}", "")[:19] <= moment[:19] < asked.get(f"to{what}", "9")[:19]


def named_dataset(server: Server, asked: dict[str, str], name: str) -> Record | None:
    return dataset(server) if name == server.world.dataset else None


def prompt(server: Server, asked: dict[str, str], name: str = "") -> Record | None:
    key = (name or asked["name"], int(asked["version"]))
    if key not in server.world.prompts:
        return None
    text = server.world.prompts[key]
    own = {"name": key[0], "version": key[1], "prompt": text, "config": {}, "tags": []}
    return {
        **own,
        "type": "text" if isinstance(text, str) else "chat",
        "labels": [str(len(server.log))],
    }


def dataset_items(server: Server, asked: dict[str, str]) -> Record:
    if asked.get("datasetName") != server.world.dataset:
        return paged([], asked)
    return paged([item(server, fact) for fact in server.world.items], asked)


# --- dataset runs, traces, scores v2 ----------------------------------------------------------


def run_record(server: Server, run: Record) -> Record:
    own = {"id": run["id"], "name": run["name"], "description": None, "metadata": run["metadata"]}
    return {
        **own,
        "datasetId": "dataset-1",
        "datasetName": server.world.dataset,
        **times(run["start"]),
    }


def runs_v1(server: Server, asked: dict[str, str], name: str) -> Record | None:
    if name != server.world.dataset:
        return None
    return paged([run_record(server, run) for run in server.world.runs], asked)


def run_v1(server: Server, asked: dict[str, str], name: str, wanted: str) -> Record | None:
    for run in server.world.runs:
        if (name, wanted) == (server.world.dataset, run["name"]):
            links = []
            for answer in run["answers"]:
                link = {"id": f"link-{answer['trace']}", "datasetRunId": run["id"]}
                link |= {"datasetRunName": run["name"], "datasetItemId": answer["item"]["id"]}
                links_to = server.world.links
                whole = links_to and f"{answer['trace']}-{links_to}"
                first = server.age == "first"
                link |= {"traceId": None if first else answer["trace"], "observationId": whole}
                links.append({**link, **times(answer["start"])})
            return {**run_record(server, run), "datasetRunItems": links[::-1]}
    return None


def trace_v1(server: Server, asked: dict[str, str], wanted: str) -> Record | None:
    for run, answer in all_answers(server):
        if answer["trace"] == wanted and not answer.get("gone"):
            found = observations(answer)
            if server.age == "first":
                for one in found:
                    details = one.pop("usageDetails", None)
                    if details:
                        used = details["input"] + details.get("input_cached_tokens", 0)
                        one["usage"] = {
                            "input": used,
                            "output": details["output"],
                            "unit": "TOKENS",
                        }
                        one["calculatedTotalCost"] = one.pop("totalCost")
            return {
                "id": wanted,
                "timestamp": at(answer["start"]),
                "name": "support",
                "input": None,
                "output": None,
                "sessionId": None,
                "metadata": {},
                "tags": [],
                "public": False,
                "htmlPath": f"/project/project/traces/{wanted}",
                "latency": answer["seconds"] + 9,
                "totalCost": 0.502,
                "observations": found,
                "scores": [score_v1(answer, run, fact) for fact in answer["scores"]],
            }
    return None


def traces_v1(server: Server, asked: dict[str, str]) -> Record:
    found = [
        {"id": a["trace"], "timestamp": at(a["start"])}
        for _, a in all_answers(server)
        if not a.get("gone") and between(at(a["start"]), asked, "Timestamp")
    ]
    return paged(found, asked)


def observation_v1(server: Server, asked: dict[str, str], wanted: str) -> Record | None:
    found = (o for _, a in all_answers(server) for o in observations(a) if not a.get("gone"))
    return next((o for o in found if o["id"] == wanted), None)


def scores_v2(server: Server, asked: dict[str, str]) -> Record:
    wanted = asked.get("datasetRunId")
    runs = [run for run in server.world.runs if run["id"] == wanted]
    own = [score_v1(None, run, fact) for run in runs for fact in run["scores"]]
    return paged(server.world.others or own, asked)


def dataset_v1(server: Server, asked: dict[str, str], name: str) -> Record | None:
    if name != server.world.dataset:
        return None
    own = {"items": [item(server, fact) for fact in server.world.items]}
    return {**dataset(server), **own, "runs": [run["name"] for run in server.world.runs]}


NEW = {
    "v2/datasets/*": named_dataset,
    "dataset-items": dataset_items,
    "experiments": experiments,
    "experiment-items": experiment_items,
    "v2/observations": observations_v2,
    "v3/scores": scores_v3,
    "v2/prompts/*": prompt,
}
OLD = {
    "v2/datasets/*": named_dataset,
    "dataset-items": dataset_items,
    "datasets/*/runs": runs_v1,
    "datasets/*/runs/*": run_v1,
    "traces": traces_v1,
    "traces/*": trace_v1,
    "v2/scores": scores_v2,
    "v2/prompts/*": prompt,
}
FIRST = {
    "datasets/*": dataset_v1,
    "datasets/*/runs/*": run_v1,
    "observations/*": observation_v1,
    "traces/*": trace_v1,
    "prompts": prompt,
}
