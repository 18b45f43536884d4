"""Markdown and XML that leave a lab: texts are redacted before a format's signs are escaped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SHARED: ContextVar[bytes | None] = ContextVar("shared", default=None)


@contextmanager
def sharing(key: bytes | None) -> Iterator[None]:
    """Within it, texts of others that go into Markdown and XML are redacted, see `shared`."""
    token = _SHARED.set(key or _SHARED.get())
    try:
        yield
    finally:
        _SHARED.reset(token)


def shared(text: str) -> str:
    """A text as it is handed on, before signs that mean something in a format are escaped.

    Examples
    --------
    >>> with sharing(b"key"):
    ...     shared("jo@example.com"), shared("plain")
    ('[email-44504a82]', 'plain')
    >>> shared("jo@example.com")
    'jo@example.com'
    """
    key = _SHARED.get()
    if key is None:
        return text
    from aiops_lab.redact import redact

    return redact(text, key)
