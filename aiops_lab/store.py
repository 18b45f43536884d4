"""Delta tables in one place, with one commit point.

Delta commits a table at a time, so a lab has a commit point of its own: the ``ingests`` table,
written last. Every row of another table carries the random name of its attempt; ``ingests`` lists
one attempt a source, and only rows of listed attempts are seen. What a killed or a second process
left is never seen, and `Store.sweep` removes it.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from aiops_lab.errors import BadSettings, LabError
from aiops_lab.files import writing
from aiops_lab.place import Mark, Place
from aiops_lab.tables import KEYS, SCHEMAS, empty

COMMIT_POINT = "aiops-lab-ingests"
COMMIT_TRIES = 200
NAMED = "aiops-lab-append"
"""What a commit is called in the history of its table."""
CHECKPOINT = {"delta.checkpointInterval": "10"}
"""Opening a table replays what came after its last checkpoint: a year of days stays quick so."""
FORMAT = 1
"""Raised with a change that this version would misread; columns that are added need none."""
STAMP = "aiops-lab format "
"""How the description of a Delta table begins; the number is that of the version that made it."""
COMPACT = 50
"""After so many versions small files are put together, each table's in the order they came."""
FILE, ROWS = 16 * 2**20, WriterProperties(compression="SNAPPY", max_row_group_size=20_000)
"""Files of this size are left alone; within one, days that nobody asks for are passed over."""
BUSY = "other processes kept writing to this lab; run the same command again"
SWEEP_AFTER = timedelta(days=1)
REPLACED = ("traffic", "hourly", "evaluations", "changes", "decisions", "attributions")
"""Tables of which a later row of a key stands for an earlier one."""
WHOLE = {"hourly": "hour", "traffic": "trace_id"}
"""Of these, all rows of one hour or request are those of the last ingest that touched it."""
BY_SOURCE = ("questions", "chunks", "hits")
"""Tables of which a file that is ingested again after it changed replaces all its rows."""
OUTSIDE = ("ingests", "verdicts")
"""Tables whose rows belong to no attempt."""

Within = tuple[str, datetime, datetime] | tuple[str, str, str] | None


