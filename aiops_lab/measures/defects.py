"""What is wrong with an answer that was meant as JSON or YAML: the class of its first defect.

The parsers say where they stopped, and what stands there tells the class; what stands around a
document is looked at first, as it has to go first. Prose that was meant as neither has no class.
"""

from __future__ import annotations

import json
import re

import yaml

from aiops_lab.errors import Unrepairable
from aiops_lab.measures.json_text import BEGIN, FENCE, MOST, json_valid
from aiops_lab.measures.yaml_text import GLUED, read, starts

OBJECT = re.compile(r"""\{\s*["'“]?[\w$ -]{1,60}["'”]?\s*:|\[\s*["'{]""")
ENTRIES = re.compile(r"""(?m)^[ \t]*(?:- +)*["']?[a-z_][\w-]*["']?:(?=\s|\S)""")
FENCED = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
JSON_AT = (
    (r"'", "single quotes"), (r"[“”]", "curly quotes"), (r"/[/*]|#", "comment"),
    (r"-?(?:NaN|nan|Infinity|inf)\b", "no number"), (r"(?:True|False|None)\b", "Python"),
    (r",?\s*[}\]]", "trailing comma"), (r"\.\.\.|…", "dots"), (r"[\w$]+\s*:", "bare key"),
    (r"[\"{\[\d-]", "missing comma"), (r"\w", "quotes"),
)  # fmt: skip
"""What stands where the parser of JSON stopped -> the class."""
YAML_SAID = (
    ("there twice", "duplicate key"), ("after #", "hash"), ("curly", "curly quotes"),
    ("as one text", "missing space"), ("prose", "prose"), ("deeper than", "nested"),
    ("aliases", "sign"), ("tags", "sign"), ("no mapping", "missing space"),
)  # fmt: skip
"""What our own reader of YAML refused -> the class."""


def json_defect(text: str) -> str | None:
    """The class of what is wrong with a text meant as JSON; None where nothing is, or it is none.

    Examples
    --------
    >>> json_defect("{'a': 1}"), json_defect('{"a": [1,'), json_defect("Of course!")
    ('single quotes', 'truncated', None)
    """
    own = BEGIN.match(text.lstrip())
    if not (own or OBJECT.search(text)) or len(text) > MOST or json_valid(text):
        return None
    if any(language in ("", "json", "json5", "jsonc") for _, language, _ in FENCE.findall(text)):
        return "fence"
    if not own:
        return "prose"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _json_class(text.rstrip(), error)
    except (RecursionError, ValueError):
        return "nested or huge"
    return "no number"  # NaN, which Python reads


def _json_class(text: str, error: json.JSONDecodeError) -> str:
    at = text[error.pos :].lstrip()
    if error.msg == "Extra data":
        return "several" if at[0] in "{[" else "prose"
    if not at or error.msg.startswith("Unterminated string"):
        return "truncated"
    if error.msg.startswith("Invalid"):
        return "escape"
    return next((name for sign, name in JSON_AT if re.match(sign, at)), "other")


def yaml_defect(text: str) -> str | None:
    """The class of what is wrong with a text meant as YAML; None where nothing is, or it is none.

    Examples
    --------
    >>> yaml_defect("note: see: this"), yaml_defect("a: 1\\na: 2"), yaml_defect("Of course!")
    ('colon', 'duplicate key', None)
    """
    lines = [line for line in text.split("\n") if line.strip(" -`~\r")]
    if len(text) > MOST or not lines or text.lstrip()[0] in "{[":
        return None
    entries = len(ENTRIES.findall(text))
    named = any(language in ("yaml", "yml") for _, language, _ in FENCE.findall(text))
    if not (named or entries > 1 or (entries and ENTRIES.match(lines[0]))):
        return None
    try:
        read(text)
    except Unrepairable as error:
        if FENCED.search(text):
            return "fence"
        if not starts(lines[0]):
            return "prose"
        if isinstance(stop := error.__context__, yaml.MarkedYAMLError):
            return _yaml_class(text, stop)
        return next((name for sign, name in YAML_SAID if sign in str(error)), "other")
    return None


def _yaml_class(text: str, error: yaml.MarkedYAMLError) -> str:
    """The class by where the parser stopped, and within what."""
    mark, within = error.problem_mark, error.context_mark or error.problem_mark
    if mark is None or within is None:
        return "other"
    every, said = text.split("\n"), f"{error.context} {error.problem}"
    line, begun = (every[min(m.line, len(every) - 1)] for m in (mark, within))
    last = not "".join(every[within.line + 1 :]).strip()
    if "single document" in said:
        return "several" if any(map(starts, every[mark.line + 1 :])) else "prose"
    if "start any token" in said:
        return "tabs" if "\t" in line[: mark.column + 1] else "sign"
    if "quoted scalar" in said:
        return "truncated" if last else "quotes"
    if "mapping values" in said:
        return "indentation" if ":" not in line[: mark.column] else "colon"
    if "alias" in said or "anchor" in said or "tag" in said:
        return "sign"
    if "simple key" in said:
        return "missing space" if GLUED.fullmatch(begun.strip()) else "prose"
    if "flow" in said:
        return "truncated" if last else "brackets"
    if line[: mark.column].strip():
        return "brackets" if line[: mark.column].rstrip()[-1] in "]}" else "quotes"
    return "indentation"
