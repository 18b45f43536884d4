"""What is written down: a playbook of the lab's own settings, and a draft of what happened."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.guard.risks import NAMES as RISKS
from aiops_lab.reports.page import document
from aiops_lab.reports.playbook import entries, playbook
from aiops_lab.reports.site import write_index
from aiops_lab.respond.postmortem import postmortem, write_cases
from aiops_lab.respond.signatures import KINDS
from aiops_lab.verdict import Evidence, Verdict

EVIL = "</script><img src=x onerror=alert(1)>|`x`"
UNESCAPED = re.compile(r"(?<!\\)<")
BEGAN = datetime(2026, 5, 10)


def span(number: int, at: datetime, broken: bool) -> dict:
    told = {"gen_ai.operation.name": "chat", "gen_ai.prompt.version": "p2" if broken else "p1",
            "input.value": f"question {number}", "output.value": "{" if broken else "{}",
            "openinference.span.kind": "CHAIN", "llm.prompt_template.version": "p2" if broken else
            "p1"}  # fmt: skip
    return traced(number, at, told)


def traced(number: int, at: datetime, told: dict[str, str]) -> dict:
    """A span of a second, a trace of its own, with some attributes."""
    begin = round(at.timestamp())
    return {
        "traceId": f"{number + 1:032x}", "spanId": f"{number + 1:016x}", "name": "chat",
        "startTimeUnixNano": f"{begin}000000000", "endTimeUnixNano": f"{begin + 1}000000000",
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in told.items()],
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Lab:
    lab = open_lab(tmp_path / "lab")
    (lab.path / "lab.toml").write_text(
        f'[[slo]]\nname = "{EVIL[:30]}"\nmetric = "json_valid"\ngood = true\ntarget = 0.9\n'
    )
    start = datetime(2026, 5, 1)
    spans = [
        span(n, at := start + timedelta(hours=n / 2), at >= BEGAN and n % 3 > 0) for n in range(640)
    ]
    path = tmp_path / "spans.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    lab.ingest(path)
    pl.DataFrame(
        {"at": [BEGAN], "artefact": ["prompt"], "name": [EVIL], "to_version": ["p2"],
         "from_version": ["p1"], "author": ["m"]}
    ).write_csv(tmp_path / "changes.csv")  # fmt: skip
    lab.ingest(tmp_path / "changes.csv")
    lab.ingest(pl.DataFrame({"sample_id": ["a"], "input": ["Question 433 "], "value": [1.0]}))
    return open_lab(tmp_path / "lab")


def drafted(lab: Lab):
    return postmortem(lab, window=(BEGAN, None), metric="json_valid")


def test_a_playbook_has_an_entry_for_each_suspect(home: Lab) -> None:
    text = playbook(home)
    for kind in KINDS:
        assert f"## {kind.capitalize()}" in text
    assert "In use: p2; before it p1." in text
    assert "go back to prompt p1" in text
    assert not UNESCAPED.search(text)


SUSPECTS = [
    ("provider fingerprint fp_1 of 20 Oct (not logged)", "provider"),
    ("a change of the index that nobody logged", "index"),
    ("the traffic (what users ask)", "traffic"),
]
ALARMS = [
    ("refusal in slice=fares", "Refusals"),
    ("latency_s in all", "Latency"),
    ("finish_reason in all", "Answers cut off"),
    ("share of harbour", "Decisions"),
    ("harbour, Tuesday", "Decisions"),
    (f"spent of {EVIL[:30]}", f"Objective {EVIL[:30]}"),
    ("mood in all", "First: which artefact is it?"),
    *((f"{code} {name}", f"{code} {name}") for code, name in RISKS.items()),
]


@pytest.mark.parametrize(("name", "heading"), [*SUSPECTS, *ALARMS])
def test_each_alarm_leads_to_an_entry_that_is_there(home: Lab, name: str, heading: str) -> None:
    verdict = Verdict("warn", "It moved.", (Evidence(name, 1.0, status="warn"),))
    ((told, place),) = entries(verdict)
    assert told == heading
    assert f'id="{place}"' in document(playbook(home))


def test_a_name_with_signs_of_markdown_has_one_anchor(home: Lab) -> None:
    rules = '[[slo]]\nname = "valid_json"\nmetric = "json_valid"\ngood = true\ntarget = 0.9\n'
    (home.path / "lab.toml").write_text(rules)
    verdict = Verdict("warn", "Spent.", (Evidence("spent of valid_json", 2.0, status="warn"),))
    ((_, place),) = entries(verdict)
    assert f'id="{place}"' in document(playbook(open_lab(home.path)))


def test_what_did_not_alarm_leads_nowhere_but_suspects_do() -> None:
    quiet = (Evidence("refusal in all", 1.0, status="inconclusive"),)
    assert entries(Verdict("inconclusive", "Cannot tell.", quiet)) == []
    rows = tuple(Evidence(name, 0.4) for name, _ in SUSPECTS)
    told = entries(Verdict("inconclusive", "Undecided.", rows))
    assert [name for name, _ in told] == ["provider", "index"]


def test_a_page_of_it_runs_nothing(home: Lab) -> None:
    page = document(playbook(home))
    assert "<img" not in page and "<script" not in page
    assert '<a href="#provider">' in page


def test_objectives_that_cannot_be_read_keep_no_page_from_being_written(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    (lab.path / "lab.toml").write_text('[[slo]]\nname = "x"\nmetric = "m"\ntarget = 0.9\n')
    assert write_index(open_lab(lab.path), tmp_path / "out").is_file()
    told = (tmp_path / "out" / "playbook.html").read_text("utf-8")
    assert "Objectives cannot be read: lab.toml: slo 'x'" in told.replace("&#x27;", "'")


def test_an_empty_lab_has_a_playbook_too(tmp_path: Path) -> None:
    assert "## Provider" in playbook(open_lab(tmp_path / "lab"))


def test_a_draft_tells_who_did_it_when_and_what_follows(home: Lab, tmp_path: Path) -> None:
    made = drafted(home)
    assert "Prompt" in made.text.split("## Impact")[0]
    assert "requests were exposed of" in made.text
    assert "change: prompt" in made.text
    assert not UNESCAPED.search(made.text)
    assert 0 < made.cases.height <= 20
    assert "question 433" not in made.cases["input"].to_list(), "a test asks it already"
    files = write_cases(home, made, tmp_path / "out")
    assert [file.suffix for file in files] == [".jsonl"]
    assert json.loads(files[0].read_text().splitlines()[0])["metadata"]["logged_output"]


def test_a_draft_tells_what_it_took_of_the_budget(home: Lab) -> None:
    budget = r"took [\d.]+ % \([\d.]+ to [\d.]+\)"
    assert re.search(budget, drafted(home).text.split("## Timeline")[0])


def test_where_judge_and_person_differ_the_criteria_are_refined(home: Lab) -> None:
    rows = [
        {"run_id": "r", "sample_id": str(n), "metric": "tone|x" + " (human)" * person,
         "value": float(not person or n > 2), "scorer_kind": "human" if person else "model"}
        for n in range(10) for person in (False, True)
    ]  # fmt: skip
    home.ingest(pl.DataFrame(rows))
    text = drafted(open_lab(home.path)).text
    assert not UNESCAPED.search(text)
    assert "judge and person differ on 3 of 10 answers (7 to 65 %)" in text


def test_it_is_kept_once_and_a_second_like_it_is_pointed_out(home: Lab, tmp_path: Path) -> None:
    made = drafted(home)
    for _ in range(2):
        write_cases(home, made, tmp_path / "out")
    folder = home.path / "incidents"
    assert len(list(folder.iterdir())) == 1
    assert "like this before" not in drafted(home).text
    earlier = {**made.kept, "id": "earlier", "began": "2026-04-02T00:00:00+00:00"}
    (folder / "earlier.json").write_text(json.dumps(earlier))
    (folder / "broken.json").write_text("{")
    text = drafted(home).text
    assert "like this before" in text and "2026-04-02" in text


def test_without_an_incident_there_is_no_draft(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nothing alarmed"):
        postmortem(open_lab(tmp_path / "lab"))
