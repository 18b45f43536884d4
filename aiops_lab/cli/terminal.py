"""What a command shows: text, tables, one JSON object, progress, and the status it ends with."""

from __future__ import annotations

import errno
import json
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from aiops_lab.ingest import Progress
    from aiops_lab.lab import Lab

NAME, UNSEEN = 24, 160
"""Widths: of a name on a terminal, and of a line where there is none."""
FAILED, USAGE, INCONCLUSIVE, NOT_COMPUTED = 1, 2, 3, 4
READER_GONE = 141
"""What a shell says of a program whose reader ended first: `aiops-lab status | head -1`."""


def print_json(answer: dict[str, Any], lab: Lab) -> None:
    """One JSON object on stdout, which others read: redacted as reports are."""
    from aiops_lab.redact import redacted

    key = lab.redaction_key()
    print(json.dumps(answer if key is None else redacted(answer, key), default=str))


def print_table(frame: Any, columns: list[str]) -> None:
    """A table on the terminal; control characters in foreign text stay text.

    The first column is what a row is called, and is typed again: it is broken last. Where nobody
    looks, as in a log of CI, lines may be long.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if frame.is_empty():
        return
    console = Console()
    console.on_broken_pipe = _gone
    if not console.is_terminal:
        console.width = max(console.width, UNSEEN)
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in columns:
        least = min(NAME, console.width // 5) if column == columns[0] else 4
        table.add_column(column.replace("_", " "), overflow="fold", min_width=least)
    for row in frame.select(columns).iter_rows():
        table.add_row(*(Text(printable(value)) for value in row))
    console.print(table)


def quoted(path: Path) -> str:
    """A path as a shell takes it, in a command to be copied."""
    return shlex.quote(str(path))


def _gone() -> NoReturn:
    """Rich would exit with 1, which says that a gate failed."""
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def printable(value: Any) -> str:
    text = str(value)
    if isinstance(value, float | list | None):
        from aiops_lab.charts.table import cell

        text = cell(value)[0]
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@contextmanager
def progress(verb: str) -> Iterator[Progress]:
    """A progress bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(verb, total=None)

        def step(name: str, number: int, total: int) -> None:
            bar.update(task, description=f"{verb} {printable(Path(name).name)}", completed=number)
            bar.update(task, total=total)

        yield step


@contextmanager
def bars(names: list[str]) -> Iterator[Callable[[int, int, int], None]]:
    """A progress bar a notebook, with the cell it is in, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        tasks = [
            shown.add_task(printable(name), total=1, start=False, told="waiting") for name in names
        ]

        def step(number: int, cell: int, cells: int) -> None:
            shown.start_task(tasks[number])
            told = f"cell {cell} of {cells}"
            shown.update(tasks[number], completed=cell, total=cells, told=told)

        yield step
