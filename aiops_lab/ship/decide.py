"""What a difference decides: whether it is clear, which way it moved, and its status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from aiops_lab.verdict import Status

CLEAR = 0.05
"""A change is clear below this p-value, corrected for having looked at every row."""
Moved = Literal["better", "no clear change", "worse"]


def moved(row: Mapping[str, Any]) -> Moved:
    """Which way a row of a comparison clearly moved.

    Where every question moved alike there is no p-value; then the exact bound decides. Too few
    clusters or questions to honour decide nothing.
    """
    if not row.get("trusted", True):
        clear = False
    elif row["p_adjusted"] is not None:
        clear = row["p_adjusted"] < CLEAR
    else:
        clear = row["low"] is not None and row["low"] * row["high"] > 0
    if not clear:
        return "no clear change"
    return "better" if row["direction"] * row["difference"] > 0 else "worse"


def status(row: Mapping[str, Any], margin: float | None) -> Status:
    """ok, fail or inconclusive against a margin; without one ok, warn or inconclusive."""
    if margin is None:
        found: dict[Moved, Status] = {"better": "ok", "worse": "warn"}
        return found.get(moved(row), "inconclusive")
    if row["low"] is None or not row.get("trusted", True):
        return "inconclusive"
    worst, best = sorted(row["direction"] * end for end in (row["low"], row["high"]))
    return "ok" if worst > -margin else "fail" if best < -margin else "inconclusive"
