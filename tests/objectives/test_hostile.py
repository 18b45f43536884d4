"""Files from untrusted hands: nothing is run, nothing blows up, every refusal has a line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiops_lab.objectives.openslo.documents import LARGEST, read_documents
from aiops_lab.objectives.openslo.fields import Reading, plain
from aiops_lab.objectives.openslo.slos import objectives_of

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "an alias bomb": (LAUGHS, "aliases make this too large"),
    "an alias of itself": ("a: &a [*a]", "too deep"),
    "deep lists": ("[" * 100_000, "nest"),
    "deep lists that end": ("[" * 900 + "]" * 900, "nested deeper than 40"),
    "deep mappings": ("".join(f"{' ' * i}a:\n" for i in range(300)), "nested deeper than 40"),
    "many values": ("[" + "1," * 200_000 + "]", "too many values"),
    "a large file": ("a" * (LARGEST + 1), "larger than 1,000,000 bytes"),
    "an object of Python": ("!!python/object/apply:os.system [touch x]", "is not read"),
    "a tag": ("a: !secret x", "the tag '!secret' is not read"),
    "a set": ("a: !!set {x, y}", "is not read"),
    "a key twice": ("a: 1\na: 2", "stands here twice"),
    "a list as key": ("? [a]\n: b", "keys are plain texts"),
    "a merge": ("a: &a {x: 1}\nb: {<<: *a}", "keys are plain texts"),
    "no alias": ("a: *nothing", "not YAML"),
    "a control character": ("a: b\nc: \x1b[31m", "U+001B"),
    "a null byte": ("a: \x00", "U+0000"),
    "a tab": ("a:\n\tb: 1", "not YAML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_at_once_with_a_line(name: str, tmp_path: Path) -> None:
    text, reason = HOSTILE[name]
    begun = time.perf_counter()
    _, problems = read_documents("a.yaml", text.encode())
    assert time.perf_counter() - begun < 10
    assert reason in problems[-1].reason and problems[-1].line >= 1
    assert not list(tmp_path.iterdir())


def test_what_is_not_utf8_is_refused_on_its_line() -> None:
    _, problems = read_documents("a.yaml", b"a: 1\nb: \xff\n")
    assert (problems[0].line, problems[0].reason) == (2, "this is not UTF-8")


def test_an_alias_that_repeats_a_little_is_read() -> None:
    documents, problems = read_documents("a.yaml", b"a: &x {n: 1}\nb: *x\n")
    assert not problems and plain(documents[0]) == {"a": {"n": 1}, "b": {"n": 1}}


def test_documents_before_an_error_are_read() -> None:
    documents, problems = read_documents("a.yaml", b"a: 1\n---\nb: [\n---\nc: 1\n")
    assert [plain(each) for each in documents] == [{"a": 1}] and len(problems) == 1


def test_scalars_are_what_they_look_like() -> None:
    text = b"{a: 1:30, b: 010, c: yes, d: 2026-01-01, e: .inf, f: 1e3, g: ~, h: '1', i: 1_000}"
    (document,), _ = read_documents("a.yaml", text)
    found = plain(document)
    assert found | {"e": None} == {
        "a": "1:30", "b": 10, "c": True, "d": "2026-01-01", "e": None, "f": "1e3", "g": None,
        "h": "1", "i": 1000,
    }  # fmt: skip


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@example(b"\xef\xbb\xbfkind: SLO")
@example(b"kind: List\nitems: 3")
@example(b"kind: List\nitems: ~")
@example(b"- - - kind: SLO")
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    documents, problems = read_documents("a.yaml", content)
    reading = Reading()
    objectives_of(documents, reading)
    assert all(problem.line >= 1 for problem in [*problems, *reading.problems])


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["kind", "metadata", "spec", "name", "objectives", "target", "type"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(TREES, st.sampled_from(["SLO", "SLI", "DataSource", "AlertPolicy", "AlertCondition"]))
def test_any_tree_is_read_or_refused(spec: object, kind: str) -> None:
    import json

    content = {"apiVersion": "openslo/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    documents, _ = read_documents("a.json", json.dumps(content).encode())
    objectives_of(documents, Reading())
