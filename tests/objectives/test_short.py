"""[[slo]] in ``lab.toml`` gives the same objectives, and its mistakes are named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.check import check_objectives
from aiops_lab.objectives.objective import Duration
from aiops_lab.objectives.short import objectives_in, read_toml
from aiops_lab.settings import TEMPLATE, settings_of
from tests.objectives import documents

GROUNDED = """\
[[slo]]
name = "grounded"
metric = "grounded"
good = "0.8 to 1"
target = "95 %"
window = "28d"
filter = "language=de"
sampling = 0.1
judge = { true_positives = 85, positives = 100, true_negatives = 396, negatives = 400 }
description = "Answers say what the timetable says."
exclude = [{ from = "2026-05-01T10:00", until = "2026-05-01T14:00", reason = "load test" }]
alerts = [
  { name = "on-call", budget = "5 %", window = "6h" },
  { name = "slow-burn", burn_rate = 2, window = "1d", after = "1h", severity = "ticket" },
]
"""


def test_the_short_form_is_the_same_objective_as_openslo(tmp_path: Path) -> None:
    times = 'from: "2026-05-01T12:00+02:00", until: "2026-05-01T14:00", reason: load test'
    exclude = f"sampling: 0.1\n            exclude: [{{{times}}}]"
    slo = documents.SLO.replace("sampling: 0.1", exclude)
    (tmp_path / "a.yaml").write_text(f"{slo}---\n{documents.ALERTS}")
    (theirs,) = check_objectives([tmp_path / "a.yaml"]).objectives
    (ours,) = objectives_in(settings_of(GROUNDED))
    assert [each.told for each in ours.exclusions] == [
        "2026-05-01 10:00 to 2026-05-01 14:00 UTC (load test)"
    ]
    assert ours.alerts[0].burn_rate == pytest.approx(5.6)
    alerts = tuple(
        replace(alert, targets=(), strict=False, burn_rate=round(alert.burn_rate, 9))
        for alert in theirs.alerts
    )
    given = replace(theirs, display="", service="", place="", alerts=alerts)
    mine = tuple(replace(alert, burn_rate=round(alert.burn_rate, 9)) for alert in ours.alerts)
    assert replace(ours, place="", alerts=mine) == given


def test_a_calendar_slices_and_a_composite() -> None:
    text = """
    [[slo]]
    name = "answers"
    metric = "refusal"
    bad = true
    target = 0.97
    window = "1M calendar"
    start = "2026-01-01"
    timezone = "Europe/Berlin"
    [[slo]]
    name = "fast"
    metric = "latency_s"
    good = "<= 8"
    target = 0.99
    budgeting = "timeslices"
    timeslice_target = 0.9
    timeslice_window = "1h"
    [[slo]]
    name = "good enough"
    parts = { answers = 3, fast = 1 }
    """
    answers, fast, whole = objectives_in(settings_of(text))
    assert not answers.window.rolling and answers.window.timezone == "Europe/Berlin"
    assert fast.timeslice_window == Duration(1, "h") and fast.timeslice_target == 0.9
    assert [part.objective for part in whole.parts] == [answers, fast]
    assert whole.target == pytest.approx(0.975)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("metric = ", "metrc = ", "did you mean 'metric'"),
        ('window = "28d"', 'windoww = "28d"', "did you mean 'window'"),
        ("burn_rate = 2", "burnrate = 2", "did you mean 'burn_rate'"),
        ("positives = 100,", "", "a judge has true_positives"),
        ("positives = 100", "positives = 10", "0 to positives, not 85 of 10"),
        ('"95 %"', "95", 'did you mean "95 %"'),
        ('"95 %"', "true", "target"),
        ('target = "95 %"', "", "a metric and a target, or parts"),
        ('"0.8 to 1"', '"0.8"', "which values are meant"),
        ('good = "0.8 to 1"', "", "what is good or what is bad"),
        ('"28d"', '"28D"', "no duration"),
        ('"28d"', '"28d calender"', "a window is such as"),
        ('"28d"', '"28d"\nstart = "2026-01-01"', "only a calendar has a start"),
        ("0.1", "10", "sampling is a share"),
        ("language=de", "german", "a filter is a slice"),
        ("burn_rate = 2", "burn_rate = 2, budget = 0.1", "either a burn_rate or a budget"),
        ('name = "grounded"', 'name = " "', "an slo has a name"),
        ('name = "grounded"', 'name = "grounded"\nbudgeting = "timeslice"', "budgeting is"),
        ('name = "grounded"', 'name = "grounded"\nbudgeting = "timeslices"', "timeslice_window"),
        ('name = "grounded"', 'name = "grounded"\nparts = { a = 1 }', "of its own"),
        ("until", "til", "did you mean 'until'"),
        ('reason = "load test"', 'reason = " "', "an exclusion has a reason"),
        (', reason = "load test"', "", "reason"),
        ("2026-05-01T14:00", "2026-05-01T09:00", "ends after it begins"),
        ("2026-05-01T14:00", "2pm", "'2pm' is no moment"),
    ],
)
def test_mistakes_are_named(old: str, new: str, reason: str) -> None:
    assert old in GROUNDED
    with pytest.raises(BadSettings, match=re.escape(reason)):
        objectives_in(settings_of(GROUNDED.replace(old, new, 1)))


def test_mistakes_of_a_file_have_lines() -> None:
    text = "# mine\n" + GROUNDED + GROUNDED.replace('"grounded"', '"b"').replace("28d", "28D")
    found, problems = read_toml("lab.toml", text.encode())
    assert len(found) == 1
    assert (problems[0].line, "'28D' is no duration" in problems[0].reason) == (17, True)
    for broken, line in ((text.replace("filter", "fliter", 1), 8), (text + "x = [", 32)):
        _, (problem,) = read_toml("lab.toml", broken.encode())
        assert problem.line == line
    _, (problem,) = read_toml("lab.toml", (GROUNDED * 2).encode())
    assert "two slos are called 'grounded'" in problem.reason


def test_the_template_shows_an_objective_that_works() -> None:
    part = TEMPLATE[TEMPLATE.index("# [[slo]]") : TEMPLATE.index("# What follows")]
    (found,) = objectives_in(settings_of(re.sub(r"(?m)^# ", "", part)))
    assert found.judge and found.alerts[0].burn_rate == pytest.approx(5.6)


@pytest.mark.parametrize("value", ["1e400", "nan", "9" * 400, "[]", "{}", "2026-01-01", '""', "-1"])
def test_any_value_of_another_type_is_refused_or_read(value: str) -> None:
    for key in re.findall(r"^(\w+) = ", GROUNDED, re.MULTILINE):
        text = re.sub(rf"(?m)^{key} = [^\[\n]*$", f"{key} = {value}", GROUNDED)
        found, problems = read_toml("lab.toml", text.encode())
        assert bool(found) != bool(problems)
