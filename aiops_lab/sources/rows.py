"""Collecting rows of canonical tables while a file is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any

import msgspec
import polars as pl
from msgspec import Meta, Raw

from aiops_lab.errors import BadSource
from aiops_lab.sources.contract import Batch, Problem
from aiops_lab.sources.jsonio import T, decode
from aiops_lab.tables import NO_TIME, SCHEMAS, digest, in_utc

Count = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that a table can hold."""
BATCH_ROWS = 20_000
BATCH_CHARACTERS = 64 * 2**20
SHORT = 1_024
"""Longest metadata value kept in a table, in characters; the whole is in the source."""


@contextmanager
def noting(note: Callable[[str, str], None], place: str, shape: str = "") -> Iterator[None]:
    """What cannot be read within is noted; so is any record of another than a named shape."""
    try:
        yield
    except BadSource as error:
        note(place if error.place == "file" else error.place, error.reason)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if not shape:
            raise
        note(place, f"not the shape of {shape}: {error!r:.200}")


class Rows:
    """Rows gathered as dictionaries, made into frames a batch at a time, and what is no row."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._count = self._characters = 0

    def add(self, table: str, **values: Any) -> None:
        """Add one row; columns not given are null."""
        self._rows[table].append(values)
        self._count += 1
        if table == "samples":
            self._characters += len(values.get("input") or "") + len(values.get("output") or "")

    def artefact(self, artefact: str, text: str, version: str | None = None) -> None:
        """Add the text of a prompt or configuration under its digest."""
        mark = digest(text)
        self.add(
            "artefacts", artefact=artefact, version=version or mark[:12], digest=mark, content=text
        )

    def problem(self, place: str, reason: str) -> None:
        """Note what could not be read."""
        self.problems.append(Problem(place, reason))

    def each(
        self, raws: Iterable[tuple[str, Raw | bytes]], decoder: msgspec.json.Decoder[T]
    ) -> Iterator[tuple[str, T]]:
        """Those that can be decoded, with their places."""
        for place, raw in raws:
            with noting(self.problem, place):
                yield place, decode(raw, decoder, place)

    @property
    def full(self) -> bool:
        """Whether it is time to hand over a batch."""
        return self._count >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS

    def batch(self, runs: Sequence[dict[str, Any]] = ()) -> Batch:
        """Hand over what was gathered and start again."""
        tables = {
            table: pl.DataFrame(
                {name: [row.get(name) for row in rows] for name in SCHEMAS[table]},
                schema=SCHEMAS[table],
            )
            for table, rows in self._rows.items()
        }
        batch = Batch(tables, self.problems, tuple(runs))
        self.__init__()
        return batch


def run_summary(
    run_id: str, answers: int | None, finished: bool, ended_at: datetime | None
) -> dict[str, Any]:
    """What decides which of several files of one run is shown; no number of answers: all."""
    return {
        "run_id": run_id,
        "complete": answers if finished or answers is None else answers - 2**40,
        "ended_at": ended_at,
    }


def thin(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata without long values: long texts are cut, large structures left to the source."""
    kept = {}
    for key, value in metadata.items():
        if isinstance(value, str):
            kept[key] = value if len(value) <= SHORT else value[:SHORT] + "…"
        elif not isinstance(value, dict | list) or len(str(value)) <= SHORT:
            kept[key] = value
    return kept


def when(text: Any) -> datetime | None:
    """An ISO time as UTC; a time without a zone is taken as UTC, nonsense as missing."""
    try:
        if isinstance(text, int | float):
            found = datetime.fromtimestamp(text, UTC)
        else:
            found = in_utc(datetime.fromisoformat(text))
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return found if NO_TIME[0] < found < NO_TIME[1] else None


def number(value: Any) -> float | None:
    """A finite number, or missing: NaN and infinities are not scores."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if isfinite(found) else None
