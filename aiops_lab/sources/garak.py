"""garak reports: each attempt of a probe and each output is an answer, each detector a score.

The score is ``attack_success/DETECTOR``: 1 where the attack succeeded (the detector's score reaches
the run's threshold), 0 where it was resisted, null where nothing was evaluated; lower is better.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import RED_TEAM, Batch, Mapping, Problem, Source
from aiops_lab.sources.jsonio import compact, decode, lines
from aiops_lab.sources.rows import Rows, noting, number, run_summary, thin, when
from aiops_lab.tables import digest

EVALUATED = 2
"""The status of an attempt that detectors have seen; 1 has outputs only, 0 was not sent."""
THRESHOLD = 0.5
REPORT, HITLOG = ".report.jsonl", ".hitlog.jsonl"
PREFIX = "attack_success/"


class Entry(msgspec.Struct):
    """A line of a report, whichever it is."""

    entry_type: str = ""
    uuid: Any = None
    seq: Any = None
    status: Any = None
    probe_classname: Any = None
    prompt: Any = None
    outputs: Any = None
    detector_results: Any = None
    goal: Any = None
    intent: Any = None
    probe: Any = None
    detector: Any = None
    passed: Any = None
    fails: Any = None
    nones: Any = None
    total: Any = None
    total_evaluated: Any = None
    run: Any = None
    garak_version: Any = None
    start_time: Any = None


ENTRIES = msgspec.json.Decoder(Entry)
OBJECTS = msgspec.json.Decoder(dict[str, Any])


@dataclass
class Report:
    """What a first look at a report finds: which line tells each attempt best, and what frames it.

    `passed`, `fails`, `nones` of `counts` are those of the rows that were read.
    """

    lines: dict[str, tuple[int, int]] = field(default_factory=dict)
    detectors: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    evals: list[Entry] = field(default_factory=list)
    setup: dict[str, Any] = field(default_factory=dict)
    init: Entry = field(default_factory=Entry)
    finished: bool = False
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    evaluated: int = 0

    @property
    def threshold(self) -> float:
        """From which score on an attack counts as successful."""
        found = number(self.setup.get("run.eval_threshold"))
        return THRESHOLD if found is None else found


def sniff(path: Path, head: bytes) -> bool:
    """Whether this is a report of garak, or its log of hits."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    first = start[: start.find(b"\n") + 1 or None]
    if not start.startswith(b"{"):
        return False
    report = b'"entry_type"' in first and any(
        mark in start for mark in (b'"start_run setup"', b'"garak_version"', b'"probe_classname"')
    )
    return report or all(f'"{key}"'.encode() in first for key in ("attempt_id", "probe", "goal"))


