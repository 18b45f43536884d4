"""Sweep over ways of dividing, embedding and finding; score all on one set of questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.ship.retrieval.cache import digest_of
from aiops_lab.ship.retrieval.chunkers import named_chunkers
from aiops_lab.ship.retrieval.configurations import USUAL
from aiops_lab.ship.retrieval.coverage import MOST, Mode
from aiops_lab.ship.retrieval.inputs import own_questions, read_corpus, read_questions
from aiops_lab.ship.retrieval.logged import documents_of, logged_hits
from aiops_lab.ship.retrieval.score import (
    Retrieval,
    assemble,
    check_settings,
    score_retrieval,
)
from aiops_lab.ship.retrieval.sweep import LEXICAL, Callables, Progress, Sweep

CHUNKERS = ("characters-400", "characters-800", "characters-1600", "markdown-800")
RETRIEVERS = (*LEXICAL, "dense", "hybrid")


def run_retrieval(
    corpus: Any,
    questions: Any,
    chunkers: Any = CHUNKERS,
    embedders: Callables | None = None,
    retrievers: Sequence[str] | None = None,
    rerankers: Callables | None = None,
    *,
    k: int | None = 5,
    context: float | None = USUAL,
    mode: Mode = "strict",
    count_tokens: Callable[[str], int] | None = None,
    baseline: str | None = None,
    cluster: str | None = None,
    level: float = 0.95,
    logged: Any = None,
    cache: Any = None,
    progress: Progress | bool | None = None,
) -> Retrieval:
    """Every chunker with every way of finding, on one corpus and one set of questions.

    Parameters
    ----------
    corpus
        A folder of text or Markdown, a table of doc_id and text, or a mapping of ids to texts. "":
        what ``[retrieval]`` of the lab's ``lab.toml`` names (the lab is `logged`); of a lab that
        only holds questions, what was retrieved for them is scored and nothing is swept; else the
        demo's.
    questions
        question_id, text and gold; see `score_retrieval`. "": those of the lab, or the demo's.
    chunkers
        ``characters-800``, ``markdown-800-200`` (size and overlap), ``tokens-200``,
        ``windows-800``; any callable that takes a text and gives (start, end) pairs or the chunks'
        texts; objects of chonkie and LangChain as they are. A mapping names them.
    embedders
        By name: a callable that takes a list of texts and gives a vector each. With an attribute
        ``limit`` (characters read of a text) what it never saw is told apart.
    retrievers
        Of ``bm25``, ``tfidf``, ``lsa``, ``dense`` (each embedder), ``hybrid`` (BM25 with each
        embedder, or with LSA). By default all that can be done; BM25 is always among them.
    rerankers
        By name: a callable that takes a question and a list of texts and gives a score each. Each
        is put behind each way of finding.
    k, context, mode, baseline, cluster, level
        As `score_retrieval` takes them.
    count_tokens
        A text's number of tokens; contexts are then in tokens.
    logged
        What other systems retrieved for these questions, scored beside the sweep: a Lab that holds
        their chunks and hits, or a pair of both. Hits of other questions are left out.
    cache
        A Lab or a folder: vectors and hits are kept there by the digest of what made them, so a
        sweep that was interrupted or has grown does the rest only.
    progress
        A callable (name, done, total), or True for a bar with the time left; by default a bar on a
        terminal.

    Returns
    -------
    Retrieval
        experiment_id is ``chunker/retriever``, ``chunker/dense:embedder``, with ``+reranker``.

    Raises
    ------
    BadSource, BadSettings
        Something given cannot be read, divided or embedded.

    Examples
    --------
    >>> corpus = {"a": "Nine ferries sail from the north quay. The kiosk opens at six."}
    >>> rows = [{"question_id": 1, "text": "When does the kiosk open?",
    ...          "gold": [{"doc_id": "a", "quote": "The kiosk opens at six."}]}]
    >>> found = run_retrieval(corpus, rows, ["windows-39"], retrievers=["bm25"], k=1)
    >>> found.configurations.select("experiment_id", "recall").row(0)
    ('windows-39/bm25', 1.0)
    """
    k, context = check_settings(mode, k, context or USUAL, level), context or USUAL
    embedders, rerankers = _callables("embedders", embedders), _callables("rerankers", rerankers)
    if count_tokens is not None and not callable(count_tokens):
        raise BadSettings("count_tokens is a callable: a text to its number of tokens")
    corpus, questions = documents_of(logged, corpus, questions)
    if corpus is None:
        return score_retrieval(
            questions, logged.table("chunks"), logged.table("hits"), mode=mode, k=k,
            context=context, baseline=baseline, cluster=cluster, level=level,
        )  # fmt: skip
    texts = read_corpus(corpus)
    asked = read_questions(own_questions(corpus, questions), texts)
    splits = named_chunkers(chunkers)
    ways = _ways(retrievers, embedders)
    folder = _folder(cache)
    with _progress(progress) as told:
        sweep = Sweep(
            texts, asked, embedders, rerankers, ways, MOST if k == -1 else k or 1,
            context, folder, told, count_tokens, mode,
        )  # fmt: skip
        parts = [sweep.chunker(name, split) for name, split in splits.items()]
    theirs, came, doubts = logged_hits(logged, texts, asked, count_tokens)
    return assemble(
        asked,
        pl.concat([*(part.chunks for part in parts), theirs], how="diagonal"),
        pl.concat([*(part.hits for part in parts), came]),
        mode=mode, k=k, context=context, corpus=texts, baseline=baseline, cluster=cluster,
        level=level,
        described=_described([part.described for part in parts], theirs),
        depths={name: part.depth for part in parts for name in part.described["experiment_id"]},
        told=[*(check for part in parts for check in part.checks), *doubts],
        settings={
            "chunkers": list(splits),
            "embedders": list(embedders),
            "retrievers": ways,
            "rerankers": list(rerankers),
            "corpus": digest_of(part for pair in texts.texts() for part in pair),
        },
    )  # fmt: skip


def _described(ours: list[pl.DataFrame], theirs: pl.DataFrame) -> pl.DataFrame:
    """A row an experiment, of the sweep and of what was logged."""
    others = pl.DataFrame({"experiment_id": theirs["experiment_id"].unique(maintain_order=True)})
    described = pl.concat([*ours, others], how="diagonal")
    names = described["experiment_id"]
    if (twice := names.filter(names.is_duplicated())).len():
        raise BadSettings(f"two experiments are called {twice[0]!r}; rename one of them")
    return described


def _callables(what: str, given: Any) -> dict[str, Callable[..., Any]]:
    """Callables by name, refused where they are none."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadSettings(f"{what} are given by name: {what}={{'name': callable}}")
    for name, each in given.items():
        if not callable(each):
            raise BadSettings(f"{what}: {name!r} is a {type(each).__name__}, not a callable")
        limit = getattr(each, "limit", None)
        number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if limit is not None and not (number and limit >= 0):
            raise BadSettings(f"{what}: the limit of {name!r} is a number of characters")
    return {str(name): each for name, each in given.items()}


