"""What is mended says what was meant; what would have to be guessed is refused."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab.errors import Unrepairable
from aiops_lab.measures import measure, repair_json, repair_yaml

WORDS = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "haven",
    "inlet",
    "jetty",
    "kayak",
    "ledge",
    "maple",
]
Case = tuple[str, object]


def _value(draw: random.Random) -> object:
    text = " ".join(draw.choices(WORDS, k=draw.randint(1, 4)))
    return draw.choice([text, text, draw.randint(-99, 999), draw.randint(1, 99) / 4, True, None])


def _document(draw: random.Random) -> dict[str, object]:
    keys = draw.sample(WORDS, 5)
    return {
        keys[0]: " ".join(draw.choices(WORDS, k=3)),
        keys[1]: _value(draw),
        keys[2]: {"name": draw.choice(WORDS), "size": draw.randint(1, 50)},
        keys[3]: draw.choices(WORDS, k=3),
        keys[4]: [{"id": i, "label": draw.choice(WORDS)} for i in range(2)],
    }


def _plain(value: dict[str, object]) -> str:
    return yaml.safe_dump(value, sort_keys=False)


def _odd(text: Callable[[random.Random], str], *places: str) -> Callable[[random.Random], Case]:
    """A document with one value written without the quotes it needs."""

    def make(draw: random.Random) -> Case:
        value, odd = _document(draw), text(draw)
        place = draw.choice(places or ("top", "nested", "list"))
        key = list(value)[("top", "", "nested", "list").index(place)]
        shapes = {
            "top": "ODD",
            "nested": {"name": "ODD", "size": 3},
            "list": ["reef", "ODD", "sand"],
        }
        value[key] = shapes[place]
        wanted = json.loads(json.dumps(value).replace('"ODD"', json.dumps(odd)))
        return _plain(value).replace("ODD", odd), wanted

    return make


def _fence(draw: random.Random) -> Case:
    value = _document(draw)
    end = draw.choice(["```", "```\nLet me know if you need more.", ""])
    start = draw.choice(["", "Here it is:\n\n"]) + draw.choice(["```yaml", "```yml", "```"])
    return f"{start}\n{_plain(value)}{end}", value


def _prose(draw: random.Random) -> Case:
    value = _document(draw)
    before = [
        "Sure! Here is the document you asked for:\n\n",
        "Certainly.\n",
        "Here is the YAML:\n",
        "",
    ]
    after = ["\n---\nI hope this helps!\n", "\nLet me know if you need anything else.\n", ""]
    return draw.choice(before) + _plain(value) + draw.choice(after), value


def _tabs(draw: random.Random) -> Case:
    value = _document(draw)
    lines = yaml.dump(value, sort_keys=False).split("\n")
    return "\n".join(
        line.replace("  ", "\t", 1) if line.startswith("  ") else line for line in lines
    ), value


def _curly(draw: random.Random) -> Case:
    value = _document(draw)
    first = next(iter(value))
    source = _plain(value).replace(str(value[first]), f"“{value[first]}”", 1)
    return source, value


def _open_quote(draw: random.Random) -> Case:
    value = _document(draw)
    first = next(iter(value))
    quote = draw.choice("\"'")
    return _plain(value).replace(str(value[first]), f"{quote}{value[first]}", 1), value


def _inner_quote(draw: random.Random) -> Case:
    value = _document(draw)
    first = next(iter(value))
    rest = {k: v for k, v in value.items() if k != first}
    value[first] = f'the "{draw.choice(WORDS)}" of {draw.choice(WORDS)}'
    return f'{first}: "{value[first]}"\n' + _plain(rest), value


def _glued(draw: random.Random) -> Case:
    value = _document(draw)
    name = draw.choice(["name", "size"])
    return _plain(value).replace(f"{name}: ", f"{name}:"), value


def _indent(draw: random.Random) -> Case:
    value = _document(draw)
    return _plain(value).replace("  size:", "   size:").replace("  label:", "   label:"), value


def _cut(draw: random.Random) -> Case:
    value = {**_document(draw), "last": draw.choices(WORDS, k=3)}
    body = _plain({k: v for k, v in value.items() if k != "last"})
    return body + "last: [" + ", ".join(value["last"]), value  # type: ignore[arg-type]


def _no(draw: random.Random) -> Case:
    odd = draw.choice(["NO", "yes", "on", "Off", "y"])
    return _odd(lambda _: odd)(draw)


def _word(draw: random.Random) -> str:
    return draw.choice(WORDS)


YAML_DEFECTS: dict[str, Callable[[random.Random], Case]] = {
    "fence": _fence,
    "prose": _prose,
    "tabs": _tabs,
    "curly quotes": _curly,
    "open quote": _open_quote,
    "inner quotes": _inner_quote,
    "glued colon": _glued,
    "indent": _indent,
    "truncated": _cut,
    "colon": _odd(lambda d: f"{_word(d)} {_word(d)}: {_word(d)}", "top", "nested"),
    "sign": _odd(lambda d: d.choice("@%`*&!") + _word(d) + d.choice(["", f" {_word(d)}"])),
    "bracket": _odd(lambda d: f"[{_word(d)}] {_word(d)}"),
    "hash": _odd(lambda d: f"#{_word(d)}"),
    "boolean word": _no,
}


def _outcomes(
    defects: dict, repair: Callable[[str], str], read: Callable, seeds: range
) -> dict[str, Counter]:
    found = {}
    for name, make in defects.items():
        found[name] = Counter()
        for seed in seeds:
            source, wanted = make(random.Random(f"{name} {seed}"))
            try:
                got = read(repair(source))
            except Unrepairable:
                found[name]["refused"] += 1
                continue
            same = json.dumps(got, default=str) == json.dumps(wanted)
            found[name]["repaired" if same else "changed"] += 1
            found[name] += Counter() if same else Counter([source])
    return found


def test_yaml_is_repaired_and_nothing_is_changed_silently() -> None:
    found = _outcomes(YAML_DEFECTS, repair_yaml, yaml.safe_load, range(40))
    total = sum(found.values(), Counter())
    assert total["changed"] == 0, found
    assert total["repaired"] >= 0.95 * 40 * len(YAML_DEFECTS), found


@pytest.mark.parametrize("seed", range(40))
def test_what_was_clean_comes_through_unchanged(seed: int) -> None:
    value = _document(random.Random(seed))
    for source in (_plain(value), yaml.safe_dump(value, default_flow_style=True)):
        assert repair_yaml(source) == source
    for source in (json.dumps(value), json.dumps(value, indent=2)):
        assert repair_json(source) == source


def _json(mend: Callable[[str, random.Random], str]) -> Callable[[random.Random], Case]:
    def make(draw: random.Random) -> Case:
        value = _document(draw)
        return mend(json.dumps(value, indent=draw.choice([None, 2])), draw), value

    return make


def _bare_keys(source: str, draw: random.Random) -> str:
    return re.sub(r'"(\w+)":', r"\1:", source)


def _literals(source: str, draw: random.Random) -> str:
    return repr(json.loads(source))


JSON_DEFECTS = {
    "fence": _json(lambda s, d: f"```json\n{s}\n```"),
    "prose": _json(lambda s, d: f"Here you are:\n\n{s}\n\nAnything else?"),
    "trailing comma": _json(lambda s, d: re.sub(r"(\s*[}\]])", r",\1", s, count=2)),
    "single quotes": _json(lambda s, d: s.replace('"', "'")),
    "bare keys": _json(_bare_keys),
    "python": _json(_literals),
    "comment": _json(lambda s, d: s.replace("{", "{ // as asked\n", 1)),
    "block comment": _json(lambda s, d: s.replace("{", "{ /* as asked */", 1)),
    "truncated": _json(lambda s, d: s.rstrip("}] \n")),
    "missing comma": _json(lambda s, d: re.sub(r'",(\s*)"', r'"\1 "', s, count=1)),
    "curly quotes": _json(lambda s, d: re.sub(r'"(\w+)":', r"“\1”:", s)),
}


def test_json_is_repaired_and_nothing_is_changed_silently() -> None:
    found = _outcomes(JSON_DEFECTS, repair_json, json.loads, range(20))
    total = sum(found.values(), Counter())
    assert total["changed"] == 0, found
    assert total["repaired"] >= 0.95 * 20 * len(JSON_DEFECTS), found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Of course! What would you like to know?",
        "I like {curly} things [a lot].",
        "As shown in [1], prices rose.",
        '{"a": 1, "b":',
        '{"a": 1, "b": tr',
        '{"a": NaN}',
        "{'a': -Infinity}",
        '{"a": 1}{"a": 2}',
        '{"a": 1, "a": 2,}',
        '{"id": 007}',
        "{'a': 'it's'}",
        "```json\n{}\n```\n```json\n[]\n```",
        '{"a": [1, 2, ...]}',
        '{"a": ' + "1" * 5000 + ",}",
    ],
)
def test_json_that_would_need_guessing_is_refused(text: str) -> None:
    with pytest.raises(Unrepairable):
        repair_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Of course! What would you like to know?",
        "a: 1\na: 2",
        "a: &x 1\nb: *x",
        "a: # to be filled\nb: 1",
        "a: 1\n- b",
        "a:\n  b: 1\n c: 2",
        "a: 1\n---\nb: 2",
        "a: x: y # note",
        "a: - b",
        "a: one\n  b: two",
    ],
)
def test_yaml_that_would_need_guessing_is_refused(text: str) -> None:
    with pytest.raises(Unrepairable):
        repair_yaml(text)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("country: NO\nat: 12:30:45\nday: 2024-01-01", ["NO", "12:30:45", "2024-01-01"]),
        ("code: 010\nname: '0o17'\nsize: 1e3", [10, "0o17", 1000.0]),
        ("channel: #general\nissue: see #12", ["#general", "see #12"]),
        ("script: |\n  - x: *y\nnote: *bold*", ["- x: *y\n", "*bold*"]),
        ("script: |+\n  all:\n  \tgcc x.c\n\nend: @x", ["all:\n\tgcc x.c\n\n", "@x"]),
        ("text: |\n  ```\n  b: 1\n  ```\nend: @x", ["```\nb: 1\n```\n", "@x"]),
        ("era: '90s\nrest: “so\nsize: 1 #old\nend: @x", ["'90s", "“so", 1, "@x"]),
        ("a:\n  - one\n   - two", [["one", "two"]]),
        ("a: x\nb: y\n```\nHope that helps. Note: the values are examples.", ["x", "y"]),
        ("~~~yaml\na: x\n~~~\nNote: an example.", ["x"]),
        ("````\na: x\nb: y\n````", ["x", "y"]),
    ],
)
def test_yaml_says_what_was_meant_to_any_reader(text: str, means: list[object]) -> None:
    assert list(yaml.safe_load(repair_yaml(text)).values()) == means


HOSTILE = [
    "[" * 100_000,
    "{" * 50_000,
    '{"a":' * 20_000,
    "a: " * 30_000,
    "- " * 50_000,
    "? " * 50_000,
    "\n".join(" " * i + "a:" for i in range(400)),
    '{"a": "' + "x" * 10_000_000,
    "a: b\n" * 2_000_000,
    "a: &a [l, l]\n" + "\n".join(f"b{i}: &b{i} [*a, *a]" for i in range(30)),
    '{"a": "\0"}',
    "a: \0",
    '{"a": "\ud800"}',
    "a: !!python/object/apply:os.system [ls]",
    "```\n" * 20_000,
    '{"a" x b:' + "/* " * 30_000,
    "a: @x\n" * 16_000,
    '{"a": ' + "9" * 10_000 + "}",
    "a: " + "9" * 10_000,
    "{a: b}: c",
    "“",
    "a: “",
    '"',
    "\ufeff",
    "a:\r- b\x85- c\u2028 d: #x",
]


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_hostile_texts_are_measured_quickly_and_quietly(place: int) -> None:
    start = time.perf_counter()
    found = measure(
        [HOSTILE[place]], ["json_valid", "yaml_valid", "json_repaired", "yaml_repaired"]
    )
    assert time.perf_counter() - start < 5
    assert found.height == 1


@given(st.text(alphabet="ab:-#\"'[]{}|>&*!%@`,\n \t12é“”", max_size=60))
@settings(max_examples=400, deadline=None)
def test_whatever_comes_it_is_repaired_or_refused(text: str) -> None:
    for repair, read in ((repair_json, json.loads), (repair_yaml, yaml.safe_load)):
        try:
            first = repair(text)
        except Unrepairable:
            continue
        assert read(first) == read(repair(first))
