"""A model's decisions as one frame, and the share of each option by the day and by the hour."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import narwhals as nw
import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, NotComputable
from aiops_lab.stats.calendar import Floats, Integers
from aiops_lab.tables import moments, polars_frame
from aiops_lab.wording import listing

KNOWN = ("decision_id", "at", "chosen", "score", "outcome", "split")
DAY = "at: day"
"""The local day of a decision: called so that it is no feature of anyone's."""
TRAIN = "train"
"""The `split` of rows that a model learned from; all others are decisions."""
ROUTER = ("model_served", "model_requested")
"""What was chosen, where the decisions are those of a router between models."""
TRAFFIC = ("slice", "language", "tenant", "prompt_version", "index_version", "tokens_in", "words")
MOST_OPTIONS = 50
SERIES = pl.Schema({"day": pl.Date, "option": pl.String, "n": pl.Int64, "share": pl.Float64})
HOURS = pl.Schema(
    {"day": pl.Date, "hour": pl.Int64, "option": pl.String, "n": pl.Int64, "share": pl.Float64}
)


@dataclass(frozen=True)
class Decisions:
    """Decisions in the order of time.

    `rows` has decision_id, at (local time), its day, chosen, outcome (1 as wanted, 0 not, null
    unknown) and the features and context; `native` is the library that the frame came from.
    """

    rows: pl.DataFrame
    options: tuple[str, ...]
    features: tuple[str, ...]
    context: tuple[str, ...]
    native: Any
    checks: tuple[tuple[str, str, str], ...]

    @cached_property
    def days(self) -> list[dt.date]:
        """All days from the first to the last, those without decisions too."""
        first, last = self.rows[DAY][0], self.rows[DAY][-1]
        return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]

    def only(self, keep: pl.Expr) -> Decisions:
        """Those that fulfil a condition."""
        return Decisions(self.rows.filter(keep), self.options, self.features, self.context,
                         self.native, self.checks)  # fmt: skip


def read_decisions(
    data: Any, *, features: Sequence[str] | None = None, context: Sequence[str] = (),
    timezone: str = "UTC", split: str | None = None,
) -> Decisions:  # fmt: skip
    """Decisions from a Lab or a frame; see `aiops_lab.find_routing_shifts`.

    Parameters
    ----------
    split
        ``train``: the rows that a model learned from, instead of the decisions.

    Raises
    ------
    BadSettings
        It is no such table, or a column named is not there.
    NotComputable
        No decision can be used.
    """
    try:
        zone = zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSettings(f"no time zone {timezone!r}: it is written Europe/Berlin") from None
    frame, native = _frame(data)
    if lacking := [name for name in ("at", "chosen") if name not in frame.columns]:
        raise BadSettings(
            f"decisions have the columns at and chosen; {listing(lacking)} is missing of "
            f"{listing(frame.columns, 8)}"
        )
    rows = _timed(frame, zone.key)
    if "split" in rows.columns:
        learned = pl.col("split").cast(pl.String).str.to_lowercase().str.starts_with(TRAIN)
        rows = rows.filter(learned.fill_null(False) == (split == TRAIN))
    options = tuple(rows["chosen"].drop_nulls().unique().sort())
    own = _features(rows, options, features, context)
    checks = _lost(rows)
    rows = rows.drop_nulls(["at", "chosen"]).unique("decision_id", keep="first").sort(
        "at", "decision_id"
    )  # fmt: skip
    if not rows.height:
        raise NotComputable("there is no decision with a time and a choice")
    if len(options) > MOST_OPTIONS:
        raise NotComputable(
            f"{len(options)} options were chosen; at most {MOST_OPTIONS} can be told apart: put "
            "rare ones together"
        )
    kept = ["decision_id", "at", DAY, "chosen", "outcome", *own, *context]
    return Decisions(
        rows.select([*dict.fromkeys(kept)]), options, own, tuple(context), native, checks
    )


def decisions_if_any(data: Any, **settings: Any) -> Decisions | str:
    """`read_decisions`; of a lab that holds none, which is no error, the reason."""
    try:
        return read_decisions(data, **settings)
    except NotComputable as error:
        if callable(getattr(data, "scan", None)):
            return str(error)
        raise


def _frame(data: Any) -> tuple[pl.DataFrame, Any]:
    if callable(getattr(data, "scan", None)):
        return _of_lab(data), pl
    frame = polars_frame(data, "decisions are a Lab or a table")
    return frame, nw.get_native_namespace(nw.from_native(data))


