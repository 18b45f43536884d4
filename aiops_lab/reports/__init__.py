"""Notebooks run headless, and the pages made of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiops_lab.reports.run import Report, Request, run_report, run_reports

__all__ = ["Report", "Request", "run_report", "run_reports"]


def __getattr__(name: str) -> Any:
    """Import the runner when it is first used: the server that forks kernels starts before it."""
    if name not in __all__:
        raise AttributeError(f"aiops_lab.reports has no {name!r}")
    return getattr(import_module("aiops_lab.reports.run"), name)
