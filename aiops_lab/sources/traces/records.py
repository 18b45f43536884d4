"""The records of a trace file, one at a time: lines, printed objects, or messages with lengths.

The collector's file exporter writes a JSON document a line, or messages behind their lengths in
four bytes (protobuf; JSON too where it packs each message with zstd by itself), or packs the whole
file. What one call sends is a message without its length. The Python SDK prints an object over many
lines, one after another.
"""

from __future__ import annotations

import codecs
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import zstandard

from aiops_lab.errors import BadSource
from aiops_lab.sources.archive import TOTAL_FLOOR, TOTAL_RATIO, decompressor
from aiops_lab.sources.jsonio import decode

Note = Callable[[str, str], None]
"""Takes the place and the reason of what could not be read."""
LONGEST = 128 * 2**20
"""Longest record read, in bytes."""
ZSTD = b"\x28\xb5\x2f\xfd"
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb": "utf-8-sig"}
PIECE = 1024
"""Compressed bytes taken at once: a block of four may expand to 128 KiB."""
TRIES = 20
KEY = re.compile(rb'"((?:[^"\\]|\\.)*+)"?\s*(:)?|[{}\[\]]')
WRAPPER = re.compile(rb'\s*(?:\{\s*"(?:data|spans|traces)"\s*:\s*\[|\[)?\s*\{')
OBJECTS = msgspec.json.Decoder(dict[str, Any])
STARTS = 256 * 2**10


def records(path: Path, note: Note) -> Iterator[tuple[str, bytes]]:
    """The records of a file with the place of each; what cannot be read is noted."""
    with path.open("rb", 2**20) as file:
        size = path.stat().st_size
        stream: Any = file
        if stream.peek(4)[:4] == ZSTD:
            parts = unpacked(file, max(TOTAL_FLOOR, TOTAL_RATIO * size))
            stream = io.BufferedReader(_Parts(parts), 2**20)
        try:
            start = stream.peek(4)[:2]
            if start in BOMS:
                stream = codecs.EncodedFile(stream, "utf-8", BOMS[start], "replace")
            if is_bare(stream.peek(16)[:16], math.inf if stream is not file else size):
                data = stream.read(LONGEST + 1)
                yield from _record("message 1", [data], len(data), note)
            elif _text(start) or start in BOMS:
                yield from _objects(stream, note)
            else:
                yield from _messages(stream, note)
        except BadSource as error:
            note(error.place, error.reason)


def beginning(head: bytes) -> bytes:
    """The first bytes of a file unpacked: up to a MiB of the text or the messages it holds."""
    if head[:4] == ZSTD:
        parts: list[bytes] = []
        with suppress(BadSource):  # the file may be cut off or damaged later
            parts.extend(unpacked(io.BytesIO(head), 2**20))
        head = b"".join(parts)
    head = head.removeprefix(b"\xef\xbb\xbf")
    if head[4:8] == ZSTD and not _text(head[:1]):
        held = beginning(head[4 : 4 + int.from_bytes(head[:4], "big")])
        return len(held).to_bytes(4, "big") + held
    return head


def is_bare(head: bytes, size: float) -> bool:
    """Whether a message begins here without its length, and no text with empty lines."""
    return begins(head, size) and head.lstrip()[:1] not in (b"{", b"[")


def begins(head: bytes, size: float, depth: int = 2) -> bool:
    """Whether a message of so many bytes begins with its field 1, and that with its field 1 or 2,
    none longer than what holds it."""
    if not head or head[0] not in ((0x0A,) if depth == 2 else (0x0A, 0x12)):
        return False
    at = length = shift = 0
    for at in range(1, min(len(head), 6)):
        length |= (head[at] & 0x7F) << shift
        shift += 7
        if head[at] < 0x80:
            break
    if at + 1 + length > size:
        return False
    return depth == 1 or begins(head[at + 1 :], length, depth - 1)


def first_keys(head: bytes) -> set[str]:
    """The keys of the first object, or of the first in a list or in ``{"data": [...]}``."""
    start = WRAPPER.match(head)
    if not start:
        return set()
    found, depth = set[str](), 1
    for token in KEY.finditer(head, start.end(), STARTS):
        if token[2] and depth == 1:
            found.add(token[1].decode("utf-8", "replace"))
        elif not token[2] and token[1] is None:
            depth += 1 if token[0] in b"{[" else -1
        if depth == 0:
            break
    return found


def unpacked(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """What zstd frames hold, piece by piece.

    Raises
    ------
    BadSource
        Damaged, cut off, or more than `limit` bytes.
    """
    zstd, total = decompressor(), 0
    frame = zstd.decompressobj()
    while data := file.read(PIECE):
        while data:
            if frame.eof:
                frame = zstd.decompressobj()
            try:
                out = frame.decompress(data)
            except zstandard.ZstdError as error:
                raise BadSource(f"damaged after {total} bytes: {error}", f"byte {total}") from None
            data = frame.unused_data if frame.eof else b""
            total += len(out)
            if total > limit:
                raise BadSource(f"expands to more than {limit >> 20} MiB", f"byte {total}")
            if out:
                yield out
    if not frame.eof:
        raise BadSource(f"cut off after {total} bytes", f"byte {total}")


def salvaged(data: bytes, start: re.Pattern[str]) -> tuple[list[dict[str, Any]], bytes]:
    """The whole objects in what is not JSON as a whole, each beginning as `start` says.

    And what is left when they are taken out; nothing, where they merely follow each other.
    """
    text, end, failed = data.decode("utf-8", "replace"), 0, 0
    found: list[dict[str, Any]] = []
    left: list[str] = []
    for match in start.finditer(text):
        if match.start() < end:
            continue
        try:
            _, stop = json.JSONDecoder().raw_decode(text, match.start())
            whole = text[match.start() : stop].encode("utf-8", "replace")
            found.append(decode(whole, OBJECTS))
        except (ValueError, RecursionError, BadSource):
            failed += 1
            if failed > TRIES:
                break
        else:
            left.append(text[end : match.start()])
            end = stop
    return found, "".join([*left, text[end:]]).strip(" \r\n\t,[]").encode("utf-8", "replace")


class _Parts(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._left = parts, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(next(self._parts, b""))
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def _text(start: bytes) -> bool:
    return start[:1] in (b"{", b"[", b" ", b"\t", b"\r", b"\n")


def _objects(stream: Any, note: Note) -> Iterator[tuple[str, bytes]]:
    """A record begins at each line that begins with a brace, and behind one that is a whole line.

    No text in JSON has an end of line within it, so what is printed over many lines is indented.
    """
    lines: list[bytes] = []
    broken: BadSource | None = None
    number, begun, size, whole = 0, 1, 0, True
    while broken is None:
        try:
            line = stream.readline(LONGEST + 1)
        except BadSource as error:  # the record before is whole
            line, broken = b"", error
        if not line:
            break
        number += whole
        one = len(lines) == 1 and size > 2 and lines[0].endswith((b"}\n", b"}\r\n"))
        if whole and (one or line[:1] in (b"{", b"[")):
            yield from _record(f"line {begun}", lines, size, note)
            lines, size, begun = [], 0, number
        size += len(line)
        if size <= LONGEST and (lines or line.strip()):
            lines.append(line)
        elif size > LONGEST:
            lines = lines[:1]
        whole = line.endswith(b"\n")
    yield from _record(f"line {begun}", lines, size, note)
    if broken:
        raise broken


def _record(place: str, lines: list[bytes], size: int, note: Note) -> Iterator[tuple[str, bytes]]:
    if size > LONGEST:
        note(place, f"a record longer than {LONGEST >> 20} MiB")
    elif lines:
        yield place, b"".join(lines)


def _messages(stream: Any, note: Note) -> Iterator[tuple[str, bytes]]:
    number = 0
    while head := stream.read(4):
        number += 1
        place, length = f"message {number}", int.from_bytes(head, "big")
        if len(head) < 4 or length > LONGEST:
            raise BadSource(f"no message begins here; what follows {place} is not read", place)
        data = stream.read(length)
        if len(data) < length:
            raise BadSource(f"cut off: {len(data)} of {length} bytes", place)
        try:
            if data[:4] == ZSTD:
                data = b"".join(unpacked(io.BytesIO(data), LONGEST))
        except BadSource as error:
            note(place, error.reason)
        else:
            yield place, data
