"""Watched decisions: what moved, which moved first, what was a single day or a mere wander."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

import aiops_lab as al
from aiops_lab.errors import BadSettings, NotComputable
from aiops_lab.stats.clear import clear_by
from tests.watch.test_routing import simulator

DAYS, PER_DAY = 100, 150
START = np.datetime64("2026-03-02", "us")


def decisions(share: Any, *, seed: int = 0, works: Any = 0.9, days: int = DAYS) -> pl.DataFrame:
    """Options a, b and c; `share` of a and `works` on each day."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), PER_DAY)
    p = np.broadcast_to(share, days)[day]
    other = np.where(random.random(len(day)) < 0.5, "b", "c")
    return pl.DataFrame({
        "decision_id": [f"d{i}" for i in range(len(day))],
        "at": START + day * np.timedelta64(1, "D"),
        "chosen": np.where(random.random(len(day)) < p, "a", other),
        "outcome": (random.random(len(day)) < np.broadcast_to(works, days)[day]).astype(int),
    })  # fmt: skip


def attributions(rows: pl.DataFrame, since: int, by: float, seed: int = 1) -> pl.DataFrame:
    """Logged for every third decision: x gains from a day on what y loses."""
    random = np.random.default_rng(seed)
    day = (rows["at"] - rows["at"].min()).dt.total_days().to_numpy()
    moved = by * (day >= since)
    wide = rows.select(
        "decision_id", option=pl.lit("a"), x=pl.Series(random.normal(0.2, 1, len(day)) + moved),
        y=pl.Series(random.normal(-0.1, 1, len(day)) - moved),
        z=pl.Series(random.normal(0, 1, len(day))),
    )  # fmt: skip
    return wide.gather_every(3).unpivot(
        ["x", "y", "z"], index=["decision_id", "option"], variable_name="feature",
        value_name="attribution",
    )  # fmt: skip


def test_an_attribution_that_moves_while_shares_do_not_is_an_early_warning() -> None:
    rows = decisions(0.4)
    found = al.watch_decisions(rows, attributions(rows, 70, 0.8))
    assert found.verdict.status == "warn"
    assert found.verdict.headline.startswith("Early warning: what ")
    assert "neither its share nor its outcomes moved" in found.verdict.headline
    early = found.events.filter("early")
    assert set(early["feature"]) == {"x", "y"} and set(early["option"]) == {"a"}
    start = datetime(2026, 5, 11).date()
    assert all(row["since_low"] <= start <= row["since_high"] for row in early.to_dicts())
    assert early["size"].is_between(0.2, 1).all()
    assert "x" in found.verdict.next_step or "y" in found.verdict.next_step


def test_it_is_no_early_warning_where_the_share_moved_too() -> None:
    rows = decisions(np.where(np.arange(DAYS) < 70, 0.4, 0.55))
    found = al.watch_decisions(rows, attributions(rows, 70, 0.8))
    assert not found.events["early"].any()
    assert found.events.filter(what="share", option="a")["kind"].to_list() == ["step"]
    assert {"x", "y"} <= set(found.events["feature"])
    assert "Early" not in found.verdict.headline


def test_nothing_moves() -> None:
    rows = decisions(0.4)
    found = al.watch_decisions(rows, attributions(rows, 70, 0.0))
    assert found.verdict.status == "ok" and not found.events.height


def test_a_small_shift_of_an_attribution_needs_no_action() -> None:
    rows = decisions(0.4)
    wide = pl.when(feature="z").then(20.0).otherwise(1.0)
    logged = attributions(rows, 70, 0.8).with_columns(pl.col("attribution") * wide)
    found = al.watch_decisions(rows, logged)
    assert found.events.height and found.events["minor"].all()
    assert found.verdict.status == "ok" and "small shift" in found.verdict.headline


def test_outcomes_are_watched_by_option() -> None:
    found = al.watch_decisions(decisions(0.4, works=np.where(np.arange(DAYS) < 60, 0.95, 0.8)))
    assert set(found.events["what"]) == {"outcome"} and set(found.events["option"]) == {*"abc"}
    assert found.verdict.headline.startswith("Success of ")


