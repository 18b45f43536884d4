"""Write small Inspect logs that hold every shape a reader has to take.

Runs with Inspect AI 0.3.60 and later, offline, on a model defined here:
``python make_inspect_fixtures.py full|pair|short|cancel|hang FOLDER``; ``pair`` writes
the same three samples as ``.eval`` and ``.json``, ``hang`` starts ``hanging`` and kills it.
Inspect 0.3.25 runs ``short``, ``cancel`` and ``hang`` and writes ``.json``.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import anyio
from inspect_ai import Epochs, Task, eval, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import (
    ChatMessageSystem,
    ChatMessageUser,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.scorer import Metric, Score, Scorer, Target, accuracy, mean, metric, scorer, stderr
from inspect_ai.solver import TaskState, generate, use_tools
from inspect_ai.tool import Tool, tool

EPOCHS = 3
PAIR = [6, "greeting/umlaut ä", "unscored"]
SLIP = "Hire slip 2041: floor sander, three days, deposit £100, returned clean and on time. " * 9
HOSTILE = "</script><script>alert(1)</script> & <b>bold</b> \"quoted\" 'single' `{{7*7}}`"
WORLD = "Grüße 🛠️🚚 👩🏽‍🔧 — كم يكلف استئجار المنشار؟ — כמה עולה? — 日本語 e\u0301"
try:
    BY_TOPIC = stderr(cluster="topic")
except TypeError:  # Inspect older than clustered standard errors
    BY_TOPIC = stderr()


def samples() -> list[Sample]:
    """Return twelve samples: integer and text ids, mixed metadata, awkward texts."""
    rows = [
        Sample(id=1, input="What does a tile cutter cost a day?", target="£26"),
        Sample(id=2, input="How long is a hire day?", target=["24 hours", "one day"]),
        Sample(id=3, input=SLIP + "Is anything left to pay?", target="nothing"),
        Sample(
            id=4,
            input=[
                ChatMessageSystem(content="You are the assistant at the counter. " * 5),
                ChatMessageUser(content="Can I bring the drill back tomorrow?"),
            ],
            target="yes",
        ),
        Sample(
            id=5,
            input="Which of these needs a licence?",
            choices=["hedge trimmer", "plate compactor", "none of them"],
            target="C",
        ),
        Sample(id=6, input=HOSTILE, target=HOSTILE),
        Sample(id="greeting/umlaut ä", input=WORLD, target="£32"),
        Sample(id="stock", input="Check the stock of rotavators.", target="3 in stock"),
        Sample(id="stock-loop", input="Check the stock again and again.", target="3 in stock"),
        Sample(id="fails", input="This request makes the model fail.", target="never"),
        Sample(id="unscored", input="Judge this answer if you can.", target="unclear"),
        Sample(id="010", input="Is an id with a leading zero kept?", target="yes"),
    ]
    for place, row in enumerate(rows):
        row.metadata = {
            "topic": ("billing", "delivery", "returns")[place % 3],
            "weight": place / 4,
            "vip": place % 2 == 0,
            "count": place,
            "note": None,
            "order": {"nummer": place, "größe": "L", "parts": ["blade", "belt"]},
        }
        if place == 1:
            row.metadata["long"] = "A remark on the order that goes on and on. " * 40
    return rows


@modelapi(name="counter")
def counter() -> type[ModelAPI]:
    """Register the model ``counter/assistant``."""
    return Counter


class Counter(ModelAPI):
    """Answers at random but reproducibly; some questions make it misbehave."""

    calls = 0
    failed = False
    plan = "full"

    async def generate(self, input, tools, tool_choice, config):
        """Return an answer, a tool call or an error, by the last question."""
        Counter.calls += 1
        if Counter.plan == "cancel" and Counter.calls == 8:
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep(5)
        if Counter.plan == "hang" and Counter.calls > 6:
            await anyio.sleep(600)
        await anyio.sleep(0.02)
        question = next(m.text for m in reversed(input) if m.role == "user")
        if "makes the model fail" in question and not Counter.failed:
            Counter.failed = True
            raise RuntimeError("the model service closed the connection")
        looping = "again and again" in question
        if "Check the stock" in question and (looping or input[-1].role != "tool"):
            output = ModelOutput.for_tool_call(
                "counter/assistant", "stock_of", {"name": "rotavator"}, content="Let me look."
            )
        else:
            answer = f"Answer: {question[:200]} That is £{26 + Counter.calls % 3}, thank you."
            output = ModelOutput.from_content("counter/assistant", answer)
        spent = (sum(len(m.text) for m in input) // 4, 20 + Counter.calls % 7)
        output.usage = ModelUsage(
            input_tokens=spent[0],
            output_tokens=spent[1],
            total_tokens=sum(spent),
            input_tokens_cache_read=spent[0] // 2,
        )
        return output


@tool
def stock_of() -> Tool:
    """Look up the stock."""

    async def execute(name: str) -> str:
        """Return how many are in stock.

        Args:
            name: Name of the tool to look up.
        """
        return f"{name}: 3 in stock"

    return execute


@metric
def share_of(label: str) -> Metric:
    """Share of scores equal to ``label``."""

    def compute(scores: list) -> float:
        values = [getattr(item, "score", item).value for item in scores]
        return sum(value == label for value in values) / max(1, len(values))

    return compute


def draw(state: TaskState, name: str) -> random.Random:
    """Return the random numbers of one scorer for one answer."""
    return random.Random(f"{name}/{state.sample_id}/{state.epoch}")


@scorer(metrics=[accuracy(), stderr(), BY_TOPIC])
def letter() -> Scorer:
    """C, I, P or N."""

    async def score(state: TaskState, target: Target) -> Score:
        value = draw(state, "letter").choice("CCCIIPN")
        reason = "Drawn by lot. " * (60 if state.sample_id == 1 else 1)
        return Score(value=value, answer=state.output.completion[:30], explanation=reason)

    return score


@scorer(metrics=[mean(), BY_TOPIC])
def closeness() -> Scorer:
    """A number from 0 to 1; none (NaN) for one sample, as when a judge cannot decide."""

    async def score(state: TaskState, target: Target) -> Score:
        if state.sample_id == "unscored":
            return Score(value=float("nan"), explanation="The judge gave no number.")
        return Score(value=round(draw(state, "closeness").random(), 3), metadata={"by": "ruler"})

    return score


@scorer(metrics={"*": [mean(), stderr()]})
def rubric() -> Scorer:
    """Two numbers under one scorer."""

    async def score(state: TaskState, target: Target) -> Score:
        rng = draw(state, "rubric")
        return Score(value={"tone": round(rng.random(), 2), "cites": int(rng.random() < 0.5)})

    return score


@scorer(metrics=[accuracy()])
def polite() -> Scorer:
    """True or false."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=draw(state, "polite").random() < 0.7)

    return score


