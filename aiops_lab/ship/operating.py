"""How a gate would behave before it is trusted: its operating curve, its flip rate, its plan."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.ship.gate import Gate
from aiops_lab.ship.policy import Rule
from aiops_lab.ship.rules import ALPHA, Sides
from aiops_lab.stats.many import tails_of_difference, tails_of_mean
from aiops_lab.stats.score import exact_share_interval

Floats = NDArray[np.float64]
EFFECTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
ROOM = 4_000_000
"""Values of one rule that are held at once."""
SCHEMA = {
    "effect": pl.Float64,
    "ok": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "fail": pl.Float64,
    "inconclusive": pl.Float64,
}


def operating_curve(
    gate: Gate,
    *,
    questions: int | None = None,
    effects: tuple[float, ...] = EFFECTS,
    replicates: int = 4_000,
    seed: int = 0,
) -> pl.DataFrame:
    """The chance that this policy passes, fails or cannot tell, against a true loss.

    Questions are drawn again out of those at hand. Which run was the baseline is tossed for each,
    so that nothing has changed; then the candidate loses `effect` times the margin in every metric
    that has one. Rules on quantiles are left out, and clusters are not kept together.

    Parameters
    ----------
    gate
        The gate; its rules and the values they were tested on.
    questions
        Questions asked; as many as there are, by default.
    effects
        True losses, in margins: 0 is no change, 1 the loss that is just not accepted.
    replicates, seed
        Simulated releases for each effect, and what makes them the same each time.

    Returns
    -------
    polars.DataFrame
        effect, ok (with its 99 % simulation interval low, high), fail, inconclusive.
    """
    if replicates < 1 or not (questions is None or questions > 1) or min(effects, default=-1) < 0:
        raise BadSettings("replicates, questions (2 or more) and effects are positive numbers")
    drawn = [pair for pair in gate.tested if simulated(*pair)]
    if not drawn:
        return pl.DataFrame(schema=SCHEMA)
    n = questions or max(len(sides.baseline) for _, sides in drawn)
    rows = []
    for effect in effects:
        chance = np.random.default_rng([seed, round(1000 * effect)])
        ok, fail = chances(drawn, n, effect, replicates, chance)
        low, high = exact_share_interval(round(ok * replicates), replicates, 0.99)
        rows.append((effect, ok, low, high, fail, 1 - ok - fail))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def flip_rate(gate: Gate, *, replicates: int = 4_000, seed: int = 0) -> tuple[float, float, float]:
    """How often a release that changed nothing fails: the share, and its 99 % interval."""
    row = operating_curve(gate, effects=(0.0,), replicates=replicates, seed=seed)
    if not row.height:
        return float("nan"), 0.0, 1.0
    fail = row["fail"][0]
    return fail, *exact_share_interval(round(fail * replicates), replicates, 0.99)


def simulated(rule: Rule, sides: Sides) -> bool:
    """Whether a rule can be simulated: it decides, and is not one of quantiles."""
    if len(sides.baseline) < 2 or "quantile" in rule.scale or not rule.decides:
        return False
    return rule.scale != "ratio" or min(sides.baseline.min(), sides.candidate.min()) > 0


def chances(
    drawn: list[tuple[Rule, Sides]],
    n: int,
    effect: float,
    replicates: int,
    chance: np.random.Generator,
    *,
    worst: bool = False,
) -> tuple[float, float]:
    """The share of simulated releases that pass and fail; `worst` for planning: ratios get worse
    as well, and what is lost are answers that both had right, so that more pairs differ.
    """
    passed = failed = 0
    for size in _batches(replicates, n):
        rolls = chance.random((size, n))
        tossed, spared = chance.random((size, n)) < 0.5, chance.random((size, n))
        tails = [_tails(rule, sides, rolls, tossed, spared, effect, worst) for rule, sides in drawn]
        p_ok, p_fail = (np.stack(side, 1) for side in zip(*tails, strict=True))
        order = np.sort(p_fail, 1) * np.arange(len(drawn), 0, -1)
        broken = order[:, 0] <= ALPHA
        passed += int(((p_ok <= ALPHA).all(1) & ~broken).sum())
        failed += int(broken.sum())
    return passed / replicates, failed / replicates


def _batches(replicates: int, n: int) -> Iterator[int]:
    size = max(1, min(replicates, ROOM // n))
    for start in range(0, replicates, size):
        yield min(size, replicates - start)


def _tails(
    rule: Rule,
    sides: Sides,
    rolls: Floats,
    tossed: NDArray[np.bool_],
    spared: Floats,
    effect: float,
    worst: bool,
) -> tuple[Floats, Floats]:
    """One-sided p-values of a rule: for ok and for fail, a replicate a row."""
    index = (rolls * len(sides.baseline)).astype(np.intp)
    one, two = sides.baseline[index], sides.candidate[index]
    b, c = np.where(tossed, two, one), np.where(tossed, one, two)
    if rule.scale == "ratio":
        limit = float(np.log(rule.limit))
        worse = effect * limit if worst else 0.0
        above, below = tails_of_difference(np.log(b), np.log(c) + worse, limit)
    elif rule.scale == "mean":
        above, below = tails_of_mean(c, rule.limit)
    else:
        c = _worse(b if worst else None, c, rule, spared, effect * abs(rule.limit))
        above, below = tails_of_difference(b, c, rule.limit)
    return (above, below) if rule.direction > 0 else (below, above)


def _worse(b: Floats | None, c: Floats, rule: Rule, spared: Floats, loss: float) -> Floats:
    """The candidate with a true loss: by turning answers, or by shifting what is no share."""
    if loss == 0:
        return c
    good, bad = (1.0, 0.0) if rule.direction > 0 else (0.0, 1.0)
    if c.min() < 0 or c.max() > 1:
        return c - rule.direction * loss
    binary = bool(np.isin(c, (good, bad)).all())
    theirs = np.ones_like(c, bool) if b is None or not binary else b == good
    room = float((np.abs(c - bad) * theirs).mean())
    share = min(1.0, loss / room) if room else 0.0
    if binary:
        return np.where((spared < share) & theirs, bad, c)
    return c + share * (bad - c)
