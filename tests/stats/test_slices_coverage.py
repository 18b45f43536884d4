"""Do the intervals of slices hold the truth, and how wide are they?"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from aiops_lab.stats.slices import bad_slices, mean_over_slices
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.stats import simulate_slices as periods
from tests.stats.test_false_alarms import falls_short

pytestmark = pytest.mark.slow
PERIODS = 200 if WHOLE else 60
EVERY = 1 if WHOLE else 7


def one_by_one(cells: np.ndarray, limit: float, judge: periods.Labels | None) -> float:
    """The width if each slice had to be told by itself, corrected for how many there are."""
    least = most = 0
    names = np.unique(cells[:, 0])
    for name in names:
        found = bad_slices(cells[cells[:, 0] == name], limit, judge, level=1 - 0.05 / names.size)
        least, most = least + (found.low or 0.0), most + (1.0 if found.high is None else found.high)
    return (most - least) / names.size


def simulated(design: periods.Design, number: int) -> dict[str, float]:
    """Covered and median widths, of bad slices and of the mean; and of what is usually shown."""
    covered, naive, width = np.zeros(2), np.zeros(2), np.empty((2, PERIODS))
    for period in range(PERIODS):
        drawn = periods.draw(design, np.random.default_rng([number, period]))
        judge = drawn.labelled
        found = (
            bad_slices(drawn.cells, design.limit, judge), mean_over_slices(drawn.cells, judge)
        )  # fmt: skip
        for which, (one, truth) in enumerate(zip(found, (drawn.bad, drawn.mean), strict=True)):
            low, high = (0.0, 1.0) if one.low is None or one.high is None else (one.low, one.high)
            covered[which] += low - 1e-9 <= truth <= high + 1e-9
            width[which, period] = high - low
            naive[which] += abs((one.judge_only or 0.0) - truth) <= 0.01
    drawn = periods.draw(design, np.random.default_rng([number, 0]))
    names = ("bad", "mean")
    return {
        **{f"{name} covered": covered[n] for n, name in enumerate(names)},
        **{f"{name} width": float(np.median(width[n])) for n, name in enumerate(names)},
        **{f"{name} naive": naive[n] / PERIODS for n, name in enumerate(names)},
        "one by one": one_by_one(drawn.cells, design.limit, drawn.labelled) if WHOLE else 1.0,
    }


def test_coverage_and_width_in_every_cell() -> None:
    rows = []
    for number, design in enumerate(periods.designs()):
        if number % EVERY:
            continue
        found = simulated(design, number)
        for name in ("bad", "mean"):
            assert not falls_short(int(found[f"{name} covered"]), 0.94, PERIODS), (design, found)
        if design.sampling == 1 and design.judge is None:
            assert max(found["bad width"], found["mean width"]) < 1e-9, (design, found)
        rows.append((design, found))
    if WHOLE:
        _write(rows)


def _write(rows: list[tuple[periods.Design, dict[str, float]]]) -> None:
    table = Table(
        "budget-slices",
        f"95 % intervals of the share of bad slices (timeslices) and of the mean over slices of "
        f"the share bad (ratio_timeslices): {len(rows)} designs (24 to 500 slices of 2 to 200 "
        "answers, the worst slices the busiest ones or outages, some with a second stratum that "
        "is evaluated whole, limits of .01 to .2, 50 to 500 labels of a kind), "
        f"{PERIODS} periods each. Width is the median of a design's median widths; one by one: "
        "had each slice to be told by itself, corrected for their number. Near: how often what "
        "was flagged of what was seen is within a point of the truth.",
    )
    table.columns(
        "judge (sensitivity, specificity)", "evaluated", "answers in a slice", "bad: least covered",
        "width", "one by one", "near", "mean: least covered", "mean covered", "width", "near",
    )  # fmt: skip
    for judge, sampling, sizes in product(periods.JUDGES, periods.SAMPLING, periods.SIZES):
        own = [f for d, f in rows if (d.judge, d.sampling, d.sizes) == (judge, sampling, sizes)]
        told = {name: np.array([found[name] for found in own]) for name in own[0]}
        table.row(
            judge or "does not err", sampling, f"{sizes[0]} to {sizes[1]}",
            f"{told['bad covered'].min() / PERIODS:.3f}", f"{np.median(told['bad width']):.3f}",
            f"{np.median(told['one by one']):.3f}", f"{told['bad naive'].mean():.2f}",
            f"{told['mean covered'].min() / PERIODS:.3f}",
            f"{told['mean covered'].mean() / PERIODS:.3f}", f"{np.median(told['mean width']):.3f}",
            f"{told['mean naive'].mean():.2f}",
        )  # fmt: skip
    table.write()


def _labels(random: np.random.Generator, se: float, sp: float) -> periods.Labels:
    return periods.Labels(random.binomial(200, se), 200, random.binomial(400, sp), 400)


@pytest.mark.parametrize("judge", [None, (0.9, 0.97)])
@pytest.mark.parametrize("lost", [(0.3, 0.05), (0.05, 0.3)])
def test_missing_evaluations_may_be_of_either_kind(judge, lost: tuple[float, float]) -> None:
    """Bad answers are lost six times as often as good ones, or the reverse."""
    covered = np.zeros(2)
    for period in range(PERIODS):
        random = np.random.default_rng([8, period])
        answers = random.integers(10, 60, 80)
        bad = random.binomial(answers, random.uniform(0, 0.15, 80))
        met = random.binomial(bad, 0.8), random.binomial(answers - bad, 0.8)
        kept = [random.binomial(some, 1 - rate) for some, rate in zip(met, lost, strict=True)]
        se, sp = judge or (1.0, 1.0)
        flags = random.binomial(kept[0], se) + random.binomial(kept[1], 1 - sp)
        n = kept[0] + kept[1]
        cells = np.column_stack([np.arange(80), answers, n, flags, met[0] + met[1] - n])
        labels = judge and _labels(random, *judge)
        found = bad_slices(cells, 0.1, labels), mean_over_slices(cells, labels)
        truth = (bad > 0.1 * answers + 1e-9).mean(), (bad / answers).mean()
        for which, (one, value) in enumerate(zip(found, truth, strict=True)):
            assert one.low is not None and one.high is not None
            covered[which] += one.low <= value <= one.high
    assert not any(falls_short(int(count), 0.94, PERIODS) for count in covered), covered


def test_shares_of_good_are_covered_without_an_evaluation_of_all() -> None:
    covered = np.zeros(2)
    for period in range(PERIODS):
        random = np.random.default_rng([9, period])
        place = np.repeat(np.arange(60), 30)
        bad = random.beta(1, 9, place.size) * random.uniform(0.2, 2, 60)[place]
        seen = random.random(place.size) < 0.5
        n, sums = (np.bincount(place, weights) for weights in (seen, np.where(seen, bad, 0)))
        cells = np.column_stack([np.arange(60), np.full(60, 30), n, sums, np.zeros(60)])
        mean = np.bincount(place, bad) / 30
        for which, (one, value) in enumerate(
            (
                (bad_slices(cells, 0.15), (mean > 0.15).mean()),
                (mean_over_slices(cells), mean.mean()),
            )
        ):
            assert one.low is not None and one.high is not None
            covered[which] += one.low <= value <= one.high
    assert not any(falls_short(int(count), 0.94, PERIODS) for count in covered), covered
