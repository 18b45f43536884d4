"""Inspect AI logs: ``.eval`` archives (finished, cancelled or killed) and ``.json`` files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from aiops_lab.errors import BadSource
from aiops_lab.sources.archive import Archive
from aiops_lab.sources.contract import Batch, Mapping, Source
from aiops_lab.sources.inspect_answers import (
    ANSWERS,
    SAMPLES,
    Answer,
    Sample,
    sample_row,
    score_rows,
)
from aiops_lab.sources.jsonio import compact, decode, mapped
from aiops_lab.sources.rows import Rows, noting, run_summary, when
from aiops_lab.tables import digest

START, HEADER, SUMMARIES = "_journal/start.json", "header.json", "summaries.json"
EVAL = re.compile(rb'"eval"\s*:\s*\{')
SHELL = "/sample.json"
SAMPLE_MEMBER = re.compile(r"samples/.*_epoch_\d+(?:/sample)?\.json", re.DOTALL)


class Header(Struct):
    """The head of a log; in the ``.json`` form the samples follow in it."""

    eval: dict[str, Any]
    version: int = 1
    status: str | None = None
    plan: dict[str, Any] | None = None
    results: dict[str, Any] | None = None
    stats: dict[str, Any] | None = None
    error: Any = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    invalidated: bool = False
    samples: list[Raw] | None = None


HEADERS = msgspec.json.Decoder(Header)
SUMMARY_LISTS = msgspec.json.Decoder(list[Answer])
RAW_LISTS = msgspec.json.Decoder(list[Raw])
OBJECTS = msgspec.json.Decoder(dict[str, Any])
TEXT_LISTS = msgspec.json.Decoder(list[str])


def sniff(path: Path, head: bytes) -> bool:
    """Whether this is an Inspect log."""
    if head.startswith(b"PK\x03\x04"):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - len(head)))
            return any(name.encode() in head + file.read() for name in (START, HEADER))
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    return (
        start.startswith(b"{")
        and EVAL.search(start) is not None
        and b'"task"' in start
        and (b'"eval_id"' in start or b'"task_id"' in start)
    )


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read one log; without `texts` only what the summaries hold (scores, tokens, times)."""
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    yield from _read_archive(path, texts) if zipped else _read_json(path, texts)


def _read_archive(path: Path, texts: bool) -> Iterator[Batch]:
    with Archive(path) as archive:
        rows = Rows()
        header = _header(archive, rows)
        summaries = _summaries(archive, rows)
        # releases before 0.3.70 keep tokens and metadata in the samples only
        thin_summaries = not any(answer.model_usage for answer in summaries.values())
        wanted = archive.names if texts or thin_summaries else []
        # whole samples, and the shells of those that are stored in chunks; ids may hold slashes
        members = [name for name in wanted if SAMPLE_MEMBER.fullmatch(name)]
        answers = _members(archive, members, summaries, rows)
        yield from _batches(path, header, answers, rows, texts)


def _header(archive: Archive, rows: Rows) -> Header:
    for name in (HEADER, START):
        if name in archive:
            with noting(rows.problem, name):
                return decode(archive.read(name), HEADERS, name)
    reason = "; ".join(f"{p.place}: {p.reason}" for p in rows.problems)
    raise BadSource(f"no readable header ({reason or 'neither header.json nor a journal'})")


def _summaries(archive: Archive, rows: Rows) -> dict[tuple[str, int], Answer]:
    """The newest summary of each answer; an unfinished log has them only in its journal."""
    journal = sorted(
        (name for name in archive.names if name.startswith("_journal/summaries/")),
        key=lambda name: (len(name), name),
    )
    found: dict[tuple[str, int], Answer] = {}
    for name in [SUMMARIES] if SUMMARIES in archive else journal:
        with noting(rows.problem, name):
            data = archive.read(name)
            try:
                listed: Iterable[Answer] = SUMMARY_LISTS.decode(data)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                raws = enumerate(decode(data, RAW_LISTS, name))
                each = rows.each(((f"{name}[{i}]", raw) for i, raw in raws), ANSWERS)
                listed = (answer for _, answer in each)
            found.update((answer.key, answer) for answer in listed)
    return found


