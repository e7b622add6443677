"""Grafana's contact points for the channels that are set up; those that are not are deleted.

Secrets stay in the environment, from which Grafana fills `$NAME` in. A chat's id may not: what is filled in and looks
like a number becomes one, and Grafana then refuses to start (https://github.com/grafana/grafana/issues/69950).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grafana.source.alert_routes import HEARTBEAT, PEOPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHANNELS", "contact_points"]

_SUBJECT, _TEXT = '{{ template "agent.title" . }}', '{{ template "agent.text" . }}'
CHANNELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "webhook": (
        PEOPLE, "webhook",
        {"url": "$ALERT_WEBHOOK_URL", "httpMethod": "POST", "maxAlerts": "50", "title": _SUBJECT, "message": _TEXT},
    ),
    "email": (PEOPLE, "email", {"singleEmail": True, "subject": _SUBJECT, "message": _TEXT}),
    "telegram": (
        PEOPLE, "telegram",
        {
            "bottoken": "$ALERT_TELEGRAM_BOT_TOKEN", "parse_mode": "None", "disable_web_page_preview": True,
            "message": '{{ template "agent.telegram" . }}',
        },
    ),
    "heartbeat": (HEARTBEAT, "webhook", {"url": "$ALERT_HEARTBEAT_URL", "httpMethod": "POST"}),
}  # fmt: skip
"""Of each channel: the contact point it belongs to, Grafana's type, and its settings but for those that are given."""


def contact_points(given: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the file for these channels; each may come with further settings, taken literally."""
    points: dict[str, list[dict[str, Any]]] = {}
    for channel, settings in given.items():
        points.setdefault(CHANNELS[channel][0], []).append(_receiver(channel, settings))
    return {
        "apiVersion": 1,
        "contactPoints": [{"orgId": 1, "name": name, "receivers": listed} for name, listed in points.items()],
        "deleteContactPoints": [{"orgId": 1, "uid": _uid(name)} for name in CHANNELS if name not in given],
    }


def _receiver(channel: str, given: Mapping[str, str]) -> dict[str, Any]:
    point, kind, settings = CHANNELS[channel]
    literal = {name: value.replace("$", "$$") for name, value in given.items()}
    return {
        "uid": _uid(channel),
        "type": kind,
        "disableResolveMessage": point == HEARTBEAT,
        "settings": settings | literal,
    }


def _uid(channel: str) -> str:
    return f"agent-{channel}"
