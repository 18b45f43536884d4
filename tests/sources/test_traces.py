"""Traces: what the real instrumentations wrote, in each encoding, and every trap on the way."""

from __future__ import annotations

import base64
import json
import struct
import sys
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab import Lab, LabError, open_lab
from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Problem
from aiops_lab.sources.find import recognise, source_named
from aiops_lab.sources.traces import records
from aiops_lab.sources.traces.values import AnyValue, identity, nanoseconds, plain
from tests.conftest import DATA

MANIFEST = [e for e in json.loads((DATA / "MANIFEST.json").read_text()) if e["tool"] == "traces"]
STYLES = {
    name.split("-")[1]: DATA / name
    for name in ("traces-openinference-0.1.66", "traces-openllmetry-0.62.4")
}
PHOENIX = DATA / "traces-phoenix-20.26.1"
ENCODINGS = ("document.json", "named.json", "traces.pb", "packed.pb", "traces.jsonl.zst")
TRACE, SPAN = "7205917f2c306d5dffc2a1205a0712ed", "ddf23416137a736f"
START = 1_795_596_912_669_716_935
Read = tuple[list[dict[str, Any]], list[dict[str, Any]], list[Problem]]


def read(path: Path) -> Read:
    """Spans, scores and problems of a file, by the reader that recognises it."""
    source = recognise(path)
    assert source, f"no reader recognises {path.name}"
    batches = list(source.read(path))
    rows = {
        name: [row for b in batches if name in b.tables for row in b.tables[name].to_dicts()]
        for name in ("spans", "evaluations")
    }
    return rows["spans"], rows["evaluations"], [p for b in batches for p in b.problems]


def value(given: Any) -> dict[str, Any]:
    """A value as OTLP/JSON has it."""
    match given:
        case None:
            return {}
        case bool():
            return {"boolValue": given}
        case int():
            return {"intValue": str(given)}
        case float():
            return {"doubleValue": given}
        case str():
            return {"stringValue": given}
        case list():
            return {"arrayValue": {"values": [value(item) for item in given]}}
    return {"kvlistValue": {"values": pairs(given)}}


def pairs(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(item)} for key, item in given.items()]


def span(attributes: Any = None, **fields: Any) -> dict[str, Any]:
    """A span as the collector writes it."""
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "work",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 2 * 10**9),
        "attributes": attributes if isinstance(attributes, list) else pairs(attributes or {}),
        **fields,
    }


def request(*spans: dict[str, Any], **resource: Any) -> dict[str, Any]:
    """A request with spans."""
    sender = {"resource": {"attributes": pairs(resource)}, "scopeSpans": [{"spans": list(spans)}]}
    return {"resourceSpans": [sender]}


def written(path: Path, *documents: Any) -> Path:
    """A file with a document a line."""
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), "utf-8")
    return path


@pytest.fixture
def one(tmp_path: Path) -> Any:
    """Reads one span of some attributes, without a problem."""

    def reading(attributes: Any = None, **fields: Any) -> dict[str, Any]:
        spans, _, problems = read(written(tmp_path / "t.json", request(span(attributes, **fields))))
        assert not problems
        assert len(spans) == 1
        return {**spans[0], "attributes": json.loads(spans[0]["attributes"])}

    return reading


