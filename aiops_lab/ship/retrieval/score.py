"""Did the right passages come back, and whose way of finding them is better?"""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.result import Result
from aiops_lab.ship.rank import ahead, check_level, corrected, pairwise
from aiops_lab.ship.retrieval.coverage import Floats, Mode, Scene, curve, per_question, scene
from aiops_lab.ship.retrieval.inputs import (
    QUARANTINE,
    Corpus,
    Questions,
    outside,
    read_corpus,
    read_questions,
)
from aiops_lab.ship.retrieval.losses import losses
from aiops_lab.ship.retrieval.ranking import document_metrics
from aiops_lab.ship.retrieval.words import verdict_of
from aiops_lab.sources.retrieval import FARTHEST, read_chunks, read_hits
from aiops_lab.stats.single import single_mean
from aiops_lab.verdict import Verdict
from aiops_lab.wording import figure

CONTEXTS = (250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
USUAL = 4000
"""Context, in characters or tokens, that configurations are compared at where all reach it."""
NEVER = 0.05
"""More of the gold outside of all chunks is told."""
REACHED = 0.95
"""The share of questions that must have so much context for a point of the curve."""
Check: TypeAlias = tuple[str, str, str]
"""What was checked, its status, and what was found."""
Points: TypeAlias = dict[float, tuple[Floats, np.ndarray]]
"""The recall of every cell at each point of the curve, and which experiments reach it."""
SHARES = ("recall", "precision", "iou", "precision_omega")
DOCUMENTS = ("mrr", "map", "ndcg@10", "document_recall@10", "document_precision@10")


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
    if parts is None:
        if asked.gold["start"].count():
            raise BadSource("the gold is spans of text, so give the chunks that the hits name")
        parts = _whole_documents(ranked)
    if corpus is not None:
        _within_documents(parts, corpus)
    ranked, strays = _known(ranked, parts, asked)
    names = None if described is None else described["experiment_id"].to_list()
    it = scene(asked, parts, ranked, names)
    if baseline is not None and baseline not in it.experiments:
        raise BadSettings(f"no experiment {baseline!r}; there are {', '.join(it.experiments)}")
    rows = per_question(it, k, mode)
    documents = _documents(it, asked, parts, ranked)
    groups = _clusters(asked, cluster)
    points, at, compared, unit, short = _contexts(it, parts, rows, context, depths)
    per = _named(rows, it, asked).with_columns(
        pl.Series("at_context", at, pl.Float64, nan_to_null=True)
        if at is not None else pl.lit(None, pl.Float64).alias("at_context")
    ).hstack(documents)  # fmt: skip
    lost = _named(losses(it, None if k == -1 else k), it, asked)
    every = _pairs(it, per, groups, level)
    by = "k" if at is None else "context"
    known = _configurations(it, per, parts, every.filter(by=by), groups, level)
    pairs = every if baseline is None else _with_baseline(every, baseline, level)
    if described is not None:
        known = known.join(described, on="experiment_id", how="left", maintain_order="left")
    quarantined = pl.concat(
        [*([corpus.quarantined] if corpus is not None else []), asked.quarantined, strays]
    )
    checks = _checks(asked, corpus, per, known, lost, quarantined, strays, [*told, *short])
    settings = {
        "mode": mode, "k": k, "context": compared, "unit": unit, "baseline": baseline,
        "cluster": cluster, "level": level, **(settings or {}),
    }  # fmt: skip
    return Retrieval(
        verdict=verdict_of(known, pairs.filter(by=by), checks, settings),
        configurations=known,
        per_question=per,
        curve=_curve(it, points, rows, groups, level),
        pairs=pairs,
        losses=lost,
        checks=checks,
        questions=asked.table,
        gold=asked.gold.with_columns(
            asked.table["question_id"].gather(asked.gold["question"])
        ).select("question_id", "doc_id", "start", "end", "relevance"),
        chunks=parts,
        hits=ranked,
        quarantined=quarantined,
        settings=settings,
        corpus=corpus,
    )


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


def _documents(
    it: Scene, asked: Questions, parts: pl.DataFrame, ranked: pl.DataFrame
) -> pl.DataFrame:
    """The measures of whole documents: each stands where its first chunk does."""
    n = asked.table.height
    judged = asked.gold.group_by("question", "doc_id").agg(pl.col("relevance").max())
    cells = pl.DataFrame({"cell": np.arange(it.cells)}).with_columns(question=pl.col("cell") % n)
    qrels = cells.join(judged, on="question").select(
        pl.col("cell").cast(pl.String).alias("question_id"), "doc_id", "relevance"
    )
    order = {name: number for number, name in enumerate(it.experiments)}
    run = (
        ranked.join(
            parts.select("experiment_id", "chunk_id", "doc_id"), on=["experiment_id", "chunk_id"]
        )
        .join(asked.table.select("question_id").with_row_index("question"), on="question_id")
        .group_by("experiment_id", "question", "doc_id")
        .agg(score=-pl.col("rank").min().cast(pl.Float64))
        .select(
            (pl.col("experiment_id").replace_strict(order, default=None, return_dtype=pl.Int64) * n
             + pl.col("question")).cast(pl.String).alias("question_id"),
            "doc_id", "score",
        )
    )  # fmt: skip
    found = document_metrics(qrels, run, (10,)).rename(
        {f"{name}@10": f"document_{name}@10" for name in ("recall", "precision")}
    )
    every = pl.DataFrame({"question_id": np.arange(it.cells).astype(str)})
    return every.join(found, on="question_id", how="left", maintain_order="left").select(DOCUMENTS)


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


def _contexts(
    it: Scene, parts: pl.DataFrame, rows: pl.DataFrame, context: float | None,
    depths: Mapping[str, int] | None,
) -> tuple[Points, Floats | None, float | None, str, list[Check]]:  # fmt: skip
    """The recall of every cell at each point of the curve, and who reaches it."""
    unit = "tokens" if "tokens" in parts.columns else "characters"
    if not it.cells:
        return {}, None, context, unit, []
    wanted: list[float] = sorted({float(size) for size in (*CONTEXTS, context or USUAL)})
    recall, had = curve(it, wanted)
    shape = (len(it.experiments), it.questions)
    cost = it.chunk_length * it.density
    whole = np.bincount(it.chunk_experiment, weights=cost, minlength=len(it.experiments))
    asked, had = rows["asked"].to_numpy().reshape(shape), had.reshape(shape)
    # who was asked for more hits than it gave has no more
    asked_for = np.array([(depths or {}).get(name, np.inf) for name in it.experiments])
    ended = it.sums(it.hit_cell).reshape(shape) < asked_for[:, None]
    ended &= np.isfinite(asked_for)[:, None]
    points = {}
    for column, size in enumerate(wanted):
        enough = (had >= size - 1e-6) | (had >= whole[:, None] - 1e-6) | ended
        share = (enough & asked).sum(1) / np.maximum(asked.sum(1), 1)
        points[size] = (recall[:, column], (share >= REACHED) & (had.max(1) > 0))
    by_all = [size for size, (_, reach) in points.items() if reach.all()]
    if context is not None:
        compared: float | None = float(context)
    else:
        compared = max([size for size in by_all if size <= USUAL], default=None)
    at = None if compared is None else points[compared][0]
    reach = points[compared][1] if compared is not None else np.ones(len(it.experiments), bool)
    short = [
        ("context", "inconclusive", f"{name} has hits for {figure(mean)} {unit} on average, not "
         f"for {figure(compared)}: fetch more, or compare within less")
        for name, enough, mean in zip(it.experiments, reach, had.mean(1), strict=True)
        if not enough and asked.any()
    ]  # fmt: skip
    return points, at, compared, unit, short


def _with_baseline(pairs: pl.DataFrame, baseline: str, level: float) -> pl.DataFrame:
    """The pairs with the baseline only, corrected for as many tests as these are."""
    own = pairs.filter((pl.col("experiment_id") == baseline) | (pl.col("other") == baseline))
    each = own.partition_by("by", maintain_order=True)
    return pl.concat(corrected(some, level) for some in each) if each else own


def _pairs(it: Scene, per: pl.DataFrame, groups: pl.Series | None, level: float) -> pl.DataFrame:
    names = pl.Series(it.experiments, dtype=pl.String)
    frames = []
    for by, column in (("context", "at_context"), ("k", "recall")):
        values = per[column].to_numpy().reshape(len(it.experiments), it.questions).T
        kept = np.isfinite(values).all(1)
        clusters = None if groups is None else groups.to_numpy()[kept]
        if not kept.any():
            values, kept = np.zeros((0, 0)), np.zeros(0, bool)
        found = pairwise(values[kept], clusters, level=level)
        frames.append(
            found.select(
                pl.lit(by).alias("by"),
                names.gather(found["first"]).alias("experiment_id"),
                names.gather(found["second"]).alias("other"),
                pl.exclude("first", "second"),
            )
        )
    return pl.concat(frames)


def _configurations(
    it: Scene, per: pl.DataFrame, parts: pl.DataFrame, pairs: pl.DataFrame,
    groups: pl.Series | None, level: float,
) -> pl.DataFrame:  # fmt: skip
    place = {name: number for number, name in enumerate(it.experiments)}
    numbered = pairs.with_columns(
        pl.col("experiment_id")
        .replace_strict(place, default=None, return_dtype=pl.Int64)
        .alias("first"),
        pl.col("other").replace_strict(place, default=None, return_dtype=pl.Int64).alias("second"),
    )
    beaten = ahead(numbered.with_columns(clear=_beats(numbered, len(place), level)), len(place))
    rows = []
    for experiment, own in zip(it.experiments, _each(per, len(it.experiments)), strict=True):
        row: dict[str, Any] = {"experiment_id": experiment, "n": own["recall"].count()}
        for name in (*SHARES, "at_context"):
            known = own[name].is_not_null()
            clusters = None if groups is None else groups.filter(known).to_numpy()
            mean = single_mean(own[name].drop_nulls().to_numpy(), clusters, level=level)
            low, high = ("low", "high") if name == "recall" else (f"{name}_low", f"{name}_high")
            row |= {name: mean.mean, low: mean.low, high: mean.high}
        row |= {
            "context": own["context"].mean(),
            "redundancy": own["redundancy"].mean(),
            "distractors": own["distractors"].mean(),
            "cut": own.select(pl.col("cut").sum() / pl.col("spans").sum()).item(),
            **{name: own[name].mean() for name in DOCUMENTS},
        }
        rows.append(row)
    schema = {"experiment_id": pl.String, "n": pl.Int64}
    names = [name for name in rows[0] if name not in schema] if rows else []
    frame = pl.DataFrame(rows, schema={**schema, **dict.fromkeys(names, pl.Float64)})
    length = pl.col("end") - pl.col("start")
    seen = pl.col("seen").fill_null(float("inf")) if "seen" in parts.columns else length
    sizes = parts.group_by("experiment_id").agg(
        pl.len().cast(pl.Int64).alias("chunks"),
        length.mean().alias("chunk_length"),
        (1 - pl.min_horizontal(seen, length).sum() / length.sum()).fill_nan(0.0).alias("unseen"),
    )
    return frame.with_columns(
        may_be_best=pl.Series(np.logical_not(beaten.any(axis=0))) & frame["n"].gt(0)
    ).join(sizes, on="experiment_id", how="left", maintain_order="left")


def _beats(pairs: pl.DataFrame, experiments: int, level: float) -> pl.Series:
    """Whether one of a pair is surely not the best, because the other finds more.

    For the best to be kept it is enough that none of the others beats it: so many tests are
    corrected for (Bonferroni), not all pairs. Source: Mogstad, Romano, Shaikh and Wilhelm 2024,
    "Inference for ranks", section 3, the confidence set of the first.
    """
    by_test = pl.col("p_value") * max(experiments - 1, 1) <= 1 - level
    return pairs.select(by_test.fill_null(pl.col("clear"))).to_series().rename("clear")


def _each(per: pl.DataFrame, experiments: int) -> list[pl.DataFrame]:
    size = per.height // max(experiments, 1)
    return [per.slice(number * size, size) for number in range(experiments)]


def _curve(
    it: Scene, points: Points, rows: pl.DataFrame,
    groups: pl.Series | None, level: float,
) -> pl.DataFrame:  # fmt: skip
    found = []
    for size, (recall, reach) in points.items():
        by = recall.reshape(len(it.experiments), -1)
        for number, experiment in enumerate(it.experiments):
            known = np.isfinite(by[number])
            if not reach[number] or not known.any():
                continue
            clusters = None if groups is None else groups.filter(known).to_numpy()
            mean = single_mean(by[number][known], clusters, level=level)
            found.append((experiment, size, mean.mean, mean.low, mean.high))
    figures = dict.fromkeys(("context", "recall", "low", "high"), pl.Float64)
    schema = {"experiment_id": pl.String, **figures}
    return pl.DataFrame(found, schema=schema, orient="row").sort(
        pl.col("experiment_id").cast(pl.Enum(it.experiments)), "context"
    )


def _checks(
    asked: Questions, corpus: Corpus | None, per: pl.DataFrame, known: pl.DataFrame,
    lost: pl.DataFrame, quarantined: pl.DataFrame, strays: pl.DataFrame, told: Sequence[Check],
) -> pl.DataFrame:  # fmt: skip
    """What to know before believing the figures."""
    gone, total = asked.quarantined.height, asked.table.height + asked.quarantined.height
    placed = f"the gold of all {total} questions is placed"
    left = f"{gone} of {total} questions have gold that cannot be placed and are left out"
    rows: list[Check] = [("gold", "warn" if gone else "ok", left if gone else placed), *told]
    if gone == total:
        first = asked.quarantined["reason"][0] if gone else "there are no questions"
        rows[0] = ("gold", "inconclusive", f"no question is left: {first}")
    without = asked.table.height - asked.gold["question"].n_unique()
    if without:
        said = f"{without} questions have no gold: no recall, counted in distractors only"
        rows.append(("unanswerable", "ok", said))
    if speechless := asked.table["text"].null_count():
        rows.append(("questions", "warn", f"{speechless} questions have no text to search with"))
    if strays.height:
        rows.append(("hits", "warn", "; ".join(f"{p}: {r}" for p, r in strays.iter_rows())))
    silent = per.filter(pl.col("hits") == 0).group_by("experiment_id", maintain_order=True).len()
    for experiment, count in silent.iter_rows():
        status = "inconclusive" if count == asked.table.height else "warn"
        rows.append(("hits", status, f"{experiment}: {count} questions have no hit, counted as 0"))
    shares = lost.group_by("experiment_id", maintain_order=True).agg(
        pl.col("characters").filter(pl.col("loss") == "never indexed").sum()
        / pl.col("characters").sum()
    )
    for experiment, share in shares.iter_rows():
        if share > NEVER:
            said = f"{experiment}: {share:.0%} of the gold lies in no chunk"
            said += "; do the documents' ids agree?" if share == 1 else ""
            rows.append(("index", "inconclusive" if share == 1 else "warn", said))
    for experiment, unseen in known.select("experiment_id", "unseen").iter_rows():
        if unseen is not None and unseen > 0.01:
            said = f"{experiment}: the embedder never saw {unseen:.0%} of the chunks' text"
            rows.append(("embedder", "warn", said))
    notes = [*(corpus.notes if corpus is not None else ()), *asked.notes]
    rows += [("corpus", "ok", note) for note in notes]
    if count := quarantined.height - gone - strays.height:
        rows.append(("corpus", "warn", f"{count} documents could not be read and are left out"))
    if not known["n"].sum() and not (per["mrr"] > 0).any():
        rows.append(("questions", "inconclusive", "no question found any of its gold"))
    return pl.DataFrame(rows, schema=["check", "status", "detail"], orient="row")
