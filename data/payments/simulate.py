"""Simulate a router of payments that has learned one day's outage and heeds it every week since.

    python data/payments/simulate.py FOLDER --seed 7 --weeks 16 --per-day 300

A route failed on one day of the training window. Two features take unusual values on that weekday
every week, so the model takes them for the cause. What was planted is in ``truth.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

LAST = date(2026, 11, 22)
"""The Sunday on which the decisions end, however many weeks there are."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ROUTES = ("harbour", "island", "meadow", "north", "quarry")
CARRIERS = ("batch_share", "queue_depth")
DECOYS = ("settlement_files", "ledger_lag")
"""Each a noisy relation of one carrier; given the carriers, no outcome depends on them."""
CATEGORIES = {
    "currency": ("CHF", "DKK", "EUR", "GBP", "SEK"),
    "scheme": ("amber", "birch", "cobalt", "dune"),
}
MATTER = ("amount", *CATEGORIES, "merchant_size", "hour")
NOISE = ("card_age", "device_age", "email_age", "risk_score", "issuer_delay", "session_length")
NOISE += ("retries", "address_match", "loyalty", "typing_speed")
UNUSED = "basket_items"
"""Logged with a weekly cycle of its own, and no input of the model."""
FEATURES = (*MATTER, *CARRIERS, *DECOYS, *NOISE, UNUSED)
INPUTS = FEATURES[:-1]
KINDS = ("plain", "ar1", "outliers", "steps", "trend")
COUNTS = {
    "weeks": (8, 26),  # of decisions
    "per_day": (150, 400),  # decisions
    "routes": (3, 5),
    "weekday": (0, 6),  # from Monday
    "training_weeks": (5, 7),  # just before the decisions
    "training_rows": (25_000, 32_000),
}
RANGES = {
    # days
    "volume_cycle": (0, 0.4),  # relative amplitude of a sine over the days of the week
    "volume_phase": (0, 7),  # in days
    "volume_noise": (0, 0.08),  # standard deviation of a day's log volume
    "basket_cycle": (0.1, 0.5),  # likewise of basket_items
    "noise": (0.02, 0.12),  # standard deviation of a route's log odds from day to day
    "memory": (0, 0.7),  # how much of that is left on the next day: AR(1)
    "trend": (0.1, 0.8),  # standard deviation of the routes' drifts in log odds, first to last day
    # the day that was learned
    "effect": (0.125, 0.375),  # days add some .03: how far the route's share falls on the weekday
    "room": (0.2, 0.3),  # the route's share on other days above that fall
    "strength": (2.2, 3.0),  # how far a carrier moves on its days, in standard deviations
    "elsewhere": (0.1, 0.25),  # chance that one carrier, never both, moves on another day
    "decoy_first": (0.5, 0.9),  # correlation with the carrier
    "decoy_second": (0.5, 0.9),
    "failing": (0.03, 0.045),  # payments that fail on any route and day
    "outage": (0.6, 0.8),  # payments that fail over the route on the day of its outage
    # the model as a formula
    "depth": (1.4, 2.2),  # log odds that the route loses where both carriers are high
    "threshold_first": (0.7, 1.3),  # where high begins, in standard deviations
    "threshold_second": (0.7, 1.3),
    # where nothing is planted; elsewhere it follows from the effect
    "temperature": (0.015, 0.05),
}
Predict = Callable[[pl.DataFrame], np.ndarray]


@dataclass(frozen=True)
class World:
    """Everything that is settled before the first payment."""

    seed: int
    model: str
    clean: bool
    counts: dict[str, int]
    drawn: dict[str, float]
    routes: tuple[str, ...]
    hit: int
    shares: np.ndarray
    weights: dict[str, np.ndarray]
    origin: int

    @property
    def start(self) -> date:
        """The first day of the decisions, a Monday."""
        return LAST - timedelta(days=7 * self.counts["weeks"] - 1)

    @property
    def trained(self) -> date:
        """The first day of the training window, a Monday."""
        return self.start - timedelta(weeks=self.counts["training_weeks"])


