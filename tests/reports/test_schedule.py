"""What is due runs once: whoever asks, however often, and whatever is killed."""

from __future__ import annotations

import http.server
import json
import random
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import psutil
import pytest

from aiops_lab import Lab, LabError
from aiops_lab.errors import BadSettings
from aiops_lab.reports.notify import Undelivered
from aiops_lab.reports.schedule import due, run_due
from aiops_lab.reports.site import write_index
from aiops_lab.settings import ReportRule, settings_of
from tests.conftest import table_of

NOW = datetime(2026, 5, 12, 10, tzinfo=UTC)
DAILY = ReportRule("nightly", "own", "0 6 * * *")


def at(day: int, hour: int = 6, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=UTC)


def test_of_a_report_that_never_ran_only_the_last_is_due() -> None:
    assert [each.at for each in due(DAILY, [], NOW)] == [at(12)]
    yearly = ReportRule("r", "own", "0 0 29 2 *")
    assert [each.at for each in due(yearly, [], NOW)] == [datetime(2024, 2, 29, tzinfo=UTC)]


def test_missed_runs_are_made_up_the_oldest_first() -> None:
    found = due(DAILY, [at(8)], NOW)
    assert [each.at for each in found] == [at(9), at(10), at(11), at(12)]
    assert found[0].until == at(10), "it sees what came before the next was due"
    assert found[-1].until == at(13)
    assert due(DAILY, [at(12)], NOW) == []


def test_a_clock_that_was_wrong_changes_nothing() -> None:
    done = [at(10), at(11), datetime(2031, 1, 1, 6, tzinfo=UTC)]
    assert [each.at for each in due(DAILY, done, NOW)] == [at(12)]
    assert due(DAILY, [at(11), at(12)], at(11, 8)) == [], "set back, nothing runs again"


