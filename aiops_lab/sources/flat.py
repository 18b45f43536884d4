"""One flat table, by canonical or mapped column names, as rows of runs, samples and scores.

A mapping names, for a canonical column, their column: a name, a dotted path into a struct
(``"data.correct"``), a constant (``"=accuracy"``), or for ``value`` a list of score columns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.sources.contract import Batch, Mapping, Problem
from aiops_lab.sources.jsonio import compact
from aiops_lab.sources.rows import SHORT, run_summary
from aiops_lab.tables import SCHEMAS, TIME, conform, digest, moments

NAME = "table"
SHAPING = ("rows", "explode", "where")
KEY = ["run_id", "sample_id", "epoch"]
IDS = ("run_id", "sample_id", "trace_id", "span_id", "parent_id")
CANONICAL = {**SCHEMAS["runs"], **SCHEMAS["samples"], **SCHEMAS["scores"]}
DERIVED = {"source", "source_uri", "source_digest", "detail_uri", "config"}
TRUE, FALSE = (
    ("true", "1", "1.0", "yes", "pass", "passed"),
    ("false", "0", "0.0", "no", "fail", "failed"),
)
BLANK = ("error", "cluster")
ABSENT = ("", "nan", "null", "none", "na", "n/a")


def separator_of(first: str) -> str:
    """What parts the columns of a table of text: what its first line has most of."""
    return max(",\t;", key=first.count)


def from_frame(frame: pl.DataFrame, mapping: Mapping, *, default_run: str, uri: str) -> Batch:
    """Rows of runs, samples and scores from one flat table.

    Raises
    ------
    BadSource
        No column says which question a row is about.
    BadSettings
        The mapping names a column that is not there, or a canonical name that does not exist.
    """
    if "_place" not in frame.columns:
        frame = frame.with_row_index("_place", 1)
    columns, metrics = pick(frame, mapping, CANONICAL)
    found = frame.select("_place", **columns)
    if not {"sample_id", "input"} & set(columns):
        raise BadSource(
            "no column says which question a row is about; "
            f"its columns are {', '.join(c for c in frame.columns if c != '_place')}. "
            'Map one: [columns] sample_id = "their name" (in lab.toml, or --columns); '
            "a table of calls in production has a column at (or is read as the format calls)"
        )
    used = {str(theirs).split(".")[0] for t in mapping.values() for theirs in listed(t)}
    used |= {"_place", "value", *columns}
    rest = [name for name in frame.columns if name not in used and name != "metadata"]
    found = found.with_columns(metadata(frame, rest).alias("metadata"))
    found = _defaults(_blanks(found), default_run)
    tall = _tall(found, frame, metrics)
    rows, problems = typed(tall, CANONICAL)
    rows, nameless = _named(rows)
    rows, again = _keyed(rows)
    tables = {
        "runs": _first(rows, "runs", ["run_id"], uri).with_columns(
            source=pl.lit(NAME), task=pl.col("task").fill_null(pl.lit("table"))
        ),
        "samples": _first(rows, "samples", KEY, uri),
        "scores": conform(rows.filter(pl.col("metric").is_not_null()), "scores"),
    }
    counts = tables["samples"].group_by("run_id", maintain_order=True).len()
    # files that name their run add up; files that only lend it their name do not
    named = "run_id" in columns
    runs = [run_summary(run, None if named else n, True, None) for run, n in counts.iter_rows()]
    return Batch(tables, [*problems, *nameless, *again], runs)


def named(columns: Collection[str], mapping: Mapping) -> Callable[[str], bool]:
    """Whether a table with these columns has one that is called so, or mapped."""

    def there(name: str) -> bool:
        theirs = mapping.get(name, name)
        return isinstance(theirs, str) and bool({theirs, theirs.partition(".")[0]} & {*columns})

    return there


def listed(theirs: Any) -> list[Any]:
    """The columns a mapping names: one, or a list."""
    return theirs if isinstance(theirs, list) else [theirs]


def pick(
    frame: pl.DataFrame, mapping: Mapping, known: Collection[str]
) -> tuple[dict[str, pl.Expr], list[str]]:
    """An expression a known column, and the names of the score columns of a wide table."""
    columns = {
        name: pl.col(name)
        for name in known
        if name in frame.columns and name not in mapping and name not in DERIVED
    }
    metrics: list[str] = []
    for name, theirs in mapping.items():
        if name in SHAPING:
            continue
        if name == "value":
            metrics = [str(column) for column in listed(theirs)]
            for column in metrics:
                _column(frame, column)
        elif name in known:
            columns[name] = _column(frame, theirs)
    if not metrics and "value" in columns:
        metrics = ["value"]
    columns.pop("value", None)
    return columns, metrics


def _column(frame: pl.DataFrame, theirs: Any) -> pl.Expr:
    if not isinstance(theirs, str):
        raise BadSettings(f"a column is mapped to a name, not to {theirs!r}")
    if theirs.startswith("="):
        return pl.lit(theirs[1:])
    if theirs in frame.columns:
        return pl.col(theirs)
    first, *path = theirs.split(".")
    dtype = frame.schema.get(first)
    expression = pl.col(first)
    for step in path:
        fields = {f.name: f.dtype for f in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        dtype = fields.get(step)
        expression = expression.struct.field(step)
    if dtype is None:
        have = ", ".join(c for c in frame.columns if c != "_place")
        raise BadSettings(f"there is no column {theirs!r}; its columns are {have}")
    return expression


def metadata(frame: pl.DataFrame, rest: list[str], short: bool = True) -> pl.Series:
    """The other columns as one JSON object a row, with what a metadata column holds."""
    nothing = pl.Series("metadata", [None] * frame.height, pl.String)
    given = frame["metadata"] if "metadata" in frame.columns else nothing
    if isinstance(given.dtype, pl.Struct):
        given = given.struct.json_encode()
    rest = [c for c in rest if frame.schema[c] not in (pl.Binary, pl.Object)]
    found = nothing
    if rest:
        shortened = frame.select(
            pl.col(c).str.head(SHORT) if short and frame.schema[c] == pl.String else pl.col(c)
            for c in rest
        )
        found = shortened.select(pl.struct(rest).struct.json_encode().alias("metadata")).to_series()
    if given.null_count() == frame.height:
        return found
    # seldom: a metadata column, perhaps beside others, so row by row
    both = zip(given.cast(pl.String), found, strict=True)
    merged = [{**as_object(theirs), **as_object(ours)} for theirs, ours in both]
    return pl.Series("metadata", [compact(row) if row else None for row in merged], pl.String)


def as_object(text: str | None) -> dict[str, Any]:
    """A JSON object; any other text under the name it came by."""
    try:
        found = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, RecursionError):
        found = text
    return found if isinstance(found, dict) else {"metadata": found}


def _blanks(found: pl.DataFrame) -> pl.DataFrame:
    """An empty error or cluster is none, and neither is an error that is false."""
    texts = [name for name in BLANK if name in found.columns]
    no_error = ABSENT + (FALSE if "error" in texts else ())
    return found.with_columns(
        pl.when(
            ~pl.col(name)
            .cast(pl.String)
            .str.strip_chars()
            .str.to_lowercase()
            .is_in(no_error if name == "error" else ABSENT)
        ).then(pl.col(name))
        for name in texts
        if not found.schema[name].is_nested()
    )


def _defaults(found: pl.DataFrame, default_run: str) -> pl.DataFrame:
    if "run_id" not in found.columns:
        found = found.with_columns(run_id=pl.lit(default_run))
    if "sample_id" not in found.columns:
        texts = found["input"].cast(pl.String)
        marks = {text: digest(text)[:16] for text in texts.unique() if text is not None}
        found = found.with_columns(sample_id=texts.replace_strict(marks, return_dtype=pl.String))
    return found


def _tall(found: pl.DataFrame, frame: pl.DataFrame, metrics: list[str]) -> pl.DataFrame:
    """One row a score: long tables are so already, each score column of a wide one is appended."""
    long = "metric" in found.columns
    if not metrics:
        passed = "passed" in found.columns
        value = pl.col("passed").cast(pl.String) if passed else pl.lit(None, pl.String)
        metric = pl.col("metric") if long else pl.lit("passed" if passed else None, pl.String)
        return found.with_columns(value=value, metric=metric)
    if long and len(metrics) > 1:
        raise BadSettings("a table with a metric column has one value column, not several")
    return pl.concat(
        found.with_columns(
            frame.select(_column(frame, name).cast(pl.String)).to_series().alias("value"),
            metric=pl.col("metric") if long else pl.lit(name),
        )
        for name in metrics
    )


def typed(found: pl.DataFrame, schema: Mapping) -> tuple[pl.DataFrame, list[Problem]]:
    """Cast each column to its canonical type; rows with a value that does not fit are set aside."""
    schema = {**schema, "_place": pl.Int64}
    nested = {
        name: pl.struct(name).struct.json_encode().alias(name)
        if isinstance(dtype, pl.List | pl.Array)
        else pl.col(name).struct.json_encode()
        for name, dtype in found.schema.items()
        if dtype.is_nested() and schema[name] != pl.List(pl.String)
    }
    binary = pl.col(pl.Binary).map_elements(lambda b: b.decode("utf-8", "replace"), pl.String)
    texts = found.with_columns(*nested.values()).with_columns(binary)
    cast = texts.select(_cast(texts, name, schema[name]) for name in texts.columns)
    bad = pl.Series([False] * found.height, dtype=pl.Boolean)
    problems: list[Problem] = []
    for name in (c for c in cast.columns if c != "_place"):
        given = texts[name]
        if given.dtype == pl.String:
            absent = given.str.strip_chars().str.to_lowercase().is_in(ABSENT)
            given = given.set(absent.fill_null(False), None)
        elif given.dtype.is_float():
            given = given.fill_nan(None)
        wrong = cast[name].is_null() & given.is_not_null()
        for place, value in texts.filter(wrong).select("_place", name).iter_rows():
            problems.append(Problem(f"row {place}", f"{name}: {str(value)[:60]!r} does not fit"))
        bad |= wrong
    return cast.filter(~bad), problems


def _named(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    nameless = rows["sample_id"].is_null() | rows["run_id"].is_null()
    places = rows.filter(nameless)["_place"]
    return rows.filter(~nameless), [Problem(f"row {p}", "no sample_id or run_id") for p in places]


def _cast(frame: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Expr:
    column, given = pl.col(name), frame.schema[name]
    if dtype == TIME and given != pl.Null:
        found = moments(frame[name])
        if given == pl.String and found.null_count():  # another country's way, if all have the same
            guessed = frame[name].str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
            found = found.fill_null(moments(guessed))
        return pl.lit(found)
    if name in IDS and given.is_float() and _integral(frame[name]):
        # pandas makes integers beside a missing value floats
        return column.cast(pl.Int64).cast(pl.String)
    if name in (*IDS, "metric") or (dtype == pl.String and given != pl.String):
        return column.cast(pl.String, strict=False)
    if dtype == pl.String or (given == dtype and not given.is_float()) or given == pl.Null:
        return column.cast(dtype)
    if isinstance(dtype, pl.List):
        if isinstance(given, pl.List):
            return column.cast(pl.List(pl.String), strict=False)
        return column.cast(pl.String).map_elements(_tags, pl.List(pl.String))
    if given != pl.String:
        if dtype == pl.Float64:
            number = column.cast(pl.Float64, strict=False)
            return pl.when(number.is_finite()).then(number).alias(name)
        return column.cast(dtype, strict=False)
    text = column.str.strip_chars().str.to_lowercase()
    if dtype == pl.Boolean:
        return pl.when(text.is_in(TRUE)).then(True).when(text.is_in(FALSE)).then(False).alias(name)
    number = text.cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    if dtype == pl.Int64:
        return (
            pl.when(number == number.round()).then(number.cast(pl.Int64, strict=False)).alias(name)
        )
    truth = pl.when(text.is_in(TRUE)).then(1.0).when(text.is_in(FALSE)).then(0.0)
    return pl.coalesce(number, truth).alias(name)


def _integral(values: pl.Series) -> bool:
    known = values.drop_nulls()
    whole = known.is_finite().all() and (known == known.round()).all()
    return bool(whole and (known.abs() < 2**53).all())


def _tags(text: str) -> list[str]:
    """Tags written as a JSON list, or between commas."""
    if text.lstrip().startswith("["):
        try:
            return [str(tag) for tag in msgspec.json.decode(text)]
        except msgspec.DecodeError:
            pass
    return [tag.strip() for tag in text.split(",") if tag.strip()]


def _keyed(typed: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    """Give each row its epoch; of two different scores under one key the first is kept."""
    over = ["run_id", "sample_id", "metric"]
    if "epoch" not in typed.columns:
        typed = typed.with_columns(epoch=pl.int_range(pl.len()).over(over) + 1)
    typed = typed.with_columns(pl.col("epoch").fill_null(1))
    again = typed.filter(pl.struct([*over, "epoch"]).is_first_distinct().not_())
    problems = [
        Problem(f"row {place}", f"a second row of question {sample!r}, epoch {epoch}, {metric}")
        for place, sample, epoch, metric in again.select(
            "_place", "sample_id", "epoch", "metric"
        ).iter_rows()
    ]
    return typed.filter(pl.struct([*over, "epoch"]).is_first_distinct()), problems


def _first(typed: pl.DataFrame, table: str, key: list[str], uri: str) -> pl.DataFrame:
    """One row a key: the first value given of each column."""
    columns = [c for c in SCHEMAS[table] if c in typed.columns and c not in key]
    rows = typed.group_by(key, maintain_order=True).agg(
        pl.col("_place").first(), *(pl.col(c).drop_nulls().first() for c in columns)
    )
    if table == "samples":
        rows = rows.with_columns(
            pl.format("{}#row {}", pl.lit(uri), "_place").alias("detail_uri"),
            *(
                pl.col(text).map_elements(digest, pl.String).alias(f"{text}_digest")
                for text in ("input", "target")
                if text in columns and f"{text}_digest" not in columns
            ),
        )
    return conform(rows, table)
