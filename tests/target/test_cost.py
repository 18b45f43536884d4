"""What a change costs of a budget: said where it can be, and what would settle it elsewhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from aiops_lab import ChangeCost, Comparison, Lab, change_cost, compare_runs
from aiops_lab.errors import BadSettings
from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Criterion, Duration, Judge, Objective, Part

START = datetime(2026, 4, 1, tzinfo=UTC)


def goal(target: float = 0.98, **more: Any) -> Objective:
    return Objective("grounded", target, "grounded", read_criterion(">= 0.5"), **more)


def runs(parts: dict[str, tuple[int, int, int]], epochs: int = 1, **more: Any) -> Comparison:
    """Of each language: so many questions, of which some turn bad and some good."""
    rows = []
    for language, (n, bad, good) in parts.items():
        for i in range(n):
            before, after = (0.0, 1.0) if i < good else (1.0, 0.0 if i < good + bad else 1.0)
            rows += [
                {"run_id": run, "sample_id": f"{language}{i}", "epoch": epoch, "metric": "grounded",
                 "value": value, "language": language, "document": f"{language}{i // 4}"}
                for run, value in (("a", before), ("b", after)) for epoch in range(epochs)
            ]  # fmt: skip
    return compare_runs(pl.DataFrame(rows), baseline="a", candidate="b", **more)


def traffic(days: float = 20.0, **languages: int) -> pl.DataFrame:
    names = [name for name, n in languages.items() for _ in range(n)]
    step = timedelta(days=days) / max(len(names), 1)
    return pl.DataFrame({"at": [START + step * i for i in range(len(names))], "language": names})


def test_a_change_spends_saves_or_cannot_be_told() -> None:
    spent = change_cost(runs({"de": (2000, 30, 10)}), goal())
    assert spent.share == pytest.approx(0.01 / 0.02) and spent.verdict.status == "warn"
    assert spent.verdict.headline.startswith("This change spends 50 % of the budget of grounded (")
    saved = change_cost(runs({"de": (2000, 10, 30)}), goal())
    assert saved.share == pytest.approx(-0.5) and saved.verdict.status == "ok"
    assert saved.verdict.headline.startswith("This change saves 50 % of the budget of grounded (")
    assert (saved.low, saved.high) == pytest.approx((-(spent.high or 0), -(spent.low or 0)))
    open_ = change_cost(runs({"de": (200, 3, 2)}), goal())
    assert open_.verdict.status == "inconclusive" and "Cannot tell" in open_.verdict.headline
    assert "questions would tell if it is as it seems" in open_.verdict.next_step


def test_where_nothing_changed_it_says_what_it_could_have_seen() -> None:
    found = change_cost(runs({"de": (200, 0, 0)}), goal())
    assert found.share == 0 and found.verdict.status == "inconclusive"
    assert found.smallest_visible == pytest.approx(5.52 / 200 / 0.02)
    assert "No question turned" in found.verdict.headline
    assert "138 %" in found.verdict.next_step


def test_what_is_left_of_the_period_is_what_it_costs() -> None:
    whole, half = (change_cost(runs({"de": (2000, 30, 10)}), goal(), remaining=r) for r in (1, 0.5))
    for name in ("share", "low", "high", "smallest_visible"):
        assert getattr(half, name) == pytest.approx(getattr(whole, name) / 2)
    for wrong in ({"remaining": 0}, {"remaining": 1.5}, {"level": 1.0}):
        with pytest.raises(BadSettings):
            change_cost(runs({"de": (20, 1, 0)}), goal(), **wrong)


def test_questions_are_weighted_to_the_mix_of_the_traffic() -> None:
    asked = runs({"de": (500, 10, 0), "en": (500, 0, 0)})
    plain, mostly = change_cost(asked, goal()), traffic(de=9000, en=1000)
    found = change_cost(asked, goal(), mostly)
    assert plain.share == pytest.approx(0.5) and "not weighted" in plain.settings["notes"][0]
    assert found.share == pytest.approx(0.9 * 0.02 / 0.02) and found.settings["by"] == "language"
    assert found.by.rows() == [("de", 0.9, 500, 10, 0, 0.02), ("en", 0.1, 500, 0, 0, 0.0)]
    same = change_cost(asked, goal(), traffic(de=1000, en=1000))
    assert same.settings["by"] is None and same.share == plain.share
    assert "the mix of the traffic" in same.settings["notes"][0]
    assert change_cost(asked, goal(), traffic(de=1000, en=1000), by="language").by.height == 2
    with pytest.raises(BadSettings, match="both have language"):
        change_cost(asked, goal(), mostly, by="tenant")
    with pytest.raises(BadSettings, match="without traffic"):
        change_cost(asked, goal(), by="language")


@pytest.mark.parametrize("library", ["pandas", "duckdb", "naive"])
def test_the_traffic_may_be_of_any_library(library: str) -> None:
    given: Any = traffic(de=900, en=100)
    asked = runs({"de": (500, 10, 0), "en": (500, 0, 0)})
    if library == "pandas":
        given = given.to_pandas()
    elif library == "duckdb":
        given = pytest.importorskip("duckdb").sql("select * from given")
    else:
        given = given.with_columns(pl.col("at").dt.replace_time_zone(None)).lazy()
    assert change_cost(asked, goal(), given).share == pytest.approx(0.9)
    empty = change_cost(asked, goal(), traffic(de=900, en=100).clear())
    assert "share no dimension" in empty.settings["notes"][0] and empty.share is not None


def test_only_the_traffic_of_28_days_counts() -> None:
    old = traffic(de=9000, en=1000).with_columns(pl.col("at") - timedelta(days=60))
    found = change_cost(
        runs({"de": (500, 10, 0), "en": (500, 0, 0)}), goal(), old.vstack(traffic(de=100, en=900))
    )
    assert found.share == pytest.approx(0.1)


def test_traffic_without_questions_is_said_and_of_much_nothing_is() -> None:
    asked = runs({"de": (500, 10, 0), "en": (500, 0, 0)})
    some = change_cost(asked, goal(), traffic(de=800, en=180, fr=20))
    assert some.share is not None and some.settings["unasked"] == pytest.approx(0.02)
    assert "2 % of the traffic has no question (language fr)" in some.verdict.next_step
    assert "that alone spends 100 %" in some.verdict.next_step
    much = change_cost(asked, goal(), traffic(de=500, en=400, fr=100))
    assert much.share is None and much.verdict.status == "inconclusive"
    assert "10 % of the traffic has no question (language fr)" in much.verdict.headline
    blank = traffic(de=900, en=50).vstack(traffic(x=50).with_columns(language=None))
    told = change_cost(asked, goal(), blank)
    assert told.settings["unasked"] == 0 and told.by["weight"][0] == pytest.approx(900 / 950)
    assert "5 % of the traffic tells no language" in told.settings["notes"][0]
    lone = change_cost(asked, goal(), traffic(de=1000))
    assert lone.by["n"].sum() == 500 and "500 of 1000 questions" in lone.settings["notes"][0]


def test_much_traffic_and_few_questions_are_pointed_out() -> None:
    asked = runs({"de": (500, 5, 5), "fr": (5, 0, 0)})
    thin = change_cost(asked, goal(), traffic(de=750, fr=250))
    assert "language fr has 25 % of the traffic and 5 of 505 questions" in thin.verdict.next_step
    whole = change_cost(asked, goal())
    assert (thin.high or 0) - (thin.low or 0) > 2 * ((whole.high or 0) - (whole.low or 0))


def test_a_filter_keeps_to_its_slice() -> None:
    asked = runs({"de": (500, 10, 0), "en": (500, 30, 0)})
    mix = traffic(de=900, en=100)
    found = change_cost(asked, goal(filter="language=de"), mix)
    assert found.share == pytest.approx(1.0) and found.by["n"].sum() == 500
    other = change_cost(asked, goal(filter="tenant=acme"), mix)
    assert "no question has a tenant" in other.settings["notes"][0] and other.share is not None
    nobody = change_cost(asked, goal(filter="language=fr"), mix)
    assert nobody.share is None and "no question has grounded" in nobody.verdict.headline


def test_the_criterion_is_held_against_each_answer_not_their_mean() -> None:
    """Two answers of .4 and .6 to one question: one is bad, their mean is not."""
    rows = [
        {"run_id": run, "sample_id": str(i), "epoch": epoch, "metric": "grounded", "value": value}
        for run, pair in (("a", (1.0, 1.0)), ("b", (0.4, 0.6))) for i in range(100)
        for epoch, value in enumerate(pair)
    ]  # fmt: skip
    found = change_cost(compare_runs(pl.DataFrame(rows), baseline="a", candidate="b"), goal(0.9))
    assert found.share == pytest.approx(0.5 / 0.1)


def test_labels_events_and_measures_are_metrics_too() -> None:
    rows = [
        {"run_id": run, "sample_id": str(i), "metric": "kind", "value": None, "label": label,
         "output": text, "latency_s": 1.0 + 4 * (run == "b" and i < 20)}
        for run in "ab" for i in range(400)
        for label, text in [("rude", "I cannot help with that.") if run == "b" and i < 10
                            else ("polite", "It is in the second drawer on the left.")]
    ]  # fmt: skip
    rows += [{**row, "metric": "score", "value": 1.0, "label": None} for row in rows]
    found = compare_runs(pl.DataFrame(rows, infer_schema_length=None), baseline="a", candidate="b")
    labels = Criterion("labels", labels=("polite",))
    for one, share in (
        (Objective("kind", 0.95, "kind", labels), 0.5),
        (Objective("no refusals", 0.9, "refusal", read_criterion(bad=True)), 0.25),
        (Objective("fast", 0.9, "latency_s", read_criterion("<= 4")), 0.5),
    ):
        assert change_cost(found, one).share == pytest.approx(share), one.name
    lost = change_cost(found, Objective("none", 0.9, "nothing", Criterion(low=1)))
    assert lost.verdict.status == "inconclusive" and "nothing in both runs" in lost.verdict.headline


def test_a_judge_is_put_right_or_nothing_is_said() -> None:
    asked = runs({"de": (2000, 40, 10)})
    plain, judged = (
        change_cost(asked, goal(0.95, judge=judge)) for judge in (None, Judge(90, 100, 190, 200))
    )
    assert judged.share == pytest.approx((plain.share or 0) / 0.85)
    assert (judged.high or 0) - (judged.low or 0) > ((plain.high or 0) - (plain.low or 0)) / 0.85
    for judge, told in ((Judge(40, 49, 190, 200), "49 bad answers"),
                        (Judge(60, 100, 110, 200), "tells too little")):  # fmt: skip
        found = change_cost(asked, goal(0.95, judge=judge))
        assert found.share is None and told in found.verdict.headline


@pytest.mark.parametrize("run", ["a", "b"])
def test_answers_that_one_run_lacks_are_neither_good_nor_bad(run: str) -> None:
    asked = [
        {"run_id": name, "sample_id": str(i), "metric": "grounded",
         "value": None if name == run and i < 20 else 1.0}
        for name in "ab" for i in range(400)
    ]  # fmt: skip
    found = compare_runs(pl.DataFrame(asked), baseline="a", candidate="b")
    cost = change_cost(found, goal())
    assert cost.share is None and "5 % of the" in cost.verdict.headline
    rows = pl.DataFrame(asked).drop_nulls()  # questions that one run was never asked
    other = change_cost(compare_runs(rows, baseline="a", candidate="b"), goal())
    assert other.share is None and "5 % of the" in other.verdict.headline


def test_clusters_are_honoured() -> None:
    parts = {"de": (400, 40, 0), "en": (200, 0, 0)}
    mix = traffic(de=900, en=100)
    alone, kept = (
        change_cost(runs(parts, **more), goal(0.9), mix) for more in ({}, {"cluster": "document"})
    )
    assert kept.share == pytest.approx(alone.share)
    assert (kept.high or 0) - (kept.low or 0) > 1.4 * ((alone.high or 0) - (alone.low or 0))
    few = change_cost(runs(parts, cluster="language"), goal(0.9), mix)
    assert few.share is None and "clusters are too few" in few.verdict.headline


def test_budgets_of_parts_and_of_slices_say_why_not() -> None:
    asked = runs({"de": (200, 3, 0)})
    for one, told in (
        (Objective("both", 0.9, parts=(Part(goal()), Part(goal()))), "a mean of parts"),
        (goal(budgeting="timeslices", timeslice_target=0.9, timeslice_window=Duration(1, "h")),
         "slices of time"),
        (Objective("far", 0.9, why="elsewhere"), "elsewhere"),
    ):  # fmt: skip
        found = change_cost(asked, one)
        assert found.verdict.status == "inconclusive" and told in found.verdict.headline


def test_several_candidates_are_refused() -> None:
    table = pl.DataFrame({"run_id": list("abc"), "sample_id": 1, "metric": "grounded", "value": 1})
    several = compare_runs(table, baseline="a", candidate=["b", "c"])
    with pytest.raises(BadSettings, match="one candidate"):
        change_cost(several, goal())


def test_the_comparison_shows_and_exports_as_before() -> None:
    asked = runs({"de": (20, 1, 0)})
    assert "evals" not in repr(asked) and "evals" not in asked.to_dict()
    assert "evals" not in asked.frames and json.dumps(asked.to_dict(), default=str)


def test_the_demo_says_what_its_change_costs(demo: Lab) -> None:
    found = compare_runs(demo, baseline="latest~1", candidate="latest")
    late = Objective("fast", 0.98, "latency_s", read_criterion("<= 4"))
    cost = change_cost(found, late, demo)
    assert isinstance(cost, ChangeCost) and json.dumps(cost.to_dict())
    assert cost.to_dict()["share"] == cost.share
    assert "rise" not in cost.to_dict() and cost.settings["notes"]
