"""Attributions of decisions: those that were logged, and those of a model, with their error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from aiops_lab.errors import BadSettings
from aiops_lab.stats.calendar import Bools, Floats
from aiops_lab.stats.shapley import sampled
from aiops_lab.tables import polars_frame
from aiops_lab.watch.routing.decisions import DAY, Decisions, decisions_if_any
from aiops_lab.watch.routing.model import (
    Chances,
    categories_of,
    chances_of,
    coded,
    columns_of,
)
from aiops_lab.wording import figure, listing

LONG = pl.Schema(
    {"decision_id": pl.String, "option": pl.String, "feature": pl.String, "attribution": pl.Float64}
)
DAILY = pl.Schema(
    {
        "day": pl.Date, **dict.fromkeys(("metric", "slice", "option", "feature"), pl.String),
        "n": pl.UInt32, "sum": pl.Float64, "sum_squares": pl.Float64,
    }
)  # fmt: skip
MEANS = {
    **dict.fromkeys(("option", "feature"), pl.String), "n": pl.UInt32,
    **dict.fromkeys(("mean", "error", "size"), pl.Float64),
}  # fmt: skip
PER_DAY = 100
FAR = 1e-6
"""Chances nearer to 0 or 1 are taken for so much."""
ORDERS = 2
TOLERANCE = 1e-5
"""Attributions add up to a score within this part of the scores' spread: boosters have 32 bits."""


def read_attributions(data: Any, decisions: Decisions) -> pl.DataFrame:
    """Logged attributions as decision_id, option, feature, attribution.

    Long (decision_id, feature, attribution, and option where they are of one) or wide (decision_id
    and a column for each feature). Without ``option`` they explain the first in sort order.

    Raises
    ------
    BadSettings
        It is no such table, or none of its decisions are there.
    """
    if callable(getattr(data, "scan", None)):
        frame = data.table("attributions")
    else:
        frame = polars_frame(data, "attributions are a table")
    if "decision_id" not in frame.columns:
        raise BadSettings(
            f"attributions have a column decision_id; there are {listing(frame.columns, 8)}"
        )
    if not {"feature", "attribution"} <= set(frame.columns):
        features = [name for name in decisions.features if name in frame.columns]
        if not features:
            raise BadSettings(
                "attributions have the columns feature and attribution, or a column for each "
                f"feature ({listing(decisions.features)}); there are {listing(frame.columns, 8)}"
            )
        own = [name for name in ("decision_id", "option") if name in frame.columns]
        frame = frame.unpivot(features, index=own, variable_name="feature",
                              value_name="attribution")  # fmt: skip
    if "option" not in frame.columns:
        frame = frame.with_columns(option=pl.lit(None, pl.String))
    rows = frame.select(
        pl.col(name).cast(kind, strict=False) for name, kind in LONG.items()
    ).with_columns(pl.col("option").fill_null(decisions.options[0]))
    known = rows.join(decisions.rows.select("decision_id"), on="decision_id", how="semi")
    known = known.filter(pl.col("attribution").is_finite())
    if rows.height and not known.height:
        raise BadSettings("no decision_id of the attributions is one of the decisions")
    return known.unique(["decision_id", "option", "feature"], keep="first", maintain_order=True)


def logged_attributions(decisions: Any, attributions: Any, known: Decisions) -> pl.DataFrame | None:
    """Those given, else a lab's own; None where there are none."""
    if attributions is None and callable(getattr(decisions, "scan", None)):
        attributions = decisions if decisions.table("attributions").height else None
    if attributions is None:
        return None
    rows = read_attributions(attributions, known)
    return rows if rows.height else None


def attribute_decisions(
    decisions: Any, model: Any = None, *, features: Sequence[str] | None = None,
    context: Sequence[str] = (), timezone: str = "UTC", per_day: int | None = PER_DAY,
    background: Any = None, orders: int = ORDERS, seed: int = 0,
) -> pl.DataFrame:  # fmt: skip
    """Attributions of some decisions of each day: which features moved a model, and how far.

    Exact for boosters of LightGBM and XGBoost (their own ``pred_contrib``) and for linear models;
    of any other model by permutations of the features against other decisions drawn at random
    (interventional Shapley values). One decision's figures are rough then; means of many are what
    counts, and a hundred decisions a day settle them (`mean_attributions` says how well).

    Parameters
    ----------
    decisions, model, features, context, timezone
        As `aiops_lab.find_routing_shifts` takes them. Without a model, the attributions that a
        lab logged; none where there are none.
    per_day
        Decisions explained of each day, drawn at random; all if None.
    background
        Rows of features that decisions are held against; the decisions themselves by default.
    orders
        Orders of the features for each decision, where it is not exact.

    Returns
    -------
    pl.DataFrame
        decision_id, option, feature, attribution: in log-odds of the option, or in chance where a
        model only ever says 0 or 1.

    Raises
    ------
    BadSettings
        A table that cannot be used, or a model that does not answer.

    Examples
    --------
    >>> from datetime import datetime
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1)] * 4, "chosen": ["a", "b"] * 2,
    ...                      "x": [0.0, 1.0, 0.0, 1.0], "y": [1.0, 1.0, 0.0, 0.0]})
    >>> found = attribute_decisions(rows, lambda frame: 0.9 - 0.5 * frame["x"].to_numpy())
    >>> abs(found.filter(feature="y")["attribution"]).max()
    0.0
    """
    known = decisions_if_any(decisions, features=features, context=context, timezone=timezone)
    if isinstance(known, str):
        return pl.DataFrame(schema=LONG)
    if model is None:
        logged = logged_attributions(decisions, None, known)
        return pl.DataFrame(schema=LONG) if logged is None else logged
    return attributions_of(
        model, known, per_day=per_day, background=background, orders=orders, seed=seed
    )


