"""Slices that explain a change: what is found, what each odd input does, what is refused."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aiops_lab import find_slices
from aiops_lab.errors import BadSettings, LabError, NotComputable
from aiops_lab.respond.slices import EXPLANATIONS

PAGE = Path(__file__).parents[2] / "docs" / "slices.md"
LEAVES = pl.DataFrame({"region": [*"AABBCC"], "isp": ["x", "y"] * 3, "answers": 1000})
BEFORE = LEAVES.with_columns(errors=pl.Series([20, 22, 18, 19, 21, 20]))
AFTER = LEAVES.with_columns(errors=pl.Series([21, 20, 160, 149, 19, 22]))


def find(before: Any = BEFORE, after: Any = AFTER, **settings: Any) -> pl.DataFrame:
    return find_slices(before, after, value="errors", count="answers", **settings)


def first(found: pl.DataFrame) -> str:
    return found["slice"][0]


def grid(rng: np.random.Generator, sizes: tuple[int, ...], n: int) -> pl.DataFrame:
    """All combinations of values with counts."""
    codes = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1).reshape(-1, len(sizes))
    names = {f"d{at}": [f"v{code}" for code in codes[:, at]] for at in range(len(sizes))}
    return pl.DataFrame(names | {"answers": rng.poisson(n, len(codes)) + 1})


def drawn(rng: np.random.Generator, leaves: pl.DataFrame, rate: Any) -> pl.DataFrame:
    share = leaves.select(pl.lit(rate) if isinstance(rate, float) else rate).to_series()
    n = leaves["answers"].to_numpy()
    return leaves.with_columns(errors=pl.Series(rng.binomial(n, np.resize(share, n.size))))


def test_a_slice_is_found_and_told() -> None:
    found = find()
    row = found.row(0, named=True)
    assert found.schema == EXPLANATIONS and found["rank"].to_list() == [*range(1, found.height + 1)]
    assert row["slice"] == "region=B"
    assert row["slices"] == [[{"dimension": "region", "value": "B"}]]
    assert (row["before"], row["after"]) == (37 / 2000, 309 / 2000)
    assert row["low"] < row["difference"] < row["high"] and row["low"] > 0.1
    assert (row["n_before"], row["n_after"]) == (2000, 2000)
    assert row["share"] == pytest.approx(1, abs=0.02) and row["p_value"] < 1e-4
    assert found["score"].is_sorted(descending=True) and found["score"].sum() <= 1 + 1e-9


def test_a_fall_is_found_too_and_amounts() -> None:
    assert first(find(AFTER, BEFORE)) == "region=B"
    scaled = [each.with_columns(pl.col("errors") * 12.5) for each in (BEFORE, AFTER)]
    assert first(find(*scaled)) == "region=B"
    negative = [each.with_columns(-pl.col("errors")) for each in (BEFORE, AFTER)]
    assert first(find(*negative)) == "region=B"
    tiny = [each.with_columns(pl.col("errors") * 1e-25) for each in (BEFORE, AFTER)]
    assert first(find(*tiny)) == "region=B"


def test_several_values_of_a_dimension_are_one_cause() -> None:
    rng = np.random.default_rng(1)
    leaves = grid(rng, (12, 6, 4), 300)
    bad = pl.col("d0").is_in(["v3", "v7"])
    after = drawn(rng, leaves, pl.when(bad).then(0.2).otherwise(0.03))
    found = find(drawn(rng, leaves, 0.03), after)
    slices = {tuple(part["value"] for part in each) for each in found["slices"][0]}
    assert slices == {("v3",), ("v7",)}
    assert " | " in first(found)


def test_two_dimensions_together_are_one_cause() -> None:
    rng = np.random.default_rng(2)
    leaves = grid(rng, (12, 6, 4), 300)
    bad = (pl.col("d0") == "v3") & (pl.col("d2") == "v1")
    after = drawn(rng, leaves, pl.when(bad).then(0.4).otherwise(0.03))
    assert first(find(drawn(rng, leaves, 0.03), after)) == "d0=v3, d2=v1"


def test_what_hits_all_alike_is_all() -> None:
    rng = np.random.default_rng(3)
    leaves = grid(rng, (8, 6, 4), 200)
    found = find(drawn(rng, leaves, 0.03), drawn(rng, leaves, 0.12))
    assert first(found) == "all" and found["slices"][0].to_list() == [[]]
    assert found["share"][0] == pytest.approx(1)


def test_nothing_stands_out_gives_an_empty_frame() -> None:
    found = find(BEFORE, BEFORE)
    assert found.height == 0 and found.schema == EXPLANATIONS
    nothing = [each.with_columns(errors=0) for each in (BEFORE, AFTER)]
    assert find(*nothing).height == 0


def test_all_or_none_before_can_change() -> None:
    sure = BEFORE.with_columns(errors=1000)
    after = LEAVES.with_columns(errors=pl.Series([1000, 1000, 600, 650, 1000, 1000]))
    assert first(find(sure, after)) == "region=B"
    one = LEAVES.with_columns(errors=pl.Series([0, 0, 60, 65, 0, 0]))
    assert first(find(BEFORE.with_columns(errors=0), one)) == "region=B"


def test_the_shorter_of_two_names_for_the_same_leaves_is_told() -> None:
    tied = [each.with_columns(city=pl.col("region") + "1") for each in (BEFORE, AFTER)]
    told = find(*tied)["slice"].to_list()
    assert set(told[:2]) == {"region=B", "city=B1"}
    assert not any("region=B, city=B1" in each for each in told)


def test_a_new_value_is_compared_with_what_the_others_had() -> None:
    after = AFTER.with_columns(region=pl.Series([*"AAZZCC"]))
    row = find(after=after).row(0, named=True)
    assert row["slice"] == "region=Z"
    assert row["before"] is None and row["difference"] is None and row["n_before"] == 0


def test_leaves_that_are_gone_tell_nothing() -> None:
    assert first(find(after=AFTER.filter(pl.col("region") != "A"))) == "region=B"


def test_what_is_missing_is_not_zero() -> None:
    for bad in (None, float("nan"), float("inf")):
        odd = AFTER.with_columns(errors=pl.Series([bad, 20.0, 160, 149, 19, 22]))
        row = find(after=odd).row(0, named=True)
        assert row["slice"] == "region=B"
    for n in (0, None, -5):
        odd = AFTER.with_columns(answers=pl.Series([n, 1000, 1000, 1000, 1000, n]))
        assert first(find(after=odd)) == "region=B"


def test_null_is_a_value() -> None:
    lost = pl.Series("region", ["A", "A", None, None, "C", "C"])
    found = find(BEFORE.with_columns(lost), AFTER.with_columns(lost))
    assert found["slices"][0].to_list() == [[{"dimension": "region", "value": None}]]


def test_hostile_text_stays_data() -> None:
    text = "{0} %s <script> | isp=y, \n"
    names = pl.Series("region", ["A", "A", text, text, "C", "C"])
    found = find(BEFORE.with_columns(names), AFTER.with_columns(names))
    assert found["slices"][0].to_list() == [[{"dimension": "region", "value": text}]]
    assert first(found) == f"region={text}"


def test_columns_may_have_the_names_used_within() -> None:
    renamed = [each.rename({"region": "_value", "isp": "d0"}) for each in (BEFORE, AFTER)]
    assert first(find(*renamed)) == "_value=B"


def test_times_are_no_dimensions() -> None:
    at = dt.datetime(2026, 1, 1)
    for times in ([at + dt.timedelta(minutes=i) for i in range(11)], [*range(11)]):
        before = pl.concat(BEFORE.with_columns(when=pl.lit(each)) for each in times[:-1])
        found = find(before, AFTER.with_columns(when=pl.lit(times[-1])))
        assert first(found) == "region=B"
        assert found["n_before"][0] == 20_000


def test_numbers_are_the_same_value_on_both_sides() -> None:
    whole = BEFORE.with_columns(region=pl.Series([1, 1, 2, 2, 3, 3]))
    real = AFTER.with_columns(region=pl.Series([1.0, 1, 2, 2, 3, 3]))
    assert first(find(whole, real)) == "region=2.0"


def test_frames_of_other_libraries_say_the_same() -> None:
    found = find()
    assert find(BEFORE.to_pandas(), AFTER.to_arrow()).equals(found)
    assert find(BEFORE.lazy(), AFTER.lazy()).equals(found)


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = find(BEFORE.sample(6, shuffle=True, seed=1), AFTER.reverse())
    assert shuffled["slice"].to_list() == find()["slice"].to_list()


def test_a_swing_that_is_usual_is_not_told() -> None:
    rng = np.random.default_rng(4)
    leaves = grid(rng, (8, 6), 2000)
    days = []
    for at in range(21):
        swing = dict(zip([f"v{i}" for i in range(8)], rng.normal(0, 0.5, 8), strict=True))
        odds = pl.col("d0").replace_strict(swing) - 2.2
        days.append(drawn(rng, leaves, 1 / (1 + (-odds).exp())).with_columns(day=pl.lit(at)))
    told = [find(pl.concat(days[:at]), days[at]).height for at in range(14, 21)]
    assert sum(map(bool, told)) <= 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": "bad"}, "before has no column 'bad'; its columns are region, isp"),
        ({"count": "errors"}, "both 'errors'"),
        ({"dimensions": ["city"]}, "no column 'city'"),
        ({"dimensions": []}, "no column says which leaf"),
        ({"dimensions": ["errors"]}, "not a dimension"),
        ({"time": "minute"}, "no column 'minute'"),
        ({"before": BEFORE.with_columns(errors=pl.lit("1"))}, "errors of before is String"),
        ({"after": AFTER.drop("answers")}, "after has no column 'answers'"),
        ({"after": [1]}, "after is a table of leaves"),
        ({"depth": 0}, "depth is a whole number"),
        ({"limit": True}, "limit is a whole number"),
        ({"alpha": float("nan")}, "alpha is a chance"),
    ],
)
def test_what_cannot_be_used_is_said(change: dict[str, Any], said: str) -> None:
    given = {"before": BEFORE, "after": AFTER, "value": "errors", "count": "answers", **change}
    with pytest.raises(BadSettings, match=re.escape(said)):
        find_slices(given.pop("before"), given.pop("after"), **given)


def test_a_table_without_rows_that_count_is_an_error() -> None:
    with pytest.raises(NotComputable, match="after has no row"):
        find(after=AFTER.clear())
    with pytest.raises(LabError, match="before has no row"):
        find(BEFORE.with_columns(answers=0))


def test_the_python_of_the_page_runs() -> None:
    names: dict[str, Any] = {}
    for source in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        assert max(map(len, source.splitlines())) <= 100
        exec(compile(source, "docs/slices.md", "exec"), names)
    assert first(names["found"]) == "region=south"
