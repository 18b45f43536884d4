"""Secrets and personal data in a text, replaced by pseudonyms that stay the same in a lab."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any

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
    r"(?:(?:[^-]|-(?!----))*-----END [A-Z0-9 ]{0,40}-----"
    r"|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{20,})*)"  # cut off
)
NAMED = r"(?:password|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key)"
MARK = r"\[[a-z-]+-[0-9a-f]{8}\]"
QUOTE = r"\\?(?:[\"']|&quot;|&#(?:x27|39);)"
ASSIGNED = (
    rf"(?i)(?<![\w-])(?P<name>[\w-]{{0,40}}?(?:{NAMED}[\w-]{{0,40}}|token))(?:{QUOTE})?\s{{0,3}}"
    rf"(?P<sign>[:=])\s{{0,3}}(?P<quote>{QUOTE})?(?!{MARK}|[*<{{$%/])"
    r"(?P<value>(?(quote)[^\\\"'&\n]|[^\\\s\"'`,;&()\[\]{}<>]){4,300})"
)
SECRET_NAME = re.compile(rf"(?i)[\w-]{{0,40}}{NAMED}")


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


# Each pattern begins only where a run of its characters does, or is bounded: linear time. One of
# the hints is in every text it matches; a group "value" is all that is replaced.
KINDS = [
    (name, hints.split(), re.compile(pattern), holds)
    for name, hints, pattern, holds in (
        ("private-key", "PRIVATE", PEM, None),
        ("jwt", "eyJ", r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", None),
        ("url-login", "://", r"(?<=://)[^\s/@:\"'<>\[\]]{0,256}:[^\s/@\"'<>\[\]]+(?=@)", None),
        ("credential", "uth UTH",
         rf"(?i)\bauthorization(?:{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}(?:{QUOTE})?"
         r"(?:bearer|basic|token|apikey)\s{1,3}(?![a-z]+\b)(?P<value>[\w.~+/=-]{6,})", None),
        ("credential", "earer EARER",
         r"(?i)\bbearer\s{1,3}(?P<value>(?=[^\s\d]{0,99}\d)[\w.~+/=-]{16,})", None),
        ("credential", "asic", r"\b[Bb]asic (?P<value>[A-Za-z0-9+/]{8,}={0,2})", _basic),
        ("aws-key", "A", r"\bA(?:KIA|SIA|BIA|CCA|GPA|IDA|ROA|IPA|NPA|NVA)[A-Z0-9]{16}\b", None),
        ("github-token", "gh git", r"\b(?:gh[pousr]_|github_pat_)\w{20,}", None),
        ("gitlab-token", "gl", r"\bgl[a-z]{2,5}-[\w-]{20,}", None),
        ("slack-token", "xox xapp", r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}", None),
        ("slack-hook", "hooks", r"(?<=hooks\.slack\.com/services/)[\w/]{20,}", None),
        ("stripe-key", "_live_ _test_ whsec", r"\b(?:[srp]k_(?:live|test)|whsec)_\w{10,}", None),
        ("anthropic-key", "sk-ant-", r"(?<![\w-])sk-ant-[\w-]{20,}", None),
        ("openai-key", "sk-", r"(?<![\w-])sk-(?=[A-Za-z_-]*\d)[\w-]{20,}", None),
        ("google-key", "AIza ya29 GOCSPX",
         r"\b(?:AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})", None),
        ("access-token", "hf_ gsk_ npm_", r"\b(?:hf|gsk|npm)_[A-Za-z0-9]{30,}", None),
        ("secret", ": =", ASSIGNED, _secret),
        ("email", "@", r"(?<![\w.%+-])[\w.%+-]+@(?:[\w-]{1,63}\.)+"
         r"(?!(?:png|jpe?g|gif|svg|webp|css|js)\b)[^\W\d_]{2,24}(?![\w-])", None),
        ("iban", "", rf"\b(?=[A-Z]{{2}}\d\d)(?:{IBAN})\b", _iban),
        ("card", "", r"(?<![\w.,-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}"
         r"|\d{4}([ -])\d{6}\2\d{4,5})(?![\w-]|[.,]\d)", _card),
        ("ssn", "-", r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])", None),
        ("phone", "", r"(?<![\w.,+-])(?:\+[1-9](?:[ .()/-]{0,2}\d){7,13}\d"
         r"|(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}|0[1-9]([ .-])\d\d(?:\1\d\d){3}"
         r"|0[1-9]\d{1,3}[ /-]\d{3,8}(?:[ -]\d{2,5})?)"
         r"(?![\w-]|[.,/]\d)", _phone),
        ("ip", ".", r"(?<![\w.-])(?<![A-Za-z]/)(?<!ersion |ection )(?<!==)(?!0)"
         r"\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)", _ip),
        ("ip", ":", r"(?<![\w:.])[0-9A-Fa-f:]{3,39}(?![\w:])", _ip),
    )
]  # fmt: skip


SHORT = 60
"""The names and labels of a chart's rows, which come again and again, are looked at once."""


def redact(text: str, key: bytes) -> str:
    """A text with secrets and personal data replaced by keyed pseudonyms.

    E-mail and IP addresses, phone, card and account numbers (where their check digits hold), US
    social security numbers, private keys, tokens and keys of known makers, logins in URLs and
    headers, and what is given to a name like ``password``. Names of people and places are not
    found, nor is a password of letters alone after a colon, which reads as prose.

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
    for _ in range(5):  # what is replaced may part what stands beside it from its neighbours
        before = text
        for name, hints, pattern, holds in KINDS:
            if not hints or any(hint in text for hint in hints):
                text = pattern.sub(partial(_marked, name, holds, key), text)
        if text == before:
            break
    return text


_again = lru_cache(4096)(redact)


def redacted(value: Any, key: bytes) -> Any:
    """JSON-like data with every text and name in it redacted; pictures stay as they are.

    Examples
    --------
    >>> redacted({"rows": [["jo@example.com", 3]], "password": "swordfish"}, b"key")
    {'rows': [['[email-44504a82]', 3]], 'password': '[secret-955a75ee]'}
    """
    if isinstance(value, str):
        return _again(value, key) if len(value) <= SHORT else redact(value, key)
    if isinstance(value, list | tuple):
        return _whole(value, key) or [redacted(item, key) for item in value]
    if isinstance(value, dict):
        if "text/html" in value and _split(value, key):
            value = type(value)({k: v for k, v in value.items() if k != "text/html"})
        found = {redacted(str(name), key): _held(str(name), v, key) for name, v in value.items()}
        return type(value)(found)  # a notebook's parts stay what they are
    return value


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


def _marked(name: str, holds: Any, key: bytes, found: re.Match[str]) -> str:
    if holds and not holds(found):
        return found[0]
    value = found.groupdict().get("value") or found[0]
    before, _, after = found[0].rpartition(value)
    return before + _pseudonym(name, value, key) + after


def _pseudonym(kind: str, value: str, key: bytes) -> str:
    """The same for a value in whichever way it is written."""
    if kind in ("phone", "card", "iban"):
        value = re.sub(r"[^A-Z0-9]", "", value)
    digest = hmac.new(key, f"{kind}:{value.lower()}".encode("utf-8", "replace"), hashlib.sha256)
    return f"[{kind}-{digest.hexdigest()[:8]}]"
