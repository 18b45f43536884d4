"""Error budgets: what is spent, and when that cannot be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.objectives.grammar import read_criterion, read_window
from aiops_lab.objectives.objective import (
    Criterion,
    Duration,
    Exclusion,
    Judge,
    Objective,
    Part,
    composed,
)
from aiops_lab.target.budget import Budget, error_budget

START = datetime(2026, 4, 1, tzinfo=UTC)


def requests(bad: float, days: int = 28, per_day: int = 100, seed: int = 0) -> pl.DataFrame:
    count = days * per_day
    step = timedelta(days=1) / per_day
    return pl.DataFrame({
        "trace_id": [f"t{i}" for i in range(count)], "at": [START + step * i for i in range(count)],
        "refusal": np.random.default_rng(seed).random(count) < bad,
    })  # fmt: skip


def goal(target: float = 0.95, name: str = "answers", **more: Any) -> Objective:
    return Objective(name, target, "refusal", read_criterion(bad=True), **more)


def row(found: Budget) -> dict[str, Any]:
    return found.objectives.row(0, named=True)


@pytest.mark.parametrize(("bad", "status"), [(0.02, "ok"), (0.05, "inconclusive"), (0.1, "fail")])
def test_a_budget_is_spent_or_not_or_cannot_be_told(bad: float, status: str) -> None:
    rows = requests(bad)
    scores = rows.sample(1400, seed=1).select(
        "trace_id", metric=pl.lit("kind"), value=1.0 - pl.col("refusal").cast(pl.Float64),
        label=pl.lit(None, pl.String), sampling_weight=pl.lit(2.0),
    )  # fmt: skip
    kind = Objective("kind", 0.95, "kind", read_criterion(">= 0.5"))
    found = error_budget((rows, scores), [kind])
    assert found.verdict.status == row(found)["status"] == status
    spent = rows["refusal"].mean() / 0.05  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    assert row(found)["low"] <= spent <= row(found)["high"]
    assert row(found)["answers"] == 2800 and row(found)["evaluated"] == 1400
    if status == "inconclusive":
        assert "more would" in found.verdict.next_step


def test_what_was_counted_whole_has_no_interval() -> None:
    rows = requests(0.02)
    told = row(error_budget(rows, [goal()]))
    assert [told[end] for end in ("low", "spent", "high")] == pytest.approx(
        [rows["refusal"].sum() / 140] * 3
    )
    assert told["allowed"] == pytest.approx(140)


def test_strata_count_by_their_weight_where_the_naive_figure_does_not() -> None:
    rows = requests(0.0, per_day=1000)
    disliked = pl.int_range(pl.len()) % 20 == 0
    every = rows.with_columns(disliked=disliked).with_columns(
        value=pl.when("disliked").then(pl.int_range(pl.len()) % 40 == 0).otherwise(True)
    )
    kept = every.filter(pl.col("disliked") | (pl.int_range(pl.len()) % 10 == 1))
    scores = kept.select(
        "trace_id", metric=pl.lit("kind"), value=pl.col("value").cast(pl.Float64),
        label=pl.lit(None, pl.String), sampling_weight=pl.when("disliked").then(1.0).otherwise(9.5),
    )  # fmt: skip
    kind = Objective("kind", 0.95, "kind", read_criterion(">= 0.5"))
    told = row(error_budget((rows, scores), [kind]))
    assert told["spent"] == pytest.approx(0.5, rel=0.02)
    assert told["naive"] > 2.5 * told["spent"]


def test_a_calendar_period_allows_for_what_is_still_to_come() -> None:
    rows = requests(0.05, days=15)
    month = goal(window=read_window("1M", rolling=False, start="2026-01-01"))
    told = row(error_budget(rows, [month]))
    assert told["begin"] == START and told["end"] == datetime(2026, 5, 1, tzinfo=UTC)
    assert told["allowed"] == pytest.approx(1500 * 2 * 0.05)
    assert told["spent"] == pytest.approx(rows["refusal"].sum() / 150)


def test_a_rolling_window_leaves_older_answers_out() -> None:
    rows = requests(0.5, days=10).vstack(
        requests(0.0, days=10).with_columns(
            pl.col("at") + timedelta(days=10), trace_id=pl.format("u{}", "trace_id")
        )
    )  # fmt: skip
    week = goal(window=read_window("7d"))
    assert row(error_budget(rows, [week]))["spent"] == 0
    assert row(error_budget(rows, [week], at=START + timedelta(days=10)))["status"] == "fail"


def test_missing_evaluations_are_neither_good_nor_bad() -> None:
    rows = requests(0.02).with_columns(
        refusal=pl.when(pl.int_range(pl.len()) % 10 > 0).then("refusal")
    )
    told = row(error_budget(rows, [goal()]))
    assert told["missing"] == 280 and told["low"] < 0.5 < 2 < told["high"]
    assert told["status"] == "inconclusive" and "280 evaluations are missing" in told["why"]


def test_a_judges_errors_are_put_right() -> None:
    rows = requests(0.02)
    random = np.random.default_rng(4)
    flagged = np.where(rows["refusal"], random.random(2800) < 0.9, random.random(2800) < 0.03)
    judged = rows.with_columns(refusal=pl.Series(flagged))
    told = row(error_budget(judged, [goal(judge=Judge(360, 400, 485, 500))]))
    assert told["low"] <= rows["refusal"].sum() / 140 <= told["high"]
    assert told["naive"] > 0.75
    few = row(error_budget(judged, [goal(judge=Judge(0, 0, 485, 500))]))
    assert few["status"] == "inconclusive" and "labelled" in few["why"]


def test_a_composite_is_the_mean_of_its_parts_by_weight() -> None:
    rows = requests(0.02).with_columns(late=pl.int_range(pl.len()) % 10 == 0)
    late = Objective("late", 0.8, "late", read_criterion(bad=True))
    both = composed(Objective("both", 0.0), [Part(goal(), 3.0), Part(late, 1.0)])
    told = row(error_budget(rows, [both]))
    bad = (3 * rows["refusal"].mean() + 0.1) / 4  # pyright: ignore[reportOperatorIssue]
    assert told["good"] == pytest.approx(1 - bad) and told["answers"] == 2800
    assert told["spent"] == pytest.approx(bad / (1 - both.target))


def test_what_cannot_be_computed_says_why() -> None:
    part = goal()
    for one in (
        Objective("both", 0.9, parts=(Part(goal(name="none", filter="tenant=none")), Part(part))),
        Objective("foreign", 0.9, why="elsewhere"),
        goal(budgeting="timeslices", timeslice_target=0.9, timeslice_window=Duration(7, "m")),
        goal(budgeting="timeslices", timeslice_target=0.9, timeslice_window=Duration(1, "M")),
        goal(budgeting="ratio_timeslices"),
        goal(budgeting="timeslices", timeslice_window=Duration(1, "h")),
        goal(filter="tenant=none"),
        Objective("other", 0.9, "unknown", Criterion(low=0)),
    ):  # fmt: skip
        found = error_budget(requests(0.01, days=1), [one])
        assert row(found)["status"] == "inconclusive" and row(found)["why"]
        assert found.verdict.status == "inconclusive" and "Cannot tell" in found.verdict.headline


def test_no_objectives_and_an_empty_lab(tmp_path: Any) -> None:
    with pytest.raises(BadSettings, match=r"\[\[slo\]\]"):
        error_budget(requests(0.01, days=1))
    with pytest.raises(BadSettings, match="two objectives are called 'answers'"):
        error_budget(requests(0.01, days=1), [goal(), goal(filter="tenant=a")])
    lab = open_lab(tmp_path)
    assert row(error_budget(lab, [goal()]))["why"] == "there are no answers"


def test_a_lab_that_promises_nothing_is_told_so(tmp_path: Path) -> None:
    found = error_budget(open_lab(tmp_path))
    assert found.verdict.status == "inconclusive" and "[[slo]]" in found.verdict.next_step
    assert not sum(frame.height for frame in found.frames.values())


def test_the_demos_budgets(demo: Lab) -> None:
    found = error_budget(demo)
    status = dict(found.objectives.select("name", "status").iter_rows())
    assert status["answers within 4 seconds"] == "ok" and len(status) == 4
    assert found.verdict.status == "fail" and "is spent" in found.verdict.headline
    assert found.objectives["status"].to_list()[:2] == ["fail", "fail"]


def slices(times: int, unit: str, at_least: float | None = None, **more: Any) -> Objective:
    how = "ratio_timeslices" if at_least is None else "timeslices"
    return goal(
        budgeting=how, timeslice_target=at_least, timeslice_window=Duration(times, unit), **more
    )


@pytest.mark.parametrize(("times", "unit"), [(5, "m"), (30, "m"), (1, "h"), (6, "h"), (1, "d")])
def test_slices_that_were_seen_whole_are_counted_exactly(times: int, unit: str) -> None:
    rows = requests(0.1, days=4, per_day=960)
    bad = rows.group_by_dynamic("at", every=f"{times}{unit}").agg(pl.col("refusal").mean())
    shares = bad["refusal"].to_numpy()
    told = row(error_budget(rows, [slices(times, unit, 0.9, target=0.8)]))
    assert told["good_low"] == told["good"] == told["good_high"]
    assert told["good"] == pytest.approx((shares <= 0.1 + 1e-9).mean())
    assert told["allowed"] == pytest.approx(0.2 * len(shares))
    told = row(error_budget(rows, [slices(times, unit)]))
    assert told["good_low"] == pytest.approx(told["good_high"])
    assert told["good"] == pytest.approx(1 - shares.mean())


def test_a_quiet_slice_counts_as_much_as_a_busy_one() -> None:
    busy = requests(0.0, days=1, per_day=2400)
    quiet = requests(1.0, days=1, per_day=24).with_columns(
        pl.col("at") + timedelta(days=1), trace_id=pl.format("q{}", "trace_id")
    )  # fmt: skip
    rows = pl.concat([busy, quiet])
    assert row(error_budget(rows, [slices(1, "h", 0.9)]))["good"] == 0.5
    assert row(error_budget(rows, [slices(1, "h")]))["good"] == pytest.approx(0.5)
    assert row(error_budget(rows, [goal()]))["good"] > 0.98


def test_a_slice_counts_when_it_is_over_and_if_it_has_answers() -> None:
    rows = requests(0.0, days=2).filter(pl.col("at").dt.hour() < 18)  # none in the evening
    found = error_budget(rows, [slices(1, "d", 0.9)], at=START + timedelta(days=1, hours=18))
    assert row(found)["allowed"] == pytest.approx(0.05)
    assert row(error_budget(rows, [slices(6, "h", 0.9)]))["allowed"] == pytest.approx(0.3)
    early = error_budget(rows, [slices(1, "d", 0.9)], at=START + timedelta(hours=18))
    assert row(early)["status"] == "inconclusive" and row(early)["why"] == "there are no answers"


def test_a_slice_of_which_no_answer_was_evaluated_is_missing() -> None:
    rows = requests(0.0, days=4)
    scores = rows.filter(pl.col("at").dt.hour() != 3).select(
        "trace_id", metric=pl.lit("kind"), value=pl.lit(1.0), label=pl.lit(None, pl.String),
        sampling_weight=pl.lit(24 / 23),
    )  # fmt: skip
    kind = Objective(
        "kind", 0.95, "kind", read_criterion(">= 0.5"), timeslice_window=Duration(1, "h")
    )
    for how, target in (("timeslices", 0.9), ("ratio_timeslices", None)):
        one = replace(kind, budgeting=how, timeslice_target=target)  # type: ignore[arg-type]
        told = row(error_budget((rows, scores), [one]))
        assert (told["good_low"], told["good_high"]) == pytest.approx((1 - 1 / 24, 1))
        every = scores.with_columns(sampling_weight=1.0)  # it is not about the others
        told = row(error_budget((rows, every), [one]))
        assert (told["good_low"], told["good_high"]) == pytest.approx((1, 1))


@pytest.mark.parametrize("how", ["timeslices", "ratio_timeslices"])
@pytest.mark.parametrize("judge", [None, Judge(360, 400, 485, 500)])
def test_an_interval_of_slices_holds_what_they_are(how: str, judge: Judge | None) -> None:
    rows = requests(0.02, days=14, per_day=2400)
    hours = rows.group_by_dynamic("at", every="1h").agg(pl.col("refusal").mean())["refusal"]
    random = np.random.default_rng(5)
    kept = rows.filter(pl.Series(random.random(rows.height) < 0.5))
    flags = kept["refusal"].to_numpy()
    if judge is not None:
        flags = np.where(flags, random.random(flags.size) < 0.9, random.random(flags.size) < 0.03)
    scores = kept.select(
        "trace_id", metric=pl.lit("kind"), value=1.0 - pl.Series(flags).cast(pl.Float64),
        label=pl.lit(None, pl.String), sampling_weight=pl.lit(2.0),
    )  # fmt: skip
    one = Objective(
        "kind", 0.9, "kind", read_criterion(">= 0.5"), judge=judge, budgeting=how,  # type: ignore[arg-type]
        timeslice_window=Duration(1, "h"), timeslice_target=0.95 if how == "timeslices" else None,
    )  # fmt: skip
    told = row(error_budget((rows, scores), [one]))
    bad = (hours > 0.05 + 1e-9).mean() if how == "timeslices" else hours.mean()
    assert told["good_low"] < 1 - bad < told["good_high"]  # pyright: ignore[reportOperatorIssue]
    assert told["high"] - told["low"] > 0


def test_shares_of_good_are_added_up() -> None:
    shares = np.random.default_rng(1).beta(9, 1, 2800)
    rows = requests(0.0).with_columns(grounded=pl.Series(shares))
    share = Objective("share", 0.8, "grounded", Criterion("ratio"))
    told = row(error_budget(rows, [share]))
    assert [told[end] for end in ("good_low", "good", "good_high")] == pytest.approx(
        [shares.mean()] * 3
    )
    kept = rows.with_columns(pl.when(pl.int_range(pl.len()) % 10 == 0).then("grounded"))
    scores = kept.drop_nulls("grounded").select(
        "trace_id", metric=pl.lit("share"), value="grounded", label=pl.lit(None, pl.String),
        sampling_weight=pl.lit(10.0),
    )  # fmt: skip
    told = row(error_budget((rows, scores), [replace(share, metric="share")]))
    assert told["good_low"] < shares.mean() < told["good_high"] < told["good_low"] + 0.1


def test_a_judge_of_few_labels_cannot_tell_and_says_how_many_would_do() -> None:
    rows = requests(0.5)
    found = error_budget(rows, [goal(judge=Judge(38, 40, 485, 500))])
    told = row(found)
    assert told["low"] > 1 and told["status"] == found.verdict.status == "inconclusive"
    assert "label 10 more bad ones" in found.verdict.next_step
    few = error_budget(rows, [goal(judge=Judge(38, 40, 20, 20))])
    assert "label 10 more bad and 30 more good ones" in row(few)["why"]
    enough = error_budget(rows, [goal(judge=Judge(48, 50, 485, 500))])
    assert row(enough)["status"] == "fail"
    both = composed(Objective("both", 0.0), [Part(goal(judge=Judge(38, 40, 485, 500)))])
    assert "label 10 more" in row(error_budget(rows, [both]))["why"]


def test_excluded_hours_do_not_count_at_all() -> None:
    rows = requests(0.02, days=10)
    fault = (pl.col("at") >= START + timedelta(days=3)) & (pl.col("at") < START + timedelta(days=4))
    spoilt = rows.with_columns(refusal=pl.col("refusal") | fault)
    begin, end = (START + timedelta(days=3, minutes=m) for m in (30, 23 * 60 + 10))
    clean = goal(exclusions=(Exclusion(begin, end, "load test"),))
    told, without = (
        row(error_budget(some, [one]))
        for some, one in ((spoilt, clean), (rows.filter(~fault), goal()))
    )
    assert told["excluded"] == 100 and without["excluded"] == 0
    assert {**told, "excluded": 0} == without
    hourly = slices(1, "h", 0.9, exclusions=clean.exclusions)
    assert row(error_budget(spoilt, [hourly]))["allowed"] == pytest.approx(0.05 * 216)
