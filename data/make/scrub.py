"""Make paths in logged tracebacks relative, so that logs carry nothing of one machine.

Only members that hold such a path are changed; order and compression stay as written.
Run as ``python scrub.py LOG...`` with the packages of ``inspect-ai`` installed.
"""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from pathlib import Path

import zipfile_zstd  # noqa: F401  (teaches zipfile the Zstandard method)

# ".../lib/python3.11/site-packages/x.py" and any script directly below a working folder
LIBRARY = re.compile(rb"(?:/[\w.\-]+)+/lib/python3\.\d+/(?:site-packages/)?")
SCRIPT = re.compile(rb"(?:/[\w.\-]+)+/((?:\\u001b\[[\d;]*m)*make_\w+\.py)")


def scrub(content: bytes) -> bytes:
    """Return ``content`` with absolute source paths shortened to relative ones."""
    return SCRIPT.sub(rb"\1", LIBRARY.sub(b"", content))


def scrub_file(path: Path) -> None:
    """Rewrite one ``.eval`` or text log in place, if it needs it."""
    if path.suffix != ".eval":
        path.write_bytes(scrub(path.read_bytes()))
        return
    with zipfile.ZipFile(path) as log:
        members = [(info, log.read(info)) for info in log.infolist()]
    if all(scrub(content) == content for _, content in members):
        return
    draft = path.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w") as log:
        for info, content in members:
            log.writestr(info.filename, scrub(content), compress_type=info.compress_type)
    shutil.move(draft, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        scrub_file(Path(name))