def attributions_of(
    model: Any, known: Decisions, *, per_day: int | None = PER_DAY, background: Any = None,
    orders: int = ORDERS, seed: int = 0,
) -> pl.DataFrame:  # fmt: skip
    """`attribute_decisions` of decisions that were read."""
    drawn = pl.int_range(pl.len()).shuffle(seed).over(DAY)
    own = known.rows if per_day is None else known.rows.filter(drawn < per_day)
    exact = exact_attributions(model, known, own)
    if exact is not None:
        return exact
    beside = known.rows
    if background is not None:
        beside = polars_frame(background, "a background is a table of features")
    random = np.random.default_rng([seed, 5])
    beside = beside[random.integers(0, beside.height, own.height)]
    found = sampled_attributions(
        chances_of(model, known), known.features, own, beside, orders, seed
    )
    names = known.features
    return _long(own, names, {each: found[:, :, n] for n, each in enumerate(known.options)})


def sampled_attributions(
    chances: Chances, names: Sequence[str], own: pl.DataFrame, beside: pl.DataFrame, orders: int,
    seed: int,
) -> Floats:  # fmt: skip
    """Attributions (decisions, features, options) of each row of `own` against one of `beside`."""
    log_odds = not np.isin(chances(own.head(1000)), (0.0, 1.0)).all()

    def worth(mask: Bools) -> Floats:
        mixed = own.with_columns(
            own[name].zip_with(pl.Series(mask[:, place]), beside[name])
            for place, name in enumerate(names)
        )
        said = chances(mixed)
        return special.logit(np.clip(said, FAR, 1 - FAR)) if log_odds else said

    return sampled(worth, own.height, len(names), orders, seed).rows


def exact_attributions(model: Any, known: Decisions, own: pl.DataFrame) -> pl.DataFrame | None:
    """The attributions that a booster tells itself, or a linear model's; None of any other."""
    home = type(model).__module__.partition(".")[0]
    columns = columns_of(model, known)
    if home in ("lightgbm", "xgboost"):
        table = coded(own.select(columns), categories_of(known, columns))
        told = _of_booster(model, home, table)
        told = told if told.ndim == 3 else told.reshape(own.height, -1, len(columns) + 1)
        values = np.moveaxis(told[:, :, :-1], 1, 2)
    elif hasattr(model, "coef_") and hasattr(model, "intercept_"):
        matrix = own.select(columns).to_numpy().astype(float)
        middle = known.rows.select(columns).to_numpy().astype(float).mean(axis=0)
        values = ((matrix - middle)[:, None, :] * np.atleast_2d(model.coef_)).swapaxes(1, 2)
    else:
        return None
    classes = [str(each) for each in getattr(model, "classes_", known.options)]
    if not set(classes) <= set(known.options):
        classes = list(known.options)
    if values.shape[2] == 1 and len(classes) == 2:
        values = np.concatenate([-values, values], axis=2)
    if values.shape[2] != len(classes):
        raise BadSettings(
            f"the model has {values.shape[2]} outputs, and there are {len(known.options)} options"
        )
    return _long(own, columns, {each: values[:, :, n] for n, each in enumerate(classes)})


def _of_booster(model: Any, home: str, table: Any) -> Floats:
    if home == "lightgbm":
        booster = getattr(model, "booster_", model)
        return np.asarray(booster.predict(table, pred_contrib=True))
    import xgboost  # pyright: ignore[reportMissingImports]

    matrix = xgboost.DMatrix(table, enable_categorical=True)
    if not hasattr(model, "get_booster"):
        return np.asarray(model.predict(matrix, pred_contribs=True))
    # a model that stopped early decides by its best trees, where its booster takes all
    best = getattr(model, "best_iteration", None)
    trees = (0, 0 if best is None else best + 1)
    told = model.get_booster().predict(matrix, pred_contribs=True, iteration_range=trees)
    return np.asarray(told)


def _long(own: pl.DataFrame, names: Sequence[str], values: dict[str, Floats]) -> pl.DataFrame:
    """Arrays of shape (decisions, features), one for each option, as a long table."""
    return pl.concat(
        pl.DataFrame(
            {
                "decision_id": own["decision_id"].to_numpy().repeat(len(names)),
                "option": [option] * (own.height * len(names)),
                "feature": np.tile(np.array(names, dtype=object), own.height),
                "attribution": each.ravel(),
            },
            schema=LONG,
        )
        for option, each in values.items()
    )


