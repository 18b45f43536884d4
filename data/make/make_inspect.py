"""Write the demo's Inspect logs: two prompts on two tasks, and one interrupted run.

The model is Inspect's mock model; its answers come from ``support`` and ``policy``.
Run as ``python make_inspect.py --logs ../logs/inspect``.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
from collections import Counter
from functools import partial

import anyio
from inspect_ai import Task, eval, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    Score,
    Scorer,
    Target,
    accuracy,
    mean,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState, generate, system_message
from policy import MARKERS, policy_answer, policy_questions
from support import SHOP, Question, answer, questions

PROMPTS = {
    "v1": f"""You are the counter assistant of {SHOP}.
Answer in the customer's language, briefly, in two or three sentences.
Name the exact price, time or place. Do not guess: use the rules below.
Delivery: five miles free, then £2 a mile. Same-day orders close at 11:00.
Saturday slot 8:00 to 12:00. Drivers carry to the ground-floor door only.
Second attempt: £8 plus £1 a mile. Collection: next working day before noon.
Returns: see the back of the hire slip.""",
    "v2": f"""You are the friendly counter assistant of {SHOP}.
Answer in the customer's language and explain fully how you arrive at the answer.
Name the exact price, time or place and give the background a customer may need.
Returns: unused whole days are refunded by half. Cleaning: a tenth of the deposit.
After hours: key-drop locker by the side gate. Deposit released within 3 working days.
Extending: ring before 16:00 on the last day. Other branch: £9 an item.
Delivery: terms are on our web page.""",
}
TAGS = {"v1": ["prod"], "v2": ["candidate"]}
SHARE_CORRECT = {
    "v1": {"billing": 0.80, "delivery": 0.82, "returns": 0.66, "repairs": 0.76},
    "v2": {"billing": 0.81, "delivery": 0.57, "returns": 0.86, "repairs": 0.80},
}
DOLLARS_PER_TOKEN = (0.4e-6, 1.6e-6)


@scorer(metrics=[accuracy(), stderr()])
def correct() -> Scorer:
    """Score C when the answer states the fact the shop's rules give."""

    async def score(state: TaskState, target: Target) -> Score:
        text = state.output.completion
        found = target.text in text
        stated = target.text if found else " / ".join(re.findall(r"£\d+|\d+:\d+", text))
        return Score(
            value=CORRECT if found else INCORRECT,
            answer=stated or text.split(". ")[1],
            explanation=f"Expected '{target.text}' in the answer; "
            + ("it is there." if found else "the answer says something else."),
        )

    return score


@scorer(metrics=[mean(), stderr()])
def relevance() -> Scorer:
    """Share of the question's longer words that the answer takes up."""

    async def score(state: TaskState, target: Target) -> Score:
        asked = set(re.findall(r"\w{4,}", state.input_text.lower()))
        said = set(re.findall(r"\w{4,}", state.output.completion.lower()))
        shared = asked & said
        return Score(
            value=round(len(shared) / len(asked), 4) if asked else 0.0,
            explanation=f"{len(shared)} of {len(asked)} words of the question are taken up.",
        )

    return score


@scorer(metrics={"citation": [accuracy(), stderr()], "tone": [mean(), stderr()]})
def policy() -> Scorer:
    """Score whether the right clause is cited, and how polite the answer is."""

    async def score(state: TaskState, target: Target) -> Score:
        text = state.output.completion.lower()
        cited = re.search(r"clause (\d\.\d)", text)
        polite = [marker for marker in MARKERS if marker in text]
        return Score(
            value={
                "citation": int(cited is not None and cited[1] == target.text),
                "tone": len(polite) / len(MARKERS),
            },
            answer=cited[1] if cited else None,
            explanation=f"Expected clause {target.text}; polite: {', '.join(polite) or 'nothing'}.",
        )

    return score


@task
def support_answers(prompt: str) -> Task:
    """120 customer questions on four topics, each asked twice."""
    samples = [
        Sample(
            id=question.id,
            input=question.text,
            target=question.fact,
            metadata={
                "topic": question.topic,
                "language": question.language,
                "difficulty": question.difficulty,
            },
        )
        for question in questions()
    ]
    return Task(
        dataset=MemoryDataset(samples, name="support_questions"),
        solver=[system_message(PROMPTS[prompt]), generate()],
        scorer=[correct(), relevance()],
        epochs=2,
        version=1,
    )


