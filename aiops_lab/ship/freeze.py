"""Are releases frozen, because an error budget is spent?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.settings import BudgetPolicy
from aiops_lab.target.budget import standing_now
from aiops_lab.target.policy import standing
from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import figure, interval, listing, short_name

CHECK = "error budgets"
LONGEST = 200


class Freeze(NamedTuple):
    """What the budget policy says of a release: a check, and which budgets are spent for sure."""

    check: tuple[str, str, str]
    spent: tuple[dict[str, Any], ...] = ()
    fix: str = ""

    def on(self, verdict: Verdict) -> Verdict:
        """The verdict of a gate, with the freeze taken into account."""
        if not self.spent:
            return verdict
        told = listing(map(_told, self.spent), 3)
        if self.fix:
            headline = f"{verdict.headline} It goes out as a fix ({self.fix}) while {told}."
            return replace(verdict, headline=headline)
        evidence = [
            Evidence(f"spent of {short_name(row['name'])}", row["spent"], row["low"], row["high"],
                     row["limit"], "fail") for row in self.spent
        ]  # fmt: skip
        return Verdict(
            "fail", f"Releases are frozen: {told}.", (*verdict.evidence, *evidence),
            'Release what mends it: aiops-lab gate ... --fix "why". '
            f"All else waits. Without the freeze: {verdict.status}. {verdict.headline}",
        )  # fmt: skip


def freeze(lab: Any, policy: BudgetPolicy | None, fix: str | None) -> Freeze | None:
    """Whether the policy on error budgets holds a release up; None where there is no policy.

    Parameters
    ----------
    lab
        A Lab with objectives; any other data has no budgets.
    fix
        Why this change is a fix, which is released all the same.

    Raises
    ------
    BadSettings
        The reason of a fix is empty or long.
    """
    if fix is not None and not 0 < len(fix.strip()) <= LONGEST:
        raise BadSettings(f"a fix says why in up to {LONGEST} letters")
    if policy is None or not hasattr(lab, "relations"):
        return None
    found = standing(standing_now(lab), policy).with_columns(limit=policy.levels["freeze"])
    spent = tuple(found.filter(level="freeze").to_dicts())
    if spent:
        state, told = ("warn" if fix else "fail"), f"{listing(map(_told, spent), 3)}"
        told += f"; released as a fix: {fix.strip()}" if fix else ""
        return Freeze((CHECK, state, told), spent, fix.strip() if fix else "")
    open_ = found.filter((pl.col("seems") == "freeze") | pl.col("spent").is_null())
    if open_.height and not fix:
        names = listing(map(short_name, open_["name"]), 3)
        told = f"it cannot be told whether releases are frozen: {names}: {open_['follows'][0]}"
        return Freeze((CHECK, "inconclusive", told.rstrip(".")))
    held = found.filter(level="restrict")
    if held.height:
        told = f"{listing(map(_told, held.to_dicts()), 3)}: release only what can be taken back"
        return Freeze((CHECK, "warn", told))
    return Freeze((CHECK, "ok", "no budget is so far spent that it holds a release up"))


def _told(row: dict[str, Any]) -> str:
    spent = f"{figure(row['spent'], share=True)} {interval(row['low'], row['high'], share=True)}"
    return f"{spent} of the budget of {short_name(row['name'])} is spent"
