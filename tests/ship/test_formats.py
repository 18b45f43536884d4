"""Formats of a prompt: variants that mean the same, and a spread without what chance adds."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aiops_lab.errors import BadSettings, BadSource, NotComputable
from aiops_lab.lab import Lab
from aiops_lab.ship.formats import format_spread, spread
from aiops_lab.ship.prompt_formats import prompt_formats, write_formats
from tests.conftest import WHOLE, table_of

PROMPT = """\
You are a librarian: answer from https://example.org/a: b only.

- Be brief
- Name the page
  where it stands

```python
Question: "kept as it is"
1. kept
2. kept
```
Passage:
{{passage}}

Question: {input} (of ${user})
Answer:"""


def runs_of(*rates: float, n: int = 300, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    table = table_of({f"f{i}": (rng.random(n) < p) * 1.0 for i, p in enumerate(rates)})
    return table.with_columns(prompt_version="format " + pl.col("run_id"))


def names(count: int) -> list[str]:
    return [f"f{i}" for i in range(count)]


def test_a_true_spread_is_found_and_the_board_is_sorted() -> None:
    found = format_spread(runs_of(0.5, 0.8, 0.65), names(3))
    assert found.verdict.status == "warn"
    row = found.spread.row(0, named=True)
    assert row["low"] < row["corrected"] < row["naive"] < row["high"]
    assert row["p_value"] < 1e-6
    assert found.formats["format"].to_list() == ["format f1", "format f2", "format f0"]


def test_chance_alone_makes_no_spread() -> None:
    found = format_spread(runs_of(*[0.7] * 8, seed=1), names(8))
    row = found.spread.row(0, named=True)
    assert row["naive"] > 0.05 and row["corrected"] == row["low"] == 0
    assert found.verdict.status == "inconclusive"


def test_a_limit_decides() -> None:
    small, large = runs_of(0.7, 0.7, n=2000), runs_of(0.5, 0.8)
    assert format_spread(small, names(2), limit=0.1).verdict.status == "ok"
    assert format_spread(large, names(2), limit=0.1).verdict.status == "fail"
    assert format_spread(large, names(2), limit=0.3).verdict.status == "inconclusive"


def test_the_test_is_cochrans_where_formats_vary_alike() -> None:
    statsmodels = pytest.importorskip("statsmodels.stats.contingency_tables")
    values = (np.random.default_rng(0).random((2000, 4)) < [0.5, 0.52, 0.5, 0.47]) * 1.0
    reference = statsmodels.cochrans_q(values).pvalue
    assert spread(values)["p_value"] == pytest.approx(reference, rel=0.05)


def test_two_formats_are_a_paired_t_test() -> None:
    values = np.random.default_rng(0).normal([0, 0.5], size=(30, 2))
    reference = stats.ttest_rel(values[:, 0], values[:, 1])
    found = spread(values)
    assert found["p_value"] == pytest.approx(reference.pvalue)
    assert found["high"] == pytest.approx(-reference.confidence_interval(0.95)[0])


def test_equal_and_single_values_are_told_apart_from_a_finding() -> None:
    for values in ([1.0] * 20, [7.0] * 20, [1.0]):
        found = format_spread(table_of({"f0": values, "f1": values}), names(2), limit=0.02)
        assert found.verdict.status == "inconclusive"
        assert found.spread["corrected"].item() == 0
    apart = format_spread(table_of({"f0": [1.0] * 20, "f1": [0.0] * 20}), names(2), limit=0.1)
    assert apart.verdict.status == "fail"


def test_clusters_are_honoured() -> None:
    rng = np.random.default_rng(0)
    topics = np.arange(200) // 10
    values = ((rng.normal(size=(20, 3))[topics] + 0.3 * rng.normal(size=(200, 3))) > 0) * 1.0
    alone, grouped = spread(values)["p_value"], spread(values, topics)["p_value"]
    assert alone is not None and grouped is not None and grouped > 10 * alone


def test_few_clusters_decide_nothing() -> None:
    table = runs_of(0.2, 0.9).with_columns(topic=pl.col("sample_id").cast(int) % 3)
    found = format_spread(table, names(2), cluster="topic")
    assert found.verdict.status == "inconclusive"


def test_errors_say_what_to_do() -> None:
    table = runs_of(0.5, 0.6)
    with pytest.raises(BadSettings, match="two runs"):
        format_spread(table, "f0")
    with pytest.raises(BadSettings, match="limit"):
        format_spread(table, names(2), limit=-1)
    with pytest.raises(NotComputable):
        format_spread(table, names(2), metric="nothing")


def test_on_the_demo_it_is_deterministic_and_plain_data(demo: Lab) -> None:
    one, two = (format_spread(demo, ["latest~1", "latest"], metric="correct") for _ in "ab")
    assert json.dumps(one.to_dict()) == json.dumps(two.to_dict())
    assert one._repr_mimebundle_()["text/plain"] == str(one.verdict)


def test_the_original_comes_first_and_all_are_distinct() -> None:
    found = prompt_formats(PROMPT, count=40)
    assert found.row(0) == ("original", PROMPT)
    assert found.height == 40
    assert found["prompt"].n_unique() == found["format"].n_unique() == 40
    assert found.equals(prompt_formats(PROMPT, count=40))
    assert not found.equals(prompt_formats(PROMPT, count=40, seed=1))


def test_only_labels_and_markers_are_touched() -> None:
    kept = [
        "You are a librarian: answer from https://example.org/a: b only.\n",
        '```python\nQuestion: "kept as it is"\n1. kept\n2. kept\n```\n',
        "{{passage}}",
        "{input} (of ${user})",
        " Be brief\n",
        " Name the page\n  where it stands\n",
    ]
    for text in prompt_formats(PROMPT, count=300)["prompt"]:
        assert all(part in text for part in kept)
        rest = text
        for part in kept:
            rest = rest.replace(part, "", 1)
        words = set(re.findall(r"[A-Za-z0-9]+", rest.lower()))
        assert words <= {"passage", "question", "answer", *"12abi", "ii"}


def test_each_part_of_the_grammar_is_written() -> None:
    texts = prompt_formats("Input: {x}\nOutput:", count=100)["prompt"].to_list()
    assert len(texts) == 4 * 3 * 3
    for wanted in (
        "Input - {x}\nOutput -",
        "INPUT\n{x} || OUTPUT\n",
        "input :: {x}\n\noutput ::",
        "input: {x}\n\noutput:",
    ):
        assert wanted in texts
    texts = prompt_formats("Rules\n- a\n- b\n- c\n- d\n", count=100)["prompt"].to_list()
    assert len(texts) == 8
    assert "Rules\nI. a\nII. b\nIII. c\nIV. d\n" in texts
    assert "Rules\n(1) a\n(2) b\n(3) c\n(4) d\n" in texts


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "Tell me about {topic}.",
        "Rate it from 1 to 5.",
        "1. a\n2. b\nAfter step 2 stop.",  # the number is referred to
        "A. Paris\nB. Rome\nAnswer with A or B.",  # options are what the scorer looks for
        "3. a\n4. b",
        "1. alone",
        "name: yaml\nkind: yaml",
        "C: \\ is a drive\nSee https://a.b/c: d",
        "~~~\nQuestion: x\n~~~",
        "```\nQuestion: an open fence\nAnswer:",
        "Please answer the following question: {x}",
    ],
)
def test_what_might_change_the_meaning_is_left(prompt: str) -> None:
    assert prompt_formats(prompt)["prompt"].to_list() == [prompt]


def test_line_ends_and_nul_are_kept() -> None:
    for text in prompt_formats("Question: \x00{x}\r\nAnswer:\r\n", count=40)["prompt"]:
        assert "\x00{x}" in text and "\n" not in text.replace("\r\n", "")


@given(st.text(alphabet="QA:12. -*(`|{}\n\r\tab\x00", max_size=200), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_any_text_is_survived(prompt: str, seed: int) -> None:
    found = prompt_formats(prompt, count=5, seed=seed)
    assert found["prompt"][0] == prompt and found["prompt"].n_unique() == found.height <= 5
    for text in found["prompt"]:
        assert re.findall(r"\{[^\s{}]*\}", prompt) == re.findall(r"\{[^\s{}]*\}", text)


@pytest.mark.parametrize(
    "prompt",
    [
        "A" * 10_000_000,
        "\n" * 10_000_000,
        " " * 10_000_000 + "Question: x",
        "Question: x\n" * 800_000,
        "Question: x\n" * 9_000,
        "x\n" * 2_000_000,
        "".join(" " * (i % 12) + "- a\n" for i in range(200_000)),
        "```\n" * 500_000,
        "Aa " * 3_000_000 + ":",
    ],
    ids=["letters", "lines", "spaces", "labels", "fields", "prose", "lists", "fences", "words"],
)
def test_hostile_prompts_take_seconds_at_most(prompt: str) -> None:
    begun = time.perf_counter()
    assert prompt_formats(prompt, count=3)["prompt"][0] == prompt
    assert time.perf_counter() - begun < 10


def test_half_a_character_is_refused() -> None:
    with pytest.raises(BadSettings, match="surrogate"):
        prompt_formats("Question: \ud800")
    with pytest.raises(BadSettings, match="count"):
        prompt_formats("Question:", count=0)


def test_files_have_safe_names_and_the_original_is_the_first(tmp_path: Path) -> None:
    source = tmp_path / "my prompt.v2; rm -rf.md"
    source.write_bytes(PROMPT.replace("\n", "\r\n").encode())
    paths = write_formats(source, tmp_path / "out", 12, 0)
    assert len(paths) == 12 and paths[0].name == "00-original.md"
    assert paths[0].read_bytes() == source.read_bytes()
    assert all(re.fullmatch(r"\d\d-[A-Za-z0-9-]+\.md", path.name) for path in paths)
    source.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSource, match="UTF-8"):
        write_formats(source, tmp_path / "out", 3, 0)
    with pytest.raises(BadSource):
        write_formats(tmp_path / "absent.txt", tmp_path / "out", 3, 0)


def formatted(kind: str, n: int, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scores of formats on the same questions; each format follows the questions more or less."""
    mix = rng.uniform(0, 0.9, truth.size)
    level = np.sqrt(mix) * rng.normal(size=(n, 1))
    level = stats.norm.cdf(level + np.sqrt(1 - mix) * rng.normal(size=(n, truth.size)))
    if kind == "binary":
        return (level < truth) * 1.0
    return stats.beta.ppf(level, 3 * truth, 3 * (1 - truth))


