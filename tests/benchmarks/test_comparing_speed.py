"""How long a comparison of two large runs takes, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
WORK = """
import json, resource, time
import numpy as np, polars as pl
from aiops_lab.frames import Evals
from aiops_lab.ship.compare import compare_runs
from aiops_lab.tables import conform, empty

chance, n = np.random.default_rng(1), 100_000
ids = [f"question {i}" for i in range(n)]
samples, scores = [], []
for run in "ab":
    samples.append(conform(pl.DataFrame({
        "run_id": run, "sample_id": ids, "epoch": 1,
        "output": [f"The answer of {run} to {name} goes on for a line or so." for name in ids],
        "tokens_in": chance.integers(50, 90, n), "tokens_out": chance.integers(50, 90, n),
        "latency_s": chance.gamma(3, 0.4, n), "cost_usd": chance.gamma(3, 1e-4, n),
        "metadata": [json.dumps({"topic": i % 10, "language": i % 11}) for i in range(n)],
    }), "samples"))
    for k in range(10):
        value = chance.random(n) < 0.7 if k % 2 else chance.random(n)
        scores.append(conform(pl.DataFrame({
            "run_id": run, "sample_id": ids, "epoch": 1, "metric": f"m{k}", "value": value * 1.0,
        }), "scores"))
runs = conform(pl.DataFrame({"run_id": ["a", "b"]}), "runs")
data = Evals(["a", "b"], runs, pl.concat(samples), pl.concat(scores), empty("artefacts"))
start = time.perf_counter()
found = compare_runs(data, baseline="a", candidate="b", by=["topic", "language"])
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
                  found.metrics.height, found.slices.height]))
"""


def test_a_hundred_thousand_answers() -> None:
    """Ten scores, 21 slices of each; the figures are printed, nothing absolute is asserted."""
    rounds = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", WORK], capture_output=True, text=True, check=True
        )
        rounds.append(json.loads(done.stdout))
    seconds, memory, metrics, slices = sorted(rounds)[1]
    assert (metrics, slices) == (10, 210)
    table = Table(
        "comparing", "Two runs of 100,000 answers compared: 10 scores, 21 slices of each."
    )
    table.columns("seconds", "peak memory (GB)", "scores", "rows of slices")
    table.row(f"{seconds:.2f}", f"{memory:.2f}", metrics, slices)
    table.write()
