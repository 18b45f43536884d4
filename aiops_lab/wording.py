"""How figures read: points for differences of shares, two significant digits, signs, commas."""

from __future__ import annotations

import math
from collections.abc import Iterable

MINUS = "−"


def figure(value: float | None, *, share: bool = False, digits: int = 3) -> str:
    """One figure as a person writes it.

    Examples
    --------
    >>> figure(0.7414, share=True), figure(12345.678), figure(0.000123456), figure(None)
    ('74.1 %', '12,300', '0.000123', 'not known')
    """
    if value is None or not math.isfinite(value):
        return "not known"
    if share:
        return f"{value * 100:.1f} %".replace("-", MINUS)
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
