"""One report: run a notebook with parameters, render its page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from aiops_lab.errors import BadSettings
from aiops_lab.lab import Lab
from aiops_lab.reports.page import executed_verdict, render, write_text
from aiops_lab.reports.parameters import checked, parameters_of, read_notebook
from aiops_lab.shipped import shipped
from aiops_lab.verdict import Verdict

TIME_LIMIT = 1800
"""Seconds a single cell may take."""


@dataclass(frozen=True)
class Report:
    """One report that was run.

    Attributes
    ----------
    name
        The notebook's name.
    page, notebook
        The HTML page and the executed notebook.
    verdict
        What the notebook found; None where it has no verdict or did not get that far.
    error
        Why it could not be computed, if it could not.
    """

    name: str
    page: Path
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


def shipped_notebooks() -> list[Path]:
    """The notebooks that come with the library."""
    return sorted(shipped("notebooks").glob("*.ipynb"))


def run_report(
    notebook: Path, lab: Lab, out: Path, parameters: Mapping[str, Any] | None = None
) -> Report:
    """Run a notebook on a lab and write its page and the executed notebook into `out`.

    Parameters are checked by name and type before a kernel starts. A cell that fails gives a
    report that shows how far it got.

    Raises
    ------
    BadSettings
        A parameter that the notebook does not have, or of another type; a lab as it was (the
        notebook would open it as it is).
    """
    if lab.pinned:
        raise BadSettings("reports run on the newest version of a lab")
    source = read_notebook(notebook)
    given = checked(source, parameters or {})
    if "lab" in given:
        raise BadSettings("the lab of a report is the one it is run on, not a parameter")
    if "lab" in parameters_of(source):
        given["lab"] = str(lab.path.resolve())
    executed = out / f"{notebook.stem}.ipynb"
    if executed.resolve() == notebook.resolve():
        raise BadSettings(f"the executed notebook would replace {notebook}; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    error = _execute(notebook, executed, given)
    result = nbformat.read(executed, as_version=4)
    verdict = executed_verdict(result)
    page = out / f"{notebook.stem}.html"
    shown = {name: value for name, value in given.items() if name != "lab"}
    write_text(page, render(result, name=notebook.stem, lab=lab, parameters=shown))
    if error is not None:
        told = Verdict("inconclusive", f"It could not be computed: {error[:300]}")
        lab.record(notebook.stem, told, shown)
    elif verdict is not None:
        lab.record(notebook.stem, verdict, shown)
    return Report(notebook.stem, page, executed, verdict, error)


def _execute(notebook: Path, executed: Path, parameters: dict[str, Any]) -> str | None:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    # the kernel of this environment, whatever kernels the user has installed
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    try:
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            execution_timeout=TIME_LIMIT,
            extra_arguments=["--log-level=40"],
        )
    except PapermillExecutionError as failure:
        return f"{failure.ename}: {failure.evalue}"
    except (RuntimeError, ValueError, OSError) as failure:  # the kernel died, or never started
        if not executed.exists():
            executed.write_bytes(notebook.read_bytes())
        return f"{type(failure).__name__}: {failure}"
    return None
