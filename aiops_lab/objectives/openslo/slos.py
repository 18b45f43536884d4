"""Objectives out of OpenSLO v1: every kind and reference, and all that is wrong, with its line.

What our own evaluator needs stands in a metricSource of the type ``aiops-lab``; any other source is
understood, and cannot be computed here. The specification's own examples are loose in places
(no budgetingMethod, an op beside a ratio, names with capitals, empty fields): these are warnings.
"""

from __future__ import annotations

from dataclasses import replace

from aiops_lab.objectives.grammar import (
    both,
    compared,
    read_duration,
    read_share,
    read_window,
    shown,
)
from aiops_lab.objectives.objective import (
    Budgeting,
    Criterion,
    Duration,
    Objective,
    Part,
    Window,
    composed,
)
from aiops_lab.objectives.openslo.alerts import alerts_of, condition_of, policy_of
from aiops_lab.objectives.openslo.documents import Value
from aiops_lab.objectives.openslo.fields import KINDS, OPERATORS, Fields, Reading, plain
from aiops_lab.objectives.openslo.slis import Indicator, indicator_of

VERSION = "openslo/v1"
METHODS: dict[str, Budgeting] = {
    "Occurrences": "occurrences", "Timeslices": "timeslices", "RatioTimeslices": "ratio_timeslices",
}  # fmt: skip


def objectives_of(documents: list[Value], reading: Reading) -> list[Objective]:
    """The objectives in documents, of one file or of several that refer to each other.

    Every object is checked, also one that nothing refers to. What is wrong is noted in `reading`;
    an SLO with an error gives no objective.
    """
    slos = []
    for value in [each for document in documents for each in _unrolled(document)]:
        fields = reading.fields(value, "object")
        if (kind := _kind(reading, fields)) is None or not {"metadata", "spec"} <= set(fields):
            continue
        name, _ = reading.named(fields["metadata"])
        if (kind, name) in reading.objects:
            reading.add(fields["metadata"], f"there is another {kind} called {shown(name)}")
            continue
        reading.objects[kind, name] = fields
        slos += [fields] if kind == "SLO" else []
    for (kind, _), fields in list(reading.objects.items()):
        if kind != "SLO":
            _checked(reading, kind, fields)
    found: list[Objective] = []
    for fields in slos:
        before = len(reading.problems)
        made = _slo(reading, fields)
        found += [] if any(p.level == "error" for p in reading.problems[before:]) else made
    return found


def _unrolled(value: Value) -> list[Value]:
    """The objects of a document: one, a list of them, or a List with items."""
    inner = value.data
    if isinstance(inner, dict) and "items" in inner and plain(inner.get("kind", value)) == "List":
        inner = inner["items"].data
    return inner if isinstance(inner, list) else [value]


def _kind(reading: Reading, fields: Fields) -> str | None:
    version = reading.text(fields, "apiVersion")
    if version is not None and version != VERSION:
        reading.add(fields["apiVersion"], f"only {VERSION} is read, not {shown(version)}")
        return None
    return reading.text(fields, "kind", KINDS) if version else None


def _checked(reading: Reading, kind: str, fields: Fields) -> None:
    match kind:
        case "SLI":
            indicator_of(reading, fields["spec"])
        case "AlertPolicy":
            policy_of(reading, fields)
        case "AlertCondition":
            condition_of(reading, fields)
        case _:
            reading.simple(fields["spec"], kind)


