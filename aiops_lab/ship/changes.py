"""What differs between two runs but their answers: prompts, models, configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from aiops_lab.frames import Evals

NAMED = (
    "model",
    "model_served",
    "prompt_version",
    "dataset_version",
    "scorer_version",
    "git_commit",
)
NOT_SETTINGS = ("recorded", "directions")
"""Keys of a run's configuration that the run's results are kept in."""


def changes(data: Evals, baseline: str, candidate: str) -> pl.DataFrame:
    """A row a difference: what, baseline, candidate (texts; null where one has none)."""
    runs = {row["run_id"]: row for row in data.runs.to_dicts()}
    sides = [runs[baseline], runs[candidate]]
    rows = [
        (name, *(side[name] for side in sides))
        for name in NAMED
        if sides[0][name] != sides[1][name]
    ]
    one, two = (settings(side["config"]) for side in sides)
    rows += [
        (name, one.get(name), two.get(name))
        for name in sorted({*one, *two})
        if one.get(name) != two.get(name)
    ]
    prompts = [_content(data.artefacts, side["prompt_version"]) for side in sides]
    if prompts[0] != prompts[1]:
        rows.append(("prompt", *prompts))
    schema = {"what": pl.String, "baseline": pl.String, "candidate": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def settings(config: str | None) -> dict[str, str]:
    """The settings of a run, flat: path -> value as text.

    Examples
    --------
    >>> settings('{"config": {"epochs": 2}, "recorded": [1]}')
    {'config.epochs': '2'}
    """
    parsed = json.loads(config) if config else {}
    kept = {k: v for k, v in parsed.items() if k not in NOT_SETTINGS}
    return dict(_flat(kept, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _content(artefacts: pl.DataFrame, version: str | None) -> str | None:
    if version is None:
        return None
    found = artefacts.filter(artefact="prompt", version=version)["content"].to_list()
    return found[0] if found else None
