"""Running a notebook: what is refused, and what a failure leaves behind."""

from __future__ import annotations

from pathlib import Path

import nbformat
import polars as pl
import pytest

from aiops_lab import Lab, LabError, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.reports.run import (
    Request,
    _named,
    notebook_named,
    reports_of,
    run_report,
    run_reports,
)  # fmt: skip
from aiops_lab.reports.site import write_index
from aiops_lab.settings import REPORT_NAME
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


@pytest.mark.slow
def test_reports_run_on_the_lab_they_are_given_as_it_was(
    lab: Lab, own: Path, tmp_path: Path
) -> None:
    lab.ingest(table_of({"a": [1.0]}))
    lab.ingest(table_of({"b": [1.0]}))
    notebook = nbformat.read(own, as_version=4)
    seen = "import aiops_lab as al; held = al.open_lab(); (held.version, held.runs().height)"
    notebook.cells.append(nbformat.v4.new_code_cell(seen))
    nbformat.write(notebook, own)
    for pinned, shown in ((lab.at(1), "(1, 1)"), (lab, "(2, 2)")):
        done = run_report(own, pinned, own.parent)
        output = nbformat.read(done.notebook, as_version=4).cells[-1].outputs[0]
        assert output.data["text/plain"] == shown
        assert f"version {shown[1]}" in done.page.read_text()
    assert nbformat.read(own, as_version=4) == notebook, "its source is never replaced"
    assert lab.table("verdicts")["lab_version"].sort().to_list() == [1, 2]


def test_the_lab_is_no_parameter(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not a parameter"):
        run_report(notebook_named("ship_compare_runs", lab), lab, tmp_path, {"lab": "x"})


@pytest.mark.slow
def test_a_failed_run_does_not_keep_the_verdict_before(lab: Lab, own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_report(own, lab, out, name="own").error is None
    assert "All good." in write_index(lab, out).read_text()
    failed = run_report(own, lab, out, {"good": False}, name="own")
    assert failed.error == "ZeroDivisionError: division by zero"
    index = write_index(lab, out).read_text()
    assert "All good." not in index
    assert "It could not be computed: ZeroDivisionError" in index


@pytest.mark.slow
def test_modules_beside_the_notebook_are_imported_as_in_jupyterlab(
    lab: Lab, own: Path, tmp_path: Path
) -> None:
    (tmp_path / "beside_it.py").write_text("ANSWER = 42")
    notebook = nbformat.read(own, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import beside_it; beside_it.ANSWER"))
    nbformat.write(notebook, own)
    done = run_report(own, lab, tmp_path / "out")
    assert done.error is None
    shown = nbformat.read(done.notebook, as_version=4).cells[-1].outputs[0]
    assert shown.data["text/plain"] == "42"


def test_scratch_is_no_report_and_a_broken_file_is_told(lab: Lab, own: Path) -> None:
    folder = lab.path / "notebooks"
    folder.mkdir()
    nbformat.write(nbformat.read(own, as_version=4), folder / "mine.ipynb")
    scratch = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    nbformat.write(scratch, folder / "scratch.ipynb")
    (folder / "broken.ipynb").write_text("{")
    found, problems, _ = reports_of(lab)
    names = [path.stem for path in found]
    assert "mine" in names
    assert not {"scratch", "broken"} & {*names}
    assert not [name for name in names if name.startswith("explore_")]
    assert len(problems) == 1
    assert "broken.ipynb" in problems[0]


def test_what_a_lab_holds_nothing_of_is_left_out(tmp_path: Path, own: Path) -> None:
    home = open_lab(tmp_path / "home")
    (home.path / "notebooks").mkdir()
    notebook = nbformat.read(own, as_version=4)
    for name, needs in (("mine", ["changes"]), ("odd", ["weather"])):
        notebook.metadata["aiops_lab"] = {"needs": needs}
        nbformat.write(notebook, home.path / "notebooks" / f"{name}.ipynb")
    found, problems, lacking = reports_of(home)
    assert [path.stem for path in found] == ["guard_security"]
    assert problems == [
        "odd.ipynb: it needs 'weather', which is no table and no setting of lab.toml"
    ]
    assert {path.stem: needs for path, needs in lacking.items()}["mine"] == ["changes"]
    run = pl.DataFrame({"run_id": ["a"], "sample_id": ["1"], "metric": ["m"], "value": [1.0]})
    (tmp_path / "changes.csv").write_text("at,artefact,to_version\n2026-05-12T10:00,prompt,2\n")
    home.ingest(run, tmp_path / "changes.csv")
    (home.path / "lab.toml").write_text('[retrieval]\ncorpus = "demo:handbook"\n', "utf-8")
    names = [path.stem for path in reports_of(home)[0]]
    assert {"mine", "ship_compare_runs", "ship_release_gate", "ship_chunking_retrieval"} < {*names}
    assert "watch_behaviour" not in names


def test_two_reports_of_one_name_are_refused(lab: Lab, own: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="two reports would be called 'own'"):
        run_reports([Request(own), Request(own, {"good": True})], lab, tmp_path)


@pytest.mark.parametrize("name", ["a question?", ".hidden", "latest"])
def test_any_name_of_a_notebook_makes_a_folder(lab: Lab, own: Path, name: str) -> None:
    path = own.rename(own.with_name(f"{name}.ipynb"))
    assert REPORT_NAME.fullmatch(_named(Request(path), {}))


ODD = {
    "a verdict with a key too many": "{'application/vnd.aiops-lab.verdict+json': {'odd': 1}}",
    "a verdict as text": "{'application/vnd.aiops-lab.verdict+json': 'ok'}",
    "a table without title": "{'application/vnd.aiops-lab.table+json': {'rows': []}}",
    "cases without cases": "{'application/vnd.aiops-lab.cases+json': {'title': 'a'}}",
    "a chart as text": "{'application/vnd.vegalite.v5+json': 'chart'}",
}


@pytest.mark.slow
def test_one_odd_notebook_stops_no_other(lab: Lab, own: Path, tmp_path: Path) -> None:
    requests = []
    for name, bundle in ODD.items():
        notebook = nbformat.read(own, as_version=4)
        source = f"from IPython.display import display\ndisplay({bundle}, raw=True)"
        notebook.cells = [notebook.cells[0], nbformat.v4.new_code_cell(source)]
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        requests.append(Request(tmp_path / f"{name}.ipynb"))
    notebook.cells[1].source = "import ipywidgets\nout = ipywidgets.Output()\nwith out: print(1)"
    nbformat.write(notebook, tmp_path / "widget.ipynb")
    made = run_reports(
        [*requests, Request(tmp_path / "widget.ipynb"), Request(own)], lab, tmp_path / "out"
    )
    assert [report.error is None for report in made] == [False] * len(ODD) + [True, True]
    for report in made[: len(ODD)]:
        assert "an output cannot be shown" in str(report.error)
        assert "could not be computed" in report.page.read_text()
    assert lab.table("verdicts")["status"].sort().to_list() == ["inconclusive"] * len(ODD) + ["ok"]


def test_a_folder_that_cannot_hold_reports_is_refused_first(
    lab: Lab, own: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    lab.ingest(table_of({"a": [1.0]}))
    for out, told in ((tmp_path / "file", "cannot be"), (lab.path / "tables" / "x", "tables")):
        with pytest.raises(BadSettings, match=told):
            run_report(own, lab, out)
