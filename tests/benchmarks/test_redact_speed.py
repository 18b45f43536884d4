"""How many megabytes a second are redacted, of ordinary texts; and that hostile ones are linear."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pytest

from aiops_lab import Lab
from aiops_lab.redact import redact
from aiops_lab.reports.run import notebook_named, run_report
from tests.benchmarks.proof import Table
from tests.test_redact import HOSTILE, SECRETS, WITHIN

pytestmark = pytest.mark.proof
ROOT = Path(__file__).parents[2]
KEY = b"the lab's own"
SIZE, ROUNDS = 2_000_000, 3
LINEAR = 3.0
"""Twice the text takes twice the time; this is noise as well."""
TICK = 0.005
"""Seconds of which a clock can be told from its noise."""


def words() -> list[str]:
    return re.findall("[A-Za-z]+", (ROOT / "README.md").read_text("utf-8"))


def answers(chance: random.Random, secrets: list[str]) -> str:
    """Sentences, dates, figures and code; a secret of any kind in one of fifty sentences."""
    known, parts, size = words(), list[str](), 0
    while size < SIZE:
        said = " ".join(chance.choices(known, k=chance.randrange(5, 25))) + ". "
        kind = chance.random()
        if kind < 0.1:
            said += f"It took {chance.randrange(999)} days from 2026-05-12 on, {kind:.3f} of all.\n"
        elif kind < 0.15:
            said += f"```python\nx = {chance.choice(known)}({chance.randrange(9)}, key='a')\n```\n"
        elif secrets and kind < 0.17:
            said += chance.choice(secrets) + " "
        parts.append(said)
        size += len(said)
    return "".join(parts)


def logs(chance: random.Random) -> str:
    """Spans as lines of JSON."""
    known, parts, size = words(), list[str](), 0
    while size < SIZE:
        span = {
            "trace_id": f"{chance.getrandbits(128):032x}",
            "span_id": f"{chance.getrandbits(64):016x}",
            "start_time_unix_nano": str(1716200000000000000 + chance.randrange(10**15)),
            "at": f"2026-05-{chance.randrange(10, 29)}T10:15:30.123456+00:00",
            "gen_ai.usage.input_tokens": chance.randrange(5000),
            "model": "gpt-4o-2024-08-06",
            "cost": chance.random(),
            "url": f"https://example.com/{chance.choice(known)}?q={chance.randrange(999)}",
            "input": " ".join(chance.choices(known, k=40)),
            "output": " ".join(chance.choices(known, k=60)),
        }
        parts.append(json.dumps(span) + "\n")
        size += len(parts[-1])
    return "".join(parts)


def page(demo: Lab, out: Path) -> str:
    """A report's page, with its charts."""
    report = run_report(notebook_named("watch_behaviour", demo), demo, out)
    return report.page.read_text("utf-8")


def seconds(text: str) -> float:
    """The least time of several."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        redact(text, KEY)
        taken.append(time.process_time() - began)
    return min(taken)


def test_megabytes_a_second(demo: Lab, tmp_path: Path) -> None:
    chance = random.Random(0)
    code = "\n".join(p.read_text("utf-8") for p in sorted(ROOT.glob("aiops_lab/**/*.py")))
    corpora = {
        "answers": answers(chance, []),
        "answers, a secret in one of 50 sentences": answers(chance, [*SECRETS, *WITHIN]),
        "spans as JSON lines": logs(chance),
        "the same in one line": logs(chance).replace("\n", " "),
        "a report's page": page(demo, tmp_path),
        "the library's code": code[:SIZE],
    }
    made = Table("redact", "Texts with secrets and personal data replaced, one core, one process")
    made.columns("what", "MB", "MB a second")
    for name, text in corpora.items():
        size = len(text.encode()) / 1e6
        made.row(name, f"{size:.1f}", f"{size / seconds(text):.1f}")
    made.write()


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_lines_take_time_in_proportion(piece: str) -> None:
    one, two = (seconds(piece * (size // len(piece))) for size in (1_000_000, 2_000_000))
    print(f"{piece!r:.40} 1 MB {one:.2f} s, 2 MB {two:.2f} s")
    assert two < LINEAR * max(one, TICK)
