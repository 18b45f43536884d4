"""How long it takes to start: printed, as absolute times depend on the machine."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
ROUNDS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import aiops_lab": ["-c", "import aiops_lab"],
    "aiops-lab --help": ["-m", "aiops_lab", "--help"],
    "import polars (for comparison)": ["-c", "import polars"],
}


def test_starting_speed() -> None:
    table = Table("starting", f"Whole processes, {ROUNDS} runs each after one warm-up")
    table.columns("command", "median seconds", "fastest", "slowest")
    for name, arguments in COMMANDS.items():
        taken = []
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            taken.append(time.perf_counter() - began)
        del taken[0]
        table.row(name, *(f"{f(taken):.3f}" for f in (statistics.median, min, max)))
    table.write()
