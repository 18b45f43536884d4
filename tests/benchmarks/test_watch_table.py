"""False alarms and delays beside what teams use now: `make proof`, docs/proof/watch.md."""

from __future__ import annotations

import numpy as np
import pytest

from aiops_lab.stats.sequential import watch
from tests.benchmarks.proof import Table
from tests.stats import simulate_days as days
from tests.stats.test_false_alarms import (
    BASELINE,
    CLEAN,
    clean,
    delay,
    quantiles,
    watched_rates,
)

pytestmark = pytest.mark.proof
RUNS, FOUND, STREAMS = 3_000, 1_000, 40
ADWIN_DAYS = 30


def adwin(events: np.ndarray, n: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The day on which river's ADWIN, with its defaults, sees a change in the stream of answers."""
    drift = pytest.importorskip("river.drift")
    found = np.full(len(events), -1)
    for run, (hits, sizes) in enumerate(zip(events, n, strict=True)):
        detector = drift.ADWIN()
        for day, (hit, size) in enumerate(zip(hits, sizes, strict=True)):
            stream = random.permutation(np.arange(size) < hit)
            seen = False
            for answer in stream:
                detector.update(float(answer))
                seen |= detector.drift_detected
            if seen and day >= ADWIN_DAYS:
                found[run] = day
                break
    return found


def told(pair: tuple[float, float]) -> str:
    return " / ".join("never" if not np.isfinite(value) else f"{value:.0f}" for value in pair)


def test_the_table_of_false_alarms_and_delays() -> None:
    table = Table(
        "watch",
        "One rate from 2 to 6 % with a baseline of 30 days: the share of 90 clean days with an "
        "alarm, and the days until a step from 3 to 8 % and from 3 to 5 % is found (median / 95 "
        f"%). {RUNS:,} clean runs and {FOUND:,} of each step a row; ADWIN of river on the raw "
        f"answers in {STREAMS} (its steps are not shown where it alarms before them).",
    )
    table.columns(
        "answers a day", "rho", "weekly cycle", "false alarms", "3 to 8 %", "3 to 5 %",
        "daily p < .05: false", "3 sigma: false", "3 sigma: 3 to 5 %", "ADWIN: false",
        "ADWIN: 3 to 5 %",
    )  # fmt: skip
    at = BASELINE + 10
    for n in (200, 500, 2000):
        for rho in (0, 0.0005, 0.002):
            for swing in (0, 0.2, 0.4):
                random = np.random.default_rng([40, n, int(rho * 1e4), int(swing * 10)])
                events, size = days.counts(random, clean(random, RUNS), n, rho, swing)
                ours = (watch(watched_rates(events, size)).alarm >= 0).mean()
                daily = (days.daily_test(events, size) >= 0).mean()
                sigma = (days.three_sigma(events, size) >= 0).mean()
                few = min(STREAMS, RUNS) if n < 2000 else 10
                raw = adwin(events[:few], size[:few], random)
                steps = []
                for after in (0.08, 0.05):
                    level = days.step(FOUND, BASELINE + CLEAN, 0.03, after, at)
                    shifted, sizes = days.counts(random, level, n, rho, swing)
                    alarm = watch(watched_rates(shifted, sizes)).alarm
                    steps.append(told(quantiles(delay(alarm, at))))
                rule = days.three_sigma(shifted, sizes)
                stream = adwin(shifted[:few], sizes[:few], random)
                table.row(
                    n, rho, f"{swing:.0%}", f"{ours:.4f}", *steps, f"{daily:.3f}", f"{sigma:.3f}",
                    told(quantiles(delay(rule[rule >= at], at))), f"{(raw >= 0).mean():.3f}",
                    told(quantiles(delay(stream[(stream < 0) | (stream >= at)], at))),
                )  # fmt: skip
    table.write()
