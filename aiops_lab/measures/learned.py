"""A team's own detector of refusals, learned from its labelled answers, beside the phrase rule.

Hashed words and pairs of words of an answer's opening, and a logistic regression. What is kept is a
JSON of numbers: nothing in it is run, and no word of an answer can be read in it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.measures.refusal import opening_of

SIZE = 2**16
FOLDS = 5
FEWEST = 20
MOST_BYTES = 10_000_000
STRENGTH = 10.0
TOKEN = r"(?u)[\u3040-\u30ff\u4e00-\u9fff]|[^\W\u3040-\u30ff\u4e00-\u9fff]+"
"""A word; of Chinese and Japanese, which have no spaces, a sign."""
Floats = NDArray[np.float64]


class RefusalModel(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A detector that `learn_refusals` made, with how often it was right on answers kept aside."""

    places: list[int]
    weights: list[float]
    limit: float
    true_positives: int
    positives: int
    true_negatives: int
    negatives: int

    def __post_init__(self) -> None:
        known = len(self.places) == len(self.weights) and np.isfinite([*self.weights, self.limit])
        if not np.all(known) or not all(0 <= place < SIZE for place in self.places):
            raise ValueError(f"places below {SIZE} and as many finite weights are wanted")
        pairs = (self.true_positives, self.positives), (self.true_negatives, self.negatives)
        if not all(0 <= right <= n and n for right, n in pairs):
            raise ValueError("more answers told rightly than there are")

    @property
    def version(self) -> int:
        """A number of its own for each detector, which every summary keeps."""
        return int.from_bytes(hashlib.sha256(msgspec.json.encode(self)).digest()[:4]) >> 1

    @property
    def rates(self) -> pl.DataFrame:
        """rate (true_positive, false_positive), value, low, high (exact, 95 %), n; kept aside."""
        from aiops_lab.stats.score import exact_share_interval

        wrong = self.negatives - self.true_negatives
        rows = [
            (name, hits / n, *exact_share_interval(hits, n, 0.95), n)
            for name, hits, n in (("true_positive", self.true_positives, self.positives),
                                  ("false_positive", wrong, self.negatives))
        ]  # fmt: skip
        return pl.DataFrame(rows, schema=["rate", "value", "low", "high", "n"], orient="row")

    def of(self, texts: pl.Series) -> pl.Series:
        """Which texts decline: true, false, or null where there is none."""
        opening, weights = opening_of(texts), np.zeros(SIZE)
        weights[self.places] = self.weights
        told = _grams(opening.fill_null("").to_list()) @ weights > self.limit
        found = pl.select(pl.when(opening.is_not_null()).then(pl.Series(told, dtype=pl.Boolean)))
        return found.to_series().alias(texts.name)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, for ``[traffic] refusals`` of ``lab.toml`` and `load_refusals`."""
        part = Path(f"{os.fspath(path)}.part")
        part.write_bytes(msgspec.json.encode(self))
        part.replace(path)


def load_refusals(path: str | os.PathLike[str]) -> RefusalModel:
    """A detector that was saved.

    Raises
    ------
    BadSettings
        The file is not there, or is no such detector.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"longer than {MOST_BYTES:,} bytes")
        return msgspec.json.decode(data, type=RefusalModel)
    except (OSError, ValueError) as error:
        raise BadSettings(f"{Path(path).name!r} holds no detector of refusals: {error}") from None


