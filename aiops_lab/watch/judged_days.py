"""What people would say of each day's answers, where a judge saw many and people labelled some."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.result import Result
from aiops_lab.stats.judged import Judged, corrected_rate
from aiops_lab.tables import polars_frame, schema_of
from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import figure, interval

PASS = 0.5
COLUMNS = schema_of("trace_id metric value:float label scorer_kind sampling_weight:float")
DAYS = schema_of(
    "day:date n:float labelled:float judge:float value:float low:float high:float method"
)


@dataclass(frozen=True)
class JudgedDays(Result):
    """A judge's daily rate beside what it comes to; see `judged_days`.

    Attributes
    ----------
    verdict
        ok where the rate of all days could be put right, else inconclusive.
    days
        day, n (answers judged), labelled (labels used), judge (the share that it passes), value
        (put right), low, high (95 %; null where that cannot be done), method (or why not).
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    days: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def judged_days(
    lab: Any, metric: str, *, human: str | None = None, label_days: int = 28
) -> JudgedDays:
    """The daily share of answers that pass, put right for the errors of their judge.

    Sensitivity and specificity come from the requests that both saw (Rogan and Gladen 1978; the
    interval of Lang and Reiczigel 2014), and the judge is taken to err alike in those days. Answers
    sampled at different rates count by their weight, as so many as they are worth (Kish).

    Parameters
    ----------
    lab
        A Lab, or a frame of scores with trace_id, day, metric, value and, where there are such,
        scorer_kind and sampling_weight. At 0.5 or more an answer passes.
    metric
        The judge's: its scores by people are not.
    human
        The metric of people's labels; by default, of the same metric, those of scorer_kind human.
        A lab keeps one score a request and metric: there people's labels need a name of their own.
    label_days
        A day is put right by the labels of so many days, the last of which it is.

    Raises
    ------
    BadSettings
        No scores of that name, or a frame without these columns.

    Examples
    --------
    >>> rows = [(f"t{n}", kind, float(n % 10 > (3 if kind == "human" else 1)))
    ...         for n in range(600) for kind in ("model", "human") if kind == "model" or n < 300]
    >>> scores = pl.DataFrame(rows, ["trace_id", "scorer_kind", "value"], orient="row")
    >>> scores = scores.with_columns(day=dt.date(2026, 5, 1), metric=pl.lit("grounded"))
    >>> print(judged_days(scores, "grounded").verdict.headline)
    Of grounded the judge passes 80.0 %; by 300 labels of people it is 60.0 % (50.0 to 69.4).
    """
    if not isinstance(label_days, int) or label_days < 1:
        raise BadSettings(f"label_days is a number of days, 1 or more, not {label_days!r}")
    by_people = pl.col("scorer_kind").eq_missing("human")
    judge = scores_of(lab, metric).filter(~by_people)
    labels = scores_of(lab, human) if human else scores_of(lab, metric).filter(by_people)
    judge, labels = (
        rows.drop_nulls(["day", "value"]).unique("trace_id", keep="last", maintain_order=True)
        for rows in (judge, labels)
    )
    if not judge.height:
        raise BadSettings(f"no judge has scored {metric!r}")
    both = labels.join(
        judge.select("trace_id", judge="value", judged="weight"), on="trace_id"
    ).select(
        "day", truth=_passed("value"), said=_passed("judge"),
        weight=pl.when(pl.col("sampling_weight") > 0).then("weight").otherwise("judged"),
    )  # fmt: skip
    days = judge.group_by("day").agg(
        pl.len().alias("n"), flagged=_share(_passed("value")), effective=_effective()
    ).sort("day")  # fmt: skip
    rows = []
    for day, n, flagged, effective in days.iter_rows():
        since = day - dt.timedelta(days=label_days - 1)
        own = _corrected(flagged, effective, both.filter(pl.col("day").is_between(since, day)))
        rows.append((day, n, own.labelled, flagged, own.value, own.low, own.high, own.method))
    seen = judge.select(flagged=_share(_passed("value")), effective=_effective())
    whole = _corrected(seen["flagged"].item(), seen["effective"].item(), both)
    table = pl.DataFrame(rows, schema=DAYS, orient="row", strict=False)
    settings = {"metric": metric, "human": human, "label_days": label_days}
    return JudgedDays(_verdict(metric, whole), table, settings)


def scores_of(lab: Any, metric: str) -> pl.DataFrame:
    """The online scores of a metric with the day of their request: one row a request and kind.

    Raises
    ------
    BadSettings
        There are none, or the frame has no such columns.
    """
    scan: Any = getattr(lab, "scan", None)
    if scan is not None:
        days = scan("traffic").select("trace_id", "day")
        own = scan("evaluations").filter(pl.col("metric") == metric)
        frame: pl.DataFrame = own.join(days, on="trace_id").collect()
    else:
        frame = polars_frame(lab, "scores are a table, or a lab")
        for name in ("trace_id", "day", "metric"):
            if name not in frame.columns:
                raise BadSettings(f"scores have no column {name!r}")
        frame = frame.filter(pl.col("metric") == metric)
    if not frame.height:
        raise BadSettings(f"no scores are called {metric!r}")
    given = [pl.col(c) if c in frame.columns else pl.lit(None).alias(c) for c in COLUMNS]
    rows = frame.select(pl.col("day").cast(pl.Date), *given)
    rows = rows.with_columns(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())
    weight = pl.when(pl.col("sampling_weight") > 0).then(pl.col("sampling_weight")).otherwise(1.0)
    rows = rows.with_columns(weight=weight, value=pl.col("value").fill_nan(None))
    return rows.unique(["trace_id", "scorer_kind"], keep="last", maintain_order=True)


def _passed(column: str) -> pl.Expr:
    return pl.col(column) >= PASS


def _share(what: pl.Expr) -> pl.Expr:
    return (what * pl.col("weight")).sum() / pl.col("weight").sum()


def _effective() -> pl.Expr:
    """So many equally weighted answers would tell as much (Kish)."""
    return pl.col("weight").sum() ** 2 / (pl.col("weight") ** 2).sum()


def _corrected(flagged: float, effective: float, both: pl.DataFrame) -> Judged:
    """The share put right by answers that both saw: their truth, what the judge said, weight."""
    told = []
    for truth in (True, False):
        own = both.filter(pl.col("truth") == truth)
        n = own.select(_effective()).item() if own.height else 0.0
        right = own.select(_share(pl.col("said") == truth)).item() if own.height else 0.0
        told += [right * n, n]
    names = ("true_positives", "positives", "true_negatives", "negatives")
    return corrected_rate(flagged * effective, effective, **dict(zip(names, told, strict=True)))


def _verdict(metric: str, whole: Judged) -> Verdict:
    if whole.value is None:
        return Verdict(
            "inconclusive",
            f"What people would say of {metric} cannot be told: {whole.method}.",
            next_step="Have people label 100 answers or more, drawn at random, of both kinds.",
        )
    headline = (
        f"Of {metric} the judge passes {figure(whole.judge_only, share=True)}; by {whole.labelled} "
        f"labels of people it is {figure(whole.value, share=True)} "
        f"{interval(whole.low, whole.high, share=True)}."
    )
    evidence = Evidence(metric, whole.value, whole.low, whole.high, share=True)
    return Verdict("ok", headline, (evidence,))
