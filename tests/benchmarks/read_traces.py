"""Read OTLP/JSON once: python read_traces.py FILE ours|plain|batches.

``plain`` is `json.loads` and a bare loop that takes the ids, names, times and attributes of the
spans out; ``ours`` keeps the frames of the reader as it does its rows; ``batches`` keeps nothing.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from aiops_lab.sources.traces.otlp import SOURCE


def plain(path: Path) -> int:
    """Everything by hand, nothing understood."""
    rows = []
    with path.open("rb") as file:
        for line in file:
            for sender in json.loads(line)["resourceSpans"]:
                for group in sender["scopeSpans"]:
                    for span in group["spans"]:
                        attributes = {
                            pair["key"]: int(value["intValue"])  # which is a text
                            if "intValue" in (value := pair["value"])
                            else next(iter(value.values()), None)
                            for pair in span.get("attributes", ())
                        }
                        times = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                        ids = span["traceId"], span["spanId"], span.get("parentSpanId")
                        rows.append((*ids, span["name"], *times, attributes))
    return len(rows)


def ours(path: Path) -> int:
    """The canonical tables."""
    frames = [batch.tables["spans"] for batch in SOURCE.read(path) if batch.tables]
    return sum(frame.height for frame in frames)


def batches(path: Path) -> int:
    """The canonical tables, each batch forgotten at once."""
    return sum(batch.tables["spans"].height for batch in SOURCE.read(path) if batch.tables)


if __name__ == "__main__":
    read = {"ours": ours, "plain": plain, "batches": batches}[sys.argv[2]]
    began = time.process_time()
    rows = read(Path(sys.argv[1]))
    print(time.process_time() - began, rows)
