"""The policy on error budgets in words: what follows from each level, and the page of it."""

from __future__ import annotations

from collections.abc import Iterable

from aiops_lab.objectives.objective import Objective
from aiops_lab.settings import BudgetPolicy
from aiops_lab.target.explain import explain
from aiops_lab.wording import in_markdown

FOLLOWS = {
    "none": "Release as usual.",
    "note": "Find out what spends it; releases go on.",
    "restrict": "Release only small changes that can be taken back, each through the gate.",
    "freeze": "Release fixes alone until the budget is back.",
    "unknown": "Evaluate some of its answers: nothing tells how it stands.",
}


def follows(level: str, seems: str, policy: BudgetPolicy) -> str:
    """What to do at a level that is reached for sure, where more seems to be."""
    told = FOLLOWS[level]
    if level == seems:
        return told
    limit = f"{100 * policy.levels[seems]:.4g} %"
    return f"{told} It seems to be over {limit} ({seems}); more evaluated answers would tell."


def policy_page(goals: Iterable[Objective], policy: BudgetPolicy) -> str:
    """The written policy as Markdown: what is promised, what follows, who decides.

    Examples
    --------
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> goal = Objective("kind", 0.95, "tone", read_criterion(">= 0"))
    >>> policy_page([goal], BudgetPolicy(owner="Answers")).splitlines()[2]
    'Owner: Answers.'
    """
    told = {name: f"{100 * share:.4g} %" for name, share in policy.levels.items()}
    rows = [f"| {told[name]} | {name} | {FOLLOWS[name]} |" for name in told]
    promises = [
        f"- **{in_markdown(goal.name)}.** {in_markdown(explain(goal).sentence)}" for goal in goals
    ]
    incident = f"{100 * policy.asks:.4g} %"
    owner = in_markdown(policy.owner) or "not named yet"
    lines = [
        "# Error budget policy", "", f"Owner: {owner}.",
        *([f"To be looked at again on {in_markdown(policy.review)}."] if policy.review else []),
        "", "## What is promised", "", *(promises or ["Nothing yet."]), "",
        "What may be bad of a promise is its error budget. How much of it is spent is an estimate "
        "with a 95 % interval; a level is reached when the whole interval lies above it.", "",
        "## What follows", "", "| spent | level | what follows |", "|---|---|---|", *rows, "",
        "While a budget is at the last level, `aiops-lab gate` fails. A change that mends what "
        'spends the budget is released as a fix: `aiops-lab gate ... --fix "why"` says so in the '
        "gate's answer, for all to read.", "",
        f"An incident that spent {incident} of a budget or more gets a postmortem with at least "
        "one action that keeps it from happening again.", "",
        "Where it cannot be told whether a level is reached, the level below holds, and more "
        "answers are evaluated.", "",
        *([f"Who disagrees turns to {in_markdown(policy.escalate)}."] if policy.escalate else []),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"
