"""Where a piece of text is after a change: its exact text, else what it became."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from aiops_lab.ship.retrieval.alignment import Block, likeness, matching

SIMILAR = 0.8
"""Texts that share so much of their characters are one, changed."""
LONG = 20
"""Fewer characters in a row are the same by chance: no gold is looked for with them elsewhere."""
HEAD = 120
CROWD = 50
"""Places of a word that are tried."""
WORD = re.compile(r"\w{4,}")
Place = tuple[str, int | None, int | None, float]
Matches = dict[str, tuple[str, list[Block]]]
"""For each document that is still there: what it is called now, and what of it is equal."""


def own_place(
    doc_id: str, start: int | None, end: int | None, old: Mapping[str, str],
    new: Mapping[str, str], matches: Matches,
) -> Place | None:  # fmt: skip
    """Where the exact text is in its own document, or the one renamed from it."""
    if doc_id not in matches:
        return None
    called, blocks = matches[doc_id]
    if start is None:
        return called, None, None, likeness(blocks, len(old[doc_id]), len(new[called]))
    piece, text, near = old[doc_id][start:end], new[called], _image(blocks, start)
    right, left = text.find(piece, near), text.rfind(piece, 0, near + len(piece))
    if right < 0 and left < 0:
        return None
    at = left if right < 0 or (left >= 0 and near - left < right - near) else right
    return called, at, at + len(piece), 1.0


def _image(blocks: Sequence[Block], start: int) -> int:
    """Where a place of the text before went; inside what is gone, where that began."""
    number = bisect_right(blocks, start, key=lambda block: block[0]) - 1
    i, j, n = blocks[number] if number >= 0 else (0, 0, 0)
    return j + min(start - i, n)


def _image_of_end(blocks: Sequence[Block], end: int, length: int) -> int:
    number = bisect_left(blocks, end, key=lambda block: block[0])
    i, j, n = blocks[number - 1] if number else (0, 0, 0)
    if end <= i + n:
        return j + end - i
    return blocks[number][1] if number < len(blocks) else length


def _holders(needles: Iterable[str], texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The documents each text stands in, in one pass over them (Aho and Corasick)."""
    needles = list(dict.fromkeys(needles))
    if not needles or not texts:
        return {}
    frame = pl.DataFrame({"doc_id": list(texts), "text": list(texts.values())})
    hits = pl.col("text").str.extract_many(needles, overlapping=True).list.unique()
    found = frame.select("doc_id", needle=hits).explode("needle").drop_nulls("needle")
    grouped = found.group_by("needle", maintain_order=True).agg("doc_id")
    return dict(grouped.iter_rows())


def elsewhere_exactly(wanted: Mapping[int, str], texts: Mapping[str, str]) -> dict[int, Place]:
    """The first document that holds the exact text."""
    long = {n: text for n, text in wanted.items() if len(text) >= LONG}
    holders = _holders((text[:HEAD] for text in long.values()), texts)
    found: dict[int, Place] = {}
    for n, text in long.items():
        for name in holders.get(text[:HEAD], []):
            if (at := texts[name].find(text)) >= 0:
                found[n] = name, at, at + len(text), 1.0
                break
    return found


def alike(
    wanted: Mapping[int, str], rows: Sequence[Sequence[Any]], new: Mapping[str, str],
    matches: Matches,
) -> dict[int, Place]:  # fmt: skip
    """What a text became in its own or the renamed document: between its edges, else by words."""
    found: dict[int, Place] = {}
    for n, gold in wanted.items():
        _, doc_id, start, end = rows[n]
        if doc_id not in matches:
            continue
        called, blocks = matches[doc_id]
        text = new[called]
        low, high = _image(blocks, start), _image_of_end(blocks, end, len(text))
        share = 0.0
        if high - low <= 2 * len(gold):
            share = likeness(matching(gold, text[low:high]), len(gold), max(high - low, 0))
        place = (low, high, share) if share >= SIMILAR else _like(gold, text)
        if place:
            found[n] = called, *place
    return found


def elsewhere_alike(wanted: Mapping[int, str], texts: Mapping[str, str]) -> dict[int, Place]:
    """The most alike text in the two documents that hold most of the longest words of each."""
    words = {n: _longest(text) for n, text in wanted.items() if len(text) >= LONG}
    holders = _holders((word for each in words.values() for word in each), texts)
    found: dict[int, Place] = {}
    for n, each in words.items():
        votes = Counter(name for word in each for name in holders.get(word, []))
        likely = [name for name, count in votes.most_common(2) if count > len(each) / 2]
        places = [(name, *at) for name in likely if (at := _like(wanted[n], texts[name]))]
        if places:
            found[n] = max(places, key=lambda place: place[3])
    return found


def _longest(text: str) -> list[str]:
    return sorted(dict.fromkeys(WORD.findall(text)), key=len, reverse=True)[:5]


def _like(gold: str, text: str) -> tuple[int, int, float] | None:
    """The place most alike, tried where the longest words stand as they do in the gold."""
    pad = len(gold) // 2 + LONG
    votes: Counter[int] = Counter()
    words = _longest(gold)
    for word in words:
        at, offset = text.find(word), gold.find(word)
        for _ in range(CROWD):
            if at < 0:
                break
            votes[(at - offset) // pad] += 1
            at = text.find(word, at + 1)
    best: tuple[int, int, float] | None = None
    for bucket, count in votes.most_common(3):
        if count < len(words) / 3:
            break
        low = max((bucket - 1) * pad, 0)
        blocks = matching(gold, text[low : (bucket + 2) * pad + len(gold)])
        start, end, share = _trimmed(blocks, len(gold))
        if share >= SIMILAR and (best is None or share > best[2]):
            best = low + start, low + end, share
    return best


def _trimmed(blocks: list[Block], length: int) -> tuple[int, int, float]:
    """The stretch of the second text that is most alike, without blocks that lie far off."""

    def of(some: list[Block]) -> float:
        return likeness(some, length, some[-1][1] + some[-1][2] - some[0][1]) if some else 0.0

    while (shorter := max(blocks[1:], blocks[:-1], key=of)) and of(shorter) > of(blocks):
        blocks = shorter
    return (blocks[0][1], blocks[-1][1] + blocks[-1][2], of(blocks)) if blocks else (0, 0, 0.0)
