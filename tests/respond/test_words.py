"""How sure a verdict sounds, and what it asks for first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aiops_lab.respond.words import verdict_of

REPLAY = "replay 140 requests with both versions of the index"


def suspect(probability: float) -> dict[str, Any]:
    return {
        "artefact": "index", "name": "handbook", "version": "20260830", "from_version": "20260829",
        "at": datetime(2026, 8, 30, tzinfo=UTC), "logged": True, "probability": probability,
        "next_experiment": REPLAY, "cost_usd": 0.4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("probability", "replayed", "did", "step"),
    [
        (0.95, False, "did it (95 %)", f"Serve index 20260829; to be sure, {REPLAY}."),
        (0.9, False, "did it (90 %)", f"Serve index 20260829; to be sure, {REPLAY}."),
        (0.73, False, "most likely did it (73 %)",
         "Replay 140 requests with both versions of the index; if that shows it, serve index "
         "20260829."),
        (0.73, True, "did it (73 %)", "Serve index 20260829."),
    ],
)  # fmt: skip
def test_who_is_only_likely_is_asked_before_anything_is_undone(
    probability: float, replayed: bool, did: str, step: str
) -> None:
    told = {"metric": "grounded", "where": "all", "share": True, "move": -0.2, "low": -0.3,
            "high": -0.1, "replayed": replayed}  # fmt: skip
    verdict = verdict_of([suspect(probability), suspect(0.05)], told)
    assert verdict.status == "warn"
    assert verdict.headline.startswith(f"Index handbook 20260830 of 30 Aug {did}: grounded moved")
    assert verdict.next_step == step
