"""Objectives out of ``lab.toml``: each [[slo]] is one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.grammar import (
    read_criterion,
    read_duration,
    read_exclusion,
    read_filter,
    read_judge,
    read_sampling,
    read_share,
    read_window,
    shown,
)
from aiops_lab.objectives.objective import (
    Alert,
    Objective,
    Part,
    Problem,
    Window,
    composed,
)
from aiops_lab.objectives.openslo.documents import Refused, text_of
from aiops_lab.settings import Settings, Slo, SloAlert, settings_of

HEAD = re.compile(r"\s*\[\[\s*slo\s*\]\]")
read_slice_target = partial(read_share, what="timeslice_target", whole=True)
METHODS = ("occurrences", "timeslices", "ratio_timeslices")


def objectives_in(settings: Settings, name: str = "lab.toml") -> list[Objective]:
    """The objectives of a lab's settings.

    Raises
    ------
    BadSettings
        One cannot be understood; the message names it.

    Examples
    --------
    >>> text = '[[slo]]\\nname = "kind"\\nmetric = "tone"\\ngood = ">= 0"\\ntarget = "95 %"'
    >>> objectives_in(settings_of(text))[0].target
    0.95
    """
    found, problems = _all(settings, [f"{name}:1"] * len(settings.slo))
    if problems:
        raise BadSettings(f"{name}: {problems[0].reason}")
    return found


def readable(settings: Settings) -> list[Objective]:
    """The objectives of a lab's settings that can be understood, whatever the others are."""
    return _all(settings, [":1"] * len(settings.slo))[0]


def read_toml(file: str, content: bytes) -> tuple[list[Objective], list[Problem]]:
    """The objectives of a TOML file and what is wrong with them, by line as far as it is known."""
    try:
        text = text_of(content)
    except Refused as error:
        return [], [Problem(file, error.line, str(error))]
    try:
        settings = settings_of(text, file)
    except BadSettings as error:
        told = str(error).removeprefix(f"{file}: ").removeprefix(f"{file} is ")
        return [], [Problem(file, _line_of(text, told), told)]
    heads = [i for i, line in enumerate(text.split("\n"), 1) if HEAD.match(line)]
    lines = heads if len(heads) == len(settings.slo) else [1] * len(settings.slo)
    return _all(settings, [f"{file}:{line}" for line in lines])


def _all(settings: Settings, places: list[str]) -> tuple[list[Objective], list[Problem]]:
    found: dict[str, Objective] = {}
    problems: list[Problem] = []
    for rule, place in zip(settings.slo, places, strict=True):
        try:
            found[rule.name] = _objective(rule, found, place)
        except ValueError as error:
            file, _, line = place.rpartition(":")
            problems.append(Problem(file, int(line), f"slo {shown(rule.name)}: {error}"))
    return list(found.values()), problems


def _line_of(text: str, told: str) -> int:
    if known := re.search(r"at line (\d+)", told):
        return int(known[1])
    if "end of document" in told:
        return text.rstrip().count("\n") + 1
    field = re.search(r"field `([^`]+)`", told)
    named = re.compile(rf"[^#\"]*\b{re.escape(field[1])}\s*=" if field else "$^")
    hits = (i for i, line in enumerate(text.split("\n"), 1) if named.match(line))
    return next(hits, 1)


def _objective(rule: Slo, others: dict[str, Objective], place: str) -> Objective:
    window = _window(rule)
    alerts = tuple(_alert(alert, window, i) for i, alert in enumerate(rule.alerts, 1))
    common = Objective(
        rule.name, 0.0, window=window, alerts=alerts, description=rule.description, place=place
    )
    if rule.parts:
        return _composite(rule, common, others)
    if rule.metric is None or rule.target is None:
        raise ValueError("it has a metric and a target, or parts")
    if rule.budgeting not in METHODS:
        raise ValueError(f"budgeting is {', '.join(METHODS)}, not {shown(rule.budgeting)}")
    sliced = rule.budgeting != "occurrences"
    if sliced != (rule.timeslice_window is not None):
        raise ValueError("a timeslice_window goes with the budgeting of timeslices, and only there")
    if (rule.budgeting == "timeslices") != (rule.timeslice_target is not None):
        raise ValueError("a timeslice_target goes with timeslices, and only there")
    length = read_duration(rule.timeslice_window) if sliced else None
    if length and not 0 < length.days <= common.window.length.days:
        raise ValueError(f"a slice of {length.told} is not shorter than the window")
    return replace(
        common, target=read_share(rule.target, "target"), metric=rule.metric,
        criterion=read_criterion(rule.good, rule.bad), budgeting=rule.budgeting,
        timeslice_target=_given(rule.timeslice_target, read_slice_target), timeslice_window=length,
        filter=read_filter(rule.filter), judge=_given(rule.judge, read_judge),
        sampling=1.0 if rule.sampling is None else read_sampling(rule.sampling),
        exclusions=tuple(read_exclusion(e.begin, e.until, e.reason) for e in rule.exclude),
    )  # fmt: skip


def _given(value: Any, reader: Callable[[Any], Any]) -> Any:
    return None if value is None else reader(value)


def _composite(rule: Slo, common: Objective, others: dict[str, Objective]) -> Objective:
    own = (rule.metric, rule.target, rule.good, rule.bad, rule.filter, rule.sampling, rule.judge)
    if rule.exclude or any(value is not None for value in own):
        raise ValueError("one with parts has no metric, target, limits or exclusions of its own")
    parts = []
    for name, weight in rule.parts.items():
        if name not in others or others[name].parts:
            raise ValueError(f"its part {shown(name)} is no plain [[slo]] before it")
        if not 0 < weight < 1e6:
            raise ValueError(f"the weight of {shown(name)} is above 0, not {weight:g}")
        parts.append(Part(others[name], weight))
    return composed(common, parts)


def _window(rule: Slo) -> Window:
    length, space, kind = rule.window.strip().partition(" ")
    if space and kind not in ("calendar", "rolling"):
        raise ValueError(f'a window is such as "28d" or "1M calendar", not {shown(rule.window)}')
    if kind != "calendar" and rule.start is not None:
        raise ValueError("only a calendar has a start")
    return read_window(length, rolling=kind != "calendar", start=rule.start, timezone=rule.timezone)


def _alert(rule: SloAlert, window: Window, number: int) -> Alert:
    """An alert by its burn rate, or by the share of the budget that it lets burn in its window."""
    length = read_duration(rule.window)
    if (rule.burn_rate is None) == (rule.budget is None):
        raise ValueError("an alert has either a burn_rate or a budget")
    rate = rule.burn_rate
    if rate is None:
        share = read_share(rule.budget, "an alert's budget", whole=True)
        rate = share * window.length.days / max(length.days, 1e-9)
    if not 0 < rate < 1e9 or length.count == 0:
        raise ValueError("an alert's burn rate and window are above 0")
    return Alert(
        rule.name or f"alert {number}", rate, length, rule.severity, read_duration(rule.after)
    )
