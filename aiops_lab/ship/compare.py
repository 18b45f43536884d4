"""Did a change make answers better or worse? Runs over the same questions, as pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings, NotComputable
from aiops_lab.frames import Evals, evals
from aiops_lab.result import Result
from aiops_lab.ship import decide, words
from aiops_lab.ship.answers import answers, shifted
from aiops_lab.ship.behaviour import behaviour, measured, quantiles
from aiops_lab.ship.changes import changes
from aiops_lab.ship.epochs import flaky, power
from aiops_lab.ship.pairs import (
    apart,
    difference,
    key,
    metadata,
    paired,
    parts,
    questions,
    unmatched,
)
from aiops_lab.ship.per_answer import per_answer
from aiops_lab.ship.preflight import preflight
from aiops_lab.stats.multiple import benjamini_hochberg, holm
from aiops_lab.tables import schema_of
from aiops_lab.verdict import Verdict

FEW, MANY = 2, 12
"""A metadata key is taken for a slice when it has this many distinct values."""
SMALLEST_SLICE = 5
GROUP = ("metric", "slice")
FLIP = 0.5
"""A change counts as a flip from this share of the metric's range on."""
ROW = schema_of(
    "candidate_run metric n:int baseline:float candidate:float difference:float "
    "standard_error:float low:float high:float p_value:float method direction:int share:bool"
)
JUDGED = {**ROW, "p_adjusted": pl.Float64, "moved": pl.String}
DECIDED = {**JUDGED, "limit": pl.Float64, "status": pl.String}
SLICE = {"by": pl.String, "slice": pl.String, **JUDGED, "q_value": pl.Float64}


