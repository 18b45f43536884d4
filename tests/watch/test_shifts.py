"""Daily figures watched: what shifted, what could not be seen, what cannot be."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aiops_lab.errors import BadSettings
from aiops_lab.watch.shifts import CHECKS, Shifts, detect_shifts

FIRST = dt.date(2026, 3, 1)
STEADY = [15, 14, 16, 13, 17, 15, 18, 12, 15, 16, 14]
"""Events a day of 500: 3 %."""


def daily(
    metric: str, values: Any, n: float = 500, part: str | None = None, **columns: Any
) -> pl.DataFrame:
    """A rate's rows, one a day."""
    days = [FIRST + dt.timedelta(at) for at in range(len(values))]
    given = {"day": days, "metric": metric, "slice": part, "n": float(n), "events": values}
    return pl.DataFrame(given | columns, schema_overrides={"slice": pl.String, "n": pl.Float64},
                        strict=False)  # fmt: skip


def steady(length: int, after: list[float] | None = None, events: list[int] = STEADY) -> list:
    return [*np.resize(events, length).tolist(), *(after or [])]


def amounts(length: int = 60, after: float = 1.2, at: int = 50, **columns: Any) -> pl.DataFrame:
    """Daily sums of seconds that go from 1.2 to `after`."""
    x = 1.2 + 0.02 * (np.resize(STEADY, length) - 15) / 2
    x[at:] += after - 1.2
    rows = daily("latency_s", [None] * length, 400).drop("events")
    given = {"sum": pl.Series(x * 400), "sum_squares": pl.Series((x**2 + 0.25) * 400), **columns}
    return rows.with_columns(**given)


def alarm(found: Shifts) -> dict[str, Any]:
    assert found.alarms.height == 1
    return found.alarms.row(0, named=True)


def status(found: Shifts, check: str) -> list[str]:
    return found.checks.filter(check=check)["status"].to_list()


def test_a_shift_is_found_dated_and_told() -> None:
    found = detect_shifts(daily("refusal", steady(72, [42, 38, 40]), part="German"))
    row = alarm(found)
    assert (row["metric"], row["slice"], row["direction"]) == ("refusal", "German", "up")
    day = FIRST + dt.timedelta(72)
    assert row["since"] == day and row["since_low"] <= day <= row["since_high"]
    assert day <= row["day"] <= day + dt.timedelta(1)
    assert row["before"] == pytest.approx(0.03, abs=0.001)
    assert row["low"] < row["after"] - row["before"] < row["high"] and row["low"] > 0
    assert row["share"] and not row["gradual"] and row["evidence"] >= 1
    assert found.verdict.status == "warn"
    assert found.verdict.headline.startswith("refusal rose from 3.0 % to 8.")
    assert "since 12 May" in found.verdict.headline
    assert found.verdict.headline.endswith("in slice German.")
    assert found.settings["threshold"] == 1000 and found.verdict.evidence[0].share


def test_evidence_grows_from_the_end_of_the_baseline() -> None:
    found = detect_shifts(daily("refusal", steady(60, [42, 38])))
    evidence = found.series["evidence"]
    assert evidence[:30].null_count() == 30 and evidence[30:].null_count() == 0
    crossed = found.series.filter(pl.col("evidence") >= 1)["day"].min()
    assert crossed == alarm(found)["day"]
    usual = found.series[:60]
    assert (usual["low"] < usual["value"]).all() and (usual["value"] < usual["high"]).all()
    assert found.series["value"][-1] > found.series["high"][-1]
    assert found.series["expected"][0] == pytest.approx(0.03, abs=0.002)


def test_validity_near_one_that_falls_is_told_as_it_is() -> None:
    valid = [500 - each for each in steady(60, [52, 48])]
    found = detect_shifts(daily("json_valid", valid))
    row = alarm(found)
    assert row["direction"] == "down" and row["high"] < 0
    assert row["before"] == pytest.approx(0.97, abs=0.001)
    assert row["after"] == pytest.approx(0.9, abs=0.01)
    assert "json_valid fell from 97.0 % to 8" in found.verdict.headline or (
        "json_valid fell from 97.0 % to 9" in found.verdict.headline
    )
    power = found.power.row(0, named=True)
    assert power["after"] < power["before"]
    assert found.series["expected"][0] == pytest.approx(0.97, abs=0.002)
    assert (found.series["low"] < found.series["high"]).all()


