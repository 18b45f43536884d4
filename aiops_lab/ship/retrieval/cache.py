"""What need not be worked out again: vectors by the text's digest, hits by what made them.

Files are written whole and never changed, so that a killed run loses only what it had not written
yet, and several may run at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.search import Floats, batches, vectors_of

PROBE = "Which ferry sails first on a Tuesday?"
"""Embedded anew each time: another vector than the kept one means another model."""
BATCH = 128
WRITE_AFTER = 4096
"""So many new vectors are written at once."""
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

    def __init__(
        self, name: str, embed: Callable[[list[str]], object], folder: Path | None
    ) -> None:
        self.name = name
        self._embed = embed
        self._known: dict[bytes, int] = {}
        self._rows: list[Floats] = []
        self._new: list[bytes] = []
        probe = self._ask([PROBE])[0]
        self.digest = hashlib.blake2b(probe.round(4).tobytes(), digest_size=8).hexdigest()
        self._folder = None if folder is None else folder / f"{_digest(name)[:16]}-{self.digest}"
        if self._folder is not None and self._folder.is_dir():
            self._load(self._folder, probe.size)

    def of(self, texts: Sequence[str], told: Told | None = None) -> Floats:
        """The vectors of some texts; each different text is embedded once, ever."""
        keys = [_text_digest(text) for text in texts]
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
        rows = vectors_of(np.asarray(_numbers(self.name, self._embed(texts))), "chunk")
        if len(rows) != len(texts):
            raise BadSettings(
                f"embedder {self.name!r} gave {len(rows)} vectors for {len(texts)} texts"
            )
        if self._rows and rows.shape[1] != self._rows[0].size:
            raise BadSettings(
                f"embedder {self.name!r} gave {rows.shape[1]} dimensions after {self._rows[0].size}"
            )
        return rows

    def _load(self, folder: Path, dimensions: int) -> None:
        for path in sorted(folder.glob("*.npz")):
            try:
                with np.load(path, allow_pickle=False) as kept:
                    keys, rows = kept["keys"], kept["rows"]
            except (OSError, ValueError, KeyError, BadZipFile):
                continue  # half a file, of a machine that went down: embedded again
            if rows.ndim == 2 and rows.shape == (len(keys), dimensions) and np.isfinite(rows).all():
                for key, row in zip(keys, rows, strict=True):
                    self._known.setdefault(key.tobytes(), len(self._rows))
                    self._rows.append(row)

    def _write(self) -> None:
        if self._folder is None or not self._new:
            self._new.clear()
            return
        keys = np.frombuffer(b"".join(self._new), np.uint8).reshape(len(self._new), -1)
        rows = np.stack([self._rows[self._known[key]] for key in self._new])
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / f"{uuid4().hex}.npz"
        unfinished = place.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(file, keys=keys, rows=rows)
        unfinished.replace(place)
        self._new.clear()


def _numbers(name: str, given: object) -> object:
    """What an embedder gave, as rows of numbers."""
    if hasattr(given, "tolist") and not isinstance(given, np.ndarray):
        given = given.tolist()  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(given, Sequence):
        sizes = {len(row) for row in given if hasattr(row, "__len__")}
        if len(sizes) > 1:
            raise BadSettings(
                f"embedder {name!r} gave vectors of {min(sizes)} and {max(sizes)} dimensions"
            )
    return given


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
    path = folder / f"{_digest(*key)}.parquet"
    if path.is_file():
        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError):
            pass  # half a file: found again
    found = make()
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{uuid4().hex}.part"
    found.write_parquet(unfinished)
    unfinished.replace(path)
    return found


def digest_of(texts: Iterable[str]) -> str:
    """One digest of many texts and their order."""
    made = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode()
        made.update(len(data).to_bytes(8, "little"))
        made.update(data)
    return made.hexdigest()


def _digest(*texts: str) -> str:
    return digest_of(texts)


def _text_digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
