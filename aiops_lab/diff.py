"""What differs between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice
from typing import TypeAlias

Parts: TypeAlias = list[tuple[str, str]]
"""A text in parts: its own only ("-" in the old one, "+" in the new one) or in both ("")."""
MOST_WORDS = 5_000
ALONE = r"\u3040-\u30ff\u3400-\u9fff(){}\[\]\""
"""Characters that are a word each: those of scripts without spaces, and what parts JSON."""
ISLAND = 3
"""So few words in both texts, between longer changes, are there by chance and count as changed."""
Spans: TypeAlias = list[tuple[int, int, int, int]]
WORD = re.compile(rf"[{ALONE}]|[^\s{ALONE}]+")


def word_diff(old: str, new: str) -> tuple[Parts, Parts] | None:
    """Both texts in parts that make them up again; None where one has more than 5,000 words.

    Examples
    --------
    >>> word_diff("It costs £12.", "It costs £22 more.")
    ([('', 'It costs '), ('-', '£12.')], [('', 'It costs '), ('+', '£22 more.')])
    """
    sides = [list(islice(WORD.finditer(text), MOST_WORDS + 1)) for text in (old, new)]
    if max(map(len, sides)) > MOST_WORDS:
        return None
    words = [[word[0] for word in side] for side in sides]
    found = SequenceMatcher(None, words[0], words[1]).get_opcodes()
    changed = _joined([(i, j, k, m) for tag, i, j, k, m in found if tag != "equal"])
    return (
        list(_parts(old, sides[0], [(i, j) for i, j, _, _ in changed], "-")),
        list(_parts(new, sides[1], [(k, m) for _, _, k, m in changed], "+")),
    )


def _joined(changed: Spans) -> Spans:
    """Changes with the islands between them filled in."""
    joined: Spans = []
    for i, j, k, m in changed:
        if joined:
            a, b, c, d = joined[-1]
            if i - b < min(max(b - a, d - c), max(j - i, m - k), ISLAND + 1):
                joined[-1] = (a, j, c, m)
                continue
        joined.append((i, j, k, m))
    return joined


def _parts(
    text: str, words: list[re.Match[str]], spans: list[tuple[int, int]], sign: str
) -> Iterator[tuple[str, str]]:
    at = 0
    for first, last in spans:
        if first == last:
            continue
        start, end = words[first].start(), words[last - 1].end()
        if start > at:
            yield "", text[at:start]
        yield sign, text[start:end]
        at = end
    if at < len(text):
        yield "", text[at:]
