"""Reports: notebooks run with parameters, side by side; their pages, their verdicts."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeAlias, TypeVar

import nbformat

from aiops_lab.errors import BadSettings, LabError
from aiops_lab.lab import Lab
from aiops_lab.redact import redact, redacted
from aiops_lab.reports.execute import Cells, execute, stop_all, warm_up
from aiops_lab.reports.page import executed_verdict, prepare, render
from aiops_lab.reports.parameters import checked, declared, parameters_of, read_notebook
from aiops_lab.reports.site import KEEP, Kept, Place, publish
from aiops_lab.settings import REPORT_NAME, Settings
from aiops_lab.shipped import shipped
from aiops_lab.tables import SCHEMAS
from aiops_lab.verdict import Verdict

TIME_LIMIT = 1800
"""Seconds all cells of a notebook may take together."""

LONGEST_NAME = 100
MOST_TOLD = 500
"""Characters of an error beside its page, which has them all."""
Made = TypeVar("Made")
Progress: TypeAlias = Callable[[int, int, int], None]
"""Told the number of the request, of the cell that starts, and of all its cells."""


@dataclass(frozen=True)
class Request:
    """One report to be made.

    Attributes
    ----------
    notebook
        The notebook's file.
    parameters
        Values other than the notebook's defaults.
    name
        What the report is called; by default after its notebook and its parameters.
    as_of
        The time it is for; by default that of the lab's newest ingest.
    keep
        How many of its pages are kept, or for how long.
    """

    notebook: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    as_of: datetime | None = None
    keep: Kept = KEEP


@dataclass(frozen=True)
class Report:
    """One report that was made.

    Attributes
    ----------
    name, as_of
        What it is called, and the time it is for.
    page, latest, notebook
        The HTML page, its address while it is the newest, and the executed notebook.
    verdict
        What the notebook found; None where it has no verdict or did not get that far.
    error
        Why it could not be computed, if it could not.
    """

    name: str
    as_of: datetime
    page: Path
    latest: Path
    notebook: Path
    verdict: Verdict | None
    error: str | None


def notebook_named(name: str, lab: Lab) -> Path:
    """The notebook called `name`: a path, one of the lab's own, or one that is shipped."""
    if name.endswith(".ipynb"):
        if Path(name).is_file():
            return Path(name)
        raise BadSettings(f"there is no notebook {name!r}")
    known = {path.stem: path for path in notebooks_of(lab)}
    if name not in known:
        raise BadSettings(f"there is no notebook {name!r}; there are {', '.join(known)}")
    return known[name]


def notebooks_of(lab: Lab) -> list[Path]:
    """All notebooks of a lab: its own, and the shipped ones it has no copy of."""
    own = (lab.path / "notebooks").glob("*.ipynb")
    return list({path.stem: path for path in [*shipped_notebooks(), *sorted(own)]}.values())


def reports_of(lab: Lab) -> tuple[list[Path], list[str], dict[Path, list[str]]]:
    """The notebooks of a lab that are reports; what is wrong with those that might be; what others
    need that the lab does not hold, any of it: tables, or settings of ``lab.toml``.

    Notebooks made to explore with say so in their metadata; scratch ones declare no parameters.
    """
    found: list[Path] = []
    problems: list[str] = []
    lacking: dict[Path, list[str]] = {}
    for path in notebooks_of(lab):
        try:
            notebook = read_notebook(path)
            told = notebook.metadata.get("aiops_lab", {})
            if not (declared(notebook) and told.get("report", True)):
                continue
            parameters_of(notebook)
            needs = told.get("needs", [])
            if needs and not any(_has(lab, need) for need in needs):
                lacking[path] = needs
            else:
                found.append(path)
        except BadSettings as error:
            problems.append(f"{path.name}: {error}")
    return found, problems, lacking


def _has(lab: Lab, need: str) -> bool:
    """Whether a lab holds rows of a table, or says something other than by default."""
    if need in SCHEMAS:
        return lab.holds(need)
    if need in Settings.__struct_fields__:
        return getattr(lab.settings, need) != getattr(Settings(), need)
    raise BadSettings(f"it needs {need!r}, which is no table and no setting of lab.toml")


def shipped_notebooks() -> list[Path]:
    """The notebooks that come with the library."""
    return sorted(shipped("notebooks").glob("*.ipynb"))


def run_report(
    notebook: Path,
    lab: Lab,
    out: Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    progress: Cells | None = None,
    **request: Any,
) -> Report:
    """Make one report; see `run_reports` for what is written and refused, `Request` for more."""

    def step(_: int, cell: int, cells: int) -> None:
        if progress:
            progress(cell, cells)

    wanted = Request(notebook, parameters or {}, **request)
    return run_reports([wanted], lab, out, progress=step)[0]


def run_reports(
    requests: Sequence[Request],
    lab: Lab,
    out: Path,
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
    progress: Progress | None = None,
    stopped: Event | None = None,
) -> list[Report]:
    """Run notebooks on a lab; write their pages and executed notebooks into `out`.

    All are checked before the first kernel starts. A cell that fails gives a report that shows how
    far it got, and the others still run. Interrupted, it leaves no kernel behind.

    Parameters
    ----------
    requests
        What to run.
    lab
        The lab all of them see as it is now; one that is pinned to a version as it was then.
    out
        Folder of the reports, see `aiops_lab.reports.site`.
    jobs
        How many run at once; by default as many as there are processors.
    time_limit
        Seconds for each.
    progress
        Called before each cell.
    stopped
        Set when nothing more is to begin.

    Raises
    ------
    BadSettings
        A parameter that a notebook does not have, or of another type; a folder that cannot be
        written to.
    LabError
        The lab cannot be written, which keeps the verdicts.
    """
    lab = lab.at(lab.version)
    ready = [_prepared(request, lab, out) for request in requests]
    _check_folders(out, lab)
    pages = [each.place.page for each in ready]
    if twice := {page.parent.name for page in pages if pages.count(page) > 1}:
        raise BadSettings(f"two reports would be called {twice.pop()!r}; run one after the other")
    if not ready:
        return []
    warm_up()
    Thread(target=prepare, daemon=True).start()

    def one(number: int, stopped: Event) -> Report:
        def step(cell: int, cells: int) -> None:
            if progress:
                progress(number, cell, cells)

        return _run(ready[number], lab, time_limit, step, stopped)

    return side_by_side(one, len(ready), jobs, stopped)


