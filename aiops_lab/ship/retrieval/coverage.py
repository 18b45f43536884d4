"""What of the gold came back, in characters: per question, in two named modes, and by context.

``strict``: half-open spans, unions on every side; a character counts once however often it is
retrieved or marked as gold. ``chroma``: bit-compatible with the published `chunking_evaluation`
(Smith and Troynikov 2024, "Evaluating Chunking Strategies for Retrieval"), with what its code does
beside its text: lengths of overlapping excerpts and chunks are summed below the line but united
above it, and a chunk that merely ends where an excerpt starts counts as touching it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.ship.retrieval.inputs import Questions
from aiops_lab.ship.retrieval.spans import (
    first_cover,
    fresh,
    in_order,
    merged,
    ordered,
    overlaps,
    union_lengths,
)

Mode = Literal["strict", "chroma"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SPARSE = 16
"""So many bits a key asked for in the filter before a search."""
MOST = 20
"""Chroma's "as many as touch gold" asks for no more chunks than this."""


@dataclass(frozen=True)
class Gold:
    """Spans of gold: the row of their question, their document's code, start and end."""

    question: Ints
    document: Ints
    start: Ints
    end: Ints

    @property
    def length(self) -> Ints:
        return self.end - self.start


@dataclass(frozen=True)
class Scene:
    """One sweep in numbers: cells are (experiment, question), counted row by row.

    `chunk_*` has a row a chunk, `hit_*` a row a hit in order of cell and rank (`hit_rank` from 1),
    `density` what a character of each chunk costs of the context (1, or tokens a character).
    """

    experiments: list[str]
    questions: int
    gold: Gold
    marked: Gold
    chunk_experiment: Ints
    chunk_document: Ints
    chunk_start: Ints
    chunk_end: Ints
    density: Floats
    seen: Floats
    hit_cell: Ints
    hit_rank: Ints
    hit_chunk: Ints

    @property
    def cells(self) -> int:
        return len(self.experiments) * self.questions

    @property
    def chunk_length(self) -> Ints:
        return self.chunk_end - self.chunk_start

    @cached_property
    def line_order(self) -> Ints:
        """The chunks by experiment, document and start."""
        return np.lexsort((self.chunk_start, self.chunk_document, self.chunk_experiment))

    @cached_property
    def overlapping(self) -> NDArray[np.bool_]:
        """Whether some chunks of each experiment share a character."""
        order = self.line_order
        experiment, document = self.chunk_experiment[order], self.chunk_document[order]
        same = (experiment[1:] == experiment[:-1]) & (document[1:] == document[:-1])
        over = same & (self.chunk_start[order][1:] < self.chunk_end[order][:-1])
        return np.bincount(experiment[1:][over], minlength=len(self.experiments)) > 0

    @cached_property
    def _hit_keys(self) -> Ints:
        """Cell and chunk of every hit as one number."""
        return self.hit_cell * self.chunk_start.size + self.hit_chunk

    def hit_of(self, cell: Ints, chunk: Ints) -> Ints:
        """The row of the hit that brought a chunk back in a cell; -1 where none did."""
        keys, wanted = self._hit_keys, cell * self.chunk_start.size + chunk
        # few hits hold gold: those whose last bits are not asked for need not be sorted
        low = (1 << (SPARSE * max(wanted.size, 1)).bit_length()) - 1
        asked = np.zeros(low + 1, bool)
        asked[wanted & low] = True
        rows = np.flatnonzero(asked[keys & low])
        if not rows.size:
            return np.full(cell.size, -1)
        rows = rows[np.argsort(keys[rows])]
        place = np.minimum(np.searchsorted(keys[rows], wanted), rows.size - 1)
        return np.where(keys[rows[place]] == wanted, rows[place], -1)

    def distinct(self, found: Touches) -> tuple[Ints, Ints]:
        """Cell and chunk of each pair of them, however much gold of the cell the chunk holds."""
        chunks = max(self.chunk_start.size, 1)
        keys = in_order(found.cell * chunks + found.chunk)
        return np.divmod(keys[np.diff(keys, prepend=-1) > 0], chunks)

    def cells_of(self, gold: Gold) -> Ints:
        """The cell of each span of gold, in one experiment after another."""
        experiments = np.arange(len(self.experiments))
        return (experiments[:, None] * self.questions + gold.question).ravel()

    def sums(self, cell: Ints, weights: NDArray | None = None) -> Floats:
        """Sums over the rows of each cell."""
        return np.bincount(cell, weights=weights, minlength=self.cells).astype(float)


