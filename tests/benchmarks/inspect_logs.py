"""Make Inspect logs to read, and read them with Inspect; runs in an environment that has it.

python inspect_logs.py make FOLDER LOGS SAMPLES   one real run of the mock model, then copies of it
python inspect_logs.py read FOLDER default|full|parallel   prints seconds and rows
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
import zipfile
from pathlib import Path

UUID = re.compile(rb'(?<="uuid":")[\w]{20,24}')
WORDS = ("drill", "saw", "sander", "ladder", "hire", "deposit", "return", "invoice", "clean")


def make(folder: Path, logs: int, samples: int) -> None:
    """One log by Inspect itself, and copies under other ids, written as Inspect writes them."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes, match
    from inspect_ai.solver import generate, system_message

    chance = random.Random(1)

    def text(words: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(words))

    def respond(*_: object) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", text(120))
        output.usage = ModelUsage(input_tokens=400, output_tokens=150, total_tokens=550)
        return output

    asked = [
        Sample(id=i, input=text(60), target=chance.choice(WORDS), metadata={"topic": WORDS[i % 4]})
        for i in range(samples)
    ]
    [log] = eval(
        Task(
            dataset=MemoryDataset(asked),
            solver=[system_message(text(150)), generate()],
            scorer=[includes(), match()],
        ),
        model=get_model("mockllm/model", custom_outputs=respond),
        log_dir=str(folder / "first"),
        display="none",
    )
    first = next((folder / "first").glob("*.eval"))
    for number in range(logs):
        with (
            zipfile.ZipFile(first) as source,
            zipfile.ZipFile(
                folder / f"{number:02d}.eval", "w", source.infolist()[0].compress_type
            ) as target,
        ):
            for name in source.namelist():
                content = source.read(name)
                content = UUID.sub(rb"\g<0>-%02d" % number, content)
                if name in ("header.json", "_journal/start.json"):
                    header = json.loads(content)
                    header["eval"]["eval_id"] = f"{log.eval.eval_id}-{number:02d}"
                    content = json.dumps(header).encode()
                target.writestr(name, content)
    first.unlink()
    (folder / "first").rmdir()


def read(folder: Path, how: str) -> None:
    """Read all logs with Inspect's own data frame function."""
    from inspect_ai.analysis import samples_df

    options = {"default": {}, "full": {"full": True}, "parallel": {"parallel": True}}[how]
    began = time.perf_counter()
    frame = samples_df(sorted(map(str, folder.glob("*.eval"))), quiet=True, **options)
    print(time.perf_counter() - began, len(frame))


if __name__ == "__main__":
    action, where, *rest = sys.argv[1:]
    if action == "make":
        make(Path(where), *map(int, rest))
    else:
        read(Path(where), *rest)
