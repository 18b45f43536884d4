"""Bootstrap intervals: side by side with SciPy's, in one run."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from aiops_lab.stats.bootstrap import paired_bootstrap, quantile_bootstrap
from tests.benchmarks.proof import Table

pytestmark = pytest.mark.proof
QUESTIONS, RESAMPLES, ROUNDS = 100_000, 10_000, 3
BATCHES = (1, 2, 5, 20)


def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    return np.mean(b - a, axis=axis)


def p95(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    return np.quantile(b, 0.95, axis=axis) - np.quantile(a, 0.95, axis=axis)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def peer(a: np.ndarray, b: np.ndarray, statistic: Callable, resamples: int, batch: int) -> Any:
    return stats.bootstrap(
        (a, b), statistic, paired=True, vectorized=True, method="percentile", batch=batch,
        n_resamples=resamples, rng=np.random.default_rng(1),
    )  # fmt: skip


def best_batch(a: np.ndarray, b: np.ndarray, statistic: Callable) -> int:
    """The batch with which the peer is fastest, on a fiftieth of the work."""
    part = RESAMPLES // 50

    def fastest(batch: int) -> float:
        return min(seconds(partial(peer, a, b, statistic, part, batch))[0] for _ in range(ROUNDS))

    return min(BATCHES, key=fastest)


def test_bootstrap_is_faster_with_equal_ends() -> None:
    random = np.random.default_rng(11)
    right = (random.random((2, QUESTIONS)) < [[0.80], [0.81]]) * 1.0
    grades = random.integers(0, 11, (2, QUESTIONS)) / 10
    numbers = random.normal([[0.0], [0.01]], 1, (2, QUESTIONS))
    latency = random.lognormal(0, 1, QUESTIONS) * random.lognormal(0, 0.2, (2, QUESTIONS))
    cases = [
        ("mean, pass or fail", right, difference, paired_bootstrap, 100),
        ("mean, eleven grades", grades, difference, paired_bootstrap, 100),
        ("mean, continuous", numbers, difference, paired_bootstrap, 3),
        ("95 % quantile, continuous", latency, p95, quantile_bootstrap, 3),
    ]
    table = Table(
        "bootstrap",
        f"Percentile intervals of paired differences: {RESAMPLES} resamples of {QUESTIONS} "
        f"questions, scipy.stats.bootstrap with its fastest batch of {BATCHES}; the peer's "
        "quantiles from a tenth of the resamples, times ten. Ours: the median of three, SciPy's: "
        "the fastest. Ends apart in standard errors of the estimate.",
    )
    table.columns("what", "aiops-lab s", "scipy s", "batch", "times faster", "ends apart", "bar")
    missed = []
    for what, (a, b), statistic, ours, bar in cases:
        batch, part = best_batch(a, b, statistic), 10 if statistic is p95 else 1
        own, theirs, found, reference = [], [], None, None
        for _ in range(ROUNDS):
            taken, found = seconds(partial(ours, a, b))
            own.append(taken)
            taken, reference = seconds(partial(peer, a, b, statistic, RESAMPLES // part, batch))
            theirs.append(taken * part)
        ends = np.subtract((found.low, found.high), tuple(reference.confidence_interval))
        apart = float(np.abs(ends).max() / reference.standard_error)
        ratio = min(theirs) / statistics.median(own)
        table.row(
            what, f"{statistics.median(own):.4f}", f"{min(theirs):.1f}", batch, f"{ratio:.0f}",
            f"{apart:.3f}", bar,
        )  # fmt: skip
        missed += [] if ratio >= bar and apart <= (0.3 if part > 1 else 0.12) else [what]
    table.write()
    assert not missed


@pytest.mark.parametrize("n", [QUESTIONS, 10 * QUESTIONS])
def test_memory_is_bounded(n: int) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, n))
    tracemalloc.start()
    paired_bootstrap(a, b, resamples=1000)
    quantile_bootstrap(a, b, 0.5, resamples=1000)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"{n} questions: {peak:.0f} MB at the peak")
    assert peak < 200