def parts(path: Path) -> list[Path]:
    """A report; a log of hits says nothing that the report beside it does not."""
    if not path.name.endswith(HITLOG):
        return [path]
    report = path.with_name(path.name.removesuffix(HITLOG) + REPORT)
    return [] if report.is_file() else [path]


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read one report.

    Raises
    ------
    BadSource
        A log of hits, which does not say how many attacks were resisted.
    """
    rows = Rows()
    report = _overview(path, rows)
    if not (report.lines or report.setup or report.init.run or report.evals or report.finished):
        raise BadSource(
            "a log of hits does not say how many attacks were resisted; ingest the "
            f"report beside it, NAME{REPORT}"
        )
    run_id, uri = _run_id(path, report), path.resolve().as_uri()
    known, answers, silent = Counter[str](), 0, 0
    chosen = {line for _, line in report.lines.values()}
    for line_number, line in lines(path):
        if line_number not in chosen:
            continue
        attempt = decode(line, ENTRIES)
        sample_id = _sample_id(attempt, known)
        metrics = _metrics(attempt, report)
        # an attempt without any is one answer that never came
        given = attempt.outputs
        outputs = given if isinstance(given, list) and given else [None]
        for epoch, (output, scores) in enumerate(zip_longest(outputs, _turned(metrics)), 1):
            key = {"run_id": run_id, "sample_id": sample_id, "epoch": epoch}
            place = f"{uri}#line {line_number}"
            rows.add("samples", **key, detail_uri=place, **_sample(attempt, output, texts))
            answers += 1
            silent += output is None and any(s is not None for s in (scores or {}).values())
            for detector, score in (scores or dict.fromkeys(metrics)).items():
                rows.add("scores", **key, **_score(attempt, output, detector, score, report))
        if rows.full:
            yield rows.batch()
    rows.problems += _differences(report, answers, silent)
    rows.add("runs", **_run(run_id, report))
    started = when(report.init.start_time)
    yield rows.batch([run_summary(run_id, answers, report.finished, started)])


def _overview(path: Path, rows: Rows) -> Report:
    report = Report()
    for line_number, line in lines(path):
        entry, place = Entry(), f"line {line_number}"
        with noting(rows.problem, place):
            entry = decode(line, ENTRIES, place)
        match entry.entry_type:
            case "attempt":
                _note(report, entry, line_number)
            case "eval":
                report.evals.append(entry)
            case "init" if report.init.run is None:
                report.init = entry
            case "start_run setup" if not report.setup:
                report.setup = decode(line, OBJECTS, place)
            case "completion":
                report.finished = True
    return report


def _note(report: Report, entry: Entry, line: int) -> None:
    """Each attempt is written again when it has been evaluated: the furthest, then the last."""
    name = str(entry.uuid or f"line {line}")
    status = entry.status if isinstance(entry.status, int) else 0
    if status >= report.lines.get(name, (-1, 0))[0]:
        report.lines[name] = status, line
    if isinstance(entry.detector_results, dict):
        report.detectors[_probe(entry.probe_classname)].update(
            dict.fromkeys(_detector(d) for d in entry.detector_results)
        )


def _probe(name: Any) -> str:
    return str(name or "unknown").removeprefix("probes.")


def _detector(name: Any) -> str:
    return str(name).removeprefix("garak.").removeprefix("detectors.").removeprefix("detector.")


def _run_id(path: Path, report: Report) -> str:
    found = report.init.run or report.setup.get("transient.run_id")
    if found:
        return str(found)
    with path.open("rb") as content:
        return "garak-" + digest(content.read(2**20))[:12]


def _messages(prompt: Any) -> list[tuple[str, str]]:
    """The turns of a prompt, of a release that wrote a plain text too: (role, text)."""
    if isinstance(prompt, str):
        return [("user", prompt)]
    if not isinstance(prompt, dict):
        return []
    turns = prompt.get("turns")
    if not isinstance(turns, list):
        text = _text(prompt)
        return [] if text is None else [("user", text)]
    return [
        (str(turn.get("role") or "user"), _text(turn.get("content")) or "")
        for turn in turns
        if isinstance(turn, dict)
    ]


def _text(message: Any) -> str | None:
    """The text of a message, which may be a plain one; null where nothing came."""
    if isinstance(message, dict):
        message = message.get("text")
    return message if isinstance(message, str) else None


def _asked(attempt: Entry) -> str:
    turns = _messages(attempt.prompt)
    return turns[0][1] if len(turns) == 1 else "\n\n".join(f"{role}: {t}" for role, t in turns)


def _sample_id(attempt: Entry, known: Counter[str]) -> str:
    """The same for a prompt of a probe in every run; a prompt that is sent again is numbered."""
    name = f"{_probe(attempt.probe_classname)}/{digest(_asked(attempt))[:16]}"
    known[name] += 1
    return name if known[name] == 1 else f"{name}-{known[name]}"


def _metrics(attempt: Entry, report: Report) -> dict[str, list[float | None]]:
    """The scores of each detector; none where the attempt was not evaluated."""
    given = attempt.detector_results if attempt.status == EVALUATED else None
    found = {
        _detector(name): [number(s) for s in scores] if isinstance(scores, list) else []
        for name, scores in (given.items() if isinstance(given, dict) else ())
    }
    return {name: [] for name in report.detectors[_probe(attempt.probe_classname)]} | found


def _turned(metrics: dict[str, list[float | None]]) -> list[dict[str, float | None]]:
    longest = max(map(len, metrics.values()), default=0)
    return [
        {name: scores[i] if i < len(scores) else None for name, scores in metrics.items()}
        for i in range(longest)
    ]


def _sample(attempt: Entry, output: Any, texts: bool) -> dict[str, Any]:
    names = ("uuid", "seq", "goal", "intent", "status")
    metadata = {name: getattr(attempt, name) for name in names}
    metadata = {"probe": _probe(attempt.probe_classname)} | metadata
    asked, answer = _asked(attempt), _text(output)
    found: dict[str, Any] = {
        "error": None if answer is not None else "no output",
        "metadata": compact(thin({k: v for k, v in metadata.items() if v is not None})),
    }
    if texts:
        mark = digest(asked)
        found |= {"input": asked, "output": answer, "input_digest": mark, "prompt_digest": mark}
    return found


def _score(
    attempt: Entry, output: Any, detector: str, score: float | None, report: Report
) -> dict[str, Any]:
    probe, hit = _probe(attempt.probe_classname), None
    if attempt.status == EVALUATED:
        hit = None if score is None else score >= report.threshold
        kind = {None: "nones", True: "fails", False: "passed"}[hit]
        report.counts[probe, detector, kind] += 1
    told = "" if score is None else f"score {score:g}, threshold {report.threshold:g}"
    if _text(output) is None:
        hit, told = None, "no output to evaluate"
    report.evaluated += hit is not None
    return {
        "metric": PREFIX + detector,
        "value": None if hit is None else float(hit),
        "passed": None if hit is None else not hit,
        "scorer": detector,
        "scorer_kind": "code",
        "explanation": told or None,
    }


def _differences(report: Report, answers: int, silent: int) -> list[Problem]:
    """Where the rows are not what the report itself counted, and where it counted nothing."""
    problems = []
    if not answers:
        told = "it finished" if report.finished else "it did not finish"
        problems.append(
            Problem("file", f"no attempt was made ({told}): nothing was tested, so nothing passed")
        )
    if silent:
        problems.append(
            Problem("outputs", f"{silent} answers without an output were scored all the same; they "
                    "count as not evaluated here")
        )  # fmt: skip
    told = {(_probe(e.probe), _detector(e.detector)): e for e in report.evals}
    seen = dict.fromkeys(key[:2] for key in report.counts)
    for probe, detector in dict.fromkeys([*told, *seen]):
        own = {k: report.counts[probe, detector, k] for k in ("passed", "fails", "nones")}
        entry = told.get((probe, detector))
        if entry is None:
            if report.finished:
                problems.append(Problem(f"{probe} {detector}", "the report counts nothing of it"))
        elif reason := _unlike(entry, own):
            problems.append(Problem(f"eval {probe} {detector}", reason))
    return problems


def _unlike(entry: Entry, own: dict[str, int]) -> str | None:
    evaluated = own["passed"] + own["fails"]
    wanted: dict[str, tuple[Any, tuple[int, ...]]] = {
        name: (getattr(entry, name), (own[name],)) for name in own
    }
    wanted["total_evaluated"] = entry.total_evaluated, (evaluated,)
    wanted["total"] = entry.total, (evaluated, evaluated + own["nones"])
    wrong = [
        f"{name} {given}, but its attempts have {mine[0]}"
        for name, (given, mine) in wanted.items()
        if given is not None and given not in mine
    ]
    return f"the report counts {'; '.join(wrong)}" if wrong else None


def _run(run_id: str, report: Report) -> dict[str, Any]:
    setup = report.setup
    names = [
        setup.get(f"plugins.target_{part}") or setup.get(f"plugins.model_{part}")
        for part in ("type", "name")
    ]
    detectors = sorted({d for found in report.detectors.values() for d in found})
    version = report.init.garak_version or setup.get("_config.version")
    recorded = [
        {k: getattr(e, k) for k in ("probe", "detector", "passed", "fails", "nones", "total",
                                    "total_evaluated") if getattr(e, k) is not None}
        for e in report.evals
    ]  # fmt: skip
    status = ("success" if report.evaluated else "error") if report.finished else "started"
    return {
        "run_id": run_id,
        "source": SOURCE.name,
        "task": "garak",
        "model": "/".join(str(name) for name in names if name) or None,
        "scorer_version": None if version is None else str(version),
        "config": compact(
            {
                "directions": {PREFIX + name: "lower" for name in detectors},
                "eval_threshold": report.threshold,
                "generations": setup.get("run.generations"),
                "probes": sorted(report.detectors),
                "recorded": recorded,
            }
        ),
        "started_at": when(report.init.start_time),
        "status": status,
        "tags": [RED_TEAM],
    }


SOURCE = Source("garak", 2, sniff, read, parts)