# what the real tools wrote


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["path"])
def test_all_spans_that_the_tool_counts_are_read(entry: dict[str, Any]) -> None:
    spans, scores, problems = read(DATA / entry["path"])
    facts = entry["facts"]
    assert len(spans) == facts["spans"]
    assert sum(s["status"] == "error" for s in spans) == facts["errors"]
    assert sum(s["tokens_in"] or 0 for s in spans) == facts["tokens_in"]
    assert sum(s["tokens_out"] or 0 for s in spans) == facts["tokens_out"]
    assert len(scores) + sum("scores span" in p.reason for p in problems) == facts["scores"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_same_rows_in_every_encoding(style: str, encoding: str) -> None:
    assert read(STYLES[style] / encoding) == read(STYLES[style] / "traces.jsonl")


@pytest.mark.parametrize("style", STYLES)
def test_what_the_sdk_prints_is_what_it_sends(style: str) -> None:
    """But for the scope, which it does not print, and nanoseconds, which it rounds."""
    by_id = {s["span_id"]: s for s in read(STYLES[style] / "traces.jsonl")[0]}
    printed = read(STYLES[style] / "sdk.json")[0]
    assert len(printed) == len(by_id)
    for mine in printed:
        sent = by_id[mine["span_id"]]
        assert abs((mine.pop("started_at") - sent.pop("started_at")).total_seconds()) < 2e-6
        assert mine.pop("duration_s") == pytest.approx(sent.pop("duration_s"), abs=3e-6)
        own, theirs = json.loads(mine.pop("attributes")), json.loads(sent.pop("attributes"))
        assert {k: v for k, v in own.items() if k != "otel.events"} == {
            k: v for k, v in theirs.items() if k not in ("otel.events",) and "scope" not in k
        }
        assert mine == sent


@pytest.mark.parametrize("name", ["spans.json", "otlp.json"])
def test_phoenix_gives_what_it_was_sent(name: str) -> None:
    sent = {s["span_id"]: s for s in read(STYLES["openinference"] / "traces.jsonl")[0]}
    spans, scores, problems = read(PHOENIX / name)
    assert not problems
    assert [(s["metric"], s["value"], s["label"]) for s in scores] == [
        ("grounded", 0.5, "partly"),
        ("helpful", 1.0, "up"),
    ]
    told = [key for key in sent[spans[0]["span_id"]] if key not in ("attributes", "duration_s")]
    for mine in spans:
        for key in told:
            other = sent[mine["span_id"]][key]
            if key == "started_at":
                assert abs((mine[key] - other).total_seconds()) < 2e-6
            elif key != "output" or mine["step"] != "retrieval":
                assert mine[key] == other, key


def test_steps_models_versions_and_texts_of_openinference() -> None:
    spans = {s["name"]: s for s in read(STYLES["openinference"] / "traces.jsonl")[0][:-1]}
    assert {name: s["step"] for name, s in spans.items()} == {
        "answer": "agent",
        "render prompt": "prompt",
        "find passages": "retrieval",
        "CreateEmbeddings": "retrieval",
        "ChatCompletion": "model",
        "check_stock": "tool",
        "parse answer": "parse",
    }
    chats = [
        s
        for s in read(STYLES["openinference"] / "traces.jsonl")[0]
        if s["name"] == "ChatCompletion"
    ]
    chat = next(s for s in chats if s["prompt_version"])
    assert (chat["model_requested"], chat["model_served"]) == (
        "answers-large",
        "answers-large-2026-05-01",
    )
    # the answer's text names another one
    assert chat["fingerprint"] == "fp_c0ffee0001"
    assert (chat["tokens_in"], chat["tokens_out"], chat["prompt_version"]) == (57, 21, "v12")
    assert chat["input"].startswith("How long is a hire day?")
    assert chat["output"].startswith("A hire day is 24 hours.")
    assert 'check_stock({"tool": "rotavator"})' in {s["output"] for s in chats}
    assert spans["find passages"]["index_version"] == "handbook@7"
    assert spans["find passages"]["output"].count("\n\n") == 1
    assert spans["CreateEmbeddings"]["output"] is None
    assert spans["parse answer"]["status"] == "error"


def test_steps_models_versions_and_texts_of_openllmetry() -> None:
    spans = read(STYLES["openllmetry"] / "traces.jsonl")[0]
    assert {s["name"]: s["step"] for s in spans} == {
        "invoke_agent counter": "agent",
        "render prompt": "prompt",
        "retrieval handbook": "retrieval",
        "chroma.query": "retrieval",
        "openai.embeddings": "retrieval",
        "openai.chat": "model",
        "execute_tool check_stock": "tool",
        "parse answer": "parse",
    }
    by_name = {s["name"]: s for s in spans}
    assert by_name["render prompt"]["prompt_version"] == "answer:12"
    assert by_name["chroma.query"]["output"] == by_name["retrieval handbook"]["output"]
    assert by_name["execute_tool check_stock"]["output"] == "3"
    failed = next(s for s in spans if s["model_requested"] == "broken")
    assert (failed["status"], failed["model_served"]) == ("error", None)
    assert json.loads(failed["attributes"])["error.type"] == "InternalServerError"


@pytest.mark.parametrize("name", ["logs.jsonl", "logs.pb", "sdk-logs.json"])
def test_scores_among_logs(name: str) -> None:
    _, scores, problems = read(STYLES["openllmetry"] / name)
    judged, felt = scores
    assert (judged["metric"], judged["value"], judged["label"]) == ("grounded", 0.5, "partly")
    assert judged["sampling_weight"] == 20
    assert judged["scorer"] == (None if name == "sdk-logs.json" else "judge")
    assert (felt["metric"], felt["value"], felt["scorer_kind"]) == ("user_feedback", 1, "human")
    assert {s["trace_id"] for s in scores} == {
        read(STYLES["openllmetry"] / "traces.jsonl")[0][0]["trace_id"]
    }
    assert problems == [Problem("records of logs", "1 are no scores of answers")]


def test_annotations_of_spans_find_their_trace_in_the_same_file(tmp_path: Path) -> None:
    _, scores, problems = read(PHOENIX / "span-annotations.json")
    assert not scores
    assert "is not in this file" in problems[0].reason
    both = tmp_path / "both.json"
    files = ("span-annotations.json", "spans.json", "trace-annotations.json")
    both.write_text("\n".join((PHOENIX / name).read_text() for name in files))
    _, scores, problems = read(both)
    assert not problems
    polite = [s for s in scores if s["metric"].startswith("polite")]
    assert {s["metric"] for s in polite} == {"polite span", "polite trace"}
    assert len({s["trace_id"] for s in polite}) == 1
    assert {(s["scorer_kind"], s["value"]) for s in polite} == {("model", 0.75)}


# spellings


@pytest.mark.parametrize(
    "spelt",
    [TRACE, TRACE.upper(), "0x" + TRACE, base64.b64encode(bytes.fromhex(TRACE)).decode()],
)
def test_ids_in_every_spelling(one: Any, spelt: str) -> None:
    assert one(traceId=spelt)["trace_id"] == TRACE


@pytest.mark.parametrize(
    "other", ["request-17", "0x12", "1234567890123456789", "ä", "AAAAAAAAAAA="]
)
def test_any_other_id_is_kept(one: Any, other: str) -> None:
    found = one(traceId=other)["trace_id"]
    assert found == (other if other[-1] != "=" else bytes(8).hex())


@pytest.mark.parametrize("nothing", ["", None, "0" * 16, "AAAAAAAAAAA="])
def test_a_root_has_no_parent_however_it_says_so(one: Any, nothing: str | None) -> None:
    assert one(parentSpanId=nothing)["parent_id"] is None
    assert one()["parent_id"] is None


def test_values_in_every_spelling(one: Any) -> None:
    spelt = {
        "text": {"stringValue": "ä"},
        "int": {"intValue": 12},
        "int as text": {"intValue": "12"},
        "huge": {"intValue": "9" * 30},
        "double": {"doubleValue": 0.5},
        "whole double": {"doubleValue": 2},
        "nan": {"doubleValue": "NaN"},
        "infinity": {"doubleValue": "-Infinity"},
        "bool": {"boolValue": False},
        "bytes": {"bytesValue": "AAE="},
        "list": value([1, "a", None]),
        "empty list": {"arrayValue": {}},
        "map": value({"a": {"b": [True]}}),
        "nothing": {},
        "null siblings": {"string_value": None, "int_value": 3},
        "no value of OTLP": {"intValue": "twelve"},
    }
    made = [{"key": key, "value": item} for key, item in spelt.items()] + [{"key": "no value"}]
    assert one(attributes=made)["attributes"] == {
        "text": "ä", "int": 12, "int as text": 12, "huge": int("9" * 30), "double": 0.5,
        "whole double": 2.0, "nan": None, "infinity": None, "bool": False, "bytes": "AAE=",
        "list": [1, "a", None], "empty list": [], "map": {"a": {"b": [True]}}, "nothing": None,
        "null siblings": 3, "no value of OTLP": '{"intValue":"twelve"}', "no value": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, "unset"), (1, "ok"), (2, "error"), ("STATUS_CODE_ERROR", "error"), ("Ok", "ok"),
     ("STATUS_CODE_UNSET", "unset"), (7, "unset"), ("2", "error")],
)  # fmt: skip
def test_status_in_every_spelling(one: Any, code: int | str, status: str) -> None:
    assert one(status={"code": code, "message": "why"})["status"] == status


