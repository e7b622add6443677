"""This machine's clock against those of the servers, by the date in their answers.

A clock that is off puts spans before their parents, and Prometheus refuses samples from the future or of more than two
hours ago. HTTP's date has whole seconds, so less than a second is not seen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from telemetry._extras import require
from telemetry.doctor.findings import BROKEN, OFF, OK, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry.settings import Settings

__all__ = ["Clock", "clocks", "examine", "servers"]

httpx: Any = require("httpx", feature="doctor", extra="http-clients")

_LIMIT_SECONDS = 5.0
_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Clock:
    """How many seconds a server's clock is ahead of this machine's."""

    name: str
    url: str
    ahead: float


def servers(settings: Settings) -> dict[str, str]:
    """Return what has an address and answers by HTTP."""
    found = {
        "Prometheus": settings.prometheus_url,
        "Jaeger": settings.jaeger_url,
        "Tempo": settings.tempo_url,
        "Sentry": settings.sentry_url,
    }
    if settings.protocol("traces") != "grpc":
        found = {"Collector": settings.endpoint("traces"), **found}
    return {name: url for name, url in found.items() if url}


def clocks(places: Mapping[str, str]) -> Iterator[Clock]:
    """Ask each server for its date; one that does not answer, or has none, is left out."""
    for name, url in places.items():
        before = time.time()
        try:
            answer = httpx.get(url, timeout=_TIMEOUT_SECONDS)
            at = parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (httpx.HTTPError, KeyError, ValueError):
            continue
        # The date was cut off to whole seconds, some time between question and answer.
        yield Clock(name, url, at + 0.5 - (before + time.time()) / 2)


def examine(found: list[Clock]) -> Iterator[Finding]:
    """Tell whose clock is off: this machine's where every other differs in the same way."""
    if not found:
        yield Finding("clock", OFF, "no server tells its date")
        return
    wrong = [clock for clock in found if abs(clock.ahead) > _LIMIT_SECONDS]
    spread = max(clock.ahead for clock in found) - min(clock.ahead for clock in found)
    if len(found) > 1 and len(wrong) == len(found) and spread < _LIMIT_SECONDS:
        yield Finding("clock", BROKEN, f"this machine is {_off(-wrong[0].ahead)} all {len(found)} servers",
                      "set this machine's clock: timedatectl set-ntp true")  # fmt: skip
        return
    for clock in wrong:
        yield Finding("clock", BROKEN, f"{clock.name} at {clock.url} is {_off(clock.ahead)} this machine",
                      "set the clock that is wrong, on both machines by NTP: timedatectl set-ntp true")  # fmt: skip
    if not wrong:
        most = max(abs(clock.ahead) for clock in found)
        yield Finding("clock", OK, f"within {max(1, round(most))} s of {', '.join(clock.name for clock in found)}")


def _off(seconds: float) -> str:
    size = abs(seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if size >= 2 * length:
            amount = f"{size / length:.1f} {unit}"
            break
    else:
        amount = f"{size:.0f} s"
    return f"{amount} {'ahead of' if seconds > 0 else 'behind'}"
