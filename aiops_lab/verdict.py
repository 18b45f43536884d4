"""A verdict: one status, one sentence, its evidence and what to do next."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from aiops_lab.errors import LabError
from aiops_lab.wording import visible

Status = Literal["ok", "warn", "fail", "inconclusive"]
STATUSES: tuple[Status, ...] = get_args(Status)
BADNESS: tuple[Status, ...] = ("ok", "inconclusive", "warn", "fail")
SIGNS: dict[str, str] = {"ok": "●", "warn": "▲", "fail": "■", "inconclusive": "◇"}
MIME = "application/vnd.aiops-lab.verdict+json"
WIDGET_MIME = "application/vnd.aiops-lab.widget+json"
"""What stands for a widget where there is no Python: ``told``, a sentence."""


@dataclass(frozen=True)
class Evidence:
    """One figure a verdict rests on, with its interval and limit (null where there is none).

    `share`: it is a difference of shares, told in points.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    status: Status = "ok"
    share: bool = False


@dataclass(frozen=True)
class Verdict:
    """The answer of a result, to be acted on by someone who did not read the notebook.

    Parameters
    ----------
    status
        ``ok``, ``warn``, ``fail`` or ``inconclusive``; no other words.
    headline
        One sentence with the figure and its interval.
    evidence
        The figures behind it.
    next_step
        What to do now; for ``inconclusive``, what would settle it.

    Examples
    --------
    >>> print(Verdict("ok", "Answers got better.", next_step="Release it."))
    ● ok: Answers got better. Release it.
    """

    status: Status
    headline: str
    evidence: tuple[Evidence, ...] = field(default=())
    next_step: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise LabError(f"a verdict is one of {', '.join(STATUSES)}, not {self.status!r}")

    def __str__(self) -> str:
        return f"{SIGNS[self.status]} {self.status}: {self.headline} {self.next_step}".strip()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        headline, step = (html.escape(visible(text)) for text in (self.headline, self.next_step))
        return f"<p><strong>{SIGNS[self.status]} {self.status}</strong> {headline}<br>{step}</p>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            MIME: json.loads(json.dumps(self.to_dict())),
            "text/plain": str(self),
            "text/html": self._repr_html_(),
        }


def together(*verdicts: Verdict) -> Verdict:
    """The verdicts of one page as one: the worst first, then what else needs a look.

    Examples
    --------
    >>> slow = Verdict("warn", "Answers got slower.", next_step="Look at the traces.")
    >>> print(together(Verdict("ok", "No share follows the calendar."), slow))
    ▲ warn: Answers got slower. Look at the traces.
    """
    ranked = sorted(verdicts, key=lambda each: -BADNESS.index(each.status))
    first, *rest = ranked
    more = [each for each in rest if each.status in ("warn", "fail")]
    return Verdict(
        first.status,
        " ".join(each.headline for each in (first, *more)),
        tuple(row for each in ranked for row in each.evidence),
        first.next_step,
    )
