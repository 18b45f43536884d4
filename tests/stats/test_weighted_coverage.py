"""Does the interval of a weighted rise hold the truth, and how wide is it?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from aiops_lab.stats.score import tango_interval
from aiops_lab.stats.weighted import Rise, put_right, rise_interval, weighted_moves
from tests.benchmarks.proof import Table
from tests.conftest import WHOLE
from tests.stats import simulate_changes as changes
from tests.stats.test_false_alarms import falls_short

pytestmark = pytest.mark.slow
SEEDS = 4000 if WHOLE else 1000
EVERY = 1 if WHOLE else 3
Z = float(special.ndtri(0.975))


def median(ends: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.median(ends[1] - ends[0]))


def simulated(design: changes.Design, seed: int) -> dict[str, float]:
    """Covered, beyond either end of the 90 % interval, and median widths over Tango's."""
    drawn = changes.draw(design, SEEDS, np.random.default_rng([11, seed]))
    n, up, down = design.asked, drawn.up, drawn.down

    def ends(level: float) -> tuple[np.ndarray, np.ndarray]:
        low, high = rise_interval(drawn.weight, n, up, down, level=level)
        if drawn.judge is None:
            return low, high
        seen = (drawn.weight * (up - down) / n).sum(1)
        return put_right(seen, low, high, drawn.judge, level=level)

    low, high = ends(0.95)
    nine = ends(0.90)
    shares = [(drawn.weight * side / n).sum(1) for side in (up, down)]
    kish = 1 / (drawn.weight**2 / n).sum(1)
    whole = tango_interval(up.sum(1) / n.sum(), down.sum(1) / n.sum(), n.sum(), Z)
    width = median((low, high))

    def over(ends: tuple[np.ndarray, np.ndarray]) -> float:
        return width / float(np.median((ends[1] - ends[0]) / drawn.power))

    return {
        "covered": int(((low <= drawn.truth) & (drawn.truth <= high)).sum()),
        "above": float((drawn.truth > nine[1]).mean()),
        "below": float((drawn.truth < nine[0]).mean()),
        "unweighted": over(whole),
        "kish": over(tango_interval(*shares, kish, Z)),
        "alike": over(tango_interval(*shares, drawn.alike, Z)),
    }


def test_coverage_and_width_in_every_cell() -> None:
    """At least 94 %, at most 1.15 times as wide as Tango's on Kish's effective number."""
    rows = []
    for number, design in enumerate(changes.designs()):
        if number % EVERY:
            continue
        found = simulated(design, number)
        rows.append((design, found))
        assert not falls_short(int(found["covered"]), 0.94, SEEDS), (design, found)
        assert found["kish"] <= 1.15, (design, found)
    if WHOLE:
        _write(rows)


def _write(rows: list[tuple[changes.Design, dict[str, float]]]) -> None:
    table = Table(
        "change-cost",
        "Intervals of the rise in the share of bad answers between two runs, weighted to the mix "
        f"of the traffic: {len(rows)} designs (60 to 2,000 questions asked of all strata alike, "
        f"1 to 12 % of pairs turning), {SEEDS} changes each; for each change shares of the "
        "traffic, pairs turning in each stratum and judge (sensitivity .8 to .98, specificity .9 "
        "to .995, 50 to 500 labels of a kind) are drawn. Widths are medians over those of Tango's "
        "interval: * unweighted on the same pairs, which does not hold the truth; ** on Kish's "
        "effective number; *** on the effective number by the true shares of pairs that turn, "
        "which nobody knows; with a judge, over the true sensitivity + specificity - 1. Above and "
        "below: the truth beyond an end of the 90 % interval, in the worst design. Few of one: a "
        "quarter of the traffic, on average, in a stratum of five questions.",
    )
    table.columns(
        "judge", "strata", "least covered", "mean covered", "above, most", "below, most",
        "width *", "width **, median", "width **, largest", "width ***, largest",
    )  # fmt: skip
    for judged in (False, True):
        for mix in changes.MIXES:
            own = [found for design, found in rows if (design.judged, design.mix) == (judged, mix)]
            covered = [found["covered"] / SEEDS for found in own]
            each = {name: [found[name] for found in own] for name in own[0]}
            table.row(
                "errs" if judged else "none", mix, f"{min(covered):.3f}", f"{np.mean(covered):.3f}",
                f"{max(each['above']):.3f}", f"{max(each['below']):.3f}",
                f"{np.median(each['unweighted']):.2f}", f"{np.median(each['kish']):.2f}",
                f"{max(each['kish']):.2f}", f"{max(each['alike']):.2f}",
            )  # fmt: skip
    table.write()


