"""What fires now, as Prometheus sees it: the same rules as Grafana's, evaluated in both modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

from stack.probe import client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stack.settings import Settings

__all__ = ["firing", "lines"]


def firing(settings: Settings) -> list[str]:
    """A line for each alert that fires, the critical ones first; or why nobody knows."""
    try:
        with client() as http:
            answer = http.get(f"{settings.url('PROMETHEUS_PORT')}/api/v1/alerts").raise_for_status().json()
        return lines(answer["data"]["alerts"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return [f"Prometheus does not tell what fires: {str(error) or type(error).__name__}"]


def lines(alerts: Iterable[dict[str, Any]]) -> list[str]:
    """Severity, name, summary and runbook section of those that fire.

    A warning is left out beside the critical level of its alert; so is the heartbeat, which always fires.
    """
    found = [alert for alert in alerts if alert["state"] == "firing" and alert["labels"]["severity"] != "none"]
    critical = {_place(alert) for alert in found if alert["labels"]["severity"] == "critical"}
    shown = [alert for alert in found if alert["labels"]["severity"] == "critical" or _place(alert) not in critical]
    ordered = sorted(shown, key=lambda alert: (alert["labels"]["severity"], alert["labels"]["alertname"]))
    return [_line(alert["labels"], alert["annotations"]) for alert in ordered]


def _line(labels: dict[str, str], annotations: dict[str, str]) -> str:
    section = unquote(annotations.get("runbook_url", "").partition(":~:text=")[2])  # the address names it last
    where = f" Runbook: {section}." if section else ""
    return f"{labels['severity']}: {labels['alertname']}: {annotations['summary']}{where}"


def _place(alert: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in alert["labels"].items() if k not in {"alertname", "severity"}))
