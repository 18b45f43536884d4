"""Spark sums a lab's traffic up to the same figures; it is installed in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aiops_lab import Lab
from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
COMPARE = """
import sys, time
from polars.testing import assert_frame_equal
from aiops_lab import open_lab
from aiops_lab.traffic.engines import session
from aiops_lab.traffic.summaries import hourly_of
lab = open_lab(sys.argv[1])
found = {}
for engine in ("polars", "duckdb", "spark"):
    began = time.perf_counter()
    held = session(engine)
    tables = [lab.relation(name, engine, held) for name in ("traffic", "evaluations")]
    found[engine] = hourly_of(*tables)
    print(engine, found[engine].height, time.perf_counter() - began)
for other in ("duckdb", "spark"):
    assert_frame_equal(found["polars"], found[other], rel_tol=1e-9)
"""


def test_spark_says_the_same(demo: Lab, tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(tmp_path / "spark")]
    subprocess.run([*pip, "pyspark>=3.5"], check=True, capture_output=True)
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path / "spark")])
    done = subprocess.run(
        [sys.executable, "-c", COMPARE, str(demo.path)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths}, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    made = Table("engines", "The demo's traffic by hour, metric and slice: equal to 1e-9, bins too")
    made.columns("engine", "rows", "seconds, from its start")
    for line in done.stdout.splitlines():
        engine, rows, seconds = line.split()
        made.row(engine, rows, f"{float(seconds):.1f}")
    made.write()
