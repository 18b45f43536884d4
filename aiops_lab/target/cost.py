"""What would this change cost of an error budget?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.objective import Objective
from aiops_lab.result import Result
from aiops_lab.stats.judged import LEAST_POWER
from aiops_lab.stats.paired import moves
from aiops_lab.stats.spent import rates
from aiops_lab.stats.weighted import Rise, weighted_moves
from aiops_lab.target import cost_words as words
from aiops_lab.traffic.counts import bad_of
from aiops_lab.traffic.summaries import SLICES
from aiops_lab.verdict import Verdict
from aiops_lab.wording import short_name

RECENT = timedelta(days=28)
"""The traffic whose mix counts."""
DIFFERS = 0.01
"""A mix differs when a part's share of the questions and of the traffic are so far apart."""
MUCH = 0.03
"""Of more traffic than this without questions nothing can be said."""
MISSING = 0.02
"""Of the answers, so much more may lack a figure in one run."""
THIN = 3.0
"""A stratum whose questions weigh so many times the mean leaves much open."""
LABELS = 50
"""Fewer labelled answers of a kind do not tell how a judge errs."""
BY = pl.Schema(
    {"value": pl.String, "weight": pl.Float64,
     **dict.fromkeys(("n", "newly_bad", "newly_good"), pl.Int64), "difference": pl.Float64}
)  # fmt: skip


