"""Pictures of a security review: all can be drawn, and a sentence stands where nothing is known."""

from __future__ import annotations

import polars as pl
import pytest

from aiops_lab import SecurityReview, security_review
from aiops_lab.charts import guard as pictures
from aiops_lab.charts.cases import Cases
from aiops_lab.charts.table import Table
from tests.charts.test_attribution_charts import EVIL, drawn, rows_of, said


@pytest.fixture(scope="module")
def tried() -> SecurityReview:
    rows = [
        {"run_id": "r", "sample_id": str(i), "metric": f"attack_success/{name}",
         "value": float(i < hits), "probe": EVIL}
        for name, hits in (("dan", 0), ("leak", 30)) for i in range(100)
    ]  # fmt: skip
    return security_review(pl.DataFrame(rows))


def test_the_ten_risks_stand_on_the_board(tried: SecurityReview) -> None:
    shown = pictures.board(tried)
    assert shown.total == 10
    assert any(cell[0] == "■ fail" for row in shown.rows for cell in row)


def test_attacks_are_drawn_with_their_intervals_the_worst_first(tried: SecurityReview) -> None:
    rows = [row for row in rows_of(drawn(pictures.attacks(tried))) if "told" in row]
    assert rows[0]["told"].startswith("30 of 100")
    assert rows[0]["low"] < 30 < rows[0]["high"]
    assert EVIL in rows[0]["name"]


@pytest.mark.parametrize("name", ["attacks", "signals", "trust", "findings", "documents"])
def test_a_sentence_stands_where_nothing_is_known(name: str) -> None:
    schema = {"run_id": pl.String, "sample_id": pl.String, "metric": pl.String, "value": pl.Float64}
    shown = getattr(pictures, name)(security_review(pl.DataFrame(schema=schema)))
    assert isinstance(shown, Cases) and said(shown)


def test_what_cannot_be_seen_is_listed(tried: SecurityReview) -> None:
    assert isinstance(pictures.unseen(tried), Table)
