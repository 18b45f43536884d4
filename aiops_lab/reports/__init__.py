"""Notebooks run headless, and the pages made of them."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiops_lab.reports.run import Report, Request, run_report, run_reports

# jsonschema, which checks notebooks and charts, asks for a grammar that takes longer to build than
# all of Altair to load, to check addresses that none of them has
SLOW = "rfc3987_syntax"
if SLOW not in sys.modules:
    sys.modules[SLOW] = None  # pyright: ignore[reportArgumentType]
    import_module("jsonschema")
    del sys.modules[SLOW]

__all__ = ["Report", "Request", "run_report", "run_reports"]


def __getattr__(name: str) -> Any:
    """Import the runner when it is first used: the server that forks kernels starts before it."""
    if name not in __all__:
        raise AttributeError(f"aiops_lab.reports has no {name!r}")
    return getattr(import_module("aiops_lab.reports.run"), name)
