"""Whether a text is YAML, and what it was meant to be where it is not quite.

Read as YAML 1.2 (``NO`` is a text), without aliases, anchors, tags or repeated keys. What YAML
reads without complaint and not as it was meant (``#general`` as nothing, a bullet out of line as
more of the text above it) counts as broken.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import yaml

from aiops_lab.errors import Unrepairable
from aiops_lab.measures.json_text import DEEPEST, MOST, MOST_REPAIRED, fenced

PLAIN = [
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
]
KEY = r"""(?:"[^"]*"|'[^']*'|“[^”]*”|[^\W\d][\w.()/$-]*(?: [\w.()/$-]+){0,3}|\d+)"""
ENTRY = re.compile(rf"((?:- +)*)(?:({KEY}) *:(?: +|$))?(.*)")
GLUED = re.compile(r"((?:- +)*)([A-Za-z_][\w-]+):((?!//)[^\s:\\].*)")
OPENER = re.compile(
    r"(?i)(?:sure|certainly|absolutely|of course|here|below|okay|ok|yes|the following|this is|i've"
    r"|i have|as requested)\b\S*(?: \S+){2,}:\s*"
)
BLOCK = re.compile(r"[|>][+-]?\d?[+-]?(?:\s+#.*)?")
NUMBER = re.compile(r"[-+.\d]+$|(?i:true|false|null)$")
LIKE = re.compile(r"^[ \t]*(?:- |\[|\{|[^\n]{1,80}?:(?:\s|$))", re.MULTILINE)
TABS = re.compile(r"^\t+")
TROUBLE = re.compile(r":(?:\s|$)|\s#\S|^[?:]\s")
ELISION = re.compile(r"'(?:\d0s|tis|twas|em|cause|til|n)\b")
QUOTES = {"“": "”", "‘": "’", '"': '"', "'": "'"}


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012


