"""The values of OpenTelemetry in all their spellings, as plain ones."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from math import isfinite
from typing import Any

from msgspec import Struct, field

from aiops_lab.errors import BadSource
from aiops_lab.sources.rows import when

DEEPEST = 64
"""How deep an attribute may be nested."""
HEX = re.compile(r"(?:0x)?([0-9a-f]{32}|[0-9a-f]{16})", re.IGNORECASE)
SHAPES = {24: 16, 12: 8}
"""Length of an id in Base64 -> its length in bytes."""
LATEST = 2**63 - 1
STATUS: dict[Any, str] = {
    **dict.fromkeys((1, "1", "OK"), "ok"), **dict.fromkeys((2, "2", "ERROR"), "error"), 0: "unset",
}  # fmt: skip
WHOLE = re.compile(r"[+-]?\d{1,40}")


class AnyValue(Struct, rename="camel", gc=False):
    """A value as OTLP/JSON has it: one of these is set, or none, which is null."""

    string_value: str | None = None
    int_value: int | None = None
    double_value: float | None = None
    bool_value: bool | None = None
    bytes_value: str | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValues | None = None


class ArrayValue(Struct, gc=False):
    values: list[AnyValue] = []


class KeyValue(Struct, gc=False):
    key: str
    value: AnyValue = field(default_factory=AnyValue)


class KeyValues(Struct, gc=False):
    values: list[KeyValue] = []


def plain(value: AnyValue, depth: int = 0) -> Any:
    """The plain value of a decoded one; bytes stay in Base64.

    Raises
    ------
    BadSource
        It is nested too deeply.

    Examples
    --------
    >>> plain(AnyValue(int_value=12)), plain(AnyValue())
    (12, None)
    >>> plain(AnyValue(kvlist_value=KeyValues([KeyValue("a", AnyValue(bool_value=True))])))
    {'a': True}
    """
    for one in (value.string_value, value.int_value, value.double_value, value.bool_value):
        if one is not None:
            return one
    if depth > DEEPEST:
        raise BadSource("nested too deeply")
    if value.array_value is not None:
        return [plain(one, depth + 1) for one in value.array_value.values]
    if value.kvlist_value is not None:
        return {pair.key: plain(pair.value, depth + 1) for pair in value.kvlist_value.values}
    return value.bytes_value


def identity(value: Any) -> str | None:
    """An id as lower-case hexadecimal, from hexadecimal, ``0x…`` or Base64; any other as it is.

    Examples
    --------
    >>> identity("0xDDF23416137A736F"), identity("3fI0FhN6c28=")
    ('ddf23416137a736f', 'ddf23416137a736f')
    >>> identity("request-17"), identity(17), identity("")
    ('request-17', '17', None)
    """
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else str(value)
    if found := HEX.fullmatch(text):
        return found[1].lower()
    if (size := SHAPES.get(len(text))) and text.endswith("="):
        try:
            data = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            return text
        if len(data) == size:
            return data.hex()
    return text


def nanoseconds(value: Any) -> int | None:
    """A moment in nanoseconds since 1970: from them, larger units, or an ISO time.

    The unit of a number is told by its size, as only nanoseconds are before 1973 in the next.

    Examples
    --------
    >>> nanoseconds("1795596912669716935")
    1795596912669716935
    >>> nanoseconds(1795596912669) == nanoseconds("2026-11-25T08:55:12.669Z")
    True
    """
    if isinstance(value, str):
        if not WHOLE.fullmatch(value):
            found = when(value)
            return None if found is None else microseconds(found) * 1000
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    for limit, factor in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)):
        if 0 < value < limit:
            value *= factor
            break
    return whole if 0 < (whole := int(value)) <= LATEST else None


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 10**6 + moment.microsecond


def status(code: Any, failed: bool = False) -> str:
    """``ok``, ``error`` or ``unset``, from a number or a name; unset is an error where it failed.

    Examples
    --------
    >>> status(2), status("STATUS_CODE_OK"), status("Unset"), status(None, failed=True)
    ('error', 'ok', 'unset', 'error')
    """
    if isinstance(code, str):
        code = code.upper().rpartition("STATUSCODE.")[2].removeprefix("STATUS_CODE_")
    return STATUS.get(code) or ("error" if failed else "unset")
