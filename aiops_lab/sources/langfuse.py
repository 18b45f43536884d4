"""Langfuse: the snapshots that `langfuse_api` fetched, one file a dataset run.

After a line that names the dataset and the run, each line is one answer with all that the server
holds of it, one score of the whole run, or one prompt. Records are as the server gave them: the
shapes of its older and its newer API meet here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Mapping, Source
from aiops_lab.sources.jsonio import compact, decode, lines
from aiops_lab.sources.langfuse_api import MARK, fetch
from aiops_lab.sources.rows import SHORT, Rows, noting, number, run_summary, thin, when
from aiops_lab.tables import digest

Record = dict[str, Any]
OBJECTS, ANYTHING = msgspec.json.Decoder(Record), msgspec.json.Decoder(Any)
KINDS = {"API": "code", "EVAL": "model", "ANNOTATION": "human"}
"""Where a score came from -> who scored."""
OLDER = {"input": "promptTokens", "output": "completionTokens"}


def sniff(path: Path, head: bytes) -> bool:
    """Whether this is a snapshot of a dataset run."""
    return head.startswith(MARK)


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read the snapshot of one dataset run."""
    header = decode(next(lines(path), (1, b""))[1], OBJECTS, "line 1")
    if not isinstance(header.get("run"), dict) or not header["run"].get("id"):
        raise BadSource("no run is named", "line 1")
    run = _Run(header, _metrics(path), path.resolve().as_uri(), texts)
    for at, raw in lines(path):
        with noting(run.rows.problem, f"line {at}", "a Langfuse record"):
            run.take(decode(raw, OBJECTS, f"line {at}"), f"line {at}")
        if run.rows.full:
            yield run.rows.batch()
    yield run.finish()


class Part(NamedTuple):
    """What of a trace is one answer's: its own observations, and those of its evaluators."""

    root: str | None
    observations: list[Record]
    own: list[Record]
    judges: list[Record]


class _Run:
    """The rows of a run, and what its answers have in common, gathered line by line."""

    def __init__(self, header: Record, metrics: dict[Any, str], uri: str, texts: bool) -> None:
        self.rows = Rows()
        self._run, self._dataset = header["run"], header.get("dataset") or {}
        self._id = str(self._run["id"])
        self._metrics, self._uri, self._texts = metrics, uri, texts
        self._epochs: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._prompts: set[str] = set()
        self._versions: set[str] = set()
        self._times: list[datetime] = []
        self._recorded: Record = {}
        self._found = 0

    def take(self, line: Record, place: str) -> None:
        """Add what one line tells."""
        if answer := line.get("answer"):
            self._answer(line, answer, place)
        elif score := line.get("score"):
            self._score_of_run(score, place)
        elif prompt := line.get("prompt"):
            if "prompt" in prompt:
                self.rows.artefact("prompt", text_of(prompt["prompt"]) or "", version_of(prompt))
            else:
                self.rows.problem(place, f"prompt {version_of(prompt)} is not on the server")

    def _answer(self, line: Record, answer: Record, place: str) -> None:
        trace, item = line.get("trace") or {}, line.get("item") or {}
        part = _part(line, answer, trace)
        sample_id = text_of(answer.get("datasetItemId") or answer["experimentItemId"]) or ""
        lost = not trace and not part.observations
        if lost:
            self.rows.problem(
                f"{place} trace", f"trace {answer.get('traceId')} is not on the server"
            )
        if not item and "experimentItemId" not in answer:
            self.rows.problem(f"{place} item", f"dataset item {sample_id} was deleted: no target")
        sample = _sample(answer, item, trace, part, self._texts)
        if lost and answer.get("output") is None:
            sample["error"] = "its trace is not on the server"
        scores = list(self._scores(line, trace, part, place))
        self._epochs[sample_id] += 1
        key = {"run_id": self._id, "sample_id": sample_id, "epoch": self._epochs[sample_id]}
        self.rows.add("samples", **key, detail_uri=f"{self._uri}#{place}", **sample)
        for score in scores:
            self.rows.add("scores", **key, **score)
        self._found += not lost or answer.get("output") is not None
        self._models.update(str(o["model"]) for o in part.own if o.get("model"))
        self._prompts |= {version_of(o) for o in part.own if o.get("promptName")}
        self._versions |= {str(answer.get("experimentItemVersion") or "")} - {""}
        self._times += [t for o in part.own for t in times_of(o) if t]

    def _scores(self, line: Record, trace: Record, part: Part, place: str) -> Iterator[Record]:
        """The scores of an answer, each metric once: of the whole before of a step, then the last.

        A trace that several answers share says whose observations are whose.
        """
        others = _below(part.observations, set(line.get("roots") or ()) - {part.root})
        others -= {o["id"] for o in part.own}
        scores = line.get("scores") or trace.get("scores") or []
        whole = (None, part.root)
        latest = sorted(
            (s for s in scores if subject_of(s) not in others),
            key=lambda s: (subject_of(s) in whole, str(s.get("timestamp")), str(s.get("id"))),
            reverse=True,
        )
        seen: set[str] = set()
        for score in latest:
            metric = self._metrics[score.get("name"), kind_of(score)]
            reading = self._reading(score, f"{place} score {score.get('id')}", metric in seen)
            if reading is not None:
                seen.add(metric)
                comment = {"explanation": text_of(score.get("comment"))}
                by = {"scorer": text_of(score.get("authorUserId")) or "langfuse"}
                yield {"metric": metric, "scorer_kind": kind_of(score), **by, **comment, **reading}

    def _score_of_run(self, score: Record, place: str) -> None:
        metric = str(score.get("name"))
        reading = self._reading(score, place, metric in self._recorded)
        if reading is not None:
            figure = reading["value"]
            self._recorded[metric] = reading.get("label") if figure is None else figure

    def _reading(self, score: Record, place: str, again: bool) -> Record | None:
        """What a score says, or nothing, with the reason told."""
        found = value_of(score)
        told = f"score {score.get('name')!r}: {text_of(score.get('value'))!s:.100}"
        if score.get("dataType") == "CORRECTION":
            return self.rows.problem(place, f"a correction is not a score; {told}")
        if again:
            return self.rows.problem(place, f"a later score has that name; {told}")
        if found["value"] is None and found.get("label") is None:
            self.rows.problem(place, f"no value; {told}")
        return found

    def finish(self) -> Batch:
        """The last rows, that of the run among them."""
        run, metadata = self._run, self._run.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {"metadata": metadata}
        own = first(metadata.get("prompt_version"), metadata.get("promptVersion"))
        begun = when(run.get("startTime")) or when(run.get("createdAt"))
        tags = metadata.get("tags")
        self.rows.add(
            "runs",
            run_id=self._id,
            source=SOURCE.name,
            task=text_of(self._dataset.get("name")),
            model=next((m for m, _ in self._models.most_common(1)), text_of(metadata.get("model"))),
            prompt_version=", ".join(sorted(self._prompts)) or text_of(own),
            dataset_version=max(self._versions, default=None),
            config=compact({**thin(metadata), "recorded": self._recorded, "name": run.get("name")}),
            started_at=begun or min(self._times, default=None),
            status="success",
            tags=[str(run.get("name")), *map(str, tags if isinstance(tags, list) else [])],
            git_commit=text_of(first(metadata.get("git_commit"), metadata.get("sha"))),
        )
        ended = max(self._times, default=None)
        return self.rows.batch([run_summary(self._id, self._found, True, ended)])