def test_a_mean_that_shifts_is_found() -> None:
    found = detect_shifts(amounts(after=1.5))
    row = alarm(found)
    assert row["before"] == pytest.approx(1.2, abs=0.01) and not row["share"]
    assert row["after"] == pytest.approx(1.5, abs=0.02)
    assert row["since"] == FIRST + dt.timedelta(50)
    assert "latency_s rose from 1.20 to 1.5" in found.verdict.headline
    assert detect_shifts(amounts(after=1.2)).verdict.status == "ok"


def test_a_slow_rise_is_told_as_one() -> None:
    rising = [15 + 3 * at for at in range(12)]
    row = alarm(detect_shifts(daily("refusal", steady(60, rising))))
    assert row["since_low"] <= FIRST + dt.timedelta(61) <= row["since_high"]


def test_no_shift_says_what_would_have_been_found() -> None:
    found = detect_shifts(daily("refusal", steady(75)))
    assert found.verdict.status == "ok" and not found.alarms.height
    assert found.verdict.headline.startswith("No shift of refusal over 45 days: a rise of refusal")
    assert "would be found in about" in found.verdict.headline
    row = found.power.row(0, named=True)
    assert row["seen"] and row["days"] <= 14 and row["watched"] == 45
    # and that it does: so much is found in about so long
    more = [round(row["after"] * 500)] * 20
    shifted = detect_shifts(daily("refusal", steady(75, more)))
    late = (alarm(shifted)["day"] - FIRST).days - 75 + 1
    assert 0.5 * row["days"] <= late <= 2 * row["days"]


def test_too_little_to_see_anything_is_inconclusive() -> None:
    found = detect_shifts(daily("refusal", steady(45, events=[0, 1, 0, 0]), n=4))
    assert found.verdict.status == "inconclusive"
    assert found.verdict.headline.startswith("Cannot tell")
    assert status(found, "power") == ["inconclusive"]
    new = detect_shifts(daily("refusal", steady(33, events=[3, 2, 4, 3]), n=100))
    assert new.verdict.status == "inconclusive" and new.verdict.next_step.startswith("Wait: such")


@pytest.mark.parametrize(
    "rows", [daily("refusal", steady(30)), daily("refusal", steady(60), n=0, events=[0] * 60),
             daily("refusal", []), daily("refusal", [None] * 60),
             amounts(sum=400.0, sum_squares=400.0)],
)  # fmt: skip
def test_nothing_watched_is_never_ok(rows: pl.DataFrame) -> None:
    found = detect_shifts(rows)
    assert found.verdict.status == "inconclusive"
    assert "no series could be watched" in found.verdict.headline
    assert found.settings["watched"] == 0 and not found.power.height
    assert found.checks.filter(status="inconclusive").height == (1 if rows.height else 0)


def test_what_is_not_watched_is_listed_and_does_not_raise_the_threshold() -> None:
    rows = pl.concat([
        daily("refusal", steady(60)), daily("refusal", steady(60, [])[:20], part="new"),
        daily("empty", [0] * 60, n=0),
        daily("refusal", [0] * 60, part="never"),
    ])  # fmt: skip
    found = detect_shifts(rows)
    assert found.settings["watched"] == 2 and found.settings["threshold"] == 2000
    told = {(m, s): (c, how) for m, s, c, how, _ in found.checks.rows()}
    assert told == {
        ("refusal", "new"): ("baseline", "inconclusive"),
        ("empty", None): ("baseline", "inconclusive"),
        ("refusal", "never"): ("baseline", "ok"),
    }
    assert "2 series: see checks" in found.verdict.next_step
    assert found.checks.schema == CHECKS


