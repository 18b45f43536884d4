"""Pictures of comparisons: every result can be drawn, odd ones too."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import vl_convert

from aiops_lab import Lab, compare_runs
from aiops_lab.charts import compare, table
from aiops_lab.charts.theme import MIME
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


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("draw", [compare.forest, compare.slices, compare.behaviour])
def test_every_result_can_be_drawn(name: str, draw) -> None:
    result = compare_runs(ODD[name], baseline="a", candidate="b")
    chart = draw(result)
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
    for shown in (summary, compare.runs(result), compare.flips(result), table(result.preflight)):
        bundle = shown._repr_mimebundle_()
        assert json.loads(json.dumps(bundle)) == bundle
    assert compare.forest(result).to_dict()


def test_at_most_twelve_slices_are_drawn_and_the_rest_counted() -> None:
    result = compare_runs(ODD["many slices"], baseline="a", candidate="b")
    spec = compare.slices(result).to_dict()
    assert "7 more slices moved less" in spec["title"]["subtitle"]
    names = {row["name"] for rows in spec["datasets"].values() for row in rows if "name" in row}
    assert len(names) == 12


def test_a_chart_leaves_a_notebook_for_jupyterlab_and_the_page(demo: Lab) -> None:
    result = compare_runs(demo, baseline="latest~1", candidate="latest")
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
    rows = [row for data in compare.forest(result).to_dict()["datasets"].values() for row in data]
    assert {row["limit"] for row in rows if row.get("text") == "limit"} == {2.0}


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
