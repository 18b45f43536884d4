"""What a retrieval experiment says in a sentence."""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.stats.power import questions_needed
from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import change, figure, interval, listing


def verdict_of(
    known: pl.DataFrame, pairs: pl.DataFrame, checks: pl.DataFrame, settings: dict[str, Any]
) -> Verdict:
    """One sentence: which configuration finds most, or which cannot be told apart."""
    unit = settings["unit"]
    by_context = settings["context"] is not None
    column = "at_context" if by_context else "recall"
    low, high = ("at_context_low", "at_context_high") if by_context else ("low", "high")
    within = f"within {figure(settings['context'])} {unit}" if by_context else _within(settings)
    rows = [
        row for row in known.sort(column, descending=True, nulls_last=True).to_dicts()
        if row[column] is not None
    ]  # fmt: skip
    silent = list(checks.filter(pl.col("status") == "inconclusive")["detail"])
    if not rows:
        return _by_documents(known, silent, checks)
    evidence = tuple(
        Evidence(row["experiment_id"], row[column], row[low], row[high], share=True) for row in rows
    )
    first = rows[0]
    told = f"{figure(first[column], share=True)} of the gold {within}"
    told += f" {interval(first[low], first[high], share=True)}"
    if silent:
        step = "Mend that first, then run it again."
        return Verdict("inconclusive", f"These cannot be compared: {silent[0]}.", evidence, step)
    if settings["baseline"] is not None and len(rows) > 1:
        return _against(rows, column, pairs, settings, within, evidence)
    if len(rows) == 1:
        step = "Compare it with another configuration before calling it good."
        return Verdict("ok", f"{first['experiment_id']} finds {told}.", evidence, step)
    return _best(rows, pairs, told, evidence)


def _within(settings: dict[str, Any]) -> str:
    match settings["k"]:
        case None:
            return "in all hits"
        case -1:
            return "in as many hits as touch gold"
    return f"in {settings['k']} hits"


def _by_documents(known: pl.DataFrame, silent: list[str], checks: pl.DataFrame) -> Verdict:
    """Without a span of gold: what whole documents say, or that nothing was evaluated."""
    rows = known.drop_nulls("mrr").sort("ndcg@10", descending=True).to_dicts()
    if not rows or silent:
        why = (
            silent[0]
            if silent
            else listing(checks.filter(pl.col("status") != "ok")["detail"])
            or "no question has gold"
        )
        step = "Give questions whose gold lies in the corpus."
        return Verdict("inconclusive", f"Nothing was evaluated: {why}.", (), step)
    first = rows[0]
    evidence = tuple(Evidence(row["experiment_id"], row["ndcg@10"]) for row in rows)
    headline = f"By whole documents {first['experiment_id']} has nDCG@10 {first['ndcg@10']:.3f}"
    headline += f" over {known['experiment_id'].len()} rankings; spans of gold were not given."
    return Verdict("ok", headline, evidence, "Mark gold spans to see what passages come back.")


def _pair(pairs: pl.DataFrame, one: str, two: str) -> dict[str, Any]:
    """The pair's difference, of the first less the second."""
    row = pairs.filter(
        pl.col("experiment_id").is_in([one, two]) & pl.col("other").is_in([one, two])
    ).row(0, named=True)
    if row["experiment_id"] == one:
        return row
    turned = {"difference": -row["difference"]}
    if row["low"] is not None:
        turned |= {"low": -row["high"], "high": -row["low"]}
    return {**row, **turned}


def _best(
    rows: list[dict[str, Any]], pairs: pl.DataFrame, told: str, evidence: tuple[Evidence, ...]
) -> Verdict:
    first, *others = rows
    found = {o["experiment_id"]: _pair(pairs, first["experiment_id"], o["experiment_id"])
             for o in others}  # fmt: skip
    rivals = [o for o in others if o["may_be_best"]]
    name = first["experiment_id"]
    if not rivals:
        next_pair = found[others[0]["experiment_id"]]
        ahead = f"{change(next_pair['difference'], share=True)} ahead of "
        ahead += f"{others[0]['experiment_id']} "
        ahead += interval(next_pair["low"], next_pair["high"], share=True)
        return Verdict("ok", f"{name} finds most: {told}, {ahead}.", evidence, f"Take {name}.")
    worse = len(others) - len(rivals)
    names = listing(row["experiment_id"] for row in [first, *rivals])
    headline = f"Cannot tell which of {names} finds most: the first has {told}"
    rest = "1 other finds less" if worse == 1 else f"{worse} others find less"
    headline += f"; {rest}." if worse else "."
    pair = found[rivals[0]["experiment_id"]]
    step = f"Take any of the {len(rivals) + 1}"
    fewest = min([first, *rivals], key=lambda row: (row["chunks"], row["experiment_id"]))
    step += f"; {fewest['experiment_id']} has the smallest index."
    if more := _more(pair, first["n"]):
        step += f" To tell the first two apart (now {first['n']}): about {more} more questions"
        step += " if the difference seen is true."
    return Verdict("inconclusive", headline, evidence, step)


def _more(pair: dict[str, Any], n: int) -> str | None:
    needed = questions_needed(pair["standard_error"], n, pair["difference"]) if n > 1 else None
    return None if needed is None else figure(max(needed - n, 1), digits=2)


def _against(
    rows: list[dict[str, Any]], column: str, pairs: pl.DataFrame, settings: dict[str, Any],
    within: str, evidence: tuple[Evidence, ...],
) -> Verdict:  # fmt: skip
    base = settings["baseline"]
    others = [row for row in rows if row["experiment_id"] != base]
    own = next((row for row in rows if row["experiment_id"] == base), None)
    if own is None or not others:
        step = "Give the baseline questions with gold."
        return Verdict("inconclusive", f"{base} has no figure to compare with.", evidence, step)
    found = {o["experiment_id"]: _pair(pairs, o["experiment_id"], base) for o in others}
    better = [
        o for o in others if (p := found[o["experiment_id"]])["clear"] and p["difference"] > 0
    ]
    worse = [o for o in others if (p := found[o["experiment_id"]])["clear"] and p["difference"] < 0]
    of = (better or others)[0]["experiment_id"]
    pair = found[of]
    told = f"{change(pair['difference'], share=True)} "
    told += interval(pair["low"], pair["high"], share=True)
    if better:
        headline = f"{of} finds more of the gold {within} than {base}: {told}."
        return Verdict("ok", headline, evidence, f"Take {of}.")
    if len(worse) == len(others):
        headline = f"Nothing finds as much of the gold {within} as {base}: {of} {told}."
        return Verdict("warn", headline, evidence, f"Keep {base}.")
    step = "Ask more questions."
    if more := _more(pair, own["n"]):
        step = f"Now {own['n']} questions; about {more} more would settle it if the difference"
        step += " seen is true."
    headline = f"Cannot tell whether {of} finds more of the gold {within} than {base}: {told}."
    return Verdict("inconclusive", headline, evidence, step)
