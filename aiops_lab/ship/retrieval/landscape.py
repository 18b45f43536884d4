"""Where chunks and questions lie: is a question nearer to other passages than to its own?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.ship.retrieval.search import meanings, unit, vectors_of
from aiops_lab.tables import schema_of

MOST = 1_500
"""So many points are placed; of more chunks every so many-th, those with gold all."""
NEIGHBOURS = 30
HEAD = 160
LANDSCAPE = schema_of(
    "kind id text state doc_id x:float y:float own:float nearest:float nearest_id"
)


def landscape(
    result: Retrieval,
    experiment: str,
    embed: Callable[[Sequence[str]], Any] | None = None,
    *,
    seed: int = 0,
) -> pl.DataFrame:
    """Chunks and questions of one configuration on a plane.

    Parameters
    ----------
    experiment
        The configuration whose chunks are placed.
    embed
        A list of texts to a vector each; by default latent semantic analysis of the words, which
        knows nothing of what the configuration's own embedder sees.
    seed
        Of the placing (t-SNE, van der Maaten and Hinton 2008): near points are alike, distances
        between groups and the axes mean nothing.

    Returns
    -------
    pl.DataFrame
        kind (chunk or question), id, text (its head), doc_id, x, y; of a chunk state (gold or
        other); of a question state (found: half of its gold or more came back at k; missed), own
        and nearest (cosine to the nearest chunk with its gold, and to the nearest of all chunks)
        and nearest_id.

    Raises
    ------
    BadSettings
        There is no such experiment, or its texts are not known.
    """
    if result.corpus is None:
        raise BadSettings("the texts are not known: give the corpus to place them")
    if experiment not in result.configurations["experiment_id"]:
        raise BadSettings(f"no experiment {experiment!r}")
    chunks, asked = result.chunks.filter(experiment_id=experiment), _asked(result, experiment)
    if not (asked.height and chunks.height):
        return pl.DataFrame(schema=LANDSCAPE)
    holding = chunks.join_where(
        result.gold.drop_nulls("start").rename({"doc_id": "in", "start": "low", "end": "high"}),
        pl.col("doc_id") == pl.col("in"), pl.col("start") < pl.col("high"),
        pl.col("end") > pl.col("low"),
    ).select("chunk_id", "question_id")  # fmt: skip
    golden = pl.col("chunk_id").is_in(holding["chunk_id"].unique().implode())
    texts = dict(result.corpus.texts())
    spans = chunks.select("doc_id", "start", "end").iter_rows()
    bodies = [texts[doc_id][start:end] for doc_id, start, end in spans]
    if (both := _vectors(bodies, asked["text"].to_list(), embed)) is None:
        return pl.DataFrame(schema=LANDSCAPE)
    one, two = both
    near = two @ one.T
    every = max(1, -(-chunks.height // MOST))
    drawn = chunks.select(golden | (pl.int_range(pl.len()) % every == 0)).to_series()
    place = _placed(np.concatenate([one[drawn.to_numpy()], two]), seed)
    points = pl.DataFrame({"x": place[:, 0], "y": place[:, 1]})
    state = pl.when(golden).then(pl.lit("gold")).otherwise(pl.lit("other"))
    found = pl.when(pl.col("recall") >= 0.5).then(pl.lit("found")).otherwise(pl.lit("missed"))
    parts = [
        chunks.select(
            pl.lit("chunk").alias("kind"), pl.col("chunk_id").alias("id"), "doc_id",
            pl.Series("text", [text[:HEAD] for text in bodies]), state.alias("state"),
        ).filter(drawn),
        asked.select(
            pl.lit("question").alias("kind"), pl.col("question_id").alias("id"),
            pl.col("text").str.slice(0, HEAD), found.alias("state"),
            pl.Series("own", _nearest_own(near, holding, asked, chunks), nan_to_null=True),
            pl.Series("nearest", near.max(axis=1)),
            chunks["chunk_id"].gather(near.argmax(axis=1)).alias("nearest_id"),
        ),
    ]  # fmt: skip
    rows = pl.concat(parts, how="diagonal").hstack(points)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in LANDSCAPE.items())


def _asked(result: Retrieval, experiment: str) -> pl.DataFrame:
    """The questions with a text and gold, and how much of it this configuration found."""
    recall = result.per_question.filter(experiment_id=experiment).drop_nulls("recall")
    return (
        result.questions.drop_nulls("text")
        .join(recall.select("question_id", "recall"), on="question_id", maintain_order="left")
        .head(MOST)
    )


def _vectors(
    bodies: list[str], queries: list[str], embed: Callable[[Sequence[str]], Any] | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Chunks and questions as vectors of length 1; None where there are no words."""
    if embed is not None:
        both = tuple(vectors_of(embed(some), "embed") for some in (bodies, queries))
    elif (both := meanings(bodies, queries)) is None:
        return None
    one, two = (unit(np.asarray(some, dtype=float)) for some in both)
    if one.shape[1] != two.shape[1]:
        raise BadSettings(f"embed gave {one.shape[1]} dimensions for chunks, {two.shape[1]} else")
    return one, two


def _nearest_own(
    near: np.ndarray, holding: pl.DataFrame, asked: pl.DataFrame, chunks: pl.DataFrame
) -> np.ndarray:
    """How near each question's nearest chunk with its gold is."""
    rows, columns = (
        holding.join(frame.with_row_index(name).select(key, name), on=key, how="inner")
        for frame, name, key in ((asked, "row", "question_id"), (chunks, "column", "chunk_id"))
    )
    cells = rows.join(columns, on=["question_id", "chunk_id"])
    own = np.full(near.shape, np.nan)
    at = cells["row"].to_numpy(), cells["column"].to_numpy()
    own[at] = near[at]
    return np.fmax.reduce(own, axis=1)


def _placed(vectors: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = len(vectors)
    if count < 10 or vectors.shape[1] < 2:
        flat = np.zeros((count, 2))
        flat[:, : min(2, vectors.shape[1])] = vectors[:, :2]
        return flat
    with np.errstate(invalid="ignore"):  # all alike: the share of nothing
        start = PCA(2, random_state=seed).fit_transform(vectors)
    start = start / (np.std(start[:, 0]) or 1.0) * 1e-4
    tsne = TSNE(
        2, perplexity=min(NEIGHBOURS, (count - 1) / 3), init=start, random_state=seed, n_jobs=1
    )
    return tsne.fit_transform(vectors)
