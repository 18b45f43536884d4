"""Alert policies, conditions and whom they tell."""

from __future__ import annotations

from dataclasses import replace

from aiops_lab.objectives.grammar import read_duration
from aiops_lab.objectives.objective import Alert, Duration
from aiops_lab.objectives.openslo.fields import OPERATORS, Fields, Reading


def alerts_of(reading: Reading, spec: Fields) -> list[Alert]:
    """The alerts of an SLO, inline or by reference."""
    alerts = []
    for value in reading.items(spec, "alertPolicies"):
        _, fields = reading.inline(value, "AlertPolicy", "alertPolicyRef")
        if fields and (alert := policy_of(reading, fields)):
            alerts.append(alert)
    return alerts


def policy_of(reading: Reading, fields: Fields) -> Alert | None:
    """The alert that a policy comes to: it has one condition."""
    name, _ = reading.named(fields["metadata"])
    spec = reading.fields(fields["spec"], "AlertPolicy")
    reading.described(spec)
    when = [reading.truth(spec, key) for key in spec if key.startswith("alertWhen")]
    if not any(when):
        reading.warn(fields["spec"], "none of the alertWhen fields is true: nobody is ever told")
    targets = []
    for value in reading.items(spec, "notificationTargets"):
        target, found = reading.inline(value, "AlertNotificationTarget", "targetRef")
        targets.append(target)
        if found:
            reading.simple(found["spec"], "AlertNotificationTarget")
    for value in reading.items(spec, "conditions", most=1):
        _, found = reading.inline(value, "AlertCondition", "conditionRef")
        alert = condition_of(reading, found) if found else None
        return alert and replace(alert, name=name, targets=tuple(filter(None, targets)))
    return None


def condition_of(reading: Reading, fields: Fields) -> Alert | None:
    """What a condition asks; the policy gives it its name."""
    spec = reading.fields(fields["spec"], "AlertCondition")
    reading.described(spec)
    severity = reading.text(spec, "severity") or ""
    if "condition" not in spec:
        return None
    own = reading.fields(spec["condition"], "condition")
    reading.text(own, "kind", ["burnrate"])
    operator = reading.text(own, "op", OPERATORS)
    threshold, spans = reading.number(own, "threshold"), {}
    for key in ("lookbackWindow", "alertAfter"):
        if key in own:
            spans[key] = reading.read(own[key], read_duration, own[key].data)
    window = spans.get("lookbackWindow")
    if window and window.count == 0:
        reading.add(own["lookbackWindow"], "a lookbackWindow is longer than nothing")
    if threshold is not None and threshold <= 0:
        reading.add(own["threshold"], f"a burn rate is above 0, not {threshold:g}")
    if operator is None or threshold is None or window is None:
        return None
    after = spans.get("alertAfter") or Duration(0, "m")
    quiet, strict = operator in ("lt", "lte"), operator in ("gt", "lt")
    return Alert("", threshold, window, severity, after, quiet, strict)