@dataclass(frozen=True)
class Comparison(Result):
    """A comparison of candidates with a baseline; see `compare_runs`.

    Every frame but `runs` has a column `candidate_run`.

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
        The same for tokens, cost (US dollars), latency (seconds), errors, length, refusals and
        valid JSON, with the ratio of geometric means and its interval.
    quantiles
        p50, p95 and p99 of latency, output tokens and cost, and their ratio with its interval.
    slices
        The same for each slice: by, slice, ...; `p_adjusted` is Holm's over all slices, `q_value`
        Benjamini and Hochberg's, for exploring.
    flips
        Questions whose score changed by half the metric's range or more, with both answers.
    unmatched
        Questions that only one side answered: sample_id, side.
    preflight
        May these runs be compared? check, status, detail.
    power
        What these questions could show, what would settle it and what that costs; see
        `aiops_lab.ship.epochs.power`.
    flaky
        Questions that one run answers now right, now wrong: side, sample_id, metric, epochs, mean.
    answers
        The distribution of short answers or labels: answer, both shares, their difference.
    changes
        What differs between the runs' prompts and configuration: what, baseline, candidate.
    runs
        The runs.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    metrics: pl.DataFrame
    behaviour: pl.DataFrame
    quantiles: pl.DataFrame
    slices: pl.DataFrame
    flips: pl.DataFrame
    unmatched: pl.DataFrame
    preflight: pl.DataFrame
    power: pl.DataFrame
    flaky: pl.DataFrame
    answers: pl.DataFrame
    changes: pl.DataFrame
    runs: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)
    evals: Evals | None = field(default=None, repr=False, compare=False)

    def per_answer(self, metric: str) -> pl.DataFrame:
        """Both runs answer by answer; see `aiops_lab.ship.per_answer`."""
        if self.evals is None or len(self.evals.run_ids) != 2:
            raise BadSettings("what a change costs is told of one candidate: compare that alone")
        return per_answer(self.evals, metric, self.settings["cluster"])

    def of(self, candidate_run: str) -> dict[str, pl.DataFrame]:
        """The frames of one candidate."""
        own = pl.col("candidate_run") == candidate_run
        return {name: rows.filter(own) for name, rows in self.frames.items() if name != "runs"}


def compare_runs(
    lab: Any,
    *,
    baseline: str,
    candidate: str | Sequence[str],
    metrics: str | Sequence[str] | None = None,
    by: str | Sequence[str] | None = None,
    cluster: str | None = None,
    margin: float | None = None,
) -> Comparison:
    """Compare runs question by question.

    The question is the unit: epochs are averaged first. An answer without a score is left out of
    that metric, never counted as 0. Runs over different questions are compared too, with a loud
    note and no verdict but "cannot tell".

    Parameters
    ----------
    lab
        A Lab, or one flat table with canonical columns. Where a log has no cost, the prices in
        ``lab.toml`` give it.
    baseline, candidate
        Runs, by any name that `Lab.find_run` knows; several candidates as a list.
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
        The runs share no score.

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
    number = isinstance(margin, int | float) and not isinstance(margin, bool)
    if margin is not None and not (number and 0 <= margin < math.inf):
        raise BadSettings(f"a margin is the loss that is accepted, 0 or more, not {margin}")
    candidates, metrics, by = _names(candidate) or [], _names(metrics), _names(by)
    if not isinstance(baseline, str) or not candidates:
        raise BadSettings("baseline is the name of one run, candidate that of one or several")
    data = evals(lab, baseline, *candidates)
    base_run, *cand_runs = data.run_ids
    for name, run in zip(candidates, cand_runs, strict=True):
        if name == baseline or cand_runs.count(run) > 1 or (run == base_run and cand_runs[1:]):
            raise BadSettings(f"baseline and candidate are the same run, {run}")
    data = data.coded()
    samples = measured(questions(data.samples, cluster))
    scores = _chosen(data.scores, metrics)
    found = [_against(data, samples, scores, base_run, run, metrics, by) for run in cand_runs]
    rows = _judged(row for each in found for row in each["metrics"])
    slices = _judged(row for each in found for row in each["slices"])
    q_values = benjamini_hochberg([row["p_value"] for row in slices])
    frames = {
        "metrics": pl.DataFrame([_decided(row, margin) for row in rows], schema=DECIDED),
        "slices": pl.DataFrame(
            [{**row, "q_value": q} for row, q in zip(slices, q_values, strict=True)], schema=SLICE
        ),
    }
    for name in found[0].keys() - frames.keys() - {"candidate_run"}:
        frames[name] = _stacked(found, name)
    verdict = words.verdict_of_several(
        {run: {name: _own(frame, run) for name, frame in frames.items()} for run in cand_runs}
    )
    return Comparison(
        verdict=verdict,
        **frames,
        runs=data.runs,
        settings={
            "baseline": base_run,
            "candidate": cand_runs[0] if isinstance(candidate, str) else cand_runs,
            "metrics": frames["metrics"]["metric"].unique(maintain_order=True).to_list(),
            "by": frames["slices"]["by"].unique(maintain_order=True).to_list(),
            "cluster": cluster,
            "margin": margin,
            **data.origin,
        },
        evals=replace(data, samples=data.samples.drop("input", "target")),
    )


def _against(
    data: Evals,
    samples: pl.DataFrame,
    scores: pl.DataFrame,
    base_run: str,
    cand_run: str,
    metrics: list[str] | None,
    by: list[str] | None,
) -> dict[str, Any]:
    """One candidate against the baseline: rows or a frame for each part of the result."""
    both = pl.col("run_id").is_in([base_run, cand_run])
    own_samples, own_scores = samples.filter(both), scores.filter(both)
    own = data.only(base_run, cand_run)
    pairs = paired(own_scores, own_samples, base_run, cand_run)
    common = {"candidate_run": cand_run}
    if pairs.height:
        rows = [{"metric": metric} | difference(part) for metric, part in parts(pairs, "metric")]
    else:
        rows = apart(own_scores, base_run, cand_run)
    if not rows:
        raise NotComputable(_nothing_shared(own))
    if missing := sorted(set(metrics or []) - {row["metric"] for row in rows}):
        raise NotComputable(f"no question has a score {missing[0]!r} in both runs")
    rows = [common | row | {"direction": own.better(row["metric"])} for row in rows]
    given = answers(own_samples, own_scores, base_run, cand_run)
    checks = pl.concat([preflight(own, base_run, cand_run), shifted(given)])
    known = pl.DataFrame(rows, schema=ROW).select("metric", "direction", "share")
    directions = dict(known.select("metric", "direction").iter_rows())
    return {
        "candidate_run": cand_run,
        "metrics": rows,
        "slices": _slices(pairs, own_samples, by, common, directions),
        "behaviour": behaviour(own_samples, base_run, cand_run),
        "quantiles": quantiles(own_samples, base_run, cand_run),
        "flips": _flips(pairs, known, own, base_run, cand_run),
        "unmatched": unmatched(own_samples, base_run, cand_run),
        "preflight": checks,
        "power": power(own_scores, own_samples, rows, base_run, cand_run),
        "flaky": flaky(own_scores, base_run, cand_run),
        "answers": given,
        "changes": changes(own, base_run, cand_run),
    }


