"""A Lab: ingest into it, read tables out of it, as of any version."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock

from aiops_lab.errors import BadSettings, BadSource, LabError, NotComputable, UnknownRun
from aiops_lab.files import write_text, writing
from aiops_lab.ingest import (
    ROLLUP,
    Ingest,
    Progress,
    Unit,
    file_unit,
    frame_unit,
    ingest,
    unknown_unit,
)
from aiops_lab.measures.learned import load_refusals
from aiops_lab.objectives.short import readable
from aiops_lab.settings import DEMO_GATE, TEMPLATE, Settings, read_settings
from aiops_lab.shipped import shipped
from aiops_lab.sources.contract import RED_TEAM, Mapping
from aiops_lab.sources.detail import read_detail
from aiops_lab.sources.find import fetcher, recognise, source_named, walk
from aiops_lab.sources.jsonio import compact
from aiops_lab.sources.table import check_mapping
from aiops_lab.store import Store, Within
from aiops_lab.tables import SCHEMAS
from aiops_lab.verdict import Verdict
from aiops_lab.wording import listing

SETTINGS = "lab.toml"
UNSTORABLE = re.compile(r"[\[\]\x00-\x1f\x7f\ud800-\udfff]|%[0-9a-fA-F]{2}")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")
TRAFFIC = ("traffic", "spans", "decisions")
PINNED = re.compile(r"(.+)@(\d+)")
RELATIVE = re.compile(r"latest(?:~(\d+))?")


class Lab:
    """A folder of canonical tables; make one with `open_lab`."""

    def __init__(self, path: Path, version: int | None = None) -> None:
        self.path = path
        uri = read_settings(path / SETTINGS, only="store").store.uri
        self._store = Store(uri or path / "tables", version)

    def __repr__(self) -> str:
        return f"Lab({str(self.path)!r}, version {self.version})"

    @property
    def version(self) -> int:
        """Grows by one with each ingest that adds something; 0 is an empty lab."""
        return self._store.version

    @property
    def settings(self) -> Settings:
        """What ``lab.toml`` says now."""
        return read_settings(self.path / SETTINGS)

    @property
    def pinned(self) -> bool:
        """Whether this is the lab as it was at some version."""
        return self._store.pinned is not None

    def at(self, version: int | datetime) -> Lab:
        """This lab with the tables as they were at a version, or at a moment.

        Settings and verdicts are today's.
        """
        if isinstance(version, datetime):
            version = self._store.version_at(version)
        self._store.at(version)
        return Lab(self.path, version)

    def scan(self, name: str, within: Within = None) -> pl.LazyFrame:
        """A canonical table, read when collected.

        Parameters
        ----------
        within
            A time of ``spans`` or ``traffic`` and two moments: only rows between them, and files
            that hold none are not opened.
        """
        return self._store.scan(name, within)

    def table(self, name: str) -> pl.DataFrame:
        """A canonical table."""
        return self.scan(name).collect()

    def holds(self, name: str) -> bool:
        """Whether a canonical table has any row."""
        return self.scan(name).head(1).collect().height > 0

    def relation(self, name: str, engine: str | None = None, session: Any = None) -> Any:
        """A canonical table as a frame of Polars, DuckDB or Spark, read when used.

        Parameters
        ----------
        engine
            ``polars``, ``duckdb`` or ``spark``; by default what ``[traffic]`` of ``lab.toml`` says.
        session
            A DuckDB connection or a Spark session; one of its own by default.

        Raises
        ------
        BadSettings
            The engine is not installed.
        """
        from aiops_lab.traffic.engines import relation

        return relation(self._store, name, engine or self.settings.traffic.engine, session)

    def relations(self, *names: str) -> list[Any]:
        """Some canonical tables in one session of the engine that ``lab.toml`` names."""
        from aiops_lab.traffic.engines import session

        engine = self.settings.traffic.engine
        held = session(engine)
        return [self.relation(name, engine, held) for name in names]

    def sources(self) -> pl.DataFrame:
        """The files and frames ingested: ``ingests`` without what only sums others up."""
        return self.table("ingests").filter(pl.col("format").ne_missing(ROLLUP))

    def daily(self, bins: Collection[str] | None = None) -> pl.DataFrame:
        """The traffic summed up by day, metric and slice: the canonical table ``daily``.

        Parameters
        ----------
        bins
            Metrics whose histograms are added up too; all by default.
        """
        from aiops_lab.traffic.summaries import daily_of

        return daily_of(self.table("hourly"), bins)

    def runs(self) -> pl.DataFrame:
        """All runs, the oldest first: by start time, else by when they were ingested."""
        rows = self.table("runs")
        order = self._store.visible_runs().group_by("run_id").agg(pl.col("at", "place").max())
        runs = rows.join(order, on="run_id", how="left")
        begun = pl.coalesce("started_at", "at")
        return runs.sort(begun, "at", "place", nulls_last=False).drop("at", "place")

    def samples(self, run: str | None = None) -> pl.DataFrame:
        """The answers of one run (by any name that `find_run` knows), or of all."""
        return self._of_run("samples", run)

    def scores(self, run: str | None = None) -> pl.DataFrame:
        """The scores of one run, or of all."""
        return self._of_run("scores", run)

    def detail(self, run: str, sample_id: str, epoch: int = 1) -> dict[str, Any]:
        """The whole of one answer as its source has it: messages, events, everything.

        Where the source is gone, what the lab's tables hold, with a key ``note`` that says so.

        Raises
        ------
        NotComputable
            The run has no such answer.
        """
        key = (pl.col("sample_id") == sample_id) & (pl.col("epoch") == epoch)
        rows = self.samples(run).filter(key)
        if not rows.height:
            raise NotComputable(f"run {run!r} has no answer to {sample_id!r}, epoch {epoch}")
        row = rows.row(0, named=True)
        try:
            return read_detail(row["detail_uri"])
        except BadSource as error:
            return {**row, "note": f"{error}; this is all there is"}

    def _of_run(self, table: str, run: str | None) -> pl.DataFrame:
        rows = self.scan(table)
        if run is not None:
            rows = rows.filter(pl.col("run_id") == self.find_run(run))
        return rows.collect()

    def find_run(self, name: str, task: str | None = None) -> str:
        """The id of a run by name: an id, a unique prefix, ``@tag``, ``latest`` or ``latest~1``.

        What is relative passes over runs that attack (tagged red-team): they are no candidates.

        Parameters
        ----------
        name
            ``@tag`` is the newest run with that tag; ``latest~1`` the one before the newest.
        task
            Look only at runs of this task. Without it, ``latest`` is the newest of all and
            ``latest~1`` the one before it of the same task.

        Raises
        ------
        UnknownRun
            No run is called that, or several are.
        """
        runs = self.runs()
        if not runs.height:
            raise UnknownRun(f"the lab at {self.path} holds no runs; ingest some first")
        if name in runs["run_id"]:
            return name
        if task is not None:
            runs = runs.filter(pl.col("task") == task)
        if name.startswith("@"):
            runs = runs.filter(pl.col("tags").list.contains(name[1:]))
            found = runs["run_id"].to_list()[-1:]
        elif relative := RELATIVE.fullmatch(name):
            runs = runs.filter(pl.col("tags").list.contains(RED_TEAM).not_().fill_null(True))
            if task is None and runs.height:
                runs = runs.filter(pl.col("task").eq_missing(runs["task"][-1]))
            found = runs["run_id"].reverse()[int(relative[1] or 0) :].to_list()[:1]
        else:
            found = [run for run in runs["run_id"] if run.startswith(name)] if name else []
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownRun(f"several runs start with {name!r}: {listing(found)}")
        every = self.runs()  # whatever the task
        tags = sorted({f"@{tag}" for tags in every["tags"].drop_nulls() for tag in tags})
        known = tags if name.startswith("@") and tags else every["run_id"].reverse().to_list()
        raise UnknownRun(f"no run is called or starts with {name!r}; there are {listing(known)}")

    def ingest(
        self,
        *paths_or_frames: Any,
        format: str | None = None,
        columns: Mapping | None = None,
        progress: Progress | None = None,
    ) -> Ingest:
        """Read files, folders or data frames into the lab.

        Safe to repeat, to run several times at once and to kill: a source that is in the lab
        already is skipped, and a source is either wholly in or not at all.

        Parameters
        ----------
        *paths_or_frames
            Files, folders (walked), frames of any library that Narwhals knows, or addresses:
            ``langfuse:DATASET``, ``langfuse:DATASET/RUN``, ``langfuse-traces:DAY`` and
            ``phoenix:PROJECT`` are fetched into ``fetched/`` first.
        format
            Name of the reader, where content does not tell.
        columns
            Canonical name -> their name, for tables; added to ``[columns]`` of ``lab.toml``.
        progress
            Called before each source is read.

        Raises
        ------
        BadSettings
            A path or address does not exist, or the mapping names no canonical column. A mapping
            that does not fit one of the tables quarantines that table. Or the detector that
            ``[traffic] refusals`` names cannot be read.
        """
        if self.pinned:
            raise LabError("this is the lab as it was; ingest into the newest version")
        settings = self._readable_settings()
        mapping = {**settings.columns, **(columns or {})}
        check_mapping(mapping)
        if format is not None:
            source_named(format)
        traffic, goals = settings.traffic, readable(settings)
        refusals = traffic.refusals and load_refusals(self.path / traffic.refusals)
        units = list(self._units(paths_or_frames, format, mapping, progress))
        return ingest(self._store, units, progress, traffic.names(), refusals or None, goals)

    def _readable_settings(self) -> Settings:
        """What ``lab.toml`` says, without objectives where these cannot be read at all."""
        try:
            return self.settings
        except BadSettings:
            return read_settings(self.path / SETTINGS, without="slo")

    def _units(
        self,
        given: Iterable[Any],
        format: str | None,
        mapping: Mapping,
        progress: Progress | None,
    ) -> Iterator[Unit]:
        paths: list[Path] = []
        for item in given:
            if isinstance(item, str) and (found := fetcher(item)):
                source, name = found
                assert source.fetch
                for path in source.fetch(name, self.path / "fetched" / source.name, progress):
                    yield file_unit([path], source, mapping)
            elif isinstance(item, str | os.PathLike):
                paths.append(Path(item))
            else:
                yield frame_unit(item, mapping, format)
        for path in walk(paths):
            try:
                source = source_named(format) if format else recognise(path)
                if source is None:
                    yield unknown_unit(path)
                elif parts := source.parts(path) or ([path] if format else []):
                    yield file_unit(parts, source, mapping)
            except OSError as error:
                yield unknown_unit(path, f"cannot be opened: {error.strerror}")

    @property
    def as_of(self) -> datetime:
        """The second of the newest ingest shown; now, where there is none."""
        newest = self._store.listed()["at"].max()
        moment = newest if isinstance(newest, datetime) else datetime.now(UTC)
        return moment.replace(microsecond=0)

    def record(
        self,
        report: str,
        verdict: Verdict,
        parameters: dict[str, Any],
        as_of: datetime | None = None,
    ) -> None:
        """Append a verdict of a report, for its own time, to the ``verdicts`` table."""
        row = {
            "report": report,
            "as_of": as_of or self.as_of,
            "at": datetime.now(UTC),
            "status": verdict.status,
            "headline": verdict.headline,
            "evidence": compact(verdict.to_dict()["evidence"]),
            "lab_version": self.version,
            "parameters": compact(parameters),
        }
        self._store.append("verdicts", pl.DataFrame([row], schema=SCHEMAS["verdicts"]))

    def redaction_key(self) -> bytes | None:
        """The key of this lab's pseudonyms; None where reports show texts as they are.

        By default they are replaced where the lab holds traffic. The key is made at first use and
        stays in the lab's folder, or is what the variable ``AIOPS_LAB_REDACTION_KEY`` says.
        """
        wanted = self.settings.redact.on
        if wanted is None:
            wanted = any(map(self.holds, TRAFFIC))
        if not wanted:
            return None
        if given := os.environ.get("AIOPS_LAB_REDACTION_KEY"):
            return given.encode()
        path = self.path / ".redaction-key"
        if not path.exists():
            # only its owner may read it
            with (
                writing(path, "set AIOPS_LAB_REDACTION_KEY"),
                tempfile.NamedTemporaryFile(dir=self.path) as file,
            ):
                file.write(secrets.token_bytes(32))
                file.flush()
                with suppress(FileExistsError):
                    path.hardlink_to(file.name)
        return path.read_bytes()

    def sweep(self) -> int:
        """Delete what killed ingests left behind more than a day ago; returns the rows deleted."""
        return self._store.sweep()


def open_lab(path: str | os.PathLike[str] | None = None) -> Lab:
    """Open the lab in a folder, making it (with a commented ``lab.toml``) if it is not there.

    Without a path, the folder in the environment variable ``AIOPS_LAB``, else the demo lab.
    ``my-lab@12`` is the lab as it was at version 12.

    Examples
    --------
    >>> import tempfile
    >>> lab = open_lab(tempfile.mkdtemp())
    >>> lab.runs().height
    0
    """
    path = path or os.environ.get("AIOPS_LAB")
    return _opened(path, TEMPLATE) if path else demo_lab()


def _opened(path: str | os.PathLike[str], template: str) -> Lab:
    folder = Path(path)
    if SCHEME.match(str(path)):
        told = "is an address, and a lab is a folder: mount it, or name it there as uri of [store]"
        raise LabError(f"{str(path)!r} {told}")
    if (pinned := PINNED.fullmatch(str(path))) and not folder.exists():
        if not Path(pinned[1]).is_dir():
            raise BadSettings(f"there is no lab in {pinned[1]!r} to be seen at version {pinned[2]}")
        return _opened(pinned[1], template).at(int(pinned[2]))
    if folder.exists() and not folder.is_dir():
        raise LabError(f"{str(folder)!r} is a file; a lab is a folder")
    if UNSTORABLE.search(str(folder.absolute())):
        raise LabError(
            f"tables cannot be stored below {str(folder)!r}: avoid [ ], %20 and what is no text in "
            "names"
        )
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / SETTINGS
    if not settings.exists() and not (folder / "tables").exists():
        write_text(settings, template)
    return Lab(folder)


def cache_folder() -> Path:
    """What can be made again is kept here."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiops-lab"


