"""Attributions: exact for linear models, sampled with an honest error, read long and wide."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import polars.selectors as cs
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

import aiops_lab as al
from aiops_lab.errors import BadSettings
from aiops_lab.stats.shapley import sampled, shared, together
from aiops_lab.watch.routing.decisions import read_decisions
from aiops_lab.watch.routing.model import chances_of

NAMES = ["x", "y", "z"]


def decisions(count: int = 600, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, 3))
    chosen = np.where(random.random(count) < 1 / (1 + np.exp(-2 * values[:, 0])), "b", "a")
    start = dt.datetime(2026, 5, 4)
    return pl.DataFrame({
        "decision_id": [f"d{n}" for n in range(count)],
        "at": [start + dt.timedelta(hours=n) for n in range(count)], "chosen": chosen,
        **dict(zip(NAMES, values.T, strict=True)),
    })  # fmt: skip


def test_a_linear_models_attributions_are_exact() -> None:
    given = decisions()
    matrix = given.select(NAMES).to_numpy()
    model = LogisticRegression().fit(matrix, given["chosen"])
    found = al.attribute_decisions(given, model, per_day=None)
    second = found.filter(option="b")["attribution"].to_numpy().reshape(-1, 3)
    assert second == pytest.approx((matrix - matrix.mean(axis=0)) * model.coef_, abs=1e-12)
    first = found.filter(option="a")["attribution"].to_numpy()
    assert first == pytest.approx(-second.ravel(), abs=1e-12)


def boosted(given: pl.DataFrame, names: list[str] = NAMES) -> tuple[Any, Any]:
    """A model of XGBoost that learned what was chosen, and its margins of each option."""
    xgboost = pytest.importorskip("xgboost")
    table = pd.DataFrame(given.select(names).to_dict(as_series=False))
    for name in given.select(names).select(cs.string()).columns:
        table[name] = table[name].astype("category")
    labels = given["chosen"].rank("dense").to_numpy() - 1
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=3, enable_categorical=True)
    model.fit(table, labels)
    margins = model.predict(table, output_margin=True)
    return model, np.column_stack([-margins, margins]) if margins.ndim == 1 else margins


def of_three() -> pl.DataFrame:
    return decisions().with_columns(
        chosen=pl.when(pl.col("y") > 0.7).then(pl.lit("c")).otherwise("chosen")
    )


def misses(given: pl.DataFrame, model: Any, margins: Any) -> float:
    """How far attributions are from margins, but for a constant, at most."""
    found = al.attribute_decisions(given, model, per_day=None)
    sums = found.group_by("option", "decision_id", maintain_order=True).agg(
        pl.col("attribution").sum()
    )
    off = sums["attribution"].to_numpy().reshape(margins.shape[1], -1) - margins.T
    return float(np.ptp(off, axis=1).max())


@pytest.mark.parametrize("given", [decisions(), of_three()], ids=["two", "three"])
def test_xgboosts_own_attributions_add_up_to_its_margins(given: pl.DataFrame) -> None:
    model, margins = boosted(given)
    assert misses(given, model, margins) < 1e-4  # it counts with 32 bits
    assert misses(given, model.get_booster(), margins) < 1e-4
    turned, margins = boosted(given, ["z", "x"])
    assert misses(given, turned, margins) < 1e-4


def test_a_model_of_xgboost_may_have_texts_and_unknown_truths() -> None:
    given = decisions().with_columns(
        kind=pl.when(pl.col("x") > 0).then(pl.lit("up")).when(pl.col("x") > -1).then(pl.lit("mid"))
    )
    model, margins = boosted(given, ["kind", "y"])
    assert misses(given, model, margins) < 1e-4
    few = (given["kind"] == "up").fill_null(False)
    assert misses(given.filter(few), model, margins[few.to_numpy()]) < 1e-4
    odd = given.with_columns(y=pl.when(pl.col("z") < 1).then(pl.col("y") > 0))
    model, margins = boosted(odd.with_columns(pl.col("y").cast(pl.Float64)), ["kind", "y"])
    assert misses(odd, model, margins) < 1e-4


def test_a_model_of_xgboost_that_stopped_early_is_told_by_its_best_trees() -> None:
    xgboost = pytest.importorskip("xgboost")
    given = decisions()
    table = pd.DataFrame(given.select(NAMES).to_dict(as_series=False))
    label = (given["chosen"] == "b").to_numpy().astype(int)
    model = xgboost.XGBClassifier(n_estimators=300, early_stopping_rounds=5)
    model.fit(table[:300], label[:300], eval_set=[(table[300:], label[300:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    margins = model.predict(table, output_margin=True)
    assert misses(given, model, np.column_stack([-margins, margins])) < 1e-4


@pytest.mark.parametrize("given", [decisions(), of_three()], ids=["two", "three"])
def test_xgboosts_boosters_are_asked_for_chances(given: pl.DataFrame) -> None:
    texts = given.with_columns(kind=pl.when(pl.col("x") > 0).then(pl.lit("up"))).drop("x")
    for own, names in ((given, NAMES), (texts, ["kind", "y", "z"])):
        model, margins = boosted(own, names)
        known = read_decisions(own, features=names)
        halved = 2 if margins.shape[1] == 2 else 1  # both are given, and one is minus the other
        wanted = special.softmax(margins / halved, axis=1)
        for asked in (model, model.get_booster()):
            assert chances_of(asked, known)(known.rows) == pytest.approx(wanted, abs=1e-5)


def test_sampled_means_lie_within_their_error_of_the_exact_ones() -> None:
    given = decisions(2400)
    matrix = given.select(NAMES).to_numpy()
    model = LogisticRegression().fit(matrix, given["chosen"])

    def black_box(frame: pl.DataFrame) -> Any:
        return model.predict_proba(frame.select(NAMES).to_numpy())

    exact = al.mean_attributions(al.attribute_decisions(given, model, per_day=None), given)
    sampled = al.mean_attributions(al.attribute_decisions(given, black_box, per_day=None), given)
    both = exact.join(sampled, on=["day", "option", "feature"], suffix="_sampled")
    assert both.height == 100 * 2 * 3
    # the sampled error holds the spread of the decisions too; what differs is the background
    off = (both["mean_sampled"] - both["mean"]) / both["error_sampled"]
    assert (off.abs() <= 3).mean() >= 0.98


def test_attributions_of_a_decision_add_up_to_its_log_odds_against_another() -> None:
    given = decisions(50)

    def model(frame: pl.DataFrame) -> Any:
        odds = frame["x"].to_numpy() * frame["y"].to_numpy()
        return 1 / (1 + np.exp(-odds))

    nothing = pl.DataFrame({name: [0.0] for name in NAMES})
    found = al.attribute_decisions(given, model, background=nothing, per_day=None)
    own = found.filter(option="a").group_by("decision_id", maintain_order=True).agg(
        pl.col("attribution").sum()
    )  # fmt: skip
    assert own["attribution"].to_numpy() == pytest.approx((given["x"] * given["y"]).to_numpy())
    by = found.filter(option="a").group_by("feature").agg(pl.col("attribution").abs().max())
    assert dict(by.iter_rows())["z"] < 1e-9


def test_means_are_told_by_segment_and_with_their_error() -> None:
    given = decisions().with_columns(kind=pl.when(pl.col("x") > 0).then(pl.lit("up")))
    found = al.attribute_decisions(given, lambda f: 1 / (1 + np.exp(-f["x"].to_numpy())),
                                   features=NAMES)  # fmt: skip
    means = al.mean_attributions(found, given, by=["kind"]).filter(option="a", feature="x")
    assert means.sort("mean")["kind"].to_list() == [None, "up"]
    assert (means["error"] > 0).all()
    with pytest.raises(BadSettings, match="no column 'moon'"):
        al.mean_attributions(found, given, by=["moon"])


def test_tables_that_are_no_attributions_are_told() -> None:
    given = decisions()
    for wrong, said in (
        (pl.DataFrame({"x": [1.0]}), "decision_id"),
        (pl.DataFrame({"decision_id": ["d1"], "moon": [1.0]}), "a column for each feature"),
        (pl.DataFrame({"decision_id": ["q"], "x": [1.0]}), "is one of the decisions"),
    ):
        with pytest.raises(BadSettings, match=said):
            al.find_routing_shifts(given, wrong)


def test_any_number_of_orders_is_exact_in_the_sum() -> None:
    random = np.random.default_rng(3)
    table = random.normal(size=(2**6, 40))

    powers = 2 ** np.arange(6)

    def worth(masks: Any) -> Any:
        return table[masks @ powers]

    for orders in (2, 12):
        found = shared(worth, 6, orders)
        assert found.rows.sum(axis=1) == pytest.approx(table[63] - table[0], abs=1e-12)
        assert found.total == pytest.approx(table[63] - table[0])
    whole = sampled(lambda mask: table[mask @ powers, np.arange(40)], 40, 6, 400)
    assert whole.rows.sum(axis=1) == pytest.approx(table[63] - table[0], abs=1e-12)
    assert whole.rows == pytest.approx(shared(worth, 6, 400).rows, abs=0.5)
    assert together(lambda masks: masks[:, 0] & masks[:, 1], 3, (0, 1)) == 1.0
    assert together(lambda masks: masks.sum(axis=1), 3, (0, 1)) == 0.0
