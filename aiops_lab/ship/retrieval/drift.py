"""What a change of the documents does to an index: which gold moved, which text is out of reach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.result import Result
from aiops_lab.ship.retrieval.alignment import PIECE, likeness, matching
from aiops_lab.ship.retrieval.inputs import (
    QUARANTINE,
    Corpus,
    Questions,
    outside,
    read_corpus,
    read_questions,
)
from aiops_lab.ship.retrieval.relocate import (
    HEAD,
    LONG,
    SIMILAR,
    Matches,
    Place,
    alike,
    elsewhere_alike,
    elsewhere_exactly,
    own_place,
)
from aiops_lab.ship.retrieval.spans import first_cover, merged, overlaps
from aiops_lab.sources.retrieval import read_chunks, read_hits
from aiops_lab.tables import schema_of
from aiops_lab.verdict import Evidence, Verdict
from aiops_lab.wording import listing

TOP = 10
CROWD = 50
"""Lines in more documents than that say nothing about where a document went."""
DOCUMENTS = schema_of(
    "doc_id status renamed_from similarity:float characters_before:int characters_after:int"
)
GOLD = schema_of(
    "question_id doc_id start:int end:int status now_doc_id now_start:int now_end:int "
    "similarity:float"
)
UNREACHABLE = schema_of("doc_id start:int end:int characters:int text")
OVERLAP = schema_of("question_id overlap:float changed:bool")


@dataclass(frozen=True)
class IndexDrift(Result):
    """What a change of the documents did; see `index_drift`.

    Attributes
    ----------
    verdict
        warn where gold is lost or changed or text went out of reach; inconclusive where there is
        nothing to compare.
    documents
        doc_id, status (same, changed, added, removed, renamed), renamed_from, similarity (share of
        the characters that are equal), characters_before, characters_after.
    gold
        question_id, doc_id, start, end (before), status (in place, moved, changed, lost),
        now_doc_id, now_start, now_end, similarity.
    unreachable
        doc_id, start, end, characters, text (its head): what a chunk held before, and none does
        now, though it still stands in the same or the renamed document.
    questions
        question_id, overlap (Jaccard, of the texts of the first 10 hits), changed: whether
        anything else comes back. Only with hits.
    quarantined
        place, reason: what could not be compared.
    settings
        The limits used.
    was, now
        The documents.
    """

    verdict: Verdict
    documents: pl.DataFrame
    gold: pl.DataFrame
    unreachable: pl.DataFrame
    questions: pl.DataFrame
    quarantined: pl.DataFrame
    settings: dict[str, Any]
    was: Corpus
    now: Corpus


def index_drift(
    before: Any,
    after: Any,
    questions: Any = None,
    chunks_before: Any = None,
    chunks_after: Any = None,
    hits_before: Any = None,
    hits_after: Any = None,
) -> IndexDrift:
    """Compare documents before and after a change, and locate the gold again.

    Gold is looked for by its exact text: in its document (nearest to where the equal text around
    it went), in the document renamed from it, then, from 20 characters on, in any other; then by
    likeness in the same order.

    Parameters
    ----------
    before, after
        Documents, as `aiops_lab.ship.retrieval.inputs.read_corpus` takes them.
    questions
        Questions with gold in the documents before.
    chunks_before, chunks_after
        The chunks of one index each: with both, text that went out of reach is told.
    hits_before, hits_after
        What was retrieved, of the chunks given: with both, what comes back is compared.

    Raises
    ------
    BadSource, BadSettings
        Something given cannot be read, or fits nothing.

    Examples
    --------
    >>> asked = [{"question_id": "q", "text": "?", "gold": [{"doc_id": "a", "quote": "Two rest."}]}]
    >>> found = index_drift({"a": "Nine sail. Two rest."}, {"a": "Now nine sail. Two rest."}, asked)
    >>> found.gold.select("status", "start", "now_start").row(0)
    ('moved', 11, 15)
    >>> print(found.verdict)
    ● ok: 1 of 1 gold spans were located again, 1 at another place. Score with the new places.
    """
    was, now = read_corpus(before), read_corpus(after)
    asked = None if questions is None else read_questions(questions, was)
    old, new = dict(was.texts()), dict(now.texts())
    documents, matches = _documents(old, new)
    gold, astray = _gold(asked, old, new, matches, documents)
    parts = _chunks(chunks_before, was, "before"), _chunks(chunks_after, now, "after")
    unreachable = _unreachable(*parts, matches, new)
    overlap = _overlap(
        _retrieved(hits_before, parts[0], old, "before"),
        _retrieved(hits_after, parts[1], new, "after"),
    )
    if asked is not None:
        astray = pl.concat([asked.quarantined, astray])
    return IndexDrift(
        _verdict(documents, gold, unreachable, overlap, astray.height),
        documents, gold, unreachable, overlap,
        pl.concat([was.quarantined, now.quarantined, astray]),
        {"similar": SIMILAR, "top": TOP, "long": LONG}, was, now,
    )  # fmt: skip


def _documents(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[pl.DataFrame, Matches]:
    """What became of each document, and what of its text is equal."""
    gone = {name: text for name, text in old.items() if name not in new}
    fresh = {name: text for name, text in new.items() if name not in old}
    pairs = {name: name for name in old if name in new} | _renamed(gone, fresh)
    rows: list[tuple[Any, ...]] = []
    matches: Matches = {}
    for name, called in pairs.items():
        one, two = old[name], new[called]
        blocks = matching(one, two)
        matches[name] = called, blocks
        status = "renamed" if name != called else "same" if one == two else "changed"
        source = name if name != called else None
        share = likeness(blocks, len(one), len(two))
        rows.append((called, status, source, share, len(one), len(two)))
    rows += [(d, "removed", None, None, len(t), None) for d, t in gone.items() if d not in pairs]
    taken = {called for called, _ in matches.values()}
    rows += [(d, "added", None, None, None, len(t)) for d, t in fresh.items() if d not in taken]
    return pl.DataFrame(rows, schema=DOCUMENTS, orient="row").sort("doc_id"), matches


def _renamed(gone: Mapping[str, str], fresh: Mapping[str, str]) -> dict[str, str]:
    """Documents that went, and what they are called now: by equal texts, then by equal lines."""
    by_text: dict[str, list[str]] = {}
    for name, text in gone.items():
        if text.strip():
            by_text.setdefault(text, []).append(name)
    found = {same.pop(0): name for name, text in fresh.items() if (same := by_text.get(text))}
    taken = set(found.values())
    by_line: dict[str, list[str]] = {}
    for name in gone.keys() - found.keys():
        for line in {line for line in PIECE.findall(gone[name]) if len(line) >= LONG}:
            by_line.setdefault(line, []).append(name)
    likely: list[tuple[float, str, str]] = []
    for name in fresh.keys() - taken:
        shared: Counter[str] = Counter()
        for line in set(PIECE.findall(fresh[name])):
            owners = by_line.get(line, [])
            shared.update(dict.fromkeys(owners if len(owners) <= CROWD else (), len(line)))
        for source, _ in shared.most_common(3):
            one, two = gone[source], fresh[name]
            likely.append((likeness(matching(one, two), len(one), len(two)), source, name))
    for share, source, name in sorted(likely, reverse=True):
        if share >= SIMILAR and source not in found and name not in taken:
            found[source] = name
            taken.add(name)
    return found


def _gold(
    asked: Questions | None, old: Mapping[str, str], new: Mapping[str, str], matches: Matches,
    documents: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """Where each span of gold is now; and spans that lie in no document before."""
    rows: list[list[Any]] = []
    places: list[Place | None] = []
    bad: list[tuple[str, str]] = []
    if asked is not None:
        names = asked.table["question_id"].to_list()
        for number, doc_id, start, end in (
            asked.gold.select("question", "doc_id", "start", "end").iter_rows()
        ):  # fmt: skip
            if doc_id not in old or (end or 0) > len(old[doc_id]):
                bad.append((names[number], f"its gold lies outside of the documents: {doc_id!r}"))
                continue
            rows.append([names[number], doc_id, start, end])
            places.append(own_place(doc_id, start, end, old, new, matches))
    texts = {n: old[row[1]][row[2] : row[3]] for n, row in enumerate(rows)}
    # where else the rest stands is asked of all documents at once
    rest = {n: texts[n] for n, row in enumerate(rows) if row[2] is not None and places[n] is None}
    added = documents.filter(pl.col("status").is_in(["added", "renamed"]))["doc_id"].to_list()
    elsewhere = {name: new[name] for name in dict.fromkeys([*added, *new])}
    found = elsewhere_exactly(rest, elsewhere)
    found |= alike({n: text for n, text in rest.items() if n not in found}, rows, new, matches)
    found |= elsewhere_alike({n: t for n, t in rest.items() if n not in found}, elsewhere)
    for n, row in enumerate(rows):
        place = places[n] or found.get(n)
        if place is None:
            row += ["lost", None, None, None, None]
            continue
        name, start, end, _ = place
        same, stays = new[name][start:end] == texts[n], [name, start, end] == row[1:4]
        row += ["changed" if not same else "in place" if stays else "moved", *place]
    table = pl.DataFrame(rows, schema=GOLD, orient="row")
    return table, pl.DataFrame(bad, schema=QUARANTINE, orient="row")


def _chunks(source: Any, corpus: Corpus, side: str) -> pl.DataFrame | None:
    if source is None:
        return None
    parts = read_chunks(source)
    if parts["experiment_id"].n_unique() > 1:
        raise BadSettings(f"chunks_{side} holds several experiments; give the chunks of one index")
    if (out := outside(parts, corpus)).height:
        name, doc_id, end = out.select("chunk_id", "doc_id", "end").row(0)
        raise BadSource(
            f"{out.height} of chunks_{side} lie outside of the documents {side}: {name!r} ends at "
            f"{end} of {doc_id!r}; are they of another version?"
        )
    return parts


def _spans(parts: pl.DataFrame, ids: Mapping[str, int]) -> tuple[np.ndarray, ...]:
    known = parts.filter(pl.col("doc_id").is_in(list(ids)))
    group = [ids[name] for name in known["doc_id"]]
    return merged(np.array(group, np.int64), known["start"].to_numpy(), known["end"].to_numpy())


def _unreachable(
    before: pl.DataFrame | None, after: pl.DataFrame | None, matches: Matches,
    new: Mapping[str, str],
) -> pl.DataFrame:  # fmt: skip
    """What chunks held before, where it stands now, less what chunks hold now."""
    if before is None or after is None:
        return pl.DataFrame(schema=UNREACHABLE)
    was, names = {name: n for n, name in enumerate(matches)}, list(new)
    now = {name: n for n, name in enumerate(names)}
    blocks = np.array(
        [
            (was[name], now[called], *block) for name, (called, some) in matches.items()
            for block in some if block[2] >= min(LONG, len(new[called]))
        ],
        np.int64,
    ).reshape(-1, 5)  # fmt: skip
    group, to, i, j, n = blocks.T
    held, start, end = _spans(before, was)
    a, b = overlaps(held, start, end, group, i, i + n)
    low, high = np.maximum(start[a], i[b]), np.minimum(end[a], (i + n)[b])
    stood = merged(to[b], low + (j - i)[b], high + (j - i)[b])
    both = zip(stood, _spans(after, now), strict=True)
    doc, low, high = (np.concatenate(pair) for pair in both)
    size = stood[0].size
    low, high, doc, span = first_cover(doc, low, high, np.arange(doc.size)[::-1])
    low, high, doc = (some[span < size] for some in (low, high, doc))
    rows: list[tuple[Any, ...]] = []
    for place, first, last in _joined(doc, low, high):
        text = new[names[place]][first:last]
        if re.search(r"\w", text):  # spaces and rules between chunks are meant to be left out
            first, last = last - len(text.lstrip()), first + len(text.rstrip())
            rows.append((names[place], first, last, last - first, text.strip()[:HEAD]))
    return pl.DataFrame(rows, schema=UNREACHABLE, orient="row")


def _joined(doc: np.ndarray, low: np.ndarray, high: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Cells that touch made one."""
    opens = np.flatnonzero(np.append(True, (doc[1:] != doc[:-1]) | (low[1:] != high[:-1])))
    if doc.size:
        ends = high[np.append(opens[1:], doc.size) - 1]
        yield from zip(doc[opens].tolist(), low[opens].tolist(), ends.tolist(), strict=True)


