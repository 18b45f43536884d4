"""Write the tests and canned answers of the demo's Promptfoo eval into ``promptfoo/``."""

from __future__ import annotations

import json
import random
from pathlib import Path

from support import Question, answer, questions

HERE = Path(__file__).parent / "promptfoo"
SHARE_CORRECT = {"v1": 0.75, "v2": 0.8}


def test(question: Question) -> dict:
    """Return one Promptfoo test: the fact weighs double, brevity half."""
    return {
        "description": question.id,
        "vars": {"question": question.text, "topic": question.topic},
        "metadata": {"topic": question.topic, "language": question.language},
        "assert": [
            {"type": "contains", "value": question.fact, "metric": "correct", "weight": 2},
            {
                "type": "javascript",
                "value": "output.length <= 320",
                "metric": "brief",
                "weight": 0.5,
            },
            {
                "type": "javascript",
                "value": "Math.min(1, output.split(/[.!?](?: |$)/).length / 5)",
                "threshold": 0.5,
                "metric": "complete",
            },
        ],
    }


def main() -> None:
    """Take every fourth question, 30 in all; two of them meet a failing provider."""
    chosen = questions()[1::4]
    answers: dict[str, dict] = {}
    for place, question in enumerate(chosen):
        answers[question.text] = {}
        for prompt, share in SHARE_CORRECT.items():
            rng = random.Random(f"promptfoo/{prompt}/{question.id}")
            known = question.hardness + rng.gauss(0, 0.1) < share
            answers[question.text][prompt] = answer(question, known, rng, wordy=prompt == "v2")
        if place == 8:
            answers[question.text]["v1"] = None
        if place in (8, 20):
            answers[question.text]["v2"] = None
    for name, content in (("tests", [test(row) for row in chosen]), ("answers", answers)):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
