"""The folder of reports: replaced in one step, history kept, old links valid, worst first."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_lab import Lab, Verdict
from aiops_lab.errors import BadSettings
from aiops_lab.reports.site import Place, publish, trend, write_index
from aiops_lab.verdict import Evidence

START = datetime(2026, 5, 1, 6, tzinfo=UTC)


def report(
    lab: Lab, out: Path, name: str, day: int, status: str = "ok", value: float = 0.5, **kept
) -> Place:
    place = Place(out, name, START + timedelta(days=day))
    publish(place, f"<html>{name} {day}</html>", "{}", **kept)
    rows = (Evidence("correct", value, value - 0.1, value + 0.1),)
    lab.record(name, Verdict(status, f"Day {day}.", rows), {}, place.as_of)
    return place


def test_latest_is_the_newest_time_not_the_last_written(lab: Lab, tmp_path: Path) -> None:
    newest = report(lab, tmp_path, "nightly", 3)
    report(lab, tmp_path, "nightly", 1)
    assert newest.latest.read_text() == "<html>nightly 3</html>"
    assert newest.page.read_text() == "<html>nightly 3</html>"
    # the notebook is reached from both addresses
    for page in (newest.page, newest.latest):
        assert (page.parent / newest.link).resolve() == newest.notebook.resolve()


@pytest.mark.parametrize("keep", [3, timedelta(days=2)])
def test_what_is_not_kept_leaves_a_page_that_leads_on(lab: Lab, tmp_path: Path, keep) -> None:
    places = [report(lab, tmp_path, "nightly", day, keep=keep) for day in range(6)]
    assert [place.notebook.exists() for place in places] == [False] * 3 + [True] * 3
    for place in places[:3]:
        text = place.page.read_text()
        assert "no longer kept" in text
        assert 'href="../latest/nightly.html"' in text
    index = write_index(lab, tmp_path).read_text()
    for place in places:
        assert f"nightly/{place.page.name}" in index


def test_the_index_shows_the_latest_verdict_the_worst_report_first(
    lab: Lab, tmp_path: Path
) -> None:
    for day in range(3):
        report(lab, tmp_path, "good", day)
        report(lab, tmp_path, "bad", day, "fail" if day == 2 else "ok", 0.5 - day / 10)
    text = write_index(lab, tmp_path).read_text()
    assert text.index("latest/bad.html") < text.index("latest/good.html")
    assert text.count("Day 2.") == 4, "a headline in a card, and one in the grid, of each"
    assert "correct over 3 reports: 0.500 to 0.300" in text
    assert "1 May" in text
    assert "3 May" in text


def test_a_report_made_again_for_its_time_is_one_report(lab: Lab, tmp_path: Path) -> None:
    report(lab, tmp_path, "nightly", 1, "fail")
    report(lab, tmp_path, "nightly", 1, "ok")
    text = write_index(lab, tmp_path).read_text()
    assert "fail" not in text.split("</style>")[1]
    assert len(list((tmp_path / "nightly").glob("*.html"))) == 1


def test_a_trend_needs_two_figures_and_leaves_gaps_out() -> None:
    def row(value: float | None) -> dict:
        return {"evidence": json.dumps([{"name": "a", "value": value, "low": None, "high": None}])}

    assert trend([row(1.0)]) is None
    assert trend([{"evidence": "[]"}, {"evidence": "[]"}]) is None
    found = trend([row(1.0), row(None), {"evidence": "[]"}, row(1.0)])
    assert found is not None
    assert found["count"] == 2


@pytest.mark.parametrize("name", ["..", "latest", "../x", "a/b", "", ".hidden", "a\x00b"])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSettings, match="cannot be called"):
        Place(tmp_path, name, START)
