"""How a gate would behave before it is trusted: its operating curve, its flip rate, its plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiops_lab.errors import BadSettings
from aiops_lab.ship.gate import Gate
from aiops_lab.ship.policy import Rule
from aiops_lab.ship.rules import ALPHA, Sides
from aiops_lab.stats.many import tails_of_difference, tails_of_mean
from aiops_lab.stats.paired import moves, scale
from aiops_lab.stats.ratios import log_moves
from aiops_lab.stats.score import exact_share_interval
from aiops_lab.tables import schema_of

Floats = NDArray[np.float64]
EFFECTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
NO_FIGURES, QUANTILE = "it has no figures and so never passes", "a quantile"
BUDGET = "a share of an error budget"
SURE = 0.99
ROOM = 4_000_000
"""Values of one rule that are held at once."""
SCHEMA = schema_of("effect:float ok:float low:float high:float fail:float inconclusive:float")


def operating_curve(
    gate: Gate,
    *,
    questions: int | None = None,
    effects: tuple[float, ...] = EFFECTS,
    replicates: int = 4_000,
    seed: int = 0,
) -> pl.DataFrame:
    """The chance that this policy passes, fails or cannot tell, against a true loss.

    Questions are drawn again out of those at hand. What clearly changed between the runs is taken
    back, and which run was the baseline is tossed for each question, so that nothing has changed;
    then the candidate loses `effect` times the margin in every metric that has one. Clusters are
    not kept together, and what `left_out` names is not simulated.

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
        effect, ok (with its 99 % simulation interval low, high), fail, inconclusive. A policy with
        a rule that has no figures never passes.
    """
    if replicates < 1 or not (questions is None or questions > 1) or min(effects, default=-1) < 0:
        raise BadSettings("replicates, questions (2 or more) and effects are positive numbers")
    drawn = [(rule, levelled(rule, sides)) for rule, sides in gate.tested if simulated(rule, sides)]
    if not drawn:
        return pl.DataFrame(schema=SCHEMA)
    never = any(why == NO_FIGURES for why in left_out(gate).values())
    n = questions or max(len(sides.baseline) for _, sides in drawn)
    rows = []
    for effect in effects:
        chance = np.random.default_rng([seed, round(1000 * effect)])
        ok, fail = chances(drawn, n, effect, replicates, chance)
        ok = 0.0 if never else ok
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


def left_out(gate: Gate) -> dict[str, str]:
    """The rules that decide and are not simulated, and why."""
    return {
        rule.name: BUDGET
        if rule.scale == "budget"
        else QUANTILE
        if "quantile" in rule.scale and sides.own.size > 1
        else NO_FIGURES
        for rule, sides in gate.tested
        if rule.decides and not simulated(rule, sides)
    }


def levelled(rule: Rule, sides: Sides) -> Sides:
    """The sides without what surely changed between them: the near end of the 99 % interval."""
    b, c = sides.baseline, sides.candidate
    if "quantile" in rule.scale or (rule.scale == "mean" and rule.cap) or len(b) < 2:
        return sides
    found = log_moves(b, c) if rule.scale == "ratio" else moves(b, c)
    low, high = found.interval(SURE)
    if low is None or high is None or low <= 0 <= high:
        return sides
    clear = low if low > 0 else high
    if rule.scale == "ratio":
        level = c / np.exp(clear)
    elif not found.bounded:
        level = c - clear
    elif found.kind == "binary":
        turned = np.flatnonzero(c > b if clear > 0 else c < b)
        back = turned[np.linspace(0, turned.size - 1, int(abs(clear) * found.n)).astype(int)]
        level = c.copy()
        level[back] = b[back]
    else:
        mean = c.mean()
        level = c * (1 - clear / mean) if clear > 0 else 1 - (1 - c) * (1 + clear / (1 - mean))
    return replace(sides, candidate=level)


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
    losses = {r.metric: effect * abs(r.limit) for r, _ in drawn if r.scale == "difference"}
    for size in _batches(replicates, n):
        rolls = chance.random((size, n))
        tossed, spared = chance.random((size, n)) < 0.5, chance.random((size, n))
        tails = [
            _tails(rule, sides, rolls, tossed, spared, effect, worst, losses.get(rule.metric, 0.0))
            for rule, sides in drawn
        ]
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
    loss: float,
) -> tuple[Floats, Floats]:
    """One-sided p-values of a rule: for ok and for fail, a replicate a row."""
    index = (rolls * len(sides.baseline)).astype(np.intp)
    one, two = sides.baseline[index], sides.candidate[index]
    b, c = np.where(tossed, two, one), np.where(tossed, one, two)
    if rule.scale == "ratio":
        limit = float(np.log(rule.limit))
        worse = effect * limit if worst else 0.0
        worse = np.where(spared < 0.5, 2 * worse, 0.0)  # on half of the questions
        logs = np.log(b), np.log(c) + worse
        above, below = tails_of_difference(*logs, limit, scores=False)
    elif rule.scale == "mean":
        above, below = tails_of_mean(_worse(None, c, rule, spared, loss), rule.limit)
    else:
        c = _worse(b if worst else None, c, rule, spared, loss)
        above, below = tails_of_difference(b, c, rule.limit)
    return (above, below) if rule.direction > 0 else (below, above)


def _worse(b: Floats | None, c: Floats, rule: Rule, spared: Floats, loss: float) -> Floats:
    """The candidate with a true loss: by turning answers, or by shifting what is no share."""
    if loss == 0:
        return c
    top = scale(c)
    if top is None:
        return c - rule.direction * loss
    good, bad = (top, 0.0) if rule.direction > 0 else (0.0, top)
    binary = bool(np.isin(c, (good, bad)).all())
    theirs = np.ones_like(c, bool) if b is None or not binary else b == good
    room = float((np.abs(c - bad) * theirs).mean())
    share = min(1.0, loss / room) if room else 0.0
    if binary or b is not None:
        return np.where((spared < share) & theirs, bad, c)
    return c + share * (bad - c)
