"""Did a change make answers better or worse? Two runs over the same questions, as pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings, NotComputable
from aiops_lab.frames import Evals, evals
from aiops_lab.ship import decide, words
from aiops_lab.ship.pairs import difference, key, metadata, paired, parts, questions
from aiops_lab.ship.preflight import preflight
from aiops_lab.stats.multiple import holm
from aiops_lab.stats.paired import ratio
from aiops_lab.verdict import Verdict

BEHAVIOUR = ("tokens", "tokens_in", "tokens_out", "cost_usd", "latency_s", "error")
FEW, MANY = 2, 12
"""A metadata key is taken for a slice when it has this many distinct values."""
SMALLEST_SLICE = 5
FLIP = 0.5
"""A change counts as a flip from this share of the metric's range on."""
ROW = {
    "candidate_run": pl.String,
    "metric": pl.String,
    "n": pl.Int64,
    "baseline": pl.Float64,
    "candidate": pl.Float64,
    "difference": pl.Float64,
    "standard_error": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p_value": pl.Float64,
    "method": pl.String,
    "direction": pl.Int64,
    "share": pl.Boolean,
}
JUDGED = {**ROW, "p_adjusted": pl.Float64, "moved": pl.String}
DECIDED = {**JUDGED, "limit": pl.Float64, "status": pl.String}
RATIO = {"ratio": pl.Float64, "ratio_low": pl.Float64, "ratio_high": pl.Float64}


