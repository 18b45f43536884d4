"""Write ``MANIFEST.json``: what made each fixture, and numbers the tools themselves report.

Run as ``python write_manifest.py [TOOL]...`` beside the fixtures, with ``zipfile-zstd``,
``zstandard`` and ``opentelemetry-proto`` installed; what other tools made is left as it is written.
"""

from __future__ import annotations

import json
import math
import sys
import zipfile
from collections import Counter
from pathlib import Path

import zipfile_zstd  # noqa: F401  (teaches zipfile the Zstandard method)
import zstandard
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "MANIFEST.json"
HOW = {
    "full": "12 samples x 3 epochs, six scorers, two reducers; fails_1 errors, stock-loop limited",
    "pair": "three of those samples; pair.json is pair.eval through the tool's own writer",
    "short": "two samples x 2 epochs, written as JSON by the tool",
    "cancelled": "a run that received SIGINT at its eighth model call",
    "killed": "a run that received SIGKILL while its model hung; flushed after every sample",
    "repeat": "promptfoo eval --repeat 3, two providers x two prompts; .jsonl is the same eval",
    "cached": "second run with a warm cache, first two tests only (--filter-first-n 2)",
    "version2": "the same config without repeats; results.version is 2",
}
LMEVAL = "make_lmeval.py, two tasks of 20 documents"
TRACES = {
    "sdk.json": "make_trace_fixtures.py: the SDK's own console exporter",
    "sdk-logs.json": "make_trace_fixtures.py: the SDK's own console exporter of logs",
    "traces.pb": "requests of the OTLP/HTTP exporter, each behind its length",
    "packed.pb": "the same, each packed with zstd by itself",
    "traces.jsonl": "the same as OTLP/JSON, one a line, ids in hexadecimal",
    "traces.jsonl.zst": "the same, a zstd frame a line",
    "document.json": "the same as one document",
    "named.json": "the same by protobuf's own JSON: ids in Base64, enumerations by name",
    "logs.pb": "requests of the exporter of logs, each behind its length",
    "logs.jsonl": "the same as OTLP/JSON, one a line",
    "spans.json": "the spans of traces-openinference, as Phoenix lists them",
    "otlp.json": "the same as Phoenix gives them as OTLP",
    "span-annotations.json": "an annotation of a span, as Phoenix lists it",
    "trace-annotations.json": "an annotation of a trace, as Phoenix lists it",
}
MADE_WITH = {
    "opentelemetry-sdk": "1.45.2",
    "opentelemetry-exporter-otlp-proto-http": "1.45.2",
    "openinference-instrumentation-openai": "0.1.66",
    "opentelemetry-instrumentation-openai": "0.62.4",
    "openai": "3.57.0",
    "arize-phoenix": "20.26.1",
}
"""Versions in the environments of ``make_trace_fixtures.py``."""
TOKENS = {
    "tokens_in": ("gen_ai.usage.input_tokens", "llm.token_count.prompt"),
    "tokens_out": ("gen_ai.usage.output_tokens", "llm.token_count.completion"),
}
ZSTD = b"\x28\xb5\x2f\xfd"


def plain(value: object) -> object:
    """Replace NaN, which JSON lacks, by the text ``NaN``."""
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def inspect_facts(path: Path) -> dict:
    """Return counts and header metrics of an Inspect log in either form."""
    facts: dict = {}
    if path.suffix == ".eval":
        log = zipfile.ZipFile(path)
        names = log.namelist()
        facts["zip_methods"] = dict(Counter(i.compress_type for i in log.infolist()))
        facts["has"] = [n for n in names if "/" not in n]
        samples = [json.loads(log.read(n)) for n in names if n.startswith("samples/")]
        top = json.loads(log.read("header.json" if "header.json" in names else names[0]))
    else:
        top = json.loads(path.read_text(encoding="utf-8"))
        samples = top["samples"]
    usage = Counter()
    for sample in samples:
        for spent in (sample.get("model_usage") or {}).values():
            usage.update({k: v for k, v in spent.items() if k.endswith("tokens")})
    results = top.get("results") or {}
    return facts | {
        "status": top.get("status"),
        "samples": len(samples),
        "ids": sorted({str(sample["id"]) for sample in samples}),
        "errors": sum(bool(sample.get("error")) for sample in samples),
        "limits": sum(bool(sample.get("limit")) for sample in samples),
        "tokens_summed_over_samples": dict(usage),
        "model_usage": (top.get("stats") or {}).get("model_usage"),
        "total_samples": results.get("total_samples"),
        "completed_samples": results.get("completed_samples"),
        "scores": [
            {
                "name": score["name"],
                "scorer": score["scorer"],
                "reducer": score.get("reducer"),
                "scored_samples": score.get("scored_samples"),
                "metrics": {key: plain(m["value"]) for key, m in score["metrics"].items()},
            }
            for score in results.get("scores", [])
        ],
    }


