"""What an analysis is given: the runs it asks for, out of a Lab or a flat table of any library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from aiops_lab.errors import UnknownRun
from aiops_lab.sources.flat import from_frame
from aiops_lab.tables import empty, polars_frame

AMOUNTS = ("tokens_in", "tokens_out", "tokens_judge", "latency_s", "cost_usd")
OF_THE_CALL = ("latency_s", "cost_usd")
CACHED = r'"cached":\s*true'
LARGEST = 1e100
"""No score is so large: its square would be infinite."""
ROUNDED = 1e-9
"""A score so close to a whole number is that number."""


@dataclass(frozen=True)
class Evals:
    """Some runs with their answers and scores, all canonical tables."""

    run_ids: list[str]
    runs: pl.DataFrame
    samples: pl.DataFrame
    scores: pl.DataFrame
    artefacts: pl.DataFrame
    directions: dict[str, str] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    def only(self, *run_ids: str) -> Evals:
        """The same for some of the runs."""
        own = pl.col("run_id").is_in(run_ids)
        frames = {name: getattr(self, name).filter(own) for name in ("runs", "samples", "scores")}
        return replace(self, run_ids=list(run_ids), **frames)

    def with_runs(self, run_ids: list[str], frames: Mapping[str, pl.DataFrame]) -> Evals:
        """The same with other runs in its frames."""
        return replace(self, run_ids=run_ids, **frames)

    def coded(self) -> Evals:
        """The same with ids and metrics as numbers behind their names: joins are much faster.

        The numbers do not depend on the order of the rows (metrics: on that of the first run's).
        """
        ids = pl.concat([self.samples["sample_id"].unique(), self.scores["sample_id"].unique()])
        question = pl.col("sample_id").cast(pl.Enum(ids.unique().sort()))
        first = self.scores.filter(pl.col("run_id") == self.run_ids[0])["metric"]
        others = self.scores["metric"].unique().sort()
        metrics = pl.concat([first.unique(maintain_order=True), others]).unique(maintain_order=True)
        metric = pl.col("metric").cast(pl.Enum(metrics))
        samples = self.samples.with_columns(question)
        return replace(self, samples=samples, scores=self.scores.with_columns(question, metric))

    def better(self, metric: str) -> int:
        """1 where higher is better, -1 where lower is: by the settings, else by the log."""
        logged: dict[str, str] = {}
        for config in self.runs["config"].drop_nulls():
            logged |= json.loads(config).get("directions") or {}
        known = {**logged, **self.directions}
        return -1 if known.get(metric, known.get(metric.split(",")[0])) == "lower" else 1


def evals(data: Any, *names: str) -> Evals:
    """The runs called `names`, in that order.

    Parameters
    ----------
    data
        A Lab, or one flat table with canonical columns of any library that Narwhals knows; in a
        table the names are run_ids.
    *names
        Names as `Lab.find_run` knows them; ``latest~1`` and ``@tag`` are looked up within the task
        of the last name. Before the first run of a task is that run itself.

    Raises
    ------
    UnknownRun
        A run is not there.
    BadSettings
        `data` is neither a Lab nor a table.
    """
    if isinstance(data, Evals):
        return data
    if hasattr(data, "find_run"):
        return _from_lab(data, names)
    table = polars_frame(data, "a comparison takes a Lab or a table")
    batch = from_frame(table, {}, default_run="table", uri="frame:")
    tables = batch.tables
    missing = sorted(set(names) - set(tables["runs"]["run_id"]))
    if missing:
        there = ", ".join(tables["runs"]["run_id"].to_list()[:5]) or "none that can be read"
        why = f" ({batch.problems[0].place}: {batch.problems[0].reason})" if batch.problems else ""
        raise UnknownRun(f"the table has no run {missing[0]!r}; it has {there}{why}")
    kept = {name: frame.filter(pl.col("run_id").is_in(names)) for name, frame in tables.items()}
    return Evals(
        run_ids=list(names),
        runs=kept["runs"],
        samples=_possible(kept["samples"]),
        scores=_possible(kept["scores"]),
        artefacts=tables.get("artefacts", empty("artefacts")),
        origin={"source": "a table given"},
        unread=tuple(f"{place}: {reason}" for place, reason in batch.problems),
    )


def _from_lab(lab: Any, names: tuple[str, ...]) -> Evals:
    last = lab.find_run(names[-1])
    runs = lab.runs()
    task = runs.filter(pl.col("run_id") == last)["task"].item()
    ids = [*(_of_task(lab, name, task, last) for name in names[:-1]), last]
    asked = pl.col("run_id").is_in(ids)
    return Evals(
        run_ids=ids,
        runs=runs.filter(asked),
        samples=_possible(
            _priced(lab.scan("samples").filter(asked).collect(), runs, lab.settings.prices)
        ),
        scores=_possible(lab.scan("scores").filter(asked).collect()),
        artefacts=lab.table("artefacts"),
        directions=lab.settings.directions,
        origin={"lab": lab.path.name, "lab_version": lab.version},
        unread=_unread(lab, runs.filter(asked)),
    )


def _of_task(lab: Any, name: str, task: str, last: str) -> str:
    try:
        return lab.find_run(name, task)
    except UnknownRun:
        if name.startswith("latest~"):
            return last
        raise


def _unread(lab: Any, runs: pl.DataFrame) -> tuple[str, ...]:
    """What could not be read of the sources that these runs come from."""
    own = runs.select(digest="source_digest").drop_nulls().unique()
    rows = lab.table("quarantine").join(own, on="digest", how="semi").sort("place")
    return tuple(f"{place}: {reason}" for place, reason in rows.select("place", "reason").rows())


def _possible(frame: pl.DataFrame) -> pl.DataFrame:
    """Figures as they can be: what is not finite or below 0 is missing, 1 + 1e-12 is 1.

    An answer out of a cache has no latency or cost of its own.
    """
    if "value" in frame.columns:
        value = pl.col("value")
        whole = ((value - value.round()).abs() < ROUNDED) & (value.round() != 0)
        exact = pl.when(whole).then(value.round()).otherwise(value)
        return frame.with_columns(value=pl.when(value.abs() < LARGEST).then(exact))
    amounts = [name for name in AMOUNTS if name in frame.columns]
    cached = pl.col("metadata").str.contains(CACHED).fill_null(False)
    return frame.with_columns(
        pl.when(
            pl.col(name).cast(pl.Float64).is_finite() & (pl.col(name) >= 0),
            ~cached if name in OF_THE_CALL else pl.lit(True),
        ).then(pl.col(name))
        for name in amounts
    )


def _priced(samples: pl.DataFrame, runs: pl.DataFrame, prices: Mapping[str, Any]) -> pl.DataFrame:
    """The cost where the log has none: tokens by the price of the run's model in the settings."""
    if not prices:
        return samples
    rates = pl.DataFrame(
        [(model, price.input / 1e6, price.output / 1e6) for model, price in prices.items()],
        schema={"model": pl.String, "_in": pl.Float64, "_out": pl.Float64},
        orient="row",
    )
    by_run = runs.select("run_id", "model").join(rates, on="model").drop("model")
    cost = pl.col("tokens_in") * pl.col("_in") + pl.col("tokens_out") * pl.col("_out")
    return (
        samples.join(by_run, on="run_id", how="left", maintain_order="left")
        .with_columns(pl.col("cost_usd").fill_null(cost))
        .drop("_in", "_out")
    )
