"""Secrets and personal data in a text, replaced by pseudonyms that stay the same in a lab.

Long because the patterns, what checks each and what may follow it are one table, read together.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from math import log2
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import polars as pl

LENGTHS = (
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18"
    "FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LI21LT20LU20LV21MC27"
    "MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SE24SI19SK24SM27TN24TR26UA29"
)
"""Countries and how long their account numbers are (SWIFT's registry)."""
IBAN = "|".join(
    rf"{country}\d\d(?: ?[A-Z0-9]){{{int(length) - 4}}}"
    for country, length in re.findall(r"([A-Z]{2})(\d\d)", LENGTHS)
)
PEM = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]*(?:-(?!----)[^-]*)*-----END [A-Z0-9 ]{0,40}-----"
    r"|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{20,})*)"  # cut off
)
NAMED = r"(?:password|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key)"
MARK = r"\[[a-z-]+-[0-9a-f]{8}\]"
MARKED = re.compile(MARK)
QUOTE = r"\\?(?:[\"']|&quot;|&#(?:x27|39);)"
ASSIGNED = (
    rf"(?i)(?<![\w-])(?P<name>[\w-]{{0,40}}?(?:{NAMED}[\w-]{{0,40}}|token))(?:{QUOTE})?\s{{0,3}}"
    rf"(?P<sign>[:=])\s{{0,3}}(?P<quote>{QUOTE})?(?!{MARK}|[*<{{$%/])"
    r"(?P<value>(?(quote)[^\\\"'&\n]|[^\\\s\"'`,;&()\[\]{}<>]){4,300})"
)
SECRET_NAME = re.compile(rf"(?i)[\w-]{{0,40}}{NAMED}")
BESIDE = (
    r"(?i)(?<![a-z])(?:secret|passw(?:or)?d|passphrase|pwd|credential|token|key)s?(?![a-z])"
    rf"(?P<between>(?:[^\n.,;?!{{}}\[\]<>|&]|{QUOTE}|(?:<|&lt;)/?[a-z]{{1,9}}(?:>|&gt;)){{0,40}}?)"
    r"(?<![\w+/.@%-])(?P<value>[A-Za-z0-9_+/-]{16,300}={0,2})(?![\w+/=-]|\.\w)"
)
STRONG = re.compile(r"(?i)secret|passw|passphrase|pwd|credential|(?:api|access|private)[ _-]?key")
"""What is always secret: other keys and tokens may be those of a table or of a text."""
OTHER = re.compile(
    r"(?i)sha-?\d|md5|digest|hash|checksum|commit|revision|version|etag|fingerprint|trace|span"
    r"|request|run|uuid|(?<![a-z])ids?(?![a-z])|file|image|base64|model|sample|https?:"
)
"""What else a text that looks like chance may be."""
WORDS = ("passw", "passphrase", "pwd", "secret", "token", "key")
NUMBERS, ANY_NUMBERS = (
    re.compile(rf"[{digits}+(](?<![\w-].)[\d .()/+-]{{9,}}") for digits in ("0-9", r"\d")
)
"""What every card, phone and social security number stands in."""
COUNTRIES = re.compile(r"[A-Z](?<!\w[A-Z])[A-Z]\d\d")
Starts: TypeAlias = Callable[[str, str], Iterable[int]]
"""Of a text and the same in lower case: where a pattern may match, in order."""
Edit: TypeAlias = tuple[int, int, str]

MAYBE = (
    r"@|://|-----BEGIN|eyJ|\d(?:[\d .()/-]{6,}|[A-Z]{3})\d|(?i:passw|passphrase|pwd|secret|token"
    r"|credential|key\W|[_-]?key|bearer|basic |authorization)|\bA[A-Z]{3}[A-Z0-9]{16}|gh[pousr]_"
    r"|github_pat|gl[a-z]{2,5}-|xox|xapp|_live_|_test_|whsec_|sk-|AIza|ya29|GOCSPX|hf_|gsk_|npm_"
    r"|lsv2_|r8_|xai-|pplx-|tvly-|SG\."
    r"|\b[A-Z]{2}\d\d[ A-Z0-9]{10}|[0-9a-fA-F]:[0-9a-fA-F:]{2}"
)
"""What no text is without in which `redact` finds more than IP addresses; for Polars."""


