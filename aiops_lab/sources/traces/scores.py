"""Scores that came with traces: evaluation events, annotations, what users thought."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from aiops_lab.sources.rows import number

PREFIX = "gen_ai.evaluation."
FEEDBACK = ("user_feedback", "user.feedback", "gen_ai.user.feedback", "feedback")
"""Events and attributes by which applications tell what a user thought."""
LISTS = {
    f"{many}.%d.{one[:-1]}.": f"{many}.0.{one[:-1]}.name"
    for one in ("annotations", "evaluations")
    for many in (one, f"trace.{one}")
}
"""OpenInference's flattened lists of scores: what their attributes begin with -> the first name."""
SCORED = (*LISTS.values(), *FEEDBACK)
"""Attributes that tell that a span carries scores."""
VALUES = ("score.value", "score", "value", "rating", *FEEDBACK)
THUMBS = {"up": 1.0, "thumbs_up": 1.0, "positive": 1.0} | {
    "down": 0.0, "thumbs_down": 0.0, "negative": 0.0,
}  # fmt: skip
LABELS = ("score.label", "label", "error.type")
SCORERS = ("evaluator.name", "evaluator", "user_id", "identifier")
KINDS = ("annotator_kind", "evaluator.type", "evaluator.kind")
KNOWN_KINDS = {"llm": "model", "model": "model", "code": "code", "rule": "code", "human": "human"}
WEIGHTS = (
    "sampling.weight", "sampling_weight", "aiops.sampling_weight", "sampling.adjusted_count",
    "SampleRate",
)  # fmt: skip
SHARES = ("sampling.probability", "sampling.ratio", "sampling.rate", "sampling_rate")
THRESHOLD = re.compile(r"\bot(?:=|, value=)[^,}]*?\b(th|p):([0-9a-f]{1,14})\b")


class Score(NamedTuple):
    """The columns of ``evaluations`` between the trace and the moment."""

    metric: str | None
    value: float | None
    label: str | None
    scorer: str | None
    scorer_kind: str | None


def score(told: dict[str, Any], scorer: str | None = None) -> Score:
    """A score from what tells it, under names without a prefix.

    Examples
    --------
    >>> score({"name": "helpful", "score": 1, "label": "up", "annotator_kind": "HUMAN"})
    Score(metric='helpful', value=1.0, label='up', scorer=None, scorer_kind='human')
    """
    given, label = _first(told, VALUES), _first(told, LABELS)
    value = THUMBS.get(given) if isinstance(given, str) else None
    if value is None:
        value = _number(given)
    if label is None and (value is None or isinstance(given, str)):
        label = given
    metric, by = told.get("name"), _first(told, SCORERS)
    kind = KNOWN_KINDS.get(str(_first(told, KINDS)).lower())
    if kind is None and "feedback" in str(metric):
        kind = "human"
    by = by if kind == "human" else by or scorer
    return Score(_text(metric), value, _text(label), _text(by), kind)


def is_score(name: str) -> bool:
    """Whether an event of this name is a score."""
    return name.startswith(PREFIX) or name in FEEDBACK


def of_event(name: str, attributes: dict[str, Any]) -> dict[str, Any] | None:
    """What an event tells of a score, if it is one; older events carry the metric in their name.

    Examples
    --------
    >>> of_event("gen_ai.evaluation.user_feedback", {"gen_ai.evaluation.score": -1.0})
    {'name': 'user_feedback', 'score': -1.0}
    >>> of_event("exception", {}) is None
    True
    """
    if name.startswith(PREFIX):
        named = name.removeprefix(PREFIX)
        told = {key.removeprefix(PREFIX): value for key, value in attributes.items()}
        return told if named == "result" else {"name": named, **told}
    if name in FEEDBACK:
        return {"name": "user_feedback", "annotator_kind": "HUMAN", **attributes}
    return None


def of_attributes(attributes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a span's own attributes tell of scores of it or of its trace."""
    for pattern, first in LISTS.items():
        for place in count() if first in attributes else ():
            at = pattern % place
            if at + "name" not in attributes:
                break
            yield {k.removeprefix(at): v for k, v in attributes.items() if k.startswith(at)}
    for key in FEEDBACK:
        if key in attributes:
            yield {"name": "user_feedback", "annotator_kind": "HUMAN", "score": attributes[key]}


def weight(attributes: dict[str, Any], trace_state: str | None = None) -> float | None:
    """How many requests one stands for, where sampling is told.

    Said as a weight, as a share, or in the trace state: ``th``, the threshold T of the
    rejected share T / 2^56, or the older ``p``, of which 2^-p were kept.

    Examples
    --------
    >>> weight({}, "ot=th:8"), weight({"sampling.probability": 0.05}), weight({})
    (2.0, 20.0, None)
    """
    found = _number(_first(attributes, WEIGHTS))
    if found is None and (share := _number(_first(attributes, SHARES))):
        found = 1 / share if 0 < share <= 1 else None
    if found is None and trace_state and (state := THRESHOLD.search(trace_state[:512])):
        if state[1] == "th":
            found = 2**56 / (2**56 - int(state[2].ljust(14, "0"), 16))
        elif state[2].isdigit() and int(state[2]) < 63:
            found = 2.0 ** int(state[2])
    return found if found is not None and found > 0 else None


def _first(told: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if (value := told.get(name)) is not None:
            return value
    return None


def _number(value: Any) -> float | None:
    return None if value is None else number(value)


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
