"""Pictures of a release gate: its rules, how it would behave, and what it was decided on."""

from __future__ import annotations

import shlex
from typing import Any

import altair as alt
import polars as pl

from aiops_lab.charts import compare
from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.compare import Picture
from aiops_lab.charts.intervals import RULED, intervals
from aiops_lab.charts.table import SIGNED, Table, table
from aiops_lab.charts.theme import BASELINE, BETTER, WORSE
from aiops_lab.ship.gate import Gate
from aiops_lab.ship.gate_words import margins, told, told_again
from aiops_lab.ship.operating import flip_rate, left_out
from aiops_lab.ship.plan import Plan
from aiops_lab.wording import figure, interval, listing

FARTHEST = 4.0
"""Beyond so many margins a rule's interval is cut: how far it clears the limit matters no more."""
URGENT = {"fail": 0, "inconclusive": 1, "ok": 2}
OUTCOMES = {
    "ok": ("passes", BETTER, "circle"),
    "inconclusive": ("cannot tell", BASELINE, "diamond"),
    "fail": ("fails", WORSE, "square"),
}
NO_RULE = "The policy has no rule: add [gate.metrics.NAME] with a margin or a floor to lab.toml."


def _ranked(gate: Gate) -> list[dict[str, Any]]:
    """The rules, those that decide and are not kept first."""
    urgency = pl.col("status").replace_strict(URGENT, return_dtype=pl.Int8)
    return gate.rules.sort(pl.col("role") == "info", urgency, maintain_order=True).to_dicts()


def rules(gate: Gate) -> Table | Cases:
    """Each rule with its figures, its limit and what would settle it."""
    if not gate.rules.height:
        return note(NO_RULE)
    rows = [
        {
            "status": SIGNED[row["status"]],
            "rule": row["rule"] + (" (decides nothing)" if row["role"] == "info" else ""),
            "value (90 % interval), limit": told(row) + (row["shown"] and f" ({row['shown']})"),
            "questions": row["n"],
            "what would settle it": row["settle"] or "–",
        }
        for row in _ranked(gate)
    ]
    kept = gate.rules.filter(pl.col("status") == "ok").height
    return table(pl.DataFrame(rows), title=f"{kept} of {len(rows)} rules are kept")


def limits(gate: Gate) -> Picture:
    """How far each rule's interval lies from its limit, on one scale for all."""
    found = [row for row in _ranked(gate) if row["value"] is not None]
    if not found:
        return note(NO_RULE if not gate.rules.height else "No rule has a figure to draw.")
    rows = [
        {
            **{k: _cut(margins(row, row[k])) for k in ("low", "value", "high")},
            "name": row["rule"],
            "told": _brief(row),
            "state": row["status"],
            "questions": row["n"],
            "method": row["method"],
        }
        for row in found
    ]
    near = [row["name"] for row in rows if row["state"] == "ok"]
    title = f"{len(near)} of {len(rows)} rules clear their limit"
    ends = [end for row in rows for end in (row["low"], row["high"]) if end is not None]
    cut = f"; cut at {FARTHEST:.0f}" if FARTHEST in map(abs, ends) else ""
    return intervals(
        rows,
        title,
        "Line: 90 % interval; a rule is kept where all of it lies right of the limit" + cut,
        axis="distance to the limit; 1 is the way from there to no change, or to perfect",
        states=RULED,
        rules={0.0: "limit", 1.0: "no change or perfect"},
        kept=(0.0, max([1.0, *ends])),
    )


def _brief(row: dict[str, Any]) -> str:
    """The figures without both means, which are in the table."""
    text = told(row).replace(" the baseline's", "")
    return text.split(", ", 1)[-1] if row["scale"] == "difference" else text


def _cut(away: float | None) -> float | None:
    return None if away is None else max(-FARTHEST, min(FARTHEST, away))


def operating(gate: Gate, curve: pl.DataFrame) -> Picture:
    """What this gate would say of releases whose true loss is known.

    Parameters
    ----------
    curve
        What `aiops_lab.ship.operating.operating_curve` gives for the gate.
    """
    if not curve.height:
        return note("No rule that decides can be simulated, so there is no operating curve.")
    shares = {v[0]: (100 * pl.col(k)).round(1) for k, v in OUTCOMES.items()}
    told = curve.select("effect", **shares)
    # all quantitative: Vega-Lite does not find the words of the nearest point
    tooltip = [alt.Tooltip("effect:Q", title="true loss, margins")]
    tooltip += [alt.Tooltip(f"{v}:Q", title=f"{v}, %", format=".1f") for v in shares]
    shown = curve.unpivot(on=list(OUTCOMES), index="effect", variable_name="state").with_columns(
        outcome=pl.col("state").replace_strict({k: v[0] for k, v in OUTCOMES.items()}),
        share=100 * pl.col("value"),
    )
    shown = shown.join(told, on="effect", maintain_order="left")
    colour, shape = (
        alt.Scale(domain=list(OUTCOMES), range=[looks[k] for looks in OUTCOMES.values()])
        for k in (1, 2)
    )
    few = alt.Axis(tickCount=5)
    x = alt.X("effect:Q", title="true loss of every metric with a margin, in margins", axis=few)
    y = alt.Y("share:Q", title="releases, %", scale=alt.Scale(domain=[0, 105]))
    base = alt.Chart(shown).encode(
        x=x,
        y=y,
        color=alt.Color("state:N", scale=colour, legend=None),
        tooltip=tooltip,
    )
    margin = alt.Chart(pl.DataFrame({"effect": [1.0], "label": ["the margin"]})).encode(x="effect")
    near = alt.selection_point(
        name="near", on="pointerover", nearest=True, fields=["effect"], empty=False
    )
    read = alt.condition(near, alt.value(0.7), alt.value(0))
    layers: list[Any] = [
        alt.Chart(told).mark_rule(color=BASELINE).encode(x="effect:Q", opacity=read),
        margin.mark_rule(color=WORSE, strokeDash=[5, 4]),
        margin.mark_text(color=WORSE).encode(y=alt.value(-7), text="label:N"),
        base.mark_line(strokeWidth=2.5),
        base.mark_point(filled=True, size=60, opacity=1)
        .encode(shape=alt.Shape("state:N", scale=shape, legend=None))
        .add_params(near),
    ]
    layers += _names(shown, x, y)
    return alt.layer(*layers, width="container", title=_operating_title(gate, curve))


