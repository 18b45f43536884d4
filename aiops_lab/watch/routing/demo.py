"""The model behind the demo's decisions, made anew from its seed."""

from __future__ import annotations

import importlib.util
import json
import sys
from functools import cache
from typing import Any

import polars as pl

from aiops_lab.shipped import shipped


def demo_router(lab: Any) -> dict[str, Any]:
    """What `aiops_lab.find_routing_shifts` takes of the demo's router; nothing for other labs.

    Returns
    -------
    dict
        ``model`` and ``fit`` as a team would pass its own, and ``context``: the router's costs
        differ from day to day, so it needs ``at``.
    """
    told = lab.path / "payments" / "truth.json"
    if not told.exists():
        return {}
    payments, program = _payments(json.loads(told.read_text("utf-8"))["seed"])

    def fit(training: pl.DataFrame) -> Any:
        again = program.fit(training, payments.routes)
        return lambda frame: payments.predict_choice(frame, again)

    return {"model": payments.predict_choice, "fit": fit, "context": ("at",)}


@cache
def _payments(seed: int) -> tuple[Any, Any]:
    spec = importlib.util.spec_from_file_location(
        "aiops_lab_demo_payments", shipped("payments") / "simulate.py"
    )
    assert spec and spec.loader
    program = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = program  # its dataclasses look their module up
    spec.loader.exec_module(program)
    return program.simulate(seed, weeks=16, per_day=300), program
