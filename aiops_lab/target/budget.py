"""How much of each error budget is spent, and can it be told?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl
from msgspec import to_builtins

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.objective import Objective
from aiops_lab.objectives.short import objectives_in
from aiops_lab.result import Result
from aiops_lab.settings import BudgetPolicy
from aiops_lab.stats.settling import settles
from aiops_lab.stats.spent import BadShare, bad_share
from aiops_lab.tables import empty
from aiops_lab.target import budget_words as words
from aiops_lab.target import policy as rules
from aiops_lab.target.outlook import RUNS_OUT, alerts_of, outlook
from aiops_lab.traffic.counts import COUNTS, counted, strata_of
from aiops_lab.verdict import Verdict

OBJECTIVES = pl.Schema(
    {
        "name": pl.String, "status": pl.String, "target": pl.Float64,
        **dict.fromkeys(("begin", "end"), pl.Datetime("us", "UTC")),
        **dict.fromkeys(("answers", "evaluated", "missing"), pl.Int64),
        **dict.fromkeys(
            ("good", "good_low", "good_high", "allowed", "spent", "low", "high", "naive"),
            pl.Float64,
        ),
        "why": pl.String,
        **{name: RUNS_OUT[name] for name in RUNS_OUT.names()[1:]},
    }
)  # fmt: skip
LEVEL = 0.95
LATER = ("alerts", "fired", "incidents")
WHOLE = 0.999
"""A period counts as over from here on."""


@dataclass(frozen=True)
class Budget(Result):
    """How each objective stands; see `error_budget`.

    Attributes
    ----------
    verdict
        fail where a budget is spent for sure, ok where none is; else inconclusive.
    objectives
        name, status (ok: not spent; fail: spent; inconclusive: the interval covers it, or it
        cannot be computed), target, begin and end of the period, answers (in it so far), evaluated,
        missing (sampled without a result), good (the share, put right for sampling and judge),
        good_low, good_high, allowed (bad answers in the period), spent (share of these), low, high
        (95 % interval of it), naive (spent, had the judge's word on what it saw been the truth for
        all), why (it cannot be computed, or told): those nearest to the end of their budget first.
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
        hour, objective, stratum, n, evaluated, bad, answers: what it was computed from.
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
        A Lab; or requests, the canonical table ``traffic`` of any library that Narwhals knows; or
        these and the table ``evaluations`` as a pair.
    objectives
        Those of the lab's ``lab.toml`` by default.
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
    goals, traffic, evaluations = _given(data, objectives)
    counts = counted(traffic, evaluations, _plain(goals))
    if at is None:
        last = counts["hour"].max()
        at = last + timedelta(hours=1) if isinstance(last, datetime) else datetime.now(UTC)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    ahead = outlook(goals, counts, at)
    runs_out = {row["name"]: row for row in ahead.runs_out.to_dicts()}
    rows = [_row(goal, counts, at, level) | runs_out[goal.name] for goal in goals]
    found = pl.DataFrame(rows, schema=OBJECTIVES).sort(
        pl.col("exhausted_on"), pl.col("p_exhausted"), "spent", "name",
        descending=[False, True, True, False], nulls_last=True,
    )  # fmt: skip
    policy = getattr(getattr(data, "settings", None), "budget_policy", None) or BudgetPolicy()
    settings = {"at": at.isoformat(), "level": level, "objectives": [goal.name for goal in goals],
                "policy": to_builtins(policy)}  # fmt: skip
    return Budget(
        words.verdict(found.to_dicts()), found, ahead.burn_down, ahead.fan,
        _changes(data, found, at), rules.standing(found, policy),
        rules.freezes(ahead.burn_down, policy), counts, settings, at, tuple(goals), policy,
    )  # fmt: skip