def _of_lab(lab: Any) -> pl.DataFrame:
    """The lab's decisions with their features; without any, the choices of a router of models."""
    rows = lab.table("decisions")
    if rows.height:
        parts = [rows.drop("features", "scores")]
        told = rows["features"].fill_null("{}")
        given = msgspec.json.decode(f"[{','.join(told)}]") if told.len() else []
        if any(given):
            own = pl.from_dicts(given, infer_schema_length=None, strict=False)
            parts.append(own.select(pl.exclude(rows.columns)))
        return pl.concat(parts, how="horizontal")
    traffic = lab.scan("traffic").collect()
    chosen = next((c for c in ROUTER if traffic[c].n_unique() > 1), ROUTER[0])
    return traffic.select(
        pl.col("trace_id").alias("decision_id"), "at", pl.col(chosen).alias("chosen"),
        *(c for c in TRAFFIC if c in traffic.columns and traffic[c].drop_nulls().n_unique() > 1),
        outcome=(pl.col("status") != "error").cast(pl.Float64),
    )  # fmt: skip


def _timed(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    if "decision_id" not in frame.columns:
        frame = frame.with_row_index("decision_id")
    at = moments(frame["at"]).dt.convert_time_zone(zone)
    outcome = pl.lit(None, pl.Float64)
    if "outcome" in frame.columns:
        outcome = pl.col("outcome").cast(pl.Float64, strict=False)
    return frame.with_columns(
        pl.col("decision_id", "chosen").cast(pl.String),
        at=at,
        outcome=outcome,
        **{DAY: at.dt.date()},
    )


def _features(
    rows: pl.DataFrame, options: Sequence[str], features: Sequence[str] | None,
    context: Sequence[str],
) -> tuple[str, ...]:  # fmt: skip
    scores = {f"score_{option}" for option in options} | {f"score.{option}" for option in options}
    mine = {*KNOWN, DAY, *scores, *context}
    if features is not None:
        for name in (*features, *context):
            if name not in rows.columns:
                raise BadSettings(f"no column {name!r}; there are {listing(rows.columns, 12)}")
        return tuple(features)
    nested = (pl.List, pl.Struct, pl.Array, pl.Object, pl.Binary)
    own = [c for c, kind in rows.schema.items() if c not in mine and not isinstance(kind, nested)]
    return tuple(own)


def _lost(rows: pl.DataFrame) -> tuple[tuple[str, str, str], ...]:
    checks = []
    timeless = rows["at"].null_count()
    unknown = rows.filter(pl.col("at").is_not_null())["chosen"].null_count()
    twice = rows.height - rows["decision_id"].n_unique()
    for count, said in (
        (timeless, "decisions without a time that can be read are left out"),
        (unknown, "decisions that do not say what was chosen are left out"),
        (twice, "decisions were there again under the same id: the first one counts"),
    ):
        if count:
            checks.append(("input", "warn", f"{count:,} {said}"))
    return tuple(checks)


@dataclass(frozen=True)
class Shares:
    """Shares of options: `values` (options, times), NaN where nothing was decided; n (times,)."""

    options: tuple[str, ...]
    values: Floats
    n: Integers


def daily_shares(decisions: Decisions) -> Shares:
    """The share of each option on each day, from the first day to the last."""
    day = (decisions.rows[DAY] - decisions.days[0]).dt.total_days().to_numpy()
    return _shares(decisions, day, len(decisions.days))


def hourly_shares(decisions: Decisions) -> Shares:
    """The share of each option in each hour of the local clock, 24 a day."""
    day = (decisions.rows[DAY] - decisions.days[0]).dt.total_days().to_numpy()
    hours = decisions.rows["at"].dt.hour().cast(pl.Int64).to_numpy()
    return _shares(decisions, day * 24 + hours, len(decisions.days) * 24)


def by_day(decisions: Decisions) -> pl.DataFrame:
    """The share of each option on each day: day, option, n, share (null where none was decided)."""
    return _long(daily_shares(decisions), {"day": decisions.days}, decisions.options, SERIES)


def by_hour(decisions: Decisions, options: Sequence[str]) -> pl.DataFrame:
    """The share of some options in each hour: day, hour, option, n, share."""
    if not len(options):
        return pl.DataFrame(schema=HOURS)
    days = pl.Series(decisions.days, dtype=pl.Date)
    times = {"day": days.gather(np.arange(24 * len(days)) // 24),
             "hour": np.arange(24 * len(days)) % 24}  # fmt: skip
    return _long(hourly_shares(decisions), times, options, HOURS)


def _long(
    shares: Shares, times: dict[str, Any], options: Sequence[str], schema: pl.Schema
) -> pl.DataFrame:
    return pl.concat(
        pl.DataFrame(
            {
                **times, "option": [option] * len(shares.n), "n": shares.n,
                "share": shares.values[shares.options.index(option)],
            },
            schema=schema,
        ).with_columns(pl.col("share").fill_nan(None))
        for option in options
    )  # fmt: skip


def _shares(decisions: Decisions, place: Integers, times: int) -> Shares:
    number = {option: i for i, option in enumerate(decisions.options)}
    which = decisions.rows["chosen"].replace_strict(number, return_dtype=pl.Int64).to_numpy()
    counts = np.bincount(which * times + place, minlength=len(number) * times)
    counts = counts.reshape(len(number), times)
    n = counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Shares(decisions.options, np.where(n > 0, counts / n, np.nan), n)
