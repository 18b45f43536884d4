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

TIME = pl.Datetime("us", "UTC")

BINS = pl.List(pl.Struct({"sign": pl.Int8, "bin": pl.Int32, "n": pl.Int64}))
"""A histogram: how many values have this sign and lie in this logarithmic bin; see `summaries`."""

SCHEMAS: dict[str, pl.Schema] = {
    "runs": pl.Schema(
        {
            "run_id": pl.String,
            "source": pl.String,
            "task": pl.String,
            "model": pl.String,
            "model_served": pl.String,
            "prompt_version": pl.String,
            "dataset_version": pl.String,
            "scorer_version": pl.String,
            "config": pl.String,
            "started_at": TIME,
            "status": pl.String,
            "tags": pl.List(pl.String),
            "git_commit": pl.String,
            "source_uri": pl.String,
            "source_digest": pl.String,
        }
    ),
    "samples": pl.Schema(
        {
            "run_id": pl.String,
            "sample_id": pl.String,
            "epoch": pl.Int64,
            "cluster": pl.String,
            "input_digest": pl.String,
            "prompt_digest": pl.String,
            "target_digest": pl.String,
            "input": pl.String,
            "target": pl.String,
            "output": pl.String,
            "error": pl.String,
            "finish_reason": pl.String,
            "tokens_in": pl.Int64,
            "tokens_out": pl.Int64,
            "tokens_judge": pl.Int64,
            "latency_s": pl.Float64,
            "cost_usd": pl.Float64,
            "metadata": pl.String,
            "detail_uri": pl.String,
        }
    ),
    "scores": pl.Schema(
        {
            "run_id": pl.String,
            "sample_id": pl.String,
            "epoch": pl.Int64,
            "metric": pl.String,
            "value": pl.Float64,
            "passed": pl.Boolean,
            "label": pl.String,
            "scorer": pl.String,
            "scorer_kind": pl.String,
            "explanation": pl.String,
        }
    ),
    "artefacts": pl.Schema(
        {
            "artefact": pl.String,
            "version": pl.String,
            "digest": pl.String,
            "content": pl.String,
        }
    ),
    "questions": pl.Schema(
        {
            "experiment_id": pl.String,
            "question_id": pl.String,
            "text": pl.String,
            "gold": pl.List(
                pl.Struct(
                    {
                        **dict.fromkeys(("doc_id", "quote", "first", "last", "digest"), pl.String),
                        **dict.fromkeys(("start", "end", "nth"), pl.Int64),
                        "relevance": pl.Float64,
                    }
                )
            ),
            "metadata": pl.String,
        }
    ),
    "chunks": pl.Schema(
        {
            "experiment_id": pl.String,
            "chunk_id": pl.String,
            "doc_id": pl.String,
            "start": pl.Int64,
            "end": pl.Int64,
            "tokens": pl.Float64,
            "seen": pl.Float64,
        }
    ),
    "hits": pl.Schema(
        {
            "experiment_id": pl.String,
            "question_id": pl.String,
            "rank": pl.Int64,
            "chunk_id": pl.String,
            "score": pl.Float64,
        }
    ),
    "spans": pl.Schema(
        {
            "trace_id": pl.String,
            "span_id": pl.String,
            "parent_id": pl.String,
            "step": pl.String,
            "name": pl.String,
            "started_at": TIME,
            "duration_s": pl.Float64,
            "status": pl.String,
            "model_requested": pl.String,
            "model_served": pl.String,
            "fingerprint": pl.String,
            "prompt_version": pl.String,
            "index_version": pl.String,
            "tokens_in": pl.Int64,
            "tokens_out": pl.Int64,
            "cost_usd": pl.Float64,
            "input": pl.String,
            "output": pl.String,
            "attributes": pl.String,
        }
    ),
    "traffic": pl.Schema(
        {
            "trace_id": pl.String,
            "at": TIME,
            "day": pl.Date,
            "complete": pl.Boolean,
            **dict.fromkeys(
                (
                    "tenant",
                    "slice",
                    "language",
                    "prompt_version",
                    "model_requested",
                    "model_served",
                    "fingerprint",
                    "index_version",
                    "retrieval_version",
                    "parser_version",
                    "code_version",
                ),
                pl.String,
            ),
            "tokens_in": pl.Int64,
            "tokens_out": pl.Int64,
            "latency_s": pl.Float64,
            "cost_usd": pl.Float64,
            "status": pl.String,
            "words": pl.Int64,
            "retrieval_score": pl.Float64,
            **dict.fromkeys(
                (
                    "refusal",
                    "json_valid",
                    "yaml_valid",
                    "json_repaired",
                    "yaml_repaired",
                    "refusal_learned",
                    "truncated",
                    "tool_error",
                    "parse_error",
                ),
                pl.Boolean,
            ),
            **dict.fromkeys(("json_defect", "yaml_defect"), pl.String),
            "refusal_model": pl.Int64,
        }
    ),
    "evaluations": pl.Schema(
        {
            "trace_id": pl.String,
            "metric": pl.String,
            "value": pl.Float64,
            "label": pl.String,
            "scorer": pl.String,
            "scorer_kind": pl.String,
            "at": TIME,
            "sampling_weight": pl.Float64,
        }
    ),
    "changes": pl.Schema(
        {
            "change_id": pl.String,
            "at": TIME,
            "artefact": pl.String,
            "name": pl.String,
            "from_version": pl.String,
            "to_version": pl.String,
            "author": pl.String,
            "note": pl.String,
        }
    ),
    "hourly": pl.Schema(
        {
            "hour": TIME,
            "metric": pl.String,
            "slice": pl.String,
            "stratum": pl.String,
            **dict.fromkeys(("n", "events", "evaluated"), pl.Int64),
            **dict.fromkeys(("weight", "sum", "sum_squares"), pl.Float64),
            "bins": BINS,
            "measure_version": pl.Int64,
        }
    ),
    "decisions": pl.Schema(
        {
            "decision_id": pl.String,
            "at": TIME,
            "chosen": pl.String,
            "score": pl.Float64,
            "outcome": pl.Float64,
            "split": pl.String,
            "scores": pl.String,
            "features": pl.String,
        }
    ),
    "attributions": pl.Schema(
        {
            **dict.fromkeys(("decision_id", "option", "feature", "value"), pl.String),
            "attribution": pl.Float64,
        }
    ),
    "quarantine": pl.Schema(
        {"digest": pl.String, "place": pl.String, "reason": pl.String, "at": TIME}
    ),
    "ingests": pl.Schema(
        {
            "digest": pl.String,
            "attempt": pl.String,
            "source_uri": pl.String,
            "format": pl.String,
            "reader_version": pl.Int64,
            "at": TIME,
            "rows": pl.List(pl.Struct({"table": pl.String, "rows": pl.Int64})),
            "runs": pl.List(
                pl.Struct({"run_id": pl.String, "complete": pl.Int64, "ended_at": TIME})
            ),
        }
    ),
    "verdicts": pl.Schema(
        {
            "report": pl.String,
            "as_of": TIME,
            "at": TIME,
            "status": pl.String,
            "headline": pl.String,
            "evidence": pl.String,
            "lab_version": pl.Int64,
            "parameters": pl.String,
        }
    ),
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
