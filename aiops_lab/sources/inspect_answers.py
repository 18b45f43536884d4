"""What one answer in an Inspect log gives: its row, and a row for each of its scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from aiops_lab.sources.jsonio import compact, decode
from aiops_lab.sources.rows import Count, number, thin
from aiops_lab.tables import digest

LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
JUDGE_ROLES = ("grader", "judge", "scorer")


class Usage(Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    total_cost: float | None = None


class Score(Struct):
    value: Any = None
    answer: Any = None
    explanation: str | None = None


class Message(Struct):
    role: str = ""
    content: Any = None


class Choice(Struct):
    message: Message | None = None
    stop_reason: str | None = None


class Output(Struct):
    model: str | None = None
    choices: list[Choice] = []
    completion: str | None = None


class Answer(Struct):
    """What a summary and a full sample have in common."""

    id: int | str
    epoch: Count = 1
    metadata: dict[str, Any] | None = None
    scores: dict[str, Score] | None = None
    score: Score | None = None
    model_usage: dict[str, Usage] | None = None
    role_usage: dict[str, Usage] | None = None
    total_time: float | None = None
    working_time: float | None = None
    error: Any = None
    limit: Any = None

    @property
    def key(self) -> tuple[str, int]:
        return str(self.id), self.epoch


class Sample(Answer):
    """A full sample without its events."""

    input: Any = None
    target: Any = None
    choices: list[str] | None = None
    messages: list[Raw] | None = None
    message_refs: list[tuple[int, int]] = []
    output: Output | None = None
    attachments: Raw = Raw(b"")


MESSAGES = msgspec.json.Decoder(Message)
ATTACHMENTS = msgspec.json.Decoder(dict[str, str])
ANSWERS = msgspec.json.Decoder(Answer)
SAMPLES = msgspec.json.Decoder(Sample)


def sample_row(answer: Answer, cluster_key: str | None, texts: bool) -> dict[str, Any]:
    """The columns of ``samples`` beside the key; without `texts` what a summary holds."""
    metadata = answer.metadata or {}
    cluster = metadata.get(cluster_key) if cluster_key else None
    return {
        "cluster": None if cluster is None else str(cluster),
        "error": _message(answer.error),
        "latency_s": answer.total_time if answer.working_time is None else answer.working_time,
        "metadata": compact(thin(metadata)) if metadata else None,
        **_tokens(answer),
        **(_texts(answer) if texts and isinstance(answer, Sample) else {}),
    }


def score_rows(answer: Answer, kinds: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The columns of ``scores`` beside the key, for each score and part of a score."""
    scores = answer.scores or ({"score": answer.score} if answer.score else {})
    for scorer, score in scores.items():
        for metric, value in _flatten(scorer, score.value):
            figure, passed, label = _value(value)
            yield {
                "metric": metric,
                "value": figure,
                "passed": passed,
                "label": label,
                "scorer": scorer,
                "scorer_kind": kinds.get(scorer, "code"),
                "explanation": score.explanation,
            }


def _flatten(scorer: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"{scorer}/{key}", item) for key, item in value.items())
    elif isinstance(value, list):
        yield from ((f"{scorer}/{index}", item) for index, item in enumerate(value))
    else:
        yield scorer, value


def _value(value: Any) -> tuple[float | None, bool | None, str | None]:
    """A score as number, pass and label, by the rules of Inspect's own ``value_to_float``.

    A word that Inspect would count as 0 with a warning is unscored here, and kept as a label.
    """
    match value:
        case bool():
            return float(value), value, None
        case int() | float():
            return number(value), None, None
        case str() if value in LETTERS:
            return LETTERS[value], None if value == "P" else value == "C", value
        case str() if value.lower() in WORDS:
            return WORDS[value.lower()], WORDS[value.lower()] == 1.0, value
        case str():
            return number(value), None, value
    return None, None, None


def _tokens(answer: Answer) -> dict[str, Any]:
    """Tokens as the log counts them: of the system under test, and of a model that graded it."""
    usages = list((answer.model_usage or {}).values())
    judges = [u for role, u in (answer.role_usage or {}).items() if role in JUDGE_ROLES]
    tokens_in, tokens_out = _total(usages, "input_tokens"), _total(usages, "output_tokens")
    if tokens_in is not None:
        tokens_in -= _total(judges, "input_tokens") or 0
    if tokens_out is not None:
        tokens_out -= _total(judges, "output_tokens") or 0
    return {
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "tokens_judge": _total(judges, "total_tokens"),
        "cost_usd": _total(usages, "total_cost"),
    }


def _total(usages: list[Usage], field: str) -> Any:
    values = [value for usage in usages if (value := getattr(usage, field)) is not None]
    return sum(values) if values else None


def _texts(sample: Sample) -> dict[str, Any]:
    attachments: dict[str, str] = {}

    def resolve(text: str | None) -> str | None:
        if text and text.startswith("attachment://") and len(sample.attachments) > 4:
            if not attachments:
                attachments.update(decode(sample.attachments, ATTACHMENTS))
            return attachments.get(text.removeprefix("attachment://"), text)
        return text

    asked, target = _input(sample.input, resolve), _target(sample.target)
    prompt = _prompt(sample.messages or [], resolve)
    output = sample.output or Output()
    choice = output.choices[0] if output.choices else Choice()
    said = output.completion or (_content(choice.message.content) if choice.message else None)
    limit = sample.limit.get("type") if isinstance(sample.limit, dict) else sample.limit
    if sample.choices:
        asked = "\n".join([asked or "", *(f"- {choice}" for choice in sample.choices)])
    return {
        "input": asked,
        "target": target,
        "output": resolve(said),
        "finish_reason": f"{limit} limit" if limit else choice.stop_reason,
        "input_digest": None if asked is None else digest(asked),
        "target_digest": None if target is None else digest(target),
        "prompt_digest": None if prompt is None else digest(prompt),
    }


def _input(value: Any, resolve: Any) -> str | None:
    if isinstance(value, list):
        turns = [turn for turn in value if isinstance(turn, dict)]
        return "\n\n".join(
            f"{turn.get('role', '?')}: {resolve(_content(turn.get('content'))) or ''}"
            for turn in turns
        )
    return resolve(value) if isinstance(value, str) else None


def _target(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else compact(value)
    return value if isinstance(value, str) and value else None


def _content(content: Any) -> str | None:
    """The text of a message's content, other parts named in brackets."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        return "\n".join(
            str(part.get("text") or part.get("reasoning") or "")
            if part.get("type") in ("text", "reasoning", None)
            else f"[{part.get('type')}]"
            for part in parts
        )
    return content if isinstance(content, str) else None


def _prompt(messages: list[Raw], resolve: Any) -> str | None:
    """What the model was given before it first spoke."""
    turns = []
    for raw in messages:
        message = decode(raw, MESSAGES)
        if message.role == "assistant":
            break
        turns.append(f"{message.role}: {resolve(_content(message.content)) or ''}")
    return "\n\n".join(turns) if turns else None


def _message(error: Any) -> str | None:
    if isinstance(error, dict):
        error = error.get("message") or compact(error)
    return str(error) if error else None