@dataclass(frozen=True)
class Touches:
    """Pairs of a chunk and a span of gold that it holds some of.

    `span` is the row of the gold, `cell` its experiment and question, `rank` the rank at which the
    chunk came back (0: it did not), `hit` the row of that hit (-1).
    """

    cell: Ints
    span: Ints
    chunk: Ints
    start: Ints
    end: Ints
    rank: Ints
    hit: Ints

    def at(self, kept: NDArray[np.bool_]) -> Touches:
        """Some of them."""
        return Touches(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))


def scene(
    asked: Questions,
    chunks: pl.DataFrame,
    hits: pl.DataFrame,
    experiments: list[str] | None = None,
) -> Scene:
    """Names as numbers. Chunks and hits as `inputs` reads them; hits know their chunk."""
    spans = asked.gold.drop_nulls("start")
    names = pl.concat([chunks["doc_id"], spans["doc_id"]]).unique().sort()
    code = pl.Enum(names)
    named = pl.concat([chunks["experiment_id"], hits["experiment_id"]])
    experiments = experiments or named.unique(maintain_order=True).to_list()
    order = pl.Enum(experiments)

    def numbers(series: pl.Series, kind: pl.Enum) -> Ints:
        return series.cast(kind).to_physical().to_numpy().astype(np.int64)

    chunk_experiment = numbers(chunks["experiment_id"], order)
    marked = Gold(
        spans["question"].to_numpy().astype(np.int64),
        numbers(spans["doc_id"], code),
        spans["start"].to_numpy().astype(np.int64),
        spans["end"].to_numpy().astype(np.int64),
    )
    line = marked.question * max(len(names), 1) + marked.document
    group, start, end = merged(line, marked.start, marked.end)
    gold = Gold(group // max(len(names), 1), group % max(len(names), 1), start, end)
    n = asked.table.height
    placed = (
        hits.join(
            chunks.select("experiment_id", "chunk_id").with_row_index("chunk"),
            on=["experiment_id", "chunk_id"], how="inner",
        )
        .join(asked.table.select("question_id").with_row_index("question"), on="question_id")
        .select(
            cell=pl.col("experiment_id").cast(order).to_physical().cast(pl.Int64) * n
            + pl.col("question").cast(pl.Int64),
            rank=pl.col("rank"), chunk=pl.col("chunk").cast(pl.Int64),
        )
        .sort("cell", "rank")
    )  # fmt: skip
    length = (chunks["end"] - chunks["start"]).to_numpy().astype(float)
    tokens = chunks["tokens"].to_numpy() if "tokens" in chunks.columns else length
    seen = chunks["seen"].fill_null(np.inf).to_numpy() if "seen" in chunks.columns else None
    return Scene(
        experiments=experiments,
        questions=n,
        gold=gold,
        marked=marked,
        chunk_experiment=chunk_experiment,
        chunk_document=numbers(chunks["doc_id"], code),
        chunk_start=chunks["start"].to_numpy().astype(np.int64),
        chunk_end=chunks["end"].to_numpy().astype(np.int64),
        density=np.divide(tokens, length, out=np.zeros_like(length), where=length > 0),
        seen=np.full(length.size, np.inf) if seen is None else seen.astype(float),
        hit_cell=placed["cell"].to_numpy(),
        hit_rank=placed["rank"].to_numpy(),
        hit_chunk=placed["chunk"].to_numpy(),
    )


def touches(it: Scene, gold: Gold, *, touching: bool = False) -> Touches:
    """Every chunk of every experiment that holds some of a span of gold."""
    experiments = np.arange(len(it.experiments))
    documents = int(max(gold.document.max(initial=0), it.chunk_document.max(initial=0))) + 1
    line = (experiments[:, None] * documents + gold.document).ravel()
    start, end = (np.tile(part, experiments.size) for part in (gold.start, gold.end))
    chunk_line = it.chunk_experiment * documents + it.chunk_document
    asked, chunk = overlaps(
        line, start, end, chunk_line, it.chunk_start, it.chunk_end, touching=touching
    )
    spans = gold.start.size
    experiment, span = asked // max(spans, 1), asked % max(spans, 1)
    cell = experiment * it.questions + gold.question[span]
    hit = it.hit_of(cell, chunk)
    ranks = np.append(it.hit_rank, 0)  # of row -1
    return Touches(
        cell, span, chunk,
        np.maximum(it.chunk_start[chunk], gold.start[span]),
        np.minimum(it.chunk_end[chunk], gold.end[span]),
        ranks[hit],
        hit,
    )  # fmt: skip


def per_question(it: Scene, k: int | None, mode: Mode) -> pl.DataFrame:
    """Recall, precision, IoU and the ceiling of every cell, with the counts behind them.

    Parameters
    ----------
    k
        So many hits count; all if None; -1, in mode ``chroma``: as many as touch gold.
    """
    chroma = mode == "chroma"
    gold = it.marked if chroma else it.gold
    found = touches(it, gold, touching=chroma)
    experiments = len(it.experiments)
    cell_of_gold = it.cells_of(gold)
    sizes = np.tile(gold.length, experiments)
    spans_per_cell, characters = it.sums(cell_of_gold), it.sums(cell_of_gold, sizes)

    near_cell, near_chunk = it.distinct(found)
    near = it.sums(near_cell)  # chunks that touch gold
    limit = np.full(it.cells, np.iinfo(np.int64).max) if k is None else np.full(it.cells, k)
    if k == -1:
        limit = np.minimum(near, MOST).astype(np.int64)
    cell, chunk = it.hit_cell, it.hit_chunk
    if k is not None:
        inside = it.hit_rank <= limit[cell]
        cell, chunk = cell[inside], chunk[inside]
    opens = np.searchsorted(cell, np.arange(it.cells + 1))
    hits = np.diff(opens).astype(float)
    context = np.diff(np.append(0, np.cumsum(it.chunk_length[chunk]))[opens]).astype(float)
    got = found.at((found.rank > 0) & (found.rank <= limit[found.cell]))

    covered = _united(it, gold, got)
    reachable = _united(it, gold, found)
    united = _retrieved(it, cell, chunk, context)
    useful, _ = it.distinct(got.at(got.end > got.start))

    ceiling = _united_chunks(it, near_cell, near_chunk, gold=gold)
    if chroma:
        # of each excerpt by itself what no retrieved chunk holds
        own = _per_span(it, gold, got)
        left = characters - it.sums(cell_of_gold, own)
        below = {"recall": characters, "precision": context, "iou": context + left}
    else:
        below = {"recall": characters, "precision": united, "iou": united + characters - covered}
    asked = spans_per_cell > 0
    scores = {name: _share(covered, size) for name, size in below.items()}
    scores["precision_omega"] = _share(reachable, ceiling)
    whole = _whole_spans(it, gold, found)
    frame = pl.DataFrame(
        {
            "experiment": np.repeat(np.arange(experiments), it.questions),
            "question": np.tile(np.arange(it.questions), experiments),
            **scores,
            "gold": characters.astype(np.int64),
            "covered": covered.astype(np.int64),
            "context": context.astype(np.int64),
            "hits": hits.astype(np.int64),
            "spans": spans_per_cell.astype(np.int64),
            "cut": (spans_per_cell - whole).astype(np.int64),
            "redundancy": 1 - _share(united, context, empty=1.0),
            "distractors": 1 - _share(it.sums(useful), hits, empty=np.nan),
            "asked": asked,
        }
    )
    measured = pl.col("recall", "precision", "iou", "precision_omega")
    return frame.with_columns(pl.when("asked").then(measured), pl.col("distractors").fill_nan(None))


def curve(it: Scene, contexts: list[float]) -> tuple[Floats, Floats]:
    """The recall of every cell when the context is cut off after so much.

    Returns
    -------
    tuple
        Recall, of shape (cells, contexts), NaN without gold; and how much context each cell has.
    """
    order = it.hit_chunk
    cost = it.chunk_length[order] * it.density[order]
    total = np.concatenate(([0.0], np.cumsum(cost)))
    opens = np.searchsorted(it.hit_cell, it.hit_cell, "left")
    before = total[:-1] - total[opens]
    found = touches(it, it.gold)
    found = found.at(found.rank > 0)
    gold, density = it.gold, it.density[found.chunk]
    at = before[found.hit] + (found.start - it.chunk_start[found.chunk]) * density
    group = found.cell // it.questions * max(gold.start.size, 1) + found.span
    start, end, _, touch = first_cover(group, found.start, found.end, found.rank)
    offset = at[touch] + (start - found.start[touch]) * density[touch]
    width = (end - start) * density[touch]
    characters = it.sums(it.cells_of(gold), np.tile(gold.length, len(it.experiments)))
    recall = np.full((it.cells, len(contexts)), np.nan)
    for column, context in enumerate(contexts):
        inside = np.clip((context - offset) / np.where(width > 0, width, 1), 0, 1)
        inside[width <= 0] = offset[width <= 0] <= context
        recall[:, column] = it.sums(found.cell[touch], inside * (end - start))
    with np.errstate(invalid="ignore"):
        recall /= np.where(characters > 0, characters, np.nan)[:, None]
    return np.minimum(recall, 1.0), it.sums(it.hit_cell, cost)


def _share(above: Floats, below: Floats, empty: float = 0.0) -> Floats:
    return np.divide(above, below, out=np.full(above.size, empty), where=below > 0)


def _united(it: Scene, gold: Gold, found: Touches) -> Floats:
    """Characters of gold that the chunks of each cell hold, each counted once."""
    documents = int(it.chunk_document.max(initial=0)) + 1
    line = found.cell * documents + it.chunk_document[found.chunk]
    return _by_cell(it, line, found.start, found.end, documents)


def _retrieved(it: Scene, cell: Ints, chunk: Ints, context: Floats) -> Floats:
    """Characters that the hits of each cell hold, each counted once."""
    found = context.copy()  # where no chunks overlap, and none comes back twice
    over = np.repeat(it.overlapping, it.questions)
    if not over.any():
        return found
    # hits are in order of their cells, so those of one experiment stand together
    ends = np.searchsorted(cell, np.arange(len(it.experiments) + 1) * it.questions)
    some = np.concatenate([np.arange(ends[e], ends[e + 1]) for e in np.flatnonzero(it.overlapping)])
    place = np.empty(it.chunk_start.size, np.int64)
    place[it.line_order] = np.arange(place.size)
    keys = in_order(cell[some] * place.size + place[chunk[some]])
    own, by_place = keys // place.size, it.line_order[keys % place.size]
    documents = int(it.chunk_document.max(initial=0)) + 1
    line = own * documents + it.chunk_document[by_place]
    united = it.sums(own, fresh(line, it.chunk_start[by_place], it.chunk_end[by_place]))
    found[over] = united[over]
    return found


def _united_chunks(it: Scene, cell: Ints, chunk: Ints, gold: Gold | None = None) -> Floats:
    """Characters that the chunks of each cell hold, each counted once; with all of `gold`."""
    documents = int(max(it.chunk_document.max(initial=0), it.marked.document.max(initial=0))) + 1
    line = cell * documents + it.chunk_document[chunk]
    start, end = it.chunk_start[chunk], it.chunk_end[chunk]
    if gold is not None:
        experiments, cells = len(it.experiments), it.cells_of(gold)
        line = np.concatenate((line, cells * documents + np.tile(gold.document, experiments)))
        start = np.concatenate((start, np.tile(gold.start, experiments)))
        end = np.concatenate((end, np.tile(gold.end, experiments)))
    return _by_cell(it, line, start, end, documents)


def _by_cell(it: Scene, line: Ints, start: Ints, end: Ints, documents: int) -> Floats:
    order = ordered(line, start)
    own = line[order]
    return it.sums(own // documents, fresh(own, start[order], end[order]))


def _per_span(it: Scene, gold: Gold, found: Touches) -> Ints:
    """Of each span in each experiment the characters that chunks hold, by any of its gold."""
    spans = max(gold.start.size, 1)
    group = found.cell // it.questions * spans + found.span
    return union_lengths(group, found.start, found.end, len(it.experiments) * gold.start.size)


def _whole_spans(it: Scene, gold: Gold, found: Touches) -> Floats:
    """How many spans of each cell lie in one chunk from end to end."""
    full = (found.start == gold.start[found.span]) & (found.end == gold.end[found.span])
    spans = max(gold.start.size, 1)
    once, first = np.unique(
        (found.cell // it.questions * spans + found.span)[full], return_index=True
    )
    return it.sums(found.cell[full][first]) if once.size else np.zeros(it.cells)
