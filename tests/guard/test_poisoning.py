"""A planted page stands out by whom it answers, not by how often alone."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from aiops_lab.guard.poisoning import poisoning

TOPICS = {
    "fares": "price ticket fare child student discount season card group cheap",
    "dogs": "dog cat pet kennel leash animal deck muzzle vet cabin",
    "bikes": "bicycle bike rack trailer helmet tandem lock ramp pump tyre",
    "food": "menu breakfast vegan allergy lunch coffee table bar dinner snack",
    "lost": "lost found wallet jacket phone office claim umbrella bag seat",
    "cars": "car van height trailer charge lane lorry motorcycle roof queue",
}
ASKED = ("how much for", "may I bring", "is there", "where is the", "do you have", "what about")
BEGIN = dt.date(2026, 5, 1)


def history(seed: int, days: int = 28, per_day: int = 60) -> pl.DataFrame:
    """Requests of six topics; each brings up three of its topic's eight pages, rarely another."""
    chance = np.random.default_rng(seed)
    names, rows = list(TOPICS), []
    popular = chance.dirichlet(np.full(len(names), 4.0))
    for i in range(days * per_day):
        topic = names[chance.choice(len(names), p=popular)]
        words = chance.choice(TOPICS[topic].split(), 2, replace=False)
        text = f"{chance.choice(ASKED)} {words[0]} {words[1]} {chance.integers(100)}"
        pages = [f"{topic}-{p}" for p in chance.choice(8, 3, replace=False)]
        if chance.random() < 0.1:
            pages[2] = f"{names[chance.integers(len(names))]}-{chance.integers(8)}"
        day = BEGIN + dt.timedelta(days=i // per_day)
        rows += [(f"t{i}", day, page, text, topic) for page in pages]
    schema = ["trace_id", "day", "doc_id", "question", "topic"]
    return pl.DataFrame(rows, schema, orient="row")


def planted(rows: pl.DataFrame, name: str, n: int, topic: str | None, seed: int) -> pl.DataFrame:
    """The page `name` brought up by n requests of the last five days, of one topic or of any."""
    last = rows["day"].max()
    late = rows.unique("trace_id", keep="first", maintain_order=True).filter(
        pl.col("day") > last - dt.timedelta(days=5)
    )
    late = late if topic is None else late.filter(pl.col("topic") == topic)
    hit = late.sample(min(n, late.height), seed=seed).with_columns(doc_id=pl.lit(name))
    return pl.concat([rows, hit])


@pytest.mark.parametrize("seed", range(6))
def test_a_hub_is_the_most_suspect_and_an_honest_new_page_is_not(seed: int) -> None:
    rows = history(seed)
    topic = sorted(TOPICS)[seed]
    faq = planted(rows, "new-faq", 60, topic, seed)
    both = planted(faq, "hub", 40, None, seed)
    found = poisoning(both)
    assert found["doc_id"][0] == "hub" and found["status"][0] == "warn"
    assert found.filter(pl.col("status") == "warn").height == 1
    honest = found.filter(pl.col("doc_id") == "new-faq").row(0, named=True)
    assert honest["new"] and honest["p_value"] < 0.001, "it surges too"
    assert honest["status"] == "ok" and honest["relatedness"] > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_flagged_where_nothing_was_planted(seed: int) -> None:
    found = poisoning(history(100 + seed))
    assert found["status"].unique().to_list() == ["ok"]


def test_a_rebuilt_index_with_new_names_is_no_attack() -> None:
    rows = history(7)
    late = pl.col("day") > rows["day"].max() - dt.timedelta(days=4)
    renamed = rows.with_columns(doc_id=pl.when(late).then(pl.format("v2/{}", "doc_id"))
                                .otherwise("doc_id"))  # fmt: skip
    assert "warn" not in poisoning(renamed)["status"].to_list()


def test_without_a_history_nothing_can_be_told() -> None:
    rows = history(1, days=3)
    assert poisoning(rows)["status"].unique().to_list() == ["inconclusive"]
    assert poisoning(rows.clear()).height == 0
    bare = planted(history(2), "hub", 40, None, 0).with_columns(question=pl.lit(None, pl.String))
    assert poisoning(bare)["doc_id"][0] == "hub", "the other documents tell it alone"
