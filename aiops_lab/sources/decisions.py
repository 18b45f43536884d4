"""Tables of a model's decisions, and of attributions: a row a decision, or a feature of one.

Decisions are told by the columns ``at`` and ``chosen`` (called so or mapped), attributions by
``decision_id``, ``feature`` and ``attribution``. Columns of decisions that no canonical table knows
are features; ``score_OPTION`` is the score of one option. A name mapped may be a dotted path into
nested JSON or a struct, whose other fields are no features then.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from aiops_lab.sources.contract import Batch, Mapping, Problem
from aiops_lab.sources.flat import FALSE, TRUE, named, pick
from aiops_lab.tables import conform, digest, moments

NAME = "decisions"
TOLD = ("decision_id", "at", "chosen", "score", "outcome", "split")
SHARED = ("decision_id", "option", "feature", "value", "attribution")
COLUMNS = (*TOLD, *(name for name in SHARED if name not in (*TOLD, "value")))
"""What a column may be called."""
OTHERS = ("run_id", "sample_id", "trace_id", "span_id", "metric", "question_id", "artefact")
"""Columns of tables of another kind."""
SCORE = "score_"
WORKED = (*TRUE, "ok", "success", "succeeded", "approved", "completed")
NOT = (*FALSE, "error", "failure", "declined", "rejected", "timeout")


def kind_of(columns: Collection[str], mapping: Mapping) -> str | None:
    """``decisions`` or ``attributions``, if a table with these columns is one.

    Examples
    --------
    >>> kind_of(["at", "chosen", "amount"], {}), kind_of(["at", "output"], {})
    ('decisions', None)
    >>> kind_of(["decision_id", "feature", "attribution"], {})
    'attributions'
    """

    there = named(columns, mapping)
    if any(map(there, OTHERS)):
        return None
    if all(map(there, ("decision_id", "feature", "attribution"))):
        return "attributions"
    return NAME if all(map(there, ("at", "chosen"))) else None


def from_table(frame: pl.DataFrame, mapping: Mapping) -> Batch:
    """Rows of decisions or attributions from one table; a row that cannot be one is told.

    Without a decision_id, a decision is known by what it says and by how many said it before.

    Raises
    ------
    BadSettings
        The mapping names a column that is not there.
    """
    if "_place" not in frame.columns:
        frame = frame.with_row_index("_place", 1)
    kind = kind_of(frame.columns, mapping)
    columns, _ = pick(frame, {k: v for k, v in mapping.items() if k in COLUMNS}, COLUMNS)
    if kind == "attributions":
        return _attributions(frame, columns)
    theirs = {str(mapping.get(name, name)) for name in TOLD}
    used = theirs | {name.partition(".")[0] for name in theirs}
    rest = frame.drop("_place", *(used & {*frame.columns}))
    scores = [name for name in rest.columns if name.startswith(SCORE)]
    found = frame.select("_place", **{name: columns[name] for name in TOLD if name in columns})
    rows = found.with_columns(
        _object(rest, [name for name in rest.columns if name not in scores], "features"),
        _object(rest, scores, "scores", SCORE),
    )
    rows, problems = _checked(rows)
    return Batch({NAME: conform(rows, NAME)}, problems)


def _attributions(frame: pl.DataFrame, columns: dict[str, pl.Expr]) -> Batch:
    value = {"value": pl.col("value")} if "value" in frame.columns else {}
    found = frame.select("_place", **{n: columns[n] for n in SHARED if n in columns}, **value)
    rows = found.with_columns(
        pl.col(name).cast(pl.String) for name in found.columns if name not in ("_place",)
    ).with_columns(pl.col("attribution").cast(pl.Float64, strict=False))
    bad = (
        pl.any_horizontal(pl.col("decision_id", "feature", "attribution").is_null())
        | ~pl.col("attribution").is_finite()
    ).fill_null(True)
    problems = [
        Problem(f"row {place}", "an attribution has a decision_id, a feature and a finite number")
        for place in rows.filter(bad)["_place"]
    ]
    return Batch({"attributions": conform(rows.filter(~bad), "attributions")}, problems)


def _object(rest: pl.DataFrame, names: list[str], name: str, prefix: str = "") -> pl.Series:
    """Columns as one JSON object a row; texts that are all numbers are numbers."""
    kept = [c for c in names if rest.schema[c] not in (pl.Binary, pl.Object)]
    if not kept:
        return pl.Series(name, [None] * rest.height, pl.String)
    columns = [_number(rest[c]).alias(c.removeprefix(prefix)) for c in kept]
    return rest.select(pl.struct(columns).struct.json_encode().alias(name)).to_series()


def _number(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():
        return column.fill_nan(None)
    if column.dtype != pl.String:
        return column
    told = column.str.strip_chars()
    number = told.cast(pl.Float64, strict=False)
    kept = told.is_not_null() & (told != "")
    ids = told.str.contains(r"^[+-]?0\d")
    if (number.is_null() & kept).any() or ids.any() or not kept.any():
        return column
    return number.fill_nan(None)


def _checked(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """Rows typed, those without a time or a choice told, those without an id named."""
    worked = pl.col("outcome").cast(pl.String).str.strip_chars().str.to_lowercase()
    outcome = pl.when(worked.is_in(WORKED)).then(1.0).when(worked.is_in(NOT)).then(0.0).otherwise(
        worked.cast(pl.Float64, strict=False)
    )  # fmt: skip
    missing = [name for name in TOLD if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    rows = rows.with_columns(
        pl.col("chosen", "decision_id", "split").cast(pl.String).str.strip_chars(),
        pl.col("score").cast(pl.String).cast(pl.Float64, strict=False),
        moments(rows["at"]),
        outcome=outcome,
    )
    blank = pl.col("chosen").is_null() | (pl.col("chosen") == "")
    reasons = pl.when(pl.col("at").is_null()).then(pl.lit("at is no time that can be read")).when(
        blank
    ).then(pl.lit("it does not say what was chosen"))  # fmt: skip
    told = rows.with_columns(reason=reasons)
    problems = [
        Problem(f"row {place}", reason)
        for place, reason in told.filter(pl.col("reason").is_not_null())
        .select("_place", "reason").iter_rows()
    ]  # fmt: skip
    return _known(told.filter(pl.col("reason").is_null())), problems


def _known(rows: pl.DataFrame) -> pl.DataFrame:
    bare = pl.col("decision_id").is_null() | (pl.col("decision_id") == "")
    said = pl.concat_str(
        pl.col("at").cast(pl.String), "chosen", "features", separator="|", ignore_nulls=True
    )
    rows = rows.with_columns(said=pl.when(bare).then(said))
    text = pl.concat_str("said", pl.int_range(1, pl.len() + 1).over("said"), separator="|")
    mark = text.map_elements(digest, pl.String)  # only of those that have none
    return rows.with_columns(decision_id=pl.coalesce(mark, "decision_id")).drop("said")
