"""What differs in two texts is found message by message, with what hides and what is filled in."""

from __future__ import annotations

import json
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.respond.difference import KINDS, prompt_pair, revealed, text_difference

TEXTS = st.text(st.sampled_from('ab {}[]"\n\t\u00a0\u200b\u202e\U000e0041,:'), max_size=40)


def side(found: pl.DataFrame, name: str) -> str:
    return "".join(found.filter(side=name)["text"])


@given(TEXTS, TEXTS)
def test_the_parts_of_a_side_make_it_up_again(old: str, new: str) -> None:
    parts = text_difference(f"({old}", f"({new}").parts
    assert (side(parts, "old"), side(parts, "new")) == (revealed(f"({old}"), revealed(f"({new}"))
    assert text_difference(old, old).parts.filter(pl.col("sign") != "").is_empty()


def test_messages_are_paired_by_what_they_say_then_by_their_role() -> None:
    system, first = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}
    shot = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
    last = {"role": "user", "content": "Now {{question}}"}
    new = [{**system, "content": "Be long."}, first, shot, last]
    found = text_difference(json.dumps([system, last]), json.dumps({"messages": new}))
    marked = found.parts.filter(pl.col("sign") != "").select("message", "role", "sign", "text")
    assert marked.rows() == [
        (1, "system", "-", "brief."), (1, "system", "+", "long."),
        (2, "user", "+", "Hi"), (3, "assistant", "+", "Hello"),
    ]  # fmt: skip
    assert found.variables.rows() == [("{{question}}", 1, 1)]


def test_other_json_is_compared_by_path() -> None:
    old, new = (json.dumps([{"params": {"template": text, "n": 2}}]) for text in ("Hi", "Ho"))
    parts = text_difference(old, new).parts
    assert parts.filter(sign="+").select("role", "text").rows() == [("0.params.template", "Ho")]
    broken = text_difference('{"a": {{b}}}', '{"a": {{c}}}')
    assert broken.parts["role"].null_count() == broken.parts.height, "no JSON: one text"


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("a\u200bb", "zero width", "a[U+200B]b"),
        ("a\u202eb", "direction", "a[U+202E]b"),
        ("a\u00a0b", "unusual space", "a[U+00A0]b"),
        ("\U000e0068\U000e0069", "tag", "[tags: hi]"),
        ("a \t\nb", "blanks at a line's end", "a[2 blanks]\nb"),
        ("a\x1b[31m", "control", "a[U+001B][31m"),
        ("a\r\nb", "carriage return", "a\nb"),
        ("a\u3164b", "other", "a[U+3164]b"),
    ],
)
def test_what_hides_is_counted_and_spelled_out(text: str, kind: str, shown: str) -> None:
    hidden = text_difference("plain", text).hidden
    assert hidden["kind"].to_list() == [kind] and kind in KINDS
    assert hidden["before"].item() == 0 and hidden["after"].item() > 0
    assert revealed(text) == shown
    assert text_difference("plain words", "plain  words").hidden.is_empty()


def test_variables_of_each_template_come_and_go() -> None:
    old = "{{ name }} {who} ${cost} <%= at %> {{a.b}} {x:>8} {y!r}"
    found = text_difference(old, "{name} {{a.b | upper}}").variables
    told = {name: (before, after) for name, before, after in found.rows()}
    assert told == {
        "{{name}}": (1, 0), "{who}": (1, 0), "${cost}": (1, 0), "<%= at %>": (1, 0),
        "{{a.b}}": (1, 1), "{x}": (1, 0), "{y}": (1, 0), "{name}": (0, 1),
    }  # fmt: skip
    assert text_difference('{"k": 1}', "{ } {1} $ {} {answer: text}").variables.is_empty()


@pytest.mark.parametrize(
    "text",
    [" " * 200_000 + "b", "{" * 200_000, "{{ " * 60_000, "${a" * 60_000, "[{" * 5_000,
     '{"a":' * 3_000, "\u200b" * 50_000, "e" + "\u0301" * 100_000, "(" * 4_900],
    ids=lambda text: f"{text[:4]!r}",
)  # fmt: skip
def test_hostile_lengths_take_no_time(text: str) -> None:
    begun = time.perf_counter()
    text_difference(text, text[1:])
    assert time.perf_counter() - begun < 10


def test_one_side_may_be_missing() -> None:
    assert text_difference(None, "a").parts.rows() == [(1, None, "new", "+", "a")]
    assert text_difference("a", None).parts["sign"].to_list() == ["-"]
    assert text_difference(None, None).parts.is_empty()


def test_versions_are_known_by_their_name_too() -> None:
    names = ["answer:13", "14"]
    known = pl.DataFrame({"artefact": "prompt", "version": names, "content": ["a", "b"]})
    row = {"artefact": "prompt", "name": "answer", "from_version": "13", "version": "answer:14"}
    assert prompt_pair(known, row) == ("answer:13", "14")
    assert prompt_pair(known, {**row, "from_version": None, "version": "15"}) == (None, None)
    assert prompt_pair(known, {**row, "artefact": "model"}) == (None, None)
