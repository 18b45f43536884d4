"""One chunker after another: its chunks, and what each way of finding brings back of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval import search
from aiops_lab.ship.retrieval.cache import Vectors, digest_of, kept_hits
from aiops_lab.ship.retrieval.checks import Check
from aiops_lab.ship.retrieval.chunkers import Split, chroma_places, size_of
from aiops_lab.ship.retrieval.coverage import Mode
from aiops_lab.ship.retrieval.inputs import Corpus, Passages, Questions

LEXICAL: dict[str, Callable[[Sequence[str], Sequence[str], int], search.Found]] = {
    "bm25": search.bm25,
    "tfidf": search.tfidf,
    "lsa": search.lsa,
}
REACH = 4
"""Hits are fetched for so many times the compared context, so that the curve goes on."""
DESCRIBED = pl.Schema(
    {
        **dict.fromkeys(("experiment_id", "chunker", "kind"), pl.String()),
        **dict.fromkeys(("size", "overlap"), pl.Int64()),
        **dict.fromkeys(("retriever", "embedder", "reranker"), pl.String()),
    }
)
DEEPER = 4
DROPPED = 0.01
"""More of the text outside of all chunks is told."""
METHOD = "1"
"""Changed when a built-in way of finding changes: kept hits are then found again."""
Progress = Callable[[str, int, int], None]
Callables = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Part:
    """What one chunker came to."""

    chunks: pl.DataFrame
    hits: pl.DataFrame
    described: pl.DataFrame
    depth: int
    checks: list[Check]


class Sweep:
    """One corpus and one set of questions, gone over with one chunker after another."""

    def __init__(
        self, corpus: Corpus, asked: Questions, embedders: Callables, rerankers: Callables,
        ways: list[str], k: int, context: float, folder: Path | None, told: Progress,
        count_tokens: Callable[[str], int] | None, mode: Mode,
    ) -> None:  # fmt: skip
        self.mode: Mode = mode
        self.corpus, self.ways, self.rerankers = corpus, ways, rerankers
        self.k, self.context, self.folder, self.told = k, context, folder, told
        self.count_tokens, self.embedders = count_tokens, embedders
        self.ids = asked.table["question_id"]
        self.queries = asked.table["text"].fill_null("").to_list()
        self.asked = digest_of([*self.ids, *self.queries])
        place = None if folder is None else folder / "vectors"
        self.vectors = {n: Vectors(n, embed, place) for n, embed in embedders.items()}
        self.questions = {n: vectors.of(self.queries) for n, vectors in self.vectors.items()}

    def chunker(self, name: str, split: Split) -> Part:
        """All ways of finding the chunks of one chunker."""
        made = _Chunks(name, split, self.corpus, self.mode)
        frame = made.frame
        if self.count_tokens is not None:
            frame = frame.with_columns(tokens=_counted(self.count_tokens, made.texts))
        least, ways = self._depth(frame), list(self._of(made))
        depth = least
        chunks, hits, rows, deepest = [], [], [], 0
        kind, size, overlap = size_of(name)
        for number, (way, embedder, key, find) in enumerate(ways):
            self.told(f"{name}", number, len(ways))
            found, depth = self._deep_enough(made, frame, least, key, find)
            deepest = max(deepest, depth)
            for reranker in (None, *self.rerankers):
                own = found if reranker is None else self._reranked(made, found, reranker)
                said = f"{name}/{way}" + (f"+{reranker}" if reranker else "")
                label = pl.lit(said).alias("experiment_id")
                limit = getattr(self.embedders.get(embedder or ""), "limit", None)
                seen = pl.lit(limit, pl.Float64).alias("seen") if self._limited() else None
                chunks.append(
                    frame.select(label, "chunk_id", "doc_id", "start", "end",
                                 *(c for c in ("tokens",) if c in frame.columns),
                                 *([] if seen is None else [seen]))
                )  # fmt: skip
                hits.append(self._hits(own, frame).select(label, pl.all()))
                rows.append((said, name, kind, size, overlap, way, embedder, reranker))
        self.told(f"{name}", len(ways), len(ways))
        return Part(
            pl.concat(chunks), pl.concat(hits),
            pl.DataFrame(rows, schema=DESCRIBED, orient="row"), deepest,
            list(_doubts(made, split)),
        )  # fmt: skip

    def _limited(self) -> bool:
        return any(getattr(each, "limit", None) is not None for each in self.embedders.values())

    def _depth(self, frame: pl.DataFrame) -> int:
        """Enough hits for the end of the curve, and for the losses just below k."""
        mean = float(_cost(frame).mean() or 0)  # pyright: ignore[reportArgumentType]
        reach = math.ceil(1.5 * REACH * self.context / mean) if mean else 0
        return max(1, min(max(4 * self.k, reach), frame.height))

    def _of(
        self, made: _Chunks
    ) -> Iterator[tuple[str, str | None, list[str], Callable[[int], search.Found]]]:
        """Name, embedder, what it depends on, and how it is done, of each way of finding."""
        for way in self.ways:
            if way in LEXICAL:
                yield way, None, [way], lambda depth, way=way: self._lexical(way, made, depth)
            for name, vectors in self.vectors.items():
                key = [way, name, vectors.key]
                if way == "dense":
                    yield f"dense:{name}", name, key, lambda d, n=name: self._dense(n, made, d)
                if way == "hybrid":
                    yield (f"hybrid:{name}", name, key,
                           lambda d, n=name: search.fused(self._lexical("bm25", made, d),
                                                          self._dense(n, made, d), d))  # fmt: skip
            if way == "hybrid" and not self.vectors:
                yield ("hybrid", None, ["hybrid", "lsa"],
                       lambda d: search.fused(self._lexical("bm25", made, d),
                                              self._lexical("lsa", made, d), d))  # fmt: skip

    def _lexical(self, way: str, made: _Chunks, depth: int) -> search.Found:
        if (way, depth) not in made.lexical:  # two ways that are fused are rows of their own too
            made.lexical[way, depth] = LEXICAL[way](made.texts, self.queries, depth)
        return made.lexical[way, depth]

    def _dense(self, name: str, made: _Chunks, depth: int) -> search.Found:
        if (name, depth) not in made.dense:
            vectors = self.vectors[name].of(
                made.texts, lambda done, total: self.told(f"{made.name}: {name}", done, total)
            )
            made.dense[name, depth] = search.dense(vectors, self.questions[name], depth)
        return made.dense[name, depth]

    def _deep_enough(
        self, made: _Chunks, frame: pl.DataFrame, depth: int, key: list[str],
        find: Callable[[int], search.Found],
    ) -> tuple[search.Found, int]:  # fmt: skip
        """Hits as many as fill the compared context for every question, or as there are."""
        cost = np.append(_cost(frame).to_numpy().astype(float), 0.0)
        while True:
            found = self._kept(made, depth, key, find)
            short = cost[found.chunk].sum(axis=1) < self.context
            more = (found.chunk >= 0).sum(axis=1) >= depth
            if depth >= frame.height or not (short & more).any():
                return found, depth
            depth = min(DEEPER * depth, frame.height)

    def _kept(
        self, made: _Chunks, depth: int, key: list[str], find: Callable[[int], search.Found]
    ) -> search.Found:
        if self.folder is None:
            return find(depth)

        def found() -> pl.DataFrame:
            it = find(depth)
            return pl.DataFrame({"chunk": it.chunk.ravel(), "score": it.score.ravel()})

        full = [METHOD, made.digest, self.asked, str(depth), *key]
        rows = kept_hits(self.folder / "hits", full, found)
        shape = (len(self.queries), -1)
        if not rows.height:
            return search.Found(
                np.empty((len(self.queries), 0), np.int64), np.empty((len(self.queries), 0))
            )
        return search.Found(
            rows["chunk"].to_numpy().reshape(shape), rows["score"].to_numpy().reshape(shape)
        )

    def _reranked(self, made: _Chunks, found: search.Found, name: str) -> search.Found:
        ranked = []
        for query, row in zip(self.queries, found.chunk, strict=True):
            chunks = row[row >= 0]
            given = (
                self.rerankers[name](query, [made.texts[c] for c in chunks]) if chunks.size else []
            )
            try:
                scores = np.asarray(given, dtype=float)
            except (TypeError, ValueError):
                scores = np.empty(0)
            if scores.shape != chunks.shape or not np.isfinite(scores).all():
                raise BadSettings(
                    f"reranker {name!r} gave no finite score for each of {chunks.size} texts"
                )
            order = np.lexsort((np.arange(chunks.size), -scores))
            ranked.append((chunks[order], scores[order]))
        return search.stacked(ranked)

    def _hits(self, found: search.Found, frame: pl.DataFrame) -> pl.DataFrame:
        width = found.chunk.shape[1]
        chunk, kept = found.chunk.ravel(), found.chunk.ravel() >= 0
        questions = np.repeat(np.arange(len(self.queries)), width)[kept]
        ranks = np.tile(np.arange(1, width + 1), len(self.queries))[kept]
        return pl.DataFrame(
            {
                "question_id": self.ids.gather(questions),
                "rank": ranks.astype(np.int64),
                "chunk_id": frame["chunk_id"].gather(chunk[kept]),
                "score": found.score.ravel()[kept],
            }
        )


class _Chunks:
    """The chunks of one chunker: a row each, their texts, and what was found of them already."""

    def __init__(self, name: str, split: Split, corpus: Corpus, mode: Mode) -> None:
        self.name = name
        self.lexical: dict[tuple[str, int], search.Found] = {}
        self.dense: dict[tuple[str, int], search.Found] = {}
        docs, cut, placed = [], [], []
        printed = missed = 0
        for doc_id, text in corpus.texts():
            spans = list(dict.fromkeys(split(text)))  # a span given twice is one chunk
            places = spans if mode == "strict" else chroma_places(text, spans)
            docs += [doc_id] * len(spans)
            cut += spans
            placed += places
            total, left = _unread(text, spans)
            printed, missed = printed + total, missed + left
        self.texts = Passages(corpus, docs, cut)
        starts, ends = np.array(placed, np.int64).reshape(-1, 2).T
        self.outside = missed / printed if printed else 0.0
        self.frame = pl.DataFrame(
            {"doc_id": docs, "start": starts, "end": ends},
            schema={"doc_id": pl.String, "start": pl.Int64, "end": pl.Int64},
        ).with_columns(chunk_id=pl.format("{}:{}-{}", "doc_id", "start", "end"))
        if mode == "chroma":  # one place may be that of several chunks
            nth = pl.int_range(1, pl.len() + 1).over("chunk_id")
            again = pl.when(nth > 1).then(pl.format("{} #{}", "chunk_id", nth))
            self.frame = self.frame.with_columns(chunk_id=again.otherwise("chunk_id"))

    @cached_property
    def digest(self) -> str:
        """Of all texts; only asked for where hits are kept."""
        return digest_of(self.texts)


def _cost(frame: pl.DataFrame) -> pl.Series:
    """What each chunk takes of the context."""
    return frame["tokens"] if "tokens" in frame.columns else frame["end"] - frame["start"]


def _counted(count: Callable[[str], Any], texts: Sequence[str]) -> pl.Series:
    numbers = [count(text) for text in texts]
    try:
        counted = pl.Series(numbers, dtype=pl.Float64, strict=False)
        usable = bool((counted.is_finite() & (counted >= 0)).fill_null(False).all())
    except (TypeError, pl.exceptions.PolarsError):
        usable, counted = False, pl.Series(dtype=pl.Float64)
    if not usable:
        raise BadSettings("count_tokens gives a number of 0 or more for each text")
    return counted


def _doubts(made: _Chunks, split: Split) -> Iterator[Check]:
    """What to know of a chunker before believing its figures."""
    if not made.texts:
        yield "chunker", "inconclusive", f"{made.name} made no chunk"
    elif made.outside > DROPPED:
        told = f"{made.name}: {made.outside:.0%} of the documents' characters are in no chunk"
        yield "chunker", "warn", told
    if unsure := getattr(split, "unsure", 0):
        told = f"{made.name}: {unsure} chunks given as texts stand at several places; "
        yield "chunker", "warn", told + "which was meant is a guess: give (start, end)"


def _unread(text: str, spans: list[tuple[int, int]]) -> tuple[int, int]:
    """Characters of a text that are no spaces, and how many of them no chunk holds."""
    gaps, reach = [], 0
    for start, end in sorted(spans):
        if start > reach:
            gaps.append(text[reach:start])
        reach = max(reach, end)
    gaps.append(text[reach:])
    left = sum(len(piece) for gap in gaps for piece in gap.split())
    return sum(map(len, text.split())) if left else max(len(text), 1), left
