"""A lab: ingest once, see it as of any version, name its runs."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from aiops_lab import Lab, LabError, demo_lab, open_lab, store
from aiops_lab.errors import BadSettings, UnknownRun
from aiops_lab.store import Store
from aiops_lab.tables import KEYS, SCHEMAS
from tests.conftest import DATA, contents, table_of, write_eval


def test_a_new_lab_is_empty_and_has_commented_settings(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "new")
    assert lab.version == 0
    assert lab.runs().height == 0
    assert "[columns]" in (tmp_path / "new" / "lab.toml").read_text()
    assert lab.settings.columns == {}


def test_the_template_of_the_settings_is_valid_when_uncommented(tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "new")
    path = tmp_path / "new" / "lab.toml"
    text = path.read_text()
    path.write_text("\n".join(re.findall(r"^# (\[.*|\w+ = .*)", text, re.MULTILINE)))
    assert lab.settings.prices["openai/gpt-4o"].input == 2.5


@pytest.mark.parametrize("after", range(1, 5))
@pytest.mark.parametrize("reading", ["ingest", "samples"])
def test_what_another_process_ingests_while_tables_are_read_is_seen_whole_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: str, after: int
) -> None:
    lab = open_lab(tmp_path / "lab")
    part = write_eval(tmp_path / "part.eval", "a", samples=3, journal_only=True)
    whole = write_eval(tmp_path / "whole.eval", "a", samples=5)
    other = write_eval(tmp_path / "other.eval", "b", samples=4)
    lab.ingest(part)
    opened, reads = Store._delta, 0

    def between(store: Store, table: str) -> DeltaTable | None:
        nonlocal reads
        reads += 1
        delta = opened(store, table)
        if reads == after:
            open_lab(tmp_path / "lab").ingest(whole, other)
        return delta

    monkeypatch.setattr(Store, "_delta", between)
    if reading == "ingest":
        assert lab.ingest(part).superseded["superseded_by"].to_list() in ([], [whole.as_uri()])
    else:
        samples = dict(lab.samples().group_by("run_id").len().iter_rows())
        assert samples in ({"a": 3}, {"a": 5, "b": 4})


@pytest.mark.parametrize("name", ["my lab", "Prüfung 日本", "a#b", "50%", "what?", "-x", "c:d"])
def test_a_lab_may_be_called_anything_usual(tmp_path: Path, name: str) -> None:
    lab = open_lab(tmp_path / name)
    lab.ingest(table_of({"a": [1.0]}))
    lab.ingest(write_eval(tmp_path / "b c.eval", "b"))
    assert open_lab(tmp_path / name).runs().height == 2


@pytest.mark.parametrize("name", ["a[1]", "a%20b", "a\nb", "a\udcffb"])
def test_a_lab_that_cannot_be_stored_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match="avoid"):
        open_lab(tmp_path / name)


def test_ingest_twice_adds_nothing(lab: Lab, tmp_path: Path) -> None:
    path = write_eval(tmp_path / "a.eval", "run")
    copy = tmp_path / "copy of a.eval"
    copy.write_bytes(path.read_bytes())
    first = lab.ingest(path)
    before = contents(lab)
    again = lab.ingest(path, copy)
    assert (first.added, first.skipped) == (1, 0)
    assert (again.added, again.skipped) == (0, 2)
    assert lab.version == 1
    assert contents(lab) == before


def test_every_table_keeps_its_key_and_schema(demo: Lab) -> None:
    for name, schema in SCHEMAS.items():
        frame = demo.table(name)
        assert dict(frame.schema).items() >= dict(schema).items(), name
        assert frame.select(pl.struct(KEYS[name]).is_unique().all()).item(), name


def test_a_lab_can_be_seen_as_it_was(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(write_eval(tmp_path / "a.eval", "a"))
    lab.ingest(write_eval(tmp_path / "b.eval", "b"))
    assert lab.at(1).runs()["run_id"].to_list() == ["a"]
    assert lab.at(0).runs().height == 0
    assert sorted(lab.at(2).runs()["run_id"]) == ["a", "b"]
    with pytest.raises(LabError, match="versions 0 to 2, not 3"):
        lab.at(3)
    with pytest.raises(LabError, match="as it was"):
        lab.at(1).ingest(tmp_path / "b.eval")


def test_the_most_complete_file_of_a_run_is_shown_in_any_order(tmp_path: Path) -> None:
    part = write_eval(tmp_path / "part.eval", "run", samples=3, journal_only=True)
    whole = write_eval(tmp_path / "whole.eval", "run", samples=5)
    shown = []
    for order in ([part, whole], [whole, part]):
        lab = open_lab(tmp_path / f"lab{len(shown)}")
        for path in order:
            done = lab.ingest(path)
        shown.append(contents(lab))
        assert lab.samples("run").height == 5
        assert lab.runs()["status"].to_list() == ["success"]
        assert lab.table("ingests")["superseded_by"].count() == 1
    assert done.superseded["path"].to_list() == [str(part)]
    assert shown[0] == shown[1]


def test_an_unreadable_file_is_listed_and_tried_again_by_a_newer_reader(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from aiops_lab.sources import find

    path = tmp_path / "a.eval"
    whole = write_eval(tmp_path / "whole.eval", "run").read_bytes()
    path.write_bytes(whole[:700])
    done = lab.ingest(path)
    assert (done.added, done.quarantined.height) == (1, 1)
    assert lab.ingest(path).skipped == 1
    newer = {
        name: replace(source, version=source.version + 1) for name, source in find.sources().items()
    }
    monkeypatch.setattr(find, "sources", lambda: newer)
    assert lab.ingest(path).added == 1
    assert lab.table("ingests").height == 1
    assert lab.table("quarantine").height == 1


def test_a_file_of_no_known_format_is_quarantined(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "picture.bin"
    path.write_bytes(b"\x00\x01\x02")
    done = lab.ingest(path)
    assert "no reader knows this format" in done.quarantined["reason"][0]


def test_a_folder_is_walked_without_hidden_folders_and_other_labs(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "deep" / "er").mkdir(parents=True)
    (logs / ".hidden").mkdir()
    write_eval(logs / "deep" / "er" / "a.eval", "a")
    write_eval(logs / ".hidden" / "b.eval", "b")
    (logs / "notes.md").write_text("nothing to read")
    open_lab(logs / "other").ingest(table_of({"c": [1.0]}))
    lab = open_lab(tmp_path / "lab")
    done = lab.ingest(logs)
    assert lab.runs()["run_id"].to_list() == ["a"]
    assert done.quarantined.height == 0


def test_runs_have_names(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(
        pl.DataFrame(
            {
                "run_id": ["old", "new", "newer", "odd"],
                "sample_id": ["1"] * 4,
                "value": [1.0] * 4,
                "task": ["t", "t", "t", "u"],
                "tags": ["prod", "prod", "", ""],
                "started_at": [f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3, 4)],
            }
        )
    )
    assert lab.find_run("old") == "old"
    assert lab.find_run("ol") == "old"
    assert lab.find_run("new") == "new", "an id is not a prefix"
    assert lab.find_run("@prod") == "new"
    assert lab.find_run("latest") == "odd"
    assert lab.find_run("latest", task="t") == "newer"
    assert lab.find_run("latest~2", task="t") == "old"
    for name in ("latest~1", "@none", "zzz", ""):
        with pytest.raises(UnknownRun):
            lab.find_run(name)
    with pytest.raises(UnknownRun, match="several runs start with 'n': new and newer"):
        lab.find_run("n")


def test_relative_names_pass_over_attacks(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(UnknownRun):
        lab.find_run("latest")
    report = Path(__file__).parent / "data" / "garak-0.17.1" / "repeat.report.jsonl"
    lab.ingest(report)
    (attack,) = lab.runs()["run_id"]
    assert lab.find_run(attack) == lab.find_run(attack[:8]) == attack
    with pytest.raises(UnknownRun, match=attack):
        lab.find_run("latest")
    rows = {"run_id": ["old", "new"], "sample_id": ["1"] * 2, "value": [1.0] * 2}
    rows["started_at"] = ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"]
    lab.ingest(pl.DataFrame(rows))
    assert lab.runs()["run_id"][-1] == attack, "the attack is the newest of all"
    assert (lab.find_run("latest"), lab.find_run("latest~1")) == ("new", "old")
    assert lab.find_run(attack) == attack


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[colums]\nvalue = 'x'", "did you mean 'columns'"),
        ("[prices.m]\ninputs = 1\noutput = 2", "did you mean 'input'"),
        ("[prices.m]\ninput = 'x'\noutput = 2", "Expected `float`"),
        ("[directions]\nacc = 'up'", "higher"),
        ("columns = [", "not valid TOML"),
    ],
)
def test_settings_are_refused_with_the_nearest_key(lab: Lab, text: str, message: str) -> None:
    (lab.path / "lab.toml").write_text(text)
    with pytest.raises(BadSettings, match=message):
        _ = lab.settings


def test_leftovers_are_never_seen_and_are_swept_when_old(lab: Lab, tmp_path: Path) -> None:
    lab.ingest(write_eval(tmp_path / "a.eval", "a"))
    rows = lab.samples().with_columns(attempt=pl.lit("20200101T000000-1-abc"))
    lab._store.append("samples", rows)
    fresh = rows.with_columns(attempt=pl.lit("29990101T000000-1-abc"))
    lab._store.append("samples", fresh)
    assert lab.samples().height == 5
    assert lab.sweep() == 5
    assert lab.sweep() == 0
    assert lab.samples().height == 5
    assert lab._store.sweep(timedelta(days=-999_999)) == 5


def test_what_is_no_path_and_no_frame_is_refused(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="give a path or a data frame"):
        lab.ingest({"a": 1})
    with pytest.raises(LabError, match="there is no file or folder"):
        lab.ingest(tmp_path / "missing")
    with pytest.raises(LabError, match="no format 'x'"):
        lab.ingest(write_eval(tmp_path / "a.eval", "a"), format="x")
    with pytest.raises(LabError, match="is a file; a lab is a folder"):
        open_lab(tmp_path / "a.eval")
    with pytest.raises(LabError, match="no table 'sample'"):
        lab.table("sample")


@pytest.mark.parametrize(
    ("file", "holds"),
    [
        ("inspect-0.3.285/full.eval", "events"),
        ("inspect-0.3.60/pair.json", "events"),
        ("promptfoo-0.123.1/repeat.json", "gradingResult"),
        ("promptfoo-0.123.1/repeat.jsonl", "gradingResult"),
        ("lmeval-0.4.9.1", "resps"),
    ],
)
def test_the_whole_of_an_answer_is_opened_when_asked_for(
    lab: Lab, tmp_path: Path, file: str, holds: str
) -> None:
    there = tmp_path / "there" / "source"
    there.parent.mkdir()
    if (DATA / file).is_dir():
        shutil.copytree(DATA / file, there)
    else:
        there = there.with_suffix((DATA / file).suffix)
        shutil.copy(DATA / file, there)
    lab.ingest(there)
    for run, sample, epoch in lab.samples().select("run_id", "sample_id", "epoch").rows()[::7]:
        assert holds in lab.detail(run, sample, epoch)
    shutil.rmtree(there.parent)
    run, sample = lab.samples().select("run_id", "sample_id").row(0)
    found = lab.detail(run, sample)
    assert "is gone; this is all there is" in found["note"]
    assert found["sample_id"] == sample
    with pytest.raises(LabError, match="no answer to 'nothing', epoch 1"):
        lab.detail(run, "nothing")


def test_the_demo_lab_holds_all_four_tools(demo: Lab) -> None:
    runs = demo.runs()
    assert set(runs["source"]) == {"inspect", "promptfoo", "lm_eval", "garak"}
    assert demo.table("quarantine").height == 0
    assert runs["source"][-1] == "garak"
    newest = [demo.find_run(name) for name in ("latest~1", "latest")]
    assert runs.filter(task="support_answers")["run_id"].to_list() == newest


def test_the_demo_lab_is_where_a_lab_without_a_path_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("AIOPS_LAB", raising=False)
    assert open_lab("").path == demo_lab().path == tmp_path / "aiops-lab" / "demo"
    monkeypatch.setenv("AIOPS_LAB", str(tmp_path / "mine"))
    assert open_lab().path == tmp_path / "mine"


def test_a_file_that_was_corrected_replaces_what_it_said(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "nightly.csv"
    for value in range(8):
        path.write_text(f"sample_id,metric,value\n1,acc,{value}\n2,acc,{value}\n")
        lab.ingest(path)
        assert lab.scores()["value"].unique().to_list() == [value]
    path.write_text("sample_id,metric,value\n1,acc,9\n")
    lab.ingest(path)
    assert lab.scores()["value"].to_list() == [9]


def test_a_new_mapping_replaces_what_the_old_one_gave(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("run_id,sample_id,acc\na,1,1\na,2,0\n")
    for columns in ({}, {"value": "acc"}, {"value": ["acc"], "metric": "=accuracy"}):
        lab.ingest(path, columns=columns)
    assert lab.scores("a")["metric"].to_list() == ["accuracy", "accuracy"]


def test_tables_that_name_their_run_add_up(lab: Lab, tmp_path: Path) -> None:
    """Shards of one run, and files that each hold one of its scores."""
    one = table_of({"r": [1.0, 0.0]}, "acc").with_columns(input=pl.lit("asked"))
    two = table_of({"r": [0.5, 0.25]}, "tone")
    more = table_of({"r": [0.0, 0.0, 1.0]}, "acc").tail(1)
    for frame in (one, two, more):
        lab.ingest(frame)
    assert lab.samples("r").height == 3
    assert sorted(lab.scores("r")["metric"]) == ["acc", "acc", "acc", "tone", "tone"]
    assert lab.samples("r")["input"].count() == 2
    assert lab.table("ingests")["superseded_by"].count() == 0
    assert lab.runs().height == 1


def test_latest_follows_the_order_of_the_file(lab: Lab) -> None:
    lab.ingest(table_of({f"run-{i}": [1.0] for i in range(8, 13)}))
    assert lab.find_run("latest") == "run-12"
    assert lab.find_run("latest~3") == "run-9"


def test_a_file_that_cannot_be_opened_stops_no_other(lab: Lab, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "bad.json").symlink_to("/proc/self/mem")
    write_eval(logs / "good.eval", "good")
    done = lab.ingest(logs)
    assert lab.runs()["run_id"].to_list() == ["good"]
    assert "cannot be opened" in done.quarantined["reason"][0]


def test_a_column_of_bytes_stops_no_ingest(lab: Lab) -> None:
    lab.ingest(table_of({"a": [1.0]}).with_columns(picture=pl.lit(b"\x00\xff")))
    assert lab.scores("a").height == 1


def test_many_ingests_are_put_in_one_file_and_all_versions_stay(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "COMPACT", 3)
    for number in range(7):
        lab.ingest(table_of({f"run{number}": [1.0, 0.0]}))
    assert set(lab.runs()["run_id"]) == {f"run{number}" for number in range(7)}
    assert len(lab._store.files("ingests")) < 7
    counts = [lab.at(version).runs().height for version in range(lab.version + 1)]
    assert counts == sorted(counts) and set(counts) == set(range(8))