def _members(
    archive: Archive, members: list[str], summaries: dict[tuple[str, int], Answer], rows: Rows
) -> Iterator[tuple[str, Answer]]:
    """Each answer once: the full sample where it can be read, else its summary."""
    left = dict(summaries)
    for name in members:
        with noting(rows.problem, name):
            sample = decode(archive.read(name), SAMPLES, name)
            if name.endswith(SHELL):
                _add_chunks(archive, name.removesuffix(SHELL), sample)
            summary = left.pop(sample.key, None)
            if summary is None and sample.key in summaries:
                raise BadSource(f"a second sample {sample.id!r} of this epoch", name)
            if summary is not None and not sample.scores:
                sample.scores = summary.scores
            yield name, sample
    for answer in left.values():
        yield SUMMARIES, answer


def _add_chunks(archive: Archive, folder: str, sample: Sample) -> None:
    """What the shell of a chunked sample leaves out: metadata, first messages, attachments."""
    metadata, messages = f"{folder}/metadata.json", f"{folder}/messages/0.json"
    if metadata in archive:
        sample.metadata = decode(archive.read(metadata), OBJECTS, metadata)
    if messages in archive and sample.message_refs:
        start, end = sample.message_refs[0]
        sample.messages = decode(archive.read(messages), RAW_LISTS, messages)[start:end]
    chunks = [name for name in archive.names if name.startswith(f"{folder}/attachments/")]
    if chunks:
        chunks.sort(key=lambda name: (len(name), name))
        texts = chain.from_iterable(decode(archive.read(c), TEXT_LISTS, c) for c in chunks)
        sample.attachments = Raw(msgspec.json.encode({str(i): t for i, t in enumerate(texts)}))


def _read_json(path: Path, texts: bool) -> Iterator[Batch]:
    rows, header = Rows(), decode(mapped(path), HEADERS)
    raws, header.samples = header.samples or [], None
    yield from _batches(path, header, _json_samples(raws, rows), rows, texts)


def _json_samples(raws: list[Raw], rows: Rows) -> Iterator[tuple[str, Answer]]:
    """The samples of a ``.json`` log; of two with one id and epoch the last, as Inspect does."""
    seen: set[tuple[str, int]] = set()
    last_first = [(f"/samples/{i}", raw) for i, raw in enumerate(raws)][::-1]
    for place, sample in rows.each(last_first, SAMPLES):
        if sample.key in seen:
            rows.problem(place, f"an older sample {sample.id!r} of this epoch")
        else:
            seen.add(sample.key)
            yield place, sample


def _batches(
    path: Path, header: Header, answers: Iterable[tuple[str, Answer]], rows: Rows, texts: bool
) -> Iterator[Batch]:
    run_id = _run_id(header.eval)
    cluster_key, kinds = _cluster_key(header.eval), _scorer_kinds(header.eval)
    served, count = Counter[str](), 0
    uri = path.resolve().as_uri()
    for place, answer in answers:
        key = {"run_id": run_id, "sample_id": answer.key[0], "epoch": answer.key[1]}
        with noting(rows.problem, place):
            row = sample_row(answer, cluster_key, texts)
            rows.add("samples", **key, detail_uri=f"{uri}#{place}", **row)
            for score in score_rows(answer, kinds):
                rows.add("scores", **key, **score)
            count += 1
            if isinstance(answer, Sample) and answer.output and answer.output.model:
                served[answer.output.model] += 1
        if rows.full:
            yield rows.batch()
    rows.add("runs", **_run(header, run_id, served))
    _add_artefacts(rows, header)
    status = _status(header)
    stats = header.stats or {}
    ended = when(stats.get("completed_at")) or when(header.eval.get("created"))
    yield rows.batch([run_summary(run_id, count, status == "success", ended)])