def test_an_unset_status_with_an_error_type_is_an_error(one: Any) -> None:
    assert one({"error.type": "timeout"})["status"] == "error"
    assert one({"error.type": "timeout"}, status={"code": 1})["status"] == "ok"


@pytest.mark.parametrize("moment", [START, str(START), float(START)])
def test_moments_are_numbers_or_texts(one: Any, moment: Any) -> None:
    found = one(startTimeUnixNano=moment)
    assert found["started_at"].isoformat() == "2026-11-25T08:55:12.669716+00:00"
    assert found["duration_s"] == pytest.approx(2, abs=1e-6)


@pytest.mark.parametrize("moment", [0, "0", None, "", -1, "never", 2**70, 1e300, True])
def test_no_moment_is_missing(one: Any, moment: Any) -> None:
    found = one(startTimeUnixNano=moment)
    assert (found["started_at"], found["duration_s"]) == (None, None)


def test_snake_case_lists_and_old_names_are_read_alike(tmp_path: Path) -> None:
    usual = read(written(tmp_path / "usual.json", request(span({"a": 1}), **{"service.name": "s"})))
    old = request(span({"a": 1}), **{"service.name": "s"})
    sender = old["resourceSpans"][0]
    sender["instrumentationLibrarySpans"] = sender.pop("scopeSpans")
    assert read(written(tmp_path / "old.json", old)) == usual
    snake = {
        "resource_spans": [
            {
                "resource": {"attributes": pairs({"service.name": "s"})},
                "scope_spans": [
                    {
                        "spans": [
                            {
                                "trace_id": TRACE,
                                "span_id": SPAN,
                                "parent_span_id": None,
                                "name": "work",
                                "start_time_unix_nano": START,
                                "end_time_unix_nano": START + 2 * 10**9,
                                "attributes": [{"key": "a", "value": {"int_value": "1"}}],
                            }
                        ]
                    }
                ],
            }
        ]
    }
    assert read(written(tmp_path / "snake.json", snake)) == usual


def test_a_scope_and_its_resource_go_beside_the_attributes(one: Any, tmp_path: Path) -> None:
    asked = request(span(kind=3, traceState="a=b", links=[{"traceId": TRACE}]), region="north")
    asked["resourceSpans"][0]["scopeSpans"][0]["scope"] = {"name": "lib", "version": "2"}
    found = read(written(tmp_path / "t.json", asked))[0][0]
    assert json.loads(found["attributes"]) == {
        "otel.kind": "client",
        "otel.trace_state": "a=b",
        "otel.links": [{"traceId": TRACE}],
        "otel.resource": {"region": "north"},
        "otel.scope.name": "lib",
        "otel.scope.version": "2",
    }


# what attributes mean


@pytest.mark.parametrize(
    ("step", "name", "attributes"),
    [
        ("model", "x", {"openinference.span.kind": "LLM"}),
        ("retrieval", "x", {"openinference.span.kind": "RETRIEVER"}),
        ("retrieval", "x", {"openinference.span.kind": "RERANKER"}),
        ("retrieval", "x", {"openinference.span.kind": "EMBEDDING"}),
        ("tool", "x", {"openinference.span.kind": "TOOL"}),
        ("agent", "x", {"openinference.span.kind": "AGENT"}),
        ("prompt", "x", {"openinference.span.kind": "PROMPT"}),
        ("other", "parse", {"openinference.span.kind": "GUARDRAIL"}),
        ("other", "x", {"openinference.span.kind": "CHAIN", "llm.system": "openai"}),
        ("parse", "JsonOutputParser", {"openinference.span.kind": "CHAIN"}),
        ("prompt", "ChatPromptTemplate", {"openinference.span.kind": "CHAIN"}),
        ("model", "x", {"gen_ai.operation.name": "chat"}),
        ("model", "x", {"gen_ai.operation.name": "text_completion"}),
        ("model", "x", {"gen_ai.operation.name": "generate_content"}),
        ("retrieval", "x", {"gen_ai.operation.name": "embeddings"}),
        ("retrieval", "x", {"gen_ai.operation.name": "retrieval"}),
        ("tool", "x", {"gen_ai.operation.name": "execute_tool"}),
        ("agent", "x", {"gen_ai.operation.name": "invoke_agent"}),
        ("other", "x", {"gen_ai.operation.name": "invoke_workflow", "gen_ai.system": "a"}),
        ("model", "x", {"llm.request.type": "completion"}),
        ("retrieval", "x", {"llm.request.type": "rerank"}),
        ("agent", "x", {"traceloop.span.kind": "agent"}),
        ("tool", "x", {"traceloop.span.kind": "tool"}),
        ("other", "x", {"traceloop.span.kind": "workflow"}),
        ("parse", "parse_reply", {"traceloop.span.kind": "task"}),
        ("retrieval", "x", {"db.system": "chroma"}),
        ("retrieval", "x", {"retrieval.documents.0.document.content": "t"}),
        ("tool", "x", {"tool.name": "search"}),
        ("model", "openai.chat", {"gen_ai.provider.name": "openai"}),
        ("retrieval", "openai.embeddings", {"gen_ai.provider.name": "openai"}),
        ("other", "POST /tools/prompt", {"http.request.method": "POST"}),
        ("parse", "parse answer", {}),
        ("prompt", "render prompt", {}),
        ("retrieval", "VectorStoreRetriever", {}),
        ("other", "something else", {}),
    ],
)
def test_steps_are_told(one: Any, step: str, name: str, attributes: dict[str, Any]) -> None:
    assert one(attributes, name=name)["step"] == step


