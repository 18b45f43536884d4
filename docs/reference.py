"""The reference, out of docstrings: ``make reference`` writes it to reports/reference."""

from __future__ import annotations

import sys
from pathlib import Path

import pdoc

import aiops_lab

PARTS = ("widgets", "charts", "stats")
"""What is public beside the names of `aiops_lab` itself."""


def write(out: Path) -> None:
    """Write the pages into a folder; they load nothing from outside."""
    # these are imported when they are first asked for, which pdoc does not do
    vars(aiops_lab).update({name: getattr(aiops_lab, name) for name in aiops_lab.__all__})
    pdoc.render.configure(docformat="numpy", show_source=False)
    others = rf"!aiops_lab\.(?!(?:{'|'.join(PARTS)})(?:\.|$)).*"
    parts = (f"aiops_lab.{part}" for part in PARTS)
    pdoc.pdoc("aiops_lab", others, *parts, output_directory=out)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
