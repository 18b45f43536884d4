"""Which day is the likeliest first one of a shift, given its figures and the change log?"""

from __future__ import annotations

import datetime as dt

import polars as pl

LOGGED = 0.5
"""The share of shifts that begin on the day of a change that is in the log."""


def likeliest(onsets: pl.DataFrame, log: pl.DataFrame) -> dt.date:
    """The likeliest first day of one shift.

    Half of all shifts are taken to begin with a change that was logged or seen, with those of each
    artefact as often, and of one artefact with each of its changes as often: so the change of a
    model that changes once a year is told sooner than that of an index that is built every night.
    The other half may begin on any day. Where the figures are clear they decide alone.

    Parameters
    ----------
    onsets
        day and likelihood of the days on which the shift may have begun.
    log
        The changes, as `aiops_lab.watch.changes.change_log` has them.

    Examples
    --------
    >>> from datetime import UTC
    >>> may = pl.DataFrame({"day": [dt.date(2026, 5, d) for d in (3, 4, 5)],
    ...                     "likelihood": [0.9, 0.6, 1.0]})
    >>> log = pl.DataFrame({"artefact": ["model"], "at": [dt.datetime(2026, 5, 4, 9, tzinfo=UTC)]})
    >>> likeliest(may, log)
    datetime.date(2026, 5, 4)
    """
    day = pl.col("at").dt.date().alias("day")
    each = 1 / pl.len().over("artefact") / pl.col("artefact").n_unique()
    told = log.select(day, each.alias("told")).group_by("day").agg(pl.col("told").sum())
    days = log["at"].dt.date().append(onsets["day"])
    length = (days.max() - days.min()).days + 1  # pyright: ignore
    prior = LOGGED * pl.col("told").fill_null(0) + (1 - LOGGED) / length
    both = onsets.join(told, on="day", how="left", maintain_order="left")
    return both.sort(pl.col("likelihood") * prior, maintain_order=True)["day"][-1]
