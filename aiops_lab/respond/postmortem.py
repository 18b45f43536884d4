"""What happened, written down: a draft out of a triage, the lab's verdicts and its traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.files import write_text
from aiops_lab.objectives.objective import Objective
from aiops_lab.objectives.short import objectives_in
from aiops_lab.redact import redacted_frame
from aiops_lab.respond.replay import PASSES, replay_set
from aiops_lab.respond.triage import CLEAR, Triage, triage
from aiops_lab.respond.words import name_of, percent, size_words
from aiops_lab.sharing import sharing
from aiops_lab.stats.score import exact_share_interval
from aiops_lab.tables import digest
from aiops_lab.target.budget import LEVEL, counts_until
from aiops_lab.target.policy import spent_between
from aiops_lab.target.standing import stands
from aiops_lab.wording import day_words, figure, in_markdown, interval

FOLDER = "incidents"
CASES = 20
"""So many test cases are proposed."""
HUMAN = " (human)"
"""Ends the name of a person's score beside a judge's."""
THIN = 0.5
"""A slice whose share of questions is below so much of its share of traffic is thin in tests."""
ALIKE = 0.6
"""From here on an earlier incident is like this one."""


@dataclass(frozen=True)
class Postmortem:
    """A draft: Markdown, the test cases it proposes, and what is kept to know it again."""

    text: str
    cases: pl.DataFrame
    kept: dict[str, Any]


def postmortem(lab: Any, found: Triage | None = None, **asked: Any) -> Postmortem:
    """Draft the postmortem of an incident.

    Parameters
    ----------
    lab
        A Lab.
    found
        Its triage; else `triage` is asked.
    **asked
        As `triage` takes them: window, metric, where.

    Raises
    ------
    BadSettings
        There is no incident.
    """
    found = found or triage(lab, **asked)
    if not found.suspects.height:
        raise BadSettings(f"{found.verdict.headline} {found.verdict.next_step}")
    kept = _kept(found)
    key = lab.redaction_key()
    cases = redacted_frame(_cases(lab, found), key)
    with sharing(key):
        return Postmortem(_draft(lab, found, kept, cases), cases, kept)


def _draft(lab: Any, found: Triage, kept: dict[str, Any], cases: pl.DataFrame) -> str:
    lines = [
        f"# Postmortem: {in_markdown(kept['metric'])}, {kept['began'][:10]}", "",
        "Status: draft. Authors: __. Owner: __.", "",
        "## Summary", "", in_markdown(found.verdict.headline), "",
        "## Impact", "", *_impact(lab, found), "",
        "## Timeline (UTC)", "", "| when | what |", "|---|---|", *_timeline(lab, found), "",
        "## Suspects and evidence", "", "| suspect | how likely | evidence |", "|---|---|---|",
        *[f"| {in_markdown(name_of(row))} | {percent(row['probability'])} | "
          f"{in_markdown(row['evidence'])} |" for row in found.suspects.head(5).to_dicts()], "",
        "## How it was found, and what missed it", "", *_missed(lab, found), "",
        *_earlier(lab, kept),
        "## What follows", "", "| action | kind | owner |", "|---|---|---|",
        *[f"| {action} | {kind} | __ |" for action, kind in _actions(lab, found, cases)], "",
        "## Lessons", "", "- What went well: __", "- What went wrong: __",
        "- Where we were lucky: __",
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def write_cases(lab: Any, made: Postmortem, folder: Path) -> list[Path]:
    """Write the test cases it proposes, and keep the incident in the lab.

    The same incident is kept once, however often it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(lab.path) / FOLDER
    home.mkdir(exist_ok=True)
    write_text(home / f"{made.kept['id']}.json", json.dumps(made.kept, indent=1) + "\n")
    if not made.cases.height:
        return []
    cases = folder / f"postmortem-{made.kept['id']}-cases.jsonl"
    rows = ({"id": row["trace_id"], "input": row["input"], "target": "",
             "metadata": {"logged_output": row["output"], "stratum": row["stratum"]}}
            for row in made.cases.to_dicts())  # fmt: skip
    write_text(cases, "".join(json.dumps(row) + "\n" for row in rows))
    return [cases]


