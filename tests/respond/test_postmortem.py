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
from aiops_lab.respond.playbook import playbook
from aiops_lab.respond.postmortem import postmortem, write_postmortem
from aiops_lab.respond.signatures import KINDS

EVIL = "</script><img src=x onerror=alert(1)>|`x`"
UNESCAPED = re.compile(r"(?<!\\)<")
BEGAN = datetime(2026, 5, 10)


def span(number: int, at: datetime, broken: bool) -> dict:
    told = {"gen_ai.operation.name": "chat", "gen_ai.prompt.version": "p2" if broken else "p1",
            "input.value": f"question {number}", "output.value": "{" if broken else "{}",
            "openinference.span.kind": "CHAIN", "llm.prompt_template.version": "p2" if broken else
            "p1"}  # fmt: skip
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
    files = write_postmortem(home, made, tmp_path / "out")
    assert [file.suffix for file in files] == [".md", ".jsonl"]
    assert json.loads(files[1].read_text().splitlines()[0])["metadata"]["logged_output"]


def test_it_is_kept_once_and_a_second_like_it_is_pointed_out(home: Lab, tmp_path: Path) -> None:
    made = drafted(home)
    for _ in range(2):
        write_postmortem(home, made, tmp_path / "out")
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
