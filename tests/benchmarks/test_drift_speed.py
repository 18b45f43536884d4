"""Drift of 1,000,000 rows with 20 numbers beside Evidently's DataDriftPreset, in turns."""

from __future__ import annotations

import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab, summarise, watch_behaviour
from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
ROWS, COLUMNS, DAYS, ROUNDS = 1_000_000, 20, 30, 3
METHODS = {"default": 1, "psi": ROUNDS, "jensenshannon": ROUNDS}
"""What Evidently chooses for so many rows (Wasserstein's distance), its quickest others, and how
often each runs."""
FASTER, LARGEST, HALF = 30, 2_200_000, 0.5


def table(day: int, seed: int) -> pl.DataFrame:
    """Thirty days of requests from a day on, with twenty numbers each."""
    chance = np.random.default_rng(seed)
    moments = (day + np.sort(chance.uniform(0, DAYS, ROWS))) * 86_400e6
    at = np.datetime64("2026-04-01", "us") + moments.astype("timedelta64[us]")
    numbers = {f"x{n}": chance.lognormal(0, 1, ROWS) for n in range(COLUMNS)}
    return pl.DataFrame({"at": at, **numbers})


@pytest.fixture(scope="module")
def evidently(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with Evidently: its environment is its own, as it needs an older pandas."""
    home = tmp_path_factory.mktemp("evidently")
    venv.create(home, with_pip=True)
    python = str(home / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "evidently", "pandas<3", "pyarrow"],
                   check=True, capture_output=True)  # fmt: skip
    return python


def test_drift_of_a_million_rows(evidently: str, demo: Lab, tmp_path: Path) -> None:
    before, after = table(0, 1), table(DAYS, 2)
    paths = []
    for name, frame in (("before", before), ("after", after)):
        paths.append(str(tmp_path / f"{name}.parquet"))
        frame.drop("at").write_parquet(paths[-1])
    whole, names = pl.concat([before, after]), [f"x{n}" for n in range(COLUMNS)]
    script = str(Path(__file__).with_name("evidently_drift.py"))
    ours, theirs = [], {method: [] for method in METHODS}
    for turn in range(ROUNDS):
        for method in (method for method, times in METHODS.items() if turn < times):
            command = [evidently, script, *paths, str(tmp_path / f"{method}.html"), method]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs[method].append(tuple(map(float, said.split()[-2:])))
        began = time.perf_counter()
        result = watch_behaviour(summarise(whole, metrics=names))
        ours.append(time.perf_counter() - began)
    assert result.series.height and not result.alarms.height
    out = tmp_path / "pages"
    command = ["report", "watch_behaviour", "--lab", str(demo.path), "--out", str(out)]
    subprocess.run([sys.executable, "-m", "aiops_lab", *command], check=True, capture_output=True)
    page = max(path.stat().st_size for path in out.rglob("*.html"))
    made = Table("drift", f"{ROWS:,} rows of {COLUMNS} numbers against as many, in turns")
    made.columns("by", "seconds", "its page, seconds", "its page, kB", "times as long as ours")
    for method, seconds in theirs.items():
        size = (tmp_path / f"{method}.html").stat().st_size
        best = min(seconds)
        made.row(f"Evidently, {method}", f"{best[0]:.1f}", f"{best[1]:.1f}", size // 1000,
                 f"{best[0] / min(ours):.0f}")  # fmt: skip
    made.row("aiops-lab", f"{min(ours):.2f}", "", page // 1000, "")
    made.write()
    smallest = min((tmp_path / f"{method}.html").stat().st_size for method in METHODS)
    assert page <= min(LARGEST, HALF * smallest)
    assert min(s[0] for each in theirs.values() for s in each) >= FASTER * min(ours)