def _stacked(found: list[dict[str, Any]], name: str) -> pl.DataFrame:
    """One frame of all candidates."""
    frames = [
        each[name].select(pl.lit(each["candidate_run"]).alias("candidate_run"), pl.all())
        for each in found
    ]
    coded = pl.col(pl.Enum).cast(pl.String)
    return pl.concat(frames, how="diagonal_relaxed").with_columns(coded)


def _own(frame: pl.DataFrame, run: str) -> pl.DataFrame:
    return frame.filter(pl.col("candidate_run") == run)


def _names(given: str | Sequence[str] | None) -> list[str] | None:
    """A name, or several, as a list; none as None."""
    if given is not None and (
        not isinstance(given, Sequence) or not all(isinstance(name, str) for name in given)
    ):
        raise BadSettings(f"{given!r} is neither a name nor a list of names")
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
    names = "; ".join(f"{run} has {', '.join(sorted(found))}" for run, found in by_run.items())
    return f"the runs share no score: {names}"


def _slices(
    pairs: pl.DataFrame,
    samples: pl.DataFrame,
    by: list[str] | None,
    common: dict[str, Any],
    directions: dict[str, int],
) -> list[dict[str, Any]]:
    """The comparison within each slice of at least a few questions."""
    if by is None:
        keys = metadata(samples)
    elif "sample_id" in by:
        raise BadSettings("sample_id tells every question apart: slice by something they share")
    else:
        keys = pl.DataFrame({name: key(samples, name) for name in by})
    # either run may hold what a question belongs to
    of = pl.DataFrame([samples["sample_id"], *keys.drop("sample_id", strict=False)])
    keyed = of.group_by("sample_id", maintain_order=True).agg(pl.all().drop_nulls().first())
    names = by or [c for c in keyed.columns[1:] if FEW <= keyed[c].drop_nulls().n_unique() <= MANY]
    rows = []
    for name in names:
        values = keyed.select("sample_id", slice=name).drop_nulls()
        order = pl.Enum(values["slice"].unique().sort())
        sliced = pairs.join(values.cast({"slice": order}), on="sample_id", maintain_order="left")
        rows += [
            {"by": name, "slice": value, **common, "metric": metric}
            | {"direction": directions[metric]}
            | difference(part)
            for (metric, value), part in parts(sliced.sort("slice", maintain_order=True), *GROUP)
            if part.height >= SMALLEST_SLICE
        ]
    return rows


def _judged(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with p-values corrected (Holm) for having looked at all of them, and what moved."""
    rows = list(rows)
    adjusted = holm([row["p_value"] for row in rows])
    corrected = [{**row, "p_adjusted": p} for row, p in zip(rows, adjusted, strict=True)]
    return [{**row, "moved": decide.moved(row)} for row in corrected]


def _decided(row: dict[str, Any], margin: float | None) -> dict[str, Any]:
    limit = None if margin is None else -row["direction"] * margin
    return {**row, "limit": limit, "status": decide.status(row, margin)}


def _flips(
    pairs: pl.DataFrame, known: pl.DataFrame, data: Evals, base_run: str, cand_run: str
) -> pl.DataFrame:
    """Questions whose score turned, the largest change first, with both answers."""
    span = (
        pl.max_horizontal("baseline", "candidate").max()
        - pl.min_horizontal("baseline", "candidate").min()
    )
    change = pl.col("candidate") - pl.col("baseline")
    known = known.cast({"metric": pairs.schema["metric"]})
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
