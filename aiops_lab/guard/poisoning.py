"""Which documents are suddenly brought up by many unrelated questions, as planted ones are."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse, stats

from aiops_lab.result import badness
from aiops_lab.stats.multiple import holm
from aiops_lab.tables import schema_of, shaped

WINDOW = 7
FEWEST = 8
"""A document with fewer questions in the window has no measure of how unlike they are."""
ALPHA = 0.001
DRAWS, RANDOM = 50, 100
NEW = 0.5
"""A document starts with half a hit and half a miss (Jeffreys' prior), a new one has no more."""
UNRELATED = 0.15
"""How much of the way from unrelated questions to those of a usual document still is unrelated."""
LIKENESS = schema_of("doc_id similarity:float unrelated:float usual:float relatedness:float")
DOCUMENTS = schema_of(
    "doc_id window_hits:int window_queries:int history_hits:int history_queries:int new:bool "
    "expected:float p_value:float similarity:float unrelated:float usual:float relatedness:float "
    "status"
)


def poisoning(documents: pl.DataFrame, *, window: int = WINDOW, seed: int = 0) -> pl.DataFrame:
    """How often and by how like questions each document was brought up lately, against before.

    Parameters
    ----------
    documents
        trace_id, day, doc_id and question (null where it is not known): a row a request and
        document that its retrieval brought up.
    window
        The last so many days are looked at; those before are the history.
    seed
        Of the random questions that those of a document are compared with.

    Returns
    -------
    pl.DataFrame
        doc_id, window_hits, window_queries, history_hits, history_queries, new (never brought up
        before), expected (hits in the window by its history), p_value (of so many hits or more;
        Holm's over all documents), similarity (mean over pairs of its questions: cosine of parts of
        words, or of the other documents that they bring up), unrelated (the same of random
        questions), usual (of documents in the history), relatedness (0: its questions are as
        unlike as random ones, 1: as like as a usual document's; by words or by documents, whichever
        is more), status: warn
        where it surges (p < 0.001) and its questions are unrelated, inconclusive where it surges
        and they are not known, else ok. An honest new page surges too, but on questions of one
        kind. The most suspect first.

    Notes
    -----
    Hits are beta-binomial with Jeffreys' prior. A poisoned page that is aimed at one kind of
    question is not told from an honest one.

    Examples
    --------
    >>> rows = [(str(i), dt.date(2026, 5, 1 + i % 20), "a", f"when does ship {i} sail")
    ...         for i in range(200)]
    >>> schema = ["trace_id", "day", "doc_id", "question"]
    >>> poisoning(pl.DataFrame(rows, schema, orient="row")).select("doc_id", "status").row(0)
    ('a', 'ok')
    """
    rows = documents.drop_nulls(["day", "doc_id"])
    rows = rows.sort("trace_id", "doc_id", "question", nulls_last=True)
    rows = rows.unique(["trace_id", "doc_id"], keep="first", maintain_order=True)
    last = rows["day"].max()
    if last is None:
        return pl.DataFrame(schema=DOCUMENTS)
    assert isinstance(last, dt.date)
    rows = rows.with_columns(late=pl.col("day") > last - dt.timedelta(days=window))
    asked = rows.unique("trace_id")["late"]
    late, early = int(asked.sum()), int((~asked).sum())
    by = rows.group_by("doc_id").agg(
        window_hits=pl.col("late").sum(), history_hits=(~pl.col("late")).sum(),
    ).with_columns(window_queries=late, history_queries=early)  # fmt: skip
    by = by.with_columns(new=pl.col("history_hits") == 0).sort("doc_id")
    if not early:
        bare = by.with_columns(status=pl.lit("inconclusive"))
        return _schema(bare)
    by = by.with_columns(**_surges(by, late, early))
    by = by.join(_likeness(rows, seed), on="doc_id", how="left")
    surge = pl.col("p_value") < ALPHA
    hub = pl.col("relatedness") < UNRELATED
    known = pl.col("relatedness").is_not_null()
    status = (
        pl.when(surge & hub).then(pl.lit("warn"))
        .when(surge & ~known).then(pl.lit("inconclusive")).otherwise(pl.lit("ok"))
    )  # fmt: skip
    return _schema(by.with_columns(status=status))


def _schema(by: pl.DataFrame) -> pl.DataFrame:
    return shaped(by, DOCUMENTS).sort(
        -badness(), "p_value", "relatedness", "doc_id", nulls_last=True
    )


def _surges(by: pl.DataFrame, late: int, early: int) -> dict[str, pl.Series]:
    """Beta-binomial tails of the hits in the window, by each document's history."""
    before, hits = by["history_hits"].to_numpy(), by["window_hits"].to_numpy()
    # rates move from week to week without an attack: a long history counts as two windows
    trust = min(1.0, 2 * late / early)
    a, b = before * trust + NEW, (early - before) * trust + NEW
    p = stats.betabinom.sf(hits - 1, late, a, b)
    return {
        "expected": pl.Series(late * a / (a + b), dtype=pl.Float64),
        "p_value": pl.Series(holm(np.asarray(p, float).tolist()), dtype=pl.Float64),
    }


def _likeness(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """For each document how alike its questions in the window are, beside random and usual ones.

    By their words, and by the other documents that they bring up, whichever says they are alike.
    """
    known = [_alike(*_words(rows), seed), _alike(*_others(rows), seed)]
    found = pl.concat(known).drop_nulls("relatedness").sort("relatedness", descending=True)
    return found.unique("doc_id", keep="first", maintain_order=True)


def _words(rows: pl.DataFrame) -> tuple[pl.DataFrame, Any, list[str]]:
    """Questions as weighed parts of words; those of a document with its `place` in the matrix."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    told = rows.drop_nulls("question").filter(pl.col("question").str.strip_chars() != "")
    texts = told.unique("trace_id", keep="first", maintain_order=True).with_row_index("place")
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), min_df=2, sublinear_tf=True,
                              max_features=20_000)  # fmt: skip
    matrix: Any = sparse.csr_matrix((0, 0))
    with suppress(ValueError):  # no part of a word stands in two questions
        matrix = vectors.fit_transform(texts["question"].str.head(300).to_list()).tocsr()
    return told.join(texts.select("trace_id", "place"), on="trace_id"), matrix, []


def _others(rows: pl.DataFrame) -> tuple[pl.DataFrame, Any, list[str]]:
    """Requests as the documents that they bring up, rare ones weighing more."""
    traces = rows.select(pl.col("trace_id").unique().sort()).with_row_index("place")
    names = rows["doc_id"].unique().sort()
    told = rows.join(traces, on="trace_id")
    columns = told["doc_id"].cast(pl.Enum(names)).to_physical().to_numpy()
    shares = np.bincount(columns, minlength=len(names)) / max(traces.height, 1)
    shape = (traces.height, len(names))
    weights = np.log(1 / shares[columns]) + 1e-9
    matrix = sparse.csr_matrix((weights, (told["place"].to_numpy(), columns)), shape=shape)
    return told, matrix, names.to_list()


def _alike(told: pl.DataFrame, matrix: Any, names: list[str], seed: int) -> pl.DataFrame:
    """Mean similarities of each document's requests in the window, from 0 (random) to 1 (usual)."""
    columns = {name: i for i, name in enumerate(names)}
    groups = told.group_by("doc_id", "late").agg(pl.col("place").sort()).sort("doc_id", "late")
    means = {
        (name, late): _mean_pair(matrix, np.asarray(places), columns.get(name))
        for name, late, places in groups.rows()
    }
    usual = [m for (_, late), m in means.items() if not late and m is not None]
    chance, n = np.random.default_rng(seed), matrix.shape[0]
    size = min(n, RANDOM)
    draws = [_mean_pair(matrix, chance.choice(n, size, replace=False), None) for _ in range(DRAWS)]
    base = [d for d in draws if d is not None]
    if not (usual and base) or (middle := float(np.median(usual))) <= (low := float(np.mean(base))):
        return pl.DataFrame(schema=LIKENESS)
    found = [
        (name, mean, low, middle, (mean - low) / (middle - low))
        for (name, late), mean in means.items()
        if late and mean is not None
    ]
    return pl.DataFrame(found, schema=LIKENESS, orient="row")


def _mean_pair(matrix: Any, places: Any, without: int | None) -> float | None:
    """The mean cosine over pairs of rows, without the pairs: |sum|² = n + 2 sum of pairs.

    A column `without` says nothing; rows that have no other are left out.
    """
    if places.size < FEWEST:
        return None
    part = matrix[places]
    squares = np.asarray(part.multiply(part).sum(axis=1)).ravel()
    if without is not None:
        own = np.asarray(part[:, [without]].todense()).ravel()
        squares = squares - own**2
    held = squares > 1e-9
    n = int(held.sum())
    if n < FEWEST:
        return None
    scale = sparse.diags(1 / np.sqrt(squares[held]))
    total = np.asarray((scale @ part[held]).sum(axis=0)).ravel()
    if without is not None:
        total[without] = 0
    return float((total @ total - n) / (n * (n - 1)))
