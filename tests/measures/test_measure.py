"""A row a text, a column a measure, and nothing said where there is no text."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab.errors import BadSettings
from aiops_lab.measures import MEASURES, measure

TEXTS = ["I can't help with that.", None, '{"a": 1}', "a: 1", "```json\n[1]\n```", ""]


def test_each_measure_says_what_it_is() -> None:
    assert all(
        name == one.name and one.label and one.version >= 1 for name, one in MEASURES.items()
    )
    assert [name for name, one in MEASURES.items() if not one.cheap] == [
        "repetition", "json_defect", "yaml_defect", "tone", "language",
    ]  # fmt: skip
    found = measure(TEXTS, MEASURES)
    for name, one in MEASURES.items():
        assert one.rate == (found.schema[name] == pl.Boolean), name


def test_values() -> None:
    found = measure(TEXTS)
    assert found["characters"].to_list() == [23, None, 8, 4, 15, 0]
    assert found["words"].to_list() == [5, None, 2, 2, 3, 0]
    assert found["refusal"].to_list() == [True, None, False, False, False, False]
    assert found["json_valid"].to_list() == [False, None, True, False, False, False]
    assert found["json_repaired"].to_list() == [False, None, False, False, True, False]
    assert found["yaml_valid"].to_list() == [False, None, True, True, False, False]


@pytest.mark.parametrize(
    "given",
    [
        TEXTS,
        tuple(TEXTS),
        pl.Series(TEXTS),
        pd.Series(TEXTS),
        pl.DataFrame({"output": TEXTS, "id": range(6)}),
        pl.LazyFrame({"output": TEXTS}),
        pd.DataFrame({"output": TEXTS}),
        pa.table({"output": TEXTS}),
    ],
    ids=lambda given: type(given).__module__ + type(given).__name__,
)
def test_any_kind_of_texts_gives_the_same(given: object) -> None:
    assert measure(given).equals(measure(TEXTS))


def test_no_text_is_no_answer_to_any_measure() -> None:
    for missing in ([None], [float("nan")], ["\ud800 {}"], pd.Series([None, "a"])):
        assert all(value is None for value in measure(missing, MEASURES).row(0))
    assert measure([]).height == 0
    assert measure([None, None], MEASURES).null_count().sum_horizontal().item() == 2 * len(MEASURES)


def test_too_long_is_not_parsed() -> None:
    found = measure(['{"a": "' + "x" * 1_100_000 + '"}'])
    assert found.select("json_valid", "json_repaired", "yaml_valid", "yaml_repaired").row(0) == (
        (None,) * 4
    )


def test_tone_goes_the_way_the_words_go() -> None:
    kind, plain, harsh = measure(
        ["What a wonderful idea, thank you!", "The table has legs.", "This is a terrible mess."],
        "tone",
    )["tone"]
    assert -1 <= harsh < -0.3 < plain < 0.3 < kind <= 1


def test_wrong_settings_say_what_to_write() -> None:
    with pytest.raises(BadSettings, match="did you mean 'refusal'"):
        measure(["a"], "refusals")
    with pytest.raises(BadSettings, match="no column 'output'"):
        measure(pl.DataFrame({"text": ["a"]}))
    with pytest.raises(BadSettings, match="texts are wanted, not int"):
        measure(["a", 1])
    with pytest.raises(BadSettings, match="a list of texts"):
        measure("a")


@given(st.lists(st.none() | st.text(max_size=80), max_size=5))
@settings(max_examples=150, deadline=None)
def test_every_text_gets_a_row_and_only_texts_get_values(texts: list[str | None]) -> None:
    found = measure(texts)
    assert found.height == len(texts)
    for text, row in zip(texts, found.rows(), strict=True):
        assert all((value is None) == (text is None) for value in row)


def test_what_fails_one_measure_alone_is_asked_the_next_in_any_order() -> None:
    texts = ['{"a": 1}', "{'a': 1}", "a: b: c", "Of course!", None, "x" * 1_000_001]
    names = ["json_defect", "json_repaired", "yaml_defect", "json_valid"]
    found = measure(texts, names)
    assert found.columns == names
    assert found["json_defect"].to_list() == [None, "single quotes", None, None, None, None]
    assert found["yaml_defect"].to_list() == [None, None, "colon", None, None, None]
    assert found["json_repaired"].to_list() == [False, True, False, False, None, None]
    for name in names:
        assert measure(texts, name)[name].to_list() == found[name].to_list()


def test_repetition_by_hand() -> None:
    texts = [
        "a b c A B C a, b c",
        "one two",
        "x " * 50,
        "The boat leaves at six.",
        None,
        "\u8239 " * 9,
    ]
    assert measure(texts, "repetition")["repetition"].to_list() == pytest.approx(
        [4 / 7, 0, 47 / 48, 0, None, 6 / 7]
    )
