"""How often the whole cause is named, beside a plain search by share, and how often for nothing."""

from __future__ import annotations

import os

import polars as pl
import pytest

from aiops_lab import find_slices
from tests.respond.simulate_slices import Cause, Incident, by_share, incident

pytestmark = pytest.mark.slow
FIRST, CASES = 9000, 300 if os.environ.get("WHOLE") else 50


def told(case: Incident) -> list[frozenset[Cause]]:
    """The first three explanations."""
    found: pl.DataFrame = find_slices(case.before, case.after, value="bad", count="answers")
    return [
        frozenset(frozenset((part["dimension"], part["value"]) for part in each) for each in row)
        for row in found["slices"].head(3).to_list()
    ]


def test_causes_are_named_exactly_more_often_than_by_share() -> None:
    ours, plain = [0, 0], [0, 0]
    for seed in range(FIRST, FIRST + CASES):
        case = incident(seed)
        for counts, found in ((ours, told(case)), (plain, by_share(case))):
            counts[0] += found[:1] == [case.causes]
            counts[1] += case.causes in found
    print(f"\nof {CASES} incidents, first and among three: {ours}; by share: {plain}")
    assert ours[0] >= 0.6 * CASES and ours[1] >= 0.78 * CASES
    assert ours[0] >= plain[0] + 0.15 * CASES and ours[1] >= plain[1] + 0.2 * CASES


def test_nothing_is_told_where_nothing_changed() -> None:
    false = sum(bool(told(incident(seed, faulty=False))) for seed in range(FIRST, FIRST + CASES))
    print(f"\nof {CASES} unchanged cases anything told: {false}")
    assert false <= 0.05 * CASES + 2


def test_what_hits_all_leaves_is_all() -> None:
    cases = [incident(seed, everywhere=True) for seed in range(FIRST, FIRST + CASES // 2)]
    found = [told(case) for case in cases]
    right = sum(each[:1] == [case.causes] for case, each in zip(cases, found, strict=True))
    print(f"\nof {len(cases)} changes everywhere told as all: {right}")
    assert right >= 0.8 * len(cases)