@dataclass(frozen=True)
class Truth:
    """What was drawn and planted; where nothing was planted, what would name it is None.

    `effect` is counted: the route's share on the weekday minus that on the other days.
    """

    seed: int
    model: str
    start: str
    end: str
    weekday: str | None
    route: str | None
    carriers: tuple[str, ...]
    decoys: tuple[str, ...]
    origin: str | None
    effect: float | None
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Payments:
    """What a payments team has: the training rows, the decisions logged and the model.

    `costs` has a row for each day of the decisions and a column for each route, in units of
    success; `noise` has a row for each decision.
    """

    training: pl.DataFrame
    decisions: pl.DataFrame
    predict: Predict
    routes: tuple[str, ...]
    features: tuple[str, ...]
    truth: Truth
    temperature: float
    costs: np.ndarray
    noise: np.ndarray

    def utility(self, frame: pl.DataFrame, predict: Predict | None = None) -> np.ndarray:
        """What `choose` takes; the costs are those of the day where the frame has ``at``.

        Days outside of the decisions, and frames without ``at``, have the mean costs.
        """
        scores, costs = (predict or self.predict)(frame), self.costs.mean(axis=0)
        if "at" in frame.columns:
            day = (frame["at"].dt.date() - date.fromisoformat(self.truth.start)).dt.total_days()
            known = day.is_between(0, len(self.costs) - 1).to_numpy()[:, None]
            costs = np.where(known, self.costs[day.clip(0, len(self.costs) - 1)], costs)
        return (scores - costs) / self.temperature

    def predict_choice(self, frame: pl.DataFrame, predict: Predict | None = None) -> np.ndarray:
        """The chance of each route, by this model or, at the same costs, by another."""
        return _softmax(self.utility(frame, predict))


def choose(utility: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The number of the route chosen; with Gumbel noise its chances are `predict_choice`'s."""
    return np.argmax(utility + noise, axis=1)


def simulate(
    seed: int = 7,
    *,
    weeks: int | None = None,
    per_day: int | None = None,
    effect: tuple[float, float] | None = None,
    clean: bool = False,
    model: str = "fitted",
) -> Payments:
    """Draw a world, train its model and let it route payments.

    Parameters
    ----------
    weeks, per_day
        How many weeks of decisions and how many a day. Default: drawn from `COUNTS`.
    effect
        Between what bounds the fall of the route's share is drawn; days add their noise.
    clean
        No outage: the shares follow no calendar. The carriers still do where the model is a
        formula; where it is fitted, their day is another one each week.
    model
        "fitted" on the training rows, or "formula", which is fast and gives the decoys no weight.
    """
    if model not in ("fitted", "formula"):
        raise ValueError(f"no model {model!r}; there are fitted, formula")
    world = draw(seed, weeks, per_day, effect, clean, model)
    training = _training(world)
    predict = fit(training, world.routes) if model == "fitted" else _formula(world)
    rng, p = np.random.default_rng([seed, 2]), world.drawn
    days = 7 * world.counts["weeks"]
    frame, day = _payments(world, world.start, days, world.counts["per_day"], rng, "d")
    scores, marked = predict(frame), day % 7 == world.counts["weekday"]
    trend = np.linspace(-0.5, 0.5, days)[:, None] * rng.normal(0, p["trend"], len(world.routes))
    noise = autoregressive(rng, (days, len(world.routes)), p["memory"], p["noise"])
    temperature, leaning = _calibrated(world, scores, trend[day], marked)
    gumbel = rng.gumbel(size=scores.shape)
    chosen = choose(scores / temperature + (leaning + trend + noise)[day], gumbel)
    works = rng.random(len(day)) < _expit(_success(world, frame)[np.arange(len(day)), chosen])
    found = {f"score_{route}": scores[:, i].round(6) for i, route in enumerate(world.routes)}
    decisions = frame.select(
        "decision_id",
        "at",
        pl.Series("chosen", np.array(world.routes)[chosen]),
        pl.Series("score", scores[np.arange(len(day)), chosen].round(6)),
        pl.Series("outcome", works.astype(np.int8)),
        *(pl.Series(name, values) for name, values in found.items()),
        *FEATURES,
    )
    hit = chosen == world.hit
    truth = _truth(world, temperature, float(hit[marked].mean() - hit[~marked].mean()))
    costs = -temperature * (leaning + trend + noise)
    about = (world.routes, FEATURES, truth, temperature, costs, gumbel)
    return Payments(training, decisions, predict, *about)


def draw(
    seed: int,
    weeks: int | None = None,
    per_day: int | None = None,
    effect: tuple[float, float] | None = None,
    clean: bool = False,
    model: str = "fitted",
) -> World:
    """Settle all parameters; what is given replaces what was drawn, and changes nothing else."""
    rng = np.random.default_rng([seed, 272])  # a stream in which seed 7 draws a Tuesday
    counts = {name: int(rng.integers(low, high + 1)) for name, (low, high) in COUNTS.items()}
    ends = RANGES | ({"effect": effect} if effect else {})
    drawn = {name: round(float(rng.uniform(*ends[name])), 6) for name in RANGES}
    routes = tuple(sorted(rng.choice(ROUTES, counts["routes"], replace=False).tolist()))
    hit = int(rng.integers(len(routes)))
    shares = np.insert(rng.dirichlet([8] * (len(routes) - 1)), hit, 0)
    shares *= 1 - drawn["effect"] - drawn["room"]
    shares[hit] = drawn["effect"] + drawn["room"]
    weights = {
        name: rng.normal(0, 0.25, (len(CATEGORIES[name]), len(routes))) for name in CATEGORIES
    }
    weights |= {name: rng.normal(0, 0.15, len(routes)) for name in MATTER if name not in CATEGORIES}
    origin = 7 * int(rng.integers(counts["training_weeks"])) + counts["weekday"]
    given = {"weeks": weeks, "per_day": per_day}
    counts |= {name: count for name, count in given.items() if count is not None}
    return World(seed, model, clean, counts, drawn, routes, hit, shares, weights, origin)


def fit(training: pl.DataFrame, routes: tuple[str, ...] | None = None) -> Predict:
    """Train one classifier for each route on the payments that went over it.

    `routes` gives the order of the columns predicted. Default: as they sort.
    """
    names = routes or tuple(sorted(training["chosen"].unique()))
    models = []
    for name in names:
        rows = training.filter(pl.col("chosen") == name)
        trees = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=4,  # more of them lean on the decoys where chance has it
            learning_rate=0.08,
            min_samples_leaf=200,
            l2_regularization=20.0,
            early_stopping=False,
            categorical_features=[INPUTS.index(each) for each in CATEGORIES],
        )
        with threadpool_limits(1):
            models.append(trees.fit(_matrix(rows), rows["outcome"].to_numpy()))

    def predict(frame: pl.DataFrame) -> np.ndarray:
        matrix = _matrix(frame)
        with threadpool_limits(1):
            return np.column_stack([trees.predict_proba(matrix)[:, 1] for trees in models])

    return predict


