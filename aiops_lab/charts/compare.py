"""Pictures of a comparison of runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import altair as alt
import polars as pl

from aiops_lab.charts.cases import MOST, Case, Cases, case, note
from aiops_lab.charts.intervals import PLAIN, STILL, Chart, intervals
from aiops_lab.charts.table import Table, table
from aiops_lab.charts.theme import BASELINE, CANDIDATE, MOST_ROWS, WORSE
from aiops_lab.ship.behaviour import USED
from aiops_lab.ship.compare import Comparison
from aiops_lab.wording import change, figure, interval, listing, times

Row: TypeAlias = dict[str, Any]
Picture: TypeAlias = Chart | Cases
"""A chart, or a sentence where there is nothing to draw."""
SIDES = ("baseline", "candidate")
LIMITS = ("low", "high")
CLEAR = {"better": " ▲", "worse": " ▼", STILL: ""}


def labels(result: Comparison) -> dict[str, str]:
    """A short name for each candidate: what tells it from the others and from the baseline."""
    candidates = result.metrics["candidate_run"].unique(maintain_order=True).to_list()
    runs = {row["run_id"]: row for row in result.runs.to_dicts()}
    compared = [result.settings["baseline"], *candidates]
    for name in ("prompt_version", "model"):
        short = [runs[run][name] for run in compared if run in runs]
        if None not in short and len({*short}) == len(short) == len(compared):
            return dict(zip(candidates, short[1:], strict=True))
    heads = {run: run[:12] for run in candidates}
    return heads if len({*heads.values()}) == len(heads) else {run: run for run in candidates}


def names(result: Comparison, *columns: str) -> pl.Expr:
    """What a row is of; its candidate first where there are several."""
    short = labels(result)
    several = [pl.col("candidate_run").replace(short)] if len(short) > 1 else []
    return pl.concat_str([*several, *columns], separator=": ")


def _called(result: Comparison, frame: pl.DataFrame) -> pl.DataFrame:
    """What was used beside the scores, as people call it, with its unit."""
    known = {name: used.label.lower() for name, used in USED.items()}
    short = {"US dollars": " ($)", "seconds": " (s)", "characters": " (characters)"}
    units = {name: short.get(used.unit, "") for name, used in USED.items()}
    return frame.with_columns(
        name=pl.col("metric").replace(known), unit=pl.col("metric").replace(units)
    )


def summary(result: Comparison) -> Table:
    """At a glance: every score and what was used for it, with intervals."""
    scores = result.metrics.with_columns(what=names(result, "metric")).to_dicts()
    named = pl.format("{}{}", names(result, "name"), "unit")
    used = _called(result, result.behaviour).with_columns(what=named).to_dicts()
    told = [
        {
            "what": row["what"],
            **{side: figure(row[side], share=row["share"]) for side in SIDES},
            "change": _changed(row),
            "questions": row["n"],
            "how": row["method"],
        }
        for row in [*scores, *used]
    ]
    frame = pl.DataFrame(told, schema=["what", *SIDES, "change", "questions", "how"])
    return table(
        frame, title="Means over the questions that both runs answered; epochs are averaged first"
    )


def quantiles(result: Comparison) -> Table:
    """The slow and dear end: quantiles of latency, output tokens and cost, and their ratio."""
    what = pl.format("{}{}", names(result, "name"), "unit")
    rows = [
        {
            "what": f"{row['what']} p{100 * row['quantile']:.0f}",
            **{side: figure(row[side]) for side in SIDES},
            "change": f"{times(row['ratio'])} "
            f"{interval(row['ratio_low'], row['ratio_high'], digits=3)}",
            "questions": row["n"],
        }
        for row in _called(result, result.quantiles).with_columns(what=what).to_dicts()
    ]
    frame = pl.DataFrame(rows, schema=["what", *SIDES, "change", "questions"])
    return table(frame, title="Quantiles over questions, with bootstrap intervals of their ratio")


def _changed(row: Row) -> str:
    """The difference, or the ratio where there is one, with its interval."""
    if row.get("ratio") is not None:
        return f"{times(row['ratio'])} {interval(row['ratio_low'], row['ratio_high'], digits=3)}"
    ends = interval(row["low"], row["high"], share=row["share"])
    return f"{change(row['difference'], share=row['share'])} {ends}"


def forest(result: Comparison) -> Picture:
    """Each score's difference with its 95 % interval and its limit, where a margin is given."""
    # scores in other units than the first would need an axis of their own
    same = result.metrics.filter(pl.col("share") == result.metrics["share"][0])
    clear = same.filter(pl.col("moved") != STILL).height
    shown, more = _most(same.with_columns(name=names(result, "metric")), pl.col("p_value"))
    rows = _rows(shown)
    subtitle = "Dot: candidate less baseline; line: 95 % interval; coloured where a change is clear"
    if rest := result.metrics.height - same.height:
        subtitle += f"; {rest} in other units above"
    title = f"{clear or 'None'} of {same.height} scores clearly changed"
    return intervals(rows, title, subtitle + more, axis=_axis(same))


