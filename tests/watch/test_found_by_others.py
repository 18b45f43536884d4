"""What strangers broke once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import Lab, detect_shifts, summarise, watch_behaviour
from aiops_lab.errors import LabError
from aiops_lab.tables import conform
from aiops_lab.traffic.summaries import daily_of, hourly_of
from aiops_lab.watch.changes import change_log, seen_changes, version_days

START = dt.date(2026, 4, 1)


def daily(metric: str, rates: list[float], n: int = 500, seed: int = 0) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    days = [START + dt.timedelta(days=i) for i in range(len(rates))]
    events = [int(chance.binomial(n, rate)) for rate in rates]
    return pl.DataFrame({"day": days, "metric": metric, "slice": "all", "n": n, "events": events})


def test_a_format_that_breaks_for_good_is_told_and_one_never_spoken_is_not() -> None:
    broken = daily("json_valid", [0.97] * 40 + [0.02] * 60)
    never = daily("yaml_valid", [0.01] * 100)
    found = watch_behaviour(pl.concat([broken, never]))
    assert found.events["metric"].to_list() == ["json_valid"]
    assert set(found.daily["metric"]) == {"json_valid"}


@pytest.mark.parametrize("until", ["2026-05-20", dt.date(2026, 5, 20)])
def test_a_day_may_be_a_text(until: Any) -> None:
    rows = daily("refusal", [0.03] * 60)
    assert watch_behaviour(rows, until=until).daily["day"].max() == dt.date(2026, 5, 20)


@pytest.mark.parametrize(
    "settings",
    [{"until": float("nan")}, {"until": "soon"}, {"metrics": 5}, {"metrics": "refusal"},
     {"by": None}, {"by": "slice"}, {"restart": "refusal"}, {"restart": ["refusal"]}],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(LabError):
        watch_behaviour(daily("refusal", [0.03] * 60), **settings)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.with_columns(pl.col("day").cast(pl.String)),
        lambda f: f.drop("slice"),
        lambda f: f.with_columns(pl.col("metric").cast(pl.Categorical)),
        lambda f: f.with_columns(pl.col("n", "events").cast(pl.String)),
        lambda f: f.to_pandas(),
    ],
)
def test_whatever_the_detectors_take_the_whole_takes(change: Any) -> None:
    rows = change(daily("refusal", [0.03] * 50 + [0.1] * 10))
    assert detect_shifts(rows).alarms.height == 1
    assert watch_behaviour(rows).events.height == 1


@pytest.mark.parametrize("lacking", ["metric", "n", "day"])
def test_a_column_that_is_missing_is_named(lacking: str) -> None:
    with pytest.raises(LabError, match=lacking):
        watch_behaviour(daily("refusal", [0.03] * 60).drop(lacking))


def requests(hours: list[int]) -> pl.DataFrame:
    at = [dt.datetime(2026, 5, 1, h, n, tzinfo=dt.UTC) for h in hours for n in range(10)]
    rows = pl.DataFrame({"trace_id": [f"t{n}" for n in range(len(at))], "at": at})
    return conform(rows.with_columns(words=pl.lit(10), refusal=pl.lit(False)), "traffic")


def evaluations(traces: pl.Series, **columns: Any) -> pl.DataFrame:
    return conform(pl.DataFrame({"trace_id": traces, **columns}), "evaluations")


def test_a_score_called_like_a_measure_stands_beside_it() -> None:
    rows = requests([9])
    days = summarise(rows, evaluations(rows["trace_id"], metric="words", value=0.5))
    own = days.filter(slice="all").select("metric", "sum").rows()
    assert ("words", 100.0) in own
    assert ("words (score)", 5.0) in own


def test_labels_count_the_same_however_they_came() -> None:
    rows = requests([0, 1, 2, 3])
    labels = ["rude"] * 5 + ["kind"] * 35
    scores = evaluations(rows["trace_id"], metric="tone", label=labels)
    whole = daily_of(hourly_of(rows, scores))
    parts = [hourly_of(rows[i : i + 10], scores[i : i + 10]) for i in range(0, 40, 10)]
    for days in (whole, daily_of(pl.concat(parts))):
        rude = days.filter(metric="tone: rude", slice="all")
        assert rude.select("n", "events", "evaluated").row(0) == (40, 5, 40)


@pytest.mark.parametrize(
    "columns",
    [
        {"value": [1.0] * 10, "sampling_weight": [1e200] + [1.0] * 9},
        {"value": [1e200, -1e308] + [0.0] * 8},
        {"value": [float("nan"), float("inf")] + [0.5] * 8},
        {"value": [0.5] * 10, "sampling_weight": [float("nan"), -1.0, 0.0] + [1.0] * 7},
    ],
)
def test_absurd_scores_and_weights_are_missing(columns: dict[str, list[float]]) -> None:
    rows = requests([9])
    days = summarise(rows, evaluations(rows["trace_id"], metric="ok", **columns))
    assert days.filter(metric="ok", slice="all")["sum"].is_finite().all()


def test_a_lab_is_summed_up_by_duckdb_with_scores_and_without(lab: Lab) -> None:
    pytest.importorskip("duckdb")
    (lab.path / "lab.toml").write_text('[traffic]\nengine = "duckdb"\n')
    assert summarise(lab).height == 0


def test_models_whose_names_end_alike_are_different_models() -> None:
    at = [dt.datetime(2026, 5, day, 9, tzinfo=dt.UTC) for day in range(1, 9)]
    served = ["llama3:latest"] * 4 + ["mistral:latest"] * 4
    log = change_log(version_days(pl.DataFrame({"at": at, "model_served": served})))
    assert log.select("from_version", "to_version").row(0) == ("llama3:latest", "mistral:latest")


def test_what_was_written_down_years_ago_hides_no_change() -> None:
    at = [dt.datetime(2026, 5, day, 9, tzinfo=dt.UTC) for day in (1, 2, 3)]
    rows = version_days(pl.DataFrame({"at": at, "model_served": ["a", "a", "b"]}))
    assert seen_changes(rows).height == 1
    written = pl.DataFrame({"change_id": ["1"], "artefact": ["provider"], "to_version": ["b"],
                            "at": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]})  # fmt: skip
    assert change_log(rows, written)["logged"].to_list() == [True, False]


def test_times_of_a_change_log_may_be_written_in_several_ways(lab: Lab, tmp_path: Path) -> None:
    text = (
        "at;artefact;to_version;row\n2026-05-04T10:00:00Z;prompt;1;x\n2026-05-04 11:00;prompt;2;x\n"
        "2026-05-04T12:00:00+02:00;prompt;3;x\n2026-05-05;prompt;4;x\n5/1/2026;prompt;5;x\n"
    )
    (tmp_path / "changes.csv").write_text(text)
    done = lab.ingest(tmp_path / "changes.csv")
    assert lab.table("changes").sort("to_version")["at"].dt.hour().to_list() == [10, 11, 10, 0]
    assert "no time" in done.quarantined["reason"].item()
