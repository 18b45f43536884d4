"""What need not be worked out again: vectors by the text's digest, hits by what made them.

Files are written whole, with their digest, and never changed: a killed run loses only what it had
not written yet, several may run at once, and a damaged file is worked out again.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.search import Floats, batches, vectors_of

PROBES = (
    "Which ferry sails first on a Tuesday?",
    " ".join(f"Quay {number} opens at {number % 24}:{number % 60:02d}." for number in range(400)),
)
"""Embedded anew each time, a short text and a long one: other vectors mean another model."""
ALIKE = 0.999
"""The cosine of two vectors of one text by one model, which may compute a little differently."""
BATCH = 128
WRITE_AFTER = 4096
"""So many new vectors are written at once."""
DIGEST = 16
Told = Callable[[int, int], None]


class Vectors:
    """The vectors of one embedder, kept in a folder.

    Parameters
    ----------
    name
        The embedder's name.
    embed
        Texts to vectors, of shape (n, dimensions).
    folder
        Where they are kept; in memory only if None.
    """

    def __init__(self, name: str, embed: Callable[[list[str]], Any], folder: Path | None) -> None:
        self.name = name
        self._embed = embed
        self._known: dict[bytes, int] = {}
        self._rows: list[Floats] = []
        self._new: list[bytes] = []
        self.key, self._folder = "", None
        probes = self._ask(list(PROBES))
        if folder is not None:
            self.key, self._folder = _opened(folder / digest_of([name]), probes)
            self._load(self._folder, probes.shape[1])

    def of(self, texts: Sequence[str], told: Told | None = None) -> Floats:
        """The vectors of some texts; each different text is embedded once, ever."""
        keys = [_digest(text.encode()) for text in texts]
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._known
        }
        done, order = 0, list(missing)
        try:
            for part in batches([missing[key] for key in order], BATCH):
                rows = self._ask(part)
                for key, row in zip(order[done : done + len(part)], rows, strict=True):
                    self._known[key] = len(self._rows)
                    self._rows.append(row)
                    self._new.append(key)
                done += len(part)
                if told:
                    told(done, len(order))
                if len(self._new) >= WRITE_AFTER:
                    self._write()
        finally:  # also when interrupted: what is paid for is kept
            self._write()
        if not keys:
            return np.empty((0, 0), np.float32)
        return np.stack([self._rows[self._known[key]] for key in keys])

    def _ask(self, texts: list[str]) -> Floats:
        given = self._embed(texts)
        named = f"embedder {self.name!r}"
        rows = vectors_of(_numbers(given), named)
        if len(rows) != len(texts):
            raise BadSettings(f"{named} gave {len(rows)} vectors for {len(texts)} texts")
        if self._rows and rows.shape[1] != self._rows[0].size:
            have = self._rows[0].size
            raise BadSettings(f"{named} gave {rows.shape[1]} dimensions after {have}")
        return rows

    def _load(self, folder: Path, dimensions: int) -> None:
        for path in sorted(folder.glob("*.vectors")):
            if (data := _read(path)) is None:
                continue
            width = DIGEST + 4 * dimensions
            if len(data) % width:
                continue
            table = np.frombuffer(data, np.uint8).reshape(-1, width)
            rows = np.ascontiguousarray(table[:, DIGEST:]).view("<f4").astype(np.float32)
            for key, row in zip(table[:, :DIGEST], rows, strict=True):
                self._known.setdefault(key.tobytes(), len(self._rows))
                self._rows.append(row)

    def _write(self) -> None:
        if self._folder is not None and self._new:
            rows = (self._rows[self._known[key]].astype("<f4").tobytes() for key in self._new)
            data = b"".join(key + row for key, row in zip(self._new, rows, strict=True))
            _keep(self._folder / f"{uuid4().hex}.vectors", data)
        self._new.clear()


def _opened(folder: Path, probes: Floats) -> tuple[str, Path]:
    """The folder of an embedder's vectors: one whose probes are alike, else a new one."""
    for path in sorted(folder.glob("*/probes")):
        kept = np.frombuffer(_read(path) or b"", "<f4")
        if kept.size != probes.size:
            continue
        other = kept.reshape(probes.shape)
        lengths = np.linalg.norm(probes, axis=1) * np.linalg.norm(other, axis=1)
        same = bool((lengths > 0).all()) and bool(
            ((probes * other).sum(axis=1) >= ALIKE * lengths).all()
        )
        if same or np.array_equal(probes, other):
            return path.parent.name, path.parent
    place = folder / uuid4().hex
    _keep(place / "probes", probes.astype("<f4").tobytes())
    return place.name, place


def _numbers(given: Any) -> Any:
    """What an embedder gave, as rows of numbers: arrays and tensors of other libraries too."""
    if isinstance(given, np.ndarray):
        return given
    if hasattr(given, "tolist"):
        return given.tolist()
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else given


def kept_hits(
    folder: Path | None, key: Sequence[str], make: Callable[[], pl.DataFrame]
) -> pl.DataFrame:
    """Hits that were found before, else found now and kept.

    Parameters
    ----------
    key
        All that they depend on: texts, questions, method, depth.
    """
    if folder is None:
        return make()
    path = folder / f"{digest_of(key)}.hits"
    if path.is_file() and (data := _read(path)) is not None:
        return pl.read_parquet(io.BytesIO(data))
    found, data = make(), io.BytesIO()
    found.write_parquet(data)
    _keep(path, data.getvalue())
    return found


def digest_of(texts: Iterable[str]) -> str:
    """One digest of many texts and their order."""
    made = hashlib.blake2b(digest_size=DIGEST)
    for text in texts:
        data = text.encode()
        made.update(len(data).to_bytes(8, "little"))
        made.update(data)
    return made.hexdigest()


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def _read(path: Path) -> bytes | None:
    """What a file holds behind its digest; None where it is damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[DIGEST:] if _digest(data[DIGEST:]) == data[:DIGEST] else None


def _keep(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(_digest(data) + data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise BadSettings(f"the cache cannot be written: {error}; give another folder") from None
