"""What became of one question's gold, in the document and in its text, configuration by another?"""

from __future__ import annotations

import html
from itertools import pairwise
from typing import Any

import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts import passages, retrieval
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.widgets.panel import Stepper, facet, row, scrolled, search, sentence
from aiops_lab.wording import visible

EVERY = "all"
ORDERS = ("that tell most", "found by none", EVERY)
HELD = {
    passages.FOUND: "#009e7366", passages.BESIDE: "#e69f0055", passages.MISSED: "#d55e0044",
    passages.IDLE: "transparent",
}  # fmt: skip
MOST = 6_000
"""So many characters of a document are shown, around the gold."""


class StripBrowser(Stepper):
    """One question after the other: the strip of its document and the text in the same colours.

    Make one with `browse_questions`.

    Attributes
    ----------
    value
        The question shown, its first and second configuration; None where there is none.
    """

    told = "Step through the questions in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Dict(allow_none=True, default_value=None)

    def __init__(self, result: Retrieval) -> None:
        self.result, self.found = result, list[str]()
        names = retrieval.chosen(result, None, result.configurations.height)
        self.first = facet("First", names, self._filter, every=False)
        self.second = facet("Second", [*names[1:2], *names], self._filter, every=False)
        self.order = facet("Questions", ORDERS, self._filter, every=False)
        self.search = search("words of the question", self._filter)
        self.strip, self.text = ipywidgets.HTML(), scrolled()
        super().__init__(
            row(self.first, self.second),
            row(self.order, self.search),
            self.buttons(),
            self.strip,
            self.text,
        )
        self._filter()

    @property
    def names(self) -> list[str]:
        """The configurations shown, one above the other."""
        return list(dict.fromkeys((str(self.first.value), str(self.second.value))))

    def _filter(self, _: Any = None) -> None:
        asked = passages.telling(self.result, self.names, self.result.questions.height)
        texts = dict(self.result.questions.select("question_id", "text").iter_rows())
        if self.order.value == "found by none":
            asked = [q for q in asked if q in self._missed()]
        elif self.order.value == EVERY:
            asked = [q for q in texts if q in set(asked)]
        words = self.search.value.lower().split()
        self.found = [q for q in asked if all(w in f"{q} {texts[q] or ''}".lower() for w in words)]
        self._show(0)

    def _missed(self) -> set[str]:
        column, *_ = retrieval.compared_by(self.result)
        best = self.result.per_question.group_by("question_id").agg(pl.col(column).max())
        return set(best.filter(pl.col(column) < passages.HALF)["question_id"])

    def _show(self, at: int) -> None:
        self.step(at, len(self.found))
        self.strip.value = ""
        if not self.found:
            self.value, self.text.value = None, sentence("No question.")
            return
        question = self.found[self.at]
        self.value = {"question": question, "configurations": self.names}
        self.strip.value = self._strip(question)
        self.text.value = self._text(question)

    def _strip(self, question: str) -> str:
        """A bar a configuration: chunks by what became of them, ranks, gold above."""
        blocks, gold, cuts = passages.strip_frames(self.result, [question], self.names)
        if not blocks.height:
            return sentence("No chunk lies near the gold of this question.")
        low, high = int(blocks["start"].to_numpy().min()), int(blocks["end"].to_numpy().max())

        def bar(start: int, end: int, style: str, told: str, text: str = "") -> str:
            left, width = (100 * part / (high - low) for part in (start - low, end - start))
            place = f"position:absolute;left:{left:.3f}%;width:{width:.3f}%;box-sizing:border-box"
            return f'<div title="{html.escape(told)}" style="{place};{style}">{text}</div>'

        found = []
        for name in blocks["row"].unique(maintain_order=True):
            own, marks = blocks.filter(row=name), gold.filter(row=name)
            cut = cuts.filter(row=name).filter("real")
            bars = [
                bar(s, e, f"top:14px;height:20px;background:{HELD[state]};border:1px solid #8889;"
                    "text-align:center;font-size:11px;overflow:visible",
                    f"{state}, {s} to {e}", "" if rank is None else f"<b>{rank}</b>")
                for s, e, state, rank in own["start", "end", "state", "rank"].iter_rows()
            ]  # fmt: skip
            bars += [
                bar(s, e, f"top:4px;height:7px;background:{'#cc79a7' if came else '#d55e00'}",
                    f"gold {'found' if came else 'missed'}, {s} to {e}")
                for s, e, came in marks["start", "end", "found"].iter_rows()
            ]  # fmt: skip
            bars += [bar(at, at, "top:0;height:14px;border-left:2px solid currentColor", told)
                     for at, told in cut["at", "told"].iter_rows()]  # fmt: skip
            found.append(
                f"<div>{html.escape(visible(name))}</div>"
                f'<div style="position:relative;height:38px">{"".join(bars)}</div>'
            )
        legend = " ".join(
            f'<span style="background:{colour};border:1px solid #8889;padding:0 4px">{state}</span>'
            for state, colour in HELD.items()
        )
        told = "gold above: purple found, vermilion missed; numbers are ranks"
        return f"{''.join(found)}<p>{legend} <span class='quiet'>{told}</span></p>"

    def _text(self, question: str) -> str:
        """The document of the first gold, in the colours of the first configuration."""
        texts = dict(self.result.questions.select("question_id", "text").iter_rows())
        asks = f"<p><b>{html.escape(visible(texts[question] or question))}</b></p>"
        if self.result.corpus is None:
            return asks + sentence("The texts are not known here: give the corpus to see them.")
        doc_id, start, end = (
            self.result.gold.filter(question_id=question).select("doc_id", "start", "end").row(0)
        )
        text = self.result.corpus.text(doc_id)
        low, high = max(0, start - MOST // 2), min(len(text), end + MOST // 2)
        blocks, gold, _ = passages.strip_frames(self.result, [question], self.names[:1])
        if blocks["row"].n_unique() > 1:
            own = f"{self.names[0]} · {doc_id}"
            blocks, gold = blocks.filter(row=own), gold.filter(row=own)
        spans = blocks["start", "end", "state"].rows()
        marks = gold["start", "end"].rows()
        inner = {edge for s, e, *_ in (*spans, *marks) for edge in (s, e) if low < edge < high}
        parts = []
        for here, there in pairwise(sorted({low, high} | inner)):
            state = next((w for s, e, w in spans if s <= here and there <= e), passages.IDLE)
            line = any(s <= here and there <= e for s, e in marks)
            style = f"background:{HELD[state]};white-space:pre-wrap"
            style += ";border-bottom:3px solid #cc79a7" if line else ""
            piece = html.escape(visible(text[here:there], alone=True))
            parts.append(f'<span style="{style}">{piece}</span>')
        named = html.escape(visible(f"{doc_id}, as {self.names[0]} divides it; gold is underlined"))
        return f"{asks}<p class='quiet'>{named}</p>{''.join(parts)}"


def browse_questions(result: Retrieval) -> StripBrowser:
    """Step through the questions of a retrieval experiment, two configurations at a time."""
    return StripBrowser(result)