MODEL = {"openinference.span.kind": "LLM"}


@pytest.mark.parametrize(
    ("column", "told", "attributes"),
    [
        ("model_requested", "a", {"gen_ai.request.model": "a", "gen_ai.response.model": "b"}),
        ("model_served", "b", {"gen_ai.request.model": "a", "gen_ai.response.model": "b"}),
        ("model_served", "b", {"llm.model_name": "c", "llm.response.model_name": "b"}),
        ("model_requested", "a", {"llm.request.model_name": "a"}),
        ("model_requested", "a", {"llm.invocation_parameters": '{"model": "a"}'}),
        ("model_requested", "a", {**MODEL, "input.value": '{"model": "a", "messages": []}'}),
        ("model_requested", None, {**MODEL, "input.value": "which model is it?"}),
        ("model_requested", None, {"tool.name": "t", "input.value": '{"model": "a"}'}),
        ("model_served", "b", {"embedding.model_name": "b"}),
        ("fingerprint", "f", {"openai.response.system_fingerprint": "f"}),
        ("fingerprint", "f", {"gen_ai.openai.response.system_fingerprint": "f"}),
        ("fingerprint", "f", {"gen_ai.openai.system_fingerprint": "f"}),
        ("fingerprint", "f", {**MODEL, "output.value": '{"system_fingerprint": "f"}'}),
        ("fingerprint", None, {**MODEL, "output.value": "the system_fingerprint"}),
        ("tokens_in", 3, {"gen_ai.usage.input_tokens": 3}),
        ("tokens_in", 3, {"gen_ai.usage.prompt_tokens": 3}),
        ("tokens_in", 3, {"llm.token_count.prompt": 3.0}),
        ("tokens_in", 3, {"llm.usage.total_tokens": "3"}),
        ("tokens_in", 3, {"llm.usage.total_tokens": 5, "gen_ai.usage.completion_tokens": 2}),
        ("tokens_out", 3, {"gen_ai.usage.output_tokens": 3}),
        ("tokens_out", 3, {"gen_ai.usage.completion_tokens": 3}),
        ("tokens_out", 3, {"llm.token_count.completion": 3}),
        ("tokens_out", 0, {"gen_ai.usage.output_tokens": 0}),
        ("tokens_in", None, {"gen_ai.usage.input_tokens": -1}),
        ("tokens_in", None, {"gen_ai.usage.input_tokens": 10**30}),
        ("tokens_in", None, {"gen_ai.usage.input_tokens": float("nan")}),
        ("tokens_in", None, {"gen_ai.usage.input_tokens": "many"}),
        ("tokens_in", None, {"gen_ai.usage.input_tokens": [1]}),
        ("cost_usd", 0.5, {"llm.cost.total": 0.5, "llm.cost.prompt": 1}),
        ("cost_usd", 0.75, {"llm.cost.prompt": 0.25, "llm.cost.completion": 0.5}),
        ("cost_usd", 0.5, {"gen_ai.usage.cost": "0.5"}),
        ("cost_usd", None, {"llm.cost.total": -3}),
        ("prompt_version", "v1", {"llm.prompt_template.version": "v1"}),
        ("prompt_version", "a:2", {"traceloop.prompt.key": "a", "traceloop.prompt.version": 2}),
        ("prompt_version", "a:2", {"gen_ai.prompt.name": "a", "gen_ai.prompt.version": "2"}),
        ("prompt_version", "2.5", {"prompt.version": 2.5}),
        ("prompt_version", "7", {"metadata": '{"prompt_version": 7}'}),
        ("prompt_version", "7", {"metadata.prompt_version": "7"}),
        ("index_version", "i", {"index.version": "i"}),
        ("index_version", "i", {"metadata": '{"index_version": "i"}'}),
        ("index_version", "i", {"traceloop.association.properties.index_version": "i"}),
    ],
)
def test_columns_in_the_words_of_every_convention(
    one: Any, column: str, told: Any, attributes: dict[str, Any]
) -> None:
    assert one(attributes)[column] == told


PARTS = [
    {"role": "system", "parts": [{"type": "text", "content": "be short"}]},
    {"role": "user", "parts": [{"type": "text", "content": "first"}]},
    {"role": "user", "parts": [{"type": "text", "content": "asked"}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "result": "3"}]},
]
FLAT_CALL = "llm.output_messages.0.message.tool_calls.0.tool_call.function"
CALL = {"type": "tool_call", "id": "1", "name": "look", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("asked", "attributes"),
    [
        ("asked", {"gen_ai.input.messages": json.dumps(PARTS)}),
        ("asked", {"gen_ai.input.messages": PARTS}),
        ("asked", {"gen_ai.input.messages": "asked"}),
        ("asked", {"gen_ai.prompt": json.dumps([{"role": "user", "content": "asked"}])}),
        ("asked", {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "asked"}),
        (
            "asked",
            {
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.content": "asked",
                "llm.input_messages.1.message.role": "assistant",
                "llm.input_messages.1.message.content": "so far",
                "llm.input_messages.2.message.role": "tool",
                "llm.input_messages.2.message.content": "3",
            },
        ),
        (
            "asked\nand more",
            {
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.contents.0.message_content.text": "asked",
                "llm.input_messages.0.message.contents.1.message_content.text": "and more",
            },
        ),
        ("asked", {"llm.input_messages": [{"message.role": "user", "message.content": "asked"}]}),
        ("asked", {"llm.input_messages": [{"message": {"role": "user", "content": "asked"}}]}),
        (
            "asked",
            {"input.value": json.dumps({"messages": [{"role": "user", "content": "asked"}]})},
        ),
        ("asked", {"input.value": "asked"}),
        ('{"a": 1}', {"gen_ai.tool.call.arguments": '{"a": 1}'}),
        ("asked", {"gen_ai.retrieval.query.text": "asked"}),
        ("asked", {"traceloop.entity.input": "asked"}),
        (None, {"gen_ai.input.messages": "[]"}),
        ("[not JSON", {"gen_ai.input.messages": "[not JSON"}),
    ],
)
def test_what_was_asked_is_read_out_of_messages_in_any_form(
    one: Any, asked: str | None, attributes: dict[str, Any]
) -> None:
    assert one(attributes)["input"] == asked