class Store:
    """The Delta tables below one folder or address.

    Parameters
    ----------
    root
        Folder of the tables, made on the first write, or their address.
    version
        Show everything as it was at this version of the ``ingests`` table; the newest if None.
    """

    def __init__(self, root: Path | str, version: int | None = None) -> None:
        self.root = root
        self._place = Place(root)
        self.pinned = version
        self._known: tuple[tuple[str, int], pl.DataFrame] | None = None
        self._opened: dict[str, tuple[Mark, DeltaTable]] = {}

    def _delta(self, table: str) -> DeltaTable | None:
        """The table as it is now: of one that was opened before, only what came since is read."""
        mark, delta = self._opened.get(table, (None, None))
        try:
            if delta is not None and mark and mark == self._place.mark(table, mark[0]):
                delta.update_incremental()
            else:
                delta = self._table(table)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            why = str(error).partition("\n")[0]  # else Rust's own stack may follow
            raise LabError(f"{self._place.of(table)} cannot be read: {why}") from error
        if (given := _format(delta)) > FORMAT:
            raise LabError(
                f"a newer aiops-lab wrote this lab: its format is {given}, this one reads up to "
                f"{FORMAT}; install the newer one (nothing was changed)"
            )
        self._opened[table] = self._place.mark(table, delta.version()), delta
        return delta

    def _table(self, table: str, version: int | None = None) -> DeltaTable:
        """The table opened anew, which nothing else moves on meanwhile."""
        place = self._place
        with place.reaching(table):
            return DeltaTable(place.uri(table), version=version, storage_options=place.options)

    @contextmanager
    def _writing(self, table: str) -> Iterator[None]:
        with writing(self._place.of(table)), self._place.reaching(table, "written"):
            yield

    def _rows(self, table: str, delta: DeltaTable, within: Within = None) -> pl.LazyFrame:
        """All rows of a Delta table, whatever the folder is called.

        `polars.scan_delta` reads the percent-encoded names that deltalake returns for folders
        with spaces or umlauts as they are, and so finds nothing (seen with 2.1 and 1.6).
        """
        files = _files(delta, within)
        if files.is_empty():
            return pl.LazyFrame(schema=_columns(table))
        return pl.scan_parquet(
            [self._place.of(table, name) for name in files], glob=False,
            # of labs older than a column, or newer than this version
            schema=_columns(table), missing_columns="insert", extra_columns="ignore",
        )  # fmt: skip

    def files(self, table: str) -> list[str]:
        """The Parquet files that hold a table's rows now, of listed attempts and others."""
        delta = self._delta(table)
        return [] if delta is None else [self._place.of(table, name) for name in _files(delta)]

    def columns(self, table: str) -> list[str]:
        """The columns that a table has so far."""
        delta = self._delta(table)
        return [] if delta is None else [field.name for field in delta.schema().fields]

    def appended(self, table: str, within: Within = None) -> pl.LazyFrame:
        """All rows of a table with their attempts, listed or not.

        Parameters
        ----------
        within
            A column and two of its values, moments or attempts: only rows between them, both
            included, or with none at all.
            Files that hold no such row are not opened.
        """
        delta = self._delta(table)
        if delta is None:
            return pl.LazyFrame(schema=_columns(table))
        if within is None:
            return self._rows(table, delta)
        column, low, high = within
        value = pl.col(column)
        inside = value.is_between(pl.lit(low), pl.lit(high)) | value.is_null()
        return self._rows(table, delta, within).filter(inside)

    @property
    def version(self) -> int:
        """The version shown: 0 while nothing was ever ingested."""
        if self.pinned is not None:
            return self.pinned
        delta = self._delta("ingests")
        return 0 if delta is None else delta.version()

    def at(self, version: int) -> Store:
        """The same tables as they were at `version`."""
        newest = Store(self.root).version
        if not 0 <= version <= newest:
            raise BadSettings(f"this lab has the versions 0 to {newest}, not {version}")
        return Store(self.root, version)

    def version_at(self, moment: datetime) -> int:
        """The version shown at a moment: 0 before the first ingest."""
        if self._delta("ingests") is None:
            return 0
        then = self._table("ingests")
        then.load_as_version(moment)
        return then.version()

    def listed(self) -> pl.DataFrame:
        """The ingest shown of each source: by the newest reader that read it."""
        if (delta := self._delta("ingests")) is None:
            return empty("ingests")
        if self.pinned is not None:
            delta = self._table("ingests", self.pinned)
        return self._listed(delta)

    def _listed(self, delta: DeltaTable) -> pl.DataFrame:
        state = str(delta.metadata().id), delta.version()
        if self._known is None or self._known[0] != state:
            rows = self._rows("ingests", delta).collect().sort("reader_version", "at")
            self._known = state, rows.unique("digest", keep="last", maintain_order=True)
        return self._known[1]

    def visible_runs(self, listed: pl.DataFrame | None = None) -> pl.DataFrame:
        """The (run_id, attempt) shown, with the moment and place of each in its ingest.

        Of one file ingested again after it changed, the latest; of several files of one run the
        most complete, then the latest. Tables that name the run themselves add up. Of the ingests
        `listed` where they were read already: another process may have added some since.
        """
        listed = self.listed() if listed is None else listed
        runs = (
            listed.select("attempt", "digest", "source_uri", "at", "runs")
            .explode("runs")
            .drop_nulls("runs")
            .unnest("runs")
            .with_row_index("place")
            .sort("at", "place")
            .unique(["run_id", "source_uri"], keep="last", maintain_order=True)
        )
        adding = pl.col("complete").is_null()
        best = (
            runs.filter(~adding)
            .sort("complete", "ended_at", "at", "digest", nulls_last=False)
            .unique("run_id", keep="last", maintain_order=True)
        )
        whole = best.select("run_id")
        parts = runs.filter(adding).join(whole, on="run_id", how="anti", maintain_order="left")
        return pl.concat([best, parts]).select("run_id", "attempt", "digest", "at", "place")

    def scan(self, table: str, within: Within = None) -> pl.LazyFrame:
        """The visible rows of a table, read when collected; all rows of ``verdicts``.

        Parameters
        ----------
        within
            As `appended` has it: what replaces a row has to lie there too.
        """
        if table not in SCHEMAS:
            raise LabError(f"no table {table!r}; the tables are {', '.join(SCHEMAS)}")
        if table == "ingests":
            return self._ingests().lazy()
        # what is listed is read first: its rows were appended before, so the table holds them all
        listed = empty("ingests") if table == "verdicts" else self.listed()
        rows = self.appended(table, within)
        if table == "verdicts":
            return rows
        if "run_id" in SCHEMAS[table]:
            shown = self.visible_runs(listed)
            keys = ["run_id", "attempt"]
            rows = rows.join(shown.lazy(), on=keys, how="inner", maintain_order="left")
            if shown["run_id"].is_duplicated().any():
                rows = _added_up(rows, table)
        elif table in BY_SOURCE:
            # a file that was corrected says all that it says anew
            last = listed.sort("at").unique("source_uri", keep="last").select("attempt")
            rows = rows.join(last.lazy(), on="attempt", how="semi", maintain_order="left")
            rows = rows.unique(KEYS[table], keep="first", maintain_order=True)
        elif table in REPLACED:
            order = listed.sort("at").select("attempt").with_row_index("nth")
            rows = rows.join(order.lazy(), on="attempt", how="inner", maintain_order="left")
            if table in WHOLE:
                rows = rows.filter(pl.col("nth") == pl.col("nth").max().over(WHOLE[table]))
            rows = rows.sort("nth", maintain_order=True)
            if table not in WHOLE:
                rows = rows.unique(KEYS[table], keep="last", maintain_order=True)
        else:
            ours = listed.lazy().select("attempt")
            rows = rows.join(ours, on="attempt", how="semi", maintain_order="left")
            rows = rows.unique(KEYS[table], keep="first", maintain_order=True)
        return rows.select(SCHEMAS[table].names())

    def _ingests(self) -> pl.DataFrame:
        """The ingests with the source that replaces each, if all its runs are shown from others."""
        listed = self.listed()
        shown = self.visible_runs(listed).select("run_id", winner="digest")
        replaced = (
            listed.select("digest", "runs")
            .explode("runs")
            .drop_nulls("runs")
            .unnest("runs")
            .join(shown, on="run_id")
            .group_by("digest")
            .agg(
                superseded_by=pl.when(~pl.col("winner").eq(pl.col("digest")).any()).then(
                    pl.col("winner").first()
                )
            )
        )
        return listed.join(replaced, on="digest", how="left", maintain_order="left")

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Append rows in one commit.

        Appends do not conflict with each other, but with another process that makes the table at
        the same moment; a commit that failed left nothing, so it is tried again.
        """
        if not rows.height:
            return
        retries = None if self._place.folder else 0
        for _ in range(COMMIT_TRIES):
            if self._try(table, None, rows, max_commit_retries=retries):
                return
        raise LabError(BUSY)

    def _try(
        self, table: str, delta: DeltaTable | None, rows: pl.DataFrame, **options: Any
    ) -> bool:
        """Append rows in one commit; False, a moment later, where another process was faster."""
        name = uuid4().hex
        commit = CommitProperties(custom_metadata={NAMED: name}, **options)
        try:
            with self._writing(table):
                write_deltalake(
                    delta or self._made(table), rows, mode="append", schema_mode="merge",
                    commit_properties=commit,
                )  # fmt: skip
        except CommitFailedError:
            if not self._landed(table, name):
                time.sleep(random.uniform(0.005, 0.05))
                return False
        return True

    def _landed(self, table: str, name: str) -> bool:
        """Whether a commit is in all the same: a store's answer may be lost on its way."""
        if self._place.folder:
            return False
        with self._place.reaching(table):
            commits = self._table(table).history(COMMIT_TRIES)
        return any(commit.get(NAMED) == name for commit in commits)

    def commit(self, rows: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
        """Append to ``ingests`` what `rows` returns for the ingests listed at that moment.

        Both of two processes that commit at once carry the same Delta application transaction, so
        one fails and looks again at what is listed now.
        """
        for _ in range(COMMIT_TRIES):
            self._made("ingests")
            delta = self._table("ingests")
            new = rows(self._listed(delta))
            if not new.height:
                return new
            ours = [Transaction(COMMIT_POINT, delta.version() + 1)]
            if self._try("ingests", delta, new, max_commit_retries=0, app_transactions=ours):
                self._compact(delta.version())
                return new
        raise LabError(BUSY)

    def _compact(self, version: int) -> None:
        """Now and then make one file of many small ones; what is read at the time keeps its own."""
        if version % COMPACT:
            return
        for table in sorted(set(SCHEMAS) - {"verdicts"}):
            if (delta := self._delta(table)) is not None:
                # another process wrote meanwhile, or there is no room: the next time will do
                with suppress(DeltaError, OSError):
                    delta.optimize.compact(
                        target_size=FILE, max_concurrent_tasks=1, writer_properties=ROWS
                    )
                    if table != "ingests":  # whose older versions are the lab's
                        delta.vacuum(dry_run=False)

    def _made(self, table: str) -> DeltaTable:
        """The Delta table, made where it is not there yet (perhaps by another process just now)."""
        if (delta := self._delta(table)) is not None:
            return delta
        try:
            with self._writing(table):
                self._place.make(table)
                # without retries: of two that make it at once one must fail, not make it anew
                return DeltaTable.create(
                    self._place.uri(table),
                    pl.Schema(_columns(table)),
                    mode="error",
                    description=f"{STAMP}{FORMAT}",
                    configuration=CHECKPOINT,
                    storage_options=self._place.options,
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
        except DeltaError:
            if (delta := self._delta(table)) is None:
                raise
            return delta

    def sweep(self, older_than: timedelta = SWEEP_AFTER) -> int:
        """Delete rows of attempts that were never listed; returns how many."""
        listed = set(self.listed()["attempt"])
        limit = datetime.now(UTC) - older_than
        swept = 0
        for table in set(SCHEMAS) - set(OUTSIDE):
            delta = self._delta(table)
            if delta is None:
                continue
            attempts = self._rows(table, delta).select("attempt").unique().collect()["attempt"]
            stale = [a for a in attempts if a not in listed and _begun(a) < limit]
            if stale:
                names = ", ".join(f"'{name}'" for name in stale)
                with self._writing(table):
                    swept += delta.delete(f"attempt IN ({names})")["num_deleted_rows"] or 0
        return swept


def _format(delta: DeltaTable) -> int:
    found = re.fullmatch(rf"{STAMP}(\d+)", delta.metadata().description or "")
    return int(found[1]) if found else 1


def _files(delta: DeltaTable, within: Within = None) -> pl.Series:
    """The names of a table's files; only of those that may hold rows between two values."""
    files = pl.DataFrame(delta.get_add_actions(flatten=True))
    if within is not None and f"min.{within[0]}" in files.columns:
        column, low, high = within
        some = (pl.col(f"max.{column}") >= pl.lit(low)) & (pl.col(f"min.{column}") <= pl.lit(high))
        files = files.filter(some.fill_null(True) | (pl.col(f"null_count.{column}") > 0))
    return files["path"]


def _added_up(rows: pl.LazyFrame, table: str) -> pl.LazyFrame:
    """One row a key out of several files: of each column what the latest file says."""
    key = KEYS[table]
    others = [name for name in SCHEMAS[table] if name not in key]
    latest = (pl.col(name).drop_nulls().last() for name in others)
    return rows.sort("at", "place").group_by(key, maintain_order=True).agg(latest)


def _columns(table: str) -> dict[str, pl.DataType]:
    """The columns of a table as it is stored."""
    own = {} if table in OUTSIDE else {"attempt": pl.String()}
    return {**SCHEMAS[table], **own}


BEGUN = 15
"""Characters of an attempt's name that say when it began."""


def new_attempt() -> str:
    """A name for one attempt to ingest one source: when it began, and something random."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{uuid4().hex[:12]}"


def _begun(attempt: str) -> datetime:
    return datetime.strptime(attempt[:BEGUN], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
