"""Attacks, leaks and short faults stand in the simulated traffic as they are told."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aiops_lab import security_review
from aiops_lab.lab import Lab
from aiops_lab.settings import DEMO_GATE
from tests.traffic.test_simulator import attributes, counted, simulate, spans

from attacks import SECURITY, TEXTS  # isort: skip
from faults import FAULTS  # isort: skip
from simulate import ALL, EVERY  # isort: skip

SIZE = {"seed": 5, "weeks": 8, "per_day": 60}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    simulate(folder, **SIZE)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    simulate(folder, **SIZE, incidents=EVERY)
    return folder


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "truth.json").read_text("utf-8"))


def test_attacks_move_no_count_but_the_tokens_of_what_is_told(plain: Path, tmp_path: Path) -> None:
    simulate(tmp_path, **SIZE, incidents=(*ALL, *SECURITY))
    before, after = (counted(folder) for folder in (plain, tmp_path))
    for row in (*before, *after):
        del row["tokens_out"]
    assert before == after
    old, new = told(plain), told(tmp_path)
    assert old["changes"] == new["changes"]
    assert [each for each in new["incidents"] if each["kind"] in ALL] == old["incidents"]
    assert {each["kind"] for each in new["incidents"]} == {*ALL, *SECURITY}


def test_what_is_drawn_of_one_kind_does_not_hang_on_the_others(whole: Path, tmp_path: Path) -> None:
    alone = simulate(tmp_path, **SIZE, incidents=("tool_fault", "unlisted_tool"))
    every = told(whole)["incidents"]
    for kind in ("tool_fault", "unlisted_tool"):
        own = [each for each in every if each["kind"] == kind]
        assert [each.since for each in alone.incidents if each.kind == kind] == [
            each["since"] for each in own
        ]


def test_attacks_are_in_the_spans_from_their_day_on(whole: Path) -> None:
    since = {each["kind"]: each for each in told(whole)["incidents"]}
    marks = {
        "injection_attempts": [
            text for several in TEXTS["injections"].values() for text in several
        ],
        "planted_document": [TEXTS["document"]["text"]],
        "canary_leak": [TEXTS["canary"]],
        "other_tenants_data": TEXTS["firms"],
        "unlisted_tool": [TEXTS["tool"]],
    }
    found: dict[str, list[int]] = {kind: [] for kind in SECURITY}
    tenants: dict[str, str] = {}
    attacked = set()
    for span in spans(whole):
        tenants[span["traceId"]] = attributes(span).get("app.tenant") or tenants.get(
            span["traceId"], ""
        )
        words = json.dumps(span, ensure_ascii=False)
        for kind, texts in marks.items():
            if any(text in words for text in texts):
                found[kind].append(int(span["startTimeUnixNano"]))
                attacked |= {span["traceId"]} if kind == "injection_attempts" else set()
    for kind, moments in found.items():
        began = datetime.fromisoformat(since[kind]["since"])
        first = datetime.fromtimestamp(min(moments) / 1e9, UTC)
        assert (first - began).total_seconds() > -60, kind
    where = {tenants[trace] for trace in attacked} - {""}
    assert where == {since["injection_attempts"]["where"]["tenant"]}


def test_faults_come_one_by_one_and_end(whole: Path) -> None:
    truth = told(whole)
    own = {each["kind"]: each for each in truth["incidents"] if each["kind"] in FAULTS}
    assert set(own) == set(FAULTS)
    windows = sorted((each["since"], each["until"]) for each in own.values())
    assert all(end < begin for (_, end), (begin, _) in pairwise(windows))
    middle = datetime.fromisoformat(truth["start"]).toordinal() + 7 * truth["weeks"] / 2
    assert datetime.fromisoformat(windows[-1][1]).toordinal() < middle
    for kind, each in own.items():
        change, back = (c for c in truth["changes"] if c["effect"] == kind)
        assert (change["id"], change["at"]) == (each["cause"], each["since"])
        assert back["at"] == each["until"]
        assert change["from_version"] == back["to_version"] != change["to_version"]
    versions = Counter((c["artefact"], c["name"], c["to_version"]) for c in truth["changes"])
    again = {key for key, n in versions.items() if n > 1}
    undone = {
        (c["artefact"], c["name"], c["from_version"]) for c in truth["changes"] if c["effect"]
    }
    assert again <= undone, "a version that was bad is not given anew"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 7, 11])
def test_faults_have_the_sizes_that_were_drawn(seed: int, tmp_path: Path) -> None:
    with_faults, without = tmp_path / "with", tmp_path / "without"
    truth = simulate(with_faults, seed=seed, per_day=1000, weeks=6, incidents=FAULTS)
    simulate(without, seed=seed, per_day=1000, weeks=6, incidents=())
    assert truth.requests == sum(row["requests"] for row in counted(without))
    names = {"ungrounded": "ungrounded", "tool_failures": "tool_failures", "errors": "errors"}
    names |= {"refusals": "refusals", "top_score": "top_score"}
    for each in truth.incidents:
        if each.metric not in names:
            continue
        days = [
            sum(row[names[each.metric]] for row in counted(folder) if row["day"] in _days(each))
            for folder in (with_faults, without)
        ]
        assert (days[0] > days[1]) == (each.direction == "up"), each


def _days(each: Any) -> set[str]:
    return {each.since[:10], each.until[:10]}


def test_the_demo_lab_names_the_canary_and_the_tools() -> None:
    assert f'{TEXTS["owner"]} = "{TEXTS["canary"]}"' in DEMO_GATE
    assert TEXTS["tool"] not in DEMO_GATE


def test_a_review_of_the_demo_finds_what_was_planted(demo: Lab) -> None:
    found = security_review(demo)
    assert found.verdict.status == "fail"
    planted = {each["kind"]: each for each in told(demo.path / "traffic")["incidents"]}
    by = {kind: found.findings.filter(finding=kind) for kind in found.findings["finding"].unique()}
    assert {"canary", "tool", "personal data"} <= set(by)
    for kind, finding in (("canary_leak", "canary"), ("other_tenants_data", "personal data")):
        assert set(by[finding]["tenant"]) == {planted[kind]["where"]["tenant"]}
    assert str(by["canary"]["day"].min()) >= planted["canary_leak"]["since"][:10]
    worst = found.documents.row(0, named=True)
    assert (worst["doc_id"], worst["status"]) == (TEXTS["document"]["id"], "warn")
    assert found.documents.filter(status="warn").height == 1
    whole = found.signals.filter(pl.col("day").is_null())
    assert whole["events"].min() > 20