@pytest.mark.parametrize(
    ("answered", "attributes"),
    [
        ("yes", {"gen_ai.output.messages": '[{"role":"assistant","parts":[{"content":"yes"}]}]'}),
        ('look({"a":1})', {"gen_ai.output.messages": [{"role": "assistant", "parts": [CALL]}]}),
        ('look({"a":1})', {"gen_ai.output.messages": json.dumps([{"role": "a", "parts": [CALL]}])}),
        ("yes", {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "yes"}),
        (
            'look({"a": 1})',
            {
                "llm.output_messages.0.message.role": "assistant",
                f"{FLAT_CALL}.name": "look",
                f"{FLAT_CALL}.arguments": '{"a": 1}',
            },
        ),
        (
            "yes",
            {"output.value": '{"choices": [{"message": {"role":"assistant","content":"yes"}}]}'},
        ),
        ("yes", {"output.value": "yes"}),
        ("one\n\ntwo", {"gen_ai.retrieval.documents": '[{"content":"one"},{"content":"two"}]'}),
        ("one", {"retrieval.documents": [{"document.id": "1", "document.content": "one"}]}),
        ("one", {"retrieval.documents": [{"document": {"content": "one"}}]}),
        ('[{"id":"1"}]', {"gen_ai.retrieval.documents": [{"id": "1"}]}),
    ],
)
def test_what_was_answered_is_read_out_of_messages_in_any_form(
    one: Any, answered: str, attributes: dict[str, Any]
) -> None:
    assert one(attributes)["output"] == answered


def event(name: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "timeUnixNano": str(START), "attributes": pairs(attributes)}


def test_older_events_hold_messages_and_documents(one: Any) -> None:
    told = [
        event("gen_ai.content.prompt", **{"gen_ai.prompt": '[{"role":"user","content":"asked"}]'}),
        event("gen_ai.choice", message='{"role": "assistant", "content": "yes"}'),
    ]
    found = one(MODEL, events=told)
    assert (found["input"], found["output"]) == ("asked", "yes")
    assert [e["name"] for e in found["attributes"]["otel.events"]] == [e["name"] for e in told]
    found = one(
        {"db.system": "x"}, events=[event("db.query.result", **{"db.query.result.document": "d"})]
    )
    assert found["output"] == "d"


# scores


def scored(named: str = "result", **told: Any) -> dict[str, Any]:
    """An event of the GenAI conventions that carries a score."""
    held = {f"gen_ai.evaluation.{key.replace('__', '.')}": item for key, item in told.items()}
    return event(f"gen_ai.evaluation.{named}", **held)


@pytest.mark.parametrize(
    ("told", "row"),
    [
        (scored(name="n", score__value=1), ("n", 1.0, None, None)),
        (scored(name="n", score__label="bad"), ("n", None, "bad", None)),
        (scored("relevance", score=0.5, evaluator__type="llm"), ("relevance", 0.5, None, "model")),
        (
            event("gen_ai.evaluation.result", **{"gen_ai.evaluation.name": "n", "error.type": "t"}),
            ("n", None, "t", None),
        ),
        (event("user_feedback", score=True), ("user_feedback", 1.0, None, "human")),
        (event("user_feedback", value="up"), ("user_feedback", 1.0, "up", "human")),
        (
            event("user.feedback", **{"user.feedback": "retry"}),
            ("user_feedback", None, "retry", "human"),
        ),
    ],
)
def test_scores_as_events_of_a_span(tmp_path: Path, told: Any, row: Any) -> None:
    _, scores, problems = read(written(tmp_path / "t.json", request(span(events=[told]))))
    assert not problems
    found = scores[0]
    assert (found["metric"], found["value"], found["label"], found["scorer_kind"]) == row
    assert (found["trace_id"], found["at"].year) == (TRACE, 2026)


@pytest.mark.parametrize("many", ["annotations", "evaluations", "trace.annotations"])
def test_scores_among_the_attributes_of_a_span(tmp_path: Path, many: str) -> None:
    one = many.rpartition(".")[2][:-1]
    attributes = {
        f"{many}.0.{one}.name": "a", f"{many}.0.{one}.score": 0.5,
        f"{many}.1.{one}.name": "b", f"{many}.1.{one}.label": "good",
        f"{many}.1.{one}.annotator_kind": "CODE", "user_feedback": "down",
    }  # fmt: skip
    _, scores, _ = read(written(tmp_path / "t.json", request(span(attributes))))
    assert [(s["metric"], s["value"], s["label"], s["scorer_kind"]) for s in scores] == [
        ("a", 0.5, None, None),
        ("b", None, "good", "code"),
        ("user_feedback", 0.0, "down", "human"),
    ]