def _most(frame: pl.DataFrame, first: pl.Expr) -> tuple[pl.DataFrame, str]:
    """The rows to draw, those that matter most where there are too many, and what to say then."""
    if frame.height <= MOST_ROWS:
        return frame, ""
    ranked = frame.sort(first, nulls_last=True, maintain_order=True)
    return ranked.head(MOST_ROWS), f"; {frame.height - MOST_ROWS} more moved less"


def _rows(frame: pl.DataFrame, brief: bool = False) -> list[Row]:
    """Rows in display units, for `intervals`; `brief` ones tell only the change."""
    rows = []
    for row in frame.to_dicts():
        scale = 100 if row["share"] else 1
        numbers = {k: row.get(k) for k in ("difference", *LIMITS, "limit")}
        shown = {k: None if v is None else v * scale for k, v in numbers.items()}
        told = _changed(row) if brief else f"{_ends(row)}, {_changed(row)}"
        own = {"value": shown["difference"], "state": row["moved"], "questions": row["n"]}
        rows.append({**row, **shown, **own, "told": told})
    return rows


def _ends(row: Row) -> str:
    return " to ".join(figure(row[side], share=row["share"]) for side in SIDES)


def _axis(frame: pl.DataFrame) -> str:
    return f"candidate less baseline{', points' if frame['share'].all() else ''}"


