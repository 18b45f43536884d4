"""Questions, chunks and hits that another system logged: into a lab and beside a sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aiops_lab import Lab, run_retrieval, score_retrieval
from aiops_lab.sources.find import recognise

TEXTS = {"a": "Nine ferries sail. Two rest. The kiosk opens at six.", "b": "Dogs travel free."}
QUESTIONS: list[dict[str, Any]] = [
    {"question_id": "q1", "text": "How many rest?", "trap": "short",
     "gold": [{"doc_id": "a", "quote": "Two rest."}]},
    {"question_id": "q2", "text": "What of dogs?",
     "gold": [{"doc_id": "b", "start": 0, "end": 17, "relevance": 2}]},
]  # fmt: skip
CHUNKS = [
    {"chunk_id": "a1", "doc_id": "a", "start": 0, "end": 28},
    {"chunk_id": "a2", "doc_id": "a", "start": 28, "end": 52},
    {"chunk_id": "b1", "doc_id": "b", "start": 0, "end": 17},
]
HITS = [
    {"question_id": "q1", "chunk_id": "a1", "rank": 1, "score": 2.0},
    {"question_id": "q2", "chunk_id": "a2", "rank": 1, "score": 3.5},
]


def written(folder: Path, suffix: str) -> list[Path]:
    folder.mkdir()
    paths = []
    for name, rows in (("questions", QUESTIONS), ("chunks", CHUNKS), ("hits", HITS)):
        path = folder / f"{name}{suffix}"
        frame = pl.DataFrame(rows, infer_schema_length=None)
        match suffix:
            case ".jsonl":
                path.write_text("\n".join(map(json.dumps, rows)))
            case ".json":
                path.write_text(json.dumps(rows))
            case ".parquet":
                frame.write_parquet(path)
            case ".csv":
                if "gold" in frame.columns:
                    gold = [json.dumps(row["gold"]) for row in rows]
                    frame = frame.with_columns(gold=pl.Series(gold))
                frame.write_csv(path)
        paths.append(path)
    return paths


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet", ".csv"])
def test_every_form_of_the_three_tables_is_ingested_and_scored_alike(
    lab: Lab, tmp_path: Path, suffix: str
) -> None:
    done = lab.ingest(*written(tmp_path / "prod", suffix))
    assert (done.added, done.quarantined.height) == (3, 0)
    assert lab.table("questions")["experiment_id"].unique().to_list() == ["prod"]
    found = score_retrieval(
        lab.table("questions"), lab.table("chunks"), lab.table("hits"), corpus=TEXTS
    )
    assert found.per_question.select("question_id", "recall").rows() == [("q1", 1.0), ("q2", 0.0)]
    assert found.questions["trap"].to_list() == ["short", None]
    assert lab.ingest(tmp_path / "prod").skipped == 3


def test_frames_and_mapped_names_are_ingested(lab: Lab) -> None:
    theirs = pl.DataFrame(CHUNKS).rename({"chunk_id": "id", "doc_id": "file"})
    lab.ingest(theirs, columns={"chunk_id": "id", "doc_id": "file"})
    lab.ingest(pl.DataFrame(HITS).to_pandas())
    assert lab.table("chunks")["doc_id"].to_list() == ["a", "a", "b"]
    assert lab.table("hits")["experiment_id"].unique().to_list() == ["experiment"]


def test_trec_runs_and_judgements_are_ingested_and_scored(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("q1 0 a 1\nq2 0 b 2\nq2 0 a 0\n")
    (tmp_path / "bm25.run").write_text("q1 Q0 a 1 9.5 bm25\nq2 Q0 a 1 7 bm25\nq2 Q0 b 2 6 bm25\n")
    done = lab.ingest(tmp_path / "qrels.txt", tmp_path / "bm25.run")
    assert done.quarantined.height == 0
    found = score_retrieval(lab.table("questions"), None, lab.table("hits"))
    assert found.per_question["mrr"].to_list() == [1.0, 0.5]


@pytest.mark.parametrize(
    "text", ["a b c d\n", "1 2 3\n", "", "q1 Q0 a first 9.5 tag\n", "four words in line\n" * 3]
)
def test_other_texts_are_no_trec_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.txt").write_text(text)
    assert recognise(tmp_path / "notes.txt") is None


def test_what_cannot_be_read_is_quarantined_with_its_reason(lab: Lab, tmp_path: Path) -> None:
    rows = [*QUESTIONS, {"question_id": "q3", "gold": "not JSON"}]
    (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "chunks.jsonl").write_text(
        json.dumps({"chunk_id": 1, "doc_id": "a", "start": 5, "end": 2})
    )
    done = lab.ingest(tmp_path)
    assert lab.table("questions").height == 2
    assert done.quarantined.sort("place")["place"].to_list() == ["file", "question q3"]
    assert "no spans of a text" in done.quarantined.sort("place")["reason"][0]


def test_what_production_logged_stands_beside_a_sweep(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(*written(tmp_path / "prod", ".jsonl"))
    found = run_retrieval(
        TEXTS, QUESTIONS, ["windows-30"], retrievers=["bm25"], k=1, context=30, logged=lab
    )
    assert found.configurations["experiment_id"].to_list() == ["windows-30/bm25", "prod"]
    assert found.pairs.filter(by="k")["other"].to_list() == ["prod"]


def test_logged_chunks_of_other_documents_are_left_out_and_told(tmp_path: Path) -> None:
    far = [{**c, "end": c["end"] + 900} for c in CHUNKS]
    found = run_retrieval(TEXTS, QUESTIONS, ["windows-30"], retrievers=["bm25"], logged=(far, HITS))
    assert found.configurations["experiment_id"].to_list() == ["windows-30/bm25"]
    assert "another version" in found.checks.filter(check="logged")["detail"].item()


def test_a_corrected_file_replaces_what_it_said(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "B"
    paths = written(folder, ".jsonl")
    lab.ingest(*paths)
    paths[2].write_text(json.dumps({**HITS[0], "chunk_id": "a2"}))
    lab.ingest(*paths)
    assert lab.table("hits").select("question_id", "chunk_id").rows() == [("q1", "a2")]
    assert lab.table("chunks").height == 3


def test_the_same_files_in_two_folders_are_two_experiments(lab: Lab, tmp_path: Path) -> None:
    for name in ("A", "B"):
        written(tmp_path / name, ".jsonl")
    assert lab.ingest(tmp_path).added == 6
    for table in ("questions", "chunks", "hits"):
        assert set(lab.table(table)["experiment_id"]) == {"A", "B"}


def test_questions_of_two_experiments_in_one_file_are_both_kept(lab: Lab, tmp_path: Path) -> None:
    rows = [{**q, "experiment_id": e, "metadata": {"k": e}} for q in QUESTIONS for e in "XY"]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert lab.ingest(tmp_path / "q.jsonl").quarantined.height == 0
    assert lab.table("questions").height == 4


def test_another_experiment_of_the_lab_breaks_no_sweep(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(*written(tmp_path / "prod", ".jsonl"))
    lab.ingest(pl.DataFrame([{**c, "tokens": 3.0, "experiment_id": "other"} for c in CHUNKS]))
    found = run_retrieval(TEXTS, QUESTIONS, ["windows-30"], retrievers=["bm25"], logged=lab)
    assert found.configurations["experiment_id"].to_list() == ["windows-30/bm25", "prod"]
    bare = pl.DataFrame([{**h, "experiment_id": "bare"} for h in HITS])
    found = run_retrieval(
        TEXTS, QUESTIONS, ["windows-30"], retrievers=["bm25"], logged=(CHUNKS, bare)
    )
    assert "bare is left out" in found.checks.filter(check="logged")["detail"].item()


@pytest.mark.parametrize(
    "row",
    [
        {"input": "What?", "output": "Paris", "passed": True, "question": "What?", "gold": "P"},
        {"input": "a", "output": "b", "value": 1, "metadata": {"question_id": 1, "chunk_id": 2}},
    ],
)
def test_tables_of_answers_are_no_retrieval(tmp_path: Path, row: dict[str, Any]) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps(row))
    source = recognise(tmp_path / "t.jsonl")
    assert source is not None and source.name == "table"


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_columns_may_be_parted_by_any_sign_and_numbers_be_floats(
    lab: Lab, tmp_path: Path, separator: str
) -> None:
    rows = pl.DataFrame([{**c, "start": float(c["start"]), "end": float(c["end"])} for c in CHUNKS])
    rows.write_csv(tmp_path / "chunks.csv", separator=separator)
    assert lab.ingest(tmp_path / "chunks.csv").quarantined.height == 0
    assert lab.table("chunks")["end"].to_list() == [28, 52, 17]
