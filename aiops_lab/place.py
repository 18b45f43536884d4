"""Where a lab's tables lie: below a folder of this machine, or below an address of S3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiops_lab.errors import LabError

ADDRESS = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?")
"""Plain names alone: any other is encoded by one library and not by the next."""
OPTIONS = {"aws_conditional_put": "etag", "max_retries": "4", "retry_timeout": "60s"}
"""Who commits second is told so by the server. Credentials and endpoint come from AWS_*."""
REASONS = {
    r"169\.254\.\d": "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    r"\b40[13] |AccessDenied": "access is denied; check the credentials and what they allow",
    r"NoSuchBucket": "there is no such bucket; make it first",
    r"scheme is not allowed": "the endpoint has no https; set AWS_ALLOW_HTTP=true if it is meant",
    r"(?i)connect|dns error|timed out": "the server does not answer; check AWS_ENDPOINT_URL",
}
"""What an error of the store says -> what it means, and what to do."""

Mark = tuple[int, int, int] | None


class Place:
    """The root of Delta tables.

    Parameters
    ----------
    root
        A folder, or an address such as ``s3://bucket/labs/answers``.
    """

    def __init__(self, root: Path | str) -> None:
        self.folder = root if isinstance(root, Path) else None
        self.options = None if self.folder else OPTIONS
        self._root = str(root).rstrip("/")

    def of(self, *names: str) -> str:
        """What lies below, as people and Parquet readers name it."""
        return "/".join((self._root, *names))

    def uri(self, table: str) -> str:
        """A table as deltalake names it."""
        return (self.folder / table).absolute().as_uri() if self.folder else self.of(table)

    def make(self, table: str) -> None:
        """Make the folder of a table; an object store has none."""
        if self.folder:
            (self.folder / table).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def reaching(self, table: str, done: str = "read") -> Iterator[None]:
        """Within it, what an object store refuses is one sentence that names the table."""
        try:
            yield
        except OSError as error:
            if self.folder:
                raise
            said = re.sub(r"[^ -~]|\[\d+m", "", str(error))
            why = next((REASONS[sign] for sign in REASONS if re.search(sign, said)), said[:300])
            raise LabError(f"{self.of(table)} cannot be {done}: {why}") from error

    def mark(self, table: str, version: int) -> Mark:
        """What tells a version from the same one of a table that was made anew in its folder."""
        try:
            found = (
                self.folder and (self.folder / table / "_delta_log" / f"{version:020}.json").stat()
            )
        except OSError:
            return None
        return (version, found.st_ino, found.st_mtime_ns) if found else None
