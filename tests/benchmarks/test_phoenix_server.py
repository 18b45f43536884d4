"""Phoenix's real server, in an environment of its own: what is sent to it comes back whole."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import polars as pl
import pytest

from aiops_lab import Lab, open_lab
from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
SEND = Path(__file__).with_name("phoenix_spans.py")
TRACES, LATER = 1_000, 50
STARTING = 180
"""Seconds in which the server has to answer."""
ALONE = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
"""The environment of what runs in an environment of its own."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the server, about a GB."""
    folder = tmp_path_factory.mktemp("phoenix") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], env=ALONE, check=True)
    python = folder / "bin" / "python"
    wanted = ["arize-phoenix", "opentelemetry-exporter-otlp-proto-http"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], env=ALONE, check=True)
    return python


@contextmanager
def serving(python: Path, folder: Path) -> Iterator[str]:
    """The server on free ports of the loopback."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        ports = [one.getsockname()[1], other.getsockname()[1]]
    told = {
        "PHOENIX_WORKING_DIR": folder,
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": ports[0],
        "PHOENIX_GRPC_PORT": ports[1],
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    environment = {**ALONE, **{name: str(value) for name, value in told.items()}}
    address = f"http://127.0.0.1:{ports[0]}"
    with (folder / "server.log").open("wb") as log:
        command = [python.with_name("phoenix"), "serve"]
        child = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(STARTING):
                with suppress(OSError), urlopen(f"{address}/healthz"):
                    break
                assert child.poll() is None, (folder / "server.log").read_text()
                time.sleep(1)
            yield address
        finally:
            child.terminate()
            child.wait()


def send(python: Path, address: str, seed: str, traces: int) -> dict[str, list[dict[str, Any]]]:
    """Send requests by the real exporter, and annotations; returns what was sent."""
    command = [python, SEND, address, "counter", seed, str(traces)]
    done = subprocess.run(command, env=ALONE, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def faults(sent: list[dict[str, Any]], lab: Lab) -> list[str]:
    """In what the spans of a lab differ from those that were sent."""
    found = {row["span_id"]: row for row in lab.table("spans").to_dicts()}
    differing = []
    for span in sent:
        row = found.get(span["span_id"], {})
        held = json.loads(row.get("attributes") or "{}")
        told = {"trace_id", "parent_id", "name", "status"}
        differing += [f"{span['span_id']} {key}" for key in told if row.get(key) != span[key]]
        differing += [
            f"{span['span_id']} {key}"
            for key, value in span["attributes"].items()
            if held.get(key) != value
        ]
        begun = row and round(row["started_at"].timestamp() * 1e6) * 1_000
        lasted = (span["end"] - span["start"]) / 1e9
        if begun != span["start"] or abs(row["duration_s"] - lasted) > 1e-6:
            differing.append(f"{span['span_id']} times")
    return differing


def scores(sent: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """The annotations that were sent, as rows of ``evaluations``."""
    traces = {span["span_id"]: span["trace_id"] for span in sent["spans"]}
    kinds = {"LLM": "model", "HUMAN": "human"}
    return sorted(
        (one.get("trace_id") or traces[one["span_id"]], one["name"], one["result"]["score"],
         one["result"]["label"], kinds[one["annotator_kind"]])
        for kind in ("span", "trace")
        for one in sent[kind]
    )  # fmt: skip


def kept(lab: Lab) -> list[tuple[Any, ...]]:
    columns = ("trace_id", "metric", "value", "label", "scorer_kind")
    return sorted(lab.table("evaluations").select(columns).rows())


def test_all_that_is_sent_comes_back_and_only_what_is_new_is_fetched_again(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    look = "from importlib.metadata import version; print(version('arize-phoenix'))"
    release = subprocess.check_output([python, "-c", look], env=ALONE, text=True).strip()
    table = Table("phoenix", f"Phoenix {release}, its own server on the loopback: "
                  "spans by OpenTelemetry's exporter, annotations by its API, fetched by "
                  "`lab.ingest(\"phoenix:counter\")`")  # fmt: skip
    table.columns("fetch", "spans sent", "annotations sent", "spans added", "scores added",
                  "seconds", "spans a second", "differences")  # fmt: skip
    lab, all_sent = open_lab(tmp_path / "lab"), dict[str, list[dict[str, Any]]]()

    def fetch(what: str, spans: int, annotations: int) -> dict[str, int]:
        begun = time.perf_counter()
        done = lab.ingest("phoenix:counter")
        seconds = time.perf_counter() - begun
        assert done.quarantined.height == 0
        new = done.rows.get("spans", 0)
        differing = faults(all_sent["spans"], lab)
        table.row(what, spans, annotations, new, done.rows.get("evaluations", 0), f"{seconds:.1f}",
                  round(new / seconds) if new else "", len(differing))  # fmt: skip
        assert differing == []
        assert lab.table("spans").height == len(all_sent["spans"])
        assert kept(lab) == scores(all_sent)
        return {"added": done.added, **done.rows}

    with serving(python, tmp_path) as address:
        monkeypatch.setenv("PHOENIX_ENDPOINT", address)
        sent = all_sent = send(python, address, "one", TRACES)
        fetch("all", len(sent["spans"]), len(sent["span"]) + len(sent["trace"]))
        assert fetch("again", 0, 0) == {"added": 0}
        late = send(python, address, "two", LATER)
        all_sent = {kind: [*sent[kind], *late[kind]] for kind in sent}
        done = fetch("what came later", len(late["spans"]), len(late["span"]) + len(late["trace"]))
        assert done["spans"] == len(late["spans"])
        assert fetch("again", 0, 0) == {"added": 0}
    calls = lab.table("spans").filter(pl.col("name") == "ChatCompletion")
    assert calls["step"].unique().to_list() == ["model"]
    assert calls["model_served"].unique().to_list() == ["answers-large-2026-05-01"]
    assert calls["model_requested"].unique().to_list() == ["answers-large"]
    assert calls["tokens_in"].min() == 50 and calls["tokens_out"].unique().to_list() == [20]
    assert calls["output"].str.starts_with("24 hours (").all()
    requests = lab.table("traffic")
    assert requests.height == TRACES + LATER and requests["complete"].all()
    assert requests["slice"].unique().sort().to_list() == [f"slice {n}" for n in range(3)]
    table.write()
