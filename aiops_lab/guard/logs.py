"""What a security review looks at: attacks, requests, their texts, tools and documents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aiops_lab.errors import BadSettings
from aiops_lab.guard.attacks import PROBED, TRIED
from aiops_lab.settings import Guard, Settings, settings_of
from aiops_lab.ship.retrieval.traced import traced_hits
from aiops_lab.sources.flat import from_frame
from aiops_lab.tables import conform, empty, polars_frame
from aiops_lab.traffic.requests import requests_of
from aiops_lab.watch.traces import days_of_spans

TABLES = ("runs", "samples", "scores", "spans", "traffic", "evaluations", "changes", "artefacts")
KEY = ("run_id", "sample_id", "epoch")
ROOTS = ("model", "agent", "other")
TOOL = ("gen_ai.tool.name", "tool.name", "traceloop.entity.name")
OWNER = (
    r'(?:document\.metadata\.tenant(?:_id|\.id)?":"|\\+"tenant(?:_id|\.id)?\\+"\s*:\s*\\+")'
    r'([^"\\]{1,200})'
)
"""Whose a retrieved document is, where its metadata say so."""


@dataclass(frozen=True)
class Logs:
    """The logs at hand; a frame without rows where there is none of a kind.

    `requests` are those of the days looked at; `served` (model_served, first, requests) is of all
    days; `inputs` and `outputs` (trace_id, day, tenant,
    text), `read` (the same: what tools and retrieval brought), `tools` (trace_id, day, tenant,
    tool), `documents` (trace_id, day, tenant, doc_id, question, owner).
    """

    runs: pl.DataFrame
    samples: pl.DataFrame
    scores: pl.DataFrame
    requests: pl.DataFrame
    served: pl.DataFrame
    inputs: pl.DataFrame
    outputs: pl.DataFrame
    read: pl.DataFrame
    tools: pl.DataFrame
    documents: pl.DataFrame
    evaluations: pl.DataFrame
    changes: pl.DataFrame
    prompts: dict[str, str]
    guard: Guard = field(default_factory=Guard)
    settings: Settings = field(default_factory=Settings)
    key: bytes = b"guard"
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def window(self) -> tuple[dt.date | None, dt.date | None]:
        """The first and the last day of the requests."""
        days = self.requests["day"]
        return days.min(), days.max()  # type: ignore[return-value]


class _Frames:
    """Frames by the names of canonical tables, scanned as a lab is."""

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        self._tables = tables

    def scan(self, name: str, within: Any = None) -> pl.LazyFrame:
        return self._tables.get(name, empty(name)).lazy()


def logs_of(data: Any, settings: Any = None, *, days: int | None = 28) -> Logs:
    """The logs of the last days that there are.

    Parameters
    ----------
    data
        A Lab; or frames of any library that Narwhals knows by the names of canonical tables
        (``{"spans": ..., "scores": ...}``); or one frame: spans, or a flat table of scores.
    settings
        What ``[guard]`` of ``lab.toml`` says, as a `Guard` or a dict; by default the lab's.
    days
        So many days of traffic up to the last; None for all.

    Raises
    ------
    BadSettings
        `data` is no lab and no frames, or a setting is unknown.
    """
    lab = data if hasattr(data, "scan") else _Frames(_tables(data))
    own = getattr(data, "settings", None) or Settings()
    guard = own.guard if settings is None else _guard(settings)
    requests, spans = _traffic(lab, days)
    of = requests.select("trace_id", "day", "tenant")
    roots = pl.col("parent_id").is_null().cast(pl.Int8)
    told = spans.filter(pl.col("step").is_in(ROOTS)).sort(roots, descending=True)
    key = getattr(data, "redaction_key", lambda: None)() or b"guard"
    tools = spans.filter(pl.col("step") == "tool")
    name = pl.coalesce(*(_attribute(each) for each in TOOL), pl.col("name"))
    return Logs(
        runs=data.runs() if lab is data else lab.scan("runs").collect(),
        samples=lab.scan("samples").filter(PROBED).select(*KEY, "metadata").collect(),
        scores=lab.scan("scores").filter(TRIED).select(*KEY, "metric", "value").collect(),
        requests=requests,
        served=_served(lab, requests),
        inputs=_texts(_first_input(told), "input", of),
        outputs=_texts(told, "output", of),
        read=_texts(spans.filter(pl.col("step").is_in(["tool", "retrieval"])), "output", of),
        tools=tools.select("trace_id", tool=name).join(of, on="trace_id"),
        documents=_documents(spans, told, of),
        evaluations=lab.scan("evaluations").filter(
            pl.col("trace_id").is_in(requests["trace_id"].implode())).collect(),
        changes=lab.scan("changes").collect(),
        prompts=_prompts(lab),
        guard=guard,
        settings=own,
        key=key,
        origin={"lab": data.path.name, "lab_version": data.version}
        if hasattr(data, "version") else {"source": "frames given"},
    )  # fmt: skip


def _guard(given: Any) -> Guard:
    if isinstance(given, Guard):
        return given
    if not isinstance(given, Mapping):
        raise BadSettings("settings of a security review are a dict with the keys of [guard]")
    return settings_of({"guard": dict(given)}, "the settings").guard


def _tables(data: Any) -> dict[str, pl.DataFrame]:
    wanted = "a security review takes a Lab, a frame, or a dict of frames by canonical table"
    if isinstance(data, Mapping):
        if unknown := [name for name in data if name not in TABLES]:
            raise BadSettings(f"no table {unknown[0]!r}; {wanted}: {', '.join(TABLES)}")
        return {name: _conformed(polars_frame(each, wanted), name) for name, each in data.items()}
    frame = polars_frame(data, wanted)
    if "span_id" in frame.columns:
        return {"spans": _conformed(frame, "spans")}
    if "trace_id" in frame.columns:
        return {"traffic": _conformed(frame, "traffic")}
    return from_frame(frame, {}, default_run="table", uri="frame:").tables


def _conformed(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    try:
        return conform(frame, table)
    except pl.exceptions.PolarsError as error:
        raise BadSettings(f"the frame of {table} does not fit its columns: {error}") from None


def _traffic(lab: Any, days: int | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The requests of the days looked at and their spans."""
    rows = lab.scan("traffic")
    last = rows.select(pl.col("day").max()).collect().item()
    if last is None:
        spans = lab.scan("spans").collect()
        known = requests_of(spans)
        last = known["day"].max()
    else:
        first = last - dt.timedelta(days=(days or 10_000) - 1)
        known = rows.filter(pl.col("day") >= first).collect()
        spans = lab.scan("spans", days_of_spans(first, last)).collect()
    if days is not None and isinstance(last, dt.date):
        known = known.filter(pl.col("day") > last - dt.timedelta(days=days))
    own = known.select("trace_id")
    return known, spans.join(own, on="trace_id", how="semi", maintain_order="left")


