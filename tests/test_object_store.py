"""A lab whose tables are in S3 is the lab that it would be in its folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiops_lab import Lab, LabError, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.shipped import shipped
from aiops_lab.verdict import Verdict
from tests.conftest import contents, write_eval
from tests.s3_server import Bucket, s3
from tests.test_cli import run

POLICY = "[gate.metrics.correct]\nmargin = 0.1\n"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket that the environment leads to."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with s3() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


def lab_at(folder: Path, uri: str = "s3://labs/answers") -> Lab:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab.toml").write_text(f'{POLICY}[store]\nuri = "{uri}"\n')
    return open_lab(folder)


def logs_at(folder: Path, count: int = 6) -> list[Path]:
    folder.mkdir()
    return [write_eval(folder / f"{i}.eval", f"run{i}", samples=20 + i) for i in range(count)]


def test_it_holds_what_a_lab_in_a_folder_holds(bucket: Bucket, tmp_path: Path) -> None:
    own, other = open_lab(tmp_path / "own"), lab_at(tmp_path / "other", "s3://labs/a_1/b.c/")
    for lab in (own, other):
        done = lab.ingest(shipped("logs"))
        assert (done.added, lab.ingest(shipped("logs")).added) == (8, 0)
    assert contents(other) == contents(own)
    assert all(key.startswith("a_1/b.c/") for key in bucket.names())
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == ["lab.toml"]
    assert other.at(0).runs().height == 0 and other.version == other.at(1).version == 1
    other.record("nightly", Verdict("ok", "As before."), {})
    assert other.table("verdicts")["headline"].to_list() == ["As before."]
    assert other.sweep() == 0


def test_a_folder_of_tables_can_be_copied_there(bucket: Bucket, tmp_path: Path) -> None:
    lab = open_lab(tmp_path / "lab")
    lab.ingest(*logs_at(tmp_path / "logs", 2))
    before = contents(lab)
    for path in (tmp_path / "lab" / "tables").rglob("*.*"):
        key = path.relative_to(tmp_path / "lab" / "tables").as_posix()
        bucket.put(f"answers/{key}", path.read_bytes())
    assert contents(lab_at(tmp_path / "lab")) == before


def test_of_a_lost_answer_and_a_refused_put_nothing_is_lost_or_doubled(
    bucket: Bucket, tmp_path: Path
) -> None:
    logs = [*logs_at(tmp_path / "logs"), shipped("logs")]
    bucket.trouble(refused=0.15, lost=0.15)
    lab = lab_at(tmp_path / "lab")
    for log in logs:
        while True:
            try:
                lab.ingest(log)
            except LabError as error:  # one put failed as often as puts are tried
                assert "cannot be" in str(error)
            else:
                break
    seen = bucket.trouble()
    assert seen["refused"] > 3 and seen["lost"] > 3
    whole = open_lab(tmp_path / "whole")
    whole.ingest(*logs)
    assert contents(lab) == contents(whole)
    for table in ("samples", "scores", "ingests"):
        assert not lab._store.appended(table).collect().is_duplicated().any()


def test_what_is_appended_once_is_there_once(bucket: Bucket, tmp_path: Path) -> None:
    """Also where the answer to the commit itself is lost."""
    lab = lab_at(tmp_path / "lab")
    lab.record("nightly", Verdict("ok", "One."), {})
    bucket.trouble(commits=True)
    lab.record("nightly", Verdict("ok", "Two."), {})
    lab.ingest(*logs_at(tmp_path / "logs", 1))
    assert lab.table("verdicts")["headline"].sort().to_list() == ["One.", "Two."]
    assert lab.sources().height == lab.runs().height == 1
    assert lab.table("samples").height == lab._store.appended("samples").collect().height == 20
    assert bucket.trouble()["lost"] > 4


CHILD = """
import sys
from aiops_lab import open_lab
lab = open_lab(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for path in sys.argv[2:]:
    lab.ingest(path)
"""


def start(lab: Path, *paths: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(lab), *map(str, paths)]
    child = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True)
    assert child.stdout and child.stdout.readline() == "ready\n"
    return child


@pytest.mark.slow
def test_two_processes_at_once_and_twelve_kills(bucket: Bucket, tmp_path: Path) -> None:
    logs = logs_at(tmp_path / "logs")
    whole = open_lab(tmp_path / "whole")
    whole.ingest(*logs)
    for at in range(1, 25, 2):  # so many puts, not seconds: a slow machine is killed at work too
        lab = lab_at(tmp_path / "lab", f"s3://labs/killed-{at}")
        child = start(tmp_path / "lab", *logs)
        bucket.trouble(kill=child.pid, at=at)
        child.communicate("\n")
        assert child.returncode == -signal.SIGKILL
        lab.ingest(*logs)
        assert contents(lab) == contents(whole)
    bucket.trouble()
    lab_at(tmp_path / "lab")
    both = [start(tmp_path / "lab", *order) for order in (logs, logs[::-1])]
    for child in both:
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
    for child in both:
        assert child.communicate()[1] == "" and child.returncode == 0
    assert contents(open_lab(tmp_path / "lab")) == contents(whole)


@pytest.mark.slow
def test_reports_and_gates_work_on_it(bucket: Bucket, tmp_path: Path) -> None:
    lab_at(tmp_path / "lab").ingest(shipped("logs"))
    places = ("--lab", tmp_path / "lab", "--json")
    done = run("report", "ship_compare_runs", *places, "--out", tmp_path / "pages")
    assert done.returncode == 0, done.stderr
    assert "s3://" not in (tmp_path / "pages" / "latest" / "ship_compare_runs.html").read_text()
    assert json.loads(done.stdout)
    done = run("gate", *places, "--baseline", "latest~1", "--candidate", "latest")
    assert json.loads(done.stdout)["verdict"]["status"] == "ok", done.stdout


@pytest.mark.parametrize(
    ("environment", "uri", "told"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "s3://labs/a", "does not answer"),
        ({"AWS_ACCESS_KEY_ID": "WRONG"}, "s3://labs/a", "access is denied"),
        ({"AWS_ALLOW_HTTP": "false"}, "s3://labs/a", "AWS_ALLOW_HTTP=true"),
        ({}, "s3://other/a", "no such bucket"),
    ],
)
def test_what_does_not_work_is_said_in_a_sentence(
    bucket: Bucket, tmp_path: Path, monkeypatch, environment: dict[str, str], uri: str, told: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    lab = lab_at(tmp_path / "lab", uri)
    for ask in (lab.runs, lambda: lab.ingest(*logs_at(tmp_path / "logs", 1))):
        with pytest.raises(LabError, match=told) as raised:
            ask()
        assert str(raised.value).startswith(f"{uri}/ingests cannot be read: ")
        assert "\n" not in str(raised.value) and "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    "uri",
    ["gs://labs/a", "s3://labs/../a", "s3://me:secret@labs/a", "s3://labs/a b", "s3://labs//a",
     "s3://labs/a%2e", "/srv/tables", "s3://", "s3://labs/a?x=1", "s3://labs/a\\n"],
)  # fmt: skip
def test_other_addresses_are_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(BadSettings, match="an address such as"):
        lab_at(tmp_path / "lab", uri)


def test_another_engine_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    lab = lab_at(tmp_path / "lab")
    with pytest.raises(BadSettings, match="which duckdb cannot read: use polars"):
        lab.relation("samples", "duckdb")
    assert lab.relation("samples").collect().height == 0


def test_settings_that_cannot_be_read_leave_no_doubt_where_tables_are(tmp_path: Path) -> None:
    """Of a file that is no TOML nobody knows; a fault elsewhere is told where it matters."""
    (tmp_path / "lab.toml").write_text('[store]\nuri = "s3://labs/a"\n[broken')
    with pytest.raises(BadSettings, match=r"lab\.toml is not valid TOML"):
        open_lab(tmp_path)
    (tmp_path / "lab.toml").unlink()
    os.mkfifo(tmp_path / "lab.toml")
    with pytest.raises(BadSettings, match="is no file"):
        open_lab(tmp_path)
