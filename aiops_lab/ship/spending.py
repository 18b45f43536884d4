"""What a change may spend of each error budget, as rules of a gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.frames import Evals
from aiops_lab.objectives.objective import Objective
from aiops_lab.objectives.short import objectives_in
from aiops_lab.ship.compare import compare_runs
from aiops_lab.ship.per_answer import per_answer
from aiops_lab.ship.policy import Rule
from aiops_lab.ship.rules import LEVEL, Sides, Tested
from aiops_lab.target.cost import ChangeCost, change_cost, cost_of, given_in, not_computed
from aiops_lab.wording import short_name

Found = list[tuple[Rule, Sides, Tested]]
NOTHING = np.empty(0)
COSTS = pl.Schema(
    {"name": pl.String, "status": pl.String,
     **dict.fromkeys(("share", "low", "high", "visible"), pl.Float64), "told": pl.String}
)  # fmt: skip
NO_SIDES = Sides(NOTHING, NOTHING, None, NOTHING, None)


def budget_rules(
    data: Evals, goals: Iterable[Objective], limit: float, traffic: Any, cluster: str | None
) -> tuple[Found, tuple[str, str, str]]:
    """A rule for the budget of each objective that both runs have figures for, tested.

    With what is said of the others, as a check of the preflight. Where no objective applies the
    one rule is inconclusive.
    """
    found, left = [], []
    for goal in goals:
        if why := not_computed(goal):
            left.append(f"{short_name(goal.name)} {why}")
            continue
        answers = per_answer(data, str(goal.metric), cluster)
        sides = answers.drop_nulls(given_in(goal))["side"]
        if sides.n_unique() < 2:
            left.append(f"{short_name(goal.name)} is not asked: no {goal.metric} in both runs")
            continue
        cost = cost_of(answers, goal, traffic, level=LEVEL, exact=True)
        rule = Rule(
            f"budget of {goal.name}", str(goal.metric), "budget", -1, limit, "guardrail",
            budget=goal.budget,
        )  # fmt: skip
        found.append((rule, NO_SIDES, _tested(cost, goal, limit)))
        if cost.settings["unasked"] and cost.rise:
            left.append(f"{short_name(goal.name)}: {cost.settings['notes'][0]}")
    if not found:
        rule = Rule("budgets", "budgets", "budget", -1, limit, "guardrail")
        note = "no objective applies, and max_budget_share asks for one"
        found.append((rule, NO_SIDES, Tested(0, note=note, method=note)))
    told = "; ".join(left) or "every objective has its rule"
    return found, ("budgets", "warn" if left else "ok", told)


def _tested(cost: ChangeCost, goal: Objective, limit: float) -> Tested:
    """The share of a budget with its 90 % interval, tested against the limit."""
    if cost.rise is None:
        n = int(cost.by["n"].sum())
        return Tested(n, note=str(cost.settings["why"]), method=str(cost.settings["why"]))
    rise, moved = cost.rise, cost.rise.moves
    method = "; ".join([moved.summary(LEVEL).method, *cost.settings["notes"]])
    plain = rise.judge is None and moved.kind in ("binary", "alike")
    return Tested(
        n=moved.n, baseline=moved.baseline, candidate=moved.candidate,
        value=cost.share, low=cost.low, high=cost.high,
        p_ok=rise.p_below(limit * goal.budget), p_fail=rise.p_above(limit * goal.budget),
        error=(moved.wide or moved.error or 0.0) / (rise.power * goal.budget) or None,
        least=max(0.0, 1 - limit * goal.budget) ** moved.units if plain else None,
        share=True, method=method,
    )  # fmt: skip


def change_costs(lab: Any, *, baseline: str | None, candidate: str | None) -> pl.DataFrame:
    """What a change would spend of each error budget of a lab.

    Returns
    -------
    pl.DataFrame
        name, status (of `change_cost`'s verdict), share, low, high (95 %), visible (the smallest
        share that these questions would have told), told; empty where no runs are named.
    """
    rows = []
    if baseline and candidate:
        comparison = compare_runs(lab, baseline=baseline, candidate=candidate)
        for goal in objectives_in(lab.settings):
            cost = change_cost(comparison, goal, lab)
            rows.append(
                {"name": goal.name, "status": cost.verdict.status, "share": cost.share,
                 "low": cost.low, "high": cost.high, "visible": cost.smallest_visible,
                 "told": cost.verdict.headline}
            )  # fmt: skip
    found = pl.DataFrame(rows, schema=COSTS)
    return found.sort("share", "name", descending=[True, False], nulls_last=True)
