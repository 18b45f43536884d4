"""``lab.toml``: a lab's settings, typed; unknown keys are refused with the nearest known one."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from aiops_lab.errors import BadSettings

TEMPLATE = """\
# Settings of this lab. Every line is optional; remove the # to use one.

# Tables whose columns have other names: canonical = "theirs".
# [columns]
# sample_id = "question_id"
# input = "question"
# output = "answer"
# value = ["accuracy", "faithfulness"]     # score columns; each becomes a metric

# Which way is better, where the logs do not say; higher is the default.
# [directions]
# latency_score = "lower"

# What a model costs, in dollars a million tokens, where the logs do not say.
# [prices."openai/gpt-4o"]
# input = 2.5
# output = 10.0
"""


class Price(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Dollars a million tokens."""

    input: float
    output: float


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What ``lab.toml`` may say."""

    columns: dict[str, Any] = {}
    directions: dict[str, str] = {}
    prices: dict[str, Price] = {}

    def __post_init__(self) -> None:
        for metric, direction in self.directions.items():
            if direction not in ("higher", "lower"):
                raise ValueError(f'{metric} is "higher" or "lower", not "{direction}"')


def read_settings(path: Path) -> Settings:
    """The settings in `path`; the defaults where there is no such file.

    Raises
    ------
    BadSettings
        Not TOML, an unknown key, or a value of another type; the message names the place.
    """
    if not path.exists():
        return Settings()
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Settings)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path.name} is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise BadSettings(f"{path.name}: {_with_nearest(str(error))}") from None


def _with_nearest(message: str) -> str:
    unknown = re.search(r"unknown field `([^`]*)`", message)
    known = [*Settings.__struct_fields__, *Price.__struct_fields__]
    near = difflib.get_close_matches(unknown[1], known, 1) if unknown else []
    return f"{message}; did you mean {near[0]!r}?" if near else message
