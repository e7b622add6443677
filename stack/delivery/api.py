"""What the running Alertmanager is asked: what it has sent, what is silenced, a test of every channel."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from stack.errors import StackError
from stack.probe import client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stack.settings import Settings

__all__ = ["PEOPLE", "Silence", "Tally", "end_silence", "read_tallies", "send_test", "silence", "silences", "tallies"]

PEOPLE = "people"
_LINE = re.compile(r"^alertmanager_notification_requests(?P<failed>_failed)?_total\{(?P<labels>.*)\} (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_TEST = {"alertname": "DeliveryTest", "alert": "DeliveryTest", "severity": "warning", "concerns": "everybody"}
_TEST_LASTS = 20
_PATIENCE = 30.0
_UNITS = {"m": 60, "h": 3600, "d": 86400}


@dataclass
class Tally:
    """How many requests one channel has taken since Alertmanager started, and how many of them failed."""

    requests: int = 0
    failed: int = 0

    @property
    def delivered(self) -> int:
        """How many arrived."""
        return self.requests - self.failed


@dataclass(frozen=True)
class Silence:
    """What is not told until then."""

    id: str
    ends: str
    comment: str
    matchers: tuple[str, ...]


def read_tallies(text: str) -> dict[tuple[str, str], Tally]:
    """The tallies in Alertmanager's own metrics, by receiver and channel; one that has sent nothing is there, too."""
    found: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for match in filter(None, map(_LINE.match, text.splitlines())):
        labels = dict(_LABEL.findall(match["labels"]))
        tally = found[labels["receiver_name"], labels["integration"]]
        setattr(tally, "failed" if match["failed"] else "requests", int(float(match["value"])))
    return dict(found)


def tallies(settings: Settings) -> dict[tuple[str, str], Tally]:
    """Those of the running Alertmanager."""
    return read_tallies(_ask(settings, "GET", "/metrics").text)


def _ask(settings: Settings, method: str, path: str, body: object = None) -> httpx.Response:
    try:
        with client() as http:
            answer = http.request(method, settings.url("ALERTMANAGER_PORT") + path, json=body)
    except httpx.HTTPError as error:
        raise StackError(f"Alertmanager does not answer: {error}.", todo="`make status` shows what runs.") from error
    if answer.is_error:
        raise StackError(f"Alertmanager refuses: {answer.text.strip()[:500]}")
    return answer


def send_test(settings: Settings) -> dict[str, str]:
    """Send a test alert and tell for each channel of people what became of it within half a minute."""
    before = {channel: tally for (receiver, channel), tally in tallies(settings).items() if receiver == PEOPLE}
    if not before:
        raise StackError("No channel is set up.", todo="Set one (.env.example, ALERT_...), then `make up`.")
    ends = datetime.now(UTC) + timedelta(seconds=_TEST_LASTS)
    summary = {"summary": "A test: this channel delivers.", "description": "Sent by hand; it is over by itself."}
    # A group of its own each time, which is told at once.
    labels = {**_TEST, "area": "test", "test": str(time.time_ns())}
    _ask(settings, "POST", "/api/v2/alerts", [{"labels": labels, "annotations": summary, "endsAt": ends.isoformat()}])
    return _wait_for(settings, before)


def _wait_for(settings: Settings, before: Mapping[str, Tally]) -> dict[str, str]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        now = {channel: tally for (receiver, channel), tally in tallies(settings).items() if receiver == PEOPLE}
        outcome = {channel: _outcome(before[channel], now[channel]) for channel in before}
        if all(text == "delivered" for text in outcome.values()) or time.monotonic() > deadline:
            return outcome
        time.sleep(0.2)


def _outcome(before: Tally, now: Tally) -> str:
    if now.delivered > before.delivered:
        return "delivered"
    failed = now.failed - before.failed
    return f"failed {failed} times; it is tried again" if failed else "nothing was sent yet"


def silence(settings: Settings, lasts: str, comment: str, matchers: Mapping[str, str]) -> str:
    """Silence what has these labels, all but the heartbeat without any; its id."""
    wanted = [{"name": name, "value": value, "isRegex": False} for name, value in matchers.items()]
    everything = {"name": "severity", "value": "none", "isRegex": False, "isEqual": False}
    now = datetime.now(UTC)
    body = {
        "matchers": wanted or [everything],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=_seconds(lasts))).isoformat(),
        "createdBy": "operator",
        "comment": comment,
    }
    return str(_ask(settings, "POST", "/api/v2/silences", body).json()["silenceID"])


def _seconds(lasts: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,3})([mhd])", lasts)
    if match is None:
        raise StackError(f'A silence lasts minutes, hours or days, as 30m, 2h, 1d (got "{lasts}").')
    return int(match[1]) * _UNITS[match[2]]


def end_silence(settings: Settings, identity: str) -> None:
    """End a silence before its time."""
    _ask(settings, "DELETE", f"/api/v2/silence/{identity}")


def silences(settings: Settings) -> list[Silence]:
    """Those in force."""
    listed: list[dict[str, Any]] = _ask(settings, "GET", "/api/v2/silences").json()
    return [
        Silence(entry["id"], entry["endsAt"], entry["comment"], tuple(map(_matcher, entry["matchers"])))
        for entry in listed
        if entry["status"]["state"] == "active"
    ]


def _matcher(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}{'=' if entry['isEqual'] else '!='}{entry['value']}"
