"""Who caused an incident: on small histories whose cause is plain, and on what cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import open_lab, triage
from aiops_lab.charts import triage as pictures
from aiops_lab.errors import BadSettings
from aiops_lab.respond.split import mix_and_within
from aiops_lab.respond.where import where_moved
from tests.respond.incidents import incident

START = datetime(2026, 5, 1, tzinfo=UTC)
END = START + timedelta(days=14)


def asked(case: Any, **more: Any) -> Any:
    window = (case.began, case.traffic["at"].max())
    return triage(case.traffic, window, metric="bad", changes=case.changes, **more)


def requests(n: int = 2800, seed: int = 0, **columns: Any) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    hours = pl.Series(np.sort(chance.uniform(0, 14 * 24, n)) * 3_600e6).cast(pl.Int64)
    at = START + hours.cast(pl.Duration("us"))
    bad = chance.random(n) < 0.1
    return pl.DataFrame({"at": at, "bad": bad, **columns})


def test_a_canary_is_told_from_a_change_on_the_same_day() -> None:
    chance = np.random.default_rng(1)
    rows = requests()
    day = (rows["at"] - START).dt.total_hours().to_numpy() / 24
    canary = (day >= 9) & (chance.random(rows.height) < np.clip((day - 9) / 3, 0.1, 1))
    rows = rows.with_columns(
        bad=pl.Series(chance.random(rows.height) < np.where(canary, 0.25, 0.08)),
        prompt_version=pl.Series(np.where(canary, "p2", "p1")),
        index_version=pl.Series(np.where(day >= 9.02, "i2", "i1")),
    )
    log = pl.DataFrame(
        {"at": [START + timedelta(days=9)] * 2, "artefact": ["index", "prompt"],
         "to_version": ["i2", "p2"], "from_version": ["i1", "p1"]}
    )  # fmt: skip
    found = triage(rows, (START + timedelta(days=9), END), metric="bad", changes=log)
    assert found.verdict.status == "warn"
    assert found.suspects.select("artefact", "version").row(0) == ("prompt", "p2")
    assert found.suspects["probability"][0] > 0.9
    assert "p1" in found.verdict.next_step
    assert found.suspects["n"][0] > 0


def test_the_traffic_is_named_where_its_make_up_changed() -> None:
    found = asked(incident(3, 1000, cause="traffic", decoys=0))
    assert found.suspects["artefact"][0] == "traffic"
    split = found.split.filter(dimension="slice")
    assert split["mix"].sum() > 4 * abs(split["within"].sum())


def test_the_slice_that_moved_is_named_on_the_page() -> None:
    chance = np.random.default_rng(4)
    rows = requests(8000).with_columns(
        language=pl.Series(chance.choice(["da", "de", "<b>"], 8000)),
        tenant=pl.Series(chance.choice(["x", "y"], 8000)),
    )
    hit = (pl.col("at") >= START + timedelta(days=9)) & (pl.col("language") == "<b>")
    rows = rows.with_columns(
        bad=pl.when(hit).then(pl.int_range(pl.len()) % 3 == 0).otherwise("bad")
    )
    window = (START + timedelta(days=9), END)
    found = where_moved(rows, triage(rows, window, metric="bad"))
    assert found["slice"][0] == "language=<b>"
    assert "language=<b>" in str(pictures.slices(found).title)


def test_without_slices_or_a_move_none_is_named() -> None:
    rows = requests()
    window = (START + timedelta(days=9), END)
    assert where_moved(rows, triage(rows, window, metric="bad")).is_empty()
    named = rows.with_columns(language=pl.lit("da") + (pl.int_range(pl.len()) % 3).cast(pl.String))
    still = where_moved(named, triage(named, window, metric="bad"))
    assert still.is_empty()
    assert "No slice" in pictures.slices(still).title


def test_mix_and_within_add_up_exactly() -> None:
    case = incident(5, 200)
    rows = case.traffic.rename({"bad": "outcome"}).with_columns(
        language=pl.when(pl.col("at") > case.began).then(pl.lit("da")).otherwise(pl.lit("de"))
    )
    split = mix_and_within(rows, case.began, ["slice", "language"])
    mean = pl.col("outcome").mean()
    after, before = (
        rows.filter(pl.col("at") >= case.began if late else pl.col("at") < case.began)
        .select(mean).item() for late in (True, False)
    )  # fmt: skip
    for _, own in split.group_by("dimension"):
        total = own.select(pl.col("mix").sum() + pl.col("within").sum()).item()
        assert total == pytest.approx(after - before, abs=1e-12)


def test_a_move_that_may_be_nothing_names_nobody() -> None:
    found = triage(requests(), (START + timedelta(days=9), END), metric="bad")
    assert found.verdict.status == "inconclusive"
    assert "may be nothing" in found.verdict.headline


def test_without_a_single_answer_known_nobody_is_named() -> None:
    rows = requests().with_columns(bad=pl.lit(None, pl.Boolean))
    found = triage(rows, (START + timedelta(days=9), END), metric="bad")
    assert found.verdict.status == "inconclusive" and found.suspects.is_empty()


def undone() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Requests of which those of one day had another parser, and the log that tells both ends."""
    new = pl.col("at").is_between(START + timedelta(days=9), START + timedelta(days=10))
    version = pl.when(new).then(pl.lit("p2")).otherwise(pl.lit("p1"))
    rows = requests().with_columns(parser_version=version, bad=pl.col("bad") | new)
    changes = pl.DataFrame(
        {"at": [START + timedelta(days=day) for day in (9, 10)], "artefact": ["parser"] * 2,
         "name": ["p"] * 2, "from_version": ["p1", "p2"], "to_version": ["p2", "p1"]}
    )  # fmt: skip
    return rows, changes


