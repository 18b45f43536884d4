"""Write traces of the real instrumentations in every encoding that a reader has to take.

In an environment of its own with ``openai``, ``openinference-instrumentation-openai``,
``opentelemetry-instrumentation-openai``, ``opentelemetry-exporter-otlp-proto-http`` and
``zstandard``, offline (model and collector are servers on the loopback defined here):
``python make_trace_fixtures.py openinference|openllmetry FOLDER``. With ``phoenix serve`` running,
``python make_trace_fixtures.py phoenix FOLDER REQUESTS.pb ADDRESS`` hands it captured requests and
writes what its API then gives.
"""

from __future__ import annotations

import base64
import json
import random
import re
import struct
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.request import Request, urlopen

MODEL, SERVED, PRINT = "answers-large", "answers-large-2026-05-01", "fp_c0ffee0001"
QUESTION = "How long is a hire day? „Grüße“ 🛠️"
ANSWER = 'A hire day is 24 hours. {"system_fingerprint": "fp_in_the_text"}'
SYSTEM = "You are the assistant at the counter. Answer from the handbook only."
PASSAGES = [
    ("handbook-3", 0.91, "A hire day lasts 24 hours from collection."),
    ("handbook-9", 0.42, "Deposits are returned when a tool comes back clean."),
]
TOOL = {
    "type": "function",
    "function": {
        "name": "check_stock",
        "description": "How many are in stock",
        "parameters": {"type": "object", "properties": {"tool": {"type": "string"}}},
    },
}


whole_traceback = traceback.format_exception


def short_traceback(*told: object, **settings: object) -> list[str]:
    """A traceback that does not tell where on this machine a file is."""
    lines = whole_traceback(*told, **settings)  # type: ignore[arg-type]
    return [re.sub(r'File "(?:[^"]*/)?([^"/]+)"', r'File "\1"', line) for line in lines]


traceback.format_exception = short_traceback  # type: ignore[assignment]


class Model(BaseHTTPRequestHandler):
    """A server with the interface of OpenAI's."""

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == "broken":
            self.tell(500, {"error": {"message": "the model is overloaded", "type": "server"}})
        elif self.path.endswith("/embeddings"):
            self.tell(200, embedded(asked))
        elif asked.get("stream"):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for chunk in [*chunks(), "[DONE]"]:
                text = chunk if isinstance(chunk, str) else json.dumps(chunk)
                self.wfile.write(f"data: {text}\n\n".encode())
        else:
            self.tell(200, answered(asked))

    def tell(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def embedded(asked: dict) -> dict:
    """An answer to a request for embeddings."""
    vector = struct.pack("<4f", 0.1, -0.2, 0.3, 0.0)
    coded = base64.b64encode(vector).decode()
    encoded = coded if asked.get("encoding_format") == "base64" else [0.1, -0.2, 0.3, 0.0]
    data = [{"object": "embedding", "index": 0, "embedding": encoded}]
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    return {"object": "list", "data": data, "model": "vectors-small-1", "usage": usage}


def answered(asked: dict) -> dict:
    """An answer of the model: a call of a tool where tools are offered."""
    message: dict = {"role": "assistant", "content": ANSWER}
    reason = "stop"
    if asked.get("tools"):
        call = {"name": "check_stock", "arguments": '{"tool": "rotavator"}'}
        calls = [{"id": "call_1", "type": "function", "function": call}]
        message, reason = {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": SERVED,
        "system_fingerprint": PRINT,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": 57,
            "completion_tokens": 21,
            "total_tokens": 78,
            "prompt_tokens_details": {"cached_tokens": 32},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
    }


def chunks() -> Iterator[dict]:
    """The parts of a streamed answer."""
    common = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1_780_000_000}
    common |= {"model": SERVED, "system_fingerprint": PRINT}
    for text in ("Three ", "are in ", "stock."):
        yield {**common, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}
    yield {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"prompt_tokens": 80, "completion_tokens": 6, "total_tokens": 86}
    yield {**common, "choices": [], "usage": usage}