def heat(result: Comparison) -> Picture:
    """Which slices moved in which score: colour and text are the difference."""
    found = result.slices.drop_nulls("difference")
    if not found.height:
        return note("There are no slices: no metadata key has 2 to 12 values.")
    own = pl.when("share").then(pl.lit("share")).otherwise(pl.col("metric"))
    good = pl.col("difference") * pl.col("direction")
    cells = found.with_columns(
        slice=pl.format("{}: {} ({})", "by", "slice", "n"),
        score=names(result, "metric"),
        tilt=(good / good.abs().max().over(own)).fill_nan(0.0),
    )
    lost = pl.when(pl.col("moved") == "worse").then(pl.col("tilt")).min()
    order = cells.group_by("slice", maintain_order=True).agg(lost=lost, worst=pl.col("tilt").min())
    ranked = order.sort("lost", "worst", nulls_last=True, maintain_order=True)["slice"]
    shown = cells.filter(pl.col("slice").is_in(ranked.head(MOST_ROWS).implode()))
    places = {name: place for place, name in enumerate(ranked)}
    told = [
        {
            **{name: row[name] for name in ("slice", "score", "tilt")},
            "place": places[row["slice"]],  # names in a sort would become part of an expression
            "text": change(row["difference"], share=row["share"]).removesuffix(" points")
            + CLEAR[row["moved"]],
            "change": _changed(row),
            "strength": abs(row["tilt"]),
        }
        for row in shown.to_dicts()
    ]
    steep = found.sort(good)
    worse, better = (steep.filter(pl.col("moved") == word) for word in ("worse", "better"))
    lost_in = pl.format("{} in {} {}", names(result, "metric"), "by", "slice")
    where = listing(worse.select(lost_in).to_series())
    title = f"Clear losses: {worse.height}{where and f' ({where})'}; clear gains: {better.height}"
    rest = ranked.len() - min(ranked.len(), MOST_ROWS)
    subtitle = (
        "Candidate less baseline in points where scores are shares (number of questions); "
        "blue: better, vermilion: worse, ▲ ▼: clear after correction for having looked at all"
    ) + (f"; {rest} more slices lost less" if rest else "")
    base = alt.Chart(pl.DataFrame(told)).encode(
        x=alt.X("score:N", sort=None, title=None, axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("slice:N", sort=alt.EncodingSortField("place", op="min"), title=None),
        tooltip=["slice", "score", "change"],
    )
    blue = alt.condition("datum.tilt > 0", alt.value(CANDIDATE), alt.value(WORSE))
    weak = alt.Scale(domain=[0, 1], range=[0, 0.7])
    strength = alt.FillOpacity("strength:Q", scale=weak, legend=None)
    layers = [
        base.mark_rect(stroke=BASELINE, strokeOpacity=0.4).encode(fill=blue, fillOpacity=strength),
        base.mark_text().encode(text="text:N"),
    ]
    return alt.layer(
        *layers,
        width="container",
        height=min(MOST_ROWS, ranked.len()) * 30,
        title=alt.TitleParams(title, subtitle=subtitle),
    )


def slices(result: Comparison, metric: str | None = None) -> Picture:
    """How sure the slices of one score are: by default the one with the clearest loss."""
    metric = metric or _most_moved(result)
    found = result.slices.filter(pl.col("metric") == metric)
    if not found.height:
        return note("There are no slices to draw.")
    ranked = found.sort("p_value", nulls_last=True, maintain_order=True)
    name = pl.format("{} ({})", names(result, "by", "slice"), "n")
    rows = _rows(ranked.head(MOST_ROWS).with_columns(name=name), True)
    lost, gained = (sum(r["state"] == word for r in rows) for word in ("worse", "better"))
    rest = ranked.height - len(rows)
    return intervals(
        rows,
        f"{metric}: {lost or 'no'} slice{'' if lost == 1 else 's'} lost, {gained or 'none'} gained",
        "(number of questions); coloured where clear after correction"
        + (f"; {rest} more slices moved less" if rest else ""),
        axis=_axis(found),
    )


def _most_moved(result: Comparison) -> str:
    """The score with the clearest slice that lost, else the clearest slice."""
    ranked = result.slices.drop_nulls("p_value").sort(
        pl.col("difference") * pl.col("direction") >= 0, "p_value"
    )
    return ranked["metric"][0] if ranked.height else result.metrics["metric"][0]


def behaviour(result: Comparison) -> Picture:
    """Tokens, cost, latency and length as ratios to the baseline, with 95 % intervals."""
    used = _called(result, result.behaviour).drop_nulls("ratio_low")
    ratios = used.with_columns(name=names(result, "name"))
    if not ratios.height:
        why = "have no interval" if result.behaviour.height else "were not logged"
        return note(f"Ratios of tokens, cost and latency {why}.")
    found, more = _most(ratios, -pl.col("ratio").log().abs())
    ends = {"low": "ratio_low", "high": "ratio_high"}
    rows = _rows(found.with_columns(difference="ratio", moved=pl.lit("candidate"), **ends), True)
    most = max(rows, key=lambda row: abs(row["value"] - 1))
    return intervals(
        rows,
        f"Most changed: {most['name']}, {times(most['value'])} the baseline's",
        f"Candidate divided by baseline (geometric means); line: 95 % interval{more}",
        axis="times the baseline",
        states=PLAIN,
        rules={1.0: "unchanged"},
    )


def pareto(result: Comparison, metric: str | None = None) -> Picture:
    """What a better score costs: each candidate beside the baseline, score against cost."""
    scores = result.metrics.filter(pl.col("metric") == (metric or result.metrics["metric"][0]))
    costs = result.behaviour.filter(pl.col("metric") == "cost_usd")
    both = scores.join(costs, on="candidate_run", suffix="_cost", maintain_order="left")
    if not both.height:
        return note("No cost is known: add [prices] to lab.toml to see score against cost.")
    share, metric, short = scores["share"][0], scores["metric"][0], labels(result)
    told = [
        f"{short[run] if len(short) > 1 else 'The candidate'} costs "
        f"{times(ratio)} as much, {metric}: {moved}"
        for run, ratio, moved in both.select("candidate_run", "ratio", "moved").rows()
    ]
    title = "; ".join(told[:2]) + (f"; {len(told) - 2} more" if len(told) > 2 else "")
    up = "Up" if scores["direction"][0] > 0 else "Down"
    subtitle = f"{up} is better, left is cheaper; lines: 95 % intervals of the difference"
    looks = alt.Scale(domain=list(SIDES), range=[BASELINE, CANDIDATE])
    shapes = alt.Scale(domain=list(SIDES), range=["circle", "diamond"])
    wide, few = alt.Scale(zero=False, padding=36), alt.Axis(tickCount=6)
    # a metric's name in a title would become part of an expression
    price, score = "US dollars for 1,000 answers", f"score{', %' if share else ''}"
    x = alt.X("x:Q", title=price, scale=wide, axis=few)
    y = alt.Y("y:Q", title=score, scale=wide)
    shown = (alt.Tooltip(k, title=t, format=".3~g") for k, t in (("x", price), ("y", score)))
    named = alt.Chart(_points(both, short)).encode(x=x, y=y)
    base = named.encode(color=alt.Color("side:N", scale=looks, legend=None))
    brush = alt.selection_interval(name="brush")
    several = both.height > 1  # of more than two points, some can be picked out
    if several:
        seen = alt.condition(brush, alt.value(1), alt.value(0.15))
        named, base = (chart.encode(opacity=seen) for chart in (named, base))
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        shape=alt.Shape("side:N", scale=shapes, legend=None), tooltip=["name", *shown]
    )
    layers = [
        base.mark_rule(strokeWidth=2).encode(y="y_low:Q", y2="y_high:Q"),
        base.mark_rule(strokeWidth=2).encode(x="x_low:Q", x2="x_high:Q"),
        points.add_params(brush) if several else points,
        named.mark_text(align="left", dx=9, dy=-9).encode(text="name:N"),
    ]
    return alt.layer(*layers, width="container", title=alt.TitleParams(title, subtitle=subtitle))


