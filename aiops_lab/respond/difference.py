"""What differs between two texts: words, message by message, what hides, and variables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, TypeVar

import polars as pl

from aiops_lab.diff import word_diff
from aiops_lab.sources.traces.texts import loaded, words
from aiops_lab.tables import schema_of
from aiops_lab.wording import ALONE, listing, visible

T = TypeVar("T")
MOST_MESSAGES = 300
DEEPEST = 20
BLANKS = re.compile(r"(?<![ \t])[ \t]+(?=\n|\Z)")
ODD = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
TAGS = re.compile("[\U000e0000-\U000e007f]+")
KINDS = {
    "carriage return": re.compile("\r"),
    "blanks at a line's end": BLANKS,
    "unusual space": ODD,
    "zero width": re.compile("[\u00ad\u034f\u180e\u200b-\u200d\u2060\ufeff]"),
    "direction": re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"),
    "tag": re.compile("[\U000e0000-\U000e007f]"),
    "control": re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
    "other": ALONE,
}
"""What hides in a text; each is counted in what those before it left."""
NAME = r"([\w.]{1,80})"
VARIABLE = re.compile(
    rf"<%[=-]?\s{{0,20}}{NAME}\s{{0,20}}%>|\$\{{\s{{0,20}}{NAME}[^{{}}\n]{{0,99}}\}}"
    rf"|\{{\{{\s{{0,20}}{NAME}[^{{}}\n]{{0,99}}\}}\}}"
    r"|(?<![{$])\{([A-Za-z_][\w.]{0,79})(?:![rsa])?(?::[^{}\s]{0,40})?\}(?!\})"
)
SPELLED = ("<%= {} %>", "${{{}}}", "{{{{{}}}}}", "{{{}}}")
PARTS = schema_of("message:int role side sign text")
COUNTS = schema_of("before:int after:int")
HIDDEN = {"kind": pl.String, "characters": pl.String, **COUNTS}
VARIABLES = {"variable": pl.String, **COUNTS}


@dataclass(frozen=True)
class Difference:
    """What differs between two texts; see `text_difference`.

    Attributes
    ----------
    parts
        message (its place), role (null: the text is no chat), side (old, new), sign (``-`` and
        ``+``: on this side alone, else empty), text with what hides in it spelled out: a side's
        parts make it up again.
    hidden
        kind, characters, before, after: how many of them the old and the new text have.
    variables
        variable as templates spell it, before, after. Another spelling is another variable.
    """

    parts: pl.DataFrame
    hidden: pl.DataFrame
    variables: pl.DataFrame


def text_difference(old: str | None, new: str | None) -> Difference:
    """What differs between two texts; of a JSON chat message by message, of other JSON by path.

    Parameters
    ----------
    old, new
        Prompts, inputs or outputs; None where there is none.

    Examples
    --------
    >>> found = text_difference("Answer {{name}} now.", "Answer {name}\\u200b soon.")
    >>> [row[2:] for row in found.parts.rows() if row[3]]
    [('old', '-', '{'), ('old', '-', '} now.'), ('new', '+', '[U+200B] soon.')]
    >>> found.hidden.rows(), found.variables.rows()
    ([('zero width', 'U+200B', 0, 1)], [('{name}', 0, 1), ('{{name}}', 1, 0)])
    """
    sides = _messages(old), _messages(new)
    rows = [
        (place, role, side, sign, text)
        for place, pair in enumerate(
            aligned(sides[0], sides[1], tuple, lambda message: message[0]), 1
        )
        for role, side, sign, text in _parts(*pair)
    ]
    texts = ["\n".join(text for _, text in side) for side in sides]
    return Difference(
        pl.DataFrame(rows, schema=PARTS, orient="row"),
        pl.DataFrame(_hidden(*texts), schema=HIDDEN, orient="row"),
        pl.DataFrame(_variables(*texts), schema=VARIABLES, orient="row"),
    )


def revealed(text: str) -> str:
    """A text with what hides in it spelled out; tags as the letters that they stand for.

    Examples
    --------
    >>> revealed("a\\u00a0b\\U000e0068\\U000e0069  ")
    'a[U+00A0]b[tags: hi][2 blanks]'
    """
    text = BLANKS.sub(
        lambda m: f"[{len(m[0])} blank{'s' * (len(m[0]) > 1)}]", text.replace("\r\n", "\n")
    )
    text = ODD.sub(lambda m: f"[U+{ord(m[0]):04X}]", text)
    text = TAGS.sub(lambda m: f"[tags: {_letters(m[0])}]", text)
    return visible(text, alone=True)


def prompt_pair(artefacts: pl.DataFrame, suspect: dict[str, Any]) -> tuple[str | None, str | None]:
    """Both versions of a suspect as the table ``artefacts`` calls them; None where it has none.

    Parameters
    ----------
    suspect
        A row of `Triage.suspects`.
    """
    known = artefacts.filter(artefact=suspect["artefact"]).drop_nulls(["version", "content"])
    versions = known["version"].to_list()

    def named(version: str | None) -> str | None:
        bare = (version or "").rpartition(":")[2]
        wanted = (version, f"{suspect['name']}:{version}", bare) if version else ()
        return next((name for name in wanted if name in versions), None)

    return named(suspect["from_version"]), named(suspect["version"])


def aligned(
    old: Sequence[T], new: Sequence[T], *keys: Callable[[T], Hashable]
) -> Iterator[tuple[T | None, T | None]]:
    """Two sequences side by side in order: what the first key calls the same, then the next.

    Examples
    --------
    >>> list(aligned(["a1", "b1"], ["b1", "b2"], str, lambda text: text[0]))
    [('a1', None), ('b1', 'b1'), (None, 'b2')]
    """
    if not keys:
        yield from ((item, None) for item in old)
        yield from ((None, item) for item in new)
        return
    sides = [[keys[0](item) for item in side] for side in (old, new)]
    for tag, i, j, k, m in SequenceMatcher(None, *sides, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(old[i:j], new[k:m], strict=True)
        else:
            yield from aligned(old[i:j], new[k:m], *keys[1:])


def _messages(text: str | None) -> list[tuple[str | None, str]]:
    """Role and text of each message of a chat, path and text of other JSON, or the text alone."""
    if text is None:
        return []
    given = loaded(text)
    chat = given.get("messages") if isinstance(given, dict) else given
    if isinstance(chat, list) and chat and all(isinstance(m, dict) and "role" in m for m in chat):
        found = [(str(message["role"]), words(message) or "") for message in chat]
    else:
        found = [*_leaves(given)] if isinstance(given, (dict, list)) else []
    return [*found] if 0 < len(found) <= MOST_MESSAGES else [(None, text)]


def _leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, (dict, list)) and value and depth < DEEPEST:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in items:
            yield from _leaves(inner, f"{path}.{name}" if path else str(name), depth + 1)
    else:
        yield path, value if isinstance(value, str) else str(value)


def _parts(
    old: tuple[str | None, str] | None, new: tuple[str | None, str] | None
) -> Iterator[tuple[str | None, str, str, str]]:
    role = (old or new or (None,))[0]
    texts = [None if side is None else revealed(side[1]) for side in (old, new)]
    both = word_diff(*texts) if None not in texts else None  # pyright: ignore[reportArgumentType]
    for n, (side, sign) in enumerate((("old", "-"), ("new", "+"))):
        if both is not None:
            yield from ((role, side, mark, text) for mark, text in both[n])
        elif texts[n] is not None:
            yield role, side, sign if texts[1 - n] is None else "", texts[n] or ""


def _hidden(*texts: str) -> Iterator[tuple[str, str, int, int]]:
    """How often each kind occurs in both."""
    left = list(texts)
    for kind, pattern in KINDS.items():
        counts = [Counter(pattern.findall(text)) for text in left]
        left = [pattern.sub("", text) for text in left]
        codes = [f"U+{ord(each[0]):04X}" for each in sorted({*counts[0], *counts[1]})]
        if codes:
            told = "" if pattern is BLANKS else listing(codes)
            yield kind, told, counts[0].total(), counts[1].total()


def _variables(*texts: str) -> Iterator[tuple[str, int, int]]:
    counts = [Counter(map(_spelled, VARIABLE.finditer(text))) for text in texts]
    for name in sorted({*counts[0], *counts[1]}):
        yield name, counts[0][name], counts[1][name]


def _spelled(found: re.Match[str]) -> str:
    place, name = next((n, name) for n, name in enumerate(found.groups()) if name is not None)
    return SPELLED[place].format(name)


def _letters(tags: str) -> str:
    return "".join(filter(str.isprintable, (chr(ord(tag) - 0xE0000) for tag in tags)))