def _check_folders(out: Path, lab: Lab) -> None:
    tables = lab.path / "tables"
    if not os.access(tables if tables.exists() else lab.path, os.W_OK):
        raise LabError(
            f"{tables} cannot be written, where verdicts are kept: allow this user to write there, "
            "or copy the lab"
        )
    if tables.resolve() in [out.resolve(), *out.resolve().parents]:
        raise BadSettings(f"the lab's tables are in {out}; choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(f"{out} cannot be the folder of reports: {error.strerror}") from None


def side_by_side(
    one: Callable[[int, Event], Made], count: int, jobs: int | None, stopped: Event | None = None
) -> list[Made]:
    """What `one` makes of each number below `count`; interrupted, it ends all kernels first.

    The event that `one` is given is set when it is to begin nothing more.
    """
    stopped = stopped or Event()
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = pending = [pool.submit(one, number, stopped) for number in range(count)]
        try:
            # after the handler that Polars adds for Ctrl-C, system calls go on waiting: look often
            while pending:
                pending = wait(pending, 0.2, FIRST_EXCEPTION).not_done
                for future in set(futures).difference(pending):
                    future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            stopped.set()
            stop_all()
            raise
    return [future.result() for future in futures]


@dataclass(frozen=True)
class _Ready:
    request: Request
    source: nbformat.NotebookNode
    given: dict[str, Any]
    place: Place


def _prepared(request: Request, lab: Lab, out: Path) -> _Ready:
    source = read_notebook(request.notebook)
    known = parameters_of(source)
    if "lab" in request.parameters:
        raise BadSettings("the lab of a report is the one it is run on, not a parameter")
    checked_values = checked(source, request.parameters)
    given = {name: value for name, value in checked_values.items() if value != known[name].default}
    name = request.name or _named(request, given)
    as_of = request.as_of or lab.as_of
    if "as_of" in known and request.as_of is not None:
        given.setdefault("as_of", as_of.isoformat())
    return _Ready(request, source, given, Place(out, name, as_of))


def _named(request: Request, changed: Mapping[str, Any]) -> str:
    """A name of its own for each set of parameters, so that their histories do not mix."""
    stem = request.notebook.stem
    if not REPORT_NAME.fullmatch(stem) or len(stem) > LONGEST_NAME:
        stem = "report_" + re.sub(r"[^\w.+-]", "_", stem)[:LONGEST_NAME]
    if not changed:
        return stem
    text = json.dumps(changed, sort_keys=True, default=str)
    return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _told(executed: nbformat.NotebookNode, error: str) -> nbformat.NotebookNode:
    """A notebook with an error instead of its outputs."""
    bare = deepcopy(executed)
    code = [cell for cell in bare.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs = []
    code[-1].outputs = [nbformat.v4.new_output("error", ename="Output", evalue=error)]
    return bare


def _environment(notebook: Path, address: str) -> dict[str, str]:
    """As in JupyterLab, modules beside the notebook can be imported."""
    paths = [os.environ.get("PYTHONPATH"), str(notebook.resolve().parent)]
    python_path = os.pathsep.join(filter(None, paths))
    return {**os.environ, "AIOPS_LAB": address, "PYTHONPATH": python_path}


def _run(ready: _Ready, lab: Lab, time_limit: float, progress: Cells, stopped: Event) -> Report:
    request, place = ready.request, ready.place
    given, address = dict(ready.given), f"{lab.path.resolve()}@{lab.version}"
    declared = parameters_of(ready.source).get("lab")
    if declared is not None and declared.default:
        given["lab"] = address
    executed, error = execute(
        ready.source,
        given,
        folder=str(Path.cwd()),
        env=_environment(request.notebook, address),
        time_limit=time_limit,
        progress=progress,
        stopped=stopped,
    )
    shown = ready.given
    if (key := lab.redaction_key()) is not None:
        shown = redacted(shown, key)
        executed = nbformat.NotebookNode(redacted(executed, key))
        error = error and redact(error, key)
    error = error and error[:MOST_TOLD]
    options: dict[str, Any] = {
        "name": request.notebook.stem,
        "lab": lab,
        "parameters": shown,
        "link": place.link,
        "as_of": f"{place.as_of:%Y-%m-%d %H:%M} UTC",
    }
    try:
        verdict, page = executed_verdict(executed), render(executed, **options)
    except Exception as failure:  # an output that is not what its type says
        error = error or f"an output cannot be shown: {type(failure).__name__}: {failure}"
        verdict, page = None, render(_told(executed, error), **options)
    publish(place, page, nbformat.writes(executed), request.keep)
    told = verdict
    if error is not None:
        told = Verdict("inconclusive", f"It could not be computed: {error[:300]}")
    if told is not None:
        lab.record(place.name, told, shown, place.as_of)
    return Report(place.name, place.as_of, place.page, place.latest, place.notebook, verdict, error)
