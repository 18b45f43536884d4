"""What an event says in a sentence, and what all of them say together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.watch.tails import ENDING
from aiops_lab.watch.words import WHOLE, anew
from aiops_lab.wording import day_words, figure, interval, listing

LABELS = {
    "refusal": "Refusals", "yaml_valid": "Valid YAML", "json_valid": "Valid JSON",
    "yaml_repaired": "YAML repaired", "json_repaired": "JSON repaired",
    "yaml_defect": "YAML defects", "json_defect": "JSON defects",
    "refusal_learned": "Refusals by the own detector",
    "refusal_disagreement": "Disagreement about refusals",
    "truncated": "Truncated answers", "tool_error": "Tool errors", "parse_error": "Parse errors",
    "error": "Errors", "incomplete": "Requests without a root", "words": "Length in words",
    "tokens_in": "Tokens in", "tokens_out": "Tokens out", "latency_s": "Latency in seconds",
    "cost_usd": "Cost in dollars", "retrieval_score": "Retrieval score",
}  # fmt: skip


def label(metric: str) -> str:
    """What a metric is called in a sentence."""
    if metric.endswith(ENDING):
        return f"{label(metric.removesuffix(ENDING))} above its first p95"
    name, of, part = metric.partition(": ")
    return LABELS.get(name, name.replace("_", " ").capitalize()) + of + part


def moved(row: Mapping[str, Any]) -> str:
    """An alarm in words: what, how much, since when, where."""
    verb = "rose" if row["direction"] == "up" else "fell"
    slowly = " slowly" if row["gradual"] else ""
    before, after = (figure(row[side], share=row["share"]) for side in ("before", "after"))
    low, high = row["since_low"], row["since_high"]
    span = "" if low == high else f" ({day_words(low, high.year)} to {day_words(high)})"
    where = "" if row["slice"] in WHOLE else f", in {row['slice'].replace('=', ' ', 1)}"
    size = interval(row["low"], row["high"], share=row["share"])
    unit = " points" if row["share"] else ""
    return (f"{label(row['metric'])} {verb}{slowly} from {before} to {after} {size[:-1]}{unit}) "
            f"since {day_words(row['since'])}{span}{where}")  # fmt: skip


def _within(name: str) -> str:
    """A name inside of a sentence: small, unless it is an abbreviation."""
    return name if name[:2].isupper() else name[:1].lower() + name[1:]


def event_words(
    first: Mapping[str, Any], own: pl.DataFrame, beside: str | None, mix: str | None
) -> str:
    """One event: its clearest alarm, what moved with it, and what it stands beside."""
    others = [_within(label(name)) for name in own["metric"].unique(maintain_order=True)
              if name != first["metric"]]  # fmt: skip
    told = moved(first) + (f"; with it {listing(others)}" if others else "")
    if mix is not None:
        return f"{told}: the mix of requests changed, {mix}; no slice itself shifted."
    if beside is None:
        return (f"{told}. Nobody here changed anything then: suspect the provider, the documents "
                "or the users.")  # fmt: skip
    return f"{told}. Beside it: {beside}."


def verdict_of_events(events: pl.DataFrame, alarms: pl.DataFrame, still: Verdict) -> Verdict:
    """What all events come to; where there are none, what the detectors say."""
    if not events.height:
        return still
    rows = events.sort("since", "day", descending=True).to_dicts()
    shifted = [row for row in rows if row["kind"] == "shift"] or rows
    first = shifted[0]
    more = len(rows) - 1
    headline = first["headline"]
    if more:
        earliest = day_words(min(row["since"] for row in rows))
        headline += f" {more} more event{'s' if more > 1 else ''} since {earliest}."
    where = "every step" if first["step"] == "any" else f"the {first['step']} step"
    step = f"Look at {where} of requests since {day_words(first['since'])}"
    meant = anew(first["metric"], first["slice"], first["since"])
    step += f"; {meant}" if first["kind"] == "shift" else "."
    evidence = tuple(
        Evidence(f"{row['metric']} in {row['slice']}", row["after"] - row["before"], row["low"],
                 row["high"], None, "warn", row["share"])
        for row in alarms.to_dicts()
    )  # fmt: skip
    return Verdict("warn", headline, evidence, step)
