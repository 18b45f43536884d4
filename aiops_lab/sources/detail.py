"""The whole of one answer, opened in its source when someone asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec

from aiops_lab.errors import BadSource
from aiops_lab.sources.archive import Archive
from aiops_lab.sources.jsonio import Buffer, decode, lines, mapped

ANYTHING = msgspec.json.Decoder(Any)
OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
LIST = msgspec.json.Decoder(list[msgspec.Raw])


def read_detail(uri: str) -> dict[str, Any]:
    """The record at a ``detail_uri``: a member of an archive, a JSON pointer, or a line.

    Raises
    ------
    BadSource
        The source is gone, or holds no such record any more.
    """
    address, _, place = uri.partition("#")
    path = Path(url2pathname(urlsplit(address).path))
    if not path.is_file():
        raise BadSource(f"the source {path.name} is gone")
    if place.startswith("/"):
        found = _pointed(path, place)
    elif place.startswith("line "):
        number = int(place.removeprefix("line "))
        data = next((line for at, line in lines(path) if at == number), None)
        found = None if data is None else decode(data, ANYTHING, place)
    elif place.startswith("row "):
        raise BadSource("the lab holds all of a table's row")
    else:
        with Archive(path) as archive:
            found = decode(archive.read(place), ANYTHING, place) if place in archive else None
    if not isinstance(found, dict):
        raise BadSource(f"{path.name} holds no record at {place}")
    return found


def _pointed(path: Path, pointer: str) -> Any:
    """The value at a JSON pointer, without decoding what lies beside the way."""
    value: Buffer | msgspec.Raw = mapped(path)
    for step in pointer.split("/")[1:]:
        if step.isdigit():
            items = decode(value, LIST, pointer)
            found = items[int(step)] if int(step) < len(items) else None
        else:
            found = decode(value, OBJECT, pointer).get(step)
        if found is None:
            return None
        value = found
    return decode(value, ANYTHING, pointer)