def demo_lab(path: str | os.PathLike[str] | None = None, progress: Progress | None = None) -> Lab:
    """The demo lab, by default in the cache: eval logs, and simulated traffic and decisions."""
    folder = Path(path or cache_folder() / "demo")
    lab = _opened(folder, TEMPLATE + DEMO_GATE)
    lab.ingest(shipped("logs"), progress=progress)
    traffic, payments = folder / "traffic", folder / "payments"
    simulated = ((traffic, "traffic", ["--every"]), (payments, "decisions", []))
    for place, told, options in simulated:
        if not (place / "truth.json").exists():
            with writing(place), FileLock(folder / ".lock"):  # of two at once one makes it
                _simulate(place, told, options, progress)
    files = [*sorted(traffic.glob("*.zst")), traffic / "changes.csv"]
    files += [payments / "training.csv", payments / "decisions.csv"]
    lab.ingest(*files, progress=progress)
    return lab


def _simulate(place: Path, told: str, options: list[str], progress: Progress | None) -> None:
    if (place / "truth.json").exists():
        return
    if progress:
        progress(f"{told} (simulated)", 0, 1)
    program = shipped(place.name) / "simulate.py"
    command = [sys.executable, str(program), str(place), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise LabError(f"the {told} of the demo lab could not be simulated into {place}: {why}")
