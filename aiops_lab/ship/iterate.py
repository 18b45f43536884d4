"""Is the best prompt so far good enough, after so many were tried on the same questions?

The best of many runs looks better than it is: it was partly picked for its luck (the winner's
curse). What is corrected here is that picking. What no calculation sees is a prompt that was
written with these very questions in view: for that ask fresh ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from aiops_lab.errors import BadSettings, NotComputable, UnknownRun
from aiops_lab.frames import evals
from aiops_lab.result import Result
from aiops_lab.ship.rank import Shared, check_level, covariance_of_means, shared_scores
from aiops_lab.stats.power import questions_needed
from aiops_lab.stats.single import single_mean
from aiops_lab.tables import polars_frame
from aiops_lab.verdict import Evidence, Status, Verdict
from aiops_lab.wording import figure, interval

DRAWS = 4000
COVERED = 0.8
"""A run that has fewer of the newest run's questions than this share is left out."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Loop(Result):
    """The runs of one task in order; see `prompt_loop`.

    Attributes
    ----------
    verdict
        ok (good enough to ship), fail or inconclusive.
    steps
        A row a run, the oldest first: run_id, prompt_version, started_at, mean with its own
        interval (low, high), best_run and best_so_far (as seen), best_corrected (its optimism
        removed), low_corrected and high_corrected (one-sided 95 % bounds of the true mean of
        the best run, which hold although it was picked).
    left_out
        Runs of the task over other questions: run_id, reason.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    steps: pl.DataFrame
    left_out: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def prompt_loop(
    lab: Any,
    task: str | None = None,
    *,
    metric: str | None = None,
    target: float | None = None,
    cluster: str | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Loop:
    """Follow the runs of one task against a target: is the best good enough to ship?

    Parameters
    ----------
    lab
        A Lab, or one flat table with canonical columns.
    task
        By default that of the newest run; a table without tasks is taken whole.
    metric
        The score; by default the first that every run has.
    target
        What the true score must reach (with "lower is better", stay under); by default the
        ``floor`` that the lab's policy sets for the metric.
    cluster
        A column or metadata key of questions that belong together.
    level
        One-sided coverage of the corrected bounds, and of each run's own interval.
    seed
        Makes the draws behind the correction the same each time.

    Raises
    ------
    UnknownRun
        There is no such task.
    NotComputable
        The runs share no score.

    Examples
    --------
    >>> table = pl.DataFrame({
    ...     "run_id": ["a"] * 100 + ["b"] * 100,
    ...     "sample_id": [*range(100)] * 2,
    ...     "value": [1, 0] * 50 + [1] * 97 + [0] * 3,
    ... })
    >>> prompt_loop(table, target=0.9).verdict.status
    'ok'
    """
    if target is not None and not np.isfinite(target):
        raise BadSettings(f"a target is a number, not {target}")
    check_level(level)
    data = evals(lab, *_of_task(lab, task))
    order = data.runs.unique("run_id").select("run_id", "started_at")
    order = pl.DataFrame({"run_id": data.run_ids}).join(order, on="run_id", maintain_order="left")
    order = order.sort("started_at", nulls_last=False, maintain_order=True)["run_id"].to_list()
    scored = data.scores.drop_nulls("value")
    if metric is not None:
        scored = scored.filter(pl.col("metric") == metric)
    asked = {run: set(scored.filter(pl.col("run_id") == run)["sample_id"]) for run in order}
    if not any(asked.values()):
        raise NotComputable(f"no run has a score {metric!r}" if metric else "no run has a score")
    newest = next(asked[run] for run in reversed(order) if asked[run])
    kept = [run for run in order if len(asked[run] & newest) >= COVERED * len(newest)]
    shared = shared_scores(data.only(*kept), metric, cluster)
    if target is None and (settings := getattr(lab, "settings", None)) is not None:
        rule = settings.gate.metrics.get(shared.metric)
        target = rule.floor if rule else None
    names = data.runs.select("run_id", "prompt_version", "started_at").unique("run_id")
    steps = pl.DataFrame({"run_id": kept}).join(names, on="run_id", maintain_order="left")
    steps = pl.concat([steps, _steps(shared, kept, level, seed)], how="horizontal")
    return Loop(
        verdict=_verdict(steps, shared, kept, target, level),
        steps=steps,
        left_out=pl.DataFrame(
            {"run_id": [run for run in order if run not in kept]}, schema={"run_id": pl.String}
        ).with_columns(reason=pl.lit("other questions than the newest run's")),
        settings={
            "task": task,
            "runs": kept,
            "metric": shared.metric,
            "target": target,
            "cluster": cluster,
            "level": level,
            "seed": seed,
            "questions": len(shared.values),
            **data.origin,
        },
    )


def _of_task(lab: Any, task: str | None) -> list[str]:
    """The runs of a task, the oldest first."""
    whole = hasattr(lab, "find_run")
    runs = lab.runs() if whole else polars_frame(lab, "a prompt loop takes a Lab or a table")
    if runs.height and "task" in runs.columns:
        if task is None:
            latest = runs.filter(run_id=lab.find_run("latest")) if whole else runs
            task = latest["task"][-1]
        runs = runs.filter(pl.col("task").eq_missing(task))
    if not runs.height:
        raise UnknownRun(f"there is no run of task {task!r}" if task else "there are no runs")
    if "run_id" not in runs.columns:
        raise BadSettings("the table has no column run_id")
    return runs["run_id"].cast(pl.String).unique(maintain_order=True).to_list()


def noise_of_means(values: Floats, clusters: NDArray | None = None, seed: int = 0) -> Floats:
    """Draws of the sampling error of the runs' means, of shape (draws, runs).

    Normal, with the covariance that the questions (or clusters) show; each draw comes with its
    mirror image, so that every column's mean is zero.
    """
    size, axes = np.linalg.eigh(covariance_of_means(values, clusters)[0])
    draws = np.random.default_rng(seed).normal(size=(DRAWS // 2, len(size)))
    found = draws * np.sqrt(np.maximum(size, 0)) @ axes.T
    return np.concatenate([found, -found])


def optimism(means: Floats, noise: Floats) -> float:
    """How much better the best of some means looks than it is, on average.

    The choice of the best is repeated on means redrawn around a guess at the true ones
    (Tibshirani and Tibshirani 2009, Ann. Appl. Stat. 3:822, with normal draws). The guess is the
    means seen, drawn together until their variance is the true one's: left as they are, the noise
    in them would count twice and a third of the optimism would stay.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(4000, 10)) * 0.04
    >>> round(optimism(np.full(10, 0.7), noise), 3)
    0.062
    """
    if means.size < 2:
        return 0.0
    covariance = np.cov(noise.T)
    chance = (np.trace(covariance) - covariance.sum() / means.size) / (means.size - 1)
    seen = means.var(ddof=1)
    drawn_in = np.sqrt(max(0.0, 1 - chance / seen)) if seen > 0 else 0.0
    best = (drawn_in * (means - means.mean()) + noise).argmax(1)
    return float(noise[np.arange(len(noise)), best].mean())


def tail_of_best(noise: Floats, level: float) -> float:
    """The tail at which one-sided bounds hold for all runs at once, whichever is picked (max-t)."""
    errors = noise.std(0)
    moving = errors > 0
    if not moving.any():
        return 1 - level
    largest = (noise[:, moving] / errors[moving]).max(1)
    return min(1 - level, float(special.ndtr(-np.quantile(largest, level))))


def _steps(shared: Shared, runs: list[str], level: float, seed: int) -> pl.DataFrame:
    """The figures of each run, and of the best of those up to it."""
    sign, x, clusters = shared.direction, shared.values, shared.clusters
    noise, means = noise_of_means(x, clusters, seed), x.mean(0)
    rows = []
    for k in range(1, x.shape[1] + 1):
        own = single_mean(x[:, k - 1], clusters, level=level)
        best = int((sign * means[:k].round(12)).argmax())
        picked = tail_of_best(sign * noise[:, :k], level)
        worst, most = (
            single_mean(x[:, best], clusters, level=1 - 2 * tail, exact=True)
            for tail in (picked, 1 - level)
        )
        ends = (worst.low, most.high) if sign > 0 else (most.low, worst.high)
        rows.append(
            {
                **{"mean": own.mean, "low": own.low, "high": own.high, "best_run": runs[best]},
                "best_so_far": means[best],
                "best_corrected": means[best]
                - sign * optimism(sign * means[:k], sign * noise[:, :k]),
                **{"low_corrected": ends[0], "high_corrected": ends[1]},
            }
        )
    floats = ("mean", "low", "high", "low_corrected", "high_corrected")
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(floats, pl.Float64))


def _verdict(
    steps: pl.DataFrame, shared: Shared, runs: list[str], target: float | None, level: float
) -> Verdict:
    last, share, sign = steps.row(-1, named=True), shared.share, shared.direction
    run, value = last["best_run"], last["best_corrected"]
    low, high = last["low_corrected"], last["high_corrected"]
    near, far = (low, high) if sign > 0 else (high, low)
    status: Status = "inconclusive"
    if shared.doubts:
        headline = f"These runs cannot be held together: {shared.doubts[0]}."
        step = "Run the prompts over the same questions with the same scorer."
        return Verdict(status, headline, (), step)
    if target is not None and near is not None and far is not None and shared.trusted:
        cleared = sign * (near - target) >= 0
        status = "ok" if cleared else "fail" if sign * (far - target) < 0 else "inconclusive"
    told = (
        f"{run}, the best of {len(runs)} runs, has {shared.metric} {figure(value, share=share)} "
        f"{interval(low, high, share=share)}, {figure(last['best_so_far'], share=share)} "
        "before its luck in being picked is removed"
    )
    limit = figure(target, share=share)
    evidence = (Evidence(shared.metric, value, low, high, target, status),)
    if target is None:
        return Verdict(status, f"{told}.", evidence, "Give a target to decide against.")
    if status == "ok":
        return Verdict(
            status, f"Good enough: {told}; the target is {limit}.", evidence, f"Ship {run}."
        )
    if status == "fail":
        step = "Change more than the wording: read the questions that every run gets wrong."
        return Verdict(status, f"Not good enough: {told}; the target is {limit}.", evidence, step)
    own = single_mean(shared.values[:, runs.index(run)], shared.clusters, level=level)
    needed = questions_needed(own.standard_error, own.n, value - target, sides=1)
    step = f"Ask {run} alone fresh questions"
    step += f", about {figure(needed, digits=2)} if its score is as corrected." if needed else "."
    headline = f"Cannot tell whether the target of {limit} is met: {told}."
    return Verdict(status, headline, evidence, step)
