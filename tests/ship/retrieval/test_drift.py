"""Gold after the documents changed: found where it went, or told as lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.ship.retrieval.alignment import matching
from aiops_lab.ship.retrieval.drift import IndexDrift, index_drift
from aiops_lab.ship.retrieval.inputs import read_corpus

PORTS = (
    "Lindau has two piers and a café.\nBregenz has one pier, closed in winter.\n"
    "Tickets are sold on board by the captain.\nDogs travel free of charge on all ships.\n"
)
RULES = "Bicycles need a ticket of their own.\nGroups book two weeks ahead at the harbour office.\n"
OLD = {"ports.md": PORTS, "rules.md": RULES}
few = st.text(alphabet="ab c.\n", max_size=40)


def asked(*spans: tuple[str, str] | tuple[str, int, int]) -> list[dict[str, Any]]:
    rows = []
    for number, (doc, *at) in enumerate(spans):
        place = {"quote": at[0]} if len(at) == 1 else {"start": at[0], "end": at[1]}
        rows.append({"question_id": f"q{number}", "text": "?", "gold": [{"doc_id": doc, **place}]})
    return rows


def status(found: IndexDrift) -> list[str]:
    return found.gold["status"].to_list()


def windows(corpus: dict[str, str], size: int = 30) -> list[dict[str, Any]]:
    return [
        {"chunk_id": f"{doc} {at}", "doc_id": doc, "start": at, "end": min(at + size, len(text))}
        for doc, text in corpus.items()
        for at in range(0, len(text), size)
    ]


@settings(max_examples=300, deadline=None)
@given(few, few)
def test_blocks_are_equal_and_in_order(one: str, two: str) -> None:
    at = (0, 0)
    for i, j, n in matching(one, two):
        assert n and i >= at[0] and j >= at[1] and one[i : i + n] == two[j : j + n]
        at = i + n, j + n


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80), st.integers(0, 30), st.integers(31, len(PORTS)))
def test_text_put_before_gold_moves_it_by_its_length(put: str, start: int, end: int) -> None:
    found = index_drift(OLD, {**OLD, "ports.md": put + PORTS}, asked(("ports.md", start, end)))
    row = found.gold.row(0, named=True)
    assert (row["now_start"], row["now_end"]) == (start + len(put), end + len(put))
    assert row["status"] == ("moved" if put else "in place") and row["similarity"] == 1
    assert found.verdict.status == "ok"


@settings(max_examples=100, deadline=None)
@given(few, few, st.data())
def test_gold_that_is_found_again_has_its_text(one: str, two: str, data: st.DataObject) -> None:
    one += "end"
    start = data.draw(st.integers(0, len(one) - 1))
    end = data.draw(st.integers(start + 1, len(one)))
    found = index_drift({"d": one}, {"d": two}, asked(("d", start, end))).gold.row(0, named=True)
    if one[start:end] in two:
        assert found["status"] in ("in place", "moved")
        assert two[found["now_start"] : found["now_end"]] == one[start:end]
    else:
        assert found["status"] in ("changed", "lost")


def test_what_became_of_each_document_is_told() -> None:
    old = {**OLD, "same": "a", "gone": "Nothing of this is left over.", "away": RULES + "Bye."}
    new = {"ports.md": PORTS.replace("free", "for two euros"), "same": "a", "new": "Fresh text.",
           "moved.md": RULES, "far": RULES + "Farewell."}  # fmt: skip
    found = index_drift(old, new).documents
    assert {row[0]: row[1:3] for row in found.rows()} == {
        "ports.md": ("changed", None), "same": ("same", None), "gone": ("removed", None),
        "new": ("added", None), "moved.md": ("renamed", "rules.md"), "far": ("renamed", "away"),
    }  # fmt: skip
    likeness = dict(found.select("doc_id", "similarity").iter_rows())
    assert likeness["moved.md"] == likeness["same"] == 1 and 0.9 < likeness["ports.md"] < 1
    assert found.filter(doc_id="gone").row(0)[3:] == (None, 29, None)


def test_gold_that_occurs_several_times_goes_with_the_text_around_it() -> None:
    old = "One.\nSee below.\nTwo.\nSee below.\nThree.\n"
    new = "See below.\nZero.\nOne.\nSee below.\nTwo.\nSee below.\nThree.\n"
    second = old.rindex("See")
    found = index_drift({"d": old}, {"d": new}, asked(("d", second, second + 10)))
    assert found.gold["now_start"].to_list() == [new.rindex("See")]


def test_gold_is_followed_into_renamed_and_other_documents() -> None:
    new = {"harbours.md": PORTS, "other": "Preface. Bicycles need a ticket of their own. End."}
    quotes = asked(("ports.md", "Bregenz"), ("rules.md", "Bicycles need a ticket of their own."))
    found = index_drift(OLD, new, quotes)
    assert status(found) == ["moved", "moved"]
    assert found.gold["now_doc_id"].to_list() == ["harbours.md", "other"]
    assert found.gold["now_start"].to_list() == [PORTS.index("Bregenz"), 9]
    assert found.verdict.headline.endswith("1 document is gone.")


def test_short_gold_is_not_looked_for_in_other_documents() -> None:
    new = {"ports.md": PORTS, "other": "A ticket."}
    assert status(index_drift(OLD, new, asked(("rules.md", "ticket")))) == ["lost"]


def test_edited_gold_is_changed_and_located_and_rewritten_gold_is_lost() -> None:
    new = PORTS.replace("free of charge", "free of any charge").replace(
        "Bregenz has one pier, closed in winter.", "Swimming is fun, but mind your step."
    )
    lines = asked(*(("ports.md", line) for line in PORTS.splitlines()))
    found = index_drift(OLD, {**OLD, "ports.md": new}, lines)
    assert status(found) == ["in place", "lost", "moved", "changed"]
    row = found.gold.row(3, named=True)
    assert new[row["now_start"] : row["now_end"]] == "Dogs travel free of any charge on all ships."
    assert 0.9 < row["similarity"] < 1
    assert found.verdict.status == "warn" and found.verdict.headline == (
        "1 of 4 gold spans could not be re-located after the change; "
        "1 of 4 gold spans have another text now."
    )
    assert "q1" in found.verdict.next_step and "q3" in found.verdict.next_step


def test_edited_gold_is_found_where_its_paragraph_went() -> None:
    gold = "Dogs travel free of charge on all ships."
    moved = "Dogs travel free of any charge on all ships.\n"
    others = [line + "\n" for line in PORTS.splitlines() if line != gold]
    new = {"ports.md": moved + "".join(others)}
    row = index_drift({"ports.md": PORTS}, new, asked(("ports.md", gold))).gold.row(0, named=True)
    assert (row["status"], row["now_start"], row["now_end"]) == ("changed", 0, len(moved) - 1)
    new = {"ports.md": "".join(others), "pets.md": "About animals.\n" + moved}
    row = index_drift({"ports.md": PORTS}, new, asked(("ports.md", gold))).gold.row(0, named=True)
    assert (row["status"], row["now_doc_id"], row["now_start"]) == ("changed", "pets.md", 15)


def test_gold_of_whole_documents_goes_with_them() -> None:
    rows = [{"question_id": d, "text": "?", "gold": [{"doc_id": d}]} for d in [*OLD, "gone"]]
    old = {**OLD, "gone": "Nothing of this is left over."}
    found = index_drift(old, {"ports.md": PORTS, "r": RULES + "More."}, rows)
    assert status(found) == ["in place", "changed", "lost"]
    assert found.gold["now_start"].null_count() == 3


def test_text_that_no_chunk_holds_any_more_is_unreachable() -> None:
    new = {**OLD, "ports.md": "A line above.\n" + PORTS}
    chunks = windows(new)
    assert not index_drift(OLD, new, None, windows(OLD), chunks).unreachable.height
    left = [c for c in chunks if c["doc_id"] != "ports.md" or c["start"] not in (30, 60)]
    found = index_drift(OLD, new, None, windows(OLD), left)
    assert found.unreachable.select("doc_id", "start", "end", "characters").rows() == [
        ("ports.md", 30, 90, 60)
    ]
    assert found.unreachable["text"].item() == new["ports.md"][30:90]
    assert found.verdict.status == "warn" and "60 characters" in found.verdict.headline


def test_new_text_and_gaps_between_chunks_are_not_unreachable() -> None:
    new = {"d": PORTS + "\n\n" + RULES}
    lines = [
        {"chunk_id": at, "doc_id": "d", "start": at, "end": at + len(line)}
        for line in PORTS.splitlines()
        if (at := PORTS.index(line)) >= 0
    ]
    whole = [{"chunk_id": 0, "doc_id": "d", "start": 0, "end": len(PORTS)}]
    assert not index_drift({"d": PORTS}, new, None, whole, lines).unreachable.height


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=5), st.data())
def test_unreachable_is_what_was_held_less_what_is(spans: list, data: st.DataObject) -> None:
    text = "".join(chr(0x4E00 + n) for n in range(90))
    kept = data.draw(st.lists(st.sampled_from(spans), max_size=3)) if spans else []

    def chunks(some: list[tuple[int, int]]) -> list[dict[str, Any]]:
        return [{"chunk_id": n, "doc_id": "d", "start": a, "end": a + size}
                for n, (a, size) in enumerate(some)]  # fmt: skip

    def held(some: list[tuple[int, int]]) -> set[int]:
        return {place for a, size in some for place in range(a, a + size)}

    found = index_drift({"d": text}, {"d": text}, None, chunks(spans), chunks(kept)).unreachable
    places = [p for a, b in found.select("start", "end").iter_rows() for p in range(a, b)]
    assert places == sorted(held(spans) - held(kept))


def test_what_comes_back_is_compared_by_its_text() -> None:
    new = {**OLD, "ports.md": "x" * 30 + PORTS}
    before, after = windows(OLD), windows(new)
    hits = [{"question_id": q, "rank": n, "chunk_id": f"ports.md {at}"}
            for q in ("a", "b") for n, at in enumerate((0, 30), 1)]  # fmt: skip
    now = [{"question_id": q, "rank": n, "chunk_id": f"ports.md {at}"}
           for q, places in (("a", (30, 60)), ("b", (30, 0)))
           for n, at in enumerate(places, 1)]  # fmt: skip
    found = index_drift(OLD, new, None, before, after, hits, now)
    assert found.questions.rows() == [("a", 1.0, False), ("b", pytest.approx(1 / 3), True)]
    assert "other texts come back for 1 of 2 questions" in found.verdict.headline
    with pytest.raises(BadSettings, match="give chunks_after as well"):
        index_drift(OLD, new, None, before, None, hits, now)
    with pytest.raises(BadSource, match="not in chunks_before"):
        index_drift(OLD, new, None, before[:1], after, hits, now)


def test_chunks_of_another_version_or_of_several_indexes_are_refused() -> None:
    with pytest.raises(BadSource, match="another version"):
        index_drift(OLD, {"ports.md": "Short."}, None, windows(OLD), windows(OLD))
    two = [{**c, "experiment_id": e} for e in "ab" for c in windows(OLD)]
    with pytest.raises(BadSettings, match="one index"):
        index_drift(OLD, OLD, None, two, windows(OLD))


def test_nothing_in_common_is_inconclusive_and_nothing_changed_is_ok() -> None:
    found = index_drift({"a": "One."}, {"b": "Two."}, asked(("a", "One.")))
    assert found.verdict.status == "inconclusive" and status(found) == ["lost"]
    found = index_drift(OLD, OLD, asked(("ports.md", "Bregenz")))
    assert found.verdict.status == "ok" and status(found) == ["in place"]
    found = index_drift(OLD, OLD)
    assert found.verdict.headline == "2 of 2 documents in both are the same."
    assert found.gold.schema["now_start"] == pl.Int64


def test_gold_that_cannot_be_placed_before_is_set_aside(tmp_path: Path) -> None:
    found = index_drift(OLD, OLD, asked(("ports.md", "no such text"), ("rules.md", "ticket")))
    assert status(found) == ["in place"] and found.quarantined["place"].to_list() == ["q0"]
    assert found.to_parquet(tmp_path) and found.to_dict()["verdict"]["status"] == "ok"
    none = index_drift(OLD, OLD, asked(("ports.md", "no such text")))
    assert none.verdict.status == "inconclusive"


def test_the_handbook_with_a_preface_keeps_all_its_gold() -> None:
    handbook = read_corpus("")
    new = {name: f"Revised edition.\n\n{text}" for name, text in handbook.texts()}
    found = index_drift(handbook, new, "")
    assert set(status(found)) == {"moved"} and found.verdict.status == "ok"
    shift = found.gold["now_start"] - found.gold["start"]
    assert shift.unique().to_list() == [len("Revised edition.\n\n")]