class Collector(BaseHTTPRequestHandler):
    """Keeps the requests that an OTLP exporter sends."""

    kept: ClassVar[list[tuple[str, bytes]]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.kept.append((self.path, body))
        self.send_response(200)
        self.end_headers()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on the loopback while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def chat(client: object, **settings: object) -> object:
    """One question to the model."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    made = client.chat.completions.create  # type: ignore[attr-defined]
    return made(model=MODEL, messages=messages, **settings)  # type: ignore[call-overload]


def openinference(tracer: object, client: object, logger: object) -> None:
    """Two requests in OpenInference's words: the instrumentation's spans and some by hand."""
    from openinference.instrumentation import using_prompt_template

    span = tracer.start_as_current_span  # type: ignore[attr-defined]
    kind = "openinference.span.kind"
    with span("answer") as root:
        root.set_attributes(
            {
                kind: "AGENT",
                "input.value": QUESTION,
                "output.value": "Three are in stock.",
                "session.id": "session-1",
                "user.id": "customer-7",
                "metadata": json.dumps({"tenant": "north", "code_version": "1.4.2"}),
                "tag.tags": ["counter", "de"],
            }
        )
        with span("render prompt") as step:
            template = {"template": SYSTEM + " {{question}}", "version": "v12"}
            step.set_attributes({kind: "PROMPT", "input.value": QUESTION})
            step.set_attributes({f"llm.prompt_template.{k}": v for k, v in template.items()})
        with span("find passages") as step:
            step.set_attributes({kind: "RETRIEVER", "input.value": QUESTION})
            step.set_attribute("metadata", json.dumps({"index_version": "handbook@7"}))
            for place, (name, score, text) in enumerate(PASSAGES):
                at = f"retrieval.documents.{place}.document."
                step.set_attributes({at + "id": name, at + "score": score, at + "content": text})
                step.set_attribute(at + "metadata", json.dumps({"page": place}))
            client.embeddings.create(model="vectors-small", input=QUESTION)  # type: ignore[attr-defined]
        with using_prompt_template(
            template=SYSTEM + " {{question}}", version="v12", variables={"question": QUESTION}
        ):
            chat(client, temperature=0.2, seed=11, user="customer-7")
        chat(client, tools=[TOOL], temperature=0)
        with span("check_stock") as step:
            step.set_attributes({kind: "TOOL", "tool.name": "check_stock", "output.value": "3"})
            step.set_attribute("input.value", '{"tool": "rotavator"}')
        for _ in chat(client, stream=True, stream_options={"include_usage": True}):  # type: ignore[attr-defined]
            pass
        with suppress(ValueError), span("parse answer") as step:
            step.set_attributes({kind: "CHAIN", "input.value": "{"})
            json.loads("{")
        evaluation = {"gen_ai.evaluation.name": "grounded", "gen_ai.evaluation.score.value": 0.5}
        evaluation["gen_ai.evaluation.score.label"] = "partly"
        root.add_event("gen_ai.evaluation.result", evaluation)
        at = "annotations.0.annotation."
        root.set_attributes({at + "name": "helpful", at + "score": 1.0, at + "label": "up"})
        root.set_attribute(at + "annotator_kind", "HUMAN")
    with suppress(Exception):
        client.chat.completions.create(  # type: ignore[attr-defined]
            model="broken", messages=[{"role": "user", "content": QUESTION}]
        )


def openllmetry(tracer: object, client: object, logger: object) -> None:
    """Two requests in the words of OpenLLMetry and of the GenAI conventions."""
    span = tracer.start_as_current_span  # type: ignore[attr-defined]
    with span("invoke_agent counter") as root:
        root.set_attributes(
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "counter",
                "gen_ai.conversation.id": "session-1",
                "traceloop.association.properties.tenant": "north",
            }
        )
        with span("render prompt") as step:
            step.set_attributes(
                {
                    "traceloop.span.kind": "task",
                    "traceloop.entity.name": "render prompt",
                    "traceloop.entity.input": json.dumps({"question": QUESTION}),
                    "traceloop.prompt.key": "answer",
                    "traceloop.prompt.version": 12,
                }
            )
        with span("retrieval handbook") as step:
            found = [{"id": n, "score": s, "content": t} for n, s, t in PASSAGES]
            step.set_attributes(
                {
                    "gen_ai.operation.name": "retrieval",
                    "gen_ai.data_source.id": "handbook",
                    "gen_ai.retrieval.query.text": QUESTION,
                    "gen_ai.retrieval.documents": json.dumps(found),
                    "gen_ai.request.top_k": 2.0,
                    "index.version": "handbook@7",
                }
            )
            client.embeddings.create(model="vectors-small", input=QUESTION)  # type: ignore[attr-defined]
            with span("chroma.query") as query:
                query.set_attributes({"db.system": "chroma", "db.vector.query.top_k": 2})
                for name, score, text in PASSAGES:
                    at = {"id": name, "score": score, "document": text}
                    query.add_event(
                        "db.query.result", {f"db.query.result.{k}": v for k, v in at.items()}
                    )
        chat(client, temperature=0.2, seed=11, user="customer-7")
        chat(client, tools=[TOOL], temperature=0)
        with span("execute_tool check_stock") as step:
            step.set_attributes(
                {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "check_stock",
                    "gen_ai.tool.call.arguments": '{"tool": "rotavator"}',
                    "gen_ai.tool.call.result": "3",
                }
            )
        for _ in chat(client, stream=True, stream_options={"include_usage": True}):  # type: ignore[attr-defined]
            pass
        with suppress(ValueError), span("parse answer"):
            json.loads("{")
        told = {"gen_ai.evaluation.name": "grounded", "gen_ai.evaluation.score.value": 0.5}
        told |= {"gen_ai.evaluation.score.label": "partly", "sampling.weight": 20}
        told["gen_ai.evaluation.explanation"] = "one claim of two is in the handbook"
        emit = logger.emit  # type: ignore[attr-defined]
        emit(timestamp=time.time_ns(), event_name="gen_ai.evaluation.result", attributes=told)
        told = {"gen_ai.evaluation.score": 1.0, "gen_ai.response.id": "chatcmpl-1"}
        emit(
            timestamp=time.time_ns(), event_name="gen_ai.evaluation.user_feedback", attributes=told
        )
        emit(timestamp=time.time_ns(), body="an ordinary line of a log")
    with suppress(Exception):
        client.chat.completions.create(  # type: ignore[attr-defined]
            model="broken", messages=[{"role": "user", "content": QUESTION}]
        )


def run(style: str, folder: Path) -> None:
    """Make the requests of a style, and write their traces in every encoding."""
    from openai import OpenAI
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor as SimpleLogs
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace._sampling_experimental import (
        composable_traceid_ratio_based,
        composite_sampler,
    )
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Ids(IdGenerator):
        """Ids that are the same every time; all of them pass a sampler of one in two."""

        chance = random.Random(style)

        def generate_trace_id(self) -> int:
            return self.chance.getrandbits(128) | 1 << 55

        def generate_span_id(self) -> int:
            return self.chance.getrandbits(64) | 1

    folder.mkdir(parents=True, exist_ok=True)
    resource = Resource.create(
        {
            "service.name": "counter",
            "service.version": "1.4.2",
            "deployment.environment.name": "production",
            "openinference.project.name": "counter",
            "host.cpus": [0, 1],
        }
    )
    sampler = composite_sampler(composable_traceid_ratio_based(0.5))
    spans = TracerProvider(resource=resource, id_generator=Ids(), sampler=sampler)
    logs = LoggerProvider(resource=resource)
    with (
        serving(Collector) as collector,
        serving(Model) as model,
        (folder / "sdk.json").open("w", encoding="utf-8") as printed,
        (folder / "sdk-logs.json").open("w", encoding="utf-8") as logged,
    ):
        exporter = OTLPSpanExporter(f"{collector}/v1/traces")
        spans.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=printed)))
        spans.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=4))
        logs.add_log_record_processor(SimpleLogs(ConsoleLogRecordExporter(out=logged)))
        logs.add_log_record_processor(
            BatchLogRecordProcessor(OTLPLogExporter(f"{collector}/v1/logs"))
        )
        if style == "openinference":
            from openinference.instrumentation.openai import OpenAIInstrumentor
        else:
            from opentelemetry.instrumentation.openai import OpenAIInstrumentor
        OpenAIInstrumentor().instrument(tracer_provider=spans)
        client = OpenAI(base_url=f"{model}/v1", api_key="none", max_retries=0)
        scenario = {"openinference": openinference, "openllmetry": openllmetry}[style]
        scenario(spans.get_tracer("counter", "1.4.2"), client, logs.get_logger("judge", "0.3"))
        spans.shutdown()
        logs.shutdown()
    if not (folder / "sdk-logs.json").stat().st_size:
        (folder / "sdk-logs.json").unlink()
    for signal in ("traces", "logs"):
        write(folder, signal, [body for path, body in Collector.kept if path.endswith(signal)])


def write(folder: Path, signal: str, requests: list[bytes]) -> None:
    """The captured requests as the collector's file exporter writes them, and in two more ways."""
    import zstandard
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    if not requests:
        return
    kind = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}[signal]
    messages = [kind.FromString(body) for body in requests]
    lines = [
        json.dumps(hexed(MessageToDict(m, use_integers_for_enums=True)), separators=(",", ":"))
        for m in messages
    ]
    (folder / f"{signal}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    (folder / f"{signal}.pb").write_bytes(b"".join(map(prefixed, requests)))
    if signal == "logs":
        return
    named = [json.dumps(MessageToDict(m), ensure_ascii=False) for m in messages]
    (folder / "named.json").write_text("".join(f"{line}\n" for line in named), "utf-8")
    whole: dict = {"resourceSpans": []}
    for line in lines:
        whole["resourceSpans"] += json.loads(line)["resourceSpans"]
    (folder / "document.json").write_text(json.dumps(whole, indent=1), "utf-8")
    pack = zstandard.ZstdCompressor().compress
    # one file as a stream of frames, or each message packed by itself: the exporter has done both
    (folder / "traces.jsonl.zst").write_bytes(b"".join(pack(f"{x}\n".encode()) for x in lines))
    (folder / "packed.pb").write_bytes(b"".join(prefixed(pack(body)) for body in requests))


def prefixed(body: bytes) -> bytes:
    """A message behind its length."""
    return struct.pack(">I", len(body)) + body


def hexed(value: object) -> object:
    """Ids in hexadecimal, as OTLP/JSON has them, where the library writes Base64."""
    if isinstance(value, list):
        return [hexed(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {
        key: base64.b64decode(item).hex() if key in ids and isinstance(item, str) else hexed(item)
        for key, item in value.items()
    }


def phoenix(folder: Path, requests: Path, address: str) -> None:
    """What Phoenix gives of the captured requests, with two annotations."""
    folder.mkdir(parents=True, exist_ok=True)

    def ask(path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        with urlopen(Request(address + path, body, {"Content-Type": kind})) as reply:
            return reply.read()

    data, at = requests.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        ask("/v1/traces", data[at + 4 : at + 4 + length], "application/x-protobuf")
        at += 4 + length
    time.sleep(5)
    project = "/v1/projects/counter"
    spans = json.loads(ask(f"{project}/spans?limit=100"))["data"]
    root = next(s for s in spans if s["name"] == "answer")
    for signal, key in (("span", "span_id"), ("trace", "trace_id")):
        told = {
            key: root["context"][key],
            "name": f"polite {signal}",
            "annotator_kind": "LLM",
            "result": {"label": "polite", "score": 0.75, "explanation": "it says please"},
        }
        ask(f"/v1/{signal}_annotations?sync=true", json.dumps({"data": [told]}).encode())
    files = {
        "spans.json": f"{project}/spans?limit=100",
        "otlp.json": f"{project}/spans/otlpv1?limit=100",
        "span-annotations.json": f"{project}/span_annotations"
        f"?span_ids={root['context']['span_id']}",
        "trace-annotations.json": f"{project}/trace_annotations"
        f"?trace_ids={root['context']['trace_id']}",
    }
    for name, path in files.items():
        (folder / name).write_bytes(ask(path))


if __name__ == "__main__":
    if sys.argv[1] == "phoenix":
        phoenix(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    else:
        run(sys.argv[1], Path(sys.argv[2]))
