"""Redaction: what is secret goes, what is ordinary stays, and quickly."""

from __future__ import annotations

import html
import json
import re
import time

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.charts.cases import MIME as CASES
from aiops_lab.charts.cases import Cases, case
from aiops_lab.charts.theme import MIME as CHART
from aiops_lab.redact import MARK, redact, redacted

KEY = b"the lab's own"
BODY = "MIIEpAIBAAKCAQEA7bq1" * 8
LONG = "4f9Kd02mZq81LxPwTn7RbVc3YsGhJe65AaUiOo0X"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}=\n-----END RSA PRIVATE KEY-----"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{LONG}"
MIXED = "dGhpc2lzYXNlY3JldA8f3kQ"
HEX = "9f8a7c6d5e4b3a2109f8e7d6c5b4a392"
UUID = "550e8400-e29b-41d4-a716-446655440000"
SECRETS = {
    "jo.o'neil+x@mail.example.co.uk": "email",
    "müller@exämple.de": "email",
    "+49 30 1234567": "phone",
    "+49 (0) 30 1234567": "phone",
    "+14155550132": "phone",
    "(415) 555-0132": "phone",
    "415-555-0132": "phone",
    "020 7946 0958": "phone",
    "0171 23456789": "phone",
    "01 23 45 67 89": "phone",
    "203.0.113.77": "ip",
    "2001:db8::8a2e:370:7334": "ip",
    "4111 1111 1111 1111": "card",
    "5555555555554444": "card",
    "3782-822463-10005": "card",
    "DE89 3704 0044 0532 0130 00": "iban",
    "GB29NWBK60161331926819": "iban",
    "078-05-1120": "ssn",
    PEM: "private-key",
    PEM.replace("\n", "\\n"): "private-key",
    PEM[:150]: "private-key",
    JWT: "jwt",
    "AKIAIOSFODNN7EXAMPLE": "aws-key",
    f"ghp_{LONG[:36]}": "github-token",
    f"github_pat_{LONG}": "github-token",
    f"glpat-{LONG[:20]}": "gitlab-token",
    f"xoxb-1234567890-{LONG}": "slack-token",
    f"sk_live_{LONG[:24]}": "stripe-key",
    f"sk-proj-{LONG}": "openai-key",
    f"sk-ant-api03-{LONG}": "anthropic-key",
    f"AIza{LONG[:35]}": "google-key",
    f"hf_{LONG[:34]}": "access-token",
    f"lsv2_pt_{LONG[:32]}_{LONG[:10]}": "access-token",
    f"SG.{LONG[:22]}.{LONG}abc": "access-token",
}
WITHIN = {
    "postgres://jo:s3cret!@db.example.com/x": ("jo:s3cret!", "url-login"),
    f"Authorization: Bearer {LONG}": (LONG, "credential"),
    "authorization: Basic am86c3dvcmRmaXNo": ("am86c3dvcmRmaXNo", "credential"),
    "password = hunter2": ("hunter2", "secret"),
    "password=swordfish": ("swordfish", "secret"),
    'api_key: "correct horse"': ("correct horse", "secret"),
    '{\\"client_secret\\": \\"abcdef\\"}': ("abcdef", "secret"),
    f"AWS_SECRET_ACCESS_KEY={LONG}": (LONG, "secret"),
    f"access_token: {LONG}": (LONG, "secret"),
    f"key is {MIXED}": (MIXED, "secret"),
    f"The KEY (prod) – {MIXED}": (MIXED, "secret"),
    f"<td>key</td><td>{MIXED}</td>": (MIXED, "secret"),
    f"the token `{MIXED}`": (MIXED, "secret"),
    f"the secret for staging is {HEX}": (HEX, "secret"),
    f"our credentials: {HEX}": (HEX, "secret"),
    f"API key {UUID}": (UUID, "secret"),
}
ORDINARY = """\
2026-05-12|2026-05-12 10:15:00|2026-05-12T10:15:00.123456+00:00|12/05/2026|05-12-2026
12 May 2026, 10:15 UTC|1,234,567|1.234.567|12 345 678|0.000123456|−23.3 points (−39.1 to −11.7)
+6.6 points (5.1 to 8.3)|+10.45 (10.21 to 10.98)|+100.45 (100.21)|1.5e-05|+0.123456789123
gpt-4o-2024-08-06|claude-3-5-sonnet-20241022|3.11.7|v1.2.3.4|Chrome/120.0.0.0|polars==1.35.0.1
version 10.2.30.4|550e8400-e29b-41d4-a716-446655440000|d41d8cd98f00b204e9800998ecf8427e
b236833087aa|12345678|order 123456789012|1716200000000|1716200000000000|ISBN 978-3-16-148410-0
std::vector<int>|x[10::20]|a::b|10:15:30|00:1A:2B:3C:4D:5E|127.0.0.1|::1|retina@2x.png
password: str|password: required|api_key: str = None|password=password|secret = os.environ["X"]
token: 120|max_tokens=100|password: ***|password=${PASSWORD}
Bearer token authentication|Basic authentication|the bearer of bad news|@prod
@media (max-width: 9px)|tokens_out = 5000|password = getpass()
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; --ok: #00704f }|sk-loading-spinner-animation-slow
def f(x): return x[1:3] + 12345678901|datum.tilt > 0|baseline_output|topic: delivery (30)
£12, £22|(120) 240-360|4 of 120|1-2-3-4-5|2001|1234 5678 9012 3456|AB12 3456 7890 1234
support-answers_3yVYjydkrWeqpksGyr2whv.eval|PaZ6QcjoHJp2LDa54dfmfV|https://example.com:8080/a?b=c
key d41d8cd98f00b204e9800998ecf8427e|primary key 550e8400-e29b-41d4-a716-446655440000
the key has sha256 d41d8cd98f00b204e9800998ecf8427e
its token in trace 4bf92f3577b34da6a3ce929d0e0e4736
secret of commit 9f8a7c6d5e4b3a2109f8e7d6c5b4a39210fedcba
the secret's digest dGhpc2lzYXNlY3JldA8f3kQ
key of run 3vYVjydkrWeqpksGyr2whv|a key finding. dGhpc2lzYXNlY3JldA8f3kQ
a key, dGhpc2lzYXNlY3JldA8f3kQ
How do I reset the password of order 123456789012?|tokens of claude-3-5-sonnet-20241022
monkey dGhpc2lzYXNlY3JldA8f3kQ|keyed dGhpc2lzYXNlY3JldA8f3kQ|key dGhpc2lzYXNlY3JldA8f3kQ.png
key data:image/png;base64,iVBORw0KGgodGhpc2lzYXNlY3JldA8f3kQ|token Qwen2TokenizerFast16Bit
password rules in /usr/lib/python3/dist-packages/pam|the key is a2hlbGxvIHdv
secrets in 2026-05-12T10-15-00Z
0.4111111111111111|01-02-03-04-05-06|-----BEGIN CERTIFICATE-----|5 + 4 = 9|000-12-3456|9:41"""
ORDINARY = re.split(r"[|\n]", ORDINARY)
HOSTILE = (
    "a", "a@", "a.", "@a.", "a@a.", "1", "1 ", "1-", "+1", "+1 ", "0 ", "(415) ", "1:", "::", "1.",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----aaaaaaaaaaaaaaaaaaaaa\n", "-", "--",
    "eyJaaaaaaaa-", "eyJaaaaaaaa.", "://", "://a:", "a:", "password", "password ", "password=",
    "password='", "-secret", "token:", "api_", "bearer ", "authorization:", "Basic ", "sk-", "sk-a",
    "DE89 ", "A B", "AKIA", "ghp_", "\\n", " ", "\n", '"', "[email-00000000]", "0123 ", "4111 ",
    "A", "0-", "key ", "key is a1", "secret 0a", "é", "é@", "sk_live_", "k_test_", "1.1.", "+1-",
)  # fmt: skip


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_replaced_wherever_it_stands(text: str) -> None:
    mark = rf"\[{SECRETS[text]}-[0-9a-f]{{8}}\]"
    for frame in ("{}", "Call {}, please.", "({})", '"{}"', "a: {}\nb", "Is it {}?", "x={};"):
        before, after = (re.escape(part) for part in frame.split("{}"))
        if text.startswith("jo."):  # a quote ends what is before an address
            before += r"(?:jo\.o')?"
        assert re.fullmatch(before + mark + after, redact(frame.format(text), KEY)), frame


