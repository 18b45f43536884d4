"""What a step was asked and what it answered, as a text to read, from messages in any form.

Where the texts are depends on the names of a span's attributes alone, so it is found out once for
each set of names: a `Reader` takes the attributes and gives the text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from aiops_lab.sources.jsonio import compact
from aiops_lab.sources.traces.values import DEEPEST

Attributes = dict[str, Any]
Event = tuple[str, int | None, Attributes]
"""The name of an event, its moment in nanoseconds, and its attributes."""
Reader = Callable[[Attributes], str | None]
ANYTHING = msgspec.json.Decoder()
NOT_JSON = (msgspec.MsgspecError, RecursionError, UnicodeError)
ASKING, ANSWERING = ("user", "human"), ("assistant", "ai", "model")
LISTS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "gen_ai.input.messages": (None, ASKING),
    "gen_ai.output.messages": (None, ANSWERING),
    "llm.input_messages": (".message.", ASKING),
    "llm.output_messages": (".message.", ANSWERING),
    "gen_ai.prompt": (".", ASKING),
    "gen_ai.completion": (".", ANSWERING),
    "llm.prompts": (".prompt.", ASKING),
    "llm.choices": (".completion.", ANSWERING),
}
"""Lists of messages -> what follows a number where they are flattened, and whose is wanted."""
TEXTS = dict.fromkeys(
    (
        "gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text", "gen_ai.memory.query.text",
        "reranker.query", "embedding.embeddings.0.embedding.text", "input.value",
        "traceloop.entity.input", "db.query.text", "db.statement", "tool.parameters",
    ),
    ASKING,
) | dict.fromkeys(
    ("gen_ai.tool.call.result", "output.value", "traceloop.entity.output"), ANSWERING
)  # fmt: skip
"""Attributes that are a text, or a request or an answer as JSON."""
DOCUMENTS = ("gen_ai.retrieval.documents", "reranker.output_documents", "retrieval.documents")
CONTENT = (
    "gen_ai.content.prompt", "gen_ai.content.completion",
    "gen_ai.client.inference.operation.details",
)  # fmt: skip
"""Events whose attributes are those that others give to the span itself."""
INNER = (
    "content", "text", "parts", "contents", "message_content", "result", "response", "document",
)  # fmt: skip


class Part(Struct, gc=False):
    content: str | None = None
    text: str | None = None
    name: Any = None


class Message(Struct, gc=False):
    role: str | None = None
    content: str | None = None
    parts: list[Part] | None = None


MESSAGES = msgspec.json.Decoder(list[Message])
PARTS = msgspec.json.Decoder(list[Part])


def readers(names: Collection[str], roles: tuple[str, ...]) -> list[Reader]:
    """What reads the text by one of `roles` out of attributes of these names, the best first."""
    found: list[Reader] = []
    for name, (inner, whose) in LISTS.items():
        if whose is roles and name in names:
            found.append(
                lambda given, name=name: (
                    _usual(given[name], roles) or _spoken(loaded(given[name]), roles)
                )
            )
        elif whose is roles and inner and (messages := list(_flattened(names, name, inner))):
            found.append(lambda given, messages=messages: _first(given, messages, roles))
    for name, whose in TEXTS.items():
        if whose is roles and name in names:
            found.append(lambda given, name=name: _within(given[name], roles))
    return found


def passages(names: Collection[str]) -> list[Reader]:
    """What reads the documents that were found, an empty line between them."""
    found: list[Reader] = []
    for name in DOCUMENTS:
        if name in names:
            found.append(
                lambda given, name=name: (
                    _usual_documents(given[name]) or _documents(loaded(given[name]))
                )
            )
        elif parts := list(_numbered(names, name + ".%d.document.content")):
            found.append(lambda given, parts=parts: "\n\n".join(str(given[p]) for p in parts))
    return found


def told(events: list[Event]) -> Attributes:
    """What events of a span say in place of attributes: messages, and documents found."""
    found: Attributes = {}
    documents = []
    for name, _, attributes in events:
        if name in CONTENT:
            found |= attributes
        elif name == "gen_ai.user.message":
            found["gen_ai.prompt"] = [{"role": "user", "content": attributes.get("content")}]
        elif name == "gen_ai.choice":
            found.setdefault("gen_ai.completion", [loaded(attributes.get("message"))])
        elif name == "db.query.result":
            documents.append({key.rpartition(".")[2]: at for key, at in attributes.items()})
    return {**found, "retrieval.documents": documents} if documents else found


def loaded(value: Any) -> Any:
    """What a JSON text holds; anything else, and a text that is no JSON, as it is."""
    if type(value) is str and value[:1] in ("{", "["):
        try:
            return ANYTHING.decode(value)
        except NOT_JSON:
            return value
    return value


def words(message: Any, depth: int = 0) -> str | None:
    """The text of a message or a part of one; a call of a tool as ``name(arguments)``."""
    if type(message) is str:
        return message or None
    if depth > DEEPEST:
        return None
    if isinstance(message, list):
        parts = [text for part in message if (text := words(part, depth + 1))]
        return "\n".join(parts) if len(parts) != 1 else parts[0]
    if not isinstance(message, dict):
        return None
    for key in [key for key in INNER if key in message]:
        if (inner := message[key]) and (text := words(inner, depth + 1)):
            return text
    if calls := message.get("tool_calls") or message.get("tool_call"):
        return words(calls, depth + 1)
    function = message.get("function")
    call = function if isinstance(function, dict) else message
    if (name := call.get("name")) and call.get("role") is None:
        arguments = call.get("arguments") or {}
        return f"{name}({arguments if isinstance(arguments, str) else compact(arguments)})"
    if any("." in key for key in message):
        return words({key.rpartition(".")[2]: item for key, item in message.items()}, depth + 1)
    return None


def _usual(value: Any, roles: tuple[str, ...]) -> str | None:
    """The text in a JSON list of messages where they are as they mostly are."""
    try:
        messages = MESSAGES.decode(value)
    except (*NOT_JSON, TypeError):
        return None
    for message in reversed(messages) if roles is ASKING else messages:
        if message.role in roles:
            if message.content or not message.parts:
                return message.content
            if len(message.parts) == 1 and message.parts[0].name is None:
                return message.parts[0].content
            return None
    return None


def _usual_documents(value: Any) -> str | None:
    """The texts in a JSON list of documents where each has one."""
    try:
        parts = [part.content or part.text for part in PARTS.decode(value)]
        return "\n\n".join(parts)  # pyright: ignore[reportArgumentType, reportCallIssue]
    except (*NOT_JSON, TypeError):
        return None


def _spoken(messages: Any, roles: tuple[str, ...]) -> str | None:
    """The text of the last question or the first answer, else of whoever has one."""
    if type(messages) is str:
        return messages
    if isinstance(messages, dict):
        messages = messages.get("messages") or [messages]
    if not isinstance(messages, list):
        return None
    other = None
    for message in reversed(messages) if roles is ASKING else messages:
        if not isinstance(message, dict):
            role = None
        else:
            inner = message.get("message")
            message = inner if isinstance(inner, dict) else message
            role = message.get("role") or message.get("message.role")
        if (role in roles or other is None) and (text := words(message)):
            if role in roles:
                return text
            other = text
    return other


def _within(value: Any, roles: tuple[str, ...]) -> str | None:
    """A value as text; of a request to a model or its answer, the message in it."""
    if value is None:
        return None
    if isinstance(value, str) and '"messages"' not in value and '"choices"' not in value:
        return value or None
    held = loaded(value)
    if isinstance(held, dict):
        for key in ("messages", "choices"):
            if text := _spoken(held.get(key), roles):
                return text
    return value if isinstance(value, str) else compact(value)


def _documents(found: Any) -> str | None:
    if not isinstance(found, list):
        return _within(found, ANSWERING)
    parts = [words(one.get("document") or one) for one in found if isinstance(one, dict)]
    return "\n\n".join(filter(None, parts)) or compact(found)


def _flattened(
    names: Collection[str], name: str, inner: str
) -> Iterator[tuple[str | None, list[str], list[tuple[str, str | None]]]]:
    """Of each message of a flattened list, the names of its role, its texts, and its calls."""
    for number in count():
        at = f"{name}.{number}{inner}"
        role, content = at + "role", at + "content"
        call = at + "tool_calls.%d." + ("tool_call.function." if inner == ".message." else "")
        texts = [key for key in (content, at + "text") if key in names]
        texts += _numbered(names, at + "contents.%d.message_content.text")
        calls = [
            (key, arguments if (arguments := key[:-4] + "arguments") in names else None)
            for key in _numbered(names, call + "name")
        ]
        if role not in names and not texts and not calls:
            return
        yield role if role in names else None, texts, calls


def _first(given: Attributes, messages: list[Any], roles: tuple[str, ...]) -> str | None:
    """The text of the last question or the first answer in a flattened list."""
    other = None
    for role, texts, calls in reversed(messages) if roles is ASKING else messages:
        mine = given[role] in roles if role else False
        if mine or other is None:
            parts = [str(given[key]) for key in texts if given[key]]
            parts = parts or [f"{given[name]}({given[a] if a else ''})" for name, a in calls]
            text = parts[0] if len(parts) == 1 else "\n".join(parts)
            if mine and text:
                return text
            other = other or text
    return other or None


def _numbered(names: Collection[str], pattern: str) -> Iterator[str]:
    """The names of a flattened list, to the first number that is not there."""
    for number in count():
        if (name := pattern % number) not in names:
            return
        yield name
