"""What may have done it, and which requests were exposed to each: versions, or a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.respond.panel import Panel
from aiops_lab.respond.signatures import KINDS, fits
from aiops_lab.watch.changes import ARTEFACTS, bare_version

Floats = NDArray[np.float64]
BEFORE, AFTER = timedelta(days=4), timedelta(days=2)
"""Changes so long before an incident began, or after, may have done it: rollouts take days, and
people write down late."""
GRID = timedelta(hours=6)
"""Moments of what nobody wrote down are told apart so finely."""
LATE = timedelta(hours=12)
"""A change whose versions are not told takes so long to reach requests, on average."""
DELAYS, LATER = (0, 0.5, 1, 2, 4), np.array([0.5, 0.15, 0.15, 0.12, 0.08])
"""So many times as late it may be, and how likely each is."""
SAME = 0.95
"""Changes whose exposures share so much are one."""
LOGGED, MIX, NOTHING, PROVIDER = 0.7, 0.1, 0.02, 2.0
"""Prior chances of some logged change, of the make-up of the traffic, and that nothing changed;
and how much likelier a change that nobody logged is the provider's."""


@dataclass(frozen=True)
class Suspect:
    """One suspect: a change, a kind of which nobody logged one, the traffic, or nothing.

    `columns` are the numbers of its exposures (of a moment that is not known, several), `weights`
    the chance of each; `versions` is whether requests tell theirs.
    """

    artefact: str
    name: str
    version: str | None
    at: datetime | None
    prior: float
    columns: NDArray[np.int64]
    weights: Floats
    change_id: str | None = None
    logged: bool = False
    versions: bool = False


@dataclass(frozen=True)
class Lineup:
    """All suspects, and the exposures of the cells to what they did, (cells, exposures)."""

    suspects: list[Suspect]
    exposed: Floats
    moments: list[datetime]
    """When each exposure begins."""


def lineup(
    panel: Panel, log: pl.DataFrame, began: datetime, ended: datetime, metric: str = "",
    judged: bool = True,
) -> Lineup:  # fmt: skip
    """Who may have done it.

    Parameters
    ----------
    panel
        The cells.
    log
        The change log (`aiops_lab.watch.changes.change_log`), logged and seen.
    began, ended
        The incident's window.
    metric, judged
        The figure that moved, and whether it is somebody's score.
    """
    cells, at = panel.cells, panel.cells["at"]
    near = log.filter(pl.col("at").is_between(began - BEFORE, min(began + AFTER, ended)))
    near = near.filter(pl.col("artefact").is_in(KINDS))
    grid = pl.datetime_range(
        began - timedelta(days=2), min(began + timedelta(days=1), ended), GRID, eager=True
    ).cast(at.dtype).to_list()  # fmt: skip
    columns = [(at >= moment).to_numpy().astype(float) for moment in grid]
    moments: list[datetime] = [*grid]
    every = np.arange(len(grid))
    alike = np.full(len(grid), 1 / len(grid))
    found = []
    share = _priors(near, log)
    for row, prior in zip(near.to_dicts(), share, strict=True):
        told = _told(cells, row, log)
        if told is None:
            late = [row["at"] + LATE * x for x in DELAYS]
            new, weights = [(at >= moment).to_numpy().astype(float) for moment in late], LATER
        else:
            new, weights, late = [told], np.ones(1), [row["at"]]
        if not row["logged"] and any(_alike(new[0], columns, each) for each in found
                                     if each.artefact == row["artefact"]):  # fmt: skip
            continue  # the same change, told by two columns
        own = np.arange(len(columns), len(columns) + len(new))
        columns += new
        moments += late
        found.append(
            Suspect(row["artefact"], row["name"] or row["artefact"], row["to_version"], row["at"],
                    prior, own, weights, row["change_id"], row["logged"], told is not None)
        )  # fmt: skip
    kinds = [kind for kind in KINDS if kind != "traffic"]
    unlogged = 1 - MIX - NOTHING - (LOGGED if found else 0.0)
    sizes = np.array([PROVIDER if kind == "provider" else 1.0 for kind in kinds])
    for kind, size in zip(kinds, sizes / sizes.sum() * unlogged, strict=True):
        found.append(Suspect(kind, "a change nobody logged", None, None, size, every, alike))
    found.append(Suspect("traffic", "what users ask", None, None, MIX, every, alike))
    found.append(
        Suspect("nothing", "nothing changed", None, None, NOTHING, np.empty(0, int), np.empty(0))
    )
    found = [replace(s, prior=s.prior * fits(metric, s.artefact, judged)) for s in found]
    exposed = np.stack(columns, 1) if columns else np.empty((cells.height, 0))
    return Lineup(found, exposed, moments)


def _alike(one: Floats, columns: list[Floats], suspect: Suspect) -> bool:
    two = columns[suspect.columns[0]]
    both = float(np.minimum(one, two).sum())
    return both > SAME * max(float(one.sum()), float(two.sum()), 1.0)


def _priors(near: pl.DataFrame, log: pl.DataFrame) -> Sequence[float]:
    """The more often an artefact changes without harm, the less is each of its changes suspected:
    as the root of how many there are."""
    if not near.height:
        return []
    often = log.group_by("artefact").len()
    size = near.join(often, on="artefact", how="left", maintain_order="left")["len"].to_numpy()
    size = 1 / np.sqrt(size)
    return list(LOGGED * size / size.sum())


def _told(cells: pl.DataFrame, row: dict, log: pl.DataFrame) -> Floats | None:
    """The share of each cell's requests that had a change's version or a later one, but for those
    that were there before: who goes back to them undoes the change. None where requests do not
    tell."""
    for column, artefact in ARTEFACTS.items():
        if artefact != row["artefact"] or column not in cells.columns or row["to_version"] is None:
            continue
        same = log.filter(
            pl.col("artefact") == artefact,
            pl.col("name").eq_missing(pl.lit(row["name"], pl.String)),
        )
        earlier = same.filter(pl.col("at") < row["at"])["to_version"].to_list()
        earlier += same.filter(pl.col("at") <= row["at"])["from_version"].to_list()
        after = same.filter(
            pl.col("at") >= row["at"],
            (pl.col("to_version") == row["to_version"])
            | ~pl.col("to_version").is_in([each for each in earlier if each is not None]),
        )["to_version"].drop_nulls()
        bare = cells.select(bare_version(column)).to_series()
        own = cells[column].is_in(after.implode()) | bare.is_in(after.implode())
        own = own.fill_null(False) & (cells["at"] >= row["at"] - timedelta(hours=1))
        if own.any() and not own.all():
            return own.to_numpy().astype(float)
    return None