@task
def policy_quiz(prompt: str) -> Task:
    """Forty questions whose answer is a clause of the hire terms."""
    samples = [
        Sample(id=row.id, input=row.text, target=row.clause, metadata={"clause": row.clause})
        for row in policy_questions()
    ]
    return Task(
        dataset=MemoryDataset(samples, name="policy_questions"),
        solver=[system_message(PROMPTS[prompt]), generate()],
        scorer=policy(),
        version=1,
    )


def support_model(prompt: str):
    """Return a model that knows hard questions less often than easy ones."""
    by_text = {question.text: question for question in questions()}
    asked: Counter[str] = Counter()

    async def respond(messages: list[ChatMessage], *_: object) -> ModelOutput:
        question = by_text[messages[-1].text]
        asked[question.id] += 1
        rng = random.Random(f"{prompt}/{question.id}/{asked[question.id]}")
        text = answer(question, knows(question, prompt, rng), rng, wordy=prompt == "v2")
        return await _output(messages, text, rng)

    return get_model("mockllm/model", custom_outputs=respond, memoize=False)


def knows(question: Question, prompt: str, rng: random.Random) -> bool:
    """Decide whether the answer is right: mostly fixed per question, flaky near the edge."""
    lasting = random.Random(f"{prompt}/{question.id}").gauss(0, 0.08)
    flaky = rng.gauss(0, 0.05)
    return question.hardness + lasting + flaky < SHARE_CORRECT[prompt][question.topic]


def policy_model(prompt: str, interrupt_after: int | None = None):
    """Return a model for the quiz; it may interrupt the run as a person would."""
    by_text = {row.text: row for row in policy_questions()}
    asked: Counter[str] = Counter()

    async def respond(messages: list[ChatMessage], *_: object) -> ModelOutput:
        row = by_text[messages[-1].text]
        asked["all"] += 1
        if asked["all"] == interrupt_after:
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep(5)
        rng = random.Random(f"{prompt}/{row.id}")
        courtesy = rng.choice((1, 2, 2, 3) if prompt == "v1" else (2, 3, 4, 4))
        text = policy_answer(row, rng.random() < (0.85 if prompt == "v1" else 0.8), courtesy)
        return await _output(messages, text, rng)

    return get_model("mockllm/model", custom_outputs=respond, memoize=False)


async def _output(messages: list[ChatMessage], text: str, rng: random.Random) -> ModelOutput:
    output = ModelOutput.from_content("mockllm/model", text)
    tokens_in = round(sum(len(message.text) for message in messages) / 4.1)
    tokens_out = max(8, round(len(text) / 4.3 * rng.uniform(0.88, 1.08)))
    output.usage = ModelUsage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        total_tokens=tokens_in + tokens_out,
        total_cost=round(tokens_in * DOLLARS_PER_TOKEN[0] + tokens_out * DOLLARS_PER_TOKEN[1], 8),
    )
    await anyio.sleep(0.3 + 0.009 * tokens_out * rng.lognormvariate(0, 0.25))
    return output


def main() -> None:
    """Run every evaluation into the folder given by ``--logs``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--logs", required=True)
    run = partial(
        eval, log_dir=parser.parse_args().logs, display="none", max_samples=30, max_connections=30
    )
    for prompt in ("v1", "v2"):
        run(policy_quiz(prompt), model=policy_model(prompt), **about(prompt))
    model = policy_model("v2", interrupt_after=23)
    run(policy_quiz("v2"), model=model, tags=["candidate", "stopped"], max_samples=1)
    # last, so that "latest" is the pair worth comparing
    for prompt in ("v1", "v2"):
        run(support_answers(prompt), model=support_model(prompt), **about(prompt))


def about(prompt: str) -> dict:
    """Tags and metadata of a run with one of the prompts."""
    return {"tags": TAGS[prompt], "metadata": {"prompt_version": prompt}}


if __name__ == "__main__":
    main()