def test_outcomes_that_are_numbers_are_means() -> None:
    rows = decisions(0.4).with_columns(outcome=pl.col("outcome") * 2.5)
    found = al.watch_decisions(rows)
    own = found.daily.filter(metric="outcome")
    assert own["events"].null_count() == own.height and own["sum"].null_count() == 0


def test_a_single_day_is_told_as_such_and_is_no_step() -> None:
    share = np.full(DAYS, 0.4)
    share[50] = 0.05
    found = al.watch_decisions(decisions(share))
    own = found.events.filter(option="a")
    assert own["kind"].to_list() == ["day"] and own["day"][0] == datetime(2026, 4, 21).date()
    assert found.events["kind"].unique().to_list() == ["day"]
    assert found.verdict.status == "ok" and "on 21 Apr 2026 alone" in found.verdict.headline
    assert own["low"][0] < own["after"][0] - own["before"][0] < own["high"][0] < -0.2


def test_a_weekly_pattern_is_no_shift_and_no_single_day() -> None:
    share = np.where(np.arange(DAYS) % 7 == 1, 0.2, 0.4)
    assert not al.watch_decisions(decisions(share)).events.height


def test_of_two_options_one_is_watched() -> None:
    rows = decisions(0.4).with_columns(pl.col("chosen").replace("c", "b"))
    found = al.watch_decisions(rows)
    assert set(found.daily.filter(metric="share")["option"]) == {"a"}
    of_b = attributions(rows, 70, 0.8).with_columns(option=pl.lit("b"))
    assert set(al.watch_decisions(rows, of_b).events["option"]) == {"b"}


def test_long_names_are_shortened_in_sentences() -> None:
    rows = decisions(np.where(np.arange(DAYS) < 70, 0.4, 0.6))
    rows = rows.with_columns(pl.col("chosen").replace("a", "a" * 500))
    assert len(al.watch_decisions(rows).verdict.headline) < 300


def test_too_few_days_cannot_tell() -> None:
    found = al.watch_decisions(decisions(0.4, days=20))
    assert found.verdict.status == "inconclusive" and "30 days" in found.verdict.next_step


def test_a_restart_takes_a_meant_shift_away() -> None:
    rows = decisions(np.where(np.arange(DAYS) < 50, 0.4, 0.6))
    assert al.watch_decisions(rows).events.height
    assert not al.watch_decisions(rows, restart={"share": "2026-04-21"}).events.height


def test_days_without_decisions_are_no_zero() -> None:
    day = (pl.col("at") - pl.lit(START)).dt.total_days()
    found = al.watch_decisions(decisions(0.4).filter(~day.is_between(40, 46)))
    assert not found.events.height
    assert found.daily.filter(metric="share", option="a").height == DAYS - 7


def test_a_model_is_asked_where_nothing_was_logged() -> None:
    rows = decisions(0.4, days=60)
    moved = pl.int_range(pl.len()) >= 45 * PER_DAY
    rows = rows.with_columns(
        x=pl.Series(np.random.default_rng(2).normal(size=rows.height)) + 2 * moved
    )

    def model(frame: pl.DataFrame) -> np.ndarray:
        first = 1 / (1 + np.exp(-frame["x"].to_numpy()))
        return np.column_stack([first, (1 - first) / 2, (1 - first) / 2])

    found = al.watch_decisions(rows, model=model)
    assert found.settings["attributed"]
    assert found.events.filter("early")["feature"].unique().to_list() == ["x"]


def test_a_lab_without_decisions_is_no_error_and_a_bad_table_is(tmp_path: Any) -> None:
    lab = al.open_lab(tmp_path)
    assert al.watch_decisions(lab).verdict.status == "inconclusive"
    assert not al.attribute_decisions(lab).height
    assert not al.mean_attributions(al.attribute_decisions(lab), lab, by=["chosen"]).height
    assert not al.explain_decision(lab).height
    with pytest.raises(NotComputable):
        al.watch_decisions(pl.DataFrame(schema={"at": pl.Datetime, "chosen": pl.String}))
    with pytest.raises(BadSettings, match="baseline_days"):
        al.watch_decisions(decisions(0.4), baseline_days=3)


