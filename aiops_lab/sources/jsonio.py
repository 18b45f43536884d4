"""Reading JSON that others wrote: fast where it is clean, exact where it is not."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from aiops_lab.errors import BadSource

T = TypeVar("T")
Buffer = bytes | mmap.mmap | memoryview

SLOW_LIMIT = 64 * 2**20
"""Largest document given to the standard library's decoder, in bytes."""
NOT_A_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)
LINE_LIMIT = 256 * 2**20
"""Longest line of a JSONL file, in bytes."""


def decode(data: Buffer | msgspec.Raw, decoder: msgspec.json.Decoder[T], place: str = "file") -> T:
    """Decode JSON into the decoder's type.

    msgspec refuses what the standard library accepts and real tools write, so where it fails,
    ``NaN`` and ``Infinity`` become null first; then, for documents of moderate size, the standard
    library decides (unpaired surrogates, UTF-16, numbers beyond 64 bits).

    Raises
    ------
    BadSource
        Not JSON, too deeply nested, not UTF-8, or of another shape.
    """
    try:
        return decoder.decode(data)
    except RecursionError:
        raise BadSource("nested too deeply", place) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        first = error
    data = bytes(data)
    try:
        if b"NaN" in data or b"Infinity" in data:
            data = NOT_A_NUMBER.sub(lambda m: m[0] if m[0][:1] == b'"' else b"null", data)
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                return decoder.decode(data)
        if len(data) > SLOW_LIMIT:
            raise BadSource(f"not the JSON expected here: {first}", place)
        return decoder.decode(msgspec.json.encode(_clean(json.loads(_text(data)))))
    except RecursionError:
        raise BadSource("nested too deeply", place) from None
    except UnicodeDecodeError as error:
        raise BadSource(f"not UTF-8 text: {error.reason} at byte {error.start}", place) from None
    except (ValueError, msgspec.MsgspecError) as error:
        reason = first if isinstance(first, msgspec.ValidationError) else error
        raise BadSource(f"not the JSON expected here: {reason}", place) from None


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _clean(value: Any) -> Any:
    """Replace what no table can hold: unpaired surrogates, integers beyond 64 bits."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case bool():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else None
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case list():
            return [_clean(item) for item in value]
    return value


def mapped(path: Path) -> Buffer:
    """The bytes of a file, mapped rather than read."""
    if path.stat().st_size == 0:
        raise BadSource("the file is empty")
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The non-empty lines of a file with their numbers, from 1."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            if len(line) > LINE_LIMIT:
                raise BadSource(f"a line longer than {LINE_LIMIT >> 20} MiB", f"line {number}")
            if line.strip():
                yield number, line


def compact(value: Any) -> str:
    """The canonical JSON text of plain data: sorted keys, no spaces; NaN as null."""
    return msgspec.json.encode(value, order="deterministic").decode()
