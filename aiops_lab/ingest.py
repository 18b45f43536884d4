"""Ingest: read new sources, append each table, then commit once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from aiops_lab.errors import BadSource, LabError
from aiops_lab.measures.learned import RefusalModel
from aiops_lab.objectives.objective import Objective
from aiops_lab.sources import calls, retrieval_logs
from aiops_lab.sources.contract import Batch, Mapping, Problem, Source
from aiops_lab.sources.find import DATA_SUFFIXES
from aiops_lab.sources.jsonio import compact
from aiops_lab.sources.table import NAME, kind_of, rows_of
from aiops_lab.store import Store, new_attempt
from aiops_lab.tables import SCHEMAS, polars_frame
from aiops_lab.traffic.rollup import rolled_up

Progress = Callable[[str, int, int], None]
"""Called with the name of a source, its number from 0, and how many there are."""
TRACES = {"spans", "evaluations"}
ROLLUP = "rollup"
"""The format of an entry that only holds what others changed."""
WAITING_LIMIT = 256 * 2**20
"""Rows gathered beyond this size, in bytes, are appended before more are read."""


@dataclass(frozen=True)
class Ingest:
    """What an ingest did.

    Attributes
    ----------
    added, skipped
        How many sources are new in the lab, unreadable ones included; how many it knew already.
    quarantined
        What could not be read: path, place, reason.
    superseded
        Sources whose runs are shown from a more complete or later file: path, superseded_by.
    rows
        How many rows were added to each table.
    """

    added: int
    skipped: int
    quarantined: pl.DataFrame
    superseded: pl.DataFrame
    rows: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "added": self.added,
            "skipped": self.skipped,
            "rows": self.rows,
            "quarantined": self.quarantined.to_dicts(),
            "superseded": self.superseded.to_dicts(),
        }


@dataclass(frozen=True)
class Unit:
    """One source to ingest: what it is called, what it holds, and how to read it."""

    name: str
    uri: str
    digest: str
    format: str | None
    reader_version: int
    read: Callable[[], Iterator[Batch]]


def file_unit(parts: list[Path], source: Source, mapping: Mapping) -> Unit:
    """The unit of a file and those that belong to it; a table's also depends on the mapping."""
    marks = [f"{part.name}:{_file_digest(part)}" for part in parts]
    digest = marks[0].rpartition(":")[2] if len(parts) == 1 else _text_digest("\n".join(marks))
    if source.name in ("table", "retrieval", calls.NAME) and mapping:
        digest = _text_digest(digest + compact(mapping))
    path = parts[0]
    if source.name == calls.NAME:  # what columns do not tell
        digest = _text_digest(digest + source.name)
    if source.name == "retrieval":  # an experiment is called after its folder
        digest = _text_digest(digest + path.resolve().parent.name)
    return Unit(
        name=str(path),
        uri=path.resolve().as_uri(),
        digest=digest,
        format=source.name,
        reader_version=source.version,
        read=lambda: source.read(path, mapping=mapping),
    )


def unknown_unit(path: Path, reason: str | None = None) -> Unit:
    """The unit of a file that cannot be read: it is quarantined as a whole."""

    def read() -> Iterator[Batch]:
        kinds = ", ".join(sorted(DATA_SUFFIXES))
        raise BadSource(
            reason
            or f"no reader knows this format; known are eval logs, traces and tables ({kinds})"
        )

    uri = path.resolve().as_uri()
    digest = _text_digest(uri + reason) if reason else _file_digest(path)
    return Unit(str(path), uri, digest, None, 0, read)