def _changes(data: Any, objectives: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """What was changed since the first period began."""
    known = data.table("changes") if hasattr(data, "relations") else empty("changes")
    begin = objectives["begin"].min()
    return known.filter(pl.col("at").is_between(begin, at)).sort("at")


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
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadSettings(f"a moment is such as 2026-10-01T12:00, not {text!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _given(data: Any, objectives: Iterable[Objective] | None) -> tuple[list[Objective], Any, Any]:
    relations: Any = getattr(data, "relations", None)
    if relations is not None:
        goals = objectives_in(data.settings) if objectives is None else list(objectives)
        traffic, evaluations = relations("traffic", "evaluations")
        if traffic is None:
            traffic = pl.DataFrame(schema={"at": COUNTS["hour"]})
    else:
        goals = list(objectives or ())
        traffic, evaluations = data if isinstance(data, tuple) else (data, None)
    if not goals:
        raise BadSettings("there are no objectives: write [[slo]] in lab.toml, or give some")
    return goals, traffic, evaluations


def _plain(goals: Sequence[Objective]) -> list[Objective]:
    """The objectives that are counted: of composites, the parts."""
    every = [part.objective for goal in goals for part in goal.parts]
    every += [goal for goal in goals if not goal.parts]
    known = {goal.name: goal for goal in every}
    if twice := [goal.name for goal in every if known[goal.name] != goal]:
        raise BadSettings(f"two objectives are called {twice[0]!r}")
    return list(known.values())


def _row(goal: Objective, counts: pl.DataFrame, at: datetime, level: float) -> dict[str, Any]:
    begin, end = goal.window.period(at)
    row = {"name": goal.name, "target": goal.target, "begin": begin, "end": end,
           "status": "inconclusive"}  # fmt: skip
    inside = counts.filter(pl.col("hour") >= begin, pl.col("hour") < min(at, end))
    if why := _not_computed(goal):
        return {**row, "why": why}
    share = _share(goal, inside, level)
    row |= {"answers": share.answers, "evaluated": share.evaluated, "missing": share.missing}
    passed = 1.0 if goal.window.rolling else min((at - begin) / (end - begin), 1.0)
    passed = 1.0 if passed > WHOLE else passed
    row["allowed"] = share.answers / passed * goal.budget if passed > 0 else None
    if share.value is None:
        return {**row, "why": share.method}
    return {**row, **_spent(goal, share, passed)}


def _not_computed(goal: Objective) -> str:
    if goal.why:
        return goal.why
    if goal.parts:
        return next(filter(None, (_not_computed(part.objective) for part in goal.parts)), "")
    if goal.budgeting != "occurrences":
        return "slices of time are not computed yet"
    if goal.criterion and goal.criterion.kind == "ratio":
        return "shares of good are not computed yet"
    return ""


def _share(goal: Objective, counts: pl.DataFrame, level: float) -> BadShare:
    """The share of bad answers of a period; of a composite, the mean of its parts' by weight.

    How its parts go together is not known, so a composite's ends are as far away as the parts' ends
    together.
    """
    if not goal.parts:
        own = counts.filter(pl.col("objective") == goal.name)
        return bad_share(strata_of(own), goal.judge, level=level)
    shares = [_share(part.objective, counts, level) for part in goal.parts]
    found = BadShare(
        max(each.answers for each in shares), sum(each.evaluated for each in shares),
        sum(each.missing for each in shares), level=level,
    )  # fmt: skip
    if lost := [each for each in shares if each.value is None]:
        return replace(found, method=lost[0].method)
    total = sum(part.weight for part in goal.parts)
    weights = [part.weight / total for part in goal.parts]
    means = {
        name: sum(w * getattr(each, name) for w, each in zip(weights, shares, strict=True))
        for name in ("value", "low", "high", "judge_only")
    }
    return replace(found, **means, method=f"mean of {len(shares)} parts")


def _spent(goal: Objective, share: BadShare, passed: float) -> dict[str, Any]:
    """What is spent of the budget of the whole period, of which so much has passed."""
    assert share.value is not None and share.low is not None and share.high is not None
    of = passed / goal.budget
    low, high = share.low * of, share.high * of
    status, why = "ok", ""
    if low >= 1:
        status = "fail"
    elif high >= 1:
        status = "inconclusive"
        why = words.undecided(share, settles(share, 1 / of) if share.strata else None)
    return {
        "good": 1 - share.value, "good_low": 1 - share.high, "good_high": 1 - share.low,
        "spent": share.value * of, "low": low, "high": high, "status": status, "why": why,
        "naive": None if share.judge_only is None else share.judge_only * of,
    }  # fmt: skip
