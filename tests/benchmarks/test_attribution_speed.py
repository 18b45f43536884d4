"""Daily mean attributions of 100,000 decisions beside shap's TreeExplainer over all of them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
ROWS, ROUNDS, FASTER = 100_000, 3, 5


def test_means_of_attributions(tmp_path: Path) -> None:
    folder = tmp_path / "shap"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder)]
    subprocess.run([*pip, "shap", "lightgbm"], check=True, capture_output=True)
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(folder)])
    script = str(Path(__file__).with_name("attributions_shap.py"))
    found = []
    for turn in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, script, str(ROWS), str(turn)], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": paths}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(json.loads(done.stdout.splitlines()[-1]))
    ours, theirs = (statistics.median(each[name] for each in found) for name in ("ours", "theirs"))
    made = Table("attributions", f"{ROWS:,} decisions with 20 features over 90 days, a model of "
                 "100 trees; medians of three runs in one process each")  # fmt: skip
    made.columns("what", "figure")
    made.row("shap's TreeExplainer, all decisions, seconds", f"{theirs:.1f}")
    made.row("daily means by permutations, seconds", f"{ours:.1f}: {theirs / ours:.1f} times")
    made.row("decisions explained for them", found[0]["explained"])
    made.row("median standard error of a daily mean (log-odds)", f"{found[0]['error']:.3f}")
    made.row("weekday means within 3 standard errors of the exact ones",
             ", ".join(f"{each['within']:.3f}" for each in found))  # fmt: skip
    made.row("farthest of 140, in standard errors",
             ", ".join(f"{each['farthest']:.1f}" for each in found))  # fmt: skip
    made.row("LightGBM's own contributions, largest difference from TreeExplainer",
             f"{max(each['exact'] for each in found):.1e}")  # fmt: skip
    made.write()
    assert theirs >= FASTER * ours
    assert max(each["exact"] for each in found) <= 1e-6
    assert min(each["within"] for each in found) >= 0.98
