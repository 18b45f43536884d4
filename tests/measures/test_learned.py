"""A detector of the team's own: honest about its errors, kept as plain numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from aiops_lab.errors import BadSettings
from aiops_lab.measures import measure
from aiops_lab.measures.learned import RefusalModel, learn_refusals, load_refusals

LINES = (Path(__file__).parent / "refusals.jsonl").read_text("utf-8").splitlines()
EXAMPLES = pl.DataFrame([json.loads(line) for line in LINES]).rename({"text": "output"})
NEW = ["As your guide, deciding that is beyond my remit.", "As your guide, I leave that to staff."]


@pytest.fixture(scope="module")
def model() -> RefusalModel:
    return learn_refusals(EXAMPLES)


def test_rates_are_those_of_answers_kept_aside(model: RefusalModel) -> None:
    """Learned on one part of our examples, it is as often right on the other as it says."""
    said = learn_refusals(EXAMPLES.filter(part="first"))
    kept = EXAMPLES.filter(part="kept")
    found = kept.with_columns(found=said.of(kept["output"]))
    for name, truth in (("true_positive", True), ("false_positive", False)):
        share = float(found.filter(refusal=truth)["found"].mean())  # type: ignore[arg-type]
        low, high = said.rates.filter(rate=name).select("low", "high").row(0)
        assert low - 0.05 <= share <= high + 0.05, name
    assert model.rates["value"][1] <= 0.03


def test_labels_that_mean_nothing_are_told_to_mean_nothing() -> None:
    """In 6 shufflings, what it finds of refusals is what it finds of all answers."""
    found = []
    for seed in range(6):
        truth = np.random.default_rng(seed).permutation(EXAMPLES["refusal"])
        rates = learn_refusals(EXAMPLES.with_columns(refusal=truth), most_false=0.1).rates
        found.append(rates["value"][0] - rates["value"][1])
    assert abs(float(np.mean(found))) < 0.05


def test_it_learns_phrases_that_the_rule_does_not_know() -> None:
    own = pl.DataFrame({"output": [f"{text} ({n})" for n in range(20) for text in NEW],
                        "refusal": True})  # fmt: skip
    model = learn_refusals(pl.concat([EXAMPLES.select("output", "refusal"), own]))
    texts = pl.Series(
        ["As your guide, that is beyond my remit, sorry to say.", "Boats leave at six."]
    )
    assert measure(texts, "refusal")["refusal"].to_list() == [False, False]
    assert model.of(texts).to_list() == [True, False]


def test_parts_of_a_column_stay_on_one_side() -> None:
    rows = EXAMPLES.with_columns(model=pl.int_range(pl.len()) % 7)
    assert learn_refusals(rows, by="model").positives == learn_refusals(rows).positives


def test_it_is_the_same_whatever_the_frame_and_whenever(
    model: RefusalModel, tmp_path: Path
) -> None:
    doubled = pl.concat([EXAMPLES, EXAMPLES]).lazy()
    for given in (pd.DataFrame(EXAMPLES.to_dict(as_series=False)), doubled):
        assert learn_refusals(given) == model
    model.save(tmp_path / "refusals.json")
    held = load_refusals(tmp_path / "refusals.json")
    assert (held, held.version) == (model, model.version)
    assert [path.name for path in tmp_path.iterdir()] == ["refusals.json"]
    assert learn_refusals(EXAMPLES, most_false=0.1).version != model.version


def test_no_text_is_no_answer(model: RefusalModel) -> None:
    assert model.of(pl.Series([None, ""], dtype=pl.String)).to_list() == [None, False]
    assert model.of(pl.Series([], dtype=pl.String)).len() == 0


GOOD = {"places": [1], "weights": [0.5], "limit": 0.1, "true_positives": 1, "positives": 2,
        "true_negatives": 1, "negatives": 2}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"places": [2**16]}, {"places": [-1]}, {"places": [1, 2]}, {"weights": ["x"]},
        {"limit": 1e999}, {"positives": 0}, {"true_negatives": 3}, {"code": "x"}, {"limit": None},
    ],
)  # fmt: skip
def test_what_is_no_detector_is_refused(change: dict, tmp_path: Path) -> None:
    path = tmp_path / "refusals.json"
    path.write_text(json.dumps(GOOD))
    assert load_refusals(path).positives == 2
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(BadSettings, match=r"'refusals.json' holds no detector"):
        load_refusals(path)


@pytest.mark.parametrize("data", [b"", b"\x80\x04K\x01.", b"PK\x03\x04", b"[" * 100_000, None])
def test_hostile_files_are_refused(data: bytes | None, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "x").write_bytes(data)
    with pytest.raises(BadSettings):
        load_refusals(tmp_path / "x")


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (EXAMPLES.head(30), "20 of each"), (EXAMPLES.drop("refusal"), "no column 'refusal'"),
        (EXAMPLES.with_columns(refusal=pl.lit("no")), "true or false"), ([1], "are a frame"),
        (EXAMPLES.with_columns(refusal=pl.lit(2)), "true or false"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_used_are_refused(rows: object, wrong: str) -> None:
    with pytest.raises(BadSettings, match=wrong):
        learn_refusals(rows)
