"""Spans: against sets of characters."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from aiops_lab.ship.retrieval.spans import first_cover, fresh, merged, overlaps, union_lengths

Span = tuple[int, int, int]
span = some.tuples(some.integers(0, 3), some.integers(0, 30), some.integers(0, 12)).map(
    lambda s: (s[0], s[1], s[1] + s[2])
)
many = some.lists(span, max_size=14)


def columns(spans: list[Span]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(spans, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def letters(spans: list[Span]) -> set[tuple[int, int]]:
    return {(group, at) for group, start, end in spans for at in range(start, end)}


@settings(max_examples=300, deadline=None)
@given(many, many)
def test_overlaps_are_the_pairs_that_share_a_character(one: list[Span], two: list[Span]) -> None:
    left, right = overlaps(*columns(one), *columns(two))
    wanted = {
        (i, j) for i, a in enumerate(one) for j, b in enumerate(two) if letters([a]) & letters([b])
    }
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == wanted
    assert len(left) == len(wanted)


@settings(max_examples=300, deadline=None)
@given(many, many)
def test_touching_spans_are_those_whose_ends_meet_as_well(one: list[Span], two: list[Span]) -> None:
    left, right = overlaps(*columns(one), *columns(two), touching=True)
    wanted = {
        (i, j)
        for i, (group, start, end) in enumerate(one)
        for j, (other, low, high) in enumerate(two)
        if group == other and max(start, low) <= min(end, high)
    }
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == wanted


@settings(max_examples=300, deadline=None)
@given(many)
def test_a_union_counts_each_character_once(spans: list[Span]) -> None:
    found = union_lengths(*columns(spans), 4)
    for group in range(4):
        assert found[group] == len(letters([s for s in spans if s[0] == group]))


@settings(max_examples=300, deadline=None)
@given(many)
def test_merged_spans_hold_the_same_and_share_nothing(spans: list[Span]) -> None:
    group, start, end = merged(*columns(spans))
    joined = list(zip(group.tolist(), start.tolist(), end.tolist(), strict=True))
    assert letters(joined) == letters(spans)
    assert sum(e - s for _, s, e in joined) == len(letters(spans))


@settings(max_examples=300, deadline=None)
@given(many, some.randoms())
def test_each_cell_belongs_to_the_first_span_that_holds_it(
    spans: list[Span], chance: object
) -> None:
    ranks = np.array(chance.sample(range(100), len(spans)), np.int64)  # type: ignore[attr-defined]
    start, end, group, which = first_cover(*columns(spans), ranks)
    held = {
        (int(g), at): int(w)
        for s, e, g, w in zip(start, end, group, which, strict=True)
        for at in range(s, e)
    }
    assert set(held) == letters(spans)
    for (group_of, at), owner in held.items():
        holders = [i for i, s in enumerate(spans) if (group_of, at) in letters([s])]
        assert owner == min(holders, key=lambda i: ranks[i])


def test_lines_too_long_for_one_number_are_counted_all_the_same() -> None:
    group = np.array([0, 0, 2**40, 2**40])
    start, end = np.array([0, 3, 0, 2**30]), np.array([5, 8, 2, 2**31])
    assert fresh(group, start, end).tolist() == [5, 3, 2, 2**30]
