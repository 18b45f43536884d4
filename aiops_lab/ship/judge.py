"""A rule whose scores a judge gave, decided on what people would have said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from aiops_lab.ship.policy import Rule
from aiops_lab.stats.agreement import cohen_kappa
from aiops_lab.stats.judged import error_rates_differ, ppi_mean

Values = NDArray[np.float64]
LEAST_KAPPA = 0.6
"""Below this agreement with people a judge decides nothing."""
FEWEST_LABELS = 30


@dataclass(frozen=True)
class Labels:
    """Scores of judge and people on the questions that both runs answered; NaN: no label.

    Each has the shape (questions, 2): baseline, candidate.
    """

    judge: Values
    human: Values
    clusters: Values | None = None


@dataclass(frozen=True)
class Heard:
    """What people would have said: the value with its ends, p-values, or a note why not."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_ok: float | None = None
    p_fail: float | None = None
    error: float | None = None
    note: str = ""
    method: str = ""


def heard(rule: Rule, labels: Labels, level: float) -> Heard:
    """Decide a rule on the difference (or the candidate's mean) corrected by human labels."""
    known = np.isfinite(labels.human).all(1)
    if known.sum() < FEWEST_LABELS:
        told = f"{int(known.sum())} questions have human labels on both sides"
        return Heard(note=f"{told}, a judge needs {FEWEST_LABELS}")
    if note := _unfit(labels.judge[known], labels.human[known]):
        return Heard(note=note)
    judge, human = labels.judge[:, 1], labels.human[:, 1]
    paired = rule.scale == "difference"
    if paired:
        judge, human = judge - labels.judge[:, 0], human - labels.human[:, 0]
    groups = None
    if labels.clusters is not None:
        groups = labels.clusters[~known], labels.clusters[known]
    found = ppi_mean(
        judge[~known], judge[known], human[known], level=level, clusters=groups, paired=paired
    )
    if found.value is None or found.low is None or found.high is None:
        return Heard(value=found.value, note=found.method)
    width = (found.high - found.low) / (2 * float(special.ndtri((1 + level) / 2)))
    away = rule.direction * (found.value - rule.limit) / width
    near = found.low if rule.direction > 0 else found.high
    clears = rule.direction * (near - rule.limit) > 0
    alpha, p = (1 - level) / 2, float(special.ndtr(-away))
    return Heard(
        value=found.value,
        low=found.low,
        high=found.high,
        p_ok=min(p, alpha) if clears else max(p, math.nextafter(alpha, 1)),
        p_fail=float(special.ndtr(away)),
        error=width,
        method=f"{found.method}; {found.labelled} human labels a side{_agreed(labels, known)}",
    )


def _agreed(labels: Labels, known: Any) -> str:
    """How well judge and people agree."""
    judge, human = labels.judge[known].ravel(), labels.human[known].ravel()
    if not np.isin([judge, human], (0, 1)).all():
        return ""
    found = cohen_kappa(judge, human)
    if found.value is None or found.low is None or found.high is None:
        return ""
    return f", kappa {found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _unfit(judge: Values, human: Values) -> str:
    """Why this judge decides nothing: too little agreement, or other errors on one side."""
    if not (np.isin(judge, (0, 1)).all() and np.isin(human, (0, 1)).all()):
        return ""
    agreed = cohen_kappa(judge.ravel(), human.ravel())
    if agreed.value is not None and agreed.value < LEAST_KAPPA:
        return f"the judge agrees with people too little (kappa {agreed.value:.2f}, needs 0.6)"
    differ = error_rates_differ(judge[:, 0], human[:, 0], judge[:, 1], human[:, 1])
    if differ.differ:
        kind, rate = min(
            (("false passes", differ.false_positive), ("false fails", differ.false_negative)),
            key=lambda pair: 1.0 if pair[1].adjusted is None else pair[1].adjusted,
        )
        sides = " and ".join(
            f"{100 * (side.mean or 0):.0f} %" for side in (rate.baseline, rate.candidate)
        )
        return f"the judge errs differently on the two sides ({kind}: {sides})"
    return ""
