"""Files with objectives, read together: what is promised, and all that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.grammar import shown
from aiops_lab.objectives.objective import Objective, Problem
from aiops_lab.objectives.openslo.documents import LARGEST, read_documents
from aiops_lab.objectives.openslo.fields import Reading
from aiops_lab.objectives.openslo.slos import objectives_of
from aiops_lab.objectives.short import read_toml


@dataclass(frozen=True)
class Checked:
    """The objectives that were understood, and the problems of all files, by file and line."""

    objectives: tuple[Objective, ...]
    problems: tuple[Problem, ...]

    @property
    def refused(self) -> bool:
        """Whether anything is an error, not only a warning."""
        return any(problem.level == "error" for problem in self.problems)


def check_objectives(paths: Iterable[str | Path]) -> Checked:
    """Objectives out of files: OpenSLO v1 (YAML or JSON), or ``.toml`` with [[slo]].

    OpenSLO's files may refer to each other's objects.

    Raises
    ------
    BadSettings
        There is no such file.
    """
    reading, documents = Reading(), []
    objectives: list[Objective] = []
    for path in map(Path, paths):
        if not path.is_file():
            raise BadSettings(f"there is no file {str(path)!r}")
        name = str(path)
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if path.suffix == ".toml":
            found, problems = read_toml(name, content)
            objectives += found
        else:
            found, problems = read_documents(name, content)
            documents += found
            if not found and not problems:
                problems = [Problem(name, 1, "there is nothing in it")]
        reading.problems.extend(problems)
    objectives += objectives_of(documents, reading)
    names = Counter(objective.name for objective in objectives)
    for objective in reversed(objectives):
        names[objective.name] -= 1
        if names[objective.name]:
            file, _, line = objective.place.rpartition(":")
            told = f"there is another objective called {shown(objective.name)}"
            reading.problems.append(Problem(file, int(line), told))
    problems = sorted(dict.fromkeys(reading.problems), key=lambda each: (each.file, each.line))
    return Checked(tuple(objectives), tuple(problems))
