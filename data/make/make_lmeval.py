"""Run lm-evaluation-harness offline on two small tasks of our own, with a made-up model.

``python make_lmeval.py --output_path FOLDER`` writes results and samples as the harness does.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import lm_eval.loggers.utils
from lm_eval.__main__ import cli_evaluate
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from support import TOOLS

HERE = Path("lm_eval")
TASKS = ("hire_sums", "hire_choices")


def write_documents() -> None:
    """Write twenty documents for each task beside the task files."""
    sums, choices = [], []
    for place in range(20):
        name, _, rate, deposit = TOOLS[place % len(TOOLS)]
        days = 2 + (place * 3) % 5
        question = f"The {name} is £{rate} a day. What do {days} days cost, in pounds?"
        sums.append({"id": place, "question": question, "answer": str(rate * days)})
        options = [f"£{deposit}", f"£{deposit + 20}", f"£{deposit // 2} and a photo card", "none"]
        order = random.Random(place).sample(range(4), 4)
        choices.append(
            {
                "id": place,
                "question": f"Deposit for {days} days with the {name}, listed at £{deposit}?",
                "choices": [options[k] for k in order],
                "gold": order.index(0),
            }
        )
    for task, rows in zip(TASKS, (sums, choices), strict=True):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (HERE / f"{task}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@register_model("counter")
class Counter(LM):
    """Works out most sums, often forgets the agreed form, and guesses among choices."""

    def __init__(self, model: str, **_: object) -> None:
        super().__init__()
        self.model = model

    def generate_until(self, requests, disable_tqdm=False):
        """Answer each sum in words, in the agreed form seven times in ten."""
        answers = []
        for request in requests:
            rng = random.Random(f"sum/{request.doc['id']}")
            right = int(request.doc["answer"])
            said = right if rng.random() < 0.75 else right + rng.choice((-10, 6, 20))
            kept = rng.random() < 0.7
            answers.append(f"{'Total: ' if kept else 'That makes '}£{said}, to be paid at pick-up.")
        return answers

    def loglikelihood(self, requests, disable_tqdm=False):
        """Prefer the right choice by a margin that varies with the question."""
        scored = []
        for request in requests:
            context, continuation = request.args
            doc = request.doc
            right = continuation.strip() == doc["choices"][doc["gold"]]
            rng = random.Random(f"{context}{continuation}")
            per_letter = 0.3 if right else 0.4
            noise = rng.gauss(0, 0.1) * len(continuation)
            scored.append((min(-0.01, noise - per_letter * len(continuation)), right))
        return scored

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        """Not asked for by these tasks."""
        raise NotImplementedError


if __name__ == "__main__":
    write_documents()
    lm_eval.loggers.utils.get_pretty_env_info = lambda: "not recorded"
    sys.argv += ["--model", "counter", "--model_args", "model=counter-small-1"]
    sys.argv += ["--tasks", ",".join(TASKS), "--include_path", str(HERE)]
    sys.argv += ["--log_samples", "--batch_size", "4", "--seed", "7"]
    cli_evaluate()
