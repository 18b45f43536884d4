"""Alerts on a budget as rows: what they mean, whether they fire, and what they cannot tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from aiops_lab.objectives.grammar import read_criterion
from aiops_lab.objectives.objective import Alert, Duration, Judge, Objective, Part, Window
from aiops_lab.target.burn import GATHERED, Burning, burning

AT = datetime(2026, 5, 29, tzinfo=UTC)
HOUR = timedelta(hours=1)


def goal(target: float = 0.98, **more: Any) -> Objective:
    return Objective("kind", target, "kind", read_criterion(">= 0.5"), **more)


def counts(
    bad: float = 0.01, lately: float | None = None, hours: int = 6, n: int = 100, days: int = 30
) -> pl.DataFrame:
    """So many evaluated each hour up to the moment, of which a share is bad, and lately another."""
    first = AT - HOUR * 24 * days
    return pl.DataFrame({"hour": [first + HOUR * i for i in range(24 * days)]}).with_columns(
        pl.col("hour").cast(pl.Datetime("us", "UTC")), objective=pl.lit("kind"),
        stratum=pl.lit("all"), n=pl.lit(n, pl.Int64), evaluated=pl.lit(n, pl.Int64),
        answers=pl.lit(float(n)),
        bad=pl.when(pl.col("hour") >= AT - HOUR * hours).then(lately or bad).otherwise(bad) * n,
    )  # fmt: skip


def row(found: Burning, alert: str) -> dict[str, Any]:
    return found.alerts.row(by_predicate=pl.col("alert") == alert, named=True)


def test_alerts_are_derived_from_what_they_spend() -> None:
    found = burning(goal(), counts(), AT).alerts
    assert found["alert"].to_list() == [
        "2 % in 1 hour", "5 % in 6 hours", "10 % in 3 days", GATHERED,
    ]  # fmt: skip
    assert found["burn_rate"][:2].to_list() == pytest.approx([0.02 * 28 * 24, 0.05 * 28 * 4])
    assert found["bad_rate"][:2].to_list() == pytest.approx([0.2688, 0.112])
    assert found["spends"].to_list()[:2] == pytest.approx([0.02, 0.05])
    assert found["status"].to_list() == ["ok"] * 4 and not found["capped"].any()


def test_an_alert_that_could_never_fire_is_capped_and_says_so() -> None:
    found = row(burning(goal(0.9), counts(), AT), "2 % in 1 hour")
    assert found["capped"] and found["burn_rate"] == pytest.approx(10)
    assert found["bad_rate"] == 1 and found["spends"] < 0.02 and "every answer" in found["why"]


def test_a_page_fails_and_a_ticket_warns() -> None:
    found = burning(goal(), counts(lately=0.4), AT)
    fast = row(found, "2 % in 1 hour")
    assert fast["status"] == "fail" and fast["since"] == AT - 5 * HOUR
    assert fast["rate"] == pytest.approx(0.4) and 0.02 < fast["low"] < 0.4
    slow = row(burning(goal(), counts(lately=0.08, hours=40), AT), "10 % in 3 days")
    assert slow["status"] == "warn"


def test_moments_are_those_at_which_alerts_fired() -> None:
    rows = counts(lately=0.4, hours=30).with_columns(
        bad=pl.when(pl.col("hour") >= AT - 20 * HOUR).then(1.0).otherwise("bad")
    )
    found = burning(goal(), rows, AT)
    fast = found.moments.filter(pl.col("alert") == "2 % in 1 hour").row(0, named=True)
    assert (fast["begin"], fast["end"]) == (AT - 29 * HOUR, AT - 19 * HOUR)
    told = row(found, "2 % in 1 hour")
    assert told["fired"] == 1 and told["since"] is None and told["status"] == "ok"


def test_nothing_evaluated_is_inconclusive_never_ok() -> None:
    rows = counts().filter(pl.col("hour") < AT - 2 * HOUR)
    found = row(burning(goal(), rows, AT), "2 % in 1 hour")
    assert found["status"] == "inconclusive" and found["rate"] is None
    assert found["evaluated"] == 0 and "nothing was evaluated" in found["why"]
    nothing = burning(goal(), rows.clear(), AT)
    assert set(nothing.alerts["status"]) == {"inconclusive"} and nothing.moments.is_empty()


def test_too_few_to_tell_is_inconclusive() -> None:
    found = row(burning(goal(), counts(n=1), AT), "2 % in 1 hour")
    assert found["status"] == "inconclusive" and "could not tell" in found["why"]


def test_the_time_between_false_pages_is_that_of_the_traffic() -> None:
    busy = row(burning(goal(), counts(), AT), "2 % in 1 hour")
    assert busy["false_every_days"] is None and busy["false_every_low"] > 365
    quiet = row(burning(goal(), counts(n=5, bad=0.01), AT), "2 % in 1 hour")
    assert quiet["false_every_days"] is not None and quiet["false_every_days"] < 400
    assert quiet["hours_at_15"] is not None and busy["hours_at_15"] <= quiet["hours_at_15"]


def test_alerts_of_its_own_are_used_as_they_are() -> None:
    own = (
        Alert("fast", 10, Duration(1, "h"), "page"), Alert("never", 60, Duration(1, "h")),
        Alert("calm", 1, Duration(1, "h"), quiet=True),
    )  # fmt: skip
    found = burning(goal(alerts=own), counts(lately=0.3), AT)
    assert found.alerts["alert"].to_list() == ["fast", "never", "calm", GATHERED]
    assert row(found, "fast")["status"] == "fail"
    assert row(found, "never")["status"] == "inconclusive"
    assert "never fire" in row(found, "never")["why"] and "quiet" not in row(found, "never")["why"]
    assert row(found, "calm")["status"] == "inconclusive"


def test_a_judge_that_flags_good_answers_pages_nobody() -> None:
    judge = Judge(90, 100, 1900, 2000)
    flags = counts(0.05 + 0.01 * 0.85)
    assert set(burning(goal(judge=judge), flags, AT).alerts["status"]) == {"ok"}
    assert "fail" in set(burning(goal(), flags, AT).alerts["status"])


def test_strata_are_not_pooled() -> None:
    disliked = counts(0.2, n=10).with_columns(stratum=pl.lit("1.0"))
    others = counts(0.005, n=10).with_columns(stratum=pl.lit("20.0"), answers=200.0)
    found = burning(goal(), pl.concat([disliked, others]), AT)
    assert set(found.alerts["status"]) == {"ok"}
    assert row(found, GATHERED)["rate"] == pytest.approx((0.2 + 20 * 0.005) / 21)


def test_windows_as_long_as_the_period_have_no_alert() -> None:
    short = goal(window=Window(Duration(1, "d")))
    found = burning(short, counts(), AT)
    assert found.alerts["alert"].to_list() == ["2 % in 1 hour", "5 % in 6 hours", GATHERED]
    assert found.alerts["burn_rate"][0] == 1


def test_what_is_not_computed_says_why() -> None:
    of = Objective("both", 0.98, parts=(Part(goal()),))
    found = burning(of, counts(), AT).alerts
    assert set(found["status"]) == {"inconclusive"} and "parts" in found["why"][0]


def test_where_all_may_be_bad_nothing_burns() -> None:
    found = burning(goal(0.0), counts(), AT).alerts
    assert "no budget" in found["why"][0] and set(found["status"]) == {"inconclusive"}


def test_millions_of_answers_are_no_trouble() -> None:
    found = burning(goal(0.999), counts(0.0001, 0.9, n=1_000_000), AT)
    assert row(found, GATHERED)["status"] == "fail"
    assert row(found, GATHERED)["since"] == AT - 5 * HOUR
