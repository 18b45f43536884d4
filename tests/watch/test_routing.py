"""The calendar in a model's decisions: found, carried, learned, decided again; or not told."""

from __future__ import annotations

import datetime as dt
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import aiops_lab as al
from aiops_lab.errors import BadSettings, NotComputable
from aiops_lab.watch.routing.find import RoutingShifts, find_routing_shifts
from aiops_lab.watch.routing.patterns import calendars_of_days, find_patterns

PROGRAM = Path(__file__).parents[2] / "data" / "payments" / "simulate.py"
START = dt.datetime(2026, 3, 2)


def simulator() -> Any:
    name = "payments_simulate"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, PROGRAM)
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def rows(
    days: int = 70, per_day: int = 40, seed: int = 1, *, weekday: int | None = 1, **more: Any
) -> pl.DataFrame:
    """Choices between a and b; on one weekday a batch comes and a is seldom chosen."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    hour = np.tile(np.arange(per_day) % 24, days)
    batch = (day % 7 == weekday) if weekday is not None else np.zeros(len(day), bool)
    chance = np.where(batch, 0.2, 0.6)
    after = zip(day.tolist(), hour.tolist(), strict=True)
    return pl.DataFrame({
        "decision_id": [f"d{n}" for n in range(len(day))],
        "at": [START + dt.timedelta(days=d, hours=h) for d, h in after],
        "chosen": np.where(random.random(len(day)) < chance, "a", "b"),
        "batch": batch.astype(float), "noise": random.normal(size=len(day)), **more,
    })  # fmt: skip


@pytest.fixture(scope="module")
def payments() -> Any:
    return simulator().simulate(11, weeks=10, per_day=200, model="formula")


@pytest.fixture(scope="module")
def found(payments: Any) -> RoutingShifts:
    return find_routing_shifts(
        payments.decisions, model=payments.predict_choice, training=payments.training,
        features=payments.features, context=("at",),
    )  # fmt: skip


def test_the_option_the_weekday_and_the_size_are_named(payments: Any, found: RoutingShifts) -> None:
    top = found.top
    assert (top["option"], top["calendar"], top["period_days"], top["phase"]) == (
        payments.truth.route, "week", 7.0, payments.truth.weekday,
    )  # fmt: skip
    assert top["low"] <= payments.truth.effect <= top["high"]
    assert top["on"] - top["otherwise"] == pytest.approx(top["effect"])
    assert found.verdict.status == "warn"
    assert payments.truth.weekday in found.verdict.headline


def test_contributions_add_up_to_the_models_change(payments: Any, found: RoutingShifts) -> None:
    total = found.carriers["contribution"].sum()
    before = found.counterfactual["before"][0]
    assert total == pytest.approx(before, abs=1e-9)
    assert found.carriers["share"].sum() == pytest.approx(1, abs=1e-9)
    assert set(found.carriers.head(2)["feature"]) == set(payments.truth.carriers)
    carrying = set(found.carriers.filter("carries")["feature"])
    assert carrying == set(payments.truth.carriers)
    assert set(found.interactions.row(0)[4:6]) == set(payments.truth.carriers)


def test_the_day_it_was_learned_on_comes_first(payments: Any, found: RoutingShifts) -> None:
    assert str(found.origin["day"][0]) == payments.truth.origin
    assert found.origin["failed"][0] > 5 * found.origin["failed_otherwise"][0]
    assert "Learned from" in found.verdict.headline


def test_the_pattern_goes_with_its_carriers_and_not_with_others(
    payments: Any, found: RoutingShifts
) -> None:
    assert found.counterfactual["removed"][0] >= 0.8 and found.counterfactual["holds"][0]
    other = find_routing_shifts(
        payments.decisions, model=payments.predict_choice, features=payments.features,
        context=("at",), carriers=["amount", "typing_speed"],
    )  # fmt: skip
    assert not other.counterfactual["holds"][0]
    assert "not known" in other.verdict.headline


def test_a_model_fitted_without_the_day_no_longer_does_it() -> None:
    program = simulator()
    given = program.simulate(7, weeks=8, per_day=150)

    def fit(training: pl.DataFrame) -> Any:
        assert str(given.truth.origin) not in set(training["at"].dt.date().cast(pl.String))
        again = program.fit(training, given.routes)
        return lambda frame: given.predict_choice(frame, again)

    found = find_routing_shifts(
        given.decisions, model=given.predict_choice, training=given.training, fit=fit,
        features=given.features, context=("at",), periods=[7],
    )  # fmt: skip
    assert found.counterfactual["what"][1].startswith("fitted again without")
    assert found.counterfactual["removed"].min() >= 0.8


def test_pandas_and_polars_say_the_same() -> None:
    given = rows()
    ours = find_routing_shifts(given, periods=[7])
    theirs = find_routing_shifts(pd.DataFrame(given.to_dict(as_series=False)), periods=[7])
    assert ours.patterns.equals(theirs.patterns)
    assert ours.top["phase"] == "Tuesday" and ours.carriers["feature"][0] == "batch"


@pytest.mark.parametrize("form", ["proba", "one", "labels", "scores", "array"])
def test_models_of_every_kind_are_asked(form: str) -> None:
    def chance(frame: Any) -> Any:
        return np.where(np.asarray(frame["batch"]) > 0.5, 0.2, 0.6)

    class Model:
        classes_ = np.array(["a", "b"])
        feature_names_in_ = np.array(["batch"])

        def predict_proba(self, frame: Any) -> Any:
            assert list(frame.columns) == ["batch"]
            return np.column_stack([chance(frame), 1 - chance(frame)])

    models: dict[str, Any] = {
        "proba": Model(),
        "one": chance,
        "labels": lambda frame: np.where(chance(frame) > 0.5, "a", "b"),
        "scores": lambda frame: np.column_stack([chance(frame) * 9, 4.5 + 0 * chance(frame)]),
        "array": lambda matrix: np.where(matrix[:, 0] > 0.5, 0.2, 0.6),
    }
    result = find_routing_shifts(rows(), model=models[form], periods=[7])
    first = result.carriers.row(0, named=True)
    assert first["feature"] == "batch" and first["carries"]
    assert first["contribution"] == pytest.approx(
        -1.0 if form in ("labels", "scores") else -0.4, abs=1e-9
    )


def test_a_booster_gets_texts_as_categories_and_says_the_chance_of_the_second() -> None:
    given = rows().with_columns(
        kind=pl.when(pl.col("batch") > 0).then(pl.lit("bulk")).otherwise(pl.lit("single")),
        odd=pl.when(pl.col("noise") > 0).then(pl.col("noise") > 1),
    ).drop("batch")  # fmt: skip

    class Booster:
        __module__ = "lightgbm.basic"

        def feature_name(self) -> list[str]:
            return ["kind", "odd"]

        def predict(self, frame: pd.DataFrame) -> Any:
            assert list(frame["kind"].cat.categories) == ["bulk", "single"]
            assert frame["odd"].dtype == float
            return np.where(frame["kind"].cat.codes == 0, 0.8, 0.4)

    result = find_routing_shifts(given, model=Booster(), periods=[7])
    first = result.carriers.row(0, named=True)
    assert first["feature"] == "kind" and first["carries"]
    assert first["contribution"] == pytest.approx(0.4 if first["option"] == "b" else -0.4)
    assert result.checks.filter(check="model")["status"].to_list() == ["ok"]


def test_a_model_that_does_not_answer_is_told() -> None:
    with pytest.raises(BadSettings, match="does not answer"):
        find_routing_shifts(rows(), model=lambda frame: frame["nowhere"], periods=[7])
    with pytest.raises(BadSettings, match="there are 2 options"):
        find_routing_shifts(rows(), model=lambda f: np.zeros((len(f), 3)), periods=[7])
    with pytest.raises(BadSettings, match="predict_proba or predict"):
        find_routing_shifts(rows(), model=3, periods=[7])


def test_logged_attributions_rank_and_follow_the_calendar() -> None:
    given = rows()
    random = np.random.default_rng(5)
    wide = given.select(
        "decision_id", batch=-1.5 * pl.col("batch"), noise=pl.Series(random.normal(size=len(given)))
    )
    long = wide.unpivot(["batch", "noise"], index="decision_id", variable_name="feature",
                        value_name="attribution")  # fmt: skip
    for attributions in (wide, long):
        result = find_routing_shifts(given, attributions, periods=[7])
        first = result.carriers.row(0, named=True)
        assert first["feature"] == "batch" and first["carries"] and first["p_value"] < 0.01
        assert first["contribution"] == pytest.approx(-1.5)
        assert result.carriers.row(1, named=True)["p_value"] > 0.05
        shifts = al.detect_shifts(result.attributions, baseline_days=28)
        assert shifts.alarms.height == 0


def test_attributions_that_do_not_add_up_are_told() -> None:
    given = rows().with_columns(score=pl.Series(np.random.default_rng(2).normal(size=2800)))
    wide = given.select("decision_id", batch=pl.col("score") - 1, noise=0.0)
    right = find_routing_shifts(given, wide, periods=[7])
    assert right.checks.filter(check="additivity")["status"].to_list() == ["ok"]
    wrong = find_routing_shifts(given, wide.with_columns(noise=pl.lit(given["noise"])), periods=[7])
    (said,) = wrong.checks.filter(check="additivity").rows()
    assert said[1] == "warn" and "miss it by up to" in said[2]


def test_too_few_weeks_say_how_many_more() -> None:
    result = find_routing_shifts(rows(days=17))
    assert result.verdict.status == "inconclusive"
    assert "2 more weeks" in result.verdict.next_step
    few = find_routing_shifts(rows(days=35, per_day=3, weekday=None))
    assert few.verdict.status == "inconclusive" and "more week" in few.verdict.next_step


def test_the_verdict_speaks_of_the_periods_that_were_asked_for() -> None:
    def said(periods: Any, days: int = 84, per_day: int = 200) -> Any:
        given = rows(days=days, per_day=per_day, weekday=None, seed=3)
        return find_routing_shifts(given, periods=periods, permutations=199).verdict

    ok = said([5, 3])
    assert ok.status == "ok" and "a period of 3 or 5 days in 84 days" in ok.headline
    assert "one day in 5 that lies" in ok.headline and "week" not in ok.headline
    assert "a period of 2 to 5 days" in said(range(2, 6)).headline
    assert "follows the week in 84 days: a weekday" in said([7]).headline
    few = said([3, 5], days=14)
    assert few.status == "inconclusive" and "a pattern of 5 days takes 20 days" in few.headline
    assert few.next_step == "Look again after 1 more week."
    noisy = said([4], days=20, per_day=3)
    assert noisy.status == "inconclusive" and "one day in 4 that lies" in noisy.headline
    assert "more weeks" in noisy.next_step


@pytest.mark.parametrize("periods", [[], [1], [7.0], [True, 7], 7, "week", [3, None]])
def test_periods_that_are_none_are_refused(periods: Any) -> None:
    with pytest.raises(BadSettings, match="whole days, each 2 or more"):
        find_routing_shifts(rows(days=30), periods=periods)


def test_one_option_is_no_choice() -> None:
    result = find_routing_shifts(rows().with_columns(chosen=pl.lit("a")))
    assert result.verdict.status == "inconclusive" and "always chosen" in result.verdict.headline


def test_no_calendar_is_ok_and_says_what_would_have_been_seen() -> None:
    result = find_routing_shifts(rows(days=84, per_day=200, weekday=None, seed=3))
    assert result.verdict.status == "ok" and not result.patterns.height
    assert "would have been found" in result.verdict.headline


def test_days_without_decisions_and_rows_that_cannot_be_used_are_told() -> None:
    given = rows(per_day=60)
    day = pl.col("at").dt.date()
    holes = given.filter(~day.is_in([dt.date(2026, 3, 10), dt.date(2026, 4, 1)]))
    holes = pl.concat([holes.with_columns(pl.col("at").cast(pl.String)), holes.head(3)
                       .with_columns(at=pl.Series(["soon", None, "?"]))])  # fmt: skip
    result = find_routing_shifts(holes, periods=[7])
    assert result.top["phase"] == "Tuesday"
    assert result.series.filter(pl.col("n") == 0)["share"].null_count() == 4
    assert "without a time" in result.checks["detail"][0]
    with pytest.raises(NotComputable, match="no decision"):
        find_routing_shifts(holes.with_columns(at=pl.lit(None, pl.String)))
    with pytest.raises(BadSettings, match="chosen"):
        find_routing_shifts(holes.drop("chosen"))


def test_days_are_those_of_the_time_zone_and_clock_changes_lose_nothing() -> None:
    given = rows(days=70, per_day=48)
    late = given.with_columns(at=pl.col("at") + pl.duration(hours=8))
    utc = find_routing_shifts(late, periods=[7])
    local = find_routing_shifts(late, periods=[7], timezone="America/Los_Angeles")
    assert local.top["phase"] == utc.top["phase"] == "Tuesday"
    assert local.top["effect"] < utc.top["effect"] < 0
    assert local.series.group_by("day").agg(pl.col("n").first())["n"].sum() == late.height
    with pytest.raises(BadSettings, match="time zone"):
        find_routing_shifts(late, timezone="Mars/Olympus")


def test_features_may_be_constant_texts_or_missing() -> None:
    given = rows().with_columns(
        same=pl.lit(7.0), empty=pl.lit(None, pl.Float64),
        kind=pl.when(pl.col("batch") > 0).then(pl.lit("bulk")).otherwise(pl.lit(None, pl.String)),
    ).drop("batch")  # fmt: skip
    result = find_routing_shifts(given, periods=[7])
    assert result.carriers["feature"][0] == "kind"
    assert abs(result.carriers.filter(feature="same")["contribution"][0]) < 1e-12


def test_hours_of_the_day_and_month_ends_are_calendars_too() -> None:
    random = np.random.default_rng(8)
    given = rows(days=60, per_day=96, weekday=None)
    night = (given["at"].dt.hour() == 3).to_numpy()
    chosen = np.where(night & (random.random(given.height) < 0.8), "b", given["chosen"])
    result = find_routing_shifts(given.with_columns(chosen=pl.Series(chosen)))
    assert (result.top["calendar"], result.top["phase"]) == ("hour", "03:00")
    assert result.hours.height == 2 * 60 * 24 and result.hours["n"].sum() == 2 * given.height
    night = result.hours.filter(option="b", hour=3)
    assert night["share"].mean() > 0.8 and night["day"].is_unique().all()
    given = rows(days=190, per_day=100, weekday=None)
    last = (given["at"].dt.month_end().dt.date() == given["at"].dt.date()).to_numpy()
    chosen = np.where(last & (random.random(given.height) < 0.8), "b", given["chosen"])
    result = find_routing_shifts(given.with_columns(chosen=pl.Series(chosen)))
    assert (result.top["calendar"], result.top["phase"]) == ("month end", "last day")
    assert not result.hours.height  # no hour lies apart


def test_a_period_nobody_named_is_found_and_not_its_multiple() -> None:
    random = np.random.default_rng(4)
    given = rows(days=120, per_day=80, weekday=None)
    ninth = ((given["at"].dt.date() - START.date()).dt.total_days() % 9 == 4).to_numpy()
    chosen = np.where(ninth & (random.random(given.height) < 0.6), "b", given["chosen"])
    result = find_routing_shifts(given.with_columns(chosen=pl.Series(chosen)))
    assert result.top["period_days"] == 9.0 and result.top["phase"] == "4"


@pytest.mark.parametrize("period", [2, 4, 6, 7, 9, 12, 14, 20])
def test_a_period_is_told_and_neither_its_divisors_nor_its_multiples(period: int) -> None:
    days = [START.date() + dt.timedelta(days=n) for n in range(140)]
    series = np.random.default_rng(period).normal(size=(3, 140))
    series[0, 1::period] -= 3
    found = find_patterns(series, None, calendars_of_days(days), alpha=0.02, permutations=199)
    assert {(one.place, one.calendar.length) for one in found} == {(0, period)}


def test_a_lab_holds_decisions_training_rows_and_attributions(tmp_path: Path) -> None:
    lab = al.open_lab(tmp_path / "lab")
    given = rows(outcome=1)
    given.write_csv(tmp_path / "decisions.csv")
    learned = rows(days=21, seed=9).with_columns(
        split=pl.lit("train"), outcome=pl.lit("ok"), decision_id="t" + pl.col("decision_id")
    )
    bad = given.head(2).with_columns(chosen=pl.lit(None, pl.String))
    done = lab.ingest(tmp_path / "decisions.csv", learned, bad)
    assert lab.table("decisions").height == given.height + learned.height
    assert done.quarantined["reason"].unique().to_list() == ["it does not say what was chosen"]
    assert lab.ingest(tmp_path / "decisions.csv").added == 0
    result = find_routing_shifts(lab, periods=[7])
    assert result.top["phase"] == "Tuesday" and result.settings["decisions"] == given.height
    assert result.origin.height == 21  # all worked: no day stands out
    assert not (result.origin["p_value"] < 0.05).any()
    told = given.select("decision_id", feature=pl.lit("batch"), attribution=pl.col("batch") * -2)
    lab.ingest(told)
    logged = find_routing_shifts(lab, periods=[7])
    assert logged.carriers["contribution"][0] == pytest.approx(-2)


def test_nested_json_lines_are_decisions_by_dotted_paths(tmp_path: Path) -> None:
    given = rows(days=9, per_day=3).rename({"noise": "odd.name"})
    nested = given.select(
        decision=pl.struct(route="chosen", score="odd.name"), request=pl.struct("at"),
        batch="batch", id="decision_id", worked=pl.lit("ok"),
    )  # fmt: skip
    nested.write_ndjson(tmp_path / "decisions.jsonl")
    inside = {"chosen": "decision.route", "at": "request.at", "score": "decision.score",
              "decision_id": "id", "outcome": "worked"}  # fmt: skip
    lab = al.open_lab(tmp_path / "lab")
    lab.ingest(tmp_path / "decisions.jsonl", columns=inside)
    told, given = (each.sort("decision_id") for each in (lab.table("decisions"), given))
    assert told["chosen"].to_list() == given["chosen"].to_list()
    assert told["score"].to_list() == pytest.approx(given["odd.name"].to_list())
    assert told["features"][0] == '{"batch":0.0}' and told["outcome"].sum() == 27
    framed = al.open_lab(tmp_path / "framed")
    framed.ingest(nested, columns=inside)
    assert framed.table("decisions").sort("decision_id").equals(told)
    given.write_csv(tmp_path / "flat.csv")
    flat = al.open_lab(tmp_path / "flat")
    flat.ingest(tmp_path / "flat.csv", columns={"score": "odd.name"})
    assert flat.table("decisions")["score"].null_count() == 0
    wrong = {**inside, "chosen": "decision.rout"}
    done = al.open_lab(tmp_path / "new").ingest(tmp_path / "decisions.jsonl", columns=wrong)
    assert "no column 'decision.rout'" in done.quarantined["reason"][0]


def test_the_choices_of_a_router_of_models_are_read_from_traffic(tmp_path: Path) -> None:
    given = rows(days=42, per_day=20)
    calls = given.select(
        "at", trace_id="decision_id", model_requested=pl.col("chosen"), output=pl.lit("Fine."),
        slice=pl.when(pl.col("batch") > 0).then(pl.lit("bulk")).otherwise(pl.lit("single")),
    )  # fmt: skip
    lab = al.open_lab(tmp_path / "lab")
    lab.ingest(calls, format="calls")
    result = find_routing_shifts(lab, periods=[7])
    assert result.top["phase"] == "Tuesday" and result.carriers["feature"][0] == "slice"


def test_a_feature_may_be_called_day_and_training_rows_need_no_id() -> None:
    given = rows().with_columns(day=pl.col("at").dt.weekday())
    seen = []

    def fit(training: pd.DataFrame) -> Any:
        seen.append(training)
        return lambda frame: np.where(np.asarray(frame["day"]) > 9, 0.2, 0.6)

    learned = rows(days=28, seed=4, outcome=1).sample(fraction=1, shuffle=True, seed=1)
    learned = learned.with_columns(
        outcome=pl.when(pl.col("at").dt.date() == dt.date(2026, 3, 10)).then(0).otherwise(1),
        day=pl.col("at").dt.weekday(),
    ).drop("decision_id")  # fmt: skip
    result = find_routing_shifts(
        given, model=lambda frame: np.where(np.asarray(frame["day"]) == 2, 0.2, 0.6), fit=fit,
        training=pd.DataFrame(learned.to_dict(as_series=False)), periods=[7],
    )  # fmt: skip
    assert result.carriers["feature"][0] == "day"
    assert result.origin["day"][0] == dt.date(2026, 3, 10)
    assert result.counterfactual["removed"].to_list() == pytest.approx([1.0, 1.0])
    assert dt.date(2026, 3, 10) not in {at.date() for at in seen[0]["at"]}
    assert len(seen[0]) == 27 * 40


def two_days() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decisions that seldom go to a on Tuesdays and Fridays, and what that was learned from."""
    random = np.random.default_rng(2)
    given = rows(days=84, per_day=60).with_columns(
        freight=(pl.col("at").dt.weekday() == 5).cast(pl.Float64)
    )
    odd = (given["freight"] > 0).to_numpy() & (random.random(given.height) < 0.5)
    others = np.where(random.random(given.height) < 0.5, "b", "c")
    chosen = np.where(odd | (given["chosen"] == "b").to_numpy(), others, given["chosen"])
    given = given.with_columns(chosen=pl.Series(chosen))
    bad = pl.col("at").dt.date().is_in([dt.date(2026, 3, 10), dt.date(2026, 3, 20)])
    learned = given.head(28 * 60).with_columns(outcome=(~bad).cast(pl.Int64))
    return given, learned


