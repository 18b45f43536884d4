"""Which questions turned, and what did both runs answer?"""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import Any

import polars as pl
import traitlets

from aiops_lab.charts import compare
from aiops_lab.errors import LabError
from aiops_lab.lab import Lab
from aiops_lab.ship.compare import Comparison
from aiops_lab.widgets.panel import (
    Stepper,
    facet,
    matching,
    row,
    scrolled,
    search,
    sentence,
    shown,
)
from aiops_lab.wording import visible

LOST = pl.col("difference") * pl.col("direction") < 0
TURNED = {None: pl.lit(True), "lost": LOST, "gained": ~LOST}
SEARCHED = ("sample_id", "input", "target", "baseline_output", "candidate_output")
MOST = 20_000
"""So many characters of a whole answer are shown."""


class FlipBrowser(Stepper):
    """One flip after the other with both answers; make one with `browse_flips`.

    Attributes
    ----------
    value
        The row of `Comparison.flips` that is shown, by column; None where there is none.
    """

    told = "Browse the flips one by one in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Dict(allow_none=True, default_value=None)

    def __init__(self, result: Comparison, lab: Lab | None = None) -> None:
        self.result, self.lab = result, lab
        self.found = result.flips
        self.short = compare.labels(result)
        self.candidate = facet("Candidate", self.short.values(), self._filter)
        self.metric = facet("Score", self.found["metric"], self._filter)
        self.turned = facet("Turned", TURNED, self._filter)
        self.search = search("words of question, target or answer", self._filter)
        self.case, self.trace = scrolled(), scrolled()
        logs = ["hidden", *compare.SIDES] if lab else []
        self.whole = facet("Whole log", logs, lambda _: self._show(self.at), every=False)
        super().__init__(
            row(self.candidate, self.metric, self.search, self.turned),
            self.buttons(),
            self.case,
            self.whole,
            self.trace,
        )
        self._filter()

    def _filter(self, _: Any = None) -> None:
        wanted = [matching(self.search.value, *SEARCHED), TURNED[self.turned.value]]
        if self.candidate.value is not None:
            wanted.append(pl.col("candidate_run").replace(self.short) == self.candidate.value)
        if self.metric.value is not None:
            wanted.append(pl.col("metric") == self.metric.value)
        self.found = self.result.flips.filter(wanted)
        self._show(0)

    def _show(self, at: int) -> None:
        self.step(at, self.found.height)
        self.value = self.found.row(self.at, named=True) if self.found.height else None
        self.case.value, self.trace.value = self._case(), self._trace()

    def _case(self) -> str:
        if self.value is None:
            some = self.result.flips.height
            return sentence("No flip is like that." if some else "No question turned.")
        one = compare.flips(replace(self.result, flips=self.found.slice(self.at, 1)))
        return shown(replace(one, title="")).replace("<details", "<details open")

    def _trace(self) -> str:
        """The whole of one answer as its source has it."""
        if self.lab is None or self.value is None or self.whole.value == "hidden":
            return ""
        own = self.whole.value == "candidate"
        run = self.value["candidate_run"] if own else self.result.settings["baseline"]
        try:
            detail = self.lab.detail(run, self.value["sample_id"])
        except LabError as error:
            return sentence(str(error))
        text = json.dumps(detail, indent=2, ensure_ascii=False, default=str)
        more = f"\n{len(text) - MOST:,} more characters" if len(text) > MOST else ""
        return f"<pre>{html.escape(visible(text[:MOST], alone=True) + more)}</pre>"


def browse_flips(result: Comparison, lab: Lab | None = None) -> FlipBrowser:
    """Go through the questions whose score turned, with both answers and what differs in them.

    Parameters
    ----------
    result
        A comparison.
    lab
        The lab it was made of, to open the whole log of an answer.

    Examples
    --------
    >>> import polars as pl
    >>> from aiops_lab import compare_runs
    >>> table = pl.DataFrame({
    ...     "run_id": ["a"] * 3 + ["b"] * 3,
    ...     "sample_id": ["x", "y", "z"] * 2,
    ...     "value": [1, 0, 1, 1, 0, 0],
    ... })
    >>> browser = browse_flips(compare_runs(table, baseline="a", candidate="b"))
    >>> browser.value["sample_id"]
    'z'
    """
    return FlipBrowser(result, lab)
