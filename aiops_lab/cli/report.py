"""``aiops-lab report``: notebooks as pages, those named or those due."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aiops_lab.cli.options import JsonOption, LabOption, existing
from aiops_lab.cli.terminal import FAILED, NOT_COMPUTED, bars, printable
from aiops_lab.errors import BadSettings
from aiops_lab.verdict import BADNESS

if TYPE_CHECKING:
    from aiops_lab.lab import Lab
    from aiops_lab.reports.run import Report

MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]


def report(
    lab: LabOption,
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(help="Notebooks by name or path; all by default.", metavar="[NOTEBOOK]..."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the pages.", metavar="DIR")] = Path(
        "reports"
    ),
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--parameter", help="A notebook's parameter; several times.", metavar="NAME VALUE"
        ),
    ] = None,
    due: Annotated[
        bool,
        typer.Option("--due", help="Run what [[reports]] in lab.toml says is due, and only that."),
    ] = False,
    now: Annotated[
        datetime | None,
        typer.Option(help="The moment (UTC) that --due looks from.", formats=MOMENTS),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="How many run at once; by default one a processor.", min=1),
    ] = None,
    keep: Annotated[int, typer.Option(help="How many pages of each report are kept.", min=1)] = 30,
    time_limit: Annotated[float, typer.Option(help="Seconds a notebook may take.", min=1)] = 1800,
    fail_on: Annotated[
        Literal["inconclusive", "warn", "fail"] | None,
        typer.Option(help="Exit 1 when a verdict is at least so bad."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run notebooks headless and write one HTML page each, with an index.

    The newest page of each report is DIR/latest/NAME.html, older ones are in DIR/NAME.

    With --due, call it as often as you like, from cron, a timer or CI: what is due runs once, what
    was missed is made up for its own time.

    Exits 0 when every page was rendered, 4 when a notebook could not run to its end.
    """
    if not due:  # what is due may be nothing
        _start_kernels()
    from aiops_lab.reports.site import write_index

    if due and (notebooks or parameters):
        raise typer.BadParameter("lab.toml names the notebooks and parameters", param_hint="--due")
    found = existing(lab)
    limits = {"jobs": jobs, "time_limit": time_limit}
    if due:
        moment = now and now.replace(tzinfo=UTC)
        done, problems = _run_due(found, out, moment, limits)
        if not done and not as_json:
            if out.is_dir():  # one that was killed may have left the index behind its pages
                write_index(found, out)
            return _tell_next(found, moment)
    else:
        done, problems = _run_named(found, out, notebooks or [], parameters or [], keep, limits)
    _tell_reports(done, problems, write_index(found, out), as_json)
    if problems or any(each.error for each in done):
        raise typer.Exit(NOT_COMPUTED)
    if fail_on is not None and any(_counts(each, fail_on) for each in done):
        raise typer.Exit(FAILED)


def _start_kernels() -> None:
    """Start the process that forks kernels: it imports while this one does."""
    from aiops_lab.reports.kernels import SERVER

    SERVER.start()


def _run_due(
    lab: Lab, out: Path, now: datetime | None, limits: dict[str, Any]
) -> tuple[list[Report], list[str]]:
    """What ``[[reports]]`` says is due, run once; and what could not be told to anyone."""
    from aiops_lab.reports.notify import Undelivered
    from aiops_lab.reports.schedule import run_due

    rules = lab.settings.reports
    if not rules:
        raise BadSettings(f"{lab.path}/lab.toml has no [[reports]]; its comments show one")
    with bars([rule.name for rule in rules]) as shown:
        try:
            return run_due(lab, out, now=now, **limits, progress=shown), []
        except Undelivered as error:
            return error.reports, [str(error)]


def _tell_next(lab: Lab, now: datetime | None) -> None:
    from aiops_lab.reports.schedule import next_due

    for rule in lab.settings.reports:
        coming = next_due(rule, now or datetime.now(UTC))
        told = f"next {coming:%Y-%m-%d %H:%M} UTC" if coming else "and never will be"
        print(printable(f"{rule.name}: nothing to run, {told}"))


def _run_named(
    lab: Lab,
    out: Path,
    names: list[str],
    pairs: list[str],
    keep: int,
    limits: dict[str, Any],
) -> tuple[list[Report], list[str]]:
    """The notebooks named, or all there are; and those that cannot be reports."""
    from aiops_lab.reports.run import Request, notebook_named, reports_of, run_reports

    paths, problems = [notebook_named(name, lab) for name in names], list[str]()
    lacking = dict[Path, list[str]]()
    if not paths:
        paths, problems, lacking = reports_of(lab)
    given = _read_parameters([*paths, *lacking], pairs)[: len(paths)]
    if lacking:
        rest = [f"{path.stem} ({' or '.join(needs)})" for path, needs in lacking.items()]
        told = f"left out, as the lab does not hold what they are about: {', '.join(rest)}"
        print(printable(f"aiops-lab: {told}; what is named is run"), file=sys.stderr)
    requests = [Request(path, each, keep=keep) for path, each in zip(paths, given, strict=True)]
    with bars([path.stem for path in paths]) as shown:
        return run_reports(requests, lab, out, **limits, progress=shown), problems


def _tell_reports(done: list[Report], problems: list[str], index: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"index": str(index), "reports": [_report_dict(each) for each in done]}))
    else:
        for each in done:
            print(printable(f"{each.latest}: {each.error or each.verdict or 'no verdict'}"))
        print(printable(f"Open {index}"))
    for problem in problems:
        print(f"aiops-lab: {printable(problem)}", file=sys.stderr)


def _read_parameters(notebooks: list[Path], pairs: list[str]) -> list[dict[str, Any]]:
    """For each notebook the values given that it declares, read by its types.

    A name that none of them declares is refused.
    """
    from aiops_lab.reports.parameters import parameters_of, read_notebook, unknown

    texts: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not NAME VALUE", param_hint="-p")
        texts[name] = text
    sources = [read_notebook(path) for path in notebooks]
    known = [parameters_of(source) for source in sources]
    for name in texts:
        if not any(name in each for each in known):
            raise unknown(name, list(dict.fromkeys(n for each in known for n in each)))
    return [
        {name: each[name].read(text) for name, text in texts.items() if name in each}
        for each in known
    ]


def _report_dict(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "as_of": report.as_of.isoformat(),
        "page": str(report.page),
        "latest": str(report.latest),
        "notebook": str(report.notebook),
        "verdict": report.verdict.to_dict() if report.verdict else None,
        "error": report.error,
    }


def _counts(report: Report, fail_on: str) -> bool:
    found = report.verdict.status if report.verdict else "inconclusive"
    return BADNESS.index(found) >= BADNESS.index(fail_on)
