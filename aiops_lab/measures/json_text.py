"""Whether a text is JSON, and what it was meant to be where it is not quite."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NoReturn

from aiops_lab.errors import Unrepairable

MOST = 1_000_000
MOST_REPAIRED = 100_000
DEEPEST = 100
STARTS = tuple('{["-0123456789tfn')
FENCE = re.compile(r"^(`{3,}|~{3,})[ \t]*([\w-]*)[ \t]*\n(.*?)(?:^\1|\Z)", re.DOTALL | re.MULTILINE)
BARE_FENCE = re.compile(r"^(?:`{3,}|~{3,})[ \t]*$", re.MULTILINE)
LONGEST_FIGURE = 300
"""Digits: what is longer is no figure to any reader."""
BEGIN = re.compile(
    r"""\{\s*(?:["'“}/#]|[\w$-]+\s*:)|\[\s*(?:["'“\d\[{\]/-]|[Tt]rue\b|[Ff]alse\b|null\b)"""
)
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
LINE_COMMENT = re.compile(r"(?<!:)//[^\n]*|^\s*#[^\n]*", re.MULTILINE)
TOKEN = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\w+")
FIGURE = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
EMPTY = re.compile(r"""\"\"|''|“”|\bnull\b|\bNone\b""")
# NaN, and a word cut off by the end
BARE = re.compile(
    r"[:,\[]\s*(?:-?(?:NaN|nan|Infinity)\b|(?!(?:true|false|null|True|False|None)$)[A-Za-z]\w*$)"
)
SAID = {"None": "null", "True": "true", "False": "false"}


def fenced(text: str, valid: Callable[[str], bool | None], *languages: str) -> str | None:
    """What stands between fences of one of these languages, or of none; None where nothing does.

    An answer that was begun for the model has the closing fence only: `valid` text before it is it.

    Raises
    ------
    Unrepairable
        Several such parts: which one is meant cannot be told.
    """
    first = BARE_FENCE.search(text)
    before = text[: first.start()] if first else ""
    if before.strip() and "```" not in before and valid(before):
        return before
    found = [inside for _, name, inside in FENCE.findall(text) if name.lower() in ("", *languages)]
    if len(found) > 1:
        raise Unrepairable(f"{len(found)} fenced parts, and no way to tell which is meant")
    return found[0] if found else None


def json_valid(text: str) -> bool | None:
    """Whether a text is JSON as RFC 8259 has it (no NaN); None where it is too long to try.

    Examples
    --------
    >>> json_valid('{"a": 1}'), json_valid("Of course!"), json_valid('{"a": NaN}')
    (True, False, False)
    """
    if not text.lstrip(" \t\r\n").startswith(STARTS):
        return False
    if len(text) > MOST:
        return None
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def repair_json(text: str) -> str:
    """The JSON that a text was meant to be.

    Fences, prose around, single quotes, bare keys, comments, missing and trailing commas, Python's
    literals and missing ends are mended (by json-repair). Valid JSON comes back as it is. Every
    word and figure of the source must be in the result, in order, and none besides.

    Raises
    ------
    Unrepairable
        Nothing like JSON was found, or mending it would have to guess a value.

    Examples
    --------
    >>> repair_json("Here you are: {'name': 'Ada', tags: ['x', 'y',]}")
    '{"name": "Ada", "tags": ["x", "y"]}'
    """
    if json_valid(text):
        return text
    if len(text) > MOST_REPAIRED:
        raise Unrepairable(f"longer than {MOST_REPAIRED:,} characters")
    if not BEGIN.search(text):
        raise Unrepairable("nothing in it looks like a JSON object or array")
    inside = fenced(text, json_valid, "json", "json5", "jsonc")
    source = (text if inside is None else inside).strip()
    if json_valid(source) and source[0] in "{[":
        return source
    start = BEGIN.search(source)
    if not start:
        raise Unrepairable("nothing in it looks like a JSON object or array")
    source = source[start.start() :]
    end = max(source.rfind("}"), source.rfind("]")) + 1
    whole = source[:end] if end and _depths(source[:end])[-1] == 0 else source
    if not re.search(r"""["'“{:]""", whole):
        raise Unrepairable("nothing in it looks like a JSON object or array")
    if json_valid(whole):
        return whole
    if max(_depths(whole)) > DEEPEST:
        raise Unrepairable(f"nested deeper than {DEEPEST}")
    from json_repair import repair_json as mend

    try:
        found: Any = mend(whole, return_objects=True, skip_json_loads=True)
        _check(whole, found)
        return json.dumps(found, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError, IndexError, TypeError) as error:
        raise Unrepairable(f"cannot be mended: {error}") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _depths(text: str) -> list[int]:
    return [0, *accumulate(1 if c in "{[" else -1 for c in re.findall(r"[][{}]", text))]


def _check(source: str, found: Any) -> None:
    """Refuse what lost, changed or invented anything."""
    if type(found) is not (dict if source[0] == "{" else list):
        raise Unrepairable("several values, where one was to be expected")
    if BARE.search(source):
        raise Unrepairable("NaN and Infinity have no JSON, or it ends within a value")
    if re.search(rf"\d{{{LONGEST_FIGURE}}}", source):
        raise Unrepairable(f"a figure of over {LONGEST_FIGURE} digits")
    plain = " ".join(ESCAPE.sub(_unescaped, source).split())
    leaves = [" ".join(leaf.split()) for leaf in _leaves(found)]
    if any(plain.count(dots) != " ".join(leaves).count(dots) for dots in ("...", "…")):
        raise Unrepairable("something was left out with dots")
    if _tokens(" ".join(leaves)) not in (_tokens(plain), _tokens(_uncommented(source))):
        raise Unrepairable("a value would be lost or changed")
    if sum(leaf in ("", "null") for leaf in leaves) > len(EMPTY.findall(plain)):
        raise Unrepairable("a value is missing")
    for leaf in leaves:  # a quote within a text may have been taken for its end, or the reverse
        ends = leaf[:1] + leaf[-1:]
        if ("'" in ends or '"' in ends) and not any(q + leaf + q in plain for q in "'\""):
            raise Unrepairable("where a quotation ends cannot be told")


def _uncommented(source: str) -> str:
    last = source.rfind("*/") + 2  # beyond it, looking for an end takes quadratic time
    return LINE_COMMENT.sub(" ", COMMENT.sub(" ", source[:last]) + source[last:])


def _unescaped(match: re.Match[str]) -> str:
    code, other = match.groups()
    return chr(int(code, 16)) if code else " " if other in "nrtbf" else other


def _tokens(text: str) -> list[Any]:
    """Words and figures; a figure with a leading zero is a word."""
    return [
        SAID.get(word, word) if not FIGURE.fullmatch(word) else float(word)
        for word in TOKEN.findall(text)
    ]


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in (str(key), *_leaves(inner))]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value if isinstance(value, str) else json.dumps(value)]
