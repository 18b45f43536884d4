"""Telling people, through Apprise, that a verdict got worse or recovered."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aiops_lab.errors import BadSettings, LabError
from aiops_lab.verdict import BADNESS, SIGNS


class Undelivered(LabError):
    """Reports were made, but not everybody who wants to know could be told."""

    def __init__(self, problems: Sequence[str], reports: Sequence[Any]) -> None:
        super().__init__("; ".join(problems))
        self.reports = list(reports)


class Message(NamedTuple):
    """What is told."""

    title: str
    body: str


def news(name: str, before: str, verdict: Mapping[str, Any], out: Path) -> Message | None:
    """What to tell of a verdict after another: that it is worse, or ok again; else nothing.

    Examples
    --------
    >>> told = {"status": "fail", "headline": "Answers got worse."}
    >>> news("nightly", "ok", told, Path("reports")).title
    '■ nightly: fail, was ok'
    >>> news("nightly", "fail", told, Path("reports")) is None
    True
    """
    now = verdict["status"]
    worse = BADNESS.index(now) > BADNESS.index(before)
    if not worse and (now != "ok" or before == "ok"):
        return None
    page = (out / "latest" / f"{name}.html").resolve()
    return Message(f"{SIGNS[now]} {name}: {now}, was {before}", f"{verdict['headline']}\n\n{page}")


def tell(addresses: Sequence[str], message: Message | None) -> None:
    """Send a message to each address; None only checks that it could be sent.

    ``$NAME`` in an address is an environment variable, so that ``lab.toml`` holds no secrets.

    Raises
    ------
    BadSettings
        Apprise is not installed, or does not know an address.
    LabError
        It could not be delivered.
    """
    if not addresses:
        return
    try:
        import apprise
    except ImportError:
        raise BadSettings("tell needs Apprise: pip install 'aiops-lab[notify]'") from None
    channel = apprise.Apprise()
    for address in addresses:
        if not channel.add(os.path.expandvars(address)):
            raise BadSettings(f"tell: Apprise does not know the address {address!r}")
    if message and not channel.notify(
        body=message.body, title=message.title, body_format=apprise.NotifyFormat.TEXT
    ):
        raise LabError(f"{message.title}: could not be delivered to all of {len(addresses)}")
