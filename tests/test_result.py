"""What leaves in a result's frames: nothing that acts, nothing that is lost."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aiops_lab import Lab, Result, Verdict, compare_runs, plan_gate, release_gate
from aiops_lab.errors import BadSettings
from aiops_lab.result import harmless, write_frames

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
PAYLOADS = [
    "=1+1", "-1+1", "+1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1+1", "＋1+1", "－1+1",
    "＠SUM(A1)", "﹦1", "\u200b=1", "\u00ad=1", "\u2060=1", "\ufeff=1", "\u061c=1", "\u180e=1",
    "\u3164=1", "\ufe0f=1", "\U000e0020=1", "\x00=1", "\u00a0=1", "-1\n=2",
    "-2+3+cmd|' /C calc'!A0",
    '=HYPERLINK("http://localhost/?"&A1)', "=1,=2", '"', '="a"', "+49 30 1234",
]  # fmt: skip
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Held(Result):
    """A result of one's own."""

    verdict: Verdict
    rows: pl.DataFrame
    settings: dict[str, Any]


def held(frame: pl.DataFrame) -> Held:
    return Held(Verdict("ok", "Held."), frame, {})


def cells(result: Result, folder: Path) -> list[list[str]]:
    """Every cell of a result's one CSV, as a spreadsheet reads it."""
    (path,) = result.to_csv(folder)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def acts(text: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula: written anew, without our pattern."""
    blank = "\u115f\u1160\u3164\uffa0"
    seen = (
        c for c in text if not (c.isspace() or c in blank or unicodedata.category(c)[0] in "CM")
    )
    return next(seen, "") in tuple(SIGNS) and not NUMBER.fullmatch(text)


@pytest.mark.parametrize("text", PAYLOADS, ids=ascii)
def test_no_text_is_a_formula(text: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            text: [text, None],
            "list": [[text, "b"], [text]],
            "struct": [{text: text}, {text: "x"}],
            "structs": [[{text: text}], []],
            "lists": [[[text]], []],
        }
    ).with_columns(
        pl.col(text).cast(pl.Categorical).alias("category"),
        pl.col(text).cast(pl.Enum([text])).alias("enum"),
        pl.concat_list(pl.lit(text), pl.lit("b")).list.to_array(2).alias("array"),
        pl.lit(text.encode()).alias("binary"),
        pl.lit(text).alias(f"'{text}"),
    )
    for row in cells(held(frame), tmp_path):
        assert not any(acts(cell) for cell in row), row


@given(st.text(st.sampled_from(f"{SIGNS} \t\u200b\u00ad\ufe0f1.eEa'\""), max_size=8))
def test_no_text_made_of_signs_and_blanks_is_a_formula(text: str) -> None:
    safe = harmless(pl.DataFrame({"text": [text]}))["text"].item()
    assert not acts(safe)
    assert safe in (text, f"'{text}")


def test_plain_texts_numbers_and_dates_survive(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "text": ["plain", "a=1", "", None],
            "number": ["-2.5", "+1", "1e-5", "-0"],
            "float": [-1.5, 1e300, None, 0.1 + 0.2],
            "int": [-1, 2**62, None, 0],
            "flag": [True, False, None, True],
            "date": [date(2026, 5, 12), None, None, None],
            "at": [datetime(2026, 5, 12, 6, 0, 0, 1, tzinfo=UTC), None, None, None],
            "list": [[1, -2], [], None, [None]],
            "took": [timedelta(seconds=-1.5), None, None, None],
        }
    )
    (path,) = held(frame).to_csv(tmp_path)
    back = pl.read_csv(path, schema_overrides={"number": pl.String})
    for name in ("number", "float", "int", "flag"):
        assert back[name].to_list() == frame[name].to_list()
    assert back["text"].to_list() == ["plain", "a=1", "", None]
    assert back["date"][0] == "2026-05-12"
    assert back["at"][0].startswith("2026-05-12T06:00:00.000001")
    assert back["list"][0] == "1, -2"
    assert back["took"][0] == -1.5


def test_every_kind_of_column_can_be_written(tmp_path: Path) -> None:
    odd = pl.DataFrame(
        {
            "binary": [b"=1"],
            "object": pl.Series([object()], dtype=pl.Object),
            "nothing": [None],
            "array": pl.Series([[[1, 2]]], dtype=pl.Array(pl.Int64, (1, 2))),
            "times": [[timedelta(seconds=1)]],
        }
    )
    assert len(cells(held(odd), tmp_path)) == 2
    assert cells(held(pl.DataFrame({"=a": [1], "'=a": [2]})), tmp_path)[0] == ["'=a", "''=a"]


@pytest.fixture(params=["compare_runs", "release_gate", "plan_gate"])
def result(request: pytest.FixtureRequest, demo: Lab) -> Result:
    """Real results of the demo lab."""
    match request.param:
        case "compare_runs":
            return compare_runs(demo, baseline="latest~1", candidate="latest")
        case "release_gate":
            return release_gate(demo, baseline="latest~1", candidate="latest")
    return plan_gate(demo, baseline="latest~1")


def test_frames_are_those_of_the_dataclass(result: Result) -> None:
    named = {field.name: getattr(result, field.name) for field in fields(result)}  # type: ignore[arg-type]
    frames = {name for name, value in named.items() if isinstance(value, pl.DataFrame)}
    assert set(result.frames) == frames
    assert frames
    assert all(result.frames[name] is named[name] for name in frames)


def test_parquet_gives_back_what_was_written(result: Result, tmp_path: Path) -> None:
    written = result.to_parquet(tmp_path / "new" / "folder")
    assert {path.stem: path.suffix for path in written} == dict.fromkeys(result.frames, ".parquet")
    for path in written:
        assert_frame_equal(pl.read_parquet(path), result.frames[path.stem], check_exact=True)


def test_csv_has_every_row_and_no_formula(result: Result, tmp_path: Path) -> None:
    for path in result.to_csv(tmp_path):
        with path.open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        assert head == result.frames[path.stem].columns
        assert len(rows) == result.frames[path.stem].height
        assert not any(acts(cell) for row in rows for cell in row if cell != "-inf")


def test_pandas_has_the_same_values(result: Result) -> None:
    found = result.to_pandas()
    assert list(found) == list(result.frames)
    for name, frame in result.frames.items():
        assert list(found[name].columns) == frame.columns
        assert len(found[name]) == frame.height
        for column in frame.columns:
            for theirs, ours in zip(found[name][column], frame[column].to_list(), strict=True):
                missing = ours is None or ours != ours
                assert theirs is None or theirs != theirs if missing else theirs == ours


@pytest.mark.parametrize("format", ["xlsx", "", "CSV", "../csv"])
def test_another_format_is_refused_before_a_folder_is_made(format: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="csv or parquet"):
        write_frames({"rows": pl.DataFrame()}, tmp_path / "none", format)
    assert not (tmp_path / "none").exists()
