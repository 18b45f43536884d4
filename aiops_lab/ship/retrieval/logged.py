"""What other systems retrieved for the same questions, to be scored beside a sweep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.checks import Check
from aiops_lab.ship.retrieval.inputs import (
    DEMO,
    HANDBOOK,
    PYTHON,
    Corpus,
    Questions,
    is_demo,
    outside,
)
from aiops_lab.sources.retrieval import read_chunks, read_hits, read_table
from aiops_lab.tables import empty


def documents_of(source: Any, corpus: Any, questions: Any) -> tuple[Any, Any]:
    """The documents and questions that are meant: where "" is given, a lab's own.

    A lab names documents and questions in ``[retrieval]`` of ``lab.toml``, else it holds questions
    that were ingested. Its documents are None where it knows those of its logged hits alone; of
    other sources, and of a lab that knows none, "" stays what it is, the demo.

    Raises
    ------
    BadSettings
        A lab holds questions alone.
    """
    if callable(getattr(source, "table", None)):
        told, here = source.settings.retrieval, source.path
        if is_demo(corpus) and told.corpus:
            corpus = told.corpus if _shipped(told.corpus) else here / told.corpus
            if is_demo(questions) and told.questions:
                questions = here / told.questions
        if is_demo(questions) and not _shipped(corpus) and source.holds("questions"):
            if is_demo(corpus) and not source.holds("hits"):
                raise BadSettings(
                    "this lab holds questions, but neither documents nor hits: name the documents, "
                    "-p corpus FOLDER, or in [retrieval] of lab.toml"
                )
            corpus, questions = None if is_demo(corpus) else corpus, source.table("questions")
    return (DEMO if _shipped(corpus) and corpus == HANDBOOK else corpus), questions


def _shipped(corpus: Any) -> bool:
    return isinstance(corpus, str) and corpus in (HANDBOOK, PYTHON)


def logged_hits(
    source: Any, corpus: Corpus, asked: Questions, count_tokens: Callable[[str], int] | None
) -> tuple[pl.DataFrame, pl.DataFrame, list[Check]]:
    """The chunks and hits of the experiments that asked these questions, and what was left out.

    Parameters
    ----------
    source
        A Lab, a pair of chunks and hits, or None.

    Raises
    ------
    BadSource, BadSettings
        It is neither, or its tables mean nothing.
    """
    columns = ["experiment_id", "chunk_id", "doc_id", "start", "end"]
    if source is None:
        return empty("chunks").select(columns), empty("hits"), []
    if callable(table := getattr(source, "table", None)):
        source = table("chunks"), table("hits")
    if not isinstance(source, tuple | list) or len(source) != 2:
        raise BadSettings("logged is a Lab, or a pair of chunks and hits")
    hits = read_hits(source[1])
    hits = hits.join(asked.table, on="question_id", how="semi", maintain_order="left")
    given = read_table(source[0], "give chunks as a frame, a list of records or a file")
    if "experiment_id" in given.columns:
        names = pl.col("experiment_id").cast(pl.String)
        given = given.filter(names.is_in(hits["experiment_id"].unique().implode()))
    chunks = read_chunks(given.drop("tokens", strict=False))
    chunks = chunks.join(hits, on="experiment_id", how="semi", maintain_order="left")
    bare = hits.join(chunks, on="experiment_id", how="anti")["experiment_id"].unique().sort()
    amiss = outside(chunks, corpus)
    told = [
        ("logged", "warn", f"{experiment} is left out: {count} of its chunks lie outside of these "
         f"documents, {name!r} of {document!r} for one; are they of another version?")
        for experiment, count, name, document in amiss.group_by("experiment_id")
        .agg(pl.len(), pl.col("chunk_id").first(), pl.col("doc_id").first())
        .sort("experiment_id").iter_rows()
    ]  # fmt: skip
    told += [("logged", "warn", f"{name} is left out: its hits name no chunks") for name in bare]
    hits = hits.filter(~pl.col("experiment_id").is_in(bare.implode()))
    chunks, hits = (
        frame.join(amiss, on="experiment_id", how="anti", maintain_order="left")
        for frame in (chunks, hits)
    )
    chunks = chunks.select(*columns, *(["seen"] if "seen" in chunks.columns else []))
    if count_tokens is not None:
        texts = dict(corpus.texts())
        spans = chunks.select("doc_id", "start", "end").iter_rows()
        tokens = [float(count_tokens(texts[doc_id][start:end])) for doc_id, start, end in spans]
        chunks = chunks.with_columns(tokens=pl.Series(tokens, dtype=pl.Float64))
    return chunks, hits, told
