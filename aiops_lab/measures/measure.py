"""What each answer shows, measured on its text alone: a column a measure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import polars as pl

from aiops_lab.errors import BadSettings, Unrepairable
from aiops_lab.measures.defects import json_defect, yaml_defect
from aiops_lab.measures.injection import injection
from aiops_lab.measures.json_text import MOST_REPAIRED, json_valid, repair_json
from aiops_lab.measures.language import language
from aiops_lab.measures.refusal import refusal
from aiops_lab.measures.yaml_text import repair_yaml, yaml_valid


@dataclass(frozen=True)
class Measure:
    """One measure of a text: its name, how people call it, and the version of its rule.

    `cheap` ones are taken unless others are named; a `rate` is true or false for each text. What
    `broken` names, another measure, is asked first, and this one only of texts that fail it. Of a
    frame it reads the column `reads` where there is one, else the answers.
    """

    name: str
    label: str
    unit: str
    version: int
    cheap: bool
    rate: bool
    of: Callable[[pl.Series], pl.Series] = field(repr=False, compare=False)
    broken: str | None = None
    reads: str = "output"


def measure(texts: Any, names: str | Iterable[str] | None = None) -> pl.DataFrame:
    """Measure texts: one row a text, in their order, and one column a measure.

    Parameters
    ----------
    texts
        A list or series of texts, or a frame of any library that Narwhals knows with a column
        ``output``; measures of what was asked (``injection``) read ``input`` where it has one.
        Where a text is missing, or is no Unicode, every measure is null.
    names
        One measure or several of `MEASURES`; all cheap ones where none is named.

    Raises
    ------
    BadSettings
        An unknown measure, a frame without ``output``, or texts that are none.

    Examples
    --------
    >>> measure(["Of course!", '{"a": 1}', None], ["words", "json_valid"]).rows()
    [(2, False), (2, True), (None, None)]
    """
    names = [names] if isinstance(names, str) else names
    chosen = [m.name for m in MEASURES.values() if m.cheap] if names is None else list(names)
    for name in chosen:
        if name not in MEASURES:
            near = difflib.get_close_matches(str(name), MEASURES, 1, cutoff=0)
            raise BadSettings(f"no measure {name!r}; did you mean {near[0]!r}?")
    given = {column: _texts(texts, column) for column in {MEASURES[n].reads for n in chosen}}
    found: dict[str, pl.Series] = {}
    return pl.DataFrame(
        [
            _taken(name, given[MEASURES[name].reads], found).alias(name)
            for name in dict.fromkeys(chosen)
        ]
    )


def _taken(name: str, texts: pl.Series, found: dict[str, pl.Series]) -> pl.Series:
    """A measure of texts, and of another that it needs; each is taken once."""
    if name not in found:
        one = MEASURES[name]
        if one.broken is None:
            found[name] = one.of(texts)
        else:
            valid = _taken(one.broken, texts, found)
            own = one.of(pl.select(pl.when(~valid).then(texts)).to_series())
            fine = pl.lit(False if one.rate else None)
            found[name] = pl.select(pl.when(valid).then(fine).otherwise(own)).to_series()
    return found[name]


def _texts(given: Any, column: str = "output") -> pl.Series:
    if isinstance(given, str):
        raise BadSettings("give a list of texts, not one text")
    try:
        native = nw.from_native(given, allow_series=True)
    except TypeError:
        return _listed(list(given) if isinstance(given, Iterable) else [given])
    if isinstance(native, nw.Series):
        if native.dtype != nw.String:
            return _listed(native.to_list())
        return native.to_polars().cast(pl.String)
    there = native.collect_schema().names()
    column = column if column in there else "output"
    if column not in there:
        raise BadSettings("the frame has no column 'output', which holds the texts")
    chosen = native.select(column)
    if isinstance(chosen, nw.LazyFrame):
        chosen = chosen.collect("polars")
    return _texts(chosen[column].to_native())


def _listed(texts: list[Any]) -> pl.Series:
    """Texts as a column; what is no text (pandas' NaN, lone surrogates) is missing."""
    wrong = next((t for t in texts if not (isinstance(t, str) or t is None or t != t)), None)
    if wrong is not None:
        raise BadSettings(f"texts are wanted, not {type(wrong).__name__}: {str(wrong)[:40]!r}")
    known = [t if isinstance(t, str) else None for t in texts]
    try:
        return pl.Series("", known, pl.String)
    except UnicodeEncodeError:
        whole = [t and (t if t.encode("utf-8", "replace").decode() == t else None) for t in known]
        return pl.Series("", whole, pl.String)


def _distinct(rule: Callable[[str], Any], dtype: Any) -> Callable[[pl.Series], pl.Series]:
    """A rule in Python, asked once a distinct text."""

    def of(texts: pl.Series) -> pl.Series:
        known = texts.drop_nulls().unique()
        found = pl.Series([rule(text) for text in known], dtype=dtype)
        return texts.replace_strict(known, found, default=None, return_dtype=dtype)

    return of


def _repaired(repair: Callable[[str], str]) -> Callable[[str], bool | None]:
    def repaired(text: str) -> bool | None:
        if len(text) > MOST_REPAIRED:
            return None
        try:
            return bool(repair(text))
        except Unrepairable:
            return False

    return repaired


def _tone(texts: pl.Series) -> pl.Series:
    """From -1 to 1, by the words of VADER (Hutto and Gilbert 2014): English only."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    known = SentimentIntensityAnalyzer()
    rule = _distinct(lambda text: known.polarity_scores(text)["compound"], pl.Float64)
    return rule(texts.str.head(1000))


def _repetition(texts: pl.Series) -> pl.Series:
    """The share of its triples of words that a text has said before; 0 where it has none.

    seq-rep-3 of Welleck et al. 2020, "Neural text generation with unlikelihood training", s. 6.
    """
    words = pl.DataFrame(
        {"text": texts.str.to_lowercase().str.extract_all(r"\w+")}
    ).with_row_index()
    triples = words.explode("text").select(
        "index", *(pl.col("text").shift(-n).over("index").alias(str(n)) for n in range(3))
    ).drop_nulls()  # fmt: skip
    found = triples.group_by("index").agg(new=pl.struct("0", "1", "2").n_unique() / pl.len())
    rows = words.join(found, on="index", how="left", maintain_order="left")
    return rows.select(
        pl.when(pl.col("text").is_not_null()).then(1 - pl.col("new").fill_null(1.0))
    )[:, 0]


_FORMATS = {
    "json": (json_valid, repair_json, json_defect),
    "yaml": (yaml_valid, repair_yaml, yaml_defect),
}
MEASURES = {
    one.name: one
    for one in (
        Measure("characters", "length", "characters", 1, True, False,
                lambda texts: texts.str.len_chars().cast(pl.Int64)),
        Measure("words", "words", "words", 1, True, False,
                lambda texts: texts.str.count_matches(r"\S+").cast(pl.Int64)),
        Measure("repetition", "repetition", "share of triples of words", 1, False, False,
                _repetition),
        Measure("refusal", "refusals", "share", 2, True, True, refusal),
        Measure("injection", "injection attempts", "share", 1, True, True, injection,
                reads="input"),
        *(
            one
            for kind, (valid, repair, defect) in _FORMATS.items()
            for one in (
                Measure(f"{kind}_valid", f"valid {kind.upper()}", "share", 1, True, True,
                        _distinct(valid, pl.Boolean)),
                Measure(f"{kind}_repaired", f"{kind.upper()} after repair", "share", 1, True, True,
                        _distinct(_repaired(repair), pl.Boolean), f"{kind}_valid"),
                Measure(f"{kind}_defect", f"{kind.upper()} defects", "class", 1, False, False,
                        _distinct(defect, pl.String), f"{kind}_valid"),
            )
        ),
        Measure("tone", "tone", "-1 to 1", 1, False, False, _tone),
        Measure("language", "language", "code", 1, False, False, _distinct(language, pl.String)),
    )
}  # fmt: skip
