"""Pictures of error budgets: what is left of each, how fast it burns, and what would change it."""

from __future__ import annotations

from datetime import date
from typing import Any

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.recurring import multiples
from aiops_lab.charts.retrieval import OTHER, Picture
from aiops_lab.charts.series import DAY_AXIS
from aiops_lab.charts.table import SIGNED, Table, table
from aiops_lab.charts.theme import BASELINE, CANDIDATE, MOST_ROWS, WORSE
from aiops_lab.charts.watch import MIDNIGHT
from aiops_lab.target.budget import Budget
from aiops_lab.target.foresee import Supposed, supposed
from aiops_lab.verdict import BADNESS
from aiops_lab.wording import day_words, figure, interval, listing, short_name

NAMED = 6
"""So many changes have their names beside their lines; of more, the newest."""
LABELS = 2_000
"""Labelled answers of a kind, at the end of the slider."""


def board(result: Budget) -> Table | Cases:
    """At a glance: each objective, those first that will run out first."""
    if not result.objectives.height:
        return note("There are no objectives.")
    rows = [_glance(row) for row in result.objectives.to_dicts()]
    spent = int((result.objectives["status"] == "fail").sum())
    return table(pl.DataFrame(rows), title=f"{spent or 'None'} of {len(rows)} budgets spent")


def _glance(row: dict[str, Any]) -> dict[str, Any]:
    known = row["spent"] is not None
    told = {"status": SIGNED[row["status"]], "objective": row["name"]}
    promised = f"{100 * row['target']:.8g} %"
    if not known:
        return {**told, "good": "not known", "promised": promised, "budget spent": row["why"],
                "taken at its word": "–", "runs out": "–", "evaluated": _of(row)}  # fmt: skip
    return {
        **told,
        "good": _figure(row["good"], row["good_low"], row["good_high"]), "promised": promised,
        "budget spent": _figure(row["spent"], row["low"], row["high"]),
        "taken at its word": "–" if row["naive"] is None else figure(row["naive"], share=True),
        "runs out": runs_out(row), "evaluated": _of(row),
    }  # fmt: skip


def _figure(value: float, low: float, high: float) -> str:
    return f"{figure(value, share=True)} {interval(low, high, share=True)}"


def _of(row: dict[str, Any]) -> str:
    return f"{row['evaluated'] or 0:,} of {row['answers'] or 0:,}"


def runs_out(row: dict[str, Any]) -> str:
    """When a budget runs out, with the 80 % interval, as a table says it."""
    day, low, high = (row[f"exhausted_{end}"] for end in ("on", "low", "high"))
    if row["spent"] is not None and row["spent"] >= 1 and day is not None:
        return f"since {day_words(day)}"
    if low is None:
        chance = row["p_exhausted"]
        return "–" if chance is None else f"not foreseen ({figure(chance, share=True)})"
    if day is None:
        return f"not foreseen, {day_words(low)} at the earliest"
    late = "or later" if high is None else f"to {day_words(high)}"
    return f"{day_words(day)} ({day_words(low)} {late})"


def burn_down(result: Budget, name: str | None = None) -> Picture:
    """What is left of one budget by day, what is foreseen of it, and what was changed meanwhile.

    Parameters
    ----------
    name
        The objective; by default the one that the verdict is about.
    """
    name = name or leading(result)
    days = result.burn_down.filter(objective=name) if name else result.burn_down.head(0)
    if not days.drop_nulls("spent").height:
        return note("No day of answers was evaluated: there is nothing to draw.")
    row = result.objectives.row(by_predicate=pl.col("name") == name, named=True)
    left = figure(max(1 - row["spent"], 0.0), share=True) if row["spent"] is not None else "?"
    title = f"{short_name(str(name))}: {left} of the budget left"
    if row["spent"] is not None and row["spent"] >= 1:
        title = f"{short_name(str(name))}: the budget is spent"
    subtitle = (
        "Line: what is left at the end of each day, with its 95 % interval. Dashed: what is "
        "foreseen, with its 80 % interval. Grey lines: changes"
    )
    return _layers(_drawn(result, [str(name)])).properties(
        width="container", height=300, title=alt.TitleParams(title, subtitle=subtitle)
    )


