"""A plain table of calls: told from others, put together to requests, broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab import Lab, open_lab
from aiops_lab.errors import BadSettings
from aiops_lab.sources.calls import from_table, is_calls
from aiops_lab.tables import moments

CALLS = """\
at,output,model_served,tokens_in,tokens_out,latency_s,cost_usd,slice,language,tenant,helpful
2026-05-01T10:00:00Z,Yes.,m-1,12,3,0.5,0.001,hire,de,north,up
2026-05-01T10:20:00.25+00:00,I cannot help with that.,m-1,7,,1.5,,hire,en,north,0.25
2026-05-01 13:00,No.,m-2,9,2,,,returns,de,south,
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def reasons(lab: Lab) -> dict[str, str]:
    return dict(lab.table("quarantine").select("place", "reason").rows())


def test_a_row_becomes_a_request_with_its_scores_and_hours(lab: Lab, tmp_path: Path) -> None:
    done = lab.ingest(written(tmp_path / "calls.csv", CALLS), columns={"value": ["helpful"]})
    assert done.quarantined.height == 0
    requests = lab.table("traffic")
    columns = ("at", "slice", "language", "tenant", "model_served", "tokens_in", "tokens_out",
               "latency_s", "cost_usd", "status", "complete", "refusal")  # fmt: skip
    assert requests.select(columns).rows() == [
        (datetime(2026, 5, 1, 10, tzinfo=UTC), "hire", "de", "north", "m-1", 12, 3, 0.5, 0.001,
         "ok", True, False),
        (datetime(2026, 5, 1, 10, 20, 0, 250_000, tzinfo=UTC), "hire", "en", "north", "m-1", 7,
         None, 1.5, None, "ok", True, True),
        (datetime(2026, 5, 1, 13, tzinfo=UTC), "returns", "de", "south", "m-2", 9, 2, None, None,
         "ok", True, False),
    ]  # fmt: skip
    scores = lab.table("evaluations").sort("at").select("metric", "value", "label", "at")
    assert scores.rows() == [
        ("helpful", 1.0, "up", requests["at"][0]), ("helpful", 0.25, None, requests["at"][1]),
    ]  # fmt: skip
    daily = lab.daily().filter(pl.col("metric") == "refusal", pl.col("slice") == "all")
    assert daily.select("n", "events").rows() == [(3, 1)]


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "json", "parquet", "frame", "pandas"])
def test_every_form_gives_the_same_rows(lab: Lab, tmp_path: Path, suffix: str) -> None:
    lab.ingest(written(tmp_path / "calls.csv", CALLS), columns={"value": ["helpful"]})
    frame = pl.read_csv(tmp_path / "calls.csv", infer_schema=False)
    path, other = tmp_path / f"calls.{suffix}", open_lab(tmp_path / "other")
    match suffix:
        case "tsv":
            frame.write_csv(path, separator="\t")
        case "jsonl":
            frame.write_ndjson(path)
        case "json":
            frame.write_json(path)
        case "parquet":
            frame.with_columns(moments(frame["at"])).write_parquet(path)
    given = {"frame": frame, "pandas": frame.to_pandas()}.get(suffix, path)
    assert other.ingest(given, columns={"value": ["helpful"]}).quarantined.height == 0
    for name in ("spans", "evaluations", "traffic"):
        order = lab.table(name).columns[:2]
        assert other.table(name).sort(order).equals(lab.table(name).sort(order))


def test_a_table_is_told_by_its_columns_or_the_format(lab: Lab, tmp_path: Path) -> None:
    assert is_calls(["at", "output"], {}) and is_calls(["at", "trace_id"], {})
    assert is_calls(["ts", "answer"], {"at": "ts", "output": "answer", "sample_id": "id"})
    for others in (["output"], ["at", "metric", "trace_id"], ["at", "sample_id", "output"],
                   ["at", "artefact", "to_version", "name"], ["at", "note"],
                   ["started_at", "input", "output"]):  # fmt: skip
        assert not is_calls(others, {})
    assert not is_calls(["at", "id", "output"], {"sample_id": "id"})
    path = written(tmp_path / "t.csv", "timestamp,input,output\n1777622400.5,a,b\n")
    assert lab.ingest(path).rows.get("spans", 0) == 0
    assert lab.ingest(path, format="calls").rows["spans"] == 1
    assert str(lab.table("spans")["started_at"][0]) == "2026-05-01 08:00:00.500000+00:00"
    bad = written(tmp_path / "u.csv", "input,output\na,b\n")
    assert (
        "no column says when a call was" in lab.ingest(bad, format="calls").quarantined["reason"][0]
    )


def test_columns_are_mapped_and_the_others_are_attributes(lab: Lab, tmp_path: Path) -> None:
    row = {"call": {"text": "hi", "model": "m"}, "user": {"area": "a"}, "long": "x" * 5_000}
    row |= {"code_version": "1.4", "attributes": {"k": 1}}
    rows = [{"when": 1777622400000 + n, **row} for n in range(2)]
    path = written(tmp_path / "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    columns = {"at": "when", "output": "call.text", "model_served": "call.model",
               "slice": "user.area", "sample_id": "id"}  # fmt: skip
    assert lab.ingest(path, columns=columns).quarantined.rows() == []
    assert lab.table("traffic").select("slice", "model_served", "code_version").rows() == [
        ("a", "m", "1.4")
    ] * 2  # fmt: skip
    held = json.loads(lab.table("spans").sort("started_at")["attributes"][1])
    assert held["long"] == "x" * 5_000
    with pytest.raises(BadSettings, match="did you mean 'latency_s'"):
        lab.ingest(path, columns={"latencys": "x"})


