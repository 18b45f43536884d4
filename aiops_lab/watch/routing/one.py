"""Why was one decision made? The inputs with most influence on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.watch.routing.attributions import (
    LONG,
    exact_attributions,
    logged_attributions,
    sampled_attributions,
)
from aiops_lab.watch.routing.decisions import DAY, Decisions, decisions_if_any
from aiops_lab.watch.routing.find import RoutingShifts
from aiops_lab.watch.routing.model import chances_of
from aiops_lab.watch.routing.patterns import WEEKDAYS
from aiops_lab.wording import listing

ORDERS = 400
"""Orders of the features, each against another decision: errors are a twentieth of a spread."""
EXPLAINED = pl.Schema(
    {
        "decision_id": pl.String, "at": pl.Datetime("us"), "chosen": pl.String,
        "option": pl.String, "feature": pl.String, "value": pl.String, "attribution": pl.Float64,
        "error": pl.Float64,
    }
)  # fmt: skip


def explain_decision(
    decisions: Any, decision: str | RoutingShifts | None = None, attributions: Any = None,
    model: Any = None, *, features: Sequence[str] | None = None, context: Sequence[str] = (),
    timezone: str = "UTC", orders: int = ORDERS, seed: int = 0,
) -> pl.DataFrame:  # fmt: skip
    """What each feature added to one decision, for each option.

    Parameters
    ----------
    decisions, attributions, model, features, context, timezone
        As `aiops_lab.find_routing_shifts` takes them. Logged attributions are told as they are;
        the model is asked where this decision has none. Without either the frame is empty.
    decision
        A decision_id; or what `find_routing_shifts` found: the last decision that its largest
        pattern is about. The newest decision by default.
    orders
        Orders of the features drawn, where a model's attributions are not exact.

    Returns
    -------
    pl.DataFrame
        decision_id, at (local), chosen, option, feature, value (as text), attribution (as
        `aiops_lab.attribute_decisions` has it), error (standard, of sampling; null where it is
        exact or logged): the largest first.

    Raises
    ------
    BadSettings
        There is no such decision, a table that cannot be used, or a model that does not answer.

    Examples
    --------
    >>> from datetime import datetime
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1)] * 4, "chosen": ["a", "b"] * 2,
    ...                      "decision_id": list("wxyz"), "late": [True, False, True, False]})
    >>> chance = lambda frame: 0.9 - 0.5 * frame["late"].to_numpy()
    >>> found = explain_decision(rows, "w", model=chance)
    >>> found.filter(option="a").select("feature", "value").row(0)
    ('late', 'true')
    >>> bool(found.filter(option="a")["attribution"][0] < 0)
    True
    """
    known = decisions_if_any(decisions, features=features, context=context, timezone=timezone)
    if isinstance(known, str):
        return pl.DataFrame(schema=EXPLAINED)
    own = _picked(known, decision)
    name = own["decision_id"][0]
    told = _logged(decisions, attributions, known, name)
    if told is None and model is not None:
        told = _by_model(model, known, own, orders, seed)
    if told is None:
        return pl.DataFrame(schema=EXPLAINED)
    values = {c: _text(own[c][0]) for c in own.columns}
    spoken = pl.col("feature").replace_strict(values, default=None, return_dtype=pl.String)
    rows = told.with_columns(
        value=spoken, at=pl.lit(own["at"].dt.replace_time_zone(None)[0]).cast(pl.Datetime("us")),
        chosen=pl.lit(own["chosen"][0]),
    )  # fmt: skip
    size = -pl.col("attribution").abs()
    return rows.select(EXPLAINED.names()).sort(size, "option", "feature")


def _picked(known: Decisions, decision: str | RoutingShifts | None) -> pl.DataFrame:
    if decision is None:
        return known.rows.tail(1)
    if isinstance(decision, RoutingShifts):
        there = known.rows.filter(_in_phase(decision.top, known))
        return (there if there.height else known.rows).tail(1)
    own = known.rows.filter(pl.col("decision_id") == pl.lit(str(decision)))
    if not own.height:
        few = listing(known.rows["decision_id"].head(3), 3)
        raise BadSettings(f"no decision is called {decision!r}; they are called as {few}")
    return own


def _in_phase(top: dict[str, Any], known: Decisions) -> pl.Expr:
    """Is a decision one that a pattern is about?"""
    day = pl.col(DAY)
    number = int("".join(filter(str.isdigit, top.get("phase", ""))) or 0)
    match top.get("calendar"):
        case None:
            return pl.lit(True)
        case "week":
            return day.dt.weekday() - 1 == WEEKDAYS.index(top["phase"])
        case "hour":
            return pl.col("at").dt.hour() == int(top["phase"][:2])
        case "month":
            return day.dt.day() == number
        case "month end":
            return (day.dt.month_end() - day).dt.total_days() == number
    return (day - pl.lit(known.days[0])).dt.total_days() % round(top["period_days"]) == number


def _logged(decisions: Any, attributions: Any, known: Decisions, name: str) -> pl.DataFrame | None:
    logged = logged_attributions(decisions, attributions, known)
    if logged is None:
        return None
    own = logged.filter(pl.col("decision_id") == pl.lit(name))
    return own.with_columns(error=pl.lit(None, pl.Float64)) if own.height else None


def _by_model(
    model: Any, known: Decisions, own: pl.DataFrame, orders: int, seed: int
) -> pl.DataFrame:
    exact = exact_attributions(model, known, own)
    if exact is not None:
        return exact.with_columns(error=pl.lit(None, pl.Float64))
    random = np.random.default_rng([seed, 6])
    pairs = max(orders // 2, 2)
    beside = known.rows[random.integers(0, known.rows.height, pairs)]
    same = own[np.zeros(pairs, int)]
    found = sampled_attributions(chances_of(model, known), known.features, same, beside, 2, seed)
    errors = found.std(axis=0, ddof=1) / np.sqrt(pairs)
    return pl.concat(
        [
            pl.DataFrame({
                "decision_id": own["decision_id"][0], "option": option,
                "feature": list(known.features), "attribution": found[:, :, place].mean(axis=0),
                "error": errors[:, place],
            })
            for place, option in enumerate(known.options)
        ]
    ).cast({**LONG, "error": pl.Float64})  # fmt: skip


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)
