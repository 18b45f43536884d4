"""What the README and the pages in docs/ say works: commands, settings, files, code."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
import typer
import yaml
from cronsim import CronSim

import aiops_lab
from aiops_lab import Lab, open_lab, widgets
from aiops_lab.charts.theme import MIME as CHART
from aiops_lab.cli import _joined, app
from aiops_lab.reports.page import executed_verdict
from aiops_lab.settings import settings_of
from aiops_lab.sources.table import check_mapping

ROOT = Path(__file__).parents[1]
PAGES = {
    path.name: path.read_text("utf-8") for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
}
PAGES_AND_RULES = PAGES | {"CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8")}
OWN = PAGES["your-own.md"]
LANGUAGES = {"python", "toml", "yaml", "crontab", "ini", "sh", "text"}
"""What blocks are in, each checked below: `sh` as commands are, `text` is for reading."""
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def every(language: str) -> list[Any]:
    found = [(name, block) for name, page in PAGES.items() for block in blocks(page, language)]
    return [pytest.param(block, id=f"{name}-{i}") for i, (name, block) in enumerate(found)]


def commands(page: str) -> Iterator[list[str]]:
    """Every call of the command in fenced, indented and inline code, up to a shell's operator."""
    fenced, prose = re.findall(r"```\w*\n.*?```", page, re.DOTALL), page
    for block in fenced:
        prose = prose.replace(block, "")
    inline = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", prose)]
    code = [*fenced, *re.findall(r"^    .*$", prose, re.MULTILINE), *inline]
    for line in re.findall(r"(?<![\w.-])aiops-lab ([a-z]+ [^`#|;&<>\n]+)", "\n".join(code)):
        yield _joined(shlex.split(line))


def test_every_table_of_proof_is_told_and_there() -> None:
    told = set(re.findall(r"\]\(proof/([\w-]+)\.md\)", PAGES["proof.md"]))
    assert told == {path.stem for path in ROOT.glob("docs/proof/*.md")}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_commands_parse(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_LAB", "my-lab")
    found = list(commands(page))
    assert found
    for name, *arguments in found:
        assert name in COMMANDS, name
        # parses, with types and choices, and raises a usage error where that fails
        COMMANDS[name].make_context(name, [each for each in arguments if each != "..."])


def test_every_command_is_somewhere_in_the_docs() -> None:
    told = {name for page in PAGES.values() for name, *_ in commands(page)}
    assert told >= set(COMMANDS) - {"demo"}


@pytest.mark.parametrize("text", every("toml"))
def test_settings_are_valid(text: str) -> None:
    settings = settings_of(text)
    check_mapping(settings.columns)
    assert tomllib.loads(text)


@pytest.mark.parametrize("text", every("yaml"))
def test_workflows_parse(text: str) -> None:
    workflow = yaml.safe_load(text)
    if "jobs" not in workflow:  # objectives, which tests/objectives reads
        assert workflow["apiVersion"] == "openslo/v1"
        return
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)


@pytest.mark.parametrize("text", every("python"))
def test_code_compiles(text: str) -> None:
    compile(text, "page", "exec")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("text", every("crontab"))
def test_crontabs_parse(text: str) -> None:
    for line in text.splitlines():
        if not re.match(r"\w+=", line):
            *when, command = line.split(maxsplit=5)
            assert next(CronSim(" ".join(when), datetime(2026, 5, 1, tzinfo=UTC)))
            assert "aiops-lab" in command and "%" not in command