def _slo(reading: Reading, fields: Fields) -> list[Objective]:
    name, display = reading.named(fields["metadata"])
    spec = reading.fields(fields["spec"], "SLO")
    if "budgetingMethod" not in spec:
        reading.warn(fields["spec"], "no budgetingMethod is given: Occurrences is assumed")
    goals, service = reading.items(spec, "objectives"), reading.text(spec, "service")
    if service and any(kind == "Service" for kind, _ in reading.objects):
        reading.referred("Service", spec["service"], service)
    method = METHODS.get(reading.text(spec, "budgetingMethod", METHODS) or "Occurrences")
    common = Objective(
        name, 0.0, window=_window(reading, spec, fields["spec"]), budgeting=method or "occurrences",
        alerts=tuple(alerts_of(reading, spec)), display=display,
        description=reading.described(spec), service=service or "",
        place=f"{fields['metadata'].file}:{fields['metadata'].line}",
    )  # fmt: skip
    own = {"indicator", "indicatorRef"}
    composite = any(isinstance(goal.data, dict) and own & set(goal.data) for goal in goals)
    if composite and own & set(spec):
        reading.add(fields["spec"], "an indicator is either the SLO's or its objectives' own")
        return []
    if composite:
        return _composite(reading, common, goals)
    indicator = _used(reading, fields["spec"], spec)
    if indicator is None:
        return []
    if indicator.threshold and len(goals) > 1:
        reading.add(goals[1], "a thresholdMetric has one objective; write another SLO")
    made = [_objective(reading, goal, common, indicator) for goal in goals]
    return _named_apart([goal for goal in made if goal], name)


def _named_apart(goals: list[Objective], name: str) -> list[Objective]:
    """Several objectives of one SLO are told apart by what they are called, else by number."""
    if len(goals) == 1:
        return goals
    shown_names = [goal.display for goal in goals]
    return [
        replace(goal, name=f"{name}/{goal.display if shown_names.count(goal.display) == 1 else i}")
        for i, goal in enumerate(goals, 1)
    ]


def _composite(reading: Reading, common: Objective, goals: list[Value]) -> list[Objective]:
    parts: list[Part] = []
    for goal in goals:
        fields = reading.fields(goal, "objective")
        indicator = _used(reading, goal, fields)
        weight = reading.number(fields, "compositeWeight")
        if weight is not None and not 0 < weight < 1e6:
            reading.add(fields["compositeWeight"], "compositeWeight is above 0")
        part = indicator and _objective(reading, goal, replace(common, alerts=()), indicator)
        if part:
            parts.append(Part(part, 1.0 if weight is None else weight))
    if not parts:
        return []
    named = _named_apart([part.objective for part in parts], common.name)
    parts = [replace(part, objective=own) for part, own in zip(parts, named, strict=True)]
    return [composed(common, parts)]


def _used(reading: Reading, at: Value, fields: Fields) -> Indicator | None:
    """The indicator that an SLO or a composite's objective has or refers to: one of the two."""
    which = reading.either(at, fields, "an SLO", "indicator", "indicatorRef")
    if which == "indicator":
        own = reading.fields(fields["indicator"], "inline object")
        reading.text(own, "kind", ["SLI"])
        if "metadata" in own:
            reading.named(own["metadata"])
        return indicator_of(reading, own["spec"]) if "spec" in own else None
    if which is None:
        return None
    found = reading.referred("SLI", fields[which], reading.text(fields, which))
    return indicator_of(reading, found["spec"]) if found else None


def _objective(
    reading: Reading, value: Value, common: Objective, indicator: Indicator
) -> Objective | None:
    fields = reading.fields(value, "objective")
    target = _target(reading, value, fields)
    criterion = _criterion(reading, value, fields, indicator)
    slices = _slices(reading, value, fields, common)
    if "compositeWeight" in fields and not {"indicator", "indicatorRef"} & set(fields):
        reading.add(fields["compositeWeight"], "a compositeWeight needs an indicator beside it")
    display = reading.text(fields, "displayName") or common.display
    if target is None or (criterion is None and not indicator.why):
        return None
    return replace(
        common, target=target, metric=indicator.metric, criterion=criterion, display=display,
        filter=indicator.filter, sampling=indicator.sampling, judge=indicator.judge,
        exclusions=indicator.exclusions, why=indicator.why, timeslice_target=slices[0],
        timeslice_window=slices[1], place=f"{value.file}:{value.line}",
    )  # fmt: skip


