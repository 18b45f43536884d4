"""A gate's limit on what a change may spend of a budget."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from aiops_lab import Lab, plan_gate, release_gate
from aiops_lab.errors import BadSettings
from aiops_lab.reports.gate import to_junit, to_markdown
from aiops_lab.settings import Settings
from aiops_lab.ship.operating import left_out, operating_curve
from aiops_lab.ship.policy import loosened, read_policy

SLO = {"name": "grounded answers", "metric": "grounded", "good": ">= 0.5", "target": "95 %"}


def asked(limit: float = 0.25, *slo: dict[str, Any]) -> dict[str, Any]:
    return {"gate": {"max_budget_share": limit}, "slo": list(slo or [SLO])}


def table(bad: int, n: int = 2000) -> pl.DataFrame:
    values = [1.0] * n + [0.0] * bad + [1.0] * (n - bad)
    return pl.DataFrame({
        "run_id": ["a"] * n + ["b"] * n, "sample_id": [*range(n)] * 2, "metric": "grounded",
        "value": values, "language": ["de", "en"] * n,
    })  # fmt: skip


def gate(bad: int, policy: Any = None, n: int = 2000) -> Any:
    return release_gate(table(bad, n), baseline="a", candidate="b", policy=policy or asked())


@pytest.mark.parametrize(
    ("bad", "status"), [(0, "ok"), (10, "ok"), (26, "inconclusive"), (50, "fail")]
)
def test_a_change_may_spend_a_quarter_of_a_budget(bad: int, status: str) -> None:
    found = gate(bad)
    assert found.verdict.status == status, found.verdict
    row = found.rules.row(0, named=True)
    assert row["rule"] == "budget of grounded answers" and row["limit"] == 0.25
    assert row["value"] == pytest.approx(bad / 2000 / 0.05)
    assert (row["p_ok"] <= 0.05) == (row["high"] < 0.25)


def test_every_output_says_it_in_percent() -> None:
    found = gate(50)
    told = "spends 50 % of the budget of grounded answers ("
    assert told in found.verdict.headline and "limit 25 %" in found.verdict.headline
    assert told in to_junit(found)
    assert told.replace("(", "\\(") in to_markdown(found)
    plain = json.loads(json.dumps(found.to_dict(), default=str))
    assert told in plain["rules"][0]["told"]
    assert "limit 25 %" in gate(0).verdict.headline


def test_too_few_questions_say_how_many_would_settle_it() -> None:
    found = gate(1, n=200)
    assert found.verdict.status == "inconclusive"
    assert "even with a perfect record: ask at least 240" in found.rules["settle"][0]
    assert [gate(0, n=n).verdict.status for n in (238, 239)] == ["inconclusive", "ok"]
    assert "more questions if nothing changed" in gate(10, n=600).rules["settle"][0]


def test_an_objective_without_figures_is_said_and_none_at_all_decides_nothing() -> None:
    other = {**SLO, "name": "kind", "metric": "tone_of_voice"}
    found = gate(0, asked(0.25, SLO, other))
    assert found.verdict.status == "ok" and found.rules.height == 1
    [told] = found.preflight.filter(check="budgets")["detail"]
    assert "kind is not asked: no tone_of_voice in both runs" in told
    assert "kind" in to_markdown(found)
    none = gate(0, asked(0.25, other))
    assert none.verdict.status == "inconclusive"
    assert "no objective applies" in none.rules["settle"][0]


def test_a_filtered_objective_is_decided_on_its_slice() -> None:
    found = gate(40, asked(0.25, {**SLO, "filter": "language=de"}))
    assert found.rules["n"][0] == 1000
    assert found.rules["value"][0] == pytest.approx(20 / 1000 / 0.05)


def test_a_budget_stands_beside_other_rules() -> None:
    policy = asked()
    policy["gate"]["metrics"] = {"grounded": {"margin": 0.05}}
    found = gate(50, policy)
    assert found.rules["status"].to_list() == ["ok", "fail"] and found.verdict.status == "fail"
    assert left_out(found) == {"budget of grounded answers": "a share of an error budget"}
    assert operating_curve(found, replicates=50).height


def test_a_plan_says_how_many_questions_a_budget_takes() -> None:
    few, many = (
        plan_gate(table(bad, n), baseline="a", candidate="b", policy=asked())
        for bad, n in ((1, 200), (10, 2000))
    )
    assert few.rules["perfect"].to_list() == [239] and few.verdict.status == "fail"
    assert "Ask 239 questions" in few.verdict.next_step
    assert many.rules["status"].to_list() == ["ok"] and many.rules["planned"][0] <= 2000
    more = plan_gate(table(20, 600), baseline="a", candidate="b", policy=asked())
    assert more.verdict.status == "inconclusive" and more.rules["planned"][0] > 600
    assert "budget of grounded answers" in more.verdict.headline


def test_a_raised_or_removed_limit_is_a_loosened_policy() -> None:
    read = [read_policy(asked(limit), Settings()) for limit in (0.1, 0.25)]
    free = read_policy({"gate": {}}, Settings())
    assert "was 0.1, now 0.25" in next(loosened(*read, lambda _: 1))
    assert "any share" in next(loosened(read[0], free, lambda _: 1))
    assert not list(loosened(read[1], read[0], lambda _: 1))
    assert not list(loosened(free, read[0], lambda _: 1))


@pytest.mark.parametrize("share", [0, -0.1, "a quarter"])
def test_a_limit_is_a_share_above_nothing(share: Any) -> None:
    with pytest.raises(BadSettings, match="max_budget_share"):
        gate(0, asked(share))


def test_the_objectives_are_the_labs_where_the_policy_has_none(demo: Lab) -> None:
    policy = {"gate": {"max_budget_share": 0.25}}
    found = release_gate(demo, baseline="latest~1", candidate="latest", policy=policy)
    rules = found.rules["rule"].to_list()
    assert "budget of answers within 4 seconds" in rules
    assert "budget of answers, not refusals" in rules
    assert (
        "grounded answers is not asked: no grounded"
        in found.preflight.filter(check="budgets")["detail"][0]
    )
