"""The change log: what a team wrote down, what its git says, and what the traffic itself shows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.tables import SCHEMAS, conform, digest, empty, schema_of

ARTEFACTS = {
    "prompt_version": "prompt",
    "model_requested": "model",
    "model_served": "provider",
    "fingerprint": "provider",
    "index_version": "index",
    "retrieval_version": "retrieval",
    "parser_version": "parser",
    "code_version": "code",
}
"""Column of the traffic -> the artefact whose version it tells."""
SEEN = "seen in the traffic"
NEAR = timedelta(days=30)
"""What was written down stands for what was seen so long before or after."""
VERSIONS = schema_of("name version day:date at:time share:float")
SHARE = 0.02
"""A version counts as there from the first day on which it had so much of the traffic."""


def version_days(traffic: Any) -> pl.DataFrame:
    """How often each version served on each day.

    Parameters
    ----------
    traffic
        The canonical table, as a Polars frame or lazy frame.

    Returns
    -------
    pl.DataFrame
        name (model_served, ...), version, day, at (of its first request that day), share (of the
        day's requests that tell a version).
    """
    rows = (
        traffic.lazy().filter(pl.col("at").is_not_null()).with_columns(day=pl.col("at").dt.date())
    )
    have = rows.collect_schema().names()
    rows = rows.select("day", "at", *(name for name in ARTEFACTS if name in have)).collect()
    parts = [pl.DataFrame(schema=VERSIONS)]
    for column in ARTEFACTS:
        if column in have:
            known = rows.filter(pl.col(column).is_not_null())
            days = known.group_by("day", version=column).agg(pl.len(), pl.col("at").min())
            share = pl.col("len") / pl.col("len").sum().over("day")
            named = days.with_columns(share=share, name=pl.lit(column))
            parts.append(named.select(pl.col(c).cast(t) for c, t in VERSIONS.items()))
    return pl.concat(parts).sort("name", "day", "version")


def seen_changes(versions: pl.DataFrame) -> pl.DataFrame:
    """Versions that appeared in the traffic after its first day.

    Parameters
    ----------
    versions
        As `version_days` has them.

    Returns
    -------
    pl.DataFrame
        The canonical table ``changes``: at is the first request with the version on the first day
        on which it had 2 % of the traffic that tells a version; from_version the most used before;
        author and note say that it was seen.

    Examples
    --------
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, d, tzinfo=UTC) for d in (1, 2, 3)],
    ...                      "model_served": ["a", "a", "b"]})
    >>> seen_changes(version_days(rows)).select("artefact", "from_version", "to_version").row(0)
    ('provider', 'a', 'b')
    """
    parts = [_appeared(own) for own in versions.partition_by("name", maintain_order=True)]
    return pl.concat([empty("changes"), *parts]).sort("at", "artefact", "name")


def _appeared(days: pl.DataFrame) -> pl.DataFrame:
    """What became of one artefact's versions."""
    name = days["name"][0]
    first = days.filter(pl.col("share") >= SHARE).sort("at").unique("version", keep="first")
    first = first.filter(pl.col("day") > days["day"].min()).sort("at")
    rows = []
    for day, version, at in first.select("day", "version", "at").iter_rows():
        before = days.filter(pl.col("day") < day).sort("day", "share")["version"]
        rows.append(
            {"change_id": digest(f"{name}:{version}")[:16], "at": at, "name": name,
             "artefact": ARTEFACTS[name], "from_version": before[-1] if before.len() else None,
             "to_version": version, "author": None, "note": SEEN}
        )  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMAS["changes"])


def git_changes(
    folder: str | os.PathLike[str], paths: Sequence[str] = (".",), artefact: str = "prompt"
) -> pl.DataFrame:
    """The commits that touched some files of a git checkout, as the canonical table ``changes``.

    Parameters
    ----------
    folder
        The checkout.
    paths
        Files or folders in it, of prompts for example.
    artefact
        What they are.

    Raises
    ------
    BadSettings
        The folder is no git checkout, or git is not installed.
    """
    between, ends = "\x1f", "\x1e"
    command = [
        "git", "-C", os.fspath(folder), "log",
        f"--format={ends}%H{between}%aI{between}%an{between}%s",
        "--name-only", "--no-renames", "--", *paths,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True)
    except FileNotFoundError:
        raise BadSettings("git is not installed, so its log cannot be read") from None
    except subprocess.CalledProcessError as error:
        raise BadSettings(f"git log failed: {error.stderr.strip()[:200]}") from None
    rows = []
    last: dict[str, str] = {}
    for commit in reversed(done.stdout.split(ends)[1:]):
        head, _, names = commit.partition("\n")
        mark, at, author, note = head.split(between, 3)
        for name in filter(None, names.split("\n")):
            rows.append(
                {"change_id": f"{mark[:12]}:{digest(name)[:8]}", "artefact": artefact, "name": name,
                 "at": datetime.fromisoformat(at).astimezone(UTC), "from_version": last.get(name),
                 "to_version": mark[:12], "author": author, "note": note}
            )  # fmt: skip
            last[name] = mark[:12]
    return pl.DataFrame(rows, schema=SCHEMAS["changes"]).sort("at")


def bare_version(column: str) -> pl.Expr:
    """A version without the name that some conventions put before it, ``answer:14``."""
    return pl.col(column).str.replace(r"^.*:([^:]+)$", "${1}")


def _bare(column: str) -> pl.Expr:
    """The same of prompts alone."""
    bare = bare_version(column)
    return pl.when(pl.col("artefact") == "prompt").then(bare).otherwise(column).alias(column)


def change_log(versions: pl.DataFrame, written: Any = None) -> pl.DataFrame:
    """What was written down and what was seen, in order of time; `logged` tells which.

    A version that was written down is not told a second time where it is seen.
    """
    seen = seen_changes(versions).with_columns(logged=pl.lit(False))
    known = empty("changes") if written is None else conform(pl.DataFrame(written), "changes")
    known = known.with_columns(logged=pl.lit(True))
    named = known.drop_nulls("to_version").select("artefact", "to_version", written="at")
    seen = seen.with_columns(_bare("to_version"), _bare("from_version"))
    seen = seen.filter(pl.col("from_version").ne_missing(pl.col("to_version")))
    told = seen.join(named, on=["artefact", "to_version"]).filter(
        (pl.col("at") - pl.col("written")).abs() <= NEAR
    )
    seen = seen.join(told, on="change_id", how="anti", maintain_order="left")
    return pl.concat([known, seen]).sort("at", "artefact", "name")
