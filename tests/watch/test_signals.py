"""Whether scores move with users: seldom by chance, found where it is so, and not by selection."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab
from aiops_lab.charts.cases import Cases
from aiops_lab.charts.signals import beside_users
from aiops_lab.errors import BadSettings
from aiops_lab.watch.signals import score_and_users, scores_and_users

DAY = dt.date(2026, 5, 1)


def told(
    seed: int, effect: float, days: int = 56, n: int = 30, follow: float = 0.5
) -> pl.DataFrame:
    """Scores and thumbs whose levels wander by themselves, from day to day (autoregressive)."""
    chance = np.random.default_rng(seed)
    level = np.zeros((2, days))
    for day in range(1, days):  # each follows from the one before
        level[:, day] = follow * level[:, day - 1] + chance.normal(0, 0.05, 2)
    passed = chance.random((days, n)) < 0.8 + level[0][:, None]
    thumbs = chance.random((days, n)) < 0.5 + level[1][:, None] + effect * (passed - 0.8)
    ids = [f"t{i}" for i in range(days * n)]
    at = [DAY + dt.timedelta(days=i // n) for i in range(days * n)]
    return pl.concat(
        pl.DataFrame({"trace_id": ids, "day": at, "metric": name, "value": rows.ravel() * 1.0})
        for name, rows in (("grounded", passed), ("thumb", thumbs))
    )


def test_what_has_nothing_to_do_with_each_other_seldom_seems_to() -> None:
    found = [score_and_users(told(seed, 0.0), "grounded", "thumb") for seed in range(100)]
    low, high = (np.array([f.figures[end][0] for f in found]) for end in ("low", "high"))
    assert np.mean((low > 0) | (high < 0)) <= 0.09
    p = np.array([f.figures["p_value"][1] for f in found])
    assert np.mean(p <= 0.05) <= 0.09
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.13)


def test_what_moves_together_is_found_and_its_size_told() -> None:
    found = [score_and_users(told(seed, 0.25), "grounded", "thumb") for seed in range(40)]
    ends = np.array([f.figures.select("low", "high").row(0) for f in found])
    assert np.mean([f.verdict.status == "ok" for f in found]) >= 0.95
    assert np.mean((ends[:, 0] <= 0.25) & (ends[:, 1] >= 0.25)) >= 0.88


def test_answers_judged_because_users_disliked_them_make_no_score_look_right() -> None:
    """All that got a thumb down are judged, and a tenth of the others."""
    rows = told(3, 0.0, n=400, follow=0.0)
    down = rows.filter(pl.col("metric") == "thumb", pl.col("value") == 0)["trace_id"].implode()
    kept = pl.col("trace_id").is_in(down) | pl.col("trace_id").str.ends_with("7")
    judged = rows.filter(kept, metric="grounded").with_columns(
        sampling_weight=pl.when(pl.col("trace_id").is_in(down)).then(1.0).otherwise(10.0)
    )
    drawn = pl.concat([judged, rows.filter(metric="thumb")], how="diagonal")
    found = score_and_users(drawn, "grounded", "thumb")
    assert found.requests["share"].to_numpy() == pytest.approx(0.5, abs=0.05)
    assert score_and_users(drawn.drop("sampling_weight"), "grounded", "thumb").requests[
        "share"
    ].to_numpy() == pytest.approx(0.09, abs=0.04)


def test_verdicts() -> None:
    rows = told(0, 0.3)
    assert score_and_users(rows, "grounded", "thumb").verdict.status == "ok"
    wrong = score_and_users(rows, "grounded", "thumb", good=False).verdict
    assert wrong.status == "warn" and "side by side" in wrong.next_step
    tight = score_and_users(told(1, 0.0, n=400, follow=0.0), "grounded", "thumb").verdict
    assert tight.status == "warn"
    loose = score_and_users(told(1, 0.0, days=20, n=12), "grounded", "thumb").verdict
    assert loose.status == "inconclusive" and "more days" in loose.next_step
    few = score_and_users(told(0, 0.3, days=5), "grounded", "thumb").verdict
    assert few.status == "inconclusive" and "cannot be told" in few.headline
    stars = rows.with_columns(value=pl.when(metric="thumb").then(1 + 4 * pl.col("value"))
                              .otherwise("value"))  # fmt: skip
    assert "points" not in score_and_users(stars, "grounded", "thumb").verdict.headline


def test_the_same_in_any_order_and_twice() -> None:
    rows = told(0, 0.1)
    again = pl.concat([rows, rows]).reverse()
    one, two = (score_and_users(each, "grounded", "thumb") for each in (rows, again))
    assert one.figures.equals(two.figures) and one.days.equals(two.days)


def test_names_that_are_not_there_are_refused() -> None:
    for score, signal, wrong in (("x", "thumb", "called 'x'"), ("grounded", "y", "called 'y'"),
                                 ("grounded", "thumb: up", "no label")):  # fmt: skip
        with pytest.raises(BadSettings, match=wrong):
            score_and_users(told(0, 0.1), score, signal)


def test_the_demos_judge_means_something_to_its_users(demo: Lab) -> None:
    found = scores_and_users(demo)
    thumbs = next(one for one in found if one.settings["signal"] == "user_feedback")
    assert thumbs.verdict.status == "ok"
    assert beside_users(found).title == "1 of 3 pairs move together"


def test_a_lab_without_scores_says_so(lab: Lab) -> None:
    assert isinstance(beside_users(scores_and_users(lab)), Cases)
