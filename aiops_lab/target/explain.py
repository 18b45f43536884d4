"""Each objective in a sentence, what it allows a day, and what of it cannot work."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import polars as pl

from aiops_lab.objectives.objective import Alert, Objective
from aiops_lab.stats.judged import LEAST_POWER
from aiops_lab.stats.score import wilson
from aiops_lab.traffic.summaries import ALL, RATES
from aiops_lab.verdict import SIGNS, Status
from aiops_lab.wording import figure, interval, listing

ASSUMED = 1000
RECENT = 28
"""Days of a lab's traffic that are taken for what will come."""
Z = 1.96
FEWEST_LABELS = 50
"""Labelled answers of a kind; below them intervals of a judge's errors are of little use."""


@dataclass(frozen=True)
class Traffic:
    """Answers a day, and how many of them are evaluated; None: the objective's own sampling."""

    answers: float
    evaluated: float | None = None


@dataclass(frozen=True)
class Flag:
    """One thing that cannot work (fail), may not (inconclusive), or should be known (warn)."""

    check: str
    status: Status
    told: str

    def __str__(self) -> str:
        return f"{SIGNS[self.status]} {self.status}: {self.told}"


@dataclass(frozen=True)
class Explained:
    """An objective in words; `bad_a_day` is what it allows, None where traffic is not known."""

    objective: Objective
    sentence: str
    bad_a_day: float | None
    alerts: tuple[str, ...]
    flags: tuple[Flag, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        goal = self.objective
        known = {name: getattr(goal, name) for name in ("name", "metric", "target", "filter")}
        known |= {"window": str(goal.window.length), "budgeting": goal.budgeting}
        told = {"sentence": self.sentence, "bad_a_day": self.bad_a_day, "alerts": self.alerts}
        flags = [asdict(flag) for flag in self.flags]
        return (
            known | {"place": goal.place, "computable": goal.computable} | told | {"flags": flags}
        )


def explain(objective: Objective, traffic: Traffic | None = None) -> Explained:
    """An objective in one sentence, its alerts in one each, and flags for what cannot work.

    Without traffic, what it allows is told of 1,000 answers, and nothing is flagged that depends
    on how many there are.

    Examples
    --------
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> goal = Objective("grounded", 0.95, "grounded", read_criterion(">= 0.8"))
    >>> print(explain(goal, Traffic(2000)).sentence)
    Over any 28 days, at least 95 % of answers have grounded of at least 0.8. At 2,000 answers \
a day, 100 bad ones a day are allowed, 2,800 in 28 days.
    >>> explain(goal, Traffic(0.5)).flags[0].check
    'budget'
    """
    sliced = objective.budgeting == "timeslices" or objective.parts
    bad = None if traffic is None or sliced else traffic.answers * objective.budget
    flags = [*_alert_flags(objective, traffic)]
    if objective.computable and not objective.parts:
        flags = [
            *_metric_flags(objective), *_budget_flags(objective, traffic), *_judge_flags(objective),
            *_sampling_flags(objective, traffic), *flags,
        ]  # fmt: skip
    alerts = tuple(
        _alert_told(alert, objective)
        for alert in objective.alerts
        if alert.quiet or not unreachable(alert, objective)
    )
    sentence = f"{_promise(objective)} {_allowed(objective, traffic)}"
    if objective.exclusions:
        left_out = listing((each.told for each in objective.exclusions), 8)
        sentence += f" Left out, by whole hours: {left_out}."
    if not objective.computable:
        why = objective.why or "a part of it is not"
        sentence += f" It is not computed here: {why}."
    return Explained(objective, sentence, bad, alerts, tuple(flags))


def explained(objectives: Iterable[Objective], daily: pl.DataFrame | None) -> list[Explained]:
    """Every objective as `explain` tells it, at the traffic that a lab's daily figures show."""
    found = []
    for objective in objectives:
        traffic, lacking = (None, []) if daily is None else traffic_of(daily, objective)
        told = explain(objective, traffic)
        found.append(replace(told, flags=(*lacking, *told.flags)))
    return found


def traffic_of(daily: pl.DataFrame, objective: Objective) -> tuple[Traffic | None, list[Flag]]:
    """What a lab had of an objective's answers in its last 28 days, and what it lacks.

    Parameters
    ----------
    daily
        The canonical table.
    """
    part = daily.filter(pl.col("slice") == (objective.filter or ALL))
    if part.is_empty():
        where = f"in the slice {objective.filter}" if objective.filter else "in production"
        return None, [Flag("traffic", "inconclusive", f"the lab has no answers {where}")]
    last = daily["day"].max()
    part = part.filter(pl.col("day") > last - timedelta(days=RECENT))  # type: ignore[operator]
    days = min(RECENT, (last - daily["day"].min()).days + 1)  # type: ignore[operator]
    requests = part.group_by("metric").agg(pl.col("n", "evaluated").sum())
    answers = float(requests["n"].max() or 0) / days  # type: ignore[arg-type]
    own = requests.filter(pl.col("metric").is_in(_columns(objective)))
    if own.is_empty() and objective.metric is not None:
        near = difflib.get_close_matches(objective.metric, requests["metric"].to_list(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        told = f"the lab has no metric {objective.metric!r} there{hint}"
        return Traffic(answers), [Flag("metric", "inconclusive", told)]
    evaluated = own["evaluated"].max()
    return Traffic(answers, None if own.is_empty() else float(evaluated or 0) / days), []  # type: ignore[arg-type]


def _columns(objective: Objective) -> list[str]:
    """The daily figures that an objective is about; labels have one each, `metric: label`."""
    labels = objective.criterion.labels if objective.criterion else ()
    return [objective.metric or "", *(f"{objective.metric}: {label}" for label in labels)]


def _percent(share: float) -> str:
    """A share as it was written, not rounded to a figure."""
    return f"{100 * share:.8g} %"


def _promise(objective: Objective) -> str:
    share, over = _percent(objective.target), objective.window.told
    if objective.parts:
        parts = listing((f"{p.objective.name} (weight {p.weight:g})" for p in objective.parts), 8)
        return f"Over {over}, the mean share of good of {parts} is at least {share}."
    have, where = "are good", f" in {objective.filter}" if objective.filter else ""
    if objective.metric and objective.criterion:
        have = objective.criterion.told(objective.metric)
    what = f"answers{where} {have}"
    if objective.timeslice_window is None:
        return f"Over {over}, at least {share} of {what}."
    of = objective.timeslice_window.told
    if objective.timeslice_target is None:
        return (
            f"Over {over}, the mean over slices of {of} of the share of {what} is at least {share}."
        )
    slices = _percent(objective.timeslice_target)
    return f"Over {over}, in at least {share} of slices of {of} at least {slices} of {what}."


def _allowed(objective: Objective, traffic: Traffic | None) -> str:
    length = objective.window.length
    if objective.parts:
        return f"That allows a mean share of bad of {_percent(objective.budget)}."
    if objective.budgeting == "timeslices" and objective.timeslice_window:
        bad = objective.budget / objective.timeslice_window.days
        total = figure(bad * length.days)
        return (
            f"That allows {figure(bad)} bad slices a day, {total} in {length.told}; "
            "a quiet slice counts as much as a busy one."
        )
    if traffic is None:
        return f"That allows {figure(ASSUMED * objective.budget)} bad answers in {ASSUMED:,}."
    bad = traffic.answers * objective.budget
    many = f"{figure(bad)} bad ones a day are" if bad >= 1 else "fewer than one bad one a day is"
    return (
        f"At {figure(traffic.answers)} answers a day, {many} allowed, "
        f"{figure(bad * length.days)} in {length.told}."
    )


def _alert_told(alert: Alert, objective: Objective) -> str:
    rate, spent = 100 * alert.burn_rate * objective.budget, _spends(alert, objective)
    what = "slices" if objective.budgeting == "timeslices" else "answers"
    side = "below" if alert.quiet else "over"
    lasting = f", for {alert.after.told}," if alert.after.count else ""
    return (
        f"{alert.severity or 'alert'} when {side} {rate:.3g} % of {what} in "
        f"{alert.window.told} are bad{lasting} (burn rate {alert.burn_rate:.3g}; "
        f"{100 * spent:.2g} % of the budget)"
    )


def _spends(alert: Alert, objective: Objective) -> float:
    return alert.burn_rate * alert.window.days / objective.window.length.days


def _limit(objective: Objective) -> float:
    """The share of evaluated answers that may be bad: of a slice, where slices are judged."""
    own = objective.timeslice_target
    return objective.budget if own is None else 1 - own


def _evaluated(objective: Objective, traffic: Traffic) -> float:
    """Answers a day of which something will be known."""
    own = traffic.evaluated
    return traffic.answers * objective.sampling if own is None else own


def _metric_flags(objective: Objective) -> Iterable[Flag]:
    criterion = objective.criterion
    if objective.metric in RATES and criterion and criterion.kind == "range":
        told = f"{objective.metric} is true or false: write good = true or good = false"
        yield Flag("metric", "fail", told)


def _budget_flags(objective: Objective, traffic: Traffic | None) -> Iterable[Flag]:
    length = objective.window.length
    if objective.budgeting == "timeslices" and objective.timeslice_window:
        units, what = length.days / objective.timeslice_window.days, "slice"
    elif traffic is None:
        return
    else:
        units, what = _evaluated(objective, traffic) * length.days, "evaluated answer"
    allowed = units * objective.budget
    if allowed < 1:
        told = (
            f"one bad {what} exhausts the budget: {figure(units)} of them in {length.told} "
            f"allow {figure(allowed)}; lengthen the window or lower the target"
        )
        yield Flag("budget", "fail", told)


def _judge_flags(objective: Objective) -> Iterable[Flag]:
    judge, limit = objective.judge, _limit(objective)
    if judge is None:
        return
    if min(judge.positives, judge.negatives) < FEWEST_LABELS:
        told = (
            f"the judge was checked on {judge.positives} labelled bad and {judge.negatives} good "
            f"answers; under {FEWEST_LABELS} of either, its errors can hardly be told"
        )
        yield Flag("judge labels", "inconclusive", told)
    if min(judge.positives, judge.negatives) == 0:
        return
    false = 1 - judge.true_negatives / judge.negatives
    power = judge.true_positives / judge.positives - false
    if power <= LEAST_POWER:
        told = (
            f"sensitivity + specificity − 1 of the judge is {power:.2f}: it tells next to nothing"
        )
        yield Flag("judge", "fail", told)
        return
    low, high = (float(end) for end in wilson(false, judge.negatives, Z))
    seen = f"{figure(false, share=True)} {interval(max(low, 0.0), high, share=True)}"
    cap = _percent(limit)
    if low > limit:
        told = (
            f"the judge flags {seen} of good answers, more than the {cap} that may be bad: "
            "uncorrected, the budget is spent by its mistakes alone"
        )
        yield Flag("judge", "fail", told)
    elif high > limit:
        told = (
            f"the judge flags {seen} of good answers: {judge.negatives} labels cannot tell that "
            f"from the {cap} that may be bad; {_labels(false, limit)}"
        )
        yield Flag("judge", "inconclusive", told)


def _labels(false: float, limit: float) -> str:
    """How many labelled good answers would tell, were the judge's errors as seen."""
    if false >= limit:
        return "a judge with fewer false flags would settle it"
    n = 1.0
    while wilson(false, n, Z)[1] > limit and n < 1e7:
        n *= 1.02
    return f"about {figure(n, digits=2)} labelled good answers would settle it"


def _sampling_flags(objective: Objective, traffic: Traffic | None) -> Iterable[Flag]:
    if traffic is None or (limit := _limit(objective)) <= 0:
        return
    length = objective.timeslice_window if objective.timeslice_target else objective.window.length
    if length is None:
        return
    n = _evaluated(objective, traffic) * length.days
    if n <= 0:
        yield Flag("sampling", "inconclusive", "no answer is evaluated: nothing can be said")
        return
    least = 1.0
    while wilson(limit / 2, least, Z)[1] > limit:
        least *= 1.02
    if n < least:
        of = "a slice" if objective.timeslice_target else length.told
        told = (
            f"{figure(n)} evaluated answers in {of} cannot tell a budget half spent from an "
            f"exhausted one; {figure(math.ceil(least), digits=2)} could"
        )
        yield Flag("sampling", "inconclusive", told)


def unreachable(alert: Alert, objective: Objective) -> bool:
    """Whether not even bad answers alone burn so fast."""
    most = 1 / objective.budget
    return alert.burn_rate > most * (1 - 1e-9 if alert.strict else 1 + 1e-9)


def _alert_flags(objective: Objective, traffic: Traffic | None) -> Iterable[Flag]:
    for alert in objective.alerts:
        most = 1 / objective.budget
        if alert.quiet:
            told = (
                f'"{alert.name}" fires while little is burnt, which is all the time: use gt or gte'
            )
            yield Flag("alert", "warn", told)
            continue
        if unreachable(alert, objective):
            told = (
                f'"{alert.name}" can never fire: with every answer bad the burn rate is '
                f"{most:.3g}, and it needs {alert.burn_rate:.3g}"
            )
            yield Flag("alert", "fail", told)
            continue
        if (spent := _spends(alert, objective)) > 1:
            told = f'"{alert.name}" fires when {figure(spent, share=True)} of the budget is spent'
            yield Flag("alert", "warn", told)
        if traffic is None or objective.budgeting == "timeslices" or objective.parts:
            continue
        n, least = _evaluated(objective, traffic) * alert.window.days, most / alert.burn_rate
        if n < least:
            told = (
                f'one bad answer sets off "{alert.name}": {figure(n)} are evaluated in '
                f"{alert.window.told}, and it takes {figure(math.ceil(least))} for one not to"
            )
            yield Flag("alert", "warn", told)
