"""One notebook run from top to bottom, with a limit to its time; what failed stays in it."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from aiops_lab.errors import LabError
from aiops_lab.reports.kernels import SERVER, WarmManager

Cells: TypeAlias = Callable[[int, int], None]
"""Told the number of the cell that starts, from 1, and how many cells with code there are."""
MOST_PRINTED = 1_000_000
LONGEST = 10**9
STARTUP = 120
"""Seconds a kernel may take to start."""
_RUNNING: set[NotebookClient] = set()


class _Client(NotebookClient):
    """Keeps the first million characters that are printed."""

    printed = 0

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Take a message of the kernel."""
        if msg["msg_type"] == "stream":
            text, left = msg["content"]["text"], MOST_PRINTED - self.printed
            self.printed += len(text)
            if left < 0:
                return None
            if len(text) > left:
                msg["content"]["text"] = (
                    f"{text[:left]}\n[cut: more than {MOST_PRINTED:,} characters]"
                )
        return super().process_message(msg, cell, cell_index)


def execute(
    source: nbformat.NotebookNode,
    parameters: Mapping[str, Any],
    *,
    folder: str,
    env: Mapping[str, str],
    time_limit: float,
    progress: Cells | None = None,
    stopped: threading.Event | None = None,
) -> tuple[nbformat.NotebookNode, str | None]:
    """Run a notebook in a kernel of its own.

    Parameters
    ----------
    source
        The notebook; it is not changed.
    parameters
        Values set in a cell after the one tagged ``parameters``, as papermill does.
    folder
        Where the kernel works.
    env
        Its environment variables.
    time_limit
        Seconds for all cells together.
    progress
        Called before each cell.
    stopped
        Set when it is to end, see `stop_all`.

    Returns
    -------
    tuple
        The executed notebook, and why it did not come to its end (None where it did); the cell
        that failed shows the error.

    Raises
    ------
    LabError
        `stopped` was set.
    """
    notebook = with_parameters(source, parameters)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    stopped = stopped or threading.Event()
    ends = math.inf  # the time runs from the first cell on, not while the kernel starts
    last = 0

    def started(cell: Any, cell_index: int) -> None:
        nonlocal last, ends
        last = cell_index
        if ends == math.inf:
            ends = time.monotonic() + time_limit
        if stopped.is_set():
            raise RuntimeError("interrupted")
        if time.monotonic() > ends:
            raise TimeoutError
        if progress:
            progress(code.index(cell_index) + 1, len(code))

    client = _Client(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
        timeout_func=lambda _: max(1, int(min(ends - time.monotonic(), LONGEST))),
        startup_timeout=STARTUP,
        shutdown_kernel="immediate",
        on_cell_execute=started,
        extra_arguments=["--log-level=40"],
        kernel_manager_class=WarmManager,
    )
    _RUNNING.add(client)
    try:
        if not stopped.is_set():
            client.execute(env=dict(env))
    except CellExecutionError as failure:  # the cell holds the error
        return notebook, f"{failure.ename}: {failure.evalue}"
    except TimeoutError:
        name, told = "TimeLimit", f"not done after {time_limit:g} seconds; see --time-limit"
    except DeadKernelError:
        name, told = "DeadKernel", "the kernel died (out of memory?)"
    except Exception as failure:  # whatever one notebook does, the others go on
        name, told = type(failure).__name__, str(failure)
    else:
        return notebook, None
    finally:
        _RUNNING.discard(client)
        notebook.metadata.pop("widgets", None)  # live only in JupyterLab, and large
        if stopped.is_set():
            raise LabError("interrupted")
    _add_error(notebook.cells[last or next(iter(code), 0)], name, told)
    return notebook, f"{name}: {told}"


def _add_error(cell: nbformat.NotebookNode, name: str, told: str) -> None:
    output = nbformat.v4.new_output("error", ename=name, evalue=told, traceback=[])
    cell.setdefault("outputs", []).append(output)


def with_parameters(
    source: nbformat.NotebookNode, parameters: Mapping[str, Any]
) -> nbformat.NotebookNode:
    """A copy without outputs, with the parameters in a cell of their own."""
    import papermill

    notebook = nbformat.from_dict(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return papermill.execute_notebook(
        notebook,
        None,
        dict(parameters),
        kernel_name="python3",
        language="python",
        prepare_only=True,
        progress_bar=False,
    )


def warm_up() -> None:
    """Begin to start the process that forks kernels, and return at once."""
    SERVER.start()


def stop_all() -> None:
    """End every kernel that runs: the notebooks in them fail at once."""
    for client in list(_RUNNING):
        provisioner = getattr(client.km, "provisioner", None)
        if provisioner is not None and provisioner.process is not None:
            with suppress(OSError):  # it leads a group: what its cells started ends too
                os.killpg(provisioner.process.pid, signal.SIGKILL)
    SERVER.stop()
