"""The same prompt in other formats, to run: what is asked stays, its dress changes.

Source: the grammar of Sclar, Choi, Tsvetkov and Suhr 2023 (arXiv 2310.11324); `format_spread` tells
what the formats made of the score.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aiops_lab.errors import BadSettings, BadSource
from aiops_lab.files import replacing

SEPARATORS = {"colon": ": ", "dash": " - ", "newline": "\n", "colons": " :: "}
CASES: dict[str, Callable[[str], str]] = {
    "title": str.title,
    "upper": str.upper,
    "lower": str.lower,
}
GAPS = {"line": "\n", "blank": "\n\n", "bars": " || "}
ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
MARKERS: dict[str, Callable[[int], str]] = {
    "1dot": lambda i: f"{i}.",
    "1paren": lambda i: f"{i})",
    "1parens": lambda i: f"({i})",
    "Adot": lambda i: f"{chr(64 + i)}.",
    "aparen": lambda i: f"{chr(96 + i)})",
    "Idot": lambda i: f"{'X' * (i // 10)}{ROMAN[i % 10]}.",
    "star": lambda i: "*",
}
LONGEST = 26
"""Lists longer than the alphabet are left as they are."""
MOST = 10_000
"""A text with more labels and list items than this is no prompt, and is left as it is."""
LINE = re.compile(
    r"^(?:(?P<fence> {0,3}(?:```|~~~))"
    r"|(?P<indent>[ \t]{0,12})(?P<marker>\d{1,3}[.)]|\(\d{1,3}\)|[*+-])(?=[ \t]+[^\s*+-])"
    r"|(?P<label>[QA]|[A-Z][A-Za-z]{1,19}(?: [A-Z0-9][A-Za-z0-9]{0,19}){0,2})"
    r":(?:[ \t]{1,4}|(?=\r?$))|(?P<other>\S))",
    re.MULTILINE,
)


def prompt_formats(prompt: str, *, count: int = 10, seed: int = 0) -> pl.DataFrame:
    r"""Variants of a prompt template that mean the same, to run and compare.

    Touched are only the labels of fields at line starts (``Question:``; each word capitalised, at
    most three), what separates them, and the markers of numbered and bulleted lists. Numbered
    lists stay where their numbers are mentioned elsewhere; all else (placeholders, code fences,
    addresses) stays byte for byte. A prompt without labels and lists has only itself.

    Parameters
    ----------
    prompt
        Any text.
    count
        Variants at most, the original included.
    seed
        Picks the same variants each time.

    Returns
    -------
    pl.DataFrame
        format, prompt; all prompts distinct, the original first.

    Examples
    --------
    >>> found = prompt_formats("Question: {input}\nAnswer:", count=3)
    >>> found["prompt"].to_list()[:2]
    ['Question: {input}\nAnswer:', 'QUESTION: {input}\n\nANSWER:']
    """
    if count < 1:
        raise BadSettings(f"count is the number of variants, 1 or more, not {count}")
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise BadSettings("the prompt holds half a character (a lone surrogate)") from None
    pieces = _pieces(prompt)
    kinds = {kind for _, _, kind, _ in pieces}
    axes: list[dict[str, Any]] = [
        SEPARATORS if "label" in kinds else {"": ""},
        CASES if "label" in kinds else {"": str},
        GAPS if "gap" in kinds else {"": ""},
        MARKERS if "item" in kinds else {"": str},
    ]
    grid = list(itertools.product(*axes))
    found = {prompt: "original"}
    for at in np.random.default_rng(seed).permutation(len(grid)):
        if len(found) >= count or not pieces:
            break
        name = "-".join(filter(None, grid[at]))
        chosen = [axis[key] for axis, key in zip(axes, grid[at], strict=True)]
        found.setdefault(_rendered(prompt, pieces, *chosen), name)
    return pl.DataFrame({"format": [*found.values()], "prompt": [*found]})


def write_formats(
    prompt_path: str | Path, out_dir: str | Path, count: int = 10, seed: int = 0
) -> list[Path]:
    """Write the variants of a prompt file to a folder, one file each, the original first.

    Raises
    ------
    BadSource
        The file cannot be read, or is no UTF-8 text.
    """
    source, folder = Path(prompt_path), Path(out_dir)
    try:
        prompt = source.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSource(f"the prompt cannot be read as UTF-8 text: {error}") from None
    suffix = source.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", source.suffix) else ".txt"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (name, text) in enumerate(prompt_formats(prompt, count=count, seed=seed).rows()):
        paths.append(folder / f"{number:02d}-{name}{suffix}")
        with replacing(paths[-1]) as beside:
            beside.write_bytes(text.encode())
    return paths


def _pieces(prompt: str) -> list[tuple[int, int, str, Any]]:
    """What may be written otherwise, in order: start, end, kind, what it says."""
    pieces: list[tuple[int, int, str, Any]] = []
    lists: list[list[re.Match[str]]] = []
    nested: list[list[re.Match[str]]] = []
    fence, asked, ends, bare = "", False, -1, False
    touched = 0
    for line in LINE.finditer(prompt):
        touched += line["label"] is not None or line["marker"] is not None
        if touched > MOST:
            return []
        if fence or line["fence"]:
            mark = (line["fence"] or "").strip()
            fence = "" if mark == fence else fence or mark
            nested, ends = [], -1
        elif line["marker"]:
            ends = -1
            while nested and not line["indent"].startswith(nested[-1][-1]["indent"]):
                nested.pop()
            if not nested or nested[-1][-1]["indent"] != line["indent"]:
                nested.append([])
                lists.append(nested[-1])
            nested[-1].append(line)
        elif (label := line["label"]) and (len(label) > 1 or label == "Q" or asked):
            nested, asked = [], asked or label == "Q"
            start, colon = line.start(), line.end("label")
            between = prompt[ends:start] if 0 <= start - ends <= 4 and ends >= 0 else ""
            if between.replace("\r", "") in ("\n", "\n\n"):
                pieces.append((ends, start, "gap", between))
            bare = prompt[line.end() : line.end() + 1] in ("", "\r", "\n")
            pieces += [(start, colon, "label", label), (colon, line.end(), "colon", bare)]
            ends = _line_end(prompt, line.end())
        else:
            # the value of a bare label may stand on the next line
            follows = bare and ends >= 0 and line.start() - ends <= 2
            ends, bare = _line_end(prompt, line.end()) if follows else -1, False
            nested = []
    return sorted([*pieces, *_items(prompt, lists)])


def _line_end(prompt: str, start: int) -> int:
    end = prompt.find("\n", start)
    end = len(prompt) if end < 0 else end
    return end - (prompt[end - 1 : end] == "\r")


def _items(
    prompt: str, lists: list[list[re.Match[str]]]
) -> Iterator[tuple[int, int, str, tuple[int, str]]]:
    """The markers of lists that may be marked otherwise: numbered from 1, or all alike."""
    places = {line.start("marker") for own in lists for line in own}
    digits = re.finditer(r"(?<!\w)\d{1,2}(?!\w)", prompt)
    elsewhere = (int(d[0]) for d in digits if not {d.start(), d.start() - 1} & places)
    mentioned = min((number for number in elsewhere if number > 0), default=100)
    for own in lists:
        marks = [line["marker"] for line in own]
        first = marks[0]
        numbers = [first.replace("1", str(i), 1) for i in range(1, len(marks) + 1)]
        numbered = first in ("1.", "1)", "(1)") and marks == numbers and mentioned > len(marks)
        alike = first in "*+-" and len(set(marks)) == 1
        if 2 <= len(marks) <= LONGEST and (numbered or alike):
            for i, line in enumerate(own, 1):
                yield *line.span("marker"), "item", (i, line["marker"])


def _rendered(
    prompt: str,
    pieces: list[tuple[int, int, str, Any]],
    separator: str,
    case: Callable[[str], str],
    gap: str,
    marker: Callable[[int], str],
) -> str:
    """The prompt with its pieces written in one format."""
    eol = "\r\n" if "\r\n" in prompt else "\n"
    parts, done = [], 0
    for start, end, kind, said in pieces:
        match kind:
            case "label":
                text = case(said)
            case "gap":
                text = gap.replace("\n", eol)
            case "item":
                text = marker(said[0])
            case _ if separator == SEPARATORS["colon"]:
                text = prompt[start:end]
            case _ if said and separator == "\n":
                text = "" if end < len(prompt) else eol
            case _:
                text = separator.rstrip(" ") if said else separator.replace("\n", eol)
        parts += [prompt[done:start], text]
        done = end
    return "".join([*parts, prompt[done:]])
