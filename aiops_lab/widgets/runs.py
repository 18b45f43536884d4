"""Which runs of a lab do I mean?"""

from __future__ import annotations

from typing import Any

import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts.table import cell
from aiops_lab.lab import Lab
from aiops_lab.widgets.panel import Panel, facet, matching, row, search, sentence

FACETS = {"task": "Task", "model": "Model", "prompt_version": "Prompt", "status": "Status"}
SEARCHED = ("run_id", "task", "model", "prompt_version", "labels")
ROWS = 8
HELP = "Ctrl or Shift with a click or the arrow keys chooses several."


class RunPicker(Panel):
    """A list of runs to search and choose from; make one with `pick_runs`.

    Attributes
    ----------
    value
        The ids of the chosen runs, in the lab's order: the oldest first. A run stays chosen while
        a filter hides it.
    """

    told = "Search and pick runs in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Tuple()

    def __init__(self, lab: Lab) -> None:
        tags = pl.col("tags").list.eval("@" + pl.element()).list.join(" ")
        self.runs = lab.runs().with_columns(labels=tags)
        self.search = search("run, task, model, prompt version or tag", self._filter)
        self.facets = {
            name: facet(told, self.runs[name], self._filter) for name, told in FACETS.items()
        }
        self.list = ipywidgets.SelectMultiple(
            description="Runs", rows=ROWS, layout={"width": "auto"}, tooltip=HELP
        )
        self.none = ipywidgets.Button(
            description="Choose none", layout={"margin": "2px 2px 2px 92px"}
        )
        self.none.on_click(lambda _: self.set_trait("value", ()))
        self.chosen = ipywidgets.HTML()
        super().__init__(
            row(self.search), row(*self.facets.values()), self.list, row(self.none, self.chosen)
        )
        self.list.observe(self._choose, "value")
        self.observe(self._filter, "value")
        self._filter()

    def _filter(self, _: Any = None) -> None:
        wanted = [pl.col(n) == f.value for n, f in self.facets.items() if f.value is not None]
        found = self.runs.filter(matching(self.search.value, *SEARCHED), *wanted)
        options = [(_label(each), each["run_id"]) for each in found.reverse().iter_rows(named=True)]
        self.list.unobserve(self._choose, "value")  # new options empty the choice
        self.list.options = options
        self.list.value = [run for _, run in options if run in self.value]
        self.list.observe(self._choose, "value")
        told = f"{len(options)} of {self.runs.height} runs shown, {len(self.value)} chosen. "
        if not self.runs.height:
            told = "The lab holds no runs yet; ingest some: aiops-lab ingest LOGS --lab LAB"
        self.chosen.value = sentence(told + ", ".join(self.value) if self.value else told + HELP)

    def _choose(self, _: Any) -> None:
        hidden = {*self.value} - {run for _, run in self.list.options}
        chosen = hidden | {*self.list.value}
        self.value = tuple(run for run in self.runs["run_id"] if run in chosen)


def _label(run: dict[str, Any]) -> str:
    """One line a run: what a person knows it by, its whole id last."""
    told = (run["task"], run["prompt_version"], run["labels"], run["started_at"], run["model"])
    return "  ·  ".join([*(cell(each)[0] for each in told if each), run["run_id"]])


def pick_runs(lab: Lab) -> RunPicker:
    """Search a lab's runs and choose some.

    Examples
    --------
    >>> import tempfile
    >>> from aiops_lab import open_lab
    >>> picker = pick_runs(open_lab(tempfile.mkdtemp()))
    >>> picker.value
    ()
    """
    return RunPicker(lab)
