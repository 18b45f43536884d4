"""Lexical support: how much of an answer's wording stands in the passages it was given.

It compares words, not meaning: a paraphrase lowers it, and a "not" put into a sentence of the
passages hardly does. Numbers, quotations and names that stand nowhere in the passages are listed
as well, to be looked at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings

LISTED = ("numbers_missing", "names_missing", "quotes_missing", "citations_missing")
SCHEMA = {
    "support": pl.Float64, "weakest": pl.Float64, "sentences": pl.Int64,
    **dict.fromkeys(LISTED, pl.List(pl.String)),
}  # fmt: skip
LONGEST = 100
"""Longer words are not normalised: a million marks on one letter take minutes."""
REMEMBERED = 2_000
"""Passages kept while answers are gone through: the same ones come back for many."""
UNITS = {
    word: unit
    for unit, words in {
        "%": "% percent prozent", "€": "€ eur euro euros", "$": "$ usd dollar dollars",
        "£": "£ gbp pounds", "min": "min minute minutes minuten", "s": "sec second seconds",
        "h": "h hr hrs hour hours stunde stunden", "day": "day days tag tage tagen",
        "week": "week weeks woche wochen", "month": "month months monat monate monaten",
        "year": "year years jahr jahre jahren", "km": "km kilometres kilometers kilometer",
        "m": "m metres meters metre meter", "cm": "cm", "mm": "mm", "kg": "kg kilograms",
        "mb": "mb", "gb": "gb", "°c": "°c",
    }.items()
    for word in words.split()
}  # fmt: skip
MONTHS = {
    name: number
    for number, names in {
        1: "Jan January Januar", 2: "Feb February Februar", 3: "Mar March März", 4: "Apr April",
        5: "May Mai", 6: "Jun June Juni", 7: "Jul July Juli", 8: "Aug August",
        9: "Sep Sept September", 10: "Oct October Okt Oktober", 11: "Nov November",
        12: "Dec December Dez Dezember",
    }.items()
    for name in names.split()
}  # fmt: skip
MONTH = "(?-i:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + ")"
UNIT = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
SPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
"""Writing without spaces: each character counts as a word."""
WORD = re.compile("[\\w\u0300-\u036f]+")
SURROGATE = re.compile("[\ud800-\udfff]")
# every repetition is bounded or ends where its class does: a long answer must not take minutes
MARKER = re.compile(r"\[\s?\d{1,3}(?:\s?[,;–-]\s?\d{1,3}){0,20}\s?\](?!\()")
END = re.compile(
    r"""[.!?…]["'”’»)\]]{0,3}(?:\s?\[\d{1,3}\]){0,5}(?!\S)|[。！？][」』）”’]{0,3}"""
    r"""|\n(?=[ \t]{0,8}(?:\n|[-*+•#>|]|\d{1,3}[.)][ \t]))"""
)
NO_END = re.compile(
    r"(?:\A|[\s(])(?:[^\W\d]|e\.g|i\.e|z\.b|dr|mr|mrs|ms|prof|st|nr|vs|cf|approx|ca|bzw|fig)\Z"
    r"|(?:\A|\n)[ \t]{0,8}\d{1,3}\Z",
    re.I,
)
ORDINAL = re.compile(rf"^[ \t]{{0,8}}\d{{1,3}}[.)](?=[ \t])(?![ \t]{MONTH}\b)", re.M)
OPENING = frozenset(':"“„«»‘')
JOINTS = frozenset((" ", "-", ". "))
QUOTE = re.compile(
    r'"[^"\n]{1,300}"|“[^“”\n]{1,300}”|„[^„“”\n]{1,300}[“”]|«[^«»\n]{1,300}»|»[^«»\n]{1,300}«'
)
FIGURE = re.compile(
    rf"""(?<!\w)(?<!\w\.)(?:
    (?P<date>\d{{4}}-\d{{1,2}}-\d{{1,2}}(?!\d)
      |\d{{1,2}}(?P<between>[./])\d{{1,2}}(?P=between)\d{{4}}(?!\d)
      |\d{{1,2}}(?:st|nd|rd|th|\.)?\ (?:of\ )?{MONTH}\b(?:\.?,?\ \d{{4}}\b)?
      |{MONTH}\.?\ \d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\ \d{{4}}\b)?)
    |(?P<time>\d{{1,2}}:\d{{2}})(?!\d)
    |(?P<money>[€$£]\ ?)?
     (?P<number>\d{{1,3}}(?:[,'’\u00a0\u202f]\d{{3}})+(?!\d)(?:\.\d+)?
      |(?<!\d,)\d+,\d{{1,2}}(?![\d,])
      |\d+(?:\.\d+)*)
     (?:[\s-]?(?P<unit>{UNIT})(?!\w))?
    )""",
    re.X | re.I,
)


