"""Ways of finding chunks: BM25, TF-IDF, LSA, exact dense search, and two fused by their ranks.

All are exact and repeatable: equal scores are ranked in the order of the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiops_lab.errors import BadSettings

Floats = NDArray[np.float32]
WORD = r"(?u)\b\w+\b"
DIMENSIONS = 100
"""Of latent semantic analysis; fewer where the texts have fewer."""
FUSED = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""
BLOCK = 8192
"""So many chunks are scored at once."""
ROUNDED = 1e-5
"""Products of 32 bits are off by less, as a share of the largest."""


@dataclass(frozen=True)
class Found:
    """The chunks of each question, the best first.

    `chunk` and `score` have a row a question and a column a rank; -1 where nothing more was found.
    """

    chunk: NDArray[np.int64]
    score: NDArray[np.float64]


def bm25(texts: Sequence[str], queries: Sequence[str], depth: int) -> Found:
    """Lucene's BM25 (k1 1.5, b 0.75) over lower-case words; a chunk without a word scores 0.

    Examples
    --------
    >>> bm25(["a red ship", "a blue ship"], ["blue"], 2).chunk
    array([[1]])
    """
    import bm25s

    def words(of: Sequence[str]) -> Any:
        settings: dict[str, Any] = {"stopwords": None, "token_pattern": WORD}
        return bm25s.tokenize(of, show_progress=False, **settings)  # pyright: ignore

    made = words(texts)
    if not any(made.ids):
        return _nothing(len(queries))
    model = bm25s.BM25()
    model.index(made, show_progress=False)
    asked = words(queries)
    # a word of a question that no chunk has counts for nothing
    known = {number: made.vocab[word] for word, number in asked.vocab.items() if word in made.vocab}
    found = []
    for query in asked.ids:
        ids = [known[word] for word in query if word in known]
        scores = model.get_scores_from_ids(ids) if ids else np.zeros(len(texts))
        found.append(top(scores, depth, above=0.0))
    return stacked(found)


def tfidf(texts: Sequence[str], queries: Sequence[str], depth: int) -> Found:
    """Cosine of TF-IDF vectors (scikit-learn, sublinear counts)."""
    vectors = _vectors(texts)
    if vectors is None:
        return _nothing(len(queries))
    made, rows = vectors
    products = (made.transform(queries) @ rows.T).tocsr()
    found = []
    for number in range(len(queries)):
        own = slice(products.indptr[number], products.indptr[number + 1])
        scores = np.zeros(len(texts))
        scores[products.indices[own]] = products.data[own]
        found.append(top(scores, depth, above=0.0))
    return stacked(found)


def lsa(texts: Sequence[str], queries: Sequence[str], depth: int) -> Found:
    """Cosine in the leading dimensions of the TF-IDF vectors; see `meanings`."""
    vectors = meanings(texts, queries)
    return _nothing(len(queries)) if vectors is None else dense(*vectors, depth)


def meanings(texts: Sequence[str], queries: Sequence[str]) -> tuple[NDArray, NDArray] | None:
    """Texts and queries in the leading 100 dimensions of the texts' TF-IDF vectors.

    Latent semantic analysis; half of all dimensions where there are fewer. None where no text
    holds a word.
    """
    from sklearn.decomposition import TruncatedSVD

    vectors = _vectors(texts)
    if vectors is None:
        return None
    made, rows = vectors
    asked = made.transform(queries)
    dimensions = min(DIMENSIONS, min(rows.shape) // 2)
    if dimensions < 1:
        return rows.toarray(), asked.toarray()
    model = TruncatedSVD(dimensions, random_state=0).fit(rows)
    return model.transform(rows), model.transform(asked)


def _vectors(texts: Sequence[str]) -> tuple[Any, Any] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = TfidfVectorizer(sublinear_tf=True, token_pattern=WORD, dtype=np.float64)
    try:
        return made, made.fit_transform(texts)
    except ValueError:  # no text holds a word
        return None


def dense(chunks: ArrayLike, queries: ArrayLike, depth: int, *, cosine: bool = True) -> Found:
    """The nearest chunks by an exact product of all with all.

    Parameters
    ----------
    chunks, queries
        Vectors of shape (n, dimensions) and (m, dimensions); a vector of zeros is near to nothing.
    cosine
        Scale vectors to one length first.

    Raises
    ------
    BadSettings
        Other shapes, or a value that is not finite.

    Examples
    --------
    >>> dense([[1.0, 0.0], [0.0, 1.0]], [[0.2, 0.9]], 1).chunk
    array([[1]])
    """
    rows, asked = vectors_of(chunks, "chunks"), vectors_of(queries, "questions")
    if not rows.size or not asked.size:
        return _nothing(len(asked))
    if rows.shape[1] != asked.shape[1]:
        raise BadSettings(
            f"chunks have {rows.shape[1]} dimensions and questions {asked.shape[1]}: "
            "embed both with one model"
        )
    if cosine:
        asked = unit(asked)
    depth = min(depth, len(rows))
    best = np.full((len(asked), depth), -np.inf, np.float32)
    which = np.full((len(asked), depth), -1, np.int64)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        # what cannot be among the best is not looked at again: no sort of a whole block
        _keep(best, which, asked, unit(block) if cosine else block, start)
    order = np.lexsort((which, -best))
    pick = np.arange(len(asked))[:, None]
    return Found(which[pick, order], best[pick, order].astype(float))


def _keep(best: Floats, which: NDArray[np.int64], asked: Floats, block: Floats, start: int) -> None:
    """Put what a block has among the best so far in its place."""
    depth, scores = best.shape[1], asked @ block.T
    near = ROUNDED * np.abs(scores).max()
    if start == 0 and scores.shape[1] > depth:
        first = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        floor = np.take_along_axis(scores, first, 1).min(1)
    else:
        floor = best.min(1)
    rows, columns = np.nonzero(scores >= (floor - near)[:, None])
    if not rows.size:
        return
    values = _exact(asked, block, rows, columns)
    every_row = np.concatenate((np.repeat(np.arange(len(best)), depth), rows))
    every = np.concatenate((best.ravel(), values))
    place = np.concatenate((which.ravel(), columns + start))
    order = np.lexsort((place, -every, every_row))
    own = every_row[order]
    nth = np.arange(own.size) - np.searchsorted(own, own, "left")
    kept = order[nth < depth]
    best[:] = every[kept].reshape(best.shape)
    which[:] = place[kept].reshape(best.shape)


def _exact(
    asked: Floats, block: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Floats:
    """Products of pairs that are equal where the chunks are: a product of all with all rounds those
    at its edges otherwise."""
    parts = []
    for at in range(0, len(rows), BLOCK):
        one, two = asked[rows[at : at + BLOCK]], block[columns[at : at + BLOCK]]
        parts.append(np.einsum("ij,ij->i", one.astype(float), two.astype(float)))
    return np.concatenate(parts).astype(np.float32)


def fused(one: Found, two: Found, depth: int) -> Found:
    """Two rankings as one: the sum of ``1 / (60 + rank)``."""
    found = []
    for first, second in zip(one.chunk, two.chunk, strict=True):
        sums: dict[int, float] = {}
        for chunks in (first, second):
            for rank, chunk in enumerate(chunks[chunks >= 0].tolist(), 1):
                sums[chunk] = sums.get(chunk, 0.0) + 1 / (FUSED + rank)
        order = sorted(sums, key=lambda chunk: (-sums[chunk], chunk))[:depth]
        found.append((np.array(order, np.int64), np.array([sums[chunk] for chunk in order])))
    return stacked(found)


def top(
    scores: NDArray, depth: int, above: float = -np.inf
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The best of one question, equal ones in order; none that scores `above` or less.

    Examples
    --------
    >>> top(np.array([1.0, 3.0, 3.0, 3.0]), 2)
    (array([1, 2]), array([3., 3.]))
    """
    if depth < scores.size:
        floor = np.partition(scores, scores.size - depth)[scores.size - depth]
        rows = np.flatnonzero(scores > floor)
        ties = np.flatnonzero(scores == floor)[: depth - rows.size]
        rows = np.concatenate((rows, ties))
    else:
        rows = np.arange(scores.size)
    rows = rows[scores[rows] > above]
    rows = rows[np.lexsort((rows, -scores[rows]))]
    return rows, scores[rows].astype(float)


