"""The ``aiops-lab`` command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_lab.errors import BadSettings, LabError, UnknownRun

if TYPE_CHECKING:
    from aiops_lab.ingest import Ingest, Progress
    from aiops_lab.lab import Lab
    from aiops_lab.reports.run import Report

FAILED, USAGE, NOT_COMPUTED = 1, 2, 4
BADNESS = ("ok", "inconclusive", "warn", "fail")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""The notebook laboratory for teams who run AI in production.

    Start with "aiops-lab demo", then "aiops-lab report --lab demo-lab".
    With your own logs: "aiops-lab init my-lab", "aiops-lab ingest LOGS --lab my-lab",
    "aiops-lab report --lab my-lab".

    Exit status: 0 done, 1 fail (as asked for), 2 wrong usage, 4 could not be computed.""",
)

LabOption = Annotated[
    Path, typer.Option("--lab", help="Folder of the lab.", envvar="AIOPS_LAB", metavar="DIR")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to build it.")] = Path("demo-lab"),
) -> None:
    """Build the demo lab from the logs that come with the library."""
    from aiops_lab.lab import demo_lab

    with _progress("reading") as progress:
        lab = demo_lab(folder, progress)
    print(f"The demo lab with {lab.runs().height} runs is in {folder}.")
    print(f"Next: aiops-lab report --lab {folder}")


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Folder of the new lab.")]) -> None:
    """Make a new lab: a commented lab.toml and your own copy of the notebooks."""
    from shutil import copyfile

    from aiops_lab.lab import open_lab
    from aiops_lab.reports.run import shipped_notebooks

    open_lab(folder)
    own = folder / "notebooks"
    own.mkdir(exist_ok=True)
    for notebook in shipped_notebooks():
        if not (own / notebook.name).exists():
            copyfile(notebook, own / notebook.name)
    print(f"The lab is in {folder}: settings in lab.toml, notebooks in notebooks/.")
    print(f"Next: aiops-lab ingest YOUR_LOGS --lab {folder}")


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders to walk.")],
    lab: LabOption,
    format: Annotated[
        str | None, typer.Option(help="The format, where content does not tell.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of a table: canonical=theirs (several times). value=a,b names score "
            "columns; rows, explode and where.PATH=TEXT shape nested JSON.",
            metavar="NAME=THEIRS",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read eval logs and tables into a lab; what is in it already is skipped.

    Known formats: Inspect (.eval, .json), Promptfoo (JSON, JSONL), lm-evaluation-harness
    (results with samples), and tables (CSV, JSONL, JSON, Parquet).
    """
    found = _existing(lab)
    with _progress("reading") as progress:
        done = found.ingest(
            *paths, format=format, columns=_mapping(columns or []), progress=progress
        )
    if as_json:
        print(json.dumps(done.to_dict()))
    else:
        _tell_ingest(done, found)


@app.command()
def status(lab: LabOption, as_json: JsonOption = False) -> None:
    """What is in a lab, and what could not be read."""
    found = _existing(lab)
    runs = found.runs()
    ingests, quarantine = found.table("ingests"), found.table("quarantine")
    where = ingests.select("digest", "source_uri")
    troubles = quarantine.join(where, on="digest", how="left").select(
        "source_uri", "place", "reason"
    )
    replaced = ingests.drop_nulls("superseded_by").height
    if as_json:
        answer = {
            "lab": str(lab),
            "version": found.version,
            "sources": ingests.height,
            "superseded": replaced,
            "runs": runs.drop("config").to_dicts(),
            "quarantined": troubles.to_dicts(),
        }
        print(json.dumps(answer, default=str))
        return
    print(f"{lab}: version {found.version}, {ingests.height} sources, {runs.height} runs")
    if replaced:
        print(f"{replaced} sources hold only runs that another file has more of")
    _print_table(
        runs, ["run_id", "task", "model", "prompt_version", "started_at", "status", "tags"]
    )
    if troubles.height:
        print(f"\n{troubles.height} things could not be read:")
        _print_table(troubles.head(20), troubles.columns)


@app.command()
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
    fail_on: Annotated[
        str | None,
        typer.Option(help="Exit 1 when a verdict is at least so bad: inconclusive, warn or fail."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run notebooks headless and write one HTML page each, with an index.

    Exits 0 when every page was rendered, 4 when a notebook could not run to its end.
    """
    from aiops_lab.reports.run import notebook_named, notebooks_of, run_report
    from aiops_lab.reports.site import write_index

    if fail_on is not None and fail_on not in BADNESS[1:]:
        raise typer.BadParameter(f"one of {', '.join(BADNESS[1:])}", param_hint="--fail-on")
    found = _existing(lab)
    paths = [notebook_named(name, found) for name in notebooks or []] or notebooks_of(found)
    given = _read_parameters(paths, parameters or [])
    done: list[Report] = []
    with _progress("running") as progress:
        for number, (path, values) in enumerate(zip(paths, given, strict=True)):
            progress(path.stem, number, len(paths))
            done.append(run_report(path, found, out, values))
    index = write_index(found, out)
    if as_json:
        print(json.dumps({"index": str(index), "reports": [_report_dict(r) for r in done]}))
    else:
        for each in done:
            print(_printable(f"{each.page}: {each.error or each.verdict or 'no verdict'}"))
        print(f"Open {index}")
    if any(each.error for each in done):
        raise typer.Exit(NOT_COMPUTED)
    if fail_on is not None and any(_counts(each, fail_on) for each in done):
        raise typer.Exit(FAILED)


@app.command(name="open")
def open_(lab: LabOption) -> None:
    """Open JupyterLab on a lab's notebooks (its own copy, made if there is none)."""
    import os
    import subprocess

    folder = _existing(lab).path.resolve()
    if not (folder / "notebooks").is_dir():
        init(folder)
    environment = {**os.environ, "AIOPS_LAB": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder / 'notebooks'}"]
    raise typer.Exit(subprocess.call(command, env=environment))


def _existing(folder: Path) -> Lab:
    """The lab in a folder that is one: a typing error must not make a new lab."""
    from aiops_lab.lab import SETTINGS, open_lab

    if not (folder / SETTINGS).is_file() and not (folder / "tables").is_dir():
        raise BadSettings(f"there is no lab in {str(folder)!r}; make one: aiops-lab init {folder}")
    return open_lab(folder)


def _mapping(pairs: list[str]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for pair in pairs:
        name, equals, theirs = pair.partition("=")
        if not equals or not theirs:
            raise typer.BadParameter(f"{pair!r} is not canonical=theirs", param_hint="--columns")
        if name.startswith("where."):
            mapping.setdefault("where", {})[name.removeprefix("where.")] = theirs
        elif name == "value" and "," in theirs:
            mapping[name] = [part.strip() for part in theirs.split(",")]
        else:
            mapping[name] = theirs
    return mapping


def _read_parameters(notebooks: list[Path], pairs: list[str]) -> list[dict[str, Any]]:
    """For each notebook the values given that it declares, read by its types.

    A name that none of them declares is refused.
    """
    from aiops_lab.reports.parameters import checked, parameters_of, read_notebook

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
            checked(sources[0], {name: None})
    return [
        {name: each[name].read(text) for name, text in texts.items() if name in each}
        for each in known
    ]


def _report_dict(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "page": str(report.page),
        "verdict": report.verdict.to_dict() if report.verdict else None,
        "error": report.error,
    }


def _counts(report: Report, fail_on: str) -> bool:
    found = report.verdict.status if report.verdict else "inconclusive"
    return BADNESS.index(found) >= BADNESS.index(fail_on)


def _tell_ingest(done: Ingest, lab: Lab) -> None:
    rows = ", ".join(f"{count:,} {table}" for table, count in done.rows.items())
    print(f"{done.added} added ({rows or 'nothing new'}), {done.skipped} known already")
    if done.superseded.height:
        print(f"{done.superseded.height} hold only runs that another file has more of")
    if done.quarantined.height:
        print(f"{done.quarantined.height} things could not be read and were quarantined:")
        _print_table(done.quarantined.head(20), done.quarantined.columns)
    if done.added:
        print(f"Next: aiops-lab report --lab {lab.path}")


def _print_table(frame: Any, columns: list[str]) -> None:
    """A table on the terminal; control characters in foreign text stay text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in frame.select(columns).iter_rows():
        table.add_row(*(Text(_printable(value)) for value in row))
    Console().print(table)


def _printable(value: Any) -> str:
    text = "–" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@contextmanager
def _progress(verb: str) -> Iterator[Progress]:
    """A progress bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(verb, total=None)

        def step(name: str, number: int, total: int) -> None:
            bar.update(task, description=f"{verb} {_printable(Path(name).name)}", completed=number)
            bar.update(task, total=total)

        yield step


def _joined(arguments: list[str]) -> list[str]:
    """``-p NAME VALUE`` as the one argument ``NAME=VALUE`` that typer can take several times."""
    joined, rest = list[str](), iter(arguments)
    for argument in rest:
        joined.append(argument)
        if argument in ("-p", "--parameter"):
            name = next(rest, "")
            value = None if "=" in name else next(rest, None)
            joined.append(name if value is None else f"{name}={value}")
    return joined


def main() -> None:
    """Run the command; an error of ours is one sentence and the status it stands for."""
    try:
        app(_joined(sys.argv[1:]))
    except (BadSettings, UnknownRun) as error:
        status, told = USAGE, str(error)
    except (LabError, OSError) as error:
        status, told = NOT_COMPUTED, str(error)
    else:
        return
    print(f"aiops-lab: {_printable(told)}", file=sys.stderr)
    sys.exit(status)