def _run_id(spec: dict[str, Any]) -> str:
    found = spec.get("eval_id") or ".".join(
        str(spec[key]) for key in ("run_id", "task_id") if spec.get(key)
    )
    if not found:
        raise BadSource("the log names no eval_id, run_id or task_id", "eval")
    return str(found)


def _status(header: Header) -> str:
    return "invalidated" if header.invalidated else header.status or "started"


def _cluster_key(spec: dict[str, Any]) -> str | None:
    """The metadata key that a scorer's ``stderr(cluster=...)`` names."""
    for scorer in spec.get("scorers") or []:
        metrics = scorer.get("metrics") if isinstance(scorer, dict) else None
        listed = chain.from_iterable(metrics.values()) if isinstance(metrics, dict) else metrics
        for metric in listed or []:
            options = metric.get("options") or {} if isinstance(metric, dict) else {}
            if isinstance(options, dict) and options.get("cluster"):
                return str(options["cluster"])
    return None


def _scorer_kinds(spec: dict[str, Any]) -> dict[str, str]:
    """Scorers that ask a model are judges; nothing in a log marks people."""
    scorers = [s for s in spec.get("scorers") or [] if isinstance(s, dict)]
    kinds = {}
    for scorer in scorers:
        name = str(scorer.get("name"))
        asks = "model_graded" in name or bool((scorer.get("options") or {}).get("model"))
        kinds[name.rpartition("/")[2]] = kinds[name] = "model" if asks else "code"
    return kinds


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _prompt_text(header: Header) -> str | None:
    steps = (header.plan or {}).get("steps")
    return compact(steps) if steps else None


def _configuration(header: Header) -> dict[str, Any]:
    spec, results = header.eval, header.results or {}
    keep = ("task_args", "model_args", "model_generate_config", "config", "model_roles", "packages")
    scores = results.get("scores")
    scores = scores if isinstance(scores, list) else []
    return {
        **{key: spec[key] for key in keep if spec.get(key)},
        "dataset": {k: v for k, v in _object(spec.get("dataset")).items() if k != "sample_ids"},
        "scorers": spec.get("scorers"),
        "recorded": [
            {k: score.get(k) for k in ("name", "scorer", "reducer", "metrics")}
            for score in scores
            if isinstance(score, dict)
        ],
    }


def _run(header: Header, run_id: str, served: Counter[str]) -> dict[str, Any]:
    spec = header.eval
    tags = spec.get("tags") if header.tags is None else header.tags
    metadata = header.metadata or spec.get("metadata") or {}
    prompt = _prompt_text(header)
    dataset = _object(spec.get("dataset"))
    revision = _object(spec.get("revision"))
    commit = revision.get("commit")
    version = metadata.get("prompt_version") if isinstance(metadata, dict) else None
    return {
        "run_id": run_id,
        "source": SOURCE.name,
        "task": spec.get("task"),
        "model": spec.get("model"),
        "model_served": served.most_common(1)[0][0] if served else None,
        "prompt_version": str(version) if version else prompt and digest(prompt)[:12],
        "dataset_version": digest(compact({**dataset, "location": None}))[:12] if dataset else None,
        "scorer_version": digest(compact(spec["scorers"]))[:12] if spec.get("scorers") else None,
        "config": compact(_configuration(header)),
        "started_at": when(spec.get("created")),
        "status": _status(header),
        "tags": [str(tag) for tag in tags or []],
        "git_commit": commit and f"{commit}{'+dirty' if revision.get('dirty') else ''}",
    }


def _add_artefacts(rows: Rows, header: Header) -> None:
    texts = {
        "prompt": _prompt_text(header),
        "scorer": compact(header.eval["scorers"]) if header.eval.get("scorers") else None,
        "config": compact(header.eval.get("model_generate_config") or {}),
    }
    for artefact, text in texts.items():
        if text:
            rows.artefact(artefact, text)


SOURCE = Source("inspect", 1, sniff, read)
