"""One pattern explained: what carries it, where it was learned, and what takes it away."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from aiops_lab.stats.calendar import PERMUTATIONS, chance, contrast, detrended, folded
from aiops_lab.watch.routing import words
from aiops_lab.watch.routing.attributions import attribution_series
from aiops_lab.watch.routing.carriers import (
    Carried,
    Pairs,
    Removed,
    carried,
    counterfactual,
    paired,
)
from aiops_lab.watch.routing.decisions import DAY, Decisions
from aiops_lab.watch.routing.model import Chances, chances_of
from aiops_lab.watch.routing.origin import ORIGIN, origin_days
from aiops_lab.watch.routing.patterns import KEYS, Pattern, period_days, phase

CARRIES = 0.8
"""The carriers are the first features that make up so much of a pattern."""
MOST_CARRIERS = 5
WITHDRAWN = 0.5
"""If less of a pattern goes with its carriers, they are not what carries it."""
GRID = 10
SETTLED = 0.05
CARRIERS = pl.Schema(
    {
        **KEYS, "feature": pl.String, "contribution": pl.Float64, "error": pl.Float64,
        "share": pl.Float64, "p_value": pl.Float64, "attribution": pl.Float64,
        "attribution_p": pl.Float64, "carries": pl.Boolean,
    }
)  # fmt: skip
INTERACTIONS = pl.Schema({**KEYS, "first": pl.String, "second": pl.String, "amount": pl.Float64})
COUNTERFACTUAL = pl.Schema(
    {
        **KEYS, "what": pl.String, "before": pl.Float64, "after": pl.Float64,
        "removed": pl.Float64, "low": pl.Float64, "high": pl.Float64, "holds": pl.Boolean,
    }
)  # fmt: skip
BELIEFS = pl.Schema(
    {**KEYS, "feature": pl.String, "value": pl.String, "share": pl.Float64, "on": pl.Float64}
)


class Explained:
    """Rows gathered of the patterns that are explained."""

    def __init__(self) -> None:
        self._parts: list[tuple[pl.DataFrame, ...]] = []

    def add(self, frames: tuple[pl.DataFrame, ...]) -> None:
        self._parts.append(frames)

    def frames(self) -> tuple[pl.DataFrame, ...]:
        """Carriers, interactions, origin, counterfactual, beliefs."""
        schemas = (CARRIERS, INTERACTIONS, ORIGIN, COUNTERFACTUAL, BELIEFS)
        return tuple(
            pl.concat([pl.DataFrame(schema=schema), *(part[place] for part in self._parts)])
            for place, schema in enumerate(schemas)
        )


def explain(
    one: Pattern, found: Sequence[Pattern], known: Decisions, chances: Chances | None,
    days: pl.DataFrame, learned: tuple[Decisions, Any] | None,
    fit: Callable[[Any], Any] | None, asked: Sequence[str] | None, told: list[Any], seed: int,
) -> tuple[pl.DataFrame, ...]:  # fmt: skip
    key = key_of(one, known)
    option = key["option"]
    same = [other.cell for other in found if other.calendar.name == one.calendar.name
            and other.place == one.place and other.cell != one.cell]  # fmt: skip
    pairs = paired(known, one.calendar, one.cell, others=same, seed=seed)
    by_model = None if chances is None else carried(chances, pairs, known, one.place, seed=seed)
    if by_model is not None:
        told.append(words.reproduced(key, by_model.total, one.contrast.effect))
    carriers = _carriers(key, one, known, by_model, days, option, seed)
    names = list(asked or carriers.filter("carries")["feature"])
    if asked:
        carriers = carriers.with_columns(carries=pl.col("feature").is_in(names))
    interactions = pl.DataFrame(
        [{**key, "first": a, "second": b, "amount": amount}
         for a, b, amount in (by_model.interactions if by_model else ())],
        schema=INTERACTIONS,
    )  # fmt: skip
    origin = pl.DataFrame(schema=ORIGIN)
    if learned is not None and names:
        origin = origin_days(learned[0], key, names, pairs, worse=one.contrast.effect < 0)
    tried = _tried(chances, pairs, known, one.place, names, origin, learned, fit, seed)
    counter = pl.DataFrame(
        [{**key, "what": what, "before": r.before, "after": r.after, "removed": r.removed,
          "low": r.low, "high": r.high, "holds": bool(r.removed >= WITHDRAWN)}
         for what, r in tried],
        schema=COUNTERFACTUAL,
    )  # fmt: skip
    beliefs = _beliefs(key, chances, pairs, known, one.place, names)
    return carriers, interactions, origin, counter, beliefs


def _carriers(
    key: dict[str, Any], one: Pattern, known: Decisions, by_model: Carried | None,
    days: pl.DataFrame, option: str, seed: int,
) -> pl.DataFrame:  # fmt: skip
    """The features of a pattern, the largest first, by the model and by logged attributions."""
    logged = _by_attribution(one, known, days, option, seed)
    if by_model is None:
        rows = [
            {"feature": name, "contribution": effect, "error": error, "p_value": p_value,
             "attribution": effect, "attribution_p": p_value}
            for name, effect, error, p_value in logged
        ]  # fmt: skip
    else:
        beside = {name: (effect, p_value) for name, effect, _, p_value in logged}
        rows = [
            {"feature": name, "contribution": amount, "error": error, "p_value": p_value,
             "attribution": beside.get(name, (None, None))[0],
             "attribution_p": beside.get(name, (None, None))[1]}
            for name, amount, error, p_value in zip(
                by_model.features, by_model.contribution.tolist(), by_model.error.tolist(),
                by_model.p_value.tolist(), strict=True)
        ]  # fmt: skip
    total = sum(row["contribution"] for row in rows)
    told, so_far = [], 0.0
    for row in rows:
        share = row["contribution"] / total if total else None
        with_it = share is not None and share > 0 and row["p_value"] <= SETTLED
        carries = bool(with_it and so_far < CARRIES and len(told) < MOST_CARRIERS)
        so_far += share if carries and share else 0
        told.append({**key, **row, "share": share, "carries": carries})
    return pl.DataFrame(told, schema=CARRIERS)


def _by_attribution(
    one: Pattern, known: Decisions, days: pl.DataFrame, option: str, seed: int
) -> list[tuple[str, float, float, float]]:
    """Feature, effect on its daily mean attribution, its error, p-value; the largest first."""
    if not days.height or len(one.calendar.cells) != len(known.days):
        return []
    own = option if (days["option"] == option).any() else known.options[0]
    names, values = attribution_series(days, known, own)
    seen = np.flatnonzero((~np.isnan(values)).any(axis=1))
    names = [names[place] for place in seen]
    moved = detrended(values[seen], one.calendar.window)
    largest = np.sort(chance(moved, one.calendar, PERMUTATIONS, seed, [one.cell]))
    t = np.abs(np.nan_to_num(folded(moved, one.calendar).t[:, one.cell]))
    p_values = (1 + len(largest) - np.searchsorted(largest, t)) / (len(largest) + 1)
    told = []
    for name, series, p_value in zip(names, values[seen], p_values, strict=True):
        c = contrast(series, one.calendar, one.cell)
        error = c.values.std(ddof=1) / np.sqrt(len(c.values)) if len(c.values) > 1 else np.nan
        told.append((name, c.effect, float(error), float(p_value)))
    return sorted(told, key=lambda row: -abs(row[1]))


def _tried(
    chances: Chances | None, pairs: Pairs, known: Decisions, place: int, names: Sequence[str],
    origin: pl.DataFrame, learned: tuple[Decisions, Any] | None,
    fit: Callable[[Any], Any] | None, seed: int,
) -> list[tuple[str, Removed]]:  # fmt: skip
    """The pattern without its carriers, and by a model that did not see the origin day."""
    if chances is None or not names or not pairs.high.height:
        return []
    tried = [(words.AS_OTHERS,
              counterfactual(chances, pairs, known, place, names, seed=seed))]  # fmt: skip
    if fit is not None and learned is not None and origin.height:
        day = origin["day"][0]
        with threadpool_limits(os.cpu_count()):
            fitted = fit(_given(learned, day))
        again = chances_of(fitted, known)
        tried.append((words.without(day), counterfactual(chances, pairs, known, place, names,
                                                         seed=seed, again=again)))  # fmt: skip
    return tried


def _given(learned: tuple[Decisions, Any], day: Any) -> Any:
    """Training rows without one day, in the library that they came in."""
    import narwhals as nw

    read, given = learned
    kept = read.rows.filter(pl.col(DAY) != day)
    if given is None:
        return kept
    frame = nw.from_native(given)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    own = frame["decision_id"].to_list() if "decision_id" in frame.columns else range(len(frame))
    ids = set(kept["decision_id"])
    return frame.filter([str(each) in ids for each in own]).to_native()


def _beliefs(
    key: dict[str, Any], chances: Chances | None, pairs: Pairs, known: Decisions, place: int,
    names: Sequence[str],
) -> pl.DataFrame:  # fmt: skip
    """Partial dependence of the carriers: the share if everyone had a value."""
    if chances is None or not pairs.high.height:
        return pl.DataFrame(schema=BELIEFS)
    everyone = pl.concat([pairs.high, pairs.low])
    some = everyone.sample(min(everyone.height, 500), seed=0)
    rows = []
    for name in names:
        for value, shown, on in _values(pairs, everyone, name):
            same = some.with_columns(pl.lit(value, everyone.schema[name]).alias(name))
            share = float(chances(same)[:, place].mean())
            rows.append({**key, "feature": name, "value": shown, "share": share, "on": on})
    return pl.DataFrame(rows, schema=BELIEFS)


def _values(pairs: Pairs, everyone: pl.DataFrame, name: str) -> list[tuple[Any, str, float]]:
    """Values of a feature to try, in words, and how often the phase has them (or is below)."""
    own = everyone[name].drop_nulls()
    if own.dtype.is_numeric() and own.n_unique() > GRID:
        grid = [own.quantile(q) for q in np.linspace(0.02, 0.98, GRID)]
        return [(value, f"{value:.4g}", float((pairs.high[name] <= value).mean() or 0))
                for value in dict.fromkeys(grid) if value is not None]  # fmt: skip
    common = own.value_counts(sort=True).head(GRID)[name]
    return [(value, str(value), float((pairs.high[name] == value).mean() or 0))
            for value in common.sort()]  # fmt: skip


def key_of(one: Pattern, known: Decisions) -> dict[str, Any]:
    return {
        "option": known.options[one.place], "calendar": one.calendar.name,
        "period_days": period_days(one.calendar), "phase": phase(one.calendar, one.cell),
    }  # fmt: skip
