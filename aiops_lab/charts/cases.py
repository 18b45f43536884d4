"""Actual cases: what was asked, what was wanted, and what each side answered."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aiops_lab.diff import Parts, word_diff
from aiops_lab.wording import visible

MIME = "application/vnd.aiops-lab.cases+json"
MOST = 30
"""So many of each kind are shown."""
MARKED = {
    "": "{}",
    "-": '<del style="background:#d55e0040">−{}</del>',
    "+": '<ins style="background:#0072b240">+{}</ins>',
}


@dataclass(frozen=True)
class Case:
    """One question: a heading, a sign for the way it turned, texts by name, and both answers.

    An answer is a text, or one in parts that says what only this side has.
    """

    title: str
    turned: str
    texts: Mapping[str, str]
    answers: Mapping[str, str | Parts]


@dataclass(frozen=True)
class Cases:
    """Cases ready to be shown, some of `total`; a sentence where there are none."""

    title: str
    cases: Sequence[Case]
    total: int

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            MIME: json.loads(json.dumps(asdict(self))),
            "text/html": f"<p>{html.escape(visible(self.title))}</p>"
            + "".join(map(_html, self.cases)),
            "text/plain": f"{self.title} ({self.total})",
        }


def note(text: str) -> Cases:
    """A sentence where there is nothing to draw or list."""
    return Cases(text, [], 0)


def case(title: str, turned: str, texts: Mapping[str, str | None], *answers: str | None) -> Case:
    """A case with both answers, the words that differ marked unless the texts are huge."""
    old, new = answers
    shown: tuple[str | Parts, str | Parts] | None = None
    if old is not None and new is not None:
        shown = word_diff(old, new)
    if shown is None:
        missing = "no text was logged"
        shown = (missing if old is None else old, missing if new is None else new)
    known = {name: text for name, text in texts.items() if text}
    return Case(title, turned, known, dict(zip(("baseline", "candidate"), shown, strict=True)))


def _html(case: Case) -> str:
    """A plain rendering, for JupyterLab."""

    def e(text: str) -> str:
        return html.escape(visible(text))

    texts = "".join(f"<p><b>{e(k)}</b> {e(v)}</p>" for k, v in case.texts.items())
    style = "white-space:pre-wrap;text-align:left;vertical-align:top"
    answers = "".join(
        f'<td style="{style}"><b>{e(k)}</b><br>{_marked(v)}</td>' for k, v in case.answers.items()
    )
    summary = f"<summary>{e(case.turned)} {e(case.title)}</summary>"
    return f"<details>{summary}{texts}<table><tr>{answers}</tr></table></details>"


def _marked(text: str | Parts) -> str:
    parts = [("", text)] if isinstance(text, str) else text
    return "".join(
        MARKED[sign].format(html.escape(visible(part, alone=True))) for sign, part in parts
    )