SIZES, FORMATS = ((50, 200, 1000), (3, 5, 10)) if WHOLE else ((50, 200), (3, 5))
CELLS = [(n, k, kind) for n in SIZES for k in FORMATS for kind in ("binary", "share")]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k", "kind"), CELLS)
def test_where_there_is_no_spread_hardly_any_is_told(n: int, k: int, kind: str) -> None:
    replicates = {3: 1000, 5: 500, 10: 250}[k] // (1 if WHOLE else 4)
    naive, corrected, refused, held = [], [], 0, 0
    for seed in range(replicates):
        rng = np.random.default_rng((seed, n, k))
        found = spread(formatted(kind, n, np.full(k, rng.uniform(0.1, 0.9)), rng))
        naive.append(found["naive"])
        corrected.append(found["corrected"])
        refused += found["p_value"] is not None and found["p_value"] < 0.05
        held += found["low"] == 0
    print(
        f"no spread {kind} n={n} k={k}: naive {100 * np.mean(naive):.2f} corrected "
        f"{100 * np.mean(corrected):.2f} points, size {refused / replicates:.4f}, low end at 0 "
        f"{held / replicates:.4f}"
    )
    assert np.mean(corrected) <= np.mean(naive) / 4
    assert stats.binom.sf(refused - 1, replicates, 0.05) >= 0.01
    assert stats.binom.cdf(held, replicates, 0.97) >= 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k", "kind"), CELLS)
