"""What two versions of a text have in common: equal blocks, in order."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import numpy as np

DEEP, SMALL = 12, 40_000
PIECE = re.compile(r"[^\n.!?。！？]*[\n.!?。！？]+|[^\n.!?。！？]+")
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
Block = tuple[int, int, int]
"""A place in the text before, its place in the text after, and how many characters are equal."""


def matching(one: str, two: str) -> list[Block]:
    """The equal blocks of two texts, in order: by lines and sentences, then words, then characters.

    Pieces that occur once on both sides are aligned in order (Cohen's patience diff), what lies
    between them again; so it takes time in proportion to the texts, as difflib does not.

    Examples
    --------
    >>> matching("Nine sail. Two rest.", "Now nine sail. Two rest.")
    [(0, 0, 1), (1, 5, 19)]
    """
    if one == two:
        return [(0, 0, len(one))] if one else []
    found: list[Block] = []
    for i, i_end, j, j_end, equal in _spread(one, two, (0, len(one), 0, len(two)), PIECE):
        if equal:
            found.append((i, j, i_end - i))
            continue
        for a, a_end, b, b_end, same in _spread(one, two, (i, i_end, j, j_end), TOKEN):
            n = a_end - a if same else _shared(one[a:a_end], two[b:b_end])
            m = 0 if same else _shared(one[a + n : a_end][::-1], two[b + n : b_end][::-1])
            found += [(a, b, n), (a_end - m, b_end - m, m)]
    joined: list[Block] = []
    for i, j, n in found:
        if n and joined and joined[-1][0] + joined[-1][2] == i and sum(joined[-1][1:]) == j:
            joined[-1] = (*joined[-1][:2], joined[-1][2] + n)
        elif n:
            joined.append((i, j, n))
    return joined


def _shared(one: str, two: str) -> int:
    """How many characters two texts have in common from their start."""
    low, high = 0, min(len(one), len(two))
    while low < high:  # halving compares in C
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == two[low:middle] else (low, middle - 1)
    return low


def _spread(
    one: str, two: str, within: tuple[int, int, int, int], by: re.Pattern[str]
) -> Iterator[tuple[int, int, int, int, bool]]:
    """Ranges of both texts in order, equal or to be looked at closer."""
    i, i_end, j, j_end = within
    a, b = by.findall(one[i:i_end]), by.findall(two[j:j_end])
    at, to = (np.cumsum([0, *map(len, each)]).tolist() for each in (a, b))
    x = y = 0
    for p, q, n in [*sorted(_aligned(a, b)), (len(a), len(b), 0)]:
        if p > x or q > y:
            yield i + at[x], i + at[p], j + to[y], j + to[q], False
        if n:
            yield i + at[p], i + at[p + n], j + to[q], j + to[q + n], True
        x, y = p + n, q + n


def _aligned(a: Sequence[str], b: Sequence[str]) -> list[Block]:
    """Runs of equal items in order: what is unique on both sides first, then what lies between."""
    found, todo = [], [(0, len(a), 0, len(b), 0)]
    while todo:
        i, i_end, j, j_end, depth = todo.pop()
        first, last = (i, j), i_end
        while i < i_end and j < j_end and a[i] == b[j]:
            i, j = i + 1, j + 1
        while i < i_end and j < j_end and a[i_end - 1] == b[j_end - 1]:
            i_end, j_end = i_end - 1, j_end - 1
        found += [(*first, i - first[0]), (i_end, j_end, last - i_end)]
        if i == i_end or j == j_end:
            continue
        anchors = _unique(a[i:i_end], b[j:j_end]) if depth < DEEP else []
        if anchors:
            edges = [(i + p, j + q) for p, q in anchors]
            starts, ends = [(i, j), *((p + 1, q + 1) for p, q in edges)], [*edges, (i_end, j_end)]
            found += [(p, q, 1) for p, q in edges]
            todo += [(p, x, q, y, depth + 1) for (p, q), (x, y) in zip(starts, ends, strict=True)]
        elif (i_end - i) * (j_end - j) <= SMALL:
            blocks = SequenceMatcher(None, a[i:i_end], b[j:j_end], False).get_matching_blocks()
            found += [(i + p, j + q, n) for p, q, n in blocks]
    return [block for block in found if block[2]]


def _unique(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Places of what occurs once in both, as many as stand in the same order in both."""
    once = {item for item, n in Counter(a).items() if n == 1}
    once &= {item for item, n in Counter(b).items() if n == 1}
    to = {item: place for place, item in enumerate(b) if item in once}
    pairs = [(place, to[item]) for place, item in enumerate(a) if item in once]
    tops: list[int] = []  # the longest increasing sequence, by patience sorting
    ends: list[int] = []
    back: list[int] = []
    for number, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        back.append(ends[pile - 1] if pile else -1)
        tops[pile : pile + 1], ends[pile : pile + 1] = [place], [number]
    chain, at = [], ends[-1] if ends else -1
    while at >= 0:
        chain.append(pairs[at])
        at = back[at]
    return chain[::-1]


def likeness(blocks: Sequence[Block], one: int, two: int) -> float:
    return 2 * sum(n for *_, n in blocks) / (one + two) if one + two else 1.0