@pytest.mark.parametrize("text", WITHIN)
def test_what_stands_around_a_secret_stays(text: str) -> None:
    value, kind = WITHIN[text]
    before, after = (re.escape(part) for part in text.split(value))
    assert re.fullmatch(rf"{before}\[{kind}-[0-9a-f]{{8}}\]{after}", redact(text, KEY))


@pytest.mark.parametrize("text", WITHIN)
def test_a_secret_is_found_in_html_too(text: str) -> None:
    value, _ = WITHIN[text]
    assert value not in redact(html.escape(text), KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("call +49 30 1234567 now", "call +49 30 7654321 now"),
        ("the password = hunter2", "the password = hunter3"),
    ],
)
def test_a_secret_that_differs_between_two_answers_is_found_in_the_marked_ones(old, new) -> None:
    shown = Cases("t", [case("q", "lost", {}, old, new)], 1)._repr_mimebundle_()
    marked = shown[CASES]["cases"][0]["answers"]["baseline"]
    assert len(marked) > 1, "the secret is in parts"
    found = redacted({"data": shown}, KEY)["data"]
    text = json.dumps(found)
    assert not any(word in text for word in ("1234567", "7654321", "hunter"))
    assert found[CASES]["cases"][0]["answers"]["baseline"] == [["", redact(old, KEY)]]
    same = Cases("t", [case("q", "lost", {}, "jo@example.com a", "jo@example.com b")], 1)
    found = redacted(same._repr_mimebundle_(), KEY)
    assert "text/html" in found and len(found[CASES]["cases"][0]["answers"]["baseline"]) == 2


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text, KEY) == text
    assert redact(f"It is {text}, so.", KEY) == f"It is {text}, so."


