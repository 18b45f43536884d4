"""The canonical tables: one typed schema each, the language of the house.

Times are UTC in microseconds, durations seconds, money US dollars, rates fractions.
A missing value is null, never 0 or "".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings

TIME = pl.Datetime("us", "UTC")


def schema_of(told: str) -> pl.Schema:
    """Columns with their types out of ``name:type``; where no type is told they are texts.

    Examples
    --------
    >>> schema_of("metric n:int").dtypes()
    [String, Int64]
    """
    columns = (each.partition(":") for each in told.split())
    return pl.Schema({name: TYPES[kind] for name, _, kind in columns})


TYPES: dict[str, Any] = {
    "": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "date": pl.Date,
    "time": TIME, "texts": pl.List(pl.String), "sign": pl.Int8, "bin": pl.Int32,
}  # fmt: skip
TYPES |= {
    name: pl.List(pl.Struct(schema_of(columns)))
    for name, columns in {
        "gold": "doc_id quote first last digest start:int end:int nth:int relevance:float",
        # how many values have this sign and lie in this logarithmic bin; see `histograms`
        "bins": "sign:sign bin:bin n:int",
        "counts": "table rows:int",
        "runs": "run_id complete:int ended_at:time",
    }.items()
}
"""What a column may be, and how that is written here."""

SCHEMAS = {
    table: schema_of(columns)
    for table, columns in {
        "runs": "run_id source task model model_served prompt_version dataset_version "
        "scorer_version config started_at:time status tags:texts git_commit source_uri "
        "source_digest",
        "samples": "run_id sample_id epoch:int cluster input_digest prompt_digest target_digest "
        "input target output error finish_reason tokens_in:int tokens_out:int tokens_judge:int "
        "latency_s:float cost_usd:float metadata detail_uri",
        "scores": "run_id sample_id epoch:int metric value:float passed:bool label scorer "
        "scorer_kind explanation",
        "artefacts": "artefact version digest content",
        "questions": "experiment_id question_id text gold:gold metadata",
        "chunks": "experiment_id chunk_id doc_id start:int end:int tokens:float seen:float",
        "hits": "experiment_id question_id rank:int chunk_id score:float",
        "spans": "trace_id span_id parent_id step name started_at:time duration_s:float status "
        "model_requested model_served fingerprint prompt_version index_version tokens_in:int "
        "tokens_out:int cost_usd:float input output attributes",
        "traffic": "trace_id at:time day:date complete:bool tenant slice language prompt_version "
        "model_requested model_served fingerprint index_version retrieval_version parser_version "
        "code_version tokens_in:int tokens_out:int latency_s:float cost_usd:float status words:int "
        "retrieval_score:float refusal:bool json_valid:bool yaml_valid:bool json_repaired:bool "
        "yaml_repaired:bool refusal_learned:bool truncated:bool tool_error:bool parse_error:bool "
        "json_defect yaml_defect refusal_model:int",
        "evaluations": "trace_id metric value:float label scorer scorer_kind at:time "
        "sampling_weight:float",
        "changes": "change_id at:time artefact name from_version to_version author note",
        "hourly": "hour:time metric slice stratum n:int events:int evaluated:int weight:float "
        "sum:float sum_squares:float bins:bins measure_version:int",
        "decisions": "decision_id at:time chosen score:float outcome:float split scores features",
        "attributions": "decision_id option feature value attribution:float",
        "quarantine": "digest place reason at:time",
        "ingests": "digest attempt source_uri format reader_version:int at:time rows:counts "
        "runs:runs",
        "verdicts": "report as_of:time at:time status headline evidence lab_version:int parameters",
    }.items()
}

KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("run_id",),
    "samples": ("run_id", "sample_id", "epoch"),
    "scores": ("run_id", "sample_id", "epoch", "metric"),
    "artefacts": ("artefact", "version", "digest"),
    "questions": ("experiment_id", "question_id"),
    "chunks": ("experiment_id", "chunk_id"),
    "hits": ("experiment_id", "question_id", "chunk_id"),
    "spans": ("trace_id", "span_id"),
    "traffic": ("trace_id",),
    "evaluations": ("trace_id", "metric"),
    "changes": ("change_id",),
    "hourly": ("hour", "metric", "slice", "stratum"),
    "decisions": ("decision_id",),
    "attributions": ("decision_id", "option", "feature"),
    "quarantine": ("digest", "place"),
    "ingests": ("digest",),
    "verdicts": ("report", "as_of", "at"),
}


def conform(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Bring `frame` to the schema of `table`: missing columns null, others dropped, types cast.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        A value does not fit its column's type.
    """
    return shaped(frame, SCHEMAS[table])


