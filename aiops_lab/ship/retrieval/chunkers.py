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
LARGEST = 2**31
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
        found[name] = built_in(each) if isinstance(each, str) else Own(name, each)
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
    if not overlap < size < LARGEST:
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


class Own:
    """A chunker of the user's own, whose spans are verified against the text.

    `unsure` counts the chunks given as texts that stand at several places, so that it cannot be
    known which was meant.
    """

    def __init__(self, name: str, each: Any) -> None:
        self.name, self.unsure = name, 0
        asked = (getattr(each, m) for m in METHODS if callable(getattr(each, m, None)))
        self._ask = each if isinstance(each, type) else next(asked, each)
        if isinstance(each, type) or not callable(self._ask):
            listed = ", ".join(METHODS)
            raise BadSettings(f"chunker {name!r} is no callable and has none of {listed}")

    def __call__(self, text: str) -> list[Span]:
        given = self._ask(text)
        if not isinstance(given, Iterable) or isinstance(given, str | bytes):
            raise BadSettings(f"chunker {self.name!r} gives a {type(given).__name__}, not a list")
        spans, unsure = verified(self.name, text, list(given))
        self.unsure += unsure
        return spans


def verified(name: str, text: str, given: Sequence[Any]) -> tuple[list[Span], int]:
    """The spans of what a chunker gave, and how many of them are a guess.

    Pairs, texts, or objects with offsets. Offsets that do not fit their text are read as bytes;
    else the text is looked up behind the chunk before. Where it stands at several places the one
    that leaves out least is taken, and counted as a guess.

    Raises
    ------
    BadSettings
        A chunk whose text is not in the document, or a span outside of it.

    Examples
    --------
    >>> verified("own", "One. Two. Two.", ["One.", "Two.", "Two."])
    ([(0, 4), (5, 9), (10, 14)], 0)
    """
    spans: list[Span] = []
    unsure, before = 0, (0, 0)
    for number, each in enumerate(given, 1):
        try:
            start, end, piece = _parts(each)
        except (TypeError, ValueError, OverflowError):
            raise BadSettings(
                f"chunker {name!r}, chunk {number}: {repr(each)[:60]} is no chunk; give (start, "
                "end), a text, or an object with start_index and end_index"
            ) from None
        fits = start is not None and end is not None and 0 <= start <= end <= len(text)
        if piece is None and not fits:
            told = f"{start} to {end}" if start is not None else repr(each)[:60]
            raise BadSettings(
                f"chunker {name!r}, chunk {number}: {told} is no span of a text of {len(text)}"
            )
        if piece is not None and not (fits and text[start:end] == piece):
            found = _from_bytes(text, start, end, piece)
            if found is None:
                found, several = _found(name, text, piece, before, number)
                unsure += several
            start, end = found
        before = (int(start or 0), int(end or 0))
        spans.append(before)
    return spans, unsure


def _parts(each: Any) -> tuple[int | None, int | None, str | None]:
    """Start, end and text of one chunk, as far as it says."""
    if isinstance(each, str):
        return None, None, each
    if isinstance(each, Sequence) or hasattr(each, "tolist"):
        parts = list(each)
        if len(parts) == 2 and isinstance(parts[1], str):
            return _whole(parts[0]), _whole(parts[0]) + len(parts[1]), parts[1]
        if len(parts) == 3 and isinstance(parts[2], str):
            return _whole(parts[0]), _whole(parts[1]), parts[2]
        if len(parts) != 2:
            raise TypeError("no chunk")
        return _whole(parts[0]), _whole(parts[1]), None

    def get(key: str) -> Any:
        return each.get(key) if isinstance(each, Mapping) else getattr(each, key, None)

    meta = get("metadata")
    start = next((v for key in ("start_index", "start") if (v := get(key)) is not None), None)
    if start is None and isinstance(meta, Mapping):
        start = meta.get("start_index")
    texts = (get(key) for key in ("text", "page_content", "content"))
    piece = next((text for text in texts if isinstance(text, str)), None)
    end = next((v for key in ("end_index", "end") if (v := get(key)) is not None), None)
    if end is None and start is not None and piece is not None:
        end = _whole(start) + len(piece)
    return None if start is None else _whole(start), None if end is None else _whole(end), piece


def _whole(value: Any) -> int:
    number = int(value)
    if number != value:
        raise ValueError(f"{value!r} is no place in a text")
    return number


def _from_bytes(text: str, start: int | None, end: int | None, piece: str) -> Span | None:
    """The span of offsets that count bytes of UTF-8."""
    if start is None or end is None or text.isascii():
        return None
    data = text.encode()
    if not 0 <= start <= end <= len(data) or data[start:end] != piece.encode():
        return None
    at = len(data[:start].decode())
    return at, at + len(piece)


def _found(name: str, text: str, piece: str, before: Span, number: int) -> tuple[Span, bool]:
    """Where a chunk's text is, and whether it may be elsewhere too.

    Right behind the chunk before, but for spaces; else where it overlaps that by least or leaves
    out least; else anywhere.
    """
    next_word = before[1] + len(text[before[1] :]) - len(text[before[1] :].lstrip())
    for at in (before[1], next_word):
        if piece and text.startswith(piece, at):
            return (at, at + len(piece)), False
    after = text.find(piece, before[1])
    within = text.rfind(piece, before[0] + 1, before[1] + len(piece))
    earlier = text.find(piece, before[0] + 1, before[1] + len(piece))
    if within > before[0] >= 0 and within < before[1]:
        return (within, within + len(piece)), earlier != within
    if after >= 0:
        return (after, after + len(piece)), text.find(piece, after + 1) >= 0
    anywhere = text.find(piece)
    if anywhere >= 0:
        return (anywhere, anywhere + len(piece)), text.find(piece, anywhere + 1) >= 0
    if words := piece.split():
        pattern = re.compile(r"\s+".join(map(re.escape, words)))
        if hit := pattern.search(text, before[0]) or pattern.search(text):
            return hit.span(), pattern.search(text, hit.end()) is not None
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
