"""What docs/objectives.md says works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aiops_lab.objectives.check import check_objectives
from aiops_lab.target.explain import explain
from tests.test_docs import PAGES, blocks

PAGE = PAGES["objectives.md"]


def test_both_ways_of_the_page_are_understood_and_say_the_same(tmp_path: Path) -> None:
    toml, yaml = tmp_path / "lab.toml", tmp_path / "a.yaml"
    toml.write_text(blocks(PAGE, "toml")[0])
    yaml.write_text(blocks(PAGE, "yaml")[0])
    (short, *_), (long,) = (check_objectives([path]).objectives for path in (toml, yaml))
    assert not check_objectives([toml]).problems + check_objectives([yaml]).problems
    assert replace(short, alerts=(), place="") == replace(long, place="", service="")
    assert explain(short).sentence == explain(long).sentence
    assert "72 % of answers in 1 hour" in explain(short).alerts[1]


def test_its_python_runs() -> None:
    for source in blocks(PAGE, "python"):
        exec(compile(source, "docs/objectives.md", "exec"), {})
