"""What `status` says of delivery: where alerts go, what failed, what is silenced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.delivery import api, channels
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stack.delivery.api import Tally
    from stack.settings import Settings

__all__ = ["lines", "of_tallies"]

_NOBODY = "Alerts are sent to nobody: set a channel (.env.example, ALERT_...), then `make up`."


def lines(settings: Settings, parts: Collection[str]) -> list[str]:
    """A line for each thing to know; never an error, since `status` has more to tell."""
    if "alertmanager" in parts:
        try:
            return [*of_tallies(api.tallies(settings)), *_silenced(settings), *_advice(settings)]
        except StackError as error:
            return [error.what]
    if "grafana" not in parts:
        return ["Alerts are sent to nobody: neither Alertmanager nor Grafana runs."]
    names = channels.load(settings).names
    return [f"Grafana sends alerts to: {', '.join(names)}." if names else _NOBODY, *_advice(settings)]


def of_tallies(found: Mapping[tuple[str, str], Tally]) -> list[str]:
    """Where alerts go, and how often that failed since Alertmanager started."""
    people = {channel: tally for (receiver, channel), tally in found.items() if receiver == api.PEOPLE}
    watched = [tally for (receiver, _), tally in found.items() if receiver != api.PEOPLE]
    told = [
        f"Alerts go to: {', '.join(f'{name} ({_counted(t)})' for name, t in people.items())}." if people else _NOBODY
    ]
    return told + [f"Heartbeat to the watcher outside: {_counted(tally)}." for tally in watched]


def _counted(tally: Tally) -> str:
    return f"{tally.delivered} sent" + (f", {tally.failed} FAILED" if tally.failed else "")


def _silenced(settings: Settings) -> list[str]:
    return [
        f"Silenced until {found.ends[:16].replace('T', ' ')} UTC: {', '.join(found.matchers)} ({found.comment}); "
        f"{found.id}"
        for found in api.silences(settings)
    ]


def _advice(settings: Settings) -> list[str]:
    advice = channels.load(settings).advice
    return [advice] if advice else []