def _retrieved(
    hits: Any, parts: pl.DataFrame | None, texts: Mapping[str, str], side: str
) -> pl.DataFrame | None:
    """The different texts of the first hits of each question."""
    if hits is None:
        return None
    if parts is None:
        raise BadSettings(f"hits_{side} name chunks; give chunks_{side} as well")
    ranked = read_hits(hits)
    if ranked["experiment_id"].n_unique() > 1:
        raise BadSettings(f"hits_{side} holds several experiments; give the hits of one index")
    found = ranked.filter(pl.col("rank") <= TOP).join(parts, on="chunk_id", how="left")
    if unknown := found["doc_id"].null_count():
        raise BadSource(f"{unknown} of hits_{side} name chunks that are not in chunks_{side}")
    spans = found.select("doc_id", "start", "end").iter_rows()
    pieces = [texts[name][start:end].strip() for name, start, end in spans]
    return found.select("question_id", text=pl.Series(pieces, dtype=pl.String)).unique(
        maintain_order=True
    )


def _overlap(before: pl.DataFrame | None, after: pl.DataFrame | None) -> pl.DataFrame:
    """Jaccard of what came back, a row a question that either side asked."""
    if before is None or after is None:
        return pl.DataFrame(schema=OVERLAP)
    both = before.join(after, on=["question_id", "text"]).select("question_id")
    every = pl.concat([before, after]).unique(maintain_order=True)
    counts = every.group_by("question_id", maintain_order=True).len("all")
    shared = both.group_by("question_id").len("both")
    overlap = pl.col("both").fill_null(0) / pl.col("all")
    return counts.join(shared, on="question_id", how="left", maintain_order="left").select(
        "question_id", overlap=overlap, changed=overlap < 1
    )


