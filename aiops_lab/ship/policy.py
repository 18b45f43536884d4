"""A release policy as rules: what is tested, on which scale, and where its limit lies."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.objective import Objective
from aiops_lab.objectives.short import objectives_in
from aiops_lab.settings import Gate, Settings, read_settings, settings_of
from aiops_lab.tables import digest

Scale = Literal["difference", "mean", "ratio", "quantile", "quantile ratio", "budget"]
AMOUNTS = {
    "tokens": "tokens",
    "tokens_in": "tokens_in",
    "tokens_out": "tokens_out",
    "cost": "cost_usd",
    "latency": "latency_s",
    "characters": "characters",
}
RATES = {
    "refusal": "refusal",
    "error": "error",
    "invalid_json": "invalid_json",
    "invalid_yaml": "invalid_yaml",
}
QUANTILE = re.compile(r"(.+)_p(\d{2})")
RISE = re.compile(r"\+\s*(\d+(?:\.\d+)?)\s*(%|points?)")


@dataclass(frozen=True)
class Rule:
    """One thing a release must keep.

    `scale` says what `limit` is a limit of: the difference candidate less baseline, the
    candidate's mean or quantile, the ratio candidate over baseline, or the share of an error
    budget. `direction` is 1 where the value must be above the limit, -1 where below; `budget` the
    share of answers that may be bad.
    """

    name: str
    metric: str
    scale: Scale
    direction: int
    limit: float
    role: str = "gate"
    quantile: float | None = None
    human: str | None = None
    cap: bool = False
    budget: float | None = None

    @property
    def decides(self) -> bool:
        return self.role != "info"


def read_policy(given: Any, settings: Settings) -> Gate:
    """The policy out of a path, TOML text or plain data; the lab's own where none is given.

    Raises
    ------
    BadSettings
        It cannot be understood; the message names the place.
    """
    return given if isinstance(given, Gate) else _directed(_settings(given, settings))


def read_promises(given: Any, settings: Settings) -> list[Objective]:
    """The objectives of a policy; the lab's own where it has none."""
    own = settings if isinstance(given, Gate) else _settings(given, settings)
    return objectives_in(own if own.slo else settings)


def _settings(given: Any, settings: Settings) -> Settings:
    match given:
        case None | "":
            return settings
        case Settings():
            return given
        case dict():
            return settings_of(given, "the policy")
        case Path():
            return _of_file(given)
        case str() if "\n" not in given and "=" not in given and "[" not in given:
            return _of_file(Path(given))
        case str():
            return settings_of(given, "the policy")
    raise BadSettings("a policy is a path, TOML text, or a dict with the keys of lab.toml")


def _of_file(path: Path) -> Settings:
    if not path.is_file():
        raise BadSettings(f"there is no policy {str(path)!r}")
    return read_settings(path)


def _directed(settings: Settings) -> Gate:
    """The gate with the directions that stand beside it."""
    metrics = {
        name: replace(rule, direction=rule.direction or settings.directions.get(name))
        for name, rule in settings.gate.metrics.items()
    }
    return replace(settings.gate, metrics=metrics)


def plain(policy: Gate) -> dict[str, Any]:
    """The policy as plain data."""
    return msgspec.to_builtins(policy)


def policy_digest(policy: Gate) -> str:
    """What tells two policies apart, 12 hexadecimal digits."""
    return digest(msgspec.json.encode(plain(policy), order="sorted"))[:12]


def rules_of(policy: Gate, better: Callable[[str], int]) -> list[Rule]:
    """The rules of a policy; `better` is 1 where higher is better by the log or the settings."""
    rules = []
    for metric, asked in policy.metrics.items():
        sign = better(metric)
        if asked.direction:
            sign = 1 if asked.direction == "higher" else -1
        common = {"metric": metric, "direction": sign, "role": asked.role, "human": asked.human}
        if asked.accepted is not None:
            limit = -sign * asked.accepted or 0.0
            rules.append(Rule(f"{metric} margin", scale="difference", limit=limit, **common))
        if asked.floor is not None:
            name = "floor" if sign > 0 else "ceiling"
            rules.append(Rule(f"{metric} {name}", scale="mean", limit=asked.floor, **common))
    return [*rules, *(_cap(name, value) for name, value in policy.caps.items())]


def _cap(name: str, value: float | str) -> Rule:
    found = QUANTILE.fullmatch(name)
    metric = AMOUNTS.get(found[1] if found else name) or (None if found else RATES.get(name))
    if name == "tone":
        limit = -_number(name, value)
        return Rule("tone cap", "tone", "difference", 1, limit, "guardrail", cap=True)
    if metric is None:
        known = [*AMOUNTS, *RATES, "tone", "latency_p50", "latency_p95", "latency_p99"]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
        raise BadSettings(f"gate.caps has no {name!r}{hint}")
    rule = {"name": f"{name} cap", "metric": metric, "direction": -1}
    rule |= {"role": "guardrail", "cap": True}
    quantile = int(found[2]) / 100 if found else None
    rise = RISE.fullmatch(value.strip()) if isinstance(value, str) else None
    if name in RATES:
        if rise and rise[2] != "%" and len(rise[1]) < 10 and float(rise[1]) < 100:
            return Rule(**rule, scale="difference", limit=float(rise[1]) / 100)
        if isinstance(value, str) or not 0 <= value <= 1:
            raise BadSettings(f'gate.caps.{name} is a rate (0.05) or a rise ("+2 points")')
        return Rule(**rule, scale="mean", limit=float(value))
    if rise and len(rise[1]) < 10 and rise[2] == "%":
        scale = "quantile ratio" if found else "ratio"
        return Rule(**rule, scale=scale, limit=1 + float(rise[1]) / 100, quantile=quantile)
    limit = _number(name, value)
    return Rule(**rule, scale="quantile" if found else "mean", limit=limit, quantile=quantile)


def _number(name: str, value: float | str) -> float:
    if isinstance(value, str) or not 0 <= value < float("inf"):
        raise BadSettings(f'gate.caps.{name} is a number, 0 or more, or a rise ("+20%")')
    return float(value)


def loosened(before: Gate, after: Gate, better: Callable[[str], int]) -> Iterator[str]:
    """What the new policy asks less strictly than the old one, in words."""
    old = {rule.name: rule for rule in rules_of(before, better)}
    new = {rule.name: rule for rule in rules_of(after, better)}
    if before.inconclusive == "fail" != after.inconclusive:
        yield "what cannot be told counts as failure no longer"
    if before.cluster and before.cluster != after.cluster:
        yield f"questions of one {before.cluster} are kept together no longer"
    if share := before.max_budget_share:
        if after.max_budget_share is None:
            yield "changes may spend any share of an error budget"
        elif after.max_budget_share > share:
            yield f"the limit of budgets was {share:.4g}, now {after.max_budget_share:.4g}"
    for name, rule in old.items():
        then = new.get(name)
        if not rule.decides:
            continue
        if then is None or not then.decides:
            yield f"{name} decides no longer"
        elif rule.human and rule.human != then.human:
            yield f"{name} is checked against {rule.human} no longer"
        elif then.scale != rule.scale or then.direction != rule.direction:
            yield f"{name} is measured in another way"
        elif then.direction * (then.limit - rule.limit) < 0:
            yield f"the limit of {name} was {rule.limit:.4g}, now {then.limit:.4g}"
