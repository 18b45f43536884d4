"""Which language a text is written in: asked of py3langid's model, which is part of its package."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

SEEN, READ = 8_000, 2_000
"""Characters of a text that are looked at, and of its words those that the model reads."""
FEWEST, LEAST = 20, 0.5
"""Fewer letters, or a less probable language, tell nothing."""
CODE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^`\n]*(?:\n|\Z).*?(?:^[ \t]*\1|\Z)|`[^`\n]*`|(?:https?://|www\.)[!-~]+",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
"""Fences, code within a line, and addresses: ASCII only, as Chinese goes on without a space."""


def language(text: str) -> str | None:
    """The ISO 639-1 code of a text's language; None where it is too short, or too odd, to tell.

    One language a text, by how it begins; in one of several it may be any of them. Near relatives
    are hard to tell apart in a line: Danish and Norwegian (``no`` or ``nn``), Portuguese and
    Galician. Numbers, signs, code in backticks and addresses are not read; keys of JSON are.

    Examples
    --------
    >>> language("Ihr Paket kommt morgen an."), language("`make` a list: 1, 2, 3")
    ('de', None)
    """
    words = _words(CODE.sub(" ", text[:SEEN]))[:READ]
    if sum(3 if c > "\u2e7f" else 1 for c in words if c.isalpha()) < FEWEST:
        return None  # a sign of Chinese, Japanese or Korean says as much as three letters
    code, probability = _model().classify(words)
    return code if probability >= LEAST and len(code) == 2 else None


def _words(text: str) -> str:
    """Letters with their marks and apostrophes; what is invisible is gone, all else a space."""
    kinds = ((c, unicodedata.category(c)) for c in text)
    kept = (c if k[0] in "LM" or c in "'’" else " " for c, k in kinds if k != "Cf")
    return " ".join("".join(kept).split())


@cache
def _model() -> Any:
    """The model, loaded once in about a second, of languages that have a code of two letters."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    none = "zxx"  # what is no language
    model.set_languages([code for code in model.labels if len(code) == 2 or code == none])
    return model
