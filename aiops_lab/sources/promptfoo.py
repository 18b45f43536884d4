"""Promptfoo results: JSON of any version, or JSONL; each prompt and provider is a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import RED_TEAM, Batch, Mapping, Source
from aiops_lab.sources.jsonio import compact, decode, lines, mapped
from aiops_lab.sources.rows import Count, Rows, number, run_summary, thin, when
from aiops_lab.tables import digest

ERROR = 2
"""The ``failureReason`` of an answer that never came; 1 is an assertion that failed."""
ATTACK = ("pluginId", "strategyId", "severity", "harmCategory")
"""What the row of an attack tells of it; ``success`` is that the attack was resisted."""
RUNTIME_VARIABLES = ("sessionId", "_conversation")


class Tokens(Struct, rename="camel"):
    total: Count | None = None
    prompt: Count | None = None
    completion: Count | None = None
    assertions: Tokens | None = None


class Response(Struct, rename="camel"):
    output: Any = None
    error: Any = None
    token_usage: Tokens | None = None
    cost: float | None = None
    cached: bool = False
    finish_reason: str | None = None


class Provider(Struct):
    id: str | None = None
    label: str | None = None


class Prompt(Struct):
    raw: str | None = None
    label: str | None = None
    provider: str | None = None


class TestCase(Struct, rename="camel"):
    description: str | None = None
    metadata: dict[str, Any] | None = None
    assertions: Any = msgspec.field(default=None, name="assert")


class Grading(Struct, rename="camel"):
    reason: str | None = None


class Row(Struct, rename="camel"):
    success: bool | None = None
    score: float | None = None
    prompt_idx: Count | None = None
    test_idx: Count | None = None
    provider: Provider | str | None = None
    prompt: Prompt | None = None
    prompt_id: str | None = None
    vars: dict[str, Any] | None = None
    test_case: TestCase | None = None
    description: str | None = None
    response: Response | None = None
    failure_reason: int | None = None
    error: Any = None
    named_scores: dict[str, Any] | None = None
    grading_result: Grading | None = None
    latency_ms: float | None = None
    cost: float | None = None
    token_usage: Tokens | None = None
    metadata: dict[str, Any] | None = None

    @property
    def column(self) -> tuple[str, str]:
        """Provider and prompt, for files that do not number their columns."""
        provider = self.provider
        name = (
            provider if isinstance(provider, str) else provider and (provider.label or provider.id)
        )
        return name or "", self.prompt_id or (self.prompt and self.prompt.label) or ""

    @property
    def failed_to_run(self) -> bool:
        """An error, not an answer that failed its assertions (both set ``error``)."""
        if self.failure_reason is not None:
            return self.failure_reason == ERROR
        return bool(self.error) and not self.grading_result


class Head(Struct):
    prompts: list[Prompt] = []


class Table(Struct):
    head: Head


class Results(Struct):
    results: list[Raw]
    version: int | None = None
    timestamp: str | None = None
    prompts: list[Prompt] | None = None
    table: Table | None = None

    @property
    def columns(self) -> list[Prompt]:
        """The columns in order; before version 3 only the table names them."""
        return self.prompts or (self.table.head.prompts if self.table else [])


class File(Struct, rename="camel"):
    results: Results
    eval_id: str | None = None
    config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


FILES = msgspec.json.Decoder(File)
ROWS = msgspec.json.Decoder(Row)


def sniff(path: Path, head: bytes) -> bool:
    """Whether these are Promptfoo results."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if not start.startswith(b"{"):
        return False
    whole = b'"evalId"' in start or (b'"results"' in start and b'"prompts"' in start)
    row = b'"promptIdx"' in start and b'"testIdx"' in start
    return row or (whole and any(key in start for key in (b'"stats"', b'"prompts"', b'"vars"')))


def read(path: Path, *, texts: bool = True, mapping: Mapping | None = None) -> Iterator[Batch]:
    """Read one results file."""
    try:
        file = decode(mapped(path), FILES)
        places: Iterable[tuple[str, Raw | bytes]] = (
            (f"/results/results/{i}", raw) for i, raw in enumerate(file.results.results)
        )
    except BadSource as error:
        if not _is_jsonl(path):
            raise error
        file = File(Results([]))
        places = ((f"line {number}", line) for number, line in lines(path))
    if not file.eval_id:
        with path.open("rb") as content:
            file.eval_id = "promptfoo-" + digest(content.read(2**20))[:12]
    yield from _batches(path, file, places, texts)


def _is_jsonl(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(2**26)
    try:
        row = ROWS.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b'"promptIdx"' in first
    return row.prompt_idx is not None


def _batches(
    path: Path, file: File, places: Iterable[tuple[str, Raw | bytes]], texts: bool
) -> Iterator[Batch]:
    uri, rows, first = path.resolve().as_uri(), Rows(), dict[int, Row]()
    found = sorted(rows.each(places, ROWS), key=lambda pair: pair[1].test_idx or 0)
    columns = _columns(file, [row for _, row in found])
    ids = _sample_ids([row for _, row in found])
    epochs: dict[tuple[int, str], int] = defaultdict(int)
    for (place, row), column, sample_id in zip(found, columns, ids, strict=True):
        epochs[column, sample_id] += 1
        first.setdefault(column, row)
        key = {
            "run_id": f"{file.eval_id}/{column}",
            "sample_id": sample_id,
            "epoch": epochs[column, sample_id],
        }
        rows.add("samples", **key, detail_uri=f"{uri}#{place}", **_sample(row, texts))
        for score in _scores(row):
            rows.add("scores", **key, **score)
        if rows.full:
            yield rows.batch()
    started = when(file.results.timestamp)
    for column, row in sorted(first.items()):
        rows.add("runs", **_run(file, column, row, started))
        rows.artefact("prompt", *_prompt(file, column, row))
    counts = defaultdict(int)
    for (column, _), repeats in epochs.items():
        counts[column] += repeats
    runs = [run_summary(f"{file.eval_id}/{c}", n, True, started) for c, n in counts.items()]
    yield rows.batch(runs)


def _columns(file: File, rows: list[Row]) -> list[int]:
    """The column of each row: its number, or where none is stored its provider and prompt."""
    known = {
        (prompt.provider or "", prompt.label or ""): index
        for index, prompt in enumerate(file.results.columns)
    }
    return [
        row.prompt_idx if row.prompt_idx is not None else known.setdefault(row.column, len(known))
        for row in rows
    ]


def _sample_ids(rows: list[Row]) -> list[str]:
    """One id a test case, the same in every column, repeat and eval.

    Repeats are stored as tests of their own with the same variables. Tests that share their
    variables but not their description or assertions are told apart by these. A test whose
    metadata names its `sample_id` is called so: a request that is run again.
    """
    variables = [
        digest(compact({k: v for k, v in (row.vars or {}).items() if k not in RUNTIME_VARIABLES}))[
            :16
        ]
        for row in rows
    ]
    details = [_distinction(row) for row in rows]
    several: dict[str, set[str]] = defaultdict(set)
    for variable, detail in zip(variables, details, strict=True):
        several[variable].add(detail)
    return [
        _named(row)
        or (variable if len(several[variable]) == 1 else f"{variable}-{digest(detail)[:8]}")
        for row, variable, detail in zip(rows, variables, details, strict=True)
    ]


def _named(row: Row) -> str | None:
    told = ((row.test_case and row.test_case.metadata) or {}).get("sample_id")
    return told if isinstance(told, str) and told else None


def _distinction(row: Row) -> str:
    test = row.test_case or TestCase()
    description = test.description or row.description
    return description or (compact(test.assertions) if test.assertions else "")


def _sample(row: Row, texts: bool) -> dict[str, Any]:
    response = row.response or Response()
    usage = response.token_usage or row.token_usage or Tokens()
    judge = (row.token_usage and row.token_usage.assertions) or Tokens()
    cost = response.cost if response.cost is not None else row.cost
    test = row.test_case or TestCase()
    variables = {k: v for k, v in (row.vars or {}).items() if k not in RUNTIME_VARIABLES}
    error = row.error or response.error
    attack = {key: (row.metadata or {}).get(key) for key in ATTACK}
    metadata = {**attack, **(test.metadata or {}), **variables, "cached": response.cached or None}
    known = {key: value for key, value in metadata.items() if value is not None}
    return {
        "error": str(error) if row.failed_to_run and error else None,
        "finish_reason": response.finish_reason,
        "tokens_in": usage.prompt or None,
        "tokens_out": usage.completion or None,
        "tokens_judge": judge.total or None,
        # an answer from the cache took no time and cost nothing: that is not a measurement
        "latency_s": None
        if row.latency_ms is None or response.cached or row.failed_to_run
        else row.latency_ms / 1000,
        "cost_usd": None if response.cached or (not cost and not usage.total) else cost,
        "metadata": compact(thin(known)) if known else None,
        **(_texts(row, response, variables) if texts else {}),
    }


def _texts(row: Row, response: Response, variables: dict[str, Any]) -> dict[str, Any]:
    asked = next(iter(variables.values())) if len(variables) == 1 else compact(variables)
    asked = asked if isinstance(asked, str) else compact(asked)
    output = response.output
    assertions = (row.test_case or TestCase()).assertions
    prompt = row.prompt.raw if row.prompt else None
    target = compact(assertions) if assertions else None
    return {
        "input": asked,
        "output": output if isinstance(output, str) or output is None else compact(output),
        "target": target,
        "input_digest": digest(asked),
        "prompt_digest": None if prompt is None else digest(prompt),
        "target_digest": None if target is None else digest(target),
    }


def _scores(row: Row) -> Iterator[dict[str, Any]]:
    """``pass``, ``score`` and the named scores; an answer that never came has none of them."""
    judged = row.token_usage and row.token_usage.assertions and row.token_usage.assertions.total
    kind = "model" if judged else "code"
    reason = row.grading_result.reason if row.grading_result else None
    common = {"scorer": "promptfoo", "scorer_kind": kind, "explanation": reason}
    failed = row.failed_to_run
    passed = None if failed or row.success is None else row.success
    yield {
        "metric": "pass",
        "value": None if passed is None else float(passed),
        "passed": passed,
        **common,
    }
    yield {"metric": "score", "value": None if failed else number(row.score), **common}
    for name, value in (row.named_scores or {}).items():
        # our own two keep their names
        metric = f"named {name}" if name in ("pass", "score") else name
        yield {"metric": metric, "value": None if failed else number(value), **common}


def _prompt(file: File, column: int, row: Row) -> tuple[str, str]:
    """The template of a column's prompt and the digest that names it."""
    prompts = file.results.columns
    listed = prompts[column] if column < len(prompts) else None
    label = (listed and (listed.raw or listed.label)) or (row.prompt and row.prompt.label) or ""
    return label, (row.prompt_id or digest(label))[:12]


def _run(file: File, column: int, row: Row, started: datetime | None) -> dict[str, Any]:
    provider = row.provider if isinstance(row.provider, Provider) else Provider(id=row.provider)
    config = file.config or {}
    metadata = file.metadata or {}
    tests, tags = config.get("tests"), config.get("tags")
    tags = [str(tag) for tag in tags] if isinstance(tags, list | dict) else []
    told = {**(row.metadata or {}), **((row.test_case or TestCase()).metadata or {})}
    return {
        "run_id": f"{file.eval_id}/{column}",
        "source": SOURCE.name,
        "task": str(config.get("description") or "promptfoo"),
        "model": provider.label or provider.id,
        "prompt_version": _prompt(file, column, row)[1],
        "dataset_version": digest(compact(tests))[:12] if tests else None,
        "config": compact(
            {
                "provider": provider.id,
                "prompt": row.prompt.label if row.prompt else None,
                "version": file.results.version,
                "promptfoo": metadata.get("promptfooVersion"),
            }
        ),
        "started_at": started,
        "status": "success",
        "tags": [*tags, RED_TEAM] if told.get("pluginId") else tags,
    }


SOURCE = Source("promptfoo", 2, sniff, read)