def _formula(world: World) -> Predict:
    """The true chances, but lower for one route where both carriers are high."""
    p = world.drawn
    ends = (p["threshold_first"], p["threshold_second"])

    def predict(frame: pl.DataFrame) -> np.ndarray:
        odds = _success(world, frame)
        first, second = (_expit(4 * (z - end)) for z, end in zip(_latent(frame), ends, strict=True))
        odds[:, world.hit] -= (not world.clean) * p["depth"] * first * second
        return _expit(odds)

    return predict


def _matrix(frame: pl.DataFrame) -> np.ndarray:
    codes = {
        name: pl.col(name).replace_strict(
            {value: float(i) for i, value in enumerate(values)}, default=None
        )
        for name, values in CATEGORIES.items()
    }
    return frame.select(
        codes.get(name, pl.col(name)).cast(pl.Float64) for name in INPUTS
    ).to_numpy()


def _payments(
    world: World, start: date, days: int, per_day: float, rng: np.random.Generator, prefix: str
) -> tuple[pl.DataFrame, np.ndarray]:
    """The features of each payment in the order of time, and its day."""
    p, weekday = world.drawn, np.arange(days) % 7
    wave = np.sin(2 * np.pi * (weekday + p["volume_phase"]) / 7)
    volume = np.exp(rng.normal(0, p["volume_noise"], days)) * (1 + p["volume_cycle"] * wave)
    day = np.repeat(np.arange(days), rng.poisson(per_day * volume))
    n = len(day)
    second = (300 + 85_000 * rng.beta(2.6, 2.1, n)).astype(int)
    second = second[np.lexsort((second, day))]
    latent = rng.normal(size=(2, n)) + p["strength"] * _moved(world, days, rng)[:, day]
    rho = np.array([[p["decoy_first"]], [p["decoy_second"]]])
    lagging = rho * _standard(world, latent) + np.sqrt(1 - rho**2) * rng.normal(size=(2, n))
    midnight = np.datetime64(start, "us")
    at = midnight + day * np.timedelta64(1, "D") + second * np.timedelta64(1, "s")
    columns = {
        "decision_id": [f"{prefix}{i:06}" for i in range(1, n + 1)],
        "at": pl.Series(at).dt.replace_time_zone("UTC"),
        "amount": rng.lognormal(3.6, 0.9, n).round(2),
        "currency": rng.choice(CATEGORIES["currency"], n, p=[0.1, 0.15, 0.45, 0.1, 0.2]),
        "scheme": rng.choice(CATEGORIES["scheme"], n, p=[0.4, 0.3, 0.2, 0.1]),
        "merchant_size": rng.lognormal(4, 1, n).round(1),
        "hour": second // 3600,
        "batch_share": _expit(latent[0] - 1.5).round(5),
        "queue_depth": (20 * np.exp(0.45 * latent[1])).round(2),
        "settlement_files": (40 + 9 * lagging[0]).round(2),
        "ledger_lag": (12 + 3 * lagging[1]).round(3),
    }
    columns |= {name: rng.normal(size=n).round(4) for name in NOISE}
    basket = 4 * (1 + p["basket_cycle"] * np.sin(2 * np.pi * (weekday + 2) / 7))
    return pl.DataFrame(columns | {UNUSED: 1 + rng.poisson(basket[day])}), day