@pytest.mark.parametrize(
    ("fields", "attributes", "weight"),
    [
        ({}, {}, None),
        ({"traceState": "ot=th:8"}, {}, 2),
        ({"traceState": "vendor=x,ot=rv:0123;th:c"}, {}, 4),
        ({"traceState": "ot=th:0"}, {}, 1),
        ({"traceState": "ot=p:3;r:62"}, {}, 8),
        ({"traceState": "ot=th:zz"}, {}, None),
        ({"traceState": "ot=th:8"}, {"sampling.weight": 10}, 10),
        ({}, {"sampling.probability": 0.05}, 20),
        ({}, {"SampleRate": 4}, 4),
        ({}, {"sampling.weight": -1}, None),
    ],
)
def test_a_score_weighs_as_its_sampling_says(
    tmp_path: Path, fields: dict[str, Any], attributes: dict[str, Any], weight: float | None
) -> None:
    told = event("user_feedback", score=1)
    path = written(tmp_path / "t.json", request(span(attributes, events=[told], **fields)))
    assert read(path)[1][0]["sampling_weight"] == weight


def test_a_score_without_a_name_or_a_trace_is_noted(tmp_path: Path) -> None:
    record = {
        "eventName": "gen_ai.evaluation.result",
        "attributes": pairs({"gen_ai.evaluation.name": "n"}),
    }
    nameless = {**record, "traceId": TRACE, "attributes": []}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, nameless]}]}]}
    _, scores, problems = read(written(tmp_path / "logs.json", logs))
    assert not scores
    assert ["without a trace" in p.reason or "without a name" in p.reason for p in problems] == [
        True
    ] * 2


# damage


def good(number: int) -> dict[str, Any]:
    return request(span({"a": 1}, spanId=f"{number:016x}"))


def numbers(spans: list[dict[str, Any]]) -> list[int]:
    return sorted(int(s["span_id"], 16) for s in spans)


@pytest.mark.parametrize(
    "damaged",
    ['{"resourceSpans":[{"scopeSpans":[{"', "no JSON", '{"resourceSpans": 7}', "{}x", "\x00\x01"],
)
def test_a_damaged_line_is_noted_and_the_others_are_read(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(f"{json.dumps(good(1))}\n{damaged}\n{json.dumps(good(2))}\n")
    spans, _, problems = read(path)
    assert numbers(spans) == [1, 2]
    assert [p.place.split(" problem")[0] for p in problems] == ["line 2"]


def test_of_half_a_document_the_whole_spans_are_read(tmp_path: Path) -> None:
    whole = request(*(span({"a": n}, spanId=f"{n:016x}") for n in range(1, 6)))
    for text in (json.dumps(whole), json.dumps(whole, indent=2)):
        path = tmp_path / "half.json"
        path.write_text(text[: int(len(text) * 0.7)])
        spans, _, problems = read(path)
        assert numbers(spans) == [1, 2, 3]
        assert "3 whole spans in it were read" in problems[0].reason


def test_documents_that_follow_each_other_are_all_read(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(good(1)) + json.dumps(good(2)) + json.dumps(good(3), indent=1))
    assert numbers(read(path)[0]) == [1, 2, 3]
    assert read(path)[2] == []
    path.write_text("[" + ",\n".join(json.dumps(good(n)) for n in (1, 2)) + "]")
    assert numbers(read(path)[0]) == [1, 2]


def test_a_span_that_does_not_fit_leaves_the_others(tmp_path: Path) -> None:
    odd = [
        span(name=7),
        span(events="x"),
        span(traceId=None),
        5,
        span(attributes=[5, {"key": "a"}]),
    ]
    path = written(tmp_path / "t.json", request(*odd, span(spanId=f"{9:016x}")))
    spans, _, problems = read(path)
    assert 9 in numbers(spans)
    assert len(problems) >= 4
    assert len({p.place for p in problems}) == len(problems)


def test_an_end_before_the_start_is_noted_and_no_duration(tmp_path: Path) -> None:
    path = written(tmp_path / "t.json", request(span(endTimeUnixNano=str(START - 10**9))))
    spans, _, problems = read(path)
    assert spans[0]["duration_s"] is None
    assert problems == [
        Problem(f"line 1 span {SPAN}", "ends 1 s before it starts: it has no duration")
    ]


def test_too_deep_is_refused_and_the_rest_read(tmp_path: Path) -> None:
    deep: dict[str, Any] = {"stringValue": "x"}
    for _ in range(80):
        deep = {"arrayValue": {"values": [deep]}}
    bad = span(attributes=[{"key": "deep", "value": deep}])
    path = written(tmp_path / "t.json", request(bad, span(spanId=f"{1:016x}")), good(2))
    with path.open("a") as file:
        file.write('{"resourceSpans":' + "[" * 100_000 + "]" * 100_000 + "}\n")
    spans, _, problems = read(path)
    assert numbers(spans) == [1, 2]
    assert [p.reason for p in problems] == ["nested too deeply"] * 2


def test_surrogates_and_nul_are_texts_that_a_table_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    told = json.dumps(request(span({"input.value": "half HALF nul \0"})))
    path.write_text(told.replace("HALF", "\\ud800"))
    spans, _, problems = read(path)
    assert not problems
    assert spans[0]["input"] == "half ? nul \0"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_what_some_shells_redirect_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.json"
    path.write_text("\n".join(json.dumps(good(n)) for n in (1, 2)), encoding)
    assert numbers(read(path)[0]) == [1, 2]


def test_what_is_cut_off_or_damaged_in_a_packed_file_is_noted(tmp_path: Path) -> None:
    lines = [f"{json.dumps(good(n))}\n".encode() for n in range(1, 30)]
    frames = [zstandard.ZstdCompressor().compress(line) for line in lines]
    path = tmp_path / "t.json.zst"
    path.write_bytes(b"".join(frames)[:-20])
    spans, _, problems = read(path)
    assert numbers(spans) == list(range(1, 29))
    assert "cut off" in problems[-1].reason
    path.write_bytes(b"".join(frames[:20]) + b"damaged" + b"".join(frames[20:]))
    assert numbers(read(path)[0]) == list(range(1, 21))
    assert "damaged" in read(path)[2][-1].reason


def test_of_messages_cut_off_those_before_are_read(tmp_path: Path) -> None:
    data = (STYLES["openllmetry"] / "traces.pb").read_bytes()
    path = tmp_path / "t.pb"
    path.write_bytes(data[:-100])
    spans, _, problems = read(path)
    assert 0 < len(spans) < 11
    assert "cut off" in problems[0].reason
    first = 4 + int.from_bytes(data[:4], "big")
    path.write_bytes(data[:first] + struct.pack(">I", 9) + b"\x0anonsense" + data[first:])
    spans, _, problems = read(path)
    assert len(spans) == 11
    assert problems == [Problem("message 2", "no message of traces or logs")]
    path.write_bytes(data[:first] + b"\xff\xff\xff\xff" + data[first:])
    assert "what follows message 2 is not read" in read(path)[2][0].reason


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "TOTAL_FLOOR", 2**20)
    monkeypatch.setattr(records, "LONGEST", 2**20)
    pack = zstandard.ZstdCompressor().compress
    bomb = tmp_path / "bomb.json.zst"
    bomb.write_bytes(pack(f"{json.dumps(good(1))}\n".encode()) + pack(b" " * (64 * 2**20)))
    spans, _, problems = read(bomb)
    assert numbers(spans) == [1]
    assert "expands to more than" in problems[-1].reason
    bomb = tmp_path / "bomb.pb"
    bodies = [
        pack(json.dumps(good(1)).encode()),
        pack(b"{" + b" " * (64 * 2**20)),
        pack(json.dumps(good(2)).encode()),
    ]
    bomb.write_bytes(b"".join(struct.pack(">I", len(body)) + body for body in bodies))
    spans, _, problems = read(bomb)
    assert numbers(spans) == [1, 2]
    assert [p.place for p in problems] == ["message 2"]
    long = tmp_path / "long.json"
    long.write_text(f"{json.dumps(good(1))}\n{'{' + ' ' * 2**21}\n{json.dumps(good(2))}\n")
    spans, _, problems = read(long)
    assert numbers(spans) == [1, 2]
    assert problems == [Problem("line 2", "a record longer than 1 MiB")]


