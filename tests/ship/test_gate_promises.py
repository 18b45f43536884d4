"""What the gate promises, by simulation: it seldom errs, and it does decide."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from aiops_lab import release_gate
from aiops_lab.ship.operating import operating_curve
from aiops_lab.ship.plan import plan_gate
from aiops_lab.ship.rules import ALPHA
from aiops_lab.stats.many import tails_of_difference
from tests.conftest import WHOLE
from tests.stats import simulate

pytestmark = pytest.mark.slow
REPLICATES = 2000


def more_than(count: int, share: float, n: int = REPLICATES) -> bool:
    """Does the one-sided 99 % binomial bound exclude a true share of `share` or less?"""
    return bool(stats.binom.sf(count - 1, n, share) < 0.01)


def fewer_than(count: int, share: float, n: int = REPLICATES) -> bool:
    return bool(stats.binom.cdf(count, n, share) < 0.01)


def answers(n: int, p: np.ndarray, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Replicates of n pairs: baseline and candidate."""
    drawn = simulate.draw(p, (REPLICATES, n), chance)
    return simulate.BASELINE[drawn], simulate.CANDIDATE[drawn]


def losing(p: np.ndarray, loss: float) -> np.ndarray:
    """Outcomes after the candidate lost `loss`: some that both had right, it now gets wrong."""
    return np.array([p[0] - loss, p[1] + loss, p[2], p[3]])


@pytest.mark.parametrize("n", [20, 60, 150, 400, 1000])
@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05, 0.1])
def test_a_loss_of_the_margin_seldom_passes(n: int, margin: float) -> None:
    """At most 5 %, and 6.5 % where fewer than ten pairs differ."""
    chance = np.random.default_rng([n, round(1000 * margin)])
    for rate, correlation in ((0.5, 0.0), (0.8, 0.6), (0.8, 0.9), (0.95, 0.3)):
        p = simulate.outcomes(rate, rate, correlation)
        assert p is not None
        worse = losing(p, margin)
        above, _ = tails_of_difference(*answers(n, worse, chance), -margin)
        passed = int((above <= ALPHA).sum())
        most = 0.065 if n * (worse[1] + worse[2]) < 10 else 0.05
        assert not more_than(passed, most), (n, margin, rate, correlation, passed)


@pytest.mark.parametrize("n", [10, 100, 500])
def test_twenty_metrics_without_a_change_seldom_fail(n: int) -> None:
    chance = np.random.default_rng(n)
    tails = []
    for _ in range(20):
        rate = chance.uniform(0.3, 0.95)
        p = simulate.outcomes(rate, rate, chance.uniform(0, 0.8))
        assert p is not None
        tails.append(tails_of_difference(*answers(n, p, chance), 0.0)[1])
    smallest = np.min(np.stack(tails), 0)
    # Holm's first step is Bonferroni's: anything fails when the smallest of the twenty does
    failed = int((20 * smallest <= ALPHA).sum())
    assert not more_than(failed, 0.05)


def test_a_change_of_two_margins_is_found_at_the_planned_number() -> None:
    """One rule at its own planned n: 78 % pass when nothing changed, 78 % fail at two margins."""
    chance = np.random.default_rng(12)
    for rate, correlation, margin in (
        (0.8, 0.6, 0.03), (0.6, 0.2, 0.05), (0.95, 0.5, 0.02), (0.9, 0.8, 0.05),
    ):  # fmt: skip
        p = simulate.outcomes(rate, rate, correlation)
        assert p is not None
        drawn = simulate.draw(p, (4000,), chance)
        table = pl.DataFrame(
            {
                "run_id": ["a"] * 4000 + ["b"] * 4000,
                "sample_id": [*range(4000)] * 2,
                "metric": "score",
                "value": [*simulate.BASELINE[drawn], *simulate.CANDIDATE[drawn]],
            }
        )
        policy = {"gate": {"metrics": {"score": {"margin": margin}}}}
        plan = plan_gate(table, baseline="a", candidate="b", policy=policy)
        n = plan.rules["planned"][0]
        same, _ = tails_of_difference(*answers(n, p, chance), -margin)
        _, worse = tails_of_difference(*answers(n, losing(p, 2 * margin), chance), -margin)
        passed, failed = int((same <= ALPHA).sum()), int((worse <= ALPHA).sum())
        cell = (rate, correlation, margin, n, passed, failed)
        assert not fewer_than(passed, 0.78), cell
        assert not fewer_than(failed, 0.78), cell


