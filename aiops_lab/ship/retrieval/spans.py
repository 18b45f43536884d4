"""Spans of characters: half-open, in arrays, many groups at once.

A span is a start and an end in the line of one group (a document, or one question's view of one).
Groups are whole numbers from 0; a span never reaches into another group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
LARGEST = 2**62


def ranges(starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
    """All whole numbers from each start to before its stop, and which range each is of.

    Examples
    --------
    >>> ranges(np.array([3, 9]), np.array([5, 10]))
    (array([0, 0, 1]), array([3, 4, 9]))
    """
    counts = np.maximum(stops - starts, 0)
    owner = np.repeat(np.arange(counts.size), counts)
    before = np.cumsum(counts) - counts
    return owner, np.arange(owner.size) - before[owner] + starts[owner]


def overlaps(
    group: Ints, start: Ints, end: Ints, of_group: Ints, of_start: Ints, of_end: Ints,
    *, touching: bool = False,
) -> tuple[Ints, Ints]:  # fmt: skip
    """Pairs of a span and one of the others that share a character.

    Parameters
    ----------
    group, start, end
        The spans asked about, of shape (n,).
    of_group, of_start, of_end
        The others, of shape (m,), in any order; they may overlap each other.
    touching
        Spans that merely end where another starts count as well.

    Returns
    -------
    tuple
        Indices into the first and into the second; ordered by the first, then by start.

    Examples
    --------
    >>> a = np.array
    >>> overlaps(a([0]), a([4]), a([9]), a([0, 0, 0]), a([0, 5, 9]), a([5, 9, 12]))
    (array([0, 0]), array([0, 1]))
    """
    if not group.size or not of_group.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    wide = int(max(end.max(), of_end.max())) + 2  # one group's line, laid behind the other
    order = np.lexsort((of_end, of_start, of_group))
    starts = (of_group * wide + of_start)[order]
    reach = np.maximum.accumulate((of_group * wide + of_end)[order])
    low, high = group * wide + start, group * wide + end
    first = np.searchsorted(reach, low, "left" if touching else "right")
    last = np.searchsorted(starts, high, "right" if touching else "left")
    owner, place = ranges(first, last)
    ends = (of_group * wide + of_end)[order][place]
    hit = ends >= low[owner] if touching else ends > low[owner]
    if not touching:
        hit &= (starts[place] < ends) & (low < high)[owner]
    return owner[hit], order[place[hit]]


def union_lengths(group: Ints, start: Ints, end: Ints, groups: int) -> Ints:
    """The number of characters that the spans of each group cover, each counted once.

    Examples
    --------
    >>> a = np.array
    >>> union_lengths(a([0, 0, 1]), a([0, 3, 0]), a([5, 8, 2]), 3)
    array([8, 2, 0])
    """
    order = ordered(group, start)
    own = group[order]
    found = np.bincount(own, weights=fresh(own, start[order], end[order]), minlength=groups)
    return found.astype(np.int64)


def in_order(numbers: Ints) -> Ints:
    """Numbers of 0 or more in order; small ones are sorted in half the time.

    Examples
    --------
    >>> in_order(np.array([3, 1, 2]))
    array([1, 2, 3])
    """
    if int(numbers.max(initial=0)) < 2**32:
        return np.sort(numbers.astype(np.uint32)).astype(np.int64)
    return np.sort(numbers)


def ordered(group: Ints, start: Ints) -> Ints:
    """The order of group and start.

    Examples
    --------
    >>> ordered(np.array([1, 0, 1]), np.array([4, 9, 2]))
    array([1, 2, 0])
    """
    bits = group.size.bit_length()
    wide = int(start.max(initial=0)) + 1
    if int(group.max(initial=0)) < (LARGEST >> bits) // wide:
        # sorting plain numbers is several times as fast as finding out their order
        packed = ((group * wide + start) << bits) | np.arange(group.size)
        return in_order(packed) & ((1 << bits) - 1)
    return np.lexsort((start, group))


def fresh(group: Ints, start: Ints, end: Ints) -> Ints:
    """The characters of each span that none before it in its group holds; in order of start.

    Examples
    --------
    >>> a = np.array
    >>> fresh(a([0, 0, 1]), a([0, 3, 0]), a([5, 8, 2]))
    array([5, 3, 2])
    """
    if not group.size:
        return np.zeros(0, np.int64)
    wide = int(end.max()) + 1
    if int(group[-1]) >= LARGEST // wide:
        group = np.cumsum(np.sign(np.diff(group, prepend=group[0])))
    reach = np.maximum.accumulate(group * wide + end)
    before = np.concatenate(([0], reach[:-1])) - group * wide
    return np.maximum(end - np.maximum(start, before), 0)


def merged(group: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
    """Spans that share a character made one, in order of group and start.

    Examples
    --------
    >>> a = np.array
    >>> merged(a([0, 0, 0]), a([3, 0, 9]), a([8, 5, 10]))
    (array([0, 0]), array([0, 9]), array([ 8, 10]))
    """
    order = ordered(group, start)
    group, start, end = group[order], start[order], end[order]
    if not group.size:
        return group, start, end
    wide = int(end.max()) + 1
    reach = np.maximum.accumulate(group * wide + end)
    opens = np.concatenate(([True], group[1:] * wide + start[1:] >= reach[:-1]))
    opens[1:] |= group[1:] != group[:-1]
    firsts = np.flatnonzero(opens)
    lasts = np.concatenate((firsts[1:] - 1, [group.size - 1]))
    return group[firsts], start[firsts], reach[lasts] - group[lasts] * wide


def first_cover(group: Ints, start: Ints, end: Ints, rank: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Cut what the spans cover into cells, each with the first span that holds it.

    Parameters
    ----------
    group, start, end
        Spans of shape (n,).
    rank
        Which of the spans that hold a character counts: the lowest, in one group all different.

    Returns
    -------
    tuple
        The start and end of each cell, its group, and the index of its span. Cells do not overlap
        and cover what the spans of the group cover.

    Examples
    --------
    >>> a = np.array
    >>> first_cover(a([0, 0]), a([0, 3]), a([5, 8]), a([2, 1]))
    (array([0, 3, 5]), array([3, 5, 8]), array([0, 0, 0]), array([0, 1, 1]))
    """
    if not group.size:
        none = np.empty(0, np.int64)
        return none, none, none, none
    wide = int(end.max()) + 1
    low, high = group * wide + start, group * wide + end
    edges = np.unique(np.concatenate((low, high)))
    # later spans are laid first, so that of several the one of the lowest rank stays
    by_rank = np.argsort(-rank, kind="stable")
    first, last = np.searchsorted(edges, low[by_rank]), np.searchsorted(edges, high[by_rank])
    owner, cell = ranges(first, last)
    held = np.full(edges.size, -1, np.int64)
    held[cell] = by_rank[owner]
    covered = np.flatnonzero(held >= 0)
    span = held[covered]
    base = group[span] * wide
    return edges[covered] - base, edges[covered + 1] - base, group[span], span
