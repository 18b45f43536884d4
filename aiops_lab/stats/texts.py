"""Do two samples of texts come from one source? A classifier two-sample test, and the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.stats.multiple import benjamini_hochberg

MOST = 1_500
"""So many texts of each side are compared; of more, a random part."""
FEWEST = 20
FOLDS = 5
RIDGE = 1.0
WORD = r"(?u)\b\w[\w'-]*\b"
LONGEST = 2_000
"""So many characters of a text are read."""


@dataclass(frozen=True)
class TextShift:
    """Whether texts changed.

    Attributes
    ----------
    auc
        How well texts of both sides can be told apart by their character n-grams: 0.5 is not at
        all, 1 without a mistake.
    p_value
        The chance of an AUC as large if both sides came from one source.
    n_before, n_after
        Texts compared.
    words
        word, before, after (shares of texts that hold it), difference, p_value, p_adjusted
        (Benjamini-Hochberg), the surest first.
    """

    auc: float
    p_value: float
    n_before: int
    n_after: int
    words: pl.DataFrame


def text_shift(
    before: Sequence[str], after: Sequence[str], *, permutations: int = 199, seed: int = 0
) -> TextShift:
    """Compare two samples of texts.

    A kernel ridge classifier on character n-grams (2 to 4) is asked about texts that it was not
    fitted to, fold by fold. Its answers are linear in the labels, so that all permutations of the
    labels cost one matrix product, and the test is exact whatever the texts are. Source: Lopez-Paz
    and Oquab 2017, "Revisiting classifier two-sample tests"; Kim et al. 2021 on permuting.

    Raises
    ------
    BadSettings
        Fewer than 20 texts on a side.

    Examples
    --------
    >>> old = [f"The kiosk on quay {n} opens at six." for n in range(30)]
    >>> new = [f"I'm sorry, quay {n} is not something I can discuss." for n in range(30)]
    >>> found = text_shift(old, new)
    >>> found.auc, found.p_value, found.words["word"][0]
    (1.0, 0.005, 'at')
    """
    chance = np.random.default_rng(seed)
    sides = [_some(texts, chance) for texts in (before, after)]
    if min(map(len, sides)) < FEWEST:
        raise BadSettings(
            f"{len(sides[0])} and {len(sides[1])} texts: {FEWEST} on each side are needed"
        )
    texts = [text[:LONGEST] for side in sides for text in side]
    labels = np.repeat([0.0, 1.0], [len(side) for side in sides])
    every = np.stack([labels, *(chance.permutation(labels) for _ in range(permutations))], axis=1)
    scores = _held_out(texts, every, chance)
    found = _auc(scores, every)
    p_value = (1 + (found[1:] >= found[0] - 1e-12).sum()) / (1 + permutations)
    words = _words(texts, labels)
    return TextShift(float(found[0]), float(p_value), len(sides[0]), len(sides[1]), words)


def _some(texts: Sequence[str], chance: np.random.Generator) -> list[str]:
    known = [text for text in texts if isinstance(text, str)]
    if len(known) <= MOST:
        return known
    return [known[i] for i in np.sort(chance.choice(len(known), MOST, replace=False))]


def _held_out(
    texts: list[str], labels: NDArray[np.float64], chance: np.random.Generator
) -> NDArray[np.float64]:
    """What the classifier says of each text for each column of labels, not having seen it."""
    from sklearn.feature_extraction.text import HashingVectorizer

    made = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=2**16)
    rows: Any = made.transform(texts)
    kernel = (rows @ rows.T).toarray()
    folds = chance.permutation(len(texts)) % FOLDS
    scores = np.empty_like(labels)
    for fold in range(FOLDS):
        out, fitted = folds == fold, folds != fold
        own = kernel[np.ix_(fitted, fitted)]
        own[np.diag_indices_from(own)] += RIDGE
        centred = labels[fitted] - labels[fitted].mean(0)
        scores[out] = kernel[np.ix_(out, fitted)] @ np.linalg.solve(own, centred)
    return scores


def _auc(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under each curve, from the sum of ranks (Mann and Whitney)."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=0)
    ones = labels.sum(0)
    zeros = len(labels) - ones
    return ((ranks * labels).sum(0) - ones * (ones + 1) / 2) / (ones * zeros)


def _words(texts: list[str], labels: NDArray[np.float64]) -> pl.DataFrame:
    """The words that more or fewer texts hold now: pooled two-proportion tests."""
    from scipy.stats import norm
    from sklearn.feature_extraction.text import CountVectorizer

    schema = {"word": pl.String} | dict.fromkeys(
        ("before", "after", "difference", "p_value", "p_adjusted"), pl.Float64
    )
    made = CountVectorizer(binary=True, token_pattern=WORD, min_df=3)
    try:
        held: Any = made.fit_transform(texts)
    except ValueError:  # no word is in three texts
        return pl.DataFrame(schema=schema)
    after, n = np.asarray(held.T @ labels).ravel(), labels.sum()
    total, m = np.asarray(held.sum(0)).ravel(), len(labels) - labels.sum()
    one, two = (total - after) / m, after / n
    pooled = total / len(labels)
    error = np.sqrt(pooled * (1 - pooled) * (1 / m + 1 / n))
    z = np.divide(two - one, error, out=np.zeros_like(one), where=error > 0)
    p = 2 * norm.sf(np.abs(z))
    frame = pl.DataFrame(
        {"word": made.get_feature_names_out().tolist(), "before": one, "after": two,
         "difference": two - one, "p_value": p, "p_adjusted": benjamini_hochberg(p.tolist())},
        schema=schema,
    )  # fmt: skip
    return frame.sort("p_value", "word")
