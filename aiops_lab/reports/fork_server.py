"""Kernels that start warm: a process that has imported the libraries forks one for each request.

A request is a line of JSON on standard input
(``arguments``, ``env``, ``cwd``), the answer a line with ``pid`` or ``error``. The server imports
and runs nothing: after a single Polars query a forked child would wait forever for threads that the
fork did not copy. When its input ends it ends, and with it every kernel it forked.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

PRELOAD = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "IPython", "matplotlib_inline", "numpy",
    "scipy.stats", "scipy.optimize", "sklearn", "polars", "pandas", "deltalake", "altair",
    "aiops_lab.charts", "aiops_lab.lab", "aiops_lab.sources.find", "aiops_lab.ship.gate",
    "aiops_lab.ship.plan", "aiops_lab.ship.operating", "aiops_lab.charts.watch",
    "ipywidgets", "threadpoolctl",
)  # fmt: skip
SLEEPING = {"polars-ooc-clea"}
"""Threads that an import starts and that hold nothing: Polars 2 keeps one to clean up what it
spilled. Any other thread makes the server refuse."""
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false",
    "MALLOC_CONF": "background_thread:false",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""What keeps the libraries from starting threads when they are imported."""
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def threads() -> list[str]:
    """The names of this process's threads that do not sleep, the main one left out."""
    own = str(os.getpid())
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != own]
    names = [(task / "comm").read_text().strip() for task in tasks]
    return [name for name in names if name not in SLEEPING]


def serve() -> dict[str, Any] | None:
    """Answer requests until the input ends; in a forked child, return its request at once."""
    kernels = []
    for line in sys.stdin:
        if running := threads():
            answer = {"error": f"threads are running: {', '.join(running)}"}
        elif pid := os.fork():
            answer = {"pid": pid}
            kernels.append(pid)
        else:
            return json.loads(line)
        print(json.dumps(answer), flush=True)
    for pid in filter(_is_child, kernels):  # and what its cells started
        os.killpg(pid, signal.SIGKILL)
    return None


def _is_child(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[1] == str(os.getpid())


def become_kernel(request: dict[str, Any], server: int) -> None:
    """Turn a forked child into what a kernel started from scratch would be, and run it."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != server:  # it died before that
        os._exit(1)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    paths = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path += [path for path in paths if path and path not in sys.path]
    # every child would draw the same numbers, and on one core of many
    import numpy
    import threadpoolctl

    random.seed()
    numpy.random.seed()  # noqa: NPY002
    threadpoolctl.threadpool_limits(os.cpu_count())
    sys.argv = ["ipykernel_launcher", *request["arguments"]]

    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=request["arguments"])


def main() -> None:
    """Import, serve, and in a child be a kernel."""
    server = os.getpid()
    os.environ["JPY_PARENT_PID"] = str(server)  # read when ipykernel is imported
    for name in PRELOAD:
        with suppress(ImportError):  # what a kernel can do without; it says so itself where not
            importlib.import_module(name)
    for name in ONE_THREAD:
        os.environ.pop(name, None)
    gc.freeze()  # the collector would touch, and so copy, every page the children share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children that ended leave no zombie
    try:
        print(json.dumps({"ready": server}), flush=True)
        request = serve()
    except BrokenPipeError:  # who asked is gone
        return
    if request:
        become_kernel(request, server)
