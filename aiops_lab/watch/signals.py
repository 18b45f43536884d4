"""Does a score move with what users do?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.result import Result
from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.watch.judged_days import PASS, scores_of
from aiops_lab.wording import figure, interval

FEWEST_DAYS = 14
FEWEST = 20
"""Answers that passed, and that failed, of which users told something."""
BLOCK = 7
MOST = 10
RESAMPLES = 4_000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreAndUsers(Result):
    """Whether a score moves with what users do; see `score_and_users`.

    Attributes
    ----------
    verdict
        ok where it does, as expected; warn where it does not by more than `margin`, or the wrong
        way round; else inconclusive, with the days that would settle it.
    requests
        side (passed, failed), n, share (the mean of the signal); the requests that have both.
    days
        day, score, signal: the means of all that have one.
    figures
        name (difference, rank_correlation), value, low, high, p_value.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    requests: pl.DataFrame
    days: pl.DataFrame
    figures: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def score_and_users(
    lab: Any, score: str, signal: str = "user_feedback", *, passes: float = PASS,
    good: bool = True, margin: float = 0.05, seed: int = 0,
) -> ScoreAndUsers:  # fmt: skip
    """Compare what users do after answers that pass a score and after those that fail it.

    Parameters
    ----------
    lab
        A Lab, or a frame of scores as `judged_days` takes it, with `label` too for labels.
    score
        An online score. Answers count by their sampling weight: where those that users disliked
        are judged more often, they would make any score look right.
    signal
        A score that users gave (1 for a thumb up, 0 for one down), or one label in all of them,
        ``user_feedback: retry``.
    passes
        From here on an answer passes.
    good
        Whether more of the signal is better.
    margin
        A difference below it is none.

    Returns
    -------
    ScoreAndUsers
        The difference has the percentile interval of whole days drawn again; the rank correlation
        of daily means (Spearman) the p-value of weeks put in another order, which holds where days
        follow each other within a week. A trend that both have counts as moving together.

    Raises
    ------
    BadSettings
        No such score or signal.

    Examples
    --------
    >>> import datetime as dt
    >>> day = [dt.date(2026, 5, 1) + dt.timedelta(days=n % 28) for n in range(840)]
    >>> ids = [f"t{n}" for n in range(840)]
    >>> one = pl.DataFrame({"trace_id": ids, "day": day, "metric": "grounded",
    ...                     "value": [float(n % 3 > 0) for n in range(840)]})
    >>> two = one.with_columns(metric=pl.lit("thumb"), value=pl.Series([float(n % 3 > n % 2)
    ...                                                                 for n in range(840)]))
    >>> print(score_and_users(pl.concat([one, two]), "grounded", "thumb").verdict.headline)
    thumb is 75.0 % where grounded passes and 0.0 % where it fails (66.1 to 83.9 points).
    """
    scored, told = scores_of(lab, score).drop_nulls(["day", "value"]), _signal(lab, signal)
    scored = scored.unique("trace_id", keep="last", maintain_order=True)
    both = told.select("trace_id", signal="value").join(scored, on="trace_id")
    side = pl.when(pl.col("value") >= passes).then(pl.lit("passed")).otherwise(pl.lit("failed"))
    sums = both.group_by("day", side=side).agg(
        pl.len().alias("n"), weight=pl.col("weight").sum(),
        events=(pl.col("weight") * pl.col("signal")).sum(),
    ).sort("day", "side")  # fmt: skip
    requests = sums.group_by("side").agg(
        pl.col("n").sum(), share=pl.col("events").sum() / pl.col("weight").sum()
    ).sort("side", descending=True)  # fmt: skip
    days = _daily(scored, "score").join(_daily(told, "signal"), on="day").sort("day")
    chance = np.random.default_rng(seed)
    value, low, high = _difference(sums, requests, chance)
    correlation, p_value = _rank_correlation(days, chance)
    figures = pl.DataFrame(
        [("difference", value, low, high, None),
         ("rank_correlation", correlation, None, None, p_value)],
        schema={"name": pl.String} | dict.fromkeys(("value", "low", "high", "p_value"), pl.Float64),
        orient="row",
    )  # fmt: skip
    share = bool(both["signal"].is_between(0, 1).all())
    verdict = _verdict(
        score, signal, requests, sums["day"].n_unique(), figures, good, margin, share
    )
    settings = {"score": score, "signal": signal, "passes": passes, "good": good,
                "margin": margin, "seed": seed}  # fmt: skip
    return ScoreAndUsers(verdict, requests, days, figures, settings)