def _kept(found: Triage) -> dict[str, Any]:
    """What an incident is known by: its figure, slice, suspects, and what moved with it."""
    first = found.suspects.row(0, named=True)
    clear = pl.col("log_bayes") > CLEAR
    moved = found.evidence.filter(pl.col("suspect") == 1, clear, pl.col("method") != "replay")
    began, ended = found.settings["window"]
    told = {
        "metric": found.settings["metric"], "where": found.settings["where"], "began": began,
        "ended": ended, "artefact": first["artefact"], "version": first["version"],
        "probability": round(first["probability"], 4), "moved": sorted(moved["figure"]),
        "headline": found.verdict.headline,
    }  # fmt: skip
    named = {key: told[key] for key in ("metric", "where", "began")}
    return {"id": digest(json.dumps(named, sort_keys=True))[:12], **told}


def _window(found: Triage) -> tuple[datetime, datetime]:
    began, ended = (datetime.fromisoformat(text) for text in found.settings["window"])
    return began, ended


def _impact(lab: Any, found: Triage) -> list[str]:
    """How many requests, how much of the figure, and how much of which budget."""
    began, ended = _window(found)
    rows = found.series.filter(pl.col("at").is_between(began, ended))
    hit = rows.filter("exposed") if rows["exposed"].any() else rows
    outcome = found.evidence.filter(suspect=1, method="outcome")
    lines = [f"- {int(hit['n'].sum()):,} requests were exposed of {int(rows['n'].sum()):,}, "
             f"{day_words(began)} {began:%H:%M} to {day_words(ended)} {ended:%H:%M}."]  # fmt: skip
    if outcome.height:
        row = outcome.row(0, named=True)
        lines.append(f"- Where exposed, {in_markdown(found.settings['metric'])} stepped by "
                     f"{size_words(row)}.")  # fmt: skip
        if row["share"]:
            n = int(hit["n"].sum())
            ends = sorted((abs(n * row["low"]), abs(n * row["high"])))
            lines.append(f"- That is {abs(n * row['difference']):,.0f} requests "
                         f"({ends[0]:,.0f} to {ends[1]:,.0f}).")  # fmt: skip
    return [*lines, *_spent(lab, found)]


def _spent(lab: Any, found: Triage) -> list[str]:
    """What it took of the budgets that promise its figure."""
    goals = _promised(lab, found)
    if not goals:
        return ["- No objective promises anything of this figure."]
    began, ended = _window(found)
    lines = []
    goals, counts, at = counts_until(lab, goals, ended + timedelta(hours=1))
    for goal in goals:
        told = f"- Of the budget of {in_markdown(goal.name)} "
        spent = None
        allowed = stands(goal, counts, at, LEVEL)["allowed"]
        if not goal.parts and allowed:
            spent = spent_between(goal, counts, allowed, began, ended)
        if spent is None:
            lines.append(f"{told}it is not known what it took: nothing was evaluated.")
            continue
        low, high = (max(spent[end], 0.0) for end in ("low", "high"))
        lines.append(f"{told}these hours took {figure(spent['spent'], share=True)} "
                     f"{interval(low, high, share=True)}.")  # fmt: skip
    return lines


def _promised(lab: Any, found: Triage) -> list[Objective]:
    """The objectives of the figure."""
    return [g for g in objectives_in(lab.settings) if g.metric == found.settings["metric"]]


