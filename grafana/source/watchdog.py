"""The heartbeat of the alerts' own way: a rule that always fires, for a watcher outside who misses it when it stops."""

from __future__ import annotations

from typing import Any

__all__ = ["EXPR", "INTERVAL", "NAME", "UID", "grafana_group", "prometheus_group"]

EXPR = "vector(1)"
NAME = "Watchdog"
UID = "watchdog"
INTERVAL = "10s"
"""Prometheus tells Alertmanager that an alert ends in four times this unless it hears of it again."""
_LABELS = {"alert": NAME, "area": "heartbeat", "concerns": "operations", "severity": "none"}
_ANNOTATIONS = {
    "summary": "Rules are evaluated and alerts are delivered.",
    "description": "Always fires, for ALERT_HEARTBEAT_URL and nobody else: it is its absence that means trouble.",
}


def prometheus_group() -> dict[str, Any]:
    """Return the group of its own, so that no slow rule delays it."""
    rule = {"alert": NAME, "expr": EXPR, "labels": _LABELS, "annotations": _ANNOTATIONS}
    return {"name": "alerts: heartbeat", "interval": INTERVAL, "rules": [rule]}


def grafana_group(folder: str, data: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the same for Grafana; a query that fails or answers nothing ends the heartbeat."""
    rule = {
        "uid": UID, "title": NAME, "condition": "B", "data": data, "for": "0s",
        "noDataState": "OK", "execErrState": "OK", "labels": _LABELS, "annotations": _ANNOTATIONS, "isPaused": False,
    }  # fmt: skip
    return {"orgId": 1, "name": "heartbeat", "folder": folder, "interval": INTERVAL, "rules": [rule]}
