"""Scores beside what users do, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.table import SIGNED, Table, table
from aiops_lab.watch.signals import ScoreAndUsers
from aiops_lab.wording import change, figure, interval


def beside_users(found: Sequence[ScoreAndUsers]) -> Table | Cases:
    """A row a score and signal: what users do where it passes, where it fails, and day by day."""
    if not found:
        return note("No score of answers stands beside anything that users tell.")
    rows = []
    for one in found:
        share = all(0 <= mean <= 1 for mean in one.requests["share"])
        means = dict(one.requests.select("side", "share").rows())
        away, daily = one.figures.to_dicts()
        told = daily["value"] is not None
        rows.append(
            {"moves": SIGNED["inconclusive" if away["low"] is None or
                             away["low"] <= 0 <= away["high"] else "ok"],
             "score": one.settings["score"], "users": one.settings["signal"],
             "answers": f"{one.requests['n'].sum():,}",
             "where it passes": figure(means.get("passed"), share=share),
             "where it fails": figure(means.get("failed"), share=share),
             "difference": interval(away["low"], away["high"], share=share),
             "by day": f"{change(daily['value'])} (p {daily['p_value']:.3f})" if told else "–"}
        )  # fmt: skip
    moved = sum(row["moves"] == SIGNED["ok"] for row in rows)
    return table(pl.DataFrame(rows), title=f"{moved} of {len(rows)} pairs move together")
