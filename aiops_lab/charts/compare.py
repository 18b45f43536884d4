"""Pictures of a comparison of runs."""

from __future__ import annotations

from typing import Any, TypeAlias

import altair as alt
import polars as pl

from aiops_lab.charts.cases import MOST, Case, Cases
from aiops_lab.charts.table import Table, table
from aiops_lab.charts.theme import BASELINE, BETTER, CANDIDATE, MOST_ROWS, WORSE
from aiops_lab.ship.compare import Comparison
from aiops_lab.wording import change, figure, interval, times

ROW_HEIGHT = 34
Picture: TypeAlias = alt.LayerChart | alt.FacetChart
STILL = "no clear change"
MOVES = ["better", STILL, "worse"]
MARKS = ["triangle-up", "circle", "square"]
BEHAVIOUR = {
    "tokens": "tokens",
    "tokens_in": "input tokens",
    "tokens_out": "output tokens",
    "cost_usd": "cost (US dollars)",
    "latency_s": "latency (seconds)",
    "error": "errors",
}


def summary(result: Comparison) -> Table:
    """At a glance: every score and what was used for it, with intervals."""
    rows = [_glance(row) for row in result.metrics.to_dicts()]
    rows += [_glance(row) for row in result.behaviour.to_dicts()]
    frame = pl.DataFrame(
        rows, schema=["what", "baseline", "candidate", "change", "questions", "how"]
    )
    return table(frame, title="At a glance: means over the questions that both runs answered")


def _glance(row: dict[str, Any]) -> dict[str, Any]:
    by_ratio = row.get("ratio") is not None
    share = row["share"]
    told = change(row["difference"], share=share)
    ends = interval(row["low"], row["high"], share=share)
    if by_ratio:
        told = times(row["ratio"])
        ends = interval(row["ratio_low"], row["ratio_high"], digits=3)
    return {
        "what": BEHAVIOUR.get(row["metric"], row["metric"]),
        "baseline": figure(row["baseline"], share=share),
        "candidate": figure(row["candidate"], share=share),
        "change": f"{told} {ends}",
        "questions": row["n"],
        "how": row["method"],
    }


def forest(result: Comparison) -> Picture:
    """Each score's difference with its 95 % interval and its limit, where a margin is given."""
    metrics = result.metrics
    # scores in other units than the first would need an axis of their own
    same = metrics.filter(pl.col("share") == metrics["share"][0])
    rows = _rows(same).with_columns(name="metric")
    clear = rows.filter(pl.col("moved") != STILL).height
    title = f"{clear or 'None'} of {rows.height} scores clearly changed"
    subtitle = "Dot: candidate less baseline; line: 95 % interval; coloured where a change is clear"
    if rest := metrics.height - same.height:
        subtitle += f"; {rest} in other units above"
    return _forest(rows, title=alt.TitleParams(title, subtitle=subtitle))


def slices(result: Comparison, metric: str | None = None) -> Picture:
    """Where the change comes from: the difference in every slice of one score."""
    metric = metric or _most_moved(result)
    found = result.slices.filter(pl.col("metric") == metric)
    ranked = found.sort("p_value", nulls_last=True, maintain_order=True)
    rows = _rows(ranked.head(MOST_ROWS)).with_columns(
        name=pl.format("{}: {} ({})", "by", "slice", "n")
    )
    lost, gained = (rows.filter(pl.col("moved") == word).height for word in ("worse", "better"))
    rest = max(0, ranked.height - MOST_ROWS)
    more = f"; {rest} more slices moved less" if rest else ""
    lost_told = f"{lost or 'no'} slice{'' if lost == 1 else 's'} lost"
    title = alt.TitleParams(
        f"{metric}: {lost_told}, {gained or 'none'} gained"
        if rows.height
        else "No slices to compare",
        subtitle=f"(number of questions); coloured where clear after correction{more}",
    )
    return _forest(rows, title=title)


def _most_moved(result: Comparison) -> str:
    """The score with the clearest slice that lost, else the clearest slice."""
    ranked = result.slices.drop_nulls("p_value").sort(
        pl.col("difference") * pl.col("direction") >= 0, "p_value"
    )
    return ranked["metric"][0] if ranked.height else result.metrics["metric"][0]


