"""Secrets planted in every text of every source: none is in anything that is handed on."""

from __future__ import annotations

import base64
import html
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aiops_lab import Lab, Verdict, open_lab
from aiops_lab.reports.notify import news
from aiops_lab.reports.run import Report, Request, notebooks_of, run_reports
from aiops_lab.reports.site import write_index
from aiops_lab.sources import langfuse, langfuse_traces, phoenix
from tests.browser.test_hostile import write_log
from tests.conftest import DATA
from tests.respond.test_postmortem import BEGAN, span
from tests.sources import langfuse_server, phoenix_server
from tests.sources.loopback import serving

pytestmark = pytest.mark.slow
FOUND = re.compile(
    r"canary\d+@planted|sk-proj-C4nary\d+|400055\d{10}|pl4nted\d+|DE\d\d50010517\d{10}|AKIAC4NARY"
)
"""A canary of any kind."""
KIND = re.compile(r"\[(email|openai-key|card|secret|iban|aws-key)-[0-9a-f]{8}\]")
NUMBERS = count(1)
TEXTS = {
    "content", "input", "output", "text", "explanation", "answer", "target", "completion", "prompt",
    "message", "error", "raw", "description", "label", "reason", "author", "note", "goal", "doc",
    "resps", "vars", "rendered", "comment",
}  # fmt: skip
"""Keys whose values are texts, also where they are a single word."""
OTHER = "ship_chunking_retrieval"
"""The notebook that reads documents, not a lab."""
INNER = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")


