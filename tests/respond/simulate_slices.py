"""Incidents in leaf tables with causes that are known: imports nothing of what it tests."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Cause = frozenset[tuple[str, str]]
Floats = NDArray[np.float64]
LETTERS = "abcdef"


@dataclass(frozen=True)
class Incident:
    """Leaf tables before and after, with the causes: sets of (dimension, value)."""

    before: pl.DataFrame
    after: pl.DataFrame
    causes: frozenset[Cause]
    dimensions: list[str]
    kind: str


def incident(seed: int, *, faulty: bool = True, everywhere: bool = False) -> Incident:
    """A case whose every parameter follows from the seed; `everywhere`: all leaves move alike."""
    rng = np.random.default_rng([7, seed])
    while True:
        codes, weight = _leaves(rng)
        if len(codes) < 20:
            continue
        hit = _causes(rng, codes, weight)
        if hit is None:
            continue
        causes, inside = hit
        made = _measured(rng, codes, weight, inside, faulty, everywhere)
        if made is not None:
            break
    names = [LETTERS[at] for at in range(codes.shape[1])]
    texts = {name: [f"{name}{code}" for code in codes[:, at]] for at, name in enumerate(names)}
    leaves = pl.DataFrame({"leaf": np.arange(len(codes)), **texts})
    before, after = (
        frame.join(leaves, on="leaf", maintain_order="left").drop("leaf") for frame in made[:2]
    )
    told = frozenset(frozenset((names[d], f"{names[d]}{c}") for d, c in each) for each in causes)
    if everywhere:
        told = frozenset([frozenset()])
    return Incident(before, after, told if faulty else frozenset(), names, made[2])


def _zipf(rng: np.random.Generator, size: int) -> Floats:
    share = np.arange(1, size + 1.0) ** -rng.uniform(0.3, 1.6)
    return rng.permutation(np.asarray(share / share.sum(), float))


def _leaves(rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Which leaves there are (codes of their values) and how much of the traffic each has."""
    dimensions = int(rng.integers(2, 7))
    sizes = np.exp(rng.uniform(np.log(2), np.log(60), dimensions)).round().astype(int)
    drawn = int(np.exp(rng.uniform(np.log(200), np.log(12_000))))
    columns: list[NDArray[Any]] = []
    for at, size in enumerate(sizes):
        own = rng.choice(size, drawn, p=_zipf(rng, size))
        if at and rng.random() < 0.35:  # one lies within another, or goes along with it
            other = columns[rng.integers(at)]
            tied = rng.integers(0, size, other.max() + 1)[other]
            own = np.where(rng.random(drawn) < rng.choice([0.7, 0.95, 1.0]), tied, own)
        columns.append(own)
    codes, times = np.unique(np.stack(columns, 1), axis=0, return_counts=True)
    weight = times * rng.lognormal(0, rng.uniform(0.3, 1.5), len(codes))
    return codes[rng.permutation(len(codes))].astype(np.int64), weight / weight.sum()


def _causes(
    rng: np.random.Generator, codes: NDArray[np.int64], weight: Floats
) -> tuple[list[tuple[tuple[int, int], ...]], list[NDArray[np.bool_]]] | None:
    """One to three slices, with the leaves that they cover; None where none can be told."""
    wanted = int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
    alike = rng.random() < 0.8
    depth = int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    least = np.exp(rng.uniform(np.log(0.004), np.log(0.1)))
    found: dict[tuple[tuple[int, int], ...], NDArray[np.bool_]] = {}
    dims: tuple[int, ...] | None = None
    for _ in range(60):
        if dims is None or not alike:
            size = min(depth if alike else int(rng.integers(1, 3)), codes.shape[1])
            dims = tuple(sorted(rng.choice(codes.shape[1], size, replace=False).tolist()))
        leaf = codes[rng.integers(len(codes))]
        key = tuple((d, int(leaf[d])) for d in dims)
        inside = np.all([codes[:, d] == c for d, c in key], axis=0)
        nested = any(set(key) <= set(k) or set(k) <= set(key) for k in found)
        if least <= weight[inside].sum() <= 0.5 and not nested and _shortest(codes, key, inside):
            found[key] = inside
        elif not found:
            dims = None
        if len(found) == wanted:
            break
    covered = np.any(list(found.values()), axis=0) if found else None
    if len(found) < wanted or covered is None or weight[covered].sum() > 0.7:
        return None
    return list(found), list(found.values())


def _shortest(
    codes: NDArray[np.int64], key: tuple[tuple[int, int], ...], inside: NDArray[np.bool_]
) -> bool:
    """Whether fewer values say something else."""
    return not any(
        np.array_equal(np.all([codes[:, d] == c for d, c in few], axis=0), inside)
        for size in range(1, len(key))
        for few in combinations(key, size)
    )