def _metrics(path: Path) -> dict[Any, str]:
    """By name and kind of scorer the metric: a name that people and models share is two metrics.

    The first of code, model and human keeps the name, the others add their kind.
    """
    kinds: dict[Any, set[str]] = defaultdict(set)
    for _, raw in lines(path):
        with suppress(BadSource, AttributeError, TypeError):
            line = decode(raw, OBJECTS)
            for score in line.get("scores") or (line.get("trace") or {}).get("scores") or []:
                kinds[score.get("name")].add(kind_of(score))
    order = list(KINDS.values())
    return {
        (name, kind): str(name) + (f" ({kind})" if kind != min(found, key=order.index) else "")
        for name, found in kinds.items()
        for kind in found
    }


def _part(line: Record, answer: Record, trace: Record) -> Part:
    """An answer's own part of a trace: what happened within its root, but for the evaluators."""
    observations = line.get("observations") or trace.get("observations") or []
    root = answer["id"] if "experimentItemId" in answer else answer.get("observationId")
    ids = [o["id"] for o in observations]
    judged = _below(observations, [o["id"] for o in observations if o.get("type") == "EVALUATOR"])
    within = _below(observations, [root] if root in ids else ids) - judged
    judges = [o for o in observations if o["id"] in judged]
    return Part(root, observations, [o for o in observations if o["id"] in within], judges)


def _sample(answer: Record, item: Record, trace: Record, part: Part, texts: bool) -> Record:
    own, judges = part.own, part.judges
    top = [o for o in own if o["id"] == part.root] or [
        o for o in own if not o.get("parentObservationId")
    ]
    asked = first(answer.get("input"), item.get("input"), trace.get("input"))
    target = first(answer.get("expectedOutput"), item.get("expectedOutput"))
    at_root = top[0].get("output") if len(top) == 1 else None
    output = first(answer.get("output"), at_root, trace.get("output"))
    # what a judge was called within lasted longer than the answer took
    around = _above(part.observations, judges)
    timed = [o for o in own if o["id"] not in around]
    told = {"input": text_of(asked), "target": text_of(target), "output": text_of(output)}
    return {
        "input_digest": _digest(asked),
        "target_digest": _digest(target),
        "error": _error(own, output),
        "tokens_in": tokens_of(own, "input"),
        "tokens_out": tokens_of(own, "output"),
        "tokens_judge": tokens_of(judges, *OLDER),
        "latency_s": _seconds(timed or own) or number(trace.get("latency")),
        "cost_usd": sum(map(usd_of, own)) or None,
        "metadata": compact(thin(_metadata(answer, item))),
        **(told if texts else {}),
    }


