"""A lab made, looked into and opened: ``demo``, ``init``, ``status``, ``new``, ``open``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from aiops_lab.cli.options import JsonOption, LabOption, existing
from aiops_lab.cli.terminal import print_json, print_table, printable, progress, quoted


def demo(
    folder: Annotated[Path, typer.Argument(help="Where to build it.")] = Path("demo-lab"),
) -> None:
    """Build the demo lab from the logs that come with the library."""
    from aiops_lab.lab import demo_lab

    with progress("reading") as shown:
        lab = demo_lab(folder, shown)
    print(printable(f"The demo lab with {lab.runs().height} runs is in {folder}."))
    print(printable(f"Next: aiops-lab report --lab {quoted(folder)}"))


def init(folder: Annotated[Path, typer.Argument(help="Folder of the new lab.")]) -> None:
    """Make a new lab: a commented lab.toml and your own copy of the notebooks."""
    from shutil import copyfile

    from aiops_lab.files import replacing
    from aiops_lab.lab import open_lab
    from aiops_lab.reports.run import shipped_notebooks

    open_lab(folder)
    own = folder / "notebooks"
    own.mkdir(exist_ok=True)
    for notebook in shipped_notebooks():
        if not (own / notebook.name).exists():
            with replacing(own / notebook.name) as beside:
                copyfile(notebook, beside)
    print(printable(f"The lab is in {folder}: settings in lab.toml, notebooks in notebooks/."))
    print(printable(f"Next: aiops-lab ingest YOUR_LOGS --lab {quoted(folder)}"))


def status(lab: LabOption, as_json: JsonOption = False) -> None:
    """What is in a lab, and what could not be read."""
    import polars as pl

    found = existing(lab)
    runs = found.runs()
    ingests, quarantine = found.sources(), found.table("quarantine")
    where = ingests.select("digest", "source_uri")
    troubles = quarantine.join(where, on="digest", how="left").select(
        "source_uri", "place", "reason"
    )
    replaced = ingests.drop_nulls("superseded_by").height
    requests = (
        found.scan("traffic")
        .select(pl.len(), pl.col("day").min().alias("first"), pl.col("day").max().alias("last"))
        .collect()
    )
    if as_json:
        answer = {
            "lab": str(lab),
            "version": found.version,
            "sources": ingests.height,
            "requests": requests["len"][0],
            "superseded": replaced,
            "runs": runs.drop("config").to_dicts(),
            "quarantined": troubles.to_dicts(),
        }
        print_json(answer, found)
        return
    print(
        printable(f"{lab}: version {found.version}, {ingests.height} sources, {runs.height} runs")
    )
    if count := requests["len"][0]:
        print(f"{count:,} requests from {requests['first'][0]} to {requests['last'][0]}")
    if replaced:
        print(f"{replaced} sources hold only runs that another file has more of")
    shown = runs.with_columns(pl.col("started_at").dt.strftime("%Y-%m-%d %H:%M"))
    print_table(shown, ["run_id", "task", "model", "started_at", "status", "tags"])
    if troubles.height:
        print(f"\n{troubles.height} things could not be read:")
        print_table(troubles.head(20), troubles.columns)


def new(
    name: Annotated[str, typer.Argument(help="What the notebook is called, such as tool_errors.")],
    lab: LabOption,
) -> None:
    """Write a notebook of your own into a lab, with the right first cells, ready to run."""
    from aiops_lab.reports.new import new_notebook

    path = new_notebook(existing(lab).path / "notebooks", name)
    print(printable(f"{path} asks and answers; now make the question yours."))
    place = quoted(lab)
    told = f"Next: aiops-lab open --lab {place}, or aiops-lab report {path.stem} --lab {place}"
    print(printable(told))


def open_(
    lab: LabOption,
    browser: Annotated[
        bool, typer.Option(help="Open a browser, or only print the address.")
    ] = True,
) -> None:
    """Open JupyterLab on a lab's notebooks (its own copy, made if there is none).

    explore_runs has the widgets: pick runs, browse flips, brush slices, run a notebook as report;
    explore_behaviour has those of traffic: brush the days of a figure, look at their requests;
    explore_attribution those of a router: pick an option, a period, an input, a decision;
    explore_incident those of an incident: brush its window, look at suspects, requests, attacks.
    Everything works without a network, and nothing is asked of one.
    """
    import subprocess

    folder = existing(lab).path.resolve()
    if not (folder / "notebooks").is_dir():
        init(folder)
    environment = {**os.environ, "AIOPS_LAB": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [
        sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder / 'notebooks'}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
    ]  # fmt: skip
    if not browser:
        command.append("--no-browser")
    raise typer.Exit(subprocess.call(command, env=environment))
