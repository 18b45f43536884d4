"""The ``aiops-lab`` command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_lab.errors import BadSettings, LabError, UnknownRun
from aiops_lab.verdict import BADNESS

if TYPE_CHECKING:
    from aiops_lab.ingest import Ingest, Progress
    from aiops_lab.lab import Lab
    from aiops_lab.reports.run import Report

FAILED, USAGE, INCONCLUSIVE, NOT_COMPUTED = 1, 2, 3, 4

MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]

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

slo = typer.Typer(no_args_is_help=True, help="Check objectives: what is promised of answers.")
app.add_typer(slo, name="slo")

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
    print(_printable(f"The demo lab with {lab.runs().height} runs is in {folder}."))
    print(_printable(f"Next: aiops-lab report --lab {folder}"))


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
    print(_printable(f"The lab is in {folder}: settings in lab.toml, notebooks in notebooks/."))
    print(_printable(f"Next: aiops-lab ingest YOUR_LOGS --lab {folder}"))


@app.command()
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
    found = _existing(lab)
    with _progress("reading") as progress:
        done = found.ingest(
            *paths, format=format, columns=_mapping(columns or []), progress=progress
        )
    if as_json:
        _print_json(done.to_dict(), found)
    else:
        _tell_ingest(done, found)


@app.command()
def status(lab: LabOption, as_json: JsonOption = False) -> None:
    """What is in a lab, and what could not be read."""
    import polars as pl

    found = _existing(lab)
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
        _print_json(answer, found)
        return
    print(
        _printable(f"{lab}: version {found.version}, {ingests.height} sources, {runs.height} runs")
    )
    if count := requests["len"][0]:
        print(f"{count:,} requests from {requests['first'][0]} to {requests['last'][0]}")
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
        str | None,
        typer.Option(help="Exit 1 when a verdict is at least so bad: inconclusive, warn or fail."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run notebooks headless and write one HTML page each, with an index.

    The newest page of each report is DIR/latest/NAME.html, older ones are in DIR/NAME.

    With --due, call it as often as you like, from cron, a timer or CI: what is due runs once, what
    was missed is made up for its own time.

    Exits 0 when every page was rendered, 4 when a notebook could not run to its end.
    """
    from aiops_lab.reports.kernels import SERVER

    SERVER.start()  # it imports while this process does
    from aiops_lab.reports.notify import Undelivered
    from aiops_lab.reports.run import Request, notebook_named, reports_of, run_reports
    from aiops_lab.reports.schedule import next_due, run_due
    from aiops_lab.reports.site import write_index

    if fail_on is not None and fail_on not in BADNESS[1:]:
        raise typer.BadParameter(f"one of {', '.join(BADNESS[1:])}", param_hint="--fail-on")
    problems: list[str] = []
    if due and (notebooks or parameters):
        raise typer.BadParameter("lab.toml names the notebooks and parameters", param_hint="--due")
    found = _existing(lab)
    if due:
        rules = found.settings.reports
        if not rules:
            raise BadSettings(f"{lab}/lab.toml has no [[reports]]; its comments show one")
        with _bars([rule.name for rule in rules]) as bars:
            moment = now and now.replace(tzinfo=UTC)
            try:
                done = run_due(
                    found, out, now=moment, jobs=jobs, time_limit=time_limit, progress=bars
                )
            except Undelivered as error:
                done, problems = error.reports, [str(error)]
        if not done and not as_json:
            if out.is_dir():  # one that was killed may have left the index behind its pages
                write_index(found, out)
            for rule in rules:
                coming = next_due(rule, moment or datetime.now(UTC))
                told = f"next {coming:%Y-%m-%d %H:%M} UTC" if coming else "and never will be"
                print(_printable(f"{rule.name}: nothing to run, {told}"))
            return
    else:
        paths = [notebook_named(name, found) for name in notebooks or []]
        if not paths:
            paths, problems = reports_of(found)
        given = _read_parameters(paths, parameters or [])
        requests = [
            Request(path, values, keep=keep) for path, values in zip(paths, given, strict=True)
        ]
        with _bars([path.stem for path in paths]) as bars:
            done = run_reports(
                requests, found, out, jobs=jobs, time_limit=time_limit, progress=bars
            )
    index = write_index(found, out)
    if as_json:
        print(json.dumps({"index": str(index), "reports": [_report_dict(r) for r in done]}))
    else:
        for each in done:
            print(_printable(f"{each.latest}: {each.error or each.verdict or 'no verdict'}"))
        print(_printable(f"Open {index}"))
    for problem in problems:
        print(f"aiops-lab: {_printable(problem)}", file=sys.stderr)
    if problems or any(each.error for each in done):
        raise typer.Exit(NOT_COMPUTED)
    if fail_on is not None and any(_counts(each, fail_on) for each in done):
        raise typer.Exit(FAILED)


