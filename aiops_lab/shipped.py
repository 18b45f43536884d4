"""Files that come with the library: its notebooks, the demo's raw logs and its handbook."""

from __future__ import annotations

from pathlib import Path

from aiops_lab.errors import LabError

PACKAGE = Path(__file__).parent
IN_CHECKOUT = {
    "notebooks": Path("notebooks"),
    "logs": Path("data", "logs"),
    "handbook": Path("data", "handbook"),
    "handbook-next": Path("data", "handbook-next"),
    "traffic": Path("data", "traffic"),
    "payments": Path("data", "payments"),
    "python_topics": Path("data", "python_topics"),
}


def shipped(name: str) -> Path:
    """The folder of what is shipped: a key of `IN_CHECKOUT`; wheel or checkout."""
    for folder in (PACKAGE / "_shipped" / name, PACKAGE.parent / IN_CHECKOUT[name]):
        if folder.is_dir():
            return folder
    raise LabError(f"the {name} are missing from this installation; install aiops-lab again")