def test_what_never_happened_is_found_when_it_does() -> None:
    row = alarm(detect_shifts(daily("crash", [0] * 60 + [6, 5, 7])))
    assert row["before"] == 0 and row["direction"] == "up" and row["low"] > 0


def test_days_without_traffic_are_skipped() -> None:
    values = steady(60, [42, 38, 40])
    gaps = [at for at in range(len(values)) if at % 9 != 4]
    rows = daily("refusal", values)[gaps]
    zeros = daily("refusal", values).with_columns(
        pl.when(pl.int_range(pl.len()) % 9 == 4).then(0.0).otherwise(c).alias(c)
        for c in ("n", "events")
    )
    one, other = detect_shifts(rows), detect_shifts(zeros)
    assert_frame_equal(one.alarms, other.alarms)
    assert_frame_equal(one.series, other.series)
    assert one.alarms.height == 1


@pytest.mark.parametrize("gone", [None, float("nan")])
def test_missing_evaluated_is_not_zero(gone: float | None) -> None:
    values = steady(60)
    evaluated = [250.0 if at not in (35, 36) else gone for at in range(60)]
    found = detect_shifts(daily("refusal", values, evaluated=evaluated))
    assert found.series["value"][0] == values[0] / 250  # of those evaluated, not of all
    assert found.series.height == 58
    assert status(found, "missing") == ["warn"] and found.verdict.status == "ok"
    assert "2 days" in found.checks["detail"].item()


def test_slices_are_watched_apart_and_the_clearest_leads() -> None:
    rows = pl.concat([
        daily("refusal", steady(60, [24, 26, 25, 24, 27, 26, 25, 24])),
        daily("refusal", steady(60, [52, 48, 50, 49, 51, 50, 49, 52]), part="German"),
        daily("refusal", steady(68), part="French"),
    ])  # fmt: skip
    found = detect_shifts(rows)
    assert found.alarms["slice"].to_list() == ["German", None]
    assert "in slice German; refusal shifted too." in found.verdict.headline
    names = [each.name for each in found.verdict.evidence]
    assert names == ["refusal in German", "refusal"]


def test_the_order_of_rows_and_their_library_do_not_matter() -> None:
    rows = pl.concat([
        daily("refusal", steady(60, [42, 38])), daily("refusal", steady(62), part="German"),
        amounts(62, 1.2),
    ], how="diagonal")  # fmt: skip
    one = detect_shifts(rows)
    text = rows.with_columns(pl.col("day").dt.to_string())
    times = rows.with_columns(pl.col("day").cast(pl.Datetime("us", "UTC")))
    pandas = pl.DataFrame(rows).to_pandas(use_pyarrow_extension_array=False)
    for other in (rows.sample(fraction=1, shuffle=True, seed=3), rows.to_arrow(), rows.lazy(),
                  text, times, pandas):  # fmt: skip
        again = detect_shifts(other)
        assert again.verdict == one.verdict
        assert again.series.equals(one.series) and again.alarms.equals(one.alarms)


def test_the_baseline_starts_anew_only_where_it_is_asked() -> None:
    new = steady(60, steady(60, events=[2 * each for each in STEADY]))
    rows = pl.concat([daily("refusal", new), daily("refusal", new, part="German"),
                      daily("crash", new)])  # fmt: skip
    assert detect_shifts(rows).alarms.height == 3
    day = FIRST + dt.timedelta(60)
    found = detect_shifts(rows, restart={"refusal": day})
    assert found.alarms["metric"].to_list() == ["crash"]
    part = detect_shifts(rows, restart={"refusal": {"German": str(day)}, "crash": day})
    assert part.alarms.select("metric", "slice").rows() == [("refusal", None)]
    assert part.series.height == 360  # the days before are still shown
    assert not detect_shifts(rows, baseline_from=dt.datetime(2026, 4, 30)).alarms.height
    assert detect_shifts(rows, baseline_from="2030-01-01").verdict.status == "inconclusive"


