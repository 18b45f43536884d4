"""The house's own measures: lengths, unless a reason is beside them, and names of settings.

A module gives its reason in the last paragraph of its docstring, a function in a comment within it;
both begin with "Long because".
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

import pytest

import aiops_lab
from aiops_lab.settings import MetricRule, ReportRule
from aiops_lab.shipped import shipped

ROOT = Path(aiops_lab.__file__).parent
MODULES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
LINES_OF_FUNCTION, LINES_OF_MODULE = 60, 450
REASON = "Long because"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def length(function: Function) -> int:
    """Lines from ``def`` to the end without the docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    doc = function.body[0]
    assert doc.end_lineno is not None
    return lines - (doc.end_lineno - doc.lineno + 1)


def long_functions(text: str) -> list[str]:
    """Those that are too long and give no reason."""
    lines, found = text.splitlines(), []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function) and (count := length(node)) > LINES_OF_FUNCTION:
            own = lines[node.lineno - 1 : node.end_lineno]
            if not any(line.strip().startswith(f"# {REASON} ") for line in own):
                found.append(f"{node.name}: {count} lines")
    return found


def is_long(text: str) -> bool:
    """Whether a module is too long and gives no reason."""
    *_, last = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")
    return len(text.splitlines()) > LINES_OF_MODULE and not last.startswith(f"{REASON} ")


@pytest.mark.parametrize("name", MODULES)
def test_no_function_is_longer_than_a_screen_without_a_reason(name: str) -> None:
    assert not long_functions(MODULES[name].read_text("utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_no_module_answers_more_than_one_question_without_a_reason(name: str) -> None:
    assert not is_long(MODULES[name].read_text("utf-8"))


def test_what_is_too_long_is_found_and_a_reason_excuses_it() -> None:
    body = "    x = 1\n" * LINES_OF_FUNCTION
    function, doc = "def f():\n", '    """A docstring\n    is not counted."""\n'
    assert long_functions(function + doc + body) == ["f: 61 lines"]
    assert not long_functions(function + doc + body.removeprefix("    x = 1\n"))
    assert not long_functions(f"{function}    # {REASON} it is one table.\n{body}")
    module = "x = 1\n" * LINES_OF_MODULE
    assert is_long(f'"""A module."""\n{module}') and not is_long(module)
    assert not is_long(f'"""A module.\n\n{REASON} it is one table.\n"""\n{module}')


def settings_of_functions() -> dict[str, dict[str, object]]:
    """The settings of each public function and their defaults."""
    named = {name: getattr(aiops_lab, name) for name in aiops_lab.__all__}
    return {
        name: {key: one.default for key, one in inspect.signature(function).parameters.items()}
        for name, function in named.items()
        if inspect.isfunction(function)
    }


def test_a_level_is_how_sure_and_alpha_how_often_wrong() -> None:
    for name, settings in settings_of_functions().items():
        assert settings.get("level", 0.95) == 0.95, name
        assert float(str(settings.get("alpha", 0.05))) < 0.5, name


NOTEBOOKS_ALONE = {
    "lab", "since", "until",  # the two ends of triage's window, as aiops-lab export calls them
    "against",  # run_retrieval's baseline is a configuration, where a whole lab's is a run
    "edition", "decision", "segment",
}  # fmt: skip
"""Parameters of notebooks that are settings of no function by that name, and why."""


def test_notebooks_call_a_setting_as_functions_and_lab_toml_do() -> None:
    known = {key for settings in settings_of_functions().values() for key in settings}
    known |= {*MetricRule.__struct_fields__, *ReportRule.__struct_fields__}
    for path in sorted(shipped("notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        given = next(c for c in cells if "parameters" in c["metadata"].get("tags", []))
        tree = ast.parse("".join(given["source"]))
        lines = (node for node in tree.body if isinstance(node, ast.AnnAssign))
        names = {line.target.id for line in lines if isinstance(line.target, ast.Name)}
        assert names <= known | NOTEBOOKS_ALONE, path.name