@dataclass(frozen=True)
class ChangeCost(Result):
    """What a change spends of an error budget; see `change_cost`.

    Attributes
    ----------
    verdict
        warn where it spends some for sure, ok where it saves some; else inconclusive.
    share
        The share of the period's budget that it spends; negative: it saves so much. None where
        that cannot be told.
    low, high
        The interval of it.
    smallest_visible
        The smallest share that these questions would have told from none, 4 times in 5.
    by
        A row a stratum: value, weight (its share of the traffic), n questions, newly_bad and
        newly_good ones, difference of the shares of bad answers.
    settings
        All that is needed to do it again; `by` is the dimension of the strata, `notes` what to
        mind, `unasked` the share of the traffic that no question is about.
    rise
        What it was computed from.
    """

    verdict: Verdict
    share: float | None
    low: float | None
    high: float | None
    smallest_visible: float | None
    by: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)
    rise: Rise | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        names = ("share", "low", "high", "smallest_visible")
        return super().to_dict() | {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Mix:
    """The traffic's mix: the column, the share of each of its values, and what is to be said."""

    by: str | None = None
    weights: dict[str, float] = field(default_factory=dict)
    unasked: float = 0.0
    notes: tuple[str, ...] = ()


def change_cost(
    comparison: Any, objective: Objective, traffic: Any = None, *, by: str | None = None,
    remaining: float = 1.0, level: float = 0.95,
) -> ChangeCost:  # fmt: skip
    """What share of an error budget a candidate would spend that its baseline does not.

    The rise in the share of bad answers over the same questions, weighted to the mix of the
    traffic, over the share that may be bad. Epochs are averaged, clusters honoured, a judge's
    errors put right; see `aiops_lab.stats.weighted`.

    Parameters
    ----------
    comparison
        What `compare_runs` gives for one candidate.
    objective
        What is promised: its metric is a score of both runs, or what the lab measures of answers.
    traffic
        A Lab, or requests of any library that Narwhals knows: the mix of the last 28 days. None:
        the mix of the questions.
    by
        The column of the traffic, and key of the questions' metadata, whose mix counts; by default
        the first that both have where the mix differs.
    remaining
        The share of the period in which the change will be in use.
    level
        Of the interval.

    Raises
    ------
    BadSettings
        `by` is not in both, `remaining` or `level` is no share, or there are several candidates.

    Examples
    --------
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> from aiops_lab.ship.compare import compare_runs
    >>> table = pl.DataFrame({"run_id": ["a"] * 400 + ["b"] * 400, "sample_id": [*range(400)] * 2,
    ...                       "metric": "grounded", "value": [1] * 794 + [0] * 6})
    >>> goal = Objective("grounded answers", 0.95, "grounded", read_criterion(">= 0.5"))
    >>> print(change_cost(compare_runs(table, baseline="a", candidate="b"), goal).verdict.headline)
    This change spends 30 % of the budget of grounded answers (11 to 65 %).
    """
    if not 0 < remaining <= 1 or not 0 < level < 1:
        raise BadSettings("remaining is a share above 0, up to 1; level is between 0 and 1")
    told = {"objective": objective.name, "target": objective.target, "remaining": remaining,
            "level": level}  # fmt: skip
    if why := not_computed(objective):
        return _unknown(objective, told, f"{words.short(objective)} {why}")
    answers = comparison.per_answer(objective.metric)
    return cost_of(answers, objective, traffic, by=by, remaining=remaining, level=level)


def not_computed(goal: Objective) -> str:
    """Why a change's share of this budget cannot be told; nothing where it can."""
    if goal.parts:
        return "is a mean of parts: ask what the change costs each of them"
    if not goal.computable or goal.criterion is None:
        return f"cannot be computed here: {goal.why}"
    if goal.budgeting != "occurrences":
        return "has a budget of slices of time, and questions have none"
    return ""


def cost_of(
    answers: pl.DataFrame, goal: Objective, traffic: Any = None, *, by: str | None = None,
    remaining: float = 1.0, level: float = 0.95, exact: bool = False,
) -> ChangeCost:  # fmt: skip
    """`change_cost` of a plain objective, from answers as `aiops_lab.ship.per_answer` gives them.

    `exact`: the interval agrees with the p-values of `ChangeCost.rise`.
    """
    answers, notes = _within(answers, goal)
    pairs = _pairs(answers, goal)
    if not pairs.height:
        told = {"objective": goal.name, "notes": notes}
        return _unknown(goal, told, f"no question has {goal.metric} in both runs")
    mix = _mix(pairs, traffic, goal, by)
    pairs, strata = _strata(pairs, mix)
    told = {
        "objective": goal.name, "target": goal.target, "remaining": remaining, "level": level,
        "by": mix.by, "unasked": mix.unasked, "notes": [*notes, *mix.notes],
    }  # fmt: skip
    told["notes"] += _thin(strata, mix.by)
    rise, why = _rise(pairs, strata, goal), _missing(answers, goal) or _judge_unfit(goal)
    of = remaining / goal.budget
    if mix.unasked > MUCH:
        why = mix.notes[0]
    elif not rise.moves.trusted:
        why = f"it has too few clusters or questions: {rise.moves.summary().method}"
    if why:
        return _unknown(goal, told, why, strata)
    low, high = rise.interval(level, exact=exact)
    share = rise.value * of
    low, high, visible = (None if x is None else x * of for x in (low, high, rise.visible))
    verdict = words.verdict(goal, rise, (share, low, high), visible, told)
    return ChangeCost(verdict, share, low, high, visible, strata, told, rise)


def _unknown(
    goal: Objective, told: dict[str, Any], why: str, strata: pl.DataFrame | None = None
) -> ChangeCost:
    by = pl.DataFrame(schema=BY) if strata is None else strata
    return ChangeCost(words.unknown(goal, why), None, None, None, None, by, told | {"why": why})


def _within(answers: pl.DataFrame, goal: Objective) -> tuple[pl.DataFrame, list[str]]:
    """The answers of the objective's slice, where questions say whether they are in it."""
    if goal.filter is None:
        return answers, []
    column, _, value = goal.filter.partition("=")
    if column not in answers.columns:
        return answers, [f"no question has a {column}: all stand for {goal.filter}"]
    return answers.filter(pl.col(column) == value), []


def _pairs(answers: pl.DataFrame, goal: Objective) -> pl.DataFrame:
    """A row a question: how much of its answers was bad before and after, epochs averaged."""
    assert goal.criterion is not None
    bad = bad_of(goal.criterion, nw.col(given_in(goal)))
    bad = nw.from_native(answers).with_columns(bad=bad)
    means = bad.to_native().group_by("sample_id", "side").agg(pl.col("bad").mean()).drop_nulls()
    keys = answers.drop("side", "epoch", "value", "label").unique("sample_id", keep="first")
    sides = (
        means.filter(side=side).select("sample_id", pl.col("bad").alias(side))
        for side in ("baseline", "candidate")
    )
    baseline, candidate = sides
    both = baseline.join(candidate, on="sample_id").join(keys, on="sample_id")
    return both.sort("sample_id")


def _mix(pairs: pl.DataFrame, traffic: Any, goal: Objective, by: str | None) -> Mix:
    """The mix to which questions are weighted."""
    if hasattr(traffic, "relations"):
        traffic = traffic.relations("traffic", "evaluations")[0]
    if traffic is None:
        if by is not None:
            raise BadSettings(f"without traffic there is no mix of {by}")
        return Mix(notes=("not weighted: no traffic to take the mix from",))
    requests = nw.from_native(traffic).lazy()
    columns = requests.collect_schema().names()
    shared = [name for name in (*SLICES, *sorted(columns)) if name in columns]
    shared = [name for name in dict.fromkeys(shared) if name in pairs.columns[4:]]
    if by is not None and by not in shared:
        told = ", ".join(shared) or "nothing"
        raise BadSettings(f"traffic and questions do not both have {by!r}; both have {told}")
    requests = _recent(requests, columns, goal.filter)
    mixes = (_weights(pairs, requests, name) for name in ([by] if by else shared))
    found = [mix for mix in mixes if mix is not None]
    if use := next((mix for mix in found if by or _differs(pairs, mix)), None):
        return use
    why = "questions and recent traffic share no dimension"
    if found:
        why = "the questions have the mix of the traffic"
    return Mix(notes=(f"not weighted: {why}",))


def _recent(requests: Any, columns: list[str], where: str | None) -> Any:
    """The requests of the objective's slice in the last 28 days."""
    column, _, value = (where or "").partition("=")
    if column in columns:
        requests = requests.filter(nw.col(column).cast(nw.String) == value)
    if "at" not in columns:
        raise BadSettings(f"requests need a time, at; the columns are {', '.join(columns)}")
    last = requests.select(nw.col("at").max()).collect("polars").to_native().item()
    return requests if last is None else requests.filter(nw.col("at") > last - RECENT)


def _weights(pairs: pl.DataFrame, requests: Any, name: str) -> Mix | None:
    """The mix by one dimension; None where no request has a value of it."""
    counts = requests.group_by(name).agg(nw.len().alias("n")).collect("polars").to_native()
    counts = counts.select(pl.col(name).cast(pl.String), "n").sort(name, nulls_last=True)
    told, asked = counts.drop_nulls(), set(pairs[name].drop_nulls())
    there = {value: n for value, n in told.iter_rows() if value in asked}
    if not there:
        return None
    known, total, notes = sum(there.values()), told["n"].sum(), []
    if unasked := 1 - known / total:
        notes.append(words.unasked(unasked, name, [v for v in told[name] if v not in asked]))
    if blank := counts["n"].sum() - total:
        share = words.percent(blank / (blank + total))
        notes.append(f"{share} of the traffic tells no {name}: taken to have the mix of the rest")
    if lone := pairs.height - sum(value in there for value in pairs[name]):
        notes.append(f"{lone} of {pairs.height} questions have a {name} that no request has")
    weights = {value: n / known for value, n in there.items()}
    return Mix(name, weights, unasked, tuple(notes))


def _differs(pairs: pl.DataFrame, mix: Mix) -> bool:
    own = dict(pairs[str(mix.by)].value_counts(normalize=True, name="share").iter_rows())
    parts = {*own, *mix.weights}
    return any(abs(own.get(v, 0) - mix.weights.get(v, 0)) > DIFFERS for v in parts) or (
        mix.unasked > DIFFERS
    )


def _strata(pairs: pl.DataFrame, mix: Mix) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pairs with the number of their stratum, and a row a stratum."""
    value = pl.lit("all") if mix.by is None else pl.col(mix.by)
    weights = mix.weights or {"all": 1.0}
    order = pl.DataFrame(
        {"value": list(weights), "weight": list(weights.values())},
        schema={"value": pl.String, "weight": pl.Float64},
    ).with_row_index("stratum")
    pairs = pairs.with_columns(value=value).join(order, on="value").sort("sample_id")
    change = pl.col("candidate") - pl.col("baseline")
    found = pairs.group_by("stratum", "value", "weight").agg(
        n=pl.len(), newly_bad=(change > 0).sum(), newly_good=(change < 0).sum(),
        difference=change.mean(),
    )  # fmt: skip
    return pairs, found.sort("weight", "value", descending=[True, False]).select(
        pl.col(name).cast(dtype) for name, dtype in BY.items()
    )


def _thin(strata: pl.DataFrame, by: str | None) -> list[str]:
    """The stratum that has so many fewer questions than traffic that it leaves most open."""
    share, n = strata["weight"].to_numpy(), strata["n"].to_numpy()
    place = int(np.argmax(share / n))
    if by is None or share[place] * n.sum() < THIN * n[place]:
        return []
    value = short_name(strata["value"][place])
    told = f"{by} {value} has {words.percent(share[place])} of the traffic"
    return [f"{told} and {n[place]} of {n.sum():,} questions: ask more there first"]


def _rise(pairs: pl.DataFrame, strata: pl.DataFrame, goal: Objective) -> Rise:
    clustered = pairs["cluster"].count() > 0
    alone = pl.format("a question of its own: {}", "sample_id")
    clusters = pairs.select(pl.col("cluster").cast(pl.String).fill_null(alone)).to_series()
    groups = clusters.rank("dense").to_numpy() if clustered else None
    sides = pairs["baseline"].to_numpy(), pairs["candidate"].to_numpy()
    if strata.height == 1:
        return Rise(moves(*sides, groups), goal.judge)
    weight = pairs.group_by("stratum").agg(pl.col("weight").first()).sort("stratum")
    index = pairs["stratum"].rank("dense").to_numpy() - 1
    found = weighted_moves(*sides, np.asarray(index, int), weight["weight"].to_numpy(), groups)
    return Rise(found, goal.judge)


def given_in(goal: Objective) -> str:
    """The column of the answers that an objective's criterion is about."""
    return "label" if goal.criterion is not None and goal.criterion.kind == "labels" else "value"


def _missing(answers: pl.DataFrame, goal: Objective) -> str:
    """Answers without a figure are neither good nor bad: the two runs must lack about as many."""
    asked = answers["sample_id"].n_unique()
    known = pl.col(given_in(goal)).count() / (asked * pl.col("epoch").n_unique())
    shares = dict(answers.group_by("side").agg(known).iter_rows())
    before, now = (1 - shares.get(side, 0.0) for side in ("baseline", "candidate"))
    if abs(now - before) <= MISSING:
        return ""
    told = f"{words.percent(now)} of the candidate's answers have no {goal.metric}"
    return f"{told}, {words.percent(before)} of the baseline's"


def _judge_unfit(goal: Objective) -> str:
    """Why the judge's word cannot be put right."""
    judge = goal.judge
    if judge is None:
        return ""
    least, kind = min((judge.positives, "bad"), (judge.negatives, "good"))
    if least < LABELS:
        return f"{least} {kind} answers were labelled; how the judge errs takes {LABELS} of a kind"
    power = float(rates(judge)[1])
    if power <= LEAST_POWER:
        return f"sensitivity + specificity - 1 is {power:.2f}: such a judge tells too little"
    return ""