def _target(reading: Reading, value: Value, fields: Fields) -> float | None:
    which = reading.either(value, fields, "an objective", "target", "targetPercent")
    if which is None or (percent := reading.number(fields, which)) is None:
        return None
    if which == "target":
        return reading.read(fields[which], read_share, percent, which)
    if not 0 <= percent < 100:
        told = f"targetPercent is from 0 to below 100, not {percent:g}"
        return reading.add(fields["targetPercent"], told)
    if 0 < percent <= 1:
        reading.warn(fields["targetPercent"], f"targetPercent {percent:g} means {percent:g} %")
    return round(percent / 100, 14)


def _criterion(
    reading: Reading, value: Value, fields: Fields, indicator: Indicator
) -> Criterion | None:
    """What is good: the source's range, the objective's op and value, or where both are, both."""
    sides = {key: fields[key] for key in ("op", "value") if key in fields}
    operator = reading.text(fields, "op", OPERATORS)
    limit, known = reading.number(fields, "value"), indicator.criterion
    if not indicator.threshold:
        for key, found in sides.items():
            reading.warn(found, f"{key} says nothing beside a ratioMetric")
        return known
    if len(sides) < 2:
        missing = " and ".join(key for key in ("op", "value") if key not in sides)
        told = f"a thresholdMetric's objective needs {missing}"
        reading.add(value, told, "warning" if known else "error")
        return known
    if operator is None or limit is None:
        return None
    if known and (known.kind != "range" or known.bad):
        reading.warn(value, "op and value are not used: the source says which values are good")
        return known
    side = compared(OPERATORS[operator], limit)
    return reading.read(sides["value"], both, known, side) if known else side


def _slices(
    reading: Reading, value: Value, fields: Fields, common: Objective
) -> tuple[float | None, Duration | None]:
    target = reading.number(fields, "timeSliceTarget")
    if target is not None and not 0 < target <= 1:
        reading.add(fields["timeSliceTarget"], f"timeSliceTarget is above 0 to 1, not {target:g}")
    length = None
    if found := fields.get("timeSliceWindow"):
        whole = isinstance(found.data, int) and not isinstance(found.data, bool)
        length = reading.read(found, read_duration, f"{found.data}m" if whole else found.data)
        if length and not 0 < length.days <= common.window.length.days:
            reading.add(found, f"a slice of {length.told} is not shorter than the window")
    needed = {"occurrences": (), "timeslices": ("timeSliceTarget", "timeSliceWindow")}
    own = needed.get(common.budgeting, ("timeSliceWindow",))
    for key in ("timeSliceTarget", "timeSliceWindow"):
        if key in own and key not in fields:
            reading.add(value, f"the budgetingMethod needs a {key}")
        elif key in fields and key not in own:
            reading.warn(fields[key], f"{key} says nothing with this budgetingMethod")
    return (target if "timeSliceTarget" in own else None), (length if own else None)


def _window(reading: Reading, spec: Fields, at: Value) -> Window:
    if "timeWindow" not in spec:
        reading.warn(at, "no timeWindow is given: the last 28 days are assumed")
        return Window()
    for item in reading.items(spec, "timeWindow", most=1):
        fields = reading.fields(item, "time window")
        rolling, calendar = reading.truth(fields, "isRolling"), fields.get("calendar")
        if "duration" not in fields:
            break
        if rolling is None and "isRolling" not in fields and calendar is None:
            reading.warn(item, "isRolling is not given: true is assumed")
            rolling = True
        if calendar is None and not rolling:
            reading.add(item, "isRolling is false, and no calendar says when periods start")
        elif calendar is not None and rolling:
            reading.add(calendar, "a rolling window has no calendar")
        start, zone = None, "UTC"
        if calendar is not None:
            own = reading.fields(calendar, "calendar")
            start, zone = reading.text(own, "startTime"), reading.text(own, "timeZone")
            if "timeZone" not in own:
                reading.warn(calendar, "no timeZone is given: UTC is assumed")
        length, found = fields["duration"], None
        found = reading.read(
            length, read_window, length.data, rolling=bool(rolling), start=start,
            timezone=zone or "UTC",
        )  # fmt: skip
        if found and found.length.days < 1:
            told = f"a window of {found.length.told} is short; m is minutes, M is months"
            reading.warn(length, told)
        return found or Window()
    return Window()
