"""YAML from untrusted hands, as values that know the line they stand on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from aiops_lab.objectives.grammar import shown
from aiops_lab.objectives.objective import Problem

LARGEST = 1_000_000
DEEPEST = 40
MOST = 50_000
"""Bytes of a file, depth of nesting, and values with those that aliases repeat."""
SCALARS = ("str", "null", "bool", "int", "float", "timestamp", "value")
TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Value:
    """A mapping, list, text, number, truth value or None, and the line of its key."""

    file: str
    line: int
    data: Any


class Refused(Exception):
    """What no reader should go on with, at a line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def read_documents(file: str, content: bytes) -> tuple[list[Value], list[Problem]]:
    """The documents of a YAML stream, and what is wrong with them.

    What comes after an error in the syntax is not read. Python is never constructed: nodes are
    composed and only plain values made of them. Refused are aliases that blow up, tags, keys that
    are no texts or stand twice, nesting deeper than 40 and files over a megabyte.

    Examples
    --------
    >>> read_documents("a.yaml", b"kind: SLO\\nkind: SLI")[1][0].reason
    "the key 'kind' stands here twice"
    """
    documents: list[Value] = []
    problems: list[Problem] = []
    try:
        text = text_of(content)
        _check_depth(text)
        for node in yaml.compose_all(text, Loader=yaml.CSafeLoader):
            if node is None:
                continue
            made = _Making(file, problems)
            value = made.value(node, node.start_mark.line + 1, 0)
            documents += [] if value.data is None else [value]
    except Refused as error:
        problems.append(Problem(file, error.line, str(error)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "simple key" in (error.context or ""):  # noticed a line late
            mark = error.context_mark or mark
        told = " ".join(filter(None, [error.context, error.problem]))
        problems.append(Problem(file, mark.line + 1 if mark else 1, f"not YAML: {told}"))
    except yaml.YAMLError as error:
        problems.append(Problem(file, 1, f"not YAML: {' '.join(str(error).split())}"))
    return documents, problems


def text_of(content: bytes) -> str:
    """The text of a file; refused where it is large, not UTF-8, or has control characters."""
    if len(content) > LARGEST:
        raise Refused(1, f"the file is larger than {LARGEST:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(content.count(b"\n", 0, error.start) + 1, "this is not UTF-8") from None
    for number, line in enumerate(text.split("\n"), 1):
        if hidden := [c for c in line if c < " " and c not in "\t\r"]:
            raise Refused(number, f"a control character, U+{ord(hidden[0]):04X}")
    return text


def _check_depth(text: str) -> None:
    """Before anything is composed, which recurses: how deep it is, and how much."""
    depth = count = 0
    with suppress(yaml.YAMLError):  # composing says so, after the documents before it
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            count += 1
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST or count > 3 * MOST:
                what = f"nested deeper than {DEEPEST}" if depth > DEEPEST else "too many values"
                raise Refused(event.start_mark.line + 1, what)


class _Making:
    """Makes plain values of the nodes of a document; counts them, as aliases repeat them."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file, self.problems, self.count = file, problems, 0

    def value(self, node: Any, line: int, depth: int) -> Value:
        self.count += 1
        if self.count > MOST or depth > DEEPEST:
            raise Refused(line, "aliases make this too large or too deep")
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        match node:
            case yaml.MappingNode() if kind == "map":
                return Value(self.file, line, self.mapping(node, depth))
            case yaml.SequenceNode() if kind == "seq":
                items = [self.value(n, n.start_mark.line + 1, depth + 1) for n in node.value]
                return Value(self.file, line, items)
            case yaml.ScalarNode() if kind in SCALARS:
                return Value(self.file, line, _scalar(kind, node.value))
        raise Refused(line, f"the tag {shown(node.tag)} is not read")

    def mapping(self, node: Any, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                raise Refused(line, "keys are plain texts; write out what would be merged")
            if key.value in found:
                told = f"the key {shown(key.value)} stands here twice"
                self.problems.append(Problem(self.file, line, told))
            found[key.value] = self.value(value, line, depth + 1)
        return found


def _scalar(kind: str, text: str) -> Any:
    """A number is one by YAML 1.2 too: 1:30 and the like stay texts."""
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return TRUTHS[text.lower()]
            case "int":
                return int(text)
            case "float":
                return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except (KeyError, ValueError):
        pass
    return text