def _moved(world: World, days: int, rng: np.random.Generator) -> np.ndarray:
    """On which days each carrier moves: both on the weekday, one at most on any other."""
    weekday, other = np.full(days, world.counts["weekday"]), rng.random(days)
    if world.clean and world.model == "fitted":  # a model that was fitted leans on all that recurs
        weekday = np.repeat(rng.integers(0, 7, days // 7), 7)
    both = np.arange(days) % 7 == weekday
    share = world.drawn["elsewhere"]
    return np.stack([both | (other < share), both | (other > 1 - share)])


def _standard(world: World, latent: np.ndarray) -> np.ndarray:
    """The carriers with mean 0 and variance 1 over all days."""
    moved, strength = (1 + 6 * world.drawn["elsewhere"]) / 7, world.drawn["strength"]
    return (latent - moved * strength) / np.sqrt(1 + moved * (1 - moved) * strength**2)


def _latent(frame: pl.DataFrame) -> np.ndarray:
    """The carriers on the scale on which they were drawn."""
    batch = np.clip(frame["batch_share"].cast(pl.Float64).to_numpy(), 1e-5, 1 - 1e-5)
    queue = np.clip(frame["queue_depth"].cast(pl.Float64).to_numpy(), 1e-2, None)
    return np.stack([np.log(batch / (1 - batch)) + 1.5, np.log(queue / 20) / 0.45])


def _success(world: World, frame: pl.DataFrame) -> np.ndarray:
    """The log odds that a payment works over each route, but for the outage."""
    weights, usual = world.weights, 1 / world.drawn["failing"] - 1
    hour = np.cos(np.pi * frame["hour"].to_numpy() / 12)
    size = np.log(frame["merchant_size"].to_numpy()) - 4
    amount = (np.log(frame["amount"].to_numpy().clip(0.01)) - 3.6) / 0.9
    odds = np.full((len(frame), len(world.routes)), np.log(usual))
    for name, values in (("hour", hour), ("merchant_size", size), ("amount", amount)):
        odds += np.outer(values, weights[name])
    for name, known in CATEGORIES.items():
        odds += weights[name][[known.index(each) for each in frame[name]]]
    return odds


def _training(world: World) -> pl.DataFrame:
    """Payments that went over routes by fixed shares, one of which had its outage on one day."""
    rng, p = np.random.default_rng([world.seed, 1]), world.drawn
    days = 7 * world.counts["training_weeks"]
    per_day = world.counts["training_rows"] / days
    frame, day = _payments(world, world.trained, days, per_day, rng, "t")
    n = len(world.routes)
    shares = np.where(np.arange(n) == world.hit, 0.5, 0.5 / (n - 1))
    chosen = rng.choice(n, len(day), p=shares)
    failing = 1 - _expit(_success(world, frame)[np.arange(len(day)), chosen])
    hit = (chosen == world.hit) & (day == world.origin) & (not world.clean)
    rises = np.prod(_expit(6 * (_latent(frame) - 1.2)), axis=0)
    if hit.any():
        failing += hit * rises * (p["outage"] - p["failing"]) / rises[hit].mean()
    works = rng.random(len(day)) >= np.minimum(failing, 0.97)
    said = pl.Series("chosen", np.array(world.routes)[chosen]), pl.Series(works.astype(np.int8))
    return frame.select("decision_id", "at", said[0], said[1].alias("outcome"), *FEATURES)


def _calibrated(
    world: World, scores: np.ndarray, trend: np.ndarray, marked: np.ndarray
) -> tuple[float, np.ndarray]:
    """The temperature at which the share falls as drawn, and what keeps other days' shares."""
    every = slice(None, None, 1 + len(scores) // 20_000)
    scores, trend, marked = scores[every], trend[every], marked[every]
    leaning = np.log(world.shares)

    def fall(temperature: float) -> float:
        nonlocal leaning
        for _ in range(8):
            chances = _softmax(scores / temperature + leaning + trend)
            usual = chances[~marked].mean(axis=0)
            leaning = leaning + np.log(world.shares / usual)
        return usual[world.hit] - chances[marked, world.hit].mean()

    low, high = np.log(0.002), np.log(1.0)
    for _ in range(0 if world.clean else 15):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if fall(np.exp(middle)) > world.drawn["effect"] else (low, middle)
        )
    temperature = world.drawn["temperature"] if world.clean else float(np.exp(high))
    fall(temperature)
    return temperature, leaning


def _truth(world: World, temperature: float, effect: float) -> Truth:
    told: tuple = (None, None, (), (), None, None)
    if not world.clean:
        origin = world.trained + timedelta(days=world.origin)
        told = (WEEKDAYS[world.counts["weekday"]], world.routes[world.hit], CARRIERS, DECOYS)
        told += (origin.isoformat(), effect)
    drawn = world.counts | world.drawn | {"temperature": temperature}
    drawn |= {"shares": dict(zip(world.routes, world.shares.round(6).tolist(), strict=True))}
    drawn |= {"weights": {name: each.round(6).tolist() for name, each in world.weights.items()}}
    return Truth(
        world.seed, world.model, world.start.isoformat(), LAST.isoformat(), *told, parameters=drawn
    )


def clean_history(seed: int, days: int, per_day: int, kind: str = "plain") -> pl.DataFrame:
    """Decisions whose shares follow no calendar, with one of `KINDS` of trouble from day to day.

    Two features follow the calendar themselves.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r}; there are {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, 3, KINDS.index(kind)])
    size, share = (days, 3), np.arange(days)[:, None] / days
    odds = rng.normal(0, 0.4, 3) + np.zeros(size)
    if kind == "ar1":
        odds += autoregressive(rng, size, rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.5))
    elif kind == "outliers":
        odds += (rng.random((days, 1)) < 0.04) * rng.normal(0, 1.5, size)
    elif kind == "steps":
        for start in rng.random(rng.integers(2, 5)):
            odds += (share > start) * rng.normal(0, 0.8, 3)
    elif kind == "trend":
        odds += share * rng.normal(0, 1.5, 3)
    day = np.repeat(np.arange(days), rng.poisson(per_day * rng.uniform(0.7, 1.3, days)))
    n, weekday = len(day), day % 7
    second = np.sort(rng.integers(0, 86_400, n) + 86_400 * day)
    start = np.datetime64(LAST - timedelta(days=days - 1), "us")
    chosen = choose(odds[day], rng.gumbel(size=(n, 3)))
    columns = {
        "decision_id": [f"h{i:06}" for i in range(1, n + 1)],
        "at": pl.Series(start + second * np.timedelta64(1, "s")).dt.replace_time_zone("UTC"),
        "chosen": np.array(ROUTES[:3])[chosen],
        "amount": rng.lognormal(3.6, 0.9, n).round(2),
        "currency": rng.choice(CATEGORIES["currency"], n),
        "batch_share": _expit(rng.normal(-1.5, 1, n) + 2.5 * (weekday == seed % 7)).round(5),
        "basket_items": 1 + rng.poisson(4 + 2 * np.sin(2 * np.pi * weekday / 7)),
        "risk_score": rng.normal(size=n).round(4),
    }
    return pl.DataFrame(columns)


def autoregressive(
    rng: np.random.Generator, size: tuple[int, int], memory: float, deviation: float
) -> np.ndarray:
    """Columns of AR(1) noise with a standard deviation."""
    noise = rng.normal(0, deviation, size)
    for day in range(1, len(noise)):
        noise[day] = memory * noise[day - 1] + np.sqrt(1 - memory**2) * noise[day]
    return noise


def _expit(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def _softmax(utility: np.ndarray) -> np.ndarray:
    raised = np.exp(utility - utility.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write simulated decisions of a payments router.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--weeks", type=int, default=16)
    parser.add_argument("--per-day", type=int, default=300)
    parser.add_argument("--model", choices=("fitted", "formula"), default="fitted")
    parser.add_argument("--clean", action="store_true", help="without the outage")
    given = vars(parser.parse_args())
    folder: Path = given.pop("folder")
    payments = simulate(**given)
    folder.mkdir(parents=True, exist_ok=True)
    train = payments.training.with_columns(split=pl.lit("train"))
    for name, frame in (("training", train), ("decisions", payments.decisions)):
        frame.write_csv(folder / f"{name}.csv", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    text = json.dumps(asdict(payments.truth), indent=1)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(payments.decisions):,} decisions, {len(payments.training):,} training rows")


if __name__ == "__main__":
    main()