@dataclass(frozen=True)
class Comparison:
    """A comparison of a candidate with a baseline; see `compare_runs`.

    Attributes
    ----------
    verdict
        The answer.
    metrics
        A row a score: n questions, both means over them, the paired difference (candidate less
        baseline), its standard error and 95 % interval, p-value, method, `direction` (1: higher
        is better, -1: lower is), `share` (all values between 0 and 1), `p_adjusted` (Holm over
        all rows), `moved` (better, worse or no clear change), `limit` and `status`.
    behaviour
        The same for tokens, cost (US dollars), latency (seconds) and the share of errors, with
        the ratio of geometric means and its interval.
    slices
        The same for each slice: by, slice, ...; `p_adjusted` is Holm's over all slices.
    flips
        Questions whose score changed by half the metric's range or more, with both answers.
    unmatched
        Questions that only one side answered: sample_id, side.
    preflight
        May these runs be compared? check, status, detail.
    runs
        The two runs.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    metrics: pl.DataFrame
    behaviour: pl.DataFrame
    slices: pl.DataFrame
    flips: pl.DataFrame
    unmatched: pl.DataFrame
    preflight: pl.DataFrame
    runs: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        frames = ("metrics", "behaviour", "slices", "flips", "unmatched", "preflight")
        return {
            "verdict": self.verdict.to_dict(),
            **{name: getattr(self, name).to_dicts() for name in frames},
            "settings": self.settings,
        }

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return self.verdict._repr_mimebundle_(**options)


def compare_runs(
    lab: Any,
    *,
    baseline: str,
    candidate: str,
    metrics: str | Sequence[str] | None = None,
    by: str | Sequence[str] | None = None,
    cluster: str | None = None,
    margin: float | None = None,
) -> Comparison:
    """Compare two runs question by question.

    The question is the unit: epochs are averaged first. An answer without a score is left out of
    that metric, never counted as 0.

    Parameters
    ----------
    lab
        A Lab, or one flat table with canonical columns. Where a log has no cost, the prices in
        ``lab.toml`` give it.
    baseline, candidate
        Runs, by any name that `Lab.find_run` knows.
    metrics
        Scores to compare; all that both runs have by default.
    by
        Columns or metadata keys to slice by; by default every metadata key with 2 to 12 values.
        Slices of fewer than 5 questions are left out.
    cluster
        A column or metadata key of questions that belong together; by default the cluster that
        the log names.
    margin
        The loss that is accepted, in the metric's own unit. With one the verdict is ok (the loss
        is smaller), fail (it is larger) or inconclusive; without, warn (clearly worse), ok
        (clearly better) or inconclusive; a slice that clearly lost is a warning too. Runs that
        cannot be compared (see `preflight`) are inconclusive whatever their figures.

    Raises
    ------
    UnknownRun
        A run is not there.
    NotComputable
        The two runs share no score.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({
    ...     "run_id": ["a"] * 6 + ["b"] * 6,
    ...     "sample_id": [1, 2, 3, 4, 5, 6] * 2,
    ...     "value": [1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1],
    ... })
    >>> found = compare_runs(table, baseline="a", candidate="b")
    >>> found.verdict.status
    'inconclusive'
    """
    if not (isinstance(baseline, str) and isinstance(candidate, str)):
        raise BadSettings("baseline and candidate are the name of one run each")
    metrics, by = (_names(given) for given in (metrics, by))
    data = evals(lab, baseline, candidate)
    if margin is not None and not 0 <= margin < math.inf:
        raise BadSettings(f"a margin is the loss that is accepted, 0 or more, not {margin}")
    base_run, cand_run = data.run_ids
    if base_run == cand_run:
        raise BadSettings(f"baseline and candidate are the same run, {base_run}")
    samples = questions(data.samples, cluster)
    pairs = paired(_chosen(data.scores, metrics), samples, base_run, cand_run)
    if not pairs.height:
        raise NotComputable(_nothing_shared(data))
    common = {"candidate_run": cand_run}
    if missing := sorted(set(metrics or []) - set(pairs["metric"])):
        raise NotComputable(f"no question has a score {missing[0]!r} in both runs")
    judged = _judged(
        common | {"metric": metric, "direction": data.better(metric)} | difference(part)
        for metric, part in parts(pairs, "metric")
    )
    rows = pl.DataFrame([_decided(row, margin) for row in judged], schema=DECIDED)
    directions = dict(rows.select("metric", "direction").iter_rows())
    slices = _slices(pairs, samples, by, common, directions)
    checks = preflight(data, base_run, cand_run)
    behaviour = _behaviour(samples, base_run, cand_run)
    verdict = words.verdict(rows, slices, behaviour, checks)
    return Comparison(
        verdict=verdict,
        metrics=rows,
        behaviour=behaviour,
        slices=slices,
        flips=_flips(pairs, rows, data, base_run, cand_run),
        unmatched=_unmatched(samples, base_run, cand_run),
        preflight=checks,
        runs=data.runs,
        settings={
            "baseline": base_run,
            "candidate": cand_run,
            "metrics": rows["metric"].to_list(),
            "by": slices["by"].unique(maintain_order=True).to_list(),
            "cluster": cluster,
            "margin": margin,
            **data.origin,
        },
    )


def _names(given: str | Sequence[str] | None) -> list[str] | None:
    """A name, or several, as a list; none as None."""
    return [given] if isinstance(given, str) else list(given) if given else None


def _chosen(scores: pl.DataFrame, metrics: Sequence[str] | None) -> pl.DataFrame:
    if not metrics:
        return scores
    unknown = sorted(set(metrics) - set(scores["metric"]))
    if unknown:
        there = ", ".join(scores["metric"].unique(maintain_order=True))
        raise BadSettings(f"no metric {unknown[0]!r}; the runs have {there}")
    return scores.filter(pl.col("metric").is_in(list(metrics)))


def _nothing_shared(data: Evals) -> str:
    by_run = {
        run: set(data.scores.filter(pl.col("run_id") == run).drop_nulls("value")["metric"])
        for run in data.run_ids
    }
    if not all(by_run.values()):
        empty = [run for run, found in by_run.items() if not found]
        return (
            f"run {empty[0]} has no scores; "
            "name its score columns: [columns] value = [...] in lab.toml"
        )
    if not set.intersection(*by_run.values()):
        names = "; ".join(f"{run} has {', '.join(sorted(found))}" for run, found in by_run.items())
        return f"the runs share no score: {names}"
    return "the runs share no scored question: compare two runs over the same questions"


def _slices(
    pairs: pl.DataFrame,
    samples: pl.DataFrame,
    by: list[str] | None,
    common: dict[str, Any],
    directions: dict[str, int],
) -> pl.DataFrame:
    """The comparison within each slice of at least a few questions."""
    if by is None:
        keys = metadata(samples)
    else:
        keys = pl.DataFrame({name: key(samples, name) for name in by})
    # either run may hold what a question belongs to
    of = pl.DataFrame([samples["sample_id"], *keys.drop("sample_id", strict=False)])
    keyed = of.group_by("sample_id", maintain_order=True).agg(pl.all().drop_nulls().first())
    names = by or [c for c in keyed.columns[1:] if FEW <= keyed[c].drop_nulls().n_unique() <= MANY]
    rows = []
    for name in names:
        known = keyed.select("sample_id", slice=name).drop_nulls()
        sliced = pairs.join(known, on="sample_id", maintain_order="left")
        rows += [
            {"by": name, "slice": value, **common, "metric": metric}
            | {"direction": directions[metric]}
            | difference(part)
            for (metric, value), part in parts(sliced.sort("slice"), "metric", "slice")
            if part.height >= SMALLEST_SLICE
        ]
    return pl.DataFrame(_judged(rows), schema={"by": pl.String, "slice": pl.String, **JUDGED})


def _judged(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with p-values corrected (Holm) for having looked at all of them, and what moved."""
    rows = list(rows)
    adjusted = holm([row["p_value"] for row in rows])
    corrected = [{**row, "p_adjusted": p} for row, p in zip(rows, adjusted, strict=True)]
    return [{**row, "moved": decide.moved(row)} for row in corrected]


