"""Did the right passages come back, and whose way of finding them is better?"""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.result import Result
from aiops_lab.ship.rank import check_level
from aiops_lab.ship.retrieval.checks import Check, checks_of
from aiops_lab.ship.retrieval.configurations import (
    all_pairs,
    configurations,
    contexts,
    curves,
    documents,
    with_baseline,
)
from aiops_lab.ship.retrieval.coverage import Mode, Scene, per_question, scene
from aiops_lab.ship.retrieval.inputs import (
    QUARANTINE,
    Corpus,
    Questions,
    outside,
    read_corpus,
    read_questions,
)
from aiops_lab.ship.retrieval.losses import losses
from aiops_lab.ship.retrieval.words import verdict_of
from aiops_lab.sources.retrieval import FARTHEST, read_chunks, read_hits
from aiops_lab.verdict import Verdict


@dataclass(frozen=True)
class Retrieval(Result):
    """What came back, per configuration and per question; see `score_retrieval`.

    Attributes
    ----------
    verdict
        ok where only one configuration may be the best, else inconclusive; with a baseline whether
        any finds more than that.
    configurations
        A row an experiment: experiment_id, n (questions with gold), chunks, chunk_length (mean
        characters), recall with low and high, precision, iou and precision_omega with ``_low`` and
        ``_high`` (all at k hits), at_context with low and high (recall within the compared
        context), may_be_best (False where another surely finds more: with the chance of `level`
        the best is among the rest), context (mean characters at k), redundancy, distractors (share
        of hits without gold), cut (share of gold spans that no chunk holds whole), unseen (share
        of chunks behind the embedder's limit), and the measures of whole documents.
    per_question
        The same for each question, null where it has no gold.
    curve
        experiment_id, context, recall, low, high: recall when the context is cut off after so many
        characters (or tokens); only where the hits reach so far.
    pairs
        by (context or k), experiment_id, other, difference, standard_error, low, high
        (simultaneous), p_value, p_adjusted (Holm), clear.
    losses
        experiment_id, question_id, loss, characters: they add up to the gold.
    checks
        check, status, detail: what to know before believing this.
    questions, gold, chunks, hits
        What was scored; `corpus` holds the texts where they are known.
    quarantined
        place, reason: what could not be scored.
    settings
        All that is needed to do it again.
    """

    verdict: Verdict
    configurations: pl.DataFrame
    per_question: pl.DataFrame
    curve: pl.DataFrame
    pairs: pl.DataFrame
    losses: pl.DataFrame
    checks: pl.DataFrame
    questions: pl.DataFrame
    gold: pl.DataFrame
    chunks: pl.DataFrame
    hits: pl.DataFrame
    quarantined: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)
    corpus: Corpus | None = None


