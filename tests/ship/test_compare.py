"""Comparisons: right figures, honest words, clear errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from aiops_lab import Lab, LabError, compare_runs, plan_gate, release_gate
from aiops_lab.errors import BadSettings, NotComputable, UnknownRun
from tests.conftest import table_of, write_eval


def test_figures_equal_scipy_on_the_demo(demo: Lab) -> None:
    result = compare_runs(demo, baseline="latest~1", candidate="latest")
    for row in result.metrics.to_dicts():
        sides = [
            demo.scores(result.settings[side])
            .filter(pl.col("metric") == row["metric"])
            .group_by("sample_id")
            .agg(pl.col("value").mean())
            .sort("sample_id")["value"]
            .to_numpy()
            for side in ("candidate", "baseline")
        ]
        reference = stats.ttest_rel(*sides)
        interval = reference.confidence_interval(0.95)
        assert row["n"] == 120
        assert row["difference"] == pytest.approx(sides[0].mean() - sides[1].mean(), abs=1e-9)
        assert row["standard_error"] == pytest.approx(stats.sem(sides[0] - sides[1]), abs=1e-9)
        # the score interval and Student's are close on 120 questions; plain numbers have the latter
        assert (row["low"], row["high"]) == pytest.approx(tuple(interval), abs=0.004)
        assert row["p_value"] == pytest.approx(reference.pvalue, abs=0.01)


def test_the_planted_difference_is_found_and_told(demo: Lab) -> None:
    result = compare_runs(demo, baseline="latest~1", candidate="latest")
    assert result.verdict.status == "warn"
    assert result.verdict.headline.startswith(
        "correct in topic delivery got worse: 83.3 % to 60.0 %"
    )
    assert "output tokens 2.1" in result.verdict.next_step
    moved = result.slices.filter((pl.col("p_adjusted") < 0.05) & (pl.col("metric") == "correct"))
    assert moved["slice"].to_list() == ["delivery"]
    explored = result.slices.filter((pl.col("q_value") < 0.05) & (pl.col("metric") == "correct"))
    assert sorted(explored["slice"]) == ["delivery", "returns"]
    tokens = result.behaviour.filter(pl.col("metric") == "tokens_out").row(0, named=True)
    assert tokens["ratio_low"] > 1.9
    assert set(result.flips["metric"]) == {"correct"}
    assert result.preflight["status"].unique().to_list() == ["ok"]


def test_quantiles_have_intervals(demo: Lab) -> None:
    found = compare_runs(demo, baseline="latest~1", candidate="latest").quantiles
    latency = found.filter(metric="latency_s")
    assert latency["quantile"].to_list() == [0.5, 0.95, 0.99]
    assert (latency["ratio_low"] <= latency["ratio"]).to_list() == [True, True, None]
    assert latency["ratio"].min() > 1


def test_it_is_deterministic_and_names_what_made_it(demo: Lab) -> None:
    one = compare_runs(demo, baseline="latest~1", candidate="latest")
    two = compare_runs(demo, baseline="latest~1", candidate="latest")
    assert json.dumps(one.to_dict(), default=str) == json.dumps(two.to_dict(), default=str)
    assert one.settings["lab_version"] == demo.version
    assert one.settings["by"] == ["difficulty", "language", "topic"]


def test_epochs_are_averaged_before_anything_else() -> None:
    """Rows are not independent: four questions by three epochs are four questions."""
    values = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0]]
    rows = [
        {"run_id": run, "sample_id": str(q), "epoch": e + 1, "value": float(v) * (run == "b")}
        for run in "ab"
        for q, epochs in enumerate(values)
        for e, v in enumerate(epochs)
    ]
    result = compare_runs(pl.DataFrame(rows), baseline="a", candidate="b")
    row = result.metrics.row(0, named=True)
    assert (row["n"], row["difference"]) == (4, pytest.approx(0.5, abs=1e-12))
    assert row["standard_error"] == pytest.approx(0.215166, abs=1e-6)


def test_unscored_answers_are_left_out_and_never_nought() -> None:
    table = table_of({"a": [1.0, 1.0, None, 0.0], "b": [1.0, None, 0.0, 0.0]})
    row = compare_runs(table, baseline="a", candidate="b").metrics.row(0, named=True)
    assert (row["n"], row["baseline"], row["candidate"]) == (2, 0.5, 0.5)


@pytest.mark.parametrize(
    ("shift", "margin", "status"),
    [(0.3, None, "ok"), (-0.3, None, "warn"), (0.0, None, "inconclusive"),
     (0.0, 0.2, "ok"), (-0.6, 0.2, "fail"), (-0.2, 0.2, "inconclusive")],
)  # fmt: skip
def test_the_verdict_follows_the_interval(shift: float, margin: float | None, status: str) -> None:
    noise = np.random.default_rng(2).normal(0, 0.3, size=80)
    noise -= noise.mean()
    table = table_of({"a": [1.0] * 80, "b": list(1 + shift + noise)})
    verdict = compare_runs(table, baseline="a", candidate="b", margin=margin).verdict
    assert verdict.status == status
    assert verdict.next_step


def test_lower_is_better_where_the_log_says_so(lab: Lab) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, size=60)
    lab.ingest(table_of({"a": [1.0] * 60, "b": list(2 + noise)}, metric="loss"))
    (lab.path / "lab.toml").write_text('[directions]\nloss = "lower"\n')
    assert compare_runs(lab, baseline="a", candidate="b").verdict.status == "warn"
    assert compare_runs(lab, baseline="a", candidate="b", margin=0.5).verdict.status == "fail"


def test_clusters_named_by_a_metadata_key_are_honoured() -> None:
    chance = np.random.default_rng(8)
    shared = np.repeat(chance.normal(size=25), 4)
    rows = [
        {"run_id": run, "sample_id": str(i), "value": v, "document": f"d{i // 4}"}
        for run, values in (("a", np.zeros(100)), ("b", shared))
        for i, v in enumerate(values)
    ]
    row = compare_runs(pl.DataFrame(rows), baseline="a", candidate="b", cluster="document").metrics
    plain = compare_runs(pl.DataFrame(rows), baseline="a", candidate="b").metrics
    assert row["method"][0] == "paired t on 25 clusters (CR2, 24 df): numbers"
    assert row["standard_error"][0] > 1.8 * plain["standard_error"][0]


def test_five_of_five_on_both_sides_settles_nothing() -> None:
    table = table_of({"a": [1.0] * 5, "b": [1.0] * 5})
    verdict = compare_runs(table, baseline="a", candidate="b", margin=0.02).verdict
    assert verdict.status == "inconclusive"
    assert "leave too much open" in verdict.next_step


def test_runs_over_other_questions_cannot_be_compared(lab: Lab, tmp_path: Path) -> None:
    table = table_of({"a": [1.0, 0.0] * 10, "b": [1.0, 0.0] * 10})
    table = table.with_columns(
        sample_id=pl.when((pl.col("run_id") == "b") & (pl.col("sample_id").cast(int) < 15))
        .then(pl.format("x{}", "sample_id"))
        .otherwise("sample_id")
    )
    result = compare_runs(table, baseline="a", candidate="b")
    assert result.verdict.status == "inconclusive"
    assert "5 of 35 questions were answered by both runs" in result.verdict.headline
    assert result.unmatched["side"].value_counts().sort("side")["count"].to_list() == [15, 15]


def test_a_question_that_changed_under_its_id_is_said() -> None:
    table = table_of({"a": [1.0, 0.0] * 10, "b": [1.0, 1.0] * 10}).with_columns(
        input=pl.when((pl.col("run_id") == "b") & (pl.col("sample_id") == "3"))
        .then(pl.lit("another"))
        .otherwise(pl.format("question {}", "sample_id"))
    )
    checks = compare_runs(table, baseline="a", candidate="b").preflight
    row = checks.filter(pl.col("check") == "same inputs").row(0, named=True)
    assert row["status"] == "warn"
    assert row["detail"] == "1 of 20 inputs changed under the same id"


def test_an_unfinished_run_and_its_errors_are_said(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(
        write_eval(tmp_path / "a.eval", "a", samples=20),
        write_eval(tmp_path / "b.eval", "b", samples=18, status="cancelled"),
    )
    checks = compare_runs(lab, baseline="a", candidate="b").preflight
    told = dict(checks.select("check", "status").iter_rows())
    assert told["both finished"] == "warn"
    assert told["same questions"] == "warn"


def test_a_first_run_has_nothing_to_be_compared_with(lab: Lab, tmp_path: Path) -> None:
    """The first night of a schedule, and the first log of a new user: no error, and no pass."""
    lab.ingest(write_eval(tmp_path / "a.eval", "a"))
    rule = {"gate": {"metrics": {"match": {"margin": 0.1}}}}
    for baseline in ("latest~1", "a"):
        found = compare_runs(lab, baseline=baseline, candidate="latest")
        assert found.verdict.status == "inconclusive"
        assert found.verdict.next_step.startswith("Ingest another run")
        gate = release_gate(lab, baseline=baseline, candidate="latest", policy=rule)
        assert gate.verdict.status == "inconclusive"
        assert {*gate.rules["status"]} <= {"inconclusive"}
        plan = plan_gate(lab, baseline=baseline, candidate="latest", policy=rule)
        assert plan.settings["candidate"] is None
    with pytest.raises(BadSettings, match="the same run"):
        compare_runs(lab, baseline="a", candidate=["a", "latest"])


def test_cost_comes_from_the_prices_where_the_log_has_none(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(write_eval(tmp_path / "a.eval", "a"), write_eval(tmp_path / "b.eval", "b"))
    assert "cost_usd" not in compare_runs(lab, baseline="a", candidate="b").behaviour["metric"]
    (lab.path / "lab.toml").write_text('[prices."m/m"]\ninput = 1.0\noutput = 10.0\n')
    found = compare_runs(lab, baseline="a", candidate="b").behaviour
    cost = found.filter(pl.col("metric") == "cost_usd")["baseline"][0]
    assert cost == pytest.approx((12 * 1 + 5 * 10) / 1e6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"baseline": "a", "candidate": "z"}, UnknownRun, "the table has no run 'z'; it has a, b"),
        ({"baseline": "a", "candidate": "a"}, BadSettings, "the same run"),
        ({"baseline": "a", "candidate": "b", "metrics": ["x"]}, BadSettings, "no metric 'x'"),
        ({"baseline": "a", "candidate": "b", "by": "x"}, BadSettings, "no column or metadata key"),
        ({"baseline": "a", "candidate": "b", "margin": -1}, BadSettings, "0 or more, not -1"),
    ],
)
def test_errors_say_what_to_do(call: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compare_runs(table_of({"a": [1.0, 0.0], "b": [1.0, 1.0]}), **call)


def test_nothing_in_common_is_an_error_that_says_what_is_missing() -> None:
    unscored = table_of({"a": [1.0], "b": [None]})
    with pytest.raises(NotComputable, match="run b has no scores"):
        compare_runs(unscored, baseline="a", candidate="b")
    other = pl.concat([table_of({"a": [1.0]}, "x"), table_of({"b": [1.0]}, "y")])
    with pytest.raises(NotComputable, match="a has x; b has y"):
        compare_runs(other, baseline="a", candidate="b")
    with pytest.raises(LabError, match="takes a Lab or a table, not a int"):
        compare_runs(3, baseline="a", candidate="b")


@pytest.mark.parametrize("values", [[1.0], [0.5, 0.5], [float("nan"), 1.0], [1e12, -1e12, 0.0]])
def test_odd_values_give_a_clear_result(values: list[float]) -> None:
    result = compare_runs(table_of({"a": values, "b": values}), baseline="a", candidate="b")
    assert result.verdict.status == "inconclusive"
    assert "nan" not in result.verdict.headline


def test_a_margin_is_named_and_both_ways_to_settle_it_are_told() -> None:
    noise = np.random.default_rng(3).normal(0, 0.2, size=60)
    table = table_of({"a": [1.0] * 60, "b": list(0.95 + noise - noise.mean())})
    verdict = compare_runs(table, baseline="a", candidate="b", margin=0.07).verdict
    assert verdict.status == "inconclusive"
    assert "Cannot tell whether score lost more than is accepted" in verdict.headline
    assert "if nothing changed, or about" in verdict.next_step
    assert "if the change seen is true" in verdict.next_step


def test_what_moved_is_decided_once() -> None:
    """Six of six lost has no p-value, but an exact bound clear of zero: told and coloured alike."""
    result = compare_runs(table_of({"a": [1.0] * 6, "b": [0.0] * 6}), baseline="a", candidate="b")
    assert result.verdict.status == "warn"
    assert result.metrics["moved"].to_list() == ["worse"]


def test_a_rating_below_one_is_no_percentage() -> None:
    ratings = [0.5, 1.0, 3.0, 0.0]
    table = table_of({"a": ratings, "b": [r / 2 for r in ratings]}, metric="rating")
    result = compare_runs(table, baseline="a", candidate="b")
    assert result.metrics["share"].to_list() == [False]
    assert "%" not in result.verdict.headline


def test_rows_of_a_table_that_cannot_be_read_are_said() -> None:
    table = table_of({"a": [1.0, 0.0], "b": [1.0, 1.0]}).cast({"value": pl.String})
    table = table.with_columns(
        value=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("good")).otherwise("value")
    )
    checks = compare_runs(table, baseline="a", candidate="b").preflight
    assert "row 1: value: 'good' does not fit" in checks["detail"].to_list()[-1]


def lost(share: float, error: str | None) -> pl.DataFrame:
    """A candidate that lost some of its answers; those that are left are perfect."""
    n = 100
    rows = [{"run_id": "a", "sample_id": str(i), "value": float(i % 2)} for i in range(n)]
    for i in range(n):
        gone = i < share * n
        row = {"run_id": "b", "sample_id": str(i), "value": None if gone else 1.0}
        rows.append({**row, "error": error if gone else None})
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.mark.parametrize("error", ["the model broke", None])
def test_answers_that_were_lost_pass_nothing(error: str | None) -> None:
    some = compare_runs(lost(0.1, error), baseline="a", candidate="b", margin=0.02).verdict
    assert "10 of 100 answers of the candidate have no score" in some.next_step
    many = compare_runs(lost(0.4, error), baseline="a", candidate="b", margin=0.02).verdict
    assert many.status == "inconclusive"


def test_a_score_asked_for_that_one_side_lacks_is_an_error() -> None:
    both = pl.concat(
        [
            table_of({"a": [1.0] * 9, "b": [1.0] * 9}, "acc"),
            table_of({"a": [1.0] * 9, "b": [None] * 9}, "safety"),
        ]
    )
    with pytest.raises(NotComputable, match="no question has a score 'safety' in both runs"):
        compare_runs(both, baseline="a", candidate="b", metrics=["acc", "safety"], margin=0.1)
    verdict = compare_runs(both, baseline="a", candidate="b").verdict
    assert "only one run has safety" in verdict.next_step


def test_a_slice_that_collapsed_within_the_margin_is_not_waved_through() -> None:
    values = [1.0] * 380 + [0.05] * 20
    table = table_of({"a": [1.0] * 400, "b": values}).with_columns(
        lang=pl.when(pl.col("sample_id").cast(pl.Int64) >= 380)
        .then(pl.lit("de"))
        .otherwise(pl.lit("en"))
    )
    verdict = compare_runs(table, baseline="a", candidate="b", margin=0.1).verdict
    assert verdict.status == "ok"
    assert verdict.next_step.startswith(
        "The whole is within the margin, but look at score in lang de"
    )


def test_as_many_won_as_lost_is_not_told_as_all_alike() -> None:
    values = [1.0, 0.0] * 15
    table = table_of({"a": values, "b": values[1:] + values[:1]})
    verdict = compare_runs(table, baseline="a", candidate="b").verdict
    assert verdict.next_step.startswith("With 30 questions only changes from about")


@pytest.mark.parametrize("margin", [None, 0.05])
def test_too_few_clusters_decide_nothing(margin: float | None) -> None:
    rows = [
        {"run_id": run, "sample_id": n, "value": value, "doc": f"d{n % 4}"}
        for n in range(80)
        for run, value in (("a", n / 200), ("b", n / 200 + 0.1 + n % 7 / 100))
    ]
    found = compare_runs(
        pl.DataFrame(rows), baseline="a", candidate="b", cluster="doc", margin=margin
    )
    assert found.metrics["method"][0].endswith("4 clusters are too few to honour")
    assert found.metrics["moved"].to_list() == ["no clear change"]
    assert found.verdict.status == "inconclusive"


def test_a_question_without_a_cluster_is_one_of_its_own() -> None:
    rows = [
        {"run_id": run, "sample_id": str(i), "value": float(v), "doc": None if i == 7 else i // 10}
        for run, values in (("a", np.zeros(100)), ("b", np.arange(100) % 3))
        for i, v in enumerate(values)
    ]
    table = pl.DataFrame(rows, infer_schema_length=None)
    for frame in (table, table.reverse()):
        found = compare_runs(frame, baseline="a", candidate="b", cluster="doc").metrics
        assert found["method"][0].startswith("paired t on 11 clusters")


def test_slices_come_from_whichever_run_has_them(lab: Lab) -> None:
    a = table_of({"a": [1.0, 0.0] * 10})
    b = table_of({"b": [1.0, 1.0] * 10}).with_columns(
        topic=pl.when(pl.col("sample_id").cast(pl.Int64) < 10)
        .then(pl.lit("x"))
        .otherwise(pl.lit("y"))
    )
    for order in ([a, b], [b, a]):
        table = pl.concat(order, how="diagonal")
        found = compare_runs(table, baseline="a", candidate="b", by="topic")
        assert found.slices["slice"].to_list() == ["x", "y"]


def test_where_the_whole_lost_the_steepest_slice_is_named(lab: Lab) -> None:
    """A loss of 20 points that is one of 67 in a third of the questions."""
    rows = [
        {"run_id": run, "sample_id": str(i), "value": float(run == "a" or i >= 40), "zone": zone}
        for run in "ab"
        for i in range(200)
        for zone in ["island" if i < 60 else "city"]
    ]
    lab.ingest(pl.DataFrame(rows))
    told = compare_runs(lab, baseline="a", candidate="b").verdict
    assert told.status == "warn"
    assert "Start with value in zone island: −66.7 points" in told.next_step
