"""Sweeps: what is found, what is kept for the next time, and what the demo shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import Retrieval, open_lab, run_retrieval
from aiops_lab.ship.retrieval.cache import PROBES
from aiops_lab.ship.retrieval.inputs import DEMO, read_corpus, read_questions
from aiops_lab.ship.retrieval.search import bm25, dense, fused, lsa, tfidf, top

CHUNKERS = ["characters-400", "characters-1600", "markdown-800", "markdown-800-200"]


class Embedder:
    """A hashing embedder that counts the texts it was given."""

    def __init__(self, seed: int = 0, noise: float = 0.0, stop: int | None = None) -> None:
        self.given: list[str] = []
        self.seed, self.noise, self.stop = seed, noise, stop

    def __call__(self, texts: list[str]) -> np.ndarray:
        rows = np.zeros((len(texts), 64))
        for row, text in zip(rows, texts, strict=True):
            if self.stop is not None and len(self.given) >= self.stop:
                raise KeyboardInterrupt
            for word in text.lower().split():
                row[hash_of(word, self.seed) % 64] += 1.0
            self.given.append(text)
        chance = np.random.default_rng(len(self.given))
        return rows + self.noise * chance.normal(size=rows.shape)


def hash_of(word: str, seed: int) -> int:
    found = seed + 7
    for letter in word:
        found = (found * 131 + ord(letter)) % 1_000_003
    return found


def frames(result: Retrieval) -> dict[str, pl.DataFrame]:
    return result.frames


def same(one: Retrieval, two: Retrieval) -> None:
    for name, frame in frames(one).items():
        assert frame.equals(frames(two)[name]), name
    assert one.verdict == two.verdict


@pytest.fixture(scope="module")
def demo() -> Retrieval:
    return run_retrieval(DEMO, DEMO, CHUNKERS, retrievers=["bm25", "lsa", "hybrid"], context=2000)


def test_two_runs_of_one_sweep_are_identical(demo: Retrieval) -> None:
    again = run_retrieval(DEMO, DEMO, CHUNKERS, retrievers=["bm25", "lsa", "hybrid"], context=2000)
    same(demo, again)


def test_a_kept_sweep_is_identical_and_embeds_nothing_again(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    embed = Embedder()
    how: dict[str, Any] = {"retrievers": ["dense", "hybrid"], "context": 1000}
    free = run_retrieval(DEMO, DEMO, CHUNKERS[:2], {"hash": embed}, **how)
    first = run_retrieval(DEMO, DEMO, CHUNKERS[:2], {"hash": embed}, cache=lab, **how)
    before = len(embed.given)
    second = run_retrieval(DEMO, DEMO, CHUNKERS[:2], {"hash": embed}, cache=lab, **how)
    assert embed.given[before:] == list(PROBES)
    same(free, first)
    same(first, second)


def test_a_sweep_that_was_interrupted_goes_on_where_it_stopped(tmp_path: Path) -> None:
    how: dict[str, Any] = {"retrievers": ["dense"], "context": 1000, "cache": tmp_path / "kept"}
    whole = Embedder()
    wanted = run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": whole}, retrievers=["dense"],
                           context=1000)  # fmt: skip
    first = Embedder(stop=len(whole.given) - 10)
    with pytest.raises(KeyboardInterrupt):
        run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": first}, **how)
    second = Embedder()
    found = run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": second}, **how)
    assert len(second.given) < len(whole.given) / 2
    same(wanted, found)


def test_another_model_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    how: dict[str, Any] = {"retrievers": ["dense"], "context": 1000}
    run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": Embedder(1)}, cache=tmp_path, **how)
    kept = run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": Embedder(2)}, cache=tmp_path, **how)
    same(run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": Embedder(2)}, **how), kept)


def test_a_model_that_computes_a_little_differently_each_time_is_known_again(
    tmp_path: Path,
) -> None:
    how: dict[str, Any] = {"retrievers": ["dense"], "context": 1000, "cache": tmp_path}
    run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": Embedder(noise=1e-5)}, **how)
    again = Embedder(noise=1e-5)
    again.given.append("so that the noise differs")
    run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": again}, **how)
    assert again.given[1:] == list(PROBES)


def test_damaged_files_are_worked_out_again(tmp_path: Path) -> None:
    how: dict[str, Any] = {"retrievers": ["dense"], "context": 1000, "cache": tmp_path}
    first = run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": Embedder()}, **how)
    for number, path in enumerate(sorted(p for p in tmp_path.rglob("*") if p.is_file())):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data) if number % 2 else b"")
    same(first, run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": Embedder()}, **how))


def test_the_deepest_hits_fill_the_context_however_small_the_chunks() -> None:
    text = "".join(f"ferry {n:03d}\n" for n in range(300)) + "filler words here " * 2000
    lines = [(10 * n, 10 * n + 10) for n in range(300)]
    pages = [(s, s + 9000) for s in range(3000, len(text) - 9000, 9000)]
    asked = [
        {"question_id": n, "text": "ferry",
         "gold": [{"doc_id": "d", "start": 10 * n, "end": 10 * n + 10}]}
        for n in range(0, 300, 6)
    ]  # fmt: skip
    for k in (5, 100):
        found = run_retrieval({"d": text}, asked, {"own": lambda t: lines + pages},
                              retrievers=["bm25"], k=k)  # fmt: skip
        assert found.configurations["at_context"].item() == 1.0


def test_an_embedders_limit_is_told_apart_from_other_losses() -> None:
    embed = Embedder()
    embed.limit = 100  # type: ignore[attr-defined]
    found = run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": embed}, retrievers=["dense"])
    dim = found.checks.filter(check="embedder")
    assert "never saw" in dim["detail"][0]
    assert dim["status"].to_list() == ["warn"]
    lost = found.losses.filter(pl.col("experiment_id").str.ends_with("dense:hash"))
    assert "not seen by the embedder" in lost["loss"].to_list()
    lexical = found.losses.filter(pl.col("experiment_id").str.ends_with("bm25"))
    assert "not seen by the embedder" not in lexical["loss"].to_list()


def test_a_reranker_puts_the_hits_in_its_own_order() -> None:
    rank = {"short": lambda query, texts: [-len(text) for text in texts]}
    found = run_retrieval(DEMO, DEMO, CHUNKERS[:1], rerankers=rank, retrievers=["bm25"])
    assert found.configurations["experiment_id"].to_list() == [
        "characters-400/bm25", "characters-400/bm25+short",
    ]  # fmt: skip
    own = found.hits.filter(pl.col("experiment_id").str.ends_with("+short"))
    assert own.group_by("question_id").agg(pl.col("score").diff().max())["score"].max() <= 0


def test_a_bar_is_told_of_each_step() -> None:
    seen: list[tuple[str, int, int]] = []
    run_retrieval(DEMO, DEMO, CHUNKERS[:1], {"hash": Embedder()}, retrievers=["dense"],
                  progress=lambda *step: seen.append(step))  # fmt: skip
    assert seen[-1] == ("characters-400", 2, 2)
    assert any(name == "characters-400: hash" for name, _, _ in seen)


# what the demo shows, each line held against a test of its own


def differences(demo: Retrieval, one: str, two: str, column: str = "at_context") -> np.ndarray:
    wide = demo.per_question.pivot("experiment_id", index="question_id", values=column)
    return (wide[one] - wide[two]).drop_nulls().to_numpy()


def permuted(d: np.ndarray) -> float:
    """The two-sided p-value of 20,000 random flips of the pairs."""
    chance = np.random.default_rng(11)
    signs = chance.choice([-1.0, 1.0], size=(20_000, d.size))
    return float((np.abs(signs @ d) >= abs(d.sum()) - 1e-9).mean())


def test_one_configuration_finds_more_than_another(demo: Retrieval) -> None:
    best = demo.configurations.sort("at_context", descending=True)["experiment_id"][0]
    beaten = demo.configurations.filter(~pl.col("may_be_best"))["experiment_id"].to_list()
    assert beaten
    for other in beaten:
        assert permuted(differences(demo, best, other)) < 0.05


def test_a_pair_called_undecided_is_undecided(demo: Retrieval) -> None:
    undecided = demo.pairs.filter((pl.col("by") == "context") & ~pl.col("clear"))
    pair = undecided.sort("p_value", descending=True).row(0, named=True)
    assert permuted(differences(demo, pair["experiment_id"], pair["other"])) > 0.05


def test_a_ranking_at_equal_hits_turns_at_equal_context(demo: Retrieval) -> None:
    by = {row["experiment_id"]: row for row in demo.configurations.to_dicts()}
    large, small = by["characters-1600/bm25"], by["characters-400/bm25"]
    assert large["recall"] > small["recall"]
    assert large["at_context"] < small["at_context"]
    for column in ("recall", "at_context"):
        pair = differences(demo, large["experiment_id"], small["experiment_id"], column)
        assert permuted(pair) < 0.05


def test_the_handbook_has_questions_of_every_trap_each_in_its_place() -> None:
    corpus = read_corpus(DEMO)
    asked = read_questions(DEMO, corpus)
    assert not asked.quarantined.height
    assert not asked.notes
    size = sum(len(text.encode()) for _, text in corpus.texts())
    assert 8 <= corpus.documents.height <= 12
    assert 60_000 <= size <= 120_000
    assert asked.table.height >= 150
    assert set(asked.table["trap"]) == {
        "one span", "several spans", "across a heading", "in a table", "repeated text",
        "unanswerable", "paraphrase",
    }  # fmt: skip


# ways of finding


@pytest.mark.parametrize("find", [bm25, tfidf, lsa])
def test_a_way_of_finding_finds_the_only_text_with_the_words(find: Any) -> None:
    texts = ["red ships sail", "blue ships wait", "tea is served", "the quay is wet", "red"]
    found = find(texts, ["who serves tea?", "?", ""], 10)
    assert found.chunk[0, 0] == 2
    assert found.chunk.shape[0] == 3


def test_nothing_is_found_in_texts_without_a_word() -> None:
    for find in (bm25, tfidf, lsa):
        assert find(["...", "---"], ["tea"], 5).chunk.shape == (1, 0)


def test_equal_scores_are_ranked_in_the_order_of_the_chunks() -> None:
    chance = np.random.default_rng(5)
    for questions in (1, 2, 3, 20):
        rows = np.repeat(chance.normal(size=(1, 48)), 50, axis=0)
        asked = chance.normal(size=(questions, 48))
        found = dense(np.concatenate([rows, -rows]), asked, 10)
        for row in found.chunk:
            assert row.tolist() in (list(range(10)), list(range(50, 60)))


def cases() -> Iterator[tuple[int, int, int]]:
    for chunks in (1, 9, 8192, 8193, 20_000):
        for depth in (1, 7, 30):
            yield chunks, depth, chunks % 5 + 1


@pytest.mark.parametrize(("chunks", "depth", "questions"), list(cases()))
def test_dense_search_is_a_full_sort(chunks: int, depth: int, questions: int) -> None:
    chance = np.random.default_rng(chunks + depth)
    rows = chance.integers(-3, 4, size=(chunks, 6)).astype(np.float32)
    asked = chance.integers(-3, 4, size=(questions, 6)).astype(np.float32)
    found = dense(rows, asked, depth, cosine=False)
    scores = asked @ rows.T
    wanted = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    assert found.chunk.tolist() == wanted.tolist()


def test_fusion_sums_reciprocal_ranks() -> None:
    one, two = (dense(np.eye(3), [w], 3) for w in ([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]))
    found = fused(one, two, 3)
    assert found.chunk.tolist() == [[0, 2, 1]]
    assert found.score[0, 0] == pytest.approx(1 / 61 + 1 / 63)


def test_the_best_of_one_question_are_those_of_a_full_sort() -> None:
    chance = np.random.default_rng(3)
    for size in (1, 5, 100):
        scores = chance.integers(0, 5, size).astype(float)
        rows, values = top(scores, 7)
        wanted = np.lexsort((np.arange(size), -scores))[:7]
        assert rows.tolist() == wanted.tolist()
        assert values.tolist() == scores[wanted].tolist()