def test_a_true_spread_is_covered(n: int, k: int, kind: str) -> None:
    replicates = {3: 1000, 5: 500, 10: 250}[k] // (1 if WHOLE else 4)
    held, seen, rows = 0, 0, []
    for seed in range(replicates):
        rng = np.random.default_rng((seed, n, k))
        centre, width = rng.uniform(0.3, 0.7), rng.uniform(0.05, 0.4)
        truth = centre + width * (rng.random(k) - 0.5)
        found = spread(formatted(kind, n, truth, rng))
        true, low, high = np.ptp(truth), found["low"], found["high"]
        assert low is not None and high is not None
        held += low <= true <= high
        seen += found["p_value"] is not None and found["p_value"] < 0.05
        rows.append((true, found["naive"], found["corrected"], high - low))
    true, naive, corrected, wide = 100 * np.mean(rows, axis=0)
    print(
        f"spread {kind} n={n} k={k}: true {true:.1f} naive {naive:.1f} corrected {corrected:.1f} "
        f"points, covered {held / replicates:.4f}, width {wide:.1f} points, power "
        f"{seen / replicates:.3f}"
    )
    assert stats.binom.cdf(held, replicates, 0.94) >= 0.01
    # no wider than three times what one known pair of unrelated runs would have
    assert wide <= 100 * 3 * 2 * 1.96 * np.sqrt(0.5 / n)
