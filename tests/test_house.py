"""The house's own measures: how long a function and a module may be, unless a reason is beside it.

A module gives its reason in the last paragraph of its docstring, a function in a comment within it;
both begin with "Long because".
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import aiops_lab

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
