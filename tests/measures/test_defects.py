"""The class of a defect is that of what was broken; what is valid, or no such format, has none."""

from __future__ import annotations

import random
import time
import tomllib
from pathlib import Path

import pytest

from aiops_lab.measures.defects import json_defect, yaml_defect
from aiops_lab.measures.yaml_text import yaml_valid
from tests.measures.test_repair import HOSTILE, JSON_DEFECTS, YAML_DEFECTS

SIMULATED = Path(__file__).parents[2] / "data" / "traffic" / "texts.toml"
CALLED = {
    "open quote": "quotes", "inner quotes": "quotes", "glued colon": "missing space",
    "indent": "indentation", "bracket": "brackets", "bare keys": "bare key",
    "python": "single quotes", "block comment": "comment",
}  # fmt: skip


@pytest.mark.parametrize("name", [*YAML_DEFECTS, *JSON_DEFECTS])
def test_what_was_broken_is_what_is_told(name: str) -> None:
    for defects, told in ((YAML_DEFECTS, yaml_defect), (JSON_DEFECTS, json_defect)):
        for seed in range(20 * (name in defects)):
            text, _ = defects[name](random.Random(f"{name} {seed}"))
            fine = told is yaml_defect and yaml_valid(text)  # NO is a text, prose may be missing
            assert told(text) == (None if fine else CALLED.get(name, name)), text


def test_defects_of_the_simulated_traffic_are_told_apart() -> None:
    forms = tomllib.loads(SIMULATED.read_text("utf-8"))
    said = {"text": "Boats leave at six, from quay two.", "half": "Boats leave at",
            "confidence": "0.87", "sources": "fares.md, boats.md", "first": "fares.md"}  # fmt: skip
    assert [yaml_defect(form.format_map(said)) for form in forms["forms"].values()] == [None] * 3
    told = {name: yaml_defect(form.format_map(said)) for name, form in forms["defects"].items()}
    assert told == {
        "fence": "fence", "prose_before": "prose", "prose_after": "prose", "colon": "colon",
        "open_quote": "quotes", "inner_quotes": "quotes", "tab": "tabs", "open_list": "brackets",
        "glued_key": "missing space", "indent": "indentation", "star": "sign", "cut": "truncated",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"a": NaN}', "no number"), ('{"a": 1}{"a": 2}', "several"), ('{"a": "x\\y"}', "escape"),
        ('{"a": "say "hi" now"}', "quotes"), ('{"a": True}', "Python"), ('{"a": [1, ...]}', "dots"),
        ('{"a": 1} I hope it helps', "prose"), ("I like {curly} things.", None), ("", None),
        ("As shown in [1], prices rose.", None), ("```python\nx = {'a': 1}\n```", "prose"),
    ],
)  # fmt: skip
def test_json_by_hand(text: str, wrong: str | None) -> None:
    assert json_defect(text) == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a: 1\na: 2", "duplicate key"), ("a: &x 1\nb: *x", "sign"), ("a: 1\n---\nb: 2", "several"),
        ("a: 1\n- b", "indentation"), ("Dear Ada,\nnote: see: this", None), ("{'a': 1", None),
        ("Sure!\n\n- one: x\n- two: y: z", "prose"), ("text: |\n  ```\n  b\n  ```\nend: x", None),
    ],
)  # fmt: skip
def test_yaml_by_hand(text: str, wrong: str | None) -> None:
    assert yaml_defect(text) == wrong


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_hostile_texts_are_told_quickly(place: int) -> None:
    start = time.perf_counter()
    for tell in (json_defect, yaml_defect):
        tell(HOSTILE[place])
    assert time.perf_counter() - start < 5
