"""What to do when something alarms: the question first, then each suspect and how to undo it."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.guard.risks import NAMES as RISKS
from aiops_lab.guard.risks import SETTLE, UNSEEN
from aiops_lab.objectives.short import objectives_in
from aiops_lab.respond.experiments import REPLAYS
from aiops_lab.respond.signatures import FAMILIES, KINDS, family_of
from aiops_lab.respond.words import ROLLBACK
from aiops_lab.sharing import sharing
from aiops_lab.verdict import Verdict
from aiops_lab.watch.changes import ARTEFACTS, bare_version
from aiops_lab.wording import in_markdown, listing

ASKS = {
    "prompt": "Did a new prompt go out, or does one render otherwise?",
    "model": "Did we route to another model, or change its settings?",
    "provider": "Did the provider quietly swap the model?",
    "index": "Was the index built anew, or is it older than its documents?",
    "retrieval": "Did how many passages are found, or how they are ranked, change?",
    "parser": "Does what reads the answers read them otherwise?",
    "tool": "Does a tool fail, time out or answer otherwise?",
    "code": "Did a release of our own change what is sent or shown?",
    "scorer": "Did the judge change, and not the answers?",
    "traffic": "Do users ask something else than before?",
}
CHECKS = {
    "provider": "In `watch_behaviour`, look at what answered (`model_served`, `fingerprint`): a "
    "silent change shows there and nowhere else.",
    "traffic": "In `respond_triage`, look at the split: mix is what users ask, within how they are "
    "answered.",
    "scorer": "Score the same logged answers with both scorers: no answer is needed anew.",
}  # fmt: skip
COLUMNS = {artefact: column for column, artefact in reversed(ARTEFACTS.items())}
OFTEN = 0.4
"""Figures that move so often are told."""
MOST = 4
"""So many entries are named on a page."""
FIRST = "First: which artefact is it?"
DECISIONS = "Decisions"
NAMED = re.compile(
    rf"(?:a change of the |the )?({'|'.join(KINDS)})\b.* (?:of \d+ \w{{3}}|logged|ask)\b"
)
"""How a triage names a suspect."""


def playbook(lab: Any) -> str:
    """The playbook of a lab as Markdown, from its settings and what its traffic runs on.

    Parameters
    ----------
    lab
        A Lab.
    """
    with sharing(lab.redaction_key()):
        return _written(lab)


def _written(lab: Any) -> str:
    used = _in_use(lab)
    goals, wrong = [], None
    try:
        goals = objectives_in(lab.settings)
    except BadSettings as error:  # pages that ask for no objective are written all the same
        wrong = f"Objectives cannot be read: {in_markdown(str(error))}"
    lines = [
        "# Playbook", "",
        f"## {FIRST}", "",
        "    aiops-lab report respond_triage --lab LAB", "",
        "It names one with a probability, or says undecided and which replay would settle it. Do "
        "not undo what changed last for that alone.", "",
        "Is it worse than the promise? `aiops-lab report target_error_budget --lab LAB` tells what "
        "is spent. Is it an attack? `aiops-lab report guard_security --lab LAB`.", "",
    ]  # fmt: skip
    lines += ["## What may alarm", "", *([wrong, ""] if wrong else [])]
    for goal in goals:
        of = in_markdown(goal.metric or "several figures")
        lines += [f"### Objective {in_markdown(goal.name)}", "",
                  f"Promised of {of}. {_first(family_of(goal.metric or '')[1])}", ""]  # fmt: skip
    for family, _, chances in FAMILIES[1:]:
        lines += [f"### {NAMES[family].capitalize()}", "", _first(chances), ""]
    lines += [
        f"### {DECISIONS}", "",
        "`aiops-lab report watch_attribution --lab LAB` names the inputs that carry it and what it "
        "was learned from. Look first at the [model](#model), then at the [code](#code) that makes "
        "its inputs, then at the [traffic](#traffic).", "",
    ]  # fmt: skip
    for code, name in RISKS.items():
        lines += [
            f"### {code} {name}", "",
            f"Read what was found in `guard_security`. If it cannot tell: {SETTLE[code]} It never "
            f"sees {UNSEEN[code]}.", "",
        ]  # fmt: skip
    for kind in KINDS:
        lines += _entry(kind, *used.get(kind, (None, None)))
    lines += [
        "## Afterwards", "",
        "`aiops-lab export postmortem --lab LAB` drafts what happened, with the test cases that "
        "would have found it.",
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def _entry(kind: str, now: str | None, before: str | None) -> list[str]:
    """What to check, to run and to undo of one kind of artefact."""
    names = {"old": in_markdown(before or "of before"), "new": in_markdown(now or "of now")}
    lines = [f"## {kind.capitalize()}", "", f"**{ASKS[kind]}**", ""]
    if now:
        was = f"; before it {names['old']}" if before else ""
        lines += [f"In use: {names['new']}{was}.", ""]
    moved = [family for family, _, chance in FAMILIES if chance.get(kind, 0) >= OFTEN]
    if kind != "traffic" and moved:
        lines += [f"What moves with it: {', '.join(NAMES.get(each, each) for each in moved)}.", ""]
    if kind in CHECKS:
        lines.append(f"- Check: {CHECKS[kind]}")
    if kind in REPLAYS:
        lines.append(f"- Settle: {REPLAYS[kind].format(n='100', **names)} "
                     "(`aiops-lab export replay --lab LAB`).")  # fmt: skip
    return [*lines, f"- Undo: {ROLLBACK[kind].format(**names)}.", ""]


NAMES = {
    "parse": "parse errors", "format": "valid formats", "retrieval": "retrieval scores",
    "tool": "tool errors", "refusal": "refusals", "ending": "answers cut off", "asked": "tokens in",
    "written": "tokens out", "time": "latency", "cost": "cost", "error": "errors",
    "traffic": "shares of slices",
}  # fmt: skip


def _first(chances: dict[str, float]) -> str:
    """The artefacts that move a figure most, as links; of one that says nothing, the commonest."""
    chances = chances or {"provider": 1.0, "prompt": 0.9, "index": 0.8}
    first = sorted(chances, key=lambda kind: -chances[kind])[:3]
    return f"Look first at {listing(f'[{kind}](#{kind})' for kind in first)}."


def anchor(heading: str) -> str:
    """Where a heading is on its page.

    Examples
    --------
    >>> anchor("LLM03 Supply Chain")
    'llm03-supply-chain'
    """
    plain = heading.replace("\\", "")  # what Markdown escapes is told plainly in a verdict
    return re.sub(r"\W+", "-", plain.lower()).strip("-") or "part"


def entries(verdict: Verdict) -> list[tuple[str, str]]:
    """The entries of the playbook that an alarm leads to: what they are called, and where.

    Examples
    --------
    >>> from aiops_lab.verdict import Evidence
    >>> rows = (Evidence("refusal in slice=fares", 0.1, status="warn"),)
    >>> entries(Verdict("warn", "Refusals rose.", rows))
    [('Refusals', 'refusals')]
    """
    bad = [row.name for row in verdict.evidence if row.status in ("warn", "fail")]
    suspects = [row.name for row in verdict.evidence if NAMED.match(row.name)]
    if verdict.status not in ("warn", "fail") and not suspects:
        return []
    found = dict.fromkeys(filter(None, map(_entry_of, suspects[:2] or bad))) or [FIRST]
    return [(heading, anchor(heading)) for heading in list(found)[:MOST]]


def _entry_of(name: str) -> str | None:
    """The heading that tells of a row of evidence, if there is one."""
    if found := NAMED.match(name):
        return found[1]
    if found := re.match(r"spent of (.+)", name):
        return f"Objective {found[1]}"
    if name.partition(" ")[0] in RISKS:
        return name
    if name.startswith("share of ") or re.search(r", \w+day$", name):
        return DECISIONS
    told = NAMES.get(family_of(name.partition(" in ")[0])[0])
    return told and told.capitalize()


def _in_use(lab: Any) -> dict[str, tuple[str, str | None]]:
    """The version of each artefact that came last, and the one before it."""
    found = {}
    traffic = lab.scan("traffic")
    known = [
        traffic.filter(pl.col(column).is_not_null())
        .group_by(bare_version(column))
        .agg(pl.col("at").min())
        .sort("at", column)
        for column in COLUMNS.values()
    ]
    # all at once, so that the traffic is read once
    for (kind, column), own in zip(COLUMNS.items(), pl.collect_all(known), strict=True):
        names = own[column].to_list()
        if names:
            found[kind] = (names[-1], names[-2] if names[1:] else None)
    return found
