"""Whose documents and questions an experiment of a lab is about."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from aiops_lab import open_lab, run_retrieval
from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.editions import next_edition
from aiops_lab.ship.retrieval.inputs import DEMO, PYTHON
from aiops_lab.ship.retrieval.logged import documents_of

QUESTIONS = pl.DataFrame(
    {
        "question_id": ["q1", "q2"],
        "text": ["When does the kiosk open?", "How many ferries sail?"],
        "gold": [[{"doc_id": "a.md", "start": 20, "end": 40}], [{"doc_id": "a.md", "start": 0,
                                                                 "end": 18}]],
    }
)  # fmt: skip
CHUNKS = pl.DataFrame(
    {"experiment_id": ["theirs"] * 2, "chunk_id": ["1", "2"], "doc_id": ["a.md"] * 2,
     "start": [0, 20], "end": [20, 40]}
)  # fmt: skip
HITS = pl.DataFrame(
    {"experiment_id": ["theirs"] * 2, "question_id": ["q1", "q2"], "rank": [1, 1],
     "chunk_id": ["2", "2"], "score": [1.0, 0.5]}
)  # fmt: skip


def test_what_a_lab_holds_is_scored_not_the_demo(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    lab.ingest(QUESTIONS)
    with pytest.raises(BadSettings, match="-p corpus"):
        run_retrieval("", "", logged=lab)
    lab.ingest(CHUNKS, HITS)
    found = run_retrieval("", "", logged=lab, k=1, context=20)
    assert found.configurations.select("experiment_id", "recall").rows() == [("theirs", 0.5)]
    assert found.corpus is None and next_edition(found) is None


def test_a_lab_names_its_documents_once(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    (lab.path / "docs").mkdir()
    (lab.path / "docs" / "a.md").write_text("Nine ferries sail. The kiosk opens at six.", "utf-8")
    QUESTIONS.write_ndjson(lab.path / "asked.jsonl")
    told = '[retrieval]\ncorpus = "docs"\nquestions = "asked.jsonl"\n'
    (lab.path / "lab.toml").write_text(told, "utf-8")
    found = run_retrieval("", "", ["windows-20"], retrievers=["bm25"], logged=lab, k=1)
    assert found.questions["question_id"].to_list() == ["q1", "q2"]
    lab.ingest(QUESTIONS.head(1))
    (lab.path / "lab.toml").write_text('[retrieval]\ncorpus = "docs"\n', "utf-8")
    corpus, asked = documents_of(lab, "", "")
    assert corpus == lab.path / "docs" and asked["question_id"].to_list() == ["q1"]
    given = {"a.md": "Nine ferries sail. The kiosk opens at six."}
    assert documents_of(lab, given, "")[0] is given


@pytest.mark.parametrize(("named", "meant"), [("demo:handbook", DEMO), (PYTHON, PYTHON)])
def test_what_comes_with_the_library_has_its_own_questions(
    tmp_path: Path, named: str, meant: str
) -> None:
    lab = open_lab(tmp_path / "lab")
    lab.ingest(QUESTIONS)
    (lab.path / "lab.toml").write_text(f'[retrieval]\ncorpus = "{named}"\n', "utf-8")
    assert documents_of(lab, "", "") == (meant, "")
    assert documents_of(None, "", "") == ("", "") == documents_of((CHUNKS, HITS), "", "")
