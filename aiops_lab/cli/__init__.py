"""The ``aiops-lab`` command."""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from aiops_lab.cli import export, gate, ingest, labs, report, slo
from aiops_lab.cli.terminal import NOT_COMPUTED, READER_GONE, USAGE, printable
from aiops_lab.errors import BadSettings, LabError, UnknownRun

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""The notebook laboratory for teams who run AI in production.

    Start with "aiops-lab demo", then "aiops-lab report --lab demo-lab".
    With your own logs: "aiops-lab init my-lab", "aiops-lab ingest LOGS --lab my-lab",
    "aiops-lab report --lab my-lab".

    Exit status: 0 done, 1 fail (of a gate, or as asked for), 2 wrong usage, 3 inconclusive (of a
    gate), 4 could not be computed.""",
)

objectives = typer.Typer(
    no_args_is_help=True, help="Check objectives: what is promised of answers."
)
objectives.command("check")(slo.check)

for command in (
    labs.demo, labs.init, ingest.ingest, labs.status, report.report, gate.gate, export.export,
    labs.new,
):  # fmt: skip
    app.command()(command)
app.command("open")(labs.open_)
app.add_typer(objectives, name="slo")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"aiops-lab {version('aiops-lab')}")
        raise typer.Exit


@app.callback()
def command_line(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None: ...


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
    while (nothing := os.open(os.devnull, os.O_RDWR)) < 3:  # closed, it would be the next file's
        os.set_inheritable(nothing, True)
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show a sign stops nothing
            stream.reconfigure(errors="backslashreplace")
    shown = sys.stdout
    try:
        try:
            app(_joined(sys.argv[1:]))
        finally:
            if sys.stdout:  # what cannot be shown at the very end would be told by nobody
                sys.stdout.flush()
    except SystemExit:
        if sys.stdout is not shown:  # who read it is gone; 1 would say that a gate failed
            sys.exit(READER_GONE)
        raise
    except (BadSettings, UnknownRun) as error:
        status, told = USAGE, str(error)
    except LabError as error:
        status, told = NOT_COMPUTED, str(error)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where what is left would fail again
        if error.errno == errno.EPIPE:
            sys.exit(READER_GONE)
        told = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        status = NOT_COMPUTED
    except Exception as error:
        # whatever went wrong, it is no verdict: 1 would say that a gate failed
        if os.environ.get("AIOPS_DEBUG"):
            raise
        hint = "set AIOPS_DEBUG=1 to see where"
        status, told = NOT_COMPUTED, f"{type(error).__name__}: {error} ({hint})"
    else:
        return
    print(f"aiops-lab: {printable(told)}", file=sys.stderr)
    sys.exit(status)
