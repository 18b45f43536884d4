"""Options that several commands have, and the lab that one of them names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_lab.cli.terminal import quoted
from aiops_lab.errors import BadSettings

if TYPE_CHECKING:
    from aiops_lab.lab import Lab

LAB = typer.Option("--lab", help="Folder of the lab.", envvar="AIOPS_LAB", metavar="DIR")
LabOption = Annotated[Path, LAB]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def existing(folder: Path) -> Lab:
    """The lab in a folder that is one: a typing error must not make a new lab."""
    from aiops_lab.lab import PINNED, SCHEME, SETTINGS, open_lab

    if SCHEME.match(str(folder)):
        return open_lab(folder)  # which says why it is none
    place = folder
    if (pinned := PINNED.fullmatch(str(folder))) and not folder.exists():
        place = Path(pinned[1])
    if not (place / SETTINGS).is_file() and not (place / "tables").is_dir():
        todo = f"make one: aiops-lab init {quoted(place)}"
        raise BadSettings(f"there is no lab in {str(place)!r}; {todo}")
    return open_lab(folder)
