"""Summaries add up, histograms are within 1 %, and other engines say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aiops_lab import Lab, summarise
from aiops_lab.errors import LabError
from aiops_lab.tables import conform
from aiops_lab.traffic.histograms import GAMMA, quantile
from aiops_lab.traffic.summaries import KEY, OF_OBJECTIVE, daily_of, hourly_of


def traffic(count: int, seed: int = 0) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    at = [datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=float(h))
          for h in chance.uniform(0, 240, count)]  # fmt: skip
    latency = chance.lognormal(0, 1, count)
    frame = pl.DataFrame(
        {"trace_id": [f"t{n}" for n in range(count)], "at": at, "complete": True, "status": "ok",
         "latency_s": np.where(chance.random(count) < 0.02, 0.0, latency),
         "refusal": chance.random(count) < 0.1, "language": chance.choice(["de", "en"], count)}
    )  # fmt: skip
    return conform(frame, "traffic")


def scores(requests: pl.DataFrame) -> pl.DataFrame:
    ids = requests["trace_id"]
    chance = np.random.default_rng(1)
    rated = pl.DataFrame({"trace_id": ids, "metric": "grounded", "value": chance.random(ids.len()),
                          "sampling_weight": chance.choice([1.0, 10.0], ids.len())})  # fmt: skip
    thumbs = pl.DataFrame({"trace_id": ids, "metric": "user_feedback",
                           "label": chance.choice(["up", "down", "retry"], ids.len())})  # fmt: skip
    return pl.concat([conform(rated, "evaluations"), conform(thumbs, "evaluations")])


def test_hours_add_up_to_days_and_parts_to_the_whole() -> None:
    rows = traffic(4_000)
    whole = daily_of(hourly_of(rows))
    parts = pl.concat([hourly_of(rows.head(1_500)), hourly_of(rows.tail(2_500))])
    assert_frame_equal(daily_of(parts), whole, rel_tol=1e-12)
    truth = rows.group_by(pl.col("at").dt.date().alias("day")).agg(
        pl.col("latency_s").sum(), pl.col("refusal").sum(), pl.len()
    ).sort("day")  # fmt: skip
    own = whole.filter(slice="all")
    assert own.filter(metric="latency_s")["sum"].to_numpy() == pytest.approx(
        truth["latency_s"].to_numpy(), rel=1e-12
    )
    assert own.filter(metric="refusal")["events"].to_list() == truth["refusal"].to_list()


def test_quantiles_of_histograms_are_within_one_percent() -> None:
    rows = traffic(20_000)
    for row in daily_of(hourly_of(rows)).filter(metric="latency_s", slice="all").to_dicts():
        own = rows.filter(pl.col("at").dt.date() == row["day"])["latency_s"]
        for share in (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0):
            truth = own.quantile(share, "nearest")
            found = quantile(row["bins"], share)
            assert found is not None and truth is not None
            near = own.sort()[max(0, int(share * (own.len() - 1)) - 1) :][:3]
            assert any(abs(found - v) <= 0.0101 * v + 1e-12 for v in [truth, *near])


@settings(deadline=None)
@given(st.floats(1e-12, 1e12))
def test_the_middle_of_a_bin_is_within_one_percent_of_its_values(value: float) -> None:
    rows = pl.DataFrame({"at": [datetime(2026, 5, 1)], "latency_s": [value]})
    bins = daily_of(hourly_of(rows))["bins"][0]
    found = quantile(bins, 0.5)
    assert found == pytest.approx(value, rel=0.01 + 1e-9)
    assert bins[0]["bin"] == pytest.approx(np.log(value) / np.log(GAMMA), abs=1.001)


def test_labels_are_rates_and_add_up_to_one() -> None:
    rows = traffic(600)
    days = daily_of(hourly_of(rows, scores(rows)))
    thumbs = days.filter(pl.col("metric").str.starts_with("user_feedback: "), slice="all")
    assert thumbs["metric"].n_unique() == 3
    sums = thumbs.group_by("day").agg(pl.col("events").sum(), pl.col("n").first())
    assert sums["events"].to_list() == sums["n"].to_list()


def test_a_thousand_labels_do_not_become_a_thousand_metrics() -> None:
    rows = traffic(1_000)
    free = conform(rows.select("trace_id", metric=pl.lit("why"), label=pl.col("trace_id")),
                   "evaluations")  # fmt: skip
    names = daily_of(hourly_of(rows, free)).filter(pl.col("metric").str.starts_with("why"))
    assert names["metric"].n_unique() == 12


def test_duckdb_says_the_same() -> None:
    duckdb = pytest.importorskip("duckdb")
    broken = pl.col("refusal")  # as good as any
    rows = traffic(5_000).with_columns(
        yaml_valid=~broken,
        yaml_defect=pl.when(broken & (pl.col("latency_s") < 1)).then(pl.lit("tabs")),
    )
    held = duckdb.connect()
    held.execute("SET TimeZone = 'UTC'")
    held.register("t", rows.to_arrow())
    held.register("e", scores(rows).to_arrow())
    found = hourly_of(held.table("t"), held.table("e"))
    assert_frame_equal(found, hourly_of(rows, scores(rows)), rel_tol=1e-9)


def test_duckdb_reads_what_a_lab_shows(demo: Lab) -> None:
    duckdb = pytest.importorskip("duckdb")
    held = duckdb.connect()
    found = hourly_of(*(demo.relation(n, "duckdb", held) for n in ("traffic", "evaluations")))
    shown = demo.table("hourly").filter(pl.col("evaluated") > 0, ~OF_OBJECTIVE).sort(KEY)
    assert_frame_equal(found, shown, rel_tol=1e-9)


def test_an_engine_that_is_not_there_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match="there are polars, duckdb, spark"):
        lab.relation("traffic", "dask")
    (lab.path / "lab.toml").write_text('[traffic]\nengine = "dask"\n')
    with pytest.raises(LabError, match="engine is"):
        lab.relation("traffic")


def test_a_lab_is_summed_up_by_its_engine(demo: Lab) -> None:
    assert_frame_equal(summarise(demo), demo.daily(), rel_tol=1e-9)


def test_classes_of_defects_are_shares_of_what_was_looked_at_and_of_the_whole_only() -> None:
    classes = ["tabs", "fence", "tabs", None, None, None]
    rows = pl.DataFrame(
        {"at": [datetime(2026, 5, 1 + n // 3, 9, tzinfo=UTC) for n in range(6)],
         "language": "de", "yaml_defect": pl.Series(classes, dtype=pl.String),
         "yaml_valid": [False, False, False, True, True, None],
         "yaml_repaired": [True, True, False, False, False, None]}
    )  # fmt: skip
    days = daily_of(hourly_of(rows)).filter(pl.col("metric") != "yaml_valid")
    assert days.select("metric", pl.col("day").dt.day(), "slice", "events", "evaluated").rows() == [
        (metric, day, "all", events, evaluated)
        for day, evaluated, counts in ((1, 3, (1, 2, 2)), (2, 2, (0, 0, 0)))
        for metric, events in zip(
            ("yaml_defect: fence", "yaml_defect: tabs", "yaml_repaired"), counts, strict=True
        )
    ]  # fmt: skip


def test_a_score_called_as_a_figure_of_ours_is_told_apart() -> None:
    rows = traffic(50).with_columns(yaml_valid=pl.lit(False), yaml_defect=pl.lit("tabs"))
    forgery = "objective:0123456789ab"
    names = pl.DataFrame({"metric": ["yaml_defect", "yaml_defect: tabs", "refusal", forgery]})
    forged = rows.select("trace_id", label=pl.lit("tabs")).join(names, how="cross")
    hours = hourly_of(rows, conform(forged, "evaluations"))
    assert not hours.filter(OF_OBJECTIVE).height
    days = daily_of(hours)
    assert not days.select("day", "metric", "slice").is_duplicated().any()
    assert days.filter(metric="yaml_defect: tabs", slice="all")["events"].sum() == 50