@app.command()
def gate(
    lab: LabOption,
    baseline: Annotated[str | None, typer.Option(help="Run that is in use.", metavar="RUN")] = None,
    candidate: Annotated[
        str | None, typer.Option(help="Run that may be released.", metavar="RUN")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy file; the lab's lab.toml by default.")
    ] = None,
    policy_before: Annotated[
        Path | None,
        typer.Option(
            help="The policy before this change (git show main:lab.toml > before.toml), to point "
            "out what was loosened; else that of the lab's last gate."
        ),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a summary for a pull request.", metavar="F")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.", metavar="F")] = None,
    fix: Annotated[
        str | None,
        typer.Option(
            help="Why this is a fix: released while an error budget is spent too.", metavar="WHY"
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="How many questions the policy needs; decides nothing.")
    ] = False,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Which tasks must be run again; decides nothing."),
    ] = False,
    curve: Annotated[
        bool, typer.Option("--curve", help="The chance to pass against the true loss.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide on a release by the policy in lab.toml ([gate.metrics.NAME], [gate.caps], [gate]).

    With max_attack_rate in [guard] the latest attacks (garak, a red team of Promptfoo) must be
    shown to succeed more rarely; where none was tried it cannot be told.

    With [budget_policy] it fails while an error budget is spent, but for a change that --fix says
    is a fix.

    A rule is ok when its one-sided 5 % bound clears the limit, fails when that can be shown, and
    is inconclusive else; then the answer says what would settle it. A run is named by its id, a
    unique prefix, a tag (@prod), latest or latest~1. The summary is also appended to the file
    that GITHUB_STEP_SUMMARY names. --plan needs no candidate, --changed
    no run at all.

    Exits 0 when every rule is ok, 1 when one fails, 3 when it cannot be told, 4 when it could not
    be computed.
    """
    from dataclasses import replace

    import polars as pl

    from aiops_lab.guard.gate import attack_gate, with_attacks
    from aiops_lab.reports.gate import to_junit, to_markdown
    from aiops_lab.ship.changed import changed_tasks
    from aiops_lab.ship.gate import release_gate
    from aiops_lab.ship.gate_words import told, told_again
    from aiops_lab.ship.operating import left_out, operating_curve
    from aiops_lab.ship.plan import plan_gate

    found = _existing(lab)
    if changed:
        stale = changed_tasks(found)
        if as_json:
            _print_json(stale.to_dict(), found)
        else:
            print(_printable(stale.verdict))
            _print_table(stale.tasks, ["task", "status", "reason", "cost_usd", "last_gate"])
        return
    if baseline is None:
        raise typer.BadParameter("name the run that is in use", param_hint="--baseline")
    if plan:
        planned = plan_gate(found, baseline=baseline, candidate=candidate, policy=policy)
        if as_json:
            _print_json(planned.to_dict(), found)
        else:
            print(_printable(f"{planned.verdict}{told_again(planned.repeated)}"))
            columns = ["rule", "n", "perfect", "planned", "pass_now", "cost_usd", "status"]
            _print_table(planned.rules, columns)
            print("perfect: passes at all from so many questions; planned: decides 4 times in 5;")
            print("pass now: the chance to pass with n where nothing changed (none of a quantile).")
            print(f"How much two runs differ is taken from {planned.settings['variation']}.")
        return
    if candidate is None:
        raise typer.BadParameter("name the run that may be released", param_hint="--candidate")
    before = policy_before or _last_policy(found, found.find_run(candidate))
    answer = release_gate(
        found, baseline=baseline, candidate=candidate, policy=policy, policy_before=before, fix=fix
    )
    if found.settings.guard.max_attack_rate is not None:
        answer = replace(answer, verdict=with_attacks(answer.verdict, attack_gate(found)))
    found.record("gate", answer.verdict, answer.settings)
    key = found.redaction_key()
    text = to_markdown(answer, key)
    if markdown:
        markdown.write_text(text, "utf-8")
    if junit:
        junit.write_text(to_junit(answer, key), "utf-8")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    chances = operating_curve(answer) if curve else None
    if as_json:
        more = {} if chances is None else {"operating_curve": chances.to_dicts()}
        _print_json(answer.to_dict() | more, found)
    else:
        print(_printable(answer.verdict))
        _print_table(
            answer.rules.with_columns(pl.Series("figures", map(told, answer.rules.to_dicts()))),
            ["rule", "figures", "n", "status"],
        )
        if chances is not None:
            print("The chance of each answer against the true loss, in margins:")
            _print_table(chances, ["effect", "ok", "fail", "inconclusive"])
            for name, why in left_out(answer).items():
                print(_printable(f"without {name}: {why}"))
        print(f"Policy {answer.settings['policy_digest']}")
    code = {"fail": FAILED, "inconclusive": INCONCLUSIVE}.get(answer.verdict.status, 0)
    if code:
        raise typer.Exit(code)


def _last_policy(lab: Lab, candidate: str) -> dict[str, Any] | None:
    """The policy of the last gate that another candidate went through, else of this one's first."""
    gates = lab.table("verdicts").filter(report="gate").sort("at")
    given = [json.loads(parameters) for parameters in gates["parameters"]]
    others = [each["policy"] for each in given if each.get("candidate") != candidate]
    known = others[-1:] or [each["policy"] for each in given[:1]]
    return {"gate": known[0]} if known else None


@slo.command("check")
def slo_check(
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
    daily = _existing(lab).daily([]) if lab else None
    told = explained(checked.objectives, daily)
    if as_json:
        problems = [vars(problem) for problem in checked.problems]
        answer = {"refused": checked.refused, "problems": problems}
        print(json.dumps(answer | {"objectives": [each.to_dict() for each in told]}))
    else:
        for each in told:
            print(_printable(f"{each.objective.name}: {each.sentence}"))
            for line in (*each.alerts, *map(str, each.flags)):
                print(_printable(f"  {line}"))
        for problem in checked.problems:
            print(_printable(problem))
        errors = sum(problem.level == "error" for problem in checked.problems)
        counts = f"{errors} errors, {len(checked.problems) - errors} warnings"
        outcome = "refused" if checked.refused else "understood"
        print(f"{outcome}: {len(told)} objectives, {counts}")
    if checked.refused:
        raise typer.Exit(FAILED)


@app.command()
def export(
    what: Annotated[
        str, typer.Argument(help="formats, playbook, policy, postmortem, replay or tables.")
    ],
    path: Annotated[
        Path, typer.Argument(help="formats: the file with the prompt; for all else the lab.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", metavar="DIR")] = Path("export"),
    format: Annotated[str, typer.Option(help="Of tables: parquet or csv.")] = "parquet",
    count: Annotated[int, typer.Option(help="How many formats, the original among them.")] = 10,
    seed: Annotated[int, typer.Option(help="What makes the choice the same each time.")] = 0,
    to: Annotated[str, typer.Option(help="Of replay: inspect or promptfoo.")] = "inspect",
    requests: Annotated[int, typer.Option(help="Of replay: how many requests.", min=1)] = 100,
    since: Annotated[
        str | None, typer.Option(help="Of replay: from this day or time.", metavar="2026-05-12")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Of replay: before this day or time.")] = None,
    where: Annotated[
        str | None, typer.Option(help="Of replay: a slice.", metavar="language=de")
    ] = None,
    failing: Annotated[
        str | None, typer.Option(help="Of replay: only requests that fail this figure.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Of postmortem: the figure that moved, since --since.")
    ] = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option("--prompt", help="Of replay: a prompt to try, a file or a version that the "
                     "lab knows; several times."),
    ] = None,
) -> None:  # fmt: skip
    """Write what another tool runs or reads.

    "export formats PROMPT" writes the prompt in other formats that mean the same (separators,
    casing, spacing, enumerators). Run each, ingest the logs, and ask format_spread how much of
    the score is format.

    "export policy LAB" writes the policy on error budgets as a page: what is promised, what follows
    when a budget is spent, who decides.

    "export playbook LAB" writes what to do when something alarms: the question first, then each
    suspect with its check, what settles it, and how it is undone. Pages lead to its entries.

    "export postmortem LAB" drafts what happened in the newest incident, or in the one named by
    --metric, --since, --until and --where, with test cases that no test asks yet. It is kept in the
    lab; a second one like it is pointed out.

    "export replay LAB" writes logged requests for Inspect or Promptfoo to run again: a sample that
    stands for all of them, or with --failing those that went wrong. To run this week's requests on
    two prompts: --since MONDAY --prompt old.txt --prompt new.txt. Ingest the logs: results pair by
    the ids of requests.

    Secrets and personal data are replaced as in reports: [redact] in lab.toml.

    "export tables LAB" writes the lab's tables as Parquet, or as CSV in which no text is taken for
    a formula. A result's own frames: result.to_parquet(FOLDER), .to_csv(FOLDER), .to_pandas().
    """
    from aiops_lab.objectives.short import objectives_in
    from aiops_lab.redact import redacted, redacted_frame
    from aiops_lab.reports.page import write_document
    from aiops_lab.result import write_frames
    from aiops_lab.settings import BudgetPolicy
    from aiops_lab.sharing import sharing
    from aiops_lab.ship.prompt_formats import write_formats
    from aiops_lab.tables import SCHEMAS
    from aiops_lab.target.policy_words import policy_page

    match what:
        case "formats":
            written = write_formats(path, out, count, seed)
        case "policy":
            found = _existing(path)
            rules = found.settings.budget_policy or BudgetPolicy()
            with sharing(found.redaction_key()):
                text = policy_page(objectives_in(found.settings), rules)
            written = write_document(text, out / "error-budget-policy.md")
        case "playbook":
            from aiops_lab.reports.playbook import playbook

            written = write_document(playbook(_existing(path)), out / "playbook.md")
        case "postmortem":
            from aiops_lab.respond.postmortem import postmortem, write_cases

            found = _existing(path)
            window = (since, until) if since else None
            made = postmortem(found, window=window, metric=metric, where=where)
            written = write_document(made.text, out / f"postmortem-{made.kept['id']}.md")
            written += write_cases(found, made, out)
        case "replay":
            from aiops_lab.respond.replay import prompt_texts, replay_set
            from aiops_lab.respond.replay_files import write_replay

            found = _existing(path)
            rows = replay_set(
                found, since=since, until=until, where=where, failing=failing, n=requests, seed=seed
            )
            texts = prompt_texts(found, prompts or ())
            if (key := found.redaction_key()) is not None:
                rows, texts = redacted_frame(rows, key), redacted(texts, key)
            written = write_replay(rows, out, to, texts)
        case "tables":
            found = _existing(path)
            key = found.redaction_key()
            frames = {name: redacted_frame(found.table(name), key) for name in SCHEMAS}
            written = write_frames(frames, out, format)
        case _:
            raise typer.BadParameter(
                "formats, playbook, policy, postmortem, replay or tables", param_hint="WHAT"
            )
    for file in written:
        print(_printable(str(file)))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the notebook is called, such as tool_errors.")],
    lab: LabOption,
) -> None:
    """Write a notebook of your own into a lab, with the right first cells, ready to run."""
    from aiops_lab.reports.new import new_notebook

    path = new_notebook(_existing(lab).path / "notebooks", name)
    print(_printable(f"{path} asks and answers; now make the question yours."))
    print(
        _printable(f"Next: aiops-lab open --lab {lab}, or aiops-lab report {path.stem} --lab {lab}")
    )


@app.command(name="open")
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

    folder = _existing(lab).path.resolve()
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


def _existing(folder: Path) -> Lab:
    """The lab in a folder that is one: a typing error must not make a new lab."""
    from aiops_lab.lab import PINNED, SETTINGS, open_lab

    place = folder
    if (pinned := PINNED.fullmatch(str(folder))) and not folder.exists():
        place = Path(pinned[1])
    if not (place / SETTINGS).is_file() and not (place / "tables").is_dir():
        raise BadSettings(f"there is no lab in {str(place)!r}; make one: aiops-lab init {place}")
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


def _tell_ingest(done: Ingest, lab: Lab) -> None:
    rows = ", ".join(f"{count:,} {table}" for table, count in done.rows.items())
    print(f"{done.added} added ({rows or 'nothing new'}), {done.skipped} known already")
    if done.superseded.height:
        print(f"{done.superseded.height} hold only runs that another file has more of")
    if done.quarantined.height:
        print(f"{done.quarantined.height} things could not be read and were quarantined:")
        _print_table(done.quarantined.head(20), done.quarantined.columns)
    if done.added:
        print(_printable(f"Next: aiops-lab report --lab {lab.path}"))


def _print_json(answer: dict[str, Any], lab: Lab) -> None:
    """One JSON object on stdout, which others read: redacted as reports are."""
    from aiops_lab.redact import redacted

    key = lab.redaction_key()
    print(json.dumps(answer if key is None else redacted(answer, key), default=str))


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
    text = str(value)
    if isinstance(value, float | list | None):
        from aiops_lab.charts.table import cell

        text = cell(value)[0]
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


@contextmanager
def _bars(names: list[str]) -> Iterator[Callable[[int, int, int], None]]:
    """A progress bar a notebook, with the cell it is in, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        tasks = [
            shown.add_task(_printable(name), total=1, start=False, told="waiting") for name in names
        ]

        def step(number: int, cell: int, cells: int) -> None:
            shown.start_task(tasks[number])
            told = f"cell {cell} of {cells}"
            shown.update(tasks[number], completed=cell, total=cells, told=told)

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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show a sign stops nothing
            stream.reconfigure(errors="backslashreplace")
    try:
        app(_joined(sys.argv[1:]))
    except (BadSettings, UnknownRun) as error:
        status, told = USAGE, str(error)
    except (LabError, OSError) as error:
        status, told = NOT_COMPUTED, str(error)
    except Exception as error:
        # whatever went wrong, it is no verdict: 1 would say that a gate failed
        if os.environ.get("AIOPS_DEBUG"):
            raise
        hint = "set AIOPS_DEBUG=1 to see where"
        status, told = NOT_COMPUTED, f"{type(error).__name__}: {error} ({hint})"
    else:
        return
    print(f"aiops-lab: {_printable(told)}", file=sys.stderr)
    sys.exit(status)
