"""A refusal is known by how it opens; help, sympathy and ignorance are none."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from aiops_lab.measures import measure
from aiops_lab.measures.refusal import refusal

HERE = Path(__file__).parent
# our own examples: all were written before the rule; "first" was looked at while it was made,
# "kept" was only counted
EXAMPLES = pl.DataFrame(
    [json.loads(line) for line in (HERE / "refusals.jsonl").read_text("utf-8").splitlines()]
)
JUDGED = EXAMPLES.with_columns(found=measure(EXAMPLES["text"], "refusal")["refusal"])
ENGLISH = ("gpt", "llama", "mistral", "claude", "short")


def _share(rows: pl.DataFrame) -> float:
    return float(rows["found"].mean())  # type: ignore[arg-type]


@pytest.mark.parametrize(("part", "recall"), [("first", 0.97), ("kept", 0.93)])
def test_refusals_are_found(part: str, recall: float) -> None:
    declined = JUDGED.filter(pl.col("refusal"), part=part)
    assert declined.height > 75
    assert _share(declined) >= recall
    for kind in ENGLISH:
        assert _share(declined.filter(kind=kind)) >= 0.80, kind


@pytest.mark.parametrize("part", ["first", "kept"])
def test_ordinary_answers_are_hardly_ever_called_refusals(part: str) -> None:
    answered = JUDGED.filter(~pl.col("refusal"), part=part)
    assert answered.filter(kind="ordinary").height > 35
    assert _share(answered.filter(kind="ordinary")) <= 0.01
    assert _share(answered.filter(kind="hard")) <= 0.05


def test_most_languages_are_known() -> None:
    other = JUDGED.filter(pl.col("refusal"), ~pl.col("kind").is_in(ENGLISH))
    assert _share(other) >= 0.9


@pytest.mark.parametrize(
    "dressed",
    [
        "I can’t help with that.",
        "**I can't help with that.**",
        "> I can't help with that.",
        "I can\u200b't help with that.",
        "\n\n  I can't\nhelp with that.",
        "I CAN'T HELP WITH THAT.",
        "“I can't help with that.”",
        "Assistant: I can't help with that.",
        "<think>Should I?</think>I can't help with that.",
    ],
)
def test_dress_does_not_matter(dressed: str) -> None:
    assert measure([dressed], "refusal").item()


def test_what_comes_late_is_not_read() -> None:
    helped = "Boil the rice for ten minutes. Then let it rest. Serve it warm. "
    assert not measure([helped + "I can't help with that."], "refusal").item()


DECLINED = [
    "Beklager, men jeg kan ikke hjælpe dig med det.",
    "Det kan jeg desværre ikke besvare.",
    "Jeg må desværre afvise at skrive den tekst.",
    "Jeg kan dessverre ikke gi deg råd om dette.",
    "Jeg må ikke svare på det.",
    "Tyvärr kan jag inte svara på den frågan.",
    "Jag får inte ge råd om mediciner.",
    "Jag måste avböja att skriva det.",
    "Ich bin als Assistentin nicht in der Lage, das zu entscheiden.",
]
HELPED = [
    "Jeg kan ikke finde din booking, men her er nummeret til kontoret.",
    "Du kan ikke tage hunden med i kahytten.",
    "Det kan du gøre indtil en time før afgang.",
    "Billetten kan ikke refunderes efter afgang.",
    "Jag hittar ingen bokning med det numret.",
    "Man får inte ta med hunden på däck 7.",
    "Biljetten kan inte ändras efter avgång.",
    "Nein, Hunde dürfen nicht in die Kabine.",
]


@pytest.mark.parametrize("text", DECLINED)
def test_scandinavian_refusals_are_found(text: str) -> None:
    assert refusal(pl.Series([text])).item()
    assert refusal(pl.Series([f"answer: >-\n  {text}\nconfidence: 0.3"])).item()


@pytest.mark.parametrize("text", HELPED)
def test_a_rule_that_forbids_something_is_no_refusal(text: str) -> None:
    assert not refusal(pl.Series([text])).item()