def shaped(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    """So many columns of these types, null where there is none."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


def empty(table: str) -> pl.DataFrame:
    """A frame of `table` with no rows."""
    return pl.DataFrame(schema=SCHEMAS[table])


NO_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
"""Only what lies between is a moment: the year 1 and 1970 are how programs write that they know
none, 9999 how they write never, and nanoseconds end in 2262."""


def in_utc(at: datetime) -> datetime:
    """A time in UTC; one without a zone is taken as UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def digest(text: str | bytes) -> str:
    """A short stable digest (128 bits, hexadecimal) of a text, to tell whether two are the same.

    Examples
    --------
    >>> digest("How long may I keep the drill?")
    '8e307e0a5776253e49cc1c156ad67d7a'
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def polars_frame(data: Any, wanted: str) -> pl.DataFrame:
    """A data frame of any library that Narwhals knows, as a Polars frame.

    Raises
    ------
    BadSettings
        It is no frame (`wanted` says what to give), or holds what no table can.
    """
    import narwhals as nw  # takes its time; not every command needs it

    try:
        frame = nw.from_native(data)
    except TypeError:
        raise BadSettings(f"{wanted}, not a {type(data).__name__}") from None
    try:
        return (frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame).to_polars()
    except Exception as error:  # each library has its own
        raise BadSettings(f"the frame cannot be read as a table: {error}") from None


def moments(values: pl.Series) -> pl.Series:
    """Times as they are written in tables, as UTC; null where a value is none.

    A text is an ISO time or a number; the unit of a number since 1970 is told by its size. What
    lies outside of `NO_TIME` is none.

    Examples
    --------
    >>> given = ["2026-05-01 10:00+02:00", "1777622400", "1777622400000", "soon"]
    >>> moments(pl.Series(given)).dt.to_string("%d %H:%M").to_list()
    ['01 08:00', '01 08:00', '01 08:00', None]
    """
    found = _moments(values)
    known = found.is_between(*NO_TIME, closed="none").fill_null(False)
    return found.set(~known, None)


def _moments(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Datetime):
        zoned = values if values.dtype.time_zone else values.dt.replace_time_zone("UTC")
        return zoned.cast(TIME)
    if values.dtype == pl.Date:
        return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    column, texts = pl.col("values"), values.cast(pl.String, strict=False).str.strip_chars()
    zoned = column.str.replace(r"[zZ]$", "+00:00").str.replace(" ", "T", literal=True)
    number = column.cast(pl.Float64, strict=False)
    sizes = ((10.0**11, 1e6), (10.0**14, 1e3), (10.0**17, 1.0), (9e18, 1e-3))
    found = pl.coalesce(
        *(zoned.str.to_datetime(f, time_unit="us", strict=False).dt.convert_time_zone("UTC")
          for f in ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z")),
        *(zoned.str.to_datetime(f, time_unit="us", strict=False).dt.replace_time_zone("UTC")
          for f in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")),
        column.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC"),
        pl.when(column.str.contains(r"^[12]\d{7}$"))
        .then(column.str.to_date("%Y%m%d", strict=False)).cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC"),
        *(pl.when((number > 0) & (number < limit)).then((number * factor).round().cast(pl.Int64))
          .cast(TIME) for limit, factor in sizes),
    )  # fmt: skip
    return texts.alias("values").to_frame().select(found.alias(values.name)).to_series()