def test_equal_rows_are_several_calls_and_exports_that_overlap_are_not_doubled(
    lab: Lab, tmp_path: Path
) -> None:
    first, *others = CALLS.splitlines(keepends=True)[1:]
    head = CALLS.splitlines(keepends=True)[0]
    lab.ingest(written(tmp_path / "a.csv", head + first + first + others[0]))
    assert lab.table("traffic").height == 3
    lab.ingest(written(tmp_path / "b.csv", head + first + first + "".join(others)))
    assert lab.table("spans").height == lab.table("traffic").height == 4
    assert lab.ingest(tmp_path / "a.csv").added == 0


def test_bad_rows_are_told_with_their_place_and_the_rest_is_read(lab: Lab, tmp_path: Path) -> None:
    table = """at,trace_id,output,tokens_in,latency_s,status,step
2026-05-01T10:00:00Z,t1,fine,1,NaN,200,
soon,t2,no time,1,1,ok,
,t3,none,1,1,ok,
2026-05-01T10:00:00Z,t4,x,many,1,ok,
2026-05-01T10:00:00Z,t5,x,-1,1,ok,
2026-05-01T10:00:00Z,t6,x,1,inf,ok,
2026-05-01T10:00:00Z,t1,again,1,1,ok,
2026-05-01T10:00:00Z,t7,x,1,1,<script>,
2026-05-01T10:00:00Z,t8,x,1,1,ok,dance
2026-05-01T10:00:00Z,t9,x,1,1,ok,,more
2026-05-01T10:00:00Z,0XABCDEFABCDEFABCDEFABCDEFABCDEFAB,x,1,1,Error,tool
"""
    lab.ingest(written(tmp_path / "t.csv", table))
    assert reasons(lab) == {
        "row 2": "at: 'soon' is no time",
        "row 3": "at: '' is no time",
        "row 4": "tokens_in: 'many' does not fit",
        "row 5": "tokens_in: -1 is below 0",
        "row 6": "latency_s: 'inf' does not fit",
        "row 8": "status: '<script>' is neither ok nor error",
        "row 9": "step: 'dance' is none of prompt, retrieval, tool, model, parse, agent, other",
        "row 10": "8 cells where the header has 7",
    }
    spans = lab.table("spans").sort("trace_id").select("trace_id", "status", "step", "duration_s")
    assert spans.rows() == [
        ("abcdefabcdefabcdefabcdefabcdefab", "error", "tool", 1.0), ("t1", "ok", "model", None),
        ("t1", "ok", "model", 1.0),
    ]  # fmt: skip
    own = lab.table("traffic").filter(trace_id="t1")
    assert own["tokens_in"].to_list() == [2], "two calls of one request"


def test_an_error_is_told_by_its_text_where_no_status_is(lab: Lab, tmp_path: Path) -> None:
    table = "at,output,error\n2026-05-01,a,\n2026-05-02,,timed out\n2026-05-03,c,None\n"
    lab.ingest(written(tmp_path / "t.csv", table))
    assert lab.table("traffic")["status"].to_list() == ["ok", "error", "ok"]


def test_rows_of_one_trace_are_its_steps(lab: Lab) -> None:
    frame = pl.DataFrame(
        {
            "at": [datetime(2026, 5, 1, 10, tzinfo=UTC)] * 2,
            "trace_id": ["t", "t"],
            "span_id": [1, 2],
            "parent_id": [None, 1],
            "step": ["agent", "model"],
            "tokens_in": [None, 5],
        }
    )
    lab.ingest(frame)
    assert lab.table("traffic").select("trace_id", "tokens_in").rows() == [("t", 5)]
    assert lab.table("spans").sort("span_id")["parent_id"].to_list() == [None, "1"]


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-05-01", "2026-05-01 00:00:00"),
        ("2026-05-01T10:00Z", "2026-05-01 10:00:00"),
        ("2026-05-01 10:00:00.123456789+02:00", "2026-05-01 08:00:00.123456"),
        ("1777622400", "2026-05-01 08:00:00"),
        ("1777622400123", "2026-05-01 08:00:00.123000"),
        ("1777622400123456", "2026-05-01 08:00:00.123456"),
        ("1777622400123456000", "2026-05-01 08:00:00.123456"),
        *((text, None) for text in ("", "-5", "0", "nan", "inf", "1e300", "x" * 999, "2026-13-01")),
    ],
)  # fmt: skip
def test_times_are_read_as_tables_write_them(given: str, moment: str | None) -> None:
    found = moments(pl.Series([given]))[0]
    assert (found and str(found).removesuffix("+00:00")) == moment


CELLS = st.one_of(
    st.none(), st.text(max_size=8), st.floats(), st.integers(-(2**70), 2**70), st.booleans(),
    st.sampled_from(["2026-05-01", "ok", "1e400", "\ud800", "\x00"]),
)  # fmt: skip


@given(st.lists(st.tuples(*[CELLS] * 5), max_size=6))
def test_no_row_is_lost_whatever_is_in_it(rows: list[tuple[Any, ...]]) -> None:
    names = ("at", "trace_id", "tokens_in", "status", "helpful")
    texts = [
        [None if c is None else str(c).encode("utf-8", "replace").decode() for c in row]
        for row in rows
    ]
    frame = pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String), orient="row")
    batch = from_table(frame, {"value": ["helpful"]})
    told = {problem.place for problem in batch.problems}
    assert batch.tables["spans"].height + len(told) == len(rows)
    assert batch.tables["evaluations"].height <= batch.tables["spans"].height
    assert batch.tables["evaluations"]["value"].is_finite().all()