def _timeline(lab: Any, found: Triage) -> list[str]:
    """Changes, verdicts of reports, begin and end, in order."""
    began, ended = _window(found)
    first, last = began - timedelta(days=4), ended + timedelta(days=4)
    told = [(began, "**began**, as far as known"), (ended, "last request looked at")]
    for row in found.changes.filter(pl.col("at").is_between(first, last)).to_dicts():
        who = row["author"] or "nobody named"
        what = " ".join(filter(None, [row["artefact"], row["name"], row["from_version"]]))
        text = f"{what} to {row['to_version'] or '?'} ({who})"
        told.append((row["at"], f"change: {in_markdown(text)}"))
    said = lab.table("verdicts").filter(
        pl.col("as_of").is_between(first, last), pl.col("status").is_in(["warn", "fail"])
    )
    for row in said.unique(["report", "as_of"], keep="last").to_dicts():
        told.append((row["as_of"], f"{row['status']}: {in_markdown(row['headline'])}"))
    told.sort(key=lambda pair: pair[0])
    rows = [(at.astimezone(UTC), what) for at, what in told]
    return [f"| {day_words(at)} {at:%H:%M} | {what} |" for at, what in rows]


def _missed(lab: Any, found: Triage) -> list[str]:
    """Which reports and gates looked meanwhile, and said nothing."""
    began, ended = _window(found)
    verdicts = lab.table("verdicts").filter(pl.col("as_of").is_between(began, ended))
    loud = verdicts.filter(pl.col("status").is_in(["warn", "fail"])).sort("as_of")
    lines = []
    if loud.height:
        row = loud.row(0, named=True)
        hours = (row["as_of"] - began).total_seconds() / 3600
        lines.append(
            f"- First said by {in_markdown(row['report'])}, {hours:,.0f} hours after it began."
        )
    else:
        lines.append("- No report of this lab said so meanwhile.")
    quiet = verdicts.filter(pl.col("status") == "ok")["report"].unique().sort().to_list()
    if quiet:
        lines.append(f"- Looked meanwhile and passed: {', '.join(in_markdown(n) for n in quiet)}.")
    gates = lab.table("verdicts").filter(
        pl.col("report").str.contains("gate"), pl.col("as_of") < began
    ).sort("as_of")  # fmt: skip
    if gates.height:
        row = gates.row(-1, named=True)
        lines.append(
            f"- The last gate before it said {row['status']}: {in_markdown(row['headline'])}"
        )
    return lines


def _earlier(lab: Any, kept: dict[str, Any]) -> list[str]:
    """Incidents that were like this one."""
    lines = []
    for path in sorted((Path(lab.path) / FOLDER).glob("*.json")):
        try:
            other = json.loads(path.read_text("utf-8"))
            like = likeness(kept, other) if other["id"] != kept["id"] else 0.0
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if like >= ALIKE:
            lines.append(f"- {other['began'][:10]}: {in_markdown(other['headline'])}")
    return ["## It was like this before", "", *lines, ""] if lines else []


def likeness(one: dict[str, Any], two: dict[str, Any]) -> float:
    """How like two incidents are, 0 to 1: the same artefact, figure and slice, and what moved.

    Examples
    --------
    >>> first = {"artefact": "index", "metric": "grounded", "where": "all", "moved": ["words"]}
    >>> likeness(first, first), likeness(first, {**first, "where": "slice=a"})
    (1.0, 0.9)
    """
    both = set(one["moved"]) | set(two["moved"])
    shared = len(set(one["moved"]) & set(two["moved"])) / len(both) if both else 1.0
    same = {key: one[key] == two[key] for key in ("artefact", "metric", "where")}
    return round(
        0.4 * same["artefact"] + 0.2 * same["metric"] + 0.1 * same["where"] + 0.3 * shared, 4
    )


def _cases(lab: Any, found: Triage) -> pl.DataFrame:
    """Requests that went wrong meanwhile and that no test asks yet."""
    began, ended = _window(found)
    metric = found.settings["metric"]
    where = found.settings["where"]
    try:
        rows = replay_set(
            lab, since=began, until=ended + timedelta(seconds=1), failing=metric, n=5 * CASES,
            where=None if where == "all" else where,
        )  # fmt: skip
    except BadSettings:
        return pl.DataFrame()
    asked = lab.scan("samples").select("input").drop_nulls().unique().collect()["input"]
    known = set(asked.str.to_lowercase().str.strip_chars())
    rows = rows.with_columns(key=pl.col("input").str.to_lowercase().str.strip_chars())
    rows = rows.unique("key", keep="first", maintain_order=True)
    return rows.filter(~pl.col("key").is_in(list(known))).head(CASES).drop("key")