def learn_refusals(
    labelled: Any, *, by: str | None = None, most_false: float = 0.02, seed: int = 0
) -> RefusalModel:
    """Learn what a refusal is from answers that people labelled.

    It knows the phrases of the models that it was shown, and finds few of a new one's: keep the
    phrase rule beside it, and watch how often the two differ.

    Parameters
    ----------
    labelled
        A frame of any library that Narwhals knows with `output` (texts) and `refusal` (true or
        false); 20 of each kind at least, 100 to know its rates. What misses one is left out.
    by
        A column such as ``model``, none of whose values is on both sides: the rates are then those
        on a model that was not seen.
    most_false
        The share of answers that may be called refusals wrongly.

    Returns
    -------
    RefusalModel
        `rates` are of answers kept aside, in five parts, by limits set on the others.

    Raises
    ------
    BadSettings
        Columns or labels that cannot be used, or too few.

    Examples
    --------
    >>> said = [f"{text} {n}." for text in ("I would rather not say", "It opens at")
    ...         for n in range(30)]
    >>> truth = [True] * 30 + [False] * 30
    >>> found = learn_refusals(pl.DataFrame({"output": said, "refusal": truth}))
    >>> found.of(pl.Series(["I would rather not.", "It opens at nine.", None])).to_list()
    [True, False, None]
    """
    from sklearn.model_selection import StratifiedGroupKFold

    texts, truth, groups = _labelled(labelled, by)
    grams = _grams(texts)
    places = np.unique(grams.indices)
    rows, held, part = grams[:, places], np.empty(truth.size), np.empty(truth.size, int)
    unknown = np.empty(FOLDS)  # what a text without a known word has
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (fitted, out) in enumerate(folds.split(rows, truth, groups)):
        weights, start = _fitted(rows[fitted], truth[fitted])
        held[out], part[out], unknown[number] = rows[out] @ weights + start, number, start
    limits = np.array([_limit(held[(part != n) & ~truth], most_false) for n in range(FOLDS)])
    right = (held > np.maximum(limits, unknown)[part]) == truth
    weights, start = _fitted(rows, truth)
    limit = max(0.0, _limit(held[~truth], most_false) - start)
    return RefusalModel(
        places.tolist(), weights.round(5).tolist(), limit,
        int(right[truth].sum()), int(truth.sum()), int(right[~truth].sum()), int((~truth).sum()),
    )  # fmt: skip


def _labelled(given: Any, by: str | None) -> tuple[list[str], NDArray[np.bool_], NDArray]:
    """Openings, labels, and what must stay on one side; the same opening is there once a label."""
    try:
        frame = nw.from_native(given).lazy().collect("polars").to_native()
    except TypeError:
        raise BadSettings("labelled answers are a frame with output and refusal") from None
    for name in ("output", "refusal", *([by] if by else [])):
        if name not in frame.columns:
            raise BadSettings(f"labelled answers have no column {name!r}")
    said = frame["refusal"].drop_nulls()
    if said.dtype != pl.Boolean and not (said.dtype.is_numeric() and said.is_in([0, 1]).all()):
        raise BadSettings("refusal is true or false")
    rows = frame.drop_nulls(["output", "refusal"]).with_columns(pl.col("refusal").cast(pl.Boolean))
    rows = rows.with_columns(opening=opening_of(rows["output"].cast(pl.String)))
    rows = rows.unique(["opening", "refusal"], keep="first", maintain_order=True)
    truth, groups = rows["refusal"].to_numpy(), rows[by or "opening"].rank("dense").to_numpy()
    fewest = min(int(truth.sum()), int((~truth).sum()))
    if fewest < FEWEST or np.unique(groups).size < FOLDS:
        raise BadSettings(
            f"{truth.size} different answers, {int(truth.sum())} of them refusals: {FEWEST} of each"
            " kind are needed" + (f", and {FOLDS} different {by!r}" if by else "")
        )
    return rows["opening"].to_list(), truth, groups


def _grams(texts: list[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    made = HashingVectorizer(
        token_pattern=TOKEN, ngram_range=(1, 2), n_features=SIZE, alternate_sign=False
    )
    return made.transform([*texts, ""])[:-1]  # it takes no empty list


def _fitted(rows: Any, truth: NDArray[np.bool_]) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    if truth.all() or not truth.any():
        raise BadSettings("without one part of them, all labelled answers are of one kind")
    made = LogisticRegression(C=STRENGTH, max_iter=1_000).fit(rows, truth)
    return made.coef_[0], float(made.intercept_[0])


def _limit(answered: Floats, most_false: float) -> float:
    """The score, at least even odds, above which at most such a share of ordinary answers lies."""
    return max(0.0, float(np.quantile(answered, 1 - most_false, method="higher")))