def mean_attributions(
    attributions: Any, decisions: Any, *, by: Sequence[str] = ("day",), timezone: str = "UTC"
) -> pl.DataFrame:
    """Mean attribution of each feature to each option, with its sampling error.

    By nothing (``by=()``) it is global, by a feature it is that of segments.

    Parameters
    ----------
    attributions, decisions
        As `aiops_lab.find_routing_shifts` takes them.
    by
        Columns of the decisions: day, hour, chosen, a feature (a segment), or none for the whole.

    Returns
    -------
    pl.DataFrame
        the columns `by`, option, feature, n, mean, error (standard, of the decisions drawn), size
        (mean of what is added or taken away, whatever its sign; of sampled ones a little more).
    """
    if isinstance(known := decisions_if_any(decisions, timezone=timezone), str):
        return pl.DataFrame(schema={**dict.fromkeys(by, pl.String), **MEANS})
    told = known.rows.with_columns(
        expression.alias(name)
        for name, expression in (("day", pl.col(DAY)), ("hour", pl.col("at").dt.hour()))
        if name not in known.features
    )
    if missing := [name for name in by if name not in told.columns]:
        raise BadSettings(f"no column {missing[0]!r}; there are {listing(told.columns, 12)}")
    rows = read_attributions(attributions, known).join(
        told.select("decision_id", *by), on="decision_id"
    )
    value = pl.col("attribution")
    return (
        rows.group_by(*by, "option", "feature")
        .agg(
            n=pl.len(),
            mean=value.mean(),
            error=value.std() / pl.len().sqrt(),
            size=value.abs().mean(),
        )
        .sort(*by, "option", "feature")
    )


def daily_attributions(attributions: pl.DataFrame, decisions: Decisions) -> pl.DataFrame:
    """Mean attribution of each feature to each option by the day, as the table ``daily`` has it.

    Returns
    -------
    pl.DataFrame
        day, metric (attribution), slice (option=..., feature=...), option, feature, n, sum,
        sum_squares: what `aiops_lab.detect_shifts` watches.
    """
    rows = attributions.join(decisions.rows.select("decision_id", day=DAY), on="decision_id")
    return (
        rows.group_by("day", "option", "feature")
        .agg(n=pl.len(), sum=pl.col("attribution").sum(),
             sum_squares=(pl.col("attribution") ** 2).sum())
        .with_columns(metric=pl.lit("attribution"),
                      slice=pl.format("option={}, feature={}", "option", "feature"))
        .sort("option", "feature", "day")
        .select("day", "metric", "slice", "option", "feature", "n", "sum", "sum_squares")
    )  # fmt: skip


def attribution_series(
    daily: pl.DataFrame, decisions: Decisions, option: str
) -> tuple[list[str], Floats]:
    """Daily means of one option's attributions (features, days); NaN where there are none."""
    own = daily.filter(pl.col("option") == option)
    names = own["feature"].unique().sort().to_list()
    number = {name: i for i, name in enumerate(names)}
    values = np.full((len(names), len(decisions.days)), np.nan)
    if names:
        day = (own["day"] - decisions.days[0]).dt.total_days().to_numpy()
        place = own["feature"].replace_strict(number, return_dtype=pl.Int64).to_numpy()
        values[place, day] = (own["sum"] / own["n"]).to_numpy()
    return names, values


def additivity(
    attributions: pl.DataFrame, scores: pl.DataFrame, options: Sequence[str]
) -> tuple[str, str, str] | None:
    """Do attributions add up to the score, but for a constant? A check; None where none is logged.

    Parameters
    ----------
    scores
        decision_id, score, as logged; a score between 0 and 1 may be added up to in log-odds.
    """
    if "score" not in scores.columns:
        return None
    option = options[0]
    sums = attributions.filter(pl.col("option") == option).group_by("decision_id").agg(
        pl.col("attribution").sum()
    )  # fmt: skip
    own = sums.join(scores.select("decision_id", "score").drop_nulls(), on="decision_id")
    if own.height < 2:
        return None
    score, total = own["score"].to_numpy(), own["attribution"].to_numpy()
    forms = [score]
    if ((score > 0) & (score < 1)).all():
        forms.append(np.log(score / (1 - score)))
    spread, off = min(
        ((float(form.std()), np.abs(form - total - np.median(form - total))) for form in forms),
        key=lambda one: one[1].mean() / max(one[0], 1e-12),
    )
    far = float(np.quantile(off, 0.95))
    if far <= TOLERANCE * max(spread, 1.0):
        return "additivity", "ok", "the attributions of each decision add up to its score"
    return (
        "additivity", "warn",
        f"the attributions of a decision do not add up to its score: they miss it by up to "
        f"{figure(far)} in 95 % of decisions (scores spread by {figure(spread)})",
    )  # fmt: skip
