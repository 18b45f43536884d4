"""What an ingest counts for objectives is what counting the requests themselves gives, always."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aiops_lab import Lab, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.ingest import Unit, ingest
from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Criterion, Duration, Objective
from aiops_lab.objectives.short import objectives_in
from aiops_lab.settings import settings_of
from aiops_lab.sources.contract import Batch
from aiops_lab.store import Store
from aiops_lab.target.budget import error_budget
from aiops_lab.target.explain import traffic_of
from aiops_lab.traffic import counts
from aiops_lab.traffic.counts import counted, counts_of, digest_of
from aiops_lab.traffic.summaries import KEY, OF_OBJECTIVE
from tests.traffic.test_rollup import START, frame, request, scores, traffic

GOALS = [
    Objective("refuses", 0.95, "refusal", read_criterion(bad=True)),
    Objective("the same", 0.5, "refusal", read_criterion(bad=True)),
    Objective("fast", 0.95, "latency_s", read_criterion("<= 1.5"), filter="language=de"),
    Objective("grounded", 0.9, "grounded", read_criterion(">= 0.5")),
    Objective("share", 0.9, "grounded", Criterion("ratio"), filter="language=en"),
    Objective("none", 0.9, "unknown", read_criterion(">= 0.5")),
    Objective("text", 0.9, "language", read_criterion(">= 0.5")),
    Objective("words", 0.9, "language", read_criterion(good=["de"])),
    Objective(
        "quarters", 0.9, "grounded", read_criterion(">= 0.5"), budgeting="timeslices",
        timeslice_target=0.9, timeslice_window=Duration(15, "m"),
    ),
]  # fmt: skip


def put(
    lab: Lab, name: str, spans: pl.DataFrame | None, told: pl.DataFrame | None = None,
    goals: Sequence[Objective] = GOALS, fails: bool = False,
) -> None:  # fmt: skip
    def read() -> Iterator[Batch]:
        yield Batch({k: v for k, v in {"spans": spans, "evaluations": told}.items()
                     if v is not None})  # fmt: skip
        if fails:
            raise ValueError

    ingest(lab._store, [Unit(name, f"file:///{name}", name, "otlp", 1, read)], objectives=goals)


def rated(rows: Sequence[dict[str, Any]], seed: int = 0) -> pl.DataFrame:
    chance, found = np.random.default_rng(seed), scores(rows)
    count = found.height
    return found.with_columns(
        value=pl.Series(chance.random(count)), at=pl.lit(START + timedelta(days=2)),
        sampling_weight=pl.Series(chance.choice([1.0, 10 / 3, 9.5], count)),
    )  # fmt: skip


def unread(*_: Any, **__: Any) -> None:
    raise AssertionError("the requests were read")


def killed(store: Store, rows: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """All is appended, and the process ends before anything is listed."""
    rows(store.listed())
    raise KeyboardInterrupt


def assert_as_counted(lab: Lab, goals: Sequence[Objective] = GOALS) -> None:
    tables = (lab.table("traffic"), lab.table("evaluations"))
    assert_frame_equal(counts_of(lab, goals), counted(*tables, goals), check_exact=True)


@pytest.mark.parametrize("seed", range(3))
def test_late_doubled_and_shuffled_data_end_in_the_same_counts(
    lab: Lab, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = traffic(3, seed)
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(rows))
    for number, part in enumerate(np.array_split(order, 4)):
        own = [rows[i] for i in (*part, *chance.choice(order, 10))]
        put(lab, f"part-{number}", frame(own), rated(rows, number) if number > 1 else None)
    put(lab, "part-1", frame(rows))  # known already
    put(lab, "broken", frame(traffic(1, 9)), fails=True)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Store, "commit", killed)
        put(lab, "killed", frame(traffic(1, 8)), rated(rows, 8))
    late = rated(rows, 7).with_columns(at=pl.lit(START + timedelta(days=20)))
    put(lab, "late", None, late)
    assert_as_counted(lab)
    assert counts_of(lab, GOALS)["bad"].sum() > 0
    tables = (lab.table("traffic"), lab.table("evaluations"))
    theirs = error_budget(tables, GOALS)
    monkeypatch.setattr(counts, "_recounted", unread)
    ours = error_budget(lab, GOALS)
    assert_frame_equal(ours.counts, theirs.counts, check_exact=True)
    assert_frame_equal(ours.objectives, theirs.objectives, check_exact=True)


ENDS = st.sampled_from([None, -1.0, 0.0, 0.25, 0.5, 1.0, 2.0])
SOME = st.builds(
    Objective, name=st.just("goal"), target=st.just(0.9),
    metric=st.sampled_from(["grounded", "refusal", "latency_s", "language", "words", "unknown"]),
    criterion=st.builds(
        Criterion, kind=st.sampled_from(["range", "labels", "events", "ratio"]), low=ENDS,
        high=ENDS, above=st.booleans(), below=st.booleans(), bad=st.booleans(),
        labels=st.sampled_from([(), ("de",), ("true", "1.0")]),
    ),
    filter=st.sampled_from([None, "language=de", "tenant=a", "unknown=1"]),
    sampling=st.sampled_from([0.1, 1.0]),
)  # fmt: skip
HOW = st.sampled_from([("occurrences", None)] + [("ratio_timeslices", Duration(n, u)) for n, u in
                      ((1, "m"), (15, "m"), (7, "m"), (2, "h"), (1, "d"), (1, "M"))])  # fmt: skip


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(st.lists(st.tuples(SOME, HOW), min_size=30, max_size=40), st.integers(0, 9))
def test_any_objective_is_counted_the_same_whenever_it_was_written(drawn: Any, seed: int) -> None:
    goals = [
        replace(goal, name=f"goal {n}", budgeting=how, timeslice_window=length)
        for n, (goal, (how, length)) in enumerate(drawn)
    ]
    chance, rows = np.random.default_rng(seed), traffic(1, 5)
    with TemporaryDirectory() as folder:
        lab = open_lab(folder)
        for number, part in enumerate(np.array_split(chance.permutation(len(rows)), 3)):
            own = [goal for goal in goals if chance.random() < 0.6]  # as lab.toml was at the time
            put(lab, f"{number}", frame([rows[i] for i in part]), rated(rows, number), own)
        assert_as_counted(lab, goals)


def test_an_objective_that_went_and_came_again_is_counted_anew(lab: Lab) -> None:
    put(lab, "first", frame(request(1, START, "I'm sorry, I can't help with that.")))
    put(lab, "without", frame(request(2, START)), goals=[])
    assert counts_of(lab, GOALS[:1])["n"].to_list() == [2]
    assert_as_counted(lab)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_what_was_not_summed_up_is_counted_by_the_labs_engine(lab: Lab, engine: str) -> None:
    rows = traffic(2)
    put(lab, "first", frame(rows[:60]), rated(rows), GOALS[:3])
    put(lab, "second", frame(rows[60:]), None, GOALS[3:])
    (lab.path / "lab.toml").write_text(f'[traffic]\nengine = "{engine}"\n')
    assert_as_counted(lab)


def test_an_hour_without_such_answers_was_looked_at(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lab, "plain", frame(request(1, START)))
    marks = lab.table("hourly").filter(pl.col("metric") == f"objective:{digest_of(GOALS[3])}")
    assert marks.select("n", "evaluated", "sum").rows() == [(0, 0, 0.0)]
    monkeypatch.setattr(counts, "_recounted", unread)
    assert not counts_of(lab, GOALS[3:4]).height


def test_a_request_that_moved_leaves_no_count_behind(lab: Lab) -> None:
    root, model, tool = request(1, START + timedelta(minutes=59, seconds=59.8))
    put(lab, "children", frame([model, tool]))
    put(lab, "root", frame([root]))
    assert counts_of(lab, GOALS[:1]).select("hour", "n").rows() == [(START, 1)]
    assert lab.at(1).table("hourly").filter(OF_OBJECTIVE).height
    assert_as_counted(lab)


def test_what_decides_the_counts_and_nothing_else_names_them() -> None:
    goal = GOALS[3]
    same = replace(goal, name="other", target=0.5, sampling=0.1, window=GOALS[0].window)
    assert digest_of(goal) == digest_of(same)
    hour = replace(goal, budgeting="timeslices", timeslice_window=Duration(1, "h"))
    others = [
        goal, replace(goal, metric="kind"), replace(goal, filter="tenant=a"), hour,
        replace(goal, criterion=read_criterion("> 0.5")), GOALS[-1],
    ]  # fmt: skip
    assert len({digest_of(each) for each in others}) == len(others)
    assert digest_of(hour) == digest_of(replace(hour, timeslice_window=Duration(6, "h")))


def test_days_and_what_reads_them_know_nothing_of_objectives(lab: Lab, tmp_path: Any) -> None:
    rows = traffic(2)
    other = open_lab(tmp_path / "other")
    put(lab, "whole", frame(rows), rated(rows))
    put(other, "whole", frame(rows), rated(rows), goals=[])
    assert lab.table("hourly").filter(OF_OBJECTIVE).height
    plain = lab.table("hourly").filter(~OF_OBJECTIVE).sort(KEY)  # a table has no order of its own
    assert_frame_equal(plain, other.table("hourly").sort(KEY), rel_tol=1e-12)
    assert_frame_equal(lab.daily(), other.daily(), rel_tol=1e-12)  # sums are added in any order
    lacking = replace(GOALS[0], metric=f"objective:{digest_of(GOALS[0])}")
    assert traffic_of(lab.daily(), lacking)[1][0].check == "metric"


def test_a_broken_objective_stops_no_ingest_and_no_other_objective(lab: Lab) -> None:
    good = '[[slo]]\nname = "refuses"\nmetric = "refusal"\nbad = true\ntarget = 0.9\n'
    broken = '[[slo]]\nname = "broken"\nmetric = "refusal"\ngood = "what"\ntarget = 3\n'
    calls = pl.DataFrame({"input": ["a"], "output": ["b"], "at": [START], "latency_s": [1.0]})
    (lab.path / "lab.toml").write_text(broken + good)
    lab.ingest(calls, format="calls")
    (one,) = objectives_in(settings_of(good))
    assert f"objective:{digest_of(one)}" in lab.table("hourly")["metric"]
    (lab.path / "lab.toml").write_text("[[slo]]\nnme = 1\n" + good)
    lab.ingest(calls.with_columns(output=pl.lit("c")), format="calls")
    assert lab.table("traffic").height == 2
    (lab.path / "lab.toml").write_text("[[slo]]\nnme = 1\n[trafic]\n")
    with pytest.raises(BadSettings, match="trafic"):
        lab.ingest(calls.with_columns(output=pl.lit("d")), format="calls")


def test_what_is_no_number_is_neither_good_nor_bad() -> None:
    rows = pl.DataFrame({"at": [START] * 3, "latency_s": [1.0, math.nan, None]})
    goal = Objective("fast", 0.9, "latency_s", read_criterion(">= 0.5"))
    assert counted(rows, None, [goal]).select("n", "evaluated", "bad").row(0) == (3, 1, 0.0)
