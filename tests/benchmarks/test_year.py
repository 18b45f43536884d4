"""A year of 2,000 requests a day: what its last day costs to add, and how soon its page opens."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiops_lab import Lab, open_lab
from tests.benchmarks.proof import Table
from tests.benchmarks.year import write_day

pytestmark = pytest.mark.proof
DAYS, MONTH, A_DAY, TURNS = 365, 30, 2_000, 9
GROWTH, LARGEST = 1.2, 2_200_000


def added(lab: Lab, folder: Path, day: int) -> float:
    """Processor seconds that one more day takes."""
    path = write_day(folder, day, A_DAY)
    began = time.process_time()
    assert lab.ingest(path).rows["spans"] == 2 * A_DAY
    return time.process_time() - began


def test_a_year_of_days(tmp_path: Path) -> None:
    lab, month = open_lab(tmp_path / "lab"), open_lab(tmp_path / "month")
    for day in range(DAYS - 1):
        added(lab, tmp_path, day)
        if day < MONTH - 1:
            added(month, tmp_path, day)
    # in turns, as the machine does other things too
    turns = [(added(month, tmp_path, day), added(lab, tmp_path, day))
             for day in range(DAYS - 1, DAYS - 1 + TURNS)]  # fmt: skip
    early, late = map(statistics.median, zip(*turns, strict=True))
    opened = []
    for _ in range(3):
        out = tmp_path / "pages"
        command = [sys.executable, "-m", "aiops_lab", "report", "watch_behaviour"]
        began = time.perf_counter()
        subprocess.run([*command, "--lab", str(lab.path), "--out", str(out)],
                       check=True, capture_output=True)  # fmt: skip
        opened.append(time.perf_counter() - began)
    began = time.perf_counter()
    for _ in range(10_000_000):
        pass
    loop = time.perf_counter() - began
    size = max(page.stat().st_size for page in (out / "latest").glob("*.html"))
    made = Table("year", f"{A_DAY:,} requests a day, a file a day. An empty loop of ten million "
                 f"turns took {loop:.2f} s beside it")  # fmt: skip
    made.columns("what", "seconds", "compared")
    made.row(f"adding day {MONTH}", f"{early:.2f}", "")
    made.row(f"adding day {DAYS}", f"{late:.2f}", f"{late / early:.2f} times day {MONTH}")
    made.row("the page of the year, as a whole process", f"{min(opened):.1f}", f"{size // 1000} kB")
    made.write()
    assert late <= GROWTH * early
    assert size <= LARGEST
