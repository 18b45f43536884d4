"""Reading ZIP members safely, with the compression methods that real logs use."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import zstandard

from aiops_lab.errors import BadSource

MEMBER_LIMIT = 256 * 2**20
"""Largest member accepted, in bytes after decompression."""
TOTAL_FLOOR, TOTAL_RATIO = 2**30, 200
"""All members together may expand to the larger of 1 GiB and 200 times the file."""


def decompressor() -> zstandard.ZstdDecompressor:
    """One for each reader: shared by two threads it ends the process (zstandard's contract)."""
    return zstandard.ZstdDecompressor(max_window_size=2**27)


class Archive:
    """The members of a ZIP file, never extracted to disk.

    `zipfile` finds them (it cannot read method 93 before Python 3.14); the bytes are decompressed
    here, with a bound on what comes out and the checksum verified. Names are only labels.

    Raises
    ------
    BadSource
        Not a ZIP file, or a member that is damaged, encrypted, or expands beyond the limits.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self._zstd = decompressor()
        self._size = path.stat().st_size
        self._budget = max(TOTAL_FLOOR, TOTAL_RATIO * self._size)
        try:
            # later entries of one name replace earlier ones, as the tools that write them do
            with zipfile.ZipFile(self._file) as directory:
                self._members = {info.filename: info for info in directory.infolist()}
        except (
            zipfile.BadZipFile,
            ValueError,
            OSError,
            NotImplementedError,
            struct.error,
        ) as error:
            self._file.close()
            raise BadSource(f"not a complete ZIP file: {error}") from None

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """The names of all members, in the order of the directory."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """The content of one member."""
        info = self._members[name]
        if info.flag_bits & 0x1:
            raise BadSource("encrypted", name)
        raw = self._raw(info)
        limit = min(MEMBER_LIMIT, self._budget)
        try:
            data = _decompress(raw, info, limit + 1, self._zstd)
        except (zlib.error, zstandard.ZstdError, EOFError) as error:
            raise BadSource(f"damaged: {error}", name) from None
        if len(data) > limit:
            raise BadSource(f"expands to more than {limit >> 20} MiB", name)
        if zlib.crc32(data) != info.CRC:
            raise BadSource("damaged: the checksum does not match", name)
        self._budget -= len(data)
        return data

    def _raw(self, info: zipfile.ZipInfo) -> bytes:
        self._file.seek(info.header_offset)
        local = self._file.read(30)
        if len(local) < 30 or local[:4] != b"PK\x03\x04":
            raise BadSource("damaged: no member where the directory says", info.filename)
        name_length, extra_length = struct.unpack("<HH", local[26:30])
        start = info.header_offset + 30 + name_length + extra_length
        if start + info.compress_size > self._size:
            raise BadSource("truncated", info.filename)
        self._file.seek(start)
        return self._file.read(info.compress_size)


def _decompress(
    raw: bytes, info: zipfile.ZipInfo, limit: int, zstd: zstandard.ZstdDecompressor
) -> bytes:
    """The member decompressed: at most `limit` bytes of it, whatever the directory claims."""
    match info.compress_type:
        case 0:
            return raw[:limit]
        case 8:
            return zlib.decompressobj(-15).decompress(raw, limit)
        case 93:
            return _unzstd(raw, min(info.file_size, limit), limit, zstd)
    raise BadSource(f"compressed with method {info.compress_type}", info.filename)


def _unzstd(raw: bytes, expected: int, limit: int, zstd: zstandard.ZstdDecompressor) -> bytes:
    """One frame in one step; where there are several (Inspect cuts long members), as a stream."""
    if zstandard.frame_content_size(raw) == expected:
        return zstd.decompress(raw, max_output_size=expected)
    reader = zstd.stream_reader(io.BytesIO(raw), read_across_frames=True)
    chunks = []
    while limit and (chunk := reader.read(min(limit, 2**20))):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)
