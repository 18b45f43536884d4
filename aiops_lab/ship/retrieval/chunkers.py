"""Ways of dividing a text, and the offsets of what they give, verified."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aiops_lab.errors import BadSettings

Span = tuple[int, int]
Split = Callable[[str], list[Span]]
SPEC = re.compile(r"(characters|markdown|tokens|windows)-(\d+)(?:-(\d+))?")
KINDS = "characters-800, markdown-800, tokens-200, windows-800; with an overlap: characters-800-200"
METHODS = ("chunk_indices", "chunk", "split_text", "chunks")
"""What chunkers of other libraries are asked with: text-splitter's, chonkie's, LangChain's."""
MODEL = "gpt-4"
"""Whose vocabulary counts tokens; it comes with the splitter."""


def named_chunkers(given: Any) -> dict[str, Split]:
    """Chunkers by name: specs such as ``markdown-800-200``, callables or objects of any library.

    Parameters
    ----------
    given
        One spec, a list of specs and callables, or a mapping of names to either.

    Raises
    ------
    BadSettings
        A spec that is not known, an overlap as large as its size, a name given twice.

    Examples
    --------
    >>> named_chunkers("windows-4-1")["windows-4-1"]("abcdefgh")
    [(0, 4), (3, 7), (6, 8)]
    """
    if isinstance(given, str) or not isinstance(given, Mapping | Sequence):
        given = [given]
    if isinstance(given, Mapping):
        pairs = [(str(name), each) for name, each in given.items()]
    else:
        pairs = [(each if isinstance(each, str) else _name(each), each) for each in given]
    if not pairs:
        raise BadSettings(f"give a way of dividing: {KINDS}, or your own callable")
    found: dict[str, Split] = {}
    for name, each in pairs:
        if name in found:
            raise BadSettings(f"two chunkers are called {name!r}; name them in a mapping")
        found[name] = built_in(each) if isinstance(each, str) else own(name, each)
    return found


def size_of(spec: str) -> tuple[str | None, int | None, int | None]:
    """Kind, size and overlap of a spec; None for each where it is a name of the user's own."""
    if not (hit := SPEC.fullmatch(spec)):
        return None, None, None
    return hit[1], int(hit[2]), int(hit[3] or 0)


def built_in(spec: str) -> Split:
    """The chunker of a spec."""
    kind, size, overlap = size_of(spec)
    if kind is None or size is None or overlap is None:
        raise BadSettings(f"no chunker {spec!r}; there are {KINDS}, or any callable")
    if size < 1 or overlap >= size:
        raise BadSettings(f"{spec}: the size is 1 or more and larger than the overlap")
    if kind == "windows":
        return lambda text: _windows(len(text), size, overlap)
    import semantic_text_splitter as splitter

    if kind == "tokens":
        made = splitter.TextSplitter.from_tiktoken_model(MODEL, size, overlap)
    else:
        make = splitter.MarkdownSplitter if kind == "markdown" else splitter.TextSplitter
        made = make(size, overlap)
    return lambda text: [(at, at + len(piece)) for at, piece in made.chunk_indices(text)]


def _windows(length: int, size: int, overlap: int) -> list[Span]:
    step = size - overlap
    last = max(length - overlap, min(length, 1))
    return [(at, min(at + size, length)) for at in range(0, last, step)]


def own(name: str, each: Any) -> Split:
    """A chunker of the user's own, whose spans are verified against the text."""
    ask = next((getattr(each, m) for m in METHODS if callable(getattr(each, m, None))), each)
    if not callable(ask):
        raise BadSettings(f"chunker {name!r} is neither callable nor has one of {METHODS}")

    def split(text: str) -> list[Span]:
        given = ask(text)
        if not isinstance(given, Iterable) or isinstance(given, str | bytes):
            raise BadSettings(f"chunker {name!r} gives a {type(given).__name__}, not a list")
        return verified(name, text, list(given))

    return split


def verified(name: str, text: str, given: Sequence[Any]) -> list[Span]:
    """The spans of what a chunker gave: pairs, texts, or objects with offsets.

    Offsets that do not fit their text (counted in bytes, or found by search on a repeated passage)
    are looked up, in order.

    Raises
    ------
    BadSettings
        A chunk whose text is not in the document, or a span outside of it.
    """
    spans: list[Span] = []
    cursor = 0
    for number, each in enumerate(given, 1):
        start, end, piece = _parts(each)
        fits = start is not None and end is not None and 0 <= start <= end <= len(text)
        if piece is None:
            if not fits:
                told = f"{start} to {end}" if start is not None else repr(each)[:60]
                raise BadSettings(
                    f"chunker {name!r}, chunk {number}: {told} is no span of a text of {len(text)}"
                )
        elif not fits or text[start:end] != piece:
            start, end = _found(name, text, piece, cursor, number)
        assert start is not None and end is not None
        spans.append((start, end))
        cursor = start + 1 if end > start else start
    return spans


def _parts(each: Any) -> tuple[int | None, int | None, str | None]:
    """Start, end and text of one chunk, as far as it says."""
    if isinstance(each, str):
        return None, None, each
    if isinstance(each, Sequence):
        if len(each) == 2 and isinstance(each[1], str):
            return int(each[0]), int(each[0]) + len(each[1]), each[1]
        if len(each) == 2 and not any(isinstance(end, float | str) for end in each):
            return int(each[0]), int(each[1]), None
        return None, None, None

    def get(key: str) -> Any:
        return each.get(key) if isinstance(each, Mapping) else getattr(each, key, None)

    meta = get("metadata")
    start = next((v for key in ("start_index", "start") if (v := get(key)) is not None), None)
    if start is None and isinstance(meta, Mapping):
        start = meta.get("start_index")
    piece = next(
        (v for key in ("text", "page_content", "content") if isinstance(v := get(key), str)), None
    )
    end = next((v for key in ("end_index", "end") if (v := get(key)) is not None), None)
    if end is None and start is not None and piece is not None:
        end = int(start) + len(piece)
    return None if start is None else int(start), None if end is None else int(end), piece


def _found(name: str, text: str, piece: str, cursor: int, number: int) -> Span:
    """Where a chunk's text is: at or after the chunk before, else anywhere, however spaced."""
    for begin in (cursor, 0):
        if (at := text.find(piece, begin)) >= 0:
            return at, at + len(piece)
    words = piece.split()
    if words:
        pattern = re.compile(r"\s+".join(map(re.escape, words)))
        if hit := pattern.search(text, cursor) or pattern.search(text):
            return hit.span()
    raise BadSettings(
        f"chunker {name!r}, chunk {number}: its text is not in the document: {piece[:60]!r}; "
        "a chunker that rewrites text must give (start, end)"
    )


def chroma_places(text: str, spans: Sequence[Span]) -> list[Span]:
    """Where `chunking_evaluation` believes some chunks to be.

    It looks for a chunk's text, without a full stop at its end, from the start of the document: of
    a passage that occurs twice the first place counts. (What it does where there is none is never
    needed here: the text of a verified chunk is in its document.)

    Examples
    --------
    >>> chroma_places("Yes. No. Yes.", [(0, 4), (5, 8), (9, 13)])
    [(0, 3), (5, 7), (0, 3)]
    """
    places = []
    for start, end in spans:
        piece = text[start:end]
        piece = piece[:-1] if piece.endswith(".") else piece
        at = text.find(piece)
        places.append((at, at + len(piece)))
    return places


def _name(each: Any) -> str:
    return getattr(each, "__name__", None) or type(each).__name__
