"""A verdict has four statuses and travels with the notebook."""

from __future__ import annotations

import json

import nbformat
import pytest

from aiops_lab import LabError, Verdict
from aiops_lab.verdict import MIME, Evidence


def test_no_other_words() -> None:
    with pytest.raises(LabError, match="not 'unknown'"):
        Verdict("unknown", "x")  # type: ignore[arg-type]


def test_it_travels_in_a_notebook_that_validates() -> None:
    verdict = Verdict("fail", "<b>worse</b>", (Evidence("acc", -0.1, None, 0.1),), "Stop.")
    bundle = verdict._repr_mimebundle_()
    assert json.loads(json.dumps(bundle[MIME]))["status"] == "fail"
    assert "<b>" not in bundle["text/html"]
    cell = nbformat.v4.new_code_cell("v")
    cell["outputs"] = [nbformat.v4.new_output("display_data", data=bundle)]
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