def others(result: Budget) -> Picture:
    """The same of all other objectives, below each other."""
    first = leading(result)
    names = [name for name in result.objectives["name"] if name != first]
    drawn = set(result.burn_down.drop_nulls("spent")["objective"])
    known = [name for name in names if name in drawn][:MOST_ROWS]
    if not known:
        return note("There are no other objectives that could be drawn.")
    rest = len(names) - len(known)
    worst = result.objectives.filter(pl.col("name").is_in(known), status="fail").height
    title = f"{worst or 'None'} of {len(known)} others {'is' if worst == 1 else 'are'} spent"
    subtitle = "Left of each budget, in %" + (f". {rest} more are not drawn" if rest else "")
    rows = _drawn(result, known)
    rows = rows.with_columns(pl.lit(None, pl.String).alias("label")) if "label" in rows else rows
    return multiples(_layers(rows, None), "objective", known, 90, title, subtitle, y="independent")


def leading(result: Budget) -> str | None:
    """The objective that the verdict is about: the worst status, then what is spent most."""
    known = set(result.burn_down.drop_nulls("spent")["objective"])
    rows = [row for row in result.objectives.to_dicts() if row["name"] in known]
    rows.sort(key=lambda row: (-BADNESS.index(row["status"]), -(row["spent"] or 0.0)))
    return rows[0]["name"] if rows else None


def _drawn(result: Budget, names: list[str]) -> pl.DataFrame:
    """A row a day, a foreseen day, or a change; what is left in %."""
    day, left = pl.col("day").dt.strftime(MIDNIGHT), {"left": "spent", "low": "high", "high": "low"}
    own = pl.col("objective").is_in(names)
    days = result.burn_down.filter(own).select(
        "objective", day, *(_left(source).alias(to) for to, source in left.items()),
        kind=pl.lit("day"),
    )  # fmt: skip
    ahead = {"left": "middle", "low": "high", "high": "low"}
    fan = result.fan.filter(own).select(
        "objective", day, *(_left(source).alias(to) for to, source in ahead.items()),
        kind=pl.lit("ahead"),
    )  # fmt: skip
    parts = [days, fan]
    if days.height and result.changes.height:
        span = result.burn_down.filter(own)["day"]
        marks = _marks(result.changes, span.min(), span.max())  # type: ignore[arg-type]
        parts.append(pl.DataFrame({"objective": names}).join(marks, how="cross"))
    return pl.concat(parts, how="diagonal")


def _left(column: str) -> pl.Expr:
    return (100 * (1 - pl.col(column))).round(2)


