"""What every convention calls the same things: the table behind `semantics`."""

from __future__ import annotations

import re

from aiops_lab.sources.traces.scores import SCORED

NAMES: dict[str, tuple[str, ...]] = {
    "kind": ("openinference.span.kind",),
    "operation": ("gen_ai.operation.name",),
    "request": ("llm.request.type",),
    "entity": ("traceloop.span.kind",),
    "tool": ("gen_ai.tool.name", "tool.name"),
    "agent": ("gen_ai.agent.name", "agent.name"),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.system", "llm.provider"),
    "store": (
        "db.system", "db.system.name", "gen_ai.data_source.id", "db.vector.query.top_k",
        "gen_ai.retrieval.query.text", "gen_ai.retrieval.documents",
        "retrieval.documents.0.document.id", "retrieval.documents.0.document.content",
        "retrieval.documents",
    ),
    "wire": (
        "http.request.method", "http.method", "rpc.system", "rpc.system.name", "messaging.system",
    ),
    "model_requested": (
        "gen_ai.request.model", "llm.request.model_name", "llm.request.model",
        "decision.request.model_name",
    ),
    "model_served": (
        "gen_ai.response.model", "llm.response.model_name", "llm.response.model",
        "decision.response.model_name", "llm.model_name", "embedding.model_name",
        "reranker.model_name", "decision.model_name",
    ),
    "settings": ("llm.invocation_parameters", "embedding.invocation_parameters"),
    "fingerprint": (
        "openai.response.system_fingerprint", "gen_ai.openai.response.system_fingerprint",
        "gen_ai.openai.system_fingerprint", "gen_ai.response.system_fingerprint",
    ),
    "tokens_in": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "llm.usage.prompt_tokens", "decision.token_count.input",
    ),
    "tokens_out": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
        "llm.token_count.completion", "llm.usage.completion_tokens",
        "decision.token_count.output",
    ),
    "tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
    "cost_usd": (
        "llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost", "operation.cost",
    ),
    "cost_in": ("llm.cost.prompt",),
    "cost_out": ("llm.cost.completion",),
    "prompt": ("gen_ai.prompt.name", "traceloop.prompt.key"),
    "prompt_version": (
        "gen_ai.prompt.version", "llm.prompt_template.version", "traceloop.prompt.version",
        "prompt.version", "prompt_version", "metadata.prompt_version",
        "traceloop.association.properties.prompt_version",
    ),
    "index_version": (
        "index.version", "index_version", "app.index.version", "retrieval.index.version",
        "db.index.version", "gen_ai.data_source.version", "metadata.index_version",
        "traceloop.association.properties.index_version",
    ),
    "metadata": ("metadata",),
    "error": ("error.type",),
    "scored": SCORED,
    "request_json": ("input.value",),
    "answer_json": ("output.value",),
}  # fmt: skip
"""What a span may tell -> the attributes that tell it, the best first."""
KINDS = {
    kind: step
    for step, kinds in {
        "model": "LLM", "retrieval": "EMBEDDING RETRIEVER RERANKER", "tool": "TOOL",
        "agent": "AGENT", "prompt": "PROMPT", "other": "GUARDRAIL EVALUATOR",
    }.items()
    for kind in kinds.split()
}  # fmt: skip
"""OpenInference's kinds; CHAIN and UNKNOWN say nothing, so the name does."""
OPERATIONS = {
    operation: step
    for step, operations in {
        "model": "chat text_completion completion generate_content",
        "retrieval": "embeddings embedding rerank retrieval search_memory",
        "tool": "execute_tool tool",
        "agent": "invoke_agent create_agent plan agent",
        "other": "invoke_workflow",
    }.items()
    for operation in operations.split()
}
"""``gen_ai.operation.name``, ``llm.request.type``, and ``traceloop.span.kind`` where it tells."""
WORDS = (
    ("retrieval", re.compile("retriev|rerank|embed|vector")),
    ("prompt", re.compile("prompt|template")),
    ("parse", re.compile("pars(?:e|ing)")),
    ("tool", re.compile("tool")),
    ("agent", re.compile("agent")),
)
TELLERS = {
    "kind": KINDS | {kind.lower(): step for kind, step in KINDS.items()},
    "operation": OPERATIONS,
    "request": OPERATIONS,
    "entity": OPERATIONS,
}
SIGNS = {
    "tool": {"tool"},
    "retrieval": {"store"},
    "model": {"provider", "model_requested", "model_served"},
    "agent": {"agent"},
    "other": {"wire"},
}
"""Step -> what is only told where the step is this one."""
HOLDERS = (
    ("model_requested", "settings", "model"),
    ("model_requested", "request_json", "model"),
    ("fingerprint", "answer_json", "system_fingerprint"),
    ("prompt_version", "metadata", "prompt_version"),
    ("index_version", "metadata", "index_version"),
)
"""What may be missing, the JSON that may hold it, and under which name."""
MOST_TOKENS = 2**40
OF_MODELS = ("request_json", "answer_json")
COSTS = {"cost_usd", "cost_in", "cost_out"}
KEPT = (
    "step", "input", "output", "model_requested", "model_served", "fingerprint",
    "prompt_version", "index_version", "tokens_in", "tokens_out", "cost_usd", "error", "scored",
)  # fmt: skip
VECTORS = "embedding.embeddings.0.embedding.text"
"""Where this is, what was answered are vectors, not to be read."""