def test_the_settings_do_it_again() -> None:
    rows = daily("refusal", steady(60, [42, 38]), part="German")
    one = detect_shifts(rows, baseline_days=28, run_length_days=500, baseline_from=FIRST,
                        restart={"refusal": {"German": dt.date(2026, 3, 3)}})  # fmt: skip
    given = json.loads(json.dumps(one.settings))
    again = detect_shifts(rows, **{k: v for k, v in given.items()
                                   if k not in ("watched", "threshold")})  # fmt: skip
    assert again.to_dict() == one.to_dict()


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"baseline_days": 5}, "14 or more"), ({"baseline_days": 30.5}, "30.5"),
     ({"baseline_days": True}, "True"), ({"run_length_days": 0}, "run_length_days"),
     ({"run_length_days": float("nan")}, "nan"), ({"run_length_days": "9"}, "'9'"),
     ({"baseline_from": "May"}, "'May'"), ({"restart": {"refusal": 5}}, "5"),
     ({"restart": {"refusals": "2026-03-09"}}, "did you mean 'refusal'"),
     ({"restart": {"refusal": {"German": "2026-03-09"}}}, "no slice of refusal 'German'")],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        detect_shifts(daily("refusal", steady(60)), **settings)


ROWS = daily("refusal", steady(40))