def frame_unit(frame: Any, mapping: Mapping, format: str | None = None) -> Unit:
    """The unit of a data frame of any library that Narwhals knows: answers, retrieval, or calls."""
    table = polars_frame(frame, "give a path or a data frame")
    digest = _text_digest(compact(mapping), table.write_ipc(None).getvalue())
    name = f"frame-{digest[:8]}"

    kind = kind_of(table.columns, mapping, format == calls.NAME)
    if kind == calls.NAME:
        digest = _text_digest(digest + kind)
    elif kind == NAME and retrieval_logs.kind_of(table.columns, mapping):
        kind = retrieval_logs.NAME
    uri = f"frame:{digest[:16]}"

    def read() -> Iterator[Batch]:
        if kind == retrieval_logs.NAME:
            yield retrieval_logs.from_table(table, "experiment", mapping)
        else:
            yield rows_of(kind, table, mapping, name, uri)

    return Unit(name, uri, digest, kind, 1, read)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text_digest(text: str, data: bytes = b"") -> str:
    return hashlib.sha256(text.encode() + data).hexdigest()


def ingest(
    store: Store,
    units: list[Unit],
    progress: Progress | None = None,
    names: AnyMapping[str, Sequence[str]] | None = None,
    refusals: RefusalModel | None = None,
    objectives: Sequence[Objective] = (),
) -> Ingest:
    """Read the units that the store does not hold, and list them in one commit.

    Requests and hours that new spans or scores change are listed with them; `names` are the
    attributes that tell a request's dimensions, `refusals` is the team's own detector, and
    `objectives` are counted by the hour.
    """
    return _Ingestion(store, names or {}, refusals, objectives).run(units, progress)