class _Dumper(yaml.CSafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would take for more than a text."""


for _kind, _pattern, _first in PLAIN:
    _tag, _whole = f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z")
    _Loader.add_implicit_resolver(_tag, _whole, [*_first, *([""] if _kind == "null" else [])])
    _Dumper.add_implicit_resolver(_tag, _whole, list(_first))


def _number(loader: Any, node: yaml.ScalarNode) -> int:
    text = node.value
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [
        (loader.construct_object(key, deep=True), loader.construct_object(value, deep=True))
        for key, value in node.value
    ]
    if len({key for key, _ in pairs}) < len(pairs):
        raise Unrepairable("a key is there twice")
    return dict(pairs)


_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def yaml_valid(text: str) -> bool | None:
    """Whether a text is a YAML mapping or list; None where it is too long to try.

    Examples
    --------
    >>> yaml_valid("name: Ada"), yaml_valid("Of course!"), yaml_valid("channel: #general")
    (True, False, False)
    """
    if len(text) > MOST:
        return None
    try:
        read(text)
    except Unrepairable:
        return False
    return True


def repair_yaml(text: str) -> str:
    """The YAML that a text was meant to be: a mapping or a list.

    Fences, prose before and after, tabs, curly quotes, texts that need quoting, quotes left open
    or standing inside others, a missing space after a colon, uneven indents and missing ends are
    mended. A document that every reader reads alike comes back as it is, any other in one form.

    Raises
    ------
    Unrepairable
        It is no mapping or list, repeats a key, uses aliases, or could be meant in two ways.

    Examples
    --------
    >>> print(repair_yaml("Sure, here it is:\\nname:Ada\\nnote: *new*: call\\ncountry: NO"), end="")
    name: Ada
    note: '*new*: call'
    country: 'NO'
    """
    if len(text) > MOST_REPAIRED:
        raise Unrepairable(f"longer than {MOST_REPAIRED:,} characters")
    try:
        value = read(text)
    except Unrepairable:
        value = read(_mended(text))
    else:
        with contextlib.suppress(yaml.YAMLError, ValueError):  # what YAML 1.1 makes of it
            if "\t" not in text and yaml.load(text, yaml.CSafeLoader) == value:
                return text
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)


def read(text: str) -> Any:
    """The one mapping or list of a text, if YAML and its author agree on what it says."""
    if not LIKE.search(text):
        raise Unrepairable("nothing in it looks like a mapping or list")
    depth = 0
    try:
        # the C loader builds nodes without asking how deep it is: look first
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise Unrepairable(f"nested deeper than {DEEPEST}")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise Unrepairable("anchors and aliases are not read")
            if getattr(event, "tag", None):
                raise Unrepairable("tags are not read")
            if isinstance(event, yaml.ScalarEvent) and not event.style:
                _misread(event, text)
        value = yaml.load(text, _Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise Unrepairable(f"not YAML: {error}") from None
    if not isinstance(value, dict | list) or not value:
        raise Unrepairable("not a mapping or list")
    first = str(next(iter(value)))
    if (
        isinstance(value, dict)
        and value[next(iter(value))] is None
        and (OPENER.fullmatch(first + ":") or first.count(" ") > 2)
    ):
        raise Unrepairable("prose would be read as a key")
    return value


def _misread(event: Any, text: str) -> None:
    """Refuse a plain text that YAML reads otherwise than it was meant."""
    value, start, end = event.value, event.start_mark.index, event.end_mark.index
    before = text[text.rfind("\n", 0, start) + 1 : start]
    stop = text.find("\n", end)
    after = text[end : stop if stop >= 0 else None]
    if re.match(r"\s+#\S" if value else r"\s*#", after) and not NUMBER.match(value):
        raise Unrepairable("text after # would be lost")
    if value[:1] in ("“", "‘") and value[-1:] == QUOTES[value[0]]:
        raise Unrepairable("curly quotes")
    lines = text[start:end].split("\n")[before.strip() != "" :]
    if any(GLUED.fullmatch(line.strip()) or line.lstrip().startswith("- ") for line in lines):
        raise Unrepairable("several entries would be read as one text")


def _mended(text: str) -> str:
    if ":" not in text and "- " not in text:
        raise Unrepairable("nothing in it looks like a mapping or list")
    inside = fenced(text, yaml_valid, "yaml", "yml")
    source = text if inside is None else inside
    anchors = set(re.findall(r"[:-] +&([\w-]+)", source))
    if anchors & set(re.findall(r"[:,\[-] *\*([\w-]+)", source)):
        raise Unrepairable("anchors and aliases are not read")
    lines = _document(source.split("\n"), inside is not None)
    out: list[str] = []
    levels: list[tuple[int, bool]] = []
    opened, block = True, None
    for place, line in enumerate(lines):
        body, line = line.strip(), TABS.sub(lambda tabs: "  " * len(tabs[0]), line)
        indent = len(line[: len(line) - len(line.lstrip())].replace("\t", "  "))
        if not body or (block is not None and indent > block):
            out.append(line)
            continue
        block = None
        following = next((lines[i] for i in range(place + 1, len(lines)) if lines[i].strip()), "")
        entry = _entry(body, indent, following)
        if entry is None or body.startswith("#"):
            out.append(line)
            continue
        bullets, key, rest = entry
        indent = _level(levels, indent, bool(bullets), opened)
        levels.append((indent, bool(bullets)))
        if bullets and key:
            levels.append((indent + len(bullets), False))
        value = _value(rest, last=not following)
        opened = not value or value.startswith("# ")
        if BLOCK.fullmatch(value):
            block = levels[-1][0]
        name = f"{_curly(key)}: " if key else ""
        out.append((" " * indent + bullets + name + value).rstrip())
    return "\n".join(out).removesuffix("\n") + "\n"


def _document(lines: list[str], given: bool) -> list[str]:
    """The lines of the document, without the prose around it."""
    while lines and not lines[0].strip(" -\r"):
        lines = lines[1:]
    cut = next((i for i, line in enumerate(lines) if line.rstrip() in ("---", "...")), len(lines))
    if any(starts(line) for line in lines[cut + 1 :]) and any(map(starts, lines[:cut])):
        raise Unrepairable("more than one document")
    lines = lines[:cut] if any(map(starts, lines[:cut])) else lines[cut + 1 :]
    first = next((i for i, line in enumerate(lines) if starts(line)), len(lines))
    if first and not given and not any(re.search(r"\w['\"”]?:", line) for line in lines[first:]):
        raise Unrepairable("nothing in it looks like a mapping or list")
    lines = lines[first:]
    prose = len(lines)
    for place in range(len(lines) - 1, 0, -1):
        if not lines[place].strip():
            prose = place
        elif lines[place][0].isspace() or starts(lines[place]) or lines[place][0] in "]}":
            break
    return lines[:prose] if any(map(str.strip, lines[prose:])) else lines


def starts(line: str) -> bool:
    body = line.strip()
    bullets, key, _ = ENTRY.fullmatch(body).groups()  # type: ignore[union-attr]
    looks = bool(bullets or key or GLUED.fullmatch(body) or body[:1] in ("[", "{"))
    return looks and not OPENER.fullmatch(body)


def _entry(body: str, indent: int, following: str) -> tuple[str, str, str] | None:
    """The bullets, key and value of a line; None where it goes on with the line above."""
    glued = GLUED.fullmatch(body)
    if glued:
        beside = len(following) - len(following.lstrip()) == indent + len(glued[1])
        if not glued[1] or (beside and starts(following)):
            return glued[1], glued[2], glued[3]
    bullets, key, rest = ENTRY.fullmatch(body).groups()  # type: ignore[union-attr]
    return (bullets, key or "", rest) if bullets or key else None


def _level(levels: list[tuple[int, bool]], indent: int, bullet: bool, opened: bool) -> int:
    """Where an entry belongs: a level that is open, or a new one below an entry without value."""
    deeper = opened and (not levels or indent > levels[-1][0] or levels[-1] == (indent, False))
    if (indent, bullet) not in levels or (deeper and levels[-1] != (indent, bullet)):
        if deeper and (indent, bullet) not in levels:
            return indent
        near = {level for level, kind in levels if kind == bullet and abs(indent - level) < 2}
        if len(near) != 1:
            raise Unrepairable("the indentation can be meant in two ways")
        indent = near.pop()
    del levels[levels.index((indent, bullet)) :]
    return indent


def _value(text: str, *, last: bool) -> str:
    """A value in a form that YAML reads as it was meant."""
    text = text.strip()
    first, body = text[:1], text[1:]
    if not text or BLOCK.fullmatch(text) or re.match(r"#(?:\s|$)", text):
        return text
    if first in QUOTES:
        return _quotation(text)
    if first in "[{" and not _parses(text):
        ends = "".join({"[": "]", "{": "}"}.get(c, "") for c in reversed(text))
        if not last and text[-1] not in "]}" and re.fullmatch(r"[\[{].*[,\[{]", text):
            return text
        for quote in ("", '"', "'"):
            if last and text.count(ends[0]) < text.count(first) and _parses(text + quote + ends):
                return text + quote + ends
        return _quoted(text)
    if text.startswith("- "):
        raise Unrepairable("a list begins on the line of its key")
    if first in "@%`*&!|>,]}#" or TROUBLE.search(text):
        if NUMBER.match(text.split()[0]):
            return text
        if re.search(r"\s#\s", text):
            raise Unrepairable("whether a text ends at # cannot be told")
        return _quoted(text)
    return text if body or first not in "-?:" else _quoted(text)


def _quotation(text: str) -> str:
    first, body = text[0], text[1:]
    close = QUOTES[first]
    if first in "'\"" and _parses(text):
        return text
    if first == '"' and "\\" in body:
        if _parses(text + '"'):
            return text + '"'
        raise Unrepairable("a quotation holds backslashes that mean nothing")
    inner = body.removesuffix(close)
    if close not in body:
        return _quoted(text if first in "“‘" or ELISION.match(text) else body)
    nested = re.search(rf"(.?){re.escape(close)}", inner)
    if inner != body and (
        not nested or nested[1] in ("", " ", "(") or (nested[1].isalnum() and close == "'")
    ):
        return _quoted(inner)
    return _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _curly(key: str) -> str:
    return _quoted(key[1:-1]) if key[0] == "“" else key


def _parses(text: str) -> bool:
    try:
        read(f"- {text}")
    except Unrepairable:
        return False
    return True