def test_standard_errors_grow_where_days_follow_each_other() -> None:
    random = np.random.default_rng(3)
    noise, weekday = random.normal(size=400), np.arange(400) % 7
    step = (np.arange(400) >= 200).astype(float)
    follows = noise.copy()
    for i in range(1, 400):
        follows[i] = 0.8 * follows[i - 1] + 0.6 * noise[i]
    weekdays = np.eye(7)[weekday]

    def errors(values: np.ndarray, days: int = 400) -> float:
        return float(clear_by(values, [step], weekdays, [days - 1])[0].item())

    assert errors(noise + 1.0 * step) > 8
    assert errors(follows + 1.0 * step) < 6
    assert errors(np.ones(400)) == 0
    assert errors(noise, 5) == 0


@pytest.mark.slow
def test_clean_histories_raise_no_warning() -> None:
    program, told = simulator(), dict.fromkeys(("plain", "ar1", "outliers"), 0)
    for kind in told:
        for seed in range(40):
            history = program.clean_history(9000 + seed, 120, 200, kind)
            rows = history.select("decision_id", "at", "chosen")
            told[kind] += al.watch_decisions(rows).verdict.status == "warn"
    print(told)
    assert told["plain"] <= 2 and told["outliers"] <= 4, told
    assert told["ar1"] <= 10, told  # a level that wanders by itself is told as a step by some


def test_one_decision_is_explained() -> None:
    rows = decisions(0.4, days=5).with_columns(
        late=pl.int_range(pl.len()) % 2 == 0, word=pl.lit("x"), amount=pl.lit(2.5)
    )

    def model(frame: pl.DataFrame) -> np.ndarray:
        first = np.where(frame["late"].to_numpy(), 0.6, 0.2)
        return np.column_stack([first, 0.9 - first, np.full(len(first), 0.1)])

    found = al.explain_decision(rows, "d4", model=model)
    top = found.filter(option="a").row(0, named=True)
    assert (top["feature"], top["value"], top["decision_id"]) == ("late", "true", "d4")
    half = (np.log(0.6 / 0.4) - np.log(0.2 / 0.8)) / 2
    assert abs(top["attribution"] - half) < 4 * top["error"] + 1e-9
    assert found.filter(feature="word")["attribution"].abs().max() == 0
    assert al.explain_decision(rows, model=model)["decision_id"][0] == f"d{rows.height - 1}"
    assert not al.explain_decision(rows, "d4").height
    with pytest.raises(BadSettings, match="no decision is called 'nope'"):
        al.explain_decision(rows, "nope", model=model)


def test_logged_attributions_of_one_decision_are_told_as_they_are() -> None:
    rows = decisions(0.4, days=5)
    logged = attributions(rows, 99, 0)
    found = al.explain_decision(rows, "d3", logged)
    assert found["error"].null_count() == 3
    same = logged.filter(decision_id="d3").sort("feature")["attribution"].to_list()
    assert found.sort("feature")["attribution"].to_list() == same


def test_the_decision_explained_is_one_of_the_pattern() -> None:
    program = simulator()
    given = program.simulate(5, model="formula", weeks=10, per_day=150)
    found = al.find_routing_shifts(given.decisions, least=1.0)
    told = al.explain_decision(given.decisions, found, model=given.predict_choice, context=["at"])
    assert told["at"][0].strftime("%A") == given.truth.weekday == found.top["phase"]


def test_segments_and_the_whole() -> None:
    rows = decisions(0.4, days=10)
    logged = attributions(rows, 99, 0)
    whole = al.mean_attributions(logged, rows, by=())
    assert whole.columns == ["option", "feature", "n", "mean", "error", "size"]
    assert (whole["size"] >= whole["mean"].abs()).all()
    assert al.mean_attributions(logged, rows, by=["chosen"]).height == 9


def test_days_can_be_left_out_of_what_is_watched() -> None:
    rows = decisions(0.4)
    day = rows["at"].dt.date().unique().sort()[3]
    found = al.watch_decisions(rows, leave_out=[day])
    assert day not in found.series["day"].to_list()
    assert found.settings["leave_out"] == [str(day)]
    with pytest.raises(BadSettings, match="leave_out"):
        al.watch_decisions(rows, leave_out=["2001-01-01"])