def _below(observations: list[Record], roots: Iterable[Any]) -> set[str]:
    """The ids of observations and all that happened within them."""
    children: dict[str | None, list[str]] = defaultdict(list)
    for observation in observations:
        children[observation.get("parentObservationId")].append(observation["id"])
    found, todo = set[str](), list(roots)
    while todo:
        if (one := todo.pop()) not in found:
            found.add(one)
            todo += children[one]
    return found


def _above(observations: list[Record], within: list[Record]) -> set[str]:
    """The ids of observations that others happened within."""
    parents = {o["id"]: o.get("parentObservationId") for o in observations}
    found = set[str]()
    for observation in within:
        one = parents[observation["id"]]
        while one and one not in found:
            found.add(one)
            one = parents.get(one)
    return found


def kind_of(score: Record) -> str:
    return KINDS.get(score.get("source") or "API", "code")


def subject_of(score: Record) -> str | None:
    """The observation that was scored; nothing: the whole trace."""
    if subject := score.get("subject"):
        return subject["id"] if subject["kind"] == "observation" else None
    return score.get("observationId")


def value_of(score: Record) -> Record:
    """Value, passed and label; a category is a number only where its configuration maps it."""
    value, text = score.get("value"), score.get("stringValue")
    if isinstance(value, str):
        value, text = None, value
    match score.get("dataType"):
        case "BOOLEAN":
            figure = {"true": 1.0, "false": 0.0}.get(str(text).lower(), number(value))
            return {"value": figure, "passed": None if figure is None else bool(figure)}
        case "TEXT":
            return {"value": None, "label": text and text[:SHORT]}
        case "NUMERIC":
            return {"value": number(text if value is None else value)}
    if text is None:
        return {"value": number(value)}
    # without a configuration the server sends 0, which means nothing
    mapped = value if score.get("configId") and value is not None else text
    return {"value": number(mapped), "label": text}


def _error(work: list[Record], output: Any) -> str | None:
    """Why there is no answer; an error within it that was got over is none."""
    ids = {o["id"] for o in work}
    failed = [o for o in work if o.get("level") == "ERROR"]
    top = [o for o in failed if o.get("parentObservationId") not in ids]
    told = [text_of(o.get("statusMessage")) for o in top or (failed if output is None else [])]
    return (told[0] or "error") if told else None


def tokens_of(work: list[Record], *sides: str) -> int | None:
    """Tokens of ``input`` or ``output`` in all their kinds (cached, audio); 0 is not known."""
    total = 0.0
    for observation, side in product(work, sides):
        usage = observation.get("usage") or {}
        if details := observation.get("usageDetails"):
            total += sum(number(n) or 0 for kind, n in details.items() if side in kind)
        elif usage.get("unit") in (None, "TOKENS"):
            total += number(first(usage.get(side), usage.get(OLDER[side]))) or 0
    return round(total) or None


def usd_of(observation: Record) -> float:
    """US dollars; 0 where the server knows no price."""
    usage = observation.get("usage") or {}
    costs = (observation.get("totalCost"), observation.get("calculatedTotalCost"))
    return next(filter(None, map(number, (*costs, usage.get("totalCost")))), 0.0)


def times_of(observation: Record) -> tuple[datetime | None, datetime | None]:
    return when(observation.get("startTime")), when(observation.get("endTime"))


def _seconds(work: list[Record]) -> float | None:
    """From the first start to the last end: servers differ in the unit of ``latency``."""
    starts, ends = zip(*map(times_of, work), strict=True) if work else ((), ())
    begun, ended = [t for t in starts if t], [t for t in ends if t]
    return (max(ended) - min(begun)).total_seconds() if begun and ended else None


def _metadata(answer: Record, item: Record) -> Record:
    own = first(answer.get("experimentItemMetadata"), item.get("metadata"))
    own = own if isinstance(own, dict) else {"metadata": own} if own is not None else {}
    return {"trace_id": answer.get("traceId"), **own}


def first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def version_of(named: Record) -> str:
    """A prompt's name and version, of itself or of an observation that used it."""
    name = first(named.get("promptName"), named.get("name"))
    return f"{name}:{first(named.get('promptVersion'), named.get('version'))}"


def text_of(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else compact(value)


def _digest(value: Any) -> str | None:
    """The digest of what a text holds: newer servers give JSON as they stored it, as a text."""
    if isinstance(value, str) and value[:1] in ("{", "[", '"'):
        with suppress(BadSource):
            value = decode(value.encode(), ANYTHING)
    return None if value is None else digest(text_of(value) or "")


SOURCE = Source("langfuse", 1, sniff, read, fetch=fetch)
