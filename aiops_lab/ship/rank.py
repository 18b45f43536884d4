"""Which of many runs over the same questions is best, and which cannot be told apart?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings, NotComputable
from aiops_lab.frames import Evals, evals
from aiops_lab.result import Result
from aiops_lab.ship.pairs import questions
from aiops_lab.ship.preflight import preflight
from aiops_lab.stats.clustered import FEWEST_CLUSTERS
from aiops_lab.stats.multiple import holm
from aiops_lab.stats.paired import intervals, moves
from aiops_lab.stats.power import questions_needed
from aiops_lab.stats.single import single_mean
from aiops_lab.tables import schema_of
from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import figure, interval, listing

MISSING = 0.02
"""Nothing is ranked when more of the questions have no score in some run."""
USED = ("cost_usd", "latency_s", "tokens")
PAIR = schema_of(
    "first:int second:int difference:float standard_error:float low:float high:float "
    "p_value:float p_adjusted:float clear:bool"
)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shared:
    """The scores of some runs on the questions that all of them answered.

    `values` has a row a question and a column a run (means over epochs), `clusters` the cluster
    of each question or None, `direction` is 1 where higher is better, else -1; `asked` counts the
    questions that any of them answered, `doubts` says why nothing can be decided on them.
    """

    metric: str
    direction: int
    sample_ids: pl.Series
    values: Floats
    clusters: NDArray | None
    samples: pl.DataFrame
    asked: int
    doubts: tuple[str, ...] = ()

    @property
    def share(self) -> bool:
        """Whether all values lie between 0 and 1."""
        return bool(self.values.min() >= 0 and self.values.max() <= 1)

    @property
    def trusted(self) -> bool:
        """Whether the clusters, where there are some, are enough to be honoured."""
        return self.clusters is None or np.unique(self.clusters).size >= FEWEST_CLUSTERS


def shared_scores(data: Evals, metric: str | None, cluster: str | None) -> Shared:
    """One metric of all runs as a table of questions by runs.

    Parameters
    ----------
    metric
        By default the first that every run has.

    Raises
    ------
    NotComputable
        No metric, or no question with it, is shared by all runs.
    """
    if len(set(data.run_ids)) < len(data.run_ids):
        twice = next(run for run in data.run_ids if data.run_ids.count(run) > 1)
        raise BadSettings(f"run {twice} is named twice")
    scores = data.scores.filter(pl.col("value").is_finite())
    by = scores.group_by("metric", maintain_order=True).agg(pl.col("run_id").n_unique())
    common = by.filter(pl.col("run_id") == len(data.run_ids))["metric"].to_list()
    if not common or (metric is not None and metric not in common):
        told = "score" if metric is None else f"score {metric!r}"
        raise NotComputable(
            f"the runs share no {told}; they have {listing(by['metric']) or 'none'}"
        )
    metric = str(metric or common[0])
    samples = questions(data.samples, cluster)
    every = _wide(scores.filter(pl.col("metric") == metric), "value", data.run_ids)
    wide, asked = every.drop_nulls(), every.height
    if not wide.height:
        raise NotComputable(f"no question has a score {metric!r} in every run")
    known = samples.filter(pl.col("sample_id").is_in(wide["sample_id"].implode()))
    of = known.sort("cluster", nulls_last=True).unique("sample_id", keep="first")
    alone = pl.format("a question of its own: {}", "sample_id")
    named = wide.join(of, on="sample_id", how="left", maintain_order="left").select(
        pl.when(pl.col("cluster").count() > 0).then(pl.col("cluster").fill_null(alone))
    )["cluster"]
    return Shared(
        metric,
        data.better(metric),
        wide["sample_id"],
        wide.select(data.run_ids).to_numpy(),
        None if named.null_count() else named.rank("dense").to_numpy(),
        known,
        asked,
        tuple(_doubts(data, metric, wide.height, asked)),
    )


def _doubts(data: Evals, metric: str, n: int, asked: int) -> Iterator[str]:
    """Why the runs cannot be held against each other: questions left out, unlike the first run."""
    if asked - n > MISSING * asked:
        yield f"only {n} of {asked} questions have a score {metric!r} in every run"
    first, *others = data.run_ids
    for run in others:
        checks = preflight(data.only(first, run), first, run).filter(status="inconclusive")
        yield from (f"{run} and {first}: {detail}" for detail in checks["detail"])


def _wide(rows: pl.DataFrame, value: str, run_ids: list[str]) -> pl.DataFrame:
    """A row a question, a column a run: means over epochs."""
    means = rows.group_by("run_id", "sample_id", maintain_order=True).agg(pl.col(value).mean())
    wide = means.pivot("run_id", index="sample_id", values=value, maintain_order=True)
    lacking = [pl.lit(None, pl.Float64).alias(run) for run in run_ids if run not in wide.columns]
    return wide.with_columns(lacking)


def pairwise(
    values: Floats,
    clusters: NDArray | None = None,
    *,
    level: float = 0.95,
    bounded: bool | None = None,
) -> pl.DataFrame:
    """All pairwise differences between columns, with simultaneous intervals and Holm's p-values.

    Parameters
    ----------
    values
        Of shape (questions, runs).
    level
        The chance that every interval covers, and that no difference is called clear that is
        none or goes the other way.

    Returns
    -------
    pl.DataFrame
        first, second (columns), difference (first less second), standard_error, low, high
        (Bonferroni), p_value, p_adjusted (Holm's step-down: holds whatever depends on what),
        clear.

    Examples
    --------
    >>> values = np.array([[1.0, 1.0, 0.0]] * 9 + [[0.0, 1.0, 0.0]])
    >>> pairwise(values)["clear"].to_list()
    [False, True, True]
    """
    pairs = list(combinations(range(values.shape[1]), 2))
    each = 1 - (1 - level) / max(1, len(pairs))
    # each pair picks its own method
    found = [moves(values[:, j], values[:, i], clusters, bounded=bounded) for i, j in pairs]
    rows = []
    for (first, second), move, (low, high) in zip(
        pairs, found, intervals(found, each), strict=True
    ):
        known = move.kind != "none"
        p = move.p_value if move.trusted else None
        apart = low is not None and high is not None and low * high > 0
        row = (move.difference if known else None, move.error, low, high, p)
        rows.append((first, second, *row, None, apart and move.trusted))
    return corrected(pl.DataFrame(rows, schema=PAIR, orient="row"), level)


def corrected(pairs: pl.DataFrame, level: float) -> pl.DataFrame:
    """Pairs with p_adjusted (Holm) and clear for as many tests as these are.

    One without a p-value (every question moved alike) takes its share of the level all the same,
    and stays as clear as its interval says.
    """
    adjusted = holm([1.0 if p is None else p for p in pairs["p_value"]])
    frame = pairs.with_columns(
        p_adjusted=pl.when(pl.col("p_value").is_not_null()).then(
            pl.Series(adjusted, dtype=pl.Float64)
        )
    )
    by_test = pl.col("p_adjusted") < 1 - level
    return frame.with_columns(clear=by_test.fill_null(pl.col("clear")))


def covariance_of_means(values: Floats, clusters: NDArray | None = None) -> tuple[Floats, int]:
    """The sampling covariance of the columns' means, and the questions (or clusters) behind it."""
    deviations = values - values.mean(0)
    if clusters is not None:
        index = np.unique(clusters, return_inverse=True)[1]
        if (units := int(index.max()) + 1) >= FEWEST_CLUSTERS:
            sums = np.zeros((units, values.shape[1]))
            np.add.at(sums, index, deviations)
            deviations = sums * units / len(values)
    units = len(deviations)
    return deviations.T @ deviations / max(units * (units - 1), 1), units


def ahead(pairs: pl.DataFrame, runs: int) -> NDArray[np.bool_]:
    """Whether the run of a row clearly has more than the run of a column."""
    found = np.zeros((runs, runs), bool)
    for first, second, difference in pairs.filter("clear").select(*list(PAIR)[:3]).iter_rows():
        more, less = (first, second) if difference > 0 else (second, first)
        found[more, less] = True
    return found


@dataclass(frozen=True)
class Ranking(Result):
    """A leaderboard; see `rank_runs`.

    Attributes
    ----------
    verdict
        ok where one run is clearly better than every other, else inconclusive.
    board
        A row a run, the best first: run_id, model, prompt_version, mean with its own interval
        (low, high), rank, rank_low, rank_high (1 and the number of clearly better runs; all runs
        less the clearly worse), cost_usd, latency_s, tokens (means of an answer).
    pairs
        run_id, other_run, difference, standard_error, low, high (simultaneous), p_value,
        p_adjusted (Holm), clear.
    pareto
        run_id, mean, cost_usd, on_front: True where every run that may be better is clearly
        dearer; False where a clearly better one cost no more; null: cannot tell.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    board: pl.DataFrame
    pairs: pl.DataFrame
    pareto: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def rank_runs(
    lab: Any,
    runs: Sequence[str],
    *,
    metric: str | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> Ranking:
    """Rank runs over the questions that all of them share.

    All pairs are tested as pairs of questions (see `stats.paired`) and corrected together by
    Holm's step-down, so with chance `level` *every* rank interval holds its run's true rank, ties
    included. Source: Mogstad, Romano, Shaikh and Wilhelm 2024, "Inference for ranks", Review of
    Economic Studies 91:476. Nothing is drawn at random.

    Parameters
    ----------
    lab
        A Lab, or one flat table with canonical columns.
    runs
        Two runs or more, by any name that `Lab.find_run` knows.
    metric
        The score to rank by; by default the first that every run has.
    cluster
        A column or metadata key of questions that belong together.
    level
        Coverage of the intervals.

    Raises
    ------
    UnknownRun
        A run is not there.
    NotComputable
        The runs share no score or no question.

    Examples
    --------
    >>> table = pl.DataFrame({
    ...     "run_id": ["a"] * 40 + ["b"] * 40 + ["c"] * 40,
    ...     "sample_id": [*range(40)] * 3,
    ...     "value": [1] * 39 + [0] + [1] * 38 + [0] * 2 + [0, 1] * 20,
    ... })
    >>> rank_runs(table, ["a", "b", "c"]).board.select("run_id", "rank_low", "rank_high").rows()
    [('a', 1, 2), ('b', 1, 2), ('c', 3, 3)]
    """
    if isinstance(runs, str) or len(runs) < 2:
        raise BadSettings("a ranking takes the names of two runs or more")
    check_level(level)
    data = evals(lab, *runs)
    shared = shared_scores(data, metric, cluster)
    pairs = pairwise(shared.values, shared.clusters, level=level)
    better = ahead(pairs.with_columns(pl.col("difference") * shared.direction), len(data.run_ids))
    board = _board(data, shared, better, level)
    costs = _wide(shared.samples, "cost_usd", data.run_ids).drop_nulls().select(data.run_ids)
    front = _front(better, costs.to_numpy(), level)
    named = dict(enumerate(data.run_ids))
    named_pairs = pairs.select(
        pl.col("first").replace_strict(named, return_dtype=pl.String).alias("run_id"),
        pl.col("second").replace_strict(named, return_dtype=pl.String).alias("other_run"),
        *(pl.col(name) for name in list(PAIR)[2:]),
    )
    known = pl.DataFrame({"run_id": data.run_ids, "on_front": front})
    pareto = board.select("run_id", "mean", "cost_usd")
    return Ranking(
        verdict=_verdict(board, named_pairs, shared),
        board=board,
        pairs=named_pairs,
        pareto=pareto.join(known, on="run_id", maintain_order="left"),
        settings={
            "runs": data.run_ids,
            "metric": shared.metric,
            "cluster": cluster,
            "level": level,
            "questions": len(shared.values),
            **data.origin,
        },
    )


def check_level(level: float) -> None:
    """Refuse a coverage that no interval has."""
    if not (isinstance(level, float) and 0.5 < level < 1):
        raise BadSettings(f"a level lies between 0.5 and 1, not {level}")


def _board(data: Evals, shared: Shared, better: NDArray[np.bool_], level: float) -> pl.DataFrame:
    own = [single_mean(x, shared.clusters, level=level) for x in shared.values.T]
    board = pl.DataFrame(
        {
            "run_id": data.run_ids,
            "mean": [each.mean for each in own],
            "low": [each.low for each in own],
            "high": [each.high for each in own],
            "rank_low": 1 + better.sum(0),
            "rank_high": len(own) - better.sum(1),
        },
        schema_overrides=dict.fromkeys(("low", "high"), pl.Float64),
    ).with_columns(rank=(-shared.direction * pl.col("mean").round(12)).rank("min").cast(pl.Int64))
    used = shared.samples.group_by("run_id").agg(pl.col(USED).mean())
    described = data.runs.select("run_id", "model", "prompt_version").unique("run_id")
    return (
        board.join(described, on="run_id", how="left", maintain_order="left")
        .join(used, on="run_id", how="left", maintain_order="left")
        .sort("rank", maintain_order=True)
        .select(
            *("run_id", "model", "prompt_version", "mean", "low", "high"),
            *("rank", "rank_low", "rank_high", *USED),
        )
    )


def _front(better: NDArray[np.bool_], costs: Floats, level: float) -> list[bool | None]:
    """For each run whether no other is better and costs no more; None: cannot tell."""
    if not len(costs):
        return [None] * len(better)
    dearer = ahead(pairwise(costs, level=level, bounded=False), len(better))
    mean = costs.mean(0)
    beaten = np.any(better & (mean[:, None] <= mean), axis=0)
    itself = np.eye(len(better), dtype=bool)
    safe = np.all(better.T | dearer | itself, axis=0)
    return [
        False if out else True if on else None
        for out, on in zip(beaten.tolist(), safe.tolist(), strict=True)
    ]


def _verdict(board: pl.DataFrame, pairs: pl.DataFrame, shared: Shared) -> Verdict:
    rows, share = board.to_dicts(), shared.share
    first, *others = rows
    of_first = pairs.filter((pl.col("run_id") == first["run_id"]) | _is(first, "other_run"))
    unclear = of_first.filter(~pl.col("clear"))
    open_runs = {*unclear["run_id"], *unclear["other_run"]}
    rivals = [row for row in others if row["run_id"] in open_runs]
    evidence = tuple(Evidence(r["run_id"], r["mean"], r["low"], r["high"]) for r in rows)
    told = f"{shared.metric} {figure(first['mean'], share=share)}"
    told += f" {interval(first['low'], first['high'], share=share)}"
    if not rivals and not shared.doubts:
        headline = f"{first['run_id']} is best: {told}, clearly better than every other run."
        return Verdict("ok", headline, evidence, f"Take {first['run_id']}.")
    if shared.doubts:
        headline = f"These runs cannot be ranked: {shared.doubts[0]}."
        step = "Run all of them over the same questions with the same scorer."
        return Verdict("inconclusive", headline, evidence, step)
    names = listing(row["run_id"] for row in [first, *rivals])
    worse = f"; {len(others) - len(rivals)} clearly worse" if len(rivals) < len(others) else ""
    headline = f"Cannot tell which is best of {names}: the first has {told}{worse}."
    pair = of_first.filter(_is(rivals[0], "run_id") | _is(rivals[0], "other_run")).row(
        0, named=True
    )
    n = len(shared.values)
    needed = questions_needed(pair["standard_error"], n, pair["difference"])
    step = "Ask more questions."
    if needed is not None and n > 1:
        more = figure(max(needed - n, 1), digits=2)
        step = f"To tell the first two apart (now {n}): about {more} more questions"
        step += " if the difference seen is true."
    priced = [row for row in [first, *rivals] if row["cost_usd"] is not None]
    if len(priced) > len(rivals):
        cheapest = min(priced, key=lambda row: row["cost_usd"])
        step += f" Until then the cheapest of them is {cheapest['run_id']}."
    return Verdict("inconclusive", headline, evidence, step)


def _is(row: dict[str, Any], column: str) -> pl.Expr:
    return pl.col(column) == row["run_id"]
