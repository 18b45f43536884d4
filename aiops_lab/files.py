"""Files written wholly or not at all, and what is said where one cannot be."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiops_lab.errors import LabError

NUMBER = re.compile(r"\(os error (\d+)\)")
"""How Rust ends a message of the operating system."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def system_error(error: BaseException) -> int | None:
    """The number of what the operating system refused, also where Rust tells it in words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = NUMBER.search(str(error))
    return int(found[1]) if found else None


@contextmanager
def writing(path: str | os.PathLike[str], instead: str = "name another place") -> Iterator[None]:
    """Within it, what the operating system refuses is an error that names `path`.

    Parameters
    ----------
    path
        What is written.
    instead
        What else can be done where this user may not write there.

    Raises
    ------
    LabError
        It cannot be written; the sentence says why, and what to do.
    """
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        number = system_error(error)
        if number in (None, errno.EEXIST):  # another process was first: who called knows what then
            raise
        todo = "run the same command again when it can"
        if number in NO_ROOM:
            todo = "make room and run the same command again"
        elif number in CLOSED:
            todo = f"allow this user to write there, or {instead}"
        raise LabError(f"{path} cannot be written: {os.strerror(number)}; {todo}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to be written, which then takes its place in one step.

    Where that fails nothing is left of it, and `path` is as it was. What is no plain file (a link,
    a terminal, a pipe) is written as it is.

    Raises
    ------
    LabError
        It cannot be written.
    """
    with writing(path):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            yield path
            return
        beside = path.with_name(f".{os.getpid()}-{secrets.token_hex(8)}")
        try:
            yield beside
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, so that nobody ever sees half of it.

    Examples
    --------
    >>> import tempfile
    >>> page = Path(tempfile.mkdtemp(), "page.html")
    >>> write_text(page, "<p>whole</p>")
    >>> page.read_text("utf-8")
    '<p>whole</p>'
    """
    with replacing(path) as beside:
        beside.write_text(text, "utf-8", "xmlcharrefreplace")
