"""A day of trying to break it: full and closed disks, other versions, odd machines, odd names."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import polars as pl
import psutil
import pytest
from deltalake import DeltaTable, write_deltalake

from aiops_lab import Lab, LabError, demo_lab, open_lab
from aiops_lab.reports.execute import execute
from aiops_lab.shipped import shipped
from aiops_lab.sources.archive import Archive
from aiops_lab.sources.rows import when
from aiops_lab.store import FORMAT, STAMP
from tests.conftest import contents, table_of, write_eval
from tests.test_cli import run


@pytest.fixture
def made(tmp_path: Path) -> Lab:
    """A lab with two runs and a policy."""
    lab = open_lab(tmp_path / "lab")
    lab.ingest(table_of({"a": [1.0, 0.0] * 30, "b": [1.0, 1.0] * 30}))
    (lab.path / "lab.toml").write_text("[gate.metrics.score]\nmargin = 0.05\n")
    return lab


def no_room() -> None:
    """Every file that the child writes is too large."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def files(folder: Path) -> list[str]:
    """What lies there, but for the tables, of which parts may be left that nobody reads."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if "tables" not in path.parts)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["ingest", "{tmp}/c.eval", "--lab", "{tmp}/lab"], "lab/tables/artefacts"),
        (["gate", "--lab", "{tmp}/lab", "--baseline", "a", "--candidate", "b"], "tables/verdicts"),
        (["export", "tables", "{tmp}/lab", "--out", "{tmp}/out"], "out/runs.parquet"),
        (["export", "tables", "{tmp}/lab", "--out", "{tmp}/out", "--format", "csv"], "runs.csv"),
        (["export", "policy", "{tmp}/lab", "--out", "{tmp}/out"], "error-budget-policy.md"),
        (["init", "{tmp}/new"], "new/lab.toml"),
        (["init", "{tmp}/lab"], ".ipynb"),
        (["demo", "{tmp}/new"], "new/lab.toml"),
        (["new", "mine", "--lab", "{tmp}/lab"], "notebooks/mine.ipynb"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_without_room_the_file_is_named_and_nothing_half_written(
    made: Lab, tmp_path: Path, arguments: list[str], named: str
) -> None:
    write_eval(tmp_path / "c.eval", "c")
    told = [text.format(tmp=tmp_path) for text in arguments]
    before, there = contents(made), files(tmp_path)
    done = run(*told, preexec_fn=no_room)
    assert done.returncode == 4
    assert f"{named} cannot be written" in done.stderr
    assert "make room and run the same command again" in done.stderr
    assert files(tmp_path) == there
    assert contents(open_lab(made.path)) == before
    assert run(*told).returncode in (0, 1, 3)


def test_a_gate_whose_summary_cannot_be_written_leaves_the_one_before(
    made: Lab, tmp_path: Path
) -> None:
    given = ["gate", "--lab", made.path, "--baseline", "a", "--candidate", "b"]
    junit = tmp_path / "gate.xml"
    assert run(*given, "--junit", junit).returncode == 0
    before = junit.read_text()
    done = run(*given, "--junit", "/dev/full")
    assert done.returncode == 4
    assert "/dev/full cannot be written: No space left on device" in done.stderr
    junit.chmod(0o444)
    assert run(*given, "--junit", junit, "--markdown", "/dev/stdout").stdout.count("##")
    assert junit.read_text().count("<testcase") == before.count("<testcase")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte, where this machine lets one be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def closed(made: Lab) -> Iterator[Lab]:
    """A lab that cannot be written to, with traffic and no key yet."""
    calls = {"at": ["2026-05-01T10:00:00Z"] * 3, "trace_id": list("abc"), "output": ["x"] * 3}
    made.ingest(pl.DataFrame(calls))
    if os.geteuid():
        for path in [made.path, *made.path.rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
        yield made
        for path in [made.path, *made.path.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        return
    bind = ["mount", "--bind", str(made.path), str(made.path)]
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("the superuser may write everywhere, and nothing can be mounted here")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(made.path)], check=True)
    yield made
    subprocess.run(["umount", str(made.path)], check=True)


def test_a_lab_that_cannot_be_written_is_read_and_says_what_else_it_needs(
    closed: Lab, tmp_path: Path
) -> None:
    lab, out = ["--lab", closed.path], ["--out", tmp_path / "out"]
    assert "2 runs" in run("status", *lab).stdout
    assert run("gate", *lab, "--baseline", "a", "--plan").returncode == 0
    keyless = run("status", *lab, "--json")
    assert keyless.returncode == 4
    assert ".redaction-key cannot be written" in keyless.stderr
    assert "or set AIOPS_LAB_REDACTION_KEY" in keyless.stderr
    keyed = {"env": {**os.environ, "AIOPS_LAB_REDACTION_KEY": "k"}}
    assert run("status", *lab, "--json", **keyed).returncode == 0
    assert run("export", "tables", closed.path, *out, **keyed).returncode == 0
    refused = {
        "tables/artefacts cannot be": ["ingest", write_eval(tmp_path / "c.eval", "c"), *lab],
        "tables/verdicts cannot be": ["gate", *lab, "--baseline", "a", "--candidate", "b"],
        "tables cannot be written, where verdicts": ["report", "ship_compare_runs", *lab, *out],
        "notebooks: ": ["new", "mine", *lab],
        "lab/out: ": ["export", "policy", closed.path, "--out", closed.path / "out"],
    }
    for told, arguments in refused.items():
        done = run(*arguments, **keyed)
        assert (done.returncode, told in done.stderr) == (4, True), done.stderr
        assert "Traceback" not in done.stderr and "AIOPS_DEBUG" not in done.stderr


@pytest.mark.slow
def test_a_disk_that_fills_at_any_point_of_an_ingest_loses_nothing(
    tmp_path: Path, small_disk: Path
) -> None:
    logs = [write_eval(tmp_path / f"{i}.eval", f"run{i}", samples=20) for i in range(3)]
    first = open_lab(tmp_path / "first")
    first.ingest(logs[0])
    whole = open_lab(tmp_path / "whole")
    whole.ingest(logs[0])
    whole.ingest(*logs)
    failed, copy, fill = 0, small_disk / "lab", small_disk / "fill"
    for room in range(0, 120, 4):
        shutil.copytree(first.path, copy)
        space = os.statvfs(small_disk)
        fill.write_bytes(b"0" * (space.f_bavail * space.f_frsize - room * 1024))
        try:
            open_lab(copy).ingest(*logs)
        except LabError as error:
            failed += 1
            assert "No space left on device; make room" in str(error)
            assert contents(open_lab(copy)) == contents(first), f"{room} KiB"
        fill.unlink()
        lab = open_lab(copy)
        lab.ingest(*logs)
        assert contents(lab) == contents(whole), f"{room} KiB"
        shutil.rmtree(copy)
    assert 5 < failed < 30


@pytest.mark.parametrize("newer", ["column", "format", "protocol"])
def test_a_lab_of_a_newer_version_is_read_where_it_only_added_and_told_else(
    made: Lab, tmp_path: Path, newer: str
) -> None:
    ingests = DeltaTable(made.path / "tables" / "ingests")
    if newer == "column":
        for table in ("ingests", "scores"):
            delta = DeltaTable(made.path / "tables" / table)
            rows = pl.DataFrame(delta.to_pyarrow_table()).with_columns(mood=pl.lit("new"))
            write_deltalake(delta, rows, mode="overwrite", schema_mode="overwrite")
    elif newer == "format":
        ingests.alter.set_table_description(f"{STAMP}{FORMAT + 1}")
    else:
        beyond = {"protocol": {"minReaderVersion": 9, "minWriterVersion": 9}}
        log = made.path / "tables" / "ingests" / "_delta_log" / f"{ingests.version() + 1:020}.json"
        log.write_text(json.dumps(beyond))
    status = run("status", "--lab", made.path, env={**os.environ, "RUST_BACKTRACE": "1"})
    added = run("ingest", write_eval(tmp_path / "c.eval", "c"), "--lab", made.path)
    if newer == "column":
        assert "2 runs" in status.stdout
        assert added.returncode == 0
        assert open_lab(made.path).scores("a")["value"].to_list() == [1.0, 0.0] * 30
        kept = DeltaTable(made.path / "tables" / "scores").to_pyarrow_table()["mood"]
        assert kept.to_pylist().count("new") == 120
        return
    told = {"format": "install the newer one", "protocol": "ingests cannot be read"}[newer]
    for done in (status, added):
        assert (done.returncode, told in done.stderr) == (4, True), done.stderr
    assert "\\n" not in status.stderr, "one sentence, no stack"


def test_a_lab_older_than_a_column_or_the_stamp_is_read(made: Lab, tmp_path: Path) -> None:
    before = contents(made)
    for table in ("runs", "samples", "ingests"):
        delta = DeltaTable(made.path / "tables" / table)
        assert delta.metadata().description == f"{STAMP}{FORMAT}"
        delta.alter.set_table_description("")
        rows = pl.DataFrame(delta.to_pyarrow_table()).drop({"runs": "tags"}.get(table, ()))
        write_deltalake(delta, rows, mode="overwrite", schema_mode="overwrite")
    assert contents(open_lab(made.path)) == before
    assert run("ingest", write_eval(tmp_path / "c.eval", "c"), "--lab", made.path).returncode == 0
    assert open_lab(made.path).runs()["run_id"].sort().to_list() == ["a", "b", "c"]


def piped(arguments: list[object], ending: str, buffered: bool = True) -> int:
    """The status of the command in a shell, with what stands after it."""
    unset = {"PYTHONUNBUFFERED": "" if buffered else "1"}
    command = shlex.join([sys.executable, "-m", "aiops_lab", *map(str, arguments)])
    shell = ["bash", "-c", f"{command} {ending}; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(
        shell, capture_output=True, text=True, check=False, env={**os.environ, **unset}
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    return done.returncode


@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_ends_first_is_no_verdict(made: Lab, buffered: bool) -> None:
    """1 would say that the gate failed."""
    gate = ["gate", "--lab", made.path, "--baseline", "a", "--candidate", "b"]
    assert piped(gate, ">/dev/null", buffered) == 0
    for asked in (gate, [*gate, "--json"], ["status", "--lab", made.path], ["--version"]):
        assert piped(asked, "| true", buffered) == 141
        assert piped(asked, ">/dev/full", buffered) == 4


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_reports_need_no_terminal_at_all(made: Lab, tmp_path: Path, closed: str) -> None:
    given = ["report", "ship_compare_runs", "--lab", made.path, "--out", tmp_path / "out"]
    assert piped(given, closed) == 0


def test_odd_terminals_and_homes_change_no_answer(made: Lab) -> None:
    gate = ["gate", "--lab", made.path, "--baseline", "a", "--candidate", "b"]
    policy = run(*gate).stdout.splitlines()[-1]
    for odd in (
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"COLUMNS": "20"},
        {"COLUMNS": "0"},
        {"TZ": "No/Where"},
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8"},
        {"HOME": "/proc"},
    ):
        done = run(*gate, env={**os.environ, **odd})
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, policy), odd


MOMENTS = {
    "2026-03-29T02:30:00+02:00": "2026-03-29 00:30",
    "2026-10-25T02:30:00": "2026-10-25 02:30",
    "2016-12-31T23:59:60Z": "2017-01-01 00:00",
    "1767225600": "2026-01-01 00:00",
    "1767225600000": "2026-01-01 00:00",
    "1767225600000000": "2026-01-01 00:00",
    "1767225600000000000": "2026-01-01 00:00",
    "20260501": "2026-05-01 00:00",
    "0001-01-01T00:00:00Z": None,
    "0001-01-01T00:00:00+14:00": None,
    "1970-01-01T00:00:00Z": None,
    "9999-12-31T23:59:59-12:00": None,
    "10000-01-01T00:00:00Z": None,
    "2026-02-30T00:00:00": None,
    "-1": None,
    "1e300": None,
}


def test_odd_times_are_read_or_told_and_stop_no_other(tmp_path: Path) -> None:
    given = list(MOMENTS)
    calls = pl.DataFrame({"at": given, "trace_id": given, "output": "x"})
    table = pl.DataFrame({"run_id": given, "started_at": given, "sample_id": "1", "value": 1.0})
    calls.write_csv(tmp_path / "calls.csv")
    table.write_csv(tmp_path / "answers.csv")
    lab = open_lab(tmp_path / "lab")
    done = lab.ingest(tmp_path / "calls.csv", tmp_path / "answers.csv")
    assert done.quarantined.height == 2 * sum(time is None for time in MOMENTS.values())
    known = {text: time for text, time in MOMENTS.items() if time}
    for frame, name, at in (
        (lab.runs(), "run_id", "started_at"),
        (lab.table("traffic"), "trace_id", "at"),
    ):
        shown = frame.select(name, pl.col(at).dt.strftime("%Y-%m-%d %H:%M"))
        assert dict(shown.iter_rows()) == known
    assert when("0001-01-01T00:00:00+14:00") is None


@pytest.mark.slow
def test_what_a_cell_started_ends_with_the_kernel_that_died(tmp_path: Path) -> None:
    cell = (
        "import os, pathlib, subprocess; child = subprocess.Popen(['sleep', '300']);"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid)); os._exit(3)"
    )
    source = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    _, error = execute(source, {}, folder=str(tmp_path), env=dict(os.environ), time_limit=60)
    assert error is not None and error.startswith("DeadKernel")
    pid = int((tmp_path / "pid").read_text())
    gone = [psutil.Process(pid)] if psutil.pid_exists(pid) else []
    assert psutil.wait_procs(gone, 10)[1] == []


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("s3://bucket/lab", 4, "is an address, and a lab is a folder"),
        ("file:///lab", 4, "is an address, and a lab is a folder"),
        ("none@12", 2, "there is no lab in 'none' to be seen at version 12"),
    ],
)
def test_what_is_no_folder_is_refused_and_makes_none(
    tmp_path: Path, name: str, status: int, told: str
) -> None:
    for arguments in (["init", name], ["demo", name]):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, told in done.stderr) == (status, True), done.stderr
    assert run("status", "--lab", name, cwd=tmp_path).returncode == status
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(LabError):
        open_lab(name)


ODD = ("with space", 'it\'s "so"', "new\nline", "-p", "100%", "%41", "😀", "\u202egnp", "a[b]", "*")


def test_odd_names_of_files_are_read_and_what_is_no_file_does_not_hang(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in (*ODD, "\udcff", "Case", "case", "x" * 250):
        write_eval(logs / f"{name}.eval", name.encode("utf-8", "replace").hex()[:60], samples=1)
    os.mkfifo(logs / "pipe.eval")
    (logs / "folder.csv").mkdir()
    for name, target in (("loop", "."), ("self.eval", "self.eval"), ("zero.jsonl", "/dev/zero")):
        (logs / name).symlink_to(target)
    open_lab(tmp_path / "lab")
    done = run("ingest", logs, "--lab", tmp_path / "lab", "--json", timeout=120)
    answer = json.loads(done.stdout)
    assert (answer["added"], answer["quarantined"]) == (
        len({*ODD, "\udcff", "Case", "case", "x"}),
        [],
    )
    for name in ("pipe.eval", "self.eval", "zero.jsonl"):
        assert run("ingest", logs / name, "--lab", tmp_path / "lab", timeout=120).returncode == 2


def test_one_of_two_demos_at_once_simulates(tmp_path: Path, monkeypatch) -> None:
    """The other waits, or would write files anew that the first is reading."""
    made = []

    def simulated(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        place = Path(command[2])
        made.append(place.name)
        time.sleep(0.2)
        place.mkdir()
        for name in ("changes.csv", "training.csv", "decisions.csv", "truth.json"):
            (place / name).write_text("run_id,sample_id,value\na,1,1\n")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("aiops_lab.lab.subprocess.run", simulated)
    with ThreadPoolExecutor(2) as pool:
        labs = list(pool.map(demo_lab, [tmp_path / "demo"] * 2))
    assert sorted(made) == ["payments", "traffic"]
    assert labs[0].runs().height == labs[1].runs().height > 5


def test_threads_may_read_archives_at_once() -> None:
    """zstandard's contexts are no threads' common good: shared, they ended the process."""
    log = min(shipped("logs").rglob("*.eval"))

    def read(_: int) -> list[bytes]:
        with Archive(log) as archive:
            return [archive.read(name) for name in archive.names]

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(read, range(40))
    assert all(other == first for other in others)


def test_a_demo_that_cannot_be_simulated_says_why(tmp_path: Path, monkeypatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "Traceback ...\nOSError: No space left")
    monkeypatch.setattr("aiops_lab.lab.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(LabError, match=r"traffic of the demo lab could not .* No space left"):
        demo_lab(tmp_path / "demo")
    assert (tmp_path / "demo" / "lab.toml").read_text().count("[gate.metrics")


def test_a_command_to_be_copied_is_quoted_for_a_shell(tmp_path: Path) -> None:
    place = tmp_path / "my $(lab)"
    told = run("init", place).stdout.splitlines()[-1].removeprefix("Next: ")
    assert shlex.split(told)[-1] == str(place)
    asked = run("status", "--lab", tmp_path / "no lab").stderr
    assert shlex.split(asked.partition("make one: ")[2])[-1] == str(tmp_path / "no lab")