@pytest.mark.parametrize(
    ("few", "own", "rest", "least"),
    [(5, 0.3, 0.08, 0.91), (20, 0.1, 0.02, 0.85), (40, 0.05, 0.01, 0.84)],
)
def test_a_thin_stratum_that_turns_by_itself_is_missed_now_and_then(few, own, rest, least) -> None:
    """A quarter of the traffic that turns four or five times as often as the rest."""
    random, n, weight = np.random.default_rng(4), np.array([few, 2000]), np.array([0.25, 0.75])
    turning = np.array([own, rest])
    up = random.binomial(n, turning, (10_000, 2))
    low, high = rise_interval(weight, n, up, 0 * up)
    covered = float(((low <= weight @ turning) & (weight @ turning <= high)).mean())
    print(f"{few} questions for a quarter of the traffic, of which {own:.0%} turns: {covered:.3f}")
    assert covered >= least  # a known shortfall, as docs/gate.md says


@pytest.mark.parametrize("clustered", [False, True])
def test_epochs_and_clusters_are_covered(clustered: bool) -> None:
    """The truth: what a hundred thousand questions of each stratum say of the same recipe."""
    covered, count = 0, 1000 if WHOLE else 400
    for seed in range(count):
        recipe = np.random.default_rng([13, seed, clustered])
        n, weight = int(recipe.integers(30, 100)), recipe.dirichlet(np.full(3, 2.0))
        size = int(recipe.integers(2, 6)) if clustered else 1
        level, factor = recipe.uniform(-5, -2.5, 3), recipe.uniform(0.7, 1.8, 3)
        sides, strata, groups = _drawn(recipe, n, size, level, factor)
        low, high = weighted_moves(
            *sides, strata, weight, groups if clustered else None
        ).interval()  # fmt: skip
        (before, after), many, _ = _drawn(recipe, 20_000, 1, level, factor, mean=True)
        rises = [np.mean((after - before)[many == i]) for i in range(3)]
        assert low is not None and high is not None
        covered += low <= weight @ rises <= high
    print(f"three answers a question, clusters {clustered}: {covered / count:.3f}")
    assert not falls_short(covered, 0.94, count)


def _drawn(random, n: int, size: int, level, factor, mean: bool = False) -> tuple:
    """Both sides' shares of bad answers of n questions a stratum, three answers each."""
    strata = np.repeat(np.arange(3), n)
    groups = np.arange(strata.size) // size
    own = random.normal(0, 1.5, groups.max() + 1)[groups] + random.normal(0, 1, strata.size)
    bad = special.expit(level[strata] + own)
    turn = special.expit(random.normal(0, 0.7, groups.max() + 1))[groups]
    after = np.clip(bad * 2 * turn * factor[strata], 0, 1)
    if mean:
        return (bad, after), strata, groups
    return tuple(random.binomial(3, p) / 3 for p in (bad, after)), strata, groups


@pytest.mark.parametrize(("n", "changed"), [(200, 0.02), (200, 0.1), (600, 0.03), (600, 0.06)])
@pytest.mark.parametrize("weight", [(1.0,), (0.7, 0.2, 0.1)])
def test_the_smallest_visible_rise_is_seen_4_times_in_5(n, changed, weight) -> None:
    random, count = np.random.default_rng(3), 400
    share, size = np.array(weight), n // len(weight)
    strata = np.repeat(np.arange(len(weight)), size)

    def drawn(up: float, down: float) -> Rise:
        turned = random.choice([1, -1, 0], strata.size, p=[up, down, 1 - up - down])
        before = np.where(turned < 0, 1, 0)
        return Rise(weighted_moves(before, before + turned, strata, share))

    visible = [drawn(changed / 2, changed / 2).visible for _ in range(count)]
    rise = float(np.median([each for each in visible if each is not None]))
    whole = max(changed, rise)
    seen = [drawn((whole + rise) / 2, (whole - rise) / 2).interval()[0] for _ in range(count)]
    power = float(np.mean([low is not None and low > 0 for low in seen]))
    print(f"{n} questions, {changed} changed, weights {weight}: {rise:.4f} seen in {power:.2f}")
    assert 0.7 <= power <= 0.93
