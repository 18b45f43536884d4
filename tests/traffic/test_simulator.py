"""The simulator of traffic writes what it says it planted, in the form a collector writes."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard

TRAFFIC = Path(__file__).parents[2] / "data" / "traffic"
sys.path.insert(0, str(TRAFFIC))
from simulate import ALL, Truth, simulate  # noqa: E402
from wording import TEXTS  # noqa: E402

SMALL = {"seed": 3, "weeks": 4, "per_day": 25}
SEEDS = (1, 3, 7)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    simulate(folder, **SMALL)
    return folder


@pytest.fixture(scope="module", params=SEEDS)
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(f"seed-{request.param}")
    return simulate(folder, seed=request.param), counted(folder)


def lines(path: Path) -> list[str]:
    packed = zstandard.ZstdDecompressor().stream_reader(path.open("rb"))
    return io.TextIOWrapper(packed, encoding="utf-8").read().splitlines()


def counted(folder: Path) -> list[dict[str, Any]]:
    with (folder / "expected.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    texts = ("day", "slice", "language", "root")
    return [{k: v if k in texts else float(v) for k, v in row.items()} for row in rows]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def plain(value: dict[str, Any]) -> Any:
    ((kind, inside),) = value.items()
    if kind == "arrayValue":
        return [plain(each) for each in inside["values"]]
    if kind == "kvlistValue":
        return {each["key"]: plain(each["value"]) for each in inside["values"]}
    if kind == "intValue":
        assert isinstance(inside, str)
        return int(inside)
    return inside


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: plain(each["value"]) for each in record["attributes"]}


def spans(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("traces-*.jsonl.zst")):
        for line in lines(path):
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    yield from scope["spans"]


def records(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("evaluations-*.jsonl.zst")):
        for line in lines(path):
            for resource in json.loads(line)["resourceLogs"]:
                for scope in resource["scopeLogs"]:
                    yield from scope["logRecords"]


def test_same_seed_writes_same_bytes(small: Path, tmp_path: Path) -> None:
    simulate(tmp_path, **SMALL)
    assert contents(tmp_path) == contents(small)
    assert len([name for name in contents(small) if name.startswith("traces-2026-W")]) == 4


def test_another_seed_draws_other_parameters(small: Path, tmp_path: Path) -> None:
    other = simulate(tmp_path, seed=4, weeks=1, per_day=5).parameters
    drawn = json.loads((small / "truth.json").read_text())["parameters"]
    numbers = [name for name, value in drawn.items() if isinstance(value, float)]
    assert len(numbers) > 40
    assert not [name for name in numbers if drawn[name] == other[name]]


def test_parameters_do_not_depend_on_what_is_planted(small: Path, tmp_path: Path) -> None:
    quiet = simulate(tmp_path, **SMALL, incidents=())
    told = json.loads((small / "truth.json").read_text())
    assert quiet.parameters == told["parameters"]
    assert quiet.incidents == []
    assert {each["kind"] for each in told["incidents"]} == set(ALL)
    with pytest.raises(ValueError, match="no incidents"):
        simulate(tmp_path, incidents=["flood"])


def test_an_earlier_end_is_what_had_arrived_by_then(small: Path, tmp_path: Path) -> None:
    truth = simulate(tmp_path, **SMALL, until="2026-11-12")
    for name, content in contents(tmp_path).items():
        if name.startswith(("traces", "evaluations")):
            whole = lines(small / name)
            assert lines(tmp_path / name) == whole[: len(lines(tmp_path / name))]
            assert ("W46" in name) == (content != (small / name).read_bytes())
    changes = (small / "changes.csv").read_text()
    assert changes.startswith((tmp_path / "changes.csv").read_text())
    with pytest.raises(ValueError, match="the traffic goes from"):
        simulate(tmp_path, **SMALL, until="2027-01-01")
    assert truth.until == "2026-11-12"


def test_lines_are_otlp_json_with_hex_ids(small: Path) -> None:
    for span in spans(small):
        assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
        assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
        assert re.fullmatch("([0-9a-f]{16})?", span["parentSpanId"])
        assert 0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert span["kind"] in (1, 2, 3)
        assert attributes(span)
    for record in records(small):
        assert re.fullmatch("[0-9a-f]{32}", record["traceId"])
        assert record["eventName"] == "gen_ai.evaluation.result"


def test_traces_are_as_untidy_as_real_ones(tmp_path: Path) -> None:
    truth = simulate(tmp_path, seed=13, weeks=3, per_day=90)
    where: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    roots, early = set(), 0
    started: dict[str, int] = {}
    for path in sorted(tmp_path.glob("traces-*.jsonl.zst")):
        for number, line in enumerate(lines(path)):
            for scope in json.loads(line)["resourceSpans"][0]["scopeSpans"]:
                for span in scope["spans"]:
                    where[span["traceId"], span["spanId"]].append((path.name, number))
                    if not span["parentSpanId"]:
                        roots.add(span["traceId"])
                        started[span["traceId"]] = int(span["startTimeUnixNano"])
    for span in spans(tmp_path):
        early += int(span["startTimeUnixNano"]) < started.get(span["traceId"], 0)
    first: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for (trace, _), places in where.items():
        first[trace].add(places[0])
    assert len(where) == truth.spans
    assert truth.undelivered == 0
    assert any(len(places) > 1 for places in where.values()), "spans that came twice"
    assert any(len(places) > 1 for places in first.values()), "requests over two lines"
    assert any(len({name for name, _ in places}) > 1 for places in first.values()), "late spans"
    assert 0 < len(first) - len(roots) < 0.01 * len(first), "requests without a root"
    assert early, "clocks that differ"


def read(folder: Path) -> dict[tuple[str, str], Counter[str]]:
    """Day and product area with what the spans say of them; requests without a root left out."""
    traces: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for span in spans(folder):
        traces[span["traceId"]][span["spanId"]] = span
    judged = {record["traceId"]: attributes(record) for record in records(folder)}
    phrases = [text.split("{")[0] for texts in TEXTS["refusals"].values() for text in texts]
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for trace, several in traces.items():
        root = next((span for span in several.values() if not span["parentSpanId"]), None)
        if root is None:
            continue
        begun = datetime.fromtimestamp(int(root["startTimeUnixNano"]) / 1e9, UTC)
        known = attributes(root)
        cell = found[begun.date().isoformat(), known["app.slice"]]
        for event in root.get("events", []):
            known |= attributes(event)
        each: dict[str, Any] = {}
        for span in several.values():
            each |= attributes(span)
        cell["requests"] += 1
        cell["errors"] += root["status"].get("code") == 2
        cell[known.get("user.feedback", "none")] += 1
        cell["tokens_out"] += _first(each, "llm.token_count.completion", *USAGE) or 0
        if trace in judged:
            weight = judged[trace]["aiops.sampling_weight"]
            cell["weight"] += weight
            poor = judged[trace]["gen_ai.evaluation.score.value"] < 0.5
            cell["weight_ungrounded"] += weight * poor
        answer = _answer(each)
        if answer is not None:
            broken = not _loads(answer)
            assert broken == (each["app.parse.result"] == "error")
            cell["yaml_invalid"] += broken
            cell["refusals"] += any(phrase in answer for phrase in phrases)
    return found


USAGE = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")


def _first(values: dict[str, Any], *names: str) -> Any:
    return next((values[name] for name in names if name in values), None)


def _answer(values: dict[str, Any]) -> str | None:
    names = ("llm.output_messages.0.message.content", "gen_ai.completion.0.content")
    if (text := _first(values, *names)) is not None:
        return text
    messages = values.get("gen_ai.output.messages")
    return None if messages is None else json.loads(messages)[0]["parts"][0]["content"]


def _loads(text: str) -> bool:
    try:
        value = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        return False
    return isinstance(value, dict) and set(value) == {"answer", "sources", "confidence"}


def test_what_is_read_is_what_was_counted(small: Path) -> None:
    expected: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in counted(small):
        if row["root"] == "written":
            numbers = {k: v for k, v in row.items() if isinstance(v, float)}
            expected[row["day"], row["slice"]].update(numbers)
    found = read(small)
    assert set(found) == set(expected)
    names = ("requests", "errors", "refusals", "yaml_invalid", "up", "down", "retry", "abandon")
    for name in (*names, "tokens_out", "weight", "weight_ungrounded"):
        assert {key: cell[name] for key, cell in found.items()} == {
            key: cell[name] for key, cell in expected.items()
        }, name


def test_the_bank_of_texts_is_large_enough() -> None:
    topics = [topic for area in TEXTS["about"] for each in TEXTS[area].values() for topic in each]
    assert sum(len(topic["ask"]) for topic in topics) >= 60
    assert sum(len(topic["tell"]) for topic in topics) >= 60
    assert sum(map(len, TEXTS["refusals"].values())) >= 25
    shown = {"text": "Yes. It's so.", "half": "Ye", "first": "a.md", "sources": "a.md, b.md"}
    for kind, valid in (("forms", True), ("defects", False)):
        for form in TEXTS[kind].values():
            assert _loads(form.format_map(shown | {"confidence": "0.80"})) is valid
    assert len(TEXTS["defects"]) >= 10


class Counts:
    """Sums of some rows of expected.csv."""

    def __init__(self, truth: Truth, rows: list[dict[str, Any]]) -> None:
        self.truth, self.rows = truth, rows
        self.days = len({row["day"] for row in rows})

    def sum(self, *names: str) -> float:
        return sum(row[name] for row in self.rows for name in names)

    def close(self, rate: float, usual: float, events: float, n: float, of: float) -> None:
        """Whether a rate is what was drawn, within 4 standard errors and the cycles' share."""
        p = self.truth.parameters
        days = rate**2 * p["rho"] * (1 - usual) / usual / self.days
        error = math.sqrt(rate * (1 - rate) / n + days)
        assert abs(events / of - rate) < 4 * error + rate * p["rate_cycle"] * p["volume_cycle"] / 2


