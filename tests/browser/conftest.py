"""A real browser with the network off."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, sync_playwright

from aiops_lab import Lab
from aiops_lab.reports.run import shipped_notebooks

TOKEN = "only-for-this-test"
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Opened:
    """A page that was opened, and everything it complained about or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Browser):
    """Open a file from disk, offline; optionally dark or narrow."""
    contexts = []

    def opening(path: Path, *, dark: bool = False, width: int = 1280) -> Opened:
        context = browser.new_context(
            offline=True,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 900},
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        page = opened.page
        page.on("console", lambda m: opened.complaints.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(path.resolve().as_uri())
        page.wait_for_timeout(1500)
        return opened

    yield opening
    for context in contexts:
        context.close()


@pytest.fixture
def jupyterlab(demo: Lab, tmp_path: Path) -> Iterator[str]:
    """A JupyterLab server on loopback with a copy of the notebooks; yields its address."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for path in shipped_notebooks():
        shutil.copy(path, notebooks)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "AIOPS_LAB": str(demo.path),
        "JUPYTER_PREFER_ENV_PATH": "1",
        **{f"JUPYTER_{what}_DIR": str(tmp_path / what) for what in ("CONFIG", "DATA", "RUNTIME")},
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        f"--IdentityProvider.token={TOKEN}", f"--notebook-dir={notebooks}",
    ]  # fmt: skip
    log = (tmp_path / "server.log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token={TOKEN}")
            break
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    yield address
    server.terminate()
    server.wait(30)
    log.close()


@dataclass
class Notebook(Opened):
    """A notebook open in JupyterLab; of its console only errors are complaints."""

    told: list[str] = field(default_factory=list)

    @property
    def panel(self) -> Locator:
        """What scrolls: JupyterLab draws only the cells in view."""
        return self.page.locator(".jp-WindowedPanel-outer").first

    def menu(self, *names: str) -> None:
        """Choose from the menus, by name."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=names[0]).click()
        for name in names[1:]:
            self.page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).click()

    def wait(self, number: int) -> None:
        """Wait until a cell has run, and go back to the top; cells out of view are not drawn."""
        prompt = self.page.locator(".jp-InputPrompt", has_text=f"[{number}]")
        try:
            prompt.wait_for(timeout=120_000)
        except TimeoutError:
            self._look_for(prompt)
        self.panel.evaluate("e => e.scrollTo(0, 0)")

    def _look_for(self, prompt: Locator) -> None:
        """Scroll through the notebook until a prompt is drawn."""
        for part in [*(n / 10 for n in range(11)), 1, 1, 1, 1]:
            self.panel.evaluate("(e, part) => e.scrollTo(0, part * e.scrollHeight)", part)
            with suppress(TimeoutError):
                prompt.wait_for(timeout=5_000)
                return
        prompt.wait_for(timeout=1_000)

    def ask(self, code: str) -> str:
        """What a further cell prints."""
        self.panel.evaluate("e => e.scrollTo(0, e.scrollHeight)")
        self.page.locator(".jp-Notebook-footer").click()
        cell = self.page.locator(".jp-CodeCell").last
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Control+Enter")
        output = cell.locator(".jp-OutputArea-output").last
        output.wait_for(timeout=120_000)
        return output.inner_text().strip()


@pytest.fixture
def notebook(browser: Browser, jupyterlab: str) -> Iterator[Callable[[str], Notebook]]:
    """Open a notebook by name in JupyterLab, its kernel started."""
    notebooks: list[Notebook] = []

    def opening(name: str) -> Notebook:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(90_000)  # a kernel may share its processor with other tests
        opened = Notebook(page)
        notebooks.append(opened)

        def said(kind: str, text: str) -> None:
            (opened.complaints if kind == "error" else opened.told).append(text)

        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("console", lambda message: said(message.type, message.text))
        page.on("pageerror", lambda error: said("error", str(error)))
        page.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(f"{jupyterlab}/lab/tree/{name}.ipynb?token={TOKEN}&reset")
        page.locator(".jp-NotebookPanel").wait_for(timeout=60_000)
        page.locator(IDLE).wait_for(timeout=60_000)
        page.wait_for_timeout(2000)
        return opened

    yield opening
    for opened in notebooks:
        opened.page.close()
        inside = (jupyterlab, "data:", "blob:", "ws")
        assert [url for url in opened.requests if not url.startswith(inside)] == []
        assert opened.complaints == opened.dialogs == []
