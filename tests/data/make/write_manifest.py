"""Write ``MANIFEST.json``: what made each fixture, and numbers the tools themselves report.

Run as ``python write_manifest.py`` beside the fixtures, with ``inspect-ai`` installed.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections import Counter
from pathlib import Path

import zipfile_zstd  # noqa: F401  (teaches zipfile the Zstandard method)

ROOT = Path(__file__).parents[1]
HOW = {
    "full": "12 samples x 3 epochs, six scorers, two reducers; fails_1 errors, stock-loop limited",
    "pair": "three of those samples; pair.json is pair.eval through the tool's own writer",
    "short": "two samples x 2 epochs, written as JSON by the tool",
    "cancelled": "a run that received SIGINT at its eighth model call",
    "killed": "a run that received SIGKILL while its model hung; flushed after every sample",
    "repeat": "promptfoo eval --repeat 3, two providers x two prompts; .jsonl is the same eval",
    "cached": "second run with a warm cache, first two tests only (--filter-first-n 2)",
    "version2": "the same config without repeats; results.version is 2",
}


def plain(value: object) -> object:
    """Replace NaN, which JSON lacks, by the text ``NaN``."""
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def inspect_facts(path: Path) -> dict:
    """Return counts and header metrics of an Inspect log in either form."""
    facts: dict = {}
    if path.suffix == ".eval":
        log = zipfile.ZipFile(path)
        names = log.namelist()
        facts["zip_methods"] = dict(Counter(i.compress_type for i in log.infolist()))
        facts["has"] = [n for n in names if "/" not in n]
        samples = [json.loads(log.read(n)) for n in names if n.startswith("samples/")]
        top = json.loads(log.read("header.json" if "header.json" in names else names[0]))
    else:
        top = json.loads(path.read_text(encoding="utf-8"))
        samples = top["samples"]
    usage = Counter()
    for sample in samples:
        for spent in (sample.get("model_usage") or {}).values():
            usage.update({k: v for k, v in spent.items() if k.endswith("tokens")})
    results = top.get("results") or {}
    return facts | {
        "status": top.get("status"),
        "samples": len(samples),
        "ids": sorted({str(sample["id"]) for sample in samples}),
        "errors": sum(bool(sample.get("error")) for sample in samples),
        "limits": sum(bool(sample.get("limit")) for sample in samples),
        "tokens_summed_over_samples": dict(usage),
        "model_usage": (top.get("stats") or {}).get("model_usage"),
        "total_samples": results.get("total_samples"),
        "completed_samples": results.get("completed_samples"),
        "scores": [
            {
                "name": score["name"],
                "scorer": score["scorer"],
                "reducer": score.get("reducer"),
                "scored_samples": score.get("scored_samples"),
                "metrics": {key: plain(m["value"]) for key, m in score["metrics"].items()},
            }
            for score in results.get("scores", [])
        ],
    }


def promptfoo_facts(path: Path) -> dict:
    """Return row counts and column totals of a Promptfoo export."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {"rows": len(rows), "passed": sum(row["success"] for row in rows)}
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    prompts = results.get("prompts") or results["table"]["head"]["prompts"]
    keep = ("score", "testPassCount", "testFailCount", "testErrorCount", "assertPassCount")
    keep += ("assertFailCount", "namedScores", "namedScoresCount", "namedScoreWeights", "cost")
    return {
        "version": results["version"],
        "rows": len(results["results"]),
        "stats": {k: results["stats"].get(k) for k in ("successes", "failures", "errors")},
        "cached_rows": sum(bool(r["response"].get("cached")) for r in results["results"]),
        "columns": [
            {"provider": p["provider"], "prompt": p["label"]}
            | {k: p["metrics"][k] for k in keep if k in p["metrics"]}
            for p in prompts
        ],
    }


def lmeval_facts(path: Path) -> dict:
    """Return the harness's own results, or row counts of a samples file."""
    if path.suffix == ".json":
        top = json.loads(path.read_text(encoding="utf-8"))
        return {key: top[key] for key in ("results", "n-samples", "task_hashes")}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {
        "rows": len(rows),
        "documents": len({row["doc_id"] for row in rows}),
        "filters": dict(Counter(row["filter"] for row in rows)),
    }


READERS = {"inspect": inspect_facts, "promptfoo": promptfoo_facts, "lmeval": lmeval_facts}


def entries() -> list[dict]:
    """Return one entry for each fixture, in path order."""
    rows = []
    for path in sorted(p for p in ROOT.rglob("*") if p.is_file()):
        tool, _, version = path.relative_to(ROOT).parts[0].partition("-")
        if tool not in READERS:
            continue
        rows.append(
            {
                "path": path.relative_to(ROOT).as_posix(),
                "tool": tool,
                "version": version,
                "how": HOW.get(path.stem, "make_lmeval.py, two tasks of 20 documents"),
                "facts": READERS[tool](path),
            }
        )
    return rows


if __name__ == "__main__":
    text = json.dumps(entries(), ensure_ascii=False, indent=1)
    (ROOT / "MANIFEST.json").write_text(text + "\n", encoding="utf-8")
