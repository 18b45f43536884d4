"""How likely is each suspect, given what moved and who was exposed?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from aiops_lab.respond.panel import Panel
from aiops_lab.respond.replayed import Replayed
from aiops_lab.respond.signatures import chance_of, family_of
from aiops_lab.respond.suspects import Lineup, Suspect
from aiops_lab.stats.exposure import Cells, Evidence, step_evidence

Floats = NDArray[np.float64]
HARMLESS = 0.3
"""How likely a change that did no harm moves a figure, of how likely one that did."""
FEWEST_DAYS, CLEAR = 5, 3.0
"""A trend is taken out where it is of so many days and so many standard errors."""
BY_ITSELF = 0.05
"""The chance that a figure moved near by for what nobody knows."""
ROUGHLY = 0.2
"""A cause explains the whole move but for so much of it (standard deviation)."""
SMALLEST = 0.02
"""Of the requests: less exposed than this explains nothing."""


def weighed(
    panel: Panel, found: Lineup, began: datetime, move: float, error: float,
    replays: Mapping[int, Replayed],
) -> tuple[Floats, dict[str, Evidence], dict[int, float]]:  # fmt: skip
    """The log-probability of each suspect, what speaks for each exposure, by figure, and what its
    replay says of a suspect (`log_bayes`).

    Notes
    -----
    Bayes' rule over all suspects. The outcome speaks for a suspect as far as it stepped with the
    exposure to it, within segments, by about all of the move; every other figure as far as such an
    artefact moves it when it breaks. What else moved near by may have moved with another change,
    that did no harm, or by itself. A replay is an experiment of its own: who did it moves the
    figure there as it did in the traffic. `move` and `error` are as `moved` finds them.
    """
    evidence = {
        name: step_evidence(_untrended(panel, name, began), found.exposed) for name in panel.figures
    }
    after = (panel.cells["at"] >= began).to_numpy()
    n = panel.cells["n:outcome"].to_numpy()
    share = [np.average(found.exposed[side], axis=0, weights=n[side]) for side in (after, ~after)]
    reach = np.maximum(share[0] - share[1], SMALLEST)
    for name in ("outcome", "expected"):
        if name in evidence:
            log = explains(evidence[name], move / reach, error / reach)
            evidence[name] = replace(evidence[name], log_bayes=log)
    families = [family_of(name)[0] for name in panel.figures]
    total = np.array([_weight(each, found, panel, evidence, families) for each in found.suspects])
    again = {}
    for k, each in replays.items():
        own = reach[found.suspects[k].columns].mean()
        seen = Evidence(np.zeros(1), np.array([each.difference]), np.array([each.error]))
        again[k] = float(explains(seen, np.array([move / own]), np.array([error / own]))[0])
        total[k] += again[k]
    score = np.log([each.prior for each in found.suspects]) + total
    return score - np.logaddexp.reduce(score), evidence, again


def _untrended(panel: Panel, name: str, began: datetime) -> Cells:
    """A figure less the trend that it clearly had before."""
    cells = panel.of(name)
    time = panel.cells["hour"].to_numpy() / 24.0
    early = (panel.cells["at"] < began).to_numpy() & (cells.n > 0)
    if name == "outcome" or np.unique(cells.day[early]).size < FEWEST_DAYS:
        return cells
    own = Cells(
        cells.mean[early], cells.n[early], cells.group[early], cells.day[early], cells.variance
    )  # fmt: skip
    found = step_evidence(own, time[early, None])
    slope = found.difference[0]
    if not abs(slope) > CLEAR * found.error[0]:
        return cells
    return replace(cells, mean=cells.mean - slope * time)


def moved(panel: Panel, began: datetime) -> tuple[float, float]:
    """By how much the outcome moved, segments or not, and its standard error."""
    after = (panel.cells["at"] >= began).to_numpy()
    cells, means, sizes = panel.of("outcome"), [], []
    for side in (after, ~after):
        sizes.append(cells.n[side].sum())
        means.append((cells.n * cells.mean)[side].sum() / max(sizes[-1], 1))
    error = np.sqrt(cells.variance * (1 / max(sizes[0], 1) + 1 / max(sizes[1], 1)))
    return float(means[0] - means[1]), float(error)


def explains(evidence: Evidence, wanted: Floats, error: Floats) -> Floats:
    """How much likelier a step of about the size wanted is than none, given the step seen."""
    seen, own = evidence.difference, np.where(np.isfinite(evidence.error), evidence.error, 1e9)
    seen = np.where(np.isfinite(seen), seen, 0.0)
    spread = own**2 + (wanted * ROUGHLY) ** 2 + error**2
    fit = -((seen - wanted) ** 2) / (2 * spread) - np.log(spread) / 2
    return fit + (seen / own) ** 2 / 2 + np.log(own)


def _weight(
    suspect: Suspect, found: Lineup, panel: Panel, evidence: dict[str, Evidence],
    families: list[str],
) -> float:  # fmt: skip
    """How much likelier all figures are, if this did it, than if nothing moved."""
    moments = len(suspect.columns)
    whole = np.zeros(max(moments, 1))
    for name, family in zip(panel.figures, families, strict=True):
        log = evidence[name].log_bayes
        if name == "outcome":
            if suspect.artefact not in ("traffic", "nothing"):
                whole = whole + log[suspect.columns]
            continue
        term = _otherwise(name, suspect, found, log)
        chance = chance_of(name, suspect.artefact) if suspect.artefact != "nothing" else 0.0
        if chance and moments:
            moved = np.log(chance) + log[suspect.columns]
            term = np.logaddexp(moved, np.log1p(-chance) + term)
        whole = whole + term / np.sqrt(families.count(family))
    if not moments:
        return float(whole[0])
    return float(np.logaddexp.reduce(whole + np.log(suspect.weights)))


def _otherwise(name: str, suspect: Suspect, found: Lineup, log: Floats) -> float:
    """How likely a figure is where the suspect did not move it: another change may have, or what
    nobody logged, or nothing did."""
    chance = np.zeros(len(log))
    for other in found.suspects:
        if other.at is not None and other is not suspect:
            chance[other.columns] += HARMLESS * chance_of(name, other.artefact) * other.weights
    grid = found.suspects[-2].columns
    chance[grid] += BY_ITSELF / len(grid)
    some = chance > 0
    nothing = np.log1p(-chance.sum()) if chance.sum() < 1 else -np.inf
    return float(np.logaddexp(nothing, np.logaddexp.reduce(np.log(chance[some]) + log[some])))