def _measured(
    rng: np.random.Generator,
    codes: NDArray[np.int64],
    weight: Floats,
    inside: list[NDArray[np.bool_]],
    faulty: bool,
    everywhere: bool,
) -> tuple[pl.DataFrame, pl.DataFrame, str] | None:
    """Sums and counts of the minutes; None where a fault is too small to be an incident."""
    leaves, minutes = len(codes), int(rng.choice([1, 3, 10, 20, 30], p=[0.1, 0.1, 0.3, 0.3, 0.2]))
    kind = str(rng.choice(["rise", "fall", "amount"], p=[0.4, 0.4, 0.2]))
    answers = np.exp(rng.uniform(np.log(4e3), np.log(1e6)))
    level = {"rise": rng.uniform(0.002, 0.15), "fall": rng.uniform(0.6, 0.995), "amount": 0.5}[kind]
    odds = np.log(level / (1 - level)) + rng.normal(0, rng.uniform(0.05, 0.7), leaves)
    for d in range(codes.shape[1]):
        odds += rng.normal(0, rng.uniform(0, 0.5), codes[:, d].max() + 1)[codes[:, d]]
    wobble, shared = rng.choice([0, 0.05, 0.15, 0.3]), rng.choice([0, 0, 0.03, 0.1])
    own = codes[:, rng.integers(codes.shape[1])]
    strength = np.zeros(leaves)
    common = np.exp(rng.uniform(np.log(0.08), np.log(0.9)))
    alike = rng.random() < 0.5
    for which in inside:
        f = common if alike else np.exp(rng.uniform(np.log(0.08), np.log(0.9)))
        strength = np.where(which, np.maximum(strength, f), strength)
    if everywhere:
        strength[:] = common
    spread, missed = rng.choice([0.0, 0.3, 0.8]), rng.choice([0.0, 0.1, 0.3])
    strength = np.clip(strength * (1 + spread * rng.standard_normal(leaves)), 0, 0.97)
    strength[rng.random(leaves) < missed] = 0
    stray = rng.random(leaves) < rng.choice([0, 0.01, 0.05])
    strength[stray] = np.maximum(strength[stray], common * rng.uniform(0, 1, int(stray.sum())))
    if not faulty:
        strength[:] = 0
    rough, size = rng.uniform(0.5, 2.0), rng.uniform(0, 0.4)
    drift = rng.choice([0, 0, 0.1]) * rng.standard_normal(
        leaves
    )  # the minute is another time of day
    turned = codes[:, rng.integers(codes.shape[1])]
    drift += rng.choice([0, 0, 0.1]) * rng.standard_normal(turned.max() + 1)[turned]

    def minute(strength: Floats, drift: Floats | float = 0.0) -> tuple[Floats, Floats]:
        n = rng.poisson(answers * weight * rng.lognormal(0, size, leaves)).astype(float)
        at = odds + drift + wobble * rng.standard_normal(leaves)
        at += shared * rng.standard_normal(own.max() + 1)[own]
        if kind == "amount":
            mean = np.exp(at) * (1 + 4 * strength)
            return rng.gamma(np.maximum(n * rough, 1e-9), mean / rough) * (n > 0), n
        p = 1 / (1 + np.exp(-at))
        p = p + strength * (1 - p) if kind == "rise" else p * (1 - strength)
        return rng.binomial(n.astype(int), p).astype(float), n

    rows = [minute(np.zeros(leaves)) for _ in range(minutes)]
    x1, n1 = minute(strength, drift if faulty else 0.0)
    x0, n0 = (np.sum([row[at] for row in rows], axis=0) for at in (0, 1))
    if faulty and not everywhere and not _visible(inside, x0, n0, x1, n1, kind):
        return None
    frames = []
    for at, (x, n) in enumerate([*rows, (x1, n1)]):
        frame = pl.DataFrame({"leaf": np.arange(leaves), "minute": at, "bad": x, "answers": n})
        frames.append(frame.filter(pl.col("answers") > 0))
    return pl.concat(frames[:-1]), frames[-1].drop("minute"), kind


def _visible(
    inside: list[NDArray[np.bool_]], x0: Floats, n0: Floats, x1: Floats, n1: Floats, kind: str
) -> bool:
    """Whether the causes are an incident: they move the whole, and each has a part in it."""
    both = (n0 > 0) & (n1 > 0)
    move = np.where(both, x1 - n1 * x0 / np.maximum(n0, 1), 0)
    moved = move[np.any(inside, axis=0)].sum()
    if moved * move.sum() <= 0 or abs(moved) < 0.3 * abs(move).sum():
        return False
    for which in inside:
        a, n, m = x0[which].sum(), n0[which].sum(), n1[which].sum()
        if not n or m < 50 or abs(move[which].sum()) < 0.08 * abs(moved):
            return False
        level = a / n
        error = level if kind == "amount" else (max(level * (1 - level), 1e-4)) ** 0.5
        if abs(move[which].sum()) < 5 * error * m**0.5:
            return False
    return True


def by_share(case: Incident, first: int = 3) -> list[frozenset[Cause]]:
    """A plain search: slices of one or two dimensions by their share of the change within."""
    x, n = pl.col("bad").sum(), pl.col("answers").sum()
    total = case.after.select(n).item()
    move = case.after.select(x).item() / total - case.before.select(x / n).item()
    found: list[tuple[float, Cause]] = []
    for size in (1, 2):
        for dims in combinations(case.dimensions, size):
            before = case.before.group_by(dims).agg(r0=x / n)
            after = case.after.group_by(dims).agg(r1=x / n, w=n / total)
            rows = after.join(before, on=dims).with_columns(
                share=pl.col("w") * (pl.col("r1") - pl.col("r0")) / move
            )
            top = rows.sort("share", descending=True).head(first)
            for *values, share in top.select(*dims, "share").iter_rows():
                found.append((share, frozenset(zip(dims, values, strict=True))))
    found.sort(key=lambda each: -each[0])
    return [frozenset([cause]) for _, cause in found[:first]]