def _points(both: pl.DataFrame, short: dict[str, str]) -> pl.DataFrame:
    """A row a run in display units; the baseline is the reference and has no interval."""
    share = bool(both["share"][0])
    ends = {f"y_{end}": pl.col("baseline") + pl.col(end) for end in LIMITS}
    if share:
        ends = {name: end.clip(0, 1) for name, end in ends.items()}
    ends |= {f"x_{end}": pl.col("baseline_cost") + pl.col(f"{end}_cost") for end in LIMITS}
    name, side = pl.col("candidate_run").replace(short), pl.lit("candidate")
    runs = both.select(x="candidate_cost", y="candidate", name=name, side=side, **ends)
    first = both.head(1).select(x="baseline_cost", y="baseline", name=pl.lit(SIDES[0]))
    points = pl.concat([first.with_columns(side="name"), runs], how="diagonal")
    return points.with_columns(pl.col("^x.*$") * 1000, pl.col("^y.*$") * (100 if share else 1))


def flips(result: Comparison, metrics: Iterable[str] | None = None) -> Cases:
    """The questions whose score turned, lost ones first, with the words that differ marked."""
    turned = result.flips if metrics is None else _of(result.flips, metrics)
    down = (pl.col("difference") * pl.col("direction") < 0).any()
    key = ["candidate_run", "sample_id"]
    cases = (
        turned.group_by(key, maintain_order=True)
        .agg(pl.all(), lost=down)
        .sort("lost", descending=True, maintain_order=True)
    )
    lost, gained = cases.filter("lost"), cases.filter(~pl.col("lost"))
    if not cases.height:
        return note("No question turned.")
    short = labels(result)
    shown = pl.concat([lost.head(MOST), gained.head(MOST)])
    told = f"{lost.height} questions lost, {gained.height} gained; the largest change first"
    return Cases(told, [_flip(row, short) for row in shown.to_dicts()], cases.height)


def _of(frame: pl.DataFrame, metrics: Iterable[str]) -> pl.DataFrame:
    return frame.filter(pl.col("metric").is_in(list(metrics)))


def _flip(row: Row, short: dict[str, str]) -> Case:
    """One question with every score of it that turned."""
    which = f"{short[row['candidate_run']]}, " if len(short) > 1 else ""
    names = ("metric", *SIDES, "share")
    scores = [{name: row[name][i] for name in names} for i in range(len(row["metric"]))]
    turned = ", ".join(f"{score['metric']} {_ends(score)}" for score in scores)
    return case(
        f"{row['sample_id']}: {which}{turned}",
        "lost" if row["lost"] else "gained",
        {"asked": row["input"][0], "wanted": row["target"][0]},
        *(row[f"{side}_output"][0] for side in SIDES),
    )


def answers(result: Comparison) -> Picture:
    """How often each short answer or label is given, candidate less baseline."""
    if not result.answers.height:
        return note("The answers are free text: there is no distribution of them to compare.")
    found, more = _most(result.answers, pl.col("p_adjusted"))
    named = found.with_columns(
        name=names(result, "answer"), share=pl.lit(True), moved=pl.lit("candidate")
    )
    clear = named.filter(pl.col("p_adjusted") < 0.05).to_dicts()
    told = [f"“{row['name']}”: {_ends(row)}" for row in clear[:2]]
    return intervals(
        _rows(named),
        "; ".join(told) or "No answer is clearly given more or less often than before",
        f"How often each answer is given; line: 95 % interval of the difference{more}",
        axis=_axis(named),
        states=PLAIN,
    )
