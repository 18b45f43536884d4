"""OpenSLO v1 is understood in every kind and method; what is broken gives file, line and reason."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from aiops_lab.objectives.check import Checked, check_objectives
from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Criterion, Duration, Judge, Objective
from tests.objectives import documents


def checked(folder: Path, *texts: str) -> Checked:
    paths = [folder / f"{i}.yaml" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, "utf-8")
    return check_objectives(paths)


@pytest.fixture
def every(tmp_path: Path) -> dict[str, Objective]:
    found = checked(tmp_path, documents.ALL)
    assert found.problems == ()
    return {objective.name: objective for objective in found.objectives}


def test_a_threshold_with_our_settings_and_both_kinds_of_alerts(
    every: dict[str, Objective],
) -> None:
    found = every["grounded"]
    assert (found.target, found.metric, found.budgeting) == (0.95, "grounded", "occurrences")
    assert found.criterion == Criterion(low=0.8, high=1.0)
    assert (found.filter, found.sampling, found.judge) == (
        "language=de", 0.1, Judge(85, 100, 396, 400),
    )  # fmt: skip
    assert found.window.rolling and found.window.length == Duration(28, "d")
    assert (found.display, found.service) == ("Good", "help-desk")
    fast, slow = found.alerts
    assert (fast.name, fast.burn_rate, fast.severity, fast.strict) == (
        "on-call",
        5.6,
        "page",
        False,
    )
    assert (slow.window.told, slow.after.told, slow.targets) == ("1 day", "1 hour", ("board",))
    assert fast.targets == ("pager",)


def test_timeslices_in_a_calendar_with_an_indicator_and_a_source_by_reference(
    every: dict[str, Objective],
) -> None:
    inside, promised = every["refuses-little/inside"], every["refuses-little/promised"]
    assert (inside.target, promised.target) == (0.995, 0.99)
    assert inside.criterion == Criterion("events", bad=True)
    assert inside.budgeting == "timeslices" and inside.timeslice_target == 0.9
    assert inside.timeslice_window == Duration(1, "h")
    assert promised.timeslice_window == Duration(60, "m")
    assert not inside.window.rolling and inside.window.timezone == "Europe/Berlin"
    assert inside.window.start == datetime(2026, 1, 1)


def test_ratio_timeslices_of_a_latency_limit(every: dict[str, Objective]) -> None:
    found = every["fast"]
    assert found.budgeting == "ratio_timeslices" and found.timeslice_target is None
    assert found.criterion == Criterion(high=8.0)
    assert not found.window.rolling and found.window.length == Duration(1, "Q")


def test_a_composite_has_parts_with_weights(every: dict[str, Objective]) -> None:
    found = every["good-enough"]
    assert [(part.objective.name, part.weight) for part in found.parts] == [
        ("good-enough/answers", 3.0), ("good-enough/kind", 1.0),
    ]  # fmt: skip
    assert found.target == pytest.approx((3 * 0.97 + 0.93) / 4)
    assert found.parts[1].objective.criterion == Criterion(low=-0.2, above=True)
    assert found.computable


def test_a_raw_ratio_of_failures(every: dict[str, Objective]) -> None:
    assert every["supported"].criterion == Criterion("ratio", bad=True)


def test_files_refer_to_each_other(tmp_path: Path) -> None:
    found = checked(tmp_path, documents.SLICED, documents.REST)
    assert found.problems == () and len(found.objectives) == 2


def test_a_list_with_items_is_a_list(tmp_path: Path) -> None:
    items = "".join(f"  {line}\n" for line in documents.REST.splitlines())
    found = checked(tmp_path, f"kind: List\nitems:\n{items}---\n{documents.SLICED}")
    assert found.problems == () and len(found.objectives) == 2


def test_a_foreign_source_is_a_warning_and_cannot_be_computed(tmp_path: Path) -> None:
    found = checked(tmp_path, documents.FOREIGN)
    assert {problem.level for problem in found.problems} == {"warning"}
    assert "Prometheus" in found.problems[0].reason and not found.refused
    (objective,) = found.objectives
    assert not objective.computable and objective.target == 0.999


def test_what_the_specifications_own_examples_leave_out_is_a_warning(tmp_path: Path) -> None:
    found = checked(tmp_path, documents.LOOSE)
    assert not found.refused and len(found.objectives) == 1
    told = "\n".join(problem.reason for problem in found.problems)
    for reason in (
        "names are of a-z", "no AlertCondition called", "no AlertNotificationTarget called",
        "no budgetingMethod is given", "whether it is a counter", "has no spec",
        "op says nothing beside a ratioMetric", "m is minutes, M is months",
        "alertPolicies is empty",
    ):  # fmt: skip
        assert reason in told, reason


def test_an_extension_is_a_warning_and_a_slip_of_the_pen_is_refused(tmp_path: Path) -> None:
    extended = documents.RAW.replace("  service:", "  dashboard: x\n  service:")
    found = checked(tmp_path, extended)
    assert not found.refused and "SLO has no 'dashboard'; known are" in str(found.problems)
    found = checked(tmp_path, documents.RAW.replace("  service:", "  servise:"))
    assert found.refused and "did you mean service?" in str(found.problems)


@pytest.mark.parametrize("given", ["bad: [0, 0.2]", "good: [supported]", "bad: true"])
def test_op_and_value_do_not_change_what_the_source_says(tmp_path: Path, given: str) -> None:
    found = checked(tmp_path, documents.SLO.replace("range: [0.8, 1]", given), documents.ALERTS)
    (warning,) = found.problems
    assert warning.level == "warning" and "op and value are not used" in warning.reason
    assert found.objectives[0].criterion == read_criterion(**yaml.safe_load(given))


WHOLE, REST = documents.SLO, documents.ALERTS + "---\n" + documents.REST
TIMED, COMPOSITE, MEAN, RAW = documents.SLICED, documents.COMPOSITE, documents.MEAN, documents.RAW
BROKEN = [
    # text, what is replaced, by what, line (of the whole stream), reason
    (WHOLE, "openslo/v1\nkind: SLO", "openslo/v2\nkind: SLO", 1, "only openslo/v1 is read"),
    (WHOLE, "apiVersion: openslo/v1\nkind: SLO", "kind: SLO", 1, "needs apiVersion"),
    (WHOLE, "kind: SLO", "kind: Slo", 2, "did you mean SLO?"),
    (WHOLE, "kind: SLO", "kind: Deployment", 2, "kind is Service or SLO"),
    (WHOLE, "kind: SLO\n", "", 1, "needs kind"),
    (WHOLE, "  name: grounded\n", "", 3, "metadata needs name"),
    (WHOLE, "name: grounded\n", "name: well grounded\n", 4, "is no name"),
    (WHOLE, "name: grounded\n", "name: 7\n", 4, "name is a text, not 7"),
    (WHOLE, "name: grounded\n", "name: a\n  name: b\n", 5, "stands here twice"),
    (WHOLE, "    tier: gold", "    -tier: gold", 8, "is no key of labels"),
    (WHOLE, "    team: [help-desk, search]\n    tier: gold", "    gold", 6, "labels are a mapping"),
    (WHOLE, "Answers say what", "x" * 1051, 12, "over 1050 characters"),
    (WHOLE, "  service: help-desk\n", "", 11, "needs service"),
    (WHOLE, "  service: help-desk", "  service: [a]", 13, "service is a text"),
    (WHOLE, "  service: help-desk", "  service: helpdesk", 13, "did you mean help-desk?"),
    (WHOLE, "  indicator:\n", "  indicatorRef: refusals\n  indicator:\n", 11, "both, not one"),
    (TIMED, "  indicatorRef: refusals\n", "", 5, "indicatorRef: it has neither"),
    (TIMED, "indicatorRef: refusals", "indicatorRef: refusal", 7, "did you mean refusals?"),
    (TIMED, "indicatorRef: refusals", "indicatorRef: nothing", 7, "no SLI called 'nothing'"),
    (WHOLE, "thresholdMetric:", "tresholdMetric:", 18, "did you mean thresholdMetric?"),
    (WHOLE, "type: aiops-lab", "type: AIOps_Lab", 19, "the type is aiops-lab"),
    (WHOLE, "          type: aiops-lab\n", "", 19, "has a type, or refers"),
    (WHOLE, "            metric: grounded\n", "", 21, "needs metric"),
    (WHOLE, "sampling: 0.1", "sampling: 10", 25, "sampling is a share from 0 to 1, not 10"),
    (WHOLE, "sampling: 0.1", "sampling: 0", 25, "sampling is above 0"),
    (WHOLE, "sampling: 0.1", 'exclude: [{from: "2026-05-01", till: "2026-05-02", reason: a}]', 25,
     "exclusion has no 'till'"),
    (WHOLE, "sampling: 0.1", 'exclude: [{from: "2026-05-01", until: "2026-05-02"}]', 25,
     "exclusion needs reason"),
    (WHOLE, "sampling: 0.1", 'exclude: [{from: "2026-05-02", until: "2026-05-01", reason: a}]', 25,
     "ends after it begins"),
    (WHOLE, "sampling: 0.1", 'exclude: [{from: 14, until: "2026-05-01", reason: a}]', 25,
     "14 is no moment"),
    (WHOLE, "filter: language=de", "filter: german", 24, "a filter is a slice"),
    (WHOLE, "range: [0.8, 1]", "range: [1, 0.8]", 23, "from low to high"),
    (WHOLE, "range: [0.8, 1]", "range: [0, 0.7]", 38, "no value is both"),
    (WHOLE, "range: [0.8, 1]", "rage: [0.8, 1]", 23, "did you mean range?"),
    (WHOLE, "true_positives: 85", "true_positives: 850", 26, "true_positives are 0 to positives"),
    (WHOLE, "              negatives: 400\n", "", 26, "judge needs negatives"),
    (WHOLE, "    - duration: 28d", "    - duration: 28D", 32, "'28D' is no duration"),
    (WHOLE, "    - duration: 28d", "    - duration: 28", 32, "28 is no duration"),
    (WHOLE, "    - duration: 28d", "    - duration: 0d", 32, "longer than nothing"),
    (WHOLE, "isRolling: true", "isRolling: maybe", 33, "true or false, not 'maybe'"),
    (WHOLE, "isRolling: true", "isRolling: false", 32, "no calendar says when"),
    (WHOLE, "      isRolling: true", "      isRolling: true\n    - duration: 1d", 31, "exactly"),
    (TIMED, "isRolling: false", "isRolling: true", 10, "a rolling window has no calendar"),
    (TIMED, "2026-01-01 00:00:00", "2026-13-01 00:00:00", 9, "is not a local time"),
    (TIMED, "Europe/Berlin", "Europe/Berlim", 9, "is no time zone"),
    (TIMED, "        startTime: 2026-01-01 00:00:00\n", "", 10, "calendar needs startTime"),
    (WHOLE, "Method: Occurrences", "Method: occurrences", 34, "did you mean Occurrences?"),
    (WHOLE, "target: 0.95", "target: 95", 39, 'did you mean "95 %"?'),
    (WHOLE, "target: 0.95", "target: 1", 39, "from 0 to below 1"),
    (WHOLE, "target: 0.95", "target: .nan", 39, "target is a number"),
    (WHOLE, "target: 0.95", "target: 0.95\n      targetPercent: 95", 36, "it has both"),
    (WHOLE, "      target: 0.95\n", "", 36, "it has neither"),
    (WHOLE, "op: gte", "op: ge", 37, "op is gte or lte or gt or lt"),
    (COMPOSITE, "      op: gt\n", "", 16, "needs op"),
    (TIMED, "targetPercent: 99.5", "targetPercent: 100", 17, "from 0 to below 100"),
    (TIMED, "      timeSliceTarget: 0.9\n      timeSliceWindow: 60", "      timeSliceWindow: 60",
     20, "needs a timeSliceTarget"),
    (TIMED, "timeSliceTarget: 0.9\n      timeSliceWindow: 60", "timeSliceTarget: 90\n"
     "      timeSliceWindow: 60", 22, "above 0 to 1"),
    (TIMED, "timeSliceWindow: 1h", "timeSliceWIndow: 1h", 19, "did you mean timeSliceWindow?"),
    (TIMED, "timeSliceWindow: 1h", "timeSliceWindow: 2Y", 19, "not shorter than the window"),
    (MEAN, "      timeSliceWindow: 5m\n", "", 28, "needs a timeSliceWindow"),
    (MEAN, "    - target: 0.99", "    - budgetingMethod: Timeslices\n      target: 0.99", 28,
     "belongs elsewhere"),
    (MEAN, '"<= 8"', '"=< 8"', 16, "does not say which values"),
    (MEAN, "{metric: latency_s}", "{metric: tokens_in}", 17, "total counts all answers"),
    (MEAN, "        total:", "        bad:\n          metricSource: {type: aiops-lab, spec: "
     "{metric: latency_s}}\n        total:", 11, "either good or bad"),
    (RAW, "        rawType: failure\n", "", 11, "raw needs rawType"),
    (RAW, "rawType: failure", "rawType: failures", 12, "rawType is success or failure"),
    (RAW, "  objectives:\n    - target: 0.98\n", "", 5, "SLO needs objectives"),
    (RAW, "  objectives:\n    - target: 0.98", "  objectives: []", 21, "at least one item"),
    (COMPOSITE, "compositeWeight: 3", "compositeWeight: 0", 15, "compositeWeight is above 0"),
    (COMPOSITE, "  timeWindow:", "  indicatorRef: refusals\n  timeWindow:", 5, "objectives' own"),
    (WHOLE, "    - displayName: Good", "    - {op: gt, value: 1, target: 0.9}\n    - displayName: "
     "Good", 37, "a thresholdMetric has one objective"),
    (WHOLE, "alertPolicyRef: on-call", "alertPolicyRef: on-cal", 41, "did you mean on-call?"),
    (WHOLE, "severity: ticket", "urgency: ticket", 51, "needs severity"),
    (WHOLE, "kind: burnrate", "kind: burn", 54, "kind is burnrate"),
    (WHOLE, "threshold: 2", "threshold: two", 56, "threshold is a number, not 'two'"),
    (WHOLE, "threshold: 2", "threshold: -2", 56, "a burn rate is above 0"),
    (WHOLE, "lookbackWindow: 1d", "lookbackWindow: 1 d", 57, "'1 d' is no duration"),
    (WHOLE, "alertAfter: 1h", "alertAfter: soon", 58, "no duration"),
    (WHOLE, "          - kind: AlertCondition\n", "          - conditionRef: fast-burn\n          "
     "- kind: AlertCondition\n", 47, "exactly one item"),
    (WHOLE, "kind: AlertPolicy", "kind: AlertCondition", 42, "kind is AlertPolicy"),
    (WHOLE, "  budgetingMethod: Occurrences", "  budgetingMethod Occurrences", 34, "not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "old", "new", "line", "reason"),
    [pytest.param(*case, id=f"{i}-{case[-1]}") for i, case in enumerate(BROKEN, 1)],
)
def test_broken_documents_give_file_line_and_reason(
    tmp_path: Path, text: str, old: str, new: str, line: int, reason: str
) -> None:
    assert text.count(old) >= 1
    found = checked(tmp_path, text.replace(old, new, 1), REST)
    assert found.refused
    errors = [problem for problem in found.problems if problem.level == "error"]
    assert any(
        problem.file == str(tmp_path / "0.yaml")
        and problem.line == line
        and reason in problem.reason
        for problem in errors
    ), [str(problem) for problem in errors]


def test_the_documents_that_were_broken_are_whole(tmp_path: Path) -> None:
    assert len({case[2:] for case in BROKEN}) >= 50
    for text in (WHOLE, TIMED, COMPOSITE, MEAN, RAW):
        assert not checked(tmp_path, text, REST).problems


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace("0.95", "95").replace("28d", "28D").replace("op: gte", "op: ge")
    found = checked(tmp_path, text, REST)
    assert len(found.problems) == 3 and not found.objectives
    both = [problem.line for problem in checked(tmp_path, f"{text}---\n{MEAN}", REST).problems]
    assert sorted(both) == both


def test_names_stand_once(tmp_path: Path) -> None:
    found = checked(tmp_path, MEAN, MEAN)
    assert [(Path(p.file).name, p.line) for p in found.problems if p.level == "error"] == [
        ("1.yaml", 3)
    ]


def test_every_kind_is_checked_even_where_nothing_refers_to_it(tmp_path: Path) -> None:
    broken = documents.ALERTS.replace("op: gte", "op: more").replace("target: pager", "target: [a]")
    broken += "---\n" + documents.REST.replace("type: aiops-lab", "type: 5").replace(
        "counter: true", "counter: 1"
    )
    told = "\n".join(map(str, checked(tmp_path, broken).problems))
    for reason in ("op is gte", "target is a text", "type is a text", "counter is true or false"):
        assert reason in told


@pytest.mark.parametrize("cut", range(0, len(documents.ALL), 97))
def test_half_a_document_never_raises(tmp_path: Path, cut: int) -> None:
    checked(tmp_path, documents.ALL[:cut] or "\n")


def test_any_value_of_another_type_never_raises(tmp_path: Path) -> None:
    lines = documents.ALL.splitlines()
    for i, new in itertools.product(range(0, len(lines), 2), ("[]", "{a: 1}", "~", "1e400", "''")):
        key, colon, _ = lines[i].partition(":")
        if colon:
            changed = [*lines[:i], f"{key}: {new}", *lines[i + 1 :]]
            checked(tmp_path, "\n".join(changed))
