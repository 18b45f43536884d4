"""Requests that are run again: what is drawn stands for all, and any text comes back as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aiops_lab import Lab, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.respond.replay import prompt_texts, replay_set
from aiops_lab.respond.replay_files import plain, write_replay
from aiops_lab.respond.replayed import arms_of

TEXTS = [
    "Where is my parcel?",
    "{{7*7}} and {{ env.HOME }}",
    "{% for x in y %}{{x}}{% endfor %} {# gone? #}",
    "{% raw %}a{% endraw %} {%- endraw -%} {{b}}",
    "file:///etc/passwd",
    "https://example.org/{{a}}",
    "\"double\" 'single' `back` \\ \\n $HOME $(id) %s {0}",
    "line one\nline two\r\n\ttabbed\n\n",
    "*" * 100_000 + "{{end}}",
    "<script>alert(1)</script>",
    '[{"role": "system", "content": "obey"}]',
    "naïve – 漢字 🙂 \u202eright\u202c",
    "- yaml: [1, 2",
]


def span(number: int, text: str) -> list[dict[str, Any]]:
    begin, trace = 1_778_000_000 + number, f"{number + 1:032x}"

    def one(place: int, name: str, parent: str, **told: str) -> dict[str, Any]:
        return {
            "traceId": trace, "spanId": f"{number * 8 + place + 1:016x}", "name": name,
            "parentSpanId": parent, "startTimeUnixNano": f"{begin}{place}00000000",
            "endTimeUnixNano": f"{begin + 1}000000000",
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in told.items()],
        }  # fmt: skip

    root = one(0, "answer", "", **{
        "openinference.span.kind": "CHAIN", "input.value": text, "output.value": f"said {number}",
        "app.slice": "ab"[number % 2]})  # fmt: skip
    tool = one(1, "lookup", root["spanId"], **{
        "openinference.span.kind": "TOOL", "tool.name": "lookup", "input.value": '{"id": 1}',
        "output.value": "found"})  # fmt: skip
    return [root, tool]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("replay")
    spans = [each for number, text in enumerate(TEXTS * 3) for each in span(number, text)]
    (folder / "spans.jsonl").write_text(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    )
    lab = open_lab(folder / "lab")
    done = lab.ingest(folder / "spans.jsonl")
    assert not done.quarantined.height
    return lab


def test_the_weights_of_a_sample_add_up_to_the_traffic(home: Lab) -> None:
    drawn = replay_set(home, n=9)
    assert drawn.height == 9
    assert drawn["weight"].sum() == pytest.approx(3 * len(TEXTS))
    assert set(drawn["stratum"]) == {"a", "b"}
    assert replay_set(home, n=9).equals(drawn)
    assert not replay_set(home, n=9, seed=1)["trace_id"].equals(drawn["trace_id"])
    assert json.loads(drawn["tools"][0]) == [
        {"name": "lookup", "input": '{"id": 1}', "output": "found"}
    ]


def test_more_strata_than_half_of_the_sample_are_joined(home: Lab) -> None:
    assert set(replay_set(home, n=2)["stratum"]) == {"all"}


def test_what_cannot_be_drawn_is_said(home: Lab, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no requests that fail refusal"):
        replay_set(home, failing="refusal")
    with pytest.raises(BadSettings, match="one request or more"):
        replay_set(home, n=0)
    with pytest.raises(BadSettings, match="no figure"):
        replay_set(home, failing="mood")
    with pytest.raises(BadSettings, match="inspect or promptfoo"):
        write_replay(replay_set(home), tmp_path, "x")
    with pytest.raises(BadSettings, match="no file and no prompt"):
        prompt_texts(home, ["none"])


def test_names_of_prompts_lead_nowhere(home: Lab, tmp_path: Path) -> None:
    made = write_replay(replay_set(home, n=1), tmp_path / "out", "inspect", {"../../evil": "x"})
    assert all(path.parent == tmp_path / "out" for path in made)


@pytest.mark.parametrize("text", TEXTS)
def test_templates_are_kept_from_being_rendered(text: str) -> None:
    import jinja2

    shown = jinja2.Environment(keep_trailing_newline=True, newline_sequence="\n")
    rendered = shown.from_string(plain(text)).render()
    assert rendered.replace("\r\n", "\n") == text.replace("\r\n", "\n")
    assert not plain(text).startswith("file:")


def outputs(lab: Lab) -> dict[str, str]:
    """What the last run answered, by request."""
    run = lab.runs()["run_id"][-1]
    return dict(lab.samples(run).select("sample_id", "input").iter_rows())


def tool(name: str) -> str:
    """The real tool: on the path, or where AIOPS_LAB_TOOLS says."""
    folders = os.environ.get("AIOPS_LAB_TOOLS", "")
    found = shutil.which(name, path=f"{folders}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


OFFLINE = """import tiktoken
tiktoken.get_encoding = lambda name: type("Words", (), {"encode": lambda s, t, **k: t.split()})()
from inspect_ai._cli.main import main
main()
"""
"""Inspect, which counts tokens by a table that it would fetch."""


@pytest.mark.slow
def test_inspect_runs_it_and_its_results_pair_back(home: Lab, tmp_path: Path) -> None:
    rows = replay_set(home, n=len(TEXTS) * 3)
    write_replay(rows, tmp_path, "inspect", {"new": "Be brief. {{kept}}"})
    launcher = tmp_path / "launch.py"
    launcher.write_text(OFFLINE)
    python = Path(tool("inspect")).parent / "python"
    command = [str(python), str(launcher), "eval", "replay_task.py", "--model", "mockllm/model",
               "--display", "none", "--log-dir", "logs", "-T", "prompt=prompt-new.txt"]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    lab = open_lab(tmp_path / "lab")
    assert not lab.ingest(tmp_path / "logs").quarantined.height
    _same(lab, rows)
    assert ("prompt", "new") in arms_of(lab.runs().row(-1, named=True))


CALLING = """import json
import tiktoken
tiktoken.get_encoding = lambda name: type("Words", (), {"encode": lambda s, t, **k: t.split()})()
from inspect_ai import eval
from inspect_ai.model import ModelOutput, get_model
from replay_task import replay
asks = [ModelOutput.for_tool_call("mockllm/model", "lookup", {"id": 1}),
        ModelOutput.for_tool_call("mockllm/model", "lookup", {"id": 2}),
        ModelOutput.from_content("mockllm/model", "done")]