def _actions(lab: Any, found: Triage, cases: pl.DataFrame) -> list[tuple[str, str]]:
    """Follow-ups that the data proposes."""
    first = found.suspects.row(0, named=True)
    said = [(in_markdown(found.verdict.next_step), "mitigate")]
    if cases.height:
        said.append((f"Add {cases.height} test cases that went wrong and that no test asks yet "
                     "(beside this page)", "prevent"))  # fmt: skip
    said += [(f"Ask more of {in_markdown(part)} in tests: {told}", "prevent")
             for part, told in _thin(lab, found)]  # fmt: skip
    said += [(f"Refine what counts as {told}", "prevent") for told in _disputed(lab)]
    if not first["logged"] and first["artefact"] not in ("traffic", "nothing"):
        said.append((f"Write changes of the {first['artefact']} into the change log", "process"))
    goals = _promised(lab, found)
    if goals:
        said.append((f"Look at the target of {in_markdown(goals[0].name)} again", "process"))
    else:
        said.append((f"Promise something of {in_markdown(found.settings['metric'])}: `[[slo]]`",
                     "process"))  # fmt: skip
    return said


def _disputed(lab: Any) -> list[str]:
    """Scores on which judge and person are not of one mind, in runs and in traffic.

    Where both score one answer, the person's score is called ``NAME (human)``.
    """
    kind, metric = pl.col("scorer_kind"), pl.col("metric")
    person = (kind == "human") | metric.str.ends_with(HUMAN)
    shown = {"metric": metric.str.strip_suffix(HUMAN), "person": person.fill_null(False),
             "good": pl.col("value") >= PASSES}  # fmt: skip
    answer = pl.concat_str(pl.col("run_id", "sample_id", "epoch"), separator="\0")
    rows = pl.concat(
        [
            lab.scan("scores").select(answer=answer, **shown),
            lab.scan("evaluations").select(answer="trace_id", **shown),
        ]
    ).drop_nulls()
    sides = [rows.filter(own).drop("person") for own in (pl.col("person"), ~pl.col("person"))]
    both = sides[0].join(sides[1], on=["answer", "metric"]).group_by("metric").agg(
        n=pl.len(), apart=(pl.col("good") != pl.col("good_right")).sum()
    )  # fmt: skip
    told = []
    for row in both.filter(pl.col("apart") > 0).collect().sort("metric").to_dicts():
        low, high = exact_share_interval(row["apart"], row["n"], 0.95)
        between = f"{100 * low:.0f} to {100 * high:.0f} %"
        told.append(f"{in_markdown(row['metric'])}: judge and person differ on {row['apart']} of "
                    f"{row['n']} answers ({between})")  # fmt: skip
    return told


def _thin(lab: Any, found: Triage) -> list[tuple[str, str]]:
    """Slices that tests ask less of than users do."""
    metadata = lab.scan("samples").select("metadata").drop_nulls().collect()["metadata"]
    lines = []
    for dimension in ("slice", "language"):
        own = found.split.filter(dimension=dimension)
        quoted = metadata.str.json_path_match(f"$.{dimension}").drop_nulls()
        if not own.height or not quoted.len():
            continue
        tests = quoted.value_counts(normalize=True)
        share = dict(tests.iter_rows())
        for row in own.sort("share_after", descending=True).head(6).to_dicts():
            mine = share.get(row["slice"], 0.0)
            asked = row["share_after"]
            if asked > 0.05 and mine < THIN * asked:
                told = f"{100 * mine:.0f} % of questions, {100 * asked:.0f} % of requests"
                lines.append((f"{dimension}={row['slice']}", told))
    return lines[:3]
