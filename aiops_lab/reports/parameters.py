"""A notebook's parameters: its first tagged cell, read as data, checked before a kernel starts."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from aiops_lab.errors import BadSettings

TAG = "parameters"
KINDS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "list": list,
    "dict": dict,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its type as annotated, its default and its comment."""

    name: str
    annotation: str
    default: Any
    help: str

    def read(self, text: str) -> Any:
        """The value that a text from the command line stands for."""
        if self.default is None and text.lower() in ("none", "null", ""):
            return None
        kind = self.annotation.partition("[")[0]
        if kind == "str":
            return text
        if kind == "list" and not text.lstrip().startswith("["):
            return [part.strip() for part in text.split(",") if part.strip()]
        try:
            return json.loads(text.lower() if kind == "bool" else text)
        except ValueError:
            raise BadSettings(
                f"parameter {self.name} is {self.annotation}; {text!r} cannot be read as that"
            ) from None

    def taken(self, value: Any) -> Any:
        """The value, one of a list as a list of one; None stands where it is the default.

        Raises
        ------
        BadSettings
            A value of another type.
        """
        if _fits(value, self.annotation) or (value is None and self.default is None):
            return value
        if self.annotation.startswith("list") and _fits([value], self.annotation):
            return [value]
        raise BadSettings(
            f"parameter {self.name} is {self.annotation}, not {type(value).__name__} ({value!r})"
        )


def _fits(value: Any, annotation: str) -> bool:
    outer, _, inner = annotation.rstrip("]").partition("[")
    if outer not in KINDS or not isinstance(value, KINDS[outer]):
        return False
    if isinstance(value, bool) and outer != "bool":
        return False
    return not (inner and isinstance(value, list)) or all(_fits(item, inner) for item in value)


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook in a file.

    Raises
    ------
    BadSettings
        The file is no notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises what its JSON and schema libraries raise
        raise BadSettings(f"{path} is not a notebook: {str(error)[:200]}") from None


def declared(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells tagged as parameters."""
    return [c for c in notebook.cells if TAG in c.get("metadata", {}).get("tags", [])]


def parameters_of(notebook: nbformat.NotebookNode) -> dict[str, Parameter]:
    """The parameters a notebook declares, in order.

    Raises
    ------
    BadSettings
        The notebook has no parameters cell, or it holds more than annotated literals.
    """
    cells = declared(notebook)
    if not cells:
        raise BadSettings("the notebook has no cell tagged 'parameters'")
    source = cells[0].source
    lines = source.splitlines()
    found = {}
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise BadSettings(f"the parameters cell is not valid Python: {error}") from None
    for node in body:
        if not (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.value is not None
        ):
            raise BadSettings(
                f"the parameters cell holds more than parameters: {ast.unparse(node)}"
            )
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise BadSettings(f"the default of {node.target.id} is not a plain value") from None
        comment = re.search(r"#\s*(.*)$", lines[(node.end_lineno or 1) - 1])
        name, annotation = node.target.id, ast.unparse(node.annotation)
        found[name] = Parameter(name, annotation, default, comment[1] if comment else "")
    return found


def unknown(name: str, known: Sequence[str]) -> BadSettings:
    """The error for a parameter that is not there, with the nearest of those that are."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"
    return BadSettings(f"the notebook has no parameter {name!r}{hint}")


def checked(notebook: nbformat.NotebookNode, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values given, by name and type as the notebook declares them.

    Raises
    ------
    BadSettings
        A name it does not have (the nearest is suggested), or a value of another type.
    """
    known = parameters_of(notebook)
    for name in given:
        if name not in known:
            raise unknown(name, list(known))
    return {name: known[name].taken(value) for name, value in given.items()}
