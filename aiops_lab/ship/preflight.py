"""May two runs be compared? Checked before any figure is believed."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from aiops_lab.frames import CACHED, Evals
from aiops_lab.ship.changes import settings
from aiops_lab.tables import schema_of
from aiops_lab.wording import figure, listing

ENOUGH_MATCHED = 0.5
"""Below this share of matched questions the comparison answers another question."""
WELL_MATCHED = 0.95
MANY_LOST, TOO_MANY_LOST = 0.02, 0.2
"""Shares of answers without a score from which a comparison is doubtful, and cannot be made."""
OTHER_SCALE = 5
"""Scores of so much are no shares."""
FAR_APART = 7
"""Days between two runs after which a provider may have changed under them."""
ALIKE, ENOUGH_ANSWERS, A_LABEL = 0.9, 10, 30
"""One text in this share of at least so many answers is suspect; shorter ones may be labels."""
EACH_CLASS = 10
"""A short answer given so often, on average, is one of a few classes."""
PROBED = 500
"""Answers that are looked at first; only where they are alike, all are."""
FILLERS, FILLERS_AND_NUMBERS = r"[\s\p{P}]+", r"[\s\d\p{P}]+"
SAMPLING = ("limit", "shuffle", "shuffled", "sample_shuffle", "sample_id", "num_fewshot", "seed")
"""Settings that decide which questions are asked, and how."""
SCHEMA = schema_of("check status detail")


def preflight(data: Evals, baseline: str, candidate: str) -> pl.DataFrame:
    """A row a check: check, status (ok, warn or inconclusive), detail."""
    if baseline == candidate:
        row = "two runs", "inconclusive", f"both are {baseline}"
        return pl.DataFrame([row], schema=SCHEMA, orient="row")
    rows = [
        _matched(data, baseline, candidate),
        _task(data),
        *_unchanged(data, baseline, candidate),
        *_same(data, baseline, candidate),
        *_same_scale(data),
        _finished(data),
        _shared(data),
        *_lost(data),
        _epochs(data),
        _settings(data),
        _days(data),
        *_cached(data),
        *_one_answer(data),
        _copied(data, baseline, candidate),
        *([("rows read", "warn", f"left out: {listing(data.unread)}")] if data.unread else []),
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def way_on(checks: pl.DataFrame, usual: str) -> str:
    """What to do about runs that cannot be compared."""
    alone = "two runs" in checks["check"]
    return "Ingest another run of its questions, or name another baseline." if alone else usual


def _matched(data: Evals, baseline: str, candidate: str) -> tuple[str, str, str]:
    ids = [
        data.samples.filter(pl.col("run_id") == run).select("sample_id").unique()
        for run in (baseline, candidate)
    ]
    both = ids[0].join(ids[1], on="sample_id", how="semi").height
    either = ids[0].height + ids[1].height - both
    share = both / either if either else 0.0
    status = (
        "ok" if share >= WELL_MATCHED else "warn" if share >= ENOUGH_MATCHED else "inconclusive"
    )
    detail = f"{both} of {either} questions were answered by both runs"
    return "same questions", status, detail


def _task(data: Evals) -> tuple[str, str, str]:
    """Under the same ids two tasks may ask different questions."""
    tasks = data.runs["task"].drop_nulls().unique(maintain_order=True).to_list()
    if data.runs["task"].null_count():
        return "same task", "ok", "not known: a log names no task"
    if len(tasks) == 1:
        return "same task", "ok", f"both {tasks[0]}"
    asked = data.samples.group_by("run_id").agg(pl.col("input_digest").count())["input_digest"]
    told = f"the runs are of different tasks: {listing(tasks)}"
    return "same task", "warn" if all(asked) else "inconclusive", told


def _unchanged(data: Evals, baseline: str, candidate: str) -> Iterator[tuple[str, str, str]]:
    """The same id must mean the same question and the same target."""
    first = data.samples.sort("epoch").unique(["run_id", "sample_id"], keep="first")
    left = first.filter(pl.col("run_id") == baseline)
    both = left.join(first.filter(pl.col("run_id") == candidate), on="sample_id", suffix="_then")
    for what, column in (
        ("input", "input_digest"),
        ("target", "target_digest"),
    ):
        known = both.drop_nulls([column, f"{column}_then"])
        changed = known.filter(pl.col(column) != pl.col(f"{column}_then")).height
        if not known.height:
            yield f"same {what}s", "ok", f"not known: the log keeps no {what}s"
        else:
            detail = f"{changed} of {known.height} {what}s changed under the same id"
            many = changed > (1 - ENOUGH_MATCHED) * known.height
            yield f"same {what}s", "inconclusive" if many else "warn" if changed else "ok", detail
    known = both.drop_nulls(["prompt_digest", "prompt_digest_then"])
    changed = known.filter(pl.col("prompt_digest") != pl.col("prompt_digest_then")).height
    detail = f"{changed} of {known.height} prompts changed under the same id"
    if not known.height:
        yield "same prompts", "ok", "not known: the log keeps no prompts"
    elif changed in (0, known.height):  # all of them: that is the change that is compared
        yield "same prompts", "ok", detail
    else:
        yield "same prompts", "warn", f"{detail}, the others did not"


def _same(data: Evals, baseline: str, candidate: str) -> Iterator[tuple[str, str, str]]:
    asked = data.samples.filter(pl.col("run_id") == baseline).select("sample_id", "input_digest")
    known = bool(asked.height) and asked["input_digest"].null_count() == 0
    for what, column in (("scorers", "scorer_version"), ("dataset", "dataset_version")):
        versions = data.runs[column].drop_nulls().unique(maintain_order=True).to_list()
        if data.runs[column].null_count():
            judges = _judges(data, baseline, candidate) if what == "scorers" else []
            told = judges[0] if judges else f"not known: a log names no {what}"
            yield f"same {what}", "warn" if judges else "ok", told
        elif len(versions) > 1:  # of the same inputs, another version of the dataset is only a name
            status = "inconclusive" if what == "dataset" and not known else "warn"
            yield f"same {what}", status, f"the {what} differ: {listing(versions)}"
        else:
            yield f"same {what}", "ok", f"both {versions[0]}"


def _judges(data: Evals, baseline: str, candidate: str) -> list[str]:
    """Scores that something else gave in each run."""
    own = data.scores.drop_nulls("value").group_by("metric", "run_id", maintain_order=True)
    by = own.agg(pl.col(kind).drop_nulls().unique().sort() for kind in ("scorer", "scorer_kind"))
    left, right = (by.filter(pl.col("run_id") == run) for run in (baseline, candidate))
    both = left.join(right, on="metric", maintain_order="left")
    return [
        f"{row['metric']} was scored by {listing(row[kind])}, then by {listing(row[other])}"
        for row in both.to_dicts()
        for kind in ("scorer", "scorer_kind")
        if (other := f"{kind}_right") and row[kind] and row[other] and row[kind] != row[other]
    ]


def _same_scale(data: Evals) -> Iterator[tuple[str, str, str]]:
    """Shares beside scores that go up to 100: one name for two things."""
    tops = (
        data.scores.drop_nulls("value")
        .group_by("metric", maintain_order=True)
        .agg(
            least=pl.col("value").filter(pl.col("run_id") == data.run_ids[0]).max(),
            most=pl.col("value").filter(pl.col("run_id") == data.run_ids[-1]).max(),
        )
    )
    for metric, *ends in tops.drop_nulls().iter_rows():
        if min(ends) <= 1 and max(ends) >= OTHER_SCALE:
            told = (
                f"{metric} goes up to {figure(ends[0])} in one run, {figure(ends[1])} in the other"
            )
            yield "same scale", "inconclusive", told


def _finished(data: Evals) -> tuple[str, str, str]:
    states = data.runs.filter(pl.col("status").fill_null("success") != "success")
    if not states.height:
        return "both finished", "ok", "no log says otherwise"
    told = listing(f"{run} is {status}" for run, status in states.select("run_id", "status").rows())
    return "both finished", "warn", told


def _lost(data: Evals) -> Iterator[tuple[str, str, str]]:
    """Answers that failed or that no scorer judged are missing from every figure: how many?"""
    for side, run in zip(("baseline", "candidate"), data.run_ids, strict=True):
        answers = data.samples.filter(pl.col("run_id") == run).select("sample_id", "epoch", "error")
        scored = data.scores.filter(pl.col("run_id") == run).drop_nulls("value")
        judged = answers.join(scored, on=["sample_id", "epoch"], how="semi").height
        failed, n = answers["error"].count(), max(answers.height, 1)
        lost = 1 - judged / n
        status = "ok" if lost <= MANY_LOST else "warn" if lost <= TOO_MANY_LOST else "inconclusive"
        yield (
            f"{side} scored",
            status,
            f"{answers.height - judged} of {answers.height} answers of the {side} have no score "
            f"({figure(lost, share=True)}); {failed} ended in an error",
        )


def _shared(data: Evals) -> tuple[str, str, str]:
    """Scores that only one run has cannot be compared."""
    scored = data.scores.drop_nulls("value")
    sides = [set(scored.filter(pl.col("run_id") == run)["metric"].unique()) for run in data.run_ids]
    alone = sorted(sides[0] ^ sides[1])
    if not alone:
        return "same scores", "ok", "both runs have the same scores"
    return "same scores", "warn", f"only one run has {listing(alone)}"


def _epochs(data: Evals) -> tuple[str, str, str]:
    counts = [
        data.samples.filter(pl.col("run_id") == run).group_by("sample_id").len()["len"].mean()
        for run in data.run_ids
    ]
    told = " and ".join(f"{count or 0:.3g}" for count in counts)
    if counts[0] == counts[1]:
        return "same epochs", "ok", f"{told} answers a question"
    return "same epochs", "warn", f"{told} answers a question"


def _settings(data: Evals) -> tuple[str, str, str]:
    """Limits, shuffling and examples decide which questions are asked; they must be the same."""
    configs = dict(data.runs.select("run_id", "config").iter_rows())
    if not all(configs.values()):
        return "same sampling", "ok", "not known: a log names no configuration"
    one, two = (settings(configs[run]) for run in data.run_ids)
    differ = [
        f"{name} ({one.get(name, 'none')}, {two.get(name, 'none')})"
        for name in sorted({*one, *two})
        if name.rsplit(".", 1)[-1] in SAMPLING and one.get(name) != two.get(name)
    ]
    if differ:
        return "same sampling", "warn", f"the settings differ: {listing(differ)}"
    return "same sampling", "ok", "limits, order and examples are the same where known"


def _days(data: Evals) -> tuple[str, str, str]:
    times = data.runs["started_at"].drop_nulls()
    if times.len() < len(data.run_ids):
        return "same days", "ok", "not known: a log names no time"
    apart = (times.max() - times.min()).total_seconds() / 86_400  # type: ignore
    told = f"{apart:,.0f} days lie between the runs" if apart >= 1 else "less than a day apart"
    if apart <= FAR_APART:
        return "same days", "ok", told
    return "same days", "warn", f"{told}: the provider may have changed meanwhile"


def _cached(data: Evals) -> Iterator[tuple[str, str, str]]:
    """Answers out of a cache say nothing of latency and cost."""
    cached = pl.col("metadata").str.contains(CACHED)
    for side, run in zip(("baseline", "candidate"), data.run_ids, strict=True):
        own = data.samples.filter(pl.col("run_id") == run)
        count = own.filter(cached).height
        if count:
            detail = f"{count} of {own.height} answers of the {side} came out of a cache"
            yield f"{side} fresh", "warn", f"{detail}: their latency and cost are left out"


def _one_answer(data: Evals) -> Iterator[tuple[str, str, str]]:
    """The same text over a whole run: a judge that is gamed, or a model that gives up."""
    for side, run in zip(("baseline", "candidate"), data.run_ids, strict=True):
        own = data.samples.filter(pl.col("run_id") == run).drop_nulls("output")
        if own["sample_id"].n_unique() < ENOUGH_ANSWERS:
            continue
        some = own["output"].gather_every(max(1, own.height // PROBED))
        if _most_given(some, FILLERS_AND_NUMBERS)[1] < (ALIKE - 0.1) * some.len():
            continue
        text, count = _most_given(own["output"], FILLERS)
        detail = f"{count} of {own.height} answers of the {side} are the same text"
        label = len(text) <= A_LABEL
        if count < ALIKE * own.height:
            text, count = _most_given(own["output"], FILLERS_AND_NUMBERS)
            asked = own["target"].drop_nulls()
            _, wanted = _most_given(asked, FILLERS_AND_NUMBERS) if asked.len() else ("", 0)
            if count < ALIKE * own.height or wanted >= ALIKE * own.height:  # numbers were wanted
                continue
            if len(text) <= A_LABEL and own["output"].n_unique() <= own.height / EACH_CLASS:
                continue  # "bin 3": classes that are called by numbers
            detail = f"{count} of {own.height} answers of the {side} differ in their numbers only"
            label = True
        yield f"{side} answers differ", "warn" if label else "inconclusive", detail


def _most_given(texts: pl.Series, passed_over: str) -> tuple[str, int]:
    """The text that is given most, and how often; case and what is passed over left out."""
    near = texts.str.to_lowercase().str.replace_all(passed_over, " ").str.strip_chars()
    return near.value_counts(sort=True).row(0)


def _copied(data: Evals, baseline: str, candidate: str) -> tuple[str, str, str]:
    texts = data.samples.select("run_id", "sample_id", "epoch", "output").drop_nulls("output")
    left = texts.filter(pl.col("run_id") == baseline)
    both = left.join(texts.filter(pl.col("run_id") == candidate), on=["sample_id", "epoch"])
    same = both.filter(pl.col("output") == pl.col("output_right"))
    detail = f"{same.height} of {both.height} answers are the baseline's word for word"
    long = same.filter(pl.col("output").str.len_chars() > A_LABEL).height
    if both.height >= ENOUGH_ANSWERS and long >= WELL_MATCHED * both.height:
        return "new answers", "warn", f"{detail}: was the candidate run at all?"
    return "new answers", "ok", detail if both.height else "not known: the log keeps no answers"
