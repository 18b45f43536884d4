"""Each budget over time: how it was spent by day, when it runs out, which alerts fired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from aiops_lab.objectives.objective import Objective
from aiops_lab.target.burn import ALERTS, MOMENTS, burning
from aiops_lab.target.forecast import DOWN, SPENT, burn_down, forecast
from aiops_lab.traffic.counts import kept

TIME = pl.Datetime("us", "UTC")
FAN = pl.Schema({"objective": pl.String, **SPENT})
RUNS_OUT = pl.Schema(
    {
        "name": pl.String,
        **dict.fromkeys(("exhausted_on", "exhausted_low", "exhausted_high"), TIME),
        "p_exhausted": pl.Float64, "until": TIME,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Outlook:
    """What was spent by day, what is foreseen, and when each budget runs out; see `outlook`."""

    burn_down: pl.DataFrame
    fan: pl.DataFrame
    runs_out: pl.DataFrame


def outlook(
    goals: Sequence[Objective], counts: pl.DataFrame, at: datetime, *, seed: int = 0
) -> Outlook:
    """How each budget was spent by day, and what is foreseen of it.

    Returns
    -------
    Outlook
        burn_down (objective, day: its end, spent, low, high), fan (objective, day, low, middle,
        high: 80 %), runs_out (name, exhausted_on, exhausted_low, exhausted_high, p_exhausted,
        until): see `forecast`.
    """
    downs, fans, rows = [pl.DataFrame(schema=DOWN)], [pl.DataFrame(schema=FAN)], []
    for goal in goals:
        own = kept(goal, counts)
        downs.append(burn_down(goal, own, at))
        found = forecast(goal, own, at, seed=seed)
        fans.append(found.fan.select(pl.lit(goal.name).alias("objective"), *SPENT.names()))
        rows.append(
            {"name": goal.name, **{name: getattr(found, name) for name in RUNS_OUT.names()[1:]}}
        )
    return Outlook(pl.concat(downs), pl.concat(fans), pl.DataFrame(rows, schema=RUNS_OUT))


def alerts_of(
    goals: Sequence[Objective], counts: pl.DataFrame, at: datetime, *, seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The alerts of each objective, and the moments at which they fired; see `burning`."""
    alerts, moments = [pl.DataFrame(schema=ALERTS)], [pl.DataFrame(schema=MOMENTS)]
    for goal in goals:
        if goal.parts:
            continue
        found = burning(goal, kept(goal, counts), at, seed=seed)
        alerts.append(found.alerts)
        moments.append(found.moments)
    return pl.concat(alerts), pl.concat(moments)
