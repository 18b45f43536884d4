"""Attributions beside shap's TreeExplainer, in one process; prints what test_attribution reads."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timedelta

import lightgbm
import numpy as np
import polars as pl
import shap
from sklearn.ensemble import HistGradientBoostingClassifier

from aiops_lab import attribute_decisions, mean_attributions

ROWS, FEATURES, DAYS, EXACT, SOME = int(sys.argv[1]), 20, 90, 10_000, 100
chance = np.random.default_rng(int(sys.argv[2]))
matrix = chance.normal(size=(ROWS, FEATURES))
odds = matrix[:, 0] - matrix[:, 1] + matrix[:, 2] * matrix[:, 3] + 0.5 * (matrix[:, 4] > 0)
chosen = np.where(chance.random(ROWS) < 1 / (1 + np.exp(-odds)), "b", "a")
names = [f"x{n}" for n in range(FEATURES)]
start = datetime(2026, 3, 2)
seconds = np.sort(chance.uniform(0, DAYS * 86_400, ROWS))
frame = pl.DataFrame(dict(zip(names, matrix.T, strict=True))).with_columns(
    at=pl.Series([start + timedelta(seconds=float(s)) for s in seconds]),
    chosen=pl.Series(chosen), decision_id=pl.Series([str(n) for n in range(ROWS)]),
)  # fmt: skip
trees = HistGradientBoostingClassifier(
    max_iter=100, max_leaf_nodes=31, early_stopping=False, random_state=0
).fit(matrix[:20_000], chosen[:20_000])


class Named:
    """The trees, asked by a frame."""

    classes_ = trees.classes_

    @staticmethod
    def predict_proba(given: pl.DataFrame) -> np.ndarray:
        return trees.predict_proba(given.select(names).to_numpy())


found: dict[str, object] = {}
began = time.perf_counter()
theirs = shap.TreeExplainer(trees).shap_values(matrix)
found["theirs"] = time.perf_counter() - began
began = time.perf_counter()
ours = attribute_decisions(frame, Named(), features=names)
means = mean_attributions(ours, frame)
found["ours"] = time.perf_counter() - began
found["explained"] = ours["decision_id"].n_unique()
found["error"] = means.filter(option="b")["error"].median()

booster = lightgbm.LGBMClassifier(n_estimators=100, num_leaves=31, verbose=-1)
booster.fit(matrix[:20_000], chosen[:20_000], feature_name=names)


class Box:
    """The booster as a model of which nothing is known."""

    classes_ = booster.classes_

    @staticmethod
    def predict_proba(given: pl.DataFrame) -> np.ndarray:
        second = booster.booster_.predict(given.select(names).to_numpy())
        return np.column_stack([1 - second, second])


# the means of each weekday against one background, exact there and sampled here
background = matrix[:SOME]
sampled = attribute_decisions(
    frame, Box(), features=names, background=pl.DataFrame(dict(zip(names, background.T,
                                                                     strict=True)))
)  # fmt: skip
taken = sampled.filter(option="b")
rows = taken["decision_id"].unique(maintain_order=True).cast(pl.Int64).to_numpy()
exact = shap.TreeExplainer(booster, data=background, feature_perturbation="interventional",
                           model_output="raw").shap_values(matrix[rows])  # fmt: skip
exact = exact[..., 1] if exact.ndim == 3 else exact
wide = taken["attribution"].to_numpy().reshape(len(rows), FEATURES)
weekday = (seconds[rows] // 86_400 % 7).astype(int)
off = []
for day in range(7):
    apart = (wide - exact)[weekday == day]
    off.append(apart.mean(axis=0) / (apart.std(axis=0, ddof=1) / np.sqrt(len(apart))))
found["within"] = float((np.abs(off) <= 3).mean())
found["farthest"] = float(np.abs(off).max())

own = frame.head(EXACT)
told = attribute_decisions(own, booster, features=names, per_day=None).filter(option="b")
values = shap.TreeExplainer(booster).shap_values(matrix[:EXACT])
values = values[1] if isinstance(values, list) else values
order = told["decision_id"].unique(maintain_order=True).cast(pl.Int64).to_numpy()
difference = told["attribution"].to_numpy().reshape(len(order), FEATURES) - values[order]
found["exact"] = float(np.abs(difference).max())
print(json.dumps(found))
