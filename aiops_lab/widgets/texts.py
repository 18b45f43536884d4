"""Two texts side by side as safe HTML: what differs is marked, and what hides is spelled out."""

from __future__ import annotations

import html

import polars as pl

from aiops_lab.charts.cases import MARKED
from aiops_lab.respond.difference import Difference
from aiops_lab.widgets.panel import sentence
from aiops_lab.wording import listing, visible

FOLDED, EDGE = 600, 200
"""A part that both texts have is cut to its edges where it is longer."""
LONGEST = 20_000
SAME = "Both have the same words."


def side_by_side(found: Difference, heads: tuple[str, str]) -> str:
    """A difference as HTML: variables, what hides, and the messages that are not the same.

    Parameters
    ----------
    heads
        What the old and the new text are called.
    """
    if not found.parts.height:
        return sentence("No text was logged of either.")
    differs = found.parts.filter(pl.col("sign") != "")["message"].unique()
    some = found.parts.filter(pl.col("message").is_in(differs.implode()))
    told = [*_variables(found.variables), *_hidden(found.hidden)]
    if not some.height:
        some = found.parts
        told.append(sentence(SAME))
    elif rest := found.parts["message"].n_unique() - differs.len():
        told.append(sentence(f"{rest} more of its parts are the same."))
    names = "".join(f"<th>{html.escape(visible(head))}</th>" for head in heads)
    body = "".join(
        _row(role, own) for (_, role), own in some.group_by("message", "role", maintain_order=True)
    )
    lines = "".join(f"<div>{line}</div>" for line in told)
    return f'{lines}<table class="sides"><tr>{names}</tr>{body}</table>'


def _row(role: object, own: pl.DataFrame) -> str:
    head = "" if role is None else f'<tr><td colspan="2">{sentence(str(role), "role")}</td></tr>'
    cells = (_cell(own.filter(side=side)) for side in ("old", "new"))
    return f"{head}<tr>{''.join(cells)}</tr>"


def _cell(parts: pl.DataFrame) -> str:
    if not parts.height:
        return f"<td>{sentence('not there')}</td>"
    return f"<td>{''.join(_marked(*each) for each in parts.select('sign', 'text').rows())}</td>"


def _marked(sign: str, text: str) -> str:
    text = html.escape(_folded(text, EDGE if sign == "" and len(text) > FOLDED else LONGEST // 2))
    return MARKED[sign].format(text)


def _folded(text: str, edge: int) -> str:
    more = len(text) - 2 * edge
    return text if more <= 0 else f"{text[:edge]} [… {more:,} more …] {text[-edge:]}"


def _variables(found: pl.DataFrame) -> list[str]:
    went = found.filter(pl.col("after") == 0)["variable"].to_list()
    came = found.filter(pl.col("before") == 0)["variable"].to_list()
    told = [f"{listing(names)} {verb}" for names, verb in ((went, "went"), (came, "came")) if names]
    return [sentence(f"▲ Template variables: {'; '.join(told)}.", "wrong")] if told else []


def _hidden(found: pl.DataFrame) -> list[str]:
    """Each kind of what hides; those whose number changed stand out."""
    return [
        sentence(
            f"{'' if before == after else '▲ '}Hidden: {kind}{f' ({codes})' if codes else ''}, "
            f"{before} before, {after} after.", "quiet" if before == after else "wrong",
        )
        for kind, codes, before, after in found.rows()
    ]  # fmt: skip
