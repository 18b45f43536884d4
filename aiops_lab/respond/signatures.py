"""What else moves when an artefact breaks: how likely, by kind of figure."""

from __future__ import annotations

import re
from functools import lru_cache

KINDS = (
    "prompt", "model", "provider", "index", "retrieval", "parser", "tool", "code", "scorer",
    "traffic",
)  # fmt: skip
"""What may have done it; traffic is its make-up."""
ELSE = 0.08
"""The chance that a figure moves for no reason that is listed."""
FAMILIES: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("traffic", "^expected$", {"traffic": 0.95}),
    ("tool", "tool", {"tool": 0.7, "code": 0.2, "model": 0.15, "prompt": 0.15, "provider": 0.1}),
    ("retrieval", r"retriev|rerank|chunk|docs?_|hits|recall|index",
     {"index": 0.7, "retrieval": 0.7, "code": 0.12}),
    ("parse", "pars", {"parser": 0.8, "prompt": 0.25, "model": 0.2, "provider": 0.2, "code": 0.2}),
    ("format", r"json|yaml|schema|format",
     {"prompt": 0.45, "parser": 0.4, "model": 0.3, "provider": 0.25, "code": 0.12}),
    ("refusal", "refus|toxic|safety", {"model": 0.55, "provider": 0.5, "prompt": 0.25}),
    ("ending", "truncat|finish|length_stop",
     {"model": 0.4, "provider": 0.45, "prompt": 0.2}),
    ("asked", "tokens_in|input|prompt",
     {"prompt": 0.6, "retrieval": 0.5, "index": 0.35, "traffic": 0.3, "tool": 0.15, "code": 0.1}),
    ("written", "tokens_out|words|output|length|reasoning",
     {"prompt": 0.5, "model": 0.55, "provider": 0.5, "traffic": 0.2}),
    ("time", "latency|duration|seconds|ttft",
     {"model": 0.55, "provider": 0.6, "tool": 0.45, "retrieval": 0.4, "code": 0.3, "index": 0.15,
      "prompt": 0.12}),
    ("cost", "cost|usd|price", {"model": 0.5, "prompt": 0.4, "provider": 0.3, "retrieval": 0.3}),
    ("error", "error|status|fail|timeout",
     {"provider": 0.4, "code": 0.4, "tool": 0.2, "model": 0.15}),
)  # fmt: skip
"""Family, the names of its figures, and how likely each artefact moves one of them when it breaks
in a way that users feel: judgements of the field, kept between .08 and .95 so that no single
figure decides."""


@lru_cache(1024)
def family_of(name: str) -> tuple[str, dict[str, float]]:
    """The family of a figure by its name, and how likely each artefact moves it.

    Examples
    --------
    >>> family_of("parse_error")[0], family_of("tool_error")[0], family_of("mood")
    ('parse', 'tool', ('mood', {}))
    """
    for family, names, chances in FAMILIES:
        if re.search(names, name.lower()):
            return family, chances
    return name, {}


def fits(name: str, kind: str, judged: bool) -> float:
    """How much more an artefact is suspected because this figure is the one that moved.

    What is not judged is not moved by who judges; a figure that says nothing of who made it, such
    as a score of the answer, suspects all alike.
    """
    if kind == "scorer":
        return 1.0 if judged else 0.02
    chances = family_of(name)[1]
    if kind in ("traffic", "nothing"):
        return 1.0
    return chances.get(kind, ELSE) / max(chances.values()) if chances else 1.0


def chance_of(name: str, kind: str) -> float:
    """How likely an artefact of a kind moves a figure when it breaks."""
    return family_of(name)[1].get(kind, 0.03 if kind == "scorer" else ELSE)
