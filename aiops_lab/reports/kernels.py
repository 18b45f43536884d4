"""A Jupyter kernel provisioner whose kernels start warm, forked from a process that imported all.

Jupyter knows it as ``aiops-lab-warm`` (entry point ``jupyter_client.kernel_provisioners``); the
runner of reports uses it. Where there is no fork to be had (anything but Linux, a kernel of another
environment, a thread in the server), kernels start plainly.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Type

from aiops_lab.reports.fork_server import ONE_THREAD

NAME = "aiops-lab-warm"
AGAIN = 1
"""Seconds after which it is looked again whether a message came."""
PATIENCE = 2
"""Seconds the server has to end."""
LONGEST_SOCKET = 90
"""Characters: Unix refuses names of sockets over 107, and Jupyter adds to this."""
START = "import sys; del sys.path[0]; from aiops_lab.reports.fork_server import main; main()"
LAUNCHER = ["-m", "ipykernel_launcher"]


class Forked:
    """A forked kernel, with the methods of `subprocess.Popen` that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._fd: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._fd = None

    def poll(self) -> int | None:
        """None while it runs; how it ended, only its parent could say."""
        return self._ended(0)

    def wait(self) -> int:
        """Wait until it has ended."""
        self._ended(None)
        return 0

    def _ended(self, seconds: float | None) -> int | None:
        if self._fd is None:
            return 0
        if not select.select([self._fd], [], [], seconds)[0]:
            return None
        os.close(self._fd)
        self._fd = None
        return 0

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None and self._fd is not None:
            signal.pidfd_send_signal(self._fd, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class ForkServer:
    """The process that forks kernels; started when `start` or `fork` is first called."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to import, and return at once."""
        if sys.platform == "linux" and (self._process is None or self._process.poll() is not None):
            # what lies in the working folder is not imported by it; a session of its own: Ctrl-C is
            # for the runner, which then closes the server
            self._process = subprocess.Popen(
                [sys.executable, "-c", START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **ONE_THREAD},
                start_new_session=True,
            )
            atexit.register(self.stop)

    def fork(self, arguments: list[str], env: dict[str, str], cwd: str) -> Forked | None:
        """A new kernel, or None where none can be forked."""
        with self._lock:
            self.start()
            request = {"arguments": arguments, "env": env, "cwd": cwd}
            try:
                answer = self._ask(request)
            except (OSError, ValueError):  # the server could not start, or ended
                self.stop()
                return None
        return Forked(answer["pid"]) if "pid" in answer else None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            return {}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        while "ready" in (answer := json.loads(self._process.stdout.readline())):
            pass
        return answer

    def stop(self) -> None:
        """End the server and every kernel it forked."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin and process.stdout
            with suppress(OSError):
                process.stdin.close()  # it ends its kernels, and itself
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:  # still importing
                process.kill()
                process.wait()
            process.stdout.close()


SERVER = ForkServer()


class WarmProvisioner(LocalProvisioner):
    """Starts the kernels of this environment by forking; all others as Jupyter does."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel; returns its connection."""
        cwd = str(kwargs.get("cwd") or Path.cwd())
        env = dict(kwargs.get("env") or os.environ)
        own = Path(cmd[0]).resolve() == Path(sys.executable).resolve()
        same = own and os.path.dirname(cmd[0]) == os.path.dirname(sys.executable)  # noqa: PTH120
        if same and cmd[1:3] == LAUNCHER and (forked := SERVER.fork(cmd[3:], env, cwd)):
            self.process: Any = forked
            self.pid = self.pgid = forked.pid
            self.cwd = Path(cwd)
            return self.connection_info
        return await super().launch_kernel(cmd, **kwargs)

    async def cleanup(self, restart: bool = False) -> None:
        """End what cells started too: it outlives a kernel that died."""
        if self.pgid:
            with suppress(OSError):  # a kernel leads a group of its own
                os.killpg(self.pgid, signal.SIGKILL)
        await super().cleanup(restart)


class PatientChannel(AsyncZMQSocketChannel):
    """Looks again each second whether a message is there.

    What is sent while one is awaited (by widgets) may swallow the sign that it came: ZeroMQ gives
    that sign once, and `jupyter_client` sends past the socket that waits for it.
    """

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """The next message; raises `queue.Empty` where none came in `timeout` seconds."""
        ends = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = max(ends - time.monotonic(), 0)
            try:
                return await super().get_msg(min(left, AGAIN))
            except Empty:
                if left <= AGAIN:
                    raise


class PatientClient(AsyncKernelClient):
    """Waits for replies patiently."""

    shell_channel_class = Type(PatientChannel)


class WarmManager(AsyncKernelManager):
    """A kernel that starts warm where it can, reached through sockets only its user may open."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.client_factory = PatientClient
        self._folder = tempfile.TemporaryDirectory(prefix="aiops-lab-")
        place = Path(self._folder.name, "kernel.json")
        if len(str(place)) < LONGEST_SOCKET and sys.platform != "win32":
            self.transport, self.connection_file = "ipc", str(place)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel of this environment, whatever kernels the user has installed."""
        return KernelSpec(
            argv=[sys.executable, *LAUNCHER, "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
            metadata={"kernel_provisioner": {"provisioner_name": NAME}},
        )