def _verdict(
    documents: pl.DataFrame, gold: pl.DataFrame, unreachable: pl.DataFrame,
    questions: pl.DataFrame, astray: int,
) -> Verdict:  # fmt: skip
    """What of it a person has to act on."""
    counts = dict(documents["status"].value_counts().iter_rows())
    status = dict(gold["status"].value_counts().iter_rows())
    removed, total = counts.get("removed", 0), gold.height
    moved = status.get("moved", 0)
    evidence = [Evidence(f"{name} documents", count) for name, count in sorted(counts.items())]
    evidence += [Evidence(f"gold {name}", count) for name, count in sorted(status.items())]
    evidence += [Evidence("questions set aside", astray)] if astray else []
    if not set(counts) - {"added", "removed"}:
        step = "Give two versions of the same documents; do their ids agree?"
        headline = "There is nothing to compare: no document is in both."
        return Verdict("inconclusive", headline, tuple(evidence), step)
    if astray and not total and not unreachable.height:
        step = "See quarantined; give questions with gold in the documents before."
        headline = "There is nothing to compare: no gold lies in the documents before."
        return Verdict("inconclusive", headline, tuple(evidence), step)
    told, steps = _warnings(gold, unreachable)
    warned = bool(told)
    if not told and total:
        told.append(f"{total} of {total} gold spans were located again, {moved} at another place")
        steps.append("Score with the new places." if moved else "Nothing is to be done.")
    if not told:
        kept = documents.height - removed - counts.get("added", 0)
        told.append(f"{counts.get('same', 0)} of {kept} documents in both are the same")
        steps.append("Give questions to see whether their gold is still there.")
    if removed:
        told.append(f"{removed} documents are gone" if removed > 1 else "1 document is gone")
    if differs := questions["changed"].sum():
        told.append(f"other texts come back for {differs} of {questions.height} questions")
    headline = "; ".join(told) + "."
    headline = headline[0].upper() + headline[1:]
    return Verdict("warn" if warned else "ok", headline, tuple(evidence), " ".join(steps))


def _warnings(gold: pl.DataFrame, unreachable: pl.DataFrame) -> tuple[list[str], list[str]]:
    """What is not as it was, and what to do about each."""
    told, steps = [], []
    for status, said, step in (
        ("lost", "could not be re-located after the change",
         "Mark the gold of {} anew or drop the questions."),
        ("changed", "have another text now", "Read whether the answers to {} still hold."),
    ):  # fmt: skip
        if (rows := gold.filter(status=status)).height:
            told.append(f"{rows.height} of {gold.height} gold spans {said}")
            steps.append(step.format(listing(rows["question_id"].unique(maintain_order=True))))
    if unreachable.height:
        size = unreachable["characters"].sum()
        told.append(f"{size:,} characters that a chunk held are in no chunk now")
        names = listing(unreachable["doc_id"].unique(maintain_order=True))
        steps.append(f"Look at the division of {names}.")
    return told, steps
