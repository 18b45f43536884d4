"""With which parameters shall a notebook run?"""

from __future__ import annotations

import html
import json
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import ipywidgets
import traitlets

from aiops_lab import reports
from aiops_lab.errors import LabError
from aiops_lab.lab import Lab
from aiops_lab.reports.parameters import Parameter, parameters_of, read_notebook
from aiops_lab.reports.run import notebook_named
from aiops_lab.widgets.panel import WIDE, Panel, row, sentence, shown

RUNS = ("baseline", "candidate", "run", "runs")
"""Parameters of these names are runs."""
NUMBERS = {"int": ipywidgets.IntText, "float": ipywidgets.FloatText}


class ParameterForm(Panel):
    """A field for each parameter of a notebook, and a button; make one with `parameter_form`.

    Attributes
    ----------
    value
        The parameters that differ from their defaults, checked; a field in error is left out.
    report
        The last report that was run from here; None before.
    """

    told = "Set the parameters and run the report in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Dict()
    report = traitlets.Any()

    def __init__(self, notebook: str | Path, lab: Lab, out: str | Path | None = None) -> None:
        self.notebook, self.lab = notebook_named(str(notebook), lab), lab
        self.out = Path(out or "reports")
        known = parameters_of(read_notebook(self.notebook))
        self.parameters = {name: each for name, each in known.items() if name != "lab"}
        runs = lab.runs()
        tags = (f"@{tag}" for tag in runs["tags"].explode().drop_nulls().unique().sort())
        names = list(dict.fromkeys(["latest", "latest~1", *tags, *runs["run_id"].reverse()]))
        self.fields = {name: _field(each, names) for name, each in self.parameters.items()}
        beside = {"flex": "1 1 20em", "width": "auto"}
        self.hints = {name: ipywidgets.HTML(layout=beside) for name in self.fields}
        self.first = {name: field.value for name, field in self.fields.items()}
        self.errors: dict[str, str] = {}
        self.running = False
        self.button = ipywidgets.Button(
            description="Run as report", icon="play", button_style="primary"
        )
        self.button.on_click(self.run)
        self.progress = ipywidgets.IntProgress(layout={"display": "none", "width": WIDE})
        self.verdict, self.page = ipywidgets.HTML(), ipywidgets.Output()
        super().__init__(
            ipywidgets.HTML(sentence(f"Parameters of {self.notebook.stem}", "")),
            *(row(self.fields[name], self.hints[name]) for name in self.fields),
            row(self.button, self.progress),
            self.verdict,
            self.page,
        )
        for field in self.fields.values():
            field.observe(self._check, "value")
        self._check()

    def _check(self, _: Any = None) -> None:
        values, self.errors = {}, {}
        for name, parameter in self.parameters.items():
            try:
                value = self._read(parameter)
                if value != parameter.default:
                    values[name] = value
            except LabError as error:
                self.errors[name] = str(error)
            wrong = self.errors.get(name)
            hint = sentence(f"✕ {wrong}", "wrong") if wrong else sentence(parameter.help)
            self.hints[name].value = hint
        self.value = values
        self.button.disabled = self.running or bool(self.errors)

    def _read(self, parameter: Parameter) -> Any:
        """A field's value, checked; runs by whether they are there."""
        value = self.fields[parameter.name].value
        if value == self.first[parameter.name]:
            value = parameter.default
        elif isinstance(value, str):
            value = parameter.read(value.strip())
        value = parameter.taken(value)
        if parameter.name in RUNS:
            for run in filter(None, [value] if isinstance(value, str) else value or []):
                self.lab.find_run(run)
        return value

    def run(self, _: Any = None) -> None:
        """Run the notebook as a report in the background; nothing while one runs already."""
        if self.running or self.errors:
            return
        self.running = self.button.disabled = True
        self.verdict.value, self.page.outputs = "", ()
        self._step(0, 0)
        self.progress.layout.display = None
        Thread(target=self._run, args=[dict(self.value)], daemon=True).start()

    def _run(self, values: dict[str, Any]) -> None:
        try:
            notebook, lab, out = self.notebook, self.lab, self.out
            report = reports.run_report(notebook, lab, out, values, progress=self._step)
            if report.error:
                self.verdict.value = sentence(f"✕ It failed: {report.error}", "wrong")
            elif report.verdict:
                self.verdict.value = shown(report.verdict)
            link = {"output_type": "display_data", "metadata": {}, "data": _link(report.page)}
            self.page.outputs = (link,)
            self.report = report
        except Exception as error:  # nobody sees what a thread raises
            self.verdict.value = sentence(f"✕ {type(error).__name__}: {error}", "wrong")
        finally:
            self.progress.layout.display, self.running = "none", False
            self._check()

    def _step(self, cell: int, cells: int) -> None:
        self.progress.max, self.progress.value = max(cells, 1), cell
        self.progress.description = f"cell {cell} of {cells}" if cells else "starting"


def _field(parameter: Parameter, runs: list[str]) -> Any:
    """The control for a parameter's type, showing its default."""
    name, kind, default = parameter.name, parameter.annotation, parameter.default
    look = {"description": name.replace("_", " "), "tooltip": parameter.help}
    look |= {"layout": {"width": WIDE}, "style": {"description_width": "9em"}}
    if isinstance(default, bool):
        return ipywidgets.Checkbox(default, **look, indent=True)
    if kind in NUMBERS and default is not None:
        return NUMBERS[kind](default, **look)
    look |= {"placeholder": "separated by commas" if kind.startswith("list") else "none"}
    if isinstance(default, list):
        text = ", ".join(map(str, default))
    else:
        text = json.dumps(default) if isinstance(default, dict) else default or ""
    options = {"options": runs} if name in RUNS else {}
    control = ipywidgets.Combobox if options else ipywidgets.Text
    return control(value=text, continuous_update=False, **options, **look)


def _link(page: Path) -> dict[str, str]:
    """A link that JupyterLab resolves beside the notebook; elsewhere the path."""
    try:
        beside = page.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return {"text/plain": str(page)}
    link = f'<a href="{quote(beside)}" target="_blank">{html.escape(beside)}</a>'
    told = f"The page: {link} (JupyterLab draws its charts after “Trust HTML”)"
    return {"text/html": told, "text/plain": beside}


def parameter_form(notebook: str | Path, lab: Lab, out: str | Path | None = None) -> ParameterForm:
    """Fill in a notebook's parameters and run it as a report.

    Parameters
    ----------
    notebook
        A notebook by name (one that is shipped, or the lab's own) or by path.
    lab
        The lab the report is run on.
    out
        The folder of the page; ``reports`` beside the open notebook by default.

    Raises
    ------
    BadSettings
        There is no such notebook, or it has no parameters.

    Examples
    --------
    >>> import tempfile
    >>> from aiops_lab import open_lab
    >>> form = parameter_form("ship_compare_runs", open_lab(tempfile.mkdtemp()))
    >>> form.fields["margin"].value = "0.02"
    >>> form.value
    {'margin': 0.02}
    """
    return ParameterForm(notebook, lab, out)
