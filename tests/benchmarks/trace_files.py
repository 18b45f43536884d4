"""Traces as a collector writes them, of any size: python trace_files.py FILE MEGABYTES.

Requests to an assistant by the GenAI conventions and in OpenInference's words: an agent's span with
a retrieval, two calls of a model, a tool and the parsing of the answer below it.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPANS = 200
"""How many spans a request of OTLP has."""
WORDS = (
    ("the", "hire", "day", "lasts", "24", "hours", "from", "collection"),
    ("für", "Auslieferungen", "fragen", "Sie", "am", "Schalter", "nach", "Größe"),
)
"""By language, English twice as often."""
Step = tuple[str, int, dict[str, Any]]


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS[chance.randrange(3) == 2], k=words))


def genai(chance: random.Random) -> list[Step]:
    """A request by the GenAI conventions, its root first."""
    asked, operation = _text(chance, 20), "gen_ai.operation.name"
    found = [{"id": f"d{n}", "score": 0.9 - n / 10, "content": _text(chance, 40)} for n in range(3)]
    steps: list[Step] = [
        ("invoke_agent counter", 1, {
            operation: "invoke_agent", "gen_ai.agent.name": "counter", "user.id": "u1",
            "gen_ai.conversation.id": "s1", "app.tenant": "north",
        }),
        ("retrieval handbook", 1, {
            operation: "retrieval", "gen_ai.data_source.id": "handbook", "index.version": "7",
            "gen_ai.retrieval.query.text": asked, "gen_ai.request.top_k": 3.0,
            "gen_ai.retrieval.documents": json.dumps(found),
        }),
        ("execute_tool stock", 1, {
            operation: "execute_tool", "gen_ai.tool.name": "stock",
            "gen_ai.tool.call.arguments": '{"tool": "drill"}', "gen_ai.tool.call.result": "3",
        }),
        ("parse answer", 1, {"app.parser.version": "2"}),
    ]  # fmt: skip
    for _ in range(2):
        said = [("system", _text(chance, 40)), ("user", asked), ("assistant", _text(chance, 60))]
        told = [{"role": r, "parts": [{"type": "text", "content": t}]} for r, t in said]
        steps.append(("chat answers", 3, {
            operation: "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "answers",
            "gen_ai.request.temperature": 0.2, "gen_ai.request.max_tokens": 400,
            "gen_ai.response.id": "chatcmpl-1", "gen_ai.response.model": "answers-2026-05-01",
            "gen_ai.response.finish_reasons": ["stop"], "server.address": "models.example",
            "openai.response.system_fingerprint": "fp_1", "gen_ai.usage.input_tokens": 300,
            "gen_ai.usage.output_tokens": 80, "gen_ai.input.messages": json.dumps(told[:2]),
            "gen_ai.output.messages": json.dumps(told[2:]),
        }))  # fmt: skip
    return steps


def openinference(chance: random.Random) -> list[Step]:
    """A request in OpenInference's words, its root first."""
    asked, answer, kind = _text(chance, 20), _text(chance, 60), "openinference.span.kind"
    root = {kind: "AGENT", "input.value": asked, "output.value": answer, "session.id": "s1"}
    retrieval: dict[str, Any] = {kind: "RETRIEVER", "input.value": asked}
    for n in range(3):
        at = f"retrieval.documents.{n}.document."
        retrieval |= {at + "id": f"d{n}", at + "score": 0.9, at + "content": _text(chance, 40)}
    body = {"model": "answers-2026-05-01", "system_fingerprint": "fp_1"}
    message = "llm.%s_messages.%d.message.%s"
    model = {
        kind: "LLM", "llm.system": "openai", "llm.model_name": body["model"],
        "llm.invocation_parameters": json.dumps({"model": "answers", "temperature": 0.2}),
        message % ("input", 0, "role"): "system",
        message % ("input", 0, "content"): _text(chance, 40),
        message % ("input", 1, "role"): "user", message % ("input", 1, "content"): asked,
        message % ("output", 0, "role"): "assistant",
        message % ("output", 0, "content"): answer,
        "llm.token_count.prompt": 300, "llm.token_count.completion": 80,
        "llm.token_count.total": 380, "llm.finish_reason": "stop",
        "llm.prompt_template.version": "v12", "input.value": asked,
        "output.value": json.dumps({**body, "choices": [{"message": {"content": answer}}]}),
        "output.mime_type": "application/json",
    }  # fmt: skip
    tool = {kind: "TOOL", "tool.name": "stock", "input.value": "{}", "output.value": "3"}
    return [
        ("answer", 1, root),
        ("find passages", 1, retrieval),
        ("check stock", 1, tool),
        ("parse answer", 1, {kind: "CHAIN"}),
        ("ChatCompletion", 1, model),
        ("ChatCompletion", 1, model),
    ]


def _value(given: Any) -> dict[str, Any]:
    match given:
        case str():
            return {"stringValue": given}
        case int():
            return {"intValue": str(given)}
        case float():
            return {"doubleValue": given}
    return {"arrayValue": {"values": list(map(_value, given))}}


def _spans(chance: random.Random, steps: list[Step]) -> Iterator[dict[str, Any]]:
    trace, root = f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(64):016x}"
    start = 1_795_596_912_669_716_935 + chance.getrandbits(50)
    for place, (name, kind, attributes) in enumerate(steps):
        yield {
            "traceId": trace,
            "spanId": f"{chance.getrandbits(64):016x}" if place else root,
            "parentSpanId": root if place else "",
            "flags": 256,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(start + place * 10**6),
            "endTimeUnixNano": str(start + chance.getrandbits(30) + place * 10**6),
            "attributes": [{"key": k, "value": _value(v)} for k, v in attributes.items()],
            "status": {},
        }


def write(path: Path, size: int, seed: int = 1) -> int:
    """Write a file of about `size` bytes; returns the number of its spans."""
    chance = random.Random(seed)
    names = {
        "service.name": "counter",
        "service.version": "1.4",
        "telemetry.sdk.language": "python",
    }
    resource = {"attributes": [{"key": k, "value": _value(v)} for k, v in names.items()]}
    count = written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            style, spans = (genai, openinference)[count // SPANS % 2], list[dict[str, Any]]()
            while len(spans) < SPANS:
                spans += _spans(chance, style(chance))
            scope = {"scope": {"name": style.__name__}, "spans": spans}
            whole = {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}
            written += file.write(json.dumps(whole, separators=(",", ":"), ensure_ascii=False))
            file.write("\n")
            count += len(spans)
    return count


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), int(float(sys.argv[2]) * 10**6)))
