"""Warm kernels: forked safely, like plain ones, and never left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from aiops_lab.errors import LabError
from aiops_lab.reports import execute as execution
from aiops_lab.reports.execute import execute
from aiops_lab.reports.kernels import SERVER, PatientChannel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux")


def run(
    *cells: str, limit: float = 60, stopped: threading.Event | None = None, **env: str
) -> tuple[list[str], str | None]:
    """The text each cell shows, and the error."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    done, error = execute(
        notebook,
        {},
        folder=str(Path.cwd()),
        env={**os.environ, **env},
        time_limit=limit,
        stopped=stopped,
    )
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    shown = [
        "".join(
            out.get("text") or out.get("data", {}).get("text/plain", "") or out.get("evalue", "")
            for out in cell.outputs
        )
        for cell in code[-len(cells) :]
    ]
    return shown, error


POLARS = """
import threading, polars as pl
frame = pl.DataFrame({"a": range(200_000)}).with_columns(b=pl.col("a") % 100)
for _ in range(5):
    frame.lazy().group_by("b").agg(pl.col("a").sum()).sort("b").collect()
    frame.join(frame.head(1000), on="a").sort("b")
print(frame.group_by("b").len().height)
"""


@pytest.mark.slow
def test_a_forked_kernel_runs_queries_every_time() -> None:
    SERVER.start()
    for _ in range(8):
        assert run(POLARS) == (["100\n"], None)
    server = SERVER._process
    assert server is not None
    assert server.poll() is None


@pytest.mark.slow
def test_it_is_forked_and_otherwise_like_a_plain_one() -> None:
    (first, second) = (
        run("import os, sys, random, numpy; os.getppid()", "numpy.random.rand(), random.random()",
            "os.environ['COLOUR'], sys.stdin.closed, '' in sys.path", COLOUR="blue")
        for _ in range(2)
    )  # fmt: skip
    assert SERVER._process is not None
    assert first[0][0] == str(SERVER._process.pid)
    assert first[0][1] != second[0][1], "forked kernels must not draw the same numbers"
    assert first[0][2] == "('blue', False, True)", first


@pytest.mark.slow
def test_a_server_with_a_thread_refuses_and_a_plain_kernel_runs(monkeypatch) -> None:
    SERVER.stop()
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "threaded"))
    shown, error = run("import os; os.getppid()")
    assert error is None
    assert shown == [str(os.getpid())]
    SERVER.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import time; time.sleep(60)", "TimeLimit: not done after 2 seconds; see --time-limit"),
        ("import os; os.kill(os.getpid(), 9)", "DeadKernel: the kernel died (out of memory?)"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
    ids=["too long", "killed", "raised"],
)
def test_what_failed_stays_in_the_notebook_and_no_kernel_does(code: str, error: str) -> None:
    others = kernels()  # this process may hold another test's browser
    shown, found = run("print('before')", code, "print('after')", limit=2)
    assert found == error
    assert shown[0] == "before\n"
    assert shown[2] == ""
    assert shown[1] in error
    assert kernels() <= others


@pytest.mark.slow
def test_many_short_cells_do_not_outlast_the_limit() -> None:
    shown, error = run(*["import time; time.sleep(0.5); print('slept')"] * 12, limit=1)
    assert error is not None
    assert error.startswith("TimeLimit")
    assert shown.count("slept\n") <= 3


@pytest.mark.slow
def test_what_is_printed_without_end_is_cut() -> None:
    (shown,), error = run("for _ in range(300): print('z' * 10_000)")
    assert error is None
    assert len(shown) < 1_001_000
    assert "[cut: more than 1,000,000 characters]" in shown