def _names(shown: pl.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Each outcome's name at its peak."""
    last = shown["effect"].max()
    peaks = shown.sort("share", descending=True).unique("state", keep="first", maintain_order=True)
    layers = []
    for row in peaks.to_dicts():
        side = "left" if row["effect"] == 0 or 1 <= row["effect"] < last else "right"
        label = alt.Chart(pl.DataFrame([row])).encode(x=x, y=y, text="outcome:N")
        text = label.mark_text(align=side, dx=8 if side == "left" else -8, dy=-10, fontSize=13)
        layers.append(text.encode(color=alt.value(OUTCOMES[row["state"]][1])))
    return layers


def _operating_title(gate: Gate, curve: pl.DataFrame) -> alt.TitleParams:
    at = {row["effect"]: row for row in curve.to_dicts()}
    rate, low, high = flip_rate(gate)
    subtitle = [
        f"and fails {figure(rate, share=True)} of the time {interval(low, high, share=True)}."
    ]
    if 1.0 in at:
        subtitle.append(f"A loss of one margin passes {figure(at[1.0]['ok'], share=True)}.")
    subtitle.append("Simulated out of these runs' own questions")
    out = [f"{name} ({why})" for name, why in left_out(gate).items()]
    return alt.TitleParams(
        f"A change that changes nothing passes {figure(at[0.0]['ok'], share=True)} of the time",
        subtitle=[" ".join(subtitle), *([f"without {listing(out)}"] if out else [])],
    )


def plan(planned: Plan) -> Table | Cases:
    """How many questions each rule needs, and what they would cost."""
    if not planned.rules.height:
        return note(f"{planned.verdict.headline} {planned.verdict.next_step}")
    rows = [
        {
            "status": SIGNED[row["status"]],
            "rule": row["rule"],
            "questions now": row["n"],
            "passes at all from": row["perfect"],
            "decides 4 times in 5 from": row["planned"],
            "chance to pass now if nothing changed": "not simulated"
            if row["pass_now"] is None and row["n"] > 1
            else figure(row["pass_now"], share=True),
            "price of so many": "–"
            if row["cost_usd"] is None
            else f"${figure(row['cost_usd'], digits=2)}",
        }
        for row in planned.rules.to_dicts()
    ]
    title = f"{planned.verdict.headline} {planned.verdict.next_step}{told_again(planned.repeated)}"
    return table(pl.DataFrame(rows, infer_schema_length=None), title=title)


def slices(gate: Gate) -> Picture:
    """Where it moved: a policy of means can be kept while a slice collapses."""
    if gate.comparison is None:
        return note("The runs share no score, so there are no slices to compare.")
    return compare.heat(gate.comparison)


def lost(gate: Gate) -> Cases:
    """The questions that turned in the scores that the policy names, lost ones first."""
    if gate.comparison is None:
        return note("The runs share no score, so no question can have turned.")
    return compare.flips(gate.comparison, set(gate.rules["metric"]))


def policy(gate: Gate) -> Table:
    """What was asked, and the digest that names it."""
    given = gate.settings["policy"]
    rows = [
        (f"gate.metrics.{name}", key, str(value))
        for name, asked in given["metrics"].items()
        for key, value in asked.items()
        if value is not None
    ]
    rows += [("gate.caps", name, str(value)) for name, value in given["caps"].items()]
    rows += [
        ("gate", key, str(given[key]))
        for key in ("cluster", "inconclusive", "max_budget_share")
        if given.get(key)
    ]
    frame = pl.DataFrame(rows, schema=["section", "key", "value"], orient="row")
    return table(frame, title=f"Policy {gate.settings['policy_digest']}")


def command(gate: Gate, policy: str = "") -> str:
    """The command that decides the same in continuous integration."""
    named = ["--baseline", gate.settings["baseline"], "--candidate", gate.settings["candidate"]]
    given = ["--policy", policy if policy.endswith(".toml") else "POLICY.toml"] if policy else []
    return shlex.join(["aiops-lab", "gate", "--lab", "LAB", *named, *given])
