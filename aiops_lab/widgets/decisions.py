"""Which option, which period, which input, which decision? What a router does, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import ipywidgets
import polars as pl
import traitlets

from aiops_lab.charts import decisions as pictures
from aiops_lab.charts import recurring
from aiops_lab.errors import LabError
from aiops_lab.watch.routing.decisions import decisions_if_any
from aiops_lab.watch.routing.find import RoutingShifts
from aiops_lab.watch.routing.monitor import DecisionShifts
from aiops_lab.watch.routing.one import explain_decision
from aiops_lab.watch.routing.patterns import LONGEST
from aiops_lab.widgets.panel import WIDE, Panel, Place, facet, row

OFFERED = 300
"""Decisions offered by name, the newest; any other can be typed."""


class DecisionExplorer(Panel):
    """A router's decisions by option, period, input and one by one; see `explore_decisions`.

    Attributes
    ----------
    value
        What `aiops_lab.explain_decision` says of the decision picked: a Polars frame.
    """

    told = "Pick option, period, input and decision in JupyterLab: aiops-lab open --lab LAB"
    value = traitlets.Instance(pl.DataFrame, ())

    def __init__(
        self, result: RoutingShifts, watched: DecisionShifts, decisions: Any, model: Any,
        context: Sequence[str], timezone: str,
    ) -> None:  # fmt: skip
        alt.JupyterChart.enable_offline()
        self.result, self.watched = result, watched
        self.asked = {"model": model, "context": context, "timezone": timezone}
        self.decisions = decisions
        options = [result.top.get("option"), *result.series["option"].unique(maintain_order=True)]
        moved = watched.events["feature"].drop_nulls().unique(maintain_order=True)
        features = [*moved, *watched.daily["feature"].drop_nulls().unique().sort()]
        self.option = facet("Option", options, self._draw, every=False)
        self.period = ipywidgets.Dropdown(
            description="Period", layout={"width": WIDE},
            options=[("as found", None), *((f"{n} days", n) for n in range(2, LONGEST + 1))],
        )  # fmt: skip
        self.feature = facet("Input", features, self._draw, every=False)
        known = decisions_if_any(decisions, context=context, timezone=timezone)
        names = [] if isinstance(known, str) else known.rows["decision_id"].tail(OFFERED).to_list()
        self.decision = ipywidgets.Combobox(
            description="Decision", options=names[::-1], placeholder="the last one of the pattern",
            continuous_update=False, layout={"width": WIDE},
        )  # fmt: skip
        for control in (self.period, self.decision):
            control.observe(self._draw, "value")
        self.places = [Place() for _ in range(4)]
        self.folded, self.heat, self.days, self.one = self.places
        super().__init__(
            row(self.option, self.period), self.folded, self.heat, self.feature, self.days,
            self.decision, self.one,
        )  # fmt: skip
        self._draw()

    def _draw(self, change: Any = None) -> None:
        what = None if change is None else change["owner"]
        option = self.option.value
        if what in (None, self.option, self.period):
            self.folded.show(recurring.folded(self.result, option, self.period.value))
        if what in (None, self.option):
            self.heat.show(recurring.heat(self.result, option))
        if what in (None, self.option, self.feature):
            self.days.show(pictures.attributed(self.watched, option, self.feature.value))
        if what in (None, self.option, self.decision):
            self._explain(what is self.decision or what is None)

    def _explain(self, anew: bool) -> None:
        try:
            if anew:
                one = self.decision.value.strip() or self.result
                self.value = explain_decision(self.decisions, one, **self.asked)
            self.one.show(pictures.one_decision(self.value, self.option.value))
        except LabError as error:
            self.one.say(f"✕ {error}")


def explore_decisions(
    result: RoutingShifts, watched: DecisionShifts, decisions: Any, model: Any = None, *,
    context: Sequence[str] = (), timezone: str = "UTC",
) -> DecisionExplorer:  # fmt: skip
    """Pick an option, a period, an input and a decision, and see what each does.

    Parameters
    ----------
    result, watched
        What `aiops_lab.find_routing_shifts` and `aiops_lab.watch_decisions` found.
    decisions, model, context, timezone
        As they were given to these.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> from aiops_lab import find_routing_shifts, watch_decisions
    >>> rows = pl.DataFrame([{"at": datetime(2026, 3, 2) + timedelta(hours=h),
    ...                       "chosen": "ab"[h % 3 > 0]} for h in range(24 * 40)])
    >>> explorer = explore_decisions(find_routing_shifts(rows), watch_decisions(rows), rows)
    >>> explorer.option.value
    'a'
    """
    return DecisionExplorer(result, watched, decisions, model, context, timezone)
