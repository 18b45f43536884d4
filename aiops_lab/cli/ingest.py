"""``aiops-lab ingest``: logs, traces and tables into a lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_lab.cli.options import JsonOption, LabOption, existing
from aiops_lab.cli.terminal import print_json, print_table, printable, progress, quoted

if TYPE_CHECKING:
    from aiops_lab.ingest import Ingest
    from aiops_lab.lab import Lab


def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders to walk, or to fetch: langfuse:DATASET[/RUN], "
            "langfuse-traces:DAY, phoenix:PROJECT."
        ),
    ],
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
    """Read eval logs, traces and tables into a lab; what is in it already is skipped.

    Known formats: Inspect (.eval, .json), Promptfoo (JSON, JSONL), lm-evaluation-harness (results
    with samples), garak (reports), tables (CSV, JSONL, JSON, Parquet), and what a retrieval system
    logged (tables of questions, chunks and hits; TREC runs and qrels). Traces: OTLP of the
    collector (JSON lines or documents, protobuf, zstd), the Python SDK's JSON, Phoenix's span
    lists, and a change log (CSV with at, artefact, to_version).

    A table with a row a request in production is told by a column "at" (--columns at=THEIRS), or
    by --format calls; its columns are those of spans, and slice, language, tenant.

    "langfuse:DATASET" fetches all runs of a Langfuse dataset, "langfuse:DATASET/RUN" one of them,
    "langfuse-traces:2026-10-01" the traces and scores of production from that day on.
    LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY say where and who;
    pip install aiops-lab[langfuse] brings what it needs. Killed, it goes on where it was.

    "phoenix:PROJECT" fetches the spans and annotations of a Phoenix project, and the next time what
    is new; "phoenix:PROJECT?since=2026-10-01" those that began then or later. PHOENIX_ENDPOINT and
    PHOENIX_API_KEY say where and who; pip install aiops-lab[phoenix] brings what it needs.
    """
    found = existing(lab)
    with progress("reading") as shown:
        done = found.ingest(*paths, format=format, columns=_mapping(columns or []), progress=shown)
    if as_json:
        print_json(done.to_dict(), found)
    else:
        _tell_ingest(done, found)


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


def _tell_ingest(done: Ingest, lab: Lab) -> None:
    rows = ", ".join(f"{count:,} {table}" for table, count in done.rows.items())
    print(f"{done.added} added ({rows or 'nothing new'}), {done.skipped} known already")
    if done.superseded.height:
        print(f"{done.superseded.height} hold only runs that another file has more of")
    if done.quarantined.height:
        print(f"{done.quarantined.height} things could not be read and were quarantined:")
        print_table(done.quarantined.head(20), done.quarantined.columns)
    if done.added:
        print(printable(f"Next: aiops-lab report --lab {quoted(lab.path)}"))
