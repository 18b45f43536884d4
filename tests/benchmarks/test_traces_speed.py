"""Reading traces: against `json.loads` with a bare loop on one core, and in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.proof import Table, peak_memory
from tests.benchmarks.trace_files import write

pytestmark = pytest.mark.proof
READ = Path(__file__).with_name("read_traces.py")
ROUNDS, SMALL, LARGE = 7, 20 * 10**6, 200 * 10**6
FASTER, GROWTH = 1.5, 1.1


def measured(path: Path, how: str) -> tuple[float, int, int]:
    """Processor seconds of the reading itself, spans, and the peak memory in bytes, on one core."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, str(READ), str(path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        peak = peak_memory(child)
        assert child.stdout
        seconds, rows = child.stdout.read().split()
    assert child.returncode == 0
    return float(seconds), int(rows), peak


def test_reading_is_faster_than_a_bare_loop_and_does_not_grow(tmp_path: Path) -> None:
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    spans = write(small, SMALL)
    # in turns, so that what else the machine does meets both
    runs = [(measured(small, "plain"), measured(small, "ours")) for _ in range(ROUNDS)]
    (loop, rows, _), (mine, found, _) = (min(run) for run in zip(*runs, strict=True))
    assert rows == found == spans
    many = write(large, LARGE)
    kept = measured(small, "batches")[2]
    seconds, rows, peak = measured(large, "batches")
    assert rows == many
    table = Table("traces", f"OTLP/JSON: {spans} spans in {SMALL // 10**6} MB, {many} in ten times")
    table.columns("what", "by", "seconds", "spans a second", "peak memory MB", "compared")
    table.row("20 MB", "json.loads, bare loop", f"{loop:.2f}", round(spans / loop), "", "")
    table.row("20 MB", "aiops-lab", f"{mine:.2f}", round(spans / mine), kept // 10**6,
              f"{loop / mine:.2f} times faster")  # fmt: skip
    table.row("200 MB", "aiops-lab", f"{seconds:.2f}", round(many / seconds), peak // 10**6,
              f"{peak / kept:.2f} times the memory")  # fmt: skip
    table.write()
    assert loop >= FASTER * mine
    assert peak <= GROWTH * kept