def test_a_long_document_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiops_lab.sources.traces.otlp as otlp

    asked = request(*(span({"a": n}, spanId=f"{n:016x}") for n in range(1, 60)), region="north")
    path = written(tmp_path / "t.json", asked)
    whole = read(path)
    monkeypatch.setattr(otlp, "LARGE", 100)
    monkeypatch.setattr(otlp, "PART", 7)
    assert read(path) == whole
    asked["resourceSpans"][0]["scopeSpans"][0]["spans"][20]["name"] = 7
    spans, _, problems = read(written(path, asked))
    assert (len(spans), len(problems)) == (58, 1)


def test_protobuf_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.trace.v1.trace_pb2", None)
    with pytest.raises(LabError, match="pip install opentelemetry-proto"):
        read(STYLES["openllmetry"] / "traces.pb")


@pytest.mark.parametrize("style", sorted(STYLES))
def test_what_one_call_sends_is_read_without_its_length(style: str, tmp_path: Path) -> None:
    packed = (STYLES[style] / "traces.pb").read_bytes()
    at, bare = 0, tmp_path / "bare"
    bare.mkdir()
    while at < len(packed):
        size = int.from_bytes(packed[at : at + 4], "big")
        (bare / f"{at}.bin").write_bytes(packed[at + 4 : at + 4 + size])
        at += 4 + size
    squeezed = bare / "0.zst"
    squeezed.write_bytes(zstandard.compress((bare / "0.bin").read_bytes()))
    assert read(squeezed) == read(bare / "0.bin")
    squeezed.unlink()
    found: list[Any] = []
    for path in bare.iterdir():
        source = recognise(path)
        assert source and source.name == "otlp"
        found += read(path)[0]
    assert sorted(row["span_id"] for row in found) == sorted(
        row["span_id"] for row in read(STYLES[style] / "traces.pb")[0]
    )


@pytest.mark.parametrize("text", [b"\na\n1\n", b"\n\n\n", b"\n{\n\n}", b"\n\x00", b"\n\xff\xff"])
def test_text_behind_an_empty_line_is_no_message(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(text)
    source = recognise(path)
    assert source is None or source.name != "otlp"


# which file is whose


def test_every_fixture_is_recognised_as_its_own() -> None:
    for path in sorted(DATA.glob("*/**/*")):
        folder = path.relative_to(DATA).parts[0]
        if not path.is_file() or folder == "make":
            continue
        source = recognise(path)
        traces = {"otlp", "spans"}
        assert source and (source.name in traces) == folder.startswith("traces-"), path.name


def test_traces_that_speak_of_other_formats_stay_traces(tmp_path: Path) -> None:
    keys = (
        "evalId", "results", "prompts", "stats", "vars", "promptIdx", "testIdx", "doc_id", "resps",
        "filtered_resps", "n-shot", "eval", "task", "task_id", "eval_id", "samples",
    )  # fmt: skip
    told = {key: {key: 1} for key in keys}
    assert recognise(written(tmp_path / "t.json", request(span(told)))).name == "otlp"  # type: ignore[union-attr]
    printed = json.loads((STYLES["openllmetry"] / "sdk.json").read_text().split("\n}\n")[0] + "}")
    printed["attributes"] |= told
    assert recognise(written(tmp_path / "s.json", printed)).name == "spans"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["promptfoo-0.123.1/repeat.jsonl", "inspect-0.3.60/pair.json"])
def test_other_logs_that_hold_traces_stay_what_they_are(tmp_path: Path, name: str) -> None:
    held = json.dumps(json.dumps(request(span())))[1:-1]
    text = (DATA / name).read_text()
    path = tmp_path / Path(name).name
    path.write_text(text.replace('"output":"', f'"output":"{held}', 1))
    mine = recognise(DATA / name)
    assert mine and recognise(path) == mine
    table = tmp_path / "table.json"
    table.write_text(
        json.dumps(
            [{"run_id": "r", "sample_id": "1", "context": "c", "start_time": 1, "name": "n"}]
        )
    )
    assert recognise(table) == source_named("table")


