"""Send spans and annotations to a Phoenix, and print what was sent as JSON.

Runs where Phoenix is installed: ``python phoenix_spans.py ADDRESS PROJECT SEED TRACES``.
"""

from __future__ import annotations

import json
import random
import sys
import time
from urllib.request import Request, urlopen

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Status, StatusCode, set_span_in_context

KIND = "openinference.span.kind"
QUESTION = "Wie lange läuft ein Miettag? 🛠️ <script>alert(1)</script>\n{{ 7 * 7 }}"


class Ids(IdGenerator):
    """Ids that follow from a seed."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)

    def generate_trace_id(self) -> int:
        return self._chance.getrandbits(128) | 1

    def generate_span_id(self) -> int:
        return self._chance.getrandbits(64) | 1


class Kept(SpanExporter):
    """Keeps the spans that are sent."""

    def __init__(self) -> None:
        self.spans: list[dict] = []

    def export(self, spans: list[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            self.spans.append(
                {
                    "trace_id": f"{span.context.trace_id:032x}",
                    "span_id": f"{span.context.span_id:016x}",
                    "parent_id": span.parent and f"{span.parent.span_id:016x}",
                    "name": span.name,
                    "start": span.start_time,
                    "end": span.end_time,
                    "status": span.status.status_code.name.lower(),
                    "attributes": dict(span.attributes),
                }
            )
        return SpanExportResult.SUCCESS


def request(tracer: object, number: int, start: int) -> None:
    """One request of five steps, some of which fail."""
    failed = number % 7 == 3
    steps = {
        "render prompt": {
            KIND: "PROMPT",
            "llm.prompt_template.template": "Answer: {{question}}",
            "llm.prompt_template.version": "v12",
        },
        "find passages": {
            KIND: "RETRIEVER",
            "input.value": QUESTION,
            "retrieval.documents.0.document.id": f"page-{number}",
            "retrieval.documents.0.document.score": 0.75,
            "retrieval.documents.0.document.content": "A hire day lasts 24 hours.",
        },
        "ChatCompletion": {
            KIND: "LLM",
            "llm.model_name": "answers-large-2026-05-01",
            "llm.invocation_parameters": '{"model": "answers-large", "temperature": 0.2}',
            "llm.token_count.prompt": 50 + number,
            "llm.token_count.completion": 20,
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": QUESTION,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": f"24 hours ({number}).",
        },
        "chat other": {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "other-small",
            "gen_ai.response.model": "other-small-1",
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.usage.output_tokens": 3,
        },
    }
    second = 10**9
    root = tracer.start_span("answer", start_time=start)
    root.set_attributes(
        {KIND: "AGENT", "input.value": QUESTION, "app.slice": f"slice {number % 3}"}
    )
    root.set_attribute("output.value", f"24 hours ({number}).")
    within = set_span_in_context(root)
    for place, (name, attributes) in enumerate(steps.items()):
        step = tracer.start_span(name, within, start_time=start + place * second)
        step.set_attributes(attributes)
        if failed and name == "ChatCompletion":
            step.record_exception(TimeoutError("the model did not answer"))
            step.set_status(Status(StatusCode.ERROR, "the model did not answer"))
        step.end(start + place * second + 250_125_000)
    root.set_status(Status(StatusCode.ERROR if failed else StatusCode.OK))
    root.end(start + 5 * second)


def annotate(address: str, kind: str, told: list[dict]) -> None:
    """Post annotations of spans or traces."""
    for first in range(0, len(told), 200):
        body = json.dumps({"data": told[first : first + 200]}).encode()
        headers = {"Content-Type": "application/json"}
        urlopen(Request(f"{address}/v1/{kind}_annotations?sync=true", body, headers)).read()


def arrived(address: str, project: str, ids: list[str]) -> bool:
    """Whether all these spans can be asked for already."""
    asked = "&".join(f"span_id={one}" for one in ids)
    try:
        path = f"{address}/v1/projects/{project}/spans?limit=1000&{asked}"
        return len(json.load(urlopen(path))["data"]) == len(ids)
    except OSError:
        return False


def main(address: str, project: str, seed: str, traces: int) -> None:
    """Send requests and annotations; Phoenix takes its time, which is waited for."""
    kept = Kept()
    provider = TracerProvider(
        resource=Resource.create({"openinference.project.name": project, "service.version": "1.4"}),
        id_generator=Ids(seed),
    )
    exporter = OTLPSpanExporter(f"{address}/v1/traces")
    for each in (exporter, kept):
        provider.add_span_processor(BatchSpanProcessor(each, max_queue_size=512 + 5 * traces))
    tracer = provider.get_tracer("proof")
    begun = time.time_ns() // 10**9 * 10**9 - 3_600 * 10**9
    for number in range(traces):
        request(tracer, number, begun + number * 10**8 + 123_456_000)
    provider.shutdown()
    sent = [span["span_id"] for span in kept.spans]
    for first in range(0, len(sent), 100):
        while not arrived(address, project, sent[first : first + 100]):
            time.sleep(0.5)
    spans = [
        {
            "span_id": span["span_id"],
            "name": "grounded",
            "annotator_kind": "LLM",
            "result": {"label": "partly", "score": number / 1000, "explanation": QUESTION},
        }
        for number, span in enumerate(kept.spans)
        if span["name"] == "ChatCompletion"
    ]
    whole = [
        {
            "trace_id": span["trace_id"],
            "name": "helpful",
            "annotator_kind": "HUMAN",
            "result": {"label": "thumbs up", "score": 1.0},
        }
        for span in kept.spans
        if span["name"] == "answer"
    ]
    annotate(address, "span", spans)
    annotate(address, "trace", whole)
    print(json.dumps({"spans": kept.spans, "span": spans, "trace": whole}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