@pytest.mark.parametrize("text", every("ini"))
def test_units_parse(text: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(text)
    assert {"Unit"} < set(unit.sections()) <= {"Unit", "Service", "Timer", "Install"}


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    for page in PAGES_AND_RULES.values():
        assert {*re.findall(r"^ *```(\w+)$", page, re.MULTILINE)} <= LANGUAGES
        assert page.count("```") == 2 * len(re.findall(r"^ *```\w+$", page, re.MULTILINE))


def slugs(page: str) -> set[str]:
    """The addresses of a page's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", PAGES_AND_RULES)
def test_links_lead_somewhere(name: str) -> None:
    folder = ROOT / "docs" if (ROOT / "docs" / name).exists() else ROOT
    for target, heading in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", PAGES_AND_RULES[name]):
        assert (folder / target).exists(), target
        assert not heading or heading in slugs((folder / target).read_text("utf-8")), heading


def test_every_page_is_linked_from_the_readme() -> None:
    told = set(re.findall(r"\]\(docs/([\w.-]+\.md)", PAGES["README.md"]))
    assert told == PAGES.keys() - {"README.md"}


def test_every_name_in_the_docs_is_in_the_code() -> None:
    """A name in code with an underscore in it: a function, a column, a key of settings."""
    places = ("aiops_lab/**/*.py", "tests/**/*.py", "notebooks/*.ipynb", "data/**/*.py")
    code = {
        word
        for place in places
        for path in ROOT.glob(place)
        for word in re.findall(r"\w+", path.read_text("utf-8"))
    }
    for name, page in PAGES_AND_RULES.items():
        prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
        told = {*re.findall(r"`(\w*[a-z]_[a-z]\w*)(?:\([^`]*\))?`", prose)}
        assert told <= code, f"{name}: {told - code}"


TABLES: dict[str, list[Any]] = {
    "ragas": [
        {"user_input": "q", "response": "a", "reference": "r", "faithfulness": 1,
         "context_recall": 0}
    ],
    "deepeval": [
        {"testCases": [
            {"name": "q", "input": "q", "actualOutput": "a", "expectedOutput": "r",
             "metricsData": [
                 {"name": "m", "score": 0.9, "success": True, "reason": "so"},
                 {"name": "n", "score": 0.1, "success": False, "reason": "not so"},
             ]}
        ]}
    ],
    "evals": [
        {"run_id": "r", "sample_id": "q", "type": "sampling", "data": {"sampled": ["a"]}},
        {"run_id": "r", "sample_id": "q", "type": "match", "data": {"correct": True}},
        {"run_id": "r", "sample_id": "p", "type": "match", "data": {"correct": False}},
    ],
}  # fmt: skip
"""Two scores each, as the tools write them."""


@pytest.mark.parametrize(
    ("name", "text"),
    list(zip(TABLES, blocks(PAGES["sources.md"], "toml"), strict=True)),
    ids=list(TABLES),
)
def test_tables_with_other_names_are_read_as_the_page_says(
    name: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.jsonl"
    path.write_text("\n".join(map(json.dumps, TABLES[name])))
    lab = open_lab(tmp_path / "lab")
    done = lab.ingest(path, columns=tomllib.loads(text)["columns"])
    assert not done.quarantined.height and lab.scores()["value"].count() == 2


@pytest.mark.slow
def test_the_reference_has_every_public_name_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="the development group brings it")
    subprocess.run([sys.executable, "docs/reference.py", tmp_path], cwd=ROOT, check=True)
    for module in (aiops_lab, widgets):
        page = (tmp_path / f"{module.__name__.replace('.', '/')}.html").read_text("utf-8")
        assert not [name for name in module.__all__ if f'id="{name}"' not in page]
    assert (tmp_path / "aiops_lab" / "stats" / "paired.html").exists()
    for path in tmp_path.rglob("*.html"):
        address = r"""["']?(?:https?:)?//"""
        loaded = rf"<(?:script|img|iframe|link)\b[^>]*(?:src|href)={address}|url\({address}"
        assert not re.search(loaded, path.read_text("utf-8")), path.name


def test_a_report_of_ones_own_is_under_forty_lines() -> None:
    lines = [line for block in blocks(OWN, "python") for line in block.splitlines() if line.strip()]
    assert len(lines) < 40


def run(line: str, folder: Path) -> str:
    """A command of the page, in a folder; what it prints."""
    words = shlex.split(line)
    command = [sys.executable, "-m", "aiops_lab", *words[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_report_of_ones_own_as_the_page_says(demo: Lab, tmp_path: Path) -> None:
    shutil.copytree(demo.path, tmp_path / "my-lab")
    lines = re.findall(r"^    (aiops-lab (?:new|report|export) .*)$", OWN, re.MULTILINE)
    new, report, changed, *exports = lines
    run(new, tmp_path)
    path = tmp_path / "my-lab" / "notebooks" / "slow_questions.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, block in zip(code, blocks(OWN, "python"), strict=True):
        cell.source = block.strip()
    nbformat.write(notebook, path)
    assert "● ok: 0 of 120 took over 1.5 s (0.0% to 3.0%), limit 10%." in run(report, tmp_path)
    assert "◇ inconclusive: 8 of 120" in run(changed, tmp_path)
    page = tmp_path / "reports" / "latest" / "slow_questions.html"
    assert "0 of 120 took over 1.5 s" in page.read_text("utf-8")
    (executed,) = (tmp_path / "reports" / "slow_questions").glob("*.ipynb")
    held = nbformat.read(executed, as_version=4)
    verdict = executed_verdict(held)
    assert verdict is not None and verdict.evidence[0].limit == 0.1
    outputs = [output for cell in held.cells for output in cell.get("outputs", [])]
    (chart,) = [o["data"][CHART] for o in outputs if CHART in o.get("data", {})]
    assert chart["config"]["axis"], "the house's theme"
    for line in exports:
        run(line, tmp_path)
    assert {path.suffix for path in (tmp_path / "tables").iterdir()} == {".csv", ".parquet"}
    kept = pl.read_parquet(tmp_path / "slow" / "questions.parquet")
    assert kept.height == 120
    assert pl.read_csv(tmp_path / "slow" / "questions.csv").equals(kept)


@pytest.mark.parametrize("name", ["explore.md", "gate.md", "slices.md", "triage.md"])
def test_the_python_of_pages_without_a_lab_runs(name: str) -> None:
    names: dict[str, Any] = {}
    for source in blocks(PAGES[name], "python"):
        exec(compile(source, name, "exec"), names)


def test_the_python_of_the_retrieval_page_runs() -> None:
    names: dict[str, Any] = {}
    for source in re.findall(r"```python\n(.*?)```", PAGES["retrieval.md"], re.DOTALL):
        exec(compile(source, "docs/retrieval.md", "exec"), names)
    assert names["drift"].gold["status"].to_list() == ["moved"]
    assert names["found"].verdict.status == "ok"


def test_the_python_of_the_guard_page_runs(
    demo: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("aiops_lab.demo_lab", lambda: demo)
    names: dict[str, Any] = {}
    for source in blocks(PAGES["guard.md"], "python"):
        exec(compile(source, "docs/guard.md", "exec"), names)
    told = capsys.readouterr().out
    assert "up to 36.9 % may still succeed" in told and "separated" in told
    assert names["review"].risks.height == 10
    assert names["verdict"].status == "inconclusive"
    assert max(map(len, PAGES["guard.md"].splitlines())) <= 100