def vectors_of(given: ArrayLike, what: str) -> Floats:
    """Vectors as an array of single precision, refused where they cannot be compared."""
    try:
        with np.errstate(over="ignore"):
            rows = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise BadSettings(
            f"{what}: vectors of numbers are wanted, all of as many dimensions"
        ) from None
    if rows.ndim != 2:
        raise BadSettings(f"{what}: vectors have the shape (n, dimensions), not {rows.shape}")
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if wrong.size:
        raise BadSettings(
            f"{what}: {wrong.size} vectors hold NaN or infinity in single precision; "
            f"the first is number {wrong[0] + 1}"
        )
    return rows


def unit(rows: Floats) -> Floats:
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def stacked(found: Sequence[tuple[NDArray, NDArray]]) -> Found:
    """Chunks and scores of each question as rows of one width."""
    width = max((rows.size for rows, _ in found), default=0)
    chunk = np.full((len(found), width), -1, np.int64)
    score = np.full((len(found), width), np.nan)
    for number, (rows, values) in enumerate(found):
        chunk[number, : rows.size], score[number, : rows.size] = rows, values
    return Found(chunk, score)


def _nothing(queries: int) -> Found:
    return Found(np.empty((queries, 0), np.int64), np.empty((queries, 0)))


def batches(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """The texts, some at a time."""
    for start in range(0, len(texts), size):
        yield list(texts[start : start + size])
