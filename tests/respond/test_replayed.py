"""What was run again is weighed: of two changes at one time a replay names the one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, open_lab, triage
from tests.respond.test_postmortem import traced

BEGAN = datetime(2026, 5, 10)
REFUSED, ANSWERED = "I'm sorry, but I can't help with that.", "The ferry leaves at nine."


def span(number: int, at: datetime) -> dict:
    late = at >= BEGAN
    told = {
        "openinference.span.kind": "CHAIN", "input.value": f"question {number}",
        "output.value": REFUSED if late and number % 3 == 0 else ANSWERED,
        "llm.prompt_template.version": "p2" if late else "p1",
        "gen_ai.request.model": "kite-2" if late else "kite-1",
    }  # fmt: skip
    return traced(number, at, told)


@pytest.fixture
def home(tmp_path: Path) -> Lab:
    """A prompt and a model that changed in the same moment, and refusals since."""
    lab = open_lab(tmp_path / "lab")
    start = datetime(2026, 5, 1)
    spans = [span(n, start + timedelta(hours=n / 2)) for n in range(640)]
    path = tmp_path / "spans.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    lab.ingest(path)
    pl.DataFrame(
        {"at": [BEGAN] * 2, "artefact": ["prompt", "model"], "name": ["answer", "kite"],
         "from_version": ["p1", "kite-1"], "to_version": ["p2", "kite-2"]}
    ).write_csv(tmp_path / "changes.csv")  # fmt: skip
    lab.ingest(tmp_path / "changes.csv")
    return lab


def arm(run: str, refused: bool, **told: str) -> pl.DataFrame:
    """Ninety requests answered again."""
    return pl.DataFrame(
        [
            {"run_id": run, "sample_id": f"{n + 1:032x}", "value": 1.0, **told,
             "output": REFUSED if refused and n % 3 == 0 else ANSWERED}
            for n in range(90)
        ]
    )  # fmt: skip


def asked(lab: Lab):
    return triage(open_lab(lab.path), (BEGAN, None), metric="refusal")


@pytest.mark.parametrize("guilty", ["prompt", "model"])
def test_a_replay_tells_two_changes_of_one_moment_apart(home: Lab, guilty: str) -> None:
    before = asked(home)
    assert before.suspects["artefact"][0] == "model", "it refuses more often than a prompt"
    assert before.evidence.filter(method="replay").is_empty()
    for version in "12":
        home.ingest(arm(f"prompt {version}", guilty == "prompt" and version == "2",
                        prompt_version=f"p{version}", model="other"))  # fmt: skip
    after = asked(home)
    assert "answered with both" in "".join(after.suspects["evidence"])
    row = after.evidence.filter(method="replay").row(0, named=True)
    assert (row["difference"] > 0.3) == (guilty == "prompt")
    assert after.verdict.status == "warn"
    assert after.suspects["artefact"][0] == guilty
    assert ("A replay shows it too." in after.verdict.headline) == (guilty == "prompt")


def test_runs_of_other_questions_and_too_few_are_no_replay(home: Lab) -> None:
    probability = asked(home).suspects["probability"].to_list()
    for version in "12":
        rows = arm(f"run {version}", version == "2", prompt_version=f"p{version}")
        few = pl.int_range(pl.len()) < 3
        home.ingest(rows.filter(few), rows.with_columns(pl.col("sample_id") + "x").filter(~few))
    assert asked(home).suspects["probability"].to_list() == probability
