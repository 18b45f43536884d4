"""``aiops-lab slo``: objectives explained, and refused where they are broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from aiops_lab.cli.options import JsonOption, existing
from aiops_lab.cli.terminal import FAILED, printable


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="OpenSLO v1 files (YAML), or a .toml with [[slo]]; by default the lab's lab.toml.",
            metavar="[FILE]...",
        ),
    ] = None,
    lab: Annotated[
        Path | None,
        typer.Option("--lab", help="Lab whose traffic the objectives are about.", metavar="DIR"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain objectives, and refuse broken ones.

    What is broken is told with file, line and reason. Each objective is told in a sentence, with
    how many bad answers a day it allows at the lab's traffic (without a lab: in 1,000), what its
    alerts mean, and what cannot work: an alert that can never fire at this target, a budget that
    one answer exhausts, a judge whose false flags alone exceed the limit, so few evaluated answers
    that the budget cannot be judged.

    Files are read together and may refer to each other's objects. docs/objectives.md shows both
    ways to write objectives.

    Exits 0 when everything was understood (warnings included), 1 when anything is refused, 2 on
    wrong usage.
    """
    from aiops_lab.lab import SETTINGS
    from aiops_lab.objectives.check import check_objectives
    from aiops_lab.target.explain import explained

    if not files and lab is None:
        raise typer.BadParameter("name files with objectives, or a lab", param_hint="FILE")
    checked = check_objectives(files or [Path(lab or "") / SETTINGS])
    daily = existing(lab).daily([]) if lab else None
    told = explained(checked.objectives, daily)
    if as_json:
        problems = [vars(problem) for problem in checked.problems]
        answer = {"refused": checked.refused, "problems": problems}
        print(json.dumps(answer | {"objectives": [each.to_dict() for each in told]}))
    else:
        for each in told:
            print(printable(f"{each.objective.name}: {each.sentence}"))
            for line in (*each.alerts, *map(str, each.flags)):
                print(printable(f"  {line}"))
        for problem in checked.problems:
            print(printable(problem))
        errors = sum(problem.level == "error" for problem in checked.problems)
        counts = f"{errors} errors, {len(checked.problems) - errors} warnings"
        outcome = "refused" if checked.refused else "understood"
        print(f"{outcome}: {len(told)} objectives, {counts}")
    if checked.refused:
        raise typer.Exit(FAILED)