def _ways(retrievers: Sequence[str] | None, embedders: Callables) -> list[str]:
    if retrievers is None:
        return [*LEXICAL, *(["dense"] if embedders else []), "hybrid"]
    retrievers = [retrievers] if isinstance(retrievers, str) else retrievers
    if not isinstance(retrievers, Sequence):
        raise BadSettings(f"retrievers are a list of {', '.join(RETRIEVERS)}")
    for way in retrievers:
        if way not in RETRIEVERS:
            raise BadSettings(f"no retriever {way!r}; there are {', '.join(RETRIEVERS)}")
    if "dense" in retrievers and not embedders:
        raise BadSettings("dense search needs an embedder: embedders={'name': callable}")
    return list(dict.fromkeys(["bm25", *retrievers]))


def _folder(cache: Any) -> Path | None:
    """Where things are kept: in a lab beside its tables."""
    if cache is None:
        return None
    if isinstance(cache, str | os.PathLike):
        return Path(cache)
    place = getattr(cache, "path", None)
    if place is None:
        raise BadSettings("cache is a Lab or a folder")
    return Path(place) / "cache" / "retrieval"


@contextmanager
def _progress(wanted: Progress | bool | None) -> Iterator[Progress]:
    if callable(wanted):
        yield wanted
        return
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def told(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total)

        yield told
