"""Langfuse: fetched from a server on the loopback, read from snapshots, compared in a lab."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from aiops_lab import Lab, LabError, compare_runs, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.sources.find import recognise
from aiops_lab.sources.langfuse_api import fetch
from aiops_lab.sources.server import LONGEST_WAIT, TRIES
from tests.conftest import contents
from tests.sources.langfuse_server import KEYS, Server, World, at, score, world
from tests.sources.loopback import serving

AGES = ("new", "old", "first")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    """Starts servers; the environment names the last of them."""
    with ExitStack() as stack:

        def start(world: World, age: str = "new") -> Server:
            server = stack.enter_context(serving(Server(world, age)))
            monkeypatch.setenv("LANGFUSE_BASE_URL", server.url)
            monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", KEYS[0])
            monkeypatch.setenv("LANGFUSE_SECRET_KEY", KEYS[1])
            return server

        yield start


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "aiops_lab", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def whole(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def reasons(lab: Lab) -> list[str]:
    return sorted(lab.table("quarantine")["reason"])


def test_the_published_client_accepts_what_the_loopback_serves(
    serve: Callable[..., Server],
) -> None:
    from datetime import UTC, datetime

    from langfuse.api import LangfuseAPI

    made = world()
    made.runs[0]["scores"].append(score("r1", "mean", 0.5))
    server = serve(made)
    client = LangfuseAPI(base_url=server.url, username=KEYS[0], password=KEYS[1])
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    run = client.experiments.list(from_start_time=long_ago, dataset_id="dataset-1").data[-1]
    items = client.experiments.list_items(from_start_time=long_ago, experiment_id=run.id, limit=3)
    assert run.name == "base" and items.meta.cursor
    trace = items.data[0].trace_id
    assert len(client.observations.get_many(trace_id=trace).data) == 5
    assert len(client.scores.get_many(trace_id=trace, fields="details,subject").data) == 3
    assert client.scores.get_many(experiment_id=run.id).data[0].value == 0.5
    assert client.datasets.get("support").id == "dataset-1"
    assert client.dataset_items.list(dataset_name="support", limit=5).meta.total_pages == 2
    assert client.prompts.get("support-answer", version=2).version == 2


@pytest.mark.parametrize("age", AGES)
def test_every_age_of_the_api_gives_the_same_tables(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    serve(world(), age)
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest("langfuse:support").to_dict()["quarantined"] == []
    runs = lab.runs()
    assert runs.select("run_id", "task", "model", "prompt_version", "git_commit").rows() == [
        ("run-0-base", "support", "m/answers", "support-answer:1", "c0ffee0"),
        ("run-1-cand", "support", "m/answers", "support-answer:2", "c0ffee1"),
    ]
    assert runs["tags"].to_list() == [["base"], ["cand"]]
    sample = lab.samples("@base").sort("sample_id").row(1, named=True)
    assert sample["sample_id"] == "item-0001" and sample["epoch"] == 1
    assert json.loads(sample["input"]) == {"question": "q1"}
    assert (sample["target"], sample["output"], sample["error"]) == ("t1", "answer 1", None)
    # the judge's tokens, time and cost are not the answer's
    assert (sample["tokens_in"], sample["tokens_out"], sample["tokens_judge"]) == (15, 7, 990)
    assert (sample["latency_s"], sample["cost_usd"]) == (2.0, 0.002)
    scores = lab.scores("@base").filter(pl.col("sample_id") == "item-0001").sort("metric")
    assert scores.select("metric", "value", "passed", "label", "scorer_kind").rows() == [
        ("correctness", 1.0, None, None, "code"),
        ("helpful", 0.0, False, None, "model"),
        ("tone", None, None, "dry", "human"),
    ]
    assert scores["explanation"].to_list() == ["by rule", None, None]
    assert lab.table("artefacts").sort("version").select("version", "content").rows() == [
        ("support-answer:1", "Answer 1: {{question}}"),
        ("support-answer:2", "Answer 2: {{question}}"),
    ]
    assert lab.detail("@base", "item-0001")["answer"]["id"]


@pytest.mark.parametrize("links", ["task", "root", None])
def test_a_judge_is_not_the_answer_wherever_a_run_points(
    serve: Callable[..., Server], tmp_path: Path, links: str | None
) -> None:
    made = world()
    made.links = links
    serve(made, "old")
    lab = open_lab(tmp_path / "lab")
    lab.ingest("langfuse:support/base")
    sample = lab.samples().sort("sample_id").row(1, named=True)
    assert (sample["tokens_in"], sample["tokens_judge"], sample["cost_usd"]) == (15, 990, 0.002)
    # what lasted until the judge had told is no measure of the answer
    assert (sample["latency_s"], sample["output"]) == (2.0, "answer 1")
    assert lab.runs()["model"].to_list() == ["m/answers"]


def test_digests_of_inputs_agree_between_the_ages(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    digests = []
    for age in AGES:
        serve(world(), age)
        lab = open_lab(tmp_path / age)
        lab.ingest("langfuse:support/base")
        digests.append(lab.samples().sort("sample_id")["input_digest"].to_list())
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.parametrize("age", ["new", "old"])
def test_two_runs_of_a_long_dataset_are_compared_by_the_command(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    server = serve(world(230), age)
    open_lab(tmp_path / "lab")
    done = command("ingest", "langfuse:support", "--lab", tmp_path / "lab", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["added"], told["quarantined"]) == (2, [])
    assert told["rows"]["samples"] == 460 and told["rows"]["scores"] == 3 * 460
    listing = "experiment-items" if age == "new" else "dataset-items"
    assert len({a.get("cursor", a.get("page")) for a in server.asked(listing)}) >= 3
    lab = open_lab(tmp_path / "lab")
    compared = compare_runs(lab, baseline="@base", candidate="@cand")
    row = compared.metrics.row(by_predicate=pl.col("metric") == "correctness", named=True)
    assert (row["n"], row["baseline"]) == (230, 0.5)
    assert row["difference"] == pytest.approx(29 / 230)
    assert row["low"] > 0
    again = json.loads(
        command("ingest", "langfuse:support", "--lab", tmp_path / "lab", "--json").stdout
    )
    assert (again["added"], again["skipped"]) == (0, 2)


def test_fetched_again_a_snapshot_is_the_same_byte_for_byte(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    for age in AGES:
        serve(world(), age)
        first = whole(fetch("support", tmp_path / age))
        assert len(first) == 2
        assert whole(fetch("support", tmp_path / age)) == first
        assert [path.name for path in (tmp_path / age).iterdir() if path.is_file()] != []
        assert list((tmp_path / age / ".partial").iterdir()) == []


def test_a_score_that_comes_later_replaces_what_was_read(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = world()
    serve(made)
    lab = open_lab(tmp_path / "lab")
    lab.ingest("langfuse:support")
    made.runs[0]["answers"][0]["scores"].append(score("late", "late", 0.25))
    done = lab.ingest("langfuse:support")
    assert (done.added, done.skipped) == (1, 1)
    assert lab.scores("@base").filter(pl.col("metric") == "late")["value"].to_list() == [0.25]
    assert lab.samples("@base").height == 8


def test_rate_limits_and_failures_are_waited_out(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(world(230))
    calm = whole(fetch("support", tmp_path / "calm"))
    server.faults = [
        ("experiment-items", 429, {"Retry-After": "7"}),
        ("experiment-items", 429, {"Retry-After": "86400"}),
        ("v3/scores", 500, {}),
        ("v3/scores", 503, {}),
        ("v2/observations", 502, {"Retry-After": "soon"}),
    ]
    waits: list[float] = []
    assert whole(fetch("support", tmp_path / "busy", wait=waits.append)) == calm
    assert waits == [7.0, LONGEST_WAIT, 1.0, 1.0, 2.0]


def test_a_server_that_stays_down_is_given_up_and_gone_on_with(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(world(), "old")
    traces = iter(range(100))

    def fail(path: str, asked: dict[str, str]) -> None:
        if "traces" in path and next(traces) >= 5:
            server.faults = [("traces", 503, {})]

    server.before = fail
    waits: list[float] = []
    with pytest.raises(LabError, match=r"503.*run it again to go on"):
        fetch("support", tmp_path, wait=waits.append)
    assert len(waits) == TRIES - 1 and sum(waits) < 60
    assert list(tmp_path.glob("*.jsonl")) == []
    server.before, server.faults, before = lambda path, asked: None, [], len(server.asked("traces"))
    assert len(fetch("support", tmp_path)) == 2
    assert (before, len(server.asked("traces"))) == (5, 16)


def test_a_connection_that_breaks_is_tried_again(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server = serve(world())
    monkeypatch.setenv("LANGFUSE_BASE_URL", f"http://127.0.0.1:{port}")
    waits: list[float] = []
    with pytest.raises(LabError, match="ConnectError"):
        fetch("support", tmp_path, wait=waits.append)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert server.log == []


@pytest.mark.parametrize("age", ["new", "old"])
def test_killed_half_way_it_goes_on_from_the_last_page(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    server = serve(world(120), age)
    calm = whole(fetch("support", tmp_path / "calm"))
    calm_requests, server.log = len(server.log), []
    open_lab(tmp_path / "lab")
    line = [sys.executable, "-m", "aiops_lab", "ingest", "langfuse:support", "--lab"]
    child = subprocess.Popen([*line, str(tmp_path / "lab")])

    def kill(path: str, asked: dict[str, str]) -> None:
        if len(server.log) == calm_requests * 2 // 3:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()

    server.before = kill
    assert child.wait() == -signal.SIGKILL
    assert open_lab(tmp_path / "lab").runs().height == 0
    killed_at, server.before = len(server.log), lambda path, asked: None
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest("langfuse:support").added == 2
    assert lab.samples().height == 240
    assert whole(list((tmp_path / "lab" / "fetched" / "langfuse").glob("*.jsonl"))) == calm
    # nothing that was answered is asked again, but what the server does not have
    answered = [(path, tuple(asked.items())) for path, asked, status in server.log if status == 200]
    assert len(server.log) - killed_at < calm_requests / 2
    assert len(answered) <= len(set(answered)) + 3


def test_items_that_come_and_go_between_pages_are_neither_lost_nor_doubled(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = world(230)
    server = serve(made, "old")

    def change(path: str, asked: dict[str, str]) -> None:
        if path.endswith("dataset-items") and asked["page"] == "2":
            made.items.insert(0, {"id": "new", "input": "new", "target": "new"})
            # the last item of page 1 is now the first of page 2, and one of page 2 moves to page 1
            del made.items[1:4]
            server.before = lambda path, asked: None

    server.before = change
    lab = open_lab(tmp_path / "lab")
    lab.ingest("langfuse:support/base")
    samples = lab.samples().sort("sample_id")
    assert samples["sample_id"].is_unique().all() and samples.height == 230
    # the three that were deleted meanwhile are told, all others have their target
    assert samples["target"].null_count() == 3
    assert len([r for r in reasons(lab) if "was deleted" in r]) == 3


def test_a_listing_that_never_settles_is_given_up(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = world(230)
    server = serve(made, "old")

    def change(path: str, asked: dict[str, str]) -> None:
        if path.endswith("dataset-items"):
            name = f"new-{len(server.log)}"
            made.items.insert(0, {"id": name, "input": name, "target": name})

    server.before = change
    with pytest.raises(LabError, match="keeps changing"):
        fetch("support/base", tmp_path)
    server.before = lambda path, asked: None
    assert len(fetch("support/base", tmp_path)) == 1


def test_a_server_that_filters_by_no_list_is_asked_trace_by_trace(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(world())
    calm = whole(fetch("support", tmp_path / "list"))
    assert len(server.asked("v2/observations")) == 2
    server.filters = False
    assert whole(fetch("support", tmp_path / "single")) == calm


def test_what_cannot_be_read_is_told_with_its_place_and_reason(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = world()
    answers = made.runs[0]["answers"]
    answers[0]["gone"] = True
    del made.items[1]
    del made.prompts["support-answer", 1]
    answers[2]["scores"] += [
        score("c", "output", "better", type="CORRECTION"),
        score("n", "nothing", None),
        score("o", "correctness", 0.75, at=-1),
    ]
    serve(made, "old")
    lab = open_lab(tmp_path / "lab")
    lab.ingest("langfuse:support/base")
    assert reasons(lab) == [
        "a correction is not a score; score 'output': 0",
        "a later score has that name; score 'correctness': 0.75",
        "dataset item item-0001 was deleted: no target",
        "no value; score 'nothing': None",
        "prompt support-answer:1 is not on the server",
        "trace run-0-base-t00000 is not on the server",
    ]
    assert all(place.startswith("line ") for place in lab.table("quarantine")["place"])
    samples = {row["sample_id"]: row for row in lab.samples().to_dicts()}
    assert len(samples) == 8
    assert samples["item-0000"]["error"] == "its trace is not on the server"
    assert samples["item-0001"]["output"] == "answer 1"
    assert lab.table("ingests")["runs"][0][0]["complete"] == 7
    third = lab.scores().filter(pl.col("sample_id") == "item-0002")
    assert dict(third.select("metric", "value").rows())["correctness"] == 0.0


@pytest.mark.parametrize("age", ["new", "old"])
def test_scores_of_every_kind_and_level(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    made = world(1)
    answer = made.runs[0]["answers"][0]
    answer["scores"] = [
        score("1", "on task", 0.5, of="task"),
        score("2", "on step", 0.25, of="generation", orphan=True),
        score("3", "on root", 1, of="root"),
        score("4", "mapped", "good", config="c", mapped=3, source="EVAL"),
        score("5", "grade", "4.5"),
        score("6", "note", "long and kind", type="TEXT"),
        score("7", "shared", 0.125, source="EVAL"),
        score("8", "shared", 0.875, source="ANNOTATION"),
        score("9", "again", 0.1, at=1),
        score("10", "again", 0.2, at=9, of="generation"),
        score("11", "again", 0.3, at=5),
    ]
    made.runs[0]["scores"] = [score("r1", "mean", 0.5), score("r2", "kept", True)]
    serve(made, age)
    lab = open_lab(tmp_path / "lab")
    lab.ingest("langfuse:support/base")
    found = {row["metric"]: row for row in lab.scores().to_dicts()}
    values = {metric: (row["value"], row["label"]) for metric, row in found.items()}
    assert values == {
        "on task": (0.5, None),
        "on step": (0.25, None),
        "on root": (1.0, None),
        # the newer server gives no number for a category
        "mapped": (3.0 if age == "old" else None, "good"),
        "grade": (4.5, "4.5"),
        "note": (None, "long and kind"),
        "shared": (0.125, None),
        "shared (human)": (0.875, None),
        "again": (0.3, None),
    }
    assert found["shared (human)"]["scorer_kind"] == "human"
    assert len(reasons(lab)) == 2
    assert json.loads(lab.runs()["config"][0])["recorded"] == {"mean": 0.5, "kept": 1.0}


def test_run_scores_of_other_runs_are_not_taken_from_a_server_that_ignores_the_filter(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    made = world()
    made.others = [
        {"id": f"x{i}", "name": "x", "value": 1.0, "datasetRunId": "y"} for i in range(500)
    ]
    server = serve(made, "old")
    lab = open_lab(tmp_path / "lab")
    lab.ingest("langfuse:support/base")
    assert json.loads(lab.runs()["config"][0])["recorded"] == {}
    assert len(server.asked("v2/scores")) == 1


@pytest.mark.parametrize("age", AGES)
def test_repeats_of_an_item_are_epochs_and_errors_are_errors(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    made = world(2)
    run = made.runs[0]
    run["answers"] += [made.answer(run, made.items[0], 100 + i, 1.0) for i in range(2)]
    for i, answer in enumerate(run["answers"]):
        answer["trace"] = f"{run['id']}-t{i:05d}"
    run["answers"][1] |= {"level": "ERROR", "message": "timed out", "output": None}
    serve(made, age)
    lab = open_lab(tmp_path / "lab")
    lab.ingest("langfuse:support/base")
    samples = lab.samples().sort("sample_id", "epoch")
    assert samples.select("sample_id", "epoch", "output", "error").rows() == [
        ("item-0000", 1, "answer 0", None),
        ("item-0000", 2, "answer 100", None),
        ("item-0000", 3, "answer 101", None),
        ("item-0001", 1, None, "timed out"),
    ]


def test_answers_that_share_a_trace_keep_their_own_scores(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    snapshot = tmp_path / "shared.jsonl"
    observations = [
        {"id": one, "type": "SPAN", "startTime": at(0), "endTime": at(2), "output": one}
        for one in ("a", "b")
    ]
    scores = [
        {
            "id": f"s{one}",
            "name": "right",
            "value": value,
            "dataType": "NUMERIC",
            "observationId": one,
        }
        for one, value in (("a", 0.0), ("b", 1.0))
    ]
    lines: list[dict] = [{"aiops_lab": "langfuse 1", "dataset": {"name": "d"}, "run": {"id": "r"}}]
    for one in ("a", "b"):
        link = {"id": one, "datasetItemId": f"item {one}", "traceId": "t", "observationId": one}
        trace = {"observations": observations, "scores": scores}
        lines.append({"answer": link, "item": {"input": one}, "trace": trace, "roots": ["a", "b"]})
    snapshot.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest(snapshot).quarantined.height == 0
    assert lab.scores().sort("sample_id").select("sample_id", "value").rows() == [
        ("item a", 0.0), ("item b", 1.0),
    ]  # fmt: skip
    assert lab.samples().sort("sample_id")["output"].to_list() == ["a", "b"]


HOSTILE = "../..\\..//etc/passwd\x00\n\u202e<script>alert(1)</script>%2e%2e😀 ?#&="


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("name", [HOSTILE, "..", ".", "a/b/c", "con", "ä ö"])
def test_names_and_texts_are_never_paths_or_markup(
    serve: Callable[..., Server], tmp_path: Path, age: str, name: str
) -> None:
    made = world(2)
    made.dataset = name
    made.runs[0]["name"] = made.runs[0]["answers"][0]["output"] = HOSTILE
    made.items[0] |= {"input": HOSTILE, "target": "\ud800", "metadata": {HOSTILE: HOSTILE}}
    made.prompts = {("support-answer", 1): [{"role": "system", "content": HOSTILE}]}
    made.runs[0]["answers"][0]["scores"] = [score("/../x", HOSTILE, HOSTILE, comment=HOSTILE)]
    serve(made, age)
    lab = open_lab(tmp_path / "lab")
    assert lab.ingest(f"langfuse:{name}/{HOSTILE}").to_dict()["quarantined"] == []
    assert lab.samples().sort("sample_id")["output"][0] == HOSTILE
    assert lab.scores().filter(pl.col("metric") == HOSTILE)["explanation"].to_list() == [HOSTILE]
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside == {"lab"}
    [snapshot] = (tmp_path / "lab" / "fetched" / "langfuse").glob("*.jsonl")
    assert snapshot.name.isascii() and len(snapshot.name) < 120
    found = recognise(snapshot)
    assert found and found.name == "langfuse"


def test_a_broken_line_costs_only_itself(serve: Callable[..., Server], tmp_path: Path) -> None:
    serve(world())
    lab = open_lab(tmp_path / "lab")
    [path] = fetch("support/base", tmp_path / "fetched")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"answer": 7, "roots": []}\n'
    lines[3] = lines[3][:100] + b"\n"
    lines[4] = lines[4].replace(b'"type":"SPAN"', b'"type":["SPAN"],"usageDetails":[]')
    path.write_bytes(b"".join(lines))
    lab.ingest(path)
    assert lab.samples().height in (5, 6)
    assert {f"line {n}" for n in (3, 4)} <= set(lab.table("quarantine")["place"])


def test_only_the_server_named_is_spoken_to_and_no_thread_is_left(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(world())
    spoken: set[tuple[str, int]] = set()
    connect = socket.socket.connect

    def watched(self: socket.socket, address: tuple[str, int]) -> None:
        spoken.add(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    named = [
        thread.name for thread in threading.enumerate() if "process_request" not in thread.name
    ]
    fetch("support", tmp_path)
    assert {f"http://{host}:{port}" for host, port in spoken} == {server.url}
    after = [
        thread.name for thread in threading.enumerate() if "process_request" not in thread.name
    ]
    assert after == named


def test_the_older_name_of_the_address_is_known(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(world())
    monkeypatch.delenv("LANGFUSE_BASE_URL")
    monkeypatch.setenv("LANGFUSE_HOST", server.url + "/")
    assert len(fetch("support", tmp_path)) == 2


@pytest.mark.parametrize("age", AGES)
def test_a_dataset_or_run_that_is_not_there_is_named_and_may_come_later(
    serve: Callable[..., Server], tmp_path: Path, age: str
) -> None:
    made = world(2)
    serve(made, age)
    with pytest.raises(BadSettings, match="no dataset 'suport"):
        fetch("suport\udcff", tmp_path)
    with pytest.raises(BadSettings, match=r"no run 'later' of dataset 'support'; runs: .*'base'"):
        fetch("support/later", tmp_path)
    made.add_run("later", float)
    assert len(fetch("support/later", tmp_path)) == 1
    assert len(fetch("support/run-0-base", tmp_path)) == 1


def test_keys_and_package_are_asked_for(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(world())
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-wrong")
    with pytest.raises(BadSettings, match="refuses the keys") as refused:
        fetch("support", tmp_path)
    assert "sk-wrong" not in str(refused.value)
    monkeypatch.delenv("LANGFUSE_SECRET_KEY")
    with pytest.raises(BadSettings, match="set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"):
        fetch("support", tmp_path)
    monkeypatch.setitem(sys.modules, "langfuse", None)
    with pytest.raises(LabError, match=r"pip install aiops-lab\[langfuse\]"):
        fetch("support", tmp_path)


def test_the_command_says_what_is_wrong_and_imports_nothing_before(tmp_path: Path) -> None:
    open_lab(tmp_path / "lab")
    done = command("ingest", "langfuse:support", "--lab", tmp_path / "lab")
    assert done.returncode == 2
    assert done.stderr.startswith("aiops-lab: set LANGFUSE_PUBLIC_KEY")
    assert "langfuse:DATASET" in command("ingest", "--help").stdout
    look = "import sys, aiops_lab.sources.find as f; f.sources(); print('langfuse' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.skipif(os.name == "nt", reason="a colon cannot be part of a file's name there")
def test_a_file_that_is_called_like_an_address_stays_a_file(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("langfuse:t.csv").write_text("sample_id,metric,value\n1,a,1\n")
    assert lab.ingest("langfuse:t.csv").rows["scores"] == 1
    with pytest.raises(BadSettings, match="no file or folder"):
        lab.ingest("C:support")


def test_a_fetched_folder_is_read_again_into_a_new_lab(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    serve(world())
    lab, other = open_lab(tmp_path / "lab"), open_lab(tmp_path / "other")
    lab.ingest("langfuse:support")
    other.ingest(lab.path / "fetched")
    assert contents(other) == contents(lab)
