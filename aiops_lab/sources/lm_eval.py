"""lm-evaluation-harness: a results file and the sample files of the same date are one source."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Mapping, Source
from aiops_lab.sources.jsonio import compact, decode, lines, mapped
from aiops_lab.sources.rows import Count, Rows, noting, number, run_summary, thin, when
from aiops_lab.tables import digest

DATED = re.compile(
    r"^(?:results|samples_(?P<task>.+))_"
    r"(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl?$"
)


class Row(msgspec.Struct):
    doc_id: Count | str | None = None
    doc: Any = None
    target: Any = None
    arguments: Any = None
    resps: Any = None
    filtered_resps: Any = None
    filter: str = "none"
    metrics: list[str] | None = None
    doc_hash: str | None = None
    prompt_hash: str | None = None
    target_hash: str | None = None


OBJECTS = msgspec.json.Decoder(dict[str, Any])
FIELDS = set(Row.__struct_fields__)


def sniff(path: Path, head: bytes) -> bool:
    """Whether this is a results or a samples file of the harness."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if not start.startswith(b"{"):
        return False
    samples = b'"doc_id"' in start and (b'"filtered_resps"' in start or b'"resps"' in start)
    results = b'"results"' in start and any(
        key in start
        for key in (b'"n-shot"', b"_stderr,", b'"group_subtasks"', b'"higher_is_better"')
    )
    return samples or results


def parts(path: Path) -> list[Path]:
    """A results file with its samples files; a samples file alone only where it has no results."""
    name = DATED.match(path.name)
    if name is None:
        return [path]
    date = name["date"]
    if name["task"] is not None:
        return [] if path.with_name(f"results_{date}.json").is_file() else [path]
    return [path, *sorted(path.parent.glob(f"samples_*_{date}.jsonl"))]


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read a results file with its samples, or a samples file alone."""
    files, rows = parts(path) or [path], Rows()
    results: dict[str, Any] = {}
    if path.suffix == ".json":
        results, files = decode(mapped(path), OBJECTS), files[1:]
    tasks = _sections(results, "results")
    done: set[str] = set()
    for file in files:
        name = DATED.match(file.name)
        task = (name and name["task"]) or file.stem
        done.add(task)
        yield from _task(path, file, task, results, texts)
    runs = []
    # without --log_samples there are figures but no answers: the run is listed all the same
    for task in sorted(set(tasks) - done - set(_sections(results, "groups"))):
        run = _run(path, task, results)
        rows.add("runs", **run)
        runs.append(run_summary(run["run_id"], 0, True, run["started_at"]))
    if tasks and not files:
        rows.problem("file", "figures only: no samples file of this date lies beside it")
    yield rows.batch(runs)


def _sections(results: dict[str, Any], key: str) -> dict[str, Any]:
    found = results.get(key)
    return found if isinstance(found, dict) else {}


def _task(
    path: Path, file: Path, task: str, results: dict[str, Any], texts: bool
) -> Iterator[Batch]:
    uri = file.resolve().as_uri()
    run = _run(path, task, results)
    rows, ids = Rows(), dict[tuple[str, str], str]()
    seen: dict[str, int] = defaultdict(int)
    filters: set[tuple[str, str]] = set()
    for line_number, line in lines(file):
        place = f"{file.name} line {line_number}"
        with noting(rows.problem, place, "a sample of the harness"):
            extra = decode(line, OBJECTS, place)
            row = msgspec.convert(extra, Row)
            if row.doc_id is None:
                raise BadSource("no doc_id", place)
            document = row.doc_hash or str(row.doc_id)
            known = (document, str(row.doc_id))
            if new := known not in ids:
                # the same document may stand twice in a split
                seen[document] += 1
                ids[known] = document if seen[document] == 1 else f"{document}-{seen[document]}"
            key = {"run_id": run["run_id"], "sample_id": ids[known], "epoch": 1}
            if new:
                uri_of = f"{uri}#line {line_number}"
                rows.add("samples", **key, detail_uri=uri_of, **_sample(row, texts))
            if (ids[known], row.filter) in filters:
                raise BadSource(f"document {row.doc_id} a second time, {row.filter}", place)
            filters.add((ids[known], row.filter))
            for score in _scores(row, extra):
                rows.add("scores", **key, scorer=task, **score)
        if rows.full:
            yield rows.batch()
    rows.add("runs", **run)
    yield rows.batch(runs=[run_summary(run["run_id"], len(ids), True, run["started_at"])])


def _scores(row: Row, extra: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for metric in row.metrics or [key for key in extra if key not in FIELDS]:
        value = extra.get(metric)
        yield {
            "metric": f"{metric},{row.filter}",
            "value": None if isinstance(value, list | dict | str) else number(value),
            "passed": value if isinstance(value, bool) else None,
            "label": "needs the whole corpus" if isinstance(value, list) else None,
            "scorer_kind": "code",
        }


def _sample(row: Row, texts: bool) -> dict[str, Any]:
    metadata = {"doc_id": row.doc_id}
    if isinstance(row.doc, dict):
        metadata |= {k: v for k, v in row.doc.items() if not isinstance(v, dict | list)}
    found: dict[str, Any] = {
        "input_digest": row.doc_hash,
        "prompt_digest": row.prompt_hash,
        "target_digest": row.target_hash,
        "metadata": compact(thin(metadata)),
    }
    if texts:
        asked, target = _prompt(row.arguments), _text(row.target)
        found |= {"input": asked, "target": target, "output": _text(_first(row.filtered_resps))}
        # older releases store no hashes
        found["input_digest"] = row.doc_hash or digest(compact(row.doc))
        found["prompt_digest"] = row.prompt_hash or (asked and digest(asked))
        found["target_digest"] = row.target_hash or (target and digest(target))
    return found


def _first(value: Any) -> Any:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return compact(value)


def _prompt(arguments: Any) -> str | None:
    """The context the model was given, from a list of requests or its saved form as a dict."""
    if isinstance(arguments, dict):
        first = arguments.get("gen_args_0")
        return _text(first.get("arg_0")) if isinstance(first, dict) else compact(arguments)
    while isinstance(arguments, list) and arguments:
        arguments = arguments[0]
    return _text(arguments)


def _run(path: Path, task: str, results: dict[str, Any]) -> dict[str, Any]:
    name = DATED.match(path.name)
    date = name["date"] if name else path.stem
    config = _sections(results, "config")
    model = results.get("model_name") or config.get("model") or path.parent.name
    task_config = _sections(_sections(results, "configs"), task)
    better = _sections(_sections(results, "higher_is_better"), task)
    day, _, time = date.partition("T")
    prompt = {
        key: task_config.get(key)
        for key in ("description", "doc_to_text", "num_fewshot", "fewshot_delimiter")
        if task_config.get(key) is not None
    }
    return {
        "run_id": f"{model}/{task}/{date}",
        "source": SOURCE.name,
        "task": task,
        "model": str(model),
        "prompt_version": digest(compact(prompt))[:12] if prompt else None,
        "dataset_version": _sections(results, "task_hashes").get(task),
        "scorer_version": str(_sections(results, "versions").get(task, "")) or None,
        "config": compact(
            {
                "directions": {
                    metric: "higher" if up else "lower" for metric, up in better.items()
                },
                "recorded": _sections(results, "results").get(task),
                **{key: config.get(key) for key in ("model_args", "limit", "gen_kwargs")},
                "num_fewshot": task_config.get("num_fewshot"),
            }
        ),
        "started_at": when(results.get("date")) or when(f"{day}T{time.replace('-', ':')}"),
        "status": "success",
        "git_commit": results.get("git_hash"),
        "tags": [],
    }


SOURCE = Source("lm_eval", 1, sniff, read, parts)
