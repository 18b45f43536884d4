"""What requests that were run again say of a suspect: both its versions on the same requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.measures import MEASURES, measure
from aiops_lab.respond.replay_files import arm_name
from aiops_lab.respond.suspects import Suspect

ARM = re.compile(r"prompt-([\w.-]{1,60})\.txt")
"""How `aiops_lab.respond.replay_files.write_replay` names the prompt of an arm."""
FEWEST = 5
"""So many requests in both arms, or they say nothing."""


@dataclass(frozen=True)
class Replayed:
    """Two runs of the same `n` requests: the figure with the new version less with the old."""

    old: str
    new: str
    n: int
    difference: float
    error: float


def replayed(
    lab: Any, suspects: Sequence[Suspect], was: dict[str, str | None], metric: str
) -> dict[int, Replayed]:
    """What replays say, by the number of the suspect.

    Parameters
    ----------
    lab
        A Lab; a table of requests has no replays.
    was
        The version before, by ``change_id``.
    metric
        The figure that moved: a score of the runs, a measure of their answers, or one of their
        columns (tokens_out, latency_s, ...).

    Notes
    -----
    A run whose samples have the ids of requests is a replay. It is of a prompt whose file
    ``prompt-VERSION.txt`` it used, of its model, of its prompt_version, and of what its tags say:
    ``index=20260920``. Of several the latest counts.
    """
    if not hasattr(lab, "runs"):
        return {}
    asked = lab.scan("traffic").select(sample_id="trace_id")
    own = lab.scan("samples").join(asked, on="sample_id", how="semi")
    again = own.select("run_id", "sample_id").unique().collect()
    runs = lab.runs().filter(pl.col("run_id").is_in(again["run_id"].implode()))
    arms: dict[tuple[str, str], str] = {}
    for run in runs.sort("started_at", nulls_last=False).to_dicts():
        arms.update((arm, run["run_id"]) for arm in arms_of(run))
    found = {}
    for k, suspect in enumerate(suspects):
        old = was.get(suspect.change_id or "")
        pair = [arms.get((suspect.artefact, arm_name(v))) for v in (old, suspect.version) if v]
        if len(pair) == 2 and pair[0] and pair[1] and pair[0] != pair[1]:
            both = _paired(lab, pair[0], pair[1], metric, again["sample_id"].unique())
            if both is not None:
                found[k] = both
    return found


def arms_of(run: dict[str, Any]) -> list[tuple[str, str]]:
    """What a run tried: artefacts and versions."""
    told = [("prompt", name) for name in ARM.findall(run["config"] or "")]
    told += [("prompt", run["prompt_version"])]
    told += [(kind, run[name]) for kind in ("model", "provider")
             for name in ("model", "model_served")]  # fmt: skip
    told += [tag.partition("=")[::2] for tag in run["tags"] or () if "=" in tag]
    return [(kind, arm_name(version)) for kind, version in told if version]


def _paired(lab: Any, old: str, new: str, metric: str, ids: pl.Series) -> Replayed | None:
    """The figure of both runs on the same requests; None where too few have it."""
    before, after = (_outcomes(lab, run, metric) for run in (old, new))
    if before is None or after is None:
        return None
    both = before.join(after, on="sample_id", suffix="_after").drop_nulls()
    both = both.filter(pl.col("sample_id").is_in(ids.implode()))
    if both.height < FEWEST:
        return None
    values = both.select("outcome", "outcome_after").to_numpy()
    apart = values[:, 1] - values[:, 0]
    # of yes and no, one more request each way (Agresti and Min 2005): equal answers prove little
    more = [1.0, -1.0] if np.isin(values, (0.0, 1.0)).all() else []
    error = np.std([*apart, *more], ddof=1) / np.sqrt(len(apart))
    return Replayed(old, new, both.height, float(apart.mean()), max(float(error), 1e-9))


def _outcomes(lab: Any, run: str, metric: str) -> pl.DataFrame | None:
    """sample_id and outcome (a mean over epochs) of a run; None where it has no such figure."""
    samples = lab.samples(run)
    name = metric.removesuffix("_p95")
    scores = lab.scores(run).filter(metric=name)
    if scores.height:
        rows = scores.select("sample_id", outcome="value")
    elif name in ("tokens_in", "tokens_out", "latency_s", "cost_usd"):
        rows = samples.select("sample_id", outcome=pl.col(name).cast(pl.Float64))
    elif name in MEASURES:
        told = measure(samples["output"], [name])[name]
        rows = samples.select("sample_id", outcome=told.cast(pl.Float64, strict=False))
    else:
        return None
    return rows.group_by("sample_id").agg(pl.col("outcome").mean())
