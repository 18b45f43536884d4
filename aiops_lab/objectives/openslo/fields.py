"""The fields of OpenSLO v1 objects: which are known and needed, and of which type each is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiops_lab.objectives.grammar import shown
from aiops_lab.objectives.objective import Level, Problem
from aiops_lab.objectives.openslo.documents import Value

Fields = dict[str, Value]
T = TypeVar("T")
SHAPES = {
    name: keys.split()
    for name, keys in {
        "object": "apiVersion! kind! metadata! spec!",
        "inline object": "apiVersion kind metadata! spec!",
        "metadata": "name! displayName labels annotations",
        "Service": "description",
        "DataSource": "description type! connectionDetails!",
        "SLO": "description service! indicator indicatorRef timeWindow budgetingMethod "
        "objectives! alertPolicies",
        "SLI": "description thresholdMetric ratioMetric",
        "AlertPolicy": "description alertWhenNoData alertWhenResolved alertWhenBreaching "
        "conditions! notificationTargets!",
        "AlertCondition": "description severity! condition!",
        "AlertNotificationTarget": "description target!",
        "time window": "duration! isRolling calendar",
        "calendar": "startTime! timeZone",
        "objective": "displayName op value target targetPercent timeSliceTarget timeSliceWindow "
        "indicator indicatorRef compositeWeight",
        "ratioMetric": "counter good bad total raw rawType",
        "metric": "metricSource!",
        "metricSource": "metricSourceRef type spec",
        "condition": "kind op! threshold! lookbackWindow! alertAfter",
        "aiops-lab spec": "metric! good bad range filter sampling judge exclude",
        "exclusion": "from! until! reason!",
        "judge": "true_positives! positives! true_negatives! negatives!",
        "reference to an AlertPolicy": "alertPolicyRef!",
        "reference to an AlertCondition": "conditionRef!",
        "reference to an AlertNotificationTarget": "targetRef!",
    }.items()
}
KINDS = ("Service", "SLO", "SLI", "DataSource", "AlertPolicy", "AlertCondition",
         "AlertNotificationTarget")  # fmt: skip
OWN = ("aiops-lab spec", "judge", "exclusion")
"""Shapes of ours: whatever is unknown in them is a mistake."""
EVERYWHERE = {key.rstrip("!") for keys in SHAPES.values() for key in keys}
OPERATORS = {"gte": ">=", "lte": "<=", "gt": ">", "lt": "<"}
DNS = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
NAME = re.compile(r"[A-Za-z0-9][\w.|/\\-]{0,254}", re.ASCII)
KEY = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?", re.ASCII)
TEXT = 1050
"""Characters that a description may have."""


@dataclass(frozen=True)
class Reading:
    """What was found wrong so far, and the objects by kind and name."""

    problems: list[Problem] = field(default_factory=list)
    objects: dict[tuple[str, str], Fields] = field(default_factory=dict)

    def add(self, at: Value, reason: str, level: Level = "error") -> None:
        """Note what is wrong at a value."""
        self.problems.append(Problem(at.file, at.line, reason, level))

    def warn(self, at: Value, reason: str) -> None:
        """Note what is loose or unknown at a value."""
        self.add(at, reason, "warning")

    def near(self, name: str, names: Iterable[str]) -> list[str]:
        """The name that was meant, if any is; not where names or mistakes are past all sense."""
        sane = len(name) <= 255 and len(self.problems) < 1000
        return difflib.get_close_matches(name, list(names)[:1000], 1, 0.8) if sane else []

    def either(self, at: Value, fields: Fields, what: str, one: str, other: str) -> str | None:
        """Which of two fields there is, of which there must be one."""
        if (one in fields) != (other in fields):
            return one if one in fields else other
        told = "both, not one" if one in fields else "neither"
        return self.add(at, f"{what} has either {one} or {other}: it has {told}")

    def fields(self, value: Value, shape: str) -> Fields:
        """The known fields of a mapping that are not empty; what is missing or unknown is noted."""
        if not isinstance(value.data, dict):
            self.add(value, f"{shape} is a mapping, not {shown(plain(value))}")
            return {}
        known = [key.rstrip("!") for key in SHAPES[shape]]
        needed = [key[:-1] for key in SHAPES[shape] if key.endswith("!")]
        for key, found in value.data.items():
            if key not in known:
                self._unknown(found, key, shape, known)
            elif found.data is None and key not in (*needed, "spec"):
                self.warn(found, f"{key} is empty")
        filled = {k: v for k, v in value.data.items() if k in known and v.data is not None}
        for key in needed:
            if key not in filled:
                self.add(value.data.get(key, value), f"{shape} needs {key}")
        return filled

    def _unknown(self, at: Value, key: str, shape: str, known: list[str]) -> None:
        """A slip of the pen, or a key of another place, is refused; others may be extensions."""
        small = {name.lower(): name for name in known}
        near = self.near(key.lower(), small)
        hint = f"; did you mean {small[near[0]]}?" if near else ""
        mistake = near or key in EVERYWHERE or shape in OWN
        if key in EVERYWHERE and not near:
            hint = f"; {key} belongs elsewhere"
        elif not near:
            hint = f"; known are {', '.join(known)}"
        level: Level = "error" if mistake else "warning"
        self.add(at, f"{shape} has no {shown(key)}{hint}", level)

    def text(self, fields: Fields, key: str, choices: Iterable[str] = ()) -> str | None:
        """A text, where choices are given one of them; None where there is none."""
        if (found := fields.get(key)) is None:
            return None
        choices = list(choices)
        if not isinstance(found.data, str) or not found.data.strip():
            return self.add(found, f"{key} is a text, not {shown(plain(found))}")
        if choices and found.data not in choices:
            near = {choice.lower(): choice for choice in choices}.get(found.data.lower())
            hint = f"; did you mean {near}?" if near else ""
            told = f"{key} is {' or '.join(choices)}, not {shown(found.data)}{hint}"
            return self.add(found, told)
        return found.data

    def number(self, fields: Fields, key: str) -> float | None:
        """A finite number; None where there is none."""
        if (found := fields.get(key)) is None:
            return None
        value = found.data
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            return self.add(found, f"{key} is a number, not {shown(plain(found))}")
        return float(value)

    def truth(self, fields: Fields, key: str) -> bool | None:
        """True or false; None where there is none."""
        if (found := fields.get(key)) is None or isinstance(found.data, bool):
            return found.data if found else None
        return self.add(found, f"{key} is true or false, not {shown(plain(found))}")

    def items(self, fields: Fields, key: str, most: int = 1000) -> list[Value]:
        """The items of a list that has at least one."""
        if (found := fields.get(key)) is None:
            return []
        if not isinstance(found.data, list) or not 1 <= len(found.data) <= most:
            many = "exactly one item" if most == 1 else "at least one item"
            self.add(found, f"{key} is a list with {many}")
            return []
        return found.data

    def read(self, at: Value, reader: Callable[..., T], *given: Any, **more: Any) -> T | None:
        """What a reader makes of a value; its complaint is noted."""
        try:
            return reader(*given, **more)
        except ValueError as error:
            return self.add(at, str(error))

    def described(self, fields: Fields) -> str:
        """The description, which has a largest length."""
        told = self.text(fields, "description") or ""
        if len(told) > TEXT:
            self.add(fields["description"], f"description has over {TEXT} characters")
        return told

    def simple(self, value: Value, kind: str) -> None:
        """Check the spec of a kind that has only texts."""
        fields = self.fields(value, kind)
        self.described(fields)
        for key in ("type", "target"):
            self.text(fields, key)

    def named(self, value: Value) -> tuple[str, str]:
        """Name and display name out of metadata, which are checked."""
        fields = self.fields(value, "metadata")
        name, display = self.text(fields, "name") or "", self.text(fields, "displayName") or ""
        if name and not NAME.fullmatch(name):
            self.add(fields["name"], f"{shown(name)} is no name: a-z, 0-9 and -, at most 63")
        elif name and not DNS.fullmatch(name):
            self.warn(fields["name"], f"{shown(name)}: names are of a-z, 0-9 and -, at most 63")
        for kind in ("labels", "annotations"):
            if kind in fields:
                self._tags(fields[kind], kind)
        return name, display

    def _tags(self, value: Value, kind: str) -> None:
        if not isinstance(value.data, dict):
            return self.add(value, f"{kind} are a mapping")
        for key, found in value.data.items():
            texts = found.data if isinstance(found.data, list) and kind == "labels" else [found]
            if not KEY.fullmatch(key) or (kind == "labels" and "/" in key):
                self.add(found, f"{shown(key)} is no key of {kind}")
            if not all(isinstance(text.data, str) for text in texts):
                self.warn(found, f"{kind} are texts; put {shown(plain(found))} in quotes")

    def referred(self, kind: str, at: Value, name: str | None) -> Fields | None:
        """The object of that name; one that is in none of the files is at least said."""
        if name is None or (kind, name) in self.objects:
            return self.objects.get((kind, name or ""))
        near = self.near(name, [n for k, n in self.objects if k == kind])
        hint = f"; did you mean {near[0]}?" if near else ""
        told = f"no {kind} called {shown(name)} is in these files{hint}"
        self.add(at, told, "error" if near or kind == "SLI" else "warning")
        return None

    def inline(self, value: Value, kind: str, reference: str) -> tuple[str, Fields | None]:
        """The name of an object and its fields: it stands where it is used, or is referred to."""
        if isinstance(value.data, dict) and reference in value.data:
            fields = self.fields(value, f"reference to an {kind}")
            name = self.text(fields, reference)
            return name or "", self.referred(kind, fields.get(reference, value), name)
        fields = self.fields(value, "inline object")
        self.text(fields, "kind", [kind])
        if not {"metadata", "spec"} <= set(fields):
            return "", None
        return self.named(fields["metadata"])[0], fields


def plain(value: Value) -> Any:
    """A value without its lines."""
    match value.data:
        case dict():
            return {key: plain(item) for key, item in value.data.items()}
        case list():
            return [plain(item) for item in value.data]
    return value.data