def scores_and_users(lab: Any) -> list[ScoreAndUsers]:
    """`score_and_users` of each online score and each thing that users tell, as far as there are.

    The ten most frequent signals: scores by people that are numbers, and labels of those that are
    not. Of many pairs some seem to move together by chance.
    """
    kinds = lab.scan("evaluations").group_by(
        "metric", human=pl.col("scorer_kind").eq_missing("human")
    ).agg(pl.col("value").count(), label=pl.col("label").filter(pl.col("value").is_null()),
          n=pl.len()).sort("n", "metric", descending=[True, False]).collect()  # fmt: skip
    scores = kinds.filter(~pl.col("human"), pl.col("value") > 0)["metric"].to_list()
    by_people = kinds.filter("human")
    labels = by_people.explode("label").drop_nulls("label")
    often = labels.group_by(pl.format("{}: {}", "metric", "label")).len().sort("len", "metric",
        descending=[True, False])  # fmt: skip
    signals = [*by_people.filter(pl.col("value") > 0)["metric"], *often["metric"]][:MOST]
    return [score_and_users(lab, score, signal) for score in scores for signal in signals]


def _signal(lab: Any, signal: str) -> pl.DataFrame:
    metric, between, label = signal.partition(": ")
    if not between:
        return scores_of(lab, signal).drop_nulls(["day", "value"]).unique("trace_id", keep="last")
    rows = scores_of(lab, metric).drop_nulls(["day", "label"]).unique("trace_id", keep="last")
    if label not in rows["label"]:
        raise BadSettings(f"no label of {metric!r} is {label!r}")
    return rows.with_columns(value=(pl.col("label") == label).cast(pl.Float64))


def _daily(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    mean = (pl.col("value") * pl.col("weight")).sum() / pl.col("weight").sum()
    return rows.group_by("day").agg(mean.alias(name))


def _difference(
    sums: pl.DataFrame, requests: pl.DataFrame, chance: np.random.Generator
) -> tuple[float | None, float | None, float | None]:
    """Passed less failed, and its interval over days drawn again."""
    if requests.height < 2:
        return None, None, None
    wide = sums.pivot("side", index="day", values=["events", "weight"]).fill_null(0)
    names = ("events_passed", "weight_passed", "events_failed", "weight_failed")
    table = wide.select(names).to_numpy()
    value = float(requests["share"][0] - requests["share"][1])
    if len(table) < FEWEST_DAYS or requests["n"].to_numpy().min() < FEWEST:
        return value, None, None
    times = chance.multinomial(len(table), np.full(len(table), 1 / len(table)), RESAMPLES)
    drawn = (times @ table).T
    some = (drawn[1] > 0) & (drawn[3] > 0)
    away = drawn[0][some] / drawn[1][some] - drawn[2][some] / drawn[3][some]
    low, high = np.quantile(away, [0.025, 0.975])
    return value, float(low), float(high)


def _rank_correlation(
    days: pl.DataFrame, chance: np.random.Generator, permutations: int = 999
) -> tuple[float | None, float | None]:
    """Spearman's correlation of daily means, and how often weeks in another order have as much."""
    from scipy.stats import rankdata

    one, two = (rankdata(days[name].to_numpy()) for name in ("score", "signal"))
    if days.height < 4 * BLOCK or not np.ptp(one) or not np.ptp(two):
        return None, None
    one, two = ((x - x.mean()) / (x.std() * math.sqrt(x.size)) for x in (one, two))
    blocks = np.array_split(np.arange(one.size), one.size // BLOCK)
    orders = np.stack(
        [np.concatenate([blocks[i] for i in chance.permutation(len(blocks))])
         for _ in range(permutations)]
    )  # fmt: skip
    found, others = float(one @ two), one[orders] @ two
    return found, float(1 + (np.abs(others) >= abs(found) - 1e-12).sum()) / (1 + permutations)


def _verdict(
    score: str, signal: str, requests: pl.DataFrame, days: int, figures: pl.DataFrame, good: bool,
    margin: float, share: bool,
) -> Verdict:  # fmt: skip
    value, low, high = figures.select("value", "low", "high").row(0)
    if low is None:
        told = ", ".join(f"{n} {side}" for side, n, _ in requests.iter_rows()) or "none"
        return Verdict(
            "inconclusive",
            f"Whether {score} moves with {signal} cannot be told: {told} on {days} days have both.",
            next_step=f"{FEWEST} that passed and {FEWEST} that failed, on {FEWEST_DAYS} days or "
            "more, are needed: score more of the answers of which users tell something.",
        )
    passed, failed = (figure(mean, share=share) for mean in requests["share"])
    size = interval(low, high, share=share)
    size = f"{size[:-1]} points)" if share else size
    headline = (f"{signal} is {passed} where {score} passes and {failed} where it fails "
                f"{size}.")  # fmt: skip
    ends = (low, high) if good else (-high, -low)
    evidence = (Evidence(f"{signal}, passed less failed", value, low, high, share=share),)
    if ends[1] < margin:
        step = f"{score} does not say what users think of answers: look at both kinds side by side."
        return Verdict("warn", headline, evidence, step)
    if ends[0] > 0:
        return Verdict("ok", headline, evidence)
    half = (high - low) / 2
    more = math.ceil(days * (half / max(abs(value), margin)) ** 2) - days
    step = f"About {max(more, 1)} more days such as these would tell a difference of this size."
    return Verdict("inconclusive", headline, evidence, step)