@pytest.mark.slow
def test_incidents_have_the_sizes_that_were_drawn(large: tuple[Truth, list]) -> None:
    truth, rows = large
    p = truth.parameters
    ends = datetime.fromisoformat(truth.end).replace(tzinfo=UTC).timestamp() / 86_400 + 1
    assert len(truth.incidents) == 8
    for each in truth.incidents:
        if each.kind == "weekly_cycle":
            continue
        began = datetime.fromisoformat(each.since).timestamp() / 86_400
        chosen = [
            row
            for row in rows
            if all(row[k] == v for k, v in each.where.items())
            and not any(row[k] == v for k, v in each.outside.items())
        ]
        before = Counts(truth, [row for row in chosen if row["day"] < each.since[:10]])
        after = [row for row in chosen if row["day"] > each.since[:10]]
        gone = 1.0
        if each.course == "linear until the end":
            last = sorted({row["day"] for row in after})[-7:]
            after = [row for row in after if row["day"] in last]
            gone = 1 - 3.5 / (ends - began)
        elif each.metric == "share":
            last = sorted({row["day"] for row in after})[-10:]
            after = [row for row in after if row["day"] in last]
        size = each.before + (each.after - each.before) * gone
        for counts, rate in ((before, each.before), (Counts(truth, after), size)):
            n = counts.sum("requests") - counts.sum("errors")
            if each.metric in ("refusals", "yaml_invalid"):
                counts.close(rate, each.before, counts.sum(each.metric), n, n)
            elif each.metric == "ungrounded":
                n -= counts.sum("refusals")
                counts.close(rate, each.before, counts.sum("ungrounded"), n, n)
            elif each.metric == "top_score":
                mean = counts.sum("top_score") / counts.sum("requests")
                assert mean == pytest.approx(rate, abs=0.005)
            elif each.metric == "thumbs_up":
                poor = counts.sum("refusals", "ungrounded") / n
                thumbs = counts.sum("up", "down")
                down = 1 - rate + 0.35 * poor
                counts.close(down, 1 - each.before, counts.sum("down"), thumbs, thumbs)
            elif each.metric == "tokens_out":
                first = before.sum("tokens_out") / (before.sum("requests") - before.sum("errors"))
                assert counts.sum("tokens_out") / n / first == pytest.approx(rate, abs=0.06)
            else:
                days = {row["day"] for row in counts.rows}
                whole = sum(row["requests"] for row in rows if row["day"] in days)
                error = math.sqrt(rate * (1 - rate) / whole)
                assert counts.sum("requests") / whole == pytest.approx(rate, abs=4 * error)
    growing = [row for row in rows if row["slice"] == p["growing"]]
    since = next(each.since for each in truth.incidents if each.kind == "mix_change")
    for half in (True, False):
        part = Counts(truth, [row for row in growing if (row["day"] > since) == half])
        n = part.sum("requests") - part.sum("errors")
        part.close(p["refusal_high"], p["refusal"], part.sum("refusals"), n, n)


