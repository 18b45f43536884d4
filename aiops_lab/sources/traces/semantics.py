"""What the attributes of a span mean, in the words of every convention.

The GenAI conventions of OpenTelemetry, older and newer, OpenInference, and OpenLLMetry call the
same things by different names; where a span has several, the first here counts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from aiops_lab.sources.rows import number
from aiops_lab.sources.traces.scores import SCORED
from aiops_lab.sources.traces.texts import (
    ANSWERING,
    ASKING,
    NOT_JSON,
    Attributes,
    Event,
    Reader,
    passages,
    readers,
    told,
)

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
        "index.version", "app.index.version", "index_version", "retrieval.index.version",
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
    "LLM": "model",
    "EMBEDDING": "retrieval",
    "RETRIEVER": "retrieval",
    "RERANKER": "retrieval",
    "TOOL": "tool",
    "AGENT": "agent",
    "PROMPT": "prompt",
    "GUARDRAIL": "other",
    "EVALUATOR": "other",
}
"""OpenInference's kinds; CHAIN and UNKNOWN say nothing, so the name does."""
OPERATIONS = {
    "invoke_workflow": "other",
    "chat": "model",
    "text_completion": "model",
    "completion": "model",
    "generate_content": "model",
    "embeddings": "retrieval",
    "embedding": "retrieval",
    "rerank": "retrieval",
    "retrieval": "retrieval",
    "search_memory": "retrieval",
    "execute_tool": "tool",
    "tool": "tool",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "plan": "agent",
    "agent": "agent",
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
MADE = ("step", "input", "output")
VECTORS = "embedding.embeddings.0.embedding.text"
"""Where this is, what was answered are vectors, not to be read."""


class Held(Struct):
    """What is only found inside JSON: the model asked for, the fingerprint, versions."""

    model: str | None = None
    system_fingerprint: str | None = None
    prompt_version: str | int | None = None
    index_version: str | int | None = None


HELD = msgspec.json.Decoder(Held)


class Plan(NamedTuple):
    """What attributes of certain names tell, and where."""

    names: list[tuple[str, str]]
    tellers: list[tuple[str, dict[str, str]]]
    sign: str | None
    asked: list[Reader]
    answered: list[Reader]
    passages: list[Reader]


PLANS: dict[tuple[str, ...], Plan] = {}
MOST_PLANS, LONGEST_NAMES, LONGEST_NAME = 2_000, 16_000, 200


def _plan(names: tuple[str, ...]) -> Plan:
    """Found out once for each set of names, of which a service has few."""
    if (known := PLANS.get(names)) is not None:
        return known
    held = frozenset(names)
    found = [(key, name) for key, of in NAMES.items() for name in reversed(of) if name in held]
    keys = {key for key, _ in found}
    sign = next((step for step, by in SIGNS.items() if not keys.isdisjoint(by)), None)
    plan = Plan(
        found,
        [(key, steps) for key, steps in TELLERS.items() if key in keys],
        # a chain that names a model is not the call of it
        None if sign == "model" and "kind" in keys else sign,
        readers(held, ASKING),
        [] if VECTORS in held else readers(held, ANSWERING),
        passages(held),
    )
    if sum(map(len, names)) <= LONGEST_NAMES:
        if len(PLANS) >= MOST_PLANS:
            PLANS.clear()
        PLANS[names] = plan
    return plan


def columns(
    names: Sequence[str], attributes: Sequence[Attributes], events: Sequence[list[Event]]
) -> dict[str, list[Any]]:
    """What the attributes of some spans mean, column by column: those of ``spans``, and more.

    Parameters
    ----------
    names
        The spans' names: looked at only where the attributes do not tell the step.
    attributes
        Plain values under dotted names; lists of messages flattened, as JSON, or nested.
    events
        Events of each; some older ones hold what others have among their attributes.

    Examples
    --------
    >>> found = columns(["ChatCompletion"], [{
    ...     "openinference.span.kind": "LLM",
    ...     "llm.model_name": "large-2026-05-01",
    ...     "llm.invocation_parameters": '{"model": "large"}',
    ...     "llm.input_messages.0.message.role": "user",
    ...     "llm.input_messages.0.message.content": "How long is a hire day?",
    ... }], [[]])
    >>> found["step"], found["model_requested"], found["model_served"], found["input"]
    (['model'], ['large'], ['large-2026-05-01'], ['How long is a hire day?'])
    """
    given = [
        {**said, **own} if e and (said := told(e)) else own
        for own, e in zip(attributes, events, strict=True)
    ]
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, own in enumerate(given):
        groups[tuple(own)].append(place)
    found: dict[str, list[Any]] = {key: [None] * len(given) for key in (*NAMES, *MADE)}
    for keys, places in groups.items():
        plan = _plan(keys)
        for key, name in plan.names:
            column = found[key]
            for i in places:
                if (value := given[i][name]) is not None and value != "":
                    column[i] = value
        _steps(plan, places, names, found)
        _texts(plan, places, given, found)
        _held_inside(plan, places, found)
        _amounts(plan, places, found)
    return found


def _steps(
    plan: Plan, places: list[int], names: Sequence[str], found: dict[str, list[Any]]
) -> None:
    """One of prompt, retrieval, tool, model, parse, agent, other.

    Embeddings and reranking belong to retrieval. What only says that it is a part of the whole
    (a chain, a task, a workflow) is told by its name.
    """
    steps = found["step"]
    for key, tells in plan.tellers:
        for i, value in zip(places, map(found[key].__getitem__, places), strict=True):
            if steps[i] is None and isinstance(value, str):
                steps[i] = tells.get(value)
    for i in places:
        steps[i] = steps[i] or _otherwise(plan.sign, names[i][:LONGEST_NAME])


@lru_cache(4096)
def _otherwise(sign: str | None, name: str) -> str:
    low = name.lower()
    if sign == "model":
        return "retrieval" if "embed" in low or "rerank" in low else "model"
    return sign or next((step for step, word in WORDS if word.search(low)), "other")


def _texts(
    plan: Plan, places: list[int], given: list[Attributes], found: dict[str, list[Any]]
) -> None:
    steps, asked, answered = found["step"], found["input"], found["output"]
    for read in plan.asked:
        for i in places:
            if asked[i] is None:
                asked[i] = read(given[i])
    for read in plan.passages:
        for i in places:
            if answered[i] is None and steps[i] == "retrieval":
                answered[i] = read(given[i])
    for read in plan.answered:
        for i in places:
            if answered[i] is None:
                answered[i] = read(given[i])


def _held_inside(plan: Plan, places: list[int], found: dict[str, list[Any]]) -> None:
    """Fill in what stands only in JSON, and what takes two attributes."""
    keys = {key for key, _ in plan.names}
    steps = found["step"]
    for key, holder, field in HOLDERS:
        if holder in keys:
            column, texts = found[key], found[holder]
            for i in places:
                if column[i] is None and (holder not in OF_MODELS or steps[i] == "model"):
                    column[i] = _held(texts[i], field)
    if "prompt" in keys:
        column, prompts = found["prompt_version"], found["prompt"]
        for i in places:
            if column[i] is not None and prompts[i] is not None:
                column[i] = f"{prompts[i]}:{column[i]}"


def _held(value: Any, field: str) -> Any:
    """What a JSON text or a nested value holds under a name, if the name is in it at all."""
    try:
        if isinstance(value, str):
            return getattr(HELD.decode(value), field) if field in value else None
        if isinstance(value, dict):
            return getattr(msgspec.convert(value, Held), field)
    except NOT_JSON:
        pass
    return None


def _amounts(plan: Plan, places: list[int], found: dict[str, list[Any]]) -> None:
    """Counts of tokens and costs in US dollars; what cannot be one is missing."""
    keys = {key for key, _ in plan.names}
    for key in keys.intersection(("tokens_in", "tokens_out", "tokens")):
        column = found[key]
        for i in places:
            column[i] = _count(column[i])
    if "tokens" in keys and "tokens_in" not in keys:
        used, made, total = found["tokens_in"], found["tokens_out"], found["tokens"]
        for i in places:
            used[i] = _count(total[i] - (made[i] or 0)) if total[i] is not None else None
    if keys.intersection(("cost_usd", "cost_in", "cost_out")):
        whole, asked, answered = found["cost_usd"], found["cost_in"], found["cost_out"]
        for i in places:
            parts = [part for part in (_cost(asked[i]), _cost(answered[i])) if part is not None]
            given = _cost(whole[i])
            whole[i] = sum(parts) if given is None and parts else given


def _cost(value: Any) -> float | None:
    amount = number(value)
    return amount if amount is not None and amount >= 0 else None


def _count(value: Any) -> int | None:
    if type(value) is not int:
        amount = number(value)
        value = -1 if amount is None or amount != int(amount) else int(amount)
    return value if 0 <= value < MOST_TOKENS else None
