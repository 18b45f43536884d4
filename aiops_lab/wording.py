"""How figures read: points for differences of shares, two significant digits, signs, commas."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from aiops_lab.sharing import shared

MINUS = "−"
MARKS = 30
"""So many marks may stand on one letter; a browser hangs on 100,000."""
LONGEST = 40
"""Letters of a name in a sentence."""
HIDDEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0e"
    "\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U0010ffff]"
    "|[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{31,}"
    "|(?<![\u20e3-\u33ff\U0001f000-\U0001faff])\ufe0f(?!\u20e3)"  # of a sign it makes an emoji
)
"""Characters that hide or turn text, or look like nothing."""
RIGHT = (
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]+"
)
TURNED = rf"{RIGHT}(?:[ ,.;!?'\"()-]{{1,3}}{RIGHT})*"
SHOWN = re.compile(rf"\u2068({TURNED})\u2069|({TURNED})|{HIDDEN}")
ALONE = re.compile(HIDDEN)


def figure(value: float | None, *, share: bool = False, digits: int = 3) -> str:
    """One figure as a person writes it.

    Examples
    --------
    >>> figure(0.7414, share=True), figure(12345.678), figure(0.000123456), figure(None)
    ('74.1 %', '12,300', '0.000123', 'not known')
    >>> figure(0.00026, share=True), figure(0.99982, share=True)
    ('0.03 %', '99.98 %')
    """
    if value is None or not math.isfinite(value):
        return "not known"
    if share:
        near = min(abs(value), abs(1 - value)) * 100
        places = 1 if near >= 0.1 or near < 1e-6 else -math.floor(math.log10(near))
        return f"{value * 100:.{places}f} %".replace("-", MINUS)
    if value == 0:
        return "0"
    if not 1e-8 <= abs(value) < 1e12:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10^{int(exponent)}".replace("-", MINUS)
    places = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, places):,.{min(max(places, 0), 8)}f}"
    return text.replace("-", MINUS)


def change(value: float | None, *, share: bool = False, sign: bool = True) -> str:
    """A difference: in points where the figures are shares.

    Examples
    --------
    >>> change(-0.0432, share=True), change(0.5)
    ('−4.3 points', '+0.50')
    """
    if value is None or not math.isfinite(value):
        return "not known"
    plus = "+" if sign and value > 0 else ""
    if share:
        return f"{plus}{value * 100:.1f} points".replace("-", MINUS)
    return plus + figure(value, digits=2)


def interval(low: float | None, high: float | None, *, share: bool = False, digits: int = 2) -> str:
    """An interval in parentheses, in the unit of the difference before it.

    Examples
    --------
    >>> interval(-0.071, -0.015, share=True)
    '(−7.1 to −1.5)'
    """
    if low is None or high is None:
        return "(no interval)"
    if share:
        ends = (f"{end * 100:.1f}".replace("-", MINUS) for end in (low, high))
    else:
        ends = (figure(end, digits=digits) for end in (low, high))
    return "({} to {})".format(*ends)


def times(value: float | None) -> str:
    """A ratio.

    Examples
    --------
    >>> times(2.034)
    '2.03 times'
    """
    return "not known" if value is None else f"{value:.2f} times"


def day_words(day: date, year: int | None = None) -> str:
    """A day as a person writes it; without the year where it is the one that is known.

    Examples
    --------
    >>> day_words(date(2026, 5, 12)), day_words(date(2026, 5, 2), 2026)
    ('12 May 2026', '2 May')
    """
    return f"{day.day} {day:%b}" if day.year == year else f"{day.day} {day:%b %Y}"


def listing(names: Iterable[str], most: int = 4) -> str:
    """Names in a sentence, the rest counted.

    Examples
    --------
    >>> listing(["a", "b", "c"]), listing("abcdef")
    ('a, b and c', 'a, b, c, d and 2 more')
    """
    names = list(names)
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def short_name(text: str) -> str:
    """A name as a sentence or a title can bear it.

    Examples
    --------
    >>> short_name("harbour"), len(short_name("harbour" * 100))
    ('harbour', 41)
    """
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def in_markdown(text: str) -> str:
    """A text that Markdown takes for nothing else.

    Examples
    --------
    >>> in_markdown("a *b* [c](d)")
    'a \\\\*b\\\\* \\\\[c\\\\](d)'
    """
    shown = visible(shared(text))
    for sign in "\\`*_[]<>|#":
        shown = shown.replace(sign, f"\\{sign}")
    return shown.replace("\n", " ")


def visible(text: str, *, alone: bool = False) -> str:
    """Text whose hidden characters show as what they are.

    Words from right to left are set apart, so that they turn no figure beside them, unless the
    text stands `alone`. What is visible stays as it is when this is done again.

    Examples
    --------
    >>> visible("a\\u200bb \\x1b[31m"), visible("a\\r\\nb")
    ('a[U+200B]b [U+001B][31m', 'a\\nb')
    """
    return (ALONE if alone else SHOWN).sub(_code, text.replace("\r\n", "\n"))


def _code(found: re.Match[str]) -> str:
    if words := found.re.groups and (found[1] or found[2]):
        return f"\u2068{words}\u2069"
    if (more := len(found[0]) - MARKS) > 0:
        return f"{found[0][:MARKS]}[{more} more marks]"
    return f"[U+{ord(found[0]):04X}]"


def all_visible(value: Any) -> Any:
    """A chart's specification with every text in it visible; names of keys stay."""
    if isinstance(value, str):
        # Vega keeps names in objects that have this one already
        return f"{value}\u00a0" if value == "__proto__" else visible(value)
    if isinstance(value, list):
        return [all_visible(item) for item in value]
    if isinstance(value, dict):
        return {key: all_visible(item) for key, item in value.items()}
    return value
