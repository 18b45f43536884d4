"""Widgets of an incident, driven as a reader would: window, suspects, requests, attacks."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest

from aiops_lab import Lab, Triage, triage, widgets
from aiops_lab.verdict import WIDGET_MIME
from tests.conftest import DATA
from tests.respond.test_contrast import Frames, pair_of_requests
from tests.widgets.test_widgets import told

HOSTILE = "\u202e<img src=x onerror=alert(1)></script>\x1b[31m\u200b"
REPORT = DATA / "garak-0.17.1" / "repeat.report.jsonl"


@pytest.fixture(scope="module")
def found(demo: Lab) -> Triage:
    return triage(demo, ("2026-10-15T10:00", "2026-10-22"), metric="yaml_valid")


def drag(picker: widgets.IncidentPicker, low: dt.datetime, high: dt.datetime) -> None:
    ends = [end.timestamp() * 1000 for end in (low, high)]
    picker.chart._vl_selections = {"days": {"value": {"day": ends}, "store": []}}


def at(day: int, hour: int, month: int = 10) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, tzinfo=dt.UTC)


def test_days_under_the_brush_are_the_window(demo: Lab, found: Triage) -> None:
    picker = widgets.pick_incident(demo, found)
    assert picker.value == {
        "window": (at(15, 10), dt.date(2026, 10, 21)), "metric": "yaml_valid", "where": None
    }  # fmt: skip
    assert "prompt lotte-answer 14" in told(picker.ranking.value)
    drag(picker, at(14, 13), at(20, 2))
    assert picker.value["window"] == (dt.date(2026, 10, 15), dt.date(2026, 10, 20))
    drag(picker, at(14, 13), at(14, 20))
    assert picker.value["window"] == (dt.date(2026, 10, 14), dt.date(2026, 10, 15))
    picker.began.value = "2026-10-13T08:30"
    assert picker.value["window"][0] == dt.datetime(2026, 10, 13, 8, 30, tzinfo=dt.UTC)
    drawn = picker.chart.chart.to_dict()
    (brush,) = [each for each in drawn["params"] if each["name"] == "days"]
    drag(picker, *(dt.datetime.fromtimestamp(end / 1000, dt.UTC) for end in brush["value"]["x"]))
    assert picker.began.value == "2026-10-13T08:30", "what was drawn and comes back is no drag"


def test_the_window_is_weighed_and_others_follow(demo: Lab, found: Triage) -> None:
    picker = widgets.pick_incident(demo, found)
    explorer = widgets.explore_suspects(picker, demo.table("artefacts"))
    requests = widgets.compare_requests(demo, picker)
    assert explorer.value["version"] == "14"
    first = requests.first.value
    picker.metric.value, picker.part.value = "refusal", "slice=bookings"
    picker.began.value, picker.ended.value = "2026-10-20", "2026-11-03"
    picker.button.click()
    assert picker.result.settings["where"] == "slice=bookings"
    assert explorer.value["artefact"] == "provider"
    assert "provider fingerprint" in told(picker.ranking.value)
    assert requests.first.value != first
    assert not picker.button.disabled


def test_what_cannot_be_weighed_is_said(demo: Lab, lab: Lab) -> None:
    picker = widgets.pick_incident(demo)
    assert picker.result is None and picker.verdict.value == ""
    assert picker.value["window"] == (dt.date(2026, 11, 16), dt.date(2026, 11, 22))
    picker.began.value = HOSTILE
    assert picker.button.disabled and picker.value == {}
    assert "is no time" in told(picker.hint.value) and "<img" not in picker.hint.value
    picker.began.value, picker.ended.value = "2026-11-20", "2026-11-10"
    assert "ends before it begins" in told(picker.hint.value)
    picker.ended.value = ""
    assert picker.value["window"][1] is None
    picker.metric.value = "incomplete"
    picker.button.click()
    assert "no figure &#x27;incomplete&#x27;" in picker.hint.value
    empty = widgets.pick_incident(lab)
    assert "holds no traffic yet" in told(empty.hint.value) and empty.button.disabled


def artefacts(old: str, new: str, versions: tuple[str, str] = ("13", "14")) -> pl.DataFrame:
    return pl.DataFrame({"artefact": "prompt", "version": versions, "content": [old, new]})


def test_a_suspect_is_shown_with_what_changed_in_it(found: Triage) -> None:
    texts = artefacts("Answer {{question}} briefly.", f"Answer {{question}} {HOSTILE}.")
    explorer = widgets.explore_suspects(found, texts)
    assert explorer.difference is not None
    shown = explorer.text.value
    assert "Template variables: {{question}} went; {question} came." in told(shown)
    assert "Hidden: direction (U+202E), 0 before, 1 after." in told(shown)
    assert "<ins" in shown and "<del" in shown
    assert "<img" not in shown and "</script" not in shown and "\u202e" not in shown
    assert "[U+202E]" in shown and "[U+001B]" in shown
    assert "other figures moved" in told(explorer.moved.value)
    explorer.suspect.value = 1
    assert explorer.value["artefact"] == found.suspects["artefact"][1]
    assert "are not in the lab" in told(explorer.note.value) and explorer.text.value == ""
    explorer.suspect.value = 0
    explorer.old.value = "14"
    assert "Both have the same words" in told(explorer.text.value)


def test_texts_that_are_not_there_and_no_incident_are_said(lab: Lab, found: Triage) -> None:
    none = widgets.explore_suspects(found, lab.table("artefacts"))
    assert "The texts of both versions of prompt" in told(none.note.value)
    assert none.old.layout.display == "none"
    empty = widgets.explore_suspects(triage(lab), lab.table("artefacts"))
    assert empty.value is None and "no incident" in told(empty.board.value)


def test_only_messages_that_differ_are_shown_and_long_ones_are_cut(found: Triage) -> None:
    chat = [{"role": "system", "content": "word " * 2000}, {"role": "user", "content": "Hi"}]
    new = [{**chat[0], "content": "word " * 2000 + "end"}, chat[1]]
    explorer = widgets.explore_suspects(found, artefacts(json.dumps(chat), json.dumps(new)))
    text = told(explorer.text.value)
    assert "system" in text and "user" not in text and "1 more of its parts are the same" in text
    assert "more …]" in text and len(text) < 2_000


def test_requests_lie_side_by_side() -> None:
    comparer = widgets.compare_requests(Frames(pair_of_requests()), first="a", second="b")
    shown = told(comparer.table.value)
    assert "≠ served by m-a" in shown and "≠ served by m-b" in shown
    assert "≠ only here" in shown and "≠ not there" in shown
    assert comparer.step.value == 4, "the last whose output differs"
    assert "<del" in comparer.texts.value and "At noon, " in told(comparer.texts.value)
    comparer.step.value = 2
    assert told(comparer.texts.value).count("No text was logged of either") == 2
    comparer.second.value = HOSTILE
    assert "no request is called" in told(comparer.table.value)
    assert "<img" not in comparer.table.value and comparer.texts.value == ""
    assert comparer.value.is_empty() and comparer.step.layout.display == "none"


def test_hostile_spans_are_only_ever_text(lab: Lab) -> None:
    bad = [pl.lit(HOSTILE).alias(n) for n in ("name", "model_served", "input", "output", "status")]
    comparer = widgets.compare_requests(
        Frames(pair_of_requests().with_columns(bad)), first="a", second="b"
    )
    for n in range(5):
        comparer.step.value = n
        for box in (comparer.table, comparer.texts):
            assert "<img" not in box.value and "\u202e" not in box.value
            assert "\x1b" not in box.value
    assert "\u202e" not in comparer.step.options[1][0]
    nothing = widgets.compare_requests(lab)
    assert "No request to show" in told(nothing.table.value)


def test_attacks_are_walked_through(lab: Lab) -> None:
    lab.ingest(REPORT)
    rows = [{"run_id": "r", "sample_id": str(n), "metric": "attack_success/mitigation", "value": v,
             "probe": "dan.Dan", "input": HOSTILE, "output": f"no {n}"}
            for n, v in enumerate([1.0, 0.0, None])]  # fmt: skip
    lab.ingest(pl.DataFrame(rows))
    browser = widgets.browse_attacks(lab)
    whole = browser.found.height
    browser.probe.value = "dan.Dan"
    assert told(browser.counter.value) == "1 of 3" and browser.found.height < whole
    assert "dan.Dan, mitigation (1 not evaluated): 1 of 2 succeeded" in told(browser.rate.value)
    shown = browser.case.value
    assert "<img" not in shown and "\u202e" not in shown and "\x1b" not in shown
    assert "[U+202E]" in shown and "[U+200B]" in shown
    signs = []
    for outcome in ("succeeded", "resisted", "not evaluated"):
        browser.outcome.value = outcome
        assert browser.found.height == 1 and browser.next.disabled
        signs.append(told(browser.case.value).split(" · ")[0])
    assert signs == ["✕ succeeded", "✓ resisted", "? not evaluated"]
    browser.outcome.value = None
    browser.next.click()
    assert told(browser.counter.value) == "2 of 3" and browser.value["output"] == "no 1"
    browser.search.value = "no attempt has these words"
    assert browser.value is None and told(browser.case.value) == "No attempt is like that."


def test_where_nothing_was_tried_it_is_said(lab: Lab) -> None:
    browser = widgets.browse_attacks(lab)
    assert "No attack was tried" in told(browser.case.value)
    assert browser.value is None and browser.rate.value == ""


def test_the_attacks_of_the_demo_are_shown(demo: Lab) -> None:
    browser = widgets.browse_attacks(demo)
    assert "counter." in told(browser.case.value)
    assert browser.value is not None


def test_a_page_is_told_what_to_run(demo: Lab, found: Triage) -> None:
    made: list[Any] = [
        widgets.pick_incident(demo), widgets.compare_requests(demo), widgets.browse_attacks(demo),
        widgets.explore_suspects(found, demo.table("artefacts")),
    ]  # fmt: skip
    for widget in made:
        bundle = json.loads(json.dumps(widget._repr_mimebundle_()))
        assert "aiops-lab open" in bundle[WIDGET_MIME]["told"]
