"""How much of each error budget is spent, and can it be told?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import polars as pl
from msgspec import to_builtins

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.objective import Objective
from aiops_lab.objectives.short import objectives_in
from aiops_lab.result import Result
from aiops_lab.settings import BudgetPolicy
from aiops_lab.tables import empty, in_utc
from aiops_lab.target import budget_words as words
from aiops_lab.target import policy as rules
from aiops_lab.target.outlook import RUNS_OUT, alerts_of, outlook
from aiops_lab.target.standing import STANDS, stands
from aiops_lab.traffic.counts import HOUR, counted, counts_of
from aiops_lab.verdict import Verdict

LEVEL = 0.95
OBJECTIVES = pl.Schema({**STANDS, **{name: RUNS_OUT[name] for name in RUNS_OUT.names()[1:]}})
LATER = ("alerts", "fired", "incidents")


@dataclass(frozen=True)
class Budget(Result):
    """How each objective stands; see `error_budget`.

    Attributes
    ----------
    verdict
        fail where a budget is spent for sure, ok where none is; else inconclusive.
    objectives
        name, status (ok: not spent; fail: spent; inconclusive: the interval covers it, or it
        cannot be computed, or its judge has too few labels), target, begin and end of the period,
        answers (in it so far), evaluated, missing (sampled without a result), excluded (answers
        that do not count), good (the share, put right for sampling and judge), good_low,
        good_high, allowed (bad answers, or slices, in the period), spent (share of these), low,
        high (95 % interval of it), naive (spent, had the judge's word on what it saw been the truth
        for all), why (it cannot be computed, or told): those nearest to the end of their budget
        first.
    burn_down
        objective, day (its end), spent, low, high: the share of its budget that was spent by then.
    fan
        objective, day, low, middle, high: what is foreseen, with its 80 % interval.
    changes
        What was changed in the periods: the canonical table.
    standing, freezes
        Which level of the policy each has reached and what follows, and when releases were frozen;
        see `aiops_lab.target.policy`.
    counts
        hour, objective, stratum, n, evaluated, bad, answers: what it was computed from; see
        `traffic.counts.counted`.
    settings
        All that is needed to do it again.

    Frames beside, which are computed when they are asked for (false alarms are simulated):
    `alerts` and `fired` (`aiops_lab.target.burn.burning`), `incidents`
    (`aiops_lab.target.policy.incidents`).
    """

    verdict: Verdict
    objectives: pl.DataFrame
    burn_down: pl.DataFrame
    fan: pl.DataFrame
    changes: pl.DataFrame
    standing: pl.DataFrame
    freezes: pl.DataFrame
    counts: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)
    at: datetime = field(default=datetime.min, repr=False)
    goals: tuple[Objective, ...] = field(default=(), repr=False)
    policy: BudgetPolicy = field(default_factory=BudgetPolicy, repr=False)

    @cached_property
    def _fired(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        return alerts_of(self.goals, self.counts, self.at)

    @property
    def alerts(self) -> pl.DataFrame:
        """Whether each alert fires, what it means, how often it fires for nothing."""
        return self._fired[0]

    @property
    def fired(self) -> pl.DataFrame:
        """objective, alert, begin and end (null: still) of each time an alert fired."""
        return self._fired[1]

    @cached_property
    def incidents(self) -> pl.DataFrame:
        """What each incident spent of its budget; status warn: it asks for a postmortem."""
        return rules.incidents(self.goals, self.counts, self.fired, self.objectives, self.policy)

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        """Its frames by name, those too that are computed when asked for."""
        return {**super().frames, **{name: getattr(self, name) for name in LATER}}


def error_budget(
    data: Any, objectives: Iterable[Objective] | None = None, *, at: datetime | None = None,
    level: float = LEVEL,
) -> Budget:  # fmt: skip
    """How much of the error budget of each objective is spent.

    Parameters
    ----------
    data
        A Lab, whose counts are those of its hourly summaries where they have them; or requests,
        the canonical table ``traffic`` of any library that Narwhals knows; or these and the table
        ``evaluations`` as a pair.
    objectives
        Those of the lab's ``lab.toml`` by default; where it has none, the verdict says so.
    at
        When; by default the end of the last hour that has answers.
    level
        Of the intervals.

    Raises
    ------
    BadSettings
        No objectives, or data that cannot be used.

    Examples
    --------
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1, h) for h in range(20)],
    ...                      "refusal": [True] + [False] * 19})
    >>> goal = Objective("answers", 0.8, "refusal", read_criterion(bad=True))
    >>> found = error_budget(rows, [goal])
    >>> found.objectives.select("name", "answers", pl.col("spent").round(6)).row(0)
    ('answers', 20, 0.25)
    """
    goals, counts, at = counts_until(data, objectives, at)
    ahead = outlook(goals, counts, at)
    runs_out = {row["name"]: row for row in ahead.runs_out.to_dicts()}
    rows = [stands(goal, counts, at, level) | runs_out[goal.name] for goal in goals]
    found = pl.DataFrame(rows, schema=OBJECTIVES).sort(
        pl.col("exhausted_on"), pl.col("p_exhausted"), "spent", "name",
        descending=[False, True, True, False], nulls_last=True,
    )  # fmt: skip
    slices = {goal.name for goal in goals if goal.budgeting == "timeslices"}
    policy = getattr(getattr(data, "settings", None), "budget_policy", None) or BudgetPolicy()
    settings = {"at": at.isoformat(), "level": level, "objectives": [goal.name for goal in goals],
                "policy": to_builtins(policy)}  # fmt: skip
    return Budget(
        words.verdict(found.to_dicts(), slices), found, ahead.burn_down, ahead.fan,
        _changes(data, found, at), rules.standing(found, policy),
        rules.freezes(ahead.burn_down, policy), counts, settings, at, tuple(goals), policy,
    )  # fmt: skip


def _changes(data: Any, objectives: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """What was changed since the first period began."""
    known = data.table("changes") if hasattr(data, "relations") else empty("changes")
    begin = pl.lit(objectives["begin"].min(), known.schema["at"])
    return known.filter(pl.col("at") <= at, pl.col("at") >= begin).sort("at")


def standing_now(lab: Any, *, at: datetime | None = None) -> pl.DataFrame:
    """How each objective of a lab stands, without what is foreseen: rows of `STANDS`.

    Raises
    ------
    BadSettings
        There are no objectives.
    """
    goals, counts, at = counts_until(lab, None, at)
    if not goals:
        raise BadSettings("there are no objectives, and a policy on budgets is of them: [[slo]]")
    return pl.DataFrame([stands(goal, counts, at, LEVEL) for goal in goals], schema=STANDS)


def counts_until(
    data: Any, objectives: Iterable[Objective] | None, at: datetime | None
) -> tuple[list[Objective], pl.DataFrame, datetime]:
    """The objectives, what their budgets are computed from, and until when."""
    goals = _goals(data, objectives)
    counts = _counts(data, _plain(goals))
    if at is None:
        last = counts["hour"].dt.truncate("1h").max()
        at = last + HOUR if isinstance(last, datetime) else datetime.now(UTC)
    return goals, counts, in_utc(at)


def moment(text: str | None) -> datetime | None:
    """A moment as a person writes it, ``2026-10-01T12:00``, in UTC where no zone is given.

    Raises
    ------
    BadSettings
        It is none.
    """
    if not text:
        return None
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise BadSettings(f"a moment is such as 2026-10-01T12:00, not {text!r}") from None


def _goals(data: Any, objectives: Iterable[Objective] | None) -> list[Objective]:
    own = objectives is None and hasattr(data, "relations")
    goals = objectives_in(data.settings) if own else list(objectives or ())
    if not goals and not own:
        raise BadSettings("there are no objectives: write [[slo]] in lab.toml, or give some")
    return goals


def _counts(data: Any, goals: Sequence[Objective]) -> pl.DataFrame:
    if hasattr(data, "relations"):
        return counts_of(data, goals)
    traffic, evaluations = data if isinstance(data, tuple) else (data, None)
    return counted(traffic, evaluations, goals)


def _plain(goals: Sequence[Objective]) -> list[Objective]:
    """The objectives that are counted: of composites, the parts."""
    every = [part.objective for goal in goals for part in goal.parts]
    every += [goal for goal in goals if not goal.parts]
    known = {goal.name: goal for goal in every}
    if twice := [goal.name for goal in every if known[goal.name] != goal]:
        raise BadSettings(f"two objectives are called {twice[0]!r}")
    return list(known.values())