def score_retrieval(
    questions: Any,
    chunks: Any = None,
    hits: Any = None,
    *,
    mode: Mode = "strict",
    k: int | None = None,
    context: float | None = None,
    corpus: Any = None,
    baseline: str | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> Retrieval:
    """Score what any system retrieved against gold spans or gold documents.

    Parameters
    ----------
    questions
        question_id, text and gold (spans, quotes or whole documents), or TREC qrels; see
        `aiops_lab.ship.retrieval.inputs.read_questions`.
    chunks
        experiment_id, chunk_id, doc_id, start, end (characters, half-open); optional ``tokens`` (a
        chunk's cost, then contexts are in tokens) and ``seen`` (so many of its characters the
        embedder read). None where hits name whole documents.
    hits
        experiment_id, question_id, rank, chunk_id, score, or a TREC run.
    mode
        ``strict``, or ``chroma``: bit-compatible with `chunking_evaluation`.
    k
        So many hits count for the figures at k; all if None. In mode ``chroma`` -1 counts as many
        as touch gold.
    context
        Configurations are compared by recall within so much context: by default 4,000, or less
        where not all reach so far.
    corpus
        The texts, to check and locate gold in, and to show.
    baseline
        The experiment that the others are held against; by default all against each other.
    cluster
        A column of the questions that belong together.
    level
        Coverage of intervals.

    Raises
    ------
    BadSource, BadSettings
        Something given cannot be read, or fits nothing.

    Examples
    --------
    >>> questions = [{"question_id": "q", "text": "?", "gold": [{"doc_id": "d", "start": 0,
    ...               "end": 10}]}]
    >>> chunks = [{"chunk_id": 0, "doc_id": "d", "start": 0, "end": 6},
    ...           {"chunk_id": 1, "doc_id": "d", "start": 6, "end": 12}]
    >>> hits = [{"question_id": "q", "rank": 1, "chunk_id": 1}]
    >>> found = score_retrieval(questions, chunks, hits)
    >>> found.configurations.select("recall", "precision", "precision_omega").row(0)
    (0.4, 0.6666666666666666, 0.8333333333333334)
    """
    k = check_settings(mode, k, context, level)
    texts = None if corpus is None else read_corpus(corpus)
    asked = read_questions(questions, texts)
    ranked = _hits(hits)
    parts = read_chunks(chunks) if chunks is not None else None
    return assemble(
        asked, parts, ranked, mode=mode, k=k, context=context, corpus=texts, baseline=baseline,
        cluster=cluster, level=level,
    )  # fmt: skip


def _hits(source: Any) -> pl.DataFrame:
    """One source of hits, or a list of files: one a system, called by its tag or its file."""
    if source is None:
        raise BadSettings("give the hits: experiment_id, question_id, rank, chunk_id")
    if not isinstance(source, list | tuple) or not all(
        isinstance(each, str | os.PathLike) for each in source
    ):
        return read_hits(source)
    files = [read_hits(each) for each in source]
    tags = [name for hits in files for name in hits["experiment_id"].unique()]
    if len(set(tags)) < len(tags):
        stems = [Path(each).stem for each in source]
        if len(set(stems)) < len(stems):
            raise BadSettings("two runs have one tag and one file name; rename a file")
        files = [h.with_columns(experiment_id=pl.lit(s)) for h, s in zip(files, stems, strict=True)]
    return pl.concat(files) if files else read_hits([])


def check_settings(mode: str, k: Any, context: Any, level: float) -> int | None:
    """Refuse settings that mean nothing; k as a plain number."""
    check_level(level)
    if mode not in get_args(Mode):
        raise BadSettings(f"mode is strict or chroma, not {mode!r}")
    try:
        number = None if k is None else operator.index(k)
    except TypeError:
        number = 0
    if isinstance(k, bool) or not (
        number is None or number >= 1 or (number == -1 and mode == "chroma")
    ):
        raise BadSettings(f"k is a whole number from 1 on, not {k!r}")
    real = isinstance(context, int | float | np.number) and not isinstance(context, bool)
    if context is not None and not (real and 0 < context <= FARTHEST):
        raise BadSettings(f"a context is a number of characters or tokens, not {context!r}")
    return number


def assemble(
    asked: Questions,
    parts: pl.DataFrame | None,
    ranked: pl.DataFrame,
    *,
    mode: Mode,
    k: int | None,
    context: float | None,
    corpus: Corpus | None,
    baseline: str | None,
    cluster: str | None,
    level: float,
    described: pl.DataFrame | None = None,
    depths: Mapping[str, int] | None = None,
    told: Sequence[Check] = (),
    settings: dict[str, Any] | None = None,
) -> Retrieval:
    """Score what was read.

    `described` says what each experiment is made of, `depths` how many hits it was asked for:
    fewer are all that it has. `told` are checks made before.
    """
    parts, ranked, strays = _fitting(asked, parts, ranked, corpus)
    names = None if described is None else described["experiment_id"].to_list()
    it = scene(asked, parts, ranked, names)
    if baseline is not None and baseline not in it.experiments:
        raise BadSettings(f"no experiment {baseline!r}; there are {', '.join(it.experiments)}")
    rows = per_question(it, k, mode)
    groups = _clusters(asked, cluster)
    points, at, compared, unit, short = contexts(it, parts, rows, context, depths)
    per = _named(rows, it, asked).with_columns(
        pl.Series("at_context", at, pl.Float64, nan_to_null=True)
        if at is not None else pl.lit(None, pl.Float64).alias("at_context")
    ).hstack(documents(it, asked, parts, ranked))  # fmt: skip
    lost = _named(losses(it, None if k == -1 else k), it, asked)
    every = all_pairs(it, per, groups, level)
    by = "k" if at is None else "context"
    known = configurations(it, per, parts, every.filter(by=by), groups, level)
    pairs = every if baseline is None else with_baseline(every, baseline, level)
    if described is not None:
        known = known.join(described, on="experiment_id", how="left", maintain_order="left")
    quarantined = pl.concat(
        [*([corpus.quarantined] if corpus is not None else []), asked.quarantined, strays]
    )
    checks = checks_of(asked, corpus, per, known, lost, quarantined, strays, [*told, *short])
    settings = {
        "mode": mode, "k": k, "context": compared, "unit": unit, "baseline": baseline,
        "cluster": cluster, "level": level, **(settings or {}),
    }  # fmt: skip
    return Retrieval(
        verdict=verdict_of(known, pairs.filter(by=by), checks, settings),
        configurations=known,
        per_question=per,
        curve=curves(it, points, rows, groups, level),
        pairs=pairs,
        losses=lost,
        checks=checks,
        questions=asked.table,
        gold=asked.named_gold(),
        chunks=parts,
        hits=ranked,
        quarantined=quarantined,
        settings=settings,
        corpus=corpus,
    )


def _fitting(
    asked: Questions, parts: pl.DataFrame | None, ranked: pl.DataFrame, corpus: Corpus | None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Chunks and hits that fit questions and documents, and the hits that do not."""
    if parts is None:
        if asked.gold["start"].count():
            raise BadSource("the gold is spans of text, so give the chunks that the hits name")
        parts = _whole_documents(ranked)
    if corpus is not None:
        _within_documents(parts, corpus)
    ranked, strays = _known(ranked, parts, asked)
    return parts, ranked, strays


def _whole_documents(ranked: pl.DataFrame) -> pl.DataFrame:
    """Where there are no chunks, each document named is one, of no known length."""
    named = ranked.select("experiment_id", "chunk_id").unique(maintain_order=True)
    zero = pl.lit(0, pl.Int64)
    return named.with_columns(doc_id="chunk_id", start=zero, end=zero)


def _known(
    ranked: pl.DataFrame, parts: pl.DataFrame, asked: Questions
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The hits that name a chunk and a question that are there; the others, counted."""
    key = ["experiment_id", "chunk_id"]
    chunkless = ranked.join(parts, on=key, how="anti")
    ranked = ranked.join(parts.select(key), on=key, how="semi", maintain_order="left")
    foreign = ranked.join(asked.table.select("question_id"), on="question_id", how="anti")
    set_aside = asked.quarantined["place"].implode()
    foreign = foreign.filter(~pl.col("question_id").is_in(set_aside))
    ranked = ranked.join(asked.table, on="question_id", how="semi", maintain_order="left")
    bad = [
        (f"hits of {experiment}", f"{count} name {what} that is not there, {name!r} for one")
        for frame, column, what in (
            (chunkless, "chunk_id", "a chunk"), (foreign, "question_id", "a question"),
        )
        for experiment, count, name in frame.group_by("experiment_id", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col(column).first()).iter_rows()
    ]  # fmt: skip
    return ranked, pl.DataFrame(bad, schema=QUARANTINE, orient="row")


def _named(rows: pl.DataFrame, it: Scene, asked: Questions) -> pl.DataFrame:
    ids = pl.Series("experiment_id", it.experiments, pl.String)
    return rows.select(
        ids.gather(rows["experiment"]).alias("experiment_id"),
        asked.table["question_id"].gather(rows["question"]).alias("question_id"),
        pl.exclude("experiment", "question", "asked"),
    )


def _clusters(asked: Questions, cluster: str | None) -> pl.Series | None:
    if cluster is None:
        return None
    if cluster not in asked.table.columns:
        have = ", ".join(asked.table.columns)
        raise BadSettings(f"the questions have no column {cluster!r}; they have {have}")
    own = pl.format("a question of its own: {}", "question_id")
    return asked.table.select(pl.col(cluster).cast(pl.String).fill_null(own)).to_series()


def _within_documents(parts: pl.DataFrame, corpus: Corpus) -> None:
    """Refuse chunks that end behind their document."""
    if (out := outside(parts, corpus).drop_nulls("length")).height:
        name, end, length = out.select("chunk_id", "end", "length").row(0)
        raise BadSource(
            f"{out.height} chunks end behind their document: {name!r} at {end} of {length}; "
            "are its offsets bytes, or of another version?"
        )