class _Ingestion:
    def __init__(
        self, store: Store, names: AnyMapping[str, Sequence[str]], refusals: RefusalModel | None,
        objectives: Sequence[Objective],
    ) -> None:  # fmt: skip
        self._store, self._names, self._refusals = store, names, refusals
        self._objectives = objectives
        self._waiting: dict[str, list[pl.DataFrame]] = defaultdict(list)
        self._bytes = 0
        self._rows: dict[str, int] = defaultdict(int)
        self._entries: list[dict[str, Any]] = []
        self._quarantined: list[dict[str, Any]] = []

    def run(self, units: list[Unit], progress: Progress | None) -> Ingest:
        known = _settled(self._store.listed())
        new = {u.digest: u for u in units if known.get(u.digest, -1) < u.reader_version}
        for number, unit in enumerate(new.values()):
            if progress:
                progress(unit.name, number, len(new))
            self._read(unit)
        self._flush()
        mine = self._commit()
        names = {unit.digest: unit.name for unit in reversed(units)}
        added = sum(entry["attempt"] in mine for entry in self._entries)
        bad = [q for q in self._quarantined if q["attempt"] in mine]
        return Ingest(
            added=added,
            skipped=len(units) - added,
            quarantined=pl.DataFrame(
                [{**q, "path": names[q["digest"]]} for q in bad],
                schema=dict.fromkeys(("path", "place", "reason"), pl.String),
            ),
            superseded=self._superseded(names),
            rows=dict(self._rows) if mine else {},
        )

    def _read(self, unit: Unit) -> None:
        """Read one source to its end; what goes wrong is quarantined and stops no other."""
        attempt, counts = new_attempt(), defaultdict[str, int](int)
        problems: list[Problem] = []
        runs: list[dict[str, Any]] = []
        try:
            for batch in unit.read():
                problems += batch.problems
                runs += batch.runs
                for table, frame in batch.tables.items():
                    counts[table] += frame.height
                    self._wait(table, frame, unit, attempt)
        except (Exception, pl.exceptions.PanicException) as error:  # foreign files and readers
            problems.append(_problem(error))
            attempt, counts, runs = self._abandon(attempt), defaultdict(int), []
        now = datetime.now(UTC)
        unique = {problem.place: problem.reason for problem in reversed(problems)}
        counts["quarantine"] = len(unique)
        self._quarantined += [
            {"digest": unit.digest, "place": p, "reason": r, "at": now, "attempt": attempt}
            for p, r in unique.items()
        ]
        entry = {
            "digest": unit.digest,
            "attempt": attempt,
            "source_uri": unit.uri,
            "format": unit.format,
            "reader_version": unit.reader_version,
            "at": now,
            "rows": [{"table": t, "rows": n} for t, n in sorted(counts.items())],
            "runs": runs,
        }
        self._entries.append(entry)

    def _wait(self, table: str, frame: pl.DataFrame, unit: Unit, attempt: str) -> None:
        if table == "runs":
            frame = frame.with_columns(
                source_uri=pl.lit(unit.uri), source_digest=pl.lit(unit.digest)
            )
        self._waiting[table].append(frame.with_columns(attempt=pl.lit(attempt)))
        self._bytes += frame.estimated_size()
        if self._bytes > WAITING_LIMIT:
            self._flush()

    def _abandon(self, attempt: str) -> str:
        """Forget the rows of an attempt; those appended already are never listed."""
        for table, frames in self._waiting.items():
            self._waiting[table] = [f for f in frames if f["attempt"].first() != attempt]
        return new_attempt()

    def _flush(self) -> None:
        for table, frames in sorted(self._waiting.items()):
            if frames:
                whole = pl.concat(frames)
                self._store.append(table, whole)
                self._rows[table] += whole.height
        self._waiting.clear()
        self._bytes = 0

    def _commit(self) -> set[str]:
        """List what no other process has listed meanwhile; returns the attempts listed."""
        if self._quarantined:
            schema = {**SCHEMAS["quarantine"], "attempt": pl.String}
            self._store.append("quarantine", pl.DataFrame(self._quarantined, schema=schema))

        def rows(listed: pl.DataFrame) -> pl.DataFrame:
            known = _settled(listed)
            fresh = [e for e in self._entries if known.get(e["digest"], -1) < e["reader_version"]]
            return pl.DataFrame([*fresh, *self._rolled_up(listed, fresh)], SCHEMAS["ingests"])

        return set(self._store.commit(rows)["attempt"]) if self._entries else set()

    def _rolled_up(self, listed: pl.DataFrame, fresh: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """An entry for the requests and hours that these entries change, if any.

        It is worked out for what is listed at the commit: what another process listed meanwhile
        may hold spans of the same traces.
        """
        traced = [e for e in fresh if {row["table"] for row in e["rows"] if row["rows"]} & TRACES]
        if not traced:
            return []
        attempt = new_attempt()
        counts = rolled_up(
            self._store, listed, [e["attempt"] for e in traced], attempt, self._names,
            self._refusals, self._objectives,
        )  # fmt: skip
        return [
            {
                "digest": _text_digest("\n".join(sorted(e["digest"] for e in traced))),
                "attempt": attempt,
                "source_uri": None,
                "format": ROLLUP,
                "reader_version": 1,
                "at": datetime.now(UTC),
                "rows": [{"table": table, "rows": count} for table, count in counts.items()],
                "runs": [],
            }
        ]

    def _superseded(self, names: dict[str, str]) -> pl.DataFrame:
        ingests = self._store.scan("ingests").collect()
        uris = dict(ingests.select("digest", "source_uri").iter_rows())
        rows = ingests.drop_nulls("superseded_by").select("digest", "superseded_by").iter_rows()
        return pl.DataFrame(
            [{"path": names[d], "superseded_by": uris[by]} for d, by in rows if d in names],
            schema=dict.fromkeys(("path", "superseded_by"), pl.String),
        )


def _problem(error: BaseException) -> Problem:
    match error:
        case BadSource():
            return Problem(error.place, error.reason)
        case LabError():
            return Problem("file", str(error))
    return Problem("file", f"{type(error).__name__}: {str(error)[:300]}")


def _settled(listed: pl.DataFrame) -> dict[str, float]:
    """By digest the reader version up to which a source need not be read again.

    What was read without a problem need never be; the rest is tried again by a newer reader.
    """
    troubled = pl.col("rows").list.eval(
        (pl.element().struct.field("table") == "quarantine")
        & (pl.element().struct.field("rows") > 0)
    )
    settled = pl.when(troubled.list.any()).then(pl.col("reader_version").cast(pl.Float64))
    return dict(listed.select("digest", settled.otherwise(float("inf"))).iter_rows())
