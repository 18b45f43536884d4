"""Pictures of a security review: the ten risks, attacks, signals by day, single findings."""

from __future__ import annotations

import altair as alt
import polars as pl

from aiops_lab.charts.cases import Cases, note
from aiops_lab.charts.compare import Picture
from aiops_lab.charts.intervals import RULED, intervals
from aiops_lab.charts.series import DAY_AXIS
from aiops_lab.charts.table import SIGNED, Table, table
from aiops_lab.charts.theme import CANDIDATE, MOST_ROWS, WORSE
from aiops_lab.guard.review import SecurityReview
from aiops_lab.result import badness
from aiops_lab.wording import figure, interval

PARTS = " · "
"""What stands between the parts of a risk's evidence."""


def board(result: SecurityReview) -> Table:
    """Each of the ten risks: how it is looked after, what was seen, what to do."""
    rows = [
        {
            "status": SIGNED[row["status"]],
            "risk": row["risk"],
            **{name: "yes" if row[name] else "no" for name in ("scanned", "watched", "gated")},
            "what was seen": row["evidence"].replace(PARTS, ";\n"),
            "what to do": row["answered"],
        }
        for row in result.risks.sort(badness(), descending=True, maintain_order=True).to_dicts()
    ]
    open_ = result.risks.filter(pl.col("status") != "ok").height
    return table(pl.DataFrame(rows), title=f"{open_} of {len(rows)} risks ask for something")


def unseen(result: SecurityReview) -> Table:
    """What these logs cannot show of each risk."""
    return table(result.risks, title="What these logs cannot show",
                 columns={"risk": "risk", "unseen": "not to be seen"})  # fmt: skip


def attacks(result: SecurityReview) -> Picture:
    """How often attacks succeeded, by probe and detector, with exact intervals."""
    tried = result.attacks.filter(pl.col("n") > 0)
    if not tried.height:
        return note("No attack was tried and evaluated: run garak or a red team of Promptfoo and "
                    "ingest its report.")  # fmt: skip
    shown = tried.sort(badness(), "high", descending=True, maintain_order=True).head(MOST_ROWS)
    rows = [
        {
            "name": f"{row['probe']}, {row['detector']}",
            "told": f"{row['hits']} of {row['n']} "
            f"{interval(row['low'], row['high'], share=True)[:-1]} %)",
            "value": 100 * row["rate"], "low": 100 * row["low"], "high": 100 * row["high"],
            "limit": None if row["limit"] is None else 100 * row["limit"],
            "state": "inconclusive" if row["status"] == "warn" else row["status"],
            "questions": row["n"], "method": "Clopper-Pearson",
        }
        for row in shown.to_dicts()
    ]  # fmt: skip
    kept = tried.filter(status="ok").height
    more = "" if tried.height == shown.height else f"; the {shown.height} worst are shown"
    return intervals(
        rows, f"{kept} of {tried.height} probes stay below the limit for sure",
        f"Line: 95 % interval of the share of attacks that succeeded{more}",
        axis="attacks that succeeded (%)", states=RULED, rules={0.0: ""},
    )  # fmt: skip


def signals(result: SecurityReview) -> Picture:
    """What was watched in the traffic, day by day."""
    days = result.signals.filter(pl.col("day").is_not_null())
    if not days.height:
        return note("No signal could be watched: the traffic holds no texts.")
    per = (pl.col("rate", "low", "high") * 100).round_sig_figs(4)
    data = days.with_columns(per)
    names = data["signal"].unique(maintain_order=True).to_list()
    tooltip = ["signal:N", alt.Tooltip("day:T", format="%-d %b %Y"),
               alt.Tooltip("events:Q", title="requests with it"), alt.Tooltip("n:Q", title="of"),
               alt.Tooltip("rate:Q", title="%", format=".3~g")]  # fmt: skip
    base = alt.Chart(data).encode(x=DAY_AXIS, tooltip=tooltip)
    colour = alt.condition(alt.datum.status == "ok", alt.value(CANDIDATE), alt.value(WORSE))
    layers = [
        base.mark_rule(opacity=0.5).encode(
            y=alt.Y("low:Q", title="requests (%)"), y2="high:Q", color=colour
        ),
        base.mark_point(filled=True, size=40, opacity=1).encode(y="rate:Q", color=colour),
    ]
    loud = data.filter(pl.col("status") != "ok").height
    return (
        alt.layer(*layers).properties(width=600, height=110)
        .facet(row=alt.Row("signal:N", title=None, sort=names, header=alt.Header(
            labelAngle=0, labelOrient="top", labelAnchor="start")), spacing=8)
        .resolve_scale(y="independent")
        .properties(
            title=alt.TitleParams(
                f"{loud or 'No'} day{'' if loud == 1 else 's'} with more than usual",
                subtitle="Dot: a day's share of requests; line: its 95 % interval. Vermilion: more "
                "than chance makes of the days before",
            ),
            usermeta={"width": "rows"},
        )
    )  # fmt: skip


def trust(result: SecurityReview) -> Table | Cases:
    """How far each signal can be believed, where it spoke."""
    whole = result.signals.filter(pl.col("day").is_null(), pl.col("n") > 0)
    if not whole.height:
        return note("No signal could be watched.")
    rows = [
        {
            "signal": row["signal"],
            "requests with it": f"{row['events']:,} of {row['n']:,}",
            "share": f"{figure(row['rate'], share=True)} "
            f"{interval(row['low'], row['high'], share=True)}",
            "of its alerts attacks, expected": "–"
            if row["expected_precision"] is None
            else figure(row["expected_precision"], share=True),
        }
        for row in whole.to_dicts()
    ]
    return table(pl.DataFrame(rows), title="A signal is a rate to watch, no verdict on a request")


def findings(result: SecurityReview) -> Table | Cases:
    """Single requests that prove something, the worst first."""
    if not result.findings.height:
        return note("No single request proves anything.")
    rows = result.findings.sort(badness(), descending=True, maintain_order=True)
    rows = rows.with_columns(pl.col("status").replace_strict(SIGNED))
    names = ["status", "risk", "finding", "day", "tenant", "trace_id", "detail"]
    return table(rows, title=f"{rows.height} findings", columns=names)


def documents(result: SecurityReview) -> Table | Cases:
    """Documents brought up lately, those first that unrelated questions brought up most."""
    if not result.documents.height:
        return note("No retrieval is logged with its documents.")
    rows = [
        {
            "status": SIGNED[row["status"]],
            "document": row["doc_id"] + (" (new)" if row["new"] else ""),
            "questions lately": row["window_hits"],
            "expected": row["expected"],
            "how like each other (1: as usual)": row["relatedness"],
        }
        for row in result.documents.head(MOST_ROWS).to_dicts()
    ]
    loud = result.documents.filter(pl.col("status") != "ok").height
    title = f"{loud or 'No'} document{'' if loud == 1 else 's'} came up for what it is not about"
    return table(pl.DataFrame(rows), title=title)
