"""How much does the mere format of a prompt move the score? The spread over its variants.

Source: Sclar, Choi, Tsvetkov and Suhr 2023, "Quantifying language models' sensitivity to spurious
features in prompt design" (arXiv 2310.11324): the grammar, and the spread (most less least).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from aiops_lab.errors import BadSettings
from aiops_lab.frames import evals
from aiops_lab.result import Result
from aiops_lab.ship.rank import Shared, check_level, covariance_of_means, shared_scores
from aiops_lab.stats.paired import moves
from aiops_lab.stats.power import questions_needed
from aiops_lab.stats.single import single_mean
from aiops_lab.verdict import Evidence, Status, Verdict
from aiops_lab.wording import change, figure, interval

NORMAL = 1.959964
NONE_SEEN = 0.1
"""From this p-value on the spread is put at zero: what is seen is what chance makes."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FormatSpread(Result):
    """How far formats of one prompt lie apart; see `format_spread`.

    Attributes
    ----------
    verdict
        With a limit ok, fail or inconclusive; without one warn (there is a spread) or inconclusive.
    formats
        A row a run, the best first: run_id, format (the run's prompt_version, else its id), mean
        with its own interval (low, high).
    spread
        One row: naive (most less least, which chance alone makes positive), corrected, the
        interval of the true spread (low, high), p_value ("there is none"), between_sd (standard
        deviation between formats, without what chance adds).
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    formats: pl.DataFrame
    spread: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)


def format_spread(
    lab: Any,
    runs: Sequence[str],
    *,
    metric: str | None = None,
    limit: float | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> FormatSpread:
    """The spread of one prompt's score over formats that mean the same, without what chance adds.

    It is the spread of the formats that were run, over the questions that all of them answered:
    run 5 to 10 (see `prompt_formats`). Nothing is drawn at random.

    Parameters
    ----------
    lab, runs, metric, cluster, level
        As `rank_runs` takes them, a run a format; it raises what that raises.
    limit
        The spread that is accepted, in the metric's own unit.

    Examples
    --------
    >>> table = pl.DataFrame({
    ...     "run_id": ["a"] * 40 + ["b"] * 40 + ["c"] * 40,
    ...     "sample_id": [*range(40)] * 3,
    ...     "value": [1] * 39 + [0] + [1] * 37 + [0] * 3 + [0, 1] * 20,
    ... })
    >>> format_spread(table, ["a", "b", "c"]).verdict.status
    'warn'
    """
    if isinstance(runs, str) or len(runs) < 2:
        raise BadSettings("a spread takes the names of two runs or more")
    if limit is not None and not 0 <= limit < math.inf:
        raise BadSettings(f"a limit is the spread that is accepted, 0 or more, not {limit}")
    check_level(level)
    data = evals(lab, *runs)
    shared = shared_scores(data, metric, cluster)
    own = [single_mean(x, shared.clusters, level=level) for x in shared.values.T]
    versions = data.runs.select("run_id", "prompt_version").unique("run_id")
    table = {"run_id": data.run_ids} | {
        name: pl.Series([getattr(each, name) for each in own], dtype=pl.Float64)
        for name in ("mean", "low", "high")
    }
    formats = (
        pl.DataFrame(table)
        .join(versions, on="run_id", how="left", maintain_order="left")
        .select("run_id", pl.coalesce("prompt_version", "run_id").alias("format"), *list(table)[1:])
        .sort(shared.direction * pl.col("mean"), descending=True, maintain_order=True)
    )
    found = spread(shared.values, shared.clusters, level=level)
    return FormatSpread(
        verdict=_verdict(found, limit, shared),
        formats=formats,
        spread=pl.DataFrame([found], schema=dict.fromkeys(found, pl.Float64)),
        settings={
            "runs": data.run_ids,
            "metric": shared.metric,
            "limit": limit,
            "cluster": cluster,
            "level": level,
            "questions": len(shared.values),
            **data.origin,
        },
    )


def spread(
    values: Floats, clusters: NDArray | None = None, *, level: float = 0.95
) -> dict[str, float | None]:
    """The range of the columns' true means; values of shape (questions, formats).

    - p_value: repeated-measures F (of which Cochran's Q is the form for pass or fail) with
      Greenhouse and Geisser's degrees of freedom (1959), as formats need not vary alike.
    - corrected: the naive spread times sqrt(1 - 1/F), the part of the variance between formats
      that is not chance; zero from p = 0.1 on, never below `low`.
    - low: the largest of the lower ends of all pairs' simultaneous intervals. high: the largest of
      their plain upper ends; the two formats truly furthest apart are one pair, fixed before
      anything was seen, so that needs no correction. Each holds with (1 + level) / 2.
    """
    means, k = values.mean(0), values.shape[1]
    naive, sure = float(np.ptp(means)), 1 - (1 - level) / (k * (k - 1))
    found = [
        moves(values[:, first], values[:, second], clusters)  # each pair picks its own method
        for first, second in itertools.combinations(range(k), 2)
    ]
    ends = np.array([[each.interval(sure), each.interval(level)] for each in found], float)
    low = high = None
    if not np.isnan(ends).all():
        low = max(0.0, float(np.nanmax(ends[:, 0] * [1, -1])))
        high = float(np.nanmax(ends[:, 1] * [-1, 1]))
    strength, p = _test(means, *covariance_of_means(values, clusters))
    part = math.sqrt(max(0.0, 1 - 1 / strength)) if strength else 0.0
    return {
        "naive": naive,
        "corrected": max(low or 0.0, part * naive if p is not None and p < NONE_SEEN else 0.0),
        "low": low,
        "high": high,
        "p_value": p,
        "between_sd": part * float(means.std(ddof=1)),
    }


def _test(means: Floats, covariance: Floats, units: int) -> tuple[float | None, float | None]:
    """Repeated-measures F of "all means are equal" and its p-value; None where nothing varies."""
    centred = covariance - covariance.mean(0)
    centred = centred - centred.mean(1, keepdims=True)
    chance = float(np.trace(centred))
    if chance <= 1e-15 * max(1.0, float(np.abs(means).max()) ** 2) or units < 2:
        return None, None
    freedom = chance**2 / float((centred**2).sum())
    strength = float(((means - means.mean()) ** 2).sum()) / chance
    return strength, float(special.fdtrc(freedom, freedom * (units - 1), strength))


def _verdict(found: dict[str, float | None], limit: float | None, shared: Shared) -> Verdict:
    low, high, p, share = found["low"], found["high"], found["p_value"], shared.share
    naive, corrected = found["naive"] or 0.0, found["corrected"] or 0.0
    status: Status = "inconclusive"
    if limit is not None and low is not None and high is not None and shared.trusted:
        status = "ok" if high <= limit else "fail" if low > limit else "inconclusive"
    elif limit is None and shared.trusted and (low or (p is not None and p < 0.05)):
        status = "warn"
    by = change(corrected, share=share, sign=False)
    told = f"{by} {interval(low, high, share=share)} over {shared.values.shape[1]} formats"
    told += f", {change(naive, share=share, sign=False)} as seen with what chance adds"
    if limit is not None:
        told += f"; limit {change(limit, share=share, sign=False)}"
    headline = f"The format alone moves {shared.metric} by {told}."
    step = "Compare models and prompts over several formats, never on a single one."
    if status == "ok":
        step = "The format matters less than is accepted: keep the one you have."
    elif status == "inconclusive":
        what = "whether the format matters" if limit is None else "whether it matters too much"
        headline = f"Cannot tell {what}: it moves {shared.metric} by {told}."
        n, step = len(shared.values), "Run the formats over more questions."
        error = None if high is None else (high - naive) / NORMAL
        needed = questions_needed(error, n, corrected - (limit or 0.0))
        if needed is not None and n > 1:
            more = figure(max(needed - n, 1), digits=2)
            step = f"Run the formats over about {more} more questions (now {n}): that settles it "
            step += "if the spread is as corrected."
    spread_of = Evidence("spread", corrected, low, high, limit, status)
    return Verdict(status, headline, (spread_of,), step)
