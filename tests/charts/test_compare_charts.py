"""Pictures of comparisons: every result can be drawn, odd ones too."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import vl_convert

from aiops_lab import Comparison, Lab, compare_runs
from aiops_lab.charts import checks, compare, table, trust
from aiops_lab.charts.cases import MOST, Cases
from aiops_lab.charts.theme import MIME
from aiops_lab.wording import change
from tests.browser.payloads import PAYLOADS
from tests.conftest import table_of

ODD = {
    "alike": table_of({"a": [1.0, 0.0, 1.0], "b": [1.0, 0.0, 1.0]}).with_columns(tokens_out=5),
    "one question": table_of({"a": [0.5], "b": [0.75]}).with_columns(latency_s=1.0),
    "not shares": table_of({"a": [10.0, 250.0, -3.0], "b": [11.0, 260.0, -1.0]}),
    "no texts": table_of({"a": [1.0] * 6, "b": [0.0] * 6}),
    "many slices": pl.concat(
        table_of({"a": list(np.linspace(0, 1, 72)), "b": list(np.linspace(0, 1, 72) ** 2)})
        .with_columns(topic=pl.format("t{}", pl.col("sample_id").cast(pl.Int64) % 12))
        .with_columns(team=pl.format("u{}", pl.col("sample_id").cast(pl.Int64) % 7))
        for _ in range(1)
    ),
}


def rows_of(spec: dict) -> list[dict]:
    """All that a chart draws."""
    return [row for rows in spec["datasets"].values() for row in rows]


@pytest.fixture(scope="module")
def result(demo: Lab) -> Comparison:
    return compare_runs(demo, baseline="latest~1", candidate="latest")


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(
    "draw",
    [
        compare.forest,
        compare.heat,
        compare.slices,
        compare.behaviour,
        compare.pareto,
        compare.answers,
    ],
)
def test_every_result_can_be_drawn(name: str, draw) -> None:
    result = compare_runs(ODD[name], baseline="a", candidate="b", margin=0.1)
    chart = draw(result)
    if isinstance(chart, Cases):
        assert chart.title
        return
    spec = chart.to_dict()
    svg = vl_convert.vegalite_to_svg(json.dumps({**spec, "width": 500}))
    assert svg.startswith("<svg")
    assert "NaN" not in svg
    assert spec["title"]["text"]


@pytest.mark.parametrize("name", ODD)
def test_every_result_can_be_listed(name: str) -> None:
    result = compare_runs(ODD[name], baseline="a", candidate="b", margin=0.1)
    summary = compare.summary(result)
    assert summary.total == result.metrics.height + result.behaviour.height
    drawn = (trust.runs, trust.power, trust.flaky, trust.changes, trust.prompts, trust.unmatched)
    found = [draw(result) for draw in (*drawn, compare.flips)]
    for shown in (summary, checks(result.preflight), *found):
        bundle = shown._repr_mimebundle_()
        assert json.loads(json.dumps(bundle)) == bundle
    assert compare.forest(result).to_dict()


def test_at_most_twelve_slices_are_drawn_and_the_rest_counted() -> None:
    result = compare_runs(ODD["many slices"], baseline="a", candidate="b")
    spec = compare.slices(result).to_dict()
    assert "7 more slices moved less" in spec["title"]["subtitle"]
    assert len({row["name"] for row in rows_of(spec) if "name" in row}) == 12
    spec = compare.heat(result).to_dict()
    assert spec["title"]["subtitle"].endswith("; 7 more slices lost less")
    assert len({row["slice"] for row in rows_of(spec)}) == 12


def test_a_chart_leaves_a_notebook_for_jupyterlab_and_the_page(result: Comparison) -> None:
    bundle = compare.forest(result)._repr_mimebundle_()
    spec = bundle[MIME]
    assert "$schema" not in spec
    assert spec["width"] == 640
    assert spec["usermeta"] == {"width": "container"}


def test_cells_are_short() -> None:
    shown = table(pl.DataFrame({"x": [0.1 + 0.2, None, 1e-12], "y": ["a", None, "c"]}))
    assert [row[0][0] for row in shown.rows] == ["0.300", "–", "1.00 × 10^−12"]


def test_the_limit_is_drawn_where_the_verdict_has_it(lab: Lab) -> None:
    noise = list(np.random.default_rng(1).uniform(0.4, 0.6, 30))
    lab.ingest(table_of({"a": [0.5] * 30, "b": noise}, metric="loss"))
    (lab.path / "lab.toml").write_text('[directions]\nloss = "lower"\n')
    result = compare_runs(lab, baseline="a", candidate="b", margin=0.02)
    assert result.verdict.evidence[0].limit == 0.02
    rows = rows_of(compare.forest(result).to_dict())
    assert {row["limit"] for row in rows if row.get("limit")} == {2.0}


def test_scores_in_other_units_do_not_share_an_axis() -> None:
    both = pl.concat(
        [
            table_of({"a": [1.0, 0.0, 1.0], "b": [1.0, 1.0, 1.0]}, "accuracy"),
            table_of({"a": [4.0, 5.0, 3.0], "b": [4.0, 5.0, 1.0]}, "rating"),
        ]
    )
    result = compare_runs(both, baseline="a", candidate="b")
    spec = compare.forest(result).to_dict()
    assert spec["title"]["subtitle"].endswith("1 in other units above")


def test_charts_draw_the_figures_of_the_result(result: Comparison) -> None:
    drawn = {row["name"]: row for row in rows_of(compare.forest(result).to_dict()) if "name" in row}
    for row in result.metrics.to_dicts():
        shown = drawn[row["metric"]]
        found = [shown[k] for k in ("low", "value", "high")]
        assert found == [100 * row[k] for k in ("low", "difference", "high")]
    cells = {(row["slice"], row["score"]): row for row in rows_of(compare.heat(result).to_dict())}
    assert len(cells) == result.slices.height
    for row in result.slices.to_dicts():
        cell = cells[f"{row['by']}: {row['slice']} ({row['n']})", row["metric"]]
        assert cell["text"].split()[0] == change(row["difference"], share=True).split()[0]
        assert cell["text"].endswith(("▲", "▼")) == (row["moved"] != "no clear change")
    points = {row["name"]: row for row in rows_of(compare.pareto(result).to_dict())}
    score, cost = result.metrics.row(0, named=True), result.behaviour.filter(metric="cost_usd")
    assert points["baseline"]["x"] == pytest.approx(1000 * cost["baseline"][0])
    assert points["v2"]["y"] == pytest.approx(100 * score["candidate"])
    assert points["v2"]["y_low"] == pytest.approx(100 * (score["baseline"] + score["low"]))


def test_lost_questions_come_first_and_each_kind_is_bounded(result: Comparison) -> None:
    many = 3 * MOST
    scores = {"a": [0.0, 1.0] * many, "b": [1.0, 0.0] * many}
    cases = compare.flips(compare_runs(table_of(scores), baseline="a", candidate="b"))
    assert [case.turned for case in cases.cases] == ["lost"] * MOST + ["gained"] * MOST
    assert cases.total == 2 * many
    shown = compare.flips(result)
    lost = result.flips.filter(pl.col("difference") * pl.col("direction") < 0).height
    assert [case.turned for case in shown.cases].count("lost") == lost == 13


def test_several_candidates_are_named(demo: Lab) -> None:
    runs = demo.runs().filter(pl.col("task") == "policy_quiz")["run_id"].to_list()
    result = compare_runs(demo, baseline=runs[0], candidate=runs[1:])
    short = compare.labels(result)
    assert list(short) == runs[1:]
    for draw in (compare.forest, compare.behaviour):
        names = {row["name"] for row in rows_of(draw(result).to_dict()) if "name" in row}
        assert {name.split(": ")[0] for name in names} == set(short.values())
    assert len(trust.runs(result).columns) == 4


def test_foreign_text_stays_data_and_is_escaped() -> None:
    ids = [f"{i} {text}" for i, text in enumerate(PAYLOADS)]
    rows = [
        {
            "run_id": run,
            "sample_id": id_,
            "metric": PAYLOADS[0],
            "value": value,
            "input": text,
            "output": f"{text} {run} &",
            "topic": PAYLOADS[i % 2],
        }
        for run, value in (("a", 1.0), ("b", 0.0))
        for i, (id_, text) in enumerate(zip(ids, PAYLOADS, strict=True))
    ]
    result = compare_runs(pl.DataFrame(rows), baseline="a", candidate="b")
    bundle = compare.flips(result)._repr_mimebundle_()
    assert "<script" not in bundle["text/html"]
    assert "<img" not in bundle["text/html"]
    assert '<del style="background:#d55e0040">−a</del>' in bundle["text/html"]
    for draw in (compare.forest, compare.heat, compare.slices):
        spec = draw(result).to_dict()
        assert PAYLOADS[0] in json.dumps(rows_of(spec))
        assert vl_convert.vegalite_to_svg(json.dumps({**spec, "width": 500})).count("<script") == 0


def test_what_is_asked_of_power_reads_in_the_unit_of_the_score(result: Comparison) -> None:
    shown = trust.power(result)
    assert shown.title.startswith("120 questions show a change of 8.0 points in correct")
    texts = [cell[0] for cell in shown.rows[0]]
    assert "8.0 points" in texts
    assert any("$" in text for text in texts)
