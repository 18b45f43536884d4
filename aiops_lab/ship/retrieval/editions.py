"""What would a new edition of the documents do to a configuration and its questions?"""

from __future__ import annotations

from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.drift import IndexDrift, index_drift
from aiops_lab.ship.retrieval.experiment import LEXICAL, run_retrieval
from aiops_lab.ship.retrieval.inputs import DEMO, is_demo, read_corpus
from aiops_lab.ship.retrieval.score import Retrieval
from aiops_lab.shipped import shipped

BUILT_IN = r"^(?:characters|markdown|tokens|windows)-\d+(?:-\d+)?$"


def next_edition(
    result: Retrieval, after: Any = DEMO, experiment: str | None = None
) -> IndexDrift | None:
    """Index drift between the documents of a sweep and their next edition.

    Parameters
    ----------
    after
        The documents as they will be; "" for the next edition of the handbook, and None where the
        sweep was about other documents.
    experiment
        The configuration whose chunks and hits are compared; by default the one that finds most of
        those that need no embedder. It is run again on the new documents.

    Raises
    ------
    BadSource, BadSettings
        The texts are not known, or the configuration cannot be run again.
    """
    demo = is_demo(after)
    if result.corpus is None:
        if demo:
            return None
        raise BadSettings("the texts are not known: give the corpus to compare editions")
    if demo:
        if not result.corpus.documents["doc_id"].equals(read_corpus(DEMO).documents["doc_id"]):
            return None
        after = shipped("handbook-next")
    now = read_corpus(after)
    known = result.configurations
    named = pl.col("kind").is_not_null() & pl.col("chunker").str.contains(BUILT_IN)
    again = named & pl.col("retriever").is_in([*LEXICAL, "hybrid"]) & pl.col("reranker").is_null()
    known = known.filter(again) if "retriever" in known.columns else known.clear()
    if experiment is not None:
        known = known.filter(experiment_id=experiment)
    if not known.height:
        raise BadSettings("only configurations of the library's own can be run again by name")
    best = known.sort("at_context", descending=True, nulls_last=True).row(0, named=True)
    name, settings = best["experiment_id"], result.settings
    asked = result.questions.select("question_id", "text")
    found = run_retrieval(
        now, asked, [best["chunker"]], retrievers=[best["retriever"]], k=settings["k"],
        context=settings["context"], mode=settings["mode"], progress=False,
    )  # fmt: skip
    gold = result.gold.group_by("question_id").agg(gold=pl.struct(pl.exclude("question_id")))
    questions = asked.join(gold, on="question_id", how="left", maintain_order="left")
    if settings["unit"] != "characters":  # how tokens are counted is not known here
        return index_drift(result.corpus, now, questions)
    frames = result.chunks, found.chunks, result.hits, found.hits
    own = [frame.filter(experiment_id=name) for frame in frames]
    return index_drift(
        result.corpus, now, questions,
        chunks_before=own[0], chunks_after=own[1], hits_before=own[2], hits_after=own[3],
    )  # fmt: skip
