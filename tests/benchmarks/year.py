"""A year of requests as a collector writes them, a file a day: python year.py FOLDER DAYS A_DAY."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

FIRST = datetime(2025, 11, 1, tzinfo=UTC)
PARTS = ("billing", "returns", "delivery", "account", "other")
WORDS = ("your", "order", "has", "left", "the", "store", "and", "comes", "on", "friday", "noon")
A_LINE = 50


def _attributes(**told: Any) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue"}
    return [{"key": k.replace("__", "."), "value": {kinds[type(v)]: v}} for k, v in told.items()]


def write_day(folder: Path, day: int, count: int) -> Path:
    """Requests of one day: a root and the call of a model below it."""
    chance = np.random.default_rng([17, day])
    seconds = np.sort(chance.uniform(0, 86_400, count))
    start = int((FIRST + timedelta(days=day)).timestamp() * 1e9)
    latency, tokens = chance.lognormal(0.4, 0.4, count), chance.integers(200, 900, count)
    spans = []
    for n in range(count):
        at, took = start + int(seconds[n] * 1e9), int(latency[n] * 1e9)
        trace, text = f"{day:08x}{n:024x}", " ".join(chance.choice(WORDS, 12))
        refused = chance.random() < 0.03
        common = {"traceId": trace, "startTimeUnixNano": str(at), "kind": 1, "status": {}}
        spans.append({
            **common, "spanId": f"{2 * n + 1:016x}", "name": "answer",
            "endTimeUnixNano": str(at + took), "attributes": _attributes(
                app__slice=PARTS[n % 5], app__language=("en", "de")[n % 3 == 0],
                output__value="I'm sorry, but I can't help with that." if refused else text,
            ),
        })  # fmt: skip
        spans.append({
            **common, "spanId": f"{2 * n + 2:016x}", "parentSpanId": f"{2 * n + 1:016x}",
            "name": "chat", "endTimeUnixNano": str(at + took * 9 // 10), "attributes": _attributes(
                gen_ai__operation__name="chat", gen_ai__request__model="answers",
                gen_ai__response__model="answers-2025-10", gen_ai__prompt__version="4",
                gen_ai__usage__input_tokens=int(tokens[n]), gen_ai__usage__output_tokens=40,
            ),
        })  # fmt: skip
    path = folder / f"{day:03}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for at in range(0, len(spans), A_LINE):
            scopes = [{"scope": {"name": "shop"}, "spans": spans[at : at + A_LINE]}]
            whole = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": scopes}]}
            file.write(json.dumps(whole, separators=(",", ":")) + "\n")
    return path


if __name__ == "__main__":
    for number in range(int(sys.argv[2])):
        write_day(Path(sys.argv[1]), number, int(sys.argv[3]))