def test_the_operating_curve_is_what_happens() -> None:
    """Three rules at once: the curve and an independent simulation agree within 2 points."""
    chance = np.random.default_rng(15)
    margins, n, big = {"one": 0.06, "two": 0.08, "three": 0.05}, 300, 6000

    def drawn(*shape: int, effect: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Two binary scores that share their difficulty, and a graded one."""
        hard = chance.normal(size=shape)
        found = {}
        for name, shift in (("one", 0.8), ("two", 0.2)):
            sides = [(hard + chance.normal(size=shape) < shift) * 1.0 for _ in range(2)]
            lost = effect * margins[name] / sides[1].mean()
            found[name] = sides[0], np.where(chance.random(shape) < lost, 0.0, sides[1])
        base = np.clip(0.6 - hard / 8, 0.05, 0.95)
        graded = [np.clip(base + chance.normal(0, 0.2, shape), 0, 1) for _ in range(2)]
        scale = 1 - effect * margins["three"] / graded[1].mean()
        found["three"] = graded[0], graded[1] * scale
        return found

    pilot = drawn(big, effect=0.0)
    rows = [
        {"run_id": run, "sample_id": i, "metric": metric, "value": float(v)}
        for metric, sides in pilot.items()
        for run, side in zip("ab", sides, strict=True)
        for i, v in enumerate(side)
    ]
    policy = {"gate": {"metrics": {name: {"margin": m} for name, m in margins.items()}}}
    gate = release_gate(pl.DataFrame(rows), baseline="a", candidate="b", policy=policy)
    effects = (0.0, 0.5, 1.0, 2.0)
    curve = operating_curve(gate, questions=n, effects=effects, replicates=10_000)
    for row in curve.to_dicts():
        tails = [
            tails_of_difference(b, c, -margins[name])
            for name, (b, c) in drawn(4000, n, effect=row["effect"]).items()
        ]
        above, below = (np.stack(side) for side in zip(*tails, strict=True))
        passed = int((above <= ALPHA).all(0).sum())
        failed = int((3 * below.min(0) <= ALPHA).sum())
        assert passed / 4000 == pytest.approx(row["ok"], abs=0.02), row
        assert failed / 4000 == pytest.approx(row["fail"], abs=0.02), row


def test_releases_that_changed_nothing_seldom_fail() -> None:
    """At most 5 % fail, at n = 3 to 300, by the gate as it is used; 1,000 with WHOLE=1."""
    chance = np.random.default_rng(3)
    failed, decided, releases = 0, 0, 1000 if WHOLE else 400
    for _ in range(releases):
        n, rate = int(np.exp(chance.uniform(np.log(3), np.log(300)))), chance.uniform(0.2, 0.98)
        table = pl.DataFrame(
            {
                "run_id": ["a"] * n + ["b"] * n,
                "sample_id": [*range(n)] * 2,
                "metric": "score",
                "value": (chance.random(2 * n) < rate) * 1.0,
            }
        )
        policy = {"gate": {"metrics": {"score": {"margin": chance.choice([0.0, 0.02, 0.1])}}}}
        status = release_gate(table, baseline="a", candidate="b", policy=policy).verdict.status
        failed += status == "fail"
        decided += status == "ok"
    assert not more_than(failed, 0.05, releases)
    assert decided