def promptfoo_facts(path: Path) -> dict:
    """Return row counts and column totals of a Promptfoo export."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {"rows": len(rows), "passed": sum(row["success"] for row in rows)}
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    prompts = results.get("prompts") or results["table"]["head"]["prompts"]
    keep = ("score", "testPassCount", "testFailCount", "testErrorCount", "assertPassCount")
    keep += ("assertFailCount", "namedScores", "namedScoresCount", "namedScoreWeights", "cost")
    return {
        "version": results["version"],
        "rows": len(results["results"]),
        "stats": {k: results["stats"].get(k) for k in ("successes", "failures", "errors")},
        "cached_rows": sum(bool(r["response"].get("cached")) for r in results["results"]),
        "columns": [
            {"provider": p["provider"], "prompt": p["label"]}
            | {k: p["metrics"][k] for k in keep if k in p["metrics"]}
            for p in prompts
        ],
    }


def lmeval_facts(path: Path) -> dict:
    """Return the harness's own results, or row counts of a samples file."""
    if path.suffix == ".json":
        top = json.loads(path.read_text(encoding="utf-8"))
        return {key: top[key] for key in ("results", "n-samples", "task_hashes")}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {
        "rows": len(rows),
        "documents": len({row["doc_id"] for row in rows}),
        "filters": dict(Counter(row["filter"] for row in rows)),
    }


def trace_facts(path: Path) -> dict:
    """Return counts of a trace file, by the plainest code that reads it."""
    data = path.read_bytes()
    if data[:4] == ZSTD:
        reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
        data = reader.read()
    spans, scores = Counter(), 0
    for document in prefixed(data) if data[:1] == b"\0" else printed(data.decode("utf-8")):
        for item in items_of(document):
            named = item.get("attributes") or []
            plain = named if isinstance(named, dict) else {p["key"]: value(p) for p in named}
            scores += sum(key.endswith("annotation.name") for key in plain)
            told = [*(item.get("events") or ()), item] if "annotator_kind" not in item else []
            names = [t.get("name") or t.get("eventName") or t.get("event_name") or "" for t in told]
            scores += sum(n.startswith("gen_ai.evaluation") for n in names)
            scores += "annotator_kind" in item
            if not (
                "context" in item or "startTimeUnixNano" in item or "start_time_unix_nano" in item
            ):
                continue
            state = item.get("status_code") or item.get("status") or {}
            code = state if isinstance(state, str) else state.get("code", state.get("status_code"))
            spans["spans"] += 1
            spans["errors"] += code in (2, "STATUS_CODE_ERROR", "ERROR")
            for side, keys in TOKENS.items():
                spans[side] += next((int(plain[key]) for key in keys if key in plain), 0)
    counts = {key: spans[key] for key in ("spans", "errors", *TOKENS)}
    return {**counts, "scores": scores, "made_with": MADE_WITH}


def items_of(found: object) -> list[dict]:
    """Return the spans, records of logs and annotations anywhere in a document."""
    if isinstance(found, list):
        return [item for one in found for item in items_of(one)]
    if not isinstance(found, dict):
        return []
    lists = (
        "data",
        "resourceSpans",
        "scopeSpans",
        "spans",
        "resourceLogs",
        "scopeLogs",
        "logRecords",
    )
    held = [item for key in lists for item in items_of(found.get(key))]
    return held or [found]


def value(pair: dict) -> object:
    """Return what an attribute of OTLP holds."""
    return next((v for v in (pair.get("value") or {}).values() if v is not None), None)


def printed(text: str) -> list:
    """Return the JSON values that a text holds one after another."""
    found, at = [], 0
    while at < len(text.rstrip()):
        one, at = json.JSONDecoder().raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        found.append(one)
    return found


def prefixed(data: bytes) -> list:
    """Return the messages behind their lengths as JSON has them."""
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body, at = data[at + 4 : at + 4 + length], at + 4 + length
        if body[:4] == ZSTD:
            body = zstandard.ZstdDecompressor().decompress(body, max_output_size=2**20)
        try:
            message = TracesData.FromString(body)
        except DecodeError:
            message = LogsData.FromString(body)
        found.append(MessageToDict(message, use_integers_for_enums=True))
    return found


READERS = {
    "inspect": inspect_facts,
    "promptfoo": promptfoo_facts,
    "lmeval": lmeval_facts,
    "traces": trace_facts,
}


def entries(tools: set[str]) -> list[dict]:
    """Return one entry for each fixture, in path order: of some tools anew, else as written."""
    known = {row["path"]: row for row in json.loads(MANIFEST.read_text(encoding="utf-8"))}
    rows = []
    for path in sorted(p for p in ROOT.rglob("*") if p.is_file()):
        tool, _, version = path.relative_to(ROOT).parts[0].partition("-")
        name = path.relative_to(ROOT).as_posix()
        if tool in READERS and tool not in tools:
            rows.append(known[name])
        elif tool in tools:
            how = TRACES[path.name] if tool == "traces" else HOW.get(path.stem, LMEVAL)
            row = {"path": name, "tool": tool, "version": version, "how": how}
            rows.append({**row, "facts": READERS[tool](path)})
    return rows


if __name__ == "__main__":
    text = json.dumps(entries(set(sys.argv[1:]) or set(READERS)), ensure_ascii=False, indent=1)
    MANIFEST.write_text(text + "\n", encoding="utf-8")
