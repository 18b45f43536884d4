"""A foreign server's API, page by page: asked again where it fails, gone on with where it was left.

Every answer is kept in a folder until the fetch is complete, so that one that was killed asks only
for what it had not got.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec

from aiops_lab.errors import BadSettings, BadSource, LabError
from aiops_lab.sources.jsonio import compact, decode
from aiops_lab.tables import digest

Record = dict[str, Any]
PAGE = 100
"""Records asked for at once."""
TRIES, LONGEST_WAIT = 6, 60.0
READINGS = 5
"""How often a listing that changes while it is read is read again."""
RESUMABLE = 86_400
"""Seconds for which the pages of a fetch that was killed are used."""
ANSWERS = msgspec.json.Decoder(dict[str, Any])


class Server:
    """One server, asked on behalf of one fetch.

    Parameters
    ----------
    product, url
        What it is and where, for messages.
    send
        ``send(path, asked)`` makes one request and returns the response of httpx.
    kept
        The folder for its answers.
    wait
        What sleeps between tries.
    """

    def __init__(
        self,
        product: str,
        url: str,
        send: Callable[[str, Record], Any],
        kept: Path,
        wait: Callable[[float], None],
    ) -> None:
        self.url, self.kept = url, kept
        self._product, self._send, self._wait = product, send, wait
        if kept.is_dir() and time.time() - kept.stat().st_mtime > RESUMABLE:
            self.forget()
        kept.mkdir(parents=True, exist_ok=True)

    def forget(self) -> None:
        shutil.rmtree(self.kept, ignore_errors=True)

    def get(
        self, path: str, absent: Collection[int] = (404,), turn: int = 0, **asked: Any
    ) -> Record | None:
        """An answer, or None where there is none; `turn` asks for the same a further time."""
        file = self.kept / f"{digest(compact([path, asked, turn]))}.json"
        if file.is_file():
            return decode(file.read_bytes(), ANSWERS)
        answer = self._ask(path, absent, asked)
        if answer is not None:
            write(file, [compact(answer)])
        return answer

    def _ask(self, path: str, absent: Collection[int], asked: Record) -> Record | None:
        from httpx import HTTPError

        told = ""
        for attempt in range(TRIES):
            pause = 2.0**attempt
            try:
                answer = self._send(path, asked)
            except HTTPError as error:
                told = f"{type(error).__name__}: {error}"
            else:
                told = f"{answer.status_code} {answer.text[:200]}"
                if answer.status_code == 200:
                    try:
                        return decode(answer.content, ANSWERS)
                    except BadSource as error:
                        raise self._none(f"{path}: {error}") from None
                if answer.status_code in absent:
                    return None
                if answer.status_code in (401, 403):
                    raise BadSettings(f"{self.url} refuses the keys for {path}: {told}")
                if answer.status_code not in (408, 429) and answer.status_code < 500:
                    raise LabError(f"{self.url} refuses {path}: {told}")
                after = answer.headers.get("retry-after", "")
                pause = float(after) if re.fullmatch(r"\d{1,6}(\.\d+)?", after) else pause
            if attempt < TRIES - 1:
                self._wait(min(pause, LONGEST_WAIT))
        raise LabError(f"{self.url} did not answer {path}: {told}; run it again to go on from here")

    def _none(self, why: str) -> LabError:
        return LabError(f"{self.url} is no {self._product}: {why}")

    def pages(
        self,
        path: str,
        numbered: bool = False,
        absent: Collection[int] = (404,),
        turn: int = 0,
        **asked: Any,
    ) -> Iterator[list[Record] | None]:
        """The pages of a listing one by one; a mere None where the server has no such listing."""
        position: Record | None = {"page": 1} if numbered else {}
        seen: list[Record] = []
        while position is not None:
            if position in seen:
                raise self._none(f"the pages of {path} go in a circle")
            seen.append(position)
            answer = self.get(path, absent, turn, **{"limit": PAGE, **position, **asked})
            if answer is None:
                yield None
                return
            data = answer.get("data")
            if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
                raise self._none(f"{path} lists nothing")
            yield data
            position = _next(position, answer, bool(data))

    def listing(
        self, path: str, numbered: bool = False, absent: Collection[int] = (404,), **asked: Any
    ) -> list[Record] | None:
        """All records of a listing, each once; None where the server has no such listing.

        A cursor goes on behind the record it names. Numbered pages shift when records come or
        go meanwhile, so that more than one are read until two readings agree.
        """
        before: list[str] | None = None
        for turn in range(READINGS):
            found, count = dict[str, Record](), 0
            for page in self.pages(path, numbered, absent, turn, **asked):
                if page is None:
                    return None
                found |= {str(record.get("id")): record for record in page}
                count += 1
            if not numbered or count == 1 or list(found) == before:
                return list(found.values())
            before = list(found)
        self.forget()
        raise LabError(f"{path} on {self.url} keeps changing while it is read; try again later")


def _next(position: Record, answer: Record, more: bool) -> Record | None:
    """Where the next page is, if there is one."""
    meta = answer.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    if "page" in position:
        last = position["page"] >= (meta.get("totalPages") or 0)
        return None if last or not more else {"page": position["page"] + 1}
    cursor = meta.get("cursor") or answer.get("next_cursor")
    return {"cursor": cursor} if cursor and more else None


def quoted(name: str) -> str:
    """A name as one part of a path; dots too, which would climb it."""
    return quote(name, safe="").replace(".", "%2E")


def write(path: Path, texts: Iterable[str], scratch: Path | None = None) -> None:
    """Write lines to a file that is whole or not there."""
    scratch = scratch or path.parent
    scratch.mkdir(parents=True, exist_ok=True)
    draft = scratch / f"{uuid4().hex}.tmp"
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{text}\n" for text in texts)
    draft.replace(path)