def test_each_pattern_of_an_option_has_days_of_its_own_that_it_was_learned_on() -> None:
    given, learned = two_days()

    def model(frame: pl.DataFrame) -> Any:
        a = np.where(frame["batch"] > 0, 0.2, np.where(frame["freight"] > 0, 0.3, 0.6))
        return np.column_stack([a, (1 - a) / 2, (1 - a) / 2])

    result = find_routing_shifts(given, model=model, training=learned, periods=[7])
    first = result.origin.group_by("phase", maintain_order=True).agg(pl.col("day").first())
    assert dict(first.iter_rows()) == {
        "Tuesday": dt.date(2026, 3, 10), "Friday": dt.date(2026, 3, 20),
    }  # fmt: skip
    assert result.origin.columns[:5] == ["day", "option", "calendar", "period_days", "phase"]
    assert result.origin.height == 2 * 28
    day = dict(first.iter_rows())[result.top["phase"]]
    assert f"Learned from {day:%A} {day.day} Mar 2026" in result.verdict.headline


def test_long_names_do_not_fill_the_verdict() -> None:
    long = {"a": "a" * 900, "b": "b" * 900}
    given = rows().with_columns(pl.col("chosen").replace(long)).rename({"batch": "batch" * 200})
    told = find_routing_shifts(given, model=lambda f: np.where(f[:, 0] > 0, 0.2, 0.6), periods=[7])
    assert len(told.verdict.headline) < 400 and len(told.verdict.next_step) < 200
    assert "a" * 40 + "…" in told.verdict.headline
    assert told.checks["detail"].str.len_chars().max() < 200  # pyright: ignore[reportOperatorIssue]
    only = find_routing_shifts(given.with_columns(chosen=pl.lit("a" * 900)))
    assert len(only.verdict.headline) < 100


def test_a_lab_without_decisions_says_so(tmp_path: Path) -> None:
    result = find_routing_shifts(al.open_lab(tmp_path / "lab"))
    assert result.verdict.status == "inconclusive" and "at and chosen" in result.verdict.next_step