def luhn(digits: str) -> str:
    """The digits with their check digit."""
    doubled = (int(d) * (2 - i % 2) for i, d in enumerate(reversed(digits)))
    return digits + str(-sum(n // 10 + n % 10 for n in doubled) % 10)


def canary() -> str:
    """A secret of its own, of six kinds in turn."""
    n = next(NUMBERS)
    account = f"50010517{n:010d}"
    return (
        f"canary{n}@planted.example.com",
        f"sk-proj-C4nary{n}x{'Z9y8X7w6' * 3}",
        luhn(f"400055{n:09d}"),
        f"password = pl4nted{n}xyz",
        f"DE{98 - int(account + '131400') % 97:02d}{account}",
        f"AKIAC4NARY{n:010d}",
    )[n % 6]


def planted(value: Any, name: str = "") -> Any:
    """JSON-like data with a canary behind each text in it, also where JSON is within a text."""
    if isinstance(value, dict):
        return {k: planted(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [planted(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if value[:1] in ("{", "["):
        try:
            return json.dumps(planted(json.loads(value)))
        except ValueError:
            pass
    return f"{value} {canary()}" if name in TEXTS or " " in value.strip() else value


def documents(text: str) -> Iterator[Any]:
    """The JSON documents in a text, one behind the other."""
    at, decoder = 0, json.JSONDecoder()
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


def fixtures(folder: Path) -> None:
    """The logs of real tools, planted."""
    for path in sorted(DATA.glob("*/**/*.json*")):
        if path.suffix in (".json", ".jsonl"):
            copy = folder / path.relative_to(DATA)
            copy.parent.mkdir(parents=True, exist_ok=True)
            lines = (
                json.dumps(planted(each)) + "\n" for each in documents(path.read_text("utf-8"))
            )
            copy.write_text("".join(lines), "utf-8")


def tables(folder: Path) -> None:
    """Tables of each kind, in each form."""
    folder.mkdir()
    answers = [
        {"run_id": run, "sample_id": str(i), "input": f"asked {i} {canary()}", "metric": "correct",
         "output": canary(), "target": canary(), "explanation": canary(), "label": canary(),
         "value": float((i + (run == "new")) % 3 > 0), "task": "t",
         "topic": canary() if i < 3 else "a"}
        for run in ("old", "new") for i in range(40)
    ]  # fmt: skip
    pl.DataFrame(answers).write_csv(folder / "answers.csv")
    pl.DataFrame(answers).with_columns(run_id="parquet " + pl.col("run_id")).write_parquet(
        folder / "answers.parquet"
    )
    calls = [
        {"at": f"2026-05-{1 + i // 4:02d}T10:{i:02d}:00Z", "input": canary(), "output": canary(),
         "model_served": f"m {canary()}" if i == 3 else "m-1", "tenant": canary() if i < 4 else "a",
         "slice": "hire", "language": "de", "error": canary(), "tokens_in": i}
        for i in range(40)
    ]  # fmt: skip
    pl.DataFrame(calls).write_ndjson(folder / "calls.jsonl")
    changes = {
        "at": [BEGAN, BEGAN - timedelta(days=1)], "artefact": ["prompt", "index"],
        "name": [canary(), canary()], "from_version": ["p1", canary()],
        "to_version": ["p2", canary()], "author": [canary(), canary()], "note": [canary()] * 2,
    }  # fmt: skip
    pl.DataFrame(changes).write_csv(folder / "changes.csv")
    start = datetime(2026, 5, 1)
    chosen = [f"option {canary()}", "b"]
    decisions = [
        {"decision_id": f"d{i}", "at": start + timedelta(hours=i), "chosen": chosen[i % 2],
         "outcome": float(i % 3 == 0), "topic": canary() if i % 50 == 0 else "x"}
        for i in range(600)
    ]  # fmt: skip
    pl.DataFrame(decisions).write_parquet(folder / "decisions.parquet")
    question = {"question_id": "q1", "text": canary(), "gold": [{"doc_id": "a", "quote": "a b"}],
                "topic": canary()}  # fmt: skip
    (folder / "questions.jsonl").write_text(json.dumps(question) + "\n")
    (folder / "broken.jsonl").write_text('{"input": "' + canary() + "\n{}{\n")
    (folder / f"{canary().replace('/', '_')}.csv").write_text(f"a,b\n{canary()},\x00\n1")


def archives(folder: Path) -> None:
    """Archives of Inspect itself, each member planted."""
    for path in sorted(DATA.glob("inspect-*/*.eval")):
        folder.mkdir(exist_ok=True)
        copy = folder / f"{path.parent.name}-{path.name}"
        try:
            with zipfile.ZipFile(path) as whole, zipfile.ZipFile(copy, "w") as made:
                for name in whole.namelist():
                    made.writestr(name, json.dumps(planted(json.loads(whole.read(name)))))
        except (NotImplementedError, zipfile.BadZipFile, ValueError):  # Zstandard; one was killed
            copy.unlink()


def binary(folder: Path) -> None:
    """Spans of real instrumentation in protobuf and packed lines; runs and judgements of TREC."""
    folder.mkdir()
    for path in sorted(DATA.glob("traces-open*/document.json")):
        whole = planted(json.loads(path.read_text("utf-8")))
        for resource in whole["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for one in scope["spans"]:
                    one["traceId"] = "b1" + one["traceId"][2:]
        packed = zstandard.compress(json.dumps(whole).encode() + b"\n")
        (folder / f"{path.parent.name}.jsonl.zst").write_bytes(packed)
        for resource in whole["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for one in scope["spans"]:
                    one["traceId"] = "b2" + one["traceId"][2:]
                    for name in {"traceId", "spanId", "parentSpanId"} & one.keys():
                        one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
        message = json_format.ParseDict(
            whole, ExportTraceServiceRequest(), ignore_unknown_fields=True
        )
        data = message.SerializeToString()
        (folder / f"{path.parent.name}.pb").write_bytes(len(data).to_bytes(4, "big") + data)
    ids = [f"canary{next(NUMBERS)}@planted.example.com" for _ in range(6)]
    run = "".join(
        f"{q} Q0 {doc} {i} {9 - i} ours\n" for q in ids[:2] for i, doc in enumerate(ids[2:])
    )
    (folder / "found.run").write_text(run)
    (folder / "gold.qrels").write_text("".join(f"{q} 0 {ids[2]} 1\n" for q in ids[:2]))


def fetched(folder: Path) -> list[Path]:
    """What servers of Langfuse and Phoenix answer, planted, as the sources keep it."""

    def told(server: Any) -> Any:
        answer = server.answer

        def with_canaries(path: str, asked: Any) -> tuple[int, Any, dict[str, str]]:
            status, body, headers = answer(path, asked)
            return status, planted(body) if status == 200 else body, headers

        server.answer = with_canaries
        return server

    found: list[Path] = []
    with pytest.MonkeyPatch.context() as environment:
        for age in ("new", "old"):
            with serving(told(langfuse_server.Server(langfuse_server.world(), age))) as server:
                environment.setenv("LANGFUSE_BASE_URL", server.url)
                environment.setenv("LANGFUSE_PUBLIC_KEY", langfuse_server.KEYS[0])
                environment.setenv("LANGFUSE_SECRET_KEY", langfuse_server.KEYS[1])
                found += langfuse.fetch("support", folder / age)
                now = datetime(2026, 5, 3, 12, 30, tzinfo=UTC)
                found += langfuse_traces.fetch("2026-05-01", folder / f"{age}-traces", now=now)
        with serving(told(phoenix_server.Server())) as server:
            environment.setenv("PHOENIX_ENDPOINT", server.url)
            environment.setenv("PHOENIX_API_KEY", phoenix_server.KEY)
            server.add("shop", *map(phoenix_server.span, range(5)))
            found += phoenix.fetch("shop", folder / "phoenix")
    return found


def traces(path: Path) -> None:
    """An incident in requests whose texts hold canaries."""
    start, spans = datetime(2026, 5, 1), []
    for n in range(640):
        at = start + timedelta(hours=n / 2)
        one = span(n, at, at >= BEGAN and n % 3 > 0)
        for each in one["attributes"]:
            if each["key"] in ("input.value", "output.value") and n % 2:
                each["value"]["stringValue"] += f" {canary()}"
        for key in ("tenant.id", "user.id", "custom.note"):
            own = canary() if n % 20 == 0 else "usual"
            one["attributes"].append({"key": key, "value": {"stringValue": own}})
        spans.append(one)
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))


def raising(path: Path) -> Path:
    """A notebook that tells all it knows and fails with it."""
    cells = [
        nbformat.v4.new_markdown_cell(f"# What is it? {canary()}"),
        nbformat.v4.new_code_cell('lab: str = ""', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "import sys\nfrom aiops_lab import open_lab\nfrom IPython.display import HTML\n"
            "texts = open_lab(lab).table('samples')['output'].drop_nulls().to_list()\n"
            "print(texts[:50])\nprint(texts[50:99], file=sys.stderr)\nHTML('<br>'.join(texts[:50]))"
        ),
        nbformat.v4.new_code_cell(
            f"def fail(text):\n    password = 'pl4nted0xyz'\n    # {canary()}\n"
            "    raise ValueError(f'cannot do {text}')\n\nfail(' '.join(texts[:20]))"
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def readings(text: str) -> Iterator[str]:
    """A text as it stands, and as whoever reads it would: unescaped, decoded."""
    once = html.unescape(text)
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), once)
    yield from (text, once, plain)
    yield re.sub("\u200b|\\\\|\x1b\\[[0-9;]*m|<[^<>]*>", "", plain)
    for inner in INNER.findall(text):
        for decode in (base64.b64decode, base64.urlsafe_b64decode):
            try:
                yield decode(inner + "==").decode("latin-1")
            except ValueError:
                continue


def hits(text: str) -> set[str]:
    return {found for reading in readings(text) for found in FOUND.findall(reading)}


def command(*arguments: str) -> str:
    """What the command prints where others read it."""
    whole = [sys.executable, "-m", "aiops_lab", *arguments]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 3), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab with every source, planted."""
    folder = tmp_path_factory.mktemp("planted")
    logs = folder / "logs"
    fixtures(logs / "real")
    tables(logs / "tables")
    traces(logs / "spans.json")
    archives(logs / "archives")
    binary(logs / "binary")
    texts = [f"t{n} {canary()} t" for n in range(24)]
    write_log(logs / "a.eval", texts, "a", 1)
    write_log(logs / "b.eval", texts, "b", 2)
    made = open_lab(folder / "lab")
    (made.path / "lab.toml").write_text(
        '[[slo]]\nname = "valid"\nmetric = "json_valid"\ngood = true\ntarget = 0.9\n'
        "[gate.metrics.correct]\nmargin = 0.1\n"
    )
    trec = [logs / "binary" / name for name in ("found.run", "gold.qrels")]
    done = made.ingest(logs, *trec, *fetched(folder / "fetched"))
    assert done.quarantined.height, "some cannot be read"
    return open_lab(folder / "lab")


def test_every_source_is_in_the_lab(lab: Lab) -> None:
    full = ("samples", "scores", "spans", "traffic", "evaluations", "changes", "decisions",
            "questions", "artefacts", "quarantine")  # fmt: skip
    for name in full:
        assert lab.table(name).height, name
    formats = set(lab.sources()["format"])
    assert formats >= {"inspect", "promptfoo", "lm_eval", "garak", "langfuse", "langfuse-traces",
                       "retrieval", "otlp", "spans", "changes", "table"}, formats  # fmt: skip
    read = set(lab.sources()["source_uri"].str.extract(r"\.(\w+)$"))
    assert read >= {"eval", "pb", "zst", "run", "qrels", "csv", "parquet", "json", "jsonl"}, read
    for name in ("samples", "scores", "spans", "changes", "decisions", "questions", "ingests"):
        assert hits(lab.table(name).write_json()), f"nothing is planted in {name}"


@pytest.fixture(scope="module")
def pages(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Report]]:
    out = tmp_path_factory.mktemp("pages")
    failing = raising(out.parent / "failing.ipynb")
    own = [path for path in notebooks_of(lab) if path.stem != OTHER]
    wanted = [Request(path) for path in [*own, failing]]
    made = run_reports(wanted, lab, out / "reports")
    write_index(lab, out / "reports")
    return out / "reports", made


def test_no_page_and_no_notebook_tells_a_canary(pages: tuple[Path, list[Report]]) -> None:
    out, made = pages
    ran = {report.name for report in made if report.verdict}
    assert len(ran) >= 8, {report.name: report.error for report in made if report.error}
    files = [path for path in out.rglob("*") if path.suffix in (".html", ".ipynb")]
    shown = {kind for path in files for kind in KIND.findall(path.read_text("utf-8"))}
    assert len(shown) == 6, f"pages show only {shown}"
    told = {path.name: sorted(hits(path.read_text("utf-8")))[:9] for path in files}
    assert len(told) > 12 and not any(told.values()), {k: v for k, v in told.items() if v}


def test_no_message_tells_a_canary(pages: tuple[Path, list[Report]]) -> None:
    out, made = pages
    errors = [report.error for report in made if report.error]
    assert errors and not hits("\n".join(errors))
    for report in made:
        verdict = report.verdict or Verdict("inconclusive", report.error or "")
        message = news(report.name, "ok", verdict.to_dict(), out)
        assert message is None or not hits("".join(message)), report.name


def test_nothing_that_is_printed_as_json_tells_a_canary(lab: Lab) -> None:
    place = str(lab.path)
    assert not hits(command("status", "--lab", place, "--json"))
    assert not hits(command("ingest", str(lab.path / "lab.toml"), "--lab", place, "--json"))


def test_no_gate_tells_a_canary(lab: Lab, tmp_path: Path) -> None:
    files = [tmp_path / "gate.md", tmp_path / "gate.xml"]
    sides = ("--baseline", "old", "--candidate", "new", "--lab", str(lab.path))
    said = command("gate", *sides, "--markdown", str(files[0]), "--junit", str(files[1]), "--json")
    for text in (said, *(file.read_text("utf-8") for file in files)):
        assert not hits(text)
    assert "lost" in files[0].read_text("utf-8") or "t0" in said
    assert not hits(command("gate", "--changed", "--lab", str(lab.path), "--json"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("replay", "--to", "promptfoo"),
        ("replay", "--failing", "json_valid"),
        ("playbook",),
        ("policy",),
        ("postmortem", "--metric", "json_valid", "--since", "2026-05-10"),
        ("tables", "--format", "csv"),
        ("tables",),
    ],
    ids=" ".join,
)
def test_no_export_tells_a_canary(lab: Lab, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    command("export", arguments[0], str(lab.path), "--out", str(tmp_path / "out"), *arguments[1:])
    written = sorted((tmp_path / "out").iterdir())
    assert written
    for path in written:
        text = (
            pl.read_parquet(path).write_json()
            if path.suffix == ".parquet"
            else path.read_text("utf-8")
        )
        assert not hits(text), (path.name, sorted(hits(text))[:9])
