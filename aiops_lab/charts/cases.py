"""Actual cases: what was asked, what was wanted, and what each side answered."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MIME = "application/vnd.aiops-lab.cases+json"
MOST = 50


@dataclass(frozen=True)
class Case:
    """One question: a heading, a sign for the way it turned, texts by name, and both answers."""

    title: str
    turned: str
    texts: dict[str, str]
    answers: dict[str, str]


@dataclass(frozen=True)
class Cases:
    """Cases ready to be shown, the first `MOST` of `total`."""

    title: str
    cases: Sequence[Case]
    total: int

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            MIME: json.loads(json.dumps(asdict(self))),
            "text/html": f"<h4>{html.escape(self.title)}</h4>" + "".join(map(_html, self.cases)),
            "text/plain": f"{self.title} ({self.total})",
        }


def _html(case: Case) -> str:
    """A plain rendering, for JupyterLab."""
    e = html.escape
    texts = "".join(f"<p><b>{e(k)}</b> {e(v)}</p>" for k, v in case.texts.items())
    style = "white-space:pre-wrap;text-align:left;vertical-align:top"
    answers = "".join(
        f'<td style="{style}"><b>{e(k)}</b><br>{e(v)}</td>' for k, v in case.answers.items()
    )
    summary = f"<summary>{e(case.turned)} {e(case.title)}</summary>"
    return f"<details>{summary}{texts}<table><tr>{answers}</tr></table></details>"
