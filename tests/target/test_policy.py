"""What follows from what is spent: levels, freezes, incidents, the written page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from aiops_lab.errors import BadSettings
from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Objective
from aiops_lab.settings import BudgetPolicy, settings_of
from aiops_lab.target import policy
from aiops_lab.target.policy_words import policy_page

GOAL = Objective("answers", 0.95, "refusal", read_criterion(bad=True))
RULES = BudgetPolicy()
START = datetime(2026, 5, 1, tzinfo=UTC)


def stands(spent: float | None, low: float | None, high: float | None) -> dict[str, object]:
    rows = pl.DataFrame(
        {"name": ["a"], "spent": [spent], "low": [low], "high": [high]},
        schema_overrides=dict.fromkeys(("spent", "low", "high"), pl.Float64),
    )
    return policy.standing(rows, RULES).row(0, named=True)


@pytest.mark.parametrize(
    ("spent", "level", "status"),
    [
        ((0.1, 0.05, 0.2), "none", "ok"), ((0.6, 0.55, 0.7), "note", "ok"),
        ((0.8, 0.76, 0.9), "restrict", "warn"), ((1.2, 1.0, 1.5), "freeze", "fail"),
        ((1.2, 0.8, 1.5), "restrict", "inconclusive"), ((0.5, 0.2, 1.5), "none", "ok"),
        ((0.9, 0.3, 1.5), "none", "inconclusive"),
    ],
)  # fmt: skip
def test_a_level_is_reached_when_the_whole_interval_is_above_it(
    spent: tuple[float, float, float], level: str, status: str
) -> None:
    found = stands(*spent)
    assert (found["level"], found["status"]) == (level, status)


def test_where_nothing_is_known_nothing_is_ok() -> None:
    assert stands(None, None, None)["status"] == "inconclusive"


def test_days_on_which_releases_were_frozen_are_told_as_spells() -> None:
    days = [START + timedelta(days=n + 1) for n in range(8)]
    low = [0.2, 1.0, 1.3, 0.9, 1.1, 1.1, None, 0.4]
    down = pl.DataFrame({"objective": "a", "day": days, "low": low})
    found = policy.freezes(down, RULES)
    assert found.rows() == [
        ("a", date(2026, 5, 2), date(2026, 5, 3), 2),
        ("a", date(2026, 5, 5), date(2026, 5, 6), 2),
    ]
    assert not policy.freezes(down.head(0), RULES).height


def hours(bad: list[int], n: int = 40) -> pl.DataFrame:
    at = [START + timedelta(hours=i) for i in range(len(bad))]
    return pl.DataFrame(
        {"hour": at, "objective": "answers", "stratum": "all", "n": n, "evaluated": n,
         "bad": [float(b) for b in bad], "answers": float(n)},
        schema_overrides={"hour": pl.Datetime("us", "UTC")},
    )  # fmt: skip


def fired(*spells: tuple[int, int]) -> pl.DataFrame:
    rows = [(START + timedelta(hours=a), START + timedelta(hours=b)) for a, b in spells]
    return pl.DataFrame(
        {"objective": ["answers"] * len(rows), "begin": [a for a, _ in rows],
         "end": [b for _, b in rows]},
        schema_overrides=dict.fromkeys(("begin", "end"), pl.Datetime("us", "UTC")),
    )  # fmt: skip


def test_an_incident_begins_where_bad_answers_began_to_add_up() -> None:
    counts = hours([1] * 30 + [30] * 6 + [1] * 30)
    spent = pl.DataFrame({"name": ["answers"], "allowed": [400.0]})
    found = policy.incidents([GOAL], counts, fired((32, 34), (34, 37)), spent, RULES)
    row = found.row(0, named=True)
    assert found.height == 1
    assert (row["begin"], row["end"]) == (
        START + timedelta(hours=30), START + timedelta(hours=36),
    )  # fmt: skip
    assert row["spent"] == row["low"] == pytest.approx(180 / 400)
    assert row["status"] == "warn"


def test_a_small_incident_asks_for_no_postmortem_and_two_are_told_apart() -> None:
    counts = hours([1] * 30 + [20] * 2 + [1] * 60 + [30] * 6 + [1] * 30)
    spent = pl.DataFrame({"name": ["answers"], "allowed": [400.0]})
    found = policy.incidents([GOAL], counts, fired((31, 32), (93, 98)), spent, RULES)
    assert found["status"].to_list() == ["warn", "ok"]
    assert found["begin"].to_list() == [START + timedelta(hours=h) for h in (92, 30)]


def test_without_alerts_there_are_no_incidents() -> None:
    spent = pl.DataFrame({"name": ["answers"], "allowed": [400.0]})
    assert not policy.incidents([GOAL], hours([1, 2]), fired(), spent, RULES).height


def test_settings_say_the_levels_and_refuse_what_cannot_be() -> None:
    found = settings_of('[budget_policy]\nnote = "40 %"\nfreeze = 1.2').budget_policy
    assert found and found.levels == {"note": 0.4, "restrict": 0.75, "freeze": 1.2}
    for text, told in (
        ('note = "80 %"', "below restrict"), ('freeze = "all"', "share of a budget"),
        ("incident = 0", "share of a budget"), ("frezze = 1", "freeze"),
    ):  # fmt: skip
        with pytest.raises(BadSettings, match=told):
            settings_of(f"[budget_policy]\n{text}")


def test_the_page_says_who_decides_and_escapes_what_people_wrote() -> None:
    hostile = Objective("<script>|*x*", 0.95, "refusal", read_criterion(bad=True))
    page = policy_page([GOAL, hostile], BudgetPolicy(owner="[me](javascript:1)", escalate="CTO"))
    assert "<script" not in page.replace("\\<script", "") and "](" not in page.replace("\\]", "")
    assert "| 100 % | freeze | Release fixes alone until the budget is back. |" in page
    assert "Who disagrees turns to CTO." in page
    assert "at least 95 % of answers have refusal false" in page


def test_dates_of_toml_are_dates_of_texts() -> None:
    text = (
        "[budget_policy]\nreview = {}\n[[reports]]\nname = 'n'\nnotebook = 'x'\ncron = '0 6 * * *'"
    )
    text += "\nparameters = {{ leave_out = [{}] }}"
    same = [settings_of(text.format(day, day)) for day in ("2026-10-20", "'2026-10-20'")]
    assert same[0] == same[1] and same[0].reports[0].parameters == {"leave_out": ["2026-10-20"]}
