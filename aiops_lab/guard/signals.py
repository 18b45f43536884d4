"""How often traffic looks like an attack each day, and how much of that would be one."""

from __future__ import annotations

import polars as pl

from aiops_lab.guard.logs import Logs
from aiops_lab.measures import measure
from aiops_lab.stats.multiple import holm
from aiops_lab.stats.score import exact_share, exact_share_interval
from aiops_lab.tables import schema_of

LEVEL = 0.95
FALSE_POSITIVES, RECALL = 0.02, 0.35
"""What the rule on injections is taken to get wrong and right of ordinary requests and attacks:
cautious figures, for a rule does worse on what it was not written with."""
SURGE, TWICE = 1e-4, 2.0
SIGNALS = schema_of(
    "signal risk day:date n:int events:int rate:float low:float high:float "
    "expected_precision:float p_value:float status"
)


def precision(prevalence: float, false_positives: float, recall: float = RECALL) -> float:
    """The share of what a detector flags that is one, by Bayes.

    Examples
    --------
    >>> round(precision(0.001, 0.02, 1.0), 3), round(precision(0.001, 0.02, 0.35), 3)
    (0.048, 0.017)
    """
    right, wrong = prevalence * recall, (1 - prevalence) * false_positives
    return right / (right + wrong)


def signals(logs: Logs, *, level: float = LEVEL) -> pl.DataFrame:
    """A row a signal and day, and one a signal for all days (day is null), which comes first.

    Returns
    -------
    pl.DataFrame
        signal (injection in inputs; injection in what tools and retrieval brought), risk, day, n
        (requests that tell), events, rate, low, high (exact), expected_precision (of the flagged,
        at ``prevalence``: the detector cannot be wrong more often than it flags), p_value (of so
        many in a day, by the rate of the others; Holm's over days), status: warn where a day has
        at least twice the rate of the others and p is below 0.0001, else ok; inconclusive where
        nothing was looked at.
    """
    found = []
    for name, risk, texts in (
        ("injection in inputs", "LLM01", logs.inputs),
        ("injection in retrieved text", "LLM01", logs.read),
    ):
        flags = measure(texts["text"], "injection")["injection"] if texts.height else []
        by = texts.with_columns(flag=pl.Series(flags, dtype=pl.Boolean))
        by = by.group_by("trace_id").agg(pl.col("day").first(), pl.col("flag").any())
        found += _rows(name, risk, by, logs.guard.prevalence, level)
    return pl.DataFrame(found, schema=SIGNALS, orient="row")


def _rows(name: str, risk: str, by: pl.DataFrame, prevalence: float, level: float) -> list[tuple]:
    n, events = by.height, int(by["flag"].sum())
    if not n:
        return [(name, risk, None, 0, 0, *[None] * 5, "inconclusive")]
    days = by.drop_nulls("day").group_by("day").agg(n=pl.len(), events=pl.col("flag").sum())
    days = days.sort("day").select("day", "n", "events").rows()
    p_values = [_surge(own, of, events - own, n - of) for _, of, own in days]
    rows = [_row(name, risk, None, n, events, prevalence, level, None)]
    for (day, of, own), p, adjusted in zip(days, p_values, holm(p_values), strict=True):
        rest = (events - own) / (n - of) if n > of else None
        twice = p is not None and rest is not None and own / of >= TWICE * rest
        rows.append(_row(name, risk, day, of, own, prevalence, level, adjusted if twice else 1.0
                         if p is not None else None))  # fmt: skip
    return rows


def _surge(own: int, of: int, others: int, n: int) -> float | None:
    """Against the upper end of what the rate of the other days may be: few are no calm."""
    if not n or not own:
        return None if not n else 1.0
    return exact_share(own, of, exact_share_interval(others, n, LEVEL)[1], above=True)


def _row(
    name: str, risk: str, day: object, n: int, events: int, prevalence: float, level: float,
    p: float | None,
) -> tuple:  # fmt: skip
    low, high = exact_share_interval(events, n, level)
    expected = precision(prevalence, min(FALSE_POSITIVES, high)) if events else None
    status = "warn" if p is not None and p < SURGE else "ok"
    return (name, risk, day, n, events, events / n, low, high, expected, p, status)
