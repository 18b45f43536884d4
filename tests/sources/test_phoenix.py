"""Phoenix: fetched from a server on the loopback, and only what is new the next time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, LabError, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.sources import phoenix
from aiops_lab.sources.find import recognise
from aiops_lab.sources.phoenix import fetch
from aiops_lab.sources.server import LONGEST_WAIT
from tests.sources.loopback import serving
from tests.sources.phoenix_server import KEY, NOW, Asked, Server, coded, span

VARIABLES = (
    "PHOENIX_ENDPOINT", "PHOENIX_COLLECTOR_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT",
    "PHOENIX_BASE_URL", "PHOENIX_HOST", "PHOENIX_PORT", "PHOENIX_CLIENT_HEADERS",
)  # fmt: skip


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server with a project of five spans, which the environment names."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serving(Server()) as server:
        monkeypatch.setenv("PHOENIX_ENDPOINT", server.url)
        monkeypatch.setenv("PHOENIX_API_KEY", KEY)
        server.add("other", span(90))
        server.add("shop", *map(span, range(5)))
        yield server


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "aiops_lab", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def whole(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def names(paths: list[Path]) -> list[str]:
    """The spans in snapshots, in their order."""
    parts = [path for path in paths if "annotations" not in path.name]
    return [json.loads(line)["name"] for part in parts for line in part.read_text().splitlines()]


def contents(lab: Lab) -> dict[str, list[tuple]]:
    """What a lab shows of traces."""
    tables = ("spans", "evaluations", "traffic", "hourly", "quarantine")
    return {
        name: sorted(map(str, lab.table(name).drop("at", strict=False).rows())) for name in tables
    }


def called(numbers: range) -> list[str]:
    return [f"call {number}" for number in numbers]


def test_spans_and_annotations_become_tables(server: Server, tmp_path: Path) -> None:
    failed = {"status_code": "ERROR", "status_message": "no answer"}
    server.add("shop", span(7, 0, parent_id=f"{1:016x}", span_kind="RETRIEVER", **failed))
    server.annotate("span", f"{8:016x}", "grounded", 0.25)
    server.annotate("trace", f"{0:032x}", "helpful", 1.0, annotator_kind="HUMAN", user_id="u")
    lab = open_lab(tmp_path / "lab")
    done = lab.ingest("phoenix:shop")
    assert done.quarantined.rows() == []
    spans = lab.table("spans").sort("started_at")
    assert spans["name"].to_list() == [*called(range(5)), "call 7"]
    assert spans.row(5, named=True) | {"attributes": None} == {
        **dict.fromkeys(spans.columns),
        "trace_id": f"{0:032x}",
        "span_id": f"{8:016x}",
        "parent_id": f"{1:016x}",
        "step": "retrieval",
        "name": "call 7",
        "started_at": spans["started_at"][5],
        "duration_s": 1.5,
        "status": "error",
        "model_served": "m-1",
        "tokens_in": 7,
    }
    assert lab.table("evaluations").sort("metric").select("trace_id", "metric", "value").rows() == [
        (f"{0:032x}", "grounded", 0.25), (f"{0:032x}", "helpful", 1.0),
    ]  # fmt: skip
    assert lab.table("evaluations").sort("metric")["scorer_kind"].to_list() == ["model", "human"]
    assert lab.table("traffic").height == 5 and lab.table("hourly").height
    assert server.asked("spans")[0]["order"] == ["desc"]


def test_a_second_fetch_asks_only_for_what_is_new(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phoenix, "OVERLAP", 50)
    server.add("shop", *map(span, range(5, 1_000)))
    first = fetch("shop", tmp_path / "fetched")
    assert sorted(names(first)) == sorted(called(range(1_000)))
    assert len(server.asked("/spans")) == 5
    server.log.clear()
    server.add("shop", span(1_000), span(-1))  # one of them began before all the others
    second = fetch("shop", tmp_path / "fetched")
    assert len(server.asked("/spans")) == 1
    assert second[:-1] == first and names(second[-1:]) == ["call -1", "call 1000"]
    assert whole(fetch("shop", tmp_path / "fetched")) == whole(second)
    assert list((tmp_path / "fetched" / ".partial").iterdir()) == []


def test_a_number_that_was_given_earlier_and_comes_later_is_not_lost(
    server: Server, tmp_path: Path
) -> None:
    fetch("shop", tmp_path)
    server.projects["shop"].insert(2, {"id": coded("Span", 4), **span(77)})
    assert names(fetch("shop", tmp_path))[-1] == "call 77"


def test_a_server_that_counts_anew_is_read_from_the_start(server: Server, tmp_path: Path) -> None:
    server.add("shop", *map(span, range(5, 3_000)))
    fetch("shop", tmp_path)
    server.projects["shop"] = [{"id": coded("Span", n + 1), **span(n)} for n in range(4_000, 4_010)]
    assert set(called(range(4_000, 4_010))) <= set(names(fetch("shop", tmp_path)))
    more = [{"id": coded("Span", n + 1), **span(n)} for n in range(4_010, 9_000)]
    server.projects["shop"] += more
    assert set(called(range(3_000))) | set(called(range(4_000, 9_000))) == set(
        names(fetch("shop", tmp_path))
    )


def test_a_server_that_lists_in_another_order_is_read_whole(server: Server, tmp_path: Path) -> None:
    held = server.projects["shop"]
    held.reverse()
    fetch("shop", tmp_path)
    held[:] = [{"id": f"odd {n}", **span(n)} for n in range(2_000, 3_000)] + held
    found = names(fetch("shop", tmp_path))
    assert set(found) == {*called(range(5)), *called(range(2_000, 3_000))}


def test_annotations_that_come_or_change_later_are_fetched_and_nothing_else_is_added(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phoenix, "PART", 200)
    server.add("shop", *map(span, range(5, 450)))
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest("phoenix:shop").added == 3
    said = server.annotate("span", f"{8:016x}", "grounded", 0.25)
    done = lab.ingest("phoenix:shop")
    assert (done.added, done.rows["evaluations"], done.rows.get("spans", 0)) == (1, 1, 0)
    assert lab.ingest("phoenix:shop").added == 0
    said["result"]["score"], said["updated_at"] = 0.75, NOW.replace(year=NOW.year + 1).isoformat()
    server.annotate("trace", f"{440:032x}", "helpful", 1.0)
    assert lab.ingest("phoenix:shop").added == 2
    scores = lab.table("evaluations").sort("metric")
    assert scores.select("metric", "value").rows() == [("grounded", 0.75), ("helpful", 1.0)]
    assert lab.table("spans").height == 450


def test_annotations_of_long_ago_are_asked_for_no_more(server: Server, tmp_path: Path) -> None:
    for held in server.projects["shop"]:
        held["start_time"] = held["start_time"].replace(f"{NOW.year}-", f"{NOW.year - 1}-", 1)
    assert len(fetch("shop", tmp_path)) == 1
    assert server.asked("annotations") == []


def test_rate_limits_failures_and_broken_connections_are_waited_out(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.annotate("span", f"{1:016x}", "grounded", 0.25)
    calm = whole(fetch("shop", tmp_path / "calm"))
    server.faults = [
        ("/spans", 429, {"Retry-After": "7"}),
        ("/spans", 503, {"Retry-After": "86400"}),
        ("span_annotations", 500, {}),
    ]
    waits: list[float] = []
    assert whole(fetch("shop", tmp_path / "busy", wait=waits.append)) == calm
    assert waits == [7.0, LONGEST_WAIT, 1.0]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("PHOENIX_ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(LabError, match=rf"127\.0\.0\.1:{port} did not answer.*ConnectError"):
        fetch("shop", tmp_path, wait=waits.append)


def test_killed_half_way_it_goes_on_from_the_last_page(server: Server, tmp_path: Path) -> None:
    server.add("shop", *map(span, range(5, 2_000)))
    for number in range(0, 2_000, 10):
        server.annotate("span", f"{number + 1:016x}", "grounded", number / 1_024)
    calm = open_lab(tmp_path / "calm")
    calm.ingest("phoenix:shop")
    requests, server.log = len(server.log), []
    open_lab(tmp_path / "lab")
    line = [sys.executable, "-m", "aiops_lab", "ingest", "phoenix:shop", "--lab"]
    for share in (8, 2):  # among the spans, and among the annotations
        child = subprocess.Popen([*line, str(tmp_path / "lab")])

        def kill(path: str, asked: Asked, child=child, share=share) -> None:
            if len(server.log) >= requests // share:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()

        server.before = kill
        assert child.wait() == -signal.SIGKILL
        server.before = lambda path, asked: None
    server.add("shop", span(2_000))
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest("phoenix:shop").quarantined.height == 0
    answered = [(path, str(asked)) for path, asked, status in server.log if status == 200]
    assert len(answered) <= len(set(answered)) + 2
    lab.ingest("phoenix:shop")
    calm.ingest("phoenix:shop")
    assert contents(lab) == contents(calm)
    assert lab.table("spans").height == 2_001


def test_spans_that_come_while_pages_are_read_are_neither_lost_nor_doubled(
    server: Server, tmp_path: Path
) -> None:
    server.add("shop", *map(span, range(5, 500)))

    def change(path: str, asked: Asked) -> None:
        if path.endswith("/spans") and len(server.projects["shop"]) < 900:
            server.add(
                "shop", *map(span, range(number := len(server.projects["shop"]), number + 150))
            )

    server.before = change
    fetch("shop", tmp_path)
    server.before = lambda path, asked: None
    found = names(fetch("shop", tmp_path))
    assert sorted(found) == sorted(called(range(len(server.projects["shop"]))))


def test_a_part_of_the_time_has_snapshots_of_its_own(server: Server, tmp_path: Path) -> None:
    since = server.projects["shop"][3]["start_time"].partition("+")[0]
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest(f"phoenix:shop?since={since}").rows["spans"] == 2
    assert lab.ingest("phoenix:shop").rows["spans"] == 5
    assert lab.table("spans").height == lab.table("traffic").height == 5
    with pytest.raises(BadSettings, match="since='yesterday' is no time"):
        lab.ingest("phoenix:shop?since=yesterday")


def test_what_is_wrong_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadSettings, match=r"no project 'shp.' on .*; projects: 'shop', 'other'"):
        fetch("shp\udcff", tmp_path)
    assert names(fetch(coded("Project", 1), tmp_path)) == ["call 90"]
    monkeypatch.setenv("PHOENIX_API_KEY", "wrong-key")
    with pytest.raises(BadSettings, match="refuses the keys") as refused:
        fetch("shop", tmp_path)
    assert "wrong-key" not in str(refused.value)
    monkeypatch.setenv("PHOENIX_API_KEY", "schlüssel ☃")
    with pytest.raises(BadSettings, match="client does not take what the environment says"):
        fetch("shop", tmp_path)
    open_lab(tmp_path / "lab")
    done = command("ingest", "phoenix:shop", "--lab", tmp_path / "lab")
    assert done.returncode == 2 and done.stderr.startswith("aiops-lab: Phoenix's client")
    monkeypatch.setitem(sys.modules, "phoenix", None)
    monkeypatch.setitem(sys.modules, "phoenix.client", None)
    with pytest.raises(LabError, match=r"pip install aiops-lab\[phoenix\]"):
        fetch("shop", tmp_path)


def test_the_help_tells_of_it_and_nothing_is_imported_before() -> None:
    assert "phoenix:PROJECT" in command("ingest", "--help").stdout
    look = "import sys, aiops_lab.sources.find as f; f.sources(); print('phoenix' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "answer",
    ["<!DOCTYPE html>", [], {"data": None}, {"data": [1]}, {"data": {"a": 1}}, "[" * 100_000,
     {"data": [{"id": "x", "name": "shop"}], "next_cursor": "x"}],
)  # fmt: skip
def test_what_is_no_phoenix_is_called_so(server: Server, tmp_path: Path, answer: object) -> None:
    server.spoiled = answer
    with pytest.raises(LabError, match="is no Phoenix"):
        fetch("shop", tmp_path)
    assert list(tmp_path.glob("*.jsonl")) == []


HOSTILE = "../..\\..//etc/passwd\x00\n\u202e<script>alert(1)</script>%2e%2e😀 ?#&="


@pytest.mark.parametrize("name", [HOSTILE, "..", ".", "a/b/c", "con", "ä ö", "a?since=b"])
def test_names_and_texts_are_never_paths(server: Server, tmp_path: Path, name: str) -> None:
    server.add(name, span(0, name=HOSTILE, attributes={HOSTILE: HOSTILE, "input.value": HOSTILE}))
    server.annotate("span", f"{1:016x}", HOSTILE, 0.5)
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest(f"phoenix:{name}").quarantined.height == 0
    assert lab.table("spans")["input"].to_list() == [HOSTILE]
    assert lab.table("evaluations")["metric"].to_list() == [HOSTILE]
    assert {path.name for path in tmp_path.iterdir()} == {"lab"}
    for snapshot in (tmp_path / "lab" / "fetched" / "phoenix").glob("*.jsonl"):
        assert snapshot.name.isascii() and len(snapshot.name) < 120


def test_odd_records_cost_only_themselves(server: Server, tmp_path: Path) -> None:
    odd = [
        span(20, context=None), span(21, context=[]), span(22, attributes=7), span(23, id=7),
        span(24, start_time="soon"), span(25, events=[1]), {"id": "U3Bhbjo="}, {},
    ]  # fmt: skip
    server.projects["shop"] += [{"id": coded("Span", 100 + n), **one} for n, one in enumerate(odd)]
    server.annotate("span", f"{1:016x}", "plain", 0.5)
    server.annotate("span", f"{1:016x}", "odd", 0.5, result=[], updated_at=None)
    lab = open_lab(tmp_path / "lab")
    lab.ingest("phoenix:shop")
    assert set(called(range(5))) <= set(lab.table("spans")["name"])
    assert lab.table("evaluations").filter(pl.col("metric") == "plain")["value"].to_list() == [0.5]
    told = lab.table("spans").height + lab.table("quarantine").height
    assert told >= 5 + len(odd)
    assert lab.ingest("phoenix:shop").added == 0


def test_a_fetched_folder_is_read_again_into_a_new_lab(server: Server, tmp_path: Path) -> None:
    server.annotate("span", f"{1:016x}", "grounded", 0.25)
    server.annotate("trace", f"{1:032x}", "helpful", 1.0)
    lab, other = open_lab(tmp_path / "lab"), open_lab(tmp_path / "other")
    lab.ingest("phoenix:shop")
    assert {found.name for p in lab.path.glob("fetched/*/*.jsonl") if (found := recognise(p))} == {
        "spans"
    }
    other.ingest(lab.path / "fetched")
    assert contents(other) == contents(lab)
