"""Whether an answer declines to answer: a phrase rule on how it opens."""

from __future__ import annotations

import polars as pl

from aiops_lab.measures.phrases import IDIOMS, PATTERNS

READ = 600
FIELD = (
    r"^[\s{`]*(?:(?:ya?ml|json)\s+)?[{\s]*[\"']?"
    r"(?i:answer|response|reply|text|message|output|content|result)[\"']?\s*:\s*"
    r"(?:[>|][+-]?\d?\s*\n\s*)?[\"']?"
)
"""What stands before the answer in YAML or JSON."""
PREAMBLE = (
    r"^[^\p{L}]*(?:assistant: )?(?:i|nope|thank|thanks|hello|hi|hey|as|while|sorry|unfortunately"
    r"|your|that|it|what|no|ok|okay|well|my|apologies|this|you|we|let)\b"
)


def refusal(texts: pl.Series) -> pl.Series:
    """Which answers open by declining: true, false, or null where there is no text.

    It is a rule, with an error of its own: it knows phrases of English, German, French, Spanish,
    Italian, Portuguese, Dutch, Danish, Norwegian, Swedish, Polish, Russian, Chinese and Japanese,
    not intentions, and a new model may decline in new words. A bare "No", sympathy ("I'm sorry to
    hear that"), what is not known or not found, and a caveat before the help are no refusals. Two
    sentences are read, four after a preamble, of YAML or JSON those of its answer; an answer that
    helps first and declines later is not counted.

    Examples
    --------
    >>> refusal(pl.Series(["I’m sorry, but I can’t help.", "I can't find it.", None])).to_list()
    [True, False, None]
    """
    opening = opening_of(texts).str.replace_all(IDIOMS, " ")
    found = opening.str.contains(PATTERNS[0])
    for pattern in PATTERNS[1:]:
        found |= opening.str.contains(pattern)
    return found.alias(texts.name)


def opening_of(texts: pl.Series) -> pl.Series:
    """The first sentences in lower case, without markdown and quotations."""
    head = (
        texts.str.head(4 * READ)
        .str.replace(r"(?s)^\s*<think\w*>.*?</think\w*>", "")
        .str.replace(FIELD, "")
        .str.head(READ)
        .str.to_lowercase()
        .str.replace_all(r'["“„«][^"“”„«»]*["”“»],?\s+(\p{L})', " $1")
        .str.replace_all(r"[!?。！？]+", ".")
    )
    sentences = head.str.splitn(".", 5)
    two, four = (
        pl.concat_str(
            [sentences.struct.field(f"field_{place}") for place in range(count)],
            separator=".",
            ignore_nulls=True,
        )
        for count in (2, 4)
    )
    first = pl.when(head.str.contains(PREAMBLE)).then(four).when(head.is_not_null()).then(two)
    return (
        pl.select(first)
        .to_series()
        .str.replace_all(r"[\p{Cf}*_`#>~]+", "")
        .str.replace_all("[’‘ʼ´]", "'")
        .str.replace_all(r"\n\s*", " ")
        .str.replace(r"^(?:[^\p{L}]+|(?:assistant|answer|response|ai) ?: ?)+", "")
    )