@scorer(metrics=[share_of("refund")])
def intent() -> Scorer:
    """A label that is neither right nor wrong."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=draw(state, "intent").choice(["refund", "price", "other"]))

    return score


@scorer(metrics=[share_of("none")])
def profile() -> Scorer:
    """A list of numbers."""

    async def score(state: TaskState, target: Target) -> Score:
        rng = draw(state, "profile")
        return Score(value=[round(rng.random(), 2), round(rng.random(), 2)])

    return score


@task
def shop_mixed() -> Task:
    """Every kind of sample and score."""
    return Task(
        dataset=MemoryDataset(samples(), name="shop_mixed"),
        solver=[use_tools(stock_of()), generate()],
        scorer=[letter(), closeness(), rubric(), polite(), intent(), profile()],
        epochs=Epochs(EPOCHS, ["mean", "mode"]),
        message_limit=9,
        fail_on_error=False,
    )


@task
def shop_short() -> Task:
    """The plain samples only, for runs that do not finish."""
    rows = [row for row in samples() if row.id not in ("stock", "stock-loop", "fails")]
    return Task(
        dataset=MemoryDataset(rows, name="shop_short"),
        solver=generate(),
        scorer=[letter(), closeness()],
        epochs=2,
    )


def run(plan: str, folder: Path) -> None:
    """Evaluate; ``cancel`` interrupts itself and ``hanging`` never ends."""
    Counter.plan = "hang" if plan == "hanging" else plan
    logs = eval(
        shop_mixed() if plan in ("full", "pair") else shop_short(),
        model="counter/assistant",
        tags=["fixture", "größe"],
        metadata={"prompt_version": "v1", "attempt": 1, "nested": {"a": [1, 2]}},
        display="none",
        log_dir=str(folder),
        max_samples=1,
        limit=2 if plan == "short" else None,
        **({"sample_id": PAIR} if plan == "pair" else {}),
        log_buffer=1 if plan == "hanging" else None,
    )
    if plan == "pair":
        written = next(folder.glob("*.eval"))
        write_eval_log(read_eval_log(str(written)), str(written.with_suffix(".json")))
    print(plan, [log.status for log in logs])


def flushed(log: Path) -> int:
    """Count the samples that a log on disk holds by now."""
    if log.suffix == ".json":
        return log.read_text().count('"epoch":')
    if not zipfile.is_zipfile(log):
        return 0
    return sum(name.startswith("samples/") for name in zipfile.ZipFile(log).namelist())


def kill_while_hanging(folder: Path) -> None:
    """Start a run that stops answering, wait for flushed samples, kill it."""
    child = subprocess.Popen([sys.executable, __file__, "hanging", str(folder)])
    for _ in range(200):
        time.sleep(0.2)
        if any(flushed(log) >= 5 for log in folder.iterdir()):
            break
    child.kill()
    child.wait()


if __name__ == "__main__":
    chosen, target_folder = sys.argv[1], Path(sys.argv[2])
    target_folder.mkdir(parents=True, exist_ok=True)
    if chosen == "hang":
        kill_while_hanging(target_folder)
    else:
        run(chosen, target_folder)
