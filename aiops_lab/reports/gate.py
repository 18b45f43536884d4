"""A gate's answer for machines and pull requests: Markdown, JUnit XML. Foreign text stays inert."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from xml.etree import ElementTree

from aiops_lab.sharing import shared, sharing
from aiops_lab.ship.gate import Gate
from aiops_lab.ship.gate_words import spent, told
from aiops_lab.target.cost_words import percent
from aiops_lab.verdict import SIGNS
from aiops_lab.wording import change, figure, interval, times, visible

MARKER = "<!-- aiops-lab gate -->"
"""Lets a workflow find its own comment and replace it."""
MOST_RULES, MOST_FLIPS, MOST_CHECKS, MOST_OPEN = 14, 8, 5, 6
LONGEST = 200
FORMATTING = re.compile(r"([\\`*_\[\]<>()#|~$&{}!])")
ACTIVE = re.compile(r"(?i)[@#]|GH-|://|www\.|[0-9a-f]{6}(?=[0-9a-f])|:(?=[\w+-]+:)")
NEVER_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NOTHING = "\u200b"


def inert(text: Any, longest: int = LONGEST) -> str:
    """Foreign text for Markdown: it shows as it is, and can neither format, link nor mention.

    Examples
    --------
    >>> inert("**hi** @all").replace("\\u200b", "")
    '\\\\*\\\\*hi\\\\*\\\\* @all'
    """
    line = " ".join(shared(str(text)).split())
    shown = "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
    cut = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    return FORMATTING.sub(r"\\\1", ACTIVE.sub(lambda m: m[0][0] + NOTHING + m[0][1:], cut))


def to_markdown(gate: Gate, key: bytes | None = None) -> str:
    """The answer in at most 60 lines, for a pull request; redacted with a lab's key.

    The first line is a marker for workflows that replace their last comment.
    """
    with sharing(key):
        return _markdown(gate)


def _markdown(gate: Gate) -> str:
    verdict, settings = gate.verdict, gate.settings
    lines = [
        MARKER,
        f"## {SIGNS[verdict.status]} Release gate: {verdict.status}",
        "",
        inert(verdict.headline, 600),
        "",
        f"**Next:** {inert(verdict.next_step, 400)}",
        "",
        "| rule | baseline | candidate | change (90 % interval) | limit | n | status |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = sorted(gate.rules.to_dicts(), key=_urgency)
    lines += [_line(row) for row in rows[:MOST_RULES]]
    if len(rows) > MOST_RULES:
        lines.append(f"\n{len(rows) - MOST_RULES} more rules, none of them more urgent.")
    lines += ["", *_unsettled(rows), *_checks(gate), *_turned(gate)]
    lines.append(
        f"Policy `{settings['policy_digest']}`, lab version {settings.get('lab_version', 'none')}; "
        f"baseline {inert(settings['baseline'])}, candidate {inert(settings['candidate'])}."
    )
    return "\n".join(lines) + "\n"


def _urgency(row: dict[str, Any]) -> tuple[bool, int]:
    return row["role"] == "info", ("fail", "inconclusive", "warn", "ok").index(row["status"])


def _line(row: dict[str, Any]) -> str:
    share = row["share"]
    by_ratio = "ratio" in row["scale"]
    ends = interval(row["low"], row["high"], share=share, digits=3 if by_ratio else 2)
    if row["scale"] == "budget":
        value, limit = inert(spent(row)), percent(row["limit"])
        ends = ""
    elif by_ratio:
        value, limit = times(row["value"]), times(row["limit"])
    elif row["scale"] == "difference":
        value, limit = (change(row[key], share=share) for key in ("value", "limit"))
    else:
        value, limit = (figure(row[key], share=share) for key in ("value", "limit"))
    name = inert(row["rule"]) + (" (info)" if row["role"] == "info" else "")
    sides = (figure(row[side], share=share) for side in ("baseline", "candidate"))
    cells = [name, *sides, f"{value} {ends}".strip(), limit, f"{row['n']:,}"]
    return "| " + " | ".join([*cells, f"{SIGNS[row['status']]} {row['status']}"]) + " |"


def _unsettled(rows: list[dict[str, Any]]) -> list[str]:
    """What would settle each rule that cannot be told, beyond the first, which is said above."""
    told_ = [f"- {inert(r['rule'])}: {inert(r['settle'])}" for r in rows if r["settle"]]
    if len(told_) < 2 or len({row["settle"] for row in rows if row["settle"]}) < 2:
        return []
    return ["**What would settle it**", "", *told_[:MOST_OPEN], ""]


def _checks(gate: Gate) -> list[str]:
    open_ = [row for row in gate.preflight.to_dicts() if row["status"] != "ok"]
    if not open_:
        return ["All checks of comparability passed.", ""]
    told_ = [f"- {SIGNS[row['status']]} {inert(row['detail'])}" for row in open_[:MOST_CHECKS]]
    more = [f"- and {len(open_) - MOST_CHECKS} more"] if len(open_) > MOST_CHECKS else []
    return ["**Mind**", "", *told_, *more, ""]


def _turned(gate: Gate) -> list[str]:
    lost = _lost(gate)
    if not lost:
        return []
    head = f"<details><summary>{len(lost)} questions that the candidate lost</summary>"
    shown = [
        f"- {inert(row['sample_id'], 60)}: {inert(row['metric'], 60)} "
        f"{figure(row['baseline'], share=row['share'])} to "
        f"{figure(row['candidate'], share=row['share'])}; {inert(row['input'] or '', 120)}"
        for row in lost[:MOST_FLIPS]
    ]
    more = [f"- and {len(lost) - MOST_FLIPS} more"] if len(lost) > MOST_FLIPS else []
    return [head, "", *shown, *more, "", "</details>", ""]


def _lost(gate: Gate) -> list[dict[str, Any]]:
    if gate.comparison is None:
        return []
    ruled = set(gate.rules["metric"])
    flips = gate.comparison.flips.to_dicts()
    return [r for r in flips if r["direction"] * r["difference"] < 0 and r["metric"] in ruled]


def to_junit(gate: Gate, key: bytes | None = None) -> str:
    """JUnit XML: a test case a rule; what is inconclusive is skipped, with its message."""
    with sharing(key):
        return _junit(gate)


def _junit(gate: Gate) -> str:
    rows, lost = gate.rules.to_dicts(), _lost(gate)
    states = [row["status"] for row in rows if row["role"] != "info"]
    suite = ElementTree.Element("testsuite", name="aiops-lab gate")
    known = ElementTree.SubElement(suite, "properties")
    for name in ("policy_digest", "baseline", "candidate"):
        ElementTree.SubElement(known, "property", name=name, value=_xml(gate.settings[name]))
    verdict = ElementTree.SubElement(suite, "testcase", classname="gate", name="verdict")
    _outcome(verdict, gate.verdict.status, f"{gate.verdict.headline} {gate.verdict.next_step}")
    for row in rows:
        case = ElementTree.SubElement(suite, "testcase", classname="gate", name=_xml(row["rule"]))
        message = f"{told(row)}. {row['settle']}"
        own = "ok" if row["role"] == "info" else row["status"]
        _outcome(case, own, message)
        turned = [r["sample_id"] for r in lost if r["metric"] == row["metric"]]
        if turned and row["status"] != "ok":
            text = "lost questions: " + ", ".join(turned[:50])
            ElementTree.SubElement(case, "system-out").text = _xml(text)
    counted = [gate.verdict.status, *states]
    suite.set("tests", str(len(rows) + 1))
    suite.set("failures", str(counted.count("fail")))
    suite.set("skipped", str(counted.count("inconclusive")))
    suite.set("errors", "0")
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _outcome(case: ElementTree.Element, status: str, message: str) -> None:
    kind = {"fail": "failure", "inconclusive": "skipped"}.get(status)
    if kind:
        ElementTree.SubElement(case, kind, message=_xml(message))


def _xml(text: str) -> str:
    return NEVER_IN_XML.sub("\ufffd", visible(shared(text)))
