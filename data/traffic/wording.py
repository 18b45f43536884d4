"""What customers ask and Lotte answers: the texts of ``texts.toml`` with their slots filled."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TEXTS = tomllib.loads((Path(__file__).parent / "texts.toml").read_text(encoding="utf-8"))
LANGUAGES = ("en", "de", "da", "sv")


class Said(NamedTuple):
    """A question, the answer as the model wrote it, and why it stopped."""

    question: str
    answer: str
    finish: str


def say(
    area: str,
    language: str,
    refused: bool,
    invalid: bool,
    picks: list[int],
    asked: str = "",
    told: str = "",
) -> Said:
    """Compose one exchange; each text and slot is chosen by the next of ``picks``.

    What is ``asked`` and ``told`` beside follows the question and the answer.
    """
    chosen = iter(picks)

    def pick(options: list[Any]) -> Any:
        return options[next(chosen) % len(options)]

    values = {name: pick(options) for name, options in _slots(language)}
    topic = pick(TEXTS[area][language])
    question = pick(topic["ask"]).format_map(values)
    dice = next(chosen)
    sources = TEXTS["sources"][area][: 1 + dice % 3]
    confidence = 0.6 + dice % 39 / 100
    if refused:
        values["about"] = TEXTS["about"][area][language]
        parts = [pick(TEXTS["refusals"][language])]
        parts += [pick(TEXTS["offers"][language])] * (dice % 4 > 0)
        sources, confidence = sources[:1], confidence - 0.5
    else:
        parts = topic["tell"] if dice % 4 == 0 else [pick(topic["tell"])]
        parts = parts + [pick(TEXTS["tails"][language])] * (dice % 5 < 2)
    question, text = f"{question} {asked}".rstrip(), " ".join(parts).format_map(values)
    text = f"{text} {told}".rstrip()
    shown = {"text": text, "half": text[: len(text) // 2], "confidence": f"{confidence:.2f}"}
    shown |= {"sources": ", ".join(sources), "first": sources[0]}
    forms = TEXTS["defects" if invalid else "forms"]
    form = pick(list(forms))
    finish = "length" if form == "cut" else "stop"
    return Said(question, forms[form].format_map(shown), finish)


@cache
def _slots(language: str) -> tuple[tuple[str, list[str]], ...]:
    shared = {name: words for name, words in TEXTS["slots"].items() if name not in LANGUAGES}
    return tuple((shared | TEXTS["slots"][language]).items())


@cache
def passage(document: str) -> str:
    """The text of a passage of the handbook, the same whoever finds it."""
    name, _, at = document.partition("#")
    number = int(at)
    area = next(area for area, names in TEXTS["sources"].items() if names[0] == name)
    texts = [text for topic in TEXTS[area]["en"] for text in topic["tell"]]
    values = {slot: options[number % len(options)] for slot, options in _slots("en")}
    return texts[number % len(texts)].format_map(values)