def test_where_clocks_change_a_lost_hour_runs_after_it_and_a_doubled_one_once() -> None:
    rule = ReportRule("r", "own", "30 2 * * *", timezone="Europe/Berlin")
    spring = [each.at for each in due(rule, [datetime(2026, 3, 28, 1, 30, tzinfo=UTC)],
                                      datetime(2026, 3, 30, 12, tzinfo=UTC))]  # fmt: skip
    assert [f"{time:%d %H:%M}" for time in spring] == ["29 01:00", "30 00:30"]
    autumn = [each.at for each in due(rule, [datetime(2026, 10, 24, 0, 30, tzinfo=UTC)],
                                      datetime(2026, 10, 26, 12, tzinfo=UTC))]  # fmt: skip
    assert [f"{time:%d %H:%M}" for time in autumn] == ["25 00:30", "26 01:30"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('cron = "61 * * * *"', "nightly"),
        ('cron = "0 6 * * *"\ntimezone = "Nowhere/Here"', "Nowhere"),
        ('cron = "0 6 * * *"\nkeep = "long"', "N days"),
        ('cron = "0 6 * * *"\ncorn = 1', "did you mean 'cron'"),
        ('cron = "0 6 * * *"\nkeep = 0', "keep"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(line: str, told: str) -> None:
    with pytest.raises(BadSettings, match=told):
        settings_of(f'[[reports]]\nname = "nightly"\nnotebook = "own"\n{line}')
    with pytest.raises(BadSettings, match="no name"):
        settings_of('[[reports]]\nname = "../x"\nnotebook = "own"\ncron = "0 6 * * *"')


VERDICT = """
import json, pathlib
from aiops_lab import Verdict, open_lab
held = open_lab()
status = json.loads(pathlib.Path(held.path, "says.json").read_text()).get(as_of[:10], "ok")
Verdict(status, f"{as_of}: {held.runs().height} runs.")
"""


@pytest.fixture
def scheduled(lab: Lab) -> Lab:
    """A lab with a report due every hour, whose verdict on a day is what a file says."""
    parameters = nbformat.v4.new_code_cell('as_of: str = ""', metadata={"tags": ["parameters"]})
    cells = [parameters, nbformat.v4.new_code_cell(VERDICT)]
    (lab.path / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lab.path / "notebooks" / "own.ipynb")
    (lab.path / "says.json").write_text("{}")
    rule = '[[reports]]\nname = "hourly"\nnotebook = "own"\ncron = "0 * * * *"\nkeep = 1000\n'
    (lab.path / "lab.toml").write_text(rule)
    lab.ingest(table_of({"a": [1.0]}))
    return lab


@pytest.mark.slow
def test_a_missed_run_sees_the_lab_as_it_was_and_knows_its_time(
    scheduled: Lab, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(minute=30)
    (first,) = run_due(scheduled, tmp_path, now=now)
    scheduled.ingest(table_of({"b": [1.0]}))
    made = run_due(scheduled, tmp_path, now=now + timedelta(hours=2))
    assert [report.as_of - first.as_of for report in made] == [
        timedelta(hours=1), timedelta(hours=2)
    ]  # fmt: skip
    headlines = [str(report.verdict) for report in [first, *made]]
    assert [text.split()[-2] for text in headlines] == ["1", "2", "2"]
    assert all(
        f"{r.as_of:%Y-%m-%dT%H:00}" in t for r, t in zip([first, *made], headlines, strict=True)
    )
    assert run_due(scheduled, tmp_path, now=now + timedelta(hours=2)) == []


@pytest.mark.slow
def test_a_report_that_fails_is_done_and_the_others_still_run(
    scheduled: Lab, tmp_path: Path
) -> None:
    text = (scheduled.path / "lab.toml").read_text()
    other = text.replace("hourly", "other") + 'parameters = { as_of = "2026-05-12" }\n'
    (scheduled.path / "lab.toml").write_text(text + other)
    (scheduled.path / "says.json").write_text('{"2026-05-12": "no such status"}')
    now = datetime.now(UTC)
    made = {report.name: report for report in run_due(scheduled, tmp_path, now=now)}
    assert made["hourly"].error is None
    assert "a verdict is one of" in str(made["other"].error)
    assert "could not be computed" in made["other"].page.read_text()
    assert run_due(scheduled, tmp_path, now=now) == []


@pytest.fixture
def channel():
    """A server on loopback that keeps what it is told; yields an address and the messages."""
    told: list[dict] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}", told
    server.shutdown()


@pytest.mark.slow
def test_people_are_told_once_when_it_gets_worse_and_once_when_it_recovers(
    scheduled: Lab, tmp_path: Path, channel, monkeypatch
) -> None:
    address, told = channel
    monkeypatch.setenv("TEAM_CHANNEL", address)
    text = (scheduled.path / "lab.toml").read_text().replace("0 * * * *", "0 6 * * *")
    (scheduled.path / "lab.toml").write_text(text + 'tell = ["$TEAM_CHANNEL"]\n')
    start = datetime.now(UTC).replace(hour=7)
    statuses = ["ok", "warn", "warn", "fail", "warn", "ok", "ok"]
    days = [start + timedelta(days=i) for i in range(len(statuses))]
    says = {f"{day:%Y-%m-%d}": status for day, status in zip(days, statuses, strict=True)}
    (scheduled.path / "says.json").write_text(json.dumps(says))
    for day in days:
        run_due(scheduled, tmp_path, now=day)
        run_due(scheduled, tmp_path, now=day)
    assert [message["title"] for message in told] == [
        "▲ hourly: warn, was ok", "■ hourly: fail, was warn", "● hourly: ok, was warn"
    ]  # fmt: skip
    assert "latest/hourly.html" in told[0]["message"]


@pytest.mark.slow
def test_the_command_runs_what_is_due_and_then_says_what_comes_next(
    scheduled: Lab, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(minute=30)
    command = [
        sys.executable, "-m", "aiops_lab", "report", "--due", "--lab", str(scheduled.path),
        "--out", str(tmp_path / "out"), "--now", f"{now:%Y-%m-%dT%H:%M}",
    ]  # fmt: skip
    first, second, third = (
        subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout
        for more in ([], [], ["--json"])
    )
    assert "latest/hourly.html: ● ok" in first
    assert "hourly: nothing to run, next" in second
    assert json.loads(third)["reports"] == []
    assert "hourly" in (tmp_path / "out" / "index.html").read_text()


def test_an_address_nobody_knows_is_refused_before_anything_runs(
    scheduled: Lab, tmp_path: Path
) -> None:
    with (scheduled.path / "lab.toml").open("a") as file:
        file.write('tell = ["nowhere"]\n')
    with pytest.raises(LabError, match="does not know the address"):
        run_due(scheduled, tmp_path)


@pytest.mark.slow
def test_who_cannot_be_told_stops_no_report_and_is_told_the_next_time(
    scheduled: Lab, tmp_path: Path, channel
) -> None:
    address, told = channel
    text = (scheduled.path / "lab.toml").read_text()
    (scheduled.path / "lab.toml").write_text(text + 'tell = ["json://127.0.0.1:9"]\n')
    now = datetime.now(UTC)
    day = f"{now - timedelta(hours=1):%Y-%m-%d}", f"{now:%Y-%m-%d}"
    (scheduled.path / "says.json").write_text(json.dumps(dict.fromkeys(day, "fail")))
    with pytest.raises(Undelivered, match="could not be delivered") as caught:
        run_due(scheduled, tmp_path, now=now)
    assert [report.verdict.status for report in caught.value.reports] == ["fail"]
    (scheduled.path / "lab.toml").write_text(text + f'tell = ["{address}"]\n')
    assert run_due(scheduled, tmp_path, now=now) == []
    assert [message["title"] for message in told] == ["■ hourly: fail, was ok"]


def test_a_parameter_the_notebook_does_not_have_stops_all_before_anything_runs(
    scheduled: Lab, tmp_path: Path
) -> None:
    with (scheduled.path / "lab.toml").open("a") as file:
        file.write("parameters = { asof = 1 }\n")
    with pytest.raises(BadSettings, match="did you mean as_of"):
        run_due(scheduled, tmp_path)


CHILD = """
import signal, sys
from datetime import datetime
from pathlib import Path
from aiops_lab import open_lab
from aiops_lab.reports.schedule import run_due
from aiops_lab.reports.site import write_index
lab, out, now = open_lab(sys.argv[1]), Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
# progress is counted in the interpreter's events, not in seconds; see tests/test_ingest_crash.py
events, last, delay = 0, int(sys.argv[4]), float(sys.argv[5])
def count(event, arguments):
    global events
    events += 1
    if events == last:
        signal.setitimer(signal.ITIMER_REAL, delay)
sys.addaudithook(count)
run_due(lab, out, now=now)
write_index(lab, out)
"""


class Watcher(threading.Thread):
    """Looks at every page again and again, and remembers one that was not whole."""

    def __init__(self, out: Path) -> None:
        super().__init__(daemon=True)
        self.out, self.stopped, self.half, self.seen = out, threading.Event(), [], 0

    def run(self) -> None:
        while not self.stopped.wait(0.01):
            for page in [*self.out.glob("*.html"), *self.out.glob("[!.]*/[!.]*.html")]:
                self.seen += 1
                if not page.read_text().rstrip().endswith("</html>"):
                    self.half.append(page)


@pytest.mark.slow
def test_a_hundred_runs_with_kills_two_schedulers_and_clock_changes(
    scheduled: Lab, tmp_path: Path
) -> None:
    out, chance = tmp_path / "out", random.Random(7)
    out.mkdir()
    text = (scheduled.path / "lab.toml").read_text()
    half = text.replace("hourly", "half").replace("0 * * * *", "30 * * * *")
    (scheduled.path / "lab.toml").write_text(text + half)
    start = datetime.now(UTC).replace(minute=45, second=0, microsecond=0)
    end = start + timedelta(hours=49)
    watcher = Watcher(out)
    watcher.start()
    now, killed, family = start, 0, []
    run_due(scheduled, out, now=start)
    while now < end:
        now = min(max(now + timedelta(hours=chance.choice([-5, 5, 10, 15])), start), end)
        children = [
            subprocess.Popen([
                sys.executable, "-c", CHILD, str(scheduled.path), str(out), now.isoformat(),
                str(chance.randint(1, 6000)), str(chance.uniform(0.000001, 0.1)),
            ])
            for _ in range(2)
        ]  # fmt: skip
        codes = []
        for child in children:
            family += psutil.Process(child.pid).children(recursive=True)
            codes.append(child.wait())
        assert set(codes) <= {0, -signal.SIGALRM}
        killed += sum(code != 0 for code in codes)
    run_due(scheduled, out, now=now)
    index = write_index(scheduled, out).read_text()
    watcher.stopped.set()
    watcher.join()
    assert killed >= 4, "too few were killed at work"
    for name, minute in (("hourly", 0), ("half", 30)):
        first = start.replace(minute=minute)
        wanted = [first + timedelta(hours=i) for i in range(50)]
        done = scheduled.table("verdicts").filter(report=name)["as_of"].sort().to_list()
        assert done == wanted, "each once, none missing"
        pages = sorted((out / name).glob("*.html"))
        assert [page.stem for page in pages] == [f"{time:%Y-%m-%dT%H%M%SZ}" for time in wanted]
        assert pages[-1].name in index
    assert watcher.seen > 1000
    assert watcher.half == []
    assert psutil.wait_procs(family, 10)[1] == []
