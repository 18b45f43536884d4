"""What an SLI measures: our own sources are read, those of others are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiops_lab.objectives.grammar import (
    read_criterion,
    read_exclusion,
    read_filter,
    read_judge,
    read_sampling,
    shown,
    turned,
)
from aiops_lab.objectives.objective import Criterion, Exclusion, Judge
from aiops_lab.objectives.openslo.documents import Value
from aiops_lab.objectives.openslo.fields import Fields, Reading, plain

OURS = "aiops-lab"


@dataclass(frozen=True)
class Indicator:
    """What an SLI measures; `why` says why that cannot be computed here."""

    threshold: bool
    metric: str | None = None
    criterion: Criterion | None = None
    filter: str | None = None
    sampling: float = 1.0
    judge: Judge | None = None
    why: str = ""
    exclusions: tuple[Exclusion, ...] = ()


def indicator_of(reading: Reading, value: Value) -> Indicator | None:
    """What the spec of an SLI measures; None where it cannot be understood."""
    fields = reading.fields(value, "SLI")
    reading.described(fields)
    match reading.either(value, fields, "an SLI", "thresholdMetric", "ratioMetric"):
        case "thresholdMetric":
            return _source(reading, fields["thresholdMetric"], True)
        case "ratioMetric":
            return _ratio(reading, fields["ratioMetric"])


def _ratio(reading: Reading, value: Value) -> Indicator | None:
    fields = reading.fields(value, "ratioMetric")
    if "counter" not in fields and "raw" not in fields:
        reading.warn(value, "ratioMetric says not whether it is a counter")
    reading.truth(fields, "counter")
    if (way := reading.either(value, fields, "a ratioMetric", "total", "raw")) != "total":
        return _raw(reading, value, fields) if way else None
    kind = reading.either(value, fields, "a ratioMetric with a total", "good", "bad")
    if kind is None:
        return None
    if "rawType" in fields:
        reading.add(fields["rawType"], "rawType belongs to raw")
    part, total = _source(reading, fields[kind]), _source(reading, fields["total"], whole=True)
    if not part or not total or part.why or total.why:
        return part and replace(part, why=part.why or (total.why if total else ""))
    if part.metric != total.metric or total.criterion or part.filter != total.filter:
        told = f"total counts all answers of {shown(part.metric)}, with the same filter"
        return reading.add(fields["total"], told)
    criterion = part.criterion or Criterion("events")
    return replace(part, criterion=turned(criterion) if kind == "bad" else criterion)


def _raw(reading: Reading, value: Value, fields: Fields) -> Indicator | None:
    for key in ("good", "bad"):
        if key in fields:
            reading.add(fields[key], f"raw is a ratio already; {key} does not go with it")
    told = reading.text(fields, "rawType", ("success", "failure"))
    if "rawType" not in fields:
        reading.add(value, "raw needs rawType, success or failure")
    found = _source(reading, fields["raw"], whole=True)
    return found and replace(found, criterion=Criterion("ratio", bad=told == "failure"))


def _source(
    reading: Reading, value: Value, threshold: bool = False, *, whole: bool = False
) -> Indicator | None:
    """What a metricSource says: ours is read, another is known and not computed.

    `whole`: of a total or a raw ratio, which says not what is good.
    """
    outer = reading.fields(value, "metric")
    if "metricSource" not in outer:
        return None
    fields = reading.fields(outer["metricSource"], "metricSource")
    at, kind = outer["metricSource"], reading.text(fields, "type")
    if "metricSourceRef" in fields:
        name = reading.text(fields, "metricSourceRef")
        source = reading.referred("DataSource", fields["metricSourceRef"], name)
        if source and kind is None:
            kind = reading.text(reading.fields(source["spec"], "DataSource"), "type")
    elif kind is None and "type" not in fields:
        return reading.add(at, "metricSource has a type, or refers to a DataSource")
    if kind == OURS:
        return _ours(reading, fields.get("spec", at), threshold, whole)
    if kind and kind.lower().replace("_", "-").replace(" ", "-") == OURS:
        return reading.add(at, f"the type is {OURS}, not {shown(kind)}")
    if "spec" not in fields:
        reading.warn(at, "metricSource has no spec: nothing says what to ask for")
    why = f"its metricSource is of the type {kind}, not {OURS}" if kind else "its source is unknown"
    reading.warn(at, f"understood, not computed here: {why}")
    return Indicator(threshold, why=why)


def _ours(reading: Reading, value: Value, threshold: bool, whole: bool) -> Indicator | None:
    fields = reading.fields(value, "aiops-lab spec")
    given = {key: plain(fields[key]) for key in ("good", "bad") if key in fields}
    criterion = None
    if given:
        at = next(fields[key] for key in given)
        criterion = reading.read(at, read_criterion, **given)
    if "range" in fields:
        found = reading.read(fields["range"], read_criterion, plain(fields["range"]))
        if criterion or (found and found.kind != "range"):
            return reading.add(fields["range"], "range is [low, high], and alone says what is good")
        criterion = found
    if whole and criterion:
        return reading.add(value, "a total or raw ratio does not say what is good")
    judge = None
    if "judge" in fields and len(reading.fields(fields["judge"], "judge")) == 4:
        judge = reading.read(fields["judge"], read_judge, plain(fields["judge"]))
    sampling, part = 1.0, None
    if "sampling" in fields:
        sampling = reading.read(fields["sampling"], read_sampling, plain(fields["sampling"])) or 1.0
    if "filter" in fields:
        part = reading.read(fields["filter"], read_filter, plain(fields["filter"]))
    metric = reading.text(fields, "metric")
    if metric is None:
        return None
    left_out = (_exclusion(reading, item) for item in reading.items(fields, "exclude"))
    exclusions = tuple(each for each in left_out if each)
    return Indicator(threshold, metric, criterion, part, sampling, judge, exclusions=exclusions)


def _exclusion(reading: Reading, value: Value) -> Exclusion | None:
    fields = reading.fields(value, "exclusion")
    given = [plain(fields[key]) for key in ("from", "until", "reason") if key in fields]
    return reading.read(value, read_exclusion, *given) if len(given) == 3 else None