def lexical_support(answers: Iterable[Any], contexts: Iterable[Any]) -> pl.DataFrame:
    """How much of each answer's wording stands in its context.

    Parameters
    ----------
    answers
        Texts; where one is missing or has no word, all its figures are null.
    contexts
        For each answer the passages it was given: a list of texts, or one text.

    Returns
    -------
    polars.DataFrame
        A row an answer. support and weakest: mean and minimum over its sentences of the share of
        word bigrams that stand in a passage, from 0 to 1. sentences: how many. numbers_missing
        (numbers, times and dates, compared as values, with their units where both sides have one),
        names_missing (capitalised words inside a sentence; in German that is every noun),
        quotes_missing: what stands in no passage. citations_missing: markers such as ``[3]``
        without a third passage. Numbers in words ("nine") are not read, and signs not compared.

    Raises
    ------
    BadSettings
        One text instead of a list, or another number of contexts than of answers.

    Examples
    --------
    >>> found = lexical_support(["It sails at 9:30 from Lindau. [2]"], [["It sails at 9:15."]])
    >>> found.select("support", "numbers_missing", "names_missing", "citations_missing").row(0)
    (0.5, ['9:30'], ['Lindau'], ['[2]'])
    """
    if isinstance(answers, str) or isinstance(contexts, str):
        raise BadSettings("give a list of answers and a list of contexts, not one text")
    answers, contexts = list(answers), list(contexts)
    if len(answers) != len(contexts):
        raise BadSettings(f"{len(answers)} answers need as many contexts, not {len(contexts)}")
    read = lru_cache(REMEMBERED)(_read)
    rows = [_row(a, _passages(c, read)) for a, c in zip(answers, contexts, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@dataclass(frozen=True)
class _Passage:
    """What one passage holds: its words alone and in pairs, and the values of its numbers."""

    text: str
    terms: frozenset[tuple[str, ...]]
    values: frozenset[tuple[Any, ...]]


def _read(text: str) -> _Passage:
    words = _words(text)
    terms = frozenset([*((word,) for word in words), *_pairs(words)])
    return _Passage(text, terms, frozenset(v for *_, offers in _figures(text) for v in offers))


def _passages(context: Any, read: Callable[[str], _Passage]) -> list[_Passage]:
    given = [context] if isinstance(context, str) or not isinstance(context, Iterable) else context
    return [read(_text(each)) for each in given]


def _text(given: Any) -> str:
    """A text of the same length without halves of surrogate pairs; none where there is none."""
    return SURROGATE.sub("\ufffd", given) if isinstance(given, str) else ""


def _row(answer: Any, passages: Sequence[_Passage]) -> tuple[Any, ...]:
    text = _text(answer)
    spans = _sentences(text)
    if not spans:
        return (None,) * len(SCHEMA)
    shares = [_support(_words(text[start:end]), passages) for start, end in spans]
    numbers = [
        shown for shown, wants, _ in _figures(ORDINAL.sub(_blank, text))
        if not any(wants & passage.values for passage in passages)
    ]  # fmt: skip
    names = (name for start, end in spans for name in _names(text[start:end]))
    quotes = (quote[0][1:-1].strip() for quote in QUOTE.finditer(text))
    terms = ([each for each in found if not _stands(each, passages)] for found in (names, quotes))
    found = [list(dict.fromkeys(each)) for each in (numbers, *terms, _astray(text, passages))]
    return sum(shares) / len(shares), min(shares), len(spans), *found


def _words(text: str) -> list[str]:
    """Its words in lower case; citation markers are none."""
    text = MARKER.sub(" ", text).lower()
    if text.isascii():
        return WORD.findall(text)
    words = WORD.findall(SPACED.sub(r" \g<0> ", text))
    return [unicodedata.normalize("NFKC", w) if len(w) <= LONGEST else w for w in words]


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise(words))


def _terms(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [*_pairs(words)] or [(word,) for word in words]


def _support(words: Sequence[str], passages: Sequence[_Passage]) -> float:
    terms = _terms(words)
    return sum(any(term in each.terms for each in passages) for term in terms) / len(terms)


def _stands(text: str, passages: Sequence[_Passage]) -> bool:
    return all(any(t in each.terms for each in passages) for t in _terms(_words(text)))


def _sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences with a word in them begin and end."""
    ends = [
        found.end() for found in END.finditer(text)
        if found[0][0] != "." or not NO_END.search(text[max(found.start() - 12, 0):found.start()])
    ]  # fmt: skip
    spans = []
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        piece = text[start:end]
        if WORD.search(MARKER.sub(" ", piece)):
            spans.append((end - len(piece.lstrip()), start + len(piece.rstrip())))
    return spans


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _figures(text: str) -> Iterator[tuple[str, set[Any], set[Any]]]:
    """Numbers, times and dates: as written, the values that would support each, those it offers.

    A number with a unit is supported by the same with that unit or none; one without by any.
    """
    for found in FIGURE.finditer(MARKER.sub(_blank, text)):
        if date := found["date"]:
            dates = _dates(date)
            numbers = {str(int(number)) for number in re.findall(r"\d+", date)}
            plain = {(number, unit) for number in numbers for unit in ("", "any")}
            yield date, dates, dates | {(0, *day) for _, *day in dates} | plain
        elif found["time"]:
            hour, minute = map(int, found["time"].split(":"))
            at = {("at", hour, minute)}
            yield found["time"], at, at | {(str(hour), unit) for unit in ("", "any")}
        else:
            unit = UNITS.get((found["unit"] or found["money"] or "").strip().lower(), "")
            wants, values = {unit, ""} if unit else {"any"}, _values(found["number"])
            yield (
                found[0],
                {(value, each) for value in values for each in wants},
                {(value, each) for value in values for each in (unit, "any")},
            )


def _dates(shown: str) -> set[tuple[int, int, int]]:
    """The readings of a date as year (0: not said), month, day."""
    numbers = [int(number) for number in re.findall(r"\d+", shown)]
    named = re.search(rf"\b{MONTH}\b", shown)
    if named:
        day, year = (*numbers, 0)[:2]
        return {(year, MONTHS[named[0]], day)}
    if numbers[0] > 31:
        return {(numbers[0], numbers[1], numbers[2])}
    one, two, year = numbers
    return {(year, two, one), (year, one, two)} if "/" in shown else {(year, two, one)}


def _values(shown: str) -> set[str]:
    """The values a number may have: "1.200" is 1.2 or, with a point for thousands, 1200."""
    if not shown.isascii():
        shown = re.sub(r"\d", lambda digit: str(int(digit[0])), shown)
    if re.search(r",\d{1,2}$", shown):
        shown = shown.replace(",", ".")
    whole, *parts = re.sub("[^0-9.]", "", shown).split(".")
    whole = whole.lstrip("0") or "0"
    values = {".".join([whole, *parts])} if len(parts) > 1 else set()
    if len(parts) <= 1:
        values.add(f"{whole}.{''.join(parts)}".rstrip("0").rstrip(".") if parts else whole)
    if parts and whole != "0" and len(whole) <= 3 and all(len(part) == 3 for part in parts):
        values.add(whole + "".join(parts))
    return values


def _names(sentence: str) -> Iterator[str]:
    """Runs of capitalised words; what opens the sentence or a quotation is none by its capital."""
    if sentence.startswith("#"):
        return
    text = FIGURE.sub(_blank, MARKER.sub(_blank, sentence))
    run, end = "", 0
    for number, found in enumerate(WORD.finditer(text)):
        gap, word, end = text[end : found.start()], found[0], found.end()
        first = not number and not WORD.search(sentence[: found.start()])
        opens = first or gap.strip()[-1:] in OPENING
        named = word[0].isupper() and word != "I" and not opens
        if run and not (named and gap in JOINTS):
            yield run
            run = ""
        if named:
            run += gap + word if run else word
    if run:
        yield run


def _astray(text: str, passages: Sequence[_Passage]) -> Iterator[str]:
    """Citation markers that lead to no passage: neither counted from 1 nor written in one."""
    for found in MARKER.finditer(text):
        cited: list[int] = []
        for part in re.split("[,;]", found[0][1:-1]):
            low, *high = (int(number) for number in re.findall(r"\d+", part))
            wide = bool(high) and 0 < high[-1] - low <= 20
            cited += range(low, high[-1] + 1) if wide else [low, *high]
        for number in cited:
            marker = f"[{number}]"
            if not 1 <= number <= len(passages) and not any(marker in p.text for p in passages):
                yield marker
