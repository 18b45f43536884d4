"""Ingest killed, repeated and doubled: the lab ends the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aiops_lab import open_lab
from tests.conftest import contents, write_eval

pytestmark = pytest.mark.slow

CHILD = """
import signal, sys
import aiops_lab.lab, aiops_lab.sources.find
from aiops_lab import open_lab
aiops_lab.sources.find.sources()
lab = open_lab(sys.argv[1])
print("ready", flush=True)

# Progress is counted in the interpreter's own events (files opened, renamed ...), not in seconds:
# a loaded machine is killed at work as often as a quiet one. The alarm ends the process from the
# kernel's side, between two instructions of whatever runs then.
events, last, delay = 0, *map(float, sys.stdin.readline().split() or ("inf", "0"))
def count(event, arguments):
    global events
    events += 1
    if events == last:
        signal.setitimer(signal.ITIMER_REAL, delay)
sys.addaudithook(count)
for path in sys.argv[2:]:
    lab.ingest(path)
print(events, flush=True)
"""


def start(lab: Path, *paths: Path) -> subprocess.Popen:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(lab), *map(str, paths)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout and child.stdout.readline() == "ready\n"
    return child


def go(child: subprocess.Popen, alarm: str = "") -> None:
    assert child.stdin
    child.stdin.write(alarm + "\n")
    child.stdin.flush()


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "logs"
    folder.mkdir()
    paths = [write_eval(folder / f"{i}.eval", f"run{i}", samples=20 + i) for i in range(10)]
    # an unfinished log of a run that another file has whole, and one that cannot be read
    paths.append(write_eval(folder / "part.eval", "run3", samples=7, journal_only=True))
    broken = folder / "broken.eval"
    broken.write_bytes(paths[0].read_bytes()[:900])
    return [*paths, broken]


def test_killed_at_fifty_random_moments_and_run_again_loses_and_doubles_nothing(
    tmp_path: Path, logs: list[Path]
) -> None:
    child = start(tmp_path / "whole", *logs)
    go(child)
    assert child.stdout
    events = int(child.stdout.read())
    whole = open_lab(tmp_path / "whole")
    chance = random.Random(3)
    killed = 0
    for attempt in range(50):
        folder = tmp_path / f"killed{attempt}"
        child = start(folder, *logs)
        go(child, f"{chance.randint(1, events)} {chance.uniform(0.000001, 0.02)}")
        killed += child.wait() == -signal.SIGALRM
        lab = open_lab(folder)
        for path in logs:
            lab.ingest(path)
        assert contents(lab) == contents(whole), f"after the kill of attempt {attempt}"
    assert killed >= 25, "most children must have been killed at work"


@pytest.mark.parametrize("one_call", [False, True], ids=["file by file", "folder at once"])
def test_eight_processes_at_once_end_with_the_tables_of_one_after_another(
    tmp_path: Path, logs: list[Path], one_call: bool
) -> None:
    whole = open_lab(tmp_path / "whole")
    whole.ingest(*logs)
    chance = random.Random(5)
    for attempt in range(4):
        folder = tmp_path / f"shared{attempt}"
        children = []
        for _ in range(8):
            given = [logs[0].parent] if one_call else chance.sample(logs, k=9)
            children.append(start(folder, *given))
        for child in children:
            go(child)
        assert [child.wait() for child in children] == [0] * 8
        lab = open_lab(folder)
        lab.ingest(*logs)
        assert contents(lab) == contents(whole)
