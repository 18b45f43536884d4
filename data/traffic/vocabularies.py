"""A request's steps in the three vocabularies that Lotte's services speak.

``lotte-web`` writes OpenInference's attributes. ``lotte-app`` writes those of older OpenLLMetry
until its tracing library is updated, and the GenAI semantic conventions from then on.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from attacks import TEXTS as ATTACKS
from wording import TEXTS, Said, passage

INTERNAL, SERVER, CLIENT = 1, 2, 3
Step = tuple[str, int, dict[str, Any], list[tuple[str, dict[str, Any]]]]
"""A span's name, kind, attributes, and events by name."""
PLANTED = ATTACKS["document"]


class Request(NamedTuple):
    """One request: what was drawn for it, and the versions that served it."""

    second: float
    area: str
    language: str
    tenant: str
    service: str
    error: bool
    crashed: bool
    unparsed: bool
    refused: bool
    invalid: bool
    ungrounded: bool
    feedback: str
    score: float
    latency: float
    tool: bool
    tool_failed: bool
    tokens_in: int
    wordiness: float
    judged: bool
    skew: float
    late: int
    rootless: bool
    upgraded: bool
    prompt: str
    built: str
    retrieval: str
    parser: str
    lookup: str
    scorer: str
    code: str
    served: str
    fingerprint: str
    asked: str
    told: str
    called: str
    brought: bool
    passages: bool
    picks: list[int]

    def tokens_out(self, said: Said) -> tuple[int, int]:
        """All tokens written, and those of them that only reason."""
        text = round(len(said.answer) / 3.7)
        return (whole := round(text * self.wordiness)), whole - text

    def documents(self) -> list[dict[str, Any]]:
        """Three passages of the handbook, the best first."""
        near, far, *where = self.picks[-5:]
        names = TEXTS["sources"][self.area]
        scores = (
            self.score,
            self.score - 0.01 - near % 60 / 1000,
            self.score - 0.08 - far % 9 / 99,
        )
        found: list[dict[str, Any]] = [
            {"id": f"{name}#{at % 17}", "score": round(score, 4)}
            for name, at, score in zip((names[0], *names[:2]), where, scores, strict=True)
        ]
        if self.passages:
            found[0]["content"] = passage(found[0]["id"])
        if self.brought:
            found[1] |= {"id": PLANTED["id"], "content": PLANTED["text"]}
        return found


def openinference(r: Request, said: Said, run: str) -> dict[str, Step]:
    """The steps as OpenInference has them; the fingerprint is only inside ``output.value``."""
    tokens, reasoning = r.tokens_out(said)
    kind, settings = "openinference.span.kind", {"model": "kite-2", "temperature": 0.2}
    model: dict[str, Any] = {
        kind: "LLM",
        "llm.system": "openai",
        "llm.invocation_parameters": json.dumps(settings | {"max_tokens": 600}),
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": said.question,
    }
    root = {kind: "CHAIN", "session.id": run[:8], "input.value": said.question}
    parse: dict[str, Any] = {kind: "CHAIN"}
    if not r.error:
        usage = {"prompt_tokens": r.tokens_in, "completion_tokens": tokens}
        message = {"role": "assistant", "content": said.answer}
        choice = {"index": 0, "finish_reason": said.finish, "message": message}
        body = {"id": f"chatcmpl-{run}", "model": r.served, "choices": [choice], "usage": usage}
        body["system_fingerprint"] = r.fingerprint
        model |= {
            "llm.model_name": r.served,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": said.answer,
            "llm.finish_reason": said.finish,
            "llm.token_count.prompt": r.tokens_in,
            "llm.token_count.completion": tokens,
            "llm.token_count.completion_details.reasoning": reasoning,
            "llm.token_count.total": r.tokens_in + tokens,
            "output.value": json.dumps(body, ensure_ascii=False),
            "output.mime_type": "application/json",
        }
        if not r.crashed:
            root["output.value"] = said.answer
    retrieval: dict[str, Any] = {kind: "RETRIEVER", "input.value": said.question}
    for rank, document in enumerate(r.documents()):
        for name, value in document.items():
            retrieval[f"retrieval.documents.{rank}.document.{name}"] = value
    variables = json.dumps({"language": r.language, "area": r.area})
    prompt = {kind: "PROMPT", "llm.prompt_template.version": r.prompt}
    prompt["llm.prompt_template.variables"] = variables
    tool = {kind: "TOOL", "tool.name": r.called}
    events = [("user.feedback", {"user.feedback": r.feedback})] if r.feedback else []
    return {
        "prompt": ("render_prompt", INTERNAL, prompt, []),
        "retrieval": ("search_handbook", INTERNAL, retrieval, []),
        "tool": (r.called, INTERNAL, tool, []),
        "model": ("ChatCompletion", INTERNAL, model, []),
        "parse": ("parse_answer", INTERNAL, parse, []),
        "root": ("lotte.answer", INTERNAL, root, events),
    }


