"""Parameters are data, checked by name and type before a kernel starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from aiops_lab.errors import BadSettings
from aiops_lab.reports.parameters import checked, parameters_of, read_notebook

CELL = """lab: str = ""  # folder of the lab
n: int = 3
share: float = None  # a limit
names: list[str] = None
deep: bool = False"""


def notebook(source: str = CELL, tags: tuple[str, ...] = ("parameters",)) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})
    return nbformat.v4.new_notebook(cells=[cell])


def test_names_types_defaults_and_help_are_read() -> None:
    found = parameters_of(notebook())
    assert list(found) == ["lab", "n", "share", "names", "deep"]
    assert found["lab"].help == "folder of the lab"
    assert found["share"].annotation == "float"
    assert found["n"].default == 3


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("lab", "x; import os", "x; import os"), ("n", "7", 7), ("share", "0.5", 0.5),
     ("share", "none", None), ("names", "a, b", ["a", "b"]), ("names", '["a,b"]', ["a,b"]),
     ("deep", "True", True)],
)  # fmt: skip
def test_texts_are_read_by_type(name: str, text: str, value: Any) -> None:
    assert parameters_of(notebook())[name].read(text) == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"naems": []}, "no parameter 'naems'; did you mean names"),
        ({"n": "3"}, "n is int, not str"),
        ({"n": True}, "n is int, not bool"),
        ({"share": "x"}, "share is float, not str"),
        ({"names": [1]}, r"names is list\[str\], not list"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        checked(notebook(), given)


def test_one_value_is_a_list_of_one() -> None:
    assert checked(notebook(), {"names": "a, b", "n": 2}) == {"names": ["a, b"], "n": 2}


@pytest.mark.parametrize(
    ("source", "message"),
    [("import os", "more than parameters"), ("a: int = f()", "not a plain value")],
)
def test_a_parameters_cell_holds_only_plain_values(source: str, message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        parameters_of(notebook(source))
    with pytest.raises(BadSettings, match="no cell tagged"):
        parameters_of(notebook(tags=()))


def test_what_is_no_notebook_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text("not json")
    with pytest.raises(BadSettings, match="is not a notebook"):
        read_notebook(path)
    with pytest.raises(BadSettings, match="not valid Python"):
        parameters_of(notebook("a: int = ="))
