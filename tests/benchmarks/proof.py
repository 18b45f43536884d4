"""Tables of `make proof`: printed, and written to docs/proof with how they were made."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

FOLDER = Path(__file__).parents[2] / "docs" / "proof"
PACKAGES = ("aiops-lab", "polars", "msgspec", "numpy", "scipy")


class Table:
    """One table with its caption, machine, versions and date."""

    def __init__(self, name: str, caption: str) -> None:
        self.name, self.caption = name, caption
        self._rows: list[list[str]] = []

    def columns(self, *names: str) -> None:
        """The headings."""
        self._rows = [list(names), ["---"] * len(names)]

    def row(self, *values: object) -> None:
        """One more row."""
        self._rows.append([str(value) for value in values])

    def write(self) -> None:
        """Print the table and replace its file."""
        body = "\n".join("| " + " | ".join(row) + " |" for row in self._rows)
        versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        text = (
            f"# {self.name}\n\n{self.caption}\n\n{body}\n\n"
            f"Made by `make proof` on {datetime.now(UTC):%Y-%m-%d} with Python "
            f"{platform.python_version()}, {versions}; {os.cpu_count()} cores, "
            f"{psutil.virtual_memory().total // 2**30} GiB.\n"
        )
        print("\n" + text)
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{self.name}.md").write_text(text, "utf-8")


def peak_memory(child: subprocess.Popen) -> int:
    """Wait for a process; returns the largest sum of resident memory of it and its children."""
    peak = 0
    root = psutil.Process(child.pid)
    while child.poll() is None:
        total = 0
        for process in [root, *_children(root)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        peak = max(peak, total)
        time.sleep(0.01)
    return peak


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []
