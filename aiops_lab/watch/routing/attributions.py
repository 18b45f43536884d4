"""Attributions of decisions: those that were logged, and those of a model, with their error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.sources.flat import polars_frame
from aiops_lab.stats.calendar import Bools, Floats
from aiops_lab.stats.shapley import shared
from aiops_lab.watch.routing.decisions import Decisions
from aiops_lab.wording import figure, listing

LONG = pl.Schema(
    {"decision_id": pl.String, "option": pl.String, "feature": pl.String, "attribution": pl.Float64}
)
PER_DAY = 100
ORDERS = 2
TOLERANCE = 1e-6
"""Attributions add up to a score within this part of the scores' spread."""


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


def explain_decisions(
    decisions: Decisions, predict: Callable[[pl.DataFrame], Any], *, per_day: int = PER_DAY,
    orders: int = ORDERS, seed: int = 0,
) -> pl.DataFrame:  # fmt: skip
    """Attributions of some decisions of each day, by permutations of the features.

    Against a decision drawn at random for each (the interventional Shapley value); the means of
    many are what counts, and a few thousand a day settle them.

    Parameters
    ----------
    predict
        Takes a frame of features, returns (rows,) or (rows, options) numbers.
    per_day
        Decisions explained of each day; all where there are fewer.

    Returns
    -------
    pl.DataFrame
        decision_id, option, feature, attribution: in the unit of what `predict` returns.
    """
    rows = decisions.rows.with_row_index("place")
    chosen = rows.filter(pl.int_range(pl.len()).shuffle(seed).over("day") < per_day)["place"]
    random = np.random.default_rng([seed, 5])
    beside = decisions.rows[random.integers(0, decisions.rows.height, chosen.len())]
    own = decisions.rows[chosen]
    names = decisions.features

    def worth(mask: Bools) -> Floats:
        moved = [name for name, there in zip(names, mask, strict=True) if there]
        return np.asarray(predict(beside.with_columns(own[name] for name in moved)), float)

    found = shared(worth, len(names), orders, seed).rows
    several = found if found.ndim == 3 else found[..., None]
    options = decisions.options[: several.shape[2]]
    return pl.concat(
        pl.DataFrame(
            {
                "decision_id": own["decision_id"].to_numpy().repeat(len(names)),
                "option": [option] * (own.height * len(names)),
                "feature": np.tile(np.array(names), own.height),
                "attribution": several[:, :, number].ravel(),
            },
            schema=LONG,
        )
        for number, option in enumerate(options)
    )


def daily_attributions(attributions: pl.DataFrame, decisions: Decisions) -> pl.DataFrame:
    """Mean attribution of each feature to each option by the day, as the table ``daily`` has it.

    Returns
    -------
    pl.DataFrame
        day, metric (attribution), slice (option=..., feature=...), option, feature, n, sum,
        sum_squares: what `aiops_lab.detect_shifts` watches.
    """
    rows = attributions.join(decisions.rows.select("decision_id", "day"), on="decision_id")
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
