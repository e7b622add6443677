"""Colours and limits, the same on every dashboard: a thing has one colour wherever it is seen."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.models import dashboard

__all__ = [
    "BLUE", "CONFIDENCE", "FEEDBACK", "GREEN", "ORANGE", "OUTCOMES", "PERCENTILES", "POOL", "RED", "TOKENS", "YELLOW",
    "Limits", "by_name", "thresholds",
]  # fmt: skip

GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE = "green", "yellow", "orange", "red", "blue", "purple"

PERCENTILES = {"p50": GREEN, "p95": YELLOW, "p99": ORANGE}
OUTCOMES = {"success": GREEN, "error": RED, "cancelled": YELLOW}
CONFIDENCE = {"high": GREEN, "medium": YELLOW, "low": ORANGE}
TOKENS = {"input": BLUE, "output": PURPLE}
FEEDBACK = {"up": GREEN, "down": RED}
POOL = {"available": GREEN, "in_use": ORANGE}


@dataclass(frozen=True)
class Limits:
    """From `warn` on yellow, from `bad` on red; where less is worse, `bad` is below `warn`."""

    warn: float
    bad: float


def thresholds(limits: Limits | None) -> dashboard.ThresholdsConfig:
    """Turn limits into Grafana's steps; without limits all is green."""
    if limits is None:
        steps: list[tuple[float | None, str]] = [(None, GREEN)]
    elif limits.bad > limits.warn:
        steps = [(None, GREEN), (limits.warn, YELLOW), (limits.bad, RED)]
    else:
        steps = [(None, RED), (limits.bad, YELLOW), (limits.warn, GREEN)]
    mode = dashboard.ThresholdsMode.ABSOLUTE
    return dashboard.ThresholdsConfig(mode, [dashboard.Threshold(value, colour) for value, colour in steps])


def by_name(name: str, colour: str) -> tuple[dashboard.MatcherConfig, list[dashboard.DynamicConfigValue]]:
    """Fix the colour of a series."""
    fixed = dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
    return dashboard.MatcherConfig("byName", name), [fixed]