@pytest.mark.parametrize(
    ("rows", "said"),
    [(ROWS.drop("day"), "column day"), (ROWS.drop("n"), "column n"),
     (ROWS.drop("events"), "column events"), (ROWS.drop("metric"), "column metric"),
     (pl.concat([ROWS, ROWS[:1]]), "two rows of one day: refusal on 2026-03-01"),
     (ROWS.with_columns(n=pl.lit(10.0)), "more events than answers"),
     (ROWS.with_columns(events=-pl.col("events")), "below 0"),
     (ROWS.with_columns(n=pl.lit(-10.0)), "below 0"),
     (ROWS.with_columns(day=pl.lit("soon")), "no day"),
     (ROWS.with_columns(day=pl.lit(5)), "2026-05-12"),
     (ROWS.with_columns(metric=pl.lit(None, pl.String)), "no metric"),
     (amounts(sum_squares=1.0), "sum_squares below"), ("daily.csv", "a str")],
)  # fmt: skip
def test_tables_that_cannot_be_are_refused(rows: Any, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        detect_shifts(rows)


def test_a_table_without_slices_will_do() -> None:
    rows = daily("refusal", steady(60, [42, 38])).drop("slice")
    assert alarm(detect_shifts(rows))["slice"] is None


def test_a_slice_of_all_is_the_whole_in_words() -> None:
    found = detect_shifts(daily("refusal", steady(60, [42, 38]), part="all"))
    assert "slice" not in found.verdict.headline and alarm(found)["slice"] == "all"


def test_a_result_is_written_and_shown(tmp_path: Path) -> None:
    found = detect_shifts(daily("refusal", steady(60, [42, 38]), part="=1+1"))
    names = {path.stem for path in found.to_csv(tmp_path)}
    assert names == {"alarms", "onsets", "series", "power", "checks"}
    assert "'=1+1" in (tmp_path / "alarms.csv").read_text()
    assert "refusal rose" in found._repr_html_()
    none = detect_shifts(daily("refusal", []))
    assert none.to_parquet(tmp_path) and none.alarms.columns == found.alarms.columns
    assert none.series.schema == found.series.schema and none.power.schema == found.power.schema


def test_a_bad_day_of_the_baseline_is_named_and_can_be_left_out() -> None:
    events = steady(60, [23] * 20)
    events[12] = 120
    rows = daily("refusal", events)
    hidden = detect_shifts(rows)
    assert not hidden.alarms.height
    check = hidden.checks.filter(check="odd day").row(0, named=True)
    assert check["status"] == "warn"
    assert check["detail"] == (
        "13 Mar 2026 is 24.0 % where the other days are about 3.0 %, which hides smaller shifts: "
        "leave it out if you know why"
    )
    assert "hides smaller shifts: see checks, and leave_out." in str(hidden.verdict.next_step)
    found = detect_shifts(rows, leave_out=["2026-03-13"])
    assert alarm(found)["direction"] == "up" and not status(found, "odd day")
    assert found.settings["leave_out"] == ["2026-03-13"]
    assert dt.date(2026, 3, 13) not in found.series["day"].to_list()


def test_days_of_valid_answers_are_odd_as_they_are_told() -> None:
    events = [500 - each for each in steady(60)]
    events[5] = 300
    found = detect_shifts(daily("yaml_valid", events))
    assert "6 Mar 2026 is 60.0 % where the other days are about 97.0 %" in found.checks["detail"][0]


def test_a_day_of_dear_answers_is_odd() -> None:
    rows = amounts()
    day = pl.col("day") == FIRST + dt.timedelta(8)
    bad = rows.with_columns(
        pl.when(day).then(pl.col(name) * times).otherwise(name).alias(name)
        for name, times in (("sum", 4), ("sum_squares", 16))
    )
    assert status(detect_shifts(bad), "odd day") == ["warn"]
    assert not status(detect_shifts(rows), "odd day")


@pytest.mark.parametrize("given", ["2026-03-13", ["2020-01-01"], ["soon"], 3])
def test_days_to_leave_out_are_a_list_of_days_that_are_there(given: Any) -> None:
    with pytest.raises(BadSettings, match="leave_out"):
        detect_shifts(daily("refusal", steady(60)), leave_out=given)


def test_a_baseline_that_moved_itself_is_told_and_can_start_anew() -> None:
    rows = daily("refusal", [*steady(14), *steady(36, [40] * 4, [25, 24, 26, 23, 27])])
    found = detect_shifts(rows)
    told = found.checks.filter(check="moved").row(0, named=True)
    assert told["detail"] == (
        "it went from 3.0 % to 5.0 % about 15 Mar 2026, within the baseline, which hides smaller "
        "shifts: start anew then (restart)"
    )
    step = str(found.verdict.next_step)
    assert "The baseline of 1 series moved itself: see checks, and restart." in step
    again = detect_shifts(rows, restart={"refusal": "2026-03-15"}, baseline_days=28)
    assert not status(again, "moved") and alarm(again)["before"] == pytest.approx(0.05, abs=0.001)


def test_a_mean_that_moved_within_its_baseline_is_told() -> None:
    assert (
        "from 1.20 to 1.40 about 16 Mar 2026"
        in detect_shifts(amounts(after=1.4, at=15)).checks["detail"][0]
    )
    assert not status(detect_shifts(amounts()), "moved")


def test_days_that_follow_each_other_raise_no_alarm_before_a_shift_is_clear() -> None:
    """Rates go up and down in three weeks, and now a little further up."""
    waves = 15 + 4 * np.sin(np.arange(38) / 3.2)
    rows = daily("refusal", [*waves.round().tolist(), *[25] * 10])
    found = detect_shifts(rows)
    assert found.power["evidence"].item() > 1 and not found.alarms.height
    assert found.verdict.status == "inconclusive"
    assert found.verdict.headline.startswith("Cannot tell whether refusal shifted")
    assert status(found, "unsettled") == ["inconclusive"]
    beside = pl.concat([rows, daily("error", steady(44, [42.0] * 4))], how="vertical_relaxed")
    both = detect_shifts(beside)
    assert both.alarms["metric"].to_list() == ["error"]
    assert "Nothing can be told of 1 series" in str(both.verdict.next_step)
    stays = detect_shifts(daily("refusal", [*waves.round().tolist(), *[40] * 40]))
    assert alarm(stays)["direction"] == "up"


@pytest.mark.parametrize("part", [None, "German", 'a"b'])
def test_what_a_verdict_says_to_restart_can_be_given_back(part: str | None) -> None:
    rows = daily("refusal", steady(72, [42] * 30), part=part)
    step = str(detect_shifts(rows).verdict.next_step)
    restart = json.loads(step.split("start anew: restart ")[1].removesuffix("."))
    assert not detect_shifts(rows, restart=restart, baseline_days=14).alarms.height