def _decided(row: dict[str, Any], margin: float | None) -> dict[str, Any]:
    limit = None if margin is None else -row["direction"] * margin
    return {**row, "limit": limit, "status": decide.status(row, margin)}


def _behaviour(samples: pl.DataFrame, base_run: str, cand_run: str) -> pl.DataFrame:
    """Tokens, cost, latency and errors, as pairs; measures that no answer has are left out."""
    long = samples.unpivot(on=BEHAVIOUR, index=["run_id", "sample_id"], variable_name="metric")
    pairs = paired(long, samples, base_run, cand_run)
    rows = []
    for metric, part in parts(pairs, "metric"):
        if (
            metric == "error"
            and not part.select(pl.sum_horizontal("baseline", "candidate").sum()).item()
        ):
            continue
        times = ratio(part["baseline"].to_numpy(), part["candidate"].to_numpy())
        known = metric != "error" and times.n == part.height
        rows.append(
            {
                "candidate_run": cand_run,
                "metric": metric,
                "direction": -1,
                **difference(part),
                "share": metric == "error",
                "ratio": times.difference if known else None,
                "ratio_low": times.low if known else None,
                "ratio_high": times.high if known else None,
            }
        )
    return pl.DataFrame(rows, schema={**ROW, **RATIO})


def _flips(
    pairs: pl.DataFrame, rows: pl.DataFrame, data: Evals, base_run: str, cand_run: str
) -> pl.DataFrame:
    """Questions whose score turned, the largest change first, with both answers."""
    span = (
        pl.max_horizontal("baseline", "candidate").max()
        - pl.min_horizontal("baseline", "candidate").min()
    )
    change = pl.col("candidate") - pl.col("baseline")
    known = rows.select("metric", "direction", "share")
    turned = (
        pairs.with_columns(
            difference=change,
            span=span.over("metric"),
        )
        .join(known, on="metric", maintain_order="left")
        .filter((pl.col("difference").abs() >= FLIP * pl.col("span")) & (pl.col("difference") != 0))
        .sort(pl.col("difference").abs() / pl.col("span"), descending=True, maintain_order=True)
    )
    texts = data.samples.sort("epoch").unique(["run_id", "sample_id"], keep="first")
    asked = texts.filter(pl.col("run_id") == base_run).select(
        "sample_id", "input", "target", baseline_output="output"
    )
    answered = texts.filter(pl.col("run_id") == cand_run).select(
        "sample_id", candidate_output="output"
    )
    return (
        turned.select(
            "sample_id", "metric", "baseline", "candidate", "difference", "direction", "share"
        )
        .join(asked, on="sample_id", how="left", maintain_order="left")
        .join(answered, on="sample_id", how="left", maintain_order="left")
    )


def _unmatched(samples: pl.DataFrame, base_run: str, cand_run: str) -> pl.DataFrame:
    ids = {
        side: samples.filter(pl.col("run_id") == run)
        .select("sample_id")
        .unique(maintain_order=True)
        for side, run in (("baseline", base_run), ("candidate", cand_run))
    }
    return pl.concat(
        ids[side]
        .join(ids[other], on="sample_id", how="anti", maintain_order="left")
        .with_columns(side=pl.lit(side))
        for side, other in (("baseline", "candidate"), ("candidate", "baseline"))
    )
