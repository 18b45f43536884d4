"""Spans as a small system writes them, for what the review looks at."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from aiops_lab.tables import conform

BEGIN = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)


def request(
    name: str, day: int, asked: str = "When do you sail?", answer: str = "At noon.", *,
    tenant: str = "acme", tool: str | None = None, documents: Sequence[str] = (), owner: str = "",
    tokens: int = 100, model: str = "m-1", read: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """A request of a day: its root, its model, and what it called and brought up."""
    at = BEGIN + dt.timedelta(days=day)
    common = {"trace_id": name, "started_at": at, "duration_s": 0.1, "status": "ok"}
    rows = [
        common | {"span_id": f"{name}-0", "step": "agent", "input": asked,
                  "attributes": json.dumps({"tenant.id": tenant})},
        common | {"span_id": f"{name}-1", "parent_id": f"{name}-0", "step": "model",
                  "input": asked, "output": answer, "tokens_in": tokens, "tokens_out": 10,
                  "model_served": model, "attributes": "{}"},
    ]  # fmt: skip
    if tool:
        rows.append(common | {"span_id": f"{name}-2", "parent_id": f"{name}-0", "step": "tool",
                              "name": "call", "output": read,
                              "attributes": json.dumps({"gen_ai.tool.name": tool})})  # fmt: skip
    if documents:
        told: dict[str, Any] = {}
        for i, document in enumerate(documents):
            told[f"retrieval.documents.{i}.document.id"] = document
            if owner:
                told[f"retrieval.documents.{i}.document.metadata"] = json.dumps({"tenant": owner})
        rows.append(common | {"span_id": f"{name}-3", "parent_id": f"{name}-0",
                              "step": "retrieval", "input": asked,
                              "attributes": json.dumps(told)})  # fmt: skip
    return rows


def spans(*requests: list[dict[str, Any]]) -> pl.DataFrame:
    """The canonical table of some requests."""
    rows = [row for each in requests for row in each]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return conform(pl.DataFrame([{n: row.get(n) for n in names} for row in rows],
                                infer_schema_length=None), "spans")  # fmt: skip


def quiet(n: int = 60, days: int = 10) -> list[list[dict[str, Any]]]:
    """Requests in which nothing is wrong."""
    return [request(f"q{i}", i % days) for i in range(n)]