def test_what_parts_of_a_text_are_found_does_not_depend_on_what_stands_in_other_lines() -> None:
    pieces = [*SECRETS, *WITHIN, *ORDINARY]
    lines = [piece for piece in pieces if "\n" not in piece]
    apart = [redact(f"It is {line}.", KEY) for line in lines]
    assert redact("\n".join(f"It is {line}." for line in lines), KEY).split("\n") == apart


def test_the_same_value_has_the_same_pseudonym_and_another_key_another() -> None:
    for one, other in (
        ("Jo@Example.com", "jo@example.com"),
        ("4111-1111-1111-1111", "4111111111111111"),
        ("+49 30 1234567", "+49-30-1234567"),
    ):
        assert redact(one, KEY) == redact(other, KEY) != redact(one, b"other")
    given, said = redact(f"api_key={MIXED}", KEY), redact(f"the key is {MIXED}", KEY)
    assert given.rpartition("[")[2] == said.rpartition("[")[2]
    assert redact("jo@example.com", KEY) != redact("jo@example.org", KEY)


PIECES = [*SECRETS, *WITHIN, *ORDINARY, *HOSTILE]


@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8), st.sampled_from(" ,.:-")
)
def test_redacting_twice_changes_nothing_more(parts: list[str], between: str) -> None:
    for text in (between.join(parts), "".join(parts)):
        once = redact(text, KEY)
        assert redact(once, KEY) == once


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_anything_takes_little_time(piece: str) -> None:
    for text in (piece * (1_000_000 // len(piece)), piece * (1_000_000 // len(piece)) + "!"):
        begun = time.process_time()
        redact(text, KEY)
        assert time.process_time() - begun < 5


def test_a_notebook_keeps_its_shape_and_its_pictures() -> None:
    secret = "jo@example.com"
    data = {
        CHART: {"datasets": {"data-1": [{secret: secret, "n": 1.5}]}, "encoding": {"x": {"a": 1}}},
        "image/png": f"iVBOR {secret}",
        "image/svg+xml": secret,
        "text/plain": [secret, "plain"],
        "password": "x",
        "n": None,
    }
    found = redacted(data, KEY)
    assert list(found) == list(data)
    assert found["image/png"] == data["image/png"]
    assert secret not in json.dumps({k: v for k, v in found.items() if k != "image/png"})
    assert found[CHART]["datasets"]["data-1"][0]["n"] == 1.5
    assert re.fullmatch(MARK, found["password"])
    assert redacted(found, KEY) == found
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(secret)])
    assert redacted(notebook, KEY).cells[0].source == redact(secret, KEY)
