"""``aiops-lab export``: files that another tool runs or reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aiops_lab.cli.options import LAB, existing
from aiops_lab.cli.terminal import printable

if TYPE_CHECKING:
    from aiops_lab.lab import Lab

What = Literal["formats", "playbook", "policy", "postmortem", "replay", "tables"]


def export(
    what: What,
    path: Annotated[
        Path | None,
        typer.Argument(help="formats: the file with the prompt; for all else the lab, or --lab."),
    ] = None,
    lab: Annotated[Path | None, LAB] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.", metavar="DIR")] = Path("export"),
    format: Annotated[Literal["parquet", "csv"], typer.Option(help="Of tables.")] = "parquet",
    count: Annotated[int, typer.Option(help="How many formats, the original among them.")] = 10,
    seed: Annotated[int, typer.Option(help="What makes the choice the same each time.")] = 0,
    to: Annotated[
        Literal["inspect", "promptfoo"], typer.Option(help="Of replay: the tool that runs it.")
    ] = "inspect",
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

    "export policy --lab LAB" writes the policy on error budgets as a page: what is promised, what
    follows when a budget is spent, who decides.

    "export playbook --lab LAB" writes what to do when something alarms: the question first, then
    each suspect with its check, what settles it, and how it is undone. Pages lead to its entries.

    "export postmortem --lab LAB" drafts what happened in the newest incident, or in the one named
    by --metric, --since, --until and --where, with test cases that no test asks yet. It is kept in
    the lab; a second one like it is pointed out.

    "export replay --lab LAB" writes logged requests for Inspect or Promptfoo to run again: a sample
    that stands for all of them, or with --failing those that went wrong. To run this week's
    requests on two prompts: --since MONDAY --prompt old.txt --prompt new.txt. Ingest the logs:
    results pair by the ids of requests.

    Secrets and personal data are replaced as in reports: [redact] in lab.toml.

    "export tables --lab LAB" writes the lab's tables as Parquet, or as CSV in which no text is
    taken for a formula. A result's own frames: result.to_parquet(FOLDER), .to_csv(FOLDER),
    .to_pandas().
    """
    place = path if what == "formats" else path or lab
    if place is None:
        missing = "the file with the prompt" if what == "formats" else "the lab, as --lab"
        raise typer.BadParameter(f"name {missing}", param_hint="PATH")
    if what == "formats":
        from aiops_lab.ship.prompt_formats import write_formats

        written = write_formats(place, out, count, seed)
    elif what == "policy":
        written = _policy(existing(place), out)
    elif what == "playbook":
        written = _playbook(existing(place), out)
    elif what == "postmortem":
        window = (since, until) if since else None
        written = _postmortem(existing(place), out, window=window, metric=metric, where=where)
    elif what == "replay":
        chosen = {"since": since, "until": until, "where": where, "failing": failing}
        found = existing(place)
        written = _replay(found, out, to, prompts or (), n=requests, seed=seed, **chosen)
    else:
        written = _tables(existing(place), out, format)
    for file in written:
        print(printable(str(file)))


def _policy(lab: Lab, out: Path) -> list[Path]:
    from aiops_lab.objectives.short import objectives_in
    from aiops_lab.reports.page import write_document
    from aiops_lab.settings import BudgetPolicy
    from aiops_lab.sharing import sharing
    from aiops_lab.target.policy_words import policy_page

    rules = lab.settings.budget_policy or BudgetPolicy()
    with sharing(lab.redaction_key()):
        text = policy_page(objectives_in(lab.settings), rules)
    return write_document(text, out / "error-budget-policy.md")


def _playbook(lab: Lab, out: Path) -> list[Path]:
    from aiops_lab.reports.page import write_document
    from aiops_lab.reports.playbook import playbook

    return write_document(playbook(lab), out / "playbook.md")


def _postmortem(lab: Lab, out: Path, **incident: Any) -> list[Path]:
    from aiops_lab.reports.page import write_document
    from aiops_lab.respond.postmortem import postmortem, write_cases

    made = postmortem(lab, **incident)
    page = write_document(made.text, out / f"postmortem-{made.kept['id']}.md")
    return [*page, *write_cases(lab, made, out)]


def _replay(lab: Lab, out: Path, to: str, prompts: Sequence[str], **chosen: Any) -> list[Path]:
    from aiops_lab.redact import redacted, redacted_frame
    from aiops_lab.respond.replay import prompt_texts, replay_set
    from aiops_lab.respond.replay_files import write_replay

    rows, texts = replay_set(lab, **chosen), prompt_texts(lab, prompts)
    if (key := lab.redaction_key()) is not None:
        rows, texts = redacted_frame(rows, key), redacted(texts, key)
    return write_replay(rows, out, to, texts)


def _tables(lab: Lab, out: Path, format: str) -> list[Path]:
    from aiops_lab.redact import redacted_frame
    from aiops_lab.result import write_frames
    from aiops_lab.tables import SCHEMAS

    key = lab.redaction_key()
    frames = {name: redacted_frame(lab.table(name), key) for name in SCHEMAS}
    return write_frames(frames, out, format)
