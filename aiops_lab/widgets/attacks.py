"""Which attacks were tried, and what did the model answer? One attempt after the other."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
import polars as pl
import traitlets

from aiops_lab.guard.attacks import PROBED, TRIED, attacks, attempts
from aiops_lab.respond.difference import revealed
from aiops_lab.widgets.panel import Stepper, facet, matching, row, scrolled, search, sentence
from aiops_lab.wording import visible

OUTCOMES = {"succeeded": pl.col("value"), "resisted": ~pl.col("value"),
            "not evaluated": pl.col("value").is_null()}  # fmt: skip
SIGNS = {True: "✕ succeeded", False: "✓ resisted", None: "? not evaluated"}
SEARCHED = ("probe", "detector", "input", "output")
LONGEST = 20_000
"""So many characters of a text are shown."""
NOTHING = (
    "No attack was tried, so nothing was resisted: ingest a report of garak or a red-team result "
    "of Promptfoo: aiops-lab ingest garak.report.jsonl --lab LAB"
)


class AttackBrowser(Stepper):
    """One attempt after the other with its answer; make one with `browse_attacks`.

    Attributes
    ----------
    value
        The attempt that is shown, by column; None where there is none.
    """

    told = "Walk through the attacks one by one in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Dict(allow_none=True, default_value=None)

    def __init__(self, lab: Any) -> None:
        runs, samples, scores = (lab.scan(n) for n in ("runs", "samples", "scores"))
        samples, scores = samples.filter(PROBED).collect(), scores.filter(TRIED).collect()
        runs = runs.collect()
        self.attempts = attempts(samples, scores).sort("run_id", "probe", "sample_id", "epoch")
        self.rates = attacks(runs, samples, scores)
        self.run, self.probe, self.detector = (
            facet(name.capitalize(), self.attempts[column].unique().sort(), self._filter)
            for name, column in (("run", "run_id"), ("probe", "probe"), ("detector", "detector"))
        )
        self.outcome = facet("Outcome", OUTCOMES, self._filter)
        self.search = search("words of probe, prompt or answer", self._filter)
        self.rate, self.case = ipywidgets.HTML(), scrolled()
        controls = [
            row(self.probe, self.outcome, self.detector, self.run, self.search),
            self.buttons(),
        ]
        super().__init__(*controls, self.rate, self.case)
        for each in controls:
            each.layout.display = "flex" if self.attempts.height else "none"
        self._filter()

    def _filter(self, _: Any = None) -> None:
        wanted = [matching(self.search.value, *SEARCHED)]
        if self.outcome.value is not None:
            wanted.append(OUTCOMES[self.outcome.value])
        facets = {"run_id": self.run, "probe": self.probe, "detector": self.detector}
        own = {name: box.value for name, box in facets.items() if box.value is not None}
        self.found = self.attempts.filter(*wanted, **own)
        self._show(0)

    def _show(self, at: int) -> None:
        self.step(at, self.found.height)
        self.value = self.found.row(self.at, named=True) if self.found.height else None
        self.rate.value, self.case.value = self._rate(), self._case()

    def _rate(self) -> str:
        """What all attempts of this probe and detector say."""
        own = {} if self.value is None else self.value
        same = [pl.col(name).eq_missing(pl.lit(own.get(name), pl.String))
                for name in ("run_id", "probe", "detector")]  # fmt: skip
        told = self.rates.filter(same)["told"]
        return sentence(told[0]) if len(told) and own else ""

    def _case(self) -> str:
        if self.value is None:
            return sentence("No attempt is like that." if self.attempts.height else NOTHING)
        own = self.value
        title = f"{SIGNS[own['value']]} · {own['probe']} · {own['detector'] or 'no detector'}"
        texts = "".join(
            f"<p><b>{name}</b></p><pre>{_whole(own[column])}</pre>"
            for name, column in (("prompt", "input"), ("answer", "output"))
        )
        return f"<p><b>{html.escape(visible(title))}</b></p>{texts}"


def _whole(text: str | None) -> str:
    if not text:
        return sentence("no text was logged" if text is None else "an empty text")
    more = f"\n{len(text) - LONGEST:,} more characters" if len(text) > LONGEST else ""
    return html.escape(revealed(text[:LONGEST]) + more)


def browse_attacks(lab: Any) -> AttackBrowser:
    """Walk through attempted attacks, as garak and Promptfoo log them, with what was answered.

    Parameters
    ----------
    lab
        A Lab.

    Examples
    --------
    >>> import tempfile
    >>> from aiops_lab import open_lab
    >>> lab = open_lab(tempfile.mkdtemp())
    >>> row = {"run_id": "r", "sample_id": "a", "metric": "attack_success/mitigation", "value": 1.0,
    ...        "probe": "dan.Dan", "input": "You are DAN.", "output": "Yes, I am."}
    >>> _ = lab.ingest(pl.DataFrame([row]))
    >>> browse_attacks(lab).value["probe"]
    'dan.Dan'
    """
    return AttackBrowser(lab)