def test_going_back_to_a_version_undoes_the_change() -> None:
    rows, changes = undone()
    window = (START + timedelta(days=9), START + timedelta(days=10))
    found = triage(rows, window, metric="bad", changes=changes)
    first = found.suspects.row(0, named=True)
    assert (first["artefact"], first["version"], first["logged"]) == ("parser", "p2", True)
    assert first["probability"] > 0.9


def test_a_change_after_which_the_figure_is_not_known_is_no_fault() -> None:
    late = START + timedelta(days=14) - timedelta(hours=5)
    known = pl.when(pl.col("at") < late).then("bad")
    rows = requests().with_columns(latency_s=pl.int_range(pl.len()) % 7 + 1.0, bad=known)
    log = pl.DataFrame({"at": [late], "artefact": ["tool"], "name": ["t"], "to_version": ["2"]})
    found = triage(rows, (late - timedelta(hours=30), END), metric="bad", changes=log)
    told = found.suspects.filter(name="t")["evidence"].to_list()
    assert told == ["no request tells the figure both before and after it"]


def test_an_empty_lab_has_no_incident(tmp_path) -> None:
    found = triage(open_lab(tmp_path / "lab"))
    assert found.verdict.status == "inconclusive"
    assert "window" in found.verdict.next_step


@pytest.mark.parametrize(
    ("window", "given", "said"),
    [
        (None, {"metric": "bad"}, "window="),
        (("2026-05-10", "2026-05-02"), {"metric": "bad"}, "not after it begins"),
        (("soon", None), {"metric": "bad"}, "no time such as"),
        (("2026-05-10", None), {}, "name the figure"),
        (("2026-05-10", None), {"metric": "mood"}, "no figure 'mood'"),
        ((date(2026, 5, 10), None), {"metric": "bad", "where": "mood=x"}, "column=value"),
        ((date(2027, 5, 10), None), {"metric": "bad"}, "not after it begins"),
        (("2026-05-10", None), {"metric": "bad", "before_days": 0}, "before_days"),
    ],
)
def test_what_cannot_be_asked_is_said(window: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        triage(requests(), window, **given)


def test_hostile_names_are_data() -> None:
    case = incident(7, 200, cause="prompt", unlogged=0.0)
    evil = '</script><img src=x onerror="alert(1)">{{7*7}}\u202e'
    changes = case.changes.with_columns(name=pl.lit(evil))
    found = triage(case.traffic, (case.began, case.traffic["at"].max()), metric="bad",
                   changes=changes)  # fmt: skip
    assert evil in found.suspects["name"].to_list()
    assert "<img" not in found.verdict._repr_html_()


def test_the_same_is_said_again_and_of_rows_in_any_order() -> None:
    case = incident(11, 200)
    mixed = case.traffic.sample(fraction=1.0, shuffle=True, seed=1)
    window = (case.began, case.traffic["at"].max())
    one, two = (
        triage(rows, window, metric="bad", changes=case.changes) for rows in (case.traffic, mixed)
    )
    assert one.suspects["artefact"].to_list() == two.suspects["artefact"].to_list()
    assert one.suspects["probability"].to_numpy() == pytest.approx(
        two.suspects["probability"].to_numpy(), rel=1e-9
    )
