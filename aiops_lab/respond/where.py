"""In which slices of the traffic did an incident happen?"""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.errors import NotComputable
from aiops_lab.respond.panel import SEGMENTS
from aiops_lab.respond.slices import EXPLANATIONS, find_slices
from aiops_lab.respond.triage import Triage, incident_of


def where_moved(lab: Any, found: Triage, *, limit: int = 3) -> pl.DataFrame:
    """The slices that explain the move of an incident, by `aiops_lab.find_slices`.

    Parameters
    ----------
    lab
        The Lab, or the requests, that were triaged.
    found
        The triage.
    limit
        How many explanations are listed.

    Returns
    -------
    polars.DataFrame
        As `aiops_lab.find_slices` gives it, of slice, tenant and language; days before tell what is
        usual. Empty where requests tell none of them, or all may be chance.
    """
    nothing = pl.DataFrame(schema=EXPLANATIONS)
    asked = incident_of(lab, found)
    if asked is None:
        return nothing
    rows = asked.requests.filter(pl.col("outcome").is_not_null())
    names = [n for n in SEGMENTS if n in rows.columns and rows[n].n_unique() > 1]
    if not names:
        return nothing
    parts = rows.group_by(*names, late=pl.col("at") >= asked.began, day=pl.col("at").dt.date()).agg(
        sum=pl.col("outcome").sum(), n=pl.len()
    )
    early, late = (parts.filter(pl.col("late") == side).drop("late") for side in (False, True))
    try:
        return find_slices(
            early, late.group_by(names).agg(pl.col("sum", "n").sum()), value="sum", count="n",
            dimensions=names, time="day", limit=limit,
        )  # fmt: skip
    except NotComputable:
        return nothing
