"""The verdict of a comparison, in words a person can repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from aiops_lab.stats.paired import Paired, questions_needed
from aiops_lab.verdict import Evidence, Status, Verdict
from aiops_lab.wording import change, figure, interval, is_share, listing, times

CLEAR = 0.05


@dataclass(frozen=True)
class Finding:
    """One metric (or slice of one) and what became of it."""

    row: dict[str, Any]
    status: Status
    limit: float | None = None

    @property
    def share(self) -> bool:
        return is_share((self.row["baseline"], self.row["candidate"]))

    def told(self) -> str:
        """From, to, difference, interval, limit."""
        row, share = self.row, self.share
        text = (
            f"{figure(row['baseline'], share=share)} to {figure(row['candidate'], share=share)}, "
            f"{_brief(self)}"
        )
        if self.limit is not None:
            text += f", limit {change(self.limit, share=share, sign=False)}"
        return text


def verdict(
    metrics: pl.DataFrame,
    slices: pl.DataFrame,
    behaviour: pl.DataFrame,
    checks: pl.DataFrame,
    margin: float | None,
) -> Verdict:
    """One verdict over all metrics.

    Without a margin a slice that clearly lost makes it warn: a collapse can hide in a mean that
    did not move.
    """
    found = [_finding(row, margin) for row in metrics.to_dicts()]
    worst = _worst(found)
    moved = _moved(slices, found)
    lost = [f for f in moved if f.status == "warn"]
    blocked = checks.filter(pl.col("status") == "inconclusive")["detail"].to_list()
    status: Status = worst.status
    if blocked:
        status = "inconclusive"
    elif margin is None and lost:
        status = "warn"
    return Verdict(
        status,
        f"These runs cannot be compared: {blocked[0]}."
        if blocked
        else _headline(found, worst, moved),
        tuple(_evidence(f) for f in found),
        _next(status, worst, lost, behaviour, blocked),
    )


def _finding(row: dict[str, Any], margin: float | None) -> Finding:
    direction = row["direction"]
    ends = sorted(direction * end for end in (row["low"], row["high"]) if end is not None)
    status: Status = "inconclusive"
    if margin is not None and ends:
        status = "ok" if ends[0] > -margin else "fail" if ends[1] < -margin else "inconclusive"
    elif margin is None and _clear(row, ends):
        status = "ok" if direction * row["difference"] > 0 else "warn"
    return Finding(row, status, None if margin is None else -direction * margin)


def _clear(row: dict[str, Any], ends: list[float]) -> bool:
    """Whether a change is clear: after correction, or by the exact bound where all moved alike."""
    if row["p_adjusted"] is not None:
        return row["p_adjusted"] < CLEAR
    return bool(ends) and (ends[0] > 0 or ends[1] < 0)


def _worst(found: list[Finding]) -> Finding:
    """The metric that decides: a loss first, then (with a margin) what is open, then a gain."""
    with_margin = ("fail", "inconclusive", "ok")
    order = with_margin if found[0].limit is not None else ("warn", "ok", "inconclusive")
    return min(found, key=lambda f: order.index(f.status))


def _moved(slices: pl.DataFrame, found: list[Finding]) -> list[Finding]:
    """Slices that clearly moved otherwise than their metric did, the clearest first."""
    overall = {f.row["metric"]: f for f in found}
    rows = slices.filter(pl.col("p_adjusted") < CLEAR).sort("p_adjusted").to_dicts()
    judged = [_finding(row, None) for row in rows]
    settled = [_finding(f.row, None).status for f in found]
    known = dict(zip(overall, settled, strict=True))
    return [f for f in judged if f.status != known[f.row["metric"]]]


def _evidence(finding: Finding) -> Evidence:
    row = finding.row
    return Evidence(
        row["metric"], row["difference"], row["low"], row["high"], finding.limit, finding.status
    )


def _headline(found: list[Finding], worst: Finding, moved: list[Finding]) -> str:
    """The loss that matters most first, then the whole, then what else moved."""
    lost = [f for f in moved if f.status == "warn"]
    gained = [f for f in moved if f.status == "ok"]
    others = [f for f in found if f is not worst and f.status in ("ok", "warn")]
    if worst.limit is None and worst.status != "warn" and lost:
        whole = next(f for f in found if f.row["metric"] == lost[0].row["metric"])
        others = [f for f in found if f is not whole and f.status == "ok"]
        parts = [f"{_slice_name(lost[0])} got worse: {lost[0].told()}", f"overall {_brief(whole)}"]
        lost = lost[1:]
    else:
        parts = [_sentence(worst)]
    parts += [f"{_slice_name(f)} {_brief(f)}" for f in [*lost[:1], *gained[:1]]]
    if worst.limit is None:
        parts += [f"{f.row['metric']} {_brief(f)}" for f in others[:1]]
    return "; ".join(parts) + "."


def _sentence(finding: Finding) -> str:
    name, told = finding.row["metric"], finding.told()
    match finding.status:
        case "fail":
            return f"{name} got worse by more than is accepted: {told}"
        case "warn":
            return f"{name} got worse: {told}"
        case "ok" if finding.limit is not None:
            return f"No metric lost more than is accepted; {name}: {told}"
        case "ok":
            return f"{name} got better: {told}"
    return f"Cannot tell whether {name} changed: {told}"


def _brief(finding: Finding) -> str:
    row, share = finding.row, finding.share
    return (
        f"{change(row['difference'], share=share)} {interval(row['low'], row['high'], share=share)}"
    )


def _slice_name(finding: Finding) -> str:
    return f"{finding.row['metric']} in {finding.row['by']} {finding.row['slice']}"


def _next(
    status: Status,
    worst: Finding,
    lost: list[Finding],
    behaviour: pl.DataFrame,
    blocked: list[str],
) -> str:
    price = _price(behaviour)
    if blocked:
        return "Run both over the same questions with the same targets, then compare again."
    if status in ("warn", "fail"):
        where = f" Start with {_slice_name(lost[0])}." if lost else ""
        return f"Do not release yet: read the questions whose score turned.{where}{price}"
    if status == "ok":
        return f"Nothing here speaks against a release.{price}"
    row = worst.row
    seen = Paired(**{k: row[k] for k in Paired.__dataclass_fields__})
    effect = worst.limit if worst.limit else row["difference"]
    needed = questions_needed(seen, effect or 0.0)
    if needed is None:
        return f"Ask more questions: {row['n']} that all moved alike leave too much open.{price}"
    more = max(0, needed - row["n"])
    if not more:
        return f"Run it again: the same number of questions should settle it.{price}"
    what = "a loss of the margin" if worst.limit else "a change of the size seen"
    about = figure(more, digits=2)
    return f"About {about} more questions would settle {what} (now {row['n']}).{price}"


def _price(behaviour: pl.DataFrame) -> str:
    """What the change does to tokens, where it is large and certain."""
    rows = behaviour.filter(
        pl.col("metric").is_in(["tokens_out", "cost_usd", "latency_s"])
        & ((pl.col("ratio_low") > 1.1) | (pl.col("ratio_high") < 0.9))
    )
    names = {"tokens_out": "output tokens", "cost_usd": "cost", "latency_s": "latency"}
    told = [f"{names[metric]} {times(by)}" for metric, by in rows.select("metric", "ratio").rows()]
    return f" Note {listing(told)} as before." if told else ""