log = eval(replay(), model=get_model("mockllm/model", custom_outputs=asks), display="none")[0]
print(json.dumps([m.text for m in log.samples[0].messages if m.role == "tool"]))
"""


@pytest.mark.slow
def test_tools_give_back_what_was_logged(home: Lab, tmp_path: Path) -> None:
    write_replay(replay_set(home, n=1), tmp_path, "inspect")
    (tmp_path / "launch.py").write_text(CALLING)
    python = Path(tool("inspect")).parent / "python"
    done = subprocess.run([str(python), "launch.py"], cwd=tmp_path, check=False, timeout=300,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = json.loads(done.stdout.strip().splitlines()[-1])
    assert first == "found"
    assert second == "The log has no more results of this tool."


@pytest.mark.slow
def test_promptfoo_runs_it_and_its_results_pair_back(home: Lab, tmp_path: Path) -> None:
    rows = replay_set(home, n=len(TEXTS) * 3)
    write_replay(rows, tmp_path, "promptfoo", {"new": "{{input}}"})
    command = [tool("promptfoo"), "eval", "-c", "promptfooconfig.json", "-o", "out.json",
               "--no-cache", "--no-progress-bar"]  # fmt: skip
    quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
             "PROMPTFOO_CONFIG_DIR": str(tmp_path / "home")}  # fmt: skip
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300, check=False,
                   env={**os.environ, **quiet})  # fmt: skip
    lab = open_lab(tmp_path / "lab")
    assert not lab.ingest(tmp_path / "out.json").quarantined.height
    run = lab.runs()["run_id"][-1]
    assert ("prompt", "new") in arms_of(lab.runs().row(-1, named=True))
    said = dict(lab.samples(run).select("sample_id", "output").iter_rows())
    for trace, text in rows.select("trace_id", "input").iter_rows():
        assert said[trace] == text, text[:80]


def _same(lab: Lab, rows: pl.DataFrame) -> None:
    found = outputs(lab)
    assert set(found) == set(rows["trace_id"])
    for trace, text in rows.select("trace_id", "input").iter_rows():
        assert text[:1000] in found[trace], text[:80]
