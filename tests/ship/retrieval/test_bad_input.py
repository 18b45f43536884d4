"""What is wrong with what was given: a clear error, or a row that says so; never a quiet figure."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import Retrieval, run_retrieval, score_retrieval
from aiops_lab.errors import BadSettings, BadSource, LabError

TEXT = "The red ship sails at nine. The blue ship sails at ten. Tea is served."
DOCS = {"d": TEXT}
ASKED: list[dict[str, Any]] = [
    {"question_id": "q1", "text": "When does the red ship sail?",
     "gold": [{"doc_id": "d", "start": 0, "end": 27}]},
    {"question_id": "q2", "text": "When does the blue ship sail?",
     "gold": [{"doc_id": "d", "quote": "The blue ship sails at ten."}]},
]  # fmt: skip
SPANS = [{**ASKED[0]}, {**ASKED[1], "gold": [{"doc_id": "d", "start": 28, "end": 55}]}]
CHUNKS = [{"chunk_id": f"c{s}", "doc_id": "d", "start": s, "end": s + 10} for s in range(0, 60, 10)]
HITS = [
    {"question_id": q, "rank": rank, "chunk_id": f"c{10 * (rank + late)}"}
    for q, late in (("q1", -1), ("q2", 2))
    for rank in (1, 2, 3)
]


def run(docs: Any = DOCS, asked: Any = ASKED, chunkers: Any = ("windows-30",), **how: Any):
    how = {"retrievers": ["bm25"], "progress": False, "k": 2, **how}
    return run_retrieval(docs, asked, chunkers, **how)


def score(asked: Any = SPANS, chunks: Any = CHUNKS, hits: Any = HITS, **how: Any) -> Retrieval:
    return score_retrieval(asked, chunks, hits, **how)


def words(texts: list[str]) -> np.ndarray:
    return np.array([[len(t), t.count("e"), t.count("s"), 1.0] for t in texts])


def changed(rows: list[dict[str, Any]], **values: Any) -> list[dict[str, Any]]:
    return [{**rows[0], **values}, *rows[1:]]


HALF = "\ud800"
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "given",
    [
        {"docs": {}},
        {"docs": [{"doc_id": None, "text": "a"}]},
        {"docs": [{"doc_id": "d", "text": "a"}, {"doc_id": "d", "text": "b"}]},
        {"docs": [{"id": 1}]},
        {"docs": "/nowhere/at/all"},
        {"docs": 5},
        {"docs": {"d": HALF}},
        {"asked": []},
        {"asked": 5},
        {"asked": ["q"]},
        {"chunkers": []},
        {"chunkers": ["windows-0"]},
        {"chunkers": ["windows-10-10"]},
        {"chunkers": ["windows-99999999999999999999"]},
        {"chunkers": ["sentences-3"]},
        {"chunkers": {"own": 5}},
        {"chunkers": {"own": SimpleNamespace}},
        {"chunkers": {"own": lambda t: None}},
        {"chunkers": {"own": lambda t: t}},
        {"chunkers": {"own": lambda t: ["not of this document"]}},
        {"chunkers": {"own": lambda t: [(0, len(t) + 1)]}},
        {"chunkers": {"own": lambda t: [(-1, 5)]}},
        {"chunkers": {"own": lambda t: [(5, 2)]}},
        {"chunkers": {"own": lambda t: [(None, 5)]}},
        {"chunkers": {"own": lambda t: [(0.5, 5)]}},
        {"chunkers": {"own": lambda t: [{"start": "a", "end": "b"}]}},
        {"chunkers": {"own": lambda t: [{"start": float("nan"), "end": 3}]}},
        {"chunkers": {"own": lambda t: [5]}},
        {"embedders": words},
        {"embedders": {"e": "abc"}},
        {"embedders": {"e": words}, "retrievers": ["densely"]},
        {"retrievers": ["dense"]},
        {"retrievers": 5},
        {"rerankers": {"r": 5}},
        {"count_tokens": 5},
        {"count_tokens": lambda t: None},
        {"count_tokens": lambda t: -1},
        {"count_tokens": lambda t: float("nan")},
        {"count_tokens": lambda t: "a"},
        {"k": 0},
        {"k": True},
        {"k": 1.5},
        {"k": -1},
        {"context": 0.0001j},
        {"context": float("nan")},
        {"context": 1.7e308},
        {"context": "5"},
        {"context": True},
        {"mode": "lenient"},
        {"level": 2},
        {"baseline": "no such"},
        {"cluster": "no such"},
        {"cache": 5},
    ],
)
def test_a_sweep_that_cannot_be_made_says_why(given: dict[str, Any]) -> None:
    with pytest.raises(LabError) as error:
        run(**given)
    assert len(str(error.value)) > 10


@pytest.mark.parametrize(
    "embed",
    [
        lambda texts: [[float("nan"), 1.0] for _ in texts],
        lambda texts: [[float("inf"), 1.0] for _ in texts],
        lambda texts: [[1.0] * (1 + len(t) % 3) for t in texts],
        lambda texts: [[1.0, 2.0]],
        lambda texts: [1.0 for _ in texts],
        lambda texts: None,
        lambda texts: ["a" for _ in texts],
        lambda texts: np.full((len(texts), 2), 1e300),
    ],
    ids=["NaN", "infinite", "mixed dimensions", "too few", "flat", "none", "words", "too large"],
)
def test_vectors_that_cannot_be_compared_are_refused(embed: Any) -> None:
    with pytest.raises(BadSettings, match="embedder 'mine'"):
        run(embedders={"mine": embed}, retrievers=["dense"])


def test_a_vector_that_turns_bad_on_the_way_is_refused() -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, float("nan") if "Tea" in text else 2.0] for text in texts]

    with pytest.raises(BadSettings, match="NaN"):
        run(embedders={"mine": embed}, retrievers=["dense"])


@pytest.mark.parametrize(
    "rank",
    [
        lambda q, t: "abc", lambda q, t: [1.0], lambda q, t: [[1], [1, 2]],
        lambda q, t: [float("nan")] * len(t), lambda q, t: [{"score": 1}] * len(t),
    ],
)  # fmt: skip
def test_a_reranker_without_a_score_for_each_text_is_refused(rank: Any) -> None:
    with pytest.raises(BadSettings, match="reranker 'r'"):
        run(rerankers={"r": rank}, chunkers=["windows-10"])


@pytest.mark.parametrize(
    "given",
    [
        {"chunks": changed(CHUNKS, start=-1)},
        {"chunks": changed(CHUNKS, start=12)},
        {"chunks": changed(CHUNKS, end=2**62)},
        {"chunks": changed(CHUNKS, end=5.7)},
        {"chunks": changed(CHUNKS, chunk_id="c10")},
        {"chunks": changed(CHUNKS, chunk_id=None)},
        {"chunks": changed(CHUNKS, doc_id=HALF)},
        {"chunks": [{**c, "tokens": 5.0 if n else None} for n, c in enumerate(CHUNKS)]},
        {"chunks": [{**c, "tokens": -3.0} for c in CHUNKS]},
        {"chunks": [{**c, "tokens": float("inf")} for c in CHUNKS]},
        {"chunks": [{**c, "seen": -4} for c in CHUNKS]},
        {"chunks": [{"chunk_id": 1}]},
        {"chunks": 5},
        {"chunks": None},
        {"hits": None},
        {"hits": [{"question_id": "q1"}]},
        {"hits": [{"question_id": "q1", "chunk_id": "c0"}]},
        {"hits": changed(HITS, rank=0.9)},
        {"hits": changed(HITS, rank=None, score=float("nan"))},
        {"hits": "/nowhere"},
        {"asked": "/nowhere.jsonl"},
        {"corpus": {"d": "short"}},
    ],
)
def test_logged_chunks_and_hits_that_mean_nothing_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(LabError):
        score(**given)


@pytest.mark.parametrize(
    ("gold", "why"),
    [
        ([{"doc_id": "d", "start": 60, "end": 300}], "ends at 300"),
        ([{"doc_id": "d", "start": 5, "end": 5}], "holds no text"),
        ([{"doc_id": "d", "start": -5, "end": 5}], "holds no text"),
        ([{"doc_id": "d", "start": 0.5, "end": 5}], "no place"),
        ([{"doc_id": "d", "start": 1, "end": 10**400}], "no place"),
        ([{"doc_id": "x", "start": 0, "end": 5}], "not in the corpus"),
        ([{"doc_id": "d", "quote": "ship sails at"}], "occurs 2 times"),
        ([{"doc_id": "d", "quote": "ship sails at", "nth": 3}], "occurs 2 times, not 3"),
        ([{"doc_id": "d", "quote": "coffee"}], "not in d"),
        ([{"doc_id": "d", "quote": HALF}], "surrogate"),
        ([{"doc_id": "d", "start": 0, "end": 5, "relevance": float("nan")}], "relevance"),
        ([{"doc_id": "d", "start": 0, "end": 5}, {"doc_id": "d"}], "mixes"),
        ([{"start": 0, "end": 5}], "names no document"),
        (DEEP, "neither a list nor JSON"),
        ("not json", "neither a list nor JSON"),
        ([5], "no list"),
    ],
)
def test_gold_that_cannot_be_placed_is_quarantined_with_its_question(gold: Any, why: str) -> None:
    asked = [{**ASKED[0], "gold": gold}, ASKED[1]]
    found = run(asked=asked)
    place, reason = found.quarantined.row(0)
    assert place == "q1"
    assert why in reason
    assert found.checks.filter(check="gold")["status"].item() == "warn"
    assert found.configurations["n"].item() == 1
    alone = run(asked=asked[:1])
    assert alone.verdict.status == "inconclusive"
    assert why in alone.verdict.headline


def test_a_quote_is_no_gold_where_there_is_no_text_to_find_it_in() -> None:
    found = score(asked=[ASKED[1]])
    assert "give the corpus" in found.quarantined["reason"][0]
    assert found.verdict.status == "inconclusive"


def test_a_passage_judged_irrelevant_is_no_gold() -> None:
    gold = [{"doc_id": "d", "start": 0, "end": 10},
            {"doc_id": "d", "start": 30, "end": 50, "relevance": 0}]  # fmt: skip
    assert score(asked=[{**SPANS[0], "gold": gold}]).per_question["gold"][0] == 10


def test_hits_that_name_nothing_known_are_counted_and_told() -> None:
    strange = [*HITS, {"question_id": "q1", "rank": 9, "chunk_id": "c999"},
               {"question_id": "q99", "rank": 1, "chunk_id": "c0"}]  # fmt: skip
    found = score(hits=strange)
    assert found.quarantined.height == 2
    assert found.configurations.equals(score().configurations)


def test_a_hit_given_twice_counts_once_at_its_better_rank() -> None:
    again = [*HITS, {"question_id": "q1", "rank": 4, "chunk_id": "c0"}]
    assert score(hits=again).per_question.equals(score().per_question)


@pytest.mark.parametrize(
    "given",
    [
        {"hits": []},
        {"asked": [{**q, "gold": []} for q in SPANS]},
        {"chunks": [{**c, "doc_id": "./d"} for c in CHUNKS]},
        {"asked": [{**SPANS[0], "gold": "?"}]},
        {"context": 10_000},
    ],
    ids=["no hits", "no gold", "other ids", "all quarantined", "hits too few for the context"],
)
def test_what_evaluated_nothing_is_never_ok(given: dict[str, Any]) -> None:
    assert score(**given).verdict.status == "inconclusive"


def test_chunks_of_nothing_are_inconclusive() -> None:
    nothing = run(docs={"d": "", "e": " "}, asked=[{"question_id": 1, "text": "red"}])
    assert nothing.verdict.status == "inconclusive"
    assert run(chunkers={"none": lambda t: []}).verdict.status == "inconclusive"


def test_an_empty_document_beside_others_is_told() -> None:
    found = run(docs={**DOCS, "e": ""})
    assert "1 documents are empty" in found.checks["detail"].to_list()
    assert found.configurations["n"].item() == 2


def test_text_that_a_chunker_drops_is_told() -> None:
    found = run(chunkers={"drop": lambda t: [(0, 12)]})
    told = found.checks.filter(check="chunker")["detail"].item()
    assert "in no chunk" in told


def test_texts_in_order_are_placed_behind_each_other() -> None:
    text = "No. " * 100
    asked = [{"question_id": 1, "text": "no", "gold": [{"doc_id": "d", "start": 300, "end": 340}]}]
    pieces = {"texts": lambda t: [t[i : i + 20] for i in range(0, 400, 20)]}
    found = run({"d": text}, asked, pieces, k=50)
    assert found.chunks["start"].to_list() == list(range(0, 400, 20))
    assert found.configurations["recall"].item() == 1.0


def test_a_text_that_may_stand_at_several_places_is_told() -> None:
    asked = [{"question_id": 1, "text": "rum", "gold": [{"doc_id": "d", "quote": "Rum."}]}]
    split = {"some": lambda t: [t[10:22], t[40:52], t[150:]]}
    found = run({"d": "tea. " * 40 + "Rum."}, asked, split)
    assert "give (start, end)" in " ".join(found.checks["detail"])


def test_offsets_in_bytes_are_read_as_such() -> None:
    text = "Ärger über Möwen. " * 20
    data = text.encode()

    def split(t: str) -> list[dict[str, Any]]:
        cuts = [len(t[:i].encode()) for i in range(0, len(t) + 1, 36)]
        pairs = pairwise(cuts)
        return [{"start_index": a, "end_index": b, "text": data[a:b].decode()} for a, b in pairs]

    asked = [{"question_id": 1, "text": "Möwen", "gold": [{"doc_id": "d", "start": 0, "end": 9}]}]
    found = run({"d": text}, asked, {"bytes": split})
    assert found.chunks["start"].to_list() == list(range(0, len(text), 36))


@pytest.mark.parametrize(
    "split",
    [
        lambda t: ((s, s + 35) for s in (0, 35)),
        lambda t: [(np.int64(0), np.int64(35)), (35, 70)],
        lambda t: np.array([[0, 35], [35, 70]]),
        lambda t: [t[:35], t[35:]],
        lambda t: [(0, t[:35]), (35, t[35:])],
        lambda t: [SimpleNamespace(start_index=0, end_index=35, text=t[:35]),
                   SimpleNamespace(start_index=35, end_index=70, text=t[35:])],
        lambda t: [SimpleNamespace(page_content=t[:35], metadata={"start_index": 0}),
                   SimpleNamespace(page_content=t[35:], metadata={})],
        lambda t: [{"start": 0, "end": 35}, {"start": 35, "end": 70}, {"start": 35, "end": 70}],
    ],
)  # fmt: skip
def test_chunks_of_any_usual_shape_are_understood(split: Any) -> None:
    found = run(chunkers={"own": split})
    assert found.chunks.select("start", "end").rows() == [(0, 35), (35, 70)]


@pytest.mark.parametrize("k", [1, 5, 1000])
def test_more_hits_than_chunks_are_all_chunks(k: int) -> None:
    found = run(k=k, retrievers=["bm25", "tfidf", "lsa", "hybrid"])
    assert found.hits["rank"].max() <= 3
    assert found.per_question["hits"].max() <= min(k, 3)


def test_files_that_are_no_text_are_quarantined_and_links_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "d").with_suffix(".md").write_text(TEXT)
    (folder / "latin.txt").write_bytes("Fähre".encode("latin-1"))
    (folder / "bom.txt").write_bytes(b"\xef\xbb\xbfTea\r\nand rum")
    (tmp_path / "secret.md").write_text("secret")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / ".hidden.md").write_text("hidden")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("name")
    asked = [{**ASKED[0], "gold": [{"doc_id": "d.md", "start": 0, "end": 27}]}]
    found = run(folder, asked)
    assert found.corpus is not None
    assert found.corpus.documents["doc_id"].to_list() == ["bom.txt", "d.md"]
    assert found.corpus.text("bom.txt") == "Tea\nand rum"
    reasons = dict(found.quarantined.iter_rows())
    assert "not UTF-8 from byte 1" in reasons["latin.txt"]
    assert "link" in reasons["out.md"]
    assert len(reasons) == 3


def test_runs_of_one_tag_are_told_apart_by_their_files(tmp_path: Path) -> None:
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("1 0 a 1\n2 0 b 1\n")
    for name, order in (("one", "ab"), ("two", "ba")):
        lines = [f"{q} Q0 {d} {r} {9 - r} run" for q in (1, 2) for r, d in enumerate(order, 1)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    found = score_retrieval(qrels, None, files)
    assert found.configurations["experiment_id"].to_list() == ["one", "two"]
    assert found.configurations["mrr"].to_list() == [0.75, 0.75]


@pytest.mark.parametrize("row", ["1 0 a", "1 0 a nan", "1 0 a x"])
def test_a_broken_row_of_judgements_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "qrels.txt").write_text(f"1 0 b 1\n{row}\n")
    with pytest.raises(BadSource):
        score_retrieval(tmp_path / "qrels.txt", None, HITS)


def test_two_experiments_of_one_name_are_refused() -> None:
    with pytest.raises(BadSettings, match="two experiments"):
        run(embedders={"x": words, "x+r": words}, rerankers={"r": lambda q, t: [1.0] * len(t)},
            retrievers=["dense"])  # fmt: skip


def test_frames_of_other_libraries_are_taken() -> None:
    plain = score()
    frames = [pl.DataFrame(rows) for rows in (CHUNKS, HITS)]
    pandas = [frame.to_pandas() for frame in frames]
    assert score(chunks=frames[0].to_arrow(), hits=pandas[1]).per_question.equals(
        plain.per_question
    )
