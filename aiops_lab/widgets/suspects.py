"""Who may have done it, what speaks for it, and what differs in its two versions?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts import triage as pictures
from aiops_lab.respond.difference import Difference, prompt_pair, text_difference
from aiops_lab.respond.triage import Triage
from aiops_lab.respond.words import name_of, percent
from aiops_lab.widgets.panel import (
    WIDER,
    Panel,
    facet,
    followed,
    offered,
    row,
    scrolled,
    sentence,
    shown,
)
from aiops_lab.widgets.texts import side_by_side


class SuspectExplorer(Panel):
    """The suspects of a triage one by one; make one with `explore_suspects`.

    Attributes
    ----------
    value
        The row of `Triage.suspects` that is shown, by column; None where there is none.
    difference
        What differs between both versions; None where their texts are not known.
    """

    told = "Look at each suspect and what changed in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Dict(allow_none=True, default_value=None)
    difference: Difference | None = None

    def __init__(self, result: Any, artefacts: pl.DataFrame) -> None:
        self.artefacts = artefacts.drop_nulls(["version", "content"])
        self.suspect = ipywidgets.Dropdown(description="Suspect", layout={"width": WIDER})
        self.suspect.observe(self._show, "value")
        self.old = facet("Before", [], self._differ, every=False)
        self.new = facet("After", [], self._differ, every=False)
        self.board, self.moved = scrolled(), scrolled()
        self.note, self.text = ipywidgets.HTML(), scrolled()
        super().__init__(
            self.suspect, self.board, self.moved, row(self.old, self.new), self.note, self.text
        )
        self._begin(followed(result, self._begin))

    def _begin(self, result: Triage | None) -> None:
        """Another triage, its first suspect."""
        self.result = result
        rows = result.suspects.to_dicts() if result is not None else []
        names = {n: f"{name_of(each)}: {percent(each['probability'])}"
                 for n, each in enumerate(rows)}  # fmt: skip
        offered(self.suspect, names, self._show)
        self.suspect.layout.display = None if rows else "none"
        self._show()

    def _show(self, _: Any = None) -> None:
        n = self.suspect.value
        if self.result is None or n is None:
            self.value = None
            told = sentence(pictures.NOBODY)
            self.board.value, self.moved.value, known = told, "", []
        else:
            self.value = self.result.suspects.row(n, named=True)
            own = self.result.evidence.filter(suspect=n + 1).with_columns(suspect=pl.lit(1))
            one = replace(self.result, suspects=self.result.suspects[n : n + 1], evidence=own)
            self.board.value = shown(replace(pictures.board(one), title=""))
            self.moved.value = shown(pictures.moved(one))
            known = self.artefacts.filter(artefact=self.value["artefact"])["version"].to_list()
        pair = prompt_pair(self.artefacts, self.value) if self.value else (None, None)
        for box, version in zip((self.old, self.new), pair, strict=True):
            names = {None: "none", **{name: name for name in known}}
            offered(box, names, self._differ, version)
            box.layout.display = None if len(known) > 1 else "none"
        self._differ()

    def _differ(self, _: Any = None) -> None:
        """What differs between the versions that are chosen."""
        self.difference, self.note.value, self.text.value = None, "", ""
        if self.value is None:
            return
        texts = dict(
            self.artefacts.filter(artefact=self.value["artefact"])
            .select("version", "content").iter_rows()
        )  # fmt: skip
        names = self.old.value, self.new.value
        old, new = (texts.get(name) for name in names)
        if old is None or new is None:
            told = f"The texts of both versions of {name_of(self.value)} are not in the lab."
            self.note.value = sentence(f"{told} Choose two others." if len(texts) > 1 else told)
            return
        self.difference = text_difference(old, new)
        self.text.value = side_by_side(self.difference, (f"− {names[0]}", f"+ {names[1]}"))


def explore_suspects(result: Any, artefacts: pl.DataFrame) -> SuspectExplorer:
    """Look at each suspect of a triage: its evidence, and what differs in its two versions.

    Parameters
    ----------
    result
        A `Triage`, or the widget `pick_incident` gives, which is followed.
    artefacts
        The canonical table, ``lab.table("artefacts")``, with the texts of versions.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from aiops_lab import triage
    >>> at = [datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(480)]
    >>> new = [n >= 300 and n % 2 == 0 for n in range(480)]
    >>> rows = pl.DataFrame({"at": at, "prompt_version": ["v2" if x else "v1" for x in new],
    ...                      "refusal": [x and n % 8 > 0 for n, x in enumerate(new)]})
    >>> texts = pl.DataFrame({"artefact": "prompt", "version": ["v1", "v2"],
    ...                       "content": ["Answer {{question}}", "Answer {question}"]})
    >>> found = triage(rows, (at[300], at[-1]), metric="refusal")
    >>> explore_suspects(found, texts).difference.variables["variable"].to_list()
    ['{question}', '{{question}}']
    """
    return SuspectExplorer(result, artefacts)
