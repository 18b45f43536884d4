"""The measures of spans as anyone would write them: one question after another, sorted spans."""

from __future__ import annotations

from bisect import bisect_left

Span = tuple[int, int]


def united(spans: list[Span]) -> int:
    """Characters that some spans cover, each counted once."""
    total, reach = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reach))
        reach = max(reach, end)
    return total


def pieces(chunks: list[Span], gold: list[Span]) -> list[Span]:
    """What chunks hold of gold."""
    return [
        (max(start, low), min(end, high))
        for start, end in chunks
        for low, high in gold
        if start < high and low < end
    ]


def near(starts: list[int], chunks: list[Span], widest: int, gold: list[Span]) -> set[Span]:
    """The chunks of a document, sorted, that touch gold."""
    found = set()
    for low, high in gold:
        place = bisect_left(starts, low - widest)
        while place < len(chunks) and chunks[place][0] < high:
            if chunks[place][1] > low:
                found.add(chunks[place])
            place += 1
    return found


def scores(
    gold: dict[str, list[Span]],
    hits: list[tuple[str, int, int]],
    index: dict[str, tuple[list[int], list[Span], int]],
) -> tuple[float, float, float, float]:
    """Recall, precision, IoU and the ceiling of one question in one configuration."""
    came: dict[str, list[Span]] = {}
    for document, start, end in hits:
        came.setdefault(document, []).append((start, end))
    asked = sum(united(spans) for spans in gold.values())
    covered = sum(united(pieces(came.get(name, []), spans)) for name, spans in gold.items())
    retrieved = sum(united(spans) for spans in came.values())
    reachable = ceiling = 0
    for name, spans in gold.items():
        close = list(near(*index[name], spans))
        reachable += united(pieces(close, spans))
        ceiling += united([*close, *spans])
    return (
        covered / asked,
        covered / retrieved if retrieved else 0.0,
        covered / (retrieved + asked - covered),
        reachable / ceiling,
    )