def openllmetry(r: Request, said: Said, run: str) -> dict[str, Step]:
    """The steps as OpenLLMetry had them; hits are events, and failed ones have no kind of error."""
    tokens, reasoning = r.tokens_out(said)
    kind, entity = "traceloop.span.kind", "traceloop.entity.name"
    model: dict[str, Any] = {
        "llm.request.type": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "kite-2",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": said.question,
    }
    if not r.error:
        model |= {
            "gen_ai.response.id": f"chatcmpl-{run}",
            "gen_ai.response.model": r.served,
            "gen_ai.openai.response.system_fingerprint": r.fingerprint,
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": said.answer,
            "gen_ai.completion.0.finish_reason": said.finish,
            "gen_ai.usage.prompt_tokens": r.tokens_in,
            "gen_ai.usage.completion_tokens": tokens,
            "gen_ai.usage.reasoning_tokens": reasoning,
            "llm.usage.total_tokens": r.tokens_in + tokens,
        }
    prompt: dict[str, Any] = {kind: "task", entity: "render_prompt"}
    prompt |= {"traceloop.prompt.key": "lotte-answer", "traceloop.prompt.version": int(r.prompt)}
    hits = [
        ("db.query.result", {f"db.query.result.{name}": value for name, value in hit.items()})
        for hit in r.documents()
    ]
    root = {kind: "workflow", "traceloop.workflow.name": "lotte"} | _feedback(r)
    retrieval = {"db.system": "sprat", "db.vector.query.top_k": 3}
    return {
        "prompt": ("render_prompt.task", INTERNAL, prompt, []),
        "retrieval": ("sprat.query", CLIENT, retrieval, hits),
        "tool": (f"{r.called}.tool", INTERNAL, {kind: "tool", entity: r.called}, []),
        "model": ("openai.chat", CLIENT, model, []),
        "parse": ("parse_answer.task", INTERNAL, {kind: "task", entity: "parse_answer"}, []),
        "root": ("lotte.workflow", SERVER, root, []),
    }


def genai(r: Request, said: Said, run: str) -> dict[str, Step]:
    """The steps by the GenAI conventions; messages are JSON texts, hits are nested values."""
    tokens, reasoning = r.tokens_out(said)
    operation = "gen_ai.operation.name"
    asked = [{"role": "user", "parts": [{"type": "text", "content": said.question}]}]
    model: dict[str, Any] = {
        operation: "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "kite-2",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.input.messages": json.dumps(asked, ensure_ascii=False),
    }
    if not r.error:
        parts = [{"type": "text", "content": said.answer}]
        told = [{"role": "assistant", "parts": parts, "finish_reason": said.finish}]
        model |= {
            "gen_ai.response.id": f"chatcmpl-{run}",
            "gen_ai.response.model": r.served,
            "gen_ai.response.finish_reasons": [said.finish],
            "openai.response.system_fingerprint": r.fingerprint,
            "gen_ai.output.messages": json.dumps(told, ensure_ascii=False),
            "gen_ai.usage.input_tokens": r.tokens_in,
            "gen_ai.usage.output_tokens": tokens,
            "gen_ai.usage.reasoning.output_tokens": reasoning,
        }
    retrieval: dict[str, Any] = {operation: "retrieval", "gen_ai.data_source.id": "handbook"}
    retrieval |= {"gen_ai.request.top_k": 3.0, "gen_ai.retrieval.documents": r.documents()}
    prompt = {"gen_ai.prompt.name": "lotte-answer", "gen_ai.prompt.version": r.prompt}
    root = {operation: "invoke_agent", "gen_ai.agent.name": "Lotte", **_feedback(r)}
    root["gen_ai.conversation.id"] = run[:8]
    tool = {operation: "execute_tool", "gen_ai.tool.name": r.called}
    return {
        "prompt": ("render_prompt", INTERNAL, prompt, []),
        "retrieval": ("retrieval handbook", CLIENT, retrieval, []),
        "tool": (f"execute_tool {r.called}", INTERNAL, tool, []),
        "model": ("chat kite-2", CLIENT, model, []),
        "parse": ("parse_answer", INTERNAL, {}, []),
        "root": ("invoke_agent Lotte", SERVER, root, []),
    }


def _feedback(r: Request) -> dict[str, str]:
    return {"user.feedback": r.feedback} if r.feedback else {}