def _rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows in display units, with what a reader hovers over."""
    rows = []
    for row in frame.to_dicts():
        share = row["share"]
        numbers = ("difference", "low", "high", "limit")
        told = {
            "from": figure(row["baseline"], share=share),
            "to": figure(row["candidate"], share=share),
            "change": change(row["difference"], share=share),
            "interval": interval(row["low"], row["high"], share=share),
        }
        scale = 100 if share else 1
        shown = {k: None if row.get(k) is None else row[k] * scale for k in numbers}
        rows.append({**row, **shown, **told})
    texts = dict.fromkeys(("from", "to", "change", "interval"), pl.String)
    return pl.DataFrame(rows, schema={**frame.schema, "limit": pl.Float64, **texts})


def _forest(rows: pl.DataFrame, **chart: Any) -> Picture:
    share = bool(rows.height and rows["share"].all())
    title = f"candidate less baseline{', points' if share else ''}"
    texts = ("name", "from", "to", "change", "interval")
    tooltip = [*texts, alt.Tooltip("n", title="questions"), "method"]
    y = alt.Y("name:N", sort=None, title=None)
    colour = alt.Color("moved:N", scale=alt.Scale(domain=MOVES, range=[BETTER, BASELINE, WORSE]))
    shape = alt.Shape("moved:N", scale=alt.Scale(domain=MOVES, range=MARKS))
    shown = rows.select(*texts, "n", "method", "moved", "difference", "low", "high", "limit")
    base = alt.Chart(shown).encode(y=y, color=colour, tooltip=tooltip)
    lines = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(x="difference:Q", shape=shape)
    zero = alt.Chart(pl.DataFrame({"x": [0.0]})).mark_rule(color=BASELINE).encode(x="x:Q")
    layers: list[Any] = [zero, lines, dots]
    limits = shown.drop_nulls("limit")
    if limits.height:
        limit = alt.Chart(limits.select("name", "limit", text=pl.lit("limit"))).encode(
            x="limit:Q", y=y
        )
        layers.append(limit.mark_tick(thickness=2, size=26, color=WORSE, strokeDash=[4, 3]))
        layers.append(limit.mark_text(dy=-17, color=WORSE, fontSize=11).encode(text="text:N"))
    return alt.layer(*layers, width="container", height=max(3, rows.height) * ROW_HEIGHT, **chart)


def behaviour(result: Comparison) -> Picture:
    """Tokens, cost and latency as ratios to the baseline, with 95 % intervals."""
    rows = result.behaviour.drop_nulls("ratio_low").with_columns(
        name=pl.col("metric").replace(BEHAVIOUR),
        told=pl.format("{} times", pl.col("ratio").round(2)),
    )
    title = alt.TitleParams(
        "What the answers cost" if rows.height else "No tokens, cost or latency were logged",
        subtitle="Candidate divided by baseline (geometric means); line: 95 % interval",
    )
    x = alt.X("ratio_low:Q", title="times the baseline", scale=alt.Scale(zero=False, padding=20))
    y = alt.Y("name:N", sort=None, title=None)
    tooltip = ["name", alt.Tooltip("told", title="change"), alt.Tooltip("n", title="questions")]
    base = alt.Chart(rows.select("name", "ratio", "ratio_low", "ratio_high", "told", "n"))
    lines = base.mark_rule(strokeWidth=2.5, color=CANDIDATE).encode(x=x, x2="ratio_high:Q", y=y)
    dots = base.mark_point(filled=True, size=90, opacity=1, color=CANDIDATE).encode(
        x="ratio:Q", y=y, tooltip=tooltip
    )
    text = base.mark_text(dy=-13, color=CANDIDATE).encode(x="ratio:Q", y=y, text="told:N")
    one = alt.Chart(pl.DataFrame({"x": [1.0]})).mark_rule(color=BASELINE).encode(x="x:Q")
    height = max(2, rows.height) * 44
    return alt.layer(one, lines, dots, text).properties(
        width="container", height=height, title=title
    )


def flips(result: Comparison) -> Cases:
    """The questions whose score turned, the largest change first, with both answers."""
    lost = result.flips.filter(pl.col("difference") * pl.col("direction") < 0).height
    return Cases(
        title=f"{lost} lost, {result.flips.height - lost} gained; the largest change first",
        cases=[_case(row) for row in result.flips.head(MOST).to_dicts()],
        total=result.flips.height,
    )


def _case(row: dict[str, Any]) -> Case:
    share = row["share"]
    told = [figure(row[side], share=share) for side in ("baseline", "candidate")]
    texts = {"asked": row["input"], "wanted": row["target"]}
    return Case(
        title=f"{row['sample_id']}: {row['metric']} {told[0]} to {told[1]}",
        turned="lost" if row["difference"] * row["direction"] < 0 else "gained",
        texts={name: text for name, text in texts.items() if text},
        answers={
            side: row[f"{side}_output"] or "no text was logged"
            for side in ("baseline", "candidate")
        },
    )


def runs(result: Comparison) -> Table:
    """The two runs: what they were and where they came from."""
    order = [result.settings["baseline"], result.settings["candidate"]]
    rows = result.runs.with_columns(
        side=pl.col("run_id").replace_strict(
            dict(zip(order, ("baseline", "candidate"), strict=True))
        ),
        log=pl.col("source_uri").str.split("/").list.last(),
        sha256=pl.col("source_digest").str.head(12),
    ).sort("side")
    names = ("side", "run_id", "task", "model", "prompt_version", "started_at", "tags", "status")
    return table(rows, title="The runs compared (times in UTC)", columns=[*names, "log", "sha256"])
