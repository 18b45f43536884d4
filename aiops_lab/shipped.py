"""Files that come with the library: its notebooks and the demo's raw logs."""

from __future__ import annotations

from pathlib import Path

from aiops_lab.errors import LabError

PACKAGE = Path(__file__).parent
IN_CHECKOUT = {"notebooks": Path("notebooks"), "logs": Path("data", "logs")}


def shipped(name: str) -> Path:
    """The folder of the shipped ``notebooks`` or ``logs``: in the wheel, or in a checkout."""
    for folder in (PACKAGE / "_shipped" / name, PACKAGE.parent / IN_CHECKOUT[name]):
        if folder.is_dir():
            return folder
    raise LabError(f"the {name} are missing from this installation; install aiops-lab again")
