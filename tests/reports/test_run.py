"""Running a notebook: what is refused, and what a failure leaves behind."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from aiops_lab import Lab, LabError
from aiops_lab.reports.run import notebook_named, run_report
from aiops_lab.reports.site import write_index
from tests.conftest import table_of

VERDICT = "from aiops_lab import Verdict\nVerdict('ok', 'All good.') if good else 1 / 0"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A notebook that has a verdict, or fails, as its parameter says."""
    parameters = nbformat.v4.new_code_cell("good: bool = True", metadata={"tags": ["parameters"]})
    cells = [parameters, nbformat.v4.new_code_cell(VERDICT)]
    path = tmp_path / "own.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_the_source_is_never_replaced(lab: Lab, own: Path) -> None:
    before = own.read_bytes()
    with pytest.raises(LabError, match="choose another --out"):
        run_report(own, lab, own.parent)
    assert own.read_bytes() == before


def test_reports_run_on_the_lab_they_are_given(lab: Lab, own: Path, tmp_path: Path) -> None:
    lab.ingest(table_of({"a": [1.0]}))
    with pytest.raises(LabError, match="newest version"):
        run_report(own, lab.at(1), tmp_path / "out")
    with pytest.raises(LabError, match="not a parameter"):
        run_report(notebook_named("ship_compare_runs", lab), lab, tmp_path, {"lab": "x"})


@pytest.mark.slow
def test_a_failed_run_does_not_keep_the_verdict_before(lab: Lab, own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_report(own, lab, out).error is None
    assert "All good." in write_index(lab, out).read_text()
    failed = run_report(own, lab, out, {"good": False})
    assert failed.error == "ZeroDivisionError: division by zero"
    index = write_index(lab, out).read_text()
    assert "All good." not in index
    assert "It could not be computed: ZeroDivisionError" in index