def _marks(changes: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """What was changed in these days: the newest have their names beside their lines."""
    day = pl.col("at").dt.date()
    own = changes.filter(day.is_between(first, last)).sort("at", descending=True).head(MOST_ROWS)
    name = pl.col("name").fill_null("").str.head(20)
    told = pl.format("{} {} {}", "artefact", name, pl.col("to_version").fill_null("").str.head(16))
    return own.with_row_index("nth").select(
        day=pl.col("at").dt.strftime(MIDNIGHT), kind=pl.lit("change"),
        what=told.str.strip_chars().str.replace_all(r"\s+", " "),
        label=pl.when(pl.col("nth") < NAMED).then(pl.col("artefact").str.head(12)),
        step=(pl.col("nth") % 2).cast(pl.Int64),
    )  # fmt: skip


def _layers(
    rows: pl.DataFrame, title: str | None = "left of the budget (%)"
) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(rows)
    y = alt.Y("left:Q", title=title, axis=alt.Axis(tickCount=5))
    band = alt.Y("low:Q", title=title)
    day, ahead, change = (base.transform_filter(alt.FieldEqualPredicate(kind, "kind"))
                          for kind in ("day", "ahead", "change"))  # fmt: skip
    when = alt.Tooltip("day:T", format="%-d %b %Y")
    ends = [alt.Tooltip(f"{name}:Q", format=".3~g", title=told) for name, told in (
        ("left", "left (%)"), ("low", "from"), ("high", "to"))]  # fmt: skip
    return alt.layer(
        change.mark_rule(color=BASELINE, strokeDash=[2, 3]).encode(
            x=DAY_AXIS, tooltip=[alt.Tooltip("what:N", title="change"), when]
        ),
        *(_names(change, DAY_AXIS, step) for step in (0, 1)),
        day.mark_area(opacity=0.18, color=CANDIDATE).encode(x=DAY_AXIS, y=band, y2="high:Q"),
        ahead.mark_area(opacity=0.18, color=OTHER).encode(x=DAY_AXIS, y=band, y2="high:Q"),
        base.transform_aggregate(n="count()").transform_calculate(zero="0").mark_rule(
            color=WORSE, strokeDash=[5, 4]
        ).encode(y=alt.Y("zero:Q", title=title)),
        day.mark_line(color=CANDIDATE).encode(x=DAY_AXIS, y=y),
        ahead.mark_line(color=OTHER, strokeDash=[4, 3]).encode(x=DAY_AXIS, y=y),
        base.transform_filter(alt.FieldOneOfPredicate("kind", ["day", "ahead"])).mark_point(
            size=50, opacity=0
        ).encode(x=DAY_AXIS, y=y, tooltip=["objective:N", when, *ends]),
    )  # fmt: skip


def _names(change: alt.Chart, x: alt.X, step: int) -> alt.Chart:
    """The names of every other change, on a line of their own."""
    named = change.transform_filter(f"isValid(datum.label) && datum.step == {step}")
    return named.mark_text(
        align="left", dx=3, dy=12 * step, baseline="top", fontSize=10, color=BASELINE
    ).encode(x=x, text="label:N", y=alt.value(0))


def alerts(result: Budget) -> Table | Cases:
    """What each alert means, whether it fires now, and how often it fires for nothing."""
    if not result.alerts.height:
        return note("No objective that can be computed has an alert.")
    rows = [
        {
            "status": SIGNED[row["status"]], "objective": row["objective"],
            "alert": f"{row['severity']} {row['alert']}".strip(),
            "looks at": row["window"] or "all since it was well",
            "fires when bad": _fires(row),
            "spends by then": "–" if row["spends"] is None else figure(row["spends"], share=True),
            "bad now": figure(row["rate"], share=True) if row["rate"] is not None else "–",
            "fired": row["fired"], "for nothing": _for_nothing(row), "note": row["why"] or "",
        }
        for row in result.alerts.to_dicts()
    ]  # fmt: skip
    firing = result.alerts.filter(pl.col("since").is_not_null()).height
    return table(pl.DataFrame(rows), title=f"{firing or 'None'} of {len(rows)} alerts firing now")


def _fires(row: dict[str, Any]) -> str:
    if row["bad_rate"] is None:
        return "never" if row["window"] else "more than may be, for sure"
    return f"over {figure(row['bad_rate'], share=True)}{' (capped)' if row['capped'] else ''}"


def _for_nothing(row: dict[str, Any]) -> str:
    """The mean time between false pages at this traffic, in words."""
    days, low = row["false_every_days"], row["false_every_low"]
    if days is None:
        return "–" if low is None else f"less than once in {figure(low, digits=2)} days"
    return f"once in {figure(days, digits=2)} days (at least {figure(low, digits=2)})"


def fired(result: Budget) -> Table | Cases:
    """The incidents of the period, the dearest first, and which ask for a postmortem."""
    if not result.incidents.height:
        return note("No alert fired in the period, so there is no incident to look at.")
    rows = [
        {
            "status": SIGNED[row["status"]], "objective": row["name"], "began": row["begin"],
            "ended": row["end"], "answers": row["answers"],
            "spent of the budget": _figure(row["spent"], row["low"], row["high"]),
        }
        for row in result.incidents.to_dicts()
    ]  # fmt: skip
    asked = result.incidents.filter(status="warn").height
    limit = figure(result.incidents["limit"][0], share=True)
    title = f"{asked or 'None'} of {len(rows)} incidents spent over {limit}"
    return table(pl.DataFrame(rows), title=f"{title}: each asks for a postmortem")


def policy(result: Budget) -> Table | Cases:
    """The level of the policy that each budget has reached, and what follows."""
    if not result.standing.height:
        return note("There are no objectives.")
    rows = result.standing.select(
        pl.col("status").replace_strict(SIGNED).alias("status"), pl.col("name").alias("objective"),
        "level", pl.col("follows").alias("what follows"),
    )  # fmt: skip
    frozen = result.standing.filter(level="freeze")["name"].to_list()
    told = f"Only fixes are released: {listing(map(short_name, frozen))}" if frozen else ""
    return table(rows, title=told or "Releases go on")


def freezes(result: Budget) -> Table | Cases:
    """When releases were frozen."""
    if not result.freezes.height:
        return note("On no day of these periods was a budget surely spent.")
    rows = result.freezes.sort("begin", descending=True).rename({"name": "objective"})
    return table(rows, title=f"{rows.height} spell{'s' * (rows.height > 1)} of frozen releases")


def costs(found: pl.DataFrame) -> Picture | Table:
    """What a change would spend of each budget, with its interval.

    Parameters
    ----------
    found
        What `aiops_lab.ship.spending.change_costs` says.
    """
    if not found.height:
        return note(
            "Name two runs over the same questions as baseline and candidate, and it is told here "
            "what releasing the candidate would spend of each budget."
        )
    known = found.drop_nulls("share")
    if not known.height:
        rows = found.select(pl.col("status").replace_strict(SIGNED), objective="name", what="told")
        return table(rows, title="Of no budget it can be told what the change costs")
    ends = [(100 * pl.col(name)).round(2).alias(name) for name in ("share", "low", "high")]
    rows = known.head(MOST_ROWS).select("name", *ends, "told")
    base = alt.Chart(rows).encode(
        y=alt.Y("name:N", sort=rows["name"].to_list(), title=None, axis=alt.Axis(ticks=False))
    )
    title = "share of the budget that the change spends (%)"
    tips = ["name:N", "share:Q", "low:Q", "high:Q", alt.Tooltip("told:N", title="in words")]
    layers = [
        alt.Chart(rows.head(1).select(none=pl.lit(0))).mark_rule(color=BASELINE).encode(
            x=alt.X("none:Q", title=title)),
        base.mark_rule(color=CANDIDATE, strokeWidth=3).encode(
            x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_circle(color=CANDIDATE, size=110, opacity=1).encode(
            x=alt.X("share:Q", title=title), tooltip=tips),
    ]  # fmt: skip
    left = found.height - rows.height
    subtitle = "Over a whole period, weighted to the traffic; line: 95 % interval"
    subtitle += f". Of {left} more nothing can be told" if left else ""
    return alt.layer(*layers).properties(
        width="container", height=34 * rows.height,
        title=alt.TitleParams(_sentence(str(rows["told"][0])), subtitle=subtitle),
    )  # fmt: skip


def _sentence(text: str) -> str:
    return text if len(text) <= 110 else f"{text[:109]}…"


def what_if(result: Budget, name: str | None = None) -> Picture:
    """Sliders: what would be spent, and could be told, with another target, sampling or judge.

    The interval is the one of a simple sample in normal approximation; `explore_budget` computes
    it as the budget's own.
    """
    found = supposed(result, name or leading(result))
    if found is None:
        return note("Nothing is known of any objective, so nothing can be supposed of one.")
    sliders = _sliders(found)
    base = alt.Chart(pl.DataFrame({"theta": [found.bad], "days": [found.days]}))
    for column, formula in _formulas():
        base = base.transform_calculate(**{column: formula})
    x = alt.X("spent:Q", title="spent of the budget (%)",
              scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))  # fmt: skip
    ends = {"x": alt.X("low:Q", title="spent of the budget (%)"), "x2": "high:Q"}
    y = alt.value(30)
    text = {"align": "left", "baseline": "top", "fontSize": 13}
    layers = [
        base.transform_calculate(limit="100").mark_rule(color=WORSE, strokeDash=[5, 4]).encode(
            x=alt.X("limit:Q", title="spent of the budget (%)")),
        base.mark_rule(color=CANDIDATE, strokeWidth=3).encode(y=y, **ends),
        base.mark_circle(color=CANDIDATE, size=130, opacity=1).encode(
            x=x, y=y, tooltip=[alt.Tooltip(f"{name}:Q", format=",.3~g", title=told)
                               for name, told in (("spent", "spent (%)"), ("low", "from"),
                                                  ("high", "to"), ("n", "evaluated"))]),
        *(base.mark_text(**text).encode(x=alt.value(0), y=alt.value(52 + 20 * i), text=f"{each}:N")
          for i, each in enumerate(("told", "means", "seen"))),
    ]  # fmt: skip
    return (
        alt.layer(*layers)
        .add_params(*sliders)
        .properties(
            width="container", height=120,
            title=alt.TitleParams(
                f"What if it were otherwise with {short_name(found.name)}?",
                subtitle="As many bad answers as were seen. Move the sliders below; "
                "line: 95 % interval, dashed: the whole budget",
            ),
        )
    )  # fmt: skip


def _sliders(found: Supposed) -> list[Any]:
    def slider(name: str, value: float, low: float, high: float, step: float, told: str) -> Any:
        bind = alt.binding_range(min=low, max=high, step=step, name=f"{told}  ")
        return alt.param(name=name, value=value, bind=bind)

    daily = max(round(found.daily), 1)
    least = max(0.5, min(found.target - 0.15, 0.9))
    return [
        slider("daily", daily, max(daily // 10, 1), daily * 5, max(daily // 20, 1),
               "Answers a day"),
        slider("target", found.target, round(least, 3), 0.999, 0.001, "Share promised to be good"),
        slider("rate", round(found.rate, 3), 0.005, 1, 0.005, "Share evaluated"),
        slider("se", round(found.sensitivity, 3), 0.5, 1, 0.01, "Bad answers that the judge flags"),
        slider("sp", round(found.specificity, 3), 0.8, 1, 0.005, "Good ones that it lets pass"),
        slider("labels", found.labels, 50, LABELS, 50, "Labelled answers of each kind"),
    ]  # fmt: skip


def _formulas() -> list[tuple[str, str]]:
    """What is spent, with its interval, out of the sliders; of numbers alone."""
    p = "datum.theta * se + (1 - datum.theta) * (1 - sp)"
    variance = (
        "datum.p * (1 - datum.p) * (1 - rate) / datum.n"
        " + rate * (datum.theta * se * (1 - se) + (1 - datum.theta) * sp * (1 - sp)) / datum.n"
        " + datum.theta * datum.theta * se * (1 - se) / labels"
        " + (1 - datum.theta) * (1 - datum.theta) * sp * (1 - sp) / labels"
    )
    verdict = (
        "datum.high < 100 ? 'Not spent, and that could be told.' : datum.low > 100 ? "
        "'Spent, and that could be told.' : 'It could not be told whether it is spent.'"
    )
    means = "format(daily * (1 - target), ',.3~r') + ' bad answers a day are allowed'"
    seen = "format(datum.n, ',.0f') + ' evaluated in ' + format(datum.days, '.3~r') + ' days'"
    return [
        ("p", p), ("n", "max(daily * datum.days * rate, 1)"), ("variance", variance),
        ("spent", "100 * datum.theta / (1 - target)"),
        ("half", "196 * sqrt(datum.variance) / (se + sp - 1) / (1 - target)"),
        ("low", "max(datum.spent - datum.half, 0)"),
        ("high", "min(datum.spent + datum.half, 100 / (1 - target))"),
        ("told", verdict), ("means", means), ("seen", seen),
    ]  # fmt: skip
