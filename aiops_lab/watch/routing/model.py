"""A model as the user has it, asked for the chance of each option."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.stats.calendar import Floats
from aiops_lab.watch.routing.decisions import Decisions

Chances = Callable[[pl.DataFrame], Floats]
"""Features of some decisions -> chance of each option, shape (rows, options)."""
LARGEST = 100_000
"""Rows given to a model at once."""
NAMES = ("feature_names_in_", "feature_name_", "feature_names", "feature_name")
UNKNOWN, MOST = "", 200
ROWS, TREES = 20_000, 100
"""What an imitation is learned from, and how large it is."""
BOOSTERS = ("lightgbm", "xgboost")
"""Their labels are numbers, so that one number a row is the chance of the second option."""


def chances_of(model: Any, decisions: Decisions) -> Chances:
    """What a model says of each option.

    Parameters
    ----------
    model
        Any object with ``predict_proba`` or ``predict``, or a function of a frame of the features:
        one number or label a row, or one number for each option. It gets a frame of the library
        that the decisions came in, else pandas, with texts as categories if need be, else an array,
        whichever it takes first.

    Returns
    -------
    Chances
        Rows that add up to 1 are chances; else the largest number of a row is what is chosen. One
        number a row is the chance of the first option in sort order (of the second for a model with
        classes and for boosters of LightGBM and XGBoost), of two.

    Raises
    ------
    BadSettings
        It is no such thing, or does not answer for these features.
    """
    ask = _asked(model, decisions)

    def chances(frame: pl.DataFrame) -> Floats:
        parts = [ask(part) for part in frame.iter_slices(LARGEST)]
        return np.concatenate(parts) if parts else np.zeros((0, len(decisions.options)))

    chances(decisions.rows.head(2))
    return chances


def _asked(model: Any, decisions: Decisions) -> Chances:
    # XGBoost's booster has a `predict` that takes its own matrices alone
    asks = ("predict_proba", "inplace_predict", "predict")
    call = next((getattr(model, name) for name in asks if callable(getattr(model, name, None))),
                model)  # fmt: skip
    if not callable(call):
        raise BadSettings(
            f"a model is a function, or has predict_proba or predict; this is a "
            f"{type(model).__name__}"
        )
    columns = columns_of(model, decisions)
    forms = dict.fromkeys((_form(decisions.native), "pandas", "categories", "array"))
    known = categories_of(decisions, columns)
    taken: list[str] = []

    def ask(frame: pl.DataFrame) -> Floats:
        errors = []
        for form in taken or forms:
            try:
                said = call(_given(frame.select(columns), form, known))
            except Exception as error:  # each library refuses in its own way
                errors.append(f"{form}: {type(error).__name__}: {error}")
                continue
            taken[:] = [form]
            return _chances(said, frame.height, decisions.options, model)
        raise BadSettings(f"the model does not answer for these features ({errors[0][:300]})")

    return ask


def columns_of(model: Any, decisions: Decisions) -> list[str]:
    """The columns that a model wants, if it says so; else the features and the context."""
    for name in NAMES:
        said: Any = getattr(model, name, None)
        said = said() if callable(said) else said
        if said is not None and set(map(str, said)) <= {*decisions.features, *decisions.context}:
            return list(map(str, said))
    return [*dict.fromkeys((*decisions.features, *decisions.context))]


def _form(native: Any) -> str:
    return {"polars": "polars", "pandas": "pandas", "pyarrow": "pyarrow"}.get(
        getattr(native, "__name__", ""), "polars"
    )


def categories_of(decisions: Decisions, columns: Sequence[str]) -> dict[str, list[str]]:
    """The texts of each column of texts, as pandas sorts its categories."""
    found = {}
    for name in columns:
        values = decisions.rows[name]
        if isinstance(values.dtype, pl.Enum):
            found[name] = values.dtype.categories.to_list()
        elif values.dtype in (pl.String, pl.Categorical):
            found[name] = values.cast(pl.String).drop_nulls().unique().sort().to_list()
    return found


def coded(frame: pl.DataFrame, categories: dict[str, list[str]]) -> Any:
    """A pandas frame as boosters take it: texts are categories, what is unknown is NaN."""
    import pandas as pd

    known = frame.with_columns(pl.col(pl.Boolean, pl.Null).cast(pl.Float64))
    table = pd.DataFrame(known.to_dict(as_series=False))
    texts = {name: pd.Categorical(table[name], each) for name, each in categories.items()}
    return table.assign(**texts)


def _given(frame: pl.DataFrame, form: str, categories: dict[str, list[str]]) -> Any:
    if form == "polars":
        return frame
    if form == "pyarrow":
        return frame.to_arrow()
    if form == "array":
        return frame.to_numpy()
    if form == "categories":
        return coded(frame, categories)
    import pandas as pd

    # without PyArrow, which Polars' own conversion would ask for
    return pd.DataFrame(frame.to_dict(as_series=False))


def _chances(said: Any, rows: int, options: Sequence[str], model: Any) -> Floats:
    if isinstance(said, nw.DataFrame | nw.Series) or hasattr(said, "to_numpy"):
        said = said.to_numpy()
    given = np.asarray(said)
    classes = getattr(model, "classes_", None)
    if given.shape[0] != rows:
        raise BadSettings(f"the model gave {given.shape[0]} answers for {rows} decisions")
    if given.ndim == 1 and given.dtype.kind in "OUS":
        return (given[:, None].astype(str) == np.asarray(options)).astype(float)
    given = given.astype(float)
    if given.ndim == 1 or given.shape[1] == 1:
        found = _of_two(given.reshape(-1), options, classes)
        second = classes is None and type(model).__module__.partition(".")[0] in BOOSTERS
        return found[:, ::-1] if second else found
    if classes is not None and set(map(str, classes)) >= set(options):
        order = [list(map(str, classes)).index(option) for option in options]
        given = given[:, order]
    if given.shape[1] != len(options):
        raise BadSettings(
            f"the model gave {given.shape[1]} numbers a decision; there are {len(options)} "
            f"options, in the order {', '.join(options[:8])}"
        )
    if (given >= 0).all() and np.allclose(given.sum(axis=1), 1, atol=1e-6):
        return given
    return (given.argmax(axis=1)[:, None] == np.arange(len(options))).astype(float)


def _of_two(given: Floats, options: Sequence[str], classes: Any) -> Floats:
    if len(options) != 2:
        raise BadSettings(
            f"the model gave one number a decision; there are {len(options)} options, so it has to "
            f"give {len(options)}, in the order {', '.join(options[:8])}"
        )
    if classes is not None and set(map(str, classes)) == set(options):  # labels as numbers
        first = (given.astype(str) == options[0]).astype(float)
    elif ((given >= 0) & (given <= 1)).all():
        first = given
    else:
        first = 1 / (1 + np.exp(-np.clip(given, -700, 700)))
    return np.column_stack([first, 1 - first])


def imitation(decisions: Decisions, seed: int = 0) -> tuple[Chances, float]:
    """A model of our own that imitates the choices, and how well it does.

    Gradient-boosted trees on up to 20,000 decisions, the features as they were logged.

    Returns
    -------
    chances, float
        The share of what the options' shares leave open (deviance) that it explains on decisions
        that it has not seen.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = decisions.rows.sample(min(2 * ROWS, decisions.rows.height), seed=seed, shuffle=True)
    codes = _codes(decisions)
    used = [c for c in decisions.features if rows.head(rows.height // 2)[c].n_unique() > 1]
    texts = [name in codes for name in used]
    number = {option: i for i, option in enumerate(decisions.options)}
    which = rows["chosen"].replace_strict(number, return_dtype=pl.Int64).to_numpy()
    half = rows.height // 2
    matrix = _matrix(rows, used, codes)
    settings: dict[str, Any] = {
        "categorical_features": texts if any(texts) else None, "early_stopping": False,
    }  # fmt: skip
    trees = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=8, learning_rate=0.1, min_samples_leaf=50,
        random_state=seed, **settings,
    )  # fmt: skip
    trees.fit(matrix[:half], which[:half])

    def chances(frame: pl.DataFrame) -> Floats:
        told = trees.predict_proba(_matrix(frame, used, codes))
        found = np.zeros((frame.height, len(number)))
        found[:, np.asarray(trees.classes_)] = np.asarray(told)
        return found

    told = chances(rows.slice(half))[np.arange(rows.height - half), which[half:]]
    usual = np.bincount(which[:half], minlength=len(number)) / half
    open_ = -np.log(np.maximum(usual[which[half:]], 1e-12)).mean()
    left = -np.log(np.maximum(told, 1e-12)).mean()
    return chances, float(1 - left / open_) if open_ > 0 else 0.0


def _codes(decisions: Decisions) -> dict[str, dict[Any, float]]:
    """Texts as numbers: the commonest of each feature; that there is none is one of them."""
    found = {}
    for name in decisions.features:
        values = decisions.rows[name]
        if not values.dtype.is_numeric() and values.dtype != pl.Boolean:
            told = values.cast(pl.String).fill_null(UNKNOWN).alias(name)
            common = told.value_counts(sort=True).sort("count", name, descending=[True, False])
            found[name] = {value: float(i) for i, value in enumerate(common[name].head(MOST))}
    return found


def _matrix(frame: pl.DataFrame, used: Sequence[str], codes: dict[str, Any]) -> Floats:
    return frame.select(
        pl.col(name).cast(pl.String).fill_null(UNKNOWN).replace_strict(
            codes[name], default=None, return_dtype=pl.Float64
        )
        if name in codes
        else pl.col(name).cast(pl.Float64)
        for name in used
    ).to_numpy()  # fmt: skip
