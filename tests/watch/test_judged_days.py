"""A judge's days put right: covering the truth, weighted, and never in silence."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab
from aiops_lab.errors import BadSettings
from aiops_lab.stats.judged import corrected_rate
from aiops_lab.watch.judged_days import judged_days
from tests.traffic.test_rollup import START, frame, put, request

DAY = dt.date(2026, 5, 1)


def scores(
    rate: float, seed: int, days: int = 1, n: int = 400, labelled: int = 200,
    right: tuple[float, float] = (0.9, 0.8),
) -> pl.DataFrame:  # fmt: skip
    """A judge that passes 90 % of what is good and 20 % of what is not, and some labels a day."""
    chance = np.random.default_rng(seed)
    truth = chance.random(days * n) < rate
    said = np.where(chance.random(truth.size) < np.where(truth, *right), truth, ~truth)
    rows = pl.DataFrame(
        {"trace_id": [f"t{i}" for i in range(truth.size)], "metric": "grounded",
         "day": [DAY + dt.timedelta(days=i // n) for i in range(truth.size)],
         "value": said.astype(float), "scorer_kind": "model"}
    )  # fmt: skip
    people = rows.with_columns(value=pl.Series(truth.astype(float)), scorer_kind=pl.lit("human"))
    return pl.concat([rows, people.filter(pl.int_range(pl.len()) % n < labelled)])


def test_a_day_by_hand() -> None:
    rows = scores(0.7, 0)
    judge, people = (rows.filter(scorer_kind=kind) for kind in ("model", "human"))
    both = people.join(judge.select("trace_id", said="value"), on="trace_id")
    good, bad = both.filter(value=1.0), both.filter(value=0.0)
    expected = corrected_rate(
        int(judge["value"].sum()), judge.height, true_positives=int(good["said"].sum()),
        positives=good.height, true_negatives=int((1 - bad["said"]).sum()), negatives=bad.height,
    )  # fmt: skip
    found = judged_days(rows, "grounded")
    day = found.days.row(0, named=True)
    assert (day["n"], day["labelled"]) == (400, 200)
    assert day["value"] == pytest.approx(expected.value)
    assert (day["low"], day["high"]) == pytest.approx((expected.low, expected.high))
    assert "by 200 labels of people" in found.verdict.headline


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_the_truth_lies_in_the_interval_and_not_where_the_judge_says(rate: float) -> None:
    found = [judged_days(scores(rate, seed), "grounded").days.row(0, named=True)
             for seed in range(150)]  # fmt: skip
    inside = [day["low"] <= rate <= day["high"] for day in found]
    assert np.mean(inside) >= 0.92
    if rate == 0.9:
        assert np.mean([abs(day["judge"] - rate) for day in found]) > 0.05
        assert abs(np.mean([day["value"] for day in found]) - rate) < 0.01


def test_labels_of_so_many_days_back_put_a_day_right_and_no_later_ones() -> None:
    rows = scores(0.7, 1, days=4, n=100, labelled=50)
    assert judged_days(rows, "grounded").days["labelled"].to_list() == [50, 100, 150, 200]
    found = judged_days(rows, "grounded", label_days=2).days
    assert found["labelled"].to_list() == [50, 100, 100, 100]
    later = rows.filter((pl.col("scorer_kind") == "model") | (pl.col("day") > DAY))
    first = judged_days(later, "grounded").days.row(0, named=True)
    assert first["judge"] is not None and first["value"] is None
    assert "no correction" in first["method"]


def test_answers_drawn_at_different_rates_count_by_their_weight() -> None:
    """All that fail are judged, and every tenth of those that pass: as if all were."""
    rows = scores(0.9, 2, n=4_000, labelled=4_000)
    drawn = (pl.col("value") < 0.5) | (pl.col("trace_id").str.ends_with("7"))
    judge = rows.filter(drawn, scorer_kind="model").with_columns(
        sampling_weight=pl.when(pl.col("value") < 0.5).then(1.0).otherwise(10.0)
    )
    people = rows.filter(scorer_kind="human").join(judge.select("trace_id"), on="trace_id")
    whole = judged_days(rows, "grounded").days.row(0, named=True)
    found = judged_days(pl.concat([judge, people], how="diagonal"), "grounded").days
    assert found["judge"].item() == pytest.approx(whole["judge"], abs=0.01)
    assert found["value"].item() == pytest.approx(0.9, abs=0.03)


def test_a_lab_keeps_peoples_labels_under_a_name_of_their_own(lab: Lab) -> None:
    rows = [span for n in range(60) for span in request(n, START + dt.timedelta(minutes=n))]
    ids = [f"t{n:04d}" for n in range(60)]
    told = pl.DataFrame(
        {"trace_id": ids * 2, "metric": ["grounded"] * 60 + ["checked"] * 60, "at": START,
         "value": [float(n % 4 > 0) for n in range(60)] + [float(n % 3 > 0) for n in range(60)]}
    )  # fmt: skip
    put(lab, "all", frame(rows), told.with_columns(
        scorer_kind=pl.when(pl.col("metric") == "checked").then(pl.lit("human")),
        label=pl.lit(None, pl.String), scorer=pl.lit(None, pl.String),
        sampling_weight=pl.lit(None, pl.Float64),
    ).select(lab.table("evaluations").columns))  # fmt: skip
    found = judged_days(lab, "grounded", human="checked")
    assert found.days.select("n", "labelled", "judge").row(0) == (60, 60, 0.75)
    assert judged_days(lab, "grounded").verdict.status == "inconclusive"


def test_what_cannot_be_told_says_why() -> None:
    rows = scores(0.7, 0)
    with pytest.raises(BadSettings, match="no scores are called 'ground'"):
        judged_days(rows, "ground")
    with pytest.raises(BadSettings, match="label_days"):
        judged_days(rows, "grounded", label_days=0)
    with pytest.raises(BadSettings, match="no column 'day'"):
        judged_days(rows.drop("day"), "grounded")
    with pytest.raises(BadSettings, match="no judge"):
        judged_days(rows.filter(scorer_kind="human"), "grounded")
    coin = judged_days(scores(0.7, 0, right=(0.5, 0.5)), "grounded")
    assert coin.verdict.status == "inconclusive"
    assert "tells too little" in coin.verdict.headline
