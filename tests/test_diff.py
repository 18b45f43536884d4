"""Word diffs: what is marked differs, and the parts make up the texts again."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.diff import MOST_WORDS, word_diff

TEXTS = st.text(st.sampled_from('ab<&é漢字 \n.,"{}'), max_size=60)


def marked(parts: list[tuple[str, str]] | None, sign: str) -> list[str]:
    return [text for own, text in parts or [] if own == sign]


@given(TEXTS, TEXTS)
def test_the_parts_make_up_both_texts(old: str, new: str) -> None:
    found = word_diff(old, new)
    assert found is not None
    assert "".join(text for _, text in found[0]) == old
    assert "".join(text for _, text in found[1]) == new
    assert not marked(found[0], "+") and not marked(found[1], "-")


@given(TEXTS)
def test_the_same_text_has_no_difference(text: str) -> None:
    found = word_diff(text, text)
    assert found is not None
    assert {sign for parts in found for sign, _ in parts} <= {""}


@pytest.mark.parametrize(
    ("old", "new", "gone", "added"),
    [
        ("by 12:00 we ring", "by 20:00 we ring", ["12:00"], ["20:00"]),
        ("is 12 pounds", "was 12 euros", ["is", "pounds"], ["was", "euros"]),
        ("你好世界", "你好中界", ["世"], ["中"]),
        ('{"a":1,"b":2}', '{"a":1,"c":2}', ["b"], ["c"]),
        ("all of this goes and all of that", "quite another and wholly new text", None, None),
    ],
    ids=["a word", "what stays stays", "no spaces", "JSON", "an island by chance"],
)
def test_what_differs_is_marked(old, new, gone, added) -> None:
    found = word_diff(old, new)
    assert found is not None
    assert marked(found[0], "-") == (gone or [old])
    assert marked(found[1], "+") == (added or [new])


def test_huge_texts_are_not_compared_and_large_ones_are_quick() -> None:
    assert word_diff("a " * (MOST_WORDS + 1), "a") is None
    words = [f"w{i % 97}" for i in range(MOST_WORDS)]
    start = time.perf_counter()
    assert word_diff(" ".join(words), " ".join(reversed(words))) is not None
    assert time.perf_counter() - start < 5
