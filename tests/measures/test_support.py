"""Wording that stands in the passages: what it tells apart, and what defeats it."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab.errors import BadSettings
from aiops_lab.measures.support import _sentences, lexical_support
from aiops_lab.ship.retrieval.inputs import read_corpus

FERRY = "The ferry to Lindau sails at 9:30. It carries 120 cars and costs €1,200 on 12 May 2024."


def excerpts(seed: int = 0, each: int = 40) -> list[tuple[str, str, str]]:
    """Verbatim stretches of the handbook: the stretch, its document, and another one."""
    chance, found = np.random.default_rng(seed), []
    texts = [text for _, text in read_corpus("").texts()]
    for number, text in enumerate(texts):
        words = text.split(" ")
        for start in chance.integers(0, max(len(words) - 40, 1), each):
            other = texts[(number + 1 + chance.integers(len(texts) - 1)) % len(texts)]
            found.append((" ".join(words[start : start + 40]), text, other))
    return found


def test_verbatim_excerpts_have_full_support_and_those_of_another_text_little() -> None:
    answers, own, other = zip(*excerpts(), strict=True)
    present = lexical_support(answers, own)["support"].to_numpy()
    absent = lexical_support(answers, other)["support"].to_numpy()
    assert (present == 1).all()
    assert absent.mean() < 0.4
    assert (present[:, None] > absent).mean() + (present[:, None] == absent).mean() / 2 > 0.95


def test_negation_defeats_it() -> None:
    context = "Passengers may take bicycles on board of all ferries in summer and in winter."
    wrong = "Passengers may not take bicycles on board of all ferries in summer and in winter."
    assert lexical_support([wrong], [context])["support"].item() > 0.8


def test_a_paraphrase_lowers_it() -> None:
    context = "Passengers may take bicycles on board."
    assert lexical_support(["Bikes are allowed on ships."], [context])["support"].item() == 0


def test_support_is_the_share_of_bigrams_and_the_weakest_sentence_is_told() -> None:
    found = lexical_support(["It sails at noon. It sinks at noon!"], ["It sails at noon."])
    assert found.select("support", "weakest", "sentences").row(0) == (
        pytest.approx((1 + 1 / 3) / 2), pytest.approx(1 / 3), 2,
    )  # fmt: skip
    assert lexical_support(["Noon."], ["at noon"])["support"].item() == 1


def test_bigrams_do_not_reach_from_one_passage_into_the_next() -> None:
    assert lexical_support(["one two"], [["so one", "two more"]])["support"].item() == 0


@pytest.mark.parametrize("nothing", [None, "", "  \n", "...", "[1]", float("nan")])
def test_no_answer_has_no_figures(nothing: object) -> None:
    assert all(value is None for value in lexical_support([nothing], [FERRY]).row(0))


@pytest.mark.parametrize("nothing", [None, "", [], [""], [None]])
def test_nothing_is_supported_by_no_context(nothing: object) -> None:
    found = lexical_support(["Nine ferries sail."], [nothing])
    assert found.select("support", "weakest", "sentences").row(0) == (0, 0, 1)


@pytest.mark.parametrize(
    ("answer", "context", "missing"),
    [
        ("1,200", "1200", []),
        ("1’200", "1,200.00", []),
        ("3.50", "3.5", []),
        ("3,5 kg", "3.5", []),
        ("1.200", "1200", []),
        ("1,200", "1.2", ["1,200"]),
        ("12", "120", ["12"]),
        ("12", "0.12", ["12"]),
        ("12", "v12 and 3.12", ["12"]),
        ("007", "7", []),
        ("٣", "3", []),
        ("5 minutes", "5 min", []),
        ("5 minutes", "5", []),
        ("5 minutes", "5 hours", ["5 minutes"]),
        ("5%", "5 percent", []),
        ("€5", "5 euros", []),
        ("$5", "5 euros", ["$5"]),
        ("12 May 2024", "2024-05-12", []),
        ("May 12th, 2024", "12.05.2024", []),
        ("12 May", "on 12 May 2024", []),
        ("12 May 2025", "12 May 2024", ["12 May 2025"]),
        ("5 December 2024", "12/05/2024", []),
        ("in 2024", "12 May 2024", []),
        ("at 9:30", "at 9:15 or 10:30", ["9:30"]),
        ("1.2.3", "1.2.4", ["1.2.3"]),
        ("1. First\n2. Second", "nothing", []),
        ("99 [1]", "99", []),
    ],
)
def test_numbers_are_compared_as_values(answer: str, context: str, missing: list[str]) -> None:
    found = lexical_support([f"so {answer}" if "\n" not in answer else answer], [context])
    assert found["numbers_missing"].to_list() == [missing]


def test_names_and_quotations_that_stand_nowhere_are_listed() -> None:
    answer = 'Ask Anna Huber or Dr. Smith in Lindau: "sail at dawn" or “the ferry to lindau”. I do.'
    found = lexical_support([answer], [FERRY])
    assert found["names_missing"].to_list() == [["Anna Huber", "Dr. Smith"]]
    assert found["quotes_missing"].to_list() == [["sail at dawn"]]
    found = lexical_support(["Trains go. Ferries go."], ["nothing"])
    assert found["names_missing"].to_list() == [[]], "what opens a sentence is no name by that"


def test_citations_lead_to_a_passage() -> None:
    found = lexical_support(
        ["So [1]. And [2, 4] or [3-5] or [0].", "So [7]."], [["a"] * 3, "x [7]"]
    )
    assert found["citations_missing"].to_list() == [["[4]", "[5]", "[0]"], []]
    assert lexical_support(["See [3](http://a)."], ["x"])["citations_missing"].to_list() == [[]]


def test_sentences_are_cut_where_they_end_and_not_elsewhere() -> None:
    text = "Dr. Smith pays 3.5 euros, e.g. today. [1] No! 「はい。」\n1. One\n- two\n\nwrap\nped"
    assert [text[start:end] for start, end in _sentences(text)] == [
        "Dr. Smith pays 3.5 euros, e.g. today. [1]", "No!", "「はい。」", "1. One", "- two",
        "wrap\nped",
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60), st.text(max_size=60))
def test_places_are_characters_of_the_answer(answer: str, context: str) -> None:
    clean = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in answer)
    found = [clean[start:end] for start, end in _sentences(clean)]
    assert found == [sentence.strip() for sentence in found]
    whole = lexical_support([answer, answer], [context, answer])
    assert whole["sentences"].to_list() == [len(found) or None] * 2
    if found:
        assert 0 <= whole["support"][0] <= whole["support"][1] == 1


def test_any_composition_of_letters_is_the_same_word() -> None:
    found = lexical_support(["Das CAFE\u0301 ist zu"], ["das café ist zu"])
    assert found["support"].item() == 1


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "\n", "1", ".", '"', "“", "[", "[1]", "1,", "1.1.", "1-", "e.g. ", "Ab ", "\ud800",
     "\u0301\u0316", "[1,", '."', "May ", "ﷺ "],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_seconds(unit: str) -> None:
    started = time.perf_counter()
    lexical_support([unit * (10**6 // len(unit))], [["x"]])
    assert time.perf_counter() - started < 30


def test_what_is_no_list_of_answers_is_refused() -> None:
    with pytest.raises(BadSettings, match="not one text"):
        lexical_support("one", ["x"])
    with pytest.raises(BadSettings, match="2 answers need as many contexts, not 1"):
        lexical_support(["one", "two"], [["x"]])
    assert lexical_support([], []).schema["names_missing"] == pl.List(pl.String)
    assert lexical_support(pl.Series(["a b"]), pl.Series([["a b"]]))["support"].item() == 1