# in a lab


def test_ingest_twice_adds_nothing(lab: Lab) -> None:
    for folder in STYLES.values():
        for name in ("traces.jsonl", "logs.jsonl"):
            if (folder / name).exists():
                assert lab.ingest(folder / name).added == 1
                assert lab.ingest(folder / name).added == 0
    assert lab.table("spans").height == 21
    assert lab.table("evaluations").height == 4
    assert lab.table("spans").select(pl.struct("trace_id", "span_id").is_unique().all()).item()


def test_every_encoding_in_one_lab_is_the_same_spans(lab: Lab) -> None:
    done = lab.ingest(*STYLES.values(), PHOENIX)
    assert done.rows["spans"] == 7 * 21 + 2 * 10
    assert lab.table("spans").height == 21
    assert set(done.quarantined["reason"].str.slice(0, 6)) == {"1 are ", "scores"}


def test_a_rotated_set_of_files_is_read_and_its_growing_file_again(
    lab: Lab, tmp_path: Path
) -> None:
    lines = [json.dumps(good(n)) + "\n" for n in range(1, 10)]
    names = [
        "traces-2026-11-20T10-00-00.000.json",
        "traces-2026-11-21T10-00-00.000.json",
        "traces.json",
    ]
    for number, name in enumerate(names):
        (tmp_path / name).write_text("".join(lines[3 * number : 3 * number + 2]))
    assert lab.ingest(*(tmp_path / name for name in names)).added == 3
    with (tmp_path / "traces.json").open("a") as file:
        file.write(lines[8])
    assert lab.ingest(*(tmp_path / name for name in names)).added == 1
    (tmp_path / "traces.json").rename(tmp_path / "traces-2026-11-22T10-00-00.000.json")
    (tmp_path / "traces.json").write_text(lines[2])
    done = lab.ingest(*tmp_path.glob("traces*.json"))
    assert (done.added, done.skipped) == (1, 3)
    assert numbers(lab.table("spans").to_dicts()) == [1, 2, 3, 4, 5, 7, 8, 9]


def test_spans_twice_and_without_their_parents_are_shown_once(lab: Lab, tmp_path: Path) -> None:
    lost = span({"a": 1}, spanId=f"{1:016x}", parentSpanId=f"{99:016x}")
    lab.ingest(written(tmp_path / "t.json", request(lost, lost), request(lost)))
    assert lab.table("spans")["parent_id"].to_list() == [f"{99:016x}"]


def test_many_batches_are_all_there(lab: Lab, tmp_path: Path) -> None:
    documents = [
        request(*(span(spanId=f"{i * 500 + k:016x}") for k in range(500))) for i in range(11)
    ]
    path = written(tmp_path / "t.json", *documents)
    batches = list(source_named("otlp").read(path))
    assert max(b.tables["spans"].height for b in batches if b.tables) <= 2_500
    assert lab.ingest(path).rows == {"spans": 5_500}
    assert lab.table("spans").height == 5_500


# properties


@settings(deadline=None)
@given(st.binary(min_size=8, max_size=8) | st.binary(min_size=16, max_size=16))
def test_an_id_is_the_same_in_all_its_spellings(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    spelt = {data.hex(), data.hex().upper(), "0x" + data.hex(), text}
    assert {identity(one) for one in spelt} == {data.hex()}


@settings(deadline=None)
@given(st.text(min_size=1))
def test_an_id_is_never_lost_and_settles_at_once(text: str) -> None:
    found = identity(text)
    assert found
    assert identity(found) == found or len(text) in (12, 24)


@settings(deadline=None)
@given(st.integers(min_value=10**17, max_value=2**63 - 1))
def test_nanoseconds_are_kept(moment: int) -> None:
    assert nanoseconds(moment) == nanoseconds(str(moment)) == moment


@settings(deadline=None)
@given(
    st.datetimes(
        min_value=pl.Series(["1974-01-01"]).str.to_datetime().item(),
        max_value=pl.Series(["2200-01-01"]).str.to_datetime().item(),
    )
)
def test_an_iso_time_is_the_same_moment_as_its_numbers(moment: Any) -> None:
    micro = nanoseconds(moment.isoformat() + "Z")
    assert micro is not None
    assert nanoseconds(micro // 1000) == micro == nanoseconds(str(micro))


@settings(deadline=None)
@given(
    st.none() | st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.integers())
)
def test_no_moment_is_out_of_range(given_moment: Any) -> None:
    found = nanoseconds(given_moment)
    assert found is None or 0 < found < 2**63


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(PLAIN)
def test_a_value_comes_back_as_it_was(given_value: Any) -> None:
    decoder = msgspec.json.Decoder(AnyValue, strict=False)
    assert (
        plain(decoder.decode(json.dumps(value(given_value)).encode("utf-8", "replace")))
        == given_value
    )


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=200))
def test_depth_is_bounded(depth: int) -> None:
    made: Any = "x"
    for _ in range(depth):
        made = [made]
    held = msgspec.convert(value(made), AnyValue)
    if depth <= 65:
        assert plain(held) == made
    else:
        with pytest.raises(BadSource, match="too deeply"):
            plain(held)


@settings(deadline=None)
@given(st.dictionaries(st.text(), PLAIN, max_size=6))
def test_attributes_come_back_as_they_were(
    tmp_path_factory: Any, attributes: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(request(span(attributes))))
    spans, _, problems = read(path)
    assert not problems
    assert json.loads(spans[0]["attributes"]) == attributes


def test_a_lab_of_half_read_files_says_so(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    path = tmp_path / "t.json"
    path.write_text(json.dumps(good(1)) + "\n" + json.dumps(good(2))[:-30] + "\n")
    done = lab.ingest(path)
    assert done.rows["spans"] == 1
    assert done.quarantined["path"].to_list() == [str(path)]
    assert done.quarantined["place"].to_list() == ["line 2"]
