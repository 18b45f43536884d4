"""What the attributes of a span mean, in the words of every convention.

The GenAI conventions of OpenTelemetry, older and newer, OpenInference, and OpenLLMetry call the
same things by different names; where a span has several, the first here counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from aiops_lab.sources.rows import number
from aiops_lab.sources.traces.names import (
    COSTS,
    HOLDERS,
    KEPT,
    MOST_TOKENS,
    NAMES,
    OF_MODELS,
    SIGNS,
    TELLERS,
    VECTORS,
    WORDS,
)
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
) -> tuple[list[int], dict[str, list[Any]]]:
    """What the attributes of some spans mean, column by column, and in which order of the spans.

    Spans whose attributes have the same names come together.

    Parameters
    ----------
    names
        The spans' names: looked at only where the attributes do not tell the step.
    attributes
        Plain values under dotted names; lists of messages flattened, as JSON, or nested.
    events
        Events of each; some older ones hold what others have among their attributes.

    Returns
    -------
    tuple
        The places of the spans in the order of the rows, and the columns `KEPT`.

    Examples
    --------
    >>> _, found = columns(["ChatCompletion"], [{
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
    order: list[int] = []
    found: dict[str, list[Any]] = {key: [] for key in KEPT}
    for keys, places in groups.items():
        part = _meaning(_plan(keys), [names[i] for i in places], [given[i] for i in places])
        nothing = [None] * len(places)
        for key, column in found.items():
            column += part.get(key, nothing)
        order += places
    return order, found


def _meaning(plan: Plan, names: list[str], given: list[Attributes]) -> dict[str, list[Any]]:
    """What the attributes of spans mean that have the same names."""
    found: dict[str, list[Any]] = {}
    for key, name in plan.names:
        values = [own[name] for own in given]
        if None in values or "" in values:
            others = found.get(key) or [None] * len(given)
            values = [
                other if value is None or value == "" else value
                for value, other in zip(values, others, strict=True)
            ]
        found[key] = values
    found["step"] = steps = _steps(plan, names, found)
    found["input"] = _first(plan.asked, given)
    found["output"] = _first(plan.answered, given)
    if plan.passages:
        found["output"] = [
            passage if step == "retrieval" and passage else answer
            for passage, step, answer in zip(
                _first(plan.passages, given), steps, found["output"], strict=True
            )
        ]
    for key, holder, field in HOLDERS:
        if holder in found:
            column = found.get(key) or [None] * len(given)
            found[key] = [
                _held(text, field)
                if value is None and (step == "model" or holder not in OF_MODELS)
                else value
                for value, text, step in zip(column, found[holder], steps, strict=True)
            ]
    if "prompt" in found and "prompt_version" in found:
        found["prompt_version"] = [
            version if name is None or version is None else f"{name}:{version}"
            for name, version in zip(found["prompt"], found["prompt_version"], strict=True)
        ]
    return _amounts(found, len(given))


def _steps(plan: Plan, names: list[str], found: dict[str, list[Any]]) -> list[str]:
    """One of prompt, retrieval, tool, model, parse, agent, other.

    Embeddings and reranking belong to retrieval. What only says that it is a part of the whole
    (a chain, a task, a workflow) is told by its name.
    """
    steps: list[Any] = [None] * len(names)
    for key, tells in plan.tellers:
        steps = [
            step or (tells.get(value) if type(value) is str else None)
            for step, value in zip(steps, found[key], strict=True)
        ]
    if None not in steps:
        return steps
    return [
        step or _otherwise(plan.sign, name[:LONGEST_NAME])
        for step, name in zip(steps, names, strict=True)
    ]


@lru_cache(4096)
def _otherwise(sign: str | None, name: str) -> str:
    low = name.lower()
    if sign == "model":
        return "retrieval" if "embed" in low or "rerank" in low else "model"
    return sign or next((step for step, word in WORDS if word.search(low)), "other")


def _first(readers: list[Reader], given: list[Attributes]) -> list[str | None]:
    """The first text that a reader finds in each."""
    found: list[str | None] = [None] * len(given)
    for read in readers:
        if None in found:
            found = [
                text if text is not None else read(own) or None
                for text, own in zip(found, given, strict=True)
            ]
    return found


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


def _amounts(found: dict[str, list[Any]], size: int) -> dict[str, list[Any]]:
    """With counts of tokens and costs in US dollars; what cannot be one is missing."""
    nothing = [None] * size
    if "tokens_in" in found:
        found["tokens_in"] = _counts(found["tokens_in"])
    if "tokens_out" in found:
        found["tokens_out"] = _counts(found["tokens_out"])
    if "tokens" in found and "tokens_in" not in found:
        made = found.get("tokens_out", nothing)
        found["tokens_in"] = [
            None if total is None else _count(total - (own or 0))
            for total, own in zip(_counts(found["tokens"]), made, strict=True)
        ]
    if COSTS & found.keys():
        whole, asked, answered = (
            list(map(_cost, found.get(key, nothing))) for key in ("cost_usd", "cost_in", "cost_out")
        )
        found["cost_usd"] = [
            cost if cost is not None or a is b is None else (a or 0.0) + (b or 0.0)
            for cost, a, b in zip(whole, asked, answered, strict=True)
        ]
    return found


def _counts(values: list[Any]) -> list[int | None]:
    if set(map(type, values)) == {int} and min(values) >= 0 and max(values) < MOST_TOKENS:
        return values
    return list(map(_count, values))


def _cost(value: Any) -> float | None:
    amount = None if value is None else number(value)
    return amount if amount is not None and amount >= 0 else None


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int:
        amount = number(value)
        value = -1 if amount is None or amount != int(amount) else int(amount)
    return value if 0 <= value < MOST_TOKENS else None
