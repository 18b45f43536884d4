"""What of the gold came back: against sets of characters, and against cases worked by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from aiops_lab import score_retrieval
from aiops_lab.ship.retrieval.losses import LOSSES

Span = tuple[int, int]


def scored(gold: list[Span], chunks: list[Span], ranks: list[int], **how: Any) -> dict[str, Any]:
    """One question about one document; `ranks` holds the chunks by rank."""
    questions = [
        {"question_id": "q", "text": "?", "gold": [
            {"doc_id": "d", "start": start, "end": end} for start, end in gold]}
    ]  # fmt: skip
    parts = [
        {"chunk_id": number, "doc_id": "d", "start": start, "end": end}
        for number, (start, end) in enumerate(chunks)
    ]
    hits = [
        {"question_id": "q", "rank": rank, "chunk_id": chunk} for rank, chunk in enumerate(ranks, 1)
    ]
    return score_retrieval(questions, parts, hits, **how).per_question.row(0, named=True)


def near(found: dict[str, Any], **wanted: float) -> None:
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-12)


# each of what the published code does, worked by hand: gold, chunks, what came back


def test_a_plain_case_is_the_same_in_both_modes() -> None:
    # gold 10-20; chunks 0-15 and 15-30; the first came back: 5 of 10, in 15 read
    case = ([(10, 20)], [(0, 15), (15, 30)], [0])
    wanted = {"recall": 5 / 10, "precision": 5 / 15, "iou": 5 / 20, "precision_omega": 10 / 30}
    near(scored(*case, mode="chroma"), **wanted)
    near(scored(*case), **wanted)


def test_a_chunk_that_merely_ends_where_gold_starts_touches_it_in_chroma() -> None:
    case = ([(10, 20)], [(0, 10), (10, 20), (20, 30)], [1])
    near(scored(*case, mode="chroma"), precision_omega=10 / 30, recall=1.0, precision=1.0)
    near(scored(*case), precision_omega=1.0)


def test_such_a_chunk_raises_the_number_of_hits_that_chroma_asks_for() -> None:
    # three chunks touch in chroma's sense, so with k = -1 the third hit counts too
    case = ([(10, 20)], [(0, 10), (10, 20), (20, 30), (40, 60)], [3, 0, 1])
    near(scored(*case, mode="chroma", k=-1), recall=1.0, precision=10 / 40, iou=10 / 40)


def test_overlapping_chunks_are_paid_twice_below_the_line_in_chroma_and_once_above() -> None:
    # 0-20 and 10-30 came back: 20 of gold 5-25, 40 characters read, 30 different ones
    case = ([(5, 25)], [(0, 20), (10, 30)], [0, 1])
    near(scored(*case, mode="chroma"), recall=1.0, precision=20 / 40, iou=20 / 40,
         precision_omega=20 / 30)  # fmt: skip
    near(scored(*case), recall=1.0, precision=20 / 30, iou=20 / 30, precision_omega=20 / 30)


def test_overlapping_excerpts_are_summed_below_chromas_recall() -> None:
    # excerpts 0-10 and 5-15 hold 15 characters, counted as 20: all retrieved is 0.75
    case = ([(0, 10), (5, 15)], [(0, 15)], [0])
    near(scored(*case, mode="chroma"), recall=15 / 20, precision=1.0, iou=1.0)
    near(scored(*case), recall=1.0, precision=1.0, iou=1.0)


def test_what_no_chunk_of_an_overlapping_excerpt_holds_is_missed_twice_in_chromas_iou() -> None:
    # 0-10 and 5-15, of which 0-6 came back: missing 6-10 of the first and 6-15 of the second
    case = ([(0, 10), (5, 15)], [(0, 6), (6, 15)], [0])
    near(scored(*case, mode="chroma"), recall=6 / 20, precision=1.0, iou=6 / (6 + 4 + 9))
    near(scored(*case), recall=6 / 15, precision=1.0, iou=6 / 15)


def test_chunks_of_another_document_are_paid_for_in_both_modes() -> None:
    questions = [{"question_id": "q", "text": "?", "gold": [{"doc_id": "a", "start": 0, "end": 9}]}]
    chunks = [
        {"chunk_id": name, "doc_id": name, "start": 0, "end": length}
        for name, length in (("a", 9), ("b", 21))
    ]
    hits = [{"question_id": "q", "rank": r, "chunk_id": c} for r, c in ((1, "b"), (2, "a"))]
    for mode in ("strict", "chroma"):
        found = score_retrieval(questions, chunks, hits, mode=mode).per_question
        near(found.row(0, named=True), recall=1.0, precision=9 / 30, iou=9 / 30)


def test_omega_of_what_was_never_indexed_counts_it_below_the_line() -> None:
    # gold 0-20, chunks hold 0-5 only: 5 of 5 chunk characters and 15 lost ones
    for mode in ("strict", "chroma"):
        near(scored([(0, 20)], [(0, 5)], [0], mode=mode), precision_omega=5 / 20, recall=5 / 20)


def test_nothing_that_came_back_is_zero_and_not_missing() -> None:
    for mode in ("strict", "chroma"):
        found = scored([(0, 20)], [(0, 20), (21, 30)], [], mode=mode)
        near(found, recall=0.0, precision=0.0, iou=0.0, precision_omega=1.0)


@pytest.mark.parametrize("k", [1, 2, 3, 50])
def test_hits_behind_k_count_for_nothing(k: int) -> None:
    found = scored([(0, 30)], [(0, 10), (10, 20), (20, 30)], [0, 1, 2], k=k)
    near(found, recall=min(k, 3) / 3, precision=1.0, context=10 * min(k, 3))


spans = some.tuples(some.integers(0, 40), some.integers(0, 15)).map(lambda s: (s[0], s[0] + s[1]))
golden = some.lists(spans.filter(lambda s: s[1] > s[0]), min_size=1, max_size=4)


def letters(many: list[Span]) -> set[int]:
    return {at for start, end in many for at in range(start, end)}


@settings(max_examples=200, deadline=None)
@given(golden, some.lists(spans, min_size=1, max_size=8, unique=True), some.data())
def test_strict_figures_are_those_of_sets_of_characters(
    gold: list[Span], chunks: list[Span], data: some.DataObject
) -> None:
    ranks = data.draw(some.permutations(range(len(chunks))).flatmap(
        lambda order: some.integers(0, len(order)).map(lambda n: list(order)[:n])))  # fmt: skip
    k = data.draw(some.integers(1, 9))
    found = scored(gold, chunks, ranks, k=k)
    marked, came = letters(gold), letters([chunks[r] for r in ranks[:k]])
    touching = [c for c in chunks if letters([c]) & marked]
    near(
        found,
        recall=len(marked & came) / len(marked),
        precision=len(marked & came) / len(came) if came else 0.0,
        iou=len(marked & came) / len(marked | came),
        precision_omega=len(letters(touching) & marked) / len(letters(touching) | marked),
        context=sum(end - start for start, end in (chunks[r] for r in ranks[:k])),
        gold=len(marked),
        covered=len(marked & came),
    )


@settings(max_examples=150, deadline=None)
@given(golden, some.lists(spans, min_size=1, max_size=8, unique=True), some.integers(1, 4))
def test_losses_add_up_to_the_gold(gold: list[Span], chunks: list[Span], k: int) -> None:
    questions = [{"question_id": "q", "text": "?", "gold": [
        {"doc_id": "d", "start": start, "end": end} for start, end in gold]}]  # fmt: skip
    parts = [{"chunk_id": n, "doc_id": "d", "start": s, "end": e, "seen": 4 + n}
             for n, (s, e) in enumerate(chunks)]  # fmt: skip
    hits = [{"question_id": "q", "rank": r, "chunk_id": r} for r in range(min(5, len(chunks)))]
    found = score_retrieval(questions, parts, hits, k=k)
    lost = dict(found.losses.select("loss", "characters").iter_rows())
    assert sum(lost.values()) == len(letters(gold))
    row = found.per_question.row(0, named=True)
    assert lost.get("retrieved", 0) == row["covered"]
    assert lost.get("never indexed", 0) == len(letters(gold) - letters(chunks))


def test_each_drawer_of_the_losses() -> None:
    chunks = [(0, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60)]
    gold = [(5, 15), (25, 28), (35, 38), (42, 49), (55, 58), (70, 75)]
    parts = [{"chunk_id": n, "doc_id": "d", "start": s, "end": e, "seen": 10 if n < 5 else 2}
             for n, (s, e) in enumerate(chunks)]  # fmt: skip
    questions = [{"question_id": "q", "text": "?", "gold": [
        {"doc_id": "d", "start": s, "end": e} for s, e in gold]}]  # fmt: skip
    hits = [{"question_id": "q", "rank": r, "chunk_id": c} for r, c in enumerate([0, 2, 3], 1)]
    lost = score_retrieval(questions, parts, hits, k=1).losses
    assert dict(lost.select("loss", "characters").iter_rows()) == dict(
        zip(LOSSES, [5, 5, 3, 3, 7, 3, 5], strict=True)
    )


def test_the_curve_cuts_the_context_off_at_exactly_so_much() -> None:
    # hits 20-30, 0-10: gold 5-8 begins at 15 characters of context
    questions = [{"question_id": "q", "text": "?", "gold": [{"doc_id": "d", "start": 5, "end": 8}]}]
    parts = [{"chunk_id": s, "doc_id": "d", "start": s, "end": s + 10} for s in (0, 10, 20)]
    hits = [{"question_id": "q", "rank": r, "chunk_id": c} for r, c in ((1, 20), (2, 0), (3, 10))]
    for context, recall in ((15, 0), (16, 1 / 3), (17, 2 / 3), (18, 1), (30, 1)):
        found = score_retrieval(questions, parts, hits, context=context)
        assert found.configurations["at_context"].item() == pytest.approx(recall, abs=1e-12)


def test_a_chunks_tokens_are_its_share_of_the_context() -> None:
    questions = [{"question_id": "q", "text": "?", "gold": [{"doc_id": "d", "start": 5, "end": 9}]}]
    parts = [{"chunk_id": 0, "doc_id": "d", "start": 0, "end": 10, "tokens": 2}]
    hits = [{"question_id": "q", "rank": 1, "chunk_id": 0}]
    found = score_retrieval(questions, parts, hits, context=1.4)  # seven characters
    assert found.configurations["at_context"].item() == pytest.approx(2 / 4)
    assert found.settings["unit"] == "tokens"


def test_figures_do_not_depend_on_the_order_of_the_rows() -> None:
    gold = [(3, 30), (25, 41)]
    chunks = [(0, 12), (8, 20), (20, 33), (33, 50)]
    spans = [{"doc_id": "d", "start": start, "end": end} for start, end in gold]
    questions = [{"question_id": f"q{n}", "text": "?", "gold": spans[n % 2 :]} for n in range(6)]
    parts = pl.DataFrame([{"experiment_id": x, "chunk_id": str(n), "doc_id": "d", "start": s,
                           "end": e} for x in "ab" for n, (s, e) in enumerate(chunks)])  # fmt: skip
    hits = pl.DataFrame([{"experiment_id": x, "question_id": f"q{q}", "rank": r + 1,
                          "chunk_id": str((r * 3 + q + (x == "b")) % 4)}
                         for x in "ab" for q in range(6) for r in range(3)])  # fmt: skip
    one = score_retrieval(questions, parts, hits)
    two = score_retrieval(
        questions, parts.sample(fraction=1, shuffle=True, seed=3).sort("experiment_id"),
        hits.sample(fraction=1, shuffle=True, seed=4).sort("experiment_id"),
    )  # fmt: skip
    assert one.per_question.equals(two.per_question)
    assert one.losses.equals(two.losses)
    assert one.curve.equals(two.curve)