@pytest.mark.slow
def test_what_a_cell_started_ends_with_its_kernel_when_all_is_stopped() -> None:
    stopped = threading.Event()

    def stop() -> None:
        while not (found := re.findall(r"\d+", mark.read_text() if mark.exists() else "")):
            time.sleep(0.1)
        stopped.set()
        execution.stop_all()
        pids.extend(map(int, found))

    pids: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "pid")
        cell = (
            "import subprocess, pathlib, time; p = subprocess.Popen(['sleep', '300']);"
            f"pathlib.Path({str(mark)!r}).write_text(str(p.pid)); time.sleep(300)"
        )
        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(LabError, match="interrupted"):
            run(cell, stopped=stopped)
        thread.join()
    _, alive = psutil.wait_procs([psutil.Process(p) for p in pids if psutil.pid_exists(p)], 10)
    assert alive == []


def test_nothing_starts_once_it_is_stopped() -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(LabError, match="interrupted"):
        run("1", stopped=stopped)


CHILD = """
import signal, sys
# a shell that runs the tests in the background has Ctrl-C ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
import nbformat
from aiops_lab.reports.run import Request, run_reports
from aiops_lab import open_lab
lab = open_lab(sys.argv[1] + "/lab")
requests = [Request(Path(sys.argv[1], f"{i}.ipynb")) for i in range(4)]
print("ready", flush=True)
run_reports(requests, lab, Path(sys.argv[1], "out"), jobs=4)
"""
SLEEPER = "import pathlib, time; pathlib.Path({!r}).touch(); time.sleep(300)"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_interrupted_or_killed_it_leaves_no_process(tmp_path: Path, number: int) -> None:
    for i in range(4):
        parameters = nbformat.v4.new_code_cell("a: int = 1", metadata={"tags": ["parameters"]})
        cell = nbformat.v4.new_code_cell(SLEEPER.format(str(tmp_path / f"began{i}")))
        nbformat.write(nbformat.v4.new_notebook(cells=[parameters, cell]), tmp_path / f"{i}.ipynb")
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)], stderr=subprocess.DEVNULL
    )
    waited = time.monotonic() + 120
    while not all((tmp_path / f"began{i}").exists() for i in range(4)):
        assert time.monotonic() < waited
        time.sleep(0.1)
    family = psutil.Process(child.pid).children(recursive=True)
    assert len(family) >= 5
    child.send_signal(number)
    child.wait(30)
    _, alive = psutil.wait_procs(family, 10)
    assert alive == []


def kernels() -> set[psutil.Process]:
    """The processes below this one, without the server that forks."""
    server = SERVER._process.pid if SERVER._process else 0
    return {
        child
        for child in psutil.Process().children(recursive=True)
        if child.pid != server and child.status() != psutil.STATUS_ZOMBIE
    }


def test_stopping_when_nothing_runs_is_nothing() -> None:
    execution.stop_all()


def test_a_library_that_is_not_there_keeps_no_server_from_starting() -> None:
    """matplotlib_inline 0.2 imports matplotlib, which nothing here needs."""
    code = (
        "from aiops_lab.reports import fork_server as f; f.PRELOAD = ('no_such_library',); f.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert '"ready"' in done.stdout and not done.stderr and done.returncode == 0


def test_a_message_whose_sign_was_swallowed_is_found(tmp_path: Path) -> None:
    """What is sent past a waiting socket takes the sign of what came, as widgets do."""

    async def scene() -> Any:
        context, place = zmq.asyncio.Context(), tmp_path / "kernel"
        mine, kernel = context.socket(zmq.DEALER), context.socket(zmq.ROUTER)
        kernel.bind(f"ipc://{place}")
        mine.connect(f"ipc://{place}")
        session = Session()
        channel = PatientChannel(mine, session, asyncio.get_running_loop())
        waiting = asyncio.ensure_future(channel.get_msg(timeout=60))
        await asyncio.sleep(0.1)
        channel.send(session.msg("hello"))
        name = (await kernel.recv_multipart())[0]
        session.send(zmq.Socket.shadow(kernel.underlying), "answer", ident=name)
        time.sleep(0.2)  # it is there, and the loop has not seen it
        channel.send(session.msg("comm"))
        told = await waiting
        context.destroy(linger=0)
        return told["msg_type"]

    assert asyncio.run(scene()) == "answer"
