"""A replay set as files that Inspect and Promptfoo run as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.files import write_text

TOOLS = ("inspect", "promptfoo")
TASK = '''"""Logged requests, answered again. Run: inspect eval replay_task.py --model MODEL

    -T prompt=FILE      the system prompt of an arm
    -T context=live     leave out the passages that were logged: give your own solver that retrieves
    -T tools=none       leave out the tools; else each gives back what it gave in the log
    -T dataset=FILE     other requests
"""

import json
import re
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.model import ChatMessageSystem
from inspect_ai.scorer import match
from inspect_ai.solver import generate, solver
from inspect_ai.tool import ToolDef, ToolParam, ToolParams

KINDS = {bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


def given(text):
    """The arguments of a logged call."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def stub(name, calls):
    """A tool that gives what it gave in the log: of the same arguments, else the next in turn."""
    left = list(calls)

    async def execute(**kwargs: Any):
        same = [call for call in left if given(call["input"]) == kwargs] or left
        if not same:
            return "The log has no more results of this tool."
        left.remove(same[0])
        return same[0]["output"] or ""

    seen = {key: value for call in calls for key, value in given(call["input"]).items()}
    properties = {key: ToolParam(type=KINDS.get(type(value), "string"), description=key or "x")
                  for key, value in seen.items()}
    return ToolDef(execute, name=name, description="Answers as it was logged: " + name,
                   parameters=ToolParams(properties=properties, additionalProperties=True))


def stubs(calls):
    names = dict.fromkeys(call["name"] or "" for call in calls)
    return [stub(name, [call for call in calls if call["name"] == name]).as_tool()
            for name in names if re.fullmatch(r"[\\w-]{1,64}", name)]


@solver
def as_logged(prompt, context, tools):
    text = Path(prompt).read_text("utf-8") if prompt else None

    async def solve(state, generate):
        found = state.metadata.get("context") if context == "frozen" else None
        parts = [part for part in (text, found and "Passages:\\n" + found) if part]
        state.messages[:0] = [ChatMessageSystem(content=part) for part in parts]
        if tools == "logged":
            state.tools = stubs(state.metadata.get("tools") or [])
        return state

    return solve


@task
def replay(dataset="replay.jsonl", prompt=None, context="frozen", tools="logged"):
    fields = FieldSpec(input="input", target="target", id="id", metadata=["context", "tools",
                       "weight", "stratum", "logged_output", "versions", "at"])
    rows = json_dataset(str(Path(__file__).parent / dataset), fields)
    solver = [as_logged(prompt, context, tools), generate()]
    return Task(dataset=rows, solver=solver, scorer=match())
'''
"""What the task takes of the metadata is what `samples_of` writes."""
SIGNS = re.compile(r"\{(?=[{%#])|#(?=\})|^(?=\w+:)|\n\Z")
"""What begins a template's tags, or ends a comment, a text that may name a file, and a last end of
line."""
KEPT = {"#": '{{ "#" }}', "{": '{{ "{" }}', "": '{{ "" }}', "\n": '{{ "\\n" }}'}


def plain(text: str) -> str:
    """A text that a template of Promptfoo renders to itself, and that names no file.

    No name stands in double braces, as Promptfoo leaves a text alone that asks for a variable that
    is not there.

    Examples
    --------
    >>> plain("hello"), plain("{{7*7}}"), plain("file:///etc/passwd")
    ('hello', '{{ "{" }}{7*7}}', '{{ "" }}file:///etc/passwd')
    """
    return SIGNS.sub(lambda found: KEPT[found[0]], text)


def samples_of(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """A row of `replay_set` as a sample of Inspect: its id is the request's."""
    return [
        {
            "id": row["trace_id"], "input": row["input"], "target": "",
            "context": row["context"], "tools": json.loads(row["tools"]),
            "weight": row["weight"], "stratum": row["stratum"], "logged_output": row["output"],
            "versions": json.loads(row["versions"]), "at": row["at"].isoformat(),
        }
        for row in rows.to_dicts()
    ]  # fmt: skip


def tests_of(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """A row of `replay_set` as a test of Promptfoo, its text kept from being rendered."""
    return [
        {
            "description": row["trace_id"],
            "vars": {"input": plain(row["input"]), "context": plain(row["context"] or "")},
            "metadata": {
                "sample_id": row["trace_id"], "weight": row["weight"], "stratum": row["stratum"],
                "versions": json.loads(row["versions"]),
            },
        }
        for row in rows.to_dicts()
    ]  # fmt: skip


def arm_name(version: str) -> str:
    """A version as a file can be called.

    Examples
    --------
    >>> arm_name("answer:v2/a")
    'answer_v2_a'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", version)[:60]


def write_replay(
    rows: pl.DataFrame, folder: Path, to: str, prompts: dict[str, str] | None = None
) -> list[Path]:
    """Write a replay set for a tool; returns the files.

    Parameters
    ----------
    rows
        As `aiops_lab.respond.replay.replay_set` draws them.
    folder
        Made if need be.
    to
        ``inspect``: replay.jsonl and replay_task.py; ``promptfoo``: replay.jsonl and
        promptfooconfig.json, whose provider ``echo`` is to be replaced by yours.
    prompts
        Name and text of arms, such as two versions of a prompt; each gets a file, and Promptfoo
        runs all.

    Raises
    ------
    BadSettings
        Another tool.
    """
    if to not in TOOLS:
        raise BadSettings(f"replay sets are written for {' or '.join(TOOLS)}, not {to!r}")
    folder.mkdir(parents=True, exist_ok=True)
    lines = samples_of(rows) if to == "inspect" else tests_of(rows)
    written = [folder / "replay.jsonl"]
    text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
    write_text(written[0], text)
    arms = []
    for name, prompt in (prompts or {}).items():
        arms.append(folder / f"prompt-{arm_name(name)}.txt")
        write_text(arms[-1], prompt)
    written += arms
    if to == "inspect":
        written.append(folder / "replay_task.py")
        write_text(written[-1], TASK)
        return written
    config = {
        "description": "Logged requests, answered again",
        "prompts": [f"file://{each.name}" for each in arms] or ["{{input}}"],
        "providers": ["echo"],
        "tests": "file://replay.jsonl",
    }
    written.append(folder / "promptfooconfig.json")
    write_text(written[-1], json.dumps(config, indent=2) + "\n")
    return written
