"""Plain tables: canonical, mapped, nested, broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from aiops_lab import Lab, LabError, compare_runs, open_lab
from tests.conftest import table_of

WIDE = "run_id,sample_id,accuracy,tone,topic\na,007,1,0.5,x\na,1e3,0,,y\na, 9 ,NaN,0.25,x\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_ids_stay_as_they_are_written(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(written(tmp_path / "t.csv", WIDE), columns={"value": ["accuracy", "tone"]})
    assert sorted(lab.samples("a")["sample_id"]) == [" 9 ", "007", "1e3"]


def test_score_columns_become_metrics_and_empty_cells_are_unscored(
    lab: Lab, tmp_path: Path
) -> None:
    lab.ingest(written(tmp_path / "t.csv", WIDE), columns={"value": ["accuracy", "tone"]})
    scores = lab.scores().sort("metric", "sample_id")
    assert scores.select("metric", "value").rows() == [
        ("accuracy", None), ("accuracy", 1.0), ("accuracy", 0.0),
        ("tone", 0.25), ("tone", 0.5), ("tone", None),
    ]  # fmt: skip
    assert json.loads(lab.samples()["metadata"][0]) == {"topic": "x"}


def test_a_run_without_a_name_is_called_after_its_file(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(written(tmp_path / "nightly.csv", "sample_id,metric,value\n1,acc,1\n2,acc,0\n"))
    assert lab.runs()["run_id"].to_list() == ["nightly"]


def test_repeated_rows_of_a_question_are_epochs(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(written(tmp_path / "t.csv", "sample_id,metric,value\n1,a,1\n1,a,0\n1,b,1\n"))
    assert lab.scores().sort("metric", "epoch").select("metric", "epoch").rows() == [
        ("a", 1), ("a", 2), ("b", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "parquet"])
def test_every_form_of_a_table_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    frame = table_of({"a": [1.0, 0.5, None], "b": [0.0, 0.25, 1.0]}).with_columns(
        input=pl.lit("Wie lange? „ä“"), tokens_in=pl.lit(7), passed=pl.col("value") > 0.4
    )
    path = tmp_path / f"t.{suffix}"
    match suffix:
        case "csv":
            frame.write_csv(path)
        case "jsonl":
            frame.write_ndjson(path)
        case "json":
            path.write_text(json.dumps(frame.to_dicts()))
        case "parquet":
            frame.write_parquet(path)
    found, direct = open_lab(tmp_path / "file"), open_lab(tmp_path / "frame")
    done = found.ingest(path)
    direct.ingest(frame)
    assert done.quarantined.height == 0
    for table, keep in (("scores", None), ("samples", "detail_uri")):
        left, right = (
            lab.table(table).drop(keep or []).sort(pl.all()).to_dicts() for lab in (found, direct)
        )
        assert left == right


@pytest.mark.parametrize(
    "given", [pd.DataFrame, pa.Table.from_pylist, pl.DataFrame, lambda rows: pl.LazyFrame(rows)]
)
def test_frames_of_any_library_go_in_and_can_be_compared(lab: Lab, given: Any) -> None:
    rows = table_of({"a": [1.0, 0.0, 1.0], "b": [1.0, 1.0, 1.0]}).to_dicts()
    lab.ingest(given(rows))
    assert lab.scores("a")["value"].to_list() == [1.0, 0.0, 1.0]
    result = compare_runs(given(rows), baseline="a", candidate="b")
    assert result.metrics["difference"][0] == pytest.approx(1 / 3)


def test_deepeval_runs_are_read_by_mapping(lab: Lab, tmp_path: Path) -> None:
    document = {
        "testCases": [
            {
                "name": f"case {i}",
                "input": f"question {i}",
                "actualOutput": "an answer",
                "expectedOutput": "wanted",
                "metricsData": [
                    {"name": "Relevancy", "score": 0.5 + i / 10, "success": True, "reason": "so"},
                    {"name": "Bias", "score": None, "success": False, "reason": "judge failed"},
                ],
            }
            for i in range(3)
        ]
    }
    path = written(tmp_path / "run.json", json.dumps(document))
    mapping = {
        "rows": "testCases", "explode": "metricsData", "sample_id": "name", "input": "input",
        "output": "actualOutput", "target": "expectedOutput", "metric": "metricsData.name",
        "value": "metricsData.score", "passed": "metricsData.success",
        "explanation": "metricsData.reason",
    }  # fmt: skip
    done = lab.ingest(path, columns=mapping)
    assert done.quarantined.height == 0
    scores = lab.scores().sort("metric", "sample_id")
    assert scores.filter(pl.col("metric") == "Relevancy")["value"].to_list() == [0.5, 0.6, 0.7]
    assert scores.filter(pl.col("metric") == "Bias")["value"].null_count() == 3
    assert lab.samples()["output"].unique().to_list() == ["an answer"]


def test_openai_evals_logs_are_read_by_mapping(lab: Lab, tmp_path: Path) -> None:
    lines: list[dict] = [{"spec": {"eval_name": "e", "run_id": "r1"}}]
    for i in range(4):
        common = {"run_id": "r1", "sample_id": f"e.dev.{i}"}
        lines.append({**common, "type": "sampling", "data": {"prompt": "p", "sampled": ["x"]}})
        lines.append({**common, "type": "match", "data": {"correct": i % 2 == 0, "picked": "x"}})
    lines.append({"final_report": {"accuracy": 0.5}})
    path = written(tmp_path / "log.jsonl", "\n".join(map(json.dumps, lines)))
    mapping = {"value": "data.correct", "metric": "=match", "where": {"type": "match"}}
    assert lab.ingest(path, columns=mapping).quarantined.height == 0
    assert lab.scores("r1").sort("sample_id")["value"].to_list() == [1.0, 0.0, 1.0, 0.0]


def test_ragas_tables_are_read_by_mapping(lab: Lab) -> None:
    frame = pd.DataFrame(
        {
            "user_input": ["q1", "q2"], "response": ["a1", "a2"], "reference": ["r1", "r2"],
            "retrieved_contexts": [["c"], ["d"]], "faithfulness": [0.9, float("nan")],
            "context_recall": [1.0, 0.5],
        }
    )  # fmt: skip
    mapping = {
        "input": "user_input", "output": "response", "target": "reference",
        "value": ["faithfulness", "context_recall"], "run_id": "=ragas",
    }  # fmt: skip
    assert lab.ingest(frame, columns=mapping).quarantined.height == 0
    assert lab.scores("ragas")["value"].null_count() == 1
    assert lab.samples("ragas").height == 2


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "sample_id,metric,value\n1,a,maybe\n2,a,1\n", "'maybe' does not fit"),
        ("b.csv", "sample_id,metric,value\n1,a,1,9\n2,a,1\n", "4 cells where the header has 3"),
        ("c.csv", "sample_id,metric,value\n,a,1\n2,a,1\n", "no sample_id"),
        ("d.csv", "sample_id,metric,value,epoch\n1,a,1,1\n2,a,1,1\n2,a,0,1\n", "a second row"),
        ("e.jsonl", '{"sample_id":1,"value":1}\n{"sample_id":2,"val\n{"sample_id":3,"value":1}\n',
         "not the JSON"),
        ("f.jsonl", '{"sample_id":1,"value":1}\n[1]\n{"sample_id":3,"value":1}\n', "not an object"),
        ("g.csv", "colour,size\nred,4\n", "which question a row is about; its columns are colour"),
        ("h.csv", "sample_id,value,value\n1,2,3\n", "two columns are called 'value'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_quarantined_with_place_and_reason(
    lab: Lab, tmp_path: Path, name: str, text: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    done = lab.ingest(path)
    assert done.quarantined.height == 1, done.quarantined
    assert reason in done.quarantined["reason"][0]
    assert done.quarantined["path"][0] == str(path)
    good = {"a.csv": 1, "b.csv": 1, "c.csv": 1, "d.csv": 2, "e.jsonl": 2, "f.jsonl": 2}
    assert lab.samples().height == good.get(name, 0)


def test_a_mapping_that_does_not_fit_names_the_columns(lab: Lab, tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", WIDE)
    done = lab.ingest(path, columns={"value": "acuracy"})
    assert "no column 'acuracy'; its columns are run_id" in done.quarantined["reason"][0]
    assert lab.ingest(path, columns={"value": "accuracy"}).added == 1


def test_an_unknown_canonical_name_is_refused(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no canonical column 'vlaue'; did you mean 'value'"):
        lab.ingest(written(tmp_path / "t.csv", WIDE), columns={"vlaue": "accuracy"})


def test_a_table_in_utf_16_is_read(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sample_id,metric,value\nä,a,1\n", "utf-16")
    assert lab.ingest(tmp_path / "t.csv").quarantined.height == 0
    assert lab.samples()["sample_id"].to_list() == ["ä"]


def test_a_table_in_latin_1_says_so(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sample_id,metric,value\nä,a,1\n", "latin-1")
    assert "not UTF-8 text" in lab.ingest(tmp_path / "t.csv").quarantined["reason"][0]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("easy question", {"metadata": "easy question"}), ("5", {"metadata": 5}),
     ('{""k"": 1}', {"k": 1})],
)  # fmt: skip
def test_metadata_is_always_an_object(lab: Lab, tmp_path: Path, text: str, kept: dict) -> None:
    cell = '"' + text + '"'
    path = written(tmp_path / "t.csv", f"run_id,sample_id,value,metadata\na,1,1,{cell}\nb,1,0,\n")
    lab.ingest(path)
    assert json.loads(lab.samples("a")["metadata"][0]) == kept
    assert compare_runs(lab, baseline="a", candidate="b").metrics.height == 1


def test_tags_are_a_list_however_they_are_written(lab: Lab, tmp_path: Path) -> None:
    rows = [{"run_id": "a", "sample_id": 1, "value": 1, "tags": ["prod", "v 2"]}]
    lab.ingest(written(tmp_path / "t.jsonl", json.dumps(rows[0])))
    lab.ingest(written(tmp_path / "u.csv", 'run_id,sample_id,value,tags\nb,1,1,"prod, v 2"\n'))
    assert lab.runs()["tags"].to_list() == [["prod", "v 2"]] * 2


def test_an_unclosed_quotation_mark_swallows_nothing(lab: Lab, tmp_path: Path) -> None:
    text = 'sample_id,value,note\n1,1,ok\n2,1,"open\n' + "".join(f"{i},1,x\n" for i in range(99))
    done = lab.ingest(written(tmp_path / "t.csv", text))
    assert "never closed" in done.quarantined["reason"][0]


def test_every_bad_row_is_counted(lab: Lab, tmp_path: Path) -> None:
    text = "sample_id,value\n" + "".join(f"{i},bad\n" for i in range(3000))
    assert lab.ingest(written(tmp_path / "t.csv", text)).quarantined.height == 3000


def test_integers_that_pandas_made_floats_stay_integers(lab: Lab) -> None:
    frame = pd.DataFrame({"run_id": "a", "sample_id": [1.0, 2.0, None], "value": 1.0})
    lab.ingest(frame)
    assert sorted(lab.samples()["sample_id"]) == ["1", "2"]
