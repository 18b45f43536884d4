"""Logs that two releases of the real tools wrote, against the figures the tools recorded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab, open_lab
from aiops_lab.stats.clustered import clustered_error
from aiops_lab.stats.paired import paired_difference
from tests.conftest import DATA

MANIFEST = json.loads((DATA / "MANIFEST.json").read_text())
INSPECT = [entry for entry in MANIFEST if entry["tool"] == "inspect"]
PROMPTFOO = [entry for entry in MANIFEST if entry["tool"] == "promptfoo"]
RESULTS = [e for e in MANIFEST if e["tool"].startswith("lm") and "/results_" in e["path"]]


def named(entry: dict[str, Any]) -> str:
    return entry["path"].replace("counter-small-1/", "")


def question_means(scores: pl.DataFrame) -> pl.DataFrame:
    means = scores.drop_nulls("value").group_by("metric", "sample_id", maintain_order=True)
    return means.agg(pl.col("value").mean())


@pytest.mark.parametrize("entry", INSPECT, ids=named)
def test_inspect_rows_in_the_file_are_rows_read(lab: Lab, entry: dict[str, Any]) -> None:
    done = lab.ingest(DATA / entry["path"])
    samples, facts = lab.samples(), entry["facts"]
    assert samples.height + done.quarantined.height == facts["samples"]
    assert samples["sample_id"].unique().sort().to_list() == sorted(facts["ids"])
    assert lab.runs()["status"].to_list() == [facts["status"] or "started"]
    assert samples["error"].count() == facts["errors"]
    used = facts["tokens_summed_over_samples"]
    assert samples["tokens_in"].sum() == used.get("input_tokens", 0)
    assert samples["tokens_out"].sum() == used.get("output_tokens", 0)


@pytest.mark.parametrize("entry", INSPECT, ids=named)
def test_inspect_means_and_errors_equal_its_own_header(lab: Lab, entry: dict[str, Any]) -> None:
    lab.ingest(DATA / entry["path"])
    means = question_means(lab.scores())
    clusters = lab.samples().unique("sample_id").select("sample_id", "cluster")
    compared = 0
    for score in entry["facts"]["scores"]:
        if score.get("reducer", "mean") != "mean":
            continue
        names = (score["scorer"], f"{score['scorer']}/{score['name']}")
        part = means.filter(
            pl.col("metric").is_in(names[:1] if score["name"] == names[0] else names)
        )
        recorded = score["metrics"]
        figure = recorded.get("accuracy", recorded.get("mean"))
        if figure in (None, "NaN") or not part.height:
            continue
        values = part["value"].to_numpy()
        assert values.mean() == pytest.approx(figure, abs=1e-9)
        known = part.join(clusters, on="sample_id", maintain_order="left")
        found = [
            paired_difference(np.zeros(len(values)), values).standard_error,
            *([clustered_error(values, known["cluster"])[0]] if known["cluster"].count() else []),
        ]
        for name, error in recorded.items():
            if name.startswith("stderr") and error != "NaN":
                assert any(math.isclose(e or 0, error, abs_tol=1e-9) for e in found), (name, score)
                compared += 1
    if "full" in entry["path"]:
        assert compared >= 2


@pytest.mark.parametrize(
    ("release", "form"),
    [("0.3.285", "pair.json"), ("0.3.285", "chunked.eval"), ("0.3.60", "pair.json")],
)
def test_every_form_of_one_run_gives_the_same_rows(tmp_path: Path, release: str, form: str) -> None:
    found = []
    for name in ("pair.eval", form):
        lab = open_lab(tmp_path / name)
        lab.ingest(DATA / f"inspect-{release}" / name)
        key = ["sample_id", "epoch"]
        samples = lab.samples().drop("detail_uri", "run_id").sort(key)
        found.append(
            (samples.to_dicts(), lab.scores().drop("run_id").sort([*key, "metric"]).to_dicts())
        )
    assert found[0] == found[1]


def test_a_finished_log_is_shown_instead_of_an_unfinished_one_of_its_run(lab: Lab) -> None:
    folder = DATA / "inspect-0.3.285"
    done = lab.ingest(folder)
    forms = [folder / name for name in ("pair.eval", "pair.json", "chunked.eval")]
    assert len(done.superseded) == 2
    assert set(done.superseded["path"]) < {str(path) for path in forms}
    assert lab.runs()["run_id"].is_unique().all()
    assert lab.samples().select(pl.struct("run_id", "sample_id", "epoch").is_unique().all()).item()


def test_unscored_and_labels_are_missing_and_never_nought(lab: Lab) -> None:
    lab.ingest(DATA / "inspect-0.3.285" / "full.eval")
    scores = lab.scores()
    unscored = scores.filter(
        (pl.col("metric") == "closeness") & (pl.col("sample_id") == "unscored")
    )
    assert unscored.height == 3
    assert unscored["value"].null_count() == 3
    labels = scores.filter(pl.col("metric") == "intent")
    assert labels["value"].count() == 0
    assert labels["label"].null_count() < labels.height
    assert set(scores["metric"]) >= {"letter", "rubric/tone", "rubric/cites", "polite", "profile/0"}


def test_texts_come_whole_and_hostile_ones_unharmed(lab: Lab) -> None:
    lab.ingest(DATA / "inspect-0.3.285" / "full.eval")
    samples = lab.samples()
    texts = "\n".join(samples["input"].to_list() + samples["output"].drop_nulls().to_list())
    assert "</script><script>alert(1)</script>" in texts
    assert "attachment://" not in texts
    slashed = samples.filter(pl.col("sample_id") == "greeting/umlaut ä")
    assert slashed["output"].null_count() == 0
    assert slashed["prompt_digest"].null_count() == 0


@pytest.mark.parametrize("entry", PROMPTFOO, ids=named)
def test_promptfoo_counts_equal_its_own(lab: Lab, entry: dict[str, Any]) -> None:
    done = lab.ingest(DATA / entry["path"])
    facts = entry["facts"]
    assert lab.samples().height + done.quarantined.height == facts["rows"]
    columns = facts.get("columns") or []
    runs = sorted(lab.runs()["run_id"], key=lambda run: int(run.rpartition("/")[2]))
    for run, column in zip(runs, columns, strict=len(columns) > 0):
        scores = lab.scores(run)
        passed = scores.filter(pl.col("metric") == "pass")["passed"]
        errors = lab.samples(run)["error"].count()
        assert passed.sum() == column["testPassCount"]
        if "testErrorCount" in column:
            assert errors == column["testErrorCount"]
            assert passed.len() - passed.sum() - errors == column["testFailCount"]
            assert passed.null_count() == errors
        else:  # version 2 counts an error as a failure
            assert passed.len() - passed.sum() == column["testFailCount"]
        answered = scores.filter(pl.col("metric") == "score")["value"]
        assert answered.sum() == pytest.approx(column["score"], abs=1e-9)
        for name, total in column["namedScores"].items():
            weight = column.get("namedScoreWeights", {}).get(name)
            count = column.get("namedScoresCount", {}).get(name)
            values = scores.filter(pl.col("metric") == name)["value"]
            if weight and count:
                assert values.mean() == pytest.approx(total / weight, abs=1e-9)
            else:
                assert values.sum() == pytest.approx(total, abs=1e-9)
        cost = lab.samples(run)["cost_usd"].sum()
        assert cost == pytest.approx(column["cost"], abs=1e-9) or facts["cached_rows"]


def test_promptfoo_repeats_are_epochs_of_one_question(lab: Lab) -> None:
    lab.ingest(DATA / "promptfoo-0.123.1" / "repeat.json")
    samples = lab.samples()
    assert samples["epoch"].unique().sort().to_list() == [1, 2, 3]
    per_run = samples.group_by("run_id").agg(pl.col("sample_id").n_unique())
    assert per_run["sample_id"].to_list() == [6] * 4


def test_promptfoo_lines_hold_what_the_document_holds(tmp_path: Path) -> None:
    found = []
    for name in ("repeat.json", "repeat.jsonl"):
        lab = open_lab(tmp_path / name)
        lab.ingest(DATA / "promptfoo-0.123.1" / name)
        key = ["column", "sample_id", "epoch", "metric"]
        scores = lab.scores().with_columns(column=pl.col("run_id").str.extract(r"/(\d+)$"))
        found.append(scores.drop("run_id").sort(key).to_dicts())
    assert found[0] == found[1]


def test_a_cached_answer_has_no_latency_and_no_cost(lab: Lab) -> None:
    lab.ingest(DATA / "promptfoo-0.123.1" / "cached.json")
    cached = lab.samples().filter(pl.col("metadata").str.contains('"cached":true'))
    assert cached.height == 4
    assert cached["latency_s"].null_count() == cached["cost_usd"].null_count() == 4


@pytest.mark.parametrize("entry", RESULTS, ids=named)
def test_lm_eval_figures_equal_its_own_results(lab: Lab, entry: dict[str, Any]) -> None:
    done = lab.ingest((DATA / entry["path"]).parent)
    assert done.quarantined.height == 0
    results = entry["facts"]["results"]
    runs = {run.split("/")[-2]: run for run in lab.runs()["run_id"]}
    assert set(runs) == set(results)
    for task, figures in results.items():
        scores = lab.scores(runs[task])
        assert lab.samples(runs[task]).height == entry["facts"]["n-samples"][task]["effective"]
        for name, figure in figures.items():
            metric, _, filtered = name.partition(",")
            if filtered and not metric.endswith("_stderr"):
                values = scores.filter(pl.col("metric") == name)["value"].to_numpy()
                assert values.mean() == pytest.approx(figure, abs=1e-9)
                error = values.std(ddof=1) / np.sqrt(len(values))
                assert error == pytest.approx(figures[f"{metric}_stderr,{filtered}"], abs=1e-9)


def test_lm_eval_rows_in_the_file_are_rows_read(lab: Lab) -> None:
    for entry in MANIFEST:
        if "/samples_" in entry["path"]:
            lines = (DATA / entry["path"]).read_text().count("\n")
            assert lines == entry["facts"]["rows"]
    lab.ingest(DATA / "lmeval-0.4.9.1")
    filters = lab.scores().group_by("metric").len()
    assert dict(filters.rows())["exact_match,strict-match"] == 20
    assert lab.samples().height == 40


def test_two_releases_of_lm_eval_give_the_same_answers(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "data" / "logs" / "lmeval"
    found = []
    for folder in (DATA / "lmeval-0.4.9.1", shipped):
        lab = open_lab(tmp_path / folder.name)
        lab.ingest(folder)
        found.append(lab.scores().drop("run_id").sort("sample_id", "metric").to_dicts())
    assert found[0] == found[1]


def test_tags_taken_away_by_an_edit_stay_away(lab: Lab, tmp_path: Path) -> None:
    log = json.loads((DATA / "inspect-0.3.60" / "pair.json").read_text())
    log["eval"]["tags"], log["tags"] = ["prod"], []
    (tmp_path / "edited.json").write_text(json.dumps(log))
    lab.ingest(tmp_path / "edited.json")
    assert lab.runs()["tags"].to_list() == [[]]


def test_a_named_score_called_like_ours_is_kept_apart(lab: Lab, tmp_path: Path) -> None:
    results = json.loads((DATA / "promptfoo-0.123.1" / "cached.json").read_text())
    for row in results["results"]["results"]:
        row["namedScores"] = {"pass": 0.125, "score": 0.25}
    (tmp_path / "p.json").write_text(json.dumps(results))
    lab.ingest(tmp_path / "p.json")
    key = ["run_id", "sample_id", "epoch", "metric"]
    assert lab.scores().select(pl.struct(key).is_unique().all()).item()
    assert lab.scores().filter(pl.col("metric") == "named pass")["value"].unique().to_list() == [
        0.125
    ]


@pytest.mark.parametrize("field", ["revision", "dataset", "scorers", "packages", "config"])
def test_a_field_of_another_type_costs_no_log(lab: Lab, tmp_path: Path, field: str) -> None:
    log = json.loads((DATA / "inspect-0.3.60" / "pair.json").read_text())
    log["eval"][field] = "a text"
    (tmp_path / "odd.json").write_text(json.dumps(log))
    assert lab.ingest(tmp_path / "odd.json").quarantined.height == 0
    assert lab.runs().height == 1
