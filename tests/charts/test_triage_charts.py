"""Pictures of a triage: all can be drawn, of an incident and where there is none."""

from __future__ import annotations

import pytest

from aiops_lab import Triage, open_lab, triage
from aiops_lab.charts import triage as pictures
from aiops_lab.charts.cases import Cases
from aiops_lab.charts.table import Table
from tests.charts.test_attribution_charts import EVIL, drawn, rows_of, said
from tests.respond.incidents import incident

ALL = (
    pictures.suspects, pictures.board, pictures.over_time, pictures.split, pictures.moved,
    pictures.changes,
)  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Triage:
    case = incident(7, 200, cause="prompt", unlogged=0.0)
    changes = case.changes.with_columns(name=case.changes["artefact"] + EVIL)
    window = (case.began, case.traffic["at"].max())
    return triage(case.traffic, window, metric="bad", changes=changes)


def test_the_likeliest_suspect_is_drawn_first(found: Triage) -> None:
    rows = rows_of(drawn(pictures.suspects(found)))
    first = [row for row in rows if row["first"]]
    assert first[0]["probability"] == pytest.approx(
        100 * found.suspects["probability"][0], abs=0.06
    )
    assert "prompt" in first[0]["name"]


def test_both_sides_are_drawn_over_time_and_no_rate_is_below_zero(found: Triage) -> None:
    rows = [row for row in rows_of(drawn(pictures.over_time(found))) if "low" in row]
    assert {row["side"] for row in rows} == {"exposed", "not exposed"}
    assert min(row["low"] for row in rows) >= 0


def test_tables_tell_the_evidence(found: Triage) -> None:
    board, moved = pictures.board(found), pictures.moved(found)
    assert isinstance(board, Table) and "points" in board.rows[0][2][0]
    assert isinstance(moved, Table) and moved.columns[-1] == "typical of a broken prompt"


@pytest.mark.parametrize("picture", ALL)
def test_without_an_incident_a_sentence_stands_there(picture, tmp_path) -> None:
    shown = picture(triage(open_lab(tmp_path / "lab")))
    assert isinstance(shown, Cases) and said(shown)


def test_both_versions_are_shown_where_the_lab_knows_them(found: Triage) -> None:
    import polars as pl

    row = found.suspects.row(0, named=True)
    known = pl.DataFrame(
        {"artefact": "prompt", "version": [row["from_version"], row["version"]],
         "digest": ["a", "b"], "content": ["Be brief.", "Be kind."]}
    )  # fmt: skip
    assert len(pictures.reworded(found, known).cases) == 1
    assert not pictures.reworded(found, known.clear()).cases