def _served(lab: Any, requests: pl.DataFrame) -> pl.DataFrame:
    """Since when each model has answered."""
    known = lab.scan("traffic").select("model_served", "day").collect()
    rows = known if known.height else requests
    by = rows.drop_nulls("model_served").group_by("model_served")
    return by.agg(first=pl.col("day").min(), requests=pl.len()).sort("first", "model_served")


def _first_input(told: pl.DataFrame) -> pl.DataFrame:
    """What was asked: of the root, else of the first span that tells it."""
    return told.drop_nulls("input").unique("trace_id", keep="first", maintain_order=True)


def _texts(spans: pl.DataFrame, side: str, of: pl.DataFrame) -> pl.DataFrame:
    known = spans.select("trace_id", text=side).drop_nulls().unique(maintain_order=True)
    return known.join(of, on="trace_id", maintain_order="left").select(
        "trace_id", "day", "tenant", "text"
    )


def _attribute(name: str) -> pl.Expr:
    value = pl.col("attributes").str.json_path_match(f'$["{name}"]')
    return pl.when(value != "").then(value)


def _documents(spans: pl.DataFrame, told: pl.DataFrame, of: pl.DataFrame) -> pl.DataFrame:
    """Which request brought up which documents, and whose they are where that is told."""
    readable = pl.col("attributes").str.json_path_match("$").str.starts_with("{")
    retrieval = spans.filter(pl.col("step") == "retrieval", readable.fill_null(False))
    hits = traced_hits(_Frames({"spans": retrieval}))
    asked = _first_input(pl.concat([retrieval, told])).select("trace_id", question="input")
    marks = pl.col("attributes").str.extract_all(OWNER)
    owner = marks.list.eval(pl.element().str.extract(OWNER)).explode(empty_as_null=False)
    owners = retrieval.group_by("trace_id").agg(owner=owner.unique().sort())
    return (
        hits.select(trace_id="question_id", doc_id="chunk_id")
        .join(of, on="trace_id")
        .join(asked, on="trace_id", how="left")
        .join(owners, on="trace_id", how="left")
    )


def _prompts(lab: Any) -> dict[str, str]:
    """The texts of prompts that are known, by name and version."""
    rows = lab.scan("artefacts").filter(pl.col("artefact") == "prompt").collect()
    rows = rows.filter(pl.col("content").str.len_chars() > 0)
    return dict(rows.select("version", "content").rows())
