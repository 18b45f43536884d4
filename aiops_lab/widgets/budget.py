"""What if? An objective with another traffic, target, sampling or judge, told with its interval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import altair as alt
import ipywidgets
import polars as pl

from aiops_lab.charts.budget import LABELS, leading
from aiops_lab.charts.theme import CANDIDATE, WORSE
from aiops_lab.stats.settling import settles
from aiops_lab.stats.spent import BadShare
from aiops_lab.target.budget import Budget
from aiops_lab.target.budget_words import undecided
from aiops_lab.target.foresee import Supposed, supposed
from aiops_lab.widgets.panel import WIDE, Panel, Place, facet, row, sentence
from aiops_lab.wording import figure, interval


class BudgetExplorer(Panel):
    """Sliders that suppose an objective otherwise; make one with `explore_budget`.

    Attributes
    ----------
    value
        What is supposed: `aiops_lab.target.foresee.Supposed`; None where nothing is known.
    """

    told = "Suppose another target, sampling or judge in JupyterLab: aiops-lab open --lab LAB"
    value: Supposed | None = None

    def __init__(self, result: Budget) -> None:
        alt.JupyterChart.enable_offline()
        self.result = result
        names = [leading(result), *result.objectives["name"]]
        known = [name for name in names if supposed(result, name) is not None]
        self.name = facet("Objective", known, self._reset, every=False)
        self.daily = ipywidgets.BoundedIntText(description="Daily", min=1, max=10**9)
        self.target = _slider("Promised", 0.5, 0.999, 0.001, ".1%")
        self.rate = _slider("Evaluated", 0.005, 1.0, 0.005, ".1%")
        self.se = _slider("Sensitivity", 0.5, 1.0, 0.01, ".0%")
        self.sp = _slider("Specificity", 0.8, 1.0, 0.005, ".1%")
        self.labels = ipywidgets.IntSlider(
            description="Labels", min=50, max=LABELS, step=50, layout={"width": WIDE}
        )
        self.controls = {
            "daily": self.daily, "target": self.target, "rate": self.rate, "sensitivity": self.se,
            "specificity": self.sp, "labels": self.labels,
        }  # fmt: skip
        for control in self.controls.values():
            control.observe(self._draw, "value")
        self.text, self.place = ipywidgets.HTML(), Place()
        sliders = [row(*list(self.controls.values())[i : i + 2]) for i in (0, 2, 4)]
        super().__init__(self.name, *sliders, self.text, self.place)
        self._reset()

    def _reset(self, _: Any = None) -> None:
        """The sliders as the objective stands."""
        found = supposed(self.result, self.name.value)
        self.value = None
        if found is None:
            self.text.value = sentence("Nothing is known of any objective yet.")
            return
        for name, control in self.controls.items():
            control.value = type(control.value)(getattr(found, name))
        self.value = found
        self._draw()

    def _draw(self, _: Any = None) -> None:
        if self.value is None:
            return
        now = {name: control.value for name, control in self.controls.items()}
        self.value = replace(self.value, **now)
        share = self.value.share()
        self.text.value = sentence(_told(self.value, share), "")
        self.place.show(_picture(share, 1 - self.value.target))


def _slider(name: str, low: float, high: float, step: float, shape: str) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(
        description=name, min=low, max=high, step=step, readout_format=shape,
        continuous_update=False, layout={"width": WIDE},
    )  # fmt: skip


def _told(found: Supposed, share: BadShare) -> str:
    """What would be spent and whether it could be told, in two sentences."""
    if share.value is None or share.low is None or share.high is None:
        return f"Nothing could be told: {share.method}."
    budget = 1 - found.target
    spent, low, high = (x / budget for x in (share.value, share.low, share.high))
    told = f"{figure(spent, share=True)} of the budget {interval(low, high, share=True)} spent, "
    told += f"with {share.evaluated:,} evaluated in {found.days:.4g} days. "
    if low >= 1 or high < 1:
        return f"{told}That could be told: it is {'spent' if low >= 1 else 'not spent'}."
    why = undecided(share, settles(share, budget))
    return f"{told}It could not be told whether it is spent: {why}."


def _picture(share: BadShare, budget: float) -> alt.LayerChart | alt.FacetChart:
    ends = (100 * (x or 0) / budget for x in (share.value, share.low, share.high))
    value, low, high = (round(x, 2) for x in ends)
    base = alt.Chart(pl.DataFrame({"spent": [value], "low": [low], "high": [high], "all": [100.0]}))
    title = "spent of the budget (%)"
    return alt.layer(
        base.mark_rule(color=WORSE, strokeDash=[5, 4]).encode(x=alt.X("all:Q", title=title)),
        base.mark_rule(color=CANDIDATE, strokeWidth=3).encode(
            x=alt.X("low:Q", title=title), x2="high:Q", y=alt.value(25)
        ),
        base.mark_circle(color=CANDIDATE, size=130, opacity=1).encode(
            x=alt.X("spent:Q", title=title, scale=alt.Scale(zero=True)), y=alt.value(25),
            tooltip=["spent:Q", "low:Q", "high:Q"],
        ),
    ).properties(height=50)  # fmt: skip


def explore_budget(result: Budget) -> BudgetExplorer:
    """Suppose an objective otherwise and see what would be spent of its budget, and told.

    Parameters
    ----------
    result
        What `aiops_lab.error_budget` found.

    Examples
    --------
    >>> from datetime import datetime
    >>> from aiops_lab import error_budget
    >>> from aiops_lab.objectives.grammar import read_criterion
    >>> from aiops_lab.objectives.objective import Objective
    >>> rows = pl.DataFrame({"at": [datetime(2026, 5, 1, h) for h in range(20)],
    ...                      "refusal": [True] + [False] * 19})
    >>> goal = Objective("answers", 0.8, "refusal", read_criterion(bad=True))
    >>> explorer = explore_budget(error_budget(rows, [goal]))
    >>> explorer.target.value, round(explorer.value.bad, 3)
    (0.8, 0.05)
    """
    return BudgetExplorer(result)