@pytest.mark.slow
def test_errors_and_latency_stay_flat(large: tuple[Truth, list]) -> None:
    truth, rows = large
    p = truth.parameters
    mean = p["latency"] * math.exp(p["latency_spread"] ** 2 / 2)
    days = sorted({row["day"] for row in rows})
    for part in (days[:56], days[56:]):
        counts = Counts(truth, [row for row in rows if row["day"] in part])
        n, calls = counts.sum("requests"), counts.sum("tool_calls")
        assert counts.sum("latency_s") / n == pytest.approx(mean, rel=0.02)
        assert counts.sum("errors") / n == pytest.approx(
            p["error"], abs=4 * math.sqrt(p["error"] / n)
        )
        failing = p["tool_failure"]
        assert counts.sum("tool_failures") / calls == pytest.approx(
            failing, abs=4 * math.sqrt(failing / calls)
        )


@pytest.mark.slow
def test_every_seed_plants_after_a_month_and_apart(tmp_path: Path) -> None:
    hit, slow = set(), set()
    for seed in range(60):
        truth = simulate(tmp_path, seed=seed, per_day=1, until="2026-08-03")
        moments = sorted({each.since for each in truth.incidents if each.kind != "weekly_cycle"})
        assert len(moments) == 5
        assert moments[0] > "2026-09-10"
        hit |= set(truth.parameters["hit"].items())
        slow.add(truth.parameters["slow"])
    assert len(hit) == 8
    assert slow == {"thumbs_up", "tokens_out"}
