"""``aiops-lab gate``: may this candidate be released, and what would it take to tell?"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_lab.cli.options import JsonOption, LabOption, existing
from aiops_lab.cli.terminal import FAILED, INCONCLUSIVE, print_json, print_table, printable

if TYPE_CHECKING:
    from aiops_lab.lab import Lab
    from aiops_lab.ship.gate import Gate


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
    found = existing(lab)
    if changed:
        return _tell_changed(found, as_json)
    if baseline is None:
        raise typer.BadParameter("name the run that is in use", param_hint="--baseline")
    if plan:
        return _tell_plan(found, baseline, candidate, policy, as_json)
    if candidate is None:
        raise typer.BadParameter("name the run that may be released", param_hint="--candidate")
    before = policy_before or _last_policy(found, found.find_run(candidate))
    answer = _decided(found, baseline, candidate, policy=policy, policy_before=before, fix=fix)
    _write(answer, found, markdown, junit)
    _tell(answer, found, curve, as_json)
    code = {"fail": FAILED, "inconclusive": INCONCLUSIVE}.get(answer.verdict.status, 0)
    if code:
        raise typer.Exit(code)


def _decided(lab: Lab, baseline: str, candidate: str, **settings: Any) -> Gate:
    """The gate's answer, the attacks' among it where a limit is set on them; kept in the lab."""
    from aiops_lab.guard.gate import attack_gate, with_attacks
    from aiops_lab.ship.gate import release_gate

    answer = release_gate(lab, baseline=baseline, candidate=candidate, **settings)
    if lab.settings.guard.max_attack_rate is not None:
        answer = replace(answer, verdict=with_attacks(answer.verdict, attack_gate(lab)))
    lab.record("gate", answer.verdict, answer.settings)
    return answer


def _write(answer: Gate, lab: Lab, markdown: Path | None, junit: Path | None) -> None:
    from aiops_lab.files import write_text, writing
    from aiops_lab.reports.gate import to_junit, to_markdown

    key = lab.redaction_key()
    text = to_markdown(answer, key)
    if markdown:
        write_text(markdown, text)
    if junit:
        write_text(junit, to_junit(answer, key))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with writing(summary), Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)


def _tell(answer: Gate, lab: Lab, curve: bool, as_json: bool) -> None:
    import polars as pl

    from aiops_lab.ship.gate_words import told
    from aiops_lab.ship.operating import left_out, operating_curve

    chances = operating_curve(answer) if curve else None
    if as_json:
        more = {} if chances is None else {"operating_curve": chances.to_dicts()}
        return print_json(answer.to_dict() | more, lab)
    print(printable(answer.verdict))
    print_table(
        answer.rules.with_columns(pl.Series("figures", map(told, answer.rules.to_dicts()))),
        ["rule", "figures", "n", "status"],
    )
    if chances is not None:
        print("The chance of each answer against the true loss, in margins:")
        print_table(chances, ["effect", "ok", "fail", "inconclusive"])
        for name, why in left_out(answer).items():
            print(printable(f"without {name}: {why}"))
    print(f"Policy {answer.settings['policy_digest']}")


def _tell_changed(lab: Lab, as_json: bool) -> None:
    from aiops_lab.ship.changed import changed_tasks

    stale = changed_tasks(lab)
    if as_json:
        return print_json(stale.to_dict(), lab)
    print(printable(stale.verdict))
    print_table(stale.tasks, ["task", "status", "reason", "cost_usd", "last_gate"])


def _tell_plan(
    lab: Lab, baseline: str, candidate: str | None, policy: Path | None, as_json: bool
) -> None:
    from aiops_lab.ship.gate_words import told_again
    from aiops_lab.ship.plan import plan_gate

    planned = plan_gate(lab, baseline=baseline, candidate=candidate, policy=policy)
    if as_json:
        return print_json(planned.to_dict(), lab)
    print(printable(f"{planned.verdict}{told_again(planned.repeated)}"))
    columns = ["rule", "n", "perfect", "planned", "pass_now", "cost_usd", "status"]
    print_table(planned.rules, columns)
    print("perfect: passes at all from so many questions; planned: decides 4 times in 5;")
    print("pass now: the chance to pass with n where nothing changed (none of a quantile).")
    print(f"How much two runs differ is taken from {planned.settings['variation']}.")


def _last_policy(lab: Lab, candidate: str) -> dict[str, Any] | None:
    """The policy of the last gate that another candidate went through, else of this one's first."""
    gates = lab.table("verdicts").filter(report="gate").sort("at")
    given = [json.loads(parameters) for parameters in gates["parameters"]]
    others = [each["policy"] for each in given if each.get("candidate") != candidate]
    known = others[-1:] or [each["policy"] for each in given[:1]]
    return {"gate": known[0]} if known else None