def _card(found: re.Match[str]) -> bool:
    digits = re.sub(r"\D", "", found[0])
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    known = re.match(r"4|5[0-8]|2[2-7]|3|6", digits) and 13 <= len(digits) <= 19
    return bool(known) and sum(n // 10 + n % 10 for n in doubled) % 10 == 0


def _iban(found: re.Match[str]) -> bool:
    text = found[0].replace(" ", "")
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _ip(found: re.Match[str]) -> bool:
    text = found[0]
    try:
        address = ip_address(text)
    except ValueError:
        return False
    code = address.version == 6 and (len(text) < 7 or not re.search(r"\d", text))
    return not (code or address.is_loopback or address.is_unspecified)


def _phone(found: re.Match[str]) -> bool:
    """Long enough, and no decimals: where dots part groups, nothing else does, and two do."""
    dots, other = found[0].count("."), re.search(r"[ ()/-]", found[0])
    long = found[0][0] == "+" or 10 <= len(re.sub(r"\D", "", found[0])) <= 12
    return long and (not dots or (dots > 1 and not other))


def _secret(found: re.Match[str]) -> bool:
    """Whether what stands behind a name is a secret, not prose, code or a type."""
    name, sign, quote, value = found.group("name", "sign", "quote", "value")
    if name.lower().endswith("token"):
        return len(value) >= 16 and re.search(r"\d", value) is not None
    if not quote and re.fullmatch(r"[A-Za-z_.]+", value):
        code = re.search(rf"(?i){NAMED}|token|[_.]|none|null|true|false", value)
        return sign == "=" and not code and not found.string.startswith(("(", "["), found.end())
    return bool(quote) or len(value) >= 6


def _basic(found: re.Match[str]) -> bool:
    try:
        return b":" in base64.b64decode(found["value"] + "==")
    except ValueError:
        return False


def _random(found: re.Match[str]) -> bool:
    """Whether a text is like chance, and not told to be something else: a digest, an id, a file."""
    value, start = found["value"], found.start()
    part = max(re.split("[^A-Za-z0-9]", value), key=len)
    bits = -sum(n / len(value) * log2(n / len(value)) for n in Counter(value).values())
    if len(part) < 10 or bits < 3 or OTHER.search(found["between"]):
        return False
    strong = STRONG.search(found.string, max(start - 8, 0), found.start("between"))
    if re.fullmatch("[0-9a-f-]+|[0-9A-F-]+", value):
        return bool(strong and re.search("[0-9]", value) and re.search("[a-fA-F]", value))
    mixed = ("[0-9]", "[A-Za-z]") if strong else ("[0-9]", "[A-Z]", "[a-z]")
    words = re.findall("[A-Z]?[a-z]+|[A-Z]+|[0-9]+", part)
    return all(re.search(kind, part) for kind in mixed) and len(part) <= 3 * len(words)


def _lower(text: str) -> str:
    """In lower case and as long as before; letters that patterns take for i and s are these."""
    if not text.isascii():
        for other, letter in (("İ", "i"), ("ı", "i"), ("ſ", "s")):
            text = text.replace(other, letter)
    return text.lower()


def _places(low: str, words: Iterable[str]) -> list[int]:
    """Where one of the words begins, in order."""
    places = []
    for word in words:
        at = low.find(word)
        while at >= 0:
            places.append(at)
            at = low.find(word, at + 1)
    return sorted(places)


def _begins(text: str, at: int, run: str, most: int | None = None) -> int:
    """Where the run of characters begins that ends at a place; so far back it is looked."""
    size, same = 64, re.compile(run)
    while True:
        back = same.match(text[max(at - size, 0) : at][::-1]).end()  # type: ignore[union-attr]
        if back < size or (most and back >= most):
            return at - back
        size *= 2


def _at_words(*words: str) -> Starts:
    return lambda _, low: _places(low, words)


def _at_runs(anchor: str, run: str) -> Starts:
    """The run of characters before each anchor, which no such run holds."""
    found = re.compile(anchor)
    return lambda text, _: (_begins(text, at.start(), run) for at in found.finditer(text))


class Kind(NamedTuple):
    """A pattern of what is replaced; of a match's group "value", where it has one, only that.

    `holds` says whether a match is one. Without `starts`, which says where to look, the pattern
    begins with letters of its own: they are quick to search, a look behind at every place is not.
    """

    name: str
    pattern: re.Pattern[str]
    holds: Callable[[re.Match[str]], bool] | None = None
    starts: Starts | None = None


def _made(name: str, prefixes: str, rest: str, no: str = r"\w") -> list[Kind]:
    """Keys that their maker lets begin alike, where a character of a word is not before them."""
    return [
        Kind(name, re.compile(rf"{prefix}(?<!{no}{prefix}){rest}")) for prefix in prefixes.split()
    ]


DIGIT = r"(?=[A-Za-z_-]*\d)"
# Each pattern begins only where a run of its characters does, or is bounded: linear time.
BEFORE = [
    Kind("private-key", re.compile(PEM)),
    *_made("jwt", "eyJ", r"[\w-]{8,}\.[\w-]{8,}\.[\w-]*", r"[\w-]"),
    Kind("url-login", re.compile(r"://(?P<value>[^\s/@:\"'<>\[\]]{0,256}:[^\s/@\"'<>\[\]]+)(?=@)")),
    Kind("credential", re.compile(
        rf"(?i)\bauthorization(?:{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}(?:{QUOTE})?"
        r"(?:bearer|basic|token|apikey)\s{1,3}(?![a-z]+\b)(?P<value>[\w.~+/=-]{6,})"),
        starts=_at_words("authorization")),
    Kind("credential", re.compile(
        r"(?i)\bbearer\s{1,3}(?P<value>(?=[^\s\d]{0,99}\d)[\w.~+/=-]{16,})"),
        starts=_at_words("bearer")),
    Kind("credential", re.compile(r"\b[Bb]asic (?P<value>[A-Za-z0-9+/]{8,}={0,2})"),
        _basic, _at_words("basic ")),
    *_made("aws-key", "A", r"(?:KIA|SIA|BIA|CCA|GPA|IDA|ROA|IPA|NPA|NVA)[A-Z0-9]{16}\b"),
    *_made("github-token", "gh", r"[pousr]_\w{20,}"),
    *_made("github-token", "github_pat_", r"\w{20,}"),
    *_made("gitlab-token", "gl", r"[a-z]{2,5}-[\w-]{20,}"),
    *_made("slack-token", "xox", r"[a-z]-[A-Za-z0-9-]{10,}"),
    *_made("slack-token", "xapp-", "[A-Za-z0-9-]{10,}"),
    Kind("slack-hook", re.compile(r"hooks\.slack\.com/services/(?P<value>[\w/]{20,})")),
    Kind("stripe-key", re.compile(r"\b[srp]k_(?:live|test)_\w{10,}"),
        starts=_at_runs("k_(?:live|test)_", "[srp]?")),
    *_made("stripe-key", "whsec_", r"\w{10,}"),
    *_made("anthropic-key", "sk-ant-", r"[\w-]{20,}", r"[\w-]"),
    *_made("openai-key", "sk-", rf"{DIGIT}[\w-]{{20,}}", r"[\w-]"),
    *_made("google-key", "AIza", r"[\w-]{35}"),
    *_made("google-key", r"ya29\. GOCSPX-", r"[\w-]{20,}"),
    *_made("access-token", "hf_ gsk_ npm_", "[A-Za-z0-9]{30,}"),
    *_made("access-token", "lsv2_ r8_ xai- pplx- tvly-", rf"{DIGIT}[\w-]{{30,}}", r"[\w-]"),
    *_made("access-token", r"SG\.", r"[\w-]{22}\.[\w-]{43}"),
    Kind("secret", re.compile(ASSIGNED), _secret, lambda text, low: (
        _begins(text, at, r"[\w-]*", 64) for at in _places(low, WORDS))),
    Kind("secret", re.compile(BESIDE), _random, _at_words(*WORDS, "credential")),
    Kind("email", re.compile(
        r"(?<![\w.%+-])[\w.%+-]+@(?:[\w-]{1,63}\.)+"
        r"(?!(?:png|jpe?g|gif|svg|webp|css|js)\b)[^\W\d_]{2,24}(?![\w-])"),
        starts=_at_runs(r"@(?=[\w-]{1,63}\.)", r"[\w.%+-]*")),
    Kind("iban", re.compile(rf"\b(?:{IBAN})\b"), _iban, lambda text, _: (
        found.start() for found in COUNTRIES.finditer(text))),
]  # fmt: skip
IN_NUMBERS = [
    Kind("card", re.compile(
        r"(?<![\w.,-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}"
        r"|\d{4}([ -])\d{6}\2\d{4,5})(?![\w-]|[.,]\d)"), _card),
    Kind("ssn", re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")),
    Kind("phone", re.compile(
        r"(?<![\w.,+-])(?:\+[1-9](?:[ .()/-]{0,2}\d){7,13}\d"
        r"|(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}|0[1-9]([ .-])\d\d(?:\1\d\d){3}"
        r"|0[1-9]\d{1,3}[ /-]\d{3,8}(?:[ -]\d{2,5})?)"
        r"(?![\w-]|[.,/]\d)"), _phone),
]  # fmt: skip
AFTER = [
    Kind("ip", re.compile(
        r"(?<![\w.-])(?<![A-Za-z]/)(?<!ersion |ection )(?<!==)(?!0)"
        r"\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"), _ip,
        _at_runs(r"\.(?=\d{1,3}\.\d{1,3}\.\d)", r"\d*")),
    Kind("ip", re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{3,39}(?![\w:])"), _ip,
         _at_runs(":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*", "[0-9A-Fa-f:]*")),
]  # fmt: skip
APART = re.compile(
    r"\n(?<![\s:=]\n)(?<!(?i:bearer|apikey)\n)(?<!(?i:basic|token)\n)(?![\s:=])"
    r"|\",(?=[ \"])|(?P<prose>[a-z]\. )(?=[A-Z])"
)
"""Where no match goes over; what is quoted goes over the end of a sentence."""
QUOTED = re.compile(rf"[:=]\s{{0,3}}{QUOTE}")
LONGEST = 320
"""So long is what is quoted at most, with its name's end."""
NEAR = 500
"""Characters before a pseudonym in which a place to part the text is looked for first."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SHORT = 60
"""The names and labels of a chart's rows, which come again and again, are looked at once."""


def redact(text: str, key: bytes) -> str:
    """A text with secrets and personal data replaced by keyed pseudonyms.

    E-mail and IP addresses, phone, card and account numbers (where their check digits hold), US
    social security numbers, private keys, tokens and keys of known makers, logins in URLs and
    headers, what is given to a name like ``password``, and what looks like chance behind a word
    like key. Names of people and places are not found, nor is a password of letters alone after a
    colon, which reads as prose.

    Parameters
    ----------
    key
        The lab's own: the same value has the same pseudonym in all its reports, and nobody
        without the key can test a guess (HMAC-SHA256).

    Examples
    --------
    >>> redact("Ask jo@example.com or Jo@Example.com, 2026-05-12 10:15", b"key")
    'Ask [email-44504a82] or [email-44504a82], 2026-05-12 10:15'
    """
    once = _once(text, key)
    if once == text:
        return text
    parts, last = [], 0
    for mark in MARKED.finditer(once):
        if mark.start() >= last:
            begin, end = _around(once, mark, last)
            parts += [once[last:begin], _settled(once[begin:end], key)]
            last = end
    return "".join([*parts, once[last:]])


def _around(text: str, mark: re.Match[str], last: int) -> tuple[int, int]:
    """Where no match goes over, before a pseudonym (not before `last`) and behind it."""
    begin, at, size = last, mark.start(), NEAR
    while begin == last and at - size > last:
        for cut in APART.finditer(text, at - size, at):
            begin = cut.end()
        size *= 4
    for cut in APART.finditer(text, mark.end()):
        first = max(begin, cut.start() - LONGEST)
        if not (cut["prose"] and QUOTED.search(text, first, cut.start())):
            return begin, cut.end()
    return begin, len(text)


def _settled(text: str, key: bytes) -> str:
    """What is replaced may part what stands beside it from its neighbours: looked at again."""
    for _ in range(4):
        before, text = text, _once(text, key)
        if text == before:
            break
    return text


def _once(text: str, key: bytes) -> str:
    text = _kinds(text, BEFORE, key)
    return _kinds(_numbers(text, key), AFTER, key)


def _kinds(text: str, kinds: list[Kind], key: bytes) -> str:
    low = None
    for kind in kinds:
        if kind.starts is None:
            found = kind.pattern.finditer(text)
        else:
            low = _lower(text) if low is None else low
            found = _matches(kind.pattern, text, kind.starts(text, low))
        if edits := _edits(kind, found, key):
            text, low = _edited(text, edits), low and _edited(low, edits)
    return text


def _matches(pattern: re.Pattern[str], text: str, starts: Iterable[int]) -> Iterator[re.Match[str]]:
    """The matches that begin at one of the places, each behind the one before."""
    last = tried = -1
    for start in starts:
        if start >= last and start > tried:
            tried = start
            if found := pattern.match(text, start):
                last = found.end()
                yield found


def _numbers(text: str, key: bytes) -> str:
    """Cards, social security and phone numbers: of each run of digits, with what is beside it."""
    found: list[Edit] = []
    for run in (NUMBERS if text.isascii() else ANY_NUMBERS).finditer(text):
        begin, end = run.span()
        before = 1 if begin else 0
        part = old = text[begin - before : end + 2]
        for kind in IN_NUMBERS:
            edits = _edits(kind, kind.pattern.finditer(part, before), key)
            part = _edited(part, edits) if edits else part
        if part is not old:
            behind = len(old) - before - (end - begin)
            found.append((begin, end, part[before : len(part) - behind]))
    return _edited(text, found) if found else text


def _edits(kind: Kind, found: Iterable[re.Match[str]], key: bytes) -> list[Edit]:
    """A pseudonym for each match that holds."""
    group = "value" if "value" in kind.pattern.groupindex else 0
    return [
        (*match.span(group), _pseudonym(kind.name, match[group], key))
        for match in found
        if kind.holds is None or kind.holds(match)
    ]


def _edited(text: str, edits: Iterable[Edit]) -> str:
    parts, last = [], 0
    for begin, end, new in edits:
        parts += [text[last:begin], new]
        last = end
    return "".join([*parts, text[last:]])


_again = lru_cache(4096)(redact)


def redacted(value: Any, key: bytes) -> Any:
    """JSON-like data with every text and name in it redacted; pictures stay as they are.

    Examples
    --------
    >>> redacted({"rows": [["jo@example.com", 3]], "password": "swordfish"}, b"key")
    {'rows': [['[email-44504a82]', 3]], 'password': '[secret-955a75ee]'}
    """
    if isinstance(value, str):
        return _again(value, key) if len(value) <= SHORT else _uncoloured(value, key)
    if isinstance(value, list | tuple):
        return _whole(value, key) or [redacted(item, key) for item in value]
    if isinstance(value, dict):
        if "text/html" in value and _split(value, key):
            value = type(value)({k: v for k, v in value.items() if k != "text/html"})
        found = {redacted(str(name), key): _held(str(name), v, key) for name, v in value.items()}
        return type(value)(found)  # a notebook's parts stay what they are
    return value


def _uncoloured(text: str, key: bytes) -> str:
    """A text redacted; without its colours where one parts a secret from its name."""
    found = redact(text, key)
    if "\x1b" not in text:
        return found
    bare = redact(COLOURS.sub("", text), key)
    return found if COLOURS.sub("", found) == bare else bare


def redacted_frame(frame: pl.DataFrame, key: bytes | None) -> pl.DataFrame:
    """A frame with every text in it redacted, JSON as what it says; itself without a key.

    Examples
    --------
    >>> import polars as pl
    >>> redacted_frame(pl.DataFrame({"said": ["jo@example.com"], "n": [1]}), b"key").rows()
    [('[email-44504a82]', 1)]
    """
    import polars as pl

    if key is None:
        return frame
    columns = []
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            found = {text: _stored(text, key) for text in column.unique().drop_nulls()}
            changed = {old: new for old, new in found.items() if old != new}
            columns.append(column.replace(changed) if changed else column)
        elif column.dtype.is_nested():
            rows = redacted(column.to_list(), key)
            columns.append(pl.Series(column.name, rows, column.dtype))
        else:
            columns.append(column)
    return pl.DataFrame(columns)


def _stored(text: str, key: bytes) -> str:
    if text[:1] in ("{", "["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return redact(text, key)
        found = redacted(value, key)
        return text if found == value else json.dumps(found, ensure_ascii=False)
    return redact(text, key)


def _whole(value: Any, key: bytes) -> list[Any] | None:
    """A text in parts, each with a sign of what differs, as one: where a secret spans several."""
    if not all(
        isinstance(part, list | tuple)
        and len(part) == 2
        and part[0] in ("", "-", "+")
        and isinstance(part[1], str)
        for part in value
    ):
        return None
    whole = redact("".join(text for _, text in value), key)
    return [["", whole]] if whole != "".join(redact(text, key) for _, text in value) else None


def _split(value: Any, key: bytes) -> bool:
    """Whether a secret spans the parts of a text; its HTML would show it in pieces."""
    if isinstance(value, dict):
        return any(_split(item, key) for item in value.values())
    if isinstance(value, list | tuple):
        return _whole(value, key) is not None or any(_split(item, key) for item in value)
    return False


def _held(name: str, value: Any, key: bytes) -> Any:
    if name.startswith("image/") and "svg" not in name:
        return value
    if isinstance(value, str) and SECRET_NAME.fullmatch(name) and not re.fullmatch(MARK, value):
        return _pseudonym("secret", value, key) if value else value
    return redacted(value, key)


def _pseudonym(kind: str, value: str, key: bytes) -> str:
    """The same for a value in whichever way it is written."""
    if kind in ("phone", "card", "iban"):
        value = re.sub(r"[^A-Z0-9]", "", value)
    digest = hmac.new(key, f"{kind}:{value.lower()}".encode("utf-8", "replace"), hashlib.sha256)
    return f"[{kind}-{digest.hexdigest()[:8]}]"
