"""Reading Inspect logs: side by side with Inspect's own data frame function, in one run."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.benchmarks.proof import Table, peak_memory

pytestmark = pytest.mark.proof
HERE = Path(__file__).parent
INSPECT = "inspect-ai==0.3.285"
LOGS, SAMPLES, ROUNDS = 40, 500, 3


@pytest.fixture(scope="module")
def inspect_python() -> Path:
    """An environment of its own for the peer, kept between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "aiops-lab" / "peers" / INSPECT
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", INSPECT, "pandas", "pyarrow"]
        subprocess.run(command, check=True)
        (home / "ready").touch()
    return python


def measured(python: Path | str, script: str, *arguments: str) -> tuple[float, int, int]:
    """Seconds of the reading itself, rows, and the peak memory of all processes in bytes."""
    command = [str(python), str(HERE / script), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        peak = peak_memory(child)
        assert child.stdout
        seconds, rows = child.stdout.read().splitlines()[-1].split()
    assert child.returncode == 0
    return float(seconds), int(rows), peak


def test_reading_is_faster_and_smaller(inspect_python: Path, tmp_path: Path) -> None:
    folder = str(tmp_path)
    make = [inspect_python, HERE / "inspect_logs.py", "make", folder, LOGS, SAMPLES]
    subprocess.run(list(map(str, make)), check=True, capture_output=True)
    peers = {
        how: measured(inspect_python, "inspect_logs.py", "read", folder, how)
        for how in ("default", "parallel", "full")
    }
    ours = {
        how: min(measured(sys.executable, "our_logs.py", folder, how) for _ in range(ROUNDS))
        for how in ("scores", "texts")
    }
    assert {rows for _, rows, _ in (*peers.values(), *ours.values())} == {LOGS * SAMPLES}
    table = Table("reading", f"{LOGS} Inspect logs of {SAMPLES} samples each, {INSPECT}")
    table.columns(
        "what is read", "by", "seconds", "peak memory MB", "times faster", "memory, share"
    )
    for what, own, names in (
        ("scores, tokens, times", "scores", ("default", "parallel")),
        ("all of it with texts", "texts", ("full",)),
    ):
        seconds, _, memory = ours[own]
        table.row(what, "aiops-lab", f"{seconds:.2f}", memory // 10**6, "", "")
        for name in names:
            theirs, _, used = peers[name]
            table.row(
                what, f"samples_df {name}", f"{theirs:.2f}", used // 10**6,
                f"{theirs / seconds:.1f}", f"{memory / used:.2f}",
            )  # fmt: skip
    table.write()
    assert peers["default"][0] >= 12 * ours["scores"][0]
    assert peers["full"][0] >= 20 * ours["texts"][0]
    assert ours["scores"][2] <= peers["default"][2] / 4
    assert ours["texts"][2] <= peers["full"][2] / 4
